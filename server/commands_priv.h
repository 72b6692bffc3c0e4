/* What the files of server/commands_*.c share. */
#ifndef NILO_SERVER_COMMANDS_PRIV_H
#define NILO_SERVER_COMMANDS_PRIV_H

#include "server/app.h"
#include "server/commands.h"

#include <pthread.h>

/* A command that has not ended, or waits to come again. */
struct pending {
    struct pending *next; /* in its bucket; those of one meter stand in order of id */
    uint32_t meter, id;
    int64_t value, until;
    uint32_t expires_s, sent_s, retry_s, attempts;
    uint32_t review; /* number of the mark: something changed behind it, it goes nowhere before it was looked at; 0: none */
    uint8_t what, state, flags, tries;
    bool may_go;
    bool ending; /* a frame tells its end, and is not durable yet */
    bool lost;   /* the network could not deliver it */
};

struct event_list {
    struct command_event *at;
    size_t count, cap;
};

/* What a settled frame says of a command. */
struct folded {
    uint32_t meter, command, arrival_s;
    uint8_t result, bits;
};
struct fold_list {
    struct folded *at;
    size_t count, cap;
};

#define GAPS_MOST (1u << 23) /* noted and not asked for yet, 12 bytes each: nearly a city's, after an outage */
struct gap {
    uint32_t meter, from_s, to_s;
};

struct commands_memory {
    struct app *app;
    struct commands *owner;
    bool ask_history;
    pthread_mutex_t turn; /* one writes at a time. Lock order: turn, the ledger's writer, lock */
    pthread_mutex_t lock; /* of all below but `folds` */
    pthread_cond_t wake;
    struct pending **buckets;
    size_t bucket_count, count; /* count: in memory, those that wait to come again too */
    uint32_t next_due_s; /* nothing expires or comes again before this */
    struct event_list queue, writing; /* happened and not written; being written */
    struct gap *gaps;
    size_t gap_count, gap_cap;
    size_t again_bucket;  /* none comes again now in those before; bucket_count: nowhere */
    uint32_t reviews;     /* marks so far, without 0 */
    size_t review_bucket; /* none is to be looked at in those before; bucket_count: nowhere */
    bool awake, stopping, started;
    pthread_t courier;
    struct fold_list folds; /* the settling thread's */
};

/* Under `lock`. */
struct pending *pending_first_lkd(struct commands_memory *m, uint32_t meter); /* of the meter's; NULL */
size_t pending_bucket(const struct commands_memory *m, uint32_t meter);
struct pending *pending_next(struct pending *p);                              /* the meter's next; NULL */
struct pending *pending_find_lkd(struct commands_memory *m, uint32_t meter, uint32_t id);
void pending_drop_lkd(struct commands_memory *m, struct pending *p);
void event_push_lkd(struct commands_memory *m, const struct command_event *e); /* and wakes the courier */
void pending_put_lkd(struct commands_memory *m, const struct command_row *row); /* as commands_put */

void commands_free(struct commands *c); /* memory alone: the courier has ended */

/* It happens, in memory and to be written; `p` may be gone afterwards. */
void event_happen_lkd(struct commands_memory *m, struct pending *p, const struct command_event *e);

void review_mark_lkd(struct commands_memory *m, struct pending *p);
/* Readings of the meter have come: requests that nobody heard yet are looked at again. */
void review_requests(struct commands_memory *m, uint32_t meter);
/* Whether what a request asks for is there by now. */
MUST_CHECK enum err gap_filled(struct commands_memory *m, struct txn *t, const struct pending *p, bool *out_filled);
/* Looks at what was marked, as much as takes a moment; before the queue is written. */
MUST_CHECK enum err review_turn(struct commands_memory *m, int64_t now_s, bool *out_more);

/* Makes requests of the gaps noted, and again of those that come again, as many as make one act; within a turn. */
MUST_CHECK enum err gaps_turn(struct commands_memory *m, int64_t now_s, bool *out_more);

/* Millions may wait: after so many buckets whoever walks them lets go of the lock, long enough for a frame that waits for it. */
#define BUCKETS_AT_ONCE 4096
void breathe_lkd(struct commands_memory *m);

#endif
