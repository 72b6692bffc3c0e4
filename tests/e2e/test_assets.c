/* The store of the meter department, through the API of a real nilod: models, batches, modems, seals, notes with numbers, stock,
 * stocktaking, deliveries, samples. */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

/* ---- asking ---- */

static json_t *ask_as(const struct nilod *n, const char *token, const char *path, const char *body,
                      int status, const char *says)
{
    struct client c = { 0 };
    struct answer a;
    json_t *json = NULL;

    client_open(&c, n->http_host, n->http_port, token);
    if (body)
        http_post(&c, path, NULL, body, &a);
    else
        http_get(&c, path, NULL, &a);
    if (a.status != status || !strstr(a.body, says))
        fail_msg("%s %s: expected %d with %s, found %d %s", path, body ? body : "", status, says,
                 a.status, a.body);
    json = json_loads(a.body, 0, NULL);
    answer_done(&a);
    client_close(&c);
    return json;
}

static void ask(const struct nilod *n, const char *path, const char *body, int status,
                const char *says)
{
    json_decref(ask_as(n, n->token, path, body, status, says));
}

static json_int_t number(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    if (!json_is_number(v))
        fail_msg("%s: expected a number in %s", name, json_dumps(o, 0));
    return json_is_integer(v) ? json_integer_value(v) : (json_int_t)json_real_value(v);
}

static const char *text(const json_t *o, const char *name)
{
    const char *v = json_string_value(json_object_get(o, name));

    return v ? v : "";
}

/* Registers meters S0001… of a batch. */
static void meters(const struct nilod *n, unsigned from, unsigned to, const char *more)
{
    char body[400];

    for (unsigned i = from; i <= to; i++) {
        snprintf(body, sizeof body, "{\"serial\":\"S%04u\",\"dn\":15,\"q3\":2.5%s}", i, more);
        ask(n, "/v1/meters", body, 201, "");
    }
}

/* "S0001","S0002",… */
static void serials(char *out, size_t size, unsigned from, unsigned to)
{
    size_t len = 0;

    for (unsigned i = from; i <= to; i++)
        len += (size_t)snprintf(out + len, size - len, "%s\"S%04u\"", i == from ? "" : ",", i);
}

static void note(const struct nilod *n, const char *kind, const char *document, unsigned from,
                 unsigned to, const char *more, int status, const char *says)
{
    char list[4000], body[5000];

    serials(list, sizeof list, from, to);
    snprintf(body, sizeof body, "{\"kind\":\"%s\",\"document\":\"%s\",\"serials\":[%s]%s}", kind,
             document, list, more);
    ask(n, "/v1/papers", body, status, says);
}

static void event(const struct nilod *n, const char *serial, const char *body, int status,
                  const char *says)
{
    char path[100];

    snprintf(path, sizeof path, "/v1/meters/%s/events", serial);
    ask(n, path, body, status, says);
}

static void seed(const struct nilod *n)
{
    ask(n, "/v1/orgs", "{\"org\":\"branch-1\"}", 201, "");
    ask(n, "/v1/depots", "{\"depot\":\"D1\",\"org\":\"branch-1\",\"name\":\"东库\"}", 201, "D1");
    ask(n, "/v1/depots", "{\"depot\":\"D2\"}", 201, "D2");
    ask(n, "/v1/crews", "{\"crew\":\"C1\",\"org\":\"branch-1\"}", 201, "C1");
    ask(n, "/v1/crews", "{\"crew\":\"C2\"}", 201, "C2");
}

static void start(struct nilod *n)
{
    n->clock = "2026-03-01T00:00:00Z";
    nilod_start(n);
}

/* ---- models and batches ---- */

#define MODEL                                                                                      \
    "{\"model\":\"LXS-15E\",\"maker\":\"Ningbo\",\"approval\":\"2024F123\",\"dn\":15,\"q1\":0."    \
    "025,\"q3\":2.5,\"r\":100,\"register\":\"net\",\"digits\":5,\"resolution_l\":10,\"dialect\":"  \
    "\"native\",\"life_months\":72,\"price\":85.5}"

