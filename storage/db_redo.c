/* How a db with a redo file (redo.h) commits, and how it is opened after the power went.
 *
 * LMDB never writes into a page of a state that somebody still reads.  So while we hold a read transaction on the state `base`, all pages
 * of that state stay on disk as they were synced, whatever is written beside them and in whatever order it arrives; only the two meta
 * pages are written over.  Those are kept in the redo file's head.  From there a commit is
 *
 *   1  its record is written to the redo file and synced: the act is durable
 *   2  LMDB writes its pages and a meta page, and syncs nothing (MDB_NOSYNC): now others see it
 *
 * and after some hundred of them
 *
 *   3  the db's file is synced: the newest state is on disk, pages and meta pages alike
 *   4  the redo file's head says "settled"; the read transaction ends, and the next commit begins with a base of its own.
 *
 * The power may go at any of these: while the head says "begun" the base is whole, and base and records make the state that was
 * acknowledged; when it says "settled", the file is durable as LMDB leaves it.  A transaction that is too large for a record settles what
 * was before it and commits as LMDB does by itself, by two syncs.
 *
 * A process that dies takes nothing with it that the system was given.  Where another process has the file open, the machine has been up
 * since, and what the file shows is newer than the base: then it is left alone, or, by its next writer, synced. */
#include "storage/db_priv.h"

#include "storage/redo.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define META_TXN (REDO_META - 8)         /* of a meta page's bytes: the transaction's number */
#define ROOM_TO_REDO (UINT64_C(1) << 30) /* more than the records can make the file grow */

/* ---- meta pages ---- */

static uint64_t meta_txn(const uint8_t meta[REDO_META])
{
    uint64_t txn;

    memcpy(&txn, meta + META_TXN, sizeof txn);
    return txn;
}

static enum err metas_read(int fd, struct redo_base *out)
{
    uint64_t a, b;

    for (int i = 0; i < 2; i++)
        if (pread(fd, out->metas[i], REDO_META, i * PAGE_BYTES + REDO_META_AT) != REDO_META)
            return ERR_IO;
    a = meta_txn(out->metas[0]);
    b = meta_txn(out->metas[1]);
    out->txn = a > b ? a : b;
    return ERR_OK;
}

static enum err metas_put_back(int fd, const struct redo_base *base)
{
    for (int i = 0; i < 2; i++)
        if (pwrite(fd, base->metas[i], REDO_META, i * PAGE_BYTES + REDO_META_AT) != REDO_META)
            return ERR_IO;
    return fdatasync(fd) ? ERR_IO : ERR_OK;
}

/* ---- commits ---- */

enum err db_redo_open(struct db *db, struct refusal *r)
{
    char names[REDO_NAMES_MAX];
    size_t len = 0;
    enum err err;

    for (unsigned i = 0; i < db->layout.count; i++) {
        size_t name = strlen(db->layout.tables[i].name) + 1;

        assert(name <= sizeof names - len);
        memcpy(names + len, db->layout.tables[i].name, name);
        len += name;
    }
    err = redo_open(db->path, span_of((const uint8_t *)names, len), db->layout.redo, &db->redo);
    if (err)
        return refuse(r, err, 0, "", "%s-redo: cannot be used: it %s", db->path, err_text(err));
    return ERR_OK;
}

/* Who holds the write transaction. After an error nobody knows what the head says. */
static enum err settle(struct db *db)
{
    int rc;
    enum err err;

    if (!redo_has_begun(db->redo))
        return ERR_OK;
    rc = mdb_env_sync(db->env, 1);
    if ((err = rc ? db_err(db, rc) : redo_settle(db->redo))) {
        atomic_store(&db->fatal, true);
        return err;
    }
    mdb_txn_abort(db->base);
    db->base = NULL;
    return ERR_OK;
}

static int base_hold(struct db *db)
{
    int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->base);

    if (rc == MDB_READERS_FULL && db_readers_clear(db) > 0)
        rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->base);
    if (rc)
        db->base = NULL;
    return rc;
}

static void base_let_go(struct db *db)
{
    if (db->base)
        mdb_txn_abort(db->base);
    db->base = NULL;
}

/* The first of some hundred transactions; `txn` is the state before it, which is durable. OK without having begun where something is
 * lacking: then it commits as LMDB does by itself. */
static enum err begin(struct db *db, uint64_t txn)
{
    struct redo_base base;
    mdb_filehandle_t fd;
    enum err err;

