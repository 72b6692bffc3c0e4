/* One handshake of DTLS 1.2 with a pre-shared key, by OpenSSL and without a socket: datagrams go in,
 * datagrams come out.  All of one struct dtls_shaker: one thread at a time. */
#ifndef NILO_SERVER_GATEWAY_DTLS_SHAKE_H
#define NILO_SERVER_GATEWAY_DTLS_SHAKE_H

#include "server/gateway/dtls_seal.h"

#define DTLS_PSK_MAX 64
#define DTLS_IDENTITY_MAX 32 /* a meter's name; no longer one has a key */
#define DTLS_SAID_MAX 1252   /* a datagram of ours: IPv6's smallest MTU holds it */

/* A key of whoever calls itself `identity`; `attempt`: 0 at first, one more after each
 * handshake under that name and from that address which came to nothing for want of the right key. False: nobody has that name, or no key. */
typedef bool dtls_psk(void *arg, struct span identity, unsigned attempt, uint8_t out[DTLS_PSK_MAX],
                      size_t *out_len);

struct dtls_shaker_options {
    dtls_psk *psk;
    void *psk_arg;
    /* `who` is the one that its handshake was begun for. */
    void (*say)(void *who, struct span datagram);
    bool (*cookie)(void *who, struct span cookie);
    unsigned (*attempt)(void *who, struct span identity);
};

struct dtls_shaker;
MUST_CHECK enum err dtls_shaker_new(const struct dtls_shaker_options *options,
                                    struct dtls_shaker **out);
void dtls_shaker_free(struct dtls_shaker *s); /* after its handshakes; NULL is fine */

struct dtls_shake;
/* The first datagram it hears is a ClientHello whose cookie holds. */
MUST_CHECK enum err dtls_shake_new(struct dtls_shaker *s, void *who, struct dtls_shake **out);
void dtls_shake_free(struct dtls_shake *k); /* NULL is fine */

enum dtls_shake_state { DTLS_SHAKING, DTLS_SHAKEN, DTLS_SHAKE_FAILED };
/* Also once it is over: a Finished that comes again is answered again. */
enum dtls_shake_state dtls_shake_hear(struct dtls_shake *k, struct span datagram);
/* Says again what may have been lost, if it is time; whether it was. Within the first two of an
 * answer that is waited for 4 s (a narrow-band radio takes seconds), then twice as long. */
bool dtls_shake_tick(struct dtls_shake *k);

enum dtls_identity { DTLS_NAMELESS, DTLS_UNKNOWN, DTLS_KNOWN };
/* What the client calls itself: proven only once it is DTLS_SHAKEN. */
enum dtls_identity dtls_shake_identity(const struct dtls_shake *k, struct span *out);
/* Of one that is over. What came together with its end is OpenSSL's to open; false: no more. */
bool dtls_shake_early(struct dtls_shake *k, uint8_t *room, size_t cap, struct span *out);
bool dtls_shake_keys(struct dtls_shake *k, struct dtls_crypt *c, struct dtls_keys *out);

#endif
