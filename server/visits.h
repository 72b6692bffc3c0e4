/* Points that somebody has to go to, because what is known of their register does not do: asked of the state of now, kept nowhere.
 *
 * What rules-bills C leaves missing stays missing until somebody reads the dial; and what is estimated may not be estimated for ever (handbook §8, 估抄: no more than two cycles in a
 * row).  Only points with a meter are told: where none is, there is no dial. */
#ifndef NILO_SERVER_VISITS_H
#define NILO_SERVER_VISITS_H

#include "server/app.h"
#include "server/registers.h"

enum visit_cause {
    VISIT_NEVER_READ,      /* nothing was read since the meter was put on, seven days ago or more */
    VISIT_MISSING,         /* rules-bills C6: what was read since lies within seven days of that, and nothing came for seven days: there is nothing to estimate from */
    VISIT_ESTIMATED_TWICE, /* the two newest closed cycles, one ending where the other begins, froze it unread, and nothing was read since the newer began */
    VISIT_UNREAD,          /* nothing for 35 days and over two days of its route */
    VISIT_DISPUTED,        /* a row of a day sheet is disputed */
    VISIT_CAUSES
};
const char *visit_cause_name(enum visit_cause c); /* "never-read" */
const char *visit_cause_en(enum visit_cause c);   /* a sentence for people */
const char *visit_cause_zh(enum visit_cause c);
bool visit_cause_read(struct span name, enum visit_cause *out);

/* What all points are held against. */
struct visitor {
    struct app *app;
    int64_t now_s;
    size_t cycle_count, dispute_count;
    struct visit_cycle {
        uint32_t id;
        int64_t from_s, to_s;
    } *cycles; /* closed ones, the newest end first */
    struct visit_dispute {
        uint32_t point;
        int64_t at_s;
    } *disputes; /* open ones by point; of one point the oldest first */
};
MUST_CHECK enum err visitor_init(struct app *app, struct txn *ledger, int64_t now_s, struct visitor *out); /* NO_MEMORY, CORRUPT; visitor_done also after an error */
void visitor_done(struct visitor *v);

struct visit {
    unsigned causes; /* 1 << enum visit_cause; 0: nobody has to go there */
    struct fitting fitting;
    char serial[SERIAL_MAX + 1];
    bool read;           /* something takes part since the meter was put on */
    int64_t last_read_s; /* the newest of it */
    int64_t since_s;     /* since when the oldest cause holds */
};
/* `point`: a row of LIST_POINT, a view into `ledger`.  CORRUPT, NO_MEMORY, IO. */
MUST_CHECK enum err visit_of(const struct visitor *v, struct txn *ledger, struct txn *views, const struct ledger_row *point, struct visit *out);

#endif
