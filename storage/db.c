#include "storage/db_priv.h"

#include "proto/base/crc.h"
#include "storage/db_length.h"
#include "storage/txn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READERS_MAX 2048 /* threads and exports of all processes that look at the store */
#define MAP_LEAST (UINT64_C(64) << 30)
#define MAP_SMALLEST (UINT64_C(1) << 30)
#define ROOM_LEAST (UINT64_C(8) << 20) /* below it a short write is taken for a full disk */

#if defined(__SANITIZE_THREAD__)
#define MAP_MOST (UINT64_C(8) << 30) /* its shadow leaves few addresses */
#else
#define MAP_MOST (UINT64_C(16) << 40) /* of the 128 TiB that a process has */
#endif

static const char meta_name[] = ".file",
                  meta_key[] = "layout"; /* no table of a layout begins with a dot */

/* ---- codes ---------------------------------------------------------------------------------- */

/* A write that stopped half way looks like EIO in LMDB: it may be the disk's end, or the largest
 * file that we may write. */
static bool disk_is_full(const struct db *db)
{
    struct statvfs room;
    struct rlimit most;
    struct stat file;

    if (statvfs(db->path, &room) == 0 && (uint64_t)room.f_bavail * room.f_frsize < ROOM_LEAST)
        return true;
    return getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY &&
           stat(db->path, &file) == 0 && (uint64_t)file.st_size + ROOM_LEAST > most.rlim_cur;
}

enum err db_err(const struct db *db, int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return ERR_NOT_FOUND;
    case MDB_KEYEXIST:
        return ERR_CONFLICT;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return ERR_LIMIT;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return ERR_CORRUPT;
    case MDB_BAD_VALSIZE:
        return ERR_TOO_LARGE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EACCES:
    case EROFS:
        return ERR_READ_ONLY;
    case EIO:
        return disk_is_full(db) ? ERR_FULL : ERR_IO;
    default:
        return ERR_IO;
    }
}

/* u8 table's number, u16 key's length, key, value. */
uint32_t db_checksum(uint8_t table_number, struct span key, struct span value)
{
    uint8_t head[3] = { table_number, (uint8_t)key.len, (uint8_t)(key.len >> 8) };
    uint32_t crc = crc32c(crc32c(0, head, sizeof(head)), key.at, key.len);

    return value.len ? crc32c(crc, value.at, value.len) : crc;
}

/* ---- opening -------------------------------------------------------------------------------- */

static uint64_t map_bytes_wanted(const struct db *db)
{
    uint64_t bytes = db->layout.map_bytes;
    struct statvfs disk;
    struct stat file;

    if (!bytes) {
        bytes = MAP_LEAST;
        if (statvfs(db->path, &disk) == 0 && (uint64_t)disk.f_blocks * disk.f_frsize > bytes / 2)
            bytes = 2 * (uint64_t)disk.f_blocks * disk.f_frsize;
    }
    if (bytes > MAP_MOST)
        bytes = MAP_MOST;
    if (stat(db->path, &file) == 0 && (uint64_t)file.st_size > bytes)
        bytes = (uint64_t)file.st_size;
    return (bytes + 4095) & ~UINT64_C(4095);
}

/* Reading ahead pays while the file fits into memory; beyond it, it pushes out what is in use. */
static bool file_outgrows_memory(const char *path)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    struct stat file;

    return stat(path, &file) == 0 && pages > 0 && page > 0 &&
           (uint64_t)file.st_size > (uint64_t)pages * (uint64_t)page / 2;
}

static void on_assert(MDB_env *env, const char *message)
{
    const char *path = "?";

    mdb_env_get_path(env, &path);
    fprintf(stderr,
            "%s: %s: is damaged inside (LMDB: %s); run 'nilo store check', restore from a backup\n",
            program_invocation_short_name, path, message);
    _exit(1);
}

