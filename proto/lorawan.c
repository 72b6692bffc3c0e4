/* Events of LoRaWAN network servers.  ChirpStack v4 (its integration.proto as JSON) and The Things Stack (its data formats) tell the
 * same under other names, so an event is first picked apart into `struct event`, and from there on both are one.
 *
 * Whether an uplink or something else is told by the members alone: the bytes are kept in the journal without their topic.  A field
 * whose value is 0, "" or false may be left out, and null says no more than that.
 *
 * The payload inside is read by the dialect or recipe that the register names for the meter (dialect_inner). */
#include "proto/lorawan.h"

#include "proto/base/crc.h"
#include "proto/base/hex.h"
#include "proto/envelope.h"
#include "proto/trace.h"

#define EUI_DIGITS 16

/* What both servers tell, where it stands. */
struct event {
    const char *name;
    enum envelope_kind kind;
    struct json eui, time, count, port, payload, radios, sealed;
    struct json queue_item, acknowledged, battery;
    const char *eui_field, *payload_field, *count_field, *port_field;
};

static bool there(struct json v)
{
    return v.kind != JSON_IS_ABSENT;
}

static bool is_true(struct json v)
{
    return v.kind == JSON_IS_TRUE;
}

/* ---- ChirpStack ---- */

enum {
#define MEMBER(id, name) CS_##id,
#include "proto/chirpstack.def"
#undef MEMBER
    CS_MEMBERS
};

static const char *const cs_names[CS_MEMBERS] = {
#define MEMBER(id, name) name,
#include "proto/chirpstack.def"
#undef MEMBER
};

/* The order matters: an uplink has none of what comes first. */
static void cs_kind(const struct json m[CS_MEMBERS], struct event *e)
{
    e->kind = ENVELOPE_ASIDE;
    if (there(m[CS_LEVEL]) || there(m[CS_CODE]) || there(m[CS_TEXT]) || there(m[CS_ERROR])) {
        e->name = "log";
    } else if (there(m[CS_DOWNLINK]) || (there(m[CS_ITEM]) && there(m[CS_GATEWAY]))) {
        e->name = "txack";
    } else if (there(m[CS_ITEM]) || there(m[CS_ACKNOWLEDGED])) {
        e->name = "ack";
        e->kind = is_true(m[CS_ACKNOWLEDGED]) ? ENVELOPE_HEARD : ENVELOPE_ASIDE;
    } else if (there(m[CS_PLACE])) {
        e->name = "location";
    } else if (there(m[CS_INTEGRATION]) || there(m[CS_TYPE])) {
        e->name = "integration";
    } else if (there(m[CS_MARGIN]) || there(m[CS_BATTERY]) || there(m[CS_NO_BATTERY]) ||
               there(m[CS_MAINS])) {
        e->name = "status";
        e->kind = ENVELOPE_HEARD;
    } else if (there(m[CS_DATA]) || there(m[CS_RX]) || there(m[CS_TX]) || there(m[CS_COUNT]) ||
               there(m[CS_PORT])) {
        e->name = "up";
        e->kind = ENVELOPE_PAYLOAD;
    } else {
        e->name = "join"; /* or a status all of whose values are 0: the meter was heard */
        e->kind = ENVELOPE_HEARD;
    }
}

static enum err cs_pick(struct span bytes, struct json root, struct event *e, struct refusal *r)
{
    struct json m[CS_MEMBERS];

    json_pick(root, cs_names, CS_MEMBERS, m);
    if (m[CS_INFO].kind != JSON_IS_OBJECT)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "deviceInfo",
                      "expected an event of ChirpStack with a member deviceInfo");
    cs_kind(m, e);
    e->eui = json_get(m[CS_INFO], "devEui");
    e->time = m[CS_TIME];
    e->count = m[CS_COUNT];
    e->port = m[CS_PORT];
    e->payload = m[CS_DATA];
    e->radios = m[CS_RX];
    e->sealed = m[CS_SEALED];
    e->battery = m[CS_BATTERY];
    e->queue_item = m[CS_ITEM];
    if (!there(e->queue_item)) /* a log that a downlink was discarded */
        e->queue_item = json_get(m[CS_CONTEXT], "queue_item_id");
    e->acknowledged = m[CS_ACKNOWLEDGED];
    e->eui_field = "deviceInfo.devEui";
    e->payload_field = "data";
    e->count_field = "fCnt";
    e->port_field = "fPort";
    return ERR_OK;
}

/* ---- The Things Stack ---- */

