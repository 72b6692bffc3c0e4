/* What the month's look at a meter costs (server/detect/monthly.h): one JSON line per figure.
 *
 *   bench_monthly [LIVES]   simulated lives of 460 days, 2 000 if none are named, 15 % of them with a fault
 *
 * For each meter its month blocks are unpacked and the last look that is due is made, as server/judge_monthly.c does; reading pages from a disk is not in it.  By the processor time
 * of one thread.  `fleet`: the looks that ten million meters are due in a month, on two cores. */
#include "server/detect/monthly.h"
#include "storage/block.h"
#include "tools/sim/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAYS 460
#define LIVES 2000
#define SEED UINT64_C(20260301)
#define FLEET 1e7
#define CORES 2

struct looks {
    struct monthly room;
    struct rows rows, again;
    uint8_t *block;
    size_t block_cap;
    double unpack_s, look_s;
    size_t readings;
    unsigned said;
};

static void must(enum err err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "bench_monthly: %s %s\n", what, err_text(err));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hear(void *arg, const struct detector *d, const struct verdict *v)
{
    (void)d;
    (void)v;
    (*(unsigned *)arg)++;
}

static uint32_t month_start(uint32_t time_s)
{
    struct civil c = day_civil(time_s);

    return (uint32_t)(day_number(c.year, c.month, 1) * 86400);
}

/* The rows through blocks and back. */
static void through_blocks(struct looks *k, int64_t unit)
{
    size_t from = 0;

    k->again.count = 0;
    while (from < k->rows.count) {
        uint32_t month_s = month_start(k->rows.at[from].time_s);
        size_t to = from, bytes;
        double began;

        while (to < k->rows.count && month_start(k->rows.at[to].time_s) == month_s)
            to++;
        if (block_bound(to - from) > k->block_cap) {
            k->block_cap = 2 * block_bound(to - from);
            free(k->block);
            k->block = (uint8_t *)malloc(k->block_cap);
            must(k->block ? ERR_OK : ERR_NO_MEMORY, "a block");
        }
        bytes = block_pack(k->rows.at + from, to - from, month_s, unit, k->block, k->block_cap);
        began = now_s();
        must(block_unpack(span_of(k->block, bytes), month_s, unit, to - from, &k->again),
             "unpacking");
        k->unpack_s += now_s() - began;
        from = to;
    }
}

static void look(struct looks *k, const struct trial *l, const struct zone *zone,
                 const struct holidays *holidays)
{
    struct judge_place place = { .meter = &l->meter,
                                 .point = &l->point,
                                 .fitting = &l->fittings[l->fitting_count - 1],
                                 .zone = zone,
                                 .holidays = holidays };
    int64_t last_s;
    double began;

    k->rows.count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->rows[i].fitting == l->fitting_count - 1 &&
            l->rows[i].channel == (uint8_t)meter_billed_channel(&l->meter))
            must(rows_push(&k->rows, l->rows[i].row), "rows");
    if (k->rows.count == 0)
        return;
    through_blocks(k, l->meter.resolution_ml);
    last_s = k->again.at[k->again.count - 1].time_s;
    began = now_s();
    monthly_begin(&k->room);
    monthly_run(&k->room, &place, k->again.at, k->again.count, last_s - MONTHLY_EVERY_D * 86400,
                last_s, hear, &k->said);
    k->look_s += now_s() - began;
    k->readings += k->again.count;
}

int main(int argc, char **argv)
{
    static struct zone zone;
    static struct holidays holidays;
    uint32_t lives = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : LIVES;
    struct trial_options of = { .seed = SEED, .days = DAYS, .faulty = 0.15, .zone = &zone };
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    struct looks *k = (struct looks *)calloc(1, sizeof *k);
    double each_us;

    must(l && k && lives ? ERR_OK : ERR_NO_MEMORY, "lives");
    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    holidays_builtin(&holidays);
    of.from_day = day_number(2024, 3, 1);
    for (uint32_t n = 0; n < lives; n++) {
        must(trial_live(&of, n, l), "a life");
        look(k, l, &zone, &holidays);
    }
    each_us = (k->unpack_s + k->look_s) / lives * 1e6;
    printf("{\"bench\":\"judge_monthly\",\"figure\":\"look\",\"value\":%.1f,\"unit\":\"us/"
           "meter\",\"unpacking\":%.1f,\"readings\":%.0f}\n",
           each_us, k->unpack_s / lives * 1e6, (double)k->readings / lives);
    printf("{\"bench\":\"judge_monthly\",\"figure\":\"fleet of 10 M on 2 "
           "cores\",\"value\":%.1f,\"unit\":\"min\",\"goal\":\"<= 10\",\"said\":%u}\n",
           each_us / 1e6 * FLEET / CORES / 60, k->said);
    rows_done(&k->rows);
    rows_done(&k->again);
    free(k->block);
    trial_done(l);
    free(l);
    free(k);
    return 0;
}
