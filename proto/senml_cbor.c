/* SenML as CBOR: an array of maps whose keys are small numbers (RFC 8428 §6). */
#include "proto/base/cbor.h"
#include "proto/base/limits.h"
#include "proto/senml_priv.h"

enum { TAG_DECIMAL = 4, TAG_BIGFLOAT = 5, TAG_SELF = 55799 };
#define EXPONENT_MOST 100000

/* What the cursor stumbled over. */
static enum err fault(struct senml *s, const struct rd *rd)
{
    uint32_t at = (uint32_t)rd_offset(rd);

    switch (rd->err) {
    case ERR_TRUNCATED:
        return refuse(s->r, ERR_TRUNCATED, at, "cbor",
                      "record %u: expected more bytes than there are", s->count);
    case ERR_TOO_LARGE:
        return refuse(s->r, ERR_TOO_LARGE, at, "cbor", "record %u: deeper than %d items", s->count,
                      CBOR_DEPTH);
    default:
        return refuse(s->r, ERR_MALFORMED, at, "cbor", "record %u: not well-formed before here",
                      s->count);
    }
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* [exponent, mantissa] of tags 4 and 5 (RFC 8949 §3.4.4). */
static enum err fraction_read(struct rd *rd, bool binary, struct senml_number *out)
{
    struct cbor pair, exponent, mantissa;
    int64_t e;

    if (!cbor_next(rd, &pair))
        return ERR_MALFORMED;
    if (pair.kind != CBOR_ARRAY || pair.endless || pair.value != 2)
        return ERR_MALFORMED;
    if (!cbor_next(rd, &exponent) || !cbor_next(rd, &mantissa))
        return ERR_MALFORMED;
    if (!cbor_is_int(&mantissa, &out->mantissa))
        return mantissa.kind == CBOR_TAG || mantissa.kind == CBOR_UNSIGNED ||
                       mantissa.kind == CBOR_NEGATIVE
                   ? ERR_RANGE
                   : ERR_MALFORMED;
    if (!cbor_is_int(&exponent, &e))
        return ERR_MALFORMED;
    if (out->mantissa == 0)
        e = 0;
    if (e > EXPONENT_MOST || e < -EXPONENT_MOST)
        return ERR_RANGE;
    out->power = (int32_t)e;
    out->binary = binary;
    return ERR_OK;
}

/* `*out_given` false: an infinity or no number, as a broken sensor gives. */
static enum err number_take(struct rd *rd, struct senml_number *out, bool *out_given)
{
    struct cbor c;

    *out = (struct senml_number){ 0 };
    *out_given = true;
    if (!cbor_next(rd, &c))
        return ERR_MALFORMED;
    if (cbor_is_int(&c, &out->mantissa))
        return ERR_OK;
    switch (c.kind) {
    case CBOR_FLOAT:
        *out_given = c.finite;
        *out = (struct senml_number){ c.mantissa, c.power, true };
        return ERR_OK;
    case CBOR_TAG:
        if (c.value == TAG_DECIMAL || c.value == TAG_BIGFLOAT)
            return fraction_read(rd, c.value == TAG_BIGFLOAT, out);
        return c.value == 2 || c.value == 3 ? ERR_RANGE : ERR_MALFORMED;
    case CBOR_UNSIGNED:
    case CBOR_NEGATIVE:
        return ERR_RANGE;
    default:
        return ERR_MALFORMED;
    }
}

static enum err number_read(struct senml *s, struct rd *rd, enum senml_field f,
                            struct senml_record *rec)
{
    const uint8_t *at = rd->at;
    bool given;
    enum err err = number_take(rd, &rec->number[f], &given);

    if (rd->err)
        return fault(s, rd);
    if (err)
        return senml_refuse(s, err, at, senml_labels[f].name,
                            err == ERR_RANGE ? "the number is beyond all that we keep"
                                             : "expected a number");
    if (!given) {
        rec->given &= ~(1u << f);
        trace_field(s->trace, span_of(at, (size_t)(rd->at - at)), senml_labels[f].name, "",
                    "no number: passed over", "not finite");
    }
    return ERR_OK;
}

/* ---- records -------------------------------------------------------------------------------- */

static enum err text_read(struct senml *s, struct rd *rd, enum senml_field f,
                          struct senml_record *rec)
{
    const uint8_t *at = rd->at;
    struct cbor c;
    bool is_data = f == SENML_VD;

    if (!cbor_next(rd, &c))
        return fault(s, rd);
    if (c.kind != (is_data ? CBOR_BYTES : CBOR_TEXT) || c.endless ||
        (!is_data && !text_is_utf8(c.bytes)))
        return senml_refuse(s, ERR_MALFORMED, at, senml_labels[f].name,
                            is_data ? "expected bytes in one piece"
                                    : "expected a text in UTF-8, in one piece");
    rec->text[f] = c.bytes;
    return ERR_OK;
}

static enum err bool_read(struct senml *s, struct rd *rd, enum senml_field f,
                          struct senml_record *rec)
{
    const uint8_t *at = rd->at;
    struct cbor c;

