/* What stands in the clear in a DTLS 1.2 datagram (RFC 6347): records' heads, and a ClientHello as
 * far as it is needed before there is a session.  Pure; nothing here trusts a length. */
#ifndef NILO_SERVER_GATEWAY_DTLS_WIRE_H
#define NILO_SERVER_GATEWAY_DTLS_WIRE_H

#include "server/gateway/hash.h"

#define DTLS_HEAD 13 /* bytes of a record before its fragment */
#define DTLS_1_2 0xfefd
#define DTLS_SEQ_MAX ((1ull << 48) - 1)

enum dtls_type { DTLS_CHANGE = 20, DTLS_ALERT, DTLS_HANDSHAKE, DTLS_DATA };

struct dtls_record {
    uint8_t type;
    uint16_t version, epoch;
    uint64_t seq; /* 48 bits */
    struct span fragment;
};

/* Takes the next record off the front of `rest`; false: what is left there is none. */
bool dtls_record_next(struct span *rest, struct dtls_record *out);

struct dtls_hello {
    uint64_t seq; /* of its record: the answer bears the same */
    struct span random, cookie;
};

/* A ClientHello, or the first fragment of one up to its cookie. */
bool dtls_hello_read(const struct dtls_record *r, struct dtls_hello *out);

/* Whether OpenSSL may be given a handshake message in the clear: it would set memory aside for as
 * long a message as the head promises, and for messages that are not due yet. */
bool dtls_handshake_is_modest(const struct dtls_record *r);

/* ---- cookies: who shows one can read what is sent to its address ---- */

#define DTLS_COOKIE_BYTES 16
#define DTLS_COOKIE_S 60 /* one holds for so long, and at most twice that */

void dtls_cookie_make(const struct hash_key *key, const struct endpoint *from, uint64_t now_s,
                      uint8_t out[DTLS_COOKIE_BYTES]);
bool dtls_cookie_holds(const struct hash_key *key, const struct endpoint *from, uint64_t now_s,
                       struct span cookie);

#define DTLS_VERIFY_BYTES (DTLS_HEAD + 12 + 3 + DTLS_COOKIE_BYTES)
/* A HelloVerifyRequest; shorter than any ClientHello, so a forged sender gains nothing. */
void dtls_verify_write(const struct dtls_hello *hello, const uint8_t cookie[DTLS_COOKIE_BYTES],
                       uint8_t out[DTLS_VERIFY_BYTES]);

#endif
