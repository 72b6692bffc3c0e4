/* CoAP in DTLS against a real nilod: what an identity proves, restarts, floods, and who makes room. */
#include "proto/base/wr.h"
#include "tests/check.h"
#include "tests/client/coap_cases.h"
#include "tests/client/dtls.h"
#include "tests/client/http.h"
#include "tests/nilod.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define HOUR 3600
#define DAY 86400
#define SHAKE_MS 20000 /* with a sanitizer, on a busy machine */
#define CHANGED PROBE_CODE(2, 4)
#define SILENCE_MS 300

static struct nilod n = { .clock = NOW, .coaps = true };
static struct client c;
static char coap_port[8], coaps_port[8];

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void import(const char *list, const char *csv)
{
    char path[64];
    struct answer a;

    snprintf(path, sizeof path, "/v1/import/%s", list);
    http_post(&c, path, "Content-Type: text/csv\r\n", csv, &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
}

/* Meters FIRST and on, with SECURE_KEY as the key of each. */
static void enroll(unsigned first, unsigned count)
{
    size_t cap = 64 + (size_t)count * 64, meters_len, keys_len;
    char *meters = (char *)malloc(cap), *keys = (char *)malloc(cap);

    assert_true(meters && keys);
    meters_len = (size_t)snprintf(meters, cap, "serial,dn,q3\n");
    keys_len = (size_t)snprintf(keys, cap, "serial,kind,key_hex\n");
    for (unsigned i = first; i < first + count; i++) {
        meters_len += (size_t)snprintf(meters + meters_len, cap - meters_len, "%u,15,2.5\n", i);
        keys_len += (size_t)snprintf(keys + keys_len, cap - keys_len, "%u,psk,", i);
        for (const char *k = SECURE_KEY; *k; k++)
            keys_len += (size_t)snprintf(keys + keys_len, cap - keys_len, "%02x", (unsigned)*k);
        keys_len += (size_t)snprintf(keys + keys_len, cap - keys_len, "\n");
    }
    import("meters", meters);
    import("keys", keys);
    free(meters);
    free(keys);
}

static void start(void)
{
    nilod_start(&n);
    snprintf(coap_port, sizeof coap_port, "%d", n.coap_port);
    snprintf(coaps_port, sizeof coaps_port, "%d", n.coaps_port);
    client_open(&c, n.http_host, n.http_port, n.token);
}

static int begin(void **state)
{
    (void)state;
    start();
    enroll(10000001, 64);
    return 0;
}

static int end(void **state)
{
    (void)state;
    client_close(&c);
    nilod_stop(&n);
    return 0;
}

/* ---- what is asked of it ---- */

static long metric(const char *name)
{
    struct answer a;
    const char *at;
    long value;

    http_get(&c, "/metrics", NULL, &a);
    assert_int_equal(a.status, 200);
    for (at = a.body; (at = strstr(at, name)) != NULL; at++)
        if ((at == a.body || at[-1] == '\n') && at[strlen(name)] == ' ')
            break;
    if (!at)
        fail_msg("there is no metric %s", name);
    value = strtol(at + strlen(name), NULL, 10);
    answer_done(&a);
    return value;
}

/* Waits until it is at least that, bounded. */
static void await_metric(const char *name, long least)
{
    int64_t until = now_ms() + SHAKE_MS;

    while (metric(name) < least) {
        if (now_ms() > until)
            fail_msg("%s is %ld, %ld was awaited", name, metric(name), least);
        poll(NULL, 0, 10);
    }
}

static json_t *rows_of(const char *path)
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

static size_t count_readings(const char *meter)
{
    char path[200];
    json_t *rows;
    size_t count;

    snprintf(path, sizeof path,
             "/v1/meters/%s/readings?from=2026-02-01T00:00:00Z&to=2026-03-11T00:00:00Z&limit=10000",
             meter);
    rows = rows_of(path);
    count = json_array_size(rows);
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

static void put_get(struct message *m, uint16_t mid)
{
    message_begin(m, PROBE_CON, PROBE_GET, mid, span_of("\x78", 1));
    message_path(m, "time");
}

static void expect_code(const struct heard *h, unsigned code)
{
    if (h->code != code)
        fail_msg("expected %u.%02u, heard %u.%02u: %.*s", code >> 5, code & 31, h->code >> 5,
                 h->code & 31, (int)h->payload.len,
                 h->payload.len ? (const char *)h->payload.at : "");
}

static void open_as(struct secure *s, const char *identity, const char *from)
{
    secure_open(s, n.coaps_host, coaps_port, from, identity, SECURE_KEY, NULL);
}

static void open_shaken(struct secure *s, const char *identity, const char *from)
{
    open_as(s, identity, from);
    if (!secure_shake(s, SHAKE_MS))
        fail_msg("no handshake as %s", identity);
}

static void ask_time(struct secure *s)
{
    static struct message m;
    struct heard h;

    put_get(&m, s->probe.next_mid++);
    secure_ask(s, &m, &h);
    expect_code(&h, PROBE_CODE(2, 5));
}

/* ---- sessions ---- */

static void a_report_in_a_session_is_kept_whatever_the_suite(void **state)
{
    static const char *const suites[] = { "PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256",
                                          "PSK-AES128-CBC-SHA256" };
    static struct message m;
    struct secure s;
    struct heard h;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        secure_open(&s, n.coaps_host, coaps_port, "127.8.1.1", "10000001", SECURE_KEY, suites[i]);
        assert_true(secure_shake(&s, SHAKE_MS));
        for (unsigned k = 0; k < 3; k++) {
            put_report(&m, (uint16_t)(i * 10 + k), "10000001", NOW_S - (i * 10 + k + 1) * HOUR,
                       5000 - i * 10 - k);
            secure_ask(&s, &m, &h);
            expect_code(&h, CHANGED);
            assert_int_equal(h.mid, i * 10 + k);
        }
        secure_close(&s);
    }
    assert_int_equal(count_readings("10000001"), 9);
}

static void a_report_that_names_no_meter_is_the_identity_s(void **state)
{
    static struct message m;
    struct secure s;
    struct heard h;

    (void)state;
    open_shaken(&s, "10000002", "127.8.1.2");
    put_report(&m, 1, "", NOW_S - HOUR, 77);
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    assert_int_equal(count_readings("10000002"), 1);
    secure_close(&s);
}

/* From one address and port two meters send the same bytes: each is heard. */
static void what_two_meters_say_behind_one_port_is_no_repeat(void **state)
{
    static struct message m;
    struct secure s;
    struct heard h;

    (void)state;
    open_shaken(&s, "10000003", "127.8.1.3");
    put_report(&m, 1, "", NOW_S - HOUR, 78);
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    strcpy(s.identity, "10000004");
    secure_anew(&s, NULL);
    assert_true(secure_shake(&s, SHAKE_MS));
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    secure_close(&s);
    assert_int_equal(count_readings("10000003"), 1);
    assert_int_equal(count_readings("10000004"), 1);
}

/* How many audit rows say that `subject` named `named`. */
static size_t count_audit(const char *subject, const char *named)
{
    json_t *rows = rows_of("/v1/audit?limit=10000"), *row;
    size_t i, count = 0;

    json_array_foreach(rows, i, row)
    {
        const char *what = json_string_value(json_object_get(row, "what"));
        const char *who = json_string_value(json_object_get(row, "subject"));
        const char *after = json_string_value(json_object_get(row, "after"));

        count += what && who && after && strcmp(what, "coaps.forbidden") == 0 &&
                 strcmp(who, subject) == 0 && strcmp(after, named) == 0;
    }
    json_decref(rows);
    return count;
}

static void await_audit(const char *subject, const char *named)
{
    int64_t until = now_ms() + SHAKE_MS;

    while (count_audit(subject, named) == 0) {
        if (now_ms() > until)
            fail_msg("the audit does not tell that %s named %s", subject, named);
        poll(NULL, 0, 20);
    }
}

static void another_meter_s_serial_is_forbidden_and_audited(void **state)
{
    static struct message m;
    struct secure s;
    struct heard h;

    (void)state;
    open_shaken(&s, "10000005", "127.8.1.4");
    put_report(&m, 1, "10000006", NOW_S - HOUR, 80);
    secure_ask(&s, &m, &h);
    expect_code(&h, PROBE_CODE(4, 3));
    await_audit("10000005", "10000006");

    message_begin(&m, PROBE_CON, PROBE_POST, 2, span_of("\x77", 1));
    message_path(&m, "r");
    message_option(&m, PROBE_URI_QUERY, span_text("m=10000007"));
    message_payload(&m, report_bytes((uint8_t[256]){ 0 }, 256, "", NOW_S - HOUR, 80, 1));
    secure_ask(&s, &m, &h);
    expect_code(&h, PROBE_CODE(4, 3));
    await_audit("10000005", "10000007");
    assert_int_equal(
        count_readings("10000005") + count_readings("10000006") + count_readings("10000007"), 0);
    secure_close(&s);
}

/* A thousand of them are a few notes and a number, and the audit's chain is whole. */
static void forbidden_reports_in_numbers_do_not_fill_the_audit(void **state)
{
    static struct message m;
    struct secure s;
    struct heard h;
    json_t *rows;
    size_t before;

    (void)state;
    rows = rows_of("/v1/audit?limit=10000");
    before = json_array_size(rows);
    json_decref(rows);
    open_shaken(&s, "10000008", "127.8.1.5");
    for (uint16_t i = 0; i < 150; i++) {
        char named[16];

        snprintf(named, sizeof named, "other-%u", i);
        put_report(&m, i, named, NOW_S - HOUR, 80);
        secure_ask(&s, &m, &h);
        expect_code(&h, PROBE_CODE(4, 3));
    }
    secure_close(&s);
    await_audit("10000008", "other-0");
    rows = rows_of("/v1/audit?limit=10000");
    assert_in_range(json_array_size(rows) - before, 1, 100);
    json_decref(rows);
}

/* ---- who has no key ---- */

/* One who asks for a session, and what becomes of it. */
struct look {
    const char *identity, *key, *suite;
    pthread_t thread;
    uint64_t kinds; /* of datagrams heard */
    bool shaken;
};

static void *look_run(void *arg)
{
    struct look *look = (struct look *)arg;
    struct secure s;

    secure_open(&s, n.coaps_host, coaps_port, "127.8.2.1", look->identity, look->key, look->suite);
    look->shaken = secure_shake(&s, 2500);
    while (secure_take(&s, SILENCE_MS))
        continue;
    look->kinds = s.kinds;
    secure_close(&s);
    return NULL;
}

/* All of them wait out the silence side by side. */
static void an_unknown_identity_looks_like_a_wrong_key(void **state)
{
    static const char *const suites[] = { "PSK-AES128-CCM8", "PSK-AES128-CBC-SHA256" };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct look looks[] = {
            { .identity = "10000009", .key = "fedcba9876543210" },
            { .identity = "nobody-1", .key = SECURE_KEY },
            { .identity = "", .key = SECURE_KEY },
            { .identity = "0123456789012345678901234567890123456789", .key = SECURE_KEY },
        };
        const struct look *wrong = &looks[0], *unknown = &looks[1], *longest = &looks[3];

        for (unsigned k = 0; k < 4; k++) {
            looks[k].suite = suites[i];
            assert_int_equal(pthread_create(&looks[k].thread, NULL, look_run, &looks[k]), 0);
        }
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(pthread_join(looks[k].thread, NULL), 0);
        for (unsigned k = 0; k < 4; k++)
            assert_false(looks[k].shaken);
        assert_true(unknown->kinds == wrong->kinds);
        assert_true(longest->kinds == wrong->kinds && wrong->kinds);
    }
}

