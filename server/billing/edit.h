/* Edits: what a person says a dial stood at, where no reading tells it or the one that does is wrong.  Pure.
 *
 * An edit is of an instant and not of a span: the spans on both sides share it, so what one of them loses the other wins, and all of them go on adding up to the
 * register's movement.  The walk (rules-bills B9 to B12) goes over the readings, and an edit is put into what takes part where it agrees with its neighbours there (B8), as a
 * reading would, and where the two steps count what the one did: so it never puts a reading aside but the one of its own instant, and never makes water.  What contradicts it,
 * also later, puts it out: rule fall or ceiling against the one before, peak or ceiling against the one after.
 *
 * At its own instant it goes before the very reading that it was put in place of, and behind any other: that one came later, and nobody has judged it (B6). So verdicts go
 * on following from what is known, not from the order in which it came. The fitting's own indices go before both (B7). */
#ifndef NILO_SERVER_BILLING_EDIT_H
#define NILO_SERVER_BILLING_EDIT_H

#include "proto/facts.h"

struct edit_mark {
    uint64_t id;
    uint32_t meter;
    int64_t at_s;
    int64_t index_ml;    /* as the dial shows it */
    bool has_instead;    /* a reading stood there, which it is put in place of: */
    int64_t instead_ml;
};

/* Puts the edits that hold within the fitting among `rows` (the meter's of the billed channel, tidied), as rows with ATTR_EDITED. Edits of other meters, outside of the
 * fitting or at its ends, and those that another reading of their instant goes before, are passed over. NO_MEMORY. */
MUST_CHECK enum err edits_apply(const struct edit_mark *edits, size_t count, const struct fitting *f, struct rows *rows);

/* Whether an edit that was put among them stands there; its place. */
bool edit_found(const struct edit_mark *edit, const struct rows *rows, size_t *out_at);

/* The reading of an instant that goes on (B6), edits and readings from the future aside; false: none. */
bool reading_at(const struct rows *rows, int64_t at_s, int64_t *out_ml);

/* What one person may change alone, by the litres that the edit moves at its instant and by the figure of the span before it. */
struct edit_limits {
    int64_t alone_ml; /* so much */
    int32_t percent;  /* and so much of the figure */
};
/* Whether it takes two persons: more than either limit, or one of both figures is not known. */
bool edit_takes_two(const struct edit_limits *limits, bool known, int64_t delta_ml, bool span_known, int64_t span_ml);

#endif
