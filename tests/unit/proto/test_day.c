#include "proto/base/text.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t utc(const char *text)
{
    int64_t at_s = -1;

    assert_ok(text_time(span_text(text), NULL, &at_s));
    return at_s;
}

/* The system's own zone file, or a skipped test where it has none. */
static void zone_load(struct zone *z, const char *name)
{
    char path[128];
    struct span file;

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    if (access(path, R_OK)) {
        print_message("%s is absent: the test is skipped\n", path);
        skip();
    }
    file = check_read(path);
    assert_ok(zone_read(z, name, file));
    free((void *)file.at);
}

static void local_is(const struct zone *z, const char *local, const char *expected)
{
    int64_t at_s = -1;
    enum err err = text_time(span_text(local), z, &at_s);
    char text[TEXT_TIME_SIZE];

    if (!expected) {
        assert_err(ERR_NOT_FOUND, err);
        return;
    }
    assert_ok(err);
    text_put_time(text, at_s);
    assert_string_equal(text, expected);
}

#define assert_instant(given, expected)                                                            \
    do {                                                                                           \
        char text_[TEXT_TIME_SIZE];                                                                \
        text_put_time(text_, given);                                                               \
        assert_string_equal(text_, expected);                                                      \
    } while (0)

/* ---- the calendar --------------------------------------------------------------------------- */

static void days_are_numbered_without_a_gap(void **state)
{
    struct civil c = { 1, 1, 1, 0, 0, 0 };
    int64_t day = day_number(1, 1, 1);

    (void)state;
    assert_int_equal(day_number(1970, 1, 1), 0);
    assert_int_equal(day_number(2000, 3, 1), 11017);
    for (; c.year < 2500; day++) {
        struct civil back = day_civil(day * 86400 + 86399);

        assert_int_equal(day_number(c.year, c.month, c.day), day);
        assert_int_equal(back.year, c.year);
        assert_int_equal(back.month, c.month);
        assert_int_equal(back.day, c.day);
        assert_int_equal(back.hour * 3600 + back.minute * 60 + back.second, 86399);
        if (c.day++ < day_month_length(c.year, c.month))
            continue;
        c.day = 1;
        if (c.month++ < 12)
            continue;
        c.month = 1;
        c.year++;
    }
}

static void the_week_begins_on_monday(void **state)
{
    (void)state;
    assert_int_equal(day_of_week(day_number(2026, 11, 26)), 3);
    assert_int_equal(day_of_week(0), 3);
    assert_int_equal(day_of_week(-1), 2);
    assert_int_equal(day_of_week(-3), 0);
    assert_int_equal(day_of_week(-4), 6);
}

static void a_day_that_never_was_is_not_valid(void **state)
{
    (void)state;
    assert_true(day_valid((struct civil){ 2024, 2, 29, 23, 59, 59 }));
    assert_false(day_valid((struct civil){ 2023, 2, 29, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2100, 2, 29, 0, 0, 0 }));
    assert_true(day_valid((struct civil){ 2000, 2, 29, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 0, 1, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 13, 1, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 4, 31, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 4, 0, 0, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 4, 1, 24, 0, 0 }));
    assert_false(day_valid((struct civil){ 2023, 4, 1, 0, 60, 0 }));
    assert_false(day_valid((struct civil){ 2023, 4, 1, 0, 0, 60 }));
}

/* ---- zones ---------------------------------------------------------------------------------- */

static struct zone z; /* large; tests run one after the other */

static void a_repeated_hour_is_the_earlier_one(void **state)
{
    (void)state;
    zone_load(&z, "Europe/Madrid");
    local_is(&z, "2016-10-30 01:59:59", "2016-10-29T23:59:59Z");
    local_is(&z, "2016-10-30 02:00", "2016-10-30T00:00:00Z");
    local_is(&z, "2016-10-30 02:59:59", "2016-10-30T00:59:59Z");
    local_is(&z, "2016-10-30 03:00", "2016-10-30T02:00:00Z");
    local_is(&z, "2016-10-30T02:30:00+01:00", "2016-10-30T01:30:00Z");
}

static void a_missing_hour_never_occurs(void **state)
{
    (void)state;
    zone_load(&z, "Europe/Madrid");
    local_is(&z, "2016-03-27 01:59:59", "2016-03-27T00:59:59Z");
    local_is(&z, "2016-03-27 02:00", NULL);
    local_is(&z, "2016-03-27 02:59:59", NULL);
    local_is(&z, "2016-03-27 03:00", "2016-03-27T01:00:00Z");
    local_is(&z, "2016-03-27", "2016-03-26T23:00:00Z");
}

