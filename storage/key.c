#include "storage/key.h"

static uint8_t *room(struct key *k, size_t len)
{
    uint8_t *at = k->bytes + k->len;

    if (k->full || len > sizeof(k->bytes) - k->len) {
        k->full = true;
        return NULL;
    }
    k->len = (uint16_t)(k->len + len);
    return at;
}

static void big_endian(struct key *k, uint64_t v, unsigned width)
{
    uint8_t *at = room(k, width);

    for (unsigned i = 0; at && i < width; i++)
        at[i] = (uint8_t)(v >> 8 * (width - 1 - i));
}

void key_u8(struct key *k, uint8_t v)
{
    big_endian(k, v, 1);
}

void key_u16(struct key *k, uint16_t v)
{
    big_endian(k, v, 2);
}

void key_u32(struct key *k, uint32_t v)
{
    big_endian(k, v, 4);
}

void key_u64(struct key *k, uint64_t v)
{
    big_endian(k, v, 8);
}

void key_i64(struct key *k, int64_t v)
{
    big_endian(k, (uint64_t)v ^ UINT64_C(1) << 63, 8);
}

void key_text(struct key *k, struct span text)
{
    uint8_t *at = room(k, text.len + 1);

    if (!at)
        return;
    if (text.len)
        memcpy(at, text.at, text.len);
    at[text.len] = 0;
    if (text.len && memchr(text.at, 0, text.len))
        k->full = true; /* a zero inside would let two texts share a key */
}
