/* What a person should look at before it is billed: of a cycle that is not closed, or of a route over any span. */
#include "server/cycle_review.h"
#include "server/query/answers.h"
#include "server/query/cycle_asked.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define SLICE 128          /* points between two transactions */
#define SPAN_DAYS_MOST 400 /* as of a cycle */

struct queue {
    char name[CYCLE_NAME_MAX + 1]; /* of the cycle; "": none */
    uint32_t id;
    int reason; /* enum review_reason; -1: any */
    bool with_accepted;
    struct cycle_maker maker;
    struct cycle_points points;
    struct point_use use;
};

static void queue_done(void *state)
{
    struct queue *w = (struct queue *)state;

    point_use_done(&w->use);
    cycle_points_done(&w->points);
    cycle_maker_done(&w->maker);
    free(w);
}

static const char *const columns[] = {
    "cycle",       "point",         "account",        "from",         "to",
    "reasons",     "consumption_l", "billed_m3",      "days",         "quality",
    "method",      "why",           "median_l",       "exchanged_at", "old_serial",
    "new_serial",  "spikes",        "first_spike_at", "flags_open",   "accepted",
    "accepted_by", "accepted_at",   "note",           "check_inputs", "accepted_on",
    NULL
};

/* ---- a row ---- */

static void put_figures(struct listing *l, const struct queue *w, const struct reviewed *r)
{
    if (r->d.billed.known) {
        row_litres(l, "consumption_l", r->d.billed.consumption_ml);
        row_int(l, "billed_m3", r->d.billed.m3);
    } else {
        row_null(l, "consumption_l");
        row_null(l, "billed_m3");
    }
    row_int(l, "days", w->maker.line.days);
    row_word(l, "quality", quality_name(r->d.quality));
    row_word(l, "method", method_name(r->d.method));
    row_word(l, "why", missing_why_name(r->d.why));
    if (r->has_median)
        row_litres(l, "median_l", r->median_ml);
    else
        row_null(l, "median_l");
}

static void put_exchange(struct listing *l, const struct reviewed *r)
{
    if (r->exchanged)
        row_time(l, "exchanged_at", r->exchanged_s);
    else
        row_null(l, "exchanged_at");
    row_word(l, "old_serial", r->old_serial);
    row_word(l, "new_serial", r->new_serial);
    row_int(l, "spikes", r->spikes);
    if (r->spikes)
        row_time(l, "first_spike_at", r->spike_s);
    else
        row_null(l, "first_spike_at");
}

static void put_accepted(struct listing *l, const struct reviewed *r)
{
    row_bool(l, "accepted", r->accepted);
    if (!r->was_accepted) {
        row_null(l, "accepted_by");
        row_null(l, "accepted_at");
        row_null(l, "note");
        return;
    }
    row_text(l, "accepted_by", r->by.who);
    row_time(l, "accepted_at", r->by.at_s);
    row_text(l, "note", r->by.note);
}

static void put(struct listing *l, const struct queue *w, struct span point,
                const struct reviewed *r, unsigned flags)
{
    row_begin(l);
    row_word(l, "cycle", w->name[0] ? w->name : NULL);
    row_text(l, "point", point);
    row_text(l, "account", r->d.account);
    row_time(l, "from", w->maker.line.from_s);
    row_time(l, "to", w->maker.line.to_s);
    review_put_reasons(row_raw_begin(l, "reasons"), r->reasons);
    row_raw_end(l);
    put_figures(l, w, r);
    put_exchange(l, r);
    row_int(l, "flags_open", flags);
    put_accepted(l, r);
    rules_put_told(row_raw_begin(l, "check_inputs"), r->d.told_of, r->d.told_of, r->d.told);
    row_raw_end(l);
    if (r->was_accepted) {
        rules_put_told(row_raw_begin(l, "accepted_on"), r->by.told_of, r->by.told_of, r->by.told);
        row_raw_end(l);
    } else {
        row_null(l, "accepted_on");
    }
    row_end(l, point);
}