/* One try with a map of `bytes`. */
static int env_try(struct db *db, uint64_t bytes)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
    int rc = mdb_env_create(&db->env);

    if (rc)
        return rc;
    if (db->flags & DB_READ_ONLY)
        flags |= MDB_RDONLY | (db->flags & DB_SEALED ? MDB_NOLOCK : 0);
    if (file_outgrows_memory(db->path))
        flags |= MDB_NORDAHEAD;
    mdb_env_set_assert(db->env, on_assert);
    if (!(rc = mdb_env_set_mapsize(db->env, bytes)) &&
        !(rc = mdb_env_set_maxdbs(db->env, DB_TABLES_MAX + 1)) &&
        !(rc = mdb_env_set_maxreaders(db->env, READERS_MAX)))
        rc = mdb_env_open(db->env, db->path, flags, 0600);
    if (rc) {
        mdb_env_close(db->env);
        db->env = NULL;
    }
    return rc;
}

static int env_open(struct db *db)
{
    uint64_t bytes = map_bytes_wanted(db);
    int rc = env_try(db, bytes);

    while (rc == ENOMEM && bytes / 2 >= MAP_SMALLEST) /* a limit on addresses: take less */
        rc = env_try(db, bytes /= 2);
    if (!rc) {
        db->map_bytes = bytes;
        db_readers_clear(db);
    }
    return rc;
}

/* Where LMDB put the map: the line of /proc/self/maps that holds an address inside it. */
static const uint8_t *map_start(const void *inside)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    const uint8_t *found = NULL;
    char line[512];

    while (maps && !found && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && (uintptr_t)inside >= from &&
            (uintptr_t)inside < to)
            found = (const uint8_t *)from;
    }
    if (maps)
        fclose(maps);
    return found;
}

/* Before a page is touched through the map: does the file reach to its last page? */
static enum err length_check(struct db *db, struct refusal *r)
{
    MDB_envinfo info;
    MDB_stat stat_;
    struct stat file;
    mdb_filehandle_t fd;
    uint64_t bytes, wanted;

    if (mdb_env_info(db->env, &info) || mdb_env_stat(db->env, &stat_) ||
        mdb_env_get_fd(db->env, &fd) || fstat(fd, &file))
        return refuse(r, ERR_IO, 0, "", "%s: cannot be examined: %s", db->path, strerror(errno));
    bytes = (uint64_t)file.st_size;
    wanted = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
    if (bytes >= wanted || db_length_sound(fd, bytes, stat_.ms_psize, info.me_last_pgno))
        return ERR_OK;
    return refuse(r, ERR_CORRUPT, 0, "",
                  "%s: is shorter (%llu bytes) than its last page says (%llu)", db->path,
                  (unsigned long long)bytes, (unsigned long long)wanted);
}

static enum err env_refusal(struct db *db, int rc, struct refusal *r)
{
    enum err err = db_err(db, rc);

    if (rc == ENOENT) /* it was there a moment ago */
        return refuse(r, ERR_NOT_FOUND, 0, "", "%s: is missing", db->path);
    if (err == ERR_NOT_FOUND)
        err = ERR_CORRUPT; /* the file is there, but a table is not */
    return refuse(r, err, 0, "", "%s: %s: %s", db->path,
                  err == ERR_CORRUPT ? "is damaged or no file of Nilometer" : "cannot be opened",
                  mdb_strerror(rc));
}

/* What the file says it is, under its checksum. */
static enum err meta_check(struct db *db, MDB_val stored, struct refusal *r)
{
    struct span value = span_of(stored.mv_data, stored.mv_size), what;
    uint32_t version, crc;

    if (value.len < 8 || value.len > 128)
        return refuse(r, ERR_CORRUPT, 0, "", "%s: its record of what it is cannot be read",
                      db->path);
    value.len -= 4;
    memcpy(&version, value.at, 4);
    memcpy(&crc, value.at + value.len, 4);
    what = span_of(value.at + 4, value.len - 4);
    if (crc != db_checksum(255, span_text(meta_key), value))
        return refuse(r, ERR_CORRUPT, 0, "", "%s: its record of what it is fails its checksum",
                      db->path);
    if (!db->layout.what)
        return ERR_OK;
    if (!span_equal(what, span_text(db->layout.what)))
        return refuse(r, ERR_CORRUPT, 0, "", "%s: is not the %s but the %.*s", db->path,
                      db->layout.what, (int)what.len, (const char *)what.at);
    if (version > db->layout.version)
        return refuse(
            r, ERR_NEWER, 0, "",
            "%s: was written by a newer version of Nilometer (format %u, this program knows %u); "
            "use that version",
            db->path, version, db->layout.version);
    return ERR_OK;
}

