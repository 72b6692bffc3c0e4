/* Reads all of it: every chunk under its checksum (storage/txn.h), in order, each where the one
 * before says; every block to its last row; and holds the sums against the runs' records. */
#include "storage/archive_priv.h"

#include "proto/base/crc.h"

static enum err blame(struct archive *a, const struct run *run, enum err err, struct refusal *r,
                      const char *what)
{
    return refuse(r, err, 0, "archive", "%s: %04u-%02u, run %u: %s", db_path(a->db),
                  1970 + run->month / 12u, run->month % 12u + 1, run->number, what);
}

/* What was met on the way over a run. */
struct sums {
    uint64_t rows, blocks, block_bytes, chunks, chunk_bytes;
    uint32_t chain;
    const uint8_t *chunk; /* the one last counted */
};

static void count_chunk(struct sums *s, const struct walk *w)
{
    if (s->chunk == w->value.at)
        return;
    s->chunk = w->value.at;
    s->chunks++;
    s->chunk_bytes += w->value.len;
    s->chain = crc32c(s->chain, w->key.at, w->key.len);
    s->chain = crc32c(s->chain, w->value.at, w->value.len);
}

static enum err sum_run(struct walk *w, struct sums *s, struct rows *rows)
{
    enum err err = ERR_OK;

    while (!err && !w->err && !w->ended) {
        count_chunk(s, w);
        rows->count = 0;
        err = archive_unpack(w->run, &w->now, rows);
        s->rows += rows->count;
        s->blocks++;
        s->block_bytes += w->now.block.len;
        walk_next(w);
    }
    return err ? err : w->err;
}

static enum err check_run(struct archive *a, struct txn *t, const struct run *run,
                          struct rows *rows, struct refusal *r)
{
    struct sums s = { 0 };
    struct walk w;

    walk_seek(&w, t, run, 0, 0);

    enum err err = sum_run(&w, &s, rows);

    walk_done(&w);
    if (err == ERR_MISSING)
        return blame(a, run, err, r, "a chunk is gone");
    if (err)
        return blame(a, run, err, r,
                     err == ERR_CORRUPT ? "a chunk or a block fails its checksum or its form"
                                        : err_text(err));
    if (s.chunks != run->chunks || s.chunk_bytes != run->chunk_bytes)
        return blame(a, run, ERR_MISSING, r, "has another number of chunks than its record says");
    if (s.rows != run->rows || s.blocks != run->blocks || s.block_bytes != run->block_bytes ||
        s.chain != run->chain)
        return blame(a, run, ERR_CORRUPT, r, "its chunks are not those that its record counts");
    return ERR_OK;
}

/* Chunks without a run's record: the record is lost. */
static enum err check_owners(struct archive *a, struct txn *t, struct refusal *r)
{
    struct run run, none = { 0 };
    uint16_t month = 0;
    uint32_t number = 0;
    bool more = true;
    enum err err = ERR_OK;

    while (!err && more) {
        struct place first = { 0 };
        struct key from;

        chunk_key(&from, month, number, first);

        struct scan s = scan_from(t, TABLE_CHUNKS, key_span(&from));

        if ((more = scan_next(&s)) && !(err = chunk_key_read(s.key, &month, &number, &first)))
            err = run_get(t, month, number, &run);
        scan_done(&s);
        if (++number == 0)
            month++;
    }
    none.month = month;
    none.number = number - 1;
    if (t->err || (err && err != ERR_NOT_FOUND))
        return blame(a, &none, t->err ? t->err : err, r, "cannot be read");
    return err ? blame(a, &none, ERR_MISSING, r, "has chunks and no record") : ERR_OK;
}

enum err archive_check(struct archive *a, struct refusal *r)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    struct rows rows = { 0 };
    enum err err = t.err ? t.err : run_list_load(&t, &list);

    if (err)
        refuse(r, err, 0, "archive", "%s: its list of runs %s", db_path(a->db), err_text(err));
    for (size_t i = 0; !err && i < list->count; i++)
        if (list->at[i].state == RUN_VISIBLE || list->at[i].state == RUN_STAGED)
            err = check_run(a, &t, &list->at[i], &rows, r);
    if (!err)
        err = check_owners(a, &t, r);
    if (!err)
        err = pasts_check(a, &t, r);
    rows_done(&rows);
    run_list_release(list);
    txn_abort(&t);
    return err;
}
