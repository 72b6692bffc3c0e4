#include "proto/base/hex.h"
#include "proto/base/text.h"
#include "proto/oms_date.h"
#include "tests/check.h"

#include <string.h>

static struct zone china, europe, brazil;

static int zones(void **state)
{
    (void)state;
    zone_fixed(&china, "UTC+8", 8 * 3600);
    europe = (struct zone){
        .name = "Europe",
        .first_offset_s = 3600,
        .rule = { .standard_s = 3600,
                  .summer_s = 7200,
                  .begin = { .month = 3, .week = 5, .weekday = 0, .at_s = 7200 },
                  .end = { .month = 10, .week = 5, .weekday = 0, .at_s = 10800 } },
    };
    brazil = (struct zone){
        .name = "Brazil, where midnight itself was skipped",
        .first_offset_s = -3 * 3600,
        .rule = { .standard_s = -3 * 3600,
                  .summer_s = -2 * 3600,
                  .begin = { .month = 10, .week = 3, .weekday = 0, .at_s = 0 },
                  .end = { .month = 2, .week = 3, .weekday = 0, .at_s = 0 } },
    };
    return 0;
}

static enum err read_hex(const char *hex, struct oms_date *out)
{
    uint8_t bytes[16];
    size_t len = 0;
    struct span guarded;
    enum err err;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    guarded = check_guarded(span_of(bytes, len));
    err = oms_date_read(guarded, out);
    check_unguard(guarded.at, guarded.len);
    return err;
}

#define assert_date(hex, expected)                                                                 \
    do {                                                                                           \
        struct oms_date date_;                                                                     \
        char text_[OMS_DATE_SIZE];                                                                 \
        assert_ok(read_hex(hex, &date_));                                                          \
        oms_date_put(text_, &date_);                                                               \
        assert_string_equal(text_, expected);                                                      \
    } while (0)

#define assert_utc(hex, zone, expected)                                                            \
    do {                                                                                           \
        struct oms_date date_;                                                                     \
        char text_[TEXT_TIME_SIZE];                                                                \
        int64_t utc_s_;                                                                            \
        assert_ok(read_hex(hex, &date_));                                                          \
        assert_ok(oms_date_utc(&date_, zone, &utc_s_));                                            \
        text_put_time(text_, utc_s_);                                                              \
        assert_string_equal(text_, expected);                                                      \
    } while (0)

static void each_type_is_known_by_its_length(void **state)
{
    (void)state;
    assert_date("9f2c", "2020-12-31");                  /* G */
    assert_date("24134d36", "2026-06-13 19:36");        /* F; handbook §3.5 */
    assert_date("2c1aa1d52100", "2022-01-21 01:26:44"); /* I, with a day of the week */
    assert_date("051713", "19:23:05");                  /* J */
}

