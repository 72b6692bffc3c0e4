#include "server/detect/detect.h"
#include "tests/check.h"

#include <stdlib.h>

static void overlap_counts_what_lies_within(void **state)
{
    struct pauses p = { 0 };

    (void)state;
    assert_int_equal(pauses_overlap(NULL, 0, 100), 0);
    pauses_add(&p, PAUSE_SUSPENDED, 10, 20);
    pauses_add(&p, PAUSE_SHUT, 40, INT64_MAX);
    assert_int_equal(pauses_overlap(&p, 0, 10), 0);
    assert_int_equal(pauses_overlap(&p, 0, 11), 1);
    assert_int_equal(pauses_overlap(&p, 12, 15), 3);
    assert_int_equal(pauses_overlap(&p, 15, 45), 10);
    assert_int_equal(pauses_overlap(&p, 100, 130), 30);
}

static void what_touches_becomes_one(void **state)
{
    struct pauses p = { 0 };

    (void)state;
    pauses_add(&p, PAUSE_VACANT, 50, 60);
    pauses_add(&p, PAUSE_SHUT, 10, 20);
    pauses_add(&p, PAUSE_SUSPENDED, 30, 40);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.at[0].from_s, 10);
    assert_int_equal(p.at[0].why, PAUSE_SHUT);
    pauses_add(&p, PAUSE_SUSPENDED, 5, 30);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.at[0].from_s, 5);
    assert_int_equal(p.at[0].to_s, 40);
    assert_int_equal(p.at[0].why, PAUSE_SUSPENDED);
    pauses_add(&p, PAUSE_SHUT, 0, INT64_MAX);
    assert_int_equal(p.count, 1);
    pauses_add(&p, PAUSE_SHUT, 3, 3);
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].to_s, INT64_MAX);
}

/* The sum over any stretch is that of a plain bitmap, as long as there is room. */
static void random_spans_are_those_of_a_bitmap(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 300; round++) {
        bool there[200] = { false };
        struct pauses p = { 0 };

        for (int n = 0; n < 20; n++) {
            int from = rand() % 200, to = from + rand() % 15;

            to = to > 200 ? 200 : to;
            pauses_add(&p, PAUSE_SHUT, from, to);
            for (int i = from; i < to; i++)
                there[i] = true;
        }
        for (size_t i = 1; i < p.count; i++)
            assert_true(p.at[i - 1].to_s < p.at[i].from_s);
        for (int from = 0; from < 200; from += 7)
            for (int to = from; to <= 200; to += 11) {
                int sum = 0;

                for (int i = from; i < to; i++)
                    sum += there[i];
                assert_int_equal(pauses_overlap(&p, from, to), sum);
            }
    }
}

static void without_room_the_closest_become_one(void **state)
{
    struct pauses p = { 0 };

    (void)state;
    for (int i = 0; i < PAUSES_MAX; i++)
        pauses_add(&p, PAUSE_SHUT, i * 100, i * 100 + (i == 5 ? 95 : 50));
    pauses_add(&p, PAUSE_SHUT, 10000, 10010);
    assert_int_equal(p.count, PAUSES_MAX);
    assert_int_equal(p.at[5].to_s, 650);
    assert_int_equal(p.at[PAUSES_MAX - 1].from_s, 10000);
}

static void a_flow_tells_by_why_and_when(void **state)
{
    struct pauses p = { 0 };

    (void)state;
    assert_int_equal(pauses_flow_tells(NULL, 0, 100), FLOW_TELLS_ALL);
    pauses_add(&p, PAUSE_VACANT, 1000, 2000);
    pauses_add(&p, PAUSE_SHUT, 3000, 4000);
    pauses_add(&p, PAUSE_DRY, 5000, 6000);
    assert_int_equal(pauses_flow_tells(&p, 0, 1000), FLOW_TELLS_ALL);
    assert_int_equal(pauses_flow_tells(&p, 0, 1001), FLOW_TELLS_END);
    assert_int_equal(pauses_flow_tells(&p, 2000, 3000), FLOW_TELLS_ALL);
    assert_int_equal(pauses_flow_tells(&p, 1500, 3001), FLOW_TELLS_NOTHING);
    assert_int_equal(pauses_flow_tells(&p, 4000, 5000), FLOW_TELLS_ALL);
    assert_int_equal(pauses_flow_tells(&p, 5999, 7000), FLOW_TELLS_NOTHING);
    assert_int_equal(pauses_flow_tells(&p, 5999 + PAUSES_REFILL_S, 90000), FLOW_TELLS_NOTHING);
    assert_int_equal(pauses_flow_tells(&p, 6000 + PAUSES_REFILL_S, 90000), FLOW_TELLS_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_counts_what_lies_within),
        cmocka_unit_test(what_touches_becomes_one),
        cmocka_unit_test(random_spans_are_those_of_a_bitmap),
        cmocka_unit_test(a_flow_tells_by_why_and_when),
        cmocka_unit_test(without_room_the_closest_become_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
