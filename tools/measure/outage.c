/* How often flags of silence are right: radio lives of a town in cells, through the real code (vitals, server/hearing.c, server/judge_silent.c, server/outages.c) by the hour, on a store of its own.
 *
 *   bench_outage [--meters N] [--days N] [--seeds train|test] [--list]
 *   bench_outage --look N      how long a look at N meters in cells of 250 takes, of which 2 % are late
 *
 * What befalls the radio is drawn at random and knows nothing of a limit:
 *   a meter      reports once a day at a second of its own in the first six hours, and fails with 1.5 %; one of ten reports by the hour; 4 % have a poor radio: with 5 % a day a spell of 1 to 9 days (as
 *                tools/sim/trial_radio.c); 2 % are deaf once for 7 to 40 days and come back
 *   dead         1.5 % never report again from some day on: the truth that `silent` is held against
 *   a cell       of 2 to 400 meters, half of them below 20; in 400 days 40 % of cells are out once, for 6 hours to 30 days, for 70 to 100 % of their meters; one of ten meters out of it falls back on
 *                another cell; a third of those outages leave some meters dead
 *   everything   is out once, for 3 days: the server was
 *   exchanges    2 % of meters are taken off, and are silent from then on
 * Scored, as of the hour in which it was told:
 *   outage       right if the cell was out at the time, or everything; found if it was told while it lasted. Cells of two meters have none.
 *   silent       an order comes of it when it is as sure as asked and no part of an outage; right of a dead meter. A deaf one is silent indeed, and comes back: told apart, neither for nor against.
 *                false: all others, among them every one of a meter whose cell, or everything, is out */
#include "server/app_open.h"
#include "server/detect/silent.h"
#include "server/hearing.h"
#include "server/judge.h"
#include "server/outages.h"
#include "server/registers.h"
#include "server/settler.h"
#include "storage/rowset.h"
#include "tools/measure/detect/interval.h"
#include "tools/sim/chance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR_S 3600
#define DAY_S 86400
#define FIRST_S 1772294400u /* 2026-03-01T00:00+08:00 */
#define TRAIN_SEED UINT64_C(20260301)
#define TEST_SEED UINT64_C(71828182845904523)
#define LEVELS 5
#define SCORED_MOST 16384
#define NEVER UINT32_MAX

struct radio {
    struct chance c;
    uint32_t cell;
    uint32_t every_s, second;
    uint32_t spell_until_s, deaf_s, deaf_end_s, dead_s, removed_s;
    bool poor, in_outage, moves;
    bool left_by_outage;      /* died with its cell */
    uint32_t order_s[LEVELS]; /* when it was first told as sure as that in the silence at hand */
};
struct area {
    uint32_t id, meters, out_s, back_s;
    uint32_t told_s;
    unsigned told, wrong;
};
struct town {
    struct app app;
    struct radio *radios; /* by meter, from 1 */
    struct vitals *vitals;
    struct area *areas; /* by cell − 1 */
    uint32_t meters, cells, days;
    uint32_t all_s, all_back_s;
    uint32_t look;
    bool list;
    char scored[SCORED_MOST][FLAG_ID_SIZE]; /* outages */
    /* what came of it */
    unsigned right[LEVELS], deaf[LEVELS], wrong[LEVELS], poor[LEVELS], in_outage[LEVELS];
    unsigned dead, found[LEVELS], before_all;
    double *delays[LEVELS];
};

static const unsigned level_least[LEVELS] = { 1, 20, 30, 80, 90 };

/* ---- what is drawn ---- */

static void draw_cells(struct town *t, struct chance *c)
{
    uint32_t meter = 1;

    while (meter <= t->meters) {
        struct area *a = &t->areas[t->cells++];
        double u = chance_unit(c);
        uint32_t many = (uint32_t)(2 * pow(200, u * u * 1.2 > 1 ? 1 : u * u * 1.2));

        a->id = t->cells;
        a->out_s = a->back_s = NEVER;
        if (chance_happens(c, 0.4)) {
            a->out_s = FIRST_S + (uint32_t)(chance_even(c, 0.1, 0.9) * t->days * DAY_S);
            a->back_s = a->out_s + (uint32_t)(6 * HOUR_S * pow(120, chance_unit(c)));
        }
        for (uint32_t i = 0; i < many && meter <= t->meters; i++, meter++) {
            t->radios[meter].cell = a->id;
            a->meters++;
        }
    }
    t->all_s = FIRST_S + (uint32_t)(0.55 * t->days) * DAY_S + 5 * HOUR_S;
    t->all_back_s = t->all_s + 3 * DAY_S;
}

