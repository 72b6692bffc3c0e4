/* Typed builders of every key: nobody else concatenates key bytes.  Numbers are big-endian, so that byte order is their order;
 * a text inside a key is ended by 0x00 (texts hold none). */
#ifndef NILO_STORAGE_KEY_H
#define NILO_STORAGE_KEY_H

#include "proto/base/span.h"

#define KEY_MAX 511 /* LMDB's */

struct key {
    uint16_t len;
    uint8_t bytes[KEY_MAX];
    bool full; /* something did not fit: every use of the key is an error */
};

static inline struct span key_span(const struct key *k)
{
    return span_of(k->bytes, k->len);
}

static inline void key_clear(struct key *k)
{
    k->len = 0;
    k->full = false;
}

void key_u8(struct key *k, uint8_t v);
void key_u16(struct key *k, uint16_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
void key_i64(struct key *k, int64_t v); /* ordered: the sign bit is turned */
void key_text(struct key *k, struct span text);

#endif
