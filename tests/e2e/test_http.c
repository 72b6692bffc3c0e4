/* The HTTP API of a real nilod, from outside: what each endpoint gives and refuses, what survives a
 * kill, and what rude clients achieve.  Nothing of the server is linked. */
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW "2026-03-10T00:00:00Z"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define CSV_TYPE "Content-Type: text/csv\r\n"
#define MANY 2500 /* points: more than one page of JSON */

static struct nilod n = { .clock = NOW };
static struct client c; /* the administrator's, kept alive through all tests */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- asking in one line ---- */

/* GETs as JSON; fails unless the status is the one expected. */
static json_t *get(const char *path, int status)
{
    struct answer a;
    json_t *j;

    http_get(&c, path, NULL, &a);
    if (a.status != status)
        fail_msg("GET %s: expected %d, found %d %s", path, status, a.status, a.body);
    assert_true(a.whole);
    j = answer_json(&a);
    answer_done(&a);
    return j;
}

static json_t *post(const char *path, const char *body, int status)
{
    struct answer a;
    json_t *j;

    http_post(&c, path, JSON_TYPE, body, &a);
    if (a.status != status)
        fail_msg("POST %s %s: expected %d, found %d %s", path, body, status, a.status, a.body);
    j = answer_json(&a);
    answer_done(&a);
    return j;
}

static void import_by(struct client *by, const char *list, const char *text)
{
    char path[80];
    struct answer a;

    snprintf(path, sizeof path, "/v1/import/%s", list);
    http_post(by, path, CSV_TYPE, text, &a);
    if (a.status != 200)
        fail_msg("import %s: %d %s", list, a.status, a.body);
    answer_done(&a);
}

static void import(const char *list, const char *text)
{
    import_by(&c, list, text);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static json_t *row_at(const json_t *list, size_t i)
{
    json_t *row = json_array_get(json_object_get(list, "rows"), i);

    assert_non_null(row);
    return row;
}

static size_t row_count(const json_t *list)
{
    assert_true(json_is_array(json_object_get(list, "rows")));
    return json_array_size(json_object_get(list, "rows"));
}

/* A refusal in the form of RFC 9457 that names what it should. */
static void refusal_is(const struct answer *a, int status, const char *word)
{
    char room[256];
    json_t *j;

    if (a->status != status)
        fail_msg("expected %d, found %d %s", status, a->status, a->body);
    assert_string_equal(answer_field(a, "Content-Type", room), "application/problem+json");
    j = answer_json(a);
    assert_int_equal(json_integer_value(json_object_get(j, "status")), status);
    assert_true(*text_of(j, "title") && *text_of(j, "code") && *text_of(j, "detail"));
    if (word && !strstr(a->body, word))
        fail_msg("expected the word %s in %s", word, a->body);
    json_decref(j);
}

static void get_refused(const char *path, const char *accept, int status, const char *word)
{
    struct answer a;

    http_get(&c, path, accept, &a);
    refusal_is(&a, status, word);
    answer_done(&a);
}

/* ---- a small town ---- */

static char *points_csv(void)
{
    char *text = (char *)malloc(64 * (MANY + 1)), *at = text;

    assert_non_null(text);
    at += sprintf(at, "point,zone,account\n");
    for (int i = 0; i < MANY; i++)
        at += sprintf(at, "P%05d,%s,A%d\n", i, i % 2 ? "Z1" : "Z2", i);
    return text;
}

static char *readings_csv(void)
{
    char *text = (char *)malloc(64 * 1024), *at = text;

    assert_non_null(text);
    at += sprintf(at, "serial,time,index_l,channel\n");
    for (int hour = 0; hour < 240; hour++)
        at += sprintf(at, "M1,2026-02-%02dT%02d:00:00Z,%d.%d,forward\n", 1 + hour / 24, hour % 24,
                      1000 + hour, hour % 10);
    at += sprintf(at, "M1,2026-02-03T05:00:00Z,99999999,forward\n"); /* a conflict */
    sprintf(at, "M1,2026-02-03T05:00:00Z,301.5,pressure\n");
    return text;
}

static int set_up(void **state)
{
    char *points, *readings;

    (void)state;
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    points = points_csv();
    readings = readings_csv();
    import("zones", "zone,name,mains_km\nZ1,East,12.50\nZ2,West,\n");
    import("routes", "route,reader\nR1,Li\n");
    import("meters",
           "serial,dn,q3,r,state\nM1,20,2.5,100,\nM2,20,2.5,,in-stock\n10:a-b_.,15,1.6,,\n");
    import("points", points);
    import("fittings", "point,serial,from,start_index_l\nP00001,M1,2026-01-31T16:00:00Z,1000\n");
    import("readings", readings);
    free(points);
    free(readings);
    json_decref(post("/v1/settle", "{}", 200));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_close(&c);
    nilod_stop(&n);
    return 0;
}

/* ---- the gate ---- */

static void without_a_token_nothing_of_v1_is_told(void **state)
{
    static const char *const wrong[] = { "", "Authorization: Bearer nonsense\r\n",
                                         "Authorization: Basic YWRtaW46\r\n",
                                         "Authorization: Bearer\r\n" };
    struct client stranger;
    char room[256];

    (void)state;
    client_open(&stranger, n.http_host, n.http_port, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct answer a;

        client_ask(&stranger, "GET", "/v1/meters/M1", wrong[i], NULL, 0);
        client_answer(&stranger, "GET", &a);
        refusal_is(&a, 401, "Authorization");
        assert_true(strncmp(answer_field(&a, "WWW-Authenticate", room), "Bearer", 6) == 0);
        assert_null(strstr(a.body, "M1"));
        answer_done(&a);
    }
    client_close(&stranger);
}

static void health_metrics_and_description_need_no_token(void **state)
{
    static const char *const open[] = { "/healthz", "/readyz", "/metrics", "/openapi.json" };
    struct client stranger;

    (void)state;
    client_open(&stranger, n.http_host, n.http_port, NULL);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        struct answer a;

        http_get(&stranger, open[i], NULL, &a);
        assert_int_equal(a.status, 200);
        assert_true(a.len > 0);
        answer_done(&a);
    }
    client_close(&stranger);
}

/* Every path of the description answers without a token as it says: 401 where it needs one, and
 * never 404 or 5xx. */
