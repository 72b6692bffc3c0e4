/* The register at the ends of a part, told again with all that it was reckoned from.  Nothing is
 * reckoned here that shape.c has not reckoned: its gap and its pace are read where it left them. */
#include "server/billing/explain.h"

#include <stdlib.h>
#include <string.h>

#include "server/billing/agree.h"
#include "server/billing/consume_priv.h"

static const struct {
    const char *rule, *en, *zh;
} whys[END_WHY_COUNT] = {
    [END_READ] = { "C1", "A reading of this very instant takes part.",
                   "该时刻正好有一条有效读数。" },
    [END_EDITED] = { "C1", "A person said what the dial stood at, and that holds.",
                     "以人工更正的示数为准。" },
    [END_OWN_INDEX] = { "C1", "The fitting's own index holds (B7).",
                        "以装拆表时的表底为准（B7）。" },
    [END_LINE] = { "C2", "On the line between the two readings around it.",
                   "按前后两条读数直线内插。" },
    [END_LIKE_DAY] = { "C3",
                       "Between the two readings around it in the shape of three days like it.",
                       "按前后两条读数之间同类三日的用水曲线分摊。" },
    [END_REBASED] = { "C5", "Within a step that counts 0, for the register was re-based (B12).",
                      "处于表底重置的区段内，计为 0（B12）。" },
    [END_PACE] = { "C6", "After the last reading the mean use of up to 28 days before it goes on.",
                   "末次读数之后按此前最多 28 天的平均用量推算。" },
    [END_FUTURE] = { "C6", "It lies after now, so nobody knows it yet.",
                     "该时刻尚未到来，无从得知。" },
    [END_FIRST_WEEK] = { "C6",
                         "The last reading came less than 7 days after the meter was fitted: too "
                         "few to go by.",
                         "末次读数距装表不足 7 天，不足以推算。" },
    [END_NEVER_READ] = { "C6", "No reading of the meter takes part since it was fitted.",
                         "装表以来没有有效读数。" },
};

const char *end_why_rule(enum end_why w)
{
    return whys[w].rule;
}

const char *end_why_text_en(enum end_why w)
{
    return whys[w].en;
}

const char *end_why_text_zh(enum end_why w)
{
    return whys[w].zh;
}

/* A fitting's rows and what became of them, made when its first part is explained. */
struct judged {
    const struct fitting_line *line; /* NULL: none yet */
    enum rule *rules;
};

static enum err judged_load(struct judged *j, const struct fitting_line *l)
{
    const struct consume_fitting *f = l->of;
    enum rule *rules;

    if (j->line == l)
        return ERR_OK;
    j->line = NULL;
    rules = (enum rule *)realloc(j->rules, (f->rows->count + 1) * sizeof *rules);
    if (!rules)
        return ERR_NO_MEMORY;
    j->rules = rules;
    j->line = l;
    return walk_rows(f->meter, &f->fitting, 1, CHANNEL_BILLED, f->rows, rules);
}

/* ---- readings ---- */

static struct end_reading reading_of(const struct judged *j, const struct step *s)
{
    const struct rows *rows = j->line->of->rows;
    struct end_reading r = {
        .at_s = s->at_s,
        .dial_ml = s->dial_ml,
        .register_ml = step_register(j->line, s),
        .own = s->edge,
        .edited = s->edited,
    };

    for (size_t i = rows_from(rows, s->at_s); i < rows->count && rows->at[i].time_s == s->at_s; i++)
        if (j->rules[i] == RULE_NONE && rows->at[i].value == s->dial_ml)
            r.source = (enum source)(rows->at[i].attr & ATTR_SOURCE);
    return r;
}

static void outs_of(const struct judged *j, struct part_end *e)
{
    const struct rows *rows = j->line->of->rows;
    int64_t last_s = e->has_after ? e->after.at_s : e->why == END_PACE ? INT64_MAX : e->at_s;

    for (size_t i = rows_from(rows, e->before.at_s);
         i < rows->count && rows->at[i].time_s <= last_s; i++) {
        const struct row *row = &rows->at[i];

        if (j->rules[i] == RULE_NONE || row->time_s > j->line->to_s)
            continue;
        e->out_count++;
        if (e->told_count == EXPLAIN_OUT_MAX) { /* the last ones are told */
            memmove(&e->outs[0], &e->outs[1], (EXPLAIN_OUT_MAX - 1) * sizeof e->outs[0]);
            e->told_count--;
        }
        e->outs[e->told_count++] = (struct end_out){ row->time_s, row->value, j->rules[i],
                                                     (enum source)(row->attr & ATTR_SOURCE),
                                                     (row->attr & ATTR_EDITED) != 0 };
    }
}

/* ---- an end ---- */

static int64_t narrowed(__int128 *part, __int128 whole)
{
    while (whole > INT64_MAX) { /* as shape.c does */
        whole >>= 1;
        *part >>= 1;
    }
    return (int64_t)whole;
}

