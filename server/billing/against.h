/* What a reading was held against, in numbers: why it takes part or not (rules-bills B).  Pure; told again from the verdicts of walk.h, which it changes in nothing. */
#ifndef NILO_SERVER_BILLING_AGAINST_H
#define NILO_SERVER_BILLING_AGAINST_H

#include "server/billing/rules.h"

struct against {
    enum listed_rule rule;      /* LISTED_AGREES of one that takes part by its predecessor alone */
    bool has_before;            /* the last that took part before it, or of B5 nothing */
    struct mark_told {
        int64_t at_s, index_ml;
        bool own; /* the fitting's index; no source then */
        enum source source;
    } before, beside;           /* beside: what goes before it at that instant (CONFLICT); the reading that unmasked it (PEAK) */
    bool has_beside;
    bool counts;                /* moved_ml is what the step to it counts (B8); else what lies between as the dial shows it */
    int64_t moved_ml;
    int64_t seconds;            /* between them */
    int64_t ceiling_ml;         /* C, floored: what can have gone through in that time */
    int32_t rollovers;          /* within the step */
    bool has_fitting;           /* NOT_FITTED: the meter's fitting before it, which ended */
    int64_t fitted_until_s;
    bool has_next;              /* likewise the one after it */
    int64_t fitted_from_s;
};

/* Of rows->at[first, end) of channel `c`, in order; `rules` are the verdicts of all rows, and before `first` there are rows enough (verdicts.h). Fittings of the meter by
 * from_s. `out` has room for end − first. */
void against_list(const struct meter_facts *m, const struct fitting *fittings, size_t count, enum channel c, const struct rows *rows, const enum rule *rules,
                  size_t first, size_t end, struct against *out);

#endif
