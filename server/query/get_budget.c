/* GET /v1/replacements/budget: what so many changes, or so much money, bring (server/fleet/budget.h). */
#include "server/fleet/budget.h"
#include "server/query/answers.h"
#include "server/query/replacing.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define MONEY_MOST INT64_C(1000000000000000) /* thousandths: 10^12 of the currency */

struct budgeting {
    struct ranking *ranking;
    struct sieve sieve;
    struct budget_limit limit;
    struct budget_line *lines;
    struct budget_place *order;
    size_t count, pay, taken;
    struct budget_sum chosen, left;
};

static void budgeting_done(struct budgeting *b)
{
    ranking_release(b->ranking);
    sieve_done(&b->sieve);
    free(b->lines);
    free(b->order);
}

/* ---- reckoning ---- */

static enum budget_duty duty_of(const struct fleet_rules *rules, const struct replace_facts *f)
{
    if (!replace_is_legal(rules, f))
        return DUTY_NONE;
    return f->legal_due < f->today ? DUTY_OVER : DUTY_SOON;
}

static void line_of(const struct ranking *r, const struct replacement *one, struct budget_line *out)
{
    struct replace_facts f;
    struct replace_figures x;

    replacement_facts(r, one, &f);
    replace_reckon(&r->rules, &f, &x);
    *out = (struct budget_line){ .benefit = x.benefit,
                                 .cost = x.cost,
                                 .money_month = x.money_month * f.confidence_pct / 100,
                                 .lost_mlpd = f.lost_mlpd * f.confidence_pct / 100,
                                 .duty = duty_of(&r->rules, &f),
                                 .zone = one->zone };
}

static enum err reckon(struct budgeting *b)
{
    const struct ranking *r = b->ranking;
    size_t most = ranking_most(r), room = most ? most : 1;
    const struct replacement *one;
    struct ranking_walk walk = { 0 };

    b->lines = (struct budget_line *)malloc(room * sizeof *b->lines);
    b->order = (struct budget_place *)malloc(room * sizeof *b->order);
    if (!b->lines || !b->order)
        return ERR_NO_MEMORY;
    while ((one = ranking_next(r, &walk)))
        if (sieve_lets(&b->sieve, one))
            line_of(r, one, &b->lines[b->count++]);
    b->pay = budget_choose(b->lines, b->count, &b->limit, b->order, &b->taken);
    for (size_t i = 0; i < b->count; i++)
        budget_add(&b->left, &b->lines[i]);
    for (size_t i = 0; i < b->taken; i++)
        budget_add(&b->chosen, &b->lines[b->order[i].place]);
    return ERR_OK;
}

/* ---- writing ---- */

static int64_t month_of(int64_t mlpd)
{
    return mlpd * REPLACE_MONTH_DAYS / 1000;
}

static void put_sum(struct out *o, const struct budget_sum *s)
{
    out_member_int(o, "changes", (int64_t)s->changes);
    out_member_litres(o, "money", s->cost);
    out_member_litres(o, "benefit", s->benefit);
    out_member_litres(o, "m3_month", month_of(s->lost_mlpd));
    out_member_litres(o, "money_month", s->money_month);
    out_member_int(o, "overdue_cleared", (int64_t)s->over);
    out_member_int(o, "due_met", (int64_t)s->soon);
}

static void put_left(struct out *o, const struct budgeting *b)
{
    const struct budget_sum *all = &b->left, *taken = &b->chosen;

    out_key(o, "left");
    out_text(o, "{");
    out_member_int(o, "paying", (int64_t)(b->pay - b->taken));
    out_member_int(o, "not_paying", (int64_t)(b->count - b->pay));
    out_member_int(o, "overdue", (int64_t)(all->over - taken->over));
    out_member_int(o, "due", (int64_t)(all->soon - taken->soon));
    out_member_litres(o, "m3_month", month_of(all->lost_mlpd - taken->lost_mlpd));
    out_member_litres(o, "money_month", all->money_month - taken->money_month);
    out_text(o, "}");
}

static void put_point(struct out *o, const struct budgeting *b, const struct budget_sum *sum,
                      size_t last, bool first)
{
    out_text(o, first ? "{" : ",{");
    put_sum(o, sum);
    out_member_litres(o, "last_benefit", b->lines[b->order[last].place].benefit);
    out_text(o, "}");
}

