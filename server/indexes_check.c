#include "server/indexes_check.h"

#include "server/acts/asset.h"
#include "server/lives_priv.h"
#include "server/orders.h"
#include "server/points.h"
#include "server/registers.h"
#include "server/stock.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE 4096 /* rows or keys until a transaction's pages are let go of */

struct checking {
    struct app *app;
    struct indexes_checked *told;
    struct refusal *r;
    bool points;
    int64_t
        until_s; /* the indexes of lives were moved then, as the transaction at hand sees them */
};

/* ---- what follows from a row ---- */

#define KEYS_MAX 16

struct row_keys {
    char name[64]; /* of the row */
    unsigned count;
    struct {
        enum ledger_index index;
        struct key key; /* empty: it does not stand there */
    } at[KEYS_MAX];
};

static struct key *key_new(struct row_keys *keys, enum ledger_index index)
{
    keys->at[keys->count].index = index;
    return &keys->at[keys->count++].key;
}

static enum err keys_of_meter(struct checking *c, struct txn *t, const struct ledger_row *row,
                              struct row_keys *out)
{
    struct cells cells = cells_of(row);
    struct life_keys keys;
    struct meter_life life;
    struct key *batch = key_new(out, INDEX_BATCH);
    enum err err;

    if (!batch_key(cells.at[CELL_METER_batch], cells.at[CELL_METER_serial], batch))
        key_clear(batch);
    if (!c->told->lives)
        return ERR_OK;
    if (!(err = life_load(c->app, t, row->id, &life))) {
        life_keys_of(&life, lives_stand_at(t, &life, c->until_s), &keys);
        for (unsigned i = 0; i < LIFE_KEYS; i++)
            *key_new(out, life_index((enum life_key)i)) = keys.at[i];
    }
    life_done(&life);
    return err;
}

static enum err keys_of_order(const struct ledger_row *row, struct row_keys *out)
{
    struct key keys[ORDER_KEYS_MAX];
    struct order order;
    enum err err = order_of_row(row, &order);
    unsigned count = err ? 0 : order_keys(&order, keys);

    for (unsigned i = 0; i < count; i++)
        *key_new(out, INDEX_ORDERS) = keys[i];
    return err;
}

static enum err keys_of(struct checking *c, struct txn *t, enum list_kind list, uint32_t id,
                        struct row_keys *out)
{
    struct ledger_row row;
    struct cells cells;

    out->count = 0;
    snprintf(out->name, sizeof out->name, "row %u", (unsigned)id);
    if (!ledger_by_id(t, list, id, INT64_MAX, &row))
        return t->err;
    cells = cells_of(&row);
    snprintf(out->name, sizeof out->name, "%.*s",
             (int)(cells.at[0].len < 63 ? cells.at[0].len : 63), (const char *)cells.at[0].at);
    switch (list) {
    case LIST_METER:
        return keys_of_meter(c, t, &row, out);
    case LIST_ORDER:
        return keys_of_order(&row, out);
    case LIST_MODEM:
        modem_keys(&cells, key_new(out, INDEX_ASSETS), key_new(out, INDEX_ASSETS),
                   key_new(out, INDEX_ASSETS));
        return ERR_OK;
    case LIST_SEAL:
        seal_keys(&cells, key_new(out, INDEX_ASSETS), key_new(out, INDEX_ASSETS));
        return ERR_OK;
    default:
        point_keys(&cells, key_new(out, INDEX_POINTS), key_new(out, INDEX_POINTS),
                   key_new(out, INDEX_POINTS));
        return ERR_OK;
    }
}

static const char *const index_names[] = {
    [INDEX_STATE] = "meters by state",
    [INDEX_DUE] = "meters by legal due date",
    [INDEX_SHELF] = "meters in stock",
    [INDEX_HELD] = "meters by holder",
    [INDEX_ORDERS] = "orders",
    [INDEX_PAPERS] = "meters on papers",
    [INDEX_ASSETS] = "modems and seals",
    [INDEX_BATCH] = "meters by batch",
    [INDEX_AHEAD] = "lives that are to change",
    [INDEX_POINTS] = "points by account and use",
};

static enum err wrong(struct checking *c, enum ledger_index index, const char *name,
                      const char *what)
{
    return refuse(c->r, ERR_MISSING, 0, "ledger", "the index of %s: %s %s", index_names[index],
                  name, what);
}

/* ---- from rows to keys ---- */

static bool stands(struct txn *t, enum ledger_index index, const struct key *k, uint32_t id)
{
    struct index_walk w = ledger_index_walk(t, index, key_span(k), span_of(NULL, 0));
    bool there = index_next(&w) && span_equal(w.key, key_span(k)) && w.value == id;

    index_done(&w);
    return there;
}

static enum err check_row(struct checking *c, struct txn *t, enum list_kind list, uint32_t id)
{
    struct row_keys keys;
    enum err err = keys_of(c, t, list, id, &keys);

