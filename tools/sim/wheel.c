/* Error curves: nothing below the starting flow; from there the logarithm of the flow decides between the starting flow, Q1, Q2 (=
 * 1.6 Q1) and Q4.  New meters keep ISO 4064 class 2 (5 % from Q1, 2 % from Q2 on).  Starting flows of DN15: static 1 to 2, mechanical
 * R160 4 to 7, R80 7 to 13 L/h (Arregui, Cabrera & Cobacho, Integrated Water Meter Management, 2006, and tests of domestic meters, AQUA
 * 69(1), 2020), in proportion to Q3.  With the years the starting flow of a mechanical meter rises by 6 % and its error at Q1 by 1 % a
 * year (Arregui et al., Water 10(5), 2018: ageing is worst at low flow; 1.9 % a year below 30 L/h in AQUA 70(2), 2021). */
#include "tools/sim/wheel.h"

#include <stdlib.h>
#include <string.h>

void curve_make(struct curve *k, struct chance *c, enum works works, double q3_lph, double years)
{
    double size = q3_lph / 2500, r = works == WORKS_STATIC ? 250 : works == WORKS_FINE ? 160 : 80;
    bool wears = works != WORKS_STATIC;

    k->q1_lph = q3_lph / r;
    k->q2_lph = 1.6 * k->q1_lph;
    k->q4_lph = 1.25 * q3_lph;
    k->start_lph = size * (works == WORKS_STATIC ? chance_even(c, 1, 2)
                           : works == WORKS_FINE ? chance_even(c, 4, 7)
                                                 : chance_even(c, 7, 13));
    if (wears)
        k->start_lph *= 1 + 0.06 * years;
    k->at_start = wears ? 0.6 : 0.92;
    k->at_q1 = 1 + chance_even(c, -0.04, 0.03) - (wears ? 0.01 * years : 0);
    k->at_q2 = 1 + chance_even(c, -0.01, 0.02);
    k->at_q4 = 1 + chance_even(c, -0.02, 0.015);
    if (k->q1_lph < 1.2 * k->start_lph)
        k->q1_lph = 1.2 * k->start_lph;
    if (k->q2_lph < 1.2 * k->q1_lph)
        k->q2_lph = 1.2 * k->q1_lph;
}

static double between(double lph, double x0, double y0, double x1, double y1)
{
    return y0 + (y1 - y0) * log(lph / x0) / log(x1 / x0);
}

double curve_share(const struct curve *k, double lph)
{
    if (lph < k->start_lph)
        return 0;
    if (lph >= k->q4_lph)
        return k->at_q4;
    if (lph >= k->q2_lph) /* flat: a straight line does */
        return k->at_q2 + (k->at_q4 - k->at_q2) * (lph - k->q2_lph) / (k->q4_lph - k->q2_lph);
    if (lph >= k->q1_lph)
        return between(lph, k->q1_lph, k->at_q1, k->q2_lph, k->at_q2);
    return between(lph, k->start_lph, k->at_start, k->q1_lph, k->at_q1);
}

enum err course_begin(struct course *k, double from_s, double step_s, uint32_t count)
{
    if (count > k->cap) {
        float *forward = (float *)realloc(k->forward_ml, count * sizeof *forward), *back;

        if (!forward)
            return ERR_NO_MEMORY;
        k->forward_ml = forward;
        if (!(back = (float *)realloc(k->back_ml, count * sizeof *back)))
            return ERR_NO_MEMORY;
        k->back_ml = back;
        k->cap = count;
    }
    k->from_s = from_s;
    k->step_s = step_s;
    k->count = count;
    memset(k->forward_ml, 0, count * sizeof *k->forward_ml);
    memset(k->back_ml, 0, count * sizeof *k->back_ml);
    return ERR_OK;
}

void course_done(struct course *k)
{
    free(k->forward_ml);
    free(k->back_ml);
    *k = (struct course){ 0 };
}

void course_add(struct course *k, float *ml_of, double at_s, double seconds, double ml)
{
    double x = (at_s - k->from_s) / k->step_s, end = x + seconds / k->step_s;
    double rate = end > x ? ml / (end - x) : 0;

    if (x < 0)
        x = 0;
    if (end > k->count)
        end = k->count;
    if (x >= end)
        return;
    if ((uint32_t)x == (uint32_t)end) { /* most often */
        ml_of[(uint32_t)x] += (float)(seconds > 0 ? rate * (end - x) : ml);
        return;
    }
    for (uint32_t n = (uint32_t)x; n < k->count && x < end; n++) {
        double to = n + 1 < end ? n + 1 : end;

        ml_of[n] += (float)(rate * (to - x));
        x = to;
    }
}

int64_t wheel_shows(const struct meter_facts *m, double ml)
{
    int64_t pulse = m->resolution_ml,
            v = (int64_t)floor(ml / (double)pulse) * pulse % m->modulus_ml;

    return v < 0 ? v + m->modulus_ml : v;
}
