/* A positive number in two bytes: 5 bits of exponent, 11 of fraction, from 2^−7 to 2^24; below: 0.
 * Off by at most one part in 4 000.  They compare as the numbers do. */
#ifndef NILO_SERVER_DETECT_SMALL_H
#define NILO_SERVER_DETECT_SMALL_H

#include <stdint.h>
#include <string.h>

typedef uint16_t small;

#define SMALL_LEAST 0x1p-7f
/* The bits of a float of 2^−8, whose exponent is that of `small` 0. */
#define SMALL_BASE (UINT32_C(119) << 23)

static inline small small_of(float x)
{
    uint32_t bits;

    if (!(x >= SMALL_LEAST))
        return 0;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits - SMALL_BASE + (1u << 11)) >> 12;
    return bits > UINT16_MAX ? UINT16_MAX : (small)bits;
}

static inline float small_value(small s)
{
    uint32_t bits = SMALL_BASE + ((uint32_t)s << 12);
    float x;

    if (s == 0)
        return 0;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
