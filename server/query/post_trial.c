/* POST /v1/rules/RULE/trial: what a check would have flagged by other figures (server/rule_trial.h), row by row, and at the end the counts. Some points a turn, so that a trial over a
 * quarter of a city keeps nobody waiting. */
#include "proto/base/rd.h"
#include "server/acts/cycle.h"
#include "server/acts/rule.h"
#include "server/query/answers.h"
#include "server/query/entry.h"
#include "server/query/rows.h"
#include "server/rule_trial.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define SLICE 8             /* points between two transactions */
#define POINTS_MOST 10000   /* of one request */
#define SPAN_DAYS_MOST 1100 /* three years */

struct trying {
    struct rule_trial trial;
    struct cycle_points points;
    const char *next; /* the last point that is looked at, where there are others behind it */
    /* Where it stands. */
    size_t at;
    int64_t at_s;
    bool loaded, summed;
};

static void trying_done(void *state)
{
    struct trying *w = (struct trying *)state;

    rule_trial_done(&w->trial);
    cycle_points_done(&w->points);
    free(w);
}

static const char *const columns[] = { "point", "use_class", "dn",      "from",    "to",
                                       "now",   "then",      "figures", "summary", NULL };

/* ---- rows ---- */

static struct span cursor_of(uint8_t room[CURSOR_MAX], int64_t at_s, const char *name)
{
    struct wr w = wr_of(room, CURSOR_MAX);

    wr_be64(&w, (uint64_t)at_s);
    wr_bytes(&w, span_text(name));
    return wr_span(&w);
}

static void put_verdict(struct out *o, const char *name, enum check check,
                        const struct trial_verdict *v)
{
    struct check_told told[CHECK_COUNT] = { { 0 } };

    told[check] = v->told;
    out_key(o, name);
    rules_put_told(o, v->judged ? 1u << check : 0, v->flagged ? 1u << check : 0, told);
}

static void put_row(struct listing *l, const struct trying *w, const char *name,
                    const struct trial_row *r)
{
    uint8_t room[CURSOR_MAX];
    struct out *o;

    row_begin(l);
    row_word(l, "point", name);
    row_word(l, "use_class", use_name(w->trial.use));
    if (r->dn_mm)
        row_int(l, "dn", r->dn_mm);
    else
        row_null(l, "dn");
    row_time(l, "from", r->from_s);
    row_time(l, "to", r->to_s);
    row_bool(l, "now", r->now.flagged);
    row_bool(l, "then", r->then.flagged);
    o = row_raw_begin(l, "figures");
    out_text(o, "{");
    put_verdict(o, "now", (enum check)w->trial.wish.line.rule, &r->now);
    put_verdict(o, "then", (enum check)w->trial.wish.line.rule, &r->then);
    out_text(o, "}");
    row_raw_end(l);
    row_null(l, "summary");
    row_end(l, cursor_of(room, w->at_s, name));
}

static void put_counts(struct out *o, const struct trial_counts *c)
{
    out_member_int(o, "rows", (int64_t)c->rows);
    out_member_int(o, "now", (int64_t)c->now);
    out_member_int(o, "then", (int64_t)c->then);
    out_member_int(o, "both", (int64_t)c->both);
    out_member_int(o, "only_now", (int64_t)(c->now - c->both));
    out_member_int(o, "only_then", (int64_t)(c->then - c->both));
}

static void put_summary(struct out *o, const struct trying *w)
{
    struct trial_counts all = { 0 };
    bool first = true;

    for (int u = 0; u < TRIAL_USES; u++) {
        const struct trial_counts *c = &w->trial.counts[u];

        all.rows += c->rows;
        all.now += c->now;
        all.then += c->then;
        all.both += c->both;
    }
    out_text(o, "{");
    out_member_int(o, "points", (int64_t)w->trial.points);
    put_counts(o, &all);
    out_key(o, "by_use_class");
    out_text(o, "[");
    for (int u = 0; u < TRIAL_USES; u++) {
        if (!w->trial.counts[u].rows)
            continue;
        out_text(o, first ? "{" : ",{");
        first = false;
        out_member_text(o, "use_class", use_name((enum use_class)u));
        put_counts(o, &w->trial.counts[u]);
        out_text(o, "}");
    }
    out_text(o, "]");
    out_member_text(o, "next", w->next);
    out_text(o, "}");
}

