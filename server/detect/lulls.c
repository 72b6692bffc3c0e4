/* Lulls: days on which many customers of a class are away that no calendar knows of, seen by the class itself.
 *
 *   usual    the mean share of its registers that stand still on such a weekday, of the last six of them; known after three
 *   a lull   its share is twice that and more, and so many are above it as chance does not bring: LULL_LEAST, and five times the root of
 *            the usual number (Poisson); a day that is one teaches nothing
 *   counts   of the day usual ÷ share (of numbers with half a meter more): absences begin, and last, so many times as often as else, meters stop as
 *            they always do
 *
 * Source of the idea: handbook of the fleet, §6.1 (raise the hazard of an empty house for all meters that week); twice, five and LULL_LEAST
 * are planning figures. */
#include "server/detect/detect_priv.h"

#include <math.h>
#include <string.h>

#define LULL_METERS 50 /* of fewer there is no share */
#define LULL_LEAST 10
#define LULL_TIMES 2.0f
#define LULL_SIGMAS 5.0f
#define KNOWN_DAYS 3

bool lull_judge(struct lull_usual *usual, const struct lull_seen *seen, uint16_t *out_counts_pm)
{
    unsigned weekday = (unsigned)day_of_week(seen->day);
    uint8_t *days = &usual->days[weekday];
    float *mean = &usual->share[weekday], share, expected;

    if (seen->meters < LULL_METERS)
        return false;
    share = (float)seen->still / (float)seen->meters;
    expected = *mean * (float)seen->meters;
    if (*days >= KNOWN_DAYS && share >= LULL_TIMES * *mean &&
        (float)seen->still - expected >= fmaxf(LULL_LEAST, LULL_SIGMAS * sqrtf(expected))) {
        *out_counts_pm = (uint16_t)(1000 * (expected + 0.5f) / ((float)seen->still + 0.5f));
        return true;
    }
    *days = (uint8_t)(*days + (*days < LULL_DAYS));
    *mean += (share - *mean) / (float)*days;
    return false;
}

void lulls_add(struct lulls *l, const struct lull *day)
{
    if (l->count == LULLS_MAX)
        memmove(&l->at[0], &l->at[1], --l->count * sizeof l->at[0]);
    l->at[l->count++] = *day;
}

int64_t lulls_left_out(const struct judge_place *p, int64_t from_s, int64_t to_s)
{
    const struct lulls *l = p->lulls;
    int32_t first = l && l->count ? (int32_t)zone_day_number(p->zone, from_s) : 0;
    int64_t sum = 0, offset_s = l && l->count ? zone_offset(p->zone, from_s) : 0;

    for (size_t i = l ? l->count : 0; i-- > 0 && l->at[i].day >= first;) {
        int64_t a = (int64_t)l->at[i].day * DAY_S - offset_s, b = a + DAY_S;

        if (l->at[i].known_s + LULL_KNOWN_S > to_s || a >= to_s)
            continue;
        a = a < from_s ? from_s : a;
        b = b > to_s ? to_s : b;
        if (holidays_overlap(p->holidays, p->zone, a, b) == 0 &&
            pauses_overlap(p->pauses, a, b) == 0)
            sum += (b - a) * (1000 - l->at[i].counts_pm) / 1000;
    }
    return sum;
}
