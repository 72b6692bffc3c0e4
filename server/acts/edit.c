#include "server/acts/edit.h"

#include "server/registers.h"
#include "server/settler.h"
#include "storage/journal.h"

#include <stdio.h>

bool edit_word_taken(struct editing *e, const char *name, bool needed, struct edit_word *out)
{
    struct span text;

    if (!answer_text(e->q, e->reply, name, needed, &text))
        return false;
    if (text.len > EDIT_TEXT_MAX) {
        answer_refuse(e->reply, ERR_INVALID, name, "%s: found %zu bytes, expected at most %d", name,
                      text.len, EDIT_TEXT_MAX);
        return false;
    }
    out->at_s = e->act.now_s;
    snprintf(out->who, sizeof out->who, "%s", e->q->caller->who);
    snprintf(out->text, sizeof out->text, "%.*s", (int)text.len,
             text.len ? (const char *)text.at : "");
    return true;
}

/* ---- whether it can hold ---- */

static bool placed(struct editing *e)
{
    enum edit_place place;
    char at[TEXT_TIME_SIZE];
    enum err err = edit_place(&e->act.txn, e->edit.point, e->edit.at_s, &place, &e->fitting);

    if (err) {
        answer_failed(e->reply, err);
        return false;
    }
    text_put_time(at, e->edit.at_s);
    if (place == EDIT_PLACE_NONE)
        answer_refuse(e->reply, ERR_CONFLICT, "at", "at: no meter was at the point at %s", at);
    else if (place == EDIT_PLACE_OWN_INDEX)
        answer_refuse(e->reply, ERR_CONFLICT, "at",
                      "at: a meter came or went at %s, and its own index stands there; put the "
                      "exchange right instead",
                      at);
    else if (e->edit.meter && e->fitting.meter != e->edit.meter)
        answer_refuse(e->reply, ERR_CONFLICT, "serial",
                      "serial: at %s another meter was at the point", at);
    else
        return true;
    return false;
}

static bool refuse_beaten(struct editing *e, enum err err)
{
    char reading[TEXT_LITRES_SIZE];

    text_put_litres(reading, e->weighed.reading_ml);
    answer_refuse(e->reply, err, "index_l",
                  "index_l: a reading of that instant, %s, came after the edit was asked for, and "
                  "goes before it; refuse this one, and edit again what is still wrong",
                  reading);
    return false;
}

static void put_reading(struct wr *w, int64_t ml, int64_t at_s)
{
    char reading[TEXT_LITRES_SIZE], at[TEXT_TIME_SIZE];

    text_put_litres(reading, ml);
    text_put_time(at, at_s);
    wr_format(w, "%s at %s", reading, at);
}

static bool refuse_contradicted(struct editing *e, enum err err)
{
    const struct edit_weighed *w = &e->weighed;
    char index[TEXT_LITRES_SIZE], around[160] = "";
    struct wr text = wr_of(around, sizeof around - 1);

    text_put_litres(index, e->edit.index_ml);
    if (w->has_before)
        put_reading(&text, w->before.value, w->before.time_s);
    else
        put_reading(&text, e->fitting.start_ml, e->fitting.from_s);
    if (w->has_after) {
        wr_format(&text, " and ");
        put_reading(&text, w->after.value, w->after.time_s);
    }
    answer_refuse(e->reply, err, "index_l",
                  "index_l: found %s, expected what agrees with the readings around it, %s (rule "
                  "%s)",
                  index, around, rule_name(w->rule));
    return false;
}

bool edit_can_hold(struct editing *e, bool state_only)
{
    enum err refusal = state_only ? ERR_CONFLICT : ERR_INVALID, err;

    if (!placed(e))
        return false;
    e->edit.meter = e->fitting.meter;
    if ((err = edit_weigh(e->q->app, &e->act.txn, &e->edit, &e->fitting, e->act.now_s,
                          &e->weighed))) {
        answer_failed(e->reply, err);
        return false;
    }
    if (e->weighed.beaten)
        return refuse_beaten(e, refusal);
    return !e->weighed.rule || refuse_contradicted(e, refusal);
}

/* ---- closed cycles ---- */

struct closed_look {
    struct editing *editing;
    struct span point;
};

static bool warn_one(void *arg, const struct ledger_cycle *c)
{
    struct closed_look *k = (struct closed_look *)arg;
    struct editing *e = k->editing;
    struct span frozen;

    if (c->state == CYCLE_CLOSED && c->from_s <= e->edit.at_s && e->edit.at_s <= c->to_s &&
        ledger_determinant(&e->act.txn, c->id, k->point, &frozen))
        warn(&e->warnings, "cycle-closed",
             "cycle %.60s is closed: what the edit changes there becomes an adjustment", c->name);
    return true;
}

void edit_warn_closed(struct editing *e)
{
    struct closed_look k = { .editing = e };
    struct ledger_row row;

    if (!ledger_by_id(&e->act.txn, LIST_POINT, e->edit.point, INT64_MAX, &row))
        return;
    k.point = row.cells[CELL_POINT_point];
    (void)!ledger_cycles(&e->act.txn, span_of(NULL, 0), warn_one, &k); /* the act fails with it */
}

/* ---- writing ---- */

static void note(struct editing *e, const char *what, const char *before, struct span why)
{
    struct out was = { 0 }, told = { 0 };
    struct ledger_row row;

    if (!ledger_by_id(&e->act.txn, LIST_POINT, e->edit.point, INT64_MAX, &row))
        return;
    if (before[0]) {
        out_text(&was, "{");
        out_member_text(&was, "state", before);
        out_text(&was, "}");
    }
    out_text(&told, "{");
    out_member_int(&told, "id", (int64_t)e->edit.id);
    out_member_time(&told, "at", e->edit.at_s);
    out_member_litres(&told, "index_l", e->edit.index_ml);
    out_member_text(&told, "state", edit_state_name(e->edit.state));
    out_text(&told, "}");
    if (!e->act.txn.err)
        e->act.txn.err = told.err ? told.err : was.err;
    act_note(&e->act, what, row.cells[CELL_POINT_point], span_of(was.at, was.len),
             span_of(told.at, told.len), why);
    out_done(&told);
    out_done(&was);
}

void edit_commit(struct editing *e, unsigned status, const char *what, const char *before,
                 struct span why)
{
    enum err err;

    act_put_edit(&e->act, &e->edit);
    note(e, what, before, why);
    answer_begin(e->reply, status);
    if ((err = edit_put(&e->reply->body, &e->act.txn, &e->edit))) {
        answer_failed(e->reply, err);
        return;
    }
    answer_end(e->reply, &e->warnings);
    if (!answer_commit(e->q, e->reply, &e->act))
        settler_touch(e->q->app->settler, e->edit.meter);
}
