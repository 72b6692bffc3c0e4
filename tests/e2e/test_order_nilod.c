/* Orders of work over a real nilod: made, given, begun, reported, cancelled and listed; what a report does to the meter, the flag and
 * the series; who may what; what is refused changes nothing. */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/client/http.h"
#include "tests/nilod.h"

/* ---- asking ---- */

struct town {
    struct nilod nilod;
    char crew1[64], crew2[64], hand[64], supervisor[64], store[64], viewer[64]; /* tokens */
};

static json_t *ask_keyed(const struct town *t, const char *token, const char *key, const char *path,
                         const char *body, int status, const char *says)
{
    struct client c = { 0 };
    struct answer a;
    char fields[100] = "";
    json_t *json;

    if (key)
        snprintf(fields, sizeof fields, "Idempotency-Key: %s\r\n", key);
    client_open(&c, t->nilod.http_host, t->nilod.http_port, token);
    if (body)
        http_post(&c, path, key ? fields : NULL, body, &a);
    else
        http_get(&c, path, NULL, &a);
    if (a.status != status || !strstr(a.body, says))
        fail_msg("%s %.2000s: expected %d with %s, found %d %s", path, body ? body : "", status,
                 says, a.status, a.body);
    json = json_loads(a.body, 0, NULL);
    answer_done(&a);
    client_close(&c);
    return json;
}

static json_t *ask_as(const struct town *t, const char *token, const char *path, const char *body,
                      int status, const char *says)
{
    return ask_keyed(t, token, NULL, path, body, status, says);
}

static void as(const struct town *t, const char *token, const char *path, const char *body,
               int status, const char *says)
{
    json_decref(ask_as(t, token, path, body, status, says));
}

static void ask(const struct town *t, const char *path, const char *body, int status,
                const char *says)
{
    as(t, t->nilod.token, path, body, status, says);
}

/* POST /v1/orders/ORDER/what */
static void tell(const struct town *t, const char *token, const char *order, const char *what,
                 const char *body, int status, const char *says)
{
    char path[100];

    snprintf(path, sizeof path, "/v1/orders/%s/%s", order, what);
    as(t, token, path, body, status, says);
}

static const char *text(const json_t *o, const char *name)
{
    const char *v = json_string_value(json_object_get(o, name));

    return v ? v : "";
}

static size_t rows_of(const struct town *t, const char *token, const char *path)
{
    json_t *list = ask_as(t, token, path, NULL, 200, "\"rows\"");
    size_t rows = json_array_size(json_object_get(list, "rows"));

    json_decref(list);
    return rows;
}

static void token_of(const struct town *t, const char *role, const char *name, const char *org,
                     char out[64])
{
    char body[200];
    json_t *made;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s\"%s%s%s}", role, name,
             org ? ",\"org\":\"" : "", org ? org : "", org ? "\"" : "");
    made = ask_as(t, t->nilod.token, "/v1/tokens", body, 201, "token");
    snprintf(out, 64, "%s", text(made, "token"));
    json_decref(made);
}

/* ---- a town: points P1… with meters S1… fitted, N1… in a crew's hands ---- */

#define METERS 9

static void meters(const struct town *t)
{
    char body[300], path[60];

    for (unsigned i = 1; i <= METERS; i++) {
        snprintf(body, sizeof body,
                 "{\"serial\":\"S%u\",\"dn\":15,\"q3\":2.5,\"verified_on\":\"2021-06-01\"}", i);
        ask(t, "/v1/meters", body, 201, "");
        snprintf(body, sizeof body,
                 "{\"point\":\"P%u\",\"zone\":\"Z%u\",\"route\":\"R%u\",\"address\":\"%u 号\"}", i,
                 i % 2, i % 3, i);
        ask(t, "/v1/points", body, 201, "");
        snprintf(body, sizeof body,
                 "{\"event\":\"install\",\"point\":\"P%u\",\"index_l\":0,\"at\":"
                 "\"2026-01-01T00:00:00Z\"}",
                 i);
        snprintf(path, sizeof path, "/v1/meters/S%u/events", i);
        ask(t, path, body, 201, "running");
        snprintf(
            body, sizeof body,
            "{\"serial\":\"N%u\",\"dn\":15,\"q3\":2.5,\"verified_on\":\"2026-01-10\",\"state\":"
            "\"in-stock\"}",
            i);
        ask(t, "/v1/meters", body, 201, "");
        snprintf(path, sizeof path, "/v1/meters/N%u/events", i);
        ask(t, path, "{\"event\":\"issue\",\"document\":\"IS-1\",\"crew\":\"K1\"}", 201, "issued");
    }
}

static void start(struct town *t)
{
    memset(t, 0, sizeof *t);
    t->nilod.clock = "2026-03-02T02:00:00Z";
    nilod_start(&t->nilod);
    ask(t, "/v1/orgs", "{\"org\":\"branch-1\"}", 201, "");
    ask(t, "/v1/orgs", "{\"org\":\"branch-2\"}", 201, "");
    ask(t, "/v1/zones", "{\"zone\":\"Z0\"}", 201, "");
    ask(t, "/v1/zones", "{\"zone\":\"Z1\"}", 201, "");
    ask(t, "/v1/routes", "{\"route\":\"R0\",\"org\":\"branch-1\"}", 201, "");
    ask(t, "/v1/routes", "{\"route\":\"R1\",\"org\":\"branch-1\"}", 201, "");
    ask(t, "/v1/routes", "{\"route\":\"R2\",\"org\":\"branch-2\"}", 201, "");
    ask(t, "/v1/crews", "{\"crew\":\"K1\",\"org\":\"branch-1\"}", 201, "");
    ask(t, "/v1/crews", "{\"crew\":\"K2\",\"org\":\"branch-2\"}", 201, "");
    token_of(t, "crew", "K1", NULL, t->crew1);
    token_of(t, "crew", "K2", NULL, t->crew2);
    token_of(t, "crew", "handheld", NULL, t->hand);
    token_of(t, "supervisor", "Li", NULL, t->supervisor);
    token_of(t, "store", "depot", NULL, t->store);
    token_of(t, "viewer", "eyes", NULL, t->viewer);
    meters(t);
}

static void stop(struct town *t)
{
    nilod_stop(&t->nilod);
}

/* Makes an order; its name into `out` (may be NULL). */
static void make(const struct town *t, const char *body, char out[16])
{
    json_t *made = ask_as(t, t->supervisor, "/v1/orders", body, 201, "\"order\":\"W");

    if (out)
        snprintf(out, 16, "%s", text(made, "order"));
    json_decref(made);
}

static void clock_to(struct town *t, const char *now)
{
    char body[80];

    snprintf(body, sizeof body, "{\"now\":\"%s\"}", now);
    ask(t, "/v1/clock", body, 200, "");
}

static void is_state(const struct town *t, const char *order, const char *says)
{
    char path[60];

    snprintf(path, sizeof path, "/v1/orders/%s", order);
    ask(t, path, NULL, 200, says);
}

