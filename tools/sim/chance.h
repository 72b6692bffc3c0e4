/* Chance that can be had again: splitmix64, one stream for each thing that is drawn, so that what one of them draws does not move
 * the others. */
#ifndef NILO_TOOLS_SIM_CHANCE_H
#define NILO_TOOLS_SIM_CHANCE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_draw(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The stream of `part` of `subject`. */
static inline struct chance chance_of(uint64_t seed, uint64_t subject, uint64_t part)
{
    /* Mixed one after the other: a subject times the generator's own step would make the next one's stream this one's, a draw later. */
    struct chance c = { seed };

    c.state = chance_draw(&c) ^ subject;
    c.state = chance_draw(&c) ^ part;
    c.state = chance_draw(&c);
    return c;
}

/* Even in [0, 1). */
static inline double chance_unit(struct chance *c)
{
    return (double)(chance_draw(c) >> 11) * 0x1p-53;
}

static inline double chance_even(struct chance *c, double a, double b)
{
    return a + (b - a) * chance_unit(c);
}

/* Even in the logarithm: as many between 1 and 10 as between 10 and 100. */
static inline double chance_log_even(struct chance *c, double a, double b)
{
    return a * pow(b / a, chance_unit(c));
}

static inline int chance_whole(struct chance *c, int a, int b) /* both included */
{
    return a + (int)(chance_draw(c) % (uint64_t)(b - a + 1));
}

static inline bool chance_happens(struct chance *c, double p)
{
    return chance_unit(c) < p;
}

static inline double chance_exponential(struct chance *c, double mean)
{
    return -mean * log(1 - chance_unit(c));
}

static inline double chance_normal(struct chance *c)
{
    double far = sqrt(-2 * log(1 - chance_unit(c)));

    return far * cos(6.283185307179586 * chance_unit(c));
}

/* Nearly normal, within ± 3.46, of one draw: the sum of four even ones. */
static inline double chance_bell(struct chance *c)
{
    uint64_t z = chance_draw(c);
    double sum = (double)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));

    return (sum / 65536 - 2) * 1.7320508;
}

/* Log-normal with the mean `mean`; `sigma` of the logarithm. */
static inline double chance_lognormal(struct chance *c, double mean, double sigma)
{
    return mean * exp(sigma * chance_bell(c) - sigma * sigma / 2);
}

static inline unsigned chance_poisson(struct chance *c, double mean)
{
    double limit, p;
    unsigned n = 0;

    if (mean > 60)
        return (unsigned)fmax(0, mean + sqrt(mean) * chance_normal(c));
    limit = exp(-mean);
    for (p = chance_unit(c); p > limit; n++)
        p *= chance_unit(c);
    return n;
}

#endif
