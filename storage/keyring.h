/* The keys of meters, in memory, for the path between a datagram and its answer: by meter, kind and the instant from which they
 * hold.  No lock of its own: finding needs the registry's read lock, putting its write lock.  The memory goes into no core dump and is
 * wiped when the ring is freed. */
#ifndef NILO_STORAGE_KEYRING_H
#define NILO_STORAGE_KEYRING_H

#include "proto/lore.h"
#include "storage/ledger.h"
#include "storage/store_key.h"

struct keyring;

#define KEYRING_KEY_MAX 64

MUST_CHECK enum err keyring_new(struct keyring **out);
void keyring_free(struct keyring *k); /* NULL is fine */

/* The same (meter, kind, from) again replaces. `key`: 1 to KEYRING_KEY_MAX bytes. NO_MEMORY, RANGE. */
MUST_CHECK enum err keyring_put(struct keyring *k, uint32_t meter, enum key_kind kind, int64_t from_s, struct span key);

/* The likeliest first: that which holds at at_s, the one before it, the one to come; where one of these is not there, further ones
 * in either direction. How many; views while the lock is held. */
unsigned keyring_find(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s, struct span out[LORE_KEYS]);
bool keyring_current(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s, struct span *out_view);
/* What became of the key, of CRC-32C `mark`, that opened a frame heard at at_s. */
enum key_age keyring_age(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s, uint32_t mark);
int64_t keyring_since(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s); /* from when that holds; LEDGER_ALWAYS: since ever, or none */

uint64_t keyring_count(const struct keyring *k);
size_t keyring_bytes(const struct keyring *k);

/* All of the ledger's. FORBIDDEN: sealed under another store key; `r` says what to do. */
MUST_CHECK enum err keyring_load(struct keyring *k, struct ledger *l, const struct store_key *store_key, struct refusal *r);

/* Whether every key of the ledger opens, without keeping them: for `nilo store check`. Errors as above. */
MUST_CHECK enum err keyring_check(struct ledger *l, const struct store_key *store_key, uint64_t *out_count, struct refusal *r);

#endif
