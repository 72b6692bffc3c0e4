/* Verifications that fall due, and those that are overdue (rules-fleet V12, V13), by legal due date, then serial.
 *
 * Today's lists walk the index of due dates.  What was overdue on an earlier day no index knows: then all
 * lives are folded to the end of that day, once a page, and the first matches kept in order; a longer list
 * goes on with another such walk. */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/query/window.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define PAST_MOST 32768 /* some 3 MB; a list of a million takes thirty walks over the lives */

static const char *const columns[] = { "serial", "point", "state",     "dn",        "q3",
                                       "zone",   "route", "legal_due", "days_left", NULL };

struct past {
    int32_t due; /* NO_DAY: never verified */
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
};

struct wanted {
    bool overdue;
    bool fitted, store;       /* which of them */
    int32_t from_day, to_day; /* of legal_due, both inside */
    int32_t count_day;        /* days_left counts from here */
    int64_t at_s;             /* lives as of */
    int64_t dn;               /* 0: any */
    char zone[128], route[128];
    struct window *window; /* of the index: its rows, looked up */
    bool more;             /* there are keys behind them */
    struct past *past; /* of an earlier day: the first that are not told yet, PAST_MOST at most */
    size_t past_count, past_at;
    struct out row;             /* of an earlier day: the one at hand */
    bool past_found, past_more; /* they were looked for; there are more behind them */
};

static void wanted_done(void *state)
{
    struct wanted *w = (struct wanted *)state;

    window_free(w->window);
    out_done(&w->row);
    free(w->past);
    free(w);
}

/* ---- one row ---- */

static bool state_is(const struct wanted *w, enum life_state s)
{
    return (w->fitted && life_is_fitted(s)) || (w->store && LIFE_IN_STORE >> s & 1);
}

static bool due_is(const struct wanted *w, int32_t due)
{
    if (due == NO_DAY)
        return w->overdue;
    return (w->from_day == NO_DAY || due >= w->from_day) && due <= w->to_day;
}

static struct span cell_of(const struct ledger_row *row, unsigned cell)
{
    return cell < row->count ? row->cells[cell] : (struct span){ 0 };
}

static bool place_is(const struct wanted *w, const struct ledger_row *point)
{
    return (!w->zone[0] || span_equal(cell_of(point, CELL_POINT_zone), span_text(w->zone))) &&
           (!w->route[0] || span_equal(cell_of(point, CELL_POINT_route), span_text(w->route)));
}

/* What is told of a meter, as bytes between looking it up and telling it:
 *
 *   u8 how many texts, 0: it is not wanted · u8 state · u32 legal due · each text, counted */
enum { TEXT_SERIAL, TEXT_DN, TEXT_Q3, TEXT_POINT, TEXT_ZONE, TEXT_ROUTE, TEXTS };

static const unsigned meter_cell[] = { CELL_METER_serial, CELL_METER_dn, CELL_METER_q3 };
static const unsigned point_cell[] = { CELL_POINT_point, CELL_POINT_zone, CELL_POINT_route };

/* `point` NULL: it is at none. */
static void keep_row(struct out *o, const struct ledger_row *meter, const struct ledger_row *point,
                     const struct meter_then *m)
{
    unsigned count = point ? TEXTS : TEXT_POINT;
    struct span text[TEXTS];
    size_t most = 6;
    struct wr w;
    char *to;

    for (unsigned i = 0; i < count; i++) {
        text[i] = i < TEXT_POINT ? cell_of(meter, meter_cell[i])
                                 : cell_of(point, point_cell[i - TEXT_POINT]);
        most += text[i].len + 5;
    }
    if (!(to = out_room(o, most)))
        return;
    w = wr_of(to, most);
    wr_u8(&w, (uint8_t)count);
    wr_u8(&w, (uint8_t)m->life.state);
    wr_be32(&w, (uint32_t)m->legal.due);
    for (unsigned i = 0; i < count; i++)
        wr_counted(&w, text[i]);
    o->len += wr_len(&w);
}

static enum err absent(const struct txn *t)
{
    return t->err ? t->err : ERR_MISSING;
}

/* Whether the row is wanted, the life as of the instant says: it may have moved since the index was asked. `m`: zeroed, or of the row before. */
static enum err look(const struct wanted *w, struct app *app, struct txn *t, uint32_t id,
                     struct meter_then *m, struct out *into)
{
    struct ledger_row meter, point;
    enum err err;

