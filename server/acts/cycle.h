/* What the acts on billing cycles share.  For this folder. */
#ifndef NILO_SERVER_ACTS_CYCLE_H
#define NILO_SERVER_ACTS_CYCLE_H

#include "server/acts/answer.h"
#include "server/cycles.h"

/* The cycle that the path names, its routes copied; cycle_done frees. False: 404, 403 (one of its routes is not the caller's unit's) or worse stands. */
bool cycle_named(const struct act_request *q, struct act_reply *out, struct txn *t, struct ledger_cycle *c);
void cycle_done(struct ledger_cycle *c);

/* Whether all routes are the unit's that the caller's token is for; false: 403 stands, or worse. */
bool cycle_routes_are_ours(const struct act_request *q, struct act_reply *out, struct txn *t, struct span routes);

/* The answer's members of a cycle's row, then those of `sums` (NULL: of its row). */
void cycle_answer(struct act_reply *out, unsigned status, const struct ledger_cycle *c, const struct cycle_sums *sums);

#endif
