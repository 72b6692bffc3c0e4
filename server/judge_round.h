/* Many meters judged by as many threads as there are cores, at a desk each (judge_desk.h), and handed out in the order of meters to the one that asked. */
#ifndef NILO_SERVER_JUDGE_ROUND_H
#define NILO_SERVER_JUDGE_ROUND_H

#include "server/judge_desk.h"

struct judge_round;
/* Of `news` (meters ascending, each once; borrowed until round_close). Without memory for threads the caller's judges alone. NO_MEMORY. */
MUST_CHECK enum err round_open(struct app *app, const struct judge_news *news, size_t count, int64_t now_s, struct judge_round **out);
/* What came of the next stretch of STRETCH_METERS, a view until the next call; NULL behind the last. The calling thread judges, too, while it waits. Where a stretch ended with an error
 * (findings->err) none behind it is judged. */
const struct findings *round_next(struct judge_round *r);
void round_close(struct judge_round *r); /* ends the threads, wherever they are; NULL is fine */

#endif
