/* Which flags a crew is sent for (server/detect/field.h). */
#include "server/detect/field.h"
#include "tests/check.h"

static struct verdict verdict(unsigned confidence_pct, int64_t lost_lpd)
{
    return (struct verdict){ .open = true,
                             .confidence_pct = confidence_pct,
                             .lost_mlpd = lost_lpd * 1000 };
}

static enum field_why why(enum detect_rule r, unsigned confidence_pct, int64_t lost_lpd,
                          uint32_t others)
{
    struct verdict v = verdict(confidence_pct, lost_lpd);
    struct field_flag f = { .rule = r, .verdict = &v };

    return field_why(&f, &detect_rules_standing, others);
}

static void nobody_goes_for_what_is_unsure(void **state)
{
    struct detect_rules stricter = detect_rules_standing;
    struct verdict v = verdict(75, 300);
    struct field_flag f = { .rule = DETECT_STUCK, .verdict = &v };

    (void)state;
    assert_int_equal(why(DETECT_STUCK, 69, 300, 0), FIELD_UNSURE);
    assert_int_equal(why(DETECT_STUCK, 70, 300, 0), FIELD_GO);
    stricter.value[DETECT_STUCK * DETECT_FIGURES + DETECT_ORDER_FROM] = 800;
    assert_int_equal(field_why(&f, &stricter, 0), FIELD_UNSURE);
    f.confirmed = true; /* somebody saw it */
    assert_int_equal(field_why(&f, &stricter, 0), FIELD_GO);
}

static void one_goes_for_the_cause_and_not_for_what_it_explains(void **state)
{
    struct verdict v = verdict(95, 300);
    struct field_flag f = { .rule = DETECT_SILENT, .verdict = &v };

    (void)state;
    assert_int_equal(why(DETECT_LEAK, 95, 5000, 1u << DETECT_BURST), FIELD_EXPLAINED);
    assert_int_equal(why(DETECT_BURST, 95, 5000, 1u << DETECT_LEAK), FIELD_GO);
    assert_int_equal(field_explains(DETECT_LEAK, 1u << DETECT_BURST), DETECT_BURST);
    assert_int_equal(field_explains(DETECT_LEAK, 1u << DETECT_STUCK), -1);
    assert_int_equal(field_why(&f, &detect_rules_standing, 0), FIELD_GO);
    f.of_many = true;
    assert_int_equal(field_why(&f, &detect_rules_standing, 0), FIELD_EXPLAINED);
}

/* 49 L/h are 1 176 L/day. */
static void of_a_small_leak_the_customer_is_told(void **state)
{
    (void)state;
    assert_int_equal(why(DETECT_LEAK, 95, 1176, 0), FIELD_SMALL);
    assert_int_equal(why(DETECT_LEAK, 95, 1200, 0), FIELD_GO);
    assert_int_equal(why(DETECT_CLOCK, 100, 0, 0), FIELD_NO_VISIT);
    assert_int_equal(why(DETECT_OVERDUE, 100, 0, 0), FIELD_NO_VISIT);
}

/* No two kinds explain each other: a meter with both would get nobody. */
static void what_explains_is_never_explained_by_the_same(void **state)
{
    (void)state;
    for (int a = 0; a < DETECT_RULES; a++)
        for (int b = 0; b < DETECT_RULES; b++)
            assert_false(a != b && field_explains((enum detect_rule)a, 1u << b) >= 0 &&
                         field_explains((enum detect_rule)b, 1u << a) >= 0);
    for (int a = 0; a < DETECT_RULES; a++)
        assert_true(field_explains((enum detect_rule)a, 1u << a) < 0);
}

/* 400 L a day × 30 days × 2.50 a m³ × 0.8 = 24.00. */
static void money_is_what_a_month_s_delay_is_expected_to_cost(void **state)
{
    struct verdict v = verdict(80, 400), much = verdict(100, INT64_C(4000000000000));

    (void)state;
    assert_int_equal(field_money_month(&v, false, 2500), 24000);
    assert_int_equal(field_money_month(&v, true, 2500), 30000);
    assert_true(field_money_month(&much, false, 1000000000) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_goes_for_what_is_unsure),
        cmocka_unit_test(one_goes_for_the_cause_and_not_for_what_it_explains),
        cmocka_unit_test(of_a_small_leak_the_customer_is_told),
        cmocka_unit_test(what_explains_is_never_explained_by_the_same),
        cmocka_unit_test(money_is_what_a_month_s_delay_is_expected_to_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
