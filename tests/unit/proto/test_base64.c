#include "proto/base/base64.h"
#include "tests/check.h"

static uint8_t room[64];

static enum err read_of(const char *text, size_t cap, size_t *out_len)
{
    struct span guarded = check_guarded(span_text(text));
    enum err err = base64_read(guarded, room, cap, out_len);

    check_unguard(guarded.at, guarded.len);
    return err;
}

static void the_standards_own_vectors_hold(void **state)
{
    static const struct {
        const char *bytes, *text, *bare;
    } vectors[] = {
        /* RFC 4648 §10 */
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg==", "Zm9vYg" },
        { "fooba", "Zm9vYmE=", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    };
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[16];
        struct wr w = wr_of(text, sizeof text);

        base64_write(&w, span_text(vectors[i].bytes));
        assert_ok(w.err);
        assert_true(span_equal(wr_span(&w), span_text(vectors[i].text)));
        assert_ok(read_of(vectors[i].text, sizeof room, &len));
        assert_true(span_equal(span_of(room, len), span_text(vectors[i].bytes)));
        assert_ok(read_of(vectors[i].bare, sizeof room, &len));
        assert_true(span_equal(span_of(room, len), span_text(vectors[i].bytes)));
    }
}

static void both_alphabets_are_read(void **state)
{
    static const uint8_t bytes[] = { 0xfb, 0xff, 0xbf };
    size_t len;

    (void)state;
    assert_ok(read_of("+/+/", sizeof room, &len));
    assert_true(span_equal(span_of(room, len), span_of(bytes, 3)));
    assert_ok(read_of("-_-_", sizeof room, &len));
    assert_true(span_equal(span_of(room, len), span_of(bytes, 3)));
}

static void what_is_not_base_64_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        size_t at;
    } texts[] = {
        { "Zg=", 2 },   { "Zg===", 2 },  { "=", 0 },     { "==", 0 },   { "====", 0 },
        { "Z", 1 },     { "Zm9vY", 5 },  { "Zh==", 2 },  { "Zm9=", 3 }, { "Zg==Zg==", 2 },
        { "Zm 9v", 2 }, { "Zm9v\n", 4 }, { "Zm9v!", 4 }, { "Zm.v", 2 }, { "Zm\x80v", 2 },
        { "@m9v", 0 },  { "[m9v", 0 },   { "`m9v", 0 },
    };
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_err(ERR_MALFORMED, read_of(texts[i].text, sizeof room, &len));
        if (len != texts[i].at)
            fail_msg("%s: at %zu", texts[i].text, len);
    }
}

static void too_little_room_is_said(void **state)
{
    size_t len;

    (void)state;
    assert_err(ERR_FULL, read_of("Zm9v", 2, &len));
    assert_ok(read_of("Zm9v", 3, &len));
}

static void any_bytes_come_back(void **state)
{
    struct check_random random = check_random_begin();
    uint8_t bytes[200], back[BASE64_MOST(272)];
    char text[272];
    size_t len;

    (void)state;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct wr w = wr_of(text, sizeof text);

        check_fill(&random, bytes, n);
        base64_write(&w, span_of(bytes, n));
        assert_ok(w.err);
        assert_ok(base64_read(wr_span(&w), back, BASE64_MOST(wr_len(&w)), &len));
        assert_true(span_equal(span_of(back, len), span_of(bytes, n)));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_own_vectors_hold),
        cmocka_unit_test(both_alphabets_are_read),
        cmocka_unit_test(what_is_not_base_64_is_refused_with_its_place),
        cmocka_unit_test(too_little_room_is_said),
        cmocka_unit_test(any_bytes_come_back),
    };

    return check_run(tests, argc, argv);
}
