/* The meters of a batch.  For this folder. */
#ifndef NILO_SERVER_ACTS_LOT_H
#define NILO_SERVER_ACTS_LOT_H

#include "server/acts/asset.h"
#include "server/acts/paper.h"
#include "server/sample.h"

/* What a meter was at an instant, and who had it, in `line`. */
MUST_CHECK enum err lot_meter_at(struct app *app, struct txn *t, uint32_t meter, int64_t at_s, struct paper_line *line);

/* How many meters of a batch are in one of `states` (LIFE_BIT) now. */
MUST_CHECK enum err lot_count(struct app *app, struct txn *t, struct span batch, unsigned states, uint64_t *out);

#endif
