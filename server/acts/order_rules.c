/* POST /v1/orders/by-rule: orders for what a rule finds, the worst first, and the same without being asked.
 *
 * An order is made where the meter is fitted, and no order of that kind is under way there, none was closed a while ago (`again`), and none was made for that flag before: what a person
 * cancelled or found is not asked again by the same flag. */
#include "server/acts/order_rules.h"

#include "server/acts/answer.h"
#include "server/acts/event_priv.h"
#include "server/acts/order_finds.h"
#include "server/acts/register.h"
#include "server/orders.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define AT_ONCE 10000 /* orders of one act */
#define AT_ONCE_USUAL 1000

enum skipped { SKIPPED_OPEN, SKIPPED_RECENT, SKIPPED_ELSEWHERE, SKIPPED_NOT_FITTED, SKIPS };
static const char *const skip_names[SKIPS] = { "open", "recent", "elsewhere", "not_fitted" };

/* First what a rule finds is sifted by what is known, which may take long and holds up nobody; then, in the act, what is left is looked at once more and made. */
struct ruling {
    struct app *app;
    const struct order_rule *rule;
    struct txn *t;   /* that is looked into */
    struct act *act; /* NULL while sifting */
    int64_t now_s;
    struct scope scope;
    struct span zone, route; /* empty: any */
    int64_t limit;
    bool dry_run;
    struct out *told; /* what was made, a member a row; NULL: nobody asks */
    uint64_t made, skipped[SKIPS];
    bool limited; /* there was more */
};

/* Where the meter of a find is. */
struct spot {
    char serial[SERIAL_MAX + 1], point[64];
};

static void copy(char *out, size_t size, struct span text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
}

/* The point it is fitted at now; 0: none, or t->err. */
static uint32_t fitted_at_now(struct ruling *r, uint32_t meter)
{
    struct fitting fitting;
    enum err err = fitting_at(r->t, false, meter, r->now_s, &fitting);

    if (err && err != ERR_NOT_FOUND && !r->t->err)
        r->t->err = err;
    return err ? 0 : fitting.point;
}

static bool is_wanted_there(struct ruling *r, const struct ledger_row *point)
{
    return (!r->zone.len || span_equal(ledger_cell(point, CELL_POINT_zone), r->zone)) &&
           (!r->route.len || span_equal(ledger_cell(point, CELL_POINT_route), r->route)) &&
           (!r->scope.org[0] || scope_row(&r->scope, r->t, point));
}

/* False: it is not to be made, and why is counted. */
static bool find_spot(struct ruling *r, const struct order_find *f, struct spot *out)
{
    struct txn *t = r->t;
    uint32_t point = fitted_at_now(r, f->meter);
    struct ledger_row meter, place;

    if (!point || !ledger_by_id(t, LIST_METER, f->meter, INT64_MAX, &meter) ||
        !ledger_by_id(t, LIST_POINT, point, INT64_MAX, &place)) {
        r->skipped[SKIPPED_NOT_FITTED]++;
        return false;
    }
    if (!is_wanted_there(r, &place)) {
        r->skipped[SKIPPED_ELSEWHERE]++;
        return false;
    }
    copy(out->serial, sizeof out->serial, ledger_cell(&meter, CELL_METER_serial));
    copy(out->point, sizeof out->point, ledger_cell(&place, CELL_POINT_point));
    return true;
}

/* Was there such an order of the meter lately, or at any time for this flag? */
static bool was_there(struct ruling *r, enum orders_of of, const char *name, int64_t since_s)
{
    struct order_walk w = orders_of(r->t, of, span_text(name), false, span_of(NULL, 0));
    bool found = false;

    while (!found && order_next(&w))
        found = w.order.kind == r->rule->kind && w.order.since_s > since_s;
    order_walk_done(&w);
    return found;
}

static bool may_be_made(struct ruling *r, const struct order_find *f, const struct spot *s)
{
    int64_t since_s = r->now_s - r->rule->again_days * DAY_S;
    struct order other;

    if (order_live_at(r->t, r->rule->kind, span_text(s->point), span_text(s->serial), &other)) {
        r->skipped[SKIPPED_OPEN]++;
        return false;
    }
    if ((r->rule->again_days && was_there(r, ORDERS_OF_METER, s->serial, since_s)) ||
        (f->flag[0] && was_there(r, ORDERS_OF_FLAG, f->flag, INT64_MIN))) {
        r->skipped[SKIPPED_RECENT]++;
        return false;
    }
    return true;
}

static void tell(struct ruling *r, const struct order_find *f, const struct spot *s,
                 const char *order)
{
    if (!r->told)
        return;
    out_text(r->told, r->made ? ",{" : "{");
    out_member_text(r->told, "order", order);
    out_member_text(r->told, "serial", s->serial);
    out_member_text(r->told, "point", s->point);
    out_member_text(r->told, "flag", f->flag[0] ? f->flag : NULL);
    out_text(r->told, "}");
}

