/* Frames that waited go back into the journal, as of their own arrival, as soon as they can be read: each is judged again with what is
 * known today.  What still stands against it is what it waits for from then on.  One that was played back (REPLAYED) stays: nothing
 * that comes makes it a report. */
#ifndef NILO_SERVER_ACTS_QUARANTINE_H
#define NILO_SERVER_ACTS_QUARANTINE_H

#include "server/acts/act.h"

/* The digits of `MAN-12345678` and `MAN-12345678-VV-TT` (contract §4, radio_id), a view; empty: the name is none of these. */
struct span radio_digits(struct span name);

/* For these meters, by serial, by radio name, and by what shorter names their telegrams may bear. */
MUST_CHECK enum err quarantine_release_meters(struct app *app, const uint32_t *meters, size_t count);

/* For every meter from `first_meter` on. */
MUST_CHECK enum err quarantine_release_from(struct app *app, uint32_t first_meter);

/* For the settling thread, what was settled into the quarantine: under one name, or all that waits (`why` ERR_OK) or waits for `why`:
 * what a crash left between an act and its release, and frames that were on their way meanwhile. */
MUST_CHECK enum err quarantine_release_name(struct app *app, struct span name);
MUST_CHECK enum err quarantine_release_known(struct app *app, enum err why);

#endif
