/* Adjustments: what later knowledge makes of closed cycles (rules-bills F2 to F4).  The settling thread, in its place.
 *
 * Everything that is settled together is one arrival: between its parts nobody could have asked.  What an adjustment says follows from the frozen figure, the
 * adjustments before it and what is known now; so a pass that is cut off is made up for by the next, and one over all meters finds nothing to do. */
#ifndef NILO_SERVER_ADJUST_H
#define NILO_SERVER_ADJUST_H

#include "server/app.h"

struct adjuster;
struct judge_news;

MUST_CHECK enum err adjuster_new(struct app *app, struct adjuster **out);
void adjuster_free(struct adjuster *a); /* NULL is fine */

/* Looks at the closed cycles of the points where these meters (ids ascending) are or were, and makes the adjustments that are due: in order of the cycles' begin, then of
 * point. STOPPING: the rest is to be asked for again. */
MUST_CHECK enum err adjust_pass(struct adjuster *a, const struct judge_news *news, size_t count, int64_t now_s);

/* The same over all meters, with nobody else at the store: for `nilo store rebuild`. */
MUST_CHECK enum err adjust_all(struct app *app);

/* The words of a reason ("fitting", "edit", "estimate", "reading"), NULL for any other. */
const char *adjust_text_en(const char *reason);
const char *adjust_text_zh(const char *reason);

#endif
