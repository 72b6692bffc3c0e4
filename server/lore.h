/* What decoders may ask (proto/lore.h), answered: meters and their dialects by the registry, keys by the key ring, formats by those
 * that full frames taught, recipes by the cookbook.  All of it is in memory; the registry's lock rules all of it: whoever decodes
 * holds it for reading. */
#ifndef NILO_SERVER_LORE_H
#define NILO_SERVER_LORE_H

#include "server/app.h"
#include "storage/formats.h"
#include "storage/keyring.h"

struct txn;

/* Fills app->lore, key ring and formats from the ledger; the registry is there. `store_key_file` as of --store-key-file. FORBIDDEN: the
 * store key is not the one that the ledger's keys were sealed with; MISSING: there is none; `r` says what to do. */
MUST_CHECK enum err lore_open(struct app *app, const char *store_key_file, struct refusal *r);
void lore_close(struct app *app);
/* For nilod: where there is no store key yet, and nothing sealed, one is made (store_key_make). */
MUST_CHECK enum err lore_start(struct app *app);

/* For the DTLS handshake: a key of the meter which registered or radio name `identity` names, and its id. `attempt` 0: the likeliest;
 * 1: the next, where a key was exchanged and the meter has the other one still or already; and so on in a circle. False: no such meter,
 * or it has no key of that kind. Takes the registry's read lock itself; any thread. The caller wipes `out`. */
bool lore_psk(struct app *app, struct span identity, unsigned attempt, int64_t now_s, uint8_t out[64], size_t *len, uint32_t *meter);

/* A frame of a registered meter that was read: what it teaches is known from here on. Any thread. */
void lore_learn(struct app *app, const struct frame *f);

/* What was learned since the last call is in the ledger when this returns; *out_any: there was something. The settling thread. */
MUST_CHECK enum err lore_keep(struct app *app, bool *out_any);

/* The store key, made now where there is none yet. FULL, IO: it cannot be written. */
MUST_CHECK enum err lore_store_key(struct app *app, const struct store_key **out, struct refusal *r);

#endif
