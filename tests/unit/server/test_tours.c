/* Day lists in a whole store: which orders come onto them, what that changes, and how they are found again. */
#include "server/tours.h"

#include "server/acts/act.h"
#include "server/app_open.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOW 1772416800 /* 2026-03-02T02:00:00Z, 10 o'clock in Shanghai */
#define DAY 86400

struct store {
    struct app app;
    const char *folder;
    char answer[1 << 16];
    char field[64];
    uint64_t acts; /* before the last plan */
};

static const struct caller root = { .role = ROLE_ADMIN, .who = "root" };

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
    assert_ok(ledger_check(s->app.ledger, NULL));
    app_stop(&s->app);
    app_close_store(&s->app);
    free(s);
}

static enum err import_to(struct store *s, const char *list, const char *text, struct refusal *r)
{
    struct import_options o = { 0 };
    struct import_report report = { 0 };
    char path[512];
    enum err err;
    int fd;

    snprintf(path, sizeof path, "%s/file", s->folder);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    assert_int_equal(0, lseek(fd, 0, SEEK_SET));
    err = act_import(&s->app, &root, span_text(list), fd, &o, &report, r);
    import_report_done(&report);
    close(fd);
    return err;
}

static void import(struct store *s, const char *list, const char *text)
{
    struct refusal r = { 0 };

    if (import_to(s, list, text, &r))
        fail_msg("%s: %s", list, r.text);
}

/* A street of ten points from west to east, whose numbers are no order; two more without coordinates, one far away. */
static struct store *street_new(void)
{
    struct store *s = store_new();

    import(s, "crews", "crew,name\nK1,one\nK2,two\n");
    import(s, "routes", "route\nR1\nR2\n");
    import(s, "zones", "zone\nZ1\n");
    import(s, "points",
           "point,account,address,lon,lat,zone,route,route_seq,phone\n"
           "P0,A0,\"0, Han Street\",114.300,30.600,Z1,R1,9,130\n"
           "P5,A5,,114.305,30.600,,R1,1,\nP1,A1,,114.301,30.600,Z1,R1,2,\n"
           "P3,A3,,114.303,30.600,,R1,3,\nP4,A4,,114.304,30.600,,R1,4,\n"
           "P2,A2,,114.302,30.600,Z1,R1,5,\nN1,,,,,,R1,2,\nN2,,,,,,R1,1,\n"
           "F1,,,115.900,30.600,,R2,1,\n");
    import(s, "meters", "serial,dn,q3\nM0,15,2.5\nM1,20,4\n");
    import(s, "fittings",
           "point,serial,from,start_index_l\nP0,M0,2026-01-01T00:00:00Z,0\n"
           "P1,M1,2026-01-01T00:00:00Z,0\n");
    import(s, "readings",
           "serial,time,index_l\nM0,2026-02-20T00:00:00Z,1234.5\nM0,2026-02-10T00:00:00Z,1000\n"
           "M1,2026-03-01T00:00:00Z,7\n");
    return s;
}

static void make(struct store *s, const char *point, enum order_kind kind, int64_t due_s,
                 char out[ORDER_NAME_SIZE])
{
    struct act a = act_begin(s->app.ledger, "office", NOW, 0);
    struct order o = order_new(&a, kind);

    o.point = span_text(point);
    o.reason = span_text("hand");
    if (!*point)
        o.serial = span_text("M0");
    if (due_s)
        o.due_s = due_s;
    order_put(&a, &o, out);
    assert_ok(act_end(&a));
}

static void make_street(struct store *s)
{
    static const char *const points[] = { "P0", "P5", "P1", "P3", "P4", "P2" };
    char name[ORDER_NAME_SIZE];

    for (size_t i = 0; i < 6; i++) /* W00000001 … W00000006 */
        make(s, points[i], ORDER_INSPECT, 0, name);
}

