/* Real series with injected faults.
 *
 * A series is taken as the true use behind the meter, hour by hour; the fault is put upon it as tools/sim/fault.c has it, and the
 * register is formed anew, in pulses of 1, 10 or 100 L. What a flag stands for there nobody knows, so the same register is judged
 * without the fault as well: a flag that it raises, too (the same rule, onset or alarm within three days), counts neither way. Nor does one that is
 * no fault's and stands while the series without the fault has one of the same rule: a fault between parts one long flag into two, or has it begin
 * later, and what it stands for is the series' own.
 *
 * Left out, because a series of hours cannot have them: erosion of low flow, meters of the wrong size, what never turned, and what vitals or
 * dials tell. */
#include "tools/measure/detect/real.h"
#include "server/zonefile.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0
#define GRID_S 300.0
#define SAME_S (3 * 86400)

static enum err push(struct real_series *s, int64_t at_s, int64_t value)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8192;
        struct row *at = (struct row *)realloc(s->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        s->at = at;
        s->cap = cap;
    }
    s->at[s->count++] = (struct row){ .value = value, .time_s = (uint32_t)at_s };
    return ERR_OK;
}

static struct real_series *named(struct real *r, const char *name)
{
    struct real_series *last = r->count ? &r->series[r->count - 1] : NULL;

    if (last && strcmp(last->name, name) == 0)
        return last;
    if (r->count == SERIES_MAX)
        return NULL;
    last = &r->series[r->count++];
    snprintf(last->name, sizeof last->name, "%s", name);
    return last;
}

static enum err read_line(struct real *r, const char *line)
{
    char name[32];
    int year;
    unsigned month, day, hour, minute, second;
    long long index_l;
    int64_t at_s;
    struct real_series *s;

    if (sscanf(line, "%31[^,],%d-%u-%uT%u:%u:%u,%lld", name, &year, &month, &day, &hour, &minute,
               &second, &index_l) != 8)
        return ERR_OK; /* the header */
    if (zone_utc(&r->zone,
                 (struct civil){ year, (uint8_t)month, (uint8_t)day, (uint8_t)hour, (uint8_t)minute,
                                 (uint8_t)second },
                 &at_s))
        return ERR_OK; /* an hour that never was */
    if (!(s = named(r, name)))
        return ERR_TOO_LARGE;
    if (s->count && at_s <= s->at[s->count - 1].time_s)
        return ERR_OK;
    return push(s, at_s, index_l * 1000);
}

enum err real_load(const char *path, struct real *r)
{
    struct refusal why = { 0 };
    char line[256];
    FILE *file = fopen(path, "r");
    enum err err;

    if (!file)
        return ERR_NOT_FOUND;
    err = zone_load("Europe/Madrid", &r->zone, &why);
    r->series = err ? NULL : (struct real_series *)calloc(SERIES_MAX, sizeof *r->series);
    if (!err && !r->series)
        err = ERR_NO_MEMORY;
    while (!err && fgets(line, sizeof line, file))
        err = read_line(r, line);
    fclose(file);
    return err;
}

void real_unload(struct real *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->series[i].at);
    free(r->series);
}

/* ---- a fault on a series ---- */

static bool can_have(enum fault_kind k)
{
    return k != FAULT_NONE && k != FAULT_SLOW_EROSION && k != FAULT_UNMOVED &&
           k != FAULT_OVERSIZE && k != FAULT_UNDERSIZE && k != FAULT_CLOCK && k != FAULT_BATTERY &&
           k != FAULT_TAMPER && k != FAULT_OUT_OF_STEP;
}

static enum register_form form_of(struct chance *c, enum fault_kind k)
{
    bool both = chance_happens(c, 0.5);

    if (k == FAULT_SELFTURN)
        return REGISTER_BOTH;
    if (k == FAULT_REVERSED || k == FAULT_BACKFLOW)
        return both ? REGISTER_BOTH : REGISTER_NET;
    return both ? REGISTER_FORWARD : chance_happens(c, 0.5) ? REGISTER_NET : REGISTER_BOTH;
}

static void begin(struct trial *l, const struct real_series *s, struct chance *c,
                  enum fault_kind kind, uint32_t n)
{
    double u = chance_unit(c);

