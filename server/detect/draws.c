#include "server/detect/draws.h"
#include "server/detect/detect_priv.h"

#include <limits.h>
#include <math.h>

#include <string.h>

#define LEAST_BEFORE_D 40 /* days with people at home */
#define LEAST_AFTER_D 14
#define SOONEST_D 20 /* calendar days before the last: a change that is younger is a guess */
#define LONGEST_D 110
#define HOME_SHARE 0.08 /* of a usual day: less is used where nobody is at home */
#define LATELY_D                                                                                   \
    45 /* what is usual of late may be less by far: the upper quarter of so many days tells it, unless hardly anybody was at home */
#define FEW_PULSES                                                                                 \
    8 /* a usual day has fewer: then the week about it is looked at, for single days are mostly chance */
#define UPPER_QUARTER_SHARE 0.75 /* a usual day ÷ one of the upper quarter */
#define EMPTY_NEAR_D 15          /* a run without use belongs to a change that lies as near */
#define SETTLED_D 10 /* days with use between a change and a pause: then the change came first */
#define WEEKS 28

/* Eighths of octaves above a unit, which is a pulse of 1 L and more, or what Q3 gives in an hour divided by 4 096; [0] none, [1] below it. */
#define BINS 96
#define OCTAVES 4096
#define LARGE_LPH 10000 /* a Q3 above which single litres tell nothing */
#define WATERING_H 3    /* a garden is watered within so many hours of the day */
#define SIZES 40
#define SIZE_MOST_LN 0.4
#define SIZE_STEP_LN 0.075
#define STRAY_SHARE 0.05 /* hours that nothing explains */

struct hist {
    double at[BINS], hours, idle;
    double ml[24], known[24]; /* by hour of the day */
    double days,
        floor_ml; /* days of which most hours are known; the sum of the least hours of these */
};

struct home_days {
    const struct day_use *days;
    size_t count;
    bool at_home[DAYS_MOST],
        empty[DAYS_MOST]; /* neither: a holiday, or too little is known of it */
    double ln[DAYS_MOST]; /* of its use */
    double unit_ml, pulse_ml;
};

static uint32_t float_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Exponent and three bits of the fraction. */
static unsigned bin_of(double unit_ml, double ml)
{
    float x = (float)(ml / unit_ml);
    int bin;

    if (!(ml > 0))
        return 0;
    if (!(x >= 1))
        return 1;
    bin = (int)(float_bits(x) >> 20) - (127 << 3) + 1;
    return bin >= BINS ? BINS - 1 : (unsigned)bin;
}

static double bin_ml(double unit_ml, unsigned bin)
{
    return ldexp(1 + ((double)((bin - 1) & 7) + 0.5) / 8, (int)(bin - 1) >> 3) * unit_ml;
}

/* ---- days with people at home ---- */

/* The nth in order, from 0; moves the values about (C. A. R. Hoare's FIND). */
static double nth(double *v, size_t count, size_t n)
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

static double per_day(const struct day_use *d)
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
    int64_t from_s = p->pauses ? day_midnight_s(p->zone, day) : 0;

    return p->pauses && pauses_overlap(p->pauses, from_s, from_s + DAY_S) > 0;
}

static bool is_holiday(const struct holidays *h, int32_t day)
{
    for (size_t i = 0; h && i < h->count; i++)
        if (day >= h->spans[i].first_day && day <= h->spans[i].last_day)
            return true;
    return false;
}

/* What a usual day has: the median of days with use, or `q` of those from from_day on. 0: too few are known. */
static double usual_day(const struct day_span *days, int32_t from_day, double q, size_t least)
{
    double used[DAYS_MOST];
    size_t count = 0;

    for (size_t i = 0; i < days->count; i++)
        if (days->at[i].day >= from_day && day_is_whole(&days->at[i]) && days->at[i].used_ml > 0)
            used[count++] = per_day(&days->at[i]);
    if (count < least)
        return 0;
    return nth(used, count, (size_t)(q * (double)count));
}

