#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "tests/check.h"

#include <jansson.h>
#include <stdlib.h>

#define ARRIVAL_S 1795651200

static uint8_t text[1 << 20];

static enum err explain(struct span bytes, bool json, struct refusal *r)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = ARRIVAL_S };
    struct wr w = wr_of(text, sizeof(text) - 1);
    enum err err = dialect_by_name(span_text("native"))->explain(&in, json, &w, r);

    text[wr_len(&w)] = 0;
    return err;
}

static enum err explain_hex(const char *hex, bool json, struct refusal *r)
{
    uint8_t bytes[256];
    size_t len = 0;
    struct span guarded;
    enum err err;

    assert_ok(hex_read(span_text(hex), bytes, sizeof(bytes), &len));
    guarded = check_guarded(span_of(bytes, len));
    err = explain(guarded, json, r);
    check_unguard(guarded.at, guarded.len);
    return err;
}

static void a_report_reads_line_by_line(void **state)
{
    static const char expected[] =
        "    0  0a024d31               meter                M1  (serial of the meter)\n"
        "    4  1d803bb16a             sent                 2026-09-21T14:13:20Z  (the meter's "
        "clock at sending)\n"
        "    9  220c                   series               12 bytes  (values of one register)\n"
        "   11  1001                   series[0].scale      -1  (one count is 10^scale litres "
        "(kPa, degrees))\n"
        "   13  18f260                 series[0].index      6201 counts = 620.1 L  (newest "
        "register value)\n"
        "   16  288407                 series[0].step_s     900 s  (spacing of the earlier "
        "values)\n"
        "   19  3202                   series[0].back       2 bytes  (steps going back in time)\n"
        "   21  02                     series[0].back[0]    1 counts = 620 L at "
        "2026-09-21T13:58:20Z\n"
        "   22  03                     series[0].back[1]    -2 counts = 620.2 L at "
        "2026-09-21T13:43:20Z\n"
        "   23  2824                   status               36 = battery low, leak  (what the "
        "meter says of itself)\n"
        "   25  a00605                 unknown              field 100, varint  (not in "
        "native.proto: passed over)\n";

    (void)state;
    assert_ok(explain_hex("0a024d31 1d803bb16a 220c 1001 18f260 288407 3202 02 03 2824 a00605",
                          false, NULL));
    assert_string_equal((const char *)text, expected);
}

/* Every byte of every golden frame stands on one line, in order, with nothing between. */
static void every_byte_once(const char *path, const char *stem)
{
    struct span file = check_read(path);
    uint8_t *bytes = malloc(file.len + 1);
    size_t len = 0, next = 0, i;
    json_t *whole, *line;

    (void)stem;
    assert_ok(hex_read(file, bytes, file.len + 1, &len));
    assert_ok(explain(span_of(bytes, len), true, NULL));
    whole = json_loads((const char *)text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(whole);
    json_array_foreach(json_object_get(whole, "fields"), i, line)
    {
        const char *hex = json_string_value(json_object_get(line, "bytes"));
        uint8_t shown[1 << 12];
        size_t shown_len = 0;

        assert_int_equal(json_integer_value(json_object_get(line, "offset")), next);
        assert_ok(hex_read(span_text(hex), shown, sizeof(shown), &shown_len));
        assert_memory_equal(shown, bytes + next, shown_len);
        next += shown_len;
    }
    assert_int_equal(next, len);
    json_decref(whole);
    free(bytes);
    free((void *)file.at);
}

static void every_byte_stands_on_one_line(void **state)
{
    (void)state;
    assert_true(check_each_file(NILO_SOURCE_DIR "/tests/golden/native", ".hex", every_byte_once) >
                0);
}

static void what_is_broken_is_explained_as_far_as_it_goes(void **state)
{
    struct refusal r = { .err = ERR_OK };
    json_t *whole;

    (void)state;
    assert_err(ERR_TRUNCATED, explain_hex("0a024d31 1d803b", false, &r));
    assert_non_null(strstr((const char *)text, "meter"));
    assert_string_equal(r.field, "sent");
    assert_int_equal(r.offset, 4);
    assert_err(ERR_TRUNCATED, explain_hex("0a024d31 1d803b", true, &r));
    whole = json_loads((const char *)text, 0, NULL);
    assert_non_null(whole);
    json_decref(whole);
}

static void text_that_is_no_text_breaks_no_json(void **state)
{
    json_t *whole;

    (void)state;
    assert_ok(explain_hex("0a06 22 5c 00 0a ff 7f", true, NULL));
    whole = json_loads((const char *)text, 0, NULL);
    assert_non_null(whole);
    json_decref(whole);
}

/* Terminals obey control characters. */
static void a_name_of_control_characters_is_shown_as_dots(void **state)
{
    (void)state;
    (void)!explain_hex("0a051b5b324a41", false, NULL);
    assert_non_null(strstr((char *)text, " .[2JA "));
    assert_null(strchr((char *)text, 0x1b));
}

static void a_buffer_too_small_is_full(void **state)
{
    struct dialect_input in = { .bytes = span_of("\x0a\x01M\x10\x07", 5), .arrival_s = ARRIVAL_S };
    uint8_t *at = check_guard(100);
    struct wr w = wr_of(at, 100);

    (void)state;
    assert_err(ERR_FULL, dialect_by_id(1)->explain(&in, true, &w, NULL));
    check_unguard(at, 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_reads_line_by_line),
        cmocka_unit_test(every_byte_stands_on_one_line),
        cmocka_unit_test(what_is_broken_is_explained_as_far_as_it_goes),
        cmocka_unit_test(text_that_is_no_text_breaks_no_json),
        cmocka_unit_test(a_name_of_control_characters_is_shown_as_dots),
        cmocka_unit_test(a_buffer_too_small_is_full),
    };

    return check_run(tests, argc, argv);
}
