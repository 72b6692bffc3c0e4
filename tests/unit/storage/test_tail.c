#include "tests/check.h"

#include "storage/tail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct tail *fresh_tail(void)
{
    struct tail *t = NULL;

    assert_ok(tail_new(&t));
    return t;
}

static void a_meters_positions_come_oldest_first_from_both_generations(void **state)
{
    struct tail *t = fresh_tail();
    struct tail_entry first[] = { { 7, 10 }, { 9, 11 }, { 7, 12 } },
                      second[] = { { 7, 20 }, { 0, 21 } };
    uint64_t out[8];

    (void)state;
    assert_ok(tail_add(t, first, 3));
    assert_true(tail_turn(t));
    assert_ok(tail_add(t, second, 2));
    assert_int_equal(tail_of(t, 7, out, 8), 3);
    assert_int_equal(out[0], 10);
    assert_int_equal(out[1], 12);
    assert_int_equal(out[2], 20);
    assert_int_equal(tail_of(t, 0, out, 8), 1);
    assert_int_equal(tail_of(t, 8, out, 8), 0);
    assert_int_equal(tail_of(t, 1000000, out, 8), 0);
    assert_int_equal(tail_count(t), 5);
    tail_drop(t);
    assert_int_equal(tail_of(t, 7, out, 8), 1);
    assert_int_equal(out[0], 20);
    assert_int_equal(tail_count(t), 2);
    tail_free(t);
}

static void too_little_room_gives_the_oldest_and_says_how_many_there_are(void **state)
{
    struct tail *t = fresh_tail();
    uint64_t out[4] = { 0 };

    (void)state;
    for (uint64_t i = 1; i <= 10; i++)
        assert_ok(tail_add(t, &(struct tail_entry){ 5, i }, 1));
    assert_int_equal(tail_of(t, 5, NULL, 0), 10);
    assert_int_equal(tail_of(t, 5, out, 3), 10);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[2], 3);
    assert_int_equal(out[3], 0);
    tail_free(t);
}

static void a_generation_turns_only_when_the_last_is_dropped(void **state)
{
    struct tail *t = fresh_tail();

    (void)state;
    assert_false(tail_turn(t)); /* nothing grew */
    assert_ok(tail_add(t, &(struct tail_entry){ 1, 1 }, 1));
    assert_true(tail_turn(t));
    assert_ok(tail_add(t, &(struct tail_entry){ 1, 2 }, 1));
    assert_false(tail_turn(t));
    tail_drop(t);
    assert_true(tail_turn(t));
    tail_drop(t);
    assert_false(tail_turn(t));
    assert_int_equal(tail_count(t), 0);
    tail_free(t);
}

static void the_settling_generation_is_walked_by_meter(void **state)
{
    struct tail *t = fresh_tail();
    struct tail_entry entries[] = { { 500, 1 }, { 0, 2 }, { 3, 3 }, { 500, 4 } };
    uint64_t out[4];

    (void)state;
    assert_int_equal(tail_settling_next(t, UINT32_MAX), UINT32_MAX);
    assert_ok(tail_add(t, entries, 4));
    assert_int_equal(tail_settling_next(t, UINT32_MAX),
                     UINT32_MAX); /* grows, does not settle yet */
    assert_true(tail_turn(t));
    assert_int_equal(tail_settling_next(t, UINT32_MAX), 0);
    assert_int_equal(tail_settling_next(t, 0), 3);
    assert_int_equal(tail_settling_next(t, 3), 500);
    assert_int_equal(tail_settling_next(t, 500), UINT32_MAX);
    assert_int_equal(tail_settling_of(t, 500, out, 4), 2);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 4);
    tail_drop(t);
    assert_int_equal(tail_settling_next(t, UINT32_MAX), UINT32_MAX);
    tail_free(t);
}

/* ---- against a plain list ------------------------------------------------------------------- */

#define METERS 300
#define ENTRIES 60000

struct plain {
    struct tail_entry at[ENTRIES];
    size_t count, settled, dropped; /* [dropped, settled) settles, [settled, count) grows */
};

