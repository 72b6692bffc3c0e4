/* Things of the store beside meters: what models say of new meters, which meters came in a batch, modems and seals.  For this
 * folder.
 *
 * INDEX_BATCH    batch 00 · serial 00 → meter
 * INDEX_ASSETS   'm' · serial 00 → the modem in it now           'i' · IMEI or DevEUI 00 → the modem of that name
 *                'h' · serial 00 · at i64 [· n u16] → the modem from then on, 0: none; n: of one second the second entry and those after it, from 1
 *                'g' · modem 00 · at i64 [· n u16] → the meter that it was in from then on, 0: none
 *                'z' · state u8 · seal 00 → seal                 's' · crew 00 · state u8 · seal 00 → seal, of those that a crew has */
#ifndef NILO_SERVER_ACTS_ASSET_H
#define NILO_SERVER_ACTS_ASSET_H

#include "server/acts/register.h"

/* A row copied out of the transaction, whose views end with its next change. */
struct row_copy {
    uint32_t id;
    int64_t since_s;
    struct cells cells;
    uint8_t room[COLUMNS_MAX * (LIMIT_TEXT + 8)];
};
void row_copy(const struct ledger_row *row, struct row_copy *out);
bool row_find(struct txn *t, enum list_kind kind, struct span key, struct row_copy *out); /* false: none, or t->err */

/* What a registered model says fills the empty cells of a new meter that names it, in `room`; later changes of the model move no
 * meter.  CONFLICT: its dn or q3 are others. */
MUST_CHECK enum err meter_filled(struct registrar *g, struct cells *cells, struct wr *room, struct import_refusal *why);

bool batch_key(struct span batch, struct span serial, struct key *out); /* of INDEX_BATCH; false: it stands in none */

/* ---- hooks of register.c: what hangs on rows of meters, modems and seals ---- */

MUST_CHECK enum err asset_check(struct registrar *g, const struct list *l, const struct cells *cells, uint32_t id, struct import_refusal *why);
MUST_CHECK enum err asset_leaves(struct registrar *g, const struct list *l, const struct cells *cells, uint32_t id); /* a known row is about to change */
MUST_CHECK enum err asset_written(struct registrar *g, const struct list *l, const struct cells *cells, uint32_t id, bool known);

/* ---- modems ---- */

enum err modem_check(struct registrar *g, const struct cells *cells, uint32_t id, struct import_refusal *why);
void modem_keys(const struct cells *cells, struct key *imei, struct key *deveui, struct key *serial); /* of INDEX_ASSETS; empty: it stands under none */
void modem_indexed(struct act *a, const struct cells *cells, uint32_t id, bool put); /* or dropped */
void modem_dated(struct act *a, struct span serial, struct span modem, int64_t at_s, uint32_t modem_id, uint32_t meter);

uint32_t asset_indexed(struct txn *t, char kind, struct span text);   /* of INDEX_ASSETS, the id under exactly this key; 0: none, or t->err */
int64_t asset_last_dated(struct txn *t, char kind, struct span text); /* instant of the last entry of a meter ('h') or a modem ('g'); LEDGER_ALWAYS: none */

/* ---- seals ---- */

enum seal_state { SEAL_FREE, SEAL_ISSUED, SEAL_USED, SEAL_BROKEN, SEAL_STATES };
const char *seal_state_name(enum seal_state s);
bool seal_state_read(struct span name, enum seal_state *out); /* an empty one is free */

enum seal_state seal_state_of(const struct cells *cells); /* rows of a file may tell it by who has the seal */
void seal_put(struct act *a, struct row_copy *seal);      /* a known row becomes this, from the act on */
enum err seal_check(const struct cells *cells, struct import_refusal *why);
void seal_keys(const struct cells *cells, struct key *all, struct key *of_crew); /* of INDEX_ASSETS; of_crew empty: no crew has it */
void seal_indexed(struct act *a, const struct cells *cells, uint32_t id, bool put);

#endif
