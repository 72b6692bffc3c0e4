/* The gateway alone: the contract's table over a real socket, a store that is full, and what needs
 * a clock that we move. */
#include "server/gateway/udp.h"
#include "tests/check.h"
#include "tests/client/coap_cases.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* ---- a gateway with what it needs ---- */

static struct app app;
static struct gateway *gateway;
static char host[ADDRESS_TEXT], port[16];

static void open_store(void)
{
    const char *folder = check_folder();
    struct ingest_parts parts;
    struct refusal r = { 0 };

    clock_real(&app.clock);
    assert_ok(journal_open(folder, NULL, DB_CREATE, &app.journal, &r));
    assert_ok(quarantine_open(folder, NULL, DB_CREATE, &app.quarantine, &r));
    assert_ok(tail_new(&app.tail));
    assert_ok(registry_new(&app.registry));
    assert_ok(registry_add(app.registry, span_text("10000001"), 1));
    assert_ok(registry_add(app.registry, span_text("10000002"), 2));
    parts = (struct ingest_parts){ .journal = app.journal,
                                   .tail = app.tail,
                                   .registry = app.registry,
                                   .quarantine = app.quarantine };
    assert_ok(ingest_open(&parts, &app.ingest));
}

static void close_store(void)
{
    ingest_close(app.ingest);
    registry_free(app.registry);
    tail_free(app.tail);
    quarantine_close(app.quarantine);
    journal_close(app.journal);
    memset(&app, 0, sizeof app);
}

static void open_gateway(const char *address)
{
    const struct gate_options options = { 10, 200, 20000 };
    struct refusal r = { 0 };
    char *colon;

    open_store();
    if (gateway_open(&app, &address, 1, &options, &gateway, &r))
        fail_msg("%s", r.text);
    gateway_address(gateway, 0, host);
    colon = strrchr(host, ':');
    snprintf(port, sizeof port, "%s", colon + 1);
    *colon = 0;
    coap_target.now_s = clock_now_s(&app.clock); /* a repeat says the same, also a second later */
}

static void close_gateway(void)
{
    gateway_close(gateway);
    gateway = NULL;
    close_store();
}

static int setup_cases(void **state)
{
    (void)state;
    open_gateway("127.0.0.1:0");
    coap_target =
        (struct coap_target){ host, port, "10000001", "10000002", clock_now_s(&app.clock) };
    return 0;
}

static int teardown_cases(void **state)
{
    (void)state;
    close_gateway();
    return 0;
}

/* ---- over a socket ---- */

static void ask_report(struct probe *p, uint16_t mid, unsigned code, struct heard *h)
{
    static struct message m;

    message_report(&m, PROBE_CON, mid, "10000001", mid);
    probe_ask(p, &m, h);
    assert_int_equal(h->code, code);
}

/* Files may not grow: what a full disk looks like to the journal. */
static void a_full_store_answers_5_03_and_resumes_by_itself(void **state)
{
    struct rlimit free_again, full;
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_gateway("127.0.0.1:0");
    probe_open(&p, "127.0.0.1", port, NULL);
    ask_report(&p, 1, PROBE_CODE(2, 4), &h);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &free_again), 0);
    full = free_again;
    full.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    ask_report(&p, 2, PROBE_CODE(5, 3), &h);
    assert_int_equal(heard_uint(&h, PROBE_MAX_AGE), 60);
    message_begin(&m, PROBE_CON, PROBE_GET, 3, span_of("t", 1)); /* reads go on */
    message_path(&m, "time");
    probe_ask(&p, &m, &h);
    assert_int_equal(h.code, PROBE_CODE(2, 5));
    ask_report(&p, 2, PROBE_CODE(5, 3), &h); /* the repeat is tried anew */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &free_again), 0);
    ask_report(&p, 2, PROBE_CODE(2, 4), &h);
    assert_int_equal(tail_count(app.tail), 2);
    probe_close(&p);
    close_gateway();
}

static void a_repeat_is_kept_once(void **state)
{
    struct probe p;
    struct heard h;

    (void)state;
    open_gateway("127.0.0.1:0");
    probe_open(&p, "127.0.0.1", port, NULL);
    for (int i = 0; i < 5; i++)
        ask_report(&p, 1, PROBE_CODE(2, 4), &h);
    assert_int_equal(tail_count(app.tail), 1);
    probe_close(&p);
    close_gateway();
}

static void a_wildcard_listener_answers_from_the_address_that_was_asked(void **state)
{
    struct probe p;
    struct heard h;

    (void)state;
    open_gateway("0.0.0.0:0");
    probe_open(&p, "127.5.6.7", port, NULL);
    /* A connected socket hears nobody else. */
    assert_int_equal(connect(p.fd, (struct sockaddr *)&p.to, p.to_len), 0);
    ask_report(&p, 1, PROBE_CODE(2, 4), &h);
    probe_close(&p);
    close_gateway();
}