    for (unsigned i = 0; i < keys.count && !err; i++) {
        if (keys.at[i].key.len && !stands(t, keys.at[i].index, &keys.at[i].key, id))
            err = t->err ? t->err
                         : wrong(c, keys.at[i].index, keys.name, "is not where it should stand");
    }
    c->told->rows++;
    return err;
}

static enum err check_rows(struct checking *c, enum list_kind list)
{
    uint32_t id = 1, last = 1;
    enum err err = ERR_OK;

    while (!err && id <= last) {
        struct txn t = ledger_read(c->app->ledger);
        enum err ended;

        c->until_s = lives_moved_until(&t);
        last = ledger_last_id(&t, list);
        for (unsigned n = 0; n < SLICE && id <= last && !err; n++)
            err = check_row(c, &t, list, id++);
        ended = txn_end(&t);
        err = err ? err : ended;
    }
    return err;
}

/* ---- from keys to rows ---- */

static enum err check_follows(struct checking *c, struct txn *t, enum ledger_index index,
                              enum list_kind list, const struct index_walk *w)
{
    struct row_keys keys;
    enum err err = keys_of(c, t, list, w->value, &keys);

    for (unsigned i = 0; i < keys.count && !err; i++)
        if (keys.at[i].index == index && span_equal(key_span(&keys.at[i].key), w->key))
            return ERR_OK;
    return err ? err : wrong(c, index, keys.name, "stands where it should not");
}

static enum err check_named(struct checking *c, struct txn *t, enum ledger_index index,
                            enum list_kind list, uint32_t id)
{
    char name[32];

    if (id <= ledger_last_id(t, list)) /* 0: none */
        return t->err;
    snprintf(name, sizeof name, "row %u", (unsigned)id);
    return t->err ? t->err : wrong(c, index, name, "is named, and there is none");
}

/* A line stands on a paper that is there. */
static enum err check_line(struct checking *c, struct txn *t, const struct index_walk *w)
{
    const uint8_t *end = (const uint8_t *)memchr(w->key.at + 1, 0, w->key.len - 1);
    struct span paper = span_of(w->key.at + 1, end ? (size_t)(end - w->key.at - 1) : 0);
    struct ledger_row row;
    char name[64];

    if (ledger_find(t, LIST_PAPER, paper, INT64_MAX, &row))
        return check_named(c, t, INDEX_PAPERS, LIST_METER, w->value);
    snprintf(name, sizeof name, "%.*s", (int)(paper.len < 63 ? paper.len : 63),
             (const char *)paper.at);
    return t->err ? t->err : wrong(c, INDEX_PAPERS, name, "has meters, and there is no such paper");
}

static enum err check_key(struct checking *c, struct txn *t, enum ledger_index index,
                          const struct index_walk *w)
{
    char kind = w->key.len ? (char)w->key.at[0] : 0;

    c->told->keys++;
    switch (index) {
    case INDEX_PAPERS:
        return kind == 'l' ? check_line(c, t, w) : ERR_OK;
    case INDEX_ORDERS:
        if (kind == 'n' || kind == 'T') /* the last numbers that were given */
            return ERR_OK;
        if (kind == 'h')
            return check_named(c, t, index, LIST_ORDER, w->value);
        return check_follows(c, t, index, LIST_ORDER, w);
    case INDEX_POINTS:
        if (kind == 'o' || kind == 'c') /* what was */
            return check_named(c, t, index, LIST_POINT, w->value);
        return check_follows(c, t, index, LIST_POINT, w);
    case INDEX_ASSETS:
        if (kind == 'h' || kind == 'g') /* what was: the audit has told it */
            return check_named(c, t, index, kind == 'h' ? LIST_MODEM : LIST_METER, w->value);
        return check_follows(c, t, index, kind == 'm' || kind == 'i' ? LIST_MODEM : LIST_SEAL, w);
    case INDEX_AHEAD:
        if (kind == 'j')
            return check_named(c, t, index, LIST_METER, w->value);
        return check_follows(c, t, index, LIST_METER, w);
    default:
        return check_follows(c, t, index, LIST_METER, w);
    }
}

static enum err check_index(struct checking *c, enum ledger_index index)
{
    struct key after;
    bool more = true;
    enum err err = ERR_OK;

    key_clear(&after);
    while (more && !err) {
        struct txn t = ledger_read(c->app->ledger);
        struct index_walk w = ledger_index_walk(&t, index, span_of(NULL, 0), key_span(&after));
        enum err ended;

        c->until_s = lives_moved_until(&t);
        for (unsigned n = 0; n < SLICE && !err && (more = index_next(&w)); n++) {
            err = check_key(c, &t, index, &w);
            key_clear(&after);
            for (size_t i = 0; i < w.key.len; i++)
                key_u8(&after, w.key.at[i]);
        }
        index_done(&w);
        ended = txn_end(&t);
        err = err ? err : ended;
    }
    return err;
}

/* ---- stock: counts against lives, of one moment ---- */

#define BUCKETS 4096

static uint64_t mixed(const struct key *k)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < k->len; i++)
        h = (h ^ k->bytes[i]) * UINT64_C(1099511628211);
    h = (h ^ h >> 32) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 29;
}

