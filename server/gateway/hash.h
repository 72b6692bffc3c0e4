/* Keyed hashes for tables that strangers fill: who does not know the key cannot make two keys meet
 * on purpose. */
#ifndef NILO_SERVER_GATEWAY_HASH_H
#define NILO_SERVER_GATEWAY_HASH_H

#include "storage/journal.h"

struct hash_key {
    uint64_t k[2];
};

struct hash {
    uint64_t a, b;
};

/* An endpoint as words, so that hashing it needs no loop over bytes. */
struct endpoint {
    uint64_t w[3]; /* address, address, length and port */
};

MUST_CHECK enum err hash_key_make(struct hash_key *out); /* from the kernel's random bytes; IO */
struct endpoint endpoint_of(const struct peer *peer);
/* Who shares a limit: the address without its port, of IPv6 its /64, in which one has all addresses. */
struct endpoint source_of(const struct endpoint *e);

/* SipHash-2-4 with 128 bits of result, over the endpoint's words and then the bytes: two inputs
 * that meet are not to be found. */
struct hash hash_of(const struct hash_key *key, const struct endpoint *endpoint, struct span bytes);

/* 64 bits for tables in which a chance meeting does little harm. */
uint64_t hash_quick(const struct hash_key *key, uint64_t x, uint64_t y);

static inline bool hash_equal(struct hash x, struct hash y)
{
    return x.a == y.a && x.b == y.b;
}

#endif
