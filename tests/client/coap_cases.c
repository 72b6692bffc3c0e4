#include "tests/client/coap_cases.h"

#include "proto/native.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

#define HISTORY_MAX 400

struct coap_target coap_target;

static const uint8_t token_bytes[] = { 0x77, 0x01, 0x02 };

static struct span a_token(void)
{
    return span_of(token_bytes, sizeof token_bytes);
}

/* Every case speaks from an address of its own, so that none uses up another's rate. */
static void open_from(struct probe *p, const char *from)
{
    probe_open(p, coap_target.host, coap_target.port, from);
}

struct span report_bytes(uint8_t *room, size_t cap, const char *meter, int64_t at_s,
                         int64_t index_l, unsigned hours)
{
    static struct sample samples[HISTORY_MAX];
    struct series series = { .channel = CHANNEL_FORWARD, .count = hours, .samples = samples };
    struct frame f = {
        .names = names_of(span_text(meter)), .sent_s = at_s, .series_count = 1, .series = &series
    };
    struct wr w = wr_of(room, cap);
    int8_t scale = 0;

    assert_true(hours >= 1 && hours <= HISTORY_MAX);
    for (unsigned i = 0; i < hours; i++)
        samples[i] = (struct sample){ at_s - (int64_t)i * 3600, (index_l - i % 7) * 1000 };
    assert_ok(native_encode(&f, &scale, &w));
    return wr_span(&w);
}

void message_report(struct message *m, unsigned type, uint16_t mid, const char *meter,
                    int64_t index_l)
{
    uint8_t room[256];

    message_begin(m, type, PROBE_POST, mid, a_token());
    message_path(m, "r");
    message_payload(m, report_bytes(room, sizeof room, meter, coap_target.now_s, index_l, 1));
}

/* ---- what every case says ---- */

static void expect(const struct heard *h, const struct message *asked, unsigned type, unsigned code)
{
    if (h->code != code)
        fail_msg("expected %u.%02u, heard %u.%02u: %.*s", code >> 5, code & 31, h->code >> 5,
                 h->code & 31, (int)h->payload.len,
                 h->payload.len ? (const char *)h->payload.at : "");
    assert_int_equal(h->type, type);
    if (type == PROBE_ACK || type == PROBE_RST)
        assert_int_equal(h->mid, asked->bytes[2] << 8 | asked->bytes[3]);
    if (code)
        assert_true(span_equal(h->token, span_of(asked->bytes + 4, asked->bytes[0] & 15u)));
}

static void ask_for(struct probe *p, const struct message *m, unsigned code, struct heard *h)
{
    probe_ask(p, m, h);
    expect(h, m, PROBE_ACK, code);
}

/* Silence towards `bytes`: what is asked behind it is the first to be answered, and it waits for a
 * commit as any answer does. */
static void expect_silence(struct probe *p, struct span bytes)
{
    static struct message m;
    struct heard h;
    uint16_t mid = p->next_mid++;

    probe_send_bytes(p, bytes);
    message_report(&m, PROBE_CON, (uint16_t)(0x7000 + mid), coap_target.meter, 7000 + mid);
    ask_for(p, &m, PROBE_CODE(2, 4), &h);
}

static void expect_sentence(const struct heard *h)
{
    assert_true(h->payload.len > 10);
    assert_true(h->payload.len <= 120);
    assert_true(text_is_utf8(h->payload));
}

/* One request without payload. */
static void ask(struct probe *p, unsigned method, const char *path, unsigned code, struct heard *h)
{
    static struct message m;

    message_begin(&m, PROBE_CON, method, p->next_mid++, a_token());
    message_path(&m, path);
    ask_for(p, &m, code, h);
}

/* ---- reports ---- */

static void a_report_is_acknowledged_with_its_id_and_token(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.1");
    message_report(&m, PROBE_CON, 0x1a2b, coap_target.meter, 100);
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    assert_int_equal(h.payload.len, 0);
    probe_close(&p);
}

static void a_report_without_confirmation_gets_an_answer_without(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.2");
    message_report(&m, PROBE_NON, 5, coap_target.meter, 101);
    probe_ask(&p, &m, &h);
    expect(&h, &m, PROBE_NON, PROBE_CODE(2, 4));
    probe_close(&p);
}

