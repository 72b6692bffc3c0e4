/* How often one endpoint and one address may ask: token buckets as the instant at which each would
 * be full again (the generic cell rate algorithm), in a table of fixed size.  A bucket that is full
 * needs no memory, so the one nearest to it makes room. One thread. */
#ifndef NILO_SERVER_RATE_H
#define NILO_SERVER_RATE_H

#include "server/gateway/hash.h"

struct rate;

/* `per_s` requests a second, `burst` at once; per_s 0 = no limit. Room for 2^`bits` buckets. */
MUST_CHECK enum err rate_new(uint32_t per_s, uint32_t burst, unsigned bits, struct rate **out);
void rate_free(struct rate *r); /* NULL is fine */

void rate_prefetch(const struct rate *r, uint64_t who);
/* `who` is a hash. 0: may ask; else the seconds until it may again. */
uint32_t rate_take(struct rate *r, uint64_t who, uint64_t now_us);

#endif
