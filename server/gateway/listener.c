#include "server/gateway/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of the kernel's buffers: a city after an outage, while one sync takes long. */
#define SOCKET_BYTES (16 << 20)

/* ---- sockets ---- */

/* Privileged processes get what they ask for, others what the system grants. */
static void enlarge(int fd, int forced, int asked)
{
    int bytes = SOCKET_BYTES;

    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes))
        (void)setsockopt(fd, SOL_SOCKET, asked, &bytes, sizeof bytes);
}

/* No SO_REUSEADDR: a UDP port is free at once when its holder ends, and with it a second server
 * would take the first one's datagrams unseen. */
static bool prepare(struct listener *l)
{
    int on = 1, never = IP_PMTUDISC_PROBE;

    /* Answers are far smaller than any path's MTU. Unfragmentable ones need no identification from
     * the kernel's shared table (4 % of a busy core), and a forged "fragmentation needed" has no
     * say. */
    if (l->family == AF_INET)
        (void)setsockopt(l->fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never);
    enlarge(l->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    enlarge(l->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (l->family == AF_INET6 && setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
        return false;
    if (!l->wildcard)
        return true;
    if (l->family == AF_INET)
        return setsockopt(l->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0;
    return setsockopt(l->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0;
}

enum err listener_open(struct listener *l, const char *option, const char *address,
                       struct refusal *r)
{
    struct address a;

    if (!address_read(address, &a))
        return refuse(r, ERR_INVALID, 0, option,
                      "%s: found %.60s, expected ADDR:PORT like 127.0.0.1:5683 or [::1]:5683",
                      option, address);
    l->family = a.at.ss_family;
    l->wildcard = address_is_any(&a);
    l->fd = socket(l->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd >= 0 && prepare(l) && bind(l->fd, (const struct sockaddr *)&a.at, a.len) == 0)
        return ERR_OK;
    (void)refuse(r, ERR_IO, 0, option, "cannot listen on %s: %s%s", address, strerror(errno),
                 errno == EADDRINUSE ? "; end the program that does, or choose another port" : "");
    listener_close(l);
    return ERR_IO;
}

void listener_close(struct listener *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* ---- reading ---- */

#define LINE 64 /* of the cache: datagrams begin at one */

union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct inbox {
    struct mmsghdr headers[INBOX_DATAGRAMS];
    struct iovec vectors[INBOX_DATAGRAMS];
    union control controls[INBOX_DATAGRAMS];
    struct route routes[INBOX_DATAGRAMS];
    struct datagram datagrams[INBOX_DATAGRAMS];
    uint8_t identities[INBOX_DATAGRAMS][INBOX_IDENTITY];
    size_t room, stride; /* of one datagram */
    unsigned filled;     /* by inbox_put */
    uint8_t *bytes;
};

enum err inbox_new(size_t room, struct inbox **out)
{
    struct inbox *in = (struct inbox *)calloc(1, sizeof *in);

    if (!in)
        return ERR_NO_MEMORY;
    in->room = room;
    in->stride = (room + LINE - 1) / LINE * LINE;
    in->bytes = (uint8_t *)aligned_alloc(LINE, INBOX_DATAGRAMS * in->stride);
    if (!in->bytes) {
        free(in);
        return ERR_NO_MEMORY;
    }
    for (unsigned i = 0; i < INBOX_DATAGRAMS; i++) {
        in->vectors[i] = (struct iovec){ in->bytes + i * in->stride, room };
        in->headers[i].msg_hdr.msg_iov = &in->vectors[i];
        in->headers[i].msg_hdr.msg_iovlen = 1;
        in->headers[i].msg_hdr.msg_name = &in->routes[i].peer;
        in->headers[i].msg_hdr.msg_namelen = sizeof in->routes[i].peer;
    }
    *out = in;
    return ERR_OK;
}

void inbox_free(struct inbox *in)
{
    if (in)
        free(in->bytes);
    free(in);
}

void route_peer(const struct route *route, struct peer *out)
{
    if (route->peer.any.sa_family == AF_INET) {
        out->len = 4;
        memset(out->address, 0, sizeof out->address);
        memcpy(out->address, &route->peer.v4.sin_addr, 4);
        out->port = ntohs(route->peer.v4.sin_port);
    } else {
        out->len = 16;
        memcpy(out->address, &route->peer.v6.sin6_addr, 16);
        out->port = ntohs(route->peer.v6.sin6_port);
    }
}

static void take_local(struct msghdr *h, struct route *route)
{
    route->has_local = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&route->local.v4, CMSG_DATA(c), sizeof route->local.v4);
            /* The address that was asked; the way back is the routing table's to find. */
            route->local.v4.ipi_spec_dst = route->local.v4.ipi_addr;
            route->local.v4.ipi_ifindex = 0;
            route->has_local = true;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&route->local.v6, CMSG_DATA(c), sizeof route->local.v6);
            if (!IN6_IS_ADDR_LINKLOCAL(&route->local.v6.ipi6_addr))
                route->local.v6.ipi6_ifindex = 0;
            route->has_local = true;
        }
    }
}

static void take(struct inbox *in, const struct listener *l, unsigned i)
{
    struct msghdr *h = &in->headers[i].msg_hdr;
    struct datagram *d = &in->datagrams[i];

    route_peer(&in->routes[i], &d->peer);
    d->bytes = span_of(in->vectors[i].iov_base, in->headers[i].msg_len);
    d->cut = (h->msg_flags & MSG_TRUNC) != 0;
    if (l->wildcard)
        take_local(h, &in->routes[i]);
    else
        in->routes[i].has_local = false;
}

unsigned inbox_read(struct inbox *in, const struct listener *l, unsigned most)
{
    int n;

    if (l->wildcard)
        for (unsigned i = 0; i < most; i++) {
            in->headers[i].msg_hdr.msg_control = &in->controls[i];
            in->headers[i].msg_hdr.msg_controllen = sizeof in->controls[i];
        }
    n = recvmmsg(l->fd, in->headers, most, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        take(in, l, (unsigned)i);
        in->headers[i].msg_hdr.msg_namelen = sizeof in->routes[i].peer;
        if (!l->wildcard)
            in->headers[i].msg_hdr.msg_controllen = 0;
    }
    return n > 0 ? (unsigned)n : 0;
}

void inbox_clear(struct inbox *in)
{
    in->filled = 0;
}

unsigned inbox_filled(const struct inbox *in)
{
    return in->filled;
}

bool inbox_put(struct inbox *in, const struct route *route, const struct datagram *d)
{
    unsigned i = in->filled;
    size_t len = d->bytes.len < in->room ? d->bytes.len : in->room;

    assert(d->identity.len <= INBOX_IDENTITY);
    if (i == INBOX_DATAGRAMS)
        return false;
    in->routes[i] = *route;
    in->datagrams[i] = *d;
    in->datagrams[i].cut = d->cut || len < d->bytes.len;
    memcpy(in->vectors[i].iov_base, d->bytes.at, len);
    in->datagrams[i].bytes = span_of(in->vectors[i].iov_base, len);
    if (d->identity.len)
        memcpy(in->identities[i], d->identity.at, d->identity.len);
    in->datagrams[i].identity = span_of(in->identities[i], d->identity.len);
    in->filled++;
    return true;
}

const struct datagram *inbox_datagram(const struct inbox *in, unsigned n)
{
    return &in->datagrams[n];
}

const struct route *inbox_route(const struct inbox *in, unsigned n)
{
    return &in->routes[n];
}
