/* Lulls: days on which many of a use class are away, seen by the fleet itself (server/detect/lulls.c).  Once a day, in the afternoon, when the
 * reports of the day before have come, each class is held against what it usually is; a day that is one is told in the ledger, for
 * good, and the judge has it from the next reading on that is a day younger.  Nobody is judged anew: what was read before goes without it.
 *
 * What is usual is learned in memory, weekday by weekday: after a start it takes three weeks, but for the weekdays of which the ledger
 * tells what was usual when a lull was told last.  The settling thread's, or of whoever has its place. */
#ifndef NILO_SERVER_LULLS_H
#define NILO_SERVER_LULLS_H

#include "server/app.h"

struct lull_watch;
MUST_CHECK enum err lulls_open(struct app *app, struct lull_watch **out); /* NO_MEMORY, and what reading the ledger returns */
void lulls_close(struct lull_watch *w);                                   /* NULL is fine */

/* Looks at the day before, if that was not done and the afternoon has come. `w` NULL is fine. */
MUST_CHECK enum err lulls_look(struct lull_watch *w, int64_t now_s);

/* All that were told, as of the transaction. CORRUPT. */
MUST_CHECK enum err lulls_load(struct txn *ledger, struct lulls out[LULL_CLASSES]);

#endif
