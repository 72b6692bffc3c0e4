#include "server/drought.h"

#include "server/detect/silent.h"
#include "server/fleet/columns.h"
#include "server/outages.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

#define ASKED_MOST 64  /* meters of a zone whose habit is looked up: of more, every so many-th */
#define PAUSES_MOST 64 /* of a day and more, in eight weeks */
#define FRESH_S (2 * 86400) /* whoever was not read for longer tells nothing of today */

#define READ_BEFORE_END_S (2 * 3600)
#define ZONES_MOST (1u << 28)

struct flow {
    uint32_t zone : 28; /* 0: none, or not known */
    uint32_t use : 4;   /* enum use_class */
    uint32_t moved_s, read_s;
};
_Static_assert(sizeof(struct flow) == 12, "ten million of them are held in memory");

/* One meter of a zone, as it is looked at. */
struct still {
    uint32_t zone, meter, moved_s, read_s;
};

struct drought {
    struct app *app;
    struct flow *at; /* by meter */
    size_t count;
    struct zone_count {
        uint32_t meters, still;
        bool dry; /* an outage of it lasts */
    } * zones;    /* by id */
    struct still *list;
    size_t list_count, list_cap;
    drought_habit *habit;
    void *habit_arg;
    struct rows rows;
};

/* Pauses of a day and more between movements. */
static uint32_t habit_of(const struct rows *rows)
{
    uint32_t pauses[PAUSES_MOST], from_s = 0;
    int64_t value = INT64_MIN, first_s = 0, last_s = 0;
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct row *r = &rows->at[i];

        if ((r->attr & ATTR_SOURCE) != SOURCE_REMOTE || r->attr & ATTR_FUTURE)
            continue;
        if (value == INT64_MIN)
            first_s = r->time_s;
        last_s = r->time_s;
        if (value != INT64_MIN && r->value == value)
            continue;
        if (value != INT64_MIN && r->time_s - from_s >= DRY_LEAST_S && count < PAUSES_MOST)
            pauses[count++] = r->time_s - from_s;
        value = r->value;
        from_s = r->time_s;
    }
    return standing_habit_h(pauses, count, last_s - first_s);
}

static enum err habit_by_readings(void *arg, uint32_t meter, uint32_t moved_s, uint32_t *out_h)
{
    struct drought *d = (struct drought *)arg;
    struct txn t = ledger_read(d->app->ledger);
    struct meter_facts m;
    enum err err = meter_facts_by_id(&t, meter, &m), ended = txn_end(&t);

    if (err || (err = ended) ||
        (err = readings_load(d->app, &m, meter_billed_channel(&m),
                             (int64_t)moved_s > DRY_HABIT_S ? (int64_t)moved_s - DRY_HABIT_S : 0,
                             (int64_t)moved_s + 1, &d->rows)))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    *out_h = habit_of(&d->rows);
    return ERR_OK;
}

void drought_habit_by(struct drought *d, drought_habit *habit, void *arg)
{
    d->habit = habit;
    d->habit_arg = arg;
}

enum err drought_open(struct app *app, struct drought **out)
{
    struct drought *d = (struct drought *)calloc(1, sizeof *d);

    if (!d)
        return ERR_NO_MEMORY;
    d->app = app;
    drought_habit_by(d, habit_by_readings, d);
    *out = d;
    return ERR_OK;
}

void drought_close(struct drought *d)
{
    if (!d)
        return;
    free(d->at);
    free(d->zones);
    free(d->list);
    rows_done(&d->rows);
    free(d);
}

enum err drought_note(struct drought *d, uint32_t meter, uint32_t zone, enum use_class use,
                      uint32_t moved_s, uint32_t read_s)
{
    size_t count = d && d->count ? d->count : 1024;
    struct flow *at;

    if (!d)
        return ERR_OK;
    if (meter >= d->count) {
        while (count <= meter)
            count += count / 8;
        if (!(at = (struct flow *)realloc(d->at, count * sizeof *at)))
            return ERR_NO_MEMORY;
        memset(at + d->count, 0, (count - d->count) * sizeof *at);
        d->at = at;
        d->count = count;
    }
    d->at[meter] = (struct flow){
        .zone = zone < ZONES_MOST ? zone : 0, .use = use, .moved_s = moved_s, .read_s = read_s
    };
    return ERR_OK;
}

void drought_count(const struct drought *d, int64_t from_s, int64_t to_s,
                   struct still_count out[LULL_CLASSES])
{
    memset(out, 0, LULL_CLASSES * sizeof out[0]);
    for (size_t i = 0; d && i < d->count; i++) {
        const struct flow *f = &d->at[i];

        if (!f->moved_s || f->use >= LULL_CLASSES || f->moved_s < from_s - DROUGHT_LIVES_S ||
            f->read_s < to_s - READ_BEFORE_END_S)
            continue;
        out[f->use].meters++;
        out[f->use].still += f->moved_s < from_s;
    }
}

