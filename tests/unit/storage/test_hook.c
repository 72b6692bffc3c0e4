/* Webhooks in the ledger: rows, cursors and dead letters, and that a hook's leavings go with it. */
#include "proto/base/limits.h"
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

static uint32_t put(struct ledger *l, const char *name, const char *url)
{
    struct act a = act_begin(l, "root", 1000, 42);
    struct ledger_hook h = { .name = span_text(name),
                             .url = span_text(url),
                             .org = span_text("NORTH"),
                             .who = span_text("root"),
                             .sealed = span_text("sealed"),
                             .kinds = 5,
                             .enabled = true,
                             .created_s = 1000 };
    struct ledger_hook known;

    h.id = ledger_hook(&a.txn, h.name, &known) ? known.id : act_new_hook(&a);
    act_put_hook(&a, &h);
    act_note(&a, "hook.add", h.name, h.url, h.url, h.org);
    assert_ok(act_end(&a));
    return h.id;
}

static bool name_it(void *arg, const struct ledger_hook *h)
{
    char *names = (char *)arg;

    snprintf(names + strlen(names), 64 - strlen(names), "%.*s ", (int)h->name.len,
             (const char *)h->name.at);
    return true;
}

static void hooks_stand_by_name_and_keep_their_number(void **state)
{
    struct ledger *l = opened(check_folder());
    struct ledger_hook h;
    char names[64] = "";
    struct txn t;

    (void)state;
    assert_int_equal(1, put(l, "b", "http://one/"));
    assert_int_equal(2, put(l, "a", "http://two/"));
    assert_int_equal(1, put(l, "b", "http://three/"));
    t = ledger_read(l);
    assert_ok(ledger_hooks(&t, name_it, names));
    assert_string_equal("a b ", names);
    assert_true(ledger_hook(&t, span_text("b"), &h));
    assert_true(span_equal(h.url, span_text("http://three/")));
    assert_true(span_equal(h.org, span_text("NORTH")) && span_equal(h.sealed, span_text("sealed")));
    assert_int_equal(5, h.kinds);
    assert_true(h.enabled);
    assert_false(ledger_hook(&t, span_text("c"), &h));
    assert_false(ledger_hook(&t, span_of(NULL, 0), &h));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void a_cursor_takes_no_number_and_is_kept(void **state)
{
    const char *folder = check_folder();
    struct ledger *l = opened(folder);
    const struct hook_cursor c = {
        .at = { 7, UINT32_MAX }, .fails = 3, .failing_since_s = -5, .failing_for_s = 60
    };
    struct hook_cursor kept;
    uint64_t end;
    struct txn t;
    struct act a;

    (void)state;
    put(l, "a", "http://one/");
    t = ledger_read(l);
    end = ledger_end(&t);
    assert_false(ledger_hook_cursor(&t, 1, &kept));
    assert_ok(txn_end(&t));
    a = act_begin(l, "hooks", 1001, 0);
    act_put_hook_cursor(&a, 1, &c);
    assert_ok(act_end(&a));
    ledger_close(l);
    l = opened(folder);
    t = ledger_read(l);
    assert_int_equal(end, ledger_end(&t));
    assert_true(ledger_hook_cursor(&t, 1, &kept));
    assert_int_equal(7, kept.at.act);
    assert_int_equal(UINT32_MAX, kept.at.part);
    assert_int_equal(3, kept.fails);
    assert_int_equal(-5, kept.failing_since_s);
    assert_int_equal(60, kept.failing_for_s);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

static void bury(struct ledger *l, uint32_t hook, uint64_t number, uint32_t part)
{
    struct act a = act_begin(l, "hooks", 1001, 0);
    const struct hook_dead d = { .at = { number, part },
                                 .since_s = 1,
                                 .tried_s = 2,
                                 .attempts = 9,
                                 .status = 503,
                                 .kind = "flag",
                                 .why = "no" };

    act_put_hook_dead(&a, hook, &d);
    act_note(&a, "hook.dead", span_text("x"), span_text(""), span_text(""), span_text(""));
    assert_ok(act_end(&a));
}

static bool add_place(void *arg, const struct hook_dead *d)
{
    *(uint64_t *)arg = *(uint64_t *)arg * 100 + d->at.act * 10 + d->at.part;
    return true;
}

static uint64_t deads(struct ledger *l, uint32_t hook, struct hook_place after)
{
    struct txn t = ledger_read(l);
    uint64_t places = 0;

    assert_ok(ledger_hook_deads(&t, hook, after, add_place, &places));
    assert_ok(txn_end(&t));
    return places;
}

static void dead_letters_stand_in_order_and_go_one_by_one(void **state)
{
    struct ledger *l = opened(check_folder());
    struct hook_dead d;
    struct txn t;
    struct act a;

    (void)state;
    put(l, "a", "http://one/");
    put(l, "b", "http://two/");
    bury(l, 1, 5, 2);
    bury(l, 1, 5, 1);
    bury(l, 2, 4, 1);
    bury(l, 1, 3, 7);
    assert_int_equal(375152, deads(l, 1, (struct hook_place){ 0 }));
    assert_int_equal(52, deads(l, 1, (struct hook_place){ 5, 1 }));
    assert_int_equal(41, deads(l, 2, (struct hook_place){ 0 }));
    t = ledger_read(l);
    assert_true(ledger_hook_dead(&t, 1, (struct hook_place){ 5, 2 }, &d));
    assert_int_equal(503, d.status);
    assert_int_equal(9, d.attempts);
    assert_string_equal("flag", d.kind);
    assert_string_equal("no", d.why);
    assert_false(ledger_hook_dead(&t, 2, (struct hook_place){ 5, 2 }, &d));
    assert_ok(txn_end(&t));
    a = act_begin(l, "root", 1002, 0);
    act_drop_hook_dead(&a, 1, (struct hook_place){ 5, 1 });
    act_note(&a, "x", span_text("x"), span_text(""), span_text(""), span_text(""));
    assert_ok(act_end(&a));
    assert_int_equal(3752, deads(l, 1, (struct hook_place){ 0 }));
    ledger_close(l);
}

static void a_hook_that_is_dropped_leaves_nothing_and_its_number_to_nobody(void **state)
{
    struct ledger *l = opened(check_folder());
    const struct hook_cursor c = { .at = { 7, 1 } };
    struct hook_cursor kept;
    struct refusal r = { 0 };
    struct ledger_hook h;
    struct txn t;
    struct act a;

    (void)state;
    put(l, "a", "http://one/");
    put(l, "b", "http://two/");
    bury(l, 1, 3, 1);
    bury(l, 1, 4, 1);
    bury(l, 2, 5, 1);
    a = act_begin(l, "root", 1002, 0);
    act_put_hook_cursor(&a, 1, &c);
    assert_true(ledger_hook(&a.txn, span_text("a"), &h));
    h.name = span_text("a");
    act_drop_hook(&a, &h);
    act_note(&a, "hook.remove", span_text("a"), span_text(""), span_text(""), span_text(""));
    assert_ok(act_end(&a));
    assert_int_equal(0, deads(l, 1, (struct hook_place){ 0 }));
    assert_int_equal(51, deads(l, 2, (struct hook_place){ 0 }));
    t = ledger_read(l);
    assert_false(ledger_hook(&t, span_text("a"), &h));
    assert_false(ledger_hook_cursor(&t, 1, &kept));
    assert_ok(txn_end(&t));
    assert_int_equal(3, put(l, "a", "http://again/"));
    assert_err(ERR_OK, ledger_check(l, &r));
    ledger_close(l);
}

static void a_flag_is_told_of_once_for_each_turn(void **state)
{
    struct ledger *l = opened(check_folder());
    struct span id = span_text("00000001-leak-00000001");
    struct act a = act_begin(l, "judge", 1000, 0);
    struct txn t;

    (void)state;
    act_flag_turned(&a, id, FLAG_TOLD_CLEARED);
    assert_ok(act_end(&a));
    a = act_begin(l, "judge", 1001, 0);
    act_flag_turned(&a, id, FLAG_TOLD_CLEARED); /* nothing new: no act */
    assert_ok(act_end(&a));
    t = ledger_read(l);
    assert_int_equal(1, ledger_end(&t));
    assert_int_equal(FLAG_TOLD_CLEARED, ledger_flag_told(&t, id));
    assert_int_equal(0, ledger_flag_told(&t, span_text("00000002-leak-00000001")));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_stand_by_name_and_keep_their_number),
        cmocka_unit_test(a_cursor_takes_no_number_and_is_kept),
        cmocka_unit_test(dead_letters_stand_in_order_and_go_one_by_one),
        cmocka_unit_test(a_hook_that_is_dropped_leaves_nothing_and_its_number_to_nobody),
        cmocka_unit_test(a_flag_is_told_of_once_for_each_turn),
    };

    return check_run(tests, argc, argv);
}
