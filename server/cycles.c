#include "server/cycles.h"

#include "proto/base/hex.h"
#include "server/registers.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define REVISION 1 /* of a determinant: it is written once */

const char *cycle_state_name(enum cycle_state s)
{
    static const char *const names[] = { "open", "reviewed", "closed" };

    return names[s];
}

bool cycle_route_next(struct span *routes, struct span *out_route)
{
    const uint8_t *end = routes->len ? (const uint8_t *)memchr(routes->at, 0, routes->len) : NULL;

    if (!end)
        return false;
    *out_route = span_of(routes->at, (size_t)(end - routes->at));
    *routes = span_of(end + 1, routes->len - out_route->len - 1);
    return true;
}

/* ---- points ---- */

void cycle_points_done(struct cycle_points *p)
{
    free(p->at);
    out_done(&p->names);
    *p = (struct cycle_points){ 0 };
}

static enum err points_room(struct cycle_points *p, size_t more)
{
    size_t cap = p->cap ? p->cap : 1024;
    struct cycle_point *at;

    while (cap < p->count + more)
        cap *= 2;
    if (cap == p->cap)
        return ERR_OK;
    if (!(at = (struct cycle_point *)realloc(p->at, cap * sizeof *at)))
        return ERR_NO_MEMORY;
    p->at = at;
    p->cap = cap;
    return ERR_OK;
}

static enum err point_add(struct txn *t, uint32_t id, struct cycle_points *p)
{
    struct ledger_row row;
    enum err err = points_room(p, 1);

    if (err)
        return err;
    if (!ledger_by_id(t, LIST_POINT, id, INT64_MAX, &row) || !row.count)
        return t->err ? t->err : ERR_CORRUPT;
    if (p->names.len > UINT32_MAX - LIMIT_TEXT)
        return ERR_LIMIT;
    p->at[p->count++] = (struct cycle_point){ id, (uint32_t)p->names.len };
    out_bytes(&p->names, row.cells[CELL_POINT_point].at, row.cells[CELL_POINT_point].len);
    out_bytes(&p->names, "", 1);
    return p->names.err;
}

static enum err route_ids(struct txn *t, struct span route, uint32_t **out, size_t *out_count)
{
    size_t cap = 4096;
    enum err err;

    for (;; cap *= 4) {
        uint32_t *ids = (uint32_t *)realloc(*out, cap * sizeof *ids);

        if (!ids)
            return ERR_NO_MEMORY;
        *out = ids;
        if ((err = ledger_points_on(t, false, route, 0, ids, cap, out_count)) || *out_count < cap)
            return err;
    }
}

static int by_name(const void *a, const void *b, void *arg)
{
    const struct cycle_points *p = (const struct cycle_points *)arg;

    return strcmp(p->names.at + ((const struct cycle_point *)a)->name_at,
                  p->names.at + ((const struct cycle_point *)b)->name_at);
}

enum err cycle_points_load(struct txn *t, struct span routes, struct cycle_points *out)
{
    uint32_t *ids = NULL;
    struct span route;
    size_t count;
    enum err err = ERR_OK;

    while (!err && cycle_route_next(&routes, &route)) {
        err = route_ids(t, route, &ids, &count);
        for (size_t i = 0; !err && i < count; i++)
            err = point_add(t, ids[i], out);
    }
    free(ids);
    if (!err && out->count)
        qsort_r(out->at, out->count, sizeof *out->at, by_name, out);
    return err;
}

enum err cycle_points_in_zone(struct txn *t, struct span zone, struct scope *scope,
                              struct cycle_points *out)
{
    struct points_walk w = ledger_points_walk(t, true, zone);
    enum err err = ERR_OK;

    while (!err && points_next(&w))
        if (!scope || scope_point(scope, t, w.point))
            err = point_add(t, w.point, out);
    points_done(&w);
    err = err ? err : t->err;
    if (!err && out->count)
        qsort_r(out->at, out->count, sizeof *out->at, by_name, out);
    return err;
}