static void a_model_fills_new_meters_and_moves_no_known_one(void **state)
{
    struct nilod n = { 0 };

    (void)state;
    start(&n);
    ask(&n, "/v1/meters", "{\"serial\":\"OLD\",\"dn\":15,\"q3\":2.5,\"model\":\"LXS-15E\"}", 201,
        "");
    ask(&n, "/v1/models", MODEL, 201, "LXS-15E");
    ask(&n, "/v1/models", MODEL, 200, "LXS-15E");
    ask(&n, "/v1/models/LXS-15E", NULL, 200, "\"approval\":\"2024F123\"");
    ask(&n, "/v1/models/none", NULL, 404, "none");
    ask(&n, "/v1/models", "{\"model\":\"X\",\"colour\":1}", 422, "colour");

    ask(&n, "/v1/meters",
        "{\"serial\":\"NEW\",\"dn\":15,\"q3\":2.50,\"model\":\"LXS-15E\",\"digits\":6}", 201, "");
    ask(&n, "/v1/meters/NEW", NULL, 200, "\"r\":100,\"digits\":6");
    ask(&n, "/v1/meters/NEW", NULL, 200,
        "\"resolution_l\":10,\"register\":\"net\",\"dialect\":\"native\"");
    ask(&n, "/v1/meters",
        "{\"serial\":\"NEW\",\"dn\":15,\"q3\":2.5,\"model\":\"LXS-15E\",\"digits\":6}", 200, "");
    ask(&n, "/v1/meters", "{\"serial\":\"NEW\",\"dn\":15,\"q3\":2.5,\"r\":160}", 409, "100");
    ask(&n, "/v1/meters", "{\"serial\":\"BAD\",\"dn\":20,\"q3\":2.5,\"model\":\"LXS-15E\"}", 409,
        "as meters of the model LXS-15E have");
    ask(&n, "/v1/meters/BAD", NULL, 404, "BAD");

    ask(&n, "/v1/models", "{\"model\":\"LXS-15E\",\"r\":160}", 200, "");
    ask(&n, "/v1/meters/NEW", NULL, 200, "\"r\":100");
    ask(&n, "/v1/meters", "{\"serial\":\"OLD\",\"dn\":15,\"q3\":2.5,\"model\":\"LXS-15E\"}", 200,
        "");
    ask(&n, "/v1/batches", "{\"batch\":\"B1\",\"model\":\"nobody's\"}", 404, "nobody's");
    ask(&n, "/v1/batches", "{\"batch\":\"B1\",\"model\":\"LXS-15E\",\"ordered\":3}", 201, "B1");
    ask(&n, "/v1/batches?limit=5", NULL, 200, "\"model\":\"LXS-15E\"");
    nilod_stop(&n);
}

/* ---- modems ---- */

/* A SenML report over CoAP under a radio name; the code of the answer. */
static unsigned report(const struct nilod *n, const char *name, unsigned litres)
{
    struct message *m = calloc(1, sizeof *m);
    struct heard heard;
    struct probe p;
    char port[8], query[80], payload[160];

    snprintf(payload, sizeof payload, "[{\"n\":\"vol\",\"bt\":1772323200,\"u\":\"l\",\"v\":%u}]",
             litres);
    snprintf(query, sizeof query, "m=%s", name);
    snprintf(port, sizeof port, "%d", n->coap_port);
    probe_open(&p, n->coap_host, port, NULL);
    message_begin(m, PROBE_CON, PROBE_POST, 1, span_text("t"));
    message_path(m, "r/senml-json");
    message_option(m, PROBE_URI_QUERY, span_text(query));
    message_payload(m, span_text(payload));
    probe_ask(&p, m, &heard);
    probe_close(&p);
    free(m);
    return heard.code;
}

static void stays_are(const struct nilod *on, const char *path, size_t count)
{
    json_t *all = ask_as(on, on->token, path, NULL, 200, "rows");

    assert_int_equal(count, json_array_size(json_object_get(all, "rows")));
    json_decref(all);
}

