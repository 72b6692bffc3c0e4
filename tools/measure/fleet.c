/* What acts on meters and questions about them take, through HTTP, at a nilod that runs.
 *
 *     bench_fleet acts ADDR:PORT TOKEN-FILE FIRST COUNT CLIENTS SECONDS [FILE]
 *     bench_fleet asks ADDR:PORT TOKEN-FILE FIRST COUNT TIMES PATH [ACCEPT]
 *     bench_fleet turns ADDR:PORT TOKEN-FILE FIRST COUNT TIMES PATH
 *     bench_fleet files FOLDER FIRST COUNT DAY
 *
 * acts: CLIENTS connections, each with one act under way, for SECONDS: suspend and resume, in turn, meters of its own among the COUNT
 * whose serials begin at FIRST and which are fitted.  An act's time runs from its first byte to the last one of its answer, 201.  With
 * FILE there is one client, and after each act 4 KiB of that file are overwritten and synced (fdatasync), in turn: the bare disk in the same run. FILE is on the
 * store's disk; its 16 MB are written before, so that no write makes it longer.
 * files: writes meters, points, fittings and events as CSV, of COUNT meters and as many points: each was first fitted at one point, which
 * the file of fittings tells as well, and came over laboratory and store to another, where it runs: ten events, two fittings. Its
 * verification ends within the two years that begin twenty days before DAY (a civil day's number since 1970): some are overdue.
 * turns: as asks, but before each question a random one of the meters is inspected, which is not timed.
 * asks: GET PATH, TIMES over one connection, to the last byte of the answer; "{serial}" in it stands for a random one of the meters.
 *
 * Prints one JSON line. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define SPANS_MAX (4u << 20)
#define ROOM (16u << 20)
#define PAGE 4096
#define PAGES 4096

struct load {
    struct sockaddr_in to;
    char token[80];
    uint64_t first, count;
};

struct client {
    int fd;
    int64_t began_ns;
    uint64_t meter, step; /* which of the meters, and how far to its next */
    bool suspended;
    size_t len, cap;
    size_t passed; /* bytes of the answer that were read and let go */
    char *in;
};

struct spans {
    int64_t *at;
    size_t count;
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_fleet: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void spans_add(struct spans *s, int64_t ns)
{
    if (s->count < SPANS_MAX)
        s->at[s->count++] = ns;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double us_at(const struct spans *s, double part)
{
    size_t n = (size_t)((double)s->count * part);

    return s->count ? (double)s->at[n < s->count ? n : s->count - 1] / 1000 : 0;
}

static void client_open(const struct load *l, struct client *c)
{
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&l->to, sizeof l->to))
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->in = (char *)malloc(c->cap);
    if (!c->in)
        die("memory");
}

static void send_all(int fd, const char *text, int len)
{
    if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
        die("send");
}

static bool is_status(const struct client *c, const char *status)
{
    return strncmp(c->in, "HTTP/1.1 ", 9) == 0 && strncmp(c->in + 9, status, 3) == 0;
}

/* Chunks, with or without a trailer; of a long stream the head and the end are kept. */
static bool chunks_ended(struct client *c, const char *head_end)
{
    size_t head = (size_t)(head_end - c->in) + 4;
    const char *last;

    if (c->len - head > c->cap / 2) {
        size_t keep = 256;

        memmove(c->in + head, c->in + c->len - keep, keep + 1);
        c->passed += c->len - head - keep;
        c->len = head + keep;
    }
    last = c->len > 256 ? c->in + c->len - 256 : c->in;
    return strcmp(c->in + c->len - 4, "\r\n\r\n") == 0 && strstr(last, "\r\n0\r\n");
}

/* Looks in the head alone: what follows it may be long, and comes in many pieces. */
static const char *field_of(struct client *c, const char *head_end, const char *name)
{
    char *end = c->in + (head_end - c->in), was = *end;
    const char *field;

    *end = 0;
    field = strcasestr(c->in, name);
    *end = was;
    return field;
}

/* Takes what came; true when the answer is whole. */
static bool take(struct client *c, const char *status)
{
    ssize_t n = recv(c->fd, c->in + c->len, c->cap - 1 - c->len, 0);
    const char *end, *field;

    if (n <= 0)
        die("the server closed a connection");
    c->len += (size_t)n;
    c->in[c->len] = 0;
    if (!(end = strstr(c->in, "\r\n\r\n")))
        return false;
    if (!is_status(c, status)) {
        fprintf(stderr, "bench_fleet: not answered with %s: %.600s\n", status, c->in);
        exit(1);
    }
    if (!(field = field_of(c, end, "Content-Length:")))
        return chunks_ended(c, end);
    return c->len >= (size_t)(end - c->in) + 4 + strtoul(field + 15, NULL, 10);
}