/* ---- a line ---- */

struct cycle_line cycle_line_of(const struct app *app, const struct ledger_cycle *c)
{
    return (struct cycle_line){ c->name, c->from_s, c->to_s,
                                cycle_days(&app->zone, c->from_s, c->to_s) };
}

static void put_litres(struct out *o, const char *name, bool known, int64_t ml)
{
    if (known)
        out_member_litres(o, name, ml);
    else
        out_member_null(o, name);
}

void cycle_line_put(struct out *o, const struct cycle_line *line, struct span point,
                    const struct determinant *d)
{
    out_member_text(o, "cycle", line->cycle);
    out_member_span(o, "point", point);
    out_member_span(o, "account", d->account);
    out_member_time(o, "from", line->from_s);
    out_member_time(o, "to", line->to_s);
    put_litres(o, "start_index_l", d->start_known, d->start_ml);
    put_litres(o, "end_index_l", d->end_known, d->end_ml);
    put_litres(o, "consumption_l", d->billed.known, d->billed.consumption_ml);
    if (d->billed.known)
        out_member_int(o, "billed_m3", d->billed.m3);
    else
        out_member_null(o, "billed_m3");
    out_member_int(o, "days", line->days);
    out_member_text(o, "quality", quality_name(d->quality));
    out_member_text(o, "method", method_name(d->method));
    out_key(o, "checks");
    use_put_checks(o, d->checks);
    if (d->told_of) {
        out_key(o, "check_inputs");
        rules_put_told(o, d->told_of, d->checks, d->told);
    }
    out_key(o, "parts");
    use_put_parts(o, d->parts, d->part_count);
    if (d->why)
        out_member_text(o, "why", missing_why_name(d->why));
    out_member_int(o, "revision", REVISION);
}

/* ---- sums ---- */

void cycle_sums_add(struct cycle_sums *s, struct span point, const struct determinant *d)
{
    s->points++;
    s->by_quality[d->quality]++;
    if (d->billed.known) {
        s->consumption_ml += d->billed.consumption_ml;
        s->billed_m3 += d->billed.m3;
    } else if (s->missing_count < CYCLE_MISSING_TOLD) {
        struct cycle_missing *m = &s->missing[s->missing_count++];

        snprintf(m->point, sizeof m->point, "%.*s", (int)point.len, (const char *)point.at);
        m->why = d->why;
    }
}

/* ---- a cycle ---- */

static void put_mark(struct out *o, const char *at, const char *by, const struct cycle_mark *m)
{
    if (!m->at_s) {
        out_member_null(o, at);
        out_member_null(o, by);
        return;
    }
    out_member_time(o, at, m->at_s);
    out_member_text(o, by, m->who);
}

void cycle_put_digest(struct out *o, const struct ledger_cycle *c)
{
    char hex[2 * sizeof c->digest + 1];
    struct wr w = wr_of(hex, sizeof hex);

    hex_write(&w, span_of(c->digest, sizeof c->digest));
    wr_u8(&w, 0);
    out_member_text(o, "digest", hex);
}

static void put_counts(struct out *o, uint64_t points, const uint64_t by_quality[CYCLE_QUALITIES],
                       uint64_t elsewhere, int64_t consumption_ml, int64_t billed_m3)
{
    out_member_int(o, "points", (int64_t)points);
    for (int q = 0; q < CYCLE_QUALITIES; q++)
        out_member_int(o, quality_name((enum quality)q), (int64_t)by_quality[q]);
    out_member_int(o, "elsewhere", (int64_t)elsewhere);
    out_member_litres(o, "consumption_l", consumption_ml);
    out_member_int(o, "billed_m3", billed_m3);
}

