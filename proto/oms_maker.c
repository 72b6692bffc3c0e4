#include "proto/oms_maker.h"

#include "proto/base/rd.h"
#include "proto/oms_crypt.h"
#include "proto/oms_open.h"
#include "proto/oms_ring.h"
#include "proto/trace.h"

#define DIEHL_SEED                                                                                 \
    15 /* L C M2 A6 CI and four bytes: what seeds the register stands before what it hides */
#define DIEHL_KEY 8
#define APATOR_CLEAR 2

struct opening {
    const struct dialect_input *in;
    const struct frame_names *names;
    struct oms_telegram *t;
    struct arena *arena;
    struct refusal *why;
};

static enum err copy_records(struct opening *o, uint8_t **out)
{
    const struct span records = o->t->records;

    *out = (uint8_t *)arena_alloc(o->arena, records.len);
    if (!*out)
        return refuse(o->why, ERR_NO_MEMORY, 0, "", "the arena is full");
    if (records.len)
        memcpy(*out, records.at, records.len);
    return ERR_OK;
}

static void take(struct opening *o, const uint8_t *copy)
{
    o->t->records = span_of(copy, o->t->records.len);
    trace_layer(o->in->trace, "decrypted", o->t->records);
}

/* ---- Diehl ---- */

/* As the meters leave the factory: tried where no key of the meter was entered. */
static const uint8_t diehl_keys[2][DIEHL_KEY] = {
    { 0x39, 0xbc, 0x8a, 0x10, 0xe6, 0x6d, 0x83, 0xf8 },
    { 0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8 },
};

static uint32_t word(const uint8_t *at)
{
    struct rd rd = rd_of(span_of(at, 4));

    return rd_be32(&rd);
}

/* Eight steps of the register for each byte; its taps are the bits 1, 2, 11 and 31. */
static void shift_through(uint32_t state, struct span in, uint8_t *out)
{
    for (size_t i = 0; i < in.len; i++) {
        for (int step = 0; step < 8; step++)
            state = state << 1 | ((state >> 1 ^ state >> 2 ^ state >> 11 ^ state >> 31) & 1);
        out[i] = in.at[i] ^ (uint8_t)state;
    }
}

static void diehl_try(const struct oms_telegram *t, const uint8_t *key, uint8_t *out)
{
    const uint8_t *at = t->telegram.at;
    uint32_t seed = word(key) ^ word(key + 4) ^ word(at + 2) ^ word(at + 6) ^ word(at + 10);

    shift_through(seed, span_of(at + DIEHL_SEED, t->telegram.len - DIEHL_SEED), out);
}

/* What proves the key: behind CI A0 to A7 a first byte 4B; else a sum, seven bits of it, that the header bears, and records. */
static bool diehl_fits(const struct oms_telegram *t, const uint8_t *text, size_t len)
{
    uint8_t sum = 0;

    if (t->ci >= 0xa0)
        return text[0] == 0x4b;
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + text[i]);
    return ((sum ^ t->telegram.at[DIEHL_SEED - 1]) & 0xef) == 0 && oms_is_plain(span_of(text, len));
}

static enum err diehl(struct opening *o)
{
    struct oms_telegram *t = o->t;
    struct oms_ring ring = oms_ring_of(o->in, o->names, "Diehl's own cipher", DIEHL_KEY);
    size_t before = DIEHL_SEED - t->records_at, len = t->telegram.len - DIEHL_SEED;
    uint8_t *copy;
    enum err err = copy_records(o, &copy);

    if (err)
        return err;
    for (unsigned i = 0; i < (ring.known ? ring.count : 2); i++) {
        diehl_try(t, i < ring.count ? ring.at[i] : diehl_keys[i - ring.count], copy + before);
        if (!diehl_fits(t, copy + before, len))
            continue;
        take(o, copy);
        t->content = t->ci >= 0xa0 ? OMS_LAYOUT : OMS_RECORDS;
        return ERR_OK;
    }
    if (t->ci < 0xa0) { /* else there may be a recipe for such instruments */
        t->content = oms_is_plain(t->records) ? OMS_RECORDS : OMS_LAYOUT;
        return ERR_OK;
    }
    return oms_ring_refuse(&ring, o->in, o->names, "4B", t->records_at, o->why);
}

/* ---- Apator ---- */

/* 2F at the beginning, and nothing in the last three bytes but the topmost bit: 31 bits that a wrong key will not make. */
static bool apator_fits(const uint8_t text[OMS_BLOCK])
{
    return text[0] == 0x2f && !text[13] && !text[14] && !(text[15] & 0x7f);
}

static enum err apator(struct opening *o)
{
    struct oms_ring ring = oms_ring_of(o->in, o->names, "Apator's own, AES-128", OMS_KEY);
    const struct span sealed = span_of(o->t->records.at + APATOR_CLEAR, OMS_BLOCK);
    uint8_t iv[OMS_BLOCK], *copy;
    enum err err = copy_records(o, &copy);

    if (err)
        return err;
    oms_address_write(&o->t->link, iv);
    memset(iv + 8, o->t->records.at[0], 8);
    for (unsigned i = 0; i < ring.count; i++) {
        bool proved; /* by 2F 2F, which is not how these begin */

        if (oms_cbc_open(ring.at[i], iv, sealed, copy + APATOR_CLEAR, &proved))
            return refuse(o->why, ERR_NO_MEMORY, 0, "", "no memory to decipher in");
        if (!apator_fits(copy + APATOR_CLEAR))
            continue;
        take(o, copy);
        return ERR_OK;
    }
    return oms_ring_refuse(&ring, o->in, o->names, "2F", o->t->records_at, o->why);
}

/* ---- which ---- */

static bool is_diehl(const struct oms_telegram *t)
{
    if (!t->has_link || !oms_of_diehl(t->link.maker) || t->telegram.len <= DIEHL_SEED)
        return false;
    /* No layer between link and CI: the seed's bytes are counted from there. */
    if (t->ci >= 0xa0 && t->ci <= 0xa7)
        return t->records_at == 11;
    return t->ci == 0x7a && t->records_at == DIEHL_SEED;
}

static bool is_apator(const struct oms_telegram *t)
{
    return t->has_link && t->link.maker == OMS_MAKER('A', 'P', 'A') && t->link.version == 0x14 &&
           t->link.type == 0x07 && (t->ci == 0xa0 || t->ci == 0xa1) &&
           t->records.len >= APATOR_CLEAR + OMS_BLOCK;
}

enum err oms_maker_open(const struct dialect_input *in, const struct frame_names *names,
                        struct oms_telegram *t, struct arena *a, struct refusal *r)
{
    struct opening o = { in, names, t, a, r };

    if (is_diehl(t))
        return diehl(&o);
    return is_apator(t) ? apator(&o) : ERR_OK;
}
