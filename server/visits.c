#include "server/visits.h"

#include "server/billing/cycle.h"
#include "server/judge.h"
#include "server/routes.h"

#include <stdlib.h>

#define DAY_S 86400
#define GRACE_S (7 * DAY_S)   /* rules-bills C6 */
#define UNREAD_S (35 * DAY_S) /* a month, and some */
#define RECENT_S (36 * 3600)  /* rules-bills C2: as good as read */
#define DISPUTES_MOST 1000000

/* ---- causes ---- */

static const struct {
    const char *name, *en, *zh;
} causes[VISIT_CAUSES] = {
    [VISIT_NEVER_READ] = { "never-read",
                           "Nothing was read since the meter was put on: read the dial.",
                           "装表以来从未抄到读数：请现场抄表。" },
    [VISIT_MISSING] = { "missing", "Too little was read to estimate from: read the dial.",
                        "读数不足，无法估算：请现场抄表。" },
    [VISIT_ESTIMATED_TWICE] = { "estimated-twice",
                                "Two cycles in a row were billed without a read: read the dial.",
                                "已连续两期估抄：请现场抄表。" },
    [VISIT_UNREAD] = { "unread", "Nothing was read for more than a month: read the dial.",
                       "超过一个月未抄到读数：请现场抄表。" },
    [VISIT_DISPUTED] = { "disputed", "A read is disputed: read the dial again.",
                         "读数有争议：请现场复抄。" },
};

const char *visit_cause_name(enum visit_cause c)
{
    return causes[c].name;
}

const char *visit_cause_en(enum visit_cause c)
{
    return causes[c].en;
}

const char *visit_cause_zh(enum visit_cause c)
{
    return causes[c].zh;
}

bool visit_cause_read(struct span name, enum visit_cause *out)
{
    for (int c = 0; c < VISIT_CAUSES; c++) {
        if (span_equal(name, span_text(causes[c].name))) {
            *out = (enum visit_cause)c;
            return true;
        }
    }
    return false;
}

/* ---- what points are held against ---- */

struct gathering {
    struct visitor *v;
    size_t cap;
    enum err err;
};

static bool room_for(struct gathering *g, void **at, size_t count, size_t size)
{
    size_t cap = g->cap ? g->cap * 2 : 64;
    void *more;

    if (count < g->cap)
        return true;
    if (!(more = realloc(*at, cap * size))) {
        g->err = ERR_NO_MEMORY;
        return false;
    }
    *at = more;
    g->cap = cap;
    return true;
}

static bool take_cycle(void *arg, const struct ledger_cycle *c)
{
    struct gathering *g = (struct gathering *)arg;
    void *at = g->v->cycles;

    if (c->state != CYCLE_CLOSED)
        return true;
    if (!room_for(g, &at, g->v->cycle_count, sizeof *g->v->cycles))
        return false;
    g->v->cycles = (struct visit_cycle *)at;
    g->v->cycles[g->v->cycle_count++] = (struct visit_cycle){ c->id, c->from_s, c->to_s };
    return true;
}

static bool take_dispute(void *arg, const struct route_place *place, struct span bytes)
{
    struct gathering *g = (struct gathering *)arg;
    struct route_dispute d;
    void *at = g->v->disputes;

    if ((g->err = route_dispute_read(bytes, &d)))
        return false;
    if (d.resolved_s)
        return true;
    if (g->v->dispute_count == DISPUTES_MOST)
        g->err = ERR_LIMIT;
    if (g->err || !room_for(g, &at, g->v->dispute_count, sizeof *g->v->disputes))
        return false;
    g->v->disputes = (struct visit_dispute *)at;
    g->v->disputes[g->v->dispute_count++] = (struct visit_dispute){ place->point, d.at_s };
    return true;
}

