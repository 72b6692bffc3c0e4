/* One thread a broker.  libmosquitto writes the acknowledgement of a message before it shows the message, unless it is told that other
 * threads use it too (mosquitto_threaded_set): then what is to be sent is only queued, until somebody calls
 * mosquitto_loop_write.  So a round goes:
 *
 *   read      mosquitto_loop_read until the socket is empty or the round is large; messages are copied
 *   commit    uplink_take: one batch, durable when it returns
 *   write     mosquitto_loop_write: the acknowledgements, and downlinks
 *
 * Where the commit fails, nothing is written: the socket is shut down, and what was queued is dropped with the connection
 * (mosquitto_connect_async begins with empty queues).  The broker, whose session for us lasts, sends all of it again. */
#include "server/gateway/mqtt.h"

#include "proto/base/base64.h"
#include "proto/base/crc.h"
#include "proto/base/text.h"
#include "proto/lorawan.h"
#include "server/gateway/mqtt_url.h"
#include "server/metrics.h"
#include "server/uplink.h"

#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BROKERS 16
#define KEEPALIVE_S 60
#define CONNECT_MS 20000   /* until the broker's answer to CONNECT */
#define PAUSE_MOST_S 60    /* between attempts; the first is after 1 s */
#define ROUND_MESSAGES 512 /* a round's end; a broker has fewer under way unless told otherwise */
#define ROUND_BYTES (1 << 20)
#define TOPIC_MOST 1024
#define BUSY_MS 20 /* while a connection is being made */
#define IDLE_MS 1000

/* A message of the round; places count in the round's bytes, which move while they grow. */
struct message {
    size_t topic, topic_len, payload, payload_len;
};

struct round {
    struct message at[ROUND_MESSAGES];
    struct push pushes[ROUND_MESSAGES];
    unsigned count;
    uint8_t *bytes;
    size_t len, cap;
    bool failed; /* a message could not be copied */
};

struct broker {
    struct mqtt *owner;
    struct mqtt_url url;
    struct mosquitto *client;
    pthread_t thread;
    bool running;
    bool connected;  /* the broker accepted us */
    bool hearing;    /* and what we asked to hear */
    size_t answered; /* of our subscriptions */
    bool lost;       /* the connection is of no more use */
    bool silent;     /* its trouble was told already */
    bool starved;    /* the last round was not kept: to connect is no cure */
    unsigned pause_s;
    struct round round;
};

struct mqtt {
    struct app *app;
    struct broker *brokers[BROKERS];
    size_t count;
    char *topics[MQTT_TOPICS];
    size_t topic_count;
    int wake; /* eventfd: the end */
    _Atomic bool stopping;
};

static const char *const default_topics[] = {
    "application/+/device/+/event/+", "v3/+/devices/+/up",        "v3/+/devices/+/join",
    "v3/+/devices/+/down/ack",        "v3/+/devices/+/down/nack", "v3/+/devices/+/down/failed",
};

/* One line for each change of fortune. */
static void say(const struct broker *b, const char *what, const char *why)
{
    fprintf(stderr, "nilod: mqtt %.200s:%d: %s%s%.200s\n", b->url.host, b->url.port, what,
            *why ? ": " : "", why);
}

static void say_trouble(struct broker *b, const char *what, const char *why)
{
    if (!b->silent)
        say(b, what, why);
    b->silent = true;
}

/* ---- what libmosquitto tells ---- */

static void on_connect(struct mosquitto *client, void *arg, int code)
{
    struct broker *b = (struct broker *)arg;

    if (code) {
        say_trouble(b, "the broker turns us away", mosquitto_connack_string(code));
        b->lost = true;
        return;
    }
    b->connected = true;
    b->answered = 0;
    for (size_t i = 0; i < b->owner->topic_count; i++)
        if (mosquitto_subscribe(client, NULL, b->owner->topics[i], 1))
            b->lost = true;
}

static void on_subscribe(struct mosquitto *client, void *arg, int mid, int count,
                         const int *granted)
{
    struct broker *b = (struct broker *)arg;

    (void)client;
    (void)mid;
    for (int i = 0; i < count; i++)
        if (granted[i] != 1)
            say(b,
                granted[i] == 0 ? "a subscription has QoS 0: what is under way in a crash is lost"
                                : "a subscription was refused; see the broker's access rules",
                "");
    if (++b->answered < b->owner->topic_count)
        return;
    b->hearing = true;
    metrics_add(METRIC_MQTT_CONNECTS, 1);
    metrics_add(METRIC_MQTT_CONNECTED, 1);
    if (b->starved)
        return;
    say(b, "connected", "");
    b->silent = false;
    b->pause_s = 1;
}