static bool wanted(const struct queue *w, const struct reviewed *r)
{
    unsigned reasons = w->reason < 0 ? ~0u : 1u << w->reason;

    return !r->elsewhere && r->reasons & reasons && (w->with_accepted || !r->accepted);
}

static void review_one(struct listing *l, struct queue *w, struct txn *t, size_t i)
{
    struct span name = span_text(cycle_point_name(&w->points, i));
    uint32_t id = w->points.at[i].id;
    struct reviewed r;
    unsigned flags = 0;
    enum err err = review_point(&w->maker, t, w->id, id, name, &w->use, &r);

    if (!err && wanted(w, &r) && !(err = review_flags(l->app, &w->use, id, &flags)))
        put(l, w, name, &r, flags);
    else if (!err)
        listing_pass(l, name);
    if (err)
        listing_fail(l, err);
}

static void fill(struct listing *l)
{
    struct queue *w = (struct queue *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    size_t at = cycle_place_of(l, &w->points), end = at + SLICE;

    for (; at < w->points.count && at < end && !listing_full(l) && !l->err; at++)
        review_one(l, w, &t, at);
    listing_fail(l, txn_end(&t));
    l->ended = at >= w->points.count && !l->err;
}

/* ---- asking ---- */

static bool ask_reason(struct request *q, int *out)
{
    struct span name = ask_text(q, "reason");
    char names[REVIEW_REASONS_TEXT];
    enum review_reason reason;

    *out = -1;
    if (!name.len)
        return true;
    if (review_reason_read(name, &reason)) {
        *out = (int)reason;
        return true;
    }
    review_reason_names(names);
    problem_of(q, ERR_INVALID, "reason", "reason: found %.*s, expected %s",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at, names);
    return false;
}

static void answer(struct request *q, struct txn *t, const struct ledger_cycle *c)
{
    struct queue *w = (struct queue *)calloc(1, sizeof *w);
    enum err err = w ? ERR_OK : ERR_NO_MEMORY;

    if (w) {
        snprintf(w->name, sizeof w->name, "%s", c->name);
        w->id = c->id;
    }
    if (w && (!ask_reason(q, &w->reason) || !ask_bool(q, "accepted", &w->with_accepted))) {
        queue_done(w);
        return;
    }
    if (!err)
        err = cycle_maker_init(q->app, t, c, clock_now_s(&q->app->clock), &w->maker);
    if (!err)
        err = cycle_points_load(t, c->routes, &w->points);
    if (!err) {
        w->maker.line.cycle = w->name;
        w->maker.anyhow = !w->id;
        listing_new(q, columns, fill, w, queue_done, PAGE);
        return;
    }
    if (w)
        queue_done(w);
    problem_of(q, err, "", "the figures cannot be looked at: the store %s", err_text(err));
}

void answer_review(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_cycle c;

    if (cycle_asked(q, &t, &c)) {
        if (c.state == CYCLE_CLOSED)
            problem_of(q, ERR_CONFLICT, "cycle",
                       "cycle %s: it is closed, so there is nothing left to look at; what changes "
                       "now becomes an adjustment",
                       c.name);
        else
            answer(q, &t, &c);
    }
    txn_abort(&t);
}

void answer_route_review(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_cycle c = { 0 };
    struct ledger_row route;
    uint8_t name[LIMIT_TEXT + 1];

    if (!row_named(q, &t, list_of(LIST_ROUTE), INT64_MAX, &route) ||
        !ask_span(q, &c.from_s, &c.to_s, true)) {
        txn_abort(&t);
        return;
    }
    if (c.to_s - c.from_s > INT64_C(86400) * SPAN_DAYS_MOST || c.to_s == c.from_s ||
        q->subject[0].len > LIMIT_TEXT) {
        problem_of(q, ERR_INVALID, "to", "to: expected 1 to %d days after from", SPAN_DAYS_MOST);
    } else {
        memcpy(name, q->subject[0].at, q->subject[0].len);
        name[q->subject[0].len] = 0;
        c.routes = span_of(name, q->subject[0].len + 1);
        answer(q, &t, &c);
    }
    txn_abort(&t);
}