static void both_kinds_of_address_are_served(void **state)
{
    static const char *const hosts[] = { "[::1]:0", "[::]:0" };
    struct probe p;
    struct heard h;

    (void)state;
    for (int i = 0; i < 2; i++) {
        open_gateway(hosts[i]);
        assert_int_equal(host[0], '[');
        probe_open(&p, "::1", port, NULL);
        assert_int_equal(connect(p.fd, (struct sockaddr *)&p.to, p.to_len), 0);
        ask_report(&p, 1, PROBE_CODE(2, 4), &h);
        probe_close(&p);
        close_gateway();
    }
}

static void a_port_is_free_again_at_once_and_not_taken_twice(void **state)
{
    const struct gate_options options = { 10, 200, 20000 };
    struct gateway *second = NULL;
    struct refusal r = { 0 };
    char address[ADDRESS_TEXT + 32];
    const char *given = address;
    struct probe p;
    struct heard h;

    (void)state;
    open_gateway("127.0.0.1:0");
    snprintf(address, sizeof address, "%s:%s", host, port);
    assert_err(ERR_IO, gateway_open(&app, &given, 1, &options, &second, &r));
    assert_non_null(strstr(r.text, address));
    probe_open(&p, "127.0.0.1", port, NULL);
    ask_report(&p, 1, PROBE_CODE(2, 4), &h);
    close_gateway();
    open_gateway(address);
    ask_report(&p, 2, PROBE_CODE(2, 4), &h);
    probe_close(&p);
    close_gateway();
}

static void an_address_that_is_none_is_refused_with_a_sentence(void **state)
{
    static const char *const wrong[] = {
        "", "5683", "127.0.0.1", "127.0.0.1:", ":5683", "127.0.0.1:99999999", "not a host:1"
    };
    const struct gate_options options = { 10, 200, 20000 };
    struct gateway *g = NULL;

    (void)state;
    open_store();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct refusal r = { 0 };

        assert_err(ERR_INVALID, gateway_open(&app, &wrong[i], 1, &options, &g, &r));
        assert_true(r.text[0] != 0);
    }
    close_store();
}

/* ---- the gate, with time in our hands ---- */

struct bench {
    struct gate *gate;
    struct gate_now now;
    struct datagram datagram;
};

static void bench_open(struct bench *b)
{
    const struct gate_options options = { 10, 200, 20000 };

    open_store();
    assert_ok(gate_new(app.ingest, &options, &b->gate));
    b->now = (struct gate_now){ .clock_s = 1767225600, .monotonic_us = 5000000, .round = 1 };
    b->datagram = (struct datagram){ .peer = { .len = 4, .address = { 10, 0, 0, 1 }, .port = 5 } };
    coap_target.now_s = b->now.clock_s;
}

static void bench_close(struct bench *b)
{
    gate_free(b->gate);
    close_store();
}

static enum gate_act bench_handle(struct bench *b, const struct message *m, struct gate_verdict *v)
{
    struct gate_hint hint;

    gate_set(b->gate, &b->now);
    b->datagram.bytes = message_span(m);
    gate_prepare(b->gate, &b->datagram, &hint);
    registry_read_lock(app.registry);
    gate_handle(b->gate, &b->datagram, &hint, v);
    registry_read_unlock(app.registry);
    return v->act;
}

static void a_repeat_waits_for_the_commit_of_the_first(void **state)
{
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    message_report(&m, PROBE_CON, 1, "10000001", 5);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_STORE);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_FOLLOW); /* in the same batch */
    b.now.round = 2;
    assert_int_equal(bench_handle(&b, &m, &v), GATE_FOLLOW); /* in the next */
    assert_int_equal(v.round, 1);
    gate_round_ended(b.gate, 1, true);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
    assert_int_equal(v.answer.code, CODE_CHANGED);
    bench_close(&b);
}

static void a_repeat_of_what_came_to_nothing_is_a_new_report(void **state)
{
    static struct message first, second;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    message_report(&first, PROBE_CON, 1, "10000001", 5);
    message_report(&second, PROBE_CON, 2, "10000001", 6);
    assert_int_equal(bench_handle(&b, &first, &v), GATE_STORE);
    b.now.round = 2;
    assert_int_equal(bench_handle(&b, &second, &v), GATE_STORE);
    gate_round_ended(b.gate, 1, false);
    b.now.round = 3;
    assert_int_equal(bench_handle(&b, &first, &v), GATE_STORE);
    assert_int_equal(bench_handle(&b, &second, &v), GATE_FOLLOW); /* that one's end is open */
    gate_round_ended(b.gate, 2, true);
    assert_int_equal(bench_handle(&b, &second, &v), GATE_ANSWER);
    bench_close(&b);
}

