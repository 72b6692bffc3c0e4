/* Day sheets: on which days, what was read, how dial and transmitter compare, and what is the matter. */
#include "server/billing/daysheet.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

#define CUT 1772294400 /* 2026-03-01T00:00+08:00 */
#define DAY 86400
#define M3 1000000ll

static const struct meter_facts meter = { .id = 1,
                                          .serial = "M1",
                                          .dn_mm = 15,
                                          .q3_lph = 2500,
                                          .resolution_ml = 1000,
                                          .modulus_ml = 10000ll * M3,
                                          .form = REGISTER_FORWARD };

static struct sheet_day day;

static bool holds(const char *days, int year, unsigned month, unsigned of_month)
{
    struct route_days d;

    assert_int_equal(route_days_read(span_text(days), &d), ERR_OK);
    return route_days_hold(&d, day_number(year, month, of_month));
}

static void days_are_what_their_words_say(void **state)
{
    (void)state;
    assert_true(holds("", 2026, 3, 17));
    assert_true(holds("1,15", 2026, 3, 15) && !holds("1,15", 2026, 3, 16));
    assert_true(holds("1-5", 2026, 3, 5) && !holds("1-5", 2026, 3, 6));
    assert_true(holds("Mon, THU", 2026, 3, 5) && !holds("mon,thu", 2026, 3, 6)); /* a Thursday */
    assert_true(holds("mon-fri", 2026, 3, 6) && !holds("mon-fri", 2026, 3, 7));
    assert_true(holds("last", 2026, 2, 28) && !holds("last", 2028, 2, 28));
    assert_true(holds("daily", 2026, 12, 31));
    assert_true(holds("1 sat", 2026, 3, 7) && holds("1 sat", 2026, 4, 1));
}

static void a_day_that_a_month_lacks_is_its_last(void **state)
{
    (void)state;
    assert_true(holds("31", 2026, 2, 28) && holds("31", 2026, 4, 30) && holds("31", 2026, 3, 31));
    assert_false(holds("31", 2026, 3, 30));
    assert_true(holds("29", 2028, 2, 29) && !holds("29", 2028, 2, 28));
}

static void strange_days_are_refused(void **state)
{
    static const char *const strange[] = { "0", "32", "5-1", "mon-5", "every", "1,,x",  "fri-mon",
                                           "-", "1-", "-5",  "1-2-3", "1.5",   "monday" };

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        struct route_days d;

        if (route_days_read(span_text(strange[i]), &d) != ERR_MALFORMED)
            fail_msg("%s was read", strange[i]);
    }
}

static int64_t before(const char *days, int64_t of)
{
    struct route_days d;

    assert_int_equal(route_days_read(span_text(days), &d), ERR_OK);
    return route_days_before(&d, of);
}

static void the_day_before_is_the_latest_of_the_routes(void **state)
{
    int64_t of = day_number(2026, 3, 15);

    (void)state;
    assert_int_equal(before("1,15", of), day_number(2026, 3, 1));
    assert_int_equal(before("15", of), day_number(2026, 2, 15));
    assert_int_equal(before("", of), of - 1);
    assert_int_equal(before("31", of), day_number(2026, 2, 28));
    assert_int_equal(before("1,15", day_number(2026, 4, 1)), day_number(2026, 3, 15));
}

/* ---- which meter ---- */

static void the_meter_is_the_one_at_the_cut_off(void **state)
{
    struct fitting f[] = { { .meter = 1, .from_s = CUT - 9 * DAY, .to_s = CUT },
                           { .meter = 2, .from_s = CUT, .to_s = CUT + 100 },
                           { .meter = 3, .from_s = CUT + 200, .to_s = FITTING_OPEN } };

    (void)state;
    assert_int_equal(sheet_fitting(f, 3, &day), 1); /* of two that touch the one that came */
    assert_int_equal(sheet_fitting(f, 1, &day), 0);
    assert_int_equal(sheet_fitting(f + 2, 1, &day), 0);
    f[0].to_s = CUT - 1;
    assert_int_equal(sheet_fitting(f, 1, &day), -1);
    f[2].from_s = day.to_s + 1;
    assert_int_equal(sheet_fitting(f + 2, 1, &day), -1);
    assert_int_equal(sheet_fitting(f, 0, &day), -1);
}

