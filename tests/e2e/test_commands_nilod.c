/* Commands to meters, end to end: asked for over HTTP, carried by the answers of a real nilod to
 * reports over CoAP, and proven by later reports.  What answers carry is read by a decoder written
 * here from the contract alone. */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define START_S 1773100800 /* 2026-03-10T00:00:00Z */

static struct nilod n = { .clock = "2026-03-10T00:00:00Z" };
static struct client admin, second, crew, viewer;
static struct probe probe;
static int64_t now_s = START_S;
static uint16_t next_mid = 1;
static unsigned next_meter;
static char tokens[3][64];

/* ---- a started nilod, and who speaks to it ---- */

static json_t *ask(struct client *who, const char *path, const char *body, int expected)
{
    struct answer a;
    json_t *json;

    if (body)
        http_post(who, path, NULL, body, &a);
    else
        http_get(who, path, NULL, &a);
    if (a.status != expected)
        fail_msg("%s %s: expected %d, heard %d %s", path, body ? body : "", expected, a.status,
                 a.body);
    json = answer_json(&a);
    answer_done(&a);
    return json;
}

static void tell(struct client *who, const char *path, const char *body, int expected)
{
    json_decref(ask(who, path, body, expected));
}

static void import(const char *list, const char *csv)
{
    char path[64];
    struct answer a;

    snprintf(path, sizeof path, "/v1/import/%s", list);
    http_post(&admin, path, "Content-Type: text/csv\r\n", csv, &a);
    if (a.status != 200)
        fail_msg("import %s: %d %s", list, a.status, a.body);
    answer_done(&a);
}

static void settle(void)
{
    tell(&admin, "/v1/settle", "{}", 200);
}

static void clock_to(int64_t at_s)
{
    char at[24], body[64];

    now_s = at_s;
    report_time(at_s, at);
    snprintf(body, sizeof body, "{\"now\":\"%s\"}", at);
    tell(&admin, "/v1/clock", body, 200);
}

static void connect_all(void)
{
    char port[8];

    snprintf(port, sizeof port, "%d", n.coap_port);
    client_open(&admin, n.http_host, n.http_port, n.token);
    client_open(&second, n.http_host, n.http_port, tokens[0]);
    client_open(&crew, n.http_host, n.http_port, tokens[1]);
    client_open(&viewer, n.http_host, n.http_port, tokens[2]);
    probe_open(&probe, n.coap_host, port, NULL);
}

static void part_all(void)
{
    client_close(&admin);
    client_close(&second);
    client_close(&crew);
    client_close(&viewer);
    probe_close(&probe);
}

static void again(bool kill)
{
    char at[24];

    part_all();
    if (kill)
        nilod_kill(&n);
    else
        nilod_stop(&n);
    report_time(now_s, at);
    n.clock = at;
    nilod_start(&n);
    n.clock = NULL;
    connect_all();
}

static void make_token(const char *role, const char *name, char out[64])
{
    char body[96];
    json_t *a;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s\"}", role, name);
    a = ask(&admin, "/v1/tokens", body, 201);
    snprintf(out, 64, "%s", json_string_value(json_object_get(a, "token")));
    json_decref(a);
}

static int begin(void **state)
{
    (void)state;
    nilod_start(&n);
    client_open(&admin, n.http_host, n.http_port, n.token);
    make_token("supervisor", "wang", tokens[0]);
    make_token("crew", "crew-3", tokens[1]);
    make_token("viewer", "glass", tokens[2]);
    client_close(&admin);
    connect_all();
    return 0;
}

static int end(void **state)
{
    (void)state;
    part_all();
    nilod_stop(&n);
    return 0;
}

/* A meter of this test's own, at a point of that use class ("": fitted nowhere). */
static void new_meter(char serial[16], const char *use)
{
    char csv[256];

    snprintf(serial, 16, "3%07u", ++next_meter);
    snprintf(csv, sizeof csv, "serial,dn,q3\n%s,15,2.5\n", serial);
    import("meters", csv);
    if (!use[0])
        return;
    snprintf(csv, sizeof csv, "point,use_class\nP%s,%s\n", serial, use);
    import("points", csv);
    snprintf(csv, sizeof csv, "point,serial,from,start_index_l\nP%s,%s,2026-01-01T00:00:00Z,0\n",
             serial, serial);
    import("fittings", csv);
}

/* ---- reports ---- */

struct said {
    uint32_t status, outcome, result; /* outcome 0: none */
    int64_t at_s;                     /* 0: now */
    uint32_t step_s;
    size_t count;  /* values; 0: one */
    unsigned type; /* PROBE_CON or PROBE_NON */
};

static size_t put_varint(uint8_t *at, uint64_t v)
{
    size_t len = 0;

    for (; v > 127; v >>= 7)
        at[len++] = (uint8_t)(v | 128);
    at[len++] = (uint8_t)v;
    return len;
}

static size_t put_report(const char *meter, const struct said *s, uint8_t room[512])
{
    int64_t at_s = s->at_s ? s->at_s : now_s, litres[64];
    struct report r = { .meter = meter,
                        .sent = (uint32_t)now_s,
                        .at = (uint32_t)at_s,
                        .step_s = s->step_s,
                        .litres = litres,
                        .count = s->count ? s->count : 1 };
    uint8_t inner[24];
    size_t len, inner_len = 0;

    for (size_t i = 0; i < r.count; i++)
        litres[i] = (at_s - (int64_t)i * s->step_s - START_S + 100 * DAY) / 3600;
    len = report_put(&r, room, 400);
    assert_true(len > 0);
    if (s->status) {
        room[len++] = 5 << 3;
        len += put_varint(room + len, s->status);
    }
    if (s->outcome) {
        inner[inner_len++] = 1 << 3;
        inner_len += put_varint(inner + inner_len, s->outcome);
        inner[inner_len++] = 2 << 3;
        inner_len += put_varint(inner + inner_len, s->result);
        room[len++] = 10 << 3 | 2;
        room[len++] = (uint8_t)inner_len;
        memcpy(room + len, inner, inner_len);
        len += inner_len;
    }
    return len;
}

