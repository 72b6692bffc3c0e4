#include "storage/photos.h"

#include "proto/base/hex.h"
#include "proto/base/wr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4300
#define FOLDER "photos"
#define NEW_NAME ".new-XXXXXX" /* what is being written: a dot is no digit */

struct photos {
    uint64_t room_bytes;
    pthread_mutex_t lock; /* one is written at a time: photos are few, and room is counted */
    bool counted;
    uint64_t bytes; /* of all, once counted */
    char dir[];
};

enum err photos_open(const char *dir, uint64_t room_bytes, struct photos **out)
{
    struct photos *p = calloc(1, sizeof *p + strlen(dir) + 1);

    if (!p)
        return ERR_NO_MEMORY;
    memcpy(p->dir, dir, strlen(dir) + 1);
    p->room_bytes = room_bytes;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return ERR_OK;
}

void photos_close(struct photos *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- what a photo is ---- */

static bool begins(struct span bytes, const char *with, size_t len)
{
    return bytes.len >= len && memcmp(bytes.at, with, len) == 0;
}

const char *photo_type(struct span bytes)
{
    if (begins(bytes, "\xff\xd8\xff", 3)) /* ITU-T T.81 B.1.1.3: SOI and the next marker */
        return "image/jpeg";
    if (begins(bytes, "\x89PNG\r\n\x1a\n", 8)) /* ISO/IEC 15948 5.2 */
        return "image/png";
    if (begins(bytes, "RIFF", 4) && bytes.len >= 12 && memcmp(bytes.at + 8, "WEBP", 4) == 0)
        return "image/webp"; /* RFC 9649 §2.3 */
    return NULL;
}

static void id_of(struct span bytes, char out[PHOTO_ID_SIZE])
{
    uint8_t sum[32];
    unsigned len = 0;
    struct wr w = wr_of(out, PHOTO_ID_SIZE - 1);

    if (!EVP_Digest(bytes.at, bytes.len, sum, &len, EVP_sha256(), NULL) || len != sizeof sum)
        abort(); /* fails only without memory, and a name that lies must not be */
    hex_write(&w, span_of(sum, sizeof sum));
    out[PHOTO_ID_SIZE - 1] = 0;
}

static bool is_id(struct span id)
{
    if (id.len != PHOTO_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!((id.at[i] >= '0' && id.at[i] <= '9') || (id.at[i] >= 'a' && id.at[i] <= 'f')))
            return false;
    return true;
}

/* False: too long. `id` empty: the folder of the photos; `what` after the folder of an id. */
static bool path_of(char out[PATH_SIZE], const char *dir, struct span id, const char *what)
{
    int len = id.len ? snprintf(out, PATH_SIZE, "%s/" FOLDER "/%.2s%s%s", dir, (const char *)id.at,
                                *what ? "/" : "", what)
                     : snprintf(out, PATH_SIZE, "%s/" FOLDER, dir);

    return len > 0 && len < PATH_SIZE;
}

static enum err of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
}

/* ---- walking all of them ---- */

struct walk {
    const char *dir;
    enum err (*each)(void *arg, const char *path, struct span id);
    void *arg;
};

static enum err walk_folder(const struct walk *w, const char *folder, const char *name)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    enum err err = ERR_OK;

    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? ERR_OK : ERR_IO;
    while (!err && (errno = 0, entry = readdir(dir))) {
        struct span id = span_text(entry->d_name);
        char path[PATH_SIZE];

        if (is_id(id) && memcmp(id.at, name, 2) == 0 && path_of(path, w->dir, id, entry->d_name))
            err = w->each(w->arg, path, id);
    }
    if (!err && errno)
        err = ERR_IO; /* what was not listed is neither checked nor copied */
    closedir(dir);
    return err;
}

static enum err walk(const struct walk *w)
{
    enum err err = ERR_OK;

    for (unsigned n = 0; n < 256 && !err; n++) {
        char name[3], path[PATH_SIZE];

        snprintf(name, sizeof name, "%02x", n);
        if (!path_of(path, w->dir, span_text(name), ""))
            return ERR_IO;
        err = walk_folder(w, path, name);
    }
    return err;
}

static enum err add_size(void *arg, const char *path, struct span id)
{
    struct stat st;

    (void)id;
    if (stat(path, &st) == 0)
        *(uint64_t *)arg += (uint64_t)st.st_size;
    return ERR_OK;
}

