/* The ranking of meters to be changed: what a change now brings against what it costs, in money of today (handbook 6.3; net present value).
 *
 *     money a month   loss a month of 30 days × price of a m3 of the use class × confidence
 *     months          how long the fault would go on: until the legal date (then the meter goes anyway), within the bounds of the table
 *     worth           money × (1 − v^months) / (1 − v) × v,  v = 1 / (1 + rate / 12): paid at the ends of months
 *     credit          of a meter that the law takes within the horizon anyway: the cost, paid only a little earlier: cost × v^(months to the date)
 *     duty            of one whose date is over: an amount at once and one for each month over
 *     benefit         worth + credit + duty − cost
 *
 * All figures are data (defaults.h, list of prices).  Pure; money in thousandths of the currency, water in ml. */
#ifndef NILO_SERVER_FLEET_REPLACE_H
#define NILO_SERVER_FLEET_REPLACE_H

#include "server/fleet/condition.h"

#define REPLACE_MONTH_DAYS 30

struct replace_facts {
    uint32_t meter;
    int32_t dn_mm;
    enum use_class use;
    int64_t lost_mlpd; /* best guess; 0: no loss was detected */
    unsigned confidence_pct;
    int32_t legal_due, condition_due; /* NO_DAY: none */
    int32_t today;
};

struct replace_figures {
    int64_t money_month; /* what is lost, before confidence */
    int64_t cost, benefit;
    int32_t months;         /* that the loss is reckoned for */
    int32_t payback_tenths; /* months until the loss avoided has paid for the change, in tenths; −1: it never does */
    int32_t days_over;      /* of the legal date; 0 or below: not over */
};

void replace_reckon(const struct fleet_rules *rules, const struct replace_facts *f, struct replace_figures *out);

/* Before (below 0) or behind: by benefit, then loss, then the earlier legal date, then the meter's id. */
struct replace_rank {
    int64_t benefit, lost_mlpd;
    int32_t legal_due;
    uint32_t meter;
};
int replace_order(const struct replace_rank *a, const struct replace_rank *b);

/* What speaks for the change, a part each, as words that a person can check; nothing is written where it says nothing: a legal date or one by condition beyond the horizon, no loss. */
bool replace_is_legal(const struct fleet_rules *rules, const struct replace_facts *f);  /* over, or ends within the horizon */
bool replace_is_worn(const struct fleet_rules *rules, const struct replace_facts *f);   /* likewise by condition */
void replace_say_legal(const struct replace_facts *f, const struct replace_figures *x, struct wr *en, struct wr *zh);
void replace_say_condition(const struct condition *c, struct wr *en, struct wr *zh);
void replace_say_loss(const struct fleet_rules *rules, const struct replace_facts *f, const struct replace_figures *x, struct wr *en, struct wr *zh);
void replace_say_cost(const struct fleet_rules *rules, const struct replace_figures *x, struct wr *en, struct wr *zh);

#endif
