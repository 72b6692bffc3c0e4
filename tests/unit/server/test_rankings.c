/* Rankings that are kept: what they hold by, and who shares them. */
#include "server/app_open.h"
#include "server/registers.h"
#include "server/replacements_priv.h"
#include "tests/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW 1772294400 /* 2026-03-01T00:00+08:00 */
#define DAY 86400

static struct app app;

static int begin(void **state)
{
    struct app_options options = { .dir = check_folder(),
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 100,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };

    (void)state;
    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, NOW);
    assert_ok(app_open_store(&app, &options, &r));
    assert_ok(rankings_open(&app.rankings));
    return 0;
}

static int end(void **state)
{
    (void)state;
    rankings_close(app.rankings);
    app_close_store(&app);
    return 0;
}

/* A row that no ranking depends on. */
static void act_of_somebody(const char *org)
{
    struct span cells[] = { span_text(org) };
    struct act a = act_begin(app.ledger, "test", NOW, 0);

    act_put_row(&a, LIST_ORG, cells[0], LEDGER_ALWAYS, cells, 1, NULL, NULL);
    assert_ok(act_end(&a));
}

static void price(const char *money)
{
    static const uint8_t name[] = "water\0residential";
    struct span cells[] = { span_text("water"), span_text("residential"), span_text(money) };
    struct act a = act_begin(app.ledger, "test", NOW, 0);

    act_put_row(&a, LIST_PRICE, span_of(name, sizeof name), LEDGER_ALWAYS, cells, 3, NULL, NULL);
    assert_ok(act_end(&a));
}

static struct ranking *held(void)
{
    struct ranking *r;

    assert_ok(ranking_hold(&app, &r));
    return r;
}

static void one_is_shared_until_somebody_is_touched(void **state)
{
    struct ranking *a = held(), *b = held(), *c;
    uint32_t meter = 7;

    (void)state;
    assert_ptr_equal(a, b);
    act_of_somebody("A");
    c = held();
    assert_ptr_equal(a, c);
    ranking_release(c);
    rankings_touch(app.rankings, &meter, 1);
    c = held();
    assert_ptr_not_equal(a, c);
    assert_ptr_equal(a->base, c->base);
    assert_int_equal(c->touched_count, 1);
    assert_int_equal(c->touched[0], 7);
    ranking_release(a);
    ranking_release(b);
    ranking_release(c);
}

static void what_is_kept_and_is_not_what_all_say_is_found(void **state)
{
    struct ranking *a = held();
    uint32_t meter = 5;

    (void)state;
    assert_ok(rankings_check(&app, &meter));
    assert_int_equal(meter, 0);
    /* As if a meter had gone, and nobody had been told. */
    free(a->base->all.at);
    a->base->all.at = (struct replacement *)calloc(1, sizeof *a->base->all.at);
    assert_non_null(a->base->all.at);
    a->base->all.at[0].meter = 7;
    a->base->all.count = 1;
    assert_ok(rankings_check(&app, &meter));
    assert_int_equal(meter, 7);
    meter = 7;
    rankings_touch(app.rankings, &meter, 1);
    assert_ok(rankings_check(&app, &meter));
    assert_int_equal(meter, 0);
    ranking_release(a);
}

static void prices_and_a_midnight_move_everybody_at_once(void **state)
{
    struct ranking *a = held(), *b;

    (void)state;
    price("7.5");
    b = held();
    assert_ptr_not_equal(a->base, b->base);
    assert_int_equal(b->rules.water_m3[USE_RESIDENTIAL], 7500);
    ranking_release(a);
    clock_virtual(&app.clock, NOW + DAY);
    a = held();
    assert_ptr_not_equal(a->base, b->base);
    assert_int_equal(a->today, b->today + 1);
    assert_int_equal(a->base->whole_day, b->today); /* it was made of the other */
    ranking_release(a);
    ranking_release(b);
}

static void touch_many(uint32_t count)
{
    uint32_t *meters = (uint32_t *)malloc(count * sizeof *meters);

    assert_non_null(meters);
    for (uint32_t i = 0; i < count; i++)
        meters[i] = i + 1;
    rankings_touch(app.rankings, meters, count);
    free(meters);
}

static void more_touches_than_are_remembered_make_a_new_one(void **state)
{
    struct ranking *a = held(), *b;

    (void)state;
    touch_many(TOUCHED_MOST / 64);
    b = held();
    assert_ptr_equal(a->base, b->base);
    assert_int_equal(b->touched_count, TOUCHED_MOST / 64);
    ranking_release(b);
    touch_many(TOUCHED_MOST);
    touch_many(1);
    b = held();
    assert_ptr_not_equal(a->base, b->base);
    assert_int_equal(b->touched_count, 0);
    ranking_release(a);
    ranking_release(b);
}

/* Asks until the thread has seen to it; half a minute at most. */
static struct ranking *wait_for(bool (*is_so)(const struct ranking *r))
{
    int64_t until_ms = clock_monotonic_ms() + 30000;
    struct ranking *r = held();

    while (!is_so(r) && clock_monotonic_ms() < until_ms) {
        ranking_release(r);
        r = held();
    }
    assert_true(is_so(r));
    return r;
}

static bool is_whole(const struct ranking *r)
{
    return r->base->whole_day == r->today;
}

static bool is_flat(const struct ranking *r)
{
    return r->touched_count == 0;
}

