/* A real nilod under load from all sides, killed with SIGKILL at random instants, again and again
 * on one store.  After each start: whatever was acknowledged is there exactly once, settled or not;
 * what was not is there whole or not at all; the store is sound.
 *
 * ROUNDS says how many kills (default: as many as fit into NILO_SECONDS, 25).  NILO_SEED begins the
 * same choices again; what the kernel does between them it does not. */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_S 1773100800 /* 2026-03-10T00:00:00Z */
#define BASE_S (START_S - 60 * 86400)
#define STEP_S 900
#define SLOTS 5000 /* of a meter, from BASE_S on */

#define SENDERS 3
#define OWNED 5 /* meters of a sender */
#define FLEET ((size_t)SENDERS * OWNED)
#define WINDOW 8
#define READERS 2 /* points that are read by hand */

#define IMPORTS_S (START_S - 400 * 86400)
#define IMPORT_METERS 4
#define IMPORT_SPAN_S 72000 /* of time, for each import */
#define IMPORT_MOST 400

#define STRANGERS_MOST 4000
#define STRANGER_SLOTS 48
#define ACTS_MOST 20000

static struct nilod n;
static char now_text[24];
static int64_t now_s;
static atomic_bool stopping;

/* Said by a thread that saw what must not be; told by the main thread. */
static pthread_mutex_t trouble_lock = PTHREAD_MUTEX_INITIALIZER;
static char trouble[600];

__attribute__((format(printf, 1, 2))) static void say_trouble(const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&trouble_lock);
    va_start(args, format);
    if (!trouble[0])
        vsnprintf(trouble, sizeof trouble, format, args);
    va_end(args);
    pthread_mutex_unlock(&trouble_lock);
}

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* ---- what should be there ---- */

enum { NEVER, TRIED, SURE };

/* Readings that came as one: all of them or none. */
struct unit {
    uint32_t meter, first, count; /* slots */
    bool sure;
};

/* A meter and what was sent of it; written by one thread while the load is on. */
struct meter {
    char serial[24], point[24];
    bool fitted;
    uint32_t front; /* slots below were sent mostly */
    uint8_t slot[SLOTS];
};

static int64_t slot_s(uint32_t slot)
{
    return BASE_S + (int64_t)slot * STEP_S;
}

/* One value for each slot, so that whatever else is listed was invented; rising as water does. */
static int64_t slot_l(uint32_t slot)
{
    return 1000 + (int64_t)slot * 100 + slot % 7;
}

static void mark(struct meter *m, const struct unit *u, uint8_t as)
{
    for (uint32_t s = u->first; s < u->first + u->count; s++)
        if (m->slot[s] < as)
            m->slot[s] = as;
}

/* ---- HTTP without a test to fail ---- */

static bool try_connect(struct client *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)n.http_port) };

    memset(c, 0, sizeof *c);
    snprintf(c->host, sizeof c->host, "%s", n.http_host);
    snprintf(c->token, sizeof c->token, "%s", n.token);
    c->port = n.http_port;
    inet_pton(AF_INET, n.http_host, &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static void keyed(struct client *c, const char *path, const char *key, const char *body,
                  struct answer *a)
{
    char fields[160];

    snprintf(fields, sizeof fields, "Content-Type: application/json\r\nIdempotency-Key: %s\r\n",
             key);
    http_post(c, path, fields, body, a);
}

static void rest(struct check_random *r, unsigned most_ms)
{
    poll(NULL, 0, (int)check_below(r, most_ms + 1));
}

/* ---- meters on the radio ---- */

struct flight {
    bool used;
    uint16_t mid;
    size_t unit, len;
    uint8_t bytes[1200];
};

struct sender {
    pthread_t thread;
    struct check_random random;
    int fd;
    uint16_t mid;
    struct meter *meters; /* OWNED of them */
    struct unit *units;   /* of this round, and those that stayed open in the last */
    size_t count, cap;
    struct flight flights[WINDOW];
    uint64_t acknowledged;
};

static struct meter *fleet; /* SENDERS × OWNED */
static struct sender senders[SENDERS];

static int udp_socket(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)n.coap_port) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, n.coap_host, &to.sin_addr);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to))
        say_trouble("connect: %s", strerror(errno));
    return fd;
}

static size_t unit_new(struct sender *s, struct unit u)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->units = (struct unit *)realloc(s->units, s->cap * sizeof *s->units);
        if (!s->units)
            abort();
    }
    s->units[s->count] = u;
    return s->count++;
}

