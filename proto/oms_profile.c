#include "proto/oms_profile.h"

#define DAY_S 86400
#define MONTHS_MOST 12000

static bool spacing_read(unsigned unit, unsigned spacing, struct oms_spacing *s)
{
    static const uint32_t seconds[3] = { 1, 60, 3600 };
    static const uint32_t months[4] = { 0, 6, 3, 1 };

    if (spacing == 0)
        *s = (struct oms_spacing){ OMS_NO_STEP, 0 };
    else if (spacing <= 250 && unit < 3)
        *s = (struct oms_spacing){ OMS_SECONDS, spacing * seconds[unit] };
    else if (spacing <= 250)
        *s = (struct oms_spacing){ OMS_DAYS, spacing };
    else if (spacing == 253 && unit == 3)
        *s = (struct oms_spacing){ OMS_HALF_MONTHS, 1 };
    else if (spacing == 254 && months[unit])
        *s = (struct oms_spacing){ OMS_MONTHS, months[unit] };
    else
        return false;
    return true;
}

enum err oms_profile_open(const struct oms_value *v, const struct oms_value *base,
                          struct oms_profile *out, const char **why)
{
    struct oms_profile p = { .inverse = v->profile == OMS_VIFE_INVERSE };
    uint8_t control = v->data.at[0];

    p.mode = (enum oms_mode)(control >> 6);
    p.type = control & 15;
    p.entries = span_of(v->data.at + 2, v->data.len - 2);
    if (oms_length(p.type) <= 0) {
        *why = "the type of its values is reserved";
        return ERR_MALFORMED;
    }
    if (!spacing_read(control >> 4 & 3, v->data.at[1], &p.spacing)) {
        *why = "its spacing is reserved";
        return ERR_MALFORMED;
    }
    if (base && base->kind == OMS_IS_NUMBER) {
        p.value = base->number;
        p.has_value = true;
    }
    *out = p;
    return ERR_OK;
}

/* From the neighbour that is nearer to the base. */
static bool step_take(struct oms_profile *p, int64_t by)
{
    bool up = (p->mode == OMS_DECREMENTS) == p->inverse;

    return up ? !__builtin_add_overflow(p->value, by, &p->value)
              : !__builtin_sub_overflow(p->value, by, &p->value);
}

bool oms_profile_next(struct oms_profile *p, struct oms_entry *out)
{
    size_t width = (size_t)oms_length(p->type);
    bool is_unsigned = p->mode == OMS_INCREMENTS || p->mode == OMS_DECREMENTS;
    struct oms_value v = { 0 };

    if (p->ended || p->entries.len < width)
        return false;
    out->raw = span_of(p->entries.at, width);
    p->entries = span_of(p->entries.at + width, p->entries.len - width);
    out->index = ++p->index;
    oms_number_read(&v, p->type, out->raw, is_unsigned);
    if (v.kind == OMS_IS_NUMBER && v.power) {
        v.kind = OMS_IS_UNREADABLE;
        v.fault = "has a fraction, where the record's unit allows none";
    }
    if (is_unsigned && span_is_all(out->raw, 0xff))
        v.kind = OMS_IS_INVALID;
    if (p->mode != OMS_ABSOLUTE) {
        p->ended = v.kind != OMS_IS_NUMBER || !step_take(p, v.number);
        if (p->ended)
            return false;
        v.number = p->value;
        if (!p->has_value) {
            v.kind = OMS_IS_UNREADABLE;
            v.fault = "has no base value in the telegram";
        }
    }
    out->kind = v.kind;
    out->fault = v.fault;
    out->number = v.number;
    return true;
}

/* ---- times ---- */

/* A month's halves end with the 15th and its last day; other days keep their place within the half. */
static struct oms_date half_months(struct oms_date d, int64_t n)
{
    unsigned length = day_month_length(d.civil.year, d.civil.month);
    bool end = d.civil.day == 15 || d.civil.day == length;
    int64_t half = (d.civil.year * 12ll + d.civil.month - 1) * 2 + (d.civil.day > 15) + n;
    unsigned day = d.civil.day > 15 ? d.civil.day - 15u : d.civil.day;

    d.civil.year = (int32_t)(half / 24);
    d.civil.month = (uint8_t)(half / 2 % 12 + 1);
    length = day_month_length(d.civil.year, d.civil.month);
    if (half % 2)
        day = end || day + 15 > length ? length : day + 15;
    else if (end)
        day = 15;
    d.civil.day = (uint8_t)day;
    return d;
}

static struct oms_date days(struct oms_date d, int64_t n)
{
    d.civil = day_civil(day_utc(d.civil) + n * DAY_S);
    return d;
}

enum err oms_spacing_time(const struct oms_spacing *s, const struct oms_date *base,
                          const struct zone *z, int64_t n, int64_t *out_utc_s)
{
    struct oms_date d = *base;
    enum err err;

    if (base->precision == OMS_TIME_OF_DAY)
        return ERR_NOT_FOUND;
    if (n > MONTHS_MOST * 31ll * DAY_S || n < -MONTHS_MOST * 31ll * DAY_S)
        return ERR_RANGE;
    n *= s->each;
    if (n > MONTHS_MOST * 31ll * DAY_S || n < -MONTHS_MOST * 31ll * DAY_S ||
        (s->step != OMS_SECONDS && (n > MONTHS_MOST || n < -MONTHS_MOST)))
        return ERR_RANGE;
    switch (s->step) {
    case OMS_NO_STEP:
        return ERR_NOT_FOUND;
    case OMS_SECONDS:
        if ((err = oms_date_utc(base, z, out_utc_s)))
            return err;
        *out_utc_s += n;
        return ERR_OK;
    case OMS_DAYS:
        d = days(d, n);
        break;
    case OMS_HALF_MONTHS:
        d = half_months(d, n);
        break;
    case OMS_MONTHS:
        d = oms_date_months(d, n);
        break;
    }
    return oms_date_utc(&d, z, out_utc_s);
}
