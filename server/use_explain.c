/* A row of consumption told in numbers (server/billing/explain.h), as JSON. */
#include "server/billing/explain.h"
#include "server/point_use.h"

#define CUBIC_METRE_ML 1000000

static const char *const source_names[] = { "remote", "manual", "photo", "manual" };

/* Whose end is told. */
struct telling {
    const struct point_use *use;
    const char *serial;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void put_reading(struct out *o, const char *name, const struct end_reading *r,
                        const struct telling *t)
{
    const struct ledger_edit *e = r->edited ? point_use_edit(t->use, t->serial, r->at_s) : NULL;

    out_key(o, name);
    out_text(o, "{");
    out_member_time(o, "time", r->at_s);
    out_member_litres(o, "index_l", r->dial_ml);
    out_member_litres(o, "register_l", r->register_ml);
    out_member_text(o, "source", r->own ? "fitting" : r->edited ? "edit" : source_names[r->source]);
    if (e) {
        out_key(o, "edit");
        use_put_edit(o, e);
    }
    out_text(o, "}");
}

/* "100 + floor(431 × 3600 / 7200) = 315.5": litres; the floor is at the thousandth of a litre. */
static void put_end_formula(struct out *o, const struct part_end *e)
{
    out_key(o, "formula");
    out_text(o, "\"");
    out_litres(o, e->before.register_ml);
    if (e->whole) {
        out_text(o, " + floor(");
        out_litres(o, e->moved_ml);
        out_format(o, " × %lld / %lld)", (long long)e->share, (long long)e->whole);
    }
    if (e->whole || e->why == END_REBASED) {
        out_text(o, e->whole ? " = " : " + 0 = ");
        out_litres(o, e->register_ml);
    }
    out_text(o, "\"");
}

static void put_outs(struct out *o, const struct part_end *e)
{
    out_member_int(o, "out_count", (int64_t)e->out_count);
    out_key(o, "out");
    out_text(o, "[");
    for (size_t i = 0; i < e->told_count; i++) {
        const struct end_out *x = &e->outs[i];

        out_text(o, i ? ",{" : "{");
        out_member_time(o, "time", x->at_s);
        out_member_litres(o, "index_l", x->dial_ml);
        out_member_text(o, "source", x->edited ? "edit" : source_names[x->source]);
        out_member_text(o, "rule", rule_name(x->rule));
        out_text(o, "}");
    }
    out_text(o, "]");
}

static bool end_known(const struct part_end *e)
{
    return e->why != END_FUTURE && e->why != END_FIRST_WEEK && e->why != END_NEVER_READ;
}

static void put_end(struct out *o, const char *name, const struct part_end *e,
                    const struct telling *t)
{
    out_key(o, name);
    out_text(o, "{");
    out_member_time(o, "at", e->at_s);
    out_member_text(o, "rule", end_why_rule(e->why));
    out_member_text(o, "text_en", end_why_text_en(e->why));
    out_member_text(o, "text_zh", end_why_text_zh(e->why));
    if (end_known(e)) {
        out_member_litres(o, "register_l", e->register_ml);
        put_end_formula(o, e);
    } else {
        out_member_null(o, "register_l");
    }
    if (e->why == END_PACE)
        out_member_time(o, "mean_since", e->pace_from_s);
    if (e->has_before)
        put_reading(o, "before", &e->before, t);
    if (e->has_after)
        put_reading(o, "after", &e->after, t);
    put_outs(o, e);
    out_text(o, "}");
}

/* "315.5 - 100 = 215.5", and of the cubic metres "floor(315.5 / 1000) - floor(100 / 1000) = 0". */
static void put_part_formulas(struct out *o, const struct explained *x)
{
    int64_t start_ml = x->start.register_ml, end_ml = x->end.register_ml;

    out_key(o, "formula");
    out_text(o, "\"");
    out_litres(o, end_ml);
    out_text(o, " - ");
    out_litres(o, start_ml);
    out_text(o, " = ");
    out_litres(o, x->part->consumption_ml);
    out_text(o, "\"");
    out_key(o, "formula_m3");
    out_text(o, "\"floor(");
    out_litres(o, end_ml);
    out_text(o, " / 1000) - floor(");
    out_litres(o, start_ml);
    out_format(
        o, " / 1000) = %lld\"",
        (long long)(floor_div(end_ml, CUBIC_METRE_ML) - floor_div(start_ml, CUBIC_METRE_ML)));
}

static void put_turns(struct out *o, const char *name, const char *before, const char *between,
                      const char *behind, const struct explained *x)
{
    int32_t turns = x->part->rollovers;

    out_key(o, name);
    out_format(o, "\"%s%ld%s", before, (long)turns, between);
    out_litres(o, x->modulus_ml);
    out_format(o, "%s\"", behind);
}

static void put_part_text(struct out *o, const struct explained *x)
{
    const struct part *p = x->part;

    if (p->kind == PART_NO_METER) {
        out_member_text(o, "rule", "D1");
        out_member_text(o, "text_en", "No meter was there, which adds 0.");
        out_member_text(o, "text_zh", "此段无表，计为 0。");
    } else if (p->kind == PART_REBASED) {
        out_member_text(o, "rule", "B12");
        out_member_text(
            o, "text_en",
            "The register was re-based: it went on from a lower index, and the step counts 0.");
        out_member_text(o, "text_zh", "表底被重置，从较低的示数继续走数，此段计为 0。");
    } else if (!p->known) {
        out_member_text(o, "rule", "D4");
        out_member_text(o, "text_en", "An end is missing, so nothing is known of the part.");
        out_member_text(o, "text_zh", "有一端缺读，此段用量无法得知。");
    } else if (p->rollovers) {
        out_member_text(o, "rule", "B8");
        put_turns(o, "text_en",
                  "The dial passed zero (times, backwards negative: ", "); each counts ", " L.", x);
        put_turns(o, "text_zh", "表盘过零（次数，倒转为负：", "），每次计 ", " L。", x);
    } else {
        out_member_text(o, "rule", "D1");
        out_member_text(o, "text_en", "The register at the end less that at the start.");
        out_member_text(o, "text_zh", "末端示数减去始端示数。");
    }
}

static void put_explained(struct out *o, const struct point_use *u, const struct explained *x)
{
    const struct part *p = x->part;
    const struct telling t = { u, p->serial };

    out_text(o, "{");
    out_member_text(o, "kind", part_kind_name(p->kind));
    out_member_time(o, "from", p->from_s);
    out_member_time(o, "to", p->to_s);
    put_part_text(o, x);
    if (p->kind != PART_NO_METER) {
        out_member_text(o, "serial", p->serial);
        if (x->modulus_ml)
            out_member_litres(o, "modulus_l", x->modulus_ml);
        if (p->rollovers)
            out_member_int(o, "rollovers", p->rollovers);
        if (p->kind == PART_METERED && p->known)
            put_part_formulas(o, x);
        put_end(o, "start", &x->start, &t);
        put_end(o, "end", &x->end, &t);
    }
    if (p->known)
        out_member_litres(o, "consumption_l", p->consumption_ml);
    else
        out_member_null(o, "consumption_l");
    out_text(o, "}");
}

static void put_sum(struct out *o, const struct consumption *c)
{
    out_key(o, "formula");
    out_text(o, "\"");
    for (size_t i = 0; i < c->part_count && i < EXPLAIN_PARTS_MAX; i++) {
        if (i)
            out_text(o, " + ");
        out_litres(o, c->parts[i].consumption_ml);
    }
    if (c->part_count > EXPLAIN_PARTS_MAX)
        out_text(o, " + …");
    out_text(o, " = ");
    out_litres(o, c->consumption_ml);
    out_text(o, "\"");
}

struct putting {
    struct out *out;
    const struct point_use *use;
    bool later;
};

static void put_next(void *arg, const struct explained *x)
{
    struct putting *p = (struct putting *)arg;

    if (p->later)
        out_text(p->out, ",");
    p->later = true;
    put_explained(p->out, p->use, x);
}

enum err use_put_explanation(struct out *o, const struct point_use *u, const struct consumption *c)
{
    struct putting p = { .out = o, .use = u };
    enum err err;

    out_text(o, "{");
    if (c->known)
        put_sum(o, c);
    else
        out_member_null(o, "formula");
    out_key(o, "parts");
    out_text(o, "[");
    err = consumer_explain(u->consumer, put_next, &p);
    out_text(o, "]");
    out_member_int(o, "left_off",
                   c->part_count > EXPLAIN_PARTS_MAX ? (int64_t)(c->part_count - EXPLAIN_PARTS_MAX)
                                                     : 0);
    out_text(o, "}");
    return err ? err : o->err;
}
