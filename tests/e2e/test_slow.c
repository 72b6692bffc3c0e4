/* Clients that stop in the middle: a reader and a meter under SIGSTOP hold up nobody and pin no
 * page of the store, and readers that are killed leave nothing behind. */
#include "tests/check.h"
#include "tests/client/coap.h"
#include "tests/client/http.h"
#include "tests/client/report.h"
#include "tests/nilod.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW "2026-03-10T00:00:00Z"
#define NOW_S 1773100800
#define BIG_ROWS 60000
#define METERS 6000
#define LIVE 20

static struct nilod n = { .clock = NOW,
                          .extra = { "--settle-every", "3600", "--endpoint-rate", "1000000" } };
static struct client c;
static struct probe radio;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void post(const char *path, const char *type, const char *body)
{
    char fields[80];
    struct answer a;

    snprintf(fields, sizeof fields, "Content-Type: %s\r\n", type);
    http_post(&c, path, fields, body, &a);
    if (a.status / 100 != 2)
        fail_msg("POST %s: %d %s", path, a.status, a.body);
    answer_done(&a);
}

static int begin(void **state)
{
    char *text = (char *)malloc(4 << 20), *at = text, port[8];

    (void)state;
    assert_non_null(text);
    nilod_start(&n);
    client_open(&c, n.http_host, n.http_port, n.token);
    snprintf(port, sizeof port, "%d", n.coap_port);
    probe_open(&radio, n.coap_host, port, NULL);
    at += sprintf(at, "serial,dn,q3,model\n");
    for (int i = 0; i < METERS; i++)
        at += sprintf(at, "SLOW-%05d,15,2.5,a model with a name that makes rows longer\n", i);
    post("/v1/import/meters", "text/csv", text);
    at = text + sprintf(text, "serial,time,index_l\n");
    for (int i = 0; i < BIG_ROWS; i++) {
        char time[24];

        report_time(NOW_S - 86400LL * 60 + i * 60LL, time);
        at += sprintf(at, "SLOW-00000,%s,%d\n", time, i);
    }
    post("/v1/import/readings", "text/csv", text);
    free(text);
    return 0;
}

static int end(void **state)
{
    (void)state;
    client_close(&c);
    probe_close(&radio);
    nilod_stop(&n);
    return 0;
}

/* ---- what a store's files tell ---- */

static const char *const files[] = { "archive.mdb", "ledger.mdb", "views.mdb",
                                     "journal/quarantine.mdb", "journal/0000000001.mdb" };

struct pins {
    unsigned slots, pinned; /* of nilod, in all files together */
};

#define OWN_PINS 1 /* the ledger's last synced state, until the next one is */

/* LMDB's lock file: behind 128 bytes a slot of 64 for each reader: the snapshot it looks at (all
 * ones: none), its process. */
static void pins_add(const char *file, struct pins *p)
{
    char path[700];
    struct span bytes;

    snprintf(path, sizeof path, "%s/%s-lock", n.store, file);
    bytes = check_read(path);
    for (size_t at = 128; at + 64 <= bytes.len; at += 64) {
        uint64_t snapshot;
        uint32_t pid;

        memcpy(&snapshot, bytes.at + at, 8);
        memcpy(&pid, bytes.at + at + 8, 4);
        if (pid != (uint32_t)n.pid)
            continue;
        p->slots++;
        p->pinned += snapshot != UINT64_MAX;
    }
    free((void *)(uintptr_t)bytes.at);
}

static struct pins pins(void)
{
    struct pins p = { 0 };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        pins_add(files[i], &p);
    return p;
}

/* Nobody looks at anything once the server has nothing to do. */
static void expect_nothing_pinned(void)
{
    int64_t until = now_ms() + 5000;
    unsigned pinned;

    while ((pinned = pins().pinned) > OWN_PINS && now_ms() < until)
        poll(NULL, 0, 20);
    assert_in_range(pinned, 0, OWN_PINS);
}