static void begin_report(struct message *m, const char *meter, const struct said *s)
{
    uint8_t room[512];
    size_t len = put_report(meter, s, room);

    message_begin(m, s->type, PROBE_POST, next_mid++, span_of("\x42", 1));
    message_path(m, "r");
    message_payload(m, span_of(room, len));
}

/* ---- what an answer carries: the contract's Commands ---- */

struct order {
    unsigned count; /* commands */
    uint32_t id, expires, now, from, to;
    unsigned what; /* field of the oneof; 0: none was there */
    int64_t value;
};

static uint64_t get_varint(const uint8_t **at, const uint8_t *stop)
{
    uint64_t v = 0;

    for (unsigned shift = 0; *at < stop; shift += 7) {
        uint8_t b = *(*at)++;

        v |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return v;
    }
    fail_msg("a number is cut off");
    return 0;
}

static uint32_t get_fixed(const uint8_t **at, const uint8_t *stop)
{
    uint32_t v = 0;

    assert_true(stop - *at >= 4);
    for (int i = 0; i < 4; i++)
        v |= (uint32_t) * (*at)++ << 8 * i;
    return v;
}

static void read_history(const uint8_t *at, const uint8_t *stop, struct order *o)
{
    while (at < stop) {
        uint64_t tag = get_varint(&at, stop);

        if (tag == (1 << 3 | 5))
            o->from = get_fixed(&at, stop);
        else if (tag == (2 << 3 | 5))
            o->to = get_fixed(&at, stop);
        else
            fail_msg("History has the tag %u", (unsigned)tag);
    }
}

static void read_command(const uint8_t *at, const uint8_t *stop, struct order *o)
{
    while (at < stop) {
        uint64_t tag = get_varint(&at, stop), v;

        switch (tag) {
        case 1 << 3:
            o->id = (uint32_t)get_varint(&at, stop);
            break;
        case 2 << 3 | 5:
            o->expires = get_fixed(&at, stop);
            break;
        case 3 << 3:
        case 4 << 3:
        case 5 << 3:
        case 6 << 3:
            o->what = (unsigned)tag >> 3;
            o->value = (int64_t)get_varint(&at, stop);
            break;
        case 7 << 3:
            o->what = 7;
            v = get_varint(&at, stop);
            o->value = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            break;
        case 8 << 3 | 2:
            o->what = 8;
            v = get_varint(&at, stop);
            assert_true(v <= (uint64_t)(stop - at));
            read_history(at, at + v, o);
            at += v;
            break;
        default:
            fail_msg("Command has the tag %u", (unsigned)tag);
        }
    }
}

static struct order read_orders(struct span payload)
{
    const uint8_t *at = payload.at, *stop = at + payload.len;
    struct order o = { 0 };

    while (at < stop) {
        uint64_t tag = get_varint(&at, stop), len;

        if (tag == (2 << 3 | 5)) {
            o.now = get_fixed(&at, stop);
            continue;
        }
        assert_int_equal(tag, 1 << 3 | 2);
        len = get_varint(&at, stop);
        assert_true(len <= (uint64_t)(stop - at));
        read_command(at, at + len, &o);
        at += len;
        o.count++;
    }
    return o;
}

/* Sends a report and reads what the answer carries; nothing: count 0 and no bytes. */
static struct order report(const char *meter, const struct said *s)
{
    static struct message m;
    struct heard h;
    struct order o;

    begin_report(&m, meter, s);
    probe_ask(&probe, &m, &h);
    if (h.code != PROBE_CODE(2, 4))
        fail_msg("heard %u.%02u: %.*s", h.code >> 5, h.code & 31, (int)h.payload.len,
                 (const char *)h.payload.at);
    o = read_orders(h.payload);
    if (h.payload.len)
        assert_int_equal(o.now, now_s);
    return o;
}

static struct order plain_report(const char *meter)
{
    return report(meter, &(struct said){ 0 });
}

static void expect_nothing(const char *meter)
{
    struct order o = plain_report(meter);

    if (o.count || o.now)
        fail_msg("the answer to %s carries command %u", meter, (unsigned)o.id);
}

/* ---- the API ---- */

static uint32_t post_by(struct client *who, const char *meter, const char *body)
{
    char path[96];
    json_t *a;
    uint32_t id;

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    a = ask(who, path, body, 201);
    id = (uint32_t)json_integer_value(json_object_get(a, "id"));
    assert_string_equal(json_string_value(json_object_get(a, "state")), "queued");
    assert_true(id > 0);
    json_decref(a);
    return id;
}

static uint32_t post(const char *meter, const char *body)
{
    return post_by(&admin, meter, body);
}

static void expect_refusal(struct client *who, const char *meter, const char *body, int status,
                           const char *names)
{
    char path[96];
    struct answer a;

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    http_post(who, path, NULL, body, &a);
    if (a.status != status || !strstr(a.body, names))
        fail_msg("%s: expected %d naming %s, heard %d %s", body, status, names, a.status, a.body);
    answer_done(&a);
}

