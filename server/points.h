/* Service points by what a row's key does not tell: whose they are, and what the water is for.
 *
 * INDEX_POINTS   'a' · account 00 · point 00 → point      'u' · use class 00 · point 00 → point, of all classes but residential
 *                'o' · account 00 · point 00 → point, of accounts that it was of once
 *                'b' · point 00 · point 00 → point that stands behind it        'c' likewise, once
 *
 * A residential point needs no index: a walk of all meets one at almost every step. */
#ifndef NILO_SERVER_POINTS_H
#define NILO_SERVER_POINTS_H

#include "server/app.h"
#include "server/fleet/columns.h"

/* The newest row of a point is another (`was` NULL: it is new); `was` may be a view, which ends here. Errors stick in act->txn. */
void point_indexed(struct act *act, uint32_t point, const struct ledger_row *was, const struct cells *is);

void point_keys(const struct cells *cells, struct key *account, struct key *use, struct key *behind); /* of INDEX_POINTS; empty: it stands under none */

bool points_use_indexed(struct span use_class); /* false: such points are found by a walk of all */
/* By point's name, after that of `after_point` (empty: from the first); w.value is the point. Of a long account others that begin alike stand there, too. */
struct index_walk points_of_account(struct txn *t, struct span account, struct span after_point);
struct index_walk points_once_of(struct txn *t, struct span account); /* points that were the account's once, and may be again */
struct index_walk points_behind(struct txn *t, struct span point, bool once); /* points whose water goes through its meter, too; once: that did, and may again */
struct index_walk points_behind_any(struct txn *t); /* all points that stand behind another, by the other's name */
/* The first of those whose name lies after `house` (empty: from the first), for whoever wants each house once; *out_name, a view into the walk, is that of the point that it stands behind. False: there is none, or t->err. */
bool points_behind_next(struct index_walk *w, struct span *out_name);
struct index_walk points_behind_after(struct txn *t, struct span house);
struct index_walk points_of_use(struct txn *t, struct span use_class, struct span after_point);

bool points_are_indexed(struct txn *t); /* false: the store was made before there was such an index, and has no points since */
/* At a start: a store made before there was such an index gets it, in one act. */
MUST_CHECK enum err points_reindex(struct app *app);

#endif
