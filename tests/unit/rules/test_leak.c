#include "server/detect/leak_priv.h"
#include "tests/unit/rules/story.h"

#define leak_open(s) story_is_open(s, &detector_leak)

static const uint8_t nothing[24] = { 0 };

static void begin(struct story *s, int64_t pulse_l)
{
    story_begin(s);
    s->meter.resolution_ml = pulse_l * 1000;
    story_live(s, 21);
}

/* How long a leak of this size and pulse runs before it is told; hours, 0: not within `most`. */
static unsigned hours_to_tell(int64_t pulse_l, double lph, unsigned most)
{
    struct story s;

    begin(&s, pulse_l);
    for (unsigned hour = 1; hour <= most; hour++) {
        story_leak(&s, 1, lph);
        if (leak_open(&s))
            return hour;
    }
    assert_quiet(&s);
    return 0;
}

static void a_leak_where_people_sleep_is_told_after_a_day(void **state)
{
    (void)state;
    assert_in_range(hours_to_tell(1, 50, 200), 24, 31);
    assert_in_range(hours_to_tell(1, 8, 200), 24, 31);
    assert_in_range(hours_to_tell(1, 2.5, 200), 24, 55);
    assert_int_equal(hours_to_tell(1, 1.5, 400), 0); /* a tap that drips */
}

static void coarse_pulses_tell_coarse_leaks(void **state)
{
    (void)state;
    assert_in_range(hours_to_tell(10, 100, 200), 5, 34);
    assert_in_range(hours_to_tell(10, 12, 200), 5, 80);
    assert_in_range(hours_to_tell(10, 5, 200), 29, 180);
    assert_int_equal(hours_to_tell(10, 1, 400), 0);
    assert_in_range(hours_to_tell(100, 150, 200), 5, 130);
    assert_in_range(hours_to_tell(100, 40, 200), 29, 180);
    assert_int_equal(hours_to_tell(100, 10, 1000), 0);
}

/* A large family: now and then somebody is up at night. */
static void nights_of_living(struct story *s, struct check_random *r, unsigned days)
{
    static const uint8_t base[24] = { 0,  0,  0,  0,  0,  0,  60, 90, 40, 20, 20, 30,
                                      60, 40, 20, 20, 30, 60, 90, 80, 60, 40, 30, 12 };
    uint8_t hours[24];

    s->hours = hours;
    for (unsigned day = 0; day < days; day++) {
        for (unsigned hour = 0; hour < 24; hour++)
            hours[hour] = (uint8_t)(base[hour] + (hour < 6 && check_below(r, 4) == 0 ? 6 : 0));
        story_live(s, 1);
    }
    s->hours = family_hours;
}

static void living_is_no_leak_at_any_pulse(void **state)
{
    static const int64_t pulses_l[] = { 1, 10, 100, 1000 };
    struct check_random r = { 20261126 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct story s;

        begin(&s, pulses_l[i]);
        story_live(&s, 60);
        nights_of_living(&s, &r, 120);
        assert_quiet(&s);
    }
}

static void the_onset_is_where_the_flow_began(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 100, 8);
    v = story_last(&s, &detector_leak);
    assert_true(v->open);
    assert_int_equal(v->onset_s, START + 21 * DAY);
    assert_in_range(verdict_value(v, "min_flow_lph"), 7500, 8500);
    assert_in_range(v->lost_mlpd, 180000, 205000);
    assert_int_equal(v->severity, SEVERITY_LOW);
    assert_in_range(verdict_value(v, "lost_l"), 380000, 460000); /* told after 53 hours */
    assert_in_range(verdict_value(v, "flowing_hours"), 50000, 55000);
}

static void a_burst_that_falls_to_a_leak_is_one_leak_more_and_stands(void **state)
{
    unsigned raised = 0;
    struct story s;

    (void)state;
    begin(&s, 1);
    story_live(&s, 19);
    story_leak(&s, 30, 900);
    story_leak(&s, 24 * 14, 30);
    for (size_t i = 0; i < s.said; i++)
        raised += s.say[i].kind == &detector_leak && s.say[i].verdict.open &&
                  (i == 0 || s.say[i].verdict.raised_s == s.now_s ||
                   s.say[i - 1].kind != &detector_leak || !s.say[i - 1].verdict.open);
    assert_int_equal(raised, 1);
    assert_true(leak_open(&s));
    assert_in_range(verdict_value(story_last(&s, &detector_leak), "min_flow_lph"), 28000, 32000);
}

