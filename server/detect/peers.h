/* How the use of a kind of place went, week by week: what all homes of a size in a zone used less (heat, a price, a shortage) is no meter's fault.
 * Pure: who counts them is server/peers.h.
 *
 * A level belongs to a week and the three before it, 28 days, and is held against the 28 days before: the median, over the meters of the
 * kind, of the logarithm of their use ÷ their use then.  Medians of changes and not of use, so that who is new, or much larger, moves nothing. */
#ifndef NILO_SERVER_DETECT_PEERS_H
#define NILO_SERVER_DETECT_PEERS_H

#include <stddef.h>
#include <stdint.h>

#define PEERS_WEEK_D 7
#define PEERS_WINDOW_D 28
#define PEERS_STEP (PEERS_WINDOW_D / PEERS_WEEK_D) /* weeks between a level and the one that it is held against */
#define PEERS_WEEKS 1040 /* that are kept: of twenty years, for a rebuild looks back as far */
#define PEERS_LEAST 8    /* weeks: of a zone that is known for fewer, all zones tell */
#define PEERS_GRACE_D 6  /* a look on day E knows weeks that ended as long before E, or longer: by then they have been counted */

struct peers {
    int32_t first; /* its first week: days since 1970-01-01 ÷ 7 */
    unsigned count;
    int16_t level[PEERS_WEEKS]; /* thousandths of a logarithm, against the first */
};

/* Adds the change of a week, thousandths of a logarithm; weeks come in order, and one that was left out changed nothing. The oldest go where there is no room. */
void peers_add(struct peers *p, int32_t week, int32_t change);
/* What a look on that civil day knows of it. */
void peers_until(const struct peers *p, int32_t day, struct peers *out);
/* The level on a civil day: a logarithm; before the first week and after the last one theirs. 0 of NULL, or of none. */
double peers_ln(const struct peers *p, int32_t day);
/* What they changed by within the last 28 days that are known: while it is much, what a meter does beside it cannot be told yet. 0 of NULL. */
double peers_lately_ln(const struct peers *p);
#define PEERS_MOVE_LN 0.15 /* that much */
/* The median of count ≥ 1 changes, which moves them about, in thousandths of a logarithm. */
int32_t peers_change(double *ln, size_t count);

#endif
