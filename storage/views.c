/* DIR/views.mdb: what follows from journal, archive and ledger.
 *
 *   STATES   u32 meter / 32 → u32 version · u32 size of one state · 32 states      little-endian
 *   FLAGS    flag's id      → facts, the judge's own encoding
 *   META     "folded"       → u64 journal position      "acts" → u64 number of a ledger act
 *            "rules"        → u64 the judge's hash of what it judges by
 *            "changes"      → u64 how often flags and conditions were changed
 *   DATED    i64 onset · serial 00 · flag's id → the judge's own encoding; nothing in stores of before      big-endian
 *   CONDITIONS  u32 meter  → the judge's own encoding         big-endian
 *   HOUSES   u32 point     → server/house_row.h's encoding    big-endian
 *   REPLAYS  u32 number · u32 part → server/replay_keep's encoding      big-endian */
#include "storage/views.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "storage/key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATES, FLAGS, META, DATED, CONDITIONS, HOUSES, REPLAYS, TABLES };

#define HEAD_SIZE 8

static const struct table tables[TABLES] = {
    [STATES] = { "states", 0 },
    [FLAGS] = { "flags", 0 },
    [META] = { "meta", 0 },
    [DATED] = { "dated", TABLE_LATER },
    [CONDITIONS] = { "conditions", TABLE_LATER },
    [HOUSES] = { "houses", TABLE_LATER },
    [REPLAYS] = { "replays", TABLE_LATER },
};

static const struct db_layout layout = {
    .what = "views", .version = 1, .tables = tables, .count = TABLES
};

struct views {
    struct db *db;
};

enum err views_open(const char *dir, unsigned db_flags, struct views **out, struct refusal *r)
{
    struct views *v = (struct views *)calloc(1, sizeof *v);
    char path[4096];
    enum err err;

    if (!v)
        return ERR_NO_MEMORY;
    snprintf(path, sizeof path, "%s/views.mdb", dir);
    if ((err = db_open(path, &layout, db_flags, &v->db, r))) {
        free(v);
        return err;
    }
    *out = v;
    return ERR_OK;
}

void views_close(struct views *v)
{
    if (!v)
        return;
    db_close(v->db);
    free(v);
}

struct txn views_read(struct views *v)
{
    return txn_begin(v->db, TXN_READ);
}

struct txn views_write(struct views *v)
{
    return txn_begin(v->db, TXN_WRITE);
}

/* ---- states ---- */

static struct key chunk_key(uint32_t chunk)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, chunk);
    return k;
}

static size_t chunk_size(size_t size)
{
    return HEAD_SIZE + size * VIEWS_CHUNK_METERS;
}

/* The chunk as it is kept, if it holds states of this version and size. */
static bool chunk_get(struct txn *t, uint32_t chunk, uint32_t version, size_t size,
                      struct span *out_view)
{
    struct key k = chunk_key(chunk);
    struct rd r;

    if (!txn_get(t, STATES, key_span(&k), out_view))
        return false;
    r = rd_of(*out_view);
    return rd_le32(&r) == version && rd_le32(&r) == size && out_view->len == chunk_size(size);
}

void views_state(struct txn *t, uint32_t meter, uint32_t version, void *out, size_t size)
{
    struct span chunk;

    if (chunk_get(t, meter / VIEWS_CHUNK_METERS, version, size, &chunk))
        memcpy(out, chunk.at + HEAD_SIZE + meter % VIEWS_CHUNK_METERS * size, size);
    else
        memset(out, 0, size);
}

enum err views_states_begin(struct views_states *s, struct txn *t, uint32_t version, size_t size)
{
    *s = (struct views_states){ .txn = t, .version = version, .size = size };
    s->bytes = (uint8_t *)malloc(chunk_size(size));
    return s->bytes ? ERR_OK : ERR_NO_MEMORY;
}

static void chunk_put(struct views_states *s)
{
    struct key k = chunk_key(s->chunk);

    if (s->loaded && s->changed)
        txn_put(s->txn, STATES, key_span(&k), span_of(s->bytes, chunk_size(s->size)));
    s->changed = false;
}

static void chunk_load(struct views_states *s, uint32_t chunk)
{
    struct wr w = wr_of(s->bytes, HEAD_SIZE);
    struct span kept;

    s->chunk = chunk;
    s->loaded = true;
    memset(s->bytes, 0, chunk_size(s->size));
    wr_le32(&w, s->version);
    wr_le32(&w, (uint32_t)s->size);
    if (chunk_get(s->txn, chunk, s->version, s->size, &kept))
        memcpy(s->bytes, kept.at, kept.len);
}

void *views_states_at(struct views_states *s, uint32_t meter)
{
    uint32_t chunk = meter / VIEWS_CHUNK_METERS;

    if (!s->loaded || s->chunk != chunk) {
        assert(!s->loaded || chunk > s->chunk);
        chunk_put(s);
        chunk_load(s, chunk);
    }
    if (s->txn->err)
        return NULL;
    s->changed = true;
    return s->bytes + HEAD_SIZE + meter % VIEWS_CHUNK_METERS * s->size;
}

void views_states_end(struct views_states *s)
{
    if (!s->bytes)
        return;
    chunk_put(s);
    free(s->bytes);
    s->bytes = NULL;
    s->loaded = false;
}

/* ---- numbers by name ---- */

