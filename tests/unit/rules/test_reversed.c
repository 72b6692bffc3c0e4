#include "tests/unit/rules/story.h"

#define reversed_open(s) story_is_open(s, &detector_reversed)

static void begin(struct story *s, enum register_form form, uint32_t step_s)
{
    story_begin(s);
    s->meter.form = form;
    s->step_s = step_s;
}

static void a_meter_fitted_the_wrong_way_round_is_told_within_days(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };
    static const uint32_t steps_s[] = { HOUR, DAY };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct story s;
        const struct verdict *v;

        begin(&s, forms[i % 2], steps_s[i / 2]);
        story_backwards(&s, 2);
        assert_quiet(&s);
        story_backwards(&s, 3);
        v = story_last(&s, &detector_reversed);
        assert_true(v && v->open);
        assert_int_equal(verdict_value(v, "since_installed"), 1000);
        assert_true(v->onset_s >= START && v->onset_s <= START + DAY);
        assert_in_range(v->lost_mlpd, 250000, 350000);
        assert_int_equal(story_episodes(&s, &detector_stuck), 0);
        assert_int_equal(story_episodes(&s, &detector_leak), 0);
    }
}

static void one_that_was_turned_later_is_told_with_its_day(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        const struct verdict *v;

        begin(&s, forms[i], HOUR);
        story_live(&s, 40);
        assert_quiet(&s);
        story_backwards(&s, 6);
        v = story_last(&s, &detector_reversed);
        assert_true(v && v->open);
        assert_int_equal(verdict_value(v, "since_installed"), 0);
        assert_in_range(v->onset_s, START + 40 * DAY, START + 40 * DAY + 8 * HOUR);
        story_backwards(&s, 10);
        assert_int_equal(story_last(&s, &detector_reversed)->confidence_pct, 95);
        assert_int_equal(story_episodes(&s, &detector_reversed), 1);
    }
}

static void it_clears_when_the_meter_runs_forward_for_days(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET, HOUR);
    story_backwards(&s, 10);
    assert_true(reversed_open(&s));
    story_live(&s, 2);
    assert_true(reversed_open(&s));
    story_live(&s, 3);
    assert_false(reversed_open(&s));
    story_live(&s, 30);
    assert_int_equal(story_episodes(&s, &detector_reversed), 1);
}

static void back_flow_once_a_day_is_no_reversed_meter(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;

        begin(&s, forms[i], HOUR);
        for (int day = 0; day < 40; day++) {
            story_live(&s, 1);
            s.back_ml += 90000; /* a check valve that does not close */
        }
        assert_int_equal(story_episodes(&s, &detector_reversed), 0);
        assert_int_equal(story_episodes(&s, &detector_backflow), 1);
    }
}

static void water_to_and_fro_in_an_empty_flat_is_none_either(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET, HOUR);
    for (int hour = 0; hour < 60 * 24; hour++) {
        s.true_ml += hour % 2 ? 3000 : 0;
        s.back_ml += hour % 2 ? 0 : 3000;
        story_still(&s, 1);
    }
    assert_quiet(&s);
}

static void one_fall_and_a_parallel_course_is_a_wrong_read(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH, REGISTER_FORWARD };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct story s;

        begin(&s, forms[i], HOUR);
        story_live(&s, 30);
        s.dial_ml = -2000000;
        story_live(&s, 30);
        assert_int_equal(story_episodes(&s, &detector_reversed), 0);
    }
}

static void wild_values_are_none(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH, REGISTER_FORWARD };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct story s;

        begin(&s, forms[i], HOUR);
        for (int day = 0; day < 30; day++) {
            story_live(&s, 1);
            s.dial_ml = day % 2 ? -700000 : -50000000;
            story_pass(&s, HOUR, true, 0, false, false);
            s.dial_ml = 0;
            story_pass(&s, 23 * HOUR, true, 0, false, false);
        }
        assert_quiet(&s);
    }
}

/* Most mechanical meters are registered without a word about their register. */
static void a_dial_that_should_not_fall_and_does_so_for_days_is_reversed(void **state)
{
    static const uint32_t steps_s[] = { HOUR, DAY };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;

        begin(&s, REGISTER_FORWARD, steps_s[i]);
        for (int hour = 0; hour < 24 * 24; hour += (int)(steps_s[i] / HOUR)) {
            story_silence(&s, steps_s[i] / HOUR, true);
            s.dial_ml = -2 * (s.true_ml - 123456000); /* the wheel turns backwards */
            story_read(&s);
        }
        assert_true(reversed_open(&s));
        assert_int_equal(story_episodes(&s, &detector_leak), 0);
        assert_int_equal(story_episodes(&s, &detector_stuck), 0);
    }
}

static void a_gap_counts_as_one_day(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET, HOUR);
    story_live(&s, 30);
    for (int i = 0; i < 2;
         i++) { /* two wrong reads, weeks apart, would be many days of back flow */
        story_silence(&s, 6 * 24, false);
        s.back_ml += 800000;
        story_pass(&s, 6 * HOUR, false, 0, false, false);
    }
    assert_quiet(&s);
}

static void water_between_zones_may_flow_either_way(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET, HOUR);
    s.point.use = USE_ZONE_INLET;
    story_backwards(&s, 10);
    assert_quiet(&s);
}

static void a_crew_understands_it(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    begin(&s, REGISTER_NET, HOUR);
    story_backwards(&s, 9);
    detector_reversed.explain(story_last(&s, &detector_reversed), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "installed the wrong way round"));
    assert_non_null(strstr(zh, "疑似倒装"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_fitted_the_wrong_way_round_is_told_within_days),
        cmocka_unit_test(one_that_was_turned_later_is_told_with_its_day),
        cmocka_unit_test(it_clears_when_the_meter_runs_forward_for_days),
        cmocka_unit_test(back_flow_once_a_day_is_no_reversed_meter),
        cmocka_unit_test(water_to_and_fro_in_an_empty_flat_is_none_either),
        cmocka_unit_test(one_fall_and_a_parallel_course_is_a_wrong_read),
        cmocka_unit_test(wild_values_are_none),
        cmocka_unit_test(a_dial_that_should_not_fall_and_does_so_for_days_is_reversed),
        cmocka_unit_test(a_gap_counts_as_one_day),
        cmocka_unit_test(water_between_zones_may_flow_either_way),
        cmocka_unit_test(a_crew_understands_it),
    };

    return check_run(tests, argc, argv);
}
