/* By which figures flags are raised, day by day and meter by meter (server/detect/rules.h). */
#include "server/billing/rules.h"
#include "tests/unit/rules/story.h"

#define D0 20500 /* a civil day */

static struct rule_period period(int32_t from_day, int64_t hours)
{
    struct rule_period p = { .from_day = from_day, .rules = detect_rules_standing };

    p.rules.value[FIGURE_STUCK_household_hours] = hours;
    return p;
}

static int64_t hours_on(const struct rule_book *b, int32_t day)
{
    return rules_on(b, day)->value[FIGURE_STUCK_household_hours];
}

static void each_day_has_the_figures_of_the_latest_version_before_it(void **state)
{
    struct rule_period at[] = { period(D0 + 10, 300), period(D0, 200) };
    struct rule_book book = { 2, at };

    (void)state;
    assert_int_equal(hours_on(&book, D0 - 1), 180);
    assert_int_equal(hours_on(&book, D0), 200);
    assert_int_equal(hours_on(&book, D0 + 9), 200);
    assert_int_equal(hours_on(&book, D0 + 10), 300);
    assert_int_equal(hours_on(NULL, D0 + 10), 180);
}

/* A version of next month gives no reason to judge last month anew. */
static void what_was_judged_rests_on_no_later_version(void **state)
{
    struct rule_period at[] = { period(D0 + 10, 300), period(D0, 200) };
    struct rule_book both = { 2, at }, one = { 1, at + 1 };

    (void)state;
    assert_int_equal(rule_book_hash(&both, D0 + 9), rule_book_hash(&one, D0 + 9));
    assert_int_not_equal(rule_book_hash(&both, D0 + 10), rule_book_hash(&one, D0 + 10));
    assert_int_equal(rule_book_hash(&both, D0 - 1), 0);
    assert_int_equal(rule_book_hash(NULL, D0), 0);
}

/* 180 h, and a fourth more for each: 225, 270, 315; a fourth dismissal counts no more, the first ends after 400 days, a confirmation ends all. */
static void dismissals_make_a_meter_s_own_figures_stricter_within_bounds(void **state)
{
    struct flag_said said[] = { { DETECT_STUCK, D0, false },
                                { DETECT_STUCK, D0 + 10, false },
                                { DETECT_STUCK, D0 + 20, false },
                                { DETECT_STUCK, D0 + 30, false },
                                { DETECT_STUCK, D0 + 500, true } };
    struct rule_period room[16];
    struct rule_book book;

    (void)state;
    assert_true(rule_periods_most(0, 5) <= 16);
    rule_book_dismissed(NULL, said, 5, room, &book);
    assert_int_equal(hours_on(&book, D0), 180); /* what stands is not undone */
    assert_int_equal(hours_on(&book, D0 + 1), 225);
    assert_int_equal(hours_on(&book, D0 + 11), 270);
    assert_int_equal(hours_on(&book, D0 + 21), 315);
    assert_int_equal(hours_on(&book, D0 + 31), 315);
    assert_int_equal(rules_on(&book, D0 + 31)->dismissed[DETECT_STUCK], 3);
    assert_int_equal(rules_on(&book, D0 + 31)->dismissed[DETECT_LEAK], 0);
    assert_int_equal(rules_on(&book, D0 + 31)->value[FIGURE_LEAK_least_lph], 2000);
    assert_int_equal(hours_on(&book, D0 + 411), 270); /* two of the four are over */
    assert_int_equal(hours_on(&book, D0 + 431), 180);
    said[4].day = D0 + 25;
    rule_book_dismissed(NULL, said, 5, room, &book);
    assert_int_equal(hours_on(&book, D0 + 26), 180);
    assert_int_equal(hours_on(&book, D0 + 31), 225);
}

static void what_is_stricter_stays_in_its_range_and_a_count_moves_by_one(void **state)
{
    (void)state;
    assert_int_equal(detect_stricter_by(DETECT_STUCK, 2, 2000, 3, 250), 2160);
    assert_int_equal(detect_stricter_by(DETECT_REVERSED, 2, 3, 1, 250), 4);
    assert_int_equal(detect_stricter_by(DETECT_REVERSED, 2, 3, 3, 250), 6);
    assert_int_equal(detect_stricter_by(DETECT_STUCK, DETECT_TARGET, 950, 3, 250), 950);
}

static void every_figure_stands_within_its_range_and_says_what_it_means(void **state)
{
    (void)state;
    for (int r = 0; r < DETECT_RULES; r++) {
        const struct listed *l = listed_rule(listed_flag((enum detect_rule)r));
        char expected[96];

        assert_string_equal(l->name, detect_rule_name((enum detect_rule)r));
        assert_int_equal(listed_named(span_text(l->name)), listed_flag((enum detect_rule)r));
        assert_null(
            check_line_wrong(line_standing(listed_flag((enum detect_rule)r)), expected, 96));
        for (unsigned i = 0; i < LINE_FIGURES && l->parameter[i].name; i++) {
            assert_true(l->parameter[i].en && l->parameter[i].zh);
            assert_int_equal(l->parameter[i].standing,
                             detect_rules_standing.value[r * DETECT_FIGURES + (int)i]);
        }
    }
    for (size_t i = 0; detector_at(i); i++)
        assert_true(detect_rule_named(span_text(detector_at(i)->flag)) >= 0);
}

/* A family away for nine days: a flag by the standing figures, none where 300 h are nothing unusual. */
static void a_detector_judges_by_the_figures_of_the_day(void **state)
{
    struct rule_period at[] = { period(0, 300) };
    struct rule_book book = { 1, at };
    struct story s;

    (void)state;
    for (int strict = 0; strict < 2; strict++) {
        story_begin(&s);
        if (strict)
            s.place.book = &book;
        story_pass(&s, 40 * DAY, true, 0, false, false);
        story_pass(&s, 9 * DAY, false, 0, false, false);
        assert_int_equal(s.said, !strict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_day_has_the_figures_of_the_latest_version_before_it),
        cmocka_unit_test(what_was_judged_rests_on_no_later_version),
        cmocka_unit_test(dismissals_make_a_meter_s_own_figures_stricter_within_bounds),
        cmocka_unit_test(what_is_stricter_stays_in_its_range_and_a_count_moves_by_one),
        cmocka_unit_test(every_figure_stands_within_its_range_and_says_what_it_means),
        cmocka_unit_test(a_detector_judges_by_the_figures_of_the_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
