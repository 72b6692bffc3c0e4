/* Events of webhooks: which records are some, in which order they are found, what a listener hears, how they are signed, and which addresses are posted to. */
#include "server/hooks.h"
#include "server/hooks_post.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

static struct ledger *opened(void)
{
    struct ledger *l = NULL;
    struct refusal r = { 0 };

    assert_err(ERR_OK, ledger_open(check_folder(), DB_CREATE, &l, &r));
    return l;
}

static void note(struct act *a, const char *what, const char *subject, const char *before,
                 const char *after)
{
    act_note(a, what, span_text(subject), span_text(before), span_text(after), span_text(""));
}

/* Acts 1 to 5: an order; a read; an exchange and the order's end; a meter that comes after another went elsewhere; a flag raised and one cleared. */
static void acts(struct ledger *l)
{
    struct act a = act_begin(l, "t", 100, 0);

    note(&a, "orders.add", "W1", "", "{\"order\":\"W1\"}");
    assert_ok(act_end(&a));
    a = act_begin(l, "t", 200, 0);
    note(&a, "read", "M1", "", "{}");
    assert_ok(act_end(&a));
    a = act_begin(l, "t", 300, 0);
    note(&a, "meter.remove", "M1", "",
         "{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"removed\",\"point\":\"P\\\"1\",\"index_l\":"
         "12.5,\"reason\":\"\\\"point\\\":\\\"P2\\\"\"}");
    note(&a, "meter.install", "M2", "",
         "{\"at\":\"2026-01-01T00:00:00Z\",\"state\":\"running\",\"point\":\"P\\\"1\",\"index_l\":"
         "0}");
    note(&a, "orders.change", "W1", "{\"state\":\"open\"}", "{\"state\":\"done\"}");
    assert_ok(act_end(&a));
    a = act_begin(l, "t", 400, 0);
    note(&a, "meter.remove", "M3", "", "{\"at\":\"2026-01-01T00:00:00Z\",\"point\":\"P3\"}");
    note(&a, "meter.install", "M4", "", "{\"at\":\"2026-01-01T00:00:00Z\",\"point\":\"P4\"}");
    assert_ok(act_end(&a));
    a = act_begin(l, "judge", 500, 0);
    note(&a, "flag.born", "00000001-leak-00000001", "", "");
    note(&a, "flag.turned", "00000002-leak-00000001", "open", "cleared");
    note(&a, "flag.turned", "00000003-leak-00000001", "cleared", "open");
    note(&a, "hook.test", "me", "", "");
    assert_ok(act_end(&a));
}

/* The ids and words of all events from the beginning, `most` records at a time. */
static void hear(struct ledger *l, const struct hook_listener *who, unsigned most, char *out,
                 size_t cap)
{
    struct hook_place at = { 0 };
    struct hook_event e = { 0 };
    bool found = true, more = true;
    size_t len = 0;

    out[0] = 0;
    while (found || more) {
        struct txn t = ledger_read(l);
        char id[HOOK_ID_SIZE];

        assert_ok(hook_event_next(&t, who, &at, most, &e, &found, &more));
        assert_ok(txn_end(&t));
        if (!found)
            continue;
        hook_event_id(e.at, id);
        len += (size_t)snprintf(out + len, cap - len, "%s %s %s\n", id, hook_kind_name(e.kind),
                                e.change);
        at = e.at;
    }
    assert_int_equal(5, at.act);
    assert_int_equal(UINT32_MAX, at.part);
    hook_event_done(&e);
}

static void each_listener_hears_its_kinds_in_order_whatever_the_slices(void **state)
{
    const struct hook_listener all = { .kinds = UINT32_MAX, .name = "me", .org = "" },
                               orders = { .kinds = 1u << HOOK_ORDER, .name = "you", .org = "" };
    struct ledger *l = opened();
    char heard[1024];

    (void)state;
    acts(l);
    for (unsigned most = 1; most < 13; most++) {
        hear(l, &all, most, heard, sizeof heard);
        assert_string_equal("1-1 order add\n3-2 exchange done\n3-3 order change\n5-1 flag "
                            "raised\n5-2 flag cleared\n5-3 flag reopened\n5-4 test test\n",
                            heard);
        hear(l, &orders, most, heard, sizeof heard);
        assert_string_equal("1-1 order add\n3-3 order change\n", heard);
    }
    ledger_close(l);
}