/* ---- making ---- */

static void an_order_is_made_where_a_meter_is(void **state)
{
    struct town t;
    json_t *made;

    (void)state;
    start(&t);
    made = ask_as(&t, t.supervisor, "/v1/orders",
                  "{\"kind\":\"replace\",\"point\":\"P1\",\"reason\":\"超期\"}", 201, "");
    assert_string_equal(text(made, "order"), "W00000001");
    assert_string_equal(text(made, "serial"), "S1");
    assert_string_equal(text(made, "state"), "open");
    assert_string_equal(text(made, "priority"), "normal");
    assert_string_equal(text(made, "due"), "2026-03-12T02:00:00Z");
    assert_string_equal(text(made, "sla"), "2026-03-03T02:00:00Z");
    assert_string_equal(text(made, "kind_zh"), "换表");
    assert_string_equal(text(made, "created_by"), "Li");
    assert_false(json_is_true(json_object_get(made, "late")));
    json_decref(made);
    made = ask_as(&t, t.supervisor, "/v1/orders",
                  "{\"kind\":\"inspect\",\"serial\":\"S1\",\"priority\":\"urgent\",\"assignee\":"
                  "\"K1\",\"due\":\"2026-03-02T12:00:00+08:00\"}",
                  201, "");
    assert_string_equal(text(made, "order"), "W00000002");
    assert_string_equal(text(made, "point"), "P1");
    assert_string_equal(text(made, "state"), "assigned");
    assert_string_equal(text(made, "due"), "2026-03-02T04:00:00Z");
    json_decref(made);
    ask(&t, "/v1/orders", "{\"kind\":\"read\",\"point\":\"P2\",\"assignee\":\"老王\"}", 201,
        "not-a-crew");
    stop(&t);
}

static void what_cannot_be_an_order_is_refused_in_order(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } wrong[] = {
        { "{}", 422, "\"field\":\"kind, point\"" },
        { "{\"kind\":\"replace\"}", 422, "\"field\":\"point\"" },
        { "{\"point\":\"P1\"}", 422, "\"field\":\"kind\"" },
        { "{\"kind\":\"paint\",\"point\":\"P1\"}", 422,
          "replace, inspect, verify, repair or read" },
        { "{\"kind\":\"paint\",\"point\":\"nowhere\"}", 404, "nowhere" },
        { "{\"kind\":\"read\",\"serial\":\"nobody\"}", 404, "nobody" },
        { "{\"kind\":\"read\",\"serial\":\"S1\",\"flag\":\"0000002a-stuck-69a1b2c3\"}", 404,
          "flag" },
        { "{\"kind\":\"read\",\"serial\":\"S1\",\"flag\":\"x\"}", 404, "flag" },
        { "{\"kind\":7,\"point\":\"P1\"}", 422, "\"field\":\"kind\"" },
        { "{\"kind\":\"read\",\"point\":[\"P1\"]}", 422, "\"field\":\"point\"" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"priority\":\"soon\"}", 422,
          "urgent, high, normal" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"due\":\"tomorrow\"}", 422, "\"field\":\"due\"" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"due\":\"2026-03-02T01:59:59Z\"}", 422,
          "not over" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"colour\":\"red\"}", 422, "colour" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"photo\":\"x\"}", 422, "photo" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"assignee\":\"a\\nb\"}", 422, "assignee" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"serial\":\"S2\"}", 409, "fitted at P2" },
        { "{\"kind\":\"read\",\"point\":\"P1\",\"serial\":\"N1\"}", 409, "fitted nowhere" },
        { "{\"kind\":\"replace\",\"serial\":\"N1\"}", 409, "fitted nowhere" },
        { "{\"kind\":\"read\",\"point\":\"bare\"}", 409, "no meter is fitted at bare" },
        { "[]", 422, "" },
    };
    char body[9000], long_text[2000];
    struct town t;

    (void)state;
    start(&t);
    ask(&t, "/v1/points", "{\"point\":\"bare\"}", 201, "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (wrong[i].body[0] == '[')
            continue; /* told by whoever reads bodies */
        ask(&t, "/v1/orders", wrong[i].body, wrong[i].status, wrong[i].says);
    }
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    snprintf(body, sizeof body, "{\"kind\":\"read\",\"point\":\"P1\",\"reason\":\"%s\"}",
             long_text);
    ask(&t, "/v1/orders", body, 422, "reason");
    snprintf(body, sizeof body, "{\"kind\":\"read\",\"point\":\"%s\"}", long_text);
    ask(&t, "/v1/orders", body, 404, "point");
    as(&t, t.crew1, "/v1/orders", "{\"kind\":\"read\",\"point\":\"nowhere\"}", 403, "crew");
    as(&t, t.viewer, "/v1/orders", "{}", 403, "viewer");
    assert_int_equal(rows_of(&t, t.nilod.token, "/v1/orders"), 0);
    /* The very first that is taken has the first number. */
    ask(&t, "/v1/orders", "{\"kind\":\"inspect\",\"point\":\"bare\"}", 201, "W00000001");
    ask(&t, "/v1/orders", "{\"kind\":\"inspect\",\"serial\":\"N1\"}", 201, "W00000002");
    stop(&t);
}

static void one_kind_is_ordered_once_at_a_place_until_it_is_closed(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"replace\",\"point\":\"P1\"}", NULL);
    ask(&t, "/v1/orders", "{\"kind\":\"replace\",\"point\":\"P1\"}", 409, "W00000001");
    ask(&t, "/v1/orders", "{\"kind\":\"replace\",\"serial\":\"S1\"}", 409, "W00000001");
    ask(&t, "/v1/orders", "{\"kind\":\"read\",\"point\":\"P1\"}", 201, "W00000002");
    tell(&t, t.supervisor, "W00000001", "cancel", "{\"note\":\"拆迁\"}", 200, "cancelled");
    ask(&t, "/v1/orders", "{\"kind\":\"replace\",\"point\":\"P1\"}", 201, "W00000003");
    stop(&t);
}

/* ---- from hand to hand ---- */

