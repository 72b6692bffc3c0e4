/* Orders of work: the list, by whichever index fits what is asked for, and one with its history.  The first of these that is asked for rules the order of the rows:
 *
 *   tour                            its stops in order
 *   flag                            the oldest first
 *   serial, point, assignee         live ones first, then the oldest first
 *   route, zone                     by point, as they are walked, or by name; at each point as above
 *   late=true, due_before           by due time
 *   state, kind                     by kind, the oldest first
 *   nothing of these                by name
 *
 * What else is asked for is filtered out of that.  late=true and due_before mean live orders, unless a closed state is asked for. */
#include "server/orders.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/judge.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = {
#define ORDER_MEMBER(how, name, ...) #name,
#include "server/order_members.def"
    "address", "zone", "route", "flag_state", NULL
};

struct wanted {
    enum order_state state; /* ORDER_STATES: any */
    enum order_kind kind;   /* ORDER_KINDS: any */
    char assignee[64], point[64], serial[64], zone[64], route[64], flag[64], tour[64]; /* "": any */
    bool has_late, late;
    int64_t due_before_s;
    int64_t now_s;
    bool by_place; /* by the points of a route or zone */
};

/* ---- a row ---- */

static void put_time(struct listing *l, const char *name, int64_t at_s)
{
    if (at_s == INT64_MIN || at_s == INT64_MAX)
        row_null(l, name);
    else
        row_time(l, name, at_s);
}

static void put_litres(struct listing *l, const char *name, bool has, int64_t ml)
{
    if (has)
        row_litres(l, name, ml);
    else
        row_null(l, name);
}

static void put_text(struct listing *l, const char *name, struct span text)
{
    if (text.len)
        row_text(l, name, text);
    else
        row_null(l, name);
}

static void put_number(struct listing *l, const char *name, struct span text)
{
    if (text.len)
        row_number(l, name, text);
    else
        row_null(l, name);
}

static void put_word(struct listing *l, const char *name, const char *word)
{
    row_word(l, name, word);
}

static void put_count(struct listing *l, const char *name, uint32_t n)
{
    if (n)
        row_int(l, name, n);
    else
        row_null(l, name);
}

static void put_whole(struct listing *l, const char *name, int64_t n)
{
    row_int(l, name, n);
}

static void put_truth(struct listing *l, const char *name, bool is)
{
    row_bool(l, name, is);
}

static struct span cell(const struct ledger_row *row, bool has, unsigned place)
{
    return has && place < row->count ? row->cells[place] : span_of(NULL, 0);
}

/* What became of the flag that a live order was made for: whoever sends a crew sees when it is over. */
static void put_flag_state(struct listing *l, const struct order *o)
{
    struct flag *f =
        o->flag.len && order_is_live(o->state) ? (struct flag *)malloc(sizeof *f) : NULL;

    row_word(l, "flag_state",
             f && flag_of(l->app, o->flag, f) == ERR_OK ? flag_state_name(f->state) : NULL);
    free(f);
}

static void put_order(struct listing *l, struct txn *t, const struct order *o, int64_t now_s)
{
    struct ledger_row point;
    bool placed = o->point.len && ledger_find(t, LIST_POINT, o->point, INT64_MAX, &point);

#define ORDER_MEMBER(how, name, ...) put_##how(l, #name, __VA_ARGS__);
#include "server/order_members.def"
    put_text(l, "address", cell(&point, placed, CELL_POINT_address));
    put_text(l, "zone", cell(&point, placed, CELL_POINT_zone));
    put_text(l, "route", cell(&point, placed, CELL_POINT_route));
    put_flag_state(l, o);
}

/* ---- which ---- */

static bool is(struct span text, const char *wanted)
{
    return !*wanted || span_equal(text, span_text(wanted));
}

static bool is_there(struct txn *t, const struct wanted *w, const struct order *o)
{
    struct ledger_row point;

    if (!w->zone[0] && !w->route[0])
        return true;
    return o->point.len && ledger_find(t, LIST_POINT, o->point, INT64_MAX, &point) &&
           is(cell(&point, true, CELL_POINT_zone), w->zone) &&
           is(cell(&point, true, CELL_POINT_route), w->route);
}