/* ---- reads ---- */

static struct row row_at(int64_t at_s, int64_t ml, enum source source)
{
    return (struct row){ .time_s = (uint32_t)at_s, .value = ml, .attr = source };
}

static void the_nearest_by_radio_and_the_last_by_hand_count(void **state)
{
    struct row at[] = {
        row_at(CUT - DAY - 1, 1, SOURCE_REMOTE), row_at(CUT - 600, 2, SOURCE_REMOTE),
        row_at(CUT - 300, 3, SOURCE_MANUAL),     row_at(CUT + 60, 4, SOURCE_REMOTE),
        row_at(CUT + 600, 5, SOURCE_REMOTE),     row_at(CUT + 900, 6, SOURCE_MANUAL),
        row_at(CUT + 7200, 7, SOURCE_PHOTO)
    };
    enum rule rules[7] = { RULE_NONE };
    struct rows rows = { at, 7, 7 };
    struct sheet_read remote, manual;

    (void)state;
    rules[3] =
        RULE_FALL; /* takes no part: the one 600 s before is as near as the one 600 s after */
    sheet_reads(&rows, rules, &day, &remote, &manual);
    assert_true(remote.known && manual.known);
    assert_int_equal(remote.dial_ml, 2);
    assert_int_equal(manual.dial_ml, 7);
    assert_int_equal(manual.source, SOURCE_PHOTO);
    rows.count = 3; /* nobody came on the day itself */
    sheet_reads(&rows, rules, &day, &remote, &manual);
    assert_int_equal(manual.dial_ml, 3);
    rows.count = 1; /* a second too early */
    sheet_reads(&rows, rules, &day, &remote, &manual);
    assert_false(remote.known || manual.known);
}

static int64_t off_of(struct row *at, size_t count, int64_t manual_at_s, int64_t dial_ml,
                      int64_t pace)
{
    enum rule rules[8] = { RULE_NONE };
    struct rows rows = { at, count, count };
    struct sheet_read manual = { true, manual_at_s, dial_ml, RULE_NONE, SOURCE_MANUAL };
    int64_t off;

    assert_true(sheet_off(&meter, &rows, rules, &manual, pace, &off));
    return off;
}

static void the_dial_is_held_against_the_reads_on_both_sides(void **state)
{
    struct row at[] = { row_at(CUT, 100 * M3, SOURCE_REMOTE),
                        row_at(CUT + DAY, 102 * M3, SOURCE_REMOTE) };

    (void)state;
    assert_int_equal(off_of(at, 2, CUT + 3600, 100 * M3, 0), 0);
    assert_int_equal(off_of(at, 2, CUT + 3600, 102 * M3, 0), 0);
    assert_int_equal(off_of(at, 2, CUT + 3600, 105 * M3, 0), 3 * M3);
    assert_int_equal(off_of(at, 2, CUT + 3600, 99 * M3, 0), -M3);
    assert_int_equal(off_of(at, 2, CUT, 104 * M3, 0), 4 * M3); /* at the very instant */
    /* Nothing behind it yet: as much as goes through at its pace. */
    assert_int_equal(off_of(at, 1, CUT + DAY / 2, 101 * M3, 2 * M3), 0);
    assert_int_equal(off_of(at, 1, CUT + DAY / 2, 103 * M3, 2 * M3), 2 * M3);
    assert_int_equal(off_of(at, 1, CUT + DAY / 2, 101 * M3, -1), M3);
    assert_int_equal(off_of(at, 1, CUT - DAY / 2, 98 * M3, 2 * M3), -M3); /* nothing before it */
}

static void a_dial_past_zero_is_near_its_transmitter(void **state)
{
    struct row at[] = { row_at(CUT, 9999 * M3, SOURCE_REMOTE),
                        row_at(CUT + DAY, M3, SOURCE_REMOTE) };

    (void)state;
    assert_int_equal(off_of(at, 2, CUT + 3600, 500, 0), 0);
    assert_int_equal(off_of(at, 2, CUT + 3600, 9998 * M3, 0), -M3);
    assert_int_equal(dial_difference(&meter, 9999 * M3, M3), 2 * M3);
    assert_int_equal(dial_difference(&meter, M3, 9999 * M3), -2 * M3);
}

