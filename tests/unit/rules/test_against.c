/* What a reading was held against (server/billing/against.h): stories with the numbers worked out by hand, and what must hold of any. */
#include "server/billing/against.h"
#include "tests/check.h"

#include <stdlib.h>

#define BEGIN_S 1780000000
#define HOUR_S 3600
#define L 1000ll

/* Q3 2.5 m³/h: 3 437.5 L an hour, and a pulse of 1 L. Four digits: 10 000 m³. */
static const struct meter_facts household = { .id = 1,
                                              .serial = "M1",
                                              .q3_lph = 2500,
                                              .resolution_ml = 1000,
                                              .modulus_ml = 10000000 * L,
                                              .form = REGISTER_FORWARD };

#define MOST 40
static struct rows rows;
static enum rule rules[MOST];
static struct against told[MOST];

/* Hours after BEGIN_S and litres, in order. */
static void hold(const struct fitting *f, size_t fittings, const int64_t (*reads)[2], size_t count)
{
    rows.count = 0;
    for (size_t i = 0; i < count; i++)
        assert_ok(rows_push(
            &rows, (struct row){ reads[i][1] * L, (uint32_t)(BEGIN_S + reads[i][0] * HOUR_S), 0 }));
    assert_ok(rows_tidy(&rows));
    assert_ok(walk_rows(&household, f, fittings, CHANNEL_FORWARD, &rows, rules));
    against_list(&household, f, fittings, CHANNEL_FORWARD, &rows, rules, 0, rows.count, told);
}
#define HOLD(f, n, ...)                                                                            \
    do {                                                                                           \
        static const int64_t reads_[][2] = { __VA_ARGS__ };                                        \
        hold(f, n, reads_, sizeof reads_ / sizeof reads_[0]);                                      \
    } while (0)

static const struct fitting from_100 = { 1, 1, BEGIN_S, FITTING_OPEN, 100 * L, 0, false };

static void what_agrees_tells_its_rise_and_its_ceiling(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 2, 400 }, { 3, 450 });
    assert_int_equal(told[0].rule, LISTED_AGREES);
    assert_true(told[0].has_before && told[0].before.own && told[0].counts);
    assert_int_equal(told[0].before.index_ml, 100 * L);
    assert_int_equal(told[0].moved_ml, 300 * L);
    assert_int_equal(told[0].seconds, 2 * HOUR_S);
    assert_int_equal(told[0].ceiling_ml, 6876 * L); /* 2 × 3 437.5 + 1 */
    assert_false(told[1].before.own);
    assert_int_equal(told[1].before.index_ml, 400 * L);
    assert_int_equal(told[1].moved_ml, 50 * L);
}

static void what_is_too_high_is_held_against_the_last_that_took_part(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 1, 200 }, { 2, 9000 }, { 3, 9100 });
    assert_int_equal(told[1].rule, LISTED_CEILING);
    assert_int_equal(told[1].before.index_ml, 200 * L);
    assert_int_equal(told[1].moved_ml, 8800 * L);
    assert_int_equal(told[1].ceiling_ml, 3438500);
    assert_false(told[1].counts);
    /* The next one against the same, by more time: 8 900 of 6 876. */
    assert_int_equal(told[2].rule, LISTED_CEILING);
    assert_int_equal(told[2].before.index_ml, 200 * L);
    assert_int_equal(told[2].moved_ml, 8900 * L);
    assert_int_equal(told[2].ceiling_ml, 6876 * L);
}

static void a_peak_tells_what_unmasked_it(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 1, 200 }, { 2, 3000 }, { 3, 250 }, { 4, 300 });
    assert_int_equal(told[1].rule, LISTED_PEAK);
    assert_int_equal(told[1].before.index_ml, 200 * L);
    assert_true(told[1].has_beside);
    assert_int_equal(told[1].beside.index_ml, 250 * L);
    assert_int_equal(told[2].rule, LISTED_AGREES); /* as if the peak had never been */
    assert_int_equal(told[2].before.index_ml, 200 * L);
    assert_int_equal(told[2].moved_ml, 50 * L);
}

static void a_re_base_counts_nothing(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 24, 5000 }, { 48, 6000 }, { 72, 10 }, { 73, 20 }, { 74, 30 }, { 75, 40 });
    assert_int_equal(told[2].rule, LISTED_RE_BASE);
    assert_int_equal(told[2].before.index_ml, 6000 * L);
    assert_int_equal(told[2].moved_ml, 0);
    assert_true(told[2].counts);
    assert_int_equal(told[3].moved_ml, 10 * L);
}

static void a_fall_waits_below_the_last(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 24, 5000 }, { 48, 6000 }, { 72, 10 }, { 73, 6500 });
    assert_int_equal(told[2].rule, LISTED_FALL);
    assert_int_equal(told[2].moved_ml, -5990 * L);
    assert_int_equal(told[3].before.index_ml, 6000 * L);
}

