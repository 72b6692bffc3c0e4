/* Transfers in a table of fixed size, chained by key, and in a list by last use: front = the
 * freshest. */
#include "server/gateway/blockwise.h"

#include "proto/base/limits.h"

#include <assert.h>
#include <stdlib.h>

#define NONE UINT32_MAX
#define FIRST_BYTES 4096

struct transfer {
    struct hash key;
    uint8_t *body;
    uint32_t len, cap;
    uint32_t used_s; /* monotonic: when the last block came */
    uint32_t next_in_chain;
    uint32_t newer, older; /* in the list */
};

struct blockwise {
    struct transfer *transfers;
    uint32_t *chains;
    uint32_t chain_mask, cap, count;
    uint32_t free_list; /* linked by next_in_chain */
    uint32_t newest, oldest;
    size_t bytes, bytes_max;
    uint8_t *handed_out; /* the body of the last WHOLE */
};

enum err blockwise_new(const struct blockwise_limits *limits, struct blockwise **out)
{
    struct blockwise *b = (struct blockwise *)calloc(1, sizeof *b);
    uint32_t chains = 1;

    if (!b)
        return ERR_NO_MEMORY;
    b->cap = limits && limits->transfers ? limits->transfers : 4096;
    b->bytes_max = limits && limits->bytes ? limits->bytes : (size_t)64 << 20;
    while (chains < b->cap)
        chains *= 2;
    b->chain_mask = chains - 1;
    b->transfers = (struct transfer *)calloc(b->cap, sizeof *b->transfers);
    b->chains = (uint32_t *)malloc(chains * sizeof *b->chains);
    if (!b->transfers || !b->chains) {
        blockwise_free(b);
        return ERR_NO_MEMORY;
    }
    memset(b->chains, 0xff, chains * sizeof *b->chains);
    for (uint32_t i = 0; i < b->cap; i++)
        b->transfers[i].next_in_chain = i + 1 < b->cap ? i + 1 : NONE;
    b->newest = b->oldest = NONE;
    *out = b;
    return ERR_OK;
}

void blockwise_free(struct blockwise *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; b->transfers && i < b->cap; i++)
        free(b->transfers[i].body);
    free(b->handed_out);
    free(b->transfers);
    free(b->chains);
    free(b);
}

static uint32_t *chain_of(struct blockwise *b, struct hash key)
{
    return &b->chains[key.a & b->chain_mask];
}

static uint32_t find(struct blockwise *b, struct hash key)
{
    uint32_t i = *chain_of(b, key);

    while (i != NONE && !hash_equal(b->transfers[i].key, key))
        i = b->transfers[i].next_in_chain;
    return i;
}

/* ---- the list by last use ---- */

static void list_remove(struct blockwise *b, uint32_t i)
{
    struct transfer *t = &b->transfers[i];

    *(t->newer == NONE ? &b->newest : &b->transfers[t->newer].older) = t->older;
    *(t->older == NONE ? &b->oldest : &b->transfers[t->older].newer) = t->newer;
}

static void list_push(struct blockwise *b, uint32_t i)
{
    struct transfer *t = &b->transfers[i];

    t->newer = NONE;
    t->older = b->newest;
    *(b->newest == NONE ? &b->oldest : &b->transfers[b->newest].newer) = i;
    b->newest = i;
}

/* ---- transfers ---- */

static void drop(struct blockwise *b, uint32_t i)
{
    struct transfer *t = &b->transfers[i];
    uint32_t *link = chain_of(b, t->key);

    while (*link != i)
        link = &b->transfers[*link].next_in_chain;
    *link = t->next_in_chain;
    list_remove(b, i);
    b->bytes -= t->cap;
    free(t->body);
    *t = (struct transfer){ .next_in_chain = b->free_list };
    b->free_list = i;
    b->count--;
}

static uint32_t begin(struct blockwise *b, struct hash key)
{
    uint32_t i, *link = chain_of(b, key);

    if (b->free_list == NONE)
        drop(b, b->oldest);
    i = b->free_list;
    b->free_list = b->transfers[i].next_in_chain;
    b->transfers[i] = (struct transfer){ .key = key, .next_in_chain = *link };
    *link = i;
    list_push(b, i);
    b->count++;
    return i;
}

/* Room for `len` bytes in transfer i, by letting the longest idle others go. */
static bool reserve(struct blockwise *b, uint32_t i, size_t len)
{
    struct transfer *t = &b->transfers[i];
    uint32_t cap = t->cap ? t->cap : FIRST_BYTES;
    uint8_t *body;

    if (len <= t->cap)
        return true;
    while (cap < len)
        cap *= 2;
    while (b->bytes - t->cap + cap > b->bytes_max && b->oldest != i)
        drop(b, b->oldest);
    body = (uint8_t *)realloc(t->body, cap);
    if (!body)
        return false;
    b->bytes += cap - t->cap;
    t->body = body;
    t->cap = cap;
    return true;
}

/* The body leaves the table: it is complete. */
static struct span hand_out(struct blockwise *b, uint32_t i)
{
    struct transfer *t = &b->transfers[i];
    struct span body = span_of(t->body, t->len);

    free(b->handed_out);
    b->handed_out = t->body;
    b->bytes -= t->cap;
    t->body = NULL;
    t->cap = 0;
    drop(b, i);
    return body;
}

enum block_outcome blockwise_take(struct blockwise *b, struct hash key, struct block_option block,
                                  struct span payload, uint32_t now_s, struct span *out_body_view)
{
    uint64_t offset = (uint64_t)block.num << (block.szx + 4);
    uint32_t i;
    struct transfer *t;

    blockwise_expire(b, now_s);
    i = find(b, key);
    if (i == NONE && block.num != 0)
        return BLOCK_INCOMPLETE;
    if (offset + payload.len > LIMIT_PAYLOAD_BLOCK) {
        if (i != NONE)
            drop(b, i);
        return BLOCK_TOO_LARGE;
    }
    if (i == NONE)
        i = begin(b, key);
    t = &b->transfers[i];
    if (block.num == 0)
        t->len = 0;
    list_remove(b, i);
    list_push(b, i);
    t->used_s = now_s;
    /* The block before, once more under a new message id: its 2.31 was lost for longer than the
     * sender kept asking. */
    if (block.more && payload.len && offset + payload.len == t->len &&
        memcmp(t->body + offset, payload.at, payload.len) == 0)
        return BLOCK_CONTINUE;
    if (offset != t->len)
        return BLOCK_INCOMPLETE;
    if (!reserve(b, i, t->len + payload.len))
        return BLOCK_NO_MEMORY;
    assert(t->body || !payload.len);
    if (payload.len)
        memcpy(t->body + t->len, payload.at, payload.len);
    t->len += (uint32_t)payload.len;
    if (block.more)
        return BLOCK_CONTINUE;
    *out_body_view = hand_out(b, i);
    return BLOCK_WHOLE;
}

void blockwise_expire(struct blockwise *b, uint32_t now_s)
{
    while (b->oldest != NONE && now_s - b->transfers[b->oldest].used_s > BLOCKWISE_IDLE_S)
        drop(b, b->oldest);
    if (b->count == 0) {
        free(b->handed_out);
        b->handed_out = NULL;
    }
}

uint32_t blockwise_count(const struct blockwise *b)
{
    return b->count;
}

size_t blockwise_bytes(const struct blockwise *b)
{
    return b->bytes;
}
