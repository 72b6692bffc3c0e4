/* POST /v1/reads: what a person read off the dial at a point.  It is a reading like any other and
 * enters through the journal; the ledger keeps who brought it, and with what note. */
#include "server/acts/answer.h"
#include "server/fleet/columns.h"
#include "server/readings.h"
#include "server/registers.h"
#include "storage/rowset.h"

#include <stdio.h>

struct manual {
    const struct act_request *q;
    struct act_reply *out;
    struct span point, reader, photo, note;
    int64_t now_s, at_s, index_ml;
    struct meter_facts meter;
    uint32_t point_id;
};

/* The meter that was at the point: of two that touch at that instant the one that came. NOT_FOUND:
 * none. */
static enum err meter_at(struct txn *t, uint32_t point, int64_t at_s, uint32_t *out_meter)
{
    struct fittings all;
    uint32_t meter = 0;
    enum err err = fittings_load(t, true, point, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        if (all.at[i].from_s <= at_s && at_s <= all.at[i].to_s)
            meter = all.at[i].meter;
    fittings_done(&all);
    *out_meter = meter;
    return err || meter ? err : ERR_NOT_FOUND;
}

static bool index_taken(struct manual *m)
{
    const json_t *v = json_object_get(m->q->body, "index_l");
    char room[JSON_NUMBER_ROOM];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    if (text.len && text_litres(text, &m->index_ml) == ERR_OK)
        return true;
    answer_refuse(m->out, ERR_INVALID, "index_l",
                  "index_l: found %.*s, expected litres, with up to three decimals",
                  text.len ? (int)(text.len < 60 ? text.len : 60) : 7,
                  text.len ? (const char *)text.at : "nothing");
    return false;
}

static bool point_named(struct manual *m)
{
    return answer_members(m->q, m->out, "point", "at", "index_l", "reader", "photo", "note",
                          NULL) &&
           answer_text(m->q, m->out, "point", true, &m->point);
}

static bool facts_taken(struct manual *m)
{
    return answer_text(m->q, m->out, "reader", false, &m->reader) &&
           answer_text(m->q, m->out, "photo", false, &m->photo) &&
           answer_text(m->q, m->out, "note", false, &m->note) &&
           answer_time(m->q, m->out, "at", m->now_s, &m->at_s) && index_taken(m);
}

static bool time_possible(struct manual *m)
{
    char now[TEXT_TIME_SIZE], at[TEXT_TIME_SIZE];

    if (m->at_s >= 0 && m->at_s <= UINT32_MAX && m->at_s <= m->now_s + FUTURE_AFTER_S)
        return true;
    text_put_time(now, m->now_s);
    text_put_time(at, m->at_s);
    answer_refuse(m->out, ERR_INVALID, "at",
                  "at: found %s, expected a time at most 600 s after the server's clock, %s", at,
                  now);
    return false;
}

static bool index_possible(struct manual *m)
{
    char modulus[TEXT_LITRES_SIZE], index[TEXT_LITRES_SIZE];

    if (m->index_ml >= 0 && m->index_ml < m->meter.modulus_ml)
        return true;
    text_put_litres(modulus, m->meter.modulus_ml);
    text_put_litres(index, m->index_ml);
    answer_refuse(m->out, ERR_INVALID, "index_l",
                  "index_l: found %s, expected 0 to below %s, which the dial of %s does not reach",
                  index, modulus, m->meter.serial);
    return false;
}

static bool point_known(struct manual *m, struct txn *t)
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

static bool meter_found(struct manual *m, struct txn *t)
{
    char at[TEXT_TIME_SIZE];
    uint32_t meter;
    enum err err = meter_at(t, m->point_id, m->at_s, &meter);

    if (!err && !(err = meter_facts_by_id(t, meter, &m->meter)))
        return true;
    text_put_time(at, m->at_s);
    if (err == ERR_NOT_FOUND)
        answer_refuse(m->out, ERR_CONFLICT, "point", "point: at %s no meter was fitted at %.*s", at,
                      (int)m->point.len, (const char *)m->point.at);
    else
        answer_failed(m->out, err);
    return false;
}

/* In the order of rules-fleet R3. */
static bool read_possible(struct manual *m)
{
    struct txn t = ledger_read(m->q->app->ledger);
    bool possible = point_known(m, &t) && facts_taken(m) && time_possible(m) &&
                    meter_found(m, &t) && index_possible(m);

    txn_abort(&t);
    return possible;
}

static uint32_t manual_attr(const struct manual *m)
{
    return m->photo.len ? SOURCE_PHOTO : SOURCE_MANUAL;
}

/* Is the very same read there already?  Then nothing is written, so that a repeat is harmless. */
static enum err read_known(struct manual *m, bool *out_known)
{
    struct rows rows = { 0 };
    enum err err = readings_load(m->q->app, &m->meter, meter_billed_channel(&m->meter), m->at_s,
                                 m->at_s + 1, &rows);