static uint64_t meta_get(struct txn *t, const char *name)
{
    struct span value;
    struct rd r;
    uint64_t number;

    if (!txn_get(t, META, span_text(name), &value))
        return 0;
    r = rd_of(value);
    number = rd_le64(&r);
    if (r.err && !t->err)
        t->err = ERR_CORRUPT;
    return number;
}

static void meta_set(struct txn *t, const char *name, uint64_t number)
{
    uint8_t bytes[8];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le64(&w, number);
    txn_put(t, META, span_text(name), wr_span(&w));
}

static void changed(struct txn *t)
{
    meta_set(t, "changes", meta_get(t, "changes") + 1);
}

/* ---- flags ---- */

void views_put_flag(struct txn *t, struct span id, struct span facts)
{
    txn_put(t, FLAGS, id, facts);
    changed(t);
}

void views_del_flag(struct txn *t, struct span id)
{
    txn_del(t, FLAGS, id);
    changed(t);
}

bool views_flag(struct txn *t, struct span id, struct span *out_facts_view)
{
    return txn_get(t, FLAGS, id, out_facts_view);
}

struct scan views_flags(struct txn *t, struct span from_id)
{
    return scan_from(t, FLAGS, from_id);
}

/* ---- flags by date ---- */

struct key views_dated_key(int64_t onset_s, struct span serial, struct span id)
{
    struct key k;

    key_clear(&k);
    key_i64(&k, onset_s);
    key_text(&k, serial);
    for (size_t i = 0; i < id.len; i++)
        key_u8(&k, id.at[i]);
    return k;
}

void views_put_dated(struct txn *t, int64_t onset_s, struct span serial, struct span id,
                     struct span facts)
{
    struct key k = views_dated_key(onset_s, serial, id);
    struct span kept;

    if (!txn_get(t, DATED, key_span(&k), &kept) || !span_equal(kept, facts))
        txn_put(t, DATED, key_span(&k), facts);
}

void views_del_dated(struct txn *t, int64_t onset_s, struct span serial, struct span id)
{
    struct key k = views_dated_key(onset_s, serial, id);

    txn_del(t, DATED, key_span(&k));
}

struct scan views_dated(struct txn *t, struct span from_key)
{
    return scan_from(t, DATED, from_key);
}

struct span dated_id(struct span key)
{
    size_t head = sizeof(int64_t);
    const uint8_t *zero = key.len > head ? memchr(key.at + head, 0, key.len - head) : NULL;
    size_t before = zero ? (size_t)(zero + 1 - key.at) : key.len;

    return span_of(key.at + before, key.len - before);
}

/* ---- conditions ---- */

bool views_condition(struct txn *t, uint32_t meter, struct span *out_view)
{
    struct key k = chunk_key(meter);

    return txn_get(t, CONDITIONS, key_span(&k), out_view);
}

void views_put_condition(struct txn *t, uint32_t meter, struct span facts)
{
    struct key k = chunk_key(meter);

    txn_put(t, CONDITIONS, key_span(&k), facts);
    changed(t);
}

void views_del_condition(struct txn *t, uint32_t meter)
{
    struct key k = chunk_key(meter);

    txn_del(t, CONDITIONS, key_span(&k));
    changed(t);
}

struct scan views_conditions(struct txn *t, struct key *room, uint32_t from_meter)
{
    *room = chunk_key(from_meter);
    return scan_from(t, CONDITIONS, key_span(room));
}

uint32_t condition_meter(struct span key)
{
    struct rd r = rd_of(key);

    return rd_be32(&r);
}

/* ---- houses ---- */

bool views_house(struct txn *t, uint32_t point, struct span *out_view)
{
    struct key k = chunk_key(point);

    return txn_get(t, HOUSES, key_span(&k), out_view);
}

void views_put_house(struct txn *t, uint32_t point, struct span row)
{
    struct key k = chunk_key(point);

    txn_put(t, HOUSES, key_span(&k), row);
}

/* ---- replays ---- */

static struct key part_key(uint32_t id, uint32_t part)
{
    struct key k = chunk_key(id);

    key_u32(&k, part);
    return k;
}

void views_put_replay(struct txn *t, uint32_t id, uint32_t part, struct span bytes)
{
    struct key k = part_key(id, part);

    txn_put(t, REPLAYS, key_span(&k), bytes);
}

void views_del_replay(struct txn *t, uint32_t id)
{
    struct span kept;

    for (uint32_t part = 0;; part++) {
        struct key k = part_key(id, part);

        if (!txn_get(t, REPLAYS, key_span(&k), &kept))
            return;
        txn_del(t, REPLAYS, key_span(&k));
    }
}

struct scan views_replays(struct txn *t)
{
    return scan_from(t, REPLAYS, span_of(NULL, 0));
}

void replay_part(struct span key, uint32_t *out_id, uint32_t *out_part)
{
    struct rd r = rd_of(key);

    *out_id = rd_be32(&r);
    *out_part = rd_be32(&r);
}

/* ---- how far ---- */

uint64_t views_folded(struct txn *t)
{
    return meta_get(t, "folded");
}

void views_set_folded(struct txn *t, uint64_t position)
{
    meta_set(t, "folded", position);
}

uint64_t views_acts(struct txn *t)
{
    return meta_get(t, "acts");
}

void views_set_acts(struct txn *t, uint64_t number)
{
    meta_set(t, "acts", number);
}

uint64_t views_rules(struct txn *t)
{
    return meta_get(t, "rules");
}

void views_set_rules(struct txn *t, uint64_t hash)
{
    meta_set(t, "rules", hash);
}

uint64_t views_changes(struct txn *t)
{
    return meta_get(t, "changes");
}
