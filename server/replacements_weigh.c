/* Who is a candidate, and what a change of each brings: of all meters, or of some. */
#include "server/lives.h"
#include "server/replacements_priv.h"
#include "server/spread.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SLICE 2048    /* candidates looked at under one pair of transactions */
#define PARTS 64      /* of all meters, looked at by whoever is free */
#define SOME 256      /* of some meters, likewise */
#define WALKED 65536u /* rows of the index of dates, likewise */

/* ---- lists that grow ---- */

struct due_one {
    uint32_t meter;
    int32_t due;
};

struct blame {
    int64_t fitting_from_s, lost_mlpd;
    uint32_t meter;
    uint8_t kind, confidence_pct;
    bool confirmed;
};

/* Who is looked at, and by which day and rules. */
struct making {
    struct app *app;
    int64_t now_s;
    int32_t today, until; /* dates up to here make a candidate */
    const struct fleet_rules *rules;
    struct due_one *dues;
    struct blame *blames;
    uint32_t *conditions;
    size_t due_count, due_cap, blame_count, blame_cap, condition_count, condition_cap;
    enum err err;
};

/* One thread that looks at them. */
struct weighing {
    const struct making *m;
    enum err err;
    struct replacement *at; /* those that are candidates */
    size_t count, cap;
    struct txn ledger, views;
    /* rows that share a zone or a route follow each other */
    char zone[128], route[128];
    uint32_t zone_id, route_id;
};

static struct making making_of(struct app *app, int32_t today, const struct fleet_rules *rules)
{
    return (struct making){ .app = app,
                            .now_s = clock_now_s(&app->clock),
                            .today = today,
                            .until = today + rules->horizon_days,
                            .rules = rules };
}

static void making_done(struct making *m)
{
    free(m->dues);
    free(m->blames);
    free(m->conditions);
}

static bool room_for_one(enum err *err, void **at, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 256;
    void *grown;

    if (count < *cap)
        return true;
    if (!(grown = realloc(*at, more * size))) {
        *err = ERR_NO_MEMORY;
        return false;
    }
    *at = grown;
    *cap = more;
    return true;
}

/* ---- who may be a candidate ---- */

static bool take_blame(void *arg, const struct flag_head *f)
{
    struct making *m = (struct making *)arg;
    uint8_t kind = 0;

    if (!f->meter)
        return true; /* an outage is no meter's */
    while (detector_at(kind) != f->kind)
        kind++;
    if (!room_for_one(&m->err, (void **)&m->blames, m->blame_count, &m->blame_cap,
                      sizeof *m->blames))
        return false;
    m->blames[m->blame_count++] = (struct blame){
        .fitting_from_s = f->fitting_from_s,
        .lost_mlpd = f->verdict->lost_mlpd,
        .meter = f->meter,
        .kind = kind,
        .confidence_pct = (uint8_t)(f->state == FLAG_CONFIRMED ? 100 : f->verdict->confidence_pct),
        .confirmed = f->state == FLAG_CONFIRMED
    };
    return !m->app->stopping;
}

static enum err find_blames(struct making *m)
{
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED };
    enum err err = flag_heads_each(m->app, &q, take_blame, m);

    return err ? err : m->err;
}

static int due_one_order(const void *a, const void *b)
{
    const struct due_one *x = (const struct due_one *)a, *y = (const struct due_one *)b;

    return (x->meter > y->meter) - (x->meter < y->meter);
}

/* Dates after `after_day` (NO_DAY: all). */
static enum err find_dues(struct making *m, int32_t after_day)
{
    uint8_t after[KEY_MAX];
    size_t after_len = 0;
    bool more = true;

    while (more && !m->err) {
        struct txn t = ledger_read(m->app->ledger);
        struct due_walk w = lives_due(&t, DUE_FITTED, after_day == NO_DAY ? NO_DAY : after_day + 1,
                                      m->until, false, span_of(after, after_len));
        enum err ended;

        for (unsigned n = 0; n < WALKED && !m->err && (more = due_next(&w)); n++) {
            if (!room_for_one(&m->err, (void **)&m->dues, m->due_count, &m->due_cap,
                              sizeof *m->dues))
                break;
            m->dues[m->due_count++] = (struct due_one){ w.meter, w.due };
            memcpy(after, w.cursor.at, after_len = w.cursor.len);
        }
        due_done(&w);
        ended = txn_end(&t);
        m->err = m->err ? m->err : ended;
        if (m->app->stopping)
            m->err = ERR_STOPPING;
    }
    if (m->due_count)
        qsort(m->dues, m->due_count, sizeof *m->dues, due_one_order);
    return m->err;
}

