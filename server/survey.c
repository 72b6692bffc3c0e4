/* The walk and what it counts.  Rows, events and births lie in the order of meters' ids: three cursors that go side by side. */
#include "server/survey_priv.h"

#include "server/judge.h"
#include "server/prices.h"
#include "server/registers.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_METERS 4096
#define DAY_S 86400
#define FIRST_YEAR 1970u
#define YEARS 200u
#define YEAR_S 31556952 /* a year of the calendar, on average */

/* ---- groups ---- */

struct group {
    struct survey_group sums;
    char *name;
    uint16_t *ages; /* in days, of those that failed */
    size_t age_count, age_cap;
    struct exchange_ref *exchanges;
    size_t exchange_count, exchange_cap;
};

struct survey_work {
    struct group *groups;
    size_t count, cap;
    uint32_t *slots; /* of a table by name: the group's place + 1 */
    size_t slot_count;
};

static void work_free(struct survey_work *w)
{
    for (size_t i = 0; w && i < w->count; i++) {
        free(w->groups[i].name);
        free(w->groups[i].ages);
        free(w->groups[i].exchanges);
    }
    if (w) {
        free(w->groups);
        free(w->slots);
    }
    free(w);
}

static uint64_t mixed(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t name_hash(struct span name)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ name.at[i]) * UINT64_C(1099511628211);
    return mixed(h);
}

static bool name_is(const struct group *g, struct span name)
{
    return name.len ? g->name && span_equal(span_text(g->name), name) : !g->name;
}

static size_t slot_of(const struct survey_work *w, struct span name)
{
    size_t at = (size_t)name_hash(name) & (w->slot_count - 1);

    while (w->slots[at] && !name_is(&w->groups[w->slots[at] - 1], name))
        at = (at + 1) & (w->slot_count - 1);
    return at;
}

/* The table is kept at most half full. */
static enum err groups_room(struct survey_work *w)
{
    size_t cap = w->cap ? 2 * w->cap : 64;
    struct group *groups;
    uint32_t *slots;

    if (w->count < w->cap)
        return ERR_OK;
    if (!(groups = (struct group *)realloc(w->groups, cap * sizeof *groups)))
        return ERR_NO_MEMORY;
    w->groups = groups;
    if (!(slots = (uint32_t *)calloc(2 * cap, sizeof *slots)))
        return ERR_NO_MEMORY;
    free(w->slots);
    w->slots = slots;
    w->slot_count = 2 * cap;
    w->cap = cap;
    for (size_t i = 0; i < w->count; i++)
        slots[slot_of(w, w->groups[i].name ? span_text(w->groups[i].name) : (struct span){ 0 })] =
            (uint32_t)i + 1;
    return ERR_OK;
}

/* An empty name is one, too: of those without. */
static enum err group_of(struct survey_work *w, struct span name, size_t *out)
{
    enum err err = groups_room(w);
    struct group g = { 0 };
    size_t slot;

    if (err)
        return err;
    slot = slot_of(w, name);
    if (!w->slots[slot]) {
        if (w->count == SURVEY_GROUPS_MAX)
            return ERR_LIMIT;
        if (name.len && !(g.name = text_copy(name)))
            return ERR_NO_MEMORY;
        w->groups[w->count++] = g;
        w->slots[slot] = (uint32_t)w->count;
    }
    *out = w->slots[slot] - 1;
    return ERR_OK;
}

/* ---- one meter ---- */

struct surveying {
    struct app *app;
    struct survey *out;
    struct fleet_rules rules;
    int64_t from_s, to_s; /* of the window */
    struct txn t;
    struct event_walk events;
    bool event_here; /* events.event is not taken yet */
    struct scan births;
    uint32_t birth_meter; /* of the birth at hand; UINT32_MAX: no more */
    struct scope scope;
    unsigned seen; /* rows of the slice */
    uint32_t next_meter;
    struct life_event *life;
    size_t count, cap;
    struct quality_flag *flags;
    size_t flag_count, flag_cap;
    char batch[SURVEY_NAME], batch_model[SURVEY_NAME], batch_supplier[SURVEY_NAME]; /* asked last */
    /* the meter at hand */
    size_t group;
    int32_t
        counted; /* the last year that it was counted in; by anything else 0, once it was; INT32_MIN: not yet */
    int64_t year_from_s[YEARS];
    size_t year_group[YEARS]; /* where year_known */
    bool year_known[YEARS];
    enum err err;
};

