/* What it costs to judge a day of hourly readings, and how many bytes are remembered of a meter: one JSON line a figure.
 *
 *   bench_judge [METERS]   default 100 000; each has a month of hourly readings before the day that is measured
 *
 * fold    detectors alone, on two threads: states in memory, rows as the archive gives them.  Baseline: those very rows decoded from the archive
 * pass    the judge as the settling thread calls it, by one thread and by two: look-ups in the register, rows out of the archive, detectors, flags, states. Of two threads half of their
 *         processor time, for neighbours must not show, and the time that passed, in which they do
 *         back into views.  Beside it the same rows read from the archive and nothing else
 *
 * Times are of the processor, of all threads together ÷ threads: on a quiet machine with two cores that is what the wall clock shows, but for the disk. */
#include "server/judge.h"
#include "server/app_open.h"
#include "server/registers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOVEMBER 1793462400u /* 2026-11-01T00:00:00+08:00 */
#define KINDS 1024           /* of households */
#define DAYS 31
#define THREADS 2
#define TEN_MILLION 1e7

static struct row days[KINDS][DAYS * 24];

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_judge: %s: %s\n", what, err_text(err));
    exit(1);
}

static double clock_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_figure(const char *figure, double value, const char *unit)
{
    printf("{\"figure\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", figure, value, unit);
    fflush(stdout);
}

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Homes: no use in most hours of the night, up to 60 L in half of those of the day; one in 32 leaks, one in 32 stands still from the tenth day on. */
static void make_days(void)
{
    uint64_t state = 1;

    for (unsigned k = 0; k < KINDS; k++) {
        uint32_t phase_s = (uint32_t)(random_next(&state) % 3000);
        int64_t litres = (int64_t)(random_next(&state) % 1000000);

        for (unsigned i = 0; i < DAYS * 24; i++) {
            unsigned hour = i % 24, chance = hour < 6 ? 12 : 2;

            if (!(k % 32 == 1 && i >= 240)) {
                litres += random_next(&state) % chance ? 0 : (int64_t)(random_next(&state) % 60);
                litres += k % 32 == 2 && i >= 240 ? 12 : 0;
            }
            days[k][i] =
                (struct row){ .value = litres * 1000, .time_s = NOVEMBER + i * 3600 + phase_s };
        }
    }
}

/* ---- detectors alone ---- */

struct worker {
    pthread_t thread;
    uint32_t meters;
    unsigned from, to; /* readings */
    const struct zone *zone;
    const struct holidays *holidays;
    struct detect_state *states;
    uint64_t said;
};

static void say(void *arg, const struct detector *d, const struct verdict *v)
{
    (void)d;
    (void)v;
    ++*(uint64_t *)arg;
}

static void *fold(void *arg)
{
    struct worker *w = (struct worker *)arg;
    struct meter_facts meter = { .dn_mm = 15,
                                 .q3_lph = 2500,
                                 .resolution_ml = 1000,
                                 .modulus_ml = INT64_C(10000000000),
                                 .form = REGISTER_FORWARD };
    struct point_facts point = { .use = USE_RESIDENTIAL };
    struct fitting fitting = { .from_s = NOVEMBER, .to_s = FITTING_OPEN };
    struct civil_day today = { 0 };
    struct judge_place place = { .meter = &meter,
                                 .point = &point,
                                 .fitting = &fitting,
                                 .zone = w->zone,
                                 .holidays = w->holidays,
                                 .today = &today };

    for (uint32_t m = 0; m < w->meters; m++)
        for (unsigned i = w->from; i < w->to; i++) {
            struct judge_reading r = { .channel = CHANNEL_FORWARD, .row = days[m % KINDS][i] };

            detect_feed(&w->states[m], &place, &r, say, &w->said);
        }
    return NULL;
}

