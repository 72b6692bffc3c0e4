/* Writing runs.  A pass has one chunk under construction for each month it touches, and holds
 * finished chunks until there are some megabytes of them; then they are written in one transaction,
 * beside run records that say "open".  The last transaction turns those into what the pass is for.
 * No transaction stays open between two calls. */
#include "storage/archive_priv.h"

#include "proto/base/crc.h"
#include "storage/block.h"

#include <assert.h>
#include <stdlib.h>

#define HELD_HEAD (sizeof(struct held))

/* A finished chunk: this, then its bytes. */
struct held {
    uint16_t month;
    struct place first;
    uint32_t len;
};

struct month_builder {
    struct run run;
    bool recorded; /* its record is on disk */
    struct chunk_builder chunk;
};

struct archive_pass {
    struct archive *a;
    uint32_t tag, number;
    enum err err; /* the first; sticks */
    bool written; /* something is on disk */
    struct month_builder *months[MONTH_COUNT];
    uint64_t bytes;
    uint8_t *held;
    size_t held_len, held_cap;
    uint8_t *block;
    size_t block_cap;
    const struct vitals_entry *vitals; /* to become visible with the rows */
    size_t vitals_count;
    const struct hush *gaps; /* likewise */
    size_t gap_count;
};

/* ---- chunks ---------------------------------------------------------------------------------- */

static void record_runs(struct archive_pass *p, struct txn *t)
{
    for (unsigned month = 0; month < MONTH_COUNT; month++) {
        if (!p->months[month] || p->months[month]->recorded)
            continue;
        run_put(t, &p->months[month]->run);
        p->months[month]->recorded = true;
    }
}

static void put_held(struct archive_pass *p, struct txn *t)
{
    struct held held;
    struct key k;

    for (size_t at = 0; at < p->held_len; at += HELD_HEAD + held.len) {
        memcpy(&held, p->held + at, HELD_HEAD);
        chunk_key(&k, held.month, p->number, held.first);
        txn_put(t, TABLE_CHUNKS, key_span(&k), span_of(p->held + at + HELD_HEAD, held.len));
    }
    p->held_len = 0;
}

static enum err write_held(struct archive_pass *p)
{
    struct txn t = txn_begin(p->a->db, TXN_WRITE);

    record_runs(p, &t);
    put_held(p, &t);
    p->written = true;
    return txn_end(&t);
}

static enum err held_room(struct archive_pass *p)
{
    size_t cap = p->held_cap ? 2 * p->held_cap : 4 * (HELD_HEAD + CHUNK_MAX);
    uint8_t *bytes;

    if (p->held_cap - p->held_len >= HELD_HEAD + CHUNK_MAX)
        return ERR_OK;
    if (!(bytes = realloc(p->held, cap)))
        return ERR_NO_MEMORY;
    p->held = bytes;
    p->held_cap = cap;
    return ERR_OK;
}

/* CRC-32C of the run's chunks so far and of this one. */
static uint32_t chained(uint32_t chain, uint16_t month, uint32_t number, struct place first,
                        struct span bytes)
{
    struct key k;

    chunk_key(&k, month, number, first);
    chain = crc32c(chain, k.bytes, k.len);
    return crc32c(chain, bytes.at, bytes.len);
}

