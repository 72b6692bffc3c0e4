/* bench_dtls serve ADDR PORT: the baseline.  OpenSSL's handshakes with a pre-shared key, as bare as
 * they come: no cookie, one SSL object a peer, each record answered as it arrives, nothing stored.
 *
 * bench_dtls load ADDR:PORT COUNT WINDOW [spread]: COUNT meters shake hands and send a report each,
 * WINDOW at a time; as 10000001 and on, over and over, each with the key below. `spread`: each from an
 * address of its own (127.16.0.0 and on), so that the server keeps as many sessions. */
#include "proto/native.h"
#include "server/address.h"
#include "server/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint8_t key_bytes[16] = "0123456789abcdef";
#define SUITE "PSK-AES128-CCM8:@SECLEVEL=0"
#define DATAGRAM 1500
#define MTU 1252
#define FIRST_SERIAL 10000001u
#define TURN_MS 100

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "bench_dtls: %s\n", what);
    exit(1);
}

static void go_between_buffers(SSL *ssl)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    if (!ssl || !in || !out)
        fail("no memory");
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_mtu(ssl, MTU);
}

static SSL_CTX *context_of(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);

    if (!c || !SSL_CTX_set_cipher_list(c, SUITE))
        fail("OpenSSL lacks the suite");
    SSL_CTX_set_options(c, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    return c;
}

static size_t said(SSL *ssl, uint8_t *out)
{
    int len = BIO_read(SSL_get_wbio(ssl), out, DATAGRAM);

    return len > 0 ? (size_t)len : 0;
}

/* ---- the baseline ---- */

static unsigned give_key(SSL *ssl, const char *identity, unsigned char *key, unsigned cap)
{
    (void)ssl;
    (void)identity;
    if (cap < sizeof key_bytes)
        return 0;
    memcpy(key, key_bytes, sizeof key_bytes);
    return sizeof key_bytes;
}

static bool is_hello(const uint8_t *bytes, size_t len)
{
    return len > 13 && bytes[0] == 22 && bytes[4] == 0 && bytes[13] == 1;
}

/* An empty acknowledgement with 2.04. */
static void answer(SSL *ssl, const uint8_t *request, int len)
{
    uint8_t ack[4 + 8] = { 0x60, 0x44 };
    size_t token = len >= 4 ? request[0] & 15u : 16;

    if (token > 8 || 4 + token > (size_t)len)
        return;
    ack[0] |= (uint8_t)token;
    memcpy(ack + 2, request + 2, 2 + token);
    SSL_write(ssl, ack, (int)(4 + token));
}

static void serve_datagram(SSL_CTX *context, SSL **ssl, const uint8_t *bytes, size_t len)
{
    uint8_t plain[DATAGRAM];
    int n;

    if (is_hello(bytes, len)) {
        SSL_free(*ssl);
        *ssl = SSL_new(context);
        go_between_buffers(*ssl);
        SSL_set_accept_state(*ssl);
    }
    if (!*ssl)
        return;
    BIO_write(SSL_get_rbio(*ssl), bytes, (int)len);
    while ((n = SSL_read(*ssl, plain, sizeof plain)) > 0)
        answer(*ssl, plain, n);
}

static int serve(const char *address, const char *port)
{
    static SSL *peers[65536]; /* by their port */
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    SSL_CTX *context = context_of(DTLS_server_method());

    SSL_CTX_set_psk_server_callback(context, give_key);
    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&at, sizeof at))
        fail("cannot listen there");
    for (;;) {
        uint8_t bytes[DATAGRAM];
        struct sockaddr_in from = { 0 };
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_len);
        SSL **ssl = &peers[ntohs(from.sin_port)];
        size_t len;

        if (n <= 0)
            continue;
        serve_datagram(context, ssl, bytes, (size_t)n);
        while (*ssl && (len = said(*ssl, bytes)))
            (void)sendto(fd, bytes, len, 0, (struct sockaddr *)&from, from_len);
    }
}

/* ---- the load ---- */

struct meter {
    int fd;
    SSL *ssl;
    char name[16];
    bool asked;
    int64_t began_ms;
};

struct load {
    struct address to;
    SSL_CTX *context;
    int epoll;
    bool spread;
    uint32_t count, window, begun, done, failed;
    struct meter *meters;
};

static unsigned know_key(SSL *ssl, const char *hint, char *identity, unsigned identity_cap,
                         unsigned char *key, unsigned cap)
{
    const struct meter *m = (const struct meter *)SSL_get_app_data(ssl);

    (void)hint;
    snprintf(identity, identity_cap, "%s", m->name);
    return give_key(ssl, identity, key, cap);
}

static void socket_open(struct load *l, struct meter *m)
{
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0x7f100001u + l->begun) };
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = m };

    if (m->fd >= 0 && !l->spread)
        return;
    if (m->fd >= 0)
        close(m->fd);
    m->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (m->fd < 0 || (l->spread && bind(m->fd, (struct sockaddr *)&from, sizeof from)) ||
        connect(m->fd, (const struct sockaddr *)&l->to.at, l->to.len) ||
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, m->fd, &e))
        fail("no socket left");
}

