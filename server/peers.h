/* How the use of kinds of places went from week to week (server/detect/peers.h), counted once a week over the fleet.
 *
 * A kind is a use class, a size of meter and a zone, and beside it the same of all zones; it is told of where 50 meters tell of it, of at most 100 000
 * that are looked at. A week is counted two days after its end, for reports come late, and up to six: looks that may know it have not been made by then, and
 * what was counted is a fact of the ledger. So what comes later makes no look another, and a rebuild looks with the same eyes. A week in which no server ran
 * at that time, and all before the first one that it saw, are not known. Days are civil; a week begins on a Thursday, as 1970 did.
 *
 * The settling thread counts; any thread may ask. */
#ifndef NILO_SERVER_PEERS_H
#define NILO_SERVER_PEERS_H

#include "server/app.h"
#include "server/detect/peers.h"

struct fleet_peers;
MUST_CHECK enum err fleet_peers_open(struct app *app, struct fleet_peers **out); /* reads what the ledger tells; NO_MEMORY, CORRUPT */
void fleet_peers_close(struct fleet_peers *p);                                  /* NULL is fine */
/* Counts the week whose time has come, once. STOPPING; what the stores return. */
MUST_CHECK enum err fleet_peers_count(struct fleet_peers *p, int64_t now_s);

/* Of a kind of places: in its zone (0: none), and in all of them; a count of 0: nothing is known. False: neither is, and nothing was written. `p` NULL is fine. */
struct peers_known {
    struct peers zone, all;
};
bool fleet_peers_of(struct fleet_peers *p, enum use_class use, int32_t dn_mm, uint32_t zone, struct peers_known *out);
bool fleet_peers_any(struct fleet_peers *p); /* whether it is worth to ask */

#endif