/* ---- reading ---- */

static enum err read_all(int fd, uint8_t **out, size_t *out_len)
{
    uint8_t *bytes = malloc(PHOTO_BYTES_MAX + 1);
    size_t len = 0;
    ssize_t got = 1;

    while (bytes && got && len <= PHOTO_BYTES_MAX) {
        got = read(fd, bytes + len, PHOTO_BYTES_MAX + 1 - len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0)
            break;
        len += (size_t)got;
    }
    if (!bytes || got < 0) {
        free(bytes);
        return bytes ? ERR_IO : ERR_NO_MEMORY;
    }
    *out = bytes;
    *out_len = len;
    return ERR_OK;
}

static enum err read_photo(const char *path, struct span id, uint8_t **out, size_t *out_len)
{
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* nor is a pipe waited for */
    char is[PHOTO_ID_SIZE];
    enum err err;

    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    err = read_all(fd, out, out_len);
    close(fd);
    if (err)
        return err;
    id_of(span_of(*out, *out_len), is);
    if (*out_len <= PHOTO_BYTES_MAX && span_equal(id, span_text(is)))
        return ERR_OK;
    free(*out);
    *out = NULL;
    return ERR_CORRUPT;
}

enum err photos_get(struct photos *p, struct span id, uint8_t **out, size_t *out_len)
{
    char path[PATH_SIZE], name[PHOTO_ID_SIZE];

    if (!is_id(id))
        return ERR_NOT_FOUND;
    snprintf(name, sizeof name, "%.64s", (const char *)id.at);
    if (!path_of(path, p->dir, id, name))
        return ERR_IO;
    return read_photo(path, id, out, out_len);
}

/* ---- writing ---- */

static enum err sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd < 0 || fsync(fd) ? of_errno() : ERR_OK;

    if (fd >= 0)
        close(fd);
    return err;
}

/* The photo's name and the folders that it lies in: whoever made them may have ended before they were synced. */
static enum err sync_name(const char *dir, struct span id)
{
    char all[PATH_SIZE], folder[PATH_SIZE];
    enum err err;

    if (!path_of(all, dir, span_of(NULL, 0), "") || !path_of(folder, dir, id, ""))
        return ERR_IO;
    if ((err = sync_folder(folder)) || (err = sync_folder(all)))
        return err;
    return sync_folder(dir);
}

static enum err make_folder(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERR_OK : of_errno();
}

static enum err make_folders(const char *dir, struct span id)
{
    char all[PATH_SIZE], folder[PATH_SIZE];
    enum err err;

    if (!path_of(all, dir, span_of(NULL, 0), "") || !path_of(folder, dir, id, ""))
        return ERR_IO;
    err = make_folder(all);
    return err ? err : make_folder(folder);
}

static enum err write_all(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return of_errno();
        bytes = span_of(bytes.at + n, bytes.len - (size_t)n);
    }
    return ERR_OK;
}

/* Under another name first: a file that bears its id is whole. */
static enum err write_photo(const char *dir, struct span id, struct span bytes, bool sync)
{
    char path[PATH_SIZE], fresh[PATH_SIZE], name[PHOTO_ID_SIZE];
    enum err err = make_folders(dir, id);
    int fd;

    if (err)
        return err;
    snprintf(name, sizeof name, "%.64s", (const char *)id.at);
    if (!path_of(path, dir, id, name) || !path_of(fresh, dir, id, NEW_NAME))
        return ERR_IO;
    if ((fd = mkostemp(fresh, O_CLOEXEC)) < 0)
        return of_errno();
    err = write_all(fd, bytes);
    if (!err && sync && fsync(fd))
        err = of_errno();
    if (close(fd) && !err)
        err = of_errno();
    if (!err && rename(fresh, path))
        err = of_errno();
    if (err)
        unlink(fresh);
    return !err && sync ? sync_name(dir, id) : err;
}

static enum err count_room(struct photos *p)
{
    const struct walk w = { p->dir, add_size, &p->bytes };
    enum err err = ERR_OK;

    if (p->counted)
        return ERR_OK;
    p->bytes = 0;
    if (!(err = walk(&w)))
        p->counted = true;
    return err;
}

