/* A kept answer that holds a secret, so that the store alone does not tell it: AES-256-GCM under the asker's own token, of which
 * the store knows only the hash. */
#ifndef NILO_SERVER_QUERY_SEAL_H
#define NILO_SERVER_QUERY_SEAL_H

#include "proto/base/err.h"
#include "proto/base/span.h"
#include "server/out.h"

/* Bytes: 12 of nonce, 16 of tag, then as many as `plain` has. */
MUST_CHECK enum err seal_close(struct span token, struct span plain, struct out *sealed);
/* CORRUPT: another token's, or changed. `plain` is then as it was. */
MUST_CHECK enum err seal_open(struct span token, struct span sealed, struct out *plain);

#endif
