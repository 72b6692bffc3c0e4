/* A town that never was: people who use water, meters that show it, radio that loses some of it,
 * and faults whose truth is known. The same options make the same town, byte for byte.
 *
 * Use is made of single draws (a flush, a tap, a shower), never of what detectors look for; faults
 * change what the meter makes of the flow, or add to the flow. Formulas stand in town.c beside the
 * code. */
#ifndef NILO_TOOLS_SIM_TOWN_H
#define NILO_TOOLS_SIM_TOWN_H

#include "proto/facts.h"
#include "tools/sim/voice.h"

struct town_options {
    uint32_t meters, days;
    uint64_t seed;
    bool mixed; /* meters of several dialects; else all are native */
    int64_t from_s;          /* the first civil day's midnight; 0: 2026-01-01 in the zone */
    const struct zone *zone; /* civil time of the people */
};

enum town_fault { TOWN_SOUND, TOWN_STUCK, TOWN_REVERSED, TOWN_LEAK };
enum town_way {
    TOWN_FAMILY,
    TOWN_VACANT,
    TOWN_SECOND_HOME,
    TOWN_ALWAYS_ON,
    TOWN_SHOP,
    TOWN_OFFICE,
    TOWN_WORKS
};

struct town_meter {
    struct meter_facts facts;
    struct point_facts point;
    char address[96]; /* Chinese for most, English for some */
    char zone[16], route[16];
    int64_t lon_e6, lat_e6;
    enum town_way way;
    bool daily; /* one reading a day; else one an hour */
    enum town_fault fault;
    int64_t onset_s, end_s; /* of the fault; end_s: repaired, INT64_MAX never */
    double size_lph;        /* of a leak */
    int64_t start_ml;       /* what the register shows at the beginning */
    enum voice voice;       /* what it speaks */
    char radio_id[SERIAL_MAX + 1]; /* contract §4; "" where the serial serves */
    uint8_t key[VOICE_KEY];        /* of those that encrypt */
};

struct town;

/* INVALID: no meters, no days, or a span that leaves 1970 to 2106. NO_MEMORY. */
MUST_CHECK enum err town_new(const struct town_options *options, struct town **out);
void town_free(struct town *t);                                        /* NULL is fine */
const struct town_meter *town_meter(const struct town *t, uint32_t n); /* n < options.meters */

const struct town_options *town_options_of(const struct town *t); /* with from_s filled in */
uint64_t town_lost(const struct town *t); /* readings taken so far that never arrived */

struct town_reading {
    uint32_t meter; /* n */
    enum channel channel;
    struct row row; /* source in row.attr */
};
/* The next day's reports in the order in which they arrive: most hold that day's readings, some
 * what an earlier day could not get through. False from `each` ends it. *out_more: there is another
 * day. */
MUST_CHECK enum err town_day(struct town *t, bool (*each)(void *arg, const struct town_reading *r),
                             void *arg, bool *out_more);

struct town_summary {
    uint64_t meters, readings, lost; /* lost: taken by a meter, never arrived */
    uint64_t faults[4];              /* by enum town_fault */
};

/* Writes orgs.csv, zones.csv, routes.csv, meters.csv, keys.csv, points.csv, fittings.csv and readings.csv
 * (contract §4) into the folder `dir`, which is made; truth.csv (serial,kind,onset,size_lph,note),
 * one row a fault; notes.csv (serial,way), how each place is used. readings.csv has
 * serial,time,index_l,channel,source in order of arrival: whoever replays it must send a row on its
 * channel. IO, FULL; `r` names the file. */
MUST_CHECK enum err town_write(const struct town_options *options, const char *dir,
                               struct town_summary *out, struct refusal *r);

#endif
