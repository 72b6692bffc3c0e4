/* Orders that rules make of themselves. */
#ifndef NILO_SERVER_ACTS_ORDER_RULES_H
#define NILO_SERVER_ACTS_ORDER_RULES_H

#include "server/app.h"

/* Every rule of the table that says `auto yes` makes its orders, an act each; called after judging, by the settling thread, when a flag changed or (`day_began`) a civil day began.
 * Rules that look for silent meters, or points to visit, look at all that run, which takes long: those have their turn once a day. */
MUST_CHECK enum err order_rules_auto(struct app *app, bool day_began);
bool order_rules_any_auto(const struct app *app);

#endif
