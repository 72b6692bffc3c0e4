/* POST /v1/events: one event of many meters, by one paper: a lot received or rejected, meters issued to
 * a crew or given back, a list for the scrap yard.  All of them or none. */
#include "server/acts/event_priv.h"

#include <stdio.h>

#define EVENTS_MOST 10000 /* one transaction, and a lot of meters rarely has more */

struct lot {
    const struct act_request *q;
    struct life_act l;
    struct life_wish w;
    const json_t *serials;
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
    act = act_join(app->ledger, q->caller->who, now_s, journal_end(app->journal));
    life_act_init(&lot.l, q, out, &act);
    lot.l.many = lot.l.quiet = true;
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (life_act_lot(&lot.l, &lot.w, lot.serials, NULL, NULL)) {
        note(&lot);
        answer(&lot);
        if (!answer_commit(q, out, &act))
            life_act_committed(&lot.l);
    }
    answer_abort(out, &act);
    life_act_done(&lot.l);
}
