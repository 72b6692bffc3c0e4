/* The units of a point: its fittings that touch the month, with what was read under them, what became of their meters, and which days of its route are due. */
#include "server/figures_priv.h"

#include "server/lives.h"
#include "server/readings.h"
#include "server/routes.h"

#include <stdlib.h>

/* A fitting with what is needed of its meter. */
struct loaded {
    struct meter_life life;
    bool has_life;
    struct rows rows;
    enum rule *rules;
};

struct figure_loads {
    size_t count, cap;
    struct loaded *at;
    struct figure_fitting *fittings;
};

static void loads_clear(struct figure_loads *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->at[i].has_life)
            life_done(&l->at[i].life);
        free(l->at[i].rules);
        l->at[i].has_life = false;
        l->at[i].rules = NULL;
    }
    l->count = 0;
}

void figure_loads_free(struct figure_loads *l)
{
    if (!l)
        return;
    loads_clear(l);
    for (size_t i = 0; i < l->cap; i++)
        rows_done(&l->at[i].rows);
    free(l->at);
    free(l->fittings);
    free(l);
}

static enum err loads_room(struct figure_loads *l, size_t count)
{
    struct figure_fitting *fittings;
    struct loaded *at;

    if (count <= l->cap)
        return ERR_OK;
    if (!(at = (struct loaded *)realloc(l->at, count * sizeof *at)))
        return ERR_NO_MEMORY;
    l->at = at;
    if (!(fittings = (struct figure_fitting *)realloc(l->fittings, count * sizeof *fittings)))
        return ERR_NO_MEMORY;
    l->fittings = fittings;
    memset(at + l->cap, 0, (count - l->cap) * sizeof *at);
    l->cap = count;
    return ERR_OK;
}

/* ---- what became of the meter ---- */

static uint32_t days_of(const struct figure_month *m, int64_t from_s, int64_t to_s)
{
    uint32_t days = 0;

    for (unsigned d = 0; d < m->days; d++)
        if (m->at_s[d] < to_s && m->at_s[d + 1] > from_s)
            days |= 1u << d;
    return days;
}

static uint32_t days_suspended(const struct figure_month *m, const struct meter_life *l)
{
    struct life life;
    int64_t since_s = INT64_MIN;
    uint32_t days = 0;

    life_begin(&life, &l->rules);
    for (size_t i = 0; i < l->count; i++) {
        bool was = life.state == LIFE_SUSPENDED;

        life_step(&life, &l->events[i]);
        if (was && life.state != LIFE_SUSPENDED)
            days |= days_of(m, since_s, l->events[i].at_s);
        else if (!was)
            since_s = l->events[i].at_s;
    }
    return life.state == LIFE_SUSPENDED ? days | days_of(m, since_s, INT64_MAX) : days;
}

static int32_t due_on(const struct meter_life *l, int32_t day)
{
    struct legal legal;

    life_legal(&l->rules, l->events, l->count, day, INT64_MAX, &legal);
    return legal.due;
}

static void life_told(const struct figure_scope *s, const struct meter_life *l,
                      struct figure_fitting *f)
{
    int64_t at_s = figure_month_at(&s->month, s->now_s);
    struct life life;

    life_fold(&l->rules, l->events, l->count, at_s, INT64_MAX, &life);
    f->suspended_at_end = life.state == LIFE_SUSPENDED;
    f->faulty_at_end = life.state == LIFE_FAULTY;
    f->suspended = days_suspended(&s->month, l);
    f->legal_due = due_on(l, (int32_t)zone_day_number(&s->app->zone, at_s));
    f->due_then = due_on(l, s->month.first_day - 1);
    f->renewed = f->due_then != NO_DAY && due_on(l, f->due_then) > f->due_then;
}

_Static_assert(NO_DAY == INT32_MIN, "as server/billing/figures.h has it");

/* ---- loading ---- */

/* Whether anything ever came by radio while it was there, up to the month's end; rows of the month are loaded. */
static enum err look_for_radio(struct figure_scope *s, const struct fitting *fitting,
                               struct loaded *l, bool *radio)
{
    struct rows before = { 0 };
    const struct rows *look[2] = { &l->rows, &before };
    int64_t end_s = figure_month_end(&s->month);
    enum err err = ERR_OK;

    for (unsigned k = 0; k < 2 && !*radio && !err; k++) {
        if (k == 1)
            err = readings_load(s->app, &l->life.facts, meter_billed_channel(&l->life.facts),
                                fitting->from_s, s->month.at_s[0], &before);
        for (size_t i = 0; i < look[k]->count && !*radio && !err; i++)
            *radio = (look[k]->at[i].attr & ATTR_SOURCE) == SOURCE_REMOTE &&
                     look[k]->at[i].time_s >= fitting->from_s && look[k]->at[i].time_s < end_s;
    }
    rows_done(&before);
    return err;
}

