#include "server/hearing.h"

#include "server/detect/silent.h"
#include "server/lives.h"
#include "server/outages.h"

#include <math.h>
#include <stdlib.h>

#define EVERY_S 60 /* between two looks that nobody asked for */
#define FORGOTTEN_S (400 * 86400)
#define CELL_METERS_MOST                                                                           \
    512 /* of a cell, of which the register is asked whether they are in use; of more, every so many-th */

struct heard {
    uint32_t last_s; /* 0: never */
    uint32_t cell;
    uint16_t period_min, longest_quarters;
    uint8_t level; /* of its silence, as it was told to the judge: 0 none, to SILENCE_LEVELS */
    uint8_t spare;
    uint16_t
        late_share; /* of its time for which it was late by itself, in 65 535ths, as far back as it remembers */
};
_Static_assert(sizeof(struct heard) == 16, "ten million of them are held in memory");

/* A cell at one look. */
struct cell {
    uint32_t id; /* 0: no cell */
    uint32_t meters, late, later;
    uint32_t last_s;  /* when the last of its late meters was heard */
    int64_t outage_s; /* when the outage that lasts began; 0: none does */
    bool look;        /* the register is to be asked: it has an outage, or may have */
    bool changed;     /* an outage began or ended at this look: its meters are to be judged */
};

struct hearing {
    struct app *app;
    struct heard *at; /* by meter */
    size_t count;
    int64_t looked_s;   /* 0: not yet */
    struct cell *cells; /* open addressing */
    size_t cell_cap, cell_count;
    struct cell all;
    struct member {
        uint32_t slot, meter; /* slot: the place of its cell; of all: 0 */
    } * members;              /* of the cells that are looked at, cell by cell */
    size_t member_count, member_cap;
    uint32_t *times; /* room for CELL_METERS_MOST */
    double *shares;  /* twice that, and one */
    struct again {
        uint32_t meter,
            last_s; /* last_s: as it was heard then; heard since, it is of no silence any more */
        int64_t at_s;
    } * again;
    size_t again_count, again_cap;
};

/* ---- who was heard ---- */

static enum err room_for(struct hearing *h, uint32_t meter)
{
    size_t count = h->count ? h->count : 1024;
    struct heard *at;

    if (meter < h->count)
        return ERR_OK;
    while (count <= meter)
        count += count / 8;
    if (!(at = (struct heard *)realloc(h->at, count * sizeof *at)))
        return ERR_NO_MEMORY;
    memset(at + h->count, 0, (count - h->count) * sizeof *at);
    h->at = at;
    h->count = count;
    return ERR_OK;
}

static void limits_of(const struct heard *e, struct silence_limits *out)
{
    silence_limits(e->period_min * 60u, e->longest_quarters * 900u, NULL, out);
}

/* For how much of its time it is late, with the pause that ended now; an outage's pause is not its own. */
static uint16_t late_share(struct hearing *h, const struct heard *e, const struct vitals *v)
{
    const struct outages *o = h->app ? h->app->outages : NULL;
    struct silence_limits limits;
    double share = e->late_share, pause_s = (double)v->arrival_s - e->last_s, late_s, weight;

    limits_of(e, &limits);
    if (!e->last_s)
        return (uint16_t)(65535 * (vitals_longest_s(v) > limits.later_s ? LATE_SHARE_POOR
                                                                        : LATE_SHARE_LEAST));
    if (pause_s <= 0)
        return e->late_share;
    late_s = pause_s > limits.late_s ? pause_s - limits.late_s : 0;
    if (late_s > 0 && o && outage_of(o, e->cell, e->last_s, v->arrival_s))
        return e->late_share;
    weight = 1 - exp(-pause_s / LATE_SHARE_FADES_S);
    share += weight * (65535 * late_s / pause_s - share);
    return (uint16_t)(share + 0.5);
}

enum err hearing_heard(struct hearing *h, uint32_t meter, const struct vitals *v)
{
    enum err err = h ? room_for(h, meter) : ERR_OK;
    uint32_t minutes = vitals_period_s(v) / 60;
    uint16_t share = h && !err && v->position ? late_share(h, &h->at[meter], v) : 0;

    if (h && !err && v->position)
        h->at[meter] = (struct heard){ .late_share = share,
                                       .last_s = v->arrival_s,
                                       .cell = v->cell,
                                       .period_min = (uint16_t)minutes,
                                       .longest_quarters = v->longest_quarters };
    return err;
}