static void a_roll_over_counts_past_zero(void **state)
{
    static const struct fitting near_zero = { 1, 1, BEGIN_S, FITTING_OPEN, 9999000 * L, 0, false };

    (void)state;
    HOLD(&near_zero, 1, { 1, 500 });
    assert_int_equal(told[0].rule, LISTED_ROLL_OVER);
    assert_int_equal(told[0].moved_ml, 1500 * L);
    assert_int_equal(told[0].rollovers, 1);
}

static void a_conflict_tells_what_goes_before_it(void **state)
{
    (void)state;
    HOLD(&from_100, 1, { 1, 200 }, { 2, 300 }, { 2, 301 }, { 3, 400 });
    assert_int_equal(told[2].rule, LISTED_CONFLICT);
    assert_true(told[2].has_beside && !told[2].beside.own);
    assert_int_equal(told[2].beside.index_ml, 300 * L);
    assert_int_equal(told[3].before.index_ml, 300 * L);
    /* Against the fitting's own index. */
    HOLD(&from_100, 1, { 0, 120 }, { 1, 200 });
    assert_int_equal(told[0].rule, LISTED_CONFLICT);
    assert_true(told[0].beside.own);
    assert_int_equal(told[0].beside.index_ml, 100 * L);
}

static void between_fittings_both_are_told(void **state)
{
    static const struct fitting two[] = {
        { 1, 1, BEGIN_S, BEGIN_S + 10 * HOUR_S, 0, 500 * L, true },
        { 1, 2, BEGIN_S + 20 * HOUR_S, FITTING_OPEN, 700 * L, 0, false },
    };

    (void)state;
    HOLD(two, 2, { 5, 300 }, { 15, 600 }, { 25, 800 });
    assert_int_equal(told[1].rule, LISTED_NOT_FITTED);
    assert_int_equal(told[1].fitted_until_s, two[0].to_s);
    assert_int_equal(told[1].fitted_from_s, two[1].from_s);
    assert_false(told[1].has_before);
    assert_int_equal(told[2].before.index_ml, 700 * L);
    assert_true(told[2].before.own);
}

static bool is_same(const struct against *a, const struct against *b)
{
    return a->rule == b->rule && a->has_before == b->has_before && a->counts == b->counts &&
           a->has_beside == b->has_beside && a->before.at_s == b->before.at_s &&
           a->before.index_ml == b->before.index_ml && a->before.own == b->before.own &&
           a->beside.at_s == b->beside.at_s && a->beside.index_ml == b->beside.index_ml &&
           a->moved_ml == b->moved_ml && a->seconds == b->seconds &&
           a->ceiling_ml == b->ceiling_ml && a->rollovers == b->rollovers;
}

/* Of any series: what counts adds up to what the register moved, and a part of the list says what the whole says. */
static void what_counts_adds_up_and_parts_say_the_same(void **state)
{
    struct check_random rnd = check_random_begin();

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct register_line line;
        struct against part[MOST];
        int64_t reads[MOST][2], value = 100, sum = 0;
        size_t first;

        for (int i = 0; i < 30; i++) {
            bool odd = check_below(&rnd, 4) == 0;

            value += check_between(&rnd, 0, 2000);
            reads[i][0] = i + 1;
            reads[i][1] = odd ? check_between(&rnd, 0, 60000) : value;
        }
        hold(&from_100, 1, (const int64_t(*)[2])reads, 30);
        assert_ok(register_line_make(&household, &from_100, &rows, &line));
        for (size_t i = 0; i < rows.count; i++)
            sum += told[i].counts ? told[i].moved_ml : 0;
        assert_int_equal(sum, line.steps[line.count - 1].counted_ml);
        register_line_done(&line);
        first = (size_t)check_below(&rnd, 30);
        against_list(&household, &from_100, 1, CHANNEL_FORWARD, &rows, rules, first, 30, part);
        for (size_t i = first; i < 30; i++)
            assert_true(is_same(&part[i - first], &told[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_agrees_tells_its_rise_and_its_ceiling),
        cmocka_unit_test(what_is_too_high_is_held_against_the_last_that_took_part),
        cmocka_unit_test(a_peak_tells_what_unmasked_it),
        cmocka_unit_test(a_re_base_counts_nothing),
        cmocka_unit_test(a_fall_waits_below_the_last),
        cmocka_unit_test(a_roll_over_counts_past_zero),
        cmocka_unit_test(a_conflict_tells_what_goes_before_it),
        cmocka_unit_test(between_fittings_both_are_told),
        cmocka_unit_test(what_counts_adds_up_and_parts_say_the_same),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    rows_done(&rows);
    return failed;
}
