/* POST /v1/reads: what a person read off the dial at a point.  It is a reading like any other and
 * enters through the journal; the ledger keeps who brought it, and with what note.
 *
 * What is far from all that the dial can show is asked for again, without telling what was read last
 * (无底度抄表): sent once more with "confirm" it is kept, and disputed on its route's sheet. */
#include "server/acts/manual.h"
#include "server/acts/read_range.h"
#include "server/acts/route.h"

#include <stdio.h>

struct reading {
    const struct act_request *q;
    struct act_reply *out;
    struct span point, reader, photo, note;
    struct manual_read read;
    uint32_t point_id;
    uint32_t route_id;       /* 0: the point is on none */
    struct ledger_row route; /* of the point: views into the transaction */
    bool confirmed;
    enum read_range range;
    struct warnings warnings;
};

static bool index_taken(struct reading *m)
{
    const json_t *v = json_object_get(m->q->body, "index_l");
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    if (text.len && text_litres(text, &m->read.index_ml) == ERR_OK)
        return true;
    answer_refuse(m->out, ERR_INVALID, "index_l",
                  "index_l: found %.*s, expected litres, with up to three decimals",
                  text.len ? (int)(text.len < 60 ? text.len : 60) : 7,
                  text.len ? (const char *)text.at : "nothing");
    return false;
}

static bool point_named(struct reading *m)
{
    return answer_members(m->q, m->out, "point", "at", "index_l", "reader", "photo", "note",
                          "confirm", NULL) &&
           answer_text(m->q, m->out, "point", true, &m->point);
}

static bool confirm_taken(struct reading *m)
{
    const json_t *v = json_object_get(m->q->body, "confirm");

    m->confirmed = json_is_true(v);
    if (!v || json_is_boolean(v) || json_is_null(v))
        return true;
    answer_refuse(m->out, ERR_INVALID, "confirm",
                  "confirm: expected true, where the dial does show what was found out of range");
    return false;
}

static bool facts_taken(struct reading *m)
{
    return confirm_taken(m) && answer_text(m->q, m->out, "reader", false, &m->reader) &&
           answer_text(m->q, m->out, "photo", false, &m->photo) &&
           answer_text(m->q, m->out, "note", false, &m->note) &&
           answer_time(m->q, m->out, "at", m->read.now_s, &m->read.at_s) && index_taken(m);
}

static bool time_possible(struct reading *m)
{
    char now[TEXT_TIME_SIZE], at[TEXT_TIME_SIZE];

    if (m->read.at_s >= 0 && m->read.at_s <= UINT32_MAX &&
        m->read.at_s <= m->read.now_s + FUTURE_AFTER_S)
        return true;
    text_put_time(now, m->read.now_s);
    text_put_time(at, m->read.at_s);
    answer_refuse(m->out, ERR_INVALID, "at",
                  "at: found %s, expected a time at most 600 s after the server's clock, %s", at,
                  now);
    return false;
}

static bool point_known(struct reading *m, struct txn *t)
{
    struct ledger_row row;

    if (ledger_find(t, LIST_POINT, m->point, INT64_MAX, &row)) {
        m->point_id = row.id;
        if (CELL_POINT_route < row.count && row.cells[CELL_POINT_route].len &&
            ledger_find(t, LIST_ROUTE, row.cells[CELL_POINT_route], INT64_MAX, &m->route))
            m->route_id = m->route.id;
        if (!t->err)
            return true;
    }
    if (t->err)
        answer_failed(m->out, t->err);
    else
        answer_refuse(m->out, ERR_NOT_FOUND, "point",
                      "point: found %.*s, expected a point that is registered",
                      (int)(m->point.len < 64 ? m->point.len : 64), (const char *)m->point.at);
    return false;
}

static bool meter_found(struct reading *m, struct txn *t)
{
    char at[TEXT_TIME_SIZE];
    uint32_t meter;
    enum err err = manual_meter_at(t, m->point_id, m->read.at_s, &meter);

    if (!err && !(err = meter_facts_by_id(t, meter, &m->read.meter)))
        return true;
    text_put_time(at, m->read.at_s);
    if (err == ERR_NOT_FOUND)
        answer_refuse(m->out, ERR_CONFLICT, "point", "point: at %s no meter was fitted at %.*s", at,
                      (int)m->point.len, (const char *)m->point.at);
    else
        answer_failed(m->out, err);
    return false;
}

static void refuse_range(struct reading *m, const char *index)
{
    if (m->range == READ_UNIT)
        answer_refuse(m->out, ERR_INVALID, "index_l",
                      "index_l: found %s, expected litres: it is as if cubic metres had been read "
                      "(1 m3 is 1000 litres). Read it again; if the dial does show it, send it "
                      "with \"confirm\":true",
                      index);
    else
        answer_refuse(m->out, ERR_INVALID, "index_l",
                      "index_l: found %s, which is outside of what this dial should show at that "
                      "time. Read it again; if the dial does show it, send it with "
                      "\"confirm\":true",
                      index);
}