static uint8_t level_at(const struct heard *e, const struct silence_limits *limits, int64_t now_s)
{
    uint8_t level = 0;

    while (level < SILENCE_LEVELS && now_s - e->last_s >= limits->level_s[level])
        level++;
    return level;
}

void hearing_counts_from(struct hearing *h, uint32_t meter, int64_t from_s, int64_t now_s)
{
    struct silence_limits limits;
    struct heard *e;

    if (!h || meter >= h->count || !(e = &h->at[meter])->last_s || from_s <= e->last_s ||
        from_s > UINT32_MAX)
        return;
    e->last_s = (uint32_t)from_s;
    limits_of(e, &limits);
    e->level = level_at(e, &limits, now_s);
}

enum err hearing_look_again(struct hearing *h, uint32_t meter, int64_t at_s)
{
    if (!h || meter >= h->count)
        return ERR_OK;
    if (h->again_count == h->again_cap) {
        size_t cap = h->again_cap ? h->again_cap * 2 : 256;
        struct again *more = (struct again *)realloc(h->again, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        h->again = more;
        h->again_cap = cap;
    }
    h->again[h->again_count++] = (struct again){ meter, h->at[meter].last_s, at_s };
    return ERR_OK;
}

/* Whoever is silent at a start is looked at once more, for what it depended on is not known here; those that were left over long ago are not. */
struct filling {
    struct hearing *h;
    int64_t now_s;
    enum err err;
};

static bool fill(void *arg, uint32_t meter, const struct vitals *v)
{
    struct filling *f = (struct filling *)arg;

    if ((f->err = hearing_heard(f->h, meter, v)))
        return false;
    if (f->now_s - v->arrival_s > FORGOTTEN_S)
        f->h->at[meter].level = SILENCE_LEVELS;
    return true;
}

enum err hearing_open(struct app *app, struct hearing **out)
{
    struct hearing *h = (struct hearing *)calloc(1, sizeof *h);
    struct filling f = { .h = h, .now_s = clock_now_s(&app->clock) };
    enum err err = h ? ERR_OK : ERR_NO_MEMORY;

    if (!err && (!(h->times = (uint32_t *)malloc(CELL_METERS_MOST * sizeof *h->times)) ||
                 !(h->shares = (double *)malloc((2 * CELL_METERS_MOST + 1) * sizeof *h->shares))))
        err = ERR_NO_MEMORY;
    if (!err)
        h->app = app;
    if (!err && !(err = archive_vitals_each(app->archive, fill, &f)) && !(err = f.err))
        err = outages_show(app);
    if (err)
        hearing_close(h);
    else
        *out = h;
    return err;
}

void hearing_close(struct hearing *h)
{
    if (!h)
        return;
    free(h->at);
    free(h->cells);
    free(h->members);
    free(h->times);
    free(h->shares);
    free(h->again);
    free(h);
}

/* ---- cells ---- */

static struct cell *slot_of(struct cell *cells, size_t cap, uint32_t id)
{
    size_t at = (id * UINT32_C(2654435761)) & (cap - 1);

    while (cells[at].id && cells[at].id != id)
        at = (at + 1) & (cap - 1);
    return &cells[at];
}

static enum err cells_grow(struct hearing *h)
{
    size_t cap = h->cell_cap ? h->cell_cap * 2 : 1024;
    struct cell *cells = (struct cell *)calloc(cap, sizeof *cells);

    if (!cells)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < h->cell_cap; i++)
        if (h->cells[i].id)
            *slot_of(cells, cap, h->cells[i].id) = h->cells[i];
    free(h->cells);
    h->cells = cells;
    h->cell_cap = cap;
    return ERR_OK;
}

/* NULL: it is in none, or without memory. */
static struct cell *cell_of(struct hearing *h, uint32_t id, enum err *err)
{
    struct cell *c;

    if (!id || ((h->cell_count + 1) * 2 > h->cell_cap && (*err = cells_grow(h))))
        return NULL;
    c = slot_of(h->cells, h->cell_cap, id);
    if (!c->id) {
        c->id = id;
        h->cell_count++;
    }
    return c;
}

static void count_in(struct cell *c, const struct heard *e, bool late, bool later)
{
    c->meters++;
    c->late += late;
    c->later += later;
    if (late && e->last_s > c->last_s)
        c->last_s = e->last_s;
}

