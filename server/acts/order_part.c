/* Steps that the acts on orders share, and what an exchange outside of orders does to one. */
#include "server/acts/order_priv.h"
#include "server/acts/register.h"

#include <stdio.h>

/* ---- begin and end ---- */

void order_act_init(struct order_act *o, const struct act_request *q, struct act_reply *out)
{
    memset(o, 0, sizeof *o);
    o->q = q;
    o->out = out;
    o->body = life_body_of(q, &o->wrong);
}

bool order_act_begin(struct order_act *o)
{
    struct app *app = o->q->app;

    o->act = act_join(app->ledger, o->q->caller->who, clock_now_s(&app->clock),
                      journal_end(app->journal));
    o->act.words = &register_words;
    if (o->act.txn.err)
        answer_failed(o->out, o->act.txn.err);
    return !o->act.txn.err;
}

void order_act_done(struct order_act *o)
{
    answer_abort(o->out, &o->act);
}

/* ---- members ---- */

bool order_facts(struct order_act *o)
{
    if (!o->wrong.err)
        return true;
    answer_refuse(o->out, o->wrong.err, o->wrong.field, "%s", o->wrong.text);
    return false;
}

void order_name_member(struct order_act *o, const char *name, struct span *out)
{
    body_text(&o->body, name, out);
    if (out->len > 63 ||
        (out->len && (memchr(out->at, '\n', out->len) || memchr(out->at, '\t', out->len))))
        body_wrong(&o->body, name, "a name of at most 63 bytes in one line");
}

void order_priority_member(struct order_act *o, bool *out_told, enum order_priority *out)
{
    struct span text;
    char known[80];

    body_text(&o->body, "priority", &text);
    *out_told = text.len && order_priority_read(text, out);
    if (!text.len || *out_told)
        return;
    order_priorities_list(known, sizeof known);
    body_wrong(&o->body, "priority", known);
}

#define TIME_MOST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

void order_due_member(struct order_act *o, int64_t *out_s)
{
    body_time(&o->body, "due", INT64_MIN, out_s);
    if (*out_s == INT64_MIN || o->wrong.err)
        return;
    if (*out_s < clock_now_s(&o->q->app->clock) || *out_s > TIME_MOST)
        body_wrong(&o->body, "due", "a time that is not over");
}

/* ---- orders ---- */

bool order_known(struct order_act *o, struct span name, const char *field)
{
    struct order order;

    if (order_find(&o->act.txn, name, &order)) {
        order_keep(&order, &o->kept);
        return true;
    }
    if (o->act.txn.err)
        answer_failed(o->out, o->act.txn.err);
    else
        answer_refuse(o->out, ERR_NOT_FOUND, field, "%s: there is no order %.*s", field,
                      (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

bool caller_is_crew(struct order_act *o)
{
    struct ledger_row row;

    return o->q->caller->role == ROLE_CREW &&
           ledger_find(&o->act.txn, LIST_CREW, span_text(o->q->caller->who), INT64_MAX, &row);
}

bool order_is_his(struct order_act *o)
{
    struct span who = o->kept.order.assignee;

    if (!order_is_live(o->kept.order.state) || !who.len ||
        span_equal(who, span_text(o->q->caller->who)) || !caller_is_crew(o))
        return true;
    answer_refuse(o->out, ERR_FORBIDDEN, "order",
                  "the role crew may not do this: %.*s is %.*s's, and the token is %s's",
                  (int)o->kept.order.name.len, (const char *)o->kept.order.name.at, (int)who.len,
                  (const char *)who.at, o->q->caller->who);
    return false;
}

bool order_allows(struct order_act *o, enum order_move m)
{
    char why[400];

    if (order_may(&o->kept.order, m, why, sizeof why))
        return true;
    answer_refuse(o->out, ERR_CONFLICT, "order", "%s", why);
    return false;
}

void order_assign(struct order_act *o, struct span assignee)
{
    struct order *order = &o->kept.order;

    if (span_equal(order->assignee, assignee) && order->state != ORDER_OPEN)
        return;
    if (!span_equal(order->assignee, assignee)) {
        order->tour = span_of(NULL, 0); /* a day list is one crew's */
        order->stop = 0;
    }
    order->assignee = assignee;
    order_move(order, MOVE_ASSIGN, o->act.now_s);
}

void order_warn_of_assignee(struct order_act *o, struct span assignee)
{
    struct ledger_row row;

    if (assignee.len && !ledger_find(&o->act.txn, LIST_CREW, assignee, INT64_MAX, &row))
        warn(&o->warnings, "not-a-crew", "%.*s: no crew of that name is registered: a person?",
             (int)assignee.len, (const char *)assignee.at);
}

bool order_write(struct order_act *o, char room[ORDER_NAME_SIZE])
{
    order_put(&o->act, &o->kept.order, room);
    if (o->act.txn.err)
        answer_failed(o->out, o->act.txn.err);
    return !o->act.txn.err;
}

void order_answer(struct order_act *o, unsigned status, const struct warnings *w)
{
    answer_begin(o->out, status);
    order_put_json(&o->out->body, &o->kept.order, o->act.now_s);
    answer_end(o->out, w);
}

/* ---- an exchange outside of orders ---- */

/* The body's `order` goes before: of several that replace one meter it names the one. */
void order_seek_exchanged(struct act *act, struct exchange_wish *wish, struct order_closed *out)
{
    struct txn *t = &act->txn;
    struct span named = wish->text[EVENT_ORDER_ID];
    struct order order;

    out->found = false;
    if (t->err ||
        !(named.len ? order_find(t, named, &order)
                    : order_live_at(t, ORDER_REPLACE, wish->point, wish->old_serial, &order)))
        return;
    if (order.kind != ORDER_REPLACE || !order_is_live(order.state) ||
        !span_equal(order.serial, wish->old_serial))
        return;
    order_keep(&order, &out->kept);
    out->found = true;
    wish->text[EVENT_ORDER_ID] = out->kept.order.name;
}

void order_close_exchanged(struct act *act, const struct exchange_wish *wish,
                           struct order_closed *closed)
{
    struct order *o = &closed->kept.order;

    if (!closed->found)
        return;
    o->result = RESULT_EXCHANGED;
    o->done_s = wish->at_s;
    o->closed_by = span_text(act->who);
    o->has_index = wish->has_old_index;
    o->index_ml = wish->old_index_ml;
    o->new_serial = wish->new_serial;
    o->has_new_index = wish->has_new_index;
    o->new_index_ml = wish->new_index_ml;
    o->photo = wish->text[EVENT_PHOTO];
    o->seal = wish->text[EVENT_SEAL];
    o->remark = wish->text[EVENT_NOTE];
    order_move(o, MOVE_REPORT, act->now_s);
    order_put(act, o, NULL);
}
