/* What so many changes, or so much money, bring: a choice among the lines of a ranking.  Pure; money in thousandths of the currency, water in ml a day.
 *
 * A count of changes takes those with the largest benefit, which is the best that so many can bring.  A sum of money takes them by benefit per cost and passes over what no longer fits: the
 * knapsack's greedy, which falls short of the best by less than the benefit of one change; where all cost the same it is the best.  Lines without a benefit are never taken.
 * Equals stand in the order of the ranking, so that the same question has the same answer. */
#ifndef NILO_SERVER_FLEET_BUDGET_H
#define NILO_SERVER_FLEET_BUDGET_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_duty { DUTY_NONE, DUTY_SOON, DUTY_OVER }; /* the legal date: far or unknown, within the horizon, over */

struct budget_line { /* in the order of the ranking */
    int64_t benefit, cost;
    int64_t money_month, lost_mlpd; /* times their confidence: what a change recovers on the average */
    enum budget_duty duty;
    uint32_t zone; /* any number */
};

struct budget_limit {
    bool of_money; /* else of changes */
    int64_t most;
};

struct budget_sum {
    size_t changes, over, soon; /* over, soon: with these duties */
    int64_t cost, benefit, money_month, lost_mlpd;
};
void budget_add(struct budget_sum *sum, const struct budget_line *line);

struct budget_place {
    uint32_t place; /* in `lines` */
    bool taken;
    double density; /* benefit per cost */
};

/* Writes to `order`, which has room for `count`, the lines that have a benefit: first the *out_taken that the limit takes, in the order in which they are taken, then the others in the order in which more
 * would take them. Returns how many it wrote. */
size_t budget_choose(const struct budget_line *lines, size_t count, const struct budget_limit *limit, struct budget_place *order, size_t *out_taken);

/* The points of the curve: 100, 200, 500, 1000, …; 0 comes before the first. */
size_t budget_step(size_t before);

#endif