static enum err begin_cells(struct hearing *h)
{
    const struct outages *o;
    enum err err = outages_know(h->app, &o);

    if (h->cell_cap)
        memset(h->cells, 0, h->cell_cap * sizeof *h->cells);
    h->cell_count = 0;
    h->all = (struct cell){ 0 };
    for (size_t i = 0; i < (err ? 0 : o->count); i++) {
        struct cell *c = o->at[i].cleared_s || o->at[i].zone ? NULL
                         : o->at[i].cell == OUTAGE_ALL       ? &h->all
                                                             : cell_of(h, o->at[i].cell, &err);

        if (c)
            c->outage_s = o->at[i].onset_s;
    }
    return err;
}

static enum err count_cells(struct hearing *h, int64_t now_s)
{
    enum err err = begin_cells(h);

    for (size_t i = 0; i < h->count && !err; i++) {
        const struct heard *e = &h->at[i];
        struct silence_limits limits;
        struct cell *c;
        bool left, late = false, later = false;

        if (!e->last_s)
            continue;
        left = now_s - e->last_s > OUTAGE_LEFT_S;
        if (now_s - e->last_s > (e->period_min ? e->period_min * INT64_C(60) : SILENCE_PERIOD_S)) {
            limits_of(e, &limits);
            late = now_s - e->last_s > limits.late_s;
            later = now_s - e->last_s > limits.later_s;
        }
        c = cell_of(h, e->cell, &err);
        if (!left || h->all.outage_s)
            count_in(&h->all, e, late, later);
        if (c && (!left || c->outage_s))
            count_in(c, e, late, later);
    }
    return err;
}

/* ---- is it out? ---- */