static void an_exchange_is_told_in_its_own_numbers(void **state)
{
    const struct hook_listener all = { .kinds = UINT32_MAX, .name = "", .org = "" };
    struct ledger *l = opened();
    struct hook_event e = { 0 };
    bool found;
    struct txn t;

    (void)state;
    acts(l);
    t = ledger_read(l);
    assert_ok(hook_event_at(&t, &all, (struct hook_place){ 3, 2 }, &e, &found));
    assert_true(found);
    out_bytes(&e.data, "", 1);
    assert_string_equal("{\"point\":\"P\\\"1\",\"at\":\"2026-01-01T00:00:00Z\",\"old_serial\":"
                        "\"M1\",\"old_index_l\":12.5,\"new_serial\":\"M2\",\"new_index_l\":0,"
                        "\"reason\":\"\\\"point\\\":\\\"P2\\\"\"}",
                        e.data.at);
    assert_ok(hook_event_at(&t, &all, (struct hook_place){ 3, 1 }, &e, &found));
    assert_false(found);
    assert_ok(hook_event_at(&t, &all, (struct hook_place){ 9, 1 }, &e, &found));
    assert_false(found);
    assert_ok(txn_end(&t));
    hook_event_done(&e);
    ledger_close(l);
}

static void what_waits_is_counted(void **state)
{
    const struct hook_listener all = { .kinds = UINT32_MAX, .name = "me", .org = "" };
    struct ledger *l = opened();
    struct txn t;
    uint64_t count;
    bool more;

    (void)state;
    acts(l);
    t = ledger_read(l);
    assert_ok(hook_backlog(&t, &all, (struct hook_place){ 0 }, &count, &more));
    assert_int_equal(7, count);
    assert_false(more);
    assert_ok(hook_backlog(&t, &all, (struct hook_place){ 3, 2 }, &count, &more));
    assert_int_equal(5, count);
    assert_ok(hook_backlog(&t, &all, (struct hook_place){ 5, UINT32_MAX }, &count, &more));
    assert_int_equal(0, count);
    assert_ok(txn_end(&t));
    ledger_close(l);
}

/* ---- what is sent ---- */

static unsigned shown_status;
static enum err show(struct app *app, const char *org, const char *path, struct out *out,
                     unsigned *out_status)
{
    (void)app;
    (void)org;
    out_clear(out);
    out_format(out, "{\"asked\":\"%s\"}\n", path);
    *out_status = shown_status;
    return ERR_OK;
}

static enum hook_shown shows(struct app *app, struct hook_event *e, unsigned status, bool anyway)
{
    const struct hook_listener who = { .kinds = UINT32_MAX, .name = "", .org = "" };
    enum hook_shown shown;

    shown_status = status;
    out_clear(&e->body);
    assert_ok(hook_event_show(app, show, &who, anyway, e, &shown));
    out_bytes(&e->body, "", 1);
    return shown;
}

static void an_event_waits_until_it_shows_and_is_not_told_to_others(void **state)
{
    struct app app = { .flag_listeners = 0 };
    struct hook_event e = { .at = { 12, 3 },
                            .at_s = 1772294400,
                            .kind = HOOK_FLAG,
                            .change = "raised",
                            .path = "/v1/flags/x" };

    (void)state;
    assert_int_equal(HOOK_NOT_YET, shows(&app, &e, 404, false));
    assert_int_equal(HOOK_NOT_YET, shows(&app, &e, 503, false));
    assert_int_equal(HOOK_NOT_THEIRS, shows(&app, &e, 403, false));
    assert_int_equal(HOOK_SHOWN, shows(&app, &e, 200, false));
    assert_string_equal(
        "{\"id\":\"12-3\",\"kind\":\"flag\",\"change\":\"raised\",\"at\":\"2026-02-28T16:00:00Z\","
        "\"data\":{\"asked\":\"/v1/flags/x\"},\"path\":\"/v1/flags/x\"}\n",
        e.body.at);
    app.bearing = true; /* the ledger is ahead of the views */
    assert_int_equal(HOOK_NOT_YET, shows(&app, &e, 200, false));
    app.bearing = false;
    assert_int_equal(HOOK_SHOWN, shows(&app, &e, 404, true));
    assert_string_equal("{\"id\":\"12-3\",\"kind\":\"flag\",\"change\":\"raised\",\"at\":\"2026-02-"
                        "28T16:00:00Z\",\"data\":null,\"path\":\"/v1/flags/x\"}\n",
                        e.body.at);
    hook_event_done(&e);
}

