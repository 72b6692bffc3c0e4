#include "server/detect/detect_priv.h"
#include "server/detect/draws_priv.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define SOONEST_D 20    /* calendar days before the last: a change that is younger is a guess */
#define EMPTY_NEAR_D 15 /* a run without use belongs to a change that lies as near */
#define SETTLED_D 10    /* days with use between a change and a pause: then the change came first */
#define WEEKS 28
#define WATERING_H 3 /* a garden is watered within so many hours of the day */
#define SIZES 40
#define SIZE_MOST_LN 0.4
#define SIZE_STEP_LN 0.075
#define STRAY_SHARE 0.05 /* hours that nothing explains */
#define YEAR_D 365
#define SEASON_D                                                                                   \
    55 /* the last so many days, and those a year before: as far as a look reaches back */

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

void hist_add(struct hist *out, const struct home_days *h, size_t i)
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
        if (ml > 0 && ml <= h->faint_ml) {
            out->faint++;
            out->faint_ml += ml;
        }
    }
    out->days += known >= 20;
    out->floor_ml += known >= 20 ? least : 0;
}

double hist_mean_ln(const struct hist *h, double unit_ml)
{
    double sum = 0;

    for (unsigned bin = 1; bin < BINS; bin++)
        if (h->at[bin] > 0)
            sum += h->at[bin] * log(bin_ml(unit_ml, bin));
    return h->hours > 0 ? sum / h->hours : NAN;
}

/* How the share of hours with a trickle alone changed, and use in all other hours: later ÷ earlier. */
static void faint_change(const struct hist *before, const struct hist *after,
                         struct draws_change *out)
{
    double was_h = before->hours + before->idle, is_h = after->hours + after->idle, was = 0, is = 0;

    for (int g = 0; g < 24; g++) {
        was += before->ml[g];
        is += after->ml[g];
    }
    out->faint_share = before->faint / (was_h + 1e-9);
    out->faint_ln =
        log((after->faint + 0.5) / (is_h + 1)) - log((before->faint + 0.5) / (was_h + 1));
    out->rest_ln = log((is - after->faint_ml + 1) / (is_h + 1e-9)) -
                   log((was - before->faint_ml + 1) / (was_h + 1e-9));
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

/* Draws as they may have been, three to a bin, and how many of each. */
struct shades {
    size_t count;
    double ml[3 * BINS], share[3 * BINS];
};

static void shades_of(const struct home_days *h, const struct hist *r, struct shades *out)
{
    double pulse = h->pulse_ml;

    out->count = 0;
    for (unsigned bin = 1; bin < BINS; bin++) {
        double middle = bin_ml(h->unit_ml, bin), low, high;

        if (r->at[bin] <= 0)
            continue;
        if (middle < 40 * pulse) /* no other values are shown */
            middle = middle < 1.5 * pulse ? pulse : pulse * floor(middle / pulse + 0.5);
        low = fmax(middle - 0.5 * pulse, 0.95 * middle);
        high = fmin(middle + 0.5 * pulse, 1.05 * middle);
        for (int j = 0; j < 3; j++) {
            out->ml[out->count] = low + (high - low) * (j + 0.5) / 3;
            out->share[out->count++] = r->at[bin] / 3;
        }
    }
}

/* Hours with use, as in struct hist. */
struct model {
    double at[BINS], hours;
};

/* What they would have shown with all draws scaled: of a use of v pulses the register shows the pulses below or above v, in the proportion
 * that its phase, which is even, gives. */
static void scaled(const struct home_days *h, const struct shades *s, double size_ln,
                   struct model *out)
{
    double pulse = h->pulse_ml, size = exp(size_ln);

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < s->count; i++) {
        double v = size * s->ml[i] / pulse, whole = (double)(int64_t)v;

        if (whole > 0)
            out->at[bin_of(h->unit_ml, whole * pulse)] += s->share[i] * (1 - (v - whole));
        out->at[bin_of(h->unit_ml, (whole + 1) * pulse)] += s->share[i] * (v - whole);
    }
    for (unsigned bin = 1; bin < BINS; bin++)
        out->hours += out->at[bin];
}

/* Each bin makes it less likely: below `least` already, what it comes to in the end does not matter. */
static double log_likelihood(const struct model *model, const struct hist *seen, double least)
{
    double sum = 0;

    for (unsigned bin = 1; bin < BINS && sum >= least; bin++)
        if (seen->at[bin] > 0)
            sum += seen->at[bin] * log((1 - STRAY_SHARE) * model->at[bin] / (model->hours + 1e-9) +
                                       STRAY_SHARE / (BINS - 1));
    return sum;
}

