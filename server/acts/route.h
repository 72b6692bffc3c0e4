/* What the acts on routes' days share.  For this folder. */
#ifndef NILO_SERVER_ACTS_ROUTE_H
#define NILO_SERVER_ACTS_ROUTE_H

#include "server/acts/answer.h"
#include "server/routes.h"

/* Refused with 404 (field "route") where the path names none. `out_view` has views into `t`. */
bool route_named(const struct act_request *q, struct act_reply *out, struct txn *t, struct ledger_row *out_view);

/* A reader has to do with routes of his own: those whose reader is the token's name, and those without one. False: 403 stands. */
bool route_is_callers(const struct act_request *q, struct act_reply *out, const struct ledger_row *route);

/* The member "date", today without it; 422 where it is none. */
bool route_date(const struct act_request *q, struct act_reply *out, int32_t *out_day);

/* A text of at most ROUTE_TEXT_MAX bytes. */
bool route_text(const struct act_request *q, struct act_reply *out, const char *name, bool needed, struct span *out_text);

/* The member "point", and its id. 422 without it, 404 unknown, 422 where it neither stands on the route nor was signed on it. */
bool route_point(const struct act_request *q, struct act_reply *out, struct txn *t, const struct ledger_row *route, int32_t day, struct span *out_name,
                 uint32_t *out_id);

#endif
