/* Text that leaves the server: strings byte by byte against the plain way to write them, numbers against printf. */
#include "server/out.h"

#include "tests/check.h"

#include <inttypes.h>
#include <stdio.h>

#define LONGEST 40 /* several steps of eight bytes, and every length of the last */

/* RFC 8259 §7, for ASCII. */
static size_t escaped(char *to, struct span text)
{
    size_t len = 0;

    to[len++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c == '"' || c == '\\')
            len += (size_t)sprintf(to + len, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            len += (size_t)sprintf(to + len, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (c < 0x20 || c == 0x7f)
            len += (size_t)sprintf(to + len, "\\u%04x", c);
        else if (c < 0x80)
            to[len++] = (char)c;
        else
            len += (size_t)sprintf(to + len, "\xef\xbf\xbd");
    }
    to[len++] = '"';
    return len;
}

static void check_string(struct span text)
{
    struct out o = { 0 };
    char want[6 * LONGEST + 2];
    size_t len = escaped(want, text);

    out_string(&o, text);
    assert_true(!o.err);
    assert_true(o.len == len && memcmp(o.at, want, len) == 0);
    out_done(&o);
}

/* Each byte at each place of each length, among others that are plain; nothing behind it is read. */
static void every_byte_at_every_place_of_a_string(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        uint8_t *text = check_guard(len);

        memset(text, 'a', len);
        check_string(span_of(text, len));
        for (size_t place = 0; place < len; place++) {
            for (unsigned c = 0; c < 256; c++) {
                text[place] = (uint8_t)c;
                check_string(span_of(text, len));
            }
            text[place] = "az ~"[place % 4];
        }
        check_unguard(text, len);
    }
}

static void letters_of_other_scripts_pass_and_wrong_ones_are_replaced(void **state)
{
    struct out o = { 0 };

    (void)state;
    out_string(&o, span_text("西直门 \xe8\xa5 no\xc0\xafne"));
    assert_true(o.len ==
                strlen("\"西直门 \xef\xbf\xbd\xef\xbf\xbd no\xef\xbf\xbd\xef\xbf\xbdne\""));
    assert_true(memcmp(o.at, "\"西直门 \xef\xbf\xbd\xef\xbf\xbd no\xef\xbf\xbd\xef\xbf\xbdne\"",
                       o.len) == 0);
    out_done(&o);
}

static void check_number(int64_t v)
{
    struct out o = { 0 };
    char want[64];
    int len = snprintf(want, sizeof want, "%" PRId64, v);
    uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    out_int(&o, v);
    assert_true(o.len == (size_t)len && memcmp(o.at, want, o.len) == 0);
    out_clear(&o);
    out_litres(&o, v);
    len = snprintf(want, sizeof want, "%s%" PRIu64 ".%03u", v < 0 ? "-" : "", size / 1000,
                   (unsigned)(size % 1000));
    while (want[len - 1] == '0')
        len--;
    len -= want[len - 1] == '.';
    assert_true(o.len == (size_t)len && memcmp(o.at, want, o.len) == 0);
    out_done(&o);
}

static void numbers_are_those_of_printf(void **state)
{
    int64_t power = 1;

    (void)state;
    for (int64_t v = -1100; v <= 11000; v++)
        check_number(v);
    for (unsigned digits = 1; digits < 19; digits++) {
        power *= 10;
        for (int64_t around = -1; around <= 1; around++) {
            check_number(power + around);
            check_number(-power + around);
        }
    }
    check_number(INT64_MAX);
    check_number(INT64_MIN);
}

static void members_have_commas_between_them(void **state)
{
    static const char want[] = "{\"a\":1,\"b\":0.5,\"t\":\"2026-03-01T00:00:00Z\",\"w\":\"read\","
                               "\"q\":\"\\\"\",\"n\":null,"
                               "\"e\":null,\"o\":{\"y\":true,\"p\":\"/v1/points/a%20b\"}}";
    struct out o = { 0 };

    (void)state;
    out_text(&o, "{");
    out_member_int(&o, "a", 1);
    out_member_litres(&o, "b", 500);
    out_member_time(&o, "t", 1772323200);
    out_member_text(&o, "w", "read");
    out_member_text(&o, "q", "\"");
    out_member_text(&o, "n", NULL);
    out_member_span(&o, "e", span_of(NULL, 0));
    out_key(&o, "o");
    out_text(&o, "{");
    out_member_bool(&o, "y", true);
    out_member_path(&o, "p", "/v1/points/", span_text("a b"));
    out_text(&o, "}}");
    assert_true(!o.err);
    assert_true(o.len == sizeof want - 1 && memcmp(o.at, want, o.len) == 0);
    out_done(&o);
}

/* Whatever is asked for behind it, a text that could not grow stays what it was. */
static void a_text_that_cannot_grow_stays_what_it_was(void **state)
{
    struct out o = { 0 };
    size_t len;

    (void)state;
    out_text(&o, "kept");
    len = o.len;
    assert_true(!out_room(&o, SIZE_MAX / 4 * 3));
    assert_true(o.err == ERR_NO_MEMORY);
    out_text(&o, "x");
    out_member_int(&o, "a", 1);
    out_string(&o, span_text("odd\n"));
    assert_true(o.len == len && o.err == ERR_NO_MEMORY);
    out_done(&o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place_of_a_string),
        cmocka_unit_test(letters_of_other_scripts_pass_and_wrong_ones_are_replaced),
        cmocka_unit_test(numbers_are_those_of_printf),
        cmocka_unit_test(members_have_commas_between_them),
        cmocka_unit_test(a_text_that_cannot_grow_stays_what_it_was),
    };

    return check_run(tests, argc, argv);
}
