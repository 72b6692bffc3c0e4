#include "proto/base/text.h"

#include <stdlib.h>

#define DAY_S 86400

/* ---- times ---------------------------------------------------------------------------------- */

/* A reader over text that cannot fail half-way: `ok` goes false and stays so. */
struct scan {
    const uint8_t *at, *end;
    bool ok;
};

static struct scan scan_of(struct span text)
{
    return (struct scan){ text.at, text.at + text.len, true };
}

static bool scan_done(const struct scan *s)
{
    return s->at == s->end;
}

static bool scan_is(const struct scan *s, char c)
{
    return s->at < s->end && *s->at == (uint8_t)c;
}

static void scan_char(struct scan *s, char c)
{
    if (scan_is(s, c))
        s->at++;
    else
        s->ok = false;
}

/* Exactly `digits` digits. */
static unsigned scan_number(struct scan *s, unsigned digits)
{
    unsigned v = 0;

    if ((size_t)(s->end - s->at) < digits) {
        s->ok = false;
        return 0;
    }
    while (digits--) {
        unsigned digit = (unsigned)*s->at++ - '0';

        s->ok &= digit <= 9;
        v = v * 10 + digit;
    }
    return v;
}

static void scan_date(struct scan *s, struct civil *c)
{
    c->year = (int32_t)scan_number(s, 4);
    scan_char(s, '-');
    c->month = (uint8_t)scan_number(s, 2);
    scan_char(s, '-');
    c->day = (uint8_t)scan_number(s, 2);
}

static void scan_fraction(struct scan *s)
{
    if (!scan_is(s, '.'))
        return;
    s->at++;
    scan_number(s, 1);
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
}

/* hh:mm:ss[.fraction]; the seconds may be absent where `loose`. */
static void scan_clock(struct scan *s, bool loose, struct civil *c)
{
    c->hour = (uint8_t)scan_number(s, 2);
    scan_char(s, ':');
    c->minute = (uint8_t)scan_number(s, 2);
    if (loose && !scan_is(s, ':'))
        return;
    scan_char(s, ':');
    c->second = (uint8_t)scan_number(s, 2);
    scan_fraction(s);
}

