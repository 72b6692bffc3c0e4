/* Replays as the views keep them (server/replay.h).  Each is one part 0, its head, and behind it parts of at most REPLAY_PART bytes with what it lists.
 *
 *   head    u8 version 1 · u8 state · counted name of the rule · counted line (check_line_write) · zigzag from · counted zone · varint share · counted who
 *           zigzag begun, ended · varint meters, done, damaged · varint came, gone, moved, same · u8 more
 *   list    u8 what: 0 differences, 1 zones, 2 models · varint count, then of each
 *           difference   u8 change · varint meter, point · counted id · of now and then: zigzag fitting's from, onset, raised, cleared, lost · varint confidence
 *           zone, model  counted name · varint came, gone, moved, same
 *
 * The head is written when a replay begins, as running, and all of it when it ends. */
#ifndef NILO_SERVER_REPLAY_KEEP_H
#define NILO_SERVER_REPLAY_KEEP_H

#include "server/replay.h"

#define REPLAY_PART 65536

/* Puts the head alone, or all of `r`, in place of what was kept of its number; what was kept of `drop` (0: none) goes. What writing the views returns. */
MUST_CHECK enum err replay_keep(struct app *app, const struct replay *r, bool whole, uint32_t drop);

/* Reads all that are kept into `at`, by number, the newest REPLAYS_KEPT; one that ran is told as interrupted, one that does not read (of another version, or damaged) is none. Their lists are
 * the caller's, also after an error. NO_MEMORY, what reading the views returns. */
MUST_CHECK enum err replays_kept(struct app *app, struct replay at[REPLAYS_KEPT], size_t *out_count);
void replay_forget(struct replay *r); /* its lists */

#endif
