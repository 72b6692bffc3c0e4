/* Figures of closed months.
 *
 *   FIGURES   u32 month                      → zigzag closed_s · who · varint position · varint act · varint groups · 32 bytes digest
 *             u32 month · u8 kind · name     → server/billing/figures.h's bytes, and what else server/figures.c puts there */
#include "storage/ledger_priv.h"

#define MONTH_BYTES 4
#define HEAD_ROOM 256

static bool month_read(struct txn *t, uint32_t month, struct span value, struct ledger_month *out)
{
    struct ledger_month m = { .month = month };
    struct rd r = rd_of(value);
    struct span who, digest;

    m.closed_s = rd_zigzag(&r);
    who = rd_counted(&r);
    m.position = rd_varint(&r);
    m.act = rd_varint(&r);
    m.groups = rd_varint(&r);
    digest = rd_bytes(&r, sizeof m.digest);
    if (r.err || rd_left(&r) || who.len >= sizeof m.who) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    if (who.len)
        memcpy(m.who, who.at, who.len);
    memcpy(m.digest, digest.at, sizeof m.digest);
    *out = m;
    return true;
}

bool ledger_month(struct txn *t, uint32_t month, struct ledger_month *out)
{
    struct key k = ledger_number_key(month);
    struct span value;

    return txn_get(t, LEDGER_FIGURES, key_span(&k), &value) && month_read(t, month, value, out);
}

enum err ledger_months(struct txn *t, uint32_t after,
                       bool (*each)(void *arg, const struct ledger_month *m), void *arg)
{
    struct ledger_month m;

    while (after < UINT32_MAX) {
        struct key from = ledger_number_key(after + 1);
        struct scan s = scan_from(t, LEDGER_FIGURES, key_span(&from));
        bool found = scan_next(&s) && s.key.len == MONTH_BYTES &&
                     month_read(t, ledger_be32(s.key.at), s.value, &m);

        scan_done(&s);
        if (!found || !each(arg, &m))
            break;
        after = m.month;
    }
    return t->err;
}

void act_put_month(struct act *a, const struct ledger_month *m)
{
    struct key k = ledger_number_key(m->month);
    uint8_t bytes[HEAD_ROOM];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_zigzag(&w, m->closed_s);
    wr_counted(&w, span_text(m->who));
    wr_varint(&w, m->position);
    wr_varint(&w, m->act);
    wr_varint(&w, m->groups);
    wr_bytes(&w, span_of(m->digest, sizeof m->digest));
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_FIGURES, key_span(&k), wr_span(&w));
}

static struct key group_key(uint32_t month, char kind, struct span name)
{
    struct key k = ledger_number_key(month);

    if (kind)
        key_u8(&k, (uint8_t)kind);
    if (name.len > sizeof k.bytes - k.len) {
        k.full = true;
    } else if (name.len) {
        memcpy(k.bytes + k.len, name.at, name.len);
        k.len = (uint16_t)(k.len + name.len);
    }
    return k;
}

void act_put_month_group(struct act *a, uint32_t month, char kind, struct span name,
                         struct span bytes)
{
    struct key k = group_key(month, kind, name);

    if (k.full)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_FIGURES, key_span(&k), bytes);
}

/* Without a group before it the key is the month's own row, which is skipped likewise. */
struct month_walk ledger_month_walk(struct txn *t, uint32_t month, char after_kind,
                                    struct span after_name)
{
    struct month_walk w = { .from = group_key(month, after_kind, after_name),
                            .month = month,
                            .skip = true };

    if (w.from.full)
        ledger_fail(t, ERR_TOO_LARGE);
    w.scan = scan_from(t, LEDGER_FIGURES, span_of(NULL, 0)); /* `from` moves with the walk */
    return w;
}

bool month_walk_next(struct month_walk *w)
{
    if (!w->scan.begun)
        w->scan.from = key_span(&w->from);
    do {
        if (!scan_next(&w->scan) || w->scan.key.len < MONTH_BYTES ||
            ledger_be32(w->scan.key.at) != w->month)
            return false;
    } while (w->skip && span_equal(w->scan.key, key_span(&w->from)));
    w->skip = false;
    if (w->scan.key.len == MONTH_BYTES) {
        ledger_fail(w->scan.txn, ERR_CORRUPT);
        return false;
    }
    w->kind = (char)w->scan.key.at[MONTH_BYTES];
    w->name = span_of(w->scan.key.at + MONTH_BYTES + 1, w->scan.key.len - MONTH_BYTES - 1);
    w->bytes = w->scan.value;
    return true;
}

void month_walk_done(struct month_walk *w)
{
    scan_done(&w->scan);
}

/* ---- whole-file check ---- */

struct months_check {
    struct txn *txn;
    struct refusal *r;
    uint64_t rows;
    enum err err;
};

static bool check_one(void *arg, const struct ledger_month *m)
{
    struct months_check *k = (struct months_check *)arg;
    struct month_walk w = ledger_month_walk(k->txn, m->month, 0, span_of(NULL, 0));
    uint64_t count = 0;

    while (month_walk_next(&w))
        count++;
    month_walk_done(&w);
    k->rows += count + 1;
    if (k->txn->err || count == m->groups)
        return !k->txn->err;
    k->err = refuse(k->r, ERR_MISSING, 0, "ledger",
                    "figures of the month %u: found %llu groups, expected %llu", m->month,
                    (unsigned long long)count, (unsigned long long)m->groups);
    return false;
}

/* Every closed month has the groups that were frozen, and no group is of a month that is not closed. */
enum err ledger_figures_check(struct txn *t, struct refusal *r)
{
    struct months_check k = { .txn = t, .r = r };
    enum err err = ledger_months(t, 0, check_one, &k);

    if (err || k.err)
        return err ? err : k.err;
    return k.rows == txn_count(t, LEDGER_FIGURES)
               ? ERR_OK
               : refuse(r, ERR_CORRUPT, 0, "ledger", "figures are of a month that is not closed");
}
