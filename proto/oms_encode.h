/* M-Bus telegrams the other way: for tests, the simulator and whoever makes sample frames.  The records are the caller's bytes. */
#ifndef NILO_PROTO_OMS_ENCODE_H
#define NILO_PROTO_OMS_ENCODE_H

#include "proto/oms_link.h"

struct oms_writing {
    enum oms_form form;          /* with or without link CRCs, or wired */
    uint8_t c;                   /* 0: 44, wired 08 */
    uint8_t primary;             /* wired: the address on the bus */
    struct oms_address link;     /* who sends it by radio */
    struct oms_address meter;    /* of the long header */
    uint8_t ell;                 /* CI of an extended link layer, 8C to 8F; 0: none */
    uint8_t cc;
    struct oms_address receiver; /* of 8E and 8F */
    uint32_t session;            /* of 8D and 8F; bits 31..29 = 1: enciphered with `key` */
    uint8_t ci;                  /* of the transport layer: 7A, 72, 78, 79, … */
    uint8_t access, status, mode; /* mode 0, 2, 5, 7; an ELL takes the access number as well */
    uint32_t counter;            /* mode 7: an AFL with a MAC of 8 bytes stands before the transport layer */
    const uint8_t *key;          /* 16 bytes, mode 2: 8 */
    struct span records;
    size_t clear;                /* so many of their last bytes stay in the clear, behind the blocks */
};

#define OMS_TELEGRAM_MOST 290 /* 255 of L, and what the link adds */

/* TOO_LARGE where a length byte cannot tell it, UNSUPPORTED for other modes, NO_MEMORY; FULL where `out` is. */
MUST_CHECK enum err oms_encode(const struct oms_writing *of, struct wr *out);

#endif
