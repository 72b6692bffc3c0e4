/* A new brand needs a file, no code and no restart: frames that waited for its recipe are read when it comes, and still after a
 * restart; what a recipe states must come out, or it is refused with the difference. */
#include "tests/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/hex.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#define BRAND(version, more, gives)                                                                \
    "recipe newbrand\nversion " version "\ntitle A new brand\nsource its maker\ncarrier oms\n"     \
    "match oms NEW 01 07 ci A3\nform u8\nif form == 1\n litres u32\n reading litres 1 L\n" more    \
    "else\n unknown this form\nend\nsample twelve litres\n bytes 01 0c000000\n"                    \
    " arrived 2026-03-01T00:00:00Z\n gives " gives " L\nend\n"

#define TELEGRAM "44 b738 78563412 01 07 a3" /* C M ID V T CI; before it the length */

/* POST to `path` of CoAP, "m=…" as query where given; the code of the answer. */
static unsigned push(const struct nilod *n, const char *path, const char *query, const char *hex)
{
    struct message *m = calloc(1, sizeof *m);
    struct heard heard;
    struct probe p;
    uint8_t bytes[256];
    char port[8];
    size_t len;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    snprintf(port, sizeof port, "%d", n->coap_port);
    probe_open(&p, n->coap_host, port, NULL);
    message_begin(m, PROBE_CON, PROBE_POST, 1, span_text("t"));
    message_path(m, path);
    if (query)
        message_option(m, PROBE_URI_QUERY, span_text(query));
    message_payload(m, span_of(bytes, len));
    probe_ask(&p, m, &heard);
    probe_close(&p);
    free(m);
    return heard.code;
}

/* The body's answer has `expected` in it. */
static void ask(const struct nilod *n, const char *path, const char *fields, const char *body,
                int status, const char *expected)
{
    struct client c = { 0 };
    struct answer a;

    client_open(&c, n->http_host, n->http_port, n->token);
    if (body)
        http_post(&c, path, fields, body, &a);
    else
        http_get(&c, path, NULL, &a);
    if (a.status != status || !strstr(a.body, expected))
        fail_msg("%s: expected %d with %s, found %d %s", path, status, expected, a.status, a.body);
    answer_done(&a);
    client_close(&c);
}

static void meter_has(const struct nilod *n, const char *index)
{
    char expected[64];

    snprintf(expected, sizeof expected, "\"index_l\":%s,", index);
    ask(n, "/v1/meters/12345678/readings?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", NULL,
        NULL, 200, expected);
}

static void a_new_brand_needs_a_file_and_no_restart(void **state)
{
    struct nilod n = { .clock = "2026-03-01T00:00:00Z" };

    (void)state;
    nilod_start(&n);
    ask(&n, "/v1/meters", NULL, "{\"serial\":\"12345678\",\"dn\":15,\"q3\":2.5}", 201, "");
    assert_int_equal(push(&n, "r/oms", NULL, "0f " TELEGRAM " 01 0c000000"), PROBE_CODE(2, 4));
    assert_int_equal(push(&n, "r/newbrand", "m=12345678", "01 0d000000"), PROBE_CODE(4, 15));
    ask(&n, "/v1/settle", NULL, "{}", 200, "");
    ask(&n, "/v1/quarantine", NULL, NULL, 200, "\"why\":\"no_recipe\"");

    ask(&n, "/v1/recipes", NULL, "recipe newbrand\nversion x\n", 422, "line 2, column 9");
    ask(&n, "/v1/recipes", NULL, BRAND("1", "", "13"), 422,
        "'gives 13 L at 2026-03-01T00:00:00Z' did not come out");
    ask(&n, "/v1/recipes/newbrand", NULL, NULL, 404, "no recipe of that name");
    ask(&n, "/v1/recipes", "Content-Type: text/plain\r\n", BRAND("1", "", "12"), 201,
        "\"released\":1");
    meter_has(&n, "12");
    ask(&n, "/v1/recipes", NULL, BRAND("1", "", "12"), 200, "\"added\":false");
    ask(&n, "/v1/recipes", NULL, BRAND("1", "#\n", "12"), 409, "higher version");
    ask(&n, "/v1/recipes", NULL, NULL, 200,
        "\"name\":\"newbrand\",\"version\":1,\"title\":\"A new brand\"");
    ask(&n, "/v1/recipes", NULL, NULL, 200,
        "\"matches\":\"NEW 01 07 ci A3\",\"added\":true,\"samples\":1");
    ask(&n, "/v1/recipes/newbrand", NULL, NULL, 200, "reading litres 1 L");
    ask(&n, "/v1/audit", NULL, NULL, 200, "recipe.add");
    assert_int_equal(push(&n, "r/newbrand", "m=12345678", "01 0d000000"), PROBE_CODE(2, 4));
    meter_has(&n, "13");

    /* A form that its newest version tells: it waits until then, over a restart. */
    assert_int_equal(push(&n, "r/newbrand", "m=12345678", "02 0e00"), PROBE_CODE(2, 4));
    nilod_kill(&n);
    nilod_start(&n);
    assert_int_equal(push(&n, "r/newbrand", "m=12345678", "01 0f000000"), PROBE_CODE(2, 4));
    meter_has(&n, "15");
    ask(&n, "/v1/settle", NULL, "{}", 200, "");
    ask(&n, "/v1/quarantine", NULL, NULL, 200, "\"dialect\":\"newbrand\"");
    ask(&n, "/v1/recipes", NULL,
        "{\"text\":\"recipe newbrand\\nversion 2\\ntitle A new brand\\nsource its maker\\ncarrier "
        "oms\\n"
        "form u8\\nlitres u16\\nreading litres 1 L\\nsample s\\nbytes 02 0c00\\n"
        "arrived 2026-03-01T00:00:00Z\\ngives 12 L\\nend\\n\"}",
        201, "\"released\":1");
    meter_has(&n, "14");
    ask(&n, "/v1/recipes/newbrand", NULL, NULL, 200, "version 2");
    ask(&n, "/v1/recipes", NULL, BRAND("1", "", "12"), 409, "known in version 2");
    nilod_stop(&n);
}