/* The row of a command, json_decref; NULL: there is none. */
static json_t *row_of(const char *meter, uint32_t id)
{
    char path[96];
    json_t *all, *row, *found = NULL;
    size_t i;

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    all = ask(&viewer, path, NULL, 200);
    json_array_foreach(json_object_get(all, "rows"), i, row)
    {
        if (json_integer_value(json_object_get(row, "id")) == id)
            found = json_incref(row);
    }
    json_decref(all);
    return found;
}

static void expect_state(const char *meter, uint32_t id, const char *state)
{
    json_t *row = row_of(meter, id);
    const char *found = json_string_value(json_object_get(row, "state"));

    if (!found || strcmp(found, state) != 0)
        fail_msg("command %u of %s: expected %s, found %s", (unsigned)id, meter, state,
                 found ? found : "nothing");
    json_decref(row);
}

/* Now, and in the ledger. */
static void expect_state_kept(const char *meter, uint32_t id, const char *state)
{
    expect_state(meter, id, state);
    settle();
    expect_state(meter, id, state);
}

static int64_t number_of(const char *meter, uint32_t id, const char *member)
{
    json_t *row = row_of(meter, id);
    int64_t v = json_integer_value(json_object_get(row, member));

    json_decref(row);
    return v;
}

static void decide(struct client *who, const char *meter, uint32_t id, const char *word, int status)
{
    char path[128];

    snprintf(path, sizeof path, "/v1/meters/%s/commands/%u/%s", meter, (unsigned)id, word);
    tell(who, path, "{}", status);
}

/* ---- the way of a command ---- */

static void a_command_goes_with_the_answer_to_the_next_report(void **state)
{
    char meter[16];
    struct order o;
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    expect_nothing(meter);
    id = post(meter, "{\"what\":\"report_every\",\"report_every_s\":43200,"
                     "\"expires\":\"2026-03-12T08:00:00+08:00\"}");
    o = plain_report(meter);
    assert_int_equal(o.count, 1);
    assert_int_equal(o.id, id);
    assert_int_equal(o.what, 4);
    assert_int_equal(o.value, 43200);
    assert_int_equal(o.expires, START_S + 2 * DAY);
    expect_state_kept(meter, id, "sent");
    assert_int_equal(number_of(meter, id, "attempts"), 1);
}

static void every_kind_of_command_is_said_as_the_contract_has_it(void **state)
{
    static const struct {
        const char *body;
        unsigned what;
        int64_t value;
        uint32_t from, to;
    } cases[] = {
        { "{\"what\":\"valve\",\"open\":true}", 3, 1, 0, 0 },
        { "{\"what\":\"report_every\",\"report_every_s\":60}", 4, 60, 0, 0 },
        { "{\"what\":\"report_offset\",\"report_offset_s\":0}", 5, 0, 0, 0 },
        { "{\"what\":\"step\",\"step_s\":900}", 6, 900, 0, 0 },
        { "{\"what\":\"base_index\",\"base_index_l\":1234567}", 7, 1234567, 0, 0 },
        { "{\"what\":\"history\",\"from\":\"2026-03-01T00:00:00Z\",\"to\":\"2026-03-02T00:00:"
          "00Z\"}",
          8, 0, 1772323200, 1772409600 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char meter[16];
        struct order o;

        new_meter(meter, "residential");
        post(meter, cases[i].body);
        o = plain_report(meter);
        assert_int_equal(o.count, 1);
        assert_int_equal(o.what, cases[i].what);
        assert_int_equal(o.value, cases[i].value);
        assert_int_equal(o.from, cases[i].from);
        assert_int_equal(o.to, cases[i].to);
    }
}

static void a_repeat_hears_the_same_and_counts_once(void **state)
{
    static struct message m;
    struct heard first, repeat;
    char meter[16];
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    begin_report(&m, meter, &(struct said){ 0 });
    probe_ask(&probe, &m, &first);
    assert_true(first.payload.len > 0);
    for (int i = 0; i < 3; i++) {
        probe_ask(&probe, &m, &repeat);
        assert_int_equal(repeat.len, first.len);
        assert_memory_equal(repeat.bytes, first.bytes, first.len);
    }
    assert_int_equal(number_of(meter, id, "attempts"), 1);
}

static void without_an_outcome_it_goes_with_each_answer_and_with_one_the_next_does(void **state)
{
    char meter[16];
    struct order o;
    uint32_t one, two;

    (void)state;
    new_meter(meter, "residential");
    one = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    two = post(meter, "{\"what\":\"report_offset\",\"report_offset_s\":7200}");
    for (int i = 1; i <= 3; i++) {
        o = plain_report(meter);
        assert_int_equal(o.count, 1); /* one is under way */
        assert_int_equal(o.id, one);
        assert_int_equal(number_of(meter, one, "attempts"), i);
    }
    expect_state(meter, two, "queued");
    o = report(meter, &(struct said){ .outcome = one });
    assert_int_equal(o.id, two);
    expect_state_kept(meter, one, "done");
    expect_state_kept(meter, two, "sent");
    o = report(meter, &(struct said){ .outcome = two, .result = 1 });
    assert_int_equal(o.count, 0);
    expect_state_kept(meter, two, "failed");
    expect_nothing(meter);
}

static void a_meter_may_refuse_or_find_it_too_late(void **state)
{
    static const char *const states[] = { "done", "failed", "failed", "expired", "failed" };
    char meter[16];

    (void)state;
    new_meter(meter, "residential");
    for (uint32_t result = 0; result < 5; result++) {
        uint32_t id = post(meter, "{\"what\":\"step\",\"step_s\":900}");

        assert_int_equal(plain_report(meter).id, id);
        report(meter, &(struct said){ .outcome = id, .result = result });
        expect_state_kept(meter, id, states[result]);
    }
}

static void an_outcome_for_another_meters_command_changes_nothing(void **state)
{
    char one[16], two[16];
    uint32_t id;

    (void)state;
    new_meter(one, "residential");
    new_meter(two, "residential");
    id = post(one, "{\"what\":\"step\",\"step_s\":900}");
    plain_report(one);
    report(two, &(struct said){ .outcome = id });
    expect_state_kept(one, id, "sent");
}

static void a_report_in_the_clear_that_wants_no_answer_hears_none(void **state)
{
    static struct message m;
    struct heard h;
    char meter[16];
    uint8_t room[512];
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    message_begin(&m, PROBE_NON, PROBE_POST, next_mid++, span_of("\x43", 1));
    message_path(&m, "r");
    message_uint(&m, PROBE_NO_RESPONSE, 2);
    message_payload(&m, span_of(room, put_report(meter, &(struct said){ 0 }, room)));
    probe_send_bytes(&probe, message_span(&m));
    assert_false(probe_hear(&probe, 300, &h));
    expect_state_kept(meter, id, "queued");
    begin_report(&m, meter, &(struct said){ .type = PROBE_NON });
    probe_ask(&probe, &m, &h); /* a NON is answered by one */
    assert_int_equal(h.type, PROBE_NON);
    assert_int_equal(read_orders(h.payload).id, id);
}

static void an_upload_in_blocks_hears_it_with_the_last_answer(void **state)
{
    static struct message m;
    struct heard h, repeat;
    uint8_t room[512];
    char meter[16];
    size_t len;
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    len = put_report(meter, &(struct said){ .step_s = 3600, .count = 24 }, room);
    for (uint32_t num = 0; num * 16 < len; num++) {
        bool more = (num + 1) * 16 < len;

        message_begin(&m, PROBE_CON, PROBE_POST, next_mid++, span_of("\x44", 1));
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, num, more, 0);
        message_payload(&m, span_of(room + num * 16, more ? 16 : len - num * 16));
        probe_ask(&probe, &m, &h);
        assert_int_equal(h.code, more ? PROBE_CODE(2, 31) : PROBE_CODE(2, 4));
    }
    assert_int_equal(read_orders(h.payload).id, id);
    probe_ask(&probe, &m, &repeat);
    assert_int_equal(repeat.len, h.len);
    assert_memory_equal(repeat.bytes, h.bytes, h.len);
}