static enum err refuse_bytes(struct span bytes, struct refusal *r)
{
    if (bytes.len > PHOTO_BYTES_MAX)
        return refuse(r, ERR_TOO_LARGE, 0, "", "the photo has %zu bytes, expected at most %u",
                      bytes.len, PHOTO_BYTES_MAX);
    if (!photo_type(bytes))
        return refuse(r, ERR_INVALID, 0, "",
                      "the photo: found no image by its first bytes, expected JPEG, PNG or WebP");
    return ERR_OK;
}

static enum err put_lkd(struct photos *p, struct span bytes, struct span id, bool *out_new,
                        struct refusal *r)
{
    uint8_t *there = NULL;
    size_t len;
    enum err err = photos_get(p, id, &there, &len);

    free(there);
    *out_new = err != ERR_OK; /* one that is damaged is written anew */
    if (!err) {
        err = sync_name(p->dir, id);
        return err ? refuse(r, err, 0, "", "the photo cannot be kept: the disk %s", err_text(err))
                   : ERR_OK;
    }
    if ((err = count_room(p)))
        return refuse(r, err, 0, "", "the folder of photos cannot be read: it %s", err_text(err));
    if (p->bytes + bytes.len > p->room_bytes)
        return refuse(r, ERR_LIMIT, 0, "",
                      "photos have %llu of %llu bytes: there is no room for %zu more (photo-space)",
                      (unsigned long long)p->bytes, (unsigned long long)p->room_bytes, bytes.len);
    if ((err = write_photo(p->dir, id, bytes, true)))
        return refuse(r, err, 0, "", "the photo cannot be kept: the disk %s", err_text(err));
    p->bytes += bytes.len;
    return ERR_OK;
}

enum err photos_put(struct photos *p, struct span bytes, char out_id[PHOTO_ID_SIZE], bool *out_new,
                    struct refusal *r)
{
    char id[PHOTO_ID_SIZE];
    enum err err = refuse_bytes(bytes, r);

    if (err)
        return err;
    id_of(bytes, id);
    pthread_mutex_lock(&p->lock);
    err = put_lkd(p, bytes, span_text(id), out_new, r);
    pthread_mutex_unlock(&p->lock);
    if (!err)
        memcpy(out_id, id, sizeof id);
    return err;
}

/* ---- checking and copying ---- */

struct check {
    uint64_t count, bytes;
    struct refusal *r;
};

static enum err check_photo(void *arg, const char *path, struct span id)
{
    struct check *c = arg;
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = read_photo(path, id, &bytes, &len);

    free(bytes);
    if (err)
        return refuse(c->r, err, 0, "", "%.200s: what is there %s", path, err_text(err));
    c->count++;
    c->bytes += len;
    return ERR_OK;
}

enum err photos_check(const char *dir, uint64_t *out_count, uint64_t *out_bytes, struct refusal *r)
{
    struct check c = { .r = r };
    const struct walk w = { dir, check_photo, &c };
    enum err err = walk(&w);

    *out_count = c.count;
    *out_bytes = c.bytes;
    if (err && r && !r->text[0])
        return refuse(r, err, 0, "", "%s/" FOLDER ": cannot be read: it %s", dir, err_text(err));
    return err;
}

struct copy {
    const char *to;
    uint64_t count;
    struct refusal *r;
};

static enum err copy_photo(void *arg, const char *path, struct span id)
{
    struct copy *c = arg;
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = read_photo(path, id, &bytes, &len);

    if (!err)
        err = write_photo(c->to, id, span_of(bytes, len), false);
    free(bytes);
    if (err)
        return refuse(c->r, err, 0, "", "%.200s: cannot be copied: it %s", path, err_text(err));
    c->count++;
    return ERR_OK;
}

enum err photos_copy(const char *dir, const char *to, struct refusal *r)
{
    struct copy c = { .to = to, .r = r };
    const struct walk w = { dir, copy_photo, &c };
    enum err err = walk(&w);
    int fd;

    if (err && r && !r->text[0])
        return refuse(r, err, 0, "", "%s/" FOLDER ": cannot be read: it %s", dir, err_text(err));
    if (err || !c.count)
        return err;
    fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    err = fd < 0 || syncfs(fd) ? of_errno() : ERR_OK;
    if (fd >= 0)
        close(fd);
    return err ? refuse(r, err, 0, "", "%s: photos cannot be synced: %s", to, strerror(errno))
               : ERR_OK;
}
