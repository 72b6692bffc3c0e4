/* DIR/journal/quarantine.mdb:
 *
 *   frames    position (u64) → waiting row
 *   names     CRC-32C of a name in lower case (u32) · position (u64) → nothing: the rows that wait
 *             for a name, and a few others that happen to share the number (their rows tell); a row
 *             that waits for either of several names stands under each
 *   rejects   position (u64) → waiting row
 *
 *   waiting row   counted why, as err_name spells it · counted names · u8 kind · u8 dialect ·
 *                 u8 transport · u32 arrival · varint meter · counted address · u16 port ·
 *                 counted record's name · [counted recipe, if the dialect is it] · bytes
 *
 * `lock` guards the counts; what is put waits in `pending`, the settling thread's alone, until
 * quarantine_flush.
 *
 * Sources are counted in a table of fixed size by a keyed hash of the address: two that share a
 * counter share its limit, which happens to one pair in 131 072, and no number of addresses takes
 * more memory. */
#include "storage/quarantine.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "proto/dialect.h"
#include "storage/key.h"
#include "storage/txn.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define SOURCES (1u << 17)
#define ROW_HEAD_MOST 160       /* of a row, besides names and bytes */
#define PENDING_MOST (8u << 20) /* bytes put and not flushed; beyond it put flushes by itself */
#define ROWS_AT_ONCE 1024 /* of a walk until it lets its pages go, or removed in one transaction */

enum { TABLE_FRAMES, TABLE_NAMES, TABLE_REJECTS };

static const struct table tables[] = {
    [TABLE_FRAMES] = { "frames", 0 },
    [TABLE_NAMES] = { "names", 0 },
    [TABLE_REJECTS] = { "rejects", 0 },
};

static const struct db_layout layout = { "quarantine", 1, tables, 3, 0, 0 };

/* A row that was put: followed by its `len` bytes. */
struct pending {
    uint64_t position;
    uint32_t len;
    unsigned table;
};

struct quarantine {
    struct db *db;
    struct quarantine_limits limits;
    pthread_mutex_t lock;
    uint64_t frames, bytes;
    uint64_t hash_key;
    uint32_t *sources;
    uint8_t *pending;
    size_t pending_len, pending_cap;
};

/* ---- rows ----------------------------------------------------------------------------------- */

static enum err why_read(struct span name)
{
    for (int err = 0; err < ERR_COUNT; err++) {
        if (span_equal(name, span_text(err_name((enum err)err))))
            return (enum err)err;
    }
    return ERR_UNKNOWN; /* a newer version's reason */
}

static void row_put(struct wr *w, struct span names, enum err why, const struct record *r)
{
    wr_counted(w, span_text(err_name(why)));
    wr_counted(w, names);
    wr_u8(w, (uint8_t)r->kind);
    wr_u8(w, r->dialect);
    wr_u8(w, r->transport);
    wr_le32(w, r->arrival_s);
    wr_varint(w, r->meter);
    wr_counted(w, span_of(r->peer.address, r->peer.len));
    wr_le16(w, r->peer.port);
    wr_counted(w, r->name);
    if (r->dialect == DIALECT_RECIPE)
        wr_counted(w, r->recipe);
    wr_bytes(w, r->bytes);
}

bool names_next(struct span *names, struct span *out_name)
{
    size_t len = 0;

    while (len < names->len && names->at[len] != ' ')
        len++;
    *out_name = span_of(names->at, len);
    if (len < names->len)
        len++;
    if (len)
        *names = span_of(names->at + len, names->len - len);
    return len > 0;
}

