#include "server/peers.h"

#include "server/detect/daily.h"
#include "server/drought.h"
#include "server/readings.h"
#include "server/registers.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LATE_D 2        /* reports come late */
#define METERS_LEAST 50 /* of a kind: below it a median is chance */
#define METERS_LOOKED 100000
#define NEAR_S (36 * 3600) /* so long before an instant a reading may lie that stands for it */
#define PULSES_LEAST 10    /* in 28 days: fewer tell nothing */
#define CHANGE_MOST_LN 3.0
#define DAY_S 86400

struct kind {
    uint8_t use;
    uint16_t dn_mm;
    uint32_t zone; /* 0: all of them */
};

struct group {
    struct kind kind;
    struct peers peers;
};

struct fleet_peers {
    struct app *app;
    pthread_rwlock_t lock; /* of the three below */
    struct group *at;      /* in order of kind */
    size_t count, cap;
    int32_t week,
        tried_day; /* the last week that was counted; the last civil day on which that was tried */
};

/* What one meter tells of a week. */
struct change {
    struct kind kind;
    double ln;
};

struct changes {
    struct change *at;
    size_t count, cap;
};

static int kind_order(const struct kind *a, const struct kind *b)
{
    if (a->use != b->use)
        return a->use < b->use ? -1 : 1;
    if (a->dn_mm != b->dn_mm)
        return a->dn_mm < b->dn_mm ? -1 : 1;
    return (a->zone > b->zone) - (a->zone < b->zone);
}

static int change_order(const void *a, const void *b)
{
    return kind_order(&((const struct change *)a)->kind, &((const struct change *)b)->kind);
}

/* ---- what is known ---- */

/* The place of a kind, or where it would stand. */
static size_t place_of(const struct fleet_peers *p, const struct kind *k)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (kind_order(&p->at[middle].kind, k) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err know(struct fleet_peers *p, const struct ledger_peers *f)
{
    struct kind k = { f->use, f->dn_mm, f->zone };
    size_t i = place_of(p, &k);

    if (i == p->count || kind_order(&p->at[i].kind, &k) != 0) {
        if (p->count == p->cap) {
            size_t cap = p->cap ? 2 * p->cap : 64;
            struct group *at = (struct group *)realloc(p->at, cap * sizeof *at);

            if (!at)
                return ERR_NO_MEMORY;
            p->at = at;
            p->cap = cap;
        }
        memmove(&p->at[i + 1], &p->at[i], (p->count - i) * sizeof *p->at);
        p->at[i] = (struct group){ .kind = k };
        p->count++;
    }
    peers_add(&p->at[i].peers, (int32_t)f->week, f->change);
    if ((int32_t)f->week > p->week)
        p->week = (int32_t)f->week;
    return ERR_OK;
}

static enum err know_one(void *arg, const struct ledger_peers *f)
{
    return know((struct fleet_peers *)arg, f);
}

enum err fleet_peers_open(struct app *app, struct fleet_peers **out)
{
    struct fleet_peers *p = (struct fleet_peers *)calloc(1, sizeof *p);
    struct txn t;
    enum err err, ended;

    if (!p)
        return ERR_NO_MEMORY;
    if (pthread_rwlock_init(&p->lock, NULL)) {
        free(p);
        return ERR_NO_MEMORY;
    }
    p->app = app;
    p->week = p->tried_day = -1;
    t = ledger_read(app->ledger);
    err = ledger_peers(&t, know_one, p);
    ended = txn_end(&t);
    if (err || (err = ended)) {
        fleet_peers_close(p);
        return err;
    }
    *out = p;
    return ERR_OK;
}

void fleet_peers_close(struct fleet_peers *p)
{
    if (!p)
        return;
    pthread_rwlock_destroy(&p->lock);
    free(p->at);
    free(p);
}

/* Under the lock. */
static bool find(const struct fleet_peers *p, struct kind k, struct peers *out)
{
    size_t i = place_of(p, &k);

    out->count = 0;
    if (i == p->count || kind_order(&p->at[i].kind, &k) != 0)
        return false;
    *out = p->at[i].peers;
    return true;
}

bool fleet_peers_of(struct fleet_peers *p, enum use_class use, int32_t dn_mm, uint32_t zone,
                    struct peers_known *out)
{
    struct kind k = { (uint8_t)use, (uint16_t)dn_mm, 0 };
    bool all;

    if (!p)
        return false;
    pthread_rwlock_rdlock(&p->lock);
    all = find(p, k, &out->all);
    k.zone = zone;
    out->zone.count = 0;
    if (zone)
        (void)find(p, k, &out->zone);
    pthread_rwlock_unlock(&p->lock);
    return all; /* where a zone is told of all of them are */
}

bool fleet_peers_any(struct fleet_peers *p)
{
    bool any;

    if (!p)
        return false;
    pthread_rwlock_rdlock(&p->lock);
    any = p->count > 0;
    pthread_rwlock_unlock(&p->lock);
    return any;
}

/* ---- counting ---- */

static enum err push(struct changes *c, const struct change *x)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 1024;
        struct change *at = (struct change *)realloc(c->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        c->at = at;
        c->cap = cap;
    }
    c->at[c->count++] = *x;
    return ERR_OK;
}