static void make(struct ruling *r, const struct order_find *f, const struct spot *s)
{
    struct order o = order_new(r->act, r->rule->kind);
    char name[ORDER_NAME_SIZE] = "", reason[2 * ORDER_RULE_TEXT + 4];

    snprintf(reason, sizeof reason, "%s · %s", r->rule->zh, r->rule->en);
    o.point = span_text(s->point);
    o.serial = span_text(s->serial);
    o.priority = r->rule->priority;
    o.due_s = order_due(o.priority, r->act->now_s);
    o.reason = span_text(reason);
    o.rule = span_text(r->rule->name);
    o.flag = span_text(f->flag);
    /* Of a dry run it is undone, once what it stands in the way of was told. */
    order_put(r->act, &o, name);
    tell(r, f, s, r->dry_run ? NULL : name);
    r->made++;
}

/* Keeps of the finds those that there is to be an order for, up to the limit. */
static enum err sift(struct ruling *r, struct order_finds *finds)
{
    struct txn t = ledger_read(r->app->ledger);
    size_t kept = 0, i = 0;

    r->t = &t;
    for (; i < finds->count && !t.err && (int64_t)kept < r->limit; i++) {
        struct spot spot;

        if (find_spot(r, &finds->at[i], &spot) && may_be_made(r, &finds->at[i], &spot))
            finds->at[kept++] = finds->at[i];
    }
    r->limited = i < finds->count || finds->more;
    finds->count = kept;
    return txn_end(&t);
}

static void make_all(struct ruling *r, struct act *act, const struct order_finds *finds)
{
    r->act = act;
    r->t = &act->txn;
    for (size_t i = 0; i < finds->count && !act->txn.err; i++) {
        struct spot spot;

        if (find_spot(r, &finds->at[i], &spot) && may_be_made(r, &finds->at[i], &spot) &&
            !act->txn.err)
            make(r, &finds->at[i], &spot);
    }
}

/* ---- without being asked ---- */

bool order_rules_any_auto(const struct app *app)
{
    for (unsigned i = 0; i < app->order_rules.count; i++)
        if (app->order_rules.at[i].automatic)
            return true;
    return false;
}

static enum err rule_auto(struct app *app, const struct order_rule *rule)
{
    int64_t now_s = clock_now_s(&app->clock);
    struct ruling r = {
        .app = app, .rule = rule, .now_s = now_s, .scope = scope_of(""), .limit = AT_ONCE
    };
    struct order_finds finds;
    enum err err = order_finds(app, rule, now_s, &finds);

    if (!err)
        err = sift(&r, &finds);
    if (!err && finds.count) {
        struct act act = act_begin(app->ledger, "nilod", now_s, journal_end(app->journal));

        act.words = &register_words;
        make_all(&r, &act, &finds);
        err = act_end(&act);
    }
    free(finds.at);
    return err;
}

enum err order_rules_auto(struct app *app, bool day_began)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; i < app->order_rules.count && !err; i++) {
        const struct order_rule *rule = &app->order_rules.at[i];

        if (rule->automatic &&
            (day_began || (rule->find != FIND_NO_READING && rule->find != FIND_VISIT)))
            err = rule_auto(app, rule);
    }
    return err;
}

/* ---- asked ---- */

struct asking {
    const struct act_request *q;
    struct act_reply *out;
    int64_t now_s;
    struct refusal wrong;
    struct span name, zone, route;
    int64_t limit;
    bool dry_run;
};

static void read_body(struct asking *a)
{
    static const char *const members[] = { "rule", "zone", "route", "limit", "dry_run", NULL };
    struct life_body b = life_body_of(a->q, &a->wrong);
    const json_t *limit = json_object_get(a->q->body, "limit");

    body_text(&b, "rule", &a->name);
    if (!a->name.len)
        body_wrong(&b, "rule", "the name of a rule");
    body_text(&b, "zone", &a->zone);
    body_text(&b, "route", &a->route);
    body_flag(&b, "dry_run", &a->dry_run);
    a->limit = AT_ONCE_USUAL;
    if (limit && !json_is_null(limit) &&
        (!json_is_integer(limit) || json_integer_value(limit) < 1 ||
         json_integer_value(limit) > AT_ONCE))
        body_wrong(&b, "limit", "a whole number from 1 to 10000");
    else if (limit && !json_is_null(limit))
        a->limit = json_integer_value(limit);
    body_only(&b, members);
}

