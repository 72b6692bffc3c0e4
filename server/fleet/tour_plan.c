/* Which stops one day's list holds. */
#include "server/fleet/tour.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METRES_DEGREE 111195.08 /* of a great circle on the sphere of tour.h */
#define RADIANS (3.14159265358979323846 / 180)

/* A stop on a plane in metres (true to scale at the mean latitude), for areas alone. */
struct member {
    double x, y;
    int64_t seq;
    uint32_t stop, route, group;
    bool placed;
};

struct group {
    double x, y; /* sums over the placed */
    uint32_t count, placed;
    uint32_t into; /* the group that it joined; itself: none */
    bool settled;  /* nothing to join is near */
};

struct plan {
    const struct tour_rules *rules;
    struct member *member;
    struct group *group;
    size_t count;
    uint32_t groups;
};

/* ---- on the plane ---- */

static void lay_out(struct plan *p, const struct tour_stop *stops)
{
    double north = 0;
    size_t placed = 0;

    for (size_t i = 0; i < p->count; i++)
        if (stops[i].placed) {
            north += stops[i].at.lat;
            placed++;
        }
    north = placed ? north / (double)placed : 0;
    for (size_t i = 0; i < p->count; i++)
        p->member[i] = (struct member){ .x = stops[i].at.lon * METRES_DEGREE * cos(north * RADIANS),
                                        .y = stops[i].at.lat * METRES_DEGREE,
                                        .seq = stops[i].seq,
                                        .stop = (uint32_t)i,
                                        .route = stops[i].route,
                                        .placed = stops[i].placed };
}

static int by_place(const struct member *a, const struct member *b)
{
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->stop < b->stop ? -1 : a->stop > b->stop;
}

/* Routes, then those with coordinates, then as they stand on the route. */
static int by_route(const void *a, const void *b)
{
    const struct member *m = (const struct member *)a, *n = (const struct member *)b;

    if (m->route != n->route)
        return m->route < n->route ? -1 : 1;
    return m->placed != n->placed ? (m->placed ? -1 : 1) : by_place(m, n);
}

static int by_x(const void *a, const void *b)
{
    const struct member *m = (const struct member *)a, *n = (const struct member *)b;

    return m->x != n->x ? (m->x < n->x ? -1 : 1) : by_place(m, n);
}

static int by_y(const void *a, const void *b)
{
    const struct member *m = (const struct member *)a, *n = (const struct member *)b;

    return m->y != n->y ? (m->y < n->y ? -1 : 1) : by_place(m, n);
}

static bool is_wide(const struct member *m, size_t count)
{
    double left = m->x, right = m->x, low = m->y, high = m->y;

    for (size_t i = 1; i < count; i++) {
        left = fmin(left, m[i].x);
        right = fmax(right, m[i].x);
        low = fmin(low, m[i].y);
        high = fmax(high, m[i].y);
    }
    return right - left >= high - low;
}

/* ---- a route ---- */

/* `parts` groups of equal size (by one): no deeper than the logarithm of the parts. */
static void halve(struct plan *p, struct member *m, size_t count, uint32_t parts)
{
    size_t left;

    if (parts <= 1) {
        for (size_t i = 0; i < count; i++)
            m[i].group = p->groups;
        p->groups++;
        return;
    }
    if (count)
        qsort(m, count, sizeof *m, is_wide(m, count) ? by_x : by_y);
    left = count * (parts / 2) / parts;
    halve(p, m, left, parts / 2);
    halve(p, m + left, count - left, parts - parts / 2);
}

/* Those without coordinates fill up what the others left, in the order of the route. */
static void fill_up(struct plan *p, struct member *m, size_t placed, size_t count, uint32_t first)
{
    uint32_t parts = p->groups - first, at = first;
    size_t share = (count + parts - 1) / parts;
    size_t held = 0;

    for (size_t i = 0; i < placed; i++)
        held += m[i].group == at;
    for (size_t n = placed; n < count; n++) {
        while (held >= share && at + 1 < p->groups) {
            at++;
            held = 0;
            for (size_t i = 0; i < placed; i++)
                held += m[i].group == at;
        }
        m[n].group = at;
        held++;
    }
}

static void split_route(struct plan *p, struct member *m, size_t count)
{
    uint32_t most = p->rules->stops_most, first = p->groups;
    size_t placed = 0;

    while (placed < count && m[placed].placed)
        placed++;
    halve(p, m, placed, (uint32_t)((count + most - 1) / most));
    fill_up(p, m, placed, count, first);
}

static void split_routes(struct plan *p)
{
    size_t from = 0;

    qsort(p->member, p->count, sizeof *p->member, by_route);
    for (size_t i = 1; i <= p->count; i++)
        if (i == p->count || p->member[i].route != p->member[from].route) {
            split_route(p, p->member + from, i - from);
            from = i;
        }
}

/* ---- lists join ---- */

static void count_groups(struct plan *p)
{
    for (uint32_t g = 0; g < p->groups; g++)
        p->group[g] = (struct group){ .into = g };
    for (size_t i = 0; i < p->count; i++) {
        const struct member *m = &p->member[i];
        struct group *g = &p->group[m->group];

        g->count++;
        g->placed += m->placed;
        g->x += m->placed ? m->x : 0;
        g->y += m->placed ? m->y : 0;
    }
}