/* ---- restarts (field.md CO2) ---- */

#define CLIENTS 24

static struct secure fleet[CLIENTS];

static void fleet_report(unsigned i, int64_t at_s, int64_t index_l, unsigned hours)
{
    static struct message m;
    uint8_t room[512];
    struct heard h;

    message_begin(&m, PROBE_CON, PROBE_POST, fleet[i].probe.next_mid++, span_of("\x77", 1));
    message_path(&m, "r");
    message_payload(&m, report_bytes(room, sizeof room, fleet[i].identity, at_s, index_l, hours));
    secure_ask(&fleet[i], &m, &h);
    expect_code(&h, CHANGED);
}

/* How many lines of the log tell of lost sessions. */
static unsigned count_lost_lines(void)
{
    struct span log = check_read(n.log);
    unsigned count = 0;

    for (const char *at = (const char *)log.at; (at = strstr(at, "does not know")) != NULL; at++)
        count++;
    free((void *)(uintptr_t)log.at);
    return count;
}

static void wake_after_restart(unsigned i)
{
    static struct message m;
    struct heard h;

    put_get(&m, fleet[i].probe.next_mid++);
    secure_send(&fleet[i], message_span(&m));
    assert_false(secure_hear(&fleet[i], i == 0 ? SILENCE_MS : 0, &h));
    secure_anew(&fleet[i], NULL);
    fleet[i].heard = 0;
    assert_true(secure_shake(&fleet[i], SHAKE_MS));
    if (fleet[i].heard != 3) /* verify, hello, finished */
        print_message("client %u heard %u datagrams in its handshake\n", i, fleet[i].heard);
}