    if (base_hold(db))
        return ERR_OK;
    if (mdb_env_get_fd(db->env, &fd) || metas_read(fd, &base) || base.txn != txn ||
        mdb_txn_id(db->base) != txn) {
        base_let_go(db);
        return ERR_OK;
    }
    if ((err = redo_begin(db->redo, &base)))
        atomic_store(&db->fatal, true);
    if (!redo_has_begun(db->redo))
        base_let_go(db);
    return err;
}

static enum err make_room(struct db *db, uint64_t txn)
{
    bool too_large = redo_is_too_large(db->redo);
    enum err err = ERR_OK;

    if (too_large || redo_is_full(db->redo))
        err = settle(db);
    if (!err && !too_large && !redo_has_begun(db->redo))
        err = begin(db, txn - 1);
    return err;
}

/* What was refused must not come back: where its record cannot be taken back, who opens the file anew leaves it out. */
static enum err take_back(struct db *db, uint64_t txn, uint64_t serial, enum err err)
{
    if (redo_take_back(db->redo, serial)) {
        db->refused = txn;
        atomic_store(&db->fatal, true);
    }
    return err;
}

/* The flag is asked by commits alone, and we have the turn. */
static enum err commit_as(struct db *db, struct MDB_txn *mdb, bool synced)
{
    int rc;

    mdb_env_set_flags(db->env, MDB_NOSYNC, !synced);
    rc = mdb_txn_commit(mdb);
    return rc ? db_err(db, rc) : ERR_OK;
}

enum err db_redo_commit(struct db *db, struct MDB_txn *mdb)
{
    uint64_t txn = mdb_txn_id(mdb), serial;
    enum err err = ERR_OK;

    if (redo_is_empty(db->redo) || (err = make_room(db, txn))) {
        mdb_txn_abort(mdb);
        return err;
    }
    if (!redo_has_begun(db->redo))
        return commit_as(db, mdb, true);
    if ((err = redo_append(db->redo, txn, &serial))) {
        mdb_txn_abort(mdb);
        return take_back(db, txn, serial, err);
    }
    if ((err = commit_as(db, mdb, false)))
        return take_back(db, txn, serial, err);
    return ERR_OK;
}

void db_redo_close(struct db *db)
{
    MDB_txn *turn;

    if (!db->redo)
        return;
    if (db->env && !atomic_load(&db->fatal) && redo_has_begun(db->redo) &&
        mdb_txn_begin(db->env, NULL, 0, &turn) == 0) {
        (void)settle(db); /* else the next to open it does it again */
        mdb_txn_abort(turn);
    }
    base_let_go(db);
    redo_close(db->redo);
    db->redo = NULL;
}

/* ---- doing it again ---- */

/* LMDB's own lock on "somebody has it open", held so that nobody comes meanwhile; *out_alone: nobody has. Where somebody else does this
 * here, or opens the file, it waits for him. The descriptor, which holds it; -1: IO. */
static int lock_file(const char *path, bool *out_alone)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    char name[4096];
    int fd;

    if (snprintf(name, sizeof name, "%s-lock", path) >= (int)sizeof name ||
        (fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return -1;
    if ((*out_alone = fcntl(fd, F_SETLK, &lock) == 0))
        return fd;
    lock.l_type = F_RDLCK;
    while (fcntl(fd, F_SETLKW, &lock)) {
        if (errno == EINTR)
            continue;
        close(fd);
        return -1;
    }
    return fd;
}

struct again {
    struct db *db;
    MDB_env *env;
    MDB_dbi tables[DB_TABLES_MAX];
    unsigned count;
};

static int again_open(struct again *a, const struct redo_look *l)
{
    struct stat file;
    MDB_txn *txn;
    int rc;

    if (stat(a->db->path, &file))
        return errno;
    if ((rc = mdb_env_create(&a->env)) ||
        (rc = mdb_env_set_mapsize(a->env, ((uint64_t)file.st_size + ROOM_TO_REDO) &
                                              ~(uint64_t)(PAGE_BYTES - 1))) ||
        (rc = mdb_env_set_maxdbs(a->env, DB_TABLES_MAX + 1)) ||
        (rc = mdb_env_open(a->env, a->db->path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, 0600)) ||
        (rc = mdb_txn_begin(a->env, NULL, 0, &txn)))
        return rc;
    for (const char *name = l->names; !rc && *name; name += strlen(name) + 1) {
        if (a->count == DB_TABLES_MAX)
            rc = MDB_CORRUPTED;
        else
            rc = mdb_dbi_open(txn, name, 0, &a->tables[a->count++]);
    }
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn); /* of handles alone */
    return rc;
}

