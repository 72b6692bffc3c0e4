/* A house of eight flats in plain numbers: each draws at its own hours, the meter before all of them counts all of it. */
#define FLATS_WEEKS 40
#include "server/detect/balance.h"
#include "server/detect/swapped.h"
#include "tests/check.h"
#include "tests/unit/rules/flats.h"

#include <stdlib.h>

static size_t found_in(const struct house *h, int64_t until_s, struct balance_finding out[16])
{
    struct balance *b;
    struct balance_scan scan = { 0 };
    size_t count = 0;

    assert_ok(balance_new(FROM_S + BALANCE_FROM_S, FLATS_WEEKS - 1, FLATS, &b));
    for (int n = 0; n < HOURS; n++)
        for (int f = -1; f < FLATS; f++) {
            struct judge_step s = step_of(n, f < 0 ? h->parent[n] : h->counted[f][n]);

            balance_take(b, (unsigned)(f + 1), &a_litre, &s);
        }
    assert_ok(balance_find(b, &balance_usual, until_s, &scan, out, 16, &count));
    balance_free(b);
    return count;
}

static void a_meter_that_counts_too_little_is_named_with_its_share(void **state)
{
    struct house *h = lived(1, 3);
    struct balance_finding found[16], before[16];
    int64_t end_s = FROM_S + (int64_t)HOURS * 3600, onset_s = FROM_S + 20 * BALANCE_WEEK_S;

    (void)state;
    slow_from(h, 4, 20 * 168, HOURS, 0.3);
    assert_int_equal(found_in(h, end_s, found), 1);
    assert_int_equal(found[0].child, 5);
    assert_true(found[0].stepped && !found[0].cleared_s);
    assert_true(llabs(found[0].onset_s - onset_s) <= BALANCE_WEEK_S);
    assert_true(found[0].share_low < 0.3 && 0.3 < found[0].share_high);
    assert_true(fabs(found[0].share - 0.3) < 0.06);
    assert_true(fabs(found[0].loss_lph - 3) < 1.5);
    assert_true(found[0].lost_low_lpd < found[0].lost_lpd &&
                found[0].lost_lpd < found[0].lost_high_lpd);
    /* What comes later moves nothing that was told. */
    assert_int_equal(found_in(h, found[0].raised_s, before), 1);
    assert_memory_equal(&found[0], &before[0], sizeof found[0]);
    assert_int_equal(found_in(h, found[0].raised_s - 1, found), 0);
    free(h);
}

static void a_sound_house_and_a_leak_between_the_meters_name_nobody(void **state)
{
    struct balance_finding found[16];
    int64_t end_s = FROM_S + (int64_t)HOURS * 3600;

    (void)state;
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct house *h = lived(seed, 0);

        assert_int_equal(found_in(h, end_s, found), 0);
        for (int n = HOURS / 2; n < HOURS; n++)
            h->parent[n] += 20;
        assert_int_equal(found_in(h, end_s, found), 0);
        free(h);
    }
}

static void one_that_counts_fully_again_is_cleared(void **state)
{
    struct house *h = lived(2, 0);
    struct balance_finding found[16];
    int64_t again_s = FROM_S + 26 * BALANCE_WEEK_S;

    (void)state;
    slow_from(h, 2, 14 * 168, 26 * 168, 0.5);
    assert_int_equal(found_in(h, FROM_S + (int64_t)HOURS * 3600, found), 1);
    assert_int_equal(found[0].child, 3);
    assert_true(found[0].cleared_s > again_s && found[0].cleared_s < again_s + 6 * BALANCE_WEEK_S);
    free(h);
}

static void one_that_never_counted_enough_is_named_from_the_beginning_on(void **state)
{
    struct house *h = lived(3, 0);
    struct balance_finding found[16];

    (void)state;
    slow_from(h, 6, 0, HOURS, 0.6);
    assert_int_equal(found_in(h, FROM_S + (int64_t)HOURS * 3600, found), 1);
    assert_int_equal(found[0].child, 7);
    assert_false(found[0].stepped);
    assert_true(fabs(found[0].share - 0.6) < 0.1);
    free(h);
}

static void what_is_out_of_bounds_is_no_balance(void **state)
{
    struct balance *b = NULL;

    (void)state;
    assert_int_equal(balance_new(FROM_S, BALANCE_WEEKS_MOST + 1, 3, &b), ERR_LIMIT);
    assert_int_equal(balance_new(FROM_S, 10, BALANCE_CHILDREN_MOST + 1, &b), ERR_LIMIT);
    assert_int_equal(balance_new(FROM_S, 10, 0, &b), ERR_LIMIT);
    balance_free(b);
}

/* ---- swapped ---- */

static size_t pairs_in(const struct house *h, struct swapped_finding out[16])
{
    struct swapped *s;
    struct swapped_scan scan = { 0 };
    size_t count = 0;

    assert_ok(swapped_new(FROM_S, FLATS_WEEKS - 1, FLATS, &s));
    for (int n = 0; n < HOURS; n++)
        for (int f = 0; f < FLATS; f++) {
            struct judge_step step = step_of(n, h->counted[f][n]);

            swapped_take(s, (unsigned)f, &step);
        }
    assert_ok(
        swapped_find(s, &swapped_usual, FROM_S + (int64_t)HOURS * 3600, &scan, out, 16, &count));
    swapped_free(s);
    return count;
}

static void two_that_count_each_others_water_are_named_once(void **state)
{
    struct house *h = lived(4, 0);
    struct swapped_finding found[16];

    (void)state;
    swap_from(h, 1, 6, 18 * 168);
    assert_int_equal(pairs_in(h, found), 1);
    assert_int_equal(found[0].first, 1);
    assert_int_equal(found[0].second, 6);
    assert_true(llabs(found[0].onset_s - (FROM_S + 18 * BALANCE_WEEK_S)) <= BALANCE_WEEK_S);
    assert_int_equal(found[0].cleared_s, 0);
    swap_from(h, 1, 6, 28 * 168); /* somebody put it right */
    assert_int_equal(pairs_in(h, found), 1);
    assert_true(found[0].cleared_s > FROM_S + 28 * BALANCE_WEEK_S);
    free(h);
}

static void a_tenant_who_moves_from_one_flat_to_the_next_is_no_swap(void **state)
{
    struct house *h = lived(5, 0);
    struct swapped_finding found[16];

    (void)state;
    assert_int_equal(pairs_in(h, found), 0);
    for (int n = 18 * 168; n < HOURS;
         n++) { /* flat 6 stands empty, and what it used is used in flat 1 */
        h->counted[1][n] = h->counted[6][n];
        h->counted[6][n] = 0;
    }
    assert_int_equal(pairs_in(h, found), 0);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_that_counts_too_little_is_named_with_its_share),
        cmocka_unit_test(a_sound_house_and_a_leak_between_the_meters_name_nobody),
        cmocka_unit_test(one_that_counts_fully_again_is_cleared),
        cmocka_unit_test(one_that_never_counted_enough_is_named_from_the_beginning_on),
        cmocka_unit_test(what_is_out_of_bounds_is_no_balance),
        cmocka_unit_test(two_that_count_each_others_water_are_named_once),
        cmocka_unit_test(a_tenant_who_moves_from_one_flat_to_the_next_is_no_swap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
