#include "storage/journal_priv.h"

#include "storage/key.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_BYTES (UINT64_C(256) << 20)
#define READ_TRIES 10 /* the writer may begin and drop segments while a reader lists them */
#define IDLE_MOST 8   /* sealed segments that stay open though nobody reads them */

/* ---- the list of segments ------------------------------------------------------------------- */

static enum err list_add(struct journal *j, uint64_t first, struct segment **out)
{
    struct segment *s;

    if (j->segment_count == j->segment_cap) {
        size_t cap = j->segment_cap ? 2 * j->segment_cap : 16;
        struct segment **more = realloc(j->segments, cap * sizeof(struct segment *));

        if (!more)
            return ERR_NO_MEMORY;
        j->segments = more;
        j->segment_cap = cap;
    }
    if (!(s = calloc(1, sizeof(*s))))
        return ERR_NO_MEMORY;
    s->first = first;
    j->segments[j->segment_count++] = s;
    *out = s;
    return ERR_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

    return (x->first > y->first) - (x->first < y->first);
}

/* Reads the folder. */
static enum err list_read(struct journal *j)
{
    DIR *dir = opendir(j->dir);
    struct dirent *entry;
    struct segment *s;
    enum err err = dir ? ERR_OK : ERR_IO;

    while (!err && (entry = readdir(dir))) {
        uint64_t first;

        if (segment_first(entry->d_name, &first))
            err = list_add(j, first, &s);
    }
    if (dir)
        closedir(dir);
    if (j->segment_count)
        qsort(j->segments, j->segment_count, sizeof(struct segment *), by_first);
    return err;
}

/* With `lock` held: closes what nobody has read for longest. */
static void close_idle_lkd(struct journal *j)
{
    struct segment *oldest = NULL;
    unsigned idle = 0;

    for (size_t i = 0; i + 1 < j->segment_count; i++) {
        struct segment *s = j->segments[i];

        if (!s->db || s->references)
            continue;
        idle++;
        if (!oldest || s->used < oldest->used)
            oldest = s;
    }
    if (idle > IDLE_MOST)
        segment_close(j->dir, oldest);
}

static struct segment *find_lkd(const struct journal *j, uint64_t batch)
{
    size_t low = 0, high = j->segment_count; /* the last whose first is not above */

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (j->segments[middle]->first <= batch)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? j->segments[low - 1] : NULL;
}

static void segment_free(struct journal *j, struct segment *s)
{
    segment_close(j->dir, s);
    free(s);
}

static void list_remove_first(struct journal *j)
{
    memmove(j->segments, j->segments + 1, --j->segment_count * sizeof(struct segment *));
}

/* We only read, and the file is gone: nilod dropped it, with all before it. Otherwise it is
 * missing. */
static enum err vanished_lkd(struct journal *j, const struct segment *gone)
{
    char path[SEGMENT_PATH_SIZE];

    while (j->segment_count > 1 && j->segments[0]->first <= gone->first) {
        struct segment *s = j->segments[0];
        bool last = s == gone;

        if (s->references ||
            (segment_path(j->dir, s->first, ".mdb", path) && access(path, F_OK) == 0))
            return ERR_MISSING;
        list_remove_first(j);
        segment_free(j, s);
        if (last)
            return ERR_NOT_FOUND;
    }
    return ERR_MISSING;
}

enum err segment_acquire(struct journal *j, uint64_t batch, struct segment **out)
{
    enum err err = ERR_OK;
    struct segment *s;

    pthread_mutex_lock(&j->lock);
    s = find_lkd(j, batch);
    if (!s)
        err = ERR_NOT_FOUND;
    else if (!s->db)
        err = segment_open(j->dir, s, DB_READ_ONLY | DB_SEALED, NULL);
    if (err == ERR_NOT_FOUND && s)
        err = j->db_flags & DB_READ_ONLY ? vanished_lkd(j, s) : ERR_MISSING;
    if (!err) {
        s->references++;
        s->used = ++j->turn;
        *out = s;
    }
    pthread_mutex_unlock(&j->lock);
    return err;
}

