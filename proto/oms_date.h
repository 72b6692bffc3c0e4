/* Dates and times of M-Bus records (EN 13757-3, annex A), told apart by their length:
 *
 *   2 bytes  G  a day                      b0: day 4..0, year 7..5     b1: month 3..0, year 7..4
 *   3 bytes  J  a time of day              b0: second 5..0   b1: minute 5..0   b2: hour 4..0
 *   4 bytes  F  a day and a minute         b0: minute 5..0, invalid 7   b1: hour 4..0, hundreds of years 6..5, summer time 7   b2 b3: as G
 *   6 bytes  I  a day and a second         b0: second 5..0, summer time 6   b1: minute 5..0, invalid 7   b2: hour 4..0   b3 b4: as G
 *
 * Meters run on local standard time, and on summer time where their bit says so: then their clock is an hour ahead of it. */
#ifndef NILO_PROTO_OMS_DATE_H
#define NILO_PROTO_OMS_DATE_H

#include "proto/base/day.h"

enum oms_precision { OMS_DAY, OMS_MINUTE, OMS_SECOND, OMS_TIME_OF_DAY };

struct oms_date {
    enum oms_precision precision;
    bool summer;
    struct civil civil; /* as sent; of a time of day without year, month, day; of a day without time */
};

#define OMS_DATE_SIZE 20 /* "2026-06-13 19:36:05" and its zero */

/* NOT_FOUND where the meter says that it has none (all ones, month or day 0, the bit "invalid"), where the day or time does not exist
 * or stands for "every"; UNSUPPORTED for another length. */
MUST_CHECK enum err oms_date_read(struct span bytes, struct oms_date *out);

/* The instant. A day stands for its end, 24:00 local: a value "of the day" is the register when the day was over. NOT_FOUND for a time of day. */
MUST_CHECK enum err oms_date_utc(const struct oms_date *d, const struct zone *z, int64_t *out_utc_s);

/* `n` months later, or earlier where negative. The last day of a month leads to last days; another day that the month lacks, too. */
struct oms_date oms_date_months(struct oms_date d, int64_t n);

void oms_date_put(char out[OMS_DATE_SIZE], const struct oms_date *d);

#endif
