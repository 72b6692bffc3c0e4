/* Where meters are: the two indexes of fittings, and which points stand on a route and in a zone.
 *
 *   BY_METER  u32 meter → its fittings, in order of (from, point), each:
 *             zigzag from − the one before's (first: from) · varint point · fitting
 *   BY_POINT  u32 point → the same with meter and point exchanged
 *   fitting   u8 flags (1 has `to`, 2 has an end index) · [zigzag to − from] · zigzag start ·
 *             [zigzag end − start]
 *   ON_ROUTE  route 00 · u32 seq · point 00 → u32 point
 *   IN_ZONE   zone 00 · point 00 → u32 point
 *   PLACES    u32 point → counted route · u32 seq · counted zone
 *
 * Older stores have a row for each fitting, u32 meter · i64 from · u32 point → fitting (and likewise by point). They are read as they
 * are, and become one row when a fitting of that meter, or point, is written: two fittings in a row take 60 bytes of a B-tree, in a
 * row each 90 to 160. */
#include "storage/ledger_priv.h"

#include <stdlib.h>

#define FLAG_TO 1u
#define FLAG_END 2u

#define OLD_KEY_BYTES 16

/* Any two of them have a difference, modulo 2^64. */
static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static struct key old_key(uint32_t first, int64_t from_s, uint32_t second)
{
    struct key k;

    key_clear(&k);
    key_u32(&k, first);
    key_i64(&k, from_s);
    key_u32(&k, second);
    return k;
}

/* What it says of its length and its indexes; who and when stands before it, or in the key. */
static void fitting_write(struct wr *w, const struct fitting *f)
{
    bool ended = f->to_s != FITTING_OPEN;

    wr_u8(w, (uint8_t)((ended ? FLAG_TO : 0) | (f->has_end ? FLAG_END : 0)));
    if (ended)
        wr_zigzag(w, minus(f->to_s, f->from_s));
    wr_zigzag(w, f->start_ml);
    if (f->has_end)
        wr_zigzag(w, minus(f->end_ml, f->start_ml));
}

static void fitting_read(struct rd *r, struct fitting *f)
{
    uint8_t flags = rd_u8(r);

    f->to_s = FITTING_OPEN;
    if (flags & FLAG_TO)
        f->to_s = plus(f->from_s, rd_zigzag(r));
    f->start_ml = rd_zigzag(r);
    f->has_end = flags & FLAG_END;
    f->end_ml = f->has_end ? plus(f->start_ml, rd_zigzag(r)) : 0;
    if (flags & ~(FLAG_TO | FLAG_END))
        rd_fail(r, ERR_CORRUPT);
}

/* ---- rows ---- */

/* Who the row is of, and who stands in it. */
static uint32_t first_of(const struct fitting *f, bool by_point)
{
    return by_point ? f->point : f->meter;
}

static uint32_t second_of(const struct fitting *f, bool by_point)
{
    return by_point ? f->meter : f->point;
}

static void name_both(struct fitting *f, bool by_point, uint32_t first, uint32_t second)
{
    f->meter = by_point ? second : first;
    f->point = by_point ? first : second;
}

/* The fittings of one meter or point, one after the other. */
struct fit_walk {
    struct scan scan;
    struct rd r;      /* what is left of a row of several */
    int64_t before_s; /* from of the one before in it */
    uint32_t id;
    bool by_point, old; /* old: the one at hand has a row of its own */
};

static struct fit_walk fit_walk(struct txn *t, unsigned table, uint32_t id, struct key *room)
{
    struct fit_walk w = { .id = id, .by_point = table == LEDGER_BY_POINT };

    *room = ledger_number_key(id);
    w.scan = scan_from(t, table, key_span(room));
    return w;
}

static bool read_packed(struct fit_walk *w, struct fitting *f)
{
    uint64_t second;

    f->from_s = plus(w->before_s, rd_zigzag(&w->r));
    second = rd_varint(&w->r);
    fitting_read(&w->r, f);
    if (second > UINT32_MAX)
        rd_fail(&w->r, ERR_CORRUPT);
    name_both(f, w->by_point, w->id, (uint32_t)second);
    w->before_s = f->from_s;
    return !w->r.err;
}

static bool read_old(struct fit_walk *w, struct fitting *f)
{
    struct rd k = rd_of(w->scan.key);

    w->r = rd_of(w->scan.value);
    (void)rd_be32(&k);
    f->from_s = (int64_t)(rd_be64(&k) ^ UINT64_C(1) << 63);
    name_both(f, w->by_point, w->id, rd_be32(&k));
    fitting_read(&w->r, f);
    if (rd_left(&w->r))
        rd_fail(&w->r, ERR_CORRUPT);
    return !w->r.err;
}