/* Opens meta and looks what it says before anything is done to the file. */
static enum err meta_open(struct db *db, MDB_txn *txn, bool fresh, struct refusal *r)
{
    MDB_val key = { strlen(meta_key), (void *)meta_key }, stored;
    unsigned *handle = &db->handles[db->layout.count];
    int rc = mdb_dbi_open(txn, meta_name, fresh ? MDB_CREATE : 0, handle);
    enum err err;

    if (!rc && !fresh)
        rc = mdb_get(txn, *handle, &key, &stored);
    if (rc)
        return env_refusal(db, rc, r);
    if (fresh)
        return ERR_OK;
    if ((err = meta_check(db, stored, r)))
        return err;
    db->map = map_start(stored.mv_data);
    db_fault_place(db);
    return ERR_OK;
}

static enum err tables_open(struct db *db, bool fresh, struct refusal *r)
{
    bool create = !(db->flags & DB_READ_ONLY);
    MDB_txn *txn;
    int rc = mdb_txn_begin(db->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    enum err err;

    if (rc)
        return env_refusal(db, rc, r);
    err = meta_open(db, txn, fresh, r);
    for (unsigned i = 0; !err && i < db->layout.count; i++) {
        const struct table *table = &db->layout.tables[i];

        rc = mdb_dbi_open(txn, table->name, create ? MDB_CREATE : 0, &db->handles[i]);
        if (rc == MDB_NOTFOUND && table->flags & TABLE_LATER)
            db->handles[i] = DB_NO_TABLE;
        else if (rc)
            err = env_refusal(db, rc, r);
    }
    if (err)
        mdb_txn_abort(txn);
    else if ((rc = mdb_txn_commit(txn)))
        err = env_refusal(db, rc, r);
    return err;
}

/* The environment, its tables, what it says it is. */
static enum err start_lmdb(struct db *db, bool fresh, struct refusal *r)
{
    int rc = env_open(db);
    enum err err;

    if (rc)
        return env_refusal(db, rc, r);
    db_at_work = db;
    if ((err = length_check(db, r)) || (err = tables_open(db, fresh, r))) {
        mdb_env_close(db->env);
        db->env = NULL;
    }
    db_at_work = NULL;
    return err;
}

/* `failed`: it was open, and was given up. */
static enum err start(struct db *db, bool failed, struct refusal *r)
{
    enum err err = db_redo_recover(db, failed, r);

    if (!err && !(err = start_lmdb(db, false, r)) && db->layout.redo &&
        !(db->flags & DB_READ_ONLY) && (err = db_redo_open(db, r))) {
        mdb_env_close(db->env);
        db->env = NULL;
    }
    return err;
}

static void db_free(struct db *db)
{
    db_redo_close(db);
    if (db->env)
        mdb_env_close(db->env);
    pthread_mutex_destroy(&db->gate);
    free(db);
}

static struct db *db_alloc(const char *path, const struct db_layout *layout, unsigned flags)
{
    static atomic_uint_least64_t opened;
    struct db *db = calloc(1, sizeof(*db) + strlen(path) + 1);

    if (!db)
        return NULL;
    memcpy(db->path, path, strlen(path) + 1);
    db->layout = *layout;
    db->flags = flags;
    db->opened = atomic_fetch_add(&opened, 1) + 1;
    pthread_mutex_init(&db->gate, NULL);
    return db;
}

/* ---- creating ------------------------------------------------------------------------------- */

bool db_folder_sync(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    bool good;
    int fd;

    if (snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path + 1) : 1,
                 slash ? path : ".") >= (int)sizeof(folder))
        return false;
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return false;
    good = fsync(fd) == 0;
    close(fd);
    return good;
}

