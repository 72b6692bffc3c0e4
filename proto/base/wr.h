/* A writing cursor into the caller's buffer, whose first error (FULL) sticks and moves nothing. */
#ifndef NILO_PROTO_BASE_WR_H
#define NILO_PROTO_BASE_WR_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct wr {
    uint8_t *start, *at, *end;
    enum err err;
};

static inline struct wr wr_of(void *buffer, size_t cap)
{
    return (struct wr){ (uint8_t *)buffer, (uint8_t *)buffer, (uint8_t *)buffer + cap, ERR_OK };
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->at - w->start);
}

static inline struct span wr_span(const struct wr *w)
{
    return span_of(w->start, wr_len(w));
}

void wr_u8(struct wr *w, uint8_t v);
void wr_le16(struct wr *w, uint16_t v);
void wr_le32(struct wr *w, uint32_t v);
void wr_le64(struct wr *w, uint64_t v);
void wr_be16(struct wr *w, uint16_t v);
void wr_be32(struct wr *w, uint32_t v);
void wr_be64(struct wr *w, uint64_t v);
void wr_varint(struct wr *w, uint64_t v);
void wr_zigzag(struct wr *w, int64_t v);
void wr_bytes(struct wr *w, struct span bytes);
void wr_counted(struct wr *w, struct span bytes); /* varint length, then the bytes */
void wr_text(struct wr *w, const char *text);     /* without its zero */
/* As printf; needs a byte more than it writes, for the zero that printf ends with. */
void wr_format(struct wr *w, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
