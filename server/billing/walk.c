/* The walk over a fitting's readings (rules-bills B).  Its candidates are the fitting's own indices
 * and one reading of each instant; those that take part form a chain, and a peak is a link taken
 * out again, after which the walk goes on right behind it. */
#include "server/billing/walk.h"

#include <assert.h>
#include <stdlib.h>

#include "server/billing/agree.h"

/* Going back after a peak (B11) costs the readings between it and the one that unmasked it once
 * more.  True meters make that a handful; a series made up for it could make it squares, so all
 * going back together has an end: beyond it a fall is just a fall. */
#define REWALK_FREE 1000000
#define REWALK_PER_READING 16

const char *rule_name(enum rule r)
{
    static const char *const names[] = {
        [RULE_NONE] = NULL,           [RULE_FUTURE] = "future",   [RULE_NOT_FITTED] = "not-fitted",
        [RULE_CONFLICT] = "conflict", [RULE_CEILING] = "ceiling", [RULE_FALL] = "fall",
        [RULE_PEAK] = "peak",
    };

    return names[r];
}

/* A reading that may take part. */
struct candidate {
    struct mark mark;
    size_t row;    /* in the rows; NO_ROW for the fitting's own index */
    size_t before; /* the one before it in the chain, while it takes part */
    uint8_t rule;  /* enum rule */
    bool rebased;  /* the step to it counts 0 */
};

#define NO_ROW SIZE_MAX

struct walk {
    struct meter_limits limits;
    struct candidate *at;
    size_t count;
    size_t last;  /* the last that takes part */
    bool has_end; /* at[count - 1] is the fitting's end index */
    uint64_t rewalk_left;
    size_t edit_count;
    struct edited {
        size_t row;
        uint8_t rule; /* enum rule: it holds where it is RULE_NONE */
    } * edits;        /* by time */
};

/* ---- candidates: one of each instant (B5, B6) ----------------------------------------------- */

size_t rows_from(const struct rows *rows, int64_t at_s)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows->at[middle].time_s < at_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of the rows from `begin` of one instant the one that goes on; NO_ROW where all are from the
 * future, or edits.  `out_end`: behind them. */
static size_t instant_winner(const struct rows *rows, size_t begin, size_t *out_end)
{
    size_t winner = NO_ROW, i = begin;

    for (; i < rows->count && rows->at[i].time_s == rows->at[begin].time_s; i++) {
        if (rows->at[i].attr & (ATTR_FUTURE | ATTR_EDITED))
            continue;
        if (winner == NO_ROW || source_rank(rows->at[i].attr) > source_rank(rows->at[winner].attr))
            winner = i;
    }
    *out_end = i;
    return winner;
}

/* Where a row lies on two fittings at once, at the instant where one ends and the other begins, it
 * takes part if it does in either. */
static void verdict_set(enum rule *verdicts, size_t row, enum rule rule)
{
    if (verdicts && verdicts[row] != RULE_NONE)
        verdicts[row] = rule;
}

/* The rows of an instant lose against `value`, which goes on: equal ones are the same reading,
 * others conflict. */
static void instant_lost(const struct rows *rows, size_t begin, size_t end, int64_t value,
                         enum rule *verdicts)
{
    for (size_t i = begin; i < end; i++) {
        if (!(rows->at[i].attr & (ATTR_FUTURE | ATTR_EDITED)))
            verdict_set(verdicts, i, rows->at[i].value == value ? RULE_NONE : RULE_CONFLICT);
    }
}

/* The edit of an instant, whose rows are [begin, end), if it is not out by now. */
static const struct row *edit_of(const struct walk *w, const struct rows *rows, size_t begin,
                                 size_t end)
{
    while (begin < end && !(rows->at[begin].attr & ATTR_EDITED))
        begin++;
    for (size_t k = 0; begin < end && k < w->edit_count; k++)
        if (w->edits[k].row == begin && !w->edits[k].rule)
            return &rows->at[begin];
    return NULL;
}

static void candidate_add(struct walk *w, int64_t at_s, int64_t value, size_t row)
{
    w->at[w->count++] = (struct candidate){ .mark = { at_s, value }, .row = row };
}

/* The fitting's own indices always take part (B7): at their instants the rows only agree or
 * conflict with them. */
static bool own_index(const struct fitting *f, int64_t at_s, int64_t *out_value)
{
    if (at_s == f->from_s)
        *out_value = f->start_ml;
    else if (f->has_end && at_s == f->to_s)
        *out_value = f->end_ml;
    else
        return false;
    return true;
}

