/* Outages: most meters of a radio cell or gateway, or of all there are, say nothing at one time.  One flag whose subject is the cell.
 *
 * How many of how many were silent nobody can reckon afterwards: meters go over to other gateways, are taken off, come back.  So an outage is told when it is seen, and its beginning and its end are facts of the
 * ledger; views show what these say, and a rebuild finds them there.  What had arrived by then cannot become another, so none is withdrawn.
 *
 * Its flag is kept as those of a meter 0: "00000000-outage-69a1b2c3".  Under the place of the settler, as all that judges. */
#ifndef NILO_SERVER_OUTAGES_H
#define NILO_SERVER_OUTAGES_H

#include "server/judge.h"

#define OUTAGE_ALL 0u /* the cell of an outage of everything: the server's own way to the meters */

#define OUTAGE_NO_CELL UINT32_MAX

struct outage {
    char id[FLAG_ID_SIZE];
    uint32_t cell, zone; /* zone not 0: a zone without water; cell is OUTAGE_NO_CELL then */
    int64_t onset_s, cleared_s; /* cleared_s 0: it lasts */
    int64_t back_s;             /* since when enough of its meters are heard again, as the clock saw it; 0: they are not, or nobody looked */
};
struct outages {
    struct outage *at; /* by zone, then cell, then onset */
    size_t count, cap;
    bool loaded;
    size_t held;       /* what was read before, however `count` was set meanwhile; */
    int64_t from_s;    /* and those of earlier onset need not be read again */
};
/* What the ledger tells of them, read once; it changes by outage_begin and outage_end alone. CORRUPT, NO_MEMORY. */
MUST_CHECK enum err outages_know(struct app *app, const struct outages **out);
/* The same for anybody, as of the transaction; `o` zeroed, its `at` the caller's to free. Read again into the same `o` only what may be new since: births of the last 90 days, and since the first that lasts. */
MUST_CHECK enum err outages_load(struct txn *ledger, struct outages *o);
void outage_back(struct app *app, const char *id, int64_t back_s);
bool outages_ever_dry(const struct outages *o, uint32_t zone);
/* When a point's zone was without water. */
void outages_dry(const struct outages *o, uint32_t zone, struct pauses *out);
void outages_free(struct outages *o); /* NULL is fine */

/* That of the cell, or of all, in which a meter would be silent that was last heard at from_s through `cell` and would be told of at told_s; NULL: none. Of several the last. */
const struct outage *outage_of(const struct outages *o, uint32_t cell, int64_t from_s, int64_t told_s);

struct outage_facts {
    uint32_t zone;        /* not 0: it is this zone that is without water */
    uint32_t cell, point; /* point: of one of its meters, by which it belongs to an org unit; 0: none */
    uint32_t meters, silent;
    int64_t onset_s, raised_s;
};
/* One act and its flag each. */
MUST_CHECK enum err outage_begin(struct app *app, const struct outage_facts *f, int64_t now_s);
MUST_CHECK enum err outage_end(struct app *app, const char *id, int64_t cleared_s, int64_t now_s);

/* Makes views show what the ledger says of all of them. */
MUST_CHECK enum err outages_show(struct app *app);

#endif
