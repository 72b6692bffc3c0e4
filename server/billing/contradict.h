/* Whether what was read off a dial as its meter went or came contradicts the meter's readings (rules-fleet L7, L8, L10).  Pure. */
#ifndef NILO_SERVER_BILLING_CONTRADICT_H
#define NILO_SERVER_BILLING_CONTRADICT_H

#include "server/billing/agree.h"

enum against_what { AGAINST_NONE, AGAINST_READING, AGAINST_OPENING, AGAINST_CLOSING };

struct contradiction {
    enum against_what of;   /* what stands against the index; NONE: nothing */
    struct mark with;      /* that index, and when */
    struct mark farthest;  /* of several readings behind a closing index the highest; else as `with` */
};

/* Rows come tidied (rows_tidy), all that are known of the billed channel over the span that is said; fittings are all of the meter, by
 * from_s. NO_MEMORY. */

/* A closing index at `at_s`: `rows` are those of the fitting `f` (one of `fittings`, as it stood before), up to its end. */
MUST_CHECK enum err contradict_closing(const struct meter_facts *m, const struct fitting *fittings, size_t count, const struct fitting *f, const struct rows *rows,
                                       const struct mark *closing, struct contradiction *out);
/* What a fitting closes with where nobody read the dial (L10): the last reading in it that takes part, at or before `at_s`, else its opening index. */
MUST_CHECK enum err contradict_last(const struct meter_facts *m, const struct fitting *fittings, size_t count, const struct fitting *f, const struct rows *rows,
                                    int64_t at_s, struct mark *out);
/* An opening index: `before` are the meter's fittings without the new one, `after` those with it, `rows` those behind the opening. */
MUST_CHECK enum err contradict_opening(const struct meter_facts *m, const struct fitting *before, size_t before_count, const struct fitting *after,
                                       size_t after_count, const struct rows *rows, const struct mark *opening, struct contradiction *out);

#endif
