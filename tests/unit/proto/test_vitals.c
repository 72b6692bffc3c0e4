/* What a meter's frames last said of the meter itself. */
#include "proto/facts.h"
#include "tests/check.h"

static struct frame said(int64_t sent_s, uint32_t battery_mv)
{
    return (struct frame){ .sent_s = sent_s, .battery_mv = battery_mv, .status = STATUS_LEAK };
}

static void the_newest_frame_rules_and_an_older_one_changes_nothing(void **state)
{
    struct vitals v = { 0 }, before;
    struct frame newest = said(1000, 3600), older = said(900, 3500);

    (void)state;
    vitals_take(&v, &newest, 7, 1003);
    assert_int_equal(v.arrival_s, 1003);
    assert_int_equal(v.battery_mv, 3600);
    before = v;
    vitals_take(&v, &newest, 7, 1003); /* settling began again */
    vitals_take(&v, &older, 9, 950);   /* it waited in quarantine */
    assert_memory_equal(&v, &before, sizeof v);
}

static void what_a_frame_does_not_say_stays_as_it_was(void **state)
{
    struct vitals v = { 0 };
    struct frame full = said(1000, 3600), bare = { .sent_s = 2000 };

    (void)state;
    full.rsrp_dbm = -101;
    full.cell = 5;
    vitals_take(&v, &full, 1, 1000);
    vitals_take(&v, &bare, 2, 2000);
    assert_int_equal(v.battery_mv, 3600);
    assert_int_equal(v.rsrp_dbm, -101);
    assert_int_equal(v.cell, 5);
    assert_int_equal(v.status, 0); /* but the status is the frame's own */
}

static void the_clock_is_the_median_of_the_last_seven(void **state)
{
    static const int32_t offsets[] = { 900, 900, 900, 5, 5, 6, 7, 90000, 4, 5 };
    struct vitals v = { 0 };
    int32_t offset_s;

    (void)state;
    assert_false(vitals_offset(&v, &offset_s));
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uint32_t arrival_s = 100000 + (uint32_t)i * 86400;
        struct frame f = said((int64_t)arrival_s + offsets[i], 0);

        vitals_take(&v, &f, i + 1, arrival_s);
    }
    assert_true(vitals_offset(&v, &offset_s));
    assert_int_equal(offset_s, 5);
}

/* A day in three telegrams, each stamped with its newest value; the last comes first one day, and one day an alarm without a clock. */
static void of_a_report_of_several_frames_the_newest_stamp_tells_the_clock(void **state)
{
    static const int32_t offsets[][3] = {
        { -72000, -36000, 4 }, { 5, -72000, -36000 }, { -72000, 3, -36000 }, { -72000, -36000, 6 }
    };
    struct vitals v = { 0 };
    uint64_t position = 0;
    struct frame f = said(0, 1);

    (void)state;
    for (uint32_t day = 1; day <= 4; day++) {
        uint32_t arrival_s = day * 86400;

        f.sent_s = 0;
        vitals_take(&v, &f, ++position, arrival_s);
        for (uint32_t i = 0; i < 3; i++) {
            f.sent_s = (int64_t)arrival_s + i + offsets[day - 1][i];
            vitals_take(&v, &f, ++position, arrival_s + i);
        }
        assert_int_equal(v.offset_count, day);
    }
    assert_int_equal(v.offset_s[0], 6);
    assert_int_equal(v.offset_s[1], 3);
    assert_int_equal(v.offset_s[2], 5);
    assert_int_equal(v.offset_s[3], 4);
    /* One that is slow stays so, whatever else its reports bring. */
    for (uint32_t day = 5; day <= 8; day++) {
        f.sent_s = 0;
        vitals_take(&v, &f, ++position, day * 86400);
        f.sent_s = (int64_t)day * 86400 - 3600;
        vitals_take(&v, &f, ++position, day * 86400);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(v.offset_s[i], -3600);
}

static void wild_numbers_are_held_to_what_is_kept(void **state)
{
    struct vitals v = { 0 };
    struct frame f = said(INT64_C(4294967295), 1);
    int32_t offset_s;

    (void)state;
    f.rsrp_dbm = INT32_MIN;
    f.snr_db = INT32_MAX;
    vitals_take(&v, &f, 1, 1);
    assert_int_equal(v.rsrp_dbm, INT16_MIN);
    assert_int_equal(v.snr_db, INT16_MAX);
    assert_true(vitals_offset(&v, &offset_s));
    assert_int_equal(offset_s, INT32_MAX);
}

/* ---- repeats and replays ---- */

/* What a walk over a meter's frames makes of the next one. */
static enum fold walk(struct vitals *v, enum seq_rule rule, uint32_t seq, uint32_t digest,
                      uint32_t at_s)
{
    static uint64_t position;
    struct frame f = { .seq = seq, .seq_rule = rule, .digest = digest };
    enum fold fold = vitals_fold(v, &f, ++position, at_s);

    if (fold == FOLD_COUNTS)
        vitals_take(v, &f, position, at_s);
    return fold;
}

#define TEN 36000u /* ten o'clock */

/* field.md LW3. */
static void a_counter_that_begins_anew_is_no_repeat(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 104, 5000, TEN));
    assert_int_equal(FOLD_REPEAT, walk(&v, SEQ_REPEATS, 104, 5000, TEN + 48));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 0, 5020, TEN + 3600));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 1, 5031, TEN + 7200));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 0, 5040, TEN + 10800));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 104, 5055, TEN + 14400));
}

