/* Names to meter ids, against a plain model; and what a name costs. */
#include "storage/registry.h"
#include "tests/check.h"

#include <stdio.h>

static struct registry *made(void)
{
    struct registry *r = NULL;

    assert_ok(registry_new(&r));
    return r;
}

static struct span named(char *room, unsigned i)
{
    return span_of(room, (size_t)sprintf(room, "M%09u", i));
}

static void every_name_added_is_found_and_no_other(void **state)
{
    struct registry *r = made();
    char room[32];

    (void)state;
    for (unsigned i = 1; i <= 50000; i++)
        assert_ok(registry_add(r, named(room, i), i));
    for (unsigned i = 1; i <= 50000; i++)
        assert_int_equal(i, registry_find(r, named(room, i)));
    for (unsigned i = 50001; i <= 100000; i++)
        assert_int_equal(0, registry_find(r, named(room, i)));
    assert_int_equal(50000, registry_count(r));
    registry_free(r);
}

static void the_same_name_twice_is_fine_and_the_empty_one_is_unknown(void **state)
{
    struct registry *r = made();

    (void)state;
    assert_int_equal(0, registry_find(r, span_text("a")));
    assert_ok(registry_add(r, span_text("a"), 1));
    assert_ok(registry_add(r, span_text("a"), 1));
    assert_int_equal(1, registry_find(r, span_text("a")));
    assert_int_equal(0, registry_find(r, span_text("")));
    assert_int_equal(0, registry_find(r, span_of(NULL, 0)));
    registry_free(r);
}

static void serials_are_compared_byte_by_byte(void **state)
{
    struct registry *r = made();

    (void)state;
    assert_ok(registry_add(r, span_text("ab1"), 1));
    assert_ok(registry_add(r, span_text("AB1"), 2));
    assert_ok(registry_add(r, span_text("0012"), 3));
    assert_ok(registry_add(r, span_text("12"), 4));
    assert_ok(registry_add(r, span_text("00000000abcdef12"), 5));
    assert_int_equal(1, registry_find(r, span_text("ab1")));
    assert_int_equal(2, registry_find(r, span_text("AB1")));
    assert_int_equal(3, registry_find(r, span_text("0012")));
    assert_int_equal(4, registry_find(r, span_text("12")));
    assert_int_equal(0, registry_find(r, span_text("00000000ABCDEF12")));
    registry_free(r);
}

static void radio_names_are_found_in_either_case(void **state)
{
    struct registry *r = made();

    (void)state;
    assert_ok(registry_add(r, span_text("M1"), 1));
    assert_ok(registry_add_radio(r, span_text("0000000161832B12"), 1));
    assert_ok(registry_add_radio(r, span_text("KAM-74685644"), 2));
    assert_int_equal(1, registry_find(r, span_text("0000000161832b12")));
    assert_int_equal(1, registry_find(r, span_text("0000000161832B12")));
    assert_int_equal(2, registry_find(r, span_text("KAM-74685644")));
    assert_int_equal(2, registry_find(r, span_text("kam-74685644")));
    registry_drop_radio(r, span_text("Kam-74685644"), 2);
    assert_int_equal(0, registry_find(r, span_text("KAM-74685644")));
    registry_free(r);
}

static void assert_profile(struct registry *r, uint32_t meter, const char *expected)
{
    struct span profile;

    registry_read_lock(r);
    profile = registry_profile_lkd(r, meter);
    assert_true(span_equal(profile, span_text(expected)));
    registry_read_unlock(r);
}

static void an_eui_that_serves_as_a_serial_is_found_as_networks_spell_it(void **state)
{
    struct registry *r = made();

    (void)state;
    assert_ok(registry_add_radio(r, span_text("0004a30b001c0531"), 1));
    assert_ok(registry_add(r, span_text("0004A30B001C0531"), 2));
    assert_ok(registry_add(r, span_text("0004A30B001C0530"), 3));
    assert_ok(registry_add(r, span_text("0004A30B001C05"), 4)); /* no EUI */
    assert_int_equal(1, registry_find(r, span_text("0004a30b001c0531")));
    assert_int_equal(2, registry_find(r, span_text("0004A30B001C0531")));
    assert_int_equal(3, registry_find(r, span_text("0004a30b001c0530")));
    assert_int_equal(0, registry_find(r, span_text("0004a30b001c05")));
    registry_free(r);
}

static void a_meter_has_the_dialect_that_was_set_last(void **state)
{
    struct registry *r = made();
    char room[100];

    (void)state;
    assert_profile(r, 7, "");
    assert_ok(registry_set_profile(r, 7, span_text("")));
    assert_ok(registry_set_profile(r, 7, span_text("oms")));
    assert_ok(registry_set_profile(r, 70000, span_text("cjt188")));
    assert_ok(registry_set_profile(r, 8, span_text("oms")));
    assert_profile(r, 7, "oms");
    assert_profile(r, 8, "oms");
    assert_profile(r, 9, "");
    assert_profile(r, 70000, "cjt188");
    assert_ok(registry_set_profile(r, 7, span_text("")));
    assert_profile(r, 7, "");
    assert_profile(r, 70001, "");
    for (unsigned i = 1; i <= 70000; i++) /* more texts than are told apart, and long ones */
        assert_ok(registry_set_profile(
            r, i, span_of(room, (size_t)sprintf(room, "%08u and a text that goes on and on", i))));
    assert_profile(r, 1, "00000001 and a text that goes on and on");
    registry_read_lock(r);
    assert_true(registry_profile_lkd(r, 70000).len > 0);
    registry_read_unlock(r);
    registry_free(r);
}

static void a_radio_name_taken_back_is_unknown_and_may_be_given_again(void **state)
{
    struct registry *r = made();

    (void)state;
    assert_ok(registry_add_radio(r, span_text("x"), 1));
    registry_drop_radio(r, span_text("x"), 2); /* not its meter: nothing happens */
    assert_int_equal(1, registry_find(r, span_text("x")));
    registry_drop_radio(r, span_text("x"), 1);
    registry_drop_radio(r, span_text("never"), 1);
    assert_int_equal(0, registry_find(r, span_text("x")));
    assert_ok(registry_add_radio(r, span_text("x"), 3));
    assert_int_equal(3, registry_find(r, span_text("x")));
    registry_free(r);
}

static void a_million_names_take_forty_bytes_each_at_most(void **state)
{
    struct registry *r = made();
    char room[32];

    (void)state;
    for (unsigned i = 1; i <= 1000000; i++) {
        assert_ok(registry_add(r, named(room, i), i));
        if (i % 100000 == 0)
            assert_true(registry_bytes(r) <= (size_t)i * 40);
    }
    registry_free(r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_added_is_found_and_no_other),
        cmocka_unit_test(the_same_name_twice_is_fine_and_the_empty_one_is_unknown),
        cmocka_unit_test(serials_are_compared_byte_by_byte),
        cmocka_unit_test(radio_names_are_found_in_either_case),
        cmocka_unit_test(an_eui_that_serves_as_a_serial_is_found_as_networks_spell_it),
        cmocka_unit_test(a_meter_has_the_dialect_that_was_set_last),
        cmocka_unit_test(a_radio_name_taken_back_is_unknown_and_may_be_given_again),
        cmocka_unit_test(a_million_names_take_forty_bytes_each_at_most),
    };

    return check_run(tests, argc, argv);
}
