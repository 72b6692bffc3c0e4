#include "tests/unit/rules/story.h"

#define stuck_open(s) story_is_open(s, &detector_stuck)

static void a_household_that_stops_is_told_after_seven_days(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_still(&s, 7 * 24 + 10); /* seven days and the nights on either side */
    assert_quiet(&s);
    story_still(&s, 25);
    assert_true(stuck_open(&s));
    v = story_last(&s, &detector_stuck);
    assert_int_equal(v->onset_s,
                     START + 60 * DAY - HOUR); /* nothing flows in the hour before midnight */
    assert_true(v->raised_s > v->onset_s + 7 * DAY && v->raised_s <= v->onset_s + 8 * DAY);
    assert_true(v->lost_mlpd > 270000 && v->lost_mlpd < 330000);
    assert_int_equal(v->severity, SEVERITY_LOW); /* a suspicion: most likely nobody is there */
    assert_true(v->confidence_pct < 20);
    assert_int_equal(verdict_value(v, "bound_days"), 7500);
}

/* The longer it lasts, the less it is an absence. */
static void a_suspicion_grows_until_a_crew_is_sent(void **state)
{
    struct story s;
    unsigned before = 0;

    (void)state;
    story_begin(&s);
    story_live(&s, 300);
    for (int week = 0; week < 16; week++) {
        const struct verdict *v;

        story_still(&s, 7 * 24);
        if (!(v = story_last(&s, &detector_stuck)))
            continue;
        assert_true(v->confidence_pct >= before);
        before = v->confidence_pct;
        assert_true((v->severity > SEVERITY_LOW) == (before >= 50));
    }
    assert_true(before >= 70);
    assert_int_equal(story_episodes(&s, &detector_stuck), 1);
}

/* Worn teeth: it stands for hours or days, moves for some, at no hour of its own. */
static void stop_and_go_is_told_surely(void **state)
{
    static const unsigned days[][6] = { { 26, 5, 44, 12, 33, 18 }, { 70, 200, 110, 60, 160, 90 } };
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        struct story s;
        const struct verdict *v;

        story_begin(&s);
        story_live(&s, 120);
        for (unsigned i = 0; i < (way ? 8 : 30); i++) {
            story_still(&s, days[way][i % 6]);
            story_pass(&s, way ? 3 * DAY : 5 * HOUR, true, 0, false, false);
        }
        v = story_last(&s, &detector_stuck);
        assert_non_null(v);
        assert_true(v->open);
        assert_true(v->confidence_pct >= 85);
        assert_true(v->onset_s >= START + 119 * DAY && v->onset_s < v->raised_s);
        story_live(&s, 40);
        assert_false(stuck_open(&s));
        detector_stuck.explain(v, &s.place, &e, &z);
        assert_ok(e.err);
        assert_non_null(strstr(en, "stops and goes since"));
        assert_non_null(strstr(zh, "时走时停"));
        e = wr_of(en, sizeof en - 1);
        z = wr_of(zh, sizeof zh - 1);
    }
}

/* Some weeks of coming and going, by day, after months at home. */
static void people_who_come_and_go_are_no_meter_that_jams(void **state)
{
    static const unsigned away_h[] = { 31, 58, 80, 27, 66, 31, 79, 27, 30 },
                          days[] = { 2, 5, 3, 1, 4, 6, 2, 7, 3 };
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 150);
    for (unsigned i = 0; i < 9; i++) {
        story_pass(&s, 12 * HOUR, true, 0, false, false); /* they leave at noon */
        story_still(&s, away_h[i]);
        while ((s.now_s - START) % DAY)
            story_pass(&s, HOUR, true, 0, false, false);
        story_live(&s, days[i]);
    }
    assert_int_equal(story_episodes(&s, &detector_stuck), 0);
}

/* A garden's timer while nobody is there: it stands as long each time. */
static void what_keeps_hours_is_no_stop_and_go(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 120);
    for (unsigned day = 0; day < 30; day++) {
        story_still(&s, 47);
        story_pass(&s, HOUR, false, 600, false, false);
    }
    assert_quiet(&s);
    story_live(&s, 20); /* a single person who is out from nine to six, and up at seven */
    for (unsigned day = 0; day < 60; day++) {
        story_pass(&s, 6 * HOUR, true, 40, false, false);
        story_still(&s, 18);
    }
    assert_int_equal(story_episodes(&s, &detector_stuck), 0);
}

