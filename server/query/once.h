/* Idempotency-Key (rules-fleet R6): the same request again gets the same answer again, and nothing happens.
 *
 * Requests with the same key of the same caller wait for each other.  An act keeps its answer in its own transaction
 * (answer_commit); what once_end then does not find (an import's, or that nothing had to be done) it keeps by an act of its own.
 * A crash before that leaves the key free, and the request, sent again, is judged anew: these are harmless then. */
#ifndef NILO_SERVER_QUERY_ONCE_H
#define NILO_SERVER_QUERY_ONCE_H

#include "server/query/request.h"

struct once;

MUST_CHECK enum err once_new(struct once **out);
void once_free(struct once *o); /* NULL is fine */

/* Takes the place of (caller, key). False: the answer stands (an earlier one, or a refusal), and there is no once_end.  `digest`
 * is the body's SHA-256. */
bool once_begin(struct once *o, struct request *q, const uint8_t digest[32], uint8_t out_request[32]);
bool once_secret(const struct request *q); /* its answer must not be kept as it is: server/query/seal.h */
void once_end(struct once *o, struct request *q, const uint8_t request[32]); /* keeps a 2xx answer, gives the place back */

#endif
