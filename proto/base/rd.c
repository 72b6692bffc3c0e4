#include "proto/base/rd.h"

void rd_fail(struct rd *r, enum err err)
{
    if (!r->err)
        r->err = err;
}

/* The next `len` bytes, or NULL once the cursor has failed. */
static const uint8_t *rd_take(struct rd *r, size_t len)
{
    const uint8_t *at = r->at;

    if (r->err || rd_left(r) < len) {
        rd_fail(r, ERR_TRUNCATED);
        return NULL;
    }
    r->at += len;
    return at;
}

static uint64_t rd_le(struct rd *r, size_t len)
{
    const uint8_t *at = rd_take(r, len);
    uint64_t v = 0;

    for (size_t i = len; at && i > 0; i--)
        v = v << 8 | at[i - 1];
    return v;
}

static uint64_t rd_be(struct rd *r, size_t len)
{
    const uint8_t *at = rd_take(r, len);
    uint64_t v = 0;

    for (size_t i = 0; at && i < len; i++)
        v = v << 8 | at[i];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    const uint8_t *at = rd_take(r, 1);

    return at ? *at : 0;
}

uint16_t rd_le16(struct rd *r)
{
    return (uint16_t)rd_le(r, 2);
}

uint32_t rd_le32(struct rd *r)
{
    return (uint32_t)rd_le(r, 4);
}

uint64_t rd_le64(struct rd *r)
{
    return rd_le(r, 8);
}

uint16_t rd_be16(struct rd *r)
{
    return (uint16_t)rd_be(r, 2);
}

uint32_t rd_be32(struct rd *r)
{
    return (uint32_t)rd_be(r, 4);
}

uint64_t rd_be64(struct rd *r)
{
    return rd_be(r, 8);
}

uint64_t rd_varint(struct rd *r)
{
    const uint8_t *at = r->at;
    uint64_t v = 0;

    if (r->err)
        return 0;
    if (at < r->end && *at < 0x80) { /* most are that small */
        r->at++;
        return *at;
    }
    for (unsigned shift = 0; at < r->end; shift += 7) {
        uint8_t byte = *at++;

        /* The tenth byte holds bit 63 alone and ends the number. */
        if (shift == 63 && byte > 1) {
            rd_fail(r, ERR_MALFORMED);
            return 0;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            r->at = at;
            return v;
        }
    }
    rd_fail(r, ERR_TRUNCATED);
    return 0;
}

int64_t rd_zigzag(struct rd *r)
{
    uint64_t v = rd_varint(r);

    return (int64_t)(v >> 1 ^ (~(v & 1) + 1));
}

struct span rd_bytes(struct rd *r, size_t len)
{
    const uint8_t *at = rd_take(r, len);

    return at ? span_of(at, len) : (struct span){ 0 };
}

struct span rd_counted(struct rd *r)
{
    const uint8_t *start = r->at;
    uint64_t len = rd_varint(r);

    if (r->err)
        return (struct span){ 0 };
    if (len > rd_left(r)) {
        r->at = start; /* nothing was read: the length is part of what is cut short */
        rd_fail(r, ERR_TRUNCATED);
        return (struct span){ 0 };
    }
    return rd_bytes(r, (size_t)len);
}
