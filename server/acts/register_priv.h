/* What register.c asks of the files that know one list.  For this folder. */
#ifndef NILO_SERVER_ACTS_REGISTER_PRIV_H
#define NILO_SERVER_ACTS_REGISTER_PRIV_H

#include "server/acts/register.h"

bool registrar_touch(struct registrar *g, uint32_t meter); /* false: no memory */

/* `id` 0: a new meter. */
enum err meter_check(struct registrar *g, const struct cells *cells, uint32_t id, struct import_refusal *why);
enum err meter_written(struct registrar *g, const struct cells *cells, uint32_t id, bool known);

/* A row of LIST_FITTING becomes events of the meter's life; there are no rows of that list. It checks its names itself. */
enum err fitting_put(struct registrar *g, const struct cells *cells, enum put_outcome *out, struct import_refusal *why);

/* A row of LIST_ORDER, which comes by a file alone: INVALID where it is no order. */
/* A price's row must be one that something is reckoned with: a word written wrong would change nothing, and nobody would see it. */
MUST_CHECK enum err price_row_check(struct app *app, struct txn *t, const struct cells *cells, struct import_refusal *why);
enum err order_row_check(struct txn *t, const struct cells *cells, bool known, struct import_refusal *why);

/* INVALID where the cell `to` is before the cell `from`; both may be empty. */
enum err span_check(const struct list *l, const struct cells *cells, unsigned from, unsigned to, struct import_refusal *why);

#endif
