/* How often the flags are right: simulated lives (tools/sim/trial.h) and real ones with injected faults through the real detectors, beside
 * plain rules on the same data.
 *
 *   bench_detect [--lives N] [--days N] [--faulty SHARE] [--kinds FLAG,…] [--seeds train|test] [--threads N]
 *                [--real FILE.csv] [--rounds N] [--json] [--curve] [--truth] [--list] [--life N] [--house N] [--houses N]
 *
 * --kinds: faults that these flags are right for are drawn alone, for whoever works on one of them.  Detectors are made on train seeds; what is published is of test seeds (the default).  The same options print the same bytes. --real:
 * CSV meter,local_time,index_l instead of simulated lives, each meter --rounds times, a fault each time.  --truth and --list print the faults and
 * the flags with their outcome as CSV, --life the readings of one life, --house those of a house with its meter before all of them (tools/sim/house.h), for whoever looks into a flag.
 *
 * Beside the lives --houses houses (0: none; half of them with a fault, so 4 of 100 points), of simulated or of real homes, are judged as houses. */
#include "tools/measure/detect/bench.h"
#include "tools/measure/detect/houses.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define TRAIN_SEED UINT64_C(20260301)
#define TEST_SEED UINT64_C(71828182845904523)

struct options {
    uint32_t lives, houses;
    unsigned threads, rounds;
    const char *real;
    bool json, curve, truth, list, bad; /* bad: a name that nothing has */
    int64_t life, house;                /* below 0: none */
    struct trial_options of;
};

struct worker {
    const struct options *o;
    const struct holidays *holidays;
    uint32_t from, to;
    struct record record;
    enum err err;
};

static void *work(void *arg)
{
    struct worker *w = (struct worker *)arg;
    struct told_list *told = (struct told_list *)malloc(sizeof *told);
    struct trial *l = (struct trial *)calloc(1, sizeof *l);

    w->err = told && l ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t n = w->from; n < w->to && !w->err; n++) {
        if ((w->err = trial_live(&w->o->of, n, l)))
            break;
        if (!(w->err = run_rules(l, w->o->of.zone, w->holidays, told)))
            w->err = record_add(&w->record, l, told, false);
    }
    if (l)
        trial_done(l);
    free(l);
    free(told);
    return NULL;
}

