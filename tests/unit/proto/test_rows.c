#include "proto/facts.h"
#include "tests/check.h"

#include <stdlib.h>

static struct rows rows_of(const struct row *at, size_t count)
{
    struct rows rows = { 0 };

    for (size_t i = 0; i < count; i++)
        assert_ok(rows_push(&rows, at[i]));
    return rows;
}

static void assert_rows(struct rows *rows, const struct row *expected, size_t count)
{
    assert_ok(rows_tidy(rows));
    assert_int_equal(rows->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows->at[i].time_s, expected[i].time_s);
        assert_int_equal(rows->at[i].value, expected[i].value);
        assert_int_equal(rows->at[i].attr, expected[i].attr);
    }
    rows_done(rows);
}

static void rows_stand_by_time_and_else_as_received(void **state)
{
    static const struct row given[] = {
        { 3, 30, 0 }, { 9, 10, 0 }, { 1, 10, 0 }, { 5, 10, 0 }, { 2, 20, 0 }
    };
    static const struct row expected[] = {
        { 9, 10, 0 }, { 1, 10, 0 }, { 5, 10, 0 }, { 2, 20, 0 }, { 3, 30, 0 }
    };
    struct rows rows = rows_of(given, 5);

    (void)state;
    assert_rows(&rows, expected, 5);
}

static void an_equal_value_is_kept_once_with_the_better_source(void **state)
{
    static const struct row given[] = { { 7, 10, SOURCE_REMOTE }, { 8, 10, SOURCE_PHOTO },
                                        { 7, 10, SOURCE_MANUAL }, { 8, 10, SOURCE_MANUAL },
                                        { 7, 10, SOURCE_SIGNED }, { 7, 10, SOURCE_REMOTE } };
    static const struct row expected[] = { { 7, 10, SOURCE_SIGNED }, { 8, 10, SOURCE_PHOTO } };
    struct rows rows = rows_of(given, 6);

    (void)state;
    assert_rows(&rows, expected, 2);
}

static void a_copy_from_the_future_counts_for_nothing_beside_a_true_one(void **state)
{
    static const struct row given[] = { { 7, 10, ATTR_FUTURE | SOURCE_SIGNED },
                                        { 8, 10, 0 },
                                        { 7, 10, 0 } };
    static const struct row expected[] = { { 8, 10, 0 }, { 7, 10, 0 } };
    static const struct row both[] = { { 7, 10, ATTR_FUTURE },
                                       { 7, 10, ATTR_FUTURE | SOURCE_MANUAL } };
    static const struct row one[] = { { 7, 10, ATTR_FUTURE | SOURCE_MANUAL } };
    struct rows rows = rows_of(given, 3);

    (void)state;
    assert_rows(&rows, expected, 2);
    rows = rows_of(both, 2);
    assert_rows(&rows, one, 1);
}

static void a_copy_that_was_not_retimed_wins(void **state)
{
    static const struct row given[] = {
        { 7, 10, ATTR_RETIMED }, { 7, 10, 0 }, { 8, 20, ATTR_RETIMED }, { 8, 20, ATTR_RETIMED }
    };
    static const struct row expected[] = { { 7, 10, 0 }, { 8, 20, ATTR_RETIMED } };
    struct rows rows = rows_of(given, 4);

    (void)state;
    assert_rows(&rows, expected, 2);
}

/* What the header promises, in the plainest words: for each row look at all others. */
static bool copy_goes_first(const struct row *a, const struct row *b)
{
    return !(a->attr & ATTR_FUTURE) && (b->attr & ATTR_FUTURE);
}

static struct rows tidied_plainly(const struct row *at, size_t count)
{
    struct rows out = { 0 };

    for (uint32_t time_s = 0; time_s < 8; time_s++) {
        for (size_t i = 0; i < count; i++) {
            struct row kept = at[i];
            bool stays = at[i].time_s == time_s;

            for (size_t k = 0; k < count && stays; k++) {
                bool same = at[k].time_s == at[i].time_s && at[k].value == at[i].value;

                stays = !same || k == i || copy_goes_first(&at[i], &at[k]) ||
                        (!copy_goes_first(&at[k], &at[i]) && k > i);
                if (same && k != i && !copy_goes_first(&at[i], &at[k])) {
                    if ((at[k].attr & ATTR_SOURCE) > (kept.attr & ATTR_SOURCE))
                        kept.attr = (kept.attr & ~ATTR_SOURCE) | (at[k].attr & ATTR_SOURCE);
                    if (!(at[k].attr & ATTR_RETIMED))
                        kept.attr &= ~ATTR_RETIMED;
                }
            }
            if (stays)
                assert_ok(rows_push(&out, kept));
        }
    }
    return out;
}

static void tidying_is_what_the_plain_words_say(void **state)
{
    static const uint32_t sources[] = { SOURCE_REMOTE, SOURCE_MANUAL, SOURCE_SIGNED };
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t count = check_below(&random, round % 4 ? 30 : 300);
        struct row at[300];
        struct rows given, expected;

        for (size_t i = 0; i < count; i++)
            at[i] = (struct row){ check_between(&random, 0, round % 3 ? 3 : 40),
                                  (uint32_t)check_below(&random, 8),
                                  sources[check_below(&random, 3)] |
                                      (uint32_t)(check_below(&random, 4) * ATTR_RETIMED) };
        given = rows_of(at, count);
        expected = tidied_plainly(at, count);
        assert_rows(&given, expected.at, expected.count);
        rows_done(&expected);
    }
}

static void tidying_in_parts_is_tidying_at_once(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int round = 0; round < 200; round++) {
        size_t count = 1 + check_below(&random, 100), cut = check_below(&random, count);
        struct row at[101];
        struct rows whole, parts;

        for (size_t i = 0; i < count; i++)
            at[i] = (struct row){ check_between(&random, 0, 3), (uint32_t)check_below(&random, 8),
                                  (uint32_t)check_below(&random, 16) & ~SOURCE_PHOTO };
        whole = rows_of(at, count);
        assert_ok(rows_tidy(&whole));
        parts = rows_of(at, cut);
        assert_ok(rows_tidy(&parts));
        for (size_t i = cut; i < count; i++)
            assert_ok(rows_push(&parts, at[i]));
        assert_rows(&parts, whole.at, whole.count);
        rows_done(&whole);
    }
}

/* 200 000 different values at one instant: comparing each with each would take minutes. */
static void many_values_of_one_instant_are_no_burden(void **state)
{
    struct rows rows = { 0 };

    (void)state;
    for (int i = 0; i < 200000; i++)
        assert_ok(rows_push(&rows, (struct row){ (i * 7919) % 200000, 5, 0 }));
    for (int i = 0; i < 1000; i++)
        assert_ok(rows_push(&rows, (struct row){ i, 5, SOURCE_MANUAL }));
    assert_ok(rows_tidy(&rows));
    assert_int_equal(rows.count, 200000);
    assert_int_equal(rows.at[1].value, 7919);
    assert_int_equal(rows.at[0].attr, SOURCE_MANUAL);
    rows_done(&rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_by_time_and_else_as_received),
        cmocka_unit_test(an_equal_value_is_kept_once_with_the_better_source),
        cmocka_unit_test(a_copy_from_the_future_counts_for_nothing_beside_a_true_one),
        cmocka_unit_test(a_copy_that_was_not_retimed_wins),
        cmocka_unit_test(tidying_is_what_the_plain_words_say),
        cmocka_unit_test(tidying_in_parts_is_tidying_at_once),
        cmocka_unit_test(many_values_of_one_instant_are_no_burden),
    };

    return check_run(tests, argc, argv);
}