static void an_order_goes_from_hand_to_hand_and_tells_who_had_it(void **state)
{
    struct town t;
    json_t *order, *history;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P1\"}", NULL);
    ask(&t, "/v1/orders/W00000001", "{\"assignee\":\"K2\",\"note\":\"先打电话\"}", 200, "assigned");
    tell(&t, t.crew1, "W00000001", "start", "{}", 403, "K2");
    clock_to(&t, "2026-03-02T03:00:00Z");
    ask(&t, "/v1/orders/W00000001", "{\"assignee\":\"K1\"}", 200,
        "\"sla\":\"2026-03-07T03:00:00Z\"");
    ask(&t, "/v1/orders/W00000001", "{\"assignee\":\"K1\"}", 200, "assigned");
    tell(&t, t.crew1, "W00000001", "start", "{}", 200, "\"started_at\":\"2026-03-02T03:00:00Z\"");
    tell(&t, t.crew1, "W00000001", "start", "{}", 409, "open or assigned");
    ask(&t, "/v1/orders/W00000001", "{\"assignee\":null}", 200, "\"state\":\"open\"");
    ask(&t, "/v1/orders/W00000001", "{\"assignee\":\"\"}", 200, "\"state\":\"open\"");
    tell(&t, t.crew2, "W00000001", "start", "{}", 200, "\"assignee\":\"K2\"");
    clock_to(&t, "2026-03-02T05:00:00Z");
    ask(&t, "/v1/orders/W00000001", "{\"priority\":\"urgent\"}", 200,
        "\"due\":\"2026-03-03T05:00:00Z\"");
    ask(&t, "/v1/orders/W00000001", "{\"priority\":\"low\",\"due\":\"2026-03-04T00:00:00Z\"}", 200,
        "\"due\":\"2026-03-04T00:00:00Z\"");
    tell(&t, t.supervisor, "W00000001", "cancel", "{}", 422, "note");
    tell(&t, t.crew2, "W00000001", "cancel", "{\"note\":\"x\"}", 403, "crew");
    tell(&t, t.supervisor, "W00000001", "cancel", "{\"note\":\"不需要\"}", 200, "cancelled");
    tell(&t, t.crew2, "W00000001", "done", "{}", 409,
         "cancelled, since 2026-03-02T05:00:00Z by Li");
    tell(&t, t.supervisor, "W00000001", "cancel", "{\"note\":\"x\"}", 409, "cancelled");
    ask(&t, "/v1/orders/W00000001", "{\"priority\":\"high\"}", 409, "open, assigned or started");
    ask(&t, "/v1/orders/W00000009", "{\"priority\":\"high\"}", 404, "W00000009");
    ask(&t, "/v1/orders/W00000009", NULL, 404, "W00000009");
    order = ask_as(&t, t.viewer, "/v1/orders/W00000001", NULL, 200, "history");
    history = json_object_get(order, "history");
    assert_int_equal(json_array_size(history), 9);
    assert_string_equal(text(json_array_get(history, 0), "who"), "Li");
    assert_string_equal(text(json_array_get(history, 0), "at"), "2026-03-02T02:00:00Z");
    assert_string_equal(text(json_object_get(json_array_get(history, 0), "after"), "kind"),
                        "inspect");
    assert_string_equal(text(json_array_get(history, 3), "who"), "K1");
    assert_string_equal(text(json_object_get(json_array_get(history, 8), "after"), "state"),
                        "cancelled");
    json_decref(order);
    stop(&t);
}

static void who_starts_an_order_takes_it_from_nobody(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P1\",\"assignee\":\"K2\"}", NULL);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P2\"}", NULL);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P3\"}", NULL);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P4\"}", NULL);
    tell(&t, t.hand, "W00000001", "start", "{\"crew\":\"K1\"}", 409, "W00000001 is K2's");
    tell(&t, t.supervisor, "W00000001", "start", "{\"crew\":\"K1\"}", 409, "\"field\":\"crew\"");
    is_state(&t, "W00000001", "\"state\":\"assigned\"");
    tell(&t, t.hand, "W00000001", "start", "{\"crew\":\"K2\"}", 200, "\"warnings\":[]");
    tell(&t, t.hand, "W00000001", "start", "{\"crew\":\"K1\"}", 409, "open or assigned");
    tell(&t, t.crew1, "W00000002", "start", "{\"crew\":\"K2\"}", 403, "K1's");
    is_state(&t, "W00000002", "\"state\":\"open\"");
    tell(&t, t.crew1, "W00000002", "start", "{\"crew\":\"K1\"}", 200, "\"assignee\":\"K1\"");
    tell(&t, t.hand, "W00000003", "start", "{\"crew\":\"老王\"}", 200, "not-a-crew");
    is_state(&t, "W00000003", "\"assignee\":\"老王\"");
    tell(&t, t.hand, "W00000004", "start", "{\"crew\":\"K1\"}", 200, "\"warnings\":[]");
    is_state(&t, "W00000004", "\"assignee\":\"K1\"");
    stop(&t);
}

static void many_are_given_at_once_or_none(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    for (unsigned i = 1; i <= 5; i++) {
        char body[80];

        snprintf(body, sizeof body, "{\"kind\":\"read\",\"point\":\"P%u\"}", i);
        make(&t, body, NULL);
    }
    tell(&t, t.supervisor, "W00000005", "cancel", "{\"note\":\"x\"}", 200, "");
    ask(&t, "/v1/orders/assign", "{\"orders\":[\"W00000001\",\"W00000009\"],\"assignee\":\"K1\"}",
        404, "W00000009");
    ask(&t, "/v1/orders/assign", "{\"orders\":[\"W00000001\",\"W00000005\"],\"assignee\":\"K1\"}",
        409, "W00000005");
    ask(&t, "/v1/orders/assign", "{\"orders\":[],\"assignee\":\"K1\"}", 422, "orders");
    ask(&t, "/v1/orders/assign", "{\"orders\":\"W00000001\",\"assignee\":\"K1\"}", 422, "orders");
    ask(&t, "/v1/orders/assign", "{\"orders\":[\"W00000001\"]}", 422, "assignee");
    as(&t, t.crew1, "/v1/orders/assign", "{\"orders\":[\"W00000001\"],\"assignee\":\"K1\"}", 403,
       "crew");
    assert_int_equal(rows_of(&t, t.nilod.token, "/v1/orders?state=open"), 4);
    ask(&t, "/v1/orders/assign",
        "{\"orders\":[\"W00000001\",\"W00000002\",\"W00000003\"],\"assignee\":\"K1\"}", 200,
        "\"changed\":3");
    ask(&t, "/v1/orders/assign", "{\"orders\":[\"W00000003\",\"W00000004\"],\"assignee\":\"K1\"}",
        200, "\"changed\":1");
    assert_int_equal(rows_of(&t, t.nilod.token, "/v1/orders?assignee=K1&state=assigned"), 4);
    stop(&t);
}

/* ---- reports ---- */

