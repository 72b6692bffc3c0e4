/* Frames that are well-formed but not usable yet, by the name they wait for; bounded per source and in all, so that an
 * acknowledged frame is never dropped before its retention ends.  A projection of the journal with a file of its own
 * (DIR/journal/quarantine.mdb), from which frames go back into the journal once they are usable.  Rejected bytes for people are
 * kept beside it, the newest few thousand. */
#ifndef NILO_STORAGE_QUARANTINE_H
#define NILO_STORAGE_QUARANTINE_H

#include "storage/journal.h"

struct quarantine;

struct quarantine_limits {
    uint64_t frames, bytes; /* in all; 0 = 1 000 000 and 512 MiB */
    uint64_t source_frames; /* of one address; 0 = 10 000 */
    uint32_t rejects;       /* kept; 0 = 4 096 */
};

MUST_CHECK enum err quarantine_open(const char *dir, const struct quarantine_limits *limits, unsigned db_flags, struct quarantine **out, struct refusal *r);
void quarantine_close(struct quarantine *q); /* NULL is fine */

/* May one more frame of this source wait? Counts it if so; LIMIT if not. A source is an address, of IPv6 its /64; they have three
 * quarters of the room together. One without an address (a broker of ours, a platform with its token) is bounded by the whole
 * alone: it speaks for a city. Cheap, any thread; quarantine_refund takes it back where
 * the frame's commit failed. */
MUST_CHECK enum err quarantine_admit(struct quarantine *q, const struct peer *peer, size_t bytes);
void quarantine_refund(struct quarantine *q, const struct peer *peer, size_t bytes);

/* At the start, for each frame of the journal's unsettled end that waits (meter 0): an earlier process admitted it, so it counts
 * whatever the limits are.  Likewise, by the settling thread, one that came to wait only when it was settled.  Does nothing for one
 * that is kept already. `bytes` is always record.bytes.len. */
MUST_CHECK enum err quarantine_recount(struct quarantine *q, uint64_t position, const struct peer *peer, size_t bytes);

/* The settling thread:
 * keeps the frame that waits for one of `names` (serials or radio names with a blank between, found in either case) for `why` (of proto/base/err.def), or rejected bytes; `position` is
 * its own in the journal: the same twice changes nothing. Call quarantine_flush before the journal may drop it; after an error
 * what was put since the last flush must be put again. */
MUST_CHECK enum err quarantine_put(struct quarantine *q, uint64_t position, struct span names, enum err why, const struct record *record);
MUST_CHECK enum err quarantine_put_reject(struct quarantine *q, uint64_t position, enum err why, const struct record *record);
MUST_CHECK enum err quarantine_flush(struct quarantine *q);

/* Any thread.  Walks what waits and was flushed: for `name`, or all where it is empty, after `after` (0 = from the start). False from `each` ends the walk. */
struct waiting {
    uint64_t position;
    struct span name;  /* the first of names */
    struct span names; /* with blanks between */
    enum err why;
    struct record record;
};
bool names_next(struct span *names, struct span *out_name); /* takes the first off; false at the end */
MUST_CHECK enum err quarantine_each(struct quarantine *q, struct span name, uint64_t after, bool (*each)(void *arg, const struct waiting *w), void *arg);
MUST_CHECK enum err quarantine_each_reject(struct quarantine *q, uint64_t after, bool (*each)(void *arg, const struct waiting *w), void *arg);
/* What stands against frames that wait has changed. Those that do not wait any more are passed over. */
MUST_CHECK enum err quarantine_change(struct quarantine *q, const uint64_t *positions, const enum err *whys, size_t count);
MUST_CHECK enum err quarantine_remove(struct quarantine *q, const uint64_t *positions, size_t count);
MUST_CHECK enum err quarantine_expire(struct quarantine *q, uint32_t before_s, uint64_t *out_dropped); /* retention */
uint64_t quarantine_count(struct quarantine *q); /* frames that wait, flushed or not */
MUST_CHECK enum err quarantine_check(struct quarantine *q, uint64_t *out_rows, struct refusal *r); /* every row */

#endif