static size_t report_of(const char *serial, const struct unit *u, uint8_t *out, size_t cap)
{
    int64_t litres[SLOTS];
    struct report r = { .meter = serial,
                        .at = (uint32_t)slot_s(u->first + u->count - 1),
                        .step_s = STEP_S,
                        .litres = litres,
                        .count = u->count };

    for (uint32_t i = 0; i < u->count; i++)
        litres[i] = slot_l(u->first + u->count - 1 - i);
    return report_put(&r, out, cap);
}

/* Mostly what is newest with history that overlaps the last; at times something late. */
static struct unit next_unit(struct sender *s, bool large)
{
    struct check_random *r = &s->random;
    uint32_t which = (uint32_t)check_below(r, OWNED);
    struct meter *m = &s->meters[which];
    uint32_t count = large ? 620 + (uint32_t)check_below(r, 90) : 1 + (uint32_t)check_below(r, 30);
    uint32_t end;

    if (check_below(r, 4) && m->front + 3 < SLOTS)
        m->front += (uint32_t)check_below(r, 3);
    end = check_below(r, 8) ? m->front : count + (uint32_t)check_below(r, m->front - count);
    return (struct unit){ .meter = which, .first = end - count, .count = count };
}

static void flight_send(struct sender *s, const struct flight *f)
{
    if (send(s->fd, f->bytes, f->len, 0) < 0 && errno == EMSGSIZE)
        say_trouble("a datagram of %zu bytes cannot be sent", f->len);
}

static void flight_begin(struct sender *s, struct flight *f)
{
    struct unit u = next_unit(s, false);
    struct meter *m = &s->meters[u.meter];
    uint8_t payload[1100];
    size_t len = report_of(m->serial, &u, payload, sizeof payload);

    f->used = true;
    f->mid = s->mid++;
    f->unit = unit_new(s, u);
    f->len = report_datagram(f->mid, f->mid, payload, len, f->bytes, sizeof f->bytes);
    mark(m, &u, TRIED);
    flight_send(s, f);
    if (check_below(&s->random, 10) == 0)
        flight_send(s, f); /* the network says it twice */
}

static void unit_sure(struct sender *s, size_t unit)
{
    struct unit *u = &s->units[unit];

    if (!u->sure)
        s->acknowledged++;
    u->sure = true;
    mark(&s->meters[u->meter], u, SURE);
}

static void heard_one(struct sender *s, const uint8_t *bytes, size_t len)
{
    uint16_t mid = (uint16_t)(bytes[2] << 8 | bytes[3]);

    if (len < 4)
        return;
    for (size_t i = 0; i < WINDOW; i++) {
        struct flight *f = &s->flights[i];

        if (!f->used || f->mid != mid)
            continue;
        if (bytes[1] == 0x44)
            unit_sure(s, f->unit);
        else
            say_trouble("a report was answered %u.%02u", bytes[1] >> 5, bytes[1] & 31u);
        f->used = false;
    }
}

static void hear(struct sender *s, int wait_ms)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    uint8_t bytes[1500];
    ssize_t len;

    if (poll(&p, 1, wait_ms) <= 0)
        return;
    while ((len = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        heard_one(s, bytes, (size_t)len);
}

/* A body of several blocks, one after the other, on a port of its own. */
static void send_large(struct sender *s)
{
    static _Thread_local struct message m;
    struct unit u = next_unit(s, true);
    struct meter *meter = &s->meters[u.meter];
    uint8_t payload[4000], answer[1500];
    size_t len = report_of(meter->serial, &u, payload, sizeof payload), unit = unit_new(s, u);
    int fd = udp_socket();
    bool whole = true;

    mark(meter, &u, TRIED);
    for (uint32_t num = 0; whole && num * (size_t)512 < len && !stopping; num++) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        bool more = (num + 1) * (size_t)512 < len;

        message_begin(&m, PROBE_CON, PROBE_POST, s->mid++, span_of("K", 1));
        message_path(&m, "r");
        message_block(&m, PROBE_BLOCK1, num, more, 5);
        message_payload(&m,
                        span_of(payload + num * (size_t)512, more ? 512 : len - num * (size_t)512));
        whole = send(fd, m.bytes, m.len, 0) > 0 && poll(&p, 1, 500) > 0 &&
                recv(fd, answer, sizeof answer, 0) >= 4 && answer[1] == (more ? 0x5f : 0x44);
        if (whole && !more)
            unit_sure(s, unit);
    }
    close(fd);
}

