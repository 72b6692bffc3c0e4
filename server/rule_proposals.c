#include "server/rule_proposals.h"

#include "server/judge_priv.h"
#include "server/orders.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)

const char *found_by_name(enum found_by b)
{
    static const char *const names[FOUND_BYS] = { "rule", "model", "zone" };

    return names[b];
}

/* ---- counting ---- */

struct counting {
    struct app *app;
    struct txn *ledger;
    struct found_groups *out;
    int64_t since_s[DETECT_RULES]; /* flags told earlier do not count */
    enum err err;
};

static struct found_group *group_of(struct counting *k, enum found_by by, enum detect_rule rule,
                                    struct span name)
{
    struct found_groups *g = k->out;

    for (size_t i = 0; i < g->count; i++)
        if (g->at[i].by == by && g->at[i].rule == rule &&
            span_equal(name, span_text(g->at[i].name)))
            return &g->at[i];
    if (g->count >= FOUND_GROUPS_MOST || name.len >= FOUND_NAME) {
        g->more = true;
        return NULL;
    }
    if (g->count == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 64;
        struct found_group *more = (struct found_group *)realloc(g->at, cap * sizeof *more);

        if (!more) {
            k->err = ERR_NO_MEMORY;
            return NULL;
        }
        g->at = more;
        g->cap = cap;
    }
    g->at[g->count] = (struct found_group){ .by = by, .rule = rule };
    snprintf(g->at[g->count].name, FOUND_NAME, "%.*s", (int)name.len,
             name.len ? (const char *)name.at : "");
    return &g->at[g->count++];
}

enum said { SAID_YES, SAID_NO, SAID_NOTHING };

static void count(struct counting *k, enum found_by by, enum detect_rule rule, struct span name,
                  enum said o)
{
    struct found_group *g = group_of(k, by, rule, name);

    if (!g)
        return;
    g->found.confirmed += o == SAID_YES;
    g->found.dismissed += o == SAID_NO;
    g->found.refused += o == SAID_NOTHING;
}

static void count_flag(struct counting *k, struct span id, enum said o)
{
    struct flag_record born;
    struct ledger_row row;
    struct span facts;
    int rule;

    if (!ledger_flag_born(k->ledger, id, &facts))
        return; /* a cell's, or what an earlier program told */
    if ((k->err = flag_decode(id, facts, &born)))
        return;
    rule = detect_rule_named(span_text(born.kind->flag));
    if (rule < 0 || born.told_s < k->since_s[rule])
        return;
    count(k, FOUND_BY_RULE, (enum detect_rule)rule, span_of(NULL, 0), o);
    if (ledger_by_id(k->ledger, LIST_METER, born.meter, INT64_MAX, &row))
        count(k, FOUND_BY_MODEL, (enum detect_rule)rule, ledger_cell(&row, CELL_METER_model), o);
    if (ledger_by_id(k->ledger, LIST_POINT, born.point, INT64_MAX, &row))
        count(k, FOUND_BY_ZONE, (enum detect_rule)rule, ledger_cell(&row, CELL_POINT_zone), o);
}

static bool take(void *arg, struct span id, uint8_t state)
{
    struct counting *k = (struct counting *)arg;

    count_flag(k, id, state == 1 ? SAID_YES : SAID_NO);
    return !k->err;
}

/* Orders whose last report was that the customer refused, of flags on which nobody has decided since. */
static void count_refused(struct counting *k)
{
    struct order_walk w = orders_all(k->ledger, span_of(NULL, 0));

    while (!k->err && order_next(&w))
        if (w.order.result == RESULT_REFUSED && w.order.flag.len &&
            !ledger_flag_decided(k->ledger, w.order.flag))
            count_flag(k, w.order.flag, SAID_NOTHING);
    order_walk_done(&w);
}

static int by_place(const void *left, const void *right)
{
    const struct found_group *a = (const struct found_group *)left;
    const struct found_group *b = (const struct found_group *)right;

    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    if (a->by != b->by)
        return a->by < b->by ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* From when on flags are by the figures that hold for all meters now. */
static void since(struct counting *k, const struct check_rules *rules)
{
    int64_t now_s = clock_now_s(&k->app->clock);
    int64_t today = zone_day_number(&k->app->zone, now_s);

    for (int r = 0; r < DETECT_RULES; r++) {
        const struct check_line *l =
            line_for(rules, listed_flag((enum detect_rule)r), today, USE_UNKNOWN, 0);
        int64_t noon_s = l->from_day * DAY_S + DAY_S / 2;

        k->since_s[r] = now_s - PROPOSALS_DAYS * DAY_S;
        if (l->from_day == INT64_MIN)
            continue;
        noon_s -= zone_offset(&k->app->zone, noon_s);
        noon_s = zone_day_start(&k->app->zone, noon_s);
        if (noon_s > k->since_s[r])
            k->since_s[r] = noon_s;
    }
}

enum err found_groups_load(struct app *app, struct txn *ledger, struct found_groups *out)
{
    struct counting k = { .app = app, .ledger = ledger, .out = out };
    struct rules_held *held;
    enum err err;

    *out = (struct found_groups){ 0 };
    if ((err = rules_take(app, ledger, &held)))
        return err;
    since(&k, rules_of(held));
    rules_give(held);
    for (int r = 0; r < DETECT_RULES && !k.err; r++)
        (void)group_of(&k, FOUND_BY_RULE, (enum detect_rule)r, span_of(NULL, 0));
    err = k.err ? k.err : ledger_flag_decisions(ledger, take, &k);
    if (!err && !k.err)
        count_refused(&k);
    if (out->count)
        qsort(out->at, out->count, sizeof *out->at, by_place);
    return err ? err : k.err ? k.err : ledger->err;
}

void found_groups_done(struct found_groups *g)
{
    free(g->at);
    *g = (struct found_groups){ 0 };
}

/* ---- proposing ---- */

enum err rule_proposal_by(struct app *app, struct txn *ledger, enum listed_rule rule,
                          const struct found *found, struct rule_proposal *out)
{
    int64_t today = zone_day_number(&app->zone, clock_now_s(&app->clock));
    struct rules_held *held;
    struct rule_proposal p = { .found = *found };
    enum err err = rules_take(app, ledger, &held);

    if (err)
        return err;
    p.now = *line_for(rules_of(held), rule, today, USE_UNKNOWN, 0);
    rules_give(held);
    p.target = p.now.value[DETECT_TARGET];
    p.verdict = precision_verdict(found, p.target);
    p.line = p.now;
    p.line.use = USE_UNKNOWN;
    p.line.dn_mm = 0;
    p.line.state = LINE_ON;
    p.line.from_day = today + 1;
    p.line.version = 0;
    p.proposed = rule_stricter((enum detect_rule)((int)rule - (int)LISTED_FLAGS), p.now.value,
                               p.line.value) &&
                 p.verdict == PRECISION_BELOW && p.now.state == LINE_ON;
    *out = p;
    return ERR_OK;
}

enum err rule_proposal_of(struct app *app, struct txn *ledger, enum listed_rule rule,
                          struct rule_proposal *out)
{
    struct found_groups groups;
    struct found found = { 0 };
    enum err err = found_groups_load(app, ledger, &groups);

    for (size_t i = 0; i < groups.count; i++)
        if (groups.at[i].by == FOUND_BY_RULE && listed_flag(groups.at[i].rule) == rule)
            found = groups.at[i].found;
    found_groups_done(&groups);
    return err ? err : rule_proposal_by(app, ledger, rule, &found, out);
}
