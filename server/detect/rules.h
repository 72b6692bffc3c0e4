/* The figures of the detectors as a table (rules.def), and those that hold for one meter on a day.  Pure.
 *
 *   rules.def and versions in the ledger → (use class, DN, dismissals of this meter) → struct rule_book → detect_feed → place->rules → each detector
 *
 * What people dismiss makes the meter's own figures stricter (handbook §6.4): from the civil day behind the decision on, for DISMISSED_DAYS days, each dismissal of a kind moves the
 * kind's figures by DISMISSED_PERMILLE of themselves, the way their `stricter` says; at most DISMISSED_MOST at a time, never beyond `least` and `most`, and a flag of the kind that was
 * confirmed since takes all of it back. */
#ifndef NILO_SERVER_DETECT_RULES_H
#define NILO_SERVER_DETECT_RULES_H

#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum detect_rule {
#define DETECT_RULE(id, kind, target, order_from, source, en, zh) DETECT_##id,
#define DETECT_FIGURE(id, place, name, unit, least, most, standing, stricter, en, zh)
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
    DETECT_RULES
};

#define DETECT_FIGURES 8 /* of a rule */
#define DETECT_TARGET 0
#define DETECT_ORDER_FROM 1

/* FIGURE_STUCK_household_hours: where a figure stands in struct detect_rules. */
enum detect_figure {
    FIGURE_NONE = -1,
#define DETECT_RULE(id, kind, target, order_from, source, en, zh)
#define DETECT_FIGURE(id, place, name, unit, least, most, standing, stricter, en, zh)              \
    FIGURE_##id##_##name = DETECT_##id * DETECT_FIGURES + (place),
#include "server/detect/rules.def"
#undef DETECT_RULE
#undef DETECT_FIGURE
};

struct detect_rules {
    int64_t value[DETECT_RULES * DETECT_FIGURES]; /* by enum detect_figure; units as in rules.def */
    uint32_t version[DETECT_RULES];               /* of the line that each comes from; 1: the table's own */
    uint32_t off;                                 /* a set of 1 << enum detect_rule: what is raised on such a day is not told */
    uint8_t dismissed[DETECT_RULES];              /* dismissals that are counted in */
};
_Static_assert(DETECT_RULES <= 32, "a set in four bytes");
extern const struct detect_rules detect_rules_standing;

/* What holds for one meter, each from a civil day on (days since 1970): the latest first; before all of them the standing ones. */
struct rule_book {
    size_t count;
    struct rule_period {
        int32_t from_day;
        struct detect_rules rules;
    } *at;
};
/* `b` may be NULL: the standing ones. */
static inline const struct detect_rules *rules_on(const struct rule_book *b, int32_t day)
{
    for (size_t i = 0; b && i < b->count; i++)
        if (day >= b->at[i].from_day)
            return &b->at[i].rules;
    return &detect_rules_standing;
}
/* Of what holds on `until_day` or before: what was judged up to that day rests on no other. 0 where there is nothing but the standing ones. */
uint32_t rule_book_hash(const struct rule_book *b, int32_t until_day);

int detect_rule_named(struct span kind); /* enum detect_rule; -1: there is none */
const char *detect_rule_name(enum detect_rule r);

enum stricter { STRICTER_NEITHER, STRICTER_UP, STRICTER_DOWN };
enum stricter detect_stricter(enum detect_rule r, unsigned place); /* NEITHER too where there is no such figure */
/* A figure `steps` times stricter by `permille` of itself, within its range. */
int64_t detect_stricter_by(enum detect_rule r, unsigned place, int64_t value, unsigned steps, int64_t permille);

/* ---- what was said of one meter's flags ---- */

#define DISMISSED_DAYS 400
#define DISMISSED_MOST 3
#define DISMISSED_PERMILLE 250

struct flag_said {
    enum detect_rule rule;
    int32_t day; /* civil, on which it was said */
    bool confirmed; /* else dismissed */
};
unsigned dismissals_on(const struct flag_said *said, size_t count, enum detect_rule r, int32_t day);
/* `base`, made stricter by what was said. Room for rule_periods_most(base->count, count) at `room`; out->at is `room`. */
static inline size_t rule_periods_most(size_t base, size_t said)
{
    return base + 2 * said + 1;
}
void rule_book_dismissed(const struct rule_book *base, const struct flag_said *said, size_t count, struct rule_period *room, struct rule_book *out);

#endif
