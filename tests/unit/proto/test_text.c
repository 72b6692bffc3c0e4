#include "proto/base/text.h"
#include "tests/check.h"

static enum err time_of(const char *text, const struct zone *local, int64_t *out)
{
    struct span guarded = check_guarded(span_text(text));
    enum err err = text_time(guarded, local, out);

    check_unguard(guarded.at, guarded.len);
    return err;
}

static void a_time_with_its_offset_is_an_instant(void **state)
{
    static const struct {
        const char *text;
        int64_t at_s;
    } times[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-03-01T02:00:00+08:00", 1772301600 },
        { "2026-02-28T18:00:00Z", 1772301600 },
        { "2026-02-28 18:00:00z", 1772301600 },
        { "2026-02-28t18:00:00.999999999Z", 1772301600 },
        { "2026-02-28T12:30:00-05:30", 1772301600 },
        { "0000-01-01T00:00:00Z", -62167219200 },
        { "9999-12-31T23:59:59Z", 253402300799 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        int64_t at_s = -1;

        assert_ok(time_of(times[i].text, NULL, &at_s));
        assert_int_equal(at_s, times[i].at_s);
    }
}

static void a_text_that_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T02:00:00",
        "2026-03-01T02:00Z",
        "2026-03-01T02:00:00+0800",
        "2026-03-01T02:00:00Z ",
        " 2026-03-01T02:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T02:60:00Z",
        "2026-03-01T02:00:60Z",
        "2026-03-01T02:00:00.Z",
        "2026-03-01T02:00:00+24:00",
        "2026-03-01T02:00:00+08:60",
        "26-03-01T02:00:00Z",
        "2026-3-1T02:00:00Z",
        "2026-03-01X02:00:00Z",
        "+026-03-01T02:00:00Z",
        "2026-03-01T02:00:00",
    };
    int64_t at_s = -1;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_err(ERR_MALFORMED, time_of(texts[i], NULL, &at_s));
    assert_int_equal(at_s, -1);
}

static void local_times_may_be_short(void **state)
{
    static const char *const texts[] = { "2026-03-01",           "2026-03-01 00:00",
                                         "2026-03-01T00:00:00",  "2026-03-01 00:00:00.5",
                                         "2026-02-28T16:00:00Z", "2026-03-01 00:00+08:00" };
    static const char *const bad[] = { "2026-03-01 ", "2026-03-01 00",     "2026-03-01 00:",
                                       "2026-03-01Z", "2026-03-01 00:00:", "2026-03-32" };
    static struct zone z;
    int64_t at_s = -1;

    (void)state;
    zone_fixed(&z, "+08", 8 * 3600);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        assert_ok(time_of(texts[i], &z, &at_s));
        assert_int_equal(at_s, 1772294400);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_err(ERR_MALFORMED, time_of(bad[i], &z, &at_s));
}

static void times_and_dates_come_back(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t at_s = check_between(&random, -62167219200, 253402300799), again = 0, day = 0;
        char text[TEXT_TIME_SIZE], date[11];

        text_put_time(text, at_s);
        assert_int_equal(strlen(text), TEXT_TIME_SIZE - 1);
        assert_ok(text_time(span_text(text), NULL, &again));
        assert_int_equal(again, at_s);
        day = at_s / 86400;
        text_put_date(date, day);
        assert_ok(text_date(span_text(date), &again));
        assert_int_equal(again, day);
    }
    assert_err(ERR_MALFORMED, text_date(span_text("2026-03-01T"), &(int64_t){ 0 }));
    assert_err(ERR_MALFORMED, text_date(span_text("2026-03-1"), &(int64_t){ 0 }));
}

static void litres_are_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t ml;
    } litres[] = {
        { "0", 0 },
        { "-0", 0 },
        { "12", 12000 },
        { "-0.5", -500 },
        { "1249.350", 1249350 },
        { "1249.3500000000000000000000", 1249350 },
        { "0.001", 1 },
        { "007", 7000 },
        { "9223372036854775.807", INT64_MAX },
        { "-9223372036854775.808", INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(litres) / sizeof(*litres); i++) {
        int64_t ml = -1;

        assert_ok(text_litres(span_text(litres[i].text), &ml));
        assert_int_equal(ml, litres[i].ml);
    }
}

static void what_is_no_number_of_litres_is_refused(void **state)
{
    static const char *const malformed[] = { "",    "-",  ".",  ".5",  "5.",    "+5",  "1e3",
                                             "1,5", " 1", "1 ", "0x1", "1.2.3", "--1", "nan" };
    static const char *const range[] = {
        "9223372036854775.808",       "-9223372036854775.809", "0.0001", "1.2340001",
        "99999999999999999999999999", "92233720368547758080"
    };
    int64_t ml = -1;

    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
        assert_err(ERR_MALFORMED, text_litres(span_text(malformed[i]), &ml));
    for (size_t i = 0; i < sizeof(range) / sizeof(*range); i++)
        assert_err(ERR_RANGE, text_litres(span_text(range[i]), &ml));
    assert_int_equal(ml, -1);
}

