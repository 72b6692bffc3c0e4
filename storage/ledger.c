/* The ledger's file and the rows of the register.
 *
 *   KEYS     u8 list · text 00 [text 00 …] → u32 id
 *   ROWS+n   u32 id → form · [since] · cells          the newest version of list n
 *   HISTORY  u8 list · u32 id · i64 since → the same   versions that were followed by another
 *
 * A new id is above all others of its list, so ROWS is only ever appended to, and a row that never
 * changed is found at once. */
#include "storage/ledger_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const struct table tables[LEDGER_TABLES] = {
    [LEDGER_KEYS] = { "keys", 0 },
    [LEDGER_HISTORY] = { "history", 0 },
    [LEDGER_BY_METER] = { "fittings-by-meter", 0 },
    [LEDGER_BY_POINT] = { "fittings-by-point", 0 },
    [LEDGER_ON_ROUTE] = { "points-on-route", 0 },
    [LEDGER_IN_ZONE] = { "points-in-zone", 0 },
    [LEDGER_PLACES] = { "places", 0 },
    [LEDGER_IMPORTS] = { "imports", 0 },
    [LEDGER_TOKENS] = { "tokens", 0 },
    [LEDGER_ANSWERS] = { "answers", 0 },
    [LEDGER_BORN] = { "flags", 0 },
    [LEDGER_DECISIONS] = { "decisions", 0 },
    [LEDGER_AUDIT] = { "audit", 0 },
    [LEDGER_STATE] = { "state", 0 },
    [LEDGER_ROWS] = { "rows-0", 0 },
    { "rows-1", 0 },
    { "rows-2", 0 },
    { "rows-3", 0 },
    { "rows-4", 0 },
    { "rows-5", 0 },
    { "rows-6", 0 },
    { "rows-7", 0 },
    { "rows-8", 0 },
    { "rows-9", 0 },
    { "rows-10", 0 },
    { "rows-11", 0 },
    { "rows-12", 0 },
    { "rows-13", 0 },
    { "rows-14", 0 },
    { "rows-15", 0 },
    [LEDGER_COMMANDS] = { "commands", TABLE_LATER },
    [LEDGER_COMMANDS_LIVE] = { "commands-live", TABLE_LATER },
    [LEDGER_SECRETS] = { "meter-keys", TABLE_LATER },
    [LEDGER_FORMATS] = { "formats", TABLE_LATER },
    [LEDGER_RECIPES] = { "recipes", TABLE_LATER },
    [LEDGER_EVENTS] = { "events", TABLE_LATER },
    [LEDGER_INDEX] = { "indexes", TABLE_LATER },
    [LEDGER_CYCLES] = { "cycles", TABLE_LATER },
    [LEDGER_CYCLE_NAMES] = { "cycle-names", TABLE_LATER },
    [LEDGER_DETERMINANTS] = { "determinants", TABLE_LATER },
    [LEDGER_LIVES] = { "lives", TABLE_LATER },
    [LEDGER_ROUTE_DAYS] = { "route-days", TABLE_LATER },
    [LEDGER_ADJUSTMENTS] = { "adjustments", TABLE_LATER },
    [LEDGER_BILLED] = { "billed", TABLE_LATER },
    [LEDGER_ACCEPTED] = { "accepted", TABLE_LATER },
    [LEDGER_EDITS] = { "edits", TABLE_LATER },
    [LEDGER_EDITS_OF] = { "edits-of", TABLE_LATER },
    [LEDGER_FIGURES] = { "figures", TABLE_LATER },
    [LEDGER_USERS] = { "users", TABLE_LATER },
    [LEDGER_PEERS] = { "peers", TABLE_LATER },
    [LEDGER_RECEIPTS] = { "receipts", TABLE_LATER },
    [LEDGER_RULES] = { "rules", TABLE_LATER },
    [LEDGER_DIALS] = { "dials", TABLE_LATER },
    [LEDGER_HOOKS] = { "hooks", TABLE_LATER },
    [LEDGER_NOTICES] = { "notices", TABLE_LATER },
    [LEDGER_TOLD] = { "flags-told", TABLE_LATER },
    [LEDGER_LULLS] = { "lulls", TABLE_LATER },
};