/* ---- time ---- */

static void what_expired_is_never_sent(void **state)
{
    char meter[16], at[24], body[96];
    uint32_t unsent, sent;

    (void)state;
    new_meter(meter, "residential");
    report_time(now_s + 3600, at);
    snprintf(body, sizeof body, "{\"what\":\"step\",\"step_s\":900,\"expires\":\"%s\"}", at);
    sent = post(meter, body);
    unsent = post(meter, body);
    assert_int_equal(plain_report(meter).id, sent);
    clock_to(now_s + 3600); /* it holds until before this */
    expect_state(meter, sent, "expired");
    expect_state(meter, unsent, "expired");
    expect_nothing(meter);
    settle();
    expect_state(meter, sent, "expired");
    expect_state(meter, unsent, "expired");
    /* It was done in time, and told late: the meter's word counts. */
    report(meter, &(struct said){ .outcome = sent });
    settle();
    expect_state(meter, sent, "done");
    report(meter, &(struct said){ .outcome = sent, .result = 1 });
    settle();
    expect_state(meter, sent, "done");
}

static void a_time_command_is_done_when_the_clock_is_right(void **state)
{
    static struct message m;
    struct heard h;
    char meter[16];
    uint8_t room[512];
    uint32_t id;
    struct order o;

    (void)state;
    new_meter(meter, "residential");
    id = post_by(&crew, meter, "{\"what\":\"time\"}");
    o = plain_report(meter);
    assert_int_equal(o.count, 0);
    assert_int_equal(o.now, now_s);
    expect_state(meter, id, "sent");
    clock_to(now_s + 600); /* a clock that is 600 s behind now */
    message_begin(&m, PROBE_CON, PROBE_POST, next_mid++, span_of("\x45", 1));
    message_path(&m, "r");
    now_s -= 600;
    message_payload(&m, span_of(room, put_report(meter, &(struct said){ 0 }, room)));
    now_s += 600;
    probe_ask(&probe, &m, &h);
    assert_int_equal(read_orders(h.payload).now, now_s);
    expect_state_kept(meter, id, "sent");
    o = plain_report(meter);
    assert_int_equal(o.now, 0);
    expect_state_kept(meter, id, "done");
}

/* ---- valves ---- */

