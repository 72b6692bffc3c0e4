/* Billing cycles and what their closing froze.
 *
 *   CYCLES        u32 id → u8 state · counted name · zigzag from, to · opened, reviewed, closed (each zigzag at · counted who) ·
 *                 varint position, act, points · varint of each quality · varint elsewhere · zigzag litres/1000, m³ · 32 digest ·
 *                 counted routes
 *   CYCLE_NAMES   name → u32 id
 *   DETERMINANTS  u32 cycle · point → server/billing/cycle.h's bytes
 *   ADJUSTMENTS   u64 id → varint cycle · counted point · zigzag delta, delta m³, value, value m³ · varint corrects · zigzag at ·
 *                 varint position, act · counted reason
 *   RECEIPTS      u32 cycle · u8 kind · point → zigzag at · counted who · counted document
 *   BILLED        u32 cycle · point → zigzag delta, delta m³ · varint last · u8 known · [zigzag seen, seen m³]
 *
 * Determinants of a cycle that is not closed are the leavings of a closing that was cut off, or of
 * one under way: nobody reads them, and the next closing begins by dropping them. */
#include "storage/ledger_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define CYCLE_FACTS_MAX 512 /* of a row without its routes */
#define DROPPED_AT_ONCE 4096

/* ---- bytes ---- */

static void mark_write(struct wr *w, const struct cycle_mark *m)
{
    wr_zigzag(w, m->at_s);
    wr_counted(w, span_text(m->who));
}

static void cycle_write(struct wr *w, const struct ledger_cycle *c)
{
    wr_u8(w, c->state);
    wr_counted(w, span_text(c->name));
    wr_zigzag(w, c->from_s);
    wr_zigzag(w, c->to_s);
    mark_write(w, &c->opened);
    mark_write(w, &c->reviewed);
    mark_write(w, &c->closed);
    wr_varint(w, c->position);
    wr_varint(w, c->act);
    wr_varint(w, c->points);
    for (int q = 0; q < CYCLE_QUALITIES; q++)
        wr_varint(w, c->by_quality[q]);
    wr_varint(w, c->elsewhere);
    wr_zigzag(w, c->consumption_ml);
    wr_zigzag(w, c->billed_m3);
    wr_bytes(w, span_of(c->digest, sizeof c->digest));
    wr_counted(w, c->routes);
}

static void text_read(struct rd *r, char *out, size_t cap)
{
    struct span text = rd_counted(r);

    if (text.len >= cap) {
        rd_fail(r, ERR_CORRUPT);
        return;
    }
    if (text.len)
        memcpy(out, text.at, text.len);
    out[text.len] = 0;
}

static void mark_read(struct rd *r, struct cycle_mark *m)
{
    m->at_s = rd_zigzag(r);
    text_read(r, m->who, sizeof m->who);
}

static bool cycle_read(struct txn *t, uint32_t id, struct span value, struct ledger_cycle *out)
{
    struct rd r = rd_of(value);
    struct ledger_cycle c = { .id = id };
    struct span digest;

    c.state = rd_u8(&r);
    text_read(&r, c.name, sizeof c.name);
    c.from_s = rd_zigzag(&r);
    c.to_s = rd_zigzag(&r);
    mark_read(&r, &c.opened);
    mark_read(&r, &c.reviewed);
    mark_read(&r, &c.closed);
    c.position = rd_varint(&r);
    c.act = rd_varint(&r);
    c.points = rd_varint(&r);
    for (int q = 0; q < CYCLE_QUALITIES; q++)
        c.by_quality[q] = rd_varint(&r);
    c.elsewhere = rd_varint(&r);
    c.consumption_ml = rd_zigzag(&r);
    c.billed_m3 = rd_zigzag(&r);
    digest = rd_bytes(&r, sizeof c.digest);
    c.routes = rd_counted(&r);
    if (r.err || rd_left(&r) || c.state > CYCLE_CLOSED) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    memcpy(c.digest, digest.at, sizeof c.digest);
    *out = c;
    return true;
}

/* ---- cycles ---- */

bool ledger_cycle_by_id(struct txn *t, uint32_t id, struct ledger_cycle *out)
{
    struct key k = ledger_number_key(id);
    struct span value;

    return txn_get(t, LEDGER_CYCLES, key_span(&k), &value) && cycle_read(t, id, value, out);
}

