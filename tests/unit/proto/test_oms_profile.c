#include "proto/base/hex.h"
#include "proto/base/text.h"
#include "proto/oms_profile.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

static struct zone china;

static struct oms_value record_of(const char *hex)
{
    static uint8_t room[4][512];
    static unsigned turn;
    uint8_t *bytes = room[turn++ % 4];
    struct oms_value v;
    struct rd rd;
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), bytes, sizeof room[0], &len));
    rd = rd_of(span_of(bytes, len));
    assert_ok(oms_record_read(&rd, &v, NULL));
    return v;
}

/* The entries as "value value …", '-' for a hole, '!' for what cannot be told. */
static const char *walked(const char *profile, const char *base)
{
    static char text[512];
    struct oms_value v = record_of(profile), b;
    struct oms_profile p;
    struct oms_entry e;
    const char *why = "";
    size_t len = 0;

    assert_int_equal(v.kind, OMS_IS_PROFILE);
    if (base)
        b = record_of(base);
    if (oms_profile_open(&v, base ? &b : NULL, &p, &why))
        return why;
    text[0] = 0;
    while (oms_profile_next(&p, &e)) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", len ? " " : "");
        if (e.kind == OMS_IS_NUMBER)
            len += (size_t)snprintf(text + len, sizeof text - len, "%lld", (long long)e.number);
        else
            len += (size_t)snprintf(text + len, sizeof text - len, "%s",
                                    e.kind == OMS_IS_INVALID ? "-" : "!");
    }
    return text;
}

/* Base 100; entries 5, 3, 2. Control: mode, month, one byte each. */
static void each_mode_goes_each_way(void **state)
{
    static const char base[] = "8404 13 64000000";

    (void)state;
    assert_string_equal(walked("8d04 93 1f 05 31 fe 05 03 02", base), "5 3 2");
    assert_string_equal(walked("8d04 93 13 05 31 fe 05 03 02", base), "5 3 2");
    assert_string_equal(walked("8d04 93 1f 05 71 fe 05 03 02", base), "105 108 110");
    assert_string_equal(walked("8d04 93 13 05 71 fe 05 03 02", base), "95 92 90");
    assert_string_equal(walked("8d04 93 1f 05 b1 fe 05 03 02", base), "95 92 90");
    assert_string_equal(walked("8d04 93 13 05 b1 fe 05 03 02", base), "105 108 110");
    assert_string_equal(walked("8d04 93 1f 05 f1 fe 05 fd 02", base), "105 102 104");
    assert_string_equal(walked("8d04 93 13 05 f1 fe 05 fd 02", base), "95 98 96");
    assert_string_equal(walked("8d04 93 1e 05 71 fe 05 03 02", base), "105 108 110");
}

static void a_hole_is_a_hole_and_a_step_unknown_is_the_end(void **state)
{
    static const char base[] = "8404 13 64000000";

    (void)state;
    assert_string_equal(walked("8d04 93 13 05 31 fe 05 80 02", base), "5 - 2");
    assert_string_equal(walked("8d04 93 13 05 31 fe 05 ff 02", base), "5 -1 2");
    assert_string_equal(walked("8d04 93 13 05 71 fe 05 ff 02", base), "95");
    assert_string_equal(walked("8d04 93 13 05 71 fe 05 80 02", base), "95 -33 -35"); /* unsigned */
    assert_string_equal(walked("8d04 93 13 05 b1 fe 05 ff 02", base), "105");
    assert_string_equal(walked("8d04 93 13 05 f1 fe 05 80 02", base), "95");
    assert_string_equal(walked("8d04 93 13 05 f1 fe 05 ff 02", base), "95 96 94");
    /* The frame of the handbook: all invalid. */
    assert_string_equal(walked("8d04 93 13 0b 33 fe 000080 000080 000080", base), "- - -");
    assert_string_equal(walked("8d04 93 1f 08 3a fe 2143 ffff 65a7", base), "4321 - !");
}

static void steps_need_their_base(void **state)
{
    (void)state;
    assert_string_equal(walked("8d04 93 13 05 31 fe 05 03 02", NULL), "5 3 2");
    assert_string_equal(walked("8d04 93 13 05 71 fe 05 03 02", NULL), "! ! !");
}

static void a_rest_shorter_than_a_value_is_left(void **state)
{
    (void)state;
    assert_string_equal(walked("8d04 93 13 07 32 fe 0500 0300 02", NULL), "5 3");
    assert_string_equal(walked("8d04 93 13 02 32 fe", NULL), "");
}

static void steps_that_leave_the_range_end_it(void **state)
{
    (void)state;
    assert_string_equal(walked("8d04 93 1f 0a 77 fe ffffffffffffff7f", "8404 13 64000000"), "");
    assert_string_equal(walked("8d04 93 1f 06 35 fe 0000803f", NULL), "1");
    assert_string_equal(walked("8d04 93 1f 06 35 fe 0000003f", NULL), "!"); /* 0.5 of the unit */
}

