/* The product-limit estimate against published figures, and its edges. */
#include "server/fleet/survival.h"
#include "tests/check.h"

#include <math.h>

#define CLOSE(found, expected, within)                                                             \
    do {                                                                                           \
        if (!(fabs((found) - (expected)) <= (within)))                                             \
            fail_msg("%s: expected %.6f, found %.6f", #found, (double)(expected),                  \
                     (double)(found));                                                             \
    } while (0)

/* Weeks in remission of 21 patients under 6-MP (Freireich and others 1963); with figures as Klein and Moeschberger print them, and bounds log-log as
 * textbooks' programs do. */
static void the_figures_of_freireich_come_out(void **state)
{
    static const uint32_t failed[] = { 6, 6, 6, 7, 10, 13, 16, 22, 23 };
    static const uint32_t censored[] = { 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35 };
    static const struct {
        uint32_t age, at_risk, failed, censored;
        double survival, low, high;
    } expected[] = {
        { 6, 21, 3, 1, .8571, .6197, .9516 },  { 7, 17, 1, 0, .8067, .5631, .9228 },
        { 10, 15, 1, 2, .7529, .5032, .8894 }, { 13, 12, 1, 1, .6902, .4316, .8491 },
        { 16, 11, 1, 0, .6275, .3675, .8049 }, { 22, 7, 1, 3, .5378, .2678, .7468 },
        { 23, 6, 1, 0, .4482, .1881, .6801 },  { 35, 1, 0, 5, .4482, .1881, .6801 },
    };
    struct survival_day days[40] = { 0 };
    struct survival_step steps[10];
    uint32_t median = 0;

    (void)state;
    for (size_t i = 0; i < sizeof failed / sizeof failed[0]; i++)
        days[failed[i]].failed++;
    for (size_t i = 0; i < sizeof censored / sizeof censored[0]; i++)
        days[censored[i]].censored++;
    assert_int_equal(survival_steps(days, 40, steps, 10), 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(steps[i].age_days, expected[i].age);
        assert_int_equal(steps[i].at_risk, expected[i].at_risk);
        assert_int_equal(steps[i].failed, expected[i].failed);
        assert_int_equal(steps[i].censored, expected[i].censored);
        CLOSE(steps[i].survival, expected[i].survival, 5e-5);
        CLOSE(steps[i].low, expected[i].low, 5e-5);
        CLOSE(steps[i].high, expected[i].high, 5e-5);
    }
    assert_true(survival_median(steps, 8, &median));
    assert_int_equal(median, 23);
}

static void without_failures_all_last(void **state)
{
    struct survival_day days[3] = { { 0, 2 }, { 0, 0 }, { 0, 5 } };
    struct survival_step steps[2];
    uint32_t median;

    (void)state;
    assert_int_equal(survival_steps(days, 3, steps, 2), 1);
    assert_int_equal(steps[0].age_days, 2);
    assert_int_equal(steps[0].at_risk, 5);
    assert_int_equal(steps[0].censored, 7);
    CLOSE(steps[0].survival, 1, 0);
    assert_false(survival_median(steps, 1, &median));
    assert_int_equal(survival_steps(days, 0, steps, 2), 0);
}

static void when_all_have_failed_nothing_bounds_it(void **state)
{
    struct survival_day days[2] = { { 1, 0 }, { 1, 0 } };
    struct survival_step steps[2];
    uint32_t median = 9;

    (void)state;
    assert_int_equal(survival_steps(days, 2, steps, 2), 2);
    CLOSE(steps[0].survival, .5, 0);
    CLOSE(steps[1].survival, 0, 0);
    assert_true(isnan(steps[1].low) && isnan(steps[1].high));
    assert_true(survival_median(steps, 2, &median));
    assert_int_equal(median, 0);
}

static void what_does_not_fit_is_counted_and_not_written(void **state)
{
    struct survival_day days[3] = { { 1, 0 }, { 1, 0 }, { 1, 1 } };
    struct survival_step steps[2] = { [1].age_days = 77 };

    (void)state;
    assert_int_equal(survival_steps(days, 3, steps, 1), 3);
    assert_int_equal(steps[1].age_days, 77);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_of_freireich_come_out),
        cmocka_unit_test(without_failures_all_last),
        cmocka_unit_test(when_all_have_failed_nothing_bounds_it),
        cmocka_unit_test(what_does_not_fit_is_counted_and_not_written),
    };

    return check_run(tests, argc, argv);
}