static void fail(struct surveying *s, enum err err)
{
    if (!s->err)
        s->err = err;
}

static bool room(struct surveying *s, void **at, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 16;
    void *grown;

    if (count < *cap)
        return true;
    if (!(grown = realloc(*at, more * size))) {
        fail(s, ERR_NO_MEMORY);
        return false;
    }
    *at = grown;
    *cap = more;
    return true;
}

static int64_t year_start(const struct zone *z, int32_t year)
{
    struct civil first = { .year = year, .month = 1, .day = 1 };
    int64_t at_s;

    return zone_utc(z, first, &at_s) ? day_utc(first) - zone_offset(z, day_utc(first)) : at_s;
}

/* Times of events are bounded by the register's cells: what lies beyond counts to the first or last year. */
static unsigned year_of(const struct surveying *s, int64_t at_s)
{
    int64_t guess = at_s < 0 ? 0 : at_s / YEAR_S;
    unsigned n = guess >= YEARS ? YEARS - 1 : (unsigned)guess;

    while (n + 1 < YEARS && at_s >= s->year_from_s[n + 1])
        n++;
    while (n && at_s < s->year_from_s[n])
        n--;
    return n;
}

static struct group *group_of_year(struct surveying *s, unsigned year)
{
    char name[16];
    enum err err;

    if (!s->year_known[year]) {
        snprintf(name, sizeof name, "%u", FIRST_YEAR + year);
        if ((err = group_of(s->out->work, span_text(name), &s->year_group[year]))) {
            fail(s, err);
            return NULL;
        }
        s->year_known[year] = true;
    }
    return &s->out->work->groups[s->year_group[year]];
}

static struct group *group_at(struct surveying *s, int64_t at_s)
{
    return s->out->wish.by == SURVEY_YEAR ? group_of_year(s, year_of(s, at_s))
                                          : &s->out->work->groups[s->group];
}

/* Its stretches come in order of time: of the years that it was counted in the last is enough. */
static void served(void *arg, int64_t from_s, int64_t to_s)
{
    struct surveying *s = (struct surveying *)arg;
    bool by_year = s->out->wish.by == SURVEY_YEAR;

    from_s = from_s < s->from_s ? s->from_s : from_s;
    to_s = to_s > s->to_s ? s->to_s : to_s;
    while (from_s < to_s) {
        struct group *g = group_at(s, from_s);
        unsigned year = by_year ? year_of(s, from_s) : 0;
        int64_t next_s = by_year && year + 1 < YEARS ? s->year_from_s[year + 1] : INT64_MAX;
        int64_t end_s = next_s < to_s ? next_s : to_s;
        int32_t now = (int32_t)year;

        if (!g)
            return;
        g->sums.service_s += end_s - from_s;
        g->sums.meters += s->counted != now;
        s->counted = now;
        from_s = end_s;
    }
}

static void failed(void *arg, const struct quality_failure *f)
{
    struct surveying *s = (struct surveying *)arg;
    int64_t age = f->age_s / DAY_S;
    struct group *g;

    if (f->at_s < s->from_s || f->at_s >= s->to_s || !(g = group_at(s, f->at_s)))
        return;
    g->sums.by_kind[f->kind]++;
    if (f->kind == FAILURE_LOST ||
        !room(s, (void **)&g->ages, g->age_count, &g->age_cap, sizeof *g->ages))
        return;
    g->sums.failures++;
    g->ages[g->age_count++] = (uint16_t)(age > UINT16_MAX ? UINT16_MAX : age);
}

/* ---- exchanges ---- */

