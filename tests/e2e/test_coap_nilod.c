/* CoAP against a real nilod: the contract's table, and what an acknowledgement is worth afterwards.
 */
#include "tests/check.h"
#include "tests/client/coap_cases.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define HOUR 3600

static struct nilod n = { .clock = NOW };
static struct client c;
static char coap_port[8];

static void import_meters(const char *csv)
{
    struct answer a;

    http_post(&c, "/v1/import/meters", "Content-Type: text/csv\r\n", csv, &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
}

static void start(void)
{
    nilod_start(&n);
    snprintf(coap_port, sizeof coap_port, "%d", n.coap_port);
    client_open(&c, n.http_host, n.http_port, n.token);
}

static int begin(void **state)
{
    (void)state;
    start();
    import_meters("serial,dn,q3\n10000001,15,2.5\n10000002,15,2.5\n10000003,15,2.5\n"
                  "10000004,15,2.5\n10000005,15,2.5\n");
    coap_target = (struct coap_target){ n.coap_host, coap_port, "10000001", "10000002", NOW_S };
    return 0;
}

static int end(void **state)
{
    (void)state;
    client_close(&c);
    nilod_stop(&n);
    return 0;
}

/* ---- what is listed ---- */

/* Readings of the last days, newest last; json_decref. */
static json_t *readings(const char *meter)
{
    char path[200];
    struct answer a;
    json_t *all, *rows;

    snprintf(path, sizeof path,
             "/v1/meters/%s/readings?from=2026-02-01T00:00:00Z&to=2026-03-11T00:00:00Z&limit=10000",
             meter);
    http_get(&c, path, NULL, &a);
    if (a.status != 200)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    all = answer_json(&a);
    answer_done(&a);
    rows = json_incref(json_object_get(all, "rows"));
    json_decref(all);
    return rows;
}

static size_t count_readings(const char *meter)
{
    json_t *rows = readings(meter);
    size_t count = json_array_size(rows);

    json_decref(rows);
    return count;
}

static void put_report(struct message *m, uint16_t mid, const char *meter, int64_t at_s,
                       int64_t index_l)
{
    uint8_t room[256];

    message_begin(m, PROBE_CON, PROBE_POST, mid, span_of("\x77", 1));
    message_path(m, "r");
    message_payload(m, report_bytes(room, sizeof room, meter, at_s, index_l, 1));
}

static void expect_code(const struct heard *h, unsigned code)
{
    if (h->code != code)
        fail_msg("expected %u.%02u, heard %u.%02u: %.*s", code >> 5, code & 31, h->code >> 5,
                 h->code & 31, (int)h->payload.len,
                 h->payload.len ? (const char *)h->payload.at : "");
}

#define CHANGED PROBE_CODE(2, 4)

/* field.md CO3, 1. */
static void a_report_that_comes_twice_from_two_ports_is_one_reading(void **state)
{
    static struct message m;
    struct probe p, q;
    struct heard h;

    (void)state;
    probe_open(&p, n.coap_host, coap_port, "127.9.1.1");
    probe_open(&q, n.coap_host, coap_port, "127.9.1.1");
    put_report(&m, 0x1a2b, "10000003", NOW_S - HOUR, 500);
    for (int i = 0; i < 3; i++) {
        probe_ask(&p, &m, &h);
        expect_code(&h, CHANGED);
    }
    probe_ask(&q, &m, &h);
    expect_code(&h, CHANGED);
    assert_int_equal(count_readings("10000003"), 1);
    probe_close(&p);
    probe_close(&q);
}

/* field.md CO3, 2: day 1 in part, then day 2 whole. */
static void an_abandoned_upload_leaves_no_reading(void **state)
{
    static uint8_t days[2][600];
    struct span reports[2];
    struct probe p;
    struct heard h;
    json_t *rows, *row;
    size_t i;

    (void)state;
    probe_open(&p, n.coap_host, coap_port, "127.9.1.2");
    for (int day = 0; day < 2; day++)
        reports[day] = report_bytes(days[day], sizeof days[day], "10000004",
                                    NOW_S - (day ? 1 : 400) * HOUR, day ? 9000 : 1000, 330);
    for (int step = 0; step < 5; step++) {
        static struct message m;
        int day = step >= 2;
        uint32_t num = (uint32_t)(day ? step - 2 : step);
        bool more = num < 2;
        struct span report = reports[day];

        message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, span_of("\x77", 1));
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, num, more, 3);
        message_payload(&m, span_of(report.at + num * 128, more ? 128 : report.len - 256));
        probe_ask(&p, &m, &h);
        expect_code(&h, more ? PROBE_CODE(2, 31) : CHANGED);
    }
    rows = readings("10000004");
    assert_int_equal(json_array_size(rows), 330);
    json_array_foreach(rows, i, row)
        assert_true(json_number_value(json_object_get(row, "index_l")) > 8000);
    json_decref(rows);
    probe_close(&p);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;
    size_t before;

    (void)state;
    probe_open(&p, n.coap_host, coap_port, "127.9.1.3");
    for (uint16_t i = 0; i < 50; i++) {
        put_report(&m, i, "10000005", NOW_S - (i + 1) * HOUR, 5000 - i);
        probe_ask(&p, &m, &h);
        expect_code(&h, CHANGED);
    }
    before = count_readings("10000005");
    assert_int_equal(before, 50);
    client_close(&c);
    nilod_kill(&n);
    start(); /* the same port, at once */
    assert_int_equal(count_readings("10000005"), 50);
    put_report(&m, 0, "10000005", NOW_S - HOUR, 5000); /* its answer was lost, so it says: once */
    probe_ask(&p, &m, &h);
    expect_code(&h, CHANGED);
    assert_int_equal(count_readings("10000005"), 50);
    probe_close(&p);
}

