/* Pushes of operators' platforms: names, times, several frames in one push, several pushes in one body.  Golden and broken pushes lie in
 * tests/golden and tests/reject. */
#include "proto/base/limits.h"
#include "proto/base/wr.h"
#include "proto/envelope.h"
#include "proto/platform.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <stdio.h>
#include <stdlib.h>

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */
#define REPORT                                                                                     \
    "1d40b2066b22071872253a99066b" /* native: index 57 L; its time does not matter here */

static struct arena arena;
static struct one_meter its = { .profile = "native" };
static struct lore lore;

static enum err decode(const struct dialect *d, struct span json, struct frame *out,
                       struct refusal *r)
{
    struct dialect_input in = { .bytes = json, .arrival_s = ARRIVAL_S, .lore = &lore };
    enum err err;

    arena_clear(&arena);
    memset(out, 0, sizeof *out);
    memset(r, 0, sizeof *r);
    err = d->decode(&in, &arena, out, r);
    assert_int_equal(err, r->err);
    return err;
}

static struct frame decoded(const struct dialect *d, const char *json)
{
    struct refusal r;
    struct frame f;

    if (decode(d, span_text(json), &f, &r))
        fail_msg("%s %s %s: %s", json, err_name(r.err), r.field, r.text);
    return f;
}

static void the_imei_comes_first_and_the_platforms_id_serves_too(void **state)
{
    struct frame f =
        decoded(&dialect_aep,
                "{\"messageType\":\"dataReport\",\"deviceId\":\"5e5a54e224b9436f93900c27f0787f61\","
                "\"IMEI\":861050042916166,\"payload\":{\"APPdata\":\"\"}}");

    (void)state;
    assert_int_equal(f.names.count, 2);
    assert_true(span_equal(f.names.at[0], span_text("861050042916166")));
    assert_true(span_equal(f.names.at[1], span_text("5e5a54e224b9436f93900c27f0787f61")));
    f = decoded(&dialect_onenet, "{\"type\":1,\"dev_id\":2016617,\"value\":\"\"}");
    assert_int_equal(f.names.count, 1);
    assert_true(span_equal(f.names.at[0], span_text("2016617")));
}

static void milliseconds_are_read_from_numbers_and_texts(void **state)
{
    static const char *const times[] = { "1795651195123", "\"1795651195123\"",
                                         "\"20261125T235955Z\"",
                                         "\"2026-11-26T07:59:55.5+08:00\"" };

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char json[200];

        snprintf(json, sizeof json,
                 "{\"type\":1,\"imei\":\"861050042916166\",\"at\":%s,\"value\":\"" REPORT "\"}",
                 times[i]);
        assert_int_equal(decoded(&dialect_onenet, json).heard_s, 1795651195);
    }
}

/* Fields without bytes: the meter was heard. Where nobody said what it speaks, they wait for somebody who does. */
static void fields_without_bytes_are_no_reading(void **state)
{
    static const char json[] =
        "{\"messageType\":\"dataReport\",\"IMEI\":\"861050042916166\",\"payload\":{\"level\":4}}";
    struct refusal r;
    struct frame f;

    (void)state;
    assert_int_equal(decoded(&dialect_aep, json).series_count, 0);
    its.profile = "";
    assert_err(ERR_NO_RECIPE, decode(&dialect_aep, span_text(json), &f, &r));
    assert_true(span_equal(frame_name(&f), span_text("861050042916166")));
    its.unregistered = true;
    assert_err(ERR_UNKNOWN, decode(&dialect_aep, span_text(json), &f, &r));
    its.unregistered = false;
    its.profile = "native";
}

static void each_service_of_a_report_is_kept(void **state)
{
    struct frame f = decoded(
        &dialect_iotda, "{\"resource\":\"device.property\",\"event\":\"report\",\"event_time\":"
                        "\"20261125T235955Z\",\"notify_data\":{"
                        "\"header\":{\"node_id\":\"861050042916166\"},\"body\":{\"services\":[{"
                        "\"service_id\":\"Battery\",\"properties\":{"
                        "\"level\":80}},{\"service_id\":\"A\",\"properties\":{\"RAWData\":\"" REPORT
                        "\"}},{\"service_id\":\"B\","
                        "\"properties\":{\"RAWData\":\"1d40b2066b22071874253a99066b\"}}]}}}");

    (void)state;
    assert_int_equal(f.series_count, 1);
    assert_int_equal(f.series[0].count, 2);
    assert_int_equal(f.series[0].samples[0].value + f.series[0].samples[1].value, 57000 + 58000);
}