static bool home_days(struct home_days *h, const struct judge_place *p, const struct day_span *days)
{
    double usual, lately, rest_ml;
    bool few;

    h->days = days->at;
    h->count = days->count;
    h->pulse_ml = p->meter->resolution_ml > 0 ? (double)p->meter->resolution_ml : 1;
    h->unit_ml = fmax(1000, h->pulse_ml);
    if (p->meter->q3_lph > LARGE_LPH)
        h->unit_ml = fmax(h->unit_ml, p->meter->q3_lph * 1000.0 / OCTAVES);
    if (days->count > DAYS_MOST ||
        (usual = usual_day(days, INT32_MIN, 0.5, LEAST_BEFORE_D + LEAST_AFTER_D)) <= 0)
        return false;
    lately = UPPER_QUARTER_SHARE * usual_day(days, days->to_day - LATELY_D, 0.75, 8);
    few = usual < FEW_PULSES * h->pulse_ml;
    rest_ml = few ? h->pulse_ml / 7 : h->pulse_ml; /* what may be under way to the next pulse */
    for (size_t i = 0; i < days->count; i++) {
        const struct day_use *d = &days->at[i];
        double u = few ? per_day_of_week(days, i) : per_day(d),
               lower = lately < usual && d->day >= days->to_day - LONGEST_D ? lately : usual;
        bool known = day_is_whole(d) && !is_holiday(p->holidays, d->day) && !is_paused(p, d->day);

        h->at_home[i] = known && u > HOME_SHARE * lower;
        h->empty[i] = known && !h->at_home[i];
        h->ln[i] = h->at_home[i] ? log(u + rest_ml) : 0;
    }
    return true;
}

static unsigned home_count(const struct home_days *h, size_t from, size_t to)
{
    unsigned n = 0;

    for (size_t i = from; i < to; i++)
        n += h->at_home[i];
    return n;
}

static double home_mean_ln(const struct home_days *h, size_t from, size_t to)
{
    double sum = 0;
    unsigned n = home_count(h, from, to);

    for (size_t i = from; i < to; i++)
        sum += h->ln[i];
    return n ? sum / n : NAN;
}

/* The day at which the means before and after lie furthest apart, in standard errors. */
static size_t find_change(const struct home_days *h, int sign, int32_t to_day)
{
    double all = 0, squares = 0, before = 0, best = 0;
    unsigned n = 0, before_n = 0;
    size_t at = h->count;

    for (size_t i = 0; i < h->count; i++) {
        n += h->at_home[i];
        all += h->ln[i];
        squares += h->ln[i] * h->ln[i];
    }
    for (size_t i = 0; i < h->count; i++) {
        int32_t back = to_day - h->days[i].day;
        unsigned after_n = n - before_n;

        if (back >= SOONEST_D && back <= LONGEST_D && before_n >= LEAST_BEFORE_D &&
            after_n >= LEAST_AFTER_D) {
            double m1 = before / before_n, m2 = (all - before) / after_n;
            double rest = squares - before_n * m1 * m1 - after_n * m2 * m2;
            double t = sign * (m2 - m1) /
                       sqrt(fmax(rest, 1e-6) / (n - 2) * (1.0 / before_n + 1.0 / after_n));

            if (t > best) {
                best = t;
                at = i;
            }
        }
        before_n += h->at_home[i];
        before += h->ln[i];
    }
    return at;
}

/* ---- sizes of draws ---- */

static void count_hours(const struct home_days *h, size_t i, struct hist *out)
{
    unsigned known = 0;
    int32_t least = INT32_MAX;

    for (int hour = 0; hour < 24; hour++) {
        int32_t ml = h->days[i].hour_ml[hour];

        if (ml == HOUR_UNKNOWN)
            continue;
        known++;
        if (ml < least)
            least = ml;
        out->ml[hour] += ml;
        out->known[hour]++;
        out->idle += ml == 0;
        out->hours += ml > 0;
        out->at[bin_of(h->unit_ml, ml)] += ml > 0;
    }
    out->days += known >= 20;
    out->floor_ml += known >= 20 ? least : 0;
}

/* Use outside of the few hours of the day that lost (sign −1) or gained most: later ÷ earlier. */
static double elsewhere_ln(const struct hist *before, const struct hist *after, int sign)
{
    double moved[24], was = 0, is = 0, most = -INFINITY;
    int at = 0;

    for (int g = 0; g < 24; g++)
        moved[g] = sign * (after->ml[g] / (after->known[g] + 1e-9) -
                           before->ml[g] / (before->known[g] + 1e-9));
    for (int g = 0; g < 24; g++) {
        double sum = 0;

        for (int j = 0; j < WATERING_H; j++)
            sum += moved[(g + j) % 24];
        if (sum > most) {
            most = sum;
            at = g;
        }
    }
    for (int g = 0; g < 24; g++) {
        if ((g - at + 24) % 24 < WATERING_H)
            continue;
        was += before->ml[g] / (before->known[g] + 1e-9);
        is += after->ml[g] / (after->known[g] + 1e-9);
    }
    return log((is + 1) / (was + 1));
}

