/* Which records become readings, and when they stand. */
#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/oms_frame.h"
#include "proto/trace.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */

static struct arena arena;
static struct frame frame;
static struct refusal why;
static uint8_t lines[1 << 18]; /* what explain would say */

static enum err take_from(const char *hex, const struct lore *lore)
{
    static const struct frame none;
    uint8_t bytes[4096];
    size_t len = 0;
    struct wr w = wr_of(lines, sizeof lines - 1);
    struct trace trace = { .out = &w };
    struct oms_telegram t = { .has_meter = true,
                              .meter = { .maker = 0x392c, .version = 1, .type = 7 },
                              .ci = 0x7a,
                              .content = OMS_RECORDS,
                              .records_at = 15 };
    struct dialect_input in = { .arrival_s = ARRIVAL_S, .lore = lore };
    enum err err;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    t.records = check_guarded(span_of(bytes, len));
    arena_clear(&arena);
    frame = none;
    why = (struct refusal){ .err = ERR_OK };
    in.trace = &trace;
    trace.bytes = t.records;
    err = oms_records(&in, &t, &arena, &frame, &why);
    lines[wr_len(&w)] = 0;
    assert_int_equal(err, why.err);
    /* Listening changes nothing. */
    if (!err) {
        struct frame quiet = none;
        static uint8_t memory[1 << 19];
        struct arena second = { memory, 0, sizeof memory };

        in.trace = NULL;
        assert_ok(oms_records(&in, &t, &second, &quiet, NULL));
        assert_int_equal(quiet.series_count, frame.series_count);
        assert_int_equal(quiet.sent_s, frame.sent_s);
    }
    return err;
}

static enum err take(const char *hex)
{
    return take_from(hex, NULL);
}

/* "billed 1.5@2020-12-31T16:00:00Z 1@…; reverse …" */
static const char *values(void)
{
    static char text[4096];
    size_t len = 0;

    text[0] = 0;
    for (uint32_t s = 0; s < frame.series_count; s++) {
        const struct series *series = &frame.series[s];

        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", s ? "; " : "",
                                channel_name(series->channel));
        for (uint32_t i = 0; i < series->count; i++) {
            char value[TEXT_LITRES_SIZE], time[TEXT_TIME_SIZE];

            text_put_litres(value, series->samples[i].value);
            text_put_time(time, series->samples[i].at_s);
            len += (size_t)snprintf(text + len, sizeof text - len, " %s@%s", value, time);
        }
    }
    return text;
}

static void assert_values(const char *hex, const char *expected)
{
    assert_ok(take(hex));
    if (strcmp(values(), expected) != 0)
        fail_msg("%s:\nexpected %s\nfound    %s\n%s", hex, expected, values(), (char *)lines);
}

static void assert_said(const char *what)
{
    if (!strstr((const char *)lines, what))
        fail_msg("'%s' is not said in\n%s", what, (char *)lines);
}

static void the_register_stands_at_the_meters_clock_or_at_arrival(void **state)
{
    (void)state;
    assert_values("0413 18270000", "billed 10008@2026-11-26T00:00:00Z");
    assert_int_equal(frame.sent_s, 0);
    assert_values("0413 18270000 046d 24134d36", "billed 10008@2026-06-13T11:36:00Z");
    assert_int_equal(frame.sent_s, 1781350560);
    assert_values("066d 2c1aa1d52100 0413 18270000", "billed 10008@2022-01-20T17:26:44Z");
    assert_values("046d a4134d36 0413 18270000", "billed 10008@2026-11-26T00:00:00Z"); /* invalid */
    assert_values("026c 8d36 0413 18270000", "billed 10008@2026-11-26T00:00:00Z"); /* a day only */
    assert_values("446d 24134d36 0413 18270000", "billed 10008@2026-11-26T00:00:00Z");
    assert_values("046d 24134d36 042d 05000000", "");
    assert_int_equal(frame.sent_s, 1781350560);
}

