#include "server/gateway/dtls_table.h"

#include <stdlib.h>

enum err dtls_table_init(struct dtls_table *t, uint32_t most)
{
    uint64_t buckets = 16;

    while (buckets < most)
        buckets *= 2;
    *t = (struct dtls_table){ .mask = buckets - 1 };
    t->buckets = (struct dtls_bucket *)calloc(buckets, sizeof *t->buckets);
    return t->buckets ? hash_key_make(&t->key) : ERR_NO_MEMORY;
}

void dtls_table_done(struct dtls_table *t)
{
    free(t->buckets);
    *t = (struct dtls_table){ 0 };
}

static struct dtls_bucket *bucket_of(const struct dtls_table *t, const struct dtls_place *p)
{
    uint64_t h = hash_quick(&t->key, p->endpoint.w[0], p->endpoint.w[1]);

    return &t->buckets[hash_quick(&t->key, h, p->endpoint.w[2] ^ p->listener << 48) & t->mask];
}

struct dtls_node *dtls_table_find(const struct dtls_table *t, const struct dtls_place *place)
{
    struct dtls_node *n = bucket_of(t, place)->first;

    while (n && memcmp(&n->place, place, sizeof *place) != 0)
        n = n->bucket_next;
    return n;
}

static void line_put(struct dtls_table *t, struct dtls_node *n)
{
    n->newer = NULL;
    n->older = t->newest;
    if (t->newest)
        t->newest->newer = n;
    else
        t->oldest = n;
    t->newest = n;
}

static void line_take(struct dtls_table *t, struct dtls_node *n)
{
    if (n->older)
        n->older->newer = n->newer;
    else
        t->oldest = n->newer;
    if (n->newer)
        n->newer->older = n->older;
    else
        t->newest = n->older;
}

void dtls_table_put(struct dtls_table *t, struct dtls_node *n)
{
    struct dtls_bucket *bucket = bucket_of(t, &n->place);

    n->bucket_next = bucket->first;
    bucket->first = n;
    line_put(t, n);
    t->count++;
}

void dtls_table_take(struct dtls_table *t, struct dtls_node *n)
{
    struct dtls_node **at = &bucket_of(t, &n->place)->first;

    while (*at != n)
        at = &(*at)->bucket_next;
    *at = n->bucket_next;
    line_take(t, n);
    t->count--;
}

void dtls_table_touch(struct dtls_table *t, struct dtls_node *n)
{
    if (t->newest == n)
        return;
    line_take(t, n);
    line_put(t, n);
}