/* ---- acts ---- */

static void act_send(const struct load *l, struct client *c)
{
    char body[96], text[512];
    int len = snprintf(body, sizeof body, "{\"event\":\"%s\",\"document\":\"BENCH-1\"}",
                       c->suspended ? "resume" : "suspend");

    len = snprintf(text, sizeof text,
                   "POST /v1/meters/%" PRIu64 "/events HTTP/1.1\r\nHost: bench\r\n"
                   "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   l->first + c->meter, l->token, len, body);
    c->len = 0;
    c->began_ns = now_ns();
    send_all(c->fd, text, len);
}

static void act_next(const struct load *l, struct client *c)
{
    c->suspended = !c->suspended;
    if (!c->suspended && (c->meter += c->step) >= l->count)
        c->meter %= c->step;
}

static int64_t disk_once(int fd, uint64_t n)
{
    static char page[PAGE];
    int64_t from = now_ns();

    memset(page, (int)(n % 255) + 1, sizeof page);
    if (pwrite(fd, page, PAGE, (off_t)(n * 7 % PAGES) * PAGE) != PAGE || fdatasync(fd))
        die("the bare write");
    return now_ns() - from;
}

static int disk_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    for (unsigned i = 0; i < PAGES; i++)
        if (fd < 0 || pwrite(fd, (char[PAGE]){ 1 }, PAGE, (off_t)i * PAGE) != PAGE)
            die(path);
    if (fsync(fd))
        die(path);
    return fd;
}

static void tell_acts(const struct load *l, unsigned clients, double wall_s, struct spans *acts,
                      struct spans *disk)
{
    qsort(acts->at, acts->count, sizeof acts->at[0], by_value);
    printf("{\"bench\":\"fleet_acts\",\"meters\":%" PRIu64 ",\"clients\":%u,\"acts\":%zu,"
           "\"per_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f",
           l->count, clients, acts->count, (double)acts->count / wall_s, us_at(acts, 0.5),
           us_at(acts, 0.99), us_at(acts, 1));
    if (disk->count) {
        qsort(disk->at, disk->count, sizeof disk->at[0], by_value);
        printf(",\"disk_p50_us\":%.0f,\"disk_p99_us\":%.0f,\"ratio_p50\":%.2f,\"ratio_p99\":%.2f",
               us_at(disk, 0.5), us_at(disk, 0.99), us_at(acts, 0.5) / us_at(disk, 0.5),
               us_at(acts, 0.99) / us_at(disk, 0.99));
    }
    printf("}\n");
}

static void act_loop(const struct load *l, int epoll, int64_t until, int disk_fd,
                     struct spans *acts, struct spans *disk, unsigned under_way)
{
    struct epoll_event events[64];

    while (under_way) {
        int count = epoll_wait(epoll, events, 64, 10000);

        if (count <= 0)
            die("no answer for ten seconds");
        for (int i = 0; i < count; i++) {
            struct client *c = (struct client *)events[i].data.ptr;

            if (!take(c, "201"))
                continue;
            spans_add(acts, now_ns() - c->began_ns);
            if (disk_fd >= 0)
                spans_add(disk, disk_once(disk_fd, acts->count));
            act_next(l, c);
            if (now_ns() < until || c->suspended) /* all are left running, for the next run */
                act_send(l, c);
            else
                under_way--;
        }
    }
}

static void run_acts(const struct load *l, unsigned clients, unsigned seconds, const char *path)
{
    static struct client all[CLIENTS_MAX];
    struct spans acts = { malloc(SPANS_MAX * sizeof(int64_t)), 0 };
    struct spans disk = { malloc(SPANS_MAX * sizeof(int64_t)), 0 };
    int epoll = epoll_create1(EPOLL_CLOEXEC), disk_fd = path ? disk_open(path) : -1;
    int64_t began = now_ns(), slept = 0;

    if (!acts.at || !disk.at || epoll < 0)
        die("memory");
    for (unsigned i = 0; i < clients; i++) {
        struct client *c = &all[i];
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

        *c = (struct client){ .meter = i, .step = clients, .cap = 64 << 10 };
        client_open(l, c);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e))
            die("epoll");
        act_send(l, c);
    }
    act_loop(l, epoll, began + seconds * INT64_C(1000000000), disk_fd, &acts, &disk, clients);
    for (size_t i = 0; i < disk.count; i++)
        slept += disk.at[i];
    tell_acts(l, clients, (double)(now_ns() - began - slept) / 1e9, &acts, &disk);
}

