/* What was accepted of cycles before they were closed.
 *
 *   ACCEPTED   u32 cycle · point → server/billing/review.h's bytes */
#include "storage/ledger_priv.h"

static struct key accepted_key(uint32_t cycle, struct span point)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, cycle);
    if (point.len > sizeof k.bytes - k.len) {
        k.full = true;
    } else if (point.len) {
        memcpy(k.bytes + k.len, point.at, point.len);
        k.len = (uint16_t)(k.len + point.len);
    }
    return k;
}

void act_put_accepted(struct act *a, uint32_t cycle, struct span point, struct span bytes)
{
    struct key k = accepted_key(cycle, point);

    if (k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_ACCEPTED, key_span(&k), bytes);
}

bool ledger_accepted(struct txn *t, uint32_t cycle, struct span point, struct span *out_view)
{
    struct key k = accepted_key(cycle, point);

    return !k.full && txn_get(t, LEDGER_ACCEPTED, key_span(&k), out_view);
}

enum err ledger_accepted_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_ACCEPTED, span_of(NULL, 0));
    bool whole = true;

    while (whole && scan_next(&s)) {
        struct ledger_cycle c;

        whole = s.key.len > 4 && ledger_cycle_by_id(t, ledger_be32(s.key.at), &c);
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    return whole ? ERR_OK
                 : refuse(r, ERR_CORRUPT, 0, "ledger", "something was accepted of no cycle");
}
