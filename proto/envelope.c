#include "proto/envelope.h"

#include "proto/base/base64.h"
#include "proto/base/crc.h"
#include "proto/base/hex.h"
#include "proto/gather.h"

#include <string.h>

enum err envelope_read(const struct dialect *d, struct span bytes, struct arena *a,
                       struct envelope *out, struct refusal *r)
{
    *out = (struct envelope){ .event = "" };
    return d->envelope(d, bytes, a, out, r);
}

enum err envelope_split(const struct dialect *d, struct span bytes,
                        enum err (*each)(void *arg, struct span part), void *arg)
{
    return d->split ? d->split(bytes, each, arg) : each(arg, bytes);
}

/* ---- times ---- */

int64_t envelope_heard(const struct dialect_input *in, int64_t at_s)
{
    bool true_enough =
        at_s <= in->arrival_s + ENVELOPE_AHEAD_S && at_s >= in->arrival_s - ENVELOPE_OLD_S;

    return true_enough ? at_s : 0;
}

/* 20151212T121212Z becomes 2015-12-12T12:12:12Z. */
static struct span spread_time(struct span compact, char out[21])
{
    static const char form[] = "0000-00-00T00:00:00Z";
    size_t from = 0;

    memcpy(out, form, sizeof form);
    for (char *at = out; *at; at++)
        if (*at != '-' && *at != ':')
            memcpy(at, compact.at + from++, 1);
    return span_of(out, sizeof form - 1);
}

bool envelope_time(struct json v, int64_t *out_s)
{
    uint8_t room[64];
    char spread[21];
    struct span text;

    if (json_text_into(v, room, sizeof room, &text))
        return false;
    if (text.len == 16 && text.at[8] == 'T')
        text = spread_time(text, spread);
    return text_time(text, NULL, out_s) == ERR_OK;
}

/* ---- small values ---- */

bool envelope_round(struct json v, int32_t *out)
{
    struct json_number n;
    int64_t whole, tenths;

    if (json_number(v, &n) || scale_ten(n.mantissa, n.power + 1, false, &tenths))
        return false;
    whole = (tenths + (tenths < 0 ? -5 : 5)) / 10;
    if (whole < -1000000 || whole > 1000000)
        return false;
    *out = (int32_t)whole;
    return true;
}

enum err envelope_name(struct json v, struct arena *a, struct span *out)
{
    struct span name = span_of(NULL, 0);
    enum err err = ERR_OK;

    if (v.kind == JSON_IS_NUMBER)
        name = v.raw;
    else if (v.kind == JSON_IS_TEXT)
        err = json_text(v, a, &name);
    if (err == ERR_NO_MEMORY)
        return err;
    *out = !err && text_is_serial(name) ? name : span_of(NULL, 0);
    return ERR_OK;
}

uint32_t envelope_digest(uint8_t port, struct span payload)
{
    uint32_t sum = crc32c(crc32c(0, &port, 1), payload.at, payload.len) & 0xffffffu;

    return sum ? sum : 1;
}

/* ---- bytes in texts ---- */

#define HEX_SURE                                                                                   \
    16 /* digits: base 64 of so many characters that all are hexadecimal is rarer than 1 in 10 millions */

static bool is_hex(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (hex_digit(text.at[i]) < 0)
            return false;
    return text.len && text.len % 2 == 0;
}

static enum err refuse_coding(const struct dialect_input *in, struct json v,
                              enum envelope_coding coding, const char *field, struct refusal *r)
{
    static const char *const expected[] = { "base 64", "base 64 or hexadecimal",
                                            "hexadecimal or base 64" };

    return refuse(r, ERR_MALFORMED, envelope_offset(in, v), field, "expected a text of bytes in %s",
                  expected[coding]);
}

enum err envelope_bytes(const struct dialect_input *in, struct json v, enum envelope_coding coding,
                        const char *field, struct arena *a, struct span *out, struct refusal *r)
{
    struct span text;
    uint8_t *bytes;
    size_t len;
    enum err err = json_text(v, a, &text);
    bool hex;

    if (err == ERR_NO_MEMORY)
        return err;
    if (err)
        return refuse_coding(in, v, coding, field, r);
    if (!(bytes = (uint8_t *)arena_alloc(a, BASE64_MOST(text.len))))
        return ERR_NO_MEMORY;
    hex = coding != CODING_BASE64 && is_hex(text) &&
          (coding == CODING_HEX_FIRST || text.len >= HEX_SURE);
    err = hex ? hex_read(text, bytes, BASE64_MOST(text.len), &len)
              : base64_read(text, bytes, BASE64_MOST(text.len), &len);
    if (err)
        return refuse_coding(in, v, coding, field, r);
    *out = span_of(bytes, len);
    return ERR_OK;
}

uint32_t envelope_offset(const struct dialect_input *in, struct json v)
{
    bool inside = v.raw.at >= in->bytes.at && v.raw.at < in->bytes.at + in->bytes.len;

    return v.raw.at && inside ? json_offset(in->bytes, v) : 0;
}

/* ---- the frame among a platform's own fields ---- */

bool envelope_is_raw(struct json name)
{
    static const char *const names[] = { "APPdata",  "appData", "RAWData", "rawData",
                                         "raw_data", "rawdata", "payload" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_is(name, names[i]))
            return true;
    return false;
}

/* Each level is walked anew: without an end to them 64 KiB would take ten milliseconds. */
static struct json raw_member(struct json object, unsigned levels)
{
    struct json name, v, inner;

    for (struct json_walk w = json_walk(object); json_next(&w, &name, &v);) {
        if (v.kind == JSON_IS_TEXT && object.kind == JSON_IS_OBJECT && envelope_is_raw(name))
            return v;
        if (levels > 1 && (v.kind == JSON_IS_OBJECT || v.kind == JSON_IS_ARRAY)) {
            inner = raw_member(v, levels - 1);
            if (inner.kind != JSON_IS_ABSENT)
                return inner;
        }
    }
    return (struct json){ 0 };
}

struct json envelope_raw_member(struct json object)
{
    return raw_member(object, ENVELOPE_LEVELS);
}
