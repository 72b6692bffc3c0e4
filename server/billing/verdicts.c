/* Why a stretch before the span can stand for the whole life before it.
 *
 * The walk (rules-bills B9 to B12) remembers the chain of readings that took part, and looks at its
 * last link, `a`, and for a peak at the one before.  Let the stretch p1 … pn be readings of different
 * instants, none from the future, each not below the one before and in agreement with it: calm.
 * Whatever `a` was before p1,
 *
 *   a above some p   They fall, until four of them make a re-base, or an earlier one turns `a` into
 *                    a peak, or one reaches a: that one exceeds `a` by less than its own
 *                    predecessor, so it agrees with it.
 *   a below some p   They are over the ceiling, until C has grown to the difference.  Where no value
 *                    of the meter is below 0 (asked for) that is at most p: if 0 at the instant of
 *                    p1 agrees with pk, then so does `a` with pk.
 *
 * and from the first that takes part, at the latest pk, all do, each agreeing with the one before.
 * So a walk that begins with p1 as a fitting's start index has the same chain from pk on.  What
 * comes after may take links out again (B11), even several in a row, but what is taken out last
 * stays a peak: where pk and the one after it stand in the end, the walk never looked below them.
 *
 * Why little behind the span can stand for all that follows: a reading is taken out by one below it
 * that agrees with the reading before it.  Where both have the same value (and are not about to roll
 * over) there is none.  So once two neighbours of one value took part, as in most nights, nothing
 * later reaches back over them; and the walk looks ahead by three readings only.
 *
 * Where the stretch is not calm, or the register is `net` (it may fall), or the fitting begins in
 * it, the whole fitting is read; where no such neighbours come soon, all that follows.  (The walk's
 * bound on going back, which only made-up series reach, counts from the stretch.) */
#include "server/billing/verdicts.h"

#include "server/billing/agree.h"

#include <assert.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define BEFORE_S (2 * DAY_S) /* of the stretch, beyond what C needs */
#define BEFORE_LEAST 16      /* rows of it */
#define SETTLE 8             /* of them from pk on: what peaks may take out */
#define BEHIND_S DAY_S
#define LOOK_S                                                                                     \
    (5 *                                                                                           \
     DAY_S) /* it begins within for a register of up to 247 m3 at Q3 2.5: then one look is enough */
#define BEHIND_LEAST 8          /* calm rows behind the span, two of them of one value */
#define FARTHEST_S (60 * DAY_S) /* a longer stretch is mostly no shorter than the fitting */

struct task {
    const struct row_source *source;
    const struct meter_facts *m;
    const struct fitting *fittings;
    size_t count;
    enum channel channel;
    int64_t from_s, to_s;
};

/* ---- the plain way ---- */

static enum err judge(const struct task *t, const struct fitting *fittings, const struct rows *rows,
                      enum rule **out)
{
    enum rule *rules = NULL;
    enum err err;

    *out = NULL;
    if (!rows->count)
        return ERR_OK;
    if (!(rules = (enum rule *)malloc(rows->count * sizeof *rules)))
        return ERR_NO_MEMORY;
    if ((err = walk_rows(t->m, fittings, t->count, t->channel, rows, rules)))
        free(rules);
    else
        *out = rules;
    return err;
}

static int64_t end_of(const struct fitting *f)
{
    return f->to_s == FITTING_OPEN ? INT64_MAX : f->to_s + 1;
}

static bool touches(const struct fitting *f, int64_t from_s, int64_t to_s)
{
    return f->from_s < to_s && end_of(f) > from_s;
}

/* From the begin of the first fitting that touches the span to the end of the last. */
static enum err load_whole(const struct task *t, struct rows *out, enum rule **rules)
{
    int64_t from_s = t->from_s, to_s = t->to_s;
    enum err err;