static void a_modem_changes_without_the_meter(void **state)
{
    struct nilod n = { 0 };

    (void)state;
    start(&n);
    meters(&n, 1, 2, "");
    ask(&n, "/v1/modems", "{\"modem\":\"M1\",\"imei\":\"861000000000011\",\"iccid\":\"8986\"}", 201,
        "M1");
    ask(&n, "/v1/modems", "{\"modem\":\"M2\",\"imei\":\"861000000000022\"}", 201, "M2");
    ask(&n, "/v1/modems", "{\"modem\":\"M3\",\"imei\":\"861000000000022\"}", 409, "M2 has it");
    ask(&n, "/v1/modems", "{\"modem\":\"M3\",\"serial\":\"none\"}", 404, "none");

    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M9\"}", 404, "M9");
    ask(&n, "/v1/meters/none/modem", "{\"modem\":\"M1\"}", 404, "none");
    ask(&n, "/v1/meters/S0001/modem", "{}", 422, "modem");
    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M1\",\"at\":\"2026-03-01T00:10:01Z\"}", 422,
        "\"at\"");
    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M1\",\"at\":\"2026-02-01T00:00:00Z\"}", 201,
        "\"radio_id\":\"861000000000011\"");
    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M1\"}", 200, "M1");
    ask(&n, "/v1/meters/S0002/modem", "{\"modem\":\"M1\"}", 409, "S0001");
    ask(&n, "/v1/modems", "{\"modem\":\"M1\",\"serial\":\"S0002\"}", 409, "S0001");
    ask(&n, "/v1/meters/S0001", NULL, 200, "\"radio_id\":\"861000000000011\"");

    assert_int_equal(report(&n, "861000000000022", 12), PROBE_CODE(2, 4));
    ask(&n, "/v1/settle", "{}", 200, "");
    ask(&n, "/v1/quarantine", NULL, 200, "861000000000022");
    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M2\",\"at\":\"2026-01-31T00:00:00Z\"}", 409,
        "2026-02-01T00:00:00Z");
    ask(&n, "/v1/meters/S0001/modem", "{\"modem\":\"M2\",\"reason\":\"battery\"}", 201, "M2");
    ask(&n, "/v1/settle", "{}", 200, "");
    ask(&n, "/v1/meters/S0001/readings", NULL, 200, "\"index_l\":12");
    ask(&n, "/v1/modems/M1", NULL, 200, "\"modem\":\"M1\"");
    ask(&n, "/v1/meters/S0001/modems", NULL, 200,
        "\"modem\":\"M1\",\"imei\":\"861000000000011\",\"from\":\"2026-02-01T00:00:"
        "00Z\","
        "\"to\":\"2026-03-01T00:00:00Z\"");
    ask(&n, "/v1/meters/S0001/modems?limit=1", NULL, 200, "\"next\":\"");

    ask(&n, "/v1/meters/S0002/modem", "{\"modem\":\"M1\"}", 201, "861000000000011");
    ask(&n, "/v1/meters/S0002/modem", "{\"modem\":null,\"reason\":\"stolen\"}", 201,
        "\"modem\":null,\"radio_id\":null");
    ask(&n, "/v1/modems/M1/meters", NULL, 200, "\"serial\":\"S0001\"");
    /* Fitted and taken out in one second: both stand there. */
    ask(&n, "/v1/modems/M1/meters", NULL, 200,
        "\"serial\":\"S0002\",\"modem\":\"M1\",\"imei\":\"861000000000011\","
        "\"from\":\"2026-03-01T00:00:00Z\",\"to\":\"2026-03-01T00:00:00Z\"");
    ask(&n, "/v1/meters/S0002/modem", "{\"modem\":\"M1\"}", 201, "861000000000011");
    ask(&n, "/v1/meters/S0002/modems", NULL, 200, "\"to\":null");
    ask(&n, "/v1/meters/S0002/modem", "{\"modem\":null}", 201, "\"modem\":null");
    stays_are(&n, "/v1/meters/S0002/modems", 2);
    ask(&n, "/v1/modems?limit=10", NULL, 200, "\"serial\":\"S0001\"");
    ask(&n, "/v1/audit", NULL, 200, "meter.modem");
    nilod_kill(&n);
    nilod_start(&n);
    ask(&n, "/v1/meters/S0001/modems", NULL, 200, "\"modem\":\"M2\"");
    assert_int_equal(report(&n, "861000000000022", 12), PROBE_CODE(2, 4));
    nilod_stop(&n);
}

/* ---- seals ---- */