static bool round_room(struct round *round, size_t more)
{
    size_t cap = round->cap ? round->cap : 65536;
    uint8_t *bytes;

    while (cap < round->len + more)
        cap *= 2;
    if (cap == round->cap)
        return true;
    if (!(bytes = (uint8_t *)realloc(round->bytes, cap)))
        return false;
    round->bytes = bytes;
    round->cap = cap;
    return true;
}

static size_t round_put(struct round *round, const void *at, size_t len)
{
    size_t place = round->len;

    if (len)
        memcpy(round->bytes + place, at, len);
    round->len += len;
    return place;
}

static void on_message(struct mosquitto *client, void *arg, const struct mosquitto_message *in)
{
    struct round *round = &((struct broker *)arg)->round;
    struct message *m = &round->at[round->count];
    size_t topic_len = strnlen(in->topic, TOPIC_MOST), len = (size_t)in->payloadlen;

    (void)client;
    if (round->count == ROUND_MESSAGES || !round_room(round, topic_len + LIMIT_PAYLOAD_BLOCK + 1)) {
        round->failed = true;
        return;
    }
    m->topic_len = topic_len;
    m->payload_len = len > LIMIT_PAYLOAD_BLOCK ? LIMIT_PAYLOAD_BLOCK + 1 : len; /* it is refused */
    m->topic = round_put(round, in->topic, topic_len);
    m->payload = round_put(round, in->payload, m->payload_len);
    round->count++;
}

/* ---- topics ---- */

/* The nth part from the end, from 0; empty beyond the beginning. */
static struct span part(struct span topic, unsigned n)
{
    size_t end = topic.len;

    for (size_t i = topic.len; i-- > 0;) {
        if (topic.at[i] != '/')
            continue;
        if (n-- == 0)
            return span_of(topic.at + i + 1, end - i - 1);
        end = i;
    }
    return n == 0 ? span_of(topic.at, end) : span_of(NULL, 0);
}

static bool is(struct span part_of_topic, const char *word)
{
    return span_equal(part_of_topic, span_text(word));
}

static void lower(uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            at[i] |= 0x20;
}

/* …/device/EUI/event/KIND is ChirpStack's, …/devices/ID/KIND The Things Stack's; whatever stands before them is the operator's. */
static void read_topic(struct round *round, const struct message *m, struct push *p)
{
    struct span topic = span_of(round->bytes + m->topic, m->topic_len);

    p->dialect = &dialect_chirpstack;
    if (is(part(topic, 1), "event") && is(part(topic, 3), "device")) {
        struct span eui = part(topic, 2);

        lower(round->bytes + (eui.at - round->bytes), eui.len);
        p->meter = eui;
        p->event = part(topic, 0);
        p->can_answer = true;
    } else if (is(part(topic, 2), "devices")) {
        p->dialect = &dialect_tts;
        p->event = part(topic, 0);
        p->can_answer = is(p->event, "up");
    } else if (is(part(topic, 3), "devices") ||
               memmem(p->bytes.at, p->bytes.len, "\"end_device_ids\"", 16)) {
        p->dialect = &dialect_tts;
    }
}

/* ---- downlinks ---- */

/* Beside the topic of the uplink, in its place for commands. */
static bool downlink_topic(const struct round *round, const struct message *m,
                           const struct dialect *d, char out[TOPIC_MOST + 32])
{
    struct span topic = span_of(round->bytes + m->topic, m->topic_len);
    struct span cut = part(topic, d == &dialect_tts ? 0 : 1);
    size_t len = (size_t)(cut.at - topic.at);

    if (!cut.len)
        return false;
    memcpy(out, topic.at, len);
    snprintf(out + len, TOPIC_MOST + 32 - len, "%s",
             d == &dialect_tts ? "down/push" : "command/down");
    return true;
}

/* ChirpStack drops it by itself when it has expired, where its version knows how (4.11 does; others pass over the member). */
static void put_chirpstack(struct wr *w, const struct push *p)
{
    const struct downlink *d = &p->downlink;
    char name[DOWNLINK_NAME], expires[TEXT_TIME_SIZE];

    downlink_name(d, true, name);
    wr_format(w, "{\"id\":\"%s\",\"devEui\":\"%.*s\",\"confirmed\":true,\"fPort\":%u,", name,
              (int)p->meter.len, (const char *)p->meter.at, d->port);
    if (d->ticket.expires_s) {
        text_put_time(expires, d->ticket.expires_s);
        wr_format(w, "\"expiresAt\":\"%s\",", expires);
    }
    wr_text(w, "\"data\":\"");
    base64_write(w, span_of(d->bytes, d->len));
    wr_text(w, "\"}");
}