    for (size_t i = 0; i < t->count; i++) {
        const struct fitting *f = &t->fittings[i];

        if (t->channel != meter_billed_channel(t->m) || !touches(f, t->from_s, t->to_s))
            continue;
        from_s = f->from_s < from_s ? f->from_s : from_s;
        to_s = end_of(f) > to_s ? end_of(f) : to_s;
    }
    if ((err = t->source->load(t->source->arg, from_s, to_s, out)))
        return err;
    return judge(t, t->fittings, out, rules);
}

/* ---- the short way ---- */

static bool stretch_stands_for_the_past(const struct meter_limits *limits, const struct row *rows,
                                        size_t count)
{
    struct mark nothing, reached;

    if (count < BEFORE_LEAST || !rows_calm(limits, rows, 0, count))
        return false;
    nothing = (struct mark){ rows[0].time_s, 0 };
    reached = row_mark(&rows[count - SETTLE]);
    return marks_agree(limits, &nothing, &reached, NULL);
}

/* How long before the span the stretch must begin for C to reach `value`. */
static int64_t stretch_s(const struct meter_limits *limits, int64_t value)
{
    __int128 s = limits->rate > 0 && value > 0 ? (__int128)144 * value / limits->rate : 0;

    return s > FARTHEST_S ? FARTHEST_S + 1 : (int64_t)s + BEFORE_S;
}

/* The one fitting that touches the span, if it began well before it; NULL otherwise. */
static const struct fitting *only_fitting(const struct task *t)
{
    const struct fitting *found = NULL;

    for (size_t i = 0; i < t->count; i++) {
        if (!touches(&t->fittings[i], t->from_s, t->to_s))
            continue;
        if (found)
            return NULL;
        found = &t->fittings[i];
    }
    return found && found->from_s < t->from_s - BEFORE_S ? found : NULL;
}

/* Two neighbours behind the first that nothing comes between: of one value, and not about to roll
 * over. */
static bool has_plateau(const struct meter_limits *limits, const struct row *rows, size_t begin,
                        size_t end)
{
    for (size_t i = begin + 1; i < end; i++) {
        if (rows[i].value == rows[i - 1].value &&
            (!limits->modulus || rows[i].value <= limits->above))
            return true;
    }
    return false;
}

/* What one walk over the archive gives: a little before the span, where the stretch mostly lies, the span and a little behind it. */
struct look {
    struct rows rows;
    int64_t begin_s, end_s;
    size_t span; /* the first row of the span */
};

static enum err look_load(const struct task *t, int64_t end_s, struct look *out)
{
    enum err err = t->source->load(t->source->arg, out->begin_s, end_s, &out->rows);

    out->end_s = end_s;
    out->span = rows_from(&out->rows, t->from_s);
    return err;
}

/* All the rest of the fitting where the little behind the span cannot end its story. */
static enum err load_core(const struct task *t, const struct meter_limits *limits,
                          const struct fitting *f, struct look *out)
{
    int64_t last_s = end_of(f) > t->to_s ? end_of(f) : t->to_s;
    const struct rows *rows = &out->rows;
    size_t behind;
    enum err err;

    out->begin_s = f->from_s > t->from_s - LOOK_S ? f->from_s : t->from_s - LOOK_S;
    if ((err = look_load(t, last_s - t->to_s > BEHIND_S ? t->to_s + BEHIND_S : last_s, out)) ||
        out->end_s == last_s)
        return err;
    behind = rows_from(rows, t->to_s);
    if (behind > out->span && rows->count - behind >= BEHIND_LEAST &&
        rows_calm(limits, rows->at, behind - 1, rows->count) &&
        has_plateau(limits, rows->at, behind, rows->count))
        return ERR_OK;
    return look_load(t, last_s, out);
}

/* The fitting as if it had begun with the stretch, and had not ended where its end was not read. */
static struct fitting shortened(const struct fitting *f, const struct row *first, int64_t end_s)
{
    struct fitting s = *f;

    s.from_s = first->time_s;
    s.start_ml = first->value;
    if (end_of(f) > end_s) {
        s.to_s = FITTING_OPEN;
        s.has_end = false;
    }
    return s;
}

