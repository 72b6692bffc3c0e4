#include "proto/oms_reading.h"

#include "proto/gather.h"

#define DAY_S 86400

/* ---- units ---- */

/* 1 US gallon is 231 cubic inches, 1 cubic foot 1728, an inch 25.4 mm: in 10^-6 mL. */
#define GAL_10_6ML 3785411784ll
#define FT3_10_6ML 28316846592ll

/* number · factor · 10^power, to the nearest whole; halves away from zero. */
static enum err scale_factor(int64_t number, int64_t factor, int power, int64_t *out)
{
    __int128 n = (__int128)number * factor;

    for (; power > 0 && n; power--) {
        if (n > INT64_MAX || n < INT64_MIN)
            return ERR_RANGE;
        n *= 10;
    }
    for (; power < -1 && n; power++)
        n /= 10;
    if (power < 0)
        n = (n + (n < 0 ? -5 : 5)) / 10;
    if (n > INT64_MAX || n < INT64_MIN)
        return ERR_RANGE;
    *out = (int64_t)n;
    return ERR_OK;
}

/* Thousandths of litres, kPa or degrees. */
static enum err thousandths(const struct oms_value *v, int64_t number, struct oms_reading *out)
{
    int64_t *value = &out->sample.value;
    int power = v->power;

    switch (v->unit) {
    case OMS_UNIT_M3:
        power += 6;
        break;
    case OMS_UNIT_BAR:
        power += 5;
        break;
    case OMS_UNIT_C:
        power += 3;
        break;
    case OMS_UNIT_FT3:
        out->note = "rounded to 1 mL";
        return scale_factor(number, FT3_10_6ML, power - 6, value);
    case OMS_UNIT_GAL:
        out->note = "rounded to 1 mL";
        return scale_factor(number, GAL_10_6ML, power - 6, value);
    default:
        return ERR_UNSUPPORTED;
    }
    if (power < 0 && scale_ten(number, power, true, value))
        out->note = "digits below a thousandth are cut off";
    return scale_ten(number, power, false, value);
}

/* ---- what a record is of ---- */

static bool channel_of(const struct oms_value *v, enum channel *out)
{
    switch (v->vif->quantity) {
    case OMS_VOLUME:
        *out = v->direction == OMS_VIFE_FORWARD    ? CHANNEL_FORWARD
               : v->direction == OMS_VIFE_BACKWARD ? CHANNEL_REVERSE
                                                   : CHANNEL_BILLED;
        return true;
    case OMS_FLOW_TEMPERATURE:
        *out = CHANNEL_TEMPERATURE;
        return !v->direction;
    case OMS_PRESSURE:
        *out = CHANNEL_PRESSURE;
        return !v->direction;
    default:
        return false;
    }
}

static unsigned place_of(enum channel c)
{
    return c == CHANNEL_BILLED ? CHANNEL_COUNT : (unsigned)c;
}

static bool is_plain(const struct oms_value *v)
{
    return v->function == OMS_INSTANTANEOUS && !v->tariff && !v->subunit && !v->barred;
}

/* A date or age about the values of a storage number, not about something else. */
static bool is_about(const struct oms_value *v, uint64_t storage, enum oms_quantity quantity)
{
    return v->storage == storage && v->vif->quantity == quantity && is_plain(v) &&
           v->vifes.len == 0;
}

static const struct oms_date *date_of(const struct oms_records *r, uint64_t storage)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct oms_value *v = &r->values[i];

        if (is_about(v, storage, OMS_DATE) && v->kind == OMS_IS_DAY &&
            v->date.precision != OMS_TIME_OF_DAY)
            return &v->date;
    }
    return NULL;
}

/* ---- the telegram as a whole ---- */

static int64_t age_of(const struct oms_value *v)
{
    static const int64_t each_s[4] = { 1, 60, 3600, DAY_S };

    if (!is_about(v, 0, OMS_AGE) || v->kind != OMS_IS_NUMBER || v->number < 0 ||
        v->number > INT32_MAX)
        return 0;
    return v->number * each_s[v->unit - OMS_UNIT_S];
}

static void clock_take(struct oms_records *r, const struct oms_value *v)
{
    int64_t sent_s;

    if (r->sent_s || !is_about(v, 0, OMS_DATE) || v->kind != OMS_IS_DAY ||
        v->date.precision == OMS_DAY || oms_date_utc(&v->date, r->zone, &sent_s))
        return;
    r->sent_s = sent_s;
}

/* Some meters send two registers under one DIF and VIF; the first is the one on the dial, whether or not it has a value today. */
static bool is_repeated(const struct oms_records *r, const struct oms_value *v)
{
    for (const struct oms_value *o = r->values; o < v; o++)
        if (o->vif == v->vif && o->storage == v->storage && o->head == v->head &&
            memcmp(o->raw.at, v->raw.at, v->head) == 0)
            return true;
    return false;
}

