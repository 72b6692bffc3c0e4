/* Numbers of records, exactly: decimal or binary, brought to billionths of what we keep. */
#include "proto/senml_priv.h"

#define BILLION 1000000000

_Static_assert(sizeof(__int128) == 16,
               "63 bits of mantissa, 20 of unit and 30 of a billion fit in 127");

/* To the nearest, halves away from zero; d > 0. */
static __int128 divide(__int128 v, __int128 d)
{
    __int128 q = v / d, rest = v % d;

    if (rest < 0)
        rest = -rest;
    if (rest >= d - rest)
        q += v < 0 ? -1 : 1;
    return q;
}

static bool raise(__int128 *v, int32_t power, int base)
{
    for (; power > 0 && *v; power--)
        if (__builtin_mul_overflow(*v, (__int128)base, v))
            return false;
    return true;
}

/* Cuts off, so that rounding afterwards is as if it were done once; what lies beyond 127 bits is nothing. */
static __int128 lower(__int128 v, int32_t power, int base)
{
    __int128 d = 1;

    for (; power < 0; power++)
        if (__builtin_mul_overflow(d, (__int128)base, &d))
            return 0;
    return v / d;
}

bool senml_fixed(const struct senml_number *n, int64_t unit, __int128 *out)
{
    __int128 v = (__int128)n->mantissa * unit * BILLION;
    int base = n->binary ? 2 : 10;

    if (n->power < 0)
        v = lower(v, n->power, base);
    else if (!raise(&v, n->power, base))
        return false;
    *out = v;
    return true;
}

bool senml_whole(__int128 fixed, int64_t most, int64_t *out)
{
    fixed = divide(fixed, BILLION);
    if (fixed > most || fixed < -(__int128)most)
        return false;
    *out = (int64_t)fixed;
    return true;
}

bool senml_floor(__int128 fixed, int64_t most, int64_t *out)
{
    __int128 v = fixed / BILLION - (fixed % BILLION < 0);

    if (v > most || v < -(__int128)most)
        return false;
    *out = (int64_t)v;
    return true;
}
