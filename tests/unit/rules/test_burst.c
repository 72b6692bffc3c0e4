#include "tests/unit/rules/story.h"

#define burst_open(s) story_is_open(s, &detector_burst)
#define JUNE (151 * DAY) /* from START: the first of June 2026 */

/* Hours from the beginning of such a flow until it is told; 0: not within `most`. */
static unsigned hours_to_tell(struct story *s, double lph, unsigned most)
{
    for (unsigned hour = 1; hour <= most; hour++) {
        story_leak(s, 1, lph);
        if (burst_open(s))
            return hour;
    }
    return 0;
}

static void a_burst_is_told_within_hours_and_ends_with_the_flow(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    assert_in_range(hours_to_tell(&s, 900, 10), 2, 3);
    v = story_last(&s, &detector_burst);
    assert_int_equal(v->onset_s, START + 21 * DAY);
    assert_int_equal(v->raised_s, v->onset_s + 2 * HOUR);
    assert_int_equal(v->severity, SEVERITY_URGENT);
    assert_in_range(v->lost_mlpd, 24 * 870000, 24 * 930000);
    story_leak(&s, 10, 900);
    assert_true(burst_open(&s));
    assert_true(story_last(&s, &detector_burst)->confidence_pct > 95);
    assert_int_equal(story_last(&s, &detector_burst)->raised_s, START + 21 * DAY + 2 * HOUR);
    story_live(&s, 1);
    assert_false(burst_open(&s));
    story_live(&s, 20);
    assert_int_equal(story_episodes(&s, &detector_burst), 1);
    assert_int_equal(story_episodes(&s, &detector_leak), 0); /* told once, as what it is */
}

/* A limit of 17 m³ an hour. */
static void a_large_meter_bursts_too(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.dn_mm = 80;
    s.meter.q3_lph = 63000;
    s.meter.resolution_ml = 10000;
    s.point.use = USE_COMMERCIAL;
    story_live(&s, 21);
    assert_in_range(hours_to_tell(&s, 40000, 12), 4, 5);
    assert_in_range(verdict_value(story_last(&s, &detector_burst), "min_flow_lph"), 38000000,
                    42000000);
    story_live(&s, 1);
    assert_false(burst_open(&s));
}

static void less_than_a_burst_is_none(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    assert_int_equal(hours_to_tell(&s, 400, 48), 0);
}

/* 40 minutes of 1 500 L/h before sunrise. */
static void a_garden_s_timer_is_no_burst(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    for (unsigned day = 0; day < 60; day++) {
        story_pass(&s, 5 * HOUR + 1200, true, 0, false, false);
        story_pass(&s, 2400, true, 1500, false, false);
        story_pass(&s, 18 * HOUR, true, 0, false, false);
    }
    assert_int_equal(story_episodes(&s, &detector_burst), 0);
}

static void fill_a_pool(struct story *s, unsigned hour, unsigned hours)
{
    story_pass(s, hour * HOUR, true, 0, false, false);
    story_leak(s, hours, 900);
    story_pass(s, 24 * HOUR - (hour + hours) % 24 * HOUR, true, 0, false, false);
}

static void a_pool_that_is_filled_is_no_burst(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_silence(&s, 130 * 24, true);
    story_live(&s, 21);
    assert_int_equal(s.now_s, START + JUNE);
    fill_a_pool(&s, 10, 50);
    assert_int_equal(story_episodes(&s, &detector_burst), 0);
    assert_int_equal(story_episodes(&s, &detector_leak), 0);
    story_live(&s, 30);
    fill_a_pool(&s, 3, 10); /* nobody opens a hose at three */
    assert_int_equal(story_episodes(&s, &detector_burst), 1);
}

static void a_hose_that_runs_for_ever_is_told(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_silence(&s, 130 * 24, true);
    story_live(&s, 21);
    story_pass(&s, 10 * HOUR, true, 0, false, false);
    assert_in_range(hours_to_tell(&s, 900, 80), 66, 68);
}

/* From START: the first of January. */
static void summer_is_where_the_utility_is(void **state)
{
    static const struct {
        enum zone_summer summer;
        bool june, january; /* a pool is filled */
    } places[] = { { SUMMER_NORTH, true, false },
                   { SUMMER_SOUTH, false, true },
                   { SUMMER_ALWAYS, true, true } };

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned june = 0; june < 2; june++) {
            struct story s;

            story_begin(&s);
            s.zone.summer = places[i].summer;
            story_silence(&s, june ? 130 * 24 : 0, true);
            story_live(&s, 21);
            fill_a_pool(&s, 10, 50);
            assert_int_equal(story_episodes(&s, &detector_burst),
                             (june ? places[i].june : places[i].january) ? 0 : 1);
        }
}

