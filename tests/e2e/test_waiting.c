/* Frames that wait, each for its own reason, against a real nilod: the meter, its key, the format of its
 * compact telegrams.  The telegrams are those of field.md WM2; the value of their target day has no date,
 * so that it is explained and is no reading. */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include "proto/base/hex.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COMPACT "23442d2c445668741b168d2013c1875020fabdf7ed2af48698b8b1bbde661c9bcca3820f"
#define FULL                                                                                       \
    "2a442d2c445668741b168d2014c287502045df521de588e8f63c64a54ee971543887affc5a47a92a5bbb5f"
#define LATER "23442d2c445668741b168d2015c38750200ea3f33e9904d31a71558b24aeb7ed08ae0d45"
#define SPOILT "23442d2c445668741b168d2016c4875020b4c9af00df7ef859c7f780129dcea1f0bff348"
#define RIGHT_KEY "B91EAF561BEF664ADD91875125763485"
#define WRONG_KEY "B91EAF561BEF664ADD91875125763486"

static struct nilod n;
static struct client c;
static struct probe p;
static uint16_t mid;

static void begin(void)
{
    char port[8];

    n.clock = "2026-03-10T00:00:00Z";
    nilod_start(&n);
    snprintf(port, sizeof port, "%d", n.coap_port);
    client_open(&c, n.http_host, n.http_port, n.token);
    probe_open(&p, n.coap_host, port, NULL);
}

static void leave(void)
{
    probe_close(&p);
    client_close(&c);
}

static void end(void)
{
    leave();
    nilod_stop(&n);
    memset(&n, 0, sizeof n);
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

static void clock_at(const char *time)
{
    char body[64];

    snprintf(body, sizeof body, "{\"now\":\"%s\"}", time);
    post("/v1/clock", "application/json", body);
}

/* Every telegram is acknowledged: what waits is kept. */
static void telegram(const char *hex)
{
    static struct message m;
    uint8_t bytes[300];
    size_t len;
    struct heard h;

    assert_ok(hex_read(span_text(hex), bytes, sizeof bytes, &len));
    message_begin(&m, PROBE_CON, PROBE_POST, ++mid, span_of("\x77", 1));
    message_path(&m, "r/oms");
    message_payload(&m, span_of(bytes, len));
    probe_ask(&p, &m, &h);
    if (h.code != PROBE_CODE(2, 4))
        fail_msg("%u.%02u %.*s", h.code >> 5, h.code & 31, (int)h.payload.len,
                 h.payload.len ? (const char *)h.payload.at : "");
}

/* The three that can be read, an hour after one another. */
static void three_telegrams(void)
{
    clock_at("2026-03-10T01:00:00Z");
    telegram(COMPACT);
    clock_at("2026-03-10T02:00:00Z");
    telegram(FULL);
    clock_at("2026-03-10T03:00:00Z");
    telegram(LATER);
}

static void meter_comes(const char *radio_id)
{
    char csv[200];

    snprintf(csv, sizeof csv, "serial,dn,q3,radio_id\nM1,15,2.5,%s\n", radio_id);
    post("/v1/import/meters", "text/csv", csv);
}

static void key_comes(const char *key)
{
    char csv[200];

    snprintf(csv, sizeof csv, "serial,kind,key_hex\nM1,oms,%s\n", key);
    post("/v1/import/keys", "text/csv", csv);
}

/* How many wait for `why`. */
static int waiting(const char *why)
{
    json_t *list = rows("/v1/quarantine/summary"), *row;
    int count = 0;
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (!why || strcmp(json_string_value(json_object_get(row, "why")), why) == 0)
            count += (int)json_integer_value(json_object_get(row, "count"));
    }
    json_decref(list);
    return count;
}

static bool has_reading(const char *time, double index_l)
{
    json_t *list = rows("/v1/meters/M1/readings?from=2015-01-01T00:00:00Z&to=2026-04-01T00:00:00Z"),
           *row;
    bool found = false;
    size_t i;

    json_array_foreach(list, i, row)
    {
        found = found ||
                ((!time || strcmp(json_string_value(json_object_get(row, "time")), time) == 0) &&
                 json_number_value(json_object_get(row, "index_l")) == index_l);
    }
    json_decref(list);
    return found;
}

static void assert_three_readings(void)
{
    assert_true(has_reading("2026-03-10T01:00:00Z", 163712));
    assert_true(has_reading("2026-03-10T02:00:00Z", 163712));
    assert_true(has_reading("2026-03-10T03:00:00Z", 163717));
}

