/* How long things last: the product-limit estimate of Kaplan and Meier (1958).
 *
 *     S(t) = Π over ages t_i ≤ t of (1 − d_i / n_i)         d_i failed at age t_i, n_i at risk: neither failed nor censored before it
 *     V(t) = Σ over ages t_i ≤ t of d_i / (n_i (n_i − d_i)) Greenwood (1926): the variance of S is S² V
 *     bounds S^exp(± z √V / ln S), z = 1.959964: 95 % of log(−log S), which stay within 0 and 1
 *                                  (Kalbfleisch and Prentice 1980, 1.3; Klein and Moeschberger 2003, 4.3)
 *
 * At one age failures come before what is censored.  Ages are whole days, so that a fleet is counts by day whatever its size, and the estimate is exact.  Pure. */
#ifndef NILO_SERVER_FLEET_SURVIVAL_H
#define NILO_SERVER_FLEET_SURVIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What left observation at one age; the place in its array is the age in days. */
struct survival_day {
    uint32_t failed, censored;
};

struct survival_step {
    uint32_t age_days;
    uint64_t at_risk, failed;
    uint64_t censored; /* at this age or since the step before it */
    double survival;   /* just after this age */
    double low, high;  /* NaN where all that was at risk has failed */
};

/* A step for each age at which something failed, and a last one where what was still at risk was censored later. Writes at most `cap`, returns
 * how many there are. Nothing observed: none. */
size_t survival_steps(const struct survival_day *days, size_t count, struct survival_step *out, size_t cap);

/* The first age at which half or less lasts; false: more than half outlast what was observed. */
bool survival_median(const struct survival_step *steps, size_t count, uint32_t *out_age_days);

#endif
