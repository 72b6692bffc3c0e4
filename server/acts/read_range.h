/* Whether what a person read is what the dial can show (server/billing/daysheet.h, read_judge), from the readings that stand.  For this folder. */
#ifndef NILO_SERVER_ACTS_READ_RANGE_H
#define NILO_SERVER_ACTS_READ_RANGE_H

#include "server/routes.h"

/* `m` is fitted at at_s. CORRUPT, NO_MEMORY, IO; t->err. */
MUST_CHECK enum err read_range_of(struct app *app, struct txn *t, const struct meter_facts *m, int64_t at_s, int64_t index_ml, enum read_range *out);

#endif
