#include "tools/measure/detect/houses.h"

#include <pthread.h>
#include <stdlib.h>

#define DAY_S 86400.0
#define WEEK_S (7 * DAY_S)
#define THREADS_MAX 64

/* ---- one house through the rules ---- */

typedef void take_step(void *to, unsigned column, const struct meter_facts *m,
                       const struct judge_step *step);

static void take_rows(void *to, unsigned column, const struct trial *l, take_step *take)
{
    struct track track = { 0 };
    struct judge_step steps[2];
    bool net = l->meter.form == REGISTER_NET;

    for (size_t i = 0; i < l->count; i++) {
        const struct trial_row *row = &l->rows[i];
        unsigned count;

        if (row->channel != (uint8_t)meter_billed_channel(&l->meter) ||
            (row->row.attr & ATTR_SOURCE) != SOURCE_REMOTE)
            continue;
        count = track_feed(&track, &l->meter, net, &row->row, steps);
        for (unsigned k = 0; k < count; k++)
            take(to, column, &l->meter, &steps[k]);
    }
}

static void take_balance(void *to, unsigned column, const struct meter_facts *m,
                         const struct judge_step *step)
{
    balance_take((struct balance *)to, column, m, step);
}

static void take_hand(void *to, unsigned column, const struct meter_facts *m,
                      const struct judge_step *step)
{
    (void)m;
    swapped_take((struct swapped *)to, column, step);
}

/* The first Monday of the house. */
static double origin_of(const struct house *h)
{
    int64_t days_to_monday = 6 - (h->parent.from_day + 2) % 7; /* day 0 was a Thursday */

    return h->parent.from_s + (double)days_to_monday * DAY_S;
}

static unsigned weeks_of(const struct house *h, double from_s)
{
    double weeks = (h->parent.to_s - from_s) / WEEK_S;

    return weeks < 0 ? 0 : (unsigned)weeks;
}

static unsigned held(unsigned weeks)
{
    return weeks < HOUSE_WEEKS ? weeks : HOUSE_WEEKS;
}

enum err house_balance(const struct house *h, double from_s, struct balance **out)
{
    from_s += BALANCE_FROM_S;
    enum err err = balance_new((int64_t)from_s, held(weeks_of(h, from_s)), (unsigned)h->count, out);

    if (err)
        return err;
    take_rows(*out, 0, &h->parent, take_balance);
    for (int i = 0; i < h->count; i++)
        take_rows(*out, (unsigned)i + 1, &h->flats[i], take_balance);
    return ERR_OK;
}

enum err house_hands(const struct house *h, double from_s, struct swapped **out)
{
    enum err err = swapped_new((int64_t)from_s, held(weeks_of(h, from_s)), (unsigned)h->count, out);

    for (int i = 0; i < h->count && !err; i++)
        take_rows(*out, (unsigned)i, &h->flats[i], take_hand);
    return err;
}

/* ---- what it found ---- */

static enum err look_at_window(const struct house *h, unsigned window, double origin_s,
                               struct house_story *story)
{
    struct house_column columns[FLATS_MAX];
    struct house_window w = { .columns = columns, .count = (unsigned)h->count };
    double from_s = origin_s + house_window_first(window) * WEEK_S;
    enum err err = house_balance(h, from_s, &w.balance);

    for (unsigned i = 0; i < w.count; i++)
        columns[i] = (struct house_column){ .meter = i + 1 };
    house_story_begin(story, window);
    if (!err && !(err = house_hands(h, from_s, &w.hands)))
        err = house_story_look(story, &w, (int64_t)h->parent.to_s);
    balance_free(w.balance);
    swapped_free(w.hands);
    return err;
}

static void tell(const struct house_story *story, struct house_told *out)
{
    out->count = 0;
    for (unsigned i = 0; i < story->slow_count && out->count < HOUSE_TOLD_MOST; i++) {
        const struct house_slow *s = &story->slow[i];

        out->at[out->count++] =
            (struct house_flag){ HOUSE_SLOW,    s->at.meter - 1, s->at.meter - 1, s->f.onset_s,
                                 s->f.raised_s, s->f.cleared_s,  s->f.lost_lpd };
    }
    for (unsigned i = 0; i < story->pair_count && out->count < HOUSE_TOLD_MOST; i++) {
        const struct house_pair *p = &story->pairs[i];

        if (p->f.cleared_s == p->f.raised_s)
            continue;
        out->at[out->count++] = (struct house_flag){ HOUSE_SWAPPED,
                                                     p->first.meter - 1,
                                                     p->second.meter - 1,
                                                     p->f.onset_s,
                                                     p->f.raised_s,
                                                     p->f.cleared_s,
                                                     0 };
    }
}

