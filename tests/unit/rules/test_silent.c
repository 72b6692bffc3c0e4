/* How long a meter may be silent, and when a cell is out. */
#include "server/detect/silent.h"
#include "tests/check.h"

#include <math.h>

#include "proto/base/wr.h"

#include <string.h>

#define START 1772294400 /* 2026-03-01T00:00+08:00 */
#define HOUR 3600
#define DAY 86400

static struct silence daily(int64_t lasted_s)
{
    return (struct silence){ .heard_s = START,
                             .from_s = START,
                             .until_s = START + lasted_s,
                             .period_s = DAY,
                             .longest_s = DAY,
                             .cell = 7 };
}

static void limits_follow_the_meters_own_habit(void **state)
{
    struct silence_limits l;

    (void)state;
    silence_limits(DAY, DAY, NULL, &l);
    assert_int_equal(l.late_s, 30 * HOUR);
    assert_int_equal(l.later_s, 54 * HOUR);
    assert_int_equal(l.level_s[0], 3 * DAY);
    assert_int_equal(l.level_s[1], 3 * DAY);
    assert_int_equal(l.level_s[2], 7 * DAY);
    assert_int_equal(l.level_s[3], 14 * DAY);
    assert_int_equal(l.level_s[4], 21 * DAY);
    silence_limits(HOUR, 0, NULL, &l);
    assert_int_equal(l.late_s, 2 * HOUR);
    assert_int_equal(l.level_s[0], 25 * HOUR);
    silence_limits(0, 0, NULL, &l); /* nobody knows how often: a day */
    assert_int_equal(l.level_s[0], 3 * DAY);
    silence_limits(DAY, 8 * DAY, NULL, &l); /* it was silent for 8 days before and came back */
    assert_int_equal(l.level_s[0], 3 * DAY);
    assert_int_equal(l.level_s[1], 20 * DAY);
    assert_int_equal(l.level_s[3], 20 * DAY);
    silence_limits(30 * DAY, 30 * DAY, NULL, &l);
    assert_int_equal(l.level_s[2], 90 * DAY);
    silence_limits(UINT32_MAX, UINT32_MAX, NULL, &l); /* no sum runs over */
    assert_true(l.late_s == UINT32_MAX && l.level_s[2] == UINT32_MAX);
}

static void a_silence_is_told_at_its_limit_and_grows_worse(void **state)
{
    struct silence s = daily(3 * DAY - 1);
    struct verdict v;

    (void)state;
    assert_false(silence_judge(&s, &v));
    s = daily(3 * DAY);
    assert_true(silence_judge(&s, &v));
    assert_true(v.open && v.onset_s == START && v.raised_s == START + 3 * DAY);
    assert_int_equal(v.severity, SEVERITY_MEDIUM);
    s = daily(7 * DAY);
    s.ended = true;
    assert_true(silence_judge(&s, &v));
    assert_true(!v.open && v.cleared_s == START + 7 * DAY);
    assert_int_equal(v.severity, SEVERITY_HIGH);
    s.large = true;
    assert_true(silence_judge(&s, &v));
    assert_int_equal(v.severity, SEVERITY_URGENT);
}

static void who_was_silent_for_long_before_has_to_surpass_himself(void **state)
{
    struct silence s = daily(9 * DAY);
    struct verdict v;

    (void)state;
    s.longest_s = 8 * DAY;
    assert_true(silence_judge(&s, &v));
    assert_int_equal(v.severity, SEVERITY_LOW);
    assert_int_equal(v.confidence_pct, 5);
    s.until_s = START + 20 * DAY;
    assert_true(silence_judge(&s, &v));
    assert_int_equal(v.severity, SEVERITY_HIGH);
    assert_int_equal(v.confidence_pct, 80);
}

static void what_is_a_part_of_an_outage_says_so(void **state)
{
    struct silence s = daily(9 * DAY);
    struct meter_facts meter = { .serial = "M1" };
    struct zone zone;
    struct judge_place place = { .meter = &meter, .zone = &zone };
    struct verdict v;
    char text[2][512];
    struct wr en = wr_of(text[0], sizeof text[0] - 1), zh = wr_of(text[1], sizeof text[1] - 1);

    (void)state;
    zone_fixed(&zone, "CST", 8 * HOUR);
    s.outage_s = START + HOUR;
    assert_true(silence_judge(&s, &v));
    assert_int_equal(v.severity, SEVERITY_LOW);
    assert_true(verdict_is_explained(&v));
    detector_silent.explain(&v, &place, &en, &zh);
    *en.at = *zh.at = 0;
    assert_non_null(strstr(text[0], "since 2026-03-01 01:00: it is a part of that outage"));
    assert_non_null(strstr(text[1], "不必上门"));
    s.outage_s = 0;
    s.not_before_s = START + 9 * DAY + 1; /* its cell came back a moment ago */
    assert_false(silence_judge(&s, &v));
}

static void a_cell_is_out_with_more_than_half_and_back_below_a_third(void **state)
{
    (void)state;
    assert_false(outage_is_one(2, 2, false)); /* two meters are no cell */
    assert_true(outage_is_one(3, 2, false));
    assert_false(outage_is_one(4, 2, false));
    assert_false(outage_is_one(19, 19, true));
    assert_true(outage_is_one(20, 11, true));
    assert_false(outage_is_over(3, 1));
    assert_true(outage_is_over(4, 1));
    assert_true(outage_is_over(0, 0)); /* its meters went over to others */
}