static void seals_go_from_the_box_to_one_meter(void **state)
{
    struct nilod n = { 0 };

    (void)state;
    start(&n);
    seed(&n);
    meters(&n, 1, 2, "");
    ask(&n, "/v1/seals", "{\"from\":\"A0001\",\"to\":\"A0100\",\"kind\":\"lead\"}", 201,
        "\"changed\":100");
    ask(&n, "/v1/seals", "{\"from\":\"A0099\",\"to\":\"A0101\"}", 201,
        "\"changed\":1,\"unchanged\":2");
    ask(&n, "/v1/seals", "{\"from\":\"A0001\",\"to\":\"B0100\"}", 422, "\"to\"");
    ask(&n, "/v1/seals", "{\"from\":\"A00001\",\"to\":\"A10001\"}", 422, "10000");
    ask(&n, "/v1/seals", "{\"seal\":\"odd one\"}", 201, "odd one");
    ask(&n, "/v1/seals", "{\"seal\":\"x\",\"state\":\"new\"}", 422, "free, issued");
    ask(&n, "/v1/seals/issue", "{\"from\":\"A0001\",\"to\":\"A0010\",\"crew\":\"C9\"}", 404, "C9");
    ask(&n, "/v1/seals/issue", "{\"from\":\"A0001\",\"to\":\"A0010\"}", 422, "crew");
    ask(&n, "/v1/seals/issue",
        "{\"from\":\"A0001\",\"to\":\"A0010\",\"crew\":\"C1\",\"document\":\"7\"}", 200,
        "\"changed\":10");
    ask(&n, "/v1/seals/issue", "{\"from\":\"A0010\",\"to\":\"A0012\",\"crew\":\"C2\"}", 409,
        "A0010 is issued to C1");
    ask(&n, "/v1/seals/A0011", NULL, 200, "\"state\":\"free\"");
    ask(&n, "/v1/seals/return", "{\"from\":\"A0009\",\"to\":\"A0010\"}", 200, "\"changed\":2");
    ask(&n, "/v1/seals/return", "{\"seal\":\"odd two\"}", 404, "odd two");
    ask(&n, "/v1/seals?crew=C1&state=issued", NULL, 200, "A0008");
    ask(&n, "/v1/seals?crew=C2", NULL, 200, "\"rows\":[]");
    ask(&n, "/v1/seals?state=used", NULL, 200, "\"rows\":[]");

    ask(&n, "/v1/points", "{\"point\":\"P1\"}", 201, "");
    ask(&n, "/v1/points", "{\"point\":\"P2\"}", 201, "");
    event(&n, "S0001",
          "{\"event\":\"install\",\"at\":\"2026-02-01T00:00:00Z\",\"point\":\"P1\",\"index_l\":0,"
          "\"seal\":\"A0001\"}",
          201, "running");
    ask(&n, "/v1/seals/A0001", NULL, 200,
        "\"crew\":\"C1\",\"serial\":\"S0001\",\"point\":\"P1\",\"state\":\"used\"");
    event(&n, "S0002",
          "{\"event\":\"install\",\"at\":\"2026-02-01T00:00:00Z\",\"point\":\"P2\",\"index_l\":0,"
          "\"seal\":\"A0001\"}",
          409, "S0001");
    event(&n, "S0002",
          "{\"event\":\"install\",\"at\":\"2026-02-01T00:00:00Z\",\"point\":\"P2\",\"index_l\":0,"
          "\"seal\":\"free text\"}",
          201, "running");
    ask(&n, "/v1/seals/break", "{\"seal\":\"A0001\"}", 422, "note");
    ask(&n, "/v1/seals/break", "{\"seal\":\"A0001\",\"note\":\"cut\"}", 200, "\"changed\":1");
    ask(&n, "/v1/seals?crew=C1&state=broken", NULL, 200, "A0001");
    ask(&n, "/v1/seals/return", "{\"seal\":\"A0001\"}", 409, "broken");
    nilod_stop(&n);
}

/* ---- notes, stock, stocktaking ---- */

static void to_stock(const struct nilod *n, unsigned from, unsigned to, const char *day)
{
    char more[200], body[200], serial[16];

    note(n, "receive", "auto", from, to, ",\"at\":\"2026-01-10T00:00:00Z\",\"depot\":\"D1\"", 201,
         "received");
    for (unsigned i = from; i <= to; i++) {
        snprintf(serial, sizeof serial, "S%04u", i);
        snprintf(body, sizeof body,
                 "{\"event\":\"verify\",\"at\":\"2026-01-11T00:00:00Z\",\"certificate\":\"c\","
                 "\"verified_on\":\"%s\",\"depot\":\"D1\"}",
                 day);
        event(n, serial, body, 201, "verified");
    }
    snprintf(more, sizeof more, ",\"at\":\"2026-01-12T00:00:00Z\",\"depot\":\"D1\"");
    note(n, "stock", "auto", from, to, more, 201, "in-stock");
}

static json_t *stock_row(const struct nilod *n, const char *query, const char *state)
{
    char path[100];
    json_t *all, *rows, *row;
    size_t i;

    snprintf(path, sizeof path, "/v1/stock?%s", query);
    all = ask_as(n, n->token, path, NULL, 200, "rows");
    rows = json_object_get(all, "rows");
    json_array_foreach(rows, i, row)
    {
        if (strcmp(text(row, "state"), state) == 0) {
            json_incref(row);
            json_decref(all);
            return row;
        }
    }
    json_decref(all);
    return NULL;
}

static void assert_stock(const struct nilod *n, const char *query, const char *state,
                         unsigned meters_there)
{
    json_t *row = stock_row(n, query, state);

    if (row ? (unsigned)number(row, "meters") != meters_there : meters_there != 0)
        fail_msg("%s %s: expected %u, found %s", query, state, meters_there,
                 row ? json_dumps(row, 0) : "none");
    json_decref(row);
}

