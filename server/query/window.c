#include "server/query/window.h"

#include "proto/base/rd.h"
#include "server/spread.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define GROWTH 8
#define BLOCKS_MAX (WINDOW_MOST / WINDOW_BLOCK)

_Static_assert(WINDOW_MOST % WINDOW_BLOCK == 0 && WINDOW_MOST <= WINDOW_ALL, "");

struct wanted {
    uint32_t id, place; /* place: in the index's order */
};

struct window {
    struct app *app;
    window_rows *look;
    void *arg;
    size_t size;             /* of the next window, if nothing speaks against it */
    size_t reserved;         /* of WINDOW_ALL */
    size_t count, told, cap; /* of the window at hand */
    struct out keys;         /* each after its length, 2 bytes */
    size_t key_at;
    struct wanted *wanted; /* as they were added, then by id */
    uint64_t *where; /* by place: wanted[]'s place, and from where on in the text of its block */
    uint32_t *ids, *at;
    struct out text[BLOCKS_MAX];
    int64_t made_ms;
    atomic_size_t block; /* that is looked up next */
    atomic_int err;
};

static atomic_size_t reserved_by_all;

struct window *window_new(struct app *app, window_rows *look, void *arg)
{
    struct window *w = (struct window *)calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->app = app;
    w->look = look;
    w->arg = arg;
    w->size = WINDOW_FIRST;
    return w;
}

/* The window's rows go, and their memory. */
static void let_go(struct window *w)
{
    for (size_t i = 0; i < BLOCKS_MAX; i++)
        out_done(&w->text[i]);
    out_done(&w->keys);
    free(w->wanted);
    free(w->where);
    free(w->ids);
    free(w->at);
    w->wanted = NULL;
    w->where = NULL;
    w->ids = w->at = NULL;
    w->count = w->told = w->cap = w->key_at = 0;
    atomic_fetch_sub(&reserved_by_all, w->reserved);
    w->reserved = 0;
}

void window_free(struct window *w)
{
    if (w)
        let_go(w);
    free(w);
}

/* ---- a window ---- */

static bool reserve(struct window *w, size_t rows)
{
    if (rows <= WINDOW_SMALL)
        return true;
    if (atomic_fetch_add(&reserved_by_all, rows) + rows > WINDOW_ALL) {
        atomic_fetch_sub(&reserved_by_all, rows);
        return false;
    }
    w->reserved = rows;
    return true;
}

static bool allocate(struct window *w, size_t rows)
{
    w->wanted = (struct wanted *)malloc(rows * sizeof *w->wanted);
    w->where = (uint64_t *)malloc(rows * sizeof *w->where);
    w->ids = (uint32_t *)malloc(rows * sizeof *w->ids);
    w->at = (uint32_t *)malloc(rows * sizeof *w->at);
    return w->wanted && w->where && w->ids && w->at;
}

size_t window_room(struct window *w, uint64_t most)
{
    size_t rows = w->size;

    if (w->told < w->count) {
        if (clock_monotonic_ms() - w->made_ms < WINDOW_FRESH_MS)
            return 0;
        rows = WINDOW_FIRST;
    }
    let_go(w);
    w->size = rows * GROWTH < WINDOW_MOST ? rows * GROWTH : WINDOW_MOST;
    if (most < rows)
        rows = most ? (size_t)most : 1;
    if (!reserve(w, rows))
        rows = WINDOW_SMALL;
    atomic_store(&w->err, allocate(w, rows) ? ERR_OK : ERR_NO_MEMORY);
    w->cap = rows;
    return rows;
}

void window_add(struct window *w, uint32_t id, struct span key)
{
    uint16_t len = (uint16_t)key.len;

    if (atomic_load(&w->err) || w->count == w->cap)
        return;
    assert(key.len <= KEY_MAX);
    out_bytes(&w->keys, &len, sizeof len);
    out_bytes(&w->keys, key.at, key.len);
    w->wanted[w->count] = (struct wanted){ id, (uint32_t)w->count };
    w->count++;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct wanted *)a)->id, y = ((const struct wanted *)b)->id;

    return (x > y) - (x < y);
}

/* Within one date they rise already. */
static void sort(struct window *w)
{
    for (size_t i = 1; i < w->count; i++) {
        if (w->wanted[i].id < w->wanted[i - 1].id) {
            qsort(w->wanted, w->count, sizeof *w->wanted, by_id);
            return;
        }
    }
}

static enum err look_up(struct window *w, size_t block)
{
    size_t first = block * WINDOW_BLOCK, left = w->count - first;
    size_t count = left < WINDOW_BLOCK ? left : WINDOW_BLOCK;
    struct out *text = &w->text[block];
    enum err err;

    for (size_t i = first; i < first + count; i++)
        w->ids[i] = w->wanted[i].id;
    err = w->look(w->arg, w->ids + first, count, text, w->at + first);
    for (size_t i = first; i < first + count; i++)
        w->where[w->wanted[i].place] = (uint64_t)i << 32 | w->at[i];
    return err ? err : text->err;
}

static void look_on(void *arg)
{
    struct window *w = (struct window *)arg;
    size_t block;

    while (!atomic_load(&w->err) &&
           (block = atomic_fetch_add(&w->block, 1)) * WINDOW_BLOCK < w->count) {
        enum err err = w->app->stopping ? ERR_STOPPING : look_up(w, block);

        if (err)
            atomic_store(&w->err, (int)err);
    }
}

enum err window_look(struct window *w)
{
    enum err err = w->keys.err;

    if (!err && !(err = (enum err)atomic_load(&w->err)) && w->count) {
        sort(w);
        atomic_store(&w->block, 0);
        if (w->count > WINDOW_BLOCK)
            spread(look_on, w);
        else
            look_on(w);
        err = (enum err)atomic_load(&w->err);
    }
    w->made_ms = clock_monotonic_ms();
    if (err)
        let_go(w);
    return err;
}

bool window_next(struct window *w, struct window_row *out)
{
    const struct out *text;
    uint64_t where;
    uint16_t len;

    if (w->told == w->count)
        return false;
    where = w->where[w->told++];
    memcpy(&len, w->keys.at + w->key_at, sizeof len);
    w->key_at += sizeof len;
    text = &w->text[(where >> 32) / WINDOW_BLOCK];
    out->id = w->ids[where >> 32];
    out->key = span_of(w->keys.at + w->key_at, len);
    out->row = span_of(text->at + (uint32_t)where, text->len - (uint32_t)where);
    w->key_at += len;
    return true;
}

bool window_told(const struct window *w)
{
    return w->told == w->count;
}
