/* SipHash-2-4-128 after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), and its
 * 128-bit variant. */
#include "server/gateway/hash.h"

#include <sys/random.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static uint64_t sip_finish(struct sip *s, uint64_t mark)
{
    s->v1 ^= mark & 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

enum err hash_key_make(struct hash_key *out)
{
    return getrandom(out->k, sizeof out->k, 0) == (ssize_t)sizeof out->k ? ERR_OK : ERR_IO;
}

struct endpoint endpoint_of(const struct peer *peer)
{
    struct endpoint e;

    memcpy(e.w, peer->address, 16);
    e.w[2] = (uint64_t)peer->len << 16 | peer->port;
    return e;
}

struct endpoint source_of(const struct endpoint *e)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    bool whole = e->w[2] >> 16 != 16 || memcmp(e->w, mapped, sizeof mapped) == 0;

    return (struct endpoint){ { e->w[0], whole ? e->w[1] : 0, 0 } };
}

struct hash hash_of(const struct hash_key *key, const struct endpoint *endpoint, struct span bytes)
{
    struct sip s = { key->k[0] ^ 0x736f6d6570736575u, key->k[1] ^ 0x646f72616e646f6du ^ 0xee,
                     key->k[0] ^ 0x6c7967656e657261u, key->k[1] ^ 0x7465646279746573u };
    const uint8_t *at = bytes.at;
    uint64_t last = (uint64_t)((sizeof endpoint->w + bytes.len) & 0xff) << 56, word;
    struct hash out;

    for (int i = 0; i < 3; i++)
        sip_word(&s, endpoint->w[i]);
    for (size_t i = 0; i < bytes.len / 8; i++, at += 8) {
        memcpy(&word, at, 8);
        sip_word(&s, word);
    }
    for (size_t i = 0; i < bytes.len % 8; i++)
        last |= (uint64_t)at[i] << (8 * i);
    sip_word(&s, last);
    s.v2 ^= 0xee;
    out.a = sip_finish(&s, 0);
    out.b = sip_finish(&s, 0xdd);
    return out;
}

uint64_t hash_quick(const struct hash_key *key, uint64_t x, uint64_t y)
{
    unsigned __int128 p =
        (unsigned __int128)(x ^ key->k[0]) * (y ^ key->k[1] ^ 0x9e3779b97f4a7c15u);
    uint64_t folded = (uint64_t)p ^ (uint64_t)(p >> 64);

    p = (unsigned __int128)(folded ^ key->k[1]) * 0xd6e8feb86659fd93u;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}