uint32_t drought_zone(struct txn *ledger, uint32_t point)
{
    struct ledger_row row, zone;
    struct span name = { 0 };

    if (!point || !ledger_by_id(ledger, LIST_POINT, point, INT64_MAX, &row))
        return 0;
    if (CELL_POINT_zone < row.count)
        name = row.cells[CELL_POINT_zone];
    return name.len && ledger_find(ledger, LIST_ZONE, name, INT64_MAX, &zone) ? zone.id : 0;
}

/* ---- the look ---- */

static int still_order(const void *a, const void *b)
{
    const struct still *x = (const struct still *)a, *y = (const struct still *)b;

    if (x->zone != y->zone)
        return x->zone < y->zone ? -1 : 1;
    return (x->moved_s > y->moved_s) - (x->moved_s < y->moved_s);
}

static const struct outage *lasting(const struct outages *o, uint32_t zone)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->at[i].zone == zone && !o->at[i].cleared_s)
            return &o->at[i];
    return NULL;
}

/* A home that was read lately, and moved within a month before (of a zone that is dry: ever). Works, schools and shops close together, for weeks. */
static bool counts(const struct drought *d, const struct flow *f, int64_t now_s)
{
    return f->zone && f->use == USE_RESIDENTIAL && now_s - f->read_s <= FRESH_S &&
           ((int64_t)f->read_s - f->moved_s <= OUTAGE_LEFT_S || d->zones[f->zone].dry);
}

static bool is_still(const struct flow *f)
{
    return (int64_t)f->read_s - f->moved_s >= DRY_LEAST_S;
}

static enum err zones_clear(struct drought *d, const struct outages *o)
{
    uint32_t most = 0;
    struct zone_count *zones;

    for (size_t i = 0; i < d->count; i++)
        most = d->at[i].zone > most ? d->at[i].zone : most;
    for (size_t i = 0; i < o->count; i++)
        most = o->at[i].zone > most ? o->at[i].zone : most;
    if (!(zones = (struct zone_count *)realloc(d->zones, (most + 1) * sizeof *zones)))
        return ERR_NO_MEMORY;
    memset(zones, 0, (most + 1) * sizeof *zones);
    d->zones = zones;
    for (size_t i = 0; i < o->count; i++)
        zones[o->at[i].zone].dry |= o->at[i].zone && !o->at[i].cleared_s;
    return ERR_OK;
}

/* Of those zones alone that are dry, or may be, meters are listed. */
static enum err collect(struct drought *d, const struct outages *o, int64_t now_s)
{
    enum err err = zones_clear(d, o);

    d->list_count = 0;
    for (size_t i = 0; i < d->count && !err; i++)
        if (counts(d, &d->at[i], now_s)) {
            d->zones[d->at[i].zone].meters++;
            d->zones[d->at[i].zone].still += is_still(&d->at[i]);
        }
    for (size_t i = 0; i < d->count && !err; i++) {
        const struct flow *f = &d->at[i];
        const struct zone_count *z = &d->zones[f->zone];

        if (!counts(d, f, now_s) || !(z->dry || dry_may_be(z->meters, z->still)))
            continue;
        if (d->list_count == d->list_cap) {
            size_t cap = d->list_cap ? d->list_cap * 2 : 1024;
            struct still *more = (struct still *)realloc(d->list, cap * sizeof *more);

            if (!more)
                return ERR_NO_MEMORY;
            d->list = more;
            d->list_cap = cap;
        }
        d->list[d->list_count++] = (struct still){ f->zone, (uint32_t)i, f->moved_s, f->read_s };
    }
    if (!err && d->list_count)
        qsort(d->list, d->list_count, sizeof *d->list, still_order);
    return err;
}

static enum err touch(const struct still *s, size_t count, struct news *touched)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < count && !err; i++)
        err = news_push(touched, s[i].meter, 0);
    return err;
}

static enum err point_of(struct drought *d, uint32_t meter, int64_t now_s, uint32_t *out)
{
    struct txn t = ledger_read(d->app->ledger);
    struct fitting f = { .point = 0 };
    enum err err = fitting_at(&t, false, meter, now_s, &f), ended = txn_end(&t);

    *out = f.point;
    return err == ERR_NOT_FOUND ? ended : err ? err : ended;
}

