/* POST /v1/orders: work for a crew or a person (工单), at a point, of a meter. */
#include "server/acts/order_priv.h"
#include "server/judge.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

struct new_order {
    struct order_act o;
    struct span point, serial, reason, assignee, flag, note;
    enum order_kind kind; /* ORDER_KINDS: not told */
    enum order_priority priority;
    bool has_priority;
    int64_t due_s;  /* INT64_MIN: not told */
    char there[64]; /* a name that was looked up */
};

static void read_wish(struct new_order *n)
{
    static const char *const members[] = { "kind",     "point", "serial", "reason", "priority",
                                           "assignee", "due",   "flag",   "note",   NULL };
    struct order_act *o = &n->o;
    struct span kind;
    char known[80];

    n->kind = ORDER_KINDS;
    n->priority = PRIORITY_NORMAL;
    body_text(&o->body, "kind", &kind);
    order_kinds_list(known, sizeof known);
    if (kind.len && !order_kind_read(kind, &n->kind))
        body_wrong(&o->body, "kind", known);
    order_name_member(o, "point", &n->point);
    order_name_member(o, "serial", &n->serial);
    order_name_member(o, "assignee", &n->assignee);
    order_name_member(o, "flag", &n->flag);
    body_text(&o->body, "reason", &n->reason);
    body_text(&o->body, "note", &n->note);
    order_priority_member(o, &n->has_priority, &n->priority);
    order_due_member(o, &n->due_s);
    body_only(&o->body, members);
}

/* ---- does all of it exist ---- */

static bool row_exists(struct new_order *n, enum list_kind list, const char *field,
                       struct span name, uint32_t *out_id)
{
    struct txn *t = &n->o.act.txn;
    struct ledger_row row;

    *out_id = 0;
    if (!name.len)
        return true;
    if (name.len < 64 && ledger_find(t, list, name, INT64_MAX, &row)) {
        *out_id = row.id;
        return true;
    }
    if (t->err)
        answer_failed(n->o.out, t->err);
    else
        answer_refuse(n->o.out, ERR_NOT_FOUND, field, "%s: nobody registered the %s %.*s", field,
                      list == LIST_POINT ? "point" : "meter", (int)(name.len < 64 ? name.len : 64),
                      (const char *)name.at);
    return false;
}

/* A flag's id begins with its meter's, as 8 hex digits (server/judge.h). */
static bool flag_exists(struct new_order *n, uint32_t *out_meter)
{
    struct txn *t = &n->o.act.txn;
    struct span facts;
    char digits[9];

    *out_meter = 0;
    if (!n->flag.len)
        return true;
    if (n->flag.len < FLAG_ID_SIZE && ledger_flag_born(t, n->flag, &facts)) {
        snprintf(digits, sizeof digits, "%.8s", (const char *)n->flag.at);
        *out_meter = (uint32_t)strtoul(digits, NULL, 16);
        if (*out_meter)
            return true;
        answer_refuse(n->o.out, ERR_INVALID, "flag",
                      "flag: found %.*s, expected a flag of a meter: no order comes of an outage",
                      (int)n->flag.len, (const char *)n->flag.at);
        return false;
    }
    if (t->err)
        answer_failed(n->o.out, t->err);
    else
        answer_refuse(n->o.out, ERR_NOT_FOUND, "flag", "flag: there is no flag %.*s",
                      (int)(n->flag.len < 48 ? n->flag.len : 48), (const char *)n->flag.at);
    return false;
}

/* ---- facts ---- */

static bool all_there(struct new_order *n)
{
    bool subject = n->point.len || n->serial.len || n->flag.len;
    const char *missing = n->kind < ORDER_KINDS ? "point" : subject ? "kind" : "kind, point";

    if (n->kind < ORDER_KINDS && subject)
        return true;
    answer_refuse(n->o.out, ERR_INVALID, missing, "%s: found nothing, expected %s", missing,
                  n->kind < ORDER_KINDS ? "a point, a serial or a flag"
                  : subject             ? "what is to be done"
                                        : "all of them");
    return false;
}

