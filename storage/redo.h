/* The redo file of a db: what each transaction changed, in one small write that is durable before anybody sees it.  The db's own pages
 * then need no sync of their own until many transactions share one.
 *
 * It stands beside its db, under the db's name and "-redo", and is either *settled* (the db's file holds everything and is durable by
 * itself; what records are left are worth nothing) or *begun*: what is durable is the state `base` of the db, whose meta pages the file
 * keeps, and each record after it.  Who opens the db then puts those meta pages back and does the records again (db_redo.c has the
 * argument).  The bytes are drawn in FORMAT.md.
 *
 *   redo_put, redo_del, redo_mark, …   who holds the db's one write transaction: what it changes is noted in memory
 *   redo_append                        likewise, before its commit
 *   redo_take_back                     any thread, after a commit that failed */
#ifndef NILO_STORAGE_REDO_H
#define NILO_STORAGE_REDO_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct redo;

#define REDO_META 136          /* bytes of an LMDB meta page behind its head: LMDB 0.9, 64 bits */
#define REDO_META_AT 16        /* where they begin in the page */
#define REDO_RECORD_MAX (256u << 10) /* of one transaction's record: a larger one is worth a sync of its own */
#define REDO_NAMES_MAX 4080    /* of the tables' names, each ended by 00 */

struct redo_base {
    uint64_t txn; /* LMDB's number of the newest transaction in it */
    uint8_t metas[2][REDO_META];
};

/* The file of the db at `db_path`; it is made by the first redo_begin. `names`: the tables' (a record tells them by number); `most`: records
 * until redo_is_full. A file that is begun is CORRUPT here: it is done again before. TOO_LARGE: path or names; NO_MEMORY, IO. */
MUST_CHECK enum err redo_open(const char *db_path, struct span names, unsigned most, struct redo **out);
void redo_close(struct redo *r); /* NULL is fine; changes nothing on disk */

/* ---- what a transaction changes ---- */

void redo_clear(struct redo *r);                    /* a transaction begins */
size_t redo_mark(const struct redo *r);             /* one within it begins … */
void redo_back(struct redo *r, size_t mark);        /* … and is undone */
/* Before LMDB does it, for a key may lie in a page that this changes. The value as it is stored: what it is, and its checksum. */
void redo_put(struct redo *r, unsigned table, struct span key, struct span value, struct span checksum);
void redo_del(struct redo *r, unsigned table, struct span key);
bool redo_is_empty(const struct redo *r);
bool redo_is_too_large(const struct redo *r);       /* for a record */

/* ---- on disk ---- */

bool redo_has_begun(const struct redo *r);
bool redo_is_full(const struct redo *r); /* no room for what is noted, or enough records */

/* Settled → begun, durable. OK and still settled: there was no room for the file. IO: nobody knows which it is. */
MUST_CHECK enum err redo_begin(struct redo *r, const struct redo_base *base);
/* Begun → settled, durable; the db's file must be. IO: nobody knows which it is. */
MUST_CHECK enum err redo_settle(struct redo *r);

/* Writes what is noted as the record of transaction `txn`, durable: the one after the last record's, or that one again, which then takes
 * its place. *out_serial: for redo_take_back. IO, FULL: it may be there or not, and has to be taken back. */
MUST_CHECK enum err redo_append(struct redo *r, uint64_t txn, uint64_t *out_serial);
/* Its transaction came to nothing: the record is gone, durably, unless another took its place since. IO: nobody knows. */
MUST_CHECK enum err redo_take_back(struct redo *r, uint64_t serial);

/* ---- doing it again ---- */

struct redo_change {
    unsigned table;
    bool gone; /* the row is taken away */
    struct span key, stored; /* views */
};

/* A redo file as it lies there.
 *
 *   redo_look … while (redo_next_record(l)) while (redo_next_change(l, &c)) … redo_look_done */
struct redo_look {
    int fd;
    bool begun;
    uint64_t generation;
    struct redo_base base;
    char names[REDO_NAMES_MAX + 1]; /* as of redo_open, then an empty one */
    uint64_t txn;  /* of the record at hand; before the first: base's */
    uint32_t block, left; /* where the next record begins; changes left in this one */
    enum err err;  /* CORRUPT: a record that its checksum vouches for does not read */
    size_t len, at;
    uint8_t *bytes;
};

/* NOT_FOUND: there is none; READ_ONLY: it may not be written; CORRUPT, NO_MEMORY, IO. redo_look_done also after an error. */
MUST_CHECK enum err redo_look(const char *db_path, struct redo_look *out);
bool redo_next_record(struct redo_look *l);
bool redo_next_change(struct redo_look *l, struct redo_change *out_view);
MUST_CHECK enum err redo_look_settle(struct redo_look *l); /* as redo_settle */
void redo_look_done(struct redo_look *l);

#endif
