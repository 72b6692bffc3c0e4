/* Uploads in blocks (RFC 7959, Block1), put together in order.  A transfer is told by endpoint,
 * path, query and Request-Tag; a block 0 begins it anew, so that bytes of two bodies never meet.
 * Bounded in number and bytes: the one that was idle longest makes room, and one idle for
 * EXCHANGE_LIFETIME is forgotten.  One thread. */
#ifndef NILO_SERVER_GATEWAY_BLOCKWISE_H
#define NILO_SERVER_GATEWAY_BLOCKWISE_H

#include "server/gateway/coap.h"
#include "server/gateway/hash.h"

#define BLOCKWISE_IDLE_S 247

struct blockwise;

struct blockwise_limits {
    uint32_t transfers; /* 0 = 4 096 */
    size_t bytes;       /* of all bodies; 0 = 64 MiB */
};

MUST_CHECK enum err blockwise_new(const struct blockwise_limits *limits, struct blockwise **out);
void blockwise_free(struct blockwise *b); /* NULL is fine */

enum block_outcome {
    BLOCK_CONTINUE,   /* taken; more is to come */
    BLOCK_WHOLE,      /* the body is complete */
    BLOCK_INCOMPLETE, /* out of order, or its transfer is gone */
    BLOCK_TOO_LARGE,  /* above LIMIT_PAYLOAD_BLOCK; the transfer is gone */
    BLOCK_NO_MEMORY
};

/* `body_view` of a WHOLE is valid until the next call; the transfer is over. */
enum block_outcome blockwise_take(struct blockwise *b, struct hash key, struct block_option block,
                                  struct span payload, uint32_t now_s, struct span *out_body_view);
void blockwise_expire(struct blockwise *b, uint32_t now_s); /* now and then, also without traffic */
uint32_t blockwise_count(const struct blockwise *b);
size_t blockwise_bytes(const struct blockwise *b);

#endif
