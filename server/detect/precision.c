#include "server/detect/precision.h"

#include <math.h>
#include <string.h>

#define Z95 1.959964
#define ORDER_FROM_STEP 100
#define ORDER_FROM_MOST 950

bool precision_of(const struct found *f, struct precision *out)
{
    double n = (double)f->confirmed + f->dismissed, p, z2 = Z95 * Z95, middle, half;

    if (n < 1)
        return false;
    p = f->confirmed / n;
    middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *out = (struct precision){ .share = llround(1000 * p),
                               .low = llround(1000 * fmax(0, middle - half)),
                               .high = llround(1000 * fmin(1, middle + half)) };
    return true;
}

const char *precision_verdict_name(enum precision_verdict v)
{
    static const char *const names[] = { "unknown", "below", "open", "above" };

    return names[v];
}

enum precision_verdict precision_verdict(const struct found *f, int64_t target_permille)
{
    struct precision p;

    if (f->confirmed + f->dismissed < PRECISION_LEAST || !precision_of(f, &p))
        return PRECISION_UNKNOWN;
    return p.high < target_permille   ? PRECISION_BELOW
           : p.low >= target_permille ? PRECISION_ABOVE
                                      : PRECISION_OPEN;
}

bool rule_stricter(enum detect_rule r, const int64_t value[DETECT_FIGURES],
                   int64_t out[DETECT_FIGURES])
{
    bool can = false, other = false;

    memcpy(out, value, DETECT_FIGURES * sizeof *out);
    for (unsigned place = 0; place < DETECT_FIGURES; place++) {
        if (detect_stricter(r, place) == STRICTER_NEITHER)
            continue;
        can = true;
        out[place] = detect_stricter_by(r, place, value[place], 1, STRICTER_PERMILLE);
        other = other || out[place] != value[place];
    }
    if (!can && value[DETECT_ORDER_FROM] < ORDER_FROM_MOST) {
        out[DETECT_ORDER_FROM] += ORDER_FROM_STEP;
        if (out[DETECT_ORDER_FROM] > ORDER_FROM_MOST)
            out[DETECT_ORDER_FROM] = ORDER_FROM_MOST;
        other = true;
    }
    return other;
}