static void restart_with(void (*stop)(struct nilod *), unsigned day)
{
    unsigned lines = count_lost_lines();
    long before;

    for (unsigned i = 0; i < CLIENTS; i++)
        fleet_report(i, NOW_S - (2 * (int64_t)day + 2) * DAY, 8997, 1);
    client_close(&c);
    stop(&n);
    start();
    before = metric("nilo_coaps_unknown_session_records_total");
    assert_int_equal(before, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        wake_after_restart(i);
        fleet_report(i, NOW_S - (2 * (int64_t)day + 1) * DAY, 9000, 25); /* and what was missed */
    }
    assert_int_equal(metric("nilo_coaps_unknown_session_records_total"), CLIENTS);
    assert_int_equal(metric("nilo_coaps_handshakes_total{outcome=\"complete\"}"), CLIENTS);
    assert_int_equal(metric("nilo_coaps_sessions"), CLIENTS);
    client_close(&c);
    nilod_stop(&n);
    assert_int_equal(count_lost_lines(), lines + 1); /* one for all */
    start();
}

static void after_a_restart_each_meter_is_back_at_its_first_handshake(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        char from[32], serial[16];

        snprintf(from, sizeof from, "127.8.3.%u", i + 1);
        snprintf(serial, sizeof serial, "%u", 10000020 + i);
        open_shaken(&fleet[i], serial, from);
    }
    restart_with(nilod_stop, 1);
    for (unsigned i = 0; i < CLIENTS; i++) {
        secure_anew(&fleet[i], NULL);
        assert_true(secure_shake(&fleet[i], SHAKE_MS));
    }
    restart_with(nilod_kill, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(count_readings(fleet[i].identity), 50); /* hours of two days, each once */
        secure_close(&fleet[i]);
    }
}

/* ---- handshakes ---- */

/* The other session of an endpoint goes on until the new one is complete. */
static void a_handshake_replaces_a_session_only_when_it_is_complete(void **state)
{
    static struct message m;
    struct secure old, young;
    uint8_t said[2048];
    struct heard h;
    int fd;

    (void)state;
    open_shaken(&old, "10000010", "127.8.1.6");
    open_as(&young, "10000010", "127.8.1.6");
    fd = young.probe.fd; /* both speak from one socket */
    young.probe.fd = old.probe.fd;
    for (int flight = 0; flight < 2; flight++) {
        secure_say(&young, span_of(said, secure_turn(&young, said, sizeof said)));
        assert_true(secure_take(&young, SHAKE_MS));
        ask_time(&old);
    }
    assert_false(secure_is_shaken(&young));
    assert_true(secure_shake(&young, SHAKE_MS));
    ask_time(&young);
    put_get(&m, old.probe.next_mid++);
    secure_send(&old, message_span(&m));
    assert_false(secure_hear(&old, SILENCE_MS, &h));
    ask_time(&young);
    young.probe.fd = fd;
    secure_close(&young);
    secure_close(&old);
}

