/* Billing cycles in the ledger: rows come back, determinants stand in order of point, and what was never closed can be dropped. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <stdio.h>
#include <string.h>

static struct ledger *opened(const char *folder)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(folder, DB_CREATE, &l, &r));
    return l;
}

static uint32_t put(struct ledger *l, struct ledger_cycle *c)
{
    struct act a = act_begin(l, "root", 1000, 42);

    act_put_cycle(&a, c);
    act_note(&a, "cycle.open", span_text(c->name), span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0));
    assert_ok(act_end(&a));
    return c->id;
}

static struct ledger_cycle named(const char *name)
{
    struct ledger_cycle c = { .from_s = 100, .to_s = 200, .routes = span_of("A\0B", 4) };

    snprintf(c.name, sizeof c.name, "%s", name);
    c.opened = (struct cycle_mark){ 90, "somebody (billing)" };
    return c;
}

static void stage(struct ledger *l, uint32_t cycle, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char name[16], bytes[16];
        struct determinant_row row;

        snprintf(name, sizeof name, "P%05u", i);
        snprintf(bytes, sizeof bytes, "%u of %u", i, cycle);
        row = (struct determinant_row){ span_text(name), span_text(bytes) };
        assert_ok(ledger_stage_determinants(l, cycle, &row, 1));
    }
}

static unsigned count(struct ledger *l, uint32_t cycle, const char *after)
{
    struct txn t = ledger_read(l);
    struct determinant_walk w = ledger_determinants(&t, cycle, span_text(after));
    char last[16] = "";
    unsigned n = 0;

    while (determinant_next(&w)) {
        assert_true(w.point.len < sizeof last);
        assert_true(memcmp(last, w.point.at, w.point.len) < 0);
        memcpy(last, w.point.at, w.point.len);
        n++;
    }
    determinant_done(&w);
    assert_ok(txn_end(&t));
    return n;
}

static bool next_name(void *arg, const struct ledger_cycle *c)
{
    char *names = (char *)arg;

    strcat(strcat(names, c->name), " ");
    return strcmp(c->name, "c") != 0;
}

static void rows_come_back_and_stand_in_order_of_name(void **state)
{
    struct ledger *l = opened(check_folder());
    struct ledger_cycle b = named("b"), a = named("a"), c = named("c"), d = named("d"), found;
    char names[64] = "";
    struct txn t;

    (void)state;
    assert_int_equal(put(l, &b), 1);
    assert_int_equal(put(l, &a), 2);
    assert_int_equal(put(l, &c), 3);
    assert_int_equal(put(l, &d), 4);
    a.state = CYCLE_CLOSED;
    a.closed = (struct cycle_mark){ 300, "other" };
    a.points = 7;
    a.by_quality[3] = 2;
    a.consumption_ml = -5;
    a.digest[31] = 9;
    assert_int_equal(put(l, &a), 2);
    t = ledger_read(l);
    assert_true(ledger_cycle(&t, span_text("a"), &found));
    assert_int_equal(found.id, 2);
    assert_int_equal(found.state, CYCLE_CLOSED);
    assert_int_equal(found.from_s, 100);
    assert_int_equal(found.to_s, 200);
    assert_string_equal(found.opened.who, "somebody (billing)");
    assert_string_equal(found.closed.who, "other");
    assert_int_equal(found.reviewed.at_s, 0);
    assert_int_equal(found.points, 7);
    assert_int_equal(found.by_quality[3], 2);
    assert_int_equal(found.consumption_ml, -5);
    assert_memory_equal(found.digest, a.digest, sizeof a.digest);
    assert_true(span_equal(found.routes, a.routes));
    assert_false(ledger_cycle(&t, span_text("x"), &found));
    assert_ok(ledger_cycles(&t, span_of(NULL, 0), next_name, names));
    assert_string_equal(names, "a b c ");
    names[0] = 0;
    assert_ok(ledger_cycles(&t, span_text("a"), next_name, names));
    assert_string_equal(names, "b c ");
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void what_was_staged_is_in_order_and_can_be_dropped(void **state)
{
    struct ledger *l = opened(check_folder());
    struct ledger_cycle a = named("a"), b = named("b");
    struct span bytes;
    struct txn t;

    (void)state;
    put(l, &a);
    put(l, &b);
    stage(l, b.id, 0, 10);
    stage(l, a.id, 0, 5000);
    assert_int_equal(count(l, a.id, ""), 5000);
    assert_int_equal(count(l, a.id, "P04998"), 1);
    assert_int_equal(count(l, a.id, "P04998x"), 1);
    assert_int_equal(count(l, b.id, ""), 10);
    t = ledger_read(l);
    assert_true(ledger_determinant(&t, b.id, span_text("P00003"), &bytes));
    assert_true(span_equal(bytes, span_text("3 of 2")));
    assert_false(ledger_determinant(&t, b.id, span_text("P00010"), &bytes));
    assert_ok(txn_end(&t));
    assert_ok(ledger_drop_determinants(l, a.id));
    assert_int_equal(count(l, a.id, ""), 0);
    assert_int_equal(count(l, b.id, ""), 10);
    assert_ok(ledger_drop_determinants(l, a.id));
    ledger_close(l);
}

static void a_closed_cycle_that_lost_a_determinant_is_found_damaged(void **state)
{
    struct ledger *l = opened(check_folder());
    struct ledger_cycle c = named("a");
    struct refusal r = { 0 };

    (void)state;
    put(l, &c);
    stage(l, c.id, 0, 3);
    assert_ok(ledger_check(l, &r)); /* open: what is there is nobody's business */
    c.state = CYCLE_CLOSED;
    c.points = 3;
    put(l, &c);
    assert_ok(ledger_check(l, &r));
    c.points = 4;
    put(l, &c);
    assert_err(ERR_MISSING, ledger_check(l, &r));
    assert_non_null(strstr(r.text, "cycle a"));
    ledger_close(l);
}