/* Each event stands under a member of its own. */
static const struct tts_event {
    const char *member, *name;
    enum envelope_kind kind;
} tts_events[] = {
    { "uplink_message", "up", ENVELOPE_PAYLOAD },
    { "join_accept", "join", ENVELOPE_HEARD },
    { "downlink_ack", "ack", ENVELOPE_HEARD },
    { "downlink_nack", "nack", ENVELOPE_ASIDE },
    { "downlink_sent", "sent", ENVELOPE_ASIDE },
    { "downlink_failed", "failed", ENVELOPE_ASIDE },
    { "downlink_queued", "queued", ENVELOPE_ASIDE },
    { "downlink_queue_invalidated", "queue", ENVELOPE_ASIDE },
    { "location_solved", "location", ENVELOPE_ASIDE },
    { "service_data", "service", ENVELOPE_ASIDE },
    { "uplink_normalized", "normalized", ENVELOPE_ASIDE }, /* says again what an uplink said */
};
enum { TTS_EVENTS = sizeof tts_events / sizeof tts_events[0] };

static void tts_pick_uplink(struct json message, struct event *e)
{
    static const char *const names[] = { "f_cnt",
                                         "f_port",
                                         "frm_payload",
                                         "rx_metadata",
                                         "received_at",
                                         "app_s_key",
                                         "last_battery_percentage" };
    struct json m[7];

    json_pick(message, names, 7, m);
    e->count = m[0];
    e->port = m[1];
    e->payload = m[2];
    e->radios = m[3];
    if (there(m[4]))
        e->time = m[4]; /* when the network had it, before its application server */
    e->battery = json_get(m[6], "value");
    e->sealed = m[5]; /* sent along only where the server was told not to decrypt */
}

/* A downlink's fate names what it was sent with in its list of correlation ids. */
static void tts_pick_downlink(struct json downlink, struct event *e)
{
    struct json id;

    struct json inside = json_get(downlink, "downlink"); /* of one that failed, beside the reason */
    struct json ids = json_get(there(inside) ? inside : downlink, "correlation_ids");

    for (struct json_walk w = json_walk(ids); json_next(&w, NULL, &id);)
        if (id.raw.len > 6 && memcmp(id.raw.at + 1, "nilo-", 5) == 0)
            e->queue_item = id;
    e->acknowledged = downlink;
}

static enum err tts_pick(struct span bytes, struct json root, struct event *e, struct refusal *r)
{
    struct json ids = json_get(root, "end_device_ids"), body = { 0 };
    const struct tts_event *is = NULL;

    if (ids.kind != JSON_IS_OBJECT)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "end_device_ids",
                      "expected an event of The Things Stack with a member end_device_ids");
    for (size_t i = 0; i < TTS_EVENTS && !is; i++)
        if (there(body = json_get(root, tts_events[i].member)))
            is = &tts_events[i];
    if (!is)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, root), "uplink_message",
                      "expected uplink_message or another event that is known");
    e->name = is->name;
    e->kind = is->kind;
    e->eui = json_get(ids, "dev_eui");
    e->time = json_get(root, "received_at");
    if (is->kind == ENVELOPE_PAYLOAD)
        tts_pick_uplink(body, e);
    else if (strncmp(is->member, "downlink", 8) == 0)
        tts_pick_downlink(body, e);
    if (is_true(
            json_get(root, "simulated"))) { /* somebody's trial at a console, and no meter's word */
        e->name = "simulated";
        e->kind = ENVELOPE_ASIDE;
    }
    e->eui_field = "end_device_ids.dev_eui";
    e->payload_field = "uplink_message.frm_payload";
    e->count_field = "uplink_message.f_cnt";
    e->port_field = "uplink_message.f_port";
    return ERR_OK;
}

/* ---- what both tell ---- */

/* 16 digits in either case; kept in lower case, as one name. */
static enum err read_eui(struct span bytes, const struct event *e, struct arena *a,
                         struct span *out, struct refusal *r)
{
    uint8_t room[EUI_DIGITS + 1], *eui;
    struct span text;

