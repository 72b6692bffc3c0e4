/* What a recipe computes.  False: no number comes of it, so the field is unknown. */
#include "proto/recipe_priv.h"

static bool shift(int64_t a, int64_t by, bool left, int64_t *out)
{
    if (by < 0 || by > 62)
        return false;
    if (left)
        return !__builtin_mul_overflow(a, (int64_t)1 << by, out);
    *out = a >> by;
    return true;
}

static bool divide(int64_t a, int64_t b, bool rest, int64_t *out)
{
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    *out = rest ? a % b : a / b;
    return true;
}

/* False: no number comes of it. */
static bool compute_two(enum op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case OP_ADD:
        return !__builtin_add_overflow(a, b, out);
    case OP_SUB:
        return !__builtin_sub_overflow(a, b, out);
    case OP_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case OP_DIV:
        return divide(a, b, false, out);
    case OP_MOD:
        return divide(a, b, true, out);
    case OP_AND:
        *out = a & b;
        return true;
    case OP_OR:
        *out = a | b;
        return true;
    case OP_SHL:
        return shift(a, b, true, out);
    case OP_SHR:
        return shift(a, b, false, out);
    default:
        *out = a;
        return true;
    }
}

static bool bits_of(int64_t v, int64_t low, int64_t high, int64_t *out)
{
    if (low < 0 || high < low || high > 62)
        return false;
    *out = v >> low & (int64_t)(((uint64_t)1 << (high - low + 1)) - 1);
    return true;
}

static bool byte_sized(int64_t v)
{
    return v >= 0 && v < 256;
}

/* Years below 100 are of this century. */
static bool civil_of(const int64_t v[6], struct civil *out)
{
    if (v[0] < 0 || v[0] > 9999)
        return false;
    for (unsigned i = 1; i < 6; i++)
        if (!byte_sized(v[i]))
            return false;
    *out = (struct civil){ .year = (int32_t)(v[0] < 100 ? v[0] + 2000 : v[0]),
                           .month = (uint8_t)v[1],
                           .day = (uint8_t)v[2],
                           .hour = (uint8_t)v[3],
                           .minute = (uint8_t)v[4],
                           .second = (uint8_t)v[5] };
    return true;
}

bool recipe_is_instant(int64_t s)
{
    return s > -(INT64_C(1) << 40) && s < INT64_C(1) << 40;
}

/* The first day of that month and day behind `before`: for meters that send no year. */
static bool date_after(const struct zone *zone, int64_t before, int64_t month, int64_t day,
                       int64_t *out)
{
    int32_t year;

    if (!recipe_is_instant(before) || !byte_sized(month) || !byte_sized(day))
        return false;
    year = zone_civil(zone, before).year;
    for (int32_t y = year; y <= year + 8; y++) /* the 29th of February may be that far */
        if (recipe_civil(zone,
                         (struct civil){ .year = y, .month = (uint8_t)month, .day = (uint8_t)day },
                         out) &&
            *out > before)
            return true;
    return false;
}

/* The latest beginning of that month (1 is January, 13 is January again) that is not behind `now`. */
static bool month_start(const struct zone *zone, int64_t month, int64_t now, int64_t *out)
{
    struct civil c;

    if (!recipe_is_instant(now) || month < 0 || month > 1200)
        return false;
    c = zone_civil(zone, now);
    c = (struct civil){ .year = c.year, .month = (uint8_t)((month + 11) % 12 + 1), .day = 1 };
    if (!recipe_civil(zone, c, out))
        return false;
    if (*out <= now)
        return true;
    c.year--;
    return recipe_civil(zone, c, out);
}

static bool compute_time(enum op op, const struct zone *zone, const int64_t v[6], int64_t *out)
{
    const int64_t midnight[6] = { v[0], v[1], v[2] };
    struct civil c;

    switch (op) {
    case OP_DATE:
        return civil_of(midnight, &c) && recipe_civil(zone, c, out);
    case OP_DATETIME:
        return civil_of(v, &c) && recipe_civil(zone, c, out);
    case OP_DATE_AFTER:
        return date_after(zone, v[0], v[1], v[2], out);
    default:
        return month_start(zone, v[0], v[1], out);
    }
}

bool recipe_compute(enum op op, const struct zone *zone, const int64_t v[6], int64_t *out)
{
    if (op < OP_BITS)
        return compute_two(op, v[0], v[1], out);
    return op == OP_BITS ? bits_of(v[0], v[1], v[2], out) : compute_time(op, zone, v, out);
}

/* To the nearest, halves away from zero. */
bool recipe_scale(int64_t v, int64_t num, int64_t den, int64_t *out)
{
    __int128 wide = (__int128)v * num * 2;

    wide = (wide + (wide < 0 ? -den : den)) / (2 * (__int128)den);
    *out = (int64_t)wide;
    return wide >= INT64_MIN && wide <= INT64_MAX;
}
