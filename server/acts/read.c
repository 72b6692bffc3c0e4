/* POST /v1/reads: what a person read off the dial at a point.  It is a reading like any other and
 * enters through the journal; the ledger keeps who brought it, and with what note. */
#include "server/acts/manual.h"

#include <stdio.h>

struct reading {
    const struct act_request *q;
    struct act_reply *out;
    struct span point, reader, photo, note;
    struct manual_read read;
    uint32_t point_id;
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
                          NULL) &&
           answer_text(m->q, m->out, "point", true, &m->point);
}

static bool facts_taken(struct reading *m)
{
    return answer_text(m->q, m->out, "reader", false, &m->reader) &&
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

/* In the order of rules-fleet R3. */
static bool read_possible(struct reading *m)
{
    struct txn t = ledger_read(m->q->app->ledger);
    bool possible = point_known(m, &t) && facts_taken(m) && time_possible(m) &&
                    meter_found(m, &t) && manual_possible(&m->read, m->out);

    txn_abort(&t);
    return possible;
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
    out_text(&told, "}");
    if (told.err)
        act.txn.err = told.err;
    else
        act_note(&act, "read", span_text(m->read.meter.serial), span_of(NULL, 0),
                 span_of(told.at, told.len), m->note);
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
    answer_end(m->out, NULL);
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
