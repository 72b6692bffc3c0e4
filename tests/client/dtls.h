/* A DTLS client for tests: OpenSSL's own state machine between two buffers, so that a test sees and
 * may hold back, change or repeat each datagram.  Calls fail the test where the system fails; every
 * wait is bounded. */
#ifndef NILO_TESTS_CLIENT_DTLS_H
#define NILO_TESTS_CLIENT_DTLS_H

#include "tests/client/coap.h"

struct ssl_st;
struct ssl_ctx_st;

struct secure {
    struct probe probe; /* the socket beneath */
    struct ssl_ctx_st *context;
    struct ssl_st *ssl;
    char identity[200], key[65]; /* key: its bytes, as text */
    unsigned heard;              /* datagrams in all */
    uint64_t
        kinds; /* of those: bits 0 to 31 messages of a handshake in the clear, 40 and on other records */
    uint8_t last[2048]; /* the newest datagram sent */
    size_t last_len;
};

#define SECURE_KEY "0123456789abcdef"

/* `from` as of probe_open; `suite` as OpenSSL names it, NULL: any. */
void secure_open(struct secure *s, const char *host, const char *port, const char *from,
                 const char *identity, const char *key, const char *suite);
void secure_close(struct secure *s);                   /* says nothing */
void secure_anew(struct secure *s, const char *suite); /* forgets the session, keeps the socket */

/* The whole handshake, repeating what is lost; false: it was not over in that time. */
bool secure_shake(struct secure *s, int wait_ms);

/* In steps. secure_turn: what the client would say now, without sending it; 0: nothing. */
size_t secure_turn(struct secure *s, uint8_t *out, size_t cap);
void secure_say(struct secure *s, struct span datagram);
bool secure_take(struct secure *s, int wait_ms); /* one datagram, to be read by the next turn */
void secure_feed(struct secure *s, struct span datagram); /* the same, of bytes at hand */
bool secure_is_shaken(const struct secure *s);

void secure_send(struct secure *s, struct span plain);
/* The next message; false after `wait_ms` without one. */
bool secure_hear(struct secure *s, int wait_ms, struct heard *out);
/* As probe_ask. */
void secure_ask(struct secure *s, const struct message *m, struct heard *out);
void secure_bye(struct secure *s); /* close_notify */

#endif
