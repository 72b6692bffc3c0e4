#include "server/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_FIRST 1024 /* most single objects fit; a month of readings takes six doublings */

void out_done(struct out *o)
{
    free(o->at);
    *o = (struct out){ 0 };
}

/* Room for `more` bytes at the end; NULL without memory, which sticks. */
char *out_room(struct out *o, size_t more)
{
    size_t cap = o->cap ? o->cap : OUT_FIRST;
    char *grown;

    if (o->err)
        return NULL;
    if (more <= o->cap - o->len)
        return o->at + o->len;
    while (cap - o->len < more && cap < SIZE_MAX / 2)
        cap *= 2;
    grown = cap - o->len < more ? NULL : (char *)realloc(o->at, cap);
    if (!grown) {
        o->err = ERR_NO_MEMORY;
        return NULL;
    }
    o->at = grown;
    o->cap = cap;
    return o->at + o->len;
}

void out_bytes_grow(struct out *o, const void *bytes, size_t len)
{
    char *to = out_room(o, len);

    if (!to || !len)
        return;
    memcpy(to, bytes, len);
    o->len += len;
}

void out_format(struct out *o, const char *format, ...)
{
    va_list args;
    int len;
    char *to;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0 || !(to = out_room(o, (size_t)len + 1)))
        return;
    va_start(args, format);
    vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    o->len += (size_t)len;
}

static const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324"
                                     "25262728293031323334353637383940414243444546474849"
                                     "50515253545556575859606162636465666768697071727374"
                                     "75767778798081828384858687888990919293949596979899";

static inline void put_pair(char *to, unsigned v)
{
    memcpy(to, digit_pairs + (size_t)2 * v, 2);
}

#define DECIMAL_MAX 20 /* digits of the largest uint64_t */

