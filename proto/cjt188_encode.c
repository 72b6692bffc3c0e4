#include "proto/cjt188_encode.h"

#include "proto/base/hex.h"
#include "proto/cjt188_priv.h"

#define ADDRESS_BYTES 7
#define DAY_S 86400

/* ---- frames --------------------------------------------------------------------------------- */

/* The digits' last pair goes first. */
static bool put_address(struct span address, struct wr *w)
{
    uint8_t bytes[ADDRESS_BYTES];
    size_t len;

    if (!address.len) {
        for (size_t i = 0; i < ADDRESS_BYTES; i++)
            wr_u8(w, 0xaa);
        return true;
    }
    if (address.len != (size_t)2 * ADDRESS_BYTES || hex_read(address, bytes, sizeof bytes, &len) ||
        len != ADDRESS_BYTES)
        return false;
    for (size_t i = 0; i < ADDRESS_BYTES; i++)
        wr_u8(w, bytes[ADDRESS_BYTES - 1 - i]);
    return true;
}

static enum err put_frame(const struct cjt188_head *h, struct span data, struct wr *w)
{
    uint8_t *start = w->at, sum = 0;

    wr_u8(w, 0x68);
    wr_u8(w, h->address.len ? h->type : 0xaa);
    if (!put_address(h->address, w)) {
        w->at = start;
        return ERR_INVALID;
    }
    wr_u8(w, h->control);
    wr_u8(w, (uint8_t)data.len);
    wr_bytes(w, data);
    for (const uint8_t *at = start; at < w->at; at++)
        sum = (uint8_t)(sum + *at);
    wr_u8(w, sum);
    wr_u8(w, 0x16);
    return w->err;
}

enum err cjt188_put(const struct cjt188_head *h, struct span data, struct wr *w)
{
    uint8_t room[CJT188_DI_SER + CJT188_DATA_MOST];
    struct wr all = wr_of(room, sizeof room);

    if (data.len > CJT188_DATA_MOST)
        return ERR_INVALID;
    if (h->low_first)
        wr_le16(&all, h->di);
    else
        wr_be16(&all, h->di);
    wr_u8(&all, h->serial);
    wr_bytes(&all, data);
    return put_frame(h, wr_span(&all), w);
}

enum err cjt188_put_failure(const struct cjt188_head *h, uint16_t status, struct wr *w)
{
    uint8_t data[3] = { h->serial, (uint8_t)status, (uint8_t)(status >> 8) };

    return put_frame(h, span_of(data, sizeof data), w);
}

/* ---- data ----------------------------------------------------------------------------------- */

/* BCD, low byte first. RANGE where it is negative or too long. */
static enum err put_digits(int64_t v, size_t bytes, struct wr *w)
{
    if (v < 0)
        return ERR_RANGE;
    for (; bytes; bytes--, v /= 100)
        wr_u8(w, (uint8_t)(v / 10 % 10 << 4 | v % 10));
    return v ? ERR_RANGE : w->err;
}

enum err cjt188_put_volume(int64_t ml, uint8_t unit, struct wr *w)
{
    const struct cjt188_unit *u = cjt188_unit_of(unit);
    enum err err;

    if (!u || ml % u->hundredth_ml)
        return ERR_RANGE;
    if ((err = put_digits(ml / u->hundredth_ml, 4, w)))
        return err;
    wr_u8(w, unit);
    return w->err;
}

enum err cjt188_put_clock(const struct zone *zone, int64_t at_s, struct wr *w)
{
    struct civil c = zone_civil(zone ? zone : &lore_china, at_s);
    const int fields[6] = { c.second, c.minute, c.hour, c.day, c.month, c.year };
    enum err err;

    if (at_s == 0) {
        for (unsigned i = 0; i < 7; i++)
            wr_u8(w, 0);
        return w->err;
    }
    for (unsigned i = 0; i < 6; i++)
        if ((err = put_digits(fields[i], i < 5 ? 1 : 2, w)))
            return err;
    return ERR_OK;
}

enum err cjt188_put_metering(const struct cjt188_metering *m, struct wr *w)
{
    enum err err;

    if ((err = cjt188_put_volume(m->volume_ml, m->unit, w)) ||
        (err = cjt188_put_volume(m->settled_ml, m->unit, w)) ||
        (err = cjt188_put_clock(m->zone, m->clock_s, w)))
        return err;
    wr_le16(w, m->status);
    return w->err;
}

enum err cjt188_put_freeze(const struct cjt188_freeze *f, struct wr *w)
{
    enum err err;

    if ((err = cjt188_put_clock(f->zone, f->at_s, w)) ||
        (err = cjt188_put_volume(f->volume_ml, f->unit, w)) ||
        (err = put_digits(f->flow_mlph / 100, 4, w)))
        return err;
    wr_u8(w, 0x35);
    if ((err = put_digits(f->temperature / 10, 3, w)))
        return err;
    return put_digits(f->pressure_pa / 10, 3, w);
}

/* ---- commands ------------------------------------------------------------------------------- */

/* Cubic metres where they say it to the litre's tens, else litres. */
static enum err put_base(int64_t litres, struct wr *w)
{
    uint8_t unit = litres % 10 == 0 ? 0x2c : 0x29;
    int64_t ml;

    if (__builtin_mul_overflow(litres, 1000, &ml))
        return ERR_RANGE;
    return cjt188_put_volume(ml, unit, w);
}

/* The n-th last freeze, 0 the newest, was a day before the one behind it. */
static enum err put_history(const struct meter_command *c, struct cjt188_head *h, struct wr *out)
{
    int64_t newest = c->until < c->now_s ? (c->now_s - c->until) / DAY_S : 0;
    int64_t oldest = (c->now_s - c->value) / DAY_S;
    enum err err = ERR_OK;

    if (c->value >= c->until || c->value >= c->now_s || oldest > 0xff)
        return ERR_UNSUPPORTED;
    h->control = FUNCTION_READ;
    for (int64_t n = newest; n <= oldest && !err; n++) {
        h->di = (uint16_t)(DI_FREEZE + n);
        err = cjt188_put(h, span_of(NULL, 0), out);
    }
    return err;
}

static enum err put_command(const struct meter_command *c, struct cjt188_head *h, struct wr *out)
{
    uint8_t room[16];
    struct wr data = wr_of(room, sizeof room);
    enum err err = ERR_OK;

    switch (c->what) {
    case COMMAND_VALVE:
        h->di = DI_VALVE;
        wr_u8(&data, c->value ? 0x55 : 0x99);
        break;
    case COMMAND_BASE_INDEX:
        h->di = DI_BASE;
        h->control = FUNCTION_WRITE_BASE;
        err = put_base(c->value, &data);
        break;
    case COMMAND_TIME:
        h->di = DI_CLOCK;
        err = cjt188_put_clock(c->zone, c->value, &data);
        break;
    case COMMAND_HISTORY:
        return put_history(c, h, out);
    default:
        return ERR_UNSUPPORTED;
    }
    return err ? err : cjt188_put(h, wr_span(&data), out);
}

enum err cjt188_command(const struct meter_command *c, struct wr *out)
{
    struct cjt188_head h = {
        .type = 0x10, .address = c->meter, .control = FUNCTION_WRITE, .serial = (uint8_t)c->id
    };
    uint8_t *start = out->at;

    if (out->err)
        return out->err;
    /* Without an address the frame would be to all. */
    if (c->meter.len && put_command(c, &h, out) == ERR_OK)
        return ERR_OK;
    out->at = start;
    out->err = ERR_OK;
    return ERR_UNSUPPORTED;
}
