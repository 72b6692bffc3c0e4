/* Tables of names, for the registry:
 *
 *   slot    u32 fingerprint · u32 place of the entry, 0 = free
 *           open addressing, linear, at most 4/5 full
 *   entry   u32 number · u8 length · bytes, to a multiple of 4
 *           in blocks of 2 MiB that never move
 *
 * A name of ten bytes takes 16 in its entry and 10 to 16 in slots. */
#include "storage/names_priv.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u << 20)
#define BLOCK_BYTES HUGE_PAGE
#define BLOCK_PLACES (BLOCK_BYTES / 4)
#define BLOCKS_MAX 8192u /* places have 32 bits: 16 GiB of names */
#define SLOTS_LEAST 1024u

_Static_assert(NAMES_TEXT_MAX <= 64, "struct names has a bit for each length");

/* ---- hashing ---- */

/* wyhash-like mixing of eight bytes at a time; the names come from our own register, so nobody can
 * choose collisions for us without being let in first. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(struct span name)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ name.len, word;
    size_t at = 0;

    for (; at + 8 <= name.len; at += 8) {
        memcpy(&word, name.at + at, 8);
        h = mix(h ^ word, UINT64_C(0xe7037ed1a0b428db));
    }
    word = 0;
    if (at < name.len)
        memcpy(&word, name.at + at, name.len - at);
    return mix(h ^ word, UINT64_C(0x8ebc6af09c88c6e3));
}

static uint32_t slot_first(const struct names *n, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * n->cap >> 32);
}

/* ---- memory ---- */

/* Zeroed.  A look-up touches two random places: in huge pages that is two misses of the cache and
 * not also two of the TLB. */
static void *room_new(size_t bytes)
{
    void *room;

    if (bytes < HUGE_PAGE)
        return calloc(1, bytes);
    bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (!(room = aligned_alloc(HUGE_PAGE, bytes)))
        return NULL;
    (void)madvise(room, bytes, MADV_HUGEPAGE);
    return memset(room, 0, bytes);
}

/* ---- entries ---- */

static uint8_t *entry_at(const struct names *n, uint32_t place)
{
    return n->blocks[(place - 1) / BLOCK_PLACES] + (size_t)((place - 1) % BLOCK_PLACES) * 4;
}

uint32_t names_number(const uint8_t *entry)
{
    uint32_t number;

    memcpy(&number, entry, sizeof number);
    return number;
}

struct span names_text(const uint8_t *entry)
{
    return span_of(entry + 5, entry[4]);
}

static enum err block_add(struct names *n)
{
    if (n->block_count == n->block_cap) {
        uint32_t cap = n->block_cap ? n->block_cap * 2 : 16;
        uint8_t **blocks;

        if (n->block_count >= BLOCKS_MAX)
            return ERR_LIMIT;
        if (!(blocks = (uint8_t **)realloc(n->blocks, cap * sizeof *blocks)))
            return ERR_NO_MEMORY;
        n->blocks = blocks;
        n->block_cap = cap;
    }
    if (!(n->blocks[n->block_count] = (uint8_t *)room_new(BLOCK_BYTES)))
        return ERR_NO_MEMORY;
    n->block_count++;
    n->used = 0;
    return ERR_OK;
}

static enum err entry_add(struct names *n, struct span name, uint32_t number, uint32_t *out_place)
{
    uint32_t size = (uint32_t)(5 + name.len + 3) & ~3u;
    uint8_t *at;
    enum err err;

    if ((n->block_count == 0 || n->used + size > BLOCK_BYTES) && (err = block_add(n)))
        return err;
    at = n->blocks[n->block_count - 1] + n->used;
    memcpy(at, &number, sizeof number);
    at[4] = (uint8_t)name.len;
    memcpy(at + 5, name.at, name.len);
    *out_place = (n->block_count - 1) * BLOCK_PLACES + n->used / 4 + 1;
    n->used += size;
    return ERR_OK;
}

/* ---- the table ---- */

static enum err names_resize(struct names *n, uint32_t cap)
{
    struct names bigger = *n;

    if (!(bigger.slots = (struct slot *)room_new(cap * sizeof *bigger.slots)))
        return ERR_NO_MEMORY;
    bigger.cap = cap;
    for (uint32_t i = 0; i < n->cap; i++) {
        uint32_t at;

        if (n->slots[i].place == 0)
            continue;
        at = slot_first(&bigger, hash_of(names_text(entry_at(n, n->slots[i].place))));
        while (bigger.slots[at].place)
            at = at + 1 == cap ? 0 : at + 1;
        bigger.slots[at] = n->slots[i];
    }
    free(n->slots);
    *n = bigger;
    return ERR_OK;
}

enum err names_reserve(struct names *n, uint64_t count)
{
    uint64_t need = count + count / 4 + 1;

    if (need <= n->cap)
        return ERR_OK;
    if (need < n->cap + (uint64_t)n->cap / 2)
        need = n->cap + (uint64_t)n->cap / 2;
    if (need < SLOTS_LEAST)
        need = SLOTS_LEAST;
    return need > UINT32_MAX ? ERR_LIMIT : names_resize(n, (uint32_t)need);
}

/* The entry of a name, NULL if unknown; *out_free then is the slot where it would go. */
static uint8_t *find(const struct names *n, struct span name, uint64_t hash, uint32_t *out_free)
{
    uint32_t fingerprint = (uint32_t)hash, at;

    if (n->cap == 0)
        return NULL;
    for (at = slot_first(n, hash); n->slots[at].place; at = at + 1 == n->cap ? 0 : at + 1) {
        uint8_t *entry;

        if (n->slots[at].fingerprint != fingerprint)
            continue;
        entry = entry_at(n, n->slots[at].place);
        if (span_equal(names_text(entry), name))
            return entry;
    }
    *out_free = at;
    return NULL;
}

enum err names_add(struct names *n, struct span name, uint32_t number)
{
    uint64_t hash = hash_of(name);
    uint32_t at = 0, place = 0;
    uint8_t *entry;
    enum err err;

    if (name.len == 0 || name.len > NAMES_TEXT_MAX)
        return ERR_RANGE;
    if ((err = names_reserve(n, (uint64_t)n->count + 1)))
        return err;
    if ((entry = find(n, name, hash, &at))) {
        memcpy(entry, &number, sizeof number);
        return ERR_OK;
    }
    if ((err = entry_add(n, name, number, &place)))
        return err;
    n->slots[at] = (struct slot){ .fingerprint = (uint32_t)hash, .place = place };
    n->count++;
    n->lengths |= UINT64_C(1) << (name.len - 1);
    return ERR_OK;
}

uint32_t names_get(const struct names *n, struct span name)
{
    uint8_t *entry = names_find(n, name);

    return entry ? names_number(entry) : 0;
}

void names_done(struct names *n)
{
    for (uint32_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->slots);
}

uint8_t *names_find(const struct names *n, struct span name)
{
    uint32_t at;

    if (name.len == 0 || name.len > NAMES_TEXT_MAX || !(n->lengths >> (name.len - 1) & 1))
        return NULL;
    return find(n, name, hash_of(name), &at);
}

size_t names_bytes(const struct names *n)
{
    return n->cap * sizeof(struct slot) + (size_t)n->block_count * BLOCK_BYTES;
}
