#include "proto/oms_encode.h"

#include "proto/oms_crypt.h"
#include "proto/oms_layers.h"

#include <assert.h>

#define BODY_MOST 256

/* What the modes do to the records: fillers up to whole blocks before they are sealed. */
struct body {
    uint8_t bytes[BODY_MOST];
    struct wr w;
    size_t sealed; /* of them */
};

static enum err put_body(const struct oms_writing *of, struct body *b)
{
    size_t block = of->mode == 2 ? OMS_DES_KEY : OMS_BLOCK;
    size_t inside = of->records.len - of->clear;

    b->w = wr_of(b->bytes, sizeof b->bytes);
    if (!of->mode) {
        wr_bytes(&b->w, of->records);
        return b->w.err ? ERR_TOO_LARGE : ERR_OK;
    }
    wr_u8(&b->w, 0x2f);
    wr_u8(&b->w, 0x2f);
    wr_bytes(&b->w, span_of(of->records.at, inside));
    while (!b->w.err && wr_len(&b->w) % block)
        wr_u8(&b->w, 0x2f);
    b->sealed = wr_len(&b->w);
    wr_bytes(&b->w, span_of(of->records.at + inside, of->clear));
    return b->w.err || b->sealed > 15 * block ? ERR_TOO_LARGE : ERR_OK;
}

static enum err seal_body(const struct oms_writing *of, struct body *b)
{
    static const uint8_t zeros[OMS_BLOCK];
    const struct oms_address *meter = oms_ci_is_long(of->ci) ? &of->meter : &of->link;
    struct span in = span_of(b->bytes, b->sealed);
    struct oms_message_keys keys;
    uint8_t iv[OMS_BLOCK];
    enum err err;

    switch (of->mode) {
    case 0:
        return ERR_OK;
    case 2:
        return oms_des_seal(of->key, in, b->bytes);
    case 5:
        oms_address_write(meter, iv);
        memset(iv + 8, of->access, 8);
        return oms_cbc_seal(of->key, iv, in, b->bytes);
    case 7:
        err = oms_derive(of->key, of->counter, meter->id, &keys);
        return err ? err : oms_cbc_seal(keys.enc, zeros, in, b->bytes);
    default:
        return ERR_UNSUPPORTED;
    }
}

static uint16_t config_of(const struct oms_writing *of, const struct body *b)
{
    size_t len = of->mode == 2 ? b->sealed : b->sealed / OMS_BLOCK << 4;

    return (uint16_t)(of->mode << 8 | (int)len);
}

static void put_tpl(const struct oms_writing *of, const struct body *b, struct wr *w)
{
    wr_u8(w, of->ci);
    if (oms_ci_is_long(of->ci)) {
        wr_le32(w, of->meter.id);
        wr_le16(w, of->meter.maker);
        wr_u8(w, of->meter.version);
        wr_u8(w, of->meter.type);
    }
    if (oms_ci_has_header(of->ci)) {
        wr_u8(w, of->access);
        wr_u8(w, of->status);
        wr_le16(w, config_of(of, b));
        if (of->mode == 7)
            wr_u8(w, 0x10); /* CFE: keys derived by CMAC, key 0 */
    }
    wr_bytes(w, wr_span(&b->w));
}

/* 90 0F 002C 25 C4 MAC8: the MAC goes over MCL, counter and all that follows. */
static enum err put_afl(const struct oms_writing *of, struct span tpl, struct wr *w)
{
    const struct oms_address *meter = oms_ci_is_long(of->ci) ? &of->meter : &of->link;
    struct oms_message_keys keys;
    uint8_t head[5], mac[OMS_BLOCK];
    struct wr h = wr_of(head, sizeof head);
    struct span parts[2];
    enum err err = oms_derive(of->key, of->counter, meter->id, &keys);

    wr_u8(&h, 0x25);
    wr_le32(&h, of->counter);
    parts[0] = wr_span(&h);
    parts[1] = tpl;
    if (!err)
        err = oms_cmac(keys.mac, parts, 2, mac);
    wr_u8(w, 0x90);
    wr_u8(w, 0x0f);
    wr_le16(w, 0x2c00);
    wr_bytes(w, parts[0]);
    wr_bytes(w, span_of(mac, 8));
    return err;
}

static void put_receiver(const struct oms_writing *of, struct wr *w)
{
    uint8_t m2_a6[8];

    oms_address_write(&of->receiver, m2_a6);
    wr_bytes(w, span_of(m2_a6, sizeof m2_a6));
}

