/* What a meter told us, whatever its dialect.  Read this first.
 *
 * Every value carries its own time; values of one series stand newest first, as meters send them.  Volumes are millilitres,
 * PRESSURE is pascals (thousandths of a kPa), TEMPERATURE thousandths of a degree: always thousandths of what the contract's
 * `index_l` shows.  Memory is the arena's that the decoder was given. */
#ifndef NILO_PROTO_FRAME_H
#define NILO_PROTO_FRAME_H

#include "proto/base/text.h"

enum channel {
    CHANNEL_FORWARD,
    CHANNEL_REVERSE,
    CHANNEL_NET,
    CHANNEL_PRESSURE,
    CHANNEL_TEMPERATURE,
    CHANNEL_COUNT,
    CHANNEL_BILLED = 15 /* no direction was named: it counts on the channel that the meter is billed by (rules-bills B2) */
};

enum frame_status_bit { /* STATUS_LEAK_BIT: its place */
#define STATUS(name, told, words) STATUS_##name##_BIT,
#include "proto/status.def"
#undef STATUS
    STATUS_BITS
};

enum frame_status { /* STATUS_LEAK: its weight */
#define STATUS(name, told, words) STATUS_##name = 1 << STATUS_##name##_BIT,
#include "proto/status.def"
#undef STATUS
};

struct sample {
    int64_t at_s;  /* UTC seconds; may lie before 1970 until the frame is re-timed */
    int64_t value; /* thousandths, see above */
};

struct series {
    enum channel channel;
    uint32_t count;
    const struct sample *samples;
};

/* What became of a command, as the meter says it: 0 done, 1 failed, 2 refused, 3 expired; others are kept as sent. */
struct outcome {
    uint32_t command, result;
    uint8_t bits; /* how many low bits of its number the meter gives back (CJ/T 188: 8); 0: all */
};

/* What the payload calls its meter, the name that tells most first: of those that are registered the first counts. */
#define FRAME_NAMES 3
struct frame_names {
    uint32_t count; /* 0 where the payload names no meter */
    struct span at[FRAME_NAMES];
};

static inline struct frame_names names_of(struct span name)
{
    return (struct frame_names){ .count = name.len > 0, .at = { name } };
}

/* How `seq` is to be understood. */
enum seq_rule {
    SEQ_INFORMS, /* numbers reports, and starts anew as it pleases */
    SEQ_REPEATS, /* likewise; equal number and equal `digest` shortly after one another are one transmission heard twice */
    SEQ_RISES    /* authenticated: one that does not rise is a replay (EN 13757-7, mode 7) */
};

/* A list of DIF/VIF bytes that compact frames refer to (EN 13757-3, handbook §3.7). */
struct format_id {
    uint16_t maker, signature;
    uint8_t version, type;
    bool sealed; /* under a key of the meter's: what anybody could say must not tell how to read that */
    uint8_t nth; /* of lists that share a signature: which, from 0; 0 in a frame that teaches */
};
#define FORMAT_LISTS 4 /* with one signature: two may meet by chance, and anybody can make one */

/* Status of a frame: the bits of enum frame_status, and above them two bytes as the meter sent them (M-Bus STS; CJ/T 188 ST,
 * first byte low), so that what no table names is kept. */
#define STATUS_MEANT 0x0000ffffu
#define STATUS_RAW_SHIFT 16

/* Among a meter's keys that which opened a frame. */
enum key_age {
    KEY_ONLY,     /* no other held before it, or none opened it */
    KEY_OUTDATED, /* another took its place by the time the frame was heard */
    KEY_NEWEST    /* it took another's place */
};

#define CELL_GATEWAY 0x80000000u /* of a radio cell: it is a gateway, by the last 31 bits of its EUI; of one that is called otherwise by those of its name's CRC-32C. Cells of a carrier have 28 bits. */

struct frame {
    struct frame_names names; /* views of the input or the arena */
    uint32_t seq;       /* 0 = does not count, but for SEQ_REPEATS */
    enum seq_rule seq_rule;
    uint32_t digest;    /* with SEQ_REPEATS: 24 bits of a hash of the payload, not 0 */
    uint32_t key_mark;  /* with SEQ_RISES: CRC-32C of the key that opened it */
    enum key_age key_age; /* decoders leave it 0: whoever folds frames asks the key ring */
    int64_t heard_s;    /* when the network heard it, where an envelope says so; 0: arrival */
    int64_t sent_s;     /* meter's clock at sending; 0 = has none */
    bool retimed;       /* set by frame_retime */
    uint32_t status, battery_mv;
    uint32_t cell;      /* radio cell, 0: not told; with CELL_GATEWAY the gateway that heard it best */
    int32_t rsrp_dbm, snr_db;
    uint32_t series_count, outcome_count;
    const struct series *series;
    const struct outcome *outcomes;
    bool has_format;         /* a full frame teaches its compact form */
    struct format_id format;
    struct span format_list; /* the DIF/VIF bytes, a view */
};

static inline struct span frame_name(const struct frame *f)
{
    return f->names.count ? f->names.at[0] : span_of(NULL, 0);
}

/* Contract §3, "Clocks": where the meter's clock lies more than 400 days before or more than 600 s after `arrival_s` (`heard_s` where
 * that is known), every time in the frame is shifted by arrival − sent.  Samples are changed in place.  Values whose time still is outside [0, 2^32) are
 * RANGE, with `r` (may be NULL) naming the first. */
MUST_CHECK enum err frame_retime(struct frame *f, int64_t arrival_s, struct refusal *r);

const char *channel_name(enum channel c);                                   /* "forward" */
const char *channel_unit(enum channel c);                                   /* of a thousand: "L", "kPa", "degrees" */
MUST_CHECK enum err channel_read(struct span name, enum channel *out_channel); /* NOT_FOUND */

/* A bit of a status by its place, NULL from STATUS_BITS on. */
const char *status_name(unsigned bit);  /* as the API says it: "valve_closed" */
const char *status_words(unsigned bit); /* for people: "valve closed" */
/* What the bits say, "leak, dry"; "" where none is set. Bits that no table names are "unknown"; cut off where it is longer than `cap`. */
void status_put(char *out, size_t cap, uint32_t bits);

const char *outcome_name(uint64_t result); /* "done", "failed", "refused", "expired", "unknown" */

#endif
