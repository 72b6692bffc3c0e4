/* Day lists of crews: which stops go together, and in which order they are walked.
 *
 *     distance   haversine on a sphere: 2 R asin √(sin²(Δφ/2) + cos φ1 · cos φ2 · sin²(Δλ/2)), R = 6 371 008.8 m, the mean radius R1 of
 *                the IUGG for GRS80 (Moritz 2000); degrees of WGS84 taken as they are: at most 0.6 % off the ellipsoid
 *     order      nearest neighbour from several first stops, and the order given, each made better by 2-opt (Croes 1958); the best of them by
 *                Or-opt as well (Or 1976: up to three stops in a row go elsewhere, either way round), until neither finds anything.
 *                An open path: nobody walks back.  Never longer than nearest neighbour from any of those first stops, nor than the order given
 *     together   a route's stops are one list, or where they are more than a day holds as few of equal size as will do, halved across their longer side;
 *                then lists join, the smallest first, with the nearest (by centres) that has room, up to near_m away
 *
 * The same stops give the same lists.  Pure; memory is the caller's. */
#ifndef NILO_SERVER_FLEET_TOUR_H
#define NILO_SERVER_FLEET_TOUR_H

#include "proto/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOUR_STOPS_MAX 200   /* of one list: more than a day holds; the work grows with the square */
#define TOUR_STOPS_DAY 40    /* where nobody says otherwise: eight hours at twelve minutes a stop, a planning figure */
#define TOUR_PLAN_MAX 10000  /* stops planned at once */
#define TOUR_NEAR_M 2000     /* lists further apart stay two: half an hour's walk, a planning figure */
#define TOUR_WALK_MPH 4000   /* metres an hour on foot, a planning figure */

struct tour_place {
    double lon, lat; /* degrees */
};
double tour_metres(struct tour_place a, struct tour_place b);

/* What the order of one list is found in; some 330 KB, any content. */
struct tour_space {
    double metres[TOUR_STOPS_MAX + 2][TOUR_STOPS_MAX + 2]; /* the last two: the start, and nowhere, from which all is 0 */
    uint16_t path[TOUR_STOPS_MAX + 2], best[TOUR_STOPS_MAX + 2];
};

/* The order in which to walk `count` ≤ TOUR_STOPS_MAX stops from `start` (NULL: from wherever is best): places in `stops`. Metres, the way to the
 * first among them. */
double tour_order(struct tour_space *space, const struct tour_place *stops, size_t count, const struct tour_place *start, uint16_t *out_order);

struct tour_stop {
    struct tour_place at;
    bool placed;    /* else it has no coordinates: it stands behind the others of its list, by (route, seq) */
    uint32_t route; /* rank of its route among names */
    int64_t seq;    /* on that route; INT64_MAX: not told */
};

struct tour_rules {
    uint32_t stops_most; /* of a list: 1 to TOUR_STOPS_MAX */
    double near_m;
    const struct tour_place *start; /* of every list; NULL: free */
};

struct tour_turn {
    uint32_t stop;  /* place in the stops given */
    uint32_t tour;  /* from 0, without holes */
    double leg_m;   /* on foot from the stop before, or from the start; below 0: not known */
};

/* Plans `count` ≤ TOUR_PLAN_MAX stops: a turn for each, list by list in the order to be walked. `memory` holds TOUR_PLAN_BYTES(count), else NO_MEMORY. */
#define TOUR_PLAN_BYTES(count) (sizeof(struct tour_space) + (count) * 128 + 8192)
MUST_CHECK enum err tour_plan(const struct tour_stop *stops, size_t count, const struct tour_rules *rules, struct arena *memory, struct tour_turn *out,
                              uint32_t *out_tours);

#endif
