/* The way in from network servers: what of many pushes is kept, alone and by many callers at once; brokers' addresses, and the names of
 * downlinks. */
#include "proto/lorawan.h"
#include "proto/platform.h"
#include "server/app.h"
#include "server/gateway/mqtt_url.h"
#include "server/metrics.h"
#include "server/uplink.h"
#include "tests/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_S 1767225600

/* ---- a door ------------------------------------------------------------------------------------- */

static struct app app;

static uint32_t known_meter(void *arg, struct span name)
{
    (void)arg;
    return registry_find_lkd(app.registry, name);
}

static struct span native(void *arg, uint32_t meter)
{
    (void)arg;
    (void)meter;
    return span_text("native");
}

static void open_all(uint64_t frames)
{
    const char *folder = check_folder();
    struct quarantine_limits limits = { .frames = frames };
    struct refusal r = { .err = ERR_OK };
    struct ingest_parts parts;

    memset(&app, 0, sizeof app);
    app.lore = (struct lore){ .meter = known_meter, .profile = native };
    assert_ok(journal_open(folder, NULL, DB_CREATE, &app.journal, &r));
    assert_ok(quarantine_open(folder, &limits, DB_CREATE, &app.quarantine, &r));
    assert_ok(tail_new(&app.tail));
    assert_ok(registry_new(&app.registry));
    for (uint32_t meter = 1; meter <= 100; meter++) {
        char eui[17];

        snprintf(eui, sizeof eui, "%016x", meter);
        assert_ok(registry_add(app.registry, span_text(eui), meter));
    }
    parts = (struct ingest_parts){ .journal = app.journal,
                                   .tail = app.tail,
                                   .registry = app.registry,
                                   .quarantine = app.quarantine,
                                   .lore = &app.lore };
    assert_ok(ingest_open(&parts, &app.ingest));
    assert_ok(uplink_open(&app, &app.uplink));
}

static void close_all(void)
{
    uplink_close(app.uplink);
    ingest_close(app.ingest);
    registry_free(app.registry);
    tail_free(app.tail);
    quarantine_close(app.quarantine);
    journal_close(app.journal);
}

/* Records of the journal by kind: frames of a meter, frames that wait, refused bytes. */
struct kept {
    unsigned stored, waiting, refused;
};

static struct kept kept(void)
{
    struct kept k = { .stored = 0 };
    struct journal_reader *reader;
    struct record record;
    uint64_t position = 0, at;

    assert_ok(journal_reader_open(app.journal, &reader));
    while (!journal_next(reader, &position, &at, &record)) {
        k.refused += record.kind == RECORD_REJECT;
        k.stored += record.kind == RECORD_FRAME && record.meter;
        k.waiting += record.kind == RECORD_FRAME && !record.meter;
    }
    journal_reader_close(reader);
    return k;
}

/* An uplink of `meter`: index 1 L, taken when it was heard; blanks make it `len` bytes. */
static struct span uplink_of(uint32_t meter, uint32_t count, size_t len)
{
    char *text = malloc(len + 1);
    int head = snprintf(
        text, len + 1,
        "{\"deviceInfo\":{\"devEui\":\"%016x\"},\"fCnt\":%u,\"fPort\":2,\"data\":\"IgIYAg==\"}",
        meter, count);

    assert_true(head > 0 && (size_t)head <= len);
    memset(text + head, ' ', len - (size_t)head);
    return span_of(text, len);
}

static struct push push_of(struct span bytes)
{
    return (struct push){ .dialect = &dialect_chirpstack,
                          .transport = TRANSPORT_MQTT,
                          .bytes = bytes,
                          .arrival_s = NOW_S };
}

