/* What texts and numbers in checked JSON say. */
#include "proto/base/json_scan.h"
#include "proto/base/text.h"

#define POWER_MOST 100000 /* beyond it nothing but 0 is of this world */

/* ---- texts ---------------------------------------------------------------------------------- */

static size_t put_utf8(uint32_t c, uint8_t out[4])
{
    static const uint8_t lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(lead[len] | c);
    return len;
}

/* \uXXXX at the X, with its second half where it is a surrogate (RFC 8259 §7).  A lone one is put as
 * it is, in three bytes that are no UTF-8, so that whoever uses the text refuses it. */
static size_t unescape_code(const uint8_t **at, const uint8_t *end, uint8_t out[4])
{
    int32_t c = scan_hex4(*at, end), low = -1;

    if (c < 0) {
        *at = end;
        return 0;
    }
    *at += 4;
    if (c >= 0xd800 && c <= 0xdbff && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u')
        low = scan_hex4(*at + 2, end);
    if (low >= 0xdc00 && low <= 0xdfff) {
        *at += 6;
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
    }
    return put_utf8((uint32_t)c, out);
}

/* The next byte or escape; returns how many bytes it says. */
static size_t unescape(const uint8_t **at, const uint8_t *end, uint8_t out[4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *which;

    if (**at != '\\' || end - *at < 2) {
        out[0] = *(*at)++;
        return 1;
    }
    *at += 2;
    if ((*at)[-1] == 'u')
        return unescape_code(at, end, out);
    which = strchr(from, (*at)[-1]);
    out[0] = which && *which ? (uint8_t)to[which - from] : (*at)[-1];
    return 1;
}

bool scan_says(struct json v, struct span text)
{
    const uint8_t *at = v.raw.at + 1, *end = v.raw.at + v.raw.len - 1;
    uint8_t one[4];

    while (at < end) {
        size_t len = unescape(&at, end, one);

        if (len > text.len || memcmp(one, text.at, len) != 0)
            return false;
        text = span_of(text.at + len, text.len - len);
    }
    return text.len == 0;
}

enum err json_text_into(struct json v, uint8_t *room, size_t cap, struct span *out)
{
    const uint8_t *at, *end;
    struct span text;
    size_t len = 0;

    if (v.kind != JSON_IS_TEXT)
        return ERR_MALFORMED;
    text = span_of(v.raw.at + 1, v.raw.len - 2);
    if (v.escaped) {
        for (at = text.at, end = text.at + text.len; at < end;) {
            uint8_t one[4];
            size_t more = unescape(&at, end, one);

            if (!room || more > cap - len)
                return ERR_FULL;
            memcpy(room + len, one, more);
            len += more;
        }
        text = span_of(room, len);
    }
    if (!text_is_utf8(text))
        return ERR_MALFORMED;
    *out = text;
    return ERR_OK;
}

enum err json_text(struct json v, struct arena *a, struct span *out)
{
    uint8_t *room = NULL;

    if (v.kind == JSON_IS_TEXT && v.escaped && !(room = (uint8_t *)arena_alloc(a, v.raw.len)))
        return ERR_NO_MEMORY;
    return json_text_into(v, room, v.raw.len, out); /* escapes only shrink */
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Digits are gathered below zero, where there is room for INT64_MIN. */
struct digits {
    int64_t negative;
    bool minus, full, cut;
};

/* False: it did not fit, and is cut off. */
static bool digit_add(struct digits *d, unsigned digit)
{
    int64_t v;

    if (d->full || __builtin_mul_overflow(d->negative, 10, &v) ||
        __builtin_sub_overflow(v, (int64_t)digit, &v) || (!d->minus && v == INT64_MIN)) {
        d->full = true;
        d->cut |= digit != 0;
        return false;
    }
    d->negative = v;
    return true;
}

/* "e-3" and the like, to the end. */
static int32_t read_exponent(const uint8_t *at, const uint8_t *end)
{
    bool minus = at + 1 < end && at[1] == '-';
    int32_t power = 0;

    for (at += 1 + (at + 1 < end && (at[1] == '-' || at[1] == '+')); at < end; at++)
        if (power <= POWER_MOST)
            power = power * 10 + (*at - '0');
    return minus ? -power : power;
}

enum err json_number(struct json v, struct json_number *out)
{
    const uint8_t *at = v.raw.at, *end = v.raw.len ? v.raw.at + v.raw.len : v.raw.at;
    struct digits d = { 0 };
    int64_t power = 0;
    bool fraction = false;

    if (v.kind != JSON_IS_NUMBER)
        return ERR_MALFORMED;
    d.minus = *at == '-';
    for (at += d.minus; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.')
            fraction = true;
        else if (digit_add(&d, (unsigned)*at - '0'))
            power -= fraction;
        else
            power += !fraction;
    }
    if (at < end)
        power += read_exponent(at, end);
    if (d.negative == 0)
        power = 0;
    if (power > POWER_MOST || power < -POWER_MOST)
        return ERR_RANGE;
    *out = (struct json_number){ d.minus ? d.negative : -d.negative, (int32_t)power, d.cut };
    return ERR_OK;
}

enum err json_decimal(struct json v, unsigned places, int64_t *out)
{
    struct json_number n;
    enum err err = json_number(v, &n);

    if (err)
        return err;
    if (n.cut)
        return ERR_RANGE;
    for (n.power += (int32_t)places; n.power > 0 && n.mantissa; n.power--)
        if (__builtin_mul_overflow(n.mantissa, 10, &n.mantissa))
            return ERR_RANGE;
    for (; n.power < 0 && n.mantissa; n.power++, n.mantissa /= 10)
        if (n.mantissa % 10)
            return ERR_RANGE;
    *out = n.mantissa;
    return ERR_OK;
}

enum err json_int(struct json v, int64_t *out)
{
    return json_decimal(v, 0, out);
}

enum err json_bool(struct json v, bool *out)
{
    if (v.kind != JSON_IS_TRUE && v.kind != JSON_IS_FALSE)
        return ERR_MALFORMED;
    *out = v.kind == JSON_IS_TRUE;
    return ERR_OK;
}

struct json json_unquoted(struct json v)
{
    struct json inner = { .kind = JSON_IS_NUMBER };
    const uint8_t *end, *fault;

    if (v.kind != JSON_IS_TEXT || v.escaped)
        return v;
    inner.raw = span_of(v.raw.at + 1, v.raw.len - 2);
    end = scan_number(inner.raw.at, inner.raw.at + inner.raw.len, &fault);
    return fault || end != inner.raw.at + inner.raw.len ? v : inner;
}
