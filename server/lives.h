/* Lives of meters between the ledger and the rules: events loaded and copied, and written with everything that follows from them (fittings by meter and by point, the indexes of states,
 * due dates, shelves and holders).  Whoever changes a meter's row or its events goes through here, so that no index is left behind. */
#ifndef NILO_SERVER_LIVES_H
#define NILO_SERVER_LIVES_H

#include "proto/base/arena.h"
#include "server/app.h"
#include "server/fleet/life.h"
#include "server/registers.h"

#define LIFE_MODEL_MAX 256 /* of a longer text its beginning */
#define LIFE_NAME_MAX 256

struct meter_life {
    uint32_t meter;
    struct meter_facts facts;
    struct life_meter rules;    /* as life.h wants it; borrows from here */
    char model[LIFE_MODEL_MAX]; /* "": none */
    char depot[LIFE_NAME_MAX];  /* of the row: where it lies while no event says another; "": not told */
    struct life_event *events;  /* by (at, arrival) */
    size_t count, cap;
    struct arena texts;
};

/* NOT_FOUND: no such meter; CORRUPT; NO_MEMORY. As the newest row tells it; events as of now (a caller that looks back passes its instants to life_fold). Free with life_done, also after an error. */
MUST_CHECK enum err life_load(struct app *app, struct txn *t, uint32_t meter, struct meter_life *out);
MUST_CHECK enum err life_load_serial(struct app *app, struct txn *t, struct span serial, struct meter_life *out);
void life_done(struct meter_life *l);
/* As life_load, of a meter's row at hand, for whoever looks at one after the other: a zeroed `out`, or that of the meter before, whose room is used again. Texts are views: they end with `t`. */
MUST_CHECK enum err life_look(struct app *app, struct txn *t, const struct ledger_row *row, struct meter_life *out);

/* Adds `e` to the events at hand, at its place, without writing: to see what would follow. Texts stay borrowed. */
MUST_CHECK enum err life_add(struct meter_life *l, const struct life_event *e);

/* Writes `e` (judged before) to the ledger, and what follows: fittings, indexes; `l` has it afterwards. Errors stick in act->txn. */
void life_write(struct app *app, struct act *act, struct meter_life *l, struct life_event *e);

/* events[place] was written without an index that is needed by now: it is read off what else is known (rules-fleet L10). */
void life_read_index(struct act *act, struct meter_life *l, size_t place, int64_t index_ml);

/* As life_write, one after the other. `told` (may be NULL): the fitting that they tell of afterwards, as a file does: each stands where life_place_told says, those of its second behind it move on by one arrival. */
void life_write_all(struct app *app, struct act *act, struct meter_life *l, struct life_event *const *events, size_t count, const struct fitting *told);
/* Where the install or remove of a told fitting stands: of one second what ends comes before what begins, in whatever order they were told. */
size_t life_place_told(const struct meter_life *l, const struct life_event *e, const struct fitting *f);
MUST_CHECK enum err life_add_at(struct meter_life *l, const struct life_event *e, size_t place); /* as life_add */

/* The meter's row was added (before NULL) or changed: the indexes follow. `before` as it was before the change, and before that lives_catch_up was called. */
void life_indexed(struct app *app, struct act *act, const struct meter_life *before, uint32_t meter);

/* ---- the clock ----
 *
 * The indexes say what holds now, as each meter's own answer does. An event may be stamped ahead of the clock (rules-fleet L4), a told fitting or verification begin later: INDEX_AHEAD knows
 * when a life changes of itself, and whoever asks an index has it moved first. */

/* Within an act, before it asks or changes an index; life_write does it itself. Errors stick in act->txn. */
void lives_catch_up(struct app *app, struct act *act);
/* Before a list is read. One look where nothing is due, else an act without a number, which waits for the ledger's writer. *out_now_s: the instant that the indexes stand for, from the clock's on. */
MUST_CHECK enum err lives_now(struct app *app, int64_t *out_now_s);
/* The meters that moved so and were not judged since; lives_judged(*out_until_s) forgets them. An error of `each` ends it. */
MUST_CHECK enum err lives_moved(struct app *app, enum err (*each)(void *arg, uint32_t meter), void *arg, int64_t *out_until_s);
/* Those of them that moved after one of them, which becomes the last ({ INT64_MIN, 0 }: all there are): a later move has a later time. For whoever looks often, and before they are judged. */
struct lives_move {
    int64_t at_s;
    uint32_t meter;
};
MUST_CHECK enum err lives_moved_after(struct app *app, struct lives_move *after, void (*each)(void *arg, uint32_t meter), void *arg);
MUST_CHECK enum err lives_judged(struct app *app, int64_t until_s);

/* ---- what is found by index; keys are made here alone ---- */

enum due_place { DUE_NOWHERE, DUE_FITTED, DUE_STORE };

/* Walks meters by legal due date, then serial: from_day ≤ due ≤ to_day; NO_DAY as to_day: those without any verification come last. `after`: cursor of the row before, empty: from the first. */
struct due_walk {
    struct index_walk walk;
    uint32_t meter;
    int32_t due;        /* NO_DAY: never verified */
    struct span cursor; /* of this row: a view */
    int32_t to_day;
    bool unknown_too;
};
struct due_walk lives_due(struct txn *t, enum due_place place, int32_t from_day, int32_t to_day, bool unknown_too, struct span after);
bool due_next(struct due_walk *w);
void due_done(struct due_walk *w);

struct index_walk lives_in_state(struct txn *t, enum life_state state, struct span after_serial); /* w.key: state u8 · serial */
/* Those that a crew ('c') or depot ('d') holds, by serial. w.key: kind · name 00 · serial. */
struct index_walk lives_held(struct txn *t, char kind, struct span name, struct span after_serial);
/* Of the same dn, q3 and model in stock the one with the earliest legal due in date on `day` and before `before_day` (V11); 0: none. */
uint32_t lives_older_in_stock(struct txn *t, const struct meter_life *l, int32_t day, int32_t before_day, int32_t *out_due);

/* At a start: indexes are made anew for all meters, in one act, where the verification table or the time zone is another than the one that they were made by, or none ever were. */
MUST_CHECK enum err lives_reindex(struct app *app);

/* Likewise, before it: a store made when fittings were rows gets them as events, in one act. */
MUST_CHECK enum err lives_convert(struct app *app);

#endif