static void an_age_counts_where_there_is_no_clock(void **state)
{
    (void)state;
    assert_values("0413 18270000 0274 3c00", "billed 10008@2026-11-25T23:59:00Z");
    assert_values("0413 18270000 0176 02", "billed 10008@2026-11-25T22:00:00Z");
    assert_values("0413 18270000 046d 24134d36 0274 3c00", "billed 10008@2026-06-13T11:36:00Z");
    assert_values("0413 18270000 0274 ffff", "billed 10008@2026-11-26T00:00:00Z");
    /* Thousands of years refuse no register. */
    assert_values("0413 18270000 0477 ffffff00", "billed 10008@2026-11-26T00:00:00Z");
}

static void directions_have_their_channels(void **state)
{
    (void)state;
    assert_values("04933b 05000000 04933c 03000000 0413 02000000",
                  "billed 2@2026-11-26T00:00:00Z; forward 5@2026-11-26T00:00:00Z; "
                  "reverse 3@2026-11-26T00:00:00Z");
    assert_values("04933c 03000000", "reverse 3@2026-11-26T00:00:00Z");
}

static void litres_are_exact_to_the_millilitre(void **state)
{
    (void)state;
    assert_values("0410 d2040000", "billed 1.234@2026-11-26T00:00:00Z");
    assert_values("0412 e05f0c00", "billed 81097.6@2026-11-26T00:00:00Z");
    assert_values("0417 07000000", "billed 70000@2026-11-26T00:00:00Z");
    assert_values("049370 d2040000", "billed 0.001@2026-11-26T00:00:00Z");
    assert_said("digits below a thousandth are cut off");
    assert_values("0413 ffffffff", "billed -1@2026-11-26T00:00:00Z");
    assert_values("0516 79e9f642", "billed 123456.001@2026-11-26T00:00:00Z");
    assert_said("digits below a thousandth are cut off");
    assert_values("0713 ffffffffffffff7f", "");
    assert_said("no reading: too large");
}

/* 231 cubic inches and 1728, an inch 25.4 mm. */
/* The bytes of `value` by a DIF's type: binary, low byte first, or two digits in a byte and F on top for a minus. */
static void put_number(char *hex, unsigned len, bool decimal, int64_t value)
{
    uint64_t rest = decimal && value < 0 ? -(uint64_t)value : (uint64_t)value;

    for (unsigned i = 0; i < len; i++) {
        unsigned byte = decimal ? (unsigned)(rest % 10 | rest / 10 % 10 << 4) : rest & 255;

        if (decimal && value < 0 && i + 1 == len)
            byte |= 0xf0;
        rest = decimal ? rest / 100 : rest >> 8;
        snprintf(hex + (size_t)2 * i, 3, "%02x", byte);
    }
}

static int64_t any_value(struct check_random *r, unsigned len, bool decimal)
{
    int64_t most = 1;

    if (!decimal) {
        most = len == 8 ? INT64_MAX : ((int64_t)1 << (8 * len - 1)) - 1;
        return check_between(r, -most, most) >> check_below(r, 8 * len - 1);
    }
    for (unsigned i = 0; i < 2 * len - 1; i++)
        most *= 10;
    return check_between(r, 1 - most, most - 1) / (check_below(r, 2) ? 1 : 1000);
}

static void any_register_is_what_was_sent(void **state)
{
    static const struct {
        unsigned dif, len;
    } types[] = { { 1, 1 }, { 2, 2 },  { 3, 3 },  { 4, 4 },  { 6, 6 }, { 7, 8 },
                  { 9, 1 }, { 10, 2 }, { 11, 3 }, { 12, 4 }, { 14, 6 } };
    struct check_random r = check_random_begin();

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned type = check_below(&r, 11), vif = 0x10 + check_below(&r, 8);
        bool decimal = types[type].dif > 8, fits = true;
        int64_t value = any_value(&r, types[type].len, decimal), ml = value;
        char hex[32];

        for (unsigned k = 0x10; k < vif; k++) /* 10: 1 mL */
            fits = fits && !__builtin_mul_overflow(ml, (int64_t)10, &ml);
        snprintf(hex, sizeof hex, "%02x%02x", types[type].dif, vif);
        put_number(hex + 4, types[type].len, decimal, value);
        assert_ok(take(hex));
        assert_int_equal(frame.series_count, fits);
        if (fits && (frame.series[0].count != 1 || frame.series[0].samples[0].value != ml))
            fail_msg("%s: expected %lld mL, found %lld", hex, (long long)ml,
                     (long long)frame.series[0].samples[0].value);
    }
}

