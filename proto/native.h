/* Our own report (native.proto, contract §3): decode with protobuf-c over the batch's arena, encode for the simulator and tests. */
#ifndef NILO_PROTO_NATIVE_H
#define NILO_PROTO_NATIVE_H

#include "proto/dialect.h"

extern const struct dialect dialect_native;

/* Contract §3: one count of a series is 10^scale litres. */
#define NATIVE_SCALE_LEAST (-3)
#define NATIVE_SCALE_MOST 6

/* Writes a report.  Samples of a series must be evenly spaced where there are more than one (newest first) and every value
 * a multiple of 10^scale litres and every step within sint32: otherwise INVALID. `scales[i]` belongs to series i, −3 to 6.
 * FULL when `out` is too small. */
MUST_CHECK enum err native_encode(const struct frame *f, const int8_t *scales, struct wr *out);

/* Writes the answer to a report. Without commands nothing is written. */
struct native_command {
    uint32_t id, expires;
    uint8_t what; /* 3 to 8, the field's number in native.proto */
    int64_t value;
    uint32_t from, to; /* of a history request */
};
MUST_CHECK enum err native_encode_commands(const struct native_command *c, size_t count, uint32_t now_s, struct wr *out);

#endif
