/* Why a row of consumption is what it is: the readings that each end rests on, by which rule, in numbers (rules-bills B to D).  Pure. */
#ifndef NILO_SERVER_BILLING_EXPLAIN_H
#define NILO_SERVER_BILLING_EXPLAIN_H

#include "server/billing/consume.h"

#define EXPLAIN_PARTS_MAX 64 /* of a row: one a fitting and re-base, and nobody reads more */
#define EXPLAIN_OUT_MAX 8    /* readings near an end that take no part, told one by one */

/* Why the register stands there. */
enum end_why {
    END_READ,       /* C1: a reading at that very instant */
    END_EDITED,     /* C1: an edit at that very instant (edit.h) */
    END_OWN_INDEX,  /* C1, B7: the fitting's own index */
    END_LINE,       /* C2 */
    END_LIKE_DAY,   /* C3 */
    END_REBASED,    /* C5: within the step of a re-base */
    END_PACE,       /* C6: on from the last reading that takes part */
    END_FUTURE,     /* C6: after now; missing */
    END_FIRST_WEEK, /* C6: the last that takes part came in the fitting's first week; missing */
    END_NEVER_READ, /* C6: likewise, and none takes part */
    END_WHY_COUNT
};
const char *end_why_rule(enum end_why w);    /* "C2" */
const char *end_why_text_en(enum end_why w); /* a sentence */
const char *end_why_text_zh(enum end_why w);

struct end_reading {
    int64_t at_s, dial_ml;
    int64_t register_ml; /* not cut at the modulus: dial_ml and M for each roll-over since the fitting's start */
    bool own;            /* the fitting's index; no source then */
    bool edited;         /* likewise: a person says so */
    enum source source;
};

/* register_ml = base + floor(moved_ml × share / whole); the base is `before`'s register, and where share is 0 nothing is to be added. END_LINE: seconds. END_LIKE_DAY: W, millilitre seconds.
 * END_PACE: seconds, moved_ml what was used since `pace_from_s`. */
struct part_end {
    enum end_why why;
    int64_t at_s, register_ml; /* nothing where it is missing */
    bool has_before, has_after;
    struct end_reading before, after; /* END_READ, END_EDITED, END_OWN_INDEX: `before` alone, at at_s */
    int64_t moved_ml, share, whole;
    int64_t pace_from_s;
    size_t out_count; /* that take no part from `before` to `after`, or behind `before` where there is no after; of the last EXPLAIN_OUT_MAX `outs` tells */
    size_t told_count;
    struct end_out {
        int64_t at_s, dial_ml;
        enum rule rule;
        enum source source;
        bool edited; /* an edit that takes no part */
    } outs[EXPLAIN_OUT_MAX];
};

struct explained {
    const struct part *part;  /* of the row */
    int64_t modulus_ml;       /* M; 0: none */
    struct part_end start, end; /* of a re-based part: the readings before and after the step; of one without a meter nothing */
};

/* Calls `each` for the first EXPLAIN_PARTS_MAX parts of the row that `c` was asked for last, in order. `e` is borrowed until it returns. NO_MEMORY. */
MUST_CHECK enum err consumer_explain(struct consumer *c, void (*each)(void *arg, const struct explained *e), void *arg);

/* When the edits are of which the ends of a part with a meter rest (edit.h), ascending; how many. The part is of the row that `c` was asked for last. */
#define PART_EDITS_MOST 4
size_t consumer_edits(struct consumer *c, const struct part *p, int64_t at_s[PART_EDITS_MOST]);

#endif