/* Those with the lowest lots stay. */
static void exchange_keep(struct surveying *s, struct group *g, const struct exchange_ref *x)
{
    size_t highest = 0;

    g->sums.exchanges++;
    if (g->exchange_count < SURVEY_EXCHANGES) {
        if (room(s, (void **)&g->exchanges, g->exchange_count, &g->exchange_cap,
                 sizeof *g->exchanges))
            g->exchanges[g->exchange_count++] = *x;
        return;
    }
    for (size_t i = 1; i < g->exchange_count; i++)
        if (g->exchanges[i].lot > g->exchanges[highest].lot)
            highest = i;
    if (x->lot < g->exchanges[highest].lot)
        g->exchanges[highest] = *x;
}

static void exchanges_find(struct surveying *s, uint32_t meter)
{
    uint32_t point = 0;

    for (size_t i = 0; i < s->count && !s->err; i++) {
        const struct life_event *e = &s->life[i];
        struct exchange_ref x;
        struct group *g;

        if (e->kind == EVENT_INSTALL)
            point = e->point;
        if (e->kind == EVENT_REMOVE && point && e->at_s >= s->from_s && e->at_s < s->to_s &&
            exchange_find(&s->t, point, meter, e->at_s, &x) && (g = group_at(s, e->at_s))) {
            x.lot = mixed((uint64_t)meter << 32 ^ (uint64_t)e->at_s);
            exchange_keep(s, g, &x);
        }
        if (e->kind == EVENT_REMOVE || e->kind == EVENT_LOSE)
            point = 0;
    }
}

/* ---- loading ---- */

static bool event_step(struct surveying *s)
{
    return s->event_here = event_walk_next(&s->events);
}

static void life_take(struct surveying *s, uint32_t meter)
{
    s->count = 0;
    while (s->event_here && s->events.meter < meter)
        (void)event_step(s);
    while (s->event_here && s->events.meter == meter &&
           room(s, (void **)&s->life, s->count, &s->cap, sizeof *s->life)) {
        s->life[s->count++] = s->events.event;
        (void)event_step(s);
    }
    fail(s, s->t.err);
}

static void birth_step(struct surveying *s)
{
    char digits[9] = "";

    s->birth_meter = UINT32_MAX;
    if (!scan_next(&s->births) || s->births.key.len < 8)
        return;
    memcpy(digits, s->births.key.at, 8);
    s->birth_meter = (uint32_t)strtoul(digits, NULL, 16);
}

static bool flag_take(void *arg, const char *kind, int64_t fitting_from_s, int64_t onset_s)
{
    struct surveying *s = (struct surveying *)arg;
    struct quality_flag flag = { .onset_s = onset_s };
    size_t at = s->flag_count;

    (void)fitting_from_s;
    if (!failure_of_flag(&s->rules, kind, &flag.kind))
        return true;
    if (!room(s, (void **)&s->flags, s->flag_count, &s->flag_cap, sizeof *s->flags))
        return false;
    for (; at && s->flags[at - 1].onset_s > onset_s; at--)
        s->flags[at] = s->flags[at - 1];
    s->flags[at] = flag;
    s->flag_count++;
    return true;
}

static void flags_take(struct surveying *s, uint32_t meter)
{
    s->flag_count = 0;
    while (s->birth_meter < meter)
        birth_step(s);
    if (s->birth_meter != meter)
        return;
    fail(s, flags_confirmed(&s->t, meter, flag_take, s));
    while (s->birth_meter == meter)
        birth_step(s);
}

static void keep(char out[SURVEY_NAME], struct span text)
{
    size_t len = text.len < SURVEY_NAME ? text.len : SURVEY_NAME - 1;

    if (len)
        memcpy(out, text.at, len);
    out[len] = 0;
}

