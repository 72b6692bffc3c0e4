/* Text under construction: JSON, NDJSON and CSV that leave the server.  Grows; its first error sticks. */
#ifndef NILO_SERVER_OUT_H
#define NILO_SERVER_OUT_H

#include "proto/base/text.h"

struct out {
    char *at; /* not zero-ended */
    size_t len, cap;
    enum err err; /* NO_MEMORY */
};

void out_done(struct out *o); /* frees; a zeroed one is fine */
static inline void out_clear(struct out *o)
{
    o->len = 0;
    o->err = ERR_OK;
}
char *out_grow(struct out *o, size_t more); /* out_room where there is none yet */
/* Room for `more` bytes at the end, NULL without memory: the caller writes there and adds what it wrote to `len`. */
static inline char *out_room(struct out *o, size_t more)
{
    return !o->err && more <= o->cap - o->len ? o->at + o->len : out_grow(o, more);
}

/* ---- into room that is there; all return the end of what they wrote ---- */

#define OUT_INT_MOST 20
#define OUT_TIME_SIZE 22   /* with its quotes */
#define OUT_LITRES_MOST 22 /* "-9223372036854775.808" */
char *out_put_int(char *to, int64_t v);
char *out_put_litres(char *to, int64_t ml); /* thousandths as a decimal number, shortest: 12, 0.5 */
char *out_put_time(char *to, int64_t utc_s); /* "2026-03-01T00:00:00Z", with quotes */
static inline char *out_put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}
/* With quotes, text.len + 2 bytes; NULL: it has bytes that are not printable ASCII, or that JSON escapes. */
char *out_put_plain(char *to, struct span text);

/* ---- values ---- */

/* In the header, as all that follows: most texts are a few bytes of a length that the compiler knows, and a row of a list has thirty of them. */
static inline void out_bytes(struct out *o, const void *bytes, size_t len)
{
    char *to = len ? out_room(o, len) : NULL;

    if (!to)
        return;
    memcpy(to, bytes, len);
    o->len += len;
}
static inline void out_text(struct out *o, const char *text)
{
    out_bytes(o, text, strlen(text));
}
/* Marks where what was put there ends. */
static inline void out_end(struct out *o, const char *end)
{
    o->len = (size_t)(end - o->at);
}
static inline void out_int(struct out *o, int64_t v)
{
    char *to = out_room(o, OUT_INT_MOST);

    if (to)
        out_end(o, out_put_int(to, v));
}
static inline void out_litres(struct out *o, int64_t ml)
{
    char *to = out_room(o, OUT_LITRES_MOST);

    if (to)
        out_end(o, out_put_litres(to, ml));
}
static inline void out_time(struct out *o, int64_t utc_s)
{
    char *to = out_room(o, OUT_TIME_SIZE);

    if (to)
        out_end(o, out_put_time(to, utc_s));
}
void out_string_odd(struct out *o, struct span text); /* out_string where it is not plain */
/* A JSON string with quotes; wrong UTF-8 becomes U+FFFD. */
static inline void out_string(struct out *o, struct span text)
{
    char *to = out_room(o, text.len + 2), *end = to ? out_put_plain(to, text) : NULL;

    if (end)
        out_end(o, end);
    else
        out_string_odd(o, text);
}
void out_csv(struct out *o, struct span text); /* a CSV cell, quoted where RFC 4180 needs it */
void out_format(struct out *o, const char *format, ...) PRINTF_LIKE(2, 3);

/* Before an element of an array: the comma that all but the first need. */
static inline void out_next(struct out *o)
{
    if (o->len && o->at[o->len - 1] != '[')
        out_bytes(o, ",", 1);
}

/* ---- members of an object, with the comma where one is needed: `,"name":` then the value ---- */

/* Writes the name, with room for `more` bytes behind it; returns where they begin, NULL: no memory. */
static inline char *out_name(struct out *o, const char *name, size_t more)
{
    size_t len = strlen(name);
    char *to = out_room(o, len + 4 + more);

    if (!to)
        return NULL;
    *to = ',';
    to += o->len && to[-1] != '{';
    *to++ = '"';
    memcpy(to, name, len);
    memcpy(to + len, "\":", 2);
    return to + len + 2;
}
static inline void out_key(struct out *o, const char *name)
{
    char *to = out_name(o, name, 0);

    if (to)
        out_end(o, to);
}
static inline void out_member_null(struct out *o, const char *name)
{
    char *to = out_name(o, name, 4);

    if (!to)
        return;
    memcpy(to, "null", 4);
    out_end(o, to + 4);
}
static inline void out_member_string(struct out *o, const char *name, struct span text)
{
    char *to = out_name(o, name, text.len + 2), *end = to ? out_put_plain(to, text) : NULL;

    if (to)
        out_end(o, end ? end : to);
    if (!end)
        out_string_odd(o, text);
}
/* Empty: null. */
static inline void out_member_span(struct out *o, const char *name, struct span text)
{
    if (text.len)
        out_member_string(o, name, text);
    else
        out_member_null(o, name);
}
/* NULL: null. */
static inline void out_member_text(struct out *o, const char *name, const char *text)
{
    if (text)
        out_member_string(o, name, span_text(text));
    else
        out_member_null(o, name);
}
static inline void out_member_int(struct out *o, const char *name, int64_t v)
{
    char *to = out_name(o, name, OUT_INT_MOST);

    if (to)
        out_end(o, out_put_int(to, v));
}
static inline void out_member_litres(struct out *o, const char *name, int64_t ml)
{
    char *to = out_name(o, name, OUT_LITRES_MOST);

    if (to)
        out_end(o, out_put_litres(to, ml));
}
static inline void out_member_time(struct out *o, const char *name, int64_t utc_s)
{
    char *to = out_name(o, name, OUT_TIME_SIZE);

    if (to)
        out_end(o, out_put_time(to, utc_s));
}
static inline void out_member_bool(struct out *o, const char *name, bool v)
{
    out_key(o, name);
    out_text(o, v ? "true" : "false");
}
/* A path in the API whose last segment is any text: "/v1/points/", "a b" → "/v1/points/a%20b". */
void out_member_path(struct out *o, const char *name, const char *where, struct span segment);

#endif
