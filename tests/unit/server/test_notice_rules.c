/* The file that says which notices customers get. */
#include "server/notice_rules.h"
#include "tests/check.h"

#include <stdio.h>

#define WHOLE                                                                                      \
    "# a remark\nname ours\nleak 12.5 from us\nurgent 300 from us\nfrost -1 1.5 from us\nquiet "   \
    "21:30 06:00 from us\nkeep 24 from us\n"

static void the_built_in_file_reads(void **state)
{
    struct notice_rules r;

    (void)state;
    notice_rules_builtin(&r);
    assert_int_equal(10000, r.leak_mlph);
    assert_int_equal(200000, r.urgent_mlph);
    assert_int_equal(2000, r.frost_mk);
    assert_int_equal(4000, r.frost_over_mk);
    assert_int_equal(22 * 60, r.quiet_from_min);
    assert_int_equal(7 * 60, r.quiet_to_min);
    assert_int_equal(72 * 3600, r.keep_s);
}

static void ones_own_file_says_all_of_it(void **state)
{
    struct notice_rules r;
    struct refusal why = { 0 };

    (void)state;
    assert_ok(notice_rules_read(&r, span_text(WHOLE), &why));
    assert_string_equal("ours", r.name);
    assert_int_equal(12500, r.leak_mlph);
    assert_int_equal(-1000, r.frost_mk);
    assert_int_equal(21 * 60 + 30, r.quiet_from_min);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *file;
        unsigned line;
    } wrong[] = {
        { "leak many from us\n", 1 },
        { "name x\nleak 10\n", 2 },
        { "leak 10 from\n", 1 },
        { "paint 1 from us\n", 1 },
        { "leak 1 from us\nleak 2 from us\n", 2 },
        { "quiet 24:00 07:00 from us\n", 1 },
        { "quiet 2200 07:00 from us\n", 1 },
        { "quiet 22:00 7:00 from us\n", 1 },
        { "frost 4 2 from us\n", 1 },
        { "keep 0 from us\n", 1 },
        { "keep 1.5 from us\n", 1 },
        { "leak -1 from us\n", 1 },
        { "name x\n", 2 },
        { "", 1 },
    };
    struct notice_rules r = { .keep_s = 7 };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct refusal why = { 0 };
        char line[16];

        snprintf(line, sizeof line, "line %u:", wrong[i].line);
        assert_err(ERR_INVALID, notice_rules_read(&r, span_text(wrong[i].file), &why));
        if (!strstr(why.text, line))
            fail_msg("%s: said %s", wrong[i].file, why.text);
        assert_int_equal(7, r.keep_s);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_built_in_file_reads),
        cmocka_unit_test(ones_own_file_says_all_of_it),
        cmocka_unit_test(what_is_wrong_is_told_with_its_line),
    };

    return check_run(tests, argc, argv);
}
