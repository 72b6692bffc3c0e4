/* Reading rows.  A read is the runs of the months in question, in the order in which they became visible; in
 * each the entries of the series, which is found by one seek, or from where the reader stands; what they hold
 * is laid end to end and tidied.  Of a run whose rows of the series all lie before the span the times alone are
 * unpacked: a day that was settled by itself does not cost the month that it lies in. */
#include "storage/archive_priv.h"

#include "proto/past.h"
#include "storage/block.h"

#include <stdlib.h>

/* Where a reader stands in a run. */
struct standing {
    struct walk walk;
    struct place passed; /* no entry lies between it and walk.now (the run's end) */
    bool open;
};

struct archive_reader {
    struct archive *archive;
    struct txn txn;
    struct run_list *list; /* NULL: it rests */
    struct standing *at;   /* one a run */
    uint64_t settled;      /* when it was last asked after a rest */
    bool fresh;            /* nothing was read since */
};

/* ---- one run --------------------------------------------------------------------------------- */

enum err archive_unpack(const struct run *run, const struct entry *e, struct rows *out)
{
    enum err err = block_unpack(e->block, month_start_s(run->month), e->unit, BLOCK_ROWS_MAX, out);

    return !err || err == ERR_NO_MEMORY ? err : ERR_CORRUPT;
}

/* Of a block that does not say when it ends: false, and unpacking tells why. */
static bool ends_before(const struct run *run, const struct entry *e, int64_t from_s)
{
    uint32_t last_s;

    return from_s > month_start_s(run->month) &&
           !block_last_s(e->block, month_start_s(run->month), e->unit, BLOCK_ROWS_MAX, &last_s) &&
           last_s < from_s;
}

/* Goes on to the first entry at or after the place; false: a search is shorter, or damage lies between. */
static bool step_to(struct walk *w, struct place at)
{
    bool crossed = false;

    while (!w->err && !w->ended && place_compare(w->now.place, at) < 0) {
        if (w->chunk.left == 0 && crossed)
            return false;
        crossed |= w->chunk.left == 0;
        walk_next(w);
    }
    return !w->err;
}

static void stand_at(struct standing *s, struct txn *t, const struct run *run, struct place at)
{
    if (s->open && !s->walk.err && place_compare(s->passed, at) < 0 && step_to(&s->walk, at))
        return;
    if (s->open)
        walk_done(&s->walk);
    walk_seek(&s->walk, t, run, at.meter, at.channel);
    s->open = true;
}

static enum err read_run(struct standing *s, struct txn *t, const struct run *run, struct place at,
                         int64_t from_s, struct rows *out)
{
    struct walk *w = &s->walk;
    enum err err = ERR_OK;

    stand_at(s, t, run, at);
    while (!err && !w->err && !w->ended && place_same_series(w->now.place, at)) {
        if (!ends_before(run, &w->now, from_s))
            err = archive_unpack(run, &w->now, out);
        walk_next(w);
    }
    s->passed = (struct place){ at.meter, at.channel, UINT16_MAX };
    return err ? err : w->err;
}

static bool may_hold(const struct run *run, struct place at, int64_t from_s, int64_t to_s)
{
    return run->state == RUN_VISIBLE && run->first_meter <= at.meter &&
           at.meter <= run->last_meter && run->channels >> at.channel & 1 && run->first_s < to_s &&
           run->last_s >= from_s;
}

enum err archive_read_run(struct txn *t, const struct run *run, uint32_t meter, uint8_t channel,
                          struct rows *out)
{
    struct standing s = { .open = false };
    struct place at = { meter, channel, 0 };
    enum err err = ERR_OK;

    if (may_hold(run, at, 0, INT64_MAX)) {
        err = read_run(&s, t, run, at, 0, out);
        walk_done(&s.walk);
    }
    return err;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The first run of `month` or later. */
static size_t first_of_month(const struct run_list *list, unsigned month)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->at[middle].month < month)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_outside(struct rows *rows, int64_t from_s, int64_t to_s)
{
    struct row *at = rows->at;
    size_t kept = 0;

    while (kept < rows->count && at[kept].time_s >= from_s && at[kept].time_s < to_s)
        kept++;
    for (size_t i = kept; i < rows->count; i++)
        if (at[i].time_s >= from_s && at[i].time_s < to_s)
            at[kept++] = at[i];
    rows->count = kept;
}

/* `standing`: one a run of the list; NULL: nobody comes again. */
static enum err read_list(struct txn *t, const struct run_list *list, struct standing *standing,
                          struct place at, int64_t from_s, int64_t to_s, struct rows *out)
{
    enum err err = ERR_OK;