static void one_that_is_away_for_six_days_is_not(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    for (int trip = 0; trip < 4; trip++) {
        story_live(&s, 30);
        story_still(&s, 6 * 24);
    }
    story_live(&s, 1);
    assert_quiet(&s);
}

static void holidays_are_not_counted(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    holidays_builtin(&s.holidays);
    /* To 3 February 2026; the new year is on the 17th, people travel from the 9th on. */
    story_live(&s, 33);
    /* To the end of the Lantern Festival, 3 March: only the days before the 9th count. */
    story_still(&s, 29 * 24);
    assert_quiet(&s);
    story_still(&s, 2 * 24);
    assert_true(stuck_open(&s));
    assert_true(verdict_value(story_last(&s, &detector_stuck), "counted_days") < 8100);
    assert_true(verdict_value(story_last(&s, &detector_stuck), "zero_days") > 25000);
}

/* Half of the neighbours leave on those days, too: an absence is likelier then, a meter that stops is not. */
static void who_is_away_with_many_others_is_suspected_later(void **state)
{
    static struct lulls lulls;
    struct story s;
    int32_t first;

    (void)state;
    story_begin(&s);
    first = (int32_t)day_number(2026, 1, 1) + 60;
    lulls.count = 0;
    for (int32_t day = 0; day < 10; day++)
        lulls_add(&lulls,
                  &(struct lull){ .day = first + day,
                                  .counts_pm = 100,
                                  .known_s = START + (61 + day) * (int64_t)DAY + 15 * HOUR });
    s.place.lulls = &lulls;
    story_live(&s, 60);
    story_still(&s, 15 * 24);
    assert_quiet(&s);
    story_still(&s, 4 * 24);
    assert_true(stuck_open(&s));
    assert_true(verdict_value(story_last(&s, &detector_stuck), "zero_days") > 16000);
    assert_true(verdict_value(story_last(&s, &detector_stuck), "counted_days") < 9000);
}

/* What was told of a day counts for readings that are a day younger than that: so it is the same whenever the reading came. */
static void a_lull_counts_for_what_is_read_a_day_later(void **state)
{
    static struct lulls lulls;
    struct story s;
    int64_t from_s = START, told_s = START + DAY + 15 * HOUR;

    (void)state;
    story_begin(&s);
    lulls.count = 0;
    lulls_add(&lulls, &(struct lull){ .day = (int32_t)day_number(2026, 1, 1),
                                      .counts_pm = 250,
                                      .known_s = told_s });
    s.place.lulls = &lulls;
    assert_int_equal(lulls_left_out(&s.place, from_s, told_s + LULL_KNOWN_S - 1), 0);
    assert_int_equal(lulls_left_out(&s.place, from_s, told_s + LULL_KNOWN_S), DAY * 3 / 4);
    assert_int_equal(lulls_left_out(&s.place, from_s + DAY / 2, told_s + LULL_KNOWN_S),
                     DAY * 3 / 8);
    s.holidays.count = 1; /* that day is left out already */
    s.holidays.spans[0] = (struct holiday_span){ lulls.at[0].day, lulls.at[0].day };
    assert_int_equal(lulls_left_out(&s.place, from_s, told_s + LULL_KNOWN_S), 0);
}

static void a_day_is_held_against_its_own_weekday(void **state)
{
    struct lull_usual usual = { .days = { 0 } };
    struct lull_seen day = { .day = 20454, .meters = 1000 }; /* a Thursday */
    uint16_t counts = 0;

    (void)state;
    for (int i = 0; i < 35; i++, day.day++) { /* offices: closed at the weekend */
        day.still = day_of_week(day.day) >= 5 ? 900 : 40;
        assert_false(lull_judge(&usual, &day, &counts));
    }
    day.still = 60;
    assert_false(lull_judge(&usual, &day, &counts)); /* chance */
    day.still = 400;
    assert_true(lull_judge(&usual, &day, &counts));
    assert_in_range(counts, 95, 115);
    assert_true(lull_judge(&usual, &day, &counts)); /* it taught nothing */
    day.meters = 49;
    day.still = 40;
    assert_false(lull_judge(&usual, &day, &counts)); /* too few to tell */
}

static void a_flag_clears_when_water_is_registered_again(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_still(&s, 10 * 24);
    assert_true(stuck_open(&s));
    story_live(&s, 1);
    v = story_last(&s, &detector_stuck);
    assert_false(v->open);
    assert_true(v->cleared_s > START + 70 * DAY && v->cleared_s <= START + 71 * DAY);
    assert_int_equal(v->onset_s, START + 60 * DAY - HOUR);
}