static void litres_come_back_shortest(void **state)
{
    static const struct {
        int64_t ml;
        const char *text;
    } litres[] = { { 0, "0" },
                   { -1, "-0.001" },
                   { 500, "0.5" },
                   { 1249350, "1249.35" },
                   { 10000, "10" },
                   { INT64_MAX, "9223372036854775.807" },
                   { INT64_MIN, "-9223372036854775.808" } };
    struct check_random random = check_random_begin();
    char text[TEXT_LITRES_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(litres) / sizeof(*litres); i++) {
        assert_int_equal(text_put_litres(text, litres[i].ml), strlen(litres[i].text));
        assert_string_equal(text, litres[i].text);
    }
    for (int i = 0; i < 20000; i++) {
        int64_t ml = (int64_t)(check_random(&random) >> check_below(&random, 64)), again = 0;

        text_put_litres(text, ml);
        assert_ok(text_litres(span_text(text), &again));
        assert_int_equal(again, ml);
    }
}

static void whole_numbers_have_no_point(void **state)
{
    int64_t v = -1;

    (void)state;
    assert_ok(text_int(span_text("-9223372036854775808"), &v));
    assert_int_equal(v, INT64_MIN);
    assert_err(ERR_RANGE, text_int(span_text("9223372036854775808"), &v));
    assert_err(ERR_MALFORMED, text_int(span_text("1.0"), &v));
    assert_ok(text_decimal(span_text("2.5"), 3, &v));
    assert_int_equal(v, 2500);
    assert_ok(text_decimal(span_text("-116.3974512"), 7, &v));
    assert_int_equal(v, -1163974512);
}

static void serials_are_of_few_letters(void **state)
{
    (void)state;
    assert_true(text_is_serial(span_text("A")));
    assert_true(text_is_serial(span_text("az-AZ_09.:")));
    assert_true(text_is_serial(span_text("12345678901234567890123456789012")));
    assert_false(text_is_serial(span_text("123456789012345678901234567890123")));
    assert_false(text_is_serial(span_text("")));
    assert_false(text_is_serial(span_text("a b")));
    assert_false(text_is_serial(span_text("a/b")));
    assert_false(text_is_serial(span_text("\xe8\xa1\xa8")));
    assert_false(text_is_serial(span_of("a\0", 2)));
}

static bool is_utf8(const char *bytes, size_t len)
{
    struct span guarded = check_guarded(span_of(bytes, len));
    bool is = text_is_utf8(guarded);

    check_unguard(guarded.at, guarded.len);
    return is;
}

static void text_is_well_formed_or_not(void **state)
{
    static const char *const good[] = { "",
                                        "water\t\n",
                                        "\xe6\xb0\xb4\xe8\xa1\xa8",
                                        "\xc2\xa0",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf" };
    static const char *const bad[] = { "\r",
                                       "\x7f",
                                       "\x1b",
                                       "\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xc2\x80",
                                       "\xc2\x9f",
                                       "\xc2",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xe6\xb0",
                                       "\xe6\xb0\x41",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xf0\x90\x80",
                                       "\xff" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(is_utf8(bad[i], strlen(bad[i])));
    assert_false(is_utf8("a\0b", 3));
}

static void what_a_path_may_not_have_is_escaped(void **state)
{
    static const char text[] = "AZaz09-._~ /?#%&=+:@[`{\0\x7f\x80\xe6\xb0\xb4\xff";
    static const char escaped[] =
        "AZaz09-._~%20%2F%3F%23%25%26%3D%2B%3A%40%5B%60%7B%00%7F%80%E6%B0%B4%FF";
    struct span guarded = check_guarded(span_of(text, sizeof text - 1));
    char out[3 * sizeof text];

    (void)state;
    assert_int_equal(text_put_escaped(out, guarded), sizeof escaped - 1);
    assert_memory_equal(out, escaped, sizeof escaped - 1);
    assert_int_equal(text_put_escaped(out, (struct span){ 0 }), 0);
    check_unguard(guarded.at, guarded.len);
}

static void what_is_cut_ends_within_its_room(void **state)
{
    char out[6] = "?????";

    (void)state;
    text_cut(out, sizeof out, span_text("12345"));
    assert_string_equal(out, "12345");
    text_cut(out, 4, span_text("678901"));
    assert_string_equal(out, "678");
    assert_int_equal(out[4], '5');
    text_cut(out, sizeof out, (struct span){ 0 });
    assert_string_equal(out, "");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_with_its_offset_is_an_instant),
        cmocka_unit_test(a_text_that_is_no_time_is_refused),
        cmocka_unit_test(local_times_may_be_short),
        cmocka_unit_test(times_and_dates_come_back),
        cmocka_unit_test(litres_are_exact),
        cmocka_unit_test(what_is_no_number_of_litres_is_refused),
        cmocka_unit_test(litres_come_back_shortest),
        cmocka_unit_test(whole_numbers_have_no_point),
        cmocka_unit_test(serials_are_of_few_letters),
        cmocka_unit_test(text_is_well_formed_or_not),
        cmocka_unit_test(what_a_path_may_not_have_is_escaped),
        cmocka_unit_test(what_is_cut_ends_within_its_room),
    };

    return check_run(tests, argc, argv);
}