static void between_of(struct part_end *e, const struct fitting_line *l, const struct step *p)
{
    const struct step *n = p + 1;
    __int128 part = e->at_s - p->at_s;

    e->moved_ml = volume_clamped((__int128)n->counted_ml - p->counted_ml);
    e->why = n->rebased ? END_REBASED : l->gap.shaped ? END_LIKE_DAY : END_LINE;
    if (e->why == END_LIKE_DAY) {
        part = l->gap.weight;
        e->whole = narrowed(&part, l->gap.whole);
    } else if (e->why == END_LINE) {
        e->whole = n->at_s - p->at_s;
    }
    e->share = e->whole ? (int64_t)part : 0;
}

static void beyond_of(struct part_end *e, const struct fitting_line *l, const struct step *last,
                      const struct register_at *r, int64_t now_s)
{
    if (r->quality != QUALITY_MISSING) {
        e->why = END_PACE;
        e->moved_ml = l->pace_ml;
        e->pace_from_s = l->pace_from_s;
        e->share = e->at_s - last->at_s;
        e->whole = last->at_s - l->pace_from_s;
    } else if (e->at_s > now_s) {
        e->why = END_FUTURE;
    } else {
        e->why = l->line.count == 1 ? END_NEVER_READ : END_FIRST_WEEK;
    }
}

/* The register is asked for first: it leaves the gap and the pace that it went by. */
static struct part_end end_of(const struct judged *j, struct fitting_line *l,
                              const struct shape_rules *rules, int64_t at_s)
{
    struct register_at r = register_at(l, rules, at_s);
    size_t i = step_before(l, at_s);
    const struct step *p = &l->line.steps[i];
    struct part_end e = { .at_s = at_s, .register_ml = r.register_ml, .has_before = true };

    e.before = reading_of(j, p);
    if (p->at_s == at_s) {
        e.why = p->edge ? END_OWN_INDEX : p->edited ? END_EDITED : END_READ;
    } else if (i + 1 < l->line.count) {
        e.has_after = true;
        e.after = reading_of(j, p + 1);
        between_of(&e, l, p);
    } else {
        beyond_of(&e, l, p, &r, rules->now_s);
    }
    outs_of(j, &e);
    return e;
}

/* ---- parts ---- */

/* The step that the part lies in; what was heard within it and takes no part stands at its end. */
static void rebased_of(const struct judged *j, struct explained *x)
{
    const struct fitting_line *l = j->line;
    size_t i = step_before(l, x->part->from_s);
    struct part_end *ends[] = { &x->start, &x->end };

    for (size_t k = 0; k < 2; k++) {
        struct part_end *e = ends[k];

        *e = (struct part_end){ .why = END_REBASED,
                                .at_s = k ? x->part->to_s : x->part->from_s,
                                .register_ml = step_register(l, &l->line.steps[i]),
                                .has_before = true,
                                .before = reading_of(j, &l->line.steps[i]) };
        if (i + 1 < l->line.count) {
            e->has_after = true;
            e->after = reading_of(j, &l->line.steps[i + 1]);
        }
    }
    outs_of(j, &x->end);
}

static enum err explain_part(struct consumer *c, struct judged *j, const struct part *p,
                             struct explained *x)
{
    size_t at = line_after(c, p->from_s);
    enum err err;

    *x = (struct explained){ .part = p };
    if (p->kind == PART_NO_METER || at == c->line_count)
        return ERR_OK;
    if ((err = judged_load(j, &c->lines[at])))
        return err;
    x->modulus_ml = c->lines[at].modulus > 0 ? c->lines[at].modulus : 0;
    if (p->kind == PART_REBASED) {
        rebased_of(j, x);
        return ERR_OK;
    }
    x->start = end_of(j, &c->lines[at], &c->rules, p->from_s);
    x->end = end_of(j, &c->lines[at], &c->rules, p->to_s);
    return ERR_OK;
}

enum err consumer_explain(struct consumer *c, void (*each)(void *arg, const struct explained *e),
                          void *arg)
{
    struct judged j = { 0 };
    struct explained *x = (struct explained *)malloc(sizeof *x);
    enum err err = x ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; !err && i < c->row.c.part_count && i < EXPLAIN_PARTS_MAX; i++)
        if (!(err = explain_part(c, &j, &c->row.c.parts[i], x)))
            each(arg, x);
    free(x);
    free(j.rules);
    return err;
}

/* ---- edits ---- */

static void edit_add(const struct step *s, int64_t at_s[PART_EDITS_MOST], size_t *count)
{
    if (s->edited && (!*count || at_s[*count - 1] < s->at_s))
        at_s[(*count)++] = s->at_s;
}

size_t consumer_edits(struct consumer *c, const struct part *p, int64_t at_s[PART_EDITS_MOST])
{
    const int64_t ends[] = { p->from_s, p->to_s };
    size_t at = line_after(c, p->from_s), count = 0;

    if (p->kind == PART_NO_METER || at == c->line_count)
        return 0;
    for (size_t k = 0; k < 2; k++) {
        const struct register_line *line = &c->lines[at].line;
        size_t i = step_before(&c->lines[at], ends[k]);

        edit_add(&line->steps[i], at_s, &count);
        if (line->steps[i].at_s != ends[k] && i + 1 < line->count)
            edit_add(&line->steps[i + 1], at_s, &count);
    }
    return count;
}
