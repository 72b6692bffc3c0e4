/* A fragment, by suite:
 *
 *   CCM_8 (RFC 6655), GCM (RFC 5288)   8 bytes of nonce · what is said, encrypted · tag of 8 or 16
 *   CBC_SHA256 (RFC 7366)              16 bytes of IV · what is said and padding, encrypted · 32 of MAC
 *
 * Our nonces are the record's epoch and number, which never come twice under a key. */
#include "server/gateway/dtls_seal.h"

#include "proto/base/wr.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define NONCE 8 /* explicit part */
#define CCM_TAG 8
#define GCM_TAG 16
#define BLOCK 16
#define MAC 32
#define ASSOCIATED 13
#define WINDOW 64

/* The handshake's own records of this epoch (Finished, again if it was lost) were numbered from 0
 * by OpenSSL. Numbers that it cannot have reached keep nonces from coming twice; those of its GCM count
 * from a random one of 64 bits. */
#define FIRST_SEQ (1 << 20)

struct dtls_crypt {
    EVP_CIPHER *ccm, *gcm, *cbc;
    EVP_CIPHER_CTX *context;
    EVP_KDF *kdf;
};

enum err dtls_crypt_new(struct dtls_crypt **out)
{
    struct dtls_crypt *c = (struct dtls_crypt *)calloc(1, sizeof *c);

    if (!c)
        return ERR_NO_MEMORY;
    c->ccm = EVP_CIPHER_fetch(NULL, "AES-128-CCM", NULL);
    c->gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    c->cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    c->kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    c->context = EVP_CIPHER_CTX_new();
    if (!c->ccm || !c->gcm || !c->cbc || !c->kdf || !c->context) {
        dtls_crypt_free(c);
        return ERR_NO_MEMORY;
    }
    *out = c;
    return ERR_OK;
}

void dtls_crypt_free(struct dtls_crypt *c)
{
    if (!c)
        return;
    EVP_CIPHER_free(c->ccm);
    EVP_CIPHER_free(c->gcm);
    EVP_CIPHER_free(c->cbc);
    EVP_KDF_free(c->kdf);
    EVP_CIPHER_CTX_free(c->context);
    free(c);
}

/* ---- keys ---- */

static bool expand(struct dtls_crypt *c, const uint8_t *master, const uint8_t *client_random,
                   const uint8_t *server_random, uint8_t *out, size_t len)
{
    static const char label[] = "key expansion";
    char digest[] = "SHA256";
    uint8_t secret[DTLS_SECRET_BYTES], seed[sizeof label - 1 + 2 * (size_t)DTLS_RANDOM_BYTES];
    struct wr w = wr_of(seed, sizeof seed);
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(c->kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
        OSSL_PARAM_construct_end(),
    };
    bool done;

    memcpy(secret, master, sizeof secret);
    wr_text(&w, label);
    wr_bytes(&w, span_of(server_random, DTLS_RANDOM_BYTES));
    wr_bytes(&w, span_of(client_random, DTLS_RANDOM_BYTES));
    done = kdf && EVP_KDF_derive(kdf, out, len, params) > 0;
    EVP_KDF_CTX_free(kdf);
    OPENSSL_cleanse(secret, sizeof secret);
    return done;
}

static const uint8_t *part(const uint8_t *from, uint8_t *out, size_t len)
{
    memcpy(out, from, len);
    return from + len;
}

bool dtls_keys_derive(struct dtls_crypt *c, enum dtls_suite suite,
                      const uint8_t master[DTLS_SECRET_BYTES],
                      const uint8_t client_random[DTLS_RANDOM_BYTES],
                      const uint8_t server_random[DTLS_RANDOM_BYTES], struct dtls_keys *out)
{
    uint8_t block[2 * (MAC + 16 + 4)];
    const uint8_t *at = block;
    struct dtls_keys k = { .suite = suite, .out_seq = FIRST_SEQ, .in_window = 1 };

    if (!expand(c, master, client_random, server_random, block, sizeof block))
        return false;
    if (suite == DTLS_CBC) {
        at = part(at, k.in.mac, MAC);
        at = part(at, k.out.mac, MAC);
    }
    at = part(at, k.in.key, sizeof k.in.key);
    at = part(at, k.out.key, sizeof k.out.key);
    if (suite != DTLS_CBC) {
        at = part(at, k.in.iv, sizeof k.in.iv);
        part(at, k.out.iv, sizeof k.out.iv);
    }
    OPENSSL_cleanse(block, sizeof block);
    *out = k;
    return true;
}

