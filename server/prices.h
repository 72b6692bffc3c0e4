/* What the fleet is reckoned with as of now: the table of --fleet-rules, and over it what people put on the list of prices.  Any thread. */
#ifndef NILO_SERVER_PRICES_H
#define NILO_SERVER_PRICES_H

#include "server/app.h"
#include "server/fleet/defaults.h"

/* A copy of app->fleet_rules with the newest rows of LIST_PRICE laid over it. Rows that an older server took though no rule knows their item count for nothing. t->err; `out` changes on success only. */
MUST_CHECK enum err fleet_rules_now(struct app *app, struct txn *t, struct fleet_rules *out);

#endif