static void closing_a_valve_needs_two_persons(void **state)
{
    static const char close[] = "{\"what\":\"valve\",\"open\":false}";
    char meter[16];
    struct order o;
    uint32_t id, other;

    (void)state;
    new_meter(meter, "residential");
    expect_refusal(&crew, meter, close, 403, "crew");
    expect_refusal(&crew, meter, "{\"what\":\"valve_open\",\"valve_open\":false}", 403, "crew");
    expect_refusal(&viewer, meter, close, 403, "viewer");
    id = post(meter, close);
    expect_nothing(meter);
    decide(&admin, meter, id, "approve", 403); /* the one who asked */
    decide(&crew, meter, id, "approve", 403);
    expect_nothing(meter);
    other = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    decide(&second, meter, other, "approve", 409);
    o = plain_report(meter); /* what waits for approval holds up no other */
    assert_int_equal(o.id, other);
    report(meter, &(struct said){ .outcome = other });
    decide(&second, meter, id, "approve", 200);
    decide(&second, meter, id, "approve", 409);
    o = plain_report(meter);
    assert_int_equal(o.id, id);
    assert_int_equal(o.what, 3);
    assert_int_equal(o.value, 0);
    expect_state_kept(meter, id, "sent");
    report(meter, &(struct said){ .outcome = id });
    expect_state_kept(meter, id, "done");
}

static void nobody_does_what_nobody_was_told(void **state)
{
    char meter[16];
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"valve\",\"open\":false}");
    report(meter, &(struct said){ .outcome = id });
    expect_state_kept(meter, id, "queued");
}

static void valves_of_hydrants_the_public_and_zones_stay_open(void **state)
{
    static const char *const uses[] = { "public", "hydrant", "zone-inlet", "zone-outlet" };
    char meter[16];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        new_meter(meter, uses[i]);
        expect_refusal(&admin, meter, "{\"what\":\"valve\",\"open\":false}", 422, uses[i]);
        post(meter, "{\"what\":\"valve\",\"open\":true}");
    }
    new_meter(meter, "");
    post(meter, "{\"what\":\"valve\",\"open\":false}"); /* it supplies nobody */
}

static void approval_looks_again_at_what_stands_behind_the_meter(void **state)
{
    char meter[16], csv[160];
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"valve\",\"open\":false}");
    snprintf(csv, sizeof csv, "point,use_class\nP%s,hydrant\n", meter);
    import("points", csv);
    decide(&second, meter, id, "approve", 422);
    expect_nothing(meter);
}

static void a_meter_that_comes_before_a_hydrant_is_closed_no_more(void **state)
{
    char meter[16], csv[160];
    uint32_t id;

    (void)state;
    new_meter(meter, "commercial");
    id = post(meter, "{\"what\":\"valve\",\"open\":false}");
    decide(&second, meter, id, "approve", 200);
    assert_int_equal(plain_report(meter).id, id);
    snprintf(csv, sizeof csv, "point,use_class\nP%s,industrial\n", meter);
    import("points", csv);
    settle();
    assert_int_equal(plain_report(meter).id, id);
    snprintf(csv, sizeof csv, "point,use_class\nP%s,hydrant\n", meter);
    import("points", csv);
    expect_nothing(meter); /* at once */
    settle();
    expect_state(meter, id, "failed");
    expect_nothing(meter);
}

static void a_valve_that_shows_itself_closed_or_open_proves_it(void **state)
{
    char meter[16];
    uint32_t close, open;

    (void)state;
    new_meter(meter, "residential");
    close = post(meter, "{\"what\":\"valve\",\"open\":false}");
    decide(&second, meter, close, "approve", 200);
    assert_int_equal(plain_report(meter).id, close);
    assert_int_equal(plain_report(meter).id, close); /* open still */
    open = post_by(&crew, meter, "{\"what\":\"valve\",\"open\":true}");
    assert_int_equal(report(meter, &(struct said){ .status = 1 }).id, open);
    expect_state_kept(meter, close, "done");
    assert_int_equal(report(meter, &(struct said){ .status = 1 }).id, open);
    expect_state(meter, open, "sent");
    expect_nothing(meter);
    expect_state_kept(meter, open, "done");
}

/* ---- another dialect ---- */

/* A frame of CJ/T 188 of the meter 78330011223344: control, data; its answer into `h`. */
static void send_cjt188(uint8_t control, struct span data, struct heard *h)
{
    static struct message m;
    uint8_t frame[64] = { 0x68, 0x10, 0x44, 0x33, 0x22, 0x11, 0x00, 0x33, 0x78, control };
    size_t len = 10;
    uint8_t sum = 0;

    frame[len++] = (uint8_t)data.len;
    memcpy(frame + len, data.at, data.len);
    len += data.len;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + frame[i]);
    frame[len++] = sum;
    frame[len++] = 0x16;
    message_begin(&m, PROBE_CON, PROBE_POST, next_mid++, span_of("\x46", 1));
    message_path(&m, "r/cjt188");
    message_payload(&m, span_of(frame, len));
    probe_ask(&probe, &m, h);
    assert_int_equal(h->code, PROBE_CODE(2, 4));
}

static void a_meter_of_another_dialect_is_told_in_its_own_words(void **state)
{
    static const char meter[] = "78330011223344";
    static const uint8_t reading[] = { 0x1f, 0x90, 0x00, 0x00, 0x77, 0x66, 0x55, 0x2c,
                                       0x00, 0x77, 0x66, 0x55, 0x2c, 0x31, 0x01, 0x22,
                                       0x11, 0x05, 0x15, 0x20, 0x21, 0x84 };
    uint8_t expected[17] = { 0x68, 0x10, 0x44, 0x33, 0x22, 0x11, 0x00, 0x33,
                             0x78, 0x04, 0x04, 0xa0, 0x17, 0,    0x55 };
    uint8_t reply[] = { 0xa0, 0x17, 0, 0x00, 0x00 };
    struct heard h;
    uint32_t id;

    (void)state;
    import("meters", "serial,dn,q3,dialect\n78330011223344,15,2.5,cjt188\n");
    expect_refusal(&admin, meter, "{\"what\":\"step\",\"step_s\":900}", 422, "cjt188");
    id = post(meter, "{\"what\":\"valve\",\"open\":true}");
    send_cjt188(0x81, span_of(reading, sizeof reading), &h);
    expected[13] = reply[2] = (uint8_t)id;
    for (size_t i = 0; i < 15; i++)
        expected[15] = (uint8_t)(expected[15] + expected[i]);
    expected[16] = 0x16;
    assert_int_equal(h.payload.len, sizeof expected);
    assert_memory_equal(h.payload.at, expected, sizeof expected);
    expect_state(meter, id, "sent");
    send_cjt188(0x84, span_of(reply, sizeof reply), &h);
    assert_int_equal(h.payload.len, 0);
    expect_state_kept(meter, id, "done");
}

