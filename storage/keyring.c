/* By meter the first of a chain of cells, newest key first:
 *
 *    0  u32  next cell of the chain, 0: none     4  u8 kind   5  u8 length   6  0 0
 *    8  i64  from
 *   16  the key, going on over the cells that follow
 *
 * A key of 16 bytes takes 32, and its meter 4: a look-up touches two places. Cells are numbered, for
 * the room they lie in moves when it grows. */
#include "storage/keyring.h"

#include "proto/base/crc.h"
#include "proto/base/limits.h"
#include "storage/secret.h"

#include <stdlib.h>

#define CELL 32
#define CELL_KEY 16
#define CELLS_AT_FIRST 4096

struct cell {
    uint32_t next;
    uint8_t kind, len, zero[2];
    int64_t from_s;
    uint8_t key[CELL_KEY];
};
_Static_assert(sizeof(struct cell) == CELL, "cells lie one behind the other");

struct keyring {
    uint32_t *first; /* by meter */
    uint32_t meters;
    struct cell *cells; /* cell 0 is none */
    uint32_t used, cap;
    uint64_t count;
};

enum err keyring_new(struct keyring **out)
{
    struct keyring *k = (struct keyring *)calloc(1, sizeof *k);

    if (!k || !(k->cells = (struct cell *)secret_new((size_t)CELLS_AT_FIRST * CELL))) {
        free(k);
        return ERR_NO_MEMORY;
    }
    k->cap = CELLS_AT_FIRST;
    k->used = 1;
    *out = k;
    return ERR_OK;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    secret_free(k->cells, (size_t)k->cap * CELL);
    free(k->first);
    free(k);
}

/* ---- putting ---- */

static uint32_t cells_for(size_t len)
{
    return len <= CELL_KEY ? 1 : 1 + (uint32_t)((len - CELL_KEY + CELL - 1) / CELL);
}

static enum err cells_room(struct keyring *k, uint32_t more)
{
    struct cell *moved;
    uint32_t cap = k->cap;

    while (cap - k->used < more) {
        if (cap > UINT32_MAX / 2)
            return ERR_LIMIT;
        cap *= 2;
    }
    if (cap == k->cap)
        return ERR_OK;
    moved = (struct cell *)secret_grow(k->cells, (size_t)k->cap * CELL, (size_t)cap * CELL);
    if (!moved)
        return ERR_NO_MEMORY;
    k->cells = moved;
    k->cap = cap;
    return ERR_OK;
}

static enum err meters_room(struct keyring *k, uint32_t meter)
{
    uint64_t cap = (uint64_t)meter + meter / 2 + 1024;
    uint32_t *more;

    if (meter < k->meters)
        return ERR_OK;
    if (cap > LIMIT_METERS + 1)
        cap = LIMIT_METERS + 1;
    if (meter >= cap)
        return ERR_RANGE;
    if (!(more = (uint32_t *)realloc(k->first, cap * sizeof *more)))
        return ERR_NO_MEMORY;
    memset(more + k->meters, 0, (cap - k->meters) * sizeof *more);
    k->first = more;
    k->meters = (uint32_t)cap;
    return ERR_OK;
}

/* The place that names the first cell not newer than `from_s`, and of that second the kind itself. */
static uint32_t *place_of(struct keyring *k, uint32_t meter, uint8_t kind, int64_t from_s)
{
    uint32_t *at = &k->first[meter];

    while (*at && (k->cells[*at].from_s > from_s ||
                   (k->cells[*at].from_s == from_s && k->cells[*at].kind != kind)))
        at = &k->cells[*at].next;
    return at;
}

static void unlink_same(struct keyring *k, uint32_t *at, uint8_t kind, int64_t from_s)
{
    struct cell *old = *at ? &k->cells[*at] : NULL;

    if (!old || old->from_s != from_s || old->kind != kind)
        return;
    *at = old->next;
    secret_wipe(old, (size_t)cells_for(old->len) * CELL);
    k->count--;
}

enum err keyring_put(struct keyring *k, uint32_t meter, enum key_kind kind, int64_t from_s,
                     struct span key)
{
    uint32_t need = cells_for(key.len), *at;
    struct cell *cell;
    enum err err;

    if (key.len == 0 || key.len > KEYRING_KEY_MAX || meter == 0)
        return ERR_RANGE;
    if ((err = cells_room(k, need)) || (err = meters_room(k, meter)))
        return err;
    at = place_of(k, meter, (uint8_t)kind, from_s);
    unlink_same(k, at, (uint8_t)kind, from_s);
    cell = &k->cells[k->used];
    *cell = (struct cell){
        .next = *at, .kind = (uint8_t)kind, .len = (uint8_t)key.len, .from_s = from_s
    };
    memcpy((uint8_t *)cell + CELL - CELL_KEY, key.at, key.len);
    *at = k->used;
    k->used += need;
    k->count++;
    return ERR_OK;
}

/* ---- finding ---- */

static struct span cell_key(const struct cell *cell)
{
    return span_of((const uint8_t *)cell + CELL - CELL_KEY, cell->len);
}

