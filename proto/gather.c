#include "proto/gather.h"

#include <stdlib.h>

enum err gather_add(struct gather *g, enum channel c, int64_t at_s, int64_t value)
{
    if (g->count == GATHER_MOST)
        return ERR_TOO_LARGE;
    if (g->count == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 32;
        struct gathered *at = (struct gathered *)arena_alloc(g->arena, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        if (g->count)
            memcpy(at, g->at, g->count * sizeof *at);
        g->at = at;
        g->cap = cap;
    }
    g->at[g->count] = (struct gathered){ c, g->count, { at_s, value } };
    g->count++;
    return ERR_OK;
}

static int gathered_order(const void *a, const void *b)
{
    const struct gathered *x = (const struct gathered *)a, *y = (const struct gathered *)b;

    if (x->channel != y->channel)
        return x->channel < y->channel ? -1 : 1;
    if (x->sample.at_s != y->sample.at_s)
        return x->sample.at_s > y->sample.at_s ? -1 : 1; /* newest first */
    return x->order > y->order ? -1 : 1; /* read backwards, the first received comes first again */
}

/* Meters send their values in order, most of the time. */
static bool in_order(const struct gather *g)
{
    for (uint32_t i = 1; i < g->count; i++)
        if (gathered_order(&g->at[i - 1], &g->at[i]) > 0)
            return false;
    return true;
}

enum err gather_end(const struct gather *g, struct frame *f)
{
    struct series *series;
    struct sample *samples;
    uint32_t count = 0;

    f->series_count = 0;
    f->series = NULL;
    if (g->count == 0)
        return ERR_OK;
    if (!in_order(g))
        qsort(g->at, g->count, sizeof *g->at, gathered_order);
    for (uint32_t i = 0; i < g->count; i++)
        count += i == 0 || g->at[i].channel != g->at[i - 1].channel;
    series = (struct series *)arena_alloc(g->arena, count * sizeof *series);
    samples = (struct sample *)arena_alloc(g->arena, g->count * sizeof *samples);
    if (!series || !samples)
        return ERR_NO_MEMORY;
    count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        samples[i] = g->at[i].sample;
        if (i == 0 || g->at[i].channel != g->at[i - 1].channel)
            series[count++] = (struct series){ g->at[i].channel, 0, &samples[i] };
        series[count - 1].count++;
    }
    f->series = series;
    f->series_count = count;
    return ERR_OK;
}

enum err scale_ten(int64_t a, int power, bool exact, int64_t *out)
{
    for (; power > 0 && a; power--)
        if (__builtin_mul_overflow(a, 10, &a))
            return ERR_RANGE;
    for (; power < 0 && a; power++) {
        if (exact && a % 10)
            return ERR_RANGE;
        a /= 10;
    }
    *out = a;
    return ERR_OK;
}
