/* Webhooks: other people's programs are told of what happens here.
 *
 * What happens is in the audit already, in one order, so there is no queue beside it: a hook is a cursor that walks the audit, and each record that is of
 * its kinds and its org unit's is an event.  An event's id is the record's place ("812-1": act and part), the same for every hook and for ever.
 *
 *   at least once     the cursor moves on behind what was delivered, and is written now and then: what was delivered in the second before a kill comes again
 *   in order          of one hook the next event waits until the one before was delivered or put aside
 *   put aside         an event is tried again after 1, 2, 4 … 3600 s (± a quarter, by the monotonic clock); when nothing was delivered for so long as --hook-give-up says,
 *                     it becomes a dead letter, and the next one has its try. Somebody may have dead letters tried again
 *   never in the way  one thread of low priority sends; acts know nothing of it
 *
 * Flags' ends are facts of the ledger only while a hook or notices want flags (judge_turned.c).
 *
 *   hooks_open, hooks_start, hooks_close   main        hooks_changed, hooks_seen   any thread        the rest: pure, or the caller's transaction */
#ifndef NILO_SERVER_HOOKS_H
#define NILO_SERVER_HOOKS_H

#include "server/app.h"
#include "server/out.h"

enum hook_kind { HOOK_FLAG, HOOK_EXCHANGE, HOOK_CYCLE, HOOK_ADJUSTMENT, HOOK_ORDER, HOOK_NOTICE, HOOK_EDIT, HOOK_KINDS, HOOK_TEST = HOOK_KINDS };
/* numbers stand on disk */
const char *hook_kind_name(enum hook_kind k);                 /* "cycle.closed"; "test" too */
void hook_kinds_put(struct out *o, uint32_t kinds);           /* a set of 1 << enum hook_kind as an array of their names */
bool hook_kind_read(struct span name, enum hook_kind *out);   /* false: none of them */

/* How the API shows a thing to a viewer of that org unit ("": all there is): GET `path`. Not OK: no memory; else *out_status is the answer's. */
typedef enum err hook_show(struct app *app, const char *org, const char *path, struct out *out, unsigned *out_status);

struct hooks;
MUST_CHECK enum err hooks_open(struct app *app, struct hooks **out, struct refusal *r); /* reads them; before flags are judged */
MUST_CHECK enum err hooks_start(struct hooks *h, hook_show *show, uint32_t give_up_s);
void hooks_close(struct hooks *h); /* NULL is fine */
void hooks_changed(struct app *app); /* after an act that changed hooks, or wants a dead letter tried */

/* What became of a hook's tries; false: it is not known here (yet). */
struct hook_seen {
    struct hook_cursor cursor;
    int64_t last_at_s;   /* by the server's clock; 0: none since the start */
    unsigned last_status;
    char last_why[120];  /* "": it was delivered */
};
bool hooks_seen(struct hooks *h, uint32_t id, struct hook_seen *out);

/* ---- events (hooks_event.c) ---- */

struct hook_listener {
    uint32_t kinds;
    const char *name, *org;
};
#define HOOK_SUBJECT_MAX 192
struct hook_event {
    struct hook_place at;
    int64_t at_s;
    enum hook_kind kind;
    char change[16];                /* "raised" */
    char path[3 * HOOK_SUBJECT_MAX + 32]; /* of what it is about, in the API; "" where `data` tells all */
    char point[64];                 /* whose it is, where `path` cannot say that */
    struct out data, before, after; /* JSON; empty: none. hook_event_done */
    struct out body;                /* what is sent */
    uint32_t attempts;
};
void hook_event_done(struct hook_event *e);

#define HOOK_ID_SIZE 32
void hook_event_id(struct hook_place at, char out[HOOK_ID_SIZE]);
bool hook_event_place(struct span id, struct hook_place *out); /* false: no such text is an id */

/* The next event behind *at among the next `most` records, and *at moves over what is none, at most up to the event. *out_found: there is one; *out_more: else that there
 * are more records. `e` is emptied first. */
MUST_CHECK enum err hook_event_next(struct txn *t, const struct hook_listener *who, struct hook_place *at, unsigned most, struct hook_event *e, bool *out_found,
                                    bool *out_more);
/* The event at a place; *out_found false: there is none that this listener hears. */
MUST_CHECK enum err hook_event_at(struct txn *t, const struct hook_listener *who, struct hook_place at, struct hook_event *e, bool *out_found);
/* How many events wait behind a cursor, of the next 20 000 records; *out_more: there are others behind these. Those that are not the unit's count as well. */
MUST_CHECK enum err hook_backlog(struct txn *t, const struct hook_listener *who, struct hook_place at, uint64_t *out_count, bool *out_more);

enum hook_shown {
    HOOK_SHOWN,      /* e->body is there */
    HOOK_NOT_THEIRS, /* it is about something of another unit */
    HOOK_NOT_YET     /* what it is about does not show yet, or cannot be read */
};
/* Makes the body; with `anyway` also where what it is about does not show. */
MUST_CHECK enum err hook_event_show(struct app *app, hook_show *show, const struct hook_listener *who, bool anyway, struct hook_event *e, enum hook_shown *out);

/* "v1=" and HMAC-SHA256(secret, timestamp "." body) as 64 hexadecimal digits. */
#define HOOK_SIGNATURE_SIZE 68
void hook_sign(struct span secret, const char *timestamp, struct span body, char out[HOOK_SIGNATURE_SIZE]);

/* After `fails` failures in a row, ms until the next try; `random`: any number. */
int64_t hook_delay_ms(uint32_t fails, uint32_t random);

#endif
