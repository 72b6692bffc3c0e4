/* Bytes into numbers and instants, form by form. */
#include "proto/recipe_priv.h"

static uint64_t read_uint(struct span raw, bool big)
{
    uint64_t v = 0;

    for (size_t i = 0; i < raw.len; i++)
        v = v << 8 | raw.at[big ? i : raw.len - 1 - i];
    return v;
}

static bool read_bcd(struct span raw, bool big, int64_t *out)
{
    int64_t v = 0;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t byte = raw.at[big ? i : raw.len - 1 - i];

        if (byte >> 4 > 9 || (byte & 15) > 9)
            return false; /* an unreadable wheel, or "no value" */
        v = v * 100 + (int64_t)(byte >> 4) * 10 + (byte & 15);
    }
    *out = v;
    return true;
}

bool recipe_civil(const struct zone *zone, struct civil c, int64_t *out_s)
{
    return day_valid(c) && !zone_utc(zone, c, out_s);
}

/* EN 13757-3 annex A, type G: the date in two bytes; a year of 100 and more is none. */
static struct civil date_g(uint8_t low, uint8_t high)
{
    return (struct civil){ .year = 2000 + ((low >> 5) | ((high & 0xf0) >> 1)),
                           .month = high & 15,
                           .day = low & 31 };
}

static bool time_g(struct span raw, const struct zone *zone, int64_t *out_s)
{
    struct civil c = date_g(raw.at[0], raw.at[1]);

    return c.year < 2100 && recipe_civil(zone, c, out_s);
}

/* Type F: minute, hour, date; the bit 0x80 of the first byte says that the clock is not set. */
static bool time_f(struct span raw, const struct zone *zone, int64_t *out_s)
{
    struct civil c = date_g(raw.at[2], raw.at[3]);

    c.minute = raw.at[0] & 63;
    c.hour = raw.at[1] & 31;
    return !(raw.at[0] & 0x80) && c.year < 2100 && recipe_civil(zone, c, out_s);
}

/* Type I: second, minute, hour, date, week; the bit 0x80 of the second byte likewise. */
static bool time_i(struct span raw, const struct zone *zone, int64_t *out_s)
{
    struct civil c = date_g(raw.at[3], raw.at[4]);

    c.second = raw.at[0] & 63;
    c.minute = raw.at[1] & 63;
    c.hour = raw.at[2] & 31;
    return !(raw.at[1] & 0x80) && c.year < 2100 && recipe_civil(zone, c, out_s);
}

static bool time_unix(struct span raw, bool big, int64_t *out_s)
{
    uint64_t v = read_uint(raw, big);

    *out_s = (int64_t)v;
    return v != 0 && v != UINT32_MAX;
}

/* A part's number: binary or two digits to the byte. */
static bool clock_number(const struct step *s, struct span raw, int64_t *out)
{
    if (s->bcd)
        return read_bcd(raw, s->big, out);
    *out = (int64_t)read_uint(raw, s->big);
    return true;
}

static void clock_take(struct civil *c, int32_t *century, enum clock_part part, int64_t v)
{
    switch (part) {
    case CLOCK_CENTURY:
        *century = (int32_t)v * 100;
        break;
    case CLOCK_YEAR:
    case CLOCK_YEAR4:
        c->year = (int32_t)v;
        break;
    case CLOCK_MONTH:
        c->month = (uint8_t)v;
        break;
    case CLOCK_DAY:
        c->day = (uint8_t)v;
        break;
    case CLOCK_HOUR:
        c->hour = (uint8_t)v;
        break;
    case CLOCK_MINUTE:
        c->minute = (uint8_t)v;
        break;
    case CLOCK_SECOND:
        c->second = (uint8_t)v;
        break;
    case CLOCK_PASS:
        break;
    }
}

static bool time_clock(const struct step *s, struct span raw, const struct zone *zone,
                       int64_t *out_s)
{
    struct civil c = { 0 };
    int32_t century = 2000;
    size_t at = 0;

    for (unsigned i = 0; i < s->clock_count; i++) {
        size_t len = s->clock[i] == CLOCK_YEAR4 ? 2 : 1;
        int64_t v = 0;

        if (s->clock[i] != CLOCK_PASS && !clock_number(s, span_of(raw.at + at, len), &v))
            return false;
        clock_take(&c, &century, (enum clock_part)s->clock[i], v);
        if (s->clock[i] == CLOCK_YEAR4)
            century = 0;
        at += len;
    }
    c.year += century;
    return c.year <= 9999 && recipe_civil(zone, c, out_s);
}

static bool is_invalid(const struct recipe *recipe, const struct step *s, uint64_t raw)
{
    for (unsigned i = 0; i < s->pool_count; i++)
        if ((uint64_t)recipe->pool[s->pool + i] == raw)
            return true;
    return false;
}

static bool number_read(const struct recipe *recipe, const struct step *s, struct span raw,
                        int64_t *out)
{
    uint64_t v = read_uint(raw, s->big);

    if (s->pool_count && is_invalid(recipe, s, v))
        return false;
    if (s->form == FORM_INT && raw.len && raw.len < 8)
        v = (v ^ 1ULL << (8 * raw.len - 1)) - (1ULL << (8 * raw.len - 1));
    *out = (int64_t)v;
    return s->form == FORM_INT || v <= INT64_MAX;
}

/* What nobody ever wrote: zeros, blanks, or erased memory. */
static bool is_blank(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.at[i] != 0 && raw.at[i] != ' ' && raw.at[i] != 0xff)
            return false;
    return true;
}

void recipe_form_read(const struct recipe *recipe, const struct step *s, const struct zone *zone,
                      struct span raw, struct slot *out)
{
    out->raw = raw;
    out->form = s->form;
    out->value = 0;
    switch ((enum form)s->form) {
    case FORM_UINT:
    case FORM_INT:
        out->known = number_read(recipe, s, raw, &out->value);
        return;
    case FORM_BCD:
        out->known = read_bcd(raw, s->big, &out->value) &&
                     !(s->pool_count && is_invalid(recipe, s, (uint64_t)out->value));
        return;
    case FORM_ASCII:
    case FORM_HEX:
        out->value = (int64_t)raw.len;
        out->known = !is_blank(raw);
        return;
    case FORM_UNIX:
        out->known = time_unix(raw, s->big, &out->value);
        return;
    case FORM_F:
        out->known = time_f(raw, zone, &out->value);
        return;
    case FORM_G:
        out->known = time_g(raw, zone, &out->value);
        return;
    case FORM_I:
        out->known = time_i(raw, zone, &out->value);
        return;
    case FORM_CLOCK:
        out->known = time_clock(s, raw, zone, &out->value);
        return;
    }
}
