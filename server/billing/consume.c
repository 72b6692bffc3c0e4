/* Consumption (rules-bills C and D).  Three stories: the register of a fitting at an instant, in
 * shape.c; the parts that a span is cut into; the spans of an answer. */
#include "server/billing/consume.h"

#include <stdlib.h>

#include "server/billing/agree.h"
#include "server/billing/shape.h"

#define CUBIC_METRE_ML 1000000

const char *quality_name(enum quality q)
{
    static const char *const names[] = { "actual", "edited", "estimated", "missing" };

    return names[q];
}

const char *method_name(enum method m)
{
    static const char *const names[] = { NULL,       "read",    "interpolated",
                                         "like-day", "profile", "re-based" };

    return names[m];
}

const char *part_kind_name(enum part_kind k)
{
    static const char *const names[] = { "metered", "re-based", "no meter" };

    return names[k];
}

/* ---- parts ---------------------------------------------------------------------------------- */

struct answer {
    struct consumption c;
    size_t part_cap;
    struct shape_rules rules;
    struct fitting_line *lines; /* of the fittings that overlap the whole span, by time */
    size_t line_count;
    size_t first; /* lines before it lie before the row at hand */
};

static enum err part_push(struct answer *a, struct part part)
{
    if (a->c.part_count == a->part_cap) {
        size_t cap = a->part_cap ? 2 * a->part_cap : 8;
        struct part *parts = realloc(a->c.parts, cap * sizeof(*parts));

        if (!parts)
            return ERR_NO_MEMORY;
        a->c.parts = parts;
        a->part_cap = cap;
    }
    a->c.parts[a->c.part_count++] = part;
    return ERR_OK;
}

static enum err part_no_meter(struct answer *a, int64_t from_s, int64_t to_s)
{
    return part_push(a, (struct part){ .kind = PART_NO_METER,
                                       .from_s = from_s,
                                       .to_s = to_s,
                                       .known = true,
                                       .quality = QUALITY_ACTUAL });
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* C7: what the dial shows. */
static int64_t dial(const struct fitting_line *l, int64_t register_ml)
{
    int64_t modulus = l->modulus;

    return modulus > 0 ? register_ml - floor_div(register_ml, modulus) * modulus : register_ml;
}

static int64_t rolled(const struct fitting_line *l, int64_t register_ml)
{
    return l->modulus > 0 ? floor_div(register_ml, l->modulus) : 0;
}

/* D3 to D5, within one fitting and between its re-bases. */
static enum err part_metered(struct answer *a, struct fitting_line *l, int64_t from_s, int64_t to_s)
{
    struct register_at start = register_at(l, &a->rules, from_s);
    struct register_at end = register_at(l, &a->rules, to_s);
    struct part p = { .kind = PART_METERED, .from_s = from_s, .to_s = to_s, .serial = l->serial };

    p.quality = start.quality > end.quality ? start.quality : end.quality;
    if (p.quality == QUALITY_MISSING)
        return part_push(a, p);
    p.known = true;
    p.method = start.method > end.method ? start.method : end.method;
    p.start_ml = dial(l, start.register_ml);
    p.end_ml = dial(l, end.register_ml);
    p.consumption_ml = volume_clamped((__int128)end.register_ml - start.register_ml);
    p.rollovers = (int32_t)(rolled(l, end.register_ml) - rolled(l, start.register_ml));
    a->c.billed_m3 +=
        floor_div(end.register_ml, CUBIC_METRE_ML) - floor_div(start.register_ml, CUBIC_METRE_ML);
    return part_push(a, p);
}

/* The step that ends at `n`, cut by the span; its indices are those of the readings, not of the
 * cuts. */
static enum err part_rebased(struct answer *a, const struct fitting_line *l, const struct step *n,
                             int64_t from_s, int64_t to_s)
{
    return part_push(a, (struct part){ .kind = PART_REBASED,
                                       .from_s = from_s,
                                       .to_s = to_s,
                                       .serial = l->serial,
                                       .start_ml = dial(l, n[-1].dial_ml),
                                       .end_ml = dial(l, n->dial_ml),
                                       .known = true,
                                       .quality = QUALITY_ESTIMATED,
                                       .method = METHOD_REBASED });
}

static enum err parts_of_fitting(struct answer *a, struct fitting_line *l, int64_t from_s,
                                 int64_t to_s)
{
    enum err err = ERR_OK;

    for (size_t i = rebase_after(l, from_s); !err && i < l->rebase_count && from_s < to_s; i++) {
        const struct step *n = &l->line.steps[l->rebases[i]];
        int64_t begin_s = n[-1].at_s, end_s = n->at_s < to_s ? n->at_s : to_s;

        if (begin_s >= to_s)
            break;
        if (begin_s > from_s) {
            err = part_metered(a, l, from_s, begin_s);
            from_s = begin_s;
        }
        if (!err)
            err = part_rebased(a, l, n, from_s, end_s);
        from_s = end_s;
    }
    if (!err && from_s < to_s)
        err = part_metered(a, l, from_s, to_s);
    return err;
}

/* D2: parts without holes. */
static enum err parts_list(struct answer *a, int64_t from_s, int64_t to_s)
{
    enum err err = ERR_OK;