static uint64_t acts(struct store *s)
{
    struct txn t = ledger_read(s->app.ledger);
    uint64_t end = ledger_end(&t);

    assert_ok(txn_end(&t));
    return end;
}

/* The status; the answer and a refusal's field stay in `s`. */
static unsigned plan_as(struct store *s, const struct caller *caller, const char *body)
{
    json_t *json = json_loads(body, 0, NULL);
    struct act_request q = { .app = &s->app, .caller = caller, .body = json };
    struct act_reply reply = { 0 };
    unsigned status;

    assert_non_null(json);
    s->acts = acts(s);
    act_post_tour(&q, &reply);
    status = reply.status;
    snprintf(s->answer, sizeof s->answer, "%.*s", (int)reply.body.len,
             reply.body.len ? reply.body.at : "");
    snprintf(s->field, sizeof s->field, "%s", reply.refusal.field);
    if (status >= 400) {
        snprintf(s->answer, sizeof s->answer, "%s", reply.detail);
        assert_int_equal(s->acts, acts(s));
    }
    out_done(&reply.body);
    json_decref(json);
    return status;
}

static unsigned plan(struct store *s, const char *body)
{
    return plan_as(s, &root, body);
}

static void assert_says(struct store *s, const char *part)
{
    if (!strstr(s->answer, part))
        fail_msg("no %s in %.600s", part, s->answer);
}

/* "W00000001 assigned K1 T-… 3" of an order. */
static void assert_order(struct store *s, const char *name, const char *expected)
{
    struct txn t = ledger_read(s->app.ledger);
    struct order o;
    char text[256];

    assert_true(order_find(&t, span_text(name), &o));
    snprintf(text, sizeof text, "%s %.*s %.*s %u", order_state_name(o.state), (int)o.assignee.len,
             o.assignee.len ? (const char *)o.assignee.at : "", (int)o.tour.len,
             o.tour.len ? (const char *)o.tour.at : "", (unsigned)o.stop);
    assert_ok(txn_end(&t));
    assert_string_equal(expected, text);
}

/* ---- planning ---- */

static void orders_of_a_street_are_walked_from_end_to_end(void **state)
{
    struct store *s = street_new();

    (void)state;
    make_street(s);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\","
                                  "\"start\":{\"lon\":114.2995,\"lat\":30.6}}"));
    assert_int_equal(s->acts + 1, acts(s)); /* one act */
    assert_says(s, "\"tour\":\"T-2026-03-03-0001\",\"stops\":6,\"metres\":5");
    assert_says(s, "\"orders\":[\"W00000001\",\"W00000003\",\"W00000006\",\"W00000004\","
                   "\"W00000005\",\"W00000002\"]");
    assert_says(s, "\"planned\":6");
    assert_says(s, "\"warnings\":[]");
    assert_order(s, "W00000001", "assigned K1 T-2026-03-03-0001 1");
    assert_order(s, "W00000002", "assigned K1 T-2026-03-03-0001 6");
    assert_order(s, "W00000006", "assigned K1 T-2026-03-03-0001 3");
    store_free(s);
}

static void a_dry_run_shows_and_writes_nothing(void **state)
{
    struct store *s = street_new();

    (void)state;
    make_street(s);
    assert_int_equal(200, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"dry_run\":true,"
                                  "\"max_stops\":3}"));
    assert_int_equal(s->acts, acts(s));
    assert_says(s, "\"tours\":[{\"tour\":null,\"stops\":3");
    assert_says(s, "\"planned\":6");
    assert_order(s, "W00000001", "open   0");
    store_free(s);
}

static void what_is_on_a_list_stays_there_unless_told_again(void **state)
{
    struct store *s = street_new();
    char name[ORDER_NAME_SIZE];

    (void)state;
    make_street(s);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\"}"));
    make(s, "F1", ORDER_READ, 0, name);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\"}"));
    assert_says(s, "\"kept\":6");
    assert_says(s, "\"planned\":1");
    assert_order(s, name, "assigned K1 T-2026-03-03-0002 1");
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-04\",\"crew\":\"K1\",\"again\":true}"));
    assert_says(s, "\"kept\":0");
    assert_says(s, "\"planned\":7");
    assert_order(s, name, "assigned K1 T-2026-03-04-0002 1"); /* too far for one list */
    store_free(s);
}

