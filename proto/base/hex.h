/* Hexadecimal text. */
#ifndef NILO_PROTO_BASE_HEX_H
#define NILO_PROTO_BASE_HEX_H

#include "proto/base/wr.h"

int hex_digit(uint8_t c); /* what it is worth, in either case; -1: it is none */

/* Reads pairs of digits of either case; blanks between pairs are passed over. MALFORMED, FULL. */
MUST_CHECK enum err hex_read(struct span text, uint8_t *out, size_t cap, size_t *out_len);
void hex_write(struct wr *w, struct span bytes); /* lower case */

#endif
