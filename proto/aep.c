/* China Telecom AEP (CTWing), message subscription by HTTP:
 *
 *   {"messageType":"dataReport","IMEI":"86…","deviceId":"…","timestamp":1630403930495,"protocol":"lwm2m","serviceId":1,
 *    "payload":{"APPdata":"…base 64…"}}
 *
 * Of products with a profile the payload holds fields, or {"serviceId":"…","serviceData":{…}}.  timestamp: milliseconds. */
#include "proto/envelope.h"
#include "proto/platform.h"
#include "proto/trace.h"

enum { TYPE, IMEI, DEVICE, TIME, PAYLOAD, EVENT, MEMBERS };
static const char *const names[MEMBERS] = { "messageType", "IMEI",    "deviceId",
                                            "timestamp",   "payload", "eventContent" };

static bool begins(struct json v, const char *word)
{
    size_t len = strlen(word);

    return v.kind == JSON_IS_TEXT && v.raw.len > len && memcmp(v.raw.at + 1, word, len) == 0;
}

static enum err pick(struct span bytes, struct json m[MEMBERS], enum envelope_kind *out_kind,
                     struct refusal *r)
{
    struct json root;
    enum err err = json_check(bytes, &root, r);

    if (err)
        return err;
    json_pick(root, names, MEMBERS, m);
    if (m[TYPE].kind != JSON_IS_TEXT && m[PAYLOAD].kind == JSON_IS_ABSENT)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "messageType",
                      "expected a push of AEP with messageType and payload");
    if (m[TYPE].kind != JSON_IS_TEXT || begins(m[TYPE], "dataReport"))
        *out_kind = ENVELOPE_PAYLOAD;
    else
        *out_kind = begins(m[TYPE], "eventReport") ? ENVELOPE_HEARD : ENVELOPE_ASIDE;
    return ERR_OK;
}

static enum err aep_envelope(const struct dialect *d, struct span bytes, struct arena *a,
                             struct envelope *out, struct refusal *r)
{
    struct json m[MEMBERS];
    enum err err = pick(bytes, m, &out->kind, r);

    (void)d;
    (void)a;
    if (err)
        return err;
    out->event = out->kind == ENVELOPE_PAYLOAD ? "data" : "event";
    return ERR_OK;
}

static enum err aep_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                           struct refusal *r)
{
    struct platform p = platform_of(in, a, out, r);
    struct json m[MEMBERS] = { { 0 } };
    enum envelope_kind kind = ENVELOPE_ASIDE;
    enum err err;

    if ((err = pick(in->bytes, m, &kind, r)) || (err = platform_name(&p, m[IMEI], "IMEI")) ||
        (err = platform_name(&p, json_get(m[PAYLOAD], "serviceData.IMEI"), "IMEI")) ||
        (err = platform_name(&p, m[DEVICE], "deviceId")) ||
        (err = platform_time(&p, m[TIME], "timestamp")))
        return err;
    trace_field(in->trace, m[TYPE].raw, "messageType", "", "", "%.*s", (int)m[TYPE].raw.len,
                (const char *)m[TYPE].raw.at);
    if (kind == ENVELOPE_PAYLOAD && m[PAYLOAD].kind == JSON_IS_ABSENT)
        return refuse(r, ERR_MALFORMED, 0, "payload", "expected a payload, found none");
    if (kind == ENVELOPE_PAYLOAD) {
        struct json plain = json_get(m[PAYLOAD], "APPdata");
        bool fields = plain.kind != JSON_IS_TEXT;

        if ((err = platform_part(&p, fields ? m[PAYLOAD] : plain, false,
                                 fields ? "payload" : "payload.APPdata", 0)))
            return err;
    }
    return platform_end(&p);
}

const struct dialect dialect_aep = {
    .name = "aep",
    .id = 9,
    .enveloped = true,
    .formats = { 0 },
    .decode = aep_decode,
    .envelope = aep_envelope,
};
