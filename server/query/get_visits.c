/* GET /v1/visits: points that somebody has to go to (server/visits.h), with why, since when, and whom to call.  What was read last is not told: who goes there reads blindly. */
#include "server/judge.h"
#include "server/orders.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/visits.h"

#include <stdlib.h>

#define PAGE 1000
#define LOOKS_MOST 2048 /* points whose reads are looked at between two transactions */
#define DAY_S 86400

static const char *const columns[] = { "point", "account", "address",      "phone",     "zone",
                                       "route", "seq",     "serial",       "fitted_at", "causes",
                                       "since", "days",    "last_read_at", "order",     NULL };

struct wanted {
    struct visitor visitor;
    char zone[128], route[128]; /* "": any */
    int cause;                  /* enum visit_cause; -1: any */
    int64_t since_s;
    unsigned looks;
};

static void wanted_done(void *state)
{
    struct wanted *w = (struct wanted *)state;

    visitor_done(&w->visitor);
    free(w);
}

/* ---- a row ---- */

static void put_causes(struct listing *l, unsigned causes)
{
    struct out *o = row_raw_begin(l, "causes");
    bool first = true;

    out_text(o, "[");
    for (int c = 0; c < VISIT_CAUSES; c++) {
        if (!(causes & 1u << c))
            continue;
        out_text(o, first ? "{" : ",{");
        first = false;
        out_member_text(o, "cause", visit_cause_name((enum visit_cause)c));
        out_member_text(o, "text_en", visit_cause_en((enum visit_cause)c));
        out_member_text(o, "text_zh", visit_cause_zh((enum visit_cause)c));
        out_text(o, "}");
    }
    out_text(o, "]");
    row_raw_end(l);
}

static void put(struct listing *l, struct txn *t, const struct wanted *w,
                const struct ledger_row *point, const struct visit *v, struct span cursor)
{
    struct order order;
    bool ordered = order_live_at(t, ORDER_READ, ledger_cell(point, CELL_POINT_point),
                                 span_text(v->serial), &order);
    int64_t days = (w->visitor.now_s - v->since_s) / DAY_S;

    row_begin(l);
    row_text(l, "point", ledger_cell(point, CELL_POINT_point));
    row_text(l, "account", ledger_cell(point, CELL_POINT_account));
    row_text(l, "address", ledger_cell(point, CELL_POINT_address));
    row_text(l, "phone", ledger_cell(point, CELL_POINT_phone));
    row_text(l, "zone", ledger_cell(point, CELL_POINT_zone));
    row_text(l, "route", ledger_cell(point, CELL_POINT_route));
    row_number(l, "seq", ledger_cell(point, CELL_POINT_route_seq));
    row_word(l, "serial", v->serial);
    row_time(l, "fitted_at", v->fitting.from_s);
    put_causes(l, v->causes);
    row_time(l, "since", v->since_s);
    row_int(l, "days", days);
    if (v->read)
        row_time(l, "last_read_at", v->last_read_s);
    else
        row_null(l, "last_read_at");
    row_text(l, "order", ordered ? order.name : span_of(NULL, 0));
    row_end(l, cursor);
}

/* ---- the walk ---- */

static bool is_there(const struct wanted *w, const struct ledger_row *point)
{
    return (!w->zone[0] || span_equal(ledger_cell(point, CELL_POINT_zone), span_text(w->zone))) &&
           (!w->route[0] || span_equal(ledger_cell(point, CELL_POINT_route), span_text(w->route)));
}

static bool is_wanted(const struct wanted *w, const struct visit *v)
{
    return v->causes && (w->cause < 0 || v->causes & 1u << w->cause) && v->since_s >= w->since_s;
}

struct looking {
    struct listing *l;
    struct txn *ledger, *views;
};

