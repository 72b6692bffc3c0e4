/* Homes.  Figures and where they are from:
 *
 *   people       1 to 5 and more with 25, 30, 21, 13, 11 %            China's seventh census, 2020
 *   toilet       Poisson(5) a person, 3/6, 6 or 9 L                    DeOreo et al., Residential End Uses of Water 2, 2016 (5.0
 *                                                                      flushes); cisterns: Blokker, Vreeburg & van Dijk, SIMDEUM, 2010
 *                refilled at 360 L/h                                   GB 50015-2019: cistern 0.10 L/s
 *   shower       72 % a person, chi-square with mean 8.8 min,          SIMDEUM 2010
 *                0.123 or 0.142 L/s
 *   kitchen tap  10 to 13.5 a home, spread as a negative binomial      SIMDEUM 2010
 *                (sd 7 to 9); 15 s 37 %, 45 s 25 %, 13 s 25 %, 37 s
 *                13 % (log-normal) at U(0, 0.167) L/s, dishes U(0, 0.25)
 *   basin tap    Poisson(4.1) a person, 15 s or 40 s, U(0, 0.083) L/s  SIMDEUM 2010
 *   washing      Poisson(0.29) a person, 35 to 80 L in four fills      SIMDEUM 2010 (50 L); GB 50015-2019: 0.20 L/s
 *   dishwasher   one home in eight; 0.2 a person, four fills of 3.5 L  SIMDEUM 2010
 *   drips        a fifth of homes, U(0.05, 1.4) L/h for ever           DeOreo 2016: most homes lose a little; below 2 L/h no fault here
 *   night        a person's chance of a flush 8 %; in one home of six  Bosch & Weiss, J Urol 2010: nocturia
 *                (old people) 50 %
 *   rising       N(7, 1 h), weekends N(8, 1 h); away N(8.5, 1 h) for   SIMDEUM 2010, diurnal patterns
 *                9.5 h in six homes of ten; asleep about 8 h
 *   softener     one in fifty; every 3 to 5 days at 2 o'clock, 150     DeOreo 2016 (softeners regenerate at night)
 *                to 250 L
 *   garden       one in twelve, half by a timer: 15 to 40 min at 600   Mayer & DeOreo, Residential End Uses of Water, 1999:
 *                to 1 500 L/h, April to October; else by hand          outdoor use by timer and by hand
 *   pool         one in 200, a day in June: 12 to 60 h at 600 to       a garden hose's flow
 *                1 100 L/h
 *
 * A home's habits scale how often and how long by exp(N(0, 0.3)): the spread of use a person between homes in DeOreo 2016.
 * Of late more, of late less: the logarithm of how often a home draws wanders with a standard deviation of 0.15 and forgets within 30 days
 * (a day's step N(0, 0.15 √(2 ÷ 30))): of the 78 homes of Alicante (2016) that are lived in the 28-day mean has a coefficient of variation of 0.185
 * in the median and a correlation of 0.2 with the next; draws and journeys alone give 0.12 and 0.
 *
 * Being away: each day with 1.2 % for 1 to 3 days, with 0.15 % for 4 + Exp(4) days.  Of 92 real homes over a year (Alicante 2016) some 80 are
 * lived in; these had 0.2 runs without use of 7.5 days and more each, and 0.09 of 14 and more, as homes here have.  The
 * frequencies that follow are ours: one home in 60 a year leaves for 30 to 120 days; one in 12 spends every other weekend elsewhere;
 * 40 % leave for 5 to 16 days about Spring Festival, 15 % in the first week of October; tenants change in 5 % a year with 5 to 60
 * empty days between; from 4 % of homes of three and more somebody leaves for good.  Second homes: stays of 1 to 6 days, 5 + Exp(18)
 * days between (the seven emptiest of the 92 had 2 to 60 stays a year). */
#include "tools/sim/enduse.h"

#include "proto/base/day.h"

#include <string.h>

#define HOUR_S 3600.0
#define QUARTER_S 900.0
#define MOOD_SPREAD 0.15
#define MOOD_DAYS 30.0

const char *const way_name[WAYS] = { "family", "second home", "vacant", "flats",
                                     "shop",   "restaurant",  "office", "school",
                                     "hotel",  "cooling",     "works" };

/* ---- the calendar ---- */

/* First days of lunar years, 2014 to 2036, as a day of their year from 0. */
static int64_t spring_of(int year)
{
    static const uint8_t at[] = { 30, 49, 38, 27, 46, 35, 24, 42, 31, 21, 40, 28,
                                  47, 36, 25, 43, 33, 22, 41, 30, 49, 38, 27 };

    return day_number(year, 1, 1) + at[year < 2014 ? 0 : year > 2036 ? 22 : year - 2014];
}

