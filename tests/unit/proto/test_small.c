/* Errors, arena, checksum, hexadecimal text. */
#include "proto/base/arena.h"
#include "proto/base/crc.h"
#include "proto/base/hex.h"
#include "tests/check.h"

#include <ctype.h>

static void every_error_has_a_name_a_class_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned e = 0; e < ERR_COUNT; e++) {
        for (const char *c = err_name((enum err)e); *c; c++)
            assert_true(islower((unsigned char)*c) || *c == '_');
        assert_true(*err_name((enum err)e) && *err_text((enum err)e));
        assert_true((err_class((enum err)e) == ERR_CLASS_NONE) == (e == ERR_OK));
    }
    assert_string_equal(err_name(ERR_NAMES_DIFFER), "names_differ");
    assert_int_equal(err_class(ERR_FULL), ERR_CLASS_HOST);
}

static void a_refusal_keeps_what_fits(void **state)
{
    struct refusal r = { .err = ERR_OK };
    char wide[400];

    (void)state;
    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = 0;
    assert_err(ERR_RANGE, refuse(&r, ERR_RANGE, 17, wide, "%s", wide));
    assert_int_equal(strlen(r.field), sizeof(r.field) - 1);
    assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
    assert_int_equal(r.offset, 17);
    assert_err(ERR_RANGE, refuse(NULL, ERR_RANGE, 17, "", "nobody asks"));
}

static void an_arena_gives_aligned_memory_until_it_is_full(void **state)
{
    struct arena a;
    uint8_t *first, *second;

    (void)state;
    assert_ok(arena_init(&a, 64));
    first = arena_alloc(&a, 1);
    second = arena_alloc(&a, 17);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_int_equal(second - first, 16);
    assert_null(arena_alloc(&a, 17));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 1));
    arena_clear(&a);
    assert_ptr_equal(arena_alloc(&a, 64), first);
    arena_done(&a);
    arena_done(&a);
}

static void the_checksum_is_that_of_the_standard(void **state)
{
    uint8_t zeros[32] = { 0 }, ones[32], up[32];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    for (uint8_t i = 0; i < 32; i++)
        up[i] = i;
    /* RFC 3720 appendix B.4, and the usual check value. */
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void the_processor_and_the_table_agree_in_any_pieces(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 500; i++) {
        size_t len = check_below(&random, i % 2 ? 300 : 7000), cut = check_below(&random, len + 1);
        uint8_t *at = check_guard(len);

        check_fill(&random, at, len);
        assert_int_equal(crc32c(0, at, len), crc32c_by_table(0, at, len));
        assert_int_equal(crc32c(crc32c(0, at, cut), at + cut, len - cut), crc32c(0, at, len));
        check_unguard(at, len);
    }
}

static void hexadecimal_text_comes_back(void **state)
{
    uint8_t out[4], text[16];
    struct wr w = wr_of(text, sizeof(text));
    size_t len = 99;

    (void)state;
    assert_ok(hex_read(span_text(" 0aF0\n ff\t00 "), out, sizeof(out), &len));
    assert_int_equal(len, 4);
    hex_write(&w, span_of(out, len));
    assert_true(span_equal(wr_span(&w), span_text("0af0ff00")));
    assert_ok(hex_read(span_text(""), out, sizeof(out), &len));
    assert_int_equal(len, 0);
}

static void text_that_is_not_hexadecimal_is_refused(void **state)
{
    static const char *const texts[] = { "0", "0g", "g0", "0 1", "00 1", "0x00" };
    uint8_t out[2];
    size_t len = 99;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_err(ERR_MALFORMED, hex_read(span_text(texts[i]), out, sizeof(out), &len));
    assert_err(ERR_FULL, hex_read(span_text("000000"), out, sizeof(out), &len));
    assert_int_equal(len, 99);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_name_a_class_and_a_sentence),
        cmocka_unit_test(a_refusal_keeps_what_fits),
        cmocka_unit_test(an_arena_gives_aligned_memory_until_it_is_full),
        cmocka_unit_test(the_checksum_is_that_of_the_standard),
        cmocka_unit_test(the_processor_and_the_table_agree_in_any_pieces),
        cmocka_unit_test(hexadecimal_text_comes_back),
        cmocka_unit_test(text_that_is_not_hexadecimal_is_refused),
    };

    return check_run(tests, argc, argv);
}
