/* Lives of meters: a row holds some events that follow each other, in the order in which they hold.
 *
 *   LIVES   u32 meter · i64 at · u32 arrival, of the first → each event:
 *           varint at − before · zigzag arrival − before − 1 · u8 kind (128: recorded counts from before) · u8 flags ·
 *           varint which texts are there · zigzag act − before · zigzag recorded − (at, or before's)
 *           [flag 4: zigzag index] · [install: varint point] · [verify: zigzag verified on, zigzag valid until,
 *           each + 1, 0 where it is not told] · each text, counted
 *
 * Before is the event before in the row; before the first, what the key says, act 0, recorded at that instant.  Ten events make 180
 * bytes where a row each took 480: in a B-tree each costs its key, its place and its checksum.  A row to which an event comes is
 * written anew; one that would be larger than EVENTS_ROW ends, and the rest begins another. */
#include "storage/ledger_priv.h"

#define KEY_BYTES 16
#define EVENT_BYTES_MAX (96 + EVENT_TEXTS * (LIMIT_TEXT + 2))
#define EVENTS_ROW 1000 /* bytes: beyond 2 000 LMDB gives a row pages of its own */
#define ROW_BYTES_MAX (EVENTS_ROW + EVENT_BYTES_MAX) /* one event may be larger alone */
#define RECORDED_FROM_BEFORE 0x80u                   /* beside the kind */

_Static_assert(EVENT_TEXTS <= 16, "which texts are there is a set of 16");
_Static_assert(EVENT_KINDS <= RECORDED_FROM_BEFORE, "");

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

static struct event_before before_first(int64_t at_s, uint32_t arrival)
{
    return (struct event_before){ .at_s = at_s, .recorded_s = at_s, .arrival = arrival - 1 };
}

static struct event_before before_next(const struct life_event *e)
{
    return (struct event_before){ e->at_s, e->recorded_s, e->arrival, e->act };
}

/* Any two instants have a difference, modulo 2^64. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static uint64_t size_of(int64_t v)
{
    return v < 0 ? ~(uint64_t)v : (uint64_t)v;
}

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

static void event_write(struct wr *w, const struct life_event *e, const struct event_before *b)
{
    int64_t from_at = minus(e->recorded_s, e->at_s),
            from_before = minus(e->recorded_s, b->recorded_s);
    bool shorter = size_of(from_before) < size_of(from_at);
    uint16_t there = 0;

    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        there |= (uint16_t)(e->text[i].len ? 1u << i : 0);
    wr_varint(w, (uint64_t)minus(e->at_s, b->at_s));
    wr_zigzag(w, (int64_t)e->arrival - b->arrival - 1);
    wr_u8(w, (uint8_t)(e->kind | (shorter ? RECORDED_FROM_BEFORE : 0)));
    wr_u8(w, e->flags);
    wr_varint(w, there);
    wr_zigzag(w, minus((int64_t)e->act, (int64_t)b->act));
    wr_zigzag(w, shorter ? from_before : from_at);
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

static void event_read(struct rd *r, const struct event_before *b, struct life_event *out)
{
    struct life_event e = { .verified_on = NO_DAY, .valid_until = NO_DAY };
    int64_t arrival, recorded;
    uint64_t there, point = 0;

    e.at_s = plus(b->at_s, (int64_t)rd_varint(r));
    arrival = plus(rd_zigzag(r), (int64_t)b->arrival + 1);
    e.kind = rd_u8(r);
    e.flags = rd_u8(r);
    there = rd_varint(r);
    e.act = (uint64_t)plus((int64_t)b->act, rd_zigzag(r));
    recorded = rd_zigzag(r);
    e.recorded_s = plus(e.kind & RECORDED_FROM_BEFORE ? b->recorded_s : e.at_s, recorded);
    e.kind &= (uint8_t)~RECORDED_FROM_BEFORE;
    if (e.flags & EVENT_HAS_INDEX)
        e.index_ml = rd_zigzag(r);
    if (e.kind == EVENT_INSTALL)
        point = rd_varint(r);
    if (e.kind == EVENT_VERIFY) {
        e.verified_on = read_day(r);
        e.valid_until = read_day(r);
    }
    for (unsigned i = 0; i < EVENT_TEXTS; i++)
        if (there >> i & 1)
            e.text[i] = rd_counted(r);
    if (e.kind >= EVENT_KINDS || e.at_s < b->at_s || arrival <= 0 || arrival > UINT32_MAX ||
        point > UINT32_MAX || there >> EVENT_TEXTS)
        rd_fail(r, ERR_CORRUPT);
    e.arrival = (uint32_t)arrival;
    e.point = (uint32_t)point;
    if (!r->err)
        *out = e;
}

/* ---- rows ---- */