static void put_no_response(struct message *m, unsigned type, uint16_t mid, const char *meter,
                            uint32_t classes)
{
    uint8_t room[256];

    message_begin(m, type, PROBE_POST, mid, a_token());
    message_path(m, "r");
    message_uint(m, PROBE_NO_RESPONSE, classes);
    message_payload(m, report_bytes(room, sizeof room, meter, coap_target.now_s, 102, 1));
}

static void an_unwanted_answer_is_not_sent(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.3");
    put_no_response(&m, PROBE_NON, 6, coap_target.meter, 2);
    expect_silence(&p, message_span(&m));
    /* A CON must be acknowledged all the same: with nothing but that. */
    put_no_response(&m, PROBE_CON, 7, coap_target.meter, 2);
    probe_ask(&p, &m, &h);
    expect(&h, &m, PROBE_ACK, 0);
    probe_close(&p);
}

static void a_refusal_is_heard_where_only_success_is_unwanted(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.4");
    put_no_response(&m, PROBE_NON, 8, "", 2);
    probe_ask(&p, &m, &h);
    expect(&h, &m, PROBE_NON, PROBE_CODE(4, 0));
    put_no_response(&m, PROBE_NON, 9, "", 8);
    expect_silence(&p, message_span(&m));
    probe_close(&p);
}

static void an_unknown_meter_is_acknowledged_and_waits(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.5");
    message_report(&m, PROBE_CON, 1, "nobody-knows-me", 1);
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    probe_close(&p);
}

static void a_repeat_is_answered_as_the_first_time(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h, again;

    (void)state;
    open_from(&p, "127.9.0.6");
    message_report(&m, PROBE_CON, 0x2222, coap_target.meter, 103);
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    ask_for(&p, &m, PROBE_CODE(2, 4), &again);
    assert_int_equal(h.len, again.len);
    assert_memory_equal(h.bytes, again.bytes, h.len);
    probe_close(&p);
}

/* The first answer is lost on its way: both copies are there before anybody listens. */
static void two_copies_at_once_are_both_answered(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.7");
    message_report(&m, PROBE_CON, 0x2223, coap_target.meter, 104);
    probe_send_bytes(&p, message_span(&m));
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    assert_true(probe_hear(&p, 2000, &h));
    expect(&h, &m, PROBE_ACK, PROBE_CODE(2, 4));
    probe_close(&p);
}

static void the_same_id_with_other_content_is_a_new_report(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.8");
    message_report(&m, PROBE_CON, 0x2224, coap_target.meter, 105);
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    message_report(&m, PROBE_CON, 0x2224, "", 106);
    ask_for(&p, &m, PROBE_CODE(4, 0), &h);
    probe_close(&p);
}

/* field.md CO3, 1: the mapping changed while the acknowledgement was under way. */
static void a_report_from_a_new_port_is_acknowledged_too(void **state)
{
    static struct message m;
    struct probe p, q;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.9");
    open_from(&q, "127.9.0.9");
    message_report(&m, PROBE_CON, 0x1a2b, coap_target.meter, 107);
    probe_send_bytes(&p, message_span(&m));
    ask_for(&q, &m, PROBE_CODE(2, 4), &h);
    assert_true(probe_hear(&p, 2000, &h));
    expect(&h, &m, PROBE_ACK, PROBE_CODE(2, 4));
    probe_close(&p);
    probe_close(&q);
}

/* ---- names ---- */

static void ask_named(struct probe *p, const char *payload_name, const char *query, unsigned code,
                      struct heard *h)
{
    static struct message m;
    uint8_t room[256];

    message_begin(&m, PROBE_CON, PROBE_POST, p->next_mid++, a_token());
    message_path(&m, "r");
    if (query)
        message_option(&m, PROBE_URI_QUERY, span_text(query));
    message_payload(&m, report_bytes(room, sizeof room, payload_name, coap_target.now_s, 110, 1));
    ask_for(p, &m, code, h);
}

