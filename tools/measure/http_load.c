/* How fast a month of a meter is given over HTTP: an open-loop client, so that a stall is counted
 * for every request that was due in it.  Prints one JSON line.
 *
 *   bench_http_load ADDR:PORT TOKEN-FILE [RATE [SECONDS [CONNECTIONS [FROM TO]]]]
 *
 * Default: 2 000 requests a second for 10 s over 16 connections that stay open, each GET
 * /v1/meters/SERIAL/readings of a month of a random one of the first 10 000 meters. Latency runs
 * from the instant at which a request was due to its last byte. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define SERIALS_MAX 10000
#define ROOM (4u << 20)

struct load {
    struct sockaddr_in to;
    char token[80], from[32], until[32];
    unsigned rate, seconds, connections;
    char (*serials)[40];
    size_t serial_count;
};

struct connection {
    int fd;
    int64_t due_ns; /* of the request under way; 0: free */
    size_t len;     /* received of the answer */
    size_t whole;   /* its length with its head; 0: not known yet */
    char *in;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_http_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_one(const struct load *l)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&l->to, sizeof l->to))
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_request(const struct load *l, int fd, const char *path)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", path,
                       l->token);

    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        die("send");
}

/* Takes what has come of an answer; 1 when it is whole, 0 if not yet. Only 200 is an answer. */
static int take(struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, ROOM - 1 - c->len, MSG_DONTWAIT);
    const char *end, *field;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        die("the server closed a connection");
    c->len += (size_t)n;
    c->in[c->len] = 0;
    if (!c->whole) {
        if (!(end = strstr(c->in, "\r\n\r\n")))
            return 0;
        if (strncmp(c->in, "HTTP/1.1 200", 12) != 0 ||
            !(field = strcasestr(c->in, "Content-Length:"))) {
            fprintf(stderr, "bench_http_load: not answered with 200 and a length: %.300s\n", c->in);
            exit(1);
        }
        c->whole = (size_t)(end - c->in) + 4 + strtoul(field + 15, NULL, 10);
        if (c->whole >= ROOM)
            die("an answer is too long");
    }
    return c->len >= c->whole;
}

static void load_serials(struct load *l)
{
    struct connection c = { .fd = connect_one(l), .in = (char *)malloc(ROOM) };

    send_request(l, c.fd, "/v1/meters?limit=10000");
    while (!take(&c))
        usleep(1000);
    l->serials = malloc(SERIALS_MAX * sizeof *l->serials);
    for (const char *at = c.in;
         l->serial_count < SERIALS_MAX && (at = strstr(at, "\"serial\":\""));) {
        at += 10;
        snprintf(l->serials[l->serial_count++], 40, "%.*s", (int)strcspn(at, "\""), at);
    }
    close(c.fd);
    free(c.in);
    if (!l->serial_count) {
        fprintf(stderr, "bench_http_load: no meter is registered there\n");
        exit(1);
    }
}

static void begin(const struct load *l, struct connection *c, int64_t due_ns)
{
    char path[200];

    snprintf(path, sizeof path, "/v1/meters/%s/readings?from=%s&to=%s",
             l->serials[(size_t)random() % l->serial_count], l->from, l->until);
    c->due_ns = due_ns;
    c->len = c->whole = 0;
    send_request(l, c->fd, path);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double us_at(const int64_t *sorted, size_t count, double part)
{
    size_t n = (size_t)((double)count * part);

    return (double)sorted[n < count ? n : count - 1] / 1000;
}

static void print_result(const struct load *l, int64_t *spans, size_t count, uint64_t bytes,
                         int64_t wall_ns)
{
    qsort(spans, count, sizeof *spans, by_value);
    printf("{\"bench\":\"http_load\",\"rate\":%u,\"answered_per_s\":%.0f,\"connections\":%u,"
           "\"requests\":%zu,"
           "\"bytes_each\":%.0f,\"p50_us\":%.0f,\"p90_us\":%.0f,\"p99_us\":%.0f,\"p999_us\":%.0f,"
           "\"max_us\":%.0f}\n",
           l->rate, (double)count * 1e9 / (double)wall_ns, l->connections, count,
           (double)bytes / (double)count, us_at(spans, count, 0.5), us_at(spans, count, 0.9),
           us_at(spans, count, 0.99), us_at(spans, count, 0.999), us_at(spans, count, 1));
}

static struct connection *free_one(struct connection *all, unsigned count)
{
    static unsigned turn;

    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &all[turn++ % count];

        if (!c->due_ns)
            return c;
    }
    return NULL;
}

static void run(const struct load *l, struct connection *all, int epoll)
{
    size_t total = (size_t)l->rate * l->seconds, begun = 0, done = 0;
    int64_t *spans = (int64_t *)malloc(total * sizeof *spans), start = now_ns();
    int64_t step = 1000000000LL / l->rate;
    uint64_t bytes = 0;

    while (done < total) {
        struct epoll_event events[64];
        int64_t now = now_ns(), next = start + (int64_t)begun * step;
        struct timespec wait = { 0, 0 };
        struct connection *c;
        int count;

        while (begun < total && next <= now && (c = free_one(all, l->connections))) {
            begin(l, c, next);
            begun++;
            next += step;
        }
        if (begun == total || next <= now)
            wait.tv_sec = 1;
        else
            wait.tv_nsec = next - now;
        count = epoll_pwait2(epoll, events, 64, &wait, NULL);
        for (int i = 0; i < count; i++) {
            c = (struct connection *)events[i].data.ptr;
            if (!c->due_ns || !take(c))
                continue;
            spans[done++] = now_ns() - c->due_ns;
            bytes += c->whole;
            c->due_ns = 0;
        }
    }
    print_result(l, spans, total, bytes, now_ns() - start);
    free(spans);
}

static void read_arguments(struct load *l, int argc, char **argv)
{
    const char *colon = argc > 2 ? strrchr(argv[1], ':') : NULL;
    char host[32];
    FILE *f;

    if (!colon) {
        fprintf(stderr,
                "bench_http_load ADDR:PORT TOKEN-FILE [RATE [SECONDS [CONNECTIONS [FROM TO]]]]\n");
        exit(2);
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - argv[1]), argv[1]);
    l->to.sin_family = AF_INET;
    l->to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &l->to.sin_addr) != 1)
        die(argv[1]);
    if (!(f = fopen(argv[2], "re")) || fscanf(f, "%79s", l->token) != 1)
        die(argv[2]);
    fclose(f);
    l->rate = argc > 3 ? (unsigned)atoi(argv[3]) : 2000;
    l->seconds = argc > 4 ? (unsigned)atoi(argv[4]) : 10;
    l->connections = argc > 5 ? (unsigned)atoi(argv[5]) : 16;
    snprintf(l->from, sizeof l->from, "%s", argc > 7 ? argv[6] : "2026-02-01T00:00:00Z");
    snprintf(l->until, sizeof l->until, "%s", argc > 7 ? argv[7] : "2026-03-01T00:00:00Z");
    if (!l->rate || !l->seconds || !l->connections || l->connections > CONNECTIONS_MAX)
        exit(2);
}

int main(int argc, char **argv)
{
    static struct connection all[CONNECTIONS_MAX];
    static struct load l;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    read_arguments(&l, argc, argv);
    load_serials(&l);
    for (unsigned i = 0; i < l.connections; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = &all[i] };

        all[i].fd = connect_one(&l);
        all[i].in = (char *)malloc(ROOM);
        if (!all[i].in || epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e))
            die("epoll");
    }
    run(&l, all, epoll);
    return 0;
}