static void notes_have_numbers_and_stock_follows_them(void **state)
{
    struct nilod n = { 0 };
    json_t *row;

    (void)state;
    start(&n);
    seed(&n);
    meters(&n, 1, 10, ",\"model\":\"X\"");
    to_stock(&n, 1, 6, "2026-01-11");
    to_stock(&n, 7, 10, "2020-06-30");
    ask(&n, "/v1/papers?kind=receive", NULL, 200, "\"number\":\"RE-2026-000002\"");
    assert_stock(&n, "depot=D1", "in-stock", 10);
    assert_stock(&n, "depot=D1", "received", 0);
    row = stock_row(&n, "depot=D1&model=X&dn=15", "in-stock");
    assert_string_equal("2026-06-30", text(row, "earliest_due"));
    assert_int_equal(4, number(row, "under_a_year"));
    json_decref(row);
    assert_stock(&n, "depot=D1&dn=20", "in-stock", 0);

    note(&n, "issue", "LY-1", 1, 3, "", 422, "crew");
    note(&n, "issue", "LY-1", 1, 3, ",\"crew\":\"C9\"", 404, "C9");
    note(&n, "issue", "LY-1", 1, 11, ",\"crew\":\"C1\"", 404, "S0011");
    note(&n, "issue", "LY-1", 1, 3, ",\"crew\":\"C1\"", 201, "\"paper\":\"issue:LY-1\"");
    note(&n, "issue", "LY-1", 4, 4, ",\"crew\":\"C1\"", 409, "written already");
    note(&n, "issue", "LY-2", 3, 4, ",\"crew\":\"C1\"", 409, "S0003");
    note(&n, "return", "LY-1", 3, 3, ",\"depot\":\"D2\"", 201, "in-stock");
    note(&n, "dance", "LY-3", 3, 3, "", 422, "kind");
    assert_stock(&n, "crew=C1", "issued", 2);
    assert_stock(&n, "depot=D1", "in-stock", 7);
    assert_stock(&n, "depot=D2", "in-stock", 1);
    ask(&n, "/v1/papers/issue:LY-1", NULL, 200, "\"crew\":\"C1\",\"note\":null,\"meters\":3");
    ask(&n, "/v1/papers/issue:LY-1/meters", NULL, 200, "\"serial\":\"S0002\",\"what\":\"done\"");
    ask(&n, "/v1/papers/issue:LY-9", NULL, 404, "LY-9");
    ask(&n, "/v1/papers?crew=C1", NULL, 200, "issue:LY-1");
    ask(&n, "/v1/audit", NULL, 200, "paper.issue");
    nilod_kill(&n);
    nilod_start(&n);
    assert_stock(&n, "crew=C1", "issued", 2);
    nilod_stop(&n);
}

static void a_stocktaking_tells_each_difference_and_what_settles_it(void **state)
{
    static const char body[] = "{\"stocktake\":\"Q1\",\"depot\":\"D1\",\"at\":\"2026-02-20T00:00:"
                               "00Z\",\"serials\":[\"S0001\",\"S0002\","
                               "\"S0005\",\"S0007\",\"NOBODY\"]}";
    struct nilod n = { 0 };
    json_t *first, *again;

    (void)state;
    start(&n);
    seed(&n);
    meters(&n, 1, 7, "");
    to_stock(&n, 1, 6, "2026-01-11");
    note(&n, "issue", "LY-1", 5, 5, ",\"crew\":\"C1\",\"at\":\"2026-02-01T00:00:00Z\"", 201, "");
    note(&n, "issue", "LY-2", 6, 6, ",\"crew\":\"C1\",\"at\":\"2026-02-21T00:00:00Z\"", 201, "");
    /* S0001, S0002 counted; S0003, S0004 missing; S0005 with a crew; S0006 left after the count; S0007 never received. */
    ask(&n, "/v1/stocktakes", "{\"serials\":[\"S0001\"]}", 422, "depot");
    ask(&n, "/v1/stocktakes", "{\"depot\":\"D9\",\"serials\":[\"S0001\"]}", 404, "D9");
    ask(&n, "/v1/stocktakes", "{\"depot\":\"D1\",\"serials\":[\"S0001\",\"S0001\"]}", 422, "twice");
    first = ask_as(&n, n.token, "/v1/stocktakes", body, 201, "stocktake:Q1");
    assert_int_equal(5, number(first, "counted"));
    assert_int_equal(2, number(first, "present"));
    assert_int_equal(2, number(first, "missing"));
    assert_int_equal(2, number(first, "surplus"));
    assert_int_equal(1, number(first, "unknown"));
    json_decref(first);
    ask(&n, "/v1/stocktakes", body, 409, "Q1");
    ask(&n, "/v1/stocktakes/Q1", NULL, 200,
        "{\"serial\":\"S0003\",\"what\":\"missing\",\"state\":\"in-stock\",\"depot\":\"D1\","
        "\"settled_by\":\"lose\"}");
    ask(&n, "/v1/stocktakes/Q1", NULL, 200,
        "{\"serial\":\"S0005\",\"what\":\"surplus\",\"state\":\"issued\",\"crew\":\"C1\",\"settled_"
        "by\":\"return\"}");
    ask(&n, "/v1/stocktakes/Q1", NULL, 200,
        "{\"serial\":\"NOBODY\",\"what\":\"unknown\",\"state\":null}");
    ask(&n, "/v1/papers/stocktake:Q1/meters", NULL, 200, "\"settled_by\":\"receive\"");
    ask(&n, "/v1/meters/S0003", NULL, 200, "\"state\":\"in-stock\"");

    first = ask_as(&n, n.token, "/v1/stocktakes/Q1", NULL, 200, "");
    event(&n, "S0003", "{\"event\":\"lose\",\"note\":\"not found\"}", 201, "lost");
    event(&n, "S0005", "{\"event\":\"return\",\"document\":\"r\",\"depot\":\"D1\"}", 201,
          "in-stock");
    again = ask_as(&n, n.token, "/v1/stocktakes/Q1", NULL, 200, "");
    assert_true(json_equal(first, again));
    json_decref(first);
    json_decref(again);
    ask(&n, "/v1/stocktakes", "{\"crew\":\"C1\",\"serials\":[]}", 201, "\"missing\":1");
    nilod_stop(&n);
}