static bool row_read(struct span key, struct span value, struct waiting *out)
{
    struct rd k = rd_of(key), r = rd_of(value);
    struct waiting w = { .position = rd_be64(&k) };
    struct span address, names;

    w.why = why_read(rd_counted(&r));
    names = w.names = rd_counted(&r);
    (void)names_next(&names, &w.name);
    w.record.kind = (enum record_kind)rd_u8(&r);
    w.record.dialect = rd_u8(&r);
    w.record.transport = rd_u8(&r);
    w.record.arrival_s = rd_le32(&r);
    w.record.meter = (uint32_t)rd_varint(&r);
    address = rd_counted(&r);
    w.record.peer.port = rd_le16(&r);
    w.record.name = rd_counted(&r);
    if (w.record.dialect == DIALECT_RECIPE)
        w.record.recipe = rd_counted(&r);
    w.record.bytes = rd_bytes(&r, rd_left(&r));
    if (r.err || k.err || address.len > sizeof(w.record.peer.address))
        return false;
    w.record.peer.len = (uint8_t)address.len;
    if (address.len)
        memcpy(w.record.peer.address, address.at, address.len);
    *out = w;
    return true;
}

static struct key position_key(uint64_t position)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, position);
    return k;
}

static struct key name_key(uint32_t crc, uint64_t position)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, crc);
    key_u64(&k, position);
    return k;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 0x20) : c;
}

static uint32_t name_crc(struct span name)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = lower(name.at[i]);

        crc = crc32c(crc, &c, 1);
    }
    return crc;
}

/* As rows of before had it. */
static uint32_t name_crc_exact(struct span name)
{
    return name.len ? crc32c(0, name.at, name.len) : 0;
}

static bool same_name(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && a.len == b.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return a.len == b.len;
}

static bool is_one_of(struct span names, struct span name)
{
    struct span one;

    while (names_next(&names, &one))
        if (same_name(one, name))
            return true;
    return false;
}

/* ---- counts --------------------------------------------------------------------------------- */

/* Of IPv6 the network: whoever has one has all addresses in it.  IPv4 inside IPv6 is as IPv4. */
static unsigned source_bytes(const struct peer *peer)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    return peer->len == 16 && memcmp(peer->address, mapped, sizeof mapped) != 0 ? 8 : peer->len;
}

static uint32_t *source_of(struct quarantine *q, const struct peer *peer)
{
    uint64_t hash = q->hash_key ^ peer->len;

    for (unsigned i = 0, len = source_bytes(peer); i < len; i++)
        hash = (hash ^ peer->address[i]) * UINT64_C(0x9e3779b97f4a7c15), hash ^= hash >> 29;
    return &q->sources[(hash * UINT64_C(0xbf58476d1ce4e5b9)) >> 47];
}

_Static_assert(SOURCES == 1u << (64 - 47), "the hash's upper bits number the counters");

static void count_in(struct quarantine *q, const struct peer *peer, size_t bytes)
{
    q->frames++;
    q->bytes += bytes;
    ++*source_of(q, peer);
}

static void count_out(struct quarantine *q, const struct peer *peer, size_t bytes)
{
    uint32_t *source = source_of(q, peer);

    q->frames -= q->frames ? 1 : 0;
    q->bytes -= bytes < q->bytes ? bytes : q->bytes;
    *source -= *source ? 1 : 0;
}

/* A datagram's address may be forged: what comes so leaves the last quarter to those who had to show
 * a token or a password.  Without it strangers could hold up a broker, all of whose messages wait
 * behind one that finds no room. */
static bool has_room_lkd(struct quarantine *q, const struct peer *peer, size_t bytes)
{
    bool shown = peer->len == 0;
    uint64_t frames = q->limits.frames - (shown ? 0 : q->limits.frames / 4);
    uint64_t most = q->limits.bytes - (shown ? 0 : q->limits.bytes / 4);

    return q->frames < frames && q->bytes + bytes <= most &&
           (shown || *source_of(q, peer) < q->limits.source_frames);
}

enum err quarantine_admit(struct quarantine *q, const struct peer *peer, size_t bytes)
{
    bool room;

    pthread_mutex_lock(&q->lock);
    room = has_room_lkd(q, peer, bytes);
    if (room)
        count_in(q, peer, bytes);
    pthread_mutex_unlock(&q->lock);
    return room ? ERR_OK : ERR_LIMIT;
}

void quarantine_refund(struct quarantine *q, const struct peer *peer, size_t bytes)
{
    pthread_mutex_lock(&q->lock);
    count_out(q, peer, bytes);
    pthread_mutex_unlock(&q->lock);
}