static void it_clears_with_the_first_hour_without_flow(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 96, 20);
    assert_true(leak_open(&s));
    story_live(&s, 1);
    v = story_last(&s, &detector_leak);
    assert_false(v->open);
    assert_int_equal(v->cleared_s, START + 25 * DAY + HOUR);
    story_live(&s, 30);
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
}

static void a_leak_that_grows_is_told_again(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 96, 8);
    assert_int_equal(story_last(&s, &detector_leak)->severity, SEVERITY_LOW);
    story_leak(&s, 72, 60);
    assert_int_equal(story_last(&s, &detector_leak)->severity, SEVERITY_HIGH);
    assert_in_range(verdict_value(story_last(&s, &detector_leak), "min_flow_lph"), 59000, 61000);
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
}

static void confidence_rises_with_time(void **state)
{
    struct story s;
    unsigned first;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 30, 30);
    first = story_last(&s, &detector_leak)->confidence_pct;
    story_leak(&s, 60, 30);
    assert_true(story_last(&s, &detector_leak)->confidence_pct > first);
    story_leak(&s, 120, 30);
    assert_true(story_last(&s, &detector_leak)->confidence_pct >= 90);
    assert_int_equal(story_last(&s, &detector_leak)->raised_s,
                     story_last(&s, &detector_leak)->onset_s + 24 * HOUR);
}

/* ---- gaps ---- */

static void a_gap_neither_bears_out_nor_breaks(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 20, 8);
    story_pass(&s, 10 * HOUR, false, 8, false, true);
    story_leak(&s, 3, 8);
    assert_quiet(&s); /* 23 hours are borne out, of 33 */
    story_leak(&s, 4, 8);
    assert_true(leak_open(&s));
    assert_int_equal(story_last(&s, &detector_leak)->onset_s, START + 21 * DAY);
}

static void a_gap_whose_mean_is_too_low_held_a_pause(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 20, 8);
    story_silence(&s, 6, false);
    story_leak(&s, 22, 8);
    assert_quiet(&s);
}

static void lost_hours_do_not_hide_a_leak(void **state)
{
    struct check_random r = check_random_begin();
    struct story s;

    (void)state;
    begin(&s, 1);
    for (unsigned hour = 0; hour < 100; hour++)
        story_pass(&s, HOUR, true, 6.5, false, check_below(&r, 10) == 0);
    assert_true(leak_open(&s));
}

static void one_reading_a_day_tells_no_hour(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.step_s = DAY;
    story_live(&s, 30);
    story_leak(&s, 40 * 24, 50);
    assert_quiet(&s);
}

static void quarters_of_an_hour_are_gathered(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.step_s = 900;
    story_live(&s, 21);
    story_leak(&s, 80, 4); /* a litre a quarter */
    assert_true(leak_open(&s));
    story_live(&s, 1);
    assert_false(leak_open(&s));
}

/* ---- glitches ---- */

static void a_wild_value_is_no_leak_and_hides_none(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 40; i++) {
        story_pass(&s, 5 * HOUR, true, 0, false, false);
        s.dial_ml = i % 2 ? 500000 : -3000000;
        story_pass(&s, HOUR, true, 0, false, false);
        s.dial_ml = 0;
    }
    assert_quiet(&s);
    for (int i = 0; i < 16; i++) {
        story_leak(&s, 5, 12);
        s.dial_ml = i % 2 ? 500000 : -3000000;
        story_leak(&s, 1, 12);
        s.dial_ml = 0;
    }
    assert_true(leak_open(&s));
}

static void a_register_that_falls_and_climbs_leaks_nothing(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    for (int i = 0; i < 30; i++) { /* re-based again and again */
        story_live(&s, 1);
        s.true_ml -= 250000;
    }
    assert_quiet(&s);
}

/* ---- continuous by nature ---- */

static void what_has_always_run_is_no_leak_and_its_rise_is(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    s.hours = nothing;
    story_leak(&s, 31 * 24, 30);
    assert_quiet(&s);
    story_leak(&s, 40, 300);
    v = story_last(&s, &detector_leak);
    assert_true(v && v->open);
    assert_int_equal(v->onset_s, START + 31 * DAY);
    assert_in_range(verdict_value(v, "usual_flow_lph"), 28000, 32000);
    assert_in_range(v->lost_mlpd, 24 * 260000, 24 * 275000);
    story_leak(&s, 5, 30);
    assert_false(leak_open(&s));
    story_leak(&s, 20 * 24, 30);
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
}