static void put_tts(struct wr *w, const struct push *p)
{
    const struct downlink *d = &p->downlink;
    char name[DOWNLINK_NAME];

    downlink_name(d, false, name);
    wr_format(w,
              "{\"downlinks\":[{\"f_port\":%u,\"confirmed\":true,\"priority\":\"NORMAL\","
              "\"correlation_ids\":[\"%s\"],\"frm_payload\":\"",
              d->port, name);
    base64_write(w, span_of(d->bytes, d->len));
    wr_text(w, "\"}]}");
}

/* Queued behind the acknowledgements; libmosquitto sends it again after a broken connection. */
static void send_downlink(struct broker *b, const struct message *m, const struct push *p)
{
    char topic[TOPIC_MOST + 32], body[512];
    struct wr w = wr_of(body, sizeof body);
    bool sent = p->downlink.len && downlink_topic(&b->round, m, p->dialect, topic);

    if (sent && p->dialect == &dialect_tts)
        put_tts(&w, p);
    else if (sent)
        put_chirpstack(&w, p);
    sent = sent && !w.err &&
           mosquitto_publish(b->client, NULL, topic, (int)wr_len(&w), body, 1, false) ==
               MOSQ_ERR_SUCCESS;
    uplink_sent(b->owner->app->uplink, &p->downlink, sent);
}

/* Several uplinks of one meter in a round ask for the same command: it goes with the first. */
static void send_downlinks(struct broker *b)
{
    struct push *pushes = b->round.pushes;

    for (unsigned i = 0; i < b->round.count; i++) {
        struct downlink *d = &pushes[i].downlink;

        for (unsigned j = 0; j < i && d->len; j++)
            if (pushes[j].downlink.len && pushes[j].downlink.ticket.meter == d->ticket.meter)
                d->len = 0;
        send_downlink(b, &b->round.at[i], &pushes[i]);
    }
}

/* ---- a round ---- */

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

static bool round_full(const struct round *round)
{
    return round->count >= ROUND_MESSAGES / 2 || round->len >= ROUND_BYTES || round->failed;
}

static void lose_if(struct broker *b, int code)
{
    if (code == MOSQ_ERR_SUCCESS)
        return;
    if (!b->owner->stopping)
        say_trouble(b, "the connection broke", mosquitto_strerror(code));
    b->lost = true;
}

/* A call reads a packet or, of what TLS holds already, some; so half of the round's places stay free for these. */
static void read_round(struct broker *b)
{
    struct round *round = &b->round;

    round->count = 0;
    round->len = 0;
    round->failed = false;
    do {
        int code = mosquitto_loop_read(b->client, 1);

        lose_if(b, code);
    } while (!b->lost && !round_full(round) && readable(mosquitto_socket(b->client)));
}

/* False: something was not kept, so nothing may be acknowledged. */
static bool commit_round(struct broker *b)
{
    struct round *round = &b->round;
    int64_t now_s = clock_now_s(&b->owner->app->clock);
    bool kept = !round->failed;

    for (unsigned i = 0; i < round->count; i++) {
        const struct message *m = &round->at[i];
        struct push *p = &round->pushes[i];

        *p = (struct push){ .transport = TRANSPORT_MQTT,
                            .bytes = span_of(round->bytes + m->payload, m->payload_len),
                            .arrival_s = now_s };
        read_topic(round, m, p);
    }
    uplink_take(b->owner->app->uplink, round->pushes, round->count);
    send_downlinks(b);
    for (unsigned i = 0; i < round->count; i++) {
        const struct push *p = &round->pushes[i];

        if (p->err && err_class(p->err) != ERR_CLASS_PEER) {
            say_trouble(b, "nothing is taken for now: the store", err_text(p->err));
            kept = false;
        }
    }
    if (kept && b->starved) {
        say(b, "what comes is taken again", "");
        b->silent = false;
        b->pause_s = 1;
    }
    b->starved = !kept;
    return kept;
}

static void write_out(struct broker *b)
{
    lose_if(b, mosquitto_loop_write(b->client, 1));
    if (!b->lost)
        lose_if(b, mosquitto_loop_misc(b->client));
}

/* ---- a connection ---- */

