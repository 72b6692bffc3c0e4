/* A meter's report shows at once in what the API says of the meter, and still does when it is settled and after a restart. */
#include "proto/facts.h"
#include "proto/native.h"
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <stdio.h>

#define NOW_S INT64_C(1772323200) /* 2026-03-01T00:00:00Z */

static void report(const struct nilod *n)
{
    static const struct sample samples[] = { { NOW_S - 40, 12000 } };
    const struct series series = { .channel = CHANNEL_FORWARD, .count = 1, .samples = samples };
    const struct frame frame = { .names = names_of(span_text("M1")),
                                 .sent_s = NOW_S - 40,
                                 .battery_mv = 3580,
                                 .rsrp_dbm = -104,
                                 .status = STATUS_LEAK | STATUS_BATTERY_LOW,
                                 .series_count = 1,
                                 .series = &series };
    const int8_t scale = 0;
    uint8_t bytes[256];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct message *m = calloc(1, sizeof *m);
    struct heard heard;
    struct probe p;
    char port[8];

    assert_ok(native_encode(&frame, &scale, &w));
    snprintf(port, sizeof port, "%d", n->coap_port);
    probe_open(&p, n->coap_host, port, NULL);
    message_begin(m, PROBE_CON, PROBE_POST, 1, span_text("t"));
    message_path(m, "r");
    message_payload(m, wr_span(&w));
    probe_ask(&p, m, &heard);
    assert_int_equal(heard.code, PROBE_CODE(2, 4));
    probe_close(&p);
    free(m);
}

static void check_meter(const struct nilod *n)
{
    struct client c = { 0 };
    struct answer a;

    client_open(&c, n->http_host, n->http_port, n->token);
    http_get(&c, "/v1/meters/M1", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"last_seen_at\":\"2026-03-01T00:00:00Z\""));
    assert_non_null(strstr(a.body, "\"clock_offset_s\":-40"));
    assert_non_null(strstr(a.body, "\"battery_mv\":3580"));
    assert_non_null(strstr(a.body, "\"rsrp_dbm\":-104"));
    assert_non_null(strstr(a.body, "\"status\":[\"battery_low\",\"leak\"]"));
    assert_non_null(strstr(a.body, "\"last_index_l\":12"));
    answer_done(&a);
    client_close(&c);
}

static void post(const struct nilod *n, const char *path, const char *body, int status)
{
    struct client c = { 0 };
    struct answer a;

    client_open(&c, n->http_host, n->http_port, n->token);
    http_post(&c, path, NULL, body, &a);
    assert_int_equal(a.status, status);
    answer_done(&a);
    client_close(&c);
}

static void a_report_shows_in_the_meter_settled_or_not(void **state)
{
    struct nilod n = { .clock = "2026-03-01T00:00:00Z" };

    (void)state;
    nilod_start(&n);
    post(&n, "/v1/meters", "{\"serial\":\"M1\",\"dn\":15,\"q3\":2.5}", 201);
    report(&n);
    check_meter(&n);
    post(&n, "/v1/settle", "{}", 200);
    check_meter(&n);
    nilod_kill(&n);
    nilod_start(&n);
    check_meter(&n);
    nilod_stop(&n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_shows_in_the_meter_settled_or_not),
    };

    return check_run(tests, argc, argv);
}
