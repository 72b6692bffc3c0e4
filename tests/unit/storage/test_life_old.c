/* Events as stores of before kept them, a row each, become what is read today. */
#include "storage/ledger_priv.h"
#include "tests/check.h"

struct seen {
    unsigned count;
    struct life_event at[4];
};

static bool see(void *arg, const struct life_event *e)
{
    struct seen *s = (struct seen *)arg;

    assert_true(s->count < 4);
    s->at[s->count++] = *e;
    return true;
}

static void put_old(struct txn *t, uint32_t meter, int64_t at_s, uint32_t arrival,
                    const uint8_t *bytes, size_t len)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, meter);
    key_i64(&k, at_s);
    key_u32(&k, arrival);
    txn_put(t, LEDGER_EVENTS, key_span(&k), span_of(bytes, len));
}

/* receive at 1000, recorded 40 s later by act 5, with a document; install at 2000 at point 300 with index 1.5 l (zigzag 3000), recorded 10 s before;
 * verify at 1500: verified on day 20000 (told as 20001, zigzag 40002), no date of its end, a certificate. */
static const uint8_t receive[] = { EVENT_RECEIVE, 0, 1u << EVENT_DOCUMENT, 0, 5, 80, 2, 'D', '1' };
static const uint8_t install[] = {
    EVENT_INSTALL, EVENT_HAS_INDEX, 0, 0, 7, 19, 0xb8, 0x17, 0xac, 2
};
static const uint8_t verify[] = {
    EVENT_VERIFY, 0, 1u << EVENT_CERTIFICATE, 0, 6, 0, 0xc2, 0xb8, 2, 0, 1, 'C'
};

static struct ledger *store_of_before(const char *folder)
{
    struct ledger *l = NULL;
    struct txn t;

    assert_ok(ledger_open(folder, DB_CREATE, &l, NULL));
    t = txn_begin(l->db, TXN_WRITE);
    put_old(&t, 7, 1000, 1, receive, sizeof receive);
    put_old(&t, 7, 1500, 3, verify, sizeof verify);
    put_old(&t, 7, 2000, 2, install, sizeof install);
    put_old(&t, 9, 1000, 1, receive, sizeof receive);
    assert_ok(txn_end(&t));
    return l;
}

static void convert(struct ledger *l, enum err expected)
{
    struct act a = act_begin(l, "nilod", 9000, 0);

    assert_true(ledger_old_events(&a.txn));
    act_convert_events(&a);
    act_note(&a, "events.convert", span_text(""), span_text(""), span_text(""), span_text(""));
    assert_int_equal(expected, act_end(&a));
}

static void events_of_before_keep_what_they_said(void **state)
{
    struct ledger *l = store_of_before(check_folder());
    struct refusal why = { 0 };
    struct seen s = { 0 };
    struct txn t;

    (void)state;
    convert(l, ERR_OK);
    t = ledger_read(l);
    assert_false(ledger_old_events(&t));
    assert_ok(ledger_events(&t, 7, see, &s));
    assert_int_equal(s.count, 3);
    assert_int_equal(s.at[0].kind, EVENT_RECEIVE);
    assert_int_equal(s.at[0].recorded_s, 1040);
    assert_int_equal(s.at[0].act, 5);
    assert_true(span_equal(s.at[0].text[EVENT_DOCUMENT], span_text("D1")));
    assert_int_equal(s.at[1].kind, EVENT_VERIFY);
    assert_int_equal(s.at[1].arrival, 3);
    assert_int_equal(s.at[1].verified_on, 20000);
    assert_int_equal(s.at[1].valid_until, NO_DAY);
    assert_int_equal(s.at[2].kind, EVENT_INSTALL);
    assert_int_equal(s.at[2].index_ml, 1500);
    assert_int_equal(s.at[2].point, 300);
    assert_int_equal(s.at[2].recorded_s, 1990);
    s.count = 0;
    assert_ok(ledger_events(&t, 9, see, &s));
    assert_int_equal(s.count, 1);
    assert_ok(txn_end(&t));
    if (ledger_check(l, &why))
        fail_msg("%s", why.text);
    ledger_close(l);
}

static void one_that_does_not_read_leaves_all_as_they_are(void **state)
{
    struct ledger *l = store_of_before(check_folder());
    struct txn t = txn_begin(l->db, TXN_WRITE);

    (void)state;
    put_old(&t, 8, 1000, 1, receive, sizeof receive - 1);
    assert_ok(txn_end(&t));
    convert(l, ERR_CORRUPT);
    t = ledger_read(l);
    assert_true(ledger_old_events(&t));
    assert_ok(txn_end(&t));
    ledger_close(l);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_before_keep_what_they_said),
        cmocka_unit_test(one_that_does_not_read_leaves_all_as_they_are),
    };

    return check_run(tests, argc, argv);
}