static void draw_radio(struct town *t, uint32_t meter, uint64_t seed)
{
    struct radio *r = &t->radios[meter];
    const struct area *a = &t->areas[r->cell - 1];
    double span_s = (double)t->days * DAY_S;
    bool leaves;

    r->c = chance_of(seed, meter, 9);
    r->every_s = chance_happens(&r->c, 0.1) ? HOUR_S : DAY_S;
    r->second = (uint32_t)(chance_even(&r->c, 0, 6) * HOUR_S) % r->every_s;
    r->poor = chance_happens(&r->c, 0.04);
    r->deaf_s = r->dead_s = r->removed_s = NEVER;
    if (chance_happens(&r->c, 0.02)) {
        r->deaf_s = FIRST_S + (uint32_t)(chance_even(&r->c, 0.1, 0.9) * span_s);
        r->deaf_end_s = r->deaf_s + (uint32_t)(chance_even(&r->c, 7, 40) * DAY_S);
    } else if (chance_happens(&r->c, 0.015)) {
        r->dead_s = FIRST_S + (uint32_t)(chance_even(&r->c, 0.1, 0.85) * span_s);
    } else if (chance_happens(&r->c, 0.02)) {
        r->removed_s = FIRST_S + (uint32_t)(chance_even(&r->c, 0.1, 0.9) * span_s);
    }
    if (a->out_s == NEVER)
        return;
    r->in_outage = chance_happens(&r->c, 0.7 + 0.3 * (a->id % 4) / 3.0);
    r->moves = r->in_outage && chance_happens(&r->c, 0.1);
    leaves = r->in_outage && !r->moves && a->id % 3 == 0 && chance_happens(&r->c, 0.05);
    if (leaves && r->dead_s == NEVER && r->removed_s == NEVER && r->deaf_s == NEVER) {
        r->dead_s = a->out_s;
        r->left_by_outage = true;
    }
}

/* Whether the report of this instant arrives, and through which cell. */
static bool arrives(struct town *t, struct radio *r, uint32_t at_s, uint32_t *out_cell)
{
    const struct area *a = &t->areas[r->cell - 1];
    bool day = (at_s - FIRST_S) % DAY_S < r->every_s;

    *out_cell = r->cell;
    if (r->poor && day && at_s >= r->spell_until_s && chance_happens(&r->c, 0.05))
        r->spell_until_s = at_s + (uint32_t)chance_whole(&r->c, 1, 9) * DAY_S;
    if (at_s >= r->dead_s || at_s >= r->removed_s || (at_s >= r->deaf_s && at_s < r->deaf_end_s) ||
        at_s < r->spell_until_s || (at_s >= t->all_s && at_s < t->all_back_s))
        return false;
    if (r->in_outage && at_s >= a->out_s && at_s < a->back_s) {
        if (!r->moves)
            return false;
        *out_cell = a->id % t->cells + 1;
    }
    return !chance_happens(&r->c, 0.015);
}

/* ---- the store ---- */

static enum err register_all(struct town *t)
{
    struct act a = act_begin(t->app.ledger, "bench", FIRST_S, 0);

    for (uint32_t m = 1; m <= t->meters; m++) {
        char serial[16], place[16];
        struct span meter[] = { span_of(NULL, 0), span_text(""), span_text("15"),
                                span_text("2.5") };
        struct span point[] = { span_of(NULL, 0), span_text(""), span_text(""),
                                span_text(""),    span_text(""), span_text("residential") };
        uint32_t id, point_id;

        snprintf(serial, sizeof serial, "M%07u", m);
        snprintf(place, sizeof place, "P%07u", m);
        meter[0] = span_text(serial);
        point[0] = span_text(place);
        act_put_row(&a, LIST_METER, meter[0], LEDGER_ALWAYS, meter, 4, &id, NULL);
        act_put_row(&a, LIST_POINT, point[0], LEDGER_ALWAYS, point, 6, &point_id, NULL);
        act_put_fitting(&a, &(struct fitting){ .meter = id,
                                               .point = point_id,
                                               .from_s = FIRST_S - DAY_S,
                                               .to_s = t->radios[m].removed_s == NEVER
                                                           ? FITTING_OPEN
                                                           : (int64_t)t->radios[m].removed_s });
    }
    return act_end(&a);
}

/* What settling does with the frames of an hour. */
static enum err hear(struct town *t, uint32_t from_s, struct news *touched)
{
    static struct vitals_entry entries[65536];
    static struct hush hushes[65536];
    size_t count = 0, hush_count = 0;
    enum err err = ERR_OK;

