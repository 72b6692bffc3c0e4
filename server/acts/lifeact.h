/* Events and exchanges of meters as parts of an act: judged by rules-fleet R3 and written in the caller's own transaction, which the
 * caller commits.  Used by the acts on events themselves, and by those of which an event is a part: an order done, a delivery received.
 *
 *     struct act act = act_join(…);                   first, so that what is checked is what is written to (R7)
 *     struct life_act l;
 *
 *     life_act_init(&l, q, out, &act);
 *     if (life_act_event(&l, &wish)) {                … any number of events and exchanges; one that is refused ends the act
 *         answer_begin(out, 201);
 *         …
 *         answer_end(out, life_act_warnings(&l));
 *         if (!answer_commit(q, out, &act))
 *             life_act_committed(&l);                 the meters are judged anew
 *     }
 *     answer_abort(out, &act);
 *     life_act_done(&l);
 *
 * Who may do it is asked before, by life_may. */
#ifndef NILO_SERVER_ACTS_LIFEACT_H
#define NILO_SERVER_ACTS_LIFEACT_H

#include "server/acts/answer.h"
#include "server/paper_lines.h"

/* ---- wishes: what is asked for, not judged yet; all texts borrowed; a zeroed one asks for nothing ---- */

struct life_wish {
    enum life_kind kind;   /* EVENT_KINDS: absent or not in the table */
    struct span serial;
    struct span point;     /* empty: not told */
    int64_t at_s;
    bool has_index, overrule, failed, no_result; /* failed: an inspection's result; no_result: it was not told */
    int64_t index_ml;
    int32_t verified_on, valid_until; /* verify: civil days; NO_DAY: not told */
    struct span text[EVENT_TEXTS];
    const struct refusal *wrong;      /* a member that does not read: told when all that is named exists; NULL: all read */
};

struct exchange_wish {
    struct span point, old_serial, new_serial;
    int64_t at_s;
    bool has_old_index, has_new_index, overrule;
    int64_t old_index_ml, new_index_ml;
    struct span text[EVENT_TEXTS]; /* reason and depot go to the old meter's remove, the seal to the new one's install, the rest to both */
    struct span receipt;           /* number of the paper by which the old meter is handed over, auto: the next of our own; empty: none */
    const struct refusal *wrong;
};

/* ---- one act ---- */

/* What a refusal is about, in the order of R3: of many meters the one that fails first by it is told. */
enum life_stage { STAGE_EXISTS, STAGE_FACTS, STAGE_STATE, STAGE_READINGS, STAGE_FAILED };

struct life_act {
    const struct act_request *q;
    struct act_reply *out;
    struct act *act;
    struct warnings warnings; /* of one code the first; how many there were in all: */
    unsigned warned[4];
    enum life_stage stage; /* of the refusal in `out` */
    enum life_state state; /* of the meter of the last event (of an exchange: the new one), after it at its place */
    bool many;             /* several meters: refusals name the serial */
    bool quiet;            /* the caller notes the act: no audit record for each event */
    bool judge_only;       /* nothing is written any more: the act is refused already, and only its first reason by R3 is looked for */
    uint32_t *touched;     /* to be judged anew */
    size_t touched_count, touched_cap;
    char receipt[PAPER_NUMBER_MAX + 1]; /* of the last exchange; "": none was asked for */
    struct life_issued *issued; /* by kind of meter: the latest date that went out, for older ones in stock (V11) */
    size_t issued_count;
};

void life_act_init(struct life_act *l, const struct act_request *q, struct act_reply *out, struct act *act);
void life_act_done(struct life_act *l);

/* May the caller do this (R2)? EVENT_KINDS: an event that is not known, which whoever may send any may send. False: refused, 403. */
bool life_role_may(enum role role, enum life_kind kind); /* the same without an answer */
bool life_may(const struct act_request *q, struct act_reply *out, enum life_kind kind, bool overrule);
bool life_may_exchange(const struct act_request *q, struct act_reply *out, bool overrule);

/* False: refused, and the answer stands; the act must be aborted. */
bool life_act_event(struct life_act *l, const struct life_wish *w);
bool life_act_exchange(struct life_act *l, const struct exchange_wish *w);

/* Of all events so far, the same code once. */
const struct warnings *life_act_warnings(struct life_act *l);
/* After the commit. */
void life_act_committed(struct life_act *l);

/* ---- bodies ---- */

/* Reads the members of an event from q->body into `w`, whose kind is told already, and whose serial is left alone; so are members that it does
 * not know. `wrong` (zeroed) gets the first that does not read, and w->wrong points at it then. `now_s` stands for an absent `at`. */
void life_wish_read(const struct act_request *q, int64_t now_s, struct life_wish *w, struct refusal *wrong);

#endif
