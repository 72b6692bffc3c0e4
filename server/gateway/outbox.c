#include "server/gateway/outbox.h"

#include "server/gateway/gate.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define SPARE 24       /* header, token, and Max-Age or Block1: whichever way the commit ends */
#define PATIENCE_MS 50 /* for a full send buffer; then replies are lost, and asked for again */

_Static_assert(ANSWER_MAX >= ANSWER_HEAD_MAX + GATE_TEXT_MAX, "any answer fits");

union outbox_control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

enum err outbox_init(struct outbox *o, uint32_t cap, size_t typical)
{
    *o = (struct outbox){ .cap = cap, .room = cap * typical + ANSWER_MAX };
    o->replies = (struct reply *)malloc(cap * sizeof *o->replies);
    o->bytes = (uint8_t *)malloc(o->room);
    o->headers = (struct mmsghdr *)calloc(cap, sizeof *o->headers);
    o->vectors = (struct iovec *)malloc(cap * sizeof *o->vectors);
    o->controls = (union outbox_control *)calloc(cap, sizeof *o->controls);
    if (o->replies && o->bytes && o->headers && o->vectors && o->controls)
        return ERR_OK;
    outbox_done(o);
    return ERR_NO_MEMORY;
}

enum err outbox_seal_with(struct outbox *o, outbox_sealer *sealer, void *arg)
{
    o->sealer = sealer;
    o->sealer_arg = arg;
    o->sealed = (uint8_t *)malloc(o->room + (size_t)o->cap * OUTBOX_SEAL);
    return o->sealed ? ERR_OK : ERR_NO_MEMORY;
}

void outbox_done(struct outbox *o)
{
    free(o->sealed);
    free(o->replies);
    free(o->bytes);
    free(o->headers);
    free(o->vectors);
    free(o->controls);
    *o = (struct outbox){ 0 };
}

void outbox_clear(struct outbox *o)
{
    o->count = 0;
    o->used = 0;
}

void outbox_add(struct outbox *o, const struct route *route, const struct coap_answer *a,
                uint8_t no_response, bool spare, uint32_t follows)
{
    struct reply *reply = &o->replies[o->count++];
    struct wr w = wr_of(o->bytes + o->used, ANSWER_MAX);

    coap_answer_write(a, &w);
    assert(!w.err);
    reply->route = *route;
    reply->bytes = w.start;
    reply->len = (uint16_t)wr_len(&w);
    reply->no_response = no_response;
    reply->follows = follows;
    o->used += spare && reply->len < SPARE ? SPARE : reply->len;
}

bool outbox_add_bytes(struct outbox *o, const struct route *route, struct span bytes)
{
    struct reply *reply = &o->replies[o->count];

    if (o->count == o->cap || o->room - o->used < bytes.len)
        return false;
    *reply =
        (struct reply){ .route = *route, .bytes = o->bytes + o->used, .len = (uint16_t)bytes.len };
    memcpy(reply->bytes, bytes.at, bytes.len);
    o->used += bytes.len;
    o->count++;
    return true;
}

void outbox_turn_away(struct reply *reply)
{
    uint8_t token[TOKEN_MAX];
    struct coap_answer a = {
        .type = (enum message_type)(reply->bytes[0] >> 4 & 3),
        .mid = (uint16_t)(reply->bytes[2] << 8 | reply->bytes[3]),
        .token = { token, reply->bytes[0] & 0x0f },
    };
    struct wr w = wr_of(reply->bytes, SPARE);

    memcpy(token, reply->bytes + 4, a.token.len);
    gate_turn_away(&a);
    coap_answer_write(&a, &w);
    assert(!w.err);
    reply->len = (uint16_t)wr_len(&w);
}

/* RFC 7967 §3: a NON is not answered; a CON still is acknowledged, with nothing else. */
static void leave_out(struct reply *reply)
{
    if ((reply->bytes[0] >> 4 & 3) != MESSAGE_ACK) {
        reply->len = 0;
        return;
    }
    reply->bytes[0] = 1 << 6 | MESSAGE_ACK << 4;
    reply->bytes[1] = CODE_EMPTY;
    reply->len = 4;
}

static size_t put_local(const struct route *route, union outbox_control *control)
{
    struct cmsghdr *c = &control->align;

    if (!route->has_local)
        return 0;
    if (route->peer.any.sa_family == AF_INET) {
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof route->local.v4);
        memcpy(CMSG_DATA(c), &route->local.v4, sizeof route->local.v4);
        return CMSG_SPACE(sizeof route->local.v4);
    }
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof route->local.v6);
    memcpy(CMSG_DATA(c), &route->local.v6, sizeof route->local.v6);
    return CMSG_SPACE(sizeof route->local.v6);
}

static void put_header(struct outbox *o, uint32_t n, struct reply *reply)
{
    struct msghdr *h = &o->headers[n].msg_hdr;

    o->vectors[n] = (struct iovec){ reply->bytes, reply->len };
    h->msg_name = &reply->route.peer;
    h->msg_namelen = reply->route.peer.any.sa_family == AF_INET ? sizeof reply->route.peer.v4
                                                                : sizeof reply->route.peer.v6;
    h->msg_iov = &o->vectors[n];
    h->msg_iovlen = 1;
    h->msg_controllen = put_local(&reply->route, &o->controls[n]);
    h->msg_control = h->msg_controllen ? &o->controls[n] : NULL;
}

/* Encrypted, the bytes stand elsewhere: behind those of the answers before. */
static void seal(struct outbox *o, struct reply *reply, uint8_t **at)
{
    reply->len =
        (uint16_t)o->sealer(o->sealer_arg, &reply->route, span_of(reply->bytes, reply->len), *at);
    reply->bytes = *at;
    *at += reply->len;
}

static uint32_t prepare(struct outbox *o)
{
    uint8_t *sealed = o->sealed;
    uint32_t n = 0;

    for (uint32_t i = 0; i < o->count; i++) {
        struct reply *reply = &o->replies[i];

        if (reply->no_response && coap_answer_unwanted(reply->no_response, reply->bytes[1]))
            leave_out(reply);
        if (reply->len && o->sealer)
            seal(o, reply, &sealed);
        if (reply->len)
            put_header(o, n++, reply);
    }
    return n;
}

uint32_t outbox_send(struct outbox *o, int fd, uint32_t *lost)
{
    uint32_t n = prepare(o), at = 0, sent = 0;
    bool waited = false;

    *lost = 0;
    while (at < n) {
        int k = sendmmsg(fd, o->headers + at, n - at, MSG_DONTWAIT);

        if (k > 0) {
            at += (uint32_t)k;
            sent += (uint32_t)k;
        } else if (errno == EAGAIN && !waited) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };

            waited = poll(&p, 1, PATIENCE_MS) <= 0;
        } else if (errno != EINTR) { /* this one has no way back: the others do not suffer for it */
            at++;
        }
    }
    *lost = n - sent;
    return sent;
}
