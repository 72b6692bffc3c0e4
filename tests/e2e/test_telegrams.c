/* Telegrams of CJ/T 188 and SenML against a real nilod: field.md CJ1, and packs in both encodings. */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include "proto/base/hex.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW "2026-03-10T01:00:00Z"
#define HEAD                                                                                       \
    "FE FE FE FE 68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 "   \
    "22 11 05 15 20 21 "
#define PUBLISHED HEAD "84 08 16"
#define CORRECTED HEAD "84 13 16"
#define LIKE_THE_END HEAD "87 16 16"
#define RD_W10                                                                                     \
    "FE FE FE FE 68 10 44 33 22 11 00 33 78 81 16 90 1F 00 34 12 00 00 67 05 00 50 01 00 18 31 "   \
    "01 22 11 05 15 00 00 AD 16"

static struct nilod n;
static struct client c;
static struct probe p;
static uint16_t mid;

static int begin(void **state)
{
    char port[8];

    (void)state;
    n.clock = NOW;
    nilod_start(&n);
    snprintf(port, sizeof port, "%d", n.coap_port);
    client_open(&c, n.http_host, n.http_port, n.token);
    probe_open(&p, n.coap_host, port, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_close(&p);
    client_close(&c);
    nilod_stop(&n);
    memset(&n, 0, sizeof n);
    return 0;
}

static void post(const char *path, const char *type, const char *body)
{
    char fields[64];
    struct answer a;

    snprintf(fields, sizeof fields, "Content-Type: %s\r\n", type);
    http_post(&c, path, fields, body, &a);
    if (a.status / 100 != 2)
        fail_msg("POST %s: %d %s", path, a.status, a.body);
    answer_done(&a);
}

static json_t *rows(const char *path)
{
    struct answer a;
    json_t *all, *list;

    http_get(&c, path, NULL, &a);
    if (a.status != 200)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    all = answer_json(&a);
    answer_done(&a);
    list = json_incref(json_object_get(all, "rows"));
    json_decref(all);
    return list;
}

static void settle(void)
{
    post("/v1/settle", "application/json", "{}");
}

/* What became of it: 204, 400, … */
static unsigned say(const char *path, unsigned format, struct span bytes)
{
    static struct message m;
    struct heard h;

    message_begin(&m, PROBE_CON, PROBE_POST, ++mid, span_of("\x77", 1));
    message_path(&m, path);
    if (format)
        message_uint(&m, PROBE_CONTENT_FORMAT, format);
    message_payload(&m, bytes);
    probe_ask(&p, &m, &h);
    return (h.code >> 5) * 100u + (h.code & 31u);
}

static unsigned telegram(const char *path, unsigned format, const char *hex)
{
    uint8_t bytes[300];
    size_t len;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    return say(path, format, span_of(bytes, len));
}

/* The readings of a meter as "time index_l channel[ retimed]", one after another. */
static const char *readings(const char *meter)
{
    static char text[1024];
    char path[200];
    json_t *list, *row;
    size_t i, len = 0;

    settle();
    snprintf(path, sizeof path,
             "/v1/meters/%s/readings?from=2015-01-01T00:00:00Z&to=2026-04-01T00:00:00Z", meter);
    list = rows(path);
    text[0] = 0;
    json_array_foreach(list, i, row)
    {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %.10g %s%s", i ? ", " : "",
                                json_string_value(json_object_get(row, "time")),
                                json_number_value(json_object_get(row, "index_l")),
                                json_string_value(json_object_get(row, "channel")),
                                json_is_true(json_object_get(row, "retimed")) ? " retimed" : "");
        assert_true(len < sizeof text);
    }
    json_decref(list);
    return text;
}

/* How many wait for `why`. */
static int waiting(const char *why)
{
    json_t *list, *row;
    int count = 0;
    size_t i;

    settle();
    list = rows("/v1/quarantine/summary");
    json_array_foreach(list, i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "why")), why) == 0)
            count += (int)json_integer_value(json_object_get(row, "count"));
    }
    json_decref(list);
    return count;
}

/* ---- CJ/T 188 ---- */

static void a_checksum_as_published_is_refused_and_the_right_one_read(void **state)
{
    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3,radio_id\nM1,15,2.5,78330011223344\n");
    assert_int_equal(telegram("r/cjt188", 0, PUBLISHED), 400);
    assert_string_equal(readings("M1"), "");
    assert_int_equal(telegram("r/cjt188", 0, CORRECTED), 204);
    assert_string_equal(readings("M1"), NOW " 556677000 forward retimed");
}

static void a_checksum_like_the_end_is_no_end(void **state)
{
    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3,radio_id\nM1,15,2.5,0011223344\n");
    assert_int_equal(telegram("r/cjt188", 0, LIKE_THE_END), 204);
    assert_string_equal(readings("M1"), NOW " 556677000 forward retimed");
    assert_int_equal(telegram("r/cjt188", 0, "68 10 44 33 22 11 00 33 78 81 16"), 400);
}

static void another_makers_layout_waits_until_the_register_names_it(void **state)
{
    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3,radio_id\nM1,15,2.5,78330011223344\n");
    assert_int_equal(telegram("r/cjt188", 0, RD_W10), 204);
    assert_string_equal(readings("M1"), "");
    assert_int_equal(waiting("no_recipe"), 1);
    post("/v1/meters/M1", "application/json", "{\"dialect\":\"rd-w10\"}");
    assert_int_equal(waiting("no_recipe"), 0);
    assert_string_equal(readings("M1"), NOW " 1234000.567 forward retimed");
}

