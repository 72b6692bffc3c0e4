/* Acts: one write transaction with its audit inside. */
#include "storage/ledger_priv.h"

#include <assert.h>
#include <stdlib.h>

static void work_done(struct act *a)
{
    if (a->work) {
        EVP_MD_CTX_free(a->work->sha);
        free(a->work->scratch);
        free(a->work);
    }
    a->work = NULL;
}

static bool work_init(struct act *a)
{
    if (!(a->work = (struct act_work *)calloc(1, sizeof *a->work)))
        return false;
    a->work->scratch = (uint8_t *)malloc((size_t)2 * LEDGER_SCRATCH_BYTES);
    a->work->sha = EVP_MD_CTX_new();
    if (a->work->scratch && a->work->sha)
        return true;
    work_done(a);
    return false;
}

static struct act begin(struct ledger *l, const char *who, int64_t now_s, uint64_t position,
                        bool shares)
{
    struct act a = { .ledger = l, .now_s = now_s, .position = position };

    memcpy(a.who, who, strnlen(who, sizeof a.who - 1));
    if (!work_init(&a)) { /* before the turn, so that nobody waits for it */
        ledger_fail(&a.txn, ERR_NO_MEMORY);
        return a;
    }
    a.work->seat.shares = shares;
    a.txn = group_enter(l, &a.work->seat);
    if (!a.txn.err)
        a.number = ledger_end(&a.txn) + 1;
    return a;
}

struct act act_begin(struct ledger *l, const char *who, int64_t now_s, uint64_t position)
{
    return begin(l, who, now_s, position, false);
}

struct act act_join(struct ledger *l, const char *who, int64_t now_s, uint64_t position)
{
    return begin(l, who, now_s, position, true);
}

/* `work` is there as long as the act has its turn. */
static enum err leave(struct act *a, bool keep)
{
    enum err err = a->txn.err;

    if (a->work)
        err = group_leave(a->ledger, &a->work->seat, &a->txn, keep);
    work_done(a);
    return err;
}

enum err act_abort(struct act *a)
{
    return a->work ? leave(a, false) : ERR_OK;
}

enum err act_end(struct act *a)
{
    if (!a->txn.err && a->work->changed)
        audit_seal(a);
    /* Where nothing was written there is nothing to commit, and no fsync for it. */
    return leave(a, !a->txn.err && (a->work->changed || a->work->written));
}

static struct wr scratch_part(struct act *a, unsigned part)
{
    if (!a->work || !a->work->scratch)
        return wr_of(NULL, 0);
    return wr_of(a->work->scratch + (size_t)part * LEDGER_SCRATCH_BYTES, LEDGER_SCRATCH_BYTES);
}

struct wr act_scratch(struct act *a)
{
    return scratch_part(a, 0);
}

struct wr act_record_scratch(struct act *a)
{
    return scratch_part(a, 1);
}

void act_changed(struct act *a)
{
    if (a->txn.err || a->work->changed)
        return;
    a->work->changed = true;
    audit_head(a);
}

/* ---- rows ---- */

static void json_text(struct wr *w, struct span text)
{
    wr_u8(w, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            wr_u8(w, '\\');
        if (text.at[i] < 0x20)
            wr_format(w, "\\u%04x", text.at[i]);
        else
            wr_u8(w, text.at[i]);
    }
    wr_u8(w, '"');
}

static void json_name(struct act *a, struct wr *w, unsigned list, unsigned cell)
{
    const char *name = a->words ? a->words->cell(list, cell) : NULL;

    if (name)
        json_text(w, span_text(name));
    else
        wr_format(w, "\"%u\"", cell);
    wr_u8(w, ':');
}

