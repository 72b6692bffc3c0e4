/* Which readings take part (rules-bills B).  Pure. */
#ifndef NILO_SERVER_BILLING_WALK_H
#define NILO_SERVER_BILLING_WALK_H

#include "proto/facts.h"

enum rule { RULE_NONE, RULE_FUTURE, RULE_NOT_FITTED, RULE_CONFLICT, RULE_CEILING, RULE_FALL, RULE_PEAK };

const char *rule_name(enum rule r); /* "not-fitted"; NULL for RULE_NONE */

size_t rows_from(const struct rows *rows, int64_t at_s); /* the first row at or after it; rows by time */

/* Judges a meter's rows of one channel (in rows_tidy order, all that are known): verdicts[i] for rows->at[i].  Fittings of the
 * meter by from_s.  On the billed channel B4 to B13, and edits that stand among the rows (edit.h); on others B4 to B6 alone.  NO_MEMORY. */
MUST_CHECK enum err walk_rows(const struct meter_facts *m, const struct fitting *fittings, size_t fitting_count, enum channel c, const struct rows *rows, enum rule *verdicts);

/* The register of one fitting as counted (roll-overs and re-bases resolved), for billing and queries. */
struct step {
    int64_t at_s;
    int64_t dial_ml;    /* as the dial shows it */
    int64_t counted_ml; /* as counted since the fitting's start: 0 there */
    int32_t rollovers;  /* since the fitting's start, backwards negative */
    bool rebased;       /* the step that ends here is a re-base: counts 0 */
    bool edge;          /* the fitting's own start or end index */
    bool edited;        /* a person says so (edit.h) */
};
struct register_line {
    struct step *steps;
    size_t count;
    int64_t next_after_s; /* last row that takes part */
};
/* What takes part in one fitting, by time, its start and end index included. NO_MEMORY. Free with register_line_done. */
MUST_CHECK enum err register_line_make(const struct meter_facts *m, const struct fitting *f, const struct rows *rows, struct register_line *out);
void register_line_done(struct register_line *line);

#endif
