/* People and sessions in the ledger: what a secret opens, until when, and how many there may be. */
#include "storage/ledger.h"
#include "tests/check.h"

#include <stdio.h>

static struct ledger *opened(void)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(check_folder(), DB_CREATE, &l, &r));
    return l;
}

static void put(struct ledger *l, const char *name, uint32_t turn, bool enabled)
{
    struct act a = act_begin(l, "root", 1000, 42);
    struct ledger_user u = { .name = span_text(name),
                             .org = span_text("NORTH"),
                             .who = span_text("root"),
                             .role = ROLE_BILLING,
                             .enabled = enabled,
                             .turn = turn,
                             .created_s = 900,
                             .changed_s = 1000,
                             .password = { .log_n = 15, .r = 8, .p = 3, .hash = { 7 } } };

    act_put_user(&a, &u);
    act_note(&a, "user.change", u.name, span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0));
    assert_ok(act_end(&a));
}

static void sign_in(struct ledger *l, const char *name, int64_t now_s, int64_t ends_s,
                    char out_secret[SECRET_TEXT_SIZE])
{
    struct act a = act_begin(l, name, now_s, 42);
    struct ledger_user u;

    assert_true(ledger_user(&a.txn, span_text(name), &u));
    act_begin_session(&a, &u, ends_s, out_secret);
    act_note(&a, "session.begin", span_text(name), span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0));
    assert_ok(act_end(&a));
}

static enum err session(struct ledger *l, const char *secret, int64_t now_s,
                        struct token_facts *out)
{
    struct txn t = ledger_read(l);
    enum err err = ledger_session(&t, span_text(secret), now_s, out);

    assert_ok(txn_end(&t));
    return err;
}

static void a_secret_opens_its_session_until_it_ends(void **state)
{
    struct ledger *l = opened();
    char one[SECRET_TEXT_SIZE], two[SECRET_TEXT_SIZE];
    struct token_facts f;
    struct act a;

    (void)state;
    put(l, "ann", 1, true);
    sign_in(l, "ann", 1000, 2000, one);
    sign_in(l, "ann", 1000, 2000, two);
    assert_string_not_equal(one, two);
    assert_int_equal(43, strlen(one));
    assert_ok(session(l, one, 1999, &f));
    assert_string_equal("ann", f.name);
    assert_string_equal("NORTH", f.org);
    assert_int_equal(ROLE_BILLING, f.role);
    assert_int_equal(2000, f.expires_s);
    assert_err(ERR_UNAUTHORIZED, session(l, one, 2000, &f));
    assert_err(ERR_UNAUTHORIZED, session(l, "", 1500, &f));
    a = act_begin(l, "ann", 1500, 42);
    assert_true(act_end_session(&a, span_text(one)));
    assert_false(act_end_session(&a, span_text(one)));
    act_note(&a, "session.end", span_text("ann"), span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0));
    assert_ok(act_end(&a));
    assert_err(ERR_UNAUTHORIZED, session(l, one, 1500, &f));
    assert_ok(session(l, two, 1500, &f));
    ledger_close(l);
}

static void another_turn_or_being_shut_out_ends_them(void **state)
{
    struct ledger *l = opened();
    char secret[SECRET_TEXT_SIZE];
    struct token_facts f;

    (void)state;
    put(l, "ann", 1, true);
    sign_in(l, "ann", 1000, 2000, secret);
    put(l, "ann", 1, false);
    assert_err(ERR_UNAUTHORIZED, session(l, secret, 1500, &f));
    put(l, "ann", 1, true);
    assert_ok(session(l, secret, 1500, &f));
    put(l, "ann", 2, true);
    assert_err(ERR_UNAUTHORIZED, session(l, secret, 1500, &f));
    ledger_close(l);
}

static void the_oldest_makes_room_and_others_people_keep_theirs(void **state)
{
    struct ledger *l = opened();
    char secret[USER_SESSIONS_MAX + 2][SECRET_TEXT_SIZE], other[SECRET_TEXT_SIZE];
    struct refusal r = { 0 };
    struct token_facts f;

    (void)state;
    put(l, "ann", 1, true);
    put(l, "anna", 1, true);
    sign_in(l, "anna", 1, 9000, other);
    for (int i = 0; i < USER_SESSIONS_MAX + 2; i++)
        sign_in(l, "ann", 1000 + i, 9000, secret[i]);
    assert_err(ERR_UNAUTHORIZED, session(l, secret[0], 1500, &f));
    assert_err(ERR_UNAUTHORIZED, session(l, secret[1], 1500, &f));
    for (int i = 2; i < USER_SESSIONS_MAX + 2; i++)
        assert_ok(session(l, secret[i], 1500, &f));
    assert_ok(session(l, other, 1500, &f));
    assert_err(ERR_OK, ledger_check(l, &r));
    ledger_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_opens_its_session_until_it_ends),
        cmocka_unit_test(another_turn_or_being_shut_out_ends_them),
        cmocka_unit_test(the_oldest_makes_room_and_others_people_keep_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