/* Whether nine of ten of those that stand have stood for longer than is their habit. */
static enum err beyond_habit(struct drought *d, const struct still *s, size_t count, bool *out)
{
    size_t every = count / ASKED_MOST + 1, asked = 0, beyond = 0;
    enum err err = ERR_OK;

    for (size_t i = 0; i < count && !err; i += every) {
        int64_t stood_s = (int64_t)s[i].read_s - s[i].moved_s;
        uint32_t habit_h = 0;

        if (stood_s < DRY_LEAST_S)
            continue;
        err = d->habit(d->habit_arg, s[i].meter, s[i].moved_s, &habit_h);
        asked++;
        beyond += habit_h != DRY_NEVER && stood_s > habit_h * INT64_C(3600);
    }
    *out = asked && beyond * 10 >= asked * 9;
    return err;
}

/* `s` by when they moved last. Those that are still moved last before any of the others; the last of them says since when. */
static enum err look_at_zone(struct drought *d, const struct still *s, size_t count, int64_t now_s,
                             struct news *touched)
{
    const struct outages *known;
    const struct outage *lasts;
    struct dry_seen seen = { .meters = (uint32_t)count };
    struct outage_facts f;
    char id[FLAG_ID_SIZE];
    uint32_t point;
    enum err err = outages_know(d->app, &known);

    if (err)
        return err;
    for (size_t i = 0; i < count; i++)
        if ((int64_t)s[i].read_s - s[i].moved_s >= DRY_LEAST_S) {
            seen.still++;
            seen.onset_s = s[i].moved_s > seen.onset_s ? s[i].moved_s : seen.onset_s;
        }
    for (size_t i = 0; i < count; i++)
        seen.together += (int64_t)s[i].read_s - s[i].moved_s >= DRY_LEAST_S &&
                         seen.onset_s - s[i].moved_s <= DRY_TOGETHER_S;
    lasts = lasting(known, s[0].zone);
    if (lasts) {
        if (!dry_is_over(&seen))
            return ERR_OK;
        memcpy(id, lasts->id, sizeof id);
        err = outage_end(d->app, id, now_s, now_s);
    } else {
        bool unusual;

        if (!dry_is_one(&seen) || (err = beyond_habit(d, s, count, &unusual)) || !unusual)
            return err;
        if ((err = point_of(d, s[0].meter, now_s, &point)))
            return err;
        f = (struct outage_facts){ .zone = s[0].zone,
                                   .point = point,
                                   .meters = seen.meters,
                                   .silent = seen.still,
                                   .onset_s = seen.onset_s,
                                   .raised_s = seen.onset_s + DRY_LEAST_S };
        err = outage_begin(d->app, &f, now_s);
    }
    return err ? err : touch(s, count, touched);
}

/* Whether a meter is fitted anywhere in the zone. */
static bool anyone_left(struct txn *t, uint32_t zone, int64_t now_s)
{
    struct ledger_row row;
    struct points_walk w;
    struct fitting f;
    bool some = false;

    if (!ledger_by_id(t, LIST_ZONE, zone, INT64_MAX, &row))
        return false;
    w = ledger_points_walk(t, true, cells_of(&row).at[CELL_ZONE_zone]);
    while (!some && points_next(&w))
        some = fitting_at(t, true, w.point, now_s, &f) == ERR_OK;
    points_done(&w);
    return some;
}

/* A zone that is dry and of which no meter was read lately: where none is left that could be, nobody would ever say that water flows again. */
static enum err end_deserted(struct drought *d, const struct outages *known, int64_t now_s)
{
    enum err err = ERR_OK, ended;

    for (size_t i = 0; i < known->count && !err; i++) {
        const struct outage *o = &known->at[i];
        char id[FLAG_ID_SIZE];
        struct txn t;
        bool left;

        if (!o->zone || o->cleared_s || d->zones[o->zone].meters)
            continue;
        t = ledger_read(d->app->ledger);
        left = anyone_left(&t, o->zone, now_s);
        ended = txn_end(&t);
        memcpy(id, o->id, sizeof id);
        if (!(err = ended) && !left)
            err = outage_end(d->app, id, now_s, now_s);
    }
    return err;
}

enum err drought_look(struct drought *d, int64_t now_s, struct news *touched)
{
    const struct outages *known;
    enum err err = d ? outages_know(d->app, &known) : ERR_OK;

    if (!d || err || (err = collect(d, known, now_s)))
        return err;
    err = end_deserted(d, known, now_s);
    for (size_t at = 0, end; at < d->list_count && !err; at = end) {
        for (end = at; end < d->list_count && d->list[end].zone == d->list[at].zone; end++)
            ;
        err = look_at_zone(d, d->list + at, end - at, now_s, touched);
    }
    return err;
}
