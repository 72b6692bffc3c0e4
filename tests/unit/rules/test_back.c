/* What runs back: once (backflow), to and fro by night (selfturn), and how it is remembered. */
#include "tests/unit/rules/story.h"

#include "server/detect/back.h"

static void begin(struct story *s, enum register_form form)
{
    story_begin(s);
    s->meter.form = form;
    story_live(s, 20);
    assert_quiet(s);
}

static void back(struct story *s, int64_t litres)
{
    s->back_ml += litres * 1000;
}

/* At the hour of the day that comes next. */
static void until_hour(struct story *s, unsigned hour)
{
    unsigned now = (s->now_s + 8 * HOUR) / HOUR % 24;

    story_pass(s, (hour + 24 - now) % 24 * HOUR, true, 0, false, false);
}

static void volumes_keep_eleven_bits(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int64_t ml = 0; ml < 2048; ml++)
        assert_true(unpacked_ml(packed_ml((float)ml)) == (float)ml);
    for (int i = 0; i < 20000; i++) {
        float ml = (float)(check_random(&r) >> (24 + check_below(&r, 40)));
        float kept = unpacked_ml(packed_ml(ml));

        assert_true(kept >= ml * (1 - 1 / 2000.0f) - 1 && kept <= ml * (1 + 1 / 2000.0f) + 1);
    }
    assert_true(unpacked_ml(packed_ml(-5)) == 0);
    assert_true(unpacked_ml(packed_ml(1e30f)) > 3.9e12f);
}

static void water_that_flowed_back_once_is_told_and_forgotten_in_a_week(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        const struct verdict *v;
        uint32_t from_s;

        begin(&s, forms[i]);
        until_hour(&s, 15);
        from_s = s.now_s;
        back(&s, 300);
        story_pass(&s, 4 * HOUR, true, 0, false, false);
        v = story_last(&s, &detector_backflow);
        assert_true(v && v->open);
        assert_int_equal(v->onset_s, from_s);
        assert_in_range(verdict_value(v, "back_l"), 250000, 310000);
        assert_int_equal(v->severity, SEVERITY_HIGH);
        assert_int_equal(v->lost_mlpd, 0);
        story_live(&s, 5);
        assert_true(story_is_open(&s, &detector_backflow));
        story_live(&s, 5);
        assert_false(story_is_open(&s, &detector_backflow));
        assert_int_equal(story_episodes(&s, &detector_backflow), 1);
        assert_int_equal(story_episodes(&s, &detector_reversed), 0);
    }
}

static void a_little_is_not_worth_a_word(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;

        begin(&s, forms[i]);
        until_hour(&s, 15);
        back(&s, forms[i] == REGISTER_NET ? 15 : 45);
        story_live(&s, 20);
        assert_quiet(&s);
    }
}

static void a_second_event_keeps_the_first_ones_onset(void **state)
{
    struct story s;
    int64_t onset_s, raised_s;

    (void)state;
    begin(&s, REGISTER_BOTH);
    until_hour(&s, 15);
    back(&s, 300);
    story_live(&s, 3);
    onset_s = story_last(&s, &detector_backflow)->onset_s;
    raised_s = story_last(&s, &detector_backflow)->raised_s;
    back(&s, 900);
    story_live(&s, 1);
    assert_int_equal(story_last(&s, &detector_backflow)->onset_s, onset_s);
    assert_int_equal(story_last(&s, &detector_backflow)->raised_s, raised_s);
    assert_int_equal(story_last(&s, &detector_backflow)->severity, SEVERITY_URGENT);
    assert_int_equal(verdict_value(story_last(&s, &detector_backflow), "back_l") / 10000, 90);
    story_live(&s, 5);
    assert_true(story_is_open(&s, &detector_backflow));
    story_live(&s, 3);
    assert_false(story_is_open(&s, &detector_backflow));
}

static void a_meter_that_proves_to_be_turned_round_is_no_backflow(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET);
    story_backwards(&s, 8);
    assert_true(story_is_open(&s, &detector_reversed));
    assert_false(story_is_open(&s, &detector_backflow));
}