static void the_query_names_the_meter_where_the_payload_does_not(void **state)
{
    char query[64];
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.10");
    snprintf(query, sizeof query, "m=%s", coap_target.meter);
    ask_named(&p, "", query, PROBE_CODE(2, 4), &h);
    ask_named(&p, coap_target.meter, query, PROBE_CODE(2, 4), &h);
    ask_named(&p, "", NULL, PROBE_CODE(4, 0), &h);
    expect_sentence(&h);
    ask_named(&p, coap_target.second, query, PROBE_CODE(4, 0), &h);
    expect_sentence(&h);
    ask_named(&p, "", "m=no blanks", PROBE_CODE(4, 0), &h);
    ask_named(&p, coap_target.meter, "x=1", PROBE_CODE(2, 4), &h);
    probe_close(&p);
}

static void rubbish_is_refused_with_a_sentence(void **state)
{
    static const uint8_t rubbish[] = { 0x0a, 0x7f, 1, 2, 3 };
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.11");
    message_begin(&m, PROBE_CON, PROBE_POST, 1, a_token());
    message_path(&m, "r");
    message_payload(&m, span_of(rubbish, sizeof rubbish));
    ask_for(&p, &m, PROBE_CODE(4, 0), &h);
    expect_sentence(&h);
    ask(&p, PROBE_POST, "r", PROBE_CODE(4, 0), &h); /* nothing at all names no meter */
    probe_close(&p);
}

/* ---- paths, methods, formats ---- */

static void paths_and_methods_are_held_apart(void **state)
{
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.12");
    ask(&p, PROBE_POST, "nowhere", PROBE_CODE(4, 4), &h);
    expect_sentence(&h);
    ask(&p, PROBE_POST, "r/oms/more", PROBE_CODE(4, 4), &h);
    ask(&p, PROBE_GET, "", PROBE_CODE(4, 4), &h);
    ask(&p, PROBE_GET, "a/b/c/d/e/f", PROBE_CODE(4, 4), &h);
    ask(&p, PROBE_GET, "r", PROBE_CODE(4, 5), &h);
    ask(&p, PROBE_PUT, "r", PROBE_CODE(4, 5), &h);
    ask(&p, PROBE_DELETE, "time", PROBE_CODE(4, 5), &h);
    ask(&p, 31, "r", PROBE_CODE(4, 5), &h);
    ask(&p, PROBE_POST, "r/no-such-dialect", PROBE_CODE(4, 15), &h);
    probe_close(&p);
}

/* `format` as the option's bytes. */
static void ask_formatted(struct probe *p, const char *format, size_t len, unsigned code)
{
    static struct message m;
    uint8_t room[256];
    struct heard h;

    message_begin(&m, PROBE_CON, PROBE_POST, p->next_mid++, a_token());
    message_path(&m, "r");
    message_option(&m, PROBE_CONTENT_FORMAT, span_of(format, len));
    message_payload(&m,
                    report_bytes(room, sizeof room, coap_target.meter, coap_target.now_s, 111, 1));
    ask_for(p, &m, code, &h);
}

static void content_formats_are_held_apart(void **state)
{
    struct probe p;

    (void)state;
    open_from(&p, "127.9.0.13");
    ask_formatted(&p, "\x2a", 1, PROBE_CODE(2, 4));
    ask_formatted(&p, "", 0, PROBE_CODE(2, 4));         /* 0 */
    ask_formatted(&p, "\x00\x2a", 2, PROBE_CODE(2, 4)); /* a leading zero is no harm */
    ask_formatted(&p, "\x32", 1, PROBE_CODE(4, 15));    /* 50, JSON */
    ask_formatted(&p, "\xff\xff", 2, PROBE_CODE(4, 15));
    ask_formatted(&p, "\x00\x00\x32", 3, PROBE_CODE(2, 4)); /* too long, elective: not there */
    probe_close(&p);
}

/* ---- options ---- */

/* A report with one more option before its payload. */
static void put_with_option(struct message *m, unsigned type, uint16_t mid, unsigned number,
                            struct span value)
{
    uint8_t room[256];

    message_begin(m, type, PROBE_POST, mid, a_token());
    if (number < PROBE_URI_PATH)
        message_option(m, number, value);
    message_path(m, "r");
    if (number >= PROBE_URI_PATH)
        message_option(m, number, value);
    message_payload(m,
                    report_bytes(room, sizeof room, coap_target.meter, coap_target.now_s, 112, 1));
}

