/* A generation is an array of entries in the order of arrival; those of one meter are chained
 * backwards by index, and a table by meter id holds the newest of each.
 *
 *   entry   u64 position · u32 index of the meter's entry before it, +1 (0: none)          12 bytes
 *   last    u32 by meter: index of its newest entry, +1 (0: none)                           4 bytes
 *
 * Entries lie in blocks that never move, so that growing copies nothing under the lock.  A list is
 * read backwards and handed out the right way round.  `lock` is held for a batch's entries, or for
 * one meter's chain. */
#include "storage/tail.h"

#include "proto/base/limits.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BITS 16
#define BLOCK_ENTRIES (1u << BLOCK_BITS)
#define ENTRIES_MOST (UINT32_MAX - 1)

struct entries {
    uint64_t position[BLOCK_ENTRIES];
    uint32_t before[BLOCK_ENTRIES];
};

struct generation {
    struct entries **blocks;
    uint32_t block_count, block_cap;
    uint32_t count;
    uint32_t *last; /* by meter */
    uint32_t meters;
};

struct tail {
    pthread_mutex_t lock;
    struct generation growing, settling;
    uint32_t *spare; /* the dropped generation's `last`, all zero, for the next one: no clearing
                        under the lock */
    uint32_t spare_meters;
};

enum err tail_new(struct tail **out)
{
    struct tail *t = calloc(1, sizeof(*t));

    if (!t)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return ERR_OK;
}

static void generation_done(struct generation *g)
{
    for (uint32_t i = 0; i < g->block_count; i++)
        free(g->blocks[i]);
    free(g->blocks);
    free(g->last);
    *g = (struct generation){ 0 };
}

void tail_free(struct tail *t)
{
    if (!t)
        return;
    generation_done(&t->growing);
    generation_done(&t->settling);
    free(t->spare);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static bool block_add(struct generation *g)
{
    if (g->block_count == g->block_cap) {
        uint32_t cap = g->block_cap ? 2 * g->block_cap : 64;
        struct entries **more = realloc(g->blocks, cap * sizeof(struct entries *));

        if (!more)
            return false;
        g->blocks = more;
        g->block_cap = cap;
    }
    if (!(g->blocks[g->block_count] = malloc(sizeof(struct entries))))
        return false;
    g->block_count++;
    return true;
}

static bool meters_reserve(struct generation *g, uint32_t meter)
{
    uint64_t wanted = (uint64_t)meter + 1;
    uint32_t *more;

    if (wanted <= g->meters)
        return true;
    wanted = wanted + wanted / 8 + 1024;
    if (!(more = calloc(wanted, sizeof(*more)))) /* zero without touching, where it is large */
        return false;
    if (g->meters)
        memcpy(more, g->last, g->meters * sizeof(*more));
    free(g->last);
    g->last = more;
    g->meters = (uint32_t)wanted;
    return true;
}

/* Room for all, before anything is changed. */
static enum err reserve(struct generation *g, const struct tail_entry *entries, size_t count)
{
    uint32_t highest = 0;

    if (count > ENTRIES_MOST - g->count)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        assert(entries[i].meter < LIMIT_METERS);
        highest = entries[i].meter > highest ? entries[i].meter : highest;
    }
    while ((uint64_t)g->block_count << BLOCK_BITS < g->count + (uint64_t)count) {
        if (!block_add(g))
            return ERR_NO_MEMORY;
    }
    return meters_reserve(g, highest) ? ERR_OK : ERR_NO_MEMORY;
}

static void add(struct generation *g, struct tail_entry entry)
{
    struct entries *block = g->blocks[g->count >> BLOCK_BITS];
    uint32_t at = g->count & (BLOCK_ENTRIES - 1);

    block->position[at] = entry.position;
    block->before[at] = g->last[entry.meter];
    g->last[entry.meter] = ++g->count;
}

enum err tail_add(struct tail *t, const struct tail_entry *entries, size_t count)
{
    enum err err;

