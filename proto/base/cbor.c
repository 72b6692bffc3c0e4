#include "proto/base/cbor.h"

enum { INFO_U8 = 24, INFO_U16, INFO_U32, INFO_U64, INFO_ENDLESS = 31 };
enum major {
    MAJOR_UNSIGNED,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE
};

/* ---- floats (IEEE 754) taken apart ---------------------------------------------------------- */

/* `bits` of a float whose fraction has `fraction` bits and whose exponent `exponent`. */
static void float_read(uint64_t bits, unsigned fraction, unsigned exponent, struct cbor *out)
{
    uint64_t most = (1u << exponent) - 1;
    uint64_t mantissa = bits & ((1ull << fraction) - 1), e = bits >> fraction & most;
    int32_t bias = (int32_t)(most / 2);

    out->kind = CBOR_FLOAT;
    out->finite = e != most;
    if (e)
        mantissa |= 1ull << fraction;
    else
        e = 1; /* denormal */
    out->power = (int32_t)e - bias - (int32_t)fraction;
    out->mantissa = bits >> (fraction + exponent) ? -(int64_t)mantissa : (int64_t)mantissa;
}

/* ---- heads ---------------------------------------------------------------------------------- */

static uint64_t argument_read(struct rd *r, unsigned info)
{
    switch (info) {
    case INFO_U8:
        return rd_u8(r);
    case INFO_U16:
        return rd_be16(r);
    case INFO_U32:
        return rd_be32(r);
    case INFO_U64:
        return rd_be64(r);
    default:
        return info;
    }
}

static void simple_read(struct rd *r, unsigned info, struct cbor *out)
{
    switch (info) {
    case INFO_U8:
        if (out->value < 32)
            rd_fail(r, ERR_MALFORMED);
        out->kind = CBOR_SIMPLE;
        break;
    case INFO_U16:
        float_read(out->value, 10, 5, out);
        break;
    case INFO_U32:
        float_read(out->value, 23, 8, out);
        break;
    case INFO_U64:
        float_read(out->value, 52, 11, out);
        break;
    case INFO_ENDLESS:
        out->kind = CBOR_BREAK;
        break;
    default:
        out->kind = CBOR_SIMPLE;
        if (info >= 20 && info <= 23)
            out->kind = (enum cbor_kind)(CBOR_FALSE + (info - 20));
    }
}

static void counted_read(struct rd *r, enum major major, struct cbor *out)
{
    uint64_t room = rd_left(r) / (major == MAJOR_MAP ? 2 : 1);

    if (out->endless)
        return;
    if (out->value > room)
        rd_fail(r, ERR_TRUNCATED);
    else if (major == MAJOR_BYTES || major == MAJOR_TEXT)
        out->bytes = rd_bytes(r, (size_t)out->value);
}

static bool info_is_allowed(enum major major, unsigned info)
{
    if (info == INFO_ENDLESS)
        return major >= MAJOR_BYTES && major != MAJOR_TAG;
    return info <= INFO_U64;
}

bool cbor_next(struct rd *r, struct cbor *out)
{
    static const enum cbor_kind kinds[] = { CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT,
                                            CBOR_ARRAY,    CBOR_MAP,      CBOR_TAG };
    uint8_t first = rd_u8(r);
    enum major major = (enum major)(first >> 5);
    unsigned info = first & 31;

    *out = (struct cbor){ .kind = CBOR_NONE };
    if (!r->err && !info_is_allowed(major, info))
        rd_fail(r, ERR_MALFORMED);
    if (r->err)
        return false;
    out->value = argument_read(r, info);
    if (r->err)
        return false;
    if (major == MAJOR_SIMPLE) {
        simple_read(r, info, out);
    } else {
        out->kind = kinds[major];
        out->endless = info == INFO_ENDLESS;
        if (major >= MAJOR_BYTES && major <= MAJOR_MAP)
            counted_read(r, major, out);
    }
    if (r->err)
        *out = (struct cbor){ .kind = CBOR_NONE };
    return !r->err;
}

/* ---- walking -------------------------------------------------------------------------------- */

struct cbor_walk cbor_walk(const struct cbor *of)
{
    if (of->kind != CBOR_ARRAY && of->kind != CBOR_MAP)
        return (struct cbor_walk){ 0 };
    return (struct cbor_walk){ .left = of->value, .endless = of->endless };
}

static bool at_break(const struct rd *r)
{
    return rd_left(r) && *r->at == 0xff;
}

bool cbor_more(struct rd *r, struct cbor_walk *w)
{
    if (r->err)
        return false;
    if (!w->endless)
        return w->left && w->left--;
    if (!at_break(r))
        return true; /* at the end of the bytes whoever reads on is told */
    rd_u8(r);
    w->endless = false;
    w->left = 0;
    return false;
}

/* What is open while an item is passed over. */
struct level {
    uint64_t left;       /* items */
    enum cbor_kind kind; /* of an endless one; else CBOR_NONE */
    bool odd;            /* of an endless map: a key was passed whose value is to come */
};

/* Whether such an item may stand in an endless string: only a piece of its own kind may. */
static bool may_stand(const struct level *in, const struct cbor *item)
{
    if (item->kind == CBOR_BREAK)
        return in->kind != CBOR_NONE && !in->odd;
    if (in->kind == CBOR_BYTES || in->kind == CBOR_TEXT)
        return item->kind == in->kind && !item->endless;
    return true;
}

static struct level level_of(const struct cbor *item)
{
    struct level l = { .kind = item->endless ? item->kind : CBOR_NONE };

    if (item->kind == CBOR_TAG)
        l.left = 1;
    else if (item->kind == CBOR_ARRAY || item->kind == CBOR_MAP)
        l.left = item->value << (item->kind == CBOR_MAP); /* no more than there are bytes left */
    return l;
}

void cbor_skip(struct rd *r)
{
    struct level levels[CBOR_DEPTH + 1] = { { .left = 1 } };
    unsigned depth = 0;
    struct cbor item;

    for (;;) {
        struct level *l = &levels[depth], inner;

        if (l->kind == CBOR_NONE && l->left == 0) {
            if (depth-- == 0)
                return;
            continue;
        }
        if (!cbor_next(r, &item))
            return;
        if (!may_stand(l, &item)) {
            rd_fail(r, ERR_MALFORMED);
            return;
        }
        if (item.kind == CBOR_BREAK) {
            depth--; /* level 0 is not endless */
            continue;
        }
        l->odd ^= l->kind == CBOR_MAP;
        l->left -= l->kind == CBOR_NONE;
        inner = level_of(&item);
        if (inner.left == 0 && inner.kind == CBOR_NONE)
            continue;
        if (depth == CBOR_DEPTH) {
            rd_fail(r, ERR_TOO_LARGE);
            return;
        }
        levels[++depth] = inner;
    }
}

bool cbor_is_int(const struct cbor *c, int64_t *out)
{
    if ((c->kind != CBOR_UNSIGNED && c->kind != CBOR_NEGATIVE) || c->value > INT64_MAX)
        return false;
    *out = c->kind == CBOR_UNSIGNED ? (int64_t)c->value : -1 - (int64_t)c->value;
    return true;
}
