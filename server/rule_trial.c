#include "server/rule_trial.h"

#include "server/registers.h"

#include <stdlib.h>

/* ---- by what is judged ---- */

static bool same_scope(const struct check_line *a, const struct check_line *b)
{
    return a->rule == b->rule && a->use == b->use && a->dn_mm == b->dn_mm;
}

static void push(struct check_rules *r, const struct check_line *l)
{
    r->at[r->count] = *l;
    r->at[r->count++].from_day = INT64_MIN;
}

/* Of each scope the line that holds today, as if it always had; then the same with the wish in place of its scope's. */
static enum err make_rules(const struct check_rules *all, int64_t today, struct rule_trial *w)
{
    const struct check_line *wish = &w->wish.line;
    size_t most = (all ? all->count : 0) + 1;
    const struct check_line *last = NULL; /* whose scope is settled */

    w->now.at = (struct check_line *)calloc(most, sizeof *w->now.at);
    w->then.at = (struct check_line *)calloc(most, sizeof *w->then.at);
    if (!w->now.at || !w->then.at)
        return ERR_NO_MEMORY;
    for (size_t i = 0; all && i < all->count; i++) {
        const struct check_line *l = &all->at[i];

        if (l->rule != wish->rule || l->from_day > today || (last && same_scope(last, l)))
            continue;
        last = l;
        if (l->state == LINE_WITHDRAWN)
            continue;
        push(&w->now, l);
        if (!same_scope(l, wish))
            push(&w->then, l);
    }
    if (wish->state != LINE_WITHDRAWN) {
        push(&w->then, wish);
        w->then.at[w->then.count - 1].version = 0;
    }
    check_rules_sort(&w->now);
    check_rules_sort(&w->then);
    return ERR_OK;
}

/* All that are closed, by time: what lies before the span may matter within it. */
struct cycles_of {
    struct rule_trial *trial;
    enum err err;
};

static bool note_cycle(void *arg, const struct ledger_cycle *c)
{
    struct cycles_of *n = (struct cycles_of *)arg;
    struct rule_trial *w = n->trial;

    if (c->state != CYCLE_CLOSED)
        return true;
    if (w->span_count == w->span_cap) {
        size_t cap = w->span_cap ? 2 * w->span_cap : 32;
        struct trial_span *more = (struct trial_span *)realloc(w->spans, cap * sizeof *more);

        if (!more) {
            n->err = ERR_NO_MEMORY;
            return false;
        }
        w->spans = more;
        w->span_cap = cap;
    }
    w->spans[w->span_count++] = (struct trial_span){ c->id, c->from_s, c->to_s };
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct trial_span *x = (const struct trial_span *)a, *y = (const struct trial_span *)b;

    return (x->from_s > y->from_s) - (x->from_s < y->from_s);
}

static enum err load_cycles(struct rule_trial *w, struct txn *t)
{
    struct cycles_of n = { .trial = w };
    enum err err;

    err = ledger_cycles(t, span_of(NULL, 0), note_cycle, &n);
    err = err ? err : n.err;
    if (!err && w->span_count)
        qsort(w->spans, w->span_count, sizeof *w->spans, by_time);
    return err;
}

enum err rule_trial_init(struct app *app, struct txn *t, const struct trial_wish *wish,
                         struct rule_trial *out)
{
    int64_t today = zone_day_number(&app->zone, clock_now_s(&app->clock));
    struct rules_held *held;
    enum err err;

    *out = (struct rule_trial){ .app = app, .wish = *wish };
    if ((err = rules_take(app, t, &held)))
        return err;
    err = make_rules(rules_of(held), today, out);
    rules_give(held);
    return err || wish->step != TRIAL_CYCLE ? err : load_cycles(out, t);
}

void rule_trial_done(struct rule_trial *w)
{
    point_use_done(&w->load);
    free(w->now.at);
    free(w->then.at);
    free(w->spans);
}

/* ---- a point ---- */

static enum err load_use(struct txn *t, uint32_t point, enum use_class *out)
{
    struct ledger_row row;
    struct point_facts facts;
    struct cells cells;
    enum err err;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    cells = cells_of(&row);
    if (!(err = cells_point(&cells, point, &facts)))
        *out = facts.use;
    return err;
}

enum err rule_trial_point(struct rule_trial *w, struct txn *t, uint32_t point)
{
    enum consume_step step = w->wish.step == TRIAL_HOUR ? STEP_HOUR : STEP_NONE;
    enum err err = load_use(t, point, &w->use);

    if (!err)
        err = point_use_load(w->app, t, point, w->wish.from_s, w->wish.to_s, step,
                             clock_now_s(&w->app->clock), &w->load);
    w->points++;
    return err;
}

/* ---- rows ---- */

