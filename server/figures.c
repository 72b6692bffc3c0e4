/* What is counted, one thing after the other.  Nothing is held between two things, so that a walk may end anywhere and go on in another transaction. */
#include "server/figures_priv.h"

#include "server/orders.h"
#include "server/registers.h"

#include <stdio.h>
#include <stdlib.h>

#define TREE_DEPTH_MAX 32 /* as the register has it */

static void keep(char to[FIGURE_NAME], struct span text)
{
    size_t len = text.len < FIGURE_NAME ? text.len : FIGURE_NAME - 1;

    if (len)
        memcpy(to, text.at, len);
    to[len] = 0;
}

/* ---- the register ---- */

static uint8_t level_of(struct span text)
{
    return span_equal(text, span_text("company"))  ? LEVEL_COMPANY
           : span_equal(text, span_text("branch")) ? LEVEL_BRANCH
           : span_equal(text, span_text("team"))   ? LEVEL_TEAM
                                                   : LEVEL_NONE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((const char *)a, ((const struct figure_org *)b)->name);
}

static uint32_t org_place(const struct figure_scope *s, const char *name)
{
    const struct figure_org *found =
        s->org_count && *name ? (const struct figure_org *)bsearch(name, s->orgs, s->org_count,
                                                                   sizeof *s->orgs, by_name)
                              : NULL;

    return found ? (uint32_t)(found - s->orgs) + 1 : 0;
}

/* A walk of the list is in the order of names. */
static enum err orgs_load(struct figure_scope *s, struct txn *t)
{
    struct ledger_walk w = ledger_walk(t, LIST_ORG, span_of(NULL, 0), INT64_MAX);
    uint32_t most = ledger_last_id(t, LIST_ORG);
    struct ledger_row row;

    if (!(s->orgs = (struct figure_org *)calloc((size_t)most + 1, sizeof *s->orgs))) {
        ledger_walk_done(&w);
        return ERR_NO_MEMORY;
    }
    while (s->org_count < most && ledger_walk_next(&w, &row)) {
        struct figure_org *o = &s->orgs[s->org_count++];

        keep(o->name, figure_cell(&row, CELL_ORG_org));
        keep(o->parent_name, figure_cell(&row, CELL_ORG_parent));
        o->level = level_of(figure_cell(&row, CELL_ORG_level));
    }
    ledger_walk_done(&w);
    for (uint32_t i = 0; i < s->org_count; i++)
        s->orgs[i].parent = org_place(s, s->orgs[i].parent_name);
    return t->err;
}

static uint32_t days_due(const struct figure_month *m, struct span text)
{
    struct route_days days;
    uint32_t due = 0;

    if (route_days_read(text, &days))
        return 0;
    for (unsigned d = 0; d < m->days; d++)
        due |= (uint32_t)route_days_hold(&days, (int64_t)m->first_day + d) << d;
    return due;
}

static bool route_load(void *arg, const struct ledger_row *row)
{
    struct figure_scope *s = (struct figure_scope *)arg;
    struct figure_route *r;
    char org[FIGURE_NAME];

    if (row->id >= s->route_count)
        return true;
    r = &s->routes[row->id];
    r->known = true;
    keep(r->name, figure_cell(row, CELL_ROUTE_route));
    keep(org, figure_cell(row, CELL_ROUTE_org));
    r->org = org_place(s, org);
    r->due = days_due(&s->month, figure_cell(row, CELL_ROUTE_days));
    return true;
}

static enum err routes_load(struct figure_scope *s, struct txn *t)
{
    s->route_count = ledger_last_id(t, LIST_ROUTE) + 1;
    if (s->route_count > FIGURE_ROUTES_MAX)
        return ERR_LIMIT;
    if (!(s->routes = (struct figure_route *)calloc(s->route_count, sizeof *s->routes)))
        return ERR_NO_MEMORY;
    return ledger_each_by_id(t, LIST_ROUTE, 1, route_load, s);
}

struct cycles_load {
    struct figure_scope *scope;
    enum err err;
};

static bool cycle_load(void *arg, const struct ledger_cycle *c)
{
    struct cycles_load *l = (struct cycles_load *)arg;
    struct figure_scope *s = l->scope;
    struct figure_cycle *more;

    if (c->state != CYCLE_CLOSED || figure_day_of(&s->month, c->to_s - 1) < 0)
        return true;
    more = (struct figure_cycle *)realloc(s->cycles, (s->cycle_count + 1) * sizeof *more);
    if (!more) {
        l->err = ERR_NO_MEMORY;
        return false;
    }
    s->cycles = more;
    more = &s->cycles[s->cycle_count++];
    *more = (struct figure_cycle){ .id = c->id, .from_s = c->from_s, .to_s = c->to_s };
    snprintf(more->name, sizeof more->name, "%s", c->name);
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct figure_cycle *)a)->id, y = ((const struct figure_cycle *)b)->id;

    return (x > y) - (x < y);
}