static void an_exchange_reported_by_order_is_a_whole_exchange(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"replace\",\"point\":\"P1\",\"reason\":\"periodic\",\"assignee\":\"K1\"}",
         NULL);
    /* Refused: the order stays as it was, and so do the meters. */
    tell(&t, t.crew1, "W00000001", "done", "{}", 422, "old_index_l, new_serial, new_index_l");
    tell(&t, t.crew1, "W00000001", "done",
         "{\"index_l\":1000,\"new_serial\":\"N99\",\"new_index_l\":0}", 404, "N99");
    tell(&t, t.crew1, "W00000001", "done",
         "{\"index_l\":1000,\"new_serial\":\"S2\",\"new_index_l\":0}", 409, "S2: event: install");
    tell(&t, t.crew1, "W00000001", "done",
         "{\"index_l\":-1,\"new_serial\":\"N1\",\"new_index_l\":0}", 422, "old_index_l");
    tell(&t, t.crew1, "W00000001", "done",
         "{\"index_l\":1,\"old_index_l\":2,\"new_serial\":\"N1\",\"new_index_l\":0}", 422,
         "old_index_l");
    tell(&t, t.crew1, "W00000001", "done",
         "{\"index_l\":1000,\"new_serial\":\"N1\",\"new_index_l\":0,\"overrule\":true}", 403,
         "overrule");
    is_state(&t, "W00000001", "\"state\":\"assigned\"");
    ask(&t, "/v1/meters/S1", NULL, 200, "running");
    ask(&t, "/v1/meters/N1", NULL, 200, "issued");
    tell(&t, t.crew2, "W00000001", "done",
         "{\"index_l\":1000,\"new_serial\":\"N1\",\"new_index_l\":0}", 403, "K1");

    tell(&t, t.crew1, "W00000001", "done",
         "{\"result\":\"done\",\"old_index_l\":1000.5,\"new_serial\":\"N1\",\"new_index_l\":3,"
         "\"photo\":\"p/1.jpg\",\"seal\":\"F-7\",\"lon\":121.5,\"lat\":\"31.20\",\"note\":\"好\"}",
         200, "\"state\":\"done\"");
    is_state(&t, "W00000001", "\"index_l\":1000.5");
    is_state(&t, "W00000001", "\"new_serial\":\"N1\",\"new_index_l\":3,\"photo\":\"p/1.jpg\"");
    is_state(&t, "W00000001", "\"lon\":121.5,\"lat\":31.2");
    ask(&t, "/v1/meters/S1", NULL, 200, "removed");
    ask(&t, "/v1/points/P1", NULL, 200, "\"serial\":\"N1\"");
    ask(&t, "/v1/meters/N1/history", NULL, 200, "\"order\":\"W00000001\"");
    ask(&t, "/v1/meters/S1/history", NULL, 200, "\"reason\":\"periodic\"");
    ask(&t, "/v1/meters/N1/history", NULL, 200, "\"crew\":\"K1\"");
    tell(&t, t.hand, "W00000001", "done",
         "{\"index_l\":1000,\"new_serial\":\"N2\",\"new_index_l\":0}", 409,
         "done, since 2026-03-02T02:00:00Z by K1, with the result done");
    stop(&t);
}

static void a_reading_reported_by_order_is_in_the_series(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"read\",\"point\":\"P1\"}", NULL);
    tell(&t, t.crew1, "W00000001", "done", "{}", 422, "index_l");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":\"many\"}", 422, "index_l");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":10000000}", 422, "dial");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"at\":\"2026-03-02T02:10:01Z\"}", 422,
         "600 s");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"at\":\"2025-03-02T02:10:01Z\"}", 409,
         "no meter");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"lon\":181,\"lat\":0}", 422, "lon");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"lon\":18}", 422, "lat");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"lon\":true,\"lat\":0}", 422, "lon");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"result\":\"sent\"}", 422, "no-access");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"result\":\"fine\"}", 422, "result");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"seal\":{}}", 422, "seal");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"found\":\"yes\"}", 422, "found");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":5,\"colour\":1}", 422, "colour");
    tell(&t, t.viewer, "W00000001", "done", "{\"index_l\":5}", 403, "viewer");
    assert_int_equal(rows_of(&t, t.nilod.token,
                             "/v1/meters/S1/readings?from=2026-01-01T00:00:00Z&to=2027-01-01T00:"
                             "00:00Z"),
                     0);
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":1234.5,\"at\":\"2026-03-02T02:10:00Z\"}",
         200, "\"assignee\":\"K1\"");
    ask(&t, "/v1/meters/S1/readings?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", NULL, 200,
        "\"index_l\":1234.5,\"source\":\"manual\"");
    /* What is found at the door is read, too; a photo is its source. */
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P2\"}", NULL);
    tell(&t, t.crew1, "W00000002", "done", "{\"index_l\":77,\"photo\":\"p\"}", 200, "");
    ask(&t, "/v1/meters/S2/readings?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", NULL, 200,
        "\"index_l\":77,\"source\":\"photo\"");
    ask(&t, "/v1/meters/S2/history", NULL, 200, "\"result\":\"pass\"");
    stop(&t);
}

static void who_is_not_let_in_comes_again(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"read\",\"point\":\"P1\",\"assignee\":\"K1\",\"priority\":\"high\"}",
         NULL);
    clock_to(&t, "2026-03-06T02:00:00Z");
    is_state(&t, "W00000001", "\"late\":true");
    assert_int_equal(rows_of(&t, t.nilod.token, "/v1/orders?late=true"), 1);
    tell(&t, t.crew1, "W00000001", "done", "{\"result\":\"no-access\",\"note\":\"没人\"}", 200,
         "\"state\":\"open\"");
    is_state(&t, "W00000001", "\"attempts\":1");
    is_state(&t, "W00000001", "\"due\":\"2026-03-09T02:00:00Z\",\"late\":false");
    is_state(&t, "W00000001", "\"result\":\"no-access\",\"result_en\":\"nobody opened\"");
    is_state(&t, "W00000001", "\"assignee\":null");
    tell(&t, t.crew2, "W00000001", "done", "{\"result\":\"buried\"}", 200, "\"attempts\":2");
    tell(&t, t.crew2, "W00000001", "done", "{\"index_l\":3}", 200, "\"attempts\":2");
    is_state(&t, "W00000001", "\"state\":\"done\"");
    stop(&t);
}

static void a_broken_meter_is_faulty_until_it_is_repaired(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P1\"}", NULL);
    tell(&t, t.crew1, "W00000001", "done", "{\"result\":\"broken\",\"seal\":\"F1\"}", 200, "done");
    ask(&t, "/v1/meters/S1", NULL, 200, "faulty");
    ask(&t, "/v1/meters/S1/history", NULL, 200, "\"result\":\"fail\"");
    make(&t, "{\"kind\":\"repair\",\"serial\":\"S1\"}", NULL);
    tell(&t, t.crew1, "W00000002", "done", "{\"index_l\":5}", 200, "done");
    ask(&t, "/v1/meters/S1", NULL, 200, "running");
    ask(&t, "/v1/meters/S1/history", NULL, 200, "W00000002: done (完成)");
    /* Repairing what is not faulty is no event. */
    make(&t, "{\"kind\":\"repair\",\"serial\":\"S2\"}", NULL);
    tell(&t, t.crew1, "W00000003", "done", "{}", 200, "done");
    assert_int_equal(rows_of(&t, t.nilod.token, "/v1/meters/S2/history"), 1);
    stop(&t);
}

