/* Events of meters over HTTP, where the contract's cases (tests/cases) do not reach: many meters in one
 * act, what the audit tells, the texts of warnings, and what a kill leaves. */
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW "2026-03-02T01:00:00Z"

static struct nilod n = { .clock = NOW };
static struct client admin, supervisor, crew, store;
static char tokens[3][64];
static unsigned next_number;

/* ---- a started nilod, and who speaks to it ---- */

static char *post(struct client *who, const char *path, const char *fields, const char *body,
                  int expected)
{
    struct answer a;
    char *said;

    http_post(who, path, fields, body, &a);
    if (a.status != expected)
        fail_msg("%s %s: expected %d, heard %d %s", path, body, expected, a.status, a.body);
    said = strdup(a.body);
    assert_non_null(said);
    answer_done(&a);
    return said;
}

static void tell(struct client *who, const char *path, const char *body, int expected)
{
    free(post(who, path, NULL, body, expected));
}

static json_t *get(const char *path)
{
    struct answer a;
    json_t *json;

    http_get(&admin, path, NULL, &a);
    if (a.status != 200)
        fail_msg("%s: heard %d %s", path, a.status, a.body);
    json = answer_json(&a);
    answer_done(&a);
    return json;
}

static void make_token(const char *role, char out[64])
{
    char body[96], *said;
    json_t *a;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"the-%s\"}", role, role);
    said = post(&admin, "/v1/tokens", NULL, body, 201);
    a = json_loads(said, 0, NULL);
    snprintf(out, 64, "%s", json_string_value(json_object_get(a, "token")));
    json_decref(a);
    free(said);
}

static void connect_all(void)
{
    client_open(&admin, n.http_host, n.http_port, n.token);
    client_open(&supervisor, n.http_host, n.http_port, tokens[0]);
    client_open(&crew, n.http_host, n.http_port, tokens[1]);
    client_open(&store, n.http_host, n.http_port, tokens[2]);
}

static void part_all(void)
{
    client_close(&admin);
    client_close(&supervisor);
    client_close(&crew);
    client_close(&store);
}

static int begin(void **state)
{
    (void)state;
    nilod_start(&n);
    client_open(&admin, n.http_host, n.http_port, n.token);
    make_token("supervisor", tokens[0]);
    make_token("crew", tokens[1]);
    make_token("store", tokens[2]);
    client_close(&admin);
    connect_all();
    return 0;
}

static int end(void **state)
{
    (void)state;
    part_all();
    nilod_stop(&n);
    return 0;
}

/* ---- meters of a test's own ---- */

static void new_meter(char serial[16], const char *facts)
{
    char body[256];

    snprintf(serial, 16, "E%05u", ++next_number);
    snprintf(body, sizeof body, "{\"serial\":\"%s\",\"dn\":15,\"q3\":2.5%s}", serial, facts);
    tell(&admin, "/v1/meters", body, 201);
}

static void new_point(char point[16])
{
    char body[96];

    snprintf(point, 16, "P%05u", ++next_number);
    snprintf(body, sizeof body, "{\"point\":\"%s\",\"use_class\":\"residential\"}", point);
    tell(&admin, "/v1/points", body, 201);
}

static char *event(struct client *who, const char *serial, const char *facts, int expected)
{
    char path[64], body[512];

    snprintf(path, sizeof path, "/v1/meters/%s/events", serial);
    snprintf(body, sizeof body, "{%s}", facts);
    return post(who, path, NULL, body, expected);
}

static void happens(const char *serial, const char *facts)
{
    free(event(&admin, serial, facts, 201));
}

static void state_is(const char *serial, const char *expected)
{
    char path[64];
    json_t *meter;

    snprintf(path, sizeof path, "/v1/meters/%s", serial);
    meter = get(path);
    assert_string_equal(json_string_value(json_object_get(meter, "state")), expected);
    json_decref(meter);
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("expected …%s…, heard %s", part, text);
}

#define HAS(said, ...)                                                                             \
    do {                                                                                           \
        static const char *const parts_[] = { __VA_ARGS__ };                                       \
        char *said_ = (said);                                                                      \
                                                                                                   \
        for (size_t i_ = 0; i_ < sizeof parts_ / sizeof parts_[0]; i_++)                           \
            has(said_, parts_[i_]);                                                                \
        free(said_);                                                                               \
    } while (0)

/* ---- many meters, one act ---- */

