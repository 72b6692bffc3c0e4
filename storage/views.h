/* Everything derived: may be deleted and comes back identical.  Dense meter state in chunks by id,
 * flags, and how far they are folded.  Written by the judging thread alone, but for replays. */
#ifndef NILO_STORAGE_VIEWS_H
#define NILO_STORAGE_VIEWS_H

#include "storage/key.h"
#include "storage/txn.h"

struct views;

#define VIEWS_CHUNK_METERS 32

MUST_CHECK enum err views_open(const char *dir, unsigned db_flags, struct views **out,
                               struct refusal *r);
void views_close(struct views *v); /* NULL is fine */
struct txn views_read(struct views *v);
struct txn views_write(struct views *v);

/* The state of one meter, `size` bytes, zeroed where there is none yet (a state of another size or
 * version counts as none). */
void views_state(struct txn *t, uint32_t meter, uint32_t version, void *out, size_t size);
/* Puts states of meters in id order: changed chunks are written when the next chunk begins and by
 * views_states_end. */
struct views_states {
    struct txn *txn;
    uint32_t version, chunk;
    size_t size;
    bool loaded, changed;
    uint8_t *bytes; /* of the chunk at hand */
};
MUST_CHECK enum err views_states_begin(struct views_states *s, struct txn *t, uint32_t version,
                                       size_t size);
void *
views_states_at(struct views_states *s,
                uint32_t meter); /* to read and change; valid until the next call; NULL: t->err */
void views_states_end(struct views_states *s);

/* Flags by id; facts are server/judge's encoding. */
void views_put_flag(struct txn *t, struct span id, struct span facts);
void views_del_flag(struct txn *t, struct span id);
bool views_flag(struct txn *t, struct span id, struct span *out_facts_view);
struct scan views_flags(struct txn *t,
                        struct span from_id); /* ids begin with the meter's id as 8 hex digits */

/* Flags that are listed by their onset, then the meter's serial, then their id: kept beside them by whoever puts them.
 * Put twice is once, and dropped twice is fine. */
void views_put_dated(struct txn *t, int64_t onset_s, struct span serial, struct span id, struct span facts); /* server/judge's encoding: what lists are filtered by */
void views_del_dated(struct txn *t, int64_t onset_s, struct span serial, struct span id);
struct scan views_dated(struct txn *t, struct span from_key); /* keys are dated_id's to read, and cursors; values `facts`, of some from before empty */
struct key views_dated_key(int64_t onset_s, struct span serial, struct span id);
struct span dated_id(struct span key);                        /* a view into the key; empty: it is none */

/* What speaks for a meter's condition date, of those meters alone of which something does; server/judge's encoding. */
bool views_condition(struct txn *t, uint32_t meter, struct span *out_view);
void views_put_condition(struct txn *t, uint32_t meter, struct span facts);
void views_del_condition(struct txn *t, uint32_t meter);
struct scan views_conditions(struct txn *t, struct key *room, uint32_t from_meter); /* in order of meters; `room` lives as long as the scan */
uint32_t condition_meter(struct span key);

/* What is known of a house, by its building's point; server/house_row.h's encoding. No flag changes by it. */
bool views_house(struct txn *t, uint32_t point, struct span *out_view);
void views_put_house(struct txn *t, uint32_t point, struct span row);
/* Replays (server/replay.h) in parts from 0 on, none left out; server/replay_keep's encoding. They follow from nothing here: whoever deletes the views forgets them. */
void views_put_replay(struct txn *t, uint32_t id, uint32_t part, struct span bytes);
void views_del_replay(struct txn *t, uint32_t id); /* all of its parts; absent is fine */
struct scan views_replays(struct txn *t);          /* all parts of all, by number and part */
void replay_part(struct span key, uint32_t *out_id, uint32_t *out_part);

/* Rises with every change of a flag or a condition: what was made of them holds as long as it stands. */
uint64_t views_changes(struct txn *t);

uint64_t views_folded(struct txn *t); /* journal position that views are folded up to */
void views_set_folded(struct txn *t, uint64_t position);
uint64_t views_acts(struct txn *t); /* number of the newest ledger act that views take account of */
void views_set_acts(struct txn *t, uint64_t number);
uint64_t views_rules(
    struct txn *t); /* what all of it was judged by: the judge's own hash; 0: nothing was yet */
void views_set_rules(struct txn *t, uint64_t hash);

#endif
