/* What stands behind DI and SER in a reply to a read: a line of the table for each identifier, a
 * function for each layout. */
#include <stdio.h>

#include "proto/cjt188_priv.h"
#include "proto/recipe.h"

#define VOLUME_BYTES 5
#define CLOCK_BYTES 7
#define SMALL_BYTES 3 /* temperature, pressure, a price */
#define FIELD_TEXT 40

/* ---- numbers -------------------------------------------------------------------------------- */

bool cjt188_digits(struct span raw, int64_t *out)
{
    int64_t v = 0;

    for (size_t i = raw.len; i > 0; i--) {
        uint8_t high = raw.at[i - 1] >> 4, low = raw.at[i - 1] & 15;

        if (high > 9 || low > 9)
            return false;
        v = v * 100 + (int64_t)high * 10 + low;
    }
    *out = v;
    return true;
}

/* The number as people read it; nibbles that are no digits as '?'. */
static const char *put_number(char out[FIELD_TEXT], struct span raw, unsigned decimals)
{
    size_t len = 0, digits = 2 * raw.len;
    bool begun = false;

    for (size_t i = 0; i < digits; i++) {
        uint8_t byte = raw.at[raw.len - 1 - i / 2], digit = i % 2 ? byte & 15 : byte >> 4;
        size_t left = digits - i;

        if (decimals && left == decimals)
            out[len++] = '.';
        begun |= digit != 0 || left <= decimals + 1;
        if (begun)
            out[len++] = (char)(digit > 9 ? '?' : '0' + digit);
    }
    out[len] = 0;
    return out;
}

const struct cjt188_unit *cjt188_unit_of(uint8_t code)
{
    static const struct cjt188_unit units[] = {
        { 0x29, "L", 10 },     { 0x2a, "10 L", 100 },     { 0x2b, "100 L", 1000 },
        { 0x2c, "m3", 10000 }, { 0x2d, "10 m3", 100000 }, { 0x2e, "100 m3", 1000000 },
    };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].code == code)
            return &units[i];
    return NULL;
}

/* The next `len` bytes of the data; the item's length was checked. */
static struct span take(struct cjt188 *c, size_t len)
{
    struct span raw = span_of(c->data.at, len);

    c->data = span_of(c->data.at + len, c->data.len - len);
    return raw;
}

/* Four BCD bytes with two decimals, and a unit.  `*out_ml` is −1 where a wheel cannot be read. */
static enum err volume_read(struct cjt188 *c, const char *field, const char *meaning,
                            int64_t *out_ml)
{
    struct span raw = take(c, VOLUME_BYTES), number = span_of(raw.at, 4);
    const struct cjt188_unit *unit = cjt188_unit_of(raw.at[4]);
    int64_t hundredths = -1;
    char text[FIELD_TEXT];

    put_number(text, number, 2);
    if (!unit) {
        trace_field(c->trace, raw, field, "", "its unit is none of volume: another layout",
                    "%s unit %02X", text, raw.at[4]);
        return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, raw.at + 4), field,
                      "expected a unit of volume (29 to 2E), found %02X: the layout is another one",
                      raw.at[4]);
    }
    if (cjt188_digits(number, &hundredths))
        trace_field(c->trace, raw, field, unit->name, meaning, "%s", text);
    else
        trace_field(c->trace, raw, field, unit->name, "a wheel cannot be read: no value", "%s",
                    text);
    *out_ml = hundredths < 0 ? -1 : hundredths * unit->hundredth_ml;
    return ERR_OK;
}

