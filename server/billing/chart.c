#include "server/billing/chart.h"

#include "server/billing/agree.h"

#include <stdlib.h>

#define DAY_S INT64_C(86400)

/* ---- edges ---- */

static const int64_t widths[] = { 900,
                                  1800,
                                  3600,
                                  7200,
                                  3 * 3600,
                                  6 * 3600,
                                  12 * 3600,
                                  DAY_S,
                                  2 * DAY_S,
                                  7 * DAY_S,
                                  14 * DAY_S,
                                  30 * DAY_S,
                                  91 * DAY_S,
                                  182 * DAY_S,
                                  365 * DAY_S,
                                  5 * 365 * DAY_S,
                                  20 * 365 * DAY_S };
_Static_assert((CHART_POINTS_LEAST - 1) * (20 * 365 * DAY_S) > INT64_C(1) << 32,
               "the widest cover every span with the fewest points");

/* A day of summer time's end has 25 hours: noon of so many days later lies within that day. */
static int64_t days_on(const struct zone *zone, int64_t day_s, int64_t days)
{
    return zone_day_start(zone, day_s + days * DAY_S + DAY_S / 2);
}

static void lay_days(const struct zone *zone, int64_t from_s, int64_t to_s, size_t most,
                     struct chart_edges *out)
{
    int64_t at_s = zone_day_start(zone, from_s);

    for (out->at[0] = at_s; at_s < to_s && out->count < most; out->at[++out->count] = at_s)
        at_s = days_on(zone, at_s, out->width_s / DAY_S);
}

static void lay_hours(const struct zone *zone, int64_t from_s, int64_t to_s, size_t most,
                      struct chart_edges *out)
{
    int64_t day_s = zone_day_start(zone, from_s);
    int64_t at_s = day_s + (from_s - day_s) / out->width_s * out->width_s;

    for (out->at[0] = at_s; at_s < to_s && out->count < most; out->at[++out->count] = at_s)
        at_s += out->width_s;
}

void chart_lay(const struct zone *zone, int64_t from_s, int64_t to_s, int64_t least_s,
               size_t points, struct chart_edges *out)
{
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        out->width_s = widths[i];
        out->count = 0;
        if (widths[i] < least_s && i + 1 < sizeof widths / sizeof widths[0])
            continue;
        if (widths[i] < DAY_S)
            lay_hours(zone, from_s, to_s, points, out);
        else
            lay_days(zone, from_s, to_s, points, out);
        if (out->at[out->count] >= to_s)
            return;
    }
}

/* ---- the usual step ---- */

static int by_size(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

    return (a > b) - (a < b);
}

enum err chart_step(const struct rows *rows, const enum rule *rules, int64_t from_s, int64_t to_s,
                    int64_t *out_s)
{
    uint32_t *steps, before_s = 0;
    size_t count = 0;
    bool any = false;

    *out_s = 0;
    if (!rows->count)
        return ERR_OK;
    if (!(steps = (uint32_t *)malloc(rows->count * sizeof *steps)))
        return ERR_NO_MEMORY;
    for (size_t i = rows_from(rows, from_s); i < rows->count && rows->at[i].time_s < to_s; i++) {
        if (rules[i])
            continue;
        if (any && rows->at[i].time_s > before_s)
            steps[count++] = rows->at[i].time_s - before_s;
        before_s = rows->at[i].time_s;
        any = true;
    }
    qsort(steps, count, sizeof *steps, by_size);
    if (count)
        *out_s = steps[count / 2];
    free(steps);
    return ERR_OK;
}

/* ---- what the dial showed ---- */

