/* China Mobile OneNET, HTTP push:
 *
 *   {"msg":{"type":1,"imei":"86…","dev_id":2016617,"ds_id":"3200_0_5505","at":1466133706841,"value":"…hexadecimal…"},
 *    "msg_signature":"…","nonce":"…"}
 *
 * type: 1 data, 2 coming and going, 7 what became of a command.  Several messages may be pushed as one: msg is an array then, and each of
 * its elements is kept as a record of its own, so a message alone is read as well.  The newer OneNET sends msg as a text in which the message
 * stands: {"notifyType":"property","deviceName":"86…","data":{"params":{"RAWData":{"value":"…","time":1695…}}}}. */
#include "proto/envelope.h"
#include "proto/platform.h"
#include "proto/trace.h"

enum { TYPE, IMEI, DEVICE, STREAM, TIME, VALUE, NOTIFY, DEVICE_NAME, DATA, MEMBERS };
static const char *const names[MEMBERS] = { "type",  "imei",       "dev_id",     "ds_id", "at",
                                            "value", "notifyType", "deviceName", "data" };

/* The message: msg, what stands in its text, or all of it. */
static enum err find_message(struct span bytes, struct arena *a, struct json *out,
                             struct refusal *r)
{
    struct json root, msg;
    struct span text;
    enum err err = json_check(bytes, &root, r);

    if (err)
        return err;
    if (json_get(root, "enc_msg").kind != JSON_IS_ABSENT)
        return refuse(r, ERR_UNSUPPORTED, 0, "enc_msg",
                      "the push is encrypted; choose plain text over HTTPS at the platform");
    msg = json_get(root, "msg");
    *out = msg.kind == JSON_IS_ABSENT ? root : msg;
    if (msg.kind == JSON_IS_TEXT) {
        if ((err = json_text(msg, a, &text)))
            return err == ERR_NO_MEMORY
                       ? err
                       : refuse(r, ERR_MALFORMED, json_offset(bytes, msg), "msg",
                                "expected a message, found a text that is no UTF-8");
        err = json_check(text, out, r);
        if (err && r)
            r->offset = json_offset(bytes, msg);
    }
    return err;
}

static enum err pick(struct span bytes, struct arena *a, struct json m[MEMBERS],
                     enum envelope_kind *out_kind, struct refusal *r)
{
    struct json message = { 0 };
    int64_t type = 0;
    enum err err = find_message(bytes, a, &message, r);

    if (err)
        return err;
    json_pick(message, names, MEMBERS, m);
    if (m[NOTIFY].kind == JSON_IS_TEXT) {
        *out_kind = json_is(m[NOTIFY], "property") ? ENVELOPE_PAYLOAD : ENVELOPE_ASIDE;
        return ERR_OK;
    }
    if (json_int(json_unquoted(m[TYPE]), &type))
        return refuse(r, ERR_MALFORMED, 0, "msg.type",
                      "expected a message of OneNET with a type, or at most %d of them",
                      ENVELOPE_MESSAGES);
    *out_kind = type == 1 ? ENVELOPE_PAYLOAD : ENVELOPE_ASIDE;
    return ERR_OK;
}

static enum err onenet_envelope(const struct dialect *d, struct span bytes, struct arena *a,
                                struct envelope *out, struct refusal *r)
{
    struct json m[MEMBERS];
    enum err err = pick(bytes, a, m, &out->kind, r);

    (void)d;
    if (err)
        return err;
    out->event = out->kind == ENVELOPE_PAYLOAD ? "data" : "event";
    return ERR_OK;
}

static enum err onenet_split(struct span bytes, enum err (*each)(void *arg, struct span part),
                             void *arg)
{
    struct json root, msg, part;
    enum err err;

    if (json_check(bytes, &root, NULL))
        return each(arg, bytes); /* refused there */
    msg = json_get(root, "msg");
    if (msg.kind != JSON_IS_ARRAY || json_element(msg, ENVELOPE_MESSAGES).raw.len)
        return each(arg, bytes); /* too many are refused as one */
    for (struct json_walk w = json_walk(msg); json_next(&w, NULL, &part);)
        if ((err = each(arg, part.raw)))
            return err;
    return ERR_OK;
}

/* Properties, each with a time of its own: those that hold bytes. */
static enum err properties(struct platform *p, struct json data)
{
    struct json params = json_get(data, "params"), name, v;
    enum err err = ERR_OK;
    bool raw = false;

    for (struct json_walk w = json_walk(params); !err && json_next(&w, &name, &v);) {
        struct json value = v.kind == JSON_IS_OBJECT ? json_get(v, "value") : v;
        int64_t at_s = 0;

        if (!envelope_is_raw(name) || value.kind != JSON_IS_TEXT)
            continue;
        raw = true;
        if (!platform_ms(json_get(v, "time"), &at_s))
            at_s = 0;
        err = platform_part(p, value, true, "data.params", envelope_heard(p->in, at_s));
    }
    return raw || err ? err : platform_part(p, params, true, "data.params", 0);
}

static enum err onenet_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                              struct refusal *r)
{
    struct platform p = platform_of(in, a, out, r);
    struct json m[MEMBERS] = { { 0 } };
    enum envelope_kind kind = ENVELOPE_ASIDE;
    enum err err;

    if ((err = pick(in->bytes, a, m, &kind, r)) || (err = platform_name(&p, m[IMEI], "imei")) ||
        (err = platform_name(&p, m[DEVICE_NAME], "deviceName")) ||
        (err = platform_name(&p, m[DEVICE], "dev_id")) || (err = platform_time(&p, m[TIME], "at")))
        return err;
    if (m[STREAM].kind == JSON_IS_TEXT)
        trace_field(in->trace, m[STREAM].raw, "ds_id", "", "", "%.*s", (int)m[STREAM].raw.len,
                    (const char *)m[STREAM].raw.at);
    if (kind == ENVELOPE_PAYLOAD && m[NOTIFY].kind == JSON_IS_TEXT)
        err = properties(&p, m[DATA]);
    else if (kind == ENVELOPE_PAYLOAD)
        err = platform_part(&p, m[VALUE], true, "value", 0);
    return err ? err : platform_end(&p);
}

const struct dialect dialect_onenet = {
    .name = "onenet",
    .id = 10,
    .enveloped = true,
    .formats = { 0 },
    .decode = onenet_decode,
    .envelope = onenet_envelope,
    .split = onenet_split,
};
