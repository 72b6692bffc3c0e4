/* Indexes: sorted keys with a number, for whoever lists by something other than a row's key.
 *
 *   INDEX  u8 index · its key → u32 number
 *
 * What the keys mean, their makers know (enum ledger_index). */
#include "storage/ledger_priv.h"

#include <stdlib.h>

static struct key index_key(enum ledger_index index, struct span key)
{
    struct key k;

    key_clear(&k);
    key_u8(&k, (uint8_t)index);
    if (key.len > sizeof k.bytes - k.len) {
        k.full = true;
    } else if (key.len) {
        memcpy(k.bytes + k.len, key.at, key.len);
        k.len = (uint16_t)(k.len + key.len);
    }
    return k;
}

static void index_changes(struct act *a)
{
    if (a->still)
        a->work->written = true;
    else
        act_changed(a);
}

void act_index_put(struct act *a, enum ledger_index index, struct span key, uint32_t value)
{
    struct key k = index_key(index, key);
    uint8_t bytes[4];
    struct wr w = wr_of(bytes, sizeof bytes);

    if (k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    index_changes(a);
    wr_le32(&w, value);
    txn_put(&a->txn, LEDGER_INDEX, key_span(&k), wr_span(&w));
}

void act_index_drop(struct act *a, enum ledger_index index, struct span key)
{
    struct key k = index_key(index, key);

    if (k.full || a->txn.err)
        return;
    index_changes(a);
    txn_del(&a->txn, LEDGER_INDEX, key_span(&k));
}

struct index_walk ledger_index_walk(struct txn *t, enum ledger_index index, struct span prefix,
                                    struct span after)
{
    struct index_walk w = { .prefix = index_key(index, prefix),
                            .from = index_key(index, after.len ? after : prefix),
                            .skip = after.len != 0 };

    if (w.prefix.full || w.from.full)
        ledger_fail(t, ERR_TOO_LARGE);
    w.scan = scan_from(t, LEDGER_INDEX, span_of(NULL, 0)); /* `from` moves with the walk */
    return w;
}

bool index_next(struct index_walk *w)
{
    struct rd r;

    if (!w->scan.begun)
        w->scan.from = key_span(&w->from);
    do {
        if (!scan_next(&w->scan) || w->scan.key.len < w->prefix.len ||
            memcmp(w->scan.key.at, w->prefix.bytes, w->prefix.len) != 0)
            return false;
    } while (w->skip && span_equal(w->scan.key, key_span(&w->from)));
    r = rd_of(w->scan.value);
    w->key = span_of(w->scan.key.at + 1, w->scan.key.len - 1);
    w->value = rd_le32(&r);
    if (r.err || rd_left(&r)) {
        ledger_fail(w->scan.txn, ERR_CORRUPT);
        return false;
    }
    return true;
}

void index_done(struct index_walk *w)
{
    scan_done(&w->scan);
}

/* ---- whole-file check: lives against their indexes ---- */

/* Which meters stand in the index by state: a bit each. */
struct stated {
    uint8_t *bits;
    bool twice, unknown;
};

static bool stated_has(const struct stated *s, uint32_t meter)
{
    return meter <= LIMIT_METERS && s->bits[meter / 8] >> meter % 8 & 1;
}

static void states_read(struct txn *t, struct stated *s)
{
    struct index_walk w = ledger_index_walk(t, INDEX_STATE, span_of(NULL, 0), span_of(NULL, 0));

    while (index_next(&w)) {
        s->unknown = s->unknown || !w.value || w.value > LIMIT_METERS;
        s->twice = s->twice || stated_has(s, w.value);
        if (w.value <= LIMIT_METERS)
            s->bits[w.value / 8] |= (uint8_t)(1u << w.value % 8);
    }
    index_done(&w);
}

/* Who stands in another index of lives has a state. */
static void others_read(struct txn *t, enum ledger_index index, struct stated *s)
{
    struct index_walk w = ledger_index_walk(t, index, span_of(NULL, 0), span_of(NULL, 0));

    while (index_next(&w))
        s->unknown = s->unknown || !stated_has(s, w.value);
    index_done(&w);
}

/* Whose life changes when its time comes may have no state until then. */
static void ahead_read(struct txn *t, struct stated *s)
{
    struct index_walk w =
        ledger_index_walk(t, INDEX_AHEAD, span_of((const uint8_t *)"a", 1), span_of(NULL, 0));

    while (index_next(&w)) {
        if (w.value && w.value <= LIMIT_METERS)
            s->bits[w.value / 8] |= (uint8_t)(1u << w.value % 8);
        else
            s->unknown = true;
    }
    index_done(&w);
}

/* Every event leads to a state. */
static void events_read(struct txn *t, struct stated *s)
{
    struct scan scan = scan_from(t, LEDGER_LIVES, span_of(NULL, 0));

    while (scan_next(&scan))
        s->unknown = s->unknown || scan.key.len < 4 || !stated_has(s, ledger_be32(scan.key.at));
    scan_done(&scan);
}

static bool were_made(struct txn *t)
{
    struct index_walk w = ledger_index_walk(t, INDEX_MADE, span_of(NULL, 0), span_of(NULL, 0));
    bool made = index_next(&w);

    index_done(&w);
    return made;
}

enum err ledger_index_check(struct txn *t, struct refusal *r)
{
    struct stated s = { 0 };

    if (!were_made(t))
        return t->err;
    if (!(s.bits = (uint8_t *)calloc(LIMIT_METERS / 8 + 1, 1)))
        return ERR_NO_MEMORY;
    states_read(t, &s);
    others_read(t, INDEX_DUE, &s);
    others_read(t, INDEX_SHELF, &s);
    others_read(t, INDEX_HELD, &s);
    ahead_read(t, &s);
    events_read(t, &s);
    free(s.bits);
    if (t->err)
        return t->err;
    if (s.twice || s.unknown)
        return refuse(r, ERR_MISSING, 0, "ledger", "meters by state %s",
                      s.twice ? "have one twice" : "and their lives do not agree");
    return ERR_OK;
}
