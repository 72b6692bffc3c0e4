/* The formats of compact frames (proto/frame.h, struct format_id) that full frames taught, in memory.  Learned at once where a full
 * frame is read; the settling thread keeps them in the ledger before the journal may drop the frame.  A list stays; others of the same
 * signature, by chance or malice, stand beside it, and what anybody may teach without a key takes no more than half the room.
 *
 *   formats_find    any thread, without a lock: what is learned stays where it is
 *   formats_learn   any thread
 *   formats_unkept, formats_kept   the settling thread */
#ifndef NILO_STORAGE_FORMATS_H
#define NILO_STORAGE_FORMATS_H

#include "proto/frame.h"
#include "storage/ledger.h"

struct formats;

#define FORMATS_MAX 4096      /* a city has meters of a few dozen kinds, each with a few lists */
#define FORMAT_LIST_MAX 255   /* bytes: a frame has as many in all */

MUST_CHECK enum err formats_new(struct formats **out);
void formats_free(struct formats *f); /* NULL is fine */
MUST_CHECK enum err formats_load(struct formats *f, struct ledger *l);

bool formats_find(const struct formats *f, const struct format_id *id, struct span *out_list_view);
/* True: it is new. What is empty, too long or too much is not learned; id->nth does not matter. */
bool formats_learn(struct formats *f, const struct format_id *id, struct span list);

/* Puts what the ledger lacks into the act, and says how far that goes: after the commit that goes to formats_kept. */
size_t formats_put_unkept(const struct formats *f, struct act *a);
bool formats_unkept(const struct formats *f);
void formats_kept(struct formats *f, size_t count);

#endif