/* A hint is as coarse as that. */
static bool is_near(int32_t due, int32_t until)
{
    return due <= until + CONDITION_STEP_DAYS;
}

/* Dates about `from` or later; NO_DAY: all. */
static enum err find_conditions(struct making *m, int32_t from)
{
    struct txn t = views_read(m->app->views);
    struct key room;
    struct scan s = views_conditions(&t, &room, 0);
    enum err ended;

    while (!m->err && scan_next(&s)) {
        uint32_t meter = condition_meter(s.key);
        int32_t due;

        if (!condition_read(s.value, &due, NULL)) {
            m->err = ERR_CORRUPT;
        } else if (is_near(due, m->until) &&
                   (from == NO_DAY || due >= from - CONDITION_STEP_DAYS) &&
                   room_for_one(&m->err, (void **)&m->conditions, m->condition_count,
                                &m->condition_cap, sizeof *m->conditions)) {
            m->conditions[m->condition_count++] = meter;
        }
    }
    scan_done(&s);
    ended = txn_end(&t);
    return m->err ? m->err : ended;
}

/* ---- one candidate ---- */

static uint32_t id_named(struct txn *t, enum list_kind kind, struct span name, char *known,
                         size_t size, uint32_t *known_id)
{
    struct ledger_row row;

    if (!name.len)
        return 0;
    if (*known_id && span_equal(name, span_text(known)))
        return *known_id;
    if (!ledger_find(t, kind, name, INT64_MAX, &row))
        return 0;
    if (name.len < size) {
        memcpy(known, name.at, name.len);
        known[name.len] = 0;
        *known_id = row.id;
    }
    return row.id;
}

static struct span cell_of(const struct ledger_row *row, unsigned cell)
{
    return cell < row->count ? row->cells[cell] : (struct span){ 0 };
}

static enum err look_at_place(struct weighing *w, struct replacement *one)
{
    struct txn *t = &w->ledger;
    struct ledger_row row;
    struct point_facts point;
    struct cells cells;

