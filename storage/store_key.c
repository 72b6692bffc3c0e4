#include "storage/store_key.h"

#include "proto/base/hex.h"
#include "storage/db_priv.h"
#include "storage/secret.h"
#include "storage/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES ((size_t)32)
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define FILE_MOST 128 /* 64 digits and some blanks */

_Static_assert(SEALED_MORE == NONCE_BYTES + TAG_BYTES, "");

/* All of it in one page of its own. */
struct store_key {
    uint8_t seal[KEY_BYTES], print[KEY_BYTES]; /* one key for one purpose */
    bool own, open;
    char path[STORE_PATH_SIZE];
};

static bool derive(const uint8_t key[KEY_BYTES], const char *purpose, uint8_t out[KEY_BYTES])
{
    unsigned len = 0;

    return HMAC(EVP_sha256(), key, KEY_BYTES, (const uint8_t *)purpose, strlen(purpose), out,
                &len) &&
           len == KEY_BYTES;
}

static enum err key_new(uint8_t key[KEY_BYTES], const char *path, bool own, struct store_key **out)
{
    struct store_key *k = (struct store_key *)secret_new(sizeof *k);

    if (k && derive(key, "nilometer: meters' keys", k->seal) &&
        derive(key, "nilometer: fingerprints", k->print)) {
        k->own = own;
        snprintf(k->path, sizeof k->path, "%s", path);
        *out = k;
    } else {
        store_key_free(k);
        k = NULL;
    }
    secret_wipe(key, KEY_BYTES);
    return k ? ERR_OK : ERR_NO_MEMORY;
}

void store_key_free(struct store_key *k)
{
    secret_free(k, sizeof *k);
}

const char *store_key_path(const struct store_key *k)
{
    return k->path;
}

bool store_key_is_open(const struct store_key *k)
{
    return k->open;
}

bool store_key_is_own(const struct store_key *k)
{
    return k->own;
}

/* ---- files ---- */

static struct span line_end_off(struct span text)
{
    while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r' ||
                        text.at[text.len - 1] == ' '))
        text.len--;
    return text;
}

/* 32 bytes as they are, whatever they are; else digits, and a line's end. */
static bool key_read(const uint8_t *bytes, size_t len, uint8_t out[KEY_BYTES])
{
    struct span digits = line_end_off(span_of(bytes, len));
    size_t read = 0;

    if (len == KEY_BYTES) {
        memcpy(out, bytes, KEY_BYTES);
        return true;
    }
    return digits.len == 2 * KEY_BYTES && !hex_read(digits, out, KEY_BYTES, &read) &&
           read == KEY_BYTES;
}

static enum err file_read(const char *path, bool own, struct store_key **out, struct refusal *r)
{
    uint8_t bytes[FILE_MOST], key[KEY_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st = { .st_mode = 0 };
    ssize_t len;
    enum err err;

    if (fd < 0)
        return errno == ENOENT
                   ? ERR_NOT_FOUND
                   : refuse(r, ERR_IO, 0, "", "%.150s: cannot be read: %s", path, strerror(errno));
    len = fstat(fd, &st) ? -1 : read(fd, bytes, sizeof bytes);
    close(fd);
    if (len < 0)
        err = refuse(r, ERR_IO, 0, "", "%.150s: cannot be read: %s", path, strerror(errno));
    else if (!key_read(bytes, (size_t)len, key))
        err = refuse(r, ERR_CORRUPT, 0, "",
                     "%.150s: is no store key: expected 32 bytes or 64 hexadecimal digits", path);
    else if ((err = key_new(key, path, own, out)))
        refuse(r, err, 0, "", "%.150s: no memory for the key", path);
    else
        (*out)->open = st.st_mode & S_IROTH;
    secret_wipe(bytes, sizeof bytes);
    return err;
}

enum err store_key_find(const char *dir, const char *file, struct store_key **out,
                        struct refusal *r)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[STORE_PATH_SIZE];
    enum err err;