static void candidates_list(struct walk *w, const struct fitting *f, const struct rows *rows,
                            enum rule *verdicts)
{
    size_t end;

    candidate_add(w, f->from_s, f->start_ml, NO_ROW);
    for (size_t i = rows_from(rows, f->from_s); i < rows->count && rows->at[i].time_s <= f->to_s;
         i = end) {
        size_t winner = instant_winner(rows, i, &end);
        const struct row *edit = w->edit_count ? edit_of(w, rows, i, end) : NULL;
        int64_t own;

        if (own_index(f, rows->at[i].time_s, &own)) {
            instant_lost(rows, i, end, own, verdicts);
            continue;
        }
        if (edit) { /* the reading that it is put in place of, and those that lost against that */
            instant_lost(rows, i, end, edit->value, verdicts);
            continue;
        }
        if (winner == NO_ROW)
            continue;
        instant_lost(rows, i, end, rows->at[winner].value, verdicts);
        candidate_add(w, rows->at[winner].time_s, rows->at[winner].value, winner);
    }
    if (f->has_end)
        candidate_add(w, f->to_s, f->end_ml, NO_ROW);
}

/* ---- the walk itself (B9 to B12) ------------------------------------------------------------ */

static bool agree(const struct walk *w, size_t x, size_t y)
{
    int64_t rise;

    return marks_plain(&w->limits, &w->at[x].mark, &w->at[y].mark, &rise) ||
           marks_agree(&w->limits, &w->at[x].mark, &w->at[y].mark, NULL);
}

/* A net register knows no falls. */
static bool below(const struct walk *w, size_t a, size_t r)
{
    return !w->limits.net && w->at[r].mark.value < w->at[a].mark.value;
}

/* B10: below `a` without agreeing with it. */
static bool falls(const struct walk *w, size_t a, size_t r)
{
    return below(w, a, r) && !agree(w, a, r);
}

static bool is_end(const struct walk *w, size_t r)
{
    return w->has_end && r == w->count - 1;
}

/* B11: `r` falls below the last one; was that one the odd one out? */
static bool last_is_peak(const struct walk *w, size_t r)
{
    size_t a = w->last;

    if (a == 0 || !agree(w, w->at[a].before, r))
        return false;
    if (is_end(w, r))
        return true;
    return r + 1 < w->count && falls(w, a, r + 1) && agree(w, r, r + 1);
}

/* B12: `r` and the three after it, each agreeing with the one before; fewer where the end index
 * closes them. */
static bool begins_anew(const struct walk *w, size_t r)
{
    for (size_t i = r;; i++) {
        if (i > r && !(falls(w, w->last, i) && agree(w, i - 1, i)))
            return false;
        if (is_end(w, i) || i == r + 3)
            return true;
        if (i + 1 >= w->count)
            return false;
    }
}

static void take(struct walk *w, size_t r, bool rebased)
{
    w->at[r].rule = RULE_NONE;
    w->at[r].rebased = rebased;
    w->at[r].before = w->last;
    w->last = r;
}

/* The last one is out; returns where the walk goes on. */
static size_t take_back(struct walk *w, size_t r)
{
    size_t peak = w->last;

    w->at[peak].rule = RULE_PEAK;
    w->last = w->at[peak].before;
    w->rewalk_left -= r - peak;
    return peak + 1;
}

/* Judges `r`; returns which one comes next. */
static size_t judge(struct walk *w, size_t r)
{
    if (agree(w, w->last, r)) {
        take(w, r, false);
    } else if (!below(w, w->last, r)) {
        w->at[r].rule = RULE_CEILING;
        if (is_end(w, r)) /* B7: it always takes part, and counts in full */
            take(w, r, false);
    } else if (w->rewalk_left > r - w->last && last_is_peak(w, r)) {
        return take_back(w, r);
    } else if (begins_anew(w, r)) {
        take(w, r, true);
    } else {
        w->at[r].rule = RULE_FALL;
    }
    return r + 1;
}

static void walk_once(struct walk *w, const struct fitting *f, const struct rows *rows,
                      enum rule *verdicts)
{
    w->count = w->last = 0;
    candidates_list(w, f, rows, verdicts);
    w->rewalk_left = REWALK_FREE + REWALK_PER_READING * (uint64_t)w->count;
    for (size_t r = 1; r < w->count;)
        r = judge(w, r);
}

/* ---- edits (edit.h) -------------------------------------------------------------------------- */