/* ---- deliveries and samples ---- */

static void a_delivery_is_held_against_the_order(void **state)
{
    struct nilod n = { 0 };

    (void)state;
    start(&n);
    seed(&n);
    ask(&n, "/v1/models", MODEL, 201, "");
    ask(&n, "/v1/batches",
        "{\"batch\":\"B1\",\"model\":\"LXS-15E\",\"supplier\":\"Ningbo\",\"ordered\":5}", 201, "");
    ask(&n, "/v1/batches", "{\"batch\":\"B2\"}", 201, "");
    meters(&n, 1, 2, ",\"batch\":\"B1\",\"model\":\"LXS-15E\"");
    meters(&n, 3, 3, ",\"batch\":\"B2\"");
    meters(&n, 4, 4, ",\"model\":\"other\"");
    meters(&n, 5, 5, "");
    note(&n, "order", "PO-1", 1, 2, ",\"at\":\"2025-12-01T00:00:00Z\"", 201, "ordered");
    ask(&n, "/v1/deliveries", "{\"batch\":\"B9\",\"document\":\"DN-1\",\"serials\":[\"S0001\"]}",
        404, "B9");
    ask(&n, "/v1/deliveries", "{\"batch\":\"B1\",\"serials\":[\"S0001\"]}", 422, "document");
    ask(&n, "/v1/deliveries", "{\"document\":\"DN-1\",\"serials\":[\"S0001\"]}", 422, "batch");
    ask(&n, "/v1/deliveries",
        "{\"batch\":\"B1\",\"document\":\"DN-1\",\"depot\":\"D1\",\"serials\":[\"S0001\",\"S0003\","
        "\"S0004\",\"S0005\",\"N1\"]}",
        201,
        "\"ordered\":5,\"delivered\":5,\"received\":2,\"received_before\":0,\"registered\":0,"
        "\"short\":3,\"over\":0,"
        "\"unknown\":1,\"other_batch\":1,\"other_model\":1,\"other_state\":0");
    ask(&n, "/v1/meters/S0001", NULL, 200, "\"state\":\"received\"");
    ask(&n, "/v1/meters/S0003", NULL, 200, "\"state\":null");
    ask(&n, "/v1/meters/S0005", NULL, 200, "\"batch\":\"B1\"");
    ask(&n, "/v1/meters/N1", NULL, 404, "N1");
    ask(&n, "/v1/deliveries",
        "{\"batch\":\"B2\",\"document\":\"DN-2\",\"register\":true,\"serials\":[\"N1\"]}", 422,
        "register");
    ask(&n, "/v1/deliveries", "{\"batch\":\"B1\",\"document\":\"DN-1\",\"serials\":[\"S0002\"]}",
        409, "DN-1");
    ask(&n, "/v1/deliveries",
        "{\"batch\":\"B1\",\"document\":\"DN-2\",\"depot\":\"D1\",\"register\":true,\"serials\":["
        "\"S0001\",\"S0002\",\"N1\",\"N2\","
        "\"N3\"]}",
        201,
        "\"received\":4,\"received_before\":2,\"registered\":3,\"short\":0,\"over\":1,\"unknown\":"
        "0,\"other_batch\":0,"
        "\"other_model\":0,\"other_state\":1");
    ask(&n, "/v1/meters/N3", NULL, 200, "\"supplier\":\"Ningbo\"");
    ask(&n, "/v1/meters/N3", NULL, 200, "\"digits\":5");
    assert_stock(&n, "depot=D1&model=LXS-15E", "received", 5);
    ask(&n, "/v1/papers?batch=B1&kind=delivery", NULL, 200, "delivery:DN-2");
    nilod_stop(&n);
}

