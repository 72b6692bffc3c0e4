/* Commands on their way to meters: which are due, which is under way, and what became of them.
 *
 *   queued → sent → delivered → done | failed | expired      (any of them may be the last but the first three)
 *
 * A command is a fact in the ledger (struct command_row); this is the memory of those that have not ended, by meter, and the
 * thread that writes down what happened to them ("courier").  One is under way per meter: the one with the lowest id that may
 * go; it is told again in every answer until its meter says what became of it, it expires, or COMMAND_ATTEMPTS answers brought
 * nothing.  A command that waits for a second person goes nowhere and holds up no other.
 *
 * How a frame meets its commands, whatever brought it (CoAP, DTLS, MQTT, HTTP):
 *
 *     if (commands_any(c))
 *         commands_meet(c, &meeting, &w, &ticket);     judged, and going to be stored; any thread
 *     … the frame becomes durable; where the bytes in `w` go as an answer, this is told right before, for downlinks after they went …
 *     commands_told(c, &ticket, 1, kept);              `kept` false: nothing was stored, or nothing could be sent
 *     commands_delivered(c, meter, id);                LoRaWAN: the network has the meter's acknowledgement
 *     commands_lost(c, meter, id);                     LoRaWAN: it said that there was none
 *
 * Locks: one of its own, innermost, never held across a call that waits.  commands_meet, _told, _delivered and _lost only touch
 * memory: microseconds. */
#ifndef NILO_SERVER_COMMANDS_H
#define NILO_SERVER_COMMANDS_H

#include "proto/dialect.h"
#include "storage/ledger.h"

#include <stdatomic.h>

struct app;
struct commands_memory;

struct commands {
    _Atomic uint32_t live; /* commands that have not ended */
    struct commands_memory *memory;
};

#define COMMAND_BYTES 192        /* the most that an answer says: a native message, or twelve frames of CJ/T 188 (days of a history) */
#define COMMAND_ATTEMPTS 32      /* a month of daily reports */
#define COMMANDS_PER_METER 16    /* that have not ended */
#define COMMANDS_MOST 12000000u  /* likewise, of all meters: 64 bytes each, and one for each of ten million meters */
#define COMMAND_EXPIRES_S ((int64_t)7 * 86400)       /* where nobody says until when */
#define COMMAND_EXPIRES_MOST_S ((int64_t)30 * 86400)
#define COMMAND_CLOCK_OFF_S 120  /* handbook §4.3: a clock that is off by no more is right */

/* NULL is never returned as *out with ERR_OK.  Reads the ledger: what was under way stays so. */
MUST_CHECK enum err commands_open(struct app *app, bool ask_history, struct commands **out);
MUST_CHECK enum err commands_start(struct commands *c); /* the courier; NO_MEMORY */
void commands_close(struct commands *c); /* writes what happened, as far as the store takes it; NULL is fine */

/* The one branch of a frame when nobody commands anything. NULL: false. */
static inline bool commands_any(const struct commands *c)
{
    return c && atomic_load_explicit(&c->live, memory_order_relaxed) != 0;
}

/* ---- where frames come in ---- */

struct commands_meeting {
    uint32_t meter;                /* not 0 */
    const struct dialect *dialect; /* that would read the answer: of an enveloped frame the one inside */
    const struct frame *frame;     /* what the meter says: outcomes, valve, clock */
    int64_t now_s;                 /* the server's clock; what has expired by it is not sent */
    bool mute;                     /* nothing can be answered: what the meter says is heard all the same */
    bool once;                     /* what is under way is not told again, but after commands_lost (downlinks that a network keeps) */
};

/* What a frame and its answer change, once it is known that both happened. */
struct command_ticket {
    uint32_t meter; /* 0: nothing */
    uint32_t sent;  /* the command in the answer; 0: none */
    uint32_t expires_s; /* of that */
    uint32_t ended; /* the command that the frame tells the end of; 0: none */
    uint8_t result; /* of that */
    bool was_closed; /* the valve, by the frame that `sent` goes with */
    uint32_t at_s;
};

/* Takes in what the frame says, and writes into `out` the bytes of the command that is due: nothing written, none is.  `out` has room
 * for COMMAND_BYTES.  Zeroes `ticket` where nothing changes. */
