/* The append log: everything that came in, exactly as it came.  A batch is on disk before anyone is told "yes".
 *
 *   journal_commit   one thread at a time: appends batches as one transaction and returns after its fsync
 *   journal_get, journal_next   any number of threads; a reader sees whole batches only
 *
 * DIR/journal holds segments (NNNNNNNNNN.mdb), each an LMDB file of its own, named by its first batch; journal_drop unlinks
 * settled ones.
 * A record is found by its position: batch number (from 1) in the upper 40 bits, byte inside the batch's value in the lower 24.
 * Positions grow in the order of commit, over all segments, for ever. */
#ifndef NILO_STORAGE_JOURNAL_H
#define NILO_STORAGE_JOURNAL_H

#include "proto/base/limits.h"
#include "storage/db.h"

#include <stdbool.h>

struct journal;

enum record_kind {
    RECORD_FRAME = 1,  /* bytes as a meter sent them, in `dialect` */
    RECORD_ROWS = 2,   /* readings a person or a file brought: storage/rowset.h */
    RECORD_REJECT = 3, /* bytes that were refused: kept for people, never settled */
};

enum transport { TRANSPORT_COAP = 1, TRANSPORT_COAPS, TRANSPORT_HTTP, TRANSPORT_MQTT, TRANSPORT_FILE };

struct peer {
    uint8_t len; /* of the address: 0, 4 or 16 */
    uint8_t address[16];
    uint16_t port;
};

struct record {
    enum record_kind kind;
    uint8_t dialect;       /* struct dialect's id, of a frame */
    uint8_t transport;     /* enum transport */
    uint32_t meter;        /* dense id; 0 = none known then: such a frame waits in quarantine */
    uint32_t arrival_s;    /* server's clock on receipt */
    uint32_t import_id;    /* ROWS of an import that counts once the ledger says so; 0 = counts at once */
    struct peer peer;
    struct span recipe;    /* of the dialect DIALECT_RECIPE: its name */
    struct span name;      /* the meter's name as the transport gave it (?m=, PSK identity, DevEUI); often empty */
    struct span bytes;
};

/* A batch under construction: the bytes of one journal value. */
struct batch;

MUST_CHECK enum err batch_new(struct batch **out); /* NO_MEMORY */
void batch_free(struct batch *b);                  /* NULL is fine */
void batch_clear(struct batch *b);

/* Copies the record in. `out_offset` is its byte in the value (the lower 24 bits of its position). FULL when the batch is:
 * commit it and go on with another. TOO_LARGE for one that would not fit an empty batch. */
MUST_CHECK enum err batch_add(struct batch *b, const struct record *record, uint32_t *out_offset);
uint32_t batch_count(const struct batch *b);
size_t batch_bytes(const struct batch *b);

static inline uint64_t position_of(uint64_t batch_number, uint32_t offset)
{
    return batch_number << 24 | offset;
}

struct journal_options {
    uint64_t segment_bytes; /* begin a new segment above this; 0 = 256 MiB */
};

/* `dir` is the store's: DIR. MISSING where a segment is gone, NOT_FOUND where all are and DB_CREATE is not given. */
MUST_CHECK enum err journal_open(const char *dir, const struct journal_options *options, unsigned db_flags, struct journal **out, struct refusal *r);
void journal_close(struct journal *j); /* NULL is fine */

/* Appends `count` batches, empty ones passed over, in one transaction and one fsync; numbers[i] becomes the batch's number.
 * FULL (disk), IO: nothing was appended, and the journal works on as soon as there is room. */
MUST_CHECK enum err journal_commit(struct journal *j, struct batch *const *batches, size_t count, uint64_t *numbers);
uint64_t journal_end(const struct journal *j);   /* the position that the next record will not be below; durable ones are below */
uint64_t journal_begin(const struct journal *j); /* the first position still there */
uint64_t journal_bytes(const struct journal *j);
void journal_file(struct journal *j, uint64_t position, char *out, size_t cap); /* the path of the segment that has it, for people */

/* Everything that is not settled is there: MISSING, with a sentence, where the journal begins after `settled` or ends before it.
 * For the start: the archive says what is settled. */
MUST_CHECK enum err journal_reaches(const struct journal *j, uint64_t settled, struct refusal *r);

/* A reader pins one segment's pages while it is open: short, or renewed every few thousand records. Not for two threads at once. */
struct journal_reader;
MUST_CHECK enum err journal_reader_open(struct journal *j, struct journal_reader **out);
void journal_reader_close(struct journal_reader *r); /* NULL is fine */
void journal_reader_renew(struct journal_reader *r); /* lets go of pages; sees what was committed since */

/* The record at a position: CORRUPT if its checksum fails, MISSING if its batch is gone, NOT_FOUND where none ever was or it was
 * dropped. Views borrowed until renew, close or the next call. */
MUST_CHECK enum err journal_get(struct journal_reader *r, uint64_t position, struct record *out_view);

/* The first record at or after *position; *position becomes the place after it, *out_at its own. NOT_FOUND at the end.
 * Batches are held against their count and their predecessor's checksum: MISSING when one is gone. */
MUST_CHECK enum err journal_next(struct journal_reader *r, uint64_t *position, uint64_t *out_at, struct record *out_view);

/* Unlinks the segments whose every record is below `position` and arrived before `before_s`; never the newest. */
MUST_CHECK enum err journal_drop(struct journal *j, uint64_t position, uint32_t before_s, unsigned *out_dropped);

#endif
