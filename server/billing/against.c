#include "server/billing/against.h"

#include <string.h>

#include "server/billing/agree.h"

#define NO_ROW SIZE_MAX
#define UNMASKED_WITHIN 64 /* rows behind a peak */

struct telling {
    const struct fitting *fittings;
    size_t count;
    bool billed;
    struct meter_limits limits;
    const struct rows *rows;
    const enum rule *rules;
    size_t next; /* rows before it are older than the one at hand */
    size_t last; /* of those the last that takes part; NO_ROW: none does */
};

static enum source source_of(const struct row *r)
{
    return (enum source)(r->attr & ATTR_SOURCE);
}

static struct mark_told told_of(const struct row *r)
{
    return (struct mark_told){ r->time_s, r->value, false, source_of(r) };
}

static bool holds(const struct fitting *f, int64_t at_s)
{
    return f->from_s <= at_s && at_s <= f->to_s;
}

/* Of two that touch at the instant the later one: there its own start index stands. */
static const struct fitting *fitting_at(const struct telling *t, int64_t at_s)
{
    const struct fitting *found = NULL;

    for (size_t i = 0; i < t->count; i++)
        if (holds(&t->fittings[i], at_s) && (!found || at_s > t->fittings[i].from_s))
            found = &t->fittings[i];
    return found;
}

static struct mark mark_of(const struct mark_told *m)
{
    return (struct mark){ m->at_s, m->index_ml };
}

/* The last that takes part in the fitting before the row at hand: a reading, or the fitting's start. */
static struct mark_told before_of(const struct telling *t, const struct fitting *f)
{
    if (t->last != NO_ROW && t->rows->at[t->last].time_s > f->from_s)
        return told_of(&t->rows->at[t->last]);
    return (struct mark_told){ f->from_s, f->start_ml, true, SOURCE_REMOTE };
}

/* Goes on to row i. */
static void pass_older(struct telling *t, size_t i)
{
    for (; t->rows->at[t->next].time_s < t->rows->at[i].time_s; t->next++)
        if (t->rules[t->next] == RULE_NONE)
            t->last = t->next;
}

/* ---- rule by rule ---- */

static void tell_not_fitted(const struct telling *t, int64_t at_s, struct against *a)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct fitting *f = &t->fittings[i];

        if (f->to_s < at_s) {
            a->has_fitting = true;
            a->fitted_until_s = f->to_s;
        } else if (f->from_s > at_s && !a->has_next) {
            a->has_next = true;
            a->fitted_from_s = f->from_s;
        }
    }
}

/* What goes before it at that instant: the fitting's own index, else the best of the others (B6), the first received of equals. */
static void tell_conflict(const struct telling *t, const struct fitting *f, size_t i,
                          struct against *a)
{
    const struct row *rows = t->rows->at;
    size_t first = i, best = i;

    a->has_beside = true;
    a->beside = (struct mark_told){ rows[i].time_s, 0, true, SOURCE_REMOTE };
    if (t->billed && f->from_s == rows[i].time_s) {
        a->beside.index_ml = f->start_ml;
        return;
    }
    if (t->billed && f->has_end && f->to_s == rows[i].time_s) {
        a->beside.index_ml = f->end_ml;
        return;
    }
    while (first > 0 && rows[first - 1].time_s == rows[i].time_s)
        first--;
    for (size_t k = first; k < t->rows->count && rows[k].time_s == rows[i].time_s; k++)
        if (!(rows[k].attr & ATTR_FUTURE) &&
            (best == i || source_rank(rows[k].attr) > source_rank(rows[best].attr)) && k != i)
            best = k;
    a->beside = told_of(&rows[best]);
}

/* B11: the first behind the peak that falls below it and agrees with the one before it. */
static void tell_peak(const struct telling *t, const struct fitting *f, size_t i, struct against *a)
{
    struct mark before = mark_of(&a->before);

    for (size_t k = i + 1;
         k < t->rows->count && k - i <= UNMASKED_WITHIN && t->rows->at[k].time_s <= f->to_s; k++) {
        struct mark r = row_mark(&t->rows->at[k]);

        if (t->rules[k] == RULE_FUTURE || t->rules[k] == RULE_CONFLICT ||
            r.value >= t->rows->at[i].value || !marks_agree(&t->limits, &before, &r, NULL))
            continue;
        a->has_beside = true;
        a->beside = told_of(&t->rows->at[k]);
        return;
    }
    if (f->has_end && f->end_ml < t->rows->at[i].value) {
        a->has_beside = true;
        a->beside = (struct mark_told){ f->to_s, f->end_ml, true, SOURCE_REMOTE };
    }
}

static void tell_step(const struct telling *t, size_t i, struct against *a)
{
    struct mark x = mark_of(&a->before), y = row_mark(&t->rows->at[i]);
    struct counted counted;

    a->seconds = y.at_s - x.at_s;
    a->ceiling_ml = volume_clamped(t->limits.rate * a->seconds / METER_RATE_OVER + t->limits.pulse);
    a->moved_ml = volume_clamped((__int128)y.value - x.value);
    if (t->rules[i] != RULE_NONE)
        return;
    a->counts = true;
    if (marks_agree(&t->limits, &x, &y, &counted)) {
        a->moved_ml = volume_clamped(counted.volume);
        a->rollovers = counted.rollovers;
        a->rule = counted.rollovers ? LISTED_ROLL_OVER : LISTED_AGREES;
    } else { /* it takes part though it falls */
        a->moved_ml = 0;
        a->rule = LISTED_RE_BASE;
    }
}

static void tell(const struct telling *t, size_t i, struct against *a)
{
    const struct row *row = &t->rows->at[i];
    const struct fitting *f = fitting_at(t, row->time_s);
    enum rule rule = t->rules[i];

    memset(a, 0, sizeof *a);
    a->rule = rule == RULE_NONE ? LISTED_AGREES : listed_verdict(rule);
    if (rule == RULE_FUTURE)
        return;
    if (!f || rule == RULE_NOT_FITTED) {
        tell_not_fitted(t, row->time_s, a);
        return;
    }
    if (rule == RULE_CONFLICT)
        tell_conflict(t, f, i, a);
    if (!t->billed || rule == RULE_CONFLICT)
        return;
    if (row->time_s == f->from_s) { /* it says what the fitting's own index says */
        a->counts = true;
        return;
    }
    a->has_before = true;
    a->before = before_of(t, f);
    tell_step(t, i, a);
    if (rule == RULE_PEAK)
        tell_peak(t, f, i, a);
}

void against_list(const struct meter_facts *m, const struct fitting *fittings, size_t count,
                  enum channel c, const struct rows *rows, const enum rule *rules, size_t first,
                  size_t end, struct against *out)
{
    struct telling t = {
        .fittings = fittings,
        .count = count,
        .billed = c == CHANNEL_BILLED || c == meter_billed_channel(m),
        .limits = meter_limits_of(m),
        .rows = rows,
        .rules = rules,
        .last = NO_ROW,
    };

    /* The rows before are looked through backwards: mostly the very last takes part. */
    t.next = first;
    while (t.next > 0 && (rules[t.next - 1] != RULE_NONE ||
                          (first < end && rows->at[t.next - 1].time_s >= rows->at[first].time_s)))
        t.next--;
    t.next -= t.next > 0;
    for (size_t i = first; i < end; i++) {
        pass_older(&t, i);
        tell(&t, i, &out[i - first]);
    }
}