void commands_meet(struct commands *c, const struct commands_meeting *m, struct wr *out, struct command_ticket *ticket);
void commands_told(struct commands *c, const struct command_ticket *tickets, size_t count, bool kept);

void commands_delivered(struct commands *c, uint32_t meter, uint32_t id, int64_t now_s);
void commands_lost(struct commands *c, uint32_t meter, uint32_t id);

/* ---- where frames are settled: what a crash kept from being written is found again here; the settling thread's ---- */

void commands_fold(struct commands *c, uint32_t meter, const struct frame *f, int64_t arrival_s);
/* Writes what was folded, before the pass becomes visible. Twice is once. What writing the ledger returns. */
MUST_CHECK enum err commands_fold_end(struct app *app);

/* ---- where readings are judged ---- */

/* Holes between the rows of a meter (oldest first), and between `before_s` (0: nothing was known) and the first of them, newest first: appended.  Any thread; c may be NULL.  NO_MEMORY. */
struct hole {
    uint32_t from_s, to_s;
};
struct holes { /* zeroed: none; free `at` */
    struct hole *at;
    size_t count, cap;
};
MUST_CHECK enum err commands_holes(const struct commands *c, uint32_t before_s, const struct rows *rows, int64_t now_s, struct holes *out);

/* A request for history is made of them where it helps, see commands_gaps.c; `readings`: some of the meter came.  Takes note only; c may be NULL. */
void commands_look(struct commands *c, uint32_t meter, bool readings, const struct hole *holes, size_t count);

/* ---- for acts and queries ---- */

/* All that has happened, and all that is due by the clock, is in the ledger. Any thread but one within an act. */
MUST_CHECK enum err commands_flush(struct commands *c);

/* After an act has committed the row: memory follows. */
void commands_put(struct commands *c, const struct command_row *row);
/* How many of the meter's commands have not ended. */
unsigned commands_of(struct commands *c, uint32_t meter);
/* What is known of a command beyond the ledger, at now_s: `row` as read there becomes what will be written. */
void commands_overlay(struct commands *c, int64_t now_s, struct command_row *row);

/* What a meter supplies now. */
struct supplied {
    bool fitted;
    const char *never_cut; /* the use class of its point, where that is never cut off; else NULL */
    char point[64];
};
MUST_CHECK enum err command_supplies(struct txn *t, uint32_t meter, int64_t now_s, struct supplied *out);
/* The register of the meter has changed: a closing that was not carried out is looked at again, and goes nowhere until then. Any thread. */
void commands_review(struct commands *c, uint32_t meter);

/* ---- what happens to a command: pure (command_row.c) ---- */

enum command_event_kind {
    COMMAND_EVENT_SENT,      /* an answer with it went out */
    COMMAND_EVENT_DELIVERED, /* the network has an acknowledgement */
    COMMAND_EVENT_OUTCOME,   /* `result`: the meter said so, or its valve shows it */
    COMMAND_EVENT_EXPIRED,
    COMMAND_EVENT_UNSPEAKABLE, /* its dialect has no words for it */
    COMMAND_EVENT_UNHEARD,     /* COMMAND_ATTEMPTS answers brought nothing */
    COMMAND_EVENT_CANCELLED    /* `why`: by whom */
};
struct command_event {
    uint32_t meter, id;
    enum command_event_kind kind;
    uint32_t at_s;
    uint32_t attempts; /* of SENT: with this one */
    uint8_t result;
    bool was_closed;
    const char *why; /* lives as long as the event */
};
/* False: it changes nothing (any more). The same event twice is once. */
bool command_apply(struct command_row *row, const struct command_event *e);
const char *command_event_name(enum command_event_kind k); /* for the audit: "command.sent" */
static inline bool command_ended(enum command_state s)
{
    return s == COMMAND_DONE || s == COMMAND_FAILED || s == COMMAND_EXPIRED;
}
/* Whether it must be found at a start: it has not ended, or comes again. */
static inline bool command_lives(const struct command_row *row)
{
    return !command_ended((enum command_state)row->state) || row->retry_s;
}
const char *command_state_name(enum command_state s);
const char *command_what_name(enum command_what w); /* "valve" */
/* Whether it may go: nobody must approve it, or somebody did. */
static inline bool command_may_go(const struct command_row *row)
{
    return !(row->flags & COMMAND_TWO_PERSONS) || row->approved_by[0];
}

#endif