static void reserved_controls_are_told(void **state)
{
    static const char type[] = "the type of its values is reserved";
    static const char spacing[] = "its spacing is reserved";

    (void)state;
    assert_string_equal(walked("8d04 93 13 03 30 fe 00", NULL), type);
    assert_string_equal(walked("8d04 93 13 03 38 fe 00", NULL), type);
    assert_string_equal(walked("8d04 93 13 03 3d fe 00", NULL), type);
    assert_string_equal(walked("8d04 93 13 03 3f fe 00", NULL), type);
    assert_string_equal(walked("8d04 93 13 03 31 fb 00", NULL), spacing);
    assert_string_equal(walked("8d04 93 13 03 31 fc 00", NULL), spacing);
    assert_string_equal(walked("8d04 93 13 03 31 ff 00", NULL), spacing);
    assert_string_equal(walked("8d04 93 13 03 21 fd 00", NULL), spacing);
    assert_string_equal(walked("8d04 93 13 03 01 fe 00", NULL), spacing);
}

/* ---- times ---------------------------------------------------------------------------------- */

static void assert_time(uint8_t unit, uint8_t spacing, const char *base_hex, int n,
                        const char *expected)
{
    char hex[64], text[TEXT_TIME_SIZE];
    struct oms_value v, base = record_of(base_hex);
    struct oms_profile p;
    const char *why = "";
    int64_t utc_s;

    snprintf(hex, sizeof hex, "8d04931303%02x%02x00", (unsigned)unit << 4 | 1, spacing);
    v = record_of(hex);
    assert_ok(oms_profile_open(&v, NULL, &p, &why));
    assert_ok(oms_spacing_time(&p.spacing, &base.date, &china, n, &utc_s));
    text_put_time(text, utc_s);
    if (strcmp(text, expected) != 0)
        fail_msg("unit %u spacing %u, %d steps: expected %s, found %s", unit, spacing, n, expected,
                 text);
}

static void spacings_are_walked_in_the_calendar(void **state)
{
    static const char minute[] = "046d 24134d36"; /* 2026-06-13 19:36 */
    static const char year_end[] = "026c 9f2c";   /* 2020-12-31, that is 24:00 */
    static const char half[] = "026c 8f2c";       /* 2020-12-15 */
    static const char first[] = "026c 8122";      /* 2020-02-01 */

    (void)state;
    assert_time(0, 30, minute, 2, "2026-06-13T11:37:00Z");
    assert_time(1, 15, minute, -1, "2026-06-13T11:21:00Z");
    assert_time(2, 1, minute, -24, "2026-06-12T11:36:00Z");
    assert_time(2, 250, minute, 1, "2026-06-23T21:36:00Z");
    assert_time(3, 1, minute, -13, "2026-05-31T11:36:00Z");
    assert_time(3, 7, year_end, -1, "2020-12-24T16:00:00Z");
    assert_time(3, 254, year_end, -1, "2020-11-30T16:00:00Z");
    assert_time(3, 254, year_end, -10, "2020-02-29T16:00:00Z");
    assert_time(3, 254, minute, 7, "2027-01-13T11:36:00Z");
    assert_time(2, 254, year_end, -1, "2020-09-30T16:00:00Z");
    assert_time(1, 254, year_end, -1, "2020-06-30T16:00:00Z");
    assert_time(1, 254, year_end, 3, "2022-06-30T16:00:00Z");
    assert_time(3, 253, year_end, -1, "2020-12-15T16:00:00Z");
    assert_time(3, 253, year_end, -2, "2020-11-30T16:00:00Z");
    assert_time(3, 253, half, 1, "2020-12-31T16:00:00Z");
    assert_time(3, 253, half, 5, "2021-02-28T16:00:00Z");
    assert_time(3, 253, first, 1, "2020-02-16T16:00:00Z");
    assert_time(3, 253, first, 2, "2020-03-01T16:00:00Z");
}

static void what_has_no_steps_has_no_times(void **state)
{
    struct oms_spacing no_step = { OMS_NO_STEP, 0 }, months = { OMS_MONTHS, 1 };
    struct oms_value base = record_of("046d 24134d36"), clock = record_of("036d 051713");
    int64_t utc_s = 7;

    (void)state;
    assert_err(ERR_NOT_FOUND, oms_spacing_time(&no_step, &base.date, &china, 1, &utc_s));
    assert_err(ERR_NOT_FOUND, oms_spacing_time(&months, &clock.date, &china, 1, &utc_s));
    assert_err(ERR_RANGE, oms_spacing_time(&months, &base.date, &china, 1 << 30, &utc_s));
    assert_err(ERR_RANGE, oms_spacing_time(&months, &base.date, &china, -12001, &utc_s));
    assert_err(ERR_RANGE, oms_spacing_time(&months, &base.date, &china, INT64_MIN, &utc_s));
    assert_int_equal(utc_s, 7);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_goes_each_way),
        cmocka_unit_test(a_hole_is_a_hole_and_a_step_unknown_is_the_end),
        cmocka_unit_test(steps_need_their_base),
        cmocka_unit_test(a_rest_shorter_than_a_value_is_left),
        cmocka_unit_test(steps_that_leave_the_range_end_it),
        cmocka_unit_test(reserved_controls_are_told),
        cmocka_unit_test(spacings_are_walked_in_the_calendar),
        cmocka_unit_test(what_has_no_steps_has_no_times),
    };

    zone_fixed(&china, "UTC+8", 8 * 3600);
    return check_run(tests, argc, argv);
}