static void every_described_path_is_there(void **state)
{
    json_t *root = get("/openapi.json", 200), *path, *operation;
    const char *name, *method;
    struct client stranger;

    (void)state;
    client_open(&stranger, n.http_host, n.http_port, NULL);
    json_object_foreach(json_object_get(root, "paths"), name, path)
    {
        json_object_foreach(path, method, operation)
        {
            bool is_post = strcmp(method, "post") == 0;
            bool is_open = json_object_get(operation, "security") != NULL;
            const char *asked = strcmp(name, "/web/{file}") == 0 ? "/web/icon.svg" : name;
            struct answer a;

            client_ask(&stranger, is_post ? "POST" : "GET", asked, is_post ? JSON_TYPE : NULL,
                       is_post ? "{}" : NULL, 2);
            client_answer(&stranger, "GET", &a);
            /* Who signs in says who he is. */
            if (a.status != (!is_open ? 401 : is_post ? 422 : 200))
                fail_msg("%s %s: %d %s", method, name, a.status, a.body);
            answer_done(&a);
        }
    }
    client_close(&stranger);
    json_decref(root);
}

static void token_of(const char *role, char out[64])
{
    char body[80];
    json_t *j;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"test-%s\"}", role, role);
    j = post("/v1/tokens", body, 201);
    snprintf(out, 64, "%s", text_of(j, "token"));
    json_decref(j);
}

