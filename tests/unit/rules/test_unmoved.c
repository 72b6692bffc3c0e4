#include "tests/unit/rules/story.h"

#define unmoved_open(s) story_is_open(s, &detector_unmoved)

static void a_meter_that_never_turned_where_water_was_used_is_told(void **state)
{
    struct story s;
    const struct verdict *v;

    (void)state;
    story_begin(&s);
    s.place.used_before_mlpd = 250000;
    story_still(&s, 30 * 24);
    assert_quiet(&s);
    story_still(&s, 24);
    assert_true(unmoved_open(&s));
    v = story_last(&s, &detector_unmoved);
    assert_int_equal(v->lost_mlpd, 250000);
    assert_true(v->confidence_pct >= 35 &&
                v->confidence_pct < 60); /* the flat may have been empty before */
    story_still(&s, 150 * 24);
    assert_true(story_last(&s, &detector_unmoved)->confidence_pct >= 70);
    assert_int_equal(story_last(&s, &detector_unmoved)->severity, SEVERITY_MEDIUM);
    assert_int_equal(story_episodes(&s, &detector_unmoved), 1);
    assert_int_equal(story_episodes(&s, &detector_stuck), 0);
    story_live(&s, 2);
    v = story_last(&s, &detector_unmoved);
    assert_false(v->open);
    assert_true(v->cleared_s > v->raised_s);
    story_live(&s, 60); /* the bytes are stuck's from now on */
    story_still(&s, 35 * 24);
    assert_true(story_is_open(&s, &detector_stuck));
    assert_int_equal(story_episodes(&s, &detector_unmoved), 1);
}

static void an_empty_flat_is_a_faint_suspicion_after_two_months(void **state)
{
    struct story s;

    (void)state;
    story_begin(&s);
    story_still(&s, 59 * 24);
    assert_quiet(&s);
    story_still(&s, 48);
    assert_true(unmoved_open(&s));
    assert_true(story_last(&s, &detector_unmoved)->confidence_pct < 10);
    assert_int_equal(story_last(&s, &detector_unmoved)->severity, SEVERITY_LOW);
}

static void where_little_was_used_or_none_is_expected_nothing_is_told(void **state)
{
    struct story s;
    struct pauses vacant = { 0 };

    (void)state;
    story_begin(&s);
    s.place.used_before_mlpd = 5000;
    story_still(&s, 200 * 24);
    assert_quiet(&s);
    story_begin(&s);
    s.point.use = USE_HYDRANT;
    s.place.used_before_mlpd = 250000;
    story_still(&s, 200 * 24);
    assert_quiet(&s);
    story_begin(&s);
    pauses_add(&vacant, PAUSE_VACANT, START, INT64_MAX);
    s.place.pauses = &vacant;
    s.place.used_before_mlpd = 250000;
    story_still(&s, 200 * 24);
    assert_quiet(&s);
}

static void people_say_how_long_it_may_stand_and_what_use_counts(void **state)
{
    static const struct {
        enum detect_figure figure;
        int64_t value;
        int64_t used_mlpd;
        unsigned days;
    } cases[] = {
        { FIGURE_UNMOVED_known_days, 45, 250000, 45 },
        { FIGURE_UNMOVED_unknown_days, 20, 0, 20 },
        { FIGURE_UNMOVED_use_least_lpd, 4000, 5000, 30 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rule_period always = { .rules = detect_rules_standing };
        struct rule_book book = { 1, &always };
        struct story s;

        always.rules.value[cases[i].figure] = cases[i].value;
        story_begin(&s);
        s.place.book = &book;
        s.place.used_before_mlpd = cases[i].used_mlpd;
        story_still(&s, (cases[i].days - 1) * 24);
        assert_quiet(&s);
        story_still(&s, 2 * 24);
        assert_true(unmoved_open(&s));
    }
}

static void a_crew_understands_it(void **state)
{
    struct story s;
    char en[512] = { 0 }, zh[512] = { 0 };
    struct wr e = wr_of(en, sizeof en - 1), z = wr_of(zh, sizeof zh - 1);

    (void)state;
    story_begin(&s);
    s.place.used_before_mlpd = 250000;
    story_still(&s, 32 * 24);
    detector_unmoved.explain(story_last(&s, &detector_unmoved), &s.place, &e, &z);
    assert_ok(e.err);
    assert_ok(z.err);
    assert_non_null(strstr(en, "not turned once in at least 30 days since 2026-01-01"));
    assert_non_null(strstr(zh, "原表日均250 L"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_that_never_turned_where_water_was_used_is_told),
        cmocka_unit_test(an_empty_flat_is_a_faint_suspicion_after_two_months),
        cmocka_unit_test(where_little_was_used_or_none_is_expected_nothing_is_told),
        cmocka_unit_test(people_say_how_long_it_may_stand_and_what_use_counts),
        cmocka_unit_test(a_crew_understands_it),
    };

    return check_run(tests, argc, argv);
}