void segment_release(struct journal *j, struct segment *s)
{
    pthread_mutex_lock(&j->lock);
    assert(s->references);
    s->references--;
    if (s->dropped && !s->references)
        segment_free(j, s);
    else
        close_idle_lkd(j);
    pthread_mutex_unlock(&j->lock);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* A segment that has successors, held against the one after it. */
static enum err examine_older(struct journal *j, struct segment *s, const struct segment *after,
                              struct refusal *r)
{
    bool empty, writes = !(j->db_flags & DB_READ_ONLY);
    enum err err = segment_open(j->dir, s, DB_READ_ONLY | DB_SEALED, r);

    if (err || (err = segment_examine(s, &empty, r)))
        return err;
    if (empty || s->last + 1 != after->first)
        return refuse(r, ERR_MISSING, 0, "",
                      "%s: the segment with batch %llu, which follows it, is missing",
                      db_path(s->db), (unsigned long long)(empty ? s->first : s->last + 1));
    if (!s->sealed && writes) { /* we were interrupted after the next one was made */
        segment_close(j->dir, s);
        if (!(err = segment_open(j->dir, s, 0, r)) &&
            (err = segment_seal(s, s->last, s->last_crc, s->newest_s)))
            err =
                refuse(r, err, 0, "", "%s: cannot be sealed: it %s", db_path(s->db), err_text(err));
    }
    s->sealed = true;
    segment_close(j->dir, s);
    return err;
}

/* The segment that is written to. */
static enum err examine_newest(struct journal *j, struct refusal *r)
{
    struct segment *s = j->segments[j->segment_count - 1];
    bool empty;
    enum err err;

    if (j->segment_count > 1) {
        s->last_crc = j->segments[j->segment_count - 2]->last_crc;
        s->newest_s = 0;
    }
    if ((err = segment_open(j->dir, s, j->db_flags & ~DB_CREATE, r)) ||
        (err = segment_examine(s, &empty, r)))
        return err;
    if (s->sealed)
        return refuse(r, ERR_MISSING, 0, "",
                      "%s: the segment with batch %llu, which follows it, is missing",
                      db_path(s->db), (unsigned long long)s->last + 1);
    atomic_store(&j->next, empty ? s->first : s->last + 1);
    j->last_crc = s->last_crc;
    j->newest_s = s->newest_s;
    j->active = s;
    return ERR_OK;
}

static void list_clear(struct journal *j)
{
    for (size_t i = 0; i < j->segment_count; i++)
        segment_free(j, j->segments[i]);
    j->segment_count = 0;
}

static enum err open_all(struct journal *j, struct refusal *r)
{
    struct segment *s;
    enum err err;

    list_clear(j);
    err = list_read(j);

    if (err)
        return refuse(r, err, 0, "", "%s: cannot be listed: %s", j->dir, strerror(errno));
    if (!j->segment_count) {
        if (!(j->db_flags & DB_CREATE))
            return refuse(r, ERR_NOT_FOUND, 0, "", "%s: no segment of the journal is there",
                          j->dir);
        if ((err = list_add(j, 1, &s)) || (err = segment_open(j->dir, s, DB_CREATE, r)))
            return err;
        segment_close(j->dir, s);
    }
    for (size_t i = 0; i + 1 < j->segment_count; i++) {
        if ((err = examine_older(j, j->segments[i], j->segments[i + 1], r)))
            return err;
    }
    return examine_newest(j, r);
}

enum err journal_open(const char *dir, const struct journal_options *options, unsigned db_flags,
                      struct journal **out, struct refusal *r)
{
    struct journal *j = calloc(1, sizeof(*j));
    enum err err;

    if (!j || asprintf(&j->dir, "%s/journal", dir) < 0) {
        free(j);
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", dir);
    }
    pthread_mutex_init(&j->lock, NULL);
    j->segment_bytes = options && options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    j->db_flags = db_flags;
    if (db_flags & DB_CREATE && mkdir(j->dir, 0700) && errno != EEXIST)
        err = refuse(r, ERR_IO, 0, "", "%s: cannot be created: %s", j->dir, strerror(errno));
    else
        err = open_all(j, r);
    for (int i = 0;
         i < READ_TRIES && db_flags & DB_READ_ONLY && (err == ERR_MISSING || err == ERR_NOT_FOUND);
         i++)
        err = open_all(j, r);
    if (err)
        journal_close(j);
    else
        *out = j;
    return err;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->segment_count; i++)
        assert(!j->segments[i]->references);
    list_clear(j);
    free(j->segments);
    pthread_mutex_destroy(&j->lock);
    free(j->dir);
    free(j);
}