static void the_tolerance_is_a_cubic_metre_or_a_hundredth(void **state)
{
    (void)state;
    assert_int_equal(sheet_tolerance_ml(&meter, 0), M3);
    assert_int_equal(sheet_tolerance_ml(&meter, 50 * M3), M3);
    assert_int_equal(sheet_tolerance_ml(&meter, 500 * M3), 5 * M3 + 1000);
}

/* ---- judgement ---- */

static enum sheet_state judged(struct sheet_facts f, enum sheet_reason *reason)
{
    f.day = &day;
    return sheet_judge(&f, reason);
}

static void what_is_missing_has_its_probable_cause(void **state)
{
    struct sheet_facts f = { .now_s = CUT + 3600 };
    enum sheet_reason r;

    (void)state;
    assert_int_equal(judged(f, &r), SHEET_MISSING);
    assert_int_equal(r, SHEET_NEVER_INSTALLED);
    f.ever_fitted = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_REMOVED);
    f.fitted = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_NEVER_HEARD);
    f.heard_at_s = CUT - 3 * DAY;
    judged(f, &r);
    assert_int_equal(r, SHEET_SILENT);
    f.outage = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_OUTAGE);
    f.gateway = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_GATEWAY);
    f.gateway = false;
    f.heard_at_s = CUT - 3600;
    judged(f, &r);
    assert_int_equal(r, SHEET_NO_READING);
    f.waits = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_WAITING);
    f.any_remote = true;
    judged(f, &r);
    assert_int_equal(r, SHEET_SUSPECT);
    f.now_s = CUT - 1;
    assert_int_equal(judged(f, &r), SHEET_MISSING);
    assert_int_equal(r, SHEET_NOT_YET);
}

static void what_is_there_is_odd_for_the_gravest_reason(void **state)
{
    struct sheet_facts f = { .now_s = CUT + 3600, .fitted = true, .ever_fitted = true };
    enum sheet_reason r;

    (void)state;
    f.manual.known = true;
    f.heard_at_s = 1;
    assert_int_equal(judged(f, &r), SHEET_OK); /* by hand, for it is silent */
    assert_int_equal(r, SHEET_SILENT);
    f.remote.known = true;
    assert_int_equal(judged(f, &r), SHEET_OK);
    assert_int_equal(r, SHEET_NONE);
    f.checks = 1u << CHECK_HIGH;
    assert_int_equal(judged(f, &r), SHEET_ODD);
    assert_int_equal(r, SHEET_HIGH);
    f.checks |= 1u << CHECK_NEGATIVE;
    judged(f, &r);
    assert_int_equal(r, SHEET_NEGATIVE);
    f.manual.rule = RULE_FALL;
    judged(f, &r);
    assert_int_equal(r, SHEET_DIAL_SUSPECT);
    f.off_known = true;
    f.off_ml = -M3;
    f.tolerance_ml = M3;
    judged(f, &r);
    assert_int_equal(r, SHEET_DIAL_SUSPECT); /* within it */
    f.off_ml--;
    judged(f, &r);
    assert_int_equal(r, SHEET_OUT_OF_STEP);
}

static void every_reason_has_its_words(void **state)
{
    (void)state;
    assert_null(sheet_reason_name(SHEET_NONE));
    for (int r = SHEET_NONE + 1; r < SHEET_REASONS; r++) {
        assert_non_null(sheet_reason_name((enum sheet_reason)r));
        assert_non_null(sheet_reason_en((enum sheet_reason)r));
        assert_true(text_is_utf8(span_text(sheet_reason_zh((enum sheet_reason)r))));
    }
}

/* ---- reads by hand ---- */

