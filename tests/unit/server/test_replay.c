/* What other figures would change (server/replay.h), and how often flags proved right (server/detect/precision.h). */
#include "server/detect/precision.h"
#include "server/replay.h"
#include "tests/check.h"

#include <stdio.h>

static struct replay_episode episode(int64_t onset_s, int64_t raised_s, int64_t cleared_s)
{
    return (
        struct replay_episode){ .onset_s = onset_s, .raised_s = raised_s, .cleared_s = cleared_s };
}

static void hear(void *arg, enum replay_change c, int now_at, int then_at)
{
    char *said = (char *)arg;
    size_t len = strlen(said);

    snprintf(said + len, 256 - len, "%s %d %d;", replay_change_name(c), now_at, then_at);
}

static void each_flag_is_paired_with_the_one_that_overlaps_it(void **state)
{
    struct replay_episode now[] = { episode(100, 200, 300), episode(400, 500, 600),
                                    episode(700, 800, 0) };
    struct replay_episode then[] = { episode(100, 200, 300), episode(420, 560, 600),
                                     episode(610, 620, 630) };
    char said[256] = "";

    (void)state;
    replay_compare(now, 3, then, 3, hear, said);
    assert_string_equal(said, "same 0 0;moved 1 1;gone 2 -1;came -1 2;");
}

/* Two that would come in place of a long one: the first of them is the one that moved. */
static void nothing_is_paired_twice_or_across_fittings(void **state)
{
    struct replay_episode now[] = { episode(100, 200, 900) };
    struct replay_episode then[] = { episode(100, 250, 300), episode(400, 500, 0) };
    char said[256] = "";

    (void)state;
    replay_compare(now, 1, then, 2, hear, said);
    assert_string_equal(said, "moved 0 0;came -1 1;");
    said[0] = 0;
    then[0].fitting_from_s = then[1].fitting_from_s = 50;
    replay_compare(now, 1, then, 2, hear, said);
    assert_string_equal(said, "gone 0 -1;came -1 0;came -1 1;");
}

/* Wilson: of 8 of 10 the interval is 0.490 to 0.943; of 45 of 50 0.786 to 0.957. */
static void precision_has_its_interval(void **state)
{
    struct found f = { .confirmed = 8, .dismissed = 2, .refused = 30 };
    struct precision p;

    (void)state;
    assert_true(precision_of(&f, &p));
    assert_int_equal(p.share, 800);
    assert_int_equal(p.low, 490);
    assert_int_equal(p.high, 943);
    assert_int_equal(precision_verdict(&f, 950), PRECISION_BELOW);
    assert_int_equal(precision_verdict(&f, 900), PRECISION_OPEN);
    f = (struct found){ .confirmed = 45, .dismissed = 5 };
    assert_int_equal(precision_verdict(&f, 950), PRECISION_OPEN);
    assert_int_equal(precision_verdict(&f, 700), PRECISION_ABOVE);
    f = (struct found){ .dismissed = 9, .refused = 5 };
    assert_int_equal(precision_verdict(&f, 950), PRECISION_UNKNOWN);
    f = (struct found){ .refused = 5 };
    assert_false(precision_of(&f, &p));
}

static void a_step_stricter_is_a_quarter_and_knows_its_bounds(void **state)
{
    int64_t out[DETECT_FIGURES], again[DETECT_FIGURES];
    const int64_t *stuck = detect_rules_standing.value + DETECT_STUCK * DETECT_FIGURES;
    const int64_t *silent = detect_rules_standing.value + DETECT_OVERDUE * DETECT_FIGURES;

    (void)state;
    assert_true(rule_stricter(DETECT_STUCK, stuck, out));
    assert_int_equal(out[2], 225);
    assert_int_equal(out[4], 1875);
    assert_int_equal(out[DETECT_TARGET], stuck[DETECT_TARGET]);
    for (int i = 0; i < 80; i++) {
        (void)rule_stricter(DETECT_STUCK, out, again);
        memcpy(out, again, sizeof out);
    }
    assert_false(rule_stricter(DETECT_STUCK, out, again));   /* all of it is at its most */
    assert_true(rule_stricter(DETECT_OVERDUE, silent, out)); /* no figures of its own */
    assert_int_equal(out[DETECT_ORDER_FROM], silent[DETECT_ORDER_FROM] + 100);
    out[DETECT_ORDER_FROM] = 950;
    assert_false(rule_stricter(DETECT_OVERDUE, out, again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flag_is_paired_with_the_one_that_overlaps_it),
        cmocka_unit_test(nothing_is_paired_twice_or_across_fittings),
        cmocka_unit_test(precision_has_its_interval),
        cmocka_unit_test(a_step_stricter_is_a_quarter_and_knows_its_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
