#include "tests/client/dtls.h"

#include "tests/check.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define MTU 1400
#define ANY_SUITE "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256"

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static unsigned give_key(SSL *ssl, const char *hint, char *identity, unsigned identity_cap,
                         unsigned char *key, unsigned key_cap)
{
    const struct secure *s = (const struct secure *)SSL_get_app_data(ssl);
    size_t len = strlen(s->key);

    (void)hint;
    assert_true(strlen(s->identity) < identity_cap && len <= key_cap);
    strcpy(identity, s->identity);
    memcpy(key, s->key, len);
    return (unsigned)len;
}

static void begin(struct secure *s, const char *suite)
{
    char list[200];
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    snprintf(list, sizeof list, "%s:@SECLEVEL=0", suite ? suite : ANY_SUITE);
    s->ssl = SSL_new(s->context);
    assert_non_null(s->ssl);
    assert_int_equal(SSL_set_cipher_list(s->ssl, list), 1);
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(s->ssl, in, out);
    SSL_set_app_data(s->ssl, s);
    SSL_set_connect_state(s->ssl);
    SSL_set_mtu(s->ssl, MTU);
}

void secure_open(struct secure *s, const char *host, const char *port, const char *from,
                 const char *identity, const char *key, const char *suite)
{
    memset(s, 0, sizeof *s);
    probe_open(&s->probe, host, port, from);
    snprintf(s->identity, sizeof s->identity, "%s", identity);
    snprintf(s->key, sizeof s->key, "%s", key);
    s->context = SSL_CTX_new(DTLS_client_method());
    assert_non_null(s->context);
    SSL_CTX_set_options(s->context, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_psk_client_callback(s->context, give_key);
    begin(s, suite);
}

void secure_close(struct secure *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->context);
    probe_close(&s->probe);
}

void secure_anew(struct secure *s, const char *suite)
{
    SSL_free(s->ssl);
    begin(s, suite);
}

bool secure_is_shaken(const struct secure *s)
{
    return SSL_is_init_finished(s->ssl);
}

static size_t written(struct secure *s, uint8_t *out, size_t cap)
{
    int len = BIO_read(SSL_get_wbio(s->ssl), out, (int)cap);

    return len > 0 ? (size_t)len : 0;
}

size_t secure_turn(struct secure *s, uint8_t *out, size_t cap)
{
    ERR_clear_error();
    SSL_do_handshake(s->ssl);
    return written(s, out, cap);
}

void secure_say(struct secure *s, struct span datagram)
{
    assert_true(datagram.len <= sizeof s->last);
    memcpy(s->last, datagram.at, datagram.len);
    s->last_len = datagram.len;
    probe_send_bytes(&s->probe, datagram);
}

void secure_feed(struct secure *s, struct span datagram)
{
    s->heard++;
    if (datagram.len > 13)
        s->kinds |=
            1ull << (datagram.at[0] == 22 ? datagram.at[13] & 31 : 40 + datagram.at[0] % 20);
    assert_int_equal(BIO_write(SSL_get_rbio(s->ssl), datagram.at, (int)datagram.len), datagram.len);
}

bool secure_take(struct secure *s, int wait_ms)
{
    struct pollfd p = { .fd = s->probe.fd, .events = POLLIN };
    uint8_t bytes[2048];
    ssize_t n;

    if (poll(&p, 1, wait_ms) <= 0)
        return false;
    n = recv(s->probe.fd, bytes, sizeof bytes, 0);
    assert_true(n >= 0);
    secure_feed(s, span_of(bytes, (size_t)n));
    return true;
}

/* Until the client itself would say something again. */
static int patience_ms(struct secure *s, int64_t until)
{
    int64_t left = until - now_ms();
    struct timeval t;

    if (DTLSv1_get_timeout(s->ssl, &t) && t.tv_sec * 1000 + t.tv_usec / 1000 + 1 < left)
        left = t.tv_sec * 1000 + t.tv_usec / 1000 + 1;
    return left > 0 ? (int)left : 0;
}

bool secure_shake(struct secure *s, int wait_ms)
{
    int64_t until = now_ms() + wait_ms;
    uint8_t said[2048];

    while (now_ms() < until) {
        size_t len = secure_turn(s, said, sizeof said);

        if (len)
            secure_say(s, span_of(said, len));
        if (secure_is_shaken(s))
            return true;
        if (secure_take(s, patience_ms(s, until)))
            continue;
        DTLSv1_handle_timeout(s->ssl);
        len = written(s, said, sizeof said);
        if (len)
            secure_say(s, span_of(said, len));
    }
    return false;
}

void secure_send(struct secure *s, struct span plain)
{
    uint8_t record[20000];
    size_t len;

    assert_int_equal(SSL_write(s->ssl, plain.at, (int)plain.len), plain.len);
    len = written(s, record, sizeof record);
    if (len <= sizeof s->last)
        secure_say(s, span_of(record, len));
    else
        probe_send_bytes(&s->probe, span_of(record, len));
}

bool secure_hear(struct secure *s, int wait_ms, struct heard *out)
{
    int64_t until = now_ms() + wait_ms;

    for (;;) {
        int len = SSL_read(s->ssl, out->bytes, sizeof out->bytes);
        int64_t left = until - now_ms();

        if (len > 0) {
            out->len = (size_t)len;
            heard_read(out);
            return true;
        }
        if (left < 0 || !secure_take(s, (int)left))
            return false;
    }
}

void secure_ask(struct secure *s, const struct message *m, struct heard *out)
{
    for (int tries = 0; tries < 5; tries++) {
        secure_send(s, message_span(m));
        if (secure_hear(s, 2000, out))
            return;
    }
    fail_msg("no answer to message %u", (unsigned)(m->bytes[2] << 8 | m->bytes[3]));
}

void secure_bye(struct secure *s)
{
    uint8_t record[256];
    size_t len;

    SSL_shutdown(s->ssl);
    len = written(s, record, sizeof record);
    assert_true(len > 0);
    secure_say(s, span_of(record, len));
}
