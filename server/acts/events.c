/* POST /v1/events: one event of many meters, by one paper: a lot received or rejected, meters issued to
 * a crew or given back, a list for the scrap yard.  All of them or none; of those that cannot, the
 * first by the order of the checks is told, and how many more there are. */
#include "server/acts/event_priv.h"

#include <stdio.h>

#define EVENTS_MOST 10000 /* one transaction, and a lot of meters rarely has more */
#define NAMED_MOST 5      /* meters that a refusal names */

struct lot {
    const struct act_request *q;
    struct life_act l;
    struct life_wish w;
    const json_t *serials;
    /* Of those that cannot, in the stage that is told: */
    struct act_reply first;
    enum life_stage stage;
    unsigned refused, named;
    char names[NAMED_MOST * (SERIAL_MAX + 2) + 1];
};

/* Nothing of them is looked up before: where they are no list of serials, nothing is named. */
static bool refuse_serials(struct lot *lot, struct act_reply *out, const char *expected)
{
    (void)lot;
    answer_refuse(out, ERR_INVALID, "serials", "serials: %s", expected);
    return false;
}

static bool serials_are_list(struct lot *lot, struct act_reply *out)
{
    size_t count = json_array_size(lot->serials);
    json_t *seen, *one;
    size_t i;
    bool fine = true;

    if (!json_is_array(lot->serials) || !count || count > EVENTS_MOST)
        return refuse_serials(lot, out, "expected a list of 1 to 10000 serials");
    if (!(seen = json_object())) {
        answer_failed(out, ERR_NO_MEMORY);
        return false;
    }
    json_array_foreach((json_t *)lot->serials, i, one)
    {
        const char *name = json_string_value(one);

        if (!name || !text_is_serial(span_of(name, json_string_length(one)))) {
            fine = refuse_serials(lot, out, "found something else, expected serials of meters");
        } else if (json_object_get(seen, name)) {
            answer_refuse(out, ERR_INVALID, "serials", "serials: found %s twice, expected once",
                          name);
            fine = false;
        } else {
            json_object_set_new(seen, name, json_true());
        }
        if (!fine)
            break;
    }
    json_decref(seen);
    return fine;
}

static void keep_name(struct lot *lot)
{
    size_t len = strlen(lot->names);

    if (lot->named++ < NAMED_MOST)
        snprintf(lot->names + len, sizeof lot->names - len, "%s%.*s", len ? ", " : "",
                 (int)lot->w.serial.len, (const char *)lot->w.serial.at);
}

/* One that cannot: told is the earliest stage, and in it the first meter; a store that fails, before
 * all. */
static void keep_refusal(struct lot *lot)
{
    struct act_reply *out = lot->l.out;

    lot->l.judge_only = true;
    if (!lot->refused || lot->l.stage < lot->stage || lot->l.stage == STAGE_FAILED) {
        lot->first = *out;
        lot->stage = lot->l.stage;
        lot->refused = lot->named = 0;
        lot->names[0] = 0;
    }
    if (lot->l.stage == lot->stage) {
        lot->refused++;
        keep_name(lot);
    }
    memset(out, 0, sizeof *out);
}

static void refuse_lot(struct lot *lot)
{
    struct act_reply *out = lot->l.out;

    *out = lot->first;
    if (lot->refused > 1)
        answer_refuse(out, lot->first.refusal.err, lot->first.refusal.field,
                      "%s; %u of %zu meters cannot: %s%s", lot->first.detail, lot->refused,
                      json_array_size(lot->serials), lot->names,
                      lot->refused > NAMED_MOST ? ", …" : "");
}

/* False: refused. */
static bool all_taken(struct lot *lot)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)lot->serials, i, one)
    {
        lot->w.serial = span_of(json_string_value(one), json_string_length(one));
        if (life_act_event(&lot->l, &lot->w))
            continue;
        keep_refusal(lot);
        if (lot->stage == STAGE_FAILED)
            break;
    }
    if (!lot->refused)
        return true;
    refuse_lot(lot);
    return false;
}

/* One record for all of them: their events have the act's number. */
static void note(struct lot *lot)
{
    const struct life_wish *w = &lot->w;
    struct act *act = lot->l.act;
    struct out told = { 0 };
    char what[40];

    snprintf(what, sizeof what, "meters.%s", event_name(w->kind));
    out_text(&told, "{");
    out_member_time(&told, "at", w->at_s);
    out_member_int(&told, "meters", (json_int_t)json_array_size(lot->serials));
    out_member_text(&told, "first", json_string_value(json_array_get(lot->serials, 0)));
    if (w->text[EVENT_CREW].len)
        out_member_span(&told, "crew", w->text[EVENT_CREW]);
    if (w->text[EVENT_DEPOT].len)
        out_member_span(&told, "depot", w->text[EVENT_DEPOT]);
    out_text(&told, "}");
    if (told.err)
        act->txn.err = told.err;
    else
        act_note(act, what, w->text[EVENT_DOCUMENT], span_of(NULL, 0), span_of(told.at, told.len),
                 w->text[EVENT_NOTE]);
    out_done(&told);
}

static void answer(struct lot *lot)
{
    struct act_reply *out = lot->l.out;
    const struct warnings *warnings = life_act_warnings(&lot->l);
    struct out *o = &out->body;

    answer_begin(out, 201);
    out_member_text(o, "event", event_name(lot->w.kind));
    out_member_time(o, "at", lot->w.at_s);
    out_member_int(o, "meters", (json_int_t)json_array_size(lot->serials));
    out_member_text(o, "state", life_state_name(lot->l.state));
    answer_end(out, warnings);
}

void act_post_events(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    int64_t now_s = clock_now_s(&app->clock);
    struct refusal wrong = { 0 };
    struct lot lot = { .q = q, .serials = json_object_get(q->body, "serials") };
    struct act act;

    event_wish_read(q, "serials", now_s, &lot.w, &wrong);
    if (!life_may(q, out, lot.w.kind, lot.w.overrule) || !serials_are_list(&lot, out))
        return;
    act = act_begin(app->ledger, q->caller->who, now_s, journal_end(app->journal));
    life_act_init(&lot.l, q, out, &act);
    lot.l.many = lot.l.quiet = true;
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (all_taken(&lot)) {
        note(&lot);
        answer(&lot);
        if (!answer_commit(q, out, &act))
            life_act_committed(&lot.l);
    }
    act_abort(&act);
    life_act_done(&lot.l);
}