static void the_thread_makes_it_whole_once_a_day_and_flat_when_many_were_touched(void **state)
{
    struct ranking *a = held(), *b;

    (void)state;
    assert_ok(rankings_start(&app));
    assert_ok(clock_set(&app.clock, NOW + DAY));
    b = wait_for(is_whole);
    assert_int_equal(b->today, a->today + 1);
    ranking_release(a);
    touch_many(20000);
    a = wait_for(is_flat);
    assert_ptr_not_equal(a->base, b->base);
    ranking_release(a);
    ranking_release(b);
}

/* ---- a walk ---- */

#define MANY 400

static int by_rank(const void *a, const void *b)
{
    struct replace_rank x = replacement_rank((const struct replacement *)a);
    struct replace_rank y = replacement_rank((const struct replacement *)b);

    return replace_order(&x, &y);
}

static void make_ranks(struct check_random *dice, struct ranks *out, uint32_t step)
{
    out->at = (struct replacement *)calloc(MANY, sizeof *out->at);
    assert_non_null(out->at);
    for (uint32_t id = 1; id <= MANY; id++)
        if (id % step == 0)
            out->at[out->count++] =
                (struct replacement){ .meter = id,
                                      .benefit = (int64_t)check_below(dice, 50),
                                      .legal_due = (int32_t)check_below(dice, 3) };
    assert_ok(ranked_sort(out));
}

/* Base without the touched, and what those are now, as one list. */
static size_t plain(const struct ranking *r, const bool *touched, struct replacement *out)
{
    size_t count = 0;

    for (size_t i = 0; i < r->base->all.count; i++)
        if (!touched[r->base->all.at[i].meter])
            out[count++] = r->base->all.at[i];
    for (size_t i = 0; i < r->own.count; i++)
        out[count++] = r->own.at[i];
    qsort(out, count, sizeof *out, by_rank);
    return count;
}

static void a_walk_is_the_base_without_the_touched_and_these_in_their_places(void **state)
{
    struct check_random dice = check_random_begin();
    struct ranking_base base = { .holders = 1 };
    struct ranking r = { .base = &base };
    bool touched[MANY + 1] = { false };
    struct replacement all[2 * MANY];
    struct ranking_walk w = { 0 };
    size_t count;

    (void)state;
    make_ranks(&dice, &base.all, 1);
    make_ranks(&dice, &r.own, 3);
    r.touched = (uint32_t *)calloc(MANY, sizeof *r.touched);
    r.marks = (uint8_t *)calloc(1, (1u << TOUCHED_BITS) / 8);
    assert_non_null(r.touched);
    assert_non_null(r.marks);
    for (uint32_t id = 1; id <= MANY; id++)
        if ((touched[id] = id % 3 == 0 || id % 5 == 0)) /* some are no candidates any more */
            r.touched[r.touched_count++] = id;
    ranking_mark(&r);
    count = plain(&r, touched, all);
    for (size_t i = 0; i < count; i++) {
        struct replace_rank last = replacement_rank(&all[i]);
        struct ranking_walk from;
        const struct replacement *one = ranking_next(&r, &w), *next;

        assert_non_null(one);
        assert_int_equal(one->meter, all[i].meter);
        from = ranking_behind(&r, &last);
        next = ranking_next(&r, &from);
        if (i + 1 < count)
            assert_int_equal(next->meter, all[i + 1].meter);
        else
            assert_null(next);
    }
    assert_null(ranking_next(&r, &w));
    free(base.all.at);
    free(r.own.at);
    free(r.touched);
    free(r.marks);
}

static void a_long_ranking_is_sorted_in_pieces_as_a_short_one(void **state)
{
    struct check_random dice = check_random_begin();
    struct ranks long_one = { .count = 70001 };

    (void)state;
    long_one.at = (struct replacement *)calloc(long_one.count, sizeof *long_one.at);
    assert_non_null(long_one.at);
    for (size_t i = 0; i < long_one.count; i++)
        long_one.at[i] = (struct replacement){ .meter = (uint32_t)i + 1,
                                               .benefit = (int64_t)check_below(&dice, 1000) };
    assert_ok(ranked_sort(&long_one));
    for (size_t i = 1; i < long_one.count; i++)
        assert_true(by_rank(&long_one.at[i - 1], &long_one.at[i]) < 0);
    free(long_one.at);
}

/* ---- many at once ---- */

#define TURNS 300

static void *ask_again_and_again(void *arg)
{
    struct ranking *r;

    for (int i = 0; i < TURNS; i++) {
        if (ranking_hold(&app, &r))
            return arg;
        if (i % 16 == 0)
            rankings_touch(app.rankings, &(uint32_t){ (uint32_t)i + 1 }, 1);
        ranking_release(r);
    }
    return NULL;
}

static void many_ask_while_things_happen(void **state)
{
    pthread_t threads[4];
    char name[16];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, &app), 0);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "O%d", i);
        act_of_somebody(name);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_shared_until_somebody_is_touched, begin, end),
        cmocka_unit_test_setup_teardown(what_is_kept_and_is_not_what_all_say_is_found, begin, end),
        cmocka_unit_test_setup_teardown(prices_and_a_midnight_move_everybody_at_once, begin, end),
        cmocka_unit_test_setup_teardown(more_touches_than_are_remembered_make_a_new_one, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            the_thread_makes_it_whole_once_a_day_and_flat_when_many_were_touched, begin, end),
        cmocka_unit_test(a_walk_is_the_base_without_the_touched_and_these_in_their_places),
        cmocka_unit_test(a_long_ranking_is_sorted_in_pieces_as_a_short_one),
        cmocka_unit_test_setup_teardown(many_ask_while_things_happen, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
