#include "server/tours.h"

#include "proto/base/text.h"
#include "server/readings.h"
#include "server/registers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define NUMBER_DIGITS 4
#define NUMBERS_DAY 9999u /* lists of a day; names stay in order */

/* ---- names ---- */

void tour_name(int32_t day, uint32_t number, char out[TOUR_NAME_SIZE])
{
    char date[11];

    text_put_date(date, day);
    snprintf(out, TOUR_NAME_SIZE, "T-%s-%04u", date, (unsigned)(number % (NUMBERS_DAY + 1)));
}

bool tour_day(struct span name, int32_t *out_day)
{
    int64_t day, number;

    if (name.len != 13 + NUMBER_DIGITS || memcmp(name.at, "T-", 2) != 0 || name.at[12] != '-' ||
        text_date(span_of(name.at + 2, 10), &day) ||
        text_int(span_of(name.at + 13, NUMBER_DIGITS), &number) || number < 1)
        return false;
    *out_day = (int32_t)day;
    return true;
}

static struct key number_key(int32_t day)
{
    struct key k;
    char date[11];

    text_put_date(date, day);
    key_clear(&k);
    key_u8(&k, 'T');
    key_text(&k, span_text(date));
    return k;
}

/* The highest number of the day's lists from `last` on: one that came from a file was given no number here. */
static uint32_t last_there(struct txn *t, int32_t day, uint32_t last)
{
    char name[TOUR_NAME_SIZE] = "";
    struct tour_walk w;
    int64_t number;

    if (last)
        tour_name(day, last, name);
    w = tours_of(t, day, span_of(NULL, 0), span_text(name));
    while (tour_walk_next(&w))
        if (!text_int(span_of(w.name + 13, NUMBER_DIGITS), &number))
            last = (uint32_t)number;
    return last;
}

void tour_next(struct act *a, int32_t day, char out[TOUR_NAME_SIZE])
{
    struct key k = number_key(day);
    struct index_walk w = ledger_index_walk(&a->txn, INDEX_ORDERS, key_span(&k), span_of(NULL, 0));
    uint32_t last = index_next(&w) ? w.value : 0;

    index_done(&w);
    last = last_there(&a->txn, day, last);
    if (last >= NUMBERS_DAY && !a->txn.err)
        a->txn.err = ERR_LIMIT;
    act_index_put(a, INDEX_ORDERS, key_span(&k), last + 1);
    tour_name(day, last + 1, out);
}

/* ---- places ---- */

static bool degrees(struct span text, double *out)
{
    char room[40];
    char *end;

    if (!text.len || text.len >= sizeof room)
        return false;
    memcpy(room, text.at, text.len);
    room[text.len] = 0;
    *out = strtod(room, &end);
    return *end == 0 && isfinite(*out);
}

void tour_point(struct txn *t, struct span name, struct tour_point *out)
{
    struct ledger_row row;

    *out = (struct tour_point){ .seq = INT64_MAX };
    if (!name.len || !ledger_find(t, LIST_POINT, name, INT64_MAX, &row))
        return;
    out->known = true;
    out->id = row.id;
    out->account = ledger_cell(&row, CELL_POINT_account);
    out->address = ledger_cell(&row, CELL_POINT_address);
    out->phone = ledger_cell(&row, CELL_POINT_phone);
    out->route = ledger_cell(&row, CELL_POINT_route);
    out->zone = ledger_cell(&row, CELL_POINT_zone);
    out->placed = degrees(ledger_cell(&row, CELL_POINT_lon), &out->at.lon) &&
                  degrees(ledger_cell(&row, CELL_POINT_lat), &out->at.lat);
    if (text_int(ledger_cell(&row, CELL_POINT_route_seq), &out->seq))
        out->seq = INT64_MAX;
}

/* ---- lists there are ---- */

struct tour_walk tours_of(struct txn *t, int32_t day, struct span assignee, struct span after)
{
    struct tour_walk w = { .txn = t };
    char date[11], begin[TOUR_NAME_SIZE];

    key_clear(&w.prefix);
    key_u8(&w.prefix, assignee.len ? ORDERS_TOURS_OF : ORDERS_OF_TOUR);
    if (assignee.len)
        key_text(&w.prefix, assignee);
    w.skip = key_span(&w.prefix).len;
    if (day != NO_DAY) {
        text_put_date(date, day);
        snprintf(begin, sizeof begin, "T-%s-", date);
        for (const char *c = begin; *c; c++)
            key_u8(&w.prefix, (uint8_t)*c);
    }
    snprintf(w.after, sizeof w.after, "%.*s", (int)after.len,
             after.len ? (const char *)after.at : "");
    return w;
}

/* Behind every order of a list: the numbers that follow its name are lower. */
static struct key behind(const struct tour_walk *w)
{
    struct span prefix = key_span(&w->prefix);
    struct key k;

    key_clear(&k);
    for (size_t i = 0; i < w->skip; i++)
        key_u8(&k, prefix.at[i]);
    key_text(&k, span_text(w->after));
    key_u32(&k, UINT32_MAX);
    key_u32(&k, UINT32_MAX);
    return k;
}

bool tour_walk_next(struct tour_walk *w)
{
    struct key from = behind(w);
    struct index_walk index = ledger_index_walk(w->txn, INDEX_ORDERS, key_span(&w->prefix),
                                                w->after[0] ? key_span(&from) : span_of(NULL, 0));
    bool found = index_next(&index);

    if (found) {
        struct span rest = span_of(index.key.at + w->skip, index.key.len - w->skip);
        size_t len = strnlen((const char *)rest.at, rest.len);

        if (len >= sizeof w->name) /* cut off it would lie before itself: the walk would not end */
            w->txn->err = ERR_CORRUPT;
        snprintf(w->name, sizeof w->name, "%.*s", (int)len, (const char *)rest.at);
        memcpy(w->after, w->name, sizeof w->after);
    }
    index_done(&index);
    return found && !w->txn->err;
}

