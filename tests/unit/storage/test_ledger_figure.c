/* Closed months in the ledger: their groups come back in order, an act that is undone leaves nothing of them, and the whole-file check misses what is gone. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <string.h>

static struct ledger *opened(const char *folder)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(folder, DB_CREATE, &l, &r));
    return l;
}

static const struct {
    char kind;
    const char *name, *bytes;
} groups[] = { { 'a', "", "all" }, { 'o', "B1", "one" }, { 'o', "B10", "two" }, { 'r', "R", "" } };
#define GROUPS (sizeof groups / sizeof groups[0])

static void put(struct act *a, uint32_t month, uint64_t told)
{
    struct ledger_month m = {
        .month = month, .closed_s = -5, .position = 7, .act = 3, .groups = told
    };

    memset(m.digest, 0xab, sizeof m.digest);
    strcpy(m.who, "chief (supervisor)");
    for (size_t i = GROUPS; i-- > 0;)
        act_put_month_group(a, month, groups[i].kind, span_text(groups[i].name),
                            span_text(groups[i].bytes));
    act_put_month(a, &m);
}

static void close_one(struct ledger *l, uint32_t month, uint64_t told)
{
    struct act a = act_begin(l, "root", 1000, 42);

    put(&a, month, told);
    assert_ok(act_end(&a));
}

static void groups_come_back_by_kind_and_name_from_any_place(void **state)
{
    struct ledger *l;
    struct ledger_month m;
    struct txn t;

    (void)state;
    l = opened(check_folder());
    close_one(l, 202603, GROUPS);
    close_one(l, 202604, GROUPS);
    t = ledger_read(l);
    assert_true(ledger_month(&t, 202603, &m));
    assert_int_equal(m.closed_s, -5);
    assert_int_equal(m.groups, GROUPS);
    assert_string_equal(m.who, "chief (supervisor)");
    assert_int_equal(m.digest[31], 0xab);
    assert_false(ledger_month(&t, 202605, &m));
    for (size_t from = 0; from <= GROUPS; from++) {
        struct month_walk w =
            ledger_month_walk(&t, 202603, from ? groups[from - 1].kind : 0,
                              from ? span_text(groups[from - 1].name) : span_of(NULL, 0));

        for (size_t i = from; i < GROUPS; i++) {
            assert_true(month_walk_next(&w));
            assert_int_equal(w.kind, groups[i].kind);
            assert_true(span_equal(w.name, span_text(groups[i].name)));
            assert_true(span_equal(w.bytes, span_text(groups[i].bytes)));
        }
        assert_false(month_walk_next(&w));
        month_walk_done(&w);
    }
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static bool add_up(void *arg, const struct ledger_month *m)
{
    uint32_t *sum = (uint32_t *)arg;

    *sum = *sum * 7 + m->month % 100;
    return true;
}

static void months_are_told_in_their_order_behind_any(void **state)
{
    struct ledger *l;
    struct txn t;
    uint32_t all = 0, later = 0;

    (void)state;
    l = opened(check_folder());
    close_one(l, 202604, GROUPS);
    close_one(l, 202512, GROUPS);
    close_one(l, 202603, GROUPS);
    t = ledger_read(l);
    assert_ok(ledger_months(&t, 0, add_up, &all));
    assert_int_equal(all, (12 * 7 + 3) * 7 + 4);
    assert_ok(ledger_months(&t, 202512, add_up, &later));
    assert_int_equal(later, 3 * 7 + 4);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void an_act_that_is_undone_leaves_nothing(void **state)
{
    struct ledger *l;
    struct ledger_month m;
    struct month_walk w;
    struct refusal r = { 0 };
    struct act a;
    struct txn t;

    (void)state;
    l = opened(check_folder());
    a = act_begin(l, "root", 1000, 42);
    put(&a, 202603, GROUPS);
    assert_ok(act_abort(&a));
    t = ledger_read(l);
    assert_false(ledger_month(&t, 202603, &m));
    w = ledger_month_walk(&t, 202603, 0, span_of(NULL, 0));
    assert_false(month_walk_next(&w));
    month_walk_done(&w);
    assert_ok(txn_end(&t));
    assert_ok(ledger_check(l, &r));
    ledger_close(l);
}

static void a_group_that_is_gone_or_of_no_month_is_missed(void **state)
{
    struct refusal r = { 0 };
    struct ledger *l;
    struct act a;

    (void)state;
    l = opened(check_folder());
    close_one(l, 202603, GROUPS);
    assert_ok(ledger_check(l, &r));
    close_one(l, 202604, GROUPS + 1);
    assert_err(ERR_MISSING, ledger_check(l, &r));
    ledger_close(l);
    l = opened(check_folder());
    a = act_begin(l, "root", 1000, 42);
    act_put_month_group(&a, 202603, 'a', span_of(NULL, 0), span_text("nobody's"));
    assert_ok(act_end(&a));
    assert_err(ERR_CORRUPT, ledger_check(l, &r));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_come_back_by_kind_and_name_from_any_place),
        cmocka_unit_test(months_are_told_in_their_order_behind_any),
        cmocka_unit_test(an_act_that_is_undone_leaves_nothing),
        cmocka_unit_test(a_group_that_is_gone_or_of_no_month_is_missed),
    };

    return check_run(tests, argc, argv);
}
