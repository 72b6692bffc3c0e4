/* What server/lives.c and server/lives_index.c share: where a life stands in the indexes. */
#ifndef NILO_SERVER_LIVES_PRIV_H
#define NILO_SERVER_LIVES_PRIV_H

#include "server/lives.h"
#include "server/stock.h"
#include "storage/key.h"

enum life_key { KEY_STATE, KEY_DUE, KEY_SHELF, KEY_HELD, LIFE_KEYS };

struct life_keys {
    struct key at[LIFE_KEYS];     /* empty: it does not stand there */
    struct stock_place place;     /* borrows from below */
    char holder[LIFE_NAME_MAX], model[LIFE_MODEL_MAX];
};

/* A life of a row without its events. CORRUPT where the row does not read. Nothing is to be freed after an error. */
enum err life_of_row(struct app *app, const struct ledger_row *row, struct meter_life *out);

/* By the state after all events, and the date that follows from all verifications. */
void life_keys_of(const struct meter_life *l, struct life_keys *out);
/* What differs is dropped and put; `before` NULL: it stood nowhere. Errors stick in act->txn. */
void life_keys_follow(struct act *act, uint32_t meter, const struct life_keys *before, const struct life_keys *after);

void lives_index_made(struct app *app, struct act *act); /* they agree with the rules of today */

#endif
