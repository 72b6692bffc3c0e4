#include "storage/txn.h"

#include "storage/db_priv.h"
#include "storage/redo.h"

#include <assert.h>
#include <lmdb.h>

#define CHECKSUM 4 /* bytes at a value's end */

static MDB_val val(struct span s)
{
    return (MDB_val){ s.len, (void *)s.at };
}

static void stick(struct txn *t, int rc)
{
    if (rc && !t->err)
        t->err = db_err(t->db, rc);
}

static int begin(struct txn *t)
{
    unsigned flags = t->mode == TXN_READ ? MDB_RDONLY : 0;
    int rc = mdb_txn_begin(t->db->env, NULL, flags, &t->mdb);

    if (rc == MDB_READERS_FULL && db_readers_clear(t->db) > 0)
        rc = mdb_txn_begin(t->db->env, NULL, flags, &t->mdb);
    if (rc == MDB_PANIC)
        atomic_store(&t->db->fatal, true);
    if (rc)
        t->mdb = NULL;
    return rc;
}

struct txn txn_begin(struct db *db, enum txn_mode mode)
{
    struct txn t = { .db = db, .mode = mode };

    if (mode == TXN_WRITE && db->flags & DB_READ_ONLY) {
        t.err = ERR_READ_ONLY;
        return t;
    }
    if ((t.err = db_enter(db)))
        return t;
    stick(&t, begin(&t));
    if (t.err)
        db_leave(db);
    else
        t.map_end = db_map_end(db);
    if (!t.err && mode == TXN_WRITE && db->redo)
        redo_clear(db->redo);
    return t;
}

struct txn txn_begin_within(struct txn *outer)
{
    struct txn t = { .db = outer->db, .mode = TXN_WRITE, .within = true, .err = outer->err };

    assert(outer->mode == TXN_WRITE);
    t.map_end = outer->map_end;
    if (t.err)
        return t;
    stick(&t, mdb_txn_begin(t.db->env, outer->mdb, 0, &t.mdb));
    if (t.err)
        t.mdb = NULL;
    if (t.db->redo)
        t.noted = redo_mark(t.db->redo);
    return t;
}

static void leave(struct txn *t)
{
    if (!t->within)
        db_leave(t->db); /* the outer one is counted */
}

/* A row whose length was damaged must not lead us out of the file. */
static bool ends_before(struct span value, const uint8_t *end)
{
    return value.at < end && value.len <= (size_t)(end - value.at);
}

static bool inside(struct txn *t, struct span value)
{
    const uint8_t *map = t->db->map;

    if (!map || value.at < map || value.at >= map + t->db->map_bytes)
        return true; /* a page that this transaction has changed */
    if (ends_before(value, t->map_end))
        return true;
    if (t->mode == TXN_WRITE) /* a page for which memory was too small: LMDB wrote it ahead */
        t->map_end = db_file_end(t->db);
    return ends_before(value, t->map_end);
}

/* ---- checksums that were just looked at ----
 *
 * Meters of one chunk are mostly asked for one after the other, and a chunk's checksum costs as much as a meter's month. A committed page does not change while
 * its transaction is the newest or has readers, so a thread need not look twice at what lies at one place in one state of a db. */

#define LARGE 1024u /* bytes of a value for which this pays */
#define SEEN 16u    /* a reader of a year walks over that many chunks in turns */

struct seen {
    uint64_t db, state;
    const uint8_t *at;
};
static _Thread_local struct seen all_seen[SEEN];

/* Where a row is noted that may be passed over; NULL: one that may not. With a redo file a state's number may come twice. */
static struct seen *seen_of(const struct txn *t, struct span stored)
{
    if (t->mode != TXN_READ || stored.len < LARGE || t->db->redo)
        return NULL;
    return &all_seen[((uintptr_t)stored.at >> 12) % SEEN];
}

static bool was_seen(const struct seen *s, const struct seen *now)
{
    return s->at == now->at && s->state == now->state && s->db == now->db;
}

/* Takes the checksum off; false and CORRUPT if it is not that of the row. */
static bool checked(struct txn *t, unsigned table, struct span key, struct span stored,
                    struct span *out)
{
    struct seen *seen, now;
    uint32_t crc;

