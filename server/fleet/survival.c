#include "server/fleet/survival.h"

#include <math.h>

#define Z95 1.959963984540054

/* Without a failure nothing is known of the spread: the bounds are the estimate. */
static void bound(struct survival_step *step, double variance)
{
    double log_s = log(step->survival), spread;

    step->low = step->high = step->survival;
    if (step->survival <= 0) {
        step->low = step->high = NAN;
    } else if (variance > 0) {
        spread = Z95 * sqrt(variance) / -log_s;
        step->low = exp(log_s * exp(spread));
        step->high = exp(log_s * exp(-spread));
    }
}

size_t survival_steps(const struct survival_day *days, size_t count, struct survival_step *out,
                      size_t cap)
{
    struct survival_step step = { .survival = 1 };
    double variance = 0;
    uint64_t left = 0;
    size_t steps = 0;

    for (size_t i = 0; i < count; i++)
        left += (uint64_t)days[i].failed + days[i].censored;
    step.at_risk = left;
    for (size_t i = 0; i < count && left; i++) {
        uint64_t failed = days[i].failed;

        step.censored += days[i].censored;
        if (failed) {
            step.survival *= 1 - (double)failed / (double)left;
            if (left > failed)
                variance += (double)failed / ((double)left * (double)(left - failed));
        }
        if (failed || (left == days[i].censored && step.censored)) {
            step.age_days = (uint32_t)i;
            step.at_risk = left;
            step.failed = failed;
            bound(&step, variance);
            if (steps < cap)
                out[steps] = step;
            steps++;
            step.censored = 0;
        }
        left -= failed + days[i].censored;
    }
    return steps;
}

bool survival_median(const struct survival_step *steps, size_t count, uint32_t *out_age_days)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i].survival <= 0.5) {
            *out_age_days = steps[i].age_days;
            return true;
        }
    return false;
}
