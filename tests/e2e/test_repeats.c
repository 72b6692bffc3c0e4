/* One transmission heard twice is one reading, and a counter that begins anew is no repeat: field.md LW3
 * through the door of a network server, against a real nilod. */
#include "proto/base/wr.h"
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <stdio.h>
#include <string.h>

static struct nilod n = { .clock = "2026-03-10T09:00:00Z" };
static struct client c;

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

/* A native report that says no more than the register: field 4, in it field 3, zigzag. */
static void payload(int64_t index_l, char out[32])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    uint8_t index[16], bytes[24] = { 0 };
    struct wr i = wr_of(index, sizeof index), w = wr_of(bytes, sizeof bytes);

    wr_u8(&i, 0x18);
    wr_zigzag(&i, index_l);
    wr_u8(&w, 0x22);
    wr_counted(&w, wr_span(&i));
    for (size_t at = 0; at < wr_len(&w); at += 3) {
        uint32_t group = (uint32_t)bytes[at] << 16 | (uint32_t)bytes[at + 1] << 8 | bytes[at + 2];
        size_t left = wr_len(&w) - at;

        *out++ = letters[group >> 18];
        *out++ = letters[group >> 12 & 63];
        *out++ = letters[left > 1 ? group >> 6 & 63 : 64];
        *out++ = letters[left > 2 ? group & 63 : 64];
    }
    *out = 0;
}

static void up(const char *time, unsigned counter, int64_t index_l)
{
    static unsigned id;
    char body[600], data[32];

    payload(index_l, data);
    snprintf(body, sizeof body, "{\"now\":\"%s\"}", time);
    post("/v1/clock", "application/json", body);
    snprintf(
        body, sizeof body,
        "{\"deduplicationId\":\"11111118-6ec9-4a68-8e26-%012u\",\"time\":\"%s\",\"deviceInfo\":"
        "{\"devEui\":\"0000000161832b12\"},\"fCnt\":%u,\"fPort\":2,\"data\":\"%s\"}",
        ++id, time, counter, data);
    post("/v1/ingest/chirpstack?event=up", "application/json", body);
}

static void assert_readings(void)
{
    static const double expected[] = { 5000, 5020, 5031, 5040, 5055 };
    struct answer a;
    json_t *all, *rows;

    http_get(&c, "/v1/meters/W1/readings?from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z", NULL,
             &a);
    assert_int_equal(a.status, 200);
    all = answer_json(&a);
    answer_done(&a);
    rows = json_object_get(all, "rows");
    if (json_array_size(rows) != 5)
        fail_msg("%s", json_dumps(rows, 0));
    for (size_t i = 0; i < 5; i++)
        assert_true(json_number_value(json_object_get(json_array_get(rows, i), "index_l")) ==
                    expected[i]);
    json_decref(all);
}

static int metric(const char *name)
{
    struct answer a;
    const char *at;
    int value = -1;

    http_get(&c, "/metrics", "text/plain", &a);
    if ((at = strstr(a.body, name)))
        sscanf(at + strlen(name), " %d", &value);
    answer_done(&a);
    return value;
}

static void five_readings_and_one_repeat(void **state)
{
    (void)state;
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    post("/v1/import/meters", "text/csv",
         "serial,dn,q3,radio_id,dialect\nW1,15,2.5,0000000161832B12,native\n");
    up("2026-03-10T10:00:00Z", 104, 5000);
    up("2026-03-10T10:00:48Z", 104, 5000);
    post("/v1/ingest/chirpstack?event=log", "application/json",
         "{\"time\":\"2026-03-10T10:00:50Z\",\"deviceInfo\":{\"devEui\":\"0000000161832b12\"},"
         "\"level\":\"ERROR\",\"code\":\"UPLINK_F_CNT_RETRANSMISSION\",\"description\":\"fCnt "
         "104\"}");
    up("2026-03-10T11:00:00Z", 0, 5020);
    up("2026-03-10T12:00:00Z", 1, 5031);
    up("2026-03-10T13:00:00Z", 0, 5040);
    up("2026-03-10T14:00:00Z", 104, 5055);
    assert_readings(); /* settled or not */
    post("/v1/settle", "application/json", "{}");
    assert_readings();
    assert_int_equal(metric("\nnilo_frames_repeated_total"), 1);
    up("2026-03-10T14:00:30Z", 104, 5055); /* against what is settled by now */
    assert_readings();
    client_close(&c);
    nilod_kill(&n);
    n.clock = "2026-03-10T15:00:00Z";
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    post("/v1/settle", "application/json", "{}");
    assert_readings();
    client_close(&c);
    nilod_stop(&n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(five_readings_and_one_repeat) };

    return check_run(tests, argc, argv);
}