static void filters_choose_and_others_orders_stay_others(void **state)
{
    struct store *s = street_new();
    char read[ORDER_NAME_SIZE], far[ORDER_NAME_SIZE];

    (void)state;
    make_street(s);
    make(s, "P3", ORDER_READ, 0, read);
    make(s, "F1", ORDER_INSPECT, 0, far);
    assert_int_equal(201,
                     plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K2\",\"kinds\":[\"read\"]}"));
    assert_says(s, "\"planned\":1");
    assert_order(s, read, "assigned K2 T-2026-03-03-0001 1");
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K2\",\"route\":\"R2\"}"));
    assert_order(s, far, "assigned K2 T-2026-03-03-0002 1");
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"zone\":\"Z1\"}"));
    assert_says(s, "\"planned\":3");
    assert_int_equal(201,
                     plan(s, "{\"date\":\"2026-03-03\",\"assignee\":\"Li Wei\",\"again\":true}"));
    assert_says(s, "\"planned\":3"); /* not those of K1 and K2 */
    assert_order(s, read, "assigned K2 T-2026-03-03-0001 1");
    assert_order(s, "W00000005", "assigned Li Wei T-2026-03-03-0004 2");
    /* Who is named goes to whoever is told now. */
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-05\",\"crew\":\"K1\",\"again\":true,"
                                  "\"orders\":[\"W00000007\",\"W00000007\"]}"));
    assert_says(s, "\"planned\":1");
    assert_order(s, read, "assigned K1 T-2026-03-05-0001 1");
    store_free(s);
}

static void what_cannot_be_placed_is_told(void **state)
{
    struct store *s = street_new();
    char first[ORDER_NAME_SIZE], second[ORDER_NAME_SIZE], none[ORDER_NAME_SIZE];

    (void)state;
    make_street(s);
    make(s, "N1", ORDER_INSPECT, 0, first);
    make(s, "N2", ORDER_INSPECT, NOW - DAY, second);
    make(s, "", ORDER_INSPECT, 0, none);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\"}"));
    assert_says(s, "\"no_point\":1");
    assert_says(s, "\"unplaced\":2");
    assert_says(s, "{\"code\":\"no-coordinates\",\"text\":\"2 orders");
    assert_says(s, "{\"code\":\"no-point\",\"text\":\"1 orders");
    assert_says(s, "{\"code\":\"late\",\"text\":\"1 orders");
    assert_order(s, second, "assigned K1 T-2026-03-03-0001 7"); /* by route_seq */
    assert_order(s, first, "assigned K1 T-2026-03-03-0001 8");
    assert_order(s, none, "open   0");
    store_free(s);
}

static void an_order_without_a_point_belongs_to_its_meters_unit(void **state)
{
    static const struct caller own = { .role = ROLE_SUPERVISOR, .who = "own", .org = "O1" };
    static const struct caller other = { .role = ROLE_SUPERVISOR, .who = "other", .org = "O2" };
    static const char wish[] =
        "{\"date\":\"2026-03-03\",\"assignee\":\"Li\",\"orders\":[\"W00000001\"]}";
    struct store *s = street_new();
    char name[ORDER_NAME_SIZE];

    (void)state;
    import(s, "orgs", "org\nO1\nO2\n");
    import(s, "routes", "route,org\nR1,O1\n");
    make(s, "", ORDER_INSPECT, 0, name);
    assert_int_equal(403, plan_as(s, &other, wish));
    assert_int_equal(200, plan_as(s, &own, wish)); /* there is nothing new */
    assert_says(s, "\"planned\":0");
    assert_says(s, "\"no_point\":1");
    store_free(s);
}

