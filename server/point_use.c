#include "server/point_use.h"

#include "server/billing/cut.h"
#include "server/billing/explain.h"
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
    free(u->edits);
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

/* ---- three months of it ---- */

struct settled_rows {
    struct app *app;
    const struct meter_facts *meter;
};

static enum err settled_load(void *arg, int64_t from_s, int64_t to_s, struct rows *out)
{
    const struct settled_rows *s = (const struct settled_rows *)arg;

    out->count = 0;
    return archive_read(s->app->archive, s->meter->id, meter_billed_channel(s->meter), from_s, to_s,
                        out);
}

static enum err settled_below_zero(void *arg, bool *out_below)
{
    const struct settled_rows *s = (const struct settled_rows *)arg;

    return archive_below_zero(s->app->archive, s->meter->id, out_below);
}

/* A city's closing must not read years of each meter. */
static enum err load_cut(struct app *app, struct point_use *u, size_t i, int64_t from_s,
                         int64_t to_s, bool *out_done)
{
    struct point_use_load *load = &u->loads[i];
    struct settled_rows settled = { app, &load->meter };
    struct row_source source = { settled_load, settled_below_zero, &settled };
    struct fitting *f = &u->fittings[i].fitting, cut;
    enum err err = fitting_cut(&source, &load->meter, f, from_s, to_s, &cut, &load->rows, out_done);

    if (!err && *out_done)
        *f = cut;
    return err;
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

/* ---- edits ---- */

struct edit_load {
    struct point_use *use;
    enum err err;
};

static bool keep_edit(void *arg, const struct ledger_edit *e)
{
    struct edit_load *k = (struct edit_load *)arg;
    struct point_use *u = k->use;

    if (e->act > u->edit_act)
        u->edit_act = e->act;
    if ((!edit_in_force(e) && !edit_waits(e)) || e->id == u->without)
        return true;
    if (u->edit_count == u->edit_cap) {
        size_t cap = u->edit_cap ? 2 * u->edit_cap : 4;
        struct ledger_edit *more = (struct ledger_edit *)realloc(u->edits, cap * sizeof *more);

        if (!more) {
            k->err = ERR_NO_MEMORY;
            return false;
        }
        u->edits = more;
        u->edit_cap = cap;
    }
    u->edits[u->edit_count++] = *e;
    return true;
}

struct edit_mark point_use_mark(const struct ledger_edit *e)
{
    return (struct edit_mark){ .id = e->id,
                               .meter = e->meter,
                               .at_s = e->at_s,
                               .index_ml = e->index_ml,
                               .has_instead = e->has_instead,
                               .instead_ml = e->instead_ml };
}

static enum err apply_edit(struct point_use *u, const struct ledger_edit *e)
{
    struct edit_mark mark = point_use_mark(e);
    enum err err = ERR_OK;

    for (size_t i = 0; i < u->count && !err; i++)
        err = edits_apply(&mark, 1, &u->fittings[i].fitting, &u->loads[i].rows);
    return err;
}

/* Nearly no point has any: that costs one look. */
static enum err load_edits(struct txn *t, uint32_t point, struct point_use *u)
{
    struct edit_load k = { .use = u };
    enum err err;

    u->edit_count = 0;
    u->edit_act = 0;
    err = ledger_edits(t, point, 0, keep_edit, &k);
    return err ? err : k.err;
}

static enum err apply_edits(struct point_use *u)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < u->edit_count && !err; i++)
        if (edit_in_force(&u->edits[i]))
            err = apply_edit(u, &u->edits[i]);
    return !err && u->trial ? apply_edit(u, u->trial) : err;
}

unsigned point_use_waiting(const struct point_use *u, int64_t from_s, int64_t to_s)
{
    unsigned count = 0;

    for (size_t i = 0; i < u->edit_count; i++)
        count += edit_waits(&u->edits[i]) && u->edits[i].at_s >= from_s && u->edits[i].at_s <= to_s;
    return count;
}

const struct ledger_edit *point_use_edit(const struct point_use *u, const char *serial,
                                         int64_t at_s)
{
    for (size_t i = 0; i < u->count; i++) {
        const struct consume_fitting *f = &u->fittings[i];

        for (size_t k = 0; strcmp(f->meter->serial, serial) == 0 && k < u->edit_count; k++)
            if (u->edits[k].meter == f->fitting.meter && u->edits[k].at_s == at_s &&
                edit_in_force(&u->edits[k]))
                return &u->edits[k];
    }
    return NULL;
}