static enum err finish_chunk(struct archive_pass *p, struct month_builder *b,
                             const struct place *next)
{
    struct held held = { .month = b->run.month, .first = b->chunk.first };
    enum err err;

    if (p->held_len >= PASS_WRITE_BYTES && (err = write_held(p)))
        return err;
    if ((err = held_room(p)))
        return err;

    uint8_t *bytes = p->held + p->held_len + HELD_HEAD;

    held.len = (uint32_t)chunk_finish(&b->chunk, next, bytes);
    memcpy(p->held + p->held_len, &held, HELD_HEAD);
    p->held_len += HELD_HEAD + held.len;
    b->run.chunks++;
    b->run.chunk_bytes += held.len;
    b->run.chain =
        chained(b->run.chain, b->run.month, b->run.number, held.first, span_of(bytes, held.len));
    return ERR_OK;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static enum err month_builder(struct archive_pass *p, uint16_t month, struct month_builder **out)
{
    struct month_builder *b = p->months[month];

    if (!b) {
        if (!(b = malloc(sizeof *b)))
            return ERR_NO_MEMORY;
        b->recorded = false;
        b->chunk.count = 0;
        b->chunk.directory_len = b->chunk.blocks_len = 0;
        b->run = (struct run){ .month = month,
                               .number = p->number,
                               .state = RUN_OPEN,
                               .tag = p->tag,
                               .first_s = UINT32_MAX };
        p->months[month] = b;
    }
    *out = b;
    return ERR_OK;
}

static void count_block(struct archive_pass *p, struct run *run, const struct entry *e, size_t rows)
{
    if (run->blocks == 0) {
        run->first_meter = e->place.meter;
        run->first_channel = e->place.channel;
    }
    run->last_meter = e->place.meter;
    run->channels |= (uint16_t)(1u << e->place.channel);
    run->blocks++;
    run->block_bytes += e->block.len;
    run->rows += rows;
    p->bytes += e->block.len;
}

static void count_times(struct run *run, uint32_t first_s, uint32_t last_s)
{
    run->first_s = first_s < run->first_s ? first_s : run->first_s;
    run->last_s = last_s > run->last_s ? last_s : run->last_s;
}

/* Adds the block as the next part of its series. */
static enum err add_block(struct archive_pass *p, struct month_builder *b, struct entry *e,
                          size_t rows)
{
    enum err err;

    if (b->run.blocks && place_same_series(b->chunk.last, e->place)) {
        if (b->chunk.last.part == UINT16_MAX)
            return ERR_LIMIT;
        e->place.part = (uint16_t)(b->chunk.last.part + 1);
    } else {
        e->place.part = 0;
    }
    assert(b->run.blocks == 0 || place_compare(b->chunk.last, e->place) < 0);
    if (!chunk_add(&b->chunk, e)) {
        if ((err = finish_chunk(p, b, &e->place)))
            return err;
        bool fits = chunk_add(&b->chunk, e);

        assert(fits);
        (void)fits;
    }
    count_block(p, &b->run, e, rows);
    return ERR_OK;
}

static enum err block_room(struct archive_pass *p, size_t rows)
{
    size_t cap = block_bound(rows);
    uint8_t *bytes;

    if (cap <= p->block_cap)
        return ERR_OK;
    if (!(bytes = realloc(p->block, cap)))
        return ERR_NO_MEMORY;
    p->block = bytes;
    p->block_cap = cap;
    return ERR_OK;
}

static void count_values(struct run *run, enum channel c, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count && c == CHANNEL_FORWARD; i++)
        run->below_zero = run->below_zero || rows[i].value < 0;
}

/* One block of as many of the rows as fit into a chunk. A few dozen always do. */
static enum err put_piece(struct archive_pass *p, struct month_builder *b, struct place series,
                          int64_t unit, const struct row *rows, size_t count, size_t *out_taken)
{
    size_t take = count < BLOCK_ROWS_MAX ? count : BLOCK_ROWS_MAX;
    enum err err = block_room(p, take);
    struct entry e = { .place = series, .unit = unit };

    if (err)
        return err;
    for (;; take /= 2) {
        size_t len =
            block_pack(rows, take, month_start_s(b->run.month), unit, p->block, p->block_cap);

        assert(len && take);
        e.block = span_of(p->block, len);
        if (len <= CHUNK_BLOCK_MAX)
            break;
    }
    count_times(&b->run, rows[0].time_s, rows[take - 1].time_s);
    count_values(&b->run, (enum channel)series.channel, rows, take);
    *out_taken = take;
    return add_block(p, b, &e, take);
}

enum err pass_put_rows(struct archive_pass *p, uint16_t month, struct place series, int64_t unit,
                       const struct row *rows, size_t count)
{
    struct month_builder *b = NULL;
    size_t taken = 0;

    if (!p->err)
        p->err = month_builder(p, month, &b);
    for (; !p->err && count; rows += taken, count -= taken)
        p->err = put_piece(p, b, series, unit, rows, count, &taken);
    return p->err;
}

enum err pass_put_block(struct archive_pass *p, const struct run *from, const struct entry *e,
                        size_t rows)
{
    struct month_builder *b = NULL;
    struct entry copy = *e;

    if (!p->err)
        p->err = month_builder(p, from->month, &b);
    if (!p->err) {
        count_times(&b->run, from->first_s, from->last_s);
        b->run.below_zero = b->run.below_zero || from->below_zero;
        p->err = add_block(p, b, &copy, rows);
    }
    return p->err;
}

uint64_t pass_bytes(const struct archive_pass *p)
{
    return p->bytes;
}

/* ---- the pass -------------------------------------------------------------------------------- */

enum err archive_pass_begin(struct archive *a, uint32_t tag, struct archive_pass **out)
{
    struct archive_pass *p = calloc(1, sizeof *p);

    if (!p)
        return ERR_NO_MEMORY;
    p->a = a;
    p->tag = tag;
    p->number = a->next_number++;
    *out = p;
    return ERR_OK;
}

enum err archive_pass_put(struct archive_pass *p, uint32_t meter, enum channel c, int64_t unit_ml,
                          const struct row *rows, size_t count)
{
    struct place series = { meter, (uint8_t)c, 0 };
    size_t from = 0;

    while (!p->err && from < count) {
        unsigned month = month_of(rows[from].time_s);
        uint64_t end_s = month + 1 < MONTH_COUNT ? month_start_s(month + 1) : UINT64_MAX;
        size_t to = from + 1;

        end_s =
            end_s < month_start_s(month) ? UINT64_MAX : end_s; /* the month in which 32 bits end */
        while (to < count && rows[to].time_s < end_s)
            to++;
        p->err = pass_put_rows(p, (uint16_t)month, series, unit_ml, rows + from, to - from);
        from = to;
    }
    return p->err;
}

