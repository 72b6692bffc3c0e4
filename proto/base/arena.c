#include "proto/base/arena.h"

#include <stdlib.h>

#define ALIGN 16u

enum err arena_init(struct arena *a, size_t cap)
{
    uint8_t *base = malloc(cap ? cap : 1);

    if (!base)
        return ERR_NO_MEMORY;
    *a = (struct arena){ base, 0, cap };
    return ERR_OK;
}

void arena_done(struct arena *a)
{
    free(a->base);
    *a = (struct arena){ 0 };
}

void *arena_alloc(struct arena *a, size_t len)
{
    size_t left = a->cap - a->used;
    size_t whole = (len + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    void *at;

    /* `whole` is below `len` where rounding up went round the address space. */
    if (whole < len || whole > left)
        return NULL;
    at = a->base + a->used;
    a->used += whole;
    return at;
}
