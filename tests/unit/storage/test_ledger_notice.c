/* Notices in the ledger: numbers, cases, whose they are, what waits; and what accounts want. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <stdio.h>

static struct ledger *opened(const char *folder)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(folder, DB_CREATE, &l, &r));
    return l;
}

static uint64_t put(struct ledger *l, const char *case_id, uint8_t part, const char *account,
                    uint32_t point, int64_t due_s, bool waits)
{
    struct act a = act_begin(l, "notices", 1000, 0);
    struct ledger_notice n = { .kind = 1,
                               .part = part,
                               .meter = 3,
                               .point = point,
                               .onset_s = -5,
                               .made_s = 1000,
                               .due_s = due_s,
                               .case_id = span_text(case_id),
                               .account = span_text(account),
                               .why = span_text("why"),
                               .evidence = span_text("{}"),
                               .en = span_text("en"),
                               .zh = span_text("zh") };
    struct ledger_notice known;

    if (ledger_notice_of(&a.txn, n.case_id, part, &known))
        n.number = known.number;
    act_put_notice(&a, &n, waits);
    act_note(&a, "notice.made", n.case_id, n.why, n.why, n.why);
    assert_ok(act_end(&a));
    return n.number;
}

static bool add(void *arg, const struct ledger_notice *n)
{
    *(uint64_t *)arg = *(uint64_t *)arg * 10 + n->number;
    return true;
}

static uint64_t of(struct ledger *l, const char *account, uint32_t point, uint64_t after)
{
    struct txn t = ledger_read(l);
    uint64_t numbers = 0;

    assert_ok(ledger_notices(&t, span_text(account), point, after, add, &numbers));
    assert_ok(txn_end(&t));
    return numbers;
}

static uint64_t due(struct ledger *l, int64_t until_s, size_t cap)
{
    struct txn t = ledger_read(l);
    uint64_t at[8], numbers = 0;
    size_t count;

    assert_ok(ledger_notices_due(&t, until_s, at, cap, &count));
    assert_ok(txn_end(&t));
    for (size_t i = 0; i < count; i++)
        numbers = numbers * 10 + at[i];
    return numbers;
}

static void notices_are_numbered_and_found_by_case_account_point_and_time(void **state)
{
    struct ledger *l = opened(check_folder());
    struct refusal r = { 0 };
    struct ledger_notice n;
    struct txn t;

    (void)state;
    assert_int_equal(1, put(l, "c1", 0, "A", 7, 500, true));
    assert_int_equal(2, put(l, "c2", 0, "AB", 7, 400, true));
    assert_int_equal(3, put(l, "c1", 1, "A", 8, 500, true));
    assert_int_equal(4, put(l, "c3", 0, "", 8, 300, false));
    assert_int_equal(1, put(l, "c1", 0, "A", 7, 500, false)); /* told by now */
    assert_int_equal(1234, of(l, "", 0, 0));
    assert_int_equal(34, of(l, "", 0, 2));
    assert_int_equal(13, of(l, "A", 0, 0));
    assert_int_equal(2, of(l, "AB", 0, 0));
    assert_int_equal(3, of(l, "A", 0, 1));
    assert_int_equal(12, of(l, "", 7, 0));
    assert_int_equal(34, of(l, "", 8, 0));
    assert_int_equal(0, of(l, "B", 0, 0));
    assert_int_equal(0, due(l, 399, 8));
    assert_int_equal(2, due(l, 400, 8));
    assert_int_equal(23, due(l, 500, 8));
    assert_int_equal(2, due(l, 500, 1));
    t = ledger_read(l);
    assert_int_equal(4, ledger_notices_end(&t));
    assert_true(ledger_notice_of(&t, span_text("c1"), 1, &n));
    assert_int_equal(3, n.number);
    assert_true(span_equal(n.account, span_text("A")) && span_equal(n.evidence, span_text("{}")) &&
                span_equal(n.zh, span_text("zh")));
    assert_int_equal(-5, n.onset_s);
    assert_false(ledger_notice_of(&t, span_text("c2"), 1, &n));
    assert_false(ledger_notice(&t, 5, &n));
    assert_ok(txn_end(&t));
    assert_err(ERR_OK, ledger_check(l, &r));
    ledger_close(l);
}

static bool name(void *arg, const struct ledger_choice *c)
{
    char *names = (char *)arg;

    snprintf(names + strlen(names), 64 - strlen(names), "%.*s%u ", (int)c->account.len,
             (const char *)c->account.at, (unsigned)c->kinds);
    return true;
}

static void what_accounts_want_and_open_cases_are_kept(void **state)
{
    const char *folder = check_folder();
    struct ledger *l = opened(folder);
    struct act a = act_begin(l, "desk", 1000, 0);
    struct ledger_choice c = {
        .account = span_text("B"), .who = span_text("desk"), .kinds = 5, .at_s = 1000
    };
    struct notice_mark mark = { 0 };
    char case_id[NOTICE_CASE_MAX + 1], names[64] = "";
    struct txn t;

    (void)state;
    act_put_notice_choice(&a, &c);
    c.account = span_text("A");
    c.kinds = 0;
    act_put_notice_choice(&a, &c);
    act_open_notice(&a, 2, 7, span_text("case"));
    act_open_notice(&a, 3, 7, span_text("other"));
    act_open_notice(&a, 3, 7, span_of(NULL, 0));
    act_put_notices_since(&a, 1000);
    act_put_notice_mark(&a, &(struct notice_mark){ 8, 9 });
    act_note(&a, "x", c.account, c.account, c.account, c.account);
    assert_ok(act_end(&a));
    ledger_close(l);
    l = opened(folder);
    t = ledger_read(l);
    assert_ok(ledger_notice_choices(&t, span_of(NULL, 0), name, names));
    assert_string_equal("A0 B5 ", names);
    names[0] = 0;
    assert_ok(ledger_notice_choices(&t, span_text("A"), name, names));
    assert_string_equal("B5 ", names);
    assert_true(ledger_notice_choice(&t, span_text("B"), &c));
    assert_int_equal(5, c.kinds);
    assert_false(ledger_notice_choice(&t, span_text("C"), &c));
    assert_true(ledger_notice_open(&t, 2, 7, case_id));
    assert_string_equal("case", case_id);
    assert_false(ledger_notice_open(&t, 3, 7, case_id));
    assert_false(ledger_notice_open(&t, 2, 8, case_id));
    assert_int_equal(1000, ledger_notices_since(&t));
    assert_true(ledger_notice_mark(&t, &mark));
    assert_int_equal(8, mark.folded);
    assert_int_equal(9, mark.changes);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notices_are_numbered_and_found_by_case_account_point_and_time),
        cmocka_unit_test(what_accounts_want_and_open_cases_are_kept),
    };

    return check_run(tests, argc, argv);
}