/* Reckoned with openssl dgst -sha256 -hmac. */
static void a_signature_is_hmac_sha256_of_timestamp_and_body(void **state)
{
    char signature[HOOK_SIGNATURE_SIZE];

    (void)state;
    hook_sign(span_text("key"), "1772294400", span_text("{\"id\":\"1-1\"}\n"), signature);
    assert_string_equal("v1=9568a4c7603e25f1e7a85f0034437940e44a878aa3bc86903c123d2a7e332ec4",
                        signature);
    assert_int_equal(HOOK_SIGNATURE_SIZE - 1, strlen(signature));
}

static void tries_become_rarer_up_to_an_hour(void **state)
{
    static const struct {
        uint32_t fails;
        int64_t s;
    } steps[] = { { 1, 1 },     { 2, 2 },     { 3, 4 },     { 11, 1024 },
                  { 12, 2048 }, { 13, 3600 }, { 40, 3600 }, { UINT32_MAX, 3600 } };
    struct check_random r = check_random_begin();

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int64_t least = INT64_MAX, most = 0;

        for (int n = 0; n < 2000; n++) {
            int64_t ms = hook_delay_ms(steps[i].fails, (uint32_t)check_random(&r));

            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        assert_in_range(least, steps[i].s * 750, steps[i].s * 760);
        assert_in_range(most, steps[i].s * 1240, steps[i].s * 1250);
    }
}

static void an_id_is_a_place_and_nothing_else_is(void **state)
{
    static const char *const wrong[] = { "",
                                         "-",
                                         "1",
                                         "1-",
                                         "-1",
                                         "0-1",
                                         "1-0",
                                         "1-4294967295",
                                         "1-4294967296",
                                         "a-1",
                                         "1-b",
                                         "1-1x",
                                         "99999999999999999999-1" };
    struct hook_place at;
    char id[HOOK_ID_SIZE];

    (void)state;
    assert_true(hook_event_place(span_text("812-1"), &at));
    hook_event_id(at, id);
    assert_string_equal("812-1", id);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(hook_event_place(span_text(wrong[i]), &at));
}

static void only_plain_http_addresses_are_posted_to(void **state)
{
    static const char *const right[] = { "http://h/", "https://h.example:8443/a/b?c=%20d",
                                         "http://127.0.0.1:9000/x", "http://[::1]:80/",
                                         "HTTP://h" };
    static const char *const wrong[] = { "",
                                         "h",
                                         "//h/",
                                         "file:///etc/passwd",
                                         "gopher://h/",
                                         "ftp://h/",
                                         "http:///h",
                                         "http://",
                                         "http://u@h/",
                                         "http://u:p@h/",
                                         "http://h/#f",
                                         "http://h/\r\nX: y",
                                         "http://h/ x",
                                         "http://h\\@i/",
                                         "http://h:0x1/",
                                         "http://h:70000/",
                                         "javascript:alert(1)",
                                         "http://\xc3\xa4/" };
    struct refusal r = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        if (!post_url_fits(span_text(right[i]), 100, &r))
            fail_msg("%s: %s", right[i], r.text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (post_url_fits(span_text(wrong[i]), 100, &r))
            fail_msg("%s was taken", wrong[i]);
        assert_string_equal("url", r.field);
    }
    assert_false(post_url_fits(span_text("http://h/0123456789"), 18, &r));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_listener_hears_its_kinds_in_order_whatever_the_slices),
        cmocka_unit_test(an_exchange_is_told_in_its_own_numbers),
        cmocka_unit_test(what_waits_is_counted),
        cmocka_unit_test(an_event_waits_until_it_shows_and_is_not_told_to_others),
        cmocka_unit_test(a_signature_is_hmac_sha256_of_timestamp_and_body),
        cmocka_unit_test(tries_become_rarer_up_to_an_hour),
        cmocka_unit_test(an_id_is_a_place_and_nothing_else_is),
        cmocka_unit_test(only_plain_http_addresses_are_posted_to),
    };

    return check_run(tests, argc, argv);
}
