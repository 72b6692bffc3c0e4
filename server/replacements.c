/* Rankings as they are read: in their order, through a sieve, one with all that a person checks it by. */
#include "server/replacements.h"

#include "proto/base/text.h"
#include "server/fleet/wear.h"
#include "server/lives.h"
#include "server/replacements_priv.h"
#include "server/scope.h"
#include "server/spread.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct span cell_of(const struct ledger_row *row, unsigned cell)
{
    return cell < row->count ? row->cells[cell] : (struct span){ 0 };
}

/* ---- what follows from one ---- */

static void facts_of(const struct replacement *one, int32_t today, struct replace_facts *out)
{
    *out = (struct replace_facts){ .meter = one->meter,
                                   .dn_mm = one->dn_mm,
                                   .use = (enum use_class)one->use,
                                   .lost_mlpd = one->lost_mlpd,
                                   .confidence_pct = one->confidence_pct,
                                   .legal_due = one->legal_due,
                                   .condition_due = one->condition_due,
                                   .today = today };
}

void replacement_facts(const struct ranking *r, const struct replacement *one,
                       struct replace_facts *out)
{
    facts_of(one, r->today, out);
}

int64_t replacement_wear(struct txn *views, const struct fleet_rules *rules,
                         const struct fitting *f, struct span model, int64_t q3_lph,
                         double *out_volume_l, double *out_missed)
{
    int32_t milli_pct = fleet_wear(rules, model);
    struct judge_index index;
    struct wear_pace pace;
    double missed;

    if (!milli_pct || !judge_index(views, f->meter, f->from_s, &index))
        return 0;
    pace = wear_pace_of(index.index_ml - f->start_ml, index.at_s - f->from_s);
    if (!pace.step)
        return 0;
    missed = wear_missed(milli_pct, pace.volume_l, q3_lph);
    if (out_volume_l)
        *out_volume_l = pace.volume_l;
    if (out_missed)
        *out_missed = missed;
    return llround(wear_lost(missed, pace.volume_l / pace.days) * 1000);
}

void replacement_reckon(struct replacement *one, const struct fleet_rules *rules, int32_t today)
{
    struct replace_facts facts;
    struct replace_figures figures;

    facts_of(one, today, &facts);
    replace_reckon(rules, &facts, &figures);
    one->benefit = figures.benefit;
}

struct replace_rank replacement_rank(const struct replacement *one)
{
    return (struct replace_rank){ one->benefit, one->lost_mlpd, one->legal_due, one->meter };
}

bool replacement_is_blamed(const struct replacement *one)
{
    for (unsigned n = 0; detector_at(n); n++)
        if (one->kinds >> n & 1 && detector_at(n)->replace)
            return true;
    return false;
}

/* ---- in order ---- */

static int ranked_order(const void *a, const void *b)
{
    struct replace_rank x = replacement_rank((const struct replacement *)a);
    struct replace_rank y = replacement_rank((const struct replacement *)b);

    return replace_order(&x, &y);
}

#define PIECES 4           /* that are sorted by whoever is free */
#define PIECES_FROM 65536u /* of fewer it is not worth it */

struct sorting {
    struct replacement *at, *to;
    size_t count,
        pieces; /* sorted: each piece of `at` by itself, or two of them into one of `to` */
    bool merge;
    atomic_size_t next;
};

static size_t piece_begin(const struct sorting *s, size_t n)
{
    return s->count * n / s->pieces;
}

static void merge_two(const struct sorting *s, size_t n)
{
    size_t a = piece_begin(s, 2 * n), middle = piece_begin(s, 2 * n + 1), b = middle;
    size_t end = piece_begin(s, 2 * n + 2);

    for (size_t to = a; to < end; to++)
        s->to[to] = b == end || (a < middle && ranked_order(&s->at[a], &s->at[b]) <= 0)
                        ? s->at[a++]
                        : s->at[b++];
}