int spring_in(int64_t day)
{
    struct civil c = day_civil(day * 86400);
    int64_t in = spring_of(c.year) - day;

    return (int)(in >= -20 ? in : spring_of(c.year + 1) - day);
}

/* ---- making a home ---- */

static double busy_at(double hour, double rise, double bed, double out, double back)
{
    if (hour < rise || hour > bed)
        return 0;
    if (hour > out && hour < back)
        return 0;
    if (hour < rise + 1.5)
        return 4;
    if (hour > 17.5 && hour < 21)
        return 4;
    return hour > 11 && hour < 13 ? 3 : 2;
}

static void hours_make(struct hours *h, double rise, double bed, double out, double back)
{
    h->count = 0;
    for (unsigned q = 0; q < QUARTERS; q++)
        for (double w = busy_at(q * 0.25 + 0.125, rise, bed, out, back); w > 0; w--)
            h->quarter[h->count++] = (uint8_t)q;
    if (h->count == 0)
        h->quarter[h->count++] = 48;
}

static void people_make(struct home *h, struct chance *c)
{
    double u = chance_unit(c), rise = 7 + chance_bell(c), bed = 23 + 0.7 * chance_bell(c);
    double out = 8.5 + chance_bell(c), back = out + 9.5 + chance_bell(c);
    bool goes_out = chance_happens(c, 0.6), old = chance_happens(c, 1.0 / 6);

    h->people = u < 0.25 ? 1 : u < 0.55 ? 2 : u < 0.76 ? 3 : u < 0.89 ? 4 : 5;
    h->habit = exp(0.3 * chance_bell(c));
    h->mood = MOOD_SPREAD * chance_bell(c);
    if (!goes_out || old)
        out = back = 25;
    if (bed > 24)
        bed = 24;
    hours_make(&h->hours[0], rise, bed, out, back);
    hours_make(&h->hours[1], rise + 1, bed, 25, 25);
    h->night_flush = old ? 0.5 : 0.08;
    h->goes_home = chance_happens(c, 0.4);
    h->travels = chance_happens(c, 0.15);
    h->weekender = chance_happens(c, 1.0 / 12);
}

static void fixtures_make(struct home *h, struct chance *c)
{
    double u = chance_unit(c);

    h->flush_l = u < 0.4 ? 4.5 : u < 0.8 ? 6 : 9;
    h->shower_lph = 3600 * (chance_happens(c, 0.5) ? 0.123 : 0.142);
    h->wash_l = chance_even(c, 35, 80);
    h->dishwasher = chance_happens(c, 0.125);
    h->drip_lph = chance_happens(c, 0.2) ? chance_even(c, 0.05, 1.4) : 0;
    h->soften_every = chance_happens(c, 0.02) ? chance_whole(c, 3, 5) : 0;
}

static void garden_make(struct home *h, struct chance *c, int64_t from_day)
{
    bool garden = chance_happens(c, 1.0 / 12), timer = chance_happens(c, 0.5);
    struct civil from = day_civil(from_day * 86400);
    int64_t june = day_number(from.year + (from.month > 6), 6, 1);

    h->water_every = garden && timer ? chance_whole(c, 1, 3) : 0;
    h->water_quarter = chance_whole(c, 16, 27); /* 4:00 to 6:45 */
    h->water_lph = chance_even(c, 600, 1500);
    h->water_min = chance_even(c, 15, 40);
    h->waters_by_hand = garden && !timer;
    h->pool_day = chance_happens(c, 1.0 / 200) ? june + chance_whole(c, 0, 40) : 0;
    h->pool_lph = chance_even(c, 600, 1100);
    h->pool_h = chance_even(c, 12, 60);
}

void home_make(struct home *h, struct chance *c, int64_t from_day, int days)
{
    double years = days / 365.0;

    memset(h, 0, sizeof *h);
    people_make(h, c);
    fixtures_make(h, c);
    garden_make(h, c, from_day);
    if (h->people >= 3 && chance_happens(c, 0.04 * years))
        h->smaller_day = from_day + chance_whole(c, days / 6, days);
    if (chance_happens(c, 0.05 * years)) {
        h->leaves_day = from_day + chance_whole(c, days / 6, days);
        h->enters_day = h->leaves_day + chance_whole(c, 5, 60);
    }
}