static bool asks_when(const struct wanted *w)
{
    return (w->has_late && w->late) || w->due_before_s != INT64_MAX;
}

/* Closed ones are not wanted. */
static bool is_live(const struct wanted *w)
{
    return w->state == ORDER_STATES ? asks_when(w) : order_is_live(w->state);
}

static bool is_wanted(struct txn *t, const struct wanted *w, const struct order *o)
{
    return (w->state == ORDER_STATES || o->state == w->state) &&
           (!is_live(w) || order_is_live(o->state)) &&
           (w->kind == ORDER_KINDS || o->kind == w->kind) && is(o->assignee, w->assignee) &&
           is(o->point, w->point) && is(o->serial, w->serial) && is(o->flag, w->flag) &&
           is(o->tour, w->tour) && o->due_s < w->due_before_s &&
           (!w->has_late || order_is_late(o->state, o->since_s, o->due_s, w->now_s) == w->late) &&
           is_there(t, w, o);
}

/* Something is asked for of which there are few. */
static bool by_name(const struct wanted *w)
{
    return w->tour[0] || w->flag[0] || w->point[0] || w->serial[0] || w->assignee[0];
}

static bool by_due(const struct wanted *w)
{
    return asks_when(w) && is_live(w) && !by_name(w) && !w->by_place;
}

static struct order_walk walk_of(struct txn *t, const struct wanted *w, struct span after)
{
    if (w->tour[0])
        return orders_of(t, ORDERS_OF_TOUR, span_text(w->tour), false, after);
    if (w->flag[0])
        return orders_of(t, ORDERS_OF_FLAG, span_text(w->flag), false, after);
    if (w->serial[0])
        return orders_of(t, ORDERS_OF_METER, span_text(w->serial), is_live(w), after);
    if (w->point[0])
        return orders_of(t, ORDERS_OF_POINT, span_text(w->point), is_live(w), after);
    if (w->assignee[0])
        return orders_of(t, ORDERS_OF_ASSIGNEE, span_text(w->assignee), is_live(w), after);
    if (by_due(w))
        return orders_by_due(t, after);
    if (w->state < ORDER_STATES)
        return orders_in_state(t, w->state, w->kind, after);
    if (w->kind < ORDER_KINDS)
        return orders_of_kind(t, w->kind, after);
    return orders_all(t, after);
}

/* By due time the rest is later still. */
static bool is_past(const struct wanted *w, const struct order *o)
{
    return by_due(w) &&
           (o->due_s >= w->due_before_s || (w->has_late && w->late && o->due_s >= w->now_s));
}