static void sort_pieces(void *arg)
{
    struct sorting *s = (struct sorting *)arg;
    size_t n;

    while ((n = atomic_fetch_add(&s->next, 1)) < s->pieces / (s->merge ? 2 : 1)) {
        size_t from = piece_begin(s, n);

        if (s->merge)
            merge_two(s, n);
        else
            qsort(s->at + from, piece_begin(s, n + 1) - from, sizeof *s->at, ranked_order);
    }
}

static void sort_step(struct sorting *s, bool merge)
{
    s->merge = merge;
    atomic_store(&s->next, 0);
    spread(sort_pieces, s);
    if (merge) {
        struct replacement *at = s->at;

        s->at = s->to;
        s->to = at;
        s->pieces /= 2;
    }
}

enum err ranked_sort(struct ranks *r)
{
    struct sorting s = { .at = r->at, .count = r->count, .pieces = PIECES };

    if (r->count < PIECES_FROM) {
        if (r->count)
            qsort(r->at, r->count, sizeof *r->at, ranked_order);
        return ERR_OK;
    }
    if (!(s.to = (struct replacement *)malloc(r->count * sizeof *s.to)))
        return ERR_NO_MEMORY;
    sort_step(&s, false);
    while (s.pieces > 1)
        sort_step(&s, true);
    r->at = s.at;
    free(s.to);
    return ERR_OK;
}

static unsigned bit_of(uint32_t meter)
{
    return (meter * UINT32_C(2654435761)) >> (32 - TOUCHED_BITS);
}

