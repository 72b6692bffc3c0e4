/* Peers by endpoint and listener, in order of their last use.  Nodes stand inside the caller's
 * structs, first member; the table owns none of them.  One thread at a time. */
#ifndef NILO_SERVER_GATEWAY_DTLS_TABLE_H
#define NILO_SERVER_GATEWAY_DTLS_TABLE_H

#include "server/gateway/hash.h"

struct dtls_place {
    struct endpoint endpoint;
    uint64_t listener;
};

struct dtls_node {
    struct dtls_node *bucket_next;
    struct dtls_node *older, *newer;
    struct dtls_place place;
};

struct dtls_bucket {
    struct dtls_node *first;
};

struct dtls_table {
    struct hash_key key;
    struct dtls_bucket *buckets;
    uint64_t mask;
    struct dtls_node *oldest, *newest;
    uint32_t count;
};

/* Quick up to `most` nodes; how many there are is the caller's to bound. */
MUST_CHECK enum err dtls_table_init(struct dtls_table *t, uint32_t most);
void dtls_table_done(struct dtls_table *t); /* a zeroed one is fine */

struct dtls_node *dtls_table_find(const struct dtls_table *t, const struct dtls_place *place);
void dtls_table_put(struct dtls_table *t,
                    struct dtls_node *n); /* as the newest; `place` is set, and free */
void dtls_table_take(struct dtls_table *t, struct dtls_node *n);
void dtls_table_touch(struct dtls_table *t, struct dtls_node *n); /* the newest from now on */

#endif