/* ---- field.md WM2 ---- */

static void a_compact_telegram_waits_for_a_full_one_and_no_bad_one_bars_its_meter(void **state)
{
    (void)state;
    begin();
    meter_comes("KAM-74685644-1B-16");
    key_comes(RIGHT_KEY);
    clock_at("2026-03-10T01:00:00Z");
    telegram(COMPACT);
    settle();
    assert_int_equal(waiting("no_format"), 1);
    three_telegrams();
    settle();
    assert_int_equal(waiting(NULL), 0);
    assert_three_readings();
    clock_at("2026-03-10T04:00:00Z");
    telegram(SPOILT);
    settle();
    assert_int_equal(waiting("damaged"), 1);
    clock_at("2026-03-10T05:00:00Z");
    telegram(LATER);
    settle();
    assert_int_equal(waiting(NULL), 1);
    assert_true(has_reading(NULL, 163717));
    end();
}

static void telegrams_under_a_wrong_key_are_read_when_the_right_one_comes(void **state)
{
    (void)state;
    begin();
    meter_comes("kam-74685644");
    key_comes(WRONG_KEY);
    three_telegrams();
    settle();
    assert_int_equal(waiting("wrong_key"), 3);
    clock_at("2026-03-11T00:00:00Z");
    key_comes(RIGHT_KEY);
    settle();
    assert_int_equal(waiting(NULL), 0);
    assert_three_readings();
    end();
}

static void what_is_missing_is_told_step_by_step(void **state)
{
    json_t *list;

    (void)state;
    begin();
    three_telegrams();
    settle();
    assert_int_equal(waiting("unknown"), 3);
    list = rows("/v1/quarantine?why=unknown&name=74685644");
    assert_int_equal(json_array_size(list), 3);
    json_decref(list);
    meter_comes("KAM-74685644-1B-16");
    settle();
    assert_int_equal(waiting("unknown"), 0);
    assert_int_equal(waiting("no_key"), 3);
    key_comes(RIGHT_KEY);
    settle();
    assert_int_equal(waiting(NULL), 0);
    assert_three_readings();
    end();
}

static void a_meter_registered_under_the_digits_alone_has_its_telegrams(void **state)
{
    (void)state;
    begin();
    three_telegrams();
    post("/v1/import/meters", "text/csv", "serial,dn,q3\n74685644,15,2.5\n");
    post("/v1/import/keys", "text/csv", "serial,kind,key_hex\n74685644,oms," RIGHT_KEY "\n");
    settle();
    assert_int_equal(waiting(NULL), 0);
    end();
}

/* ---- what the register says ---- */

static void change_meter(const char *body)
{
    post("/v1/meters/M1", "application/json", body);
    settle();
}

static void telegrams_go_on_when_the_radio_name_is_put_right(void **state)
{
    (void)state;
    begin();
    meter_comes("KAM-11112222");
    key_comes(RIGHT_KEY);
    three_telegrams();
    settle();
    assert_int_equal(waiting("unknown"), 3);
    change_meter("{\"radio_id\":\"KAM-74685644-1B-16\"}");
    assert_int_equal(waiting(NULL), 0);
    assert_three_readings();
    end();
}

/* A native report of 5 000 L, by way of a network server. */
static void payloads_go_on_when_the_dialect_is_put_right(void **state)
{
    (void)state;
    begin();
    post("/v1/import/meters", "text/csv",
         "serial,dn,q3,radio_id,dialect\nM1,15,2.5,0000000161832b12,nobody-knows-it\n");
    post("/v1/ingest/chirpstack?event=up", "application/json",
         "{\"deduplicationId\":\"11111118-6ec9-4a68-8e26-5c608a408eff\",\"time\":"
         "\"2026-03-09T23:00:00Z\",\"deviceInfo\":{\"devEui\":\"0000000161832B12\"},\"fPort\":2,"
         "\"data\":\"IgMYkE4=\"}");
    settle();
    assert_int_equal(waiting("no_recipe"), 1);
    change_meter("{\"dialect\":\"native\"}");
    assert_int_equal(waiting(NULL), 0);
    assert_true(has_reading("2026-03-09T23:00:00Z", 5000));
    end();
}

/* ---- over a kill ---- */

static void say(const char *path, const char *body)
{
    client_ask(&c, "POST", path, "Content-Type: text/csv\r\n", body, strlen(body));
}