/* ---- questions ---- */

static void ask_send(const struct load *l, struct client *c, const char *path, const char *accept)
{
    const char *at = strstr(path, "{serial}");
    char named[1024], text[1400];
    int len;

    if (at)
        snprintf(named, sizeof named, "%.*s%" PRIu64 "%s", (int)(at - path), path,
                 l->first + (uint64_t)random() % l->count, at + strlen("{serial}"));
    else
        snprintf(named, sizeof named, "%s", path);
    len = snprintf(text, sizeof text,
                   "GET %s HTTP/1.1\r\nHost: bench\r\nAccept: %s\r\nAuthorization: Bearer "
                   "%s\r\n\r\n",
                   named, accept, l->token);
    c->len = c->passed = 0;
    c->began_ns = now_ns();
    send_all(c->fd, text, len);
}

static void inspect_one(const struct load *l, struct client *c)
{
    static const char body[] = "{\"event\":\"inspect\",\"result\":\"pass\"}";
    char text[512];
    int len = snprintf(text, sizeof text,
                       "POST /v1/meters/%" PRIu64 "/events HTTP/1.1\r\nHost: bench\r\n"
                       "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       l->first + (uint64_t)random() % l->count, l->token, strlen(body), body);

    c->len = c->passed = 0;
    send_all(c->fd, text, len);
    while (!take(c, "201"))
        ;
}

static void run_asks(const struct load *l, unsigned times, const char *path, const char *accept,
                     bool turns)
{
    struct client c = { .cap = ROOM };
    struct spans spans = { malloc(SPANS_MAX * sizeof(int64_t)), 0 };
    int64_t first = 0;

    client_open(l, &c);
    if (!spans.at)
        die("memory");
    for (unsigned i = 0; i < times; i++) {
        if (turns)
            inspect_one(l, &c);
        ask_send(l, &c, path, accept);
        while (!take(&c, "200"))
            ;
        if (i == 0)
            first = now_ns() - c.began_ns;
        spans_add(&spans, now_ns() - c.began_ns);
    }
    qsort(spans.at, spans.count, sizeof spans.at[0], by_value);
    printf("{\"bench\":\"fleet_asks\",\"path\":\"%s\",\"times\":%u,\"bytes\":%zu,\"first_us\":%.0f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n",
           path, times, c.len + c.passed, (double)first / 1000, us_at(&spans, 0.5),
           us_at(&spans, 0.99), us_at(&spans, 1));
}

/* ---- files ---- */

static FILE *file_in(const char *folder, const char *name, const char *head)
{
    char path[600];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    if (!(f = fopen(path, "we")))
        die(path);
    setvbuf(f, NULL, _IOFBF, 1 << 20);
    fprintf(f, "%s\n", head);
    return f;
}

static const char *date_of(int64_t day, char out[16])
{
    time_t at = (time_t)day * 86400;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(out, 16, "%Y-%m-%d", &tm);
    return out;
}

static void closed(FILE *f)
{
    if (ferror(f) || fclose(f))
        die("a file");
}

#define CYCLE_DAYS 730

struct life {
    uint64_t serial, before, point; /* where it was, and is */
    char made[16], off[16], checked[16], on[16];
};

static void write_events(FILE *f, const struct life *l)
{
    uint64_t n = l->serial;

    fprintf(f, "%" PRIu64 ",install,%sT00:00:00Z,P%" PRIu64 ",0,,,,\n", n, l->made, l->before);
    fprintf(f, "%" PRIu64 ",remove,%sT08:00:00Z,,500000,,,,\n", n, l->off);
    fprintf(f, "%" PRIu64 ",to-lab,%sT09:00:00Z,,,,LAB-1,,\n", n, l->off);
    fprintf(f, "%" PRIu64 ",inspect,%sT01:00:00Z,,,pass,,,\n", n, l->checked);
    fprintf(f, "%" PRIu64 ",verify,%sT02:00:00Z,,,,,,C-%" PRIu64 "\n", n, l->checked, n);
    fprintf(f, "%" PRIu64 ",stock,%sT03:00:00Z,,,,,,\n", n, l->checked);
    fprintf(f, "%" PRIu64 ",issue,%sT01:00:00Z,,,,ISSUE-7,crew-%" PRIu64 ",\n", n, l->on, n % 40);
    fprintf(f, "%" PRIu64 ",install,%sT02:00:00Z,P%" PRIu64 ",%" PRIu64 ",,,,\n", n, l->on,
            l->point, 500000 + n % 1000);
    fprintf(f, "%" PRIu64 ",suspend,%sT05:00:00Z,,,,HALT-3,,\n", n, l->on);
    fprintf(f, "%" PRIu64 ",resume,%sT06:00:00Z,,,,,,\n", n, l->on);
}

static void write_files(const char *folder, uint64_t first, uint64_t count, int64_t today)
{
    FILE *meters = file_in(folder, "meters", "serial,model,dn,q3,batch,made_on");
    FILE *points = file_in(folder, "points", "point,account,use_class,zone,route,route_seq");
    FILE *fittings =
        file_in(folder, "fittings", "point,serial,from,start_index_l,to,end_index_l,reason");
    FILE *events =
        file_in(folder, "events", "serial,event,at,point,index_l,result,document,crew,certificate");
    struct life l;

    for (uint64_t i = 0; i < count; i++) {
        int64_t due = today - 20 + (int64_t)(i * 7 % CYCLE_DAYS), day = due - CYCLE_DAYS;

        l = (struct life){ .serial = first + i,
                           .before = first + i,
                           .point = first + (i + 1) % count };
        date_of(day - 900, l.made);
        date_of(day - 40, l.off);
        date_of(day, l.checked);
        date_of(day + 20 < today ? day + 20 : today - 1, l.on);
        fprintf(meters, "%" PRIu64 ",WPD-80,80,63,B-%" PRIu64 ",%s\n", l.serial, i / 5000, l.made);
        fprintf(points,
                "P%" PRIu64 ",A%" PRIu64 ",commercial,Z%" PRIu64 ",R%" PRIu64 ",%" PRIu64 "\n",
                l.serial, l.serial, i / 5000, i / 300, i % 300);
        fprintf(fittings, "P%" PRIu64 ",%" PRIu64 ",%sT00:00:00Z,0,%sT08:00:00Z,500000,periodic\n",
                l.before, l.serial, l.made, l.off);
        write_events(events, &l);
    }
    closed(meters);
    closed(points);
    closed(fittings);
    closed(events);
}

static void read_server(struct load *l, const char *address, const char *token_file)
{
    const char *colon = strrchr(address, ':');
    char host[32];
    FILE *f = fopen(token_file, "re");

    if (!colon || !f || fscanf(f, "%79s", l->token) != 1)
        die(token_file);
    fclose(f);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    l->to.sin_family = AF_INET;
    l->to.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &l->to.sin_addr) != 1)
        die(address);
}