static void a_lot_is_taken_whole_or_not_at_all(void **state)
{
    char a[16], b[16], c[16], body[256], *said;

    (void)state;
    new_meter(a, ",\"state\":\"received\"");
    new_meter(b, ",\"state\":\"retired\"");
    new_meter(c, ",\"state\":\"received\"");
    snprintf(body, sizeof body,
             "{\"event\":\"reject\",\"note\":\"3 of 20\",\"serials\":[\"%s\",\"%s\",\"%s\"]}", a, b,
             c);
    said = post(&store, "/v1/events", NULL, body, 409);
    has(said, b);
    HAS(said, "retired", "received, ");
    state_is(a, "received");
    state_is(c, "received");

    happens(b, "\"event\":\"scrap\",\"document\":\"D\"");
    snprintf(body, sizeof body,
             "{\"event\":\"reject\",\"note\":\"3 of 20\",\"serials\":[\"%s\",\"%s\"]}", a, c);
    HAS(post(&store, "/v1/events", NULL, body, 201), "\"meters\":2", "\"state\":\"rejected\"",
        "\"warnings\":[]");
    state_is(a, "rejected");
    state_is(c, "rejected");
}

static void of_all_that_stands_against_a_lot_the_first_check_is_told(void **state)
{
    char a[16], b[16], body[320];

    (void)state;
    new_meter(a, ",\"state\":\"retired\"");
    new_meter(b, ",\"state\":\"received\"");
    snprintf(body, sizeof body,
             "{\"event\":\"stock\",\"serials\":[\"%s\",\"%s\",\"NOBODY-1\",\"NOBODY-2\"]}", a, b);
    HAS(post(&admin, "/v1/events", NULL, body, 404), "NOBODY-1", "NOBODY-2", "2 of 4");
    snprintf(body, sizeof body, "{\"event\":\"issue\",\"serials\":[\"%s\",\"%s\"]}", a, b);
    HAS(post(&admin, "/v1/events", NULL, body, 422), "document", "crew");
    snprintf(body, sizeof body,
             "{\"event\":\"issue\",\"document\":\"D\",\"crew\":\"c\",\"serials\":[\"%s\"]}", a);
    HAS(post(&crew, "/v1/events", NULL, body, 403), "crew");
}

static void a_list_of_serials_is_what_it_says(void **state)
{
    static const char *const wrong[] = {
        "{\"event\":\"stock\"}",
        "{\"event\":\"stock\",\"serials\":[]}",
        "{\"event\":\"stock\",\"serials\":\"E1\"}",
        "{\"event\":\"stock\",\"serials\":[1]}",
        "{\"event\":\"stock\",\"serials\":[\"\"]}",
        "{\"event\":\"stock\",\"serials\":[\"NOBODY-1\",\"NOBODY-1\"]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        HAS(post(&admin, "/v1/events", NULL, wrong[i], 422), "serials");
}

/* ---- first expired, first out ---- */

#define ISSUE "\"event\":\"issue\",\"document\":\"I-1\",\"crew\":\"c\""

static void the_oldest_in_stock_is_named(void **state)
{
    char old[16], older[16], young[16], body[256], *said;

    (void)state;
    new_meter(young, ",\"model\":\"FEFO\",\"state\":\"in-stock\",\"verified_on\":\"2026-01-01\"");
    new_meter(old, ",\"model\":\"FEFO\",\"state\":\"in-stock\",\"verified_on\":\"2025-01-01\"");
    new_meter(older, ",\"model\":\"FEFO\",\"state\":\"in-stock\",\"verified_on\":\"2024-01-01\"");
    said = event(&store, young, ISSUE, 201);
    has(said, older);
    HAS(said, "older-in-stock", "2030-01-01");
    happens(young, "\"event\":\"return\",\"document\":\"R-1\"");

    /* What goes out with it does not lie behind it. */
    snprintf(body, sizeof body, "{" ISSUE ",\"serials\":[\"%s\",\"%s\",\"%s\"]}", young, old,
             older);
    HAS(post(&store, "/v1/events", NULL, body, 201), "\"warnings\":[]");
}

static void a_warning_of_many_meters_counts_them(void **state)
{
    char a[16], b[16], body[256];

    (void)state;
    new_meter(a, ",\"model\":\"LATE\",\"state\":\"in-stock\",\"verified_on\":\"2020-09-01\"");
    new_meter(b, ",\"model\":\"LATE\",\"state\":\"in-stock\",\"verified_on\":\"2020-09-01\"");
    snprintf(body, sizeof body, "{" ISSUE ",\"serials\":[\"%s\",\"%s\"]}", a, b);
    HAS(post(&store, "/v1/events", NULL, body, 201), "under-a-year", "2026-09-01", "and 1 more");
}

/* ---- who did what ---- */

static json_t *audit_of(const char *subject, const char *what)
{
    json_t *page = get("/v1/audit?limit=10000"), *row, *found = NULL;
    size_t i;

    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        const char *of =
            json_string_value(json_object_get(row, "subject")); /* some acts have none */

        if (of && strcmp(of, subject) == 0 &&
            strcmp(json_string_value(json_object_get(row, "what")), what) == 0)
            found = row;
    }
    if (!found)
        fail_msg("no %s of %s in the audit", what, subject);
    json_incref(found);
    json_decref(page);
    return found;
}

