/* Mass balance behind a building's meter: which of the meters behind it counts too little.
 *
 *     parent(t) = loss · t + Σ b_i · child_i(t) + W(t) + v(t)                     (handbook §6.3, no. 4)
 *
 * where all are registers in litres, t is in hours, and b_i is what runs through the parent for each litre that child i counts.  W wanders, since what meters miss depends on flow from draw to
 * draw; v is what stands between a register and the truth at the full hour: pulses, and that meters are read at other minutes.  A local-level filter (Harvey 1989, 4.1) whitens all series with one gain, so
 * that hours in which few flats draw weigh what they tell, and what a coarse pulse hides in an hour shows over a week.  Least squares with a ridge towards b_i = 1 (BALANCE_B_SD) gives b and its
 * interval; sums are kept week by week, so that a step of any b_i, of the loss or of all b together at any week is tried by one more column.
 *
 *   raised   in a week in which a step of one b_i upwards is worth `z_least` standard errors, explains the parent `margin` better (in χ²) than the best step of the loss, of the whole or of another child, and
 *            means a share of at least `share_least` not counted; or where b_i was so high from the beginning on that its low bound is above BALANCE_B_HIGH
 *   cleared  in a week in which it steps back by the same measure
 *
 * Pure; a week's finding rests on that week and those before it. */
#ifndef NILO_SERVER_DETECT_BALANCE_H
#define NILO_SERVER_DETECT_BALANCE_H

#include "server/detect/detect.h"

#define BALANCE_WEEK_S (7 * 86400)
#define BALANCE_FROM_S (4 * 3600) /* of a civil day: when least flows */
#define BALANCE_WEEKS_MOST 60    /* 13 months: a season comes back */
#define BALANCE_CHILDREN_MOST 64 /* fittings: 40 flats with some exchanges */

struct balance;

/* Registers from the instant from_s on (4 h in the morning, civil time) for `weeks`; column 0 is the parent, 1 to `children` those behind it. LIMIT, NO_MEMORY. */
MUST_CHECK enum err balance_new(int64_t from_s, unsigned weeks, unsigned children, struct balance **out);
void balance_free(struct balance *b); /* NULL is fine */

/* A step of the column's register, in order of time for each column. Each fitting is a column of its own; outside of what balance_fitted tells nothing ran through it. */
void balance_take(struct balance *b, unsigned column, const struct meter_facts *m, const struct judge_step *step);
void balance_fitted(struct balance *b, unsigned column, int64_t from_s, int64_t to_s);

struct balance_rules {
    double z_least, margin, share_least;
};
extern const struct balance_rules balance_usual;

#define BALANCE_STEPS_MOST 12 /* that are taken in */
/* How far it was looked and what was taken in by then, so that the next week can be looked at alone: plain numbers, to be kept as long as registers and weeks are the same. Zeroed: not yet. */
struct balance_scan {
    unsigned own_week; /* set by the caller: the weeks up to it were looked at by a balance that began before this one. What stands out in them is told at its end */
    unsigned week;     /* until its end */
    unsigned step_count;
    struct balance_step {
        unsigned column, week; /* counts from that week on */
    } steps[BALANCE_STEPS_MOST];
    struct balance_pending {
        unsigned column, since, last; /* weeks in which it was the best step */
    } pending;
    double variance;
};

struct balance_finding {
    unsigned child;                     /* its column */
    bool stepped;                       /* false: high from the beginning on */
    int64_t onset_s, raised_s, cleared_s; /* ends of weeks; cleared_s 0: it lasts */
    double before, after;               /* b */
    double share, share_low, share_high; /* not counted since, with 95 % */
    double lost_lpd, lost_low_lpd, lost_high_lpd;
    double z;
    double loss_lph; /* between the meters, constant; a leak there is no child's fault */
    unsigned children, weeks; /* that it rests on */
};

/* What stands by the end of the week before `until_s`, in order of raising. `out` begins with the *out_count that an earlier look, or a balance before this one, found: their onset_s may lie before from_s; those
 * that stand end by a step back alone. `scan` goes on. NO_MEMORY. */
MUST_CHECK enum err balance_find(struct balance *b, const struct balance_rules *rules, int64_t until_s, struct balance_scan *scan, struct balance_finding *out, size_t most, size_t *out_count);

#endif
