/* What a meter said of itself over time: one report a day. */
#include "proto/past.h"
#include "tests/check.h"

#define DAY 86400u
#define START 1767196800u

struct told {
    struct vitals now;
    struct past past;
    uint32_t at_s;
    uint64_t position;
    struct past_change change; /* of the last report */
};

static void begin(struct told *t)
{
    memset(t, 0, sizeof *t);
    t->at_s = START;
}

static void report(struct told *t, uint32_t status, int32_t offset_s, uint32_t battery_mv)
{
    struct frame f = { .status = status,
                       .battery_mv = battery_mv,
                       .sent_s = (int64_t)t->at_s + offset_s };
    struct vitals was = t->now;

    t->change = (struct past_change){ .any = false };
    vitals_take(&t->now, &f, ++t->position, t->at_s);
    past_take(&t->past, &was, &t->now, &t->change);
    t->at_s += DAY;
}

static void sound(struct told *t, unsigned days)
{
    for (unsigned i = 0; i < days; i++)
        report(t, 0, -5, 3600);
}

static const struct past_span *last(const struct told *t, enum past_kind k)
{
    return t->past.count[k] ? &t->past.spans[k][t->past.count[k] - 1] : NULL;
}

static void a_sound_meter_has_no_past(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    sound(&t, 400);
    for (int k = 0; k < PAST_KINDS; k++)
        assert_int_equal(t.past.count[k], 0);
    assert_int_equal(t.past.shut_count, 0);
    assert_int_equal(t.past.full_mv, 3600);
}

static void a_frame_that_counts_for_nothing_changes_nothing(void **state)
{
    struct told t;
    struct past before;
    struct past_change change = { .any = false };

    (void)state;
    begin(&t);
    sound(&t, 5);
    before = t.past;
    past_take(&t.past, &t.now, &t.now, &change);
    assert_false(change.any);
    assert_memory_equal(&t.past, &before, sizeof before);
}

static void the_third_report_of_a_magnet_is_told_and_a_fortnight_without_ends_it(void **state)
{
    struct told t;
    uint32_t first_s, third_s, quiet_s;

    (void)state;
    begin(&t);
    sound(&t, 10);
    first_s = t.at_s;
    report(&t, STATUS_MAGNET, 0, 3600);
    sound(&t, 2);
    report(&t, STATUS_MAGNET, 0, 3600);
    assert_int_equal(last(&t, PAST_TAMPER)->raised_s, 0);
    sound(&t, 4);
    third_s = t.at_s;
    report(&t, STATUS_DRY, 0, 3600);
    assert_int_equal(last(&t, PAST_TAMPER)->from_s, first_s);
    assert_int_equal(last(&t, PAST_TAMPER)->raised_s, third_s);
    assert_int_equal(last(&t, PAST_TAMPER)->bits, STATUS_MAGNET | STATUS_DRY);
    quiet_s = t.at_s;
    sound(&t, 13);
    assert_false(last(&t, PAST_TAMPER)->ended);
    sound(&t, 3);
    assert_true(last(&t, PAST_TAMPER)->ended);
    assert_int_equal(last(&t, PAST_TAMPER)->quiet_s, quiet_s);
    assert_int_equal(t.past.count[PAST_TAMPER], 1);
}

static void a_loose_contact_that_says_so_now_and_then_is_forgotten(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    for (int i = 0; i < 40; i++) {
        report(&t, STATUS_TAMPER, 0, 3600);
        sound(&t, 9);
    }
    assert_int_equal(t.past.count[PAST_TAMPER], 0);
}

static void nothing_that_was_told_is_forgotten_however_often_it_comes(void **state)
{
    struct told t;
    uint32_t first_s = 0;

    (void)state;
    begin(&t);
    for (int i = 0; i < 3 * PAST_SPANS; i++) {
        for (int n = 0; n < 3; n++)
            report(&t, STATUS_TAMPER, 0, 3600);
        sound(&t, 30);
        if (i == 0)
            first_s = last(&t, PAST_TAMPER)->from_s;
    }
    assert_int_equal(t.past.count[PAST_TAMPER], PAST_SPANS);
    assert_int_equal(t.past.spans[PAST_TAMPER][0].from_s, first_s);
    for (int i = 0; i < PAST_SPANS; i++)
        assert_true(t.past.spans[PAST_TAMPER][i].raised_s);
    assert_int_equal(last(&t, PAST_TAMPER)->reports, 3 * (2 * PAST_SPANS + 1));
}

