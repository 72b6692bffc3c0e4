/* Bits, most significant first, and exp-Golomb codes.  Of this folder only.
 *
 * Exp-Golomb of order k writes x as z zero bits and then the z + k + 1 bits of x + 2^k: short for
 * what is small, and as long as it must be for the rest. */
#ifndef NILO_STORAGE_BLOCK_BITS_H
#define NILO_STORAGE_BLOCK_BITS_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <assert.h>

#define BITS_PUT_MAX 56       /* what one put may carry beside the 7 bits that wait */
#define BITS_PEEK 57          /* what one peek is sure to see, whatever the bit it begins at */
#define GOLOMB_MAX (1u << 27) /* below it every code of order ≤ 13 is shorter than a peek */
#define GOLOMB_ORDER_MAX 13
#define GOLOMB_WIDE_MAX (UINT64_C(1) << 39)

static inline unsigned bits_log2(uint64_t x) /* floor; x > 0 */
{
    return 63u - (unsigned)__builtin_clzll(x);
}

static inline unsigned golomb_bits(uint64_t x, unsigned order)
{
    return 2 * bits_log2(x + (UINT64_C(1) << order)) + 1 - order;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Stores eight bytes at a time: the buffer reaches eight bytes beyond what is written. */
struct bits_wr {
    uint8_t *at;
    uint64_t waiting; /* left-aligned */
    unsigned count;   /* of `waiting`, below 8 */
};

static inline void bits_put(struct bits_wr *w, uint64_t value, unsigned count)
{
    assert(count >= 1 && count <= BITS_PUT_MAX);
    w->waiting |= value << (64 - w->count - count);
    w->count += count;
    uint64_t swapped = __builtin_bswap64(w->waiting);

    memcpy(w->at, &swapped, sizeof swapped);
    w->at += w->count / 8;
    w->waiting <<= w->count & ~7u;
    w->count &= 7;
}

static inline void golomb_put(struct bits_wr *w, uint32_t x, unsigned order)
{
    assert(x < GOLOMB_MAX && order <= GOLOMB_ORDER_MAX);
    bits_put(w, x + (UINT64_C(1) << order), golomb_bits(x, order));
}

static inline void golomb_put_wide(struct bits_wr *w, uint64_t x, unsigned order)
{
    unsigned length = golomb_bits(x, order);
    unsigned zeros = (length - 1 - order) / 2;

    assert(x < GOLOMB_WIDE_MAX && order <= GOLOMB_ORDER_MAX);
    if (zeros)
        bits_put(w, 0, zeros);
    bits_put(w, x + (UINT64_C(1) << order), length - zeros);
}

static inline uint8_t *bits_finish(struct bits_wr *w) /* the byte after the last begun one */
{
    if (w->count)
        *w->at++ = (uint8_t)(w->waiting >> 56);
    return w->at;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Any bytes may come. Never reads outside [at, at + len); beyond it stand zeros, which end every
 * code with an error. */
struct bits_rd {
    const uint8_t *at;
    size_t len;
    uint64_t bit; /* the next one */
    bool bad;     /* a code that no writer makes; sticks */
};

static inline uint64_t bits_tail(const struct bits_rd *r, size_t from)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | (from + i < r->len ? r->at[from + i] : 0u);
    return v;
}

static inline uint64_t bits_peek(const struct bits_rd *r)
{
    size_t from = (size_t)(r->bit / 8);
    uint64_t v;

    if (__builtin_expect(from + 8 > r->len, 0)) {
        v = bits_tail(r, from);
    } else {
        memcpy(&v, r->at + from, sizeof v);
        v = __builtin_bswap64(v);
    }
    return v << (r->bit % 8);
}

static inline uint64_t bits_get(struct bits_rd *r, unsigned count) /* 1 to 57 */
{
    uint64_t v = bits_peek(r) >> (64 - count);

    r->bit += count;
    return v;
}

/* Below 2 · GOLOMB_MAX, else `bad`. */
static inline uint32_t golomb_get(struct bits_rd *r, unsigned order)
{
    uint64_t v = bits_peek(r);
    unsigned zeros = (unsigned)__builtin_clzll(v | 1);
    unsigned length = 2 * zeros + order + 1;

    if (__builtin_expect(zeros + order > 27, 0)) {
        r->bad = true;
        return 0;
    }
    r->bit += length;
    return (uint32_t)((v >> (64 - length)) - (UINT64_C(1) << order));
}

/* Many codes one after the other: several of them come out of one peek, which is the slow part of each. Nobody else moves the reader meanwhile. */
struct golomb_rd {
    struct bits_rd *r;
    uint64_t window; /* what is left of the last peek, left-aligned; zeros behind it */
    unsigned left;   /* bits of it */
};

/* As golomb_get. */
static inline uint32_t golomb_next(struct golomb_rd *g, unsigned order)
{
    unsigned zeros = (unsigned)__builtin_clzll(g->window | 1);
    unsigned length = 2 * zeros + order + 1;
    uint32_t x;

    if (__builtin_expect(length > g->left, 0)) {
        g->window = bits_peek(g->r);
        g->left = 64 - (unsigned)(g->r->bit % 8);
        zeros = (unsigned)__builtin_clzll(g->window | 1);
        length = 2 * zeros + order + 1;
    }
    if (__builtin_expect(zeros + order > 27, 0)) {
        g->r->bad = true;
        return 0;
    }
    x = (uint32_t)((g->window >> (64 - length)) - (UINT64_C(1) << order));
    g->window <<= length;
    g->left -= length;
    g->r->bit += length;
    return x;
}

/* Below 2 · GOLOMB_WIDE_MAX, else `bad`. */
static inline uint64_t golomb_get_wide(struct bits_rd *r, unsigned order)
{
    unsigned zeros = (unsigned)__builtin_clzll(bits_peek(r) | 1);

    if (zeros > 39 - order) {
        r->bad = true;
        return 0;
    }
    r->bit += zeros;
    return bits_get(r, zeros + order + 1) - (UINT64_C(1) << order);
}

#endif
