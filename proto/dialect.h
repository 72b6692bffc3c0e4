/* The table of dialects: how bytes become a struct frame.  Adding one is a file and a line in dialect.c. */
#ifndef NILO_PROTO_DIALECT_H
#define NILO_PROTO_DIALECT_H

#include "proto/base/arena.h"
#include "proto/frame.h"

/* What a decoder may use besides the bytes. Grows as dialects need keys and learned formats. */
struct dialect_input {
    struct span bytes;
    int64_t arrival_s; /* for what has no clock: used where the meter sends none */
};

struct dialect {
    const char *name;       /* "native"; the path is /r for it and /r/NAME for all others */
    uint8_t id;             /* as kept in the journal: never reused */
    uint16_t formats[4];    /* CoAP Content-Formats taken besides "absent" and 42; 0 ends the list where the first is not 0 */
    /* Pure. MALFORMED, TRUNCATED, RANGE, TOO_LARGE with `r` filled; NO_MEMORY when the arena is full. */
    enum err (*decode)(const struct dialect_input *in, struct arena *a, struct frame *out, struct refusal *r);
    /* The same decoder's reading of the bytes as lines for people, JSON where `json`: offset, raw bytes, field, meaning, unit. */
    enum err (*explain)(const struct dialect_input *in, bool json, struct wr *out, struct refusal *r);
};

const struct dialect *dialect_by_name(struct span name); /* NULL if unknown */
const struct dialect *dialect_by_id(uint8_t id);

/* Walks the table: dialect_at(0), dialect_at(1), … NULL at its end. */
const struct dialect *dialect_at(size_t n);

#endif