static void a_telegram_of_a_meter_to_come_waits_for_it(void **state)
{
    (void)state;
    assert_int_equal(telegram("r/cjt188", 0, CORRECTED), 204);
    assert_int_equal(waiting("unknown"), 1);
    post("/v1/import/meters", "text/csv", "serial,dn,q3\n78330011223344,15,2.5\n");
    assert_int_equal(waiting("unknown"), 0);
    assert_string_equal(readings("78330011223344"), NOW " 556677000 forward retimed");
}

/* A platform names a meter by its IMEI and by a number of its own; the register may know either. */
static void waits_and_goes_on(const char *csv)
{
    struct span body = check_read(NILO_SOURCE_DIR "/tests/golden/aep/cjt188.raw");

    post("/v1/ingest/aep", "application/json", (const char *)body.at);
    free((void *)body.at);
    assert_int_equal(waiting("unknown"), 1);
    post("/v1/import/meters", "text/csv", csv);
    assert_int_equal(waiting("unknown"), 0);
    assert_int_equal(waiting("no_recipe"), 0);
}

static void a_telegram_by_a_platform_waits_for_the_meter_of_its_imei(void **state)
{
    (void)state;
    waits_and_goes_on("serial,dn,q3,radio_id,dialect\nM1,15,2.5,861050042916166,cjt188\n");
}

static void a_telegram_by_a_platform_waits_for_the_meter_of_the_platforms_number(void **state)
{
    (void)state;
    waits_and_goes_on("serial,dn,q3,dialect\n5e5a54e224b9436f93900c27f0787f61,15,2.5,cjt188\n");
}

/* ---- SenML ---- */

static void packs_are_read_in_both_encodings(void **state)
{
    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3,radio_id\nM1,15,2.5,868123456789012\n");
    assert_int_equal(say("r/senml-json", 110,
                         span_text("[{\"bn\":\"urn:imei:868123456789012:\",\"bt\":1773100800,"
                                   "\"bu\":\"m3\",\"n\":\"vol\",\"v\":81.0976},"
                                   "{\"n\":\"vol\",\"t\":-3600,\"v\":81.0950}]")),
                     204);
    /* [{bn "urn:imei:868123456789012:", n "vol", u "m3", v 81.1 as a double}], without a time */
    assert_int_equal(telegram("r/senml-cbor", 112,
                              "81 A4 21 78 19 75 72 6E 3A 69 6D 65 69 3A 38 36 38 31 32 33 34 35 "
                              "36 37 38 39 30 31 32 3A "
                              "00 63 76 6F 6C 01 62 6D 33 02 FB 40 54 46 66 66 66 66 66"),
                     204);
    assert_string_equal(
        readings("M1"),
        "2026-03-09T23:00:00Z 81095 forward, 2026-03-10T00:00:00Z 81097.6 forward, " NOW
        " 81100 forward");
}

static void a_pack_that_names_nobody_is_the_meters_that_the_path_names(void **state)
{
    static struct message m;
    struct heard h;

    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3\nM1,15,2.5\n");
    assert_int_equal(say("r/senml-json", 50, span_text("[{\"n\":\"/3424/0/1\",\"v\":1.5}]")), 400);
    message_begin(&m, PROBE_CON, PROBE_POST, ++mid, span_of("\x77", 1));
    message_path(&m, "r/senml-json");
    message_option(&m, PROBE_URI_QUERY, span_text("m=M1"));
    message_payload(&m, span_text("[{\"n\":\"/3424/0/1\",\"v\":1.5}]"));
    probe_ask(&p, &m, &h);
    assert_int_equal(h.code, PROBE_CODE(2, 4));
    assert_string_equal(readings("M1"), NOW " 1500 forward");
}

static void a_unit_that_nobody_knows_is_no_cubic_metre(void **state)
{
    (void)state;
    post("/v1/import/meters", "text/csv", "serial,dn,q3\nM1,15,2.5\n");
    assert_int_equal(
        say("r/senml-json", 110, span_text("[{\"n\":\"M1:vol\",\"u\":\"10 CFX\",\"v\":1249.35}]")),
        204);
    assert_string_equal(readings("M1"), "");
    assert_int_equal(waiting("no_recipe"), 1);
}

int main(int argc, char **argv)
{
#define WITH_NILOD(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_NILOD(a_checksum_as_published_is_refused_and_the_right_one_read),
        WITH_NILOD(a_checksum_like_the_end_is_no_end),
        WITH_NILOD(another_makers_layout_waits_until_the_register_names_it),
        WITH_NILOD(a_telegram_of_a_meter_to_come_waits_for_it),
        WITH_NILOD(a_telegram_by_a_platform_waits_for_the_meter_of_its_imei),
        WITH_NILOD(a_telegram_by_a_platform_waits_for_the_meter_of_the_platforms_number),
        WITH_NILOD(packs_are_read_in_both_encodings),
        WITH_NILOD(a_pack_that_names_nobody_is_the_meters_that_the_path_names),
        WITH_NILOD(a_unit_that_nobody_knows_is_no_cubic_metre),
    };

    return check_run(tests, argc, argv);
}