static void fewer_lists_hold_what_is_due_first(void **state)
{
    struct store *s = street_new();
    char far[ORDER_NAME_SIZE];

    (void)state;
    make_street(s);
    make(s, "F1", ORDER_INSPECT, NOW + DAY, far);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"tours\":1}"));
    assert_says(s, "\"planned\":1,\"left_out\":6");
    assert_says(s, "\"code\":\"left-out\"");
    assert_order(s, far, "assigned K1 T-2026-03-03-0001 1");
    assert_order(s, "W00000001", "open   0");
    store_free(s);
}

static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        unsigned status;
        const char *body, *field;
    } wrong[] = {
        { 404, "{\"date\":\"2026-03-03\",\"crew\":\"K9\"}", "crew" },
        { 404, "{\"date\":\"bad\",\"crew\":\"K1\",\"route\":\"R9\"}", "route" },
        { 404, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"zone\":\"Z9\"}", "zone" },
        { 404, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"orders\":[\"W99999999\"]}", "order" },
        { 422, "{\"crew\":\"K1\"}", "date" },
        { 422, "{\"date\":\"2026-03-01\",\"crew\":\"K1\"}", "date" },
        { 422, "{\"date\":\"2026-02-30\",\"crew\":\"K1\"}", "date" },
        { 422, "{\"date\":20260303,\"crew\":\"K1\"}", "date" },
        { 422, "{\"date\":\"2026-03-03\"}", "crew" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"assignee\":\"x\"}", "crew" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"kinds\":[\"dig\"]}", "kinds" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"kinds\":[]}", "kinds" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"kinds\":\"read\"}", "kinds" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"max_stops\":0}", "max_stops" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"max_stops\":201}", "max_stops" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"max_stops\":1.5}", "max_stops" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"tours\":0}", "tours" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"start\":{\"lon\":181,\"lat\":0}}",
          "start" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"start\":[114,30]}", "start" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"orders\":[]}", "orders" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"orders\":[1]}", "orders" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"again\":1}", "again" },
        { 422, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"certificate\":\"x\"}", "certificate" },
        { 409, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"orders\":[\"W00000001\",\"W00000002\"]}",
          "order" },
    };
    static const enum role may_not[] = { ROLE_CREW, ROLE_STORE, ROLE_READER, ROLE_BILLING,
                                         ROLE_VIEWER };
    struct store *s = street_new();
    struct act a;
    struct order_kept kept;
    struct order o;

    (void)state;
    make_street(s);
    a = act_begin(s->app.ledger, "office", NOW, 0);
    assert_true(order_find(&a.txn, span_text("W00000002"), &o));
    order_keep(&o, &kept);
    order_move(&kept.order, MOVE_START, NOW);
    order_put(&a, &kept.order, NULL);
    assert_ok(act_end(&a));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        unsigned status;

        status = plan(s, wrong[i].body);
        if (status != wrong[i].status || strcmp(s->field, wrong[i].field) != 0)
            fail_msg("%s: %u %s: %s", wrong[i].body, status, s->field, s->answer);
        assert_order(s, "W00000001", "open   0");
    }
    for (size_t i = 0; i < sizeof may_not / sizeof may_not[0]; i++) {
        struct caller caller = { .role = may_not[i], .who = "x" };

        assert_int_equal(403, plan_as(s, &caller, "{\"date\":\"x\"}"));
    }
    store_free(s);
}

/* ---- finding them again ---- */

static unsigned lists_named(struct store *s, int32_t day, const char *crew, const char *after,
                            char out[256])
{
    struct txn t = ledger_read(s->app.ledger);
    struct tour_walk w = tours_of(&t, day, span_text(crew), span_text(after));
    unsigned count = 0;
    size_t len = 0;

    out[0] = 0;
    while (tour_walk_next(&w)) {
        len += (size_t)snprintf(out + len, 256 - len, "%s%s", count ? " " : "", w.name + 2);
        count++;
    }
    assert_ok(txn_end(&t));
    return count;
}

