/* The link layer, and what a reply is about. What read replies hold is told in cjt188_data.c. */
#include "proto/cjt188_priv.h"

#include "proto/cjt188_encode.h"

#define ADDRESS_DIGITS 14
#define MAKER_DIGITS 4

/* ---- link ----------------------------------------------------------------------------------- */

static uint8_t sum_of(const uint8_t *at, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + at[i]);
    return sum;
}

static enum err link_length(struct cjt188 *c, struct span frame)
{
    size_t whole;

    if (frame.len && frame.at[0] != 0x68)
        return refuse(c->r, ERR_MALFORMED, cjt188_offset(c, frame.at), "start",
                      "expected 68, found %02X", frame.at[0]);
    if (frame.len < CJT188_HEAD)
        return refuse(c->r, ERR_TRUNCATED, (uint32_t)c->in->bytes.len, "length",
                      "expected at least %d bytes from 68 on, found %zu", CJT188_LEAST, frame.len);
    whole = CJT188_LEAST + (size_t)frame.at[10];
    if (frame.len < whole)
        return refuse(c->r, ERR_TRUNCATED, (uint32_t)c->in->bytes.len, "length",
                      "L is %02X: expected %zu bytes from 68 on, found %zu", frame.at[10], whole,
                      frame.len);
    if (frame.len > whole)
        return refuse(c->r, ERR_MALFORMED, cjt188_offset(c, frame.at + whole), "length",
                      "L is %02X: expected %zu bytes from 68 on, found %zu", frame.at[10], whole,
                      frame.len);
    return ERR_OK;
}

static enum err link_check(struct cjt188 *c, struct span frame)
{
    const uint8_t *sum = frame.at + frame.len - 2, *end = sum + 1;
    uint8_t computed = sum_of(frame.at, frame.len - 2);

    trace_field(c->trace, span_of(sum, 1), "checksum", "",
                *sum == computed ? "agrees" : "does not agree", "%02X", *sum);
    trace_field(c->trace, span_of(end, 1), "end", "", "", "%02X", *end);
    if (*end != 0x16)
        return refuse(c->r, ERR_MALFORMED, cjt188_offset(c, end), "end", "expected 16, found %02X",
                      *end);
    if (*sum != computed)
        return refuse(c->r, ERR_MALFORMED, cjt188_offset(c, sum), "checksum",
                      "the bytes add up to %02X, the frame says %02X", computed, *sum);
    return ERR_OK;
}

static const char *type_name(uint8_t type)
{
    switch (type) {
    case 0x10:
        return "cold water";
    case 0x11:
        return "domestic hot water";
    case 0x12:
        return "drinking water";
    case 0x13:
        return "reclaimed water";
    case 0x20:
        return "heat";
    case 0x21:
        return "cooling";
    case 0x22:
        return "heat and cooling";
    case 0x30:
        return "gas";
    default:
        return "no type of the standard";
    }
}

static bool type_is_foreign(uint8_t type)
{
    return (type >= 0x20 && type <= 0x22) || type == 0x30;
}

/* As people read it: the wire's last byte first.  The broadcast address AA… names nobody. */
static enum err names_read(struct cjt188 *c, struct span address)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = (char *)arena_alloc(c->g.arena, ADDRESS_DIGITS);
    bool broadcast = true;

    if (!text)
        return refuse(c->r, ERR_NO_MEMORY, 0, "address", "no memory left");
    for (size_t i = 0; i < address.len; i++) {
        uint8_t byte = address.at[address.len - 1 - i];

        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 15];
        broadcast &= byte == 0xaa;
    }
    if (!broadcast)
        c->f.names =
            (struct frame_names){ 2,
                                  { span_of(text, ADDRESS_DIGITS),
                                    span_of(text + MAKER_DIGITS, ADDRESS_DIGITS - MAKER_DIGITS) } };
    trace_field(c->trace, address, "address", "", broadcast ? "to all: no meter is named" : "",
                "%.*s", ADDRESS_DIGITS, text);
    trace_field(c->trace, span_of(address.at, 5), "address.meter", "", "", "%.10s",
                text + MAKER_DIGITS);
    trace_field(c->trace, span_of(address.at + 5, 2), "address.maker", "", "", "%.4s", text);
    return ERR_OK;
}

