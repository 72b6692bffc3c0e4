/* What meters last said: 32 meters to a value, each 64 bytes, little-endian:
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
 *   36  i32 × 7  meter's clock − arrival, seconds, newest first */
#include "storage/archive_priv.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#include <assert.h>

#define VITALS_SIZE 64
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
    return r.err || out->offset_count > VITALS_OFFSETS ? ERR_CORRUPT : ERR_OK;
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
    }
    shelf_put(&s, t);
}

enum err archive_vitals_put(struct archive *a, const struct vitals_entry *entries, size_t count)
{
    struct txn t;

    if (count == 0)
        return ERR_OK;
    t = txn_begin(a->db, TXN_WRITE);
    vitals_put(&t, entries, count);
    return txn_end(&t);
}

enum err archive_vitals(struct archive *a, uint32_t meter, struct vitals *out)
{
    struct txn t = txn_begin(a->db, TXN_READ);
    struct vitals vitals = { 0 };
    struct span kept;
    struct key k;
    enum err err = ERR_OK, ended;

    shelf_key(&k, meter / VITALS_METERS);
    if (txn_get(&t, TABLE_VITALS, key_span(&k), &kept))
        err =
            kept.len == VITALS_SIZE * VITALS_METERS
                ? vitals_read(span_of(kept.at + VITALS_SIZE * (meter % VITALS_METERS), VITALS_SIZE),
                              &vitals)
                : ERR_CORRUPT;
    ended = txn_end(&t);
    if (!err && !(err = ended))
        *out = vitals;
    return err;
}
