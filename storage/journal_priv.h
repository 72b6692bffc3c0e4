/* What batch.c, journal_segment.c, journal_reader.c and journal.c share.
 *
 * Locks: `lock` guards the list of segments, their references and the opening and closing of their
 * files; it is never held over a commit.  LMDB's writer lock is taken by the committing thread
 * alone. */
#ifndef NILO_STORAGE_JOURNAL_PRIV_H
#define NILO_STORAGE_JOURNAL_PRIV_H

#include "storage/journal.h"
#include "storage/txn.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- a batch's bytes (batch.c draws them) --------------------------------------------------- */

#define BATCH_HEADER 36
#define BATCH_FORMAT 1
#define BATCH_LAST ((UINT64_C(1) << 40) - 1)

struct batch_header {
    uint32_t count, bytes;
    uint32_t salt;     /* every record's checksum begins with it: one of another batch never fits */
    uint32_t base_s;   /* arrivals are counted from here */
    uint32_t newest_s; /* latest arrival in the segment, up to and with this batch */
    uint32_t records_crc; /* over the records' checksums */
    uint32_t previous;    /* the checksum of the batch before; 0 before the first of all */
    uint32_t crc;         /* of number and header: what the next batch calls `previous` */
};

struct batch {
    uint8_t *bytes;
    size_t len;
    struct batch_header header; /* number-dependent fields are filled in by batch_close_up */
};

/* The last of the header, when its place in the chain is known. */
void batch_close_up(struct batch *b, uint64_t number, uint32_t previous, uint32_t newest_s);
MUST_CHECK enum err batch_header_read(uint64_t number, struct span value, struct batch_header *out);
/* The record at `offset`: *out_next is the offset after it, *out_crc (may be NULL) its checksum.
 * CORRUPT. */
MUST_CHECK enum err batch_record(const struct batch_header *h, struct span value, uint32_t offset,
                                 struct record *out_view, uint32_t *out_next, uint32_t *out_crc);

/* ---- segments ------------------------------------------------------------------------------- */

enum { SEGMENT_BATCHES, SEGMENT_FACTS };

struct segment {
    uint64_t first, last; /* batches; `last` counts once it is sealed */
    uint32_t last_crc;    /* of the last batch, or of the one before the first where it is empty */
    uint32_t newest_s;    /* latest arrival in it */
    bool sealed, dropped; /* sealed: nothing comes any more, which the file itself says */
    struct db *db;        /* NULL: closed for now */
    bool db_writes;       /* was opened for writing */
    unsigned references;
    uint64_t used, bytes; /* `used`: when, in turns of the journal's counter */
};

#define SEGMENT_PATH_SIZE 4200

bool segment_path(const char *dir, uint64_t first, const char *ending,
                  char out[SEGMENT_PATH_SIZE]);            /* ".mdb", ".mdb-lock" */
bool segment_first(const char *name, uint64_t *out_first); /* from a file's name */
MUST_CHECK enum err segment_open(const char *dir, struct segment *s, unsigned db_flags,
                                 struct refusal *r);
void segment_close(const char *dir, struct segment *s);
/* Fills in `last`, `last_crc`, `newest_s`, `sealed` from the open file; *out_empty: it holds no
 * batch. */
MUST_CHECK enum err segment_examine(struct segment *s, bool *out_empty, struct refusal *r);
MUST_CHECK enum err segment_seal(struct segment *s, uint64_t last, uint32_t last_crc,
                                 uint32_t newest_s);

/* ---- the journal ---------------------------------------------------------------------------- */

struct journal {
    char *dir; /* DIR/journal */
    uint64_t segment_bytes;
    unsigned db_flags;
    pthread_mutex_t lock;
    struct segment **segments; /* ascending; the last is written to */
    size_t segment_count, segment_cap;
    uint64_t turn;

    struct segment *active;      /* the last of the list: the committing thread's */
    _Atomic uint64_t next;       /* number of the next batch: those below are durable */
    uint32_t last_crc, newest_s; /* the committing thread's */
    bool unsure;                 /* a commit failed: look what the file holds before the next */
};

/* The segment that has (or would have) the batch, held until segment_release; NULL and NOT_FOUND
 * below the first. */
MUST_CHECK enum err segment_acquire(struct journal *j, uint64_t batch, struct segment **out);
void segment_release(struct journal *j, struct segment *s);

#endif