static void a_meter_goes_to_the_laboratory_and_comes_back_with_a_certificate(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    ask(&t, "/v1/meters",
        "{\"serial\":\"BIG\",\"dn\":100,\"q3\":100,\"verified_on\":\"2024-05-01\"}", 201, "");
    ask(&t, "/v1/points", "{\"point\":\"PB\"}", 201, "");
    ask(&t, "/v1/meters/BIG/events", "{\"event\":\"install\",\"point\":\"PB\",\"index_l\":10}", 201,
        "");
    ask(&t, "/v1/orders", "{\"kind\":\"verify\",\"point\":\"PB\"}", 201, "\"warnings\":[]");
    ask(&t, "/v1/orders", "{\"kind\":\"verify\",\"point\":\"P1\"}", 201, "\"code\":\"limited\"");
    tell(&t, t.crew1, "W00000001", "done", "{\"certificate\":\"C1\"}", 403, "verify");
    tell(&t, t.supervisor, "W00000001", "done", "{\"certificate\":\"C1\"}", 409, "at-lab");
    tell(&t, t.crew1, "W00000001", "done", "{\"result\":\"sent\"}", 422, "index_l");
    tell(&t, t.crew1, "W00000001", "done", "{\"result\":\"sent\",\"index_l\":50}", 200,
         "\"state\":\"started\"");
    ask(&t, "/v1/meters/BIG", NULL, 200, "removed");
    ask(&t, "/v1/meters/BIG/events", "{\"event\":\"to-lab\",\"document\":\"LB-1\"}", 201, "at-lab");
    tell(&t, t.supervisor, "W00000001", "done", "{}", 422, "certificate");
    tell(&t, t.supervisor, "W00000001", "done",
         "{\"certificate\":\"C1\",\"verified_on\":\"2026-03-02\"}", 200, "\"state\":\"done\"");
    ask(&t, "/v1/meters/BIG", NULL, 200, "\"verified_on\":\"2026-03-02\"");
    stop(&t);
}

static void a_crew_finds_out_whether_a_flag_is_right(void **state)
{
    static const struct {
        const char *report, *flag;
    } reports[] = {
        { "{\"result\":\"not-found\",\"note\":\"表是好的\"}", "dismissed" },
        { "{\"found\":true}", "confirmed" },
        { "{\"found\":false}", "dismissed" },
        { "{}", "open" },
        { "{\"result\":\"stopped\"}", "confirmed" },
        { "{\"result\":\"no-access\",\"found\":true}", "open" },
    };
    struct town t;
    char body[300], path[100], order[16];

    (void)state;
    start(&t);
    clock_to(&t, "2027-07-01T02:00:00Z");
    ask(&t, "/v1/settle", "{}", 200, "");
    for (unsigned i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        json_t *flags, *flag;
        char id[60];

        snprintf(path, sizeof path, "/v1/flags?kind=overdue&serial=S%u", i + 1);
        flags = ask_as(&t, t.viewer, path, NULL, 200, "overdue");
        snprintf(id, sizeof id, "%s",
                 text(json_array_get(json_object_get(flags, "rows"), 0), "id"));
        json_decref(flags);
        snprintf(body, sizeof body, "{\"kind\":\"inspect\",\"flag\":\"%s\",\"serial\":\"S9\"}", id);
        ask(&t, "/v1/orders", body, 422, "flag");
        snprintf(body, sizeof body, "{\"kind\":\"inspect\",\"flag\":\"%s\",\"point\":\"P9\"}", id);
        ask(&t, "/v1/orders", body, 422, "flag");
        snprintf(body, sizeof body, "{\"kind\":\"inspect\",\"flag\":\"%s\"}", id);
        make(&t, body, order);
        tell(&t, t.crew1, order, "done", reports[i].report, 200, "");
        snprintf(path, sizeof path, "/v1/flags/%s", id);
        flag = ask_as(&t, t.viewer, path, NULL, 200, "");
        assert_string_equal(text(flag, "state"), reports[i].flag);
        if (strcmp(reports[i].flag, "open") != 0 && !strstr(text(flag, "note"), order))
            fail_msg("the decision does not name %s: %s", order, text(flag, "note"));
        json_decref(flag);
    }
    /* What a person said before stands. */
    {
        json_t *flags = ask_as(&t, t.viewer, "/v1/flags?kind=overdue&serial=S7", NULL, 200, "");
        const char *id = text(json_array_get(json_object_get(flags, "rows"), 0), "id");

        snprintf(path, sizeof path, "/v1/flags/%s", id);
        snprintf(body, sizeof body, "{\"kind\":\"inspect\",\"flag\":\"%s\"}", id);
        make(&t, body, order);
        ask(&t, path, "{\"state\":\"confirmed\",\"note\":\"seen\"}", 200, "");
        tell(&t, t.crew1, order, "done", "{\"found\":false}", 200, "flag-decided");
        ask(&t, path, NULL, 200, "\"state\":\"confirmed\"");
        json_decref(flags);
    }
    stop(&t);
}

static void an_exchange_told_otherwise_closes_its_order(void **state)
{
    struct town t;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"replace\",\"point\":\"P1\",\"assignee\":\"K2\"}", NULL);
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P1\"}", NULL);
    ask(&t, "/v1/exchanges",
        "{\"point\":\"P1\",\"old_serial\":\"S1\",\"old_index_l\":10,\"new_serial\":\"S2\",\"new_"
        "index_l\":0,\"reason\":\"x\"}",
        409, "S2: event: install");
    is_state(&t, "W00000001", "assigned");
    as(&t, t.crew1, "/v1/exchanges",
       "{\"point\":\"P1\",\"old_serial\":\"S1\",\"old_index_l\":10,\"new_serial\":\"N1\",\"new_"
       "index_l\":0,\"reason\":\"x\"}",
       201, "\"order\":\"W00000001\"");
    is_state(&t, "W00000001", "\"result\":\"exchanged\"");
    is_state(&t, "W00000001", "\"closed_by\":\"K1\"");
    is_state(&t, "W00000001", "\"new_serial\":\"N1\"");
    is_state(&t, "W00000002", "\"state\":\"open\"");
    ask(&t, "/v1/meters/N1/history", NULL, 200, "\"order\":\"W00000001\"");
    tell(&t, t.crew2, "W00000001", "done",
         "{\"index_l\":10,\"new_serial\":\"N2\",\"new_index_l\":0}", 409, "by K1");
    /* Where there is no order, nothing is told of one. */
    as(&t, t.crew1, "/v1/exchanges",
       "{\"point\":\"P3\",\"old_serial\":\"S3\",\"old_index_l\":10,\"new_serial\":\"N3\",\"new_"
       "index_l\":0,\"reason\":\"x\"}",
       201, "\"state\":\"running\",\"warnings\"");
    stop(&t);
}

/* ---- once, whatever happens ---- */

