/* Days on which many of a use class were away.
 *
 *   LULLS   u8 use class · u32 day since 1970-01-01 → varint meters, still, thousandths that stand still usually, thousandths that
 *           count · zigzag when it was told
 *
 * What a meter was judged by never changes afterwards, so they are only ever added. */
#include "storage/ledger_priv.h"

#include <stdio.h>

void act_put_lull(struct act *a, const struct ledger_lull *l)
{
    struct wr w = act_scratch(a);
    struct span known;
    struct key k;
    char name[32], what[64];

    key_clear(&k);
    key_u8(&k, l->use);
    key_u32(&k, (uint32_t)l->day);
    if (a->txn.err || txn_get(&a->txn, LEDGER_LULLS, key_span(&k), &known))
        return;
    wr_varint(&w, l->meters);
    wr_varint(&w, l->still);
    wr_varint(&w, l->usual_pm);
    wr_varint(&w, l->counts_pm);
    wr_zigzag(&w, l->known_s);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    txn_put(&a->txn, LEDGER_LULLS, key_span(&k), wr_span(&w));
    snprintf(name, sizeof name, "%u/%d", l->use, (int)l->day);
    snprintf(what, sizeof what, "%u of %u, usually %u in 1000", l->still, l->meters, l->usual_pm);
    act_note(a, "lull", span_text(name), span_of(NULL, 0), span_text(what), span_of(NULL, 0));
}

static bool read_lull(struct span key, struct span value, struct ledger_lull *out)
{
    struct rd r = rd_of(value);

    if (key.len != 5)
        return false;
    *out = (struct ledger_lull){ .use = key.at[0], .day = (int32_t)ledger_be32(key.at + 1) };
    out->meters = (uint32_t)rd_varint(&r);
    out->still = (uint32_t)rd_varint(&r);
    out->usual_pm = (uint16_t)rd_varint(&r);
    out->counts_pm = (uint16_t)rd_varint(&r);
    out->known_s = rd_zigzag(&r);
    return !r.err && out->counts_pm <= 1000;
}

enum err ledger_lulls(struct txn *t, bool (*each)(void *arg, const struct ledger_lull *l),
                      void *arg)
{
    struct scan s = scan_from(t, LEDGER_LULLS, span_of(NULL, 0));
    struct ledger_lull l;

    while (scan_next(&s)) {
        if (!read_lull(s.key, s.value, &l)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (!each(arg, &l))
            break;
    }
    scan_done(&s);
    return t->err;
}
