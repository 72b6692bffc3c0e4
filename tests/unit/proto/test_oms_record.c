#include "proto/base/hex.h"
#include "proto/oms_record.h"
#include "proto/oms_tell.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

static uint8_t room[1024];

static struct span bytes_of(const char *hex)
{
    size_t len = 0;

    assert_ok(hex_read(span_text(hex), room, sizeof room, &len));
    return check_guarded(span_of(room, len));
}

/* What explain says of the record: "field value unit (meaning)". */
static const char *told(const struct oms_value *v)
{
    static char text[600];
    static uint8_t line[4096];
    struct wr w = wr_of(line, sizeof line - 1);
    struct trace t = { .out = &w, .bytes = v->raw };

    oms_tell(&t, v, 1, &(struct oms_fate){ "", "" });
    line[wr_len(&w)] = 0;
    /* Behind offset and bytes, and without the blanks that align. */
    {
        const char *from = (const char *)line + 7 + 20 + 3;
        size_t n = 0;

        for (; *from && *from != '\n' && n < sizeof text - 1; from++)
            if (*from != ' ' || (n && text[n - 1] != ' '))
                text[n++] = *from;
        while (n && text[n - 1] == ' ')
            n--;
        text[n] = 0;
    }
    return text;
}

static void assert_told(const char *hex, const char *expected)
{
    struct span bytes = bytes_of(hex);
    struct rd rd = rd_of(bytes);
    struct oms_value v;
    struct refusal r = { .text = "" };
    const char *found;

    if (oms_record_read(&rd, &v, &r))
        fail_msg("%s: %s", hex, r.text);
    found = told(&v);
    if (strcmp(found, expected) != 0 || rd_left(&rd))
        fail_msg("%s: expected\n%s\nfound\n%s\n%zu bytes left", hex, expected, found, rd_left(&rd));
    check_unguard(bytes.at, bytes.len);
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void storage_tariff_and_subunit_grow_with_each_extension(void **state)
{
    (void)state;
    assert_told("0413 01000000", "volume 0.001 m3");
    assert_told("4413 01000000", "volume.storage1 0.001 m3");
    assert_told("8401 13 01000000", "volume.storage2 0.001 m3");
    assert_told("c401 13 01000000", "volume.storage3 0.001 m3");
    assert_told("8404 13 01000000", "volume.storage8 0.001 m3");
    assert_told("8c10 13 00010000", "volume.tariff1 0.1 m3");
    assert_told("cc20 13 00010000", "volume.storage1.tariff2 0.1 m3");
    assert_told("8440 13 01000000", "volume.subunit1 0.001 m3");
    assert_told("84d0 40 13 01000000", "volume.tariff1.subunit3 0.001 m3");
    assert_told("c4ffffffffffffffffff7f 13 01000000",
                "volume.storage2199023255551.tariff1048575.subunit1023 0.001 m3");
}

static void functions_are_told(void **state)
{
    (void)state;
    assert_told("1413 01000000", "volume 0.001 m3 (maximum)");
    assert_told("2413 01000000", "volume 0.001 m3 (minimum)");
    assert_told("3413 01000000", "volume 0.001 m3 (during error)");
}

static void eleven_extensions_are_refused(void **state)
{
    static const char *const refused[] = {
        "84808080808080808080808013 01000000",
        "0493bbbbbbbbbbbbbbbbbbbb3b3b 01000000",
    };

    (void)state;
    assert_told("8480808080808080808000 13 01000000", "volume 0.001 m3");
    assert_told("0493 bbbbbbbbbbbbbbbbbb3b 01000000",
                "volume.forward 0.001 m3 (only forward, only forward, only forward, only forward, "
                "only forward, only forward, only forward, only forward, only forward, only "
                "forward)");
    for (size_t i = 0; i < 2; i++) {
        struct span bytes = bytes_of(refused[i]);
        struct rd rd = rd_of(bytes);
        struct refusal r;
        struct oms_value v;

        assert_err(ERR_MALFORMED, oms_record_read(&rd, &v, &r));
        assert_string_equal(r.text, "more than ten extensions of one DIF or VIF");
        assert_ptr_equal(rd.at, bytes.at);
        check_unguard(bytes.at, bytes.len);
    }
}

/* ---- every VIF ------------------------------------------------------------------------------ */

static void each_unit_has_its_scale(void **state)
{
    static const struct {
        const char *hex, *expected;
    } cases[] = {
        { "0400 01000000", "energy 0.001 Wh" },
        { "0407 01000000", "energy 10000 Wh" },
        { "0408 01000000", "energy 1 J" },
        { "040f 01000000", "energy 10000000 J" },
        { "0410 01000000", "volume 0.000001 m3" },
        { "0412 e05f0c00", "volume 81.0976 m3" },
        { "0414 01000000", "volume 0.01 m3" },
        { "0416 07000000", "volume 7 m3" },
        { "0417 07000000", "volume 70 m3" },
        { "041b 01000000", "mass 1 kg" },
        { "0420 0a000000", "on_time 10 s" },
        { "0423 0a000000", "on_time 10 d" },
        { "0225 0a00", "operating_time 10 min" },
        { "0226 0a00", "operating_time 10 h" },
        { "022b 0a00", "power 10 W" },
        { "0230 0a00", "power 10 J/h" },
        { "023b 0a00", "flow 0.01 m3/h" },
        { "0247 0a00", "flow 10 m3/min" },
        { "024f 0a00", "flow 0.1 m3/s" },
        { "0253 0a00", "mass_flow 10 kg/h" },
        { "025a d2ff", "flow_temperature -4.6 degrees C" },
        { "025f 0a00", "return_temperature 10 degrees C" },
        { "0262 0a00", "temperature_difference 1 K" },
        { "0267 0a00", "external_temperature 10 degrees C" },
        { "0268 0a00", "pressure 0.01 bar" },
        { "026b 0a00", "pressure 10 bar" },
        { "026e 0a00", "heat_cost_units 10" },
        { "0270 0a00", "averaging_duration 10 s" },
        { "0276 0a00", "actuality_duration 10 h" },
        { "0c78 78563412", "fabrication_number 12345678" },
        { "0e79 678372082100", "enhanced_identification 002108728367" },
        { "017a 05", "bus_address 5" },
        { "047e 05000000", "any 5" },
        { "047f 0000060c", "maker 0C060000 (hex)" },
        { "04fb00 01000000", "energy 0.1 MWh" },
        { "04fb09 01000000", "energy 1 GJ" },
        { "04fb0f 01000000", "energy 100 Mcal" },
        { "04fb10 01000000", "volume 100 m3" },
        { "04fb11 01000000", "volume 1000 m3" },
        { "04fb18 01000000", "mass 100 t" },
        { "02fb1a 1502", "humidity 53.3 %" },
        { "04fb20 01000000", "volume 1 ft3" },
        { "04fb21 01000000", "volume 0.1 ft3" },
        { "04fb22 01000000", "volume 0.1 gal" },
        { "04fb23 01000000", "volume 1 gal" },
        { "04fb24 01000000", "flow 0.001 gal/min" },
        { "04fb25 01000000", "flow 1 gal/min" },
        { "04fb26 01000000", "flow 1 gal/h" },
        { "02fb59 0a00", "flow_temperature 0.1 degrees F" },
        { "04fb2d 01000000", "frequency 0.01 Hz" },
        { "01fd08 80", "access_number 128" },
        { "01fd08 ff", "access_number 255" },
        { "02fd0a 2d2c", "manufacturer 2C2D (hex)" },
        { "0bfd0f 020001", "software_version 010002 (hex)" },
        { "02fd17 0080", "error_flags 8000 (hex)" },
        { "01fd1b 80", "digital_input 80 (hex)" },
        { "01fd21 0f", "last_cyclic_storage 15" },
        { "01fd24 0f", "storage_interval 15 s" },
        { "01fd28 01", "storage_interval 1 month" },
        { "01fd29 01", "storage_interval 1 year" },
        { "01fd2f 01", "since_last_readout 1 d" },
        { "01fd3a 07", "dimensionless 7" },
        { "01fd48 1d", "voltage 2.9 V" },
        { "02fd46 480d", "voltage 3.4 V" },
        { "02fd59 480d", "current 3.4 A" },
        { "01fd60 07", "reset_counter 7" },
        { "02fd6d 6400", "battery_operating_time 100 d" },
        { "02fd6e 6400", "battery_operating_time 100 month" },
        { "01fd71 b6", "radio_level -74 dBm" },
        { "02fd74 ee11", "battery_remaining 4590 d" },
        { "02fd70 9f2c", "battery_change 2020-12-31" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_told(cases[i].hex, cases[i].expected);
}

/* No code of the four tables stops the walk, and each has a name. */
static void every_code_is_walked_over(void **state)
{
    static const uint8_t before[4] = { 0, 0xfb, 0xfd, 0xef };

    (void)state;
    for (unsigned table = 0; table < 4; table++) {
        for (unsigned code = 0; code < 0x80; code++) {
            uint8_t bytes[6] = { 2, before[table], (uint8_t)code, 1, 0 };
            struct span all = table ? span_of(bytes, 5) : span_of(bytes, 4);
            struct rd rd;
            struct oms_value v;

            if (!table) {
                bytes[1] = (uint8_t)code;
                bytes[2] = 1;
                bytes[3] = 0;
                if (code == 0x7c) { /* one character of unit */
                    bytes[2] = 1, bytes[3] = 'x', bytes[4] = 1, bytes[5] = 0;
                    all.len = 6;
                }
            }
            rd = rd_of(all);
            assert_ok(oms_record_read(&rd, &v, NULL));
            assert_int_equal(rd_left(&rd), 0);
            assert_int_equal(v.data.len, 2);
            assert_non_null(v.vif->name);
        }
    }
}

static void what_is_unknown_is_kept_raw_and_does_not_stop(void **state)
{
    (void)state;
    assert_told("04ef12 01020304", "extension_ef 04030201");
    assert_told("04fdfd45 01020304", "extension_fd_fd 04030201");
    assert_told("04fb7e 01020304", "power_maximum_sum 67305985000 W");
    assert_told("04fb40 01020304", "unknown 04030201 (hex)");
    assert_told("04fd77 01020304", "unknown 04030201 (hex)");
    assert_told("06ff1b 067000097000", "maker 007009007006 (hex)");
    assert_told("04ff9b8a0a 01020304", "maker 04030201 (hex)");
}

static void a_unit_in_words_is_read(void **state)
{
    (void)state;
    assert_told("027c 03 746f70 0a00", "in_words 10 pot");
    assert_told("02fc 03 746f70 3b 0a00", "in_words.forward 10 pot (only forward)");
    assert_told("027c 00 0a00", "in_words 10");
}

/* ---- VIFEs ---------------------------------------------------------------------------------- */

static void extensions_change_scale_and_kind(void **state)
{
    (void)state;
    assert_told("04933b 01000000", "volume.forward 0.001 m3 (only forward)");
    assert_told("04933c 01000000", "volume.backward 0.001 m3 (only backward)");
    assert_told("049370 01000000", "volume 0.000000001 m3 (times a power of ten (10^-6))");
    assert_told("049377 01000000", "volume 0.01 m3 (times a power of ten (10^1))");
    assert_told("04937d 01000000", "volume 1 m3 (times 1000)");
    assert_told("04937b 01000000", "volume 1.001 m3 (plus a power of ten (10^0))");
    assert_told("049378 05000000", "volume 0.006 m3 (plus a power of ten (10^-3))");
    assert_told("04967b 05000000", "volume 6 m3 (plus a power of ten (10^0))");
    assert_told("049312 01000000", "volume 0.001 m3 (average)");
    assert_told("04bb56 01000000", "flow 1 h (duration of exceeding the lower limit)");
    assert_told("02ed7e 9f2c", "date 2020-12-31 (in future)");
    assert_told("04bb6e 24134d36", "flow 2026-06-13 19:36 (date of)");
    assert_told("0493fc3b 01000000", "volume 0.001 m3 (by the second table)");
    assert_told("0493ff3b 01000000", "volume 0.001 m3 (the maker's)");
    assert_told("049395bb3b 01000000",
                "volume.forward 0.001 m3 (error: no data, only forward, only forward)");
}

/* ---- data ----------------------------------------------------------------------------------- */

static void integers_are_signed_and_their_least_is_none(void **state)
{
    (void)state;
    assert_told("0113 ff", "volume -0.001 m3");
    assert_told("0113 7f", "volume 0.127 m3");
    assert_told("0113 80", "volume (the meter has no value)");
    assert_told("0213 0080", "volume (the meter has no value)");
    assert_told("0313 000080", "volume (the meter has no value)");
    assert_told("0413 00000080", "volume (the meter has no value)");
    assert_told("0613 000000000080", "volume (the meter has no value)");
    assert_told("0713 0000000000000080", "volume (the meter has no value)");
    assert_told("0413 01000080", "volume -2147483.647 m3");
    assert_told("0613 ffffffffff7f", "volume 140737488355.327 m3");
    assert_told("0713 ffffffffffffff7f", "volume 9223372036854775.807 m3");
    assert_told("0717 0100000000000080", "volume -92233720368547758070 m3");
}

static void decimals_know_minus_and_none(void **state)
{
    (void)state;
    assert_told("0913 42", "volume 0.042 m3");
    assert_told("0a13 2143", "volume 4.321 m3");
    assert_told("0b13 563412", "volume 123.456 m3");
    assert_told("0c13 99999999", "volume 99999.999 m3");
    assert_told("0e13 999999999999", "volume 999999999.999 m3");
    assert_told("0c13 010000f0", "volume -0.001 m3");
    assert_told("0c13 563412f7", "volume -7123.456 m3");
    assert_told("0913 f5", "volume -0.005 m3");
    assert_told("0b13 ffffff", "volume (the meter has no value)");
    assert_told("0913 ff", "volume (the meter has no value)");
    assert_told("0c13 5634a2f7", "volume (has nibbles that are no decimal digits)");
    assert_told("0c13 563412e7", "volume (has nibbles that are no decimal digits)");
    assert_told("0c13 ffffff0f", "volume (has nibbles that are no decimal digits)");
    /* What names something shows its digits, whatever they are. */
    assert_told("0e78 9986012401ff", "fabrication_number FF0124018699");
    assert_told("0c78 ffffffff", "fabrication_number (the meter has no value)");
    assert_told("0478 ffffffff", "fabrication_number 4294967295");
}

static void floats_are_exact_decimals_or_none(void **state)
{
    (void)state;
    assert_told("0516 00004841", "volume 12.5 m3");
    assert_told("0516 000048c1", "volume -12.5 m3");
    assert_told("0513 0000803f", "volume 0.001 m3");
    assert_told("0516 cdcccc3d", "volume 0.100000001490116119 m3 (more digits follow)");
    assert_told("0516 79e9f642", "volume 123.456001281738281 m3 (more digits follow)");
    assert_told("0516 ffffff4b", "volume 33554430 m3");
    assert_told("0516 00000000", "volume 0 m3");
    assert_told("0516 00000080", "volume 0 m3");
    assert_told("0516 0000807f", "volume (is no number (float NaN or infinity))");
    assert_told("0516 000080ff", "volume (is no number (float NaN or infinity))");
    assert_told("0516 0000c07f", "volume (is no number (float NaN or infinity))");
    assert_told("0516 01000000", "volume 0 m3 (more digits follow)"); /* 1.4e-45 */
    assert_told("0516 ffff7f7f", "volume 340282346638528859000000000000000000000 m3 (more digits "
                                 "follow)");
}

static void lengths_that_vary_are_read(void **state)
{
    (void)state;
    assert_told("0dfd11 0a 38373130313442303241", "customer A20B410178");
    assert_told("0d78 08 3731323832323931", "fabrication_number 19228217");
    assert_told("0dfd11 02 e941", "customer A."); /* ISO 8859-1, shown as far as it is ASCII */
    assert_told("0d13 00", "volume (no data)");
    assert_told("0d13 c2 3412", "volume 1.234 m3");
    assert_told("0d13 d2 3412", "volume -1.234 m3");
    assert_told("0d13 c9 999999999999999999", "volume 999999999999999.999 m3");
    assert_told("0d13 e3 010000", "volume 0.001 m3");
    assert_told("0d13 e1 80", "volume (the meter has no value)");
    assert_told("0d13 ea 01000000000000000000", "volume 00000000000000000001");
    assert_told("0d13 f0 01000000000000000000000000000000",
                "volume 00000000000000000000000000000001");
    assert_told("0d13 f8 0000000000000000", "volume 0000000000000000");
    assert_told("0d13 ca 00", "volume 2 bytes (cannot be told apart: kept raw)");
    assert_told("0d13 fb 00", "volume 2 bytes (cannot be told apart: kept raw)");
}

static void a_record_without_data_is_legal(void **state)
{
    (void)state;
    assert_told("0013", "volume (no data)");
    assert_told("0813", "volume (no data)");
}

static void special_difs_are_told_apart(void **state)
{
    (void)state;
    assert_told("2f", "filler 1");
    assert_told("2f2f2f", "filler 3");
    assert_told("7f", "filler 1");
    assert_told("0f 0102", "maker_data 2 bytes (the maker's own)");
    assert_told("1f", "maker_data 0 bytes (the maker's own)");
    assert_told("3f 0102", "reserved 2 bytes (cannot be told apart: kept raw)");
    assert_told("ff ff", "reserved 1 bytes (cannot be told apart: kept raw)");
}

static void a_record_cut_at_any_byte_is_truncated(void **state)
{
    static const char *const whole[] = {
        "0413 01000000",          "84d0 40 93 3b 01000000",  "0dfd11 0a 38373130313442303241",
        "02fc 03 746f70 3b 0a00", "06fd 93 13 112233445566", "0d93 1f 06 03 01 01000000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        uint8_t bytes[64];
        size_t len = 0;

        assert_ok(hex_read(span_text(whole[i]), bytes, sizeof bytes, &len));
        for (size_t cut = 1; cut < len; cut++) {
            struct span guarded = check_guarded(span_of(bytes, cut));
            struct rd rd = rd_of(guarded);
            struct refusal r = { .err = ERR_OK };
            struct oms_value v;

            assert_err(ERR_TRUNCATED, oms_record_read(&rd, &v, &r));
            assert_int_equal(r.err, ERR_TRUNCATED);
            assert_int_equal(r.offset, 0);
            assert_ptr_equal(rd.at, guarded.at);
            check_unguard(guarded.at, guarded.len);
        }
    }
}

/* ---- numbers as text ------------------------------------------------------------------------ */

static void numbers_are_written_exactly(void **state)
{
    static const struct {
        int64_t number;
        int power;
        const char *text;
    } cases[] = {
        { 0, 0, "0" },
        { 0, -6, "0" },
        { 0, 6, "0" },
        { 1, -1, "0.1" },
        { 10, -1, "1" },
        { 1234, -3, "1.234" },
        { 1234, -4, "0.1234" },
        { 1234, -6, "0.001234" },
        { -1200, -3, "-1.2" },
        { -5, 3, "-5000" },
        { INT64_MIN, 0, "-9223372036854775808" },
        { INT64_MAX, -18, "9.223372036854775807" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[OMS_NUMBER_SIZE];

        oms_put_number(text, cases[i].number, cases[i].power);
        assert_string_equal(text, cases[i].text);
    }
}

/* Random bytes: every walk ends, and what it says fits. */
static void random_records_are_walked_to_an_end(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = 1 + check_below(&r, 100);
        uint8_t *bytes = check_guard(len);
        struct rd rd = rd_of(span_of(bytes, len));

        check_fill(&r, bytes, len);
        while (rd_left(&rd)) {
            const uint8_t *before = rd.at;
            struct oms_value v;

            if (oms_record_read(&rd, &v, NULL))
                break;
            assert_true(rd.at > before);
            assert_true(v.raw.at == before && v.raw.at + v.raw.len == rd.at);
            (void)told(&v);
        }
        check_unguard(bytes, len);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage_tariff_and_subunit_grow_with_each_extension),
        cmocka_unit_test(functions_are_told),
        cmocka_unit_test(eleven_extensions_are_refused),
        cmocka_unit_test(each_unit_has_its_scale),
        cmocka_unit_test(every_code_is_walked_over),
        cmocka_unit_test(what_is_unknown_is_kept_raw_and_does_not_stop),
        cmocka_unit_test(a_unit_in_words_is_read),
        cmocka_unit_test(extensions_change_scale_and_kind),
        cmocka_unit_test(integers_are_signed_and_their_least_is_none),
        cmocka_unit_test(decimals_know_minus_and_none),
        cmocka_unit_test(floats_are_exact_decimals_or_none),
        cmocka_unit_test(lengths_that_vary_are_read),
        cmocka_unit_test(a_record_without_data_is_legal),
        cmocka_unit_test(special_difs_are_told_apart),
        cmocka_unit_test(a_record_cut_at_any_byte_is_truncated),
        cmocka_unit_test(numbers_are_written_exactly),
        cmocka_unit_test(random_records_are_walked_to_an_end),
    };

    return check_run(tests, argc, argv);
}