static void an_interruption_does_not_make_it_a_leak(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_leak(&s, 40 * 24, 12);
    story_still(&s, 6); /* the street was shut off */
    story_leak(&s, 20 * 24, 12);
    assert_quiet(&s);
}

static void what_ran_for_a_week_and_stopped_is_not_nature(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_leak(&s, 10 * 24, 12);
    story_live(&s, 20);
    assert_quiet(&s);
    story_leak(&s, 96, 12);
    assert_true(leak_open(&s));
}

/* ---- how it runs ---- */

static void night_leak(struct story *s, unsigned nights)
{
    for (unsigned i = 0; i < nights; i++) {
        story_leak(s, 6, 20);
        story_pass(s, 17 * HOUR, true, 0, false, false);
        story_leak(s, 1, 20);
    }
}

static void a_valve_that_runs_by_night_is_told_after_four_nights(void **state)
{
    struct story s;
    const struct verdict *v;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    begin(&s, 1);
    night_leak(&s, 3);
    assert_quiet(&s);
    night_leak(&s, 2);
    v = story_last(&s, &detector_leak);
    assert_true(v && v->open);
    assert_int_equal(verdict_value(v, "by_night"), 1000);
    assert_in_range(v->lost_mlpd, 7 * 19000, 7 * 21000);
    detector_leak.explain(v, &s.place, &e, &z);
    assert_non_null(strstr(en, "every night since"));
    assert_non_null(strstr(zh, "定时阀门"));
    story_live(&s, 2);
    assert_false(leak_open(&s));
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
}

static void one_night_of_much_use_is_no_leak(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    for (unsigned i = 0; i < 6; i++) {
        night_leak(&s, 1); /* guests */
        story_live(&s, 9);
    }
    assert_quiet(&s);
}

static void a_leak_that_grows_slowly_is_told(void **state)
{
    struct story s;
    double lph = 1;

    (void)state;
    begin(&s, 1);
    story_live(&s, 50);
    for (unsigned day = 0; day < 90 && !leak_open(&s); day++, lph *= 1.0228)
        story_leak(&s, 24, lph); /* to 15 L/h in 120 days */
    assert_true(leak_open(&s));
    assert_true(lph < 5);
    for (unsigned day = 0; day < 50; day++, lph *= 1.0228)
        story_leak(&s, 24, lph);
    assert_in_range(verdict_value(story_last(&s, &detector_leak), "grown_times"), 1500, 5000);
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
}

static void one_that_comes_back_within_days_is_said_to(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    story_leak(&s, 5 * 24, 30);
    assert_int_equal(verdict_value(story_last(&s, &detector_leak), "comes_and_goes"), 0);
    story_live(&s, 3);
    story_leak(&s, 48, 30);
    assert_true(leak_open(&s));
    assert_int_equal(verdict_value(story_last(&s, &detector_leak), "comes_and_goes"), 1000);
}

static void a_pool_is_no_leak(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    story_pass(&s, 10 * HOUR, true, 0, false, false);
    story_leak(&s, 60, 900);
    story_pass(&s, 2 * HOUR, true, 0, false, false);
    story_live(&s, 10);
    assert_int_equal(story_episodes(&s, &detector_leak), 0);
}

/* Forward and reverse grow together at night with no use at all (handbook §1.5). */
static void pressure_waves_are_no_leak(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.form = REGISTER_BOTH;
    story_live(&s, 21);
    for (unsigned day = 0; day < 20; day++) {
        for (unsigned hour = 0; hour < 7; hour++) {
            s.back_ml += 15000;
            story_pass(&s, HOUR, true, 15, false, false);
        }
        story_pass(&s, 17 * HOUR, true, 0, false, false);
    }
    assert_int_equal(story_episodes(&s, &detector_leak), 0);
}

/* ---- others than households ---- */

/* A house with one meter: somebody is always up. */
static void house_nights(struct story *s, struct check_random *r, unsigned days, double lph)
{
    uint8_t hours[24];

    s->hours = hours;
    for (unsigned day = 0; day < days; day++) {
        for (unsigned hour = 0; hour < 24; hour++)
            hours[hour] = (uint8_t)((hour < 6 ? 12 : 90) + check_below(r, hour < 6 ? 18 : 60));
        story_leak(s, 24, lph);
    }
    s->hours = family_hours;
}

