/* What tests/golden cannot say: the meter's second name, roundings over the whole range, what explain tells. */
#include "proto/gather.h"
#include "proto/senml.h"
#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */

static uint8_t memory[1 << 20];

static enum err decode_by(const struct dialect *d, struct span bytes, struct frame *out,
                          struct refusal *r)
{
    struct dialect_input in = { .bytes = check_guarded(bytes), .arrival_s = ARRIVAL_S };
    struct arena a = { memory, 0, sizeof memory };
    enum err err;

    memset(out, 0, sizeof *out);
    err = d->decode(&in, &a, out, r);
    check_unguard(in.bytes.at, in.bytes.len);
    return err;
}

static struct frame decoded(const char *json)
{
    struct refusal r = { .err = ERR_OK };
    struct frame f;

    if (decode_by(&dialect_senml_json, span_text(json), &f, &r))
        fail_msg("%s: %s %s: %s", json, err_name(r.err), r.field, r.text);
    return f;
}

static void a_meter_is_named_whole_and_by_its_number(void **state)
{
    static const struct {
        const char *bn, *names[2];
    } packs[] = {
        { "urn:imei:868123456789012:", { "urn:imei:868123456789012", "868123456789012" } },
        { "urn:dev:mac:0024befffe804ff1:", { "urn:dev:mac:0024befffe804ff1", "0024befffe804ff1" } },
        { "URN:DEV:MAC:0024befffe804ff1:", { "URN:DEV:MAC:0024befffe804ff1", "0024befffe804ff1" } },
        { "urn:imei:868123456789012/3424/0/1/", { "urn:imei:868123456789012", "868123456789012" } },
        { "10000017:", { "10000017", NULL } },
        { "10000017/", { "10000017", NULL } },
        { "site:10000017:", { "site:10000017", "10000017" } },
        { "site/10000017/", { "10000017", NULL } },
        { "urn:uuid:f81d4fae7dec11d0a76500a0c91e6bf6:",
          { "f81d4fae7dec11d0a76500a0c91e6bf6", NULL } },
        { "a name with blanks:", { NULL, NULL } },
        { "", { NULL, NULL } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++) {
        char json[200];
        struct frame f;
        uint32_t count = 0;

        snprintf(json, sizeof json, "[{\"bn\":\"%s\",\"n\":\"vol\",\"u\":\"m3\",\"v\":1}]",
                 packs[i].bn);
        f = decoded(json);
        for (; count < 2 && packs[i].names[count]; count++)
            if (count >= f.names.count ||
                !span_equal(f.names.at[count], span_text(packs[i].names[count])))
                fail_msg("%s: name %u is not %s", packs[i].bn, count, packs[i].names[count]);
        assert_int_equal(f.names.count, count);
    }
}

static void names_may_be_spelt_in_several_ways(void **state)
{
    static const char *const names[] = { "vol",          "Volume",          "TOTAL_VOLUME",
                                         "total-volume", "cumulatedVolume", "index",
                                         "water/volume", "main:vol" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char json[200];
        struct frame f;

        snprintf(json, sizeof json, "[{\"bn\":\"urn:imei:1:\",\"n\":\"%s\",\"u\":\"m3\",\"v\":1}]",
                 names[i]);
        f = decoded(json);
        if (f.series_count != 1 || f.series[0].channel != CHANNEL_BILLED)
            fail_msg("%s: no volume", names[i]);
    }
}

static void a_frame_that_waits_for_its_unit_names_its_meter(void **state)
{
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(ERR_NO_RECIPE, decode_by(&dialect_senml_json,
                                        span_text("[{\"n\":\"urn:imei:868123456789012:vol\",\"u\":"
                                                  "\"CF\",\"v\":1},{\"n\":\"leak\",\"vb\":true}]"),
                                        &f, &r));
    assert_true(span_equal(f.names.at[0], span_text("urn:imei:868123456789012")));
    assert_int_equal(f.status, STATUS_LEAK);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int64_t decimal_value(const char *text, const char *unit)
{
    char json[300];
    struct frame f;

    snprintf(json, sizeof json, "[{\"n\":\"1:vol\",\"u\":\"%s\",\"v\":%s}]", unit, text);
    f = decoded(json);
    assert_int_equal(f.series_count, 1);
    return f.series[0].samples[0].value;
}

static void decimals_are_exact_to_the_millilitre(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        int64_t ml = check_between(&random, 0, 9200000000000000000);
        char text[64];

        snprintf(text, sizeof text, "%lld.%06lld", (long long)(ml / 1000000),
                 (long long)(ml % 1000000));
        assert_int_equal(decimal_value(text, "m3"), ml);
        snprintf(text, sizeof text, "-%llde-3", (long long)ml);
        assert_int_equal(decimal_value(text, "L"), -ml);
    }
    assert_int_equal(decimal_value("81.0976", "m3"), 81097600);
    assert_int_equal(decimal_value("0.00049999999999999999999999999999", "L"), 0);
    assert_int_equal(decimal_value("0.0005", "L"), 1);
    assert_int_equal(decimal_value("-0.0005", "L"), -1);
    assert_int_equal(decimal_value("1e-99999", "L"), 0);
}

static int64_t double_value(double v)
{
    uint8_t bytes[] = { 0x81, 0xa3, 0x00, 0x65, '1', ':', 'v', 'o', 'l', 0x01, 0x62, 'm',
                        '3',  0x02, 0xfb, 0,    0,   0,   0,   0,   0,   0,    0 };
    struct refusal r;
    uint64_t bits;
    struct frame f;

    memcpy(&bits, &v, sizeof bits);
    for (unsigned i = 0; i < 8; i++)
        bytes[15 + i] = (uint8_t)(bits >> (56 - 8 * i));
    assert_ok(decode_by(&dialect_senml_cbor, span_of(bytes, sizeof bytes), &f, &r));
    return f.series[0].samples[0].value;
}

/* The double nearest to a decimal of a millilitre comes back as that millilitre, as far as doubles tell them apart. */
static void doubles_are_the_millilitre_they_are_nearest_to(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        int64_t ml = check_between(&random, -(1ll << 50), 1ll << 50);
        char text[64];

        snprintf(text, sizeof text, "%s%lld.%06lld", ml < 0 ? "-" : "",
                 (long long)llabs(ml / 1000000), (long long)llabs(ml % 1000000));
        assert_int_equal(double_value(strtod(text, NULL)), ml);
    }
    assert_int_equal(double_value(81.0976), 81097600);
    assert_int_equal(double_value(5e-7), 0); /* a little below the half */
    assert_int_equal(double_value(0.5 / 1048576), 0);
    assert_int_equal(double_value(1e-300), 0);
    assert_int_equal(double_value(-0.0), 0);
}