    for (uint32_t m = 1; m <= t->meters && !err; m++) {
        struct radio *r = &t->radios[m];
        struct vitals *v = &t->vitals[m], was = *v;
        struct frame f = { 0 };
        uint32_t at_s = from_s + (r->every_s == HOUR_S ? r->second : r->second % HOUR_S);

        if ((r->every_s == DAY_S && (from_s - FIRST_S) % DAY_S / HOUR_S != r->second / HOUR_S) ||
            !arrives(t, r, at_s, &f.cell))
            continue;
        vitals_take(v, &f, v->position + 1, at_s);
        if (silence_broken(&was, v, &hushes[hush_count])) {
            hushes[hush_count++].meter = m;
            err = news_push_of(touched, m, NEWS_SILENCE);
        }
        entries[count++] = (struct vitals_entry){ .meter = m, .vitals = *v };
        if (!err)
            err = hearing_heard(t->app.hearing, m, v);
    }
    return err ? err : archive_vitals_put(t->app.archive, entries, count, hushes, hush_count);
}

/* ---- scoring ---- */

static bool is_out(const struct town *t, const struct radio *r, uint32_t now_s)
{
    const struct area *a = &t->areas[r->cell - 1];
    uint32_t slack_s = r->every_s * 3; /* it needs to report once more */

    return (now_s >= t->all_s && now_s < t->all_back_s + slack_s) ||
           (r->in_outage && now_s >= a->out_s && now_s < a->back_s);
}

static void score_order(struct town *t, uint32_t m, unsigned level, uint32_t now_s)
{
    struct radio *r = &t->radios[m];

    if (r->order_s[level])
        return;
    r->order_s[level] = now_s;
    if (now_s >= r->dead_s) {
        t->delays[level][t->found[level]++] = (now_s - r->dead_s) / (double)DAY_S;
        t->right[level]++;
    } else if (now_s >= r->deaf_s && now_s < r->deaf_end_s + 3 * r->every_s) {
        t->deaf[level]++;
    } else {
        t->wrong[level]++;
        t->poor[level] += r->poor;
        t->in_outage[level] += is_out(t, r, now_s);
        if (t->list)
            printf("level %u meter %u cell %u of %u day %.1f %s%s\n", level, m, r->cell,
                   t->areas[r->cell - 1].meters, (now_s - FIRST_S) / (double)DAY_S,
                   r->poor ? "poor " : "", is_out(t, r, now_s) ? "out" : "");
    }
}

struct scoring {
    struct town *t;
    uint32_t now_s;
    bool any;
};

static bool score_flag(void *arg, const struct flag_head *h)
{
    struct scoring *s = (struct scoring *)arg;

    if (h->kind != &detector_silent || h->ended)
        return true;
    s->any = true;
    for (unsigned level = 0; level < LEVELS; level++)
        if (!verdict_is_explained(h->verdict) && h->verdict->confidence_pct >= level_least[level])
            score_order(s->t, h->meter, level, s->now_s);
    return true;
}

static enum err score(struct town *t, const struct news *touched, uint32_t now_s)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < touched->count && !err; i++) {
        struct scoring s = { .t = t, .now_s = now_s };
        const struct flag_filter q = { .meter = touched->at[i].meter };

        err = flag_heads_each(&t->app, &q, score_flag, &s);
        if (!s.any)
            memset(t->radios[q.meter].order_s, 0, sizeof t->radios[q.meter].order_s);
    }
    return err;
}