static void american_units_are_rounded_once(void **state)
{
    (void)state;
    assert_values("04fb23 01000000", "billed 3.785@2026-11-26T00:00:00Z");
    assert_said("rounded to 1 mL");
    assert_values("04fb23 40420f00", "billed 3785411.784@2026-11-26T00:00:00Z"); /* a million */
    assert_values("04fb22 01000000", "billed 0.379@2026-11-26T00:00:00Z");
    assert_values("04fb22 ffffffff", "billed -0.379@2026-11-26T00:00:00Z");
    assert_values("04fb21 01000000", "billed 2.832@2026-11-26T00:00:00Z");
    assert_values("04fb20 40420f00", "billed 28316846.592@2026-11-26T00:00:00Z");
    assert_values("07fb20 ffffffffffffff7f", "");
    assert_values("04fb10 01000000", "billed 100000@2026-11-26T00:00:00Z");
}

static void what_is_no_register_is_no_reading(void **state)
{
    static const char *const none[] = {
        "1413 01000000",      /* maximum */
        "2413 01000000",      /* minimum */
        "3413 01000000",      /* during error */
        "841013 01000000",    /* tariff 1 */
        "844013 01000000",    /* subunit 1 */
        "049312 01000000",    /* average */
        "049315 01000000",    /* error: no data */
        "049325 01000000",    /* per month */
        "04933d 01000000",    /* not metric */
        "0493e8 3b 01000000", /* during exceeding a limit, forward */
        "049369 01000000",    /* leakage */
        "04937e 01000000",    /* in future */
        "0493ff01 01000000",  /* the maker's */
        "0413 00000080",      /* no value */
        "0c13 ffffffff",      /* no value */
        "0c13 0a000000",      /* no digits */
        "0516 0000c07f",      /* NaN */
        "023b 0500",          /* flow */
        "0265 0500",          /* external temperature */
        "0013",               /* no data */
        "0d13 01 31",         /* text */
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_values(none[i], "");
}

static void temperature_and_pressure_have_their_channels(void **state)
{
    (void)state;
    assert_values("025a d700", "temperature 21.5@2026-11-26T00:00:00Z");
    assert_values("0259 f0d8", "temperature -100@2026-11-26T00:00:00Z");
    assert_values("0269 9701", "pressure 407@2026-11-26T00:00:00Z"); /* 4.07 bar */
    assert_values("02fb59 d700", "");                                /* degrees F */
}

static void history_stands_at_its_own_date(void **state)
{
    (void)state;
    assert_values("0413 0a000000 4413 05000000 426c 9f2c",
                  "billed 10@2026-11-26T00:00:00Z 5@2020-12-31T16:00:00Z");
    assert_values("446d 0000a127 4413 05000000", "billed 5@2021-06-30T16:00:00Z");
    assert_values("4413 05000000 44933c 01000000 426c 9f2c",
                  "billed 5@2020-12-31T16:00:00Z; reverse 1@2020-12-31T16:00:00Z");
    assert_values("4413 05000000 82016c 9f2c", "");
    assert_said("no reading: nothing in the telegram dates this storage number");
    assert_values("4413 05000000 426c ffff", "");
    assert_values("4413 05000000 526c 9f2c", "");   /* the date of a maximum */
    assert_values("4413 05000000 42ec7e 9f2c", ""); /* the next one */
    assert_values("4413 05000000 426c ffff 426c 9f2c", "billed 5@2020-12-31T16:00:00Z");
}

static void a_reading_said_twice_is_kept_once(void **state)
{
    (void)state;
    assert_values("4413 05000000 426c 9f2c 840113 05000000 82016c 9f2c",
                  "billed 5@2020-12-31T16:00:00Z");
    assert_values("4413 05000000 426c 9f2c 840113 06000000 82016c 9f2c",
                  "billed 6@2020-12-31T16:00:00Z 5@2020-12-31T16:00:00Z"); /* read backwards */
}

/* As a real meter does (handbook §3.4): 81 m3, and 10 L of something else. */
static void a_second_register_under_the_same_head_is_named_and_no_reading(void **state)
{
    (void)state;
    assert_values("0412 e05f0c00 0412 60000000", "billed 81097.6@2026-11-26T00:00:00Z");
    assert_said("volume#2             0.0096 m3  (no reading: another register under the same DIF "
                "and VIF)");
    assert_values("0412 00000080 0412 60000000", ""); /* the first has no value today */
    assert_values("0413 00000080 0413 01000000 4413 04000000 426c 9f2c",
                  "billed 4@2020-12-31T16:00:00Z");
    assert_values("0413 05000000 04933c 05000000 4413 04000000 426c 9f2c",
                  "billed 5@2026-11-26T00:00:00Z 4@2020-12-31T16:00:00Z; "
                  "reverse 5@2026-11-26T00:00:00Z");
}

static void history_beyond_the_register_is_none(void **state)
{
    (void)state;
    assert_values("0413 0a000000 4413 0b000000 426c 9f2c", "billed 10@2026-11-26T00:00:00Z");
    assert_said("no reading: the register of today has not reached it");
    assert_values("0413 0a000000 44933b 0b000000 426c 9f2c",
                  "billed 10@2026-11-26T00:00:00Z; forward 11@2020-12-31T16:00:00Z");
    assert_values("4413 0b000000 426c 9f2c 0413 0a000000", "billed 10@2026-11-26T00:00:00Z");
    /* Water of yesterday may have been warmer. */
    assert_values("0259 0a00 4259 0b00 426c 9f2c",
                  "temperature 0.1@2026-11-26T00:00:00Z 0.11@2020-12-31T16:00:00Z");
}

static void history_of_the_future_is_none(void **state)
{
    (void)state;
    assert_values("0413 0a000000 4413 05000000 426c 7f3c", "billed 10@2026-11-26T00:00:00Z");
    assert_said("no reading: its date lies ahead of the telegram");
    /* A day that has begun ends ahead, and its value is of today. */
    assert_values("0413 0a000000 4413 05000000 426c 5a3b",
                  "billed 5@2026-11-26T16:00:00Z 10@2026-11-26T00:00:00Z");
}

/* A clock in 2099: the frame is shifted by 73 years, and history must not make it refused. */
static void a_clock_far_off_does_not_refuse_the_register(void **state)
{
    (void)state;
    assert_ok(take("0413 0a000000 046d 0000 7fcc 4413 05000000 426c 9f2c"));
    assert_said("no reading: by the meter's clock its date lies outside of 1970 to 2106");
    assert_ok(frame_retime(&frame, ARRIVAL_S, NULL));
    assert_string_equal(values(), "billed 10@2026-11-26T00:00:00Z");
    assert_ok(take("0413 0a000000 046d 0060 7fcc 4413 05000000 426c 9f2c")); /* 2299 */
    assert_ok(frame_retime(&frame, ARRIVAL_S, NULL));
    assert_string_equal(values(), "billed 10@2026-11-26T00:00:00Z");
    assert_ok(take("0413 0a000000 046d 0000 0101 4413 05000000 426c 9f2c")); /* 2000 */
    assert_ok(frame_retime(&frame, ARRIVAL_S, NULL));
    assert_string_equal(values(), "billed 10@2026-11-26T00:00:00Z");
}

/* The handbook's trap, as sent: base 80 million litres, which is "none" under a decimal type, and 14 times none. */
static void none_under_a_decimal_type_is_no_reading(void **state)
{
    (void)state;
    assert_values("0c13 66380000 8c0413 00000080 82046c 9f2c 8d049313 08 33fe 000080 000080",
                  "billed 3866@2026-11-26T00:00:00Z");
    assert_said("no reading: the pattern for 'no value' under a decimal type");
    assert_values("8c0413 00000080 82046c 9f2c", ""); /* without a register of today too */
    assert_values("8c0413 01000080 82046c 9f2c", "billed 80000001@2020-12-31T16:00:00Z");
    /* Increments have nothing to stand on then. */
    assert_values("8c0413 00000080 82046c 9f2c 8d049313 08 73fe 010000 010000", "");
    assert_said("has no base value in the telegram");
}

static void a_block_is_dated_by_its_interval(void **state)
{
    (void)state;
    assert_values("0413 64000000 8104fd28 01 82046c 9f2c 840413 05000000 c40413 04000000 "
                  "840513 03000000",
                  "billed 100@2026-11-26T00:00:00Z 5@2020-12-31T16:00:00Z 4@2020-11-30T16:00:00Z "
                  "3@2020-10-31T16:00:00Z");
    /* One that rises was stored the other way round. */
    assert_values("0413 64000000 8104fd27 07 82046c 9f2c 840413 05000000 c40413 05000000 "
                  "840513 06000000",
                  "billed 100@2026-11-26T00:00:00Z 6@2021-01-14T16:00:00Z 5@2021-01-07T16:00:00Z "
                  "5@2020-12-31T16:00:00Z");
    assert_values("8104fd28 01 840413 05000000 c40413 04000000", "");
    assert_values("8104fd28 00 82046c 9f2c 840413 05000000 c40413 04000000",
                  "billed 5@2020-12-31T16:00:00Z");
    assert_values("8104fd28 01 82046c 9f2c 840413 05000000 c404933b 04000000",
                  "billed 5@2020-12-31T16:00:00Z");
}

static void profiles_stand_step_by_step(void **state)
{
    (void)state;
    assert_values(
        "0413 2c010000 8c0413 00010000 82046c 9f2c 8d049313 08 32fe 5000 4000 3000",
        "billed 300@2026-11-26T00:00:00Z 100@2020-12-31T16:00:00Z 80@2020-11-30T16:00:00Z "
        "64@2020-10-31T16:00:00Z 48@2020-09-30T16:00:00Z");
    /* Increments, younger month by month; entry 3 leaves today's register behind. */
    assert_values("0413 b3910000 4413 00000000 4d931e 0b 73fe 000000 988500 1c0c00 426c be29",
                  "billed 37299@2026-11-26T00:00:00Z 34200@2021-11-30T16:00:00Z "
                  "0@2021-10-31T16:00:00Z 0@2021-09-30T16:00:00Z");
    assert_said("the register of today has not reached it");
    assert_values("8d049313 08 32fe 5000 4000 3000", "");
    assert_said("no reading: the base has no date in the telegram");
    assert_values("82046c 9f2c 8d049313 08 3200 5000 4000 3000", "");
    assert_said("no reading: its steps are no times");
    assert_values("82046c 9f2c 8d049313 08 3dfe 5000 4000 3000", "");
    assert_said("the type of its values is reserved");
    assert_values("82046c 9f2c 9d049313 06 32fe 5000 4000", ""); /* of a maximum */
    assert_values("046d 24134d36 0413 64000000 0d9313 06 6101 0a0a0a0a",
                  "billed 100@2026-06-13T11:36:00Z 90@2026-06-13T10:36:00Z "
                  "80@2026-06-13T09:36:00Z 70@2026-06-13T08:36:00Z 60@2026-06-13T07:36:00Z");
}

static void a_profile_says_each_entry(void **state)
{
    (void)state;
    assert_ok(take("0413 2c010000 82046c 9f2c 8d049313 09 32fe 5000 0080 3000 07"));
    assert_said("volume.storage9      0.08 m3 = 80 L at 2020-11-30T16:00:00Z, billed");
    assert_said("volume.storage10");
    assert_said("the meter has no value");
    assert_said("behind the end of the profile");
}

static void the_battery_is_a_voltage(void **state)
{
    (void)state;
    assert_ok(take("01fd48 1d"));
    assert_int_equal(frame.battery_mv, 2900);
    assert_ok(take("02fd46 480d 01fd48 1d"));
    assert_int_equal(frame.battery_mv, 3400);
    assert_ok(take("02fd74 ee11 41fd48 1d 11fd48 1d"));
    assert_int_equal(frame.battery_mv, 0);
}

static void what_is_not_understood_stops_nothing(void **state)
{
    (void)state;
    assert_values("04ef12 01020304 04fb40 01020304 0413 05000000", "billed 5@2026-11-26T00:00:00Z");
    assert_values("0413 05000000 ffff", "billed 5@2026-11-26T00:00:00Z");
    assert_values("0413 05000000 0d13 ca0102030405", "billed 5@2026-11-26T00:00:00Z");
    assert_values("2f2f 0413 05000000 2f2f 0f 010203", "billed 5@2026-11-26T00:00:00Z");
    assert_said("the maker's own, no recipe tells it");
    assert_values("", "");
    assert_values("2f2f2f", "");
}

static void a_record_over_the_end_refuses_the_telegram(void **state)
{
    (void)state;
    assert_err(ERR_TRUNCATED, take("0413 05000000 0413 050000"));
    assert_int_equal(why.offset, 15 + 6);
    assert_string_equal(why.text, "volume: its data take 4 bytes, 3 are left");
    assert_said("volume");
    assert_err(ERR_TRUNCATED, take("0413 05000000 0493"));
    assert_int_equal(why.offset, 15 + 6);
    assert_err(ERR_MALFORMED, take("0413 05000000 8480808080808080808080 8013 01000000"));
}

static void a_tail_alone_waits_for_its_recipe(void **state)
{
    (void)state;
    assert_err(ERR_NO_RECIPE, take("2f2f 0f 00000000 80bf1b00"));
    assert_int_equal(why.offset, 15 + 3);
    assert_values("2f2f 0f", "");
}

static void full_frames_teach_their_format(void **state)
{
    (void)state;
    assert_ok(take("2f2f 02ff20 0000 0413 05000000 4413 05000000 615b 03 6167 03 2f"));
    assert_true(frame.has_format);
    assert_int_equal(frame.format.signature, 0xa8ed); /* cases/field.md, WM2 */
    assert_int_equal(frame.format.maker, 0x392c);
    assert_int_equal(frame.format.version, 1);
    assert_int_equal(frame.format.type, 7);
    assert_int_equal(frame.format_list.len, 11);
    assert_memory_equal(frame.format_list.at, "\x02\xff\x20\x04\x13\x44\x13\x61\x5b\x61\x67", 11);
    assert_ok(take("0413 05000000 ffff"));
    assert_false(frame.has_format); /* half a list */
}

static void too_many_records_are_refused(void **state)
{
    char hex[4 * 1100 + 1];

    (void)state;
    for (size_t i = 0; i < 1100; i++)
        memcpy(hex + 4 * i, "0013", 5);
    hex[4000] = 0; /* 1000 of them */
    assert_ok(take(hex));
    hex[4000] = '0';
    assert_err(ERR_TOO_LARGE, take(hex));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_register_stands_at_the_meters_clock_or_at_arrival),
        cmocka_unit_test(an_age_counts_where_there_is_no_clock),
        cmocka_unit_test(directions_have_their_channels),
        cmocka_unit_test(litres_are_exact_to_the_millilitre),
        cmocka_unit_test(any_register_is_what_was_sent),
        cmocka_unit_test(american_units_are_rounded_once),
        cmocka_unit_test(what_is_no_register_is_no_reading),
        cmocka_unit_test(temperature_and_pressure_have_their_channels),
        cmocka_unit_test(history_stands_at_its_own_date),
        cmocka_unit_test(a_reading_said_twice_is_kept_once),
        cmocka_unit_test(a_second_register_under_the_same_head_is_named_and_no_reading),
        cmocka_unit_test(history_beyond_the_register_is_none),
        cmocka_unit_test(history_of_the_future_is_none),
        cmocka_unit_test(a_clock_far_off_does_not_refuse_the_register),
        cmocka_unit_test(none_under_a_decimal_type_is_no_reading),
        cmocka_unit_test(a_block_is_dated_by_its_interval),
        cmocka_unit_test(profiles_stand_step_by_step),
        cmocka_unit_test(a_profile_says_each_entry),
        cmocka_unit_test(the_battery_is_a_voltage),
        cmocka_unit_test(what_is_not_understood_stops_nothing),
        cmocka_unit_test(a_record_over_the_end_refuses_the_telegram),
        cmocka_unit_test(a_tail_alone_waits_for_its_recipe),
        cmocka_unit_test(full_frames_teach_their_format),
        cmocka_unit_test(too_many_records_are_refused),
    };

    if (arena_init(&arena, LIMIT_DECODE_ARENA))
        return 1;
    return check_run(tests, argc, argv);
}