/* ---- who, and what not ---- */

static void values_outside_their_bounds_are_refused(void **state)
{
    static const struct {
        const char *body, *names;
    } bad[] = {
        { "{}", "what" },
        { "{\"what\":\"dance\"}", "what" },
        { "{\"what\":\"valve\"}", "open" },
        { "{\"what\":\"valve\",\"open\":1}", "open" },
        { "{\"what\":\"valve\",\"open\":\"no\"}", "open" },
        { "{\"what\":\"valve\",\"open\":true,\"loud\":true}", "loud" },
        { "{\"what\":\"report_every\"}", "report_every_s" },
        { "{\"what\":\"report_every\",\"report_every_s\":59}", "report_every_s" },
        { "{\"what\":\"report_every\",\"report_every_s\":2678401}", "report_every_s" },
        { "{\"what\":\"report_every\",\"report_every_s\":60.5}", "report_every_s" },
        { "{\"what\":\"report_offset\",\"report_offset_s\":86400}", "report_offset_s" },
        { "{\"what\":\"report_offset\",\"report_offset_s\":-1}", "report_offset_s" },
        { "{\"what\":\"step\",\"step_s\":0}", "step_s" },
        { "{\"what\":\"base_index\",\"base_index_l\":-1}", "base_index_l" },
        { "{\"what\":\"base_index\",\"base_index_l\":100000000}", "base_index_l" },
        { "{\"what\":\"history\",\"from\":\"2026-03-01T00:00:00Z\"}", "to" },
        { "{\"what\":\"history\",\"from\":\"2026-03-02T00:00:00Z\",\"to\":\"2026-03-02T00:00:"
          "00Z\"}",
          "from" },
        { "{\"what\":\"history\",\"from\":\"2025-03-02T00:00:00Z\",\"to\":\"2026-03-02T00:00:"
          "00Z\"}",
          "from" },
        { "{\"what\":\"time\",\"expires\":\"2026-03-01T00:00:00Z\"}", "expires" },
        { "{\"what\":\"time\",\"expires\":\"2027-03-01T00:00:00Z\"}", "expires" },
        { "{\"what\":\"time\",\"expires\":\"soon\"}", "expires" },
    };
    char meter[16];

    (void)state;
    new_meter(meter, "residential");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refusal(&admin, meter, bad[i].body, 422, bad[i].names);
    expect_refusal(&admin, "nobody", "{\"what\":\"time\"}", 404, "nobody");
    expect_nothing(meter);
}

static void a_crew_commands_what_it_needs_at_a_meter(void **state)
{
    char meter[16];

    (void)state;
    new_meter(meter, "residential");
    expect_refusal(&crew, meter, "{\"what\":\"base_index\",\"base_index_l\":1}", 403, "crew");
    expect_refusal(&crew, meter, "{\"what\":\"step\",\"step_s\":900}", 403, "crew");
    post_by(&crew, meter, "{\"what\":\"valve\",\"open\":true}");
    expect_refusal(&viewer, meter, "{\"what\":\"time\"}", 403, "viewer");
}

static void sixteen_may_wait_and_no_more(void **state)
{
    char meter[16];
    uint32_t first = 0;

    (void)state;
    new_meter(meter, "residential");
    for (int i = 0; i < 16; i++) {
        uint32_t id = post(meter, "{\"what\":\"step\",\"step_s\":900}");

        first = first ? first : id;
    }
    expect_refusal(&admin, meter, "{\"what\":\"step\",\"step_s\":900}", 409, "16");
    decide(&admin, meter, first, "cancel", 200);
    post(meter, "{\"what\":\"step\",\"step_s\":900}");
}

static void what_is_cancelled_goes_nowhere(void **state)
{
    char meter[16], path[64];
    uint32_t one, two, mine;

    (void)state;
    new_meter(meter, "residential");
    one = post(meter, "{\"what\":\"step\",\"step_s\":900}");
    two = post(meter, "{\"what\":\"report_offset\",\"report_offset_s\":1}");
    mine = post_by(&crew, meter, "{\"what\":\"time\"}");
    decide(&crew, meter, one, "cancel", 403);
    decide(&crew, meter, mine, "cancel", 200);
    assert_int_equal(plain_report(meter).id, one);
    decide(&second, meter, one, "cancel", 200); /* under way: no more of it */
    expect_state_kept(meter, one, "failed");
    assert_int_equal(plain_report(meter).id, two);
    decide(&second, meter, two, "cancel", 200);
    decide(&second, meter, two, "cancel", 409);
    decide(&second, meter, 4000000, "cancel", 404);
    expect_nothing(meter);
    snprintf(path, sizeof path, "/v1/meters/%s/commands/x/cancel", meter);
    tell(&admin, path, "{}", 404);
    report(meter, &(struct said){ .outcome = one }); /* it had done it all the same */
    settle();
    expect_state(meter, one, "done");
}