    if (!ledger_by_id(t, LIST_METER, id, INT64_MAX, &meter))
        return absent(t);
    if ((err = meter_look(app, t, &meter, w->at_s, INT64_MAX, m)))
        return err;
    point.count = 0;
    if (state_is(w, m->life.state) && due_is(w, m->legal.due) &&
        (!w->dn || m->of.facts.dn_mm == w->dn)) {
        if (m->life.point && !ledger_by_id(t, LIST_POINT, m->life.point, INT64_MAX, &point))
            return absent(t);
        if (place_is(w, &point)) {
            keep_row(into, &meter, m->life.point ? &point : NULL, m);
            return ERR_OK;
        }
    }
    out_bytes(into, "", 1);
    return ERR_OK;
}

static enum err look_all(void *arg, const uint32_t *ids, size_t count, struct out *into,
                         uint32_t *at)
{
    const struct listing *l = (const struct listing *)arg;
    struct txn t = ledger_read(l->app->ledger);
    struct meter_then m = { 0 };
    enum err err = ERR_OK, ended;

    for (size_t i = 0; i < count && !err; i++) {
        at[i] = (uint32_t)into->len;
        err = look((const struct wanted *)l->state, l->app, &t, ids[i], &m, into);
    }
    life_done(&m.of);
    ended = txn_end(&t);
    return err ? err : ended;
}

static void put_row(struct listing *l, enum life_state state, int32_t due, const struct span *text,
                    struct span cursor)
{
    const struct wanted *w = (const struct wanted *)l->state;

    row_begin(l);
    row_text(l, "serial", text[TEXT_SERIAL]);
    if (text[TEXT_POINT].len)
        row_text(l, "point", text[TEXT_POINT]);
    else
        row_null(l, "point");
    row_word(l, "state", life_state_name(state));
    row_number(l, "dn", text[TEXT_DN]);
    row_number(l, "q3", text[TEXT_Q3]);
    row_text(l, "zone", text[TEXT_ZONE]);
    row_text(l, "route", text[TEXT_ROUTE]);
    row_day(l, "legal_due", due);
    if (due == NO_DAY)
        row_null(l, "days_left");
    else
        row_int(l, "days_left", (int64_t)due - w->count_day);
    row_end(l, cursor);
}

static void put(struct listing *l, struct span row, struct span cursor)
{
    struct rd r = rd_of(row);
    unsigned count = rd_u8(&r);
    enum life_state state;
    struct span text[TEXTS] = { { 0 } };
    int32_t due;

    if (!count) {
        listing_pass(l, cursor);
        return;
    }
    state = (enum life_state)rd_u8(&r);
    due = (int32_t)rd_be32(&r);
    for (unsigned i = 0; i < count && i < TEXTS; i++)
        text[i] = rd_counted(&r);
    put_row(l, state, due, text, cursor);
}

/* ---- by the index ---- */

/* One place's walk; `at`: its next row, not taken yet. */
struct lane {
    struct due_walk walk;
    bool open, at;
    uint8_t after[CURSOR_MAX];
};

/* The cursor of a row in one place serves in the other: they differ in the place alone. */
static void lane_open(struct lane *lane, struct listing *l, struct txn *t, enum due_place place)
{
    const struct wanted *w = (const struct wanted *)l->state;

    memcpy(lane->after, l->cursor, l->cursor_len);
    if (l->cursor_len)
        lane->after[0] = (uint8_t)place;
    lane->walk = lives_due(t, place, w->from_day, w->to_day, w->overdue,
                           span_of(lane->after, l->cursor_len));
    lane->open = true;
    lane->at = due_next(&lane->walk);
}

static int key_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.at + 1, b.at + 1, len - 1);

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static struct lane *lane_first(struct lane *a, struct lane *b)
{
    if (!a->at || !b->at)
        return a->at ? a : b->at ? b : NULL;
    return key_order(a->walk.cursor, b->walk.cursor) <= 0 ? a : b;
}

/* The next window of the index. False: there is no more of it. */
static bool open_window(struct listing *l, size_t room)
{
    struct wanted *w = (struct wanted *)l->state;
    struct lane fitted = { 0 }, store = { 0 }, *next = NULL;
    struct txn t;

    listing_fail(l, lives_now(l->app, &w->at_s));
    t = ledger_read(l->app->ledger);
    if (w->fitted)
        lane_open(&fitted, l, &t, DUE_FITTED);
    if (w->store)
        lane_open(&store, l, &t, DUE_STORE);
    while (!t.err && !l->err && (next = lane_first(&fitted, &store)) && room--) {
        window_add(w->window, next->walk.meter, next->walk.cursor);
        next->at = due_next(&next->walk);
    }
    if (fitted.open)
        due_done(&fitted.walk);
    if (store.open)
        due_done(&store.walk);
    listing_fail(l, txn_end(&t));
    return next != NULL;
}

