/* Verdicts of what is found of a house: the kinds `swapped`, and `slow` behind a building's meter. Pure. */
#ifndef NILO_SERVER_DETECT_HOUSE_H
#define NILO_SERVER_DETECT_HOUSE_H

#include "server/detect/balance.h"
#include "server/detect/swapped.h"

/* `other`, `building`: dense ids of the meters that the evidence names. `first`: of the finding's first meter, else of its second. */
void house_swapped_verdict(const struct swapped_finding *f, bool first, uint32_t other, struct verdict *out);
void house_slow_verdict(const struct balance_finding *f, uint32_t building, struct verdict *out);
bool is_slow_in_house(const struct verdict *v); /* its evidence is that of house_slow_verdict */
void house_slow_explain(const struct verdict *v, const struct judge_place *p, struct wr *text_en, struct wr *text_zh);

#endif