static void the_same_key_queues_once(void **state)
{
    char meter[16], path[64];
    struct answer a, b;

    (void)state;
    new_meter(meter, "residential");
    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    http_post(&admin, path, "Idempotency-Key: c-1\r\n", "{\"what\":\"time\"}", &a);
    http_post(&admin, path, "Idempotency-Key: c-1\r\n", "{\"what\":\"time\"}", &b);
    assert_int_equal(a.status, 201);
    assert_int_equal(b.status, 201);
    assert_string_equal(a.body, b.body);
    answer_done(&a);
    answer_done(&b);
}

/* ---- nothing is lost ---- */

static void a_restart_keeps_every_state(void **state)
{
    char meter[16], other[16];
    uint32_t one, two, closing;

    (void)state;
    new_meter(meter, "residential");
    new_meter(other, "residential");
    for (int kill = 0; kill < 2; kill++) {
        one = post(meter, "{\"what\":\"step\",\"step_s\":900}");
        two = post(meter, "{\"what\":\"report_offset\",\"report_offset_s\":1}");
        closing = post(other, "{\"what\":\"valve\",\"open\":false}");
        assert_int_equal(plain_report(meter).id, one);
        settle();
        again(kill);
        expect_state(meter, one, "sent");
        expect_state(meter, two, "queued");
        expect_nothing(other);
        decide(&second, other, closing, "approve", 200);
        assert_int_equal(plain_report(meter).id, one);
        /* Acknowledged, and killed at once: the word is in the journal at least. */
        assert_int_equal(report(meter, &(struct said){ .outcome = one }).id, two);
        again(kill);
        settle();
        expect_state(meter, one, "done");
        assert_int_equal(plain_report(meter).id, two);
        assert_int_equal(plain_report(other).id, closing);
        report(meter, &(struct said){ .outcome = two });
        report(other, &(struct said){ .outcome = closing });
        expect_state_kept(meter, two, "done");
        expect_state_kept(other, closing, "done");
    }
}

static bool audit_has(const char *what, uint32_t id)
{
    char path[64], part[32];
    json_t *all = NULL, *row;
    bool found = false;
    size_t i;

    snprintf(path, sizeof path, "/v1/audit?since=2026-03-10T00:00:00Z&limit=100000");
    all = ask(&admin, path, NULL, 200);
    snprintf(part, sizeof part, "\"id\": %u,", (unsigned)id);
    json_array_foreach(json_object_get(all, "rows"), i, row)
    {
        char *after = json_dumps(json_object_get(row, "after"), JSON_ENCODE_ANY);

        if (strcmp(json_string_value(json_object_get(row, "what")), what) == 0 && after &&
            strstr(after, part))
            found = true;
        free(after);
    }
    json_decref(all);
    return found;
}

static void every_step_stands_in_the_audit(void **state)
{
    char meter[16];
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    id = post(meter, "{\"what\":\"valve\",\"open\":false}");
    decide(&second, meter, id, "approve", 200);
    plain_report(meter);
    report(meter, &(struct said){ .outcome = id });
    settle();
    assert_true(audit_has("command.queued", id));
    assert_true(audit_has("command.approved", id));
    assert_true(audit_has("command.sent", id));
    assert_true(audit_has("command.outcome", id));
    assert_false(audit_has("command.expired", id));
}

/* ---- readings that are missing ---- */

/* Twelve hourly values up to `hours` after the start of the meter's history. */
static struct order hours(const char *meter, int64_t base_s, int last)
{
    return report(meter, &(struct said){
                             .at_s = base_s + (int64_t)last * 3600, .step_s = 3600, .count = 12 });
}

/* The same values by another way: a file. */
static void import_hours(const char *meter, int64_t base_s, int first, int last)
{
    char csv[2048], at[24];
    size_t len = (size_t)snprintf(csv, sizeof csv, "serial,time,index_l\n");

    for (int hour = first; hour <= last; hour++) {
        int64_t at_s = base_s + (int64_t)hour * 3600;

        report_time(at_s, at);
        len += (size_t)snprintf(csv + len, sizeof csv - len, "%s,%s,%lld\n", meter, at,
                                (long long)((at_s - START_S + 100 * DAY) / 3600));
    }
    import("readings", csv);
}

static unsigned count_commands(const char *meter)
{
    char path[96];
    json_t *all;
    unsigned count;

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    all = ask(&viewer, path, NULL, 200);
    count = (unsigned)json_array_size(json_object_get(all, "rows"));
    json_decref(all);
    return count;
}

static void a_hole_in_the_history_is_asked_for_three_times(void **state)
{
    char meter[16];
    int64_t base_s = now_s - 2 * DAY;
    struct order o;
    uint32_t id;

    (void)state;
    new_meter(meter, "residential");
    hours(meter, base_s, 12);
    hours(meter, base_s, 24);
    settle();
    assert_int_equal(count_commands(meter), 0);
    hours(meter, base_s, 44); /* 25 to 32 are missing */
    settle();
    assert_int_equal(count_commands(meter), 1);
    o = hours(meter, base_s, 45);
    assert_int_equal(o.what, 8);
    assert_int_equal(o.from, base_s + 24 * 3600);
    assert_int_equal(o.to, base_s + 33 * 3600);
    id = o.id;
    assert_int_equal(hours(meter, base_s, 46).id, id);
    report(meter, &(struct said){ .at_s = base_s + 46 * 3600, .outcome = id, .result = 1 });
    expect_state_kept(meter, id, "failed");
    clock_to(now_s + DAY - 60);
    settle();
    assert_int_equal(count_commands(meter), 1);
    clock_to(now_s + 60);
    settle();
    assert_int_equal(count_commands(meter), 2);
    o = report(meter, &(struct said){ .at_s = base_s + 46 * 3600 });
    assert_int_equal(o.what, 8);
    assert_int_not_equal(o.id, id);
    report(meter, &(struct said){ .at_s = base_s + 46 * 3600, .outcome = o.id });
    clock_to(now_s + 2 * DAY); /* done, the meter says, and nothing came */
    settle();
    assert_int_equal(count_commands(meter), 3);
    o = report(meter, &(struct said){ .at_s = base_s + 46 * 3600 });
    report(meter, &(struct said){ .at_s = base_s + 46 * 3600, .outcome = o.id, .result = 1 });
    clock_to(now_s + 8 * DAY);
    settle();
    assert_int_equal(count_commands(meter), 3);
}

