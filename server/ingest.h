/* The only door to the journal.  Producers (the gateway, imports, manual reads) fill batches; one
 * thread commits whatever is queued as one transaction, tells the tail, and only then calls each
 * batch's `done`.
 *
 * While one batch syncs, the next is being filled; a lone frame waits for nobody. */
#ifndef NILO_SERVER_INGEST_H
#define NILO_SERVER_INGEST_H

#include "proto/dialect.h"
#include "storage/journal.h"
#include "storage/quarantine.h"
#include "storage/registry.h"
#include "storage/tail.h"

struct formats;
struct ingest;

struct ingest_parts {
    struct journal *journal;
    struct tail *tail;
    struct registry *registry;
    struct quarantine *quarantine;
    const struct lore *lore;     /* what decoders may ask; NULL: nobody answers */
    struct formats *formats;     /* what full frames teach; NULL: nobody learns */
    uint64_t unsettled_most; /* records in the tail; above it FULL; 0 = LIMIT_UNSETTLED */
};

MUST_CHECK enum err ingest_open(const struct ingest_parts *parts, struct ingest **out);
/* Commits what is queued, answers it, ends the thread. NULL is fine. */
void ingest_close(struct ingest *g);

/* Of the quarantine: given back where the commit fails. */
struct intake_share {
    struct peer peer;
    uint32_t bytes;
};

/* A batch to fill, with the memory that everything in it dies with. */
struct intake {
    struct batch *batch;
    struct tail_entry *entries; /* what the tail is told once it is durable */
    uint32_t entry_count, entry_cap;
    /* Called on the commit thread, once: ERR_OK when all of it is durable and visible, else what
     * stands against it (FULL, IO, STOPPING) and nothing of it was kept. */
    void (*done)(void *arg, struct intake *k, enum err err);
    void *arg;
    struct intake *next; /* the queue's */
    struct intake_share *shares;
    uint32_t share_count, share_cap;
};

MUST_CHECK enum err intake_new(struct intake **out);
void intake_free(struct intake *k); /* NULL is fine */
void intake_clear(struct intake *k);

/* Adds a record. It becomes visible with the commit: under its meter, a quarantined frame and
 * refused bytes under meter 0, rows under each of their meters (those of a staged import not at
 * all). FULL: submit first. A quarantined frame's share, which ingest_judge_lkd took, becomes the
 * intake's. */
MUST_CHECK enum err intake_add(struct intake *k, const struct record *record);

/* Hands the batch over; `done` will be called. After ingest_close began: `done` gets STOPPING. */
void ingest_submit(struct ingest *g, struct intake *k);
/* The same, and waits; for producers that have nothing else to do. */
MUST_CHECK enum err ingest_submit_wait(struct ingest *g, struct intake *k);

/* What a frame's bytes come to.  ERR_OK: it may be added as `out` says, its meter 0 if it must
 * wait.  PEER errors: refuse it with `r`.  LIMIT: the quarantine is full.  The caller holds the
 * registry's read lock; `scratch` is emptied by the caller. */
struct arrival {
    const struct dialect *dialect;
    struct span recipe; /* of the dialect "recipe": its name */
    uint8_t transport;
    struct peer peer;
    struct span name; /* ?m= or the proven identity; may be empty */
    bool proven;      /* `name` is what DTLS proves: it wins over the payload's, and another in the
                         payload or in `also` is FORBIDDEN */
    struct span also; /* ?m= where `name` is proven; may be empty */
    int64_t arrival_s;
    struct span bytes;
};
/* Whether a recipe of that name is known; the caller holds the registry's read lock. */
bool ingest_knows_recipe_lkd(struct ingest *g, struct span name);
/* Whether the meter has a pre-shared key, one to come included; likewise. */
bool ingest_has_psk_lkd(struct ingest *g, uint32_t meter, int64_t now_s);

struct judged {
    struct record record;
    enum err why;       /* of a record that must wait: what is missing, in words in `r` */
    struct frame frame; /* what it says, re-timed; in `scratch`. Of one that waits: names at least */
};
MUST_CHECK enum err ingest_judge_lkd(struct ingest *g, const struct arrival *a,
                                     struct arena *scratch, struct judged *out, struct refusal *r);

/* The same of a record that was kept, with what is known now; nothing is counted. */
MUST_CHECK enum err record_judge_lkd(struct registry *registry, const struct lore *lore,
                                     const struct record *record, struct arena *scratch,
                                     struct judged *out, struct refusal *r);
/* The names that a frame waits for, with blanks between: the transport's, then the payload's, the one
 * that tells most first. In `a`, or the first alone, a view, where that is full. */
struct span judged_names(const struct judged *j, struct arena *a);

/* The frame of a record that was kept, once more: decoded, re-timed. Errors as above and as of
 * dialect_decode; the caller holds the registry's read lock. */
MUST_CHECK enum err record_frame_lkd(const struct lore *lore, const struct record *record,
                                     struct arena *scratch, struct frame *out, struct refusal *r);

#endif
