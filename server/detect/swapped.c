#include "server/detect/swapped_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_S 7200
#define FEATURES (SWAPPED_SLOTS + 2) /* and the volume of days of work and of weekends */
#define WEEKS_BACK 26                /* before and since, at most */
#define WEEKS_BEFORE 5
#define WEEKS_SINCE 3
#define HOLD 1
#define COVERED 0.6 /* of a week, for it to count */
#define PRIOR 8.0   /* homes' worth of the usual spread */
#define SPREAD_LEVEL                                                                               \
    0.6 /* squared: of the root of litres a day; and of the root of a slot's share */
#define SPREAD_SHARE 0.0006

const struct swapped_rules swapped_usual = { .least = 100, .part = 0.2, .margin = 15, .fit = 3.5 };

enum err swapped_new(int64_t from_s, unsigned weeks, unsigned meters, struct swapped **out)
{
    struct swapped *s;
    size_t cells = (size_t)weeks * meters;

    if (weeks < 1 || weeks > SWAPPED_WEEKS_MOST || meters < 1 || meters > SWAPPED_METERS_MOST)
        return ERR_LIMIT;
    if (!(s = (struct swapped *)calloc(1, sizeof *s)))
        return ERR_NO_MEMORY;
    *s = (struct swapped){ .from_s = from_s, .meters = meters, .weeks = weeks };
    s->litres = (double *)calloc(cells * SWAPPED_SLOTS, sizeof *s->litres);
    s->covered = (float *)calloc(cells, sizeof *s->covered);
    s->days = (struct swapped_day *)calloc(cells * 7, sizeof *s->days);
    if (!s->litres || !s->covered || !s->days) {
        swapped_free(s);
        return ERR_NO_MEMORY;
    }
    *out = s;
    return ERR_OK;
}

void swapped_free(struct swapped *s)
{
    if (!s)
        return;
    free(s->litres);
    free(s->covered);
    free(s->days);
    free(s);
}

/* ---- volumes by week and slot ---- */

static unsigned slot_of(int64_t second_of_week)
{
    return (unsigned)(second_of_week % 86400 / SLOT_S) + (second_of_week >= 5 * 86400 ? 12 : 0);
}

void swapped_take(struct swapped *s, unsigned meter, const struct judge_step *step)
{
    int64_t at_s = step->from_s, to_s = step->to_s;
    double rate = to_s > at_s ? (double)step->used_ml / 1000 / (double)(to_s - at_s) : 0;

    if (step->reverse || step->fall || to_s - at_s > 2 * 86400)
        return;
    if (at_s < s->from_s)
        at_s = s->from_s;
    while (at_s < to_s) {
        int64_t since_s = at_s - s->from_s, end_s = at_s + SLOT_S - since_s % SLOT_S,
                week = since_s / WEEK_S;
        size_t i = (size_t)meter * s->weeks + (size_t)week;

        if (week >= s->weeks)
            return;
        if (end_s > to_s)
            end_s = to_s;
        s->litres[i * SWAPPED_SLOTS + slot_of(since_s % WEEK_S)] += rate * (double)(end_s - at_s);
        s->covered[i] += (float)(end_s - at_s);
        idle_take(s, meter, since_s / 86400, rate * (double)(end_s - at_s), end_s - at_s);
        at_s = end_s;
    }
}

/* ---- a home's hand over some weeks ---- */

struct hand {
    double at[FEATURES];
    double lpd;
    unsigned weeks;
};

static void hand_of(const struct swapped *s, unsigned meter, unsigned from, unsigned until,
                    struct hand *out)
{
    double sum[SWAPPED_SLOTS] = { 0 }, work = 0, rest = 0;