static void a_clock_that_jumped_began_with_the_first_report_that_says_so(void **state)
{
    struct told t;
    uint32_t jump_s;

    (void)state;
    begin(&t);
    sound(&t, 20);
    jump_s = t.at_s;
    for (int i = 0; i < 10; i++)
        report(&t, 0, 7200, 3600);
    assert_non_null(last(&t, PAST_CLOCK));
    assert_int_equal(last(&t, PAST_CLOCK)->from_s, jump_s);
    assert_int_equal(last(&t, PAST_CLOCK)->raised_s, jump_s + 3 * DAY);
    assert_int_equal(last(&t, PAST_CLOCK)->value, 7200);
    assert_int_equal(last(&t, PAST_CLOCK)->rate, 0);
    sound(&t, 10); /* it was set */
    assert_true(last(&t, PAST_CLOCK)->ended);
}

static void a_clock_that_runs_off_began_where_its_line_was_at_nought(void **state)
{
    static const int32_t rates[] = { 30, -45, 400 };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct told t;
        uint32_t began_s;
        int32_t per_day;

        begin(&t);
        sound(&t, 20);
        began_s = t.at_s;
        for (int day = 1; day < 30; day++)
            report(&t, 0, rates[i] * day, 3600);
        assert_non_null(last(&t, PAST_CLOCK));
        assert_in_range(last(&t, PAST_CLOCK)->from_s, began_s - 3 * DAY, began_s + 3 * DAY);
        per_day = last(&t, PAST_CLOCK)->rate / rates[i];
        assert_in_range(per_day, 500, 1300);
        assert_false(last(&t, PAST_CLOCK)->ended);
    }
}

static void a_slow_network_is_no_slow_clock(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    for (int i = 0; i < 300; i++)
        report(&t, 0, i % 4 ? -1000 - i : -4, 3600);
    assert_int_equal(t.past.count[PAST_CLOCK], 0);
}

static void who_says_twice_that_its_clock_was_lost_is_believed(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    sound(&t, 5);
    report(&t, STATUS_CLOCK_LOST, -5, 3600);
    assert_int_equal(last(&t, PAST_CLOCK)->raised_s, 0);
    report(&t, STATUS_CLOCK_LOST, -5, 3600);
    assert_int_equal(last(&t, PAST_CLOCK)->raised_s, t.at_s - DAY);
}

static void a_battery_that_falls_is_told_with_the_day_of_its_end(void **state)
{
    struct told t;
    uint32_t fall_s, end_s;

    (void)state;
    begin(&t);
    sound(&t, 60);
    fall_s = t.at_s;
    for (int day = 0; day < 40; day++) /* 15 mV a day: 2 520 mV after 72 days */
        report(&t, 0, -5, (uint32_t)(3600 - 15 * day));
    end_s = fall_s + 72 * DAY;
    assert_non_null(last(&t, PAST_BATTERY));
    assert_in_range(last(&t, PAST_BATTERY)->raised_s, fall_s + 8 * DAY, fall_s + 20 * DAY);
    assert_in_range(last(&t, PAST_BATTERY)->until_s, end_s - 6 * DAY, end_s + 6 * DAY);
    assert_in_range(last(&t, PAST_BATTERY)->from_s, fall_s - 8 * DAY, fall_s + 8 * DAY);
    for (int day = 0; day < 20; day++) /* a new one */
        report(&t, 0, -5, 3610);
    assert_true(last(&t, PAST_BATTERY)->ended);
}

static void seasons_empty_no_battery(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    for (int day = 0; day < 800; day++) {
        int in_year = day % 365, from_winter = in_year < 182 ? in_year : 365 - in_year;

        report(&t, 0, -5, (uint32_t)(3520 + from_winter * 80 / 182 + day % 3 * 10));
    }
    assert_int_equal(t.past.count[PAST_BATTERY], 0);
}

static void a_meter_that_says_low_twice_is_believed(void **state)
{
    struct told t;

    (void)state;
    begin(&t);
    sound(&t, 10);
    report(&t, STATUS_BATTERY_LOW, -5, 0);
    sound(&t, 12);
    assert_int_equal(t.past.count[PAST_BATTERY], 0); /* a word said once */
    report(&t, STATUS_BATTERY_LOW, -5, 0);
    report(&t, STATUS_BATTERY_LOW, -5, 0);
    assert_int_equal(last(&t, PAST_BATTERY)->raised_s, t.at_s - DAY);
}