static void options_that_are_not_understood_count_by_their_kind(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.14");
    put_with_option(&m, PROBE_CON, 1, 2049, span_text("x")); /* critical */
    ask_for(&p, &m, PROBE_CODE(4, 2), &h);
    expect_sentence(&h);
    put_with_option(&m, PROBE_NON, 2, 2049, span_text("x"));
    expect_silence(&p, message_span(&m));
    put_with_option(&m, PROBE_CON, 3, 2048, span_text("x")); /* elective */
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    put_with_option(&m, PROBE_CON, 4, PROBE_IF_MATCH, span_text("x"));
    ask_for(&p, &m, PROBE_CODE(4, 2), &h);
    put_with_option(&m, PROBE_CON, 5, PROBE_URI_HOST, span_text("water.example"));
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    put_with_option(&m, PROBE_CON, 6, PROBE_URI_HOST, span_text("")); /* 1 to 255 */
    ask_for(&p, &m, PROBE_CODE(4, 2), &h);
    put_with_option(&m, PROBE_CON, 7, PROBE_URI_PORT, span_text("\x16\x33"));
    ask_for(&p, &m, PROBE_CODE(2, 4), &h);
    put_with_option(&m, PROBE_CON, 8, PROBE_PROXY_URI, span_text("coap://elsewhere/"));
    ask_for(&p, &m, PROBE_CODE(5, 5), &h);
    put_with_option(&m, PROBE_CON, 9, 65535, span_text("")); /* the last there is, odd */
    ask_for(&p, &m, PROBE_CODE(4, 2), &h);
    probe_close(&p);
}

static void a_critical_option_twice_is_one_too_many(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.15");
    message_begin(&m, PROBE_CON, PROBE_GET, 1, a_token());
    message_path(&m, "time");
    message_uint(&m, PROBE_ACCEPT, 0);
    message_uint(&m, PROBE_ACCEPT, 0);
    ask_for(&p, &m, PROBE_CODE(4, 2), &h);
    probe_close(&p);
}

/* ---- reads ---- */

static void the_time_is_told_and_a_repeat_tells_the_same(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h, again;
    char text[32];

    (void)state;
    open_from(&p, "127.9.0.16");
    message_begin(&m, PROBE_CON, PROBE_GET, 77, a_token());
    message_path(&m, "time");
    ask_for(&p, &m, PROBE_CODE(2, 5), &h);
    assert_int_equal(heard_uint(&h, PROBE_CONTENT_FORMAT), 0);
    assert_true(h.payload.len < sizeof text);
    memcpy(text, h.payload.at, h.payload.len);
    text[h.payload.len] = 0;
    assert_in_range(strtoll(text, NULL, 10), coap_target.now_s - 3600, coap_target.now_s + 3600);
    ask_for(&p, &m, PROBE_CODE(2, 5), &again);
    assert_true(span_equal(h.payload, again.payload));
    message_begin(&m, PROBE_CON, PROBE_GET, 78, a_token());
    message_path(&m, "time");
    message_uint(&m, PROBE_ACCEPT, 60);
    ask_for(&p, &m, PROBE_CODE(4, 6), &h);
    probe_close(&p);
}

static void paths_are_listed(void **state)
{
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.17");
    ask(&p, PROBE_GET, ".well-known/core", PROBE_CODE(2, 5), &h);
    assert_int_equal(heard_uint(&h, PROBE_CONTENT_FORMAT), 40);
    assert_non_null(memmem(h.payload.at, h.payload.len, "</r>", 4));
    assert_non_null(memmem(h.payload.at, h.payload.len, "</time>", 7));
    probe_close(&p);
}

/* The whole list again, sixteen bytes at a time. */
static void paths_are_listed_in_blocks_of_the_asker_s_size(void **state)
{
    static struct message m;
    struct probe p;
    struct heard whole, h;
    char text[1024];
    size_t len = 0;
    bool more = true;

    (void)state;
    open_from(&p, "127.9.0.18");
    ask(&p, PROBE_GET, ".well-known/core", PROBE_CODE(2, 5), &whole);
    for (uint32_t num = 0; more; num++) {
        uint32_t block;

        message_begin(&m, PROBE_CON, PROBE_GET, p.next_mid++, a_token());
        message_path(&m, ".well-known/core");
        message_block(&m, PROBE_BLOCK2, num, false, 0);
        ask_for(&p, &m, PROBE_CODE(2, 5), &h);
        block = heard_uint(&h, PROBE_BLOCK2);
        assert_int_equal(block >> 4, num);
        more = block >> 3 & 1;
        assert_true(len + h.payload.len <= sizeof text);
        memcpy(text + len, h.payload.at, h.payload.len);
        len += h.payload.len;
    }
    assert_true(span_equal(span_of(text, len), whole.payload));
    probe_close(&p);
}

