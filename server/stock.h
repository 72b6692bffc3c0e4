/* How many meters lie where: counts by holder, model, size, state and legal due date, kept with every change of a meter's life, so that
 * stock of millions is a walk over some hundred keys.
 *
 * INDEX_STOCK   holder kind u8 · holder 00 · model 00 · dn u32 · q3 u64 · state u8 · legal due u32 → meters */
#ifndef NILO_SERVER_STOCK_H
#define NILO_SERVER_STOCK_H

#include "proto/life.h"
#include "storage/ledger.h"

#define STOCK_HOLDER_MAX 63 /* of a longer name the beginning */
#define STOCK_MODEL_MAX 120

struct stock_place {
    char kind; /* 'c' a crew, 'd' a depot, '-' nobody is told */
    struct span holder, model;
    int32_t dn_mm;
    int64_t q3_lph;
    enum life_state state;
    int32_t due; /* the last day in date; NO_DAY */
};

/* States in which somebody of the utility holds a meter that is at no point. */
#define STOCK_STATES                                                                                                                        \
    (LIFE_BIT(LIFE_RECEIVED) | LIFE_BIT(LIFE_VERIFIED) | LIFE_BIT(LIFE_REJECTED) | LIFE_BIT(LIFE_IN_STOCK) | LIFE_BIT(LIFE_ISSUED) |        \
     LIFE_BIT(LIFE_REMOVED) | LIFE_BIT(LIFE_AT_LAB) | LIFE_BIT(LIFE_RETIRED))

struct key stock_key(const struct stock_place *p); /* of INDEX_STOCK */

/* One meter comes (1) or goes (-1); states that are no stock change nothing. Errors stick in a->txn. */
void stock_moves(struct act *a, const struct stock_place *p, int by);

struct stock_walk {
    struct index_walk walk;
    struct stock_place place; /* views into walk.key */
    uint32_t meters;
    struct span group; /* the key without its date */
};
/* In the order of the key; kind 0: all holders. `after`: a group, empty: from the first. */
struct stock_walk stock_walk(struct txn *t, char kind, struct span holder, struct span after);
bool stock_next(struct stock_walk *w); /* false: the end, or t->err */
void stock_done(struct stock_walk *w);

#endif