static void remove_half(const char *half)
{
    char lock[4096];

    unlink(half);
    if (snprintf(lock, sizeof(lock), "%s-lock", half) < (int)sizeof(lock))
        unlink(lock);
}

static enum err create_half(const char *half, const struct db_layout *layout, struct refusal *r)
{
    struct db *db = db_alloc(half, layout, DB_CREATE);
    struct span what = span_text(layout->what);
    uint8_t value[4 + 64];
    enum err err;

    if (!db)
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", half);
    assert(what.len <= sizeof(value) - 4);
    memcpy(value, &layout->version, 4);
    memcpy(value + 4, what.at, what.len);
    if (!(err = start_lmdb(db, true, r))) {
        struct txn t = txn_begin(db, TXN_WRITE);

        txn_put(&t, layout->count, span_text(meta_key), span_of(value, 4 + what.len));
        if ((err = txn_end(&t)))
            err = refuse(r, err, 0, "", "%s: cannot be written: it %s", half, err_text(err));
    }
    db_free(db);
    return err;
}

/* Under another name first, so that a file which bears its name is whole, whenever the power goes.
 */
static enum err create(const char *path, const struct db_layout *layout, struct refusal *r)
{
    char half[4096], redo[4096];
    enum err err;

    if (snprintf(half, sizeof(half), "%s.new", path) >= (int)sizeof(half))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", path);
    remove_half(half);
    if (snprintf(redo, sizeof(redo), "%s-redo", path) >= (int)sizeof(redo) ||
        (unlink(redo) && errno != ENOENT)) /* of a file that is gone */
        return refuse(r, ERR_IO, 0, "", "%s-redo: cannot be removed: %s", path, strerror(errno));
    err = create_half(half, layout, r);
    if (!err && (rename(half, path) || !db_folder_sync(path)))
        err = refuse(r, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, 0, "",
                     "%s: cannot be created: %s", path, strerror(errno));
    remove_half(half);
    return err;
}

/* ---- the border ----------------------------------------------------------------------------- */

static enum err open_existing(const char *path, const struct stat *file,
                              const struct db_layout *layout, unsigned flags, struct db **out,
                              struct refusal *r)
{
    struct db *db = db_alloc(path, layout, flags);
    enum err err;

    if (!db)
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", path);
    db->device = file->st_dev;
    db->inode = file->st_ino;
    if (!db_fault_add(db)) {
        db_free(db);
        return refuse(r, ERR_BUSY, 0, "", "%s: is open in this program already", path);
    }
    if (!(err = start(db, false, r))) {
        *out = db;
        return ERR_OK;
    }
    db_fault_remove(db);
    db_free(db);
    return err;
}

enum err db_open(const char *path, const struct db_layout *layout, unsigned flags, struct db **out,
                 struct refusal *r)
{
    struct stat file;
    enum err err;