static json_t *sample_of(const struct nilod *n, const char *query)
{
    char path[120];

    snprintf(path, sizeof path, "/v1/batches/B1/sample%s", query);
    return ask_as(n, n->token, path, NULL, 200, "serials");
}

/* The results of a sample, of which the first `bad` fail. */
static void results(const json_t *drawn, unsigned bad, const char *more, char *out, size_t size)
{
    const json_t *all = json_object_get(drawn, "serials");
    size_t len = (size_t)snprintf(out, size, "{\"aql\":1.5,\"results\":[");

    for (size_t i = 0; i < json_array_size(all); i++)
        len += (size_t)snprintf(out + len, size - len, "%s{\"serial\":\"%s\",\"result\":\"%s\"%s}",
                                i ? "," : "", json_string_value(json_array_get(all, i)),
                                i < bad ? "fail" : "pass",
                                i < bad ? ",\"q1_pct\":-7.5,\"note\":\"slow\"" : "");
    snprintf(out + len, size - len, "]%s}", more);
}

/* What the samples so far call for, asked of a batch. */
static void next_is(const struct nilod *n, const char *batch, const char *severity, int score)
{
    char path[96];
    json_t *drawn;

    snprintf(path, sizeof path, "/v1/batches/%s/sample?aql=1.5", batch);
    drawn = ask_as(n, n->token, path, NULL, 200, "severity_suggested");
    if (strcmp(text(drawn, "severity_suggested"), severity) != 0)
        fail_msg("%s: expected %s, heard %s, for %s", batch, severity,
                 text(drawn, "severity_suggested"), text(drawn, "severity_why_en"));
    assert_int_equal(score, number(drawn, "switching_score"));
    json_decref(drawn);
}

static void inspect_lot(const struct nilod *n, const char *batch, unsigned bad,
                        const char *severity)
{
    char path[96], body[4000], more[64];
    json_t *drawn;

    snprintf(path, sizeof path, "/v1/batches/%s/sample?aql=1.5&severity=%s", batch, severity);
    drawn = ask_as(n, n->token, path, NULL, 200, "serials");
    snprintf(more, sizeof more, ",\"severity\":\"%s\"", severity);
    results(drawn, bad, more, body, sizeof body);
    snprintf(path, sizeof path, "/v1/batches/%s/sample", batch);
    ask(n, path, body, 201, bad ? "\"verdict\":\"rejected\"" : "\"verdict\":\"accepted\"");
    json_decref(drawn);
}

static void what_became_of_a_suppliers_lots_says_how_to_inspect_the_next(void **state)
{
    struct nilod n = { 0 };
    char body[128];

    (void)state;
    start(&n);
    seed(&n);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(body, sizeof body, "{\"batch\":\"C%u\",\"supplier\":\"%s\"}", i,
                 i < 3 ? "Ningbo" : "Fuzhou");
        ask(&n, "/v1/batches", body, 201, "");
        snprintf(body, sizeof body, ",\"batch\":\"C%u\"", i);
        meters(&n, 10 * i + 1, 10 * i + 10, body);
    }
    note(&n, "receive", "RE-9", 1, 40, ",\"depot\":\"D1\"", 201, "received");
    next_is(&n, "C0", "normal", 0);
    inspect_lot(&n, "C0", 0, "normal");
    next_is(&n, "C1", "normal", 2);
    next_is(&n, "C3", "normal", 0); /* another supplier */
    inspect_lot(&n, "C1", 1, "normal");
    inspect_lot(&n, "C1", 1, "normal"); /* the same lot again */
    next_is(&n, "C2", "normal", 0);
    inspect_lot(&n, "C2", 1, "normal");
    next_is(&n, "C0", "tightened", 0);
    inspect_lot(&n, "C0", 0, "tightened");
    next_is(&n, "C0", "tightened", 0);
    ask(&n, "/v1/batches/C0/sample?aql=2.5", NULL, 200, "\"severity_suggested\":\"normal\"");
    ask(&n, "/v1/batches/C0/sample?aql=1.5", NULL, 200, "加严检验");
    nilod_stop(&n);
}

