/* Which cases there are at a meter: flags of leaks, the use of the last civil day, frost. */
#include "server/notices_priv.h"

#include "server/judge.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define DAYS_BACK 3           /* older news alarm nobody */
#define FRESH_S (2 * 86400ll) /* what a meter said longer ago says nothing of now */

struct looking {
    struct notices *n;
    struct notice_plans *out;
    struct txn *txn;
    int64_t now_s;
    uint32_t meter, point;
    bool
        burst; /* the customer is told of one that flows: of a leak beneath it he is told when it is over */
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

/* Of one flow the customer is told once: of the burst, and not of the leak that it is, too. */
static bool is_told_as_burst(struct looking *k, const struct flag *f, bool open)
{
    struct notice_told told;

    if (!k->burst || !open || (k->err = told_of(k->txn, span_text(f->id), &told)))
        return false;
    return !told.begun;
}

/* In order of kind: a burst comes before a leak. */
static bool take_leak(void *arg, const struct flag *f)
{
    struct looking *k = (struct looking *)arg;
    int rule = detect_rule_named(span_text(f->kind->flag));
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

    if ((rule != DETECT_LEAK && rule != DETECT_BURST) ||
        (rule == DETECT_LEAK && is_told_as_burst(k, f, c.open)))
        return !k->err;
    snprintf(plan.case_id, sizeof plan.case_id, "%s", f->id);
    if (!k->err)
        k->err = consider(k, &c, &plan);
    k->burst = k->burst || (rule == DETECT_BURST && c.open && c.great);
    return !k->err;
}

static enum err look_at_flags(struct looking *k)
{
    const struct flag_filter filter = { .meter = k->meter };
    enum err err = flags_each(k->n->app, &filter, take_leak, k);

    return err ? err : k->err;
}

/* ---- cases of the point's ---- */

/* How an instant stands to what is kept of the point's cases of a kind: "…-ONSET" while one is open, "-END" when the last one is over. */
enum place_in_time { BEFORE /* it was looked at: nothing follows from it */, NO_CASE, OPEN_CASE };

/* The name of the open case, or of a new one that begins at `at_s`. An earlier day that is looked at again, as after a start, is none. */
static enum place_in_time case_at(struct looking *k, enum notice_kind kind, int64_t at_s,
                                  struct notice_plan *plan)
{
    char kept[NOTICE_CASE_MAX + 1];
    bool any = ledger_notice_open(k->txn, (uint8_t)kind, k->point, kept),
         open = any && kept[0] != '-';
    size_t len = any ? strlen(kept) : 0;
    int64_t then_s = len >= 8 ? (int64_t)strtoul(kept + len - 8, NULL, 16) : INT64_MIN;

    *plan =
        (struct notice_plan){ .kind = kind, .meter = k->meter, .point = k->point, .opens = true };
    if (at_s < then_s || (at_s == then_s && !open))
        return BEFORE;
    if (open) {
        memcpy(plan->case_id, kept, sizeof kept);
        return OPEN_CASE;
    }
    snprintf(plan->case_id, sizeof plan->case_id, "p%08x-%s-%08x", (unsigned)k->point,
             notice_kind_name(kind), (unsigned)at_s);
    return NO_CASE;
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
    enum place_in_time place;
    bool any, says, known;
    enum err err = readings_vitals(k->n->app, m, &v);

    if (err || (err = temperature(k, m, &any, &mk, &at_s)))
        return err;
    says = v.position && v.status & STATUS_FREEZE && v.arrival_s > k->now_s - FRESH_S;
    if (v.position && (!any || (says && v.arrival_s > at_s)))
        at_s = v.arrival_s;
    if ((place = case_at(k, NOTICE_FROST, at_s, &plan)) == BEFORE)
        return k->txn->err;
    known = place == OPEN_CASE;
    if (!known && !says && !(any && mk <= r->frost_mk))
        return ERR_OK;
    if (known && !any && !says && (!v.position || v.arrival_s <= k->now_s - FRESH_S))
        return ERR_OK; /* it fell silent: nobody knows */
    plan.facts.onset_s = plan.facts.ended_s = at_s;
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
    enum place_in_time place = case_at(k, NOTICE_UNUSUAL, from_s, &plan);
    bool high, has_usual = false;
    enum err err = consumer_figures(k->n->use.consumer, from_s, to_s, &c);

