/* Where meters are: the two indexes of fittings, and which points stand on a route and in a zone.
 *
 *   BY_METER  u32 meter · i64 from · u32 point → fitting
 *   BY_POINT  u32 point · i64 from · u32 meter → the same
 *   fitting   u8 flags (1 has `to`, 2 has an end index) · [zigzag to − from] · zigzag start ·
 *             [zigzag end − start]
 *   ON_ROUTE  route 00 · u32 seq · point 00 → u32 point
 *   IN_ZONE   zone 00 · point 00 → u32 point
 *   PLACES    u32 point → counted route · u32 seq · counted zone */
#include "storage/ledger_priv.h"

#define FLAG_TO 1u
#define FLAG_END 2u

static struct key fitting_key(uint32_t first, int64_t from_s, uint32_t second)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, first);
    key_i64(&k, from_s);
    key_u32(&k, second);
    return k;
}

static struct wr fitting_write(void *bytes, size_t cap, const struct fitting *f)
{
    struct wr w = wr_of(bytes, cap);
    bool ended = f->to_s != FITTING_OPEN;

    wr_u8(&w, (uint8_t)((ended ? FLAG_TO : 0) | (f->has_end ? FLAG_END : 0)));
    if (ended)
        wr_zigzag(&w, f->to_s - f->from_s);
    wr_zigzag(&w, f->start_ml);
    if (f->has_end)
        wr_zigzag(&w, (int64_t)((uint64_t)f->end_ml - (uint64_t)f->start_ml));
    return w;
}

static int64_t from_be64_ordered(uint64_t v)
{
    return (int64_t)(v ^ UINT64_C(1) << 63);
}

static enum err fitting_read(struct span key, struct span value, bool by_point, struct fitting *out)
{
    struct rd k = rd_of(key), r = rd_of(value);
    struct fitting f = { .to_s = FITTING_OPEN };
    uint32_t first = rd_be32(&k), second;
    uint8_t flags = rd_u8(&r);

    f.from_s = from_be64_ordered(rd_be64(&k));
    second = rd_be32(&k);
    f.meter = by_point ? second : first;
    f.point = by_point ? first : second;
    if (flags & FLAG_TO)
        f.to_s = (int64_t)((uint64_t)f.from_s + (uint64_t)rd_zigzag(&r));
    f.start_ml = rd_zigzag(&r);
    f.has_end = flags & FLAG_END;
    if (f.has_end)
        f.end_ml = (int64_t)((uint64_t)f.start_ml + (uint64_t)rd_zigzag(&r));
    if (k.err || r.err || rd_left(&r) || (flags & ~(FLAG_TO | FLAG_END)))
        return ERR_CORRUPT;
    *out = f;
    return ERR_OK;
}

void act_put_fitting(struct act *a, const struct fitting *f)
{
    struct key by_meter = fitting_key(f->meter, f->from_s, f->point);
    struct key by_point = fitting_key(f->point, f->from_s, f->meter);
    uint8_t bytes[40];
    struct wr w = fitting_write(bytes, sizeof bytes, f);

    act_changed(a);
    txn_put(&a->txn, LEDGER_BY_METER, key_span(&by_meter), wr_span(&w));
    txn_put(&a->txn, LEDGER_BY_POINT, key_span(&by_point), wr_span(&w));
}

void act_drop_fitting(struct act *a, const struct fitting *f)
{
    struct key by_meter = fitting_key(f->meter, f->from_s, f->point);
    struct key by_point = fitting_key(f->point, f->from_s, f->meter);

    act_changed(a);
    txn_del(&a->txn, LEDGER_BY_METER, key_span(&by_meter));
    txn_del(&a->txn, LEDGER_BY_POINT, key_span(&by_point));
}

