/* A store as a whole: one directory, one nilod at a time, its version; checking it, copying it out, putting it back.
 *
 *   DIR/store     what the store is and its version; there once every part was made
 *   DIR/lock      held by the one process that writes; its pid inside
 *   DIR/journal/  DIR/archive…  DIR/ledger…  DIR/views…   the parts, each opened by its own module with DIR */
#ifndef NILO_STORAGE_STORE_H
#define NILO_STORAGE_STORE_H

#include "storage/db.h"

#include <stdbool.h>

struct store_lock;

/* Makes DIR (mode 0700) where absent, and takes its lock. BUSY: `r` names the holder's pid. NEWER: a newer version wrote it. */
MUST_CHECK enum err store_lock_take(const char *dir, struct store_lock **out, struct refusal *r);
void store_lock_release(struct store_lock *l); /* NULL is fine */

/* What to open the parts with: DB_CREATE in a store that is being made, 0 in one that was, so that a missing file is noticed
 * instead of being made anew, empty. `views` may always be made anew: give it DB_CREATE. */
unsigned store_db_flags(const struct store_lock *l);

/* Every part is there: from now on none may be missing. Once, after the first start opened them all; fine again later. */
MUST_CHECK enum err store_made(struct store_lock *l, struct refusal *r);

/* ---- checking ------------------------------------------------------------------------------- */

struct store_counts {
    uint64_t batches, records;   /* of the journal */
    uint64_t readings;           /* settled */
    uint64_t ledger_rows, view_rows, quarantined;
    uint64_t photos;
    uint64_t bytes;
};

/* Reads everything there is, beside a running nilod if one runs (in another process: never in nilod's own), and holds every row
 * against its checksum, every batch against its predecessor, the parts against each other. The first damage is in `r`. */
MUST_CHECK enum err store_check(const char *dir, struct store_counts *out, struct refusal *r);

/* The keys of meters in the store, and whether the store key is at hand to open them: then all of them were tried. `file` as of
 * --store-key-file, NULL: the credential or DIR/store.key. FORBIDDEN: they are sealed under another; `r` says what to do. */
struct store_keys {
    uint64_t count;
    bool at_hand;
};
MUST_CHECK enum err store_keys_check(const char *dir, const char *file, struct store_keys *out, struct refusal *r);

/* ---- copies --------------------------------------------------------------------------------- */

/* A copy of all parts as they were at one instant, beside a running nilod if one runs (in another process), into `to`, which is
 * absent or empty; then checked. DIR/store.key, where there is one, goes with it, and photos do. EXISTS, FULL, IO, and what store_check finds. */
MUST_CHECK enum err store_backup(const char *dir, const char *to, struct refusal *r);

/* Checks the copy `from` and puts it into `dir`, which is absent or empty. */
MUST_CHECK enum err store_restore(const char *from, const char *dir, struct refusal *r);

#endif