static enum err judge_shortened(const struct task *t, const struct fitting *f,
                                const struct rows *rows, int64_t end_s, enum rule **rules)
{
    struct fitting *all = (struct fitting *)malloc(t->count * sizeof *all);
    enum err err;

    if (!all)
        return ERR_NO_MEMORY;
    memcpy(all, t->fittings, t->count * sizeof *all);
    all[f - t->fittings] = shortened(f, &rows->at[0], end_s);
    err = judge(t, all, rows, rules);
    free(all);
    return err;
}

static bool all_take_part(const enum rule *rules, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        if (rules[i] != RULE_NONE)
            return false;
    }
    return true;
}

/* The stretch holds if its links up to pk and the one after it were not taken out; what was read
 * behind the span ends its story only if it takes part: readings that wait may yet unmask one of the
 * span. */
static bool short_way_holds(const struct task *t, const struct fitting *f, const struct rows *rows,
                            const enum rule *rules, size_t before, int64_t end_s)
{
    return all_take_part(rules, 0, before - SETTLE + 2) &&
           (end_s >= end_of(f) || all_take_part(rules, rows_from(rows, t->to_s), rows->count));
}

/* The stretch and the span behind it go to `out`, *out_before rows of the former; 0 where it cannot stand for the past. */
static enum err load_stretch(const struct task *t, const struct meter_limits *limits,
                             const struct fitting *f, struct look *look, struct rows *out,
                             size_t *out_before)
{
    const struct row *rows = look->rows.at;
    int64_t begin_s = look->rows.count > look->span
                          ? t->from_s - stretch_s(limits, rows[look->span].value)
                          : f->from_s;
    size_t first, before;
    bool below = false;
    enum err err;

    *out_before = 0;
    if (t->from_s - begin_s > FARTHEST_S || begin_s <= f->from_s || f->start_ml < 0)
        return ERR_OK;
    if (begin_s < look->begin_s) {
        look->begin_s = begin_s;
        if ((err = look_load(t, look->end_s, look)))
            return err;
    }
    first = rows_from(&look->rows, begin_s);
    before = look->span - first;
    if (!stretch_stands_for_the_past(limits, look->rows.at + first, before))
        return ERR_OK;
    if ((err = t->source->below_zero(t->source->arg, &below)) || below)
        return err;
    look->rows.count -= first;
    memmove(look->rows.at, look->rows.at + first, look->rows.count * sizeof *look->rows.at);
    rows_done(out);
    *out = look->rows;
    look->rows = (struct rows){ 0 };
    *out_before = before;
    return ERR_OK;
}

/* *out_done stays false where the short way cannot be gone. */
static enum err load_short(const struct task *t, const struct fitting *f, struct rows *out,
                           enum rule **rules, bool *out_done)
{
    struct meter_limits limits = meter_limits_of(t->m);
    struct look look = { 0 };
    size_t before = 0;
    enum err err = load_core(t, &limits, f, &look);

    if (!err)
        err = load_stretch(t, &limits, f, &look, out, &before);
    if (!err && before && !(err = judge_shortened(t, f, out, look.end_s, rules))) {
        assert(*rules && before >= BEFORE_LEAST);
        *out_done = short_way_holds(t, f, out, *rules, before, look.end_s);
        if (!*out_done) {
            free(*rules);
            *rules = NULL;
        }
    }
    rows_done(&look.rows);
    return err;
}

enum err verdicts_load(const struct row_source *source, const struct meter_facts *m,
                       const struct fitting *fittings, size_t count, enum channel c, int64_t from_s,
                       int64_t to_s, struct rows *out, enum rule **out_rules)
{
    struct task t = { source, m, fittings, count, c, from_s, to_s };
    const struct fitting *f =
        c == meter_billed_channel(m) && m->form != REGISTER_NET ? only_fitting(&t) : NULL;
    bool done = false;
    enum err err = ERR_OK;

    *out_rules = NULL;
    if (f)
        err = load_short(&t, f, out, out_rules, &done);
    return err || done ? err : load_whole(&t, out, out_rules);
}
