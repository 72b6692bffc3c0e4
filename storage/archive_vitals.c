/* What meters last said: 32 meters to a value, each 80 bytes, little-endian:
 *
 *    0  u64  position of the newest frame; 0: never heard
 *    8  u32  its arrival, UTC seconds
 *   12  u32  its seq
 *   16  u32  its status bits
 *   20  u32  battery, mV
 *   24  u32  radio cell
 *   28  i16  RSRP, dBm        30  i16  SNR, dB
 *   32  u8   how many offsets follow; bit 7: seq counts by a rule that it must rise
 *   33  u24  digest of the frame that seq is from; 0: it counts by no rule
 *   36  i32 × 7  meter's clock − arrival, seconds, newest first
 *   64  u16 × 6  minutes from one report to the next, newest first
 *   76  u8   how many of them follow      77  u8  1: the newest offset is of the report at hand, whose frames are still coming
 *   78  u16  the longest of all such pauses, in quarters of an hour, slowly forgotten
 *
 * Until pauses were noted a meter had the first 64 bytes alone: such a value is read as it is, and written anew with its next meter.
 * Pauses that were too long stand in a table of their own: u32 meter · u32 from → u32 to · u32 period · u32 longest · u32 cell. */
#include "storage/archive_priv.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#include <assert.h>

#define VITALS_SIZE 80
#define VITALS_SIZE_BEFORE 64
#define VITALS_METERS 32
#define COUNTER_RISES 0x80u
#define KEY_RENEWED 0x40u

struct shelf {
    uint32_t number; /* meter / VITALS_METERS */
    bool changed;
    uint8_t bytes[VITALS_SIZE * VITALS_METERS];
};

static void vitals_write(const struct vitals *h, uint8_t out[VITALS_SIZE])
{
    struct wr w = wr_of(out, VITALS_SIZE);

    wr_le64(&w, h->position);
    wr_le32(&w, h->arrival_s);
    wr_le32(&w, h->seq);
    wr_le32(&w, h->status);
    wr_le32(&w, h->battery_mv);
    wr_le32(&w, h->cell);
    wr_le16(&w, (uint16_t)h->rsrp_dbm);
    wr_le16(&w, (uint16_t)h->snr_db);
    wr_le32(&w, h->offset_count | (h->rises ? COUNTER_RISES : 0) | (h->renewed ? KEY_RENEWED : 0) |
                    h->digest << 8);
    for (unsigned i = 0; i < VITALS_OFFSETS; i++)
        wr_le32(&w, (uint32_t)h->offset_s[i]);
    for (unsigned i = 0; i < VITALS_PAUSES; i++)
        wr_le16(&w, h->pause_min[i]);
    wr_u8(&w, h->pause_count);
    wr_u8(&w, h->timed);
    wr_le16(&w, h->longest_quarters);
    assert(!w.err && wr_len(&w) == VITALS_SIZE);
}

static enum err vitals_read(struct span bytes, struct vitals *out)
{
    struct rd r = rd_of(bytes);
    uint32_t counter;

    out->position = rd_le64(&r);
    out->arrival_s = rd_le32(&r);
    out->seq = rd_le32(&r);
    out->status = rd_le32(&r);
    out->battery_mv = rd_le32(&r);
    out->cell = rd_le32(&r);
    out->rsrp_dbm = (int16_t)rd_le16(&r);
    out->snr_db = (int16_t)rd_le16(&r);
    counter = rd_le32(&r);
    out->offset_count = counter & 0x3f;
    out->renewed = counter & KEY_RENEWED;
    out->rises = counter & COUNTER_RISES;
    out->digest = counter >> 8;
    for (unsigned i = 0; i < VITALS_OFFSETS; i++)
        out->offset_s[i] = (int32_t)rd_le32(&r);
    for (unsigned i = 0; i < VITALS_PAUSES && bytes.len == VITALS_SIZE; i++)
        out->pause_min[i] = rd_le16(&r);
    if (bytes.len == VITALS_SIZE) {
        out->pause_count = rd_u8(&r);
        out->timed = rd_u8(&r);
        out->longest_quarters = rd_le16(&r);
    }
    return r.err || out->offset_count > VITALS_OFFSETS || out->pause_count > VITALS_PAUSES
               ? ERR_CORRUPT
               : ERR_OK;
}

static void shelf_key(struct key *k, uint32_t number)
{
    key_clear(k);
    key_u32(k, number);
}

static void shelf_put(struct shelf *s, struct txn *t)
{
    struct key k;

    if (s->changed) {
        shelf_key(&k, s->number);
        txn_put(t, TABLE_VITALS, key_span(&k), span_of(s->bytes, sizeof s->bytes));
    }
    s->changed = false;
}

/* Of a store from before pauses were noted. */
static void shelf_widen(struct shelf *s, struct span kept)
{
    memset(s->bytes, 0, sizeof s->bytes);
    for (size_t i = 0; i < VITALS_METERS; i++)
        memcpy(s->bytes + VITALS_SIZE * i, kept.at + VITALS_SIZE_BEFORE * i, VITALS_SIZE_BEFORE);
}

