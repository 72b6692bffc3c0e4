/* What the lists of a billing cycle share (get_cycles.c).  For this folder. */
#ifndef NILO_SERVER_QUERY_CYCLE_ASKED_H
#define NILO_SERVER_QUERY_CYCLE_ASKED_H

#include "server/cycles.h"
#include "server/query/listing.h"

/* The cycle that the path names, `c` with views into `t`; false: 404, 403 or worse stands. */
bool cycle_asked(struct request *q, struct txn *t, struct ledger_cycle *c);

/* The first point behind the cursor. */
size_t cycle_place_of(const struct listing *l, const struct cycle_points *p);

#endif
