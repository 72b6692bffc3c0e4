/* How kinds of places went from week to week, as it was counted when the week was over (server/peers.h).
 *
 *   PEERS   u32 week · u8 use · u16 DN · u32 zone (0: all of them) → zigzag change · varint meters */
#include "storage/ledger_priv.h"

#define KEY_BYTES 11

void act_put_peers(struct act *a, const struct ledger_peers *p)
{
    struct key k = ledger_number_key(p->week);
    uint8_t bytes[2 * 10];
    struct wr w = wr_of(bytes, sizeof bytes);

    key_u8(&k, p->use);
    key_u16(&k, p->dn_mm);
    key_u32(&k, p->zone);
    wr_zigzag(&w, p->change);
    wr_varint(&w, p->meters);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_PEERS, key_span(&k), wr_span(&w));
}

static bool read_one(struct txn *t, const struct scan *s, struct ledger_peers *out)
{
    struct rd k = rd_of(s->key), v = rd_of(s->value);
    int64_t change;
    uint64_t meters;

    out->week = rd_be32(&k);
    out->use = rd_u8(&k);
    out->dn_mm = rd_be16(&k);
    out->zone = rd_be32(&k);
    change = rd_zigzag(&v);
    meters = rd_varint(&v);
    if (s->key.len != KEY_BYTES || k.err || v.err || rd_left(&v) || change < INT32_MIN ||
        change > INT32_MAX || meters > UINT32_MAX) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    out->change = (int32_t)change;
    out->meters = (uint32_t)meters;
    return true;
}

enum err ledger_peers(struct txn *t, enum err (*each)(void *arg, const struct ledger_peers *p),
                      void *arg)
{
    struct scan s = scan_from(t, LEDGER_PEERS, span_of(NULL, 0));
    struct ledger_peers p;
    enum err err = ERR_OK;

    while (!err && scan_next(&s) && read_one(t, &s, &p))
        err = each(arg, &p);
    scan_done(&s);
    return err ? err : t->err;
}
