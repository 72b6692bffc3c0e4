/* Bytes into numbers and instants, form by form. */
#include "proto/oms_date.h"
#include "proto/recipe_priv.h"

uint64_t recipe_uint(struct span raw, bool big)
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

/* Types F, G and I of M-Bus. An instant is what a telegram says by the same bytes; a date is the beginning of its day, for recipes add
 * to it. */
static bool time_mbus(struct span raw, const struct zone *zone, int64_t *out_s)
{
    struct oms_date d;

    if (oms_date_read(raw, &d))
        return false;
    return d.precision == OMS_DAY ? recipe_civil(zone, d.civil, out_s)
                                  : !oms_date_utc(&d, zone, out_s);
}

static bool time_unix(struct span raw, bool big, int64_t *out_s)
{
    uint64_t v = recipe_uint(raw, big);

    *out_s = (int64_t)v;
    return v != 0 && v != UINT32_MAX;
}

/* A part's number: binary or two digits to the byte. */
static bool clock_number(const struct step *s, struct span raw, int64_t *out)
{
    if (s->bcd)
        return read_bcd(raw, s->big, out);
    *out = (int64_t)recipe_uint(raw, s->big);
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
    uint64_t v = recipe_uint(raw, s->big);

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
    case FORM_G:
    case FORM_I:
        out->known = time_mbus(raw, zone, &out->value);
        return;
    case FORM_CLOCK:
        out->known = time_clock(s, raw, zone, &out->value);
        return;
    }
}
