/* The store's key: 32 bytes under which the meters' keys lie in the ledger, each sealed by AES-256-GCM.  It belongs to the machine,
 * not to the data: whoever has a copy of the store alone has no key of any meter.
 *
 * It is looked for in this order: the file that the option names; the systemd credential nilod.store-key
 * ($CREDENTIALS_DIRECTORY/nilod.store-key); DIR/store.key.  Each holds 32 bytes, or 64 hexadecimal digits.
 * In memory it goes into no core dump and is wiped when it is freed; nothing prints it. */
#ifndef NILO_STORAGE_STORE_KEY_H
#define NILO_STORAGE_STORE_KEY_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>

struct store_key;

/* `file` NULL: no option. NOT_FOUND: there is none, and `r` is empty; INVALID: what the option or the credential names does not
 * read, or holds something else; IO. */
MUST_CHECK enum err store_key_find(const char *dir, const char *file, struct store_key **out, struct refusal *r);
/* Makes DIR/store.key (mode 0600) from the system's generator, durable when this returns. EXISTS, FULL, IO. */
MUST_CHECK enum err store_key_make(const char *dir, struct store_key **out, struct refusal *r);
void store_key_free(struct store_key *k); /* NULL is fine */
const char *store_key_path(const struct store_key *k);
bool store_key_is_own(const struct store_key *k); /* it lies in DIR, beside what it seals */
bool store_key_is_open(const struct store_key *k); /* others may read its file */

/* DIR/store.key, where there is one, into the copy `to` (mode 0600). *out_copied: there was. */
MUST_CHECK enum err store_key_copy(const char *dir, const char *to, bool *out_copied, struct refusal *r);

#define SEALED_MORE 28 /* bytes by which a sealed text is longer: nonce, tag */

/* `place` is bound to it: the same bytes elsewhere do not open. Any thread. NO_MEMORY, IO (no randomness). */
MUST_CHECK enum err store_key_seal(const struct store_key *k, struct span place, struct span text, uint8_t *out /* text.len + SEALED_MORE */);
/* FORBIDDEN: it was sealed under another key, or for another place. `out` holds sealed.len − SEALED_MORE. */
MUST_CHECK enum err store_key_unseal(const struct store_key *k, struct span place, struct span sealed, uint8_t *out, size_t cap, size_t *out_len);

/* Eight hexadecimal digits by which people tell a key from another and learn nothing of it. */
#define FINGERPRINT_SIZE 9
void store_key_fingerprint(const struct store_key *k, uint8_t kind, struct span key, char out[FINGERPRINT_SIZE]);

#endif