static void lists_are_found_by_day_and_by_crew(void **state)
{
    struct store *s = street_new();
    int32_t third, fourth;
    char names[256];

    (void)state;
    make_street(s);
    assert_true(tour_day(span_text("T-2026-03-03-0001"), &third));
    assert_true(tour_day(span_text("T-2026-03-04-0001"), &fourth));
    assert_false(tour_day(span_text("T-2026-13-04-0001"), &fourth));
    assert_false(tour_day(span_text("T-2026-03-04-00001"), &fourth));
    assert_false(tour_day(span_text("W-2026-03-04-0001"), &fourth));
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-04\",\"crew\":\"K1\",\"zone\":\"Z1\","
                                  "\"max_stops\":2}"));
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K2\"}"));
    assert_int_equal(3, lists_named(s, NO_DAY, "", "", names));
    assert_string_equal("2026-03-03-0001 2026-03-04-0001 2026-03-04-0002", names);
    assert_int_equal(2, lists_named(s, fourth, "", "", names));
    assert_string_equal("2026-03-04-0001 2026-03-04-0002", names);
    assert_int_equal(1, lists_named(s, fourth, "", "T-2026-03-04-0001", names));
    assert_int_equal(2, lists_named(s, NO_DAY, "K1", "", names));
    assert_int_equal(1, lists_named(s, NO_DAY, "K1", "T-2026-03-04-0001", names));
    assert_int_equal(0, lists_named(s, third, "K1", "", names));
    assert_int_equal(1, lists_named(s, third, "K2", "", names));
    assert_int_equal(0, lists_named(s, NO_DAY, "K", "", names));
    store_free(s);
}

/* ---- lists that came from a file ---- */

static enum err import_order(struct store *s, const char *name, const char *tour,
                             const char *attempts)
{
    struct refusal r = { 0 };
    char text[512];

    snprintf(text, sizeof text,
             "order,kind,point,priority,assignee,due,state,created_at,since,tour,stop,attempts\n"
             "%s,verify,P0,low,K1,2026-03-09T00:00:00Z,assigned,2026-03-01T00:00:00Z,"
             "2026-03-01T00:00:00Z,%s,1,%s\n",
             name, tour, attempts);
    return import_to(s, "orders", text, &r);
}

static void an_order_of_a_file_stands_on_a_list_or_is_refused(void **state)
{
    static const char *const wrong[] = { "x", "T-2026-03-03-0001 and a name that has no end",
                                         "T-2026-03-03-0000", "T-2026-02-30-0001" };
    struct store *s = street_new();
    char names[256];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ERR_INVALID, import_order(s, "W00000007", wrong[i], ""));
    assert_int_equal(ERR_INVALID, import_order(s, "W00000007", "", "-1"));
    assert_int_equal(ERR_INVALID, import_order(s, "W00000007", "", "4294967296"));
    assert_int_equal(0, lists_named(s, NO_DAY, "", "", names));
    assert_ok(import_order(s, "W00000007", "T-2026-03-03-0001", "2"));
    assert_int_equal(1, lists_named(s, NO_DAY, "", "", names));
    store_free(s);
}

static void a_name_that_a_file_gave_to_a_list_is_not_given_again(void **state)
{
    struct store *s = street_new();
    char names[256];

    (void)state;
    make_street(s);
    assert_int_equal(
        201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"orders\":[\"W00000001\"]}"));
    assert_ok(import_order(s, "W00000077", "T-2026-03-03-0002", ""));
    assert_int_equal(
        201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K2\",\"orders\":[\"W00000002\"]}"));
    assert_order(s, "W00000002", "assigned K2 T-2026-03-03-0003 1");
    assert_order(s, "W00000077", "assigned K1 T-2026-03-03-0002 1");
    assert_int_equal(3, lists_named(s, NO_DAY, "", "", names));
    store_free(s);
}

