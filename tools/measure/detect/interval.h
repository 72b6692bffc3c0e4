/* Intervals of counted figures, 95 %. */
#ifndef NILO_TOOLS_MEASURE_DETECT_INTERVAL_H
#define NILO_TOOLS_MEASURE_DETECT_INTERVAL_H

struct interval {
    double value, low, high; /* value NAN: nothing to count */
};
struct interval wilson(unsigned hits, unsigned all);      /* 95 % */
struct interval rate_of(unsigned count, double exposure); /* exact Poisson, 95 % */

#endif
