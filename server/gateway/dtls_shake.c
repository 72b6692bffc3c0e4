#include "server/gateway/dtls_shake.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define SUITES "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256:@SECLEVEL=0"
/* OpenSSL holds back eight-byte tags by its levels; RFC 7925 §4.2 makes them mandatory. */

#define SUITE_CCM8 0xc0a8
#define SUITE_GCM 0x00a8
#define SUITE_CBC 0x00ae

#define FIRST_WAIT_US 4000000
#define LONGEST_WAIT_US 32000000
#define LINK_MTU 1280

struct dtls_shaker {
    struct dtls_shaker_options options;
    SSL_CTX *context;
    BIO_METHOD *wire;
    BIO_ADDR *nowhere;
};

struct dtls_shake {
    struct dtls_shaker *shaker;
    void *who;
    SSL *ssl;
    struct span heard; /* not read yet; empty: nothing */
    bool peeks;        /* what is read stays */
    bool begun;
    enum dtls_identity named;
    size_t identity_len;
    char identity[DTLS_IDENTITY_MAX];
};

/* ---- the wire, as OpenSSL sees it: one datagram a read, one a write ---- */

static int wire_read(BIO *bio, char *out, int cap)
{
    struct dtls_shake *k = (struct dtls_shake *)BIO_get_data(bio);
    size_t len = k->heard.len < (size_t)cap ? k->heard.len : (size_t)cap;

    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, k->heard.at, len);
    if (!k->peeks)
        k->heard.len = 0;
    return (int)len;
}

static int wire_write(BIO *bio, const char *bytes, int len)
{
    struct dtls_shake *k = (struct dtls_shake *)BIO_get_data(bio);

    if (len > 0 && len <= DTLS_SAID_MAX)
        k->shaker->options.say(k->who, span_of(bytes, (size_t)len));
    return len;
}

static long wire_control(BIO *bio, int what, long number, void *arg)
{
    struct dtls_shake *k = (struct dtls_shake *)BIO_get_data(bio);

    (void)arg;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_SET_PEEK_MODE:
        k->peeks = number != 0;
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_SAID_MAX;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
        return LINK_MTU - DTLS_SAID_MAX;
    default:
        return 0;
    }
}

static BIO_METHOD *wire_make(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dtls wire");

    if (m && BIO_meth_set_read(m, wire_read) && BIO_meth_set_write(m, wire_write) &&
        BIO_meth_set_ctrl(m, wire_control))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- what OpenSSL asks ---- */

static struct dtls_shake *shake_of(const SSL *ssl)
{
    return (struct dtls_shake *)SSL_get_app_data(ssl);
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    struct dtls_shake *k = shake_of(ssl);

    return k->shaker->options.cookie(k->who, span_of(cookie, len));
}

/* Who has no key gets a random one, so that it fails as one with a wrong key does. */
static unsigned find_key(SSL *ssl, const char *identity, unsigned char *out, unsigned cap)
{
    struct dtls_shake *k = shake_of(ssl);
    const struct dtls_shaker_options *o = &k->shaker->options;
    uint8_t key[DTLS_PSK_MAX];
    struct span name = span_text(identity);
    size_t len = 0;

    k->named = DTLS_UNKNOWN;
    if (name.len && name.len <= DTLS_IDENTITY_MAX &&
        o->psk(o->psk_arg, name, o->attempt(k->who, name), key, &len) && len && len <= sizeof key &&
        len <= cap) {
        k->named = DTLS_KNOWN;
        memcpy(k->identity, name.at, name.len);
        k->identity_len = name.len;
    } else {
        len = 16;
        if (RAND_bytes(key, (int)len) <= 0)
            len = 0;
    }
    memcpy(out, key, len);
    OPENSSL_cleanse(key, sizeof key);
    return (unsigned)len;
}

static bool offers(const unsigned char *suites, size_t len, uint16_t suite)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        if ((suites[i] << 8 | suites[i + 1]) == suite)
            return true;
    return false;
}

/* CBC with the MAC inside has cost more than one library its secrets (RFC 7366 tells of them): who
 * neither offers it the other way round nor another suite, is turned away. Of several suites OpenSSL
 * takes CBC last. */
static int see_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *suites, *offer;
    size_t len = SSL_client_hello_get0_ciphers(ssl, &suites), offer_len;

    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_encrypt_then_mac, &offer, &offer_len) ||
        offers(suites, len, SUITE_CCM8) || offers(suites, len, SUITE_GCM))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    return SSL_CLIENT_HELLO_ERROR;
}

static unsigned next_wait(SSL *ssl, unsigned last_us)
{
    (void)ssl;
    if (last_us == 0)
        return FIRST_WAIT_US;
    return last_us < LONGEST_WAIT_US ? last_us * 2 : LONGEST_WAIT_US;
}

/* ---- making them ---- */