static bool id_named(struct txn *t, struct span value, struct ledger_cycle *out)
{
    if (value.len != 4 || !ledger_cycle_by_id(t, ledger_be32(value.at), out)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    return true;
}

bool ledger_cycle(struct txn *t, struct span name, struct ledger_cycle *out)
{
    struct span value;

    return name.len <= CYCLE_NAME_MAX && txn_get(t, LEDGER_CYCLE_NAMES, name, &value) &&
           id_named(t, value, out);
}

enum err ledger_cycles(struct txn *t, struct span after,
                       bool (*each)(void *arg, const struct ledger_cycle *c), void *arg)
{
    struct scan s = scan_from(t, LEDGER_CYCLE_NAMES, after);
    struct ledger_cycle c;

    while (scan_next(&s)) {
        if (after.len && span_equal(s.key, after))
            continue;
        if (!id_named(t, s.value, &c) || !each(arg, &c))
            break;
    }
    scan_done(&s);
    return t->err;
}

static uint32_t last_cycle(struct txn *t)
{
    struct scan s = scan_from(t, LEDGER_CYCLES, span_of(NULL, 0));
    uint32_t id = 0;

    if (scan_back(&s)) {
        if (s.key.len == 4)
            id = ledger_be32(s.key.at);
        else
            ledger_fail(t, ERR_CORRUPT);
    }
    scan_done(&s);
    return id;
}

void act_put_cycle(struct act *a, struct ledger_cycle *c)
{
    size_t room = CYCLE_FACTS_MAX + c->routes.len;
    uint8_t *bytes = (uint8_t *)malloc(room);
    struct wr w = wr_of(bytes, bytes ? room : 0);
    struct key k;

    if (!c->id)
        c->id = last_cycle(&a->txn) + 1;
    k = ledger_number_key(c->id);
    cycle_write(&w, c);
    if (!bytes || w.err)
        ledger_fail(&a->txn, bytes ? ERR_TOO_LARGE : ERR_NO_MEMORY);
    if (!a->txn.err) {
        act_changed(a);
        txn_put(&a->txn, LEDGER_CYCLES, key_span(&k), wr_span(&w));
        txn_put(&a->txn, LEDGER_CYCLE_NAMES, span_text(c->name), key_span(&k));
    }
    free(bytes);
}

/* ---- determinants ---- */

/* The point's name is the key's end: it needs no zero behind it. */
static struct key determinant_key(uint32_t cycle, struct span point)
{
    struct key k = ledger_number_key(cycle);

    if (point.len > sizeof k.bytes - k.len) {
        k.full = true;
    } else if (point.len) {
        memcpy(k.bytes + k.len, point.at, point.len);
        k.len = (uint16_t)(k.len + point.len);
    }
    return k;
}

enum err ledger_stage_determinants(struct ledger *l, uint32_t cycle,
                                   const struct determinant_row *rows, size_t count)
{
    struct txn t = txn_begin(l->db, TXN_WRITE);

    for (size_t i = 0; i < count && !t.err; i++) {
        struct key k = determinant_key(cycle, rows[i].point);

        if (k.full)
            ledger_fail(&t, ERR_TOO_LARGE);
        txn_put(&t, LEDGER_DETERMINANTS, key_span(&k), rows[i].bytes);
    }
    return txn_end(&t);
}

/* Views of a scan end with a change: some keys are copied and dropped, and the scan begins again. */
static enum err drop_slice(struct ledger *l, uint32_t cycle, struct key *keys, size_t *out_count)
{
    struct txn t = txn_begin(l->db, TXN_WRITE);
    struct key from = ledger_number_key(cycle);
    struct scan s = scan_from(&t, LEDGER_DETERMINANTS, key_span(&from));
    size_t count = 0;

    while (count < DROPPED_AT_ONCE && scan_next(&s) && s.key.len >= from.len &&
           s.key.len <= sizeof keys->bytes && memcmp(s.key.at, from.bytes, from.len) == 0) {
        memcpy(keys[count].bytes, s.key.at, s.key.len);
        keys[count++].len = (uint16_t)s.key.len;
    }
    scan_done(&s);
    for (size_t i = 0; i < count; i++)
        txn_del(&t, LEDGER_DETERMINANTS, key_span(&keys[i]));
    *out_count = count;
    if (count)
        return txn_end(&t);
    txn_abort(&t);
    return t.err;
}

enum err ledger_drop_determinants(struct ledger *l, uint32_t cycle)
{
    struct key *keys = (struct key *)calloc(DROPPED_AT_ONCE, sizeof *keys);
    size_t count = DROPPED_AT_ONCE;
    enum err err = keys ? ERR_OK : ERR_NO_MEMORY;

    while (!err && count == DROPPED_AT_ONCE)
        err = drop_slice(l, cycle, keys, &count);
    free(keys);
    return err;
}

bool ledger_determinant(struct txn *t, uint32_t cycle, struct span point, struct span *out_view)
{
    struct key k = determinant_key(cycle, point);

    return !k.full && txn_get(t, LEDGER_DETERMINANTS, key_span(&k), out_view);
}

struct determinant_walk ledger_determinants(struct txn *t, uint32_t cycle, struct span after_point)
{
    struct determinant_walk w = { .from = determinant_key(cycle, after_point),
                                  .cycle = cycle,
                                  .skip = after_point.len != 0 };

    if (w.from.full)
        ledger_fail(t, ERR_TOO_LARGE);
    w.scan = scan_from(t, LEDGER_DETERMINANTS, span_of(NULL, 0)); /* `from` moves with the walk */
    return w;
}

bool determinant_next(struct determinant_walk *w)
{
    if (!w->scan.begun)
        w->scan.from = key_span(&w->from);
    do {
        if (!scan_next(&w->scan) || w->scan.key.len <= 4 || ledger_be32(w->scan.key.at) != w->cycle)
            return false;
    } while (w->skip && span_equal(w->scan.key, key_span(&w->from)));
    w->skip = false;
    w->point = span_of(w->scan.key.at + 4, w->scan.key.len - 4);
    w->bytes = w->scan.value;
    return true;
}

void determinant_done(struct determinant_walk *w)
{
    scan_done(&w->scan);
}

/* ---- adjustments ---- */

static struct key adjustment_key(uint64_t id)
{
    struct key k;

    key_clear(&k);
    key_u64(&k, id);
    return k;
}

static uint64_t adjustment_id(struct txn *t, struct span key)
{
    struct rd r = rd_of(key);
    uint64_t id = rd_be64(&r);

    if (r.err || rd_left(&r))
        ledger_fail(t, ERR_CORRUPT);
    return id;
}

uint64_t ledger_adjustments_end(struct txn *t)
{
    struct scan s = scan_from(t, LEDGER_ADJUSTMENTS, span_of(NULL, 0));
    uint64_t id = scan_back(&s) ? adjustment_id(t, s.key) : 0;

    scan_done(&s);
    return id;
}

static void adjustment_write(struct wr *w, const struct ledger_adjustment *a)
{
    wr_varint(w, a->cycle);
    wr_counted(w, a->point);
    wr_zigzag(w, a->delta_ml);
    wr_zigzag(w, a->delta_m3);
    wr_zigzag(w, a->value_ml);
    wr_zigzag(w, a->value_m3);
    wr_varint(w, a->corrects);
    wr_zigzag(w, a->at_s);
    wr_varint(w, a->position);
    wr_varint(w, a->act);
    wr_counted(w, span_text(a->reason));
}

static bool adjustment_read(struct txn *t, struct span key, struct span value,
                            struct ledger_adjustment *out)
{
    struct rd r = rd_of(value);
    struct ledger_adjustment a = { .id = adjustment_id(t, key) };

    a.cycle = (uint32_t)rd_varint(&r);
    a.point = rd_counted(&r);
    a.delta_ml = rd_zigzag(&r);
    a.delta_m3 = rd_zigzag(&r);
    a.value_ml = rd_zigzag(&r);
    a.value_m3 = rd_zigzag(&r);
    a.corrects = rd_varint(&r);
    a.at_s = rd_zigzag(&r);
    a.position = rd_varint(&r);
    a.act = rd_varint(&r);
    text_read(&r, a.reason, sizeof a.reason);
    if (r.err || rd_left(&r)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = a;
    return !t->err;
}

enum err ledger_adjustments(struct txn *t, uint64_t after,
                            bool (*each)(void *arg, const struct ledger_adjustment *adj), void *arg)
{
    struct key from = adjustment_key(after + 1);
    struct scan s = scan_from(t, LEDGER_ADJUSTMENTS, key_span(&from));
    struct ledger_adjustment a;

    while (after < UINT64_MAX && scan_next(&s))
        if (!adjustment_read(t, s.key, s.value, &a) || !each(arg, &a))
            break;
    scan_done(&s);
    return t->err;
}

bool ledger_billed(struct txn *t, uint32_t cycle, struct span point, struct ledger_billed *out)
{
    struct key k = determinant_key(cycle, point);
    struct ledger_billed b = { 0 };
    struct span value;
    struct rd r;

    if (k.full || !txn_get(t, LEDGER_BILLED, key_span(&k), &value))
        return false;
    r = rd_of(value);
    b.delta_ml = rd_zigzag(&r);
    b.delta_m3 = rd_zigzag(&r);
    b.last = rd_varint(&r);
    b.known = rd_u8(&r);
    if (b.known) {
        b.seen_ml = rd_zigzag(&r);
        b.seen_m3 = rd_zigzag(&r);
    }
    if (r.err || rd_left(&r)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = b;
    return true;
}

void act_put_billed(struct act *a, uint32_t cycle, struct span point, const struct ledger_billed *b)
{
    struct key k = determinant_key(cycle, point);
    uint8_t bytes[64];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_zigzag(&w, b->delta_ml);
    wr_zigzag(&w, b->delta_m3);
    wr_varint(&w, b->last);
    wr_u8(&w, b->known);
    if (b->known) {
        wr_zigzag(&w, b->seen_ml);
        wr_zigzag(&w, b->seen_m3);
    }
    if (k.full || w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_BILLED, key_span(&k), wr_span(&w));
}

void act_put_adjustment(struct act *a, struct ledger_adjustment *adj)
{
    uint8_t bytes[LIMIT_TEXT + 128];
    char told[128];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct key k;

    adj->id = ledger_adjustments_end(&a->txn) + 1;
    k = adjustment_key(adj->id);
    adjustment_write(&w, adj);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_append(&a->txn, LEDGER_ADJUSTMENTS, key_span(&k), wr_span(&w));
    snprintf(told, sizeof told, "{\"id\":%llu,\"delta_ml\":%lld,\"delta_m3\":%lld}",
             (unsigned long long)adj->id, (long long)adj->delta_ml, (long long)adj->delta_m3);
    act_note(a, "adjustment.made", adj->point, span_of(NULL, 0), span_text(told),
             span_text(adj->reason));
}

/* ---- what the billing side has ---- */

static struct key receipt_key(uint32_t cycle, enum receipt_kind kind, struct span point)
{
    struct key k = ledger_number_key(cycle);

    key_u8(&k, (uint8_t)kind);
    if (point.len > sizeof k.bytes - k.len) {
        k.full = true;
    } else if (point.len) {
        memcpy(k.bytes + k.len, point.at, point.len);
        k.len = (uint16_t)(k.len + point.len);
    }
    return k;
}

static bool receipt_read(struct txn *t, struct span key, struct span value, uint32_t cycle,
                         enum receipt_kind kind, struct ledger_receipt *out)
{
    struct key of = receipt_key(cycle, kind, span_of(NULL, 0));
    struct ledger_receipt receipt = { 0 };
    struct rd r = rd_of(value);

    if (key.len <= of.len || memcmp(key.at, of.bytes, of.len) != 0)
        return false;
    receipt.point = span_of(key.at + of.len, key.len - of.len);
    receipt.at_s = rd_zigzag(&r);
    text_read(&r, receipt.who, sizeof receipt.who);
    receipt.document = rd_counted(&r);
    if (r.err || rd_left(&r)) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = receipt;
    return true;
}

bool ledger_receipt_last(struct txn *t, uint32_t cycle, enum receipt_kind kind,
                         struct ledger_receipt *out)
{
    struct key behind = receipt_key(cycle, (enum receipt_kind)(kind + 1), span_of(NULL, 0));
    struct scan s = scan_from(t, LEDGER_RECEIPTS, key_span(&behind));
    bool found = scan_back(&s) && receipt_read(t, s.key, s.value, cycle, kind, out);

    scan_done(&s);
    return found;
}

bool ledger_receipt_from(struct txn *t, uint32_t cycle, enum receipt_kind kind, struct span point,
                         struct ledger_receipt *out)
{
    struct key from = receipt_key(cycle, kind, point);
    struct scan s = scan_from(t, LEDGER_RECEIPTS, key_span(&from));
    bool found = !from.full && scan_next(&s) && receipt_read(t, s.key, s.value, cycle, kind, out);

    scan_done(&s);
    return found;
}

static void drop_pulled(struct act *a, uint32_t cycle)
{
    struct ledger_receipt old;
    struct key k;

    if (!ledger_receipt_last(&a->txn, cycle, RECEIPT_PULLED, &old))
        return;
    k = receipt_key(cycle, RECEIPT_PULLED, old.point);
    txn_del(&a->txn, LEDGER_RECEIPTS, key_span(&k));
}

void act_put_receipt(struct act *a, uint32_t cycle, enum receipt_kind kind,
                     const struct ledger_receipt *receipt)
{
    struct key k = receipt_key(cycle, kind, receipt->point);
    uint8_t bytes[LIMIT_TEXT + 96];
    struct wr w = wr_of(bytes, sizeof bytes);

    wr_zigzag(&w, receipt->at_s);
    wr_counted(&w, span_text(receipt->who));
    wr_counted(&w, receipt->document);
    if (k.full || w.err)
        ledger_fail(&a->txn, ERR_TOO_LARGE);
    if (a->txn.err)
        return;
    act_changed(a);
    if (kind == RECEIPT_PULLED)
        drop_pulled(a, cycle);
    txn_put(&a->txn, LEDGER_RECEIPTS, key_span(&k), wr_span(&w));
}

/* ---- whole-file check ---- */

static bool cycle_is_whole(struct txn *t, const struct ledger_cycle *c)
{
    struct determinant_walk w;
    uint64_t count = 0;

    if (c->state != CYCLE_CLOSED)
        return true;
    w = ledger_determinants(t, c->id, span_of(NULL, 0));
    while (determinant_next(&w))
        count++;
    determinant_done(&w);
    return t->err || count == c->points;
}

struct cycle_check {
    struct txn *txn;
    struct refusal *r;
    uint64_t seen;
    enum err err;
};

static bool check_one(void *arg, const struct ledger_cycle *c)
{
    struct cycle_check *k = (struct cycle_check *)arg;

    k->seen++;
    if (cycle_is_whole(k->txn, c))
        return true;
    k->err = refuse(k->r, ERR_MISSING, 0, "ledger",
                    "determinants of the cycle %s: some of %llu are gone, or there are others",
                    c->name, (unsigned long long)c->points);
    return false;
}

struct sums_check {
    struct txn *txn;
    uint64_t wrong; /* id of an adjustment that does not follow from those before it */
};

/* The chain of a point goes back from its newest: each is found by the one behind it. */
static bool check_chain(void *arg, const struct ledger_adjustment *a)
{
    struct sums_check *k = (struct sums_check *)arg;
    struct ledger_billed b;

    if (!ledger_billed(k->txn, a->cycle, a->point, &b) || b.last < a->id || a->corrects >= a->id)
        k->wrong = a->id;
    return !k->wrong;
}

static enum err check_sums(struct txn *t, struct refusal *r)
{
    struct sums_check k = { .txn = t };
    enum err err = ledger_adjustments(t, 0, check_chain, &k);

    if (!err && k.wrong)
        return refuse(r, ERR_MISSING, 0, "ledger", "adjustment %llu: its point does not know of it",
                      (unsigned long long)k.wrong);
    return err;
}

/* Every closed cycle has as many determinants as were frozen, and every cycle its name; adjustments have no gap, and are known where
 * their sums stand. */
enum err ledger_cycles_check(struct txn *t, struct refusal *r)
{
    struct cycle_check k = { .txn = t, .r = r };
    enum err err = ledger_cycles(t, span_of(NULL, 0), check_one, &k);

    if (err || k.err)
        return err ? err : k.err;
    if (k.seen != txn_count(t, LEDGER_CYCLES))
        return refuse(r, ERR_MISSING, 0, "ledger", "a cycle has lost its name");
    if (txn_count(t, LEDGER_ADJUSTMENTS) != ledger_adjustments_end(t))
        return refuse(r, ERR_MISSING, 0, "ledger", "an adjustment is gone");
    return check_sums(t, r);
}