static void *sender_run(void *arg)
{
    struct sender *s = (struct sender *)arg;

    for (size_t i = 0; i < WINDOW; i++) /* left without an answer by the kill before */
        if (s->flights[i].used)
            flight_send(s, &s->flights[i]);
    while (!stopping) {
        for (size_t i = 0; i < WINDOW; i++) {
            struct flight *f = &s->flights[i];

            if (!f->used)
                flight_begin(s, f);
            else if (check_below(&s->random, 40) == 0)
                flight_send(s, f);
        }
        if (check_below(&s->random, 12) == 0)
            send_large(s);
        hear(s, 20);
    }
    hear(s, 0); /* what the server sent before it died */
    return NULL;
}

/* ---- meters that nobody registered yet ---- */

struct act {
    char key[24], path[24], body[200];
    int status; /* 0: not answered */
    char *answer;
};

struct stranger {
    struct meter meter; /* only STRANGER_SLOTS of its slots are used */
    struct unit units[STRANGER_SLOTS];
    size_t count;
    bool registered;
};

static struct stranger *strangers[STRANGERS_MOST];
static size_t stranger_count;
static struct act *acts;
static atomic_size_t act_count;

/* Of both threads that act. */
static struct act *act_new(const char *path)
{
    size_t which = atomic_fetch_add(&act_count, 1);
    struct act *a = &acts[which];

    memset(a, 0, sizeof *a);
    snprintf(a->key, sizeof a->key, "key-%zu", which);
    snprintf(a->path, sizeof a->path, "%s", path);
    return a;
}

/* Its answer, if there is one, must come again for ever. */
static bool act_ask(struct client *c, struct act *act)
{
    struct answer a;
    bool answered;

    keyed(c, act->path, act->key, act->body, &a);
    answered = a.whole && a.status / 100 == 2;
    if (a.whole && a.status / 100 != 2)
        say_trouble("POST %s %s: %d %s", act->path, act->body, a.status, a.body);
    if (answered) {
        act->status = a.status;
        act->answer = strdup(a.body);
    }
    answer_done(&a);
    return answered;
}

static struct stranger *stranger_new(void)
{
    struct stranger *s = (struct stranger *)calloc(1, sizeof *s);

    if (!s)
        abort();
    snprintf(s->meter.serial, sizeof s->meter.serial, "STRANGE-%zu", stranger_count);
    strangers[stranger_count++] = s;
    return s;
}

static void stranger_send(struct stranger *s, int fd, uint16_t mid)
{
    struct unit *u = &s->units[s->count];
    uint8_t payload[300], bytes[400];
    size_t len;

    *u = (struct unit){ .first = (uint32_t)s->count * 3, .count = 4 };
    s->count++;
    mark(&s->meter, u, TRIED);
    len = report_of(s->meter.serial, u, payload, sizeof payload);
    len = report_datagram(mid, mid, payload, len, bytes, sizeof bytes);
    if (send(fd, bytes, len, 0) < 0 && errno != ECONNREFUSED)
        say_trouble("send: %s", strerror(errno));
}

static void stranger_hear(struct stranger *s, int fd, uint16_t first_mid, size_t wanted)
{
    uint8_t bytes[200];
    struct pollfd p = { .fd = fd, .events = POLLIN };

    while (wanted && poll(&p, 1, stopping ? 0 : 50) > 0) {
        ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        size_t which = (uint16_t)((bytes[2] << 8 | bytes[3]) - first_mid);

        if (len < 4)
            return;
        if (which >= s->count)
            continue;
        if (bytes[1] != 0x44)
            say_trouble("a stranger's report was answered %u.%02u", bytes[1] >> 5, bytes[1] & 31u);
        s->units[which].sure = true;
        mark(&s->meter, &s->units[which], SURE);
        wanted--;
    }
}

static void stranger_register(struct client *c, struct stranger *s)
{
    struct act *a = act_new("/v1/meters");

    snprintf(a->body, sizeof a->body, "{\"serial\":\"%s\",\"dn\":15,\"q3\":2.5}", s->meter.serial);
    s->registered = act_ask(c, a);
}

/* Frames before, while, and after it is registered. */
static void *stranger_run(void *arg)
{
    struct check_random *r = (struct check_random *)arg;
    struct client c;

    if (!try_connect(&c))
        stopping = true;
    while (!stopping && stranger_count < STRANGERS_MOST && act_count < ACTS_MOST - 10) {
        struct stranger *s = stranger_new();
        uint16_t mid = (uint16_t)check_random(r);
        size_t before = check_below(r, 5), during = check_below(r, 6);
        int fd = udp_socket();

        for (size_t i = 0; i < before; i++)
            stranger_send(s, fd, (uint16_t)(mid + s->count));
        stranger_hear(s, fd, mid, before);
        for (size_t i = 0; i < during; i++)
            stranger_send(s, fd, (uint16_t)(mid + s->count));
        stranger_register(&c, s);
        stranger_hear(s, fd, mid, during);
        close(fd);
        rest(r, 20);
    }
    client_close(&c);
    return NULL;
}

