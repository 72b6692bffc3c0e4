#include "proto/oms_open.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/oms_record.h"
#include "proto/oms_ring.h"
#include "proto/trace.h"

#include <openssl/crypto.h>

/* ---- keys ---- */

static struct oms_ring keys_of(const struct oms_open *o, const char *mode, size_t len)
{
    return oms_ring_of(o->in, o->names, mode, len);
}

static enum err stays_shut(const struct oms_open *o, const struct oms_ring *ring, const char *proof)
{
    return oms_ring_refuse(ring, o->in, o->names, proof, o->offset, o->why);
}

static enum err no_room(const struct oms_open *o)
{
    return refuse(o->why, ERR_NO_MEMORY, 0, "", "no memory to decipher in");
}

/* ---- ELL ---- */

static bool payload_fits(struct span crc_and_payload)
{
    struct rd rd = rd_of(crc_and_payload);
    uint16_t crc = rd_le16(&rd);

    return oms_crc(span_of(rd.at, rd_left(&rd))) == crc;
}

static void counter_block(const struct oms_open *o, uint8_t cc, uint8_t out[OMS_BLOCK])
{
    struct wr w = wr_of(out, OMS_BLOCK);

    oms_address_write(&o->t->link, out);
    w.at += 8;
    wr_u8(
        &w,
        cc &
            0xed); /* relayed or not, and the bit of a repeated access, are the radio's to change */
    wr_le32(&w, o->t->session);
    memset(w.at, 0, 3); /* FN2, BC1 */
}

/* Tries each key. The CRC in the clear fits where a gateway deciphered the telegram already. */
static enum err session_ctr(struct oms_open *o, uint8_t cc, struct span sealed, struct span *out)
{
    struct oms_ring ring = keys_of(o, "extended link layer", OMS_KEY);
    uint8_t block[OMS_BLOCK], *copy = arena_alloc(o->arena, sealed.len);

    if (!copy)
        return no_room(o);
    counter_block(o, cc, block);
    *out = span_of(copy, sealed.len);
    for (unsigned i = 0; i < ring.count; i++) {
        if (oms_ctr(ring.at[i], block, sealed, copy))
            return no_room(o);
        if (payload_fits(*out)) {
            o->t->sealed = true;
            return ERR_OK;
        }
    }
    if (!payload_fits(sealed))
        return stays_shut(o, &ring, "its payload CRC");
    *out = sealed;
    return ERR_OK;
}

enum err oms_open_session(struct oms_open *o, uint8_t cc, struct span sealed,
                          struct span *out_clear)
{
    unsigned mode = o->t->session >> 29;
    struct span clear = sealed;
    enum err err = ERR_OK;

    if (sealed.len < 2)
        return refuse(o->why, ERR_TRUNCATED, o->offset, "ell", "ends within its ell");
    if (mode > 1 || !o->t->has_link)
        return refuse(o->why, ERR_UNSUPPORTED, o->offset - 4, "ell.sn",
                      "enciphering mode %u of the extended link layer", mode);
    if (mode == 1)
        err = session_ctr(o, cc, sealed, &clear);
    else if (!payload_fits(sealed))
        err = refuse(o->why, ERR_MALFORMED, o->offset, "ell.crc", "the payload's CRC does not fit");
    if (err)
        return err;
    if (clear.at != sealed.at)
        trace_layer(o->in->trace, "decrypted", clear);
    trace_field(o->in->trace, span_of(clear.at, 2), "ell.crc", "", "CRC of the payload, fits",
                "%02X%02X", clear.at[1], clear.at[0]);
    *out_clear = span_of(clear.at + 2, clear.len - 2);
    return ERR_OK;
}

/* ---- records in the clear already ---- */

/* Whole records to the very end; what a maker's tail holds is not asked. */
static bool is_records(struct span bytes)
{
    struct rd rd = rd_of(bytes);
    struct oms_value v;

    while (rd_left(&rd))
        if (oms_record_read(&rd, &v, NULL) || v.kind == OMS_IS_LOST)
            return false;
    return true;
}

bool oms_is_plain(struct span bytes)
{
    const uint8_t *at = bytes.at;
    struct rd rd = rd_of(bytes);
    struct oms_value v;

    if (bytes.len < 2 || (at[0] != 0x04 && at[0] != 0x0c) || at[1] < 0x13 || at[1] > 0x16)
        return false; /* the register first, in litres to cubic metres */
    while (rd_left(&rd)) {
        if (oms_record_read(&rd, &v, NULL))
            return false;
        if (v.kind != OMS_IS_FILLER &&
            (v.kind > OMS_IS_INVALID || v.barred || v.vif->quantity == OMS_OTHER))
            return false;
    }
    return true;
}

/* A gateway that holds the keys may decipher, and leave the header as it was. Of enciphered telegrams one in 65 536 begins likewise, so
 * all of it has to read as records. */
