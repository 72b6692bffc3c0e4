/* How the detectors share a meter's DETECTORS_STATE bytes. For server/detect only. */
#ifndef NILO_SERVER_DETECT_PRIV_H
#define NILO_SERVER_DETECT_PRIV_H

#include "server/detect/detect.h"

#define STUCK_STATE 80
#define LEAK_STATE 88
#define REVERSED_STATE 88

_Static_assert(STUCK_STATE + LEAK_STATE + REVERSED_STATE <= DETECTORS_STATE, "one meter's room");
_Static_assert((STUCK_STATE | LEAK_STATE | REVERSED_STATE) % 8 == 0, "aligned");

#define DAY_S 86400
#define HOUR_S 3600

/* A household's meter: few people, who sleep and go away. Others keep their own hours. */
static inline bool place_is_household(const struct judge_place *p)
{
    return p->meter->dn_mm < 40 &&
           (p->point->use == USE_RESIDENTIAL || p->point->use == USE_UNKNOWN);
}

#endif
