/* The base of annual tiers (阶梯水价): whole cubic metres that were settled for an account within a civil year, exactly.
 *
 *     year's closed cycles → the point's determinants, and what was adjusted of each → lines → sums
 *
 * A cycle is settled on the civil day of its end (`to`), so December's, which ends when January begins, is the first of the new year.  An adjustment belongs to the year of the cycle that it
 * corrects, whenever it was made: it puts that year's bill right.  So the years of a point add up to its determinants and adjustments, and each counts once.  A determinant counts for the
 * account that it was frozen with: an account that takes a point over begins at nothing there.  Missing determinants count 0 until something is adjusted. */
#ifndef NILO_SERVER_TIERS_H
#define NILO_SERVER_TIERS_H

#include "server/point_use.h"

struct tier_cycle {
    uint32_t id;
    int64_t from_s, to_s;
    char name[CYCLE_NAME_MAX + 1];
};

struct tier_year {
    int32_t year;
    int64_t from_s, to_s; /* the civil year */
    int64_t now_s;
    struct tier_cycle *cycles; /* closed ones, of all years, the latest end first */
    size_t count;
};
#define TIER_YEAR_LEAST 2000
#define TIER_YEAR_MOST 2105
/* As known in `t`; done also after an error. NO_MEMORY, CORRUPT, IO. */
MUST_CHECK enum err tier_year_load(struct app *app, struct txn *t, int32_t year, struct tier_year *out);
void tier_year_done(struct tier_year *y);

struct tier_line {
    const struct tier_cycle *cycle;
    struct determinant frozen;     /* views into the transaction; without parts */
    struct ledger_billed adjusted; /* its deltas; zeroed where there are none */
};

struct tier_sums {
    uint32_t cycles, missing;           /* how many lines; of them frozen as missing */
    int64_t billed_ml, billed_m3;       /* determinants */
    int64_t adjusted_ml, adjusted_m3;   /* adjustments */
    int64_t others_m3;                  /* both, of the point's cycles in the year that were other accounts' */
};
static inline int64_t tier_m3(const struct tier_sums *s)
{
    return s->billed_m3 + s->adjusted_m3;
}

/* The lines of a point and an account (empty: of none), by the cycles' ends; `each` (may be NULL) sees them. Adds to `sums`. CORRUPT, t->err. */
MUST_CHECK enum err tier_point(const struct tier_year *y, struct txn *t, struct span point, struct span account, void (*each)(void *arg, const struct tier_line *line), void *arg,
                               struct tier_sums *sums);

/* What was used since: as information, for it is not settled. */
struct tier_open {
    bool there;   /* the year is under way, and the point is the account's */
    bool known;   /* an end may be missing (rules-bills C6) */
    int64_t from_s, to_s;
    int64_t consumption_ml, m3;
    enum quality quality;
};
/* From the end of the point's last closed cycle, without one from the year's begin, never from before the point was the account's; up to now. */
MUST_CHECK enum err tier_open(struct app *app, const struct tier_year *y, struct txn *t, uint32_t point, struct span name, struct span account, struct point_use *use,
                              struct tier_open *out);

#endif
