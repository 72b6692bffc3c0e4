/* A copy of the store as it was at one instant, beside a running nilod.
 *
 * nilod writes journal → quarantine → archive → views, and ledger acts in between.  A copy that has
 * something late in that order but not what it follows from would lose readings, or hand a new
 * meter the id under which another's readings are already there. So every part is read through a
 * transaction that began in this order, all within a moment:
 *
 *   1  every segment of the journal is opened: nilod may unlink it, it stays readable for us
 *   2  the ledger's writer lock is taken: from here to 5 no act commits
 *   3  read transactions on ledger, views, archive, quarantine: each may be older than the one
 *      after it, never newer
 *   4  segments that were begun since, and read transactions on all segments, until no further one
 *      appears
 *   5  the ledger's writer lock is given back
 *   6  everything is copied at leisure as those transactions see it; DIR/store is written last; the
 *      copy is checked
 *
 * Photos have no such moment: they are written before an act refers to them, never change, and are copied
 * after the ledger was seen.  The result is a state in which nilod could have been killed. */
#include "storage/store_priv.h"

#include "storage/journal_priv.h"
#include "storage/photos.h"
#include "storage/store_key.h"
#include "storage/txn.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_NAME 64

static const struct db_layout any = { .what = NULL };

/* A file, held as it was. */
struct part {
    char name[PART_NAME]; /* below DIR */
    struct db *db;
    struct txn txn;
    bool begun;
    uint64_t first; /* of a segment: its first batch; 0: it is none */
    bool left_out;
};

struct backup {
    const char *dir, *to;
    struct refusal *r;
    struct part *parts;
    size_t count, cap;
};

static const struct {
    const char *name;
    bool optional;
} fixed[] = { { "ledger.mdb", false },
              { "views.mdb", true },
              { "archive.mdb", false },
              { "journal/quarantine.mdb", false } };

static bool has_part(const struct backup *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->parts[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Room for one more, which counts once it is open. NULL: no memory. */
static struct part *part_room(struct backup *b, const char *name)
{
    struct part *part;

    if (b->count == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 32;
        struct part *more = realloc(b->parts, cap * sizeof(*more));

        if (!more)
            return NULL;
        b->parts = more;
        b->cap = cap;
    }
    part = &b->parts[b->count];
    *part = (struct part){ 0 };
    snprintf(part->name, PART_NAME, "%s", name);
    return part;
}

static enum err part_open(struct backup *b, const char *name, unsigned flags)
{
    char path[STORE_PATH_SIZE];
    struct part *part = part_room(b, name);
    enum err err;

    if (!part)
        return refuse(b->r, ERR_NO_MEMORY, 0, "", "%s: no memory", b->dir);
    if (!store_path(b->dir, name, path))
        return refuse(b->r, ERR_INVALID, 0, "", "%.100s…: the path is too long", b->dir);
    if (!(err = db_open(path, &any, flags, &part->db, b->r)))
        b->count++;
    return err;
}

static void part_begin(struct part *part)
{
    part->txn = txn_begin(part->db, TXN_READ);
    part->begun = true;
}

static void parts_close(struct backup *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->parts[i].begun)
            txn_abort(&b->parts[i].txn);
        db_close(b->parts[i].db);
    }
    free(b->parts);
    b->parts = NULL;
    b->count = b->cap = 0;
}

/* ---- the journal's segments ----------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Names of segments that are not held yet, ascending. */
static enum err segments_new(const struct backup *b, uint64_t **out, size_t *out_count)
{
    char path[STORE_PATH_SIZE], name[PART_NAME];
    uint64_t *firsts = NULL, first;
    size_t count = 0;
    DIR *dir = store_path(b->dir, "journal", path) ? opendir(path) : NULL;
    struct dirent *entry;

    if (!dir)
        return refuse(b->r, ERR_IO, 0, "", "%s/journal: cannot be listed: %s", b->dir,
                      strerror(errno));
    while ((entry = readdir(dir))) {
        uint64_t *more;

        if (!segment_first(entry->d_name, &first) ||
            (snprintf(name, sizeof(name), "journal/%.40s", entry->d_name), has_part(b, name)))
            continue;
        if (!(more = realloc(firsts, (count + 1) * sizeof(*more))))
            break;
        firsts = more;
        firsts[count++] = first;
    }
    closedir(dir);
    if (count)
        qsort(firsts, count, sizeof(*firsts), by_number);
    *out = firsts;
    *out_count = count;
    return entry ? ERR_NO_MEMORY : ERR_OK;
}

static enum err segment_hold(struct backup *b, uint64_t first, bool newest)
{
    struct segment s = { .first = first };
    char name[PART_NAME], journal[STORE_PATH_SIZE];
    struct part *part;
    enum err err;

    snprintf(name, sizeof(name), "journal/%010llx.mdb", (unsigned long long)first);
    if (!(part = part_room(b, name)))
        return refuse(b->r, ERR_NO_MEMORY, 0, "", "%s: no memory", b->dir);
    if (!store_path(b->dir, "journal", journal))
        return refuse(b->r, ERR_INVALID, 0, "", "%.100s…: the path is too long", b->dir);
    err = segment_open(journal, &s, DB_READ_ONLY | (newest ? 0 : DB_SEALED), b->r);
    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* dropped since we listed it: what it had is in the archive that we read
                          later */
    if (err)
        return err;
    part->db = s.db;
    part->first = first;
    b->count++;
    return ERR_OK;
}