    *out = (struct hand){ 0 };
    for (unsigned w = from; w < until; w++) {
        size_t i = (size_t)meter * s->weeks + w;

        if (s->covered[i] < COVERED * WEEK_S)
            continue;
        out->weeks++;
        for (unsigned k = 0; k < SWAPPED_SLOTS; k++)
            sum[k] += s->litres[i * SWAPPED_SLOTS + k] * WEEK_S / (double)s->covered[i];
    }
    if (!out->weeks)
        return;
    for (unsigned k = 0; k < SWAPPED_SLOTS; k++) {
        sum[k] = sum[k] > 0 ? sum[k] : 0;
        *(k < 12 ? &work : &rest) += sum[k];
    }
    out->lpd = (work + rest) / 7 / out->weeks;
    out->at[SWAPPED_SLOTS] = sqrt(work / 5 / out->weeks);
    out->at[SWAPPED_SLOTS + 1] = sqrt(rest / 2 / out->weeks);
    for (unsigned k = 0; k < SWAPPED_SLOTS; k++) {
        double all = k < 12 ? work : rest;

        out->at[k] = all > 0 ? sqrt(sum[k] / all) : 0;
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What the homes of this house move by themselves between the same weeks: the median's, which one swapped pair does not move. */
static void spreads_of(const struct hand *before, const struct hand *since, unsigned meters,
                       double out[FEATURES])
{
    double moved[SWAPPED_METERS_MOST];

    for (unsigned k = 0; k < FEATURES; k++) {
        double usual = k < SWAPPED_SLOTS ? SPREAD_SHARE : SPREAD_LEVEL, middle = usual;
        unsigned n = 0;

        for (unsigned m = 0; m < meters; m++) {
            double d = since[m].at[k] - before[m].at[k];

            if (before[m].weeks && since[m].weeks)
                moved[n++] = d * d;
        }
        if (n) {
            qsort(moved, n, sizeof *moved, by_size);
            middle = (moved[(n - 1) / 2] + moved[n / 2]) / 2 /
                     0.4549; /* the median of χ² with one degree */
        }
        out[k] = (n * middle + PRIOR * usual) / (n + PRIOR);
    }
}

static double apart(const struct hand *a, const struct hand *b, const double spreads[FEATURES])
{
    double sum = 0;

    for (unsigned k = 0; k < FEATURES; k++) {
        double d = a->at[k] - b->at[k];

        sum += d * d / spreads[k];
    }
    return sum;
}

/* ---- pairs ---- */

struct pair {
    unsigned first, second, week;
    double score, rival; /* rival: the best other pair with either of them */
};

struct look {
    const struct swapped *s;
    struct hand *before, *since;
    double spreads[FEATURES];
    unsigned own_from
        [SWAPPED_METERS_MOST]; /* since when a meter counts what it does: a swap before it is known */
};

/* How much better i's hand since then is j's before than its own; 0 where it is not j's either. */
static double part_of(const struct look *l, const struct swapped_rules *r, unsigned i, unsigned j)
{
    double crossed = apart(&l->since[i], &l->before[j], l->spreads);

    return crossed > r->fit * FEATURES
               ? 0
               : (apart(&l->since[i], &l->before[i], l->spreads) - crossed) / 2;
}

static void look_at_week(struct look *l, unsigned week, unsigned until)
{
    unsigned from = week > WEEKS_BACK ? week - WEEKS_BACK : 0;

    for (unsigned m = 0; m < l->s->meters; m++) {
        hand_of(l->s, m, from > l->own_from[m] ? from : l->own_from[m], week, &l->before[m]);
        hand_of(l->s, m, week, until, &l->since[m]);
    }
    spreads_of(l->before, l->since, l->s->meters, l->spreads);
}

static bool has_hands(const struct look *l, unsigned m)
{
    return l->before[m].weeks >= WEEKS_BEFORE && l->since[m].weeks >= WEEKS_SINCE;
}

static double score_of(const struct look *l, const struct swapped_rules *r, unsigned i, unsigned j)
{
    double a = part_of(l, r, i, j), b = a > 0 ? part_of(l, r, j, i) : 0;

    return b > 0 && a >= r->part * (a + b) && b >= r->part * (a + b) ? a + b : 0;
}

/* The best pair of this week, and what comes nearest to it among those that share a meter with it. */
static void best_pair(const struct look *l, const struct swapped_rules *r, unsigned week,
                      struct pair *best)
{
    unsigned n = l->s->meters;
    struct pair own = { .week = week };

    for (unsigned i = 0; i < n; i++)
        for (unsigned j = i + 1; j < n && has_hands(l, i); j++) {
            double score = has_hands(l, j) ? score_of(l, r, i, j) : 0;

            if (score > own.score)
                own = (struct pair){ i, j, week, score, 0 };
        }
    if (own.score <= best->score)
        return;
    for (unsigned k = 0; k < n; k++) {
        double a, b;

        if (k == own.first || k == own.second || !has_hands(l, k))
            continue;
        a = score_of(l, r, own.first, k);
        b = score_of(l, r, own.second, k);
        own.rival = fmax(own.rival, fmax(a, b));
    }
    *best = own;
}

static struct swapped_finding *standing(struct swapped_finding *list, size_t count,
                                        const struct pair *p)
{
    for (size_t i = count; i-- > 0;)
        if (!list[i].cleared_s && (list[i].first == p->first || list[i].second == p->first ||
                                   list[i].first == p->second || list[i].second == p->second))
            return &list[i];
    return NULL;
}

static int64_t week_s(const struct swapped *s, unsigned week)
{
    return s->from_s + (int64_t)week * WEEK_S;
}

static struct swapped_finding finding_of(struct look *l, const struct pair *p, unsigned week,
                                         int64_t told_s)
{
    look_at_week(l, p->week, week);
    return (struct swapped_finding){ .first = p->first,
                                     .second = p->second,
                                     .onset_s = week_s(l->s, p->week),
                                     .since_s = week_s(l->s, p->week),
                                     .raised_s = told_s,
                                     .score = p->score,
                                     .first_before_lpd = l->before[p->first].lpd,
                                     .first_after_lpd = l->since[p->first].lpd,
                                     .second_before_lpd = l->before[p->second].lpd,
                                     .second_after_lpd = l->since[p->second].lpd,
                                     .weeks_before = l->before[p->first].weeks,
                                     .weeks_after = l->since[p->first].weeks };
}

/* What is known of the meters from before. */
static void begin_from(struct look *l, const struct swapped_finding *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t weeks = (list[i].since_s - l->s->from_s + WEEK_S / 2) / WEEK_S;

        if (weeks > 0)
            l->own_from[list[i].first] = l->own_from[list[i].second] = (unsigned)weeks;
    }
}

static struct pair best_of_week(struct look *l, const struct swapped_rules *r, unsigned week)
{
    unsigned first = week > WEEKS_BACK + WEEKS_BEFORE ? week - WEEKS_BACK : WEEKS_BEFORE;
    struct pair best = { 0 };