static void every_event_stands_in_the_audit(void **state)
{
    char meter[16], point[16], body[256], *told;
    json_t *record;

    (void)state;
    new_point(point);
    new_meter(meter, ",\"verified_on\":\"2025-01-01\"");
    snprintf(body, sizeof body, "\"event\":\"install\",\"point\":\"%s\",\"index_l\":500", point);
    happens(meter, body);
    free(event(&supervisor, meter,
               "\"event\":\"remove\",\"index_l\":400,\"overrule\":true,\"note\":\"photo 55\"",
               201));
    record = audit_of(meter, "meter.remove");
    told = json_dumps(record, 0);
    HAS(told, "the-supervisor", "photo 55", "overruled", "400");
    json_decref(record);
    record = audit_of(meter, "meter.install");
    told = json_dumps(record, 0);
    has(told, point);
    free(told);
    json_decref(record);

    new_meter(meter, ",\"state\":\"retired\"");
    snprintf(body, sizeof body,
             "{\"event\":\"scrap\",\"document\":\"SCR-77\",\"serials\":[\"%s\"]}", meter);
    tell(&store, "/v1/events", body, 201);
    json_decref(audit_of("SCR-77", "meters.scrap"));
}

/* ---- one act, whatever happens ---- */

static void a_killed_server_has_the_exchange_whole_and_its_answer(void **state)
{
    char old[16], new[16], point[16], body[320], *first, *again;
    json_t *fittings;
    char path[64];

    (void)state;
    new_point(point);
    new_meter(old, ",\"verified_on\":\"2021-01-01\"");
    new_meter(new, ",\"verified_on\":\"2026-01-01\",\"state\":\"issued\"");
    snprintf(body, sizeof body, "\"event\":\"install\",\"point\":\"%s\",\"index_l\":0", point);
    happens(old, body);
    snprintf(body, sizeof body,
             "{\"point\":\"%s\",\"at\":\"" NOW "\",\"old_serial\":\"%s\",\"old_index_l\":70,"
             "\"new_serial\":\"%s\",\"new_index_l\":1.5,\"reason\":\"periodic\"}",
             point, old, new);
    first = post(&crew, "/v1/exchanges", "Idempotency-Key: swap-1\r\n", body, 201);
    part_all();
    nilod_kill(&n);
    nilod_start(&n);
    connect_all();
    again = post(&crew, "/v1/exchanges", "Idempotency-Key: swap-1\r\n", body, 201);
    assert_string_equal(first, again);
    free(first);
    free(again);
    snprintf(path, sizeof path, "/v1/fittings?point=%s", point);
    fittings = get(path);
    assert_int_equal(json_array_size(json_object_get(fittings, "rows")), 2);
    json_decref(fittings);
    state_is(old, "removed");
    state_is(new, "running");
    tell(&crew, "/v1/exchanges", body, 409);
}

static json_t *told(struct client *who, const char *path, const char *body, int expected)
{
    char *text = post(who, path, "", body, expected);
    json_t *answer = json_loads(text, 0, NULL);

    assert_non_null(answer);
    free(text);
    return answer;
}

static void the_old_meter_is_handed_over_against_a_receipt(void **state)
{
    char old[16], next[16], third[16], point[16], body[400], again[400], path[96], number[40];
    json_t *taken, *paper, *line;

    (void)state;
    new_point(point);
    new_meter(old, ",\"verified_on\":\"2021-01-01\"");
    new_meter(next, ",\"verified_on\":\"2026-01-01\",\"state\":\"issued\"");
    new_meter(third, ",\"verified_on\":\"2026-01-01\",\"state\":\"issued\"");
    snprintf(body, sizeof body, "\"event\":\"install\",\"point\":\"%s\",\"index_l\":0", point);
    happens(old, body);
    snprintf(body, sizeof body,
             "{\"point\":\"%s\",\"at\":\"" NOW "\",\"old_serial\":\"%s\",\"old_index_l\":70,"
             "\"new_serial\":\"%s\",\"new_index_l\":0,\"reason\":\"periodic\",\"crew\":\"crew-1\","
             "\"depot\":\"North\",\"receipt\":\"auto\"}",
             point, old, next);
    taken = told(&crew, "/v1/exchanges", body, 201);
    snprintf(number, sizeof number, "%s", json_string_value(json_object_get(taken, "receipt")));
    json_decref(taken);
    assert_memory_equal(number, "RC-2026-", 8);
    snprintf(path, sizeof path, "/v1/papers/receipt:%s", number);
    paper = get(path);
    assert_string_equal(json_string_value(json_object_get(paper, "crew")), "crew-1");
    assert_string_equal(json_string_value(json_object_get(paper, "depot")), "North");
    line = json_array_get(json_object_get(paper, "lines"), 0);
    assert_string_equal(json_string_value(json_object_get(line, "serial")), old);
    assert_string_equal(json_string_value(json_object_get(line, "state")), "removed");
    json_decref(paper);

    /* A number that is used once is used: the exchange is refused whole. */
    snprintf(again, sizeof again,
             "{\"point\":\"%s\",\"at\":\"" NOW "\",\"old_serial\":\"%s\",\"old_index_l\":0,"
             "\"new_serial\":\"%s\",\"new_index_l\":0,\"reason\":\"x\",\"receipt\":\"%s\"}",
             point, next, third, number);
    taken = told(&crew, "/v1/exchanges", again, 409);
    assert_string_equal(json_string_value(json_object_get(taken, "field")), "receipt");
    json_decref(taken);
    state_is(next, "running");
    state_is(third, "issued");
}

