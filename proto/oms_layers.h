/* The layers of an M-Bus telegram above the link, one behind the other, each begun by a CI field (EN 13757-7):
 *
 *   ELL  8C CC ACC · 8D CC ACC SN4 [CRC2 …] · 8E, 8F the same with the receiver's M2 A6 after ACC     extended link
 *   AFL  90 len FCL2 [MCL1] [KI2] [C4] [MAC] [ML2]                                                  authentication, fragments
 *   TPL  CI [ID4 M2 V T] [ACC STS CF2 [CFE]] …                                                      transport
 *
 * What stands in brackets behind SN is enciphered as SN says; what follows the TPL, as CF says (oms_open.h). */
#ifndef NILO_PROTO_OMS_LAYERS_H
#define NILO_PROTO_OMS_LAYERS_H

#include "proto/oms_link.h"

/* Takes the layers off, with the meter's keys. Fills `t` beyond what oms_link_read did, and of `out` names, status, seq, seq_rule and
 * digest, these on errors of class WAIT as well. MALFORMED, TRUNCATED, UNSUPPORTED, UNKNOWN (enciphered, and nobody registered the
 * meter), NO_KEY, WRONG_KEY, NO_MEMORY. */
MUST_CHECK enum err oms_layers_read(const struct dialect_input *in, struct span layers, struct arena *a, struct oms_telegram *t,
                                    struct frame *out, struct refusal *r);

bool oms_ci_has_header(uint8_t ci); /* ACC STS CF2 follow, maybe behind an address */
bool oms_ci_is_long(uint8_t ci);    /* with the meter's address before them */

#endif
