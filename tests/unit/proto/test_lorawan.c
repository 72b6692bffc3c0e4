/* Events of LoRaWAN servers (field.md LW1, LW3): what is an uplink, which counter and time it has, who heard it best.  Golden and
 * broken events lie in tests/golden and tests/reject. */
#include "proto/base/crc.h"
#include "proto/base/limits.h"
#include "proto/envelope.h"
#include "proto/lorawan.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <stdio.h>

#define ARRIVAL_S 1795651200      /* 2026-11-26T00:00:00Z */
#define REPORT "GgkYcCUANy5qIA==" /* no report of ours: a payload that some recipe may tell */

static struct arena arena;
static struct one_meter its = { .profile = "native" };
static struct lore lore;

static enum err decode(const struct dialect *d, const char *json, struct frame *out,
                       struct refusal *r)
{
    struct span bytes = check_guarded(span_text(json));
    struct dialect_input in = { .bytes = bytes, .arrival_s = ARRIVAL_S, .lore = &lore };
    enum err err;

    arena_clear(&arena);
    memset(out, 0, sizeof *out);
    memset(r, 0, sizeof *r);
    err = d->decode(&in, &arena, out, r);
    assert_int_equal(err, r->err);
    if (out->names.count) { /* its letters are the arena's: they outlive the input */
        assert_true(out->names.at[0].at >= arena.base &&
                    out->names.at[0].at < arena.base + arena.cap);
    }
    check_unguard(bytes.at, bytes.len);
    return err;
}

static struct frame decoded(const struct dialect *d, const char *json)
{
    struct refusal r;
    struct frame f;

    if (decode(d, json, &f, &r))
        fail_msg("%s %s %s: %s", json, err_name(r.err), r.field, r.text);
    return f;
}

static struct envelope envelope_of(const struct dialect *d, const char *json)
{
    struct refusal r = { .err = ERR_OK };
    struct envelope e;

    arena_clear(&arena);
    if (envelope_read(d, span_text(json), &arena, &e, &r))
        fail_msg("%s %s %s: %s", json, err_name(r.err), r.field, r.text);
    return e;
}

#define INFO "\"deviceInfo\":{\"devEui\":\"0000000161832b12\"}"

/* ---- which events bear a payload ---- */