/* ss mm hh DD MM YY CC, local.  True and the instant where it is one. */
static bool clock_read(struct cjt188 *c, const char *field, int64_t *out_utc_s)
{
    struct span raw = take(c, CLOCK_BYTES);
    int64_t n[CLOCK_BYTES] = { 0 };
    struct civil at;
    bool good = true;

    if (span_is_all(raw, 0) || span_is_all(raw, 0xff)) {
        trace_field(c->trace, raw, field, "", "not set", "none");
        return false;
    }
    for (size_t i = 0; i < CLOCK_BYTES; i++)
        good &= cjt188_digits(span_of(raw.at + i, 1), &n[i]);
    at = (struct civil){ .year = (int32_t)(n[6] * 100 + n[5]),
                         .month = (uint8_t)n[4],
                         .day = (uint8_t)n[3],
                         .hour = (uint8_t)n[2],
                         .minute = (uint8_t)n[1],
                         .second = (uint8_t)n[0] };
    good = good && day_valid(at) && !zone_utc(lore_zone(c->in), at, out_utc_s) && *out_utc_s != 0;
    if (!good)
        c->f.status |= STATUS_CLOCK_LOST;
    trace_field(c->trace, raw, field, "", good ? "local time" : "no time that there is",
                "%02X%02X-%02X-%02X %02X:%02X:%02X", raw.at[6], raw.at[5], raw.at[4], raw.at[3],
                raw.at[2], raw.at[1], raw.at[0]);
    return good;
}

void cjt188_status(struct cjt188 *c, struct span st)
{
    static const char *const valves[4] = { "valve open", "valve closed",
                                           "valve in a state of the maker's", "valve faulty" };
    uint8_t low = st.at[0], valve = low & 3;

    if (valve == 1)
        c->f.status |= STATUS_VALVE_CLOSED;
    if (valve == 3)
        c->f.status |= STATUS_VALVE_FAULT;
    if (low & 4)
        c->f.status |= STATUS_BATTERY_LOW;
    c->f.status |= ((uint32_t)st.at[0] | (uint32_t)st.at[1] << 8) << STATUS_RAW_SHIFT;
    trace_field(c->trace, span_of(st.at, 1), "status", "", low & 4 ? "battery low" : "", "%02X %s",
                low, valves[valve]);
    trace_field(c->trace, span_of(st.at + 1, 1), "status.maker", "",
                "the maker's own, kept as it is", "%02X", st.at[1]);
}

static enum err reading_add(struct cjt188 *c, enum channel channel, int64_t at_s, int64_t value)
{
    enum err err = gather_add(&c->g, channel, at_s, value);

    return err ? refuse(c->r, err, 0, "", "no memory left") : ERR_OK;
}

/* ---- layouts -------------------------------------------------------------------------------- */

/* Volume now, volume at the last settlement day, clock, status.  The second has no date of its own:
 * the same register at an instant that the frame does not tell, so it is no reading. */
static enum err read_metering(struct cjt188 *c, const struct cjt188_item *item)
{
    int64_t now_ml = -1, settled_ml = -1, clock_s = 0;
    enum err err;

    (void)item;
    if ((err = volume_read(c, "volume", "", &now_ml)) ||
        (err = volume_read(c, "volume.settled",
                           "at the last settlement day, of which no date is sent: no reading",
                           &settled_ml)))
        return err;
    if (clock_read(c, "clock", &clock_s))
        c->f.sent_s = clock_s;
    cjt188_status(c, take(c, 2));
    if (now_ml < 0) {
        c->f.status |= STATUS_SENSOR_FAULT;
        return ERR_OK;
    }
    return reading_add(c, CHANNEL_BILLED, c->f.sent_s ? c->f.sent_s : c->in->arrival_s, now_ml);
}

static enum err read_clock(struct cjt188 *c, const struct cjt188_item *item)
{
    int64_t clock_s;

    (void)item;
    if (clock_read(c, "clock", &clock_s))
        c->f.sent_s = clock_s;
    return ERR_OK;
}

/* The n-th last settlement day: which date that was, the frame does not tell. */
static enum err read_settled(struct cjt188 *c, const struct cjt188_item *item)
{
    int64_t ml;
    char field[FIELD_TEXT];

    snprintf(field, sizeof field, "volume.settled[-%u]", c->di - item->from + 1u);
    return volume_read(c, field, "of that many settlement days ago; no date is sent: no reading",
                       &ml);
}

