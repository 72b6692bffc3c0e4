/* Day lists of crews: orders that are walked one after the other.  A list is nothing but its orders' `tour` and `stop`, so that it lives, is exported and has its history with them;
 * what it is for stands in its name, "T-2026-03-02-0007": the day and a number within the day, given once.
 *
 * INDEX_ORDERS ('t' and 'c' of server/orders.h tell which there are)
 *     'T' day 00                                   → u32 the last number that was given for that day
 *
 * Any number of threads read; giving a number is part of an act. */
#ifndef NILO_SERVER_TOURS_H
#define NILO_SERVER_TOURS_H

#include "server/fleet/tour.h"
#include "server/judge.h"
#include "server/orders.h"

#define TOUR_NAME_SIZE 24
void tour_name(int32_t day, uint32_t number, char out[TOUR_NAME_SIZE]);
bool tour_day(struct span name, int32_t *out_day); /* false: no name of a list */

/* The next name of that day. Errors stick in a->txn. */
void tour_next(struct act *a, int32_t day, char out[TOUR_NAME_SIZE]);

/* ---- what a stop is about ---- */

/* Where an order's point is. */
struct tour_point {
    bool known;                            /* its row is there */
    bool placed;                           /* it has coordinates */
    struct tour_place at;
    struct span account, address, phone, route, zone; /* views; empty: not told */
    int64_t seq;                           /* INT64_MAX: not told */
    uint32_t id;
};
void tour_point(struct txn *t, struct span name, struct tour_point *out_view); /* errors stick in t */

/* ---- lists there are ---- */

/* Names of lists in their order, of one day (NO_DAY: of all) and of one assignee (empty: of anybody), after the one named `after`. */
struct tour_walk {
    struct txn *txn;
    struct key prefix;
    char after[TOUR_NAME_SIZE]; /* the one before; "": none */
    char name[TOUR_NAME_SIZE];  /* of the one at hand */
    size_t skip;                /* bytes of the prefix before the name */
};
struct tour_walk tours_of(struct txn *t, int32_t day, struct span assignee, struct span after);
bool tour_walk_next(struct tour_walk *w); /* false: the end, or t->err */

/* What is left to do on a list. */
struct tour_sum {
    uint32_t stops, left, late, unplaced;
    double metres;    /* between the stops with coordinates */
    uint32_t minutes; /* on foot and at work, of all stops */
    char assignee[64], point[64]; /* of its first stop */
};
void tour_sum(struct app *app, struct txn *t, struct span name, struct tour_sum *out);

/* ---- one list, stop by stop ---- */

struct tour_shown {
    struct order order; /* views */
    struct tour_point place;
    uint32_t number;       /* of the stop, from 1 without holes */
    struct span serial;    /* of the meter the order is about: its own, else the one fitted there now */
    int32_t dn_mm;         /* 0: not known */
    const struct flag *flag; /* that it was made for; NULL: none */
    const char *text_en, *text_zh; /* why it was made: the flag's sentence, else the rule's, else the order's reason; NULL: nothing was said */
    /* The newest reading of the meter's billed channel, which the crew compares; never of an order to read, who is to read without knowing it (无底度抄表). */
    bool has_last;
    int64_t last_ml, last_s;
    double leg_m; /* from the stop with coordinates before; below 0: not known */
};
/* Calls `each` for the stops in their order; false from it ends the walk. NOT_FOUND: nothing stands on such a list. */
MUST_CHECK enum err tour_each(struct app *app, struct txn *t, struct span name, bool (*each)(void *arg, const struct tour_shown *s), void *arg);

#endif
