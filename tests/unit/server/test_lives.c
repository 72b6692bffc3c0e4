/* Lives of meters between ledger and rules, against a whole store: what is told becomes events, and whatever follows from
 * these is found by its index. */
#include "server/lives.h"

#include "server/acts/act.h"
#include "server/acts/rowfile.h"
#include "server/app_open.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z */
#define DAY 86400
#define FEBRUARY 1769904000 /* 2026-02-01T00:00:00Z */

struct store {
    struct app app;
    const char *folder, *tz;
};

static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };

static void store_start(struct store *s)
{
    struct app_options o = {
        .dir = s->folder, .tz = s->tz, .retention_days = 90, .settle_every_s = 3600
    };
    struct refusal r = { 0 };

    memset(&s->app, 0, sizeof s->app);
    clock_virtual(&s->app.clock, NOW);
    if (app_open_store(&s->app, &o, &r) || app_start(&s->app, &o, &r))
        fail_msg("%s", r.text);
}

static void store_stop(struct store *s)
{
    app_stop(&s->app);
    app_close_store(&s->app);
}

static struct store *store_new(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);

    s->folder = check_folder();
    s->tz = "Asia/Shanghai";
    store_start(s);
    return s;
}

static void store_free(struct store *s)
{
    assert_ok(ledger_check(s->app.ledger, NULL));
    store_stop(s);
    free(s);
}

static enum err import(struct store *s, const char *list, const char *text)
{
    struct import_options o = { 0 };
    struct import_report report = { 0 };
    struct refusal r;
    char path[512];
    enum err err;
    int fd;

    snprintf(path, sizeof path, "%s/file", s->folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    err = act_import(&s->app, &root, span_text(list), fd, &o, &report, &r);
    import_report_done(&report);
    close(fd);
    return err;
}

/* M1 lies in stock, M2 is verified; P1 to P3 are points. */
static struct store *town(void)
{
    struct store *s = store_new();