static enum err fitting_load(struct figure_scope *s, struct txn *t, const struct fitting *fitting)
{
    struct figure_loads *all = s->loads;
    struct loaded *l = &all->at[all->count];
    struct figure_fitting *f = &all->fittings[all->count++];
    struct fittings of_meter;
    struct ledger_row row;
    enum err err;

    *f = (struct figure_fitting){ .fitting = *fitting };
    l->has_life = true;
    if ((err = life_load(s->app, t, fitting->meter, &l->life)))
        return err;
    if (!ledger_by_id(t, LIST_METER, fitting->meter, INT64_MAX, &row))
        return t->err ? t->err : ERR_CORRUPT;
    f->radio =
        figure_cell(&row, CELL_METER_dialect).len || figure_cell(&row, CELL_METER_radio_id).len;
    life_told(s, &l->life, f);
    if (!(err = fittings_load(t, false, fitting->meter, &of_meter)))
        err = sheet_rows_load(s->app, &l->life.facts, &of_meter, s->month.at_s[0] - FIGURE_NEAR_S,
                              figure_month_end(&s->month) + FIGURE_NEAR_S + 1, &l->rows, &l->rules);
    fittings_done(&of_meter);
    if (!err && !f->radio)
        err = look_for_radio(s, fitting, l, &f->radio);
    f->rows = &l->rows;
    f->rules = l->rules;
    return err;
}

static enum err fittings_take(struct figure_scope *s, struct txn *t, uint32_t point)
{
    int64_t from_s = s->month.at_s[0] - SHEET_NEAR_S;
    int64_t to_s = figure_month_end(&s->month) + SHEET_NEAR_S;
    struct fittings all;
    enum err err = fittings_load(t, true, point, &all);

    if (!err && !s->loads)
        s->loads = (struct figure_loads *)calloc(1, sizeof *s->loads);
    if (!err && !s->loads)
        err = ERR_NO_MEMORY;
    if (!err) {
        loads_clear(s->loads);
        err = loads_room(s->loads, all.count);
    }
    for (size_t i = 0; i < all.count && !err; i++)
        if (all.at[i].from_s <= to_s && all.at[i].to_s >= from_s)
            err = fitting_load(s, t, &all.at[i]);
    fittings_done(&all);
    return err;
}

static bool any_edit(void *arg, const struct ledger_edit *e)
{
    (void)e;
    *(bool *)arg = true;
    return false;
}

/* Whether there was any use, reckoned as bills are, where it does not show at a glance. */
static enum err use_load(struct figure_scope *s, struct txn *t, uint32_t point,
                         struct figure_point *p)
{
    unsigned over = figure_days_over(&s->month, s->now_s);
    int64_t from_s = s->month.at_s[0], to_s = s->month.at_s[over];
    const struct consumption *c;
    bool edited = false;
    enum err err;

    if (!over || !p->count || !p->is_customer || !p->has_account)
        return ERR_OK;
    if ((err = ledger_edits(t, point, 0, any_edit, &edited)))
        return err;
    if (!edited && figure_use(p) != FIGURE_USE_ASK)
        return ERR_OK;
    if ((err = point_use_load(s->app, t, point, from_s, to_s, STEP_NONE, s->now_s, &s->use)) ||
        (err = consumer_figures(s->use.consumer, from_s, to_s, &c)))
        return err;
    p->use_asked = true;
    p->use_known = c->known && c->quality <= QUALITY_EDITED;
    p->use_ml = c->consumption_ml;
    return ERR_OK;
}

struct telling {
    figure_take *take;
    void *arg;
    struct figure_told told;
};

static void tell(void *arg, const struct figure_case *u)
{
    struct telling *k = (struct telling *)arg;

    k->told.unit = u;
    k->take(k->arg, &k->told);
}

enum err figures_of_point(struct figure_scope *s, struct txn *t, const struct ledger_row *row,
                          uint32_t route, figure_take *take, void *arg)
{
    struct telling k = { take,
                         arg,
                         { .point = figure_cell(row, CELL_POINT_point),
                           .account = figure_cell(row, CELL_POINT_account),
                           .route = route } };
    struct figure_point p = { .month = &s->month,
                              .now_s = s->now_s,
                              .due = route ? s->routes[route].due : 0,
                              .has_account = k.told.account.len != 0 };
    struct cells cells = cells_of(row);
    struct point_facts facts;
    enum err err;

    if (cells_point(&cells, row->id, &facts))
        return ERR_CORRUPT;
    p.is_customer =
        facts.use != USE_HYDRANT && facts.use != USE_ZONE_INLET && facts.use != USE_ZONE_OUTLET;
    if ((err = fittings_take(s, t, row->id)))
        return err;
    p.fittings = s->loads->fittings;
    p.count = s->loads->count;
    if ((err = use_load(s, t, row->id, &p)))
        return err;
    figure_point_units(&p, tell, &k);
    return ERR_OK;
}
