/* Days with people at home: what draws.c and drift.c compare. */
#include "server/detect/detect_priv.h"
#include "server/detect/draws_priv.h"

#include <math.h>
#include <string.h>

#define HOME_SHARE 0.08 /* of a usual day: less is used where nobody is at home */
#define LATELY_D                                                                                   \
    45 /* what is usual of late may be less by far: the upper quarter of so many days tells it, unless hardly anybody was at home */
#define FEW_PULSES                                                                                 \
    8 /* a usual day has fewer: then the week about it is looked at, for single days are mostly chance */
#define UPPER_QUARTER_SHARE 0.75 /* a usual day ÷ one of the upper quarter */
#define OCTAVES 4096
#define FAINT_OF_Q3                                                                                \
    200 /* half of Q1 at R = 100: in an hour a flow that worn gear may no longer turn for */
#define LARGE_LPH 10000 /* a Q3 above which single litres tell nothing */

/* The nth in order, from 0; moves the values about (C. A. R. Hoare's FIND). */
double home_nth(double *v, size_t count, size_t n)
{
    size_t low = 0, high = count - 1;

    while (low < high) {
        double pivot = v[n], x;
        size_t i = low, j = high;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (pivot < v[j])
                j--;
            if (i <= j) {
                x = v[i];
                v[i++] = v[j];
                v[j] = x;
                if (j == 0)
                    break;
                j--;
            }
        }
        if (j < n)
            low = i;
        if (n < i)
            high = j;
    }
    return v[n];
}

double home_per_day(const struct day_use *d)
{
    return d->covered_s ? (double)d->used_ml * DAY_S / d->covered_s : 0;
}

/* The same over the week about it. */
static double per_day_of_week(const struct day_span *days, size_t i)
{
    double ml = 0, seconds = 0;
    size_t from = i;

    while (from > 0 && days->at[i].day - days->at[from - 1].day <= 3)
        from--;
    for (; from < days->count && days->at[from].day <= days->at[i].day + 3; from++) {
        ml += (double)days->at[from].used_ml;
        seconds += days->at[from].covered_s;
    }
    return seconds > 0 ? ml * DAY_S / seconds : 0;
}

static bool is_paused(const struct judge_place *p, int32_t day)
{
    int64_t from_s;

    if (!p->pauses || !p->pauses->count)
        return false;
    from_s = day_midnight_s(p->zone, day);
    return pauses_overlap(p->pauses, from_s, from_s + DAY_S) > 0;
}

/* Days on which people are elsewhere. */
static void mark_holidays(const struct holidays *h, const struct day_span *days, bool *out)
{
    int32_t first = days->count ? days->at[0].day : 0;

    memset(out, 0, days->count * sizeof *out);
    for (size_t n = 0; h && n < h->count; n++)
        if (h->spans[n].last_day >= first && h->spans[n].first_day < days->to_day)
            for (size_t i = 0; i < days->count; i++)
                out[i] |= days->at[i].day >= h->spans[n].first_day &&
                          days->at[i].day <= h->spans[n].last_day;
}

/* What a usual day has: the median of days with use, or `q` of those from from_day on. 0: too few are known. */
static double usual_day(const struct day_span *days, int32_t from_day, double q, size_t least)
{
    double used[DAYS_MOST];
    size_t count = 0;

    for (size_t i = 0; i < days->count; i++)
        if (days->at[i].day >= from_day && day_is_whole(&days->at[i]) && days->at[i].used_ml > 0)
            used[count++] = home_per_day(&days->at[i]);
    if (count < least)
        return 0;
    return home_nth(used, count, (size_t)(q * (double)count));
}

static bool take_days(struct home_days *h, const struct judge_place *p, const struct day_span *days)
{
    double usual, lately, rest_ml;
    bool few, holiday[DAYS_MOST];

    h->days = days->at;
    h->count = days->count;
    h->pulse_ml = p->meter->resolution_ml > 0 ? (double)p->meter->resolution_ml : 1;
    h->unit_ml = fmax(1000, h->pulse_ml);
    h->faint_ml = p->meter->q3_lph * 1000.0 / FAINT_OF_Q3;
    if (h->faint_ml < h->pulse_ml)
        h->faint_ml = 0;
    h->peers = p->peers;
    if (p->meter->q3_lph > LARGE_LPH)
        h->unit_ml = fmax(h->unit_ml, p->meter->q3_lph * 1000.0 / OCTAVES);
    if (days->count > DAYS_MOST ||
        (usual = usual_day(days, INT32_MIN, 0.5, LEAST_BEFORE_D + LEAST_AFTER_D)) <= 0)
        return false;
    lately = UPPER_QUARTER_SHARE * usual_day(days, days->to_day - LATELY_D, 0.75, 8);
    few = usual < FEW_PULSES * h->pulse_ml;
    rest_ml = few ? h->pulse_ml / 7 : h->pulse_ml; /* what may be under way to the next pulse */
    mark_holidays(p->holidays, days, holiday);
    for (size_t i = 0; i < days->count; i++) {
        const struct day_use *d = &days->at[i];
        double u = few ? per_day_of_week(days, i) : home_per_day(d),
               lower = lately < usual && d->day >= days->to_day - LONGEST_D ? lately : usual;
        bool known = day_is_whole(d) && !holiday[i] && !is_paused(p, d->day);

        h->at_home[i] = known && u > HOME_SHARE * lower;
        h->empty[i] = known && !h->at_home[i];
        h->ln[i] = h->at_home[i] ? log(u + rest_ml) - peers_ln(p->peers, d->day) : 0;
    }
    return true;
}

const struct home_days *home_days(const struct judge_place *p, const struct day_span *days)
{
    struct home_days *h = days->home;

    if (!h->asked) {
        h->known = take_days(h, p, days);
        h->asked = true;
    }
    return h->known ? h : NULL;
}

unsigned home_count(const struct home_days *h, size_t from, size_t to)
{
    unsigned n = 0;

    for (size_t i = from; i < to; i++)
        n += h->at_home[i];
    return n;
}

double home_mean_ln(const struct home_days *h, size_t from, size_t to)
{
    double sum = 0;
    unsigned n = home_count(h, from, to);

    for (size_t i = from; i < to; i++)
        sum += h->ln[i];
    return n ? sum / n : NAN;
}