static size_t bucket_of(const struct chart_edges *e, int64_t at_s)
{
    size_t low = 0, high = e->count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (e->at[middle] <= at_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void take_reading(struct chart_bucket *b, int64_t value)
{
    if (!b->count++)
        b->first = b->least = b->greatest = value;
    b->least = value < b->least ? value : b->least;
    b->greatest = value > b->greatest ? value : b->greatest;
    b->last = value;
}

static void take_suspect(struct chart_bucket *b, const struct rows *rows, size_t i)
{
    if (!b->suspects++)
        b->suspect_least = b->suspect_greatest = i;
    if (rows->at[i].value < rows->at[b->suspect_least].value)
        b->suspect_least = i;
    if (rows->at[i].value > rows->at[b->suspect_greatest].value)
        b->suspect_greatest = i;
}

static void take_rows(const struct rows *rows, const enum rule *rules, const struct chart_edges *e,
                      int64_t from_s, int64_t to_s, struct chart *c)
{
    for (size_t i = rows_from(rows, from_s); i < rows->count && rows->at[i].time_s < to_s; i++) {
        struct chart_bucket *b = &c->buckets[bucket_of(e, rows->at[i].time_s)];

        if (rules[i])
            take_suspect(b, rows, i);
        else
            take_reading(b, rows->at[i].value);
    }
}

/* ---- what was used ---- */

struct used {
    const struct chart_edges *edges;
    int64_t from_s, to_s, gap_s;
    struct chart *chart;
};

static void add_ml(int64_t *sum_ml, int64_t more_ml)
{
    *sum_ml = volume_clamped((__int128)*sum_ml + more_ml);
}

/* As counted at an instant between two steps, from the first one on. */
static int64_t counted_at(const struct step *x, const struct step *y, int64_t at_s)
{
    int64_t length_s = y->at_s - x->at_s;

    if (at_s >= y->at_s)
        return y->counted_ml - x->counted_ml;
    if (at_s <= x->at_s)
        return 0;
    return (int64_t)((__int128)(y->counted_ml - x->counted_ml) * (at_s - x->at_s) / length_s);
}

static void take_flow(struct chart_bucket *b, int64_t flow_mlph)
{
    if (!b->has_flow || flow_mlph < b->flow_least_mlph)
        b->flow_least_mlph = flow_mlph;
    if (!b->has_flow || flow_mlph > b->flow_most_mlph)
        b->flow_most_mlph = flow_mlph;
    b->has_flow = true;
}

static enum err take_gap(struct chart *c, struct chart_gap gap)
{
    if (c->gap_count == c->gap_cap) {
        size_t cap = c->gap_cap ? 2 * c->gap_cap : 16;
        struct chart_gap *more = (struct chart_gap *)realloc(c->gaps, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        c->gaps = more;
        c->gap_cap = cap;
    }
    c->gaps[c->gap_count++] = gap;
    return ERR_OK;
}

/* What was used at once: an index that a meter was put on or taken off with stands beside a reading of the same instant. */
static void take_instant(const struct used *u, const struct step *x, const struct step *y)
{
    struct chart_bucket *b = &u->chart->buckets[bucket_of(u->edges, y->at_s)];

    if (y->at_s < u->from_s || y->at_s >= u->to_s)
        return;
    b->flows = true;
    add_ml(&b->use_ml, y->counted_ml - x->counted_ml);
    add_ml(&u->chart->moved_ml, y->counted_ml - x->counted_ml);
}

static void spread_step(const struct used *u, const struct step *x, const struct step *y,
                        int64_t from_s, int64_t to_s)
{
    int64_t flow_mlph =
        (int64_t)((__int128)(y->counted_ml - x->counted_ml) * 3600 / (y->at_s - x->at_s));
    int64_t before_ml = counted_at(x, y, from_s);

    for (size_t n = bucket_of(u->edges, from_s); n < u->edges->count; n++) {
        struct chart_bucket *b = &u->chart->buckets[n];
        int64_t end_s = u->edges->at[n + 1] < to_s ? u->edges->at[n + 1] : to_s;
        int64_t ml = counted_at(x, y, end_s);

        b->flows = true;
        add_ml(&b->use_ml, ml - before_ml);
        take_flow(b, flow_mlph);
        before_ml = ml;
        if (end_s == to_s)
            return;
    }
}

static enum err take_step(const struct used *u, const struct step *x, const struct step *y)
{
    int64_t from_s = x->at_s > u->from_s ? x->at_s : u->from_s;
    int64_t to_s = y->at_s < u->to_s ? y->at_s : u->to_s;
    int64_t use_ml;

    if (x->at_s >= y->at_s) {
        take_instant(u, x, y);
        return ERR_OK;
    }
    if (from_s >= to_s)
        return ERR_OK;
    use_ml = counted_at(x, y, to_s) - counted_at(x, y, from_s);
    add_ml(&u->chart->moved_ml, use_ml);
    if (y->at_s - x->at_s > u->gap_s)
        return take_gap(u->chart, (struct chart_gap){ from_s, to_s, use_ml });
    spread_step(u, x, y, from_s, to_s);
    return ERR_OK;
}

static enum err take_line(const struct used *u, const struct register_line *line)
{
    enum err err = ERR_OK;

    for (size_t i = 1; i < line->count && !err; i++)
        if (line->steps[i].at_s >= u->from_s && line->steps[i - 1].at_s < u->to_s)
            err = take_step(u, &line->steps[i - 1], &line->steps[i]);
    return err;
}

enum err chart_make(const struct rows *rows, const enum rule *rules,
                    const struct register_line *lines, size_t line_count,
                    const struct chart_edges *edges, int64_t from_s, int64_t to_s, int64_t gap_s,
                    struct chart *out)
{
    struct used u = { edges, from_s, to_s, gap_s, out };
    enum err err = ERR_OK;

    *out = (struct chart){ 0 };
    out->buckets = (struct chart_bucket *)calloc(edges->count, sizeof *out->buckets);
    if (!out->buckets)
        return ERR_NO_MEMORY;
    take_rows(rows, rules, edges, from_s, to_s, out);
    for (size_t i = 0; i < line_count && !err; i++)
        err = take_line(&u, &lines[i]);
    if (err)
        chart_done(out);
    return err;
}

void chart_done(struct chart *c)
{
    free(c->buckets);
    free(c->gaps);
    *c = (struct chart){ 0 };
}
