/* Rows in order.  Most input is in order already; what is not is sorted by merging, which is
 * stable: of one instant the rows stay as first received. */
#include "proto/facts.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST_CAP 64
/* Rows of one instant compared each with each; more are sorted, so that no input costs squares. */
#define PAIRWISE_MOST 16

enum err rows_reserve(struct rows *rows, size_t more)
{
    size_t cap = rows->cap ? rows->cap : ROWS_FIRST_CAP;
    struct row *at;

    if (more <= rows->cap - rows->count)
        return ERR_OK;
    while (cap - rows->count < more) {
        if (cap > SIZE_MAX / 2 / sizeof(struct row))
            return ERR_NO_MEMORY;
        cap *= 2;
    }
    at = realloc(rows->at, cap * sizeof(struct row));
    if (!at)
        return ERR_NO_MEMORY;
    rows->at = at;
    rows->cap = cap;
    return ERR_OK;
}

enum err rows_push(struct rows *rows, struct row row)
{
    if (rows->count == rows->cap) {
        enum err err = rows_reserve(rows, 1);

        if (err)
            return err;
    }
    rows->at[rows->count++] = row;
    return ERR_OK;
}

enum err rows_append(struct rows *rows, const struct row *at, size_t count)
{
    enum err err = rows_reserve(rows, count);

    if (err)
        return err;
    if (count)
        memcpy(rows->at + rows->count, at, count * sizeof *at);
    rows->count += count;
    return ERR_OK;
}

void rows_done(struct rows *rows)
{
    free(rows->at);
    *rows = (struct rows){ 0 };
}

/* ---- sorting -------------------------------------------------------------------------------- */

static void merge(const struct row *a, const struct row *a_end, const struct row *b,
                  const struct row *b_end, struct row *out)
{
    while (a < a_end && b < b_end)
        *out++ = b->time_s < a->time_s ? *b++ : *a++;
    if (a < a_end)
        memcpy(out, a, (size_t)(a_end - a) * sizeof(*a));
    else if (b < b_end)
        memcpy(out, b, (size_t)(b_end - b) * sizeof(*b));
}

static size_t run_end(const struct row *rows, size_t begin, size_t count)
{
    size_t i = begin + 1;

    while (i < count && rows[i - 1].time_s <= rows[i].time_s)
        i++;
    return i < count ? i : count;
}

/* Merges neighbouring runs from `in` to `out`; returns how many runs there were. */
static size_t merge_runs(const struct row *in, struct row *out, size_t count)
{
    size_t runs = 0;

    for (size_t begin = 0; begin < count;) {
        size_t middle = run_end(in, begin, count);
        size_t end = middle < count ? run_end(in, middle, count) : count;

        merge(in + begin, in + middle, in + middle, in + end, out + begin);
        runs += 1 + (middle < count);
        begin = end;
    }
    return runs;
}

/* By time, stably: a natural merge sort, whose cost is the length times the logarithm of the number
 * of runs. */
static enum err rows_sort(struct rows *rows)
{
    struct row *spare;
    size_t runs;

    if (rows->count < 2 || run_end(rows->at, 0, rows->count) == rows->count)
        return ERR_OK;
    spare = malloc(rows->cap * sizeof(struct row));
    if (!spare)
        return ERR_NO_MEMORY;
    do {
        struct row *sorted = spare;

        runs = merge_runs(rows->at, spare, rows->count);
        spare = rows->at;
        rows->at = sorted;
    } while (runs > 2);
    free(spare);
    return ERR_OK;
}

/* ---- one of equals -------------------------------------------------------------------------- */

/* Of an earlier and a later copy the one that stays, changed; true: it has the later place.  A copy
 * from the future counts for nothing beside one that is not (rules-bills B4): neither its place nor
 * its source. */
static bool row_fold(struct row *earlier, struct row *later)
{
    bool early_future = earlier->attr & ATTR_FUTURE, late_future = later->attr & ATTR_FUTURE;
    struct row *stays = early_future && !late_future ? later : earlier;
    struct row *goes = stays == later ? earlier : later;

    if (early_future == late_future) {
        stays->attr &= goes->attr | ~ATTR_RETIMED;
        if (source_rank(goes->attr) > source_rank(stays->attr))
            stays->attr = (stays->attr & ~ATTR_SOURCE) | (goes->attr & ATTR_SOURCE);
    }
    return stays == later;
}

/* The rows of one instant, few: returns how many are left. */
static size_t fold_few(struct row *at, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct row row = at[i];
        size_t k = 0;

        while (k < kept && at[k].value != row.value)
            k++;
        if (k < kept && !row_fold(&at[k], &row))
            continue;
        if (k < kept) {
            memmove(at + k, at + k + 1, (kept - k - 1) * sizeof(*at));
            kept--;
        }
        at[kept++] = row;
    }
    return kept;
}

struct placed {
    struct row row;
    size_t place;
};

static int by_place(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;

    return (a->place > b->place) - (a->place < b->place);
}

static int by_value_and_place(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    int order = (a->row.value > b->row.value) - (a->row.value < b->row.value);

    return order ? order : by_place(left, right);
}

/* The rows of one instant, many: the same result by sorting. */
static enum err fold_many(struct row *at, size_t count, size_t *out_kept)
{
    struct placed *placed = malloc(count * sizeof(*placed));
    size_t kept = 0;

    if (!placed)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        placed[i] = (struct placed){ at[i], i };
    qsort(placed, count, sizeof(*placed), by_value_and_place);
    for (size_t i = 0; i < count; i++) {
        struct placed *last = kept ? &placed[kept - 1] : NULL;

        if (!last || last->row.value != placed[i].row.value)
            placed[kept++] = placed[i];
        else if (row_fold(&last->row, &placed[i].row))
            *last = placed[i];
    }
    qsort(placed, kept, sizeof(*placed), by_place);
    for (size_t i = 0; i < kept; i++)
        at[i] = placed[i].row;
    free(placed);
    *out_kept = kept;
    return ERR_OK;
}

/* Drops copies among the `count` rows of one instant. */
static enum err fold(struct row *at, size_t count, size_t *out_kept)
{
    if (count > PAIRWISE_MOST)
        return fold_many(at, count, out_kept);
    *out_kept = count > 1 ? fold_few(at, count) : count;
    return ERR_OK;
}

static size_t instant_end(const struct rows *rows, size_t begin)
{
    size_t end = begin + 1;

    while (end < rows->count && rows->at[end].time_s == rows->at[begin].time_s)
        end++;
    return end;
}

/* As nearly all that was stored in order: then nothing is to be done. */
static bool all_later(const struct rows *rows)
{
    size_t same = 0;

    for (size_t i = 1; i < rows->count; i++)
        same += rows->at[i].time_s <= rows->at[i - 1].time_s;
    return same == 0;
}

enum err rows_tidy(struct rows *rows)
{
    size_t kept = 0;
    enum err err;

    if (all_later(rows))
        return ERR_OK;
    err = rows_sort(rows);
    for (size_t begin = 0; begin < rows->count;) {
        /* Out of memory: the rest closes up as it is, so that no row is lost. */
        size_t end = err ? rows->count : instant_end(rows, begin);
        size_t left = end - begin;

        if (!err)
            err = fold(rows->at + begin, left, &left);
        if (kept != begin)
            memmove(rows->at + kept, rows->at + begin, left * sizeof(struct row));
        kept += left;
        begin = end;
    }
    rows->count = kept;
    return err;
}
