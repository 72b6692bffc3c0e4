/* Lives of meters: one row an event, in the order in which events hold.
 *
 *   EVENTS  u32 meter · i64 at · u32 arrival →
 *           u8 kind · u8 flags · u16 which texts are there · varint act · zigzag recorded − at
 *           [flag 4: zigzag index] · [install: varint point] · [verify: zigzag verified on, zigzag valid until,
 *           each + 1, 0 where it is not told] · each text, counted
 *
 * An event is written once and never changes. */
#include "storage/ledger_priv.h"

#define KEY_BYTES 16
#define EVENT_BYTES_MAX (64 + EVENT_TEXTS * (LIMIT_TEXT + 2))

_Static_assert(EVENT_TEXTS <= 16, "which texts are there is a set of 16");

static struct key event_key(uint32_t meter, int64_t at_s, uint32_t arrival)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, meter);
    key_i64(&k, at_s);
    key_u32(&k, arrival);
    return k;
}

/* ---- bytes ---- */

static void write_day(struct wr *w, int32_t day)
{
    wr_zigzag(w, day == NO_DAY ? 0 : day >= 0 ? (int64_t)day + 1 : day);
}

static int32_t read_day(struct rd *r)
{
    int64_t v = rd_zigzag(r);

    if (v == 0)
        return NO_DAY;
    if (v > INT32_MAX || v <= INT32_MIN)
        rd_fail(r, ERR_CORRUPT);
    return (int32_t)(v > 0 ? v - 1 : v);
}

static void event_write(struct wr *w, const struct life_event *e)
{
    uint16_t there = 0;

    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        there |= (uint16_t)(e->text[i].len ? 1u << i : 0);
    wr_u8(w, e->kind);
    wr_u8(w, e->flags);
    wr_le16(w, there);
    wr_varint(w, e->act);
    wr_zigzag(w, (int64_t)((uint64_t)e->recorded_s - (uint64_t)e->at_s));
    if (e->flags & EVENT_HAS_INDEX)
        wr_zigzag(w, e->index_ml);
    if (e->kind == EVENT_INSTALL)
        wr_varint(w, e->point);
    if (e->kind == EVENT_VERIFY) {
        write_day(w, e->verified_on);
        write_day(w, e->valid_until);
    }
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (e->text[i].len)
            wr_counted(w, e->text[i]);
}

static enum err event_read_row(struct span key, struct span value, struct life_event *out)
{
    struct rd k = rd_of(key), r = rd_of(value);
    struct life_event e = { .verified_on = NO_DAY, .valid_until = NO_DAY };
    uint64_t point = 0;
    uint16_t there;

    (void)rd_be32(&k);
    e.at_s = (int64_t)(rd_be64(&k) ^ UINT64_C(1) << 63);
    e.arrival = rd_be32(&k);
    e.kind = rd_u8(&r);
    e.flags = rd_u8(&r);
    there = rd_le16(&r);
    e.act = rd_varint(&r);
    e.recorded_s = (int64_t)((uint64_t)e.at_s + (uint64_t)rd_zigzag(&r));
    if (e.flags & EVENT_HAS_INDEX)
        e.index_ml = rd_zigzag(&r);
    if (e.kind == EVENT_INSTALL)
        point = rd_varint(&r);
    if (e.kind == EVENT_VERIFY) {
        e.verified_on = read_day(&r);
        e.valid_until = read_day(&r);
    }
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (there >> i & 1)
            e.text[i] = rd_counted(&r);
    if (k.err || r.err || rd_left(&k) || rd_left(&r) || e.kind >= EVENT_KINDS ||
        point > UINT32_MAX || there >> EVENT_TEXTS)
        return ERR_CORRUPT;
    e.point = (uint32_t)point;
    *out = e;
    return ERR_OK;
}

/* ---- acts and walks ---- */

static bool count_arrival(void *arg, const struct life_event *e)
{
    uint32_t *last = (uint32_t *)arg;

    if (e->arrival > *last)
        *last = e->arrival;
    return true;
}

void act_put_event(struct act *a, uint32_t meter, struct life_event *e)
{
    uint8_t bytes[EVENT_BYTES_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    uint32_t last = 0;
    struct key k;

    if (!e->arrival) {
        if (a->txn.err || ledger_events(&a->txn, meter, count_arrival, &last))
            return;
        e->arrival = last + 1;
    }
    act_changed(a);
    if (!e->act)
        e->act = a->number;
    if (!e->recorded_s)
        e->recorded_s = a->now_s;
    event_write(&w, e);
    if (w.err) {
        ledger_fail(&a->txn, ERR_TOO_LARGE);
        return;
    }
    k = event_key(meter, e->at_s, e->arrival);
    txn_put(&a->txn, LEDGER_EVENTS, key_span(&k), wr_span(&w));
}

enum err ledger_events(struct txn *t, uint32_t meter,
                       bool (*each)(void *arg, const struct life_event *e), void *arg)
{
    struct key from = ledger_number_key(meter);
    struct scan s = scan_from(t, LEDGER_EVENTS, key_span(&from));
    struct life_event e;

    while (scan_next(&s) && s.key.len == KEY_BYTES && ledger_be32(s.key.at) == meter) {
        if (event_read_row(s.key, s.value, &e)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (!each(arg, &e))
            break;
    }
    scan_done(&s);
    return t->err;
}

struct event_walk ledger_event_walk(struct txn *t, uint32_t from_meter)
{
    struct event_walk w = { .from = ledger_number_key(from_meter) };

    w.scan = scan_from(t, LEDGER_EVENTS, (struct span){ 0 });
    return w;
}

bool event_walk_next(struct event_walk *w)
{
    if (!w->scan.begun) /* only now does `from` lie where it stays */
        w->scan.from = key_span(&w->from);
    if (!scan_next(&w->scan))
        return false;
    if (w->scan.key.len != KEY_BYTES || event_read_row(w->scan.key, w->scan.value, &w->event)) {
        ledger_fail(w->scan.txn, ERR_CORRUPT);
        return false;
    }
    w->meter = ledger_be32(w->scan.key.at);
    return true;
}

void event_walk_done(struct event_walk *w)
{
    scan_done(&w->scan);
}

/* Events are numbered without a gap within each meter. */
enum err ledger_lives_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_EVENTS, span_of(NULL, 0));
    uint32_t meter = 0, last = 0, count = 0;
    bool whole = true;

    while (whole && scan_next(&s)) {
        struct life_event e;

        if (s.key.len != KEY_BYTES || event_read_row(s.key, s.value, &e)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (ledger_be32(s.key.at) != meter) {
            whole = last == count;
            meter = ledger_be32(s.key.at);
            last = count = 0;
        }
        count++;
        if (e.arrival > last)
            last = e.arrival;
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    if (!whole || last != count)
        return refuse(r, ERR_MISSING, 0, "ledger", "an event of a meter's life is gone");
    return ERR_OK;
}