/* What the meter's batch says, where the meter does not: meters of a batch come one after the other. */
static void batch_ask(struct surveying *s, struct span batch)
{
    struct ledger_row row;

    if (batch.len >= SURVEY_NAME || span_equal(batch, span_text(s->batch)))
        return;
    keep(s->batch, batch);
    s->batch_model[0] = s->batch_supplier[0] = 0;
    if (!ledger_find(&s->t, LIST_BATCH, batch, INT64_MAX, &row))
        return;
    keep(s->batch_model, ledger_cell(&row, CELL_BATCH_model));
    keep(s->batch_supplier, ledger_cell(&row, CELL_BATCH_supplier));
}

struct kind_of_meter {
    struct span model, supplier, batch, dn;
};

static void kind_ask(struct surveying *s, const struct ledger_row *row, struct kind_of_meter *out)
{
    *out = (struct kind_of_meter){ .model = ledger_cell(row, CELL_METER_model),
                                   .supplier = ledger_cell(row, CELL_METER_supplier),
                                   .batch = ledger_cell(row, CELL_METER_batch),
                                   .dn = ledger_cell(row, CELL_METER_dn) };
    if (!out->batch.len || (out->model.len && out->supplier.len))
        return;
    batch_ask(s, out->batch);
    if (!span_equal(out->batch, span_text(s->batch)))
        return;
    if (!out->model.len)
        out->model = span_text(s->batch_model);
    if (!out->supplier.len)
        out->supplier = span_text(s->batch_supplier);
}

static bool is_wanted(struct surveying *s, const struct ledger_row *row,
                      const struct kind_of_meter *k)
{
    const struct survey_wish *w = &s->out->wish;

    return (!w->model[0] || span_equal(k->model, span_text(w->model))) &&
           (!w->supplier[0] || span_equal(k->supplier, span_text(w->supplier))) &&
           (!w->org[0] || scope_meter(&s->scope, &s->t, row));
}

static struct span name_by(enum survey_by by, const struct kind_of_meter *k)
{
    struct span name = by == SURVEY_MODEL      ? k->model
                       : by == SURVEY_SUPPLIER ? k->supplier
                       : by == SURVEY_BATCH    ? k->batch
                                               : k->dn;

    return span_of(name.at, name.len < SURVEY_NAME ? name.len : SURVEY_NAME - 1);
}

static void age_keep(struct surveying *s, const struct quality_end *end)
{
    int64_t age = end->age_s / DAY_S;
    struct survival_day *day;

    if (!end->served)
        return;
    day = &s->out->days[age < SURVEY_AGES_MAX ? age : SURVEY_AGES_MAX - 1];
    if (end->failed)
        day->failed++;
    else
        day->censored++;
}

static void meter_read(struct surveying *s, const struct ledger_row *row,
                       const struct kind_of_meter *k)
{
    struct quality_of q = { .rules = &s->rules,
                            .events = s->life,
                            .count = s->count,
                            .flags = s->flags,
                            .flag_count = s->flag_count,
                            .now_s = s->out->until_s,
                            .stretch = s->out->wish.survival ? NULL : served,
                            .failure = s->out->wish.survival ? NULL : failed,
                            .arg = s };
    struct quality_end end;

    s->counted = INT32_MIN;
    if (!s->out->wish.survival && s->out->wish.by != SURVEY_YEAR)
        fail(s, group_of(s->out->work, name_by(s->out->wish.by, k), &s->group));
    if (s->err)
        return;
    end = quality_read(&q);
    if (s->out->wish.survival)
        age_keep(s, &end);
    else
        exchanges_find(s, row->id);
}

/* A meter without events was never in service: it makes no group. */
static bool row_take(void *arg, const struct ledger_row *row)
{
    struct surveying *s = (struct surveying *)arg;
    struct kind_of_meter k;

    s->next_meter = row->id + 1;
    kind_ask(s, row, &k);
    if (is_wanted(s, row, &k)) {
        life_take(s, row->id);
        flags_take(s, row->id);
        if (s->count && !s->err)
            meter_read(s, row, &k);
    }
    fail(s, s->t.err);
    return !s->err && ++s->seen < SLICE_METERS;
}

