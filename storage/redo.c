/* Blocks of 4 096 bytes:
 *
 *   0, 1   heads: the one with the higher generation counts; a change writes the other one. Each is there twice, so that damage to a
 *          sector is no loss
 *   2      the tables' names
 *   3 …    records, each from a block's begin
 *
 * A copy of a head fits into a sector, so that no power cut leaves half of one.  A record that is durable is never written into again, and none
 * is begun before the one in front of it is durable: what the disk has is records from the first on, and perhaps the one that nobody was
 * told of.  A record bears the generation under which it was written, so that what is left of another is none. */
#include "storage/redo.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "storage/db_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u
#define BLOCKS                                                                                     \
    512u /* 2 MB: some hundred acts alone, or thirty groups of as many acts as there are writers */
#define NAMES_BLOCK 2u
#define RECORDS_BLOCK 3u
#define HEAD_AGAIN 2048u /* in its block: the same once more */
#define HEAD_BYTES 308u
#define HEAD_CHECKED (HEAD_BYTES - 4)
#define RECORD_HEAD 28u
#define CHANGE_HEAD 8u
#define FORMAT 1u

_Static_assert(HEAD_BYTES <= 512, "a head fits into a sector");
_Static_assert(REDO_RECORD_MAX / BLOCK < BLOCKS - RECORDS_BLOCK, "the largest record fits");
_Static_assert(REDO_RECORD_MAX % BLOCK == 0, "and is whole blocks");

enum state { SETTLED, BEGUN };
enum change { CHANGE_PUT = 1, CHANGE_DEL };

static const char magic[8] = { 'n', 'i', 'l', 'o', 'r', 'e', 'd', 'o' };

struct redo {
    char path[4096];
    int fd; /* -1: there is no file yet */
    unsigned most, records;
    pthread_mutex_t lock; /* of everything on disk: who takes back holds no transaction */
    bool begun;
    uint64_t generation;
    uint64_t last;        /* txn of the newest record, or of the base */
    uint32_t at, last_at; /* blocks: behind the newest record; where it begins */
    uint64_t serial;      /* records written so far */
    size_t names_len;
    char names[REDO_NAMES_MAX];
    bool too_large;
    size_t len; /* of what is noted, from RECORD_HEAD on */
    uint8_t noted[REDO_RECORD_MAX];
};

/* ---- bytes ---- */

static bool path_of(const char *db_path, char out[4096])
{
    return snprintf(out, 4096, "%s-redo", db_path) < 4096;
}

static enum err io_err(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ERR_FULL : ERR_IO;
}

static enum err write_at(int fd, const void *bytes, size_t len, uint32_t block)
{
    const uint8_t *at = (const uint8_t *)bytes;
    off_t to = (off_t)block * BLOCK;

