/* Copies a file row by row, as one read transaction sees it: LMDB's own copy begins a transaction
 * of its own, and several files could not be copied as of one instant.  Rows are appended in order,
 * so that pages come out full. */
#include "storage/db_priv.h"

#include "storage/txn.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>

#define ROWS_AT_ONCE 4096
#define BYTES_AT_ONCE (32u << 20) /* of one transaction of the copy */

struct copy {
    MDB_env *env;
    MDB_txn *txn;
    size_t rows, bytes; /* in the transaction */
};

static int copy_open(struct copy *c, const struct txn *snapshot, const char *path)
{
    unsigned flags =
        MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | MDB_NORDAHEAD; /* synced once, at the end */
    int rc = mdb_env_create(&c->env);

    if (rc)
        return rc;
    if (!(rc = mdb_env_set_mapsize(c->env, snapshot->db->map_bytes + (1u << 20))) &&
        !(rc = mdb_env_set_maxdbs(c->env, DB_TABLES_MAX + 1)) &&
        !(rc = mdb_env_open(c->env, path, flags, 0600)))
        rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    return rc;
}

static int copy_commit(struct copy *c)
{
    int rc = mdb_txn_commit(c->txn);

    c->txn = NULL;
    c->rows = c->bytes = 0;
    return rc;
}

static int copy_row(struct copy *c, MDB_dbi to, MDB_val *key, MDB_val *value)
{
    int rc = mdb_put(c->txn, to, key, value, MDB_APPEND);

    c->rows++;
    c->bytes += key->mv_size + value->mv_size;
    if (!rc && (c->rows >= ROWS_AT_ONCE || c->bytes >= BYTES_AT_ONCE) && !(rc = copy_commit(c)))
        rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    return rc;
}

static int copy_table(struct copy *c, MDB_txn *snapshot, const char *name)
{
    MDB_val key, value;
    MDB_cursor *cursor = NULL;
    unsigned flags;
    MDB_dbi from, to;
    int rc;

    if ((rc = mdb_dbi_open(snapshot, name, 0, &from)) ||
        (rc = mdb_dbi_flags(snapshot, from, &flags)) ||
        (rc = mdb_dbi_open(c->txn, name, flags | MDB_CREATE, &to)) ||
        (rc = mdb_cursor_open(snapshot, from, &cursor)))
        return rc;
    for (MDB_cursor_op op = MDB_FIRST; !rc && !(rc = mdb_cursor_get(cursor, &key, &value, op));
         op = MDB_NEXT)
        rc = copy_row(c, to, &key, &value);
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The main table's keys are the tables' names. */
static int copy_tables(struct copy *c, MDB_txn *snapshot)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_dbi names;
    int rc;

    if ((rc = mdb_dbi_open(snapshot, NULL, 0, &names)) ||
        (rc = mdb_cursor_open(snapshot, names, &cursor)))
        return rc;
    for (MDB_cursor_op op = MDB_FIRST; !rc && !(rc = mdb_cursor_get(cursor, &key, &value, op));
         op = MDB_NEXT) {
        char name[128];

        if (snprintf(name, sizeof(name), "%.*s", (int)key.mv_size, (const char *)key.mv_data) >=
            (int)sizeof(name))
            rc = MDB_CORRUPTED;
        else
            rc = copy_table(c, snapshot, name);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum err db_copy(struct txn *snapshot, const char *path, struct refusal *r)
{
    struct copy c = { 0 };
    struct stat file;
    int rc;

    if (snapshot->err)
        return refuse(r, snapshot->err, 0, "", "%s: it %s", db_path(snapshot->db),
                      err_text(snapshot->err));
    if (stat(path, &file) == 0 || errno != ENOENT)
        return refuse(r, ERR_EXISTS, 0, "", "%s: is there already", path);
    db_at_work = snapshot->db;
    if (!(rc = copy_open(&c, snapshot, path)) && !(rc = copy_tables(&c, snapshot->mdb)) &&
        !(rc = copy_commit(&c)))
        rc = mdb_env_sync(c.env, 1);
    db_at_work = NULL;
    if (c.txn)
        mdb_txn_abort(c.txn);
    if (c.env)
        mdb_env_close(c.env);
    if (!rc && !db_folder_sync(path))
        rc = errno;
    if (rc)
        return refuse(r, db_err(snapshot->db, rc), 0, "", "%s: cannot be copied to %s: %s",
                      db_path(snapshot->db), path, mdb_strerror(rc));
    return ERR_OK;
}
