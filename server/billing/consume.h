/* Consumption of a point over a span (rules-bills C and D).  Pure: the caller loads fittings, meters and rows. */
#ifndef NILO_SERVER_BILLING_CONSUME_H
#define NILO_SERVER_BILLING_CONSUME_H

#include "server/billing/walk.h"

enum quality { QUALITY_ACTUAL, QUALITY_EDITED, QUALITY_ESTIMATED, QUALITY_MISSING };                    /* from good to bad */
enum method { METHOD_NONE, METHOD_READ, METHOD_INTERPOLATED, METHOD_LIKE_DAY, METHOD_PROFILE, METHOD_REBASED }; /* in D3's order */
enum part_kind { PART_METERED, PART_REBASED, PART_NO_METER };
enum consume_step { STEP_NONE, STEP_HOUR, STEP_DAY, STEP_MONTH };

const char *quality_name(enum quality q);
const char *method_name(enum method m); /* NULL for METHOD_NONE */
const char *part_kind_name(enum part_kind k);

struct part {
    enum part_kind kind;
    int64_t from_s, to_s;
    const char *serial; /* borrowed from the meter's facts */
    int64_t start_ml, end_ml, consumption_ml;
    bool known; /* false: an end is missing (D4) */
    enum quality quality;
    enum method method;
    int32_t rollovers;
};

struct consumption {
    int64_t from_s, to_s;
    bool known;
    int64_t consumption_ml, billed_m3;
    enum quality quality;
    enum method method;
    size_t part_count;
    struct part *parts;
};

/* One fitting with all that is needed of its meter: the rows of the billed channel, all that are known. */
struct consume_fitting {
    struct fitting fitting;
    const struct meter_facts *meter;
    const struct rows *rows;
};

/* Calls `each` for the one answer (STEP_NONE) or for each civil hour, day or month of [from_s, to_s), in order; false ends it.
 * `now_s` bounds what can be known (C6). NO_MEMORY. */
MUST_CHECK enum err consume(const struct consume_fitting *fittings, size_t count, int64_t from_s, int64_t to_s, enum consume_step step,
                            const struct zone *zone, int64_t now_s, bool (*each)(void *arg, const struct consumption *c), void *arg);

#endif
