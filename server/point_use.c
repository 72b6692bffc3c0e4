#include "server/point_use.h"

#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define CHECKED_S (62 * 86400) /* before the span, for the checks of E3 */

/* What a fitting needs besides itself. */
struct point_use_load {
    struct meter_facts meter;
    struct rows rows;
};

void point_use_done(struct point_use *u)
{
    for (size_t i = 0; i < u->cap; i++)
        rows_done(&u->loads[i].rows);
    consumer_free(u->consumer);
    rules_give(u->rules);
    free(u->fittings);
    free(u->loads);
    *u = (struct point_use){ 0 };
}

/* ---- loading ---- */

static enum err room(struct point_use *u, size_t count)
{
    struct consume_fitting *fittings;
    struct point_use_load *loads;

    if (count <= u->cap)
        return ERR_OK;
    if (!(fittings = (struct consume_fitting *)realloc(u->fittings, count * sizeof *fittings)))
        return ERR_NO_MEMORY;
    u->fittings = fittings;
    if (!(loads = (struct point_use_load *)realloc(u->loads, count * sizeof *loads)))
        return ERR_NO_MEMORY;
    u->loads = loads;
    memset(loads + u->cap, 0, (count - u->cap) * sizeof *loads);
    u->cap = count;
    return ERR_OK;
}

static enum err load_meters(struct txn *t, const struct fittings *f, int64_t from_s, int64_t to_s,
                            struct point_use *u)
{
    enum err err = room(u, f->count);

    for (size_t i = 0; i < f->count && !err; i++) {
        const struct fitting *fitting = &f->at[i];
        struct point_use_load *load = &u->loads[u->count];

        if (fitting->from_s >= to_s || fitting->to_s < from_s - CHECKED_S)
            continue;
        err = meter_facts_by_id(t, fitting->meter, &load->meter);
        u->fittings[u->count++] = (struct consume_fitting){ .fitting = *fitting,
                                                            .meter = &load->meter,
                                                            .rows = &load->rows };
    }
    return err;
}

static enum err load_rows(struct app *app, const struct point_use *u, size_t i)
{
    const struct fitting *f = &u->fittings[i].fitting;
    struct point_use_load *load = &u->loads[i];
    enum channel c = meter_billed_channel(&load->meter);
    int64_t from_s = f->from_s < 0 ? 0 : f->from_s;
    int64_t to_s = f->to_s == FITTING_OPEN ? INT64_MAX : f->to_s + 1;

    load->rows.count = 0;
    return u->settled ? archive_read(app->archive, load->meter.id, c, from_s, to_s, &load->rows)
                      : readings_load(app, &load->meter, c, from_s, to_s, &load->rows);
}

static enum err take_rules(struct app *app, struct txn *t, uint32_t point, struct point_use *u)
{
    enum err err;

    rules_give(u->rules);
    u->rules = NULL;
    if ((err = rules_take(app, t, &u->rules)))
        return err;
    return rules_use_of(u->rules, t, point, &u->use);
}

enum err point_use_consumer(struct app *app, const struct point_use *u, enum consume_step step,
                            int64_t now_s, struct consumer **out)
{
    enum err err = consumer_new(u->fittings, u->count, step, &app->zone, now_s, out);

    if (!err)
        consumer_judge_by(*out, rules_of(u->rules), u->use);
    return err;
}

enum err point_use_load(struct app *app, struct txn *t, uint32_t point, int64_t from_s,
                        int64_t to_s, enum consume_step step, int64_t now_s, struct point_use *u)
{
    struct fittings fittings;
    enum err err;

    consumer_free(u->consumer);
    u->consumer = NULL;
    u->count = 0;
    if (!(err = fittings_load(t, true, point, &fittings)))
        err = load_meters(t, &fittings, from_s, to_s, u);
    if (!err)
        err = take_rules(app, t, point, u);
    fittings_done(&fittings);
    for (size_t i = 0; i < u->count && !err; i++)
        err = load_rows(app, u, i);
    return err ? err : point_use_consumer(app, u, step, now_s, &u->consumer);
}

/* ---- determinants ---- */