/* Where the row that begins at `from_s` ends; false: there is none any more. CYCLE: the next that begins there or later. */
static bool span_from(const struct rule_trial *w, struct txn *t, struct span name, int64_t from_s,
                      struct trial_span *out)
{
    static const enum consume_step steps[] = { STEP_HOUR, STEP_DAY, STEP_MONTH };
    int64_t end_s = w->wish.to_s, now_s = clock_now_s(&w->app->clock);
    struct span bytes;

    for (size_t i = 0; w->wish.step == TRIAL_CYCLE && i < w->span_count; i++) {
        if (w->spans[i].from_s < from_s || w->spans[i].to_s > end_s ||
            !ledger_determinant(t, w->spans[i].cycle, name, &bytes))
            continue;
        *out = w->spans[i];
        return true;
    }
    if (w->wish.step == TRIAL_CYCLE || from_s >= end_s || from_s >= now_s)
        return false;
    *out = (struct trial_span){ 0, from_s,
                                consume_step_end(steps[w->wish.step], &w->app->zone, from_s) };
    if (out->to_s > end_s)
        out->to_s = end_s;
    return true;
}

static enum err judge(struct rule_trial *w, const struct check_rules *rules,
                      const struct trial_span *span, struct trial_verdict *out)
{
    enum check check = (enum check)w->wish.line.rule;
    const struct consumption *c;
    enum err err;

    consumer_judge_by(w->load.consumer, rules, w->use);
    if ((err = consumer_row(w->load.consumer, span->from_s, span->to_s, &c)))
        return err;
    out->flagged = c->checks & 1u << check;
    out->judged = c->judged & 1u << check;
    if (out->judged)
        out->told = c->told[check];
    return ERR_OK;
}

/* The closed cycle that has the point and ends at `to_s` was unread; false: it was read, or there is none. */
static bool unread_before(struct rule_trial *w, struct txn *t, struct span name, int64_t *to_s)
{
    for (size_t i = 0; i < w->span_count; i++) {
        struct determinant d;
        struct span bytes;

        if (w->spans[i].to_s != *to_s || !ledger_determinant(t, w->spans[i].cycle, name, &bytes))
            continue;
        if (determinant_read(bytes, w->spans[i].from_s, w->spans[i].to_s, NULL, 0, &d)) {
            t->err = ERR_CORRUPT;
            return false;
        }
        *to_s = w->spans[i].from_s;
        return determinant_unread(&d);
    }
    return false;
}

/* Of frozen figures: this and so many before it unread (rules-bills E7). */
static void judge_prolonged(struct rule_trial *w, struct txn *t, struct span name,
                            const struct check_rules *rules, const struct trial_span *span,
                            int32_t dn_mm, struct trial_verdict *out)
{
    int64_t day = zone_day_number(&w->app->zone, span->from_s), at_s = span->to_s;
    const struct check_line *l = check_line_for(rules, CHECK_PROLONGED, day, w->use, dn_mm);

    out->judged = l->state == LINE_ON;
    out->flagged = out->judged;
    for (int64_t i = 0; i <= l->value[0] && out->flagged; i++)
        out->flagged = unread_before(w, t, name, &at_s);
    out->told = (struct check_told){ .version = l->version,
                                     .parameters = 1,
                                     .inputs = 1,
                                     .value = { l->value[0] },
                                     .input = { at_s } };
}

static enum err judge_both(struct rule_trial *w, struct txn *t, struct span name,
                           const struct trial_span *span, struct trial_row *out)
{
    const struct consumption *c;
    enum err err;

    *out = (struct trial_row){ .from_s = span->from_s, .to_s = span->to_s };
    if (w->wish.line.rule != LISTED_PROLONGED) {
        if (!(err = judge(w, &w->now, span, &out->now)))
            err = judge(w, &w->then, span, &out->then);
        out->dn_mm = consumer_dn(w->load.consumer);
        return err;
    }
    if ((err = consumer_figures(w->load.consumer, span->from_s, span->to_s, &c)))
        return err;
    out->dn_mm = consumer_dn(w->load.consumer);
    judge_prolonged(w, t, name, &w->now, span, out->dn_mm, &out->now);
    judge_prolonged(w, t, name, &w->then, span, out->dn_mm, &out->then);
    return t->err;
}

enum err rule_trial_next(struct rule_trial *w, struct txn *t, struct span name, int64_t *at_s,
                         bool *out_found, struct trial_row *out)
{
    struct trial_counts *counts = &w->counts[w->use];
    struct trial_span span;

    *out_found = false;
    while (!*out_found && span_from(w, t, name, *at_s, &span)) {
        enum err err = judge_both(w, t, name, &span, out);

        if (err)
            return err;
        *at_s = w->wish.step == TRIAL_CYCLE ? span.from_s + 1 : span.to_s;
        counts->rows++;
        counts->now += out->now.flagged;
        counts->then += out->then.flagged;
        counts->both += out->now.flagged && out->then.flagged;
        *out_found = out->now.flagged || out->then.flagged;
    }
    if (!*out_found)
        *at_s = w->wish.to_s;
    return t->err;
}