static int newest_end(const void *a, const void *b)
{
    const struct visit_cycle *x = (const struct visit_cycle *)a, *y = (const struct visit_cycle *)b;

    if (x->to_s != y->to_s)
        return x->to_s > y->to_s ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_point(const void *a, const void *b)
{
    const struct visit_dispute *x = (const struct visit_dispute *)a;
    const struct visit_dispute *y = (const struct visit_dispute *)b;

    if (x->point != y->point)
        return x->point < y->point ? -1 : 1;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

enum err visitor_init(struct app *app, struct txn *ledger, int64_t now_s, struct visitor *out)
{
    struct gathering cycles = { .v = out }, disputes = { .v = out };
    enum err err;

    *out = (struct visitor){ .app = app, .now_s = now_s };
    err = ledger_cycles(ledger, span_of(NULL, 0), take_cycle, &cycles);
    if (!err)
        err = cycles.err;
    if (!err)
        err = ledger_route_facts_all(ledger, ROUTE_DISPUTE, take_dispute, &disputes);
    if (!err)
        err = disputes.err;
    if (!err && out->cycle_count)
        qsort(out->cycles, out->cycle_count, sizeof *out->cycles, newest_end);
    if (!err && out->dispute_count)
        qsort(out->disputes, out->dispute_count, sizeof *out->disputes, by_point);
    return err;
}

void visitor_done(struct visitor *v)
{
    free(v->cycles);
    free(v->disputes);
    *v = (struct visitor){ 0 };
}

/* ---- the last read ---- */

/* The newest value that takes part in the fitting, from from_s on. */
static enum err newest_from(const struct visitor *v, struct txn *ledger,
                            const struct meter_facts *m, int64_t from_s, struct visit *out)
{
    const struct fitting *f = &out->fitting;
    struct fittings of_meter;
    struct rows rows = { 0 };
    enum rule *rules = NULL;
    enum err err = fittings_load(ledger, false, m->id, &of_meter);

    if (!err)
        err = sheet_rows_load(v->app, m, &of_meter, from_s, v->now_s + 1, &rows, &rules);
    for (size_t i = rows.count; i-- > 0 && !err && !out->read;) {
        const struct row *row = &rows.at[i];

        if (!rules[i] && !(row->attr & ATTR_EDITED) && row->time_s >= f->from_s &&
            row->time_s <= v->now_s) {
            out->read = true;
            out->last_read_s = row->time_s;
        }
    }
    free(rules);
    rows_done(&rows);
    fittings_done(&of_meter);
    return err;
}

/* What the judge knows of a meter's radio says it for nearly all; the others are looked up. */
static enum err find_last(const struct visitor *v, struct txn *ledger, struct txn *views,
                          struct visit *out)
{
    const struct fitting *f = &out->fitting;
    struct judge_index last;
    struct meter_facts m;
    bool known = judge_index(views, f->meter, f->from_s, &last);
    enum err err = meter_facts_by_id(ledger, f->meter, &m);

    if (err || views->err)
        return err ? err : views->err;
    memcpy(out->serial, m.serial, sizeof out->serial);
    if (known && last.at_s >= v->now_s - RECENT_S) {
        out->read = true;
        out->last_read_s = last.at_s;
        return ERR_OK;
    }
    err = newest_from(v, ledger, &m, known ? last.at_s : f->from_s, out);
    return err || out->read || !known ? err : newest_from(v, ledger, &m, f->from_s, out);
}

/* ---- one point ---- */

static void add(struct visit *out, enum visit_cause c, int64_t since_s)
{
    if (!out->causes || since_s < out->since_s)
        out->since_s = since_s;
    out->causes |= 1u << c;
}

/* The cut-off of the route's day but one before today; without a route, or days that nobody can read: now. */
static int64_t two_days_before(const struct visitor *v, struct txn *ledger,
                               const struct ledger_row *point)
{
    struct span name = ledger_cell(point, CELL_POINT_route);
    int64_t day = zone_day_number(&v->app->zone, v->now_s);
    struct ledger_row route;
    struct route_days days;

    if (!name.len || !ledger_find(ledger, LIST_ROUTE, name, INT64_MAX, &route) ||
        route_days_read(ledger_cell(&route, CELL_ROUTE_days), &days))
        return v->now_s;
    day = route_days_before(&days, route_days_before(&days, day + 1));
    return route_day_of(v->app, &route, (int32_t)day).span.cut_s;
}

static void look_at_reads(const struct visitor *v, struct txn *ledger,
                          const struct ledger_row *point, struct visit *out)
{
    int64_t last_s = out->read ? out->last_read_s : out->fitting.from_s;

    if (v->now_s - last_s < GRACE_S)
        return;
    if (!out->read)
        add(out, VISIT_NEVER_READ, last_s);
    else if (last_s - out->fitting.from_s < GRACE_S)
        add(out, VISIT_MISSING, last_s);
    if (out->read && v->now_s - last_s >= UNREAD_S &&
        last_s < two_days_before(v, ledger, point) - SHEET_NEAR_S)
        add(out, VISIT_UNREAD, last_s);
}

/* The place of the newest closed cycle from `i` on that has the point and, unless it is INT64_MAX, ends at to_s; nobody read it there. False: there is none, or t->err. */
static bool is_unread_in(const struct visitor *v, struct txn *t, struct span point, int64_t to_s,
                         size_t *i)
{
    struct determinant d;
    struct span bytes;

    for (; *i < v->cycle_count; ++*i) {
        const struct visit_cycle *c = &v->cycles[*i];

        if (c->to_s < to_s && to_s != INT64_MAX)
            return false;
        if ((to_s != INT64_MAX && c->to_s != to_s) ||
            !ledger_determinant(t, c->id, point, &bytes)) {
            if (t->err)
                return false;
            continue;
        }
        if (determinant_read(bytes, c->from_s, c->to_s, NULL, 0, &d)) {
            t->err = ERR_CORRUPT;
            return false;
        }
        return determinant_unread(&d);
    }
    return false;
}

static enum err look_at_cycles(const struct visitor *v, struct txn *t, struct span point,
                               struct visit *out)
{
    int64_t last_s = out->read ? out->last_read_s : out->fitting.from_s;
    size_t i = 0;

    if (!v->cycle_count || v->cycles[0].to_s <= last_s || v->now_s - last_s < RECENT_S)
        return ERR_OK;
    if (is_unread_in(v, t, point, INT64_MAX, &i) && v->cycles[i].from_s > last_s &&
        is_unread_in(v, t, point, v->cycles[i].from_s, &i))
        add(out, VISIT_ESTIMATED_TWICE, v->cycles[i].from_s);
    return t->err;
}

static void look_at_disputes(const struct visitor *v, uint32_t point, struct visit *out)
{
    size_t low = 0, high = v->dispute_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (v->disputes[mid].point < point)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < v->dispute_count && v->disputes[low].point == point)
        add(out, VISIT_DISPUTED, v->disputes[low].at_s);
}

enum err visit_of(const struct visitor *v, struct txn *ledger, struct txn *views,
                  const struct ledger_row *point, struct visit *out)
{
    enum err err;

    *out = (struct visit){ 0 };
    err = fitting_at(ledger, true, point->id, v->now_s, &out->fitting);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if ((err = find_last(v, ledger, views, out)))
        return err;
    look_at_reads(v, ledger, point, out);
    if ((err = look_at_cycles(v, ledger, ledger_cell(point, CELL_POINT_point), out)))
        return err;
    look_at_disputes(v, point->id, out);
    return ledger->err;
}