static int64_t bytes_of(const char *file)
{
    char path[700];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", n.store, file);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static unsigned descriptors(void)
{
    char path[40];
    DIR *d;
    unsigned count = 0;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)n.pid);
    d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* ---- life that must go on ---- */

/* Some reports, a registration, a settling with its merges; the longest that any of them took. */
static int64_t live(int cycle)
{
    static struct message m;
    int64_t worst = 0;
    char body[120];

    for (int i = 0; i <= LIVE; i++) {
        int64_t began = now_ms(), litres[24];
        char serial[24];
        uint8_t bytes[300];
        struct heard h;
        struct report r = { .meter = serial,
                            .at = (uint32_t)(NOW_S - 3600 * (cycle * 24 + 1)),
                            .step_s = 3600,
                            .litres = litres,
                            .count = 24 };

        if (i == LIVE) {
            snprintf(body, sizeof body, "{\"point\":\"P%d\",\"account\":\"an account\"}", cycle);
            post("/v1/points", "application/json", body);
            post("/v1/settle", "application/json", "{}");
        } else {
            snprintf(serial, sizeof serial, "SLOW-%05d", i);
            for (int k = 0; k < 24; k++)
                litres[k] = 1000000 - cycle * 240 - k * 10;
            message_begin(&m, PROBE_CON, PROBE_POST, radio.next_mid++, span_of("S", 1));
            message_path(&m, "r");
            message_payload(&m, span_of(bytes, report_put(&r, bytes, sizeof bytes)));
            probe_ask(&radio, &m, &h);
            assert_int_equal(h.code, PROBE_CODE(2, 4));
        }
        if (now_ms() - began > worst)
            worst = now_ms() - began;
    }
    return worst;
}

/* What the files grew by over some cycles. */
static int64_t growth(int first, int count, int64_t *worst)
{
    int64_t before = 0, after = 0;

    for (size_t i = 0; i < 2; i++)
        before += bytes_of(files[i]);
    for (int k = first; k < first + count; k++) {
        int64_t took = live(k);

        *worst = took > *worst ? took : *worst;
    }
    for (size_t i = 0; i < 2; i++)
        after += bytes_of(files[i]);
    return after - before;
}

/* ---- clients in processes of their own, where no test may fail ---- */

static int stream_open(const char *path)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)n.http_port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    char ask[400], byte;

    inet_pton(AF_INET, n.http_host, &to.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    snprintf(ask, sizeof ask,
             "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nAccept: "
             "application/x-ndjson\r\nConnection: close\r\n\r\n",
             path, n.token);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) || send(fd, ask, strlen(ask), 0) < 0 ||
        recv(fd, &byte, 1, 0) != 1) /* it has begun */
        _exit(3);
    return fd;
}

/* To the end, where the list must say that it is whole. */
static bool stream_ends_well(int fd)
{
    char text[65536 + 40], last[41] = "";
    ssize_t len;

    while ((len = recv(fd, text, 65536, 0)) > 0) {
        char both[65536 + 81];
        size_t kept = strlen(last);

        memcpy(both, last, kept);
        memcpy(both + kept, text, (size_t)len);
        kept += (size_t)len;
        snprintf(last, sizeof last, "%.*s", (int)(kept < 40 ? kept : 40),
                 both + kept - (kept < 40 ? kept : 40));
    }
    return len == 0 && strstr(last, "\"end\":true");
}

static const char *stream_path(int i)
{
    return i % 2 ? "/v1/meters" : "/v1/meters/SLOW-00000/readings";
}