/* Empty: it is no stock. */
static enum err stock_key_of(struct checking *c, struct txn *t, uint32_t meter, struct key *out)
{
    struct life_keys keys;
    struct meter_life life;
    enum err err = life_load(c->app, t, meter, &life);

    key_clear(out);
    if (!err) {
        life_keys_of(&life, lives_stand_at(t, &life, c->until_s), &keys);
        if (STOCK_STATES >> keys.place.state & 1)
            *out = stock_key(&keys.place);
    }
    life_done(&life);
    return err == ERR_NOT_FOUND ? t->err : err;
}

static struct key key_copy(struct span of)
{
    struct key k;

    key_clear(&k);
    for (size_t i = 0; i < of.len; i++)
        key_u8(&k, of.at[i]);
    return k;
}

static enum err sum_lives(struct checking *c, struct txn *t, uint64_t *sums)
{
    uint32_t last = ledger_last_id(t, LIST_METER);
    enum err err = ERR_OK;

    for (uint32_t meter = 1; meter <= last && !err; meter++) {
        struct key k;

        err = stock_key_of(c, t, meter, &k);
        if (!err && k.len)
            sums[mixed(&k) % BUCKETS] += mixed(&k);
    }
    return err;
}

static enum err count_lives(struct checking *c, struct txn *t, const struct key *of, uint64_t *out)
{
    uint32_t last = ledger_last_id(t, LIST_METER);
    enum err err = ERR_OK;

    *out = 0;
    for (uint32_t meter = 1; meter <= last && !err; meter++) {
        struct key k;

        err = stock_key_of(c, t, meter, &k);
        *out += !err && span_equal(key_span(&k), key_span(of));
    }
    return err;
}

/* Something is wrong in this bucket: which count? */
static enum err name_count(struct checking *c, struct txn *t, unsigned bucket)
{
    struct stock_walk w = stock_walk(t, 0, span_of(NULL, 0), span_of(NULL, 0));
    enum err err = ERR_OK;

    while (!err && stock_next(&w)) {
        struct key k = key_copy(w.walk.key);
        uint64_t there;

        if (mixed(&k) % BUCKETS != bucket || (err = count_lives(c, t, &k, &there)) ||
            there == w.meters)
            continue;
        err = refuse(c->r, ERR_MISSING, 0, "ledger",
                     "the count of stock: %llu %s at %.*s are counted as %u",
                     (unsigned long long)there, life_state_name(w.place.state),
                     (int)w.place.holder.len, (const char *)w.place.holder.at, w.meters);
    }
    stock_done(&w);
    if (err)
        return err;
    return refuse(c->r, ERR_MISSING, 0, "ledger", "a count of stock is gone");
}

static enum err check_stock(struct checking *c)
{
    uint64_t *sums = (uint64_t *)calloc(BUCKETS, sizeof *sums);
    struct txn t = ledger_read(c->app->ledger);
    struct stock_walk w = stock_walk(&t, 0, span_of(NULL, 0), span_of(NULL, 0));
    enum err err, ended;

    c->until_s = lives_moved_until(&t);
    err = sums ? sum_lives(c, &t, sums) : ERR_NO_MEMORY;
    while (!err && stock_next(&w)) {
        struct key k = key_copy(w.walk.key);

        sums[mixed(&k) % BUCKETS] -= mixed(&k) * w.meters;
        c->told->keys++;
    }
    stock_done(&w);
    for (unsigned i = 0; i < BUCKETS && !err && !t.err; i++)
        if (sums[i])
            err = name_count(c, &t, i);
    free(sums);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* ---- all of it ---- */

enum err indexes_check(struct app *app, struct indexes_checked *out, struct refusal *r)
{
    static const enum list_kind lists[] = { LIST_METER, LIST_MODEM, LIST_SEAL, LIST_POINT,
                                            LIST_ORDER };
    static const enum ledger_index indexes[] = { INDEX_STATE,  INDEX_DUE,    INDEX_SHELF,
                                                 INDEX_HELD,   INDEX_AHEAD,  INDEX_BATCH,
                                                 INDEX_ASSETS, INDEX_POINTS, INDEX_PAPERS,
                                                 INDEX_ORDERS };
    struct checking c = { .app = app, .told = out, .r = r };
    struct txn t = ledger_read(app->ledger);
    enum err err;

    *out = (struct indexes_checked){ .lives = lives_index_agrees(app, &t) ||
                                              ledger_last_id(&t, LIST_METER) == 0 };
    c.points = points_are_indexed(&t);
    err = txn_end(&t);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && !err; i++)
        err = lists[i] == LIST_POINT && !c.points ? ERR_OK : check_rows(&c, lists[i]);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0] && !err; i++) {
        bool of_lives = indexes[i] <= INDEX_HELD || indexes[i] == INDEX_AHEAD;

        if (out->lives || !of_lives)
            err = check_index(&c, indexes[i]);
    }
    return err || !out->lives ? err : check_stock(&c);
}
