#include "server/query/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_MEMORY (256u << 10) /* 40 µs of a copy between two hand-overs to a worker */

struct spool {
    int fd;
    EVP_MD_CTX *sum;
    bool secret;
    uint64_t total; /* that was flushed */
    size_t len;
    uint8_t bytes[SPOOL_MEMORY];
};

/* A file without a name, where the file system can; else one whose name is taken away at once. */
static int open_unnamed(const char *store)
{
    char path[600];
    int fd;

    snprintf(path, sizeof path, "%s/tmp", store);
    if (mkdir(path, 0700) && errno != EEXIST)
        return -1;
    if ((fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) >= 0)
        return fd;
    snprintf(path, sizeof path, "%s/tmp/import-XXXXXX", store);
    if ((fd = mkostemp(path, O_CLOEXEC)) >= 0)
        unlink(path);
    return fd;
}

enum err spool_open(const char *store, bool secret, struct spool **out, struct refusal *r)
{
    struct spool *s = (struct spool *)malloc(sizeof *s);

    if (!s)
        return refuse(r, ERR_NO_MEMORY, 0, "", "no memory for the import");
    s->len = 0;
    s->sum = EVP_MD_CTX_new();
    s->secret = secret;
    s->total = 0;
    s->fd = secret ? memfd_create("import", MFD_CLOEXEC) : open_unnamed(store);
    if (s->fd < 0 || !s->sum || !EVP_DigestInit_ex(s->sum, EVP_sha256(), NULL)) {
        enum err err = s->fd < 0 ? (errno == ENOSPC ? ERR_FULL : ERR_IO) : ERR_NO_MEMORY;

        spool_close(s);
        return refuse(r, err, 0, "", "no file could be made in %s/tmp for the import", store);
    }
    *out = s;
    return ERR_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    EVP_MD_CTX_free(s->sum);
    if (s->secret)
        explicit_bzero(s->bytes, sizeof s->bytes);
    free(s);
}

size_t spool_take(struct spool *s, struct span bytes)
{
    size_t room = SPOOL_MEMORY - s->len, len = bytes.len < room ? bytes.len : room;

    if (len)
        memcpy(s->bytes + s->len, bytes.at, len);
    s->len += len;
    return len;
}

enum err spool_flush(struct spool *s)
{
    size_t done = 0;

    s->total += s->len;
    if (s->secret && s->total > SPOOL_SECRET_MOST)
        return ERR_TOO_LARGE;
    if (!EVP_DigestUpdate(s->sum, s->bytes, s->len))
        return ERR_NO_MEMORY;
    while (done < s->len) {
        ssize_t n = write(s->fd, s->bytes + done, s->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
        done += (size_t)n;
    }
    s->len = 0;
    return ERR_OK;
}

int spool_file(struct spool *s)
{
    return lseek(s->fd, 0, SEEK_SET) < 0 ? -1 : s->fd;
}

void spool_digest(struct spool *s, uint8_t out[32])
{
    if (!EVP_DigestFinal_ex(s->sum, out, NULL))
        memset(out, 0, 32);
}