static void a_repeat_is_one_within_the_exchange_s_lifetime(void **state)
{
    static const struct {
        unsigned type, lifetime_s;
    } kinds[] = { { PROBE_CON, 247 }, { PROBE_NON, 145 } };
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    for (int i = 0; i < 2; i++) {
        message_report(&m, kinds[i].type, (uint16_t)i, "10000001", 5);
        assert_int_equal(bench_handle(&b, &m, &v), GATE_STORE);
        gate_round_ended(b.gate, b.now.round++, true);
        b.now.monotonic_us += (kinds[i].lifetime_s - 1) * 1000000ull;
        assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
        b.now.monotonic_us += 2000000;
        assert_int_equal(bench_handle(&b, &m, &v), GATE_STORE);
        gate_round_ended(b.gate, b.now.round++, true);
    }
    bench_close(&b);
}

static void a_stopping_server_turns_reports_away_and_still_tells_the_time(void **state)
{
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    b.now.stopping = true;
    message_report(&m, PROBE_CON, 1, "10000001", 5);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
    assert_int_equal(v.answer.code, CODE_UNAVAILABLE);
    assert_true(v.answer.has_max_age);
    message_begin(&m, PROBE_CON, PROBE_GET, 2, span_of(NULL, 0));
    message_path(&m, "time");
    assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
    assert_int_equal(v.answer.code, CODE_CONTENT);
    bench_close(&b);
}

static void put_first_block(struct message *m, uint32_t tag)
{
    uint8_t bytes[128] = { 0 };

    message_begin(m, PROBE_CON, PROBE_POST, (uint16_t)tag, span_of(NULL, 0));
    message_path(m, "r");
    message_block(m, PROBE_BLOCK1, 0, true, 3);
    message_uint(m, PROBE_REQUEST_TAG, tag);
    message_payload(m, span_of(bytes, sizeof bytes));
}

static void abandoned_uploads_are_bounded_and_forgotten(void **state)
{
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    for (uint32_t i = 0; i < 10000; i++) {
        b.datagram.peer.address[3] = (uint8_t)i;
        b.datagram.peer.address[2] = (uint8_t)(i >> 8);
        put_first_block(&m, i + 1);
        assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
        assert_int_equal(v.answer.code, CODE_CONTINUE);
    }
    assert_int_equal(gate_uploads(b.gate), 4096);
    assert_true(gate_upload_bytes(b.gate) <= 64u << 20);
    b.now.monotonic_us += 248 * 1000000ull;
    gate_set(b.gate, &b.now);
    assert_int_equal(gate_uploads(b.gate), 0);
    assert_int_equal(gate_upload_bytes(b.gate), 0);
    bench_close(&b);
}

/* A source may have so many frames of unknown meters wait; then it hears 5.03, and known meters
 * behind the same address go on. */
static void a_source_whose_share_of_the_quarantine_is_used_up_hears_5_03(void **state)
{
    const struct gate_options options = { 0, 0, 0 };
    struct quarantine_limits limits = { .source_frames = 3 };
    struct ingest_parts parts;
    struct refusal r = { 0 };
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    gate_free(b.gate);
    ingest_close(app.ingest);
    quarantine_close(app.quarantine);
    assert_ok(quarantine_open(check_folder(), &limits, DB_CREATE, &app.quarantine, &r));
    parts = (struct ingest_parts){ .journal = app.journal,
                                   .tail = app.tail,
                                   .registry = app.registry,
                                   .quarantine = app.quarantine };
    assert_ok(ingest_open(&parts, &app.ingest));
    assert_ok(gate_new(app.ingest, &options, &b.gate));
    for (uint16_t i = 0; i < 3; i++) {
        message_report(&m, PROBE_CON, i, "stranger", i);
        assert_int_equal(bench_handle(&b, &m, &v), GATE_STORE);
    }
    message_report(&m, PROBE_CON, 3, "stranger", 3);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
    assert_int_equal(v.answer.code, CODE_UNAVAILABLE);
    message_report(&m, PROBE_CON, 4, "10000001", 4);
    assert_int_equal(bench_handle(&b, &m, &v), GATE_STORE);
    bench_close(&b);
}