/* ---- messages that are none ---- */

static void what_breaks_the_format_is_reset_in_a_con_and_passed_over_in_a_non(void **state)
{
    static const struct {
        const char *what;
        size_t len;
        const char *bytes; /* after the first byte's version and type */
    } broken[] = {
        { "token of 9", 13, "\x09\x02\x30\x01xxxxxxxxx" },
        { "token that is not there", 5, "\x04\x02\x30\x02x" },
        { "marker without payload", 7, "\x00\x02\x30\x03\xb1r\xff" },
        { "delta of 15", 7, "\x00\x02\x30\x04\xb1r\xf1" },
        { "length of 15", 7, "\x00\x02\x30\x05\xb1r\x0f" },
        { "value that is not there", 5, "\x00\x02\x30\x06\xb5" },
        { "option number above 65535", 11, "\x00\x02\x30\x07\xb1r\xe0\xfe\xe0\xd0\x00" },
        { "delta that wraps", 7, "\x00\x02\x30\x08\xe0\xfe\xf4" },
        { "empty with a token", 5, "\x01\x00\x30\x09x" },
        { "empty with more", 6,
          "\x00\x00\x30\x0a\xff"
          "x" },
        { "reserved class", 4, "\x00\x20\x30\x0b" },
        { "response to nothing", 4, "\x00\x45\x30\x0c" },
    };
    struct probe p;

    (void)state;
    open_from(&p, "127.9.0.19");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct message m = { .len = broken[i].len };
        struct heard h;

        memcpy(m.bytes, broken[i].bytes, m.len);
        m.bytes[0] |= 0x40;
        print_message("%s\n", broken[i].what);
        probe_ask(&p, &m, &h);
        expect(&h, &m, PROBE_RST, 0);
        m.bytes[0] |= PROBE_NON << 4;
        expect_silence(&p, message_span(&m));
    }
    probe_close(&p);
}

static void a_ping_is_reset(void **state)
{
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.20");
    message_begin(&m, PROBE_CON, 0, 0xbeef, span_of(NULL, 0));
    probe_ask(&p, &m, &h);
    expect(&h, &m, PROBE_RST, 0);
    probe_close(&p);
}

static void what_is_not_for_us_is_met_with_silence(void **state)
{
    static struct message m;
    struct probe p;

    (void)state;
    open_from(&p, "127.9.0.21");
    message_report(&m, PROBE_CON, 1, coap_target.meter, 1);
    m.bytes[0] = (uint8_t)((m.bytes[0] & 0x3f) | 2 << 6); /* version 2 */
    expect_silence(&p, message_span(&m));
    m.bytes[0] &= 0x3f; /* version 0 */
    expect_silence(&p, message_span(&m));
    expect_silence(&p, span_of("\x40\x01\x00", 3));
    expect_silence(&p, span_of("", 0));
    message_begin(&m, PROBE_ACK, 0, 9, span_of(NULL, 0));
    expect_silence(&p, message_span(&m));
    message_begin(&m, PROBE_RST, 0, 9, span_of(NULL, 0));
    expect_silence(&p, message_span(&m));
    message_begin(&m, PROBE_ACK, PROBE_CODE(2, 5), 9, a_token());
    expect_silence(&p, message_span(&m));
    probe_close(&p);
}

/* ---- sizes and blocks ---- */

static void a_payload_that_is_too_large_is_refused_with_the_size(void **state)
{
    static struct message m;
    static uint8_t zeros[9000];
    static const size_t sizes[] = { 1153, 1400, 1600, 8000 };
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.22");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
        message_path(&m, "r");
        message_payload(&m, span_of(zeros, sizes[i]));
        ask_for(&p, &m, PROBE_CODE(4, 13), &h);
        assert_int_equal(heard_uint(&h, PROBE_SIZE1), 1152);
    }
    message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
    message_path(&m, "r");
    message_payload(&m, span_of(zeros, 1152));
    ask_for(&p, &m, PROBE_CODE(4, 0), &h); /* rubbish, but not too large */
    probe_close(&p);
}