static void a_wrong_unit_is_told_from_a_wrong_number(void **state)
{
    struct row last = row_at(CUT - 30 * DAY, 123456000, SOURCE_REMOTE); /* 123 456 L */

    (void)state;
#define JUDGED(pace, ml) read_judge(&meter, &last, NULL, pace, CUT, ml)
    assert_int_equal(JUDGED(300000, 132000000), READ_PLAUSIBLE);
    assert_int_equal(JUDGED(300000, 132000), READ_UNIT);     /* 132 m3 told as litres */
    assert_int_equal(JUDGED(300000, 123 * 1000), READ_UNIT); /* whole m3, below the last litre */
    assert_int_equal(JUDGED(300000, 50 * M3), READ_FAR);
    assert_int_equal(JUDGED(300000, 200 * M3), READ_FAR); /* 77 m3 in 30 days at 0.3 a day */
    assert_int_equal(JUDGED(900000, 200 * M3), READ_PLAUSIBLE);
    assert_int_equal(JUDGED(-1, 200 * M3), READ_PLAUSIBLE);   /* its pace is not known */
    assert_int_equal(JUDGED(-1, 3000ll * M3), READ_FAR);      /* more than the meter lets through */
    assert_int_equal(JUDGED(300000, 10000ll * M3), READ_FAR); /* no dial shows it */
#undef JUDGED
}

static void a_later_read_bounds_an_earlier(void **state)
{
    struct row last = row_at(CUT - DAY, 10 * M3, SOURCE_REMOTE);
    struct row next = row_at(CUT + DAY, 12 * M3, SOURCE_REMOTE);

    (void)state;
    assert_int_equal(read_judge(&meter, &last, &next, -1, CUT, 11 * M3), READ_PLAUSIBLE);
    assert_int_equal(read_judge(&meter, &last, &next, -1, CUT, 14 * M3), READ_FAR);
    assert_int_equal(read_judge(&meter, &last, NULL, -1, CUT, 14 * M3), READ_PLAUSIBLE);
}

static void samples_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(recheck_count(RECHECK_TEAM, 0), 0);
    assert_int_equal(recheck_count(RECHECK_TEAM, 1), 1);
    assert_int_equal(recheck_count(RECHECK_TEAM, 100), 5);
    assert_int_equal(recheck_count(RECHECK_BRANCH, 101), 3);
    assert_int_equal(recheck_count(RECHECK_COMPANY, 500), 3);
}

static void a_second_read_agrees_with_what_can_have_flowed(void **state)
{
    struct sheet_read read = { .known = true, .at_s = CUT, .dial_ml = 100 * M3 };

    (void)state;
#define AGREES(use, ml) recheck_agrees(&meter, &read, use, DAY, CUT + 2 * DAY, ml)
    assert_true(AGREES(200000, 100 * M3) && AGREES(200000, 100 * M3 - 1000));
    assert_false(AGREES(200000, 100 * M3 - 1001));
    assert_true(AGREES(200000, 102 * M3)); /* 0.7 m3 a day, and 1 m3 */
    assert_false(AGREES(200000, 103 * M3));
    assert_true(AGREES(-1, 150 * M3));
    assert_false(AGREES(-1, 300 * M3));
    assert_false(AGREES(200000, -1));
#undef AGREES
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_what_their_words_say),
        cmocka_unit_test(a_day_that_a_month_lacks_is_its_last),
        cmocka_unit_test(strange_days_are_refused),
        cmocka_unit_test(the_day_before_is_the_latest_of_the_routes),
        cmocka_unit_test(the_meter_is_the_one_at_the_cut_off),
        cmocka_unit_test(the_nearest_by_radio_and_the_last_by_hand_count),
        cmocka_unit_test(the_dial_is_held_against_the_reads_on_both_sides),
        cmocka_unit_test(a_dial_past_zero_is_near_its_transmitter),
        cmocka_unit_test(the_tolerance_is_a_cubic_metre_or_a_hundredth),
        cmocka_unit_test(what_is_missing_has_its_probable_cause),
        cmocka_unit_test(what_is_there_is_odd_for_the_gravest_reason),
        cmocka_unit_test(every_reason_has_its_words),
        cmocka_unit_test(a_wrong_unit_is_told_from_a_wrong_number),
        cmocka_unit_test(a_later_read_bounds_an_earlier),
        cmocka_unit_test(samples_are_rounded_up),
        cmocka_unit_test(a_second_read_agrees_with_what_can_have_flowed),
    };

    day = sheet_day_of(CUT, CUT + DAY);
    return check_run(tests, argc, argv);
}