void enduse_make(struct enduse *u, struct chance *c, enum way way, int64_t from_day, int days)
{
    memset(u, 0, sizeof *u);
    u->way = way;
    home_make(&u->home, c, from_day, days);
    trade_make(u, c);
    if (way != WAY_FLATS)
        return;
    u->flat_count = (int)chance_log_even(c, 2, FLATS_MAX + 1);
    for (int i = 0; i < u->flat_count; i++) {
        home_make(&u->flats[i], c, from_day, days);
        u->flats[i].pool_day = 0;
        u->flats[i].water_every = 0;
    }
}

/* ---- a day ---- */

static bool is_away(struct home *h, struct chance *c, int64_t day)
{
    int spring = spring_in(day);
    struct civil civil = day_civil(day * 86400);

    if (h->leaves_day && day >= h->leaves_day && day < h->enters_day)
        return true;
    if (day < h->away_until)
        return true;
    if (h->goes_home && spring == 3)
        h->away_until = day + chance_whole(c, 0, 2) + chance_whole(c, 5, 14);
    else if (h->travels && civil.month == 10 && civil.day == 1)
        h->away_until = day + chance_whole(c, 3, 7);
    else if (h->weekender && day_of_week(day) == 5 && chance_happens(c, 0.5))
        h->away_until = day + 2;
    else if (chance_happens(c, 0.012))
        h->away_until = day + chance_whole(c, 1, 3);
    else if (chance_happens(c, 0.0015))
        h->away_until = day + 4 + (int64_t)chance_exponential(c, 4);
    else if (chance_happens(c, 1 / (60 * 365.0)))
        h->away_until = day + chance_whole(c, 30, 120);
    return day < h->away_until;
}

static double some_time(struct chance *c, const struct hours *h, double midnight_s)
{
    uint64_t z = chance_draw(c);

    return midnight_s + h->quarter[(z >> 32) % h->count] * QUARTER_S +
           (double)(z & 0xffffffff) * 0x1p-32 * QUARTER_S;
}

static void kitchen(const struct home *h, struct chance *c, const struct hours *hours,
                    double midnight_s, enduse_take *take, void *arg)
{
    static const double mean[] = { 0, 10.1, 12.7, 12.8, 13.1, 13.5 };
    double often = mean[h->people] * h->habit * exp(h->mood) * chance_lognormal(c, 1, 0.5);

    for (unsigned i = chance_poisson(c, often); i > 0; i--) {
        double u = chance_unit(c);
        double s = u < 0.375 ? 15 : u < 0.625 ? 45 : u < 0.875 ? 13 : 37;
        double lph = chance_unit(c) * 3600 * (s > 40 ? 0.25 : 0.167);

        take(arg, some_time(c, hours, midnight_s), chance_lognormal(c, s, 0.8), lph);
    }
}

static void machine(struct chance *c, double at_s, double litres, double lph, enduse_take *take,
                    void *arg)
{
    for (int i = 0; i < 4; i++) {
        take(arg, at_s, litres / 4 / lph * HOUR_S, lph);
        at_s += chance_even(c, 900, 1800);
    }
}

static void bathroom(const struct home *h, struct chance *c, const struct hours *hours, int people,
                     double midnight_s, enduse_take *take, void *arg)
{
    double of_late = exp(h->mood);

    for (unsigned i = chance_poisson(c, 5.0 * people * sqrt(h->habit) * of_late); i > 0; i--) {
        double litres = h->flush_l == 4.5 ? (chance_happens(c, 0.5) ? 3 : 6) : h->flush_l;

        take(arg, some_time(c, hours, midnight_s), litres * 10, 360);
    }
    for (unsigned i = chance_poisson(c, 4.1 * people * h->habit * of_late); i > 0; i--)
        take(arg, some_time(c, hours, midnight_s),
             chance_lognormal(c, chance_happens(c, 1.0 / 3) ? 40 : 15, 0.6),
             chance_unit(c) * 3600 * 0.083);
    for (int i = 0; i < people; i++) {
        if (chance_happens(c, fmin(0.98, 0.72 * sqrt(h->habit) * of_late)))
            take(arg, some_time(c, hours, midnight_s), 60 * fmax(2, 8.8 + 4.2 * chance_bell(c)),
                 h->shower_lph);
        if (chance_happens(c, h->night_flush))
            take(arg, midnight_s + chance_even(c, 0, 5.5) * HOUR_S, h->flush_l * 10, 360);
    }
}

