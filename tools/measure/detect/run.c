/* The rules on one life: as the judge does it (server/judge.c), each fitting from an empty state on, readings in order of time, billed
 * channel first; of a kind one episode at a time.
 *
 * The plain rules see the billed channel as it stands: one-gallon raises when each hour of 24 had more than 3.785 L and clears at the
 * first that had not (readings further apart than 90 minutes count for nothing, as estimates do); zero-14 raises when 14 days
 * show the same index and clears when it moves. */
#include "tools/measure/detect/bench.h"

#include "server/billing/dials.h"
#include "server/detect/field.h"
#include "server/detect/monthly.h"
#include "server/detect/said.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scored_rule rules[RULES_MAX];
unsigned rule_count;

static bool has_rule(const char *flag)
{
    for (unsigned i = 0; i < rule_count; i++)
        if (strcmp(rules[i].flag, flag) == 0)
            return true;
    return false;
}

uint8_t rule_named(const char *name)
{
    uint8_t i = 0;

    while (i < rule_count && strcmp(rules[i].name, name) != 0)
        i++;
    return i;
}

bool rule_is_built(unsigned rule)
{
    return rule < rule_count && (rules[rule].detector || rules[rule].plain);
}

/* It follows from what the meter says of itself. */
static bool is_said(const struct detector *d)
{
    return d == &detector_clock || d == &detector_battery || d == &detector_tamper;
}

void rules_make(void)
{
    static char names[FAULTS][16];
    const struct detector *d;

    rule_count = 0;
    for (size_t n = 0; (d = detector_at(n)) && rule_count < RULES_MAX - 2; n++)
        if (d->judge || d->look || d == &detector_out_of_step || is_said(d))
            rules[rule_count++] = (struct scored_rule){ d->flag, d->flag, d, false };
    rules[rule_count++] = (struct scored_rule){ "one-gallon", "leak", NULL, true };
    rules[rule_count++] = (struct scored_rule){ "zero-14", "stuck", NULL, true };
    for (int k = 1; k < FAULTS && rule_count < RULES_MAX; k++) {
        snprintf(names[k], sizeof names[k], "%.*s", (int)strcspn(fault_about[k].right, " "),
                 fault_about[k].right);
        if (!has_rule(names[k]))
            rules[rule_count++] = (struct scored_rule){ names[k], names[k], NULL, false };
    }
}

struct running {
    const struct trial *l;
    struct told_list *out;
    uint8_t fitting;
    uint32_t now_s; /* when the reading at hand arrived */
};

/* When the reading of that instant had come: no flag is told before. */
static uint32_t arrival_of(const struct trial *l, int64_t at_s)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (l->rows[middle].row.time_s < at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->count ? l->rows[low].arrival_s : (uint32_t)at_s;
}

static struct told *open_told(struct told_list *list, uint8_t rule, uint8_t fitting)
{
    for (unsigned i = list->count; i-- > 0;)
        if (list->at[i].rule == rule && list->at[i].open && list->at[i].fitting == fitting)
            return &list->at[i];
    return NULL;
}

/* The kinds that stand open beside an episode. */
static uint32_t others_of(const struct told_list *list, const struct told *t)
{
    uint32_t others = 0;

    for (unsigned i = 0; i < list->count; i++) {
        int kind = detect_rule_named(span_text(rules[list->at[i].rule].flag));

        if (&list->at[i] != t && list->at[i].open && rules[list->at[i].rule].detector && kind >= 0)
            others |= 1u << kind;
    }
    return others;
}

static bool is_ordered(const struct told_list *list, const struct told *t, const struct verdict *v)
{
    int kind = detect_rule_named(span_text(rules[t->rule].flag));
    struct field_flag flag = { .rule = (enum detect_rule)kind,
                               .verdict = v,
                               .of_many = verdict_is_explained(v) };

    return kind >= 0 && rules[t->rule].detector &&
           field_why(&flag, &detect_rules_standing, others_of(list, t)) == FIELD_GO;
}

static void tell(struct running *r, uint8_t rule, const struct verdict *v)
{
    struct told *t = open_told(r->out, rule, r->fitting);

    if (!t) {
        if (!v->open)
            return;
        if (r->out->count == TOLD_MAX) {
            r->out->more++;
            return;
        }
        t = &r->out->at[r->out->count++];
        *t = (struct told){ .rule = rule, .fitting = r->fitting };
        t->told_s = arrival_of(r->l, v->raised_s);
    }
    t->open = v->open;
    t->cleared_s = v->open ? 0 : v->cleared_s;
    if (!v->open && (rules[rule].plain || v->raised_s == 0))
        return;
    if (v->raised_s) {
        t->onset_s = v->onset_s;
        t->raised_s = v->raised_s;
    }
    t->lost_lpd = (double)v->lost_mlpd / 1000;
    t->severity = (uint8_t)v->severity;
    t->ordered = t->ordered || (v->open && is_ordered(r->out, t, v));
    if (v->confidence_pct > t->confidence_pct)
        t->confidence_pct = (uint8_t)v->confidence_pct;
    for (unsigned i = 0; i < SURE_STEPS; i++)
        if (!t->sure_s[i] && t->confidence_pct >= sure_pct[i])
            t->sure_s[i] = r->now_s > t->told_s ? r->now_s : t->told_s;
}

