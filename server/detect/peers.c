#include "server/detect/peers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 20000 /* a level further off is none that people make */

static int16_t bounded(int32_t level)
{
    return (int16_t)(level > MOST ? MOST : level < -MOST ? -MOST : level);
}

/* A week's change is against the 28 days before: the level of four weeks ago. Of the first weeks, whose level then nobody knows, the part that fell since the first one. */
static void push(struct peers *p, int32_t change)
{
    int32_t n = (int32_t)p->count, base = n >= PEERS_STEP ? p->level[n - PEERS_STEP] : 0;

    if (n < PEERS_STEP)
        change = change * n / PEERS_STEP;

    if (p->count == PEERS_WEEKS) {
        memmove(p->level, p->level + 1, (PEERS_WEEKS - 1) * sizeof p->level[0]);
        p->first++;
        p->count--;
    }
    p->level[p->count++] = bounded(base + change);
}

void peers_add(struct peers *p, int32_t week, int32_t change)
{
    if (p->count && week - p->first >= (int32_t)p->count + PEERS_WEEKS)
        p->count = 0; /* nothing is known of so long a time */
    if (p->count == 0)
        p->first = week;
    while (p->count && p->first + (int32_t)p->count < week) {
        int16_t last = p->level[p->count - 1];

        push(p, 0);
        p->level[p->count - 1] = last;
    }
    if (week == p->first + (int32_t)p->count)
        push(p, change);
}

void peers_until(const struct peers *p, int32_t day, struct peers *out)
{
    *out = *p;
    while (out->count && (out->first + (int32_t)out->count) * PEERS_WEEK_D + PEERS_GRACE_D > day)
        out->count--;
}

double peers_ln(const struct peers *p, int32_t day)
{
    double at, share;
    unsigned low;

    if (!p || p->count == 0)
        return 0;
    /* The middle of the 28 days is where a week's level belongs. */
    at = (double)(day - (p->first + 1) * PEERS_WEEK_D + PEERS_WINDOW_D / 2) / PEERS_WEEK_D;
    if (at <= 0)
        return p->level[0] / 1000.0;
    low = (unsigned)at;
    if (low + 1 >= p->count)
        return p->level[p->count - 1] / 1000.0;
    share = at - low;
    return ((1 - share) * p->level[low] + share * p->level[low + 1]) / 1000;
}

double peers_lately_ln(const struct peers *p)
{
    if (!p || p->count <= PEERS_STEP)
        return 0;
    return (p->level[p->count - 1] - p->level[p->count - 1 - PEERS_STEP]) / 1000.0;
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int32_t peers_change(double *ln, size_t count)
{
    qsort(ln, count, sizeof *ln, order);
    return (int32_t)lround(500 * (ln[(count - 1) / 2] + ln[count / 2]));
}