static void fill_indexed(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct window_row one;
    size_t room;

    if (!w->window && !(w->window = window_new(l->app, look_all, l))) {
        listing_fail(l, ERR_NO_MEMORY);
        return;
    }
    if ((room = window_room(w->window, l->limit - l->rows))) {
        w->more = open_window(l, room);
        if (!l->err)
            listing_fail(l, window_look(w->window));
    }
    while (!l->err && !listing_full(l) && window_next(w->window, &one))
        put(l, one.row, one.key);
    l->ended = !w->more && window_told(w->window) && !l->err;
}

/* ---- of an earlier day ---- */

static int past_order(const void *a, const void *b)
{
    const struct past *x = (const struct past *)a, *y = (const struct past *)b;

    if (x->due != y->due) /* never verified: last */
        return x->due == NO_DAY || (y->due != NO_DAY && x->due > y->due) ? 1 : -1;
    return strcmp(x->serial, y->serial);
}

/* What lies behind the first PAST_MOST is looked for again when these are through. */
static void past_cut(struct wanted *w)
{
    qsort(w->past, w->past_count, sizeof *w->past, past_order);
    if (w->past_count <= PAST_MOST)
        return;
    w->past_count = PAST_MOST;
    w->past_more = true;
}

static void past_add(struct wanted *w, const struct past *p)
{
    if (w->past_more && past_order(p, &w->past[PAST_MOST - 1]) >= 0)
        return;
    w->past[w->past_count++] = *p;
    if (w->past_count == 2 * PAST_MOST)
        past_cut(w);
}