static void shelf_get(struct shelf *s, struct txn *t, uint32_t number)
{
    struct span kept;
    struct key k;

    shelf_key(&k, number);
    s->number = number;
    if (!txn_get(t, TABLE_VITALS, key_span(&k), &kept))
        memset(s->bytes, 0, sizeof s->bytes);
    else if (kept.len == sizeof s->bytes)
        memcpy(s->bytes, kept.at, sizeof s->bytes);
    else if (kept.len == VITALS_SIZE_BEFORE * VITALS_METERS)
        shelf_widen(s, kept);
    else
        t->err = ERR_CORRUPT;
}

void vitals_put(struct txn *t, const struct vitals_entry *entries, size_t count)
{
    struct shelf s = { .number = UINT32_MAX };

    for (size_t i = 0; i < count && !t->err; i++) {
        uint32_t number = entries[i].meter / VITALS_METERS;

        assert(i == 0 || entries[i].meter > entries[i - 1].meter);
        if (number != s.number) {
            shelf_put(&s, t);
            shelf_get(&s, t, number);
        }
        vitals_write(&entries[i].vitals,
                     s.bytes + VITALS_SIZE * (entries[i].meter % VITALS_METERS));
        s.changed = true;
        if (entries[i].past.len)
            past_put(t, entries[i].meter, entries[i].past);
    }
    shelf_put(&s, t);
}

enum err archive_vitals_put(struct archive *a, const struct vitals_entry *entries, size_t count,
                            const struct hush *gaps, size_t gap_count)
{
    struct txn t;

    if (count == 0 && gap_count == 0)
        return ERR_OK;
    t = txn_begin(a->db, TXN_WRITE);
    vitals_put(&t, entries, count);
    hushes_put(&t, gaps, gap_count);
    return txn_end(&t);
}

static struct span vitals_of(struct span shelf, uint32_t meter)
{
    size_t size = shelf.len / VITALS_METERS;

    return (size == VITALS_SIZE || size == VITALS_SIZE_BEFORE) && shelf.len % VITALS_METERS == 0
               ? span_of(shelf.at + size * (meter % VITALS_METERS), size)
               : span_of(NULL, 0);
}

enum err vitals_get(struct txn *t, uint32_t meter, struct vitals *out)
{
    struct vitals vitals = { 0 };
    struct span kept;
    struct key k;
    enum err err = ERR_OK;

    shelf_key(&k, meter / VITALS_METERS);
    if (txn_get(t, TABLE_VITALS, key_span(&k), &kept))
        err = vitals_read(vitals_of(kept, meter), &vitals);
    if (!err && !(err = t->err))
        *out = vitals;
    return err;
}

enum err archive_vitals(struct archive *a, uint32_t meter, struct vitals *out)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    enum err err = vitals_get(&t, meter, out), ended = txn_end(&t);

    return err ? err : ended;
}

enum err archive_vitals_each(struct archive *a,
                             bool (*each)(void *arg, uint32_t meter, const struct vitals *v),
                             void *arg)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct scan s = scan_from(&t, TABLE_VITALS, span_of(NULL, 0));
    bool more = true;
    enum err err = ERR_OK, ended;

    while (more && !err && scan_next(&s)) {
        struct rd r = rd_of(s.key);
        uint32_t number = rd_be32(&r);

        for (uint32_t i = 0; i < VITALS_METERS && more && !err; i++) {
            struct vitals v = { 0 };

            if (!(err = vitals_read(vitals_of(s.value, i), &v)) && v.position)
                more = each(arg, number * VITALS_METERS + i, &v);
        }
    }
    scan_done(&s);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* ---- gaps ---- */

static void gap_key(struct key *k, uint32_t meter, uint32_t from_s)
{
    key_clear(k);
    key_u32(k, meter);
    key_u32(k, from_s);
}

void hushes_put(struct txn *t, const struct hush *gaps, size_t count)
{
    for (size_t i = 0; i < count && !t->err; i++) {
        const struct hush *p = &gaps[i];
        uint8_t bytes[16];
        struct wr w = wr_of(bytes, sizeof bytes);
        struct key k;

        gap_key(&k, p->meter, p->from_s);
        wr_le32(&w, p->to_s);
        wr_le32(&w, p->period_s);
        wr_le32(&w, p->longest_s);
        wr_le32(&w, p->cell);
        txn_put(t, TABLE_HUSHES, key_span(&k), wr_span(&w));
    }
}

enum err archive_hushes(struct archive *a, uint32_t meter,
                        enum err (*each)(void *arg, const struct hush *p), void *arg)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct key k;
    struct scan s;
    bool more = true;
    enum err err = ERR_OK, ended;

    gap_key(&k, meter, 0);
    s = scan_from(&t, TABLE_HUSHES, key_span(&k));
    while (more && !err && scan_next(&s)) {
        struct rd key = rd_of(s.key), r = rd_of(s.value);
        struct hush p;

        p.meter = rd_be32(&key);
        p.from_s = rd_be32(&key);
        if (!(more = p.meter == meter))
            break;
        p.to_s = rd_le32(&r);
        p.period_s = rd_le32(&r);
        p.longest_s = rd_le32(&r);
        p.cell = rd_le32(&r);
        err = key.err || r.err || rd_left(&r) ? ERR_CORRUPT : each(arg, &p);
    }
    scan_done(&s);
    ended = txn_end(&t);
    return err ? err : ended;
}