struct verdict_hearer verdict_hearer;

static void say(void *arg, const struct detector *d, const struct verdict *v)
{
    if (verdict_hearer.hear)
        verdict_hearer.hear(verdict_hearer.arg, ((struct running *)arg)->l, d, v);
    for (unsigned i = 0; i < rule_count; i++)
        if (rules[i].detector == d)
            tell((struct running *)arg, (uint8_t)i, v);
}

/* ---- dial against transmitter, as server/judge_dials.c has it ---- */

static void tell_dials(struct running *r, const struct dial_checks *checks)
{
    struct dial_episode episodes[TOLD_MAX];
    size_t count = dial_episodes(checks, NULL, 0, episodes, TOLD_MAX);

    for (size_t i = 0; i < count && i < TOLD_MAX; i++) {
        const struct dial_episode *e = &episodes[i];
        const struct dial_check *c = &checks->at[e->last];
        int64_t seconds = c->at_s - c->agreed_s > 86400 ? c->at_s - c->agreed_s : 86400;
        struct verdict v = { .open = true,
                             .onset_s = e->onset_s,
                             .raised_s = e->onset_s,
                             .confidence_pct = e->reads > 2   ? 95
                                               : e->reads > 1 ? 85
                                                              : 60,
                             .lost_mlpd = c->off_ml > 0 ? c->off_ml * 86400 / seconds : 0 };

        say(r, &detector_out_of_step, &v);
        v.open = false;
        v.cleared_s = e->cleared_s;
        if (e->ended)
            say(r, &detector_out_of_step, &v);
    }
}

static enum err look_at_dials(struct running *r)
{
    const struct trial *l = r->l;
    struct rows rows = { 0 };
    struct dial_checks checks = { 0 };
    bool typed = false;
    enum err err = ERR_OK;

    for (size_t i = 0; i < l->count; i++)
        typed = typed || (l->rows[i].row.attr & ATTR_SOURCE) != SOURCE_REMOTE;
    for (size_t i = 0; typed && i < l->count && !err; i++)
        if (l->rows[i].fitting == r->fitting &&
            l->rows[i].channel == (uint8_t)meter_billed_channel(&l->meter))
            err = rows_push(&rows, l->rows[i].row);
    if (typed && !err)
        err = dials_check(&l->meter, &l->fittings[r->fitting], &rows, NULL, 0, &checks);
    if (!err)
        tell_dials(r, &checks);
    dial_checks_done(&checks);
    rows_done(&rows);
    return err;
}

/* ---- what is looked at once a month, as server/judge_monthly.c has it ---- */

static enum err look_monthly(struct running *r, const struct judge_place *place)
{
    const struct trial *l = r->l;
    struct monthly *m = (struct monthly *)malloc(sizeof *m);
    struct rows rows = { 0 };
    enum err err = m ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < l->count && !err; i++)
        if (l->rows[i].fitting == r->fitting &&
            l->rows[i].channel == (uint8_t)meter_billed_channel(&l->meter))
            err = rows_push(&rows, l->rows[i].row);
    if (!err && rows.count) {
        monthly_begin(m);
        monthly_run(m, place, rows.at, rows.count, place->fitting->from_s,
                    rows.at[rows.count - 1].time_s, say, r);
    }
    rows_done(&rows);
    free(m);
    return err;
}

/* ---- what the meter says of itself, as server/judge_vitals.c has it ---- */

static void take_vital(const struct trial_vital *v, uint64_t position, struct vitals *now,
                       struct past *past)
{
    const struct frame frame = { .status = v->status,
                                 .battery_mv = v->battery_mv,
                                 .sent_s = (int64_t)v->arrival_s + v->offset_s };
    struct vitals was = *now;
    struct past_change change = { .any = false };

    vitals_take(now, &frame, position, v->arrival_s);
    past_take(past, &was, now, &change);
}

/* Remote readings of the billed channel in [from_s, to_s): ml a day; false: too few. */
static bool use_of(const struct running *r, double from_s, double to_s, int64_t *out_mlpd)
{
    const struct trial_row *first = NULL, *last = NULL;
    const struct trial *l = r->l;

    for (size_t i = 0; i < l->count; i++) {
        const struct trial_row *row = &l->rows[i];

        if (row->channel != (uint8_t)meter_billed_channel(&l->meter) || row->row.time_s < from_s ||
            row->row.time_s >= to_s || (row->row.attr & ATTR_SOURCE) != SOURCE_REMOTE)
            continue;
        if (!first)
            first = row;
        last = row;
    }
    if (!first || last->row.time_s - first->row.time_s < 86400 ||
        last->row.value < first->row.value)
        return false;
    *out_mlpd = (int64_t)((double)(last->row.value - first->row.value) * 86400 /
                          (last->row.time_s - first->row.time_s));
    return true;
}

