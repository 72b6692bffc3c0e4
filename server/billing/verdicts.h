/* The rows of a channel over a span, and which of them take part, read from no more of the meter's life than the verdicts need.
 *
 * Verdicts of the billed channel follow from the whole fitting (rules-bills B13): a year of hours for a month of answers.  But a
 * stretch of readings that rise as a meter can, long enough, makes what came before it indifferent: see verdicts.c. */
#ifndef NILO_SERVER_BILLING_VERDICTS_H
#define NILO_SERVER_BILLING_VERDICTS_H

#include "server/billing/walk.h"

/* Where rows come from: all kept ones of the channel with from_s ≤ time < to_s, tidied; `out` is cleared first. */
struct row_source {
    enum err (*load)(void *arg, int64_t from_s, int64_t to_s, struct rows *out);
    enum err (*below_zero)(void *arg, bool *out_below); /* whether a value of the billed channel is below 0, at any time */
    void *arg;
};

/* Rows that hold those of the span, and more, with rules->at their verdicts; of the rows in [from_s, to_s) they are those that
 * walk_rows gives over all rows. `out_rules` is malloc'd (NULL where there are no rows). NO_MEMORY, or what load returns. */
MUST_CHECK enum err verdicts_load(const struct row_source *source, const struct meter_facts *m, const struct fitting *fittings,
                                  size_t count, enum channel c, int64_t from_s, int64_t to_s, struct rows *out, enum rule **out_rules);

#endif
