/* Consumption (rules-bills C and D).  Three stories: the register of a fitting at an instant, in
 * shape.c; the parts that a span is cut into; the spans of an answer. */
#include "server/billing/consume.h"

#include <stdlib.h>

#include "server/billing/agree.h"
#include "server/billing/consume_priv.h"

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

/* The row's next part, zeroed; NULL: no memory. */
static struct part *part_add(struct row_of_use *row)
{
    struct part *p;

    if (row->c.part_count == row->part_cap) {
        size_t cap = row->part_cap ? 2 * row->part_cap : 8;
        struct part *parts = realloc(row->c.parts, cap * sizeof(*parts));

        if (!parts)
            return NULL;
        row->c.parts = parts;
        row->part_cap = cap;
    }
    p = &row->c.parts[row->c.part_count++];
    *p = (struct part){ 0 };
    return p;
}

static enum err part_push(struct row_of_use *row, struct part part)
{
    struct part *p = part_add(row);

    if (!p)
        return ERR_NO_MEMORY;
    *p = part;
    return ERR_OK;
}

static enum err part_no_meter(struct row_of_use *row, int64_t from_s, int64_t to_s)
{
    return part_push(row, (struct part){ .kind = PART_NO_METER,
                                         .from_s = from_s,
                                         .to_s = to_s,
                                         .known = true,
                                         .quality = QUALITY_ACTUAL });
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t rolled(const struct fitting_line *l, int64_t register_ml)
{
    /* Most registers never were beyond their last digit, and a division takes as long as the rest of a row's figures. */
    if (l->modulus <= 0 || (register_ml >= 0 && register_ml < l->modulus))
        return 0;
    return floor_div(register_ml, l->modulus);
}

/* C7: what the dial shows. */
static int64_t dial(const struct fitting_line *l, int64_t register_ml)
{
    return register_ml - rolled(l, register_ml) * l->modulus;
}

/* D3 to D5, within one fitting and between its re-bases. */
static enum err part_metered(struct consumer *c, struct row_of_use *row, struct fitting_line *l,
                             int64_t from_s, int64_t to_s)
{
    struct register_at start = register_at(l, &c->rules, from_s);
    struct register_at end = register_at(l, &c->rules, to_s);
    struct part *p = part_add(row);

    if (!p)
        return ERR_NO_MEMORY;
    p->kind = PART_METERED;
    p->from_s = from_s;
    p->to_s = to_s;
    p->serial = l->of->meter->serial;
    p->quality = start.quality > end.quality ? start.quality : end.quality;
    p->edited = start.edited || end.edited;
    p->start_known = start.quality != QUALITY_MISSING;
    p->end_known = end.quality != QUALITY_MISSING;
    p->start_ml = p->start_known ? dial(l, start.register_ml) : 0;
    p->end_ml = p->end_known ? dial(l, end.register_ml) : 0;
    if (p->quality == QUALITY_MISSING)
        return ERR_OK;
    p->known = true;
    p->method = start.method > end.method ? start.method : end.method;
    p->consumption_ml = volume_clamped((__int128)end.register_ml - start.register_ml);
    p->rollovers = (int32_t)(rolled(l, end.register_ml) - rolled(l, start.register_ml));
    row->c.billed_m3 +=
        floor_div(end.register_ml, CUBIC_METRE_ML) - floor_div(start.register_ml, CUBIC_METRE_ML);
    return ERR_OK;
}

/* The step that ends at `n`, cut by the span; its indices are those of the readings, not of the
 * cuts. */
static enum err part_rebased(struct row_of_use *row, const struct fitting_line *l,
                             const struct step *n, int64_t from_s, int64_t to_s)
{
    return part_push(row, (struct part){ .kind = PART_REBASED,
                                         .from_s = from_s,
                                         .to_s = to_s,
                                         .serial = l->of->meter->serial,
                                         .start_ml = dial(l, n[-1].dial_ml),
                                         .end_ml = dial(l, n->dial_ml),
                                         .known = true,
                                         .start_known = true,
                                         .end_known = true,
                                         .quality = QUALITY_ESTIMATED,
                                         .method = METHOD_REBASED,
                                         .edited = n->edited || n[-1].edited });
}

static enum err parts_of_fitting(struct consumer *c, struct row_of_use *row, struct fitting_line *l,
                                 int64_t from_s, int64_t to_s)
{
    enum err err = l->made ? ERR_OK : fitting_line_make(l);

    if (err)
        return err;
    for (size_t i = rebase_after(l, from_s); !err && i < l->rebase_count && from_s < to_s; i++) {
        const struct step *n = &l->line.steps[l->rebases[i]];
        int64_t begin_s = n[-1].at_s, end_s = n->at_s < to_s ? n->at_s : to_s;

        if (begin_s >= to_s)
            break;
        if (begin_s > from_s) {
            err = part_metered(c, row, l, from_s, begin_s);
            from_s = begin_s;
        }
        if (!err)
            err = part_rebased(row, l, n, from_s, end_s);
        from_s = end_s;
    }
    if (!err && from_s < to_s)
        err = part_metered(c, row, l, from_s, to_s);
    return err;
}

size_t line_after(const struct consumer *c, int64_t at_s)
{
    size_t low = 0, high = c->line_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->lines[middle].of->fitting.to_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* D2: parts without holes. */
static enum err parts_list(struct consumer *c, struct row_of_use *row, int64_t from_s, int64_t to_s)
{
    enum err err = ERR_OK;

    for (size_t i = line_after(c, from_s); !err && i < c->line_count; i++) {
        const struct fitting *f = &c->lines[i].of->fitting;
        int64_t end_s = f->to_s < to_s ? f->to_s : to_s;

        if (f->from_s >= to_s)
            break;
        if (end_s <= from_s)
            continue;
        if (f->from_s > from_s) {
            err = part_no_meter(row, from_s, f->from_s);
            from_s = f->from_s;
        }
        if (!err)
            err = parts_of_fitting(c, row, &c->lines[i], from_s, end_s);
        from_s = end_s;
    }
    if (!err && from_s < to_s)
        err = part_no_meter(row, from_s, to_s);
    return err;
}

/* ---- rows ----------------------------------------------------------------------------------- */

enum err row_make(struct consumer *c, struct row_of_use *row, int64_t from_s, int64_t to_s)
{
    enum err err;

    row->c = (struct consumption){
        .from_s = from_s, .to_s = to_s, .known = true, .parts = row->c.parts
    };
    err = parts_list(c, row, from_s, to_s);
    for (size_t i = 0; !err && i < row->c.part_count; i++) {
        const struct part *p = &row->c.parts[i];

        row->c.known &= p->known;
        row->c.edited |= p->edited;
        row->c.consumption_ml = volume_clamped((__int128)row->c.consumption_ml + p->consumption_ml);
        row->c.quality = p->quality > row->c.quality ? p->quality : row->c.quality;
        row->c.method = p->method > row->c.method ? p->method : row->c.method;
    }
    if (!row->c.known) {
        row->c.consumption_ml = row->c.billed_m3 = 0;
        row->c.method = METHOD_NONE;
    }
    return err;
}

enum err consumer_row(struct consumer *c, int64_t from_s, int64_t to_s,
                      const struct consumption **out)
{
    enum err err;

    if ((err = row_make(c, &c->row, from_s, to_s)) || (err = row_check(c)))
        return err;
    *out = &c->row.c;
    return ERR_OK;
}

enum err consumer_figures(struct consumer *c, int64_t from_s, int64_t to_s,
                          const struct consumption **out)
{
    enum err err = row_make(c, &c->row, from_s, to_s);

    if (!err)
        *out = &c->row.c;
    return err;
}

/* The last rows and the last steps are the same readings. */
static bool ends_firmly(const struct fitting_line *l)
{
    const struct rows *rows = l->of->rows;
    struct meter_limits limits = meter_limits_of(l->of->meter);

    if (rows->count < FIRM_LEAST || l->line.count < FIRM_LEAST)
        return false;
    for (size_t i = 1; i <= FIRM_LEAST; i++) {
        const struct step *s = &l->line.steps[l->line.count - i];

        if (s->edge || s->edited || s->at_s != rows->at[rows->count - i].time_s)
            return false;
    }
    return rows_calm(&limits, rows->at, rows->count - FIRM_LEAST, rows->count);
}

enum err consumer_firm(struct consumer *c, uint32_t meter, int64_t *out_s)
{
    struct fitting_line *l = NULL;
    enum err err;

    *out_s = INT64_MIN;
    for (size_t i = 0; i < c->line_count; i++)
        if (c->lines[i].of->fitting.meter == meter)
            l = &c->lines[i];
    if (!l)
        return ERR_OK;
    if (!l->made && (err = fitting_line_make(l)))
        return err;
    if (ends_firmly(l))
        *out_s = l->line.steps[l->line.count - 1].at_s;
    return ERR_OK;
}

enum err consumer_new(const struct consume_fitting *fittings, size_t count, enum consume_step step,
                      const struct zone *zone, int64_t now_s, struct consumer **out)
{
    struct consumer *c = calloc(1, sizeof(*c));

    if (!c)
        return ERR_NO_MEMORY;
    c->lines = calloc(count ? count : 1, sizeof(*c->lines));
    if (!c->lines) {
        free(c);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        c->lines[i].of = &fittings[i];
    c->line_count = count;
    c->step = step;
    c->rules = (struct shape_rules){ zone, now_s, step == STEP_HOUR };
    *out = c;
    return ERR_OK;
}

void consumer_free(struct consumer *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->line_count; i++)
        fitting_line_done(&c->lines[i]);
    free(c->lines);
    free(c->row.c.parts);
    free(c->scratch.c.parts);
    free(c);
}

int64_t consume_step_end(enum consume_step step, const struct zone *zone, int64_t from_s)
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

enum err consume(const struct consume_fitting *fittings, size_t count, int64_t from_s, int64_t to_s,
                 enum consume_step step, const struct zone *zone, int64_t now_s,
                 bool (*each)(void *arg, const struct consumption *c), void *arg)
{
    const struct consumption *row;
    struct consumer *c;
    enum err err = consumer_new(fittings, count, step, zone, now_s, &c);

    if (err)
        return err;
    while (from_s < to_s || step == STEP_NONE) {
        int64_t end_s = consume_step_end(step, zone, from_s);

        if (end_s > to_s)
            end_s = to_s;
        err = consumer_row(c, from_s, end_s, &row);
        if (err || !each(arg, row) || step == STEP_NONE)
            break;
        from_s = end_s;
    }
    consumer_free(c);
    return err;
}