static void a_sample_is_drawn_by_rule_and_a_lot_rejected_as_one(void **state)
{
    struct nilod n = { 0 };
    char body[8000];
    json_t *drawn, *again;

    (void)state;
    start(&n);
    seed(&n);
    ask(&n, "/v1/batches", "{\"batch\":\"B1\",\"ordered\":30}", 201, "");
    ask(&n, "/v1/batches/B1/sample", NULL, 422, "no meter");
    ask(&n, "/v1/batches/B9/sample", NULL, 404, "B9");
    meters(&n, 1, 30, ",\"batch\":\"B1\"");
    note(&n, "receive", "RE-1", 1, 30, ",\"depot\":\"D1\"", 201, "received");
    ask(&n, "/v1/batches/B1/sample?aql=3", NULL, 422, "aql");
    ask(&n, "/v1/batches/B1/sample?level=IX", NULL, 422, "level");
    drawn = sample_of(&n, "?aql=1.5");
    again = sample_of(&n, "?aql=1.5");
    assert_true(json_equal(drawn, again));
    json_decref(again);
    assert_int_equal(30, number(drawn, "lot"));
    assert_int_equal(8, number(drawn, "sample")); /* D: 0 1 */
    assert_int_equal(0, number(drawn, "accept"));
    assert_string_equal("D", text(drawn, "letter"));
    assert_int_equal(8, json_array_size(json_object_get(drawn, "serials")));

    ask(&n, "/v1/batches/B1/sample",
        "{\"aql\":1.5,\"results\":[{\"serial\":\"S0001\",\"result\":\"pass\"}]}", 422, "results");
    ask(&n, "/v1/batches/B1/sample", "{\"aql\":1.5,\"results\":[{\"serial\":\"S0001\"}]}", 422,
        "results");
    results(drawn, 0, ",\"document\":\"JC-1\"", body, sizeof body);
    ask(&n, "/v1/batches/B1/sample", body, 201, "\"failed\":0,\"verdict\":\"accepted\"");
    results(drawn, 1, "", body, sizeof body);
    ask(&n, "/v1/batches/B1/sample", body, 201, "\"failed\":1,\"verdict\":\"rejected\"");
    snprintf(body, sizeof body, "/v1/meters/%s/history",
             json_string_value(json_array_get(json_object_get(drawn, "serials"), 0)));
    ask(&n, body, NULL, 200, "q1 -7.5 %: slow");
    json_decref(drawn);

    note(&n, "scrap", "SC-1", 1, 1, "", 409, "S0001");
    event(&n, "S0001", "{\"event\":\"lose\",\"note\":\"gone\"}", 201, "lost");
    ask(&n, "/v1/batches/B1/reject", "{}", 422, "note");
    ask(&n, "/v1/batches/B1/reject", "{\"note\":\"sample failed\"}", 201,
        "\"rejected\":29,\"elsewhere\":1");
    ask(&n, "/v1/meters/S0002", NULL, 200, "\"state\":\"rejected\"");
    ask(&n, "/v1/papers/reject:RJ-2026-000001", NULL, 200,
        "{\"serial\":\"S0001\",\"what\":\"other-state\",\"state\":\"lost\"}");
    ask(&n, "/v1/batches/B1/reject", "{\"note\":\"again\"}", 409, "none of the 30");
    assert_stock(&n, "depot=D1", "rejected", 29);
    nilod_stop(&n);
}

/* ---- who may ---- */

static void only_the_store_writes_the_store(void **state)
{
    static const char *const paths[] = { "/v1/models",     "/v1/batches",    "/v1/modems",
                                         "/v1/seals",      "/v1/depots",     "/v1/crews",
                                         "/v1/papers",     "/v1/stocktakes", "/v1/deliveries",
                                         "/v1/seals/issue" };
    struct nilod n = { 0 };
    json_t *store, *crew;

    (void)state;
    start(&n);
    store = ask_as(&n, n.token, "/v1/tokens", "{\"role\":\"store\",\"name\":\"s\"}", 201, "token");
    crew = ask_as(&n, n.token, "/v1/tokens", "{\"role\":\"crew\",\"name\":\"c\"}", 201, "token");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        json_decref(ask_as(&n, text(crew, "token"), paths[i], "{}", 403, "crew"));
        json_decref(ask_as(&n, text(store, "token"), paths[i], "{}", 422, ""));
    }
    json_decref(ask_as(&n, text(crew, "token"), "/v1/stock", NULL, 200, "rows"));
    json_decref(ask_as(&n, text(crew, "token"), "/v1/meters/x/modem", "{}", 404, "x"));
    json_decref(store);
    json_decref(crew);
    nilod_stop(&n);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_fills_new_meters_and_moves_no_known_one),
        cmocka_unit_test(a_modem_changes_without_the_meter),
        cmocka_unit_test(seals_go_from_the_box_to_one_meter),
        cmocka_unit_test(notes_have_numbers_and_stock_follows_them),
        cmocka_unit_test(a_stocktaking_tells_each_difference_and_what_settles_it),
        cmocka_unit_test(a_delivery_is_held_against_the_order),
        cmocka_unit_test(what_became_of_a_suppliers_lots_says_how_to_inspect_the_next),
        cmocka_unit_test(a_sample_is_drawn_by_rule_and_a_lot_rejected_as_one),
        cmocka_unit_test(only_the_store_writes_the_store),
    };

    return check_run(tests, argc, argv);
}
