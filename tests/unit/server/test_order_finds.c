/* What a rule of orders finds among more meters than are looked at under one transaction. */
#include "server/acts/order_finds.h"

#include "server/acts/act.h"
#include "server/acts/order_rules.h"
#include "server/app_open.h"
#include "server/fleet/columns.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z */
#define METERS 5000u   /* more than a slice */

struct store {
    struct app app;
    const char *folder;
};

static struct store *store_new(void)
{
    struct store *s = (struct store *)calloc(1, sizeof *s);
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600 };
    struct refusal r = { 0 };

    o.dir = s->folder = check_folder();
    clock_virtual(&s->app.clock, NOW);
    if (app_open_store(&s->app, &o, &r) || app_start(&s->app, &o, &r))
        fail_msg("%s", r.text);
    return s;
}

static void store_free(struct store *s)
{
    app_stop(&s->app);
    app_close_store(&s->app);
    free(s);
}

static void import(struct store *s, const char *list, const char *text)
{
    static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };
    struct import_options o = { 0 };
    struct import_report report = { 0 };
    struct refusal r = { 0 };
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/file", s->folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    if (act_import(&s->app, &root, span_text(list), fd, &o, &report, &r))
        fail_msg("%s: %s", list, r.text);
    import_report_done(&report);
    close(fd);
}

/* Of each file a row a meter. */
static void import_all(struct store *s, const char *list, const char *head, const char *format)
{
    size_t room = strlen(head) + METERS * 80 + 1, len;
    char *text = (char *)malloc(room);

    assert_non_null(text);
    len = (size_t)snprintf(text, room, "%s\n", head);
    for (unsigned i = 0; i < METERS; i++) {
        len += (size_t)snprintf(text + len, room - len, format, i, i);
        text[len++] = '\n';
    }
    text[len] = 0;
    import(s, list, text);
    free(text);
}

/* All are fitted; three of them, in two slices, were heard of. */
static struct store *town_new(void)
{
    struct store *s = store_new();

    import_all(s, "points", "point", "P%05u");
    import_all(s, "meters", "serial,dn,q3", "M%05u,15,2.5");
    import_all(s, "fittings", "point,serial,from,start_index_l",
               "P%05u,M%05u,2026-01-01T00:00:00Z,0");
    import(s, "readings",
           "serial,time,index_l\nM00000,2026-03-01T00:00:00Z,7\nM04095,2026-03-01T00:00:00Z,7\n"
           "M04999,2026-03-01T00:00:00Z,7\n");
    return s;
}

static const struct order_rule silent = {
    .name = "silent", .find = FIND_NO_READING, .kind = ORDER_INSPECT, .days = 10
};

static void every_silent_meter_is_found_once(void **state)
{
    struct store *s = town_new();
    struct order_finds finds;

    (void)state;
    assert_ok(order_finds(&s->app, &silent, NOW, &finds));
    assert_int_equal(METERS - 3, finds.count);
    for (size_t i = 1; i < finds.count; i++)
        assert_true(finds.at[i - 1].meter < finds.at[i].meter);
    assert_false(finds.more);
    free(finds.at);
    store_free(s);
}

/* The end of the one is stamped ahead of the clock: until then it is where it was. */
static void a_meter_is_silent_until_the_instant_of_its_removal(void **state)
{
    struct store *s = town_new();
    struct order_finds finds;

    (void)state;
    import(s, "fittings",
           "point,serial,from,start_index_l,to,end_index_l\n"
           "P00007,M00007,2026-01-01T00:00:00Z,0,2026-03-02T02:05:00Z,9\n");
    assert_ok(order_finds(&s->app, &silent, NOW + 299, &finds));
    assert_int_equal(METERS - 3, finds.count);
    free(finds.at);
    assert_ok(order_finds(&s->app, &silent, NOW + 300, &finds));
    assert_int_equal(METERS - 4, finds.count);
    free(finds.at);
    store_free(s);
}

static void a_search_gives_up_when_the_server_stops(void **state)
{
    struct store *s = town_new();
    struct order_finds finds;

    (void)state;
    s->app.stopping = true;
    assert_int_equal(ERR_STOPPING, order_finds(&s->app, &silent, NOW, &finds));
    free(finds.at);
    s->app.stopping = false;
    store_free(s);
}

static uint32_t orders_there(struct store *s)
{
    struct txn t = ledger_read(s->app.ledger);
    uint32_t last = ledger_last_id(&t, LIST_ORDER);

    assert_ok(txn_end(&t));
    return last;
}

static void all_meters_are_looked_at_once_a_day_unasked(void **state)
{
    struct store *s = town_new();

    (void)state;
    s->app.order_rules.count = 1;
    s->app.order_rules.at[0] = silent;
    s->app.order_rules.at[0].automatic = true;
    assert_ok(order_rules_auto(&s->app, false));
    assert_int_equal(0, orders_there(s));
    assert_ok(order_rules_auto(&s->app, true));
    assert_int_equal(METERS - 3, orders_there(s));
    store_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_silent_meter_is_found_once),
        cmocka_unit_test(all_meters_are_looked_at_once_a_day_unasked),
        cmocka_unit_test(a_meter_is_silent_until_the_instant_of_its_removal),
        cmocka_unit_test(a_search_gives_up_when_the_server_stops),
    };

    return check_run(tests, argc, argv);
}