static void machines(const struct home *h, struct chance *c, const struct hours *hours, int people,
                     double midnight_s, enduse_take *take, void *arg)
{
    for (unsigned i = chance_poisson(c, 0.29 * people * exp(h->mood)); i > 0; i--)
        machine(c, some_time(c, hours, midnight_s), h->wash_l, 720, take, arg);
    for (unsigned i = h->dishwasher ? chance_poisson(c, 0.2 * people * exp(h->mood)) : 0; i > 0;
         i--)
        machine(c, some_time(c, hours, midnight_s), 14, 600, take, arg);
}

/* What goes on whether anybody is at home or not. */
static void house(const struct home *h, struct chance *c, int64_t day, double midnight_s, bool away,
                  enduse_take *take, void *arg)
{
    unsigned month = day_civil(day * 86400).month;
    bool season = month >= 4 && month <= 10;

    if (h->drip_lph > 0)
        take(arg, midnight_s, 24 * HOUR_S, h->drip_lph);
    if (h->soften_every && day % h->soften_every == 0 && !away)
        take(arg, midnight_s + 2 * HOUR_S, chance_even(c, 3600, 5400), 160);
    if (h->water_every && season && day % h->water_every == 0)
        take(arg, midnight_s + h->water_quarter * QUARTER_S, 60 * h->water_min, h->water_lph);
    if (h->waters_by_hand && season && !away && chance_happens(c, 0.35))
        take(arg, midnight_s + chance_even(c, 18, 20.5) * HOUR_S, chance_even(c, 300, 2400),
             chance_even(c, 500, 1000));
    if (day == h->pool_day)
        take(arg, midnight_s + 10 * HOUR_S, h->pool_h * HOUR_S, h->pool_lph);
}

void home_day(struct home *h, struct chance *c, int64_t day, double midnight_s, enduse_take *take,
              void *arg)
{
    bool away = is_away(h, c, day);
    const struct hours *hours = &h->hours[day_of_week(day) >= 5];
    int people;

    if (h->enters_day && day == h->enters_day) { /* others move in */
        people_make(h, c);
        h->enters_day = h->leaves_day = 0;
        h->smaller_day = 0;
    }
    if (h->smaller_day && day == h->smaller_day)
        h->people--;
    people = h->people;
    h->mood += chance_bell(c) * MOOD_SPREAD * sqrt(2 / MOOD_DAYS) - h->mood / MOOD_DAYS;
    house(h, c, day, midnight_s, away, take, arg);
    if (away)
        return;
    kitchen(h, c, hours, midnight_s, take, arg);
    bathroom(h, c, hours, people, midnight_s, take, arg);
    machines(h, c, hours, people, midnight_s, take, arg);
}

static bool is_staying(struct home *h, struct chance *c, int64_t day)
{
    if (day >= h->stay_until && day >= h->away_until) {
        if (h->stay_until == 0 && chance_happens(c, 0.7))
            h->stay_until = day;
        else
            h->stay_until = day + chance_whole(c, 1, 6);
        h->away_until = h->stay_until + 5 + (int64_t)chance_exponential(c, 18);
    }
    return day < h->stay_until;
}

/* Their journeys are their stays. */
static void second_home_day(struct home *h, struct chance *c, int64_t day, double midnight_s,
                            enduse_take *take, void *arg)
{
    bool here = is_staying(h, c, day);
    const struct hours *hours = &h->hours[1];

    house(h, c, day, midnight_s, !here, take, arg);
    if (!here)
        return;
    kitchen(h, c, hours, midnight_s, take, arg);
    bathroom(h, c, hours, h->people, midnight_s, take, arg);
    machines(h, c, hours, h->people, midnight_s, take, arg);
}

void enduse_day(struct enduse *u, struct chance *c, int64_t day, double midnight_s,
                enduse_take *take, void *arg)
{
    switch (u->way) {
    case WAY_FAMILY:
        home_day(&u->home, c, day, midnight_s, take, arg);
        return;
    case WAY_SECOND_HOME:
        second_home_day(&u->home, c, day, midnight_s, take, arg);
        return;
    case WAY_FLATS:
        for (int i = 0; i < u->flat_count; i++)
            home_day(&u->flats[i], c, day, midnight_s, take, arg);
        return;
    case WAY_VACANT:
        if (chance_happens(c, 0.004)) /* somebody looks in */
            take(arg, midnight_s + chance_even(c, 9, 18) * HOUR_S, chance_even(c, 20, 200), 300);
        return;
    default:
        trade_day(u, c, day, midnight_s, take, arg);
    }
}
