/* Indexes: sorted keys with a number, for whoever lists by something other than a row's key.
 *
 *   INDEX  u8 index · its key → u32 number
 *
 * What the keys mean, their makers know (enum ledger_index). */
#include "storage/ledger_priv.h"

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

void act_index_put(struct act *a, enum ledger_index index, struct span key, uint32_t value)
{
    struct key k = index_key(index, key);
    uint8_t bytes[4];
    struct wr w = wr_of(bytes, sizeof bytes);

    if (k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    wr_le32(&w, value);
    txn_put(&a->txn, LEDGER_INDEX, key_span(&k), wr_span(&w));
}

void act_index_drop(struct act *a, enum ledger_index index, struct span key)
{
    struct key k = index_key(index, key);

    if (k.full || a->txn.err)
        return;
    act_changed(a);
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
