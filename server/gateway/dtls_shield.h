/* What a listener does about more ClientHellos than it can answer.  They share one queue of the
 * kernel with the records of sessions: where it overflows, both are lost.  So while they come too
 * fast, the kernel lets only a share of them in, by chance; records, and hellos that show a cookie,
 * always pass.  A meter that was left out says its hello again after a second. */
#ifndef NILO_SERVER_GATEWAY_DTLS_SHIELD_H
#define NILO_SERVER_GATEWAY_DTLS_SHIELD_H

#include <stdbool.h>
#include <stdint.h>

struct dtls_shield {
    uint64_t until_us;        /* the end of this window */
    uint32_t hellos;          /* without a cookie, in this window */
    uint32_t reads, backlogs; /* reads, and those after which there was more */
    uint32_t share;           /* let in, of DTLS_SHIELD_ALL */
};

#define DTLS_SHIELD_ALL 65536

void dtls_shield_init(struct dtls_shield *s);
/* Once a read: how many hellos it brought, and whether there is more. Sets the socket's filter when a
 * window is over and its share has changed. */
void dtls_shield_read(struct dtls_shield *s, int fd, uint32_t hellos, bool more, uint64_t now_us);

/* The share that follows from a window; pure. */
uint32_t dtls_shield_next(const struct dtls_shield *s);

#endif
