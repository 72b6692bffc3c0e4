/* What the files of replacements share. */
#ifndef NILO_SERVER_REPLACEMENTS_PRIV_H
#define NILO_SERVER_REPLACEMENTS_PRIV_H

#include "server/judge_condition.h"
#include "server/replacements.h"

/* All candidates, or those among some meters, in order; the caller frees `at`. Errors leave `out` as it was: NO_MEMORY, STOPPING, what reading a store returns. */
MUST_CHECK enum err ranked_whole(struct app *app, int32_t today, const struct fleet_rules *rules, struct ranks *out);
MUST_CHECK enum err ranked_some(struct app *app, int32_t today, const struct fleet_rules *rules, const uint32_t *meters, size_t count, struct ranks *out);

/* Those of another day or of other prices: reckons their benefits anew, leaves out who is none any more, and sorts. Who is one now, is among ranked_new's: meters whose date came within the
 * horizon that ended on `before_until`, or whose condition may have; malloc'd, in no order, with doubles. Not where condition_rules_hash is another. NO_MEMORY: `all` is in no order. */
MUST_CHECK enum err ranked_turn(struct app *app, int32_t today, const struct fleet_rules *rules, struct ranks *all);
MUST_CHECK enum err ranked_new(struct app *app, int32_t today, const struct fleet_rules *rules, int32_t before_until, uint32_t **out, size_t *out_count);

MUST_CHECK enum err ranked_sort(struct ranks *r); /* NO_MEMORY */
/* What a meter that no flag blames misses a day by its throughput, ml (fleet_wear); 0: nobody told, or no index is known. `out_volume_l`, `out_missed`: by which; either may be NULL. */
int64_t replacement_wear(struct txn *views, const struct fleet_rules *rules, const struct fitting *f, struct span model, int64_t q3_lph, double *out_volume_l, double *out_missed);
#define WEAR_CONFIDENCE_PCT 80 /* an expectation over all meters of the model, not what this one does */
bool replacement_is_blamed(const struct replacement *one); /* it has a flag that blames the meter itself */
void replacement_reckon(struct replacement *one, const struct fleet_rules *rules, int32_t today); /* its benefit */
void ranking_mark(struct ranking *r); /* `marks`, zeroed before, of `touched` */

#endif