    if (!cbor_next(rd, &c))
        return fault(s, rd);
    if (c.kind != CBOR_TRUE && c.kind != CBOR_FALSE)
        return senml_refuse(s, ERR_MALFORMED, at, senml_labels[f].name, "expected true or false");
    rec->boolean = c.kind == CBOR_TRUE;
    return ERR_OK;
}

static enum err field_read(struct senml *s, struct rd *rd, enum senml_field f,
                           struct senml_record *rec)
{
    if (rd_left(rd) && (*rd->at == 0xf6 || *rd->at == 0xf7)) { /* null, undefined */
        rec->given &= ~(1u << f);
        rd_u8(rd);
        return ERR_OK;
    }
    rec->given |= 1u << f;
    switch (senml_labels[f].form) {
    case SENML_NUMBER:
        return number_read(s, rd, f, rec);
    case SENML_BOOL:
        return bool_read(s, rd, f, rec);
    default:
        return text_read(s, rd, f, rec);
    }
}

static enum senml_field field_numbered(int64_t number)
{
    for (unsigned f = 0; f < SENML_FIELDS; f++)
        if (senml_labels[f].number == number)
            return (enum senml_field)f;
    return SENML_OTHER;
}

static enum err member_read(struct senml *s, struct rd *rd, struct senml_record *rec)
{
    const uint8_t *at = rd->at;
    enum senml_field f = SENML_OTHER;
    struct cbor key;
    int64_t number;
    enum err err = ERR_OK;

    if (!cbor_next(rd, &key))
        return fault(s, rd);
    if (cbor_is_int(&key, &number))
        f = field_numbered(number);
    else if (key.kind == CBOR_TEXT && !key.endless)
        f = senml_field_named(key.bytes);
    else if (key.kind != CBOR_UNSIGNED && key.kind != CBOR_NEGATIVE)
        return refuse(s->r, ERR_MALFORMED, (uint32_t)(at - s->in->bytes.at), "record",
                      "expected a number or a text as key in record %u", s->count);
    if (f != SENML_OTHER)
        return field_read(s, rd, f, rec);
    if (key.kind == CBOR_TEXT && (err = senml_other(s, key.bytes, at)))
        return err;
    cbor_skip(rd);
    if (rd->err)
        return fault(s, rd);
    if (key.kind != CBOR_TEXT)
        trace_field(s->trace, span_of(at, (size_t)(rd->at - at)), "unknown field", "",
                    "passed over", "%s%llu", key.kind == CBOR_NEGATIVE ? "-1-" : "",
                    (unsigned long long)key.value);
    return ERR_OK;
}

static enum err record_read(struct senml *s, struct rd *rd, struct senml_record *rec)
{
    const uint8_t *at = rd->at;
    struct cbor_walk w;
    struct cbor map;
    enum err err;

    rec->given = 0;
    if (!cbor_next(rd, &map))
        return fault(s, rd);
    if (map.kind != CBOR_MAP)
        return refuse(s->r, ERR_MALFORMED, (uint32_t)(at - s->in->bytes.at), "record",
                      "expected a map as record %u, found something else", s->count);
    for (w = cbor_walk(&map); cbor_more(rd, &w);)
        if ((err = member_read(s, rd, rec)))
            return err;
    rec->raw = span_of(at, (size_t)(rd->at - at));
    return ERR_OK;
}

static enum err pack_open(struct senml *s, struct rd *rd, struct cbor *pack)
{
    cbor_next(rd, pack);
    if (pack->kind == CBOR_TAG && pack->value == TAG_SELF)
        cbor_next(rd, pack); /* "this is CBOR" (RFC 8949 §3.4.6) */
    if (rd->err)
        return fault(s, rd);
    if (pack->kind != CBOR_ARRAY)
        return refuse(s->r, ERR_MALFORMED, 0, "pack", "expected an array of records");
    return ERR_OK;
}

static enum err pack_read(struct senml *s)
{
    struct rd rd = rd_of(s->in->bytes);
    struct senml_record rec;
    struct cbor_walk w;
    struct cbor pack;
    enum err err;

    if (s->in->bytes.len > LIMIT_PAYLOAD_BLOCK)
        return refuse(s->r, ERR_TOO_LARGE, 0, "", "%zu bytes, at most %d are taken",
                      s->in->bytes.len, LIMIT_PAYLOAD_BLOCK);
    if ((err = pack_open(s, &rd, &pack)))
        return err;
    for (w = cbor_walk(&pack); cbor_more(&rd, &w); s->count++)
        if ((err = record_read(s, &rd, &rec)) || (err = senml_record(s, &rec)))
            return err;
    if (rd_left(&rd))
        return refuse(s->r, ERR_MALFORMED, (uint32_t)rd_offset(&rd), "pack",
                      "expected nothing behind the array, found %zu bytes", rd_left(&rd));
    return ERR_OK;
}

static enum err senml_cbor_decode(const struct dialect_input *in, struct arena *a,
                                  struct frame *out, struct refusal *r)
{
    struct senml s = senml_begin(in, a, r);

    return senml_end(&s, pack_read(&s), out);
}

const struct dialect dialect_senml_cbor = {
    .name = "senml-cbor",
    .id = 5,
    .enveloped = false,
    .formats = { 112, 60 },
    .decode = senml_cbor_decode,
};
