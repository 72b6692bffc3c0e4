/* A zone's water balance from the store: its tree of zones, its inlets and outlets, what its customers used, and its nights (rules-fleet Z). */
#ifndef NILO_SERVER_BALANCES_H
#define NILO_SERVER_BALANCES_H

#include "server/app.h"
#include "server/billing/water_balance.h"

#define ZONE_NAME_SIZE 64

struct night {
    int64_t day;             /* civil, since 1970-01-01 */
    int64_t begin_s, end_s;  /* its 02:00 and 04:00 */
    int64_t from_s;          /* the hour of least inflow begins */
    int64_t flow_ml, use_ml; /* in that hour */
    uint64_t with;           /* customers that were read at both ends of it */
    bool found;              /* there is such an hour */
    bool hydrant;            /* one was drawn from within 02:00–04:00 */
    bool use_known;
};

struct zone_part { /* of a region: a direct child */
    char zone[ZONE_NAME_SIZE];
    struct water_balance balance;
};

struct zone_balance {
    struct water_balance balance;
    bool region;
    char **missing; /* names of points that are due and not read, byte by byte */
    size_t missing_count, missing_cap;
    struct night *nights;
    size_t night_count;
    struct zone_part *parts; /* by name */
    size_t part_count;
};

/* Over [from_s, to_s), from_s < to_s, as of `now_s`. A read of all the zone's points: some tenths of a millisecond each, no transaction of which lasts longer
 * than one. *out is to be freed with zone_balance_done, also after an error. NOT_FOUND: no such zone; RANGE (water_balance_of); TOO_LARGE: more than ZONES_MOST zones;
 * NO_MEMORY, IO, CORRUPT. */
#define ZONES_MOST 100000
MUST_CHECK enum err zone_balance(struct app *app, struct span zone, int64_t from_s, int64_t to_s, int64_t now_s, struct zone_balance *out);
void zone_balance_done(struct zone_balance *b); /* a zeroed one is fine */

#endif
