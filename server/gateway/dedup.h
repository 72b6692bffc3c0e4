/* Repeats (RFC 7252 §4.5): the same bytes from the same endpoint within the exchange's lifetime are
 * answered as the first time and not taken again.  The key is a hash of 128 bits over endpoint and
 * datagram, so message id, token and content all tell a repeat from a new report, and the same id
 * with other content is a new one.
 *
 * Bounded: when there is no room the oldest goes, in order of arrival.  An exchange's answer may
 * still hang on a commit: `round` is the number of the batch that it went with; whoever owns the
 * rounds knows how that one ended.  One thread. */
#ifndef NILO_SERVER_GATEWAY_DEDUP_H
#define NILO_SERVER_GATEWAY_DEDUP_H

#include "server/gateway/hash.h"

#define DEDUP_CON_S 247 /* EXCHANGE_LIFETIME, RFC 7252 §4.8.2 */
#define DEDUP_NON_S 145 /* NON_LIFETIME */

struct dedup;

struct exchange {
    struct hash key;
    uint32_t until_s; /* monotonic seconds, modulo 2^32 like all times here */
    uint32_t round;   /* the batch that it waits for or went with; 0 = answered without one */
    uint32_t value;   /* of the answer: the block option, or the seconds of GET /time */
    uint8_t kind;     /* the caller's */
    uint8_t unused[3];
};
_Static_assert(sizeof(struct exchange) == 32, "two to a cache line");

/* Room for 2^`bits` exchanges, 10 to 20. */
MUST_CHECK enum err dedup_new(unsigned bits, struct dedup **out);
void dedup_free(struct dedup *d); /* NULL is fine */

void dedup_prefetch(const struct dedup *d, struct hash key);
const struct exchange *dedup_find(struct dedup *d, struct hash key,
                                  uint32_t now_s); /* NULL: new. Borrowed until dedup_put */
void dedup_put(struct dedup *d, const struct exchange *e);

/* Forgets the exchanges that went with round `round`, which came to nothing: a repeat of them is a
 * new report. */
void dedup_drop_round(struct dedup *d, uint32_t round);
uint32_t dedup_count(const struct dedup *d);

#endif
