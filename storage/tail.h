/* Where the unsettled records of each meter are: an index in memory over the end of the journal, so that a read sees a reading
 * the moment it was acknowledged.  Two generations: one grows, the other is being settled.  Meter 0 holds the quarantined.
 *
 *   tail_add        the commit thread, before replies go out
 *   tail_of         any thread
 *   tail_turn, tail_drop   the settling thread */
#ifndef NILO_STORAGE_TAIL_H
#define NILO_STORAGE_TAIL_H

#include "proto/base/err.h"

#include <stdbool.h>

struct tail;

struct tail_entry {
    uint32_t meter;
    uint64_t position;
};

MUST_CHECK enum err tail_new(struct tail **out);
void tail_free(struct tail *t); /* NULL is fine */
MUST_CHECK enum err tail_add(struct tail *t, const struct tail_entry *entries, size_t count); /* one lock for all; NO_MEMORY */

/* Positions of a meter's unsettled records, oldest first, of both generations, into `out`; how many there are (which may be
 * more than `cap`: call again with more room). */
size_t tail_of(struct tail *t, uint32_t meter, uint64_t *out, size_t cap);
size_t tail_count(struct tail *t);          /* entries in both generations */

/* The growing generation becomes the settling one. False where the last is still settling or nothing grew. */
bool tail_turn(struct tail *t);

/* The settling generation, which nobody changes: the next meter id above `after` that has entries (0 comes first with
 * after = UINT32_MAX), or UINT32_MAX; its positions, oldest first, are handed out by tail_settling_of. */
uint32_t tail_settling_next(struct tail *t, uint32_t after);
size_t tail_settling_of(struct tail *t, uint32_t meter, uint64_t *out, size_t cap);
void tail_drop(struct tail *t); /* forgets the settling generation, once it is settled */

#endif