enum err house_tell(const struct house *h, struct house_told *out)
{
    struct house_story *story = (struct house_story *)calloc(1, sizeof *story);
    double origin_s = origin_of(h);
    unsigned weeks = weeks_of(h, origin_s + BALANCE_FROM_S);
    enum err err = story ? ERR_OK : ERR_NO_MEMORY;

    for (unsigned window = 0; !err && window <= house_window_of(weeks); window++)
        err = look_at_window(h, window, origin_s, story);
    if (!err)
        tell(story, out);
    free(story);
    return err;
}

static bool is_of_fault(const struct house_flag *f, const struct house *h)
{
    unsigned a = (unsigned)h->flat, b = h->fault == HOUSE_SWAPPED ? (unsigned)h->other : a;

    return h->fault == f->kind && f->first == (a < b ? a : b) && f->second == (a < b ? b : a);
}

static bool is_told(const struct house_told *told, const struct house_flag *f)
{
    for (size_t i = 0; told && i < told->count; i++)
        if (told->at[i].kind == f->kind && told->at[i].first == f->first &&
            told->at[i].second == f->second)
            return true;
    return false;
}

static void count_one(struct house_subject *s, const struct house *h, const struct house_flag *f)
{
    double delay_s = (double)f->raised_s - h->onset_s, true_lpd = h->flats[h->flat].lost_lpd;

    if (!is_of_fault(f, h) || delay_s < 0) {
        s->wrong[f->kind]++;
        return;
    }
    if (s->found)
        return;
    s->found = true;
    s->delay_d = delay_s / DAY_S;
    s->onset_off_d = fabs((double)f->onset_s - h->onset_s) / DAY_S;
    if (h->fault == HOUSE_SLOW && true_lpd > 0)
        s->loss_off = f->lost_lpd / true_lpd - 1;
}

static int32_t coarser(const struct house *h)
{
    int64_t a = h->flats[h->flat].meter.resolution_ml, b = h->flats[h->other].meter.resolution_ml;

    return (int32_t)((h->fault == HOUSE_SWAPPED && b > a ? b : a) / 1000);
}

enum err house_weigh(const struct house *h, const struct house_told *without,
                     struct house_subject *out)
{
    static _Thread_local struct house_told told;
    enum err err = house_tell(h, &told);

    *out = (struct house_subject){
        .fault = (uint8_t)h->fault,
        .flats = (uint8_t)h->count,
        .resolution_l = coarser(h),
        .size = h->size,
        .loss_off = NAN,
        .meter_years = h->count * (h->parent.to_s - h->parent.from_s) / DAY_S / 365.25,
        .scored = h->fault != HOUSE_SLOW || h->flats[h->flat].lost_lpd >= 1
    };
    for (size_t i = 0; i < told.count && !err; i++) {
        if (!is_told(without, &told.at[i]))
            count_one(out, h, &told.at[i]);
        else if (is_of_fault(&told.at[i], h))
            out->scored = false;
    }
    return err;
}

/* ---- all of them ---- */

struct house_worker {
    const struct trial_options *o;
    uint32_t from, to;
    struct house_subject *subjects;
    enum err err;
};

static void *work(void *arg)
{
    struct house_worker *w = (struct house_worker *)arg;
    struct house *h = (struct house *)calloc(1, sizeof *h);

    w->err = h ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t n = w->from; n < w->to && !w->err; n++)
        if (!(w->err = house_live(w->o, n, h)))
            w->err = house_weigh(h, NULL, &w->subjects[n]);
    if (h)
        house_done(h);
    free(h);
    return NULL;
}