    if (!inside(t, key) || !inside(t, stored)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    if (db_table_raw(t->db, table)) {
        *out = stored;
        return true;
    }
    if (stored.len < CHECKSUM) {
        t->err = ERR_CORRUPT;
        return false;
    }
    seen = seen_of(t, stored);
    now = (struct seen){ t->db->opened, seen ? mdb_txn_id(t->mdb) : 0, stored.at };
    stored.len -= CHECKSUM;
    if (seen && was_seen(seen, &now)) {
        *out = stored;
        return true;
    }
    memcpy(&crc, stored.at + stored.len, CHECKSUM);
    if (crc != db_checksum(db_table_number(t->db, table), key, stored)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    if (seen)
        *seen = now;
    *out = stored;
    return true;
}

static bool absent(const struct txn *t, unsigned table)
{
    return t->db->handles[table] == DB_NO_TABLE;
}

bool txn_get(struct txn *t, unsigned table, struct span key, struct span *out_view)
{
    MDB_val k = val(key), v;
    bool found = false;
    int rc;

    if (t->err || !key.len || absent(t, table)) /* LMDB has no empty keys */
        return false;
    db_at_work = t->db;
    if ((rc = mdb_get(t->mdb, t->db->handles[table], &k, &v))) {
        if (rc != MDB_NOTFOUND && rc != MDB_BAD_VALSIZE) /* no row has a key that is too long */
            stick(t, rc);
    } else {
        found = checked(t, table, key, span_of(v.mv_data, v.mv_size), out_view);
    }
    db_at_work = NULL;
    return found;
}

/* Room for the value, and the checksum behind it once it is known. */
static uint8_t *reserve(struct txn *t, unsigned table, struct span key, size_t len, unsigned flags)
{
    MDB_val k = val(key), v = { len, NULL };

    db_at_work = t->db;
    if (!t->err)
        stick(t, mdb_put(t->mdb, t->db->handles[table], &k, &v, MDB_RESERVE | flags));
    db_at_work = NULL;
    return t->err ? NULL : v.mv_data;
}

static void put(struct txn *t, unsigned table, struct span key, struct span value, unsigned flags)
{
    bool raw = db_table_raw(t->db, table);
    uint32_t crc;
    uint8_t *room;

    if (t->err)
        return;
    crc = raw ? 0 : db_checksum(db_table_number(t->db, table), key, value);
    if (t->db->redo)
        redo_put(t->db->redo, table, key, value,
                 span_of((const uint8_t *)&crc, raw ? 0 : CHECKSUM));
    room = reserve(t, table, key, value.len + (raw ? 0 : CHECKSUM), flags);
    if (!room)
        return;
    if (value.len)
        memcpy(room, value.at, value.len);
    if (!raw)
        memcpy(room + value.len, &crc, CHECKSUM);
}

void txn_put(struct txn *t, unsigned table, struct span key, struct span value)
{
    put(t, table, key, value, 0);
}

void txn_append(struct txn *t, unsigned table, struct span key, struct span value)
{
    put(t, table, key, value, MDB_APPEND);
}

void *txn_append_room(struct txn *t, unsigned table, struct span key, size_t len)
{
    assert(db_table_raw(t->db, table) && !t->db->redo);
    return reserve(t, table, key, len, MDB_APPEND);
}

void txn_del(struct txn *t, unsigned table, struct span key)
{
    struct redo *redo = t->db->redo;
    MDB_val k = val(key);
    size_t mark;
    int rc;

    if (t->err || !key.len)
        return;
    mark = redo ? redo_mark(redo) : 0;
    if (redo)
        redo_del(redo, table, key);
    db_at_work = t->db;
    rc = mdb_del(t->mdb, t->db->handles[table], &k, NULL);
    db_at_work = NULL;
    if (rc != MDB_NOTFOUND)
        stick(t, rc);
    if (rc && redo)
        redo_back(redo, mark);
}

uint64_t txn_count(struct txn *t, unsigned table)
{
    MDB_stat s = { 0 };

    if (!t->err && !absent(t, table))
        stick(t, mdb_stat(t->mdb, t->db->handles[table], &s));
    return t->err ? 0 : s.ms_entries;
}

uint64_t txn_bytes(struct txn *t, unsigned table)
{
    MDB_stat s = { 0 };

    if (!t->err && !absent(t, table))
        stick(t, mdb_stat(t->mdb, t->db->handles[table], &s));
    return t->err ? 0 : (s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) * s.ms_psize;
}

uint64_t txn_free_bytes(struct txn *t)
{
    enum {
        FREE_LIST = 0
    }; /* LMDB's own table: what each transaction freed, a count and page numbers */
    MDB_cursor *cursor;
    MDB_val key, pages;
    MDB_stat stat;
    uint64_t count = 0;

    if (t->err || mdb_env_stat(mdb_txn_env(t->mdb), &stat) ||
        mdb_cursor_open(t->mdb, FREE_LIST, &cursor))
        return 0;
    while (mdb_cursor_get(cursor, &key, &pages, MDB_NEXT) == 0) {
        size_t n;

        memcpy(&n, pages.mv_data, sizeof n);
        count += n;
    }
    mdb_cursor_close(cursor);
    return count * stat.ms_psize;
}

static enum err commit(struct txn *t)
{
    int rc;

    if (t->db->redo && !t->within)
        return db_redo_commit(t->db, t->mdb);
    rc = mdb_txn_commit(t->mdb);
    return rc ? db_err(t->db, rc) : ERR_OK;
}

enum err txn_end(struct txn *t)
{
    if (!t->mdb || t->err || t->mode == TXN_READ) {
        txn_abort(t);
        return t->err;
    }
    db_at_work = t->db;
    t->err = commit(t);
    db_at_work = NULL;
    t->mdb = NULL;
    if (t->err && t->within && t->db->redo)
        redo_back(t->db->redo, t->noted);
    if (t->err && !t->within)
        db_failed(t->db);
    leave(t);
    return t->err;
}

void txn_abort(struct txn *t)
{
    if (!t->mdb)
        return;
    if (t->within && t->db->redo)
        redo_back(t->db->redo, t->noted);
    mdb_txn_abort(t->mdb);
    t->mdb = NULL;
    leave(t);
}

void txn_renew(struct txn *t)
{
    assert(t->mode == TXN_READ);
    if (t->mdb && !t->err && !atomic_load(&t->db->fatal)) {
        mdb_txn_reset(t->mdb);
        if (!mdb_txn_renew(t->mdb)) {
            t->map_end = db_map_end(t->db);
            return;
        }
    }
    txn_abort(t);
    *t = txn_begin(t->db, TXN_READ);
}

/* ---- scans ---------------------------------------------------------------------------------- */

struct scan scan_from(struct txn *t, unsigned table, struct span from)
{
    struct scan s = { .txn = t, .table = table, .from = from };
    int rc;

    if (!t->err && !absent(t, table) &&
        (rc = mdb_cursor_open(t->mdb, t->db->handles[table], &s.mdb))) {
        s.mdb = NULL;
        stick(t, rc);
    }
    return s;
}

static bool step(struct scan *s, MDB_cursor_op op)
{
    MDB_val k = val(s->from), v;
    bool found = false;
    int rc;

    db_at_work = s->txn->db;
    rc = mdb_cursor_get(s->mdb, &k, &v, op);
    if (!rc) {
        s->key = span_of(k.mv_data, k.mv_size);
        found = checked(s->txn, s->table, s->key, span_of(v.mv_data, v.mv_size), &s->value);
    } else if (rc != MDB_NOTFOUND) {
        stick(s->txn, rc);
    }
    db_at_work = NULL;
    return found;
}

bool scan_next(struct scan *s)
{
    MDB_cursor_op op = s->begun ? MDB_NEXT : s->from.len ? MDB_SET_RANGE : MDB_FIRST;

    if (!s->mdb || s->txn->err)
        return false;
    s->begun = true;
    return step(s, op);
}

bool scan_back(struct scan *s)
{
    MDB_cursor_op op = s->begun || s->from.len ? MDB_PREV : MDB_LAST;

    if (!s->mdb || s->txn->err)
        return false;
    if (!s->begun && s->from.len) {
        MDB_val k = val(s->from), v;
        int rc;

        db_at_work = s->txn->db;
        rc = mdb_cursor_get(s->mdb, &k, &v, MDB_SET_RANGE);
        db_at_work = NULL;
        if (rc == MDB_NOTFOUND)
            op = MDB_LAST; /* every key is below */
        else if (rc)
            stick(s->txn, rc);
    }
    s->begun = true;
    return !s->txn->err && step(s, op);
}

void scan_done(struct scan *s)
{
    if (s->mdb)
        mdb_cursor_close(s->mdb);
    s->mdb = NULL;
}
