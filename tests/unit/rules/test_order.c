/* Orders of work by their tables: states and moves, deadlines, results, names. */
#include "server/fleet/order.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

#define HOUR 3600

static void what_is_closed_stays_closed(void **state)
{
    (void)state;
    for (unsigned m = 0; m < ORDER_MOVES; m++) {
        unsigned from = order_move_from((enum order_move)m);

        assert_non_null(order_move_name((enum order_move)m));
        assert_false(from >> ORDER_DONE & 1);
        assert_false(from >> ORDER_CANCELLED & 1);
        assert_true(from != 0);
    }
    assert_false(order_is_live(ORDER_DONE));
    assert_false(order_is_live(ORDER_CANCELLED));
    assert_true(order_is_live(ORDER_OPEN));
}

static void moves_lead_where_the_table_says(void **state)
{
    (void)state;
    assert_int_equal(order_moved(MOVE_CHANGE, ORDER_STARTED), ORDER_STARTED);
    assert_int_equal(order_moved(MOVE_ASSIGN, ORDER_OPEN), ORDER_ASSIGNED);
    assert_int_equal(order_moved(MOVE_ASSIGN, ORDER_STARTED), ORDER_ASSIGNED);
    assert_int_equal(order_moved(MOVE_UNASSIGN, ORDER_STARTED), ORDER_OPEN);
    assert_int_equal(order_moved(MOVE_START, ORDER_OPEN), ORDER_STARTED);
    assert_int_equal(order_moved(MOVE_CANCEL, ORDER_OPEN), ORDER_CANCELLED);
    assert_false(order_move_from(MOVE_START) >> ORDER_STARTED & 1);
}

/* Every result of the table leads to a state that is its ending's, from every live state. */
static void results_end_an_order_put_it_back_or_leave_it_under_way(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ORDER_RESULTS; r++) {
        enum order_result result = (enum order_result)r, again;

        assert_true(order_result_read(span_text(order_result_name(result)), &again));
        assert_int_equal(again, result);
        assert_non_null(order_result_en(result));
        assert_non_null(order_result_zh(result));
        for (unsigned s = 0; s < ORDER_DONE; s++) {
            enum order_state to = order_reported(result, (enum order_state)s);

            if (order_result_ending(result) == ORDER_ENDS)
                assert_int_equal(to, ORDER_DONE);
            else if (order_result_ending(result) == ORDER_BACK)
                assert_int_equal(to, ORDER_OPEN);
            else
                assert_true(order_is_live(to));
        }
    }
    assert_null(order_result_name(ORDER_RESULTS));
    assert_int_equal(order_reported(RESULT_SENT, ORDER_ASSIGNED), ORDER_STARTED);
    for (unsigned k = 0; k < ORDER_KINDS; k++) {
        assert_true(order_result_fits(RESULT_DONE, (enum order_kind)k));
        assert_true(order_result_fits(RESULT_NO_ACCESS, (enum order_kind)k));
        assert_false(order_result_fits(RESULT_EXCHANGED, (enum order_kind)k));
    }
    assert_false(order_result_fits(RESULT_SENT, ORDER_READ));
    assert_true(order_result_fits(RESULT_SENT, ORDER_VERIFY));
    assert_int_equal(order_result_flag(RESULT_NOT_FOUND), ORDER_FLAG_DISMISSED);
    assert_int_equal(order_result_effect(RESULT_BROKEN), EFFECT_FAULT);
}

static void each_state_has_its_own_deadline(void **state)
{
    int64_t due = order_due(PRIORITY_URGENT, 1000);

    (void)state;
    assert_int_equal(due, 1000 + 24 * HOUR);
    assert_int_equal(order_sla(ORDER_OPEN, PRIORITY_URGENT, 1000, due), 1000 + HOUR);
    assert_int_equal(order_sla(ORDER_ASSIGNED, PRIORITY_URGENT, 2000, due), 2000 + 4 * HOUR);
    assert_int_equal(order_sla(ORDER_STARTED, PRIORITY_URGENT, 3000, due), due);
    assert_true(order_sla(ORDER_DONE, PRIORITY_URGENT, 3000, due) == INT64_MAX);
    /* Never behind the order's own. */
    assert_int_equal(order_sla(ORDER_OPEN, PRIORITY_LOW, 1000, 1500), 1500);
    for (unsigned p = 1; p < ORDER_PRIORITIES; p++)
        assert_true(order_due((enum order_priority)(p - 1), 0) <
                    order_due((enum order_priority)p, 0));
}

static void late_is_past_its_time_when_it_ended(void **state)
{
    (void)state;
    assert_false(order_is_late(ORDER_OPEN, 0, 100, 100));
    assert_true(order_is_late(ORDER_OPEN, 0, 100, 101));
    assert_false(order_is_late(ORDER_DONE, 100, 100, 5000));
    assert_true(order_is_late(ORDER_DONE, 101, 100, 5000));
}

static void names_are_numbers_with_eight_digits_at_least(void **state)
{
    static const char *const wrong[] = { "",           "W",         "W0000001",
                                         "W000000001", "W00000000", "w00000001",
                                         "W0000000x",  "X00000001", "W9999999999",
                                         "W00000001 ", "W+0000001" };
    char name[ORDER_NAME_SIZE];
    uint32_t n;

    (void)state;
    order_name(1, name);
    assert_string_equal(name, "W00000001");
    order_name(UINT32_MAX, name);
    assert_string_equal(name, "W4294967295");
    assert_true(order_number(span_text(name), &n));
    assert_true(n == UINT32_MAX);
    order_name(123456789, name);
    assert_true(order_number(span_text(name), &n));
    assert_int_equal(n, 123456789);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (order_number(span_text(wrong[i]), &n))
            fail_msg("%s: taken as a name of an order", wrong[i]);
    }
}

static void lists_of_words_read_as_sentences(void **state)
{
    char text[200], small[12];

    (void)state;
    order_states_list(1u << ORDER_OPEN, text, sizeof text);
    assert_string_equal(text, "open");
    order_states_list(order_move_from(MOVE_REPORT), text, sizeof text);
    assert_string_equal(text, "open, assigned or started");
    order_kinds_list(text, sizeof text);
    assert_string_equal(text, "replace, inspect, verify, repair or read");
    order_priorities_list(text, sizeof text);
    assert_string_equal(text, "urgent, high, normal or low");
    order_results_list(ORDER_VERIFY, text, sizeof text);
    assert_string_equal(text, "done, not-found, no-access, buried, refused or sent");
    order_kinds_list(small, sizeof small);
    assert_string_equal(small, "replace, in");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_stays_closed),
        cmocka_unit_test(moves_lead_where_the_table_says),
        cmocka_unit_test(results_end_an_order_put_it_back_or_leave_it_under_way),
        cmocka_unit_test(each_state_has_its_own_deadline),
        cmocka_unit_test(late_is_past_its_time_when_it_ended),
        cmocka_unit_test(names_are_numbers_with_eight_digits_at_least),
        cmocka_unit_test(lists_of_words_read_as_sentences),
    };

    return check_run(tests, argc, argv);
}
