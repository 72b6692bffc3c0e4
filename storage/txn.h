/* A transaction whose first error sticks: steps that fail alike are written one below the other, and asked once, at the end.
 *
 *     struct txn t = txn_begin(db, TXN_WRITE);
 *     txn_put(&t, TABLE, key, value);
 *     return txn_end(&t);
 *
 * One write transaction at a time per db (others wait); any number of readers, from any thread.  Views that a transaction hands
 * out are borrowed until it ends, or (write) until its next change.  Values carry a CRC-32C over table, key and value, which
 * every get and scan checks: CORRUPT. */
#ifndef NILO_STORAGE_TXN_H
#define NILO_STORAGE_TXN_H

#include "storage/db.h"

#include <stdbool.h>

struct MDB_txn;
struct MDB_cursor;

enum txn_mode { TXN_READ, TXN_WRITE };

struct txn {
    struct db *db;
    struct MDB_txn *mdb;
    enum err err;
    enum txn_mode mode;
    bool within;            /* another: its end gives what it changed to that one */
    const uint8_t *map_end; /* where the file ended when it began */
    size_t noted;           /* within another: what the redo file was to get when it began */
};

struct txn txn_begin(struct db *db, enum txn_mode mode);

/* A write transaction within another: it sees what that changed, txn_end hands it what this one changed (nothing is on disk by that),
 * and txn_abort undoes this one alone. Until then the outer one stands still; any thread may use the inner one. */
struct txn txn_begin_within(struct txn *outer);
bool txn_get(struct txn *t, unsigned table, struct span key, struct span *out_view); /* false: absent, or t->err says why */
void txn_put(struct txn *t, unsigned table, struct span key, struct span value);     /* replaces */
void txn_append(struct txn *t, unsigned table, struct span key, struct span value);  /* key above all others: fills pages */
void txn_del(struct txn *t, unsigned table, struct span key);                        /* absent is fine */
uint64_t txn_count(struct txn *t, unsigned table);

uint64_t txn_bytes(struct txn *t, unsigned table); /* of the pages that hold it */

/* Bytes of the file that hold nothing now and will be written anew: the price of never changing a page in place. */
uint64_t txn_free_bytes(struct txn *t);

/* Room for `len` bytes under `key`, above all others, written in place by the caller before the next call. TABLE_RAW only.
 * NULL after an error. */
void *txn_append_room(struct txn *t, unsigned table, struct span key, size_t len);

/* Commits (write) or releases (read); returns the first error, after which nothing was changed. Call it once. */
MUST_CHECK enum err txn_end(struct txn *t);
void txn_abort(struct txn *t);  /* for the way out; fine after txn_end */
void txn_renew(struct txn *t);  /* a read transaction lets go of its pages and sees the newest state; scans of it must be reopened */

/* A walk over a table in key order.
 *
 *     struct scan s = scan_from(&t, TABLE, from);
 *     while (scan_next(&s)) … s.key, s.value
 *     scan_done(&s);
 *
 * An error ends the walk and sticks in the transaction. */
struct scan {
    struct txn *txn;
    struct MDB_cursor *mdb;
    unsigned table;
    bool begun;
    struct span from;       /* borrowed until the first next/prev */
    struct span key, value; /* views */
};

struct scan scan_from(struct txn *t, unsigned table, struct span from); /* the first key ≥ `from` comes first */
bool scan_next(struct scan *s);
bool scan_back(struct scan *s); /* first call: the last key < `from` (an empty `from`: the last of all); then backwards */
void scan_done(struct scan *s);

#endif
