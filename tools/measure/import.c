/* What importing costs, against a whole store on disk: meters, the registry, readings in both
 * orders that files come in.
 *
 *     bench_import [meters [hours]]        default 100 000 and 20
 *
 * One JSON line a figure. */
#include "proto/base/text.h"
#include "server/acts/act.h"
#include "server/app_open.h"
#include "server/fleet/columns.h"
#include "server/registers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOW INT64_C(1772416800)

struct bench {
    struct app app;
    char folder[64], file[96];
    unsigned meters, hours;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(const char *what, double count, double took_s)
{
    printf("{\"what\":\"%s\",\"count\":%.0f,\"seconds\":%.3f,\"per_s\":%.0f,\"ns_each\":%.0f}\n",
           what, count, took_s, count / took_s, took_s / count * 1e9);
    fflush(stdout);
}

static void or_die(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_import: %s %s\n", what, err_text(err));
    exit(1);
}

static void import(struct bench *b, const char *list, const char *what)
{
    static const struct caller root = { .role = ROLE_ADMIN, .who = "bench" };
    const struct import_options options = { 0 };
    struct import_report report;
    struct refusal r = { 0 };
    int fd = open(b->file, O_RDONLY);
    double from_s = seconds();
    enum err err = act_import(&b->app, &root, span_text(list), fd, &options, &report, &r);

    tell(what, (double)report.rows, seconds() - from_s);
    if (err || report.written + report.unchanged != report.rows)
        fprintf(stderr, "bench_import: %s: %s\n", what, r.text);
    close(fd);
    import_report_done(&report);
    or_die(err, what);
}

static void meters_file(struct bench *b)
{
    FILE *f = fopen(b->file, "w");

    fprintf(
        f, "serial,model,dn,q3,r,digits,register,batch,supplier,made_on,verified_on,certificate\n");
    for (unsigned m = 1; m <= b->meters; m++)
        fprintf(f, "M%08u,LXS-15E,15,2.5,100,5,forward,B7,Jinhe,2025-01-02,2025-02-03,JL-%u\n", m,
                m);
    fclose(f);
}

static void points_file(struct bench *b)
{
    FILE *f = fopen(b->file, "w");

    fprintf(f, "point,account,address,lon,lat,use_class,zone,route,route_seq\n");
    for (unsigned m = 1; m <= b->meters; m++)
        fprintf(f, "P%08u,A%08u,%u Willow Lane,121.47%04u,31.23%04u,residential,Z%u,R%u,%u\n", m, m,
                m % 300, m % 10000, m % 10000, m / 3000, m / 500, m % 500);
    fclose(f);
}

static void fittings_file(struct bench *b)
{
    FILE *f = fopen(b->file, "w");

    fprintf(f, "point,serial,from,start_index_l\n");
    for (unsigned m = 1; m <= b->meters; m++)
        fprintf(f, "P%08u,M%08u,2025-03-01T02:00:00Z,0\n", m, m);
    fclose(f);
}

static void reading(FILE *f, unsigned m, unsigned h, unsigned base_h)
{
    char at[TEXT_TIME_SIZE];

    text_put_time(at, 1764547200 + (int64_t)(base_h + h) * 3600);
    fprintf(f, "M%08u,%s,%u\n", m, at, m % 9999 + (base_h + h) * (m % 13));
}

static void readings_file(struct bench *b, bool by_meter, unsigned base_h)
{
    FILE *f = fopen(b->file, "w");

    fprintf(f, "serial,time,index_l\n");
    if (by_meter) {
        for (unsigned m = 1; m <= b->meters; m++)
            for (unsigned h = 0; h < b->hours; h++)
                reading(f, m, h, base_h);
    } else {
        for (unsigned h = 0; h < b->hours; h++)
            for (unsigned m = 1; m <= b->meters; m++)
                reading(f, m, h, base_h);
    }
    fclose(f);
}

#define FINDS 1000000u

/* Names in random order, written before the clock starts. */
static char (*random_names(const struct bench *b))[12]
{
    char(*names)[12] = (char(*)[12])malloc(FINDS * sizeof *names);
    uint64_t x = 88172645463325252;

    for (unsigned i = 0; names && i < FINDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        snprintf(names[i], sizeof names[i], "M%08u", (unsigned)(x % b->meters) + 1);
    }
    return names;
}

static void registry_timed(struct bench *b)
{
    char(*names)[12] = random_names(b);
    struct registry *r = NULL;
    double from_s;
    unsigned found = 0;

    or_die(names ? registry_new(&r) : ERR_NO_MEMORY, "registry");
    from_s = seconds();
    or_die(registry_load(r, b->app.ledger, LIST_METER, &meter_cells), "registry");
    tell("registry load", b->meters, seconds() - from_s);
    from_s = seconds();
    for (unsigned i = 0; i < FINDS; i++)
        found += registry_find(r, span_of(names[i], 9)) != 0;
    tell("registry find in random order", FINDS, seconds() - from_s);
    from_s = seconds();
    registry_read_lock(r);
    for (unsigned i = 0; i < FINDS; i++)
        found += registry_find_lkd(r, span_of(names[i], 9)) != 0;
    registry_read_unlock(r);
    tell("the same under one lock", FINDS, seconds() - from_s);
    printf("{\"what\":\"registry bytes a meter\",\"value\":%.1f,\"found\":%u}\n",
           (double)registry_bytes(r) / b->meters, found);
    registry_free(r);
    free(names);
}

static void run(struct bench *b)
{
    meters_file(b);
    import(b, "meters", "meters");
    points_file(b);
    import(b, "points", "points");
    fittings_file(b);
    import(b, "fittings", "fittings");
    printf("{\"what\":\"ledger bytes a meter with its point and fitting\",\"value\":%.1f}\n",
           (double)ledger_bytes(b->app.ledger) / b->meters);
    import(b, "fittings", "fittings again");
    registry_timed(b);
    readings_file(b, true, 0);
    import(b, "readings", "readings by meter, empty store");
    readings_file(b, true, b->hours);
    import(b, "readings", "readings by meter");
    import(b, "readings", "readings by meter again");
    readings_file(b, false, 2 * b->hours);
    import(b, "readings", "readings by hour");
}

int main(int argc, char **argv)
{
    struct bench *b = (struct bench *)calloc(1, sizeof *b);
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90, .settle_every_s = 3600 };
    struct refusal r = { 0 };
    char command[128];

    if (!b)
        return 1;
    b->meters = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    b->hours = argc > 2 ? (unsigned)atoi(argv[2]) : 20;
    snprintf(b->folder, sizeof b->folder, "/var/tmp/bench-import-XXXXXX");
    if (!mkdtemp(b->folder))
        return 1;
    snprintf(b->file, sizeof b->file, "%s/file", b->folder);
    o.dir = b->folder;
    clock_virtual(&b->app.clock, NOW);
    or_die(app_open_store(&b->app, &o, &r), r.text);
    or_die(app_start(&b->app, &o, &r), r.text);
    run(b);
    app_stop(&b->app);
    app_close_store(&b->app);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    free(b);
    return system(command) ? 1 : 0;
}