/* "Z" or ±hh:mm, to the end of the text. */
static int32_t scan_offset(struct scan *s)
{
    bool west = scan_is(s, '-');
    unsigned hours, minutes;

    if (scan_is(s, 'Z') || scan_is(s, 'z')) {
        s->at++;
        return 0;
    }
    scan_char(s, west ? '-' : '+');
    hours = scan_number(s, 2);
    scan_char(s, ':');
    minutes = scan_number(s, 2);
    s->ok &= hours < 24 && minutes < 60;
    return (int32_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
}

enum err text_time(struct span text, const struct zone *local, int64_t *out_utc_s)
{
    struct scan s = scan_of(text);
    struct civil c = { 0 };
    bool with_clock;
    int32_t offset_s;

    scan_date(&s, &c);
    with_clock = !scan_done(&s) || !local;
    if (with_clock) {
        s.ok &= scan_is(&s, 'T') || scan_is(&s, 't') || scan_is(&s, ' ');
        s.at += !scan_done(&s);
        scan_clock(&s, local, &c);
    }
    if (!s.ok || !day_valid(c))
        return ERR_MALFORMED;
    if (local && scan_done(&s))
        return zone_utc(local, c, out_utc_s);
    offset_s = scan_offset(&s);
    if (!s.ok || !scan_done(&s))
        return ERR_MALFORMED;
    *out_utc_s = day_utc(c) - offset_s;
    return ERR_OK;
}

static void put_digits(char *out, unsigned v, unsigned digits)
{
    while (digits--) {
        out[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

static void put_date(char *out, struct civil c)
{
    put_digits(out, (unsigned)c.year, 4);
    out[4] = '-';
    put_digits(out + 5, c.month, 2);
    out[7] = '-';
    put_digits(out + 8, c.day, 2);
}

void text_put_time(char out[TEXT_TIME_SIZE], int64_t utc_s)
{
    struct civil c = day_civil(utc_s);

    put_date(out, c);
    out[10] = 'T';
    put_digits(out + 11, c.hour, 2);
    out[13] = ':';
    put_digits(out + 14, c.minute, 2);
    out[16] = ':';
    put_digits(out + 17, c.second, 2);
    out[19] = 'Z';
    out[20] = 0;
}

enum err text_date(struct span text, int64_t *out_day)
{
    struct scan s = scan_of(text);
    struct civil c = { 0 };

    scan_date(&s, &c);
    if (!s.ok || !scan_done(&s) || !day_valid(c))
        return ERR_MALFORMED;
    *out_day = day_number(c.year, c.month, c.day);
    return ERR_OK;
}

void text_put_date(char out[11], int64_t day)
{
    put_date(out, day_civil(day * DAY_S));
    out[10] = 0;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* One more digit.  Numbers are read below zero, where there is room for INT64_MIN.  False: it does
 * not fit. */
static bool number_digit(int64_t *negative, unsigned digit)
{
    return !__builtin_mul_overflow(*negative, 10, negative) &&
           !__builtin_sub_overflow(*negative, (int64_t)digit, negative);
}

enum err text_decimal(struct span text, unsigned places, int64_t *out)
{
    struct scan s = scan_of(text);
    bool minus = scan_is(&s, '-');
    bool fits = true, fine = false;
    int64_t v = 0;
    unsigned decimals = 0;
    const uint8_t *first;

    s.at += minus;
    for (first = s.at; s.at < s.end && (unsigned)*s.at - '0' <= 9; s.at++)
        fits &= number_digit(&v, (unsigned)*s.at - '0');
    if (s.at == first)
        return ERR_MALFORMED;
    if (scan_is(&s, '.')) {
        for (first = ++s.at; s.at < s.end && (unsigned)*s.at - '0' <= 9; s.at++) {
            if (decimals < places) {
                fits &= number_digit(&v, (unsigned)*s.at - '0');
                decimals++;
            } else {
                fine |= *s.at != '0';
            }
        }
        if (s.at == first)
            return ERR_MALFORMED;
    }
    if (!scan_done(&s))
        return ERR_MALFORMED;
    while (decimals++ < places)
        fits &= number_digit(&v, 0);
    if (!fits || fine || (!minus && v == INT64_MIN))
        return ERR_RANGE;
    *out = minus ? v : -v;
    return ERR_OK;
}

enum err text_litres(struct span text, int64_t *out_ml)
{
    return text_decimal(text, 3, out_ml);
}

enum err text_int(struct span text, int64_t *out)
{
    /* Without decimals: "12.0" is a number, but nobody counts that way. */
    if (text.len && memchr(text.at, '.', text.len))
        return ERR_MALFORMED;
    return text_decimal(text, 0, out);
}

size_t text_put_litres(char out[TEXT_LITRES_SIZE], int64_t ml)
{
    uint64_t size = ml < 0 ? 0 - (uint64_t)ml : (uint64_t)ml;
    unsigned decimals = (unsigned)(size % 1000);
    uint64_t litres = size / 1000;
    char digits[20];
    size_t len = 0, count = 0;

    if (ml < 0)
        out[len++] = '-';
    do {
        digits[count++] = (char)('0' + litres % 10);
        litres /= 10;
    } while (litres);
    while (count)
        out[len++] = digits[--count];
    if (decimals) {
        out[len] = '.';
        put_digits(out + len + 1, decimals, 3);
        len += 4;
        while (out[len - 1] == '0')
            len--;
    }
    out[len] = 0;
    return len;
}

/* ---- serials and other texts ---------------------------------------------------------------- */

static bool serial_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == ':' || c == '-';
}

bool text_is_serial(struct span text)
{
    if (text.len < 1 || text.len > SERIAL_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!serial_byte(text.at[i]))
            return false;
    }
    return true;
}

/* The length of the sequence that `c` begins, and the least and greatest second byte (RFC 3629 §4);
 * 0: `c` begins none. */
static unsigned utf8_length(uint8_t c, uint8_t *least, uint8_t *most)
{
    *least = 0x80;
    *most = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        *least = c == 0xc2 ? 0xa0 : 0x80; /* U+0080 to U+009F are control characters */
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef) {
        *least = c == 0xe0 ? 0xa0 : 0x80; /* no longer form than needed */
        *most = c == 0xed ? 0x9f : 0xbf;  /* no surrogates */
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        *least = c == 0xf0 ? 0x90 : 0x80;
        *most = c == 0xf4 ? 0x8f : 0xbf; /* nothing above U+10FFFF */
        return 4;
    }
    return 0;
}

static bool ascii_is_text(uint8_t c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n';
}

bool text_is_utf8(struct span text)
{
    for (size_t i = 0; i < text.len;) {
        uint8_t least, most;
        unsigned len;

        if (text.at[i] < 0x80) {
            if (!ascii_is_text(text.at[i++]))
                return false;
            continue;
        }
        len = utf8_length(text.at[i], &least, &most);
        if (len == 0 || text.len - i < len || text.at[i + 1] < least || text.at[i + 1] > most)
            return false;
        for (unsigned k = 2; k < len; k++) {
            if ((text.at[i + k] & 0xc0) != 0x80)
                return false;
        }
        i += len;
    }
    return true;
}

size_t text_put_escaped(char *out, struct span text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
            (c && strchr("-._~", c))) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    return len;
}

char *text_copy(struct span text)
{
    char *copy = (char *)malloc(text.len + 1);

    if (!copy)
        return NULL;
    if (text.len)
        memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    return copy;
}

void text_cut(char *out, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;

    if (len)
        memcpy(out, text.at, len);
    out[len] = 0;
}