static void only_uplinks_with_a_port_and_data_bear_a_payload(void **state)
{
    static const struct {
        const struct dialect *d;
        enum envelope_kind kind;
        const char *event, *json;
    } events[] = {
        { &dialect_chirpstack, ENVELOPE_PAYLOAD, "up", "{" INFO ",\"fPort\":2,\"data\":\"AQ==\"}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "up", "{" INFO ",\"fPort\":0,\"data\":\"AQ==\"}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "up", "{" INFO ",\"data\":\"AQ==\"}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "up",
          "{" INFO ",\"fPort\":2,\"data\":null,\"fCnt\":4}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "join", "{" INFO ",\"devAddr\":\"00189440\"}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "status",
          "{" INFO ",\"margin\":7,\"batteryLevel\":0}" },
        { &dialect_chirpstack, ENVELOPE_HEARD, "ack",
          "{" INFO ",\"queueItemId\":\"a\",\"acknowledged\":true}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "ack", "{" INFO ",\"queueItemId\":\"a\"}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "txack",
          "{" INFO ",\"queueItemId\":\"a\",\"gatewayId\":\"b\"}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "log",
          "{" INFO
          ",\"level\":\"ERROR\",\"code\":\"UPLINK_F_CNT_RETRANSMISSION\",\"context\":{}}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "log",
          "{" INFO
          ",\"type\":\"UPLINK_FCNT_RETRANSMISSION\",\"error\":\"frame-counter\",\"fCnt\":104}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "location",
          "{" INFO ",\"location\":{\"latitude\":30}}" },
        { &dialect_chirpstack, ENVELOPE_ASIDE, "integration",
          "{" INFO ",\"integrationName\":\"x\"}" },
        { &dialect_tts, ENVELOPE_HEARD, "join",
          "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"join_accept\":{}}" },
        { &dialect_tts, ENVELOPE_ASIDE, "failed",
          "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"downlink_failed\":{"
          "\"downlink\":{}}}" },
        { &dialect_tts, ENVELOPE_ASIDE, "simulated",
          "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"uplink_message\":{\"f_port\":1,"
          "\"frm_payload\":\"AQ==\"},\"simulated\":true}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct envelope e = envelope_of(events[i].d, events[i].json);

        if (e.kind != events[i].kind || strcmp(e.event, events[i].event) != 0)
            fail_msg("%s: %s, kind %d", events[i].json, e.event, e.kind);
        assert_true(span_equal(e.meter, span_text("0000000161832b12")));
    }
}

static void a_downlinks_fate_names_what_was_sent(void **state)
{
    struct envelope e;

    (void)state;
    e = envelope_of(&dialect_chirpstack,
                    "{" INFO ",\"queueItemId\":\"6e69\",\"acknowledged\":true}");
    assert_true(e.acknowledged && span_equal(e.queue_item, span_text("6e69")));
    e = envelope_of(&dialect_chirpstack,
                    "{" INFO ",\"queueItemId\":\"6e69\",\"acknowledged\":false}");
    assert_false(e.acknowledged);
    e = envelope_of(&dialect_chirpstack,
                    "{" INFO
                    ",\"level\":\"ERROR\",\"code\":\"DOWNLINK_PAYLOAD_SIZE\",\"description\":\"x\","
                    "\"context\":{\"item_size\":\"60\",\"queue_item_id\":\"6e69\"}}");
    assert_string_equal(e.event, "log");
    assert_true(span_equal(e.queue_item, span_text("6e69")));
    e = envelope_of(
        &dialect_tts,
        "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"downlink_failed\":{\"downlink\":{"
        "\"correlation_ids\":[\"nilo-00000001-00000007\"]},\"error\":{\"name\":\"x\"}}}");
    assert_string_equal(e.event, "failed");
    assert_true(span_equal(e.queue_item, span_text("nilo-00000001-00000007")));
    e = envelope_of(&dialect_tts,
                    "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"downlink_ack\":{"
                    "\"correlation_ids\":[\"as:1\",\"nilo-00000001-00000007\",\"ns:2\"]}}");
    assert_true(e.acknowledged && span_equal(e.queue_item, span_text("nilo-00000001-00000007")));
}

/* ---- field.md LW1 ---- */

#define LW1(count, time)                                                                           \
    "{\"deduplicationId\":\"11111118-6ec9-4a68-8e26-5c608a408eff\",\"time\":\"" time "\"," INFO    \
    ",\"devAddr\":\"00e5e007\",\"adr\":true," count "\"fPort\":2,\"data\":\"" REPORT               \
    "\",\"rxInfo\":[{\"gatewayId\":\"000000020e2e8415\",\"rssi\":-19,\"snr\":10.0}]}"

static void a_counter_of_0_is_left_out_and_is_a_counter(void **state)
{
    struct frame first, second, again;
    struct refusal r;

    (void)state;
    its.profile = "nobody-knows";
    assert_err(ERR_NO_RECIPE, decode(&dialect_chirpstack,
                                     LW1("", "2026-11-25T02:02:06.744554+00:00"), &first, &r));
    assert_err(ERR_NO_RECIPE,
               decode(&dialect_chirpstack, LW1("\"fCnt\":1,", "2026-11-25T02:03:06.907817+00:00"),
                      &second, &r));
    assert_err(ERR_NO_RECIPE,
               decode(&dialect_chirpstack,
                      LW1("\"fCnt\":null,", "2026-11-25T02:02:06.744554+00:00"), &again, &r));
    its.profile = "native";
    assert_int_equal(first.seq, 0);
    assert_int_equal(second.seq, 1);
    assert_int_equal(again.seq, 0);
    assert_int_equal(first.seq_rule, SEQ_REPEATS);
    assert_int_equal(first.digest, again.digest);
    assert_int_equal(first.digest, second.digest);
    assert_int_equal(first.heard_s, 1795572126);
    assert_int_equal(first.rsrp_dbm, -19);
    assert_int_equal(first.snr_db, 10);
}

static void a_frame_without_a_port_says_who_was_heard_and_nothing_else(void **state)
{
    struct frame f =
        decoded(&dialect_tts,
                "{\"end_device_ids\":{\"dev_eui\":\"0000000161832B12\"},\"received_at\":"
                "\"2026-11-25T02:04:06Z\",\"uplink_message\":{\"f_cnt\":3,\"frm_payload\":\"VfI=\","
                "\"rx_metadata\":[{\"rssi\":-48,\"snr\":10.2}]}}");

    (void)state;
    assert_true(span_equal(frame_name(&f), span_text("0000000161832b12")));
    assert_int_equal(f.series_count, 0);
    assert_int_equal(f.rsrp_dbm, -48);
    assert_int_equal(f.snr_db, 10);
    assert_int_equal(f.heard_s, 1795572246);
}

/* ---- the rest ---- */

static void payload_and_port_make_the_digest(void **state)
{
    uint32_t a = envelope_digest(2, span_text("x")), b = envelope_digest(3, span_text("x"));

    (void)state;
    assert_int_not_equal(a, b);
    assert_int_not_equal(a, envelope_digest(2, span_text("y")));
    assert_true(a && a <= 0xffffff && b && b <= 0xffffff);
}

static void the_gateway_that_heard_it_best_tells_the_radio(void **state)
{
    struct frame f = decoded(
        &dialect_chirpstack,
        "{" INFO ",\"fCnt\":1,\"rxInfo\":[{\"rssi\":-101,\"snr\":-7.4},{\"rssi\":-80,\"snr\":3.6},"
        "{\"rssi\":-70,\"snr\":3.5},{\"rssi\":-60,\"snr\":2},{\"gatewayId\":\"deaf\"}]}");

    (void)state;
    assert_int_equal(f.snr_db, 4);
    assert_int_equal(f.rsrp_dbm, -70);
    f = decoded(&dialect_chirpstack, "{" INFO ",\"fCnt\":1,\"rxInfo\":[{\"rssi\":-119,\"snr\":-19."
                                     "5},{\"rssi\":1e300,\"snr\":\"loud\"}]}");
    assert_int_equal(f.snr_db, -20);
    assert_int_equal(f.rsrp_dbm, -119);
}

static void the_gateway_that_heard_it_best_stands_for_the_cell(void **state)
{
    struct frame f = decoded(&dialect_chirpstack,
                             "{" INFO ",\"fCnt\":1,\"rxInfo\":[{\"gatewayId\":\"0016c001f1500812\","
                             "\"rssi\":-101,\"snr\":-7},{\"gatewayId\":\"000000020E2E8415\","
                             "\"rssi\":-80,\"snr\":3.6}]}");

    (void)state;
    assert_int_equal(f.cell, CELL_GATEWAY | 0x0e2e8415);
    f = decoded(&dialect_chirpstack, "{" INFO ",\"fCnt\":1,\"rxInfo\":[{\"gatewayId\":\"roof\","
                                     "\"rssi\":-101,\"snr\":-7}]}");
    assert_int_equal(f.cell, CELL_GATEWAY | crc32c(0, "roof", 4));
    f = decoded(&dialect_chirpstack,
                "{" INFO ",\"fCnt\":1,\"rxInfo\":[{\"gatewayId\":7,\"rssi\":-101,\"snr\":-7},"
                "{\"gatewayId\":\"\",\"rssi\":-90,\"snr\":-5}]}");
    assert_int_equal(f.cell, 0);
}

static void a_time_that_cannot_be_true_is_the_arrival(void **state)
{
    static const struct {
        const char *time;
        int64_t heard_s;
    } times[] = {
        { "2026-11-26T00:10:00Z", ARRIVAL_S + 600 },          { "2026-11-26T00:10:01Z", 0 },
        { "2025-10-22T00:00:00Z", ARRIVAL_S - 400 * 86400 },  { "2025-10-21T23:59:59Z", 0 },
        { "2026-11-26T08:00:00.999999999+08:00", ARRIVAL_S }, { "9999-12-31T23:59:59Z", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char json[256];

        snprintf(json, sizeof json, "{" INFO ",\"fCnt\":1,\"time\":\"%s\"}", times[i].time);
        assert_int_equal(decoded(&dialect_chirpstack, json).heard_s, times[i].heard_s);
    }
}

static void what_waits_is_named_all_the_same(void **state)
{
    static const char sealed[] = "{" INFO ",\"time\":\"2026-11-25T02:02:06Z\",\"fCnt\":7,\"fPort\":"
                                 "2,\"data\":\"AQ==\",\"joinServerContext\":{},"
                                 "\"rxInfo\":[{\"rssi\":-19,\"snr\":1}]}";
    static const char open[] =
        "{" INFO ",\"time\":\"2026-11-25T02:02:06Z\",\"fCnt\":7,\"fPort\":2,\"data\":\"AQ==\"}";
    struct refusal r;
    struct frame f;

    (void)state;
    assert_err(ERR_NO_KEY, decode(&dialect_chirpstack, sealed, &f, &r));
    assert_true(span_equal(frame_name(&f), span_text("0000000161832b12")));
    assert_int_equal(f.heard_s, 1795572126);
    assert_int_equal(f.rsrp_dbm, -19);
    its.unregistered = true;
    assert_err(ERR_UNKNOWN, decode(&dialect_chirpstack, open, &f, &r));
    its.unregistered = false;
    assert_true(span_equal(frame_name(&f), span_text("0000000161832b12")));
    its.profile = "";
    assert_err(ERR_NO_RECIPE, decode(&dialect_chirpstack, open, &f, &r));
    its.profile = "native";
    assert_int_equal(f.heard_s, 1795572126);
    assert_int_equal(f.seq, 7);
}

/* ---- who is inside -------------------------------------------------------------------------- */

static uint32_t two_meters(void *arg, struct span name)
{
    (void)arg;
    if (span_equal(name, span_text("0000000161832b12")) || span_equal(name, span_text("M1")))
        return 1;
    return span_equal(name, span_text("M2")) ? 2 : 0;
}

static struct span native_profile(void *arg, uint32_t meter)
{
    (void)arg;
    (void)meter;
    return span_text("native");
}

static const struct lore two = { .meter = two_meters, .profile = native_profile };

/* Native reports of M1, M2 and X: index 1 L. Whether a topic names the meter besides changes nothing. */
static void a_payload_of_another_meter_is_refused(void **state)
{
    static const struct {
        const char *payload;
        enum err err;
    } cases[] = { { "CgJNMSICGAI=", ERR_OK },
                  { "CgJNMiICGAI=", ERR_NAMES_DIFFER },
                  { "CgFYIgIYAg==", ERR_NAMES_DIFFER } };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        char json[256];
        struct dialect_input in = { .arrival_s = ARRIVAL_S, .lore = &two };
        struct refusal r = { .err = ERR_OK };
        struct frame f = { .seq = 0 };

        snprintf(json, sizeof json, "{" INFO ",\"fPort\":2,\"data\":\"%s\"}", cases[i / 2].payload);
        in.bytes = span_text(json);
        in.given = span_text(i % 2 ? "0000000161832b12" : "");
        arena_clear(&arena);
        assert_err(cases[i / 2].err, dialect_chirpstack.decode(&in, &arena, &f, &r));
        assert_true(span_equal(frame_name(&f), span_text("0000000161832b12")));
    }
}

static int begin(void **state)
{
    (void)state;
    lore = one_meter_lore(&its);
    return arena_init(&arena, LIMIT_DECODE_ARENA);
}

static int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_uplinks_with_a_port_and_data_bear_a_payload),
        cmocka_unit_test(a_downlinks_fate_names_what_was_sent),
        cmocka_unit_test(a_counter_of_0_is_left_out_and_is_a_counter),
        cmocka_unit_test(a_frame_without_a_port_says_who_was_heard_and_nothing_else),
        cmocka_unit_test(payload_and_port_make_the_digest),
        cmocka_unit_test(the_gateway_that_heard_it_best_tells_the_radio),
        cmocka_unit_test(the_gateway_that_heard_it_best_stands_for_the_cell),
        cmocka_unit_test(a_time_that_cannot_be_true_is_the_arrival),
        cmocka_unit_test(what_waits_is_named_all_the_same),
        cmocka_unit_test(a_payload_of_another_meter_is_refused),
    };

    check_begin(argc, argv);
    return _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof tests[0], begin, end);
}