static struct events_row row_begin(struct span key, struct span value)
{
    struct rd k = rd_of(key);
    int64_t at_s;

    (void)rd_be32(&k);
    at_s = (int64_t)(rd_be64(&k) ^ UINT64_C(1) << 63);
    return (struct events_row){ rd_of(value), before_first(at_s, rd_be32(&k)) };
}

/* False: the end, or r.err. */
static bool row_next(struct events_row *row, struct life_event *out_view)
{
    if (!rd_left(&row->r))
        return false;
    event_read(&row->r, &row->before, out_view);
    row->before = before_next(out_view);
    return !row->r.err;
}

static bool is_of(const struct scan *s, uint32_t meter)
{
    return s->key.len == KEY_BYTES && ledger_be32(s->key.at) == meter;
}

/* The row into which an event belongs: the last that begins not after it, else the meter's first. Its bytes go to `room`; false: the meter has none. */
static bool row_of(struct txn *t, uint32_t meter, const struct life_event *e, struct key *out_key,
                   uint8_t room[ROW_BYTES_MAX], struct span *out_value)
{
    struct key next = event_key(meter, e->at_s, e->arrival), first = ledger_number_key(meter);
    struct scan s;
    bool found;

    key_u8(&next, 0); /* what is not after the event is before this */
    s = scan_from(t, LEDGER_LIVES, key_span(&next));
    if (!(found = scan_back(&s) && is_of(&s, meter))) {
        scan_done(&s);
        s = scan_from(t, LEDGER_LIVES, key_span(&first));
        found = scan_next(&s) && is_of(&s, meter);
    }
    if (found && s.value.len > ROW_BYTES_MAX)
        ledger_fail(t, ERR_CORRUPT);
    if (found && !t->err) {
        *out_key = event_key(meter, 0, 0);
        memcpy(out_key->bytes, s.key.at, KEY_BYTES);
        memcpy(room, s.value.at, s.value.len);
        *out_value = span_of(room, s.value.len);
    }
    scan_done(&s);
    return found && !t->err;
}

/* ---- writing ---- */

struct packing {
    struct txn *txn;
    uint32_t meter;
    struct key key; /* of the row at hand; len 0: none is begun */
    struct event_before before;
    struct wr w;
    uint8_t bytes[ROW_BYTES_MAX];
};

static void pack_flush(struct packing *p)
{
    if (p->key.len && p->w.err)
        ledger_fail(p->txn, ERR_TOO_LARGE);
    else if (p->key.len)
        txn_put(p->txn, LEDGER_LIVES, key_span(&p->key), wr_span(&p->w));
    key_clear(&p->key);
}

static void pack_begin(struct packing *p, const struct life_event *e)
{
    p->key = event_key(p->meter, e->at_s, e->arrival);
    p->before = before_first(e->at_s, e->arrival);
    p->w = wr_of(p->bytes, sizeof p->bytes);
}

static void pack(struct packing *p, const struct life_event *e)
{
    struct wr was = p->w;

    if (p->key.len) {
        event_write(&p->w, e, &p->before);
        if (!p->w.err && wr_len(&p->w) <= EVENTS_ROW) {
            p->before = before_next(e);
            return;
        }
        p->w = was;
        pack_flush(p);
    }
    pack_begin(p, e);
    event_write(&p->w, e, &p->before);
    p->before = before_next(e);
}

/* -1, 0 or 1: `a` holds before `b`, in its place, or after it. */
static int event_order(const struct life_event *a, const struct life_event *b)
{
    if (a->at_s != b->at_s)
        return a->at_s < b->at_s ? -1 : 1;
    return a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
}