static void refused_bytes_are_kept_but_not_a_flood_of_them(void **state)
{
    static struct message m;
    struct gate_verdict v;
    struct bench b;
    int kept = 0;

    (void)state;
    bench_open(&b);
    for (uint16_t i = 0; i < 150; i++) {
        message_report(&m, PROBE_CON, i, "", i);
        assert_int_equal(bench_handle(&b, &m, &v), GATE_ANSWER);
        assert_int_equal(v.answer.code, CODE_BAD_REQUEST);
        kept += v.keep_reject;
        if (v.keep_reject)
            assert_int_equal(v.record.kind, RECORD_REJECT);
    }
    assert_int_equal(kept, 20);
    bench_close(&b);
}

/* No byte of a datagram may be read beyond its end, wherever that is. */
static void every_beginning_of_a_message_is_met_with_composure(void **state)
{
    static struct message m;
    struct gate_verdict v;
    struct bench b;

    (void)state;
    bench_open(&b);
    message_begin(&m, PROBE_CON, PROBE_POST, 1, span_of("abcdefgh", 8));
    message_option(&m, PROBE_URI_HOST, span_text("a-host-whose-name-is-longer-than-thirteen"));
    message_path(&m, "r/oms");
    message_option(&m, PROBE_URI_QUERY, span_text("m=10000001"));
    message_block(&m, PROBE_BLOCK1, 300, true, 6);
    message_uint(&m, PROBE_NO_RESPONSE, 26);
    message_uint(&m, 30000, 1);
    message_payload(&m, span_text("payload"));
    for (size_t len = 0; len <= m.len; len++) {
        struct span guarded = check_guarded(span_of(m.bytes, len));
        struct gate_hint hint;

        gate_set(b.gate, &b.now);
        b.datagram.bytes = guarded;
        gate_prepare(b.gate, &b.datagram, &hint);
        registry_read_lock(app.registry);
        gate_handle(b.gate, &b.datagram, &hint, &v);
        registry_read_unlock(app.registry);
        check_unguard(guarded.at, guarded.len);
    }
    bench_close(&b);
}

/* ---- bytes of an answer ---- */

static void an_answer_is_written_as_the_standard_draws_it(void **state)
{
    static const uint8_t expected[] = { 0x61, 0x9d, 0x12, 0x34, 0x77, 0xd1, 0x01, 0x3c, 0xff, 'n' };
    struct coap_answer a = { .type = MESSAGE_ACK,
                             .code = CODE_TOO_MANY,
                             .mid = 0x1234,
                             .token = span_of("\x77", 1),
                             .has_max_age = true,
                             .max_age_s = 60,
                             .payload = span_text("n") };
    uint8_t room[ANSWER_HEAD_MAX + 1];
    struct wr w = wr_of(room, sizeof room);

    (void)state;
    coap_answer_write(&a, &w);
    assert_ok(w.err);
    assert_int_equal(wr_len(&w), sizeof expected);
    assert_memory_equal(room, expected, sizeof expected);
    for (size_t cap = 0; cap < sizeof expected; cap++) {
        uint8_t *guard = check_guard(cap ? cap : 1);

        w = wr_of(guard, cap);
        coap_answer_write(&a, &w);
        assert_err(ERR_FULL, w.err);
        check_unguard(guard, cap ? cap : 1);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_answer_is_written_as_the_standard_draws_it),
    cmocka_unit_test(every_beginning_of_a_message_is_met_with_composure),
    cmocka_unit_test(a_repeat_waits_for_the_commit_of_the_first),
    cmocka_unit_test(a_repeat_of_what_came_to_nothing_is_a_new_report),
    cmocka_unit_test(a_repeat_is_one_within_the_exchange_s_lifetime),
    cmocka_unit_test(a_stopping_server_turns_reports_away_and_still_tells_the_time),
    cmocka_unit_test(abandoned_uploads_are_bounded_and_forgotten),
    cmocka_unit_test(a_source_whose_share_of_the_quarantine_is_used_up_hears_5_03),
    cmocka_unit_test(refused_bytes_are_kept_but_not_a_flood_of_them),
    cmocka_unit_test(a_repeat_is_kept_once),
    cmocka_unit_test(a_full_store_answers_5_03_and_resumes_by_itself),
    cmocka_unit_test(a_wildcard_listener_answers_from_the_address_that_was_asked),
    cmocka_unit_test(both_kinds_of_address_are_served),
    cmocka_unit_test(a_port_is_free_again_at_once_and_not_taken_twice),
    cmocka_unit_test(an_address_that_is_none_is_refused_with_a_sentence),
};

int main(int argc, char **argv)
{
    int failed = check_run(tests, argc, argv);

    return failed + _cmocka_run_group_tests("coap_cases", coap_cases, coap_case_count, setup_cases,
                                            teardown_cases);
}
