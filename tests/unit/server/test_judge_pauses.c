/* When nothing is to be expected of a meter, by its events and its orders of work. */
#include "server/app_open.h"
#include "server/judge_priv.h"
#include "server/lives.h"
#include "server/orders.h"
#include "server/registers.h"
#include "tests/check.h"

#include <string.h>

#define DAY INT64_C(86400)
#define MARCH INT64_C(1772294400) /* 2026-03-01T00:00 in Shanghai */

static struct app app;

static void put_event(enum life_kind kind, int64_t at_s)
{
    struct life_event e = {
        .kind = (uint8_t)kind, .at_s = at_s, .point = 1, .flags = EVENT_HAS_INDEX
    };
    struct meter_life l;
    struct act a = act_begin(app.ledger, "test", MARCH, 0);

    assert_ok(life_load(&app, &a.txn, 1, &l));
    life_write(&app, &a, &l, &e);
    life_done(&l);
    assert_ok(act_end(&a));
}

static void put_order(const char *serial, const char *point, enum order_result result,
                      int64_t done_s)
{
    struct act a = act_begin(app.ledger, "test", MARCH, 0);
    struct order o = order_new(&a, ORDER_INSPECT);
    char name[ORDER_NAME_SIZE];

    o.serial = span_text(serial);
    o.point = span_text(point);
    o.result = result;
    o.done_s = done_s;
    order_put(&a, &o, name);
    assert_ok(act_end(&a));
}

/* One meter, "M", at point "P" from March on. */
static void begin(void)
{
    struct app_options options = { .dir = check_folder(),
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };
    struct span cells[] = { span_text("M"), span_text(""), span_text("15"), span_text("2.5") };
    struct span point = span_text("P");
    struct act a;

    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, MARCH + 400 * DAY);
    assert_ok(app_open_store(&app, &options, &r));
    a = act_begin(app.ledger, "test", MARCH, 0);
    act_put_row(&a, LIST_METER, cells[0], LEDGER_ALWAYS, cells, 4, NULL, NULL);
    act_put_row(&a, LIST_POINT, point, LEDGER_ALWAYS, &point, 1, NULL, NULL);
    assert_ok(act_end(&a));
    put_event(EVENT_INSTALL, MARCH);
}

static struct pauses pauses(void)
{
    struct txn t = ledger_read(app.ledger);
    struct meter_facts m;
    struct fittings f;
    struct pauses p;

    assert_ok(meter_facts_by_id(&t, 1, &m));
    assert_ok(fittings_load(&t, false, 1, &f));
    assert_ok(judge_pauses(&app, NULL, &t, &m, f.count ? &f.at[f.count - 1] : NULL, &p));
    fittings_done(&f);
    assert_ok(txn_end(&t));
    return p;
}

static void an_account_is_suspended_until_it_is_resumed_or_the_meter_gone(void **state)
{
    struct pauses p;

    (void)state;
    begin();
    assert_int_equal(pauses().count, 0);
    put_event(EVENT_SUSPEND, MARCH + 10 * DAY);
    p = pauses();
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].from_s, MARCH + 10 * DAY);
    assert_true(p.at[0].to_s == INT64_MAX);
    assert_int_equal(p.at[0].why, PAUSE_SUSPENDED);
    put_event(EVENT_RESUME, MARCH + 40 * DAY);
    put_event(EVENT_SUSPEND, MARCH + 60 * DAY);
    put_event(EVENT_REMOVE, MARCH + 70 * DAY);
    p = pauses();
    assert_int_equal(p.count, 2);
    assert_int_equal(p.at[0].to_s, MARCH + 40 * DAY);
    assert_int_equal(p.at[1].from_s, MARCH + 60 * DAY);
    assert_int_equal(p.at[1].to_s, MARCH + 70 * DAY);
    app_close_store(&app);
}

static void who_found_nobody_there_is_believed_for_half_a_year(void **state)
{
    struct pauses p;

    (void)state;
    begin();
    put_order("M", "", RESULT_NOT_FOUND, MARCH + 5 * DAY);
    assert_int_equal(pauses().count, 0);
    put_order("M", "", RESULT_VACANT, MARCH + 20 * DAY);
    p = pauses();
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].from_s, MARCH + 20 * DAY);
    assert_int_equal(p.at[0].to_s, MARCH + 200 * DAY);
    assert_int_equal(p.at[0].why, PAUSE_VACANT);
    put_order("", "P", RESULT_VACANT, MARCH + 100 * DAY);
    put_order("", "P", RESULT_VACANT, MARCH - 100 * DAY); /* another meter was there */
    p = pauses();
    assert_int_equal(p.count, 1);
    assert_int_equal(p.at[0].to_s, MARCH + 280 * DAY);
    app_close_store(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_suspended_until_it_is_resumed_or_the_meter_gone),
        cmocka_unit_test(who_found_nobody_there_is_believed_for_half_a_year),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