struct upload {
    uint8_t bytes[66000];
    size_t len;
    unsigned szx;
};

/* A history that needs three blocks of 128 bytes. */
static void upload_make(struct upload *u, int64_t index_l)
{
    struct span report =
        report_bytes(u->bytes, sizeof u->bytes, coap_target.meter, coap_target.now_s, index_l, 330);

    u->len = report.len;
    u->szx = 3;
    assert_in_range(u->len, 257, 384);
}

static void put_block(struct message *m, struct probe *p, const struct upload *u, uint32_t num)
{
    size_t size = (size_t)16 << u->szx, at = num * size;
    bool more = at + size < u->len;

    message_begin(m, PROBE_CON, PROBE_POST, p->next_mid++, a_token());
    message_path(m, "r");
    message_block(m, PROBE_BLOCK1, num, more, u->szx);
    message_payload(m, span_of(u->bytes + at, more ? size : u->len - at));
}

static void ask_block(struct probe *p, const struct upload *u, uint32_t num, unsigned code,
                      struct heard *h)
{
    static struct message m;
    struct span given;

    put_block(&m, p, u, num);
    ask_for(p, &m, code, h);
    if (code >> 5 != 2)
        return;
    assert_true(heard_option(h, PROBE_BLOCK1, &given)); /* RFC 7959 §2.3: the same back */
    assert_int_equal(heard_uint(h, PROBE_BLOCK1) >> 4, num);
    assert_int_equal(heard_uint(h, PROBE_BLOCK1) & 7, u->szx);
}

#define CONTINUE PROBE_CODE(2, 31)
#define CHANGED PROBE_CODE(2, 4)
#define INCOMPLETE PROBE_CODE(4, 8)

static void an_upload_in_blocks_is_taken_when_it_is_whole(void **state)
{
    static struct upload u;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.23");
    upload_make(&u, 1000);
    ask_block(&p, &u, 0, CONTINUE, &h);
    ask_block(&p, &u, 1, CONTINUE, &h);
    ask_block(&p, &u, 2, CHANGED, &h);
    ask_block(&p, &u, 2, INCOMPLETE, &h); /* a new id: its transfer is over */
    probe_close(&p);
}

static void a_repeated_block_is_answered_as_the_first_time(void **state)
{
    static struct upload u;
    static struct message m;
    struct probe p;
    struct heard h, again;

    (void)state;
    open_from(&p, "127.9.0.24");
    upload_make(&u, 1100);
    ask_block(&p, &u, 0, CONTINUE, &h);
    put_block(&m, &p, &u, 1);
    ask_for(&p, &m, CONTINUE, &h);
    ask_for(&p, &m, CONTINUE, &again);
    assert_memory_equal(h.bytes, again.bytes, h.len);
    ask_block(&p, &u, 1, CONTINUE, &h); /* under a new id, too */
    put_block(&m, &p, &u, 2);
    ask_for(&p, &m, CHANGED, &h);
    ask_for(&p, &m, CHANGED, &again);
    assert_memory_equal(h.bytes, again.bytes, h.len);
    probe_close(&p);
}

static void blocks_out_of_order_or_without_a_beginning_are_incomplete(void **state)
{
    static struct upload u;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.25");
    upload_make(&u, 1200);
    ask_block(&p, &u, 1, INCOMPLETE, &h);
    expect_sentence(&h);
    ask_block(&p, &u, 0, CONTINUE, &h);
    ask_block(&p, &u, 2, INCOMPLETE, &h);
    probe_close(&p);
}

/* field.md CO3, 2: yesterday's upload stopped half-way. */
static void a_new_upload_on_the_same_path_begins_anew(void **state)
{
    static struct upload yesterday, today;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.26");
    upload_make(&yesterday, 1300);
    upload_make(&today, 1400);
    ask_block(&p, &yesterday, 0, CONTINUE, &h);
    ask_block(&p, &yesterday, 1, CONTINUE, &h);
    ask_block(&p, &today, 0, CONTINUE, &h);
    ask_block(&p, &yesterday, 2, INCOMPLETE, &h);
    ask_block(&p, &today, 1, CONTINUE, &h);
    ask_block(&p, &today, 2, CHANGED, &h);
    probe_close(&p);
}

