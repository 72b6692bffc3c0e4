/* What tests/golden cannot say: names, what explain tells, the other way, commands. */
#include "proto/cjt188_encode.h"

#include "proto/base/hex.h"
#include "proto/cjt188.h"
#include "proto/gather.h"
#include "tests/check.h"

#include <stdlib.h>

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */

static uint8_t memory[1 << 16];

static enum err decode(struct span bytes, struct frame *out, struct refusal *r)
{
    struct dialect_input in = { .bytes = check_guarded(bytes), .arrival_s = ARRIVAL_S };
    struct arena a = { memory, 0, sizeof memory };
    enum err err;

    memset(out, 0, sizeof *out);
    err = dialect_cjt188.decode(&in, &a, out, r);
    check_unguard(in.bytes.at, in.bytes.len);
    return err;
}

static size_t from_hex(const char *text, uint8_t out[256])
{
    size_t len;

    assert_ok(hex_read(span_text(text), out, 256, &len));
    return len;
}

static void assert_hex(const struct wr *w, const char *expected)
{
    uint8_t bytes[256];
    size_t len = from_hex(expected, bytes);

    assert_ok(w->err);
    assert_int_equal(wr_len(w), len);
    assert_memory_equal(w->start, bytes, len);
}

static void a_meter_is_named_with_its_maker_and_without(void **state)
{
    uint8_t bytes[256];
    struct frame f;

    (void)state;
    assert_ok(
        decode(span_of(bytes, from_hex("68 10 44 33 22 11 00 33 78 83 03 81 0A 00 DE 16", bytes)),
               &f, NULL));
    assert_int_equal(f.names.count, 2);
    assert_true(span_equal(f.names.at[0], span_text("78330011223344")));
    assert_true(span_equal(f.names.at[1], span_text("0011223344")));
}

static void a_frame_that_waits_names_its_meter(void **state)
{
    uint8_t bytes[256];
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(
        ERR_NO_RECIPE,
        decode(
            span_of(
                bytes,
                from_hex(
                    "FE FE FE FE 68 10 44 33 22 11 00 33 78 81 16 90 1F 00 34 12 00 00 67 05 00 50 "
                    "01 00 18 31 01 22 11 05 15 00 00 AD 16",
                    bytes)),
            &f, &r));
    assert_true(span_equal(frame_name(&f), span_text("78330011223344")));
    assert_int_equal(f.series_count, 0);
}

static void an_old_clock_is_retimed_and_the_index_kept(void **state)
{
    uint8_t bytes[256];
    struct frame f;

    (void)state;
    assert_ok(decode(
        span_of(bytes,
                from_hex(
                    "68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 "
                    "22 11 05 15 20 21 84 13 16",
                    bytes)),
        &f, NULL));
    assert_ok(frame_retime(&f, ARRIVAL_S, NULL));
    assert_true(f.retimed);
    assert_int_equal(f.series[0].samples[0].at_s, ARRIVAL_S);
    assert_int_equal(f.series[0].samples[0].value, 556677000000);
}

static void explained(const char *hex, const char *const *lines)
{
    static uint8_t bytes[256], text[16384];
    struct dialect_input in = { .bytes = span_of(bytes, from_hex(hex, bytes)),
                                .arrival_s = ARRIVAL_S };
    struct arena a = { memory, 0, sizeof memory };
    struct wr w = wr_of(text, sizeof text - 1);
    struct refusal r;
    enum err err;

    err = dialect_explain(&dialect_cjt188, &in, false, &a, &w, &r);
    assert_true(!err || err == ERR_MALFORMED);
    *w.at = 0;
    for (; *lines; lines++)
        if (!strstr((const char *)text, *lines))
            fail_msg("'%s' is not told in\n%s", *lines, (const char *)text);
}