/* A handshake message in two records of a datagram each. */
static void say_in_two(struct secure *s, struct span hello)
{
    size_t body = hello.len - 25, half = body / 2;

    for (unsigned part = 0; part < 2; part++) {
        size_t offset = part ? half : 0, len = part ? body - half : half;
        uint8_t out[1024];

        memcpy(out, hello.at, 25);
        out[10] = part ? 40 : 1; /* a number that the client will not use again */
        out[11] = (uint8_t)((len + 12) >> 8);
        out[12] = (uint8_t)(len + 12);
        out[20] = (uint8_t)(offset >> 8);
        out[21] = (uint8_t)offset;
        out[23] = (uint8_t)(len >> 8);
        out[24] = (uint8_t)len;
        memcpy(out + 25, hello.at + 25 + offset, len);
        probe_send_bytes(&s->probe, span_of(out, 25 + len));
    }
}

static void a_hello_in_fragments_is_understood(void **state)
{
    struct secure s;
    uint8_t said[2048];
    size_t len;

    (void)state;
    open_as(&s, "10000011", "127.8.1.7");
    secure_say(&s, span_of(said, secure_turn(&s, said, sizeof said)));
    assert_true(secure_take(&s, SHAKE_MS));
    len = secure_turn(&s, said, sizeof said);
    assert_in_range(len, 100, 1000);
    say_in_two(&s, span_of(said, len));
    assert_true(secure_take(&s, SHAKE_MS));
    assert_true(secure_shake(&s, SHAKE_MS));
    ask_time(&s);
    secure_close(&s);
}

/* ServerHello is lost, then our Finished: each is said again when the client repeats itself or the
 * time has come. */
static void a_handshake_survives_losses(void **state)
{
    struct secure s;
    uint8_t said[2048];
    struct pollfd p;
    size_t len;

    (void)state;
    open_as(&s, "10000012", "127.8.1.8");
    secure_say(&s, span_of(said, secure_turn(&s, said, sizeof said)));
    assert_true(secure_take(&s, SHAKE_MS));
    len = secure_turn(&s, said, sizeof said);
    secure_say(&s, span_of(said, len));
    p = (struct pollfd){ .fd = s.probe.fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, SHAKE_MS), 1);
    assert_true(recv(p.fd, said, sizeof said, 0) > 0); /* lost */
    while (!(len = secure_turn(&s, said, sizeof said)))
        assert_true(secure_take(&s, SHAKE_MS)); /* the server repeats it by itself */
    secure_say(&s, span_of(said, len));
    assert_int_equal(poll(&p, 1, SHAKE_MS), 1);
    len = (size_t)recv(p.fd, said, sizeof said, 0); /* lost */
    assert_true(len > 0);
    assert_true(secure_shake(&s, SHAKE_MS));
    ask_time(&s);
    secure_close(&s);
}

static void a_goodbye_ends_the_session(void **state)
{
    struct secure s;
    long before;

    (void)state;
    open_shaken(&s, "10000013", "127.8.1.9");
    ask_time(&s);
    before = metric("nilo_coaps_sessions");
    secure_bye(&s);
    assert_true(secure_take(&s, SHAKE_MS)); /* its own goodbye */
    assert_int_equal(metric("nilo_coaps_sessions"), before - 1);
    secure_close(&s);
}

/* ---- what comes through the gate ---- */

static void uploads_in_blocks_go_through_a_session(void **state)
{
    static uint8_t room[600];
    static struct message m;
    struct secure s;
    struct heard h;
    struct span report = report_bytes(room, sizeof room, "10000014", NOW_S - HOUR, 9000, 330);

    (void)state;
    open_shaken(&s, "10000014", "127.8.1.10");
    for (uint32_t num = 0; num < 3; num++) {
        bool more = num < 2;

        message_begin(&m, PROBE_CON, PROBE_POST, s.probe.next_mid++, span_of("\x77", 1));
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, num, more, 3);
        message_payload(&m, span_of(report.at + num * 128, more ? 128 : report.len - 256));
        secure_ask(&s, &m, &h);
        expect_code(&h, more ? PROBE_CODE(2, 31) : CHANGED);
    }
    assert_int_equal(count_readings("10000014"), 330);
    secure_close(&s);
}

static void a_command_goes_with_the_answer(void **state)
{
    static struct message m;
    struct secure s;
    struct answer a;
    struct heard h;

    (void)state;
    http_post(&c, "/v1/meters/10000062/commands", "Content-Type: application/json\r\n",
              "{\"what\":\"report_every\",\"report_every_s\":3600}", &a);
    if (a.status != 201)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
    open_shaken(&s, "10000062", "127.8.1.19");
    put_report(&m, 1, "", NOW_S - HOUR, 500);
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    assert_true(h.payload.len > 0); /* a native Commands message */
    secure_close(&s);
}

/* By name alone, as anybody can. */
static void report_plainly(const char *meter, uint16_t mid, int64_t at_s, struct heard *h)
{
    static struct message m;
    struct probe p;

    probe_open(&p, "127.0.0.1", coap_port, NULL);
    put_report(&m, mid, meter, at_s, 500);
    probe_ask(&p, &m, h);
    expect_code(h, CHANGED);
    probe_close(&p);
}

