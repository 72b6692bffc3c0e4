/* The rule set as a table (rules.def, and behind it server/detect/rules.def), and the figures that people put in place of its own: by use class and DN, each version from a day on.  Pure.
 *
 * A line is what holds of a rule for some meters from a civil day on. Of the lines that fit a row the one for use class and DN goes before one for the class, that before one for the
 * DN, that before one for all; within each the one of the latest day, and of those the highest version. Below all of them lies the table's own line, version 1. A row is judged by what
 * holds on the civil day in which it begins. */
#ifndef NILO_SERVER_BILLING_RULES_H
#define NILO_SERVER_BILLING_RULES_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "server/billing/walk.h"
#include "server/detect/rules.h"

/* rules-bills E, by name, and behind them those that judge only where people switch them on; numbers stand on disk, a set of them in a byte (server/billing/cycle.h). PROLONGED
 * is for determinants alone, SPIKE and OVERLOAD are for hours. */
enum check { CHECK_HIGH, CHECK_LOW, CHECK_NEGATIVE, CHECK_PROLONGED, CHECK_SPIKE, CHECK_ZERO, CHECK_OVERLOAD, CHECK_LIMIT, CHECK_COUNT };
enum check check_by_name(unsigned place); /* in the alphabetical order of names: rules-bills E1 */

enum listed_rule {
#define RULE(id, name, of, may, on, source, en, zh) LISTED_##id,
#define PARAMETER(id, place, name, unit, least, most, standing)
#define INPUT(id, place, name, unit)
#include "server/billing/rules.def"
#undef RULE
#undef PARAMETER
#undef INPUT
    LISTED_FLAGS, /* behind the rules of validation: those by which flags are raised, in the order of enum detect_rule (server/detect/rules.h) */
    LISTED_RULES = LISTED_FLAGS + DETECT_RULES
};
static inline enum listed_rule listed_flag(enum detect_rule r)
{
    return (enum listed_rule)((int)LISTED_FLAGS + (int)r);
}

enum rule_of { RULE_OF_READING, RULE_OF_ROW, RULE_OF_DETERMINANT, RULE_OF_FLAG };
const char *rule_of_name(enum rule_of of); /* "reading" */

/* How a figure is kept: NUMBER in thousandths, LITRES in millilitres, HALVES in halves of one, TIME in seconds of UTC, LPH and LPD in millilitres per hour and day. */
enum figure_unit { UNIT_NUMBER, UNIT_LITRES, UNIT_HALVES, UNIT_COUNT, UNIT_DAYS, UNIT_SECONDS, UNIT_TIME, UNIT_HOURS, UNIT_LPH, UNIT_LPD, UNIT_MINUTES };
const char *figure_unit_name(enum figure_unit u); /* "l" */
bool figure_is_decimal(enum figure_unit u); /* people write it with up to three decimals */

#define RULE_FIGURES 4 /* of a check, that a verdict tells */
#define LINE_FIGURES 8 /* parameters of any rule */
_Static_assert(LINE_FIGURES == DETECT_FIGURES && RULE_FIGURES <= LINE_FIGURES, "one line holds those of either");

struct rule_figure {
    const char *name; /* NULL: there are no more */
    enum figure_unit unit;
    int64_t least, most, standing; /* of parameters */
    const char *en, *zh; /* what it means, where the rule's own text does not say; else NULL */
};

struct listed {
    const char *name; /* "high" */
    enum rule_of of;
    bool open; /* people may put other figures in its place */
    bool on;
    const char *source, *en, *zh;
    struct rule_figure parameter[LINE_FIGURES], input[RULE_FIGURES];
};
const struct listed *listed_rule(enum listed_rule r);
int listed_named(struct span name); /* -1: there is none */
static inline enum listed_rule listed_check(enum check c)
{
    return (enum listed_rule)((int)LISTED_HIGH + (int)c);
}
enum listed_rule listed_verdict(enum rule r); /* not of RULE_NONE */

/* ---- lines ---- */

enum line_state { LINE_OFF, LINE_ON, LINE_WITHDRAWN }; /* withdrawn: as if this line had never been; numbers stand on disk */
const char *line_state_name(enum line_state s);

struct check_line {
    enum listed_rule rule; /* an open one */
    enum use_class use; /* USE_UNKNOWN: any */
    int32_t dn_mm;      /* 0: any */
    int64_t from_day;   /* civil, since 1970 */
    uint32_t version;   /* of the rule, from 2; 1 is the table's own */
    enum line_state state;
    int64_t value[LINE_FIGURES]; /* by place of the parameters */
};
const struct check_line *check_line_standing(enum check c);
const struct check_line *line_standing(enum listed_rule r);

/* Whether the figures are in their ranges and go together. NULL, or the name of the first parameter that is wrong; `out_expected` then says what was expected. */
const char *check_line_wrong(const struct check_line *l, char *out_expected, size_t size);

#define CHECK_LINES_MAX 1000 /* versions of one rule */
struct check_rules {
    size_t count;
    struct check_line *at; /* in the order of check_rules_sort */
    bool by_use; /* a line asks for a use class */
};
void check_rules_sort(struct check_rules *r);
/* `r` may be NULL: the table's own. */
const struct check_line *check_line_for(const struct check_rules *r, enum check c, int64_t day, enum use_class use, int32_t dn_mm);
const struct check_line *line_for(const struct check_rules *r, enum listed_rule rule, int64_t day, enum use_class use, int32_t dn_mm);

/* A line's bytes, without its rule and version, which name it: u8 1 · u8 state · u8 use · varint dn · zigzag from_day · u8 count · zigzag values · zigzag when · counted who, note. */
struct check_line_told {
    struct check_line line;
    int64_t at_s;
    struct span who, note; /* views */
};
void check_line_write(struct wr *w, const struct check_line_told *l);
MUST_CHECK enum err check_line_read(struct span bytes, enum listed_rule rule, uint32_t version, struct check_line_told *out); /* CORRUPT */

/* ---- what a check rested on ---- */

struct check_told {
    uint32_t version;            /* of the line that judged */
    uint8_t parameters, inputs;  /* how many of the figures there are */
    int64_t value[RULE_FIGURES]; /* of the parameters */
    int64_t input[RULE_FIGURES];
};
/* The bytes: varint version · u8 parameters | inputs << 4 · zigzag all of them. */
void check_told_write(struct wr *w, const struct check_told *t);
void check_told_read(struct rd *r, struct check_told *out); /* CORRUPT in `r` */
/* Of several: u8 set of 1 << enum check · each of them. */
void checks_told_write(struct wr *w, unsigned of, const struct check_told told[CHECK_COUNT]);
unsigned checks_told_read(struct rd *r, struct check_told told[CHECK_COUNT]); /* which; CORRUPT in `r` */
#define CHECKS_TOLD_MOST (1 + CHECK_COUNT * (6 + 2 * RULE_FIGURES * 10)) /* bytes */

#endif