/* False where it is the end that woke us. */
static bool wait_for(const struct broker *b, int *out_events, int ms)
{
    struct pollfd p[2] = {
        { .fd = b->owner->wake, .events = POLLIN },
        { .fd = mosquitto_socket(b->client),
          .events =
              (short)(POLLIN | (b->connected && mosquitto_want_write(b->client) ? POLLOUT : 0)) }
    };

    (void)poll(p, 2, ms);
    *out_events = p[1].revents;
    return !b->owner->stopping;
}

static void serve(struct broker *b)
{
    int64_t until_ms = clock_monotonic_ms() + CONNECT_MS;
    int events;

    while (!b->lost && wait_for(b, &events, b->connected ? IDLE_MS : BUSY_MS)) {
        if (events & (POLLIN | POLLERR | POLLHUP)) {
            read_round(b);
            if (b->round.count || b->round.failed)
                if (!commit_round(b))
                    return;
        }
        if (!b->lost)
            write_out(b);
        if (!b->connected && clock_monotonic_ms() > until_ms) {
            say_trouble(b, "no answer to CONNECT", "");
            return;
        }
    }
    if (b->owner->stopping && b->connected && !b->lost &&
        mosquitto_disconnect(b->client) == MOSQ_ERR_SUCCESS)
        (void)mosquitto_loop_write(b->client, 1);
}

/* What is queued must not go out: the socket is shut before anything else is asked of it. */
static void drop_connection(struct broker *b)
{
    int fd = mosquitto_socket(b->client);

    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    if (b->hearing) {
        metrics_sub(METRIC_MQTT_CONNECTED, 1);
        metrics_add(METRIC_MQTT_LOST, 1);
    }
    b->connected = b->hearing = false;
}

static void pause_before_next(struct broker *b)
{
    struct pollfd p = { .fd = b->owner->wake, .events = POLLIN };

    (void)poll(&p, 1, (int)b->pause_s * 1000);
    b->pause_s = b->pause_s * 2 < PAUSE_MOST_S ? b->pause_s * 2 : PAUSE_MOST_S;
}

static void *broker_run(void *arg)
{
    struct broker *b = (struct broker *)arg;

    pthread_setname_np(pthread_self(), "mqtt");
    while (!b->owner->stopping) {
        int code = mosquitto_connect_async(b->client, b->url.host, b->url.port, KEEPALIVE_S);

        b->lost = false;
        if (code == MOSQ_ERR_SUCCESS)
            serve(b);
        else
            say_trouble(b, "cannot be reached", mosquitto_strerror(code));
        drop_connection(b);
        if (!b->owner->stopping)
            pause_before_next(b);
    }
    return NULL;
}

/* ---- opening and closing ---- */

/* The first line of a file; false: it cannot be read, or is longer. */
static bool first_line(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    bool fine = f && fgets(out, (int)cap, f);

    if (f)
        fclose(f);
    if (fine)
        out[strcspn(out, "\r\n")] = 0;
    return fine;
}

static enum err find_password(const struct mqtt_options *o, struct mqtt_url *url, struct refusal *r)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];

    if (o->password_file) {
        if (!first_line(o->password_file, url->password, sizeof url->password))
            return refuse(r, ERR_INVALID, 0, "mqtt-password-file", "%.150s: cannot be read",
                          o->password_file);
        url->has_password = true;
    } else if (credentials && !url->has_password) {
        snprintf(path, sizeof path, "%s/mqtt-password", credentials);
        url->has_password = first_line(path, url->password, sizeof url->password);
    }
    return ERR_OK;
}

/* The same after each start, another for each store and each broker. */
static void make_client_id(const struct mqtt *m, const struct mqtt_options *o, size_t n,
                           char out[128])
{
    char host[256] = "", real[4096];
    const char *store = realpath(m->app->store, real) ? real : m->app->store;

    gethostname(host, sizeof host - 1);
    if (o->client_id)
        snprintf(out, 128, n ? "%.100s-%zu" : "%.100s", o->client_id, n);
    else
        snprintf(out, 128, "nilod-%08x-%zu",
                 crc32c(crc32c(0, host, strlen(host)), store, strlen(store)), n);
}

static enum err set_up_tls(struct broker *b, const struct mqtt_options *o, struct refusal *r)
{
    int code;

    if (!o->ca)
        code = mosquitto_int_option(b->client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    else
        code = mosquitto_tls_set(b->client, o->ca, NULL, o->cert, o->key, NULL);
    if (!code && !o->ca && o->cert)
        return refuse(r, ERR_INVALID, 0, "mqtt-ca", "mqtt-cert needs mqtt-ca beside it");
    if (!code)
        code = mosquitto_tls_opts_set(b->client, 1, NULL, NULL); /* 1: the peer must prove itself */
    return code ? refuse(r, ERR_INVALID, 0, "mqtt-ca", "mqtt-ca, mqtt-cert, mqtt-key: %.100s",
                         mosquitto_strerror(code))
                : ERR_OK;
}

static enum err set_up_client(struct broker *b, const struct mqtt_options *o, size_t n,
                              struct refusal *r)
{
    char id[128];
    int code;