/* ---- people ---- */

static struct meter *by_hand; /* READERS of them */

/* Of all acts the one that would happen twice if it were judged anew. */
static void *token_run(void *arg)
{
    struct check_random *r = (struct check_random *)arg;
    struct client c;

    if (!try_connect(&c))
        stopping = true;
    while (!stopping && act_count < ACTS_MOST - 10) {
        struct act *a = act_new("/v1/tokens");

        snprintf(a->body, sizeof a->body, "{\"name\":\"%s\",\"role\":\"viewer\"}", a->key);
        (void)act_ask(&c, a);
        rest(r, 8);
    }
    client_close(&c);
    return NULL;
}

static void *hand_run(void *arg)
{
    struct check_random *r = (struct check_random *)arg;
    struct client c;

    if (!try_connect(&c))
        stopping = true;
    while (!stopping && act_count < ACTS_MOST - 10) {
        struct meter *m = &by_hand[check_below(r, READERS)];
        struct unit u = { .first = m->front++, .count = 1 };
        struct act *a = act_new("/v1/reads");
        char at[24];

        report_time(slot_s(u.first), at);
        snprintf(a->body, sizeof a->body, "{\"point\":\"%s\",\"at\":\"%s\",\"index_l\":%lld}",
                 m->point, at, (long long)slot_l(u.first));
        mark(m, &u, TRIED);
        if (act_ask(&c, a))
            mark(m, &u, SURE);
        rest(r, 10);
    }
    client_close(&c);
    return NULL;
}

static void *settle_run(void *arg)
{
    struct check_random *r = (struct check_random *)arg;
    struct client c;

    if (!try_connect(&c))
        stopping = true;
    while (!stopping) {
        struct answer a;

        rest(r, 60);
        http_post(&c, check_below(r, 5) ? "/v1/settle" : "/v1/quarantine/retry",
                  "Content-Type: application/json\r\n", "{}", &a);
        if (a.whole && a.status != 200 && a.status != 503)
            say_trouble("settle: %d %s", a.status, a.body);
        answer_done(&a);
        if (!a.whole && client_is_closed(&c))
            break;
    }
    client_close(&c);
    return NULL;
}

/* ---- files ---- */

struct file {
    uint32_t rows; /* of each meter */
    bool sure;
};

static struct file files[IMPORT_MOST];
static size_t file_count;

static int64_t file_s(size_t file, uint32_t row)
{
    return IMPORTS_S + (int64_t)file * IMPORT_SPAN_S + (int64_t)row * 60;
}

static int64_t file_l(size_t file, uint32_t row)
{
    return 10 + (int64_t)file * 1200 + row;
}

static char *file_text(size_t file)
{
    uint32_t rows = files[file].rows;
    char *text = (char *)malloc(64 + (size_t)rows * IMPORT_METERS * 48), *at = text;

    if (!text)
        abort();
    at += sprintf(at, "serial,time,index_l\n");
    for (uint32_t i = 0; i < rows; i++)
        for (int m = 0; m < IMPORT_METERS; m++) {
            char time[24];

            report_time(file_s(file, i), time);
            at += sprintf(at, "IMPORT-%d,%s,%lld\n", m, time, (long long)file_l(file, i));
        }
    return text;
}

static bool file_send(struct client *c, size_t file)
{
    char *text = file_text(file);
    struct answer a;
    bool taken;

    http_post(c, "/v1/import/readings", "Content-Type: text/csv\r\n", text, &a);
    taken = a.whole && a.status == 200;
    if (a.whole && !taken)
        say_trouble("import: %d %s", a.status, a.body);
    answer_done(&a);
    free(text);
    return taken;
}

/* Small files are one record of the journal, large ones are staged. */
static void *import_run(void *arg)
{
    struct check_random *r = (struct check_random *)arg;
    struct client c;

    if (!try_connect(&c))
        stopping = true;
    rest(r, 30);
    while (!stopping && file_count < IMPORT_MOST) {
        struct file *f = &files[file_count++];

        f->rows = check_below(r, 2) ? 1030 + (uint32_t)check_below(r, 100)
                                    : 1 + (uint32_t)check_below(r, 300);
        f->sure = file_send(&c, file_count - 1);
        rest(r, 150);
    }
    client_close(&c);
    return NULL;
}

/* ---- looking at it ---- */