static double fold_all(struct worker *w, unsigned from, unsigned to)
{
    double begin_s = clock_s();

    for (int i = 0; i < THREADS; i++) {
        w[i].from = from;
        w[i].to = to;
        if (pthread_create(&w[i].thread, NULL, fold, &w[i]))
            must(ERR_NO_MEMORY, "a thread");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(w[i].thread, NULL);
    return (clock_s() - begin_s) / THREADS;
}

static void measure_fold(const struct app *app, uint32_t meters)
{
    struct worker w[THREADS];
    double seconds;

    memset(w, 0, sizeof w);
    for (int i = 0; i < THREADS; i++) {
        w[i].meters = meters / THREADS;
        w[i].zone = &app->zone;
        w[i].holidays = &app->holidays;
        if (!(w[i].states = (struct detect_state *)calloc(w[i].meters, sizeof *w[i].states)))
            must(ERR_NO_MEMORY, "states");
    }
    fold_all(w, 0, (DAYS - 1) * 24);
    seconds = fold_all(w, (DAYS - 1) * 24, DAYS * 24);
    print_figure("judge_fold_10m_s", seconds / meters * TEN_MILLION, "s");
    for (int i = 0; i < THREADS; i++)
        free(w[i].states);
}

/* ---- a store ---- */

static void put_meter(struct act *a, uint32_t n)
{
    char serial[16], point[16];
    uint32_t id, point_id;

    snprintf(serial, sizeof serial, "%u", (unsigned)(10000001 + n));
    snprintf(point, sizeof point, "P%u", (unsigned)(10000001 + n));
    {
        struct span meter[] = { span_text(serial), span_text(""),  span_text("15"),
                                span_text("2.5"),  span_text(""),  span_text(""),
                                span_text(""),     span_text("1"), span_text("forward") };
        struct span cells[] = { span_text(point), span_text(""),  span_text("1 Nile Street"),
                                span_text(""),    span_text(""),  span_text("residential"),
                                span_text("Z1"),  span_text("R1") };

        act_put_row(a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 9, &id, NULL);
        act_put_row(a, LIST_POINT, cells[0], LEDGER_ALWAYS, cells, 8, &point_id, NULL);
    }
    act_put_fitting(a,
                    &(struct fitting){
                        .meter = id, .point = point_id, .from_s = NOVEMBER, .to_s = FITTING_OPEN });
}

static void register_all(struct app *app, uint32_t meters)
{
    for (uint32_t n = 0; n < meters;) {
        struct act a = act_begin(app->ledger, "bench", NOVEMBER, 0);

        for (uint32_t end = n + 10000; n < end && n < meters; n++)
            put_meter(&a, n);
        must(act_end(&a), "the register");
    }
}

static void settle(struct app *app, uint32_t meters, unsigned from, unsigned to)
{
    static uint64_t settled;
    struct archive_pass *p = NULL;

    must(archive_pass_begin(app->archive, 0, &p), "the archive");
    for (uint32_t m = 1; m <= meters; m++)
        must(archive_pass_put(p, m, CHANNEL_FORWARD, 1000, days[m % KINDS] + from, to - from),
             "the archive");
    settled += UINT64_C(1) << 24;
    must(archive_pass_end(p, settled), "the archive");
}

static double elapsed_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Processor time; *passed_s what the clock on the wall says. */
static double judge_all(struct app *app, uint32_t meters, unsigned from, double *passed_s)
{
    struct judge_news *news = (struct judge_news *)calloc(meters, sizeof *news);
    double begin_s, begun_s;

    if (!news)
        must(ERR_NO_MEMORY, "news");
    for (uint32_t m = 0; m < meters; m++)
        news[m] =
            (struct judge_news){ .meter = m + 1, .first_s = days[(m + 1) % KINDS][from].time_s };
    begun_s = elapsed_s();
    begin_s = clock_s();
    must(judge_pass_new(app, news, meters, NOVEMBER + DAYS * 86400), "the judge");
    begin_s = clock_s() - begin_s;
    *passed_s = elapsed_s() - begun_s;
    free(news);
    return begin_s;
}

static double read_all(struct app *app, uint32_t meters, unsigned from)
{
    struct rows rows = { 0 };
    double begin_s = clock_s();

    for (uint32_t m = 1; m <= meters; m++) {
        rows.count = 0;
        must(archive_read(app->archive, m, CHANNEL_FORWARD, days[m % KINDS][from].time_s, INT64_MAX,
                          &rows),
             "a read");
        if (rows.count != DAYS * 24 - from)
            must(ERR_MISSING, "a read");
    }
    rows_done(&rows);
    return clock_s() - begin_s;
}

static void measure_pass(struct app *app, uint32_t meters)
{
    unsigned first = (DAYS - 2) * 24, last = (DAYS - 1) * 24;
    double judged_s, passed_s, read_s;

    register_all(app, meters);
    settle(app, meters, 0, first);
    judge_all(app, meters, 0, &passed_s);
    settle(app, meters, first, last);
    app->judges = THREADS;
    judged_s = judge_all(app, meters, first, &passed_s);
    print_figure("judge_pass_10m_s", judged_s / THREADS / meters * TEN_MILLION, "s");
    print_figure("judge_pass_10m_passed_s", passed_s / meters * TEN_MILLION, "s");
    settle(app, meters, last, DAYS * 24);
    read_s = read_all(app, meters, last);
    app->judges = 1;
    judged_s = judge_all(app, meters, last, &passed_s);
    print_figure("judge_pass_10m_one_thread_s", judged_s / meters * TEN_MILLION, "s");
    print_figure("judge_read_10m_one_thread_s", read_s / meters * TEN_MILLION, "s");
    print_figure("judge_pass_to_read", judged_s / read_s, "ratio");
}

int main(int argc, char **argv)
{
    uint32_t meters = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    char folder[] = "/tmp/bench_judge.XXXXXX", command[64];
    struct app_options options = { .dir = folder,
                                   .tz = "Asia/Shanghai",
                                   .segment_bytes = 1 << 20,
                                   .quarantine_frames = 1000,
                                   .quarantine_source_frames = 100,
                                   .retention_days = 90 };
    struct refusal r = { 0 };
    struct app app;

    if (meters < THREADS || !mkdtemp(folder))
        must(ERR_MALFORMED, "METERS, or a folder under /tmp");
    memset(&app, 0, sizeof app);
    clock_virtual(&app.clock, NOVEMBER + DAYS * 86400);
    must(app_open_store(&app, &options, &r), "a store");
    make_days();
    print_figure("judge_state_bytes", (double)judge_state_bytes(), "bytes a meter");
    measure_fold(&app, meters);
    measure_pass(&app, meters);
    app_close_store(&app);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