static void numbers_go_on_behind_the_greatest_that_a_file_may_bear(void **state)
{
    struct store *s = street_new();
    struct act a;
    struct order o;
    char room[ORDER_NAME_SIZE];

    (void)state;
    make_street(s);
    assert_int_equal(ERR_INVALID, import_order(s, "W4294967295", "", ""));
    assert_int_equal(ERR_INVALID, import_order(s, "W1000000000", "", ""));
    assert_ok(import_order(s, "W999999999", "", ""));
    a = act_begin(s->app.ledger, "office", NOW, 0);
    o = order_new(&a, ORDER_READ);
    o.point = span_text("F1");
    order_put(&a, &o, room);
    assert_ok(act_end(&a));
    assert_string_equal(room, "W1000000000");
    assert_order(s, "W00000001", "open   0");
    store_free(s);
}

struct seen {
    unsigned count;
    char text[4096];
};

static bool see(void *arg, const struct tour_shown *s)
{
    struct seen *seen = (struct seen *)arg;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof seen->text - len, "%u %.*s %.*s %d %s %lld %.0f|", s->number,
             (int)s->order.point.len, (const char *)s->order.point.at, (int)s->serial.len,
             s->serial.len ? (const char *)s->serial.at : "", s->dn_mm,
             s->has_last ? "last" : "none", s->has_last ? (long long)s->last_ml : 0LL, s->leg_m);
    seen->count++;
    return true;
}

static void a_stop_tells_what_the_crew_compares_but_not_to_who_reads(void **state)
{
    struct store *s = street_new();
    struct seen seen = { 0 };
    char read[ORDER_NAME_SIZE], name[ORDER_NAME_SIZE];
    struct txn t;

    (void)state;
    make(s, "P0", ORDER_INSPECT, 0, name);
    make(s, "P1", ORDER_READ, 0, read);
    make(s, "N1", ORDER_INSPECT, 0, name);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\","
                                  "\"start\":{\"lon\":114.2,\"lat\":30.6}}"));
    t = ledger_read(s->app.ledger);
    assert_ok(tour_each(&s->app, &t, span_text("T-2026-03-03-0001"), see, &seen));
    assert_string_equal("1 P0 M0 15 last 1234500 0|2 P1 M1 20 none 0 96|3 N1  0 none 0 -1|",
                        seen.text);
    assert_err(ERR_NOT_FOUND, tour_each(&s->app, &t, span_text("T-2026-03-03-0002"), see, &seen));
    assert_ok(txn_end(&t));
    store_free(s);
}

static void see_one(struct store *s, const char *expected)
{
    struct txn t = ledger_read(s->app.ledger);
    struct seen seen = { 0 };

    assert_ok(tour_each(&s->app, &t, span_text("T-2026-03-03-0001"), see, &seen));
    assert_ok(txn_end(&t));
    assert_string_equal(expected, seen.text);
}

