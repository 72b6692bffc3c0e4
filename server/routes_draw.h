/* Which points of a route's day are read again by somebody else (三级复核): drawn by a rule that anybody can follow, so that nobody picks.
 *
 *     seed = ROUTE ":" DATE ":" LEVEL, as R1:2026-03-01:team    rank = SHA-256(seed ":" point)    drawn: the lowest ranks
 *
 * of the points that were read: 5 % by the team, 2 % by the branch, 0.5 % by the company, rounded up (server/billing/daysheet.h). */
#ifndef NILO_SERVER_ROUTES_DRAW_H
#define NILO_SERVER_ROUTES_DRAW_H

#include "server/routes.h"

#define DRAW_SEED_MAX 96

struct drawn_point {
    uint8_t rank[32];
    size_t row; /* of the sheet */
};
struct route_draw {
    char seed[DRAW_SEED_MAX];
    size_t of, count;         /* read points, and how many of them are drawn */
    struct drawn_point *drawn; /* by rank */
};
/* Free with route_draw_done, also after an error. NO_MEMORY. */
MUST_CHECK enum err route_draw(const struct route_sheet *s, struct span route, enum recheck_level level, struct route_draw *out);
void route_draw_done(struct route_draw *d);

/* What the sheet holds as read at a row: signed figures where it is signed, by hand before by radio. False: nothing. */
bool sheet_read_of(const struct sheet_row *row, struct sheet_read *out);

#endif