/* What `r` would have been with all draws scaled: of a use of v pulses the register shows the pulses below or above v, in the proportion
 * that its phase, which is even, gives. */
static void scaled(const struct home_days *h, const struct hist *r, double size_ln,
                   struct hist *out)
{
    double pulse = h->pulse_ml, size = exp(size_ln);

    memset(out, 0, sizeof *out);
    for (unsigned bin = 1; bin < BINS; bin++) {
        double middle = bin_ml(h->unit_ml, bin), low, high;

        if (r->at[bin] <= 0)
            continue;
        if (middle < 40 * pulse) /* no other values are shown */
            middle = middle < 1.5 * pulse ? pulse : pulse * floor(middle / pulse + 0.5);
        low = fmax(middle - 0.5 * pulse, 0.95 * middle);
        high = fmin(middle + 0.5 * pulse, 1.05 * middle);
        for (int j = 0; j < 3; j++) {
            double v = size * (low + (high - low) * (j + 0.5) / 3) / pulse, whole = floor(v),
                   share = r->at[bin] / 3;

            if (whole > 0)
                out->at[bin_of(h->unit_ml, whole * pulse)] += share * (1 - (v - whole));
            out->at[bin_of(h->unit_ml, (whole + 1) * pulse)] += share * (v - whole);
        }
    }
    for (unsigned bin = 1; bin < BINS; bin++)
        out->hours += out->at[bin];
}

static double log_likelihood(const struct hist *model, const struct hist *seen)
{
    double sum = 0;

    for (unsigned bin = 1; bin < BINS; bin++)
        if (seen->at[bin] > 0)
            sum += seen->at[bin] * log((1 - STRAY_SHARE) * model->at[bin] / (model->hours + 1e-9) +
                                       STRAY_SHARE / (BINS - 1));
    return sum;
}

/* The scale of the greatest likelihood; and how many of the scaled hours still show use. */
static double fit_size(const struct home_days *h, const struct hist *before,
                       const struct hist *after, double *out_odds, double *out_hours)
{
    struct hist model;
    double best = -INFINITY, best_ln = 0, same;

    scaled(h, before, 0, &model);
    same = log_likelihood(&model, after);
    for (int i = 0; i < SIZES; i++) {
        double ln = SIZE_MOST_LN - SIZE_STEP_LN * i, l;

        scaled(h, before, ln, &model);
        if ((l = log_likelihood(&model, after)) > best) {
            best = l;
            best_ln = ln;
            *out_hours = model.hours;
        }
    }
    for (int i = -1; i <= 1; i += 2) { /* a third of a step finer */
        double ln = best_ln + i * SIZE_STEP_LN / 3, l;

        scaled(h, before, ln, &model);
        if ((l = log_likelihood(&model, after)) > best) {
            best = l;
            best_ln = ln;
            *out_hours = model.hours;
            break;
        }
    }
    *out_odds = best - same;
    return best_ln;
}

static double quantile_ln(const struct home_days *h, const struct hist *of, double q)
{
    double sum = 0, want = q * of->hours;

    for (unsigned bin = 1; bin < BINS; bin++) {
        if (sum + of->at[bin] >= want)
            return log(bin_ml(h->unit_ml, bin)) +
                   0.087 * ((want - sum) / (of->at[bin] + 1e-9) - 0.5);
        sum += of->at[bin];
    }
    return 0;
}

/* ---- what lies around the change ---- */

/* The four weeks before that came nearest to what is used since. */
static double nearest_weeks_ln(const struct home_days *h, size_t at, int sign)
{
    double nearest = NAN;
    size_t to = at;

    while (to > 0) {
        size_t from = to;
        double mean;

        while (from > 0 && h->days[at].day - h->days[from - 1].day <=
                               h->days[at].day - h->days[to - 1].day + WEEKS - 1)
            from--;
        mean = home_mean_ln(h, from, to);
        if (home_count(h, from, to) >= 8 && (isnan(nearest) || sign * (mean - nearest) > 0))
            nearest = mean;
        to = from;
    }
    return nearest;
}

/* The longest run of days without use that ended or began about the change, before people were back for long. */
static unsigned empty_between(const struct home_days *h, size_t at)
{
    unsigned longest = 0, run = 0, settled = 0;
    size_t i = at;

    while (i > 0 && h->days[at].day - h->days[i - 1].day <= EMPTY_NEAR_D)
        i--;
    while (i > 0 && !h->at_home[i - 1]) /* it may have begun before */
        i--;
    for (; i < h->count && settled < SETTLED_D; i++) {
        run = h->empty[i] ? run + 1 : h->at_home[i] ? 0 : run;
        if (run > longest)
            longest = run;
        settled += i >= at && h->at_home[i];
    }
    return longest;
}

