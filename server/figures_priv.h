/* What figures*.c share. */
#ifndef NILO_SERVER_FIGURES_PRIV_H
#define NILO_SERVER_FIGURES_PRIV_H

#include "server/figures.h"
#include "server/point_use.h"

struct figure_route {
    bool known, wanted;
    char name[FIGURE_NAME];
    uint32_t org;      /* place in `orgs`, from 1; 0: none */
    uint32_t due;      /* days of the month */
};

struct figure_org {
    char name[FIGURE_NAME], parent_name[FIGURE_NAME];
    uint32_t parent; /* place, from 1; 0: none */
    uint8_t level;
    bool wanted;
};

struct figure_cycle {
    uint32_t id;
    int64_t from_s, to_s;
    char name[CYCLE_NAME_MAX + 1];
};

struct figure_scope {
    struct app *app;
    struct figure_month month;
    int64_t now_s;
    bool bounded; /* some of all alone are wanted */
    uint32_t last_point;
    struct figure_route *routes; /* by id */
    uint32_t route_count;        /* the highest id + 1 */
    struct figure_org *orgs;     /* by name */
    uint32_t org_count;
    struct figure_cycle *cycles; /* closed ones whose last second lies in the month, by id */
    size_t cycle_count;
    /* the route asked for last */
    char route_asked[FIGURE_NAME];
    uint32_t route_found;
    struct point_use use; /* for points whose use must be counted */
    struct figure_loads *loads;
};

/* figures_point.c: the units of a point; its row is a view into `t`. */
MUST_CHECK enum err figures_of_point(struct figure_scope *s, struct txn *t, const struct ledger_row *row, uint32_t route, figure_take *take, void *arg);
void figure_loads_free(struct figure_loads *l); /* NULL is fine */

/* figures_route.c: the units of a route's days. */
MUST_CHECK enum err figures_of_route(struct figure_scope *s, struct txn *t, uint32_t route, figure_take *take, void *arg);

static inline struct span figure_cell(const struct ledger_row *row, unsigned place)
{
    return place < row->count ? row->cells[place] : (struct span){ 0 };
}

/* figures.c: the route's id by its name; 0: none. Errors stick in `t`. */
uint32_t figure_route_of(struct figure_scope *s, struct txn *t, struct span route);
bool figure_route_wanted(const struct figure_scope *s, uint32_t route);
/* The day of the month that holds an instant, from 0; -1: outside. */
int figure_day_of(const struct figure_month *m, int64_t at_s);

#endif