static void a_repeat_is_the_same_number_and_content_within_a_quarter_of_an_hour(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 7, 1, TEN));
    assert_int_equal(FOLD_REPEAT,
                     walk(&v, SEQ_REPEATS, 7, 1, TEN - 900)); /* heard elsewhere, told late */
    assert_int_equal(FOLD_REPEAT, walk(&v, SEQ_REPEATS, 7, 1, TEN + 900));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 7, 2, TEN + 1));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 7, 1, TEN + 2));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 7, 1, TEN + 903));
}

static void a_counter_that_must_rise_bars_what_was_played_back(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 5, 50, TEN));
    assert_int_equal(FOLD_REPEAT, walk(&v, SEQ_RISES, 5, 50, TEN + 86400)); /* however late */
    assert_int_equal(FOLD_REPLAY, walk(&v, SEQ_RISES, 5, 51, TEN + 86401));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 9, 90, TEN + 86402));
    assert_int_equal(FOLD_REPLAY, walk(&v, SEQ_RISES, 8, 80, TEN + 86403));
    /* A frame that counts by no rule leaves the counter as it is. */
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_INFORMS, 1, 0, TEN + 86404));
    assert_int_equal(FOLD_REPLAY, walk(&v, SEQ_RISES, 8, 80, TEN + 86405));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 10, 100, TEN + 86406));
}

static void a_frame_in_the_clear_opens_no_way_for_what_was_played_back(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 9, 90, TEN));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_REPEATS, 1, 10, TEN + 1));
    assert_int_equal(FOLD_REPLAY, walk(&v, SEQ_RISES, 8, 80, TEN + 2));
    assert_int_equal(FOLD_REPEAT, walk(&v, SEQ_RISES, 9, 90, TEN + 3));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 10, 100, TEN + 4));
}

static enum fold walk_under(struct vitals *v, enum key_age age, uint32_t seq, uint32_t at_s)
{
    static uint64_t position = UINT32_MAX;
    struct frame f = { .seq = seq, .seq_rule = SEQ_RISES, .digest = seq, .key_age = age };
    enum fold fold = vitals_fold(v, &f, ++position, at_s);

    if (fold == FOLD_COUNTS)
        vitals_take(v, &f, position, at_s);
    return fold;
}

/* A key may be in the register days before the meter has it. */
static void a_counter_begins_anew_with_the_first_frame_under_the_new_key(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_ONLY, 1000, TEN));
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_OUTDATED, 1001, TEN + 10));
    assert_int_equal(FOLD_REPLAY, walk_under(&v, KEY_OUTDATED, 1000, TEN + 15));
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_NEWEST, 1, TEN + 20));
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_NEWEST, 2, TEN + 30));
    assert_int_equal(FOLD_REPLAY, walk_under(&v, KEY_NEWEST, 1, TEN + 40));
}

/* What was recorded under the old key has a higher counter: it would bar the meter for years. */
static void nothing_counts_under_a_key_that_was_given_up(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_ONLY, 1000, TEN));
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_NEWEST, 1, TEN + 20));
    assert_int_equal(FOLD_REPLAY, walk_under(&v, KEY_OUTDATED, 2000, TEN + 30));
    assert_int_equal(FOLD_COUNTS, walk_under(&v, KEY_NEWEST, 2, TEN + 40));
}