static enum err edits_find(struct walk *w, const struct rows *rows, size_t first, size_t behind)
{
    uint32_t attrs = 0;

    for (size_t i = first; i < behind; i++)
        attrs |= rows->at[i].attr;
    if (!(attrs & ATTR_EDITED))
        return ERR_OK;
    if (!(w->edits = malloc((behind - first) * sizeof(*w->edits))))
        return ERR_NO_MEMORY;
    for (size_t i = first; i < behind; i++)
        if (rows->at[i].attr & ATTR_EDITED)
            w->edits[w->edit_count++] = (struct edited){ .row = i };
    return ERR_OK;
}

/* What is counted from `x` to a later `y`, both in the chain: an end index that agrees with nothing counts in full (B7). */
static __int128 counted_between(const struct walk *w, size_t x, size_t y)
{
    const struct mark *a = &w->at[x].mark, *b = &w->at[y].mark;
    struct counted counted;

    return marks_agree(&w->limits, a, b, &counted) ? counted.volume : (__int128)b->value - a->value;
}

/* Whether a candidate fits in the chain between `p` and `n` (NO_ROW: it comes last), which it must not break: nor may it add a turn of the dial. Before a re-base, whose step
 * counts 0, it says what was used until then. */
static enum rule fits(const struct walk *w, size_t p, size_t e, size_t n)
{
    if (!agree(w, p, e))
        return below(w, p, e) ? RULE_FALL : RULE_CEILING;
    if (n == NO_ROW || w->at[n].rebased)
        return RULE_NONE;
    if (!agree(w, e, n) && agree(w, p, n))
        return below(w, e, n) ? RULE_PEAK : RULE_CEILING;
    return counted_between(w, p, e) + counted_between(w, e, n) == counted_between(w, p, n)
               ? RULE_NONE
               : RULE_CEILING;
}

/* Puts what fits into the chain of those that take part, the latest first; true: some did not that stood there for the first time. */
static bool edits_link(struct walk *w, const struct rows *rows)
{
    size_t next = NO_ROW, p = w->last;
    bool any_out = false;

    for (size_t k = w->edit_count; k-- > 0;) {
        const struct row *row = &rows->at[w->edits[k].row];
        size_t e = w->count;

        if (w->edits[k].rule)
            continue;
        while (w->at[p].mark.at_s > row->time_s) {
            next = p;
            p = w->at[p].before;
        }
        candidate_add(w, row->time_s, row->value, w->edits[k].row);
        w->edits[k].rule = (uint8_t)fits(w, p, e, next);
        w->at[e].rule = w->edits[k].rule;
        any_out |= w->edits[k].rule != RULE_NONE;
        if (w->edits[k].rule)
            continue;
        w->at[e].before = p;
        if (next == NO_ROW)
            w->last = e;
        else
            w->at[next].before = e;
        next = e;
    }
    return any_out;
}

/* Where an edit is out, the reading that it was put in place of is there again: so the walk begins anew, until none more is. */
static void walk_edited(struct walk *w, const struct fitting *f, const struct rows *rows,
                        enum rule *verdicts)
{
    do {
        walk_once(w, f, rows, NULL);
    } while (edits_link(w, rows));
    walk_once(w, f, rows, verdicts);
    (void)edits_link(w, rows);
    for (size_t k = 0; verdicts && k < w->edit_count; k++)
        verdicts[w->edits[k].row] = (enum rule)w->edits[k].rule;
}

static void walk_done(struct walk *w)
{
    free(w->at);
    free(w->edits);
}

/* How many rows lie within the fitting, both ends included, and which is the first. */
static size_t fitting_rows(const struct fitting *f, const struct rows *rows, size_t *out_first)
{
    size_t first = rows_from(rows, f->from_s);
    size_t behind = f->to_s == FITTING_OPEN ? rows->count : rows_from(rows, f->to_s + 1);

    *out_first = first;
    return behind > first ? behind - first : 0;
}