    if (err || place == BEFORE)
        return err ? err : k->txn->err;
    /* What is not above the floor is not high, and the days before need not be read (rules.def: HIGH, floor_l). */
    use_ml = c->consumption_ml;
    high = use_ml > consumer_line(k->n->use.consumer, CHECK_HIGH)->value[1];
    if (!high && place == NO_CASE)
        return ERR_OK;
    if (high && (err = consumer_row(k->n->use.consumer, from_s, to_s, &c)))
        return err;
    high = high && c->checks & 1u << CHECK_HIGH;
    if (high && (err = consumer_median(k->n->use.consumer, &has_usual, &usual_ml)))
        return err;
    plan.facts.onset_s = plan.facts.ended_s = from_s;
    plan.facts.use_ml = use_ml;
    plan.facts.usual_ml = usual_ml;
    return consider(
        k, &(struct notice_case){ .open = high, .past = true, .great = to_s > k->n->since_s },
        &plan);
}

static enum err look_at_no_use(struct looking *k, int64_t from_s, int64_t to_s, int64_t use_ml)
{
    struct notice_plan plan;
    enum place_in_time place = case_at(k, NOTICE_NO_USE, from_s, &plan);
    struct notice_place whose;
    struct ledger_choice choice;
    enum err err;

    if (place == BEFORE || (place == NO_CASE && use_ml != 0))
        return k->txn->err;
    if (place == NO_CASE) {
        if ((err = notice_place(k->txn, k->point, INT64_MAX, &whose)))
            return err;
        if (!ledger_notice_choice(k->txn, span_text(whose.account), &choice) ||
            !(choice.kinds & 1u << NOTICE_NO_USE))
            return k->txn->err; /* nobody asked: it is not even a case */
    }
    plan.facts.onset_s = plan.facts.ended_s = from_s;
    return consider(k, &(struct notice_case){ .open = use_ml == 0, .great = to_s > k->n->since_s },
                    &plan);
}

/* ---- the use of the last civil days ---- */

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

static enum err look_at_day(struct looking *k, int64_t from_s, int64_t to_s, bool *out_metered)
{
    const struct consumption *c;
    int64_t use_ml;
    enum err err = consumer_figures(k->n->use.consumer, from_s, to_s, &c);

    *out_metered = !err && is_metered(c);
    if (!*out_metered)
        return err;
    use_ml = c->consumption_ml;
    err = look_at_unusual(k, from_s, to_s);
    return err ? err : look_at_no_use(k, from_s, to_s, use_ml);
}

static uint16_t day_of(const struct zone *zone, int64_t at_s)
{
    return (uint16_t)(zone_day_number(zone, at_s) % UINT16_MAX + 1);
}

/* The civil days before today that nobody looked at: a meter may report two or three at once. */
static enum err look_at_days(struct looking *k)
{
    const struct zone *zone = &k->n->app->zone;
    int64_t begins_s[DAYS_BACK + 1];
    uint16_t *looked = looked_at(k->n, k->point);
    unsigned first = DAYS_BACK;
    enum err err = ERR_OK;

    begins_s[0] = zone_day_start(zone, k->now_s);
    for (unsigned i = 1; i <= DAYS_BACK; i++) {
        begins_s[i] = zone_day_start(zone, begins_s[i - 1] - 1);
        if (looked && *looked == day_of(zone, begins_s[i]) && first == DAYS_BACK)
            first = i - 1;
    }
    while (first && begins_s[first - 1] <= k->n->since_s)
        first--;
    if (first)
        err = point_use_load(k->n->app, k->txn, k->point, begins_s[first], begins_s[0], STEP_DAY,
                             k->now_s, &k->n->use);
    for (unsigned i = first; i && !err; i--) {
        size_t planned = k->out->count;
        bool metered;

        err = look_at_day(k, begins_s[i], begins_s[i - 1], &metered);
        if (metered && looked)
            *looked = day_of(zone, begins_s[i]);
        if (looked && i > 1 && k->out->count != planned) {
            notices_touch(k->n->app, k->meter); /* the days behind it when that is done */
            break;
        }
    }
    return err;
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
    return look_at_days(k);
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