static void who_holds_a_key_hears_commands_over_coaps_alone(void **state)
{
    static struct message m;
    struct secure s;
    struct answer a;
    struct heard h;

    (void)state;
    import("meters", "serial,dn,q3\nKEYLESS,15,2.5\n");
    for (int i = 0; i < 2; i++) {
        http_post(&c, i ? "/v1/meters/KEYLESS/commands" : "/v1/meters/10000063/commands",
                  "Content-Type: application/json\r\n",
                  "{\"what\":\"report_every\",\"report_every_s\":3600}", &a);
        if (a.status != 201)
            fail_msg("%d %s", a.status, a.body);
        answer_done(&a);
    }
    report_plainly("KEYLESS", 1, NOW_S - HOUR, &h);
    assert_true(h.payload.len > 0);
    report_plainly("10000063", 2, NOW_S - 2 * HOUR, &h);
    assert_int_equal(h.payload.len, 0);
    report_plainly("10000063", 2, NOW_S - 2 * HOUR,
                   &h); /* a repeat, from another port: no better */
    assert_int_equal(h.payload.len, 0);
    open_shaken(&s, "10000063", "127.8.1.21");
    put_report(&m, 1, "", NOW_S - HOUR, 500);
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    assert_true(h.payload.len > 0);
    secure_close(&s);
}

/* Report{meter, outcomes: [{command: id}]}: done, says whoever sends it. */
static void put_outcome(struct message *m, uint16_t mid, const char *meter, unsigned id)
{
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_u8(&w, 0x0a);
    wr_counted(&w, span_text(meter));
    wr_u8(&w, 0x52);
    wr_u8(&w, 2);
    wr_u8(&w, 0x08);
    wr_u8(&w, (uint8_t)id);
    message_begin(m, PROBE_CON, PROBE_POST, mid, span_of("\x55", 1));
    message_path(m, "r");
    message_payload(m, wr_span(&w));
}

static bool commands_say(const char *meter, const char *word)
{
    char path[80];
    struct answer a;
    bool says;

    http_post(&c, "/v1/settle", "", "", &a);
    answer_done(&a);
    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    http_get(&c, path, "application/x-ndjson", &a);
    assert_int_equal(a.status, 200);
    says = strstr(a.body, word) != NULL;
    answer_done(&a);
    return says;
}

static void who_holds_a_key_tells_outcomes_over_coaps_alone(void **state)
{
    static struct message m;
    struct secure s;
    struct probe p;
    struct answer a;
    struct heard h;
    unsigned id = 0;

    (void)state;
    http_post(&c, "/v1/meters/10000064/commands", "Content-Type: application/json\r\n",
              "{\"what\":\"report_every\",\"report_every_s\":3600}", &a);
    assert_int_equal(a.status, 201);
    assert_int_equal(sscanf(strstr(a.body, "\"id\":"), "\"id\":%u", &id), 1);
    assert_true(id < 128);
    answer_done(&a);
    open_shaken(&s, "10000064", "127.8.1.22");
    put_report(&m, 1, "", NOW_S - HOUR, 500);
    secure_ask(&s, &m, &h);
    assert_true(h.payload.len > 0);
    assert_true(commands_say("10000064", "\"sent\""));
    probe_open(&p, "127.0.0.1", coap_port, NULL);
    put_outcome(&m, 7, "10000064", id);
    probe_ask(&p, &m, &h);
    expect_code(&h, CHANGED); /* kept, and believed in nothing that concerns commands */
    probe_close(&p);
    assert_true(commands_say("10000064", "\"sent\""));
    put_outcome(&m, 2, "10000064", id);
    secure_ask(&s, &m, &h);
    expect_code(&h, CHANGED);
    assert_true(commands_say("10000064", "\"done\""));
    secure_close(&s);
}

static void a_payload_that_is_too_large_is_told_so(void **state)
{
    static uint8_t much[8000];
    static struct message m;
    struct secure s;
    struct heard h;

    (void)state;
    open_shaken(&s, "10000015", "127.8.1.11");
    for (size_t len = 1153; len <= sizeof much; len = len < 3000 ? len * 2 : len + 4000) {
        message_begin(&m, PROBE_CON, PROBE_POST, s.probe.next_mid++, span_of("\x77", 1));
        message_path(&m, "r");
        message_payload(&m, span_of(much, len));
        secure_send(&s, message_span(&m));
        assert_true(secure_hear(&s, SHAKE_MS, &h));
        expect_code(&h, PROBE_CODE(4, 13));
        assert_int_equal(heard_uint(&h, PROBE_SIZE1), 1152);
    }
    secure_close(&s);
}

/* ---- strangers and forgers ---- */

static void neither_rubbish_nor_forgery_nor_a_replay_harms_a_session(void **state)
{
    struct check_random r = check_random_begin();
    static struct message m;
    struct secure s;
    struct probe stranger;
    struct heard h;
    uint8_t record[2048], bytes[1600];
    size_t len;

    (void)state;
    open_shaken(&s, "10000016", "127.8.1.12");
    put_get(&m, s.probe.next_mid++);
    secure_ask(&s, &m, &h);
    memcpy(record, s.last, len = s.last_len);
    probe_open(&stranger, n.coaps_host, coaps_port, "127.8.1.13");
    for (unsigned i = 0; i < 400; i++) {
        memcpy(bytes, record, len);
        if (i % 4 == 0)
            check_fill(&r, bytes, sizeof bytes);
        else if (i % 4 == 1)
            bytes[check_below(&r, len)] ^= (uint8_t)(1u << check_below(&r, 8));
        probe_send_bytes(i % 2 ? &s.probe : &stranger,
                         span_of(bytes, i % 4 == 0   ? check_below(&r, sizeof bytes + 1)
                                        : i % 4 == 2 ? check_below(&r, len)
                                                     : len));
    }
    assert_false(secure_hear(&s, SILENCE_MS, &h)); /* nobody is told anything */
    assert_false(probe_hear(&stranger, 0, &h));
    ask_time(&s);
    assert_true(metric("nilo_coaps_dropped_total{reason=\"forged\"}") > 0);
    probe_close(&stranger);
    secure_close(&s);
}

