#include "proto/base/cbor.h"
#include "proto/base/hex.h"
#include "tests/check.h"

#include <math.h>

#define SOME(list) (sizeof(list) / sizeof *(list))

static uint8_t room[4096];

static struct rd reading(const char *hex)
{
    size_t len;

    assert_ok(hex_read(span_text(hex), room, sizeof room, &len));
    return rd_of(check_guarded(span_of(room, len)));
}

static void read_up(const struct rd *r)
{
    check_unguard(r->start, (size_t)(r->end - r->start));
}

static void whole_numbers_of_the_standard_are_read(void **state)
{
    static const struct { /* RFC 8949 appendix A */
        const char *hex;
        bool fits;
        int64_t value;
    } numbers[] = {
        { "00", true, 0 },
        { "17", true, 23 },
        { "1818", true, 24 },
        { "1903e8", true, 1000 },
        { "1a000f4240", true, 1000000 },
        { "1b000000e8d4a51000", true, 1000000000000 },
        { "1bffffffffffffffff", false, 0 },
        { "1b7fffffffffffffff", true, INT64_MAX },
        { "20", true, -1 },
        { "3863", true, -100 },
        { "3903e7", true, -1000 },
        { "3b7fffffffffffffff", true, INT64_MIN },
        { "3bffffffffffffffff", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < SOME(numbers); i++) {
        struct rd r = reading(numbers[i].hex);
        struct cbor c;
        int64_t v = 0;

        assert_true(cbor_next(&r, &c));
        assert_int_equal(cbor_is_int(&c, &v), numbers[i].fits);
        assert_int_equal(v, numbers[i].value);
        assert_int_equal(rd_left(&r), 0);
        read_up(&r);
    }
}

static void floats_of_the_standard_are_exact(void **state)
{
    static const struct { /* RFC 8949 appendix A */
        const char *hex;
        double value;
    } floats[] = {
        { "f90000", 0.0 },
        { "f98000", -0.0 },
        { "f93c00", 1.0 },
        { "fb3ff199999999999a", 1.1 },
        { "f93e00", 1.5 },
        { "f97bff", 65504.0 },
        { "fa47c35000", 100000.0 },
        { "fa7f7fffff", 3.4028234663852886e+38 },
        { "fb7e37e43c8800759c", 1.0e+300 },
        { "f90001", 5.960464477539063e-8 },
        { "f90400", 0.00006103515625 },
        { "f9c400", -4.0 },
        { "fbc010666666666666", -4.1 },
        { "fa00000001", 1.401298464324817e-45 },
        { "fb0000000000000001", 4.9406564584124654e-324 },
    };

    (void)state;
    for (size_t i = 0; i < SOME(floats); i++) {
        struct rd r = reading(floats[i].hex);
        struct cbor c;

        assert_true(cbor_next(&r, &c));
        assert_int_equal(c.kind, CBOR_FLOAT);
        assert_true(c.finite);
        if (ldexp((double)c.mantissa, c.power) != floats[i].value)
            fail_msg("%s is %lld * 2^%d", floats[i].hex, (long long)c.mantissa, c.power);
        read_up(&r);
    }
}

static void what_is_not_finite_is_told(void **state)
{
    static const char *const floats[] = { "f97c00",     "f97e00",     "f9fc00",
                                          "fa7f800000", "fa7fc00000", "fbfff0000000000000" };

    (void)state;
    for (size_t i = 0; i < SOME(floats); i++) {
        struct rd r = reading(floats[i]);
        struct cbor c;

        assert_true(cbor_next(&r, &c));
        assert_false(c.finite);
        read_up(&r);
    }
}

static void other_items_are_what_they_are(void **state)
{
    static const struct {
        const char *hex;
        enum cbor_kind kind;
        uint64_t value;
    } items[] = {
        { "f4", CBOR_FALSE, 20 },     { "f5", CBOR_TRUE, 21 },       { "f6", CBOR_NULL, 22 },
        { "f7", CBOR_UNDEFINED, 23 }, { "f0", CBOR_SIMPLE, 16 },     { "f8ff", CBOR_SIMPLE, 255 },
        { "c1", CBOR_TAG, 1 },        { "d9d9f7", CBOR_TAG, 55799 }, { "6161", CBOR_TEXT, 1 },
        { "420102", CBOR_BYTES, 2 },  { "830102", CBOR_NONE, 0 },    { "820102", CBOR_ARRAY, 2 },
        { "a10102", CBOR_MAP, 1 },    { "ff", CBOR_BREAK, 31 },      { "80", CBOR_ARRAY, 0 },
    };

    (void)state;
    for (size_t i = 0; i < SOME(items); i++) {
        struct rd r = reading(items[i].hex);
        struct cbor c;

        assert_int_equal(cbor_next(&r, &c), items[i].kind != CBOR_NONE);
        assert_int_equal(c.kind, items[i].kind);
        assert_int_equal(c.value, items[i].value);
        read_up(&r);
    }
}

static void walks_end_by_count_or_by_break(void **state)
{
    static const char *const arrays[] = { "83010203", "9f010203ff" };

    (void)state;
    for (size_t i = 0; i < SOME(arrays); i++) {
        struct rd r = reading(arrays[i]);
        struct cbor_walk w;
        struct cbor c;
        unsigned sum = 0;

        assert_true(cbor_next(&r, &c));
        for (w = cbor_walk(&c); cbor_more(&r, &w);) {
            assert_true(cbor_next(&r, &c));
            sum += (unsigned)c.value;
        }
        assert_int_equal(sum, 6);
        assert_false(cbor_more(&r, &w));
        assert_ok(r.err);
        assert_int_equal(rd_left(&r), 0);
        read_up(&r);
    }
}

static void whole_items_are_passed_over(void **state)
{
    static const char *const items[] = {
        "00",
        "6161",
        "83010203",
        "a201020304",
        "9f01820203ff",
        "bf61610161629f0203ffff",
        "5f42010243030405ff",
        "7f61616162ff",
        "c48221196ab3",
        "d9d9f7d9d9f700",
        "8301820203820405",
        "a26161016162820203",
        "5fff",
        "9fff",
        "bfff",
        "f6",
        "fb3ff199999999999a",
    };

    (void)state;
    for (size_t i = 0; i < SOME(items); i++) {
        struct rd r = reading(items[i]);

        cbor_skip(&r);
        if (r.err || rd_left(&r))
            fail_msg("%s: %s, %zu bytes left", items[i], err_name(r.err), rd_left(&r));
        read_up(&r);
    }
}

static void what_is_not_well_formed_is_refused(void **state)
{
    static const struct {
        const char *hex;
        enum err err;
    } items[] = {
        /* RFC 8949 appendix F */
        { "", ERR_TRUNCATED },
        { "18", ERR_TRUNCATED },
        { "1901", ERR_TRUNCATED },
        { "1a0102", ERR_TRUNCATED },
        { "1b01020304050607", ERR_TRUNCATED },
        { "38", ERR_TRUNCATED },
        { "41", ERR_TRUNCATED },
        { "61", ERR_TRUNCATED },
        { "5affffffff00", ERR_TRUNCATED },
        { "5bffffffffffffffff010203", ERR_TRUNCATED },
        { "7affffffff00", ERR_TRUNCATED },
        { "7b7fffffffffffffff010203", ERR_TRUNCATED },
        { "81", ERR_TRUNCATED },
        { "818181818181818181", ERR_TRUNCATED },
        { "8200", ERR_TRUNCATED },
        { "a1", ERR_TRUNCATED },
        { "a20102", ERR_TRUNCATED },
        { "a100", ERR_TRUNCATED },
        { "a2000000", ERR_TRUNCATED },
        { "c0", ERR_TRUNCATED },
        { "9affffffff00", ERR_TRUNCATED },
        { "bb7fffffffffffffff00", ERR_TRUNCATED },
        { "f8", ERR_TRUNCATED },
        { "f900", ERR_TRUNCATED },
        { "5f4100", ERR_TRUNCATED },
        { "7f6100", ERR_TRUNCATED },
        { "9f", ERR_TRUNCATED },
        { "9f0102", ERR_TRUNCATED },
        { "bf", ERR_TRUNCATED },
        { "bf01020102", ERR_TRUNCATED },
        { "819f", ERR_TRUNCATED },
        { "9f8000", ERR_TRUNCATED },
        { "9f819f819f9fffffff", ERR_TRUNCATED },
        { "1c", ERR_MALFORMED },
        { "3d", ERR_MALFORMED },
        { "5e", ERR_MALFORMED },
        { "7c", ERR_MALFORMED },
        { "9d", ERR_MALFORMED },
        { "be", ERR_MALFORMED },
        { "dc", ERR_MALFORMED },
        { "fd", ERR_MALFORMED },
        { "f818", ERR_MALFORMED },
        { "f800", ERR_MALFORMED },
        { "f81f", ERR_MALFORMED },
        { "5f00ff", ERR_MALFORMED },
        { "5f21ff", ERR_MALFORMED },
        { "5f6100ff", ERR_MALFORMED },
        { "5f80ff", ERR_MALFORMED },
        { "5fc000ff", ERR_MALFORMED },
        { "7f4100ff", ERR_MALFORMED },
        { "5f5f4100ffff", ERR_MALFORMED },
        { "7f7f6100ffff", ERR_MALFORMED },
        { "ff", ERR_MALFORMED },
        { "81ff", ERR_MALFORMED },
        { "8200ff", ERR_MALFORMED },
        { "a1ff", ERR_TRUNCATED },
        { "a1ff00", ERR_MALFORMED },
        { "a100ff", ERR_MALFORMED },
        { "a20000ff", ERR_TRUNCATED },
        { "9f81ff", ERR_MALFORMED },
        { "bf00ff", ERR_MALFORMED },
        { "bf000000ff", ERR_MALFORMED },
        { "1f", ERR_MALFORMED },
        { "3f", ERR_MALFORMED },
        { "df00", ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < SOME(items); i++) {
        struct rd r = reading(items[i].hex);

        cbor_skip(&r);
        if (r.err != items[i].err)
            fail_msg("%s: %s", items[i].hex, err_name(r.err));
        read_up(&r);
    }
}

static void nesting_has_an_end(void **state)
{
    uint8_t deep[CBOR_DEPTH + 2];
    struct rd r;

    (void)state;
    memset(deep, 0x81, sizeof deep);
    deep[CBOR_DEPTH] = 0;
    r = rd_of(span_of(deep, CBOR_DEPTH + 1));
    cbor_skip(&r);
    assert_ok(r.err);
    deep[CBOR_DEPTH] = 0x81;
    deep[CBOR_DEPTH + 1] = 0;
    r = rd_of(span_of(deep, CBOR_DEPTH + 2));
    cbor_skip(&r);
    assert_err(ERR_TOO_LARGE, r.err);
}

static void random_bytes_end(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = check_below(&random, 60);
        struct span bytes;
        struct rd r;

        check_fill(&random, room, len);
        if (len && check_below(&random, 2))
            room[0] = (uint8_t)(0x80 | check_below(&random, 0x40));
        bytes = check_guarded(span_of(room, len));
        r = rd_of(bytes);
        cbor_skip(&r);
        assert_true(r.err == ERR_OK || r.err == ERR_TRUNCATED || r.err == ERR_MALFORMED ||
                    r.err == ERR_TOO_LARGE);
        check_unguard(bytes.at, bytes.len);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_of_the_standard_are_read),
        cmocka_unit_test(floats_of_the_standard_are_exact),
        cmocka_unit_test(what_is_not_finite_is_told),
        cmocka_unit_test(other_items_are_what_they_are),
        cmocka_unit_test(walks_end_by_count_or_by_break),
        cmocka_unit_test(whole_items_are_passed_over),
        cmocka_unit_test(what_is_not_well_formed_is_refused),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(random_bytes_end),
    };

    return check_run(tests, argc, argv);
}