static bool rule_known(struct asking *a, const struct order_rule **out)
{
    *out = order_rule_named(&a->q->app->order_rules, a->name);
    if (*out || !a->name.len)
        return true;
    answer_refuse(
        a->out, ERR_NOT_FOUND, "rule",
        "rule %.*s: the table %s has no such rule (GET /v1/order-rules, nilo order rules)",
        (int)(a->name.len < 64 ? a->name.len : 64), (const char *)a->name.at,
        a->q->app->order_rules.name);
    return false;
}

static bool is_known(struct asking *a, enum list_kind kind, const char *field, struct span name)
{
    struct txn t = ledger_read(a->q->app->ledger);
    struct ledger_row row;
    bool known = !name.len || ledger_find(&t, kind, name, INT64_MAX, &row);
    enum err err = txn_end(&t);

    if (err)
        answer_failed(a->out, err);
    else if (!known)
        answer_refuse(a->out, ERR_NOT_FOUND, field, "%s %.*s: nobody registered it", field,
                      (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    return !err && known;
}

/* How many there are elsewhere is nothing to a token of one org unit. */
static void answer(struct asking *a, struct ruling *r, uint64_t found)
{
    struct out *o = &a->out->body;
    struct warnings w = { 0 };

    if (r->scope.org[0]) {
        found = r->made;
        for (unsigned i = 0; i < SKIPS; i++)
            found += i == SKIPPED_OPEN || i == SKIPPED_RECENT ? r->skipped[i] : 0;
        r->skipped[SKIPPED_ELSEWHERE] = r->skipped[SKIPPED_NOT_FITTED] = 0;
    }
    answer_begin(a->out, r->dry_run || !r->made ? 200 : 201);
    out_member_text(o, "rule", r->rule->name);
    out_member_text(o, "kind", order_kind_name(r->rule->kind));
    out_member_bool(o, "dry_run", r->dry_run);
    out_member_int(o, "found", (int64_t)found);
    out_member_int(o, "created", (int64_t)r->made);
    out_key(o, "skipped");
    out_text(o, "{");
    for (unsigned i = 0; i < SKIPS; i++)
        out_member_int(o, skip_names[i], (int64_t)r->skipped[i]);
    out_text(o, "}");
    out_key(o, "orders");
    out_text(o, "[");
    out_bytes(o, r->told->at, r->told->len);
    out_text(o, "]");
    if (r->told->err && !o->err)
        o->err = r->told->err;
    if (r->limited)
        warn(&w, "more", "there is more than %llu: ask again when these are under way",
             (unsigned long long)r->made);
    if (r->rule->find == FIND_FLAG && !detector_named(span_text(r->rule->flag)))
        warn(&w, "no-detector", "nothing raises flags of the kind %s yet", r->rule->flag);
    answer_end(a->out, &w);
}

static struct act begin(struct asking *a)
{
    struct app *app = a->q->app;
    struct act act = act_join(app->ledger, a->q->caller->who, a->now_s, journal_end(app->journal));

    act.words = &register_words;
    return act;
}

/* A dry run's orders are undone; its answer is kept under its key all the same. */
static void make_and_answer(struct asking *a, struct ruling *r, const struct order_finds *finds,
                            uint64_t found)
{
    struct act act = begin(a);

    make_all(r, &act, finds);
    if (act.txn.err)
        answer_failed(a->out, act.txn.err);
    else
        answer(a, r, found);
    if (r->dry_run) {
        answer_abort(a->out, &act);
        act = begin(a);
    }
    if (a->out->status < 400)
        (void)!answer_commit(a->q, a->out, &act); /* the answer tells */
    answer_abort(a->out, &act);
}

static void carry_out(struct asking *a)
{
    struct out told = { 0 };
    struct ruling r = { .app = a->q->app,
                        .now_s = a->now_s,
                        .scope = scope_of(a->q->caller->org),
                        .zone = a->zone,
                        .route = a->route,
                        .limit = a->limit,
                        .dry_run = a->dry_run,
                        .told = &told };
    struct order_finds finds;
    uint64_t found;
    enum err err;

    if (!rule_known(a, &r.rule) || !is_known(a, LIST_ZONE, "zone", a->zone) ||
        !is_known(a, LIST_ROUTE, "route", a->route))
        return;
    if (a->wrong.err) {
        answer_refuse(a->out, ERR_INVALID, a->wrong.field, "%s", a->wrong.text);
        return;
    }
    err = order_finds(a->q->app, r.rule, a->now_s, &finds);
    found = finds.count;
    if (!err)
        err = sift(&r, &finds);
    if (err)
        answer_failed(a->out, err);
    else
        make_and_answer(a, &r, &finds, found);
    free(finds.at);
    out_done(&told);
}

void act_orders_by_rule(const struct act_request *q, struct act_reply *out)
{
    struct asking a = { .q = q, .out = out, .now_s = clock_now_s(&q->app->clock) };

    if (!answer_role(q, out, ROLES_CHIEF))
        return;
    read_body(&a);
    carry_out(&a);
}
