/* Walking over the entries of a run, chunk by chunk.  Every chunk names the next one's first entry,
 * so a row that LMDB no longer finds is missed, not passed over. */
#include "storage/archive_priv.h"

static bool fail(struct walk *w, enum err err)
{
    w->err = err;
    return false;
}

/* The scan stands at a row: is it a chunk of our run? */
static bool in_run(struct walk *w, struct place *out_first)
{
    uint16_t month;
    uint32_t number;
    enum err err = chunk_key_read(w->scan.key, &month, &number, out_first);

    if (err)
        return fail(w, err);
    return month == w->run->month && number == w->run->number;
}

static bool open_chunk(struct walk *w, struct place first)
{
    w->key = w->scan.key;
    w->value = w->scan.value;
    w->err = chunk_open(&w->chunk, first, w->value);
    return !w->err;
}

static bool open_next(struct walk *w)
{
    struct place first;

    if (!w->chunk.more) {
        w->ended = true;
        return false;
    }
    if (!scan_next(&w->scan) || !in_run(w, &first) || place_compare(first, w->chunk.next) != 0)
        return fail(w, w->txn->err ? w->txn->err : w->err ? w->err : ERR_MISSING);
    return open_chunk(w, first);
}

bool walk_next(struct walk *w)
{
    while (!w->err && !w->ended) {
        enum err err = chunk_next(&w->chunk, &w->now);

        if (!err)
            return true;
        if (err != ERR_NOT_FOUND)
            return fail(w, err);
        if (!open_next(w))
            return false;
    }
    return false;
}

/* The last chunk that begins at or before the place; the run's first, if all begin later. */
static bool find_chunk(struct walk *w, struct place at)
{
    struct place run_first = { w->run->first_meter, w->run->first_channel, 0 }, first;
    bool before = place_compare(run_first, at) <= 0;

    /* scan_back begins below its key: the next part's is above that of the series' first. */
    if (before)
        at.part = 1;
    else
        at = run_first;
    chunk_key(&w->from, w->run->month, w->run->number, at);
    w->scan = scan_from(w->txn, TABLE_CHUNKS, key_span(&w->from));
    if (!(before ? scan_back(&w->scan) : scan_next(&w->scan)) || !in_run(w, &first))
        return fail(w, w->txn->err ? w->txn->err : w->err ? w->err : ERR_MISSING);
    if (!before && place_compare(first, run_first) != 0)
        return fail(w, ERR_MISSING);
    return open_chunk(w, first);
}

void walk_seek(struct walk *w, struct txn *t, const struct run *run, uint32_t meter,
               uint8_t channel)
{
    struct place at = { meter, channel, 0 };

    w->txn = t;
    w->run = run;
    w->err = ERR_OK;
    w->ended = run->chunks == 0;
    w->scan = (struct scan){ 0 };
    if (w->ended || !find_chunk(w, at))
        return;
    while (walk_next(w) && place_compare(w->now.place, at) < 0)
        ;
}

size_t walks_least(const struct walk *walks, size_t count, struct place *out)
{
    size_t standing = 0;

    for (size_t i = 0; i < count; i++) {
        const struct walk *w = &walks[i];

        if (w->err || w->ended)
            continue;
        if (standing == 0 ||
            (!place_same_series(w->now.place, *out) && place_compare(w->now.place, *out) < 0)) {
            *out = w->now.place;
            standing = 0;
        }
        standing += place_same_series(w->now.place, *out);
    }
    return standing;
}

void walk_done(struct walk *w)
{
    scan_done(&w->scan);
}
