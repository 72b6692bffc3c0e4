/* Memory for one batch: a bump allocator over one block of fixed size, emptied at once.  Not for many threads. */
#ifndef NILO_PROTO_BASE_ARENA_H
#define NILO_PROTO_BASE_ARENA_H

#include "proto/base/err.h"

struct arena {
    uint8_t *base;
    size_t used, cap;
};

MUST_CHECK enum err arena_init(struct arena *a, size_t cap); /* allocates; NO_MEMORY */
void arena_done(struct arena *a);                            /* frees; a zeroed arena is fine */
void *arena_alloc(struct arena *a, size_t len);              /* 16-byte aligned, not zeroed; NULL when full */

static inline void arena_clear(struct arena *a)
{
    a->used = 0;
}

#endif
