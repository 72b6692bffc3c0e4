/* A real nilod at a real broker (mosquitto): what network servers publish is acknowledged when it is durable, so whatever is killed,
 * restarted or refused, each reading is there once. Skips where there is no mosquitto. */
#include "proto/base/base64.h"
#include "proto/base/text.h"
#include "tests/check.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <arpa/inet.h>
#include <mosquitto.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define METERS 20
#define WAIT_MS 60000

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- a broker ------------------------------------------------------------------------------- */

struct broker {
    pid_t pid;
    int port;
    char folder[512];
    const char *more; /* lines of its configuration */
};

static const char *mosquitto(void)
{
    static const char *const places[] = { "/usr/sbin/mosquitto", "/usr/bin/mosquitto",
                                          "/usr/local/sbin/mosquitto" };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static int socket_on(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static int free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void broker_configure(struct broker *b)
{
    char text[2048], path[600];

    if (!b->folder[0])
        snprintf(b->folder, sizeof b->folder, "%s", check_folder());
    if (!b->port)
        b->port = free_port();
    snprintf(text, sizeof text,
             "listener %d 127.0.0.1\npersistence true\npersistence_location %s/\n"
             "max_queued_messages 0\nuser root\n%s\n",
             b->port, b->folder, b->more ? b->more : "allow_anonymous true");
    snprintf(path, sizeof path, "%s/mosquitto.conf", b->folder);
    check_write(path, span_text(text));
}

static void broker_start(struct broker *b)
{
    char conf[600], log[600];
    int64_t until = now_ms() + WAIT_MS;
    pid_t parent = getpid();
    int fd;

    broker_configure(b);
    snprintf(conf, sizeof conf, "%s/mosquitto.conf", b->folder);
    snprintf(log, sizeof log, "%s/mosquitto.log", b->folder);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || !freopen(log, "a", stderr) || !freopen(log, "a", stdout))
            _exit(126);
        execl(mosquitto(), "mosquitto", "-c", conf, (char *)NULL);
        _exit(127);
    }
    while ((fd = socket_on(b->port)) < 0) {
        if (now_ms() > until || waitpid(b->pid, NULL, WNOHANG) != 0)
            fail_msg("mosquitto does not listen; see %s", log);
        poll(NULL, 0, 10);
    }
    close(fd);
}

static void broker_stop(struct broker *b)
{
    int status;

    kill(b->pid, SIGTERM);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    b->pid = 0;
}

/* ---- one who publishes ----------------------------------------------------------------------- */

struct publisher {
    struct mosquitto *client;
    _Atomic int acknowledged, received;
    _Atomic bool subscribed;
    char topic[256], body[512]; /* of the last that was received */
};

static void on_publish(struct mosquitto *client, void *arg, int mid)
{
    (void)client;
    (void)mid;
    ((struct publisher *)arg)->acknowledged++;
}

static void on_subscribe(struct mosquitto *client, void *arg, int mid, int count,
                         const int *granted)
{
    (void)client;
    (void)mid;
    (void)count;
    (void)granted;
    ((struct publisher *)arg)->subscribed = true;
}

static void on_message(struct mosquitto *client, void *arg, const struct mosquitto_message *m)
{
    struct publisher *p = (struct publisher *)arg;

    (void)client;
    snprintf(p->topic, sizeof p->topic, "%s", m->topic);
    snprintf(p->body, sizeof p->body, "%.*s", m->payloadlen, (const char *)m->payload);
    p->received++;
}

static void publisher_open(struct publisher *p, int port)
{
    memset(p, 0, sizeof *p);
    p->client = mosquitto_new(NULL, true, p);
    assert_non_null(p->client);
    mosquitto_publish_callback_set(p->client, on_publish);
    mosquitto_subscribe_callback_set(p->client, on_subscribe);
    mosquitto_message_callback_set(p->client, on_message);
    assert_int_equal(mosquitto_connect(p->client, "127.0.0.1", port, 60), 0);
    assert_int_equal(mosquitto_loop_start(p->client), 0);
}

