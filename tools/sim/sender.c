#include "tools/sim/sender.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/base/wr.h"
#include "server/clock.h"
#include "tools/nilo/args.h"

#define ACK_TIMEOUT_MS 2000 /* RFC 7252 §4.8 */
#define MAX_RETRANSMIT 4
#define PATIENCE_MS 120000 /* with a server that asks to wait */
#define TOKEN_BYTES 8
#define DIALECT_MOST 12
#define HEAD_MOST (4 + TOKEN_BYTES + 2 + 1 + DIALECT_MOST + 1) /* head, token, Uri-Path, marker */
#define SOCKET_BUFFER (4 << 20)
#define LOOPBACK_NET 0x7f000000u
#define FIRST_METER_HOST 0x100000u /* 127.16.0.0: clear of what other programs use */

enum coap_type { TYPE_CON = 0, TYPE_NON = 1, TYPE_ACK = 2, TYPE_RST = 3 };

struct slot {
    bool busy;
    uint8_t port, tries;
    uint16_t mid;
    uint32_t meter, number; /* of the report: with the slot it makes the token */
    int64_t due_ms, timeout_ms, begun_ms;
    size_t len;
    uint8_t datagram[HEAD_MOST + LIMIT_PAYLOAD_PLAIN];
};

struct sender {
    int sockets[SENDER_PORTS];
    struct sockaddr_in server;
    bool many_addresses;
    uint16_t mid;
    uint32_t number;
    unsigned window, free_count;
    uint32_t *free;
    struct slot *slots;
    int64_t next_sweep_ms;
    struct sender_counts counts;
};

/* ---- opening ---- */

static bool read_address(const char *text, struct sockaddr_in *out)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "", *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

    *out = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (colon && !*end && port && port < 65536 && inet_pton(AF_INET, host, &out->sin_addr) == 1)
        return true;
    say("--coap: expected an IPv4 address and port such as 127.0.0.1:5683, found '%s'", text);
    return false;
}

static int open_socket(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, size = SOCKET_BUFFER;

    if (s < 0)
        return -1;
    setsockopt(s, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(s, (struct sockaddr *)&any, sizeof any)) {
        close(s);
        return -1;
    }
    return s;
}

struct sender *sender_open(const char *address, unsigned window)
{
    struct sender *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    for (unsigned i = 0; i < SENDER_PORTS; i++)
        s->sockets[i] = -1;
    if (!read_address(address, &s->server)) {
        sender_close(s);
        return NULL;
    }
    s->window = window;
    s->slots = calloc(window, sizeof *s->slots);
    s->free = calloc(window, sizeof *s->free);
    for (unsigned i = 0; i < SENDER_PORTS; i++)
        s->sockets[i] = open_socket();
    if (!s->slots || !s->free || s->sockets[SENDER_PORTS - 1] < 0) {
        say("no sockets for the meters could be opened: %m");
        sender_close(s);
        return NULL;
    }
    for (; s->free_count < window; s->free_count++)
        s->free[s->free_count] = s->free_count;
    s->many_addresses = (ntohl(s->server.sin_addr.s_addr) & 0xff000000u) == LOOPBACK_NET;
    s->mid = (uint16_t)time(NULL);
    return s;
}

void sender_close(struct sender *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < SENDER_PORTS; i++)
        if (s->sockets[i] >= 0)
            close(s->sockets[i]);
    free(s->slots);
    free(s->free);
    free(s);
}

/* ---- sending ---- */

/* From the meter's own address where it has one; the system picks ours otherwise. A datagram that
 * cannot leave is one that got lost: it is sent again. */
static void transmit(struct sender *s, const struct slot *slot)
{
    struct in_pktinfo source = { .ipi_spec_dst.s_addr =
                                     htonl(LOOPBACK_NET + FIRST_METER_HOST + 1 + slot->meter) };
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = { 0 };
    struct iovec io = { (void *)(uintptr_t)slot->datagram, slot->len };
    struct msghdr m = {
        .msg_name = &s->server, .msg_namelen = sizeof s->server, .msg_iov = &io, .msg_iovlen = 1
    };

    if (s->many_addresses) {
        m.msg_control = &control;
        m.msg_controllen = sizeof control.bytes;
        control.head.cmsg_level = IPPROTO_IP;
        control.head.cmsg_type = IP_PKTINFO;
        control.head.cmsg_len = CMSG_LEN(sizeof source);
        memcpy(CMSG_DATA(&control.head), &source, sizeof source);
    }
    if (sendmsg(s->sockets[slot->port], &m, 0) < 0)
        return;
}

