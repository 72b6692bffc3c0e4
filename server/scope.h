/* What an org unit sees and writes: a token that is for a unit (company, branch, team) has to do with what belongs to that unit or to one below it.
 *
 *   a point                belongs to the unit of its route
 *   a meter                to where it is: the point it is fitted at, else the crew that it was issued to, else the depot where it lies, else the point that it came from
 *   a route, depot, crew   to the unit that its row names
 *   anything else          to the point, meter, depot or crew that it names
 *
 * What belongs to nobody is for tokens without a unit alone, but a seal or a modem that nobody has may be taken; a lot is the unit's if all of its meters are.  Models, batches, prices and zones are everybody's to read.  As the register is now, whatever instant is asked for. */
#ifndef NILO_SERVER_SCOPE_H
#define NILO_SERVER_SCOPE_H

#include "server/registers.h"

struct scope {
    const char *org;       /* "": all there is */
    char unit[64], route[64]; /* asked last, and what came out: rows of a list often share theirs */
    bool unit_in, route_in, unit_known, route_known;
};
struct scope scope_of(const char *org); /* borrowed */

/* All of them: true where it belongs to the unit. An error sticks in `t`, and gives false. */
bool scope_org(struct scope *s, struct txn *t, struct span org);
bool scope_point(struct scope *s, struct txn *t, uint32_t point);
bool scope_meter(struct scope *s, struct txn *t, const struct ledger_row *meter);
bool scope_row(struct scope *s, struct txn *t, const struct ledger_row *row); /* of any list */

/* The row of a list by its name; one that nobody registered is for others to tell: true. */
bool scope_named(struct scope *s, struct txn *t, enum list_kind kind, struct span name);

/* Likewise of what an act takes: a seal or a modem that nobody has is anybody's. */
bool scope_may_take(struct scope *s, struct txn *t, enum list_kind kind, struct span name);

/* Whether all meters of a batch are the unit's: a lot is drawn from, judged and sent back as a whole. */
bool scope_lot(struct scope *s, struct txn *t, struct span batch);

#endif
