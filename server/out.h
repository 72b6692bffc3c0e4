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
/* Room for `more` bytes at the end, NULL without memory: the caller writes there and adds what it wrote to `len`. */
char *out_room(struct out *o, size_t more);
#define OUT_TIME_SIZE 22   /* with its quotes */
#define OUT_LITRES_MOST 22 /* "-9223372036854775.808" */
char *out_put_time(char *to, int64_t utc_s); /* as out_time; returns its end */
char *out_put_litres(char *to, int64_t ml);

void out_bytes_grow(struct out *o, const void *bytes, size_t len);
/* In the header, since most texts are a few bytes of known length: a row of a list has thirty of them. */
static inline void out_bytes(struct out *o, const void *bytes, size_t len)
{
    if (o->err || !len || len > o->cap - o->len) {
        out_bytes_grow(o, bytes, len);
        return;
    }
    memcpy(o->at + o->len, bytes, len);
    o->len += len;
}
static inline void out_text(struct out *o, const char *text)
{
    out_bytes(o, text, strlen(text));
}
void out_format(struct out *o, const char *format, ...) PRINTF_LIKE(2, 3);
void out_int(struct out *o, int64_t v);
void out_litres(struct out *o, int64_t ml);        /* thousandths as a decimal number, shortest: 12, 0.5 */
void out_time(struct out *o, int64_t utc_s);       /* "2026-03-01T00:00:00Z", with quotes */
void out_string(struct out *o, struct span text);  /* a JSON string with quotes; wrong UTF-8 becomes U+FFFD */
void out_csv(struct out *o, struct span text);     /* a CSV cell, quoted where RFC 4180 needs it */

/* Members of an object, with the comma where one is needed: `,"name":` then the value. */
void out_key(struct out *o, const char *name);
void out_member_text(struct out *o, const char *name, const char *text); /* NULL: null */
void out_member_span(struct out *o, const char *name, struct span text); /* empty: null */
void out_member_int(struct out *o, const char *name, int64_t v);
void out_member_litres(struct out *o, const char *name, int64_t ml);
void out_member_time(struct out *o, const char *name, int64_t utc_s);
void out_member_bool(struct out *o, const char *name, bool v);
/* A path in the API whose last segment is any text: "/v1/points/", "a b" → "/v1/points/a%20b". */
void out_member_path(struct out *o, const char *name, const char *where, struct span segment);
void out_member_null(struct out *o, const char *name);

#endif