/* A row as if now lay after it. */
static enum err billed_later(struct app *app, const struct point_use *u, int64_t from_s,
                             int64_t to_s, struct billed *out)
{
    const struct consumption *c;
    struct consumer *later;
    enum err err = consumer_new(u->fittings, u->count, STEP_NONE, &app->zone, to_s, &later);

    if (err)
        return err;
    if (!(err = consumer_figures(later, from_s, to_s, &c)))
        *out = billed_of(c);
    consumer_free(later);
    return err;
}

enum err point_use_figures(struct app *app, const struct point_use *u, int64_t from_s, int64_t to_s,
                           int64_t now_s, const struct consumption **out, struct billed *out_later)
{
    const struct consumption *c;
    enum err err = consumer_figures(u->consumer, from_s, to_s, &c);

    if (err)
        return err;
    *out = c;
    *out_later = billed_of(c);
    return c->known || now_s >= to_s ? ERR_OK : billed_later(app, u, from_s, to_s, out_later);
}

/* Whether a reading of the fitting takes part. */
static enum err ever_read(const struct consume_fitting *f, bool *out)
{
    struct register_line line;
    enum err err = register_line_make(f->meter, &f->fitting, f->rows, &line);

    *out = false;
    if (err)
        return err;
    for (size_t i = 0; i < line.count && !*out; i++)
        *out = !line.steps[i].edge;
    register_line_done(&line);
    return ERR_OK;
}

/* Of the first part that is missing. */
static enum err why_missing(const struct point_use *u, const struct consumption *c,
                            enum missing_why *out)
{
    size_t p = 0;
    bool read = false;
    enum err err = ERR_OK;

    while (p < c->part_count && c->parts[p].known)
        p++;
    for (size_t i = 0; p < c->part_count && i < u->count && !err && !read; i++) {
        const struct fitting *f = &u->fittings[i].fitting;

        if (f->from_s <= c->parts[p].from_s && c->parts[p].to_s <= f->to_s)
            err = ever_read(&u->fittings[i], &read);
    }
    *out = read ? WHY_FIRST_WEEK : WHY_NEVER_READ;
    return err;
}

enum err point_use_determinant(struct app *app, struct txn *t, uint32_t point, int64_t from_s,
                               int64_t to_s, int64_t now_s, struct point_use *u,
                               struct determinant *out)
{
    const struct consumption *c;
    enum missing_why why = WHY_NONE;
    struct billed later;
    enum err err;

    if ((err = point_use_load(app, t, point, from_s, to_s, STEP_NONE, now_s, u)) ||
        (err = consumer_row(u->consumer, from_s, to_s, &c)))
        return err;
    later = billed_of(c);
    if (!c->known && now_s < to_s && (err = billed_later(app, u, from_s, to_s, &later)))
        return err;
    if (!c->known && later.known)
        why = WHY_NOT_OVER;
    else if (!c->known && (err = why_missing(u, c, &why)))
        return err;
    determinant_of(c, &later, why, out);
    return ERR_OK;
}

/* ---- JSON ---- */

static void put_part(struct out *o, const struct part *p)
{
    out_text(o, "{");
    out_member_text(o, "kind", part_kind_name(p->kind));
    out_member_time(o, "from", p->from_s);
    out_member_time(o, "to", p->to_s);
    if (p->kind != PART_NO_METER) {
        out_member_text(o, "serial", p->serial);
        if (p->start_known)
            out_member_litres(o, "start_index_l", p->start_ml);
        if (p->end_known)
            out_member_litres(o, "end_index_l", p->end_ml);
    }
    if (p->known)
        out_member_litres(o, "consumption_l", p->consumption_ml);
    else
        out_member_null(o, "consumption_l");
    out_member_text(o, "quality", quality_name(p->quality));
    if (p->known && method_name(p->method))
        out_member_text(o, "method", method_name(p->method));
    if (p->rollovers)
        out_member_int(o, "rollovers", p->rollovers);
    out_text(o, "}");
}

void use_put_parts(struct out *o, const struct part *parts, size_t count)
{
    out_text(o, "[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            out_text(o, ",");
        put_part(o, &parts[i]);
    }
    out_text(o, "]");
}

void use_put_checks(struct out *o, unsigned checks)
{
    bool first = true;

    out_text(o, "[");
    for (int n = 0; checks >> n; n++) {
        if (!(checks & 1u << n))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(check_name((enum check)n)));
    }
    out_text(o, "]");
}