/* False: the end, or the transaction's error. */
static bool fit_next(struct fit_walk *w, struct fitting *out)
{
    struct fitting f = { 0 };
    bool fine;

    if (rd_left(&w->r)) {
        fine = read_packed(w, &f);
    } else {
        if (!scan_next(&w->scan) || w->scan.key.len < 4 || ledger_be32(w->scan.key.at) != w->id)
            return false;
        w->old = w->scan.key.len == OLD_KEY_BYTES;
        w->before_s = 0;
        w->r = rd_of(w->scan.value);
        fine =
            w->old ? read_old(w, &f) : w->scan.key.len == 4 && rd_left(&w->r) && read_packed(w, &f);
    }
    if (!fine)
        ledger_fail(w->scan.txn, ERR_CORRUPT);
    else
        *out = f;
    return fine;
}

static enum err fittings_of(struct txn *t, unsigned table, uint32_t id, struct fitting *out,
                            size_t cap, size_t *out_count)
{
    struct key room;
    struct fit_walk w = fit_walk(t, table, id, &room);
    struct fitting f;
    size_t count = 0;

    while (fit_next(&w, &f)) {
        if (count < cap)
            out[count] = f;
        count++;
    }
    scan_done(&w.scan);
    if (!t->err)
        *out_count = count;
    return t->err;
}

/* ---- writing ---- */

struct fit_vector {
    struct fitting *at;
    size_t count, cap;
    bool old; /* some have rows of their own */
};

static bool vector_insert(struct fit_vector *v, size_t place, const struct fitting *f)
{
    if (v->count == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 8;
        struct fitting *more = (struct fitting *)realloc(v->at, cap * sizeof *more);

        if (!more)
            return false;
        v->at = more;
        v->cap = cap;
    }
    memmove(v->at + place + 1, v->at + place, (v->count++ - place) * sizeof *v->at);
    v->at[place] = *f;
    return true;
}

static void vector_load(struct txn *t, unsigned table, uint32_t id, struct fit_vector *v)
{
    struct key room;
    struct fit_walk w = fit_walk(t, table, id, &room);
    struct fitting f;

    while (fit_next(&w, &f)) {
        v->old = v->old || w.old;
        if (!vector_insert(v, v->count, &f))
            ledger_fail(t, ERR_NO_MEMORY);
    }
    scan_done(&w.scan);
}

