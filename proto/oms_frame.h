/* From an M-Bus telegram in the clear to a frame's values. */
#ifndef NILO_PROTO_OMS_FRAME_H
#define NILO_PROTO_OMS_FRAME_H

#include "proto/oms_link.h"

/* Reads `t->records` as `t->content` says. `out` comes with names, status, seq and digest filled; what the records say is added: series,
 * sent_s, battery, further status bits, a learned format. Where somebody listens, the trace already stands in the layer of the records.
 * MALFORMED, TRUNCATED, RANGE, TOO_LARGE, UNSUPPORTED, NO_FORMAT, DAMAGED, NO_RECIPE, NO_MEMORY. */
MUST_CHECK enum err oms_records(const struct dialect_input *in, const struct oms_telegram *t, struct arena *a, struct frame *out,
                                struct refusal *r);

#endif