    *out_known = false;
    for (size_t i = 0; i < rows.count && !err; i++)
        if (rows.at[i].value == m->index_ml &&
            (rows.at[i].attr & ATTR_SOURCE) == (manual_attr(m) & ATTR_SOURCE))
            *out_known = true;
    rows_done(&rows);
    return err;
}

static enum err read_journal(struct manual *m)
{
    struct row row = { .value = m->index_ml, .time_s = (uint32_t)m->at_s, .attr = manual_attr(m) };
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct record record = { .kind = RECORD_ROWS,
                             .transport = TRANSPORT_HTTP,
                             .meter = m->meter.id,
                             .arrival_s = (uint32_t)m->now_s };
    struct intake *intake = NULL;
    enum err err;

    rowset_put(&w, m->meter.id, CHANNEL_BILLED, &row, 1);
    record.bytes = wr_span(&w);
    if (!(err = intake_new(&intake)) && !(err = intake_add(intake, &record)))
        err = ingest_submit_wait(m->q->app->ingest, intake);
    intake_free(intake);
    return err;
}

/* With the answer, which stands by now. */
static void read_note(struct manual *m)
{
    struct app *app = m->q->app;
    struct act act = act_join(app->ledger, m->q->caller->who, m->now_s, journal_end(app->journal));
    struct out told = { 0 };

    out_text(&told, "{");
    out_member_span(&told, "point", m->point);
    out_member_time(&told, "at", m->at_s);
    out_member_litres(&told, "index_l", m->index_ml);
    if (m->reader.len)
        out_member_span(&told, "reader", m->reader);
    if (m->photo.len)
        out_member_span(&told, "photo", m->photo);
    out_text(&told, "}");
    if (told.err)
        act.txn.err = told.err;
    else
        act_note(&act, "read", span_text(m->meter.serial), span_of(NULL, 0),
                 span_of(told.at, told.len), m->note);
    out_done(&told);
    (void)!answer_commit(m->q, m->out, &act); /* the answer tells */
}

static void read_answer(struct manual *m, unsigned status)
{
    struct out *o = &m->out->body;

    answer_begin(m->out, status);
    out_member_text(o, "serial", m->meter.serial);
    out_member_span(o, "point", m->point);
    out_member_time(o, "time", m->at_s);
    out_member_litres(o, "index_l", m->index_ml);
    out_member_text(o, "source", m->photo.len ? "photo" : "manual");
    answer_end(m->out, NULL);
}

void act_post_read(const struct act_request *q, struct act_reply *out)
{
    struct manual m = { .q = q, .out = out, .now_s = clock_now_s(&q->app->clock) };
    bool known;
    enum err err;

    if (!answer_role(q, out, ROLES_READS) || !point_named(&m) || !read_possible(&m))
        return;
    if ((err = read_known(&m, &known)) || (!known && (err = read_journal(&m)))) {
        answer_failed(out, err);
        return;
    }
    read_answer(&m, known ? 200 : 201);
    if (!known)
        read_note(&m);
}