/* Writes the digits of `v` so that they end before `end`; returns where they begin. */
static char *put_digits(char *end, uint64_t v)
{
    while (v >= 100) {
        end -= 2;
        put_pair(end, (unsigned)(v % 100));
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        put_pair(end, (unsigned)v);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

static inline uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

void out_int(struct out *o, int64_t v)
{
    char text[DECIMAL_MAX + 1], *end = text + sizeof text, *at = put_digits(end, magnitude(v));

    if (v < 0)
        *--at = '-';
    out_bytes(o, at, (size_t)(end - at));
}

char *out_put_litres(char *to, int64_t ml)
{
    char text[DECIMAL_MAX], *end = text + sizeof text, *at = put_digits(end, magnitude(ml) / 1000);
    unsigned part = (unsigned)(magnitude(ml) % 1000);

    if (ml < 0)
        *to++ = '-';
    memcpy(to, at, (size_t)(end - at));
    to += end - at;
    if (!part)
        return to;
    to[0] = '.';
    to[1] = (char)('0' + part / 100);
    put_pair(to + 2, part % 100);
    to += 4;
    while (to[-1] == '0')
        to--;
    return to;
}

void out_litres(struct out *o, int64_t ml)
{
    char *to = out_room(o, OUT_LITRES_MOST);

    if (to)
        o->len += (size_t)(out_put_litres(to, ml) - to);
}

#define DAY_S 86400

char *out_put_time(char *to, int64_t utc_s)
{
    /* Rows of a list share their day nearly always: the calendar is asked once a day. */
    static _Thread_local struct {
        bool known;
        int64_t day;
        char date[11];
    } last;
    int64_t day = utc_s / DAY_S - (utc_s % DAY_S < 0);
    unsigned second = (unsigned)(utc_s - day * DAY_S);

    if (!last.known || last.day != day) {
        text_put_date(last.date, day);
        last.day = day;
        last.known = true;
    }
    to[0] = '"';
    memcpy(to + 1, last.date, 10);
    to[11] = 'T';
    put_pair(to + 12, second / 3600);
    to[14] = ':';
    put_pair(to + 15, second / 60 % 60);
    to[17] = ':';
    put_pair(to + 18, second % 60);
    to[20] = 'Z';
    to[21] = '"';
    return to + OUT_TIME_SIZE;
}

void out_time(struct out *o, int64_t utc_s)
{
    char *to = out_room(o, OUT_TIME_SIZE);

    if (to)
        o->len += (size_t)(out_put_time(to, utc_s) - to);
}

/* Length of the UTF-8 character at `at` (RFC 3629), 0 if it is none. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (!len || at[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

static void put_escape(struct out *o, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
    const char *found = c ? strchr("\"\"\\\\\nn\tt\rr", c) : NULL;

    if (found) {
        text[1] = found[1];
        out_bytes(o, text, 2);
    } else {
        out_bytes(o, text, 6);
    }
}

static inline bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void out_string(struct out *o, struct span text)
{
    size_t i = 0;

    out_bytes(o, "\"", 1);
    while (i < text.len) {
        size_t plain = i, len;

        while (plain < text.len && is_plain(text.at[plain]))
            plain++;
        out_bytes(o, text.at + i, plain - i);
        if ((i = plain) == text.len)
            break;
        len = utf8_length(text.at + i, text.len - i);
        if (len == 0)
            out_bytes(o, "\xef\xbf\xbd", 3);
        else if (len == 1)
            put_escape(o, text.at[i]);
        else
            out_bytes(o, text.at + i, len);
        i += len ? len : 1;
    }
    out_bytes(o, "\"", 1);
}

void out_csv(struct out *o, struct span text)
{
    /* Who reads it would take blanks at the edge for layout, not text. */
    bool quoted = text.len && (text.at[0] == ' ' || text.at[text.len - 1] == ' ');

    for (size_t i = 0; i < text.len && !quoted; i++)
        quoted = strchr(",\"\r\n", text.at[i]) != NULL || text.at[i] == 0;
    if (!quoted) {
        out_bytes(o, text.at, text.len);
        return;
    }
    out_bytes(o, "\"", 1);
    for (size_t i = 0; i < text.len; i++)
        out_bytes(o, text.at[i] == '"' ? (const void *)"\"\"" : (const void *)(text.at + i),
                  text.at[i] == '"' ? 2 : 1);
    out_bytes(o, "\"", 1);
}

void out_key(struct out *o, const char *name)
{
    size_t len = strlen(name);
    bool first = o->len && o->at[o->len - 1] == '{';
    char *to = out_room(o, len + 4);

    if (!to)
        return;
    if (!first)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, name, len);
    to[len] = '"';
    to[len + 1] = ':';
    o->len += len + 3 + !first;
}

void out_member_text(struct out *o, const char *name, const char *text)
{
    out_key(o, name);
    if (text)
        out_string(o, span_text(text));
    else
        out_bytes(o, "null", 4);
}

void out_member_span(struct out *o, const char *name, struct span text)
{
    out_key(o, name);
    if (text.len)
        out_string(o, text);
    else
        out_bytes(o, "null", 4);
}

void out_member_int(struct out *o, const char *name, int64_t v)
{
    out_key(o, name);
    out_int(o, v);
}

void out_member_litres(struct out *o, const char *name, int64_t ml)
{
    out_key(o, name);
    out_litres(o, ml);
}

void out_member_time(struct out *o, const char *name, int64_t utc_s)
{
    out_key(o, name);
    out_time(o, utc_s);
}

void out_member_bool(struct out *o, const char *name, bool v)
{
    out_key(o, name);
    out_text(o, v ? "true" : "false");
}

void out_member_null(struct out *o, const char *name)
{
    out_key(o, name);
    out_bytes(o, "null", 4);
}

void out_member_path(struct out *o, const char *name, const char *where, struct span segment)
{
    char *to;

    out_key(o, name);
    out_format(o, "\"%s", where);
    if ((to = out_room(o, 3 * segment.len)))
        o->len += text_put_escaped(to, segment);
    out_text(o, "\"");
}
