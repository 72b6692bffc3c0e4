/* One meter's life: a place with its people, a meter, its radio, at most one fault, and what else befalls data; and the truth of it.
 *
 * The rows are what a server would have kept: by time, of one instant what takes part under rules-bills B6.  The same options and n
 * make the same life, whatever lives are made beside it. */
#ifndef NILO_TOOLS_SIM_TRIAL_H
#define NILO_TOOLS_SIM_TRIAL_H

#include "proto/base/day.h"
#include "tools/sim/fault.h"

struct trial_options {
    uint64_t seed;
    uint32_t days;           /* of each life; it begins on some day of the year after from_day */
    int64_t from_day;        /* days since 1970-01-01 */
    const struct zone *zone; /* without summer time */
    double faulty;           /* share of places that have a fault */
    uint32_t kinds;          /* a set of 1 << enum fault_kind: those that are drawn; 0: all */
    bool
        mishaps_given; /* each life has `mishaps`, a set of 1 << enum mishap, instead of what chance brings */
    unsigned mishaps;
    bool homes; /* families in flats alone, all from from_day on */
};

/* What befalls data and is no fault of the meter. */
#define TRIAL_MISHAPS                                                                              \
    X(GLITCH, "glitch of 80 000 m³")                                                               \
    X(WILD, "digits read wrong")                                                                   \
    X(REBASED, "re-based by technicians")                                                          \
    X(CLOCK_RESET, "clock reset")                                                                  \
    X(DOUBLED, "doubled day")                                                                      \
    X(ESTIMATED, "estimate between reads")                                                         \
    X(TYPED, "whole m³ typed")                                                                     \
    X(EXCHANGED, "exchange")                                                                       \
    X(MOVED, "moved to another customer")                                                          \
    X(ROLLED, "roll-over")                                                                         \
    X(DEAF, "weeks without radio")
enum mishap {
#define X(name, text) MISHAP_##name,
    TRIAL_MISHAPS
#undef X
        MISHAPS
};
extern const char *const mishap_name[MISHAPS];

struct trial_row {
    struct row row;
    uint32_t arrival_s;
    uint8_t channel, fitting; /* enum channel; place in `fittings` */
};

/* What a report says of the meter besides. */
struct trial_vital {
    uint32_t arrival_s, status; /* enum frame_status */
    int32_t offset_s;           /* the meter's clock − true time */
    uint16_t battery_mv;
};

struct trial {
    uint32_t n;
    unsigned tries; /* places that were drawn until one could have the fault */
    int64_t from_day;
    double from_s, to_s; /* UTC */
    struct meter_facts meter;
    struct point_facts point;
    struct fitting fittings[2];
    unsigned fitting_count;
    struct enduse use;
    enum works works;
    struct curve curve;
    struct fault fault;
    unsigned mishaps; /* a set of 1 << enum mishap */
    double mishap_s;  /* when, of those that have an instant */
    /* the truth */
    double start_ml;
    double
        used_lpd; /* what a sound meter would have registered, over all the life, without the fault's own water */
    double would_lpd;  /* the same while the fault lasts */
    double lost_lpd;   /* water lost or not registered for each day that the fault lasts */
    double seen_share; /* of a leak's water: what the sound meter registers of it */
    /* the readings */
    struct trial_row *rows;
    size_t count, cap;
    struct trial_vital *vitals; /* one a report that arrived */
    size_t vital_count, vital_cap;
    struct course course;
    /* in a house: the meter before all of them, and who has this flat's water from an instant on */
    struct trial *above, *other;
    double other_s;
};

/* Writes the life `n` into `l`, whose memory is used again; a zeroed one is fine. NO_MEMORY. */
MUST_CHECK enum err trial_live(const struct trial_options *o, uint32_t n, struct trial *l);
void trial_done(struct trial *l);

/* The same in steps, for house.c: what it is, its days, what is known of them. */
MUST_CHECK enum err trial_begin(const struct trial_options *o, uint32_t n, struct trial *l);
void trial_days(const struct trial_options *o, struct trial *l);
MUST_CHECK enum err trial_end(const struct trial_options *o, struct trial *l);
/* A meter of this size (0: DN15, 1: DN20, … 8: DN150). */
void trial_meter(struct trial *l, struct chance *c, int size);

/* ---- trial_radio.c ---- */

/* Rows and vitals of what has flowed. NO_MEMORY. */
MUST_CHECK enum err trial_readings(struct trial *l, const struct trial_options *o);

/* ---- mishap.c ---- */

/* Draws what befalls this life; after its meter is made. */
void mishaps_draw(struct trial *l, const struct trial_options *o, struct chance *c);
/* Lets it befall the rows. NO_MEMORY. */
MUST_CHECK enum err mishaps_befall(struct trial *l, struct chance *c);
/* By time; of one instant the one that goes before under rules-bills B6. */
void trial_tidy(struct trial *l);
MUST_CHECK enum err trial_push(struct trial *l, const struct trial_row *row); /* NO_MEMORY */

#endif