static void put_mid(struct sender *s, struct slot *slot)
{
    slot->mid = s->mid++;
    slot->datagram[2] = (uint8_t)(slot->mid >> 8);
    slot->datagram[3] = (uint8_t)slot->mid;
}

static void start(struct sender *s, struct slot *slot)
{
    slot->tries = 0;
    slot->timeout_ms = ACK_TIMEOUT_MS + rand() % (ACK_TIMEOUT_MS / 2); /* ACK_RANDOM_FACTOR 1.5 */
    slot->due_ms = clock_monotonic_ms() + slot->timeout_ms;
    put_mid(s, slot);
    transmit(s, slot);
}

static void finish(struct sender *s, struct slot *slot)
{
    slot->busy = false;
    s->free[s->free_count++] = (uint32_t)(slot - s->slots);
}

/* ---- answers ---- */

/* Max-Age of an answer (option 14) and where its payload begins; false where the options are
 * broken. */
static bool read_options(const uint8_t *at, const uint8_t *end, uint32_t *max_age_s,
                         const uint8_t **payload)
{
    unsigned number = 0;

    *max_age_s = 60;
    *payload = end;
    while (at < end) {
        unsigned delta = *at >> 4, len = *at & 15;

        if (*at++ == 0xff) {
            *payload = at;
            return true;
        }
        if (delta > 13 || len > 12 || (delta == 13 && at == end))
            return false;
        number += delta == 13 ? 13u + *at++ : delta;
        if ((size_t)(end - at) < len)
            return false;
        if (number == 14) {
            *max_age_s = 0;
            for (unsigned i = 0; i < len; i++)
                *max_age_s = *max_age_s << 8 | at[i];
        }
        at += len;
    }
    return true;
}

static void refused(struct sender *s, struct slot *slot, unsigned code, const uint8_t *text,
                    const uint8_t *end)
{
    if (!s->counts.refused++)
        snprintf(s->counts.refusal, sizeof s->counts.refusal, "%u.%02u %.*s", code >> 5, code & 31,
                 (int)(end - text), (const char *)text);
    finish(s, slot);
}

static void answered(struct sender *s, struct slot *slot, const uint8_t *bytes, size_t len)
{
    unsigned code = bytes[1];
    const uint8_t *payload, *end = bytes + len;
    uint32_t max_age_s;
    int64_t now = clock_monotonic_ms();

    if (code >> 5 == 2) {
        s->counts.acked++;
        finish(s, slot);
        return;
    }
    if (!read_options(bytes + 4 + TOKEN_BYTES, end, &max_age_s, &payload))
        payload = end;
    if ((code == 0x9d || code == 0xa3) && now - slot->begun_ms < PATIENCE_MS) { /* 4.29, 5.03 */
        slot->tries = UINT8_MAX;                                                /* begin again */
        slot->due_ms = now + (int64_t)max_age_s * 1000;
        return;
    }
    refused(s, slot, code, payload, end);
}

/* The slot that an answer belongs to: by its token, or for a reset by its message id. */
static struct slot *slot_of(struct sender *s, const uint8_t *bytes, size_t len, unsigned port)
{
    unsigned type = len >= 4 ? bytes[0] >> 4 & 3 : TYPE_CON;
    unsigned mid = len >= 4 ? (unsigned)bytes[2] << 8 | bytes[3] : 0;
    uint32_t place, number;
    struct slot *slot;

    if (len < 4 || bytes[0] >> 6 != 1 || (type != TYPE_ACK && type != TYPE_RST))
        return NULL;
    if (type == TYPE_RST) {
        for (unsigned i = 0; i < s->window; i++)
            if (s->slots[i].busy && s->slots[i].mid == mid && s->slots[i].port == port)
                return &s->slots[i];
        return NULL;
    }
    if ((bytes[0] & 15) != TOKEN_BYTES || len < 4 + TOKEN_BYTES)
        return NULL;
    memcpy(&place, bytes + 4, 4);
    memcpy(&number, bytes + 8, 4);
    slot = place < s->window ? &s->slots[place] : NULL;
    return slot && slot->busy && slot->number == number && slot->mid == mid ? slot : NULL;
}

