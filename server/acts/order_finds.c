#include "server/acts/order_finds.h"

#include "server/field_list.h"
#include "server/lives.h"
#include "server/outages.h"
#include "server/readings.h"
#include "server/visits.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define SLICE_METERS 4096 /* looked at under one pair of transactions */

struct finding {
    struct app *app;
    const struct order_rule *rule;
    int64_t now_s;
    struct order_finds *out;
    struct txn *ledger, *views;
    struct outages outages; /* of silent meters */
    enum err err;
};

/* False: there is no room for more, or no memory. */
static bool push(struct finding *f, const struct order_find *find)
{
    struct order_finds *o = f->out;

    if (o->count == FINDS_MOST) {
        o->more = true;
        return false;
    }
    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 256;
        struct order_find *more = (struct order_find *)realloc(o->at, cap * sizeof *more);

        if (!more) {
            f->err = ERR_NO_MEMORY;
            return false;
        }
        o->at = more;
        o->cap = cap;
    }
    o->at[o->count++] = *find;
    return true;
}

/* ---- flags ---- */

/* Confirmed ones: what is left is the work. */
static bool take_flag(void *arg, const struct flag_head *h)
{
    struct finding *f = (struct finding *)arg;
    struct order_find find = { .meter = h->meter,
                               .severity = (unsigned)h->verdict->severity,
                               .weight = h->verdict->lost_mlpd / 1000 * h->verdict->confidence_pct,
                               .at = h->verdict->onset_s };

    if (!h->meter || find.severity < f->rule->severity_least)
        return true; /* an outage is no meter's */
    memcpy(find.flag, h->id, strnlen(h->id, sizeof find.flag - 1));
    return push(f, &find);
}

static enum err find_confirmed(struct finding *f)
{
    struct flag_filter q = { .kind = detector_named(span_text(f->rule->flag)),
                             .states = 1u << FLAG_CONFIRMED };
    enum err err = q.kind ? flag_heads_each(f->app, &q, take_flag, f) : ERR_OK;

    return err ? err : f->err;
}

/* Of those that stand open what crews may be sent for: no order is made for what is unsure or explained by something else. */
static enum err find_open(struct finding *f)
{
    int rule = detect_rule_named(span_text(f->rule->flag));
    struct field_list list = { 0 };
    enum err err = rule < 0 ? ERR_OK : field_list_of_rule(f->app, (enum detect_rule)rule, &list);

    for (size_t i = 0; i < list.count && !err && !f->err; i++) {
        const struct field_row *r = &list.at[i];
        struct order_find find = { .meter = r->meter,
                                   .severity = (unsigned)r->severity,
                                   .weight = r->lost_mlpd / 1000 * r->confidence_pct,
                                   .at = r->onset_s };

        if (r->confirmed || find.severity < f->rule->severity_least ||
            r->confidence_pct < f->rule->confidence_least)
            continue;
        memcpy(find.flag, r->id, strnlen(r->id, sizeof find.flag - 1));
        if (!push(f, &find))
            break;
    }
    f->out->more = f->out->more || list.more;
    field_list_done(&list);
    return err ? err : f->err;
}

static int by_weight(const void *a, const void *b)
{
    const struct order_find *x = (const struct order_find *)a, *y = (const struct order_find *)b;

    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return strcmp(x->flag, y->flag);
}

/* ---- dates ---- */

static bool is_of_regime(struct finding *f, uint32_t meter)
{
    struct verify_meter m = { .rules = &f->app->verify_rules, .row_verified_on = NO_DAY };
    struct meter_facts facts;
    struct legal legal;

    if (!f->rule->of_regime)
        return true;
    if ((f->err = meter_facts_by_id(f->ledger, meter, &facts)))
        return false;
    m.dn_mm = facts.dn_mm;
    m.q3_lph = facts.q3_lph;
    legal_of(&m, NO_DAY, NO_DAY, NO_DAY, NO_DAY, &legal);
    return legal.regime == f->rule->regime;
}

static enum err find_dates(struct finding *f)
{
    int32_t today = (int32_t)zone_day_number(&f->app->zone, f->now_s);
    enum rule_find what = f->rule->find;
    struct due_walk w = lives_due(f->ledger, DUE_FITTED,
                                  what == FIND_DUE       ? today
                                  : what == FIND_OVERDUE ? NO_DAY
                                                         : INT32_MAX,
                                  what == FIND_DUE ? today + f->rule->days : today - 1,
                                  what == FIND_UNVERIFIED, span_of(NULL, 0));

    while (!f->err && due_next(&w)) {
        struct order_find find = { .meter = w.meter, .at = w.due };

        if (is_of_regime(f, w.meter) && !push(f, &find))
            break;
    }
    due_done(&w);
    return f->err;
}

/* ---- silence ---- */

/* The newest that is known of, where it lies before since_s; else the search was for nothing. */
static bool is_silent(struct finding *f, const struct fitting *fitting, int64_t since_s,
                      int64_t *out_last_s)
{
    struct judge_index last;
    struct meter_facts facts;
    struct rows rows = { 0 };
    bool silent = false;

    *out_last_s = INT64_MIN;
    if (fitting->from_s > since_s)
        return false; /* it was put there since */
    if (judge_index(f->views, fitting->meter, fitting->from_s, &last)) {
        *out_last_s = last.at_s;
        if (last.at_s >= since_s)
            return false;
    }
    if (!(f->err = meter_facts_by_id(f->ledger, fitting->meter, &facts)) &&
        !(f->err = readings_load(f->app, &facts, meter_billed_channel(&facts), since_s,
                                 f->now_s + 1, &rows)))
        silent = rows.count == 0; /* what a person read counts, and what is not settled yet */
    rows_done(&rows);
    return silent;
}