static void wrong_digits_days_twice_and_typed_metres_are_none(void **state)
{
    struct story s;
    int64_t true_ml;
    uint32_t now_s;

    (void)state;
    begin(&s, REGISTER_NET);
    for (int day = 0; day < 10; day++) { /* a digit read wrong, down and up */
        until_hour(&s, 11);
        s.dial_ml = day % 2 ? -100000 : 1000000;
        story_pass(&s, HOUR, true, 0, false, false);
        s.dial_ml = 0;
        story_pass(&s, HOUR, true, 0, false, false);
    }
    until_hour(&s, 3);
    true_ml = s.true_ml - 298000; /* yesterday's values once more, a minute before today's */
    for (int hour = 0; hour < 24; hour++) {
        story_silence(&s, 1, true);
        now_s = s.now_s;
        s.now_s -= 60;
        story_row(&s, CHANNEL_NET, true_ml / 1000 * 1000, 0);
        s.now_s = now_s;
        story_read(&s);
        true_ml += s.hours[(now_s + 7 * HOUR) / HOUR % 24] * 1000;
    }
    story_live(&s, 3);
    for (int month = 0; month < 3; month++) { /* whole metres, by hand */
        story_live(&s, 5);
        s.now_s += 600;
        story_row(&s, CHANNEL_NET, s.true_ml / 1000000 * 1000000, SOURCE_MANUAL);
        s.now_s -= 600;
    }
    story_live(&s, 3);
    assert_int_equal(story_episodes(&s, &detector_backflow), 0);
}

static void read_wrong(struct story *s, int64_t off_l, unsigned reads)
{
    s->dial_ml = off_l * 1000;
    story_pass(s, reads * HOUR, true, 0, false, false);
    s->dial_ml = 0;
}

/* Two reads in a row, each with a wrong digit, of a meter that was read wrong before: what falls has risen before, or rises again. */
static void two_wrong_digits_side_by_side_are_none(void **state)
{
    static const int64_t slips_l[] = { 10, -10, 100, -100, 300, -500, 1000, -1000, 7000, -10000 };
    enum { SLIPS = sizeof slips_l / sizeof slips_l[0] };

    (void)state;
    for (int a = 0; a < SLIPS; a++)
        for (int b = 0; b < SLIPS; b++) {
            struct story s;

            begin(&s, REGISTER_NET);
            until_hour(&s, 13);
            read_wrong(&s, 1000, 1);
            story_live(&s, 2);
            until_hour(&s, 11);
            read_wrong(&s, slips_l[a], 1);
            read_wrong(&s, slips_l[b], 1);
            story_live(&s, 3);
            if (story_episodes(&s, &detector_backflow))
                fail_msg("%lld L and %lld L beside the truth", (long long)slips_l[a],
                         (long long)slips_l[b]);
        }
}

/* Which would hide an event whose meter is read right. */
static void what_flows_back_between_two_draws_is_told_of_a_meter_that_is_read_right(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct story s;

        begin(&s, REGISTER_NET);
        until_hour(&s, 13);
        read_wrong(&s, wrong ? 1000 : 0, 1);
        story_live(&s, 2);
        until_hour(&s, 14);
        s.true_ml += 90000;
        story_pass(&s, HOUR, true, 0, false, false);
        back(&s, 150);
        story_pass(&s, HOUR, true, 0, false, false);
        s.true_ml += 100000;
        story_live(&s, 2);
        assert_int_equal(story_episodes(&s, &detector_backflow), wrong ? 0 : 1);
    }
}

/* Nobody is heard for two days, and meanwhile it flows back. */
static void what_flowed_back_in_a_gap_is_told_once_the_meter_proves_right(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++)
        for (int lived = 0; lived < 2; lived++) {
            struct story s;
            uint32_t from_s;

            begin(&s, forms[i]);
            until_hour(&s, 15);
            from_s = s.now_s;
            back(&s, 2000);
            story_silence(&s, 48, true);
            story_pass(&s, 2 * HOUR, false, 0, false, false);
            assert_int_equal(story_episodes(&s, &detector_backflow), 0);
            story_pass(&s, 50 * HOUR, lived, 0, false, false); /* at home, or away */
            assert_int_equal(story_episodes(&s, &detector_backflow), 1);
            assert_int_equal(story_last(&s, &detector_backflow)->onset_s, from_s);
            assert_true(story_last(&s, &detector_backflow)->raised_s - from_s <= 5 * DAY);
        }
}

