/* Dial against transmitter: offsets, slips of the pen, and what is out of step. */
#include "server/billing/dials.h"
#include "tests/check.h"

#include <string.h>

#define START 1767196800 /* 2026-01-01T00:00+08:00 */
#define HOUR 3600
#define DAY 86400
#define M3 1000000ll

static struct meter_facts meter;
static struct fitting fitting;
static struct rows rows;
static struct dial_told told[4];
static size_t told_count;
static struct dial_checks checks;
static struct dial_episode episodes[8];
static size_t episode_count;

static void begin(int64_t start_ml)
{
    rows.count = 0;
    told_count = 0;
    meter = (struct meter_facts){ .id = 1,
                                  .serial = "M1",
                                  .dn_mm = 15,
                                  .q3_lph = 2500,
                                  .resolution_ml = 1000,
                                  .modulus_ml = 10000 * M3,
                                  .form = REGISTER_FORWARD };
    fitting =
        (struct fitting){ .meter = 1, .from_s = START, .to_s = FITTING_OPEN, .start_ml = start_ml };
}

static void put(int64_t at_s, int64_t ml, enum source source)
{
    assert_int_equal(
        rows_push(&rows, (struct row){ .time_s = (uint32_t)at_s, .value = ml, .attr = source }),
        ERR_OK);
}

/* The transmitter by the hour over [from, to) days, at so much a day. */
static void run(unsigned from_day, unsigned to_day, int64_t ml, int64_t ml_day)
{
    for (unsigned h = from_day * 24; h < to_day * 24; h++)
        put(START + (int64_t)h * HOUR, ml + ml_day * (h - from_day * 24) / 24, SOURCE_REMOTE);
}

static void dial(unsigned day, int64_t ml)
{
    put(START + (int64_t)day * DAY + 600, ml, SOURCE_MANUAL);
}

static void tell(int64_t at_s, int64_t dial_ml, int64_t counted_ml)
{
    told[told_count++] = (struct dial_told){ at_s, dial_ml, counted_ml, true };
}

static void judge(void)
{
    dial_checks_done(&checks);
    assert_int_equal(rows_tidy(&rows), ERR_OK);
    assert_int_equal(dials_check(&meter, &fitting, &rows, told, told_count, &checks), ERR_OK);
    episode_count = dial_episodes(&checks, told, told_count, episodes, 8);
}

static void a_dial_that_agrees_is_no_news(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 60, 100 * M3, 300000);
    dial(20, 106 * M3); /* whole cubic metres */
    dial(40, 111 * M3);
    judge();
    assert_int_equal(checks.count, 2);
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].offset, DIAL_OFFSET_NONE);
    assert_int_equal(checks.at[1].agreed_s, checks.at[0].at_s);
    assert_true(checks.at[0].settled && !checks.open_s);
    assert_int_equal(episode_count, 0);
}

static void a_transmitter_that_counts_too_little_is_out_of_step(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 60, 100 * M3, 150000); /* half of the pulses are lost */
    dial(5, 101 * M3);
    dial(20, 106 * M3);
    dial(40, 112 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].verdict, DIAL_OFF);
    assert_in_range(checks.at[1].off_ml, 2990000, 3000000);
    assert_int_equal(checks.at[1].tolerance_ml, M3);
    assert_int_equal(episode_count, 1);
    assert_int_equal(episodes[0].onset_s, checks.at[1].at_s);
    assert_int_equal(episodes[0].reads, 2);
    assert_int_equal(episodes[0].last, 2);
    assert_false(episodes[0].ended);
}

static void one_slip_of_the_pen_is_no_episode_once_the_next_dial_agrees(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 60, 100 * M3, 300000);
    dial(10, 103 * M3);
    dial(20, 109 * M3); /* for 106 */
    judge();
    assert_int_equal(episode_count, 1);
    dial(40, 112 * M3);
    judge();
    assert_int_equal(checks.at[1].verdict, DIAL_OFF);
    assert_int_equal(checks.at[2].verdict, DIAL_AGREES);
    assert_int_equal(episode_count, 0);
}

static void two_that_were_off_end_with_one_that_agrees(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 80, 100 * M3, 300000);
    dial(10, 107 * M3);
    dial(20, 110 * M3);
    dial(40, 112 * M3);
    judge();
    assert_int_equal(episode_count, 1);
    assert_true(episodes[0].ended);
    assert_int_equal(episodes[0].cleared_s, checks.at[2].at_s);
    assert_int_equal(episodes[0].reads, 2);
}

static void cubic_metres_for_litres_say_nothing_of_the_transmitter(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 40, 100 * M3, 300000);
    dial(10, 103000); /* 103 L for 103 m3 */
    dial(20, 95 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_MISREAD);
    assert_int_equal(checks.at[1].verdict, DIAL_MISREAD);
    assert_int_equal(episode_count, 0);
}