    if (!there(e->eui))
        return refuse(r, ERR_NO_METER, 0, e->eui_field, "expected the device's EUI, found none");
    if (json_text_into(e->eui, room, sizeof room, &text) || text.len != EUI_DIGITS)
        return refuse(r, ERR_MALFORMED, json_offset(bytes, e->eui), e->eui_field,
                      "expected an EUI of %d hexadecimal digits", EUI_DIGITS);
    if (!(eui = (uint8_t *)arena_alloc(a, EUI_DIGITS)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < EUI_DIGITS; i++) {
        int digit = hex_digit(text.at[i]);

        if (digit < 0)
            return refuse(r, ERR_MALFORMED, json_offset(bytes, e->eui), e->eui_field,
                          "expected an EUI of %d hexadecimal digits", EUI_DIGITS);
        eui[i] = (uint8_t)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    *out = span_of(eui, EUI_DIGITS);
    return ERR_OK;
}

/* 0 where it is absent. */
static enum err read_uint(struct span bytes, struct json v, const char *field, int64_t most,
                          uint32_t *out, struct refusal *r)
{
    int64_t n = 0;
    enum err err = there(v) ? json_int(v, &n) : ERR_OK;

    if (err == ERR_MALFORMED)
        return refuse(r, err, json_offset(bytes, v), field, "expected a number");
    if (err || n < 0 || n > most)
        return refuse(r, ERR_RANGE, json_offset(bytes, v), field,
                      "expected a whole number from 0 to %lld", (long long)most);
    *out = (uint32_t)n;
    return ERR_OK;
}

static enum err pick(const struct dialect *d, struct span bytes, struct event *e, struct refusal *r)
{
    struct json root;
    enum err err;

    *e = (struct event){ .name = "" };
    if ((err = json_check(bytes, &root, r)))
        return err;
    return d == &dialect_tts ? tts_pick(bytes, root, e, r) : cs_pick(bytes, root, e, r);
}

/* Port 0 bears commands of the MAC layer alone, and an absent port is 0. */
static bool bears_payload(const struct event *e, uint32_t port)
{
    return e->kind == ENVELOPE_PAYLOAD && port && there(e->payload) && !json_is(e->payload, "");
}

static enum err text_of(struct json v, struct arena *a, struct span *out)
{
    enum err err = v.kind == JSON_IS_TEXT ? json_text(v, a, out) : ERR_OK;

    return err == ERR_NO_MEMORY ? err : ERR_OK;
}

static enum err lorawan_envelope(const struct dialect *d, struct span bytes, struct arena *a,
                                 struct envelope *out, struct refusal *r)
{
    struct event e;
    uint32_t port = 0;
    enum err err;

    if ((err = pick(d, bytes, &e, r)) || (err = read_eui(bytes, &e, a, &out->meter, r)) ||
        (err = read_uint(bytes, e.port, e.port_field, UINT8_MAX, &port, r)) ||
        (err = read_uint(bytes, e.count, e.count_field, UINT32_MAX, &out->count, r)) ||
        (err = text_of(e.queue_item, a, &out->queue_item)))
        return err;
    out->event = e.name;
    out->kind = e.kind == ENVELOPE_PAYLOAD && !bears_payload(&e, port) ? ENVELOPE_HEARD : e.kind;
    out->has_count = e.kind == ENVELOPE_PAYLOAD;
    out->port = (uint8_t)port;
    out->acknowledged = there(e.acknowledged) && e.acknowledged.kind != JSON_IS_FALSE;
    return ERR_OK;
}

/* ---- decoding ---- */

/* A gateway as a radio cell: what is silent together hangs on one. 0: it is not told. */
static uint32_t gateway_of(struct json radio, struct arena *a)
{
    struct json ids = json_get(radio, "gateway_ids"), eui = json_get(ids, "eui");
    struct json id = there(eui)   ? eui
                     : there(ids) ? json_get(ids, "gateway_id")
                                  : json_get(radio, "gatewayId");
    struct span text = { 0 };
    uint32_t number = 0;

    if (text_of(id, a, &text) || !text.len)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.at[i]);

        if (digit < 0 || text.len != EUI_DIGITS)
            return CELL_GATEWAY | crc32c(0, text.at, text.len);
        number = number << 4 | (uint32_t)digit;
    }
    return CELL_GATEWAY | number;
}

/* Of the gateways that heard it the one that heard it best. */
static void read_radios(const struct dialect_input *in, const struct event *e, struct arena *a,
                        struct frame *out)
{
    struct json radio;
    bool any = false;

    for (struct json_walk w = json_walk(e->radios); json_next(&w, NULL, &radio);) {
        int32_t rssi = 0, snr = 0;
        bool known = envelope_round(json_get(radio, "rssi"), &rssi);

        known = envelope_round(json_get(radio, "snr"), &snr) || known;
        trace_field(in->trace, json_get(radio, "rssi").raw, "gateway.rssi", "dBm", "", "%d", rssi);
        trace_field(in->trace, json_get(radio, "snr").raw, "gateway.snr", "dB", "", "%d", snr);
        if (!known || (any && (snr < out->snr_db || (snr == out->snr_db && rssi <= out->rsrp_dbm))))
            continue;
        any = true;
        out->snr_db = snr;
        out->rsrp_dbm = rssi;
        out->cell = gateway_of(radio, a);
    }
}