/* Four BCD bytes with four decimals, and a unit of flow.  Nobody keeps flows; the unit tells whether the layout is this one. */
static enum err flow_read(struct cjt188 *c)
{
    static const char *const units[] = {
        "L/h", "10 L/h", "100 L/h", "m3/h", "10 m3/h", "100 m3/h"
    };
    struct span raw = take(c, VOLUME_BYTES);
    char text[FIELD_TEXT];

    if (raw.at[4] < 0x32 || raw.at[4] > 0x37)
        return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, raw.at + 4), "flow",
                      "expected a unit of flow (32 to 37), found %02X: the layout is another one",
                      raw.at[4]);
    trace_field(c->trace, raw, "flow", units[raw.at[4] - 0x32], "", "%s",
                put_number(text, span_of(raw.at, 4), 4));
    return ERR_OK;
}

/* Three BCD bytes with two decimals; nothing where a nibble is no digit: meters without the sensor fill it so. */
static enum err small_read(struct cjt188 *c, const char *field, const char *unit, bool timed,
                           enum channel channel, int64_t at_s)
{
    struct span raw = take(c, SMALL_BYTES);
    char text[FIELD_TEXT];
    int64_t hundredths;
    bool good = cjt188_digits(raw, &hundredths);

    trace_field(c->trace, raw, field, unit, good ? "" : "no digits: no value", "%s",
                put_number(text, raw, 2));
    return good && timed ? reading_add(c, channel, at_s, hundredths * 10) : ERR_OK;
}

/* Clock, volume, flow, temperature, pressure, as they were at that instant.  The standard as we know
 * it names no unit of pressure: kPa, of which six digits with two decimals hold what pipes do. */
static enum err read_freeze(struct cjt188 *c, const struct cjt188_item *item)
{
    int64_t at_s = 0, ml = -1;
    bool timed = clock_read(c, "frozen_at", &at_s);
    enum err err;

    trace_field(c->trace, span_of(NULL, 0), "frozen", "",
                timed ? "" : "without its time: no readings", "%u back", c->di - item->from);
    if ((err = volume_read(c, "volume", "", &ml)) || (err = flow_read(c)))
        return err;
    if (ml < 0)
        c->f.status |= STATUS_SENSOR_FAULT;
    else if (timed && (err = reading_add(c, CHANNEL_BILLED, at_s, ml)))
        return err;
    if ((err = small_read(c, "temperature", "degrees", timed, CHANNEL_TEMPERATURE, at_s)))
        return err;
    return small_read(c, "pressure", "kPa", timed, CHANNEL_PRESSURE, at_s);
}

static enum err read_prices(struct cjt188 *c, const struct cjt188_item *item)
{
    static const struct {
        const char *field, *unit;
        unsigned decimals;
    } fields[5] = { { "price[1]", "yuan", 2 },
                    { "volume[1]", "m3", 0 },
                    { "price[2]", "yuan", 2 },
                    { "volume[2]", "m3", 0 },
                    { "price[3]", "yuan", 2 } };
    char text[FIELD_TEXT];

    (void)item;
    for (size_t i = 0; i < 5; i++) {
        struct span raw = take(c, SMALL_BYTES);

        trace_field(c->trace, raw, fields[i].field, fields[i].unit, "", "%s",
                    put_number(text, raw, fields[i].decimals));
    }
    return ERR_OK;
}

static enum err read_byte(struct cjt188 *c, const struct cjt188_item *item)
{
    struct span raw = take(c, 1);

    trace_field(c->trace, raw, item->name, "", "", "%02X", raw.at[0]);
    return ERR_OK;
}

