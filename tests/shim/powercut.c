/* Preloaded before the C library: see shim.h.  Calls go to the kernel themselves, so nothing of the
 * library is in the way. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 512
#define DESCRIPTORS 4096
#define NAME_SIZE 128

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_len;
static int log_fd = -1;
static char names[FILES][NAME_SIZE]; /* below the folder; "" for one that is gone */
static uint32_t file_count = 1;
static struct descriptor {
    uint32_t file; /* 0: not ours; UINT32_MAX: a folder */
    int synced;    /* O_DSYNC */
} descriptors[DESCRIPTORS];
static unsigned fail_kinds, fail_after, fail_count;
static int fail_code;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("NILO_SHIM_LOG");

    folder = getenv("NILO_SHIM_DIR");
    folder_len = folder ? strlen(folder) : 0;
    if (folder && path)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0600);
}

static void note(uint32_t kind, uint32_t file, uint64_t offset, const void *bytes, size_t len)
{
    struct shim_entry e = { kind, file, offset, len };
    struct iovec parts[2] = { { &e, sizeof(e) }, { (void *)bytes, len } };

    if (log_fd >= 0 && syscall(SYS_writev, log_fd, parts, 2L) != (long)(sizeof(e) + len))
        _exit(70); /* without its log the test would prove nothing */
}

/* The name below the folder; NULL for what is not ours: other places, LMDB's lock files. */
static const char *ours(const char *path)
{
    size_t len = strlen(path);

    if (!folder || strncmp(path, folder, folder_len) != 0 || path[folder_len] != '/' ||
        len - folder_len > NAME_SIZE || (len > 5 && strcmp(path + len - 5, "-lock") == 0))
        return NULL;
    return path + folder_len + 1;
}