static const char *function_name(uint8_t control)
{
    switch (control & CONTROL_FUNCTION) {
    case FUNCTION_READ:
        return "read";
    case FUNCTION_READ_ADDRESS:
        return "read address";
    case FUNCTION_WRITE:
        return "write";
    case FUNCTION_READ_KEY:
        return "read version of key";
    case FUNCTION_WRITE_ADDRESS:
        return "write address";
    case FUNCTION_WRITE_BASE:
        return "write base index";
    default:
        return NULL;
    }
}

static void control_tell(const struct cjt188 *c, struct span raw)
{
    const char *name = function_name(c->control), *done = "the meter did";

    if (c->control & CONTROL_FAILED)
        done = "the meter could not";
    if (!(c->control & CONTROL_REPLY))
        done = "a request";
    trace_field(c->trace, raw, "control", "", done, "%02X %s", c->control, name ? name : "?");
}

static enum err control_check(struct cjt188 *c, uint32_t offset)
{
    if (!(c->control & CONTROL_REPLY))
        return refuse(c->r, ERR_MALFORMED, offset, "control",
                      "control %02X is a request to a meter, not a meter's reply", c->control);
    if (c->control & CONTROL_MAKERS)
        return refuse(c->r, ERR_NO_RECIPE, offset, "control",
                      "control %02X has bit D5, which each maker uses in his own way", c->control);
    if (!function_name(c->control))
        return refuse(c->r, ERR_UNSUPPORTED, offset, "control",
                      "control %02X has a function that the standard reserves", c->control);
    return ERR_OK;
}

/* Preambles, then the head; `c->data` is DATA afterwards. */
static enum err link_read(struct cjt188 *c)
{
    struct span frame = c->in->bytes;
    size_t preambles = 0;
    enum err err;

    while (preambles < frame.len && preambles < CJT188_PREAMBLES && frame.at[preambles] == 0xfe)
        preambles++;
    if (preambles)
        trace_field(c->trace, span_of(frame.at, preambles), "preamble", "", "", "%zu", preambles);
    frame = span_of(preambles ? frame.at + preambles : frame.at, frame.len - preambles);
    if ((err = link_length(c, frame)))
        return err;
    c->type = frame.at[1];
    c->control = frame.at[9];
    c->data = span_of(frame.at + CJT188_HEAD, frame.at[10]);
    trace_field(c->trace, span_of(frame.at, 1), "start", "", "", "68");
    trace_field(c->trace, span_of(frame.at + 1, 1), "type", "", type_name(c->type), "%02X",
                c->type);
    if ((err = names_read(c, span_of(frame.at + 2, 7))))
        return err;
    control_tell(c, span_of(frame.at + 9, 1));
    trace_field(c->trace, span_of(frame.at + 10, 1), "length", "", "bytes of data", "%zu",
                c->data.len);
    if ((err = link_check(c, frame)) || (err = control_check(c, cjt188_offset(c, frame.at + 9))))
        return err;
    if (type_is_foreign(c->type))
        return refuse(c->r, ERR_UNSUPPORTED, cjt188_offset(c, frame.at + 1), "type",
                      "type %02X measures %s, not water", c->type, type_name(c->type));
    return ERR_OK;
}

/* ---- what it is about ----------------------------------------------------------------------- */

/* Makers send DI in either order.  The one under which a table knows it, with that much behind it, counts; of
 * two, or none, the one that begins as identifiers do. */
static bool begins_as_identifier(uint8_t byte)
{
    return byte == 0x90 || byte == 0x91 || byte == 0x81 || byte == 0xa0 || byte == 0xa1 ||
           (byte >= 0xd1 && byte <= 0xd4);
}

static bool item_fits(uint16_t di, size_t length)
{
    const struct cjt188_item *item = cjt188_item_of(di);

    return item && (item->length < 0 || (size_t)item->length == length);
}

static bool high_byte_first(struct span data)
{
    const uint8_t *at = data.at;
    bool high = item_fits((uint16_t)(at[0] << 8 | at[1]), data.len - CJT188_DI_SER);
    bool low = item_fits((uint16_t)(at[1] << 8 | at[0]), data.len - CJT188_DI_SER);

    if (high != low)
        return high;
    return begins_as_identifier(at[0]) || !begins_as_identifier(at[1]);
}

/* DI and SER; `c->data` is what stands behind. */
static enum err identifier_read(struct cjt188 *c)
{
    const uint8_t *at = c->data.at;
    const struct cjt188_item *item;
    bool high;