static enum err cycles_load(struct figure_scope *s, struct txn *t)
{
    struct cycles_load l = { .scope = s };
    enum err err = ledger_cycles(t, span_of(NULL, 0), cycle_load, &l);

    if (!err && !l.err && s->cycle_count)
        qsort(s->cycles, s->cycle_count, sizeof *s->cycles, by_id);
    return err ? err : l.err;
}

/* ---- what is wanted ---- */

static bool is_below(const struct figure_scope *s, uint32_t org, uint32_t top)
{
    for (unsigned depth = 0; org && depth <= TREE_DEPTH_MAX; depth++) {
        if (org == top)
            return true;
        org = s->orgs[org - 1].parent;
    }
    return false;
}

static enum err bound(struct figure_scope *s, const char *org, const char *route)
{
    uint32_t top = org_place(s, org);
    bool found = !*route;

    s->bounded = *org || *route;
    if (*org && !top)
        return ERR_NOT_FOUND;
    for (uint32_t id = 1; id < s->route_count; id++) {
        struct figure_route *r = &s->routes[id];
        bool named = !*route || strcmp(r->name, route) == 0;

        found |= r->known && named;
        r->wanted = r->known && named && (!top || is_below(s, r->org, top));
    }
    return found ? ERR_OK : ERR_NOT_FOUND;
}

enum err figure_scope_new(struct app *app, const struct figure_month *m, const char *org,
                          const char *route, struct figure_scope **out)
{
    struct figure_scope *s = (struct figure_scope *)calloc(1, sizeof *s);
    struct txn t;
    enum err err, ended;

    if (!s)
        return ERR_NO_MEMORY;
    s->app = app;
    s->month = *m;
    s->now_s = clock_now_s(&app->clock);
    t = ledger_read(app->ledger);
    s->last_point = ledger_last_id(&t, LIST_POINT);
    if (!(err = orgs_load(s, &t)) && !(err = routes_load(s, &t)) && !(err = cycles_load(s, &t)))
        err = bound(s, org, route);
    ended = txn_end(&t);
    err = err ? err : ended;
    if (err)
        figure_scope_free(s);
    else
        *out = s;
    return err;
}

void figure_scope_free(struct figure_scope *s)
{
    if (!s)
        return;
    point_use_done(&s->use);
    figure_loads_free(s->loads);
    free(s->routes);
    free(s->orgs);
    free(s->cycles);
    free(s);
}

uint32_t figure_route_of(struct figure_scope *s, struct txn *t, struct span route)
{
    struct ledger_row row;

    if (!route.len)
        return 0;
    if (span_equal(route, span_text(s->route_asked)))
        return s->route_found;
    s->route_found =
        ledger_find(t, LIST_ROUTE, route, INT64_MAX, &row) && row.id < s->route_count ? row.id : 0;
    keep(s->route_asked, route);
    return s->route_found;
}

bool figure_route_wanted(const struct figure_scope *s, uint32_t route)
{
    return !s->bounded || (route < s->route_count && s->routes[route].wanted);
}

const char *figure_route_name(const struct figure_scope *s, uint32_t route)
{
    return route && route < s->route_count ? s->routes[route].name : "";
}

const char *figure_route_org(const struct figure_scope *s, uint32_t route)
{
    uint32_t org = route && route < s->route_count ? s->routes[route].org : 0;

    return org ? s->orgs[org - 1].name : "";
}

int figure_day_of(const struct figure_month *m, int64_t at_s)
{
    unsigned d = 0;

    if (at_s < m->at_s[0] || at_s >= m->at_s[m->days])
        return -1;
    while (at_s >= m->at_s[d + 1])
        d++;
    return (int)d;
}

/* ---- places ---- */

void figure_place_write(struct wr *w, const struct figure_place *p)
{
    wr_u8(w, (uint8_t)p->source);
    wr_be32(w, p->id);
    wr_be32(w, p->cycle);
    wr_counted(w, span_text(p->name));
}

enum err figure_place_read(struct rd *r, struct figure_place *out)
{
    struct figure_place p = { .source = (enum figure_source)rd_u8(r) };
    struct span name;

    p.id = rd_be32(r);
    p.cycle = rd_be32(r);
    name = rd_counted(r);
    if (r->err || p.source >= FIGURE_SOURCES || name.len >= FIGURE_NAME)
        return ERR_MALFORMED;
    keep(p.name, name);
    *out = p;
    return ERR_OK;
}

static bool next_bill(struct figure_scope *s, struct txn *t, struct figure_place *p)
{
    for (size_t i = 0; i < s->cycle_count; i++) {
        struct determinant_walk w;
        bool found;

        if (s->cycles[i].id < p->cycle)
            continue;
        w = ledger_determinants(t, s->cycles[i].id,
                                s->cycles[i].id == p->cycle ? span_text(p->name)
                                                            : span_of(NULL, 0));
        if ((found = determinant_next(&w))) {
            p->cycle = s->cycles[i].id;
            keep(p->name, w.point);
        }
        determinant_done(&w);
        if (found || t->err)
            return found;
    }
    return false;
}

