/* POST /v1/meters/SERIAL/offset: how far a meter's dial stands from what its transmitter counts, from an instant on (server/billing/dials.h).  It moves no reading and no bill: day
 * sheets, the range of reads by hand and the flag `out-of-step` go by it. */
#include "server/acts/answer.h"
#include "server/registers.h"
#include "server/settler.h"
#include "storage/journal.h"

#define NOTE_MAX 500

struct telling {
    const struct act_request *q;
    struct act_reply *out;
    struct act *act;
    struct meter_facts meter;
    int64_t at_s, now_s;
    struct ledger_dial dial, known;
    bool again; /* something was told of this instant */
};

static bool meter_known(struct telling *w)
{
    struct ledger_row row;
    struct txn *t = &w->act->txn;

    if (ledger_find(t, LIST_METER, w->q->subject, INT64_MAX, &row) &&
        !meter_facts_by_id(t, row.id, &w->meter))
        return true;
    if (t->err)
        answer_failed(w->out, t->err);
    else
        answer_refuse(w->out, ERR_NOT_FOUND, "serial", "meter %.*s: nobody registered it",
                      (int)(w->q->subject.len < 64 ? w->q->subject.len : 64),
                      (const char *)w->q->subject.at);
    return false;
}

static bool index_taken(struct telling *w, const char *name, bool needed, int64_t *out_ml,
                        bool *out_told)
{
    const json_t *v = json_object_get(w->q->body, name);
    char room[JSON_NUMBER_ROOM], modulus[TEXT_LITRES_SIZE];
    struct span text = v ? json_scalar(v, room) : span_of(NULL, 0);

    *out_told = text.len != 0;
    if (!text.len && !needed && (!v || json_is_null(v)))
        return true;
    if (text.len && !text_litres(text, out_ml) && *out_ml >= 0 && *out_ml < w->meter.modulus_ml)
        return true;
    text_put_litres(modulus, w->meter.modulus_ml);
    answer_refuse(w->out, ERR_INVALID, name, "%s: found %.*s, expected litres from 0 to below %s",
                  name, text.len ? (int)(text.len < 60 ? text.len : 60) : 7,
                  text.len ? (const char *)text.at : "nothing", modulus);
    return false;
}

static bool time_possible(struct telling *w)
{
    char now[TEXT_TIME_SIZE], at[TEXT_TIME_SIZE];

    if (w->at_s >= 0 && w->at_s <= UINT32_MAX && w->at_s <= w->now_s + FUTURE_AFTER_S)
        return true;
    text_put_time(now, w->now_s);
    text_put_time(at, w->at_s);
    answer_refuse(w->out, ERR_INVALID, "at",
                  "at: found %s, expected a time at most 600 s after the server's clock, %s", at,
                  now);
    return false;
}

static bool facts_taken(struct telling *w)
{
    bool told;

    if (!answer_members(w->q, w->out, "at", "dial_l", "counted_l", "note", NULL) ||
        !answer_time(w->q, w->out, "at", w->now_s, &w->at_s) || !time_possible(w) ||
        !index_taken(w, "dial_l", true, &w->dial.dial_ml, &told) ||
        !index_taken(w, "counted_l", false, &w->dial.counted_ml, &w->dial.has_counted) ||
        !answer_text(w->q, w->out, "note", false, &w->dial.note))
        return false;
    w->dial.at_s = (uint32_t)w->at_s;
    if (w->dial.note.len <= NOTE_MAX)
        return true;
    answer_refuse(w->out, ERR_INVALID, "note", "note: found %zu bytes, expected at most %d",
                  w->dial.note.len, NOTE_MAX);
    return false;
}

/* The offset is of a meter where it is fitted. */
static bool is_fitted(struct telling *w)
{
    struct fittings all;
    char at[TEXT_TIME_SIZE];
    bool fitted = false;
    enum err err = fittings_load(&w->act->txn, false, w->meter.id, &all);

    for (size_t i = 0; i < all.count && !err; i++)
        fitted |= all.at[i].from_s <= w->at_s && w->at_s <= all.at[i].to_s;
    fittings_done(&all);
    text_put_time(at, w->at_s);
    if (err)
        answer_failed(w->out, err);
    else if (!fitted)
        answer_refuse(w->out, ERR_CONFLICT, "at", "at: at %s the meter %s was at no point", at,
                      w->meter.serial);
    return !err && fitted;
}

static bool take_known(void *arg, const struct ledger_dial *d)
{
    struct telling *w = (struct telling *)arg;

    w->again = d->at_s == w->dial.at_s;
    w->known = *d;
    return false;
}

static void put_members(const struct telling *w, const struct ledger_dial *d, struct out *o)
{
    out_member_text(o, "serial", w->meter.serial);
    out_member_time(o, "at", d->at_s);
    out_member_litres(o, "dial_l", d->dial_ml);
    if (d->has_counted)
        out_member_litres(o, "counted_l", d->counted_ml);
    else
        out_member_null(o, "counted_l");
    out_member_span(o, "note", d->note);
}

static bool says_the_same(const struct ledger_dial *a, const struct ledger_dial *b)
{
    return a->dial_ml == b->dial_ml && a->has_counted == b->has_counted &&
           (!a->has_counted || a->counted_ml == b->counted_ml) && span_equal(a->note, b->note);
}

static void write(struct telling *w)
{
    struct out before = { 0 }, after = { 0 };

    out_text(&after, "{");
    put_members(w, &w->dial, &after);
    out_text(&after, "}");
    if (w->again) {
        out_text(&before, "{");
        put_members(w, &w->known, &before);
        out_text(&before, "}");
    }
    if (!w->act->txn.err && (after.err || before.err))
        w->act->txn.err = after.err ? after.err : before.err;
    if (!w->act->txn.err)
        act_put_dial(w->act, w->meter.id, &w->dial);
    act_note(w->act, "meter.offset", span_text(w->meter.serial), span_of(before.at, before.len),
             span_of(after.at, after.len), w->dial.note);
    out_done(&before);
    out_done(&after);
}

/* Of an instant the newest counts. */
static void tell(struct telling *w)
{
    enum err err = ledger_dials_of(&w->act->txn, w->meter.id, w->dial.at_s, take_known, w);
    bool same;

    if (err) {
        answer_failed(w->out, err);
        return;
    }
    same = w->again && says_the_same(&w->known, &w->dial);
    answer_begin(w->out, w->again ? 200 : 201);
    put_members(w, &w->dial, &w->out->body);
    answer_end(w->out, NULL);
    w->dial.told_s = w->now_s;
    w->dial.who = span_text(w->q->caller->who);
    if (!same)
        write(w);
    if (!answer_commit(w->q, w->out, w->act))
        settler_touch(w->q->app->settler, w->meter.id);
}

void act_tell_offset(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    struct telling w = { .q = q, .out = out, .now_s = clock_now_s(&app->clock) };
    struct act act;

    if (!answer_role(q, out, ROLES_CREW))
        return;
    act = act_begin(app->ledger, q->caller->who, w.now_s, journal_end(app->journal));
    w.act = &act;
    if (act.txn.err)
        answer_failed(out, act.txn.err);
    else if (meter_known(&w) && facts_taken(&w) && is_fitted(&w))
        tell(&w);
    act_abort(&act);
}
