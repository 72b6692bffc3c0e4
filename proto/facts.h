/* The values that storage keeps and the rules reason over.  Plain data: no memory is owned here but by struct rows. */
#ifndef NILO_PROTO_FACTS_H
#define NILO_PROTO_FACTS_H

#include "proto/frame.h"

/* ---- readings ---------------------------------------------------------------------------------------------------- */

enum source { SOURCE_REMOTE, SOURCE_MANUAL, SOURCE_PHOTO, SOURCE_SIGNED };

#define ATTR_SOURCE 0x03u  /* enum source */
#define ATTR_RETIMED 0x04u /* contract §3 */
#define ATTR_FUTURE 0x08u  /* stamped more than FUTURE_AFTER_S after its arrival */
#define ATTR_ALL 0x0fu    /* what may stand on disk */
#define ATTR_EDITED 0x10u /* in memory alone: no reading, a person says so (server/billing/edit.h) */

#define FUTURE_AFTER_S 600 /* rules-bills B4, rules-fleet L4 */

/* Of two sources the better has the higher rank: signed, then manual and photo alike, then remote (rules-bills B6). */
static inline unsigned source_rank(uint32_t attr)
{
    return (attr & ATTR_SOURCE) == SOURCE_SIGNED ? 2 : (attr & ATTR_SOURCE) != SOURCE_REMOTE;
}

/* A kept reading of one meter and channel. Rows of a series stand in order of time; of one instant, as first received. */
struct row {
    int64_t value;   /* thousandths of what `index_l` shows: millilitres */
    uint32_t time_s; /* UTC */
    uint32_t attr;
};

struct rows {
    struct row *at;
    size_t count, cap;
};

MUST_CHECK enum err rows_push(struct rows *rows, struct row row); /* NO_MEMORY */
MUST_CHECK enum err rows_reserve(struct rows *rows, size_t more);
MUST_CHECK enum err rows_append(struct rows *rows, const struct row *at, size_t count); /* NO_MEMORY; `at` may be NULL where there are none */
void rows_done(struct rows *rows); /* frees; a zeroed one is fine */

/* Sorts by time, stably, and keeps one of rows with equal time and value: the earliest place, the better source, and neither
 * ATTR_FUTURE nor ATTR_RETIMED unless all of them have it (rules-bills B4, B6).  Sorted input costs one pass. NO_MEMORY. */
MUST_CHECK enum err rows_tidy(struct rows *rows);

/* ---- what a meter said besides ----------------------------------------------------------------------------------- */

#define VITALS_OFFSETS                                                                              \
    7 /* handbook §4.3: the median of the last seven tells a clock from a slow network */

#define VITALS_PAUSES 6

/* The newest of what a meter's frames say about itself. */
struct vitals {
    uint64_t position;         /* of the newest frame; 0: never vitals */
    uint32_t arrival_s;        /* of that frame */
    uint32_t status;           /* of that frame */
    uint32_t seq;              /* likewise, but where frames count by a rule that of the newest such */
    uint32_t digest;           /* of the frame that `seq` is from, 24 bits; 0: it counts by no rule */
    bool rises;                /* that frame's rule is SEQ_RISES */
    bool renewed;              /* and it was KEY_NEWEST: what comes under an earlier key was played back */
    uint32_t battery_mv, cell; /* of the newest frame that had them; 0: none had */
    int16_t rsrp_dbm, snr_db;  /* likewise */
    uint8_t offset_count;
    int32_t offset_s
        [VITALS_OFFSETS]; /* meter's clock − arrival, a report each, newest first; reports without a clock have none */
    bool timed;           /* offset_s[0] is of the report at hand: of its frames the newest stamp counts, others are history */
    uint8_t pause_count;
    uint16_t pause_min[VITALS_PAUSES]; /* from one report to the next, newest first */
    uint16_t longest_quarters; /* the longest of all pauses, in quarters of an hour; with each report a 256th of it is forgotten */
};
#define VITALS_PAUSE_LEAST_S 600 /* what follows sooner belongs to the same report */

/* How often it reports: the median of its last pauses, in seconds; 0: fewer than two are known. */
uint32_t vitals_period_s(const struct vitals *h);
static inline uint32_t vitals_longest_s(const struct vitals *h)
{
    return h->longest_quarters * 900u;
}

/* A pause that was too long for this meter (server/detect/silent.h), from its last report before to the first one after. */
struct hush {
    uint32_t meter, from_s, to_s;
    uint32_t period_s, longest_s; /* how often it reported before, and its longest pause until then; 0: not known */
    uint32_t cell;                /* radio cell, or gateway, of the last report before */
};

/* Whether a frame is a report, by those of the meter before it: `h` has taken them in the order of the journal. */
enum fold {
    FOLD_COUNTS,
    FOLD_REPEAT, /* one transmission, heard twice */
    FOLD_REPLAY  /* its counter does not rise, or its key was given up: played back */
};
#define FOLD_REPEAT_WITHIN_S 900

/* `at_s`: when the network heard it, else its arrival. A frame that `h` has taken already counts: what it was before is not known
 * any more. */
enum fold vitals_fold(const struct vitals *h, const struct frame *f, uint64_t position, uint32_t at_s);

/* Takes a frame that was heard at arrival_s and lies at `position`. One that is older than what is known, or known already, changes
 * nothing, so that settling may begin again. */
void vitals_take(struct vitals *h, const struct frame *f, uint64_t position, uint32_t arrival_s);

/* The median of the offsets; false where there are none. */
bool vitals_offset(const struct vitals *h, int32_t *out_s);

/* ---- meters and places ------------------------------------------------------------------------------------------- */

enum register_form { REGISTER_NET, REGISTER_FORWARD, REGISTER_BOTH };

enum use_class {
    USE_UNKNOWN,
    USE_RESIDENTIAL,
    USE_COMMERCIAL,
    USE_INDUSTRIAL,
    USE_PUBLIC,
    USE_HYDRANT,
    USE_ZONE_INLET,
    USE_ZONE_OUTLET
};

struct meter_facts {
    uint32_t id; /* dense, from 1 */
    char serial[SERIAL_MAX + 1];
    int32_t dn_mm;
    int64_t q3_lph;
    int64_t resolution_ml;   /* one pulse: `resolution_l`, without it 1 L (rules-bills B3) */
    int64_t modulus_ml;      /* rules-bills B3 */
    enum register_form form; /* default FORWARD */
};

static inline enum channel meter_billed_channel(const struct meter_facts *m)
{
    return m->form == REGISTER_NET ? CHANNEL_NET : CHANNEL_FORWARD;
}

#define FITTING_OPEN INT64_MAX

struct fitting {
    uint32_t meter, point;
    int64_t from_s, to_s; /* both ends belong to it; to_s FITTING_OPEN while fitted */
    int64_t start_ml, end_ml;
    bool has_end; /* `end_ml` counts */
};

struct point_facts {
    uint32_t id;
    char point[64];
    enum use_class use;
};

#endif