static void a_transmitter_that_began_later_has_the_offset_of_the_start_index(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 40, 0, 140000);
    put(START + 30 * DAY, 104200000, SOURCE_MANUAL);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[0].offset, DIAL_OFFSET_START);
    assert_int_equal(checks.at[0].offset_ml, 100 * M3);
    assert_int_equal(checks.at[0].off_ml, 0);
}

static void a_dial_that_agrees_with_the_transmitter_itself_disproves_the_start_index(void **state)
{
    (void)state;
    begin(900 * M3); /* typed for 90 */
    run(0, 60, 90 * M3, 300000);
    dial(10, 93 * M3); /* below the start index: a slip, so far */
    dial(20, 96 * M3);
    dial(40, 102 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_MISREAD);
    assert_int_equal(checks.at[1].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].offset, DIAL_OFFSET_NONE);
    assert_int_equal(checks.at[2].verdict, DIAL_AGREES);
    assert_int_equal(episode_count, 0);
}

static void a_battery_is_changed_and_the_transmitter_begins_again(void **state)
{
    int64_t change = START + 40 * DAY;

    (void)state;
    begin(100 * M3);
    put(START, 0, SOURCE_REMOTE);
    put(START + 30 * DAY, 4200000, SOURCE_REMOTE);
    put(START + 30 * DAY, 104200000, SOURCE_MANUAL);
    put(change, 0, SOURCE_REMOTE);
    put(change, 104900000, SOURCE_MANUAL); /* 0.7 m3 unseen */
    put(change + 3 * DAY, 350000, SOURCE_REMOTE);
    put(change + 3 * DAY, 105250000, SOURCE_MANUAL);
    put(change + 4 * DAY, 400000, SOURCE_REMOTE);
    put(change + 4 * DAY, 104200000, SOURCE_MANUAL); /* typed again by mistake */
    judge();
    assert_int_equal(checks.count, 4);
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].verdict, DIAL_SETS);
    assert_int_equal(checks.at[2].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[2].off_ml, 0);
    assert_int_equal(checks.at[2].offset_ml, 104900000);
    assert_int_equal(checks.at[3].verdict, DIAL_MISREAD);
    assert_int_equal(episode_count, 0);
}

static void over_a_re_base_that_nobody_saw_the_register_goes_on(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 30, 100 * M3, 300000);
    run(30, 60, 0, 300000);
    dial(20, 106 * M3);
    dial(50, 115 * M3);
    judge();
    assert_int_equal(checks.at[1].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].offset, DIAL_OFFSET_REBASE);
    rows.count = 0;
    run(0, 30, 100 * M3, 300000);
    run(50, 80, 0, 300000); /* and counted nothing for twenty days */
    dial(20, 106 * M3);
    dial(60, 118 * M3);
    judge();
    assert_int_equal(checks.at[1].verdict, DIAL_OFF);
    assert_in_range(checks.at[1].off_ml, 5 * M3, 6 * M3 + 300000);
}

static void what_was_told_goes_before_all_else(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 80, 0, 140000);
    tell(START + 10 * DAY, 181400000, 1400000); /* another dial was put on */
    dial(20, 182 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[0].offset, DIAL_OFFSET_TOLD);
    assert_int_equal(checks.at[0].offset_ml, 180 * M3);
}

static void an_offset_that_is_told_ends_an_episode(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 80, 100 * M3, 300000);
    dial(20, 126 * M3);
    tell(START + 30 * DAY, 129 * M3, 109 * M3);
    dial(50, 135 * M3);
    judge();
    assert_int_equal(episode_count, 1);
    assert_true(episodes[0].ended);
    assert_int_equal(episodes[0].cleared_s, START + 30 * DAY);
    assert_int_equal(checks.at[1].verdict, DIAL_AGREES);
}

static void a_dial_passes_zero_with_its_transmitter(void **state)
{
    (void)state;
    begin(9998 * M3);
    run(0, 6, 9998 * M3, 300000);
    for (unsigned h = 6 * 24; h < 40 * 24; h++) {
        int64_t ml = 9998 * M3 + 300000ll * h / 24;

        put(START + (int64_t)h * HOUR, ml % (10000 * M3), SOURCE_REMOTE);
    }
    dial(20, 4 * M3);
    dial(30, 13 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    assert_int_equal(checks.at[1].verdict, DIAL_OFF);
    assert_in_range(checks.at[1].off_ml, 5900000, 6000000);
}

static void before_the_transmitter_is_heard_again_nothing_is_said(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 20, 100 * M3, 300000);
    dial(30, 150 * M3);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_OPEN);
    assert_int_equal(checks.open_s, checks.at[0].at_s);
    run(31, 34, 109300000, 300000);
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_OFF);
    assert_int_equal(checks.open_s, 0);
}