static void a_report_of_an_unknown_meter_counts_once_it_is_registered(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    probe_open(&p, n.coap_host, coap_port, "127.9.1.4");
    put_report(&m, 1, "late-1", NOW_S - HOUR, 77);
    probe_ask(&p, &m, &h);
    expect_code(&h, CHANGED);
    import_meters("serial,dn,q3\nlate-1,15,2.5\n");
    assert_int_equal(count_readings("late-1"), 1);
    probe_close(&p);
}

/* ---- memory ---- */

static long resident_kib(void)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)n.pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(f);
    assert_true(kib > 0);
    return kib;
}

static void abandon_uploads(void)
{
    static const uint8_t block[1024];
    static struct message m;
    struct probe p;
    struct heard h;

    for (unsigned i = 0; i < 10000; i++) {
        char from[32];

        if (i % 100 == 0) {
            snprintf(from, sizeof from, "127.7.%u.1", i / 100);
            probe_open(&p, n.coap_host, coap_port, from);
        }
        message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, span_of(NULL, 0));
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, 0, true, 6);
        message_uint(&m, PROBE_REQUEST_TAG, i + 1);
        message_payload(&m, span_of(block, sizeof block));
        probe_ask(&p, &m, &h);
        expect_code(&h, PROBE_CODE(2, 31));
        if (i % 100 == 99)
            probe_close(&p);
    }
}

static void ten_thousand_abandoned_uploads_cost_little_memory(void **state)
{
    long before, first;

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("with a sanitizer inside, memory is not ours alone\n");
    skip();
#endif
    before = resident_kib();
    abandon_uploads();
    first = resident_kib();
    assert_in_range(first, 1, before + 64 * 1024);
    abandon_uploads(); /* and as many again cost nothing more */
    assert_in_range(resident_kib(), 1, first + 4 * 1024);
}

/* ---- somebody else's client ---- */

static void libcoap_s_client_is_understood(void **state)
{
    char command[512], path[64], line[256] = "";
    uint8_t room[1200];
    struct span report;
    FILE *f;

    (void)state;
    if (system("command -v coap-client-openssl > /dev/null")) {
        print_message("coap-client-openssl (package libcoap3-bin) is not installed\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/report", check_folder());
    report = report_bytes(room, sizeof room, "10000002", NOW_S - HOUR, 4000, 330);
    check_write(path, report);
    /* In one piece, then in blocks of 64 bytes. */
    snprintf(command, sizeof command,
             "coap-client-openssl -B 5 -m post -t 42 -f %s coap://%s:%s/r && "
             "coap-client-openssl -B 5 -b 64 -m post -t 42 -f %s coap://%s:%s/r",
             path, n.coap_host, coap_port, path, n.coap_host, coap_port);
    assert_int_equal(system(command), 0);
    assert_int_equal(count_readings("10000002"), 330);
    snprintf(command, sizeof command, "coap-client-openssl -B 5 -m get coap://%s:%s/time",
             n.coap_host, coap_port);
    f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_int_equal(pclose(f), 0);
    assert_in_range(atoll(line), NOW_S, NOW_S + 60);
}

/* ---- the end ---- */

/* SIGTERM amid traffic: whatever was acknowledged is there afterwards. */
static void a_server_that_is_told_to_stop_keeps_what_it_acknowledged(void **state)
{
    static struct message m;
    bool acknowledged[400] = { false };
    size_t count = 0, listed;
    struct probe p;
    struct heard h;

    (void)state;
    import_meters("serial,dn,q3\nlast-1,15,2.5\n");
    probe_open(&p, n.coap_host, coap_port, "127.9.1.5");
    for (uint16_t i = 0; i < 190; i++) {
        put_report(&m, i, "last-1", NOW_S - (i + 1) * HOUR, 9000 - i);
        probe_send_bytes(&p, message_span(&m));
        if (i == 100)
            kill(n.pid, SIGTERM);
    }
    client_close(&c);
    nilod_stop(&n);
    while (probe_hear(&p, 0, &h))
        if (h.code == CHANGED && !acknowledged[h.mid]) {
            acknowledged[h.mid] = true;
            count++;
        }
    probe_close(&p);
    start();
    listed = count_readings("last-1");
    assert_true(listed >= count);
    print_message("%zu acknowledged, %zu listed\n", count, listed);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_report_that_comes_twice_from_two_ports_is_one_reading),
    cmocka_unit_test(an_abandoned_upload_leaves_no_reading),
    cmocka_unit_test(what_was_acknowledged_survives_a_kill),
    cmocka_unit_test(a_report_of_an_unknown_meter_counts_once_it_is_registered),
    cmocka_unit_test(ten_thousand_abandoned_uploads_cost_little_memory),
    cmocka_unit_test(libcoap_s_client_is_understood),
    cmocka_unit_test(a_server_that_is_told_to_stop_keeps_what_it_acknowledged),
};

int main(int argc, char **argv)
{
    int failed;

    check_begin(argc, argv);
    failed = _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof *tests, begin, end);
    memset(&n, 0, sizeof n);
    n.clock = NOW;
    return failed + _cmocka_run_group_tests("coap_cases", coap_cases, coap_case_count, begin, end);
}