/* Fitted and not suspended; an error sticks. */
static bool is_in_use(struct hearing *h, struct txn *t, uint32_t meter, int64_t now_s,
                      uint32_t *out_point, enum err *err)
{
    struct meter_life life = { 0 };
    struct fitting f;
    struct life now;
    bool in_use = false;
    enum err found = fitting_at(t, false, meter, now_s, &f);

    if (found == ERR_NOT_FOUND)
        return false;
    if (found || (found = life_load(h->app, t, meter, &life))) {
        *err = found;
    } else {
        life_fold(&life.rules, life.events, life.count, now_s, INT64_MAX, &now);
        in_use = now.state != LIFE_SUSPENDED;
        *out_point = f.point;
    }
    life_done(&life);
    return in_use;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* What is seen of a cell, or of all, once the register was asked. */
struct look {
    struct hearing *h;
    const struct cell *c;
    int64_t now_s;
    bool few;     /* later_s counts */
    bool of_late; /* times_s: since when each is late; else when each was heard that is not */
    uint32_t meters, late, point;
    uint32_t onset_s; /* when the last of the late ones was heard */
    uint32_t grace_s; /* the longest time that one of them may be late */
    uint32_t *times_s;
    size_t time_count;
    double *shares; /* of each, for how much of its time it is late */
};

static void look_at_meter(struct look *l, const struct heard *e)
{
    struct silence_limits limits;
    uint32_t allowed_s;
    bool late;

    limits_of(e, &limits);
    allowed_s = l->few ? limits.later_s : limits.late_s;
    late = l->now_s - e->last_s > allowed_s;
    l->shares[l->meters] = fmax(e->late_share / 65535.0, LATE_SHARE_LEAST);
    l->meters++;
    l->late += late;
    if (late && e->last_s > l->onset_s)
        l->onset_s = e->last_s;
    if (limits.late_s > l->grace_s)
        l->grace_s = limits.late_s;
    if (late == l->of_late)
        l->times_s[l->time_count++] = late ? e->last_s + allowed_s : e->last_s;
}

/* Of many members every so many-th. */
static enum err look_at_members(struct look *l, const struct member *members, size_t count)
{
    struct hearing *h = l->h;
    size_t every = count / CELL_METERS_MOST + 1;
    struct txn t = ledger_read(h->app->ledger);
    enum err err = ERR_OK, ended;

    l->times_s = h->times;
    l->shares = h->shares;
    for (size_t i = 0; i < count && !err; i += every)
        if (is_in_use(h, &t, members[i].meter, l->now_s, &l->point, &err))
            look_at_meter(l, &h->at[members[i].meter]);
    ended = txn_end(&t);
    if (l->time_count)
        qsort(l->times_s, l->time_count, sizeof *l->times_s, by_number);
    return err ? err : ended;
}

static struct look look_of(struct hearing *h, const struct cell *c, int64_t now_s)
{
    return (struct look){ .h = h, .c = c, .now_s = now_s, .few = c->id && c->meters < OUTAGE_FEW };
}

static bool may_be_out(const struct cell *c)
{
    return outage_is_one(c->meters, c->id && c->meters < OUTAGE_FEW ? c->later : c->late, !c->id);
}

static enum err look_for_outage(struct hearing *h, struct cell *c, int64_t now_s,
                                const struct member *members, size_t count)
{
    struct look l = look_of(h, c, now_s);
    bool sampled = count >= CELL_METERS_MOST || count < c->meters; /* then it stands for all */
    struct outage_facts f;
    enum err err;

    l.of_late = true;
    if ((err = look_at_members(&l, members, count)) || !outage_is_one(l.meters, l.late, !c->id) ||
        outage_chance(l.shares, l.meters, l.late, l.shares + l.meters) > OUTAGE_CHANCE)
        return err;
    f = (struct outage_facts){ .cell = c->id,
                               .point = c->id ? l.point : 0,
                               .meters = sampled ? c->meters : l.meters,
                               .silent = sampled
                                             ? (uint32_t)((uint64_t)l.late * c->meters / l.meters)
                                             : l.late,
                               .onset_s = l.onset_s,
                               .raised_s = l.times_s[l.meters / 2] };
    c->changed = true;
    return outage_begin(h->app, &f, now_s);
}

static enum err outage_that_lasts(struct hearing *h, const struct cell *c, struct outage *out)
{
    const struct outages *o;
    enum err err = outages_know(h->app, &o);

    for (size_t i = 0; i < (err ? 0 : o->count); i++)
        if (o->at[i].cell == c->id && !o->at[i].cleared_s)
            *out = o->at[i];
    return err;
}

/* When so many had been heard that fewer than a third were late; nobody knows it better than that once all of them go on reporting. */
static int64_t back_since(const struct look *l, int64_t onset_s)
{
    size_t needed = l->meters ? l->meters - (l->meters + 2) / 3 : 0;

    return needed < l->time_count && l->times_s[needed] > onset_s ? l->times_s[needed] : l->now_s;
}

/* It is over when fewer than a third are late. Who is still silent then may be about to come back: it is told when that has lasted. */
static enum err look_for_end(struct hearing *h, struct cell *c, int64_t now_s,
                             const struct member *members, size_t count)
{
    struct look l = look_of(h, c, now_s);
    struct outage o = { .cell = c->id };
    enum err err;

    if ((err = look_at_members(&l, members, count)) || (err = outage_that_lasts(h, c, &o)))
        return err;
    if (!outage_is_over(l.meters, l.late)) {
        outage_back(h->app, o.id, 0);
        return ERR_OK;
    }
    if (!o.back_s)
        outage_back(h->app, o.id, o.back_s = back_since(&l, o.onset_s));
    if (l.late && now_s < o.back_s + l.grace_s)
        return ERR_OK;
    c->changed = true;
    return outage_end(h->app, o.id, o.back_s, now_s);
}

static enum err member_push(struct hearing *h, size_t slot, size_t meter)
{
    if (h->member_count == h->member_cap) {
        size_t cap = h->member_cap ? h->member_cap * 2 : 1024;
        struct member *more = (struct member *)realloc(h->members, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        h->members = more;
        h->member_cap = cap;
    }
    h->members[h->member_count++] = (struct member){ (uint32_t)slot, (uint32_t)meter };
    return ERR_OK;
}

static int member_order(const void *a, const void *b)
{
    const struct member *x = (const struct member *)a, *y = (const struct member *)b;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    return (x->meter > y->meter) - (x->meter < y->meter);
}

static bool counts_in(const struct cell *c, const struct heard *e, int64_t now_s)
{
    return c->look && (c->outage_s || now_s - e->last_s <= OUTAGE_LEFT_S);
}

/* Members of all cells that are to be looked at, in one walk. */
static enum err members_collect(struct hearing *h, int64_t now_s)
{
    enum err err = ERR_OK;

    h->member_count = 0;
    for (size_t i = 0; i < h->count && !err; i++) {
        const struct heard *e = &h->at[i];
        const struct cell *c;

        if (!e->last_s || !e->cell)
            continue;
        c = slot_of(h->cells, h->cell_cap, e->cell);
        if (counts_in(c, e, now_s))
            err = member_push(h, (size_t)(c - h->cells), i);
    }
    if (!err && h->member_count)
        qsort(h->members, h->member_count, sizeof *h->members, member_order);
    return err;
}

static enum err look_at_all(struct hearing *h, int64_t now_s)
{
    struct cell *c = &h->all;
    uint32_t every = c->meters / (4 * CELL_METERS_MOST) + 1, n = 0;
    enum err err = ERR_OK;

    c->look = c->outage_s || may_be_out(c);
    if (!c->look)
        return ERR_OK;
    h->member_count = 0;
    for (size_t i = 0; i < h->count && !err; i++)
        if (h->at[i].last_s && counts_in(c, &h->at[i], now_s) && n++ % every == 0)
            err = member_push(h, 0, i);
    if (err)
        return err;
    return c->outage_s ? look_for_end(h, c, now_s, h->members, h->member_count)
                       : look_for_outage(h, c, now_s, h->members, h->member_count);
}

static bool is_out(const struct cell *c)
{
    return (c->outage_s != 0) != c->changed;
}

/* While everything is out no cell begins to be. */
static enum err look_at_cells(struct hearing *h, int64_t now_s)
{
    enum err err = look_at_all(h, now_s);
    bool any = false;

    for (size_t i = 0; i < h->cell_cap; i++) {
        struct cell *c = &h->cells[i];

        c->look = c->id && (c->outage_s || (!is_out(&h->all) && may_be_out(c)));
        any |= c->look;
    }
    if (err || !any || (err = members_collect(h, now_s)))
        return err;
    for (size_t i = 0; i < h->cell_cap && !err; i++)
        if (h->cells[i].outage_s && !h->cells[i].meters) /* all of them went over to others */
            err = look_for_end(h, &h->cells[i], now_s, NULL, 0);
    for (size_t at = 0, end; at < h->member_count && !err; at = end) {
        struct cell *c = &h->cells[h->members[at].slot];

        for (end = at; end < h->member_count && h->members[end].slot == h->members[at].slot; end++)
            ;
        err = c->outage_s ? look_for_end(h, c, now_s, h->members + at, end - at)
                          : look_for_outage(h, c, now_s, h->members + at, end - at);
    }
    return err;
}

/* ---- whose time has come ---- */

/* Nobody is told of a silence while the cell is out, but of one that had been told before an outage was seen, and of those that an outage leaves silent. */
static enum err look_at_meters(struct hearing *h, int64_t now_s, struct news *touched)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < h->count && !err; i++) {
        struct heard *e = &h->at[i];
        struct silence_limits limits;
        const struct cell *c;
        uint8_t level;
        bool changed;

        if (!e->last_s || now_s - e->last_s < SILENCE_LEAST_S)
            continue;
        limits_of(e, &limits);
        level = level_at(e, &limits, now_s);
        if (!level)
            continue;
        c = e->cell ? slot_of(h->cells, h->cell_cap, e->cell) : &h->all;
        changed = c->changed || h->all.changed;
        if ((changed && (e->level || !is_out(c))) ||
            (level > e->level && !is_out(c) && !is_out(&h->all)))
            err = news_push_of(touched, (uint32_t)i, NEWS_SILENCE);
        e->level = level;
    }
    return err;
}

static enum err look_at_asked(struct hearing *h, int64_t now_s, struct news *touched)
{
    size_t kept = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < h->again_count; i++) {
        struct again a = h->again[i];

        if (h->at[a.meter].last_s != a.last_s)
            continue;
        if (!err && a.at_s <= now_s)
            err = news_push_of(touched, a.meter, NEWS_SILENCE);
        else
            h->again[kept++] = a;
    }
    h->again_count = kept;
    return err;
}

enum err hearing_look(struct hearing *h, int64_t now_s, bool asked, struct news *touched)
{
    enum err err;

    if (!h || (!asked && now_s < h->looked_s + EVERY_S && now_s >= h->looked_s))
        return ERR_OK;
    if ((err = count_cells(h, now_s)) || (err = look_at_cells(h, now_s)) ||
        (err = look_at_meters(h, now_s, touched)) || (err = look_at_asked(h, now_s, touched)))
        return err;
    h->looked_s = now_s;
    return ERR_OK;
}