/* ---- ciphers ---- */

static size_t tag_len(enum dtls_suite suite)
{
    return suite == DTLS_CCM8 ? CCM_TAG : GCM_TAG;
}

/* What a tag also covers: epoch and number, type, version, length (RFC 5246 §6.2.3.3). */
static void associate(uint64_t epoch_seq, uint8_t type, size_t len, uint8_t out[ASSOCIATED])
{
    struct wr w = wr_of(out, ASSOCIATED);

    wr_be64(&w, epoch_seq);
    wr_u8(&w, type);
    wr_be16(&w, DTLS_1_2);
    wr_be16(&w, (uint16_t)len);
}

/* Either way; `tag` is held against, or filled. */
static bool aead(struct dtls_crypt *c, const struct dtls_keys *k, bool seals, const uint8_t *nonce,
                 const uint8_t *associated, struct span in, uint8_t *out, uint8_t *tag)
{
    const struct dtls_way *way = seals ? &k->out : &k->in;
    bool ccm = k->suite == DTLS_CCM8;
    EVP_CIPHER_CTX *x = c->context;
    int tag_bytes = (int)tag_len(k->suite), len = (int)in.len, n;
    uint8_t iv[12];

    memcpy(iv, way->iv, sizeof way->iv);
    memcpy(iv + sizeof way->iv, nonce, NONCE);
    if (!EVP_CipherInit_ex2(x, ccm ? c->ccm : c->gcm, NULL, NULL, seals, NULL) ||
        EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_IVLEN, sizeof iv, NULL) <= 0)
        return false;
    if ((ccm || !seals) &&
        EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, tag_bytes, seals ? NULL : tag) <= 0)
        return false;
    if (!EVP_CipherInit_ex2(x, NULL, way->key, iv, seals, NULL) ||
        (ccm && !EVP_CipherUpdate(x, NULL, &n, NULL, len)) ||
        !EVP_CipherUpdate(x, NULL, &n, associated, ASSOCIATED) ||
        EVP_CipherUpdate(x, out, &n, in.at, len) <= 0)
        return false;
    if (!ccm && EVP_CipherFinal_ex(x, out + n, &n) <= 0)
        return false;
    return !seals || EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, tag_bytes, tag) > 0;
}

static bool cbc(struct dtls_crypt *c, const struct dtls_way *way, bool seals, const uint8_t *iv,
                struct span in, uint8_t *out)
{
    EVP_CIPHER_CTX *x = c->context;
    int n;

    return EVP_CipherInit_ex2(x, c->cbc, way->key, iv, seals, NULL) &&
           EVP_CIPHER_CTX_set_padding(x, 0) && EVP_CipherUpdate(x, out, &n, in.at, (int)in.len) &&
           (size_t)n == in.len;
}

/* Over what `associate` says and all of the fragment before the MAC. */
static bool mac_of(const uint8_t key[MAC], const uint8_t associated[ASSOCIATED], struct span body,
                   uint8_t out[MAC])
{
    uint8_t both[ASSOCIATED + 16640];
    unsigned len;

    if (body.len > sizeof both - ASSOCIATED)
        return false;
    memcpy(both, associated, ASSOCIATED);
    memcpy(both + ASSOCIATED, body.at, body.len);
    return HMAC(EVP_sha256(), key, MAC, both, ASSOCIATED + body.len, out, &len) && len == MAC;
}

/* ---- opening ---- */

static bool is_new(const struct dtls_keys *k, uint64_t seq)
{
    if (seq > k->in_top)
        return true;
    return k->in_top - seq < WINDOW && !(k->in_window >> (k->in_top - seq) & 1);
}

static void mark(struct dtls_keys *k, uint64_t seq)
{
    if (seq <= k->in_top) {
        k->in_window |= 1ull << (k->in_top - seq);
        return;
    }
    k->in_window = seq - k->in_top < WINDOW ? k->in_window << (seq - k->in_top) : 0;
    k->in_window |= 1;
    k->in_top = seq;
}