static void put_missing(struct out *o, const struct cycle_sums *s)
{
    out_key(o, "missing_points");
    out_text(o, "[");
    for (size_t i = 0; i < s->missing_count; i++) {
        out_text(o, i ? ",{" : "{");
        out_member_text(o, "point", s->missing[i].point);
        out_member_text(o, "why", missing_why_name(s->missing[i].why));
        out_member_text(o, "text_en", missing_why_text_en(s->missing[i].why));
        out_member_text(o, "text_zh", missing_why_text_zh(s->missing[i].why));
        out_text(o, "}");
    }
    out_text(o, "]");
}

void cycle_put_sums(struct out *o, const struct cycle_sums *s)
{
    put_counts(o, s->points, s->by_quality, s->elsewhere, s->consumption_ml, s->billed_m3);
    out_member_int(o, "edits_waiting", (int64_t)s->edits_waiting);
    put_missing(o, s);
}

void cycle_put(struct out *o, const struct ledger_cycle *c, const struct cycle_sums *sums)
{
    struct span routes = c->routes, route;
    bool first = true;

    out_member_text(o, "cycle", c->name);
    out_member_text(o, "state", cycle_state_name((enum cycle_state)c->state));
    out_member_time(o, "from", c->from_s);
    out_member_time(o, "to", c->to_s);
    out_key(o, "routes");
    out_text(o, "[");
    for (; cycle_route_next(&routes, &route); first = false) {
        if (!first)
            out_text(o, ",");
        out_string(o, route);
    }
    out_text(o, "]");
    put_mark(o, "opened_at", "opened_by", &c->opened);
    put_mark(o, "reviewed_at", "reviewed_by", &c->reviewed);
    put_mark(o, "closed_at", "closed_by", &c->closed);
    if (c->state == CYCLE_CLOSED) {
        cycle_put_digest(o, c);
        put_counts(o, c->points, c->by_quality, c->elsewhere, c->consumption_ml, c->billed_m3);
        if (sums) {
            out_member_int(o, "edits_waiting", (int64_t)sums->edits_waiting);
            put_missing(o, sums);
        }
    }
}

/* ---- making determinants ---- */

struct closed_ones {
    const struct ledger_cycle *of;
    struct cycle_maker *maker;
    enum err err;
};

static bool note_closed(void *arg, const struct ledger_cycle *c)
{
    struct closed_ones *n = (struct closed_ones *)arg;
    struct cycle_maker *m = n->maker;
    struct cycle_span *more;

    if (c->state != CYCLE_CLOSED || c->id == n->of->id)
        return true;
    if (!(more = (struct cycle_span *)realloc(m->closed, (m->count + 1) * sizeof *more))) {
        n->err = ERR_NO_MEMORY;
        return false;
    }
    m->closed = more;
    m->closed[m->count++] = (struct cycle_span){ c->id, c->from_s, c->to_s };
    return true;
}

enum err cycle_maker_init(struct app *app, struct txn *t, const struct ledger_cycle *c,
                          int64_t now_s, struct cycle_maker *out)
{
    struct closed_ones n = { .of = c, .maker = out };
    enum err err;

    *out = (struct cycle_maker){ .app = app, .line = cycle_line_of(app, c), .now_s = now_s };
    err = ledger_cycles(t, span_of(NULL, 0), note_closed, &n);
    return err ? err : n.err;
}

void cycle_maker_done(struct cycle_maker *m)
{
    free(m->closed);
    m->closed = NULL;
    m->count = 0;
}

static bool is_frozen_elsewhere(const struct cycle_maker *m, struct txn *t, struct span point)
{
    struct span bytes;

    for (size_t i = 0; i < m->count; i++) {
        const struct cycle_span *c = &m->closed[i];

        if (c->from_s < m->line.to_s && m->line.from_s < c->to_s &&
            ledger_determinant(t, c->id, point, &bytes))
            return true;
    }
    return false;
}

