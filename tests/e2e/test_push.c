/* Pushes by HTTP into a real nilod, in the forms of network servers and platforms: when they count, who may push, what is told to whom
 * pushes.  field.md LW1 and LW3 are here. */
#include "proto/base/base64.h"
#include "proto/base/hex.h"
#include "proto/base/text.h"
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define HOUR 3600

static struct nilod n = { .clock = NOW };
static struct client c;

static void register_meters(void)
{
    struct answer a;

    http_post(&c, "/v1/import/meters", "Content-Type: text/csv\r\n",
              "serial,dn,q3,dialect,radio_id\nL1,15,2.5,native,0000000161832B12\nL2,15,2.5,native,"
              "0000000161832b13\n"
              "L3,15,2.5,native,0000000161832b14\nL4,15,2.5,native,0000000161832b15\nA1,15,2.5,,"
              "861050042916166\nO1,15,2.5,,"
              "861050042916167\n"
              "H1,15,2.5,,861050042916168\nP1,15,2.5,,861050042916169\n",
              &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
}

static int begin(void **state)
{
    (void)state;
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    register_meters();
    return 0;
}

static int end(void **state)
{
    (void)state;
    client_close(&c);
    nilod_stop(&n);
    return 0;
}

/* ---- small things ------------------------------------------------------------------------------ */

static struct span report(uint8_t room[256], int64_t at_s, int64_t litres)
{
    struct report r = {
        .meter = "", .sent = (uint32_t)at_s, .at = (uint32_t)at_s, .litres = &litres, .count = 1
    };

    return span_of(room, report_put(&r, room, 256));
}

static const char *report_base64(int64_t at_s, int64_t litres)
{
    static char text[400];
    uint8_t room[256];
    struct wr w = wr_of(text, sizeof text);

    base64_write(&w, report(room, at_s, litres));
    wr_u8(&w, 0);
    return text;
}

static const char *report_hex(int64_t at_s, int64_t litres)
{
    static char text[600];
    uint8_t room[256];
    struct wr w = wr_of(text, sizeof text);

    hex_write(&w, report(room, at_s, litres));
    wr_u8(&w, 0);
    return text;
}

static void push_expecting(int status, const char *path, const char *body)
{
    struct answer a;

    http_post(&c, path, NULL, body, &a);
    if (a.status != status)
        fail_msg("POST %s %s: %d %s, expected %d", path, body, a.status, a.body, status);
    answer_done(&a);
}

static void push(const char *path, const char *body)
{
    push_expecting(200, path, body);
}

static json_t *get_rows(const char *path)
{
    struct answer a;
    json_t *all, *rows;

    http_get(&c, path, NULL, &a);
    if (a.status != 200)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    all = answer_json(&a);
    answer_done(&a);
    rows = json_incref(json_object_get(all, "rows"));
    json_decref(all);
    return rows;
}

static size_t count_rows(const char *path)
{
    json_t *rows = get_rows(path);
    size_t count = json_array_size(rows);

    json_decref(rows);
    return count;
}

/* "5000 5020 …", in order of time. */
static const char *indices(const char *serial)
{
    static char text[400];
    char path[160];
    size_t len = 0;
    json_t *rows;

    snprintf(path, sizeof path,
             "/v1/meters/%s/readings?from=2026-03-01T00:00:00Z&to=2026-03-11T00:00:00Z", serial);
    rows = get_rows(path);
    text[0] = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        len += (size_t)snprintf(
            text + len, sizeof text - len, "%s%.15g", i ? " " : "",
            json_number_value(json_object_get(json_array_get(rows, i), "index_l")));
    json_decref(rows);
    return text;
}

static void settle(void)
{
    struct answer a;

    http_post(&c, "/v1/settle", NULL, "{}", &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
}

static long metric(const char *line)
{
    struct answer a;
    const char *at;
    long value;

    http_get(&c, "/metrics", NULL, &a);
    at = strstr(a.body, line);
    assert_non_null(at);
    value = strtol(at + strlen(line), NULL, 10);
    answer_done(&a);
    return value;
}

/* ---- LoRaWAN ------------------------------------------------------------------------------------ */

static void push_uplink(const char *eui, const char *id, int count, int64_t heard_s, int rssi,
                        int64_t at_s, int64_t litres)
{
    char body[1200], time[24], counter[32] = "";

    report_time(heard_s, time);
    if (count)
        snprintf(counter, sizeof counter, "\"fCnt\":%d,", count);
    snprintf(body, sizeof body,
             "{\"deduplicationId\":\"%s\",\"time\":\"%s\",\"deviceInfo\":{\"devEui\":\"%s\"},%"
             "s\"fPort\":2,\"data\":\"%s\","
             "\"rxInfo\":[{\"gatewayId\":\"g\",\"rssi\":%d,\"snr\":7}]}",
             id, time, eui, counter, report_base64(at_s, litres), rssi);
    push("/v1/ingest/chirpstack?event=up", body);
}

/* field.md LW3. */
static void repeats_and_counters_that_begin_again_make_five_readings(void **state)
{
    static const char error[] = "{\"time\":\"2026-03-09T10:00:50Z\",\"deviceInfo\":{\"devEui\":"
                                "\"0000000161832b12\"},\"level\":\"ERROR\","
                                "\"code\":\"UPLINK_F_CNT_RETRANSMISSION\",\"description\":\"\","
                                "\"context\":{\"fCnt\":\"104\"}}";
    static const char older[] = "{\"deviceInfo\":{\"devEui\":\"0000000161832b12\"},\"type\":"
                                "\"UPLINK_FCNT_RETRANSMISSION\",\"error\":\"x\",\"fCnt\":104}";
    const int64_t ten = NOW_S - 14 * HOUR;

    (void)state;
    push_uplink("0000000161832b12", "a", 104, ten, -73, ten, 5000);
    push_uplink("0000000161832b12", "b", 104, ten + 48, -76, ten, 5000);
    push("/v1/ingest/chirpstack?event=log", error);
    push("/v1/ingest/chirpstack?event=error", older);
    push_uplink("0000000161832b12", "c", 0, ten + HOUR, -73, ten + HOUR, 5020);
    push_uplink("0000000161832b12", "d", 1, ten + 2 * HOUR, -73, ten + 2 * HOUR, 5031);
    push_uplink("0000000161832b12", "e", 0, ten + 3 * HOUR, -73, ten + 3 * HOUR, 5040);
    push_uplink("0000000161832b12", "f", 104, ten + 4 * HOUR, -73, ten + 4 * HOUR, 5055);
    assert_string_equal(indices("L1"), "5000 5020 5031 5040 5055");
    settle();
    assert_string_equal(indices("L1"), "5000 5020 5031 5040 5055");
    assert_int_equal(count_rows("/v1/flags?serial=L1"), 0);
    assert_int_equal(metric("\nnilo_lorawan_counter_restarts_total "), 2);
    assert_int_equal(metric("\nnilo_lorawan_frames_missed_total "), 103);
}

/* The same of a meter without a clock: its values stand where they were heard, and one transmission is heard twice. */
static void repeats_of_a_meter_without_a_clock_make_five_readings_too(void **state)
{
    const int64_t ten = NOW_S - 14 * HOUR;

    (void)state;
    push_uplink("0000000161832b15", "a", 104, ten, -73, 0, 5000);
    push_uplink("0000000161832b15", "b", 104, ten + 48, -76, 0, 5000);
    push_uplink("0000000161832b15", "c", 0, ten + HOUR, -73, 0, 5020);
    push_uplink("0000000161832b15", "d", 1, ten + 2 * HOUR, -73, 0, 5031);
    push_uplink("0000000161832b15", "e", 0, ten + 3 * HOUR, -73, 0, 5040);
    push_uplink("0000000161832b15", "f", 104, ten + 4 * HOUR, -73, 0, 5055);
    assert_string_equal(indices("L4"), "5000 5020 5031 5040 5055");
    settle();
    assert_string_equal(indices("L4"), "5000 5020 5031 5040 5055");
}

/* field.md LW1: no port, no counter, an EUI in capitals; of a meter that nobody registered it leaves nothing behind. */
static void a_frame_of_the_mac_layer_is_heard_and_not_read(void **state)
{
    static const char form[] =
        "{\"end_device_ids\":{\"dev_eui\":\"%s\"},\"received_at\":\"2026-03-09T02:04:06Z\","
        "\"uplink_message\":{\"f_cnt\":3,"
        "\"frm_payload\":\"VfI=\",\"rx_metadata\":[{\"rssi\":-48,\"snr\":10.2}]}}";
    char body[400];
    struct answer a;

    (void)state;
    snprintf(body, sizeof body, form, "0000000161832B13");
    push("/v1/ingest/tts", body);
    snprintf(body, sizeof body, form, "0000000161832BFF");
    push("/v1/ingest/tts", body);
    settle();
    assert_string_equal(indices("L2"), "");
    assert_int_equal(count_rows("/v1/quarantine"), 0);
    http_get(&c, "/v1/meters/L2", NULL, &a);
    if (!strstr(a.body, "\"rsrp_dbm\":-48,\"snr_db\":10") ||
        !strstr(a.body, "last_seen_at\":\"2026"))
        fail_msg("%s", a.body);
    answer_done(&a);
}

static void a_strangers_uplink_waits_until_the_meter_is_registered(void **state)
{
    struct answer a;

    (void)state;
    push_uplink("0000000161832baa", "a", 7, NOW_S - HOUR, -70, NOW_S - HOUR, 77);
    settle();
    assert_int_equal(count_rows("/v1/quarantine"), 1);
    http_post(&c, "/v1/meters", NULL,
              "{\"serial\":\"L9\",\"dn\":15,\"q3\":2.5,\"dialect\":\"native\",\"radio_id\":"
              "\"0000000161832BAA\"}",
              &a);
    assert_int_equal(a.status, 201);
    answer_done(&a);
    settle();
    assert_string_equal(indices("L9"), "77");
    assert_int_equal(count_rows("/v1/quarantine"), 0);
}

static void an_event_that_is_another_is_refused(void **state)
{
    (void)state;
    push_expecting(
        400, "/v1/ingest/chirpstack?event=join",
        "{\"deviceInfo\":{\"devEui\":\"0000000161832b14\"},\"fPort\":2,\"data\":\"AQ==\"}");
    push_expecting(400, "/v1/ingest/chirpstack", "{\"deviceInfo\":");
    push_expecting(400, "/v1/ingest/chirpstack", "");
    push_expecting(422, "/v1/ingest/tts", "{\"end_device_ids\":{},\"uplink_message\":{}}");
    push_expecting(400, "/v1/ingest/chirpstack?event=up&surprise=1", "{}");
    push("/v1/ingest/chirpstack?event=newest",
         "{\"deviceInfo\":{\"devEui\":\"0000000161832b14\"},\"level\":\"INFO\"}");
}

/* ---- platforms ---------------------------------------------------------------------------------- */

static void each_platforms_push_is_a_reading(void **state)
{
    char body[1200];

    (void)state;
    for (int again = 0; again < 2; again++) { /* platforms push again where an answer was late */
        snprintf(body, sizeof body,
                 "{\"messageType\":\"dataReport\",\"IMEI\":\"861050042916166\",\"deviceId\":\"d\","
                 "\"timestamp\":%lld,\"payload\":{\"APPdata\":\"%s\"}}",
                 (NOW_S - HOUR) * 1000LL, report_base64(NOW_S - HOUR, 11));
        push("/v1/ingest/aep", body);
        snprintf(body, sizeof body,
                 "{\"msg\":{\"type\":1,\"imei\":\"861050042916167\",\"at\":%lld,\"ds_id\":\"3200_0_"
                 "5505\",\"value\":\"%s\"}}",
                 (NOW_S - HOUR) * 1000LL, report_hex(NOW_S - HOUR, 12));
        push("/v1/ingest/onenet", body);
        snprintf(body, sizeof body,
                 "{\"resource\":\"device.message\",\"event\":\"report\",\"event_time\":"
                 "\"20260309T230000Z\",\"notify_data\":{\"header\":{"
                 "\"node_id\":\"861050042916168\"},\"body\":{\"content\":\"%s\"}}}",
                 report_base64(NOW_S - HOUR, 13));
        push("/v1/ingest/iotda", body);
    }
    settle();
    assert_string_equal(indices("A1"), "11");
    assert_string_equal(indices("O1"), "12");
    assert_string_equal(indices("H1"), "13");
}

/* Parts of one report in pushes of their own, and messages of two meters in one push. */
static void what_a_platform_cuts_or_joins_is_kept(void **state)
{
    char body[2400], first[600];

    (void)state;
    for (int part = 0; part < 2; part++) {
        snprintf(body, sizeof body,
                 "{\"resource\":\"device.property\",\"event\":\"report\",\"event_time\":"
                 "\"20260309T230000Z\",\"notify_data\":{\"header\":{"
                 "\"node_id\":\"861050042916168\"},\"body\":{\"services\":[{\"service_id\":\"S%d\","
                 "\"properties\":{\"RAWData\":\"%s\"}}]}}}",
                 part, report_hex(NOW_S - (3 - part) * HOUR, 5 + part));
        push("/v1/ingest/iotda", body);
    }
    assert_string_equal(indices("H1"), "5 6 13");
    snprintf(first, sizeof first, "{\"type\":1,\"imei\":\"861050042916167\",\"value\":\"%s\"}",
             report_hex(NOW_S - 2 * HOUR, 8));
    snprintf(body, sizeof body,
             "{\"msg\":[%s,{\"type\":2,\"imei\":\"861050042916167\",\"status\":1},{\"type\":1,"
             "\"imei\":\"861050042916169\",\"value\":\"%s\"}]}",
             first, report_hex(NOW_S - 2 * HOUR, 9));
    push("/v1/ingest/onenet", body);
    assert_string_equal(indices("O1"), "8 12");
    assert_string_equal(indices("P1"), "9");
}

/* ---- who may ------------------------------------------------------------------------------------ */

static void make_token(const char *role, char out[64])
{
    char body[100];
    struct answer a;
    json_t *all;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s\"}", role, role);
    http_post(&c, "/v1/tokens", NULL, body, &a);
    assert_int_equal(a.status, 201);
    all = answer_json(&a);
    snprintf(out, 64, "%s", json_string_value(json_object_get(all, "token")));
    json_decref(all);
    answer_done(&a);
}

static int status_as(const char *token, const char *method, const char *path, const char *body)
{
    struct client other;
    struct answer a;
    int status;

    client_open(&other, n.http_host, n.http_port, token);
    client_ask(&other, method, path, NULL, body, body ? strlen(body) : 0);
    client_answer(&other, method, &a);
    status = a.status;
    answer_done(&a);
    client_close(&other);
    return status;
}

static void a_pusher_may_push_and_nothing_else(void **state)
{
    static const char log[] =
        "{\"deviceInfo\":{\"devEui\":\"0000000161832b14\"},\"level\":\"INFO\"}";
    char pusher[64], viewer[64], path[200];

    (void)state;
    make_token("ingest", pusher);
    make_token("viewer", viewer);
    assert_int_equal(status_as(pusher, "POST", "/v1/ingest/chirpstack", log), 200);
    assert_int_equal(status_as(pusher, "GET", "/v1/meters", NULL), 403);
    assert_int_equal(status_as(pusher, "POST", "/v1/reads", "{}"), 403);
    assert_int_equal(status_as(viewer, "POST", "/v1/ingest/chirpstack", log), 403);
    assert_int_equal(status_as("", "POST", "/v1/ingest/chirpstack", log), 401);
    snprintf(path, sizeof path, "/v1/ingest/chirpstack?event=log&token=%s", pusher);
    assert_int_equal(status_as("", "POST", path, log), 200);
    snprintf(path, sizeof path, "/v1/ingest/aep?token=%s", viewer);
    assert_int_equal(status_as("", "POST", path, "{}"), 403);
    assert_int_equal(status_as("", "POST", "/v1/ingest/aep?token=wrong", "{}"), 401);
    snprintf(path, sizeof path, "/v1/meters?token=%s", n.token);
    assert_int_equal(status_as("", "GET", path, NULL), 401);
}

static void a_body_has_64_kib_at_most(void **state)
{
    char *body = malloc(65538);

    (void)state;
    assert_non_null(body);
    memset(body, ' ', 65537);
    body[65537] = 0;
    push_expecting(413, "/v1/ingest/aep", body);
    memcpy(body, "{\"messageType\":\"commandResponse\"}", 33);
    body[65536] = 0;
    push("/v1/ingest/aep", body);
    free(body);
}

/* ---- OneNET's signature -------------------------------------------------------------------------- */

static void sign(const char *token, const char *nonce, const char *msg, char out[64])
{
    char text[1000];
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct wr w = wr_of(out, 64);

    snprintf(text, sizeof text, "%s%s%s", token, nonce, msg);
    assert_int_equal(EVP_Digest(text, strlen(text), digest, &len, EVP_md5(), NULL), 1);
    base64_write(&w, span_of(digest, len));
    wr_u8(&w, 0);
}

static void escape(const char *text, char out[200])
{
    size_t len = 0;

    for (; *text; text++)
        len +=
            (size_t)snprintf(out + len, 200 - len,
                             *text == '+' || *text == '/' || *text == '=' ? "%%%02X" : "%c", *text);
}

static void with_its_token_onenet_is_believed_by_its_signature(void **state)
{
    struct nilod other = { .clock = NOW };
    char file[600], signature[64], escaped[200], path[400], msg[700], body[1200];
    struct client anybody;
    struct answer a;

    (void)state;
    snprintf(file, sizeof file, "%s/token", check_folder());
    check_write(file, span_text("s3cret+7\n"));
    other.extra[0] = "--onenet-token";
    other.extra[1] = file;
    nilod_start(&other);
    client_open(&anybody, other.http_host, other.http_port, "");
    sign("s3cret+7", "abcdefgh", "hello42", signature);
    escape(signature, escaped);
    snprintf(path, sizeof path, "/v1/ingest/onenet?msg=hello42&nonce=abcdefgh&signature=%s",
             escaped);
    http_get(&anybody, path, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "hello42");
    answer_done(&a);
    http_get(&anybody, "/v1/ingest/onenet?msg=hello43&nonce=abcdefgh&signature=AAAA", NULL, &a);
    assert_int_equal(a.status, 401);
    answer_done(&a);
    snprintf(msg, sizeof msg, "{\"type\":1,\"imei\":\"861050042916167\",\"value\":\"%s\"}",
             report_hex(NOW_S - HOUR, 12));
    sign("s3cret+7", "ijklmnop", msg, signature);
    snprintf(body, sizeof body, "{\"msg\":%s,\"nonce\":\"ijklmnop\",\"msg_signature\":\"%s\"}", msg,
             signature);
    http_post(&anybody, "/v1/ingest/onenet", NULL, body, &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
    body[strlen(body) - 5] ^= 1;
    http_post(&anybody, "/v1/ingest/onenet", NULL, body, &a);
    assert_int_equal(a.status, 401);
    answer_done(&a);
    client_close(&anybody);
    client_open(&anybody, other.http_host, other.http_port,
                other.token); /* a token is no signature */
    http_post(&anybody, "/v1/ingest/onenet", NULL, "{\"msg\":{\"type\":2}}", &a);
    assert_int_equal(a.status, 401);
    answer_done(&a);
    client_close(&anybody);
    nilod_stop(&other);
}

static void without_its_token_onenets_question_needs_ours(void **state)
{
    struct answer a;

    (void)state;
    http_get(&c, "/v1/ingest/onenet?msg=hello&nonce=x&signature=y", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "hello");
    answer_done(&a);
    assert_int_equal(status_as("", "GET", "/v1/ingest/onenet?msg=hello&nonce=x&signature=y", NULL),
                     401);
}

/* ---- durable ------------------------------------------------------------------------------------- */

#define PUSHERS 8
#define EACH 40

static void *push_many(void *arg)
{
    int first = *(int *)arg;
    struct client own;

    client_open(&own, n.http_host, n.http_port, n.token);
    for (int i = 0; i < EACH; i++) {
        char body[1200];
        struct report r = { .meter = "", .count = 1 };
        int64_t at_s = NOW_S - 5 * 86400 + (first + i) * 60, litres = first + i;
        uint8_t room[256];
        struct wr w = wr_of(body, sizeof body);
        struct answer a;

        r.sent = r.at = (uint32_t)at_s;
        r.litres = &litres;
        wr_format(
            &w,
            "{\"deviceInfo\":{\"devEui\":\"0000000161832b14\"},\"fCnt\":%d,\"fPort\":1,\"data\":\"",
            first + i);
        base64_write(&w, span_of(room, report_put(&r, room, sizeof room)));
        wr_text(&w, "\"}");
        http_post(&own, "/v1/ingest/chirpstack?event=up", NULL, (wr_u8(&w, 0), body), &a);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    client_close(&own);
    return NULL;
}

/* What was answered with 200 survives kill -9, pushed by many at once. */
static void what_was_answered_survives_a_kill(void **state)
{
    pthread_t threads[PUSHERS];
    int first[PUSHERS];
    json_t *rows;

    (void)state;
    for (int i = 0; i < PUSHERS; i++) {
        first[i] = i * EACH;
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &first[i]), 0);
    }
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(threads[i], NULL);
    client_close(&c);
    nilod_kill(&n);
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    rows = get_rows("/v1/meters/L3/readings?from=2026-03-01T00:00:00Z&to=2026-03-11T00:00:00Z");
    assert_int_equal(json_array_size(rows), PUSHERS * EACH);
    for (size_t i = 0; i < json_array_size(rows); i++)
        assert_int_equal(json_number_value(json_object_get(json_array_get(rows, i), "index_l")), i);
    json_decref(rows);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeats_and_counters_that_begin_again_make_five_readings),
        cmocka_unit_test(repeats_of_a_meter_without_a_clock_make_five_readings_too),
        cmocka_unit_test(a_frame_of_the_mac_layer_is_heard_and_not_read),
        cmocka_unit_test(a_strangers_uplink_waits_until_the_meter_is_registered),
        cmocka_unit_test(an_event_that_is_another_is_refused),
        cmocka_unit_test(each_platforms_push_is_a_reading),
        cmocka_unit_test(what_a_platform_cuts_or_joins_is_kept),
        cmocka_unit_test(a_pusher_may_push_and_nothing_else),
        cmocka_unit_test(a_body_has_64_kib_at_most),
        cmocka_unit_test(with_its_token_onenet_is_believed_by_its_signature),
        cmocka_unit_test(without_its_token_onenets_question_needs_ours),
        cmocka_unit_test(what_was_answered_survives_a_kill),
    };

    check_begin(argc, argv);
    return _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof tests[0], begin, end);
}
