#include "proto/wire.h"

#define NUMBER_MOST ((1u << 29) - 1)

/* Most tags and lengths are one byte. */
static uint64_t short_varint(struct rd *r)
{
    if (r->at < r->end && *r->at < 0x80 && !r->err)
        return *r->at++;
    return rd_varint(r);
}

static void field_content(struct rd *r, struct wire_field *f)
{
    const uint8_t *start = r->at;

    switch (f->type) {
    case WIRE_VARINT:
        f->value = short_varint(r);
        break;
    case WIRE_FIXED64:
        f->value = rd_le64(r);
        break;
    case WIRE_FIXED32:
        f->value = rd_le32(r);
        break;
    case WIRE_BYTES:
        f->bytes = rd_counted(r);
        return;
    default:
        rd_fail(r, ERR_MALFORMED); /* groups, which proto3 does not have */
    }
    f->bytes = span_of(start, (size_t)(r->at - start));
}

bool wire_next(struct rd *r, struct wire_field *out)
{
    const uint8_t *start = r->at;
    struct wire_field f = { .offset = (uint32_t)rd_offset(r) };
    uint64_t tag;

    if (r->err || rd_left(r) == 0)
        return false;
    tag = short_varint(r);
    f.number = (uint32_t)(tag >> 3);
    f.type = (enum wire_type)(tag & 7);
    if (!r->err && (tag >> 3 == 0 || tag >> 3 > NUMBER_MOST))
        rd_fail(r, ERR_MALFORMED);
    if (!r->err)
        field_content(r, &f);
    if (r->err) {
        r->at = start;
        return false;
    }
    *out = f;
    return true;
}

const char *wire_type_name(enum wire_type type)
{
    switch (type) {
    case WIRE_VARINT:
        return "varint";
    case WIRE_FIXED64:
        return "fixed64";
    case WIRE_BYTES:
        return "bytes";
    case WIRE_FIXED32:
        return "fixed32";
    }
    return "group";
}