static void each_push_is_told_what_became_of_it(void **state)
{
    static const char *const others[] = {
        "{",
        "{\"deviceInfo\":{\"devEui\":\"0000000000000001\"},\"level\":\"INFO\"}",
        "{\"deviceInfo\":{\"devEui\":\"00000000000000ff\"},\"fCnt\":3}",
    };
    struct push p[6];
    struct kept k;

    (void)state;
    open_all(1);
    p[0] = push_of(uplink_of(1, 1, 200));
    p[1] = push_of(uplink_of(0x1001, 1, 200));
    p[2] = push_of(uplink_of(0x1002, 1, 200)); /* no room for two */
    for (int i = 0; i < 3; i++)
        p[3 + i] = push_of(span_text(others[i]));
    uplink_take(app.uplink, p, 6);
    assert_int_equal(p[0].outcome, UPLINK_STORED);
    assert_int_equal(p[1].outcome, UPLINK_QUARANTINED);
    assert_int_equal(p[2].outcome, UPLINK_NO_ROOM);
    assert_err(ERR_LIMIT, p[2].err);
    assert_int_equal(p[3].outcome, UPLINK_REFUSED);
    assert_err(ERR_TRUNCATED, p[3].err);
    assert_int_equal(p[4].outcome, UPLINK_ASIDE);
    assert_int_equal(p[5].outcome, UPLINK_ASIDE);
    k = kept();
    assert_int_equal(k.stored, 1);
    assert_int_equal(k.waiting, 1);
    assert_int_equal(k.refused, 1);
    for (int i = 0; i < 3; i++)
        free((void *)p[i].bytes.at);
    close_all();
}

/* More bytes at once than a batch holds: it is ended in between, and each push counts once. */
static void more_than_a_batch_goes_in_several(void **state)
{
    enum { COUNT = 150 };
    static struct push p[COUNT];
    long before = (long)metrics_get(METRIC_MQTT_STORED);
    struct kept k;

    (void)state;
    open_all(0);
    for (uint32_t i = 0; i < COUNT; i++)
        p[i] = push_of(uplink_of(1 + i % 100, i, 60000));
    uplink_take(app.uplink, p, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(p[i].outcome, UPLINK_STORED);
        free((void *)p[i].bytes.at);
    }
    k = kept();
    assert_int_equal(k.stored, COUNT);
    assert_int_equal((long)metrics_get(METRIC_MQTT_STORED) - before, COUNT);
    close_all();
}

static void a_flood_of_rubbish_is_not_all_kept(void **state)
{
    enum { COUNT = 400 };
    static struct push p[COUNT];
    struct kept k;

    (void)state;
    open_all(0);
    for (int i = 0; i < COUNT; i++)
        p[i] = push_of(span_text("rubbish"));
    uplink_take(app.uplink, p, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(p[i].outcome, UPLINK_REFUSED);
    k = kept();
    assert_true(k.refused >= 1 && k.refused <= 60); /* 20 a second */
    close_all();
}

#define CALLERS 8
#define ROUNDS 50

static void *call(void *arg)
{
    uint32_t first = *(uint32_t *)arg;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct push p[3];

        for (uint32_t j = 0; j < 3; j++)
            p[j] = push_of(uplink_of(1 + (first + j) % 100, i, 300));
        uplink_take(app.uplink, p, 3);
        for (uint32_t j = 0; j < 3; j++) {
            assert_int_equal(p[j].outcome, UPLINK_STORED);
            free((void *)p[j].bytes.at);
        }
    }
    return NULL;
}

