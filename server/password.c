#include "server/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/random.h>

#define LOG_N 15
#define BLOCK 8
#define LANES 3
#define LOG_N_MOST 20
#define BYTES_MOST (UINT64_C(256) << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static unsigned at_work, waiting;

static bool enter(void)
{
    bool may;

    pthread_mutex_lock(&lock);
    may = waiting < PASSWORD_WAITING;
    waiting += may;
    while (may && at_work == PASSWORD_AT_ONCE)
        pthread_cond_wait(&left, &lock);
    waiting -= may;
    at_work += may;
    pthread_mutex_unlock(&lock);
    return may;
}

static void leave(void)
{
    pthread_mutex_lock(&lock);
    at_work--;
    pthread_cond_signal(&left);
    pthread_mutex_unlock(&lock);
}

static enum err reckon(struct span password, const struct password_hash *h, uint8_t out[32])
{
    int fine;

    if (!enter())
        return ERR_LIMIT;
    fine = EVP_PBE_scrypt((const char *)password.at, password.len, h->salt, sizeof h->salt,
                          UINT64_C(1) << h->log_n, h->r, h->p, BYTES_MOST, out, 32);
    leave();
    return fine == 1 ? ERR_OK : ERR_NO_MEMORY;
}

enum err password_hash(struct span password, struct password_hash *out)
{
    struct password_hash h = { .log_n = LOG_N, .r = BLOCK, .p = LANES };
    enum err err;

    if (getrandom(h.salt, sizeof h.salt, 0) != sizeof h.salt)
        return ERR_IO;
    if (!(err = reckon(password, &h, h.hash)))
        *out = h;
    return err;
}

enum err password_fits(struct span password, const struct password_hash *hash, bool *out_fits)
{
    static const struct password_hash nobody = { .log_n = LOG_N, .r = BLOCK, .p = LANES };
    uint8_t reckoned[32];
    enum err err;

    *out_fits = false;
    if (hash && (!hash->log_n || hash->log_n > LOG_N_MOST || !hash->r || !hash->p))
        return ERR_CORRUPT;
    err = reckon(password, hash ? hash : &nobody, reckoned);
    if (!err && hash)
        *out_fits = CRYPTO_memcmp(reckoned, hash->hash, sizeof reckoned) == 0;
    explicit_bzero(reckoned, sizeof reckoned);
    return err;
}
