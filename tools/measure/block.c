/* How small and how fast blocks are: one JSON line per figure.
 *
 *   bench_block [FILE.csv.xz]   lines meter,local_time,index_l in Europe/Madrid;
 *                               without a file: a made-up set, the same every time
 *
 * Speeds are medians over runs, by the processor time of one thread.  `grid`: the same values with
 * their times rounded to the nearest full hour.  `archive`: the set put into a real archive and
 * tidied.  Baselines of the same run: 16 raw bytes a row through memcpy;
 * each block's time and value steps as two columns of 32 bits through zstd -19; the same columns of
 * the whole set in one piece (no access to a single meter). */
#include "storage/block.h"
#include "proto/base/day.h"
#include "proto/base/text.h"
#include "proto/facts.h"
#include "storage/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define UNIT_ML 1000
#define ROUNDS 9

/* Blocks: rows [begin[i], begin[i + 1]) of one meter and month. */
struct set {
    const char *name;
    struct rows rows;
    size_t *begin, blocks, cap;
    uint32_t *month_s;
};

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_block: %s %s\n", what, err_text(err));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_figure(const struct set *set, const char *figure, double value, const char *unit)
{
    printf(
        "{\"bench\":\"block\",\"set\":\"%s\",\"figure\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n",
        set->name, figure, value, unit);
    fflush(stdout);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static uint32_t month_start(uint32_t time_s)
{
    struct civil c = day_civil(time_s);

    return (uint32_t)(day_number(c.year, c.month, 1) * 86400);
}

static void set_add(struct set *set, bool new_meter, struct row row)
{
    uint32_t month_s = month_start(row.time_s);

    if (new_meter || set->month_s[set->blocks - 1] != month_s) {
        if (set->blocks + 2 > set->cap) {
            set->cap = set->cap ? 2 * set->cap : 1024;
            set->begin = realloc(set->begin, set->cap * sizeof *set->begin);
            set->month_s = realloc(set->month_s, set->cap * sizeof *set->month_s);
            must(set->begin && set->month_s ? ERR_OK : ERR_NO_MEMORY, "the set");
        }
        set->begin[set->blocks] = set->rows.count;
        set->month_s[set->blocks++] = month_s;
    }
    must(rows_push(&set->rows, row), "the set");
    set->begin[set->blocks] = set->rows.count;
}

static void set_done(struct set *set)
{
    rows_done(&set->rows);
    free(set->begin);
    free(set->month_s);
}

static void read_zone(struct zone *z)
{
    static uint8_t bytes[65536];
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Madrid", "rb");

    must(f ? ERR_OK : ERR_NOT_FOUND, "/usr/share/zoneinfo/Europe/Madrid");
    must(zone_read(z, "Europe/Madrid", span_of(bytes, fread(bytes, 1, sizeof bytes, f))),
         "Europe/Madrid");
    fclose(f);
}

static void set_read(struct set *set, const char *path)
{
    struct zone *z = calloc(1, sizeof *z);
    char command[4096], line[256], meter[64] = "";

    must(z ? ERR_OK : ERR_NO_MEMORY, "the zone");
    read_zone(z);
    snprintf(command, sizeof command, "xzcat -- '%s'", path);
    FILE *f = popen(command, "r");

    must(f && fgets(line, sizeof line, f) ? ERR_OK : ERR_NOT_FOUND, path);
    while (fgets(line, sizeof line, f)) {
        char name[64], when[64];
        int64_t litres, time_s;

        if (sscanf(line, "%63[^,],%63[^,],%" SCNd64, name, when, &litres) != 3)
            must(ERR_MALFORMED, line);
        must(text_time(span_text(when), z, &time_s), when);
        set_add(set, strcmp(name, meter) != 0,
                (struct row){ .value = litres * 1000, .time_s = (uint32_t)time_s });
        snprintf(meter, sizeof meter, "%s", name);
    }
    if (pclose(f) != 0)
        must(ERR_IO, path);
    free(z);
}

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int64_t made_up_litres(uint64_t *state, uint32_t hour)
{
    uint64_t r = random_next(state);

    if (r % 8 < (hour > 22 || hour < 6 ? 7 : 3))
        return 0;
    return 1 + (int64_t)(r >> 8) % (1 << ((r >> 40) % 8));
}

/* 64 households for a year: sessions of four readings, each at a phase that drifts; some sessions
 * are lost. */
static void set_make_up(struct set *set)
{
    uint64_t state = 1;

    for (unsigned meter = 0; meter < 64; meter++) {
        uint32_t phase_s = (uint32_t)random_next(&state) % 3600;
        int64_t litres = (int64_t)(random_next(&state) % 1000000);
        bool first = true, lost = false;

        for (uint32_t hour = 0; hour < 365 * 24; hour++) {
            if (hour % 4 == 0) {
                lost = random_next(&state) % 100 == 0;
                phase_s = (phase_s + (uint32_t)(random_next(&state) % 9)) % 3600;
            }
            litres += made_up_litres(&state, hour % 24);
            if (lost)
                continue;
            set_add(set, first,
                    (struct row){ .value = litres * 1000,
                                  .time_s = 1456790400u + hour * 3600 + phase_s });
            first = false;
        }
    }
}

static void set_snap(struct set *set, const struct set *from)
{
    for (size_t b = 0; b < from->blocks; b++) {
        for (size_t i = from->begin[b]; i < from->begin[b + 1]; i++) {
            struct row row = from->rows.at[i];
            bool new_meter =
                i == from->begin[b] && (b == 0 || from->month_s[b] <= from->month_s[b - 1]);

            row.time_s = (row.time_s + 1800) / 3600 * 3600;
            set_add(set, new_meter, row);
        }
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

struct packed {
    uint8_t *bytes;
    size_t *end;
};

static size_t pack_all(const struct set *set, uint8_t *scratch, size_t cap, struct packed *out)
{
    size_t total = 0;

    for (size_t b = 0; b < set->blocks; b++) {
        size_t len = block_pack(set->rows.at + set->begin[b], set->begin[b + 1] - set->begin[b],
                                set->month_s[b], UNIT_ML, scratch, cap);

        memcpy(out->bytes + total, scratch, len);
        out->end[b] = total += len;
    }
    return total;
}

static void unpack_all(const struct set *set, const struct packed *packed, struct rows *rows,
                       bool compare)
{
    for (size_t b = 0; b < set->blocks; b++) {
        size_t from = b ? packed->end[b - 1] : 0;
        size_t count = set->begin[b + 1] - set->begin[b];

        rows->count = 0;
        must(block_unpack(span_of(packed->bytes + from, packed->end[b] - from), set->month_s[b],
                          UNIT_ML, count, rows),
             "a block");
        if (compare &&
            memcmp(rows->at, set->rows.at + set->begin[b], count * sizeof(struct row)) != 0)
            must(ERR_CORRUPT, "a block's content");
    }
}

static size_t longest(const struct set *set)
{
    size_t most = 0;

    for (size_t b = 0; b < set->blocks; b++)
        if (set->begin[b + 1] - set->begin[b] > most)
            most = set->begin[b + 1] - set->begin[b];
    return most;
}

static double median_speed(const struct set *set, double *seconds)
{
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    return (double)set->rows.count / seconds[ROUNDS / 2] / 1e6;
}

static void measure_blocks(const struct set *set)
{
    size_t cap = block_bound(longest(set));
    uint8_t *scratch = malloc(cap);
    struct packed packed = { malloc(set->rows.count * 20 + 1024),
                             malloc(set->blocks * sizeof(size_t)) };
    struct rows rows = { 0 };
    double pack_s[ROUNDS], unpack_s[ROUNDS];
    size_t total = 0;

    must(scratch && packed.bytes && packed.end ? ERR_OK : ERR_NO_MEMORY, "the blocks");
    for (int i = 0; i < ROUNDS; i++) {
        double begin_s = now_s();

        total = pack_all(set, scratch, cap, &packed);
        pack_s[i] = now_s() - begin_s;
    }
    unpack_all(set, &packed, &rows, true);
    for (int i = 0; i < ROUNDS; i++) {
        double begin_s = now_s();

        unpack_all(set, &packed, &rows, false);
        unpack_s[i] = now_s() - begin_s;
    }
    print_figure(set, "rows", (double)set->rows.count, "rows");
    print_figure(set, "blocks", (double)set->blocks, "blocks");
    print_figure(set, "size", (double)total / (double)set->rows.count, "bytes/reading");
    print_figure(set, "encode", median_speed(set, pack_s), "M readings/s");
    print_figure(set, "decode", median_speed(set, unpack_s), "M readings/s");
    rows_done(&rows);
    free(packed.bytes);
    free(packed.end);
    free(scratch);
}

/* ---- a whole archive ------------------------------------------------------------------------- */

struct meters {
    struct rows *at; /* views into the set, shortened as days go by */
    size_t count;
};

static struct meters meters_of(const struct set *set, unsigned copies)
{
    struct meters m = { calloc(set->blocks * copies, sizeof *m.at), 0 };

    must(m.at ? ERR_OK : ERR_NO_MEMORY, "the meters");
    for (size_t b = 0; b < set->blocks; b++) {
        size_t count = set->begin[b + 1] - set->begin[b];

        if (b == 0 || set->month_s[b] <= set->month_s[b - 1])
            m.at[m.count++].at = set->rows.at + set->begin[b];
        m.at[m.count - 1].count += count;
    }
    for (size_t i = 0; i < m.count * (copies - 1); i++)
        m.at[m.count + i] = m.at[i];
    m.count *= copies;
    return m;
}

/* Moves the rows before `end_s` from the meter's to the pass. */
static void put_day(struct archive_pass *p, uint32_t meter, struct rows *rows, uint32_t end_s)
{
    size_t count = 0;

    while (count < rows->count && rows->at[count].time_s < end_s)
        count++;
    must(archive_pass_put(p, meter, CHANNEL_FORWARD, UNIT_ML, rows->at, count), "a pass");
    rows->at += count;
    rows->count -= count;
}

static void fill_archive(struct archive *a, struct meters *m, uint32_t day_s, uint32_t step_s)
{
    bool left = true;

    while (left) {
        struct archive_pass *p = NULL;
        bool more = true;

        day_s += step_s;
        left = false;
        must(archive_pass_begin(a, 0, &p), "a pass");
        for (size_t i = 0; i < m->count; i++) {
            put_day(p, (uint32_t)i + 1, &m->at[i], day_s);
            left |= m->at[i].count > 0;
        }
        must(archive_pass_end(p, day_s), "a pass");
        while (more)
            must(archive_tidy(a, left ? day_s : UINT32_MAX, 1 << 24, &more), "tidying");
    }
}

static void measure_reads(const struct set *set, struct archive *a)
{
    double seconds[ROUNDS];
    struct rows rows = { 0 };

    for (int i = 0; i < ROUNDS; i++) {
        uint32_t meter = 0;
        double begin_s = now_s();

        for (size_t b = 0; b < set->blocks; b++) {
            meter += b == 0 || set->month_s[b] <= set->month_s[b - 1];
            rows.count = 0;
            must(archive_read(a, meter, CHANNEL_FORWARD, set->month_s[b],
                              set->month_s[b] + 28 * INT64_C(86400), &rows),
                 "a read");
        }
        seconds[i] = now_s() - begin_s;
    }
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    print_figure(set, "archive: read of a month of a meter",
                 seconds[ROUNDS / 2] / (double)set->blocks * 1e6, "us");
    rows_done(&rows);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = { "archive.mdb", "archive.mdb-lock" };
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static uint32_t first_month_s(const struct set *set)
{
    uint32_t first_s = UINT32_MAX;

    for (size_t b = 0; b < set->blocks; b++)
        first_s = set->month_s[b] < first_s ? set->month_s[b] : first_s;
    return first_s;
}

static void print_sizes(const struct set *set, struct archive *a, const char *how, size_t meters)
{
    struct archive_stat s;
    char figure[96];

    must(archive_stat(a, &s), "the archive");
    snprintf(figure, sizeof figure, "archive, %zu meters %s: chunks", meters, how);
    print_figure(set, figure, (double)s.chunk_bytes / (double)s.rows, "bytes/reading");
    snprintf(figure, sizeof figure, "archive, %zu meters %s: whole file", meters, how);
    print_figure(set, figure, (double)s.file_bytes / (double)s.rows, "bytes/reading");
    snprintf(figure, sizeof figure, "archive, %zu meters %s: pages in use", meters, how);
    print_figure(set, figure, (double)s.used_bytes / (double)s.rows, "bytes/reading");
}

/* Settled in steps of `step_s`, tidied after each. Pages that lie free and wait for the next month
 * count: day by day they are worth about two months. */
static void measure_archive(const struct set *set, unsigned copies, uint32_t step_s,
                            const char *how)
{
    char folder[] = "/tmp/bench_block.XXXXXX";
    struct meters m = meters_of(set, copies);
    struct archive *a;

    must(mkdtemp(folder) ? ERR_OK : ERR_IO, folder);
    must(archive_open(folder, DB_CREATE, &a, NULL), folder);
    fill_archive(a, &m, first_month_s(set), step_s);
    print_sizes(set, a, how, m.count);
    if (copies == 10)
        measure_reads(set, a);
    archive_close(a);
    remove_folder(folder);
    free(m.at);
}

/* ---- baselines ------------------------------------------------------------------------------- */

static void measure_memcpy(const struct set *set)
{
    struct row *copy = malloc(set->rows.count * sizeof *copy);
    double seconds[ROUNDS];
    volatile uint8_t seen = 0;

    must(copy ? ERR_OK : ERR_NO_MEMORY, "a copy");
    for (int i = 0; i < ROUNDS; i++) {
        double begin_s = now_s();

        for (size_t b = 0; b < set->blocks; b++) {
            memcpy(copy, set->rows.at + set->begin[b],
                   (set->begin[b + 1] - set->begin[b]) * sizeof *copy);
            seen ^= ((const volatile uint8_t *)copy)[0];
        }
        seconds[i] = now_s() - begin_s;
    }
    print_figure(set, "baseline: raw size", sizeof(struct row), "bytes/reading");
    print_figure(set, "baseline: raw memcpy", median_speed(set, seconds), "M readings/s");
    free(copy);
}

static void fill_columns(const struct row *rows, size_t count, int32_t *columns)
{
    struct row last = { 0 };

    for (size_t i = 0; i < count; i++) {
        columns[i] = (int32_t)(rows[i].time_s - last.time_s);
        columns[count + i] = (int32_t)((rows[i].value - last.value) / UNIT_ML);
        last = rows[i];
    }
}

static size_t zstd_columns(const struct row *rows, size_t count, int32_t *columns, void *out,
                           size_t cap)
{
    fill_columns(rows, count, columns);
    size_t len = ZSTD_compress(out, cap, columns, 2 * count * sizeof *columns, 19);

    must(ZSTD_isError(len) ? ERR_IO : ERR_OK, "zstd");
    return len;
}

static void measure_zstd(const struct set *set)
{
    int32_t *columns = malloc(2 * set->rows.count * sizeof *columns);
    size_t cap = ZSTD_compressBound(2 * set->rows.count * sizeof *columns), total = 0;
    void *out = malloc(cap);

    must(columns && out ? ERR_OK : ERR_NO_MEMORY, "zstd");
    for (size_t b = 0; b < set->blocks; b++)
        total += zstd_columns(set->rows.at + set->begin[b], set->begin[b + 1] - set->begin[b],
                              columns, out, cap);
    print_figure(set, "baseline: zstd -19 of each block's columns",
                 (double)total / (double)set->rows.count, "bytes/reading");
    total = zstd_columns(set->rows.at, set->rows.count, columns, out, cap);
    print_figure(set, "baseline: zstd -19 of the whole set's columns",
                 (double)total / (double)set->rows.count, "bytes/reading");
    free(columns);
    free(out);
}

int main(int argc, char **argv)
{
    struct set set = { .name = argc > 1 ? "file" : "made-up" };
    struct set grid = { .name = argc > 1 ? "file, grid" : "made-up, grid" };

    if (argc > 1)
        set_read(&set, argv[1]);
    else
        set_make_up(&set);
    set_snap(&grid, &set);
    measure_blocks(&set);
    measure_blocks(&grid);
    measure_archive(&set, 1, 400 * 86400, "in one import");
    measure_archive(&set, 10, 400 * 86400, "in one import");
    measure_archive(&set, 1, 86400, "day by day");
    measure_archive(&set, 10, 86400, "day by day");
    measure_memcpy(&set);
    measure_zstd(&set);
    set_done(&set);
    set_done(&grid);
    return 0;
}
