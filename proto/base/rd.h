/* A reading cursor over borrowed bytes, whose first error sticks: after it every read gives 0 and moves nothing, so a decoder
 * asks once, at its end. */
#ifndef NILO_PROTO_BASE_RD_H
#define NILO_PROTO_BASE_RD_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct rd {
    const uint8_t *start, *at, *end;
    enum err err;
};

static inline struct rd rd_of(struct span bytes)
{
    /* NULL plus 0 is undefined in C. */
    return (struct rd){ bytes.at, bytes.at, bytes.len ? bytes.at + bytes.len : bytes.at, ERR_OK };
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->at);
}

static inline size_t rd_offset(const struct rd *r)
{
    return (size_t)(r->at - r->start);
}

void rd_fail(struct rd *r, enum err err); /* keeps an earlier error */
uint8_t rd_u8(struct rd *r);
uint16_t rd_le16(struct rd *r);
uint32_t rd_le32(struct rd *r);
uint64_t rd_le64(struct rd *r);
uint16_t rd_be16(struct rd *r);
uint32_t rd_be32(struct rd *r);
uint64_t rd_be64(struct rd *r);
uint64_t rd_varint(struct rd *r);               /* LEB128, at most 10 bytes; MALFORMED if longer or over 64 bits */
int64_t rd_zigzag(struct rd *r);                /* a varint in zigzag */
struct span rd_bytes(struct rd *r, size_t len); /* borrowed from the input */
struct span rd_counted(struct rd *r);           /* varint length, then the bytes */

#endif