static void a_report_is_taken_once_whatever_is_killed(void **state)
{
    static const char report[] = "{\"index_l\":10,\"new_serial\":\"N1\",\"new_index_l\":0}";
    struct town t;
    json_t *first, *again;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"replace\",\"point\":\"P1\"}", NULL);
    make(&t, "{\"kind\":\"read\",\"point\":\"P2\"}", NULL);
    first = ask_keyed(&t, t.crew1, "k1", "/v1/orders/W00000001/done", report, 200, "done");
    json_decref(
        ask_keyed(&t, t.crew1, "k2", "/v1/orders/W00000002/done", "{\"index_l\":5}", 200, "done"));
    nilod_kill(&t.nilod);
    nilod_start(&t.nilod);
    again = ask_keyed(&t, t.crew1, "k1", "/v1/orders/W00000001/done", report, 200, "done");
    assert_true(json_equal(first, again));
    json_decref(first);
    json_decref(again);
    tell(&t, t.crew1, "W00000001", "done", report, 409, "by K1");
    json_decref(
        ask_keyed(&t, t.crew1, "k2", "/v1/orders/W00000002/done", "{\"index_l\":5}", 200, "done"));
    assert_int_equal(rows_of(&t, t.nilod.token,
                             "/v1/meters/S2/readings?from=2026-01-01T00:00:00Z&to=2027-01-01T00:"
                             "00:00Z"),
                     1);
    ask(&t, "/v1/audit/verify", NULL, 200, "\"sound\":true");
    stop(&t);
}

/* Two clients at the same moment: the requests are on their way before either is answered. */
static void of_two_crews_that_report_one_order_the_first_is_taken(void **state)
{
    struct town t;
    char path[80];

    (void)state;
    start(&t);
    for (unsigned i = 1; i <= METERS; i++) {
        char body[120];
        struct client c[2] = { { 0 }, { 0 } };
        int taken = 0, refused = 0;

        snprintf(body, sizeof body, "{\"kind\":\"replace\",\"point\":\"P%u\"}", i);
        make(&t, body, NULL);
        snprintf(path, sizeof path, "/v1/orders/W%08u/done", i);
        snprintf(body, sizeof body, "{\"index_l\":10,\"new_serial\":\"N%u\",\"new_index_l\":0}", i);
        for (unsigned k = 0; k < 2; k++) {
            client_open(&c[k], t.nilod.http_host, t.nilod.http_port, k ? t.crew2 : t.crew1);
            client_ask(&c[k], "POST", path, "Content-Type: application/json\r\n", body,
                       strlen(body));
        }
        for (unsigned k = 0; k < 2; k++) {
            struct answer a;

            client_answer(&c[k], "POST", &a);
            if (a.status != 200 && a.status != 409)
                fail_msg("%d %s", a.status, a.body);
            taken += a.status == 200;
            refused += a.status == 409 && strstr(a.body, "done, since") != NULL;
            answer_done(&a);
            client_close(&c[k]);
        }
        assert_int_equal(taken, 1);
        assert_int_equal(refused, 1);
    }
    stop(&t);
}

/* ---- lists ---- */

/* How many rows a list has by pages of two, each of them once. */
static size_t rows_by_pages(const struct town *t, const char *path)
{
    json_t *seen = json_object();
    char after[700] = "", url[900];
    size_t found = 0;

    do {
        json_t *page, *row;
        size_t i;

        snprintf(url, sizeof url, "%s%climit=2%s%s", path, strchr(path, '?') ? '&' : '?',
                 after[0] ? "&after=" : "", after);
        page = ask_as(t, t->viewer, url, NULL, 200, "rows");
        json_array_foreach(json_object_get(page, "rows"), i, row)
        {
            assert_null(json_object_get(seen, text(row, "order")));
            json_object_set_new(seen, text(row, "order"), json_true());
            found++;
        }
        snprintf(after, sizeof after, "%s", text(page, "next"));
        json_decref(page);
    } while (after[0]);
    json_decref(seen);
    return found;
}

static void lists_have_what_is_asked_for(void **state)
{
    static const struct {
        const char *query;
        size_t rows;
    } queries[] = {
        { "", 9 },
        { "?state=open", 3 },
        { "?state=assigned", 3 },
        { "?state=done", 1 },
        { "?kind=read", 5 },
        { "?kind=read&state=open", 1 },
        { "?assignee=K1", 3 },
        { "?assignee=K1&state=done", 1 },
        { "?assignee=K", 0 },
        { "?point=P1", 1 },
        { "?serial=S2", 1 },
        { "?zone=Z1", 5 },
        { "?zone=Z0&kind=read", 0 },
        { "?route=R1&state=open", 1 },
        { "?route=R1", 3 },
        { "?route=R1&zone=Z0", 1 },
        { "?zone=Z1&due_before=2027-03-04T00:00:00Z", 3 },
        { "?assignee=K1&due_before=2027-03-04T00:00:00Z", 2 },
        { "?flag=none", 0 },
        { "?tour=none", 0 },
        { "?late=false&state=open", 3 },
        { "?late=true", 0 },
        { "?due_before=2026-03-04T00:00:00Z", 1 },
        { "?due_before=2027-03-04T00:00:00Z", 7 },
        { "?due_before=2027-03-04T00:00:00Z&state=cancelled", 1 },
    };
    struct town t;
    char body[200], path[120];

    (void)state;
    start(&t);
    for (unsigned i = 1; i <= 9; i++) {
        snprintf(body, sizeof body, "{\"kind\":\"%s\",\"point\":\"P%u\"%s%s}",
                 i % 2 ? "read" : "inspect", i, i <= 2 ? ",\"assignee\":\"K1\"" : "",
                 i == 4 ? ",\"due\":\"2026-03-03T00:00:00Z\"" : "");
        make(&t, body, NULL);
    }
    ask(&t, "/v1/orders/W00000003", "{\"assignee\":\"K2\"}", 200, "");
    ask(&t, "/v1/orders/W00000004", "{\"assignee\":\"K2\"}", 200, "");
    tell(&t, t.crew1, "W00000001", "done", "{\"index_l\":4}", 200, "");
    tell(&t, t.supervisor, "W00000005", "cancel", "{\"note\":\"x\"}", 200, "");
    ask(&t, "/v1/orders/W00000009", "{\"assignee\":\"K1\"}", 200, "");
    ask(&t, "/v1/orders/W00000009", "{\"assignee\":null}", 200, "");
    tell(&t, t.crew1, "W00000009", "start", "{}", 200, "");
    ask(&t, "/v1/orders/W00000009", "{\"assignee\":\"K1\"}", 200, "started");
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        size_t rows;

        snprintf(path, sizeof path, "/v1/orders%s", queries[i].query);
        rows = rows_of(&t, t.nilod.token, path);
        if (rows != queries[i].rows)
            fail_msg("%s: expected %zu rows, found %zu", path, queries[i].rows, rows);
        rows = rows_by_pages(&t, path);
        if (rows != queries[i].rows)
            fail_msg("%s: expected %zu rows by pages, found %zu", path, queries[i].rows, rows);
    }
    ask(&t, "/v1/orders?state=lost", NULL, 422, "open, assigned, started, done or cancelled");
    ask(&t, "/v1/orders?kind=lost", NULL, 422, "kind");
    ask(&t, "/v1/orders?point=lost", NULL, 404, "point");
    ask(&t, "/v1/orders?late=perhaps", NULL, 422, "late");
    ask(&t, "/v1/orders?due_before=then", NULL, 422, "due_before");
    stop(&t);
}