uint64_t journal_end(const struct journal *j)
{
    return position_of(atomic_load(&j->next), 0);
}

uint64_t journal_begin(const struct journal *j)
{
    struct journal *writable = (struct journal *)j; /* for the lock alone */
    uint64_t first;

    pthread_mutex_lock(&writable->lock);
    first = j->segments[0]->first;
    pthread_mutex_unlock(&writable->lock);
    return position_of(first, 0);
}

void journal_file(struct journal *j, uint64_t position, char *out, size_t cap)
{
    uint64_t first = 0;
    char path[SEGMENT_PATH_SIZE];

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->segment_count; i++)
        if (!i || j->segments[i]->first <= position >> 24)
            first = j->segments[i]->first;
    pthread_mutex_unlock(&j->lock);
    snprintf(out, cap, "%s", segment_path(j->dir, first, ".mdb", path) ? path : j->dir);
}

uint64_t journal_bytes(const struct journal *j)
{
    struct journal *writable = (struct journal *)j;
    uint64_t bytes = 0;

    pthread_mutex_lock(&writable->lock);
    for (size_t i = 0; i < j->segment_count; i++)
        bytes += j->segments[i]->db ? db_bytes(j->segments[i]->db) : j->segments[i]->bytes;
    pthread_mutex_unlock(&writable->lock);
    return bytes;
}

enum err journal_reaches(const struct journal *j, uint64_t settled, struct refusal *r)
{
    uint64_t begin = journal_begin(j), end = journal_end(j);

    if (settled > end)
        return refuse(
            r, ERR_MISSING, 0, "",
            "%s: ends before batch %llu, but all before batch %llu was settled: its end is missing",
            j->dir, (unsigned long long)(end >> 24), (unsigned long long)(settled >> 24));
    if (settled < begin && begin > position_of(1, 0))
        return refuse(r, ERR_MISSING, 0, "",
                      "%s: begins at batch %llu, but only what is before batch %llu was settled: "
                      "its beginning is missing",
                      j->dir, (unsigned long long)(begin >> 24),
                      (unsigned long long)(settled >> 24));
    return ERR_OK;
}

/* ---- committing ----------------------------------------------------------------------------- */

/* Begins a new segment. The file is there and durable before the old one says that it has a
 * successor. */
static enum err rotate(struct journal *j)
{
    struct segment *old = j->active, fresh = { .first = atomic_load(&j->next) }, *s;
    enum err err = segment_open(j->dir, &fresh, DB_CREATE, NULL);

    if (err)
        return err;
    if ((err = segment_seal(old, fresh.first - 1, j->last_crc, j->newest_s))) {
        segment_close(j->dir, &fresh); /* it stays, empty, and serves the next try */
        return err;
    }
    pthread_mutex_lock(&j->lock);
    if (!(err = list_add(j, fresh.first, &s))) {
        *s = fresh;
        old->used = ++j->turn;
        close_idle_lkd(j);
    }
    pthread_mutex_unlock(&j->lock);
    if (err) {
        segment_close(j->dir, &fresh);
        return err;
    }
    j->newest_s = 0;
    j->active = s;
    return ERR_OK;
}

/* One without a batch never is, however little it may hold. */
static bool segment_is_full(const struct journal *j)
{
    return atomic_load(&j->next) > j->active->first && db_bytes(j->active->db) > j->segment_bytes;
}

