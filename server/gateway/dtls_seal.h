/* Records of an established session: opened and sealed with the keys that its handshake agreed on.
 *
 * OpenSSL shakes hands; what comes after needs some 250 bytes a session here, where OpenSSL's own
 * state takes 35 KB (buffers freed; measured with 3.0).  A hundred thousand sleeping meters are then
 * 25 MB, not 3.5 GB, and nobody is forgotten for want of memory. Ciphers are OpenSSL's. */
#ifndef NILO_SERVER_GATEWAY_DTLS_SEAL_H
#define NILO_SERVER_GATEWAY_DTLS_SEAL_H

#include "server/gateway/dtls_wire.h"

enum dtls_suite { DTLS_CCM8, DTLS_GCM, DTLS_CBC }; /* CBC with encrypt-then-MAC alone (RFC 7366) */

struct dtls_way {
    uint8_t key[16], iv[4], mac[32];
};

struct dtls_keys {
    enum dtls_suite suite;
    struct dtls_way in, out;
    uint64_t out_seq;           /* of the next record */
    uint64_t in_top, in_window; /* the highest number taken; bit n: top − n was taken */
};

#define DTLS_SECRET_BYTES 48
#define DTLS_RANDOM_BYTES 32
#define DTLS_SEAL_BYTES                                                                            \
    (DTLS_HEAD + 64) /* a sealed record is longer than what is in it by at most so much */

struct dtls_crypt; /* contexts of ciphers, for all sessions; one thread at a time */
MUST_CHECK enum err
dtls_crypt_new(struct dtls_crypt **out);    /* NO_MEMORY: or OpenSSL lacks a cipher */
void dtls_crypt_free(struct dtls_crypt *c); /* NULL is fine */

/* A server's keys (RFC 5246 §6.3). False: OpenSSL failed. */
bool dtls_keys_derive(struct dtls_crypt *c, enum dtls_suite suite,
                      const uint8_t master[DTLS_SECRET_BYTES],
                      const uint8_t client_random[DTLS_RANDOM_BYTES],
                      const uint8_t server_random[DTLS_RANDOM_BYTES], struct dtls_keys *out);

/* What a record of epoch 1 says, into `room`, which holds as many bytes as its fragment. False:
 * forged, or taken before, or too old to tell; the session is as it was. */
bool dtls_open(struct dtls_crypt *c, struct dtls_keys *k, const struct dtls_record *r,
               uint8_t *room, struct span *out);

/* Writes a record; `out` has room for DTLS_SEAL_BYTES more than `plain`. Its length; 0: OpenSSL failed. */
size_t dtls_seal(struct dtls_crypt *c, struct dtls_keys *k, enum dtls_type type, struct span plain,
                 uint8_t *out);

#endif