/* ---- floods ---- */

#define HELLO_BYTES (13 + 12 + 2 + 32 + 1 + 1 + 16 + 2 + 2 + 2)

/* A ClientHello, its random from `seed`; with a cookie of 16 bytes, or NULL. */
static size_t put_hello(uint8_t out[HELLO_BYTES], uint32_t seed, const uint8_t *cookie)
{
    static const uint8_t suites[] = { 0, 2, 0xc0, 0xa8, 1, 0 };
    uint8_t cookie_len = cookie ? 16 : 0;
    uint8_t body = (uint8_t)(2 + 32 + 1 + 1 + cookie_len + sizeof suites);
    uint8_t *at = out;

    memcpy(at, "\x16\xfe\xfd\0\0\0\0\0\0\0", 11);
    at[10] = cookie != NULL;
    at[11] = 0;
    at[12] = (uint8_t)(body + 12);
    memcpy(at + 13, "\1\0\0\0\0\0\0\0\0\0\0", 12);
    at[16] = at[24] = body;
    at[18] = cookie != NULL;
    at += 25;
    memcpy(at, "\xfe\xfd", 2);
    memset(at + 2, 0x5a, 32);
    memcpy(at + 2, &seed, sizeof seed);
    at[34] = 0;
    at[35] = cookie_len;
    if (cookie)
        memcpy(at + 36, cookie, 16);
    memcpy(at + 36 + cookie_len, suites, sizeof suites);
    return 13 + 12 + (size_t)body;
}

/* Begins a handshake and leaves it so; false: no cookie came. */
static bool leave_half_open(struct probe *p, uint32_t seed)
{
    uint8_t hello[HELLO_BYTES], heard[256];
    struct pollfd wait = { .fd = p->fd, .events = POLLIN };

    probe_send_bytes(p, span_of(hello, put_hello(hello, seed, NULL)));
    do /* what an earlier holder of this port is told is passed over */
        if (poll(&wait, 1, 2000) <= 0)
            return false;
    while (recv(p->fd, heard, sizeof heard, 0) != 44);
    probe_send_bytes(p, span_of(hello, put_hello(hello, seed, heard + 28)));
    return true;
}

struct flood {
    pthread_t thread;
    bool runs;
    _Atomic bool over;
    _Atomic unsigned sent;
    bool with_cookies;
};

static void *flood_run(void *arg)
{
    struct flood *f = (struct flood *)arg;
    struct probe p;
    uint8_t hello[HELLO_BYTES];

    while (!f->over) {
        char from[32];

        snprintf(from, sizeof from, "127.7.%u.%u", f->sent / 250 % 250, 1 + f->sent % 250);
        probe_open(&p, n.coaps_host, coaps_port, from);
        if (f->with_cookies)
            (void)leave_half_open(&p, f->sent);
        for (int i = 0; i < 200 && !f->with_cookies; i++)
            probe_send_bytes(&p, span_of(hello, put_hello(hello, (uint32_t)i, NULL)));
        probe_close(&p);
        f->sent++;
    }
    return NULL;
}

static struct flood flood;

static void flood_begin(bool with_cookies)
{
    memset(&flood, 0, sizeof flood);
    flood.with_cookies = with_cookies;
    assert_int_equal(pthread_create(&flood.thread, NULL, flood_run, &flood), 0);
    flood.runs = true;
}

static int flood_end(void **state)
{
    (void)state;
    flood.over = true;
    if (flood.runs)
        pthread_join(flood.thread, NULL);
    flood.runs = false;
    return 0;
}

/* While strangers flood the port, who has a session and who speaks in the clear are answered. A
 * meter that comes now gets its session: amid hellos perhaps only once they are over, for the first
 * thing it says is like theirs. */
static void stand_a_flood(bool with_cookies, unsigned least)
{
    static struct message m;
    struct secure s, late;
    struct probe p;
    struct heard h;
    uint8_t said[2048];

    open_shaken(&s, "10000017", "127.8.1.14");
    probe_open(&p, n.coap_host, coap_port, "127.8.1.15");
    flood_begin(with_cookies);
    for (unsigned i = 0; i < 100 || flood.sent < least; i++) {
        ask_time(&s);
        put_get(&m, p.next_mid++);
        probe_ask(&p, &m, &h);
        expect_code(&h, PROBE_CODE(2, 5));
        if (i >= 190) /* an endpoint's rate is not what is tried here */
            poll(NULL, 0, 250);
    }
    open_as(&late, "10000018", "127.8.1.16");
    secure_say(&late, span_of(said, secure_turn(&late, said, sizeof said)));
    if (!with_cookies)
        flood_end(NULL);
    assert_true(secure_shake(&late, SHAKE_MS));
    ask_time(&late);
    flood_end(NULL);
    print_message("%u rounds of strangers\n", flood.sent);
    secure_close(&late);
    secure_close(&s);
    probe_close(&p);
}

static void hellos_without_a_cookie_starve_nobody(void **state)
{
    long cookies = metric("nilo_coaps_cookies_total"), open;

    (void)state;
    stand_a_flood(false, 50);
    assert_true(metric("nilo_coaps_cookies_total") > cookies);
    open = metric("nilo_coaps_handshakes_open");
    assert_in_range(open, 0, 64); /* they left nothing */
}

