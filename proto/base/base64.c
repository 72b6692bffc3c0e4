#include "proto/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or -1. */
static int sextet(uint8_t c)
{
    unsigned letter = (c | 0x20u) - 'a';

    if (letter < 26)
        return (int)letter + (c >= 'a' ? 26 : 0);
    if ((unsigned)c - '0' <= 9)
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Padding may be there or not, but fills up to four or is wrong.  Returns the length without it. */
static size_t unpadded(struct span text)
{
    size_t len = text.len;

    if (len % 4 == 0 && len && text.at[len - 1] == '=')
        len -= text.at[len - 2] == '=' ? 2 : 1;
    return len;
}

enum err base64_read(struct span text, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t len = unpadded(text), put = 0;
    uint32_t held = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < len; i++) {
        int six = sextet(text.at[i]);

        if (six < 0) {
            *out_len = i;
            return ERR_MALFORMED;
        }
        held = held << 6 | (uint32_t)six;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (put == cap)
            return ERR_FULL;
        out[put++] = (uint8_t)(held >> bits);
    }
    if (bits == 6 || held & ((1u << bits) - 1)) {
        *out_len = len;
        return ERR_MALFORMED;
    }
    *out_len = put;
    return ERR_OK;
}

void base64_write(struct wr *w, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)bytes.at[i] << 16;

        if (left > 1)
            v |= (uint32_t)bytes.at[i + 1] << 8;
        if (left > 2)
            v |= bytes.at[i + 2];
        for (size_t k = 0; k < 4; k++)
            wr_u8(w, k <= left ? (uint8_t)alphabet[v >> (18 - 6 * k) & 63] : '=');
    }
}