static void explain_names_what_is_passed_over(void **state)
{
    static const char *const metering[] = {
        "volume.settled",         "0.00 m3",      "no date is sent: no reading",
        "address.maker",          "7833",         "1234.?5 m3",
        "a wheel cannot be read", "valve closed", NULL
    };
    static const char *const freeze[] = {
        "timed freeze",        "0 back", "1.2500 m3/h", "18.50 degrees", "35.00 kPa",
        "2026-11-26 00:00:00", NULL
    };
    static const char *const prices[] = { "price[1]", "3.50 yuan", "volume[2]",
                                          "3000 m3",  "6.00 yuan", NULL };
    static const char *const damaged[] = { "checksum", "08", "does not agree", NULL };

    (void)state;
    explained("68 10 44 33 22 11 00 33 78 81 16 90 1F 01 F5 34 12 00 2C 00 00 00 00 2C 05 30 07 26 "
              "11 26 20 01 00 61 16",
              metering);
    explained("68 10 44 33 22 11 00 33 78 81 1A D3 00 04 00 00 00 26 11 26 20 50 34 12 00 2C 00 25 "
              "01 00 35 50 18 00 00 35 "
              "00 76 16",
              freeze);
    explained("68 10 44 33 22 11 00 33 78 81 12 81 02 05 50 03 00 20 00 00 75 04 00 00 30 00 00 06 "
              "00 0A 16",
              prices);
    explained("68 10 44 33 22 11 00 33 78 83 03 81 0A 00 08 16", damaged);
}

/* ---- the other way -------------------------------------------------------------------------- */

static uint8_t room[8192];

static void the_handbooks_requests_are_written_as_printed(void **state)
{
    struct cjt188_head h = {
        .type = 0x10, .address = span_text("00002020120218"), .control = 1, .di = 0x901f
    };
    struct wr w = wr_of(room, sizeof room);

    (void)state;
    assert_ok(cjt188_put(&h, span_of(NULL, 0), &w));
    assert_hex(&w, "68 10 18 02 12 20 20 00 00 01 03 90 1F 00 97 16");
    h.address = span_text("78330011223344");
    h.low_first = true;
    w = wr_of(room, sizeof room);
    assert_ok(cjt188_put(&h, span_of(NULL, 0), &w));
    assert_hex(&w, "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16");
    h = (struct cjt188_head){ .control = 3, .di = 0x810a };
    w = wr_of(room, sizeof room);
    assert_ok(cjt188_put(&h, span_of(NULL, 0), &w));
    assert_hex(&w, "68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16");
    h.address = span_text("7833001122334");
    assert_err(ERR_INVALID, cjt188_put(&h, span_of(NULL, 0), &w));
    h.address = span_text("7833001122334g");
    assert_err(ERR_INVALID, cjt188_put(&h, span_of(NULL, 0), &w));
}

static void commands_are_written_as_printed(void **state)
{
    struct meter_command c = { .id = 0x1001,
                               .what = COMMAND_VALVE,
                               .value = 1,
                               .meter = span_text("78331505900569"),
                               .now_s = ARRIVAL_S };
    struct wr w = wr_of(room, sizeof room);

    (void)state;
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 04 04 A0 17 01 55 50 16");
    c.value = 0;
    w = wr_of(room, sizeof room);
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 04 04 A0 17 01 99 94 16");
    c.what = COMMAND_BASE_INDEX;
    c.value = 1234560;
    w = wr_of(room, sizeof room);
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 16 08 A0 16 01 56 34 12 00 2C D8 16");
    c.value = 12345;
    w = wr_of(room, sizeof room);
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 16 08 A0 16 01 00 45 23 01 29 A2 16");
    c.what = COMMAND_TIME;
    c.value = ARRIVAL_S;
    w = wr_of(room, sizeof room);
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 04 0A A0 15 01 00 00 08 26 11 26 20 84 16");
}

