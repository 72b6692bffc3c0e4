/* The rules of validation as people set them (server/billing/rules.h), read from the ledger and kept for whoever asks next. */
#ifndef NILO_SERVER_CHECK_RULES_H
#define NILO_SERVER_CHECK_RULES_H

#include "server/app.h"
#include "server/billing/consume.h"
#include "server/out.h"

struct rules_shelf;
MUST_CHECK enum err rules_shelf_open(struct rules_shelf **out);
void rules_shelf_close(struct rules_shelf *s); /* when nobody holds rules any more; NULL is fine */

/* The set that `t` sees. Many threads; each gives back what it took. t->err, NO_MEMORY, CORRUPT. */
struct rules_held;
MUST_CHECK enum err rules_take(struct app *app, struct txn *t, struct rules_held **out);
void rules_give(struct rules_held *h); /* NULL is fine */
const struct check_rules *rules_of(const struct rules_held *h); /* NULL: the table's own alone */

/* The point's use class, where the rules ask for one. t->err; CORRUPT. */
MUST_CHECK enum err rules_use_of(const struct rules_held *h, struct txn *t, uint32_t point, enum use_class *out);

/* ---- as JSON ---- */

void rules_put_figure(struct out *o, const char *name, enum figure_unit unit, int64_t value);
/* [{"rule","version","flagged","parameters":{…},"inputs":{…}},…] of the set `which`. */
void rules_put_told(struct out *o, unsigned which, unsigned checks, const struct check_told told[CHECK_COUNT]);
/* The members of a version: "rule", "version", "state", "from", "use_class", "dn", "parameters". */
void rules_put_line(struct out *o, const struct check_line *l);

#endif