static struct client c; /* the main thread's */

static long list(const char *serial, int64_t from_s, int64_t to_s, struct listed **rows)
{
    char path[200], from[24], to[24];
    struct answer a;
    long count;

    report_time(from_s, from);
    report_time(to_s, to);
    snprintf(path, sizeof path, "/v1/meters/%s/readings?from=%s&to=%s", serial, from, to);
    http_get(&c, path, "application/x-ndjson", &a);
    if (a.status != 200)
        fail_msg("GET %s: %d %s", path, a.status, a.body);
    count = listed_read(a.body, rows);
    if (count < 0)
        fail_msg("GET %s: the list is not whole", path);
    answer_done(&a);
    return count;
}

/* Every row is one that was sent, once. */
static void look_present(const struct meter *m, const char *when, uint8_t present[SLOTS])
{
    struct listed *rows;
    long count = list(m->serial, BASE_S - 86400, START_S + 400 * 86400LL, &rows);

    memset(present, 0, SLOTS);
    for (long i = 0; i < count; i++) {
        int64_t slot = (rows[i].time_s - BASE_S) / STEP_S;
        const char *rule = m->fitted ? "" : "not-fitted";

        if (rows[i].time_s != BASE_S + slot * STEP_S || slot < 0 || slot >= SLOTS ||
            m->slot[slot] == NEVER || rows[i].ml != slot_l((uint32_t)slot) * 1000)
            fail_msg("%s, %s: at %lld stands %lld mL, which nobody sent", when, m->serial,
                     (long long)rows[i].time_s, (long long)rows[i].ml);
        if (present[slot]++)
            fail_msg("%s, %s: slot %lld is listed twice", when, m->serial, (long long)slot);
        if (strcmp(rows[i].rule, rule) != 0)
            fail_msg("%s, %s: slot %lld takes no part: %s", when, m->serial, (long long)slot,
                     rows[i].rule);
    }
    free(rows);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (m->slot[slot] == SURE && !present[slot])
            fail_msg("%s, %s: slot %u was acknowledged and is not there", when, m->serial, slot);
}

static bool all_present(const struct unit *u, const uint8_t present[SLOTS])
{
    for (uint32_t s = u->first; s < u->first + u->count; s++)
        if (!present[s])
            return false;
    return true;
}

/* Marks as explained what a whole unit brought. What is present is on disk: it must stay. */
static void explain(const struct unit *units, size_t count, uint32_t meter,
                    const uint8_t present[SLOTS], uint8_t explained[SLOTS])
{
    for (size_t i = 0; i < count; i++)
        if (units[i].meter == meter && all_present(&units[i], present))
            memset(explained + units[i].first, 1, units[i].count);
}

static void look_at(struct meter *m, const struct unit *units, size_t count, uint32_t which,
                    const char *when)
{
    static uint8_t present[SLOTS], explained[SLOTS];

    look_present(m, when, present);
    memset(explained, 0, sizeof explained);
    explain(units, count, which, present, explained);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (!present[slot])
            continue;
        if (m->slot[slot] != SURE && !explained[slot])
            fail_msg("%s, %s: slot %u came without the rest of its report", when, m->serial, slot);
        m->slot[slot] = SURE;
    }
}

/* Each read is a unit of its own. */
static void look_at_reads(struct meter *m, const char *when)
{
    static uint8_t present[SLOTS];

    look_present(m, when, present);
    for (uint32_t slot = 0; slot < m->front; slot++)
        if (present[slot])
            m->slot[slot] = SURE;
}

static void look_at_fleet(const char *when)
{
    for (size_t s = 0; s < SENDERS; s++)
        for (uint32_t i = 0; i < OWNED; i++)
            look_at(&senders[s].meters[i], senders[s].units, senders[s].count, i, when);
    for (size_t i = 0; i < READERS; i++)
        look_at_reads(&by_hand[i], when);
}

/* All of the file or nothing, over all its meters; then again, and it is there once. */
static void look_at_file(size_t file, const char *when)
{
    struct file *f = &files[file];
    long found = 0;

    for (int m = 0; m < IMPORT_METERS; m++) {
        struct listed *rows;
        char serial[24];
        long count;

        snprintf(serial, sizeof serial, "IMPORT-%d", m);
        count = list(serial, file_s(file, 0), file_s(file + 1, 0), &rows);
        found += count;
        for (long i = 0; i < count && count == (long)f->rows; i++)
            if (rows[i].time_s != file_s(file, (uint32_t)i) ||
                rows[i].ml != file_l(file, (uint32_t)i) * 1000)
                fail_msg("%s: row %ld of file %zu is another", when, i, file);
        free(rows);
        if (count && count != (long)f->rows)
            fail_msg("%s: of file %zu (%s) %ld of %u rows are there", when, file,
                     f->sure ? "acknowledged" : "not acknowledged", count, f->rows);
    }
    if (found != 0 && found != (long)f->rows * IMPORT_METERS)
        fail_msg("%s: file %zu is there in part", when, file);
    if (f->sure && !found)
        fail_msg("%s: file %zu was acknowledged and is not there", when, file);
    if (found)
        f->sure = true;
}

