/* Frames that waited go back into the journal, as of their own arrival.  For this folder. */
#ifndef NILO_SERVER_ACTS_QUARANTINE_H
#define NILO_SERVER_ACTS_QUARANTINE_H

#include "server/acts/act.h"

/* For every meter from `first_meter` on, by serial and by radio name. */
MUST_CHECK enum err quarantine_release_from(struct app *app, uint32_t first_meter);

#endif