static pid_t stopped_reader(void)
{
    pid_t pid = fork();
    int fds[8], status;

    if (pid == 0) {
        for (int i = 0; i < 8; i++)
            fds[i] = stream_open(stream_path(i));
        raise(SIGSTOP);
        for (int i = 0; i < 8; i++)
            if (!stream_ends_well(fds[i]))
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    return pid;
}

/* A meter that asks and asks, and hears nothing of what it is answered. */
static pid_t stopped_meter(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), small = 1;
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)n.coap_port) };
        int64_t litres = 5000;
        struct report r = {
            .meter = "SLOW-05000", .at = NOW_S - 60, .litres = &litres, .count = 1
        };
        uint8_t payload[100], bytes[200];
        size_t len = report_put(&r, payload, sizeof payload);

        inet_pton(AF_INET, n.coap_host, &to.sin_addr);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        if (connect(fd, (struct sockaddr *)&to, sizeof to))
            _exit(3);
        for (uint16_t mid = 0; mid < 150; mid++)
            if (send(fd, bytes, report_datagram(mid, mid, payload, len, bytes, sizeof bytes), 0) <
                0)
                _exit(3);
        raise(SIGSTOP);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    return pid;
}

#define HELD_UP_MS                                                                                 \
    20000 /* a client that is stopped would hold a step up for as long as it is; a busy machine takes seconds */

static void stopped_clients_hold_up_nobody_and_pin_no_page(void **state)
{
    int64_t worst = 0, alone, beside;
    pid_t reader, meter;
    int status;

    (void)state;
    (void)growth(0, 10, &worst); /* from where on freed pages are used again */
    alone = growth(10, 15, &worst);
    worst = 0;
    reader = stopped_reader();
    meter = stopped_meter();
    expect_nothing_pinned();
    beside = growth(25, 15, &worst);
    print_message("15 settlings: files grew by %lld KiB alone, by %lld KiB beside stopped clients; "
                  "the slowest step took %lld ms\n",
                  (long long)alone / 1024, (long long)beside / 1024, (long long)worst);
    kill(
        reader,
        SIGCONT); /* before anything may fail: who stays stopped is waited for by whoever runs the tests */
    kill(meter, SIGCONT);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0); /* it got all of every list in the end */
    assert_int_equal(waitpid(meter, &status, 0), meter);
    assert_int_equal(status, 0);
    assert_true(worst < HELD_UP_MS);
    assert_true(beside < 2 * alone + (1 << 20));
}

#define READERS 3
#define STREAMS 100 /* of each */

static void readers_begin(pid_t pids[READERS])
{
    for (int i = 0; i < READERS; i++) {
        int status;

        pids[i] = fork();
        if (pids[i] == 0) {
            for (int k = 0; k < STREAMS; k++)
                (void)stream_open(stream_path(k));
            raise(SIGSTOP);
            _exit(0);
        }
        assert_int_equal(waitpid(pids[i], &status, WUNTRACED), pids[i]);
        if (!WIFSTOPPED(status))
            fail_msg("a reader ended with %d before it was killed", WEXITSTATUS(status));
    }
}

static void three_hundred_killed_readers_leave_nothing_behind(void **state)
{
    unsigned before = descriptors(), slots = pins().slots;
    int64_t worst = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        pid_t pids[READERS];
        int64_t until;

        readers_begin(pids);
        (void)growth(100 + round * 4, 2, &worst);
        for (int i = 0; i < READERS; i++) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
        (void)growth(102 + round * 4, 2, &worst);
        for (until = now_ms() + 60000; descriptors() > before + 8 && now_ms() < until;)
            poll(NULL, 0, 20);
        assert_in_range(descriptors(), 1, before + 8);
    }
    assert_true(worst < 3000);
    expect_nothing_pinned();
    print_message("reader slots before: %u, behind 900 killed streams: %u\n", slots, pins().slots);
    assert_in_range(pins().slots, 0, slots + 64);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(stopped_clients_hold_up_nobody_and_pin_no_page),
    cmocka_unit_test(three_hundred_killed_readers_leave_nothing_behind),
};

int main(int argc, char **argv)
{
    check_begin(argc, argv);
    return _cmocka_run_group_tests("tests", tests, sizeof tests / sizeof *tests, begin, end);
}
