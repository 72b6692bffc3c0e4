/* Whether what is found by index is what rows and lives say: every key that follows from a row is there, every key that is there
 * follows from one, and the counts of stock add up.  Reads alone; may run beside a nilod. */
#ifndef NILO_SERVER_INDEXES_CHECK_H
#define NILO_SERVER_INDEXES_CHECK_H

#include "server/app.h"

struct indexes_checked {
    uint64_t rows, keys; /* that were held against each other */
    bool lives;          /* false: those of lives were made by another verification table or time zone than app's, and were passed over */
};
/* Of `app` alone ledger, zone and verify_rules are asked. MISSING: a key is lost, one too many, or a count is wrong: `r` names the index and the row; CORRUPT; NO_MEMORY. */
MUST_CHECK enum err indexes_check(struct app *app, struct indexes_checked *out, struct refusal *r);

#endif