static enum err count_part(void *arg, struct span part)
{
    struct refusal r;
    struct frame f;

    assert_ok(decode(&dialect_onenet, part, &f, &r));
    assert_int_equal(f.series_count, 1);
    ++*(unsigned *)arg;
    return ERR_OK;
}

static void messages_pushed_together_are_whole_each(void **state)
{
    static const char one[] = "{\"type\":1,\"imei\":\"861050042916166\",\"value\":\"" REPORT "\"}";
    char json[400];
    unsigned parts = 0;

    (void)state;
    snprintf(json, sizeof json, "{\"msg\":[%s,%s,%s],\"nonce\":\"a\",\"msg_signature\":\"b\"}", one,
             one, one);
    assert_ok(envelope_split(&dialect_onenet, span_text(json), count_part, &parts));
    assert_int_equal(parts, 3);
    snprintf(json, sizeof json, "{\"msg\":%s,\"nonce\":\"a\",\"msg_signature\":\"b\"}", one);
    assert_ok(envelope_split(&dialect_onenet, span_text(json), count_part, &parts));
    assert_int_equal(parts, 4);
    assert_ok(envelope_split(&dialect_aep, span_text(one), count_part, &parts));
    assert_int_equal(parts, 5);
}

static void news_of_the_platform_itself_is_set_aside(void **state)
{
    static const struct {
        const struct dialect *d;
        enum envelope_kind kind;
        const char *json;
    } pushes[] = {
        { &dialect_aep, ENVELOPE_PAYLOAD, "{\"messageType\":\"dataReport\",\"payload\":{}}" },
        { &dialect_aep, ENVELOPE_HEARD, "{\"messageType\":\"eventReport\",\"eventType\":1}" },
        { &dialect_aep, ENVELOPE_ASIDE,
          "{\"messageType\":\"deviceOnlineOfflineReport\",\"eventType\":0}" },
        { &dialect_aep, ENVELOPE_ASIDE, "{\"messageType\":\"commandResponse\",\"taskId\":1}" },
        { &dialect_onenet, ENVELOPE_PAYLOAD, "{\"msg\":{\"type\":1}}" },
        { &dialect_onenet, ENVELOPE_ASIDE, "{\"msg\":{\"type\":2,\"status\":0}}" },
        { &dialect_onenet, ENVELOPE_ASIDE, "{\"msg\":\"{\\\"notifyType\\\":\\\"lifeCycle\\\"}\"}" },
        { &dialect_iotda, ENVELOPE_PAYLOAD,
          "{\"resource\":\"device.message\",\"event\":\"report\"}" },
        { &dialect_iotda, ENVELOPE_PAYLOAD,
          "{\"notifyType\":\"deviceDatasChanged\",\"services\":[]}" },
        { &dialect_iotda, ENVELOPE_ASIDE,
          "{\"resource\":\"device.message.status\",\"event\":\"update\"}" },
        { &dialect_iotda, ENVELOPE_ASIDE, "{\"resource\":\"device\",\"event\":\"create\"}" },
        { &dialect_iotda, ENVELOPE_ASIDE, "{\"notifyType\":\"bindDevice\"}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof pushes / sizeof pushes[0]; i++) {
        struct refusal r = { .err = ERR_OK };
        struct envelope e;

        arena_clear(&arena);
        assert_ok(envelope_read(pushes[i].d, span_text(pushes[i].json), &arena, &e, &r));
        if (e.kind != pushes[i].kind)
            fail_msg("%s: kind %d", pushes[i].json, e.kind);
    }
}

/* As large as a body may be, and all of it services, values or brackets. */
static void the_largest_pushes_are_answered(void **state)
{
    static const struct {
        const char *head, *again, *tail;
    } forms[] = {
        { "{\"resource\":\"device.property\",\"event\":\"report\",\"notify_data\":{\"header\":{"
          "\"node_id\":\"8\"},\"body\":{\"services\":[{}",
          ",{\"properties\":{\"RAWData\":\"1d00000000\"}}", "]}}}" },
        { "{\"notifyType\":\"deviceDatasChanged\",\"deviceId\":\"8\",\"services\":[{}", ",{}",
          "]}" },
        { "{\"notifyType\":\"deviceDataChanged\",\"deviceId\":\"8\",\"service\":{\"data\":[0",
          ",{\"x\":[]}", "]}}" },
    };
    char *json = malloc(LIMIT_PAYLOAD_BLOCK + 1);

    (void)state;
    assert_non_null(json);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct wr w = wr_of(json, LIMIT_PAYLOAD_BLOCK);
        struct refusal r;
        struct frame f;
        enum err err;

        wr_text(&w, forms[i].head);
        while (wr_len(&w) + strlen(forms[i].again) + strlen(forms[i].tail) < LIMIT_PAYLOAD_BLOCK)
            wr_text(&w, forms[i].again);
        wr_text(&w, forms[i].tail);
        assert_ok(w.err);
        err = decode(&dialect_iotda, wr_span(&w), &f, &r);
        assert_true(err == ERR_OK || err_of_frame(err));
    }
    free(json);
}

