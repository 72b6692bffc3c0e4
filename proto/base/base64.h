/* Base 64 (RFC 4648). */
#ifndef NILO_PROTO_BASE_BASE64_H
#define NILO_PROTO_BASE_BASE64_H

#include "proto/base/wr.h"

#define BASE64_MOST(len) ((len) / 4 * 3 + 2) /* bytes that `len` characters hold at most */

/* Both alphabets are taken (+/ and -_), padding may be left out but not be wrong. Any other character, a length that no bytes give,
 * or last bits that are not 0 (§3.5): MALFORMED. FULL. `out_len` may be changed in any case, and where MALFORMED tells the offset. */
MUST_CHECK enum err base64_read(struct span text, uint8_t *out, size_t cap, size_t *out_len);
void base64_write(struct wr *w, struct span bytes); /* +/, padded */

#endif