static void tell_span(struct running *r, enum past_kind k, const struct past *past,
                      const struct past_span *span)
{
    const struct fitting *f = &r->l->fittings[r->fitting];
    struct said s = { .span = span, .past = past, .from_s = f->from_s, .to_s = f->to_s };
    unsigned before = r->out->count;
    struct verdict v, end;

    s.use_known = k == PAST_TAMPER &&
                  use_of(r, span->from_s - 28 * 86400.0, span->from_s, &s.before_mlpd) &&
                  use_of(r, fmax(span->from_s, span->seen_s - SAID_USE_DAYS * 86400.0),
                         span->seen_s, &s.during_mlpd);
    if (!said_judge(k, &s, &v))
        return;
    end = v;
    v.open = true;
    say(r, said_detector(k), &v);
    if (r->out->count > before) /* raised_s is an arrival */
        r->out->at[r->out->count - 1].told_s = (uint32_t)v.raised_s;
    if (!end.open)
        say(r, said_detector(k), &end);
}

static void look_at_vitals(struct running *r)
{
    const struct trial *l = r->l;
    struct vitals now = { .position = 0 };
    struct past past = { .full_mv = 0 };

    for (size_t i = 0; i < l->vital_count; i++)
        take_vital(&l->vitals[i], i + 1, &now, &past);
    for (enum past_kind k = PAST_TAMPER; k < PAST_KINDS; k++)
        for (unsigned i = 0; i < past.count[k]; i++)
            tell_span(r, k, &past, &past.spans[k][i]);
}

/* ---- the plain rules ---- */

struct plain {
    int64_t value;
    uint32_t at_s, moved_s, run_s;
    unsigned hours;
    double least_lph;
    bool begun, gallon, zero;
    uint8_t gallon_rule, zero_rule;
};

static void gallon_hour(struct running *r, struct plain *p, const struct row *row, double lph)
{
    struct verdict v = { .open = true, .raised_s = row->time_s, .confidence_pct = 50 };

    if (lph <= GALLON_LPH) {
        v = (struct verdict){ .cleared_s = row->time_s };
        if (p->gallon)
            tell(r, p->gallon_rule, &v);
        p->gallon = false;
        p->hours = 0;
        return;
    }
    if (p->hours == 0) {
        p->run_s = p->at_s;
        p->least_lph = lph;
    }
    p->hours++;
    if (lph < p->least_lph)
        p->least_lph = lph;
    if (p->hours != 24 || p->gallon)
        return;
    p->gallon = true;
    v.onset_s = p->run_s;
    v.lost_mlpd = (int64_t)(p->least_lph * 24000);
    tell(r, p->gallon_rule, &v);
}

static void zero_days(struct running *r, struct plain *p, const struct row *row)
{
    struct verdict v = {
        .open = true, .onset_s = p->moved_s, .raised_s = row->time_s, .confidence_pct = 50
    };

    if (row->value != p->value) {
        v.open = false;
        v.cleared_s = row->time_s;
        if (p->zero)
            tell(r, p->zero_rule, &v);
        p->zero = false;
        p->moved_s = row->time_s;
    } else if (!p->zero && row->time_s - p->moved_s >= ZERO_DAYS * 86400) {
        p->zero = true;
        tell(r, p->zero_rule, &v);
    }
}

static void plain_row(struct running *r, struct plain *p, const struct row *row)
{
    double hours = (row->time_s - p->at_s) / 3600.0,
           litres = (double)(row->value - p->value) / 1000;

    if (p->begun) {
        if (hours > 0 && hours <= 1.5)
            gallon_hour(r, p, row, litres / hours);
        zero_days(r, p, row);
    } else {
        p->moved_s = row->time_s;
    }
    p->begun = true;
    p->value = row->value;
    p->at_s = row->time_s;
}

enum err run_rules(const struct trial *l, const struct zone *zone, const struct holidays *holidays,
                   struct told_list *out)
{
    uint8_t gallon = rule_named("one-gallon"), zero = rule_named("zero-14");
    size_t i = 0;
    enum err err = ERR_OK;

    out->count = out->more = 0;
    for (uint8_t f = 0; f < l->fitting_count && !err; f++) {
        struct detect_state state;
        struct civil_day today = { 0 };
        struct plain p = { .gallon_rule = gallon, .zero_rule = zero };
        struct judge_place place = { .meter = &l->meter,
                                     .point = &l->point,
                                     .fitting = &l->fittings[f],
                                     .zone = zone,
                                     .holidays = holidays,
                                     .today = &today };
        struct running r = { l, out, f, 0 };

        memset(&state, 0, sizeof state);
        look_at_vitals(&r);
        for (; i < l->count && l->rows[i].fitting == f; i++) {
            const struct trial_row *row = &l->rows[i];
            struct judge_reading reading = { (enum channel)row->channel, row->row };

            r.now_s = row->arrival_s;
            detect_feed(&state, &place, &reading, say, &r);
            if (row->channel == (uint8_t)meter_billed_channel(&l->meter) &&
                (row->row.attr & ATTR_SOURCE) == SOURCE_REMOTE)
                plain_row(&r, &p, &row->row);
        }
        if (!(err = look_at_dials(&r)))
            err = look_monthly(&r, &place);
    }
    return err;
}
