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

char *out_grow(struct out *o, size_t more)
{
    size_t cap = o->cap ? o->cap : OUT_FIRST;
    char *grown;

    if (o->err)
        return NULL;
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

static inline unsigned count_digits(uint64_t v)
{
    unsigned count = 1;

    for (; v >= 10000; v /= 10000)
        count += 4;
    return count + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Returns their end. */
static inline char *put_digits(char *to, uint64_t v)
{
    char *end = to + count_digits(v), *at = end;

    while (v >= 100) {
        at -= 2;
        put_pair(at, (unsigned)(v % 100));
        v /= 100;
    }
    if (v >= 10)
        put_pair(at - 2, (unsigned)v);
    else
        at[-1] = (char)('0' + v);
    return end;
}

static inline uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

char *out_put_int(char *to, int64_t v)
{
    *to = '-';
    return put_digits(to + (v < 0), magnitude(v));
}

char *out_put_litres(char *to, int64_t ml)
{
    unsigned part = (unsigned)(magnitude(ml) % 1000);

    *to = '-';
    to = put_digits(to + (ml < 0), magnitude(ml) / 1000);
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

void out_string_odd(struct out *o, struct span text)
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

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* is_plain of eight bytes at once: the highest bit of a byte comes to be set where it is below 0x20, above 0x7e, or equal to what it is compared
 * with. What it borrows from its neighbour changes nothing: then it is none itself. */
static inline bool are_plain(uint64_t eight)
{
    uint64_t odd = (eight - EACH(0x20)) | (eight + EACH(0x01)) | ((eight ^ EACH('"')) - EACH(1)) |
                   ((eight ^ EACH('\\')) - EACH(1)) | eight;

    return !(odd & EACH(0x80));
}

/* A word, name or serial, in steps of eight bytes of which the last may overlap the one before; false: a byte is not plain. */
static inline bool copy_plain(char *to, struct span text)
{
    uint64_t eight = EACH(' ');
    size_t i = 0;

    if (text.len >= 8) {
        while (i < text.len) {
            size_t at = text.len - i < 8 ? text.len - 8 : i;

            memcpy(&eight, text.at + at, 8);
            if (!are_plain(eight))
                return false;
            memcpy(to + at, &eight, 8);
            i += 8;
        }
        return true;
    }
    if (text.len >= 4) {
        memcpy(&eight, text.at, 4);
        memcpy((char *)&eight + 4, text.at + text.len - 4, 4);
        memcpy(to, &eight, 4);
        memcpy(to + text.len - 4, (char *)&eight + 4, 4);
        return are_plain(eight);
    }
    while (i < text.len && is_plain(text.at[i])) {
        to[i] = (char)text.at[i];
        i++;
    }
    return i == text.len;
}

char *out_put_plain(char *to, struct span text)
{
    to[0] = '"';
    if (!copy_plain(to + 1, text))
        return NULL;
    to[text.len + 1] = '"';
    return to + text.len + 2;
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

void out_member_path(struct out *o, const char *name, const char *where, struct span segment)
{
    char *to;

    out_key(o, name);
    out_format(o, "\"%s", where);
    if ((to = out_room(o, 3 * segment.len)))
        o->len += text_put_escaped(to, segment);
    out_text(o, "\"");
}
