/* How often flags of zones without water are right: towns of homes, weekend homes and works, through the real code (server/drought.h, server/outages.h), on a store of its own in memory.
 *
 *   bench_drought [--zones N] [--days N] [--seeds train|test] [--list]
 *
 * What people do is drawn at random and knows nothing of a limit:
 *   homes         water is used on each day at home, in some hours from 6 to 23 o'clock; away with 1 % a day for 1 to 21 days, half of that one or two nights, and at New Year six of ten for 3 to 12 days
 *   weekend homes one zone of ten: four of five of its meters are used from Friday evening to Sunday afternoon alone, on two weekends of three, a few for weeks in summer
 *   works         one zone of fifteen: used on days of work from 7 to 18 o'clock, a fifth of them by night, too; all of them closed for a week or two in summer, together
 *   reports       once a day at a second of the meter's own, with hours; 1.5 % fail, and 3 % of meters fail with 15 %
 *   the truth     in 400 days two of five zones are shut off once, half of them for 4 to 24 hours, half for 1 to 8 days
 * Scored: right if the zone is dry at the time, or was within two days. What shuts a street of a zone alone is not looked for. */
#include "server/drought.h"
#include "server/app_open.h"
#include "server/detect/silent.h"
#include "server/outages.h"
#include "tools/measure/detect/interval.h"
#include "tools/sim/chance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR_S 3600
#define DAY_S 86400
#define FIRST_S 1772294400u /* 2026-03-01T00:00+08:00, a Sunday */
#define TRAIN_SEED UINT64_C(20260301)
#define TEST_SEED UINT64_C(71828182845904523)
#define LEARN_DAYS 120 /* before anything is looked at */
#define PAUSES_KEPT 32
#define NEVER UINT32_MAX
#define BOUNDS 4

enum kind { HOMES, WEEKENDS, WORKS };

struct shut {
    uint32_t from_s, to_s; /* NEVER: not */
    bool told;
    uint32_t told_s;
};
struct place {
    enum kind kind;
    uint32_t zone, meters;
    struct shut all;
    uint32_t closed_day; /* works */
    unsigned closed_days;
};
struct tap {
    struct chance c;
    struct place *place;
    uint32_t second, away_until_s, moved_s;
    struct pause_seen {
        uint32_t end_s, length_s;
    } pauses[PAUSES_KEPT]; /* of a day and more */
    unsigned pause_count;
    bool poor, weekender, nights;
};
struct town {
    struct app app;
    struct place *places;
    struct tap *taps;
    uint32_t count, meters, days;
    bool list;
    unsigned right, wrong, wrong_of[3], seen;
    char scored[4096][FLAG_ID_SIZE];
};

static void draw_shut(struct shut *s, const struct town *t, struct chance *c)
{
    *s = (struct shut){ .from_s = NEVER, .to_s = NEVER };
    if (!chance_happens(c, 0.4))
        return;
    s->from_s = FIRST_S + (uint32_t)(chance_even(c, LEARN_DAYS + 5.0, t->days - 12.0) * DAY_S);
    s->to_s =
        s->from_s + (uint32_t)(HOUR_S * (chance_happens(c, 0.5) ? chance_log_even(c, 4, 24)
                                                                : chance_log_even(c, 24, 192)));
}

static void draw_tap(struct town *t, struct place *p, uint32_t id, uint64_t seed)
{
    struct tap *x = &t->taps[id];

    x->c = chance_of(seed, id, 14);
    x->place = p;
    x->second = (uint32_t)chance_whole(&x->c, 0, DAY_S - 1);
    x->poor = chance_happens(&x->c, 0.03);
    x->weekender = p->kind == WEEKENDS && chance_happens(&x->c, 0.8);
    x->nights = p->kind == WORKS && chance_happens(&x->c, 0.2);
    x->moved_s = FIRST_S;
}

static enum err draw(struct town *t, uint64_t seed)
{
    uint32_t cap = t->count * 300 + 1;

    t->places = (struct place *)calloc(t->count, sizeof *t->places);
    t->taps = (struct tap *)calloc(cap, sizeof *t->taps);
    if (!t->places || !t->taps)
        return ERR_NO_MEMORY;
    t->meters = 1;
    for (uint32_t i = 0; i < t->count; i++) {
        struct place *p = &t->places[i];
        struct chance c = chance_of(seed, i, 13);
        double u = chance_unit(&c);

        p->kind = u < 0.1 ? WEEKENDS : u < 0.167 ? WORKS : HOMES;
        p->zone = i + 1;
        p->meters = (uint32_t)chance_log_even(&c, 6, p->kind == WORKS ? 60 : 300);
        p->closed_day = (uint32_t)chance_whole(&c, 130, 170);
        p->closed_days = (unsigned)chance_whole(&c, 7, 14);
        draw_shut(&p->all, t, &c);
        for (uint32_t m = 0; m < p->meters; m++)
            draw_tap(t, p, t->meters++, seed);
    }
    return ERR_OK;
}