static void a_house_of_many_flats_tells_of_a_change_alone(void **state)
{
    struct check_random r = check_random_begin();
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    s.meter.dn_mm = 32;
    s.meter.q3_lph = 10000;
    house_nights(&s, &r, 120, 0);
    assert_quiet(&s);
    house_nights(&s, &r, 10, 60);
    v = story_last(&s, &detector_leak);
    assert_true(v && v->open);
    assert_in_range(v->onset_s, START + 119 * DAY, START + 121 * DAY);
    assert_in_range(v->lost_mlpd, 24 * 50000, 24 * 70000);
    assert_true(verdict_value(v, "usual_flow_lph") > 10000);
    house_nights(&s, &r, 3, 0);
    assert_false(leak_open(&s));
}

static void a_flow_in_a_byte_is_right_within_three_percent(void **state)
{
    (void)state;
    for (float lph = 0.26f; lph < 15000; lph *= 1.01f) {
        float back = flow_lph(flow_code(lph));

        assert_true(back > 0.968f * lph && back < 1.032f * lph);
        assert_int_equal(flow_code(back), flow_code(lph));
    }
    assert_int_equal(flow_code(0), 0);
    assert_int_equal(flow_code(-5), 0);
    assert_true(flow_code(1e12f) != NOT_YET);
    assert_true(flow_lph(0) == 0);
}

static void shifts_through_the_week_are_no_leak(void **state)
{
    static const uint8_t shifts[24] = { 80, 80, 80, 80, 80, 80, 99, 99, 99, 99, 99, 99,
                                        99, 99, 99, 99, 99, 99, 99, 99, 80, 80, 80, 80 };
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_INDUSTRIAL;
    s.meter.dn_mm = 40;
    s.meter.q3_lph = 16000;
    s.hours = shifts;
    story_still(&s, 48);
    for (int week = 0; week < 10; week++) {
        story_live(&s, 5);
        story_still(&s, 48);
    }
    assert_int_equal(story_episodes(&s, &detector_leak), 0);
}

/* From `from` until `to` hours after now. */
static void pause(struct story *s, struct pauses *p, enum pause_why why, unsigned from, unsigned to)
{
    s->place.pauses = p;
    pauses_add(p, why, s->now_s + from * HOUR, s->now_s + to * HOUR);
}

static void a_street_without_water_clears_no_leak(void **state)
{
    static const enum pause_why whys[] = { PAUSE_DRY, PAUSE_SHUT };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct story s;
        struct pauses p = { 0 };
        int64_t raised_s, lost;

        begin(&s, 1);
        story_leak(&s, 60, 20);
        assert_true(leak_open(&s));
        raised_s = story_last(&s, &detector_leak)->raised_s;
        pause(&s, &p, whys[i], 0, 36);
        story_still(&s, 36);
        assert_true(leak_open(&s));
        story_leak(&s, 24 * 8, 20);
        assert_true(leak_open(&s));
        assert_int_equal(story_last(&s, &detector_leak)->raised_s, raised_s);
        assert_int_equal(story_episodes(&s, &detector_leak), 1);
        /* what did not flow was not lost: 20 L/h for 9.5 days at most */
        lost = verdict_value(story_last(&s, &detector_leak), "lost_l");
        assert_in_range(lost, 7 * 24 * 18000, 10 * 24 * 22000);
        story_live(&s, 2);
        assert_false(leak_open(&s)); /* now it has stopped */
    }
}

/* Tanks and pipes fill for ten hours, the night long. */
static void what_fills_again_is_no_leak(void **state)
{
    struct story s;
    struct pauses p = { 0 };

    (void)state;
    begin(&s, 1);
    pause(&s, &p, PAUSE_DRY, 0, 22);
    story_still(&s, 22);
    story_leak(&s, 10, 200);
    story_live(&s, 10);
    assert_quiet(&s);
}

static void where_no_water_is_wanted_no_leak_is_raised(void **state)
{
    static const enum pause_why whys[] = { PAUSE_SUSPENDED, PAUSE_VACANT };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct story s;
        struct pauses p = { 0 };

        begin(&s, 1);
        pause(&s, &p, whys[i], 0, 24 * 10);
        story_leak(&s, 24 * 10, 20);
        assert_quiet(&s);
        story_leak(&s, 24 * 4,
                   20); /* it still runs when the people are back: told by the nights before */
        assert_true(leak_open(&s));
    }
}

