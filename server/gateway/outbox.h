/* Answers on their way out: written as they are decided, sent many at a time.  Not for two threads
 * at once. */
#ifndef NILO_SERVER_GATEWAY_OUTBOX_H
#define NILO_SERVER_GATEWAY_OUTBOX_H

#include "server/gateway/coap.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* The other side, and the address of ours that it spoke to. */
struct route {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    union {
        struct in_pktinfo v4;
        struct in6_pktinfo v6;
    } local;
    bool has_local;   /* on wildcard listeners */
    uint64_t session; /* of DTLS; 0: in the clear */
};

struct reply {
    struct route route;
    uint8_t *bytes;
    uint16_t len; /* 0: nothing is sent after all */
    uint8_t no_response;
    uint32_t follows; /* the batch whose end it tells; 0 = none, or that of its own */
};

/* Encrypts an answer for the session that asked; `out` has room for OUTBOX_SEAL more bytes. The
 * length; 0: that session is gone. */
typedef size_t outbox_sealer(void *arg, const struct route *route, struct span plain, uint8_t *out);
#define OUTBOX_SEAL 96

struct outbox {
    uint32_t count, cap;
    struct reply *replies;
    uint8_t *bytes;
    size_t used, room;
    struct mmsghdr *headers;
    struct iovec *vectors;
    union outbox_control *controls;
    outbox_sealer *sealer; /* NULL: in the clear */
    void *sealer_arg;
    uint8_t *sealed;
};

#define ANSWER_MAX 320 /* any answer of ours */

/* For `cap` answers of `typical` bytes on average. */
MUST_CHECK enum err outbox_init(struct outbox *o, uint32_t cap, size_t typical);
MUST_CHECK enum err outbox_seal_with(struct outbox *o, outbox_sealer *sealer, void *arg);
void outbox_done(struct outbox *o); /* a zeroed one is fine */
void outbox_clear(struct outbox *o);

static inline bool outbox_full(const struct outbox *o)
{
    return o->count == o->cap || o->room - o->used < ANSWER_MAX;
}

/* Writes the answer; the outbox is not full. `spare`: it may yet become a 5.03 (outbox_turn_away).
 */
void outbox_add(struct outbox *o, const struct route *route, const struct coap_answer *a,
                uint8_t no_response, bool spare, uint32_t follows);
/* Bytes that are a datagram already; false: no room, send first. */
bool outbox_add_bytes(struct outbox *o, const struct route *route, struct span bytes);
/* The store would not take it: 5.03 in place of the answer. */
void outbox_turn_away(struct reply *reply);

/* What the sender does not want to hear is left out (for a CON: an empty ACK in its place), the
 * rest is sent. Returns how many were sent; `lost` counts those that the system would not take. */
uint32_t outbox_send(struct outbox *o, int fd, uint32_t *lost);

#endif
