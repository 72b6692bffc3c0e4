#include "server/detect/profile.h"
#include "tests/unit/rules/story.h"

#include <math.h>

static const struct profile *learned(const struct story *s)
{
    return (const struct profile *)(const void *)s->state.detectors;
}

static void two_bytes_hold_a_number_to_a_part_in_4000(void **state)
{
    float before = 0;

    (void)state;
    for (double x = 0.008; x < 1.6e7; x *= 1.0003) {
        float y = small_value(small_of((float)x));

        assert_true(fabs(y / x - 1) < 1 / 4000.0);
        assert_true(y >= before);
        before = y;
    }
    assert_true(small_value(small_of(0)) == 0);
    assert_true(small_value(small_of(-5)) == 0);
    assert_true(small_value(small_of(NAN)) == 0);
    assert_int_equal(small_of(1e30f), UINT16_MAX);
}

static void a_household_is_known_by_its_hours(void **state)
{
    struct story s;
    const struct profile *f;

    (void)state;
    story_begin(&s);
    story_live(&s, 90);
    f = learned(&s);
    assert_true(f->known_days >= 88 && f->known_days <= 90);
    assert_true(profile_use_mlpd(f) > 285000 && profile_use_mlpd(f) < 315000);
    assert_true(f->low_lph == 0);
    assert_true(f->block[0] < 10);  /* nobody up before three */
    assert_true(f->block[6] > 245); /* all of them in the evening */
    for (int d = 0; d < 7; d++)
        assert_int_equal(f->weekday[d], 255);
    story_leak(&s, 40 * 24, 12);
    assert_true(fabs((double)small_value(learned(&s)->low_lph) - 12) < 4);
    assert_true(learned(&s)->night_share > 8 && learned(&s)->night_share < 20);
}

/* A meter that stops keeps its customer's profile; what stood and moved again is a pause. */
static void a_standstill_is_learned_when_it_ends(void **state)
{
    struct story s;
    struct profile before;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    before = *learned(&s);
    story_still(&s, 5 * 24);
    assert_int_equal(learned(&s)->slow_lpd, before.slow_lpd);
    assert_int_equal(learned(&s)->known_days, before.known_days);
    story_live(&s, 2);
    assert_true(learned(&s)->slow_lpd < before.slow_lpd);
    assert_int_equal(learned(&s)->pauses[3], 1); /* four days and more */
    assert_true(profile_longest_s(learned(&s)) > 5 * DAY);
    assert_true(profile_longest_s(learned(&s)) < 6 * DAY);
    assert_true(learned(&s)->weekday[0] + learned(&s)->weekday[3] < 2 * 255);
}

static void more_pauses_make_the_next_one_likelier(void **state)
{
    struct story s;
    double before, hours;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    before = profile_pauses_a_day(learned(&s), &s.place, 100);
    for (int i = 0; i < 4; i++) {
        story_still(&s, 5 * 24);
        story_live(&s, 10);
    }
    assert_true(profile_pauses_a_day(learned(&s), &s.place, 100) > 4 * before);
    for (hours = 12, before = 10; hours < 10000; hours *= 1.05) {
        double rate = profile_pauses_a_day(learned(&s), &s.place, hours);

        assert_true(rate > 0 && rate <= before);
        before = rate;
    }
}

/* Who was never away for most of a year leaves seldom, for any length; who left once may leave again. */
static void homes_that_stay_are_told_from_those_that_leave(void **state)
{
    struct story young, old;
    double short_ago, once;

    (void)state;
    story_begin(&young);
    story_live(&young, 30);
    story_begin(&old);
    story_live(&old, 300);
    short_ago = profile_pauses_a_day(learned(&young), &young.place, 100);
    assert_true(profile_pauses_a_day(learned(&old), &old.place, 100) < short_ago / 2);
    once = profile_pauses_a_day(learned(&old), &old.place, 180);
    story_still(&old, 60);
    story_live(&old, 2);
    assert_true(profile_pauses_a_day(learned(&old), &old.place, 180) > 1.3 * once);
    assert_true(profile_unsettled_a_day(learned(&old), &old.place, 60) >
                2 * profile_pauses_a_day(learned(&old), &old.place, 60));
}

static void a_stop_late_in_the_evening_is_likelier_none_who_left(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60); /* to midnight */
    assert_true(profile_hour_odds(learned(&s), &s.place) > 2);
    story_pass(&s, 13 * HOUR, true, 0, false, false);
    story_still(&s, 3);
    assert_true(profile_hour_odds(learned(&s), &s.place) < 1);
    s.meter.resolution_ml = 100000; /* three pulses a day tell no hour */
    assert_true(profile_hour_odds(learned(&s), &s.place) == 1);
    s.meter.resolution_ml = 1000;
    s.point.use = USE_COMMERCIAL;
    assert_true(profile_hour_odds(learned(&s), &s.place) == 1);
    story_begin(&s);
    story_live(&s, 60);
    s.step_s = 6 * HOUR;
    story_live(&s, 1);
    assert_true(profile_hour_odds(learned(&s), &s.place) == 1);
}

static void holidays_teach_no_pause_and_a_gap_no_hours(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    holidays_builtin(&s.holidays);
    story_live(&s, 39); /* to the 9th of February 2026 */
    story_still(&s, 20 * 24);
    story_live(&s, 3);
    assert_int_equal(learned(&s)->pauses[4] + learned(&s)->pauses[5] + learned(&s)->pauses[6], 0);
    story_begin(&s);
    story_live(&s, 60);
    story_silence(&s, 10 * 24, true);
    story_live(&s, 2);
    assert_true(profile_use_mlpd(learned(&s)) > 285000 && profile_use_mlpd(learned(&s)) < 315000);
    assert_int_equal(learned(&s)->pauses[4], 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_bytes_hold_a_number_to_a_part_in_4000),
        cmocka_unit_test(a_household_is_known_by_its_hours),
        cmocka_unit_test(a_standstill_is_learned_when_it_ends),
        cmocka_unit_test(more_pauses_make_the_next_one_likelier),
        cmocka_unit_test(homes_that_stay_are_told_from_those_that_leave),
        cmocka_unit_test(a_stop_late_in_the_evening_is_likelier_none_who_left),
        cmocka_unit_test(holidays_teach_no_pause_and_a_gap_no_hours),
    };

    return check_run(tests, argc, argv);
}