/* ---- one list ---- */

/* Adds the way to `to` from the last place with coordinates; below 0: not known. */
static double step_to(const struct tour_point *to, struct tour_place *last, bool *begun)
{
    double leg = -1;

    if (!to->placed)
        return leg;
    leg = *begun ? tour_metres(*last, to->at) : 0;
    *last = to->at;
    *begun = true;
    return leg;
}

void tour_sum(struct app *app, struct txn *t, struct span name, struct tour_sum *out)
{
    struct order_walk w = orders_of(t, ORDERS_OF_TOUR, name, false, span_of(NULL, 0));
    struct tour_place last = { 0 };
    int64_t now_s = clock_now_s(&app->clock);
    bool begun = false;

    memset(out, 0, sizeof *out);
    while (order_next(&w)) {
        const struct order *o = &w.order;
        struct tour_point point;
        double leg;

        tour_point(t, o->point, &point);
        leg = step_to(&point, &last, &begun);
        if (!out->stops++) {
            text_cut(out->assignee, 64, o->assignee);
            text_cut(out->point, 64, o->point);
        }
        out->left += order_is_live(o->state);
        out->late +=
            order_is_live(o->state) && order_is_late(o->state, o->since_s, o->due_s, now_s);
        out->unplaced += !point.placed;
        out->metres += leg > 0 ? leg : 0;
        out->minutes += app->order_rules.minutes[o->kind];
    }
    order_walk_done(&w);
    out->minutes += (uint32_t)ceil(out->metres * 60 / TOUR_WALK_MPH);
}

/* The meter's newest reading, looked for in ever longer spans: most have one of today. */
static enum err last_reading(struct app *app, const struct meter_facts *m, int64_t now_s,
                             struct tour_shown *s)
{
    static const int64_t spans_d[] = { 2, 40, 400 };
    struct rows rows = { 0 };
    enum err err = ERR_OK;

    for (size_t i = 0; i < sizeof spans_d / sizeof spans_d[0] && !err && !rows.count; i++)
        err = readings_load(app, m, meter_billed_channel(m), now_s - spans_d[i] * DAY_S, now_s + 1,
                            &rows);
    if (!err && rows.count) {
        s->has_last = true;
        s->last_ml = rows.at[rows.count - 1].value;
        s->last_s = rows.at[rows.count - 1].time_s;
    }
    rows_done(&rows);
    return err;
}

/* Which meter a stop is about. */
static enum err find_meter(struct txn *t, const struct tour_shown *s, int64_t now_s,
                           struct meter_facts *m)
{
    struct fitting fitting;
    enum err err;

    if (s->order.serial.len)
        return meter_facts_by_serial(t, s->order.serial, m);
    if (!s->place.known)
        return ERR_NOT_FOUND;
    err = fitting_at(t, true, s->place.id, now_s, &fitting);
    return err ? err : meter_facts_by_id(t, fitting.meter, m);
}

static enum err show_meter(struct app *app, struct txn *t, struct tour_shown *s,
                           struct meter_facts *m)
{
    int64_t now_s = clock_now_s(&app->clock);
    enum err err = find_meter(t, s, now_s, m);

    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err)
        return err;
    s->serial = span_text(m->serial);
    s->dn_mm = m->dn_mm;
    return s->order.kind == ORDER_READ ? ERR_OK : last_reading(app, m, now_s, s);
}

/* Room for what one stop borrows. */
struct stop_room {
    struct flag flag;
    struct meter_facts meter;
    char reason[LIMIT_TEXT + 1];
};

static enum err show_why(struct app *app, struct tour_shown *s, struct stop_room *room)
{
    const struct order_rule *rule = order_rule_named(&app->order_rules, s->order.rule);
    enum err err;

    s->flag = NULL;
    s->text_en = s->text_zh = NULL;
    if (s->order.reason.len) {
        snprintf(room->reason, sizeof room->reason, "%.*s", (int)s->order.reason.len,
                 (const char *)s->order.reason.at);
        s->text_en = s->text_zh = room->reason;
    }
    if (rule) {
        s->text_en = rule->en;
        s->text_zh = rule->zh;
    }
    if (!s->order.flag.len)
        return ERR_OK;
    err = flag_of(app, s->order.flag, &room->flag);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (!err) {
        s->flag = &room->flag;
        s->text_en = room->flag.text_en;
        s->text_zh = room->flag.text_zh;
    }
    return err;
}

enum err tour_each(struct app *app, struct txn *t, struct span name,
                   bool (*each)(void *arg, const struct tour_shown *s), void *arg)
{
    struct stop_room *room = (struct stop_room *)malloc(sizeof *room);
    struct order_walk w = orders_of(t, ORDERS_OF_TOUR, name, false, span_of(NULL, 0));
    struct tour_place last = { 0 };
    bool begun = false, more = true;
    uint32_t count = 0;
    enum err err = room ? ERR_OK : ERR_NO_MEMORY;

    while (!err && more && order_next(&w)) {
        struct tour_shown s = { .order = w.order, .number = ++count };

        tour_point(t, s.order.point, &s.place);
        s.leg_m = step_to(&s.place, &last, &begun);
        err = show_meter(app, t, &s, &room->meter);
        if (!err)
            err = show_why(app, &s, room);
        if (!err)
            more = each(arg, &s);
    }
    order_walk_done(&w);
    free(room);
    if (!err)
        err = t->err;
    return !err && !count ? ERR_NOT_FOUND : err;
}