/* At any instant between a key's arrival and the last of its frames: after the next start both are there, or neither. */
static void a_kill_between_a_key_and_its_frames_loses_neither(void **state)
{
    struct check_random r = check_random_begin();

    (void)state;
    for (int round = 0; round < 6; round++) {
        struct timespec pause = { .tv_nsec = check_between(&r, 0, 12) * 1000000 };
        json_t *keys;

        begin();
        meter_comes("KAM-74685644");
        three_telegrams();
        settle();
        assert_int_equal(waiting("no_key"), 3);
        say("/v1/import/keys", "serial,kind,key_hex\nM1,oms," RIGHT_KEY "\n");
        nanosleep(&pause, NULL); /* the kill's instant, not a wait for something */
        nilod_kill(&n);
        leave();
        n.clock = "2026-03-10T06:00:00Z";
        nilod_start(&n);
        client_open(&c, n.http_host, n.http_port, n.token);
        probe_open(&p, "127.0.0.1", "9", NULL);
        settle();
        keys = rows("/v1/meters/M1/keys");
        if (json_array_size(keys) == 1) {
            assert_int_equal(waiting(NULL), 0);
            assert_three_readings();
        } else {
            assert_int_equal(waiting("no_key"), 3);
        }
        json_decref(keys);
        end();
    }
}

/* ---- a list of DIF and VIF that somebody made up ---- */

/* Ours, in the clear: another meter of the model sends lists with the signature of M1's. The first fits nothing; the second whatever
 * M1's fits, and says tenfold (tests/unit/proto/test_oms_compact.c). */
#define MADE_UP                                                                                    \
    "29442c391800001001077a0100000004140a00000002ee470000046d322d7a3644130500000042635f35"
#define MADE_UP_TO_FIT                                                                             \
    "29442c391800001001077a0300000004140a00000002882e0000046d322d7a3665020500000062615f35"
#define TAUGHT                                                                                     \
    "29442c391700001001077a0200000004130a00000002fd170000046d322d7a36441305000000426c5f35"
#define ELEVEN_LITRES "1e442c3917000010010779377d09a50b0000000000322d7a36050000005f35"
#define TWELVE_LITRES "1e442c3917000010010779377dedd90c0000000000322d7a36050000005f35"

static void a_list_that_somebody_made_up_reads_nothing_wrong(void **state)
{
    (void)state;
    begin();
    meter_comes("NIL-10000017-01-07");
    post("/v1/import/meters", "text/csv", "serial,dn,q3,radio_id\nM2,15,2.5,NIL-10000018-01-07\n");
    telegram(MADE_UP);
    clock_at("2026-03-10T02:00:00Z");
    telegram(ELEVEN_LITRES);
    settle();
    assert_int_equal(waiting("damaged"), 1);
    clock_at("2026-03-10T03:00:00Z");
    telegram(TAUGHT);
    settle();
    assert_int_equal(waiting(NULL), 0);
    assert_true(has_reading("2026-03-10T02:00:00Z", 11));
    clock_at("2026-03-10T04:00:00Z");
    telegram(MADE_UP_TO_FIT);
    clock_at("2026-03-10T05:00:00Z");
    telegram(TWELVE_LITRES);
    settle();
    assert_int_equal(waiting("damaged"), 1);
    assert_false(has_reading(NULL, 120));
    nilod_kill(&n); /* what was taught is remembered, either way */
    leave();
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    settle();
    assert_int_equal(waiting("damaged"), 1);
    client_close(&c);
    nilod_stop(&n);
    memset(&n, 0, sizeof n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compact_telegram_waits_for_a_full_one_and_no_bad_one_bars_its_meter),
        cmocka_unit_test(telegrams_under_a_wrong_key_are_read_when_the_right_one_comes),
        cmocka_unit_test(what_is_missing_is_told_step_by_step),
        cmocka_unit_test(a_meter_registered_under_the_digits_alone_has_its_telegrams),
        cmocka_unit_test(telegrams_go_on_when_the_radio_name_is_put_right),
        cmocka_unit_test(payloads_go_on_when_the_dialect_is_put_right),
        cmocka_unit_test(a_kill_between_a_key_and_its_frames_loses_neither),
        cmocka_unit_test(a_list_that_somebody_made_up_reads_nothing_wrong),
    };

    return check_run(tests, argc, argv);
}