/* The index that the meter itself sent last, up to an instant. */
static bool index_at(const struct rows *rows, int64_t at_s, int64_t *out_ml)
{
    for (size_t i = rows->count; i-- > 0;) {
        const struct row *r = &rows->at[i];

        if (r->time_s > at_s || (r->attr & ATTR_SOURCE) != SOURCE_REMOTE || (r->attr & ATTR_FUTURE))
            continue;
        *out_ml = r->value;
        return r->time_s >= at_s - NEAR_S;
    }
    return false;
}

/* The logarithm of use in the 28 days before end_day ÷ use in those before them. False: nobody knows. */
static bool change_of(const struct fleet_peers *p, const struct meter_facts *m,
                      const struct rows *rows, int32_t end_day, double *out_ln)
{
    const struct zone *z = &p->app->zone;
    int64_t first, middle, last, least_ml = PULSES_LEAST * m->resolution_ml;

    if (!index_at(rows, day_midnight_s(z, end_day - 2 * PEERS_WINDOW_D), &first) ||
        !index_at(rows, day_midnight_s(z, end_day - PEERS_WINDOW_D), &middle) ||
        !index_at(rows, day_midnight_s(z, end_day), &last) || middle - first <= least_ml ||
        last - middle <= least_ml)
        return false;
    *out_ln = log((double)(last - middle) / (double)(middle - first));
    return fabs(*out_ln) <= CHANGE_MOST_LN;
}

static enum err ask_meter(struct fleet_peers *p, struct txn *ledger, uint32_t meter,
                          int32_t end_day, struct rows *rows, struct changes *out)
{
    const struct zone *z = &p->app->zone;
    int64_t end_s = day_midnight_s(z, end_day),
            from_s = day_midnight_s(z, end_day - 2 * PEERS_WINDOW_D);
    struct meter_facts m;
    struct point_facts point;
    struct fitting f;
    struct change c;
    enum err err = fitting_at(ledger, false, meter, end_s, &f);

    if (err || f.from_s > from_s)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if ((err = meter_facts_by_id(ledger, meter, &m)) ||
        (err = point_facts_by_id(ledger, f.point, &point)))
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    err = readings_load(p->app, &m, meter_billed_channel(&m), from_s - NEAR_S, end_s + 1, rows);
    if (err)
        return err == ERR_CORRUPT ? ERR_OK : err; /* the judge tells of it */
    if (!change_of(p, &m, rows, end_day, &c.ln))
        return ERR_OK;
    c.kind = (struct kind){ (uint8_t)point.use, (uint16_t)m.dn_mm, drought_zone(ledger, f.point) };
    return ledger->err ? ledger->err : push(out, &c);
}

static enum err ask_fleet(struct fleet_peers *p, int32_t end_day, struct changes *out)
{
    uint32_t last = registry_count(p->app->registry), step = last / METERS_LOOKED + 1;
    struct txn t = ledger_read(p->app->ledger);
    struct rows rows = { 0 };
    enum err err = ERR_OK, ended;