#define ACTS_A_SYNC 256 /* the 256th act waits 10 to 35 ms longer, for 20 MB of pages */

static const struct db_layout layout = {
    .what = "ledger", .version = 1, .tables = tables, .count = LEDGER_TABLES, .redo = ACTS_A_SYNC
};

enum err ledger_open(const char *dir, unsigned db_flags, struct ledger **out, struct refusal *r)
{
    struct ledger *l = (struct ledger *)calloc(1, sizeof *l);
    char path[4096];
    enum err err;

    if (!l)
        return ERR_NO_MEMORY;
    snprintf(path, sizeof path, "%s/ledger.mdb", dir);
    if ((err = db_open(path, &layout, db_flags, &l->db, r))) {
        free(l);
        return err;
    }
    ledger_queue_init(&l->queue);
    *out = l;
    return ERR_OK;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    db_close(l->db);
    ledger_queue_done(&l->queue);
    free(l);
}

struct txn ledger_read(struct ledger *l)
{
    return txn_begin(l->db, TXN_READ);
}

uint64_t ledger_bytes(struct ledger *l)
{
    return db_bytes(l->db);
}

void ledger_fail(struct txn *t, enum err err)
{
    if (!t->err)
        t->err = err;
}

void ledger_sha256(struct span bytes, uint8_t out[SHA256_BYTES])
{
    unsigned len = 0;

    if (!EVP_Digest(bytes.at, bytes.len, out, &len, EVP_sha256(), NULL) || len != SHA256_BYTES)
        abort(); /* the library has no SHA-256: nothing here can be trusted */
}

/* ---- keys ---- */

/* Each text of the key, ended by 0x00 on disk also where there is but one. */
struct key ledger_row_key(unsigned list, struct span key)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, (uint8_t)list);
    while (key.len) {
        const uint8_t *end = memchr(key.at, 0, key.len);
        size_t len = end ? (size_t)(end - key.at) : key.len;

        key_text(&k, span_of(key.at, len));
        key = end ? span_of(end + 1, key.len - len - 1) : span_of(NULL, 0);
    }
    return k;
}

/* The inverse: as callers know the key. */
static struct span key_of_disk(struct span disk)
{
    struct span key = disk.len ? span_of(disk.at + 1, disk.len - 1) : disk;

    if (key.len && memchr(key.at, 0, key.len) == key.at + key.len - 1)
        key.len--;
    return key;
}

bool ledger_id(struct txn *t, unsigned list, struct span key, uint32_t *out_id)
{
    struct key k = ledger_row_key(list, key);
    struct span value;
    struct rd r;

    if (k.full || !txn_get(t, LEDGER_KEYS, key_span(&k), &value))
        return false;
    r = rd_of(value);
    *out_id = rd_le32(&r);
    if (r.err || *out_id == 0)
        ledger_fail(t, ERR_CORRUPT);
    return !t->err;
}

/* ---- rows ---- */

#define FORM_ALWAYS 0 /* holds since ever */
#define FORM_SINCE 1  /* zigzag since follows */

void ledger_row_write(struct wr *w, int64_t since_s, const struct span *cells, unsigned count)
{
    while (count && cells[count - 1].len == 0)
        count--;
    wr_u8(w, since_s == LEDGER_ALWAYS ? FORM_ALWAYS : FORM_SINCE);
    if (since_s != LEDGER_ALWAYS)
        wr_zigzag(w, since_s);
    wr_varint(w, count);
    for (unsigned i = 0; i < count; i++)
        wr_counted(w, cells[i]);
}

bool ledger_row_read(struct txn *t, unsigned list, uint32_t id, struct span value,
                     struct ledger_row *out_view)
{
    struct rd r = rd_of(value);
    uint8_t form = rd_u8(&r);
    uint64_t count;