static void assert_meter(struct tail *t, const struct plain *p, uint32_t meter)
{
    static uint64_t out[ENTRIES];
    size_t count = tail_of(t, meter, out, ENTRIES), k = 0;

    for (size_t i = p->dropped; i < p->count; i++) {
        if (p->at[i].meter != meter)
            continue;
        assert_true(k < count);
        assert_int_equal(out[k++], p->at[i].position);
    }
    assert_int_equal(k, count);
}

static void any_history_equals_a_plain_list(void **state)
{
    struct check_random random = check_random_begin();
    struct tail *t = fresh_tail();
    struct plain *p = calloc(1, sizeof(*p));
    uint64_t position = 1;

    (void)state;
    while (p->count + 500 < ENTRIES) {
        size_t some = check_below(&random, 500);

        for (size_t i = 0; i < some; i++)
            p->at[p->count + i] =
                (struct tail_entry){ (uint32_t)check_below(&random, METERS), position++ };
        assert_ok(tail_add(t, p->at + p->count, some));
        p->count += some;
        if (check_below(&random, 5) == 0 && p->dropped == p->settled) {
            assert_int_equal(tail_turn(t), p->count > p->settled);
            p->settled = p->count;
        } else if (check_below(&random, 5) == 0) {
            tail_drop(t);
            p->dropped = p->settled;
        }
        assert_int_equal(tail_count(t), p->count - p->dropped);
        for (int i = 0; i < 3; i++)
            assert_meter(t, p, (uint32_t)check_below(&random, METERS + 5));
    }
    free(p);
    tail_free(t);
}

/* ---- threads -------------------------------------------------------------------------------- */

#define BATCH 100

static atomic_bool stop;

/* Entries of a batch have position = round * BATCH + i and meter = i: at any time each meter has a
 * gapless run of rounds. */
static void *read_runs(void *arg)
{
    static _Thread_local uint64_t out[100000];
    struct tail *t = arg;
    unsigned asked = 0;

    while (!atomic_load(&stop) || asked < 10) {
        uint32_t meter = asked++ % BATCH;
        size_t count = tail_of(t, meter, out, 100000);

        for (size_t i = 0; i < count; i++) {
            if (out[i] % BATCH != meter || (i && out[i] != out[i - 1] + BATCH))
                return (void *)"a position is wrong, missing or twice there";
        }
    }
    return NULL;
}

static void *settle(void *arg)
{
    static _Thread_local uint64_t out[100000];
    struct tail *t = arg;
    uint64_t settled = 0;

    while (!atomic_load(&stop) || tail_count(t)) {
        uint32_t meter = UINT32_MAX;

        if (!tail_turn(t))
            continue;
        while ((meter = tail_settling_next(t, meter)) != UINT32_MAX)
            settled += tail_settling_of(t, meter, out, 100000);
        tail_drop(t);
    }
    return (void *)(uintptr_t)settled;
}

static void readers_and_settling_beside_a_writer_lose_nothing(void **state)
{
    struct tail *t = fresh_tail();
    struct tail_entry batch[BATCH];
    pthread_t readers[2], settler;
    void *result;

    (void)state;
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_runs, t), 0);
    assert_int_equal(pthread_create(&settler, NULL, settle, t), 0);
    for (uint64_t round = 0; round < 3000; round++) {
        for (uint32_t i = 0; i < BATCH; i++)
            batch[i] = (struct tail_entry){ i, round * BATCH + i };
        assert_ok(tail_add(t, batch, BATCH));
    }
    atomic_store(&stop, true);
    pthread_join(settler, &result);
    assert_int_equal((uintptr_t)result, 3000 * BATCH);
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], &result);
        if (result)
            fail_msg("%s", (char *)result);
    }
    tail_free(t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meters_positions_come_oldest_first_from_both_generations),
        cmocka_unit_test(too_little_room_gives_the_oldest_and_says_how_many_there_are),
        cmocka_unit_test(a_generation_turns_only_when_the_last_is_dropped),
        cmocka_unit_test(the_settling_generation_is_walked_by_meter),
        cmocka_unit_test(any_history_equals_a_plain_list),
        cmocka_unit_test(readers_and_settling_beside_a_writer_lose_nothing),
    };

    return check_run(tests, argc, argv);
}