static void look_at_files(size_t first, const char *when)
{
    for (size_t i = first; i < file_count; i++) {
        look_at_file(i, when);
        if (!files[i].sure) {
            files[i].sure = file_send(&c, i);
            look_at_file(i, when);
        }
    }
}

/* The same answer as before; or the first, if that was cut off. */
static void look_at_acts(size_t first, const char *when)
{
    for (size_t i = first; i < act_count; i++) {
        struct act *act = &acts[i];
        struct answer a;

        keyed(&c, act->path, act->key, act->body, &a);
        if (a.status / 100 != 2)
            fail_msg("%s: POST %s %s: %d %s", when, act->path, act->body, a.status, a.body);
        if (act->status && (a.status != act->status || strcmp(a.body, act->answer) != 0))
            fail_msg("%s: POST %s %s was answered %d %s, and now %d %s", when, act->path, act->body,
                     act->status, act->answer, a.status, a.body);
        if (!act->status) {
            act->status = a.status;
            act->answer = strdup(a.body);
        }
        answer_done(&a);
    }
    for (size_t i = 0; i < READERS; i++)
        memset(by_hand[i].slot, SURE, by_hand[i].front); /* said again, all of them */
}

/* After their acts were repeated: all are registered, and nothing of them waits any more. */
static void look_at_strangers(size_t first, const char *when)
{
    for (size_t i = first; i < stranger_count; i++) {
        struct stranger *s = strangers[i];

        look_at(&s->meter, s->units, s->count, 0, when);
    }
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;

    for (; (text = strstr(text, word)); text++)
        count++;
    return count;
}

/* Each registration, each token is told once in the audit. */
static void look_at_audit(void)
{
    struct answer a;

    http_get(&c, "/v1/audit", "application/x-ndjson", &a);
    assert_int_equal(a.status, 200);
    assert_true(a.whole);
    for (size_t i = 0; i < act_count; i++) {
        char word[64];

        if (strcmp(acts[i].path, "/v1/reads") == 0)
            continue;
        snprintf(word, sizeof word, "\"subject\":%.40s", strchr(acts[i].body, ':') + 1);
        *strchr(word, ',') = 0;
        if (occurrences(a.body, word) != 1)
            fail_msg("%s stands in the audit %zu times", word, occurrences(a.body, word));
    }
    answer_done(&a);
}

static void check_store(const char *when)
{
    char command[1500];

    snprintf(command, sizeof command, "%s/nilo store check --store %s > %s.check 2>&1",
             NILO_BUILD_DIR, n.store, n.store);
    if (system(command)) {
        char path[600];
        struct span said;

        snprintf(path, sizeof path, "%s.check", n.store);
        said = check_read(path);
        fail_msg("%s: nilo store check: %.*s", when, (int)said.len, (const char *)said.at);
    }
}

/* ---- rounds ---- */

static void import_text(const char *what, const char *text)
{
    char path[80];
    struct answer a;

    snprintf(path, sizeof path, "/v1/import/%s", what);
    http_post(&c, path, "Content-Type: text/csv\r\n", text, &a);
    if (a.status != 200)
        fail_msg("import %s: %d %s", what, a.status, a.body);
    answer_done(&a);
}

static char *town_at(char *at, const char *what, const char *serial, int64_t from_s)
{
    char from[24];

    report_time(from_s, from);
    if (strcmp(what, "meters") == 0)
        return at + sprintf(at, "%s,15,2.5\n", serial);
    if (strcmp(what, "points") == 0)
        return at + sprintf(at, "AT-%s\n", serial);
    return at + sprintf(at, "AT-%s,%s,%s,0\n", serial, serial, from);
}

