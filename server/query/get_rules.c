/* GET /v1/rules, /v1/rules/RULE and its versions: by which figures readings and use are judged, and flags are raised (server/billing/rules.h). */
#include "proto/base/rd.h"
#include "server/check_rules.h"
#include "server/flag_rules.h"
#include "server/fleet/columns.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/registers.h"

#include <stdlib.h>

#define PAGE 1000

/* ---- the table ---- */

static const char *const columns[] = { "rule",    "judges",   "adjustable", "state",
                                       "version", "versions", "parameters", "inputs",
                                       "text_en", "text_zh",  "source",     NULL };

static void put_figures(struct out *o, const struct rule_figure *figures, unsigned most,
                        const int64_t *values)
{
    out_text(o, "[");
    for (unsigned i = 0; i < most && figures[i].name; i++) {
        const struct rule_figure *f = &figures[i];

        out_text(o, i ? ",{" : "{");
        out_member_text(o, "name", f->name);
        out_member_text(o, "unit", figure_unit_name(f->unit));
        if (f->en) {
            out_member_text(o, "text_en", f->en);
            out_member_text(o, "text_zh", f->zh);
        }
        if (values) {
            rules_put_figure(o, "value", f->unit, values[i]);
            rules_put_figure(o, "least", f->unit, f->least);
            rules_put_figure(o, "most", f->unit, f->most);
            rules_put_figure(o, "standing", f->unit, f->standing);
        }
        out_text(o, "}");
    }
    out_text(o, "]");
}

static void standing_values(const struct listed *rule, int64_t out[LINE_FIGURES])
{
    for (unsigned i = 0; i < LINE_FIGURES; i++)
        out[i] = rule->parameter[i].standing;
}

static unsigned versions_of(const struct check_rules *rules, enum listed_rule rule)
{
    unsigned count = 1;

    for (size_t i = 0; rules && i < rules->count; i++)
        count += rules->at[i].rule == rule;
    return count;
}

/* With the figures that hold today for all meters. */
static void put_rule(struct listing *l, const struct rules_held *held, unsigned place)
{
    const struct listed *rule = listed_rule((enum listed_rule)place);
    int64_t today = zone_day_number(&l->app->zone, clock_now_s(&l->app->clock));
    int64_t values[LINE_FIGURES];
    struct check_line line = { .state = rule->on ? LINE_ON : LINE_OFF, .version = 1 };
    unsigned versions = 1;
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);

    standing_values(rule, values);
    if (rule->open) {
        line = *line_for(rules_of(held), (enum listed_rule)place, today, USE_UNKNOWN, 0);
        memcpy(values, line.value, sizeof values);
        versions = versions_of(rules_of(held), (enum listed_rule)place);
    }
    wr_be32(&w, place + 1);
    row_begin(l);
    row_word(l, "rule", rule->name);
    row_word(l, "judges", rule_of_name(rule->of));
    row_bool(l, "adjustable", rule->open);
    row_word(l, "state", line_state_name(line.state));
    row_int(l, "version", line.version);
    row_int(l, "versions", versions);
    put_figures(row_raw_begin(l, "parameters"), rule->parameter, LINE_FIGURES, values);
    row_raw_end(l);
    put_figures(row_raw_begin(l, "inputs"), rule->input, RULE_FIGURES, NULL);
    row_raw_end(l);
    row_word(l, "text_en", rule->en);
    row_word(l, "text_zh", rule->zh);
    row_word(l, "source", rule->source);
    row_end(l, wr_span(&w));
}

struct which {
    int of; /* enum rule_of; -1: any */
};

