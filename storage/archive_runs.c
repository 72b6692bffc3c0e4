/* The list of runs: on disk, and in memory for readers. */
#include "storage/archive_priv.h"

#include <assert.h>
#include <stdlib.h>

#define HEAD_BYTES (4 * 8)
#define RUN_BYTES (2 + 4 + 8 + 5 * 8 + 2 * 4 + 1 + 2 + 3 * 4)
#define BIT_WHOLE 1u
#define BIT_BELOW_ZERO 2u

/* ---- rows of the tables ---------------------------------------------------------------------- */

static struct span head_key(void)
{
    return span_text("head");
}

enum err head_get(struct txn *t, struct head *out)
{
    struct span value;

    if (!txn_get(t, TABLE_HEAD, head_key(), &value))
        return t->err ? t->err : ERR_NOT_FOUND;

    struct rd r = rd_of(value);
    struct head h = { 0 };

    h.settled = rd_le64(&r);
    h.generation = rd_le64(&r);
    h.next_order = rd_le64(&r);
    h.visible = rd_le64(&r);
    if (r.err || rd_left(&r))
        return ERR_CORRUPT;
    *out = h;
    return ERR_OK;
}

void head_put(struct txn *t, const struct head *head)
{
    uint8_t bytes[HEAD_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_le64(&w, head->settled);
    wr_le64(&w, head->generation);
    wr_le64(&w, head->next_order);
    wr_le64(&w, head->visible);
    assert(!w.err);
    txn_put(t, TABLE_HEAD, head_key(), wr_span(&w));
}

static void run_key(struct key *k, uint16_t month, uint32_t number)
{
    key_clear(k);
    key_u16(k, month);
    key_u32(k, number);
}

void run_put(struct txn *t, const struct run *run)
{
    uint8_t bytes[RUN_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct key k;

    wr_u8(&w, run->state);
    wr_u8(&w, (uint8_t)((run->whole ? BIT_WHOLE : 0) | (run->below_zero ? BIT_BELOW_ZERO : 0)));
    wr_le32(&w, run->tag);
    wr_le64(&w, run->order);
    wr_le64(&w, run->rows);
    wr_le64(&w, run->blocks);
    wr_le64(&w, run->block_bytes);
    wr_le64(&w, run->chunks);
    wr_le64(&w, run->chunk_bytes);
    wr_le32(&w, run->first_meter);
    wr_le32(&w, run->last_meter);
    wr_u8(&w, run->first_channel);
    wr_le16(&w, run->channels);
    wr_le32(&w, run->first_s);
    wr_le32(&w, run->last_s);
    wr_le32(&w, run->chain);
    assert(!w.err);
    run_key(&k, run->month, run->number);
    txn_put(t, TABLE_RUNS, key_span(&k), wr_span(&w));
}

void run_del(struct txn *t, const struct run *run)
{
    struct key k;

    run_key(&k, run->month, run->number);
    txn_del(t, TABLE_RUNS, key_span(&k));
}

static enum err run_read(struct span key, struct span value, struct run *out)
{
    struct rd k = rd_of(key), r = rd_of(value);
    struct run run = { 0 };
    uint8_t bits;

    run.month = rd_be16(&k);
    run.number = rd_be32(&k);
    run.state = rd_u8(&r);
    bits = rd_u8(&r);
    run.whole = bits & BIT_WHOLE;
    run.below_zero = bits & BIT_BELOW_ZERO;
    run.tag = rd_le32(&r);
    run.order = rd_le64(&r);
    run.rows = rd_le64(&r);
    run.blocks = rd_le64(&r);
    run.block_bytes = rd_le64(&r);
    run.chunks = rd_le64(&r);
    run.chunk_bytes = rd_le64(&r);
    run.first_meter = rd_le32(&r);
    run.last_meter = rd_le32(&r);
    run.first_channel = rd_u8(&r);
    run.channels = rd_le16(&r);
    run.first_s = rd_le32(&r);
    run.last_s = rd_le32(&r);
    run.chain = rd_le32(&r);
    if (k.err || rd_left(&k) || r.err || rd_left(&r) || run.month >= MONTH_COUNT ||
        run.state > RUN_GARBAGE || bits & ~(BIT_WHOLE | BIT_BELOW_ZERO))
        return ERR_CORRUPT;
    *out = run;
    return ERR_OK;
}

enum err run_get(struct txn *t, uint16_t month, uint32_t number, struct run *out)
{
    struct span value;
    struct key k;

    run_key(&k, month, number);
    if (!txn_get(t, TABLE_RUNS, key_span(&k), &value))
        return t->err ? t->err : ERR_NOT_FOUND;
    return run_read(key_span(&k), value, out);
}

void chunk_key(struct key *k, uint16_t month, uint32_t number, struct place first)
{
    key_clear(k);
    key_u16(k, month);
    key_u32(k, number);
    key_u32(k, first.meter);
    key_u8(k, first.channel);
    key_u16(k, first.part);
}

enum err chunk_key_read(struct span key, uint16_t *out_month, uint32_t *out_number,
                        struct place *out_first)
{
    struct rd r = rd_of(key);

    *out_month = rd_be16(&r);
    *out_number = rd_be32(&r);
    out_first->meter = rd_be32(&r);
    out_first->channel = rd_u8(&r);
    out_first->part = rd_be16(&r);
    return r.err || rd_left(&r) ? ERR_CORRUPT : ERR_OK;
}

/* ---- the list in memory ---------------------------------------------------------------------- */

static int by_month_and_order(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    if (x->month != y->month)
        return x->month < y->month ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static enum err read_runs(struct txn *t, struct run_list *list, size_t room, uint64_t *out_visible)
{
    struct scan s = scan_from(t, TABLE_RUNS, (struct span){ 0 });
    enum err err = ERR_OK;

    *out_visible = 0;
    while (!err && scan_next(&s)) {
        if (list->count == room)
            err = ERR_CORRUPT;
        else if (!(err = run_read(s.key, s.value, &list->at[list->count])))
            *out_visible += list->at[list->count++].state == RUN_VISIBLE;
    }
    scan_done(&s);
    return err ? err : t->err;
}

enum err run_list_load(struct txn *t, struct run_list **out)
{
    struct head head = { 0 };
    size_t room = (size_t)txn_count(t, TABLE_RUNS);
    enum err err = head_get(t, &head);
    uint64_t visible = 0;

    if (err == ERR_NOT_FOUND)
        err = room ? ERR_MISSING : ERR_OK;
    if (err)
        return err;

    struct run_list *list = calloc(1, sizeof *list + room * sizeof list->at[0]);

    if (!list)
        return ERR_NO_MEMORY;
    atomic_init(&list->references, 1);
    list->generation = head.generation;
    err = read_runs(t, list, room, &visible);
    if (!err && visible != head.visible)
        err = ERR_MISSING;
    if (err) {
        free(list);
        return err;
    }
    qsort(list->at, list->count, sizeof list->at[0], by_month_and_order);
    *out = list;
    return ERR_OK;
}

struct run_list *run_list_hold(struct archive *a)
{
    pthread_mutex_lock(&a->lock);

    struct run_list *list = a->list;

    atomic_fetch_add(&list->references, 1);
    pthread_mutex_unlock(&a->lock);
    return list;
}

void run_list_release(struct run_list *list)
{
    if (list && atomic_fetch_sub(&list->references, 1) == 1)
        free(list);
}

enum err run_list_renew(struct archive *a)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL, *before;
    enum err err = t.err ? t.err : run_list_load(&t, &list);

    txn_abort(&t);
    if (err)
        return err;
    pthread_mutex_lock(&a->lock);
    before = a->list;
    a->list = list;
    pthread_mutex_unlock(&a->lock);
    run_list_release(before);
    return ERR_OK;
}

void run_list_try_renew(struct archive *a)
{
    enum err err = run_list_renew(a);

    (void)err;
}
