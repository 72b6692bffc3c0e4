/* Opening, what there is of a meter, and imports.  Rows are read by archive_reader.c. */
#include "storage/archive_priv.h"

#include <stdio.h>
#include <stdlib.h>

static const struct table tables[] = {
    [TABLE_HEAD] = { "head", 0 },
    [TABLE_RUNS] = { "runs", 0 },
    [TABLE_CHUNKS] = { "chunks", 0 },
    [TABLE_VITALS] = { "vitals", 0 },
    [TABLE_HUSHES] = { "hushes", TABLE_LATER },
    [TABLE_PASTS] = { "pasts", TABLE_LATER },
};
static const struct db_layout layout = {
    .what = "archive", .version = 1, .tables = tables, .count = 6
};

/* ---- opening --------------------------------------------------------------------------------- */

/* Run numbers are never used twice: the next is above all that have a record. */
static void take_list(struct archive *a, struct run_list *list)
{
    a->list = list;
    a->next_number = 1;
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].number >= a->next_number)
            a->next_number = list->at[i].number + 1;
}

/* Passes that an earlier process left unfinished become garbage. */
static enum err forget_unfinished(struct archive *a)
{
    struct txn t = txn_begin(a->db, TXN_WRITE);

    for (size_t i = 0; i < a->list->count; i++) {
        if (a->list->at[i].state != RUN_OPEN)
            continue;
        a->list->at[i].state = RUN_GARBAGE;
        run_put(&t, &a->list->at[i]);
    }
    return txn_end(&t);
}

static bool has_unfinished(const struct run_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i].state == RUN_OPEN)
            return true;
    return false;
}

/* The head is there from the first opening on; without it, runs have lost theirs. */
static enum err make_head(struct archive *a)
{
    struct txn t = txn_begin(a->db, TXN_WRITE);
    const struct head head = { 0 };

    if (!t.err && txn_count(&t, TABLE_RUNS) > 0)
        t.err = ERR_MISSING;
    head_put(&t, &head);
    return txn_end(&t);
}

static enum err load(struct archive *a, bool writable)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    struct head head = { 0 };
    enum err err = t.err ? t.err : head_get(&t, &head);

    if (err == ERR_NOT_FOUND && writable && !(err = make_head(a)))
        txn_renew(&t);
    if (!err || err == ERR_NOT_FOUND)
        err = t.err ? t.err : run_list_load(&t, &list);
    txn_abort(&t);
    if (err)
        return err;
    take_list(a, list);
    atomic_init(&a->settled, head.settled);
    return ERR_OK;
}

enum err archive_open(const char *dir, unsigned db_flags, struct archive **out, struct refusal *r)
{
    bool writable = !(db_flags & DB_READ_ONLY);
    char path[4096];
    enum err err;

    if (snprintf(path, sizeof path, "%s/archive.mdb", dir) >= (int)sizeof path)
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);

    struct archive *a = calloc(1, sizeof *a);

    if (!a)
        return refuse(r, ERR_NO_MEMORY, 0, "", "%s: no memory", path);
    pthread_mutex_init(&a->lock, NULL);
    if ((err = db_open(path, &layout, db_flags, &a->db, r))) {
        archive_close(a);
        return err;
    }
    if (!(err = load(a, writable)) && writable && has_unfinished(a->list))
        err = forget_unfinished(a);
    if (err) {
        err = refuse(r, err, 0, "", "%s: its list of runs %s", path, err_text(err));
        archive_close(a);
        return err;
    }
    *out = a;
    return ERR_OK;
}

