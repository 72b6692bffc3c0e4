/* What server/lives.c and server/lives_index.c share: where a life stands in the indexes. */
#ifndef NILO_SERVER_LIVES_PRIV_H
#define NILO_SERVER_LIVES_PRIV_H

#include "server/lives.h"
#include "server/stock.h"
#include "storage/key.h"

enum life_key { KEY_STATE, KEY_DUE, KEY_SHELF, KEY_HELD, KEY_AHEAD, LIFE_KEYS };

struct life_keys {
    struct key at[LIFE_KEYS];     /* empty: it does not stand there */
    struct stock_place place;     /* borrows from below */
    char holder[LIFE_NAME_MAX], model[LIFE_MODEL_MAX];
};

/* A life of a row without its events. CORRUPT where the row does not read. Nothing is to be freed after an error. */
enum err life_of_row(struct app *app, const struct ledger_row *row, struct meter_life *out);

/* By the state at an instant, and the date that follows from the verifications of its civil day or earlier. */
void life_keys_of(const struct meter_life *l, int64_t at_s, struct life_keys *out);
/* What differs is dropped and put; `before` NULL: it stood nowhere. Errors stick in act->txn. */
void life_keys_follow(struct act *act, uint32_t meter, const struct life_keys *before, const struct life_keys *after);

enum ledger_index life_index(enum life_key k);
/* When the indexes were last moved, by an act or by the clock. */
int64_t lives_moved_until(struct txn *t);
/* An instant that the indexes stand for as far as this life goes, at most until_s: before a change that still waits for its time. */
int64_t lives_stand_at(struct txn *t, const struct meter_life *l, int64_t until_s);
bool lives_index_agrees(struct app *app, struct txn *t); /* they were made by app's table and time zone, and by this version */

/* The instant as of which an act keeps the indexes: its own, or that of an earlier one if that was later; it never goes back. */
int64_t lives_instant(struct app *app, const struct act *act);

void lives_index_made(struct app *app, struct act *act); /* they agree with the rules of today */

#endif