static void current_take(struct oms_records *r, const struct oms_value *v)
{
    struct oms_reading at = { .note = "" };
    enum channel c;
    unsigned place;

    if (v->kind != OMS_IS_NUMBER || v->storage || v->profile || !is_plain(v) || !channel_of(v, &c))
        return;
    place = place_of(c);
    if (r->has_current[place] || is_repeated(r, v) || thousandths(v, v->number, &at))
        return;
    r->current[place] = at.sample.value;
    r->has_current[place] = true;
}

void oms_records_survey(struct oms_records *r)
{
    int64_t age_s = 0;

    r->sent_s = 0;
    memset(r->has_current, 0, sizeof r->has_current);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct oms_value *v = &r->values[i];

        switch (v->vif->quantity) {
        case OMS_DATE:
            clock_take(r, v);
            break;
        case OMS_AGE:
            age_s = age_s ? age_s : age_of(v);
            break;
        case OMS_OTHER:
            break;
        default:
            current_take(r, v);
        }
    }
    if (age_s > r->heard_s) /* before 1970: it is none */
        age_s = 0;
    r->now_s = r->sent_s ? r->sent_s : r->heard_s - age_s;
}

/* ---- when ---- */

static bool spacing_of(const struct oms_value *v, struct oms_spacing *out)
{
    static const uint32_t seconds[3] = { 1, 60, 3600 };

    if (v->kind != OMS_IS_NUMBER || v->number < 1 || v->number > 65535)
        return false;
    if (v->unit == OMS_UNIT_S || v->unit == OMS_UNIT_MIN || v->unit == OMS_UNIT_H)
        *out = (struct oms_spacing){ OMS_SECONDS,
                                     (uint32_t)v->number * seconds[v->unit - OMS_UNIT_S] };
    else if (v->unit == OMS_UNIT_D)
        *out = (struct oms_spacing){ OMS_DAYS, (uint32_t)v->number };
    else
        *out = (struct oms_spacing){ OMS_MONTHS,
                                     (uint32_t)v->number * (v->unit == OMS_UNIT_YEAR ? 12 : 1) };
    return true;
}

static bool same_register(const struct oms_value *a, const struct oms_value *b)
{
    return a->vif == b->vif && a->unit == b->unit && a->power == b->power &&
           a->direction == b->direction && a->function == b->function && a->tariff == b->tariff &&
           a->subunit == b->subunit && a->barred == b->barred;
}

static const struct oms_value *register_at(const struct oms_records *r,
                                           const struct oms_value *like, uint64_t storage)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct oms_value *v = &r->values[i];

        if (v->storage == storage && !v->profile && v->kind == OMS_IS_NUMBER &&
            same_register(v, like))
            return v;
    }
    return NULL;
}

/* Meters store the latest value first, so a block falls with its numbers; one that rises was stored the other way round. */
static bool block_rises(const struct oms_records *r, const struct oms_value *first)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct oms_value *v = &r->values[i];

        if (v->storage > first->storage && !v->profile && v->kind == OMS_IS_NUMBER &&
            v->number > first->number && same_register(v, first))
            return true;
    }
    return false;
}

/* By the interval between stored values, which stands at the block's first number. */
static enum err block_time(const struct oms_records *r, const struct oms_value *v, int64_t *out_s)
{
    const struct oms_value *interval = NULL, *first;
    const struct oms_date *date;
    struct oms_spacing spacing;
    int64_t steps;

    for (uint32_t i = 0; i < r->count; i++) {
        const struct oms_value *at = &r->values[i];

        if (at->vif->quantity == OMS_INTERVAL && at->storage < v->storage &&
            is_about(at, at->storage, OMS_INTERVAL) &&
            (!interval || at->storage > interval->storage))
            interval = at;
    }
    if (!interval || v->storage - interval->storage > 1000 || !spacing_of(interval, &spacing))
        return ERR_NOT_FOUND;
    date = date_of(r, interval->storage);
    first = register_at(r, v, interval->storage);
    if (!date || !first)
        return ERR_NOT_FOUND;
    steps = (int64_t)(v->storage - interval->storage);
    return oms_spacing_time(&spacing, date, r->zone, block_rises(r, first) ? steps : -steps, out_s);
}

static enum err time_of(const struct oms_records *r, const struct oms_value *v, int64_t *out_s)
{
    const struct oms_date *date;

    if (v->storage == 0) {
        *out_s = r->now_s;
        return ERR_OK;
    }
    date = date_of(r, v->storage);
    return date ? oms_date_utc(date, r->zone, out_s) : block_time(r, v, out_s);
}

/* ---- whether ---- */

