#include "proto/base/hex.h"

int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool hex_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

enum err hex_read(struct span text, uint8_t *out, size_t cap, size_t *out_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i += 2) {
        int high, low;

        while (i < text.len && hex_blank(text.at[i]))
            i++;
        if (i == text.len)
            break;
        high = hex_digit(text.at[i]);
        low = i + 1 < text.len ? hex_digit(text.at[i + 1]) : -1;
        if (high < 0 || low < 0)
            return ERR_MALFORMED;
        if (len == cap)
            return ERR_FULL;
        out[len++] = (uint8_t)(high << 4 | low);
    }
    *out_len = len;
    return ERR_OK;
}

void hex_write(struct wr *w, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        wr_u8(w, (uint8_t)digits[bytes.at[i] >> 4]);
        wr_u8(w, (uint8_t)digits[bytes.at[i] & 15]);
    }
}
