/* A fitting's dial reads against its transmitter (server/billing/dials.h), loaded from the store. Any thread. */
#ifndef NILO_SERVER_DIALS_H
#define NILO_SERVER_DIALS_H

#include "server/app.h"
#include "server/billing/dials.h"

/* What all of it rests on. */
struct dials {
    struct rows rows;
    struct dial_told *told;
    size_t told_count;
};
/* Every row of the fitting, and what was told of the meter. CORRUPT, NO_MEMORY, IO. Free with dials_done, also after an error. */
MUST_CHECK enum err dials_load(struct app *app, struct txn *ledger, const struct meter_facts *m, const struct fitting *f, struct dials *out);
void dials_done(struct dials *d);

#endif
