/* What the acts on orders of work share.  For this folder.  Steps return false where the act is refused: then the answer stands. */
#ifndef NILO_SERVER_ACTS_ORDER_PRIV_H
#define NILO_SERVER_ACTS_ORDER_PRIV_H

#include "server/acts/event_priv.h"
#include "server/orders.h"

/* An act on one order, or several: begun, checked, written, answered. */
struct order_act {
    const struct act_request *q;
    struct act_reply *out;
    struct act act;
    struct warnings warnings;
    struct refusal wrong; /* the first member that does not read: told when all that is named exists */
    struct life_body body;
    struct order_kept kept; /* the order at hand */
};

/* Members are read before it, into o->wrong; false: the answer stands, and order_act_done is still due. */
bool order_act_begin(struct order_act *o);
void order_act_done(struct order_act *o);
void order_act_init(struct order_act *o, const struct act_request *q, struct act_reply *out); /* zeroes; o->body may be read then */

bool order_facts(struct order_act *o); /* 422 by what was read wrong */
/* A member that names somebody or something: at most 63 bytes. */
void order_name_member(struct order_act *o, const char *name, struct span *out);
void order_priority_member(struct order_act *o, bool *out_told, enum order_priority *out);
void order_due_member(struct order_act *o, int64_t *out_s); /* INT64_MIN: not told; one that is over is wrong */

/* The order of that name, into o->kept; 404. */
bool order_known(struct order_act *o, struct span name, const char *field);
/* A crew whose token bears its name does its own orders and those that nobody has; every other token that may do orders does any. 403; of a
 * closed order it is told that it is closed. */
bool order_is_his(struct order_act *o);
bool caller_is_crew(struct order_act *o); /* its name is a registered crew's */
bool order_allows(struct order_act *o, enum order_move m); /* 409 */

void order_assign(struct order_act *o, struct span assignee); /* gives it to somebody (not written); once more to the same changes nothing */
void order_warn_of_assignee(struct order_act *o, struct span assignee); /* not-a-crew */

/* Writes o->kept and answers with it: false where it failed. */
bool order_write(struct order_act *o, char room[ORDER_NAME_SIZE]);
void order_answer(struct order_act *o, unsigned status, const struct warnings *w);

/* An exchange that was reported outside of orders closes the live order to replace that meter, in the same act: for acts on lives. `wish` gets the order's name before the
 * exchange, so that its events bear it. */
struct order_closed {
    bool found;
    struct order_kept kept;
};
void order_seek_exchanged(struct act *act, struct exchange_wish *wish, struct order_closed *out);
void order_close_exchanged(struct act *act, const struct exchange_wish *wish, struct order_closed *closed);

#endif