    if (!count)
        return ERR_OK;
    pthread_mutex_lock(&t->lock);
    err = reserve(&t->growing, entries, count);
    for (size_t i = 0; !err && i < count; i++) {
        if (i + 8 < count) /* each goes to another meter: ask for its line before it is needed */
            __builtin_prefetch(&t->growing.last[entries[i + 8].meter], 1);
        add(&t->growing, entries[i]);
    }
    pthread_mutex_unlock(&t->lock);
    return err;
}

static uint32_t newest(const struct generation *g, uint32_t meter)
{
    return meter < g->meters ? g->last[meter] : 0;
}

static uint64_t entry_at(const struct generation *g, uint32_t index, uint32_t *out_before)
{
    const struct entries *block = g->blocks[(index - 1) >> BLOCK_BITS];
    uint32_t at = (index - 1) & (BLOCK_ENTRIES - 1);

    *out_before = block->before[at];
    return block->position[at];
}

static size_t chain_length(const struct generation *g, uint32_t meter)
{
    size_t count = 0;

    for (uint32_t at = newest(g, meter); at; count++)
        (void)entry_at(g, at, &at);
    return count;
}

/* Writes the meter's `count` positions to out[0 … count), oldest first, as far as `cap` reaches. */
static void chain_read(const struct generation *g, uint32_t meter, size_t count, uint64_t *out,
                       size_t cap)
{
    uint32_t at = newest(g, meter);

    while (count--) {
        uint64_t position = entry_at(g, at, &at);

        if (count < cap)
            out[count] = position;
    }
}

size_t tail_of(struct tail *t, uint32_t meter, uint64_t *out, size_t cap)
{
    size_t older, newer;

    pthread_mutex_lock(&t->lock);
    older = chain_length(&t->settling, meter);
    newer = chain_length(&t->growing, meter);
    chain_read(&t->settling, meter, older, out, cap);
    if (cap > older)
        chain_read(&t->growing, meter, newer, out + older, cap - older);
    pthread_mutex_unlock(&t->lock);
    return older + newer;
}

size_t tail_count(struct tail *t)
{
    size_t count;

    pthread_mutex_lock(&t->lock);
    count = (size_t)t->growing.count + t->settling.count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

bool tail_turn(struct tail *t)
{
    bool turned;

    pthread_mutex_lock(&t->lock);
    turned = !t->settling.count && t->growing.count;
    if (turned) {
        t->settling = t->growing;
        t->growing = (struct generation){ .last = t->spare, .meters = t->spare_meters };
        t->spare = NULL;
        t->spare_meters = 0;
    }
    pthread_mutex_unlock(&t->lock);
    return turned;
}

/* The settling generation is changed by the settling thread alone, which calls these: no lock. */
uint32_t tail_settling_next(struct tail *t, uint32_t after)
{
    for (uint32_t meter = after == UINT32_MAX ? 0 : after + 1; meter < t->settling.meters;
         meter++) {
        if (t->settling.last[meter])
            return meter;
    }
    return UINT32_MAX;
}

size_t tail_settling_of(struct tail *t, uint32_t meter, uint64_t *out, size_t cap)
{
    size_t count = chain_length(&t->settling, meter);

    chain_read(&t->settling, meter, count, out, cap);
    return count;
}

void tail_drop(struct tail *t)
{
    struct generation gone;
    uint32_t *spare, meters;

    pthread_mutex_lock(&t->lock);
    gone = t->settling;
    t->settling = (struct generation){ 0 };
    pthread_mutex_unlock(&t->lock);
    spare = gone.last; /* the slow part is done while nobody waits */
    meters = gone.meters;
    gone.last = NULL;
    generation_done(&gone);
    if (!spare)
        return;
    memset(spare, 0, meters * sizeof(*spare));
    pthread_mutex_lock(&t->lock);
    free(t->spare);
    t->spare = spare;
    t->spare_meters = meters;
    pthread_mutex_unlock(&t->lock);
}