static bool is_clear(const struct oms_open *o, struct span body)
{
    return body.len >= 2 && body.at[0] == 0x2f && body.at[1] == 0x2f &&
           (o->t->content != OMS_RECORDS || is_records(body));
}

/* `whole` begins with 2F 2F. */
static enum err take(struct oms_open *o, struct span whole, bool deciphered)
{
    if (deciphered)
        trace_layer(o->in->trace, "decrypted", whole);
    trace_field(o->in->trace, span_of(whole.at, 2), "check", "",
                deciphered ? "the key fits" : "deciphered before it came here", "2F2F");
    o->t->records = span_of(whole.at + 2, whole.len - 2);
    o->t->records_at = o->offset + 2;
    return ERR_OK;
}

/* ---- the transport layer's modes ---- */

/* Enciphered bytes of modes 5 and 7. */
static size_t sealed_len(const struct oms_open *o)
{
    return (size_t)(o->t->config >> 4 & 15) * OMS_BLOCK;
}

static enum err check_blocks(const struct oms_open *o, struct span body, size_t len)
{
    if (len <= body.len)
        return ERR_OK;
    return refuse(o->why, ERR_TRUNCATED, o->offset + (uint32_t)body.len, "tpl.cf",
                  "CF says %zu enciphered bytes, there are %zu", len, body.len);
}

/* The published key of Diehl's meters as they leave the factory; a utility that asked for none of its own has this one. It proves
 * nothing, so it is tried only where no key of the meter was entered. */
static const uint8_t diehl_key[OMS_KEY] = { 0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8,
                                            0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8 };

/* Copies what stands behind the enciphered bytes to where they were deciphered. */
static struct span with_tail(uint8_t *copy, size_t len, struct span body)
{
    memcpy(copy + len, body.at + len, body.len - len);
    return span_of(copy, body.len);
}

static enum err mode_5(struct oms_open *o, struct span body)
{
    struct oms_ring ring = keys_of(o, "mode 5", OMS_KEY);
    const bool factory = ring.known == 0 && oms_of_diehl(o->t->meter.maker);
    size_t len = sealed_len(o);
    uint8_t iv[OMS_BLOCK], *copy = arena_alloc(o->arena, body.len);
    bool proved = false;
    enum err err;

    if ((err = check_blocks(o, body, len)))
        return err;
    if (!copy)
        return no_room(o);
    oms_address_write(&o->t->meter, iv);
    memset(iv + 8, o->t->access, 8);
    for (unsigned i = 0; i < ring.count + factory && !proved; i++)
        if (oms_cbc_open(i < ring.count ? ring.at[i] : diehl_key, iv, span_of(body.at, len), copy,
                         &proved))
            return no_room(o);
    o->t->sealed |= proved && !factory;
    if (proved)
        return take(o, with_tail(copy, len, body), true);
    return is_clear(o, body) ? take(o, body, false) : stays_shut(o, &ring, "2F 2F");
}

static enum err mode_2(struct oms_open *o, struct span body)
{
    struct oms_ring ring = keys_of(o, "mode 2, DES", OMS_DES_KEY);
    size_t len = o->t->config & 0xff;
    uint8_t *copy = arena_alloc(o->arena, body.len);
    bool proved = false;
    enum err err;

    if ((err = check_blocks(o, body, len)))
        return err;
    if (len % OMS_DES_KEY)
        return refuse(o->why, ERR_MALFORMED, o->offset - 2, "tpl.cf",
                      "expected a multiple of 8 enciphered bytes, found %zu", len);
    if (!copy)
        return no_room(o);
    for (unsigned i = 0; i < ring.count && !proved; i++)
        if (oms_des_open(ring.at[i], span_of(body.at, len), copy, &proved))
            return no_room(o);
    o->t->sealed |= proved;
    if (proved)
        return take(o, with_tail(copy, len, body), true);
    return is_clear(o, body) ? take(o, body, false) : stays_shut(o, &ring, "2F 2F");
}

/* ---- mode 7 ---- */

static enum err mac_of(const struct oms_afl *afl, const uint8_t *key, uint8_t out[OMS_BLOCK])
{
    uint8_t head[8];
    struct wr w = wr_of(head, sizeof head);
    struct span parts[2];

    wr_u8(&w, afl->mcl);
    wr_le32(&w, afl->counter);
    if (afl->has_length)
        wr_le16(&w, afl->length);
    parts[0] = wr_span(&w);
    parts[1] = afl->covered;
    return oms_cmac(key, parts, 2, out);
}

/* Derives the message's keys from `key`, and says whether its MAC is theirs. */
static enum err try_key(const struct oms_open *o, const struct oms_afl *afl, const uint8_t *key,
                        struct oms_message_keys *out, bool *out_good)
{
    uint8_t mac[OMS_BLOCK];
    enum err err = oms_derive(key, afl->counter, o->t->meter.id, out);

    if (!err)
        err = mac_of(afl, out->mac, mac);
    *out_good = !err && CRYPTO_memcmp(mac, afl->mac.at, afl->mac.len) == 0;
    return err;
}

