#include "tests/check.h"

#include "tools/measure/detect/bench.h"

#include <stdlib.h>
#include <string.h>

/* A home of 400 days with a leak of 10 L/h from day 100 to day 150. */
static struct trial leaking(void)
{
    struct trial l = { .n = 1,
                       .to_s = 400 * 86400.0,
                       .seen_share = 1,
                       .lost_lpd = 240,
                       .would_lpd = 300,
                       .used_lpd = 300 };

    l.meter.resolution_ml = 1000;
    l.meter.dn_mm = 15;
    l.fault = (struct fault){
        .kind = FAULT_LEAK_5_20, .size = 10, .onset_s = 100 * 86400.0, .end_s = 150 * 86400.0
    };
    return l;
}

static void tell(struct told_list *list, const char *rule, double raised_day, double lost_lpd)
{
    list->at[list->count++] = (struct told){ .rule = rule_named(rule),
                                             .confidence_pct = 80,
                                             .onset_s = (int64_t)((raised_day - 1) * 86400),
                                             .raised_s = (int64_t)(raised_day * 86400),
                                             .told_s = (uint32_t)(raised_day * 86400),
                                             .lost_lpd = lost_lpd };
}

static struct figures leak_figures(const struct told_list *told)
{
    struct trial l = leaking();
    struct record r = { 0 };
    struct figures f;

    assert_ok(record_add(&r, &l, told, false));
    assert_ok(figures_of(&r, &(struct pick){ .rule = rule_named("leak") }, &f));
    record_done(&r);
    return f;
}

static void a_flag_counts_between_onset_and_two_days_after_the_end(void **state)
{
    static const struct {
        double day;
        bool found;
    } cases[] = { { 99, false }, { 101, true }, { 149, true }, { 151.5, true }, { 153, false } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct told_list told = { 0 };
        struct figures f;

        tell(&told, "leak", cases[i].day, 250);
        f = leak_figures(&told);
        assert_int_equal(f.faults, 1);
        assert_int_equal(f.found, cases[i].found);
        assert_int_equal(f.wrong, !cases[i].found);
    }
}

static void a_second_flag_of_the_same_fault_is_a_repeat(void **state)
{
    struct told_list told = { 0 };
    struct figures f;

    (void)state;
    tell(&told, "leak", 103, 250);
    tell(&told, "leak", 120, 250);
    f = leak_figures(&told);
    assert_true(f.found == 1 && f.right == 1 && f.wrong == 0 && f.repeats == 1);
    assert_true(fabs(f.delay_median_d - 3) < 1e-6 && fabs(f.onset_off_d - 2) < 1e-6);
    assert_true(fabs(f.loss_off - 10.0 / 240) < 1e-6);
}

static void another_kind_is_false_unless_the_fault_explains_it(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };

    (void)state;
    tell(&told, "stuck", 120, 250);
    tell(&told, "burst", 120, 250);
    assert_ok(record_add(&r, &l, &told, false));
    assert_int_equal(r.notes[0].outcome, NOTE_FALSE);
    assert_int_equal(r.notes[1].outcome, NOTE_EXPLAINED);
    record_done(&r);
}

static void what_the_series_raises_without_the_fault_counts_neither_way(void **state)
{
    struct told_list told = { 0 };
    struct figures f;

    (void)state;
    tell(&told, "leak", 103, 250);
    told.at[0].too = told.at[0].open = true;
    f = leak_figures(&told);
    assert_true(f.faults == 0 && f.found == 0 && f.wrong == 0 && f.too == 1);
}

static void a_leak_that_the_meter_does_not_see_is_not_scored(void **state)
{
    struct trial l = leaking();
    struct told_list told = { 0 };
    struct record r = { 0 };
    struct figures f;

    (void)state;
    l.seen_share = 0.1;
    assert_ok(record_add(&r, &l, &told, false));
    assert_ok(figures_of(&r, &(struct pick){ .rule = rule_named("leak") }, &f));
    assert_int_equal(f.faults, 0);
    record_done(&r);
}

static bool near(double a, double b)
{
    return fabs(a - b) < 0.0006;
}

/* Newcombe, Statistics in Medicine 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29. */
static void shares_have_wilsons_interval(void **state)
{
    struct interval i = wilson(81, 263);

    (void)state;
    assert_true(near(i.low, 0.2553) && near(i.high, 0.3662));
    i = wilson(15, 148);
    assert_true(near(i.low, 0.0624) && near(i.high, 0.1605));
    i = wilson(0, 20);
    assert_true(near(i.low, 0) && near(i.high, 0.1611));
    i = wilson(1, 29);
    assert_true(near(i.low, 0.0061) && near(i.high, 0.1718));
    assert_true(isnan(wilson(0, 0).value));
}

/* Garwood's table: 0 → 3.689; 1 → 0.0253 to 5.572; 10 → 4.795 to 18.39; 100 → 81.36 to 121.63. */
static void counts_have_garwoods_interval(void **state)
{
    struct interval i = rate_of(0, 1);

    (void)state;
    assert_true(near(i.low, 0) && fabs(i.high - 3.689) < 0.001);
    i = rate_of(1, 1);
    assert_true(near(i.low, 0.0253) && fabs(i.high - 5.572) < 0.001);
    i = rate_of(10, 2);
    assert_true(fabs(i.low * 2 - 4.795) < 0.001 && fabs(i.high * 2 - 18.390) < 0.001);
    i = rate_of(100, 1);
    assert_true(fabs(i.low - 81.36) < 0.01 && fabs(i.high - 121.63) < 0.01);
}

static void the_plain_rules_do_as_they_say(void **state)
{
    struct trial_row rows[24 * 20];
    struct trial l = leaking();
    struct told_list told;
    struct zone zone;
    struct holidays none = { 0 };

    (void)state;
    zone_fixed(&zone, "UTC", 0);
    l.fitting_count = 1;
    l.rows = rows;
    l.meter.q3_lph = 2500;
    l.meter.modulus_ml = INT64_C(10000000000);
    for (uint32_t h = 0; h < 24 * 20; h++) {
        int64_t litres = h < 30 ? h * 4 : 30 * 4; /* 4 L an hour for 30 hours, then nothing */

        rows[h] = (struct trial_row){ .row = { .value = litres * 1000, .time_s = 3600 * (h + 1) },
                                      .channel = CHANNEL_FORWARD };
    }
    l.meter.form = REGISTER_FORWARD;
    l.count = sizeof rows / sizeof rows[0];
    assert_ok(run_rules(&l, &zone, &none, &told));
    assert_int_equal(told.count, 2);
    assert_string_equal(rules[told.at[0].rule].name, "one-gallon");
    assert_int_equal(told.at[0].raised_s, 25 * 3600);
    assert_int_equal(told.at[0].onset_s, 3600);
    assert_false(told.at[0].open);
    assert_string_equal(rules[told.at[1].rule].name, "zero-14");
    assert_int_equal(told.at[1].raised_s, (31 + 14 * 24) * 3600);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_counts_between_onset_and_two_days_after_the_end),
        cmocka_unit_test(a_second_flag_of_the_same_fault_is_a_repeat),
        cmocka_unit_test(another_kind_is_false_unless_the_fault_explains_it),
        cmocka_unit_test(what_the_series_raises_without_the_fault_counts_neither_way),
        cmocka_unit_test(a_leak_that_the_meter_does_not_see_is_not_scored),
        cmocka_unit_test(shares_have_wilsons_interval),
        cmocka_unit_test(counts_have_garwoods_interval),
        cmocka_unit_test(the_plain_rules_do_as_they_say),
    };

    rules_make();
    return check_run(tests, argc, argv);
}