#define LOT 400

/* A lot that takes its time: received meters of this test. */
static char *lot_of(char first[16])
{
    char serial[16], *body = malloc(64 + LOT * 16);
    size_t len;

    assert_non_null(body);
    len = (size_t)sprintf(body, "{\"event\":\"reject\",\"note\":\"leaking\",\"serials\":[");
    for (unsigned i = 0; i < LOT; i++) {
        new_meter(serial, ",\"state\":\"received\"");
        if (i == 0)
            memcpy(first, serial, 16);
        len += (size_t)sprintf(body + len, "%s\"%s\"", i ? "," : "", serial);
    }
    strcpy(body + len, "]}");
    return body;
}

static size_t events_of(const char *serial)
{
    char path[64];
    json_t *history;
    size_t count;

    snprintf(path, sizeof path, "/v1/meters/%s/history", serial);
    history = get(path);
    count = json_array_size(json_object_get(history, "rows"));
    json_decref(history);
    return count;
}

static void a_lot_that_is_sent_again_happens_once(void **state)
{
    static const char key[] = "Content-Type: application/json\r\nIdempotency-Key: lot-1\r\n";
    struct client twin = { 0 }, *both[] = { &store, &twin };
    struct answer a[2];
    char first[16], *body = lot_of(first), *again;

    (void)state;
    client_open(&twin, n.http_host, n.http_port, tokens[2]); /* the same caller, on another line */
    /* The second comes while the first is at work: it hears what the first does. */
    for (unsigned i = 0; i < 2; i++)
        client_ask(both[i], "POST", "/v1/events", key, body, strlen(body));
    for (unsigned i = 0; i < 2; i++)
        client_answer(both[i], "POST", &a[i]);
    for (unsigned i = 0; i < 2; i++)
        if (a[i].status != 201)
            fail_msg("%u: heard %d %s", i, a[i].status, a[i].body);
    assert_string_equal(a[0].body, a[1].body);
    client_close(&twin);
    assert_int_equal(events_of(first), 1);

    part_all();
    nilod_kill(&n);
    nilod_start(&n);
    connect_all();
    again = post(&store, "/v1/events", "Idempotency-Key: lot-1\r\n", body, 201);
    assert_string_equal(a[0].body, again);
    assert_int_equal(events_of(first), 1);
    free(again);
    /* The same key for something else, and the same facts without it. */
    free(post(&store, "/v1/events", "Idempotency-Key: lot-1\r\n",
              "{\"event\":\"stock\",\"serials\":[\"NOBODY-1\"]}", 422));
    tell(&store, "/v1/events", body, 409);
    for (unsigned i = 0; i < 2; i++)
        answer_done(&a[i]);
    free(body);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lot_is_taken_whole_or_not_at_all),
        cmocka_unit_test(of_all_that_stands_against_a_lot_the_first_check_is_told),
        cmocka_unit_test(a_list_of_serials_is_what_it_says),
        cmocka_unit_test(the_oldest_in_stock_is_named),
        cmocka_unit_test(a_warning_of_many_meters_counts_them),
        cmocka_unit_test(every_event_stands_in_the_audit),
        cmocka_unit_test(a_killed_server_has_the_exchange_whole_and_its_answer),
        cmocka_unit_test(a_lot_that_is_sent_again_happens_once),
        cmocka_unit_test(the_old_meter_is_handed_over_against_a_receipt),
    };

    check_begin(argc, argv);
    return cmocka_run_group_tests(tests, begin, end);
}
