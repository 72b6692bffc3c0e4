#include "server/detect/back.h"

#define MANTISSA 2048u

uint16_t packed_ml(float ml)
{
    uint64_t v = ml <= 0 ? 0 : ml >= 4e12f ? UINT64_C(4000000000000) : (uint64_t)(ml + 0.5f);
    unsigned shift = 0;

    while (v >> shift >= MANTISSA)
        shift++;
    if (shift) { /* to the nearest */
        v += UINT64_C(1) << (shift - 1);
        shift += v >> shift >= MANTISSA;
    }
    return (uint16_t)(shift << 11 | (unsigned)(v >> shift));
}

float unpacked_ml(uint16_t packed)
{
    return (float)((uint64_t)(packed & (MANTISSA - 1)) << (packed >> 11));
}