static void callers_share_batches_and_all_of_it_is_kept(void **state)
{
    pthread_t threads[CALLERS];
    uint32_t first[CALLERS];
    struct kept k;

    (void)state;
    open_all(0);
    for (uint32_t i = 0; i < CALLERS; i++) {
        first[i] = i * 10;
        assert_int_equal(pthread_create(&threads[i], NULL, call, &first[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    k = kept();
    assert_int_equal(k.stored, CALLERS * ROUNDS * 3);
    close_all();
}

/* Two parts of one push: one is kept, the other refused. */
static void of_a_push_of_several_each_part_is_judged(void **state)
{
    struct push p = push_of(span_text("{\"msg\":[{\"type\":1,\"imei\":\"0000000000000005\","
                                      "\"value\":\"22021802\"},{\"type\":\"x\"}]}"));
    struct kept k;

    (void)state;
    open_all(0);
    p.dialect = &dialect_onenet;
    uplink_take(app.uplink, &p, 1);
    assert_ok(p.err);
    assert_int_equal(p.outcome, UPLINK_STORED);
    k = kept();
    assert_int_equal(k.stored, 1);
    assert_int_equal(k.refused, 1);
    close_all();
}

/* ---- addresses and names ------------------------------------------------------------------------ */

static struct mqtt_url url_of(const char *text)
{
    struct refusal r = { .err = ERR_OK };
    struct mqtt_url u;

    if (mqtt_url_read(text, &u, &r))
        fail_msg("%s: %s", text, r.text);
    return u;
}

static void an_address_says_host_port_user_and_password(void **state)
{
    struct mqtt_url u = url_of("mqtt://broker.city");

    (void)state;
    assert_false(u.tls || u.has_user || u.has_password);
    assert_string_equal(u.host, "broker.city");
    assert_int_equal(u.port, 1883);
    u = url_of("mqtts://broker.city/");
    assert_true(u.tls);
    assert_int_equal(u.port, 8883);
    u = url_of("mqtts://nilo:wa%3ater%40%207@[::1]:8884");
    assert_string_equal(u.user, "nilo");
    assert_string_equal(u.password, "wa:ter@ 7");
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 8884);
    u = url_of("mqtt://app@tenant@eu1.example:1883");
    assert_string_equal(u.user, "app@tenant");
    assert_false(u.has_password);
    assert_string_equal(u.host, "eu1.example");
}

static void what_is_no_address_is_refused_without_its_password(void **state)
{
    static const char *const wrong[] = { "",
                                         "mqtt",
                                         "tcp://host",
                                         "mqtt://",
                                         "mqtt://:1883",
                                         "mqtt://host:",
                                         "mqtt://host:port",
                                         "mqtt://host:65536",
                                         "mqtt://host:-1",
                                         "mqtt://ho st",
                                         "mqtt://host/topic",
                                         "mqtt://u:secret%4@host",
                                         "mqtt://u:secret%00@host",
                                         "mqtt://u:secret@",
                                         "mqtt://[::1",
                                         "mqtt://[::1]1883",
                                         "mqtt://[]" };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct refusal r = { .err = ERR_OK };
        struct mqtt_url u;

        if (mqtt_url_read(wrong[i], &u, &r) != ERR_INVALID)
            fail_msg("%s: taken", wrong[i]);
        assert_null(strstr(r.text, "secret"));
    }
}

static void a_downlinks_name_says_its_command(void **state)
{
    struct check_random random = check_random_begin();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct downlink d = { .ticket = { .meter = (uint32_t)check_random(&random),
                                          .sent = (uint32_t)check_random(&random) } };
        char name[DOWNLINK_NAME];
        uint32_t meter = 0, command = 0;

        downlink_name(&d, i % 2, name);
        if (i % 2) { /* a UUID of version 8, variant 10x */
            assert_int_equal(strlen(name), 36);
            assert_int_equal(name[14], '8');
            assert_int_equal(name[19], '8');
        }
        assert_true(downlink_named(span_text(name), &meter, &command));
        assert_int_equal(meter, d.ticket.meter);
        assert_int_equal(command, d.ticket.sent);
        name[check_below(&random, strlen(name))] = 'x';
        assert_false(downlink_named(span_text(name), &meter, &command));
    }
}

static void a_downlink_of_somebody_else_is_not_ours(void **state)
{
    static const char *const names[] = { "",
                                         "nilo-",
                                         "nilo-1-2",
                                         "nilo-00000001-00000002-",
                                         "NILO-00000001-00000002",
                                         "6e696c6f-0000-4001-8000-000000000007",
                                         "11111118-6ec9-4a68-8e26-5c608a408eff",
                                         "6e696c6f-0000-8001-8000-000000000007000000000" };
    uint32_t meter, command;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (downlink_named(span_text(names[i]), &meter, &command))
            fail_msg("%s: taken for ours", names[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_push_is_told_what_became_of_it),
        cmocka_unit_test(more_than_a_batch_goes_in_several),
        cmocka_unit_test(a_flood_of_rubbish_is_not_all_kept),
        cmocka_unit_test(callers_share_batches_and_all_of_it_is_kept),
        cmocka_unit_test(of_a_push_of_several_each_part_is_judged),
        cmocka_unit_test(an_address_says_host_port_user_and_password),
        cmocka_unit_test(what_is_no_address_is_refused_without_its_password),
        cmocka_unit_test(a_downlinks_name_says_its_command),
        cmocka_unit_test(a_downlink_of_somebody_else_is_not_ours),
    };

    return check_run(tests, argc, argv);
}
