/* POST /v1/orders/ORDER/start: somebody is on the spot. POST /v1/orders/ORDER/cancel: it is not to be done any more. */
#include "server/acts/order_priv.h"

/* A crew starts in its own name only: to give work to others is not its part (ROLES_CHIEF). */
static bool crew_is_himself(struct order_act *o, struct span crew)
{
    if (!crew.len || span_equal(crew, span_text(o->q->caller->who)) || !caller_is_crew(o))
        return true;
    answer_refuse(o->out, ERR_FORBIDDEN, "crew",
                  "the role crew may not do this: found crew %.*s, and the token is %s's",
                  (int)crew.len, (const char *)crew.at, o->q->caller->who);
    return false;
}

/* Who has it keeps it: it is given to another by a change, or by assign. */
static bool crew_has_it(struct order_act *o, struct span crew)
{
    struct span who = o->kept.order.assignee, name = o->kept.order.name;

    if (!crew.len || !who.len || span_equal(crew, who))
        return true;
    answer_refuse(o->out, ERR_CONFLICT, "crew",
                  "crew: found %.*s, and %.*s is %.*s's, expected nothing or %.*s: give it to "
                  "another before",
                  (int)crew.len, (const char *)crew.at, (int)name.len, (const char *)name.at,
                  (int)who.len, (const char *)who.at, (int)who.len, (const char *)who.at);
    return false;
}

/* An order that nobody has becomes that of the crew that is named, or of whoever starts it. */
void act_start_order(const struct act_request *q, struct act_reply *out)
{
    static const char *const members[] = { "crew", NULL };
    struct order_act o;
    struct span crew;

    if (!answer_role(q, out, ROLES_CREW))
        return;
    order_act_init(&o, q, out);
    order_name_member(&o, "crew", &crew);
    body_only(&o.body, members);
    if (order_act_begin(&o) && order_known(&o, q->subject, "order") && order_is_his(&o) &&
        crew_is_himself(&o, crew) && order_facts(&o) && order_allows(&o, MOVE_START) &&
        crew_has_it(&o, crew)) {
        struct order *order = &o.kept.order;

        order_warn_of_assignee(&o, crew);
        if (!order->assignee.len)
            order_assign(&o, crew.len ? crew : span_text(q->caller->who));
        order_move(order, MOVE_START, o.act.now_s);
        if (order_write(&o, NULL)) {
            order_answer(&o, 200, &o.warnings);
            (void)!answer_commit(q, out, &o.act); /* the answer tells */
        }
    }
    order_act_done(&o);
}

static bool has_note(struct order_act *o, struct span note)
{
    if (note.len)
        return true;
    answer_refuse(o->out, ERR_INVALID, "note", "note: found nothing, expected why");
    return false;
}

void act_cancel_order(const struct act_request *q, struct act_reply *out)
{
    static const char *const members[] = { "note", NULL };
    struct order_act o;
    struct span note;

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    order_act_init(&o, q, out);
    body_text(&o.body, "note", &note);
    body_only(&o.body, members);
    if (order_act_begin(&o) && order_known(&o, q->subject, "order") && order_facts(&o) &&
        has_note(&o, note) && order_allows(&o, MOVE_CANCEL)) {
        o.kept.order.note = note;
        o.kept.order.closed_by = span_text(o.act.who);
        order_move(&o.kept.order, MOVE_CANCEL, o.act.now_s);
        if (order_write(&o, NULL)) {
            order_answer(&o, 200, &o.warnings);
            (void)!answer_commit(q, out, &o.act); /* the answer tells */
        }
    }
    order_act_done(&o);
}