/* Its place as known now, of which the filters speak. */
static bool past_place_is(struct wanted *w, struct txn *t, uint32_t point)
{
    struct ledger_row row = { 0 };

    if ((w->zone[0] || w->route[0]) && point &&
        !ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return false;
    return place_is(w, &row);
}

static enum err past_look(struct wanted *w, struct app *app, struct txn *t, uint32_t meter,
                          const struct past *after)
{
    struct meter_then m = { 0 };
    enum err err = meter_then(app, t, meter, w->at_s, INT64_MAX, &m);

    if (!err && state_is(w, m.life.state) && due_is(w, m.legal.due) &&
        (!w->dn || m.of.facts.dn_mm == w->dn) && past_place_is(w, t, m.life.point)) {
        struct past p = { .due = m.legal.due, .meter = meter };

        memcpy(p.serial, m.of.facts.serial, sizeof p.serial);
        if (!after || past_order(&p, after) > 0)
            past_add(w, &p);
    }
    life_done(&m.of);
    return err == ERR_NOT_FOUND ? t->err : err;
}

/* The first of those behind `after` (NULL: of all), in order. */
static enum err past_find(struct wanted *w, struct app *app, const struct past *after)
{
    enum err err = ERR_OK;
    uint32_t meter = 1, last = 1;

    if (!w->past && !(w->past = (struct past *)malloc(2 * PAST_MOST * sizeof *w->past)))
        return ERR_NO_MEMORY;
    w->past_count = w->past_at = 0;
    w->past_more = false;
    while (!err && meter <= last) {
        struct txn t = ledger_read(app->ledger);
        enum err ended;

        last = ledger_last_id(&t, LIST_METER);
        for (unsigned n = 0; n < LISTING_VISITS && meter <= last && !err; n++)
            err = past_look(w, app, &t, meter++, after);
        ended = txn_end(&t);
        err = err ? err : ended;
        if (!err && app->stopping)
            err = ERR_STOPPING;
    }
    past_cut(w);
    w->past_found = true;
    return err;
}

/* The cursor is (due, serial) of a row. */
static enum err past_begin(struct wanted *w, struct app *app, struct span cursor)
{
    struct rd r = rd_of(cursor);
    struct past after = { 0 };

    if (!cursor.len)
        return past_find(w, app, NULL);
    after.due = (int32_t)rd_be32(&r);
    snprintf(after.serial, sizeof after.serial, "%.*s", (int)rd_left(&r), (const char *)r.at);
    return past_find(w, app, &after);
}

static void past_put(struct listing *l, struct txn *t, struct meter_then *m, const struct past *p)
{
    struct wanted *w = (struct wanted *)l->state;
    uint8_t bytes[4 + SERIAL_MAX];
    struct wr cursor = wr_of(bytes, sizeof bytes);
    enum err err;

    wr_be32(&cursor, (uint32_t)p->due);
    wr_text(&cursor, p->serial);
    out_clear(&w->row);
    if (!(err = look(w, l->app, t, p->meter, m, &w->row)))
        err = w->row.err;
    if (err)
        listing_fail(l, err);
    else
        put(l, span_of(w->row.at, w->row.len), wr_span(&cursor));
}

static void fill_past(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct meter_then m = { 0 };
    struct txn t;

    if (!w->past_found)
        listing_fail(l, past_begin(w, l->app, span_of(l->cursor, l->cursor_len)));
    if (!l->err && w->past_at == w->past_count && w->past_more) {
        struct past last = w->past[w->past_count - 1];

        listing_fail(l, past_find(w, l->app, &last));
    }
    t = ledger_read(l->app->ledger);
    while (w->past_at < w->past_count && !listing_full(l))
        past_put(l, &t, &m, &w->past[w->past_at++]);
    life_done(&m.of);
    listing_fail(l, txn_end(&t));
    l->ended = w->past_at == w->past_count && !w->past_more && !l->err;
}

/* ---- asking ---- */

static bool ask_name(struct request *q, struct txn *t, enum list_kind kind, const char *name,
                     char *out, size_t size)
{
    struct span text = ask_text(q, name);

    if (!named_is_known(q, t, kind, name))
        return false;
    snprintf(out, size, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
    return true;
}

static bool ask_filters(struct request *q, struct wanted *w)
{
    struct txn t = ledger_read(q->app->ledger);
    bool fine = ask_name(q, &t, LIST_ZONE, "zone", w->zone, sizeof w->zone) &&
                ask_name(q, &t, LIST_ROUTE, "route", w->route, sizeof w->route);

    txn_abort(&t);
    return fine && ask_int(q, "dn", 1, 5000, 0, &w->dn);
}

static struct wanted *wanted_new(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return NULL;
    }
    w->at_s = clock_now_s(&q->app->clock);
    w->count_day = (int32_t)zone_day_number(&q->app->zone, w->at_s);
    w->fitted = true;
    return w;
}

static bool ask_where(struct request *q, struct wanted *w)
{
    struct span where = ask_text(q, "where");
    bool all = span_equal(where, span_text("all")), store = span_equal(where, span_text("store"));

    if (where.len && !all && !store && !span_equal(where, span_text("fitted"))) {
        problem_of(q, ERR_INVALID, "where", "where: found %.*s, expected fitted, store or all",
                   (int)(where.len < 40 ? where.len : 40), (const char *)where.at);
        return false;
    }
    w->fitted = !store;
    w->store = store || all;
    return true;
}

void answer_verifications_due(struct request *q)
{
    struct wanted *w = wanted_new(q);

    if (w && ask_days(q, true, &w->from_day, &w->to_day) && ask_where(q, w) && ask_filters(q, w))
        listing_new(q, columns, fill_indexed, w, wanted_done, PAGE);
    else if (w)
        wanted_done(w);
}

/* An earlier day is looked at as of its end. */
static void take_day(struct request *q, struct wanted *w, int32_t today)
{
    struct civil c = day_civil((int64_t)w->count_day * 86400);
    int64_t start_s;

    w->from_day = NO_DAY;
    w->to_day = w->count_day - 1;
    if (w->count_day >= today)
        return;
    if (zone_utc(&q->app->zone, c, &start_s)) /* a day that begins later than at midnight */
        start_s = day_utc(c) - zone_offset(&q->app->zone, day_utc(c));
    w->at_s = zone_day_next(&q->app->zone, start_s) - 1;
}

void answer_verifications_overdue(struct request *q)
{
    struct wanted *w = wanted_new(q);
    int32_t today = w ? w->count_day : 0;

    if (w && ask_day(q, "on", false, &w->count_day) && ask_filters(q, w)) {
        w->overdue = true;
        take_day(q, w, today);
        listing_new(q, columns, w->count_day < today ? fill_past : fill_indexed, w, wanted_done,
                    PAGE);
    } else if (w) {
        wanted_done(w);
    }
}
