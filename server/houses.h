/* Houses: a point whose meter counts the water of points behind it (server/points.h), looked at as a whole once a week.
 *
 *     readings of all its meters → house_look.h → a row of views (house_row.h) → judge_house.c
 *
 * A week is looked at when it has been over for HOUSE_LATE_S, since reports come late; what comes later than that has its house looked at again.  Weeks begin on Mondays, civil time.  What was found is kept with how
 * far it was looked, so that a week costs a look at a week; where the row is missing all is found again from the house's first week on, window by window.  Until then what had been told of its meters stands.
 *
 * A round over all houses goes on between settlings, a few windows at a time, and only those meters are judged of which something else is found than before.  In the place of the settler. */
#ifndef NILO_SERVER_HOUSES_H
#define NILO_SERVER_HOUSES_H

#include "server/detect/house_story.h"
#include "server/settle_pass.h"

#define HOUSE_LATE_S (36 * 3600)

/* ---- for the judge: any thread ---- */

/* The house that was read last; one thread's. */
struct houses;
MUST_CHECK enum err houses_open(struct houses **out); /* NO_MEMORY */
void houses_close(struct houses *h); /* NULL is fine */

#define HOUSES_OF_POINT 8 /* the newest ones */
/* The houses, as numbers of their buildings' points, that a point stands behind, stood behind, or is the building's of. Errors stick in `ledger`. */
unsigned houses_of_point(struct txn *ledger, uint32_t point, uint32_t out[HOUSES_OF_POINT]);

/* What is found of that house: a view until the next call; empty where it is none. NULL: it was not looked at to the end yet. CORRUPT, and what reading a store returns. */
MUST_CHECK enum err houses_find(struct houses *h, struct txn *views, uint32_t house, const struct house_story **out);

/* ---- for the settler ---- */

struct house_round { /* zeroed at a start: every house is asked for how far it is */
    int64_t week_s;       /* the end of the week that it is about */
    bool all;             /* everyone was seen */
    char after[64];       /* those up to this name were */
    struct news late;     /* houses to be looked at before; `meter` is the building's point */
    struct news untold;   /* looked at, and their meters not judged yet; likewise */
};
void house_round_done(struct house_round *r);

/* Of meters that something came of, or is another of, the houses are looked at again. */
MUST_CHECK enum err houses_note(struct app *app, int64_t now_s, const struct news *touched, struct house_round *r);

/* Looks at up to `windows` windows of houses that are due; appends the meters that are to be judged by what was found, and says when they were with houses_told. */
MUST_CHECK enum err houses_look(struct app *app, int64_t now_s, unsigned windows, struct house_round *r, bool *out_more, struct news *touched);
MUST_CHECK enum err houses_told(struct app *app, struct house_round *r);

#endif