static enum err walk_fitting(struct walk *w, const struct meter_facts *m, const struct fitting *f,
                             const struct rows *rows, enum rule *verdicts)
{
    size_t first, most = fitting_rows(f, rows, &first) + 2; /* and the two indices of its own */

    *w = (struct walk){ .limits = meter_limits_of(m), .has_end = f->has_end };
    w->at = malloc(most * sizeof(*w->at));
    if (!w->at)
        return ERR_NO_MEMORY;
    if (edits_find(w, rows, first, first + most - 2)) {
        walk_done(w);
        return ERR_NO_MEMORY;
    }
    if (w->edit_count)
        walk_edited(w, f, rows, verdicts);
    else
        walk_once(w, f, rows, verdicts);
    assert(w->count <= most);
    return ERR_OK;
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static void verdicts_apply(const struct walk *w, enum rule *verdicts)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct candidate *c = &w->at[i];

        /* The winner of its instant stands as RULE_NONE so far; what the walk says of it counts. */
        if (c->row != NO_ROW && c->rule != RULE_NONE)
            verdicts[c->row] = (enum rule)c->rule;
    }
}

/* Where each reading rises plainly on the one before, all take part without a walk: nearly all fittings, most of the time. [begin, end): rows between the instants of the
 * fitting's own indices. */
static bool all_plain(const struct meter_limits *limits, const struct fitting *f,
                      const struct row *rows, size_t begin, size_t end)
{
    struct mark last = { f->from_s, f->start_ml };
    uint32_t attrs = 0;
    int64_t rise;

    for (size_t i = begin; i < end; i++) {
        struct mark mark = row_mark(&rows[i]);

        attrs |= rows[i].attr;
        if (rows[i].attr & ATTR_FUTURE)
            continue;
        if (!marks_plain(limits, &last, &mark, &rise))
            return false;
        last = mark;
    }
    if (attrs & ATTR_EDITED)
        return false;
    if (f->has_end) {
        struct mark own = { f->to_s, f->end_ml };

        return marks_plain(limits, &last, &own, &rise);
    }
    return true;
}

static bool is_edited(const struct row *rows, size_t begin, size_t end)
{
    uint32_t attrs = 0;

    for (size_t i = begin; i < end; i++)
        attrs |= rows[i].attr;
    return attrs & ATTR_EDITED;
}

static bool plain_verdicts(const struct meter_limits *limits, const struct fitting *f,
                           const struct rows *rows, enum rule *verdicts)
{
    size_t first, count = fitting_rows(f, rows, &first), end = first + count;
    size_t begin = first, stop = end;

    while (begin < end && rows->at[begin].time_s == f->from_s)
        begin++;
    while (f->has_end && stop > begin && rows->at[stop - 1].time_s == f->to_s)
        stop--;
    if (!all_plain(limits, f, rows->at, begin, stop) || is_edited(rows->at, first, begin) ||
        is_edited(rows->at, stop, end))
        return false;
    instant_lost(rows, first, begin, f->start_ml, verdicts);
    for (size_t i = begin; i < stop; i++)
        if (!(rows->at[i].attr & ATTR_FUTURE))
            verdicts[i] = RULE_NONE;
    instant_lost(rows, stop, end, f->end_ml, verdicts);
    return true;
}

/* B4 to B6 for the channels that nobody bills by. */
static void instants_judge(const struct fitting *f, const struct rows *rows, enum rule *verdicts)
{
    size_t end;

    for (size_t i = rows_from(rows, f->from_s); i < rows->count && rows->at[i].time_s <= f->to_s;
         i = end) {
        size_t winner = instant_winner(rows, i, &end);

        if (winner != NO_ROW)
            instant_lost(rows, i, end, rows->at[winner].value, verdicts);
    }
}

enum err walk_rows(const struct meter_facts *m, const struct fitting *fittings,
                   size_t fitting_count, enum channel c, const struct rows *rows,
                   enum rule *verdicts)
{
    bool billed = c == CHANNEL_BILLED || c == meter_billed_channel(m);
    struct meter_limits limits = meter_limits_of(m);

    for (size_t i = 0; i < rows->count; i++)
        verdicts[i] = rows->at[i].attr & ATTR_FUTURE ? RULE_FUTURE : RULE_NOT_FITTED;
    for (size_t i = 0; i < fitting_count; i++) {
        struct walk w;
        enum err err;

        if (!billed) {
            instants_judge(&fittings[i], rows, verdicts);
            continue;
        }
        if (plain_verdicts(&limits, &fittings[i], rows, verdicts))
            continue;
        err = walk_fitting(&w, m, &fittings[i], rows, verdicts);
        if (err)
            return err;
        verdicts_apply(&w, verdicts);
        walk_done(&w);
    }
    return ERR_OK;
}

/* ---- the register as counted ---------------------------------------------------------------- */

