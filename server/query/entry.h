/* What a request must be before it is worked on: a known path and method, a known caller with a fitting role, parameters we
 * know, forms we have.  Each refusal is an answer (request.h's problem). */
#ifndef NILO_SERVER_QUERY_ENTRY_H
#define NILO_SERVER_QUERY_ENTRY_H

#include "server/query/request.h"

struct auth;

struct entry_headers {
    const char *method;
    struct span authorization, accept, content_type, content_length, key;
    struct span session, csrf; /* of the cookie; X-CSRF-Token */
};

void entry_target(struct request *q, struct span target); /* the first of a request */
void entry_pass(struct request *q, struct auth *auth, const struct entry_headers *g);
enum place entry_place(const struct request *q);          /* where its handler runs */
int entry_body_most(const struct request *q);             /* bytes; of one that is no file */
void entry_act(struct request *q);                        /* runs an act on the body */
json_t *entry_body(struct request *q); /* the body as an object, to be released; NULL: refused, as what is not the caller's unit's is */

#endif
