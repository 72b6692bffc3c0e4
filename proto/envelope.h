/* What network servers and operators' platforms wrap around what a meter sent: JSON, pushed by HTTP or MQTT.  Each dialect of that
 * kind reads its own form; this is what they share, and what whoever takes a push asks of it before anybody judges the frame. */
#ifndef NILO_PROTO_ENVELOPE_H
#define NILO_PROTO_ENVELOPE_H

#include "proto/base/json.h"
#include "proto/dialect.h"

enum envelope_kind {
    ENVELOPE_PAYLOAD, /* bears what the meter says */
    ENVELOPE_HEARD,   /* the meter was on the air, and said nothing of water: a join, a status, a frame of the MAC layer alone */
    ENVELOPE_ASIDE    /* not from the meter: a log, a downlink's fate, a platform's own news */
};

struct envelope {
    enum envelope_kind kind;
    const char *event;      /* "up", "join", "ack", …; static */
    struct span meter;      /* what it calls the meter: names[0] of its frame; empty where it names none */
    /* LoRaWAN, for downlinks and counters. */
    struct span queue_item; /* of an event that tells a downlink's fate: what the downlink was sent with */
    bool acknowledged;
    bool has_count;
    uint32_t count; /* fCnt */
    uint8_t port;   /* fPort */
};

/* What the push is about.  MALFORMED, TRUNCATED, TOO_LARGE, RANGE, NO_METER with `r`: what the decoder says, too. The strings it decodes lie in
 * the arena. `d` must be enveloped. */
MUST_CHECK enum err envelope_read(const struct dialect *d, struct span bytes, struct arena *a, struct envelope *out, struct refusal *r);

/* A push that holds the frames of several meters: the parts, each one whole by itself.  Calls `each` for them, or once for `bytes` as
 * they are, also where there are more than ENVELOPE_MESSAGES (it refuses them); ends with the first error that it returns. */
MUST_CHECK enum err envelope_split(const struct dialect *d, struct span bytes, enum err (*each)(void *arg, struct span part), void *arg);

/* ---- for the dialects ---- */

#define ENVELOPE_OLD_S (400 * 86400LL) /* as the contract bounds meters' clocks (§3) */
#define ENVELOPE_AHEAD_S 600
#define ENVELOPE_MESSAGES 1024 /* or services in one push: of 64 bytes each, so no platform has more; rubbish would be judged piece by piece */
#define ENVELOPE_LEVELS 6      /* of a platform's own fields around the meter's bytes */

/* When the network heard it: `at_s`, or 0 (arrival) where that lies too far from the arrival to be true. */
int64_t envelope_heard(const struct dialect_input *in, int64_t at_s);

/* RFC 3339 with offset, or what Huawei writes (20151212T121212Z). False: it is no time. */
bool envelope_time(struct json v, int64_t *out_s);

/* The nearest whole number; false: no number, or beyond ±1 000 000. */
bool envelope_round(struct json v, int32_t *out);

/* A name as the text or number says it, into the arena; empty where it is none that a meter can have. NO_MEMORY. */
MUST_CHECK enum err envelope_name(struct json v, struct arena *a, struct span *out);

enum envelope_coding {
    CODING_BASE64,       /* nothing else */
    CODING_BASE64_FIRST, /* but for so many hexadecimal digits that it can be nothing else */
    CODING_HEX_FIRST     /* base 64 where it is not hexadecimal */
};
/* The bytes that a text stands for. MALFORMED, NO_MEMORY. */
MUST_CHECK enum err envelope_bytes(const struct dialect_input *in, struct json v, enum envelope_coding coding, const char *field, struct arena *a,
                                   struct span *out, struct refusal *r);

/* Where it stands, for refusals: 0 for what was decoded first, and so lies elsewhere. */
uint32_t envelope_offset(const struct dialect_input *in, struct json v);

/* Among a platform's own fields: whether one of this name holds bytes as the meter sent them; the first such member in an object, down
 * to ENVELOPE_LEVELS, that is a text; absent where there is none. */
bool envelope_is_raw(struct json name);
struct json envelope_raw_member(struct json object);

/* For SEQ_REPEATS: 24 bits that tell payloads apart, not 0. */
uint32_t envelope_digest(uint8_t port, struct span payload);

#endif
