/* Plans by ISO 2859-1, as its tables print them, and files of other tables. */
#include "server/fleet/sampling.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_plan(uint64_t lot, const char *level, const char *aql, bool tightened,
                        char letter, uint64_t sample, unsigned accept)
{
    struct sampling_table *t = calloc(1, sizeof *t);
    struct sampling_plan p;
    struct refusal r = { 0 };

    sampling_builtin(t);
    if (sampling_plan(t, lot, span_text(level), span_text(aql),
                      tightened ? SAMPLING_TIGHTENED : SAMPLING_NORMAL, &p, &r))
        fail_msg("lot %llu, level %s, AQL %s: %s", (unsigned long long)lot, level, aql, r.text);
    if (p.letter != letter || p.sample != sample || p.accept != accept || p.reject != accept + 1)
        fail_msg("lot %llu, level %s, AQL %s: expected %c %llu %u, found %c %llu %u/%u",
                 (unsigned long long)lot, level, aql, letter, (unsigned long long)sample, accept,
                 p.letter, (unsigned long long)p.sample, p.accept, p.reject);
    free(t);
}

static void plans_are_those_of_the_standard(void **state)
{
    (void)state;
    assert_plan(1000, "II", "1.0", false, 'J', 80, 2);
    assert_plan(1000, "II", "2.5", false, 'J', 80, 5);
    assert_plan(1000, "II", "0.65", false, 'J', 80, 1);
    assert_plan(1000, "II", "4", false, 'J', 80, 7);
    assert_plan(1200, "II", "1.5", false, 'J', 80, 3);
    assert_plan(1201, "II", "1.5", false, 'K', 125, 5);
    assert_plan(5000, "II", "0.65", false, 'L', 200, 3);
    assert_plan(10000, "III", "1", false, 'M', 315, 7);
    assert_plan(20000, "I", "1", false, 'K', 125, 3);
    assert_plan(1000000, "II", "1", false, 'Q', 1250, 21);
    assert_plan(500, "S-4", "2.5", false, 'F', 20, 1); /* letter E: below the arrow */
    assert_plan(1000, "II", "1", true, 'J', 80, 1);
    assert_plan(5000, "II", "1", true, 'L', 200, 3);
    assert_plan(1000000, "II", "0.65", true, 'Q', 1250, 12);
}

static void arrows_lead_to_the_next_plan(void **state)
{
    (void)state;
    assert_plan(40, "II", "1.0", false, 'E', 13, 0);          /* D: down */
    assert_plan(120, "II", "1.0", false, 'E', 13, 0);         /* F: up */
    assert_plan(200, "II", "1.0", false, 'H', 50, 1);         /* G: down */
    assert_plan(2000000, "III", "1.0", false, 'Q', 1250, 21); /* R: up */
    assert_plan(2000000, "III", "4.0", false, 'M', 315, 21);
    assert_plan(120, "II", "1.0", true, 'F', 20, 0);
    assert_plan(400, "II", "1.0", true, 'J', 80, 1); /* H: down over two letters */
}

static void a_small_lot_is_inspected_whole(void **state)
{
    (void)state;
    assert_plan(1, "II", "0.65", false, 'F', 1, 0);
    assert_plan(19, "II", "0.65", false, 'F', 19, 0);
    assert_plan(20, "II", "0.65", false, 'F', 20, 0);
    assert_plan(26, "II", "0.65", false, 'F', 20, 0);
}

static void a_larger_lot_has_no_smaller_sample_of_one_letter(void **state)
{
    static const char *const levels[] = { "I", "II", "III" };
    struct sampling_table *t = calloc(1, sizeof *t);

    (void)state;
    sampling_builtin(t);
    for (unsigned level = 0; level < 3; level++) {
        uint8_t before = 0;

        for (unsigned i = 0; i < t->lots; i++) {
            uint8_t at = t->lot[i].letter[4 + level];

            assert_string_equal(levels[level], t->level[4 + level]);
            assert_true(at >= before);
            before = at;
        }
    }
    free(t);
}

static void assert_unknown(const char *level, const char *aql, const char *field)
{
    struct sampling_table *t = calloc(1, sizeof *t);
    struct sampling_plan p;
    struct refusal r = { 0 };

    sampling_builtin(t);
    assert_err(ERR_INVALID,
               sampling_plan(t, 100, span_text(level), span_text(aql), SAMPLING_NORMAL, &p, &r));
    assert_string_equal(field, r.field);
    assert_non_null(strstr(r.text, strcmp(field, "aql") ? "S-4, I, II, III" : "0.65, 1, 1.5"));
    free(t);
}

static void what_the_table_lacks_is_refused_by_name(void **state)
{
    (void)state;
    assert_unknown("IV", "1.0", "level");
    assert_unknown("", "1.0", "level");
    assert_unknown("II", "0.7", "aql");
    assert_unknown("II", "", "aql");
    assert_unknown("II", "x", "aql");
}

static void assert_malformed(const char *text, const char *says)
{
    struct sampling_table *t = calloc(1, sizeof *t);
    struct refusal r = { 0 };
    struct span guarded = check_guarded(span_text(text));

    assert_err(ERR_MALFORMED, sampling_read(t, guarded, &r));
    if (!strstr(r.text, says))
        fail_msg("expected \"%s\", found \"%s\"", says, r.text);
    check_unguard(guarded.at, guarded.len);
    free(t);
}

#define HEAD "name n\nsource s\nletters A B\nsizes 2 3\nlevels I\n"

static void a_wrong_file_is_refused_with_its_line(void **state)
{
    struct sampling_table *t = calloc(1, sizeof *t);
    struct refusal r;

    (void)state;
    assert_ok(sampling_read(t, span_text(HEAD "lot 8 A\nlot more B\nnormal 1 v 0\n"), &r));
    free(t);
    assert_malformed("", "found \"the end\"");
    assert_malformed("colour red\n", "line 1: found \"colour\"");
    assert_malformed(HEAD "lot 8 C\n", "line 6: found \"C\", expected a letter for each level");
    assert_malformed(HEAD "lot 8 A\nlot more B\nnormal 1 v v\n", "arrows that lead to a plan");
    assert_malformed(HEAD "lot 8 A\nlot more B\nnormal 1 v ^\n", "arrows that lead to a plan");
    assert_malformed(HEAD "lot 8 A\nlot more B\nnormal 1 0\n", "line 8: found \"\"");
    assert_malformed(HEAD "lot 8 A\nlot more B\nnormal 1 0 1 2\n", "expected the end of the line");
    assert_malformed(HEAD "lot 8 A\nlot 8 A\nlot more B\nnormal 1 0 1\n", "in order of their size");
    assert_malformed(HEAD "lot 8 A\nnormal 1 0 1\n", "lots up to `more`");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_are_those_of_the_standard),
        cmocka_unit_test(arrows_lead_to_the_next_plan),
        cmocka_unit_test(a_small_lot_is_inspected_whole),
        cmocka_unit_test(a_larger_lot_has_no_smaller_sample_of_one_letter),
        cmocka_unit_test(what_the_table_lacks_is_refused_by_name),
        cmocka_unit_test(a_wrong_file_is_refused_with_its_line),
    };

    return check_run(tests, argc, argv);
}
