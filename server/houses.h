/* Houses: a point whose meter counts the water of points behind it (server/points.h), looked at as a whole once a week.
 *
 *     readings of all its meters → balance.h, swapped.h → what they find of each meter → judge_house.c
 *
 * A week is judged when it has been over for HOUSE_LATE_S, since reports come late; a reading that comes later than that has all meters of its house looked at again.  Weeks begin on Mondays, civil time; the
 * first is that in which the building's meter was fitted, or a whole number of years of 52 weeks later, so that no more than BALANCE_WEEKS_MOST are held.  In the place of the settler. */
#ifndef NILO_SERVER_HOUSES_H
#define NILO_SERVER_HOUSES_H

#include "server/detect/house.h"
#include "server/settle_pass.h"

#define HOUSE_LATE_S (36 * 3600)
#define HOUSE_LEAST 4 /* meters behind it: of fewer the building's own use is most of the balance */

/* Found of one house, kept while one pass judges its meters. */
struct houses;
MUST_CHECK enum err houses_open(struct app *app, int64_t now_s, struct houses **out);
void houses_close(struct houses *h); /* NULL is fine */

struct house_column {
    uint32_t meter, point;
    int64_t fitting_from_s;
};
struct house_findings {
    uint32_t building;            /* its meter; 0: the point is no house, or too small or too large a one */
    struct house_column *columns; /* those behind it, from 0 on: column 1 of the balance is 0 here */
    unsigned column_count;
    struct balance_finding *slow;
    size_t slow_count;
    struct swapped_finding *swapped;
    size_t swapped_count;
};
/* Of the house of that point: it stands behind another, or others behind it (that one has no findings of its own). A view until the next call. NULL: it is of none. What reading a store returns. */
MUST_CHECK enum err houses_find(struct houses *h, struct txn *ledger, uint32_t point, const struct house_findings **out);

/* Appends the other meters of houses that are to be looked at again: of all, where a week is over since `*seen_week` (0 at first), and of those of which something came late. */
MUST_CHECK enum err houses_touch(struct app *app, int64_t now_s, int64_t *seen_week, struct news *touched);

#endif
