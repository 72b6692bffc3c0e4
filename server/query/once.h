/* Idempotency-Key (rules-fleet R6): the same request again gets the same answer again, and nothing happens.
 *
 * Requests with the same key of the same caller wait for each other.  The answer is kept in the ledger by an act of its own after
 * the request's; a crash between the two leaves the key free, and the request, sent again, is judged anew: so an act must be
 * harmless when its facts are there already (all of server/acts are: the same row, read or decision again writes nothing), or keep
 * its answer in its own transaction, which once_end then finds. */
#ifndef NILO_SERVER_QUERY_ONCE_H
#define NILO_SERVER_QUERY_ONCE_H

#include "server/query/request.h"

struct once;

MUST_CHECK enum err once_new(struct once **out);
void once_free(struct once *o); /* NULL is fine */

/* Takes the place of (caller, key). False: the answer stands (an earlier one, or a refusal), and there is no once_end.  `digest`
 * is the body's SHA-256. */
bool once_begin(struct once *o, struct request *q, const uint8_t digest[32], uint8_t out_request[32]);
void once_end(struct once *o, struct request *q, const uint8_t request[32]); /* keeps a 2xx answer, gives the place back */

#endif