/* The orders of a page of two in the zone, after a cursor; the next one's into `after`. */
static void page_is(const struct town *t, const char *zone, char after[700], const char *expected)
{
    char path[900], found[200] = "";
    json_t *page, *row;
    size_t i;

    snprintf(path, sizeof path, "/v1/orders?zone=%s&limit=2%s%s", zone, after[0] ? "&after=" : "",
             after);
    page = ask_as(t, t->viewer, path, NULL, 200, "rows");
    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        size_t len = strlen(found);

        snprintf(found + len, sizeof found - len, "%s@%s ", text(row, "order"), text(row, "point"));
    }
    snprintf(after, 700, "%s", text(page, "next"));
    json_decref(page);
    assert_string_equal(found, expected);
}

/* Points that leave the zone while somebody turns its pages take nobody along. */
static void a_list_goes_on_though_points_before_it_leave(void **state)
{
    struct town t;
    char body[80], after[700] = "", path[800];

    (void)state;
    start(&t);
    for (unsigned i = 1; i <= 9; i += 2) {
        snprintf(body, sizeof body, "{\"kind\":\"read\",\"point\":\"P%u\"}", i);
        make(&t, body, NULL);
    }
    make(&t, "{\"kind\":\"inspect\",\"point\":\"P3\"}", NULL);
    page_is(&t, "Z1", after, "W00000001@P1 W00000002@P3 ");
    snprintf(path, sizeof path, "/v1/orders?zone=Z1&limit=2&after=%s", after);
    ask(&t, "/v1/points", "{\"point\":\"P1\",\"zone\":\"Z0\"}", 200, "");
    ask(&t, path, NULL, 200, "W00000006"); /* at P3, too */
    ask(&t, "/v1/points", "{\"point\":\"P3\",\"zone\":\"Z0\"}", 200, "");
    page_is(&t, "Z1", after, "W00000003@P5 W00000004@P7 ");
    page_is(&t, "Z1", after, "W00000005@P9 ");
    assert_string_equal(after, "");
    ask(&t, "/v1/orders?zone=Z1&after=00000001000000ff", NULL, 422, "\"field\":\"after\"");
    ask(&t, "/v1/orders?zone=Z1&after=0109", NULL, 422, "\"field\":\"after\"");
    ask(&t, "/v1/orders?zone=Z1&after=xx", NULL, 422, "after");
    stop(&t);
}

/* The answer of an act and the row of the list tell the same, member by member. */
static void an_act_tells_what_the_list_tells(void **state)
{
    struct town t;
    json_t *told, *list, *row, *v;
    const char *name;

    (void)state;
    start(&t);
    make(&t, "{\"kind\":\"replace\",\"point\":\"P1\",\"reason\":\"r\",\"note\":\"n\"}", NULL);
    told = ask_as(&t, t.crew1, "/v1/orders/W00000001/done",
                  "{\"index_l\":10,\"new_serial\":\"N1\",\"new_index_l\":0,\"lon\":1.5,\"lat\":2,"
                  "\"photo\":\"p\",\"seal\":\"s\",\"note\":\"m\"}",
                  200, "");
    list = ask_as(&t, t.crew1, "/v1/orders", NULL, 200, "");
    row = json_array_get(json_object_get(list, "rows"), 0);
    json_object_foreach(told, name, v)
    {
        if (strcmp(name, "warnings") != 0 && !json_equal(v, json_object_get(row, name)))
            fail_msg("%s: %s in the answer, %s in the list", name, json_dumps(v, JSON_ENCODE_ANY),
                     json_dumps(json_object_get(row, name), JSON_ENCODE_ANY));
    }
    json_decref(told);
    json_decref(list);
    stop(&t);
}

static void a_unit_sees_and_orders_its_own(void **state)
{
    struct town t;
    char branch[64], team[64];

    (void)state;
    start(&t);
    token_of(&t, "supervisor", "Zhao", "branch-1", branch);
    token_of(&t, "crew", "K2", "branch-2", team);
    /* Routes R0 and R1 are branch-1's: P1, P3, P4, P6, P7, P9; R2 is branch-2's. */
    as(&t, branch, "/v1/orders", "{\"kind\":\"read\",\"point\":\"P1\"}", 201, "");
    as(&t, branch, "/v1/orders", "{\"kind\":\"read\",\"point\":\"P2\"}", 403, "P2");
    as(&t, branch, "/v1/orders", "{\"kind\":\"read\",\"serial\":\"S2\"}", 403, "S2");
    as(&t, branch, "/v1/orders", "{\"kind\":\"read\",\"point\":\"P3\",\"assignee\":\"K2\"}", 403,
       "K2");
    make(&t, "{\"kind\":\"read\",\"point\":\"P2\"}", NULL);
    assert_int_equal(rows_of(&t, branch, "/v1/orders"), 1);
    assert_int_equal(rows_of(&t, team, "/v1/orders"), 1);
    as(&t, branch, "/v1/orders/W00000002", NULL, 403, "W00000002");
    as(&t, branch, "/v1/orders/W00000002", "{\"priority\":\"high\"}", 403, "W00000002");
    as(&t, branch, "/v1/orders/assign",
       "{\"orders\":[\"W00000001\",\"W00000002\"],\"assignee\":"
       "\"K1\"}",
       403, "W00000002");
    tell(&t, team, "W00000001", "done", "{\"index_l\":5}", 403, "W00000001");
    tell(&t, team, "W00000002", "done", "{\"index_l\":5}", 200, "done");
    as(&t, branch, "/v1/orders?point=P2", NULL, 403, "P2");
    stop(&t);
}

/* ---- many hands ---- */

#define HANDS 4
#define ORDERS_MOST 400

/* What the clients were told of each order. */
struct told {
    unsigned ends; /* answers that say it is over */
    bool cancelled, made;
};

struct hands {
    struct town town;
    struct check_random random;
    struct told told[ORDERS_MOST + 1];
    unsigned made;
};

static unsigned below(struct hands *h, unsigned bound)
{
    return (unsigned)check_below(&h->random, bound);
}

/* Any request of somebody who may send it, mostly of one that can be taken. */
static void any_request(struct hands *h, char path[80], char body[200])
{
    static const char *const kinds[] = { "replace", "inspect", "read", "repair" };
    static const char *const results[] = { "done", "no-access", "not-found", "broken" };
    unsigned order = h->made ? 1 + below(h, h->made) : 1, at = 1 + below(h, METERS);

    snprintf(path, 80, "/v1/orders/W%08u/done", order);
    switch (below(h, 8)) {
    case 0:
    case 1:
        snprintf(path, 80, "/v1/orders");
        snprintf(body, 200, "{\"kind\":\"%s\",\"point\":\"P%u\"}", kinds[below(h, 4)], at);
        break;
    case 2:
        snprintf(path, 80, "/v1/orders/W%08u", order);
        snprintf(body, 200, "{\"assignee\":\"K%u\"}", 1 + below(h, 2));
        break;
    case 3:
        snprintf(path, 80, "/v1/orders/W%08u/start", order);
        snprintf(body, 200, "{}");
        break;
    case 4:
        snprintf(path, 80, "/v1/orders/W%08u/cancel", order);
        snprintf(body, 200, "{\"note\":\"x\"}");
        break;
    case 5:
        snprintf(body, 200, "{\"index_l\":%u,\"new_serial\":\"N%u\",\"new_index_l\":0}",
                 1000 + below(h, 100), at);
        break;
    case 6:
        snprintf(body, 200, "{\"index_l\":%u}", below(h, 1000));
        break;
    default:
        snprintf(body, 200, "{\"result\":\"%s\",\"index_l\":%u}", results[below(h, 4)],
                 below(h, 1000));
        break;
    }
}

