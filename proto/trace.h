/* What a decoder tells of the bytes as it reads them, for `nilo frame explain`: one reader for machines and people.  A decoder
 * calls trace_field for every field that it takes or passes over; where nobody listens (NULL) that costs a comparison. */
#ifndef NILO_PROTO_TRACE_H
#define NILO_PROTO_TRACE_H

#include "proto/base/wr.h"

struct trace {
    struct wr *out;
    bool json;
    uint32_t rows;
    struct span bytes;  /* of the layer at hand: offsets count from here */
    char layer[40];     /* its name; "" for the frame as received */
};

/* A line for people, or an object: offset within the layer, raw bytes, field, value, unit, and what it means. */
struct trace_line {
    struct span raw;
    const char *field; /* a path, such as "volume.storage1" */
    const char *value, *unit, *meaning, *is; /* "" where there is none; `is` follows from the value and its neighbours */
};
void trace_line(struct trace *t, const struct trace_line *l);

/* The same in short: the value as printf. `t` may be NULL. */
void trace_field(struct trace *t, struct span raw, const char *field, const char *unit, const char *meaning, const char *format, ...)
    PRINTF_LIKE(6, 7);

/* From here on offsets count within `bytes`, which came out of the layer before by `name` ("decrypted", "frmPayload").
 * Give what it returned to trace_back to go on with the layer before. */
struct trace trace_layer(struct trace *t, const char *name, struct span bytes);
void trace_back(struct trace *t, const struct trace *before);

void trace_put_json_text(struct wr *w, const char *text); /* in quotes, escaped */
void trace_put_span(char *out, size_t cap, struct span text); /* printable ASCII of it, others as '.', cut to cap */

#endif
