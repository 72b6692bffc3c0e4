/* What the files of the archive share.
 *
 * Tables of DIR/archive.mdb (FORMAT.md has every byte):
 *   head     one row: how far settled, the generation, the next run's order, how many are visible
 *   runs     month · number → struct run
 *   vitals   meter / 32 → 32 × struct vitals (archive_vitals.c)
 *   hushes   meter · from → struct hush (likewise)
 *   pasts    meter → struct past (archive_past.c)
 *   chunks   month · number · meter · channel · part of the first entry → archive_chunk.h
 *
 * Readers take the list of runs as it stood at some generation (a reference, under `lock` for a
 * moment) and hold it against the generation that their transaction sees; where a commit lies
 * between, they read the table themselves.  Everything else belongs to the one writing thread. */
#ifndef NILO_STORAGE_ARCHIVE_PRIV_H
#define NILO_STORAGE_ARCHIVE_PRIV_H

#include "proto/base/day.h"
#include "storage/archive.h"
#include "storage/archive_chunk.h"
#include "storage/key.h"
#include "storage/txn.h"

#include <pthread.h>
#include <stdatomic.h>

enum { TABLE_HEAD, TABLE_RUNS, TABLE_CHUNKS, TABLE_VITALS, TABLE_HUSHES, TABLE_PASTS };

#define BLOCK_ROWS_MAX 4096 /* of one block; a month of readings every ten minutes is 4 464 */
#define PASS_WRITE_BYTES (8u << 20) /* of chunks held until they are written in one transaction */
#define MONTH_COUNT 1645 /* months that begin in [1970, 2107), which 32 bits of seconds reach */

/* ---- runs (archive_runs.c) ------------------------------------------------------------------- */

enum run_state {
    RUN_OPEN,   /* being written; what a crash left of it is garbage */
    RUN_STAGED, /* whole, waits for archive_seal */
    RUN_VISIBLE,
    RUN_GARBAGE, /* its chunks are being deleted */
};

struct run {
    uint16_t month; /* since January 1970 */
    uint32_t number;
    uint8_t state; /* enum run_state */
    bool whole;      /* it was all that the month had, after the month's end */
    bool below_zero; /* it may hold values below 0 on CHANNEL_FORWARD */
    uint32_t tag;
    uint64_t order; /* of becoming visible: older rows first */
    uint64_t rows, blocks, block_bytes, chunks, chunk_bytes;
    uint32_t first_meter, last_meter;
    uint8_t first_channel;
    uint16_t channels; /* set of 1 << channel */
    uint32_t first_s, last_s;
    uint32_t chain; /* CRC-32C over keys and values of its chunks, one after the other */
};

struct run_list {
    atomic_uint references;
    uint64_t generation;
    size_t count;
    struct run at[]; /* by month, then order */
};

struct head {
    uint64_t settled, generation, next_order, visible;
};

struct archive {
    struct db *db;
    pthread_mutex_t lock; /* over `list`, the pointer */
    struct run_list *list;
    atomic_ullong settled;
    /* The writer's: */
    uint32_t next_number;
    struct tidy_job *job;      /* archive_tidy.c */
    bool damaged[MONTH_COUNT]; /* tidying met damage: it leaves the month alone until a restart */
};

/* NOT_FOUND: a new file. */
MUST_CHECK enum err head_get(struct txn *t, struct head *out);
void head_put(struct txn *t, const struct head *head);
void run_put(struct txn *t, const struct run *run);
MUST_CHECK enum err run_get(struct txn *t, uint16_t month, uint32_t number,
                            struct run *out); /* NOT_FOUND, CORRUPT */
void run_del(struct txn *t, const struct run *run);
MUST_CHECK enum err run_list_load(struct txn *t,
                                  struct run_list **out); /* CORRUPT, MISSING, NO_MEMORY */
MUST_CHECK enum err
run_list_renew(struct archive *a); /* after a commit: what readers see from now on */