    assert(layout->count <= DB_TABLES_MAX);
    if (stat(path, &file) && errno != ENOENT)
        return refuse(r, ERR_IO, 0, "", "%s: cannot be examined: %s", path, strerror(errno));
    if (stat(path, &file)) {
        if (!(flags & DB_CREATE) || flags & DB_READ_ONLY)
            return refuse(r, ERR_NOT_FOUND, 0, "", "%s: is missing", path);
        if ((err = create(path, layout, r)))
            return err;
        if (stat(path, &file))
            return refuse(r, ERR_IO, 0, "", "%s: cannot be examined: %s", path, strerror(errno));
    }
    return open_existing(path, &file, layout, flags, out, r);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    assert(atomic_load(&db->live) == 0);
    db_fault_remove(db);
    db_free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

static uint64_t used_bytes(const struct db *db)
{
    MDB_envinfo info;
    MDB_stat s;

    if (!db->env || mdb_env_info(db->env, &info) || mdb_env_stat(db->env, &s))
        return 0;
    return (info.me_last_pgno + 1) * s.ms_psize;
}

uint64_t db_bytes(const struct db *db)
{
    enum err err =
        db_enter((struct db *)db); /* counted in, so that nobody opens it anew meanwhile */
    uint64_t bytes = err ? 0 : used_bytes(db);

    if (!err)
        db_leave((struct db *)db);
    return bytes;
}

const uint8_t *db_map_end(const struct db *db)
{
    return db->map ? db->map + used_bytes(db) : NULL;
}

const uint8_t *db_file_end(const struct db *db)
{
    struct stat file;
    mdb_filehandle_t fd;

    if (!db->map || mdb_env_get_fd(db->env, &fd) || fstat(fd, &file))
        return NULL;
    return db->map + file.st_size;
}

unsigned db_readers_clear(struct db *db)
{
    int dead = 0;

    if (db->flags & DB_SEALED || mdb_reader_check(db->env, &dead))
        return 0;
    return (unsigned)dead;
}

/* ---- an environment that LMDB gave up ------------------------------------------------------- */

/* What the failed write left must be settled on disk before the file is written again: else a power
 * cut could bring back the meta page that failed, over pages that have been used anew. */
static bool file_settled(const struct db *db)
{
    int fd = open(db->path, O_RDWR | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

static enum err reopen_lkd(struct db *db)
{
    enum err err = ERR_IO;

    if (!atomic_load(&db->fatal))
        return ERR_OK; /* somebody was before us */
    if (atomic_load(&db->live) > 0)
        return ERR_IO;
    db_redo_close(db);
    if (db->env) {
        mdb_env_close(db->env);
        db->env = NULL;
    }
    if (!file_settled(db) || (err = start(db, true, NULL)))
        return err;
    atomic_store(&db->fatal, false);
    return ERR_OK;
}

enum err db_enter(struct db *db)
{
    enum err err = ERR_OK;

    for (;;) {
        atomic_fetch_add(&db->live, 1);
        if (!atomic_load(&db->fatal))
            return ERR_OK;
        atomic_fetch_sub(&db->live, 1);
        pthread_mutex_lock(&db->gate);
        err = reopen_lkd(db);
        pthread_mutex_unlock(&db->gate);
        if (err)
            return err;
    }
}

void db_leave(struct db *db)
{
    atomic_fetch_sub(&db->live, 1);
}

void db_failed(struct db *db)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

    if (rc == MDB_PANIC)
        atomic_store(&db->fatal, true);
    else if (!rc)
        mdb_txn_abort(txn);
}

/* ---- checking ------------------------------------------------------------------------------- */

static enum err table_check(struct db *db, struct txn *t, unsigned table, uint64_t *rows,
                            struct refusal *r)
{
    const char *name = table == db->layout.count ? meta_name : db->layout.tables[table].name;
    uint64_t count = 0, expected = txn_count(t, table);
    struct scan s = scan_from(t, table, (struct span){ 0 });

    while (scan_next(&s))
        count++;
    *rows += count;
    scan_done(&s);
    if (t->err)
        return refuse(r, t->err, 0, name, "%s: row %llu of table %s: %s", db->path,
                      (unsigned long long)count + 1, name, err_text(t->err));
    if (count != expected)
        return refuse(r, ERR_MISSING, 0, name, "%s: table %s has %llu rows, it should have %llu",
                      db->path, name, (unsigned long long)count, (unsigned long long)expected);
    return ERR_OK;
}

enum err db_check(struct db *db, uint64_t *out_rows, struct refusal *r)
{
    struct txn t = txn_begin(db, TXN_READ);
    enum err err = t.err;
    uint64_t rows = 0;

    if (err)
        (void)refuse(r, err, 0, "", "%s: cannot be read: it %s", db->path, err_text(err));
    for (unsigned i = 0; !err && i <= db->layout.count; i++)
        err = table_check(db, &t, i, &rows, r);
    txn_abort(&t);
    if (out_rows)
        *out_rows = rows;
    return err;
}
