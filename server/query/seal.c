#include "server/query/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define NONCE 12
#define TAG 16
#define PURPOSE                                                                                    \
    "nilometer: a kept answer" /* so that the key is not the hash that the store has               \
                                */

static bool key_of(struct span token, uint8_t out[32])
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    bool fine = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) &&
                EVP_DigestUpdate(sum, PURPOSE, sizeof PURPOSE) &&
                EVP_DigestUpdate(sum, token.at, token.len) && EVP_DigestFinal_ex(sum, out, NULL);

    EVP_MD_CTX_free(sum);
    return fine;
}

static EVP_CIPHER_CTX *begin(struct span token, const uint8_t nonce[NONCE], int closes)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t key[32];
    bool fine = c && key_of(token, key) &&
                EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, closes);

    OPENSSL_cleanse(key, sizeof key);
    if (fine)
        return c;
    EVP_CIPHER_CTX_free(c);
    return NULL;
}

enum err seal_close(struct span token, struct span plain, struct out *sealed)
{
    uint8_t nonce[NONCE], tag[TAG];
    EVP_CIPHER_CTX *c = NULL;
    int len = 0, more = 0;
    uint8_t *to;
    bool fine;

    if (RAND_bytes(nonce, NONCE) != 1 || !(c = begin(token, nonce, 1)))
        return ERR_NO_MEMORY;
    out_bytes(sealed, nonce, NONCE);
    out_bytes(sealed, tag, TAG); /* its place */
    to = (uint8_t *)out_room(sealed, plain.len);
    fine = to && EVP_CipherUpdate(c, to, &len, plain.at, (int)plain.len) &&
           EVP_CipherFinal_ex(c, to + len, &more) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag);
    EVP_CIPHER_CTX_free(c);
    if (!fine)
        return ERR_NO_MEMORY;
    memcpy(to - TAG, tag, TAG);
    sealed->len += plain.len;
    return ERR_OK;
}

enum err seal_open(struct span token, struct span sealed, struct out *plain)
{
    EVP_CIPHER_CTX *c;
    uint8_t tag[TAG], *to;
    int len = 0, more = 0;
    bool fine;

    if (sealed.len < NONCE + TAG)
        return ERR_CORRUPT;
    memcpy(tag, sealed.at + NONCE, TAG);
    if (!(c = begin(token, sealed.at, 0)) ||
        !(to = (uint8_t *)out_room(plain, sealed.len - NONCE - TAG))) {
        EVP_CIPHER_CTX_free(c);
        return ERR_NO_MEMORY;
    }
    fine =
        EVP_CipherUpdate(c, to, &len, sealed.at + NONCE + TAG, (int)(sealed.len - NONCE - TAG)) &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) &&
        EVP_CipherFinal_ex(c, to + len, &more) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!fine)
        return ERR_CORRUPT;
    plain->len += sealed.len - NONCE - TAG;
    return ERR_OK;
}