static void what_cannot_be_said_is_unsupported_and_writes_nothing(void **state)
{
    struct meter_command c = {
        .id = 1, .what = COMMAND_VALVE, .meter = span_text("1505900569"), .now_s = ARRIVAL_S
    };
    struct wr w = wr_of(room, sizeof room), small = wr_of(room, 20);

    (void)state;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.meter = span_text("");
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.meter = span_text("78331505900569");
    c.what = COMMAND_STEP;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.what = COMMAND_BASE_INDEX;
    c.value = 1000000000;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.value = -10;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.what = COMMAND_HISTORY;
    c.value = ARRIVAL_S - 257 * 86400;
    c.until = ARRIVAL_S;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &w));
    c.value = ARRIVAL_S - 2 * 86400;
    assert_err(ERR_UNSUPPORTED, dialect_cjt188.command(&c, &small));
    assert_int_equal(wr_len(&w) + wr_len(&small), 0);
    assert_ok(small.err);
    small.err = ERR_FULL; /* what the caller stumbled over stays told */
    assert_err(ERR_FULL, dialect_cjt188.command(&c, &small));
    assert_err(ERR_FULL, small.err);
}

static void history_is_a_read_for_each_day(void **state)
{
    struct meter_command c = { .id = 9,
                               .what = COMMAND_HISTORY,
                               .value = ARRIVAL_S - 3 * 86400 + 1,
                               .until = ARRIVAL_S - 86400,
                               .meter = span_text("78331505900569"),
                               .now_s = ARRIVAL_S };
    struct wr w = wr_of(room, sizeof room);

    (void)state;
    assert_ok(dialect_cjt188.command(&c, &w));
    assert_hex(&w, "68 10 69 05 90 05 15 33 78 01 03 D3 01 09 1C 16 68 10 69 05 90 05 15 33 78 01 "
                   "03 D3 02 09 1D 16");
}

static struct frame decoded(const struct wr *w)
{
    struct refusal r = { .err = ERR_OK };
    struct frame f;

    assert_ok(w->err);
    if (decode(wr_span(w), &f, &r))
        fail_msg("%s %s: %s", err_name(r.err), r.field, r.text);
    return f;
}

static void any_reading_comes_back(void **state)
{
    static const int64_t hundredths_ml[6] = { 10, 100, 1000, 10000, 100000, 1000000 };
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned unit = (unsigned)check_below(&random, 6);
        struct cjt188_metering m = { .volume_ml =
                                         check_between(&random, 0, 99999999) * hundredths_ml[unit],
                                     .clock_s = check_between(&random, 1, UINT32_MAX),
                                     .unit = (uint8_t)(0x29 + unit),
                                     .status = (uint16_t)check_below(&random, 0x10000) };
        struct cjt188_head h = { .type = 0x10,
                                 .address = span_text("00002020120218"),
                                 .control = 0x81,
                                 .serial = 3,
                                 .di = 0x901f,
                                 .low_first = check_below(&random, 2) };
        struct wr data = wr_of(room, 64), w = wr_of(room + 64, 64);
        struct frame f;

        assert_ok(cjt188_put_metering(&m, &data));
        assert_ok(cjt188_put(&h, wr_span(&data), &w));
        f = decoded(&w);
        assert_int_equal(f.sent_s, m.clock_s);
        assert_int_equal(f.series[0].samples[0].value, m.volume_ml);
        assert_int_equal(f.series[0].samples[0].at_s, m.clock_s);
        assert_int_equal(f.status >> STATUS_RAW_SHIFT, m.status);
    }
}

