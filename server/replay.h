/* Replays: a rule of flags with other figures, held against what stands, before it is switched on.
 *
 * Each meter is judged from its first reading on as if the figures had held since `from_s` (server/judge_priv.h, judge_rehearse), and what comes out is compared with the flags that
 * stand: of the rule's kind, raised at from_s or later.
 *
 *   came    would have been raised           gone    would not have been
 *   moved   another onset, or raised or cleared at another time
 *   same    the same in all of that
 *
 * One at a time, in a thread of its own at the lowest priority, which lets go of its transactions every few meters. It changes nothing that is judged. The last REPLAYS_KEPT are kept in the
 * views (replay_keep.h), so that a restart forgets none; one that ran when the server ended is told as interrupted, with what it had counted where the server had time to write that. Memory: REPLAY_ROWS_MOST differences and REPLAY_GROUPS_MOST zones and models are listed, what is beyond is counted alone.
 *
 *   any thread calls; locks: the list's, which nothing else is taken under */
#ifndef NILO_SERVER_REPLAY_H
#define NILO_SERVER_REPLAY_H

#include "server/app.h"
#include "server/billing/rules.h"
#include "server/judge.h"

#define REPLAYS_KEPT 8
#define REPLAY_ROWS_MOST 50000
#define REPLAY_GROUPS_MOST 2000
#define REPLAY_NAME 64

enum replay_change { REPLAY_CAME, REPLAY_GONE, REPLAY_MOVED, REPLAY_SAME, REPLAY_CHANGES };
const char *replay_change_name(enum replay_change c); /* "came" */

enum replay_state { REPLAY_RUNNING, REPLAY_DONE, REPLAY_STOPPED, REPLAY_FAILED, REPLAY_INTERRUPTED, REPLAY_STATES }; /* numbers stand on disk */
const char *replay_state_name(enum replay_state s);

/* An episode, as far as it is compared. */
struct replay_episode {
    int64_t fitting_from_s, onset_s, raised_s, cleared_s; /* cleared_s 0: it stands open */
    int64_t lost_mlpd;
    unsigned confidence_pct;
};
struct replay_row {
    enum replay_change change;
    uint32_t meter, point;
    char id[FLAG_ID_SIZE];         /* of the flag that stands; "" of one that came */
    struct replay_episode now, then; /* the one that is not: zeroed */
};
struct replay_group {
    char name[REPLAY_NAME]; /* of a zone, or a model; "": without one */
    uint64_t count[REPLAY_CHANGES];
};

struct replay_wish {
    struct check_line line; /* whose day, version count for nothing */
    int64_t from_s;
    char zone[REPLAY_NAME]; /* "": all */
    unsigned share_permille; /* of the meters, drawn by their number: 1000 all of them */
    char who[80];
};
struct replay {
    uint32_t id;
    enum replay_state state;
    enum err why; /* FAILED */
    struct replay_wish wish;
    int64_t begun_s, ended_s; /* ended_s 0: it runs, or nobody knows when the server ended */
    uint64_t meters, meters_done, damaged; /* damaged: whose readings could not be read */
    uint64_t count[REPLAY_CHANGES];
    size_t row_count, zone_count, model_count;
    struct replay_row *rows; /* by meter */
    struct replay_group *zones, *models; /* in the order in which they were met */
    bool more; /* rows or groups beyond what is listed */
};

struct replays;
MUST_CHECK enum err replays_open(struct app *app, struct replays **out); /* NO_MEMORY, what reading the views returns */
void replays_close(struct replays *all); /* stops what runs; NULL is fine */

/* CONFLICT: one runs, *out_id says which. NO_MEMORY. */
MUST_CHECK enum err replay_start(struct replays *all, const struct replay_wish *wish, uint32_t *out_id);
bool replay_stop(struct replays *all, uint32_t id); /* false: it does not run */
/* Calls `each` under the lock for each that is kept, the oldest first; false from it ends the walk. */
void replays_each(struct replays *all, bool (*each)(void *arg, const struct replay *r), void *arg);

/* Pure: pairs two lists of one meter's episodes, each in order of onset: of one fitting those that overlap in time, each once. `each` is called for every pair and every one that is alone. */
void replay_compare(const struct replay_episode *now, size_t now_count, const struct replay_episode *then, size_t then_count, void (*each)(void *arg, enum replay_change c, int now_at, int then_at), void *arg);

#endif
