/* The water balance of a zone (rules-fleet Z5 to Z10; CJJ 92): what meters say in, figures out.  Exact: a share stays a fraction until it is told. */
#ifndef NILO_SERVER_BILLING_WATER_BALANCE_H
#define NILO_SERVER_BILLING_WATER_BALANCE_H

#include "proto/base/day.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Of volumes that are no whole millilitres, and of shares: each is a whole number of 1/WATER_UNIT, whatever days, years and attributes are. */
#define WATER_UNIT ((__int128)31536000 * 1000000)
typedef __int128 water_parts;

enum water_input { INPUT_MAINS_KM, INPUT_OUTLET_PRESSURE_MPA, INPUT_FROST_M, WATER_INPUTS }; /* in the order of Z7 */
const char *water_input_name(enum water_input i);

/* What the register says of a zone, in millionths of km, MPa and m; `known` is a set of 1 << input. */
struct zone_traits {
    bool region; /* it is the sum of its direct children (Z10) */
    unsigned known;
    int64_t input[WATER_INPUTS];
    bool has_share;
    int64_t share;                           /* of use that is read at households, in millionths */
    int64_t billed_unmetered, free_unmetered; /* millionths of a litre a day */
    int64_t publish;                          /* millionths of a percent */
};
#define PUBLISH_STANDING (INT64_C(98) * 1000000)

/* What its meters say over the span. */
struct water_facts {
    int64_t span_s; /* > 0 */
    int32_t years;  /* water_years */
    bool inlet_fitted, gates_read; /* gates: fitted inlets and outlets */
    bool inflow_known;
    int64_t inflow_ml, residential_ml;
    int64_t billed_ml, unbilled_ml; /* read and estimated; residential_ml is among the former */
    int64_t estimated_ml;           /* of both */
    uint64_t due, read;             /* customers (Z4) */
};

/* A percentage as parts of a whole that is the inflow; told by water_share. */
struct water_share {
    bool known;
    water_parts parts; /* percent × ml × WATER_UNIT */
};

struct water_balance {
    bool published;
    bool inflow_known;
    int64_t inflow_ml, estimated_ml;
    uint64_t due, read;
    water_parts billed, unbilled, loss; /* ml × WATER_UNIT; count where published */
    struct water_share r_wl, r[4], rn, r_bl, nrw;
    unsigned missing; /* inputs that nobody registered: a set of 1 << input */
};

/* Whole years from a midnight to that of the same day and month (Z8); 0: any other span. */
int32_t water_years(const struct zone *z, int64_t from_s, int64_t to_s);

/* RANGE: volumes beyond what could be added up. */
MUST_CHECK enum err water_balance_of(const struct zone_traits *t, const struct water_facts *f, struct water_balance *out);

/* A region, child by child: begin, add each, end. RANGE likewise. */
void water_region_begin(struct water_balance *region);
MUST_CHECK enum err water_region_add(struct water_balance *region, const struct water_balance *child);
void water_region_end(struct water_balance *region);

/* In hundredths of a percent, rounded half away from zero (Z9). */
int64_t water_share(const struct water_balance *b, const struct water_share *s);
int64_t water_ml(water_parts v);                      /* likewise, to the millilitre */
int64_t water_completeness(const struct water_balance *b);    /* in hundredths of a percent, cut */
const char *water_grade(const struct water_balance *b);       /* "I", "II", "none"; NULL: unknown */
bool water_enough(int64_t publish, uint64_t read, uint64_t due); /* read / due ≥ publish; nothing due: enough */

/* The middle one of `count` ≥ 1 values, of an even number the mean of the two in the middle, half away from zero. Sorts them. */
int64_t water_median(int64_t *values, size_t count);

#endif