void archive_close(struct archive *a)
{
    if (!a)
        return;
    tidy_abandon(a);
    db_close(a->db);
    run_list_release(a->list);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

uint64_t archive_settled(struct archive *a)
{
    return atomic_load(&a->settled);
}

/* ---- the runs that a transaction sees -------------------------------------------------------- */

enum err archive_view(struct archive *a, struct txn *t, struct run_list **out)
{
    struct head head = { 0 };
    enum err err = t->err ? t->err : head_get(t, &head);

    if (err && err != ERR_NOT_FOUND)
        return err;

    struct run_list *list = run_list_hold(a);

    if (list->generation == head.generation) {
        *out = list;
        return ERR_OK;
    }
    run_list_release(list);
    return run_list_load(t, out);
}

/* ---- what there is of a meter ---- */

static enum err channels_of_run(struct txn *t, const struct run *run, uint32_t meter, unsigned *set)
{
    struct walk w;

    walk_seek(&w, t, run, meter, 0);
    while (!w.err && !w.ended && w.now.place.meter == meter) {
        *set |= 1u << w.now.place.channel;
        walk_next(&w);
    }
    walk_done(&w);
    return w.err;
}

enum err archive_channels(struct archive *a, uint32_t meter, unsigned *out_set)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    enum err err = archive_view(a, &t, &list);
    unsigned set = 0;

    for (size_t i = err ? 0 : list->count; !err && i-- > 0;) {
        const struct run *run = &list->at[i];

        if (run->state == RUN_VISIBLE && run->first_meter <= meter && meter <= run->last_meter &&
            run->channels & ~set)
            err = channels_of_run(&t, run, meter, &set);
    }
    run_list_release(list);
    txn_abort(&t);
    if (!err)
        *out_set = set;
    return err;
}

static bool any_below_zero(const struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->at[i].value < 0)
            return true;
    return false;
}

enum err archive_below_zero(struct archive *a, uint32_t meter, bool *out_below)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    struct rows rows = { 0 };
    enum err err = archive_view(a, &t, &list);
    bool below = false;

    for (size_t i = 0; !err && !below && i < list->count; i++) {
        const struct run *run = &list->at[i];

        if (!run->below_zero)
            continue;
        rows.count = 0;
        err = archive_read_run(&t, run, meter, CHANNEL_FORWARD, &rows);
        below = any_below_zero(&rows);
    }
    rows_done(&rows);
    run_list_release(list);
    txn_abort(&t);
    if (!err)
        *out_below = below;
    return err;
}

enum err archive_stat(struct archive *a, struct archive_stat *out)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    enum err err = archive_view(a, &t, &list);
    struct archive_stat s = { 0 };
    uint64_t free_bytes;

    for (size_t i = 0; !err && i < list->count; i++) {
        const struct run *run = &list->at[i];

        if (run->state != RUN_VISIBLE)
            continue;
        s.rows += run->rows;
        s.blocks += run->blocks;
        s.block_bytes += run->block_bytes;
        s.chunks += run->chunks;
        s.chunk_bytes += run->chunk_bytes;
        s.runs++;
    }
    run_list_release(list);
    free_bytes = txn_free_bytes(&t);
    txn_abort(&t);
    s.file_bytes = db_bytes(a->db);
    s.used_bytes = s.file_bytes > free_bytes ? s.file_bytes - free_bytes : 0;
    if (!err)
        *out = s;
    return err;
}

/* ---- imports --------------------------------------------------------------------------------- */

/* Changes every staged run of the tag, in one commit. */
static enum err change_staged(struct archive *a, uint32_t tag, enum run_state state)
{
    struct txn t = txn_begin(a->db, TXN_WRITE);
    struct run_list *list = NULL;
    struct head head = { 0 };
    enum err err = t.err ? t.err : head_get(&t, &head);

    if (!err)
        err = run_list_load(&t, &list);
    for (size_t i = 0; !err && i < list->count; i++) {
        struct run run = list->at[i];

        if (run.state != RUN_STAGED || run.tag != tag)
            continue;
        run.state = (uint8_t)state;
        if (state == RUN_VISIBLE) {
            run.order = head.next_order++;
            head.visible++;
        }
        run_put(&t, &run);
    }
    run_list_release(list);
    if (err) {
        txn_abort(&t);
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* a new file has nothing staged */
    }
    head.generation++;
    head_put(&t, &head);
    if (!(err = txn_end(&t)))
        run_list_try_renew(a);
    return err;
}

enum err archive_seal(struct archive *a, uint32_t tag)
{
    return change_staged(a, tag, RUN_VISIBLE);
}

enum err archive_discard(struct archive *a, uint32_t tag)
{
    return change_staged(a, tag, RUN_GARBAGE);
}

static bool has_tag(const uint32_t *tags, size_t count, uint32_t tag)
{
    for (size_t i = 0; i < count; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

size_t archive_staged(struct archive *a, uint32_t *tags, size_t cap)
{
    struct run_list *list = run_list_hold(a);
    size_t count = 0;

    for (size_t i = 0; i < list->count && count < cap; i++)
        if (list->at[i].state == RUN_STAGED && !has_tag(tags, count, list->at[i].tag))
            tags[count++] = list->at[i].tag;
    run_list_release(list);
    return count;
}
