#include "server/billing/contradict.h"

#include "server/billing/walk.h"

#include <stdlib.h>

/* `index` is below `of` and neither a roll-over nor a fall that a `net` register may show lies
 * between them.  `seconds`: between the two, whichever came first. */
static bool is_below(const struct meter_limits *limits, int64_t index, int64_t of, int64_t seconds)
{
    const struct mark high = { 0, of }, low = { seconds < 0 ? -seconds : seconds, index };

    return index < of && !marks_agree(limits, &high, &low, NULL);
}

static enum err judged(const struct meter_facts *m, const struct fitting *fittings, size_t count,
                       const struct rows *rows, enum rule **out)
{
    enum err err;

    *out = NULL;
    if (!rows->count)
        return ERR_OK;
    if (!(*out = (enum rule *)malloc(rows->count * sizeof **out)))
        return ERR_NO_MEMORY;
    if ((err = walk_rows(m, fittings, count, meter_billed_channel(m), rows, *out))) {
        free(*out);
        *out = NULL;
    }
    return err;
}

static void say(struct contradiction *out, enum against_what of, struct mark with)
{
    out->of = of;
    out->with = out->farthest = with;
}

static struct mark mark_of(const struct row *r)
{
    return (struct mark){ r->time_s, r->value };
}

/* The last that takes part at or before at_s; false: none. */
static bool last_of(const struct rows *rows, const enum rule *rules, int64_t at_s, struct mark *out)
{
    for (size_t i = rows->count; i-- > 0;) {
        if (rows->at[i].time_s > at_s || rules[i] != RULE_NONE)
            continue;
        *out = mark_of(&rows->at[i]);
        return true;
    }
    return false;
}

static void readings_behind(const struct meter_limits *limits, const struct rows *rows,
                            const enum rule *rules, const struct mark *closing,
                            struct contradiction *out)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct mark r = mark_of(&rows->at[i]);

        if (r.at_s <= closing->at_s || rules[i] != RULE_NONE ||
            !is_below(limits, closing->value, r.value, r.at_s - closing->at_s))
            continue;
        if (!out->of)
            say(out, AGAINST_READING, r);
        else if (r.value >= out->farthest.value)
            out->farthest = r;
    }
}

enum err contradict_closing(const struct meter_facts *m, const struct fitting *fittings,
                            size_t count, const struct fitting *f, const struct rows *rows,
                            const struct mark *closing, struct contradiction *out)
{
    struct meter_limits limits = meter_limits_of(m);
    struct mark last = { f->from_s, f->start_ml };
    enum rule *rules;
    bool read;
    enum err err = judged(m, fittings, count, rows, &rules);

    memset(out, 0, sizeof *out);
    if (err)
        return err;
    read = last_of(rows, rules, closing->at_s, &last);
    if (is_below(&limits, closing->value, last.value, closing->at_s - last.at_s))
        say(out, read ? AGAINST_READING : AGAINST_OPENING, last);
    else
        readings_behind(&limits, rows, rules, closing, out);
    free(rules);
    return ERR_OK;
}

enum err contradict_last(const struct meter_facts *m, const struct fitting *fittings, size_t count,
                         const struct fitting *f, const struct rows *rows, int64_t at_s,
                         struct mark *out)
{
    enum rule *rules;
    enum err err = judged(m, fittings, count, rows, &rules);

    if (err)
        return err;
    *out = (struct mark){ f->from_s, f->start_ml };
    (void)last_of(rows, rules, at_s, out);
    free(rules);
    return ERR_OK;
}

/* The meter's fitting before, where its closing index is known. */
static const struct fitting *fitting_before(const struct fitting *fittings, size_t count,
                                            int64_t at_s)
{
    const struct fitting *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (fittings[i].to_s <= at_s && (!found || fittings[i].to_s >= found->to_s))
            found = &fittings[i];
    }
    return found && found->has_end ? found : NULL;
}

/* The first reading behind the opening that ever can count. */
static const struct row *first_behind(const struct rows *rows, const enum rule *rules, int64_t at_s)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->at[i].time_s > at_s && rules[i] != RULE_FUTURE && rules[i] != RULE_CONFLICT)
            return &rows->at[i];
    }
    return NULL;
}

enum err contradict_opening(const struct meter_facts *m, const struct fitting *before,
                            size_t before_count, const struct fitting *after, size_t after_count,
                            const struct rows *rows, const struct mark *opening,
                            struct contradiction *out)
{
    struct meter_limits limits = meter_limits_of(m);
    const struct fitting *f = fitting_before(before, before_count, opening->at_s);
    const struct row *first;
    enum rule *rules;
    enum err err = judged(m, after, after_count, rows, &rules);

    memset(out, 0, sizeof *out);
    if (err)
        return err;
    first = first_behind(rows, rules, opening->at_s);
    if (f && is_below(&limits, opening->value, f->end_ml, opening->at_s - f->to_s))
        say(out, AGAINST_CLOSING, (struct mark){ f->to_s, f->end_ml });
    else if (first && is_below(&limits, first->value, opening->value,
                               (int64_t)first->time_s - opening->at_s))
        say(out, AGAINST_READING, mark_of(first));
    free(rules);
    return ERR_OK;
}
