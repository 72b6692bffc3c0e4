/* The body of an import on its way to disk: gathered in memory by the listener's thread, written to an unlinked file by a worker,
 * so that a disk that is slow to take it delays nobody else's request. */
#ifndef NILO_SERVER_QUERY_SPOOL_H
#define NILO_SERVER_QUERY_SPOOL_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct spool;

#define SPOOL_SECRET_MOST (256u << 20) /* bytes: three million keys */
/* Under STORE/tmp; a `secret` goes to no disk but stays in memory, up to SPOOL_SECRET_MOST. */
MUST_CHECK enum err spool_open(const char *store, bool secret, struct spool **out, struct refusal *r);
void spool_close(struct spool *s); /* the file is gone with it; NULL is fine */

size_t spool_take(struct spool *s, struct span bytes);  /* how many fitted into memory; 0: spool_flush first */
MUST_CHECK enum err spool_flush(struct spool *s);       /* to the file. FULL, IO, TOO_LARGE */
int spool_file(struct spool *s);                        /* the descriptor, at its start */
void spool_digest(struct spool *s, uint8_t out[32]);    /* SHA-256 of all that was flushed */

#endif
