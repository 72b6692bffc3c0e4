/* What the detectors share. For server/detect only. */
#ifndef NILO_SERVER_DETECT_PRIV_H
#define NILO_SERVER_DETECT_PRIV_H

#include "server/detect/detect.h"

_Static_assert((STUCK_STATE | (LEAK_STATE + BURST_STATE) | FLOW_STATE) % 8 == 0, "aligned");

/* stuck.c: whether a flag of one standstill is open in its state. */
bool stuck_holds(const void *state);

#define DAY_S 86400
#define HOUR_S 3600

/* A household's meter: few people, who sleep and go away. Others keep their own hours. */
static inline bool place_is_household(const struct judge_place *p)
{
    return p->meter->dn_mm < 40 &&
           (p->point->use == USE_RESIDENTIAL || p->point->use == USE_UNKNOWN);
}

#endif