    if (c->data.len < CJT188_DI_SER)
        return refuse(c->r, ERR_MALFORMED, cjt188_offset(c, at), "data",
                      "expected DI and SER, found %zu bytes of data", c->data.len);
    high = high_byte_first(c->data);
    c->di = (uint16_t)(high ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
    c->serial = at[2];
    c->data = span_of(at + CJT188_DI_SER, c->data.len - CJT188_DI_SER);
    item = cjt188_item_of(c->di);
    trace_field(c->trace, span_of(at, 2), "identifier", "",
                high ? "high byte first" : "low byte first", "%04X %s", c->di,
                item ? item->name : "of no table");
    trace_field(c->trace, span_of(at + 2, 1), "serial", "", "", "%u", c->serial);
    return ERR_OK;
}

static enum err outcome_add(struct cjt188 *c, uint8_t serial, uint32_t result)
{
    struct outcome *o = (struct outcome *)arena_alloc(c->g.arena, sizeof *o);

    if (!o)
        return refuse(c->r, ERR_NO_MEMORY, 0, "", "no memory left");
    *o = (struct outcome){ .command = serial, .result = result, .bits = 8 };
    c->f.outcomes = o;
    c->f.outcome_count = 1;
    trace_field(c->trace, span_of(NULL, 0), "outcome", "", result ? "failed" : "done",
                "of the command whose number ends in %02X", serial);
    return ERR_OK;
}

static bool is_write(const struct cjt188 *c)
{
    uint8_t function = c->control & CONTROL_FUNCTION;

    return function == FUNCTION_WRITE || function == FUNCTION_WRITE_ADDRESS ||
           function == FUNCTION_WRITE_BASE;
}

static enum err written(struct cjt188 *c)
{
    enum err err = identifier_read(c);

    if (err)
        return err;
    if (c->data.len == 2)
        cjt188_status(c, c->data);
    else if (c->data.len)
        trace_field(c->trace, c->data, "data", "", "the maker's own", "%zu bytes", c->data.len);
    return outcome_add(c, c->serial, 0);
}

/* SER and ST, as the standard says, or one byte less, or a byte of status alone: makers differ. */
static enum err failed(struct cjt188 *c)
{
    struct span data = c->data;

    if (data.len < 1 || data.len > 3)
        return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, data.at), "data",
                      "a failure with %zu bytes of data, 1 to 3 are known", data.len);
    if (data.len == 1) {
        trace_field(c->trace, data, "status", "",
                    "the maker's own; no SER: of which request, it does not say", "%02X",
                    data.at[0]);
        c->f.status |= (uint32_t)data.at[0] << STATUS_RAW_SHIFT;
        return ERR_OK;
    }
    c->serial = data.at[0];
    trace_field(c->trace, span_of(data.at, 1), "serial", "", "", "%u", c->serial);
    if (data.len == 3) {
        cjt188_status(c, span_of(data.at + 1, 2));
    } else {
        trace_field(c->trace, span_of(data.at + 1, 1), "status", "", "the maker's own", "%02X",
                    data.at[1]);
        c->f.status |= (uint32_t)data.at[1] << STATUS_RAW_SHIFT;
    }
    return is_write(c) ? outcome_add(c, c->serial, 1) : ERR_OK;
}

static enum err reply_read(struct cjt188 *c)
{
    enum err err;

    if (c->control & CONTROL_FAILED)
        return failed(c);
    if (is_write(c))
        return written(c);
    if ((err = identifier_read(c)) || (err = cjt188_read(c)))
        return err;
    if ((err = gather_end(&c->g, &c->f)))
        return refuse(c->r, err, 0, "", "no memory left");
    return ERR_OK;
}

static enum err cjt188_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                              struct refusal *r)
{
    struct cjt188 c = { .in = in, .trace = in->trace, .r = r, .g = gather_of(a) };
    enum err err;

    if (!(err = link_read(&c)))
        err = reply_read(&c);
    if (!err || err_class(err) == ERR_CLASS_WAIT)
        *out = c.f;
    return err;
}

const struct dialect dialect_cjt188 = {
    .name = "cjt188",
    .id = 3,
    .enveloped = false,
    .formats = { 0 },
    .decode = cjt188_decode,
    .command = cjt188_command,
};
