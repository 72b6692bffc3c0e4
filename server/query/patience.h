/* How long who guesses passwords must wait.  Failures are counted by name, by address and by both together, in a table of fixed size that
 * forgets after an hour; each count has a number of tries that cost nothing, after which the wait doubles from 1 s to its most.
 *
 *   name and address   5 tries, then up to 15 min
 *   address           30 tries, then up to 15 min: an office has one
 *   name              20 tries, then up to 1 min: strangers cannot keep a person out
 *
 * Any thread. */
#ifndef NILO_SERVER_QUERY_PATIENCE_H
#define NILO_SERVER_QUERY_PATIENCE_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct patience;

MUST_CHECK enum err patience_new(struct patience **out); /* NO_MEMORY, IO */
void patience_free(struct patience *p);                  /* NULL is fine */

/* Milliseconds that a try must still wait; 0: it may. now_ms is monotonic. */
int64_t patience_wait_ms(struct patience *p, struct span name, struct span address, int64_t now_ms);
void patience_failed(struct patience *p, struct span name, struct span address, int64_t now_ms);
void patience_forgive(struct patience *p, struct span name, struct span address); /* the password fitted */

#endif
