/* DTLS between strangers and real clients whose datagrams are bent on the way.  The input is a list
 * of steps, each by one of four peers:
 *
 *   u8 step · u8 peer · …
 *   0 u16 length, bytes   a datagram of those bytes
 *   1                     the client's next words of its handshake
 *   2 u16 at, u8 bits     … with those bits turned over
 *   3                     a message in the client's session
 *   4 u16 at, u8 bits     … bent alike
 *   5                     what it said last, again
 *   6 u8 seconds          time passes
 *   7                     the client forgets its session
 *   8 u16 length          what it said last, cut
 *
 * Whatever it says, nothing comes out but what a client said in its own session, under its own name,
 * and tables keep their bounds. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "proto/base/rd.h"
#include "server/gateway/dtls.h"
#include "server/metrics.h"

#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define PEERS 4
#define SESSIONS 2
#define KEY "0123456789abcdef"

static void must(bool what)
{
    if (!what)
        abort();
}

/* ---- randomness that comes again ---- */

static uint64_t random_state;

static int random_bytes(unsigned char *out, int len)
{
    for (int i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(random_state >> 56);
    }
    return 1;
}

static int random_ready(void)
{
    return 1;
}

static const RAND_METHOD fixed = { .bytes = random_bytes,
                                   .pseudorand = random_bytes,
                                   .status = random_ready };

/* ---- both sides ---- */

struct client {
    SSL *ssl;
    char name[16];
    uint8_t last[1500];
    size_t last_len;
};

static struct dtls *machine;
static struct inbox *plain;
static SSL_CTX *context;
static struct client clients[PEERS];
static uint64_t now_us = 1000000000;

static bool key_of(void *arg, struct span identity, unsigned attempt, uint8_t out[DTLS_PSK_MAX],
                   size_t *out_len)
{
    (void)arg;
    (void)attempt;
    if (identity.len != 7 || memcmp(identity.at, "meter-", 6) != 0)
        return false;
    memcpy(out, KEY, strlen(KEY));
    *out_len = strlen(KEY);
    return true;
}

static unsigned give_key(SSL *ssl, const char *hint, char *identity, unsigned identity_cap,
                         unsigned char *key, unsigned key_cap)
{
    const struct client *k = (const struct client *)SSL_get_app_data(ssl);

    (void)hint;
    must(identity_cap > sizeof k->name && key_cap >= strlen(KEY));
    strcpy(identity, k->name);
    memcpy(key, KEY, strlen(KEY));
    return (unsigned)strlen(KEY);
}

static void begin(void)
{
    const struct dtls_options options = { .sessions = SESSIONS, .psk = key_of };

    must(RAND_set_rand_method(&fixed));
    must(!dtls_new(&options, 1, &machine));
    must(!inbox_new(LIMIT_DATAGRAM, &plain));
    context = SSL_CTX_new(DTLS_client_method());
    must(context != NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_psk_client_callback(context, give_key);
}

static void client_anew(struct client *k, unsigned number)
{
    static const char *const suites[] = { "PSK-AES128-CCM8:@SECLEVEL=0",
                                          "PSK-AES128-GCM-SHA256:@SECLEVEL=0",
                                          "PSK-AES128-CBC-SHA256:@SECLEVEL=0",
                                          "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256:@SECLEVEL=0" };
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    SSL_free(k->ssl);
    snprintf(k->name, sizeof k->name, "meter-%u", number);
    k->ssl = SSL_new(context);
    must(k->ssl && in && out && SSL_set_cipher_list(k->ssl, suites[number]));
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(k->ssl, in, out);
    SSL_set_app_data(k->ssl, k);
    SSL_set_connect_state(k->ssl);
    SSL_set_mtu(k->ssl, 1400);
}

/* ---- steps ---- */

static void check_plain(unsigned number)
{
    for (unsigned i = 0; i < inbox_filled(plain); i++) {
        const struct datagram *d = inbox_datagram(plain, i);

        must(span_equal(d->identity, span_text(clients[number].name)));
        must(span_equal(d->bytes, d->identity)); /* that is what it says */
    }
    must(metrics_get(METRIC_COAPS_SESSIONS) <= SESSIONS);
    must(metrics_get(METRIC_COAPS_SHAKES) <= PEERS);
}

static void answer(const struct route *route)
{
    uint8_t out[64 + DTLS_SEAL_BYTES];

    must(dtls_seal_reply(machine, route, span_text("well"), out) <= sizeof out);
}

static void give(unsigned number, struct span bytes)
{
    uint8_t *exact = (uint8_t *)malloc(bytes.len ? bytes.len : 1);
    struct peer peer = { .len = 4, .address = { 10, 0, 0, 1 }, .port = (uint16_t)(4000 + number) };
    struct route route = { .has_local = false };
    struct datagram d = { .peer = peer, .bytes = span_of(exact, bytes.len) };
    struct outbox *said = dtls_said(machine, 0);

    must(exact != NULL);
    if (bytes.len)
        memcpy(exact, bytes.at, bytes.len);
    route.peer.v4.sin_family = AF_INET;
    route.peer.v4.sin_port = htons(peer.port);
    memcpy(&route.peer.v4.sin_addr, peer.address, 4);
    inbox_clear(plain);
    dtls_take(machine, 0, &route, &d, now_us, plain);
    dtls_work(machine, 0, now_us, plain);
    free(exact);
    check_plain(number);
    for (unsigned i = 0; i < inbox_filled(plain); i++)
        answer(inbox_route(plain, i));
    for (uint32_t i = 0; i < said->count; i++) {
        must(said->replies[i].len <= DTLS_SAID_MAX);
        BIO_write(SSL_get_rbio(clients[number].ssl), said->replies[i].bytes, said->replies[i].len);
    }
    outbox_clear(said);
}

static void client_said(struct client *k)
{
    int len = BIO_read(SSL_get_wbio(k->ssl), k->last, sizeof k->last);

    k->last_len = len > 0 ? (size_t)len : 0;
}

static void client_speak(struct client *k, bool in_session)
{
    if (!in_session)
        SSL_do_handshake(k->ssl);
    else if (SSL_is_init_finished(k->ssl))
        SSL_write(k->ssl, k->name, (int)strlen(k->name));
    client_said(k);
}

static void bend(struct client *k, struct rd *r)
{
    size_t at = rd_be16(r);
    uint8_t bits = rd_u8(r);

    if (k->last_len)
        k->last[at % k->last_len] ^= bits;
}

static void step(struct rd *r)
{
    uint8_t what = rd_u8(r) % 9;
    unsigned number = rd_u8(r) % PEERS;
    struct client *k = &clients[number];
    size_t len;

    if (r->err)
        return;
    if (what == 0) {
        len = rd_be16(r);
        give(number, rd_bytes(r, len < rd_left(r) ? len : rd_left(r)));
    } else if (what <= 4) {
        client_speak(k, what >= 3);
        if (what % 2 == 0)
            bend(k, r);
        give(number, span_of(k->last, k->last_len));
    } else if (what == 5) {
        give(number, span_of(k->last, k->last_len));
    } else if (what == 6) {
        now_us += rd_u8(r) * 1000000u;
    } else if (what == 7) {
        client_anew(k, number);
    } else {
        len = rd_be16(r);
        give(number, span_of(k->last, len < k->last_len ? len : k->last_len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));

    if (!machine)
        begin();
    random_state = 1;
    now_us += 1000000000;
    dtls_forget(machine);
    for (unsigned i = 0; i < PEERS; i++)
        client_anew(&clients[i], i);
    while (rd_left(&r) && !r.err)
        step(&r);
    return 0;
}