/* field.md CO3, 3: the rest comes from another port, and relies on the first block's path. */
static void an_upload_from_a_new_port_is_whole_or_nothing(void **state)
{
    static struct upload u;
    static struct message m;
    struct probe p, q;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.27");
    open_from(&q, "127.9.0.27");
    upload_make(&u, 1500);
    ask_block(&p, &u, 0, CONTINUE, &h);
    ask_block(&p, &u, 1, CONTINUE, &h);
    ask_block(&q, &u, 2, INCOMPLETE, &h);
    message_begin(&m, PROBE_CON, PROBE_POST, q.next_mid++, a_token());
    message_block(&m, PROBE_BLOCK1, 2, false, u.szx);
    message_payload(&m, span_of(u.bytes + 256, u.len - 256));
    ask_for(&q, &m, INCOMPLETE, &h);
    ask_block(&p, &u, 2, CHANGED, &h);
    probe_close(&p);
    probe_close(&q);
}

static void transfers_with_other_tags_or_queries_do_not_mix(void **state)
{
    static struct upload u;
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.28");
    upload_make(&u, 1600);
    ask_block(&p, &u, 0, CONTINUE, &h);
    message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
    message_path(&m, "r");
    message_block(&m, PROBE_BLOCK1, 1, true, u.szx);
    message_option(&m, PROBE_REQUEST_TAG, span_text("2"));
    message_payload(&m, span_of(u.bytes + 128, 128));
    ask_for(&p, &m, INCOMPLETE, &h);
    ask_block(&p, &u, 1, CONTINUE, &h);
    ask_block(&p, &u, 2, CHANGED, &h);
    probe_close(&p);
}

static void blocks_of_a_wrong_size_are_refused(void **state)
{
    static struct upload u;
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.29");
    upload_make(&u, 1700);
    message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
    message_path(&m, "r");
    message_block(&m, PROBE_BLOCK1, 0, true, 7);
    message_payload(&m, span_of(u.bytes, 128));
    ask_for(&p, &m, PROBE_CODE(4, 0), &h);
    message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
    message_path(&m, "r");
    message_block(&m, PROBE_BLOCK1, 0, true, 3);
    message_payload(&m, span_of(u.bytes, 127));
    ask_for(&p, &m, PROBE_CODE(4, 0), &h);
    probe_close(&p);
}

static void an_upload_above_64_KiB_is_refused_with_the_size(void **state)
{
    static struct upload u;
    static struct message m;
    struct probe p;
    struct heard h;

    (void)state;
    open_from(&p, "127.9.0.30");
    u.len = 65537;
    u.szx = 6;
    for (uint32_t num = 0; num < 64; num++)
        ask_block(&p, &u, num, CONTINUE, &h);
    ask_block(&p, &u, 64, PROBE_CODE(4, 13), &h);
    assert_int_equal(heard_uint(&h, PROBE_SIZE1), 65536);
    message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
    message_path(&m, "r");
    message_block(&m, PROBE_BLOCK1, 0, true, 6);
    message_uint(&m, PROBE_SIZE1, 65537);
    message_payload(&m, span_of(u.bytes, 1024));
    ask_for(&p, &m, PROBE_CODE(4, 13), &h);
    probe_close(&p);
}

/* ---- rates ---- */

static void an_endpoint_over_its_rate_is_told_when_to_come_again(void **state)
{
    static struct message m;
    struct probe p, q;
    struct heard h;
    unsigned over = 0;

    (void)state;
    open_from(&p, "127.9.0.31");
    open_from(&q, "127.9.0.31");
    for (uint16_t mid = 1; mid <= 300; mid++) {
        message_begin(&m, mid % 2 ? PROBE_CON : PROBE_NON, PROBE_GET, mid, a_token());
        message_path(&m, "time");
        probe_ask(&p, &m, &h);
        if (h.code == PROBE_CODE(4, 29)) {
            over++;
            assert_in_range(heard_uint(&h, PROBE_MAX_AGE), 1, 60);
            assert_int_equal(h.type, mid % 2 ? PROBE_ACK : PROBE_NON);
        } else if (mid <= 200) {
            expect(&h, &m, mid % 2 ? PROBE_ACK : PROBE_NON, PROBE_CODE(2, 5));
        }
    }
    assert_in_range(over, 1, 100);
    message_report(&m, PROBE_CON, 1, coap_target.meter,
                   120); /* its neighbour behind the same address */
    ask_for(&q, &m, PROBE_CODE(2, 4), &h);
    probe_close(&p);
    probe_close(&q);
}