/* The scale of the greatest likelihood; and how many of the scaled hours still show use. */
static double fit_size(const struct home_days *h, const struct hist *before,
                       const struct hist *after, double *out_odds, double *out_hours)
{
    struct shades shades;
    struct model model;
    double best = -INFINITY, best_ln = 0, same;

    shades_of(h, before, &shades);
    scaled(h, &shades, 0, &model);
    same = log_likelihood(&model, after, -INFINITY);
    for (int i = 0; i < SIZES; i++) {
        double ln = SIZE_MOST_LN - SIZE_STEP_LN * i, l;

        scaled(h, &shades, ln, &model);
        if ((l = log_likelihood(&model, after, best)) > best) {
            best = l;
            best_ln = ln;
            *out_hours = model.hours;
        }
    }
    for (int i = -1; i <= 1; i += 2) { /* a third of a step finer */
        double ln = best_ln + i * SIZE_STEP_LN / 3, l;

        scaled(h, &shades, ln, &model);
        if ((l = log_likelihood(&model, after, best)) > best) {
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
        sum += h->at_home[i] ? home_per_day(&h->days[i]) : 0;
    return n ? sum / n : 0;
}

/* The last weeks against those a year before. */
static double season_ln(const struct home_days *h)
{
    int32_t last = h->count ? h->days[h->count - 1].day : 0;
    size_t from = 0, to, late = h->count;

    while (from < h->count && h->days[from].day <= last - YEAR_D - SEASON_D)
        from++;
    for (to = from; to < h->count && h->days[to].day <= last - YEAR_D; to++)
        ;
    while (late > 0 && h->days[late - 1].day > last - SEASON_D)
        late--;
    if (home_count(h, from, to) < LEAST_AFTER_D || home_count(h, late, h->count) < LEAST_AFTER_D)
        return NAN;
    return home_mean_ln(h, late, h->count) - home_mean_ln(h, from, to);
}

static double mean_peers_ln(const struct home_days *h, size_t from, size_t to)
{
    double sum = 0;

    for (size_t i = from; i < to; i++)
        sum += h->at_home[i] ? peers_ln(h->peers, h->days[i].day) : 0;
    return sum / home_count(h, from, to);
}

/* Whether it may be worth to look at the sizes of draws. */
static bool is_worth_it(const struct draws_change *c, const struct draws_bounds *b)
{
    return b->sign * c->volume_ln >= b->volume_ln && !(b->sign * c->apart_ln < b->apart_ln) &&
           c->after_days >= b->after_days && c->empty_days < b->empty_days;
}

/* Days before `at` against those from `since` on. */
bool draws_between(const struct home_days *h, size_t at, size_t since,
                   const struct draws_bounds *bounds, struct draws_change *out)
{
    int sign = bounds->sign;
    struct hist before = { 0 }, quiet = { 0 }, after = { 0 };
    double lns[DAYS_MOST], limit, hours = 0, quiet_hours = 0, after_ln;
    size_t n = 0;

    for (size_t i = 0; i < at; i++)
        if (h->at_home[i])
            lns[n++] = h->ln[i];
    *out = (struct draws_change){ .before_days = (unsigned)n,
                                  .after_days = home_count(h, since, h->count) };
    if (out->before_days < LEAST_BEFORE_D || out->after_days < LEAST_AFTER_D)
        return false;
    out->empty_days = empty_between(h, at);
    after_ln = home_mean_ln(h, since, h->count);
    out->volume_ln = after_ln - home_mean_ln(h, 0, at);
    out->apart_ln = after_ln - nearest_weeks_ln(h, at, sign);
    if (!is_worth_it(out, bounds))
        return false;
    out->season_ln = season_ln(h);
    out->peers_ln = h->peers ? mean_peers_ln(h, since, h->count) - mean_peers_ln(h, 0, at) : NAN;
    limit = home_nth(lns, n, sign < 0 ? n / 4 : n - 1 - n / 4); /* of more use: the busiest */
    for (size_t i = 0; i < h->count; i++) {
        if (!h->at_home[i] || (i >= at && i < since))
            continue;
        hist_add(i < at ? &before : &after, h, i);
        if (i < at && sign * (h->ln[i] - limit) >= 0)
            hist_add(&quiet, h, i);
    }
    out->day = h->days[at].day;
    out->before_mlpd = mean_mlpd(h, 0, at);
    out->after_mlpd = mean_mlpd(h, since, h->count);
    out->hours = after.hours;
    out->elsewhere_ln = elsewhere_ln(&before, &after, sign);
    faint_change(&before, &after, out);
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
    const struct home_days *h = home_days(p, days);
    size_t at;

    if (!h || (at = find_change(h, bounds->sign, days->to_day)) == h->count)
        return false;
    return draws_between(h, at, at, bounds, out);
}

bool draws_since(const struct judge_place *p, const struct day_span *days, int32_t day,
                 unsigned last, struct draws_change *out)
{
    static const struct draws_bounds any = { -1, -INFINITY, -INFINITY, 0, UINT_MAX };
    const struct home_days *h = home_days(p, days);
    size_t at = 0, since;

    if (!h)
        return false;
    while (at < h->count && h->days[at].day < day)
        at++;
    since = at;
    while (since < h->count && h->days[since].day < days->to_day - (int32_t)last)
        since++;
    return since < h->count && draws_between(h, at, since, &any, out);
}