/* The payload with its CRC before it, enciphered where the session says so. */
static enum err put_session(const struct oms_writing *of, struct span payload, struct wr *w)
{
    uint8_t clear[2 * BODY_MOST], first[OMS_BLOCK] = { 0 };
    struct wr c = wr_of(clear, sizeof clear), f = wr_of(first, sizeof first);
    enum err err = ERR_OK;

    wr_le16(&c, oms_crc(payload));
    wr_bytes(&c, payload);
    oms_address_write(&of->link, first);
    f.at += 8;
    wr_u8(&f, of->cc & 0xed);
    wr_le32(&f, of->session);
    if (of->session >> 29 == 1)
        err = oms_ctr(of->key, first, wr_span(&c), clear);
    wr_le32(w, of->session);
    wr_bytes(w, wr_span(&c));
    return err ? err : c.err;
}

static enum err put_ell(const struct oms_writing *of, struct span payload, struct wr *w)
{
    if (of->ell) {
        wr_u8(w, of->ell);
        wr_u8(w, of->cc);
        wr_u8(w, of->access);
    }
    if (of->ell >= 0x8e)
        put_receiver(of, w);
    if (of->ell & 1)
        return put_session(of, payload, w);
    wr_bytes(w, payload);
    return ERR_OK;
}

static void put_blocks(struct span plain, size_t first, size_t further, struct wr *out)
{
    for (size_t at = 0, len = first; at < plain.len; at += len, len = further) {
        struct span block;

        len = plain.len - at < len ? plain.len - at : len;
        block = span_of(plain.at + at, len);
        wr_bytes(out, block);
        wr_be16(out, oms_crc(block));
    }
}

static enum err wireless(const struct oms_writing *of, struct span layers, struct wr *out)
{
    uint8_t plain[2 * BODY_MOST], m2_a6[8];
    struct wr w = wr_of(plain, sizeof plain);
    size_t len = 9 + layers.len;

    if (of->form == OMS_FORM_B)
        len += layers.len + 10 > 126 ? 4 : 2;
    if (len > 255)
        return ERR_TOO_LARGE;
    wr_u8(&w, (uint8_t)len);
    wr_u8(&w, of->c ? of->c : 0x44);
    oms_address_write(&of->link, m2_a6);
    wr_bytes(&w, span_of(m2_a6, sizeof m2_a6));
    wr_bytes(&w, layers);
    if (of->form == OMS_FORM_A)
        put_blocks(wr_span(&w), 10, 16, out);
    else if (of->form == OMS_FORM_B)
        put_blocks(wr_span(&w), 126, 126, out);
    else
        wr_bytes(out, wr_span(&w));
    return out->err;
}

static enum err wired(const struct oms_writing *of, struct span layers, struct wr *out)
{
    uint8_t c = of->c ? of->c : 0x08, sum = (uint8_t)(c + of->primary);

    if (layers.len + 2 > 255)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < layers.len; i++)
        sum = (uint8_t)(sum + layers.at[i]);
    wr_u8(out, 0x68);
    wr_u8(out, (uint8_t)(layers.len + 2));
    wr_u8(out, (uint8_t)(layers.len + 2));
    wr_u8(out, 0x68);
    wr_u8(out, c);
    wr_u8(out, of->primary);
    wr_bytes(out, layers);
    wr_u8(out, sum);
    wr_u8(out, 0x16);
    return out->err;
}

enum err oms_encode(const struct oms_writing *of, struct wr *out)
{
    uint8_t tpl[2 * BODY_MOST], upper[2 * BODY_MOST], layers[3 * BODY_MOST];
    struct wr t = wr_of(tpl, sizeof tpl), u = wr_of(upper, sizeof upper),
              l = wr_of(layers, sizeof layers);
    struct body body = { .sealed = 0 };
    enum err err;

    assert(of->clear <= of->records.len);
    err = put_body(of, &body);
    if (err || (err = seal_body(of, &body)))
        return err;
    put_tpl(of, &body, &t);
    if (of->mode == 7 && (err = put_afl(of, wr_span(&t), &u)))
        return err;
    wr_bytes(&u, wr_span(&t));
    err = u.err ? ERR_TOO_LARGE : put_ell(of, wr_span(&u), &l);
    if (err || l.err)
        return err ? err : ERR_TOO_LARGE;
    return of->form == OMS_FORM_WIRED ? wired(of, wr_span(&l), out)
                                      : wireless(of, wr_span(&l), out);
}
