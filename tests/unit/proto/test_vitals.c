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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_frame_rules_and_an_older_one_changes_nothing),
        cmocka_unit_test(what_a_frame_does_not_say_stays_as_it_was),
        cmocka_unit_test(the_clock_is_the_median_of_the_last_seven),
        cmocka_unit_test(wild_numbers_are_held_to_what_is_kept),
    };

    return check_run(tests, argc, argv);
}
