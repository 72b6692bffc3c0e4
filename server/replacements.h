/* Meters to replace or to inspect, worst first.  Any thread. */
#ifndef NILO_SERVER_REPLACEMENTS_H
#define NILO_SERVER_REPLACEMENTS_H

#include "server/judge.h"

/* Meters with open or confirmed flags that the meter itself is to blame for (stuck, reversed): a
 * customer's leak is no reason to change a meter, though it is named when the meter is on the list
 * anyway. */
struct replacement {
    uint32_t meter, point;
    unsigned kinds;                                   /* a set of 1 << n: detector_at(n) */
    int64_t onset_s;                                  /* the earliest */
    int64_t lost_mlpd, lost_low_mlpd, lost_high_mlpd; /* of the worst of its kinds */
    unsigned confidence_pct;
    enum severity severity;
    char flag_id[FLAG_ID_SIZE]; /* the worst one: its text says why */
    char text_en[FLAG_TEXT_SIZE], text_zh[FLAG_TEXT_SIZE];
};

struct replacement_filter {
    struct span zone;  /* this zone and those below it; empty: any */
    struct span route; /* empty: any */
};

/* Ranked by what is lost a day times confidence; of equals the lower meter id first. Free `*out`
 * with free(). NO_MEMORY. */
MUST_CHECK enum err replacements_make(struct app *app, const struct replacement_filter *filter,
                                      struct replacement **out, size_t *out_count);

#endif