static bool is_cmac(const struct oms_afl *afl)
{
    return afl->has_mac && afl->mac.len && (afl->mcl & 15) != 8;
}

enum err oms_authenticate(struct oms_open *o, const struct oms_afl *afl)
{
    struct oms_ring ring;
    bool good = false;

    if (!is_cmac(afl) || !afl->has_counter || !o->t->has_meter)
        return ERR_OK;
    ring = keys_of(o, "authenticated", OMS_KEY);
    for (unsigned i = 0; i < ring.count && !good; i++)
        if (try_key(o, afl, ring.at[i], &o->keys, &good))
            return no_room(o);
        else if (good)
            o->t->key_mark = crc32c(0, ring.at[i], OMS_KEY);
    o->t->mac_good = good;
    o->t->sealed |= good;
    if (good)
        trace_field(o->in->trace, afl->mac, "afl.mac", "", "the MAC fits", "authentic");
    return good || !ring.count ? ERR_OK : stays_shut(o, &ring, "the MAC");
}

static enum err check_mode_7(const struct oms_open *o, const struct oms_afl *afl, uint8_t cfe)
{
    if (!afl->has_counter || !afl->has_mac)
        return refuse(o->why, ERR_MALFORMED, o->offset - 2, "tpl.cf",
                      "mode 7 wants an AFL before it, with counter and MAC");
    if (!is_cmac(afl))
        return refuse(o->why, ERR_UNSUPPORTED, afl->at + 2, "afl.mcl",
                      "a MAC of kind %u is no CMAC", afl->mcl & 15);
    if ((cfe >> 4 & 3) != 1)
        return refuse(o->why, ERR_UNSUPPORTED, o->offset, "tpl.cfe",
                      "keys derived by function %u (1 is what OMS uses)", cfe >> 4 & 3);
    return ERR_OK;
}

static enum err open_7(struct oms_open *o, struct span body)
{
    static const uint8_t zeros[OMS_BLOCK];
    struct oms_ring ring = keys_of(o, "mode 7", OMS_KEY);
    size_t len = sealed_len(o);
    uint8_t *copy = arena_alloc(o->arena, body.len);
    bool proved = false;

    if (!copy)
        return no_room(o);
    if (!o->t->mac_good)
        return is_clear(o, body) ? take(o, body, false) : stays_shut(o, &ring, "the MAC");
    if (!len) { /* authentic all the same */
        o->t->records = body;
        o->t->records_at = o->offset;
        return ERR_OK;
    }
    if (oms_cbc_open(o->keys.enc, zeros, span_of(body.at, len), copy, &proved))
        return no_room(o);
    return proved ? take(o, with_tail(copy, len, body), true) : stays_shut(o, &ring, "2F 2F");
}

static enum err mode_7(struct oms_open *o, const struct oms_afl *afl, struct span body)
{
    enum err err;

    if (!body.len)
        return refuse(o->why, ERR_TRUNCATED, o->offset, "tpl", "ends within its tpl");
    if ((err = check_mode_7(o, afl, body.at[0])))
        return err;
    trace_field(o->in->trace, span_of(body.at, 1), "tpl.cfe", "", "", "key %u", body.at[0] & 15);
    o->offset++;
    body = span_of(body.at + 1, body.len - 1);
    if ((err = check_blocks(o, body, sealed_len(o))))
        return err;
    return open_7(o, body);
}

static const char *mode_text(unsigned mode)
{
    static const char *const of[16] = { [3] = "DES with a vector",
                                        [4] = "AES-128 CBC without vector",
                                        [6] = "reserved",
                                        [8] = "AES-128 CTR with CMAC",
                                        [9] = "AES-128 GCM",
                                        [10] = "AES-128 CCM",
                                        [13] = "TLS",
                                        [15] = "of the maker's" };

    return mode < 16 && of[mode] ? of[mode] : "reserved";
}

enum err oms_open_records(struct oms_open *o, const struct oms_afl *afl, struct span body)
{
    unsigned mode = o->t->config >> 8 & 31;

    if (mode == 0 || (mode == 5 && !sealed_len(o)) || (mode == 2 && !(o->t->config & 0xff)))
        return ERR_OK;
    if (mode == 1 || mode >= 16) {
        o->t->content = OMS_LAYOUT;
        return ERR_OK;
    }
    if (mode != 2 && mode != 5 && mode != 7)
        return refuse(o->why, ERR_UNSUPPORTED, o->offset - 2, "tpl.cf", "security mode %u (%s)",
                      mode, mode_text(mode));
    if (!o->t->has_meter)
        return refuse(o->why, ERR_UNSUPPORTED, o->offset - 2, "tpl.cf",
                      "security mode %u without the meter's address (short header, wired)", mode);
    if (mode == 7)
        return mode_7(o, afl, body);
    return mode == 5 ? mode_5(o, body) : mode_2(o, body);
}
