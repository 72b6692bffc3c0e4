/* One LMDB environment in one file: tables, schema version, map growth up to the disk, reader slots.
 *
 * The map is reserved far beyond the disk's size (addresses cost nothing), so that a file grows by writing and nobody ever
 * remaps.  A fault inside a map (a shortened file, a bad sector) ends the process with 1 and a sentence naming the file.
 * A file may be open once in a process (LMDB's locks are the process's): a second db_open of it is BUSY; other processes may
 * have it open as well.  lmdb.h is included by db.c, db_copy.c, db_redo.c, txn.c and nobody else. */
#ifndef NILO_STORAGE_DB_H
#define NILO_STORAGE_DB_H

#include "proto/base/err.h"
#include "proto/base/span.h"

struct db;

#define DB_READ_ONLY 1u /* beside a nilod that writes */
#define DB_CREATE 2u    /* where absent */
#define DB_SEALED 4u    /* with DB_READ_ONLY: nobody writes the file any more, so it needs no lock file and little map */

#define TABLE_RAW 1u /* values carry a checksum of their own, txn_* adds and checks none */
#define TABLE_LATER 2u /* it came to the layout afterwards: a file that lacks it, and is only read, has an empty one */

struct table {
    const char *name;
    unsigned flags;
};

/* What a file is: its tables are addressed by their place in `tables`. */
struct db_layout {
    const char *what; /* "journal"; stands in the file's meta record and in sentences. NULL: whatever the file is, to copy it */
    uint32_t version; /* of the format; a file with a higher one is refused: NEWER */
    const struct table *tables;
    unsigned count;
    uint64_t map_bytes; /* how far the file can grow; 0 = twice the disk */
    unsigned redo;      /* transactions that share a sync of the file, each durable by a redo file (db_redo.c); 0: each syncs by itself */
};

/* NOT_FOUND without DB_CREATE; CORRUPT where the file is shorter than its last page or is another kind of file; NEWER; BUSY where
 * this process has it open; IO; FULL.  `r` (may be NULL) gets a sentence for the operator that names the file.  A file that is
 * created appears under its name only when it is complete and durable. */
MUST_CHECK enum err db_open(const char *path, const struct db_layout *layout, unsigned flags,
                            struct db **out, struct refusal *r);
void db_close(struct db *db); /* NULL is fine; no transaction may be open */
const char *db_path(const struct db *db);
uint64_t db_bytes(const struct db *db);   /* the file's size in use, by its last page */
unsigned db_readers_clear(struct db *db); /* frees slots of dead processes; how many */

struct txn;
/* The file as the read transaction sees it, compacted, durable when this returns: EXISTS, FULL, IO, CORRUPT. */
MUST_CHECK enum err db_copy(struct txn *snapshot, const char *path, struct refusal *r);

/* Reads every row of every table, which holds each against its checksum; *out_rows (may be NULL) how many. `r` names the
 * first damage. */
MUST_CHECK enum err db_check(struct db *db, uint64_t *out_rows, struct refusal *r);

/* Makes faults inside maps end the process with the sentence; others keep what they did before. Call once, early in main. */
void db_faults_install(void);

/* Standard input, output and error are open from here on (to nothing where they were closed): else a file of the store got one
 * of their numbers, and what is said to people were written into it.  Before any store is opened. */
void db_standard_files(void);

#endif