/* Turned round while nobody was heard. */
static void a_gap_before_a_meter_that_runs_back_is_no_event(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET);
    until_hour(&s, 15);
    story_pass(&s, 48 * HOUR, true, 0, true, true);
    story_backwards(&s, 6);
    assert_true(story_is_open(&s, &detector_reversed));
    assert_int_equal(story_episodes(&s, &detector_backflow), 0);
}

static void a_register_set_down_in_a_gap_is_none(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_NET);
    s.dial_ml = -60000000;
    story_silence(&s, 72, true);
    story_live(&s, 10);
    assert_int_equal(story_episodes(&s, &detector_backflow), 0);
}

/* A flat where nobody has lived yet. */
static void where_nothing_ever_ran_an_event_is_told_a_day_later(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        uint32_t from_s;

        story_begin(&s);
        s.meter.form = forms[i];
        story_still(&s, 20 * 24 + 15);
        from_s = s.now_s;
        back(&s, 900);
        story_still(&s, 24);
        assert_int_equal(story_episodes(&s, &detector_backflow), 0);
        story_still(&s, 12);
        assert_true(story_is_open(&s, &detector_backflow));
        assert_int_equal(story_last(&s, &detector_backflow)->onset_s, from_s);
        assert_in_range(story_last(&s, &detector_backflow)->raised_s, from_s + DAY,
                        from_s + 2 * DAY);
    }
}

/* Its first night falls into a gap of eight hours: as much forward as back. */
static void a_night_of_pressure_waves_that_nobody_heard_is_none(void **state)
{
    static const int64_t pulses_l[] = { 1, 10, 100 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct story s;

        story_begin(&s);
        s.meter.form = REGISTER_BOTH;
        s.meter.resolution_ml = pulses_l[i] * 1000;
        story_live(&s, 20);
        until_hour(&s, 23);
        s.true_ml += 240000;
        back(&s, 240);
        story_silence(&s, 8, true);
        story_live(&s, 3);
        assert_int_equal(story_episodes(&s, &detector_backflow), 0);
    }
}

static void one_coarse_pulse_by_night_is_none_and_by_day_one_is(void **state)
{
    (void)state;
    for (int night = 0; night < 2; night++) {
        struct story s;

        story_begin(&s);
        s.meter.form = REGISTER_BOTH;
        s.meter.resolution_ml = 100000;
        story_live(&s, 20);
        until_hour(&s, night ? 22 : 14);
        back(&s, 130);
        story_live(&s, 2);
        assert_int_equal(story_episodes(&s, &detector_backflow), night ? 0 : 1);
    }
}

static void a_register_set_down_by_technicians_is_none(void **state)
{
    static const enum register_form forms[] = { REGISTER_NET, REGISTER_BOTH };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;

        begin(&s, forms[i]);
        s.dial_ml = -100000000;
        story_live(&s, 20);
        assert_int_equal(story_episodes(&s, &detector_backflow), 0);
        assert_int_equal(story_episodes(&s, &detector_reversed), 0);
    }
}

/* Back through zero. */
static void a_roll_over_backwards_is_what_flowed_back(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    s.meter.form = REGISTER_NET;
    s.true_ml = s.meter.modulus_ml + 3000;
    story_live(&s, 1);
    s.true_ml = s.meter.modulus_ml + 20000;
    story_still(&s, 2);
    s.true_ml -= 400000;
    if (s.true_ml < s.meter.modulus_ml)
        story_still(&s, 6);
    assert_int_equal(story_episodes(&s, &detector_reversed), 0);
    assert_true(story_is_open(&s, &detector_backflow));
    assert_in_range(verdict_value(story_last(&s, &detector_backflow), "back_l"), 395000, 405000);
}