static void sum_up(struct listing *l, struct trying *w)
{
    static const char *const before[] = { "point", "use_class", "dn",   "from",
                                          "to",    "now",       "then", "figures" };
    uint8_t room[CURSOR_MAX];

    row_begin(l);
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        row_null(l, before[i]);
    put_summary(row_raw_begin(l, "summary"), w);
    row_raw_end(l);
    row_end(l, cursor_of(room, INT64_MAX, ""));
    w->summed = true;
}

/* ---- the list ---- */

/* A page goes on within the point that the cursor names. */
static void go_to(struct listing *l, struct trying *w)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    char name[64];
    struct span left;

    w->at_s = w->trial.wish.from_s;
    if (!l->cursor_len)
        return;
    w->at_s = (int64_t)rd_be64(&r);
    left = rd_bytes(&r, rd_left(&r));
    snprintf(name, sizeof name, "%.*s", (int)left.len, left.len ? (const char *)left.at : "");
    if (r.err || w->at_s == INT64_MAX || w->at_s < w->trial.wish.from_s)
        w->at = w->points.count;
    while (w->at < w->points.count && strcmp(cycle_point_name(&w->points, w->at), name) < 0)
        w->at++;
    if (w->at < w->points.count && strcmp(cycle_point_name(&w->points, w->at), name) > 0)
        w->at_s = w->trial.wish.from_s;
}

static enum err try_point(struct listing *l, struct trying *w, struct txn *t)
{
    const char *name = cycle_point_name(&w->points, w->at);
    struct trial_row row;
    uint8_t room[CURSOR_MAX];
    bool found = true;
    enum err err = w->loaded ? ERR_OK : rule_trial_point(&w->trial, t, w->points.at[w->at].id);

    w->loaded = true;
    while (!err && found && !listing_full(l)) {
        err = rule_trial_next(&w->trial, t, span_text(name), &w->at_s, &found, &row);
        if (!err && found)
            put_row(l, w, name, &row);
    }
    if (err || found)
        return err;
    listing_pass(l, cursor_of(room, w->trial.wish.to_s, name));
    w->at++;
    w->at_s = w->trial.wish.from_s;
    w->loaded = false;
    return ERR_OK;
}