enum err houses_run(const struct trial_options *o, uint32_t count, unsigned threads,
                    struct house_record *out)
{
    struct house_worker workers[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;
    enum err err = ERR_OK;

    out->count = count;
    if (!(out->subjects = (struct house_subject *)calloc(count ? count : 1, sizeof *out->subjects)))
        return ERR_NO_MEMORY;
    for (; started < threads && started < THREADS_MAX; started++) {
        workers[started] =
            (struct house_worker){ .o = o,
                                   .subjects = out->subjects,
                                   .from = (uint32_t)((uint64_t)count * started / threads),
                                   .to = (uint32_t)((uint64_t)count * (started + 1) / threads) };
        if (pthread_create(&ids[started], NULL, work, &workers[started])) {
            err = ERR_NO_MEMORY;
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
        err = err ? err : workers[i].err;
    }
    return err;
}

void house_record_done(struct house_record *r)
{
    free(r->subjects);
    *r = (struct house_record){ 0 };
}

/* ---- figures ---- */

static bool is_picked(const struct house_subject *s, const struct house_pick *p)
{
    return s->fault == p->fault && s->scored &&
           (!p->resolution_l || s->resolution_l == p->resolution_l) &&
           (!p->flats_most || s->flats <= p->flats_most) && s->size >= p->size_least &&
           (p->size_below <= 0 || s->size < p->size_below);
}

enum err house_figures_of(const struct house_record *r, const struct house_pick *p,
                          struct house_figures *out)
{
    double *values = (double *)calloc(3 * r->count + 1, sizeof *values), years = 0;
    double *onsets = values + r->count, *losses = onsets + r->count;
    unsigned in_time = 0, all_found = 0;
    size_t told = 0;

    if (!values)
        return ERR_NO_MEMORY;
    *out = (struct house_figures){ 0 };
    for (size_t i = 0; i < r->count; i++) {
        const struct house_subject *s = &r->subjects[i];

        out->wrong += s->wrong[p->fault];
        years += s->meter_years;
        all_found += s->fault == p->fault && s->found;
        if (!is_picked(s, p))
            continue;
        out->faults++;
        if (!s->found)
            continue;
        in_time += p->within_d <= 0 || s->delay_d <= p->within_d;
        values[out->found] = s->delay_d;
        onsets[out->found++] = s->onset_off_d;
        if (!isnan(s->loss_off))
            losses[told++] = fabs(s->loss_off);
    }
    out->recall = wilson(in_time, out->faults);
    out->precision = wilson(all_found, all_found + out->wrong);
    out->false_per_1000 = rate_of(out->wrong, years / 1000);
    out->delay_median_d = quantile(values, out->found, 0.5);
    out->onset_off_d = quantile(onsets, out->found, 0.5);
    out->loss_off = quantile(losses, told, 0.5);
    free(values);
    return ERR_OK;
}

static enum err put_line(const struct house_record *r, const char *text, const struct house_pick *p,
                         FILE *out)
{
    struct house_figures f;
    enum err err = house_figures_of(r, p, &f);

    if (err)
        return err;
    fprintf(out, "%-34s%7u  %.3f [%.3f, %.3f]  %.3f [%.3f, %.3f]", text, f.faults, f.recall.value,
            f.recall.low, f.recall.high, f.precision.value, f.precision.low, f.precision.high);
    print_number(out, f.false_per_1000.value);
    print_number(out, f.delay_median_d);
    print_number(out, f.onset_off_d);
    print_number(out, f.loss_off * 100);
    fprintf(out, "\n");
    return ERR_OK;
}

enum err table_houses(const struct house_record *r, FILE *out)
{
    static const struct {
        const char *text;
        struct house_pick pick;
    } lines[] = {
        { "slow behind, in 120 days", { HOUSE_SLOW, 0, 0, 0.15, 0, HOUSE_WITHIN_D } },
        { "  15-30 %", { HOUSE_SLOW, 0, 0, 0.15, 0.3, HOUSE_WITHIN_D } },
        { "  30-50 %", { HOUSE_SLOW, 0, 0, 0.3, 0.5, HOUSE_WITHIN_D } },
        { "  50 % and more", { HOUSE_SLOW, 0, 0, 0.5, 0, HOUSE_WITHIN_D } },
        { "  pulse 1 L", { HOUSE_SLOW, 1, 0, 0.15, 0, HOUSE_WITHIN_D } },
        { "  pulse 10 L", { HOUSE_SLOW, 10, 0, 0.15, 0, HOUSE_WITHIN_D } },
        { "  pulse 100 L", { HOUSE_SLOW, 100, 0, 0.15, 0, HOUSE_WITHIN_D } },
        { "  up to 10 flats", { HOUSE_SLOW, 0, 10, 0.15, 0, HOUSE_WITHIN_D } },
        { "swapped", { HOUSE_SWAPPED, 0, 0, 0, 0, 0 } },
        { "  pulse 1 L", { HOUSE_SWAPPED, 1, 0, 0, 0, 0 } },
        { "  pulse 10 L", { HOUSE_SWAPPED, 10, 0, 0, 0, 0 } },
        { "  pulse 100 L", { HOUSE_SWAPPED, 100, 0, 0, 0, 0 } },
    };
    enum err err = ERR_OK;

    fprintf(out, "\n%zu houses: a meter before 5 to 40 flats\n%-34s%7s  %-21s  %-21s%8s%8s%8s%8s\n",
            r->count, "", "faults", "recall", "precision of the kind", "false", "delay", "onset",
            "loss");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0] && !err; i++)
        err = put_line(r, lines[i].text, &lines[i].pick, out);
    return err;
}