static void dates_that_are_none_are_told_so(void **state)
{
    static const char *const none[] = {
        "ffff",                         /* all ones */
        "0000",                         /* day 0, month 0 */
        "df20",                         /* month 0 */
        "9f2d",                         /* month 13 */
        "9e22",                         /* 30 February */
        "dd22",                         /* 29 February 2022 */
        "9dfc",                         /* year 124 */
        "a4134d36",                     /* minute's bit 7: invalid */
        "3f134d36",                     /* every minute */
        "241f4d36",                     /* every hour */
        "24184d36",                     /* hour 24 */
        "00000000",     "2c9aa1d52100", /* invalid */
        "3c1aa1d52100",                 /* second 60 */
        "3f3f1f",                       /* every second */
    };
    struct oms_date d = { .civil = { .year = 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (read_hex(none[i], &d) != ERR_NOT_FOUND)
            fail_msg("%s is a date", none[i]);
    assert_int_equal(d.civil.year, 1); /* outputs change only on success */
    assert_err(ERR_UNSUPPORTED, read_hex("", &d));
    assert_err(ERR_UNSUPPORTED, read_hex("9f", &d));
    assert_err(ERR_UNSUPPORTED, read_hex("9f2c000000", &d));
}

static void hundreds_of_years_are_counted_from_1900(void **state)
{
    (void)state;
    assert_date("1d02", "2000-02-29");            /* no bits: 20yy */
    assert_date("7fcc", "2099-12-31");            /* the older reading of 81 to 99 is not ours */
    assert_date("0020 1d02", "2000-02-29 00:00"); /* one hundred after 1900 */
    assert_date("0040 1d04", "2100-04-29 00:00"); /* two */
    assert_date("0060 1d04", "2200-04-29 00:00"); /* three */
}

static void a_day_stands_for_its_end(void **state)
{
    (void)state;
    assert_utc("9f2c", &china, "2020-12-31T16:00:00Z");
    assert_utc("dd23", &europe, "2022-03-29T22:00:00Z");
    /* The night in which the clock is set on or back ends at midnight all the same. */
    assert_utc("da23", &europe, "2022-03-26T23:00:00Z");
    assert_utc("db23", &europe, "2022-03-27T22:00:00Z");
    assert_utc("de2a", &europe, "2022-10-30T23:00:00Z");
    assert_utc("cf2a", &brazil, "2022-10-16T03:00:00Z"); /* 00:00 does not exist: 01:00 does */
    assert_utc("d02a", &brazil, "2022-10-17T02:00:00Z");
}

static void clocks_run_on_standard_time_but_where_they_say_summer(void **state)
{
    (void)state;
    assert_utc("24134d36", &china, "2026-06-13T11:36:00Z");
    assert_utc("24134d36", &europe, "2026-06-13T18:36:00Z");
    assert_utc("24934d36", &europe, "2026-06-13T17:36:00Z");
    assert_utc("2413 4d31", &europe, "2026-01-13T18:36:00Z");
    assert_utc("24934d36", &china, "2026-06-13T10:36:00Z"); /* a zone without it: an hour ahead */
    assert_utc("2c1aa1d52100", &china, "2022-01-20T17:26:44Z");
    assert_utc("6c1aa1d52600", &europe, "2022-06-20T23:26:44Z");
    /* The hour that comes twice is told apart by the bit. */
    assert_utc("1e82de2a", &europe, "2022-10-30T00:30:00Z");
    assert_utc("1e02de2a", &europe, "2022-10-30T01:30:00Z");
}

static void a_time_of_day_is_no_instant(void **state)
{
    struct oms_date d;
    int64_t utc_s = 7;

    (void)state;
    assert_ok(read_hex("051713", &d));
    assert_err(ERR_NOT_FOUND, oms_date_utc(&d, &china, &utc_s));
    assert_int_equal(utc_s, 7);
}

static void last_days_of_months_lead_to_last_days(void **state)
{
    static const struct {
        const char *from;
        int months;
        const char *to;
    } cases[] = {
        { "9f2c", -1, "2020-11-30" }, { "9f2c", 2, "2021-02-28" },   { "9d22", 1, "2020-03-31" },
        { "9e24", 1, "2020-05-31" },  { "9e21", 1, "2020-02-29" },   { "8f26", 18, "2021-12-15" },
        { "8121", -1, "2019-12-01" }, { "8121", -12, "2019-01-01" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[OMS_DATE_SIZE];
        struct oms_date d;

        assert_ok(read_hex(cases[i].from, &d));
        d = oms_date_months(d, cases[i].months);
        oms_date_put(text, &d);
        assert_string_equal(text, cases[i].to);
    }
}

/* Whatever two, three, four or six bytes: a date that exists, or none. */
static void random_bytes_are_a_date_or_none(void **state)
{
    struct check_random r = check_random_begin();
    static const size_t lengths[4] = { 2, 3, 4, 6 };

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t bytes[6];
        struct oms_date d;
        int64_t utc_s;

        check_fill(&r, bytes, sizeof bytes);
        if (oms_date_read(span_of(bytes, lengths[i % 4]), &d))
            continue;
        assert_true(d.precision == OMS_TIME_OF_DAY || day_valid(d.civil));
        assert_true(oms_date_utc(&d, &europe, &utc_s) == ERR_OK || d.precision == OMS_TIME_OF_DAY);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_type_is_known_by_its_length, zones),
        cmocka_unit_test_setup(dates_that_are_none_are_told_so, zones),
        cmocka_unit_test_setup(hundreds_of_years_are_counted_from_1900, zones),
        cmocka_unit_test_setup(a_day_stands_for_its_end, zones),
        cmocka_unit_test_setup(clocks_run_on_standard_time_but_where_they_say_summer, zones),
        cmocka_unit_test_setup(a_time_of_day_is_no_instant, zones),
        cmocka_unit_test_setup(last_days_of_months_lead_to_last_days, zones),
        cmocka_unit_test_setup(random_bytes_are_a_date_or_none, zones),
    };

    return check_run(tests, argc, argv);
}