static void shanghai_had_summer_time_from_1986_to_1991(void **state)
{
    (void)state;
    zone_load(&z, "Asia/Shanghai");
    assert_int_equal(zone_offset(&z, utc("1985-07-01T00:00:00Z")), 8 * 3600);
    assert_int_equal(zone_offset(&z, utc("1986-05-03T17:59:59Z")), 8 * 3600);
    assert_int_equal(zone_offset(&z, utc("1986-05-03T18:00:00Z")), 9 * 3600);
    assert_int_equal(zone_offset(&z, utc("1991-07-01T00:00:00Z")), 9 * 3600);
    assert_int_equal(zone_offset(&z, utc("1992-07-01T00:00:00Z")), 8 * 3600);
    assert_int_equal(zone_offset(&z, utc("2100-07-01T00:00:00Z")), 8 * 3600);
    local_is(&z, "1986-05-04 02:30", NULL);
    local_is(&z, "2026-03-01", "2026-02-28T16:00:00Z");
}

static void a_day_may_begin_at_one_in_the_morning(void **state)
{
    (void)state;
    zone_load(&z, "America/Sao_Paulo");
    /* 2016-10-16 began at 01:00; on 2016-02-20 the hour before midnight came twice. */
    local_is(&z, "2016-10-16", NULL);
    assert_instant(zone_day_start(&z, utc("2016-10-16T12:00:00Z")), "2016-10-16T03:00:00Z");
    assert_instant(zone_day_next(&z, utc("2016-10-15T12:00:00Z")), "2016-10-16T03:00:00Z");
    assert_instant(zone_day_next(&z, utc("2016-02-20T12:00:00Z")), "2016-02-21T03:00:00Z");
    assert_instant(zone_day_start(&z, utc("2016-02-21T02:30:00Z")), "2016-02-20T02:00:00Z");
}

static void the_footer_rules_beyond_the_last_step(void **state)
{
    (void)state;
    zone_load(&z, "Europe/Madrid");
    assert_int_equal(zone_offset(&z, utc("2200-03-30T00:59:59Z")), 3600);
    assert_int_equal(zone_offset(&z, utc("2200-03-30T01:00:00Z")), 7200);
    assert_int_equal(zone_offset(&z, utc("2200-10-26T00:59:59Z")), 7200);
    assert_int_equal(zone_offset(&z, utc("2200-10-26T01:00:00Z")), 3600);
    local_is(&z, "2200-03-30 02:30", NULL);
    local_is(&z, "2200-10-26 02:30", "2200-10-26T00:30:00Z");
}

static void days_of_23_and_25_hours_are_whole_days(void **state)
{
    int64_t start_s, next_s;

    (void)state;
    zone_load(&z, "Europe/Madrid");
    assert_int_equal(zone_day_next(&z, utc("2016-03-27T12:00:00Z")) -
                         zone_day_start(&z, utc("2016-03-27T12:00:00Z")),
                     23 * 3600);
    assert_int_equal(zone_day_next(&z, utc("2016-10-30T12:00:00Z")) -
                         zone_day_start(&z, utc("2016-10-30T12:00:00Z")),
                     25 * 3600);
    assert_instant(zone_month_start(&z, utc("2016-10-31T22:59:59Z")), "2016-09-30T22:00:00Z");
    assert_instant(zone_month_next(&z, utc("2016-10-31T22:59:59Z")), "2016-10-31T23:00:00Z");
    assert_instant(zone_month_next(&z, utc("2016-12-31T22:59:59Z")), "2016-12-31T23:00:00Z");
    assert_int_equal(zone_day_number(&z, utc("2016-10-30T23:00:00Z")), day_number(2016, 10, 31));
    assert_int_equal(zone_day(&z, utc("2016-10-30T12:00:00Z"), &start_s, &next_s),
                     day_number(2016, 10, 30));
    assert_instant(start_s, "2016-10-29T22:00:00Z");
    assert_instant(next_s, "2016-10-30T23:00:00Z");
}

static void both_passes_of_a_repeated_hour_are_hours(void **state)
{
    (void)state;
    zone_load(&z, "Europe/Madrid");
    assert_instant(zone_hour_next(&z, utc("2016-10-30T00:30:00Z")), "2016-10-30T01:00:00Z");
    assert_instant(zone_hour_next(&z, utc("2016-10-30T01:00:00Z")), "2016-10-30T02:00:00Z");
    assert_instant(zone_hour_next(&z, utc("2016-03-27T00:30:00Z")), "2016-03-27T01:00:00Z");
}

