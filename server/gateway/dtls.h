/* CoAP in DTLS 1.2 with pre-shared keys: encrypted datagrams in, plain ones out with the identity
 * that each proves, and answers encrypted again.  udp.c reads through it where its listeners are
 * coaps; everything after that is what plain datagrams go through.
 *
 *   a stranger       is sent a cookie, and no memory is kept of it (dtls_wire.h)
 *   a handshake      begins with a cookie that holds. It waits in a queue of which each turn serves a
 *                    few, so that a flood of them delays nobody else; the oldest make room
 *   a session        is keys and numbers (dtls_seal.h); the one not heard of for longest makes room
 *
 * A handshake beside a session of the same endpoint replaces that once it is complete: who forges a
 * sender's address ends nobody's session.  Records of sessions that are not known are counted and
 * met with silence, for an alert could be had by anybody and believed by the meter.
 *
 *   dtls_read, dtls_wait_ms   one thread      dtls_seal_reply   another, at any time */
#ifndef NILO_SERVER_GATEWAY_DTLS_H
#define NILO_SERVER_GATEWAY_DTLS_H

#include "server/gateway/dtls_shake.h"
#include "server/gateway/listener.h"

#define DTLS_LISTENERS_MAX 16
#define DTLS_SESSIONS_MAX (1 << 26) /* as many as meters have ids */

struct dtls_options {
    uint32_t sessions; /* at most, 1 to DTLS_SESSIONS_MAX; 250 bytes each, taken as they are used */
    uint32_t handshake_rate; /* begun a second by one address; 0 = no limit */
    dtls_psk *psk;           /* on the reading thread */
    void *psk_arg;
};

struct dtls;
/* For so many listeners, numbered from 0. */
MUST_CHECK enum err dtls_new(const struct dtls_options *options, unsigned listeners,
                             struct dtls **out);
void dtls_free(struct dtls *d); /* NULL is fine */

/* Reads what is there and does a turn of handshakes; `plain` holds what came of it. How many. */
unsigned dtls_read(struct dtls *d, unsigned number, const struct listener *l, struct inbox *plain);
/* How long nothing has to be done while no datagram comes. */
int dtls_wait_ms(const struct dtls *d);

/* An outbox_sealer: for the session that `route` names; 0: it is gone. `d` is a struct dtls. */
size_t dtls_seal_reply(void *d, const struct route *route, struct span plain, uint8_t *out);

/* ---- the same without sockets and clock, for tests ---- */

/* dtls_take: of one datagram; `plain` has been cleared. dtls_work: a turn of handshakes. What is said
 * meanwhile is in dtls_said(d, number). */
void dtls_take(struct dtls *d, unsigned number, const struct route *route,
               const struct datagram *datagram, uint64_t now_us, struct inbox *plain);
void dtls_work(struct dtls *d, unsigned number, uint64_t now_us, struct inbox *plain);
struct outbox *dtls_said(struct dtls *d, unsigned number);
void dtls_forget(struct dtls *d); /* all sessions and handshakes */

#endif