static void receive(struct sender *s, unsigned port)
{
    static const uint8_t reset[] = "reset";
    uint8_t bytes[LIMIT_DATAGRAM];
    ssize_t len;

    while ((len = recv(s->sockets[port], bytes, sizeof bytes, 0)) >= 0) {
        struct slot *slot = slot_of(s, bytes, (size_t)len, port);

        if (slot && (bytes[0] >> 4 & 3) == TYPE_RST)
            refused(s, slot, 0, reset, reset + sizeof reset - 1);
        else if (slot)
            answered(s, slot, bytes, (size_t)len);
    }
}

/* Sends again what is overdue, gives up what was sent often enough. */
static void sweep(struct sender *s, int64_t now)
{
    for (unsigned i = 0; i < s->window; i++) {
        struct slot *slot = &s->slots[i];

        if (!slot->busy || slot->due_ms > now)
            continue;
        if (slot->tries == MAX_RETRANSMIT) {
            s->counts.unanswered++;
            finish(s, slot);
            continue;
        }
        s->counts.resent++;
        if (slot->tries == UINT8_MAX) {
            start(s, slot);
            continue;
        }
        slot->tries++;
        slot->timeout_ms *= 2;
        slot->due_ms = now + slot->timeout_ms;
        transmit(s, slot);
    }
}

#define SWEEP_MS 100

static bool turn_once(struct sender *s)
{
    struct pollfd polls[SENDER_PORTS];
    int64_t now;

    for (unsigned i = 0; i < SENDER_PORTS; i++)
        polls[i] = (struct pollfd){ s->sockets[i], POLLIN, 0 };
    if (poll(polls, SENDER_PORTS, SWEEP_MS) < 0 && errno != EINTR) {
        say("waiting for answers failed: %m");
        return false;
    }
    for (unsigned i = 0; i < SENDER_PORTS; i++)
        if (polls[i].revents)
            receive(s, i);
    now = clock_monotonic_ms();
    if (now >= s->next_sweep_ms) {
        sweep(s, now);
        s->next_sweep_ms = now + SWEEP_MS;
    }
    return true;
}

/* Uri-Path "r" and the dialect, and the payload. */
static size_t put_request(uint8_t *out, const char *dialect, struct span payload)
{
    struct wr w = wr_of(out, HEAD_MOST + LIMIT_PAYLOAD_PLAIN - 4 - TOKEN_BYTES);
    size_t len = dialect ? strlen(dialect) : 0;

    assert(len <= DIALECT_MOST && payload.len <= LIMIT_PAYLOAD_PLAIN);
    wr_text(&w, "\xb1r");
    if (dialect) {
        wr_u8(&w, (uint8_t)len); /* the same option once more */
        wr_text(&w, dialect);
    }
    wr_u8(&w, 0xff);
    wr_bytes(&w, payload);
    assert(!w.err);
    return wr_len(&w);
}

bool sender_put(struct sender *s, uint32_t meter, uint32_t turn, const char *dialect,
                struct span payload)
{
    uint32_t place;
    struct slot *slot;

    while (!s->free_count)
        if (!turn_once(s))
            return false;
    place = s->free[--s->free_count];
    slot = &s->slots[place];
    slot->busy = true;
    slot->meter = meter;
    slot->port = (uint8_t)(turn % SENDER_PORTS);
    slot->number = s->number++;
    slot->begun_ms = clock_monotonic_ms();
    slot->datagram[0] = 0x40 | TYPE_CON << 4 | TOKEN_BYTES;
    slot->datagram[1] = 2; /* POST */
    memcpy(slot->datagram + 4, &place, 4);
    memcpy(slot->datagram + 8, &slot->number, 4);
    slot->len = 4 + TOKEN_BYTES + put_request(slot->datagram + 4 + TOKEN_BYTES, dialect, payload);
    s->counts.sent++;
    start(s, slot);
    return true;
}

bool sender_drain(struct sender *s)
{
    while (s->free_count < s->window)
        if (!turn_once(s))
            return false;
    return true;
}

const struct sender_counts *sender_counts(const struct sender *s)
{
    return &s->counts;
}
