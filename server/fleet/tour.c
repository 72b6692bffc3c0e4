#include "server/fleet/tour.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define EARTH_M 6371008.8
#define RADIANS (3.14159265358979323846 / 180)
#define FIRSTS 6      /* first stops tried: more find little */
#define ROW 3         /* stops in a row that Or-opt moves together */
#define BETTER_M 1e-6 /* less is rounding: every change shortens, so there is an end */
#define SWEEPS 1000   /* never met: a bound all the same */

double tour_metres(struct tour_place a, struct tour_place b)
{
    double north = sin((b.lat - a.lat) * RADIANS / 2), east = sin((b.lon - a.lon) * RADIANS / 2);
    double h = north * north + cos(a.lat * RADIANS) * cos(b.lat * RADIANS) * east * east;

    return 2 * EARTH_M * asin(sqrt(h < 1 ? h : 1));
}

/* ---- one path: path[0] is the start or nowhere, then the stops, then nowhere ---- */

struct walk {
    struct tour_space *s;
    size_t count;
    uint16_t begin, nowhere;
};

static void measure(struct walk *w, const struct tour_place *stops, const struct tour_place *start)
{
    size_t n = w->count;

    for (size_t i = 0; i < n; i++) {
        w->s->metres[i][i] = 0;
        for (size_t j = 0; j < i; j++)
            w->s->metres[i][j] = w->s->metres[j][i] = tour_metres(stops[i], stops[j]);
        w->s->metres[i][n] = w->s->metres[n][i] = start ? tour_metres(*start, stops[i]) : 0;
        w->s->metres[i][n + 1] = w->s->metres[n + 1][i] = 0;
    }
    w->s->metres[n][n] = w->s->metres[n][n + 1] = w->s->metres[n + 1][n] = 0;
    w->s->metres[n + 1][n + 1] = 0;
    w->nowhere = (uint16_t)(n + 1);
    w->begin = start ? (uint16_t)n : w->nowhere;
}

static double path_length(const struct walk *w, const uint16_t *path)
{
    double sum = 0;

    for (size_t i = 0; i < w->count; i++)
        sum += w->s->metres[path[i]][path[i + 1]];
    return sum;
}

static void path_given(struct walk *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->s->path[i + 1] = (uint16_t)i;
}

static void path_nearest(struct walk *w, uint16_t first)
{
    uint16_t *path = w->s->path;

    path_given(w);
    path[1] = first;
    path[first + 1] = 0;
    for (size_t i = 1; i < w->count; i++) {
        const double *from = w->s->metres[path[i]];
        size_t next = i + 1;

        for (size_t j = i + 2; j <= w->count; j++)
            if (from[path[j]] < from[path[next]] ||
                (from[path[j]] == from[path[next]] && path[j] < path[next]))
                next = j;
        first = path[next];
        path[next] = path[i + 1];
        path[i + 1] = first;
    }
}

static void reverse(uint16_t *path, size_t from, size_t to)
{
    for (; from < to; from++, to--) {
        uint16_t held = path[from];

        path[from] = path[to];
        path[to] = held;
    }
}

static bool two_opt(struct walk *w)
{
    uint16_t *p = w->s->path;
    bool found = false;

    for (size_t i = 1; i < w->count; i++)
        for (size_t j = i + 1; j <= w->count; j++) {
            const double *before = w->s->metres[p[i - 1]], *behind = w->s->metres[p[j + 1]];

            if (before[p[j]] + behind[p[i]] < before[p[i]] + behind[p[j]] - BETTER_M) {
                reverse(p, i, j);
                found = true;
            }
        }
    return found;
}

/* Moves path[from … to] so that it stands behind path[behind], turned round where asked. */
static void move_row(uint16_t *p, size_t from, size_t to, size_t behind, bool turned)
{
    size_t len = to - from + 1;
    uint16_t row[ROW];

    memcpy(row, p + from, len * sizeof *p);
    if (turned)
        reverse(row, 0, len - 1);
    if (behind < from) {
        memmove(p + behind + 1 + len, p + behind + 1, (from - behind - 1) * sizeof *p);
        memcpy(p + behind + 1, row, len * sizeof *p);
    } else {
        memmove(p + from, p + to + 1, (behind - to) * sizeof *p);
        memcpy(p + behind + 1 - len, row, len * sizeof *p);
    }
}

