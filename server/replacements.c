/* One ranking of meters to be changed: who is a candidate, what a change of each brings, who comes first. */
#include "server/replacements.h"

#include "proto/base/crc.h"
#include "server/prices.h"
#include "server/replacements_priv.h"

#include <stdlib.h>

#define SLICE 2048    /* candidates looked at under one pair of transactions */
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

struct making {
    struct app *app;
    struct ranking *r;
    int64_t now_s;
    int32_t until; /* dates up to here make a candidate */
    struct due_one *dues;
    struct blame *blames;
    uint32_t *conditions;
    size_t due_count, due_cap, blame_count, blame_cap, condition_count, condition_cap, cap;
    struct txn ledger, views;
    /* rows that share a zone or a route follow each other */
    char zone[128], route[128];
    uint32_t zone_id, route_id;
    enum err err;
};

static bool room_for_one(struct making *m, void **at, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 256;
    void *grown;

    if (count < *cap)
        return true;
    if (!(grown = realloc(*at, more * size))) {
        m->err = ERR_NO_MEMORY;
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

    while (detector_at(kind) != f->kind)
        kind++;
    if (!room_for_one(m, (void **)&m->blames, m->blame_count, &m->blame_cap, sizeof *m->blames))
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

static enum err find_dues(struct making *m)
{
    uint8_t after[KEY_MAX];
    size_t after_len = 0;
    bool more = true;

    while (more && !m->err) {
        struct txn t = ledger_read(m->app->ledger);
        struct due_walk w =
            lives_due(&t, DUE_FITTED, NO_DAY, m->until, false, span_of(after, after_len));
        enum err ended;

        for (unsigned n = 0; n < WALKED && !m->err && (more = due_next(&w)); n++) {
            if (!room_for_one(m, (void **)&m->dues, m->due_count, &m->due_cap, sizeof *m->dues))
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

static enum err find_conditions(struct making *m)
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
        } else if (due <= m->until + CONDITION_STEP_DAYS &&
                   room_for_one(m, (void **)&m->conditions, m->condition_count, &m->condition_cap,
                                sizeof *m->conditions)) {
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

static enum err look_at_place(struct making *m, struct replacement *one)
{
    struct txn *t = &m->ledger;
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
        id_named(t, LIST_ZONE, cells.at[CELL_POINT_zone], m->zone, sizeof m->zone, &m->zone_id);
    one->route = id_named(t, LIST_ROUTE, cells.at[CELL_POINT_route], m->route, sizeof m->route,
                          &m->route_id);
    return t->err;
}

static enum err look_at_meter(struct making *m, struct replacement *one)
{
    struct ledger_row row;
    int64_t dn;

    if (!ledger_by_id(&m->ledger, LIST_METER, one->meter, INT64_MAX, &row))
        return m->ledger.err ? m->ledger.err : ERR_CORRUPT;
    if (text_int(cell_of(&row, CELL_METER_dn), &dn) || dn < 0 || dn > UINT16_MAX)
        return ERR_CORRUPT;
    one->dn_mm = (uint16_t)dn;
    one->model = model_number(cell_of(&row, CELL_METER_model));
    return ERR_OK;
}

/* What its life says: the dates that no list had. */
static enum err look_at_life(struct making *m, bool due_known, struct replacement *one)
{
    struct meter_life life = { 0 };
    struct condition condition;
    struct life now;
    struct legal legal;
    enum err err = life_load(m->app, &m->ledger, one->meter, &life);

    if (!err) {
        life_fold(&life.rules, life.events, life.count, m->now_s, INT64_MAX, &now);
        if (!(err = condition_now(m->app, &m->r->rules, &m->ledger, &m->views, &life, &now,
                                  m->now_s, &condition)))
            one->condition_due = condition.due;
        if (!due_known) {
            life_legal(&life.rules, life.events, life.count, m->r->today, INT64_MAX, &legal);
            one->legal_due = legal.due;
        }
    }
    life_done(&life);
    return err;
}

static bool within(const struct making *m, int32_t day)
{
    return day != NO_DAY && day <= m->until;
}

static void keep(struct making *m, struct replacement *one)
{
    struct ranking *r = m->r;
    struct replace_facts facts;
    struct replace_figures figures;

    replacement_facts(r, one, &facts);
    replace_reckon(&r->rules, &facts, &figures);
    one->benefit = figures.benefit;
    if (room_for_one(m, (void **)&r->at, r->count, &m->cap, sizeof *r->at))
        r->at[r->count++] = *one;
}

/* `blames` are all of the meter's. `due`: NO_DAY, it is not in the list of dates; `asked`: something may speak for a date by condition. */
static enum err weigh(struct making *m, uint32_t meter, const struct blame *blames, size_t count,
                      int32_t due, bool asked)
{
    struct replacement one = { .meter = meter, .legal_due = due, .condition_due = NO_DAY };
    struct fitting fitting;
    bool blamed = false;
    enum err err = fitting_at(&m->ledger, false, meter, m->now_s, &fitting);

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
    if ((asked || due == NO_DAY) && (err = look_at_life(m, due != NO_DAY, &one)))
        return err;
    if (!blamed && !within(m, one.legal_due) && !within(m, one.condition_due))
        return ERR_OK;
    if ((err = look_at_meter(m, &one)) || (err = look_at_place(m, &one)))
        return err;
    keep(m, &one);
    return m->err;
}

/* ---- all of them ---- */

static enum err renew(struct making *m, bool again)
{
    enum err err = ERR_OK, ended;

    if (m->ledger.mdb) {
        err = txn_end(&m->ledger);
        ended = txn_end(&m->views);
        err = err ? err : ended;
    }
    m->zone_id = m->route_id = 0;
    if (err || !again)
        return err;
    m->ledger = ledger_read(m->app->ledger);
    m->views = views_read(m->app->views);
    return m->ledger.err ? m->ledger.err : m->views.err;
}

/* Three lists in the order of meters, as one. */
static enum err weigh_all(struct making *m)
{
    size_t d = 0, b = 0, c = 0;
    enum err err = ERR_OK, ended;

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
        if (meter == UINT32_MAX)
            break;
        if (n % SLICE == 0 && (err = renew(m, true)))
            break;
        if (m->app->stopping)
            err = ERR_STOPPING;
        for (; d < m->due_count && m->dues[d].meter == meter; d++)
            due = m->dues[d].due;
        for (; c < m->condition_count && m->conditions[c] == meter; c++)
            asked = true;
        while (b + blames < m->blame_count && m->blames[b + blames].meter == meter)
            blames++;
        if (!err)
            err = weigh(m, meter, m->blames + b, blames, due, asked);
        b += blames;
    }
    ended = renew(m, false);
    return err ? err : ended;
}

static int ranked_order(const void *a, const void *b)
{
    struct replace_rank x = replacement_rank((const struct replacement *)a);
    struct replace_rank y = replacement_rank((const struct replacement *)b);

    return replace_order(&x, &y);
}

enum err ranking_make(struct app *app, struct ranking *r)
{
    struct making m = { .app = app, .r = r, .now_s = clock_now_s(&app->clock) };
    enum err err;

    m.until = r->today + r->rules.horizon_days;
    if (!(err = find_blames(&m)) && !(err = find_dues(&m)) && !(err = find_conditions(&m)))
        err = weigh_all(&m);
    free(m.dues);
    free(m.blames);
    free(m.conditions);
    if (!err && r->count)
        qsort(r->at, r->count, sizeof *r->at, ranked_order);
    return err;
}

/* ---- what follows from one ---- */

void replacement_facts(const struct ranking *r, const struct replacement *one,
                       struct replace_facts *out)
{
    *out = (struct replace_facts){ .meter = one->meter,
                                   .dn_mm = one->dn_mm,
                                   .use = (enum use_class)one->use,
                                   .lost_mlpd = one->lost_mlpd,
                                   .confidence_pct = one->confidence_pct,
                                   .legal_due = one->legal_due,
                                   .condition_due = one->condition_due,
                                   .today = r->today };
}

struct replace_rank replacement_rank(const struct replacement *one)
{
    return (struct replace_rank){ one->benefit, one->lost_mlpd, one->legal_due, one->meter };
}

struct showing {
    int64_t fitting_from_s;
    struct replacement_shown *out;
};

static bool take_worst(void *arg, const struct flag *f)
{
    struct showing *s = (struct showing *)arg;

    if (f->kind->replace && f->fitting_from_s == s->fitting_from_s &&
        (!s->out->blamed || f->verdict.lost_mlpd > s->out->flag.verdict.lost_mlpd)) {
        s->out->flag = *f;
        s->out->blamed = true;
    }
    return true;
}

static enum err show_condition(struct app *app, const struct ranking *r, struct txn *ledger,
                               uint32_t meter, struct condition *out)
{
    struct txn views = views_read(app->views);
    struct meter_life life = { 0 };
    struct life now;
    int64_t now_s = clock_now_s(&app->clock);
    enum err err = life_load(app, ledger, meter, &life), ended;

    if (!err) {
        life_fold(&life.rules, life.events, life.count, now_s, INT64_MAX, &now);
        err = condition_now(app, &r->rules, ledger, &views, &life, &now, now_s, out);
    }
    life_done(&life);
    ended = txn_end(&views);
    return err ? err : ended;
}

enum err replacement_show(struct app *app, const struct ranking *r, const struct replacement *one,
                          struct replacement_shown *out)
{
    struct txn t = ledger_read(app->ledger);
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED,
                             .meter = one->meter };
    struct showing s = { .out = out };
    struct fitting fitting = { .point = 0 };
    enum err err = fitting_at(&t, false, one->meter, clock_now_s(&app->clock), &fitting), ended;

    out->blamed = false;
    out->condition = (struct condition){ .due = NO_DAY };
    out->gone = err || fitting.point != one->point;
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err && !out->gone)
        err = show_condition(app, r, &t, one->meter, &out->condition);
    ended = txn_end(&t);
    err = err ? err : ended;
    s.fitting_from_s = fitting.from_s;
    if (!err && !out->gone && one->kinds)
        err = flags_each(app, &q, take_worst, &s);
    return err;
}

uint32_t model_number(struct span model)
{
    uint32_t n = model.len ? crc32c(0, model.at, model.len) : 0;

    return model.len && !n ? 1 : n;
}