/* The C library reads the same files by its own code. */
static void offsets_are_those_of_the_c_library(void **state)
{
    static const char *const names[] = { "Europe/Madrid",       "Asia/Shanghai",
                                         "America/Sao_Paulo",   "Europe/Dublin",
                                         "Australia/Lord_Howe", "America/St_Johns",
                                         "Pacific/Apia",        "Africa/Casablanca",
                                         "Asia/Kathmandu" };
    struct check_random random = check_random_begin();

    (void)state;
    for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++) {
        zone_load(&z, names[n]);
        setenv("TZ", names[n], 1);
        tzset();
        for (int i = 0; i < 4000; i++) {
            time_t t =
                check_between(&random, utc("1890-01-01T00:00:00Z"), utc("2300-01-01T00:00:00Z"));
            struct tm tm;

            localtime_r(&t, &tm);
            assert_int_equal(zone_offset(&z, t), tm.tm_gmtoff);
        }
    }
}

/* A walk through every change of the clock: periods begin where the one before ends, and civil
 * times are inverted. */
static void periods_follow_one_another_through_every_change(void **state)
{
    static const char *const names[] = { "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe",
                                         "America/Sao_Paulo" };
    int64_t end_s = utc("2060-01-01T00:00:00Z");

    (void)state;
    for (size_t n = 0; n < 4; n++) {
        zone_load(&z, names[n]);
        for (int64_t t = zone_day_start(&z, utc("1900-01-01T00:00:00Z")), next; t < end_s;
             t = next) {
            next = zone_day_next(&z, t);
            assert_true(next > t && next - t <= 49 * 3600);
            assert_int_equal(zone_day_start(&z, t), t);
            assert_int_equal(zone_day_start(&z, next - 1), t);
            assert_int_equal(zone_day_next(&z, next - 1), next);
        }
        for (uint32_t i = 0; i < z.count; i++) {
            for (int64_t t = z.steps[i].from_s - 7200; t <= z.steps[i].from_s + 7200; t += 600) {
                int64_t back = 0, hour = zone_hour_next(&z, t);

                assert_true(hour > t && hour - t <= 2 * 3600);
                assert_ok(zone_utc(&z, zone_civil(&z, t), &back));
                assert_true(back <= t);
                assert_int_equal(day_utc(zone_civil(&z, back)), day_utc(zone_civil(&z, t)));
            }
        }
    }
}

static void a_zone_file_cut_short_is_refused(void **state)
{
    struct span file;

    (void)state;
    zone_load(&z, "Europe/Madrid");
    file = check_read("/usr/share/zoneinfo/Europe/Madrid");
    for (size_t len = 0; len < file.len; len++) {
        struct span part = check_guarded(span_of(file.at, len));
        enum err err = zone_read(&z, "cut", part);

        if (err != ERR_TRUNCATED && err != ERR_MALFORMED)
            fail_msg("%zu bytes: %s", len, err_name(err));
        check_unguard(part.at, part.len);
    }
    free((void *)file.at);
}

/* A file with one type and the given footer. */
static enum err zone_of_footer(const char *footer)
{
    uint8_t buffer[256];
    struct wr w = wr_of(buffer, sizeof(buffer));

    for (int block = 0; block < 2; block++) {
        wr_text(&w, "TZif2");
        for (int i = 0; i < 15; i++)
            wr_u8(&w, 0);
        for (int i = 0; i < 4; i++)
            wr_be32(&w, 0);
        wr_be32(&w, 1);
        wr_be32(&w, 4);
        wr_bytes(&w, span_of("\0\0\0\0\0\0UTC", 10));
    }
    wr_text(&w, "\n");
    wr_text(&w, footer);
    wr_text(&w, "\n");
    return zone_read(&z, "made", wr_span(&w));
}

