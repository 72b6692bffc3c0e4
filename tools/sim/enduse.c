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
 * Being away.  Measured on the hourly series of Alicante (2016); of its 92 homes 81 stood still for less than 30 % of the year and used 30 L a
 * day and more:
 *   how often  6.8 standstills of a day and more in a home and year, 3.0 of 2 days, 1.4 of 3, 0.79 of 4, 0.53 of 5, 0.19 of 7.5, 0.06 of 14,
 *              none of 25 (so with 95 % no more than 0.037).  Here: of 100 journeys 92 take 0.6 + Exp(0.9) days, 8 take 2 + Exp(4.5), and
 *              standstills are half a day longer: 6.4, 2.7 and 0.16 of 1, 2 and 7.5 days
 *   by whom    25 % of homes had none of a day, 41 % none of 2, 62 % none of 4, 86 % none of 7.5, and the variance of the counts is 13, 6, 2.2
 *              and 1.5 times their mean.  That is what a rate of 6.8 × N(0, 1)² a year gives (26, 38, 62 and 85 %): who seldom leaves
 *              does so for any length. Here 6.5 × N², for journeys bring others on
 *   in weeks   in the three days after a journey 2.6 times as many begin as else in that home, in the next four days 1.6 times as many, 0.8 later
 *   when       journeys below 4 days begin on Monday to Sunday with 8, 8, 6, 10, 29, 31 and 8 %, longer ones on all days alike; last use of
 *              6 L and more before 2 days and more without by three hours from midnight: 3, 1, 12, 21, 20, 18, 21, 4 %; first use after
 *              them: 5, 3, 10, 9, 13, 14, 27, 19 %.  (A dripping cistern may turn the wheel once more, hours later.)
 *   seldom in  the other nine homes: 38 standstills of a day and more a year, 8 of 5 days, 5 of 7.5, 1.4 of 30, 0.44 of 60.  Second homes here:
 *              stays of 1 to 5 nights; between them 1 + Exp(2) days (87 %) or 5 + Exp(25)
 *   drips      go on, but where people shut their valve as they leave: one home in four (ours; the home in Alicante that ran on in most nights,
 *              83 %, stood still four times for 4 to 10 days)
 * That August has a third of the journeys of 4 days there is Spain's and left out.  Ours: 40 % leave for 5 to 16 days about Spring Festival,
 * 15 % in the first week of October; one home in 150 a year leaves for 30 to 120 days; tenants change in 3 % a year with 5 to 60 empty days
 * between; from 4 % of homes of three and more somebody leaves for good.
 */
#include "tools/sim/enduse.h"

#include "proto/base/day.h"

#include <string.h>

