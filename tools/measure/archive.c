/* How fast a fleet's day is settled, merged and read: one JSON line per figure.
 *
 *   bench_archive [METERS]   default 200 000; each brings 24 hourly readings a day, for 8 days
 *
 * Times are of the wall clock and of the one thread that does the work; the baseline is the same
 * bytes written and synced as one plain file. */
#include "storage/archive.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MARCH 1456790400u
#define KINDS 1024 /* of households */
#define DAYS 8
#define READS 20000

static struct row days[KINDS][DAYS * 24];

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_archive: %s %s\n", what, err_text(err));
    exit(1);
}

static double clock_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct watch {
    double wall_s, processor_s;
};

static struct watch watch_begin(void)
{
    return (struct watch){ clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_THREAD_CPUTIME_ID) };
}

static void print_figure(const char *figure, double value, const char *unit)
{
    printf("{\"bench\":\"archive\",\"figure\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", figure,
           value, unit);
    fflush(stdout);
}

static void watch_end(struct watch w, const char *figure)
{
    char text[96];

    snprintf(text, sizeof text, "%s, wall", figure);
    print_figure(text, clock_s(CLOCK_MONOTONIC) - w.wall_s, "s");
    snprintf(text, sizeof text, "%s, processor", figure);
    print_figure(text, clock_s(CLOCK_THREAD_CPUTIME_ID) - w.processor_s, "s");
}

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void make_days(void)
{
    uint64_t state = 1;

    for (unsigned k = 0; k < KINDS; k++) {
        uint32_t phase_s = (uint32_t)(random_next(&state) % 3000);
        int64_t litres = (int64_t)(random_next(&state) % 1000000);

        for (unsigned i = 0; i < DAYS * 24; i++) {
            phase_s += i % 4 ? 0 : (uint32_t)(random_next(&state) % 5);
            litres += random_next(&state) % 2 ? 0 : (int64_t)(random_next(&state) % 60);
            days[k][i] =
                (struct row){ .value = litres * 1000, .time_s = MARCH + i * 3600 + phase_s };
        }
    }
}

static void settle_day(struct archive *a, uint32_t meters, unsigned day)
{
    struct archive_pass *p = NULL;

    must(archive_pass_begin(a, 0, &p), "a pass");
    for (uint32_t meter = 1; meter <= meters; meter++)
        must(archive_pass_put(p, meter, CHANNEL_FORWARD, 1000, days[meter % KINDS] + 24 * day, 24),
             "a pass");
    must(archive_pass_end(p, day + 1), "a pass");
}

static void tidy(struct archive *a, int64_t now_s)
{
    bool more = true;

    while (more)
        must(archive_tidy(a, now_s, 64 << 20, &more), "tidying");
}

static void measure_reads(struct archive *a, uint32_t meters, const char *figure)
{
    struct rows rows = { 0 };
    uint64_t state = 7;
    double begin_s = clock_s(CLOCK_THREAD_CPUTIME_ID);

    for (unsigned i = 0; i < READS; i++) {
        rows.count = 0;
        must(archive_read(a, 1 + (uint32_t)(random_next(&state) % meters), CHANNEL_FORWARD, 0,
                          INT64_MAX, &rows),
             "a read");
        if (rows.count != DAYS * 24)
            must(ERR_MISSING, "a read");
    }
    print_figure(figure, (clock_s(CLOCK_THREAD_CPUTIME_ID) - begin_s) / READS * 1e6, "us");
    rows_done(&rows);
}

static void write_file(const char *folder, uint64_t bytes)
{
    static uint8_t piece[8 << 20];
    char path[128];

    snprintf(path, sizeof path, "%s/plain", folder);

    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    struct watch w = watch_begin();

    must(fd < 0 ? ERR_IO : ERR_OK, path);
    for (uint64_t done = 0; done < bytes; done += sizeof piece)
        if (write(fd, piece, sizeof piece) != (ssize_t)sizeof piece || fdatasync(fd))
            must(ERR_IO, path);
    watch_end(w, "baseline: a day's bytes into a plain file");
    close(fd);
    unlink(path);
}

static void measure(const char *folder, uint32_t meters)
{
    struct archive_stat s;
    struct archive *a = NULL;
    struct watch w;

    must(archive_open(folder, DB_CREATE, &a, NULL), folder);
    print_figure("meters", meters, "meters");
    w = watch_begin();
    settle_day(a, meters, 0);
    watch_end(w, "settle a day");
    must(archive_stat(a, &s), "stat");
    print_figure("a day's runs", (double)s.chunk_bytes / (double)s.rows, "bytes/reading");
    write_file(folder, s.chunk_bytes);
    for (unsigned day = 1; day < DAYS; day++)
        settle_day(a, meters, day);
    measure_reads(a, meters, "read 8 days in 8 runs");
    w = watch_begin();
    tidy(a, MARCH);
    watch_end(w, "merge 8 days");
    must(archive_stat(a, &s), "stat");
    print_figure("8 days in one run", (double)s.chunk_bytes / (double)s.rows, "bytes/reading");
    measure_reads(a, meters, "read 8 days in one run");
    archive_close(a);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "archive.mdb", "archive.mdb-lock" };
    char folder[] = "/tmp/bench_archive.XXXXXX", path[128];
    uint32_t meters = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200000;

    if (meters == 0 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench_archive [METERS]\n");
        return 2;
    }
    make_days();
    measure(folder, meters);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}