static void a_knock_that_turns_the_wheel_by_a_pulse_clears_nothing(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_still(&s, 10 * 24);
    for (int i = 0; i < 5; i++) {
        s.true_ml += 1000;
        story_still(&s, 8 * 24);
    }
    assert_true(stuck_open(&s));
    assert_int_equal(story_episodes(&s, &detector_stuck), 1);
}

/* Long pauses that ended by themselves are the place's own way. */
static void a_second_home_is_not_told(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_still(&s, 20 * 24);
    for (int stay = 0; stay < 8; stay++) {
        story_live(&s, 8);
        story_still(&s, (unsigned)(18 + stay % 3 * 4) * 24);
    }
    assert_quiet(&s);
}

static void a_weekend_house_is_not_told(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    for (int week = 0; week < 30; week++) {
        story_live(&s, 2);
        story_still(&s, (week % 8 == 7 ? 12 : 5) * 24); /* now and then nobody comes */
    }
    assert_quiet(&s);
}

static void a_longer_absence_a_year_later_is_known(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_still(&s, 14 * 24); /* the first summer is told, and clears */
    story_live(&s, 340);
    assert_int_equal(story_episodes(&s, &detector_stuck), 1);
    story_still(&s, 18 * 24);
    story_live(&s, 10);
    assert_int_equal(story_episodes(&s, &detector_stuck), 1);
}

static void an_empty_flat_and_a_new_fitting_are_not_told(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_still(&s, 120 * 24); /* never turned: that is `unmoved` */
    story_live(&s, 3);
    story_still(&s, 16 * 24); /* three days of use are no history */
    assert_int_equal(story_episodes(&s, &detector_stuck), 0);
}

static void little_use_is_not_missed(void **state)
{
    static const uint8_t drops[24] = { [12] = 25 };
    struct story s;

    (void)state;
    story_begin(&s);
    s.hours = drops; /* 25 L a day */
    story_live(&s, 90);
    story_still(&s, 40 * 24);
    assert_quiet(&s);
}

static void a_meter_with_one_reading_a_day_is_judged_too(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    s.step_s = DAY;
    story_live(&s, 60);
    story_still(&s, 7 * 24);
    assert_quiet(&s);
    story_still(&s, 2 * 24);
    v = story_last(&s, &detector_stuck);
    assert_true(v && v->open);
    assert_int_equal(v->onset_s, START + 60 * DAY);
}

/* The register proves that nothing was registered, but only once somebody reads it. */
static void silence_raises_nothing_and_what_follows_counts(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_silence(&s, 20 * 24, true);
    story_live(&s, 30);
    assert_quiet(&s); /* it was used while nothing was heard */
    story_silence(&s, 20 * 24, false);
    assert_quiet(&s);
    story_still(&s, 3);
    assert_true(stuck_open(&s)); /* the same index after twenty days, three times */
}

static void a_repeated_old_frame_is_no_run(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_silence(&s, 20 * 24, true);
    s.true_ml -= 20 * 298000; /* the modem sends its last value once more */
    story_read(&s);
    s.true_ml += 20 * 298000;
    story_live(&s, 5);
    assert_quiet(&s);
}

static void a_wild_value_neither_hides_nor_ends_a_run(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    for (int day = 0; day < 12; day++) {
        story_still(&s, 11);
        s.dial_ml = day % 2 ? 1500000 : 77000000;
        story_still(&s, 1);
        s.dial_ml = day % 3 ? -90000000 : 0;
        story_still(&s, 1);
        s.dial_ml = 0;
        story_still(&s, 11);
    }
    assert_true(stuck_open(&s));
    assert_int_equal(story_episodes(&s, &detector_stuck), 1);
}

static void a_coarse_pulse_may_take_its_time(void **state)
{
    static const uint8_t single[24] = { [7] = 20, [19] = 25 };
    struct story s;

    (void)state;
    story_begin(&s);
    s.hours = single; /* 45 L a day: a pulse of 100 L in two or three days */
    s.meter.resolution_ml = 100000;
    story_live(&s, 200);
    assert_quiet(&s);
    story_still(&s, 20 * 24);
    assert_quiet(&s); /* ten pulses' time is more than 22 days */
    story_still(&s, 10 * 24);
    assert_true(stuck_open(&s));
}