static bool is_shut(const struct shut *s, uint32_t at_s)
{
    return s->from_s != NEVER && at_s >= s->from_s && at_s < s->to_s;
}

/* Whether somebody is there who would use water in this hour. */
static bool uses(struct tap *x, uint32_t at_s)
{
    uint32_t day = (at_s - FIRST_S) / DAY_S, hour = (at_s - FIRST_S) % DAY_S / HOUR_S,
             weekday = day % 7; /* 0: Sunday */
    const struct place *p = x->place;

    if (p->kind == WORKS) {
        bool closed = day % 365 >= p->closed_day && day % 365 < p->closed_day + p->closed_days;

        return !closed && weekday != 0 && weekday != 6 && (x->nights || (hour >= 7 && hour < 18)) &&
               chance_happens(&x->c, 0.5);
    }
    if (x->weekender) {
        if (hour == 0 && weekday == 5 && chance_happens(&x->c, 0.33))
            x->away_until_s = at_s + 4 * DAY_S; /* not this weekend */
        if (!(weekday == 6 || (weekday == 5 && hour >= 18) ||
              (weekday == 0 && hour < 14 + x->second % 6)))
            return false;
    } else if (hour == 0 && at_s >= x->away_until_s) {
        if (day % 365 == 341 && chance_happens(&x->c, 0.6))
            x->away_until_s = at_s + (uint32_t)(chance_even(&x->c, 3, 12) * DAY_S);
        else if (chance_happens(&x->c, 0.01))
            x->away_until_s =
                at_s + (uint32_t)((chance_happens(&x->c, 0.5) ? chance_even(&x->c, 0.7, 2)
                                                              : chance_log_even(&x->c, 2, 21)) *
                                  DAY_S);
    }
    return at_s >= x->away_until_s && hour >= 6 && hour <= 23 &&
           chance_happens(&x->c, hour < 9 || hour > 17 ? 0.5 : 0.2);
}

/* An hour of a meter. */
static void live(struct tap *x, uint32_t at_s)
{
    uint32_t now_s = at_s + HOUR_S;

    if (!uses(x, at_s) || is_shut(&x->place->all, at_s))
        return;
    if (now_s - x->moved_s >= DRY_LEAST_S)
        x->pauses[x->pause_count++ % PAUSES_KEPT] =
            (struct pause_seen){ now_s, now_s - x->moved_s };
    x->moved_s = now_s;
}

/* As drought.c finds it from readings. */
static enum err habit(void *arg, uint32_t meter, uint32_t moved_s, uint32_t *out_h)
{
    const struct town *t = (const struct town *)arg;
    const struct tap *x = &t->taps[meter];
    uint32_t lengths[PAUSES_KEPT];
    size_t count = 0;

    for (unsigned i = 0; i < PAUSES_KEPT; i++)
        if (x->pauses[i].end_s + DRY_HABIT_S > moved_s)
            lengths[count++] = x->pauses[i].length_s;
    *out_h = standing_habit_h(lengths, count, DRY_HABIT_S);
    return ERR_OK;
}

static void score_one(struct town *t, const struct outage *o, uint32_t now_s)
{
    struct place *p = &t->places[o->zone - 1];

    if (p->all.from_s != NEVER && now_s >= p->all.from_s && now_s < p->all.to_s + 2 * DAY_S) {
        t->right++;
        if (!p->all.told)
            p->all.told_s = now_s;
        p->all.told = true;
        return;
    }
    t->wrong++;
    t->wrong_of[p->kind]++;
    if (t->list)
        printf("wrong: zone %u of kind %d, %u meters, day %.1f, since %.1f\n", p->zone,
               (int)p->kind, p->meters, (now_s - FIRST_S) / (double)DAY_S,
               ((double)o->onset_s - FIRST_S) / DAY_S);
}

static void score(struct town *t, uint32_t now_s)
{
    const struct outages *o = t->app.outages;

    for (size_t i = 0; o && o->count > t->seen && i < o->count; i++) {
        bool known = false;

        for (unsigned k = 0; k < t->seen && !known; k++)
            known = strcmp(t->scored[k], o->at[i].id) == 0;
        if (known || t->seen == sizeof t->scored / sizeof t->scored[0])
            continue;
        memcpy(t->scored[t->seen++], o->at[i].id, FLAG_ID_SIZE);
        score_one(t, &o->at[i], now_s);
    }
}

static enum err live_all(struct town *t)
{
    struct news touched = { 0 };
    enum err err = ERR_OK;

