/* By which figures a meter's flags are raised: the lines that people set (server/billing/rules.h) and what they said of the meter's own flags, as a book by civil day
 * (server/detect/rules.h). For one thread; made of one transaction of the ledger and good as long as it. */
#ifndef NILO_SERVER_FLAG_RULES_H
#define NILO_SERVER_FLAG_RULES_H

#include "server/check_rules.h"
#include "server/detect/rules.h"

struct flag_rules;
MUST_CHECK enum err flag_rules_open(struct app *app, struct txn *ledger, struct flag_rules **out); /* t->err, NO_MEMORY, CORRUPT */
void flag_rules_close(struct flag_rules *r); /* NULL is fine */
/* As if that line had been set for such meters, and none of the same rule, use class and DN since its day. Before the first flag_rules_of. NO_MEMORY. */
MUST_CHECK enum err flag_rules_try(struct flag_rules *r, const struct check_line *line);

/* A meter's book at a point of that use class; quick where meters come in ascending order. *out NULL: the standing figures; else good until the next call. NO_MEMORY, CORRUPT, ledger->err. */
MUST_CHECK enum err flag_rules_of(struct flag_rules *r, struct txn *ledger, uint32_t meter, enum use_class use, int32_t dn_mm, const struct rule_book **out);

#endif
