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

enum frame_status { /* as in native.proto */
    STATUS_VALVE_CLOSED = 1,
    STATUS_VALVE_FAULT = 2,
    STATUS_BATTERY_LOW = 4,
    STATUS_MAGNET = 8,
    STATUS_TAMPER = 16,
    STATUS_LEAK = 32,
    STATUS_BURST = 64,
    STATUS_BACKFLOW = 128,
    STATUS_DRY = 256,
    STATUS_SENSOR_FAULT = 512,
    STATUS_FREEZE = 1024,
    STATUS_CLOCK_LOST = 2048
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
};

struct frame {
    struct span serial; /* borrowed from the input; empty where the payload names no meter */
    uint32_t seq;       /* 0 = does not count */
    int64_t sent_s;     /* meter's clock at sending; 0 = has none */
    bool retimed;       /* set by frame_retime */
    uint32_t status, battery_mv, cell;
    int32_t rsrp_dbm, snr_db;
    uint32_t series_count, outcome_count;
    const struct series *series;
    const struct outcome *outcomes;
};

/* Contract §3, "Clocks": where the meter's clock lies more than 400 days before or more than 600 s after `arrival_s`, every time
 * in the frame is shifted by arrival − sent.  Samples are changed in place.  Values whose time still is outside [0, 2^32) are
 * RANGE, with `r` (may be NULL) naming the first. */
MUST_CHECK enum err frame_retime(struct frame *f, int64_t arrival_s, struct refusal *r);

const char *channel_name(enum channel c);                                   /* "forward" */
MUST_CHECK enum err channel_read(struct span name, enum channel *out_channel); /* NOT_FOUND */

#endif