static uint32_t file_named(const char *name)
{
    for (uint32_t i = 1; i < file_count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

static int is_folder(int fd)
{
    struct stat s;

    return syscall(SYS_newfstatat, fd, "", &s, 0x1000 /* AT_EMPTY_PATH */) == 0 &&
           S_ISDIR(s.st_mode);
}

/* With `lock` held. */
static void opened(int fd, const char *path, int flags)
{
    const char *name = ours(path);
    uint32_t file;

    if (fd < 0 || fd >= DESCRIPTORS)
        return;
    descriptors[fd] = (struct descriptor){ 0 };
    if (!folder || strncmp(path, folder, folder_len) != 0)
        return;
    if (is_folder(fd)) {
        descriptors[fd].file = UINT32_MAX;
        return;
    }
    if (!name || (flags & O_ACCMODE) == O_RDONLY)
        return;
    if (!(file = file_named(name)) && file_count < FILES) {
        file = file_count++;
        snprintf(names[file], NAME_SIZE, "%s", name);
        note(SHIM_CREATE, file, 0, name, strlen(name));
    }
    descriptors[fd] = (struct descriptor){ file, (flags & (O_DSYNC | O_SYNC)) != 0 };
}

static struct descriptor *of(int fd)
{
    static struct descriptor none;

    return fd >= 0 && fd < DESCRIPTORS ? &descriptors[fd] : &none;
}

/* Does a call of this kind fail now? */
static int fails(unsigned kind)
{
    if (!(fail_kinds & kind) || fail_count++ < fail_after)
        return 0;
    errno = fail_code;
    return 1;
}

void shim_mark(uint32_t what, uint64_t which)
{
    pthread_mutex_lock(&lock);
    note(SHIM_MARK, what, which, NULL, 0);
    pthread_mutex_unlock(&lock);
}

void shim_fail(unsigned kinds, int code, unsigned after)
{
    pthread_mutex_lock(&lock);
    fail_kinds = kinds;
    fail_code = code;
    fail_after = after;
    fail_count = 0;
    pthread_mutex_unlock(&lock);
}

/* ---- the calls ------------------------------------------------------------------------------ */

static int do_open(const char *path, int flags, mode_t mode)
{
    int fd;

    pthread_mutex_lock(&lock);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    opened(fd, path, flags);
    pthread_mutex_unlock(&lock);
    return fd;
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    return do_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if (flags & O_CREAT)
        mode = va_arg(args, mode_t);
    va_end(args);
    return do_open(path, flags, mode);
}

int close(int fd)
{
    int rc;

    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < DESCRIPTORS)
        descriptors[fd] = (struct descriptor){ 0 };
    rc = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Writes at a place, noting what was written. Half of it where a short write was asked for. */
static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct descriptor *d = of(fd);
    ssize_t total = 0;

    if (d->file && fails(d->synced ? SHIM_FAIL_WRITTEN : SHIM_FAIL_WRITE)) {
        if (d->synced) { /* the bytes are in the system's memory, and did not get further */
            syscall(SYS_pwrite64, fd, parts[0].iov_base, parts[0].iov_len, offset);
            errno = fail_code;
        }
        if (!(fail_kinds & SHIM_FAIL_SHORT) || parts[0].iov_len < 2)
            return -1;
        fail_kinds &= ~SHIM_FAIL_SHORT;
        total = syscall(SYS_pwrite64, fd, parts[0].iov_base, parts[0].iov_len / 2, offset);
        if (total > 0)
            note(SHIM_WRITE, d->file, (uint64_t)offset, parts[0].iov_base, (size_t)total);
        return total;
    }
    for (int i = 0; i < count; i++) {
        ssize_t n = syscall(SYS_pwrite64, fd, parts[i].iov_base, parts[i].iov_len, offset + total);

        if (n > 0 && d->file)
            note(d->synced ? SHIM_WRITTEN : SHIM_WRITE, d->file, (uint64_t)(offset + total),
                 parts[i].iov_base, (size_t)n);
        if (n < 0)
            return total ? total : n;
        total += n;
        if ((size_t)n < parts[i].iov_len)
            break;
    }
    return total;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct iovec part = { (void *)bytes, len };
    ssize_t n;

    if (!of(fd)->file)
        return syscall(SYS_pwrite64, fd, bytes, len, offset);
    pthread_mutex_lock(&lock);
    n = write_at(fd, &part, 1, offset);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t n;

    if (!of(fd)->file)
        return syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
    pthread_mutex_lock(&lock);
    n = write_at(fd, parts, count, offset);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t at;
    ssize_t n;

    if (!of(fd)->file)
        return syscall(SYS_writev, fd, parts, (long)count);
    pthread_mutex_lock(&lock);
    at = (off_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    if ((n = write_at(fd, parts, count, at)) > 0)
        syscall(SYS_lseek, fd, at + n, SEEK_SET);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct iovec part = { (void *)bytes, len };

    if (!of(fd)->file)
        return syscall(SYS_write, fd, bytes, len);
    return writev(fd, &part, 1);
}

int ftruncate(int fd, off_t len)
{
    int rc;

    pthread_mutex_lock(&lock);
    rc = (int)syscall(SYS_ftruncate, fd, len);
    if (rc == 0 && of(fd)->file)
        note(SHIM_TRUNCATE, of(fd)->file, (uint64_t)len, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int sync_of(int fd, long call)
{
    int rc;

    pthread_mutex_lock(&lock);
    if (of(fd)->file && fails(SHIM_FAIL_SYNC)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    rc = (int)syscall(call, fd);
    if (rc == 0 && of(fd)->file)
        note(of(fd)->file == UINT32_MAX ? SHIM_SYNC_FOLDER : SHIM_SYNC, of(fd)->file, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return rc;
}

int fsync(int fd)
{
    return sync_of(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_of(fd, SYS_fdatasync);
}

int rename(const char *from, const char *to)
{
    const char *name = ours(to);
    int rc;

    pthread_mutex_lock(&lock);
    rc = (int)syscall(SYS_rename, from, to);
    if (rc == 0 && name && ours(from)) {
        uint32_t file = file_named(ours(from)), old = file_named(name);

        if (old)
            names[old][0] = 0;
        snprintf(names[file], NAME_SIZE, "%s", name);
        note(SHIM_RENAME, file, 0, name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int unlink(const char *path)
{
    const char *name = ours(path);
    int rc;

    pthread_mutex_lock(&lock);
    rc = (int)syscall(SYS_unlink, path);
    if (rc == 0 && name && file_named(name)) {
        names[file_named(name)][0] = 0;
        note(SHIM_UNLINK, 0, 0, name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