/* {"name":"text",…} of the cells that are there and differ from `other` (NULL: all). */
static struct span json_cells(struct act *a, struct wr *w, unsigned list, const struct span *cells,
                              const struct span *other)
{
    size_t start = wr_len(w);
    bool first = true;

    wr_u8(w, '{');
    for (unsigned i = 0; i < LEDGER_CELLS_MAX; i++) {
        if (cells[i].len == 0 || (other && span_equal(cells[i], other[i])))
            continue;
        if (!first)
            wr_u8(w, ',');
        first = false;
        json_name(a, w, list, i);
        json_text(w, cells[i]);
    }
    wr_u8(w, '}');
    return span_of(w->start + start, wr_len(w) - start);
}

/* `before` NULL: the row is new. */
static void note_row(struct act *a, unsigned list, struct span key, const struct span *before,
                     const struct span *after)
{
    struct wr w = act_scratch(a);
    struct span was = span_of(NULL, 0), is;
    const char *what = (const char *)w.start;

    wr_format(&w, "%s.%s", a->words ? a->words->list(list) : "row", before ? "change" : "add");
    wr_u8(&w, 0);
    if (before)
        was = json_cells(a, &w, list, before, after);
    is = json_cells(a, &w, list, after, before);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    else
        act_note(a, what, key, was, is, span_of(NULL, 0));
}

static uint32_t new_id(struct act *a, unsigned list)
{
    uint32_t *next = &a->work->next_id[list];

    if (*next == 0)
        *next = ledger_last_id(&a->txn, list) + 1;
    if (*next > LIMIT_METERS)
        ledger_fail(&a->txn, ERR_LIMIT);
    return (*next)++;
}

/* Beyond any row that the columns allow; cells come checked, so what does not fit is our mistake.
 */
#define ROW_BYTES_MAX (LEDGER_CELLS_MAX * (LIMIT_TEXT + 4) + 32)