    out_view->list = list;
    out_view->id = id;
    out_view->since_s = form == FORM_SINCE ? rd_zigzag(&r) : LEDGER_ALWAYS;
    count = rd_varint(&r);
    if (r.err || form > FORM_SINCE || count > LEDGER_CELLS_MAX) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    out_view->count = (unsigned)count;
    for (unsigned i = 0; i < count; i++)
        out_view->cells[i] = rd_counted(&r);
    memset(out_view->cells + count, 0, (LEDGER_CELLS_MAX - count) * sizeof out_view->cells[0]);
    if (r.err || rd_left(&r))
        ledger_fail(t, ERR_CORRUPT);
    return !t->err;
}

bool ledger_newest(struct txn *t, unsigned list, uint32_t id, struct ledger_row *out_view)
{
    struct key k = ledger_number_key(id);
    struct span value;

    assert(list < LEDGER_LISTS_MAX);
    return txn_get(t, LEDGER_ROWS + list, key_span(&k), &value) &&
           ledger_row_read(t, list, id, value, out_view);
}

struct key ledger_history_key(unsigned list, uint32_t id, int64_t since_s)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, (uint8_t)list);
    key_u32(&k, id);
    key_i64(&k, since_s);
    return k;
}

/* The last version in the history that began at or before `as_of_s`. */
static bool history_find(struct txn *t, unsigned list, uint32_t id, int64_t as_of_s,
                         struct ledger_row *out_view)
{
    struct key k = ledger_history_key(list, id, as_of_s);
    struct scan s;
    bool found;

    key_u8(&k, 0); /* just above the version that begins at that very second */
    s = scan_from(t, LEDGER_HISTORY, key_span(&k));
    found = scan_back(&s) && s.key.len == 13 && s.key.at[0] == list &&
            ledger_be32(s.key.at + 1) == id && ledger_row_read(t, list, id, s.value, out_view);
    scan_done(&s);
    return found;
}

bool ledger_by_id(struct txn *t, unsigned list, uint32_t id, int64_t as_of_s,
                  struct ledger_row *out_view)
{
    if (!ledger_newest(t, list, id, out_view))
        return false;
    return out_view->since_s <= as_of_s || history_find(t, list, id, as_of_s, out_view);
}

bool ledger_find(struct txn *t, unsigned list, struct span key, int64_t as_of_s,
                 struct ledger_row *out_view)
{
    uint32_t id;

    if (!ledger_id(t, list, key, &id))
        return false;
    if (ledger_by_id(t, list, id, as_of_s, out_view))
        return true;
    if (as_of_s == INT64_MAX)
        ledger_fail(t, ERR_MISSING); /* a key without its row */
    return false;
}

uint32_t ledger_last_id(struct txn *t, unsigned list)
{
    struct scan s = scan_from(t, LEDGER_ROWS + list, span_of(NULL, 0));
    uint32_t id = 0;

    if (scan_back(&s)) {
        if (s.key.len == 4)
            id = ledger_be32(s.key.at);
        else
            ledger_fail(t, ERR_CORRUPT);
    }
    scan_done(&s);
    return id;
}

enum err ledger_each_by_id(struct txn *t, unsigned list, uint32_t from_id,
                           bool (*each)(void *arg, const struct ledger_row *row), void *arg)
{
    struct key k = ledger_number_key(from_id);
    struct scan s = scan_from(t, LEDGER_ROWS + list, key_span(&k));
    struct ledger_row row;

    while (scan_next(&s) && s.key.len == 4 &&
           ledger_row_read(t, list, ledger_be32(s.key.at), s.value, &row))
        if (!each(arg, &row))
            break;
    scan_done(&s);
    return t->err;
}

/* ---- in order of keys ---- */

struct ledger_walk ledger_walk(struct txn *t, unsigned list, struct span after_key, int64_t as_of_s)
{
    struct ledger_walk w = { .list = list, .as_of_s = as_of_s, .txn = t };

