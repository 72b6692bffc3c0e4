/* Figures of a month over the whole store (server/billing/figures.h has what they are): walked, counted by route and summed up the tree of org units, kept while nothing changes, and frozen.
 *
 *     points, bills, days of routes, orders (a slice a transaction) → units → groups by route → org units, all
 *
 * A point counts for the route on which it stands as known now, a route for its org unit, and those for the units above them; what stands on no route counts for all alone.
 * A closed month is what was counted then: its groups lie in the ledger, with a digest over their lines
 *
 *     MONTH KIND NAME FIGURE NUMERATOR DENOMINATOR[ REASON=COUNT]… \n      such as "2026-03 r R-1 days-read 310 310 no-meter=2"
 *
 * in the order of kind (a, o, r), name and table; NAME is - for all.
 *
 *   figures_take, figures_give_back   any thread that may wait */
#ifndef NILO_SERVER_FIGURES_H
#define NILO_SERVER_FIGURES_H

#include "server/app.h"
#include "server/billing/figures.h"

#define FIGURE_NAME 64
#define FIGURE_ROUTES_MAX 100000 /* of a hundred points each, ten millions; 2 KB each while they are counted */

/* ---- a walk over what is counted ---- */

struct figure_scope;

/* What a walk needs of the register, as it is now. `org` and `route` ("": all) bound it to what counts for them. NOT_FOUND: no such org unit or route; NO_MEMORY, LIMIT, CORRUPT, IO. */
MUST_CHECK enum err figure_scope_new(struct app *app, const struct figure_month *m, const char *org, const char *route, struct figure_scope **out);
void figure_scope_free(struct figure_scope *s); /* NULL is fine */

/* Where a walk stands: the thing at hand. */
struct figure_place {
    enum figure_source source;
    uint32_t id, cycle;     /* of a point, a route; of a bill its point and cycle */
    char name[FIGURE_NAME]; /* of a bill's point, an order */
};
void figure_place_write(struct wr *w, const struct figure_place *p);
MUST_CHECK enum err figure_place_read(struct rd *r, struct figure_place *out); /* MALFORMED */

/* To the next thing behind `p` (zeroed but for its source: to the first). False: there is none, or t->err. */
bool figure_place_next(struct figure_scope *s, struct txn *t, struct figure_place *p);

/* A unit with what it is about. Texts are borrowed for the call. */
struct figure_told {
    const struct figure_case *unit;
    struct span point, account, what; /* empty: none; `what`: a cycle, an order, the level of a re-read */
    uint32_t route;                   /* id; 0: none */
};
typedef void figure_take(void *arg, const struct figure_told *told);

/* The units of the thing at hand, nothing where it counts for others than the scope's. */
MUST_CHECK enum err figure_place_units(struct figure_scope *s, struct txn *t, const struct figure_place *p, figure_take *take, void *arg);

/* Names of a route and its org unit; "" where there is none. Good as long as the scope. */
const char *figure_route_name(const struct figure_scope *s, uint32_t route);
const char *figure_route_org(const struct figure_scope *s, uint32_t route);

/* ---- a whole month ---- */

struct figure_sum {
    char kind;              /* 'a' all, 'o' an org unit, 'r' a route */
    char name[FIGURE_NAME]; /* "": all */
    char org[FIGURE_NAME];  /* of a route; "": none */
    uint8_t level;          /* of an org unit: an enum figure_level */
    struct figure_group group;
};
enum figure_level { LEVEL_NONE, LEVEL_COMPANY, LEVEL_BRANCH, LEVEL_TEAM, FIGURE_LEVELS };
const char *figure_level_name(const struct figure_sum *s); /* all, route, company, branch, team; an org unit without a level: org */

struct figures {
    struct figure_month month;
    int64_t at_s; /* the clock when it was counted */
    size_t count;
    struct figure_sum *sums; /* by kind, then name */
    /* for those that keep it */
    uint64_t acts, position;
    int64_t made_ms, took_ms;
    unsigned holders;
};

struct figures_kept;
MUST_CHECK enum err figures_kept_new(struct figures_kept **out);
void figures_kept_free(struct figures_kept *k); /* nobody holds any more; NULL is fine */

/* Counts the month, at low priority, or gives what was counted while nothing has changed since. STOPPING, NO_MEMORY, LIMIT, what reading gives. Give it back. */
MUST_CHECK enum err figures_take(struct app *app, const struct figure_month *m, const struct figures **out);
void figures_give_back(struct app *app, const struct figures *f); /* NULL is fine */

/* The sum of that kind and name; NULL: there is none. */
const struct figure_sum *figures_find(const struct figures *f, char kind, struct span name);

/* ---- a closed month ---- */

void figure_sum_write(struct wr *w, const struct figure_sum *s);
#define FIGURE_SUM_ROOM (FIGURE_GROUP_ROOM + FIGURE_NAME + 8)
MUST_CHECK enum err figure_sum_read(char kind, struct span name, struct span bytes, struct figure_sum *out); /* CORRUPT */

/* A closed month as it was frozen; `out->at_s` is when. Free with figures_free. NOT_FOUND: it is not closed; CORRUPT, NO_MEMORY, LIMIT, IO. */
MUST_CHECK enum err figures_closed(struct app *app, const struct figure_month *m, struct ledger_month *out_row, struct figures **out);
void figures_free(struct figures *f); /* of figures_closed and figures_make alone; NULL is fine */
/* Counts anew, whatever is kept. As figures_take; free with figures_free. */
MUST_CHECK enum err figures_make(struct app *app, const struct figure_month *m, struct figures **out);

/* SHA-256 of the month's lines. NO_MEMORY. */
MUST_CHECK enum err figures_digest(const struct figures *f, uint8_t out[32]);

/* ---- closing by rule ---- */

struct figures_keeper;
/* From `day` (1 to 28) of a month on the month before is closed by itself. NO_MEMORY: then it is to be closed all the same. */
MUST_CHECK enum err figures_keeper_start(struct app *app, int32_t day, struct figures_keeper **out);
void figures_keeper_close(struct figures_keeper *k); /* NULL is fine */
MUST_CHECK enum err figures_keep(struct figures_keeper *k); /* what is due now; NULL: nothing. As figures_take. Any thread that may wait */

/* Writes the groups and the month's row, which it gives. Errors stick in the act. */
void figures_freeze(struct act *act, const struct figures *f, struct ledger_month *out);

#endif
