#include "server/scope.h"

#include "server/sample.h"

#define TREE_DEPTH_MAX 32 /* as the register has it */

struct scope scope_of(const char *org)
{
    return (struct scope){ .org = org };
}

static bool is_whole(const struct scope *s)
{
    return !s->org[0];
}

static void keep(char to[64], struct span name, bool *known)
{
    *known = name.len < 64;
    if (!*known)
        return;
    if (name.len)
        memcpy(to, name.at, name.len);
    to[name.len] = 0;
}

/* ---- units and routes ---- */

static bool climb(struct scope *s, struct txn *t, struct span org)
{
    struct ledger_row row;

    for (unsigned depth = 0; org.len && depth <= TREE_DEPTH_MAX; depth++) {
        if (span_equal(org, span_text(s->org)))
            return true;
        if (!ledger_find(t, LIST_ORG, org, INT64_MAX, &row))
            return false;
        org = ledger_cell(&row, CELL_ORG_parent);
    }
    return false;
}

bool scope_org(struct scope *s, struct txn *t, struct span org)
{
    if (is_whole(s))
        return true;
    if (s->unit_known && span_equal(org, span_text(s->unit)))
        return s->unit_in;
    keep(s->unit, org, &s->unit_known);
    s->unit_in = climb(s, t, org) && !t->err;
    return s->unit_in;
}

static bool route_in(struct scope *s, struct txn *t, struct span route)
{
    struct ledger_row row;

    if (s->route_known && span_equal(route, span_text(s->route)))
        return s->route_in;
    keep(s->route, route, &s->route_known);
    s->route_in = route.len && ledger_find(t, LIST_ROUTE, route, INT64_MAX, &row) &&
                  scope_org(s, t, ledger_cell(&row, CELL_ROUTE_org));
    return s->route_in;
}

bool scope_point(struct scope *s, struct txn *t, uint32_t point)
{
    struct ledger_row row;

    if (is_whole(s))
        return true;
    return ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) &&
           route_in(s, t, ledger_cell(&row, CELL_POINT_route));
}

/* ---- meters ---- */

/* Inside, by the name in a cell; what nobody registered belongs to nobody. */
static bool owner_in(struct scope *s, struct txn *t, enum list_kind of, struct span name)
{
    struct ledger_row row;

    if (of == LIST_ORG)
        return scope_org(s, t, name);
    if (of == LIST_ROUTE)
        return route_in(s, t, name);
    return ledger_find(t, of, name, INT64_MAX, &row) && scope_row(s, t, &row);
}

/* Who has a meter that is nowhere fitted: the crew that it was issued to last, unless something moved
 * it since; the depot that was told last. */
struct holder {
    char crew[64], depot[64];
    bool issued;
};

static void copy(char to[64], struct span name)
{
    bool fits;

    keep(to, name, &fits);
    if (!fits)
        to[0] = 0;
}

static bool follow(void *arg, const struct life_event *e)
{
    struct holder *h = (struct holder *)arg;

    if (e->kind != EVENT_INSPECT)
        h->issued = e->kind == EVENT_ISSUE;
    if (e->kind == EVENT_ISSUE)
        copy(h->crew, e->text[EVENT_CREW]);
    if (e->text[EVENT_DEPOT].len)
        copy(h->depot, e->text[EVENT_DEPOT]);
    return true;
}

static bool held_in(struct scope *s, struct txn *t, const struct ledger_row *meter, bool *out_told)
{
    struct holder h = { 0 };
    const char *name;

    copy(h.depot, ledger_cell(meter, CELL_METER_depot));
    if (ledger_events(t, meter->id, follow, &h))
        return false;
    name = h.issued && h.crew[0] ? h.crew : h.depot;
    *out_told = *name != 0;
    return owner_in(s, t, name == h.crew ? LIST_CREW : LIST_DEPOT, span_text(name));
}

bool scope_meter(struct scope *s, struct txn *t, const struct ledger_row *meter)
{
    struct fittings fittings;
    const struct fitting *last;
    bool in = false, told = false;

    if (is_whole(s))
        return true;
    if (fittings_load(t, false, meter->id, &fittings)) {
        fittings_done(&fittings);
        return false;
    }
    last = fittings.count ? &fittings.at[fittings.count - 1] : NULL;
    if (!last || last->to_s != FITTING_OPEN)
        in = held_in(s, t, meter, &told);
    if (!told && last)
        in = scope_point(s, t, last->point);
    fittings_done(&fittings);
    return in && !t->err;
}

/* ---- rows ---- */

/* The lists whose rows a row of `list` may belong to, by its cells; the first that is told decides. */
static const struct owner {
    enum list_kind list;
    int place;
    enum list_kind of;
} owners[] = {
    { LIST_ORG, CELL_ORG_org, LIST_ORG },
    { LIST_ROUTE, CELL_ROUTE_org, LIST_ORG },
    { LIST_POINT, CELL_POINT_route, LIST_ROUTE },
    { LIST_BOUNDARY, CELL_BOUNDARY_point, LIST_POINT },
    { LIST_MODEM, CELL_MODEM_serial, LIST_METER },
    { LIST_SEAL, CELL_SEAL_point, LIST_POINT },
    { LIST_SEAL, CELL_SEAL_serial, LIST_METER },
    { LIST_SEAL, CELL_SEAL_crew, LIST_CREW },
    { LIST_DEPOT, CELL_DEPOT_org, LIST_ORG },
    { LIST_CREW, CELL_CREW_org, LIST_ORG },
    { LIST_ORDER, CELL_ORDER_point, LIST_POINT },
    { LIST_ORDER, CELL_ORDER_serial, LIST_METER },
    { LIST_PAPER, CELL_PAPER_depot, LIST_DEPOT },
    { LIST_PAPER, CELL_PAPER_crew, LIST_CREW },
};

bool scope_row(struct scope *s, struct txn *t, const struct ledger_row *row)
{
    bool owned = false;

    if (is_whole(s))
        return true;
    if (row->list == LIST_METER)
        return scope_meter(s, t, row);
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        const struct owner *o = &owners[i];
        struct span name =
            o->list == row->list ? ledger_cell(row, (unsigned)o->place) : (struct span){ 0 };

        if (name.len)
            return owner_in(s, t, o->of, name) && !t->err;
        owned = owned || o->list == row->list;
    }
    return !owned;
}

bool scope_named(struct scope *s, struct txn *t, enum list_kind kind, struct span name)
{
    struct ledger_row row;

    if (is_whole(s) || !name.len)
        return true;
    if (!ledger_find(t, kind, name, INT64_MAX, &row))
        return !t->err;
    return scope_row(s, t, &row);
}

static bool nobody_has(const struct ledger_row *row)
{
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
        if (owners[i].list == row->list && ledger_cell(row, (unsigned)owners[i].place).len)
            return false;
    return row->list == LIST_SEAL || row->list == LIST_MODEM;
}

bool scope_may_take(struct scope *s, struct txn *t, enum list_kind kind, struct span name)
{
    struct ledger_row row;

    if (is_whole(s) || !name.len)
        return true;
    if (!ledger_find(t, kind, name, INT64_MAX, &row))
        return !t->err;
    return nobody_has(&row) || scope_row(s, t, &row);
}

bool scope_lot(struct scope *s, struct txn *t, struct span batch)
{
    struct index_walk w = lot_meters(t, batch);
    struct ledger_row meter;
    bool in = true;

    while (in && !is_whole(s) && index_next(&w))
        in = ledger_by_id(t, LIST_METER, w.value, INT64_MAX, &meter) && scope_meter(s, t, &meter);
    index_done(&w);
    return in && !t->err;
}
