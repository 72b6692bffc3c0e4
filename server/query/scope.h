/* Tokens of an org unit at the API's door: what they may name, and which rows of a list they see (server/scope.h has the rule).  One place for all endpoints:
 * names in the path, the query and the body are looked up before the handler runs, and a list's rows are judged by the cells that say whose they are
 * (org, point, serial, route, depot, crew; the first that is told decides).  Nothing here costs a token without a unit anything. */
#ifndef NILO_SERVER_QUERY_SCOPE_H
#define NILO_SERVER_QUERY_SCOPE_H

#include "server/query/request.h"

/* Refuses with 403 what path, query and endpoint name that is not the caller's unit's. */
void scope_check(struct request *q);
/* False: the body names such a thing, and 403 stands. */
bool scope_check_body(struct request *q, const json_t *body);

/* ---- for listing.c ---- */

struct scoping;
MUST_CHECK enum err scoping_new(struct request *q, struct scoping **out); /* *out NULL: every row is the caller's; free() */
/* NULL is fine for all but scoping_keep. Between begin and end rows may be judged. */
void scoping_begin(struct scoping *s, struct app *app);
enum err scoping_end(struct scoping *s);
void scoping_row(struct scoping *s);
void scoping_keep(struct scoping *s, const char *name, struct span text);
static inline void scoping_cell(struct scoping *s, const char *name, struct span text)
{
    if (s && name)
        scoping_keep(s, name, text);
}
bool scoping_allows(struct scoping *s); /* the row whose cells were told */

#endif