/* The same, where the work is done whether it succeeds or not: readers whose transaction is newer
 * than the list read the table. */
void run_list_try_renew(struct archive *a);
struct run_list *run_list_hold(struct archive *a);
void run_list_release(struct run_list *list);

void chunk_key(struct key *k, uint16_t month, uint32_t number, struct place first);
MUST_CHECK enum err chunk_key_read(struct span key, uint16_t *out_month, uint32_t *out_number,
                                   struct place *out_first);

static inline uint32_t month_start_s(unsigned month)
{
    return (uint32_t)(day_number(1970 + (int32_t)(month / 12), month % 12 + 1, 1) * 86400);
}

static inline unsigned month_of(int64_t time_s)
{
    struct civil c = day_civil(time_s);

    return (unsigned)(c.year - 1970) * 12 + c.month - 1u;
}

/* The runs that the transaction sees; release it. */
MUST_CHECK enum err archive_view(struct archive *a, struct txn *t, struct run_list **out);
MUST_CHECK enum err archive_unpack(const struct run *run, const struct entry *e,
                                   struct rows *out); /* CORRUPT, NO_MEMORY */
/* Appends all rows that the run has of the series. CORRUPT, MISSING, NO_MEMORY. */
MUST_CHECK enum err archive_read_run(struct txn *t, const struct run *run, uint32_t meter,
                                     uint8_t channel, struct rows *out);

/* ---- what meters said, as a transaction sees it (archive_vitals.c, archive_past.c) ------------ */

MUST_CHECK enum err vitals_get(struct txn *t, uint32_t meter, struct vitals *out);
struct past;
MUST_CHECK enum err past_get(struct txn *t, uint32_t meter, struct past *out);

/* ---- walking over a run (archive_walk.c) ----------------------------------------------------- */

struct walk {
    struct txn *txn;
    struct scan scan;
    const struct run *run; /* borrowed */
    struct key from;
    struct chunk chunk;
    struct entry now;       /* views until the transaction ends */
    struct span key, value; /* of the chunk at hand */
    bool ended;
    enum err err; /* CORRUPT, MISSING: a chunk is lost */
};

/* Stands at the first entry at or after the series' first. */
void walk_seek(struct walk *w, struct txn *t, const struct run *run, uint32_t meter,
               uint8_t channel);
/* The least series that any of them stands at; returns how many stand there. */
size_t walks_least(const struct walk *walks, size_t count, struct place *out);
bool walk_next(struct walk *w); /* false: ended, or an error */
void walk_done(struct walk *w);

/* ---- writing (archive_pass.c) ---------------------------------------------------------------- */

MUST_CHECK enum err pass_put_rows(struct archive_pass *p, uint16_t month, struct place series,
                                  int64_t unit, const struct row *rows, size_t count);
MUST_CHECK enum err pass_put_block(struct archive_pass *p, const struct run *from,
                                   const struct entry *e, size_t rows);
uint64_t pass_bytes(const struct archive_pass *p); /* of blocks put so far */

/* What the last commit of a pass does besides. */
struct pass_end {
    enum run_state state;
    bool whole;
    const uint64_t *settled;
    const struct run *replaced; /* become garbage; the new run takes the order of the last */
    size_t replaced_count;
};
void vitals_put(struct txn *t, const struct vitals_entry *entries, size_t count); /* meters ascending */
void hushes_put(struct txn *t, const struct hush *gaps, size_t count);
void past_put(struct txn *t, uint32_t meter, struct span bytes);
MUST_CHECK enum err pasts_check(struct archive *a, struct txn *t, struct refusal *r); /* CORRUPT: the first that does not read */
enum err pass_close(struct archive_pass *p, const struct pass_end *end); /* frees `p` */

/* ---- tidying (archive_tidy.c) ---------------------------------------------------------------- */

void tidy_abandon(struct archive *a);

#endif