static void publisher_close(struct publisher *p)
{
    mosquitto_disconnect(p->client);
    mosquitto_loop_stop(p->client, false);
    mosquitto_destroy(p->client);
}

static void await(const _Atomic int *what, int value)
{
    int64_t until = now_ms() + WAIT_MS;

    while (*what < value) {
        if (now_ms() > until)
            fail_msg("%d, expected %d", *what, value);
        poll(NULL, 0, 5);
    }
}

static void publish(struct publisher *p, const char *topic, const char *text)
{
    assert_int_equal(mosquitto_publish(p->client, NULL, topic, (int)strlen(text), text, 1, false),
                     0);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void put_event(char *out, size_t cap, int meter, int count, int64_t at_s, int64_t litres)
{
    struct report r = {
        .meter = "", .sent = (uint32_t)at_s, .at = (uint32_t)at_s, .litres = &litres, .count = 1
    };
    uint8_t bytes[256];
    char time[24];
    struct wr w = wr_of(out, cap);

    report_time(at_s, time);
    wr_format(
        &w,
        "{\"deduplicationId\":\"%d\",\"time\":\"%s\",\"deviceInfo\":{\"applicationId\":\"app\","
        "\"devEui\":\"%016x\"},\"fCnt\":%d,\"fPort\":2,\"data\":\"",
        count, time, meter, count);
    base64_write(&w, span_of(bytes, report_put(&r, bytes, sizeof bytes)));
    wr_text(&w, "\",\"rxInfo\":[{\"gatewayId\":\"g\",\"rssi\":-80,\"snr\":7.5}]}");
    wr_u8(&w, 0);
    assert_int_equal(w.err, ERR_OK);
}

static int64_t at_of(int n)
{
    return NOW_S - 3 * 86400 + n * 40;
}

static void publish_reading(struct publisher *p, int n)
{
    char topic[128], body[1024];
    int meter = n % METERS + 1;

    snprintf(topic, sizeof topic, "application/app/device/%016x/event/up", meter);
    put_event(body, sizeof body, meter, n / METERS, at_of(n), 1000 + n);
    publish(p, topic, body);
}

/* ---- nilod ------------------------------------------------------------------------------------ */

struct site {
    struct broker broker;
    struct nilod nilod;
    struct client api;
    char url[128];
};

static void register_meters(struct site *s)
{
    char csv[METERS * 64 + 64];
    size_t len = (size_t)snprintf(csv, sizeof csv, "serial,dn,q3,dialect,radio_id\n");
    struct answer a;

    for (int i = 1; i <= METERS; i++)
        len += (size_t)snprintf(csv + len, sizeof csv - len, "M%02d,15,2.5,native,%016X\n", i, i);
    http_post(&s->api, "/v1/import/meters", "Content-Type: text/csv\r\n", csv, &a);
    if (a.status != 200)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
}

static void nilod_up(struct site *s)
{
    nilod_start(&s->nilod);
    client_open(&s->api, s->nilod.http_host, s->nilod.http_port, s->nilod.token);
}

static void nilod_die(struct site *s)
{
    client_close(&s->api);
    nilod_kill(&s->nilod);
}

/* `scheme`: "mqtt" or "mqtts"; further arguments may stand in nilod.extra from 2 on. */
static void site_open(struct site *s, const char *scheme)
{
    if (!mosquitto()) {
        print_message("no mosquitto: apt-get install mosquitto\n");
        skip();
    }
    broker_start(&s->broker);
    s->nilod.clock = NOW;
    snprintf(s->url, sizeof s->url, "%s://127.0.0.1:%d", scheme, s->broker.port);
    s->nilod.extra[0] = "--mqtt";
    s->nilod.extra[1] = s->url;
    nilod_up(s);
    register_meters(s);
}

static void site_close(struct site *s)
{
    client_close(&s->api);
    nilod_stop(&s->nilod);
    if (s->broker.pid)
        broker_stop(&s->broker);
}

static long metric(struct site *s, const char *line)
{
    struct answer a;
    const char *at;
    long value;

    http_get(&s->api, "/metrics", NULL, &a);
    assert_int_equal(a.status, 200);
    at = strstr(a.body, line);
    assert_non_null(at);
    value = strtol(at + strlen(line), NULL, 10);
    answer_done(&a);
    return value;
}

static void await_metric(struct site *s, const char *line, long least)
{
    int64_t until = now_ms() + WAIT_MS;
    long found;

    while ((found = metric(s, line)) < least) {
        if (now_ms() > until)
            fail_msg("%s %ld, expected %ld", line, found, least);
        poll(NULL, 0, 10);
    }
}

#define CONNECTED "\nnilo_mqtt_connected "
#define STORED "\nnilo_pushes_total{transport=\"mqtt\",outcome=\"stored\"} "
#define REFUSED "\nnilo_pushes_total{transport=\"mqtt\",outcome=\"refused\"} "
#define NO_ROOM "\nnilo_pushes_total{transport=\"mqtt\",outcome=\"no-room\"} "
#define ASIDE "\nnilo_pushes_total{transport=\"mqtt\",outcome=\"aside\"} "

static json_t *get_rows(struct site *s, const char *path)
{
    struct answer a;
    json_t *all, *rows;

    http_get(&s->api, path, NULL, &a);
    if (a.status != 200)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    all = answer_json(&a);
    answer_done(&a);
    rows = json_incref(json_object_get(all, "rows"));
    json_decref(all);
    return rows;
}

static json_t *readings_of(struct site *s, int meter)
{
    char path[160];

    snprintf(
        path, sizeof path,
        "/v1/meters/M%02d/readings?from=2026-03-01T00:00:00Z&to=2026-03-11T00:00:00Z&limit=10000",
        meter);
    return get_rows(s, path);
}

static size_t count_readings(struct site *s)
{
    size_t all = 0;

    for (int meter = 1; meter <= METERS; meter++) {
        json_t *rows = readings_of(s, meter);

        all += json_array_size(rows);
        json_decref(rows);
    }
    return all;
}

/* Readings 0 to count − 1, each once, with its value. */
static void assert_readings(struct site *s, int count)
{
    int64_t until = now_ms() + WAIT_MS;

    while (count_readings(s) < (size_t)count) {
        if (now_ms() > until)
            fail_msg("%zu readings, expected %d", count_readings(s), count);
        poll(NULL, 0, 20);
    }
    for (int meter = 1; meter <= METERS; meter++) {
        json_t *rows = readings_of(s, meter);
        int n = meter - 1;

        for (size_t i = 0; i < json_array_size(rows); i++, n += METERS) {
            json_t *row = json_array_get(rows, i);
            char time[24];

            report_time(at_of(n), time);
            assert_string_equal(json_string_value(json_object_get(row, "time")), time);
            assert_int_equal(json_number_value(json_object_get(row, "index_l")), 1000 + n);
        }
        assert_int_equal(n - (meter - 1), (count - meter + METERS) / METERS * METERS);
        json_decref(rows);
    }
}

static void settle(struct site *s)
{
    struct answer a;

    http_post(&s->api, "/v1/settle", NULL, "{}", &a);
    assert_int_equal(a.status, 200);
    answer_done(&a);
}

/* ---- claims ----------------------------------------------------------------------------------- */

static void what_is_published_is_read(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    for (int n = 0; n < 200; n++)
        publish_reading(&p, n);
    assert_readings(&s, 200);
    settle(&s);
    assert_readings(&s, 200);
    assert_int_equal(metric(&s, STORED), 200);
    assert_int_equal(metric(&s, "\nnilo_lorawan_frames_missed_total "), 0);
    publisher_close(&p);
    site_close(&s);
}

/* The Things Stack; a frame of the MAC layer alone; a log; a topic with something of the operator's before it. */
static void each_event_is_what_its_members_say(void **state)
{
    static const char mac[] = "{\"end_device_ids\":{\"dev_eui\":\"0000000000000002\"},\"received_"
                              "at\":\"2026-03-09T23:00:00Z\","
                              "\"uplink_message\":{\"f_cnt\":3,\"frm_payload\":\"VfI=\",\"rx_"
                              "metadata\":[{\"rssi\":-48,\"snr\":10.2}]}}";
    static const char log[] = "{\"time\":\"2026-03-09T23:00:00Z\",\"deviceInfo\":{\"devEui\":"
                              "\"0000000000000003\"},\"level\":\"ERROR\","
                              "\"code\":\"UPLINK_F_CNT_RETRANSMISSION\",\"description\":\"x\"}";
    struct site s = { .broker = { 0 } };
    struct publisher p;
    char body[1024];
    struct answer a;
    json_t *rows;

    (void)state;
    s.nilod.extra[2] = "--mqtt-topic";
    s.nilod.extra[3] = "#";
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    publish(&p, "v3/app@tenant/devices/m-2/up", mac);
    publish(&p, "application/app/device/0000000000000003/event/log", log);
    put_event(body, sizeof body, 1, 0, at_of(0), 1000);
    publish(&p, "city/eu868/application/app/device/0000000000000001/event/up", body);
    await_metric(&s, STORED, 2);
    await_metric(&s, ASIDE, 1);
    rows = readings_of(&s, 1);
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
    settle(&s);
    http_get(&s.api, "/v1/meters/M02", NULL, &a);
    if (!strstr(a.body, "\"rsrp_dbm\":-48,\"snr_db\":10"))
        fail_msg("%s", a.body);
    answer_done(&a);
    http_get(&s.api, "/v1/meters/M03", NULL, &a);
    assert_null(strstr(a.body, "last_seen_at\":\"2"));
    answer_done(&a);
    rows = get_rows(&s, "/v1/quarantine");
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    publisher_close(&p);
    site_close(&s);
}

static void what_is_malformed_holds_up_nothing(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;
    char large[70000];
    json_t *rows;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    publish(&p, "application/app/device/0000000000000001/event/up", "{\"deviceInfo\":");
    publish(&p, "application/app/device/0000000000000001/event/up", "");
    publish(&p, "application/app/device/0000000000000002/event/up",
            "{\"deviceInfo\":{\"devEui\":\"0000000000000001\"},\"fPort\":2,\"data\":\"AQ==\"}");
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = 0;
    publish(&p, "application/app/device/0000000000000001/event/up", large);
    for (int n = 0; n < METERS; n++)
        publish_reading(&p, n);
    assert_readings(&s, METERS);
    assert_int_equal(metric(&s, REFUSED), 4);
    settle(&s);
    rows = get_rows(&s, "/v1/rejects");
    assert_int_equal(json_array_size(rows),
                     2); /* nothing, and what is too large, are counted alone */
    json_decref(rows);
    nilod_die(&s); /* they were acknowledged: they do not come again */
    nilod_up(&s);
    await_metric(&s, CONNECTED, 1);
    publish_reading(&p, METERS);
    await_metric(&s, STORED, 1);
    assert_int_equal(metric(&s, REFUSED), 0);
    publisher_close(&p);
    site_close(&s);
}

static void a_broker_that_restarts_loses_and_doubles_nothing(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    for (int n = 0; n < 100; n++)
        publish_reading(&p, n);
    await(&p.acknowledged, 100);
    publisher_close(&p);
    broker_stop(&s.broker);
    broker_start(&s.broker);
    publisher_open(&p, s.broker.port);
    for (int n = 100; n < 200; n++)
        publish_reading(&p, n);
    assert_readings(&s, 200);
    assert_true(metric(&s, "\nnilo_mqtt_connections_total{outcome=\"made\"} ") >= 2);
    /* What comes while nobody is there waits at the broker. */
    client_close(&s.api);
    nilod_stop(&s.nilod);
    for (int n = 200; n < 300; n++)
        publish_reading(&p, n);
    await(&p.acknowledged, 200);
    nilod_up(&s);
    assert_readings(&s, 300);
    publisher_close(&p);
    site_close(&s);
}

#define KILLS 6
#define STORM 500 /* messages before each */

static void a_kill_amid_messages_loses_and_doubles_nothing(void **state)
{
    struct check_random random = check_random_begin();
    struct site s = { .broker = { 0 } };
    struct publisher p;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    for (int kills = 0; kills < KILLS; kills++) {
        for (int n = 0; n < STORM; n++)
            publish_reading(&p, kills * STORM + n);
        await_metric(&s, STORED, (long)check_between(&random, 1, STORM * 3 / 4));
        nilod_die(&s);
        nilod_up(&s);
    }
    assert_readings(&s, KILLS * STORM);
    settle(&s);
    assert_readings(&s, KILLS * STORM);
    publisher_close(&p);
    site_close(&s);
}

/* The quarantine has room for one frame: the second is not acknowledged, and comes again once there is room. */
static void what_has_no_room_comes_again(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;
    char body[1024];
    int64_t until = now_ms() + WAIT_MS;
    json_t *rows;
    size_t count = 0;

    (void)state;
    s.nilod.extra[2] = "--quarantine-frames";
    s.nilod.extra[3] = "1";
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    for (int stranger = 0x101; stranger <= 0x102; stranger++) {
        char topic[128];

        snprintf(topic, sizeof topic, "application/app/device/%016x/event/up", stranger);
        put_event(body, sizeof body, stranger, 1, at_of(1), 5);
        publish(&p, topic, body);
    }
    await_metric(&s, NO_ROOM, 1);
    client_close(&s.api);
    nilod_stop(&s.nilod);
    s.nilod.extra[3] = "1000";
    nilod_up(&s);
    while (count < 2) {
        settle(&s);
        rows = get_rows(&s, "/v1/quarantine");
        count = json_array_size(rows);
        json_decref(rows);
        if (now_ms() > until)
            fail_msg("%zu frames wait, expected 2", count);
    }
    publisher_close(&p);
    site_close(&s);
}

/* The kernel cuts nilod's writes short, as a full disk does. */
static void limit_files(const struct nilod *n, rlim_t bytes)
{
    struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

    assert_int_equal(prlimit(n->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void on_a_full_disk_nothing_is_acknowledged(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    limit_files(&s.nilod, 4096);
    for (int n = 0; n < 100; n++)
        publish_reading(&p, n);
    /* How many come in one reading is the broker's, one at least: so three tell that they are tried again. */
    await_metric(&s, NO_ROOM, 3);
    assert_int_equal(count_readings(&s), 0);
    assert_int_equal(metric(&s, STORED), 0);
    limit_files(&s.nilod, RLIM_INFINITY);
    assert_readings(&s, 100);
    publisher_close(&p);
    site_close(&s);
}

/* ---- downlinks --------------------------------------------------------------------------------- */

static void subscribe(struct publisher *p, const char *topic)
{
    int64_t until = now_ms() + WAIT_MS;

    p->subscribed = false;
    assert_int_equal(mosquitto_subscribe(p->client, NULL, topic, 1), 0);
    while (!p->subscribed) {
        assert_true(now_ms() < until);
        poll(NULL, 0, 5);
    }
}

static void command(struct site *s, const char *meter)
{
    char path[80];
    struct answer a;

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    http_post(&s->api, path, NULL, "{\"what\":\"report_every\",\"report_every_s\":3600}", &a);
    if (a.status != 201)
        fail_msg("%d %s", a.status, a.body);
    answer_done(&a);
}

static void await_state(struct site *s, const char *meter, const char *state)
{
    int64_t until = now_ms() + WAIT_MS;
    char path[80], found[20] = "";

    snprintf(path, sizeof path, "/v1/meters/%s/commands", meter);
    while (strcmp(found, state) != 0) {
        json_t *rows = get_rows(s, path);

        snprintf(found, sizeof found, "%s",
                 json_string_value(json_object_get(json_array_get(rows, 0), "state")));
        json_decref(rows);
        if (now_ms() > until)
            fail_msg("the command is %s, expected %s", found, state);
    }
}

/* The native message of one command: Commands.commands[0].report_every_s is 3600. */
static void assert_payload(json_t *base64)
{
    static const uint8_t every[] = { 0x20, 0x90, 0x1c };
    uint8_t bytes[200];
    size_t len;

    assert_ok(base64_read(span_text(json_string_value(base64)), bytes, sizeof bytes, &len));
    assert_non_null(memmem(bytes, len, every, sizeof every));
}

static void a_command_goes_down_behind_an_uplink(void **state)
{
    struct site s = { .broker = { 0 } };
    struct publisher p;
    char body[1024];
    json_t *sent;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    subscribe(&p, "application/+/device/+/command/down");
    subscribe(&p, "v3/+/devices/+/down/push");
    command(&s, "M01");
    await_state(&s, "M01", "queued");
    publish_reading(&p, 0);
    await(&p.received, 1);
    assert_string_equal(p.topic, "application/app/device/0000000000000001/command/down");
    sent = json_loads(p.body, 0, NULL);
    assert_non_null(sent);
    assert_string_equal(json_string_value(json_object_get(sent, "devEui")), "0000000000000001");
    assert_int_equal(json_integer_value(json_object_get(sent, "fPort")), 2);
    assert_true(json_is_true(json_object_get(sent, "confirmed")));
    assert_string_equal(json_string_value(json_object_get(sent, "expiresAt")),
                        "2026-03-17T00:00:00Z");
    assert_payload(json_object_get(sent, "data"));
    await_state(&s, "M01", "sent");
    publish_reading(&p, METERS); /* while it is under way it is not sent again */
    await_metric(&s, STORED, 2);
    snprintf(body, sizeof body,
             "{\"deviceInfo\":{\"devEui\":\"0000000000000001\"},\"level\":\"ERROR\",\"code\":"
             "\"DOWNLINK_GATEWAY\",\"description\":\"x\",\"context\":{\"queue_item_id\":\"%s\"}}",
             json_string_value(json_object_get(sent, "id")));
    publish(&p, "application/app/device/0000000000000001/event/log", body);
    await_metric(&s, ASIDE, 1);
    assert_int_equal(p.received, 1);
    publish_reading(&p, 2 * METERS); /* it was discarded on its way: it goes again */
    await(&p.received, 2);
    snprintf(body, sizeof body,
             "{\"deviceInfo\":{\"devEui\":\"0000000000000001\"},\"queueItemId\":\"%s\","
             "\"acknowledged\":true}",
             json_string_value(json_object_get(sent, "id")));
    json_decref(sent);
    publish(&p, "application/app/device/0000000000000001/event/ack", body);
    await_state(&s, "M01", "delivered");
    assert_int_equal(p.received, 2);
    publisher_close(&p);
    site_close(&s);
}

static void the_things_stack_gets_its_own_form(void **state)
{
    static const char form[] = "{\"end_device_ids\":{\"dev_eui\":\"0000000000000002\",\"device_"
                               "id\":\"m-2\",\"application_ids\":{\"application_id\":\"app\"}},"
                               "\"received_at\":\"2026-03-09T23:00:00Z\",\"uplink_message\":{\"f_"
                               "cnt\":%d,\"f_port\":5,\"frm_payload\":\"%s\"}}";
    struct site s = { .broker = { 0 } };
    struct publisher p;
    char body[1024];
    json_t *sent, *first;

    (void)state;
    site_open(&s, "mqtt");
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, s.broker.port);
    subscribe(&p, "v3/+/devices/+/down/push");
    command(&s, "M02");
    snprintf(body, sizeof body, form, 1, "IgQYDiUA"); /* refused: its series is cut */
    publish(&p, "v3/app@tenant/devices/m-2/up", body);
    await_metric(&s, REFUSED, 1);
    snprintf(body, sizeof body, form, 2, "IgIYDg==");
    publish(&p, "v3/app@tenant/devices/m-2/up", body);
    await(&p.received, 1);
    assert_string_equal(p.topic, "v3/app@tenant/devices/m-2/down/push");
    sent = json_loads(p.body, 0, NULL);
    first = json_array_get(json_object_get(sent, "downlinks"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "f_port")), 5);
    assert_payload(json_object_get(first, "frm_payload"));
    snprintf(body, sizeof body,
             "{\"end_device_ids\":{\"dev_eui\":\"0000000000000002\"},\"downlink_ack\":{"
             "\"correlation_ids\":[\"as:downlink\",\"%s\"]}}",
             json_string_value(json_array_get(json_object_get(first, "correlation_ids"), 0)));
    json_decref(sent);
    publish(&p, "v3/app@tenant/devices/m-2/down/ack", body);
    await_state(&s, "M02", "delivered");
    publisher_close(&p);
    site_close(&s);
}

/* ---- TLS and passwords ------------------------------------------------------------------------ */

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* An authority and the broker's certificate, in `folder`. */
static void make_certificates(const char *folder)
{
    char command[3000];

    snprintf(command, sizeof command,
             "cd %s && for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:P-256 -nodes -keyout $ca.key "
             "-out $ca.crt -days 30 -subj /CN=test-$ca 2>/dev/null || exit 1; done; "
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key "
             "-out server.csr -subj /CN=broker 2>/dev/null && "
             "printf 'subjectAltName=IP:127.0.0.1\\n' > ext && "
             "openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 "
             "-extfile ext -out server.crt 2>/dev/null && "
             "chmod 644 *.key",
             folder);
    run(command);
}

static bool log_says(const struct nilod *n, const char *what)
{
    struct span text = check_read(n->log);
    bool says = strstr((const char *)text.at, what) != NULL;

    free((void *)text.at);
    return says;
}

static void await_log(const struct nilod *n, const char *what)
{
    int64_t until = now_ms() + WAIT_MS;

    while (!log_says(n, what)) {
        if (now_ms() > until)
            fail_msg("the log does not say: %s", what);
        poll(NULL, 0, 20);
    }
}

static void over_tls_the_broker_must_prove_itself(void **state)
{
    static char more[2048], ca[600], other[600];
    struct site s = { .broker = { .port = 0 } };
    struct publisher p;
    int plain = free_port();

    (void)state;
    snprintf(s.broker.folder, sizeof s.broker.folder, "%s", check_folder());
    make_certificates(s.broker.folder);
    snprintf(more, sizeof more,
             "cafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile %s/server.key\nlistener %d "
             "127.0.0.1\nallow_anonymous true",
             s.broker.folder, s.broker.folder, s.broker.folder, plain);
    snprintf(ca, sizeof ca, "%s/ca.crt", s.broker.folder);
    snprintf(other, sizeof other, "%s/other.crt", s.broker.folder);
    s.broker.more = more;
    s.nilod.extra[2] = "--mqtt-ca";
    s.nilod.extra[3] = other;
    site_open(&s, "mqtts");
    await_log(&s.nilod,
              "nilod: mqtt 127.0.0.1:"); /* as the handshake goes: it breaks, or cannot be made */
    assert_int_equal(metric(&s, CONNECTED), 0);
    client_close(&s.api);
    nilod_stop(&s.nilod);
    s.nilod.extra[3] = ca;
    nilod_up(&s);
    await_metric(&s, CONNECTED, 1);
    publisher_open(&p, plain);
    for (int n = 0; n < 300; n++)
        publish_reading(&p, n);
    assert_readings(&s, 300);
    publisher_close(&p);
    site_close(&s);
}

static void a_password_comes_from_a_file(void **state)
{
    static char more[1024], password[600], wrong[600], url[128];
    struct site s = { .broker = { .port = 0 } };
    char command[1500];

    (void)state;
    snprintf(s.broker.folder, sizeof s.broker.folder, "%s", check_folder());
    snprintf(password, sizeof password, "%s/password", s.broker.folder);
    snprintf(wrong, sizeof wrong, "%s/wrong", s.broker.folder);
    check_write(password, span_text("wa:ter@ 7\n"));
    check_write(wrong, span_text("milk\n"));
    if (access("/usr/bin/mosquitto_passwd", X_OK)) {
        print_message("no mosquitto_passwd: apt-get install mosquitto\n");
        skip();
    }
    snprintf(command, sizeof command,
             "mosquitto_passwd -c -b %s/users nilo 'wa:ter@ 7' && chmod 644 %s/users",
             s.broker.folder, s.broker.folder);
    run(command);
    snprintf(more, sizeof more, "allow_anonymous false\npassword_file %s/users", s.broker.folder);
    s.broker.more = more;
    s.nilod.extra[2] = "--mqtt-password-file";
    s.nilod.extra[3] = wrong;
    site_open(&s, "mqtt");
    client_close(&s.api);
    nilod_stop(&s.nilod);
    snprintf(url, sizeof url, "mqtt://nilo@127.0.0.1:%d", s.broker.port);
    s.nilod.extra[1] = url;
    nilod_up(&s);
    await_log(&s.nilod, "turns us away");
    assert_int_equal(metric(&s, CONNECTED), 0);
    client_close(&s.api);
    nilod_stop(&s.nilod);
    s.nilod.extra[3] = password;
    nilod_up(&s);
    await_metric(&s, CONNECTED, 1);
    client_close(&s.api);
    nilod_stop(&s.nilod);
    s.nilod.extra[2] = NULL;
    snprintf(url, sizeof url, "mqtt://nilo:wa%%3ater%%40%%207@127.0.0.1:%d", s.broker.port);
    nilod_up(&s);
    await_metric(&s, CONNECTED, 1);
    site_close(&s);
}

static void a_wrong_address_is_refused_at_the_start(void **state)
{
    static const char *const wrong[] = { "http://host",       "mqtt://",     "mqtt://host:0",
                                         "mqtt://host:99999", "mqtt://a b",  "mqtt://%zz@host",
                                         "mqtt://[::1",       "mqtt://host:" };
    char said[400], store[600];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(store, sizeof store, "%s/store", check_folder());
        assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--coap", "127.0.0.1:0",
                                   "--coaps", "off", "--http", "127.0.0.1:0", "--mqtt", wrong[i]),
                         2);
        if (!strstr(said, "mqtt://host:1883"))
            fail_msg("%s: %s", wrong[i], said);
    }
    snprintf(store, sizeof store, "%s/store", check_folder());
    assert_int_equal(nilod_run(said, sizeof said, "--store", store, "--coap", "127.0.0.1:0",
                               "--coaps", "off", "--http", "127.0.0.1:0", "--mqtt",
                               "mqtt://127.0.0.1:1", "--mqtt-topic", "a/#/b"),
                     2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_is_read),
        cmocka_unit_test(each_event_is_what_its_members_say),
        cmocka_unit_test(what_is_malformed_holds_up_nothing),
        cmocka_unit_test(a_broker_that_restarts_loses_and_doubles_nothing),
        cmocka_unit_test(a_kill_amid_messages_loses_and_doubles_nothing),
        cmocka_unit_test(what_has_no_room_comes_again),
        cmocka_unit_test(on_a_full_disk_nothing_is_acknowledged),
        cmocka_unit_test(a_command_goes_down_behind_an_uplink),
        cmocka_unit_test(the_things_stack_gets_its_own_form),
        cmocka_unit_test(over_tls_the_broker_must_prove_itself),
        cmocka_unit_test(a_password_comes_from_a_file),
        cmocka_unit_test(a_wrong_address_is_refused_at_the_start),
    };
    int failed;

    mosquitto_lib_init();
    failed = check_run(tests, argc, argv);
    mosquitto_lib_cleanup();
    return failed;
}
