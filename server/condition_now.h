/* A fitted meter's due date by condition as of now: what server/fleet/condition.h reckons, from what is known.
 *
 *     volume     the newest index that the judge believed, above the fitting's opening index (server/judge.h: what a person typed is no part of it)
 *     status     the newest frame since it was fitted (server/readings.h)
 *     flags      of this fitting, that a person confirmed (the ledger's births)
 *     the rest   its life: failed inspections, faults
 *
 * Costs no walk over readings: some look-ups a meter, so that lists may ask.  Any thread. */
#ifndef NILO_SERVER_CONDITION_NOW_H
#define NILO_SERVER_CONDITION_NOW_H

#include "server/fleet/condition.h"
#include "server/lives.h"

/* `l` loaded, `now` folded at now_s; `ledger` and `views`: read transactions of these. A meter that is not fitted has no such date (NO_DAY). CORRUPT, NO_MEMORY, what stuck in the transactions. */
MUST_CHECK enum err condition_now(struct app *app, const struct fleet_rules *rules, struct txn *ledger, struct txn *views, const struct meter_life *l,
                                  const struct life *now, int64_t now_s, struct condition *out);

/* Volume through the register since it showed `start_ml`. A register that stands below its opening index has turned over once where it began in its upper half and has not come
 * far since; else it was re-based, and says nothing: 0. */
int64_t volume_since(const struct meter_facts *m, int64_t start_ml, int64_t index_ml);

#endif
