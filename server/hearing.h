/* When each meter was heard last, in memory: the clock's side of `silent` and `outage`.  16 bytes a meter, filled from what the archive keeps of them (archive_vitals_each) and kept up by
 * settling; a look at all of ten million takes 0.2 s (bench_outage --look 10000000), so whose time has come is found without an index on disk.
 *
 *     settle_pass → hearing_heard              hearing_look → outages born and ended (server/outages.h), and meters for the judge
 *
 * All of it is the settling thread's, or of whoever has its place. */
#ifndef NILO_SERVER_HEARING_H
#define NILO_SERVER_HEARING_H

#include "server/settle_pass.h"

struct hearing;

/* NO_MEMORY, CORRUPT, and what reading the views returns. */
MUST_CHECK enum err hearing_open(struct app *app, struct hearing **out);
void hearing_close(struct hearing *h); /* NULL is fine */

/* What it said last, as of the pass at hand. `h` NULL: nobody keeps it. NO_MEMORY. */
MUST_CHECK enum err hearing_heard(struct hearing *h, uint32_t meter, const struct vitals *v);

/* Appends to `touched` the meters whose silence has become another: it has lasted long enough, or has reached the next level, or the outage that it is a part of was seen or is over.  Tells
 * of outages in the ledger and shows them in views. Where nobody asks (`asked` false) it looks once a minute. */
MUST_CHECK enum err hearing_look(struct hearing *h, int64_t now_s, bool asked, struct news *touched);

/* By the meter's own figures its silence becomes another at that instant, which need not be one that is watched for here: it is judged then. Asked for more than once is fine. `h` NULL is
 * fine. NO_MEMORY. */
MUST_CHECK enum err hearing_look_again(struct hearing *h, uint32_t meter, int64_t at_s);

/* The judge saw that it is in use since later than it was heard: its silence counts from then on. `h` NULL is fine. */
void hearing_counts_from(struct hearing *h, uint32_t meter, int64_t from_s, int64_t now_s);

#endif
