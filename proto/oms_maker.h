/* Makers' own ciphers behind CI A0 to A7, and behind CI 7A with a security mode of 16 and more, undone before a recipe or the records
 * are read.
 *
 *   Diehl (PRIOS)   a shift register over all behind the first 15 bytes, seeded by these and a key of 8 bytes, mostly a published one
 *   Apator NA-1     AES-128 CBC over 16 bytes behind two in the clear, initial vector as in mode 5 */
#ifndef NILO_PROTO_OMS_MAKER_H
#define NILO_PROTO_OMS_MAKER_H

#include "proto/oms_link.h"

/* Where `t` is of such a kind, t->records becomes a copy in the clear, byte for byte at the same places; where it turns out to be plain
 * records, t->content OMS_RECORDS. Anything else stays as it is. UNKNOWN, NO_KEY, WRONG_KEY, NO_MEMORY. */
MUST_CHECK enum err oms_maker_open(const struct dialect_input *in, const struct frame_names *names, struct oms_telegram *t,
                                   struct arena *a, struct refusal *r);

#endif
