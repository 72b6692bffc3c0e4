/* Flags as cases (server/leak_cases.h): what belongs together, and how much has flowed; every number here was worked out by hand. */
#include "server/leak_cases.h"
#include "tests/check.h"

#include <stdio.h>

#define DAY 86400
#define T0 INT64_C(1772000000)

static struct case_part part(const char *id, double from_day, double to_day, int64_t lost_lpd)
{
    struct case_part p = { .onset_s = T0 + (int64_t)(from_day * DAY),
                           .told_s = T0 + (int64_t)(from_day * DAY) + DAY,
                           .ended_s = T0 + (int64_t)(to_day * DAY),
                           .ended = true,
                           .lost_mlpd = lost_lpd * 1000,
                           .low_mlpd = lost_lpd * 900,
                           .high_mlpd = lost_lpd * 1200 };

    snprintf(p.id, sizeof p.id, "%s", id);
    return p;
}

static void what_follows_within_a_day_is_one_case(void **state)
{
    struct case_part parts[] = { part("a", 0, 2, 480), part("b", 2.5, 4, 480),
                                 part("c", 5.5, 6, 480) };
    struct leak_case c[4];

    (void)state;
    assert_int_equal(leak_cases_group(parts, 3, c, 4), 2);
    assert_int_equal(c[0].count, 2);
    assert_string_equal(c[0].part[0].id, "a");
    assert_string_equal(c[1].part[0].id, "c");
    assert_int_equal(c[0].state, CASE_CLOSED);
    assert_int_equal(c[0].lost_ml, 480 * 1000 * 3 + 480 * 500); /* 2 and 1.5 days */
    assert_int_equal(c[0].ended_s, T0 + 4 * DAY);
    parts[1].fitting_from_s = 7; /* the meter was moved */
    assert_int_equal(leak_cases_group(parts, 3, c, 4), 3);
}

/* 240 L/day for 10 days, and for a day 24 000 L/day in all: 2 400 + 23 760. */
static void a_burst_within_a_leak_counts_what_it_has_above_it(void **state)
{
    struct case_part parts[] = { part("a", 0, 10, 240), part("b", 4, 5, 24000) };
    struct leak_case c[2];

    (void)state;
    parts[0].ended = false;
    parts[1].burst = true;
    assert_int_equal(leak_cases_group(parts, 2, c, 2), 1);
    assert_int_equal(c[0].state, CASE_OPEN);
    assert_int_equal(c[0].lost_ml, 26160 * 1000);
    assert_int_equal(c[0].flow_mlph, 10000);
    assert_true(c[0].low_ml < c[0].lost_ml && c[0].high_ml > c[0].lost_ml);
}

/* 700 L until day 3 as counted, and 240 a day for the 4 days since. */
static void what_was_counted_goes_before_what_is_reckoned(void **state)
{
    struct case_part p = part("a", 0, 7, 240);
    struct leak_case c;

    (void)state;
    p.counted_s = T0 + 3 * DAY;
    p.counted_ml = 700000;
    assert_int_equal(leak_cases_group(&p, 1, &c, 1), 1);
    assert_int_equal(c.lost_ml, 700000 + 4 * 240000);
}

/* 480 L/day for 4 days, and of the second flag, which tells of days 1 to 6 and counted 500 L until day 5, what it has behind day 4: a fourth of 500 and a day of 240. */
static void no_time_counts_twice(void **state)
{
    struct case_part parts[] = { part("a", 0, 4, 480), part("b", 1, 6, 240) };
    struct leak_case c;

    (void)state;
    parts[1].counted_s = T0 + 5 * DAY;
    parts[1].counted_ml = 500000;
    assert_int_equal(leak_cases_group(parts, 2, &c, 1), 1);
    assert_int_equal(c.lost_ml, 4 * 480000 + 125000 + 240000);
}

static void what_was_dismissed_counts_for_nothing(void **state)
{
    struct case_part parts[] = { part("a", 0, 2, 480), part("b", 1, 3, 100) };
    struct leak_case c[2];

    (void)state;
    parts[0].none = true;
    assert_int_equal(leak_cases_group(parts, 2, c, 2), 1);
    assert_int_equal(c[0].lost_ml, 200000);
    assert_int_equal(c[0].state, CASE_CLOSED);
    parts[1].none = true;
    assert_int_equal(leak_cases_group(parts, 2, c, 2), 1);
    assert_int_equal(c[0].state, CASE_NONE);
    assert_int_equal(c[0].lost_ml, 0);
}

static void no_more_cases_are_made_than_fit(void **state)
{
    struct case_part parts[6];
    struct leak_case c[4];

    (void)state;
    for (int i = 0; i < 6; i++)
        parts[i] = part("x", 5 * i, 5 * i + 1, 100);
    assert_int_equal(leak_cases_group(parts, 6, c, 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_within_a_day_is_one_case),
        cmocka_unit_test(a_burst_within_a_leak_counts_what_it_has_above_it),
        cmocka_unit_test(what_was_counted_goes_before_what_is_reckoned),
        cmocka_unit_test(no_time_counts_twice),
        cmocka_unit_test(what_was_dismissed_counts_for_nothing),
        cmocka_unit_test(no_more_cases_are_made_than_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
