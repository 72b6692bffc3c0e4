#include "server/stock.h"

#include "proto/base/rd.h"

static struct span at_most(struct span text, size_t most)
{
    return text.len <= most ? text : span_of(text.at, most);
}

static struct key holder_key(char kind, struct span holder)
{
    struct key k;

    key_clear(&k);
    if (!kind)
        return k;
    key_u8(&k, (uint8_t)kind);
    key_text(&k, at_most(holder, STOCK_HOLDER_MAX));
    return k;
}

struct key stock_key(const struct stock_place *p)
{
    struct key k = holder_key(p->kind, p->holder);

    key_text(&k, at_most(p->model, STOCK_MODEL_MAX));
    key_u32(&k, (uint32_t)p->dn_mm);
    key_u64(&k, (uint64_t)p->q3_lph);
    key_u8(&k, (uint8_t)p->state);
    key_u32(&k, (uint32_t)p->due ^ UINT32_C(0x80000000)); /* days before 1970 come first */
    return k;
}

static uint32_t count_at(struct txn *t, const struct key *k)
{
    struct index_walk w = ledger_index_walk(t, INDEX_STOCK, key_span(k), span_of(NULL, 0));
    uint32_t count = index_next(&w) ? w.value : 0;

    index_done(&w);
    return count;
}

void stock_moves(struct act *a, const struct stock_place *p, int by)
{
    struct key k;
    uint32_t count;

    if (!(STOCK_STATES >> p->state & 1) || a->txn.err)
        return;
    k = stock_key(p);
    count = count_at(&a->txn, &k);
    if (by > 0)
        act_index_put(a, INDEX_STOCK, key_span(&k), count + 1);
    else if (count > 1)
        act_index_put(a, INDEX_STOCK, key_span(&k), count - 1);
    else if (count)
        act_index_drop(a, INDEX_STOCK, key_span(&k));
}

struct stock_walk stock_walk(struct txn *t, char kind, struct span holder, struct span after)
{
    struct key prefix = holder_key(kind, holder), from;

    key_clear(&from);
    if (after.len) {
        for (size_t i = 0; i < after.len; i++)
            key_u8(&from, after.at[i]);
        key_u32(&from, UINT32_MAX); /* behind all dates of that group */
    }
    return (struct stock_walk){
        .walk = ledger_index_walk(t, INDEX_STOCK, key_span(&prefix), key_span(&from)),
    };
}

static struct span text_of(struct rd *r)
{
    const uint8_t *end = rd_left(r) ? (const uint8_t *)memchr(r->at, 0, rd_left(r)) : NULL;
    struct span text = rd_bytes(r, end ? (size_t)(end - r->at) : rd_left(r) + 1);

    (void)rd_u8(r);
    return text;
}

bool stock_next(struct stock_walk *w)
{
    struct stock_place *p = &w->place;
    struct rd r;

    if (!index_next(&w->walk))
        return false;
    r = rd_of(w->walk.key);
    p->kind = (char)rd_u8(&r);
    p->holder = text_of(&r);
    p->model = text_of(&r);
    p->dn_mm = (int32_t)rd_be32(&r);
    p->q3_lph = (int64_t)rd_be64(&r);
    p->state = (enum life_state)rd_u8(&r);
    p->due = (int32_t)(rd_be32(&r) ^ UINT32_C(0x80000000));
    w->meters = w->walk.value;
    if (r.err || rd_left(&r) || p->state >= LIFE_STATES) {
        w->walk.scan.txn->err = ERR_CORRUPT;
        return false;
    }
    w->group = span_of(w->walk.key.at, w->walk.key.len - 4);
    return true;
}

void stock_done(struct stock_walk *w)
{
    index_done(&w->walk);
}