    assert_ok(import(s, "meters",
                     "serial,model,dn,q3,state,verified_on,depot\n"
                     "M1,A,20,2.5,in-stock,2025-06-01,north\n"
                     "M2,A,20,2.5,verified,2024-06-01,\n"
                     "M3,A,20,2.5,,,\n"));
    assert_ok(import(s, "points", "point\nP1\nP2\nP3\n"));
    return s;
}

static uint32_t first_in(struct store *s, enum life_state state)
{
    struct txn t = ledger_read(s->app.ledger);
    struct index_walk w = lives_in_state(&t, state, span_of(NULL, 0));
    uint32_t meter = index_next(&w) ? w.value : 0;

    index_done(&w);
    txn_abort(&t);
    return meter;
}

static unsigned due_in(struct store *s, enum due_place place, uint32_t out[4])
{
    struct txn t = ledger_read(s->app.ledger);
    struct due_walk w = lives_due(&t, place, NO_DAY, INT32_MAX, true, span_of(NULL, 0));
    unsigned count = 0;

    while (count < 4 && due_next(&w))
        out[count++] = w.meter;
    due_done(&w);
    assert_ok(txn_end(&t));
    return count;
}

static uint32_t first_held(struct store *s, char kind, const char *name)
{
    struct txn t = ledger_read(s->app.ledger);
    struct index_walk w = lives_held(&t, kind, span_text(name), span_of(NULL, 0));
    uint32_t meter = index_next(&w) ? w.value : 0;

    index_done(&w);
    txn_abort(&t);
    return meter;
}

static void assert_fitting(struct store *s, uint32_t meter, unsigned n, unsigned count,
                           int64_t from_s, int64_t to_s)
{
    struct txn t = ledger_read(s->app.ledger);
    struct fitting f[8];
    size_t found;

    assert_ok(ledger_fittings_of_meter(&t, meter, f, 8, &found));
    txn_abort(&t);
    assert_int_equal(count, found);
    assert_int_equal(from_s, f[n].from_s);
    assert_int_equal(to_s, f[n].to_s);
}

static void a_meter_is_found_where_its_row_says_it_is(void **state)
{
    struct store *s = town();
    uint32_t due[4];

    (void)state;
    assert_int_equal(1, first_in(s, LIFE_IN_STOCK));
    assert_int_equal(2, first_in(s, LIFE_VERIFIED));
    assert_int_equal(1, first_held(s, 'd', "north"));
    assert_int_equal(0, first_held(s, 'd', "nort"));
    assert_int_equal(2, due_in(s, DUE_STORE, due));
    assert_int_equal(2, due[0]); /* verified a year earlier */
    assert_int_equal(1, due[1]);
    assert_int_equal(0, due_in(s, DUE_FITTED, due));
    store_free(s);
}

static void a_told_fitting_is_events_that_move_the_meter_along(void **state)
{
    struct store *s = town();
    struct meter_life l;
    struct txn t;
    uint32_t due[4];

    (void)state;
    assert_ok(import(s, "fittings",
                     "point,serial,from,start_index_l,reason\nP1,M1,2026-02-01T00:00:00Z,5,new\n"));
    assert_int_equal(1, first_in(s, LIFE_RUNNING));
    assert_int_equal(0, first_in(s, LIFE_IN_STOCK));
    assert_int_equal(0, first_held(s, 'd', "north"));
    assert_int_equal(1, due_in(s, DUE_FITTED, due));
    assert_fitting(s, 1, 0, 1, FEBRUARY, FITTING_OPEN);
    assert_ok(import(s, "fittings",
                     "point,serial,from,start_index_l,to,end_index_l\n"
                     "P1,M1,2026-02-01T00:00:00Z,5,2026-02-02T00:00:00Z,7\n"));
    assert_int_equal(1, first_in(s, LIFE_REMOVED));
    assert_int_equal(0, due_in(s, DUE_FITTED, due));
    assert_fitting(s, 1, 0, 1, FEBRUARY, FEBRUARY + DAY);
    t = ledger_read(s->app.ledger);
    assert_ok(life_load_serial(&s->app, &t, span_text("M1"), &l));
    assert_int_equal(2, l.count);
    assert_int_equal(EVENT_INSTALL, l.events[0].kind);
    assert_int_equal(EVENT_IMPORTED | EVENT_HAS_INDEX, l.events[1].flags);
    assert_int_equal(7000, l.events[1].index_ml);
    assert_true(span_equal(span_text("new"), l.events[0].text[EVENT_REASON]));
    life_done(&l);
    txn_abort(&t);
    store_free(s);
}

static void fittings_that_touch_may_be_told_in_any_order(void **state)
{
    struct store *s = town();

    (void)state;
    assert_ok(import(s, "fittings",
                     "point,serial,from,start_index_l,to\n"
                     "P2,M1,2026-02-02T00:00:00Z,0,2026-02-03T00:00:00Z\n"
                     "P1,M1,2026-02-01T00:00:00Z,0,2026-02-02T00:00:00Z\n"
                     "P3,M1,2026-02-02T00:00:00Z,0,2026-02-02T00:00:00Z\n"));
    assert_fitting(s, 1, 0, 3, FEBRUARY, FEBRUARY + DAY);
    assert_int_equal(1, first_in(s, LIFE_REMOVED));
    store_free(s);
}

static void put_row(struct act *a, const char *point, const char *serial, const char *from)
{
    struct span cells[] = { span_text(point),      span_text(serial), span_text(from),
                            span_text("5"),        span_of(NULL, 0),  span_of(NULL, 0),
                            span_text("as it was") };
    char text[128];
    int len = snprintf(text, sizeof text, "%s%c%s%c%s%c", point, 0, serial, 0, from, 0);

    act_put_row(a, LIST_FITTING, span_of(text, (size_t)len), LEDGER_ALWAYS, cells, 7, NULL, NULL);
}

static void fittings_kept_as_rows_become_events_at_the_start(void **state)
{
    struct fitting f = {
        .meter = 1, .point = 1, .from_s = FEBRUARY, .to_s = FITTING_OPEN, .start_ml = 5000
    };
    struct store *s = town();
    struct meter_life l;
    struct act a;
    struct txn t;

    (void)state;
    a = act_begin(s->app.ledger, "test", NOW, 0);
    put_row(&a, "P1", "M1", "2026-02-01T00:00:00Z");
    act_put_fitting(&a, &f);
    assert_ok(act_end(&a));
    store_stop(s);
    store_start(s);
    t = ledger_read(s->app.ledger);
    assert_int_equal(0, ledger_last_id(&t, LIST_FITTING));
    assert_ok(life_load(&s->app, &t, 1, &l));
    assert_int_equal(1, l.count);
    assert_int_equal(5000, l.events[0].index_ml);
    assert_true(span_equal(span_text("as it was"), l.events[0].text[EVENT_REASON]));
    life_done(&l);
    txn_abort(&t);
    assert_fitting(s, 1, 0, 1, FEBRUARY, FITTING_OPEN);
    assert_int_equal(1, first_in(s, LIFE_RUNNING));
    store_free(s);
}

static uint64_t acts(struct store *s)
{
    struct txn t = ledger_read(s->app.ledger);
    uint64_t n = ledger_end(&t);

    txn_abort(&t);
    return n;
}

static void indexes_are_made_anew_for_another_time_zone_alone(void **state)
{
    struct store *s = town();
    uint64_t before = acts(s);
    uint32_t due[4];

    (void)state;
    store_stop(s);
    store_start(s);
    assert_int_equal(before, acts(s));
    store_stop(s);
    s->tz = "Europe/Berlin";
    store_start(s);
    assert_int_equal(before + 1, acts(s));
    assert_int_equal(1, first_in(s, LIFE_IN_STOCK));
    assert_int_equal(2, due_in(s, DUE_STORE, due));
    store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_is_found_where_its_row_says_it_is),
        cmocka_unit_test(a_told_fitting_is_events_that_move_the_meter_along),
        cmocka_unit_test(fittings_that_touch_may_be_told_in_any_order),
        cmocka_unit_test(fittings_kept_as_rows_become_events_at_the_start),
        cmocka_unit_test(indexes_are_made_anew_for_another_time_zone_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