static void what_waited_in_quarantine_is_no_replay_of_what_came_after_it(void **state)
{
    struct vitals v = { 0 };

    (void)state;
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 7, 70, TEN + 7200));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 5, 50, TEN));
    assert_int_equal(FOLD_COUNTS, walk(&v, SEQ_RISES, 6, 60, TEN + 3600));
    assert_int_equal(v.seq, 7);
}

static void a_frame_that_was_taken_counts_when_settling_begins_again(void **state)
{
    struct frame f = { .seq = 104, .seq_rule = SEQ_REPEATS, .digest = 1 };
    struct vitals v = { 0 };

    (void)state;
    vitals_take(&v, &f, 7, TEN);
    assert_int_equal(FOLD_COUNTS, vitals_fold(&v, &f, 7, TEN));
    assert_int_equal(FOLD_REPEAT, vitals_fold(&v, &f, 8, TEN));
}

static void report_at(struct vitals *v, uint32_t arrival_s)
{
    struct frame f = { .sent_s = 0 };

    vitals_take(v, &f, v->position + 1, arrival_s);
}

static void
the_period_is_the_median_of_pauses_and_what_follows_at_once_is_the_same_report(void **state)
{
    struct vitals v = { 0 };
    uint32_t at_s = TEN;

    (void)state;
    report_at(&v, at_s);
    assert_int_equal(vitals_period_s(&v), 0);
    report_at(&v, at_s += 86400);
    assert_int_equal(vitals_period_s(&v), 0); /* one pause is no habit */
    for (int i = 0; i < 5; i++) {
        report_at(&v, at_s += 86400 - 120);
        report_at(&v, at_s += 120); /* a second frame of the same report */
    }
    assert_int_equal(vitals_period_s(&v), 86400 - 120);
    report_at(&v, at_s += 9 * 86400);
    assert_int_equal(vitals_period_s(&v), 86400 - 120); /* one long pause is none either, */
    assert_int_equal(vitals_longest_s(&v), 9 * 86400);  /* but it is the longest */
}

static void the_longest_pause_is_forgotten_slowly(void **state)
{
    struct vitals v = { 0 };
    uint32_t at_s = TEN;

    (void)state;
    report_at(&v, at_s);
    report_at(&v, at_s += 8 * 86400);
    for (int i = 0; i < 90; i++)
        report_at(&v, at_s += 86400);
    assert_in_range(vitals_longest_s(&v), 5 * 86400, 6 * 86400);
    for (int i = 0; i < 1000; i++)
        report_at(&v, at_s += 86400);
    assert_int_equal(vitals_longest_s(&v), 86400);
    report_at(&v, at_s += 0x70000000);
    assert_int_equal(vitals_longest_s(&v), 65535 * 900);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_frame_rules_and_an_older_one_changes_nothing),
        cmocka_unit_test(what_a_frame_does_not_say_stays_as_it_was),
        cmocka_unit_test(the_clock_is_the_median_of_the_last_seven),
        cmocka_unit_test(of_a_report_of_several_frames_the_newest_stamp_tells_the_clock),
        cmocka_unit_test(wild_numbers_are_held_to_what_is_kept),
        cmocka_unit_test(a_counter_that_begins_anew_is_no_repeat),
        cmocka_unit_test(a_repeat_is_the_same_number_and_content_within_a_quarter_of_an_hour),
        cmocka_unit_test(a_counter_that_must_rise_bars_what_was_played_back),
        cmocka_unit_test(a_counter_begins_anew_with_the_first_frame_under_the_new_key),
        cmocka_unit_test(nothing_counts_under_a_key_that_was_given_up),
        cmocka_unit_test(a_frame_in_the_clear_opens_no_way_for_what_was_played_back),
        cmocka_unit_test(what_waited_in_quarantine_is_no_replay_of_what_came_after_it),
        cmocka_unit_test(a_frame_that_was_taken_counts_when_settling_begins_again),
        cmocka_unit_test(
            the_period_is_the_median_of_pauses_and_what_follows_at_once_is_the_same_report),
        cmocka_unit_test(the_longest_pause_is_forgotten_slowly),
    };

    return check_run(tests, argc, argv);
}
