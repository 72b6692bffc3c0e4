/* How long houses take (server/houses.h): one JSON line per figure, by the processor time of one thread, on a store of its own in memory.
 *
 *   bench_houses [HOUSES]   of 33 flats each, 40 if none are named; hours of 64 weeks
 *
 * house_first_ms   a house of which nothing was known: its 64 weeks, in two windows
 * house_week_ms    one of which all but the last week was known
 * houses_300k_week_h   a round over the 300 000 houses of ten million meters, once a week, on one core */
#include "server/houses.h"
#include "server/app_open.h"
#include "server/judge.h"
#include "server/points.h"
#include "server/registers.h"
#include "storage/rowset.h"
#include "tools/sim/chance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FLATS 33u
#define WEEKS 64
#define HOURS (WEEKS * 168)
#define FROM_S INT64_C(1767542400) /* a Monday's midnight in Shanghai */
#define CITY 300000.0

static struct row rows[FLATS + 1][HOURS + 1];

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_houses: %s: %s\n", what, err_text(err));
    exit(1);
}

static double clock_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_figure(const char *figure, double value, const char *unit)
{
    printf("{\"figure\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"}\n", figure, value, unit);
}

static void put_meter(struct act *a, const char *serial, const char *place, const char *behind)
{
    uint32_t id, point_id;
    struct span meter[] = { span_text(serial), span_text(""),  span_text("15"),
                            span_text("2.5"),  span_text(""),  span_text(""),
                            span_text(""),     span_text("1"), span_text("forward") };
    struct cells cells = { .at = { [CELL_POINT_point] = span_text(place),
                                   [CELL_POINT_use_class] = span_text("residential"),
                                   [CELL_POINT_behind] = span_text(behind) } };

    act_put_row(a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 9, &id, NULL);
    act_put_row(a, LIST_POINT, cells.at[0], LEDGER_ALWAYS, cells.at, CELL_POINT_behind + 1,
                &point_id, NULL);
    point_indexed(a, point_id, NULL, &cells);
    act_put_fitting(a,
                    &(struct fitting){
                        .meter = id, .point = point_id, .from_s = FROM_S, .to_s = FITTING_OPEN });
}

static void register_all(struct app *app, unsigned houses)
{
    struct act a = act_begin(app->ledger, "bench", FROM_S, 0);

    for (unsigned h = 0; h < houses; h++) {
        char house[16], serial[16], place[16];

        snprintf(house, sizeof house, "H%u", h);
        put_meter(&a, house, house, "");
        for (unsigned f = 1; f <= FLATS; f++) {
            snprintf(serial, sizeof serial, "M%u-%u", h, f);
            snprintf(place, sizeof place, "P%u-%u", h, f);
            put_meter(&a, serial, place, house);
        }
    }
    must(act_end(&a), "the register");
}

/* A home draws in some hours of the day; the building's meter counts all of it. */
static void live(unsigned house)
{
    struct chance c = chance_of(7, house, 1);
    int64_t index[FLATS + 1] = { 0 };

    for (int n = 0; n <= HOURS; n++) {
        for (unsigned f = 1; f <= FLATS; f++) {
            int hour = (n + (int)f % 3) % 24;
            int64_t used = hour > 5 && chance_happens(&c, 0.4) ? chance_whole(&c, 1, 60) * 1000 : 0;

            index[f] += used;
            index[0] += used;
        }
        for (unsigned f = 0; f <= FLATS; f++)
            rows[f][n] = (struct row){ .time_s = (uint32_t)(FROM_S + n * 3600),
                                       .value = index[f],
                                       .attr = SOURCE_REMOTE };
    }
}

static void settle(struct app *app, unsigned houses)
{
    struct archive_pass *p = NULL;

    must(archive_pass_begin(app->archive, 0, &p), "the archive");
    for (unsigned h = 0; h < houses; h++) {
        live(h);
        for (unsigned f = 0; f <= FLATS; f++)
            must(archive_pass_put(p, h * (FLATS + 1) + f + 1, CHANNEL_FORWARD, 1000, rows[f],
                                  HOURS + 1),
                 "the archive");
    }
    must(archive_pass_end(p, UINT64_C(1) << 24), "the archive");
}

/* All houses as of the end of a week; processor seconds. */
static double look(struct app *app, int weeks, struct house_round *r)
{
    struct news touched = { 0 };
    double begin_s = clock_s();
    bool more = true;

    while (more)
        must(
            houses_look(app, FROM_S + weeks * INT64_C(604800) + 2 * 86400, 256, r, &more, &touched),
            "a look");
    begin_s = clock_s() - begin_s;
    must(houses_told(app, r), "a row");
    free(touched.at);
    return begin_s;
}

int main(int argc, char **argv)
{
    unsigned houses = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 40;
    char dir[] = "/dev/shm/nilo-houses.XXXXXX", command[64];
    struct app_options o = { .dir = dir, .tz = "Asia/Shanghai", .retention_days = 90 };
    struct house_round round = { 0 };
    struct refusal r = { 0 };
    static struct app app;
    double first_s, week_s;

    if (!houses || !mkdtemp(dir))
        must(ERR_MALFORMED, "HOUSES, or a folder in /dev/shm");
    clock_virtual(&app.clock, FROM_S + HOURS * INT64_C(3600));
    must(app_open_store(&app, &o, &r), r.text);
    register_all(&app, houses);
    settle(&app, houses);
    first_s = look(&app, WEEKS - 1, &round);
    week_s = look(&app, WEEKS, &round);
    print_figure("house_first_ms", first_s / houses * 1000, "ms");
    print_figure("house_week_ms", week_s / houses * 1000, "ms");
    print_figure("houses_300k_week_h", week_s / houses * CITY / 3600, "h");
    house_round_done(&round);
    app_close_store(&app);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? 0 : 1;
}