static bool next_order(struct txn *t, struct figure_place *p)
{
    struct order_walk w = orders_all(t, span_text(p->name));
    bool found = order_next(&w);

    if (found)
        keep(p->name, w.order.name);
    order_walk_done(&w);
    return found;
}

bool figure_place_next(struct figure_scope *s, struct txn *t, struct figure_place *p)
{
    uint32_t last = p->source == FIGURES_OF_POINT ? s->last_point : s->route_count - 1;

    if (p->source == FIGURES_OF_BILL)
        return next_bill(s, t, p);
    if (p->source == FIGURES_OF_ORDER)
        return next_order(t, p);
    if (p->id >= last)
        return false;
    p->id++;
    return true;
}

/* ---- units ---- */

static enum err point_units(struct figure_scope *s, struct txn *t, const struct figure_place *p,
                            figure_take *take, void *arg)
{
    struct ledger_row row;
    uint32_t route;

    if (!ledger_by_id(t, LIST_POINT, p->id, INT64_MAX, &row))
        return t->err;
    route = figure_route_of(s, t, figure_cell(&row, CELL_POINT_route));
    return t->err                          ? t->err
           : figure_route_wanted(s, route) ? figures_of_point(s, t, &row, route, take, arg)
                                           : ERR_OK;
}

static enum err bill_units(struct figure_scope *s, struct txn *t, const struct figure_place *p,
                           figure_take *take, void *arg)
{
    struct figure_case u = { .figure = FIGURE_ESTIMATED_BILLS };
    struct figure_told told = { .unit = &u, .point = span_text(p->name) };
    const struct figure_cycle *c = NULL;
    struct determinant d;
    struct ledger_row row;
    struct span bytes;

    for (size_t i = 0; i < s->cycle_count && !c; i++)
        if (s->cycles[i].id == p->cycle)
            c = &s->cycles[i];
    if (!c || !ledger_determinant(t, c->id, told.point, &bytes))
        return t->err;
    if (determinant_read(bytes, c->from_s, c->to_s, NULL, 0, &d))
        return ERR_CORRUPT;
    if (ledger_find(t, LIST_POINT, told.point, INT64_MAX, &row))
        told.route = figure_route_of(s, t, figure_cell(&row, CELL_POINT_route));
    if (t->err || !figure_route_wanted(s, told.route))
        return t->err;
    told.account = d.account;
    told.what = span_text(c->name);
    u.day = s->month.first_day + figure_day_of(&s->month, c->to_s - 1);
    u.without = d.quality == QUALITY_MISSING ? WITHOUT_MISSING : WITHOUT_NOTHING;
    u.counts = d.quality == QUALITY_ESTIMATED;
    take(arg, &told);
    return ERR_OK;
}

/* A live order counts once its time is over. */
static bool order_judged(const struct figure_scope *s, const struct order *o, struct figure_case *u)
{
    int64_t ended_s = o->done_s != INT64_MIN ? o->done_s : o->since_s;

    if (o->state == ORDER_CANCELLED) {
        u->without = WITHOUT_CANCELLED;
        return true;
    }
    if (order_is_live(o->state))
        return o->due_s < s->now_s;
    u->counts = ended_s <= o->due_s;
    return true;
}

static enum err order_units(struct figure_scope *s, struct txn *t, const struct figure_place *p,
                            figure_take *take, void *arg)
{
    struct figure_case u = { .figure = FIGURE_ORDERS_IN_TIME };
    struct figure_told told = { .unit = &u, .what = span_text(p->name) };
    struct ledger_row row;
    struct order o;
    int day;

    if (!order_find(t, told.what, &o) || (day = figure_day_of(&s->month, o.due_s)) < 0 ||
        !order_judged(s, &o, &u))
        return t->err;
    u.day = s->month.first_day + day;
    told.point = o.point;
    if (o.point.len && ledger_find(t, LIST_POINT, o.point, INT64_MAX, &row)) {
        told.account = figure_cell(&row, CELL_POINT_account);
        told.route = figure_route_of(s, t, figure_cell(&row, CELL_POINT_route));
    }
    if (o.serial.len && ledger_find(t, LIST_METER, o.serial, INT64_MAX, &row))
        u.meter = row.id;
    if (!t->err && figure_route_wanted(s, told.route))
        take(arg, &told);
    return t->err;
}

enum err figure_place_units(struct figure_scope *s, struct txn *t, const struct figure_place *p,
                            figure_take *take, void *arg)
{
    switch (p->source) {
    case FIGURES_OF_POINT:
        return point_units(s, t, p, take, arg);
    case FIGURES_OF_BILL:
        return bill_units(s, t, p, take, arg);
    case FIGURES_OF_ROUTE:
        return p->id < s->route_count && s->routes[p->id].known && figure_route_wanted(s, p->id)
                   ? figures_of_route(s, t, p->id, take, arg)
                   : ERR_OK;
    default:
        return order_units(s, t, p, take, arg);
    }
}
