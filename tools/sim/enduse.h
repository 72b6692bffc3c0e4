/* How people and machines use water, draw by draw: what lies behind a meter, before any meter.
 *
 * Nothing here knows what detectors look for.  Each figure is one of the literature's, named in enduse.c (homes) and
 * enduse_trade.c (everything else). The same stream of chance gives the same days. */
#ifndef NILO_TOOLS_SIM_ENDUSE_H
#define NILO_TOOLS_SIM_ENDUSE_H

#include "tools/sim/chance.h"

enum way {
    WAY_FAMILY,
    WAY_SECOND_HOME,
    WAY_VACANT,
    WAY_FLATS, /* one meter for 2 to 40 flats */
    WAY_SHOP,
    WAY_RESTAURANT,
    WAY_OFFICE,
    WAY_SCHOOL,
    WAY_HOTEL,
    WAY_COOLING, /* a cooler, an ice machine, a fish pond: continuous by nature */
    WAY_WORKS,
    WAYS
};
extern const char *const way_name[WAYS]; /* "family" */

#define FLATS_MAX 40
#define QUARTERS 96 /* of an hour, in a day */

/* When a home draws: a quarter of an hour picked at random from a list in which busy ones stand more often. */
struct hours {
    uint16_t count;
    uint8_t quarter[QUARTERS * 4];
};

struct home {
    int people;
    double habit; /* scales how often and how long: 1 is the mean */
    double mood;  /* logarithm of how much of that it is of late */
    double flush_l, shower_lph, wash_l, drip_lph;
    bool dishwasher;
    double night_flush;               /* a person's chance of one in a night */
    struct hours hours[2];            /* Monday to Friday, weekend */
    double leaves_year;               /* journeys of a day and more in a year */
    bool shuts_valve;                   /* whenever they leave */
    bool goes_home, travels;          /* Spring Festival, October */
    double away_from_s, away_until_s; /* the journey at hand: civil seconds since 1970 */
    int64_t stay_until;               /* of a second home: the day on which they leave */
    int64_t smaller_day;              /* a child leaves home; 0 never */
    int64_t leaves_day, enters_day;   /* tenants change; 0 never */
    /* garden and house */
    int water_every, water_quarter; /* a timer's; 0 none */
    double water_lph, water_min;
    bool waters_by_hand;
    int soften_every; /* a softener's days; 0 none */
    int64_t pool_day; /* the pool is filled; 0 never */
    double pool_lph, pool_h;
};

struct enduse {
    enum way way;
    struct home home;
    /* trade */
    int open_from, open_to,
        closed_from;       /* hours; closed from this day of the week on, 0 = Monday, 7 never */
    double people, each_l; /* in a usual day, and what each uses */
    double base_lph;       /* runs by nature */
    int flat_count;
    struct home flats[FLATS_MAX]; /* of WAY_FLATS */
};

/* A draw: `seconds` from the instant at_s (UTC seconds and fractions) on, evenly. */
typedef void enduse_take(void *arg, double at_s, double seconds, double lph);

/* A place of this way, as it is on from_day (days since 1970-01-01); what changes does so within `days`. */
void enduse_make(struct enduse *u, struct chance *c, enum way way, int64_t from_day, int days);
/* The day `day`, whose civil midnight is at midnight_s. Days are asked for in order. */
void enduse_day(struct enduse *u, struct chance *c, int64_t day, double midnight_s,
                enduse_take *take, void *arg);

/* ---- shared by the two files ---- */

void home_make(struct home *h, struct chance *c, int64_t from_day, int days);
void home_day(struct home *h, struct chance *c, int64_t day, double midnight_s, enduse_take *take,
              void *arg);
void trade_make(struct enduse *u, struct chance *c);
void trade_day(const struct enduse *u, struct chance *c, int64_t day, double midnight_s,
               enduse_take *take, void *arg);
/* Days from `day` to the next first day of a Chinese year; within − 20 of one that has begun: below 0. */
int spring_in(int64_t day);

#endif