static bool is_alone(const struct plan *p, uint32_t g)
{
    return p->group[g].into == g && p->group[g].placed;
}

static uint32_t smallest(const struct plan *p)
{
    uint32_t found = p->groups;

    for (uint32_t g = 0; g < p->groups; g++)
        if (is_alone(p, g) && !p->group[g].settled &&
            (found == p->groups || p->group[g].count < p->group[found].count))
            found = g;
    return found;
}

static uint32_t nearest(const struct plan *p, uint32_t to)
{
    const struct group *a = &p->group[to];
    double x = a->x / a->placed, y = a->y / a->placed;
    double best = p->rules->near_m * p->rules->near_m;
    uint32_t found = p->groups;

    for (uint32_t g = 0; g < p->groups; g++) {
        const struct group *b = &p->group[g];
        double dx, dy;

        if (g == to || !is_alone(p, g) || a->count + b->count > p->rules->stops_most)
            continue;
        dx = b->x / b->placed - x;
        dy = b->y / b->placed - y;
        if (dx * dx + dy * dy < best || (found == p->groups && dx * dx + dy * dy == best)) {
            best = dx * dx + dy * dy;
            found = g;
        }
    }
    return found;
}

static void join(struct plan *p, uint32_t a, uint32_t b)
{
    struct group *to = &p->group[a < b ? a : b], *from = &p->group[a < b ? b : a];

    to->count += from->count;
    to->placed += from->placed;
    to->x += from->x;
    to->y += from->y;
    to->settled = false;
    from->into = a < b ? a : b;
}

static void join_near(struct plan *p)
{
    uint32_t g, other;

    while ((g = smallest(p)) < p->groups) {
        other = nearest(p, g);
        if (other < p->groups)
            join(p, g, other);
        else
            p->group[g].settled = true;
    }
}

/* Groups become lists numbered without holes. */
static uint32_t number_lists(struct plan *p)
{
    uint32_t lists = 0;

    for (uint32_t g = 0; g < p->groups; g++) { /* whatever it joined has a lower number */
        struct group *group = &p->group[g];

        group->into = group->into != g ? p->group[group->into].into : group->count ? lists++ : 0;
    }
    for (size_t i = 0; i < p->count; i++)
        p->member[i].group = p->group[p->member[i].group].into;
    return lists;
}

static int by_list(const void *a, const void *b)
{
    const struct member *m = (const struct member *)a, *n = (const struct member *)b;

    if (m->group != n->group)
        return m->group < n->group ? -1 : 1;
    if (m->placed != n->placed)
        return m->placed ? -1 : 1;
    return m->route != n->route ? (m->route < n->route ? -1 : 1) : by_place(m, n);
}

/* ---- turns ---- */

static void walk_list(const struct plan *p, struct tour_space *space, const struct tour_stop *stops,
                      const struct member *m, size_t count, struct tour_turn *out)
{
    struct tour_place places[TOUR_STOPS_MAX] = { { 0 } };
    uint16_t order[TOUR_STOPS_MAX];
    const struct tour_place *before = p->rules->start;
    size_t placed = 0;

    for (; placed < count && m[placed].placed; placed++)
        places[placed] = stops[m[placed].stop].at;
    tour_order(space, places, placed, before, order);
    for (size_t i = 0; i < count; i++) {
        size_t n = i < placed ? order[i] : i;

        out[i] = (struct tour_turn){ .stop = m[n].stop, .tour = m[n].group, .leg_m = -1 };
        if (i < placed) {
            out[i].leg_m = before ? tour_metres(*before, places[n]) : 0;
            before = &places[n];
        }
    }
}

enum err tour_plan(const struct tour_stop *stops, size_t count, const struct tour_rules *rules,
                   struct arena *memory, struct tour_turn *out, uint32_t *out_tours)
{
    struct plan p = { .rules = rules, .count = count };
    struct tour_space *space = (struct tour_space *)arena_alloc(memory, sizeof *space);
    size_t from = 0;

    assert(count <= TOUR_PLAN_MAX);
    assert(rules->stops_most >= 1 && rules->stops_most <= TOUR_STOPS_MAX);
    p.member = (struct member *)arena_alloc(memory, count * sizeof *p.member);
    p.group = (struct group *)arena_alloc(memory, count * sizeof *p.group);
    if (!space || !p.member || !p.group)
        return ERR_NO_MEMORY;
    *out_tours = 0;
    if (!count)
        return ERR_OK;
    lay_out(&p, stops);
    split_routes(&p);
    count_groups(&p);
    join_near(&p);
    *out_tours = number_lists(&p);
    qsort(p.member, count, sizeof *p.member, by_list);
    for (size_t i = 1; i <= count; i++)
        if (i == count || p.member[i].group != p.member[from].group) {
            walk_list(&p, space, stops, p.member + from, i - from, out + from);
            from = i;
        }
    return ERR_OK;
}

_Static_assert(sizeof(struct member) + sizeof(struct group) <= 128, "TOUR_PLAN_BYTES");
