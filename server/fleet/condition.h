/* When a fitted meter is due by its condition, beside the law's date (handbook 2.1: 动态周检): what has gone through it, what it says of itself, what people
 * found.  The figures are those of defaults.h.
 *
 *     throughput   the day on which the volume through its fitting reaches the limit of its size, at the pace so far:
 *                  fitted + limit × days / volume, limit = hours × Q3
 *     alarm        the day of its newest report with such a status bit, or the onset of a flag that blames the meter and that a person confirmed, and
 *                  some days
 *     lab          the day of the last inspection that it failed and has not passed since
 *     fault        since it is faulty
 *
 * The earliest is its condition date; it moves no legal date.  Pure. */
#ifndef NILO_SERVER_FLEET_CONDITION_H
#define NILO_SERVER_FLEET_CONDITION_H

#include "server/fleet/defaults.h"
#include "server/fleet/life.h"

enum condition_basis { CONDITION_NONE, CONDITION_THROUGHPUT, CONDITION_ALARM, CONDITION_LAB, CONDITION_FAULT };
const char *condition_name(enum condition_basis b); /* "throughput"; NULL for none */

struct condition_facts {
    int64_t q3_lph;
    int32_t fitted_day;
    int32_t volume_day; /* of `volume_ml`; NO_DAY: no index is known */
    int64_t volume_ml;  /* through the fitting until then */
    uint32_t status;    /* of the newest report */
    int32_t status_day;
    int32_t confirmed_day, failed_day, faulty_day; /* NO_DAY: none */
};

struct condition {
    int32_t due; /* NO_DAY: nothing speaks for a date */
    enum condition_basis basis;
    uint32_t bits; /* alarm: of the status; 0: a confirmed flag */
    int64_t volume_ml, limit_ml; /* throughput */
};

int64_t condition_limit_ml(const struct fleet_rules *rules, int64_t q3_lph);
void condition_of(const struct fleet_rules *rules, const struct condition_facts *f, struct condition *out);

/* The day since when an inspection failed in the fitting at hand stands, and since when it is faulty; NO_DAY. `at_s`: later events do not count. */
void condition_of_life(const struct life_event *events, size_t count, const struct life *now, const struct zone *zone, int64_t at_s, int32_t *out_failed_day,
                       int32_t *out_faulty_day);

/* "DN 15 Q3 2.5: 3620 of 3500 m³ through it", for a person to check. */
void condition_say(const struct condition *c, struct wr *en, struct wr *zh);

#endif
