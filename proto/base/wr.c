#include "proto/base/wr.h"

#include <stdarg.h>
#include <stdio.h>

/* Room for `len` bytes, or NULL once the cursor has failed. */
static uint8_t *wr_take(struct wr *w, size_t len)
{
    uint8_t *at = w->at;

    if (w->err || (size_t)(w->end - w->at) < len) {
        if (!w->err)
            w->err = ERR_FULL;
        return NULL;
    }
    w->at += len;
    return at;
}

static void wr_le(struct wr *w, uint64_t v, size_t len)
{
    uint8_t *at = wr_take(w, len);

    for (size_t i = 0; at && i < len; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static void wr_be(struct wr *w, uint64_t v, size_t len)
{
    uint8_t *at = wr_take(w, len);

    for (size_t i = 0; at && i < len; i++)
        at[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

void wr_u8(struct wr *w, uint8_t v)
{
    wr_le(w, v, 1);
}

void wr_le16(struct wr *w, uint16_t v)
{
    wr_le(w, v, 2);
}

void wr_le32(struct wr *w, uint32_t v)
{
    wr_le(w, v, 4);
}

void wr_le64(struct wr *w, uint64_t v)
{
    wr_le(w, v, 8);
}

void wr_be16(struct wr *w, uint16_t v)
{
    wr_be(w, v, 2);
}

void wr_be32(struct wr *w, uint32_t v)
{
    wr_be(w, v, 4);
}

void wr_be64(struct wr *w, uint64_t v)
{
    wr_be(w, v, 8);
}

void wr_varint(struct wr *w, uint64_t v)
{
    uint8_t bytes[10];
    size_t len = 0;

    for (; v >= 0x80; v >>= 7)
        bytes[len++] = (uint8_t)(v | 0x80);
    bytes[len++] = (uint8_t)v;
    wr_bytes(w, span_of(bytes, len));
}

void wr_zigzag(struct wr *w, int64_t v)
{
    wr_varint(w, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void wr_bytes(struct wr *w, struct span bytes)
{
    uint8_t *at = wr_take(w, bytes.len);

    if (at && bytes.len)
        memcpy(at, bytes.at, bytes.len);
}

void wr_counted(struct wr *w, struct span bytes)
{
    uint8_t *start = w->at;

    wr_varint(w, bytes.len);
    wr_bytes(w, bytes);
    if (w->err)
        w->at = start; /* no length without its bytes */
}

void wr_text(struct wr *w, const char *text)
{
    wr_bytes(w, span_text(text));
}

void wr_format(struct wr *w, const char *format, ...)
{
    size_t left = (size_t)(w->end - w->at);
    va_list args;
    int len;

    if (w->err)
        return;
    va_start(args, format);
    len = vsnprintf((char *)w->at, left, format, args);
    va_end(args);
    /* The zero at the end is not ours, but vsnprintf wants room for it. */
    if (len < 0 || (size_t)len >= left)
        w->err = ERR_FULL;
    else
        w->at += len;
}