    for (uint32_t h = 0; h < t->days * 24 && !err; h++) {
        uint32_t at_s = FIRST_S + h * HOUR_S;

        for (uint32_t m = 1; m < t->meters && !err; m++) {
            struct tap *x = &t->taps[m];

            live(x, at_s);
            if (h / 24 < LEARN_DAYS || x->second / HOUR_S != h % 24 ||
                chance_happens(&x->c, x->poor ? 0.15 : 0.015))
                continue;
            err = drought_note(t->app.drought, m, x->place->zone,
                               x->place->kind == WORKS ? USE_INDUSTRIAL : USE_RESIDENTIAL,
                               x->moved_s, at_s + HOUR_S);
        }
        if (h / 24 < LEARN_DAYS + 3 || err)
            continue;
        touched.count = 0;
        if (!(err = clock_set(&t->app.clock, at_s + HOUR_S)))
            err = drought_look(t->app.drought, at_s + HOUR_S, &touched);
        score(t, at_s + HOUR_S);
    }
    free(touched.at);
    return err;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_found(const struct town *t)
{
    static const double bounds_h[BOUNDS] = { 24, 48, 96, 193 };
    double *delays = (double *)malloc(t->count * sizeof *delays);

    for (int b = 0; b + 1 < BOUNDS && delays; b++) {
        unsigned all = 0, found = 0;
        struct interval i;

        for (uint32_t n = 0; n < t->count; n++) {
            const struct place *p = &t->places[n];
            const struct shut *s = &p->all;
            double lasted_h = s->from_s == NEVER ? 0 : (s->to_s - s->from_s) / (double)HOUR_S;

            if (lasted_h < bounds_h[b] || lasted_h >= bounds_h[b + 1] || p->kind != HOMES ||
                p->meters < 12)
                continue;
            all++;
            if (s->told)
                delays[found++] = (s->told_s - s->from_s) / (double)HOUR_S;
        }
        if (found)
            qsort(delays, found, sizeof *delays, by_value);
        i = wilson(found, all);
        printf("  zones of homes, shut for %3.0f to %3.0f h: recall %.3f [%.3f, %.3f] of %u, "
               "median delay %.0f h\n",
               bounds_h[b], bounds_h[b + 1], all ? found / (double)all : 0, i.low, i.high, all,
               found ? delays[found / 2] : 0);
    }
    free(delays);
}

static void print_all(const struct town *t)
{
    struct interval i = wilson(t->right, t->right + t->wrong);
    double years = t->count * (t->days - LEARN_DAYS) / 365.25;

    printf("dry: told %u, right %u: precision %.3f [%.3f, %.3f]; false %u in %.0f zone-years: "
           "homes %u, weekend homes %u, works %u\n",
           t->right + t->wrong, t->right, t->right / (double)(t->right + t->wrong), i.low, i.high,
           t->wrong, years, t->wrong_of[HOMES], t->wrong_of[WEEKENDS], t->wrong_of[WORKS]);
    print_found(t);
}

static bool read_options(int argc, char **argv, struct town *t, uint64_t *seed)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(option, "--list") == 0)
            t->list = true;
        else if (++i == argc)
            return false;
        else if (strcmp(option, "--zones") == 0)
            t->count = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(option, "--days") == 0)
            t->days = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(option, "--seeds") == 0)
            *seed = strcmp(value, "train") == 0 ? TRAIN_SEED : TEST_SEED;
        else
            return false;
    }
    return t->count >= 10 && t->count <= 4000 && t->days >= LEARN_DAYS + 60 && t->days <= 2000;
}

int main(int argc, char **argv)
{
    static struct town t = { .count = 300, .days = 520 };
    char dir[] = "/dev/shm/nilo-drought.XXXXXX", command[64];
    struct app_options o = { .tz = "Asia/Shanghai", .retention_days = 90 };
    struct refusal r = { 0 };
    uint64_t seed = TEST_SEED;
    enum err err;

    if (!read_options(argc, argv, &t, &seed)) {
        fprintf(stderr, "bench_drought: see the head of tools/measure/drought.c\n");
        return 2;
    }
    if (!mkdtemp(dir))
        return 1;
    o.dir = dir;
    clock_virtual(&t.app.clock, FIRST_S);
    if (!(err = draw(&t, seed)) && !(err = app_open_store(&t.app, &o, &r)) &&
        !(err = drought_open(&t.app, &t.app.drought))) {
        drought_habit_by(t.app.drought, habit, &t);
        if (!(err = live_all(&t)))
            print_all(&t);
    }
    app_close_store(&t.app);
    free(t.places);
    free(t.taps);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) || err)
        fprintf(stderr, "bench_drought: %s %s\n", err_text(err), r.text);
    return err ? 1 : 0;
}