    make_client_id(b->owner, o, n, id);
    if (!(b->client = mosquitto_new(id, false, b)))
        return refuse(r, ERR_NO_MEMORY, 0, "mqtt",
                      "mqtt: no memory for a client, or its id %s is none", id);
    mosquitto_threaded_set(b->client, true);
    mosquitto_connect_callback_set(b->client, on_connect);
    mosquitto_subscribe_callback_set(b->client, on_subscribe);
    mosquitto_message_callback_set(b->client, on_message);
    mosquitto_int_option(b->client, MOSQ_OPT_TCP_NODELAY, 1);
    code = b->url.has_user ? mosquitto_username_pw_set(b->client, b->url.user,
                                                       b->url.has_password ? b->url.password : NULL)
                           : MOSQ_ERR_SUCCESS;
    explicit_bzero(b->url.password, sizeof b->url.password);
    if (code)
        return refuse(r, ERR_INVALID, 0, "mqtt", "mqtt: the user's name is none");
    return b->url.tls ? set_up_tls(b, o, r) : ERR_OK;
}

static enum err broker_open(struct mqtt *m, const struct mqtt_options *o, size_t n,
                            struct refusal *r)
{
    struct broker *b = (struct broker *)calloc(1, sizeof *b);
    enum err err;

    if (!b)
        return ERR_NO_MEMORY;
    m->brokers[m->count++] = b;
    b->owner = m;
    b->pause_s = 1;
    if ((err = mqtt_url_read(o->urls[n], &b->url, r)) || (err = find_password(o, &b->url, r)))
        return err;
    return set_up_client(b, o, n, r);
}

static enum err take_topics(struct mqtt *m, const struct mqtt_options *o, struct refusal *r)
{
    const char *const *topics = o->topic_count ? o->topics : default_topics;
    size_t count =
        o->topic_count ? o->topic_count : sizeof default_topics / sizeof default_topics[0];

    for (size_t i = 0; i < count && i < MQTT_TOPICS; i++) {
        if (mosquitto_sub_topic_check(topics[i]) || strlen(topics[i]) >= TOPIC_MOST)
            return refuse(r, ERR_INVALID, 0, "mqtt-topic",
                          "mqtt-topic: found %.80s, expected a topic such as "
                          "application/+/device/+/event/+",
                          topics[i]);
        if (!(m->topics[m->topic_count++] = strdup(topics[i])))
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err start_all(struct mqtt *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (pthread_create(&m->brokers[i]->thread, NULL, broker_run, m->brokers[i]))
            return ERR_NO_MEMORY;
        m->brokers[i]->running = true;
    }
    return ERR_OK;
}

enum err mqtt_open(struct app *app, const struct mqtt_options *o, struct mqtt **out,
                   struct refusal *r)
{
    struct mqtt *m = (struct mqtt *)calloc(1, sizeof *m);
    enum err err;

    if (!m)
        return ERR_NO_MEMORY;
    mosquitto_lib_init();
    m->app = app;
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err = m->wake < 0 ? ERR_IO : take_topics(m, o, r);
    for (size_t i = 0; i < o->url_count && i < BROKERS && !err; i++)
        err = broker_open(m, o, i, r);
    metrics_set(METRIC_MQTT_BROKERS, m->count);
    if (err || (err = start_all(m))) {
        mqtt_close(m);
        return err;
    }
    *out = m;
    return ERR_OK;
}

static void broker_close(struct broker *b)
{
    if (b->running)
        pthread_join(b->thread, NULL);
    mosquitto_destroy(b->client);
    free(b->round.bytes);
    explicit_bzero(&b->url, sizeof b->url);
    free(b);
}

void mqtt_close(struct mqtt *m)
{
    uint64_t one = 1;

    if (!m)
        return;
    m->stopping = true;
    if (m->wake >= 0)
        (void)!write(m->wake, &one, sizeof one);
    for (size_t i = 0; i < m->count; i++)
        broker_close(m->brokers[i]);
    for (size_t i = 0; i < m->topic_count; i++)
        free(m->topics[i]);
    if (m->wake >= 0)
        close(m->wake);
    free(m);
    mosquitto_lib_cleanup();
}