static void write_row(struct act *a, unsigned table, struct span key, int64_t since_s,
                      const struct span *cells, unsigned count, bool append)
{
    uint8_t bytes[ROW_BYTES_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);

    ledger_row_write(&w, since_s, cells, count);
    if (w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    else if (append)
        txn_append(&a->txn, table, key, wr_span(&w));
    else
        txn_put(&a->txn, table, key, wr_span(&w));
}

static uint32_t add_row(struct act *a, unsigned list, struct span key, int64_t since_s,
                        const struct span *cells, unsigned count)
{
    struct key by_key = ledger_row_key(list, key), by_id;
    uint32_t id = new_id(a, list);
    uint8_t bytes[4];
    struct wr w = wr_of(bytes, sizeof bytes);

    if (by_key.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return 0;
    by_id = ledger_number_key(id);
    wr_le32(&w, id);
    txn_put(&a->txn, LEDGER_KEYS, key_span(&by_key), wr_span(&w));
    write_row(a, LEDGER_ROWS + list, key_span(&by_id), since_s, cells, count, true);
    return id;
}

static void put_history(struct act *a, unsigned list, uint32_t id, int64_t since_s,
                        const struct span *cells, unsigned count)
{
    struct key k = ledger_history_key(list, id, since_s);

    write_row(a, LEDGER_HISTORY, key_span(&k), since_s, cells, count, false);
}

static bool cells_equal(const struct span *a, const struct span *b)
{
    for (unsigned i = 0; i < LEDGER_CELLS_MAX; i++)
        if (!span_equal(a[i], b[i]))
            return false;
    return true;
}

/* The row's cells copied out of the transaction: what it hands out dies with its next change. */
static void keep_cells(struct act *a, struct ledger_row *row, uint8_t *room, size_t cap)
{
    struct wr w = wr_of(room, cap);

    for (unsigned i = 0; i < row->count; i++) {
        struct span cell = row->cells[i];

        row->cells[i].at = w.at;
        wr_bytes(&w, cell);
    }
    if (w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
}

/* A known row gets a version: the newest moves to the history, unless the new one is older than it,
 * or of the same second. */
static bool put_known(struct act *a, unsigned list, uint32_t id, struct span key, int64_t since_s,
                      const struct span *cells, unsigned count)
{
    struct key k = ledger_number_key(id);
    uint8_t room[ROW_BYTES_MAX];
    struct ledger_row then = { 0 };
    int64_t newest_s;

    if (!ledger_newest(&a->txn, list, id, &then)) {
        ledger_fail(&a->txn, ERR_MISSING);
        return false;
    }
    newest_s = then.since_s;
    if (since_s < newest_s && !ledger_by_id(&a->txn, list, id, since_s, &then))
        memset(&then, 0, sizeof then);
    if (a->txn.err || cells_equal(then.cells, cells))
        return false;
    keep_cells(a, &then, room, sizeof room);
    act_changed(a);
    if (since_s > newest_s)
        put_history(a, list, id, newest_s, then.cells, then.count);
    if (since_s < newest_s)
        put_history(a, list, id, since_s, cells, count);
    else
        write_row(a, LEDGER_ROWS + list, key_span(&k), since_s, cells, count, false);
    if (!a->quiet_known)
        note_row(a, list, key, then.cells, cells);
    return !a->txn.err;
}

void act_put_row(struct act *a, unsigned list, struct span key, int64_t since_s,
                 const struct span *cells, unsigned count, uint32_t *out_id, bool *out_new)
{
    struct span all[LEDGER_CELLS_MAX] = { { NULL, 0 } };
    uint32_t id = 0;
    bool written;

    assert(list < LEDGER_LISTS_MAX && count <= LEDGER_CELLS_MAX);
    if (a->txn.err)
        return;
    memcpy(all, cells, count * sizeof all[0]);
    if (ledger_id(&a->txn, list, key, &id)) {
        written = put_known(a, list, id, key, since_s, all, count);
    } else {
        act_changed(a);
        id = a->txn.err ? 0 : add_row(a, list, key, since_s, all, count);
        if (id && !a->quiet_new)
            note_row(a, list, key, NULL, all);
        written = true;
    }
    if (a->txn.err)
        return;
    if (out_id)
        *out_id = id;
    if (out_new)
        *out_new = written;
}

#define DROPPED_AT_ONCE 256

/* Views of a scan end with a change: some keys are copied, dropped, and the scan begins again. */
static bool drop_some(struct act *a, unsigned table, struct span prefix, struct key *keys)
{
    struct scan s = scan_from(&a->txn, table, prefix);
    size_t count = 0;

    while (count < DROPPED_AT_ONCE && scan_next(&s) && s.key.len >= prefix.len &&
           s.key.len <= sizeof keys->bytes &&
           (!prefix.len || memcmp(s.key.at, prefix.at, prefix.len) == 0)) {
        memcpy(keys[count].bytes, s.key.at, s.key.len);
        keys[count++].len = (uint16_t)s.key.len;
    }
    scan_done(&s);
    for (size_t i = 0; i < count; i++)
        txn_del(&a->txn, table, key_span(&keys[i]));
    return count == DROPPED_AT_ONCE && !a->txn.err;
}

static void drop_under(struct act *a, unsigned table, struct span prefix)
{
    struct key *keys = (struct key *)calloc(DROPPED_AT_ONCE, sizeof *keys);

    if (!keys)
        ledger_fail(&a->txn, ERR_NO_MEMORY);
    while (keys && drop_some(a, table, prefix, keys))
        ;
    free(keys);
}

void ledger_drop_table(struct act *a, unsigned table)
{
    act_changed(a);
    drop_under(a, table, span_of(NULL, 0));
}

void act_drop_rows(struct act *a, unsigned list)
{
    struct key of_list;

    assert(list < LEDGER_LISTS_MAX);
    key_clear(&of_list);
    key_u8(&of_list, (uint8_t)list);
    act_changed(a);
    drop_under(a, LEDGER_KEYS, key_span(&of_list));
    drop_under(a, LEDGER_HISTORY, key_span(&of_list));
    drop_under(a, LEDGER_ROWS + list, span_of(NULL, 0));
}