static void make_town(void)
{
    static const struct {
        const char *what, *header;
    } lists[] = { { "meters", "serial,dn,q3" },
                  { "points", "point" },
                  { "fittings", "point,serial,from,start_index_l" } };

    for (size_t l = 0; l < 3; l++) {
        char text[8000], *at = text;

        at += sprintf(at, "%s\n", lists[l].header);
        for (size_t i = 0; i < FLEET; i++)
            at = town_at(at, lists[l].what, fleet[i].serial, BASE_S - 86400);
        for (size_t i = 0; i < READERS; i++)
            at = town_at(at, lists[l].what, by_hand[i].serial, BASE_S - 86400);
        for (int i = 0; i < IMPORT_METERS; i++) {
            char serial[24];

            snprintf(serial, sizeof serial, "IMPORT-%d", i);
            at = town_at(at, lists[l].what, serial, IMPORTS_S - 86400);
        }
        import_text(lists[l].what, text);
    }
}

static void name_meters(void)
{
    fleet = (struct meter *)calloc(FLEET, sizeof *fleet);
    by_hand = (struct meter *)calloc(READERS, sizeof *by_hand);
    acts = (struct act *)calloc(ACTS_MOST, sizeof *acts);
    assert_true(fleet && by_hand && acts);
    for (size_t i = 0; i < FLEET; i++) {
        snprintf(fleet[i].serial, sizeof fleet[i].serial, "KILL-%02zu", i);
        fleet[i].fitted = true;
        fleet[i].front = 720;
    }
    for (size_t i = 0; i < READERS; i++) {
        snprintf(by_hand[i].serial, sizeof by_hand[i].serial, "HAND-%zu", i);
        snprintf(by_hand[i].point, sizeof by_hand[i].point, "AT-HAND-%zu", i);
        by_hand[i].fitted = true;
    }
}

static void start(void)
{
    report_time(now_s, now_text);
    n.http_port = n.coap_port = 0; /* others may have taken those of before */
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
}

/* Was it alive until we ended it? */
static void kill_it(void)
{
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t)n.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
        struct span log = check_read(n.log);

        fail_msg("nilod ended by itself (%d): %.*s", info.si_status, (int)log.len,
                 (const char *)log.at);
    }
    nilod_kill(&n);
}

/* A start that does not get far. */
static void start_and_kill(struct check_random *r)
{
    char program[600];
    pid_t pid;

    snprintf(program, sizeof program, "%s/nilod", NILO_BUILD_DIR);
    pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execl(program, program, "--store", n.store, "--coap", "127.0.0.1:0", "--coaps", "off",
              "--http", "127.0.0.1:0", "--virtual-clock", now_text, (char *)NULL);
        _exit(127);
    }
    rest(r, 40);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#define WORKERS 5

