/* Frames that waited go back into the journal, as of their own arrival. */
#ifndef NILO_SERVER_ACTS_QUARANTINE_H
#define NILO_SERVER_ACTS_QUARANTINE_H

#include "server/acts/act.h"

/* For every meter from `first_meter` on, by serial and by radio name. */
MUST_CHECK enum err quarantine_release_from(struct app *app, uint32_t first_meter);

/* For every meter, what was settled into the quarantine.  For the settling thread: what a crash
 * left between a registration and its release, and frames that were on their way while their meter
 * was registered. */
MUST_CHECK enum err quarantine_release_known(struct app *app);

#endif