    if (!ledger_by_id(t, LIST_POINT, one->point, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    cells = cells_of(&row);
    if (cells_point(&cells, row.id, &point))
        return ERR_CORRUPT;
    one->use = (uint8_t)point.use;
    one->zone =
        id_named(t, LIST_ZONE, cells.at[CELL_POINT_zone], w->zone, sizeof w->zone, &w->zone_id);
    one->route = id_named(t, LIST_ROUTE, cells.at[CELL_POINT_route], w->route, sizeof w->route,
                          &w->route_id);
    return t->err;
}

static enum err look_at_meter(struct weighing *w, const struct fitting *f, struct replacement *one)
{
    struct ledger_row row;
    int64_t dn, q3;

    if (!ledger_by_id(&w->ledger, LIST_METER, one->meter, INT64_MAX, &row))
        return w->ledger.err ? w->ledger.err : ERR_CORRUPT;
    if (text_int(cell_of(&row, CELL_METER_dn), &dn) || dn < 0 || dn > UINT16_MAX)
        return ERR_CORRUPT;
    if (!replacement_is_blamed(one) && w->m->rules->wears &&
        !text_decimal(cell_of(&row, CELL_METER_q3), 3, &q3)) {
        one->lost_mlpd = replacement_wear(&w->views, w->m->rules, f,
                                          cell_of(&row, CELL_METER_model), q3, NULL, NULL);
        one->confidence_pct = one->lost_mlpd ? WEAR_CONFIDENCE_PCT : 0;
    }
    one->dn_mm = (uint16_t)dn;
    one->model = model_number(cell_of(&row, CELL_METER_model));
    return ERR_OK;
}

/* What its life says: the dates that no list had. */
static enum err look_at_life(struct weighing *w, bool due_known, struct replacement *one)
{
    const struct making *m = w->m;
    struct meter_life life = { 0 };
    struct condition condition;
    struct life now;
    struct legal legal;
    enum err err = life_load(m->app, &w->ledger, one->meter, &life);

    if (!err) {
        life_fold(&life.rules, life.events, life.count, m->now_s, INT64_MAX, &now);
        if (!(err = condition_now(m->app, m->rules, &w->ledger, &w->views, &life, &now, m->now_s,
                                  &condition)))
            one->condition_due = condition.due;
        if (!due_known) {
            life_legal(&life.rules, life.events, life.count, m->today, INT64_MAX, &legal);
            one->legal_due = legal.due;
        }
    }
    life_done(&life);
    return err;
}

static bool within(int32_t day, int32_t until)
{
    return day != NO_DAY && day <= until;
}

static void keep(struct weighing *w, struct replacement *one)
{
    replacement_reckon(one, w->m->rules, w->m->today);
    if (room_for_one(&w->err, (void **)&w->at, w->count, &w->cap, sizeof *w->at))
        w->at[w->count++] = *one;
}

/* `blames` are all of the meter's. `due`: NO_DAY, it is not in the list of dates; `asked`: something may speak for a date by condition. */
static enum err weigh(struct weighing *w, uint32_t meter, const struct blame *blames, size_t count,
                      int32_t due, bool asked)
{
    struct replacement one = { .meter = meter, .legal_due = due, .condition_due = NO_DAY };
    int32_t until = w->m->until;
    struct fitting fitting;
    bool blamed = false;
    enum err err = fitting_at(&w->ledger, false, meter, w->m->now_s, &fitting);

    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    one.point = fitting.point;
    for (size_t i = 0; i < count; i++) {
        const struct blame *b = &blames[i];
        bool replace = detector_at(b->kind)->replace;

        if (b->fitting_from_s != fitting.from_s)
            continue;
        one.kinds |= 1u << b->kind;
        asked = asked || (replace && b->confirmed);
        if (replace && (!blamed || b->lost_mlpd > one.lost_mlpd)) {
            one.lost_mlpd = b->lost_mlpd;
            one.confidence_pct = b->confidence_pct;
            blamed = true;
        }
    }
    if (!blamed && due == NO_DAY && !asked)
        return ERR_OK;
    if ((asked || due == NO_DAY) && (err = look_at_life(w, due != NO_DAY, &one)))
        return err;
    if (!blamed && !within(one.legal_due, until) && !within(one.condition_due, until))
        return ERR_OK;
    if ((err = look_at_meter(w, &fitting, &one)) || (err = look_at_place(w, &one)))
        return err;
    keep(w, &one);
    return w->err;
}

static enum err renew(struct weighing *w, bool again)
{
    enum err err = ERR_OK, ended;

    if (w->ledger.mdb) {
        err = txn_end(&w->ledger);
        ended = txn_end(&w->views);
        err = err ? err : ended;
    }
    w->zone_id = w->route_id = 0;
    if (err || !again)
        return err;
    if (w->m->app->stopping)
        return ERR_STOPPING;
    w->ledger = ledger_read(w->m->app->ledger);
    w->views = views_read(w->m->app->views);
    return w->ledger.err ? w->ledger.err : w->views.err;
}

/* ---- all of them ---- */

static size_t due_place(const struct making *m, uint32_t meter)
{
    size_t low = 0, high = m->due_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->dues[middle].meter < meter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t blame_place(const struct making *m, uint32_t meter)
{
    size_t low = 0, high = m->blame_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->blames[middle].meter < meter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t condition_place(const struct making *m, uint32_t meter)
{
    size_t low = 0, high = m->condition_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->conditions[middle] < meter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Three lists in the order of meters, as one: those from `from` on and below `end`. */
static enum err weigh_listed(struct weighing *w, uint32_t from, uint32_t end)
{
    const struct making *m = w->m;
    size_t d = due_place(m, from), b = blame_place(m, from), c = condition_place(m, from);
    enum err err = ERR_OK;

    for (unsigned n = 0; !err; n++) {
        uint32_t meter = UINT32_MAX;
        int32_t due = NO_DAY;
        size_t blames = 0;
        bool asked = false;

        if (d < m->due_count)
            meter = m->dues[d].meter;
        if (b < m->blame_count && m->blames[b].meter < meter)
            meter = m->blames[b].meter;
        if (c < m->condition_count && m->conditions[c] < meter)
            meter = m->conditions[c];
        if (meter >= end)
            break;
        if (n % SLICE == 0 && (err = renew(w, true)))
            break;
        for (; d < m->due_count && m->dues[d].meter == meter; d++)
            due = m->dues[d].due;
        for (; c < m->condition_count && m->conditions[c] == meter; c++)
            asked = true;
        while (b + blames < m->blame_count && m->blames[b + blames].meter == meter)
            blames++;
        err = weigh(w, meter, m->blames + b, blames, due, asked);
        b += blames;
    }
    return err;
}

/* ---- some of them ---- */

/* The same of one meter as the lists would say: a date by condition needs a hint. */
static enum err weigh_one(struct weighing *w, struct making *own, uint32_t meter)
{
    const struct making *m = w->m;
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED, .meter = meter };
    struct meter_life life = { 0 };
    struct life now;
    struct legal legal = { .due = NO_DAY };
    int32_t near = NO_DAY;
    struct span hint;
    enum err err;

    own->blame_count = 0;
    if ((err = flag_heads_each(m->app, &q, take_blame, own)) || (err = own->err))
        return err;
    if (views_condition(&w->views, meter, &hint) && !condition_read(hint, &near, NULL))
        return ERR_CORRUPT;
    if (!(err = life_load(m->app, &w->ledger, meter, &life))) {
        life_fold(&life.rules, life.events, life.count, m->now_s, INT64_MAX, &now);
        if (life_is_fitted(now.state))
            life_legal(&life.rules, life.events, life.count, m->today, INT64_MAX, &legal);
    }
    life_done(&life);
    if (err)
        return err == ERR_NOT_FOUND ? w->ledger.err : err;
    return weigh(w, meter, own->blames, own->blame_count,
                 within(legal.due, m->until) ? legal.due : NO_DAY,
                 near != NO_DAY && is_near(near, m->until));
}

static enum err weigh_these(struct weighing *w, const uint32_t *meters, size_t count)
{
    struct making own = *w->m;
    enum err err = renew(w, true);

    own.blames = NULL;
    own.blame_count = own.blame_cap = 0;
    for (size_t i = 0; i < count && !err; i++)
        err = weigh_one(w, &own, meters[i]);
    free(own.blames);
    return err;
}

/* ---- in parts, on all cores ---- */

struct job {
    const struct making *m;
    const uint32_t *meters; /* some; NULL: all that are listed */
    size_t count;           /* of them; of all: the greatest id and one */
    struct weighing *part;
    size_t parts;
    atomic_size_t next;
    atomic_int err;
};

static enum err do_part(const struct job *j, size_t n)
{
    struct weighing *w = &j->part[n];
    size_t first = n * SOME, left = j->count - first;
    enum err err, ended;

    w->m = j->m;
    if (j->meters)
        err = weigh_these(w, j->meters + first, left < SOME ? left : SOME);
    else
        err = weigh_listed(w, (uint32_t)(j->count * n / j->parts),
                           (uint32_t)(j->count * (n + 1) / j->parts));
    ended = renew(w, false);
    return err ? err : ended;
}

static void do_parts(void *arg)
{
    struct job *j = (struct job *)arg;
    size_t n;

    while (!atomic_load(&j->err) && (n = atomic_fetch_add(&j->next, 1)) < j->parts) {
        enum err err = do_part(j, n);

        if (err)
            atomic_store(&j->err, (int)err);
    }
}

static enum err collect(const struct job *j, struct ranks *out)
{
    struct ranks all = { 0 };

    for (size_t i = 0; i < j->parts; i++)
        all.count += j->part[i].count;
    if (all.count && !(all.at = (struct replacement *)malloc(all.count * sizeof *all.at)))
        return ERR_NO_MEMORY;
    all.count = 0;
    for (size_t i = 0; i < j->parts; i++) {
        struct weighing *w = &j->part[i];

        if (w->count)
            memcpy(all.at + all.count, w->at, w->count * sizeof *w->at);
        all.count += w->count;
        free(w->at); /* so that not all of them are there twice */
        w->at = NULL;
    }
    *out = all;
    return ERR_OK;
}

static enum err do_job(struct job *j, struct ranks *out)
{
    enum err err = ERR_NO_MEMORY;

    if ((j->part = (struct weighing *)calloc(j->parts ? j->parts : 1, sizeof *j->part))) {
        if (j->parts > 1)
            spread(do_parts, j);
        else
            do_parts(j);
        err = (enum err)atomic_load(&j->err);
    }
    if (!err)
        err = collect(j, out);
    for (size_t i = 0; j->part && i < j->parts; i++)
        free(j->part[i].at);
    free(j->part);
    return err;
}

enum err ranked_whole(struct app *app, int32_t today, const struct fleet_rules *rules,
                      struct ranks *out)
{
    struct making m = making_of(app, today, rules);
    struct job j = { .m = &m, .parts = PARTS };
    struct txn t = ledger_read(app->ledger);
    struct ranks all = { 0 };
    enum err err;

    j.count = (size_t)ledger_last_id(&t, LIST_METER) + 1;
    if (!(err = txn_end(&t)) && !(err = find_blames(&m)) && !(err = find_dues(&m, NO_DAY)) &&
        !(err = find_conditions(&m, NO_DAY)) && !(err = do_job(&j, &all)))
        err = ranked_sort(&all);
    making_done(&m);
    if (err)
        free(all.at);
    else
        *out = all;
    return err;
}

enum err ranked_some(struct app *app, int32_t today, const struct fleet_rules *rules,
                     const uint32_t *meters, size_t count, struct ranks *out)
{
    struct making m = making_of(app, today, rules);
    struct job j = {
        .m = &m, .meters = meters, .count = count, .parts = (count + SOME - 1) / SOME
    };
    struct ranks some = { 0 };
    enum err err = do_job(&j, &some);

    if (!err && !(err = ranked_sort(&some)))
        *out = some;
    else
        free(some.at);
    return err;
}

/* ---- another day, or other prices ---- */

struct turning {
    const struct making *m;
    struct ranks *all;
    atomic_size_t next;
};

#define TURNED 16384 /* at once */

static void turn_parts(void *arg)
{
    struct turning *t = (struct turning *)arg;
    size_t n;

    while ((n = atomic_fetch_add(&t->next, TURNED)) < t->all->count) {
        size_t end = t->all->count - n < TURNED ? t->all->count : n + TURNED;

        for (size_t i = n; i < end; i++)
            replacement_reckon(&t->all->at[i], t->m->rules, t->m->today);
    }
}

enum err ranked_turn(struct app *app, int32_t today, const struct fleet_rules *rules,
                     struct ranks *all)
{
    struct making m = making_of(app, today, rules);
    struct turning t = { .m = &m, .all = all };
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        const struct replacement *one = &all->at[i];

        if (replacement_is_blamed(one) || within(one->legal_due, m.until) ||
            within(one->condition_due, m.until))
            all->at[kept++] = *one;
    }
    all->count = kept;
    if (kept > TURNED)
        spread(turn_parts, &t);
    else
        turn_parts(&t);
    return ranked_sort(all);
}

enum err ranked_new(struct app *app, int32_t today, const struct fleet_rules *rules,
                    int32_t before_until, uint32_t **out, size_t *out_count)
{
    struct making m = making_of(app, today, rules);
    enum err err = ERR_OK;

    if (before_until < m.until)
        err = find_dues(&m, before_until);
    if (!err)
        err = find_conditions(&m, before_until < m.until ? before_until : m.until);
    for (size_t i = 0; i < m.due_count && !err; i++)
        if (room_for_one(&err, (void **)&m.conditions, m.condition_count, &m.condition_cap,
                         sizeof *m.conditions))
            m.conditions[m.condition_count++] = m.dues[i].meter;
    if (!err) {
        *out = m.conditions;
        *out_count = m.condition_count;
        m.conditions = NULL;
    }
    making_done(&m);
    return err;
}
