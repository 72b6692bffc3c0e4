/* Who guesses passwords waits: by name and address, by address, by name. */
#include "server/query/patience.h"
#include "tests/check.h"

#include <stdio.h>

static const struct span ann = { (const uint8_t *)"ann", 3 }, ben = { (const uint8_t *)"ben", 3 };
static const struct span here = { (const uint8_t *)"10.0.0.1", 8 },
                         there = { (const uint8_t *)"10.0.0.2", 8 };

static struct patience *fresh(void)
{
    struct patience *p = NULL;

    assert_ok(patience_new(&p));
    return p;
}

static void five_tries_cost_nothing_and_then_the_wait_doubles(void **state)
{
    struct patience *p = fresh();
    int64_t now_ms = 1000, wait_s = 1;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(0, patience_wait_ms(p, ann, here, now_ms));
        patience_failed(p, ann, here, now_ms);
    }
    for (; wait_s < 900; wait_s *= 2) {
        assert_int_equal(wait_s * 1000, patience_wait_ms(p, ann, here, now_ms));
        assert_int_equal(1, patience_wait_ms(p, ann, here, now_ms + wait_s * 1000 - 1));
        now_ms += wait_s * 1000;
        assert_int_equal(0, patience_wait_ms(p, ann, here, now_ms));
        patience_failed(p, ann, here, now_ms);
    }
    assert_int_equal(900000, patience_wait_ms(p, ann, here, now_ms));
    assert_int_equal(0, patience_wait_ms(p, ann, here, now_ms + 3600001));
    patience_free(p);
}

static void strangers_keep_nobody_out_for_longer_than_a_minute(void **state)
{
    struct patience *p = fresh();
    char address[16];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(address, sizeof address, "192.0.2.%d", i);
        patience_failed(p, ann, span_text(address), 1000 + i);
    }
    assert_int_equal(60000, patience_wait_ms(p, ann, here, 1199));
    assert_int_equal(0, patience_wait_ms(p, ben, here, 1199));
    patience_free(p);
}

static void an_address_that_tries_many_names_waits_for_all_of_them(void **state)
{
    struct patience *p = fresh();
    char name[16];

    (void)state;
    for (int i = 0; i < 30; i++) {
        assert_int_equal(0, patience_wait_ms(p, ben, here, 1000));
        snprintf(name, sizeof name, "name-%d", i);
        patience_failed(p, span_text(name), here, 1000);
    }
    for (int i = 0; i < 3; i++) /* one of those names may have fallen on the place of the address */
        patience_failed(p, span_text("one more"), here, 1000);
    assert_true(patience_wait_ms(p, ben, here, 1000) > 0);
    assert_int_equal(0, patience_wait_ms(p, ben, there, 1000));
    patience_forgive(p, ann, here); /* a good password is no leave to guess at others */
    assert_true(patience_wait_ms(p, ben, here, 1000) > 0);
    patience_free(p);
}

static void the_right_password_forgives_what_went_before(void **state)
{
    struct patience *p = fresh();

    (void)state;
    for (int i = 0; i < 4; i++)
        patience_failed(p, ann, here, 1000);
    patience_forgive(p, ann, here);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(0, patience_wait_ms(p, ann, here, 1000));
        patience_failed(p, ann, here, 1000);
    }
    assert_int_equal(1000, patience_wait_ms(p, ann, here, 1000));
    patience_free(p);
}

/* Names from anywhere: the table stays as large as it is, and forgets nobody who goes on. Each that falls on a place takes one failure from it: four do so
 * of these, and 20 would have to. */
static void many_names_cannot_make_it_forget_one(void **state)
{
    struct patience *p = fresh();
    char name[16], address[16];

    (void)state;
    for (int i = 0; i < 24; i++)
        patience_failed(p, ann, here, 1000);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        snprintf(address, sizeof address, "a%d", i);
        patience_failed(p, span_text(name), span_text(address), 1000);
    }
    assert_true(patience_wait_ms(p, ann, here, 1000) > 0);
    patience_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_tries_cost_nothing_and_then_the_wait_doubles),
        cmocka_unit_test(strangers_keep_nobody_out_for_longer_than_a_minute),
        cmocka_unit_test(an_address_that_tries_many_names_waits_for_all_of_them),
        cmocka_unit_test(the_right_password_forgives_what_went_before),
        cmocka_unit_test(many_names_cannot_make_it_forget_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
