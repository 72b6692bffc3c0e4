/* Every bound, with its reason. */
#ifndef NILO_PROTO_BASE_LIMITS_H
#define NILO_PROTO_BASE_LIMITS_H

#define LIMIT_DATAGRAM 1500          /* one Ethernet frame: longer CoAP messages are fragments that meters do not send */
#define LIMIT_PAYLOAD_PLAIN 1152     /* contract: a payload without Block1 (RFC 7252 §4.6 suggests 1 024 in 1 152 in all) */
#define LIMIT_PAYLOAD_BLOCK 65536    /* contract: a payload with Block1 */
#define LIMIT_BACK 1024              /* contract: earlier values in one series */
#define LIMIT_SERIES (LIMIT_PAYLOAD_BLOCK / 2)   /* a series has two bytes or more; readings at odd times take one each */
#define LIMIT_OUTCOMES (LIMIT_PAYLOAD_BLOCK / 2) /* likewise */
#define LIMIT_DECODE_ARENA (8 << 20) /* holds any payload decoded: protobuf-c takes up to 64 bytes for one, then the values */
#define LIMIT_BATCH_BYTES (4 << 20)  /* one journal value; 24 bits of a position address a byte in it */
#define LIMIT_BATCH_RECORDS 8192
#define LIMIT_UNSETTLED 24000000     /* records whose place is held in memory until they are settled, 12 bytes each: two reports and
                                        more of each of ten million meters; beyond it reports are turned away (FULL) */
#define LIMIT_METERS (1u << 26)      /* dense ids; six times the largest city we know of */
#define LIMIT_TEXT 1024              /* one text cell of a file or a request */

_Static_assert(LIMIT_BATCH_BYTES < (1 << 24), "a position has 24 bits for the byte");
_Static_assert(LIMIT_PAYLOAD_BLOCK * 4 <= LIMIT_BATCH_BYTES, "a batch holds the largest payload");

#endif