    for (unsigned since = first; since + WEEKS_SINCE <= week; since++) {
        look_at_week(l, since, week);
        best_pair(l, r, since, &best);
    }
    return best;
}

/* Whether the pair is the best one for long enough. */
static bool holds(const struct swapped_rules *r, struct swapped_scan *scan, const struct pair *best)
{
    if (best->score < r->least || best->score - best->rival < r->margin) {
        scan->held = 0;
        return false;
    }
    scan->held = scan->held && best->first == scan->first && best->second == scan->second
                     ? scan->held + 1
                     : 1;
    scan->first = best->first;
    scan->second = best->second;
    return scan->held > HOLD;
}

enum err swapped_find(const struct swapped *s, const struct swapped_rules *r, int64_t until_s,
                      struct swapped_scan *scan, struct swapped_finding *out, size_t most,
                      size_t *out_count)
{
    struct look l = { .s = s };
    unsigned least = WEEKS_BEFORE + WEEKS_SINCE, week = scan->week < least ? least : scan->week + 1;

    if (!(l.before = (struct hand *)calloc(2 * (size_t)s->meters, sizeof *l.before)))
        return ERR_NO_MEMORY;
    l.since = l.before + s->meters;
    begin_from(&l, out, *out_count);
    for (; week <= s->weeks && week_s(s, week) <= until_s; week++) {
        int64_t told_s = week_s(s, week > scan->own_week ? week : scan->own_week);
        struct pair best = best_of_week(&l, r, week);
        struct swapped_finding *stands;

        scan->week = week;
        idle_find(s, week, told_s, out, most, out_count);
        if (!holds(r, scan, &best))
            continue;
        stands = standing(out, *out_count, &best);
        if (stands && stands->first == best.first && stands->second == best.second) {
            stands->cleared_s = told_s;
            stands->since_s = week_s(s, best.week);
        } else if (!stands && *out_count < most) {
            out[(*out_count)++] = finding_of(&l, &best, week, told_s);
        } else {
            continue;
        }
        l.own_from[best.first] = l.own_from[best.second] = best.week;
        scan->held = 0;
    }
    free(l.before);
    return ERR_OK;
}