static long resident_kib(void)
{
    char path[64], line[256];
    long kib = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)n.pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (kib < 0 && fgets(line, sizeof line, f))
        (void)sscanf(line, "VmRSS: %ld", &kib);
    fclose(f);
    return kib;
}

static void handshakes_that_nobody_ends_starve_nobody(void **state)
{
    long before = resident_kib();

    (void)state;
    stand_a_flood(true, 2500);
    print_message("%ld KiB for them\n", resident_kib() - before);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_kib() - before < 180 * 1024);
#endif
    assert_in_range(metric("nilo_coaps_handshakes_open"), 100, 2048);
    assert_true(metric("nilo_coaps_handshakes_total{outcome=\"crowded-out\"}") > 0);
}

/* One address begins a thousand: a meter elsewhere that takes its time still ends what it began. */
static void one_address_crowds_out_only_itself(void **state)
{
    struct secure slow;
    struct probe p[8];
    uint8_t said[2048];

    (void)state;
    open_as(&slow, "10000019", "127.8.1.17");
    for (int flight = 0; flight < 2; flight++) {
        secure_say(&slow, span_of(said, secure_turn(&slow, said, sizeof said)));
        assert_true(secure_take(&slow, SHAKE_MS));
    }
    for (unsigned round = 0; round < 2200 / 8; round++) {
        for (unsigned i = 0; i < 8; i++) {
            probe_open(&p[i], n.coaps_host, coaps_port, "127.8.9.9");
            assert_true(leave_half_open(&p[i], round * 8 + i));
        }
        for (unsigned i = 0; i < 8; i++)
            probe_close(&p[i]);
    }
    assert_true(secure_shake(&slow, SHAKE_MS)); /* what was crowded out has no end */
    ask_time(&slow);
    secure_close(&slow);
}

/* ---- somebody else's client, and the end ---- */

/* libcoap's clients, over OpenSSL and over GnuTLS: in one piece, then in blocks of 64 bytes. */
static void other_people_s_clients_are_understood(void **state)
{
    static const char *const clients[] = { "coap-client-openssl", "coap-client-gnutls" };
    unsigned found = 0;
    char path[64];
    uint8_t room[1200];

    (void)state;
    snprintf(path, sizeof path, "%s/report", check_folder());
    for (unsigned i = 0; i < 2; i++) {
        char command[700], serial[16];

        snprintf(command, sizeof command, "command -v %s > /dev/null", clients[i]);
        if (system(command))
            continue;
        found++;
        snprintf(serial, sizeof serial, "%u", 10000059 + i);
        check_write(path, report_bytes(room, sizeof room, serial, NOW_S - HOUR, 4000, 330));
        snprintf(command, sizeof command,
                 "for block in '' '-b 64'; do %s -B 5 $block -m post -t 42 -u %s -k " SECURE_KEY
                 " -f %s coaps://%s:%s/r || exit 1; done",
                 clients[i], serial, path, n.coaps_host, coaps_port);
        assert_int_equal(system(command), 0);
        assert_int_equal(count_readings(serial), 330);
    }
    if (!found) {
        print_message("coap-client-openssl (package libcoap3-bin) is not installed\n");
        skip();
    }
}

/* SIGTERM amid reports and handshakes: it ends in time (nilod_stop says), and what was acknowledged
 * is there. */
static void a_server_that_is_told_to_stop_keeps_what_it_acknowledged(void **state)
{
    static struct message m;
    struct secure s;
    struct heard h;
    size_t acknowledged = 0;

    (void)state;
    open_shaken(&s, "10000061", "127.8.1.18");
    flood_begin(true);
    for (uint16_t i = 0; i < 190; i++) {
        put_report(&m, i, "", NOW_S - (i + 1) * HOUR, 9000 - i);
        secure_send(&s, message_span(&m));
        if (i == 100) {
            assert_true(secure_hear(&s, SHAKE_MS, &h));
            acknowledged += h.code == CHANGED;
            kill(n.pid, SIGTERM);
        }
    }
    client_close(&c);
    nilod_stop(&n);
    flood_end(NULL);
    while (secure_hear(&s, 0, &h))
        acknowledged += h.code == CHANGED;
    secure_close(&s);
    start();
    assert_true(acknowledged > 0 && count_readings("10000061") >= acknowledged);
    print_message("%zu acknowledged\n", acknowledged);
}

/* ---- a table of four ---- */

static int begin_small(void **state)
{
    static const struct nilod small = { .clock = NOW, .coaps = true };

    (void)state;
    n = small;
    n.extra[0] = "--coaps-sessions";
    n.extra[1] = "4";
    n.extra[2] = "--coaps-handshake-rate";
    n.extra[3] = "3";
    n.extra[4] = "--coaps";
    n.extra[5] = "[::1]:0";
    n.extra[6] = "--coaps";
    n.extra[7] = "*:0";
    start();
    enroll(10000001, 8);
    return 0;
}

