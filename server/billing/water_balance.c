#include "server/billing/water_balance.h"

#include <stdlib.h>

#define DAY_S 86400
#define YEAR_S (INT64_C(365) * DAY_S)
#define MILLION 1000000
#define UNIT_A_DAY (WATER_UNIT / DAY_S / 1000) /* of a millionth of a litre a day, a second long */
#define R2_MOST 3                              /* percent, either way */
#define KM_PER_SUPPLY 693                      /* per 10⁴ m³ a year, in 1/10 000 (Z7) */
#define SUPPLY_ML INT64_C(10000000000)         /* 10⁴ m³ */

const char *water_input_name(enum water_input i)
{
    static const char *const names[] = { "mains_km", "outlet_pressure_mpa", "frost_m" };

    return names[i];
}

/* ---- spans ---- */

static bool is_midnight(const struct zone *z, int64_t utc_s)
{
    return zone_day_start(z, utc_s) == utc_s;
}

int32_t water_years(const struct zone *z, int64_t from_s, int64_t to_s)
{
    struct civil from = zone_civil(z, from_s), to = zone_civil(z, to_s);

    if (!is_midnight(z, from_s) || !is_midnight(z, to_s) || from.month != to.month ||
        from.day != to.day)
        return 0;
    return to.year - from.year;
}

/* ---- fractions ---- */

static water_parts rounded(water_parts num, water_parts den)
{
    water_parts whole = num / den, rest = num % den;

    if (rest < 0)
        return whole - (-rest >= den - -rest);
    return whole + (rest >= den - rest);
}

static int64_t clamped(water_parts v)
{
    return v > INT64_MAX ? INT64_MAX : v < -INT64_MAX ? -INT64_MAX : (int64_t)v;
}

static water_parts whole(const struct water_balance *b)
{
    return b->inflow_ml * WATER_UNIT;
}

int64_t water_share(const struct water_balance *b, const struct water_share *s)
{
    return clamped(rounded(100 * s->parts, whole(b)));
}

int64_t water_ml(water_parts v)
{
    return clamped(rounded(v, WATER_UNIT));
}

int64_t water_completeness(const struct water_balance *b)
{
    return b->due ? (int64_t)(b->read * 10000 / b->due) : 10000;
}

bool water_enough(int64_t publish, uint64_t read, uint64_t due)
{
    return (__int128)read * 100 * MILLION >= (__int128)due * publish;
}

const char *water_grade(const struct water_balance *b)
{
    if (!b->r_bl.known)
        return NULL;
    return b->r_bl.parts <= 10 * whole(b) ? "I" : b->r_bl.parts <= 12 * whole(b) ? "II" : "none";
}

/* ---- a zone's own ---- */

static struct water_share share_of(water_parts parts)
{
    return (struct water_share){ true, parts };
}

static bool knows(const struct zone_traits *t, enum water_input i)
{
    return t->known >> i & 1;
}

static struct water_share households(const struct zone_traits *t, const struct water_facts *f)
{
    if (t->has_share)
        return share_of((water_parts)8 * t->share * f->inflow_ml * (WATER_UNIT / MILLION));
    return share_of(8 * f->residential_ml * WATER_UNIT);
}

/* 99 % × (A − 0.0693), where A is the length of mains per supply of a year: A × inflow needs no division by it. */
static struct water_share mains(const struct zone_traits *t, const struct water_facts *f)
{
    water_parts inflow = f->inflow_ml * WATER_UNIT, most = R2_MOST * inflow;
    water_parts a = (water_parts)t->input[INPUT_MAINS_KM] * (SUPPLY_ML / MILLION);
    water_parts r2;

    a *= f->years ? f->years * WATER_UNIT : f->span_s * (WATER_UNIT / YEAR_S);
    r2 = 99 * (a - KM_PER_SUPPLY * (inflow / 10000));
    return share_of(r2 > most ? most : r2 < -most ? -most : r2);
}

static struct water_share pressure(const struct zone_traits *t, const struct water_facts *f)
{
    int64_t mpa = t->input[INPUT_OUTLET_PRESSURE_MPA];
    int halves = mpa <= 350000 ? 0 : mpa <= 550000 ? 1 : mpa <= 750000 ? 2 : 4;

    return share_of(halves * (f->inflow_ml * WATER_UNIT / 2));
}