/* Each thread takes one stretch of lives; they are put together in order. */
static enum err simulate(const struct options *o, const struct holidays *holidays,
                         struct record *out)
{
    static struct worker workers[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    enum err err = ERR_OK;

    for (; started < o->threads; started++) {
        struct worker *w = &workers[started];

        *w = (struct worker){ .o = o,
                              .holidays = holidays,
                              .from = (uint32_t)((uint64_t)o->lives * started / o->threads),
                              .to = (uint32_t)((uint64_t)o->lives * (started + 1) / o->threads) };
        if (pthread_create(&threads[started], NULL, work, w)) {
            err = ERR_NO_MEMORY;
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (!err)
            err = workers[i].err;
        if (!err)
            err = record_append(out, &workers[i].record);
        record_done(&workers[i].record);
    }
    return err;
}

static void print_rows(const struct trial *l, unsigned id)
{
    for (size_t i = 0; i < l->count; i++)
        printf("%u,%u,%u,%u,%lld,%u,%u\n", id, l->rows[i].fitting, l->rows[i].channel,
               l->rows[i].row.time_s, (long long)l->rows[i].row.value, l->rows[i].row.attr,
               l->rows[i].arrival_s);
}

static const char rows_head[] = "meter,fitting,channel,time_s,index_ml,attr,arrival_s\n";

static enum err print_life(const struct options *o)
{
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    enum err err = l ? trial_live(&o->of, (uint32_t)o->life, l) : ERR_NO_MEMORY;

    if (!err) {
        printf("# %s, DN%d, %lld ml a pulse, %s from %.0f to %.0f, size %.2f; %.0f L a day\n",
               way_name[l->use.way], (int)l->meter.dn_mm, (long long)l->meter.resolution_ml,
               fault_about[l->fault.kind].text, l->fault.onset_s, l->fault.end_s, l->fault.size,
               l->used_lpd);
        for (int m = 0; m < MISHAPS; m++)
            if (l->mishaps >> m & 1)
                printf("# %s at %.0f\n", mishap_name[m], l->mishap_s);
        printf("%s", rows_head);
        print_rows(l, 0);
        trial_done(l);
    }
    free(l);
    return err;
}

static enum err print_house(const struct options *o)
{
    struct house *h = (struct house *)calloc(1, sizeof *h);
    enum err err = h ? house_live(&o->of, (uint32_t)o->house, h) : ERR_NO_MEMORY;

    if (!err) {
        printf("# %d flats; %s, meter %d", h->count, house_fault_name[h->fault], h->flat + 1);
        if (h->fault == HOUSE_SWAPPED)
            printf(" and %d", h->other + 1);
        printf(
            ", from %.0f, size %.2f; %.1f L/h between the meters; meter 0 is before all of them\n",
            h->onset_s, h->size, h->pipe_lph);
        printf("%s", rows_head);
        print_rows(&h->parent, 0);
        for (int i = 0; i < h->count; i++)
            print_rows(&h->flats[i], (unsigned)i + 1);
        house_done(h);
    }
    free(h);
    return err;
}

static enum err print_record(const struct options *o, const struct record *r)
{
    enum err err = ERR_OK;

    if (o->truth)
        list_truth(r, stdout);
    if (o->list)
        list_notes(r, stdout);
    if (o->truth || o->list)
        return ERR_OK;
    if (o->json)
        return table_goals(r, true, stdout);
    if (!(err = table_rules(r, stdout)) && !(err = table_recall(r, stdout)) && o->curve)
        err = table_curve(r, stdout);
    if (!err && o->curve)
        err = table_standstill(r, stdout);
    if (!err && o->curve)
        err = table_registers(r, stdout);
    if (!err && !(err = table_slow(r, stdout)) && !(err = table_list(r, stdout)))
        err = table_false(r, stdout);
    return err ? err : table_goals(r, false, stdout);
}

/* Half of the houses have a fault. */
static enum err judge_houses(const struct options *o)
{
    struct trial_options of = o->of;
    struct house_record r = { 0 };
    enum err err;

    of.faulty = 0.5;
    err = o->real ? real_houses_run(o->real, of.seed, o->houses, &r)
                  : houses_run(&of, o->houses, o->threads, &r);
    if (!err && !o->json)
        err = table_houses(&r, stdout);
    if (!err)
        err = goals_houses(&r, o->real ? "real houses" : "houses", o->json, stdout);
    house_record_done(&r);
    return err;
}

/* Faults that one of these flags is right for: "burst,backflow". 0: none is. */
static uint32_t kinds_of(const char *flags)
{
    uint32_t kinds = 0;
    char flag[32];

    while (*flags) {
        size_t len = strcspn(flags, ",");

        snprintf(flag, sizeof flag, "%.*s", (int)len, flags);
        for (int k = 1; len && k < FAULTS; k++)
            kinds |= fault_has_flag(fault_about[k].right, flag) ? 1u << k : 0;
        flags += len + (flags[len] == ',');
    }
    return kinds;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(name, "--json") == 0)
            o->json = true;
        else if (strcmp(name, "--curve") == 0)
            o->curve = true;
        else if (strcmp(name, "--truth") == 0)
            o->truth = true;
        else if (strcmp(name, "--list") == 0)
            o->list = true;
        else if (++i == argc)
            return false;
        else if (strcmp(name, "--lives") == 0)
            o->lives = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--days") == 0)
            o->of.days = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--faulty") == 0)
            o->of.faulty = strtod(value, NULL);
        else if (strcmp(name, "--kinds") == 0)
            o->of.kinds = kinds_of(value), o->bad = !o->of.kinds;
        else if (strcmp(name, "--seeds") == 0)
            o->of.seed = strcmp(value, "train") == 0 ? TRAIN_SEED : TEST_SEED;
        else if (strcmp(name, "--threads") == 0)
            o->threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--rounds") == 0)
            o->rounds = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--real") == 0)
            o->real = value;
        else if (strcmp(name, "--life") == 0)
            o->life = strtoll(value, NULL, 10);
        else if (strcmp(name, "--houses") == 0)
            o->houses = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--house") == 0)
            o->house = strtoll(value, NULL, 10);
        else
            return false;
    }
    return !o->bad && o->of.days >= 60 && o->of.days <= 4000 && o->threads >= 1 &&
           o->threads <= THREADS_MAX;
}

int main(int argc, char **argv)
{
    static struct zone zone;
    static struct holidays holidays;
    struct options o = { .lives = 84000,
                         .houses = 2400,
                         .threads = 2,
                         .rounds = 210,
                         .life = -1,
                         .house = -1,
                         .of = { .seed = TEST_SEED, .days = 400, .faulty = 0.15, .zone = &zone } };
    struct record record = { 0 };
    enum err err;

    zone_fixed(&zone, "Asia/Shanghai", 8 * 3600);
    holidays_builtin(&holidays);
    rules_make();
    o.of.from_day = day_number(2024, 3, 1);
    if (!read_options(argc, argv, &o)) {
        fprintf(stderr, "bench_detect: see the head of tools/measure/detect.c\n");
        return 2;
    }
    if (o.life >= 0 || o.house >= 0)
        err = o.life >= 0 ? print_life(&o) : print_house(&o);
    else
        err = o.real ? real_run(o.real, o.of.seed, o.of.kinds, o.rounds, &holidays, &record)
                     : simulate(&o, &holidays, &record);
    if (o.real && err == ERR_NOT_FOUND) {
        fprintf(stderr, "bench_detect: no real series at %s: skipped\n", o.real);
        return 0;
    }
    if (!err && o.life < 0 && o.house < 0)
        err = print_record(&o, &record);
    if (!err && o.life < 0 && o.house < 0 && !o.truth && !o.list && o.houses)
        err = judge_houses(&o);
    record_done(&record);
    if (err) {
        fprintf(stderr, "bench_detect: %s\n", err_text(err));
        return 1;
    }
    return 0;
}