static void the_session_not_heard_of_for_longest_makes_room(void **state)
{
    static struct message m;
    struct secure s[5];
    struct heard h;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        char serial[16], from[32];

        snprintf(serial, sizeof serial, "%u", 10000001 + i);
        snprintf(from, sizeof from, "127.8.5.%u", i + 1);
        open_shaken(&s[i], serial, from);
        ask_time(&s[i]);
        if (i == 3)
            ask_time(&s[0]); /* so that the second is the idlest */
    }
    assert_int_equal(metric("nilo_coaps_sessions"), 4);
    assert_int_equal(metric("nilo_coaps_sessions_evicted_total"), 1);
    put_get(&m, s[1].probe.next_mid++);
    secure_send(&s[1], message_span(&m));
    assert_false(secure_hear(&s[1], SILENCE_MS, &h));
    for (unsigned i = 0; i < 5; i++) {
        if (i != 1)
            ask_time(&s[i]);
        secure_close(&s[i]);
    }
}

/* Three addresses, of which one is every address of IPv4: it answers from the one that was asked. */
static void every_listener_has_sessions_of_its_own(void **state)
{
    const char *at = strstr(n.ready, "coaps=") + 6;
    static const char *const hosts[] = { "127.0.0.1", "::1", "127.4.5.6" };
    struct secure s[3];
    struct heard h;
    static struct message m;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        size_t len = strcspn(at, ", ");
        char serial[16], port[16];
        const char *colon = at + len;

        while (*--colon != ':')
            continue;
        snprintf(port, sizeof port, "%.*s", (int)(at + len - colon - 1), colon + 1);
        snprintf(serial, sizeof serial, "%u", 10000001 + i);
        secure_open(&s[i], hosts[i], port, NULL, serial, SECURE_KEY, NULL);
        assert_int_equal(
            connect(s[i].probe.fd, (const struct sockaddr *)&s[i].probe.to, s[i].probe.to_len),
            0); /* nothing from elsewhere is heard */
        assert_true(secure_shake(&s[i], SHAKE_MS));
        at += len + 1;
    }
    for (unsigned i = 0; i < 3; i++) {
        ask_time(&s[i]);
        put_report(&m, 9, "", NOW_S - HOUR, 100 + i);
        secure_ask(&s[i], &m, &h);
        expect_code(&h, CHANGED);
        secure_close(&s[i]);
    }
}

static void an_address_begins_no_more_handshakes_than_it_may(void **state)
{
    struct probe p[6];
    long before = metric("nilo_coaps_dropped_total{reason=\"rate\"}");

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        probe_open(&p[i], n.coaps_host, coaps_port, "127.8.6.1");
        assert_true(leave_half_open(&p[i], i));
    }
    await_metric("nilo_coaps_dropped_total{reason=\"rate\"}", before + 1);
    for (unsigned i = 0; i < 6; i++)
        probe_close(&p[i]);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    char store[600], said[1024];

    (void)state;
    snprintf(store, sizeof store, "%s/other", check_folder());
    assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--coap", "off", "--http",
                               "off", "--coaps", "127.0.0.1:0", "--coaps-sessions", "0"),
                     2);
    assert_non_null(strstr(said, "--coaps-sessions: found 0, expected 1 to "));
    assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--coap", "off", "--http",
                               "off", "--coaps", "here"),
                     2);
    assert_non_null(strstr(said, "coaps: found here, expected ADDR:PORT"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_report_in_a_session_is_kept_whatever_the_suite),
    cmocka_unit_test(a_report_that_names_no_meter_is_the_identity_s),
    cmocka_unit_test(what_two_meters_say_behind_one_port_is_no_repeat),
    cmocka_unit_test(another_meter_s_serial_is_forbidden_and_audited),
    cmocka_unit_test(forbidden_reports_in_numbers_do_not_fill_the_audit),
    cmocka_unit_test(an_unknown_identity_looks_like_a_wrong_key),
    cmocka_unit_test(after_a_restart_each_meter_is_back_at_its_first_handshake),
    cmocka_unit_test(a_handshake_replaces_a_session_only_when_it_is_complete),
    cmocka_unit_test(a_hello_in_fragments_is_understood),
    cmocka_unit_test(a_handshake_survives_losses),
    cmocka_unit_test(a_goodbye_ends_the_session),
    cmocka_unit_test(uploads_in_blocks_go_through_a_session),
    cmocka_unit_test(a_command_goes_with_the_answer),
    cmocka_unit_test(who_holds_a_key_hears_commands_over_coaps_alone),
    cmocka_unit_test(who_holds_a_key_tells_outcomes_over_coaps_alone),
    cmocka_unit_test(a_payload_that_is_too_large_is_told_so),
    cmocka_unit_test(neither_rubbish_nor_forgery_nor_a_replay_harms_a_session),
    cmocka_unit_test_teardown(hellos_without_a_cookie_starve_nobody, flood_end),
    cmocka_unit_test_teardown(handshakes_that_nobody_ends_starve_nobody, flood_end),
    cmocka_unit_test(one_address_crowds_out_only_itself),
    cmocka_unit_test(other_people_s_clients_are_understood),
    cmocka_unit_test_teardown(a_server_that_is_told_to_stop_keeps_what_it_acknowledged, flood_end),
};

static const struct CMUnitTest small[] = {
    cmocka_unit_test(the_session_not_heard_of_for_longest_makes_room),
    cmocka_unit_test(every_listener_has_sessions_of_its_own),
    cmocka_unit_test(options_that_make_no_sense_are_refused),
    cmocka_unit_test(an_address_begins_no_more_handshakes_than_it_may),
};

int main(int argc, char **argv)
{
    int failed;

    check_begin(argc, argv);
    failed = _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof *tests, begin, end);
    return failed +
           _cmocka_run_group_tests("small", small, sizeof small / sizeof *small, begin_small, end);
}
