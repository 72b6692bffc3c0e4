/* What reversed.c, backflow.c and selfturn.c remember of one meter's back flow: FLOW_STATE bytes together, zeroed at the start of a
 * fitting.  backflow and selfturn take a step first, reversed last: it alone turns the day.  For server/detect only. */
#ifndef NILO_SERVER_DETECT_BACK_H
#define NILO_SERVER_DETECT_BACK_H

#include "server/detect/detect_priv.h"

/* Millilitres in two bytes: 11 bits times a power of two. Exact up to 2 047, then to one part in 2 048; nothing that flows through a
 * pipe is too much for it. */
uint16_t packed_ml(float ml);
float unpacked_ml(uint16_t packed);

enum {
    BACK_HAD_FORWARD = 1,  /* it ran forward for more than it ran back */
    BACK_FALLS = 2,        /* one register that cannot fall, and falls */
    BACK_BOTH = 4,         /* a reverse register counts */
    BACK_REVERSED = 8,     /* the flags that stand: reversed, */
    BACK_EVENT = 16,       /* backflow, */
    BACK_SELFTURN = 32,    /* selfturn */
    BACK_PERSISTS = 64     /* the back flow at hand is no single event */
};

#define BACK_NIGHTS 15

struct back {
    float forward_since, back_since; /* ml since onset_s */
    uint32_t onset_s;                /* the first back flow that no forward flow made up for; 0: none */
    uint32_t event_s;                /* since when it runs back without a pause; 0: it does not */
    uint16_t today_forward, today_back; /* packed, of `day` */
    uint16_t signs;                     /* of the seven days before, 2 bits each, the newest lowest: enum day_sign */
    uint16_t day;                       /* civil day, since 1970; 0: nothing yet */
    uint16_t event_back, event_forward; /* packed, since event_s */
    uint16_t last_forward, last_from;   /* the newest step forward (of a net register with those just before it): packed ml, low half of its from_s */
    uint16_t night_forward, night_back; /* packed, of about eight nights: selfturn.c */
    uint16_t nights;                    /* those in which it ran back, the newest lowest */
    uint8_t flags;
    uint8_t told_days : 3;   /* of reversed */
    uint8_t quiet_days : 3;  /* since the last event */
    uint8_t event_steps : 2; /* of the event at hand */
};
_Static_assert(sizeof(struct back) == FLOW_STATE, "no hidden bytes on disk");

enum day_sign { DAY_NONE, DAY_FORWARD, DAY_BACK, DAY_MIXED };

static inline enum day_sign back_day(const struct back *b, unsigned days_ago) /* 1 to 7 */
{
    return (enum day_sign)(b->signs >> 2 * (days_ago - 1) & 3);
}

/* The step runs back, and by how much; a fall of a register that cannot fall is none for the smaller kinds. */
static inline bool step_is_back(const struct judge_step *step)
{
    return step->used_ml != 0 && step->reverse != (step->used_ml < 0);
}
static inline int64_t step_ml(const struct judge_step *step)
{
    return step->used_ml < 0 ? -step->used_ml : step->used_ml;
}

/* Between zones water may flow either way. */
static inline bool place_has_direction(const struct judge_place *p)
{
    return p->point->use != USE_ZONE_INLET && p->point->use != USE_ZONE_OUTLET;
}

#endif