/* After a commit that failed: LMDB may have kept it all the same, if it could not even undo it. */
static enum err look_again(struct journal *j)
{
    struct segment *s = j->active;
    struct segment seen = { .first = s->first, .last_crc = j->last_crc, .db = s->db };
    bool empty;
    enum err err = segment_examine(&seen, &empty, NULL);

    if (err)
        return err;
    if (!empty && seen.last >= atomic_load(&j->next)) {
        j->last_crc = seen.last_crc;
        j->newest_s = seen.newest_s;
        atomic_store(&j->next, seen.last + 1);
    }
    j->unsure = false;
    return ERR_OK;
}

struct chain {
    uint64_t next;
    uint32_t last_crc, newest_s;
};

static void append(struct txn *t, struct chain *chain, struct batch *b)
{
    struct key key;
    uint8_t *room;

    batch_close_up(b, chain->next, chain->last_crc, chain->newest_s);
    key_clear(&key);
    key_u64(&key, chain->next);
    if ((room = txn_append_room(t, SEGMENT_BATCHES, key_span(&key), b->len)))
        memcpy(room, b->bytes, b->len);
    chain->next++;
    chain->last_crc = b->header.crc;
    chain->newest_s = b->header.newest_s;
}

enum err journal_commit(struct journal *j, struct batch *const *batches, size_t count,
                        uint64_t *numbers)
{
    struct chain chain;
    struct txn t;
    enum err err;

    if (j->db_flags & DB_READ_ONLY)
        return ERR_READ_ONLY;
    if ((j->unsure && (err = look_again(j))) || (segment_is_full(j) && (err = rotate(j))))
        return err;
    chain = (struct chain){ atomic_load(&j->next), j->last_crc, j->newest_s };
    if (chain.next + count > BATCH_LAST)
        return ERR_LIMIT;
    t = txn_begin(j->active->db, TXN_WRITE);
    for (size_t i = 0; i < count; i++) {
        if (!batch_count(batches[i]))
            continue;
        numbers[i] = chain.next;
        append(&t, &chain, batches[i]);
    }
    if ((err = txn_end(&t))) {
        j->unsure = true;
        return err;
    }
    j->last_crc = chain.last_crc;
    j->newest_s = chain.newest_s;
    atomic_store(&j->next, chain.next);
    return ERR_OK;
}

/* ---- dropping ------------------------------------------------------------------------------- */

/* Unlinks the oldest segment's file; durable before the next goes, so that no power cut leaves a
 * gap. */
static enum err unlink_oldest(const struct journal *j)
{
    char path[SEGMENT_PATH_SIZE], lock[SEGMENT_PATH_SIZE];
    uint64_t first = j->segments[0]->first;
    int dir;
    bool good;

    if (!segment_path(j->dir, first, ".mdb", path) ||
        !segment_path(j->dir, first, ".mdb-lock", lock))
        return ERR_INVALID;
    if (unlink(path) && errno != ENOENT)
        return ERR_IO;
    unlink(lock);
    if ((dir = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return ERR_IO;
    good = fsync(dir) == 0;
    close(dir);
    return good ? ERR_OK : ERR_IO;
}

static bool droppable(const struct journal *j, uint64_t position, uint32_t before_s)
{
    const struct segment *s = j->segments[0];

    return j->segment_count > 1 && s->sealed && position_of(s->last + 1, 0) <= position &&
           s->newest_s < before_s;
}

enum err journal_drop(struct journal *j, uint64_t position, uint32_t before_s,
                      unsigned *out_dropped)
{
    enum err err = ERR_OK;
    unsigned dropped = 0;

    pthread_mutex_lock(&j->lock);
    while (droppable(j, position, before_s) && !(err = unlink_oldest(j))) {
        struct segment *s = j->segments[0];

        list_remove_first(j);
        s->dropped = true;
        if (!s->references)
            segment_free(j, s);
        dropped++;
    }
    pthread_mutex_unlock(&j->lock);
    *out_dropped = dropped;
    return err;
}