/* From those in the office a number out of range is taken with a warning, for they see the readings; cubic metres told as litres
 * from nobody. */
static bool range_fits(struct reading *m, struct txn *t)
{
    bool walks = !(ROLES_CHIEF & 1u << m->q->caller->role);
    char index[TEXT_LITRES_SIZE];
    enum err err =
        read_range_of(m->q->app, t, &m->read.meter, m->read.at_s, m->read.index_ml, &m->range);

    if (err) {
        answer_failed(m->out, err);
        return false;
    }
    if (m->range == READ_PLAUSIBLE)
        return true;
    text_put_litres(index, m->read.index_ml);
    if (!m->confirmed && (walks || m->range == READ_UNIT)) {
        refuse_range(m, index);
        return false;
    }
    warn(&m->warnings, "out-of-range", "%s L is outside of what this dial should show", index);
    return true;
}

/* A reader reads points of his own routes. */
static bool may_read(struct reading *m)
{
    return !m->route_id || route_is_callers(m->q, m->out, &m->route);
}

/* In the order of rules-fleet R3. */
static bool read_possible(struct reading *m)
{
    struct txn t = ledger_read(m->q->app->ledger);
    bool possible = point_known(m, &t) && may_read(m) && facts_taken(m) && time_possible(m) &&
                    meter_found(m, &t) && manual_possible(&m->read, m->out) && range_fits(m, &t);

    txn_abort(&t);
    return possible;
}

/* What was confirmed against the range is for a supervisor to look at. */
static void dispute(struct reading *m, struct act *act)
{
    struct route_place at = { m->route_id, m->point_id,
                              (int32_t)zone_day_number(&m->q->app->zone, m->read.at_s) };
    char note[ROUTE_TEXT_MAX] = "", index[TEXT_LITRES_SIZE];
    uint8_t bytes[ROUTE_FACT_ROOM];
    struct wr text = wr_of(note, sizeof note), w = wr_of(bytes, sizeof bytes);
    struct route_dispute known, d = { .at_s = m->read.now_s, .who = span_text(m->q->caller->who) };
    struct span before;

    if (!m->route_id || m->range == READ_PLAUSIBLE || !m->confirmed)
        return;
    if (ledger_route_fact(&act->txn, ROUTE_DISPUTE, &at, &before) &&
        !route_dispute_read(before, &known) && !known.resolved_s)
        return; /* somebody doubts it already */
    text_put_litres(index, m->read.index_ml);
    wr_format(&text, "out of range, confirmed: %s L", index);
    d.note = wr_span(&text);
    route_dispute_write(&w, &d);
    if (w.err && !act->txn.err)
        act->txn.err = w.err;
    if (!act->txn.err)
        act_put_route_fact(act, ROUTE_DISPUTE, &at, wr_span(&w));
}

/* With the answer, which stands by now. */
static void read_note(struct reading *m)
{
    struct app *app = m->q->app;
    struct act act =
        act_join(app->ledger, m->q->caller->who, m->read.now_s, journal_end(app->journal));
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_span(&told, "point", m->point);
    out_member_time(&told, "at", m->read.at_s);
    out_member_litres(&told, "index_l", m->read.index_ml);
    if (m->reader.len)
        out_member_span(&told, "reader", m->reader);
    if (m->photo.len)
        out_member_span(&told, "photo", m->photo);
    if (m->range != READ_PLAUSIBLE)
        out_member_bool(&told, "out_of_range", true);
    out_text(&told, "}");
    if (told.err)
        act.txn.err = told.err;
    else
        act_note(&act, "read", span_text(m->read.meter.serial), span_of(NULL, 0),
                 span_of(told.at, told.len), m->note);
    dispute(m, &act);
    out_done(&told);
    (void)!answer_commit(m->q, m->out, &act); /* the answer tells */
}

static void read_answer(struct reading *m, unsigned status)
{
    struct out *o = &m->out->body;

    answer_begin(m->out, status);
    out_member_text(o, "serial", m->read.meter.serial);
    out_member_span(o, "point", m->point);
    out_member_time(o, "time", m->read.at_s);
    out_member_litres(o, "index_l", m->read.index_ml);
    out_member_text(o, "source", m->photo.len ? "photo" : "manual");
    answer_end(m->out, &m->warnings);
}

void act_post_read(const struct act_request *q, struct act_reply *out)
{
    struct reading m = { .q = q,
                         .out = out,
                         .read = { .app = q->app, .now_s = clock_now_s(&q->app->clock) } };
    bool known;
    enum err err;

    if (!answer_role(q, out, ROLES_READS) || !point_named(&m) || !read_possible(&m))
        return;
    m.read.photo = m.photo.len != 0;
    if ((err = manual_known(&m.read, &known)) || (!known && (err = manual_journal(&m.read)))) {
        answer_failed(out, err);
        return;
    }
    read_answer(&m, known ? 200 : 201);
    if (!known)
        read_note(&m);
}
