/* Which cases there are at a meter: flags of leaks, the use of the last civil day, frost. */
#include "server/notices_priv.h"

#include "server/judge.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define FRESH_S (2 * 86400ll) /* what a meter said longer ago says nothing of now */

struct looking {
    struct notices *n;
    struct notice_plans *out;
    struct txn *txn;
    int64_t now_s;
    uint32_t meter, point;
    enum err err;
};

static enum err told_of(struct txn *t, struct span case_id, struct notice_told *out)
{
    struct ledger_notice row;

    *out = (struct notice_told){ .begun = ledger_notice_of(t, case_id, NOTICE_START, &row) };
    if (out->begun)
        out->begin = (enum notice_state)row.state;
    out->ended = ledger_notice_of(t, case_id, NOTICE_END, &row);
    return t->err;
}

static enum err push(struct notice_plans *list, const struct notice_plan *plan)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct notice_plan *more = (struct notice_plan *)realloc(list->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        list->at = more;
        list->cap = cap;
    }
    list->at[list->count++] = *plan;
    return ERR_OK;
}

/* Plans what a case asks for; `plan` has its name and facts. */
static enum err consider(struct looking *k, const struct notice_case *c, struct notice_plan *plan)
{
    struct notice_told told;
    enum err err = told_of(k->txn, span_text(plan->case_id), &told);

    if (err)
        return err;
    plan->deed = notice_deed(c, &told);
    plan->facts.kind = plan->kind;
    plan->facts.part = plan->deed == NOTICE_BEGIN ? NOTICE_START : NOTICE_END;
    plan->facts.none = c->none;
    return plan->deed == NOTICE_DO_NOTHING ? ERR_OK : push(k->out, plan);
}

/* ---- leaks ---- */

static bool take_leak(void *arg, const struct flag *f)
{
    struct looking *k = (struct looking *)arg;
    int64_t flow_mlph = verdict_value(&f->verdict, "min_flow_lph");
    struct notice_case c = { .open =
                                 !f->ended && (f->state == FLAG_OPEN || f->state == FLAG_CONFIRMED),
                             .none = f->state == FLAG_WITHDRAWN || f->state == FLAG_DISMISSED,
                             .great =
                                 flow_mlph >= k->n->rules.leak_mlph && f->told_s >= k->n->since_s };
    struct notice_plan plan = { .kind = NOTICE_LEAK,
                                .meter = f->meter,
                                .point = f->point,
                                .urgent = flow_mlph >= k->n->rules.urgent_mlph,
                                .facts = { .onset_s = f->verdict.onset_s,
                                           .ended_s = f->ended ? f->verdict.cleared_s : k->now_s,
                                           .flow_mlph = flow_mlph,
                                           .lost_mlpd = f->verdict.lost_mlpd } };

    snprintf(plan.case_id, sizeof plan.case_id, "%s", f->id);
    k->err = consider(k, &c, &plan);
    return !k->err;
}

static enum err look_at_flags(struct looking *k)
{
    const struct flag_filter filter = { .kind = &detector_leak, .meter = k->meter };
    enum err err = flags_each(k->n->app, &filter, take_leak, k);

    return err ? err : k->err;
}

/* ---- cases of the point's ---- */

/* The case that is open, or a new one's name; `onset_s` of a new one. */
static bool case_at(struct looking *k, enum notice_kind kind, int64_t onset_s,
                    struct notice_plan *plan)
{
    *plan =
        (struct notice_plan){ .kind = kind, .meter = k->meter, .point = k->point, .opens = true };
    if (ledger_notice_open(k->txn, (uint8_t)kind, k->point, plan->case_id))
        return true;
    snprintf(plan->case_id, sizeof plan->case_id, "p%08x-%s-%08x", (unsigned)k->point,
             notice_kind_name(kind), (unsigned)onset_s);
    return false;
}

/* The newest temperature; false: none of late. */
static enum err temperature(struct looking *k, const struct meter_facts *m, bool *out_any,
                            int64_t *out_mk, int64_t *out_at_s)
{
    struct rows rows = { 0 };
    int64_t from_s = k->now_s > FRESH_S ? k->now_s - FRESH_S : 0;
    enum err err = readings_load(k->n->app, m, CHANNEL_TEMPERATURE, from_s, k->now_s + 1, &rows);

    *out_any = false;
    for (size_t i = rows.count; i-- > 0 && !err && !*out_any;)
        if (!(rows.at[i].attr & ATTR_FUTURE)) {
            *out_any = true;
            *out_mk = rows.at[i].value;
            *out_at_s = rows.at[i].time_s;
        }
    rows_done(&rows);
    return err;
}

static enum err look_at_frost(struct looking *k, const struct meter_facts *m)
{
    const struct notice_rules *r = &k->n->rules;
    struct vitals v;
    struct notice_plan plan;
    int64_t mk = 0, at_s = 0;
    bool any, says, known;
    enum err err = readings_vitals(k->n->app, m, &v);

    if (err || (err = temperature(k, m, &any, &mk, &at_s)))
        return err;
    says = v.position && v.status & STATUS_FREEZE && v.arrival_s > k->now_s - FRESH_S;
    if (says && !any)
        at_s = v.arrival_s;
    known = case_at(k, NOTICE_FROST, at_s, &plan);
    if (!known && !says && !(any && mk <= r->frost_mk))
        return ERR_OK;
    if (known && !any && !says && (!v.position || v.arrival_s <= k->now_s - FRESH_S))
        return ERR_OK; /* it fell silent: nobody knows */
    plan.facts.onset_s = at_s;
    plan.facts.ended_s = any ? at_s : (int64_t)v.arrival_s;
    plan.facts.has_temperature = any;
    plan.facts.temperature_mk = mk;
    return consider(k,
                    &(struct notice_case){
                        .open = says || (any && mk <= (known ? r->frost_over_mk : r->frost_mk)),
                        .great = at_s >= k->n->since_s },
                    &plan);
}

