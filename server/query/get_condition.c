/* Meters that are due by their condition, by that date, then serial. Made whole for each request, from the date on that its cursor names. */
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/condition_list.h"
#include "server/prices.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "serial",
                                       "point",
                                       "state",
                                       "dn",
                                       "q3",
                                       "zone",
                                       "route",
                                       "condition_due",
                                       "condition_basis",
                                       "condition_text_en",
                                       "condition_text_zh",
                                       "legal_due",
                                       "due_on",
                                       "days_left",
                                       NULL };

struct shown {
    struct condition_wish wish;
    char zone[128], route[128];
    struct fleet_rules rules;
    int64_t now_s;
    int32_t today;
    struct condition_row *rows;
    size_t count, at;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    free(s->rows);
    free(s);
}

static void put_row(struct listing *l, struct txn *t, const struct meter_then *m,
                    struct span cursor)
{
    const struct shown *s = (const struct shown *)l->state;
    struct ledger_row meter, point;

    if (!ledger_by_id(t, LIST_METER, m->of.meter, INT64_MAX, &meter) ||
        !ledger_by_id(t, LIST_POINT, m->life.point, INT64_MAX, &point)) {
        listing_fail(l, t->err ? t->err : ERR_MISSING);
        return;
    }
    row_begin(l);
    row_text(l, "serial", ledger_cell(&meter, CELL_METER_serial));
    row_text(l, "point", ledger_cell(&point, CELL_POINT_point));
    row_word(l, "state", life_state_name(m->life.state));
    row_number(l, "dn", ledger_cell(&meter, CELL_METER_dn));
    row_number(l, "q3", ledger_cell(&meter, CELL_METER_q3));
    row_text(l, "zone", ledger_cell(&point, CELL_POINT_zone));
    row_text(l, "route", ledger_cell(&point, CELL_POINT_route));
    row_condition(l, &m->condition);
    row_day(l, "legal_due", m->legal.due);
    row_day(l, "due_on", earlier_day(m->legal.due, m->condition.due));
    row_int(l, "days_left", (int64_t)m->condition.due - s->today);
    row_end(l, cursor);
}

/* What moved since the list was made is told as it is now, or not any more. */
static void put(struct listing *l, struct txn *t, const struct condition_row *row)
{
    const struct shown *s = (const struct shown *)l->state;
    uint8_t bytes[4 + SERIAL_MAX];
    struct wr cursor = wr_of(bytes, sizeof bytes);
    struct meter_then m = { 0 };
    enum err err = meter_then(l->app, t, row->meter, s->now_s, INT64_MAX, &m);

    wr_be32(&cursor, (uint32_t)row->due);
    wr_text(&cursor, row->serial);
    if (!err)
        err = meter_condition(l->app, t, &s->rules, s->now_s, &m);
    if (err)
        listing_fail(l, err);
    else if (m.condition.due == row->due)
        put_row(l, t, &m, wr_span(&cursor));
    else
        listing_pass(l, wr_span(&cursor));
    life_done(&m.of);
}

static void fill(struct listing *l)
{
    struct shown *s = (struct shown *)l->state;
    struct txn t = ledger_read(l->app->ledger);

    while (s->at < s->count && !listing_full(l))
        put(l, &t, &s->rows[s->at++]);
    listing_fail(l, txn_end(&t));
    l->ended = s->at == s->count && !l->err;
}

/* ---- asking ---- */

static bool ask_place(struct request *q, struct txn *t, enum list_kind kind, const char *name,
                      char out[128])
{
    struct span text = ask_text(q, name);

    if (!named_is_known(q, t, kind, name))
        return false;
    snprintf(out, 128, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
    return true;
}

static bool ask_window(struct request *q, struct shown *s)
{
    struct condition_wish *w = &s->wish;
    char last[11];

    w->from_day = w->to_day = NO_DAY;
    if (!ask_days(q, true, &w->from_day, &w->to_day))
        return false;
    if (w->to_day <= s->today + CONDITION_TO_DAYS)
        return true;
    text_put_date(last, s->today + CONDITION_TO_DAYS);
    problem_of(q, ERR_INVALID, "to",
               "to: found a date more than three years ahead, expected %s at most", last);
    return false;
}

static bool ask_all(struct request *q, struct shown *s)
{
    struct txn t;
    int64_t dn;
    bool known;
    enum err err;

    if (!ask_window(q, s) || !ask_int(q, "dn", 1, 5000, 0, &dn))
        return false;
    t = ledger_read(q->app->ledger);
    known = ask_place(q, &t, LIST_ZONE, "zone", s->zone) &&
            ask_place(q, &t, LIST_ROUTE, "route", s->route);
    if (known && (err = fleet_rules_now(q->app, &t, &s->rules))) {
        problem_of(q, err, "", "the list of prices cannot be read: it %s", err_text(err));
        known = false;
    }
    txn_abort(&t);
    s->wish.dn_mm = (int32_t)dn;
    s->wish.zone = s->zone;
    s->wish.route = s->route;
    return known;
}

/* The cursor is (date, serial) of the row before: what is due earlier need not be found again. */
static bool behind(struct request *q, struct condition_row *out)
{
    uint8_t bytes[CURSOR_MAX];
    size_t len = 0;
    struct refusal r = { 0 };
    struct rd rd;

    if (target_cursor(&q->target, bytes, &len, &r) || !len)
        return false; /* a wrong one is refused by the list */
    rd = rd_of(span_of(bytes, len));
    out->due = (int32_t)rd_be32(&rd);
    snprintf(out->serial, sizeof out->serial, "%.*s", (int)rd_left(&rd), (const char *)rd.at);
    return !rd.err;
}

static enum err make(struct request *q, struct shown *s)
{
    struct condition_row after = { 0 };
    bool goes_on = behind(q, &after);
    enum err err;

    if (goes_on && after.due > s->wish.from_day)
        s->wish.from_day = after.due;
    if ((err = condition_list(q->app, &s->wish, &s->rows, &s->count)))
        return err;
    while (goes_on && s->at < s->count && condition_row_order(&s->rows[s->at], &after) <= 0)
        s->at++;
    return ERR_OK;
}

void answer_verifications_condition(struct request *q)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);
    enum err err;

    if (!s) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    s->now_s = clock_now_s(&q->app->clock);
    s->today = (int32_t)zone_day_number(&q->app->zone, s->now_s);
    if (ask_all(q, s)) {
        if (!(err = make(q, s))) {
            listing_new(q, columns, fill, s, shown_done, PAGE);
            return;
        }
        if (err == ERR_LIMIT)
            problem_of(q, ERR_INVALID, "to",
                       "to: found more than %d meters in the window, expected a shorter one",
                       CONDITION_LIST_MAX);
        else
            problem_of(q, err, "", "the list cannot be made: a part %s", err_text(err));
    }
    shown_done(s);
}
