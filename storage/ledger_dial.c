/* What was told of dials and transmitters: an offset from an instant on.
 *
 *   DIALS   u32 meter · u32 at → zigzag dial · u8 1 and zigzag counted, or 0 · zigzag when it was told · counted who · counted note */
#include "storage/ledger_priv.h"

#define KEY_BYTES 8

static struct key dial_key(uint32_t meter, uint32_t at_s)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, meter);
    key_u32(&k, at_s);
    return k;
}

void act_put_dial(struct act *a, uint32_t meter, const struct ledger_dial *d)
{
    struct key k = dial_key(meter, d->at_s);
    struct wr w = act_record_scratch(a);

    wr_zigzag(&w, d->dial_ml);
    wr_u8(&w, d->has_counted);
    if (d->has_counted)
        wr_zigzag(&w, d->counted_ml);
    wr_zigzag(&w, d->told_s);
    wr_counted(&w, d->who);
    wr_counted(&w, d->note);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_DIALS, key_span(&k), wr_span(&w));
}

static enum err dial_read(struct span key, struct span value, struct ledger_dial *out)
{
    struct rd r = rd_of(value);
    struct ledger_dial d = { 0 };

    if (key.len != KEY_BYTES)
        return ERR_CORRUPT;
    d.at_s = ledger_be32(key.at + 4);
    d.dial_ml = rd_zigzag(&r);
    d.has_counted = rd_u8(&r);
    if (d.has_counted)
        d.counted_ml = rd_zigzag(&r);
    d.told_s = rd_zigzag(&r);
    d.who = rd_counted(&r);
    d.note = rd_counted(&r);
    if (r.err || rd_left(&r))
        return ERR_CORRUPT;
    *out = d;
    return ERR_OK;
}

enum err ledger_dials_of(struct txn *t, uint32_t meter, uint32_t from_s,
                         bool (*each)(void *arg, const struct ledger_dial *d), void *arg)
{
    struct key from = dial_key(meter, from_s);
    struct scan s = scan_from(t, LEDGER_DIALS, key_span(&from));
    enum err err = ERR_OK;

    while (!err && scan_next(&s)) {
        struct ledger_dial d;

        if (s.key.len != KEY_BYTES || ledger_be32(s.key.at) != meter)
            break;
        if (!(err = dial_read(s.key, s.value, &d)) && !each(arg, &d))
            break;
    }
    scan_done(&s);
    return err ? err : t->err;
}

enum err ledger_dials_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_DIALS, span_of(NULL, 0));
    struct ledger_dial d;
    bool whole = true;

    while (whole && scan_next(&s))
        whole = !dial_read(s.key, s.value, &d);
    scan_done(&s);
    if (t->err)
        return t->err;
    return whole ? ERR_OK
                 : refuse(r, ERR_CORRUPT, 0, "ledger", "what was told of a dial does not read");
}