/* The least integer, 80 00 …, sent as the base of a profile under a decimal type: the meter says "none", the type 80 million. */
static bool is_disguised(const struct oms_value *v)
{
    if (v->type < 9 || v->type > 14 || v->type == 13 || v->data.len == 0)
        return false;
    for (size_t i = 0; i + 1 < v->data.len; i++)
        if (v->data.at[i])
            return false;
    return v->data.at[v->data.len - 1] == 0x80;
}

static struct oms_reading none(const char *note)
{
    return (struct oms_reading){ .note = note };
}

/* A clock that is far off shifts all that the frame says (frame_retime); what would land outside of 1970 to 2106 must not take the
 * register of today along. */
static bool fits(const struct oms_records *r, int64_t at_s)
{
    int64_t shifted_s = r->sent_s ? at_s - r->sent_s + r->heard_s : at_s;

    return at_s >= 0 && at_s <= UINT32_MAX && shifted_s >= 0 && shifted_s <= UINT32_MAX;
}

static struct oms_reading history(const struct oms_records *r, struct oms_reading reading)
{
    unsigned place = place_of(reading.channel);
    bool counts = place != CHANNEL_TEMPERATURE && place != CHANNEL_PRESSURE;

    if (reading.sample.at_s > r->now_s + DAY_S)
        return none("no reading: its date lies ahead of the telegram");
    if (!fits(r, reading.sample.at_s))
        return none("no reading: by the meter's clock its date lies outside of 1970 to 2106");
    if (counts && r->has_current[place] && reading.sample.value > r->current[place])
        return none("no reading: the register of today has not reached it");
    reading.is = true;
    return reading;
}

/* What is not the register itself, whatever its value. */
static const char *unfit(const struct oms_value *v, enum channel *out_channel)
{
    if (!channel_of(v, out_channel) || v->function != OMS_INSTANTANEOUS || v->barred)
        return "";
    if (v->tariff || v->subunit)
        return "no reading: a part of the register";
    return NULL;
}

struct oms_reading oms_judge(const struct oms_records *r, const struct oms_value *v)
{
    struct oms_reading reading = { .note = "" };
    const char *why = unfit(v, &reading.channel);

    if (why)
        return none(why);
    if (v->kind != OMS_IS_NUMBER)
        return none(v->kind == OMS_IS_UNREADABLE ? "no reading" : "");
    if (is_repeated(r, v))
        return none("no reading: another register under the same DIF and VIF");
    if (v->storage && is_disguised(v))
        return none("no reading: the pattern for 'no value' under a decimal type");
    if (time_of(r, v, &reading.sample.at_s))
        return none("no reading: nothing in the telegram dates this storage number");
    if (thousandths(v, v->number, &reading))
        return none("no reading: too large");
    if (v->storage)
        return history(r, reading);
    reading.is = true;
    return reading;
}

/* ---- profiles ---- */

const struct oms_value *oms_profile_base(const struct oms_records *r,
                                         const struct oms_value *profile)
{
    const struct oms_value *base = register_at(r, profile, profile->storage);

    return base && profile->storage && is_disguised(base) ? NULL : base;
}

struct oms_past oms_past_of(const struct oms_records *r, const struct oms_value *v,
                            const struct oms_profile *p)
{
    struct oms_past past = { .date = date_of(r, v->storage) };

    past.why = unfit(v, &past.channel);
    if (!past.why && !past.date)
        past.why = "no reading: the base has no date in the telegram";
    past.even = !past.why && p->spacing.step == OMS_SECONDS &&
                !oms_date_utc(past.date, r->zone, &past.base_s);
    return past;
}

static enum err entry_time(const struct oms_records *r, const struct oms_profile *p,
                           const struct oms_past *past, const struct oms_entry *e, int64_t *out_s)
{
    int64_t n = p->inverse ? -(int64_t)e->index : (int64_t)e->index;

    if (!past->even)
        return oms_spacing_time(&p->spacing, past->date, r->zone, n, out_s);
    *out_s = past->base_s + n * p->spacing.each; /* both below 2^32: no overflow */
    return ERR_OK;
}

struct oms_reading oms_judge_entry(const struct oms_records *r, const struct oms_value *v,
                                   const struct oms_profile *p, const struct oms_past *past,
                                   const struct oms_entry *e)
{
    struct oms_reading reading = { .note = "", .channel = past->channel };

    if (e->kind != OMS_IS_NUMBER)
        return none(past->why ? past->why : e->kind == OMS_IS_UNREADABLE ? "no reading" : "");
    if (past->why)
        return none(past->why);
    if (entry_time(r, p, past, e, &reading.sample.at_s))
        return none("no reading: its steps are no times");
    if (thousandths(v, e->number, &reading))
        return none("no reading: too large");
    return history(r, reading);
}
