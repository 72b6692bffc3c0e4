/* A ring of exchanges in order of arrival, and over it an index of buckets, one cache line each:
 *
 *   slot 32 bits = tag 12 | place in the ring 20        0xffffffff = empty
 *
 * A look-up touches one line of the index, and the ring only where the tag agrees. The ring is
 * written front to back. A bucket has twice the slots that its share of a full ring needs; in the
 * rare one that overflows the oldest goes. */
#include "server/gateway/dedup.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKET_SLOTS 16
#define PLACE_BITS 20
#define PLACE_MASK ((1u << PLACE_BITS) - 1)
#define EMPTY UINT32_MAX

struct bucket {
    uint32_t slot[BUCKET_SLOTS];
};
_Static_assert(sizeof(struct bucket) == 64, "one cache line");

struct dedup {
    struct exchange *ring;
    struct bucket *buckets;
    uint32_t mask; /* of places */
    uint32_t bucket_mask;
    uint32_t next;  /* place that is written next */
    uint32_t count; /* places before it that are in use */
};

enum err dedup_new(unsigned bits, struct dedup **out)
{
    struct dedup *d = (struct dedup *)calloc(1, sizeof *d);
    size_t places = (size_t)1 << bits, buckets = places * 2 / BUCKET_SLOTS;

    assert(bits >= 10 && bits <= PLACE_BITS);
    if (!d)
        return ERR_NO_MEMORY;
    d->ring = (struct exchange *)aligned_alloc(64, places * sizeof *d->ring);
    d->buckets = (struct bucket *)aligned_alloc(64, buckets * sizeof *d->buckets);
    if (!d->ring || !d->buckets) {
        dedup_free(d);
        return ERR_NO_MEMORY;
    }
    memset(d->buckets, 0xff, buckets * sizeof *d->buckets);
    d->mask = (uint32_t)places - 1;
    d->bucket_mask = (uint32_t)buckets - 1;
    *out = d;
    return ERR_OK;
}

void dedup_free(struct dedup *d)
{
    if (!d)
        return;
    free(d->ring);
    free(d->buckets);
    free(d);
}

static struct bucket *bucket_of(const struct dedup *d, struct hash key)
{
    return &d->buckets[key.a & d->bucket_mask];
}

/* Never EMPTY: the highest tag is not used. */
static uint32_t slot_of(struct hash key, uint32_t place)
{
    return (uint32_t)(key.b % 0xfff) << PLACE_BITS | place;
}

void dedup_prefetch(const struct dedup *d, struct hash key)
{
    const struct exchange *oldest = &d->ring[(d->next - d->count) & d->mask];

    __builtin_prefetch(bucket_of(d, key), 1);
    if (d->count > d->mask)
        __builtin_prefetch(bucket_of(d, oldest->key), 1);
}

const struct exchange *dedup_find(struct dedup *d, struct hash key, uint32_t now_s)
{
    const struct bucket *b = bucket_of(d, key);
    uint32_t tag = slot_of(key, 0);

    for (int i = 0; i < BUCKET_SLOTS; i++) {
        const struct exchange *e;

        if (b->slot[i] == EMPTY || (b->slot[i] & ~PLACE_MASK) != tag)
            continue;
        e = &d->ring[b->slot[i] & PLACE_MASK];
        if (hash_equal(e->key, key) && (int32_t)(e->until_s - now_s) > 0)
            return e;
    }
    return NULL;
}

static void unlink_place(struct dedup *d, uint32_t place)
{
    struct bucket *b = bucket_of(d, d->ring[place].key);
    uint32_t slot = slot_of(d->ring[place].key, place);

    for (int i = 0; i < BUCKET_SLOTS; i++)
        if (b->slot[i] == slot)
            b->slot[i] = EMPTY;
}

/* The slot for a new exchange: an empty one, else that of the oldest. */
static uint32_t *slot_for(struct dedup *d, struct bucket *b)
{
    uint32_t oldest = 0, age_max = 0;

    for (uint32_t i = 0; i < BUCKET_SLOTS; i++) {
        uint32_t age = (d->next - (b->slot[i] & PLACE_MASK)) & d->mask;

        if (b->slot[i] == EMPTY)
            return &b->slot[i];
        if (age > age_max) {
            age_max = age;
            oldest = i;
        }
    }
    return &b->slot[oldest];
}

void dedup_put(struct dedup *d, const struct exchange *e)
{
    uint32_t place = d->next & d->mask;

    if (d->count > d->mask)
        unlink_place(d, place);
    else
        d->count++;
    d->ring[place] = *e;
    *slot_for(d, bucket_of(d, e->key)) = slot_of(e->key, place);
    d->next++;
}

/* Rounds stand in the ring in order, so those of one that has just ended are near the front. */
void dedup_drop_round(struct dedup *d, uint32_t round)
{
    for (uint32_t back = 1; back <= d->count; back++) {
        uint32_t place = (d->next - back) & d->mask;
        struct exchange *e = &d->ring[place];

        if (e->round == 0 || (int32_t)(e->round - round) > 0)
            continue;
        if (e->round != round)
            break;
        unlink_place(d, place);
        e->round = 0;
        e->until_s = 0;
    }
}

uint32_t dedup_count(const struct dedup *d)
{
    return d->count;
}