/* No tickets and no cache: with a pre-shared key, resuming saves the meter nothing. */
static SSL_CTX *context_make(void)
{
    SSL_CTX *c = SSL_CTX_new(DTLS_server_method());

    if (!c)
        return NULL;
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_psk_server_callback(c, find_key);
    SSL_CTX_set_cookie_verify_cb(c, check_cookie);
    SSL_CTX_set_client_hello_cb(c, see_hello, NULL);
    if (SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) &&
        SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) && SSL_CTX_set_cipher_list(c, SUITES))
        return c;
    SSL_CTX_free(c);
    return NULL;
}

enum err dtls_shaker_new(const struct dtls_shaker_options *options, struct dtls_shaker **out)
{
    struct dtls_shaker *s = (struct dtls_shaker *)calloc(1, sizeof *s);

    if (!s)
        return ERR_NO_MEMORY;
    s->options = *options;
    s->context = context_make();
    s->wire = wire_make();
    s->nowhere = BIO_ADDR_new();
    if (!s->context || !s->wire || !s->nowhere) {
        dtls_shaker_free(s);
        return ERR_NO_MEMORY;
    }
    *out = s;
    return ERR_OK;
}

void dtls_shaker_free(struct dtls_shaker *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->context);
    BIO_meth_free(s->wire);
    BIO_ADDR_free(s->nowhere);
    free(s);
}

enum err dtls_shake_new(struct dtls_shaker *s, void *who, struct dtls_shake **out)
{
    struct dtls_shake *k = (struct dtls_shake *)calloc(1, sizeof *k);
    BIO *bio;

    if (!k)
        return ERR_NO_MEMORY;
    k->shaker = s;
    k->who = who;
    k->ssl = SSL_new(s->context);
    bio = BIO_new(s->wire);
    if (!k->ssl || !bio) {
        BIO_free(bio);
        dtls_shake_free(k);
        return ERR_NO_MEMORY;
    }
    BIO_set_data(bio, k);
    BIO_set_init(bio, 1);
    SSL_set_bio(k->ssl, bio, bio);
    SSL_set_app_data(k->ssl, k);
    SSL_set_accept_state(k->ssl);
    DTLS_set_timer_cb(k->ssl, next_wait);
    SSL_set_mtu(k->ssl, DTLS_SAID_MAX);
    *out = k;
    return ERR_OK;
}

void dtls_shake_free(struct dtls_shake *k)
{
    if (!k)
        return;
    SSL_free(k->ssl);
    free(k);
}

/* ---- shaking ---- */

enum dtls_shake_state dtls_shake_hear(struct dtls_shake *k, struct span datagram)
{
    int did;

    k->heard = datagram;
    ERR_clear_error();
    if (!k->begun) {
        if (DTLSv1_listen(k->ssl, k->shaker->nowhere) <= 0)
            return DTLS_SHAKE_FAILED;
        k->begun = true;
    }
    if (SSL_is_init_finished(k->ssl))
        return DTLS_SHAKEN; /* dtls_shake_early reads it */
    did = SSL_do_handshake(k->ssl);
    if (did == 1) {
        SSL_free_buffers(k->ssl);
        return DTLS_SHAKEN;
    }
    return SSL_get_error(k->ssl, did) == SSL_ERROR_WANT_READ ? DTLS_SHAKING : DTLS_SHAKE_FAILED;
}

bool dtls_shake_tick(struct dtls_shake *k)
{
    struct timeval left;

    if (!k->begun || SSL_is_init_finished(k->ssl) || !DTLSv1_get_timeout(k->ssl, &left) ||
        left.tv_sec || left.tv_usec)
        return false;
    k->heard = span_of(NULL, 0);
    ERR_clear_error();
    (void)DTLSv1_handle_timeout(k->ssl);
    return true;
}

enum dtls_identity dtls_shake_identity(const struct dtls_shake *k, struct span *out)
{
    *out = span_of(k->identity, k->identity_len);
    return k->named;
}

bool dtls_shake_early(struct dtls_shake *k, uint8_t *room, size_t cap, struct span *out)
{
    int len;

    ERR_clear_error();
    len = SSL_read(k->ssl, room, (int)cap);
    if (len <= 0)
        return false;
    *out = span_of(room, (size_t)len);
    return true;
}

bool dtls_shake_keys(struct dtls_shake *k, struct dtls_crypt *c, struct dtls_keys *out)
{
    uint8_t master[DTLS_SECRET_BYTES], ours[DTLS_RANDOM_BYTES], theirs[DTLS_RANDOM_BYTES];
    uint16_t suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(k->ssl));
    bool made;

    if (suite != SUITE_CCM8 && suite != SUITE_GCM && suite != SUITE_CBC)
        return false;
    made = SSL_SESSION_get_master_key(SSL_get_session(k->ssl), master, sizeof master) ==
               sizeof master &&
           SSL_get_client_random(k->ssl, theirs, sizeof theirs) == sizeof theirs &&
           SSL_get_server_random(k->ssl, ours, sizeof ours) == sizeof ours &&
           dtls_keys_derive(c,
                            suite == SUITE_CCM8  ? DTLS_CCM8
                            : suite == SUITE_GCM ? DTLS_GCM
                                                 : DTLS_CBC,
                            master, theirs, ours, out);
    OPENSSL_cleanse(master, sizeof master);
    return made;
}
