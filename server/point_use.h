/* What is needed to tell what a service point used (server/billing/consume.h): its fittings, their meters and readings, loaded from the store; and how it is
 * written in JSON.  One thread at a time; the memory is used again from point to point. */
#ifndef NILO_SERVER_POINT_USE_H
#define NILO_SERVER_POINT_USE_H

#include "server/app.h"
#include "server/billing/cycle.h"
#include "server/check_rules.h"
#include "server/billing/edit.h"
#include "server/out.h"

struct point_use_load;
struct point_use {
    bool settled; /* set by the caller: from settled readings alone. Who holds the settler's place so sees one state of all points */
    bool cut;     /* a fitting was read from three months before the span on (server/billing/cut.h): for a determinant alone */
    size_t count, cap;
    struct consume_fitting *fittings; /* those that touch the span, or the 62 days before it (rules-bills E3) */
    struct point_use_load *loads;
    struct rules_held *rules; /* by which rows are checked, as the transaction saw them */
    enum use_class use;       /* the point's, where they ask for it */
    struct consumer *consumer;
    size_t edit_count, edit_cap;
    struct ledger_edit *edits; /* of the point, by id: in force, and those that wait for a second person; the former stand among the rows */
    uint64_t edit_act; /* the newest act that changed an edit of the point, whatever became of it; 0: none did */
    const struct ledger_edit *trial; /* set by the caller: as if this one were in force, too; NULL: none */
    uint64_t without;                /* likewise: as if that one were not; 0: none */
};
void point_use_done(struct point_use *u); /* a zeroed one is fine */

/* u->consumer is ready for rows within [from_s, to_s), and good until the next load. NOT_FOUND, CORRUPT, NO_MEMORY, IO. */
MUST_CHECK enum err point_use_load(struct app *app, struct txn *t, uint32_t point, int64_t from_s, int64_t to_s, enum consume_step step, int64_t now_s,
                                   struct point_use *u);

/* Another consumer of the same point, by the same rules, for rows of another step: consumer_free before the next load. NO_MEMORY. */
MUST_CHECK enum err point_use_consumer(struct app *app, const struct point_use *u, enum consume_step step, int64_t now_s, struct consumer **out);

/* The determinant of [from_s, to_s) as of `now_s` (rules-bills D, E, F1). Its parts are good until the next call, its account is empty. */
MUST_CHECK enum err point_use_determinant(struct app *app, struct txn *t, uint32_t point, int64_t from_s, int64_t to_s, int64_t now_s, struct point_use *u,
                                          struct determinant *out);

/* The row of a span within the one that was loaded, without checks, as of now, and what is billed of it as if now lay after it (rules-bills F2). */
MUST_CHECK enum err point_use_figures(struct app *app, const struct point_use *u, int64_t from_s, int64_t to_s, int64_t now_s,
                                      const struct consumption **out, struct billed *out_later);

/* How many edits of the point wait that are of an instant within [from_s, to_s]. */
unsigned point_use_waiting(const struct point_use *u, int64_t from_s, int64_t to_s);
struct edit_mark point_use_mark(const struct ledger_edit *e);

void use_put_parts(struct out *o, const struct part *parts, size_t count); /* [{…},…] */
/* The same of the row that the consumer was asked for last, each part with the edits that it rests on ("edits":[{…},…]), where it does. */
void use_put_told_parts(struct out *o, const struct point_use *u, const struct consumption *c);
void use_put_checks(struct out *o, unsigned checks);                       /* ["high",…] */

/* {"formula","parts":[…],"left_off"}: how the row that the consumer was asked for last came about (server/billing/explain.h). NO_MEMORY. */
MUST_CHECK enum err use_put_explanation(struct out *o, const struct point_use *u, const struct consumption *c);

/* The edit of a meter and an instant that stands among the rows; NULL: none does. The member `name` says what it is, who asked for it and agreed, and why. */
const struct ledger_edit *point_use_edit(const struct point_use *u, const char *serial, int64_t at_s);
void use_put_edit(struct out *o, const struct ledger_edit *e); /* {…} */

#endif
