#include "server/detect/drift.h"
#include "server/detect/draws_priv.h"

#include <math.h>

#include <string.h>

#define MONTH_D 28
#define MONTHS_MOST 13
#define MONTHS_LEAST 6
#define MONTH_HOME_D 8
#define MONTH_HOURS 20
#define PAIRS (MONTHS_MOST * (MONTHS_MOST - 1) / 2)
#define USE_LN (-0.25)
#define SIZE_LN (-0.15)
#define TAU (-0.5)
#define OFTEN_LN (-0.3)
#define BEGUN 0.1 /* of its use was lost: so the slope's first day */
#define SINCE_D 40

static const unsigned windows[] = { 9, MONTHS_MOST };
static const int32_t backs_d[DRIFT_CHANGES] = { 140, 224 };

struct months {
    unsigned count;
    size_t from[MONTHS_MOST], to[MONTHS_MOST]; /* days */
    double at[MONTHS_MOST], use[MONTHS_MOST], size[MONTHS_MOST], often[MONTHS_MOST];
};

static double median(double *v, unsigned n)
{
    double upper = home_nth(v, n, n / 2);

    return n % 2 ? upper : (upper + home_nth(v, n, n / 2 - 1)) / 2;
}

/* The median slope times the time from the first month to the last. */
static double fall(const struct months *m, const double *of, double *out_tau)
{
    double slopes[PAIRS];
    unsigned n = 0;
    int sum = 0;

    for (unsigned i = 0; i < m->count; i++)
        for (unsigned j = i + 1; j < m->count; j++) {
            slopes[n] = (of[j] - of[i]) / (m->at[j] - m->at[i]);
            sum += (slopes[n] > 0) - (slopes[n] < 0);
            n++;
        }
    *out_tau = (double)sum / n;
    return median(slopes, n) * (m->at[m->count - 1] - m->at[0]);
}

static size_t place_of(const struct home_days *h, int32_t day)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (h->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the days at home have as many hours with use as a month needs. */
static bool has_hours(const struct home_days *h, size_t from, size_t to)
{
    unsigned hours = 0;

    for (size_t i = from; i < to && hours < MONTH_HOURS; i++)
        for (int hour = 0; hour < 24 && h->at_home[i]; hour++)
            hours += h->days[i].hour_ml[hour] > 0;
    return hours >= MONTH_HOURS;
}

/* Months of `most`, the last of which ends with `to_day`: what was used in them. */
static void take_months(const struct home_days *h, unsigned most, int32_t to_day, struct months *m)
{
    m->count = 0;
    for (unsigned k = most; k-- > 0;) {
        size_t from = place_of(h, to_day - (int32_t)(k + 1) * MONTH_D),
               to = place_of(h, to_day - (int32_t)k * MONTH_D);

        if (home_count(h, from, to) < MONTH_HOME_D || !has_hours(h, from, to))
            continue;
        m->from[m->count] = from;
        m->to[m->count] = to;
        m->at[m->count] = -(double)k;
        m->use[m->count++] = home_mean_ln(h, from, to);
    }
}

/* How large draws were in them, and how many hours had some: dearer, and asked only where use fell. */
static void take_sizes(const struct home_days *h, struct months *m)
{
    for (unsigned k = 0; k < m->count; k++) {
        struct hist hours = { 0 };

        for (size_t i = m->from[k]; i < m->to[k]; i++)
            if (h->at_home[i])
                hist_add(&hours, h, i);
        m->size[k] = hist_mean_ln(&hours, h->unit_ml);
        m->often[k] = log(hours.hours / (hours.hours + hours.idle));
    }
}

static bool is_falling(const struct home_days *h, unsigned most, int32_t to_day, struct drift *out)
{
    struct months m;
    double tau;

    take_months(h, most, to_day, &m);
    if (m.count < MONTHS_LEAST)
        return false;
    out->months = (unsigned)(m.at[m.count - 1] - m.at[0]) + 1;
    out->use_ln = fall(&m, m.use, &out->use_tau);
    if (out->use_ln >= USE_LN || out->use_tau > TAU)
        return false;
    take_sizes(h, &m);
    out->size_ln = fall(&m, m.size, &out->size_tau);
    out->often_ln = fall(&m, m.often, &tau);
    out->day = to_day + (int32_t)((m.at[0] + (m.at[m.count - 1] - m.at[0]) *
                                                 fmin(1, log(1 - BEGUN) / out->use_ln)) *
                                  MONTH_D);
    return out->size_ln < SIZE_LN && out->size_tau <= TAU && out->often_ln > OFTEN_LN;
}

/* The last weeks against what lies well before them, by two ways to part the year. */
static void compare(const struct home_days *h, int32_t to_day, const struct draws_bounds *bounds,
                    struct drift *out)
{
    for (unsigned i = 0; i < DRIFT_CHANGES; i++) {
        size_t at = place_of(h, to_day - backs_d[i]), since = place_of(h, to_day - SINCE_D);

        if (at < since && since < h->count &&
            draws_between(h, at, since, bounds, &out->changes[out->change_count]))
            out->change_count++;
    }
}

bool drift_find(const struct judge_place *p, const struct day_span *days,
                const struct draws_bounds *bounds, struct drift *out)
{
    const struct home_days *h = home_days(p, days);

    memset(out, 0, sizeof *out);
    if (!h)
        return false;
    for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; i++)
        if (is_falling(h, windows[i], days->to_day, out)) {
            compare(h, days->to_day, bounds, out);
            return out->change_count > 0;
        }
    return false;
}
