/* The review of what will be billed: each point of a cycle that is not closed, as closing it now would freeze it, with what stands out (server/billing/review.h),
 * and what was accepted.  One thread at a time. */
#ifndef NILO_SERVER_CYCLE_REVIEW_H
#define NILO_SERVER_CYCLE_REVIEW_H

#include "server/billing/review.h"
#include "server/cycles.h"

struct reviewed {
    struct determinant d; /* good until the next; its account is a view into the transaction. It tells besides what the first hours that stand out rest on */
    unsigned reasons;
    bool elsewhere; /* another closed cycle has the point: nothing else is told */
    bool has_median;
    int64_t median_ml; /* of a day's use before the span (rules-bills E3), floored */
    bool exchanged;
    int64_t exchanged_s; /* the last within the span; serials are borrowed like `d` */
    const char *old_serial, *new_serial;
    unsigned spikes;
    int64_t spike_s; /* when the first of those hours begins */
    bool was_accepted, accepted; /* accepted: and it holds */
    struct review_accepted by;   /* texts are views into the transaction */
};

/* `cycle` 0: of a span that is no cycle; nothing is accepted there. */
MUST_CHECK enum err review_point(const struct cycle_maker *m, struct txn *t, uint32_t cycle, uint32_t point, struct span name, struct point_use *u,
                                 struct reviewed *out);

/* How many flags stand open at a point's meters of now (`u` loaded for it), at most REVIEW_FLAGS_MOST. */
#define REVIEW_FLAGS_MOST 99
MUST_CHECK enum err review_flags(struct app *app, const struct point_use *u, uint32_t point, unsigned *out);

void review_put_reasons(struct out *o, unsigned reasons); /* [{"reason","text_en","text_zh"},…] */

#endif