/* Both are stamped ahead of the clock. */
static void a_stop_shows_who_is_fitted_there_at_the_hour(void **state)
{
    struct store *s = street_new();
    char name[ORDER_NAME_SIZE];

    (void)state;
    import(s, "meters", "serial,dn,q3\nM2,25,6.3\n");
    import(s, "fittings",
           "point,serial,from,start_index_l,to,end_index_l\n"
           "P1,M1,2026-01-01T00:00:00Z,0,2026-03-02T02:05:00Z,9\n"
           "P5,M2,2026-01-01T00:00:00Z,0,2026-02-01T00:00:00Z,5\n"
           "P1,M2,2026-03-02T02:06:00Z,5,,\n");
    make(s, "P1", ORDER_READ, 0, name);
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\"}"));
    see_one(s, "1 P1 M1 20 none 0 0|");
    assert_ok(clock_set(&s->app.clock, NOW + 300));
    see_one(s, "1 P1  0 none 0 0|");
    assert_ok(clock_set(&s->app.clock, NOW + 360));
    see_one(s, "1 P1 M2 25 none 0 0|");
    store_free(s);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void ten_thousand_orders_are_planned_in_one_act(void **state)
{
    struct check_random r = check_random_begin();
    struct store *s = store_new();
    char *points = calloc(10001, 80), *at = points, name[ORDER_NAME_SIZE];
    double began, dry, wet;
    struct act a;

    (void)state;
    at += sprintf(at, "point,lon,lat,route,route_seq\n");
    for (unsigned i = 0; i < 10000; i++) {
        unsigned east = (unsigned)check_below(&r, 120000),
                 north = (unsigned)check_below(&r, 120000);

        at += sprintf(at, "P%05u,114.%06u,30.%06u,R%03u,%u\n", i, 300000 + east, 600000 + north,
                      east / 5000 * 24 + north / 5000, i);
    }
    import(s, "crews", "crew\nK1\n");
    import(s, "points", points);
    free(points);
    a = act_begin(s->app.ledger, "office", NOW, 0);
    for (unsigned i = 0; i < 10000; i++) {
        struct order o = order_new(&a, ORDER_INSPECT);
        char point[8];

        snprintf(point, sizeof point, "P%05u", i);
        o.point = span_text(point);
        order_put(&a, &o, name);
    }
    assert_ok(act_end(&a));
    began = now_ms();
    assert_int_equal(200, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\",\"dry_run\":true}"));
    dry = now_ms() - began;
    began = now_ms();
    assert_int_equal(201, plan(s, "{\"date\":\"2026-03-03\",\"crew\":\"K1\"}"));
    wet = now_ms() - began;
    {
        struct txn t = ledger_read(s->app.ledger);
        struct tour_walk w = tours_of(&t, NO_DAY, span_of(NULL, 0), span_of(NULL, 0));
        uint64_t stops = 0;

        began = now_ms();
        while (tour_walk_next(&w)) {
            struct tour_sum sum;

            tour_sum(&s->app, &t, span_text(w.name), &sum);
            assert_true(sum.stops >= 1 && sum.stops <= TOUR_STOPS_DAY);
            stops += sum.stops;
        }
        assert_int_equal(10000, stops);
        assert_ok(txn_end(&t));
        printf("10000 orders: planned in %.0f ms, planned and written in %.0f ms, added up in %.0f "
               "ms\n",
               dry, wet, now_ms() - began);
    }
    store_free(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_of_a_street_are_walked_from_end_to_end),
        cmocka_unit_test(a_dry_run_shows_and_writes_nothing),
        cmocka_unit_test(what_is_on_a_list_stays_there_unless_told_again),
        cmocka_unit_test(filters_choose_and_others_orders_stay_others),
        cmocka_unit_test(what_cannot_be_placed_is_told),
        cmocka_unit_test(an_order_without_a_point_belongs_to_its_meters_unit),
        cmocka_unit_test(fewer_lists_hold_what_is_due_first),
        cmocka_unit_test(what_is_wrong_is_refused_and_changes_nothing),
        cmocka_unit_test(lists_are_found_by_day_and_by_crew),
        cmocka_unit_test(an_order_of_a_file_stands_on_a_list_or_is_refused),
        cmocka_unit_test(a_name_that_a_file_gave_to_a_list_is_not_given_again),
        cmocka_unit_test(numbers_go_on_behind_the_greatest_that_a_file_may_bear),
        cmocka_unit_test(a_stop_tells_what_the_crew_compares_but_not_to_who_reads),
        cmocka_unit_test(a_stop_shows_who_is_fitted_there_at_the_hour),
        cmocka_unit_test(ten_thousand_orders_are_planned_in_one_act),
    };

    return check_run(tests, argc, argv);
}