static void to_and_fro(struct story *s, unsigned nights, int64_t litres)
{
    for (unsigned i = 0; i < nights; i++) {
        until_hour(s, 0);
        for (int hour = 0; hour < 6; hour++) {
            s->true_ml += litres * 1000;
            s->back_ml += litres * 1000;
            story_pass(s, HOUR, true, 0, false, false);
        }
        story_pass(s, HOUR, true, 0, false, false);
    }
}

static void what_turns_by_itself_by_night_is_told_after_some_nights(void **state)
{
    struct story s;
    const struct verdict *v;
    uint32_t from_s;

    (void)state;
    begin(&s, REGISTER_BOTH);
    until_hour(&s, 0);
    from_s = s.now_s;
    to_and_fro(&s, 2, 6);
    assert_quiet(&s);
    to_and_fro(&s, 6, 6);
    v = story_last(&s, &detector_selfturn);
    assert_true(v && v->open);
    assert_in_range(v->onset_s, from_s, from_s + 6 * HOUR);
    assert_in_range(verdict_value(v, "night_back_l"), 20000, 40000);
    assert_int_equal(story_episodes(&s, &detector_backflow), 0);
    assert_int_equal(story_episodes(&s, &detector_reversed), 0);
    story_live(&s, 12);
    assert_true(story_is_open(&s, &detector_selfturn));
    story_live(&s, 6);
    assert_false(story_is_open(&s, &detector_selfturn));
    assert_int_equal(story_episodes(&s, &detector_selfturn), 1);
}

static void who_uses_water_by_night_turns_nothing_to_and_fro(void **state)
{
    struct story s;

    (void)state;
    begin(&s, REGISTER_BOTH);
    for (int night = 0; night < 20; night++) {
        until_hour(&s, 1);
        s.true_ml += 60000;
        back(&s, 2);
        story_live(&s, 1);
    }
    assert_int_equal(story_episodes(&s, &detector_selfturn), 0);
}

static void a_crew_understands_both(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    begin(&s, REGISTER_BOTH);
    until_hour(&s, 15);
    back(&s, 300);
    story_live(&s, 1);
    detector_backflow.explain(story_last(&s, &detector_backflow), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "About 300 L flowed back through the meter"));
    assert_non_null(strstr(zh, "300 L水经水表倒流"));
    to_and_fro(&s, 6, 6);
    e = wr_of(en, sizeof en - 1);
    z = wr_of(zh, sizeof zh - 1);
    detector_selfturn.explain(story_last(&s, &detector_selfturn), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "ran to and fro by itself"));
    assert_non_null(strstr(zh, "水表自转"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_keep_eleven_bits),
        cmocka_unit_test(water_that_flowed_back_once_is_told_and_forgotten_in_a_week),
        cmocka_unit_test(a_little_is_not_worth_a_word),
        cmocka_unit_test(a_second_event_keeps_the_first_ones_onset),
        cmocka_unit_test(a_meter_that_proves_to_be_turned_round_is_no_backflow),
        cmocka_unit_test(wrong_digits_days_twice_and_typed_metres_are_none),
        cmocka_unit_test(two_wrong_digits_side_by_side_are_none),
        cmocka_unit_test(what_flows_back_between_two_draws_is_told_of_a_meter_that_is_read_right),
        cmocka_unit_test(what_flowed_back_in_a_gap_is_told_once_the_meter_proves_right),
        cmocka_unit_test(a_gap_before_a_meter_that_runs_back_is_no_event),
        cmocka_unit_test(a_register_set_down_in_a_gap_is_none),
        cmocka_unit_test(where_nothing_ever_ran_an_event_is_told_a_day_later),
        cmocka_unit_test(a_night_of_pressure_waves_that_nobody_heard_is_none),
        cmocka_unit_test(one_coarse_pulse_by_night_is_none_and_by_day_one_is),
        cmocka_unit_test(a_register_set_down_by_technicians_is_none),
        cmocka_unit_test(a_roll_over_backwards_is_what_flowed_back),
        cmocka_unit_test(what_turns_by_itself_by_night_is_told_after_some_nights),
        cmocka_unit_test(who_uses_water_by_night_turns_nothing_to_and_fro),
        cmocka_unit_test(a_crew_understands_both),
    };

    return check_run(tests, argc, argv);
}
