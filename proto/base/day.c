#include "proto/base/day.h"

#define DAY_S 86400

/* The calendar repeats after 400 years = 146 097 days.  Years are counted from March here, so that
 * the leap day is a year's last and the months before a day add up to (153 m + 2) / 5 days. */
#define ERA_DAYS 146097
#define ERA_YEARS 400
#define DAYS_0000_03_01_TO_1970 719468

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t day_number(int32_t year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, ERA_YEARS);
    int64_t year_of_era = y - era * ERA_YEARS;
    int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - DAYS_0000_03_01_TO_1970;
}

struct civil day_civil(int64_t utc_s)
{
    int64_t number = floor_div(utc_s, DAY_S);
    unsigned second = (unsigned)(utc_s - number * DAY_S);
    int64_t days = number + DAYS_0000_03_01_TO_1970;
    int64_t era = floor_div(days, ERA_DAYS);
    unsigned day_of_era = (unsigned)(days - era * ERA_DAYS);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned from_march = (5 * day_of_year + 2) / 153;
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;

    return (struct civil){
        .year = (int32_t)(era * ERA_YEARS + year_of_era + (month <= 2)),
        .month = (uint8_t)month,
        .day = (uint8_t)(day_of_year - (153 * from_march + 2) / 5 + 1),
        .hour = (uint8_t)(second / 3600),
        .minute = (uint8_t)(second / 60 % 60),
        .second = (uint8_t)(second % 60),
    };
}

int64_t day_utc(struct civil c)
{
    return day_number(c.year, c.month, c.day) * DAY_S + c.hour * 3600l + c.minute * 60l + c.second;
}

unsigned day_of_week(int64_t day)
{
    int64_t from_monday = (day + 3) % 7; /* 1970-01-01 was a Thursday */

    return (unsigned)(from_monday < 0 ? from_monday + 7 : from_monday);
}

unsigned day_month_length(int32_t year, unsigned month)
{
    static const uint8_t lengths[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return lengths[month] + (month == 2 && leap);
}

bool day_valid(struct civil c)
{
    return c.month >= 1 && c.month <= 12 && c.day >= 1 &&
           c.day <= day_month_length(c.year, c.month) && c.hour < 24 && c.minute < 60 &&
           c.second < 60;
}