static void a_shop_is_told_after_two_days_once_its_weeks_are_known(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_COMMERCIAL;
    s.hours = shop_hours;
    story_live(&s, 5);
    story_still(&s, 4 * 24); /* weeks are not known yet */
    story_live(&s, 21);
    assert_quiet(&s);
    story_still(&s, 6 * 24 + 1); /* the four days are an own run: half as much again is allowed */
    assert_quiet(&s);
    story_still(&s, 24);
    assert_true(stuck_open(&s));
}

static void an_office_is_closed_at_weekends(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_PUBLIC;
    s.hours = shop_hours;
    story_live(&s, 2);
    for (int week = 0; week < 12; week++) {
        story_still(&s, 48);
        story_live(&s, 5);
    }
    assert_quiet(&s);
    story_still(&s, 100);
    assert_true(stuck_open(&s));
}

static void a_large_meter_is_told_the_same_working_day(void **state)
{
    static const uint8_t works[24] = { 99,  99,  99,  99,  99,  99,  200, 200, 200, 200, 200, 200,
                                       200, 200, 200, 200, 200, 200, 200, 200, 99,  99,  99,  99 };
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_INDUSTRIAL;
    s.meter.dn_mm = 80;
    s.meter.q3_lph = 63000;
    s.meter.resolution_ml = 10000;
    s.hours = works;
    story_live(&s, 32); /* up to Monday's midnight */
    story_pass(&s, 8 * HOUR, true, 0, false, false);
    assert_quiet(&s);
    story_still(&s, 7);
    assert_true(stuck_open(&s));
}

static void a_register_that_runs_back_is_not_stuck(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.form = REGISTER_BOTH;
    story_live(&s, 60);
    story_backwards(&s, 20);
    assert_false(stuck_open(&s));
    assert_int_equal(story_episodes(&s, &detector_stuck), 0);
}

static void a_hydrant_may_rest(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.point.use = USE_HYDRANT;
    story_live(&s, 30);
    story_still(&s, 60 * 24);
    assert_quiet(&s);
}

static void a_crew_understands_it(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    story_begin(&s);
    story_live(&s, 60);
    story_still(&s, 9 * 24);
    detector_stuck.explain(story_last(&s, &detector_stuck), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "not moved for at least 8 days, since 2026-03-01 23:00"));
    assert_non_null(strstr(zh, "水表自2026-03-01 23:00起至少8天未走字"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_household_that_stops_is_told_after_seven_days),
        cmocka_unit_test(a_suspicion_grows_until_a_crew_is_sent),
        cmocka_unit_test(stop_and_go_is_told_surely),
        cmocka_unit_test(people_who_come_and_go_are_no_meter_that_jams),
        cmocka_unit_test(what_keeps_hours_is_no_stop_and_go),
        cmocka_unit_test(one_that_is_away_for_six_days_is_not),
        cmocka_unit_test(holidays_are_not_counted),
        cmocka_unit_test(who_is_away_with_many_others_is_suspected_later),
        cmocka_unit_test(a_lull_counts_for_what_is_read_a_day_later),
        cmocka_unit_test(a_day_is_held_against_its_own_weekday),
        cmocka_unit_test(a_flag_clears_when_water_is_registered_again),
        cmocka_unit_test(a_knock_that_turns_the_wheel_by_a_pulse_clears_nothing),
        cmocka_unit_test(a_second_home_is_not_told),
        cmocka_unit_test(a_weekend_house_is_not_told),
        cmocka_unit_test(a_longer_absence_a_year_later_is_known),
        cmocka_unit_test(an_empty_flat_and_a_new_fitting_are_not_told),
        cmocka_unit_test(little_use_is_not_missed),
        cmocka_unit_test(a_meter_with_one_reading_a_day_is_judged_too),
        cmocka_unit_test(silence_raises_nothing_and_what_follows_counts),
        cmocka_unit_test(a_repeated_old_frame_is_no_run),
        cmocka_unit_test(a_wild_value_neither_hides_nor_ends_a_run),
        cmocka_unit_test(a_coarse_pulse_may_take_its_time),
        cmocka_unit_test(a_shop_is_told_after_two_days_once_its_weeks_are_known),
        cmocka_unit_test(an_office_is_closed_at_weekends),
        cmocka_unit_test(a_large_meter_is_told_the_same_working_day),
        cmocka_unit_test(a_register_that_runs_back_is_not_stuck),
        cmocka_unit_test(a_hydrant_may_rest),
        cmocka_unit_test(a_crew_understands_it),
    };

    return check_run(tests, argc, argv);
}