    while (a->first < a->line_count && a->lines[a->first].to_s <= from_s)
        a->first++;
    for (size_t i = a->first; !err && i < a->line_count && a->lines[i].from_s < to_s; i++) {
        struct fitting_line *l = &a->lines[i];
        int64_t end_s = l->to_s < to_s ? l->to_s : to_s;

        if (end_s <= from_s)
            continue;
        if (l->from_s > from_s) {
            err = part_no_meter(a, from_s, l->from_s);
            from_s = l->from_s;
        }
        if (!err)
            err = parts_of_fitting(a, l, from_s, end_s);
        from_s = end_s;
    }
    if (!err && from_s < to_s)
        err = part_no_meter(a, from_s, to_s);
    return err;
}

/* ---- answers -------------------------------------------------------------------------------- */

static enum err answer_row(struct answer *a, int64_t from_s, int64_t to_s)
{
    enum err err;

    a->c =
        (struct consumption){ .from_s = from_s, .to_s = to_s, .known = true, .parts = a->c.parts };
    err = parts_list(a, from_s, to_s);
    for (size_t i = 0; !err && i < a->c.part_count; i++) {
        const struct part *p = &a->c.parts[i];

        a->c.known &= p->known;
        a->c.consumption_ml = volume_clamped((__int128)a->c.consumption_ml + p->consumption_ml);
        a->c.quality = p->quality > a->c.quality ? p->quality : a->c.quality;
        a->c.method = p->method > a->c.method ? p->method : a->c.method;
    }
    if (!a->c.known) {
        a->c.consumption_ml = a->c.billed_m3 = 0;
        a->c.method = METHOD_NONE;
    }
    return err;
}

static int64_t row_end(enum consume_step step, const struct zone *zone, int64_t from_s)
{
    switch (step) {
    case STEP_HOUR:
        return zone_hour_next(zone, from_s);
    case STEP_DAY:
        return zone_day_next(zone, from_s);
    case STEP_MONTH:
        return zone_month_next(zone, from_s);
    case STEP_NONE:
        break;
    }
    return INT64_MAX;
}

static enum err lines_make(struct answer *a, const struct consume_fitting *fittings, size_t count,
                           int64_t from_s, int64_t to_s)
{
    a->lines = calloc(count ? count : 1, sizeof(*a->lines));
    if (!a->lines)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct fitting *f = &fittings[i].fitting;
        enum err err;

        if (f->from_s >= to_s || f->to_s <= from_s)
            continue;
        err = fitting_line_make(&a->lines[a->line_count], &fittings[i]);
        if (err)
            return err;
        a->line_count++;
    }
    return ERR_OK;
}

static void answer_done(struct answer *a)
{
    for (size_t i = 0; i < a->line_count; i++)
        fitting_line_done(&a->lines[i]);
    free(a->lines);
    free(a->c.parts);
}

enum err consume(const struct consume_fitting *fittings, size_t count, int64_t from_s, int64_t to_s,
                 enum consume_step step, const struct zone *zone, int64_t now_s,
                 bool (*each)(void *arg, const struct consumption *c), void *arg)
{
    struct answer a = { .rules = { zone, now_s, step == STEP_HOUR } };
    enum err err = lines_make(&a, fittings, count, from_s, to_s);

    while (!err && (from_s < to_s || step == STEP_NONE)) {
        int64_t end_s = row_end(step, zone, from_s);

        if (end_s > to_s)
            end_s = to_s;
        err = answer_row(&a, from_s, end_s);
        if (err || !each(arg, &a.c) || step == STEP_NONE)
            break;
        from_s = end_s;
    }
    answer_done(&a);
    return err;
}
