#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "tests/check.h"

static void what_is_written_is_read(void **state)
{
    uint8_t buffer[64];
    struct wr w = wr_of(buffer, sizeof(buffer));
    struct rd r;

    (void)state;
    wr_u8(&w, 0x81);
    wr_le16(&w, 0x8182);
    wr_le32(&w, 0x81828384);
    wr_le64(&w, 0x8182838485868788);
    wr_be16(&w, 0x8182);
    wr_be32(&w, 0x81828384);
    wr_be64(&w, 0x8182838485868788);
    wr_counted(&w, span_text("ab"));
    wr_text(&w, "c");
    wr_format(&w, "%d", 12);
    assert_ok(w.err);
    assert_int_equal(buffer[1], 0x82);
    assert_int_equal(buffer[15], 0x81);

    r = rd_of(wr_span(&w));
    assert_int_equal(rd_u8(&r), 0x81);
    assert_int_equal(rd_le16(&r), 0x8182);
    assert_int_equal(rd_le32(&r), 0x81828384);
    assert_int_equal(rd_le64(&r), 0x8182838485868788);
    assert_int_equal(rd_be16(&r), 0x8182);
    assert_int_equal(rd_be32(&r), 0x81828384);
    assert_int_equal(rd_be64(&r), 0x8182838485868788);
    assert_true(span_equal(rd_counted(&r), span_text("ab")));
    assert_true(span_equal(rd_bytes(&r, 3), span_text("c12")));
    assert_ok(r.err);
    assert_int_equal(rd_left(&r), 0);
}

static void varints_of_every_length_come_back(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t v = check_random(&random) >> check_below(&random, 64);
        uint8_t buffer[20];
        struct wr w = wr_of(buffer, sizeof(buffer));
        struct rd r;

        wr_varint(&w, v);
        wr_zigzag(&w, (int64_t)v);
        r = rd_of(wr_span(&w));
        assert_int_equal(rd_varint(&r), v);
        assert_int_equal(rd_zigzag(&r), (int64_t)v);
        assert_ok(r.err);
    }
}

static void zigzag_puts_small_numbers_first(void **state)
{
    static const int64_t numbers[] = { 0, -1, 1, -2, 2 };

    (void)state;
    for (uint8_t i = 0; i < 5; i++) {
        struct rd r = rd_of(span_of(&i, 1));

        assert_int_equal(rd_zigzag(&r), numbers[i]);
    }
}

static void a_varint_over_64_bits_is_refused(void **state)
{
    static const uint8_t longest[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    static const uint8_t over[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
    static const uint8_t longer[] = {
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0
    };
    struct rd r = rd_of(span_of(longest, sizeof(longest)));

    (void)state;
    assert_int_equal(rd_varint(&r), UINT64_MAX);
    assert_ok(r.err);
    r = rd_of(span_of(over, sizeof(over)));
    assert_int_equal(rd_varint(&r), 0);
    assert_err(ERR_MALFORMED, r.err);
    r = rd_of(span_of(longer, sizeof(longer)));
    assert_int_equal(rd_varint(&r), 0);
    assert_err(ERR_MALFORMED, r.err);
}

static void the_first_error_sticks_and_moves_nothing(void **state)
{
    struct span guarded = check_guarded(span_of("\x05\x01\x02", 3));
    struct rd r = rd_of(guarded);

    (void)state;
    assert_int_equal(rd_counted(&r).len, 0);
    assert_err(ERR_TRUNCATED, r.err);
    assert_int_equal(rd_offset(&r), 0);
    rd_fail(&r, ERR_MALFORMED);
    assert_int_equal(rd_u8(&r), 0);
    assert_err(ERR_TRUNCATED, r.err);
    assert_int_equal(rd_left(&r), 3);
    check_unguard(guarded.at, guarded.len);
}

static void every_read_stops_at_the_end(void **state)
{
    (void)state;
    for (size_t len = 0; len < 8; len++) {
        uint8_t *at = check_guard(len);
        struct rd r = rd_of(span_of(at, len));

        memset(at, 0x80, len);
        rd_le64(&r);
        assert_err(ERR_TRUNCATED, r.err);
        r = rd_of(span_of(at, len));
        rd_be64(&r);
        assert_err(ERR_TRUNCATED, r.err);
        r = rd_of(span_of(at, len));
        rd_varint(&r);
        assert_err(ERR_TRUNCATED, r.err);
        r = rd_of(span_of(at, len));
        rd_bytes(&r, SIZE_MAX);
        assert_err(ERR_TRUNCATED, r.err);
        check_unguard(at, len);
    }
}

static void a_full_writer_says_so_and_keeps_what_it_has(void **state)
{
    uint8_t *at = check_guard(4);
    struct wr w = wr_of(at, 4);

    (void)state;
    wr_u8(&w, 7);
    wr_counted(&w, span_text("long"));
    assert_err(ERR_FULL, w.err);
    assert_int_equal(wr_len(&w), 1);
    wr_u8(&w, 8);
    assert_int_equal(wr_len(&w), 1);
    w = wr_of(at, 4);
    wr_format(&w, "%d", 1234); /* printf's zero has no room */
    assert_err(ERR_FULL, w.err);
    assert_int_equal(wr_len(&w), 0);
    check_unguard(at, 4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(varints_of_every_length_come_back),
        cmocka_unit_test(zigzag_puts_small_numbers_first),
        cmocka_unit_test(a_varint_over_64_bits_is_refused),
        cmocka_unit_test(the_first_error_sticks_and_moves_nothing),
        cmocka_unit_test(every_read_stops_at_the_end),
        cmocka_unit_test(a_full_writer_says_so_and_keeps_what_it_has),
    };

    return check_run(tests, argc, argv);
}
