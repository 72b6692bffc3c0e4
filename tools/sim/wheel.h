/* What a meter makes of flow, and what its register shows. */
#ifndef NILO_TOOLS_SIM_WHEEL_H
#define NILO_TOOLS_SIM_WHEEL_H

#include "proto/facts.h"
#include "tools/sim/chance.h"

/* The error curve: share of the water that is registered, by flow. */
struct curve {
    double start_lph; /* below it nothing turns */
    double q1_lph, q2_lph, q4_lph;
    double at_start, at_q1, at_q2, at_q4; /* registered ÷ true */
};

enum works {
    WORKS_STATIC, /* ultrasonic, R250 */
    WORKS_FINE,   /* mechanical, R160 */
    WORKS_PLAIN   /* mechanical, R80 */
};

/* A meter of q3_lph that has been in use for `years`. */
void curve_make(struct curve *k, struct chance *c, enum works works, double q3_lph, double years);
double curve_share(const struct curve *k, double lph);

/* What ran between the readings of one meter, in millilitres: reading n is taken at from_s + n × step_s. */
struct course {
    double from_s, step_s;
    uint32_t count, cap; /* of stretches between readings */
    float *forward_ml, *back_ml;
};
MUST_CHECK enum err course_begin(struct course *k, double from_s, double step_s,
                                 uint32_t count); /* NO_MEMORY */
void course_done(struct course *k);               /* a zeroed one is fine */
/* `ml` evenly over `seconds` from at_s on; what lies outside is left out. */
void course_add(struct course *k, float *ml_of, double at_s, double seconds, double ml);

/* What a register of this form shows that has counted `ml` since it stood at 0: whole pulses, modulo its digits. */
int64_t wheel_shows(const struct meter_facts *m, double ml);

#endif