static void fill(struct listing *l)
{
    const struct which *which = (const struct which *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rules_held *held = NULL;
    uint64_t place;
    enum err err = rules_take(l->app, &t, &held);

    for (listing_number(l, 4, &place); !err && !l->err && place < LISTED_RULES && !listing_full(l);
         place++)
        if (which->of < 0 || (int)listed_rule((enum listed_rule)place)->of == which->of)
            put_rule(l, held, (unsigned)place);
    rules_give(held);
    listing_fail(l, err);
    listing_fail(l, txn_end(&t));
    l->ended = place >= LISTED_RULES && !l->err;
}

void answer_rules(struct request *q)
{
    struct span name = ask_text(q, "judges");
    struct which *which = (struct which *)malloc(sizeof *which);

    if (!which) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    which->of = name.len ? RULE_OF_FLAG : -1;
    while (name.len && which->of >= 0 &&
           !span_equal(name, span_text(rule_of_name((enum rule_of)which->of))))
        which->of--;
    if (!name.len || which->of >= 0) {
        listing_new(q, columns, fill, which, free, PAGE);
        return;
    }
    free(which);
    problem_of(q, ERR_INVALID, "judges",
               "judges: found %.*s, expected reading, row, determinant or flag",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
}

static bool asked(struct request *q, int *out)
{
    struct span name = q->subject[0];

    *out = listed_named(name);
    if (*out < 0)
        problem_of(q, ERR_NOT_FOUND, "rule",
                   "rule %.*s: there is none of that name; /v1/rules lists them",
                   (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    return *out >= 0;
}

void answer_rule(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct rules_held *held = NULL;
    struct listing alone;
    enum err err;
    int place;

    if (asked(q, &place)) {
        if ((err = rules_take(q->app, &t, &held))) {
            problem_of(q, err, "", "the rule cannot be read: the store %s", err_text(err));
        } else {
            row_alone_begin(&alone, q);
            put_rule(&alone, held, (unsigned)place);
            row_alone_end(&alone);
        }
    }
    rules_give(held);
    txn_abort(&t);
}

/* ---- its versions ---- */

static const char *const version_columns[] = { "rule",      "version", "state",      "from",
                                               "use_class", "dn",      "parameters", "at",
                                               "by",        "note",    NULL };

struct versions {
    int place;
};

struct filling {
    struct listing *l;
    const struct listed *rule;
    uint64_t after;
    bool more;
    enum err err;
};

static void put_values(struct out *o, const struct listed *rule, const int64_t *values)
{
    out_text(o, "{");
    for (unsigned i = 0; i < LINE_FIGURES && rule->parameter[i].name; i++)
        rules_put_figure(o, rule->parameter[i].name, rule->parameter[i].unit, values[i]);
    out_text(o, "}");
}

static void put_version(struct listing *l, const struct listed *rule,
                        const struct check_line_told *t)
{
    const struct check_line *line = &t->line;
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    char day[11];

    wr_be32(&w, line->version);
    row_begin(l);
    row_word(l, "rule", rule->name);
    row_int(l, "version", line->version);
    row_word(l, "state", line_state_name(line->state));
    if (line->from_day == INT64_MIN) {
        row_null(l, "from");
    } else {
        text_put_date(day, line->from_day);
        row_word(l, "from", day);
    }
    row_word(l, "use_class", use_name(line->use));
    if (line->dn_mm)
        row_int(l, "dn", line->dn_mm);
    else
        row_null(l, "dn");
    put_values(row_raw_begin(l, "parameters"), rule, line->value);
    row_raw_end(l);
    if (t->at_s)
        row_time(l, "at", t->at_s);
    else
        row_null(l, "at");
    row_text(l, "by", t->who);
    row_text(l, "note", t->note);
    row_end(l, wr_span(&w));
}

static bool put_kept(void *arg, struct span name, uint32_t version, struct span bytes)
{
    struct filling *f = (struct filling *)arg;
    struct check_line_told told;

    if (version <= f->after || !span_equal(name, span_text(f->rule->name)))
        return true;
    if (listing_full(f->l)) {
        f->more = true;
        return false;
    }
    f->err = check_line_read(bytes, (enum listed_rule)listed_named(name), version, &told);
    if (!f->err)
        put_version(f->l, f->rule, &told);
    return !f->err;
}

static void fill_versions(struct listing *l)
{
    const struct versions *v = (const struct versions *)l->state;
    struct filling f = { .l = l, .rule = listed_rule((enum listed_rule)v->place) };
    struct txn t = ledger_read(l->app->ledger);

    if (listing_number(l, 4, &f.after) && !f.after) {
        struct check_line_told first = { .line = { .state = f.rule->on ? LINE_ON : LINE_OFF,
                                                   .version = 1,
                                                   .from_day = INT64_MIN } };

        standing_values(f.rule, first.line.value);
        put_version(l, f.rule, &first);
    }
    if (!l->err)
        listing_fail(l, ledger_rules(&t, put_kept, &f));
    listing_fail(l, f.err);
    listing_fail(l, txn_end(&t));
    l->ended = !f.more && !l->err;
}

void answer_rule_versions(struct request *q)
{
    struct versions *v = (struct versions *)calloc(1, sizeof *v);

    if (!v)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (asked(q, &v->place))
        listing_new(q, version_columns, fill_versions, v, free, PAGE);
    else
        free(v);
}

/* ---- by which figures a meter's flags are raised today ---- */

static const char *const meter_rule_columns[] = { "rule",      "version",    "state",
                                                  "dismissed", "parameters", NULL };

struct of_meter {
    struct detect_rules rules;
};

static void put_of_meter(struct listing *l, const struct detect_rules *rules, unsigned place)
{
    const struct listed *rule = listed_rule(listed_flag((enum detect_rule)place));
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);

    wr_be32(&w, place + 1);
    row_begin(l);
    row_word(l, "rule", rule->name);
    row_int(l, "version", rules->version[place]);
    row_word(l, "state", line_state_name(rules->off & 1u << place ? LINE_OFF : LINE_ON));
    row_int(l, "dismissed", rules->dismissed[place]);
    put_values(row_raw_begin(l, "parameters"), rule, rules->value + (size_t)place * DETECT_FIGURES);
    row_raw_end(l);
    row_end(l, wr_span(&w));
}

static void fill_of_meter(struct listing *l)
{
    const struct of_meter *m = (const struct of_meter *)l->state;
    uint64_t place;

    for (listing_number(l, 4, &place); !l->err && place < DETECT_RULES && !listing_full(l); place++)
        put_of_meter(l, &m->rules, (unsigned)place);
    l->ended = place >= DETECT_RULES && !l->err;
}

/* Where it is now; one that is nowhere has the figures of no use class. */
static enum err rules_of_meter(struct app *app, struct txn *t, uint32_t meter,
                               struct detect_rules *out)
{
    int64_t now_s = clock_now_s(&app->clock);
    struct flag_rules *rules = NULL;
    const struct rule_book *book = NULL;
    struct point_facts point = { 0 };
    struct meter_facts facts;
    struct fitting fitting;
    enum err err = meter_facts_by_id(t, meter, &facts);

    if (!err)
        err = fitting_at(t, false, meter, now_s, &fitting);
    if (!err)
        err = point_facts_by_id(t, fitting.point, &point);
    else if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err)
        err = flag_rules_open(app, t, &rules);
    if (!err)
        err = flag_rules_of(rules, t, meter, point.use, facts.dn_mm, &book);
    if (!err)
        *out = *rules_on(book, (int32_t)zone_day_number(&app->zone, now_s));
    flag_rules_close(rules);
    return err;
}

void answer_meter_rules(struct request *q)
{
    struct of_meter *m = (struct of_meter *)calloc(1, sizeof *m);
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    bool fine = false;
    enum err err = m ? ERR_OK : ERR_NO_MEMORY;

    if (m && row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row)) {
        err = rules_of_meter(q->app, &t, row.id, &m->rules);
        fine = !err;
    }
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the figures cannot be read: the store %s", err_text(err));
    if (fine)
        listing_new(q, meter_rule_columns, fill_of_meter, m, free, PAGE);
    else
        free(m);
}