    for (uint32_t meter = 1; meter <= last && !err; meter += step)
        err = p->app->stopping ? ERR_STOPPING : ask_meter(p, &t, meter, end_day, &rows, out);
    rows_done(&rows);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* The median of some that lie together; false: they are too few. */
static bool fact_of(const struct change *at, size_t count, uint32_t zone, int32_t week,
                    double *room, struct ledger_peers *out)
{
    if (count < METERS_LEAST)
        return false;
    for (size_t i = 0; i < count; i++)
        room[i] = at[i].ln;
    *out = (struct ledger_peers){ .week = (uint32_t)week,
                                  .use = at[0].kind.use,
                                  .dn_mm = at[0].kind.dn_mm,
                                  .zone = zone,
                                  .change = peers_change(room, count),
                                  .meters = (uint32_t)count };
    return true;
}

static size_t run_of(const struct changes *c, size_t from, bool of_zone)
{
    size_t to = from + 1;

    while (to < c->count && c->at[to].kind.use == c->at[from].kind.use &&
           c->at[to].kind.dn_mm == c->at[from].kind.dn_mm &&
           (!of_zone || c->at[to].kind.zone == c->at[from].kind.zone))
        to++;
    return to;
}

/* All kinds of that week: by zones, then all zones together. Returns how many. */
static size_t facts_of(struct changes *c, int32_t week, double *room, struct ledger_peers *out)
{
    size_t n = 0, to;

    qsort(c->at, c->count, sizeof *c->at, change_order);
    for (size_t i = 0; i < c->count; i = to) {
        to = run_of(c, i, true);
        n += c->at[i].kind.zone &&
             fact_of(&c->at[i], to - i, c->at[i].kind.zone, week, room, &out[n]);
    }
    for (size_t i = 0; i < c->count; i = to) {
        to = run_of(c, i, false);
        n += fact_of(&c->at[i], to - i, 0, week, room, &out[n]);
    }
    return n;
}

static enum err tell(struct fleet_peers *p, const struct ledger_peers *facts, size_t count,
                     int64_t now_s)
{
    struct app *app = p->app;
    struct act a =
        act_begin(app->ledger, "judge", now_s, app->journal ? journal_end(app->journal) : 0);
    char week[16], kinds[24];
    enum err err;

    snprintf(week, sizeof week, "%lu", (unsigned long)facts[0].week);
    snprintf(kinds, sizeof kinds, "%zu", count);
    for (size_t i = 0; i < count; i++)
        act_put_peers(&a, &facts[i]);
    act_note(&a, "peers.count", span_text(week), span_of(NULL, 0), span_text(kinds),
             span_of(NULL, 0));
    if ((err = act_end(&a)))
        return err;
    pthread_rwlock_wrlock(&p->lock);
    for (size_t i = 0; i < count && !err; i++)
        err = know(p, &facts[i]);
    pthread_rwlock_unlock(&p->lock);
    return err;
}

static enum err count_week(struct fleet_peers *p, int32_t week, int64_t now_s)
{
    struct changes c = { 0 };
    double *room = NULL;
    struct ledger_peers *facts = NULL;
    enum err err = ask_fleet(p, (week + 1) * PEERS_WEEK_D, &c);
    size_t count;

    if (err || c.count < METERS_LEAST)
        goto out;
    room = (double *)malloc(c.count * sizeof *room);
    facts = (struct ledger_peers *)malloc((c.count / METERS_LEAST * 2 + 1) * sizeof *facts);
    err = room && facts ? ERR_OK : ERR_NO_MEMORY;
    if (!err && (count = facts_of(&c, week, room, facts)))
        err = tell(p, facts, count, now_s);
out:
    free(facts);
    free(room);
    free(c.at);
    return err;
}

enum err fleet_peers_count(struct fleet_peers *p, int64_t now_s)
{
    int32_t today, week;

    if (!p || now_s < 0)
        return ERR_OK;
    today = (int32_t)zone_day_number(&p->app->zone, now_s);
    week = (today - LATE_D) / PEERS_WEEK_D - 1;
    if (today == p->tried_day || week <= p->week ||
        today >= (week + 1) * PEERS_WEEK_D + PEERS_GRACE_D)
        return ERR_OK;
    p->tried_day = today;
    return count_week(p, week, now_s);
}
