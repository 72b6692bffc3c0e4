/* Which flags a crew is sent for.  Pure.
 *
 * A visit costs, and one for nothing costs trust. Of a meter's flags one goes on the list, the one that is worth most; a flag stays off it that
 *   unsure     is less sure than `order_from` of its rule (server/detect/rules.def)
 *   explained  another flag of the meter explains (a burst its leak, the wrong way round its slowness), or what befell many at once (an outage)
 *   small      is a leak below `order_least_lph`: the customer is told
 *   no-visit   needs none: a clock is set from here; size and dates are planned by other lists
 * What a person confirmed is sure. */
#ifndef NILO_SERVER_DETECT_FIELD_H
#define NILO_SERVER_DETECT_FIELD_H

#include "server/detect/detect.h"

enum field_why { FIELD_GO, FIELD_UNSURE, FIELD_EXPLAINED, FIELD_SMALL, FIELD_NO_VISIT, FIELD_WHYS };
const char *field_why_name(enum field_why w); /* "go" */

/* What is asked of the crew. */
enum field_act { FIELD_ACT_NONE, FIELD_ACT_INSPECT, FIELD_ACT_REPLACE };
enum field_act field_act(enum detect_rule r, bool confirmed);

struct field_flag {
    enum detect_rule rule;
    const struct verdict *verdict;
    bool confirmed;
    bool of_many; /* it is part of an outage */
};
/* `others`: a set of 1 << enum detect_rule, of the meter's flags that stand open besides. */
enum field_why field_why(const struct field_flag *f, const struct detect_rules *rules, uint32_t others);
/* The kind among `others` that explains a flag of kind `r`; -1: none does. */
int field_explains(enum detect_rule r, uint32_t others);

/* What a day's delay is expected to cost, for the order of the list: loss (ml a day) × price of a m³ (thousandths of the currency) × confidence, in thousandths of the currency a month of 30 days. */
int64_t field_money_month(const struct verdict *v, bool confirmed, int64_t price_m3);

#endif