static void people_say_which_months_are_warm(void **state)
{
    static const struct {
        int64_t from, to;
        bool january;
    } said[] = {
        { 11, 2, true }, { 2, 11, false }, { 1, 0, true }, { 0, 3, false }, { 4, 1, true }
    };

    (void)state;
    for (unsigned i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct rule_period at = { .from_day = 0, .rules = detect_rules_standing };
        struct rule_book book = { .count = 1, .at = &at };
        struct story s;

        at.rules.value[FIGURE_BURST_warm_from_month] = said[i].from;
        at.rules.value[FIGURE_BURST_warm_to_month] = said[i].to;
        story_begin(&s);
        s.place.book = &book;
        story_live(&s, 21);
        fill_a_pool(&s, 10, 50);
        assert_int_equal(story_episodes(&s, &detector_burst), said[i].january ? 0 : 1);
    }
}

/* Tanks and pipes of a street that was dry. */
static void what_fills_again_is_no_burst_and_no_habit(void **state)
{
    struct story s;
    struct pauses p = { 0 };

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    s.place.pauses = &p;
    pauses_add(&p, PAUSE_DRY, s.now_s, s.now_s + 10 * HOUR);
    story_still(&s, 10);
    story_leak(&s, 11, 900);
    story_still(&s, 3);
    assert_quiet(&s);
    assert_in_range(hours_to_tell(&s, 900, 10), 2, 3);
}

static void a_burst_stands_until_there_is_water_that_does_not_run(void **state)
{
    struct story s;
    struct pauses p = { 0 };

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    assert_in_range(hours_to_tell(&s, 900, 10), 2, 3);
    s.place.pauses = &p;
    pauses_add(&p, PAUSE_DRY, s.now_s, s.now_s + 30 * HOUR);
    story_still(&s, 30);
    assert_true(burst_open(&s));
    story_leak(&s, 20, 900);
    assert_true(burst_open(&s));
    story_live(&s, 1);
    assert_false(burst_open(&s));
    assert_int_equal(story_episodes(&s, &detector_burst), 1);
}

static void where_the_account_is_suspended_no_burst_is_raised(void **state)
{
    struct story s;
    struct pauses p = { 0 };

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    s.place.pauses = &p;
    pauses_add(&p, PAUSE_SUSPENDED, s.now_s, s.now_s + 20 * HOUR);
    story_leak(&s, 20, 900);
    assert_quiet(&s);
    assert_in_range(hours_to_tell(&s, 900, 10), 2, 4);
}

/* Works of two shifts behind a meter that is too small. */
static void what_a_customer_draws_by_habit_is_no_burst(void **state)
{
    static const uint8_t shifts[24] = { 0,   0,   0,   0,   0,   0,   240, 240, 240, 240, 240, 240,
                                        240, 240, 240, 240, 240, 240, 240, 240, 240, 240, 0,   0 };
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_INDUSTRIAL;
    s.meter.q3_lph = 800;
    s.hours = shifts;
    for (unsigned week = 0; week < 8; week++) {
        story_live(&s, 5);
        story_still(&s, 48);
    }
    assert_int_equal(story_episodes(&s, &detector_burst), 0);
    assert_in_range(hours_to_tell(&s, 600, 48), 32, 34); /* twice as long as any shift */
}

static void a_step_alone_is_none(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.form = REGISTER_NET;
    story_live(&s, 21);
    for (unsigned i = 0; i < 10;
         i++) { /* something is drawn fast, then nobody is heard for three hours */
        story_live(&s, 1);
        story_pass(&s, 3 * HOUR, true, 1000, false, true);
        story_pass(&s, 21 * HOUR, true, 0, false, false);
    }
    assert_int_equal(story_episodes(&s, &detector_burst), 0);
}

static void a_zone_inlet_never_bursts(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_ZONE_INLET;
    assert_int_equal(hours_to_tell(&s, 2000, 48), 0);
}

static void a_crew_understands_it(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    story_begin(&s);
    story_live(&s, 21);
    assert_true(hours_to_tell(&s, 900, 10) > 0);
    detector_burst.explain(story_last(&s, &detector_burst), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "Since 2026-01-22 00:00"));
    assert_non_null(strstr(en, "Call the customer at once"));
    assert_non_null(strstr(zh, "疑似爆管"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_told_within_hours_and_ends_with_the_flow),
        cmocka_unit_test(a_large_meter_bursts_too),
        cmocka_unit_test(less_than_a_burst_is_none),
        cmocka_unit_test(a_garden_s_timer_is_no_burst),
        cmocka_unit_test(a_pool_that_is_filled_is_no_burst),
        cmocka_unit_test(a_hose_that_runs_for_ever_is_told),
        cmocka_unit_test(summer_is_where_the_utility_is),
        cmocka_unit_test(people_say_which_months_are_warm),
        cmocka_unit_test(what_fills_again_is_no_burst_and_no_habit),
        cmocka_unit_test(a_burst_stands_until_there_is_water_that_does_not_run),
        cmocka_unit_test(where_the_account_is_suspended_no_burst_is_raised),
        cmocka_unit_test(what_a_customer_draws_by_habit_is_no_burst),
        cmocka_unit_test(a_step_alone_is_none),
        cmocka_unit_test(a_zone_inlet_never_bursts),
        cmocka_unit_test(a_crew_understands_it),
    };

    return check_run(tests, argc, argv);
}
