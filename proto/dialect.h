/* The table of dialects: how bytes become a struct frame.  Adding one is a file and a line in dialect.c. */
#ifndef NILO_PROTO_DIALECT_H
#define NILO_PROTO_DIALECT_H

#include "proto/base/arena.h"
#include "proto/frame.h"
#include "proto/lore.h"

struct trace;
struct envelope;

/* What a decoder may use. */
struct dialect_input {
    struct span bytes;
    int64_t arrival_s;       /* for what has no clock: used where the meter sends none */
    struct span given;       /* the meter's name by the transport (?m=, what DTLS proves); may be empty */
    struct span recipe;      /* of the dialect "recipe": which */
    uint8_t port;            /* the uplink's, of LoRaWAN; 0: it came otherwise */
    const struct lore *lore; /* may be NULL */
    struct lore_memo *memo;  /* of the frame at hand; NULL: nothing is remembered */
    struct trace *trace;     /* NULL: nobody wants to know */
};

/* A command on its way to a meter (contract §3, `Command`). */
enum command_what {
    COMMAND_VALVE,         /* value: 1 open, 0 close */
    COMMAND_REPORT_EVERY,  /* s */
    COMMAND_REPORT_OFFSET, /* s after midnight */
    COMMAND_STEP,          /* s between values */
    COMMAND_BASE_INDEX,    /* L */
    COMMAND_HISTORY,       /* value: from, until: to; Unix seconds */
    COMMAND_TIME           /* value: Unix seconds; native meters take it from Commands.now */
};
struct meter_command {
    uint32_t id;        /* from 1 */
    uint32_t expires_s; /* Unix seconds; 0: never */
    enum command_what what;
    int64_t value, until;
    struct span meter; /* what the dialect calls the meter: the name that it was heard under */
    int64_t now_s;
    const struct zone *zone; /* civil time of the utility, for meters whose clocks show it; NULL: UTC+8 */
};

struct dialect {
    const char *name;       /* "native"; the path is /r for it and /r/NAME for all others */
    uint8_t id;             /* as kept in the journal: never reused */
    bool enveloped;         /* comes from a network server or a platform, by HTTP or MQTT, and has no path of its own in CoAP */
    uint16_t formats[4];    /* CoAP Content-Formats taken besides "absent", 42 and 0; 0 ends the list where the first is not 0 */
    /* Pure. MALFORMED, TRUNCATED, RANGE, TOO_LARGE, UNSUPPORTED with `r` filled; of class WAIT, with `r` and out->names filled, and
     * heard_s, status, battery and radio where they could be read: well-formed, but something is missing; NO_MEMORY when the arena
     * is full. */
    enum err (*decode)(const struct dialect_input *in, struct arena *a, struct frame *out, struct refusal *r);
    /* NULL: dialect_explain asks `decode` with a trace. */
    enum err (*explain)(const struct dialect_input *in, bool json, struct wr *out, struct refusal *r);
    /* The bytes that tell the meter a command, for the answer to its report or for a downlink. UNSUPPORTED: it knows none such;
     * NULL: the native message serves. */
    enum err (*command)(const struct meter_command *c, struct wr *out);
    /* Of enveloped ones, for envelope_read and envelope_split (envelope.h). `split` NULL: every push is one frame. */
    enum err (*envelope)(const struct dialect *d, struct span bytes, struct arena *a, struct envelope *out, struct refusal *r);
    enum err (*split)(struct span bytes, enum err (*each)(void *arg, struct span part), void *arg);
};

#define DIALECT_RECIPE 6 /* id of the dialect whose record names a recipe besides */

const struct dialect *dialect_by_name(struct span name); /* NULL if unknown */
const struct dialect *dialect_by_id(uint8_t id);

/* Walks the table: dialect_at(0), dialect_at(1), … NULL at its end. */
const struct dialect *dialect_at(size_t n);

/* The frame as lines for people, JSON where `json`: offset, raw bytes, field, value, unit, meaning, by the decoder itself, and at the
 * end the values that it makes. Where the decoder refuses, what it read until then, and its error. FULL when `out` is. */
MUST_CHECK enum err dialect_explain(const struct dialect *d, const struct dialect_input *in, bool json, struct arena *a,
                                    struct wr *out, struct refusal *r);

/* What stands inside an envelope: `bytes` are read by the dialect or recipe that the register's column `dialect` names for the
 * meter. `out` comes with names, heard_s, radio and counter filled, which are kept where the inner frame says nothing else; an inner
 * frame that names its meter itself must name one of `out->names` or the same meter, else NAMES_DIFFER. UNKNOWN, NO_RECIPE.
 * `fallback`: the dialect where the register says nothing, or NULL. */
MUST_CHECK enum err dialect_inner(const struct dialect_input *in, struct span bytes, const struct dialect *fallback, struct arena *a,
                                  struct frame *out, struct refusal *r);

#endif