    while (len) {
        ssize_t n = pwrite(fd, at, len, to);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? io_err() : ERR_IO;
        at += n;
        to += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

static enum err write_durable(int fd, const void *bytes, size_t len, uint32_t block)
{
    enum err err = write_at(fd, bytes, len, block);

    if (!err && fdatasync(fd))
        err = io_err();
    return err;
}

/* ERR_OK with fewer bytes where the file ends; the rest is zeros. */
static enum err read_at(int fd, void *bytes, size_t len, uint32_t block)
{
    uint8_t *at = (uint8_t *)bytes;
    off_t from = (off_t)block * BLOCK;

    memset(bytes, 0, len);
    while (len) {
        ssize_t n = pread(fd, at, len, from);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_OK;
        at += n;
        from += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

/* ---- heads ---- */

struct head {
    bool begun;
    uint64_t generation;
    struct redo_base base;
};

static enum err head_write(int fd, const struct head *h)
{
    uint8_t bytes[BLOCK] = { 0 };
    struct wr w = wr_of(bytes, HEAD_BYTES);

    wr_bytes(&w, span_of((const uint8_t *)magic, sizeof magic));
    wr_le32(&w, FORMAT);
    wr_le32(&w, h->begun ? BEGUN : SETTLED);
    wr_le64(&w, h->generation);
    wr_le64(&w, h->base.txn);
    wr_bytes(&w, span_of(h->base.metas[0], sizeof h->base.metas));
    wr_le32(&w, crc32c(0, bytes, HEAD_CHECKED));
    assert(!w.err && wr_len(&w) == HEAD_BYTES);
    memcpy(bytes + HEAD_AGAIN, bytes, HEAD_BYTES);
    return write_durable(fd, bytes, sizeof bytes, (uint32_t)(h->generation % 2));
}

static bool is_zeros(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

static enum err head_parse(const uint8_t bytes[HEAD_BYTES], uint32_t block, struct head *out)
{
    struct rd r = rd_of(span_of(bytes, HEAD_BYTES));
    struct span name = rd_bytes(&r, sizeof magic), metas;
    uint32_t format = rd_le32(&r), state = rd_le32(&r);

    memset(out, 0, sizeof *out);
    out->generation = rd_le64(&r);
    out->base.txn = rd_le64(&r);
    metas = rd_bytes(&r, sizeof out->base.metas);
    if (rd_le32(&r) != crc32c(0, bytes, HEAD_CHECKED) || memcmp(name.at, magic, sizeof magic) != 0)
        return ERR_CORRUPT;
    if (format > FORMAT)
        return ERR_NEWER;
    memcpy(out->base.metas, metas.at, sizeof out->base.metas);
    out->begun = state == BEGUN;
    return out->generation % 2 == block && state <= BEGUN ? ERR_OK : ERR_CORRUPT;
}

/* A head that was never written has generation 0. Of its two copies the later counts, or the one that reads. */
static enum err head_read(int fd, uint32_t block, struct head *out)
{
    uint8_t bytes[BLOCK] = { 0 };
    enum err err = read_at(fd, bytes, sizeof bytes, block), err_again;
    struct head again;

    memset(out, 0, sizeof *out);
    if (err || is_zeros(bytes, sizeof bytes))
        return err;
    err = head_parse(bytes, block, out);
    err_again = head_parse(bytes + HEAD_AGAIN, block, &again);
    if (!err_again && (err || again.generation > out->generation))
        *out = again;
    return err_again ? err : ERR_OK;
}

static enum err heads_read(int fd, struct head *out)
{
    struct head other;
    enum err err = head_read(fd, 0, out);

    if (!err)
        err = head_read(fd, 1, &other);
    if (!err && other.generation > out->generation)
        *out = other;
    return err;
}

/* ---- names ---- */

static enum err names_write(struct redo *r)
{
    uint8_t bytes[BLOCK] = { 0 };
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le32(&w, 0);
    wr_le32(&w, (uint32_t)r->names_len);
    wr_bytes(&w, span_of((const uint8_t *)r->names, r->names_len));
    assert(!w.err);
    w = wr_of(bytes, sizeof bytes);
    wr_le32(&w, crc32c(0, bytes + 4, 4 + r->names_len));
    return write_durable(r->fd, bytes, sizeof bytes, NAMES_BLOCK);
}

static enum err names_read(int fd, char out[REDO_NAMES_MAX + 1])
{
    uint8_t bytes[BLOCK] = { 0 };
    struct rd r = rd_of(span_of(bytes, sizeof bytes));
    enum err err = read_at(fd, bytes, sizeof bytes, NAMES_BLOCK);
    uint32_t crc = rd_le32(&r), len = rd_le32(&r);

    if (err)
        return err;
    if (len > REDO_NAMES_MAX || crc != crc32c(0, bytes + 4, 4 + len) || (len && bytes[7 + len]))
        return ERR_CORRUPT;
    memcpy(out, bytes + 8, len);
    out[len] = 0;
    return ERR_OK;
}

static size_t names_len(const char *names)
{
    const char *at = names;

    while (*at)
        at += strlen(at) + 1;
    return (size_t)(at - names);
}

/* ---- opening ---- */

static enum err existing(struct redo *r)
{
    char names[REDO_NAMES_MAX + 1];
    struct stat file;
    struct head h;
    enum err err;

    if ((r->fd = open(r->path, O_RDWR | O_CLOEXEC)) < 0)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    if ((err = heads_read(r->fd, &h)) || h.begun)
        return err ? err : ERR_CORRUPT;
    if (fstat(r->fd, &file) || file.st_size < (off_t)BLOCKS * BLOCK) { /* half made */
        close(r->fd);
        r->fd = -1;
        return ERR_OK;
    }
    r->generation = h.generation;
    if (!names_read(r->fd, names) && names_len(names) == r->names_len &&
        memcmp(names, r->names, r->names_len) == 0)
        return ERR_OK;
    return names_write(r);
}

enum err redo_open(const char *db_path, struct span names, unsigned most, struct redo **out)
{
    struct redo *r;
    enum err err;

    if (names.len > REDO_NAMES_MAX)
        return ERR_TOO_LARGE;
    if (!(r = (struct redo *)malloc(sizeof *r)))
        return ERR_NO_MEMORY;
    memset(r, 0, offsetof(struct redo, noted));
    pthread_mutex_init(&r->lock, NULL);
    r->fd = -1;
    r->most = most;
    r->names_len = names.len;
    memcpy(r->names, names.at, names.len);
    redo_clear(r);
    if (!(err = path_of(db_path, r->path) ? ERR_OK : ERR_TOO_LARGE) && !(err = existing(r)))
        *out = r;
    else
        redo_close(r);
    return err;
}

void redo_close(struct redo *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- noting ---- */

void redo_clear(struct redo *r)
{
    r->len = RECORD_HEAD;
    r->too_large = false;
}

size_t redo_mark(const struct redo *r)
{
    return r->len;
}

void redo_back(struct redo *r, size_t mark)
{
    r->len = mark; /* too large stays so: what was left out may have been of before */
}

static void note(struct redo *r, enum change kind, unsigned table, struct span key,
                 struct span value, struct span checksum)
{
    struct wr w = wr_of(r->noted + r->len, sizeof r->noted - r->len);

    if (r->too_large)
        return;
    assert(table < DB_TABLES_MAX && key.len <= UINT16_MAX && value.len < UINT32_MAX - 4);
    wr_u8(&w, (uint8_t)kind);
    wr_u8(&w, (uint8_t)table);
    wr_le16(&w, (uint16_t)key.len);
    wr_le32(&w, (uint32_t)(value.len + checksum.len));
    wr_bytes(&w, key);
    wr_bytes(&w, value);
    wr_bytes(&w, checksum);
    if (w.err)
        r->too_large = true;
    else
        r->len += wr_len(&w);
}

void redo_put(struct redo *r, unsigned table, struct span key, struct span value,
              struct span checksum)
{
    note(r, CHANGE_PUT, table, key, value, checksum);
}

void redo_del(struct redo *r, unsigned table, struct span key)
{
    note(r, CHANGE_DEL, table, key, span_of(NULL, 0), span_of(NULL, 0));
}

bool redo_is_empty(const struct redo *r)
{
    return r->len == RECORD_HEAD && !r->too_large;
}

bool redo_is_too_large(const struct redo *r)
{
    return r->too_large;
}

/* ---- on disk ---- */

static uint32_t blocks_of(size_t len)
{
    return (uint32_t)((len + BLOCK - 1) / BLOCK);
}

bool redo_has_begun(const struct redo *r)
{
    return r->begun;
}

bool redo_is_full(const struct redo *r)
{
    return r->records >= r->most || r->at + blocks_of(r->len) > BLOCKS;
}

/* All its bytes are written, so that later no write makes the file longer or has the system look for a place. */
static enum err make(struct redo *r)
{
    static const uint8_t zeros[BLOCK];
    enum err err = ERR_OK;

    if ((r->fd = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
        return io_err();
    for (uint32_t block = 0; block < BLOCKS && !err; block++)
        err = write_at(r->fd, zeros, BLOCK, block);
    if (!err)
        err = names_write(r);
    if (!err && (fsync(r->fd) || !db_folder_sync(r->path)))
        err = ERR_IO;
    if (err) {
        close(r->fd);
        r->fd = -1;
        unlink(r->path);
    }
    return err;
}

static enum err head_next(struct redo *r, const struct redo_base *base)
{
    struct head h = { .begun = base != NULL, .generation = r->generation + 1 };
    enum err err;

    if (base)
        h.base = *base;
    if (!(err = head_write(r->fd, &h)))
        r->begun = h.begun;
    r->generation++; /* also where nobody knows: the next one is newer than both */
    return err;
}

static enum err begin_lkd(struct redo *r, const struct redo_base *base)
{
    enum err err;

    if (r->fd < 0 && make(r))
        return ERR_OK;
    r->last = base->txn;
    r->at = r->last_at = RECORDS_BLOCK;
    r->records = 0;
    if ((err = head_next(r, base)))
        err = head_next(r, NULL) || head_next(r, NULL) ? ERR_IO : ERR_OK; /* over both heads */
    return err;
}

enum err redo_begin(struct redo *r, const struct redo_base *base)
{
    enum err err;

    assert(!r->begun);
    pthread_mutex_lock(&r->lock);
    err = begin_lkd(r, base);
    pthread_mutex_unlock(&r->lock);
    return err;
}

enum err redo_settle(struct redo *r)
{
    enum err err;

    pthread_mutex_lock(&r->lock);
    err = head_next(r, NULL);
    pthread_mutex_unlock(&r->lock);
    return err;
}

/* Whole blocks are written: for a part of one the system would have to read the rest first. */
static void record_head(struct redo *r, uint64_t txn)
{
    struct wr w = wr_of(r->noted, RECORD_HEAD);

    memset(r->noted + r->len, 0, (size_t)blocks_of(r->len) * BLOCK - r->len);
    wr_le32(&w, 0);
    wr_le32(&w, (uint32_t)r->len);
    wr_le64(&w, r->generation);
    wr_le64(&w, txn);
    wr_le32(&w, 0);
    assert(!w.err && wr_len(&w) == RECORD_HEAD);
    w = wr_of(r->noted, 4);
    wr_le32(&w, crc32c(0, r->noted + 4, r->len - 4));
}

enum err redo_append(struct redo *r, uint64_t txn, uint64_t *out_serial)
{
    bool again = r->records && txn == r->last;
    uint32_t at = again ? r->last_at : r->at;
    enum err err;

    assert(r->begun && !r->too_large && (again || txn == r->last + 1) && !redo_is_full(r));
    record_head(r, txn);
    pthread_mutex_lock(&r->lock);
    *out_serial = ++r->serial;
    r->last = txn;
    r->last_at = at;
    r->at = at + blocks_of(r->len);
    r->records += !again;
    err = write_durable(r->fd, r->noted, (size_t)blocks_of(r->len) * BLOCK, at);
    pthread_mutex_unlock(&r->lock);
    return err;
}

enum err redo_take_back(struct redo *r, uint64_t serial)
{
    static const uint8_t zeros[RECORD_HEAD];
    enum err err = ERR_OK;

    pthread_mutex_lock(&r->lock);
    if (r->begun && serial == r->serial)
        err = write_durable(r->fd, zeros, sizeof zeros, r->last_at);
    pthread_mutex_unlock(&r->lock);
    return err;
}

/* ---- doing it again ---- */

enum err redo_look(const char *db_path, struct redo_look *out)
{
    char path[4096];
    struct head h;
    enum err err;

    memset(out, 0, sizeof *out);
    out->fd = -1;
    if (!path_of(db_path, path))
        return ERR_NOT_FOUND; /* then it has none */
    if ((out->fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
        return errno == ENOENT                     ? ERR_NOT_FOUND
               : errno == EACCES || errno == EROFS ? ERR_READ_ONLY
                                                   : ERR_IO;
    if ((err = heads_read(out->fd, &h)))
        return err;
    out->begun = h.begun;
    out->generation = h.generation;
    out->base = h.base;
    out->txn = h.base.txn;
    out->block = RECORDS_BLOCK;
    if (!h.begun)
        return ERR_OK;
    if (!(out->bytes = (uint8_t *)malloc(REDO_RECORD_MAX)))
        return ERR_NO_MEMORY;
    return names_read(out->fd, out->names);
}

bool redo_next_record(struct redo_look *l)
{
    struct rd r = rd_of(span_of(l->bytes, RECORD_HEAD));
    uint64_t generation, txn;
    uint32_t crc, len;

    l->len = l->at = 0;
    if (l->err || l->block >= BLOCKS || (l->err = read_at(l->fd, l->bytes, RECORD_HEAD, l->block)))
        return false;
    crc = rd_le32(&r);
    len = rd_le32(&r);
    generation = rd_le64(&r);
    txn = rd_le64(&r);
    if (generation != l->generation || txn != l->txn + 1 || len < RECORD_HEAD ||
        len > REDO_RECORD_MAX || blocks_of(len) > BLOCKS - l->block)
        return false;
    if ((l->err = read_at(l->fd, l->bytes, len, l->block)) ||
        crc != crc32c(0, l->bytes + 4, len - 4))
        return false;
    l->txn = txn;
    l->block += blocks_of(len);
    l->len = len;
    l->at = RECORD_HEAD;
    return true;
}

bool redo_next_change(struct redo_look *l, struct redo_change *out_view)
{
    struct rd r = rd_of(span_of(l->bytes + l->at, l->len - l->at));
    uint8_t kind;
    uint16_t key_len;
    uint32_t stored_len;

    if (l->err || !rd_left(&r))
        return false;
    kind = rd_u8(&r);
    out_view->table = rd_u8(&r);
    key_len = rd_le16(&r);
    stored_len = rd_le32(&r);
    out_view->key = rd_bytes(&r, key_len);
    out_view->stored = rd_bytes(&r, stored_len);
    out_view->gone = kind == CHANGE_DEL;
    if (r.err || (kind != CHANGE_PUT && kind != CHANGE_DEL)) {
        l->err = ERR_CORRUPT;
        return false;
    }
    l->at += CHANGE_HEAD + key_len + stored_len;
    return true;
}

enum err redo_look_settle(struct redo_look *l)
{
    struct head h = { .generation = l->generation + 1 };

    return head_write(l->fd, &h);
}

void redo_look_done(struct redo_look *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->bytes);
    l->fd = -1;
    l->bytes = NULL;
}