static void a_valve_is_shut_from_the_last_report_before_to_the_first_one_after(void **state)
{
    struct told t;
    uint32_t before_s;

    (void)state;
    begin(&t);
    sound(&t, 3);
    before_s = t.at_s - DAY;
    report(&t, STATUS_VALVE_CLOSED, -5, 3600);
    assert_true(t.change.shut);
    report(&t, STATUS_VALVE_CLOSED, -5, 3600);
    assert_false(t.change.shut);
    assert_int_equal(t.past.shut[0].from_s, before_s);
    assert_int_equal(t.past.shut[0].to_s, 0);
    sound(&t, 1);
    assert_true(t.change.shut);
    assert_int_equal(t.past.shut[0].to_s, t.at_s - DAY);
    for (int i = 0; i < 50; i++) { /* beyond what is kept the oldest become one */
        report(&t, STATUS_VALVE_CLOSED, -5, 3600);
        sound(&t, 1);
    }
    assert_int_equal(t.past.shut_count, PAST_SHUTS);
    assert_int_equal(t.past.shut[0].from_s, before_s);
    assert_int_equal(t.past.shut[PAST_SHUTS - 1].to_s, t.at_s - DAY);
}

/* ---- stricter limits, asked afterwards ---- */

static void a_limit_that_is_stricter_is_reached_with_its_own_report(void **state)
{
    struct told t;
    uint32_t first_s;

    (void)state;
    begin(&t);
    sound(&t, 3);
    first_s = t.at_s;
    for (int i = 0; i < 20; i++)
        report(&t, STATUS_MAGNET, -5, 3600);
    for (int64_t n = 3; n <= PAST_TAMPER_STEPS; n++)
        assert_int_equal(past_raised(PAST_TAMPER, last(&t, PAST_TAMPER), n),
                         first_s + (uint32_t)(n - 1) * DAY);
    begin(&t);
    sound(&t, 3);
    for (int i = 0; i < 5; i++)
        report(&t, STATUS_MAGNET, -5, 3600);
    assert_int_equal(past_raised(PAST_TAMPER, last(&t, PAST_TAMPER), 5), t.at_s - DAY);
    assert_int_equal(past_raised(PAST_TAMPER, last(&t, PAST_TAMPER), 6), 0);
}

/* A minute a day: on its n-th day it is n minutes off, and three days later the least of four offsets is. */
static void a_clock_crosses_each_minute_once(void **state)
{
    struct told t;
    uint32_t began_s;

    (void)state;
    begin(&t);
    sound(&t, 20);
    began_s = t.at_s - DAY;
    for (int day = 1; day <= 12; day++)
        report(&t, 0, 60 * day + 1, 3600);
    for (int64_t minutes = 2; minutes <= 9; minutes++)
        assert_int_equal(past_raised(PAST_CLOCK, last(&t, PAST_CLOCK), minutes),
                         began_s + (uint32_t)(minutes + 3) * DAY);
    assert_int_equal(past_raised(PAST_CLOCK, last(&t, PAST_CLOCK), 10), 0);
    sound(&t, 10);
    assert_true(last(&t, PAST_CLOCK)->ended);
    assert_int_equal(past_raised(PAST_CLOCK, last(&t, PAST_CLOCK), 10), 0);
    assert_int_equal(past_raised(PAST_CLOCK, last(&t, PAST_CLOCK), 9), began_s + 12 * DAY);
    report(&t, STATUS_CLOCK_LOST, -5, 3600);
    report(&t, STATUS_CLOCK_LOST, -5, 3600);
    assert_int_equal(past_raised(PAST_CLOCK, last(&t, PAST_CLOCK), 15), t.at_s - DAY);
}

