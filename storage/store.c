#include "storage/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_VERSION 1

struct store_lock {
    int fd;
    bool made;
    char dir[];
};

bool store_path(const char *dir, const char *name, char out[STORE_PATH_SIZE])
{
    return snprintf(out, STORE_PATH_SIZE, "%s/%s", dir, name) < STORE_PATH_SIZE;
}

/* Makes the folder and those above it. */
int store_folders_make(const char *dir)
{
    char path[STORE_PATH_SIZE];
    size_t len = strlen(dir);

    if (len >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i < len; i++) {
        if (dir[i] != '/')
            continue;
        memcpy(path, dir, i);
        path[i] = 0;
        if (mkdir(path, 0755) && errno != EEXIST && errno != EROFS && errno != EACCES)
            return -1;
    }
    return mkdir(dir, 0700) && errno != EEXIST ? -1 : 0;
}

/* ---- the version ---------------------------------------------------------------------------- */

/* DIR/store: "nilometer store N\n". NOT_FOUND: not made yet. */
enum err store_version(const char *dir, struct refusal *r)
{
    char path[STORE_PATH_SIZE];
    unsigned version = 0;
    FILE *f;
    int fields;

    if (!store_path(dir, "store", path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    if (!(f = fopen(path, "re")))
        return errno == ENOENT
                   ? ERR_NOT_FOUND
                   : refuse(r, ERR_IO, 0, "", "%s: cannot be read: %s", path, strerror(errno));
    fields = fscanf(f, "nilometer store %u", &version);
    fclose(f);
    if (fields != 1 || version == 0)
        return refuse(r, ERR_CORRUPT, 0, "", "%s: does not say which store this is", path);
    if (version > STORE_VERSION)
        return refuse(r, ERR_NEWER, 0, "",
                      "%s: the store was written by a newer version of Nilometer (store %u, this "
                      "program knows %u); "
                      "use that version",
                      dir, version, STORE_VERSION);
    return ERR_OK;
}

static bool folder_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

bool store_version_write(const char *dir)
{
    char path[STORE_PATH_SIZE], half[STORE_PATH_SIZE], text[64];
    int len = snprintf(text, sizeof(text), "nilometer store %u\n", STORE_VERSION), fd;
    bool good;

    if (!store_path(dir, "store", path) || !store_path(dir, "store.new", half) ||
        (fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        return false;
    good = write(fd, text, (size_t)len) == len && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good && rename(half, path) == 0 && folder_sync(dir);
}

enum err store_made(struct store_lock *l, struct refusal *r)
{
    if (l->made)
        return ERR_OK;
    if (!store_version_write(l->dir))
        return refuse(r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "",
                      "%s/store: cannot be written: %s", l->dir, strerror(errno));
    l->made = true;
    return ERR_OK;
}

unsigned store_db_flags(const struct store_lock *l)
{
    return l->made ? 0 : DB_CREATE;
}

/* ---- the lock ------------------------------------------------------------------------------- */

static enum err lock_refusal(const char *dir, int fd, struct refusal *r)
{
    char pid[24] = "";
    ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[len > 0 ? strspn(pid, "0123456789") : 0] = 0;
    return refuse(r, ERR_BUSY, 0, "", "%s: the store is in use by process %s; stop it first", dir,
                  *pid ? pid : "(unknown)");
}

/* The pid is for people; what holds is the lock, which goes with the process however it ends. */
static enum err lock_take(struct store_lock *l, struct refusal *r)
{
    char path[STORE_PATH_SIZE], pid[24];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

    if (!store_path(l->dir, "lock", path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", l->dir);
    if ((l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return refuse(r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "", "%s: cannot be opened: %s",
                      path, strerror(errno));
    if (flock(l->fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK
                   ? lock_refusal(l->dir, l->fd, r)
                   : refuse(r, ERR_IO, 0, "", "%s: cannot be locked: %s", path, strerror(errno));
    if (ftruncate(l->fd, 0) || pwrite(l->fd, pid, (size_t)len, 0) != len)
        return refuse(r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "", "%s: cannot be written: %s",
                      path, strerror(errno));
    return ERR_OK;
}

enum err store_lock_take(const char *dir, struct store_lock **out, struct refusal *r)
{
    struct store_lock *l = calloc(1, sizeof(*l) + strlen(dir) + 1);
    enum err err;

    if (!l)
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", dir);
    memcpy(l->dir, dir, strlen(dir) + 1);
    l->fd = -1;
    if (store_folders_make(dir))
        err = refuse(r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "", "%s: cannot be created: %s",
                     dir, strerror(errno));
    else if (!(err = lock_take(l, r)) && (err = store_version(dir, r)) == ERR_NOT_FOUND)
        err = ERR_OK;
    else
        l->made = !err;
    if (err)
        store_lock_release(l);
    else
        *out = l;
    return err;
}

void store_lock_release(struct store_lock *l)
{
    if (!l)
        return;
    if (l->fd >= 0)
        close(l->fd); /* the file stays: unlinking it would let two hold it */
    free(l);
}