static int fitting_order(const struct fitting *a, const struct fitting *b, bool by_point)
{
    uint32_t x = second_of(a, by_point), y = second_of(b, by_point);

    if (a->from_s != b->from_s)
        return a->from_s < b->from_s ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void drop_old(struct txn *t, unsigned table, const struct fit_vector *v)
{
    for (size_t i = 0; v->old && i < v->count; i++) {
        const struct fitting *f = &v->at[i];
        bool by_point = table == LEDGER_BY_POINT;
        struct key k = old_key(first_of(f, by_point), f->from_s, second_of(f, by_point));

        txn_del(t, table, key_span(&k));
    }
}

#define FITTING_BYTES_MAX 64 /* six varints at most */

static void vector_write(struct txn *t, unsigned table, uint32_t id, const struct fit_vector *v)
{
    bool by_point = table == LEDGER_BY_POINT;
    struct key k = ledger_number_key(id);
    int64_t before_s = 0;
    uint8_t *bytes;
    struct wr w;

    if (!v->count) {
        txn_del(t, table, key_span(&k));
        return;
    }
    if (!(bytes = (uint8_t *)malloc(v->count * FITTING_BYTES_MAX))) {
        ledger_fail(t, ERR_NO_MEMORY);
        return;
    }
    w = wr_of(bytes, v->count * FITTING_BYTES_MAX);
    for (size_t i = 0; i < v->count; i++) {
        wr_zigzag(&w, minus(v->at[i].from_s, before_s));
        wr_varint(&w, second_of(&v->at[i], by_point));
        fitting_write(&w, &v->at[i]);
        before_s = v->at[i].from_s;
    }
    if (w.err)
        ledger_fail(t, w.err);
    txn_put(t, table, key_span(&k), wr_span(&w));
    free(bytes);
}

/* Puts the fitting, in the place of the same one, or (keep false) takes that away. */
static void change(struct txn *t, unsigned table, const struct fitting *f, bool keep)
{
    bool by_point = table == LEDGER_BY_POINT, same;
    uint32_t id = first_of(f, by_point);
    struct fit_vector v = { 0 };
    size_t i = 0;

    if (t->err)
        return;
    vector_load(t, table, id, &v);
    drop_old(t, table, &v);
    while (i < v.count && fitting_order(&v.at[i], f, by_point) < 0)
        i++;
    same = i < v.count && !fitting_order(&v.at[i], f, by_point);
    if (keep && same)
        v.at[i] = *f;
    else if (keep && !vector_insert(&v, i, f))
        ledger_fail(t, ERR_NO_MEMORY);
    else if (!keep && same)
        memmove(v.at + i, v.at + i + 1, (--v.count - i) * sizeof *v.at);
    if (!t->err && (keep || same || v.old))
        vector_write(t, table, id, &v);
    free(v.at);
}

void act_put_fitting(struct act *a, const struct fitting *f)
{
    act_changed(a);
    change(&a->txn, LEDGER_BY_METER, f, true);
    change(&a->txn, LEDGER_BY_POINT, f, true);
}

void act_drop_fitting(struct act *a, const struct fitting *f)
{
    act_changed(a);
    change(&a->txn, LEDGER_BY_METER, f, false);
    change(&a->txn, LEDGER_BY_POINT, f, false);
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

struct points_walk ledger_points_walk(struct txn *t, bool zone, struct span name)
{
    struct points_walk w = { .point = 0 };

    key_clear(&w.prefix);
    key_text(&w.prefix, name);
    if (w.prefix.full)
        ledger_fail(t, ERR_TOO_LARGE);
    w.from = w.prefix;
    w.scan = scan_from(t, zone ? LEDGER_IN_ZONE : LEDGER_ON_ROUTE, span_of(NULL, 0));
    return w;
}

void points_from(struct points_walk *w, struct span place)
{
    w->from = w->prefix;
    for (size_t i = 0; i < place.len; i++)
        key_u8(&w->from, place.at[i]);
    if (w->from.full)
        ledger_fail(w->scan.txn, ERR_TOO_LARGE);
}

bool points_next(struct points_walk *w)
{
    struct rd r;

    if (!w->scan.begun) /* only now does `from` lie where it stays */
        w->scan.from = key_span(&w->from);
    if (!scan_next(&w->scan) || w->scan.key.len <= w->prefix.len ||
        memcmp(w->scan.key.at, w->prefix.bytes, w->prefix.len) != 0)
        return false;
    r = rd_of(w->scan.value);
    w->point = rd_le32(&r);
    w->place = span_of(w->scan.key.at + w->prefix.len, w->scan.key.len - w->prefix.len);
    if (r.err)
        ledger_fail(w->scan.txn, ERR_CORRUPT);
    return !r.err;
}

void points_done(struct points_walk *w)
{
    scan_done(&w->scan);
}

enum err ledger_points_on(struct txn *t, bool zone, struct span name, uint32_t after_index,
                          uint32_t *out, size_t cap, size_t *out_count)
{
    struct points_walk w = ledger_points_walk(t, zone, name);
    size_t count = 0;

    while (count < cap && points_next(&w)) {
        if (after_index)
            after_index--;
        else
            out[count++] = w.point;
    }
    points_done(&w);
    if (!t->err)
        *out_count = count;
    return t->err;
}

/* ---- whole-file check ---- */

static bool same_fitting(const struct fitting *a, const struct fitting *b)
{
    return a->meter == b->meter && a->point == b->point && a->from_s == b->from_s &&
           a->to_s == b->to_s && a->start_ml == b->start_ml && a->has_end == b->has_end &&
           a->end_ml == b->end_ml;
}

static bool stands_by_point(struct txn *t, const struct fitting *f)
{
    struct key room;
    struct fit_walk w = fit_walk(t, LEDGER_BY_POINT, f->point, &room);
    struct fitting other;
    bool found = false;

    while (!found && fit_next(&w, &other))
        found = same_fitting(f, &other);
    scan_done(&w.scan);
    return found;
}

/* Of the one index each must stand in the other; how many there are. */
static bool walk_index(struct txn *t, unsigned table, uint64_t *out_count)
{
    struct scan ids = scan_from(t, table, span_of(NULL, 0));
    uint32_t id = 0;
    bool match = true, begun = false;

    *out_count = 0;
    while (match && scan_next(&ids)) {
        struct key room;
        struct fit_walk w;
        struct fitting f;

        if (ids.key.len < 4) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if (begun && ledger_be32(ids.key.at) == id)
            continue; /* an old row of the same */
        begun = true;
        id = ledger_be32(ids.key.at);
        w = fit_walk(t, table, id, &room);
        while (match && fit_next(&w, &f)) {
            (*out_count)++;
            match = table == LEDGER_BY_POINT || stands_by_point(t, &f);
        }
        scan_done(&w.scan);
    }
    scan_done(&ids);
    return match;
}

/* Each fitting of one index stands in the other, word for word; that both hold as many is enough
 * for the way back. */
enum err ledger_fittings_check(struct txn *t, struct refusal *r)
{
    uint64_t by_meter, by_point;
    bool match = walk_index(t, LEDGER_BY_METER, &by_meter) &&
                 walk_index(t, LEDGER_BY_POINT, &by_point) && by_meter == by_point;

    if (t->err)
        return t->err;
    if (!match)
        return refuse(r, ERR_MISSING, 0, "ledger", "fittings by meter and by point do not agree");
    return ERR_OK;
}
