/* The audit of reports that name another meter than their identity proves, against a whole store. */
#include "server/app_open.h"
#include "server/clock.h"
#include "server/gateway/forbidden.h"
#include "tests/check.h"

#include <stdio.h>

static struct app app;
static struct forbidden *forbidden;

static int begin(void **state)
{
    struct app_options o = {
        .dir = check_folder(), .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600
    };
    struct refusal r = { 0 };

    (void)state;
    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, 1795608000);
    if (app_open_store(&app, &o, &r) || app_start(&app, &o, &r))
        fail_msg("%s", r.text);
    assert_ok(forbidden_new(&app, &forbidden));
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_ok(ledger_check(app.ledger, NULL));
    app_stop(&app);
    app_close_store(&app);
    return 0;
}

static void name_others(const char *identity, unsigned count)
{
    char named[24];

    for (unsigned i = 0; i < count; i++) {
        snprintf(named, sizeof named, "other-%u", i);
        forbidden_note(forbidden, span_text(identity), span_text(named));
    }
}

struct count {
    const char *subject;
    unsigned rows;
};

static bool count_row(void *arg, const struct audit_record *r)
{
    struct count *c = (struct count *)arg;

    c->rows += span_equal(r->subject, span_text(c->subject));
    return true;
}

static unsigned rows_of(const char *subject)
{
    struct count c = { .subject = subject };
    struct txn t = ledger_read(app.ledger);

    assert_ok(ledger_audit(&t, 0, count_row, &c));
    assert_ok(txn_end(&t));
    return c.rows;
}

static void await_rows(const char *subject, unsigned rows)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (rows_of(subject) < rows)
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%u rows of %s were to be written", rows, subject);
}

/* The third act has 1 s and 2 s behind it, not twice 1 s. */
static void who_goes_on_and_on_is_written_down_more_and_more_seldom(void **state)
{
    int64_t from_ms = clock_monotonic_ms();

    (void)state;
    name_others("10000001", 1);
    await_rows("10000001", 1);
    while (rows_of("") < 2) {
        name_others("10000001", 10);
        if (clock_monotonic_ms() > from_ms + 60000)
            fail_msg("three acts were to be written");
    }
    assert_true(clock_monotonic_ms() - from_ms >= 2900);
    forbidden_free(forbidden);
}

/* The thread sleeps behind its first act while both are noted. */
static void one_meters_noise_does_not_hide_anothers(void **state)
{
    (void)state;
    name_others("10000001", 1);
    await_rows("10000001", 1);
    name_others("10000001", 10000);
    name_others("10000002", 1);
    forbidden_free(forbidden); /* writes what is noted */
    assert_int_equal(rows_of("10000001"), 1 + 3);
    assert_int_equal(rows_of("10000002"), 1);
    assert_int_equal(rows_of(""), 1); /* that there were more */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_goes_on_and_on_is_written_down_more_and_more_seldom,
                                        begin, end),
        cmocka_unit_test_setup_teardown(one_meters_noise_does_not_hide_anothers, begin, end),
    };

    return check_run(tests, argc, argv);
}