    l->n = n;
    l->count = 0;
    l->from_s = s->at[0].time_s;
    l->to_s = s->at[s->count - 1].time_s;
    l->use.way = WAY_FAMILY;
    l->mishaps = 0;
    l->meter = (struct meter_facts){ .id = n + 1,
                                     .dn_mm = 15,
                                     .q3_lph = 2500,
                                     .modulus_ml = INT64_C(10000000000),
                                     .resolution_ml = u < 0.6    ? 1000
                                                      : u < 0.85 ? 10000
                                                                 : 100000 };
    l->meter.form = form_of(c, kind);
    l->point = (struct point_facts){ .id = n + 1, .use = USE_RESIDENTIAL };
    l->fittings[0] = (struct fitting){ .from_s = (int64_t)l->from_s, .to_s = FITTING_OPEN };
    l->fitting_count = 1;
    fault_make(&l->fault, c, kind, l->from_s, l->to_s, 2500);
}

static void leak(void *arg, double at_s, double seconds, double lph)
{
    struct trial *l = (struct trial *)arg;

    course_add(&l->course, l->course.forward_ml, at_s, seconds, lph * seconds / 3.6);
}

/* By civil days: what flows by night does so by the nights of the place. */
static enum err fault_water(struct trial *l, struct chance *c, const struct zone *zone)
{
    const struct fault *f = &l->fault;
    enum err err =
        course_begin(&l->course, l->from_s, GRID_S, (uint32_t)((l->to_s - l->from_s) / GRID_S) + 2);
    int64_t day_s = zone_day_start(zone, (int64_t)l->from_s);

    for (; (double)day_s < l->to_s && !err; day_s = zone_day_next(zone, day_s)) {
        fault_day(f, c, (double)day_s, leak, l);
        for (int h = -2; f->kind == FAULT_SELFTURN && h < 7; h++) { /* 22 to 7 o'clock */
            double at_s = (double)day_s + h * 3600, ml = f->size * 1000 * chance_even(c, 0.5, 1.5);

            if (at_s < l->from_s || !fault_is_on(f, at_s))
                continue;
            course_add(&l->course, l->course.forward_ml, at_s, 3600, ml);
            course_add(&l->course, l->course.back_ml, at_s, 3600, ml);
        }
    }
    if (!err && f->kind == FAULT_BACKFLOW)
        course_add(&l->course, l->course.back_ml, f->onset_s, f->extra, f->size * 1000);
    return err;
}

/* What the course has up to an instant; called with rising ones. */
struct upto {
    uint32_t n;
    double sum;
};
static double upto(struct upto *u, const struct course *k, const float *ml_of, double at_s)
{
    double x = (at_s - k->from_s) / k->step_s;

    for (; u->n < k->count && u->n + 1 <= x; u->n++)
        u->sum += (double)ml_of[u->n];
    return u->n < k->count ? u->sum + (double)ml_of[u->n] * (x - u->n) : u->sum;
}

static enum err push_row(struct trial *l, uint32_t at_s, double forward_ml, double back_ml)
{
    bool net = l->meter.form == REGISTER_NET;
    struct trial_row row = { .channel = (uint8_t)meter_billed_channel(&l->meter),
                             .arrival_s = at_s,
                             .row = { .time_s = (uint32_t)(at_s + fault_clock_s(&l->fault, at_s)),
                                      .value = wheel_shows(&l->meter,
                                                           forward_ml - (net ? back_ml : 0)) } };
    enum err err = trial_push(l, &row);

    if (err || l->meter.form != REGISTER_BOTH)
        return err;
    row.channel = CHANNEL_REVERSE;
    row.row.value = wheel_shows(&l->meter, back_ml);
    return trial_push(l, &row);
}

/* The register with the fault. */
static enum err form(struct trial *l, const struct real_series *s)
{
    const struct fault *f = &l->fault;
    struct upto forward = { 0 }, back = { 0 };
    double forward_ml = (double)s->at[0].value, back_ml = 0, would = 0, lost = 0, used = 0, days;
    enum err err = push_row(l, s->at[0].time_s, forward_ml, 0);
    double leaked = 0;