/* The row's events with `e` among them, or in the place of the same. */
static void pack_with(struct packing *p, struct events_row *row, const struct life_event *e)
{
    struct life_event old;
    bool there = false;

    while (row_next(row, &old)) {
        int order = event_order(&old, e);

        if (!there && order >= 0) {
            pack(p, e);
            there = true;
        }
        if (order)
            pack(p, &old);
    }
    if (row->r.err)
        ledger_fail(p->txn, ERR_CORRUPT);
    if (!there)
        pack(p, e);
    pack_flush(p);
}

static void event_put(struct txn *t, uint32_t meter, const struct life_event *e)
{
    struct packing p = { .txn = t, .meter = meter };
    struct events_row row = { 0 };
    uint8_t room[ROW_BYTES_MAX];
    struct span value;
    struct key key;

    if (row_of(t, meter, e, &key, room, &value)) {
        row = row_begin(key_span(&key), value);
        if (event_order(
                &(struct life_event){ .at_s = row.before.at_s, .arrival = row.before.arrival + 1 },
                e) > 0)
            txn_del(t, LEDGER_LIVES, key_span(&key)); /* the row begins with `e` from now on */
    }
    if (!t->err)
        pack_with(&p, &row, e);
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
    uint32_t last = 0;

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
    if (!a->txn.err)
        event_put(&a->txn, meter, e);
}

enum err ledger_events(struct txn *t, uint32_t meter,
                       bool (*each)(void *arg, const struct life_event *e), void *arg)
{
    struct key from = ledger_number_key(meter);
    struct scan s = scan_from(t, LEDGER_LIVES, key_span(&from));
    struct life_event e;
    bool more = true;

    while (more && scan_next(&s) && is_of(&s, meter)) {
        struct events_row row = row_begin(s.key, s.value);

        while (more && row_next(&row, &e))
            more = each(arg, &e);
        if (row.r.err) {
            ledger_fail(t, ERR_CORRUPT);
            more = false;
        }
    }
    scan_done(&s);
    return t->err;
}

struct event_walk ledger_event_walk(struct txn *t, uint32_t from_meter)
{
    struct event_walk w = { .from = ledger_number_key(from_meter) };

    w.scan = scan_from(t, LEDGER_LIVES, (struct span){ 0 });
    return w;
}

static bool walk_row(struct event_walk *w)
{
    if (!w->scan.begun) /* only now does `from` lie where it stays */
        w->scan.from = key_span(&w->from);
    if (!scan_next(&w->scan))
        return false;
    if (w->scan.key.len != KEY_BYTES) {
        ledger_fail(w->scan.txn, ERR_CORRUPT);
        return false;
    }
    w->meter = ledger_be32(w->scan.key.at);
    w->row = row_begin(w->scan.key, w->scan.value);
    return true;
}

bool event_walk_next(struct event_walk *w)
{
    while (!row_next(&w->row, &w->event)) {
        if (w->row.r.err) {
            ledger_fail(w->scan.txn, ERR_CORRUPT);
            return false;
        }
        if (!walk_row(w))
            return false;
    }
    return true;
}

void event_walk_done(struct event_walk *w)
{
    scan_done(&w->scan);
}

/* ---- checking ---- */

struct numbering {
    uint32_t meter, last, count;
    struct life_event before;
    bool whole;
};

static void next_meter(struct numbering *n, uint32_t meter)
{
    n->whole = n->whole && n->last == n->count;
    n->meter = meter;
    n->last = n->count = 0;
}

static bool row_numbered(struct numbering *n, struct events_row row)
{
    struct life_event e;

    while (row_next(&row, &e)) {
        if (n->count && event_order(&n->before, &e) >= 0)
            return false;
        n->before = e;
        n->count++;
        if (e.arrival > n->last)
            n->last = e.arrival;
    }
    return !row.r.err;
}

/* Events are numbered without a gap within each meter. */
enum err ledger_lives_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_LIVES, span_of(NULL, 0));
    struct numbering n = { .whole = true };

    while (n.whole && scan_next(&s)) {
        uint32_t meter = s.key.len == KEY_BYTES ? ledger_be32(s.key.at) : 0;

        if (meter != n.meter)
            next_meter(&n, meter);
        if (s.key.len != KEY_BYTES || !s.value.len || !row_numbered(&n, row_begin(s.key, s.value)))
            ledger_fail(t, ERR_CORRUPT);
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    next_meter(&n, 0);
    if (!n.whole)
        return refuse(r, ERR_MISSING, 0, "ledger", "an event of a meter's life is gone");
    return ERR_OK;
}