    w.from = ledger_row_key(list, after_key);
    if (after_key.len)
        key_u8(&w.from, 0); /* the least key above it */
    return w;
}

bool ledger_walk_next(struct ledger_walk *w, struct ledger_row *out_view)
{
    if (!w->begun) { /* only now does `from` lie where it stays */
        w->begun = true;
        w->scan = scan_from(w->txn, LEDGER_KEYS, key_span(&w->from));
    }
    while (scan_next(&w->scan)) {
        struct rd r = rd_of(w->scan.value);
        uint32_t id = rd_le32(&r);

        if (w->scan.key.at[0] != w->list)
            return false;
        if (r.err) {
            ledger_fail(w->txn, ERR_CORRUPT);
            return false;
        }
        w->key = key_of_disk(w->scan.key);
        if (ledger_by_id(w->txn, w->list, id, w->as_of_s, out_view))
            return true;
        if (w->txn->err)
            return false;
    }
    return false;
}

void ledger_walk_done(struct ledger_walk *w)
{
    if (w->begun)
        scan_done(&w->scan);
}

/* ---- whole-file check ---- */

static enum err rows_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_KEYS, span_of(NULL, 0));
    struct ledger_row row;
    uint64_t keys = 0, rows = 0;

    while (scan_next(&s)) {
        struct rd rd = rd_of(s.value);
        uint32_t id = rd_le32(&rd);
        unsigned list = s.key.at[0];

        keys++;
        if (rd.err || list >= LEDGER_LISTS_MAX || !ledger_newest(t, list, id, &row)) {
            ledger_fail(t, ERR_MISSING);
            (void)refuse(r, t->err, 0, "ledger", "list %u has a key without its row %u", list,
                         (unsigned)id);
            break;
        }
    }
    scan_done(&s);
    for (unsigned list = 0; !t->err && list < LEDGER_LISTS_MAX; list++)
        rows += txn_count(t, LEDGER_ROWS + list);
    if (!t->err && rows != keys) {
        ledger_fail(t, ERR_MISSING);
        (void)refuse(r, t->err, 0, "ledger", "%llu rows have %llu keys", (unsigned long long)rows,
                     (unsigned long long)keys);
    }
    return t->err;
}

/* Reads what no other check reads, for its checksums. */
static enum err table_check(struct txn *t, unsigned table, struct refusal *r)
{
    struct scan s = scan_from(t, table, span_of(NULL, 0));

    while (scan_next(&s))
        ;
    scan_done(&s);
    return t->err
               ? refuse(r, t->err, 0, "ledger", "table %s %s", tables[table].name, err_text(t->err))
               : ERR_OK;
}

enum err ledger_check(struct ledger *l, struct refusal *r)
{
    struct txn t = ledger_read(l);
    enum err err, ended;

    err = rows_check(&t, r);
    for (unsigned table = 0; !err && table < LEDGER_TABLES; table++)
        err = table_check(&t, table, r);
    if (!err)
        err = ledger_fittings_check(&t, r);
    if (!err)
        err = ledger_commands_check(&t, r);
    if (!err)
        err = ledger_lives_check(&t, r);
    if (!err)
        err = ledger_index_check(&t, r);
    if (!err)
        err = ledger_cycles_check(&t, r);
    if (!err)
        err = ledger_routes_check(&t, r);
    if (!err)
        err = ledger_accepted_check(&t, r);
    if (!err)
        err = ledger_rules_check(&t, r);
    if (!err)
        err = ledger_dials_check(&t, r);
    if (!err)
        err = ledger_hooks_check(&t, r);
    if (!err)
        err = ledger_users_check(&t, r);
    if (!err)
        err = ledger_edits_check(&t, r);
    if (!err)
        err = ledger_figures_check(&t, r);
    if (!err)
        err = ledger_notices_check(&t, r);
    ended = txn_end(&t);
    if (!err)
        err = ended;
    return err ? err : audit_check(l, r);
}