static uint64_t adjust(struct ledger *l, uint32_t cycle, const char *point, int64_t delta_ml,
                       uint64_t corrects)
{
    struct act a = act_begin(l, "settler", 2000, 42);
    struct ledger_billed b = { 0 };
    struct ledger_adjustment adj = { .cycle = cycle,
                                     .point = span_text(point),
                                     .delta_ml = delta_ml,
                                     .delta_m3 = -1,
                                     .value_ml = 7,
                                     .corrects = corrects,
                                     .at_s = 2000,
                                     .position = 42,
                                     .reason = "reading" };

    (void)ledger_billed(&a.txn, cycle, adj.point, &b);
    assert_int_equal(b.last, corrects);
    act_put_adjustment(&a, &adj);
    b.delta_ml += delta_ml;
    b.last = adj.id;
    b.known = true;
    b.seen_ml = 7;
    act_put_billed(&a, cycle, adj.point, &b);
    assert_ok(act_end(&a));
    return adj.id;
}

static bool sum(void *arg, const struct ledger_adjustment *a)
{
    *(int64_t *)arg += a->delta_ml;
    assert_string_equal(a->reason, "reading");
    assert_int_equal(a->at_s, 2000);
    assert_int_equal(a->delta_m3, -1);
    assert_int_equal(a->value_ml, 7);
    assert_true(a->corrects < a->id);
    return true;
}

static void adjustments_are_numbered_as_made_and_sum_up_by_point(void **state)
{
    struct ledger *l = opened(check_folder());
    struct ledger_cycle c = named("a");
    struct ledger_billed b;
    struct refusal r = { 0 };
    int64_t total = 0;
    struct act a;
    struct txn t;

    (void)state;
    put(l, &c);
    assert_int_equal(adjust(l, c.id, "P1", 5, 0), 1);
    assert_int_equal(adjust(l, c.id, "P2", -9, 0), 2);
    assert_int_equal(adjust(l, c.id, "P1", 100, 1), 3);
    t = ledger_read(l);
    assert_int_equal(ledger_adjustments_end(&t), 3);
    assert_ok(ledger_adjustments(&t, 0, sum, &total));
    assert_int_equal(total, 96);
    total = 0;
    assert_ok(ledger_adjustments(&t, 2, sum, &total));
    assert_int_equal(total, 100);
    assert_true(ledger_billed(&t, c.id, span_text("P1"), &b));
    assert_int_equal(b.delta_ml, 105);
    assert_int_equal(b.last, 3);
    assert_false(ledger_billed(&t, c.id, span_text("P3"), &b));
    assert_ok(txn_end(&t));
    assert_ok(ledger_check(l, &r));
    /* A point that does not know of its newest is damage. */
    a = act_begin(l, "test", 2000, 42);
    b = (struct ledger_billed){ .last = 1 };
    act_put_billed(&a, c.id, span_text("P1"), &b);
    assert_ok(act_end(&a));
    assert_err(ERR_MISSING, ledger_check(l, &r));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_and_stand_in_order_of_name),
        cmocka_unit_test(what_was_staged_is_in_order_and_can_be_dropped),
        cmocka_unit_test(adjustments_are_numbered_as_made_and_sum_up_by_point),
        cmocka_unit_test(a_closed_cycle_that_lost_a_determinant_is_found_damaged),
    };

    return check_run(tests, argc, argv);
}