static enum err slice(struct surveying *s, bool *out_more)
{
    enum err err, ended;

    s->t = ledger_read(s->app->ledger);
    s->scope = scope_of(s->out->wish.org);
    s->batch[0] = s->batch_model[0] = s->batch_supplier[0] = 0;
    s->events = ledger_event_walk(&s->t, s->next_meter);
    s->births = ledger_flags_of(&s->t, s->next_meter);
    birth_step(s);
    (void)event_step(s);
    s->seen = 0;
    err = ledger_each_by_id(&s->t, LIST_METER, s->next_meter, row_take, s);
    event_walk_done(&s->events);
    scan_done(&s->births);
    ended = txn_end(&s->t);
    *out_more = s->seen == SLICE_METERS;
    return s->err ? s->err : err ? err : ended;
}

/* ---- the whole ---- */

static int64_t day_start(const struct zone *z, int32_t day)
{
    struct civil c = day_civil((int64_t)day * DAY_S);
    int64_t at_s;

    return zone_utc(z, c, &at_s) ? day_utc(c) - zone_offset(z, day_utc(c)) : at_s;
}

static enum err begin(struct surveying *s)
{
    const struct survey_wish *w = &s->out->wish;
    struct txn t = ledger_read(s->app->ledger);
    enum err err = fleet_rules_now(s->app, &t, &s->rules), ended;

    s->out->acts = ledger_end(&t);
    ended = txn_end(&t);
    s->from_s = w->from_day == NO_DAY ? INT64_MIN : day_start(&s->app->zone, w->from_day);
    s->to_s = s->out->until_s + 1;
    if (w->to_day != NO_DAY && day_start(&s->app->zone, w->to_day + 1) < s->to_s)
        s->to_s = day_start(&s->app->zone, w->to_day + 1);
    s->next_meter = 1;
    for (unsigned n = 0; n < YEARS; n++)
        s->year_from_s[n] = year_start(&s->app->zone, (int32_t)(FIRST_YEAR + n));
    return err ? err : ended;
}

/* How many exchanges of each group are looked at. */
static size_t share_of(const struct survey_work *w)
{
    size_t share = w->count ? SURVEY_EXCHANGES_ALL / w->count : 0;

    return share < SURVEY_EXCHANGES ? share + 1 : SURVEY_EXCHANGES;
}

static int lot_order(const void *a, const void *b)
{
    const struct exchange_ref *x = (const struct exchange_ref *)a,
                              *y = (const struct exchange_ref *)b;

    return (x->lot > y->lot) - (x->lot < y->lot);
}

#define RATIO_MOST 1000000 /* thousandths: a tap left open a year ago */

static int32_t thousandths(double ratio)
{
    double x = ratio * 1000;

    return (int32_t)(x < -RATIO_MOST ? -RATIO_MOST : x > RATIO_MOST ? RATIO_MOST : x);
}

static enum err exchanges_read(struct surveying *s, struct group *g, size_t share)
{
    int32_t ratios[SURVEY_EXCHANGES];
    size_t count = g->exchange_count < share ? g->exchange_count : share;
    enum err err = ERR_OK;

    if (count && !(g->sums.samples = (struct wear_sample *)calloc(count, sizeof *g->sums.samples)))
        return ERR_NO_MEMORY;
    if (count)
        qsort(g->exchanges, g->exchange_count, sizeof *g->exchanges, lot_order);
    g->sums.left_out[LEFT_UNSAMPLED] = g->sums.exchanges - count;
    for (size_t i = 0; i < count && !err; i++) {
        enum exchange_left_out why;

        err = exchange_measure(s->app, &g->exchanges[i], s->rules.exchange_days, s->out->until_s,
                               &g->sums.samples[g->sums.measured], &why);
        if (why == EXCHANGE_LEFT) {
            ratios[g->sums.measured] = thousandths(g->sums.samples[g->sums.measured].ratio);
            g->sums.measured++;
        } else {
            g->sums.left_out[why]++;
        }
        if (!err && s->app->stopping)
            err = ERR_STOPPING;
    }
    if (!err)
        g->sums.spread = quality_middle(ratios, (size_t)g->sums.measured, &g->sums.ratio);
    return err;
}