/* The chain of those that take part, first to last: returns how many. */
static size_t chain_turn(struct walk *w)
{
    size_t count = 1, next = w->last;

    for (size_t i = w->last; i != 0; count++) {
        size_t before = w->at[i].before;

        w->at[i].before = next; /* now: the one after */
        next = i;
        i = before;
    }
    w->at[0].before = next;
    return count;
}

static struct step step_after(const struct walk *w, const struct rows *rows, const struct step *p,
                              size_t i)
{
    const struct candidate *c = &w->at[i];
    struct mark before = { p->at_s, p->dial_ml };
    struct counted counted = { 0 };

    if (!c->rebased && !marks_agree(&w->limits, &before, &c->mark, &counted))
        counted.volume = (__int128)c->mark.value - before.value; /* an end index in full */
    return (struct step){
        .at_s = c->mark.at_s,
        .dial_ml = c->mark.value,
        .counted_ml = volume_clamped(p->counted_ml + counted.volume),
        .rollovers = p->rollovers + counted.rollovers,
        .rebased = c->rebased,
        .edge = c->row == NO_ROW,
        .edited = c->row != NO_ROW && rows->at[c->row].attr & ATTR_EDITED,
    };
}

static bool step_plain(const struct meter_limits *limits, const struct step *p, struct mark y,
                       bool edge, struct step *out)
{
    struct mark x = { p->at_s, p->dial_ml };
    int64_t rise;

    if (!marks_plain(limits, &x, &y, &rise) || rise > VOLUME_MOST - p->counted_ml)
        return false;
    *out = (struct step){
        .at_s = y.at_s, .dial_ml = y.value, .counted_ml = p->counted_ml + rise, .edge = edge
    };
    return true;
}

/* The chain where every step is plain: then each reading takes part, and is one of its instant. Otherwise the walk has to say: false. */
static bool plain_line(const struct meter_limits *limits, const struct fitting *f,
                       const struct row *rows, size_t count, struct step *steps, size_t *out_count)
{
    size_t n = 1;

    steps[0] = (struct step){ .at_s = f->from_s, .dial_ml = f->start_ml, .edge = true };
    for (size_t i = 0; i < count; i++) {
        if (rows[i].time_s == f->from_s || (f->has_end && rows[i].time_s == f->to_s))
            continue;
        if (rows[i].attr & (ATTR_FUTURE | ATTR_EDITED) ||
            !step_plain(limits, &steps[n - 1], row_mark(&rows[i]), false, &steps[n]))
            return false;
        n++;
    }
    if (f->has_end) {
        struct mark end = { f->to_s, f->end_ml };

        if (!step_plain(limits, &steps[n - 1], end, true, &steps[n]))
            return false;
        n++;
    }
    *out_count = n;
    return true;
}

static enum err plain_line_make(const struct meter_facts *m, const struct fitting *f,
                                const struct rows *rows, struct register_line *out)
{
    struct meter_limits limits = meter_limits_of(m);
    size_t first, count = fitting_rows(f, rows, &first);
    struct register_line line = { .steps = malloc((count + 2) * sizeof(*line.steps)) };

    *out = (struct register_line){ 0 };
    if (!line.steps)
        return ERR_NO_MEMORY;
    if (!plain_line(&limits, f, rows->at + first, count, line.steps, &line.count)) {
        free(line.steps);
        return ERR_OK;
    }
    line.next_after_s = line.steps[line.count - 1].at_s;
    *out = line;
    return ERR_OK;
}

enum err register_line_make(const struct meter_facts *m, const struct fitting *f,
                            const struct rows *rows, struct register_line *out)
{
    struct register_line line = { 0 };
    struct walk w;
    enum err err = plain_line_make(m, f, rows, out);

    if (err || out->count)
        return err;
    err = walk_fitting(&w, m, f, rows, NULL);
    if (err)
        return err;
    line.count = chain_turn(&w);
    line.steps = malloc(line.count * sizeof(*line.steps));
    if (!line.steps) {
        walk_done(&w);
        return ERR_NO_MEMORY;
    }
    line.steps[0] = (struct step){ .at_s = f->from_s, .dial_ml = f->start_ml, .edge = true };
    for (size_t k = 1, i = w.at[0].before; k < line.count; k++, i = w.at[i].before)
        line.steps[k] = step_after(&w, rows, &line.steps[k - 1], i);
    line.next_after_s = line.steps[line.count - 1].at_s;
    walk_done(&w);
    *out = line;
    return ERR_OK;
}

void register_line_done(struct register_line *line)
{
    free(line->steps);
    *line = (struct register_line){ 0 };
}