static void a_hole_that_was_filled_is_not_asked_for_again(void **state)
{
    char meter[16];
    int64_t base_s = now_s - 2 * DAY;
    struct order o;

    (void)state;
    new_meter(meter, "residential");
    hours(meter, base_s, 12);
    hours(meter, base_s, 44);
    settle();
    o = hours(meter, base_s, 45);
    assert_int_equal(o.what, 8);
    hours(meter, base_s, 24);
    hours(meter, base_s, 36);
    report(meter, &(struct said){ .at_s = base_s + 45 * 3600, .outcome = o.id });
    expect_state_kept(meter, o.id, "done");
    clock_to(now_s + DAY);
    settle();
    assert_int_equal(count_commands(meter), 1);
}

static void what_comes_by_itself_is_not_asked_for(void **state)
{
    char meter[16];
    int64_t base_s = now_s - 3 * DAY;

    (void)state;
    new_meter(meter, "residential");
    hours(meter, base_s, 12);
    settle();
    hours(meter, base_s, 36);
    hours(meter, base_s, 48);
    settle();
    assert_int_equal(count_commands(meter), 1);
    import_hours(meter, base_s, 13, 24);
    settle();
    assert_int_equal(hours(meter, base_s, 49).count, 0);
    assert_int_equal(count_commands(meter), 1);
}

static void holes_that_nobody_was_told_of_yet_become_one_request(void **state)
{
    char meter[16];
    int64_t base_s = now_s - 5 * DAY;
    struct order o;

    (void)state;
    new_meter(meter, "residential");
    hours(meter, base_s, 12);
    hours(meter, base_s, 40);
    settle();
    hours(meter, base_s, 70); /* carries the first request */
    settle();
    hours(meter, base_s, 100);
    settle();
    assert_int_equal(count_commands(meter), 2);
    o = report(meter, &(struct said){ .at_s = base_s + 100 * 3600 });
    assert_int_equal(o.from, base_s + 12 * 3600);
    o = report(meter, &(struct said){ .at_s = base_s + 100 * 3600, .outcome = o.id });
    assert_int_equal(o.what, 8);
    assert_int_equal(o.from, base_s + 40 * 3600);
    assert_int_equal(o.to, base_s + 89 * 3600);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_goes_with_the_answer_to_the_next_report),
        cmocka_unit_test(every_kind_of_command_is_said_as_the_contract_has_it),
        cmocka_unit_test(a_repeat_hears_the_same_and_counts_once),
        cmocka_unit_test(without_an_outcome_it_goes_with_each_answer_and_with_one_the_next_does),
        cmocka_unit_test(a_meter_may_refuse_or_find_it_too_late),
        cmocka_unit_test(an_outcome_for_another_meters_command_changes_nothing),
        cmocka_unit_test(a_report_in_the_clear_that_wants_no_answer_hears_none),
        cmocka_unit_test(an_upload_in_blocks_hears_it_with_the_last_answer),
        cmocka_unit_test(what_expired_is_never_sent),
        cmocka_unit_test(a_time_command_is_done_when_the_clock_is_right),
        cmocka_unit_test(closing_a_valve_needs_two_persons),
        cmocka_unit_test(nobody_does_what_nobody_was_told),
        cmocka_unit_test(valves_of_hydrants_the_public_and_zones_stay_open),
        cmocka_unit_test(approval_looks_again_at_what_stands_behind_the_meter),
        cmocka_unit_test(a_meter_that_comes_before_a_hydrant_is_closed_no_more),
        cmocka_unit_test(a_valve_that_shows_itself_closed_or_open_proves_it),
        cmocka_unit_test(a_meter_of_another_dialect_is_told_in_its_own_words),
        cmocka_unit_test(values_outside_their_bounds_are_refused),
        cmocka_unit_test(a_crew_commands_what_it_needs_at_a_meter),
        cmocka_unit_test(sixteen_may_wait_and_no_more),
        cmocka_unit_test(what_is_cancelled_goes_nowhere),
        cmocka_unit_test(the_same_key_queues_once),
        cmocka_unit_test(a_restart_keeps_every_state),
        cmocka_unit_test(every_step_stands_in_the_audit),
        cmocka_unit_test(a_hole_in_the_history_is_asked_for_three_times),
        cmocka_unit_test(a_hole_that_was_filled_is_not_asked_for_again),
        cmocka_unit_test(what_comes_by_itself_is_not_asked_for),
        cmocka_unit_test(holes_that_nobody_was_told_of_yet_become_one_request),
    };

    check_begin(argc, argv);
    return cmocka_run_group_tests(tests, begin, end);
}