static bool is_empty(const struct survey_group *g)
{
    uint64_t lost = g->by_kind[FAILURE_LOST];

    return !g->meters && !g->failures && !lost && !g->exchanges;
}

/* Numbers by their size, as texts of digits without zeros before them. */
static int name_order(const void *a, const void *b, void *arg)
{
    const struct survey_group *x = (const struct survey_group *)a,
                              *y = (const struct survey_group *)b;
    bool number = *(const enum survey_by *)arg == SURVEY_DN;

    if (!x->name || !y->name)
        return !x->name - !y->name;
    if (number && strlen(x->name) != strlen(y->name))
        return strlen(x->name) < strlen(y->name) ? -1 : 1;
    return strcmp(x->name, y->name);
}

size_t survey_after(const struct survey *v, const char *name)
{
    struct survey_group key = { .name = name };
    enum survey_by by = v->wish.by;
    size_t n = 0;

    while (n < v->count && name_order(&v->groups[n], &key, &by) <= 0)
        n++;
    return n;
}

/* Sums of the groups that have any, in their order. */
static enum err finish(struct surveying *s)
{
    struct survey_work *w = s->out->work;
    size_t share = share_of(w);
    enum err err = ERR_OK;

    s->out->groups = (struct survey_group *)calloc(w->count + 1, sizeof *s->out->groups);
    if (!s->out->groups)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < w->count && !err; i++) {
        struct group *g = &w->groups[i];

        g->sums.name = g->name;
        if (g->age_count)
            g->sums.median_age_days = quality_median(g->ages, g->age_count);
        err = exchanges_read(s, g, share);
        if (!err && !is_empty(&g->sums))
            s->out->groups[s->out->count++] = g->sums;
        else
            free(g->sums.samples);
        g->sums.samples = NULL;
        free(g->ages);
        free(g->exchanges);
        g->ages = NULL;
        g->exchanges = NULL;
    }
    qsort_r(s->out->groups, s->out->count, sizeof *s->out->groups, name_order, &s->out->wish.by);
    return err;
}

void survey_free(struct survey *v)
{
    if (!v)
        return;
    work_free(v->work);
    for (size_t i = 0; i < v->count; i++)
        free(v->groups[i].samples);
    free(v->groups);
    free(v->days);
    free(v);
}

enum err survey_make(struct app *app, const struct survey_wish *wish, struct survey **out)
{
    struct surveying *s = (struct surveying *)calloc(1, sizeof *s);
    struct survey *v = (struct survey *)calloc(1, sizeof *v);
    bool more = true;
    enum err err = s && v ? ERR_OK : ERR_NO_MEMORY;

    if (!err) {
        *v = (struct survey){ .wish = *wish, .until_s = clock_now_s(&app->clock) };
        s->app = app;
        s->out = v;
        v->work = (struct survey_work *)calloc(1, sizeof *v->work);
        v->days =
            (struct survival_day *)calloc(wish->survival ? SURVEY_AGES_MAX : 1, sizeof *v->days);
        err = v->work && v->days ? begin(s) : ERR_NO_MEMORY;
    }
    while (!err && more)
        if (!(err = slice(s, &more)) && app->stopping)
            err = ERR_STOPPING;
    if (!err)
        err = finish(s);
    if (s) {
        free(s->life);
        free(s->flags);
    }
    free(s);
    if (err)
        survey_free(v);
    else
        *out = v;
    return err;
}

const char *exchange_left_name(enum exchange_left_out why)
{
    static const char *const names[EXCHANGE_LEFT] = { [LEFT_RECENT] = "recent",
                                                      [LEFT_SHORT] = "short",
                                                      [LEFT_UNREAD] = "unread",
                                                      [LEFT_UNUSED] = "unused",
                                                      [LEFT_UNSAMPLED] = "unsampled" };

    return names[why];
}
