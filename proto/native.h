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

/* Writes the answer to a report: a Commands message. Without commands nothing is written; COMMAND_TIME is said by `now` alone.
 * INVALID where a value does not fit its field; FULL. */
MUST_CHECK enum err native_encode_commands(const struct meter_command *c, size_t count, uint32_t now_s, struct wr *out);
/* One of them, as struct dialect has it: `now` is c->now_s. */
MUST_CHECK enum err native_command(const struct meter_command *c, struct wr *out);

#endif