static void any_freeze_comes_back(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct cjt188_freeze z = { .at_s = check_between(&random, 1, UINT32_MAX),
                                   .volume_ml = check_between(&random, 0, 99999999) * 10000,
                                   .unit = 0x2c,
                                   .flow_mlph = check_between(&random, 0, 99999999) * 100,
                                   .temperature = check_between(&random, 0, 999999) * 10,
                                   .pressure_pa = check_between(&random, 0, 999999) * 10 };
        struct cjt188_head h = { .type = 0x10,
                                 .address = span_text("00002020120218"),
                                 .control = 0x81,
                                 .di = (uint16_t)(0xd300 + check_below(&random, 0x200)),
                                 .low_first = check_below(&random, 2) };
        struct wr data = wr_of(room, 64), w = wr_of(room + 64, 64);
        struct frame f;

        assert_ok(cjt188_put_freeze(&z, &data));
        assert_ok(cjt188_put(&h, wr_span(&data), &w));
        f = decoded(&w);
        assert_int_equal(f.series_count, 3);
        assert_int_equal(f.series[0].samples[0].value, z.pressure_pa);
        assert_int_equal(f.series[1].samples[0].value, z.temperature);
        assert_int_equal(f.series[2].samples[0].value, z.volume_ml);
        assert_int_equal(f.series[2].samples[0].at_s, z.at_s);
    }
}

static void an_outcome_says_that_its_number_has_eight_bits(void **state)
{
    struct cjt188_head h = { .type = 0x10,
                             .address = span_text("00002020120218"),
                             .control = 0x84,
                             .serial = 0x2a,
                             .di = 0xa017 };
    struct wr w = wr_of(room, sizeof room);
    struct frame f;

    (void)state;
    assert_ok(cjt188_put(&h, span_of("\x01\x00", 2), &w));
    f = decoded(&w);
    assert_int_equal(f.outcome_count, 1);
    assert_int_equal(f.outcomes[0].command, 0x2a);
    assert_int_equal(f.outcomes[0].bits, 8);
    assert_int_equal(f.outcomes[0].result, 0);
    h.control = 0xc4;
    w = wr_of(room, sizeof room);
    assert_ok(cjt188_put_failure(&h, 0x0003, &w));
    f = decoded(&w);
    assert_int_equal(f.outcomes[0].command, 0x2a);
    assert_int_equal(f.outcomes[0].result, 1);
    assert_int_equal(f.status & STATUS_MEANT, STATUS_VALVE_FAULT);
}

static void random_bytes_with_a_right_frame_around_are_answered(void **state)
{
    static const uint8_t known[2][2] = { { 0x90, 0x1f }, { 0xd3, 0x07 } };
    struct check_random random = check_random_begin();
    uint8_t data[256];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[300] = { 0x68, 0x10 }, sum = 0;
        size_t len = check_below(&random, 40);
        struct refusal r = { .err = ERR_OK };
        struct frame f;
        enum err err;

        check_fill(&random, data, len);
        if (len > 2 && check_below(&random, 2))
            memcpy(data, known[check_below(&random, 2)], 2);
        bytes[9] = (uint8_t)(0x80 | check_below(&random, 0x80));
        bytes[10] = (uint8_t)len;
        memcpy(bytes + 11, data, len);
        for (size_t i = 0; i < 11 + len; i++)
            sum = (uint8_t)(sum + bytes[i]);
        bytes[11 + len] = sum;
        bytes[12 + len] = 0x16;
        err = decode(span_of(bytes, 13 + len), &f, &r);
        assert_int_equal(err, r.err);
        assert_true(!err || err_of_frame(err));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_is_named_with_its_maker_and_without),
        cmocka_unit_test(a_frame_that_waits_names_its_meter),
        cmocka_unit_test(an_old_clock_is_retimed_and_the_index_kept),
        cmocka_unit_test(explain_names_what_is_passed_over),
        cmocka_unit_test(the_handbooks_requests_are_written_as_printed),
        cmocka_unit_test(commands_are_written_as_printed),
        cmocka_unit_test(what_cannot_be_said_is_unsupported_and_writes_nothing),
        cmocka_unit_test(history_is_a_read_for_each_day),
        cmocka_unit_test(any_reading_comes_back),
        cmocka_unit_test(any_freeze_comes_back),
        cmocka_unit_test(an_outcome_says_that_its_number_has_eight_bits),
        cmocka_unit_test(random_bytes_with_a_right_frame_around_are_answered),
    };

    return check_run(tests, argc, argv);
}
