#include "proto/native_fields.h"

#include <inttypes.h>
#include <stdio.h>

/* clang-format off */
static const struct native_field series_fields[] = {
    { SERIES_CHANNEL, NATIVE_CHANNEL, "channel", "",  "which register",                               NULL },
    { SERIES_SCALE,   NATIVE_SINT,    "scale",   "",  "one count is 10^scale litres (kPa, degrees)",  NULL },
    { SERIES_INDEX,   NATIVE_SINT,    "index",   "counts", "newest register value",                   NULL },
    { SERIES_AT,      NATIVE_TIME,    "at",      "",  "when it was taken",                            NULL },
    { SERIES_STEP,    NATIVE_UINT,    "step_s",  "s", "spacing of the earlier values",                NULL },
    { SERIES_BACK,    NATIVE_STEPS,   "back",    "counts", "steps going back in time",                NULL },
};
static const struct native_message series_message = { series_fields, sizeof(series_fields) / sizeof(*series_fields) };

static const struct native_field outcome_fields[] = {
    { OUTCOME_COMMAND, NATIVE_UINT,   "command", "",  "number of an earlier command",                 NULL },
    { OUTCOME_RESULT,  NATIVE_RESULT, "result",  "",  "what became of it",                            NULL },
};
static const struct native_message outcome_message = { outcome_fields, sizeof(outcome_fields) / sizeof(*outcome_fields) };

static const struct native_field report_fields[] = {
    { REPORT_METER,    NATIVE_TEXT,    "meter",      "",    "serial of the meter",                        NULL },
    { REPORT_SEQ,      NATIVE_UINT,    "seq",        "",    "counts reports; 0 = does not count",         NULL },
    { REPORT_SENT,     NATIVE_TIME,    "sent",       "",    "the meter's clock at sending",               NULL },
    { REPORT_SERIES,   NATIVE_MESSAGE, "series",     "",    "values of one register",                     &series_message },
    { REPORT_STATUS,   NATIVE_STATUS,  "status",     "",    "what the meter says of itself",              NULL },
    { REPORT_BATTERY,  NATIVE_UINT,    "battery_mv", "mV",  "battery",                                    NULL },
    { REPORT_RSRP,     NATIVE_SINT,    "rsrp_dbm",   "dBm", "strength of the radio cell",                 NULL },
    { REPORT_SNR,      NATIVE_SINT,    "snr_db",     "dB",  "signal over noise",                          NULL },
    { REPORT_CELL,     NATIVE_UINT,    "cell",       "",    "radio cell",                                 NULL },
    { REPORT_OUTCOMES, NATIVE_MESSAGE, "outcomes",   "",    "what became of an earlier command",          &outcome_message },
};
const struct native_message native_report = { report_fields, sizeof(report_fields) / sizeof(*report_fields) };
/* clang-format on */

const struct native_field *native_field(const struct native_message *m, uint32_t number)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->fields[i].number == number)
            return &m->fields[i];
    }
    return NULL;
}

static enum wire_type field_type(const struct native_field *field)
{
    switch (field->kind) {
    case NATIVE_TIME:
        return WIRE_FIXED32;
    case NATIVE_TEXT:
    case NATIVE_STEPS:
    case NATIVE_MESSAGE:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

bool native_type_fits(const struct native_field *field, enum wire_type type)
{
    return type == field_type(field) || (field->kind == NATIVE_STEPS && type == WIRE_VARINT);
}

/* ---- faults --------------------------------------------------------------------------------- */

/* Where a walk stands: the path of names to it, and the offset of its first byte in the whole
 * input. */
struct spot {
    char path[32];
    uint32_t offset;
};

static enum err spot_refuse(const struct spot *spot, const char *name, uint32_t offset,
                            enum err err, const char *what, struct refusal *r)
{
    char field[48];

    snprintf(field, sizeof(field), "%s%s%s", spot->path, *spot->path && *name ? "." : "", name);
    return refuse(r, err, spot->offset + offset, field, "%s", what);
}

/* The walk itself stopped: at a tag, a number or a length. */
static enum err tag_fault(const struct native_message *m, const struct spot *spot,
                          const struct rd *at, struct refusal *r)
{
    struct rd rest = rd_of(span_of(at->at, rd_left(at)));
    uint64_t tag = rd_varint(&rest);
    const struct native_field *field =
        rest.err || tag >> 3 > UINT32_MAX ? NULL : native_field(m, (uint32_t)(tag >> 3));

    return spot_refuse(
        spot, field ? field->name : "", (uint32_t)rd_offset(at), at->err,
        at->err == ERR_TRUNCATED
            ? "expected more bytes, found the end"
            : "expected a field of type 0, 1, 2 or 5 and a number of at most 64 bits",
        r);
}

static enum err steps_fault(const struct spot *spot, const struct wire_field *f, struct refusal *r)
{
    struct rd steps = rd_of(f->bytes);

    while (f->type == WIRE_BYTES && !steps.err && rd_left(&steps) > 0)
        rd_varint(&steps);
    if (!steps.err)
        return ERR_OK;
    return spot_refuse(spot, "back", f->offset, ERR_MALFORMED,
                       "expected whole numbers to the end of its length", r);
}

static enum err inner_fault(const struct native_message *m, struct span bytes,
                            const struct spot *spot, struct refusal *r)
{
    struct rd rd = rd_of(bytes);
    struct wire_field f;

    while (wire_next(&rd, &f)) {
        const struct native_field *field = native_field(m, f.number);
        char text[96];
        enum err err;

        if (!field)
            continue;
        if (!native_type_fits(field, f.type)) {
            snprintf(text, sizeof(text), "expected %s, found %s", wire_type_name(field_type(field)),
                     wire_type_name(f.type));
            return spot_refuse(spot, field->name, f.offset, ERR_MALFORMED, text, r);
        }
        if (field->kind == NATIVE_STEPS && (err = steps_fault(spot, &f, r)))
            return err;
    }
    return rd.err ? tag_fault(m, spot, &rd, r) : ERR_OK;
}

enum err native_fault(struct span bytes, struct refusal *r)
{
    struct spot outer = { "", 0 };
    struct rd rd = rd_of(bytes);
    uint32_t series = 0, outcomes = 0;
    struct wire_field f;
    enum err err;

    while (wire_next(&rd, &f)) {
        const struct native_field *field = native_field(&native_report, f.number);
        struct spot inner = { .offset = (uint32_t)(f.bytes.at - bytes.at) };

        if (!field || field->kind != NATIVE_MESSAGE || f.type != WIRE_BYTES)
            continue;
        snprintf(inner.path, sizeof(inner.path), "%s[%" PRIu32 "]", field->name,
                 f.number == REPORT_SERIES ? series++ : outcomes++);
        if ((err = inner_fault(field->message, f.bytes, &inner, r)))
            return err;
    }
    if ((err = inner_fault(&native_report, bytes, &outer, r)))
        return err;
    return refuse(r, ERR_MALFORMED, 0, "", "expected a report of native.proto, found other bytes");
}

uint32_t native_offset(struct span bytes, uint32_t number, uint32_t n, uint32_t inner)
{
    struct rd rd = rd_of(bytes);
    struct wire_field f, g;
    uint32_t offset;

    while (wire_next(&rd, &f)) {
        struct rd inside = rd_of(f.bytes);

        if (f.number != number || n-- > 0)
            continue;
        offset = f.offset;
        while (inner && wire_next(&inside, &g)) {
            if (g.number == inner)
                offset = (uint32_t)(f.bytes.at - bytes.at) + g.offset;
        }
        return offset;
    }
    return 0;
}
