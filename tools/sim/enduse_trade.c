/* Shops, restaurants, offices, schools, hotels, works, and what runs for ever.
 *
 * Each draws, in every quarter of an hour that it is open, Poisson(people × share) times what one of them uses, as one flow: many
 * people together have no single draws.  Usual litres (GB 50015-2019, table of public buildings, mean days): office 30 to 50 a
 * person and shift, school 20 to 40 a pupil, hotel 220 to 320 a bed, restaurant 35 to 50 a guest, shop 5 to 8 a square metre (here:
 * 20 to 200 m²).  Works: 200 to 4 000 L/h in two or three shifts, idle at weekends (ours).  Coolers, ice machines, fish ponds: 4 to 60
 * L/h for ever, beside a shop or a home (ours; vendors' pages advise operators to except them from leak rules).
 *
 * Schools are closed in July, August and for four weeks about Spring Festival; shops and offices for a week of it. A third of shops
 * closes on Sundays.  Hotels fill to between 40 and 100 %, and have some use at any hour of the night. */
#include "proto/base/day.h"
#include "tools/sim/enduse.h"

#define HOUR_S 3600.0
#define QUARTER_S 900.0

static void opens(struct enduse *u, int from, int to, int closed_from, double people, double each_l)
{
    u->open_from = from;
    u->open_to = to;
    u->closed_from = closed_from;
    u->people = people;
    u->each_l = each_l;
}

void trade_make(struct enduse *u, struct chance *c)
{
    bool three = chance_happens(c, 0.4);

    switch (u->way) {
    case WAY_SHOP:
        opens(u, chance_whole(c, 7, 10), chance_whole(c, 19, 22), chance_happens(c, 0.33) ? 6 : 7,
              chance_log_even(c, 20, 200) / 2, chance_even(c, 10, 16));
        return;
    case WAY_RESTAURANT:
        opens(u, 9, chance_whole(c, 21, 23), chance_happens(c, 0.2) ? 6 : 7,
              chance_log_even(c, 30, 250), chance_even(c, 35, 50));
        return;
    case WAY_OFFICE:
        opens(u, 8, 18, 5, chance_log_even(c, 10, 150), chance_even(c, 30, 50));
        return;
    case WAY_SCHOOL:
        opens(u, 7, 18, 5, chance_log_even(c, 100, 900), chance_even(c, 20, 40));
        return;
    case WAY_HOTEL:
        opens(u, 0, 24, 7, chance_log_even(c, 20, 150), chance_even(c, 220, 320));
        return;
    case WAY_WORKS:
        opens(u, three ? 0 : 6, three ? 24 : 22, chance_happens(c, 0.7) ? 5 : 6, 0, 0);
        u->base_lph = chance_log_even(c, 200, 4000);
        return;
    case WAY_COOLING:
        opens(u, 8, 21, 7, chance_log_even(c, 2, 40), chance_even(c, 15, 40));
        u->base_lph = chance_log_even(c, 4, 60);
        return;
    default:
        return;
    }
}

static double open_share(const struct enduse *u, int64_t day)
{
    int spring = spring_in(day);
    unsigned month = day_civil(day * 86400).month;

    if ((int)day_of_week(day) >= u->closed_from)
        return 0;
    if (u->way == WAY_SCHOOL && (month == 7 || month == 8 || (spring > -14 && spring < 14)))
        return 0;
    if (spring <= 1 && spring > -6)
        return u->way == WAY_OFFICE || u->way == WAY_WORKS ? 0 : u->way == WAY_SHOP ? 0.2 : 0.8;
    return 1;
}

/* How busy an hour is; the hours of a place open all day sum to less at night. */
static double busy(const struct enduse *u, int hour)
{
    if (u->way == WAY_HOTEL)
        return hour < 5 ? 0.15 : hour < 10 ? 2.2 : hour < 17 ? 0.7 : 1.5;
    if (u->way == WAY_RESTAURANT)
        return (hour >= 11 && hour < 14) || (hour >= 17 && hour < 21) ? 1.8 : 0.4;
    return 1;
}

static void crowd(const struct enduse *u, struct chance *c, double people, double midnight_s,
                  enduse_take *take, void *arg)
{
    double each_l = u->each_l / 4; /* in four draws */
    double quarters = (u->open_to - u->open_from) * 4;

    for (int q = u->open_from * 4; q < u->open_to * 4; q++) {
        unsigned count = chance_poisson(c, 4 * people / quarters * busy(u, q / 4));

        if (count)
            take(arg, midnight_s + q * QUARTER_S, QUARTER_S,
                 count * each_l * 4 * chance_even(c, 0.8, 1.2));
    }
}

void trade_day(const struct enduse *u, struct chance *c, int64_t day, double midnight_s,
               enduse_take *take, void *arg)
{
    double share = open_share(u, day);

    if (u->way == WAY_COOLING)
        take(arg, midnight_s, 24 * HOUR_S, u->base_lph * chance_even(c, 0.9, 1.1));
    if (share <= 0)
        return;
    if (u->way == WAY_WORKS) {
        for (int h = u->open_from; h < u->open_to; h++)
            take(arg, midnight_s + h * HOUR_S, HOUR_S, u->base_lph * chance_even(c, 0.6, 1.4));
        return;
    }
    if (u->way == WAY_HOTEL)
        share *= chance_even(c, 0.4, 1);
    crowd(u, c, u->people * share, midnight_s, take, arg);
}
