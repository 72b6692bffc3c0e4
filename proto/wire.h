/* The protobuf wire format, field by field in the order of the bytes (protobuf.dev, "Encoding"):
 * for what protobuf-c does not tell, where a field stands and why a message does not parse. */
#ifndef NILO_PROTO_WIRE_H
#define NILO_PROTO_WIRE_H

#include "proto/base/rd.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint32_t offset;   /* of its tag, from where the cursor began */
    uint64_t value;    /* of a varint or a fixed one */
    struct span bytes; /* of WIRE_BYTES, else what the value was read from */
};

/* False at the end and at an error, which `r->err` tells apart: TRUNCATED or MALFORMED, the cursor
 * standing at the field's tag. */
bool wire_next(struct rd *r, struct wire_field *out);

const char *wire_type_name(enum wire_type type); /* "varint" */

#endif