static void a_role_may_what_the_rules_say_and_is_named_where_it_may_not(void **state)
{
    static const struct {
        const char *role, *path, *body;
        bool may;
    } cases[] = {
        { "viewer", "/v1/meters", "{\"serial\":\"V1\",\"dn\":20,\"q3\":2.5}", false },
        { "crew", "/v1/meters", "{\"serial\":\"V1\",\"dn\":20,\"q3\":2.5}", false },
        { "billing", "/v1/reads", "{}", false },
        { "store", "/v1/points", "{\"point\":\"V1\"}", false },
        { "reader", "/v1/tokens", "{\"role\":\"admin\",\"name\":\"x\"}", false },
        { "viewer", "/v1/settle", "{}", false },
        { "store", "/v1/meters", "{\"serial\":\"V2\",\"dn\":20,\"q3\":2.5}", true },
        { "supervisor", "/v1/points", "{\"point\":\"V2\"}", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client other;
        struct answer a;
        char token[64];

        token_of(cases[i].role, token);
        client_open(&other, n.http_host, n.http_port, token);
        http_post(&other, cases[i].path, JSON_TYPE, cases[i].body, &a);
        if (cases[i].may)
            assert_int_equal(a.status / 100, 2);
        else
            refusal_is(&a, 403, cases[i].role);
        answer_done(&a);
        http_get(&other, "/v1/meters/M1", NULL, &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
        client_close(&other);
    }
    get_refused("/v1/meters/V1", NULL, 404, "V1");
}

static void wrong_paths_methods_and_forms_are_told_apart(void **state)
{
    struct answer a;
    char room[256];

    (void)state;
    get_refused("/v1/nothing", NULL, 404, "path");
    get_refused("/v1/meters/M1", "text/html", 406, "Accept");
    get_refused("/v1/meters/M1", "text/csv", 406, "Accept");
    client_ask(&c, "DELETE", "/v1/meters/M1", NULL, NULL, 0);
    client_answer(&c, "DELETE", &a);
    refusal_is(&a, 405, "DELETE");
    assert_string_equal(answer_field(&a, "Allow", room), "GET, HEAD, POST");
    answer_done(&a);
    http_post(&c, "/v1/meters", "Content-Type: text/xml\r\n", "<meter/>", &a);
    refusal_is(&a, 415, "application/json");
    answer_done(&a);
}

static void head_tells_the_length_and_sends_no_body(void **state)
{
    struct answer head, whole;
    char room[256], other[256];

    (void)state;
    client_ask(&c, "HEAD", "/v1/meters/M1", NULL, NULL, 0);
    client_answer(&c, "HEAD", &head);
    http_get(&c, "/v1/meters/M1", NULL, &whole);
    assert_int_equal(head.status, 200);
    assert_string_equal(answer_field(&head, "Content-Length", room),
                        answer_field(&whole, "Content-Length", other));
    answer_done(&head);
    answer_done(&whole);
}

/* A chunked body's end is a byte too much where there is no body. */
static void head_of_a_stream_ends_with_its_fields(void **state)
{
    static const char *const forms[] = { "Accept: application/x-ndjson\r\n",
                                         "Accept: text/csv\r\n" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char said[2000];
        size_t len = 0;
        struct client mine;
        ssize_t got;

        client_open(&mine, n.http_host, n.http_port, n.token);
        client_ask(&mine, "HEAD", "/v1/meters", forms[i], NULL, 0);
        while ((got = recv(mine.fd, said + len, sizeof said - 1 - len, 0)) > 0)
            len += (size_t)got;
        said[len] = 0;
        assert_non_null(strstr(said, "200 OK"));
        assert_string_equal(strstr(said, "\r\n\r\n"), "\r\n\r\n");
        client_close(&mine);
    }
}

static void a_wrong_parameter_is_named_with_what_was_found_and_expected(void **state)
{
    static const struct {
        const char *path, *word;
        int status;
    } cases[] = {
        { "/v1/meters/M1/readings?from=yesterday", "yesterday", 422 },
        { "/v1/meters/M1/readings?from=2026-03-01T00:00:00", "from", 422 },
        { "/v1/meters/M1/readings?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from", 422 },
        { "/v1/meters/M1/readings?channel=sideways", "sideways", 422 },
        { "/v1/meters/M1/readings?limit=0", "limit", 422 },
        { "/v1/meters/M1/readings?limit=many", "many", 422 },
        { "/v1/meters/M1/readings?after=!", "after", 422 },
        { "/v1/meters/M1/readings?form=csv", "form", 400 },
        { "/v1/meters?as_of=x", "as_of", 422 },
        { "/v1/meters?state=sleepy", "sleepy", 422 },
        { "/v1/points/P00001/consumption?to=2026-03-01T00:00:00Z", "from", 422 },
        { "/v1/points/P00001/"
          "consumption?from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z&step=week",
          "week", 422 },
        { "/v1/flags?state=asleep", "asleep", 422 },
        { "/v1/flags?kind=tired", "tired", 422 },
        { "/v1/flags?since=1", "since", 422 },
        { "/v1/meters/M1?x=%zz", "UTF-8", 400 },
        { "/v1/meters/%ff", "UTF-8", 400 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        get_refused(cases[i].path, NULL, cases[i].status, cases[i].word);
}

static void what_nobody_registered_is_404_by_name(void **state)
{
    static const char *const paths[] = {
        "/v1/meters/NOPE",
        "/v1/meters/NOPE/readings",
        "/v1/meters/NOPE/history",
        "/v1/points/NOPE",
        "/v1/zones/NOPE",
        "/v1/routes/NOPE",
        "/v1/orgs/NOPE",
        "/v1/fittings?point=NOPE",
        "/v1/flags/NOPE",
        "/v1/points?zone=NOPE",
        "/v1/points?route=NOPE",
        "/v1/flags?serial=NOPE",
        "/v1/flags?point=NOPE",
        "/v1/replacements?zone=NOPE",
        "/v1/points/NOPE/consumption?from=2026-02-01T00:00:00Z&to=2026-03-01T00:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        get_refused(paths[i], NULL, 404, "NOPE");
    get_refused("/v1/meters/m1", NULL, 404, "m1");
}

static void a_body_that_is_no_object_is_refused_with_its_place(void **state)
{
    struct answer a;
    char *large = (char *)malloc((1 << 20) + 100);

    (void)state;
    http_post(&c, "/v1/meters", JSON_TYPE, "{\"serial\":\n\"X\",}", &a);
    refusal_is(&a, 400, "line 2");
    answer_done(&a);
    http_post(&c, "/v1/meters", JSON_TYPE, "[1]", &a);
    refusal_is(&a, 400, "object");
    answer_done(&a);
    http_post(&c, "/v1/meters", JSON_TYPE, "{\"serial\":\"X\",\"serial\":\"Y\"}", &a);
    refusal_is(&a, 400, NULL);
    answer_done(&a);
    http_post(&c, "/v1/meters", JSON_TYPE, "", &a);
    assert_int_equal(a.status, 422);
    answer_done(&a);
    assert_non_null(large);
    memset(large, ' ', (1 << 20) + 99);
    large[(1 << 20) + 99] = 0;
    http_post(&c, "/v1/meters", JSON_TYPE, large, &a);
    refusal_is(&a, 413, "1048576");
    answer_done(&a);
    free(large);
    json_decref(get("/v1/clock", 200)); /* the connection goes on */
}

/* ---- readings ---- */

#define FEB "/v1/meters/M1/readings?from=2026-02-01T00:00:00Z&to=2026-02-11T00:00:00Z"

static void readings_come_in_order_exactly_and_say_which_take_no_part(void **state)
{
    json_t *list = get(FEB, 200), *row;
    size_t i, suspects = 0;

    (void)state;
    assert_int_equal(row_count(list), 242);
    assert_true(json_is_null(json_object_get(list, "next")));
    for (i = 1; i < row_count(list); i++)
        assert_true(
            strcmp(text_of(row_at(list, i - 1), "time"), text_of(row_at(list, i), "time")) <= 0);
    row = row_at(list, 53); /* 3 February, 05:00: what takes part first, then by channel */
    assert_string_equal(text_of(row, "channel"), "forward");
    assert_true(json_number_value(json_object_get(row, "index_l")) == 1053.3);
    assert_null(json_object_get(row, "suspect"));
    assert_string_equal(text_of(row_at(list, 54), "channel"), "pressure");
    row = row_at(list, 55);
    assert_true(json_is_true(json_object_get(row, "suspect")));
    assert_string_equal(text_of(row, "rule"), "conflict");
    for (i = 0; i < row_count(list); i++) {
        suspects += json_object_get(row_at(list, i), "suspect") != NULL;
        assert_string_equal(text_of(row_at(list, i), "serial"), "M1");
        assert_string_equal(text_of(row_at(list, i), "quality"), "actual");
        assert_string_equal(text_of(row_at(list, i), "source"), "remote");
    }
    assert_int_equal(suspects, 1);
    json_decref(list);
}

static void a_span_holds_its_begin_and_not_its_end(void **state)
{
    json_t *list =
        get("/v1/meters/M1/readings?from=2026-02-01T08:00:00+08:00&to=2026-02-01T02:00:00Z", 200);

    (void)state;
    assert_int_equal(row_count(list), 2);
    assert_string_equal(text_of(row_at(list, 0), "time"), "2026-02-01T00:00:00Z");
    json_decref(list);
    list = get("/v1/meters/M1/readings?from=2026-02-01T00:00:00Z&to=2026-02-01T00:00:00Z", 200);
    assert_int_equal(row_count(list), 0);
    json_decref(list);
    list = get("/v1/meters/M1/readings?channel=pressure", 200);
    assert_int_equal(row_count(list), 1);
    json_decref(list);
}

/* All pages of a list, put together as one array. */
static json_t *pages(const char *path, int limit, size_t *out_pages)
{
    json_t *all = json_array(), *page;
    char next[700] = "", question[1200];

    for (*out_pages = 0; *out_pages < 10000; ++*out_pages) {
        snprintf(question, sizeof question, "%s%climit=%d%s%s", path, strchr(path, '?') ? '&' : '?',
                 limit, *next ? "&after=" : "", next);
        page = get(question, 200);
        assert_true(row_count(page) <= (size_t)limit);
        json_array_extend(all, json_object_get(page, "rows"));
        snprintf(next, sizeof next, "%s", text_of(page, "next"));
        json_decref(page);
        if (!*next)
            return all;
    }
    fail_msg("pages without end: %s", path);
    return NULL;
}

static void pages_put_together_are_the_whole_list(void **state)
{
    static const char *const paths[] = {
        FEB,
        "/v1/points",
        "/v1/meters",
        "/v1/fittings",
        "/v1/zones",
        "/v1/audit",
        "/v1/points/P00001/consumption?from=2026-01-20T00:00:00Z&to="
        "2026-03-01T00:00:00Z&step=day",
        "/v1/meters/M1/history"
    };
    static const int limits[] = { 1, 7, 241, 2500 };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t count;
        json_t *whole = pages(paths[i], 100000, &count);

        assert_true(json_array_size(whole) > 0);
        for (size_t k = json_array_size(whole) > 300; k < 4; k++) {
            json_t *parts = pages(paths[i], limits[k], &count);

            if (!json_equal(parts, whole))
                fail_msg("%s with limit=%d: %zu rows in pages, %zu at once, or others", paths[i],
                         limits[k], json_array_size(parts), json_array_size(whole));
            json_decref(parts);
        }
        json_decref(whole);
    }
}

/* The rows of NDJSON, after its last line was held against their number. */
static json_t *ndjson(const struct answer *a)
{
    json_t *rows = json_array(), *last;
    char *text = strdup(a->body), *rest = text, *line;

    assert_true(a->len > 0 && a->body[a->len - 1] == '\n');
    while ((line = strsep(&rest, "\n")) && *line)
        json_array_append_new(rows, json_loads(line, 0, NULL));
    free(text);
    last = json_array_get(rows, json_array_size(rows) - 1);
    assert_true(json_is_true(json_object_get(last, "end")));
    assert_int_equal(json_integer_value(json_object_get(last, "rows")), json_array_size(rows) - 1);
    json_array_remove(rows, json_array_size(rows) - 1);
    return rows;
}

static void ndjson_has_the_same_rows_and_ends_with_their_number(void **state)
{
    static const char *const paths[] = { FEB, "/v1/points", "/v1/meters", "/v1/audit" };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t count;
        json_t *whole = pages(paths[i], 100000, &count), *rows;
        struct answer a;
        char room[256];

        http_get(&c, paths[i], "application/x-ndjson", &a);
        assert_int_equal(a.status, 200);
        assert_true(a.whole && a.chunked);
        assert_string_equal(answer_field(&a, "Content-Type", room), "application/x-ndjson");
        rows = ndjson(&a);
        assert_true(json_equal(rows, whole));
        json_decref(rows);
        json_decref(whole);
        answer_done(&a);
    }
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void csv_has_a_header_a_line_for_each_row_and_the_trailer(void **state)
{
    struct answer a;
    char room[256];

    (void)state;
    http_get(&c, "/v1/points", "text/csv", &a);
    assert_int_equal(a.status, 200);
    assert_true(a.whole && a.chunked);
    assert_string_equal(answer_field(&a, "Trailer", room), "X-Rows");
    assert_int_equal(strncmp(a.body, "point,account,address,", 22), 0);
    assert_non_null(answer_field(&a, "X-Rows", room));
    assert_int_equal(atoi(room), lines_of(a.body) - 1);
    assert_true(atoi(room) >= MANY);
    answer_done(&a);
    http_get(&c, FEB, "text/csv", &a);
    assert_int_equal(
        strncmp(a.body, "serial,channel,time,index_l,source,quality,retimed,suspect,rule\r\n", 65),
        0);
    assert_non_null(strstr(
        a.body, "M1,forward,2026-02-03T05:00:00Z,99999999,remote,actual,,true,conflict\r\n"));
    assert_string_equal(answer_field(&a, "X-Rows", room), "242");
    answer_done(&a);
}

/* ---- the register ---- */

static void rows_of_the_register_have_numbers_as_numbers(void **state)
{
    json_t *row = get("/v1/meters/M1", 200);

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(row, "dn")), 20);
    assert_true(json_number_value(json_object_get(row, "q3")) == 2.5);
    assert_string_equal(text_of(row, "state"), "running");
    assert_string_equal(text_of(row, "point"), "P00001");
    assert_string_equal(text_of(row, "last_reading_at"), "2026-02-10T23:00:00Z");
    assert_true(json_number_value(json_object_get(row, "last_index_l")) == 1239.9);
    json_decref(row);
    row = get("/v1/meters/M2", 200);
    assert_string_equal(text_of(row, "state"), "in-stock");
    assert_true(json_is_null(json_object_get(row, "point")));
    json_decref(row);
    row = get("/v1/meters/10%3Aa-b_.", 200);
    assert_string_equal(text_of(row, "serial"), "10:a-b_.");
    json_decref(row);
    row = get("/v1/zones/Z1", 200);
    assert_true(json_number_value(json_object_get(row, "mains_km")) == 12.5);
    json_decref(row);
    row = get("/v1/points/P00001", 200);
    assert_string_equal(text_of(row, "serial"), "M1");
    json_decref(row);
    row = get("/v1/points/P00002", 200);
    assert_true(json_is_null(json_object_get(row, "serial")));
    json_decref(row);
}

static void lists_are_filtered_by_what_is_asked(void **state)
{
    json_t *list = get("/v1/meters?state=running", 200);
    size_t count;

    (void)state;
    assert_int_equal(row_count(list), 1);
    assert_string_equal(text_of(row_at(list, 0), "serial"), "M1");
    json_decref(list);
    list = get("/v1/meters?state=in-stock&as_of=2026-03-09T00:00:00Z", 200);
    json_decref(list);
    list = pages("/v1/points?zone=Z1", 100000, &count);
    assert_int_equal(json_array_size(list), MANY / 2);
    json_decref(list);
    list = get("/v1/fittings?serial=M1", 200);
    assert_int_equal(row_count(list), 1);
    assert_string_equal(text_of(row_at(list, 0), "from"), "2026-01-31T16:00:00Z");
    assert_true(json_number_value(json_object_get(row_at(list, 0), "start_index_l")) == 1000);
    json_decref(list);
    list = get("/v1/fittings?point=P00002", 200);
    assert_int_equal(row_count(list), 0);
    json_decref(list);
}

static void fittings_of_a_point_stand_by_from_and_the_meter_was_where_it_was(void **state)
{
    json_t *list;

    (void)state;
    import("meters", "serial,dn,q3\nF1,20,2.5\nF2,20,2.5\n");
    import("fittings", "point,serial,from,start_index_l,to,end_index_l,reason\n"
                       "P00009,F2,2026-02-01T00:00:00Z,0,,,\n"
                       "P00009,F1,2026-01-01T00:00:00Z,0,2026-02-01T00:00:00Z,500,worn\n");
    list = get("/v1/fittings?point=P00009", 200);
    assert_int_equal(row_count(list), 2);
    assert_string_equal(text_of(row_at(list, 0), "serial"), "F1");
    assert_string_equal(text_of(row_at(list, 0), "reason"), "worn");
    assert_string_equal(text_of(row_at(list, 0), "to"), "2026-02-01T00:00:00Z");
    assert_string_equal(text_of(row_at(list, 1), "serial"), "F2");
    json_decref(list);
    list = get("/v1/meters/F1", 200);
    assert_string_equal(text_of(list, "state"), "removed");
    assert_true(json_is_null(json_object_get(list, "point")));
    json_decref(list);
    list = get("/v1/meters/F1/history", 200);
    assert_string_equal(text_of(row_at(list, row_count(list) - 1), "event"), "remove");
    assert_string_equal(text_of(row_at(list, row_count(list) - 1), "state"), "removed");
    json_decref(list);
    list = get("/v1/fittings?point=P00009&as_of=2026-01-15T00:00:00Z", 200);
    assert_int_equal(row_count(list), 1);
    assert_true(json_is_null(json_object_get(row_at(list, 0), "to")));
    json_decref(list);
}

static void consumption_is_one_row_or_a_row_for_each_step(void **state)
{
    json_t *one =
        get("/v1/points/P00001/consumption?from=2026-02-02T00:00:00Z&to=2026-02-03T00:00:00Z", 200);
    json_t *list =
        get("/v1/points/P00001/consumption?from=2026-02-02T00:00:00Z&to=2026-02-03T00:00:"
            "00Z&step=hour",
            200);
    double sum = 0;

    (void)state;
    assert_string_equal(text_of(one, "point"), "P00001");
    assert_true(json_number_value(json_object_get(one, "consumption_l")) == 24.4);
    assert_int_equal(json_integer_value(json_object_get(one, "billed_m3")), 0);
    assert_string_equal(text_of(one, "quality"), "actual");
    assert_int_equal(json_array_size(json_object_get(one, "parts")), 1);
    assert_int_equal(row_count(list), 24);
    for (size_t i = 0; i < 24; i++)
        sum += json_number_value(json_object_get(row_at(list, i), "consumption_l"));
    assert_true(sum > 24.399 && sum < 24.401);
    json_decref(one);
    json_decref(list);
}

static void audit_tells_who_did_what(void **state)
{
    size_t count;
    json_t *all = pages("/v1/audit", 100000, &count), *none;
    json_t *first = json_array_get(all, 0);

    (void)state;
    assert_true(json_array_size(all) > 3);
    assert_true(*text_of(first, "who") && *text_of(first, "what") && *text_of(first, "at"));
    none = get("/v1/audit?since=2026-03-10T00:00:01Z", 200);
    assert_int_equal(row_count(none), 0);
    json_decref(none);
    json_decref(all);
}

static void stat_clock_and_lists_of_frames_answer(void **state)
{
    json_t *j = get("/v1/stat", 200);

    (void)state;
    assert_true(json_integer_value(json_object_get(j, "points")) >= MANY);
    assert_true(json_integer_value(json_object_get(j, "readings")) >= 242);
    json_decref(j);
    j = get("/v1/clock", 200);
    assert_string_equal(text_of(j, "now"), NOW);
    assert_true(json_is_true(json_object_get(j, "virtual")));
    json_decref(j);
    json_decref(get("/v1/quarantine", 200));
    json_decref(get("/v1/rejects", 200));
    json_decref(get("/v1/flags", 200));
    json_decref(get("/v1/flags?kind=silent", 200));
    json_decref(get("/v1/replacements", 200));
    json_decref(get("/v1/boundaries", 200));
    json_decref(get("/v1/orgs", 200));
}

static void metrics_are_what_prometheus_reads(void **state)
{
    struct answer a;
    char room[256], *rest, *line;
    size_t values = 0;

    (void)state;
    http_get(&c, "/metrics", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(
        strncmp(answer_field(&a, "Content-Type", room), "text/plain; version=0.0.4", 25), 0);
    rest = a.body;
    while ((line = strsep(&rest, "\n")) && *line) {
        char name[200];
        double value;

        if (*line == '#') {
            assert_true(strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0);
            continue;
        }
        if (sscanf(line, "%199s %lf", name, &value) != 2 || strncmp(name, "nilo_", 5) != 0)
            fail_msg("no figure: %s", line);
        values++;
    }
    assert_true(values > 40);
    answer_done(&a);
}

/* ---- imports ---- */

static void an_import_with_a_bad_row_writes_nothing_and_says_where(void **state)
{
    static const char file[] = "serial,dn,q3\nI1,20,2.5\nI2,twenty,2.5\n";
    struct answer a;
    json_t *j;

    (void)state;
    http_post(&c, "/v1/import/meters", CSV_TYPE, file, &a);
    refusal_is(&a, 422, "twenty");
    j = answer_json(&a);
    assert_int_equal(json_integer_value(json_object_get(j, "refused")), 1);
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(j, "refusals"), 0), "line")),
                     3);
    json_decref(j);
    answer_done(&a);
    get_refused("/v1/meters/I1", NULL, 404, "I1");
    http_post(&c, "/v1/import/meters?dry_run=1&keep_going=1", CSV_TYPE, file, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    get_refused("/v1/meters/I1", NULL, 404, "I1");
    http_post(&c, "/v1/import/meters?keep_going=1", CSV_TYPE, file, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    json_decref(get("/v1/meters/I1", 200));
    http_post(&c, "/v1/import/nonsense", CSV_TYPE, file, &a);
    refusal_is(&a, 404, "nonsense");
    answer_done(&a);
    http_post(&c, "/v1/import/readings?times_in=Mars/Base", CSV_TYPE, "serial,time,index_l\n", &a);
    refusal_is(&a, 422, "Mars/Base");
    answer_done(&a);
}

#define BIG_ROWS 100000

/* A meter with so many readings that their stream does not fit into any buffer on its way; its file
 * comes in chunks. */
static void make_big(struct client *by, struct answer *out)
{
    size_t cap = BIG_ROWS * 40 + 100;
    char *file = (char *)malloc(cap), *at = file;

    assert_non_null(file);
    import_by(by, "meters", "serial,dn,q3\nBIG,20,2.5\n");
    at += sprintf(at, "serial,time,index_l\n");
    for (size_t i = 0; i < BIG_ROWS; i++)
        at += sprintf(at, "BIG,%04zu-%02zu-%02zuT%02zu:%02zu:00Z,%zu\n", 2010 + i / 10000,
                      1 + i / 1000 % 10, 1 + i / 50 % 20, i / 5 % 10 + 5, i % 5 * 7, i);
    client_ask(by, "POST", "/v1/import/readings", CSV_TYPE "Transfer-Encoding: chunked\r\n", NULL,
               0);
    for (char *from = file; from < at; from += 50000) {
        size_t len = (size_t)(at - from) < 50000 ? (size_t)(at - from) : 50000;
        char size[20];

        client_send(by, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", len));
        client_send(by, from, len);
        client_send(by, "\r\n", 2);
    }
    client_send(by, "0\r\n\r\n", 5);
    client_answer(by, "POST", out);
    free(file);
}

static void a_large_import_in_chunks_is_spooled_and_taken(void **state)
{
    struct answer a;
    json_t *j;

    (void)state;
    make_big(&c, &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    j = answer_json(&a);
    assert_int_equal(json_integer_value(json_object_get(j, "rows")), BIG_ROWS);
    json_decref(j);
    answer_done(&a);
    http_get(&c, "/v1/meters/BIG/readings", "application/x-ndjson", &a);
    assert_true(a.whole);
    assert_int_equal(lines_of(a.body), BIG_ROWS + 1);
    answer_done(&a);
}

/* ---- the same request again ---- */

static void post_with_key(struct client *from, const char *path, const char *body, const char *key,
                          struct answer *a)
{
    char fields[400];

    snprintf(fields, sizeof fields, JSON_TYPE "Idempotency-Key: %s\r\n", key);
    http_post(from, path, fields, body, a);
}

static void a_key_gives_the_same_answer_again_also_after_a_kill(void **state)
{
    struct nilod own = { .clock = NOW };
    struct answer first, again;
    struct client mine;
    static const char body[] = "{\"serial\":\"K1\",\"dn\":20,\"q3\":2.5}";

    (void)state;
    nilod_start(&own);
    client_open(&mine, own.http_host, own.http_port, own.token);
    post_with_key(&mine, "/v1/meters", body, "key-1", &first);
    assert_int_equal(first.status, 201);
    post_with_key(&mine, "/v1/meters", body, "key-1", &again);
    assert_int_equal(again.status, 201);
    assert_string_equal(again.body, first.body);
    answer_done(&again);
    http_post(&mine, "/v1/meters", JSON_TYPE, body, &again); /* without the key it is judged anew */
    assert_int_equal(again.status, 200);
    answer_done(&again);
    post_with_key(&mine, "/v1/meters", "{\"serial\":\"K2\",\"dn\":20,\"q3\":2.5}", "key-1", &again);
    refusal_is(&again, 422, "Idempotency-Key");
    answer_done(&again);
    client_close(&mine);
    nilod_kill(&own);
    nilod_start(&own); /* on the same ports, at once */
    client_open(&mine, own.http_host, own.http_port, own.token);
    post_with_key(&mine, "/v1/meters", body, "key-1", &again);
    assert_int_equal(again.status, 201);
    assert_string_equal(again.body, first.body);
    answer_done(&again);
    answer_done(&first);
    client_close(&mine);
    nilod_stop(&own);
}

static void a_refused_request_leaves_its_key_free(void **state)
{
    struct answer a;

    (void)state;
    post_with_key(&c, "/v1/meters", "{\"serial\":\"K3\"}", "key-3", &a);
    assert_int_equal(a.status, 422);
    answer_done(&a);
    post_with_key(&c, "/v1/meters", "{\"serial\":\"K3\",\"dn\":20,\"q3\":2.5}", "key-3", &a);
    assert_int_equal(a.status, 201);
    answer_done(&a);
}

static bool file_tells(const char *path, const char *secret)
{
    struct span bytes = check_read(path);
    bool tells = memmem(bytes.at, bytes.len, secret, strlen(secret)) != NULL;

    free((void *)bytes.at);
    return tells;
}

/* The answer to a repeat is kept, but not so that who has the files has the token. */
static void a_token_is_told_again_under_its_key_and_not_by_the_store(void **state)
{
    static const char body[] = "{\"role\":\"viewer\",\"name\":\"wall\"}";
    struct answer first, again;
    char token[64], path[600];
    const char *at;

    (void)state;
    post_with_key(&c, "/v1/tokens", body, "key-token", &first);
    assert_int_equal(first.status, 201);
    assert_non_null(at = strstr(first.body, "\"token\":\""));
    snprintf(token, sizeof token, "%.43s", at + strlen("\"token\":\""));
    post_with_key(&c, "/v1/tokens", body, "key-token", &again);
    assert_int_equal(again.status, 201);
    assert_string_equal(again.body, first.body);
    answer_done(&again);
    answer_done(&first);
    snprintf(path, sizeof path, "%s/ledger.mdb", n.store);
    assert_false(file_tells(path, token));
}

static void a_file_under_a_key_is_imported_once(void **state)
{
    static const char fields[] = CSV_TYPE "Idempotency-Key: file-1\r\n";
    static const char file[] = "serial,dn,q3\nFK1,20,2.5\n", other[] = "serial,dn,q3\nFK2,20,2.5\n";
    struct answer first, again;

    (void)state;
    http_post(&c, "/v1/import/meters", fields, file, &first);
    assert_int_equal(first.status, 200);
    http_post(&c, "/v1/import/meters", fields, file, &again);
    assert_int_equal(again.status, 200);
    assert_string_equal(again.body, first.body); /* "written":1, as the first time */
    answer_done(&again);
    http_post(&c, "/v1/import/meters", fields, other, &again);
    refusal_is(&again, 422, "Idempotency-Key");
    answer_done(&again);
    http_post(&c, "/v1/import/meters?keep_going=1", fields, file, &again);
    refusal_is(&again, 422, "Idempotency-Key");
    answer_done(&again);
    get_refused("/v1/meters/FK2", NULL, 404, "FK2");
    answer_done(&first);
}

#define RACERS 8

struct racer {
    pthread_t thread;
    struct answer answer;
    const char *body;
};

static void *race(void *arg)
{
    struct racer *r = (struct racer *)arg;
    struct client mine;

    client_open(&mine, n.http_host, n.http_port, n.token);
    post_with_key(&mine, "/v1/tokens", r->body, "race", &r->answer);
    client_close(&mine);
    return NULL;
}

static void requests_of_one_key_at_one_moment_happen_once(void **state)
{
    struct racer racers[RACERS] = { 0 };

    (void)state;
    for (int i = 0; i < RACERS; i++) {
        racers[i].body = "{\"role\":\"viewer\",\"name\":\"racer\"}";
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(racers[i].answer.status, 201);
        assert_string_equal(racers[i].answer.body, racers[0].answer.body);
    }
    for (int i = 0; i < RACERS; i++)
        answer_done(&racers[i].answer);
}

/* ---- rude clients ---- */

static void nonsense_is_refused_or_left_alone_and_harms_nobody(void **state)
{
    static const char *const rude[] = {
        "\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET v1/meters HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/meters\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n: empty\r\n\r\n",
        "POST /v1/meters HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
        "POST /v1/meters HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        "POST /v1/meters HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: "
        "6\r\n\r\nhello",
        "POST /v1/meters HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /v1/import/meters HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "chunked\r\n\r\nffffffffffffffffff\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rude / sizeof rude[0]; i++) {
        struct client mine;
        struct answer a;

        client_open(&mine, n.http_host, n.http_port, NULL);
        client_wait(&mine,
                    500); /* an unfinished request may be waited for until the idle time-out */
        client_send(&mine, rude[i], strlen(rude[i]));
        shutdown(mine.fd, SHUT_WR);
        client_answer(&mine, "GET", &a);
        if (a.status && a.status / 100 != 4 && a.status / 100 != 5 && a.status != 200)
            fail_msg("%s: %d", rude[i], a.status);
        answer_done(&a);
        client_close(&mine);
        json_decref(get("/v1/clock", 200));
    }
}

static void a_body_whose_end_two_readers_see_elsewhere_is_no_request(void **state)
{
    static const struct {
        const char *fields, *told;
    } cases[] = {
        { "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}", "Content-Length" },
        { "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", "Content-Length" },
        { "Content-Length : 39\r\n\r\nPOST /v1/settle HTTP/1.1\r\nHost: x\r\n\r\n", "space" },
        { "Transfer-Encoding\t: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "space" },
        { "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "chunked" },
        { "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "chunked" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client mine;
        struct answer a;
        char head[300];

        client_open(&mine, n.http_host, n.http_port, n.token);
        client_send(&mine, head,
                    (size_t)snprintf(head, sizeof head,
                                     "POST /v1/settle HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                                     "%s\r\n%s",
                                     n.token, cases[i].fields));
        client_answer(&mine, "POST", &a);
        refusal_is(&a, 400, cases[i].told);
        assert_true(client_is_closed(&mine));
        answer_done(&a);
        client_close(&mine);
    }
}

static void a_head_larger_than_its_limit_is_refused(void **state)
{
    struct client mine;
    struct answer a;
    char *field = (char *)malloc(100000);

    (void)state;
    assert_non_null(field);
    memset(field, 'x', 99998);
    memcpy(field, "X: ", 3);
    memcpy(field + 99997, "\r\n", 3);
    client_open(&mine, n.http_host, n.http_port, n.token);
    client_ask(&mine, "GET", "/v1/clock", field, NULL, 0);
    client_answer(&mine, "GET", &a);
    if (a.status != 431 && a.status != 413 && a.status != 400 && a.status != 0)
        fail_msg("found %d", a.status);
    answer_done(&a);
    client_close(&mine);
    client_open(&mine, n.http_host, n.http_port, n.token);
    memset(field, 'a', 5000);
    memcpy(field, "/v1/meters/", 11);
    field[5000] = 0;
    client_ask(&mine, "GET", field, NULL, NULL, 0);
    client_answer(&mine, "GET", &a);
    refusal_is(&a, 414, "4096");
    answer_done(&a);
    client_close(&mine);
    free(field);
}

static void a_refused_upload_is_told_before_it_is_sent(void **state)
{
    struct client mine;
    struct answer a;

    (void)state;
    client_open(&mine, n.http_host, n.http_port, NULL);
    client_ask(&mine, "POST", "/v1/import/readings",
               "Expect: 100-continue\r\nContent-Length: 1000000000\r\n", NULL, 0);
    client_answer(&mine, "POST", &a);
    refusal_is(&a, 401, NULL);
    answer_done(&a);
    client_close(&mine);
}

static void requests_in_one_packet_are_answered_in_order(void **state)
{
    char both[600];
    struct answer a;

    (void)state;
    snprintf(both, sizeof both,
             "GET /v1/meters/M1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
             "GET /v1/meters/M2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
             n.token, n.token);
    client_send(&c, both, strlen(both));
    client_answer(&c, "GET", &a);
    assert_non_null(strstr(a.body, "\"M1\""));
    answer_done(&a);
    client_answer(&c, "GET", &a);
    assert_non_null(strstr(a.body, "\"M2\""));
    answer_done(&a);
}

/* The largest time that a quick read took while `during` went on. */
static int64_t worst_read_ms(int reads)
{
    int64_t worst = 0;

    for (int i = 0; i < reads; i++) {
        int64_t began = now_ms();

        json_decref(get("/v1/meters/M1", 200));
        if (now_ms() - began > worst)
            worst = now_ms() - began;
    }
    return worst;
}

#define SLOW_READERS 64

static void readers_that_do_not_read_delay_nobody_and_get_all_in_the_end(void **state)
{
    struct client slow[SLOW_READERS];
    struct answer a;

    (void)state;
    make_big(&c, &a);
    answer_done(&a);
    for (int i = 0; i < SLOW_READERS; i++) {
        client_open(&slow[i], n.http_host, n.http_port, n.token);
        client_ask(&slow[i], "GET", "/v1/meters/BIG/readings", "Accept: application/x-ndjson\r\n",
                   NULL, 0);
    }
    assert_true(worst_read_ms(200) < 2000);
    client_answer(&slow[0], "GET", &a);
    assert_true(a.whole);
    assert_int_equal(lines_of(a.body), BIG_ROWS + 1);
    answer_done(&a);
    for (int i = 0; i < SLOW_READERS; i++)
        client_close(&slow[i]); /* in the middle of their streams */
    assert_true(worst_read_ms(50) < 2000);
}

#define IDLE 10000

static void ten_thousand_idle_connections_leave_room_for_one_more(void **state)
{
    struct rlimit limit;
    int *fds = (int *)malloc(IDLE * sizeof *fds);
    struct client one;
    int64_t began;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < IDLE + 600) {
        print_message("the hard limit of descriptors is %lu: fewer than this test needs\n",
                      (unsigned long)limit.rlim_max);
        free(fds);
        skip();
    }
    assert_non_null(fds);
    for (int i = 0; i < IDLE; i++) {
        struct client idle;

        client_open(&idle, n.http_host, n.http_port, NULL);
        fds[i] = idle.fd;
    }
    began = now_ms();
    client_open(&one, n.http_host, n.http_port, n.token);
    for (int i = 0; i < 20; i++) {
        struct answer a;

        http_get(&one, "/v1/meters/M1", NULL, &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    assert_true(now_ms() - began < 5000);
    client_close(&one);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
    free(fds);
}

static void *import_again_and_again(void *arg)
{
    struct client mine;
    size_t cap = 2 << 20;
    char *file = (char *)malloc(cap), *at = file;

    (void)arg;
    at += sprintf(at, "serial,time,index_l\n");
    for (int i = 0; i < 30000; i++)
        at += sprintf(at, "BIG,2025-%02d-%02dT%02d:%02d:30Z,%d\n", 1 + i / 2500, 1 + i / 100 % 25,
                      i / 5 % 20, i % 5 * 11, i);
    client_open(&mine, n.http_host, n.http_port, n.token);
    client_wait(&mine, 120000); /* not what is claimed: with sanitizers, on a busy machine */
    import_by(&mine, "meters", "serial,dn,q3\nBIG,20,2.5\n");
    for (int i = 0; i < 3; i++) {
        struct answer a;

        http_post(&mine, "/v1/import/readings", CSV_TYPE, file, &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
        http_post(&mine, "/v1/settle", JSON_TYPE, "{}", &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    client_close(&mine);
    free(file);
    return NULL;
}

static void a_long_import_delays_no_read(void **state)
{
    pthread_t thread;
    int64_t worst = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, import_again_and_again, NULL), 0);
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
        int64_t ms = worst_read_ms(20);

        worst = ms > worst ? ms : worst;
    }
    print_message("the slowest read during imports and settling took %lld ms\n", (long long)worst);
    assert_true(worst < 1000);
}

/* ---- the end, and the door ---- */

static void a_stream_under_way_does_not_keep_the_server_from_ending(void **state)
{
    struct nilod own = { .clock = NOW };
    struct client mine, idle;
    struct answer a;

    (void)state;
    nilod_start(&own);
    client_open(&mine, own.http_host, own.http_port, own.token);
    client_open(&idle, own.http_host, own.http_port, own.token);
    make_big(&mine, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    client_ask(&mine, "GET", "/v1/meters/BIG/readings", "Accept: application/x-ndjson\r\n", NULL,
               0);
    http_get(&idle, "/v1/meters/BIG", NULL, &a);
    answer_done(&a);
    nilod_stop(&own);
    client_answer(&mine, "GET", &a);
    if (a.whole)
        assert_non_null(strstr(a.body, "{\"end\":true"));
    else
        assert_null(strstr(a.body, "{\"end\":true")); /* never cut short in silence */
    answer_done(&a);
    client_close(&mine);
    client_close(&idle);
}

static void a_public_address_without_a_certificate_is_refused(void **state)
{
    char said[1000], store[600];

    (void)state;
    snprintf(store, sizeof store, "%s/public", check_folder());
    assert_true(nilod_run(said, sizeof said, "--store", store, "--coap", "off", "--coaps", "off",
                          "--http", "0.0.0.0:0") != 0);
    assert_non_null(strstr(said, "0.0.0.0:0"));
    assert_non_null(strstr(said, "http-cert"));
}

static void behind_a_proxy_and_on_two_addresses_it_listens(void **state)
{
    struct nilod own = {
        .clock = NOW, .extra = { "--http-behind-proxy", "--http", "0.0.0.0:0", "--http", "[::1]:0" }
    };
    struct client mine;
    struct answer a;

    (void)state;
    nilod_start(&own);
    client_open(&mine, own.http_host, own.http_port, own.token);
    http_get(&mine, "/v1/clock", NULL, &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    client_close(&mine);
    nilod_stop(&own);
}

static void https_is_spoken_where_a_certificate_is_given(void **state)
{
    char cert[600], key[600], command[2400], said[64] = "";
    const char *folder = check_folder();
    struct nilod own = { .clock = NOW };
    FILE *f;

    (void)state;
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout %s "
             "-out %s -days 2 -subj /CN=localhost >/dev/null 2>&1 && curl --version >/dev/null",
             key, cert);
    if (system(command)) {
        print_message("openssl or curl is missing\n");
        skip();
    }
    own.extra[0] = "--http-cert";
    own.extra[1] = cert;
    own.extra[2] = "--http-key";
    own.extra[3] = key;
    nilod_start(&own);
    snprintf(command, sizeof command, "curl -sk --max-time 20 https://127.0.0.1:%d/healthz",
             own.http_port);
    f = popen(command, "re");
    assert_non_null(f);
    assert_true(fread(said, 1, sizeof said - 1, f) > 0);
    pclose(f);
    assert_string_equal(said, "ok\n");
    nilod_stop(&own);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_token_nothing_of_v1_is_told),
        cmocka_unit_test(health_metrics_and_description_need_no_token),
        cmocka_unit_test(every_described_path_is_there),
        cmocka_unit_test(a_role_may_what_the_rules_say_and_is_named_where_it_may_not),
        cmocka_unit_test(wrong_paths_methods_and_forms_are_told_apart),
        cmocka_unit_test(head_tells_the_length_and_sends_no_body),
        cmocka_unit_test(head_of_a_stream_ends_with_its_fields),
        cmocka_unit_test(a_wrong_parameter_is_named_with_what_was_found_and_expected),
        cmocka_unit_test(what_nobody_registered_is_404_by_name),
        cmocka_unit_test(a_body_that_is_no_object_is_refused_with_its_place),
        cmocka_unit_test(readings_come_in_order_exactly_and_say_which_take_no_part),
        cmocka_unit_test(a_span_holds_its_begin_and_not_its_end),
        cmocka_unit_test(pages_put_together_are_the_whole_list),
        cmocka_unit_test(ndjson_has_the_same_rows_and_ends_with_their_number),
        cmocka_unit_test(csv_has_a_header_a_line_for_each_row_and_the_trailer),
        cmocka_unit_test(rows_of_the_register_have_numbers_as_numbers),
        cmocka_unit_test(lists_are_filtered_by_what_is_asked),
        cmocka_unit_test(fittings_of_a_point_stand_by_from_and_the_meter_was_where_it_was),
        cmocka_unit_test(consumption_is_one_row_or_a_row_for_each_step),
        cmocka_unit_test(audit_tells_who_did_what),
        cmocka_unit_test(stat_clock_and_lists_of_frames_answer),
        cmocka_unit_test(metrics_are_what_prometheus_reads),
        cmocka_unit_test(an_import_with_a_bad_row_writes_nothing_and_says_where),
        cmocka_unit_test(a_large_import_in_chunks_is_spooled_and_taken),
        cmocka_unit_test(a_key_gives_the_same_answer_again_also_after_a_kill),
        cmocka_unit_test(a_refused_request_leaves_its_key_free),
        cmocka_unit_test(a_token_is_told_again_under_its_key_and_not_by_the_store),
        cmocka_unit_test(a_file_under_a_key_is_imported_once),
        cmocka_unit_test(requests_of_one_key_at_one_moment_happen_once),
        cmocka_unit_test(nonsense_is_refused_or_left_alone_and_harms_nobody),
        cmocka_unit_test(a_body_whose_end_two_readers_see_elsewhere_is_no_request),
        cmocka_unit_test(a_head_larger_than_its_limit_is_refused),
        cmocka_unit_test(a_refused_upload_is_told_before_it_is_sent),
        cmocka_unit_test(requests_in_one_packet_are_answered_in_order),
        cmocka_unit_test(readers_that_do_not_read_delay_nobody_and_get_all_in_the_end),
        cmocka_unit_test(ten_thousand_idle_connections_leave_room_for_one_more),
        cmocka_unit_test(a_long_import_delays_no_read),
        cmocka_unit_test(a_stream_under_way_does_not_keep_the_server_from_ending),
        cmocka_unit_test(a_public_address_without_a_certificate_is_refused),
        cmocka_unit_test(behind_a_proxy_and_on_two_addresses_it_listens),
        cmocka_unit_test(https_is_spoken_where_a_certificate_is_given),
    };

    check_begin(argc, argv);
    return _cmocka_run_group_tests("http", tests, sizeof tests / sizeof tests[0], set_up,
                                   tear_down);
}
