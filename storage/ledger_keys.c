/* Keys of meters, sealed, and the formats that full frames taught.
 *
 *   METER-KEYS  u32 meter · u8 kind · i64 from → nonce · tag · the key, enciphered
 *   FORMATS     u16 maker · u8 version · u8 type · u16 signature · u8 which (absent: 0) → the list */
#include "storage/ledger_priv.h"

#include "proto/base/hex.h"

#define WHICH_SEALED 0x80

static struct key key_of(const struct sealed_key *k)
{
    struct key key;

    key_clear(&key);
    key_u32(&key, k->meter);
    key_u8(&key, k->kind);
    key_i64(&key, k->from_s);
    return key;
}

void sealed_place(const struct sealed_key *k, uint8_t out[SEALED_PLACE_SIZE])
{
    struct key key = key_of(k);

    memcpy(out, key.bytes, SEALED_PLACE_SIZE);
}

void act_put_key(struct act *a, const struct sealed_key *k)
{
    struct key key = key_of(k);

    act_changed(a);
    txn_put(&a->txn, LEDGER_SECRETS, key_span(&key), k->sealed);
}

enum err ledger_keys(struct txn *t, uint32_t meter,
                     bool (*each)(void *arg, const struct sealed_key *k), void *arg)
{
    struct key from = ledger_number_key(meter);
    struct scan s = scan_from(t, LEDGER_SECRETS, key_span(&from));

    while (scan_next(&s)) {
        struct rd r = rd_of(s.key);
        struct sealed_key k = { .sealed = s.value };

        k.meter = rd_be32(&r);
        k.kind = rd_u8(&r);
        k.from_s = (int64_t)(rd_be64(&r) ^ (UINT64_C(1) << 63));
        if (r.err || rd_left(&r)) {
            ledger_fail(t, ERR_CORRUPT);
            break;
        }
        if ((meter && k.meter != meter) || !each(arg, &k))
            break;
    }
    scan_done(&s);
    return t->err;
}

uint64_t ledger_key_count(struct txn *t)
{
    return txn_count(t, LEDGER_SECRETS);
}

/* ---- formats ---- */

static void note_format(struct act *a, const struct format_id *id, struct span list)
{
    struct wr w = act_scratch(a);
    struct span subject, told;

    wr_format(&w, "%c%c%c-%02X-%02X", 64 + (id->maker >> 10 & 31), 64 + (id->maker >> 5 & 31),
              64 + (id->maker & 31), id->version, id->type);
    subject = wr_span(&w);
    wr_format(&w, "{\"signature\":\"%04x\",\"list\":\"", id->signature);
    hex_write(&w, list);
    wr_text(&w, "\"}");
    told = span_of(subject.at + subject.len, wr_len(&w) - subject.len);
    act_note(a, "format.learn", subject, span_of(NULL, 0), told, span_of(NULL, 0));
}

void act_put_format(struct act *a, const struct format_id *id, struct span list)
{
    struct key key;

    if (a->txn.err)
        return;
    key_clear(&key);
    key_u16(&key, id->maker);
    key_u8(&key, id->version);
    key_u8(&key, id->type);
    key_u16(&key, id->signature);
    key_u8(&key, (uint8_t)(id->nth | (id->sealed ? WHICH_SEALED : 0)));
    act_changed(a);
    txn_put(&a->txn, LEDGER_FORMATS, key_span(&key), list);
    note_format(a, id, list);
}

enum err ledger_formats(struct txn *t,
                        bool (*each)(void *arg, const struct format_id *id, struct span list),
                        void *arg)
{
    struct scan s = scan_from(t, LEDGER_FORMATS, span_of(NULL, 0));

    while (scan_next(&s)) {
        struct rd r = rd_of(s.key);
        struct format_id id;
        uint8_t which;

        id.maker = rd_be16(&r);
        id.version = rd_u8(&r);
        id.type = rd_u8(&r);
        id.signature = rd_be16(&r);
        which = rd_left(&r) ? rd_u8(&r) : 0;
        id.sealed = which & WHICH_SEALED;
        id.nth = which & (uint8_t)~WHICH_SEALED;
        if (r.err)
            ledger_fail(t, ERR_CORRUPT);
        if (r.err || !each(arg, &id, s.value))
            break;
    }
    scan_done(&s);
    return t->err;
}
