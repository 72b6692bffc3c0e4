/* A table from names to numbers, in memory; entries stay where they are until names_done.  For the registry; no locks. */
#ifndef NILO_STORAGE_NAMES_PRIV_H
#define NILO_STORAGE_NAMES_PRIV_H

#include "proto/base/err.h"
#include "proto/base/span.h"

#define NAMES_TEXT_MAX 64

struct slot {
    uint32_t fingerprint, place;
};

struct names {
    struct slot *slots;
    uint32_t cap, count;
    uint64_t lengths; /* bit n - 1: some name has n bytes; a form that nobody uses costs no look-up */
    uint8_t **blocks;
    uint32_t block_count, block_cap, used; /* of the last block, in bytes */
};

MUST_CHECK enum err names_reserve(struct names *n, uint64_t count);                     /* LIMIT, NO_MEMORY */
MUST_CHECK enum err names_add(struct names *n, struct span name, uint32_t number); /* replaces; RANGE where it is empty or too long */
uint32_t names_get(const struct names *n, struct span name);                            /* 0: unknown */
uint8_t *names_find(const struct names *n, struct span name);                          /* its entry, NULL: unknown */
uint32_t names_number(const uint8_t *entry); /* the number may be overwritten in place: its first four bytes */
struct span names_text(const uint8_t *entry);
void names_done(struct names *n);
size_t names_bytes(const struct names *n);

#endif
