/* What draws.c, drift.c and home_days.c share: the days of a look on which people were at home, and how their hours with use are distributed. */
#ifndef NILO_SERVER_DETECT_DRAWS_PRIV_H
#define NILO_SERVER_DETECT_DRAWS_PRIV_H

#include "server/detect/draws.h"
#include "server/detect/peers.h"

#define LEAST_BEFORE_D 40 /* days with people at home */
#define LEAST_AFTER_D 14
#define LONGEST_D 110 /* calendar days from a change to the last day */

struct home_days {
    const struct day_use *days;
    size_t count;
    bool at_home[DAYS_MOST],
        empty[DAYS_MOST]; /* neither: a holiday, or too little is known of it */
    double ln[DAYS_MOST]; /* of its use */
    double unit_ml, pulse_ml;
    double faint_ml; /* an hour with no more had a trickle at most; 0: pulses do not show it */
    const struct peers *peers; /* whose change is taken off `ln`; NULL: nobody's */
    bool asked, known;
};
/* Filled once for all who look at a place, in days->home, of which nobody but `asked` need be set before. NULL: too little is known to say what a usual day is. */
const struct home_days *home_days(const struct judge_place *p, const struct day_span *days);
unsigned home_count(const struct home_days *h, size_t from, size_t to);   /* days at home among those of [from, to) */
double home_mean_ln(const struct home_days *h, size_t from, size_t to);   /* of their use; NAN: there are none */
double home_per_day(const struct day_use *d);                            /* millilitres; 0: nothing is known of it */
double home_nth(double *v, size_t count, size_t n);                      /* the nth in order, from 0, of count ≥ 1; moves the values about */

/* Hours with use, by eighths of octaves above unit_ml: [0] none, [1] below it. */
#define BINS 96
struct hist {
    double at[BINS], hours, idle;
    double ml[24], known[24];  /* by hour of the day */
    double days, floor_ml;     /* days of which most hours are known; the sum of the least hours of these */
    double faint, faint_ml;    /* hours with no more than a trickle, and what flowed in them */
};
void hist_add(struct hist *h, const struct home_days *of, size_t day);
double hist_mean_ln(const struct hist *h, double unit_ml); /* of hours with use; NAN: there are none */

/* Days before `at` against those from `since` on; both places in `h`. As draws_compare. */
bool draws_between(const struct home_days *h, size_t at, size_t since, const struct draws_bounds *bounds, struct draws_change *out);

#endif
