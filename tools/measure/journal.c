/* What a durable report costs: one JSON line per figure.
 *
 *   bench_journal [FOLDER]   on the disk of FOLDER (default: here); leaves nothing behind
 *
 * Reports of 100 bytes over IPv4 from a million meters, 32 to 2 048 to a commit.  Bytes written are
 * the kernel's count for this process (write_bytes of /proc/self/io); times are medians. */
#include "storage/journal.h"
#include "storage/tail.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define METERS 1000000
#define ROUNDS 200

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_journal: %s %s\n", what, err_text(err));
    exit(1);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof(*times), by_size);
    return times[count / 2];
}

static uint64_t bytes_written(void)
{
    FILE *f = fopen("/proc/self/io", "re");
    unsigned long long bytes = 0;
    char line[128];

    while (f && fgets(line, sizeof(line), f) && sscanf(line, "write_bytes: %llu", &bytes) != 1)
        continue;
    if (f)
        fclose(f);
    return bytes;
}

static void fill(struct batch *b, unsigned reports)
{
    static uint8_t bytes[100];
    uint32_t offset;

    batch_clear(b);
    for (unsigned i = 0; i < reports; i++) {
        struct record r = { .kind = RECORD_FRAME,
                            .dialect = 1,
                            .transport = TRANSPORT_COAP,
                            .meter = 1 + (uint32_t)random() % METERS,
                            .arrival_s = 1780000000 + i / 100,
                            .peer = { 4, { 10, 0, (uint8_t)i, 1 }, 5683 },
                            .bytes = { bytes, sizeof(bytes) } };

        bytes[i % 100]++;
        must(batch_add(b, &r, &offset), "a record");
    }
}

static void measure_commits(struct journal *j, unsigned reports)
{
    static double times[ROUNDS];
    struct batch *b;
    uint64_t number, before, written;

    must(batch_new(&b), "a batch");
    fill(b, reports);
    must(journal_commit(j, (struct batch *const[]){ b }, 1, &number), "the journal");
    before = bytes_written();
    for (unsigned i = 0; i < ROUNDS; i++) {
        double start;

        fill(b, reports);
        start = now_us();
        must(journal_commit(j, (struct batch *const[]){ b }, 1, &number), "the journal");
        times[i] = now_us() - start;
    }
    written = bytes_written() - before;
    printf("{\"bench\":\"journal\",\"figure\":\"commit\",\"reports\":%u,\"us\":%.0f,\"batch_bytes_"
           "per_report\":%.1f,"
           "\"written_bytes_per_report\":%.1f}\n",
           reports, median(times, ROUNDS), (double)batch_bytes(b) / reports,
           (double)written / ROUNDS / reports);
    batch_free(b);
}

/* Every record once in order, then once in disorder. */
static void measure_reading(struct journal *j)
{
    struct journal_reader *r;
    uint64_t position = 0, at, *all = NULL;
    size_t count = 0, cap = 0;
    struct record record;
    double start = now_us();
    enum err err;

    must(journal_reader_open(j, &r), "a reader");
    while (!(err = journal_next(r, &position, &at, &record))) {
        if (count == cap && !(all = realloc(all, (cap = cap ? 2 * cap : 65536) * sizeof(*all))))
            must(ERR_NO_MEMORY, "positions");
        all[count++] = at;
    }
    if (err != ERR_NOT_FOUND)
        must(err, "the journal");
    printf("{\"bench\":\"journal\",\"figure\":\"walk\",\"records\":%zu,\"ns_per_record\":%.0f}\n",
           count, (now_us() - start) * 1e3 / (double)count);
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)random() % i;
        uint64_t swap = all[i - 1];

        all[i - 1] = all[other];
        all[other] = swap;
    }
    start = now_us();
    for (size_t i = 0; i < count; i++)
        must(journal_get(r, all[i], &record), "a record");
    printf("{\"bench\":\"journal\",\"figure\":\"get\",\"records\":%zu,\"ns_per_record\":%.0f}\n",
           count, (now_us() - start) * 1e3 / (double)count);
    journal_reader_close(r);
    free(all);
}

static void measure_tail(void)
{
    static struct tail_entry entries[1000];
    static double times[2000];
    struct tail *t;

    must(tail_new(&t), "a tail");
    for (unsigned i = 0; i < 2000; i++) {
        double start;

        for (unsigned k = 0; k < 1000; k++)
            entries[k] =
                (struct tail_entry){ 1 + (uint32_t)random() % METERS, (uint64_t)i * 1000 + k };
        start = now_us();
        must(tail_add(t, entries, 1000), "the tail");
        times[i] = now_us() - start;
    }
    printf("{\"bench\":\"journal\",\"figure\":\"tail_add\",\"entries\":1000,\"meters\":%u,\"us\":%."
           "1f}\n",
           METERS, median(times, 2000));
    tail_free(t);
}

int main(int argc, char **argv)
{
    static const unsigned reports[] = { 32, 100, 300, 1000, 2048 };
    struct refusal r = { 0 };
    struct journal *j;
    char dir[512], command[600];

    snprintf(dir, sizeof(dir), "%s/bench-journal-XXXXXX", argc > 1 ? argv[1] : ".");
    if (!mkdtemp(dir) || journal_open(dir, NULL, DB_CREATE, &j, &r)) {
        fprintf(stderr, "bench_journal: %s: %s\n", dir, r.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        measure_commits(j, reports[i]);
    measure_reading(j);
    journal_close(j);
    measure_tail();
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    return system(command) ? 1 : 0;
}