static bool is_metered(const struct consumption *c)
{
    bool metered = c->known && c->quality == QUALITY_ACTUAL;

    for (size_t i = 0; i < c->part_count && metered; i++)
        metered = c->parts[i].kind == PART_METERED;
    return metered;
}

static enum err look_at_unusual(struct looking *k, int64_t from_s, int64_t to_s)
{
    struct notice_plan plan;
    const struct consumption *c;
    int64_t usual_ml = 0, use_ml;
    bool known = case_at(k, NOTICE_UNUSUAL, from_s, &plan), high, has_usual = false;
    enum err err = consumer_figures(k->n->use.consumer, from_s, to_s, &c);

    if (err)
        return err;
    /* What is not above the floor is not high, and the days before need not be read (rules.def: HIGH, floor_l). */
    use_ml = c->consumption_ml;
    high = use_ml > consumer_line(k->n->use.consumer, CHECK_HIGH)->value[1];
    if (!high && !known)
        return ERR_OK;
    if (high && (err = consumer_row(k->n->use.consumer, from_s, to_s, &c)))
        return err;
    high = high && c->checks & 1u << CHECK_HIGH;
    if (high && (err = consumer_median(k->n->use.consumer, &has_usual, &usual_ml)))
        return err;
    plan.facts.onset_s = plan.facts.ended_s = from_s;
    plan.facts.use_ml = use_ml;
    plan.facts.usual_ml = usual_ml;
    return consider(k, &(struct notice_case){ .open = high, .great = to_s > k->n->since_s }, &plan);
}

static enum err look_at_no_use(struct looking *k, int64_t from_s, int64_t to_s, int64_t use_ml)
{
    struct notice_plan plan;
    bool known = case_at(k, NOTICE_NO_USE, from_s, &plan);
    struct notice_place place;
    struct ledger_choice choice;
    enum err err;

    if (!known) {
        if (use_ml != 0)
            return ERR_OK;
        if ((err = notice_place(k->txn, k->point, INT64_MAX, &place)))
            return err;
        if (!ledger_notice_choice(k->txn, span_text(place.account), &choice) ||
            !(choice.kinds & 1u << NOTICE_NO_USE))
            return k->txn->err; /* nobody asked: it is not even a case */
    }
    plan.facts.onset_s = plan.facts.ended_s = from_s;
    return consider(k, &(struct notice_case){ .open = use_ml == 0, .great = to_s > k->n->since_s },
                    &plan);
}

/* ---- the use of the last civil day ---- */

/* Room for a day a point; memory that is not there costs another look. */
static uint16_t *looked_at(struct notices *n, uint32_t point)
{
    if (point >= n->looked_cap) {
        uint32_t cap = (point | 0xffff) + 1;
        uint16_t *more = (uint16_t *)realloc(n->looked, cap * sizeof *more);

        if (!more)
            return NULL;
        memset(more + n->looked_cap, 0, (cap - n->looked_cap) * sizeof *more);
        n->looked = more;
        n->looked_cap = cap;
    }
    return &n->looked[point];
}

static enum err look_at_day(struct looking *k)
{
    const struct zone *zone = &k->n->app->zone;
    int64_t to_s = zone_day_start(zone, k->now_s), from_s = zone_day_start(zone, to_s - 1);
    uint16_t day = (uint16_t)(zone_day_number(zone, from_s) % UINT16_MAX + 1);
    uint16_t *looked = looked_at(k->n, k->point);
    const struct consumption *c;
    int64_t use_ml;
    enum err err;

    if ((looked && *looked == day) || to_s <= k->n->since_s)
        return ERR_OK;
    err = point_use_load(k->n->app, k->txn, k->point, from_s, to_s, STEP_DAY, k->now_s, &k->n->use);
    if (!err)
        err = consumer_figures(k->n->use.consumer, from_s, to_s, &c);
    if (err || !is_metered(c))
        return err;
    use_ml = c->consumption_ml;
    if ((err = look_at_unusual(k, from_s, to_s)) || (err = look_at_no_use(k, from_s, to_s, use_ml)))
        return err;
    if (looked)
        *looked = day;
    return ERR_OK;
}

/* ---- all of it ---- */

static enum err look_at_point(struct looking *k)
{
    struct notice_place place;
    struct meter_facts m;
    struct fitting f;
    enum err err = fitting_at(k->txn, false, k->meter, k->now_s, &f);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    k->point = f.point;
    if ((err = notice_place(k->txn, f.point, INT64_MAX, &place)) || !place.account[0])
        return err; /* nobody is there to be told */
    if ((err = meter_facts_by_id(k->txn, k->meter, &m)) || (err = look_at_frost(k, &m)))
        return err;
    return look_at_day(k);
}

enum err notices_look(struct notices *n, uint32_t meter, int64_t now_s, struct notice_plans *out)
{
    struct txn t = ledger_read(n->app->ledger);
    struct looking k = { .n = n, .out = out, .txn = &t, .now_s = now_s, .meter = meter };
    enum err err = look_at_flags(&k), ended;

    if (!err)
        err = look_at_point(&k);
    ended = txn_end(&t);
    return err ? err : ended;
}