/* The best new place of path[from … to]; true: it went there. */
static bool move_if_better(struct walk *w, size_t from, size_t to)
{
    uint16_t *p = w->s->path, first = p[from], last = p[to];
    const double *a = w->s->metres[first], *b = w->s->metres[last];
    double saved = a[p[from - 1]] + b[p[to + 1]] - w->s->metres[p[from - 1]][p[to + 1]];
    double best = saved - BETTER_M;
    size_t place = 0;
    bool turned = false, found = false;

    for (size_t m = 0; m <= w->count; m++) {
        double gap, straight, round;

        if (m + 1 >= from && m <= to)
            continue;
        gap = w->s->metres[p[m]][p[m + 1]];
        straight = a[p[m]] + b[p[m + 1]] - gap;
        round = b[p[m]] + a[p[m + 1]] - gap;
        if (straight < best || round < best) {
            turned = round < straight;
            best = turned ? round : straight;
            place = m;
            found = true;
        }
    }
    if (found)
        move_row(p, from, to, place, turned);
    return found;
}

static bool or_opt(struct walk *w)
{
    bool found = false;

    for (size_t len = 1; len <= ROW && len < w->count; len++)
        for (size_t from = 1; from + len <= w->count + 1; from++)
            found |= move_if_better(w, from, from + len - 1);
    return found;
}

/* ---- first stops ---- */

/* With a start the stops next to it; without one those that lie far out: the one with the longest way to all others, then whatever is farthest from those chosen. */
static size_t choose_firsts(const struct walk *w, uint16_t out[FIRSTS])
{
    size_t wanted = w->count < FIRSTS ? w->count : FIRSTS;
    double score[TOUR_STOPS_MAX];

    for (size_t i = 0; i < w->count; i++) {
        score[i] = -w->s->metres[i][w->count];
        for (size_t j = 0; w->begin == w->nowhere && j < w->count; j++)
            score[i] += w->s->metres[i][j];
    }
    for (size_t n = 0; n < wanted; n++) {
        size_t best = 0;

        for (size_t i = 1; i < w->count; i++)
            if (score[i] > score[best])
                best = i;
        out[n] = (uint16_t)best;
        score[best] = -INFINITY;
        for (size_t i = 0; w->begin == w->nowhere && i < w->count; i++)
            if (n == 0 ? i != best : w->s->metres[i][best] < score[i])
                score[i] = w->s->metres[i][best];
    }
    return wanted;
}

static void keep_if_best(struct walk *w, double *best)
{
    double length;

    for (unsigned n = 0; n < SWEEPS && two_opt(w); n++)
        ;
    length = path_length(w, w->s->path);
    if (length < *best) {
        *best = length;
        memcpy(w->s->best, w->s->path, sizeof w->s->best);
    }
}

double tour_order(struct tour_space *space, const struct tour_place *stops, size_t count,
                  const struct tour_place *start, uint16_t *out_order)
{
    struct walk w = { .s = space, .count = count };
    uint16_t firsts[FIRSTS];
    size_t tries;
    double best = INFINITY;

    assert(count <= TOUR_STOPS_MAX);
    if (!count)
        return 0;
    measure(&w, stops, start);
    space->path[0] = w.begin;
    space->path[count + 1] = w.nowhere;
    tries = choose_firsts(&w, firsts);
    for (size_t n = 0; n <= tries; n++) {
        if (n < tries)
            path_nearest(&w, firsts[n]);
        else
            path_given(&w);
        keep_if_best(&w, &best);
    }
    memcpy(space->path, space->best, sizeof space->path);
    for (unsigned n = 0; n < SWEEPS && or_opt(&w); n++)
        two_opt(&w);
    memcpy(out_order, space->path + 1, count * sizeof *out_order);
    return path_length(&w, space->path);
}