/* The closed cycle that has the point and ends at `to_s`; false: none, or t->err. */
static bool frozen_before(const struct cycle_maker *m, struct txn *t, struct span point,
                          int64_t to_s, struct determinant *out, int64_t *out_from_s)
{
    struct span bytes;

    for (size_t i = 0; i < m->count; i++) {
        const struct cycle_span *c = &m->closed[i];

        if (c->to_s != to_s || !ledger_determinant(t, c->id, point, &bytes))
            continue;
        if (determinant_read(bytes, c->from_s, c->to_s, NULL, 0, out)) {
            t->err = ERR_CORRUPT;
            return false;
        }
        *out_from_s = c->from_s;
        return true;
    }
    return false;
}

/* E7. */
static void look_whether_prolonged(const struct cycle_maker *m, struct txn *t, struct span point,
                                   const struct point_use *u, struct determinant *d)
{
    const struct check_line *rule = consumer_line(u->consumer, CHECK_PROLONGED);
    struct determinant before;
    int64_t at_s = m->line.from_s;
    bool unread = rule->state == LINE_ON && determinant_unread(d);

    for (int64_t i = 0; i < rule->value[0] && unread; i++)
        unread = frozen_before(m, t, point, at_s, &before, &at_s) && determinant_unread(&before);
    if (unread)
        determinant_prolonged(d, rule, at_s);
}

enum err cycle_estimated_before(const struct cycle_maker *m, struct txn *t, struct span point,
                                bool *out)
{
    struct determinant before;
    int64_t from_s;

    *out = frozen_before(m, t, point, m->line.from_s, &before, &from_s) &&
           before.quality == QUALITY_ESTIMATED;
    return t->err;
}

enum err cycle_make(const struct cycle_maker *m, struct txn *t, uint32_t point, struct span name,
                    struct point_use *u, struct determinant *out, bool *out_elsewhere)
{
    struct ledger_row row;
    enum err err;

    *out_elsewhere = !m->anyhow && is_frozen_elsewhere(m, t, name);
    if (*out_elsewhere || t->err)
        return t->err;
    if ((err = point_use_determinant(m->app, t, point, m->line.from_s, m->line.to_s, m->now_s, u,
                                     out)))
        return err;
    look_whether_prolonged(m, t, name, u, out);
    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    out->account =
        CELL_POINT_account < row.count ? row.cells[CELL_POINT_account] : span_of(NULL, 0);
    return ERR_OK;
}

/* ---- what was left behind ---- */

static enum err push_id(uint32_t **ids, size_t *count, uint32_t id)
{
    uint32_t *more = (uint32_t *)realloc(*ids, (*count + 1) * sizeof *more);

    if (!more)
        return ERR_NO_MEMORY;
    more[(*count)++] = id;
    *ids = more;
    return ERR_OK;
}

struct unclosed {
    uint32_t *ids;
    size_t count;
    enum err err;
};

static bool note_unclosed(void *arg, const struct ledger_cycle *c)
{
    struct unclosed *u = (struct unclosed *)arg;

    if (c->state != CYCLE_CLOSED)
        u->err = push_id(&u->ids, &u->count, c->id);
    return !u->err;
}

static bool has_determinants(struct txn *t, uint32_t cycle)
{
    struct determinant_walk w = ledger_determinants(t, cycle, span_of(NULL, 0));
    bool any = determinant_next(&w);

    determinant_done(&w);
    return any;
}

enum err cycles_tidy(struct app *app)
{
    struct txn t = ledger_read(app->ledger);
    struct unclosed u = { 0 };
    enum err err = ledger_cycles(&t, span_of(NULL, 0), note_unclosed, &u), ended;
    size_t kept = 0;

    for (size_t i = 0; i < u.count && !err; i++)
        if (has_determinants(&t, u.ids[i]))
            u.ids[kept++] = u.ids[i];
    ended = txn_end(&t);
    if (!err)
        err = u.err ? u.err : ended;
    for (size_t i = 0; i < kept && !err; i++)
        err = ledger_drop_determinants(app->ledger, u.ids[i]);
    free(u.ids);
    return err;
}
