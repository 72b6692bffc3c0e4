/* Civil time: the proleptic Gregorian calendar, and time zones from the bytes of a TZif file (RFC 8536, versions 2 to 4).
 * Pure: whoever owns the process reads the file. */
#ifndef NILO_PROTO_BASE_DAY_H
#define NILO_PROTO_BASE_DAY_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct civil {
    int32_t year;
    uint8_t month, day;            /* from 1 */
    uint8_t hour, minute, second;
};

int64_t day_number(int32_t year, unsigned month, unsigned day); /* days since 1970-01-01 */
struct civil day_civil(int64_t utc_s);                          /* as if the zone were UTC */
int64_t day_utc(struct civil c);                                /* the inverse */
unsigned day_of_week(int64_t day);                              /* 0 = Monday */
unsigned day_month_length(int32_t year, unsigned month);
bool day_valid(struct civil c);

#define ZONE_STEPS_MAX 512 /* the longest file of tzdata 2024 has 236 transitions */

struct zone_step {
    int64_t from_s;   /* UTC */
    int32_t offset_s; /* local = UTC + offset */
};

/* A rule of the file's footer (POSIX TZ), for instants after the last step. */
struct zone_rule {
    int32_t standard_s, summer_s; /* offsets; equal where there is no summer time */
    struct zone_turn {
        uint8_t form;         /* 0 Mm.w.d, 1 Jn, 2 n */
        uint8_t month, week, weekday;
        uint16_t day;
        int32_t at_s;         /* local seconds after midnight; may be negative or over a day */
    } begin, end;
};

/* When it is warm at the place that a zone is named after: June to August, December to February, or all the year, between the tropics.
 * Zeroed: the first. */
enum zone_summer { SUMMER_NORTH, SUMMER_SOUTH, SUMMER_ALWAYS };

struct zone {
    char name[64];
    enum zone_summer summer; /* zone_read does not know it: the first */
    uint32_t count;
    int32_t first_offset_s; /* before the first step */
    struct zone_step steps[ZONE_STEPS_MAX];
    struct zone_rule rule;
};

/* MALFORMED, TRUNCATED, TOO_LARGE. */
MUST_CHECK enum err zone_read(struct zone *z, const char *name, struct span tzif);
void zone_fixed(struct zone *z, const char *name, int32_t offset_s);
int32_t zone_offset(const struct zone *z, int64_t utc_s);
struct civil zone_civil(const struct zone *z, int64_t utc_s);

/* The instant of a civil time. One that occurs twice: the earlier instant. One that never occurs: NOT_FOUND. */
MUST_CHECK enum err zone_utc(const struct zone *z, struct civil c, int64_t *out_utc_s);

/* The first instant of the civil day / hour / month that holds `utc_s`, and of the one after it. */
int64_t zone_day_start(const struct zone *z, int64_t utc_s);
int64_t zone_day_next(const struct zone *z, int64_t utc_s);
int64_t zone_hour_next(const struct zone *z, int64_t utc_s);
int64_t zone_month_start(const struct zone *z, int64_t utc_s);
int64_t zone_month_next(const struct zone *z, int64_t utc_s);
int64_t zone_day_number(const struct zone *z, int64_t utc_s); /* the civil day, as days since 1970-01-01 */
int64_t zone_day(const struct zone *z, int64_t utc_s, int64_t *out_start_s, int64_t *out_next_s); /* all three of that day at once; its number */

#endif