    for (size_t i = 1; i < s->count && !err; i++) {
        double ml = (double)(s->at[i].value - s->at[i - 1].value), at_s = s->at[i].time_s;
        double middle_s = (at_s + s->at[i - 1].time_s) / 2,
               share = ml > 0 ? fault_share(f, middle_s) : 1;
        bool during = middle_s >= f->onset_s && middle_s < f->end_s;

        if (f->kind == FAULT_SILENT && during)
            break;
        if (ml > 0 && fault_turns_back(f, middle_s)) {
            back_ml += ml;
            lost += ml;
        } else {
            forward_ml += ml * share;
            lost += ml > 0 && during ? ml * (1 - share) : 0;
        }
        used += ml > 0 ? ml : 0;
        would += ml > 0 && during ? ml : 0;
        leaked = upto(&forward, &l->course, l->course.forward_ml, at_s);
        err = push_row(l, s->at[i].time_s, forward_ml + leaked,
                       back_ml + upto(&back, &l->course, l->course.back_ml, at_s));
    }
    days = fmax((f->end_s - f->onset_s) / DAY_S, 1e-9);
    l->used_lpd = used / 1000 / ((l->to_s - l->from_s) / DAY_S);
    l->would_lpd = f->kind == FAULT_NONE ? 0 : would / 1000 / days;
    l->lost_lpd =
        f->kind == FAULT_NONE ? 0 : (lost + (fault_is_leak(f->kind) ? leaked : 0)) / 1000 / days;
    l->seen_share = 1;
    return err;
}

static void mark(struct told_list *told, const struct told_list *without)
{
    for (unsigned i = 0; i < told->count; i++)
        for (unsigned j = 0; j < without->count; j++) {
            struct told *a = &told->at[i];
            const struct told *b = &without->at[j];

            if (a->rule != b->rule)
                continue;
            a->too |= llabs(a->onset_s - b->onset_s) <= SAME_S ||
                      llabs(a->raised_s - b->raised_s) <= SAME_S;
            a->beside |=
                (a->open || a->cleared_s >= b->onset_s) && (b->open || b->cleared_s >= a->onset_s);
        }
}

/* A series once, with a fault of this kind. */
static enum err one(const struct real *r, const struct real_series *s, uint64_t seed,
                    enum fault_kind kind, uint32_t n, struct trial *l, struct told_list told[2],
                    const struct holidays *holidays, struct record *out)
{
    struct chance c = chance_of(seed, n, 7);
    struct fault fault;
    enum err err;

    begin(l, s, &c, kind, n);
    fault = l->fault;
    l->fault = (struct fault){ .kind = FAULT_NONE };
    if ((err = fault_water(l, &c, &r->zone)) || (err = form(l, s)))
        return err;
    if ((err = run_rules(l, &r->zone, holidays, &told[0])))
        return err;
    l->count = 0;
    l->fault = fault;
    if ((err = fault_water(l, &c, &r->zone)) || (err = form(l, s)) ||
        (err = run_rules(l, &r->zone, holidays, &told[1])))
        return err;
    mark(&told[1], &told[0]);
    return record_add(out, l, &told[1], true);
}

enum err real_run(const char *path, uint64_t seed, uint32_t kinds, unsigned rounds,
                  const struct holidays *holidays, struct record *out)
{
    struct real *r = (struct real *)calloc(1, sizeof *r);
    struct told_list *told = (struct told_list *)calloc(2, sizeof *told);
    struct trial *l = (struct trial *)calloc(1, sizeof *l);
    enum err err = r && told && l ? real_load(path, r) : ERR_NO_MEMORY;
    enum fault_kind kind = FAULT_NONE;
    bool some = false;

    for (int k = 0; k < FAULTS; k++)
        some = some || (can_have((enum fault_kind)k) && (!kinds || kinds >> k & 1));
    if (!kinds)
        kinds = UINT32_MAX;
    for (unsigned round = 0; round < rounds && some && !err; round++)
        for (size_t i = 0; i < r->count && !err; i++) {
            if (r->series[i].count < 1000)
                continue;
            do
                kind = (enum fault_kind)((kind + 1) % FAULTS);
            while (!can_have(kind) || !(kinds >> kind & 1));
            err = one(r, &r->series[i], seed, kind, (uint32_t)(round * r->count + i), l, told,
                      holidays, out);
        }
    if (r)
        real_unload(r);
    if (l)
        trial_done(l);
    free(l);
    free(told);
    free(r);
    return err;
}
