/* What native.proto says, as a table for those who walk the bytes: refusals that name a field and
 * its place, and explain. */
#ifndef NILO_PROTO_NATIVE_FIELDS_H
#define NILO_PROTO_NATIVE_FIELDS_H

#include "proto/dialect.h"
#include "proto/wire.h"

enum report_field {
    REPORT_METER = 1,
    REPORT_SEQ,
    REPORT_SENT,
    REPORT_SERIES,
    REPORT_STATUS,
    REPORT_BATTERY,
    REPORT_RSRP,
    REPORT_SNR,
    REPORT_CELL,
    REPORT_OUTCOMES,
};

enum series_field {
    SERIES_CHANNEL = 1,
    SERIES_SCALE,
    SERIES_INDEX,
    SERIES_AT,
    SERIES_STEP,
    SERIES_BACK,
};

enum outcome_field { OUTCOME_COMMAND = 1, OUTCOME_RESULT };

enum native_kind {
    NATIVE_TEXT,
    NATIVE_UINT,
    NATIVE_SINT,
    NATIVE_TIME,
    NATIVE_CHANNEL,
    NATIVE_STATUS,
    NATIVE_RESULT,
    NATIVE_STEPS,   /* repeated sint32, packed or not */
    NATIVE_MESSAGE, /* repeated */
};

struct native_field {
    uint32_t number;
    enum native_kind kind;
    const char *name, *unit, *meaning;
    const struct native_message *message; /* of NATIVE_MESSAGE */
};

struct native_message {
    const struct native_field *fields;
    size_t count;
};

extern const struct native_message native_report;

const struct native_field *native_field(const struct native_message *m, uint32_t number); /* NULL */
bool native_type_fits(const struct native_field *field, enum wire_type type);

/* Why protobuf-c could not unpack `bytes`: TRUNCATED or MALFORMED, with field and offset. Never
 * ERR_OK. */
enum err native_fault(struct span bytes, struct refusal *r);

/* Where the `n`th outer field `number` stands; of its inner field `inner` (not 0) the last, or the
 * outer one where it is absent. */
uint32_t native_offset(struct span bytes, uint32_t number, uint32_t n, uint32_t inner);

/* dialect_native.explain */
enum err native_explain(const struct dialect_input *in, bool json, struct wr *out,
                        struct refusal *r);

#endif
