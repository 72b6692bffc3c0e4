/* A check tried on the past: what it would have flagged by other figures, beside what it flags by those of today (server/billing/rules.h).  Nothing is written.
 * Both judge every row of the span, whenever they were made, and what is known now. */
#ifndef NILO_SERVER_RULE_TRIAL_H
#define NILO_SERVER_RULE_TRIAL_H

#include "server/point_use.h"

enum rule_trial_step { TRIAL_HOUR, TRIAL_DAY, TRIAL_MONTH, TRIAL_CYCLE /* each closed cycle that has the point, where it lies within the span */ };

struct trial_wish {
    struct check_line line; /* for whom, and by which figures; its day and version count for nothing */
    enum rule_trial_step step;   /* PROLONGED: CYCLE; SPIKE, OVERLOAD: HOUR; others all but HOUR */
    int64_t from_s, to_s;
};

/* Either verdict on a row. */
struct trial_verdict {
    bool flagged;
    struct check_told told; /* where it could judge: version 0 is the trial's own */
    bool judged;
};
struct trial_row {
    int64_t from_s, to_s;
    int32_t dn_mm; /* of the meter there at the begin; 0: none */
    struct trial_verdict now, then;
};

#define TRIAL_USES (USE_ZONE_OUTLET + 1)
struct trial_counts {
    uint64_t rows, now, then, both; /* rows that were looked at; flagged by today's figures, by the trial's, by both */
};

struct rule_trial {
    struct app *app;
    struct trial_wish wish;
    struct check_rules now, then; /* of the one check; as if they had always held */
    struct trial_counts counts[TRIAL_USES]; /* by enum use_class */
    uint64_t points;
    /* The point at hand. */
    enum use_class use;
    struct point_use load;
    size_t span_count, span_cap;
    struct trial_span {
        uint32_t cycle;
        int64_t from_s, to_s;
    } *spans; /* CYCLE: all closed cycles */
};
/* By the rules as `t` sees them, and those of them that hold today. NO_MEMORY, CORRUPT, t->err. */
MUST_CHECK enum err rule_trial_init(struct app *app, struct txn *t, const struct trial_wish *wish, struct rule_trial *out);
void rule_trial_done(struct rule_trial *w); /* also after an error; a zeroed one is fine */

/* The point is at hand. */
MUST_CHECK enum err rule_trial_point(struct rule_trial *w, struct txn *t, uint32_t point);
/* The next row at or after *at_s that either flags: *at_s is where to go on, to_s at the end, and then *out_found is false. `t`: as for rule_trial_point. */
MUST_CHECK enum err rule_trial_next(struct rule_trial *w, struct txn *t, struct span name, int64_t *at_s, bool *out_found, struct trial_row *out);

#endif
