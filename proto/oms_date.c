#include "proto/oms_date.h"

#include <stdio.h>

#define DAY_S 86400

/* Without the bits of hundreds (which type G lacks) years count from 2000, as EN 13757-3:2013 has it; the older reading of 81 to 99
 * as 19yy would put a date of 2081 before the meters were. */
static enum err day_read(const uint8_t *b, unsigned hundreds, struct civil *c)
{
    unsigned year = b[0] >> 5 | (b[1] & 0xf0) >> 1;

    if (year > 99)
        return ERR_NOT_FOUND;
    c->year = (int32_t)(hundreds ? 1900 + 100 * hundreds + year : 2000 + year);
    c->month = b[1] & 15;
    c->day = b[0] & 31;
    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
                   c->day <= day_month_length(c->year, c->month)
               ? ERR_OK
               : ERR_NOT_FOUND;
}

static enum err time_read(unsigned hour, unsigned minute, unsigned second, struct civil *c)
{
    c->hour = (uint8_t)(hour & 31);
    c->minute = (uint8_t)(minute & 63);
    c->second = (uint8_t)(second & 63);
    return c->hour < 24 && c->minute < 60 && c->second < 60 ? ERR_OK : ERR_NOT_FOUND;
}

static enum err minute_read(const uint8_t *b, struct oms_date *d)
{
    d->precision = OMS_MINUTE;
    d->summer = b[1] & 0x80;
    if (b[0] & 0x80 || time_read(b[1], b[0], 0, &d->civil))
        return ERR_NOT_FOUND;
    return day_read(b + 2, b[1] >> 5 & 3, &d->civil);
}

static enum err second_read(const uint8_t *b, struct oms_date *d)
{
    d->precision = OMS_SECOND;
    d->summer = b[0] & 0x40;
    if (b[1] & 0x80 || time_read(b[2], b[1], b[0], &d->civil))
        return ERR_NOT_FOUND;
    return day_read(b + 3, 0, &d->civil);
}

enum err oms_date_read(struct span bytes, struct oms_date *out)
{
    struct oms_date d = { 0 };
    enum err err;

    switch (bytes.len) {
    case 2:
        err = day_read(bytes.at, 0, &d.civil);
        break;
    case 3:
        d.precision = OMS_TIME_OF_DAY;
        err = time_read(bytes.at[2], bytes.at[1], bytes.at[0], &d.civil);
        break;
    case 4:
        err = minute_read(bytes.at, &d);
        break;
    case 6:
        err = second_read(bytes.at, &d);
        break;
    default:
        return ERR_UNSUPPORTED;
    }
    if (err)
        return err;
    *out = d;
    return ERR_OK;
}

/* Standard time is the smaller offset of the year.  Where the zone has no summer time, a meter that says it runs on it is an hour
 * ahead all the same. */
static int32_t clock_offset(const struct zone *z, int32_t year, bool summer)
{
    int32_t winter_s = zone_offset(z, day_number(year, 1, 1) * DAY_S);
    int32_t july_s = zone_offset(z, day_number(year, 7, 1) * DAY_S);
    int32_t least_s = winter_s < july_s ? winter_s : july_s;
    int32_t apart_s = winter_s < july_s ? july_s - winter_s : winter_s - july_s;

    return least_s + (summer ? (apart_s ? apart_s : 3600) : 0);
}

static struct civil day_after(struct civil c)
{
    if (++c.day > day_month_length(c.year, c.month)) {
        c.day = 1;
        c.year += c.month == 12;
        c.month = c.month == 12 ? 1 : c.month + 1;
    }
    return c;
}

/* When the next civil day begins; where its midnight is skipped, the first instant after. */
static int64_t day_end(const struct zone *z, struct civil c)
{
    struct civil next = day_after(c);
    int64_t utc_s;

    if (zone_utc(z, next, &utc_s) == ERR_OK)
        return utc_s;
    utc_s = day_utc(next) + DAY_S / 2;
    return zone_day_start(z, utc_s - zone_offset(z, utc_s));
}

enum err oms_date_utc(const struct oms_date *d, const struct zone *z, int64_t *out_utc_s)
{
    if (d->precision == OMS_TIME_OF_DAY)
        return ERR_NOT_FOUND;
    *out_utc_s = d->precision == OMS_DAY
                     ? day_end(z, d->civil)
                     : day_utc(d->civil) - clock_offset(z, d->civil.year, d->summer);
    return ERR_OK;
}

struct oms_date oms_date_months(struct oms_date d, int64_t n)
{
    bool last = d.civil.day == day_month_length(d.civil.year, d.civil.month);
    int64_t month = d.civil.year * 12ll + d.civil.month - 1 + n;
    unsigned length;

    d.civil.year = (int32_t)(month / 12);
    d.civil.month = (uint8_t)(month % 12 + 1);
    length = day_month_length(d.civil.year, d.civil.month);
    if (last || d.civil.day > length)
        d.civil.day = (uint8_t)length;
    return d;
}

void oms_date_put(char out[OMS_DATE_SIZE], const struct oms_date *d)
{
    const struct civil *c = &d->civil;
    char day[16], time[16] = "";

    snprintf(day, sizeof day, "%04d-%02u-%02u", (int)(c->year % 10000), c->month % 100u,
             c->day % 100u);
    if (d->precision == OMS_MINUTE)
        snprintf(time, sizeof time, " %02u:%02u", c->hour % 100u, c->minute % 100u);
    else if (d->precision != OMS_DAY)
        snprintf(time, sizeof time, " %02u:%02u:%02u", c->hour % 100u, c->minute % 100u,
                 c->second % 100u);
    if (d->precision == OMS_TIME_OF_DAY)
        snprintf(out, OMS_DATE_SIZE, "%s", time + 1);
    else
        snprintf(out, OMS_DATE_SIZE, "%.10s%.9s", day, time);
}
