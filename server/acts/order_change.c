/* POST /v1/orders/ORDER: another priority, due time, note or reason; to whom it is given, or to nobody.
 * POST /v1/orders/assign: many orders to one crew or person, all of them or none. */
#include "server/acts/order_priv.h"

#include <stdio.h>

#define ASSIGNED_AT_ONCE 10000

struct change {
    struct order_act o;
    struct span assignee, note, reason;
    bool has_assignee, has_note, has_reason,
        has_priority; /* the member is there; empty or null: nobody, nothing */
    enum order_priority priority;
    int64_t due_s;
};

static void read_wish(struct change *c)
{
    static const char *const members[] = { "priority", "due", "assignee", "note", "reason", NULL };
    struct order_act *o = &c->o;

    c->has_assignee = json_object_get(o->q->body, "assignee") != NULL;
    c->has_note = json_object_get(o->q->body, "note") != NULL;
    c->has_reason = json_object_get(o->q->body, "reason") != NULL;
    order_name_member(o, "assignee", &c->assignee);
    body_text(&o->body, "note", &c->note);
    body_text(&o->body, "reason", &c->reason);
    order_priority_member(o, &c->has_priority, &c->priority);
    order_due_member(o, &c->due_s);
    body_only(&o->body, members);
}

/* A new priority counts from now, unless a time is told with it. */
static void change(struct change *c)
{
    struct order *order = &c->o.kept.order;
    int64_t now_s = c->o.act.now_s;

    if (c->has_priority && c->priority != order->priority) {
        order->priority = c->priority;
        order->due_s = order_due(c->priority, now_s);
    }
    if (c->due_s != INT64_MIN)
        order->due_s = c->due_s;
    if (c->has_note)
        order->note = c->note;
    if (c->has_reason)
        order->reason = c->reason;
    if (c->has_assignee && c->assignee.len)
        order_assign(&c->o, c->assignee);
    else if (c->has_assignee && order->state != ORDER_OPEN)
        order_move(order, MOVE_UNASSIGN, now_s);
    order_warn_of_assignee(&c->o, c->assignee);
}

void act_change_order(const struct act_request *q, struct act_reply *out)
{
    struct change c = { .due_s = INT64_MIN };

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    order_act_init(&c.o, q, out);
    read_wish(&c);
    if (order_act_begin(&c.o) && order_known(&c.o, q->subject, "order") && order_facts(&c.o) &&
        order_allows(&c.o, MOVE_CHANGE)) {
        change(&c);
        if (order_write(&c.o, NULL)) {
            order_answer(&c.o, 200, &c.o.warnings);
            (void)!answer_commit(q, out, &c.o.act); /* the answer tells */
        }
    }
    order_act_done(&c.o);
}

/* ---- many ---- */

struct assigning {
    struct order_act o;
    struct span assignee;
    const json_t *orders;
    int64_t changed;
};

static struct span name_at(const struct assigning *a, size_t i)
{
    const json_t *v = json_array_get(a->orders, i);

    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
                             : span_of(NULL, 0);
}

static void read_many(struct assigning *a)
{
    static const char *const members[] = { "orders", "assignee", NULL };
    struct order_act *o = &a->o;
    size_t count = json_array_size(a->orders);

    if (!json_is_array(a->orders) || !count || count > ASSIGNED_AT_ONCE)
        body_wrong(&o->body, "orders", "a list of 1 to 10000 names of orders");
    for (size_t i = 0; i < count && !o->wrong.err; i++) {
        if (!name_at(a, i).len)
            body_wrong(&o->body, "orders", "a list of names of orders");
    }
    order_name_member(o, "assignee", &a->assignee);
    if (!a->assignee.len)
        body_wrong(&o->body, "assignee", "a crew or a person");
    body_only(&o->body, members);
}

/* Nothing is written before all of them were found and allow it. */
static bool all_known(struct assigning *a)
{
    for (size_t i = 0; i < json_array_size(a->orders); i++) {
        if (name_at(a, i).len && !order_known(&a->o, name_at(a, i), "orders"))
            return false;
    }
    return true;
}

static bool all_allow(struct assigning *a)
{
    for (size_t i = 0; i < json_array_size(a->orders); i++) {
        if (!order_known(&a->o, name_at(a, i), "orders") || !order_allows(&a->o, MOVE_ASSIGN))
            return false;
    }
    return true;
}

static bool assign_all(struct assigning *a)
{
    for (size_t i = 0; i < json_array_size(a->orders); i++) {
        struct order *order = &a->o.kept.order;

        if (!order_known(&a->o, name_at(a, i), "orders"))
            return false;
        a->changed += order->state == ORDER_OPEN || !span_equal(order->assignee, a->assignee);
        order_assign(&a->o, a->assignee);
        if (!order_write(&a->o, NULL))
            return false;
    }
    order_warn_of_assignee(&a->o, a->assignee);
    return true;
}

static void answer_many(struct assigning *a)
{
    struct out *out = &a->o.out->body;

    answer_begin(a->o.out, 200);
    out_member_span(out, "assignee", a->assignee);
    out_member_int(out, "orders", (int64_t)json_array_size(a->orders));
    out_member_int(out, "changed", a->changed);
    answer_end(a->o.out, &a->o.warnings);
}

void act_assign_orders(const struct act_request *q, struct act_reply *out)
{
    struct assigning a = { .orders = json_object_get(q->body, "orders") };

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    order_act_init(&a.o, q, out);
    read_many(&a);
    if (order_act_begin(&a.o) && all_known(&a) && order_facts(&a.o) && all_allow(&a) &&
        assign_all(&a)) {
        answer_many(&a);
        (void)!answer_commit(q, out, &a.o.act); /* the answer tells */
    }
    order_act_done(&a.o);
}