static void look(struct looking *k, const struct ledger_row *point, struct span cursor)
{
    struct wanted *w = (struct wanted *)k->l->state;
    struct visit v = { 0 };
    enum err err = ERR_OK;

    w->looks++;
    if (is_there(w, point))
        err = visit_of(&w->visitor, k->ledger, k->views, point, &v);
    if (err)
        listing_fail(k->l, err);
    else if (is_wanted(w, &v))
        put(k->l, k->ledger, w, point, &v, cursor);
    else
        listing_pass(k->l, cursor);
}

static bool goes_on(const struct looking *k)
{
    const struct wanted *w = (const struct wanted *)k->l->state;

    return !k->ledger->err && !k->l->err && !listing_full(k->l) && w->looks < LOOKS_MOST;
}

/* Of a route in walking order, of a zone by name. False: there are no more. */
static bool walk_places(struct looking *k)
{
    const struct wanted *w = (const struct wanted *)k->l->state;
    bool zone = !w->route[0], more = true;
    uint8_t after[CURSOR_MAX] = { 0 };
    struct span last = span_of(after, k->l->cursor_len);
    struct points_walk points =
        ledger_points_walk(k->ledger, zone, span_text(zone ? w->zone : w->route));
    struct ledger_row row;

    memcpy(after, k->l->cursor, k->l->cursor_len);
    points_from(&points, last);
    while (goes_on(k) && (more = points_next(&points))) {
        if (last.len && span_equal(points.place, last))
            continue;
        if (ledger_by_id(k->ledger, LIST_POINT, points.point, INT64_MAX, &row))
            look(k, &row, points.place);
    }
    points_done(&points);
    return more;
}

static bool walk_all(struct looking *k)
{
    uint8_t after[CURSOR_MAX];
    struct ledger_walk walk;
    struct ledger_row row;
    bool more = true;

    memcpy(after, k->l->cursor, k->l->cursor_len);
    walk = ledger_walk(k->ledger, LIST_POINT, span_of(after, k->l->cursor_len), INT64_MAX);
    while (goes_on(k) && (more = ledger_walk_next(&walk, &row)))
        look(k, &row, walk.key);
    ledger_walk_done(&walk);
    return more;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn ledger = ledger_read(l->app->ledger), views = views_read(l->app->views);
    struct looking k = { l, &ledger, &views };
    bool more;

    w->looks = 0;
    more = w->zone[0] || w->route[0] ? walk_places(&k) : walk_all(&k);
    listing_fail(l, txn_end(&views));
    listing_fail(l, txn_end(&ledger));
    l->ended = !more && !l->err;
}

/* ---- asking ---- */

static bool ask_cause(struct request *q, int *out)
{
    struct span name = ask_text(q, "cause");
    enum visit_cause cause;

    *out = -1;
    if (!name.len)
        return true;
    if (visit_cause_read(name, &cause)) {
        *out = (int)cause;
        return true;
    }
    problem_of(q, ERR_INVALID, "cause",
               "cause: found %.*s, expected never-read, missing, estimated-twice, unread or "
               "disputed",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static bool ask_place(struct request *q, struct wanted *w, struct txn *t)
{
    return ask_copy(q, "zone", w->zone, sizeof w->zone) &&
           ask_copy(q, "route", w->route, sizeof w->route) &&
           named_is_known(q, t, LIST_ZONE, "zone") && named_is_known(q, t, LIST_ROUTE, "route");
}

void answer_visits(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);
    bool fine = false;
    enum err err = w ? ERR_OK : ERR_NO_MEMORY;

    if (w && ask_place(q, w, &t) && ask_cause(q, &w->cause) &&
        ask_time(q, "since", INT64_MIN, &w->since_s)) {
        err = visitor_init(q->app, &t, clock_now_s(&q->app->clock), &w->visitor);
        fine = !err;
    }
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the points cannot be looked at: the store %s", err_text(err));
    if (fine)
        listing_new(q, columns, fill, w, wanted_done, PAGE);
    else if (w)
        wanted_done(w);
}
