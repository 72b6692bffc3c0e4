#include "server/billing/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM 1
#define MAY_OPEN true
#define MAY_FIXED false

#define TARGET_EN "Of the flags that somebody looked at, the share that should prove right."
#define TARGET_ZH "经现场核实的标记中应属实的比例。"
#define ORDER_FROM_EN "The confidence from which on a flag stands on the list that crews get."
#define ORDER_FROM_ZH "列入派工清单所需的置信度。"

static const struct listed table[LISTED_RULES] = {
#define RULE(id_, name_, of_, may_, on_, source_, en_, zh_)                                        \
    [LISTED_##id_].name = (name_), [LISTED_##id_].of = RULE_OF_##of_,                              \
    [LISTED_##id_].open = MAY_##may_, [LISTED_##id_].on = (on_),                                   \
    [LISTED_##id_].source = (source_), [LISTED_##id_].en = (en_), [LISTED_##id_].zh = (zh_),
#define PARAMETER(id_, place_, name_, unit_, least_, most_, standing_)                             \
    [LISTED_##id_].parameter[place_] = { #name_,      UNIT_##unit_, (least_), (most_),             \
                                         (standing_), NULL,         NULL },
#define INPUT(id_, place_, name_, unit_)                                                           \
    [LISTED_##id_].input[place_] = { .name = #name_, .unit = UNIT_##unit_ },
#include "server/billing/rules.def"
#undef RULE
#undef PARAMETER
#undef INPUT
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_)                           \
    [LISTED_FLAGS + DETECT_##id_].name = (kind_), [LISTED_FLAGS + DETECT_##id_].of = RULE_OF_FLAG, \
                    [LISTED_FLAGS + DETECT_##id_].open = MAY_OPEN,                                 \
                    [LISTED_FLAGS + DETECT_##id_].on = true,                                       \
                    [LISTED_FLAGS + DETECT_##id_].source = (source_),                              \
                    [LISTED_FLAGS + DETECT_##id_].en = (en_),                                      \
                    [LISTED_FLAGS + DETECT_##id_].zh = (zh_),                                      \
                    [LISTED_FLAGS + DETECT_##id_]                                                  \
                        .parameter[DETECT_TARGET] = { "target",  UNIT_NUMBER, 0,        1000,      \
                                                      (target_), TARGET_EN,   TARGET_ZH },         \
                    [LISTED_FLAGS + DETECT_##id_].parameter[DETECT_ORDER_FROM] = {                 \
                        "order_from",  UNIT_NUMBER,  0, 1000, (order_from_),                       \
                        ORDER_FROM_EN, ORDER_FROM_ZH                                               \
                    },
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)    \
    [LISTED_FLAGS + DETECT_##id_].parameter[place_] = { #name_,  UNIT_##unit_, (least_),           \
                                                        (most_), (standing_),  (en_),              \
                                                        (zh_) },
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
};

/* Version 1 of each rule. */
static const struct check_line standing[LISTED_RULES] = {
#define RULE(id_, name_, of_, may_, on_, source_, en_, zh_)                                        \
    [LISTED_##id_].rule = LISTED_##id_, [LISTED_##id_].from_day = INT64_MIN,                       \
    [LISTED_##id_].version = 1, [LISTED_##id_].state = (on_) ? LINE_ON : LINE_OFF,
#define PARAMETER(id_, place_, name_, unit_, least_, most_, standing_)                             \
    [LISTED_##id_].value[place_] = (standing_),
#define INPUT(id_, place_, name_, unit_)
#include "server/billing/rules.def"
#undef RULE
#undef PARAMETER
#undef INPUT
#define DETECT_RULE(id_, kind_, target_, order_from_, source_, en_, zh_)                           \
    [LISTED_FLAGS + DETECT_##id_].rule = LISTED_FLAGS + DETECT_##id_,                              \
                    [LISTED_FLAGS + DETECT_##id_].from_day = INT64_MIN,                            \
                    [LISTED_FLAGS + DETECT_##id_].version = 1,                                     \
                    [LISTED_FLAGS + DETECT_##id_].state = LINE_ON,                                 \
                    [LISTED_FLAGS + DETECT_##id_].value[DETECT_TARGET] = (target_),                \
                    [LISTED_FLAGS + DETECT_##id_].value[DETECT_ORDER_FROM] = (order_from_),
#define DETECT_FIGURE(id_, place_, name_, unit_, least_, most_, standing_, stricter_, en_, zh_)    \
    [LISTED_FLAGS + DETECT_##id_].value[place_] = (standing_),
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
};

_Static_assert((int)LISTED_ZERO == (int)CHECK_ZERO && (int)LISTED_HIGH == (int)CHECK_HIGH &&
                   (int)LISTED_PROLONGED == (int)CHECK_PROLONGED &&
                   (int)LISTED_LIMIT == (int)CHECK_LIMIT && CHECK_COUNT <= 8,
               "checks are the first rows");
_Static_assert(LISTED_PEAK - LISTED_FUTURE == RULE_PEAK - RULE_FUTURE, "as enum rule");

enum check check_by_name(unsigned place)
{
    static const enum check order[CHECK_COUNT] = { CHECK_HIGH,     CHECK_LIMIT,    CHECK_LOW,
                                                   CHECK_NEGATIVE, CHECK_OVERLOAD, CHECK_PROLONGED,
                                                   CHECK_SPIKE,    CHECK_ZERO };

    return order[place];
}

const char *rule_of_name(enum rule_of of)
{
    static const char *const names[] = { "reading", "row", "determinant", "flag" };

    return names[of];
}

const char *figure_unit_name(enum figure_unit u)
{
    static const char *const names[] = { "1",    "l", "l",   "1",   "d",  "s",
                                         "time", "h", "l/h", "l/d", "min" };

    return names[u];
}

const struct listed *listed_rule(enum listed_rule r)
{
    return &table[r];
}

int listed_named(struct span name)
{
    for (int i = 0; i < LISTED_RULES; i++)
        if (span_equal(name, span_text(table[i].name)))
            return i;
    return -1;
}

enum listed_rule listed_verdict(enum rule r)
{
    return (enum listed_rule)((int)LISTED_FUTURE + (int)r - (int)RULE_FUTURE);
}

/* ---- lines ---- */

const char *line_state_name(enum line_state s)
{
    static const char *const names[] = { "off", "on", "withdrawn" };

    return names[s];
}

const struct check_line *check_line_standing(enum check c)
{
    return &standing[c];
}

const struct check_line *line_standing(enum listed_rule r)
{
    return &standing[r];
}

bool figure_is_decimal(enum figure_unit u)
{
    return u == UNIT_NUMBER || u == UNIT_LITRES || u == UNIT_LPH || u == UNIT_LPD;
}

/* The history that a median is of has as many days at most as it needs at least. */
static const struct {
    enum listed_rule rule;
    unsigned all, least;
} histories[] = { { LISTED_HIGH, 2, 3 }, { LISTED_LOW, 2, 3 } };

static void put_figure(char out[TEXT_LITRES_SIZE], enum figure_unit unit, int64_t value)
{
    if (figure_is_decimal(unit))
        text_put_litres(out, value);
    else
        snprintf(out, TEXT_LITRES_SIZE, "%lld", (long long)value);
}

const char *check_line_wrong(const struct check_line *l, char *out_expected, size_t size)
{
    const struct listed *rule = &table[l->rule];

    for (unsigned i = 0; i < LINE_FIGURES && rule->parameter[i].name; i++) {
        const struct rule_figure *p = &rule->parameter[i];
        char least[TEXT_LITRES_SIZE], most[TEXT_LITRES_SIZE];

        if (l->value[i] >= p->least && l->value[i] <= p->most)
            continue;
        put_figure(least, p->unit, p->least);
        put_figure(most, p->unit, p->most);
        snprintf(out_expected, size, "%s to %s", least, most);
        return p->name;
    }
    for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
        if (histories[i].rule != l->rule ||
            l->value[histories[i].least] <= l->value[histories[i].all])
            continue;
        snprintf(out_expected, size, "no more than the %lld days of which they are counted",
                 (long long)l->value[histories[i].all]);
        return rule->parameter[histories[i].least].name;
    }
    return NULL;
}

static int narrowness(const struct check_line *l)
{
    return (l->use != USE_UNKNOWN) * 2 + (l->dn_mm != 0);
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By rule; the narrowest first; of one scope those of the latest day, then of the highest version. */
static int by_place(const void *left, const void *right)
{
    const struct check_line *a = (const struct check_line *)left;
    const struct check_line *b = (const struct check_line *)right;
    int by = order(a->rule, b->rule);

    by = by ? by : narrowness(b) - narrowness(a);
    by = by ? by : order(a->use, b->use);
    by = by ? by : order(a->dn_mm, b->dn_mm);
    by = by ? by : order(b->from_day, a->from_day);
    return by ? by : order(b->version, a->version);
}

void check_rules_sort(struct check_rules *r)
{
    if (r->count)
        qsort(r->at, r->count, sizeof *r->at, by_place);
    r->by_use = false;
    for (size_t i = 0; i < r->count; i++)
        r->by_use |= r->at[i].use != USE_UNKNOWN;
}

static bool is_for(const struct check_line *l, enum listed_rule rule, enum use_class use,
                   int32_t dn_mm)
{
    return l->rule == rule && (l->use == USE_UNKNOWN || l->use == use) &&
           (!l->dn_mm || l->dn_mm == dn_mm);
}

const struct check_line *check_line_for(const struct check_rules *r, enum check c, int64_t day,
                                        enum use_class use, int32_t dn_mm)
{
    return line_for(r, listed_check(c), day, use, dn_mm);
}

const struct check_line *line_for(const struct check_rules *r, enum listed_rule rule, int64_t day,
                                  enum use_class use, int32_t dn_mm)
{
    int withdrawn = -1; /* the scope of such narrowness counts no more */

    for (size_t i = 0; r && i < r->count; i++) {
        const struct check_line *l = &r->at[i];

        if (!is_for(l, rule, use, dn_mm) || l->from_day > day || narrowness(l) == withdrawn)
            continue;
        if (l->state != LINE_WITHDRAWN)
            return l;
        withdrawn = narrowness(l);
    }
    return &standing[rule];
}

void check_line_write(struct wr *w, const struct check_line_told *t)
{
    const struct check_line *l = &t->line;

    wr_u8(w, FORM);
    wr_u8(w, (uint8_t)l->state);
    wr_u8(w, (uint8_t)l->use);
    wr_varint(w, (uint64_t)l->dn_mm);
    wr_zigzag(w, l->from_day);
    wr_u8(w, LINE_FIGURES);
    for (unsigned i = 0; i < LINE_FIGURES; i++)
        wr_zigzag(w, l->value[i]);
    wr_zigzag(w, t->at_s);
    wr_counted(w, t->who);
    wr_counted(w, t->note);
}

/* A line has room for all figures of a rule, those too that its rule was to get later: they are 0 in it, and as if it had not told them. */
static int64_t value_told(const struct rule_figure *p, int64_t value)
{
    return p->name && value == 0 && p->least > 0 ? p->standing : value;
}

enum err check_line_read(struct span bytes, enum listed_rule rule, uint32_t version,
                         struct check_line_told *out)
{
    struct rd r = rd_of(bytes);
    struct check_line_told t = { .line = standing[rule] };
    uint8_t form = rd_u8(&r), state = rd_u8(&r), use = rd_u8(&r), count;
    uint64_t dn_mm = rd_varint(&r);

    t.line.version = version;
    t.line.state = (enum line_state)state;
    t.line.use = (enum use_class)use;
    t.line.dn_mm = (int32_t)dn_mm;
    t.line.from_day = rd_zigzag(&r);
    count = rd_u8(&r);
    if (count > LINE_FIGURES)
        return ERR_CORRUPT;
    for (unsigned i = 0; i < count; i++)
        t.line.value[i] = value_told(&table[rule].parameter[i], rd_zigzag(&r));
    t.at_s = rd_zigzag(&r);
    t.who = rd_counted(&r);
    t.note = rd_counted(&r);
    if (r.err || rd_left(&r) || form != FORM || state > LINE_WITHDRAWN || use > USE_ZONE_OUTLET ||
        dn_mm > INT32_MAX)
        return ERR_CORRUPT;
    *out = t;
    return ERR_OK;
}

/* ---- what a check rested on ---- */

void check_told_write(struct wr *w, const struct check_told *t)
{
    wr_varint(w, t->version);
    wr_u8(w, (uint8_t)(t->parameters | t->inputs << 4));
    for (unsigned i = 0; i < t->parameters; i++)
        wr_zigzag(w, t->value[i]);
    for (unsigned i = 0; i < t->inputs; i++)
        wr_zigzag(w, t->input[i]);
}

void check_told_read(struct rd *r, struct check_told *out)
{
    uint64_t version = rd_varint(r);
    uint8_t counts = rd_u8(r);

    memset(out, 0, sizeof *out);
    out->version = (uint32_t)version;
    out->parameters = counts & 15;
    out->inputs = counts >> 4;
    if (out->parameters > RULE_FIGURES || out->inputs > RULE_FIGURES || version > UINT32_MAX) {
        rd_fail(r, ERR_CORRUPT);
        memset(out, 0, sizeof *out);
        return;
    }
    for (unsigned i = 0; i < out->parameters; i++)
        out->value[i] = rd_zigzag(r);
    for (unsigned i = 0; i < out->inputs; i++)
        out->input[i] = rd_zigzag(r);
}

void checks_told_write(struct wr *w, unsigned of, const struct check_told told[CHECK_COUNT])
{
    wr_u8(w, (uint8_t)of);
    for (int c = 0; c < CHECK_COUNT; c++)
        if (of & 1u << c)
            check_told_write(w, &told[c]);
}

unsigned checks_told_read(struct rd *r, struct check_told told[CHECK_COUNT])
{
    unsigned of = rd_u8(r);

    if (of >> CHECK_COUNT)
        rd_fail(r, ERR_CORRUPT);
    for (int c = 0; c < CHECK_COUNT && !r->err; c++)
        if (of & 1u << c)
            check_told_read(r, &told[c]);
    return r->err ? 0 : of;
}
