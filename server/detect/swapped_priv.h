/* What swapped.c and idle.c share. */
#ifndef NILO_SERVER_DETECT_SWAPPED_PRIV_H
#define NILO_SERVER_DETECT_SWAPPED_PRIV_H

#include "server/detect/swapped.h"

#define WEEK_S (7 * 86400)

struct swapped {
    int64_t from_s;
    unsigned meters, weeks;
    double *litres; /* [(meter × weeks + week) × SWAPPED_SLOTS + slot] */
    float *covered; /* [meter × weeks + week]: seconds */
    struct swapped_day {
        float litres;
        uint32_t known_s;
    } * days; /* [meter × weeks × 7 + day] */
    struct swapped_idle {
        unsigned meter;
        bool shut;
        int64_t from_s, to_s;
    } idle[SWAPPED_IDLE_MOST];
    unsigned idle_count;
};

/* ---- idle.c ---- */

void idle_take(struct swapped *s, unsigned meter, int64_t day, double litres, int64_t seconds);
/* What such days show by the end of a week. */
void idle_find(const struct swapped *s, unsigned week, int64_t told_s, struct swapped_finding *out, size_t most, size_t *out_count);

#endif