    for (size_t i = first_of_month(list, month_of(from_s)); !err && i < list->count; i++) {
        const struct run *run = &list->at[i];
        struct standing once = { .open = false };

        if (month_start_s(run->month) >= to_s)
            break;
        if (!may_hold(run, at, from_s, to_s))
            continue;
        err = read_run(standing ? &standing[i] : &once, t, run, at, from_s, out);
        walk_done(&once.walk);
    }
    if (err)
        return err;
    drop_outside(out, from_s, to_s);
    return rows_tidy(out);
}

static enum err read_once(struct archive *a, struct place at, int64_t from_s, int64_t to_s,
                          struct rows *out)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct run_list *list = NULL;
    enum err err = archive_view(a, &t, &list);

    if (!err)
        err = read_list(&t, list, NULL, at, from_s, to_s, out);
    run_list_release(list);
    txn_abort(&t);
    return err;
}

/* ---- readers --------------------------------------------------------------------------------- */

enum err archive_reader_open(struct archive *a, struct archive_reader **out)
{
    struct archive_reader *r = (struct archive_reader *)calloc(1, sizeof *r);

    if (!r)
        return ERR_NO_MEMORY;
    r->archive = a;
    *out = r;
    return ERR_OK;
}

void archive_reader_rest(struct archive_reader *r)
{
    if (!r || !r->list)
        return;
    for (size_t i = 0; i < r->list->count; i++)
        if (r->at[i].open)
            walk_done(&r->at[i].walk);
    free(r->at);
    run_list_release(r->list);
    txn_abort(&r->txn);
    r->list = NULL;
}

void archive_reader_close(struct archive_reader *r)
{
    archive_reader_rest(r);
    free(r);
}

/* What the tail has let go of is in what it sees then. */
static enum err awake(struct archive_reader *r)
{
    uint64_t settled = archive_settled(r->archive);
    struct run_list *list = NULL;
    enum err err;

    if (r->list && r->settled == settled)
        return ERR_OK;
    archive_reader_rest(r);
    r->txn = txn_begin(r->archive->db, TXN_READ);
    err = archive_view(r->archive, &r->txn, &list);
    if (!err && !(r->at = (struct standing *)calloc(list->count + 1, sizeof *r->at)))
        err = ERR_NO_MEMORY;
    if (err) {
        run_list_release(list);
        txn_abort(&r->txn);
        return err;
    }
    r->list = list;
    r->settled = settled;
    r->fresh = true;
    return ERR_OK;
}

static enum err read_on(struct archive_reader *r, struct place at, int64_t from_s, int64_t to_s,
                        struct rows *out)
{
    enum err err = awake(r);
    bool fresh = !err && r->fresh;

    if (!err) {
        r->fresh = false;
        err = read_list(&r->txn, r->list, r->at, at, from_s, to_s, out);
    }
    if (!err)
        return ERR_OK;
    /* Damage that others met, or that lies on the way, is none of this meter's. */
    archive_reader_rest(r);
    out->count = 0;
    return fresh ? err : read_once(r->archive, at, from_s, to_s, out);
}

/* `reader` NULL: once. */
static enum err read_rows(struct archive *a, struct archive_reader *reader, struct place at,
                          int64_t from_s, int64_t to_s, struct rows *out)
{
    struct rows own = { 0 }, *rows = out->count ? &own : out;
    enum err err;

    from_s = from_s < 0 ? 0 : from_s;
    to_s = to_s > (INT64_C(1) << 32) ? INT64_C(1) << 32 : to_s;
    if (from_s >= to_s)
        return ERR_OK;
    err = reader ? read_on(reader, at, from_s, to_s, rows) : read_once(a, at, from_s, to_s, rows);
    if (err)
        rows->count = 0;
    else if (rows == &own)
        err = rows_append(out, own.at, own.count);
    rows_done(&own);
    return err;
}

enum err archive_read(struct archive *a, uint32_t meter, enum channel c, int64_t from_s,
                      int64_t to_s, struct rows *out)
{
    return read_rows(a, NULL, (struct place){ meter, (uint8_t)c, 0 }, from_s, to_s, out);
}

enum err archive_reader_read(struct archive_reader *r, uint32_t meter, enum channel c,
                             int64_t from_s, int64_t to_s, struct rows *out)
{
    return read_rows(r->archive, r, (struct place){ meter, (uint8_t)c, 0 }, from_s, to_s, out);
}

enum err archive_reader_vitals(struct archive_reader *r, uint32_t meter, struct vitals *out)
{
    enum err err = awake(r);

    if (!err && (err = vitals_get(&r->txn, meter, out)))
        archive_reader_rest(r);
    return err;
}

enum err archive_reader_past(struct archive_reader *r, uint32_t meter, struct past *out)
{
    enum err err = awake(r);

    if (!err && (err = past_get(&r->txn, meter, out)))
        archive_reader_rest(r);
    return err;
}