/* Known by name, of no use to us. */
static enum err read_named(struct cjt188 *c, const struct cjt188_item *item)
{
    if (c->data.len)
        trace_field(c->trace, c->data, item->name, "", "passed over", "%zu bytes", c->data.len);
    return ERR_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

/* clang-format off */
static const struct cjt188_item items[] = {
    { 0x901f, 0x901f, 19, "metering data",              read_metering },
    { 0xd300, 0xd3ff, 23, "timed freeze",               read_freeze },
    { 0xd400, 0xd4ff, 23, "instant freeze",             read_freeze },
    { 0xd120, 0xd12b,  5, "volume at a settlement day", read_settled },
    { 0xd200, 0xd2ff,  5, "volume at a settlement day", read_settled },
    { 0x907f, 0x907f,  7, "clock",                      read_clock },
    { 0x911f, 0x911f, -1, "heat and cooling",           read_named },
    { 0x8102, 0x8102, 15, "table of prices",            read_prices },
    { 0x8103, 0x8103,  1, "settlement day",             read_byte },
    { 0x8104, 0x8104,  1, "reading day",                read_byte },
    { 0x8105, 0x8105, -1, "amounts purchased",          read_named },
    { 0x8106, 0x8106,  1, "version of key",             read_byte },
    { 0x810a, 0x810a, -1, "address",                    read_named },
    { 0x8120, 0x8120, -1, "day of making",              read_named },
    { 0x8121, 0x8121, -1, "parameters",                 read_named },
    { 0xa010, 0xa010, -1, "table of prices",            read_named },
    { 0xa011, 0xa011, -1, "settlement day",             read_named },
    { 0xa012, 0xa012, -1, "reading day",                read_named },
    { 0xa013, 0xa013, -1, "purchase",                   read_named },
    { 0xa014, 0xa014, -1, "new key",                    read_named },
    { 0xa015, 0xa015, -1, "clock",                      read_named },
    { 0xa016, 0xa016, -1, "base index",                 read_named },
    { 0xa017, 0xa017, -1, "valve",                      read_named },
    { 0xa018, 0xa018, -1, "address",                    read_named },
    { 0xa019, 0xa019, -1, "works' release",             read_named },
    { 0xa101, 0xa101, -1, "verification begins",        read_named },
    { 0xa102, 0xa102, -1, "verification ends",          read_named },
    { 0xa103, 0xa103, -1, "communication",              read_named },
    { 0xa104, 0xa104, -1, "freezing",                   read_named },
    { 0xa105, 0xa105, -1, "volume of alarm",            read_named },
    { 0xa106, 0xa106, -1, "amount of alarm",            read_named },
    { 0xa107, 0xa107, -1, "change of key",              read_named },
};
/* clang-format on */

const struct cjt188_item *cjt188_item_of(uint16_t di)
{
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (di >= items[i].from && di <= items[i].to)
            return &items[i];
    return NULL;
}

/* What the register says of the meter's layout: a recipe, or nothing (then `*out` is NULL). */
static enum err recipe_of_meter(struct cjt188 *c, const struct recipe **out)
{
    struct span profile = lore_profile(c->in, lore_meter(c->in, &c->f.names));

    *out = NULL;
    if (!profile.len || dialect_by_name(profile))
        return ERR_OK;
    *out = lore_recipe(c->in, profile);
    if (*out)
        return ERR_OK;
    return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, c->data.at), "data",
                  "the register says that the meter sends '%.*s', which is no recipe that we have",
                  (int)profile.len, (const char *)profile.at);
}

enum err cjt188_read(struct cjt188 *c)
{
    const struct cjt188_item *item = cjt188_item_of(c->di);
    const struct recipe *recipe = NULL;
    struct trace before;
    enum err err;

    if (c->di == DI_METERING && (err = recipe_of_meter(c, &recipe)))
        return err;
    if (recipe) {
        before = trace_layer(c->trace, "data, by recipe", c->data);
        err = recipe_decode(recipe, c->in, c->data, &c->g, &c->f, c->r);
        trace_back(c->trace, &before);
        return err;
    }
    if (!item)
        return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, c->data.at) - CJT188_DI_SER,
                      "identifier", "no table tells what %04X is", c->di);
    if (item->length >= 0 && c->data.len != (size_t)item->length)
        return refuse(c->r, ERR_NO_RECIPE, cjt188_offset(c, c->data.at), "data",
                      "%04X (%s) has %d bytes, found %zu: the layout is another one", c->di,
                      item->name, item->length, c->data.len);
    return item->read(c, item);
}