static enum err read_head(const struct dialect_input *in, const struct event *e, struct arena *a,
                          struct frame *out, struct refusal *r)
{
    struct span eui = { 0 };
    int64_t heard_s;
    enum err err;

    trace_field(in->trace, span_of(in->bytes.at, 0), "event", "", "", "%s", e->name);
    if ((err = read_eui(in->bytes, e, a, &eui, r)))
        return err;
    out->names = names_of(eui);
    trace_field(in->trace, e->eui.raw, e->eui_field, "", "", "%.*s", (int)eui.len,
                (const char *)eui.at);
    if (there(e->time) && !envelope_time(e->time, &heard_s))
        return refuse(r, ERR_MALFORMED, json_offset(in->bytes, e->time), "time",
                      "expected a time such as 2026-03-01T02:03:04Z");
    if (there(e->time)) {
        out->heard_s = envelope_heard(in, heard_s);
        trace_field(in->trace, e->time.raw, "heard", "",
                    out->heard_s ? "" : "too far from the arrival, which counts instead", "%.*s",
                    (int)e->time.raw.len, (const char *)e->time.raw.at);
    }
    if (there(e->battery)) /* volts are what a frame keeps, and nobody tells them here */
        trace_field(in->trace, e->battery.raw, "battery", "%", "", "%.*s", (int)e->battery.raw.len,
                    (const char *)e->battery.raw.at);
    read_radios(in, e, a, out);
    return ERR_OK;
}

static enum err read_payload(const struct dialect_input *in, const struct event *e, uint8_t port,
                             struct arena *a, struct frame *out, struct refusal *r)
{
    struct dialect_input inner = *in;
    struct span payload;
    enum err err;

    inner.port = port;
    if (there(e->sealed))
        return refuse(r, ERR_NO_KEY, json_offset(in->bytes, e->sealed), e->payload_field,
                      "the network server was told not to decrypt it, and nobody else has its key");
    if ((err = envelope_bytes(in, e->payload, CODING_BASE64, e->payload_field, a, &payload, r)))
        return err;
    out->digest = envelope_digest(port, payload);
    trace_field(in->trace, e->payload.raw, e->payload_field, "bytes", "", "%zu", payload.len);
    return dialect_inner(&inner, payload, NULL, a, out, r);
}

static enum err lorawan_decode(const struct dialect *d, const struct dialect_input *in,
                               struct arena *a, struct frame *out, struct refusal *r)
{
    struct event e;
    uint32_t count = 0, port = 0;
    enum err err;

    if ((err = pick(d, in->bytes, &e, r)) || (err = read_head(in, &e, a, out, r)) ||
        (err = read_uint(in->bytes, e.count, e.count_field, UINT32_MAX, &count, r)) ||
        (err = read_uint(in->bytes, e.port, e.port_field, UINT8_MAX, &port, r)))
        return err;
    if (e.kind != ENVELOPE_PAYLOAD)
        return ERR_OK;
    trace_field(in->trace, e.count.raw, e.count_field, "", "", "%u", count);
    trace_field(in->trace, e.port.raw, e.port_field, "", port ? "" : "the MAC layer's own", "%u",
                port);
    out->seq = count;
    out->seq_rule = SEQ_REPEATS;
    out->digest = envelope_digest((uint8_t)port, span_of("", 0));
    if (!bears_payload(&e, port))
        return ERR_OK;
    return read_payload(in, &e, (uint8_t)port, a, out, r);
}

static enum err chirpstack_decode(const struct dialect_input *in, struct arena *a,
                                  struct frame *out, struct refusal *r)
{
    return lorawan_decode(&dialect_chirpstack, in, a, out, r);
}

static enum err tts_decode(const struct dialect_input *in, struct arena *a, struct frame *out,
                           struct refusal *r)
{
    return lorawan_decode(&dialect_tts, in, a, out, r);
}

const struct dialect dialect_chirpstack = {
    .name = "chirpstack",
    .id = 7,
    .enveloped = true,
    .formats = { 0 },
    .decode = chirpstack_decode,
    .envelope = lorawan_envelope,
};

const struct dialect dialect_tts = {
    .name = "tts",
    .id = 8,
    .enveloped = true,
    .formats = { 0 },
    .decode = tts_decode,
    .envelope = lorawan_envelope,
};
