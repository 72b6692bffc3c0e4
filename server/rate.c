#include "server/rate.h"

#include <stdlib.h>

#define SET 4

struct cell {
    uint64_t who;
    uint64_t full_us; /* when the bucket is full again; past = full now */
};

struct set {
    struct cell cell[SET];
};
_Static_assert(sizeof(struct set) == 64, "one cache line");

struct rate {
    struct set *sets;
    void *memory; /* that they stand in: pages are taken as buckets are used */
    uint64_t mask;
    uint64_t step_us, depth_us; /* one request; a burst */
};

enum err rate_new(uint32_t per_s, uint32_t burst, unsigned bits, struct rate **out)
{
    struct rate *r = (struct rate *)calloc(1, sizeof *r);
    size_t sets = ((size_t)1 << bits) / SET;

    if (!r)
        return ERR_NO_MEMORY;
    if (per_s) {
        r->memory = calloc(sets + 1, sizeof *r->sets);
        if (!r->memory) {
            free(r);
            return ERR_NO_MEMORY;
        }
        r->sets = (struct set *)((uint8_t *)r->memory + (-(uintptr_t)r->memory & 63));
        r->step_us = per_s < 1000000 ? 1000000 / per_s : 1;
        r->depth_us = r->step_us * (burst ? burst : 1);
    }
    r->mask = sets - 1;
    *out = r;
    return ERR_OK;
}

void rate_free(struct rate *r)
{
    if (!r)
        return;
    free(r->memory);
    free(r);
}

void rate_prefetch(const struct rate *r, uint64_t who)
{
    if (r->sets)
        __builtin_prefetch(&r->sets[who & r->mask], 1);
}

uint32_t rate_take(struct rate *r, uint64_t who, uint64_t now_us)
{
    struct set *set;
    struct cell *c;
    uint64_t full_us;

    if (!r->sets)
        return 0;
    set = &r->sets[who & r->mask];
    c = &set->cell[0];
    for (int i = 0; i < SET; i++) {
        if (set->cell[i].who == who) {
            c = &set->cell[i];
            break;
        }
        if (set->cell[i].full_us < c->full_us)
            c = &set->cell[i];
    }
    full_us = c->who == who && c->full_us > now_us ? c->full_us : now_us;
    if (full_us + r->step_us > now_us + r->depth_us)
        return (uint32_t)((full_us + r->step_us - now_us - r->depth_us) / 1000000 + 1);
    *c = (struct cell){ .who = who, .full_us = full_us + r->step_us };
    return 0;
}