static double mean_mlpd(const struct home_days *h, size_t from, size_t to)
{
    double sum = 0;
    unsigned n = home_count(h, from, to);

    for (size_t i = from; i < to; i++)
        sum += h->at_home[i] ? per_day(&h->days[i]) : 0;
    return n ? sum / n : 0;
}

/* Whether it may be worth to look at the sizes of draws. */
static bool is_worth_it(const struct draws_change *c, const struct draws_bounds *b)
{
    return b->sign * c->volume_ln >= b->volume_ln && !(b->sign * c->apart_ln < b->apart_ln) &&
           c->after_days >= b->after_days && c->empty_days < b->empty_days;
}

/* Days before `at` against those from `since` on. */
static bool compare(const struct home_days *h, size_t at, size_t since,
                    const struct draws_bounds *bounds, struct draws_change *out)
{
    int sign = bounds->sign;
    struct hist before = { 0 }, quiet = { 0 }, after = { 0 };
    double lns[DAYS_MOST], limit, hours = 0, quiet_hours = 0;
    size_t n = 0;

    for (size_t i = 0; i < at; i++)
        if (h->at_home[i])
            lns[n++] = h->ln[i];
    *out = (struct draws_change){ .before_days = (unsigned)n,
                                  .after_days = home_count(h, since, h->count) };
    if (out->before_days < LEAST_BEFORE_D || out->after_days < LEAST_AFTER_D)
        return false;
    out->empty_days = empty_between(h, at);
    out->volume_ln = home_mean_ln(h, since, h->count) - home_mean_ln(h, 0, at);
    out->apart_ln = home_mean_ln(h, since, h->count) - nearest_weeks_ln(h, at, sign);
    if (!is_worth_it(out, bounds))
        return false;
    limit = nth(lns, n, sign < 0 ? n / 4 : n - 1 - n / 4); /* of more use: the busiest */
    for (size_t i = 0; i < h->count; i++) {
        if (!h->at_home[i] || (i >= at && i < since))
            continue;
        count_hours(h, i, i < at ? &before : &after);
        if (i < at && sign * (h->ln[i] - limit) >= 0)
            count_hours(h, i, &quiet);
    }
    out->day = h->days[at].day;
    out->before_mlpd = mean_mlpd(h, 0, at);
    out->after_mlpd = mean_mlpd(h, since, h->count);
    out->hours = after.hours;
    out->elsewhere_ln = elsewhere_ln(&before, &after, sign);
    out->floor_share =
        24 * (after.floor_ml / (after.days + 1e-9) - before.floor_ml / (before.days + 1e-9)) /
        (fabs(out->after_mlpd - out->before_mlpd) + 1);
    if (before.hours < 50 || quiet.hours < 20 ||
        after.hours < 20) /* no hours to compare, or hardly a pulse */
        return true;
    out->size_ln = fit_size(h, &before, &after, &out->size_odds, &hours);
    out->quiet_ln = fit_size(h, &quiet, &after, &out->quiet_odds, &quiet_hours);
    out->often_ln = log(after.hours / (after.hours + after.idle)) -
                    log(fmax(hours, 1) / (before.hours + before.idle));
    out->middle_ln = quantile_ln(h, &after, 0.5) - quantile_ln(h, &before, 0.5);
    out->large_ln = quantile_ln(h, &after, 0.85) - quantile_ln(h, &before, 0.85);
    return true;
}

bool draws_compare(const struct judge_place *p, const struct day_span *days,
                   const struct draws_bounds *bounds, struct draws_change *out)
{
    struct home_days h;
    size_t at;

    if (!home_days(&h, p, days) || (at = find_change(&h, bounds->sign, days->to_day)) == h.count)
        return false;
    return compare(&h, at, at, bounds, out);
}

bool draws_since(const struct judge_place *p, const struct day_span *days, int32_t day,
                 unsigned last, struct draws_change *out)
{
    static const struct draws_bounds any = { -1, -INFINITY, -INFINITY, 0, UINT_MAX };
    struct home_days h;
    size_t at = 0, since;

    if (!home_days(&h, p, days))
        return false;
    while (at < h.count && h.days[at].day < day)
        at++;
    since = at;
    while (since < h.count && h.days[since].day < days->to_day - (int32_t)last)
        since++;
    return since < h.count && compare(&h, at, since, &any, out);
}