    if (file) {
        err = file_read(file, false, out, r);
        return err == ERR_NOT_FOUND ? refuse(r, ERR_MISSING, 0, "store-key-file",
                                             "--store-key-file: %.150s: is missing", file)
                                    : err;
    }
    if (credentials && store_path(credentials, "nilod.store-key", path) &&
        (err = file_read(path, false, out, r)) != ERR_NOT_FOUND)
        return err;
    if (!store_path(dir, "store.key", path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    return file_read(path, true, out, r);
}

static bool write_all(int fd, const void *bytes, size_t len)
{
    return write(fd, bytes, len) == (ssize_t)len && fsync(fd) == 0;
}

/* Under another name until it is whole: half a key would lock every meter's out. */
static enum err key_write(const char *dir, const void *bytes, size_t len, struct refusal *r)
{
    char path[STORE_PATH_SIZE], half[STORE_PATH_SIZE];
    bool good;
    int fd;

    if (!store_path(dir, "store.key", path) || !store_path(dir, "store.key.new", half))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    if (access(path, F_OK) == 0)
        return refuse(r, ERR_EXISTS, 0, "", "%.150s: is there already", path);
    unlink(half);
    fd = open(half, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    good = fd >= 0 && write_all(fd, bytes, len);
    good = fd >= 0 && close(fd) == 0 && good;
    if (good && rename(half, path) == 0 && db_folder_sync(path))
        return ERR_OK;
    return refuse(r, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, 0, "",
                  "%.150s: cannot be written: %s", path, strerror(errno));
}

enum err store_key_make(const char *dir, struct store_key **out, struct refusal *r)
{
    uint8_t key[KEY_BYTES];
    char digits[2 * KEY_BYTES + 1], path[STORE_PATH_SIZE];
    struct wr w = wr_of(digits, sizeof digits);
    enum err err;

    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return refuse(r, ERR_IO, 0, "", "the system gives no random numbers");
    hex_write(&w, span_of(key, sizeof key));
    wr_u8(&w, '\n');
    if (!(err = key_write(dir, digits, sizeof digits, r))) {
        (void)store_path(dir, "store.key", path); /* it did fit */
        err = key_new(key, path, true, out);
    }
    secret_wipe(digits, sizeof digits);
    secret_wipe(key, sizeof key);
    return err;
}

enum err store_key_copy(const char *dir, const char *to, bool *out_copied, struct refusal *r)
{
    uint8_t bytes[FILE_MOST];
    char path[STORE_PATH_SIZE];
    ssize_t len;
    enum err err;
    int fd;

    *out_copied = false;
    if (!store_path(dir, "store.key", path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 && errno == ENOENT)
        return ERR_OK;
    len = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    err = len < 0 ? refuse(r, ERR_IO, 0, "", "%.150s: cannot be read: %s", path, strerror(errno))
                  : key_write(to, bytes, (size_t)len, r);
    secret_wipe(bytes, sizeof bytes);
    *out_copied = !err;
    return err;
}

/* ---- sealing ---- */

enum err store_key_seal(const struct store_key *k, struct span place, struct span text,
                        uint8_t *out)
{
    uint8_t *nonce = out, *tag = out + NONCE_BYTES, *body = tag + TAG_BYTES;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len, ended;
    bool good;

    if (!c)
        return ERR_NO_MEMORY;
    good = getrandom(nonce, NONCE_BYTES, 0) == NONCE_BYTES &&
           EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->seal, nonce) &&
           EVP_EncryptUpdate(c, NULL, &len, place.at, (int)place.len) &&
           EVP_EncryptUpdate(c, body, &len, text.at, (int)text.len) &&
           EVP_EncryptFinal_ex(c, body + len, &ended) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag);
    EVP_CIPHER_CTX_free(c);
    return good ? ERR_OK : ERR_IO;
}

enum err store_key_unseal(const struct store_key *k, struct span place, struct span sealed,
                          uint8_t *out, size_t cap, size_t *out_len)
{
    uint8_t tag[TAG_BYTES];
    EVP_CIPHER_CTX *c;
    int len = 0, ended = 0;
    bool good;

    if (sealed.len < SEALED_MORE || sealed.len - SEALED_MORE > cap)
        return ERR_CORRUPT;
    if (!(c = EVP_CIPHER_CTX_new()))
        return ERR_NO_MEMORY;
    memcpy(tag, sealed.at + NONCE_BYTES, TAG_BYTES);
    good =
        EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->seal, sealed.at) &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) &&
        EVP_DecryptUpdate(c, NULL, &len, place.at, (int)place.len) &&
        EVP_DecryptUpdate(c, out, &len, sealed.at + SEALED_MORE, (int)(sealed.len - SEALED_MORE)) &&
        EVP_DecryptFinal_ex(c, out + len, &ended) > 0;
    EVP_CIPHER_CTX_free(c); /* wipes the schedule of the key */
    if (!good) {
        secret_wipe(out, sealed.len - SEALED_MORE);
        return ERR_FORBIDDEN;
    }
    *out_len = sealed.len - SEALED_MORE;
    return ERR_OK;
}

/* Keyed, for a short PSK could be found again by trying. */
void store_key_fingerprint(const struct store_key *k, uint8_t kind, struct span key,
                           char out[FINGERPRINT_SIZE])
{
    uint8_t text[1 + 255], sum[EVP_MAX_MD_SIZE];
    size_t used = key.len < sizeof text - 1 ? key.len : sizeof text - 1;
    unsigned len = 0;

    text[0] = kind;
    memcpy(text + 1, key.at, used);
    if (!HMAC(EVP_sha256(), k->print, KEY_BYTES, text, 1 + used, sum, &len))
        memset(sum, 0, sizeof sum);
    snprintf(out, FINGERPRINT_SIZE, "%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3]);
    secret_wipe(text, sizeof text);
    secret_wipe(sum, sizeof sum);
}