/* *out_found: how many were not held before. */
static enum err segments_hold(struct backup *b, size_t *out_found)
{
    uint64_t *firsts = NULL;
    size_t count = 0;
    enum err err = segments_new(b, &firsts, &count);

    for (size_t i = 0; i < count && !err; i++)
        err = segment_hold(b, firsts[i], i + 1 == count);
    free(firsts);
    *out_found = count;
    return err;
}

/* A nilod in a hurry may have begun and dropped whole segments while we held older ones: those
 * before such a gap are settled, as is what is missing, and stay out.  Segments are held in
 * ascending order. */
static enum err segments_join(struct backup *b)
{
    struct part *before = NULL;
    enum err err = ERR_OK;

    for (size_t i = 0; i < b->count && !err; i++) {
        struct segment s = { .first = before ? before->first : 0,
                             .db = before ? before->db : NULL };
        bool empty;

        if (!b->parts[i].first)
            continue;
        if (before && !(err = segment_examine(&s, &empty, b->r)) &&
            (empty || s.last + 1 != b->parts[i].first)) {
            for (size_t k = 0; k < i; k++)
                b->parts[k].left_out = b->parts[k].first != 0;
        }
        before = &b->parts[i];
    }
    return err;
}

static enum err segments_begin(struct backup *b)
{
    size_t found = 1;
    enum err err = ERR_OK;

    while (!err &&
           found) { /* one that appears while we begin has what the one before it closed with */
        for (size_t i = 0; i < b->count; i++) {
            if (!b->parts[i].begun)
                part_begin(&b->parts[i]);
        }
        err = segments_hold(b, &found);
    }
    return err;
}

/* ---- the moment ----------------------------------------------------------------------------- */

/* Steps 2 to 5. The ledger is the first part. */
static enum err parts_begin(struct backup *b)
{
    struct txn lock = { 0 };
    enum err err = ERR_OK;
    size_t ledger = b->count;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]) && !err; i++) {
        err = part_open(b, fixed[i].name, i == 0 && access(b->dir, W_OK) == 0 ? 0 : DB_READ_ONLY);
        if (err == ERR_NOT_FOUND && fixed[i].optional)
            err = ERR_OK;
    }
    if (err)
        return err;
    lock = txn_begin(b->parts[ledger].db,
                     TXN_WRITE); /* READ_ONLY where nobody can write: then nobody does */
    if (lock.err && lock.err != ERR_READ_ONLY)
        err = refuse(b->r, lock.err, 0, "", "%s: its writer's place: it %s",
                     db_path(b->parts[ledger].db), err_text(lock.err));
    for (size_t i = ledger; i < b->count && !err; i++)
        part_begin(&b->parts[i]);
    if (!err)
        err = segments_begin(b);
    txn_abort(&lock);
    return err;
}

static enum err parts_copy(struct backup *b)
{
    char path[STORE_PATH_SIZE];
    enum err err = ERR_OK;

    for (size_t i = 0; i < b->count && !err; i++) {
        if (b->parts[i].left_out)
            continue;
        if (store_path(b->to, b->parts[i].name, path))
            err = db_copy(&b->parts[i].txn, path, b->r);
        else
            err = refuse(b->r, ERR_INVALID, 0, "", "%.100s…: the path is too long", b->to);
    }
    return err;
}

/* ---- the border ----------------------------------------------------------------------------- */

static enum err target_make(const struct backup *b)
{
    char path[STORE_PATH_SIZE];
    struct dirent *entry;
    bool empty = true;
    DIR *dir;

    if (!store_path(b->to, "journal", path) || store_folders_make(b->to) || !(dir = opendir(b->to)))
        return refuse(b->r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "", "%s: cannot be created: %s",
                      b->to, strerror(errno));
    while ((entry = readdir(dir)))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(dir);
    if (!empty)
        return refuse(b->r, ERR_EXISTS, 0, "",
                      "%s: is not empty; name a folder that is absent or empty", b->to);
    if (mkdir(path, 0700))
        return refuse(b->r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "", "%s: cannot be created: %s",
                      path, strerror(errno));
    return ERR_OK;
}

/* A segment is a few open files, and there may be hundreds. */
static void files_allow(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

enum err store_backup(const char *dir, const char *to, struct refusal *r)
{
    struct backup b = { .dir = dir, .to = to, .r = r };
    struct store_counts counts;
    bool key_copied;
    size_t found;
    enum err err;

    files_allow();
    if ((err = store_version(dir, r)) || (err = target_make(&b)))
        return err;
    if (!(err = segments_hold(&b, &found)) && !(err = parts_begin(&b)) &&
        !(err = segments_join(&b)))
        err = parts_copy(&b);
    parts_close(&b);
    if (!err)
        err = store_key_copy(dir, to, &key_copied, r);
    if (!err)
        err = photos_copy(dir, to, r);
    if (!err && !store_version_write(to))
        err = refuse(r, errno == ENOSPC ? ERR_FULL : ERR_IO, 0, "",
                     "%s/store: cannot be written: %s", to, strerror(errno));
    return err ? err : store_check(to, &counts, r);
}

enum err store_restore(const char *from, const char *dir, struct refusal *r)
{
    struct store_counts counts;
    enum err err = store_check(from, &counts, r);

    if (err && r && !r->text[0])
        return refuse(r, err, 0, "from", "%s: the copy %s", from, err_text(err));
    return err ? err : store_backup(from, dir, r);
}