/* 8 mV a day: at the end after 135 days, and near it after 90. */
static void a_battery_is_seen_from_nearer_and_nearer(void **state)
{
    struct told t;
    uint32_t at_s[PAST_BATTERY_MONTHS + 1];

    (void)state;
    begin(&t);
    sound(&t, 60);
    for (int day = 0; day < 65; day++)
        report(&t, 0, -5, (uint32_t)(3600 - 8 * day));
    for (int64_t months = PAST_BATTERY_MONTHS; months >= 1; months--)
        at_s[months] = past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), months);
    assert_int_equal(at_s[4], last(&t, PAST_BATTERY)->raised_s);
    assert_true(at_s[4] < at_s[3]);
    assert_int_equal(at_s[2], 0); /* not yet */
    for (int day = 65; day < 105; day++)
        report(&t, 0, -5, (uint32_t)(3600 - 8 * day));
    assert_int_equal(past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), 4), at_s[4]);
    assert_int_equal(past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), 3), at_s[3]);
    assert_true(past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), 2) > at_s[3]);
    assert_true(past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), 1) >
                past_raised(PAST_BATTERY, last(&t, PAST_BATTERY), 2));
}

/* Of one that an earlier program kept: it is told as it was. */
static void what_was_kept_without_steps_is_told_by_the_limits_of_then(void **state)
{
    static const uint8_t old[] = {
        1,   /* version */ 0,
        0,   0,
        1, /* tamper: from, raised, seen, quiet, ended, bits, reports, value, worst, rate, until */
        100, 102,
        104, 0,
        0,   8,
        5,   0,
        0,   0,
        0,   0,
        0
    };
    struct past past;

    (void)state;
    assert_ok(past_decode(span_of(old, sizeof old), &past));
    assert_int_equal(past.count[PAST_TAMPER], 1);
    assert_int_equal(past_raised(PAST_TAMPER, &past.spans[PAST_TAMPER][0], 12), 102);
}

static void bytes_bring_it_back_and_rubbish_does_not(void **state)
{
    struct check_random r = check_random_begin();
    uint8_t bytes[PAST_BYTES_MAX];

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct told t;
        struct past back;
        struct wr w = wr_of(bytes, sizeof bytes);

        begin(&t);
        for (int i = 0; i < 500; i++)
            report(&t, (uint32_t)(check_random(&r) & check_random(&r) & 0xffff),
                   (int32_t)check_between(&r, INT32_MIN, INT32_MAX),
                   (uint32_t)check_below(&r, 4000));
        past_encode(&t.past, &w);
        assert_ok(w.err);
        assert_ok(past_decode(wr_span(&w), &back));
        assert_memory_equal(&back, &t.past, sizeof back);
        for (size_t cut = 0; cut < wr_len(&w); cut++)
            assert_err(ERR_CORRUPT, past_decode(span_of(bytes, cut), &back));
        bytes[check_below(&r, wr_len(&w))] ^= (uint8_t)(1 + check_below(&r, 255));
        if (past_decode(wr_span(&w), &back) == ERR_OK)
            assert_true(back.shut_count <= PAST_SHUTS && back.sample_count <= PAST_SAMPLES);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_meter_has_no_past),
        cmocka_unit_test(a_frame_that_counts_for_nothing_changes_nothing),
        cmocka_unit_test(the_third_report_of_a_magnet_is_told_and_a_fortnight_without_ends_it),
        cmocka_unit_test(a_loose_contact_that_says_so_now_and_then_is_forgotten),
        cmocka_unit_test(nothing_that_was_told_is_forgotten_however_often_it_comes),
        cmocka_unit_test(a_clock_that_jumped_began_with_the_first_report_that_says_so),
        cmocka_unit_test(a_clock_that_runs_off_began_where_its_line_was_at_nought),
        cmocka_unit_test(a_slow_network_is_no_slow_clock),
        cmocka_unit_test(who_says_twice_that_its_clock_was_lost_is_believed),
        cmocka_unit_test(a_battery_that_falls_is_told_with_the_day_of_its_end),
        cmocka_unit_test(seasons_empty_no_battery),
        cmocka_unit_test(a_meter_that_says_low_twice_is_believed),
        cmocka_unit_test(a_valve_is_shut_from_the_last_report_before_to_the_first_one_after),
        cmocka_unit_test(a_limit_that_is_stricter_is_reached_with_its_own_report),
        cmocka_unit_test(a_clock_crosses_each_minute_once),
        cmocka_unit_test(a_battery_is_seen_from_nearer_and_nearer),
        cmocka_unit_test(what_was_kept_without_steps_is_told_by_the_limits_of_then),
        cmocka_unit_test(bytes_bring_it_back_and_rubbish_does_not),
    };

    return check_run(tests, argc, argv);
}
