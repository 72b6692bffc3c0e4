/* Switching between normal, tightened and reduced inspection. */
#include "server/fleet/switching.h"

#include "tests/check.h"

#include <string.h>

/* One letter a lot: a accepted, r rejected; capitals: on tightened inspection; + and -: on reduced. Its plan accepts none. */
static struct switching_advice after(const char *series, unsigned accept, bool tighter)
{
    struct lot_result lots[64];
    struct switching_advice advice;
    size_t count = strlen(series);

    for (size_t i = 0; i < count; i++) {
        char c = series[i];

        lots[i] = (struct lot_result){
            .strictness = strchr("+-", c)   ? STRICT_REDUCED
                          : strchr("AR", c) ? STRICT_TIGHTENED
                                            : STRICT_NORMAL,
            .accepted = strchr("aA+", c) != NULL,
            .accept = accept,
            .accepted_tighter = tighter,
        };
    }
    switching_advise(lots, count, &advice);
    return advice;
}

static void next_is(const char *series, enum strictness expected)
{
    struct switching_advice a = after(series, 0, false);

    if (a.next != expected)
        fail_msg("after %s: expected %s, found %s, for %s", series, strictness_word(expected),
                 strictness_word(a.next), a.text_en);
    assert_true(a.text_en[0] && a.text_zh[0]);
}

static void two_rejected_of_five_tighten(void **state)
{
    (void)state;
    next_is("", STRICT_NORMAL);
    next_is("r", STRICT_NORMAL);
    next_is("rr", STRICT_TIGHTENED);
    next_is("raaar", STRICT_TIGHTENED);
    next_is("raaaar", STRICT_NORMAL);
    next_is("raraaaaa", STRICT_TIGHTENED); /* it was due, and nobody did it */
    next_is("rrA", STRICT_TIGHTENED);
}

static void five_accepted_loosen_and_five_rejected_stop(void **state)
{
    (void)state;
    next_is("rrAAAA", STRICT_TIGHTENED);
    next_is("rrAAAAA", STRICT_NORMAL);
    next_is("rrAAAARAAAA", STRICT_TIGHTENED);
    next_is("rrAAAAAr", STRICT_NORMAL); /* those before count no more */
    next_is("rrRARARAR", STRICT_TIGHTENED);
    next_is("rrRARARARAAR", STRICT_STOP);
}

static void a_score_of_thirty_allows_reduced_inspection(void **state)
{
    struct switching_advice a;

    (void)state;
    assert_int_equal(28, after("aaaaaaaaaaaaaa", 0, false).score);
    next_is("aaaaaaaaaaaaaa", STRICT_NORMAL);
    next_is("aaaaaaaaaaaaaaa", STRICT_REDUCED);
    assert_int_equal(2, after("aaaaaaaaara", 1, false).score);
    /* With an acceptance number of 2 and more it counts whether a step tighter would have taken it. */
    a = after("aaaaaaaaaa", 2, true);
    assert_int_equal(30, a.score);
    assert_int_equal(STRICT_REDUCED, a.next);
    assert_int_equal(0, after("aaaaaaaaaa", 2, false).score);
    assert_int_equal(0, after("AAAAAAAAAAAAAAAA", 0, false).score);
    next_is("aaaaaaaaaaaaaaa+++", STRICT_REDUCED);
    next_is("aaaaaaaaaaaaaaa++-", STRICT_NORMAL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_rejected_of_five_tighten),
        cmocka_unit_test(five_accepted_loosen_and_five_rejected_stop),
        cmocka_unit_test(a_score_of_thirty_allows_reduced_inspection),
    };

    return check_run(tests, argc, argv);
}