/* ---- memory ---- */

static void ten_thousand_abandoned_uploads_bar_nobody(void **state)
{
    static struct upload u;
    struct probe p, healthy;
    struct heard h;

    (void)state;
    open_from(&healthy, "127.9.0.32");
    upload_make(&u, 1800);
    for (unsigned i = 0; i < 10000; i++) {
        char from[32];
        static struct message m;

        if (i % 100 == 0) { /* a hundred from each address and port */
            snprintf(from, sizeof from, "127.8.%u.1", i / 100);
            open_from(&p, from);
        }
        message_begin(&m, PROBE_CON, PROBE_POST, p.next_mid++, a_token());
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, 0, true, 3);
        message_uint(&m, PROBE_REQUEST_TAG, i + 1);
        message_payload(&m, span_of(u.bytes, 128));
        ask_for(&p, &m, CONTINUE, &h);
        if (i % 100 == 99)
            probe_close(&p);
    }
    ask_block(&healthy, &u, 0, CONTINUE, &h);
    ask_block(&healthy, &u, 1, CONTINUE, &h);
    ask_block(&healthy, &u, 2, CHANGED, &h);
    probe_close(&healthy);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_report_is_acknowledged_with_its_id_and_token),
    cmocka_unit_test(a_report_without_confirmation_gets_an_answer_without),
    cmocka_unit_test(an_unwanted_answer_is_not_sent),
    cmocka_unit_test(a_refusal_is_heard_where_only_success_is_unwanted),
    cmocka_unit_test(an_unknown_meter_is_acknowledged_and_waits),
    cmocka_unit_test(a_repeat_is_answered_as_the_first_time),
    cmocka_unit_test(two_copies_at_once_are_both_answered),
    cmocka_unit_test(the_same_id_with_other_content_is_a_new_report),
    cmocka_unit_test(a_report_from_a_new_port_is_acknowledged_too),
    cmocka_unit_test(the_query_names_the_meter_where_the_payload_does_not),
    cmocka_unit_test(rubbish_is_refused_with_a_sentence),
    cmocka_unit_test(paths_and_methods_are_held_apart),
    cmocka_unit_test(content_formats_are_held_apart),
    cmocka_unit_test(options_that_are_not_understood_count_by_their_kind),
    cmocka_unit_test(a_critical_option_twice_is_one_too_many),
    cmocka_unit_test(the_time_is_told_and_a_repeat_tells_the_same),
    cmocka_unit_test(paths_are_listed),
    cmocka_unit_test(paths_are_listed_in_blocks_of_the_asker_s_size),
    cmocka_unit_test(what_breaks_the_format_is_reset_in_a_con_and_passed_over_in_a_non),
    cmocka_unit_test(a_ping_is_reset),
    cmocka_unit_test(what_is_not_for_us_is_met_with_silence),
    cmocka_unit_test(a_payload_that_is_too_large_is_refused_with_the_size),
    cmocka_unit_test(an_upload_in_blocks_is_taken_when_it_is_whole),
    cmocka_unit_test(a_repeated_block_is_answered_as_the_first_time),
    cmocka_unit_test(blocks_out_of_order_or_without_a_beginning_are_incomplete),
    cmocka_unit_test(a_new_upload_on_the_same_path_begins_anew),
    cmocka_unit_test(an_upload_from_a_new_port_is_whole_or_nothing),
    cmocka_unit_test(transfers_with_other_tags_or_queries_do_not_mix),
    cmocka_unit_test(blocks_of_a_wrong_size_are_refused),
    cmocka_unit_test(an_upload_above_64_KiB_is_refused_with_the_size),
    cmocka_unit_test(an_endpoint_over_its_rate_is_told_when_to_come_again),
    cmocka_unit_test(ten_thousand_abandoned_uploads_bar_nobody),
};

const struct CMUnitTest *const coap_cases = cases;
const size_t coap_case_count = sizeof cases / sizeof *cases;