static void score_outages(struct town *t, uint32_t now_s, size_t *seen)
{
    const struct outages *o = t->app.outages;

    if (!o || o->count == *seen)
        return;
    for (size_t i = 0; i < o->count; i++) {
        const struct outage *x = &o->at[i];
        struct area *a = x->cell ? &t->areas[x->cell - 1] : NULL;
        bool scored = false;

        for (size_t k = 0; k < *seen && !scored; k++)
            scored = strcmp(t->scored[k], x->id) == 0;
        if (scored || *seen == SCORED_MOST)
            continue;
        memcpy(t->scored[(*seen)++], x->id, sizeof x->id);
        if (!a)
            printf("everything: told %.1f h after it began\n", (now_s - t->all_s) / 3600.0);
        else if (now_s >= a->out_s && now_s < a->back_s + 2 * DAY_S) {
            if (!a->told++)
                a->told_s = now_s;
        } else if (now_s >= t->all_s && now_s < t->all_back_s + 2 * DAY_S) {
            t->before_all++; /* it was seen before everything was */
        } else {
            a->wrong++;
            if (t->list)
                printf("outage cell %u of %u day %.1f\n", x->cell, a->meters,
                       (now_s - FIRST_S) / (double)DAY_S);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Cells in which two or three poor radios are most of the meters. */
static void print_small(const struct town *t)
{
    static const uint32_t most[] = { 4, 9, 400 };
    uint32_t least = 3;

    for (int b = 0; b < 3; least = most[b++] + 1) {
        unsigned right = 0, wrong = 0;
        struct interval i;

        for (uint32_t n = 0; n < t->cells; n++)
            if (t->areas[n].meters >= least && t->areas[n].meters <= most[b]) {
                right += t->areas[n].told;
                wrong += t->areas[n].wrong;
            }
        i = wilson(right, right + wrong);
        printf("  cells of %3u to %3u meters: precision %.3f [%.3f, %.3f] of %u\n", least, most[b],
               right + wrong ? right / (double)(right + wrong) : 0, i.low, i.high, right + wrong);
    }
}

static void print_outages(struct town *t)
{
    static const double bounds_h[] = { 6, 24, 48, 168, 721 };
    unsigned right = 0, wrong = 0;
    struct interval i;

    for (uint32_t n = 0; n < t->cells; n++) {
        right += t->areas[n].told;
        wrong += t->areas[n].wrong;
    }
    i = wilson(right, right + wrong);
    printf("outage: told %u, right %u: precision %.3f [%.3f, %.3f]; and %u of cells before "
           "everything was seen to be out\n",
           right + wrong, right, right / (double)(right + wrong), i.low, i.high, t->before_all);
    print_small(t);
    for (int b = 0; b < 4; b++) {
        unsigned all = 0, found = 0, delays = 0;
        double *delay_h = (double *)malloc(t->cells * sizeof *delay_h);

        for (uint32_t n = 0; n < t->cells && delay_h; n++) {
            const struct area *a = &t->areas[n];
            double lasted_h = (a->back_s - a->out_s) / 3600.0;

            if (a->out_s == NEVER || a->meters < 3 || lasted_h < bounds_h[b] ||
                lasted_h >= bounds_h[b + 1])
                continue;
            all++;
            found += a->told > 0;
            if (t->list && !a->told) {
                unsigned silent = 0;

                for (uint32_t m = 1; m <= t->meters; m++)
                    silent +=
                        t->radios[m].cell == a->id && t->radios[m].in_outage && !t->radios[m].moves;
                printf("missed: cell %u, %u of %u silent for %.0f h\n", a->id, silent, a->meters,
                       lasted_h);
            }
            if (a->told)
                delay_h[delays++] = (a->told_s - a->out_s) / 3600.0;
        }
        if (delays)
            qsort(delay_h, delays, sizeof *delay_h, by_value);
        i = wilson(found, all);
        printf("  lasting %3.0f to %3.0f h: recall %.3f [%.3f, %.3f] of %u, median delay %.0f h\n",
               bounds_h[b], bounds_h[b + 1], found / (double)all, i.low, i.high, all,
               delays ? delay_h[delays / 2] : 0);
        free(delay_h);
    }
}

static void print_silent(struct town *t)
{
    double years = t->meters * (t->days / 365.25);
    struct interval right, found, wrong;

    for (uint32_t m = 1; m <= t->meters; m++)
        t->dead += t->radios[m].dead_s < FIRST_S + (t->days - 21) * DAY_S;
    for (unsigned l = 0; l < LEVELS; l++) {
        if (t->found[l])
            qsort(t->delays[l], t->found[l], sizeof *t->delays[l], by_value);
        right = wilson(t->right[l], t->right[l] + t->wrong[l]);
        found = wilson(t->found[l] < t->dead ? t->found[l] : t->dead, t->dead);
        wrong = rate_of(t->wrong[l], years / 1000);
        printf("silent, %2u %% and surer: precision %.3f [%.3f, %.3f], recall %.3f [%.3f, %.3f] of "
               "%u dead, median delay %.1f days; deaf for weeks %u; false %u (%.2f [%.2f, %.2f] "
               "per 1 000 meter-years): poor radio %u, within outages %u\n",
               level_least[l], t->right[l] / (double)(t->right[l] + t->wrong[l]), right.low,
               right.high, t->found[l] / (double)t->dead, found.low, found.high, t->dead,
               t->found[l] ? t->delays[l][t->found[l] / 2] : 0, t->deaf[l], t->wrong[l],
               1000 * t->wrong[l] / years, wrong.low, wrong.high, t->poor[l], t->in_outage[l]);
    }
}

static enum err live(struct town *t)
{
    size_t seen = 0;
    enum err err = ERR_OK;

    for (uint32_t h = 0; h < t->days * 24 && !err; h++) {
        struct news touched = { 0 };
        uint32_t now_s = FIRST_S + (h + 1) * HOUR_S;

        if (!(err = clock_set(&t->app.clock, now_s)) &&
            !(err = hear(t, now_s - HOUR_S, &touched)) &&
            !(err = hearing_look(t->app.hearing, now_s, true, &touched))) {
            news_sort(&touched);
            score_outages(t, now_s, &seen);
            err = judge_pass_new(&t->app, touched.at, touched.count, now_s);
        }
        if (!err)
            err = score(t, &touched, now_s);
        free(touched.at);
    }
    return err;
}

static enum err measure_look(struct town *t, uint32_t meters)
{
    struct news touched = { 0 };
    int64_t began_ms;
    enum err err = ERR_OK;

    for (uint32_t m = 1; m <= meters && !err; m++)
        err = hearing_heard(
            t->app.hearing, m,
            &(struct vitals){ .position = 1,
                              .arrival_s = FIRST_S - m % 50 * 1700 - (m % 50 == 0) * 2 * DAY_S,
                              .cell = m / 250 + 1,
                              .pause_count = 2,
                              .pause_min = { 1440, 1440 },
                              .longest_quarters = 96 });
    began_ms = clock_monotonic_ms();
    if (!err)
        err = hearing_look(t->app.hearing, FIRST_S, true, &touched);
    printf("look: %u meters, %lld ms, %zu of them for the judge\n", meters,
           (long long)(clock_monotonic_ms() - began_ms), touched.count);
    free(touched.at);
    return err;
}

static enum err town_new(struct town *t, uint64_t seed)
{
    struct chance c = chance_of(seed, 0, 9);

    t->radios = (struct radio *)calloc(t->meters + 1, sizeof *t->radios);
    t->vitals = (struct vitals *)calloc(t->meters + 1, sizeof *t->vitals);
    t->areas = (struct area *)calloc(t->meters, sizeof *t->areas);
    for (unsigned l = 0; l < LEVELS; l++)
        if (!(t->delays[l] = (double *)malloc((t->meters + 1) * 8 * sizeof *t->delays[l])))
            return ERR_NO_MEMORY;
    if (!t->radios || !t->vitals || !t->areas)
        return ERR_NO_MEMORY;
    draw_cells(t, &c);
    for (uint32_t m = 1; m <= t->meters; m++)
        draw_radio(t, m, seed);
    return ERR_OK;
}

static void town_free(struct town *t)
{
    free(t->radios);
    free(t->vitals);
    free(t->areas);
    for (unsigned l = 0; l < LEVELS; l++)
        free(t->delays[l]);
}

static bool read_options(int argc, char **argv, struct town *t, uint64_t *seed)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(name, "--list") == 0)
            t->list = true;
        else if (++i == argc)
            return false;
        else if (strcmp(name, "--meters") == 0)
            t->meters = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--look") == 0)
            t->look = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--days") == 0)
            t->days = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--seeds") == 0)
            *seed = strcmp(value, "train") == 0 ? TRAIN_SEED : TEST_SEED;
        else
            return false;
    }
    return t->meters >= 100 && t->meters <= 60000 && t->days >= 60 && t->days <= 2000;
}

int main(int argc, char **argv)
{
    static struct town t = { .meters = 20000, .days = 400 };
    char dir[] = "/dev/shm/nilo-outage.XXXXXX", command[64];
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90 };
    struct refusal r = { 0 };
    uint64_t seed = TEST_SEED;
    enum err err;

    if (!read_options(argc, argv, &t, &seed)) {
        fprintf(stderr, "bench_outage: see the head of tools/measure/outage.c\n");
        return 2;
    }
    if (!mkdtemp(dir))
        return 1;
    o.dir = dir;
    clock_virtual(&t.app.clock, FIRST_S);
    if (!(err = town_new(&t, seed)) && !(err = app_open_store(&t.app, &o, &r)) &&
        !(err = register_all(&t)) && !(err = hearing_open(&t.app, &t.app.hearing)) &&
        !(err = t.look ? measure_look(&t, t.look) : live(&t)) && !t.look) {
        print_outages(&t);
        print_silent(&t);
    }
    app_close_store(&t.app);
    town_free(&t);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) || err)
        fprintf(stderr, "bench_outage: %s %s\n", err_text(err), r.text);
    return err ? 1 : 0;
}