/* may_cut: of settled readings, for a determinant of the span alone. */
static enum err load(struct app *app, struct txn *t, uint32_t point, int64_t from_s, int64_t to_s,
                     bool may_cut, struct point_use *u)
{
    struct fittings fittings;
    enum err err;

    consumer_free(u->consumer);
    u->consumer = NULL;
    u->count = 0;
    u->cut = false;
    if (!(err = fittings_load(t, true, point, &fittings)))
        err = load_meters(t, &fittings, from_s, to_s, u);
    fittings_done(&fittings);
    if (!err)
        err = take_rules(app, t, point, u);
    if (!err)
        err = load_edits(t, point, u);
    may_cut = may_cut && u->settled && !u->trial && !u->edit_count;
    for (size_t i = 0; i < u->count && !err; i++) {
        bool done = false;

        if (may_cut)
            err = load_cut(app, u, i, from_s, to_s, &done);
        if (!err && !done)
            err = load_rows(app, u, i);
        u->cut |= done;
    }
    return err ? err : apply_edits(u);
}

enum err point_use_load(struct app *app, struct txn *t, uint32_t point, int64_t from_s,
                        int64_t to_s, enum consume_step step, int64_t now_s, struct point_use *u)
{
    enum err err = load(app, t, point, from_s, to_s, false, u);

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

    if ((err = load(app, t, point, from_s, to_s, true, u)) ||
        (err = point_use_consumer(app, u, STEP_NONE, now_s, &u->consumer)) ||
        (err = consumer_row(u->consumer, from_s, to_s, &c)))
        return err;
    if (u->cut && c->known && c->consumption_ml == 0 &&
        ((err = point_use_load(app, t, point, from_s, to_s, STEP_NONE, now_s, u)) ||
         (err = consumer_row(u->consumer, from_s, to_s, &c))))
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

#define PART_MOST (256 + SERIAL_MAX + 2 * OUT_TIME_SIZE + 3 * OUT_LITRES_MOST + OUT_INT_MOST)

/* A year by the hour has thousands of them: put in place piece by piece, all but the brace that ends it. */
static void put_part(struct out *o, const struct part *p)
{
    char *to = out_room(o, PART_MOST);

    if (!to)
        return;
    to = out_put(out_put(to, "{\"kind\":\""), part_kind_name(p->kind));
    to = out_put_time(out_put(to, "\",\"from\":"), p->from_s);
    to = out_put_time(out_put(to, ",\"to\":"), p->to_s);
    if (p->kind != PART_NO_METER) {
        to = out_put(out_put(out_put(to, ",\"serial\":\""), p->serial), "\"");
        if (p->start_known)
            to = out_put_litres(out_put(to, ",\"start_index_l\":"), p->start_ml);
        if (p->end_known)
            to = out_put_litres(out_put(to, ",\"end_index_l\":"), p->end_ml);
    }
    to = out_put(to, ",\"consumption_l\":");
    to = p->known ? out_put_litres(to, p->consumption_ml) : out_put(to, "null");
    to = out_put(out_put(out_put(to, ",\"quality\":\""), quality_name(p->quality)), "\"");
    if (p->known && method_name(p->method))
        to = out_put(out_put(out_put(to, ",\"method\":\""), method_name(p->method)), "\"");
    if (p->rollovers)
        to = out_put_int(out_put(to, ",\"rollovers\":"), p->rollovers);
    out_end(o, to);
}

void use_put_edit(struct out *o, const struct ledger_edit *e)
{
    out_text(o, "{");
    out_member_int(o, "id", (int64_t)e->id);
    out_member_time(o, "at", e->at_s);
    out_member_litres(o, "index_l", e->index_ml);
    out_member_text(o, "asked_by", e->asked.who);
    if (e->decided.at_s)
        out_member_text(o, "approved_by", e->decided.who);
    out_member_text(o, "reason", e->asked.text);
    out_text(o, "}");
}

static void put_part_edits(struct out *o, const struct point_use *u, const struct part *p)
{
    int64_t at_s[PART_EDITS_MOST];
    size_t count = consumer_edits(u->consumer, p, at_s), told = 0;

    out_key(o, "edits");
    out_text(o, "[");
    for (size_t i = 0; i < count; i++) {
        const struct ledger_edit *e = point_use_edit(u, p->serial, at_s[i]);

        if (!e)
            continue; /* on trial */
        if (told++)
            out_text(o, ",");
        use_put_edit(o, e);
    }
    out_text(o, "]");
}

void use_put_told_parts(struct out *o, const struct point_use *u, const struct consumption *c)
{
    out_text(o, "[");
    for (size_t i = 0; i < c->part_count; i++) {
        out_next(o);
        put_part(o, &c->parts[i]);
        if (c->parts[i].edited)
            put_part_edits(o, u, &c->parts[i]);
        out_text(o, "}");
    }
    out_text(o, "]");
}

void use_put_parts(struct out *o, const struct part *parts, size_t count)
{
    out_text(o, "[");
    for (size_t i = 0; i < count; i++) {
        out_next(o);
        put_part(o, &parts[i]);
        out_text(o, "}");
    }
    out_text(o, "]");
}

void use_put_checks(struct out *o, unsigned checks)
{
    bool first = true;

    out_text(o, "[");
    for (unsigned n = 0; checks && n < CHECK_COUNT; n++) {
        if (!(checks & 1u << check_by_name(n)))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(check_name(check_by_name(n))));
    }
    out_text(o, "]");
}