static double chance(unsigned meters, unsigned late, double share)
{
    double shares[64], room[65];

    for (unsigned i = 0; i < meters; i++)
        shares[i] = share;
    return outage_chance(shares, meters, late, room);
}

/* Against the sums by hand, and what they are for. */
static void how_likely_so_many_are_late_by_chance_is_summed_up_exactly(void **state)
{
    const double mixed[3] = { 0.5, 0.1, 0.2 };
    double room[4];

    (void)state;
    assert_true(fabs(outage_chance(mixed, 3, 0, room) - 1) < 1e-12);
    assert_true(fabs(outage_chance(mixed, 3, 1, room) - (1 - 0.5 * 0.9 * 0.8)) < 1e-12);
    assert_true(fabs(outage_chance(mixed, 3, 2, room) -
                     (0.5 * 0.1 * 0.8 + 0.5 * 0.9 * 0.2 + 0.5 * 0.1 * 0.2 + 0.5 * 0.1 * 0.2)) <
                1e-12);
    assert_true(fabs(outage_chance(mixed, 3, 3, room) - 0.5 * 0.1 * 0.2) < 1e-12);
    assert_true(chance(3, 2, LATE_SHARE_LEAST) > OUTAGE_CHANCE); /* two of three may be chance, */
    assert_true(chance(3, 3, LATE_SHARE_LEAST) < OUTAGE_CHANCE); /* all of them are none, */
    assert_true(chance(4, 4, 0.2) > OUTAGE_CHANCE); /* but of poor radios they may be again */
    assert_true(chance(12, 10, 0.2) < OUTAGE_CHANCE);
}

static void a_zone_is_dry_when_its_meters_stopped_together(void **state)
{
    const struct dry_seen few = { .meters = 9, .still = 9, .together = 9 };
    const struct dry_seen all = { .meters = 10, .still = 9, .together = 9 };
    const struct dry_seen most = { .meters = 100, .still = 89, .together = 89 };
    const struct dry_seen apart = { .meters = 100,
                                    .still = 100,
                                    .together = 89 }; /* a hamlet of second homes in winter */
    const struct dry_seen half = { .meters = 10, .still = 5 };
    const struct dry_seen back = { .meters = 10, .still = 4 };
    const struct dry_seen known = { .meters = 9, .still = 0 }; /* so far, after a start */

    (void)state;
    assert_false(dry_is_one(&few));
    assert_true(dry_is_one(&all));
    assert_false(dry_is_one(&most));
    assert_false(dry_is_one(&apart));
    assert_false(dry_is_over(&half));
    assert_true(dry_is_over(&back));
    assert_false(dry_is_over(&known));
}

static void who_stands_each_weekend_has_that_habit(void **state)
{
    enum { WEEKEND = 62 * HOUR, NIGHT_OUT = 30 * HOUR };
    const uint32_t works[8] = { WEEKEND, WEEKEND, WEEKEND, WEEKEND,
                                WEEKEND, WEEKEND, WEEKEND, WEEKEND };
    const uint32_t home[2] = { NIGHT_OUT, 5 * DAY };
    const uint32_t house_in_the_hills[3] = { 12 * DAY, 19 * DAY, 19 * DAY };

    (void)state;
    assert_int_equal(standing_habit_h(NULL, 0, DRY_HABIT_S), 24);
    assert_int_equal(standing_habit_h(home, 2, DRY_HABIT_S), 24);
    assert_int_equal(standing_habit_h(works, 8, DRY_HABIT_S), 96);
    assert_int_equal(standing_habit_h(house_in_the_hills, 3, DRY_HABIT_S), DRY_NEVER);
}

static void an_outage_names_its_cell_and_how_many(void **state)
{
    struct outage_seen seen = {
        .cell = CELL_GATEWAY | 0xa, .meters = 300, .late = 280, .onset_s = START, .raised_s = START
    };
    struct zone zone;
    struct judge_place place = { .zone = &zone };
    struct verdict v;
    char text[2][512];

    (void)state;
    zone_fixed(&zone, "CST", 8 * HOUR);
    for (int i = 0; i < 3; i++) {
        static const char *const says[3] = { "280 of the 300 meters that gateway 0000000a heard",
                                             "280 of the 300 meters of radio cell 501",
                                             "280 of all 300 meters" };
        struct wr en = wr_of(text[0], sizeof text[0] - 1), zh = wr_of(text[1], sizeof text[1] - 1);

        seen.cell = i == 0 ? CELL_GATEWAY | 0xa : i == 1 ? 501 : 0;
        outage_judge(&seen, &v);
        assert_int_equal(v.severity, SEVERITY_URGENT);
        detector_outage.explain(&v, &place, &en, &zh);
        *en.at = *zh.at = 0;
        assert_non_null(strstr(text[0], says[i]));
        assert_non_null(strstr(text[1], "280"));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_follow_the_meters_own_habit),
        cmocka_unit_test(a_silence_is_told_at_its_limit_and_grows_worse),
        cmocka_unit_test(who_was_silent_for_long_before_has_to_surpass_himself),
        cmocka_unit_test(what_is_a_part_of_an_outage_says_so),
        cmocka_unit_test(a_cell_is_out_with_more_than_half_and_back_below_a_third),
        cmocka_unit_test(how_likely_so_many_are_late_by_chance_is_summed_up_exactly),
        cmocka_unit_test(a_zone_is_dry_when_its_meters_stopped_together),
        cmocka_unit_test(who_stands_each_weekend_has_that_habit),
        cmocka_unit_test(an_outage_names_its_cell_and_how_many),
    };

    return check_run(tests, argc, argv);
}
