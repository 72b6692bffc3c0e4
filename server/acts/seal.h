/* What acts at a meter ask of the register of seals. */
#ifndef NILO_SERVER_ACTS_SEAL_H
#define NILO_SERVER_ACTS_SEAL_H

#include "storage/ledger.h"

/* A seal that an event names is put on: a registered one becomes used at this meter and point (either may be empty) by the act.  One
 * that is there already changes nothing; one that nobody registered is a text of the event and no more.  CONFLICT: it is used
 * elsewhere or broken, and `why` (of `size` bytes) says where.  Other errors are the store's. */
MUST_CHECK enum err seal_use(struct act *a, struct span seal, struct span serial, struct span point, char *why, size_t size);

#endif