static enum err fittings_of(struct txn *t, unsigned table, uint32_t id, struct fitting *out,
                            size_t cap, size_t *out_count)
{
    struct key from = ledger_number_key(id);
    struct scan s = scan_from(t, table, key_span(&from));
    size_t count = 0;

    while (scan_next(&s) && s.key.len == 16 && ledger_be32(s.key.at) == id) {
        struct fitting f;

        if (fitting_read(s.key, s.value, table == LEDGER_BY_POINT, &f)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (count < cap)
            out[count] = f;
        count++;
    }
    scan_done(&s);
    if (!t->err)
        *out_count = count;
    return t->err;
}

enum err ledger_fittings_of_meter(struct txn *t, uint32_t meter, struct fitting *out, size_t cap,
                                  size_t *out_count)
{
    return fittings_of(t, LEDGER_BY_METER, meter, out, cap, out_count);
}

enum err ledger_fittings_of_point(struct txn *t, uint32_t point, struct fitting *out, size_t cap,
                                  size_t *out_count)
{
    return fittings_of(t, LEDGER_BY_POINT, point, out, cap, out_count);
}

/* ---- points on routes and in zones ---- */

static struct key route_key(struct span route, uint32_t seq, struct span point)
{
    struct key k;

    key_clear(&k);
    key_text(&k, route);
    key_u32(&k, seq);
    key_text(&k, point);
    return k;
}

static struct key zone_key(struct span zone, struct span point)
{
    struct key k;

    key_clear(&k);
    key_text(&k, zone);
    key_text(&k, point);
    return k;
}

static void leave_place(struct act *a, uint32_t point, struct span name)
{
    struct key place = ledger_number_key(point), route, zone;
    struct span value, old_route, old_zone;
    struct rd r;
    uint32_t seq;

    if (!txn_get(&a->txn, LEDGER_PLACES, key_span(&place), &value))
        return;
    r = rd_of(value);
    old_route = rd_counted(&r);
    seq = rd_le32(&r);
    old_zone = rd_counted(&r);
    if (r.err) {
        ledger_fail(&a->txn, ERR_CORRUPT);
        return;
    }
    route = route_key(old_route, seq, name);
    zone = zone_key(old_zone, name);
    if (old_route.len)
        txn_del(&a->txn, LEDGER_ON_ROUTE, key_span(&route));
    /* The first deletion ended the views; both keys were built before it. */
    if (zone.len > name.len + 2)
        txn_del(&a->txn, LEDGER_IN_ZONE, key_span(&zone));
}

static void enter_place(struct act *a, uint32_t point, struct span name, struct span route,
                        uint32_t seq, struct span zone)
{
    struct key place = ledger_number_key(point), on = route_key(route, seq, name),
               in = zone_key(zone, name);
    uint8_t id[4], bytes[2 * (LIMIT_TEXT + 4) + 4];
    struct wr w = wr_of(id, sizeof id);

    wr_le32(&w, point);
    if (on.full || in.full) {
        ledger_fail(&a->txn, ERR_TOO_LARGE);
        return;
    }
    if (route.len)
        txn_put(&a->txn, LEDGER_ON_ROUTE, key_span(&on), wr_span(&w));
    if (zone.len)
        txn_put(&a->txn, LEDGER_IN_ZONE, key_span(&in), wr_span(&w));
    w = wr_of(bytes, sizeof bytes);
    wr_counted(&w, route);
    wr_le32(&w, seq);
    wr_counted(&w, zone);
    txn_put(&a->txn, LEDGER_PLACES, key_span(&place), wr_span(&w));
}

void act_place_point(struct act *a, uint32_t point, struct span name, struct span route,
                     uint32_t route_seq, struct span zone)
{
    if (a->txn.err)
        return;
    act_changed(a);
    leave_place(a, point, name);
    if (!a->txn.err)
        enter_place(a, point, name, route, route_seq, zone);
}

enum err ledger_points_on(struct txn *t, bool zone, struct span name, uint32_t after_index,
                          uint32_t *out, size_t cap, size_t *out_count)
{
    struct key from;
    struct scan s;
    size_t count = 0;

    key_clear(&from);
    key_text(&from, name);
    if (from.full)
        return ERR_TOO_LARGE;
    s = scan_from(t, zone ? LEDGER_IN_ZONE : LEDGER_ON_ROUTE, key_span(&from));
    while (count < cap && scan_next(&s) && s.key.len > from.len &&
           memcmp(s.key.at, from.bytes, from.len) == 0) {
        struct rd r = rd_of(s.value);
        uint32_t point = rd_le32(&r);

        if (r.err) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (after_index)
            after_index--;
        else
            out[count++] = point;
    }
    scan_done(&s);
    if (!t->err)
        *out_count = count;
    return t->err;
}

/* ---- whole-file check ---- */

/* Each fitting of one index stands in the other, word for word; that both hold as many is enough
 * for the way back. */
enum err ledger_fittings_check(struct txn *t, struct refusal *r)
{
    struct scan s = scan_from(t, LEDGER_BY_METER, span_of(NULL, 0));
    bool match = true;

    while (match && scan_next(&s)) {
        struct fitting f;
        struct span other;
        struct key k;

        if (fitting_read(s.key, s.value, false, &f)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        k = fitting_key(f.point, f.from_s, f.meter);
        match = txn_get(t, LEDGER_BY_POINT, key_span(&k), &other) && span_equal(other, s.value);
    }
    scan_done(&s);
    if (t->err)
        return t->err;
    if (!match || txn_count(t, LEDGER_BY_METER) != txn_count(t, LEDGER_BY_POINT))
        return refuse(r, ERR_MISSING, 0, "ledger", "fittings by meter and by point do not agree");
    return ERR_OK;
}