#define DAY_S 86400.0
#define HOUR_S 3600.0
#define QUARTER_S 900.0
#define MOOD_SPREAD 0.15
#define MOOD_DAYS 30.0
#define LEAVES_YEAR 6.5
#define LONG_SHARE 0.08

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
    h->shuts_valve = chance_happens(c, 0.25);
    h->leaves_year = LEAVES_YEAR * pow(chance_normal(c), 2);
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
    if (chance_happens(c, 0.03 * years)) {
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

/* An hour of the day, by how much of 100 lies in each three hours. */
static double hour_of(struct chance *c, const uint8_t percent[8])
{
    int u = chance_whole(c, 0, 99), at = 0;

    while (u >= percent[at])
        u -= percent[at++];
    return 3 * at + chance_even(c, 0, 3);
}

static void leave(struct home *h, struct chance *c, int64_t day, double days)
{
    static const uint8_t out[8] = { 3, 1, 12, 21, 20, 18, 21, 4 },
                         back[8] = { 5, 3, 10, 9, 13, 14, 27, 19 };

    h->away_from_s = (double)day * DAY_S + hour_of(c, out) * HOUR_S;
    h->away_until_s =
        floor((h->away_from_s + days * DAY_S) / DAY_S) * DAY_S + hour_of(c, back) * HOUR_S;
    if (h->away_until_s < h->away_from_s + 18 * HOUR_S)
        h->away_until_s += DAY_S;
}

/* Whether they leave today, and for how long. */
static void journeys(struct home *h, struct chance *c, int64_t day)
{
    static const double weekday[7] = { 0.08, 0.08, 0.06, 0.10, 0.29, 0.31, 0.08 };
    struct civil civil = day_civil(day * 86400);
    double back_d = (double)day - h->away_until_s / DAY_S;
    double often = h->leaves_year / 365 * (back_d < 3 ? 2.6 : back_d < 7 ? 1.6 : 0.8);

    if (h->leaves_day && day == h->leaves_day) {
        leave(h, c, day, (double)(h->enters_day - day));
        return;
    }
    if (h->away_until_s > (double)day * DAY_S)
        return;
    if (h->goes_home && spring_in(day) == 3)
        leave(h, c, day, chance_whole(c, 0, 2) + chance_whole(c, 5, 14));
    else if (h->travels && civil.month == 10 && civil.day == 1)
        leave(h, c, day, chance_whole(c, 3, 7));
    else if (chance_happens(c, often * (1 - LONG_SHARE) * 7 * weekday[day_of_week(day)]))
        leave(h, c, day, 0.6 + chance_exponential(c, 0.9));
    else if (chance_happens(c, often * LONG_SHARE))
        leave(h, c, day, 2 + chance_exponential(c, 4.5));
    else if (chance_happens(c, 1 / (150 * 365.0)))
        leave(h, c, day, chance_whole(c, 30, 120));
}

static void stays(struct home *h, struct chance *c, int64_t day)
{
    bool begins = h->stay_until == 0;

    if (begins && chance_happens(c, 0.3))
        h->stay_until = day + chance_whole(c, 1, 5);
    if (day < h->stay_until)
        return;
    leave(h, c, day,
          chance_happens(c, 0.87) ? 1 + chance_exponential(c, 2) : 5 + chance_exponential(c, 25));
    h->stay_until = (int64_t)floor(h->away_until_s / DAY_S) + chance_whole(c, 1, 5);
}

/* Draws that need somebody there. */
struct presence {
    const struct home *home;
    double civil_s; /* of a draw's instant: it and this */
    enduse_take *take;
    void *arg;
};

static void take_if_there(void *arg, double at_s, double seconds, double lph)
{
    const struct presence *p = (const struct presence *)arg;
    double civil_s = at_s + p->civil_s;

    if (civil_s < p->home->away_from_s || civil_s >= p->home->away_until_s)
        p->take(p->arg, at_s, seconds, lph);
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

/* What goes on whether anybody is at home or not; but a drip behind a valve that is shut. */
static void house(const struct home *h, int64_t day, const struct presence *p, double midnight_s)
{
    unsigned month = day_civil(day * 86400).month;

    for (int i = 0; i < 24 && h->drip_lph > 0; i++)
        (h->shuts_valve ? take_if_there : p->take)(h->shuts_valve ? (void *)p : p->arg,
                                                   midnight_s + i * HOUR_S, HOUR_S, h->drip_lph);
    if (h->water_every && month >= 4 && month <= 10 && day % h->water_every == 0)
        p->take(p->arg, midnight_s + h->water_quarter * QUARTER_S, 60 * h->water_min, h->water_lph);
    if (day == h->pool_day)
        p->take(p->arg, midnight_s + 10 * HOUR_S, h->pool_h * HOUR_S, h->pool_lph);
}

/* A softener counts the litres that it made soft. */
static void softener_and_hose(const struct home *h, struct chance *c, int64_t day,
                              double midnight_s, enduse_take *take, void *arg)
{
    unsigned month = day_civil(day * 86400).month;

    if (h->soften_every && day % h->soften_every == 0)
        take(arg, midnight_s + 2 * HOUR_S, chance_even(c, 3600, 5400), 160);
    if (h->waters_by_hand && month >= 4 && month <= 10 && chance_happens(c, 0.35))
        take(arg, midnight_s + chance_even(c, 18, 20.5) * HOUR_S, chance_even(c, 300, 2400),
             chance_even(c, 500, 1000));
}

/* `weekend`: the hours of one, whatever the day. */
static void people_day(struct home *h, struct chance *c, int64_t day, double midnight_s,
                       bool weekend, enduse_take *take, void *arg)
{
    const struct hours *hours = &h->hours[weekend];
    double from_s = (double)day * DAY_S;
    struct presence p = { h, from_s - midnight_s, take, arg };

    house(h, day, &p, midnight_s);
    if (h->away_from_s <= from_s && h->away_until_s >= from_s + DAY_S)
        return;
    softener_and_hose(h, c, day, midnight_s, take_if_there, &p);
    kitchen(h, c, hours, midnight_s, take_if_there, &p);
    bathroom(h, c, hours, h->people, midnight_s, take_if_there, &p);
    machines(h, c, hours, h->people, midnight_s, take_if_there, &p);
}

void home_day(struct home *h, struct chance *c, int64_t day, double midnight_s, enduse_take *take,
              void *arg)
{
    journeys(h, c, day);
    if (h->enters_day && day == h->enters_day) { /* others move in */
        people_make(h, c);
        h->enters_day = h->leaves_day = 0;
        h->smaller_day = 0;
    }
    if (h->smaller_day && day == h->smaller_day)
        h->people--;
    h->mood += chance_bell(c) * MOOD_SPREAD * sqrt(2 / MOOD_DAYS) - h->mood / MOOD_DAYS;
    people_day(h, c, day, midnight_s, day_of_week(day) >= 5, take, arg);
}

/* Their journeys are their stays. */
static void second_home_day(struct home *h, struct chance *c, int64_t day, double midnight_s,
                            enduse_take *take, void *arg)
{
    stays(h, c, day);
    people_day(h, c, day, midnight_s, true, take, arg);
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