static void fill(struct listing *l)
{
    const struct wanted *w = (const struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct order_walk walk;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    walk = walk_of(&t, w, span_of(after, l->cursor_len));
    while (!t.err && !listing_full(l) && (more = order_next(&walk) && !is_past(w, &walk.order))) {
        if (!is_wanted(&t, w, &walk.order)) {
            listing_pass(l, walk.cursor);
            continue;
        }
        row_begin(l);
        put_order(l, &t, &walk.order, w->now_s);
        row_end(l, walk.cursor);
    }
    order_walk_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

/* ---- by the points of a route or zone ---- */

/* The cursor is a place in the walk of the points, so that a page costs what it shows, however many stand before it, and whatever left or came between two pages:
 *
 *   01 · length of the place u8 · the place (storage/ledger.h) · the cursor of the walk of that point's orders
 *   02 · length u8 · the place: there is nothing more at that point */

#define CURSOR_AT 1
#define CURSOR_BEHIND 2
#define PLACE_MAX 100 /* a number and a name of at most 63 bytes */

struct spot {
    bool behind;
    struct span place, there; /* views; empty: from the first */
};

static bool spot_read(struct span cursor, struct spot *out_view)
{
    struct rd r = rd_of(cursor);
    unsigned how = rd_u8(&r);

    out_view->behind = how == CURSOR_BEHIND;
    out_view->place = rd_bytes(&r, rd_u8(&r));
    out_view->there = rd_bytes(&r, rd_left(&r));
    return !r.err && (how == CURSOR_AT || how == CURSOR_BEHIND) && out_view->place.len &&
           out_view->place.len <= PLACE_MAX && (how == CURSOR_AT || !out_view->there.len);
}

static struct span spot_cursor(uint8_t room[CURSOR_MAX], const struct spot *spot)
{
    struct wr w = wr_of(room, CURSOR_MAX);

    wr_u8(&w, spot->behind ? CURSOR_BEHIND : CURSOR_AT);
    wr_u8(&w, (uint8_t)spot->place.len);
    wr_bytes(&w, spot->place);
    wr_bytes(&w, spot->there);
    return wr_span(&w);
}

/* The orders at a point from `spot` on. False: the slice is full. */
static bool put_at_point(struct listing *l, struct txn *t, uint32_t point, struct spot spot)
{
    const struct wanted *w = (const struct wanted *)l->state;
    uint8_t room[CURSOR_MAX];
    struct ledger_row row;
    struct order_walk walk;
    char name[64];
    bool more = true;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) || row.cells[0].len > 63)
        return !t->err;
    snprintf(name, sizeof name, "%.*s", (int)row.cells[0].len, (const char *)row.cells[0].at);
    walk = orders_of(t, ORDERS_OF_POINT, span_text(name), is_live(w), spot.there);
    while (!t->err && !listing_full(l) && (more = order_next(&walk))) {
        spot.there = walk.cursor;
        if (!is_wanted(t, w, &walk.order)) {
            listing_pass(l, spot_cursor(room, &spot));
            continue;
        }
        row_begin(l);
        put_order(l, t, &walk.order, w->now_s);
        row_end(l, spot_cursor(room, &spot));
    }
    order_walk_done(&walk);
    if (!more && !t->err)
        listing_pass(l, spot_cursor(room, &(struct spot){ .behind = true, .place = spot.place }));
    return !more;
}