static void flush(struct meter *m)
{
    uint8_t bytes[DATAGRAM];
    size_t len = said(m->ssl, bytes);

    if (len)
        (void)send(m->fd, bytes, len, 0);
}

static void meter_begin(struct load *l, struct meter *m)
{
    uint32_t serials = l->spread ? l->count : l->window;

    SSL_free(m->ssl);
    m->ssl = NULL;
    if (l->begun == l->count)
        return;
    socket_open(l, m);
    snprintf(m->name, sizeof m->name, "%u", FIRST_SERIAL + l->begun % serials);
    l->begun++;
    m->asked = false;
    m->began_ms = clock_monotonic_ms();
    m->ssl = SSL_new(l->context);
    go_between_buffers(m->ssl);
    SSL_set_app_data(m->ssl, m);
    SSL_set_connect_state(m->ssl);
    SSL_do_handshake(m->ssl);
    flush(m);
}

/* A day of hours, from the one whose key it is. */
static void report_send(struct load *l, struct meter *m)
{
    struct sample samples[24];
    struct series series = { .channel = CHANNEL_FORWARD, .count = 24, .samples = samples };
    int64_t now_s = time(NULL);
    struct frame f = { .sent_s = now_s, .series_count = 1, .series = &series };
    uint8_t message[256] = { 0x42, 2,   (uint8_t)(l->begun >> 8), (uint8_t)l->begun, 1, 2, 0xb1,
                             'r',  0xff };
    struct wr w = wr_of(message + 9, sizeof message - 9);
    int8_t scale = 0;

    for (int i = 0; i < 24; i++)
        samples[i] =
            (struct sample){ now_s / 3600 * 3600 - i * 3600LL, (50000LL + l->begun - i) * 1000 };
    if (native_encode(&f, &scale, &w))
        fail("a report does not fit");
    SSL_write(m->ssl, message, (int)(9 + wr_len(&w)));
    m->asked = true;
}

/* One that hears 2.04 makes room for the next. */
static void meter_hear(struct load *l, struct meter *m)
{
    uint8_t bytes[DATAGRAM];
    ssize_t n;

    while ((n = recv(m->fd, bytes, sizeof bytes, 0)) > 0 && m->ssl) {
        BIO_write(SSL_get_rbio(m->ssl), bytes, (int)n);
        if (!m->asked && SSL_do_handshake(m->ssl) == 1)
            report_send(l, m);
        else if (m->asked && SSL_read(m->ssl, bytes, sizeof bytes) >= 4) {
            l->failed += bytes[1] != 0x44;
            l->done++;
            meter_begin(l, m);
            continue;
        }
        flush(m);
    }
}

static void repeat_lost(struct load *l)
{
    int64_t now_ms = clock_monotonic_ms();

    for (uint32_t i = 0; i < l->window; i++) {
        struct meter *m = &l->meters[i];

        if (m->ssl && now_ms - m->began_ms > 20000) {
            l->failed++;
            l->done++;
            meter_begin(l, m);
        } else if (m->ssl && !m->asked && DTLSv1_handle_timeout(m->ssl) > 0) {
            flush(m);
        }
    }
}

static void run(struct load *l)
{
    struct epoll_event events[64];
    int64_t turn_ms = clock_monotonic_ms() + TURN_MS;

    for (uint32_t i = 0; i < l->window; i++)
        meter_begin(l, &l->meters[i]);
    while (l->done < l->count) {
        int n = epoll_wait(l->epoll, events, 64, TURN_MS);

        for (int i = 0; i < n; i++)
            meter_hear(l, (struct meter *)events[i].data.ptr);
        if (clock_monotonic_ms() < turn_ms)
            continue;
        repeat_lost(l);
        turn_ms = clock_monotonic_ms() + TURN_MS;
    }
}

static int load(const char *to, uint32_t count, uint32_t window, bool spread)
{
    struct load l = { .count = count, .window = window, .spread = spread };
    int64_t began_us;
    double seconds;

    l.meters = (struct meter *)calloc(window, sizeof *l.meters);
    l.epoll = epoll_create1(0);
    if (!window || !count || !address_read(to, &l.to) || !l.meters || l.epoll < 0)
        fail("expected ADDR:PORT COUNT WINDOW");
    for (uint32_t i = 0; i < window; i++)
        l.meters[i].fd = -1;
    l.context = context_of(DTLS_client_method());
    SSL_CTX_set_psk_client_callback(l.context, know_key);
    began_us = clock_monotonic_us();
    run(&l);
    seconds = (double)(clock_monotonic_us() - began_us) / 1e6;
    printf("{\"handshakes\":%u,\"failed\":%u,\"seconds\":%.3f,\"per_second\":%.0f}\n", l.done,
           l.failed, seconds, l.done / seconds);
    return l.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc >= 5 && strcmp(argv[1], "load") == 0)
        return load(argv[2], (uint32_t)strtoul(argv[3], NULL, 10),
                    (uint32_t)strtoul(argv[4], NULL, 10), argc == 6);
    fprintf(stderr, "bench_dtls serve ADDR PORT | load ADDR:PORT COUNT WINDOW [spread]\n");
    return 2;
}