static void what_is_no_recipe_is_refused(void **state)
{
    struct nilod n = { .clock = "2026-03-01T00:00:00Z" };

    (void)state;
    nilod_start(&n);
    ask(&n, "/v1/recipes", NULL, "{\"text\":1}", 422, "the recipe's lines");
    ask(&n, "/v1/recipes", NULL, "{\"text\":", 400, "no JSON");
    ask(&n, "/v1/recipes", NULL, "{\"text\":\"\"}", 422, "1 to 65536 bytes");
    ask(&n, "/v1/recipes", NULL, NULL, 200, "\"name\":\"kingda-bc95\"");
    ask(&n, "/v1/recipes?limit=1", NULL, NULL, 200, "\"next\":");
    n.token[0] = 0;
    ask(&n, "/v1/recipes", NULL, BRAND("1", "", "12"), 401, "");
    nilod_stop(&n);
}

/* ---- at once ---- */

#define AT_ONCE 6
#define ROUNDS 20

struct adding {
    const struct nilod *n;
    pthread_t thread;
    unsigned round, which;
    int status;
};

static void *add_run(void *arg)
{
    struct adding *g = (struct adding *)arg;
    struct client c = { 0 };
    struct answer a;
    char text[400];

    snprintf(text, sizeof text,
             "recipe race%u\nversion 1\ntitle text %u\nsource its maker\ncarrier raw\na u8\n"
             "reading a 1 L\nsample s\nbytes 05\narrived 2026-03-01T00:00:00Z\ngives 5 L\nend\n",
             g->round, g->which);
    client_open(&c, g->n->http_host, g->n->http_port, g->n->token);
    http_post(&c, "/v1/recipes", "Content-Type: text/plain\r\n", text, &a);
    g->status = a.status;
    answer_done(&a);
    client_close(&c);
    return NULL;
}

static void a_version_is_one_text_whoever_comes_at_once(void **state)
{
    struct nilod n = { .clock = "2026-03-01T00:00:00Z" };
    struct adding adding[AT_ONCE];

    (void)state;
    nilod_start(&n);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned taken = 0;

        for (unsigned i = 0; i < AT_ONCE; i++) {
            adding[i] = (struct adding){ .n = &n, .round = round, .which = i };
            assert_int_equal(pthread_create(&adding[i].thread, NULL, add_run, &adding[i]), 0);
        }
        for (unsigned i = 0; i < AT_ONCE; i++) {
            assert_int_equal(pthread_join(adding[i].thread, NULL), 0);
            assert_true(adding[i].status == 201 || adding[i].status == 409);
            taken += adding[i].status == 201;
        }
        assert_int_equal(taken, 1);
    }
    nilod_stop(&n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_brand_needs_a_file_and_no_restart),
        cmocka_unit_test(what_is_no_recipe_is_refused),
        cmocka_unit_test(a_version_is_one_text_whoever_comes_at_once),
    };

    return check_run(tests, argc, argv);
}
