/* Rankings that are kept: what they hold by, and who shares them. */
#include "server/app_open.h"
#include "server/registers.h"
#include "server/replacements.h"
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

static void one_is_shared_until_something_happens(void **state)
{
    struct ranking *a = held(), *b = held(), *c;
    struct txn t;

    (void)state;
    assert_ptr_equal(a, b);
    act_of_somebody("A");
    c = held();
    assert_ptr_not_equal(a, c);
    ranking_release(c);
    t = views_write(app.views);
    views_put_condition(&t, 7, span_text("12345678"));
    assert_ok(txn_end(&t));
    ranking_release(a);
    ranking_release(b);
    c = held();
    assert_int_equal(c->changes, 1);
    ranking_release(c);
}

static void one_that_took_long_is_shown_for_a_while_but_with_the_prices_of_now(void **state)
{
    struct ranking *a, *b;

    (void)state;
    a = held();
    a->took_ms = 60000; /* as of ten million meters */
    act_of_somebody("A");
    b = held();
    assert_ptr_equal(a, b);
    ranking_release(b);
    price("7.5");
    b = held();
    assert_ptr_not_equal(a, b);
    assert_int_equal(b->rules.water_m3[USE_RESIDENTIAL], 7500);
    ranking_release(a);
    ranking_release(b);
}

static void nothing_older_is_shown_after_a_settling_or_a_midnight(void **state)
{
    struct ranking *a, *b;

    (void)state;
    a = held();
    a->took_ms = 60000;
    rankings_expire(app.rankings);
    b = held();
    assert_ptr_not_equal(a, b);
    ranking_release(a);
    b->took_ms = 60000;
    clock_virtual(&app.clock, NOW + DAY);
    a = held();
    assert_ptr_not_equal(a, b);
    assert_int_equal(a->today, b->today + 1);
    ranking_release(a);
    ranking_release(b);
}

static void a_costly_one_is_made_anew_before_anybody_waits(void **state)
{
    struct ranking *a = held(), *b;
    int64_t until_ms = clock_monotonic_ms() + 30000;

    (void)state;
    a->took_ms = 60000;
    a->made_ms -= RANKING_AGE * a->took_ms * 3 / 4; /* it may still be shown, and is */
    act_of_somebody("A");
    b = held();
    assert_ptr_equal(a, b);
    ranking_release(b);
    assert_ok(rankings_start(&app));
    do {
        b = held();
        ranking_release(b);
    } while (b == a && clock_monotonic_ms() < until_ms);
    assert_ptr_not_equal(a, b);
    ranking_release(a);
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
            rankings_expire(app.rankings);
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
        cmocka_unit_test_setup_teardown(one_is_shared_until_something_happens, begin, end),
        cmocka_unit_test_setup_teardown(
            one_that_took_long_is_shown_for_a_while_but_with_the_prices_of_now, begin, end),
        cmocka_unit_test_setup_teardown(nothing_older_is_shown_after_a_settling_or_a_midnight,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_costly_one_is_made_anew_before_anybody_waits, begin, end),
        cmocka_unit_test_setup_teardown(many_ask_while_things_happen, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
