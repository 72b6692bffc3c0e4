#include "proto/oms_record.h"

/* ---- tables, by index ---- */

const char *const oms_unit_names[OMS_UNIT_COUNT] = {
#define UNIT(name, text) [OMS_UNIT_##name] = (text),
#include "proto/oms_vif.def"
};

/* clang-format off */
#define VIF_ROW(from, to, quantity_, name_, unit_, power_, low_)                                   \
    [(from) ... (to)] = { .name = (name_), .quantity = OMS_##quantity_, .unit = OMS_UNIT_##unit_,      \
                      .low = OMS_LOW_##low_, .first = (from), .power = (power_) },

static const struct oms_vif primary[128] = {
#define VIF_PRIMARY VIF_ROW
#include "proto/oms_vif.def"
};

static const struct oms_vif extension_fb[128] = {
#define VIF_FB VIF_ROW
#include "proto/oms_vif.def"
};

static const struct oms_vif extension_fd[128] = {
#define VIF_FD VIF_ROW
#include "proto/oms_vif.def"
};

static const struct oms_vife combinable[128] = {
#define VIFE(from, to, effect_, text_)                                                             \
    [(from) ... (to)] = { .text = (text_), .effect = OMS_VIFE_##effect_, .first = (from) },
#include "proto/oms_vif.def"
};
/* clang-format on */

static const struct oms_vif unknown = { "unknown", OMS_OTHER, OMS_UNIT_NONE, OMS_LOW_BITS, 0, 0 };
static const struct oms_vif none = { "filler", OMS_OTHER, OMS_UNIT_NONE, OMS_LOW_BITS, 0, 0 };
static const struct oms_vif tail = { "maker_data", OMS_OTHER, OMS_UNIT_NONE, OMS_LOW_BITS, 0, 0 };
static const struct oms_vif lost = { "reserved", OMS_OTHER, OMS_UNIT_NONE, OMS_LOW_BITS, 0, 0 };

const struct oms_vife *oms_vife(uint8_t code)
{
    return &combinable[code & 0x7f];
}

enum { TYPE_INT32 = 4, TYPE_FLOAT = 5, TYPE_SELECT = 8, TYPE_VARIABLE = 13 };
enum { TYPE_SPECIAL = 15 };

static const int8_t lengths[16] = { 0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6, -1 };

int oms_length(uint8_t type)
{
    return lengths[type & 15];
}

/* ---- DIF to VIFE ---- */

struct cursor {
    const uint8_t *at, *end;
};

static enum err difes_read(struct cursor *c, struct oms_value *v)
{
    uint8_t b = v->dif;

    for (unsigned i = 0; b & 0x80; i++) {
        if (i == OMS_EXTENSIONS_MOST)
            return ERR_MALFORMED;
        if (c->at == c->end)
            return ERR_TRUNCATED;
        b = *c->at++;
        v->storage |= (uint64_t)(b & 15) << (1 + 4 * i);
        v->tariff |= (uint32_t)(b >> 4 & 3) << (2 * i);
        v->subunit |= (uint16_t)((b >> 6 & 1) << i);
    }
    return ERR_OK;
}

static void vif_take(struct oms_value *v, const struct oms_vif *vif, uint8_t code)
{
    uint8_t n;

    if (!vif->name)
        vif = &unknown;
    n = (uint8_t)((code & 0x7f) - vif->first);
    v->vif = vif;
    v->unit = vif->unit;
    v->power = vif->power;
    if (vif->low == OMS_LOW_TEN)
        v->power = (int16_t)(v->power + n);
    else if (vif->low == OMS_LOW_SPAN || vif->low == OMS_LOW_AGE)
        v->unit = (uint8_t)(v->unit + n);
}

/* The unit in words: a length and that many characters, before any VIFE. */
static enum err words_read(struct cursor *c, struct oms_value *v)
{
    size_t len = c->at < c->end ? *c->at++ : SIZE_MAX;

    if (len > (size_t)(c->end - c->at))
        return ERR_TRUNCATED;
    v->words = span_of(c->at, len);
    c->at += len;
    return ERR_OK;
}

/* The VIF and, behind FB, FD and EF, the byte that is the true one; the last byte read is `*last`. */
static enum err vif_read(struct cursor *c, struct oms_value *v, uint8_t *last)
{
    const struct oms_vif *table = NULL;
    uint8_t b;

    if (c->at == c->end)
        return ERR_TRUNCATED;
    *last = b = *c->at++;
    vif_take(v, &primary[b & 0x7f], b);
    if (b == 0xfb)
        table = extension_fb;
    else if (b == 0xfd)
        table = extension_fd;
    if (table) {
        if (c->at == c->end)
            return ERR_TRUNCATED;
        *last = b = *c->at++;
        vif_take(v, &table[b & 0x7f], b);
    }
    return v->vif->low == OMS_LOW_TEXT ? words_read(c, v) : ERR_OK;
}

static void vife_take(struct oms_value *v, uint8_t code)
{
    const struct oms_vife *e = &combinable[code & 0x7f];
    unsigned n = (code & 0x7f) - e->first;

    switch ((enum oms_effect)e->effect) {
    case OMS_VIFE_KEEPS:
        break;
    case OMS_VIFE_FORWARD:
    case OMS_VIFE_BACKWARD:
        v->direction = e->effect;
        break;
    case OMS_VIFE_PROFILE:
    case OMS_VIFE_INVERSE:
    case OMS_VIFE_REGISTERS:
        v->profile = e->effect;
        break;
    case OMS_VIFE_SCALE:
        v->power = (int16_t)(v->power + (int)n - 6);
        break;
    case OMS_VIFE_THOUSAND:
        v->power = (int16_t)(v->power + 3);
        break;
    case OMS_VIFE_SPAN:
        v->unit = (uint8_t)(OMS_UNIT_S + (n & 3));
        v->power = 0;
        v->barred = true;
        break;
    case OMS_VIFE_PLUS: /* after the number is known */
        break;
    case OMS_VIFE_BARS:
    case OMS_VIFE_DATE:
    case OMS_VIFE_MORE:
    case OMS_VIFE_OWN:
        v->barred = true;
        break;
    }
}

static enum err vifes_read(struct cursor *c, struct oms_value *v, uint8_t last)
{
    bool own = v->vif->low == OMS_LOW_OWN || v->vif->low == OMS_LOW_FAR, more = false;

    v->vifes = span_of(c->at, 0);
    for (unsigned i = 0; last & 0x80; i++) {
        if (i == OMS_EXTENSIONS_MOST)
            return ERR_MALFORMED;
        if (c->at == c->end)
            return ERR_TRUNCATED;
        last = *c->at++;
        v->vifes.len++;
        if (own || more) {
            v->barred = true;
            more = false;
            continue;
        }
        vife_take(v, last);
        more = (last & 0x7f) == 0x7c;
        own = (last & 0x7f) == 0x7f;
    }
    return ERR_OK;
}

static enum err fail(struct refusal *r, enum err err, size_t offset)
{
    return refuse(r, err, (uint32_t)offset, "record",
                  err == ERR_MALFORMED ? "more than ten extensions of one DIF or VIF"
                                       : "ends among its DIF, DIFE, VIF and VIFE");
}

/* DIFs of type F: fillers take no data, the maker's go to the end, and of the reserved ones no length is known. */
static void special_read(struct cursor *c, struct oms_value *v)
{
    if (v->dif == 0x2f || v->dif == 0x7f) {
        v->kind = OMS_IS_FILLER;
        v->vif = &none;
        while (c->at < c->end && *c->at == v->dif)
            c->at++;
        v->head = (uint16_t)(c->at - v->raw.at);
        return;
    }
    v->kind = v->dif == 0x0f || v->dif == 0x1f ? OMS_IS_TAIL : OMS_IS_LOST;
    v->vif = v->kind == OMS_IS_TAIL ? &tail : &lost;
    v->head = 1;
}

enum err oms_head_read(struct rd *rd, struct oms_value *out, struct refusal *r)
{
    struct cursor c = { rd->at, rd->end };
    uint8_t last;
    enum err err = ERR_TRUNCATED;

    memset(out, 0, sizeof *out);
    out->raw.at = rd->at;
    if (c.at == c.end)
        return fail(r, err, rd_offset(rd));
    out->dif = *c.at++;
    out->type = out->dif & 15;
    if (out->type == TYPE_SPECIAL) {
        special_read(&c, out);
        rd->at = c.at;
        return ERR_OK;
    }
    out->function = out->dif >> 4 & 3;
    out->storage = out->dif >> 6 & 1;
    if ((err = difes_read(&c, out)) || (err = vif_read(&c, out, &last)) ||
        (err = vifes_read(&c, out, last)))
        return fail(r, err, rd_offset(rd));
    out->head = (uint16_t)(c.at - out->raw.at);
    rd->at = c.at;
    return ERR_OK;
}

/* ---- numbers ---- */

static uint64_t le_read(const uint8_t *p, size_t len)
{
    uint64_t n = 0;

    while (len--)
        n = n << 8 | p[len];
    return n;
}

static void integer_read(struct oms_value *v, struct span data, bool is_unsigned)
{
    unsigned spare = 64u - 8u * (unsigned)data.len;
    uint64_t n = le_read(data.at, data.len);

    v->kind = OMS_IS_NUMBER;
    v->number = is_unsigned ? (int64_t)n : (int64_t)(n << spare) >> spare;
    if (is_unsigned && v->number < 0) {
        v->kind = OMS_IS_UNREADABLE;
        v->fault = "is not below 2^63";
    } else if (!is_unsigned && n << spare == 1ull << 63) {
        v->kind = OMS_IS_INVALID;
    }
}

/* A nibble F on top is a minus, all F no value; A to E, and F elsewhere, are no digits (some makers show overflow so). */
static void bcd_read(struct oms_value *v, struct span data)
{
    bool minus = data.at[data.len - 1] >> 4 == 15, bad = false;
    int64_t n = 0;

    for (size_t i = data.len; i--;) {
        unsigned high = minus && i == data.len - 1 ? 0 : data.at[i] >> 4, low = data.at[i] & 15;

        bad |= high > 9 || low > 9;
        n = n * 100 + (int64_t)(high * 10 + low);
    }
    v->kind = OMS_IS_NUMBER;
    v->number = minus ? -n : n;
    if (bad) {
        v->kind = span_is_all(data, 0xff) ? OMS_IS_INVALID : OMS_IS_UNREADABLE;
        v->fault = "has nibbles that are no decimal digits";
    }
}

/* m · 2^e as an exact decimal: m · 5^k / 10^k with k = -e. It keeps 18 digits, and says where more were cut off. */
static void float_read(struct oms_value *v, struct span data)
{
    uint32_t bits = (uint32_t)le_read(data.at, 4);
    int exponent = (int)(bits >> 23 & 255);
    unsigned __int128 m = bits & 0x7fffff;
    int power = 0;

    if (exponent == 255) {
        v->kind = OMS_IS_UNREADABLE;
        v->fault = "is no number (float NaN or infinity)";
        return;
    }
    m |= exponent ? 0x800000 : 0;
    exponent = (exponent ? exponent : 1) - 150;
    while (m && !(m & 1) && exponent < 0) {
        m >>= 1;
        exponent++;
    }
    if (exponent < -44) { /* 5^44 · 2^24 just fits; what is cut lies below 2^-44 */
        v->cut = m != 0;
        m >>= -44 - exponent;
        exponent = -44;
    }
    for (; exponent < 0 && m; exponent++, power--)
        m *= 5;
    if (exponent > 0)
        m <<= exponent;
    for (; m > 999999999999999999u; power++) {
        v->cut |= m % 10 != 0;
        m /= 10;
    }
    v->kind = OMS_IS_NUMBER;
    v->number = bits >> 31 ? -(int64_t)m : (int64_t)m;
    v->power = (int16_t)(v->power + power);
}

void oms_number_read(struct oms_value *v, uint8_t type, struct span data, bool is_unsigned)
{
    if (type == TYPE_FLOAT)
        float_read(v, data);
    else if (type < TYPE_SELECT)
        integer_read(v, data, is_unsigned);
    else
        bcd_read(v, data);
}

/* ---- data by type ---- */

/* 10^(low - 3) units on top, each PLUS in turn. */
static void pluses_add(struct oms_value *v)
{
    for (size_t i = 0; i < v->vifes.len; i++) {
        const struct oms_vife *e = &combinable[v->vifes.at[i] & 0x7f];
        int to = (v->vifes.at[i] & 0x7f) - e->first - 3;
        int64_t n = v->number, one = 1;
        int power = v->power;

        if (e->effect == OMS_VIFE_OWN)
            return;
        if (e->effect != OMS_VIFE_PLUS)
            continue;
        for (; power > to; power--)
            if (__builtin_mul_overflow(n, 10, &n))
                break;
        for (int k = to; k > power; k--)
            if (__builtin_mul_overflow(one, 10, &one))
                break;
        if (power > to || __builtin_add_overflow(n, one, &n)) {
            v->kind = OMS_IS_UNREADABLE;
            v->fault = "is too large for its correction";
            return;
        }
        v->number = n;
        v->power = (int16_t)power;
    }
}

static bool says_date(const struct oms_value *v)
{
    if (v->vif->low == OMS_LOW_DATE)
        return true;
    if (v->vif->low == OMS_LOW_OWN || v->vif->low == OMS_LOW_FAR)
        return false;
    for (size_t i = 0; i < v->vifes.len; i++) {
        uint8_t effect = combinable[v->vifes.at[i] & 0x7f].effect;

        if (effect == OMS_VIFE_DATE || effect == OMS_VIFE_OWN)
            return effect == OMS_VIFE_DATE;
    }
    return false;
}

static void date_take(struct oms_value *v)
{
    enum err err = oms_date_read(v->data, &v->date);

    v->kind = err == ERR_OK          ? OMS_IS_DAY
              : err == ERR_NOT_FOUND ? OMS_IS_INVALID
                                     : OMS_IS_UNREADABLE;
    v->fault = "is no date of a known length";
}

static void fixed_take(struct oms_value *v, uint8_t type)
{
    bool integer = type < TYPE_SELECT && type != TYPE_FLOAT;

    if (says_date(v) && integer) {
        date_take(v);
        return;
    }
    switch (v->vif->low) {
    case OMS_LOW_BITS:
    case OMS_LOW_OWN:
    case OMS_LOW_FAR:
        v->kind = OMS_IS_PATTERN;
        return;
    case OMS_LOW_DIGITS:
        v->kind = !integer && span_is_all(v->data, 0xff) ? OMS_IS_INVALID : OMS_IS_PATTERN;
        if (!integer)
            return;
        break;
    default:
        break;
    }
    oms_number_read(v, type, v->data,
                    v->vif->low == OMS_LOW_COUNT || v->vif->low == OMS_LOW_DIGITS);
    if (v->kind == OMS_IS_NUMBER && v->vifes.len)
        pluses_add(v);
}

/* What LVAR says: how many bytes follow. Below C0 it is text, C and D are decimal, E and F binary, F8 a long float. */
static bool variable_len(uint8_t lvar, bool profile, size_t *len)
{
    static const uint8_t long_ones[16] = { 16, 20, 24, 28, 32, 48, 64, [8] = 8 };
    unsigned low = lvar & 15;

    *len = low;
    if (lvar < 0xc0)
        *len = lvar;
    else if (lvar >= 0xf0)
        *len = long_ones[low];
    else if (lvar < 0xe0 && low > 9)
        return false;
    return lvar < 0xc0 || (!profile && (lvar < 0xf0 || *len));
}

static void variable_take(struct oms_value *v, uint8_t lvar)
{
    v->kind = OMS_IS_PATTERN;
    if (v->profile && v->data.len >= 2) {
        v->kind = OMS_IS_PROFILE;
    } else if (v->data.len == 0) {
        v->kind = OMS_IS_NOTHING;
    } else if (lvar < 0xc0) {
        v->kind = OMS_IS_TEXT;
    } else if (lvar < 0xe0) {
        bcd_read(v, v->data);
        if (v->kind == OMS_IS_NUMBER && lvar >= 0xd0)
            v->number = -v->number;
    } else if (lvar < 0xf0 && v->data.len <= 8) {
        fixed_take(v, TYPE_INT32);
    }
    if (v->kind == OMS_IS_NUMBER && lvar < 0xe0)
        pluses_add(v);
}

static enum err short_of(struct refusal *r, const struct oms_value *v, const struct rd *rd,
                         size_t len)
{
    bool here = v->raw.at >= rd->start && v->raw.at <= rd->end;

    return refuse(r, ERR_TRUNCATED, (uint32_t)((here ? v->raw.at : rd->at) - rd->start), "record",
                  "%s: its data take %zu bytes, %zu are left", v->vif->name, len, rd_left(rd));
}

static enum err variable_read(struct rd *rd, struct oms_value *v, struct refusal *r)
{
    size_t left = rd_left(rd), len = 0;
    uint8_t lvar;

    if (left == 0)
        return short_of(r, v, rd, 1);
    lvar = *rd->at;
    if (!variable_len(lvar, v->profile, &len)) {
        v->kind = OMS_IS_LOST;
        v->fault = "has a reserved length";
        v->data = span_of(rd->at, left);
        rd->at = rd->end;
        return ERR_OK;
    }
    if (len > left - 1)
        return short_of(r, v, rd, 1 + len);
    v->data = span_of(rd->at + 1, len);
    rd->at += 1 + len;
    variable_take(v, lvar);
    return ERR_OK;
}

enum err oms_data_read(struct rd *rd, struct oms_value *v, struct refusal *r)
{
    size_t len;

    if (v->kind == OMS_IS_FILLER)
        return ERR_OK;
    if (v->type == TYPE_SPECIAL) {
        v->data = span_of(rd->at, rd_left(rd));
        rd->at = rd->end;
        return ERR_OK;
    }
    if (v->type == TYPE_VARIABLE)
        return variable_read(rd, v, r);
    len = (size_t)lengths[v->type];
    if (len > rd_left(rd))
        return short_of(r, v, rd, len);
    v->data = span_of(rd->at, len);
    rd->at += len;
    if (len == 0)
        v->kind = OMS_IS_NOTHING;
    else
        fixed_take(v, v->type);
    return ERR_OK;
}

enum err oms_record_read(struct rd *rd, struct oms_value *out, struct refusal *r)
{
    struct rd before = *rd;
    enum err err;

    if ((err = oms_head_read(rd, out, r)) || (err = oms_data_read(rd, out, r))) {
        *rd = before;
        return err;
    }
    out->raw.len = (size_t)(rd->at - out->raw.at);
    return ERR_OK;
}