static void fill(struct listing *l)
{
    struct trying *w = (struct trying *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    enum err err = ERR_OK;

    if (!w->at_s)
        go_to(l, w);
    for (size_t end = w->at + SLICE;
         !err && w->at < w->points.count && w->at < end && !listing_full(l);)
        err = try_point(l, w, &t);
    listing_fail(l, err);
    listing_fail(l, txn_end(&t));
    if (!l->err && w->at == w->points.count && !listing_full(l) && !w->summed)
        sum_up(l, w);
    l->ended = w->summed;
}

/* ---- what is asked ---- */

struct asking {
    struct request *q;
    struct act_request ask;
    struct act_reply reply;
    struct txn txn;
    struct trying *w;
    struct trial_wish wish;
    struct out routes; /* texts, each ended by 0x00 */
    struct span after;
    int64_t most;
};

static bool wrong(struct asking *a, const char *field, const char *text)
{
    answer_refuse(&a->reply, ERR_INVALID, field, "%s: %s", field, text);
    return false;
}

/* The figures of a version that there is. */
static bool version_taken(struct asking *a, const struct check_rules *rules)
{
    struct check_line *l = &a->wish.line;
    int64_t version;

    if (!rule_int_taken(&a->ask, &a->reply, "version", 1, INT32_MAX, 0, &version))
        return false;
    for (size_t i = 0; rules && i < rules->count; i++)
        if (rules->at[i].rule == l->rule && rules->at[i].version == (uint32_t)version) {
            *l = rules->at[i];
            return true;
        }
    if (version == 1)
        return true;
    answer_refuse(&a->reply, ERR_NOT_FOUND, "version", "version: there is no version %lld of it",
                  (long long)version);
    return false;
}

static bool line_taken(struct asking *a)
{
    struct rules_held *held;
    enum err err = rules_take(a->q->app, &a->txn, &held);
    bool fine;

    if (err) {
        answer_failed(&a->reply, err);
        return false;
    }
    a->wish.line.from_day = zone_day_number(&a->q->app->zone, clock_now_s(&a->q->app->clock));
    if (!json_object_get(a->ask.body, "version"))
        fine = rule_line_taken(&a->ask, &a->reply, rules_of(held), &a->wish.line);
    else if (json_object_get(a->ask.body, "parameters"))
        fine = wrong(a, "version", "found with parameters, expected one of them");
    else
        fine = version_taken(a, rules_of(held));
    rules_give(held);
    return fine;
}

static bool span_taken(struct asking *a)
{
    struct trial_wish *w = &a->wish;

    if (!answer_time(&a->ask, &a->reply, "from", INT64_MIN, &w->from_s) ||
        !answer_time(&a->ask, &a->reply, "to", INT64_MIN, &w->to_s))
        return false;
    if (w->from_s <= 0 || w->from_s > UINT32_MAX)
        return wrong(a, "from", "expected a time from 1970 to 2106");
    if (w->to_s <= w->from_s || w->to_s - w->from_s > SPAN_DAYS_MOST * INT64_C(86400))
        return wrong(a, "to", "expected a time after from, by at most 1100 days");
    return true;
}

static bool step_taken(struct asking *a)
{
    static const char *const names[] = { "hour", "day", "month", "cycle" };
    enum check check = (enum check)a->wish.line.rule;
    struct span name;
    unsigned i = check == CHECK_SPIKE       ? TRIAL_HOUR
                 : check == CHECK_PROLONGED ? TRIAL_CYCLE
                                            : TRIAL_DAY;

    if (!answer_text(&a->ask, &a->reply, "step", false, &name))
        return false;
    a->wish.step = (enum rule_trial_step)i;
    if (!name.len || span_equal(name, span_text(names[i])))
        return true;
    if (i != TRIAL_DAY) {
        answer_refuse(&a->reply, ERR_INVALID, "step", "step: this rule judges by the %s", names[i]);
        return false;
    }
    for (i = TRIAL_DAY; i <= TRIAL_CYCLE; i++)
        if (span_equal(name, span_text(names[i]))) {
            a->wish.step = (enum rule_trial_step)i;
            return true;
        }
    return wrong(a, "step", "expected day, month or cycle");
}

/* ---- of which points ---- */

static bool route_taken(struct asking *a, const json_t *one)
{
    struct span name = span_of(json_string_value(one), json_string_length(one));
    struct ledger_row row;

    if (!json_is_string(one) || !name.len || name.len > LIMIT_TEXT || memchr(name.at, 0, name.len))
        return wrong(a, "routes", "expected names of routes");
    if (!ledger_find(&a->txn, LIST_ROUTE, name, INT64_MAX, &row)) {
        answer_refuse(&a->reply, ERR_NOT_FOUND, "routes",
                      "routes: nobody registered the route %.*s",
                      (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
        return false;
    }
    out_bytes(&a->routes, name.at, name.len);
    out_bytes(&a->routes, "", 1);
    return true;
}

static bool routes_loaded(struct asking *a, const json_t *routes)
{
    struct span names;
    enum err err;
    size_t i;
    json_t *one;

    if (!json_is_array(routes) || !json_array_size(routes))
        return wrong(a, "routes", "expected a list of names of routes");
    json_array_foreach((json_t *)routes, i, one) if (!route_taken(a, one)) return false;
    names = span_of(a->routes.at, a->routes.len);
    if (!cycle_routes_are_ours(&a->ask, &a->reply, &a->txn, names))
        return false;
    if (!(err = a->routes.err))
        err = cycle_points_load(&a->txn, names, &a->w->points);
    if (err)
        answer_failed(&a->reply, err);
    return !err;
}

static bool zone_loaded(struct asking *a, struct span zone)
{
    struct scope scope = scope_of(a->q->caller.org);
    struct ledger_row row;
    enum err err;

    if (!ledger_find(&a->txn, LIST_ZONE, zone, INT64_MAX, &row)) {
        answer_refuse(&a->reply, ERR_NOT_FOUND, "zone", "zone: nobody registered %.*s",
                      (int)(zone.len < 64 ? zone.len : 64), (const char *)zone.at);
        return false;
    }
    if ((err = cycle_points_in_zone(&a->txn, zone, a->q->caller.org[0] ? &scope : NULL,
                                    &a->w->points)))
        answer_failed(&a->reply, err);
    return !err;
}

/* Those behind `after`, and no more than `most`. */
static void cut(struct asking *a)
{
    struct cycle_points *p = &a->w->points;
    size_t begin = 0;
    char after[LIMIT_TEXT + 1];

    snprintf(after, sizeof after, "%.*s", (int)a->after.len,
             a->after.len ? (const char *)a->after.at : "");
    while (begin < p->count && strcmp(cycle_point_name(p, begin), after) <= 0)
        begin++;
    p->count -= begin;
    memmove(p->at, p->at + begin, p->count * sizeof *p->at);
    if (p->count <= (size_t)a->most)
        return;
    p->count = (size_t)a->most;
    a->w->next = cycle_point_name(p, p->count - 1);
}

static bool points_loaded(struct asking *a)
{
    const json_t *routes = json_object_get(a->ask.body, "routes");
    struct span zone;

    if (!answer_text(&a->ask, &a->reply, "zone", false, &zone))
        return false;
    if (!routes == !zone.len)
        return wrong(a, "routes", "expected either routes or a zone");
    if (!(zone.len ? zone_loaded(a, zone) : routes_loaded(a, routes)))
        return false;
    if (!answer_text(&a->ask, &a->reply, "after_point", false, &a->after) ||
        !rule_int_taken(&a->ask, &a->reply, "points", 1, POINTS_MOST, POINTS_MOST, &a->most))
        return false;
    if (a->w->points.count)
        cut(a);
    return true;
}

static bool is_check(struct asking *a, enum listed_rule rule)
{
    if (listed_rule(rule)->of != RULE_OF_FLAG)
        return true;
    answer_refuse(
        &a->reply, ERR_CONFLICT, "rule",
        "rule %s: found a kind of flag, expected a check of use; a replay shows what other "
        "figures of it would have raised",
        listed_rule(rule)->name);
    return false;
}

static bool wish_taken(struct asking *a)
{
    enum listed_rule rule;
    enum err err;

    if (!rule_named(&a->ask, &a->reply, &rule))
        return false;
    if (!answer_members(&a->ask, &a->reply, "parameters", "version", "use_class", "dn", "state",
                        "from", "to", "routes", "zone", "step", "points", "after_point", NULL) ||
        !points_loaded(a) || !span_taken(a) || !rule_is_open(&a->reply, rule) || !is_check(a, rule))
        return false;
    a->wish.line = *line_standing(rule);
    if (!line_taken(a) || !step_taken(a))
        return false;
    if ((err = rule_trial_init(a->q->app, &a->txn, &a->wish, &a->w->trial)))
        answer_failed(&a->reply, err);
    return !err;
}

void answer_rule_trial(struct request *q)
{
    struct asking a = { .q = q, .w = (struct trying *)calloc(1, sizeof *a.w) };
    json_t *body = a.w ? entry_body(q) : NULL;
    struct listing *l;
    bool fine;

    if (!a.w)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    if (!body) {
        free(a.w);
        return;
    }
    a.ask = (struct act_request){
        .app = q->app, .caller = &q->caller, .subject = q->subject[0], .body = body
    };
    a.txn = ledger_read(q->app->ledger);
    fine = wish_taken(&a);
    txn_abort(&a.txn);
    json_decref(body);
    out_done(&a.routes);
    if (!fine) {
        trying_done(a.w);
        problem_detail(q, a.reply.status, &a.reply.refusal, a.reply.detail);
        out_done(&a.reply.body);
    } else if ((l = listing_new(q, columns, fill, a.w, trying_done, PAGE))) {
        l->patient = true;
        free(l->scoping); /* all of its points are the caller's; the summary is of no point */
        l->scoping = NULL;
    }
}
