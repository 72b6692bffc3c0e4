/* What meters miss by age and throughput, learned from exchanges (handbook 6.3, no. 5: replacement back-test).
 *
 *     y = ln (use of the new meter / use of the old one in the same days a year before) = c + s x + t a + ε
 *
 * a: years that the old one was in service; x: what it counted in that time, in WEAR_UNIT_H hours at Q3 (1 000 m³ of a DN 15 of Q3 2.5); c: by how much all customers used more in the year of the new one (peers: what age
 * and throughput do not explain is nobody's error); ε: households change, its spread is that of the samples (1.4826 × the median deviation).  Least squares with normal priors, so that few exchanges move little:
 *
 *     all models    s ~ N(0.0113, 0.0113²): Fourie, Marnewick, Joseph, Water SA 46(4) 2020: 1.13 % per 1 000 m³;  t ~ N(0, 0.005²) a year;  c ~ N(0, 0.05²)
 *     one model     the same from the exchanges of all others, s and t each ± as much again; then its own
 *
 * What a meter misses is 1 − exp(−s x − t a), with an interval from the posterior's covariance.  Samples beyond WEAR_MOST (e-fold) are stuck meters or taps left open and no wear: they are left out.  Pure. */
#ifndef NILO_SERVER_FLEET_WEAR_H
#define NILO_SERVER_FLEET_WEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEAR_UNIT_H 400
#define WEAR_MOST 0.7
#define WEAR_TOLD 10 /* exchanges, from which on a curve is called learned from them */

struct wear_sample {
    double ratio;  /* use of the old / use of the new */
    double years;  /* in service */
    double volume_l;
    int64_t q3_lph; /* 0: not known: the sample is left out */
};

/* Sums of samples: they add. */
struct wear_sums {
    double a[3][3], b[3];
    unsigned count, left_out;
};
void wear_add(struct wear_sums *sums, const struct wear_sample *samples, size_t count);
/* The spread of y among these samples; 0.25 of fewer than six. Allocates nothing: sorts `values`, room for `count`. */
double wear_spread(const struct wear_sample *samples, size_t count, double *values);

enum wear_source { WEAR_DEFAULT, WEAR_FLEET, WEAR_MODEL };
const char *wear_source_name(enum wear_source s); /* "default" */

struct wear_curve {
    double s, t, c;
    double v[3][3]; /* covariance, in the order c, s, t */
    unsigned own, all; /* exchanges it rests on: of the model, of all */
    enum wear_source source;
};
/* `own` may have no samples, or be NULL: then of all models. `all` has `own` within it. `spread` > 0. */
void wear_learn(const struct wear_sums *all, const struct wear_sums *own, double spread, struct wear_curve *out);

/* Missed share by throughput alone, of a meter that misses milli_pct / 100 000 by each WEAR_UNIT_H hours at Q3: 1 − exp(−…); and what of its water a meter so misses a day that registered so much. */
double wear_missed(int32_t milli_pct, double volume_l, int64_t q3_lph);
double wear_lost(double missed, double registered_lpd);
/* The other way round: thousandths of a percent, of the model's years at `litres_a_year`. */
double wear_milli_pct(const struct wear_curve *c, double litres_a_year, int64_t q3_lph);

/* Volumes and days in steps of 5 %, so that what is reckoned from them moves seldom, and whoever keeps it is told when: `step` is another then. */
struct wear_pace {
    double volume_l, days; /* as low as the step begins; 0: nothing is known */
    uint32_t step;
};
struct wear_pace wear_pace_of(int64_t volume_ml, int64_t seconds);

struct wear_error {
    double missed, low, high; /* shares of what runs through; `low` may be below 0: a meter may count too much */
};
void wear_predict(const struct wear_curve *c, double years, double volume_l, int64_t q3_lph, struct wear_error *out);

#endif