static void fill_by_place(struct listing *l)
{
    const struct wanted *w = (const struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    bool zone = !w->route[0], more = true, room = true;
    struct points_walk points = ledger_points_walk(&t, zone, span_text(zone ? w->zone : w->route));
    uint8_t after[CURSOR_MAX];
    struct spot last = { 0 };

    memcpy(after, l->cursor, l->cursor_len);
    if (l->cursor_len && !spot_read(span_of(after, l->cursor_len), &last))
        listing_fail(l, ERR_CORRUPT); /* our own: what was asked for has been read */
    points_from(&points, last.place);
    while (!t.err && room && !listing_full(l) && (more = points_next(&points))) {
        struct spot spot = { .place = points.place };

        if (span_equal(points.place, last.place)) {
            if (last.behind)
                continue;
            spot.there = last.there;
        }
        room = put_at_point(l, &t, points.point, spot);
    }
    points_done(&points);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

/* ---- asking ---- */

static bool ask_name(struct request *q, const char *name, char out[64])
{
    struct span text = ask_text(q, name);

    if (text.len > 63) {
        problem_of(q, ERR_INVALID, name, "%s: found %zu bytes, expected at most 63", name,
                   text.len);
        return false;
    }
    if (text.len)
        memcpy(out, text.at, text.len);
    return true;
}

static bool ask_words(struct request *q, struct wanted *w)
{
    struct span state = ask_text(q, "state"), kind = ask_text(q, "kind");
    char known[100];

    w->state = ORDER_STATES;
    w->kind = ORDER_KINDS;
    if (state.len && !order_state_read(state, &w->state)) {
        order_states_list((1u << ORDER_STATES) - 1, known, sizeof known);
        problem_of(q, ERR_INVALID, "state", "state: found %.*s, expected %s",
                   (int)(state.len < 40 ? state.len : 40), (const char *)state.at, known);
        return false;
    }
    if (kind.len && !order_kind_read(kind, &w->kind)) {
        order_kinds_list(known, sizeof known);
        problem_of(q, ERR_INVALID, "kind", "kind: found %.*s, expected %s",
                   (int)(kind.len < 40 ? kind.len : 40), (const char *)kind.at, known);
        return false;
    }
    return true;
}

static bool ask_names(struct request *q, struct wanted *w)
{
    struct txn t;
    bool known;

    if (!ask_name(q, "assignee", w->assignee) || !ask_name(q, "point", w->point) ||
        !ask_name(q, "serial", w->serial) || !ask_name(q, "zone", w->zone) ||
        !ask_name(q, "route", w->route) || !ask_name(q, "flag", w->flag) ||
        !ask_name(q, "tour", w->tour))
        return false;
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_POINT, "point") &&
            named_is_known(q, &t, LIST_METER, "serial") &&
            named_is_known(q, &t, LIST_ZONE, "zone") && named_is_known(q, &t, LIST_ROUTE, "route");
    w->by_place = (w->zone[0] || w->route[0]) && !by_name(w);
    txn_abort(&t);
    return known;
}

/* One that does not read at all is refused where the list begins. */
static bool ask_place(struct request *q, const struct wanted *w)
{
    uint8_t bytes[CURSOR_MAX];
    struct refusal r = { 0 };
    struct spot spot;
    size_t len;

    if (!w->by_place || target_cursor(&q->target, bytes, &len, &r) || !len ||
        spot_read(span_of(bytes, len), &spot))
        return true;
    problem_of(q, ERR_INVALID, "after",
               "after: found what is no place in this list, expected `next` of an answer to the "
               "same question");
    return false;
}

void answer_orders(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    w->now_s = clock_now_s(&q->app->clock);
    w->has_late = ask_text(q, "late").len != 0;
    if (ask_words(q, w) && ask_names(q, w) && ask_place(q, w) && ask_bool(q, "late", &w->late) &&
        ask_time(q, "due_before", INT64_MAX, &w->due_before_s))
        listing_new(q, columns, w->by_place ? fill_by_place : fill, w, free, PAGE);
    else
        free(w);
}

/* ---- one ---- */

#define HISTORY_MOST 1000

struct told {
    struct out *out;
    unsigned count;
};

static void put_cells(struct out *o, const char *name, struct span cells)
{
    out_key(o, name);
    if (cells.len > 1)
        out_bytes(o, cells.at, cells.len); /* an object, as the audit keeps it */
    else
        out_text(o, "{}");
}

static bool put_change(void *arg, const struct audit_record *r)
{
    struct told *told = (struct told *)arg;
    struct out *o = told->out;

    out_text(o, told->count++ ? ",{" : "{");
    out_member_time(o, "at", r->at_s);
    out_member_span(o, "who", r->who);
    out_member_int(o, "act", (int64_t)r->number);
    put_cells(o, "before", r->before);
    put_cells(o, "after", r->after);
    out_text(o, "}");
    return told->count < HISTORY_MOST;
}

static void put_history(struct listing *l, struct txn *t, const struct order *o)
{
    struct told told = { .out = row_raw_begin(l, "history") };
    enum err err;

    out_text(told.out, "[");
    err = order_history(t, o, put_change, &told);
    out_text(told.out, "]");
    row_raw_end(l);
    listing_fail(l, err);
}

void answer_order(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct listing alone;
    struct order order;
    bool found = order_find(&t, q->subject[0], &order);
    enum err err;

    row_alone_begin(&alone, q);
    if (found) {
        row_begin(&alone);
        put_order(&alone, &t, &order, clock_now_s(&q->app->clock));
        put_history(&alone, &t, &order);
        row_end(&alone, order.name);
    }
    err = txn_end(&t);
    listing_fail(&alone, err);
    row_alone_end(&alone);
    if (!err && !found)
        problem_of(q, ERR_NOT_FOUND, "order", "order: there is no order %.*s",
                   (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
                   (const char *)q->subject[0].at);
}