static bool open_aead(struct dtls_crypt *c, const struct dtls_keys *k, const struct dtls_record *r,
                      uint8_t *room, struct span *out)
{
    size_t tag_bytes = tag_len(k->suite), len;
    uint8_t associated[ASSOCIATED], tag[GCM_TAG];
    const uint8_t *at = r->fragment.at;

    if (r->fragment.len <= NONCE + tag_bytes) /* what says nothing is not worth opening */
        return false;
    len = r->fragment.len - NONCE - tag_bytes;
    associate((uint64_t)r->epoch << 48 | r->seq, r->type, len, associated);
    memcpy(tag, at + NONCE + len, tag_bytes);
    if (!aead(c, k, false, at, associated, span_of(at + NONCE, len), room, tag))
        return false;
    *out = span_of(room, len);
    return true;
}

/* The MAC was right, so what the padding says is the sender's word. */
static bool open_cbc(struct dtls_crypt *c, const struct dtls_keys *k, const struct dtls_record *r,
                     uint8_t *room, struct span *out)
{
    uint8_t associated[ASSOCIATED], right[MAC];
    const uint8_t *at = r->fragment.at;
    size_t len, padding;

    if (r->fragment.len < BLOCK + BLOCK + MAC || (r->fragment.len - MAC) % BLOCK)
        return false;
    len = r->fragment.len - MAC;
    associate((uint64_t)r->epoch << 48 | r->seq, r->type, len, associated);
    if (!mac_of(k->in.mac, associated, span_of(at, len), right) ||
        CRYPTO_memcmp(right, at + len, MAC) != 0 ||
        !cbc(c, &k->in, false, at, span_of(at + BLOCK, len - BLOCK), room))
        return false;
    len -= BLOCK;
    padding = (size_t)room[len - 1] + 1;
    if (padding >= len)
        return false;
    *out = span_of(room, len - padding);
    return true;
}

bool dtls_open(struct dtls_crypt *c, struct dtls_keys *k, const struct dtls_record *r,
               uint8_t *room, struct span *out)
{
    if (r->epoch != 1 || r->version != DTLS_1_2 || !is_new(k, r->seq))
        return false;
    if (!(k->suite == DTLS_CBC ? open_cbc : open_aead)(c, k, r, room, out))
        return false;
    mark(k, r->seq);
    return true;
}

/* ---- sealing ---- */

static size_t seal_aead(struct dtls_crypt *c, const struct dtls_keys *k, uint64_t epoch_seq,
                        enum dtls_type type, struct span plain, uint8_t *out)
{
    struct wr w = wr_of(out, NONCE);
    uint8_t associated[ASSOCIATED];

    wr_be64(&w, epoch_seq);
    associate(epoch_seq, (uint8_t)type, plain.len, associated);
    if (!aead(c, k, true, out, associated, plain, out + NONCE, out + NONCE + plain.len))
        return 0;
    return NONCE + plain.len + tag_len(k->suite);
}

static size_t seal_cbc(struct dtls_crypt *c, const struct dtls_keys *k, uint64_t epoch_seq,
                       enum dtls_type type, struct span plain, uint8_t *out)
{
    size_t padding = BLOCK - plain.len % BLOCK, len = plain.len + padding;
    uint8_t associated[ASSOCIATED];

    if (RAND_bytes(out, BLOCK) <= 0)
        return 0;
    memcpy(out + BLOCK, plain.at, plain.len);
    memset(out + BLOCK + plain.len, (int)padding - 1, padding);
    if (!cbc(c, &k->out, true, out, span_of(out + BLOCK, len), out + BLOCK))
        return 0;
    len += BLOCK;
    associate(epoch_seq, (uint8_t)type, len, associated);
    return mac_of(k->out.mac, associated, span_of(out, len), out + len) ? len + MAC : 0;
}

size_t dtls_seal(struct dtls_crypt *c, struct dtls_keys *k, enum dtls_type type, struct span plain,
                 uint8_t *out)
{
    uint64_t epoch_seq = 1ull << 48 | k->out_seq;
    struct wr w = wr_of(out, DTLS_HEAD);
    size_t len;

    if (plain.len == 0 || k->out_seq >= DTLS_SEQ_MAX)
        return 0;
    k->out_seq++;
    len = (k->suite == DTLS_CBC ? seal_cbc : seal_aead)(c, k, epoch_seq, type, plain,
                                                        out + DTLS_HEAD);
    wr_u8(&w, (uint8_t)type);
    wr_be16(&w, DTLS_1_2);
    wr_be64(&w, epoch_seq);
    wr_be16(&w, (uint16_t)len);
    return len ? DTLS_HEAD + len : 0;
}