enum err quarantine_recount(struct quarantine *q, uint64_t position, const struct peer *peer,
                            size_t bytes)
{
    struct key k = position_key(position);
    struct txn t = txn_begin(q->db, TXN_READ);
    struct span value;
    bool counted = txn_get(&t, TABLE_FRAMES, key_span(&k), &value); /* when the file was opened */
    enum err err = txn_end(&t);

    if (err || counted)
        return err;
    pthread_mutex_lock(&q->lock);
    count_in(q, peer, bytes);
    pthread_mutex_unlock(&q->lock);
    return ERR_OK;
}

uint64_t quarantine_count(struct quarantine *q)
{
    uint64_t frames;

    pthread_mutex_lock(&q->lock);
    frames = q->frames;
    pthread_mutex_unlock(&q->lock);
    return frames;
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum err counts_read(struct quarantine *q)
{
    struct txn t = txn_begin(q->db, TXN_READ);
    struct scan s = scan_from(&t, TABLE_FRAMES, (struct span){ 0 });
    enum err err = ERR_OK;

    while (!err && scan_next(&s)) {
        struct waiting w;

        if (row_read(s.key, s.value, &w))
            count_in(q, &w.record.peer, w.record.bytes.len);
        else
            err = ERR_CORRUPT;
    }
    scan_done(&s);
    txn_abort(&t);
    return t.err ? t.err : err;
}

static struct quarantine_limits limits_of(const struct quarantine_limits *given)
{
    struct quarantine_limits l = given ? *given : (struct quarantine_limits){ 0 };

    l.frames = l.frames ? l.frames : 1000000;
    l.bytes = l.bytes ? l.bytes : UINT64_C(512) << 20;
    l.source_frames = l.source_frames ? l.source_frames : 10000;
    l.rejects = l.rejects ? l.rejects : 4096;
    return l;
}

static enum err open_file(struct quarantine *q, const char *dir, unsigned db_flags,
                          struct refusal *r)
{
    char folder[4096], path[4096];
    enum err err;

    if (snprintf(folder, sizeof(folder), "%s/journal", dir) >= (int)sizeof(folder) ||
        snprintf(path, sizeof(path), "%s/journal/quarantine.mdb", dir) >= (int)sizeof(path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    if (db_flags & DB_CREATE && mkdir(folder, 0700) && errno != EEXIST)
        return refuse(r, ERR_IO, 0, "", "%.150s: cannot be created: %s", folder, strerror(errno));
    if ((err = db_open(path, &layout, db_flags, &q->db, r)))
        return err;
    if ((err = counts_read(q)))
        return refuse(r, err, 0, "", "%.150s: a row %s", path, err_text(err));
    return ERR_OK;
}

enum err quarantine_open(const char *dir, const struct quarantine_limits *limits, unsigned db_flags,
                         struct quarantine **out, struct refusal *r)
{
    struct quarantine *q = calloc(1, sizeof(*q));
    enum err err;

    if (!q || !(q->sources = calloc(SOURCES, sizeof(*q->sources)))) {
        free(q);
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", dir);
    }
    pthread_mutex_init(&q->lock, NULL);
    q->limits = limits_of(limits);
    if (getrandom(&q->hash_key, sizeof(q->hash_key), 0) != (ssize_t)sizeof(q->hash_key))
        q->hash_key =
            (uint64_t)time(NULL); /* then an attacker might guess who shares a counter: no more */
    if ((err = open_file(q, dir, db_flags, r)))
        quarantine_close(q);
    else
        *out = q;
    return err;
}

void quarantine_close(struct quarantine *q)
{
    if (!q)
        return;
    db_close(q->db);
    pthread_mutex_destroy(&q->lock);
    free(q->pending);
    free(q->sources);
    free(q);
}

/* ---- putting -------------------------------------------------------------------------------- */

static uint8_t *pending_room(struct quarantine *q, size_t len)
{
    size_t cap = q->pending_cap ? q->pending_cap : 65536;
    uint8_t *more;

    while (cap - q->pending_len < len)
        cap *= 2;
    if (cap != q->pending_cap) {
        if (!(more = realloc(q->pending, cap)))
            return NULL;
        q->pending = more;
        q->pending_cap = cap;
    }
    return q->pending + q->pending_len;
}

static enum err put(struct quarantine *q, unsigned table, uint64_t position, struct span names,
                    enum err why, const struct record *record)
{
    size_t most = sizeof(struct pending) + ROW_HEAD_MOST + names.len + record->name.len +
                  record->recipe.len + 8 + record->bytes.len;
    struct pending p = { .position = position, .table = table };
    uint8_t *room;
    struct wr w;
    enum err err;

    if (q->pending_len + most > PENDING_MOST && (err = quarantine_flush(q)))
        return err;
    if (!(room = pending_room(q, most)))
        return ERR_NO_MEMORY;
    w = wr_of(room + sizeof(p), most - sizeof(p));
    row_put(&w, names, why, record);
    if (w.err)
        return ERR_TOO_LARGE;
    p.len = (uint32_t)wr_len(&w);
    memcpy(room, &p, sizeof(p));
    q->pending_len += sizeof(p) + p.len;
    return ERR_OK;
}

enum err quarantine_put(struct quarantine *q, uint64_t position, struct span names, enum err why,
                        const struct record *record)
{
    return put(q, TABLE_FRAMES, position, names, why, record);
}

enum err quarantine_put_reject(struct quarantine *q, uint64_t position, enum err why,
                               const struct record *record)
{
    return put(q, TABLE_REJECTS, position, record->name, why, record);
}

/* The oldest rejects make room. */
static void rejects_trim(struct txn *t, uint32_t keep)
{
    uint64_t count = txn_count(t, TABLE_REJECTS);

    while (!t->err && count > keep) {
        struct scan s = scan_from(t, TABLE_REJECTS, (struct span){ 0 });
        struct key oldest;

        key_clear(&oldest);
        if (scan_next(&s)) {
            struct rd k = rd_of(s.key);

            key_u64(&oldest, rd_be64(&k));
        }
        scan_done(&s);
        txn_del(t, TABLE_REJECTS, key_span(&oldest));
        count--;
    }
}

static void names_put(struct txn *t, struct span key, struct span row)
{
    struct waiting w;
    struct span name;

    if (!row_read(key, row, &w)) {
        t->err = ERR_CORRUPT;
        return;
    }
    while (names_next(&w.names, &name)) {
        struct key n = name_key(name_crc(name), w.position);

        txn_put(t, TABLE_NAMES, key_span(&n), (struct span){ 0 });
    }
}

enum err quarantine_flush(struct quarantine *q)
{
    struct txn t;
    enum err err;

    if (!q->pending_len)
        return ERR_OK;
    t = txn_begin(q->db, TXN_WRITE);
    for (size_t at = 0; at < q->pending_len;) {
        struct pending p;
        struct span row;
        struct key k;

        memcpy(&p, q->pending + at, sizeof(p));
        k = position_key(p.position);
        row = span_of(q->pending + at + sizeof(p), p.len);
        txn_put(&t, p.table, key_span(&k), row);
        if (p.table == TABLE_FRAMES)
            names_put(&t, key_span(&k), row);
        at += sizeof(p) + p.len;
    }
    rejects_trim(&t, q->limits.rejects);
    err = txn_end(&t);
    q->pending_len = 0; /* also after an error: the pass that put them will put them again */
    return err;
}

/* ---- walking -------------------------------------------------------------------------------- */

typedef bool (*each_fn)(void *arg, const struct waiting *w);

/* Up to ROWS_AT_ONCE rows above *after; *more says whether there may be others. */
static enum err walk_some(struct quarantine *q, unsigned table, uint64_t *after, bool *more,
                          each_fn each, void *arg)
{
    struct txn t = txn_begin(q->db, TXN_READ);
    struct key from = position_key(*after + 1);
    struct scan s = scan_from(&t, table, key_span(&from));
    struct waiting w;
    unsigned rows = 0;
    enum err err = ERR_OK;

    *more = false;
    while (!err && rows++ < ROWS_AT_ONCE && (*more = scan_next(&s))) {
        if (!row_read(s.key, s.value, &w)) {
            err = ERR_CORRUPT;
        } else {
            *after = w.position;
            if (!each(arg, &w)) {
                *more = false;
                break;
            }
        }
    }
    scan_done(&s);
    txn_abort(&t);
    return t.err ? t.err : err;
}

static enum err walk(struct quarantine *q, unsigned table, uint64_t after, each_fn each, void *arg)
{
    bool more = true;
    enum err err = ERR_OK;

    while (!err && more && after < UINT64_MAX)
        err = walk_some(q, table, &after, &more, each, arg);
    return err;
}

/* The same by the index of names. */
static enum err walk_name_some(struct quarantine *q, struct span name, uint32_t crc,
                               uint64_t *after, bool *more, each_fn each, void *arg)
{
    struct txn t = txn_begin(q->db, TXN_READ);
    struct key from = name_key(crc, *after + 1);
    struct scan s = scan_from(&t, TABLE_NAMES, key_span(&from));
    struct span value;
    struct waiting w;
    unsigned rows = 0;
    enum err err = ERR_OK;

    *more = false;
    while (!err && rows++ < ROWS_AT_ONCE && (*more = scan_next(&s))) {
        struct rd r = rd_of(s.key);
        struct key k;

        if (rd_be32(&r) != crc) {
            *more = false;
            break;
        }
        *after = rd_be64(&r);
        k = position_key(*after);
        if (!txn_get(&t, TABLE_FRAMES, key_span(&k), &value))
            err = t.err ? t.err : ERR_MISSING;
        else if (!row_read(key_span(&k), value, &w))
            err = ERR_CORRUPT;
        else if (is_one_of(w.names, name) && !each(arg, &w)) {
            *more = false;
            break;
        }
    }
    scan_done(&s);
    txn_abort(&t);
    return t.err ? t.err : err;
}

static enum err walk_name(struct quarantine *q, struct span name, uint32_t crc, uint64_t after,
                          each_fn each, void *arg)
{
    bool more = true;
    enum err err = ERR_OK;

    while (!err && more && after < UINT64_MAX)
        err = walk_name_some(q, name, crc, &after, &more, each, arg);
    return err;
}

/* Whether the one who walks has had enough. */
struct walker {
    each_fn each;
    void *arg;
    bool enough;
};

static bool walk_on(void *arg, const struct waiting *waiting)
{
    struct walker *w = arg;

    w->enough = !w->each(w->arg, waiting);
    return !w->enough;
}

enum err quarantine_each(struct quarantine *q, struct span name, uint64_t after, each_fn each,
                         void *arg)
{
    struct walker w = { .each = each, .arg = arg };
    uint32_t crc = name_crc(name), exact = name_crc_exact(name);
    enum err err = ERR_OK;

    if (!name.len)
        return walk(q, TABLE_FRAMES, after, each, arg);
    if (exact != crc) /* rows of 0.1, which lie in front of all others */
        err = walk_name(q, name, exact, after, walk_on, &w);
    return err || w.enough ? err : walk_name(q, name, crc, after, walk_on, &w);
}

enum err quarantine_each_reject(struct quarantine *q, uint64_t after, each_fn each, void *arg)
{
    return walk(q, TABLE_REJECTS, after, each, arg);
}

/* ---- another reason ------------------------------------------------------------------------- */

static enum err change_one(struct txn *t, uint64_t position, enum err why, uint8_t *room,
                           size_t cap)
{
    struct key k = position_key(position);
    struct wr w = wr_of(room, cap);
    struct waiting now;
    struct span value;

    if (!txn_get(t, TABLE_FRAMES, key_span(&k), &value))
        return t->err;
    if (!row_read(key_span(&k), value, &now))
        return ERR_CORRUPT;
    row_put(&w, now.names, why, &now.record);
    if (w.err)
        return ERR_TOO_LARGE;
    txn_put(t, TABLE_FRAMES, key_span(&k), wr_span(&w));
    return t->err;
}

enum err quarantine_change(struct quarantine *q, const uint64_t *positions, const enum err *whys,
                           size_t count)
{
    size_t cap = LIMIT_PAYLOAD_BLOCK + ROW_HEAD_MOST + 4 * UINT8_MAX;
    uint8_t *room = malloc(cap);
    struct txn t;
    enum err err = ERR_OK, ended;

    if (!room)
        return ERR_NO_MEMORY;
    t = txn_begin(q->db, TXN_WRITE);
    for (size_t i = 0; i < count && !err; i++)
        err = change_one(&t, positions[i], whys[i], room, cap);
    if (err)
        txn_abort(&t);
    ended = err ? ERR_OK : txn_end(&t);
    free(room);
    return err ? err : ended;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* What a removal frees, given back once it is committed. */
struct freed {
    struct peer peer;
    size_t bytes;
};

static void names_remove(struct txn *t, const struct waiting *w)
{
    struct span names = w->names, name;

    while (names_next(&names, &name)) {
        struct key n = name_key(name_crc(name), w->position);

        txn_del(t, TABLE_NAMES, key_span(&n));
        n = name_key(name_crc_exact(name), w->position);
        txn_del(t, TABLE_NAMES, key_span(&n));
    }
}

static bool remove_one(struct txn *t, uint64_t position, struct freed *out)
{
    struct key k = position_key(position);
    struct span value;
    struct waiting w;

    if (!txn_get(t, TABLE_FRAMES, key_span(&k), &value))
        return false;
    if (!row_read(key_span(&k), value, &w)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    *out = (struct freed){ w.record.peer, w.record.bytes.len };
    names_remove(t, &w);
    txn_del(t, TABLE_FRAMES, key_span(&k));
    return true;
}

static enum err remove_some(struct quarantine *q, const uint64_t *positions, size_t count)
{
    struct freed *freed = malloc(ROWS_AT_ONCE * sizeof(*freed));
    size_t gone = 0;
    struct txn t;
    enum err err;

    if (!freed)
        return ERR_NO_MEMORY;
    t = txn_begin(q->db, TXN_WRITE);
    for (size_t i = 0; i < count && !t.err; i++)
        gone += remove_one(&t, positions[i], &freed[gone]);
    if (!(err = txn_end(&t))) {
        pthread_mutex_lock(&q->lock);
        for (size_t i = 0; i < gone; i++)
            count_out(q, &freed[i].peer, freed[i].bytes);
        pthread_mutex_unlock(&q->lock);
    }
    free(freed);
    return err;
}

enum err quarantine_remove(struct quarantine *q, const uint64_t *positions, size_t count)
{
    enum err err = ERR_OK;

    while (!err && count) {
        size_t some = count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;

        err = remove_some(q, positions, some);
        positions += some;
        count -= some;
    }
    return err;
}

struct expired {
    uint32_t before_s;
    size_t count;
    uint64_t positions[ROWS_AT_ONCE];
};

static bool expired_note(void *arg, const struct waiting *w)
{
    struct expired *e = arg;

    if (w->record.arrival_s >= e->before_s || e->count == ROWS_AT_ONCE)
        return false; /* rows stand in the order of arrival: the others are younger */
    e->positions[e->count++] = w->position;
    return true;
}

enum err quarantine_expire(struct quarantine *q, uint32_t before_s, uint64_t *out_dropped)
{
    struct expired *e = malloc(sizeof(*e));
    uint64_t dropped = 0;
    enum err err = e ? ERR_OK : ERR_NO_MEMORY;

    while (!err) {
        e->before_s = before_s;
        e->count = 0;
        if ((err = walk(q, TABLE_FRAMES, 0, expired_note, e)) || !e->count ||
            (err = quarantine_remove(q, e->positions, e->count)))
            break;
        dropped += e->count;
    }
    free(e);
    *out_dropped = dropped;
    return err;
}

enum err quarantine_check(struct quarantine *q, uint64_t *out_rows, struct refusal *r)
{
    return db_check(q->db, out_rows, r);
}