static int again_record(struct again *a, MDB_txn *txn, struct redo_look *l)
{
    struct redo_change c;
    int rc = 0;

    while (!rc && redo_next_change(l, &c)) {
        MDB_val key = { c.key.len, (void *)c.key.at },
                stored = { c.stored.len, (void *)c.stored.at };

        if (c.table >= a->count)
            rc = MDB_CORRUPTED;
        else if (c.gone)
            rc = mdb_del(txn, a->tables[c.table], &key, NULL);
        else
            rc = mdb_put(txn, a->tables[c.table], &key, &stored, 0);
    }
    return rc;
}

/* All in one transaction, for that one writes into no page of the base, so that this may be cut off and begun again; the next one might. */
static int again_records(struct again *a, struct redo_look *l)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(a->env, NULL, 0, &txn);

    if (rc)
        return rc;
    while (!rc && !l->err && redo_next_record(l) && l->txn != a->db->refused)
        rc = again_record(a, txn, l);
    if (!rc && !l->err)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* From the base on; the file is durable when this returns. */
static enum err do_again(struct db *db, struct redo_look *l)
{
    struct again a = { .db = db };
    int rc;
    enum err err;

    db_at_work = db;
    if (!(rc = again_open(&a, l)))
        rc = again_records(&a, l);
    if (!rc && !l->err)
        rc = mdb_env_sync(a.env, 1);
    err = rc ? db_err(db, rc) : l->err;
    if (a.env)
        mdb_env_close(a.env);
    db_at_work = NULL;
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* The newest transaction that a record tells of. */
static enum err last_record(struct db *db, uint64_t *out_txn)
{
    struct redo_look l;
    enum err err = redo_look(db->path, &l);

    while (!err && redo_next_record(&l))
        ;
    *out_txn = l.txn;
    err = err ? err : l.err;
    redo_look_done(&l);
    return err;
}

/* The head says "begun", and nobody else has the file open. */
static enum err begin_again(struct db *db, struct redo_look *l)
{
    int fd = open(db->path, O_RDWR | O_CLOEXEC);
    struct redo_base found;
    uint64_t last = 0;
    enum err err = ERR_OK;

    if (fd < 0)
        return errno == EACCES || errno == EROFS ? ERR_READ_ONLY : ERR_IO;
    if (!(err = metas_read(fd, &found)) && !(err = last_record(db, &last)) &&
        (found.txn < l->base.txn || found.txn > last))
        err = ERR_CORRUPT; /* it is not the file that the records follow */
    if (!err)
        err = metas_put_back(fd, &l->base);
    close(fd);
    if (!err)
        err = do_again(db, l);
    if (!err && !(err = redo_look_settle(l)))
        db->refused = 0;
    return err;
}

/* Another process has the file open: what it shows is newer than the base, and whole. */
static enum err sync_as_it_is(struct db *db, struct redo_look *l)
{
    int fd = open(db->path, O_RDWR | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good ? redo_look_settle(l) : ERR_IO;
}

static enum err recover_locked(struct db *db, bool failed, bool alone)
{
    bool writes = db->layout.redo && !(db->flags & DB_READ_ONLY);
    struct redo_look l;
    enum err err = redo_look(db->path, &l); /* somebody may have done it before we had the lock */

    if (!err && l.begun && alone)
        err = begin_again(db, &l);
    else if (!err && l.begun && writes)
        err = failed ? ERR_IO : sync_as_it_is(db, &l);
    redo_look_done(&l);
    return err;
}

static enum err recover(struct db *db, bool failed)
{
    struct redo_look l;
    enum err err = redo_look(db->path, &l);
    bool begun = l.begun, alone;
    int lock;

    redo_look_done(&l);
    if (err || !begun)
        return err;
    if ((lock = lock_file(db->path, &alone)) < 0)
        return ERR_IO;
    err = recover_locked(db, failed, alone);
    close(lock);
    return err;
}

enum err db_redo_recover(struct db *db, bool failed, struct refusal *r)
{
    enum err err;

    if (db->flags & DB_SEALED || (db->layout.what && !db->layout.redo))
        return ERR_OK;
    err = recover(db, failed);
    if (!err || err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err == ERR_READ_ONLY)
        return refuse(
            r, err, 0, "",
            "%s-redo: cannot be written, and its records may be wanted: start nilod, or be "
            "its user",
            db->path);
    if (err == ERR_CORRUPT)
        return refuse(r, err, 0, "",
                      "%s-redo: does not belong to %s, or is damaged; restore from a backup",
                      db->path, db->path);
    return refuse(r, err, 0, "", "%s-redo: its records cannot be written to %s: it %s", db->path,
                  db->path, err_text(err));
}