/* Who is where now: the other end of the fitting that is open; 0: none. */
static bool fitted_now(struct new_order *n, bool of_point, uint32_t id, uint32_t *out)
{
    struct fitting fitting;
    enum err err = fitting_at(&n->o.act.txn, of_point, id, n->o.act.now_s, &fitting);

    *out = err ? 0 : of_point ? fitting.meter : fitting.point;
    if (!err || err == ERR_NOT_FOUND)
        return true;
    answer_failed(n->o.out, err);
    return false;
}

static bool name_of(struct new_order *n, enum list_kind list, uint32_t id, char out[64])
{
    struct txn *t = &n->o.act.txn;
    struct ledger_row row;

    if (ledger_by_id(t, list, id, INT64_MAX, &row) && row.cells[0].len < 64) {
        snprintf(out, 64, "%.*s", (int)row.cells[0].len, (const char *)row.cells[0].at);
        return true;
    }
    answer_failed(n->o.out, t->err ? t->err : ERR_MISSING);
    return false;
}

static bool refuse_elsewhere(struct new_order *n, uint32_t point)
{
    char where[64] = "";

    if (point && !name_of(n, LIST_POINT, point, where))
        return false;
    answer_refuse(n->o.out, ERR_CONFLICT, "serial", "serial: the meter %.*s is %s%s, not at %.*s",
                  (int)n->serial.len, (const char *)n->serial.at,
                  point ? "fitted at " : "fitted nowhere now", where, (int)n->point.len,
                  (const char *)n->point.at);
    return false;
}

/* One fills the other from the fitting now; both together must agree with it. */
static bool place_of_meter(struct new_order *n, uint32_t meter, uint32_t point)
{
    uint32_t there;

    if (!fitted_now(n, false, meter, &there))
        return false;
    if (point && point != there)
        return refuse_elsewhere(n, there);
    if (there && !point) {
        if (!name_of(n, LIST_POINT, there, n->there))
            return false;
        n->point = span_text(n->there);
    }
    if (n->point.len || (n->kind != ORDER_REPLACE && n->kind != ORDER_READ))
        return true;
    answer_refuse(n->o.out, ERR_CONFLICT, "serial",
                  "serial: the meter %.*s is fitted nowhere now: there is nothing to %s",
                  (int)n->serial.len, (const char *)n->serial.at, order_kind_name(n->kind));
    return false;
}

static bool meter_of_place(struct new_order *n, uint32_t point)
{
    uint32_t there;

    if (!fitted_now(n, true, point, &there))
        return false;
    if (there) {
        if (!name_of(n, LIST_METER, there, n->there))
            return false;
        n->serial = span_text(n->there);
    }
    if (there || n->kind == ORDER_INSPECT)
        return true; /* an empty place may be looked at */
    answer_refuse(n->o.out, ERR_CONFLICT, "point",
                  "point: no meter is fitted at %.*s now: there is nothing to %s",
                  (int)n->point.len, (const char *)n->point.at, order_kind_name(n->kind));
    return false;
}

/* The meter of the flag, where neither point nor meter was told; another than told is wrong. */
static bool meter_of_flag(struct new_order *n, uint32_t of_flag, uint32_t *meter, char room[64])
{
    if (!of_flag || *meter == of_flag)
        return true;
    if (*meter) {
        answer_refuse(n->o.out, ERR_INVALID, "flag",
                      "flag: found %.*s, expected a flag of the meter %.*s", (int)n->flag.len,
                      (const char *)n->flag.at, (int)n->serial.len, (const char *)n->serial.at);
        return false;
    }
    if (n->point.len)
        return true; /* held against whoever is there, later */
    if (!name_of(n, LIST_METER, of_flag, room))
        return false;
    n->serial = span_text(room);
    *meter = of_flag;
    return true;
}

static bool flag_is_of(struct new_order *n, uint32_t of_flag)
{
    struct ledger_row row;

    if (!of_flag || !n->serial.len)
        return true;
    if (ledger_find(&n->o.act.txn, LIST_METER, n->serial, INT64_MAX, &row) && row.id == of_flag)
        return true;
    answer_refuse(n->o.out, ERR_INVALID, "flag",
                  "flag: found %.*s, expected a flag of the meter "
                  "%.*s",
                  (int)n->flag.len, (const char *)n->flag.at, (int)n->serial.len,
                  (const char *)n->serial.at);
    return false;
}