static void one_that_stops_while_nobody_lives_there_ends(void **state)
{
    struct story s;
    struct pauses p = { 0 };

    (void)state;
    begin(&s, 1);
    story_leak(&s, 60, 20);
    assert_true(leak_open(&s));
    pause(&s, &p, PAUSE_VACANT, 0, 24 * 30);
    story_leak(&s, 24 * 5, 20);
    assert_true(leak_open(&s));
    story_still(&s, 24);
    assert_false(leak_open(&s));
}

static void a_zone_inlet_never_leaks(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_ZONE_INLET;
    story_still(&s, 24);
    story_leak(&s, 40 * 24, 200);
    assert_quiet(&s);
}

/* The field case: a latched bit plays no part, only what was measured; and each case is told once.
 */
static void each_leak_is_told_once_from_the_data_alone(void **state)
{
    struct story s;

    (void)state;
    begin(&s, 1);
    s.step_s = 900;
    story_leak(&s, 40, 8);
    assert_true(leak_open(&s));
    story_live(&s, 34);
    assert_false(leak_open(&s));
    assert_int_equal(story_episodes(&s, &detector_leak), 1);
    story_leak(&s, 48, 8);
    assert_true(leak_open(&s));
    assert_int_equal(story_episodes(&s, &detector_leak), 2);
}

static void a_crew_understands_it(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    begin(&s, 1);
    story_leak(&s, 40, 50);
    detector_leak.explain(story_last(&s, &detector_leak), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "since 2026-01-22 00:00"));
    assert_non_null(strstr(en, "1.20 m³ a day"));
    assert_non_null(strstr(zh, "自2026-01-22 00:00起至少连续24小时不间断用水"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_where_people_sleep_is_told_after_a_day),
        cmocka_unit_test(coarse_pulses_tell_coarse_leaks),
        cmocka_unit_test(living_is_no_leak_at_any_pulse),
        cmocka_unit_test(the_onset_is_where_the_flow_began),
        cmocka_unit_test(a_burst_that_falls_to_a_leak_is_one_leak_more_and_stands),
        cmocka_unit_test(it_clears_with_the_first_hour_without_flow),
        cmocka_unit_test(a_leak_that_grows_is_told_again),
        cmocka_unit_test(confidence_rises_with_time),
        cmocka_unit_test(a_gap_neither_bears_out_nor_breaks),
        cmocka_unit_test(a_gap_whose_mean_is_too_low_held_a_pause),
        cmocka_unit_test(lost_hours_do_not_hide_a_leak),
        cmocka_unit_test(one_reading_a_day_tells_no_hour),
        cmocka_unit_test(quarters_of_an_hour_are_gathered),
        cmocka_unit_test(a_wild_value_is_no_leak_and_hides_none),
        cmocka_unit_test(a_register_that_falls_and_climbs_leaks_nothing),
        cmocka_unit_test(what_has_always_run_is_no_leak_and_its_rise_is),
        cmocka_unit_test(an_interruption_does_not_make_it_a_leak),
        cmocka_unit_test(what_ran_for_a_week_and_stopped_is_not_nature),
        cmocka_unit_test(a_valve_that_runs_by_night_is_told_after_four_nights),
        cmocka_unit_test(one_night_of_much_use_is_no_leak),
        cmocka_unit_test(a_leak_that_grows_slowly_is_told),
        cmocka_unit_test(one_that_comes_back_within_days_is_said_to),
        cmocka_unit_test(a_pool_is_no_leak),
        cmocka_unit_test(pressure_waves_are_no_leak),
        cmocka_unit_test(a_house_of_many_flats_tells_of_a_change_alone),
        cmocka_unit_test(a_flow_in_a_byte_is_right_within_three_percent),
        cmocka_unit_test(shifts_through_the_week_are_no_leak),
        cmocka_unit_test(a_street_without_water_clears_no_leak),
        cmocka_unit_test(what_fills_again_is_no_leak),
        cmocka_unit_test(where_no_water_is_wanted_no_leak_is_raised),
        cmocka_unit_test(one_that_stops_while_nobody_lives_there_ends),
        cmocka_unit_test(a_zone_inlet_never_leaks),
        cmocka_unit_test(each_leak_is_told_once_from_the_data_alone),
        cmocka_unit_test(a_crew_understands_it),
    };

    return check_run(tests, argc, argv);
}
