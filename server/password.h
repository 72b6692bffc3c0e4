/* Passwords: kept as scrypt (RFC 7914) of themselves, N = 2^15, r = 8, p = 3: 32 MiB and some 0.2 s a try, as OWASP's Password Storage
 * Cheat Sheet has it.  Any thread; at most PASSWORD_AT_ONCE reckon at a time, so many others wait their turn, and more are refused. */
#ifndef NILO_SERVER_PASSWORD_H
#define NILO_SERVER_PASSWORD_H

#include "storage/ledger.h"

#define PASSWORD_LEAST 8 /* bytes (NIST SP 800-63B, 5.1.1.1) */
#define PASSWORD_MOST 256
#define PASSWORD_AT_ONCE 2
#define PASSWORD_WAITING 8

/* NO_MEMORY, IO (no randomness); LIMIT: too many wait. */
MUST_CHECK enum err password_hash(struct span password, struct password_hash *out);
/* `hash` NULL: of somebody who is not there; it takes as long and never fits. CORRUPT: figures that no hash of ours has; NO_MEMORY, LIMIT. */
MUST_CHECK enum err password_fits(struct span password, const struct password_hash *hash, bool *out_fits);

#endif
