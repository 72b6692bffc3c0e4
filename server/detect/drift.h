/* Whether a home's draws became smaller from month to month: a meter that wears out, where draws.h looks for the day on which one broke.
 *
 * The months before a look (28 days each, with people at home on 8 and more) have a mean use and a mean size of the hours with use. The slope of
 * either is the median of all slopes between two months (H. Theil 1950; P. K. Sen, JASA 1968), which a month of guests does not move, and its sureness
 * Kendall's tau: the share of pairs of months of which the later one is lower, less that of those of which it is higher. What fell is then
 * laid against what was before it, draw by draw, as draws.h does. */
#ifndef NILO_SERVER_DETECT_DRIFT_H
#define NILO_SERVER_DETECT_DRIFT_H

#include "server/detect/draws.h"

#define DRIFT_CHANGES 2
struct drift {
    unsigned months;            /* from the first one that was known to the last */
    double use_ln, size_ln, often_ln; /* by the slope, from the first to the last of them: use, the size of hours with use, how many have some */
    double use_tau, size_tau;   /* −1 each month lower than all before it */
    int32_t day;                /* on which use was a tenth less than in the first */
    unsigned change_count;
    struct draws_change changes[DRIFT_CHANGES]; /* the last 40 days against those that lie 140 and more back, and 224: those within bounds */
};
/* Looks for a fall. False: use or size fell by less than 22 and 14 %, or too little is known to say, or no change comes to `bounds`. */
bool drift_find(const struct judge_place *p, const struct day_span *days, const struct draws_bounds *bounds, struct drift *out);

#endif