int main(int argc, char **argv)
{
    static struct load l;
    unsigned n;

    if (argc == 6 && strcmp(argv[1], "files") == 0) {
        write_files(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
                    atoll(argv[5]));
        return 0;
    }
    if (argc < 8 || (strcmp(argv[1], "acts") != 0 && strcmp(argv[1], "asks") != 0 &&
                     strcmp(argv[1], "turns") != 0)) {
        fprintf(stderr, "bench_fleet acts ADDR:PORT TOKEN-FILE FIRST COUNT CLIENTS SECONDS [FILE]\n"
                        "bench_fleet asks ADDR:PORT TOKEN-FILE FIRST COUNT TIMES PATH [ACCEPT]\n"
                        "bench_fleet turns ADDR:PORT TOKEN-FILE FIRST COUNT TIMES PATH\n"
                        "bench_fleet files FOLDER FIRST COUNT DAY\n");
        return 2;
    }
    read_server(&l, argv[2], argv[3]);
    l.first = strtoull(argv[4], NULL, 10);
    l.count = strtoull(argv[5], NULL, 10);
    n = (unsigned)atoi(argv[6]);
    if (!n || !l.count || (argv[1][1] == 'c' && (n > CLIENTS_MAX || n > l.count)))
        return 2;
    if (argv[1][1] == 'c')
        run_acts(&l, argc > 8 ? 1 : n, (unsigned)atoi(argv[7]), argc > 8 ? argv[8] : NULL);
    else
        run_asks(&l, n, argv[7], argc > 8 ? argv[8] : "application/json", argv[1][0] == 't');
    return 0;
}