static void the_end_index_is_a_dial_read(void **state)
{
    (void)state;
    begin(100 * M3);
    run(0, 20, 100 * M3, 300000);
    fitting.to_s = START + 20 * DAY;
    fitting.has_end = true;
    fitting.end_ml = 140 * M3;
    judge();
    assert_int_equal(checks.count, 1);
    assert_int_equal(checks.at[0].verdict, DIAL_OFF);
    assert_true(checks.at[0].settled);
    fitting.end_ml = 106 * M3;
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_AGREES);
    fitting.end_ml = 140 * M3;
    fitting.to_s = START + 25 * DAY; /* it may have gone on unseen */
    judge();
    assert_int_equal(checks.at[0].verdict, DIAL_OPEN);
}

static void what_the_dial_should_show_follows_from_the_transmitter(void **state)
{
    struct dial_expected e;
    bool known;

    (void)state;
    begin(100 * M3);
    run(0, 40, 0, 240000);
    assert_int_equal(dials_expect(&meter, &fitting, &rows, NULL, 0, START + 30 * DAY, &known, &e),
                     ERR_OK);
    assert_true(known);
    assert_int_equal(e.dial_ml, 107200000);
    assert_int_equal(e.counted_ml, 7200000);
    assert_int_equal(e.offset_ml, 100 * M3);
    begin(100 * M3);
    assert_int_equal(dials_expect(&meter, &fitting, &rows, NULL, 0, START + 30 * DAY, &known, &e),
                     ERR_OK);
    assert_false(known);
}

/* Whatever rows say, nothing overflows, and what is called settled stays as it is when more comes in order of time. */
static void what_is_settled_stays(void **state)
{
    struct check_random seed = check_random_begin();
    struct dial_check before[64];

    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct rows all = { 0 };
        int64_t ml = 100 * M3, counted = ml;
        size_t settled = 0;

        begin(ml);
        for (unsigned h = 0; h < 40 * 6; h++) {
            uint64_t dice = check_random(&seed) % 100;
            int64_t at_s = START + (int64_t)h * 4 * HOUR,
                    use = (int64_t)(check_random(&seed) % 60000);
            int64_t wild[] = {
                0, -1, INT64_MAX / 2, INT64_MIN / 2, counted - 3 * M3, counted + 30 * M3
            };

            ml += use;
            counted += dice < 90 ? use : 0;
            if (dice == 91)
                counted = 0;
            if (dice > 92 && dice < 97)
                put(at_s, wild[check_random(&seed) % 6], SOURCE_REMOTE);
            else if (dice != 92)
                put(at_s, counted, SOURCE_REMOTE);
            if (h % 12 == 5)
                put(at_s + 60, dice < 80 ? ml : wild[dice % 6], SOURCE_MANUAL);
        }
        all = rows;
        rows = (struct rows){ 0 };
        for (size_t n = 1; n <= all.count; n++) {
            assert_int_equal(rows_push(&rows, all.at[n - 1]), ERR_OK);
            if (n % 7 && n != all.count)
                continue;
            judge();
            for (size_t i = 0; i < settled; i++) {
                assert_int_equal(checks.at[i].verdict, before[i].verdict);
                assert_int_equal(checks.at[i].off_ml, before[i].off_ml);
                assert_true(checks.at[i].settled);
            }
            for (settled = 0; settled < checks.count && settled < 64 && checks.at[settled].settled;
                 settled++)
                before[settled] = checks.at[settled];
        }
        rows_done(&all);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_that_agrees_is_no_news),
        cmocka_unit_test(a_transmitter_that_counts_too_little_is_out_of_step),
        cmocka_unit_test(one_slip_of_the_pen_is_no_episode_once_the_next_dial_agrees),
        cmocka_unit_test(two_that_were_off_end_with_one_that_agrees),
        cmocka_unit_test(cubic_metres_for_litres_say_nothing_of_the_transmitter),
        cmocka_unit_test(a_transmitter_that_began_later_has_the_offset_of_the_start_index),
        cmocka_unit_test(a_dial_that_agrees_with_the_transmitter_itself_disproves_the_start_index),
        cmocka_unit_test(a_battery_is_changed_and_the_transmitter_begins_again),
        cmocka_unit_test(over_a_re_base_that_nobody_saw_the_register_goes_on),
        cmocka_unit_test(what_was_told_goes_before_all_else),
        cmocka_unit_test(an_offset_that_is_told_ends_an_episode),
        cmocka_unit_test(a_dial_passes_zero_with_its_transmitter),
        cmocka_unit_test(before_the_transmitter_is_heard_again_nothing_is_said),
        cmocka_unit_test(the_end_index_is_a_dial_read),
        cmocka_unit_test(what_the_dial_should_show_follows_from_the_transmitter),
        cmocka_unit_test(what_is_settled_stays),
    };
    int failed = check_run(tests, argc, argv);

    dial_checks_done(&checks);
    rows_done(&rows);
    return failed;
}