static void note_answer(struct hands *h, const char *path, const struct answer *a)
{
    json_t *json = json_loads(a->body, 0, NULL);
    unsigned n = (unsigned)strtoul(text(json, "order") + (text(json, "order")[0] != 0), NULL, 10);
    const char *state = text(json, "state");

    if (a->status >= 500)
        fail_msg("%s: %d %s", path, a->status, a->body);
    if (a->status < 300 && n && n <= ORDERS_MOST) {
        struct told *t = &h->told[n];

        t->made = true;
        h->made = n > h->made ? n : h->made;
        if (!strcmp(state, "done") || !strcmp(state, "cancelled")) {
            t->ends++;
            t->cancelled = !strcmp(state, "cancelled");
        }
    }
    json_decref(json);
}

/* All hands send at once; with `killed` nobody hears an answer. */
static void at_once(struct hands *h, bool killed)
{
    struct client c[HANDS] = { { 0 } };
    char path[HANDS][80], body[HANDS][200];

    for (unsigned i = 0; i < HANDS; i++) {
        any_request(h, path[i], body[i]);
        client_open(&c[i], h->town.nilod.http_host, h->town.nilod.http_port, h->town.supervisor);
        client_ask(&c[i], "POST", path[i], "Content-Type: application/json\r\n", body[i],
                   strlen(body[i]));
    }
    if (killed) {
        nilod_kill(&h->town.nilod);
        nilod_start(&h->town.nilod);
    }
    for (unsigned i = 0; i < HANDS; i++) {
        struct answer a;

        if (!killed) {
            client_answer(&c[i], "POST", &a);
            note_answer(h, path[i], &a);
            answer_done(&a);
        }
        client_close(&c[i]);
    }
}

static void is_consistent(const struct hands *h, const json_t *order)
{
    unsigned n = (unsigned)strtoul(text(order, "order") + 1, NULL, 10);
    const char *state = text(order, "state");
    const struct told *t = &h->told[n];
    bool over = !strcmp(state, "done") || !strcmp(state, "cancelled");

    if (t->ends > 1)
        fail_msg("%s ended %u times", text(order, "order"), t->ends);
    if (t->ends && (!over || t->cancelled != !strcmp(state, "cancelled")))
        fail_msg("%s: its end was told, and now it is %s", text(order, "order"), state);
    if (!strcmp(state, "open") != !text(order, "assignee")[0] && !over)
        fail_msg("%s is %s and somebody's: %s", text(order, "order"), state,
                 text(order, "assignee"));
}

/* Every exchange of a meter is one order's, and every such order has one. */
static unsigned exchanges(const struct hands *h)
{
    unsigned found = 0;

    for (unsigned i = 1; i <= METERS; i++) {
        char path[60];
        json_t *history, *event;
        size_t k;

        snprintf(path, sizeof path, "/v1/meters/N%u/history", i);
        history = ask_as(&h->town, h->town.viewer, path, NULL, 200, "rows");
        json_array_foreach(json_object_get(history, "rows"), k, event) found +=
            !strcmp(text(event, "event"), "install") && text(event, "order")[0] == 'W';
        json_decref(history);
    }
    return found;
}

static void all_is_consistent(const struct hands *h)
{
    json_t *list = ask_as(&h->town, h->town.viewer, "/v1/orders?limit=1000", NULL, 200, "rows");
    json_t *rows = json_object_get(list, "rows"), *row, *live = json_object();
    unsigned replaced = 0;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *state = text(row, "state");
        char place[100];

        is_consistent(h, row);
        replaced += !strcmp(text(row, "kind"), "replace") && !strcmp(text(row, "result"), "done") &&
                    !strcmp(state, "done");
        snprintf(place, sizeof place, "%s %s", text(row, "kind"), text(row, "point"));
        if (strcmp(state, "done") != 0 && strcmp(state, "cancelled") != 0) {
            if (json_object_get(live, place))
                fail_msg("two live orders to %s", place);
            json_object_set_new(live, place, json_true());
        }
    }
    assert_int_equal(replaced, exchanges(h));
    json_decref(live);
    json_decref(list);
    ask(&h->town, "/v1/audit/verify", NULL, 200, "\"sound\":true");
}

static void many_hands_and_kills_leave_every_order_with_one_end(void **state)
{
    struct hands *h = (struct hands *)calloc(1, sizeof *h);

    (void)state;
    h->random = check_random_begin();
    start(&h->town);
    for (unsigned round = 0; round < 150; round++) {
        at_once(h, round % 30 == 29);
        if (round % 30 == 29)
            all_is_consistent(h);
    }
    assert_true(h->made > 10);
    stop(&h->town);
    free(h);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_made_where_a_meter_is),
        cmocka_unit_test(what_cannot_be_an_order_is_refused_in_order),
        cmocka_unit_test(one_kind_is_ordered_once_at_a_place_until_it_is_closed),
        cmocka_unit_test(an_order_goes_from_hand_to_hand_and_tells_who_had_it),
        cmocka_unit_test(who_starts_an_order_takes_it_from_nobody),
        cmocka_unit_test(many_are_given_at_once_or_none),
        cmocka_unit_test(an_exchange_reported_by_order_is_a_whole_exchange),
        cmocka_unit_test(a_reading_reported_by_order_is_in_the_series),
        cmocka_unit_test(who_is_not_let_in_comes_again),
        cmocka_unit_test(a_broken_meter_is_faulty_until_it_is_repaired),
        cmocka_unit_test(a_meter_goes_to_the_laboratory_and_comes_back_with_a_certificate),
        cmocka_unit_test(a_crew_finds_out_whether_a_flag_is_right),
        cmocka_unit_test(an_exchange_told_otherwise_closes_its_order),
        cmocka_unit_test(a_report_is_taken_once_whatever_is_killed),
        cmocka_unit_test(of_two_crews_that_report_one_order_the_first_is_taken),
        cmocka_unit_test(lists_have_what_is_asked_for),
        cmocka_unit_test(a_list_goes_on_though_points_before_it_leave),
        cmocka_unit_test(an_act_tells_what_the_list_tells),
        cmocka_unit_test(a_unit_sees_and_orders_its_own),
        cmocka_unit_test(many_hands_and_kills_leave_every_order_with_one_end),
    };

    return check_run(tests, argc, argv);
}