static struct water_share frost(const struct zone_traits *t, const struct water_facts *f)
{
    return share_of(t->input[INPUT_FROST_M] > 1400000 ? f->inflow_ml * WATER_UNIT : 0);
}

/* Z6 to Z8. */
static void shares(const struct zone_traits *t, const struct water_facts *f,
                   struct water_balance *b)
{
    b->r_wl = share_of(100 * b->loss);
    b->nrw = share_of(100 * (whole(b) - b->billed));
    b->r[0] = households(t, f);
    if (knows(t, INPUT_MAINS_KM))
        b->r[1] = mains(t, f);
    if (knows(t, INPUT_OUTLET_PRESSURE_MPA))
        b->r[2] = pressure(t, f);
    if (knows(t, INPUT_FROST_M))
        b->r[3] = frost(t, f);
    if (b->missing)
        return;
    b->rn = share_of(b->r[0].parts + b->r[1].parts + b->r[2].parts + b->r[3].parts);
    b->r_bl = share_of(b->r_wl.parts - b->rn.parts);
}

/* Beyond it 100 × 100 × what is added up could leave 128 bits: 10¹² m³, a hundred times what all people draw in a year. */
#define VOLUME_MOST_ML INT64_C(1000000000000000000)

static bool too_large(const struct water_facts *f)
{
    const int64_t v[] = { f->inflow_ml, f->billed_ml, f->unbilled_ml, f->residential_ml };

    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        if (v[i] > VOLUME_MOST_ML || v[i] < -VOLUME_MOST_ML)
            return true;
    return false;
}

enum err water_balance_of(const struct zone_traits *t, const struct water_facts *f,
                          struct water_balance *out)
{
    if (too_large(f))
        return ERR_RANGE;
    *out = (struct water_balance){
        .inflow_known = f->inflow_known,
        .inflow_ml = f->inflow_ml,
        .estimated_ml = f->estimated_ml,
        .due = f->due,
        .read = f->read,
        .missing = ((1u << WATER_INPUTS) - 1) & ~t->known,
    };
    out->published = f->inlet_fitted && f->gates_read && f->inflow_known &&
                     water_enough(t->publish, f->read, f->due);
    if (!out->published)
        return ERR_OK;
    out->billed =
        f->billed_ml * WATER_UNIT + (water_parts)t->billed_unmetered * f->span_s * UNIT_A_DAY;
    out->unbilled =
        f->unbilled_ml * WATER_UNIT + (water_parts)t->free_unmetered * f->span_s * UNIT_A_DAY;
    out->loss = whole(out) - out->billed - out->unbilled;
    if (f->inflow_ml > 0)
        shares(t, f, out);
    return ERR_OK;
}

/* ---- regions ---- */

void water_region_begin(struct water_balance *region)
{
    *region = (struct water_balance){ .published = true, .inflow_known = true, .r_bl.known = true };
}

static bool add(water_parts *sum, water_parts v)
{
    return __builtin_add_overflow(*sum, v, sum);
}

enum err water_region_add(struct water_balance *region, const struct water_balance *child)
{
    region->published &= child->published;
    region->inflow_known &= child->inflow_known;
    region->due += child->due;
    region->read += child->read;
    region->missing |= child->missing;
    region->r_bl.known &= child->r_bl.known;
    if (__builtin_add_overflow(region->inflow_ml, child->inflow_ml, &region->inflow_ml) ||
        __builtin_add_overflow(region->estimated_ml, child->estimated_ml, &region->estimated_ml) ||
        region->inflow_ml > VOLUME_MOST_ML || region->inflow_ml < -VOLUME_MOST_ML ||
        add(&region->billed, child->billed) || add(&region->unbilled, child->unbilled) ||
        add(&region->loss, child->loss) || add(&region->r_bl.parts, child->r_bl.parts))
        return ERR_RANGE;
    return ERR_OK;
}

/* Σ(r_bl,i × inflow,i) is what the children's parts add up to. */
void water_region_end(struct water_balance *region)
{
    bool shared = region->published && region->inflow_ml > 0;

    region->r_bl.known &= shared;
    if (!shared)
        return;
    region->r_wl = share_of(100 * region->loss);
    region->nrw = share_of(100 * (whole(region) - region->billed));
}

/* ---- nights ---- */

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

int64_t water_median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    if (count % 2)
        return values[count / 2];
    return clamped(rounded((water_parts)values[count / 2 - 1] + values[count / 2], 2));
}
