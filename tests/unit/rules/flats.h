/* A house of FLATS_WEEKS weeks in plain numbers, for tests: eight flats, the meter before them counts all of it. */
#ifndef NILO_TESTS_UNIT_RULES_FLATS_H
#define NILO_TESTS_UNIT_RULES_FLATS_H

#include "server/detect/detect.h"
#include "tests/check.h"
#include "tools/sim/chance.h"

#include <math.h>
#include <stdlib.h>

#define FLATS 8
#define HOURS (FLATS_WEEKS * 168 - 4)
#define FROM_S INT64_C(1767553200) /* a Monday's midnight in Shanghai */

struct house {
    double litres[FLATS][HOURS]; /* what is drawn */
    double counted[FLATS][HOURS], parent[HOURS];
};

/* Flat f draws mostly at two hours of its own, every flat more or less from day to day, and is away at times. */
static inline void live(struct house *h, uint64_t seed)
{
    for (int f = 0; f < FLATS; f++) {
        struct chance c = chance_of(seed, (uint64_t)f, 1);
        double lively = 60 + 25 * f, mood = 1;
        int away = 0;

        for (int n = 0; n < HOURS; n++) {
            int hour = n % 24, first = 6 + f % 4, last = 17 + f % 5;

            if (hour == 0) {
                mood = chance_even(&c, 0.5, 1.5);
                away = away > 0 ? away - 1 : chance_happens(&c, 0.02) ? chance_whole(&c, 2, 9) : 0;
            }
            h->litres[f][n] = away ? 0
                              : hour == first || hour == last
                                  ? floor(lively * mood * chance_even(&c, 0.2, 1.2))
                              : hour > 6 && chance_happens(&c, 0.2) ? floor(chance_even(&c, 3, 30))
                                                                    : 0;
        }
    }
}

static inline struct house *lived(uint64_t seed, double loss_lph)
{
    struct house *h = (struct house *)calloc(1, sizeof *h);

    assert_non_null(h);
    live(h, seed);
    memcpy(h->counted, h->litres, sizeof h->counted);
    for (int n = 0; n < HOURS; n++) {
        h->parent[n] = loss_lph;
        for (int f = 0; f < FLATS; f++)
            h->parent[n] += h->litres[f][n];
    }
    return h;
}

static inline void slow_from(struct house *h, int flat, int from, int until, double share)
{
    for (int n = from; n < until; n++)
        h->counted[flat][n] *= 1 - share;
}

static const struct meter_facts a_litre = { .resolution_ml = 1000, .dn_mm = 15 };

static inline struct judge_step step_of(int n, double litres)
{
    return (struct judge_step){ .from_s = (uint32_t)(FROM_S + (int64_t)n * 3600),
                                .to_s = (uint32_t)(FROM_S + (int64_t)(n + 1) * 3600),
                                .used_ml = (int64_t)(litres * 1000) };
}

static inline void swap_from(struct house *h, int a, int b, int from)
{
    for (int n = from; n < HOURS; n++) {
        double of_a = h->counted[a][n];

        h->counted[a][n] = h->counted[b][n];
        h->counted[b][n] = of_a;
    }
}

#endif
