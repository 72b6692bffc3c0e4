/* What db.c, txn.c and db_fault.c share.  Lock order: `gate` before LMDB's own.
 *
 * When the write of a meta page fails, LMDB declares the environment dead for this process.  We
 * open it again: new transactions are turned away (IO) until those that are open have ended, then
 * the next one to begin does the reopening under `gate`. */
#ifndef NILO_STORAGE_DB_PRIV_H
#define NILO_STORAGE_DB_PRIV_H

#include "storage/db.h"

#include <pthread.h>
#include <stdatomic.h>

struct MDB_env;
struct MDB_txn;
struct redo;

#define DB_TABLES_MAX 64
#define DB_NO_TABLE UINT32_MAX /* in handles: TABLE_LATER, and not there */

struct db {
    struct MDB_env *env;
    struct db_layout layout;
    unsigned handles[DB_TABLES_MAX + 1]; /* LMDB's numbers of the tables; the last is meta */
    unsigned flags;
    const uint8_t *map; /* where the file lies in memory, `map_bytes` long */
    size_t map_bytes;
    uint64_t device, inode;
    uint64_t opened; /* the how manieth db of this process: an address may be another's later */
    atomic_int live;   /* transactions */
    atomic_bool fatal; /* LMDB gave the environment up */
    pthread_mutex_t gate;
    struct redo *redo;    /* NULL: none, or it is only read */
    struct MDB_txn *base; /* the read transaction that keeps the redo file's base; NULL: it is settled */
    uint64_t refused;     /* LMDB's number of a transaction that failed though its record may be there; 0: none */
    char path[];
};

static inline bool db_table_raw(const struct db *db, unsigned table)
{
    return table < db->layout.count && (db->layout.tables[table].flags & TABLE_RAW);
}

/* The table's number in checksums; meta's must not move when tables are added. */
static inline uint8_t db_table_number(const struct db *db, unsigned table)
{
    return table == db->layout.count ? 255 : (uint8_t)table;
}

uint32_t db_checksum(uint8_t table_number, struct span key, struct span value);
enum err db_err(const struct db *db, int rc); /* LMDB's and the system's codes → ours */
enum err
db_enter(struct db *db); /* counts a transaction in; IO while the environment is being given up */
void db_leave(struct db *db);
void db_failed(
    struct db *db); /* after a commit that failed: finds out whether the environment still lives */
bool db_folder_sync(const char *path); /* of the folder that the file is in */
const uint8_t *db_map_end(const struct db *db);  /* of what is committed */
const uint8_t *db_file_end(const struct db *db); /* of the file as it is: a large transaction writes before its commit */

/* The redo file's part (db_redo.c). */
MUST_CHECK enum err db_redo_recover(struct db *db, bool failed, struct refusal *r); /* before LMDB opens the file. `failed`: what the system holds of it is not to be trusted */
MUST_CHECK enum err db_redo_open(struct db *db, struct refusal *r);
void db_redo_close(struct db *db); /* settles; fine where there is none */
MUST_CHECK enum err db_redo_commit(struct db *db, struct MDB_txn *mdb); /* commits, or undoes it; `mdb` is gone in both cases */

/* The file that this thread is in, while it is inside LMDB: damaged pages can lead LMDB anywhere, not only into the map. */
extern _Thread_local struct db *db_at_work;

/* Faults: which files lie where. False: another db of this process has the file. */
bool db_fault_add(struct db *db);
void db_fault_place(struct db *db); /* map and map_bytes are known now, or have changed */
void db_fault_remove(struct db *db);

#endif