/* The steps, what was chosen, and all that pay. */
static void put_curve(struct out *o, const struct budgeting *b)
{
    struct budget_sum sum = { 0 };
    size_t next = budget_step(0);
    bool first = true;

    out_key(o, "curve");
    out_text(o, "[");
    for (size_t i = 0; i < b->pay; i++) {
        size_t n = i + 1;

        budget_add(&sum, &b->lines[b->order[i].place]);
        if (n == next || n == b->taken || n == b->pay) {
            put_point(o, b, &sum, i, first);
            first = false;
        }
        if (n == next)
            next = budget_step(next);
    }
    out_text(o, "]");
}

/* ---- by zone ---- */

struct zone_sum {
    uint32_t zone;
    struct budget_sum sum;
    struct span name; /* a view */
};

static int zone_order(const void *a, const void *b)
{
    const struct zone_sum *x = (const struct zone_sum *)a, *y = (const struct zone_sum *)b;
    size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = len ? memcmp(x->name.at, y->name.at, len) : 0;

    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

/* `at` has a place for each zone's id; those with changes come to its front, by name. */
static size_t gather_zones(struct txn *t, const struct budgeting *b, struct zone_sum *at,
                           uint32_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < b->taken; i++) {
        const struct budget_line *line = &b->lines[b->order[i].place];

        budget_add(&at[line->zone < room ? line->zone : 0].sum, line);
    }
    for (uint32_t id = 0; id < room; id++) {
        struct ledger_row row;

        if (!at[id].sum.changes)
            continue;
        at[count] = at[id];
        at[count].zone = id;
        at[count].name = id && ledger_by_id(t, LIST_ZONE, id, INT64_MAX, &row) ? row.cells[0]
                                                                               : (struct span){ 0 };
        count++;
    }
    if (count)
        qsort(at, count, sizeof *at, zone_order);
    return count;
}

static enum err put_zones(struct request *q, const struct budgeting *b)
{
    struct txn t = ledger_read(q->app->ledger);
    uint32_t room = ledger_last_id(&t, LIST_ZONE) + 1;
    struct zone_sum *at = (struct zone_sum *)calloc(room, sizeof *at);
    size_t count = at ? gather_zones(&t, b, at, room) : 0;
    struct out *o = &q->out;
    enum err ended;

    out_key(o, "zones");
    out_text(o, "[");
    for (size_t i = 0; i < count; i++) {
        out_text(o, i ? ",{" : "{");
        out_member_span(o, "zone", at[i].name);
        put_sum(o, &at[i].sum);
        out_text(o, "}");
    }
    out_text(o, "]");
    ended = txn_end(&t);
    free(at);
    return at ? ended : ERR_NO_MEMORY;
}

static enum err put(struct request *q, const struct budgeting *b)
{
    const struct ranking *r = b->ranking;
    struct out *o = &q->out;
    char today[11];
    enum err err;

    text_put_date(today, r->today);
    out_clear(o);
    out_text(o, "{");
    out_member_text(o, "today", today);
    out_member_text(o, "currency", r->rules.currency);
    out_member_text(o, "method",
                    b->limit.of_money ? "by benefit per cost, as long as the money suffices"
                                      : "by benefit");
    out_member_int(o, "candidates", (int64_t)b->count);
    put_sum(o, &b->chosen);
    out_member_int(o, "horizon_days", r->rules.horizon_days);
    put_left(o, b);
    put_curve(o, b);
    err = put_zones(q, b);
    out_text(o, "}\n");
    q->status = 200;
    return err ? err : o->err;
}

/* ---- asking ---- */

static bool ask_limit(struct request *q, struct budget_limit *out)
{
    struct span changes = ask_text(q, "changes"), money = ask_text(q, "money");

    if (!changes.len == !money.len) {
        problem_of(q, ERR_INVALID, changes.len ? "money" : "changes",
                   changes.len ? "money: found it beside changes, expected either"
                               : "changes: found nothing, expected how many, or money");
        return false;
    }
    if (changes.len)
        return ask_int(q, "changes", 1, 100000000, 0, &out->most);
    out->of_money = true;
    if (!text_decimal(money, 3, &out->most) && out->most > 0 && out->most <= MONEY_MOST)
        return true;
    problem_of(q, ERR_INVALID, "money",
               "money: found %.*s, expected an amount above 0 as 50000 or 50000.50",
               (int)(money.len < 40 ? money.len : 40), (const char *)money.at);
    return false;
}

void answer_budget(struct request *q)
{
    struct budgeting b = { .ranking = NULL };
    enum err err;

    if (ask_limit(q, &b.limit) && ask_replacements(q, &b.sieve) && ask_ranking(q, &b.ranking) &&
        ((err = reckon(&b)) || (err = put(q, &b))))
        problem_of(q, err, "", "the budget cannot be made: a part %s", err_text(err));
    budgeting_done(&b);
}
