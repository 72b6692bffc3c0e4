/* What server/fleet/life.c and life_judge.c share: a life with one more event in it, without copying it. */
#ifndef NILO_SERVER_FLEET_LIFE_PRIV_H
#define NILO_SERVER_FLEET_LIFE_PRIV_H

#include "server/fleet/life.h"

struct life_view {
    const struct life_meter *meter;
    const struct life_event *events;
    size_t count;                   /* without `extra` */
    const struct life_event *extra; /* stands at `place`; NULL: there is none */
    size_t place;
};

static inline size_t view_count(const struct life_view *v)
{
    return v->count + (v->extra != NULL);
}

static inline const struct life_event *view_at(const struct life_view *v, size_t i)
{
    if (!v->extra || i < v->place)
        return &v->events[i];
    return i == v->place ? v->extra : &v->events[i - 1];
}

void view_legal(const struct life_view *v, int32_t day, int64_t known_s, struct legal *out); /* as life_legal */
int32_t event_day(const struct life_meter *m, const struct life_event *e);                   /* the civil day of its `at` */
int32_t event_verified_on(const struct life_meter *m, const struct life_event *e);           /* of a `verify` (T1) */

#endif