static void load_until_kill(struct check_random *r)
{
    static void *(*const runs[WORKERS])(void *) = { stranger_run, hand_run, token_run, settle_run,
                                                    import_run };
    struct check_random seeds[WORKERS];
    pthread_t threads[WORKERS];

    stopping = false;
    for (size_t i = 0; i < SENDERS; i++) {
        struct sender *s = &senders[i];

        s->random.state = check_random(r);
        s->meters = fleet + i * OWNED;
        s->fd = udp_socket();
        pthread_create(&s->thread, NULL, sender_run, s);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        seeds[i].state = check_random(r);
        pthread_create(&threads[i], NULL, runs[i], &seeds[i]);
    }
    rest(r, check_below(r, 3) ? 100 : 400);
    kill_it();
    stopping = true;
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        close(senders[i].fd);
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

/* Units of the rounds before are settled matters; those in flight are said again, and stay. */
static void forget_units(struct sender *s)
{
    struct unit kept[WINDOW];
    size_t count = 0;

    for (size_t f = 0; f < WINDOW; f++)
        if (s->flights[f].used) {
            kept[count] = s->units[s->flights[f].unit];
            s->flights[f].unit = count++;
        }
    for (s->count = 0; s->count < count;)
        unit_new(s, kept[s->count]);
}

static void settle(void)
{
    struct answer a;

    http_post(&c, "/v1/settle", "Content-Type: application/json\r\n", "{}", &a);
    if (a.status != 200)
        fail_msg("settle: %d %s", a.status, a.body);
    answer_done(&a);
}

static void look(struct check_random *r, unsigned round, size_t stranger, size_t act, size_t file)
{
    char when[64];

    snprintf(when, sizeof when, "after kill %u, unsettled", round);
    look_at_fleet(when);
    look_at_files(file, when);
    look_at_acts(act, when);
    if (check_below(r, 3)) {
        check_store(when);
        settle();
        snprintf(when, sizeof when, "after kill %u, settled", round);
        look_at_fleet(when);
        look_at_files(file, when);
        check_store(when);
    }
    /* A registration that was cut off before its answer releases what waited behind the next start.
     */
    settle();
    look_at_strangers(stranger, when);
}

static void one_round(struct check_random *r, unsigned round)
{
    size_t stranger = stranger_count, act = act_count, file = file_count;

    start();
    client_close(&c);
    load_until_kill(r);
    for (uint64_t i = check_below(r, 8) ? 0 : 1 + check_below(r, 3); i; i--)
        start_and_kill(r);
    now_s += check_below(r, 4) ? 600 : 86400 / 2; /* in the end the retention is over for some */
    start();
    if (trouble[0])
        fail_msg("kill %u: %s", round, trouble);
    look(r, round, stranger, act, file);
    for (size_t i = 0; i < SENDERS; i++)
        forget_units(&senders[i]);
    client_close(&c);
    kill_it();
}

static unsigned long segment, segments;

static void segment_seen(const char *path, const char *stem)
{
    unsigned long number = strtoul(strrchr(stem, '/') + 1, NULL, 16);

    (void)path;
    if (number && ++segments == 1)
        segment = number;
}

static void told(unsigned rounds)
{
    uint64_t reports = 0;
    char path[600];

    for (size_t i = 0; i < SENDERS; i++)
        reports += senders[i].acknowledged;
    snprintf(path, sizeof path, "%.500s/journal", n.store);
    check_each_file(path, ".mdb", segment_seen);
    print_message("%u kills: %llu reports acknowledged, %zu strangers, %zu files, %zu acts; %lu "
                  "segments, the first begins at batch %lu\n",
                  rounds, (unsigned long long)reports, stranger_count, file_count, act_count,
                  segments, segment);
}

/* All that the model holds. */
static void let_go(void)
{
    for (size_t i = 0; i < stranger_count; i++)
        free(strangers[i]);
    for (size_t i = 0; i < act_count; i++)
        free(acts[i].answer);
    for (size_t i = 0; i < SENDERS; i++)
        free(senders[i].units);
    free(acts);
    free(fleet);
    free(by_hand);
    acts = NULL;
    fleet = by_hand = NULL;
    act_count = stranger_count = 0;
}

static void what_was_acknowledged_is_there_once_however_often_it_is_killed(void **state)
{
    struct check_random r = check_random_begin();
    const char *rounds_text = getenv("ROUNDS"), *seconds_text = getenv("NILO_SECONDS");
    unsigned rounds = rounds_text ? (unsigned)atoi(rounds_text) : 100000, round = 0;
    int64_t until_ms = monotonic_ms() + 1000 * (int64_t)(seconds_text ? atoi(seconds_text) : 25);

    (void)state;
    now_s = START_S;
    n = (struct nilod){ .clock = now_text,
                        .extra = { "--segment-mib", "1", "--settle-every", "1", "--retention-days",
                                   "1", "--endpoint-rate", "1000000" } };
    name_meters();
    start();
    make_town();
    client_close(&c);
    nilod_stop(&n);
    while (round < rounds && (rounds_text || monotonic_ms() < until_ms))
        one_round(&r, ++round);
    start();
    look_at_fleet("in the end");
    look_at_files(0, "in the end");
    look_at_acts(0, "in the end");
    look_at_strangers(0, "in the end");
    look_at_audit();
    check_store("in the end");
    client_close(&c);
    nilod_stop(&n);
    told(round);
    let_go();
}

/* The frame is in the journal and not yet settled when the kill comes. */
static void a_frame_that_waits_over_a_kill_counts_once_its_meter_is_registered(void **state)
{
    struct stranger *s = stranger_new();
    struct act *a;
    int fd;

    (void)state;
    now_s = START_S;
    n = (struct nilod){ .clock = now_text, .extra = { "--settle-every", "3600" } };
    acts = (struct act *)calloc(ACTS_MOST, sizeof *acts);
    start();
    client_close(&c);
    fd = udp_socket();
    stranger_send(s, fd, 1);
    stranger_hear(s, fd, 1, 1);
    close(fd);
    assert_true(s->units[0].sure);
    kill_it();
    start();
    a = act_new("/v1/meters");
    snprintf(a->body, sizeof a->body, "{\"serial\":\"%s\",\"dn\":15,\"q3\":2.5}", s->meter.serial);
    assert_true(act_ask(&c, a));
    look_at(&s->meter, s->units, s->count, 0, "after the kill");
    client_close(&c);
    nilod_stop(&n);
    let_go();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_frame_that_waits_over_a_kill_counts_once_its_meter_is_registered),
    cmocka_unit_test(what_was_acknowledged_is_there_once_however_often_it_is_killed),
};

int main(int argc, char **argv)
{
    return check_run(tests, argc, argv);
}