/* What a flag leads to was named by no member: is it the caller's unit's? */
static bool is_his(struct new_order *n)
{
    struct scope s = scope_of(n->o.q->caller->org);

    if (scope_named(&s, &n->o.act.txn, LIST_POINT, n->point) &&
        scope_named(&s, &n->o.act.txn, LIST_METER, n->serial))
        return true;
    answer_refuse(n->o.out, ERR_FORBIDDEN, "flag",
                  "the role %s of the org unit %s may not do this: the meter of the flag belongs "
                  "to another unit, or to none",
                  role_name(n->o.q->caller->role), n->o.q->caller->org);
    return false;
}

static bool is_only(struct new_order *n)
{
    struct order other;

    if (!order_live_at(&n->o.act.txn, n->kind, n->point, n->serial, &other))
        return true;
    answer_refuse(n->o.out, ERR_CONFLICT, "kind", "kind: the order %.*s to %s there is %s",
                  (int)other.name.len, (const char *)other.name.at, order_kind_name(n->kind),
                  order_state_name(other.state));
    return false;
}

static bool settled(struct new_order *n)
{
    uint32_t point, meter, of_flag;
    char room[64];

    /* The flag's meter comes before what may be refused by it. */
    if (!row_exists(n, LIST_POINT, "point", n->point, &point) ||
        !row_exists(n, LIST_METER, "serial", n->serial, &meter) || !flag_exists(n, &of_flag) ||
        !order_facts(&n->o) || !all_there(n) || !meter_of_flag(n, of_flag, &meter, room))
        return false;
    if (meter ? !place_of_meter(n, meter, point) : !meter_of_place(n, point))
        return false;
    if (!flag_is_of(n, of_flag) || !is_his(n) || !is_only(n))
        return false;
    /* `room` ends here: keep what it lent. */
    n->o.kept.order = order_new(&n->o.act, n->kind);
    n->o.kept.order.serial = n->serial;
    n->o.kept.order.point = n->point;
    order_keep(&n->o.kept.order, &n->o.kept);
    return true;
}

/* A limited meter is verified once, before its first fitting (rules-fleet V7): whoever orders it should know. */
static bool warn_of_limited(struct new_order *n)
{
    struct meter_life life;
    struct legal legal;
    enum err err;

    if (n->kind != ORDER_VERIFY)
        return true;
    if (!(err = life_load_serial(n->o.q->app, &n->o.act.txn, n->o.kept.order.serial, &life))) {
        legal_of(&life.rules.verify, NO_DAY, NO_DAY, NO_DAY, NO_DAY, &legal);
        if (legal.regime == REGIME_LIMITED)
            warn(&n->o.warnings, "limited",
                 "%s is of the limited class: it is verified once, and replaced then",
                 life.facts.serial);
    }
    life_done(&life);
    if (err)
        answer_failed(n->o.out, err == ERR_NOT_FOUND ? ERR_MISSING : err);
    return !err;
}

static void fill(struct new_order *n)
{
    struct order *order = &n->o.kept.order;

    order->reason = n->reason;
    order->note = n->note;
    order->flag = n->flag;
    order->priority = n->priority;
    order->due_s = n->due_s == INT64_MIN ? order_due(n->priority, n->o.act.now_s) : n->due_s;
    if (n->assignee.len)
        order_assign(&n->o, n->assignee);
    order_warn_of_assignee(&n->o, n->assignee);
}

void act_post_order(const struct act_request *q, struct act_reply *out)
{
    struct new_order n = { .due_s = 0 };
    char name[ORDER_NAME_SIZE];

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    order_act_init(&n.o, q, out);
    read_wish(&n);
    if (order_act_begin(&n.o) && settled(&n) && warn_of_limited(&n)) {
        fill(&n);
        if (order_write(&n.o, name)) {
            order_answer(&n.o, 201, &n.o.warnings);
            (void)!answer_commit(q, out, &n.o.act); /* the answer tells */
        }
    }
    order_act_done(&n.o);
}
