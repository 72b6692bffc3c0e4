/* POST /v1/routes/ROUTE/day/recheck: what a second person read at a point that was drawn (server/routes_draw.h), held against what the day's sheet
 * has. It is no reading: it tells how right the route's reads are. */
#include "server/acts/route.h"
#include "server/routes_draw.h"

#include <stdlib.h>

struct rechecking {
    const struct act_request *q;
    struct act_reply *reply;
    struct ledger_row route;
    int32_t day;
    struct route_place at;
    struct span point;
    struct route_recheck found;
    struct route_sheet sheet;
    const struct sheet_row *row;
    struct sheet_read read;
};

/* ---- facts ---- */

static bool level_taken(struct rechecking *r)
{
    struct span text;

    if (!answer_text(r->q, r->reply, "level", false, &text))
        return false;
    r->found.level = RECHECK_TEAM;
    for (int l = 0; l < RECHECK_LEVELS; l++) {
        if (text.len && !span_equal(text, span_text(recheck_level_name((enum recheck_level)l))))
            continue;
        r->found.level = (enum recheck_level)l;
        return true;
    }
    answer_refuse(r->reply, ERR_INVALID, "level",
                  "level: found %.*s, expected team, branch or company",
                  (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

static bool index_taken(struct rechecking *r)
{
    const json_t *v = json_object_get(r->q->body, "index_l");
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    if (text.len && text_litres(text, &r->found.index_ml) == ERR_OK)
        return true;
    answer_refuse(r->reply, ERR_INVALID, "index_l",
                  "index_l: found %.*s, expected litres, with up to three decimals",
                  text.len ? (int)(text.len < 60 ? text.len : 60) : 7,
                  text.len ? (const char *)text.at : "nothing");
    return false;
}

/* A second person is somebody else than who reads the route. */
static bool is_second_person(struct rechecking *r)
{
    const struct ledger_row *route = &r->route;
    struct span reader =
        CELL_ROUTE_reader < route->count ? route->cells[CELL_ROUTE_reader] : (struct span){ 0 };

    if (!reader.len || !span_equal(reader, span_text(r->q->caller->who)))
        return true;
    answer_refuse(r->reply, ERR_FORBIDDEN, "route",
                  "route: %s reads it; expected a re-read by a second person", r->q->caller->who);
    return false;
}

static bool taken(struct rechecking *r, struct txn *t)
{
    int64_t now_s = clock_now_s(&r->q->app->clock);
    struct route_day day;
    enum err err;

    if (!route_named(r->q, r->reply, t, &r->route) || !is_second_person(r) ||
        !route_date(r->q, r->reply, &r->day) ||
        !route_point(r->q, r->reply, t, &r->route, r->day, &r->point, &r->at.point) ||
        !answer_members(r->q, r->reply, "date", "level", "point", "index_l", "at", "note", NULL) ||
        !level_taken(r) || !index_taken(r) ||
        !answer_time(r->q, r->reply, "at", now_s, &r->found.at_s) ||
        !route_text(r->q, r->reply, "note", false, &r->found.note))
        return false;
    r->at.route = r->route.id;
    r->at.day = r->day;
    day = route_day_of(r->q->app, &r->route, r->day);
    if ((err = route_sheet_load(r->q->app, t, r->q->subject, &day, now_s, &r->sheet)))
        answer_failed(r->reply, err);
    return !err;
}

/* ---- the draw ---- */

static bool is_drawn(struct rechecking *r)
{
    struct route_draw draw;
    bool drawn = false;
    enum err err = route_draw(&r->sheet, r->q->subject, r->found.level, &draw);

    for (size_t i = 0; i < draw.count && !drawn && !err; i++) {
        r->row = &r->sheet.rows[draw.drawn[i].row];
        drawn = r->row->point == r->at.point;
    }
    if (err)
        answer_failed(r->reply, err);
    else if (!drawn)
        answer_refuse(r->reply, ERR_CONFLICT, "point",
                      "point: %.*s was not drawn for the level %s, of the %zu of %zu points that "
                      "the seed %s draws",
                      (int)r->point.len, (const char *)r->point.at,
                      recheck_level_name(r->found.level), draw.count, draw.of, draw.seed);
    route_draw_done(&draw);
    return drawn && !err;
}

static bool time_possible(struct rechecking *r)
{
    char at[TEXT_TIME_SIZE], read[TEXT_TIME_SIZE];

    (void)sheet_read_of(r->row, &r->read);
    if (r->found.at_s >= r->read.at_s &&
        r->found.at_s <= clock_now_s(&r->q->app->clock) + FUTURE_AFTER_S)
        return true;
    text_put_time(at, r->found.at_s);
    text_put_time(read, r->read.at_s);
    answer_refuse(r->reply, ERR_INVALID, "at",
                  "at: found %s, expected a time after the first read, %s, and not in the future",
                  at, read);
    return false;
}

static bool is_first(struct rechecking *r, struct txn *t)
{
    struct route_recheck known;
    struct span bytes;

    if (!ledger_route_fact(t, route_recheck_kind(r->found.level), &r->at, &bytes) ||
        route_recheck_read(bytes, &known)) {
        if (!t->err)
            return true;
        answer_failed(r->reply, t->err);
        return false;
    }
    answer_refuse(r->reply, ERR_CONFLICT, "point", "point: %.*s was read again already, by %.*s",
                  (int)r->point.len, (const char *)r->point.at, (int)known.who.len,
                  (const char *)known.who.at);
    return false;
}

/* ---- the act ---- */

static void put_members(const struct rechecking *r, struct out *o)
{
    char date[11];

    text_put_date(date, r->day);
    out_member_span(o, "route", r->q->subject);
    out_member_text(o, "date", date);
    out_member_text(o, "level", recheck_level_name(r->found.level));
    out_member_span(o, "point", r->point);
    out_member_litres(o, "read_l", r->read.dial_ml);
    out_member_time(o, "read_at", r->read.at_s);
    out_member_litres(o, "index_l", r->found.index_ml);
    out_member_time(o, "at", r->found.at_s);
    out_member_span(o, "by", r->found.who);
    out_member_span(o, "note", r->found.note);
    out_member_bool(o, "agrees", r->found.agrees);
}

static void write(struct rechecking *r, struct act *act)
{
    uint8_t bytes[ROUTE_FACT_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct out told = { 0 };

    r->found.who = span_text(r->q->caller->who);
    r->found.agrees = recheck_agrees(
        &r->row->facts_meter, &r->read, r->row->use_known ? r->row->use_ml : -1,
        r->sheet.day.span.cut_s - r->sheet.day.since_s, r->found.at_s, r->found.index_ml);
    route_recheck_write(&w, &r->found);
    answer_begin(r->reply, 201);
    put_members(r, &r->reply->body);
    answer_end(r->reply, NULL);
    out_text(&told, "{");
    put_members(r, &told);
    out_text(&told, "}");
    if (!act->txn.err && (told.err || w.err))
        act->txn.err = told.err ? told.err : w.err;
    if (!act->txn.err)
        act_put_route_fact(act, route_recheck_kind(r->found.level), &r->at, wr_span(&w));
    act_note(act, "route.recheck", r->point, span_of(NULL, 0), span_of(told.at, told.len),
             r->found.note);
    out_done(&told);
    (void)!answer_commit(r->q, r->reply, act); /* the answer tells */
}

void act_recheck_row(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct rechecking r = { .q = q, .reply = out };
    struct txn t;
    struct act act;
    bool fine;

    if (!answer_role(q, out, ROLES_SHEETS))
        return;
    t = ledger_read(app->ledger);
    fine = taken(&r, &t) && is_drawn(&r) && time_possible(&r);
    txn_abort(&t);
    if (fine) {
        act = act_by(q);
        if (act.txn.err)
            answer_failed(out, act.txn.err);
        else if (is_first(&r, &act.txn))
            write(&r, &act);
        act_abort(&act);
    }
    route_sheet_done(&r.sheet);
}