void ranking_mark(struct ranking *r)
{
    for (size_t i = 0; i < r->touched_count; i++) {
        unsigned bit = bit_of(r->touched[i]);

        r->marks[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

static bool is_touched(const struct ranking *r, uint32_t meter)
{
    unsigned bit = bit_of(meter);
    size_t low = 0, high = r->touched_count;

    if (!(r->marks[bit / 8] >> bit % 8 & 1))
        return false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->touched[middle] < meter)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->touched_count && r->touched[low] == meter;
}

const struct replacement *ranking_next(const struct ranking *r, struct ranking_walk *w)
{
    const struct ranks *base = &r->base->all, *own = &r->own;

    while (w->base < base->count && is_touched(r, base->at[w->base].meter))
        w->base++;
    if (w->base == base->count)
        return w->own < own->count ? &own->at[w->own++] : NULL;
    if (w->own < own->count && ranked_order(&own->at[w->own], &base->at[w->base]) < 0)
        return &own->at[w->own++];
    return &base->at[w->base++];
}

static size_t behind(const struct ranks *r, const struct replace_rank *last)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct replace_rank at = replacement_rank(&r->at[middle]);

        if (replace_order(&at, last) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct ranking_walk ranking_behind(const struct ranking *r, const struct replace_rank *last)
{
    return (struct ranking_walk){ behind(&r->base->all, last), behind(&r->own, last) };
}

size_t ranking_most(const struct ranking *r)
{
    return r->base->all.count + r->own.count;
}

/* ---- one of them, shown ---- */

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
                               struct txn *views, const struct ledger_row *meter,
                               struct replacement_shown *out)
{
    struct life now;
    int64_t now_s = clock_now_s(&app->clock);
    enum err err = life_look(app, ledger, meter, &out->life);

    if (err)
        return err;
    life_fold(&out->life.rules, out->life.events, out->life.count, now_s, INT64_MAX, &now);
    return condition_now(app, &r->rules, ledger, views, &out->life, &now, now_s, &out->condition);
}

enum err replacement_show(struct app *app, const struct ranking *r, const struct replacement *one,
                          struct txn *ledger, struct txn *views, const struct ledger_row *meter,
                          struct replacement_shown *out)
{
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED,
                             .meter = one->meter };
    struct showing s = { .out = out };
    struct fitting fitting = { .point = 0 };
    int64_t q3;
    enum err err = fitting_at(ledger, false, one->meter, clock_now_s(&app->clock), &fitting);

    out->blamed = false;
    out->condition = (struct condition){ .due = NO_DAY };
    out->gone = err || fitting.point != one->point;
    if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (!err && !out->gone)
        err = show_condition(app, r, ledger, views, meter, out);
    out->wear_missed = 0;
    if (!err && !out->gone && !replacement_is_blamed(one) &&
        !text_decimal(cell_of(meter, CELL_METER_q3), 3, &q3))
        (void)replacement_wear(views, &r->rules, &fitting, cell_of(meter, CELL_METER_model), q3,
                               &out->wear_volume_l, &out->wear_missed);
    s.fitting_from_s = fitting.from_s;
    if (!err && !out->gone && replacement_is_blamed(one))
        err = flags_each(app, &q, take_worst, &s);
    return err;
}

uint32_t model_number(struct span model)
{
    return fleet_model(model);
}

/* ---- the sieve ---- */

#define ZONE_DEPTH_MAX 32 /* a tree of zones that is deeper is a ring */

static bool is_below(struct txn *t, struct ledger_row row, struct span wanted)
{
    for (int depth = 0; depth < ZONE_DEPTH_MAX; depth++) {
        struct cells cells = cells_of(&row);

        if (span_equal(cells.at[CELL_ZONE_zone], wanted))
            return true;
        if (!cells.at[CELL_ZONE_parent].len ||
            !ledger_find(t, LIST_ZONE, cells.at[CELL_ZONE_parent], INT64_MAX, &row))
            return false;
    }
    return false;
}

static enum err mark_zones(struct txn *t, struct sieve *s)
{
    struct ledger_row row;

    s->zone_count = ledger_last_id(t, LIST_ZONE) + 1;
    if (!(s->zones = (uint8_t *)calloc(s->zone_count, 1)))
        return ERR_NO_MEMORY;
    for (uint32_t id = 1; id < s->zone_count; id++)
        s->zones[id] =
            ledger_by_id(t, LIST_ZONE, id, INT64_MAX, &row) && is_below(t, row, s->filter.zone);
    return t->err;
}

/* A point belongs to the unit of its route (scope.h). */
static enum err mark_routes(struct txn *t, struct sieve *s)
{
    struct scope scope = scope_of(s->filter.org);
    struct ledger_row row;

    s->route_count = ledger_last_id(t, LIST_ROUTE) + 1;
    if (!(s->routes = (uint8_t *)calloc(s->route_count, 1)))
        return ERR_NO_MEMORY;
    for (uint32_t id = 1; id < s->route_count; id++)
        s->routes[id] =
            ledger_by_id(t, LIST_ROUTE, id, INT64_MAX, &row) && scope_row(&scope, t, &row);
    return t->err;
}

enum err sieve_open(struct txn *t, const struct replacement_filter *filter, struct sieve *out)
{
    struct sieve s = { .filter = *filter,
                       .model = model_number(filter->model),
                       .none = filter->nothing };
    struct ledger_row row;
    enum err err = ERR_OK;

    if (filter->route.len) {
        if (ledger_find(t, LIST_ROUTE, filter->route, INT64_MAX, &row))
            s.route = row.id;
        else
            s.none = true;
    }
    if (filter->zone.len)
        err = mark_zones(t, &s);
    if (!err && filter->org && filter->org[0])
        err = mark_routes(t, &s);
    if (!err)
        err = t->err;
    if (err)
        sieve_done(&s);
    else
        *out = s;
    return err;
}

static bool marked(const uint8_t *set, uint32_t count, uint32_t id)
{
    return !set || (id < count && set[id]);
}

static bool has_kind(const struct replacement *one, const struct detector *kind)
{
    unsigned n = 0;

    while (detector_at(n) != kind)
        n++;
    return one->kinds >> n & 1;
}

bool sieve_lets(const struct sieve *s, const struct replacement *one)
{
    const struct replacement_filter *f = &s->filter;

    return !s->none && (!f->dn || f->dn == one->dn_mm) && (!s->route || s->route == one->route) &&
           (!s->model || s->model == one->model) && marked(s->zones, s->zone_count, one->zone) &&
           marked(s->routes, s->route_count, one->route) &&
           (!f->has_least || one->benefit >= f->least_benefit) &&
           (!f->kind || has_kind(one, f->kind));
}

void sieve_done(struct sieve *s)
{
    free(s->zones);
    free(s->routes);
    s->zones = s->routes = NULL;
}