static void footers_of_every_form_are_read(void **state)
{
    (void)state;
    assert_ok(zone_of_footer("<-03>3"));
    assert_int_equal(zone_offset(&z, 0), -3 * 3600);
    assert_ok(zone_of_footer("<+0545>-5:45"));
    assert_int_equal(zone_offset(&z, 0), 5 * 3600 + 45 * 60);
    assert_ok(zone_of_footer("IST-1GMT0,M10.5.0,M3.5.0/1")); /* "summer" is the winter in Dublin */
    assert_int_equal(zone_offset(&z, utc("2030-07-01T00:00:00Z")), 3600);
    assert_int_equal(zone_offset(&z, utc("2030-01-01T00:00:00Z")), 0);
    assert_ok(zone_of_footer("EST5EDT,0/0,J365/25")); /* RFC 8536 §3.3.1: summer all the year */
    assert_int_equal(zone_offset(&z, utc("2030-01-01T05:00:00Z")), -4 * 3600);
    assert_int_equal(zone_offset(&z, utc("2030-12-31T23:59:59Z")), -4 * 3600);
    assert_ok(
        zone_of_footer("AAA0BBB,J60/-1,J61")); /* J60 is the first of March, leap year or not */
    assert_int_equal(zone_offset(&z, utc("2024-02-29T22:59:59Z")), 0);
    assert_int_equal(zone_offset(&z, utc("2024-02-29T23:00:00Z")), 3600);
    assert_int_equal(zone_offset(&z, utc("2023-02-28T23:00:00Z")), 3600);
    assert_ok(zone_of_footer(""));
    assert_int_equal(zone_offset(&z, 0), 0);
}

static void footers_that_mean_nothing_are_refused(void **state)
{
    static const char *const footers[] = { "A0",
                                           "AAA",
                                           "AAA25",
                                           "<AA>0",
                                           "AAA0BBB",
                                           "AAA0BBB,M1.1",
                                           "AAA0BBB,M13.1.0,J1",
                                           "AAA0BBB,J0,J1",
                                           "AAA0BBB,J1,J2x",
                                           "AAA0BBB,J1/168,J2",
                                           "<AAA0",
                                           "AAA0BBB,366,J1" };

    (void)state;
    for (size_t i = 0; i < sizeof(footers) / sizeof(*footers); i++)
        assert_err(ERR_MALFORMED, zone_of_footer(footers[i]));
}

/* Two hours on at noon, one back half an hour later: 13:30 was passed over at first, and shown after all. */
static void a_time_passed_over_may_be_shown_after_all(void **state)
{
    (void)state;
    zone_fixed(&z, "odd", 0);
    z.steps[0] = (struct zone_step){ utc("2026-05-01T12:00:00Z"), 7200 };
    z.steps[1] = (struct zone_step){ utc("2026-05-01T12:30:00Z"), 3600 };
    z.count = 2;
    z.rule.standard_s = z.rule.summer_s = 3600;
    local_is(&z, "2026-05-01 11:59", "2026-05-01T11:59:00Z");
    local_is(&z, "2026-05-01 12:30", NULL);
    local_is(&z, "2026-05-01 14:10", "2026-05-01T12:10:00Z");
    local_is(&z, "2026-05-01 13:40", "2026-05-01T12:40:00Z");
}

static void a_fixed_zone_needs_no_file(void **state)
{
    (void)state;
    zone_fixed(&z, "Etc/UTC", 0);
    local_is(&z, "2026-11-26", "2026-11-26T00:00:00Z");
    zone_fixed(&z, "+08", 8 * 3600);
    local_is(&z, "2026-11-26 08:00", "2026-11-26T00:00:00Z");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_numbered_without_a_gap),
        cmocka_unit_test(the_week_begins_on_monday),
        cmocka_unit_test(a_day_that_never_was_is_not_valid),
        cmocka_unit_test(a_repeated_hour_is_the_earlier_one),
        cmocka_unit_test(a_missing_hour_never_occurs),
        cmocka_unit_test(shanghai_had_summer_time_from_1986_to_1991),
        cmocka_unit_test(a_day_may_begin_at_one_in_the_morning),
        cmocka_unit_test(the_footer_rules_beyond_the_last_step),
        cmocka_unit_test(days_of_23_and_25_hours_are_whole_days),
        cmocka_unit_test(both_passes_of_a_repeated_hour_are_hours),
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(periods_follow_one_another_through_every_change),
        cmocka_unit_test(a_zone_file_cut_short_is_refused),
        cmocka_unit_test(footers_of_every_form_are_read),
        cmocka_unit_test(footers_that_mean_nothing_are_refused),
        cmocka_unit_test(a_time_passed_over_may_be_shown_after_all),
        cmocka_unit_test(a_fixed_zone_needs_no_file),
    };

    return check_run(tests, argc, argv);
}
