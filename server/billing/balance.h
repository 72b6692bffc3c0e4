/* The water balance of a zone (rules-fleet Z5 to Z10; CJJ 92): what meters say in, figures out.  Exact: a share stays a fraction until it is told. */
#ifndef NILO_SERVER_BILLING_BALANCE_H
#define NILO_SERVER_BILLING_BALANCE_H

#include "proto/base/day.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Of volumes that are no whole millilitres, and of shares: each is a whole number of 1/BALANCE_UNIT, whatever days, years and attributes are. */
#define BALANCE_UNIT ((__int128)31536000 * 1000000)
typedef __int128 balance_parts;

enum balance_input { INPUT_MAINS_KM, INPUT_OUTLET_PRESSURE_MPA, INPUT_FROST_M, BALANCE_INPUTS }; /* in the order of Z7 */
const char *balance_input_name(enum balance_input i);

/* What the register says of a zone, in millionths of km, MPa and m; `known` is a set of 1 << input. */
struct zone_traits {
    bool region; /* it is the sum of its direct children (Z10) */
    unsigned known;
    int64_t input[BALANCE_INPUTS];
    bool has_share;
    int64_t share;                           /* of use that is read at households, in millionths */
    int64_t billed_unmetered, free_unmetered; /* millionths of a litre a day */
    int64_t publish;                          /* millionths of a percent */
};
#define PUBLISH_STANDING (INT64_C(98) * 1000000)

/* What its meters say over the span. */
struct balance_facts {
    int64_t span_s; /* > 0 */
    int32_t years;  /* balance_years */
    bool inlet_fitted, gates_read; /* gates: fitted inlets and outlets */
    bool inflow_known;
    int64_t inflow_ml, residential_ml;
    int64_t billed_ml, unbilled_ml; /* read and estimated; residential_ml is among the former */
    int64_t estimated_ml;           /* of both */
    uint64_t due, read;             /* customers (Z4) */
};

/* A percentage as parts of a whole that is the inflow; told by balance_share. */
struct balance_share {
    bool known;
    balance_parts parts; /* percent × ml × BALANCE_UNIT */
};

struct balance {
    bool published;
    bool inflow_known;
    int64_t inflow_ml, estimated_ml;
    uint64_t due, read;
    balance_parts billed, unbilled, loss; /* ml × BALANCE_UNIT; count where published */
    struct balance_share r_wl, r[4], rn, r_bl, nrw;
    unsigned missing; /* inputs that nobody registered: a set of 1 << input */
};

/* Whole years from a midnight to that of the same day and month (Z8); 0: any other span. */
int32_t balance_years(const struct zone *z, int64_t from_s, int64_t to_s);

/* RANGE: volumes beyond what could be added up. */
MUST_CHECK enum err balance_of(const struct zone_traits *t, const struct balance_facts *f, struct balance *out);

/* A region, child by child: begin, add each, end. RANGE likewise. */
void balance_region_begin(struct balance *region);
MUST_CHECK enum err balance_region_add(struct balance *region, const struct balance *child);
void balance_region_end(struct balance *region);

/* In hundredths of a percent, rounded half away from zero (Z9). */
int64_t balance_share(const struct balance *b, const struct balance_share *s);
int64_t balance_ml(balance_parts v);                      /* likewise, to the millilitre */
int64_t balance_completeness(const struct balance *b);    /* in hundredths of a percent, cut */
const char *balance_grade(const struct balance *b);       /* "I", "II", "none"; NULL: unknown */
bool balance_enough(int64_t publish, uint64_t read, uint64_t due); /* read / due ≥ publish; nothing due: enough */

/* The middle one of `count` ≥ 1 values, of an even number the mean of the two in the middle, half away from zero. Sorts them. */
int64_t balance_median(int64_t *values, size_t count);

#endif
