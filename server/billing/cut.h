/* A fitting cut where what is asked for does not look back to: the figures of a span from three months before it, not from years.
 *
 * Pure. The register is counted from the first reading there as it would be from the fitting's start, but for whole turns of the dial. */
#ifndef NILO_SERVER_BILLING_CUT_H
#define NILO_SERVER_BILLING_CUT_H

#include "server/billing/verdicts.h"

/* For the row of consumption over [from_s, to_s) as one span (STEP_NONE), with its checks: `out_fitting` and `rows` (those that take part; cleared first) give what `f` and all
 * its readings give, unless nothing was used (E4 asks for the start index). *out_done false: they would not, or nobody knows; all of it has to be read. `source`: of the billed channel, without edits. What verdicts_load returns. */
MUST_CHECK enum err fitting_cut(const struct row_source *source, const struct meter_facts *m, const struct fitting *f, int64_t from_s, int64_t to_s,
                                struct fitting *out_fitting, struct rows *rows, bool *out_done);

#endif
