/* A UDP socket that datagrams are read from, many at a time. */
#ifndef NILO_SERVER_GATEWAY_LISTENER_H
#define NILO_SERVER_GATEWAY_LISTENER_H

#include "proto/base/limits.h"
#include "server/address.h"
#include "server/gateway/gate.h"
#include "server/gateway/outbox.h"

struct listener {
    int fd;
    int family;
    bool wildcard; /* which address was asked stands beside each datagram, and answers leave from it
                    */
};

/* `option`: "coap" or "coaps"; `address` as server/address.h reads it; port 0 picks a free one. INVALID, IO with a sentence. */
MUST_CHECK enum err listener_open(struct listener *l, const char *option, const char *address,
                                  struct refusal *r);
void listener_close(struct listener *l);

/* Room for what one call of the kernel brings. */
#define INBOX_DATAGRAMS 1024

struct inbox;
/* Datagrams longer than `room` are cut. */
MUST_CHECK enum err inbox_new(size_t room, struct inbox **out);
void inbox_free(struct inbox *in); /* NULL is fine */

/* Reads what is there, at most `most`; does not wait. */
unsigned inbox_read(struct inbox *in, const struct listener *l, unsigned most);
/* The n-th of them; valid until the next read. */
const struct datagram *inbox_datagram(const struct inbox *in, unsigned n);
const struct route *inbox_route(const struct inbox *in, unsigned n);

void route_peer(const struct route *route, struct peer *out);

/* One that is filled by hand, with what came encrypted. */
#define INBOX_IDENTITY 32 /* a meter's name */
void inbox_clear(struct inbox *in);
unsigned inbox_filled(const struct inbox *in);
bool inbox_put(struct inbox *in, const struct route *route,
               const struct datagram *d); /* a copy; false: full */

#endif
