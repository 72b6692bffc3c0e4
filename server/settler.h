/* The thread behind the journal: settles the tail into the archive, judges what is new, tidies, drops what is old.  Low priority:
 * never between a datagram and its answer. */
#ifndef NILO_SERVER_SETTLER_H
#define NILO_SERVER_SETTLER_H

#include "server/app.h"

/* Settles every `every_s` seconds (0: 1) once it is started; until then it only takes touches: what a crash left unjudged must be
 * told before the first settling says that all is judged. NO_MEMORY, and what reading the views returns. */
MUST_CHECK enum err settler_open(struct app *app, unsigned every_s, struct settler **out);
MUST_CHECK enum err settler_start(struct settler *s); /* NO_MEMORY */
void settler_close(struct settler *s); /* finishes the step at hand; NULL is fine */

/* Returns when all that was accepted before the call, and all that is due by the clock, is in every projection. Any thread.
 * STOPPING; else what settling failed with. */
MUST_CHECK enum err settler_settle(struct settler *s);

/* The meter must be judged anew from its first reading: its facts, its fittings or its past changed. Any thread. */
void settler_touch(struct settler *s, uint32_t meter);

/* Likewise, where its fittings, or the readings at their ends, changed: those that were fitted at its points after it are judged by what was used before them (unmoved.c). Any thread, after the
 * commit. */
void settler_touch_behind(struct settler *s, uint32_t meter);

/* The settling thread's place is lent to `work` (which writes to archive or views); returns what it returns. */
MUST_CHECK enum err settler_lend(struct settler *s, enum err (*work)(void *arg), void *arg);

#endif