/* Most of its radio cell is silent: that is what is to be looked at. */
static bool is_in_outage(struct finding *f, uint32_t meter)
{
    struct vitals v = { 0 };
    const struct outage *o = NULL;

    if (!f->outages.count)
        return false;
    if (!(f->err = archive_vitals(f->app->archive, meter, &v)) && v.position)
        o = outage_of(&f->outages, v.cell, v.arrival_s, f->now_s);
    return o && !o->cleared_s;
}

/* False: no more is to be looked at. */
static bool look_at(struct finding *f, uint32_t meter, int64_t since_s)
{
    struct order_find find = { .meter = meter };
    struct fitting fitting;
    bool silent;

    f->err = fitting_at(f->ledger, false, meter, f->now_s, &fitting);
    if (f->err == ERR_NOT_FOUND) {
        f->err = ERR_OK;
        return true;
    }
    silent = !f->err && is_silent(f, &fitting, since_s, &find.at) && !is_in_outage(f, meter);
    return !f->err && (!silent || push(f, &find));
}

/* Of some that run; `after` becomes the last one's serial. False: there are no more, or no more is to be looked at. */
static bool silent_slice(struct finding *f, int64_t since_s, char after[SERIAL_MAX + 1])
{
    struct index_walk w = lives_in_state(f->ledger, LIFE_RUNNING, span_text(after));
    bool more = true;

    for (unsigned n = 0; more && n < SLICE_METERS; n++) {
        if ((more = index_next(&w))) {
            snprintf(after, SERIAL_MAX + 1, "%.*s", (int)w.key.len - 1, (const char *)w.key.at + 1);
            more = look_at(f, w.value, since_s);
        }
    }
    index_done(&w);
    return more;
}

/* All meters, or points, are looked at, which takes minutes: pages are let go of now and then. */
static void let_go(struct finding *f)
{
    if (!f->err)
        f->err = f->ledger->err ? f->ledger->err : f->views->err;
    if (!f->err && f->app->stopping)
        f->err = ERR_STOPPING;
    if (!f->err) {
        txn_renew(f->ledger);
        txn_renew(f->views);
    }
}

static enum err find_silent(struct finding *f)
{
    int64_t since_s = f->now_s - f->rule->days * DAY_S;
    char after[SERIAL_MAX + 1] = "";

    f->err = outages_load(f->ledger, &f->outages);
    while (!f->err && silent_slice(f, since_s, after))
        let_go(f);
    free(f->outages.at);
    return f->err;
}

/* ---- points to visit ---- */

#define KEY_MOST 512

/* Of some points; `after` becomes the last one's key. False: there are no more, or no more is to be looked at. */
static bool visit_slice(struct finding *f, const struct visitor *v, uint8_t after[KEY_MOST],
                        size_t *after_len)
{
    struct ledger_walk w =
        ledger_walk(f->ledger, LIST_POINT, span_of(after, *after_len), INT64_MAX);
    uint8_t last[KEY_MOST];
    size_t len = 0;
    struct ledger_row point;
    bool more = true;

    for (unsigned n = 0; more && !f->err && n < SLICE_METERS; n++) {
        struct visit visit;

        if (!(more = ledger_walk_next(&w, &point)))
            break;
        if (w.key.len <= sizeof last) {
            memcpy(last, w.key.at, w.key.len);
            len = w.key.len;
        }
        f->err = visit_of(v, f->ledger, f->views, &point, &visit);
        if (!f->err && visit.causes)
            more =
                push(f, &(struct order_find){ .meter = visit.fitting.meter, .at = visit.since_s });
    }
    ledger_walk_done(&w);
    memcpy(after, last, len);
    *after_len = len;
    return more && len;
}

static enum err find_visits(struct finding *f)
{
    struct visitor v;
    uint8_t after[KEY_MOST];
    size_t after_len = 0;

    f->err = visitor_init(f->app, f->ledger, f->now_s, &v);
    while (!f->err && visit_slice(f, &v, after, &after_len))
        let_go(f);
    visitor_done(&v);
    return f->err;
}

static int by_time(const void *a, const void *b)
{
    const struct order_find *x = (const struct order_find *)a, *y = (const struct order_find *)b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->meter < y->meter ? -1 : x->meter > y->meter;
}

enum err order_finds(struct app *app, const struct order_rule *rule, int64_t now_s,
                     struct order_finds *out)
{
    struct txn ledger = ledger_read(app->ledger), views = views_read(app->views);
    struct finding f = {
        .app = app, .rule = rule, .now_s = now_s, .out = out, .ledger = &ledger, .views = &views
    };
    enum err err, ended;

    *out = (struct order_finds){ 0 };
    err = rule->find == FIND_FLAG         ? rule->confirmed ? find_confirmed(&f) : find_open(&f)
                  : rule->find == FIND_NO_READING ? find_silent(&f)
          : rule->find == FIND_VISIT      ? find_visits(&f)
                                          : find_dates(&f);
    if (!err && out->count && rule->find == FIND_FLAG)
        qsort(out->at, out->count, sizeof *out->at, by_weight);
    if (!err && out->count && (rule->find == FIND_NO_READING || rule->find == FIND_VISIT))
        qsort(out->at, out->count, sizeof *out->at, by_time);
    ended = txn_end(&views);
    if (!err)
        err = ended;
    ended = txn_end(&ledger);
    return err ? err : ended;
}