static void pass_free(struct archive_pass *p)
{
    for (unsigned month = 0; month < MONTH_COUNT; month++)
        free(p->months[month]);
    free(p->held);
    free(p->block);
    free(p);
}

static enum err finish_chunks(struct archive_pass *p)
{
    for (unsigned month = 0; month < MONTH_COUNT && !p->err; month++)
        if (p->months[month] && p->months[month]->chunk.count)
            p->err = finish_chunk(p, p->months[month], NULL);
    return p->err;
}

static void close_runs(struct archive_pass *p, struct txn *t, const struct pass_end *end,
                       struct head *head)
{
    for (unsigned month = 0; month < MONTH_COUNT; month++) {
        if (!p->months[month])
            continue;

        struct run *run = &p->months[month]->run;

        run->state = (uint8_t)end->state;
        run->whole = end->whole;
        if (end->state == RUN_VISIBLE) {
            run->order = end->replaced_count ? end->replaced[end->replaced_count - 1].order
                                             : head->next_order++;
            head->visible++;
        }
        run_put(t, run);
        p->months[month]->recorded = true;
    }
    for (size_t i = 0; i < end->replaced_count; i++) {
        struct run old = end->replaced[i];

        old.state = RUN_GARBAGE;
        run_put(t, &old);
        head->visible--;
    }
}

/* Everything that is left, the runs' new state and the head, in one transaction. The head is read
 * again: after a commit whose failure left its outcome open, memory and file may differ. */
static enum err commit_end(struct archive_pass *p, const struct pass_end *end)
{
    struct txn t = txn_begin(p->a->db, TXN_WRITE);
    struct head head = { 0 };
    enum err err = t.err ? t.err : head_get(&t, &head);

    if (err && err != ERR_NOT_FOUND) {
        txn_abort(&t);
        return err;
    }
    put_held(p, &t);
    close_runs(p, &t, end, &head);
    vitals_put(&t, p->vitals, p->vitals_count);
    hushes_put(&t, p->gaps, p->gap_count);
    if (end->settled)
        head.settled = *end->settled;
    head.generation++;
    head_put(&t, &head);
    return txn_end(&t);
}

enum err pass_close(struct archive_pass *p, const struct pass_end *end)
{
    struct archive *a = p->a;
    enum err err = finish_chunks(p);

    if (!err)
        err = commit_end(p, end);
    if (err) {
        archive_pass_abandon(p);
        return err;
    }
    if (end->settled)
        atomic_store(&a->settled, *end->settled);
    pass_free(p);
    run_list_try_renew(a);
    return ERR_OK;
}

static bool pass_empty(const struct archive_pass *p)
{
    for (unsigned month = 0; month < MONTH_COUNT; month++)
        if (p->months[month])
            return false;
    return !p->err;
}

void archive_pass_vitals(struct archive_pass *p, const struct vitals_entry *entries, size_t count,
                         const struct hush *gaps, size_t gap_count)
{
    p->vitals = entries;
    p->vitals_count = count;
    p->gaps = gaps;
    p->gap_count = gap_count;
}

enum err archive_pass_end(struct archive_pass *p, uint64_t settled)
{
    const struct pass_end end = { .state = RUN_VISIBLE, .settled = &settled };

    assert(settled >= atomic_load(&p->a->settled)); /* what is settled stays so */
    if (pass_empty(p) && settled == atomic_load(&p->a->settled)) {
        pass_free(p);
        return ERR_OK;
    }
    return pass_close(p, &end);
}

enum err archive_pass_stage(struct archive_pass *p)
{
    const struct pass_end end = { .state = RUN_STAGED };

    if (pass_empty(p)) {
        pass_free(p);
        return ERR_OK;
    }
    return pass_close(p, &end);
}

/* Only what is still open: a commit that failed may have come through all the same. */
static void open_to_garbage(struct archive_pass *p, struct txn *t)
{
    struct run run;

    for (unsigned month = 0; month < MONTH_COUNT; month++) {
        if (!p->months[month] || run_get(t, (uint16_t)month, p->number, &run) ||
            run.state != RUN_OPEN)
            continue;
        run = p->months[month]->run;
        run.state = RUN_GARBAGE;
        run_put(t, &run);
    }
}

/* What is on disk becomes garbage now if that can be written, else at the next opening. */
void archive_pass_abandon(struct archive_pass *p)
{
    if (!p)
        return;

    struct archive *a = p->a;
    bool written = p->written;

    if (written) {
        struct txn t = txn_begin(a->db, TXN_WRITE);

        open_to_garbage(p, &t);
        written = txn_end(&t) == ERR_OK;
    }
    pass_free(p);
    if (written)
        run_list_try_renew(a);
}