/* Keys of one kind around an instant. */
struct around {
    const struct cell *past[LORE_KEYS], *coming[LORE_KEYS]; /* the nearest first */
    unsigned pasts, comings;
};

static void around(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s,
                   struct around *out)
{
    uint32_t at = meter < k->meters ? k->first[meter] : 0;

    for (; at && out->pasts < LORE_KEYS; at = k->cells[at].next) {
        const struct cell *cell = &k->cells[at];

        if (cell->kind != kind)
            continue;
        if (cell->from_s <= at_s) {
            out->past[out->pasts++] = cell;
            continue;
        }
        for (unsigned i = LORE_KEYS - 1; i > 0; i--)
            out->coming[i] = out->coming[i - 1];
        out->coming[0] = cell; /* they come from the farthest to the nearest */
        if (out->comings < LORE_KEYS)
            out->comings++;
    }
}

unsigned keyring_find(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s,
                      struct span out[LORE_KEYS])
{
    struct around a = { .pasts = 0 };
    unsigned count = 0, past = 0, coming = 0;

    around(k, meter, kind, at_s, &a);
    while (past < a.pasts && past < 2)
        out[count++] = cell_key(a.past[past++]);
    while (coming < a.comings && count < LORE_KEYS)
        out[count++] = cell_key(a.coming[coming++]);
    while (past < a.pasts && count < LORE_KEYS)
        out[count++] = cell_key(a.past[past++]);
    return count;
}

bool keyring_current(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s,
                     struct span *out_view)
{
    struct around a = { .pasts = 0 };

    around(k, meter, kind, at_s, &a);
    if (a.pasts)
        *out_view = cell_key(a.past[0]);
    return a.pasts > 0;
}

int64_t keyring_since(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s)
{
    struct around a = { .pasts = 0 };

    around(k, meter, kind, at_s, &a);
    return a.pasts ? a.past[0]->from_s : LEDGER_ALWAYS;
}

static bool is_marked(const struct cell *cell, uint32_t mark)
{
    struct span key = cell_key(cell);

    return crc32c(0, key.at, key.len) == mark;
}

enum key_age keyring_age(const struct keyring *k, uint32_t meter, enum key_kind kind, int64_t at_s,
                         uint32_t mark)
{
    struct around a = { .pasts = 0 };

    around(k, meter, kind, at_s, &a);
    if (a.pasts && is_marked(a.past[0], mark))
        return a.pasts > 1 ? KEY_NEWEST : KEY_ONLY;
    for (unsigned i = 1; i < a.pasts; i++)
        if (is_marked(a.past[i], mark))
            return KEY_OUTDATED;
    return a.pasts ? KEY_NEWEST : KEY_ONLY; /* it is still to come */
}

uint64_t keyring_count(const struct keyring *k)
{
    return k->count;
}

size_t keyring_bytes(const struct keyring *k)
{
    return (size_t)k->cap * CELL + (size_t)k->meters * sizeof *k->first;
}

/* ---- from the ledger ---- */

struct load {
    struct keyring *ring; /* NULL: they are only tried */
    const struct store_key *store_key;
    uint64_t count;
    enum err err;
};

static bool load_key(void *arg, const struct sealed_key *s)
{
    struct load *load = (struct load *)arg;
    uint8_t place[SEALED_PLACE_SIZE], key[KEYRING_KEY_MAX];
    size_t len = 0;

    sealed_place(s, place);
    load->err = store_key_unseal(load->store_key, span_of(place, sizeof place), s->sealed, key,
                                 sizeof key, &len);
    if (!load->err && load->ring)
        load->err =
            keyring_put(load->ring, s->meter, (enum key_kind)s->kind, s->from_s, span_of(key, len));
    load->count += !load->err;
    secret_wipe(key, sizeof key);
    return !load->err;
}

static enum err load_all(struct load *load, struct ledger *l, struct refusal *r)
{
    struct txn t = ledger_read(l);
    enum err err = ledger_keys(&t, 0, load_key, load), ended = txn_end(&t);

    if (load->err == ERR_FORBIDDEN)
        return refuse(r, ERR_FORBIDDEN, 0, "",
                      "%.150s: is not the store key that sealed the keys of this store's meters; "
                      "give the right one with --store-key-file, or restore it from where it was "
                      "kept",
                      store_key_path(load->store_key));
    if (!err)
        err = load->err ? load->err : ended;
    return err ? refuse(r, err, 0, "", "the keys in the ledger: %s", err_text(err)) : ERR_OK;
}

enum err keyring_load(struct keyring *k, struct ledger *l, const struct store_key *store_key,
                      struct refusal *r)
{
    struct load load = { .ring = k, .store_key = store_key };

    return load_all(&load, l, r);
}

enum err keyring_check(struct ledger *l, const struct store_key *store_key, uint64_t *out_count,
                       struct refusal *r)
{
    struct load load = { .store_key = store_key };
    enum err err = load_all(&load, l, r);

    *out_count = load.count;
    return err;
}
