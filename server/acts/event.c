/* POST /v1/meters/SERIAL/events: something in a meter's life, by the state table (rules-fleet T). */
#include "server/acts/event_priv.h"

#include <stdio.h>

/* The event that the body names; EVENT_KINDS: none of the table. */
static enum life_kind kind_named(struct life_body *b)
{
    enum life_kind kind = EVENT_KINDS;
    struct span name;
    char known[400];
    struct wr w = wr_of(known, sizeof known);

    body_text(b, "event", &name);
    if (name.len && event_read(name, &kind))
        return kind;
    for (unsigned i = 0; i < EVENT_KINDS; i++)
        wr_format(&w, "%s%s",
                  i == 0                ? ""
                  : i + 1 < EVENT_KINDS ? ", "
                                        : " or ",
                  event_name((enum life_kind)i));
    if (!w.err)
        body_wrong(b, "event", known);
    return EVENT_KINDS;
}

enum life_kind event_wish_read(const struct act_request *q, const char *besides, int64_t now_s,
                               struct life_wish *w, struct refusal *wrong)
{
    struct life_body b = life_body_of(q, wrong);

    memset(w, 0, sizeof *w);
    w->kind = kind_named(&b);
    life_wish_read(q, now_s, w, wrong);
    body_others(&b, "event", "at", "point", "index_l", "overrule", "result", "verified_on",
                "valid_until", besides, NULL);
    w->wrong = wrong->err ? wrong : NULL;
    return w->kind;
}

static void answer(const struct life_act *l, const struct life_wish *w,
                   const struct warnings *warnings)
{
    struct out *o = &l->out->body;

    answer_begin(l->out, 201);
    out_member_span(o, "serial", w->serial);
    out_member_text(o, "event", event_name(w->kind));
    out_member_time(o, "at", w->at_s);
    out_member_text(o, "state", life_state_name(l->state));
    answer_end(l->out, warnings);
}

void act_post_event(const struct act_request *q, struct act_reply *out)
{
    struct app *app = q->app;
    int64_t now_s = clock_now_s(&app->clock);
    struct refusal wrong = { 0 };
    struct life_wish w;
    struct life_act l;
    struct act act;

    event_wish_read(q, NULL, now_s, &w, &wrong);
    w.serial = q->subject;
    if (!life_may(q, out, w.kind, w.overrule))
        return;
    act = act_join(app->ledger, q->caller->who, now_s, journal_end(app->journal));
    life_act_init(&l, q, out, &act);
    if (act.txn.err) {
        answer_failed(out, act.txn.err);
    } else if (life_act_event(&l, &w)) {
        answer(&l, &w, life_act_warnings(&l));
        if (!answer_commit(q, out, &act))
            life_act_committed(&l);
    }
    answer_abort(out, &act);
    life_act_done(&l);
}
