/* Serial or radio name → dense meter id, and its dialect, in memory, for the path between a datagram and its answer.  Built from the ledger at the
 * start (a million meters in well under a second), kept current by the acts that register meters.  Any thread. */
#ifndef NILO_STORAGE_REGISTRY_H
#define NILO_STORAGE_REGISTRY_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct registry;
struct ledger;

MUST_CHECK enum err registry_new(struct registry **out);
void registry_free(struct registry *r); /* NULL is fine */
/* Where a row of meters has what is looked up here. */
struct registry_cells {
    unsigned serial, radio, dialect;
};
MUST_CHECK enum err registry_load(struct registry *r, struct ledger *l, unsigned meter_list, const struct registry_cells *cells);
MUST_CHECK enum err registry_add(struct registry *r, struct span name, uint32_t meter); /* NO_MEMORY; the same twice is fine */
uint32_t registry_find(struct registry *r, struct span name); /* 0: unknown */

/* What the radio calls a meter is found after the serials, in either case; so is a serial that is an EUI in capitals. A name taken back is
 * unknown again. */
#define RADIO_NAME_MAX 64
MUST_CHECK enum err registry_add_radio(struct registry *r, struct span name, uint32_t meter);
struct span registry_radio_form(struct span name, uint8_t room[RADIO_NAME_MAX]); /* as it is kept, in `room`; too long ones as they are */
void registry_drop_radio(struct registry *r, struct span name, uint32_t meter);

/* The register's column `dialect`: by what a meter's payloads are read. */
MUST_CHECK enum err registry_set_profile(struct registry *r, uint32_t meter, struct span dialect); /* empty: none; NO_MEMORY */
struct span registry_profile_lkd(struct registry *r, uint32_t meter); /* a view while the lock is held; empty: none */

/* What an act committed: meters from `from_id` on, with their radio names and dialects. */
MUST_CHECK enum err registry_load_from(struct registry *r, struct ledger *l, unsigned meter_list, uint32_t from_id, const struct registry_cells *cells);

/* Many look-ups under one lock, for a batch. */
void registry_read_lock(struct registry *r);
void registry_read_unlock(struct registry *r);
/* For what decoders look up besides (recipes, keys, formats): while it is held nobody decodes. Held briefly. */
void registry_write_lock(struct registry *r);
void registry_write_unlock(struct registry *r);
uint32_t registry_find_lkd(struct registry *r, struct span name);
uint32_t registry_serial_lkd(struct registry *r, struct span serial); /* byte by byte, no radio names */
uint32_t registry_count(struct registry *r); /* the highest id */
size_t registry_bytes(struct registry *r);

#endif