static enum err count_message(void *arg, struct span part)
{
    (void)part;
    ++*(unsigned *)arg;
    return ERR_OK;
}

/* Who sends rubbish in thousands of pieces has it refused as one. */
static void too_many_messages_are_one_refusal(void **state)
{
    char json[8192];
    struct wr w = wr_of(json, sizeof json);
    struct envelope e;
    struct refusal r;
    unsigned parts = 0;

    (void)state;
    wr_text(&w, "{\"msg\":[0");
    for (int i = 0; i < ENVELOPE_MESSAGES; i++)
        wr_text(&w, ",0");
    wr_text(&w, "]}");
    assert_ok(w.err);
    assert_ok(envelope_split(&dialect_onenet, wr_span(&w), count_message, &parts));
    assert_int_equal(parts, 1);
    assert_err(ERR_MALFORMED, envelope_read(&dialect_onenet, wr_span(&w), &arena, &e, &r));
}

static void too_many_services_are_refused_before_they_are_read(void **state)
{
    char json[8192];
    struct wr w = wr_of(json, sizeof json);
    struct refusal r;
    struct frame f;

    (void)state;
    wr_text(&w, "{\"notifyType\":\"deviceDatasChanged\",\"deviceId\":\"8\",\"services\":[{}");
    for (int i = 0; i < ENVELOPE_MESSAGES; i++)
        wr_text(&w, ",{}");
    wr_text(&w, "]}");
    assert_err(ERR_TOO_LARGE, decode(&dialect_iotda, wr_span(&w), &f, &r));
}

/* A platform wraps the meter's bytes in a few levels; who digs deeper digs for the time it takes. */
static void bytes_are_looked_for_six_levels_deep(void **state)
{
    static const char six[] = "{\"messageType\":\"dataReport\",\"IMEI\":\"86\",\"payload\":"
                              "{\"a\":[[[[{\"RAWData\":\"" REPORT "\"}]]]]}}";
    static const char seven[] = "{\"messageType\":\"dataReport\",\"IMEI\":\"86\",\"payload\":"
                                "{\"a\":[[[[[{\"RAWData\":\"" REPORT "\"}]]]]]}}";

    (void)state;
    assert_int_equal(decoded(&dialect_aep, six).series_count, 1);
    assert_int_equal(decoded(&dialect_aep, seven).series_count, 0);
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
        cmocka_unit_test(the_imei_comes_first_and_the_platforms_id_serves_too),
        cmocka_unit_test(milliseconds_are_read_from_numbers_and_texts),
        cmocka_unit_test(fields_without_bytes_are_no_reading),
        cmocka_unit_test(each_service_of_a_report_is_kept),
        cmocka_unit_test(messages_pushed_together_are_whole_each),
        cmocka_unit_test(news_of_the_platform_itself_is_set_aside),
        cmocka_unit_test(the_largest_pushes_are_answered),
        cmocka_unit_test(too_many_messages_are_one_refusal),
        cmocka_unit_test(too_many_services_are_refused_before_they_are_read),
        cmocka_unit_test(bytes_are_looked_for_six_levels_deep),
    };

    check_begin(argc, argv);
    return _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof tests[0], begin, end);
}