static void what_leaves_our_range_is_refused(void **state)
{
    uint8_t bytes[] = { 0x81, 0xa3, 0x00, 0x65, '1',  ':',  'v',  'o',  'l',  0x01, 0x62, 'm',
                        '3',  0x02, 0xfb, 0x7e, 0x37, 0xe4, 0x3c, 0x88, 0x00, 0x75, 0x9c };
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(ERR_RANGE, decode_by(&dialect_senml_cbor, span_of(bytes, sizeof bytes), &f, &r));
    assert_err(ERR_RANGE,
               decode_by(&dialect_senml_json,
                         span_text("[{\"n\":\"1:vol\",\"u\":\"l\",\"bv\":9.2e15,\"v\":0.001}]"), &f,
                         &r));
    assert_ok(decode_by(&dialect_senml_json,
                        span_text("[{\"n\":\"1:vol\",\"u\":\"l\",\"bv\":9.2e15,\"v\":0.0001}]"), &f,
                        &r));
}

/* ---- many records --------------------------------------------------------------------------- */

static void a_pack_of_many_records_is_read_or_refused(void **state)
{
    static char json[65536];
    struct refusal r;
    struct frame f;
    size_t len = 0;
    unsigned count = 0;

    (void)state;
    len += (size_t)snprintf(json, sizeof json, "[{\"bn\":\"1:vol\",\"bu\":\"l\"}");
    for (; len < sizeof json - 20; count++)
        len += (size_t)snprintf(json + len, sizeof json - len, ",{\"v\":%u}", count % 10);
    json[len++] = ']';
    assert_ok(decode_by(&dialect_senml_json, span_of(json, len), &f, &r));
    assert_int_equal(f.series[0].count, count);
}

static void explain_tells_every_record(void **state)
{
    static const char *const lines[] = { "record[0] 10000017:vol",
                                         "81.0976 m3",
                                         "record[1] 10000017:vol",
                                         "12 CF",
                                         "unit not known",
                                         "record[2] 10000017:firmware",
                                         "1.2.3",
                                         "no measure that we keep",
                                         "unknown field",
                                         "= meter",
                                         "81097.6 L = 2026-11-26T00:00:00Z" };
    static uint8_t text[16384];
    struct dialect_input in = {
        .bytes = span_text(
            "[{\"bn\":\"10000017:\",\"n\":\"vol\",\"u\":\"m3\",\"v\":81.0976},"
            "{\"n\":\"vol\",\"u\":\"CF\",\"v\":12},{\"n\":\"firmware\",\"vs\":\"1.2.3\",\"x\":1}]"),
        .arrival_s = ARRIVAL_S
    };
    struct arena a = { memory, 0, sizeof memory };
    struct wr w = wr_of(text, sizeof text - 1);

    (void)state;
    assert_ok(dialect_explain(&dialect_senml_json, &in, false, &a, &w, NULL));
    *w.at = 0;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr((const char *)text, lines[i]))
            fail_msg("'%s' is not told in\n%s", lines[i], (const char *)text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_is_named_whole_and_by_its_number),
        cmocka_unit_test(names_may_be_spelt_in_several_ways),
        cmocka_unit_test(a_frame_that_waits_for_its_unit_names_its_meter),
        cmocka_unit_test(decimals_are_exact_to_the_millilitre),
        cmocka_unit_test(doubles_are_the_millilitre_they_are_nearest_to),
        cmocka_unit_test(what_leaves_our_range_is_refused),
        cmocka_unit_test(a_pack_of_many_records_is_read_or_refused),
        cmocka_unit_test(explain_tells_every_record),
    };

    return check_run(tests, argc, argv);
}
