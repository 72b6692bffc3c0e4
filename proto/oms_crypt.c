#include "proto/oms_crypt.h"

#include "proto/base/wr.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- a thread's ciphers ---- */

enum cipher { CBC_OPEN, CBC_SEAL, CTR, DES_OPEN, DES_SEAL, CIPHERS };

/* Single DES is no more in OpenSSL's default provider; triple DES with one key three times is the same. */
static const char *const cipher_names[CIPHERS] = { "AES-128-CBC", "AES-128-CBC", "AES-128-CTR",
                                                   "DES-EDE3-CBC", "DES-EDE3-CBC" };

struct ciphers {
    EVP_CIPHER_CTX *at[CIPHERS];
    EVP_MAC_CTX *mac;
};

static _Thread_local struct ciphers *mine;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_failed;

static void free_ciphers(void *arg)
{
    struct ciphers *c = (struct ciphers *)arg;

    for (int i = 0; i < CIPHERS; i++)
        EVP_CIPHER_CTX_free(c->at[i]);
    EVP_MAC_CTX_free(c->mac);
    free(c);
}

static void make_key(void)
{
    once_failed = pthread_key_create(&at_thread_end, free_ciphers);
}

/* Without key and counter for now; both come with each message. */
static EVP_CIPHER_CTX *cipher_new(const char *name)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;

    if (ctx && !EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, 0, NULL)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_CIPHER_free(cipher); /* the context holds it */
    return ctx;
}

static EVP_MAC_CTX *mac_new(void)
{
    char name[] = "AES-128-CBC";
    const OSSL_PARAM params[] = { OSSL_PARAM_utf8_string("cipher", name, sizeof name - 1),
                                  OSSL_PARAM_END };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    if (ctx && !EVP_MAC_CTX_set_params(ctx, params)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MAC_free(mac);
    return ctx;
}

static struct ciphers *ciphers_new(void)
{
    struct ciphers *c = calloc(1, sizeof *c);
    bool whole = c && (c->mac = mac_new());

    for (int i = 0; i < CIPHERS && whole; i++)
        whole = (c->at[i] = cipher_new(cipher_names[i])) != NULL;
    if (whole && !pthread_setspecific(at_thread_end, c))
        return c;
    if (c)
        free_ciphers(c);
    return NULL;
}

static struct ciphers *ciphers(void)
{
    if (!mine) {
        pthread_once(&once, make_key);
        if (!once_failed)
            mine = ciphers_new();
    }
    return mine;
}

/* ---- block by block ---- */

static EVP_CIPHER_CTX *begin(enum cipher which, const uint8_t *key, const uint8_t *iv)
{
    struct ciphers *c = ciphers();
    EVP_CIPHER_CTX *ctx = c ? c->at[which] : NULL;
    int seal = which == CBC_SEAL || which == DES_SEAL || which == CTR;

    if (!ctx || !EVP_CipherInit_ex2(ctx, NULL, key, iv, seal, NULL) ||
        !EVP_CIPHER_CTX_set_padding(ctx, 0))
        return NULL;
    return ctx;
}

static bool go_on(EVP_CIPHER_CTX *ctx, struct span in, uint8_t *out)
{
    int len = 0;

    return EVP_CipherUpdate(ctx, out, &len, in.at, (int)in.len) && (size_t)len == in.len;
}

static enum err open_blocks(EVP_CIPHER_CTX *ctx, size_t block, struct span in, uint8_t *out,
                            bool *out_proved)
{
    if (!ctx || in.len < block || !go_on(ctx, span_of(in.at, block), out))
        return ERR_NO_MEMORY;
    *out_proved = out[0] == 0x2f && out[1] == 0x2f;
    if (!*out_proved || in.len == block)
        return ERR_OK;
    return go_on(ctx, span_of(in.at + block, in.len - block), out + block) ? ERR_OK : ERR_NO_MEMORY;
}

enum err oms_cbc_open(const uint8_t *key, const uint8_t iv[OMS_BLOCK], struct span in, uint8_t *out,
                      bool *out_proved)
{
    return open_blocks(begin(CBC_OPEN, key, iv), OMS_BLOCK, in, out, out_proved);
}

enum err oms_cbc_seal(const uint8_t *key, const uint8_t iv[OMS_BLOCK], struct span in, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = begin(CBC_SEAL, key, iv);

    return ctx && go_on(ctx, in, out) ? ERR_OK : ERR_NO_MEMORY;
}

static void three_times(const uint8_t *key, uint8_t out[3 * OMS_DES_KEY])
{
    for (size_t i = 0; i < 3; i++)
        memcpy(out + i * OMS_DES_KEY, key, OMS_DES_KEY);
}

enum err oms_des_open(const uint8_t *key, struct span in, uint8_t *out, bool *out_proved)
{
    static const uint8_t zeros[OMS_DES_KEY];
    uint8_t wide[3 * OMS_DES_KEY];

    three_times(key, wide);
    return open_blocks(begin(DES_OPEN, wide, zeros), OMS_DES_KEY, in, out, out_proved);
}

enum err oms_des_seal(const uint8_t *key, struct span in, uint8_t *out)
{
    static const uint8_t zeros[OMS_DES_KEY];
    uint8_t wide[3 * OMS_DES_KEY];
    EVP_CIPHER_CTX *ctx;

    three_times(key, wide);
    ctx = begin(DES_SEAL, wide, zeros);
    return ctx && go_on(ctx, in, out) ? ERR_OK : ERR_NO_MEMORY;
}

enum err oms_ctr(const uint8_t *key, const uint8_t first[OMS_BLOCK], struct span in, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = begin(CTR, key, first);

    return ctx && (!in.len || go_on(ctx, in, out)) ? ERR_OK : ERR_NO_MEMORY;
}

/* ---- CMAC ---- */

enum err oms_cmac(const uint8_t *key, const struct span *parts, size_t count,
                  uint8_t out[OMS_BLOCK])
{
    struct ciphers *c = ciphers();
    size_t len = 0;
    bool good = c && EVP_MAC_init(c->mac, key, OMS_KEY, NULL);

    for (size_t i = 0; i < count && good; i++)
        good = !parts[i].len || EVP_MAC_update(c->mac, parts[i].at, parts[i].len);
    return good && EVP_MAC_final(c->mac, out, &len, OMS_BLOCK) ? ERR_OK : ERR_NO_MEMORY;
}

enum err oms_derive(const uint8_t *key, uint32_t counter, uint32_t id, struct oms_message_keys *out)
{
    uint8_t text[OMS_BLOCK];
    struct wr w = wr_of(text, sizeof text);
    const struct span whole = span_of(text, sizeof text);
    enum err err;

    wr_u8(&w, 0); /* the encryption key, from the meter; 1 the MAC's */
    wr_le32(&w, counter);
    wr_le32(&w, id);
    memset(w.at, 7, (size_t)(w.end - w.at));
    if ((err = oms_cmac(key, &whole, 1, out->enc)))
        return err;
    text[0] = 1;
    return oms_cmac(key, &whole, 1, out->mac);
}
