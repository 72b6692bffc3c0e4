/* Two tables of names: serials, and what the radio calls meters.
 *
 *   slot    u32 fingerprint · u32 place of the entry, 0 = free
 *           open addressing, linear, at most 4/5 full
 *   entry   u32 meter · u8 length · bytes, to a multiple of 4
 *           in blocks of 2 MiB that never move
 *
 * A name of ten bytes takes 16 in its entry and 10 to 16 in slots.  An entry whose meter is 0 is a
 * name that was taken back. An EUI-64 (16 hexadecimal digits) as a radio name is kept in lower
 * case, for networks spell it either way. */
#include "storage/registry.h"

#include "storage/ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (2u << 20)
#define BLOCK_BYTES HUGE_PAGE
#define BLOCK_PLACES (BLOCK_BYTES / 4)
#define BLOCKS_MAX 8192u /* places have 32 bits: 16 GiB of names */
#define SLOTS_LEAST 1024u
#define NAME_MAX_BYTES 64

struct slot {
    uint32_t fingerprint, place;
};

struct names {
    struct slot *slots;
    uint32_t cap, count;
    uint8_t **blocks;
    uint32_t block_count, block_cap, used; /* of the last block, in bytes */
};

struct registry {
    pthread_rwlock_t lock;
    struct names serials, radios;
    uint32_t highest;
};

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

static uint32_t entry_meter(const uint8_t *entry)
{
    uint32_t meter;

    memcpy(&meter, entry, sizeof meter);
    return meter;
}

static struct span entry_name(const uint8_t *entry)
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

static enum err entry_add(struct names *n, struct span name, uint32_t meter, uint32_t *out_place)
{
    uint32_t size = (uint32_t)(5 + name.len + 3) & ~3u;
    uint8_t *at;
    enum err err;

    if ((n->block_count == 0 || n->used + size > BLOCK_BYTES) && (err = block_add(n)))
        return err;
    at = n->blocks[n->block_count - 1] + n->used;
    memcpy(at, &meter, sizeof meter);
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
        at = slot_first(&bigger, hash_of(entry_name(entry_at(n, n->slots[i].place))));
        while (bigger.slots[at].place)
            at = at + 1 == cap ? 0 : at + 1;
        bigger.slots[at] = n->slots[i];
    }
    free(n->slots);
    *n = bigger;
    return ERR_OK;
}

static enum err names_reserve(struct names *n, uint64_t count)
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
static uint8_t *names_find(const struct names *n, struct span name, uint64_t hash,
                           uint32_t *out_free)
{
    uint32_t fingerprint = (uint32_t)hash, at;

    if (n->cap == 0)
        return NULL;
    for (at = slot_first(n, hash); n->slots[at].place; at = at + 1 == n->cap ? 0 : at + 1) {
        uint8_t *entry;

        if (n->slots[at].fingerprint != fingerprint)
            continue;
        entry = entry_at(n, n->slots[at].place);
        if (span_equal(entry_name(entry), name))
            return entry;
    }
    *out_free = at;
    return NULL;
}

static enum err names_add(struct names *n, struct span name, uint32_t meter)
{
    uint64_t hash = hash_of(name);
    uint32_t at = 0, place = 0;
    uint8_t *entry;
    enum err err;

    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return ERR_RANGE;
    if ((err = names_reserve(n, (uint64_t)n->count + 1)))
        return err;
    if ((entry = names_find(n, name, hash, &at))) {
        memcpy(entry, &meter, sizeof meter);
        return ERR_OK;
    }
    if ((err = entry_add(n, name, meter, &place)))
        return err;
    n->slots[at] = (struct slot){ .fingerprint = (uint32_t)hash, .place = place };
    n->count++;
    return ERR_OK;
}

static uint32_t names_meter(const struct names *n, struct span name)
{
    uint32_t at;
    uint8_t *entry = n->count ? names_find(n, name, hash_of(name), &at) : NULL;

    return entry ? entry_meter(entry) : 0;
}

static void names_done(struct names *n)
{
    for (uint32_t i = 0; i < n->block_count; i++)
        free(n->blocks[i]);
    free(n->blocks);
    free(n->slots);
}

/* ---- radio names ---- */

/* As it is kept: an EUI-64 in lower case, in `room`; all else as it came. */
struct span registry_radio_form(struct span name, uint8_t room[16])
{
    if (name.len != 16)
        return name;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];

        if (c >= 'A' && c <= 'F')
            c = (uint8_t)(c + 0x20);
        else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return name;
        room[i] = c;
    }
    return span_of(room, name.len);
}

/* ---- the registry ---- */

enum err registry_new(struct registry **out)
{
    struct registry *r = (struct registry *)calloc(1, sizeof *r);

    if (!r)
        return ERR_NO_MEMORY;
    if (pthread_rwlock_init(&r->lock, NULL)) {
        free(r);
        return ERR_NO_MEMORY;
    }
    *out = r;
    return ERR_OK;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    names_done(&r->serials);
    names_done(&r->radios);
    pthread_rwlock_destroy(&r->lock);
    free(r);
}

enum err registry_add(struct registry *r, struct span name, uint32_t meter)
{
    enum err err;

    pthread_rwlock_wrlock(&r->lock);
    err = names_add(&r->serials, name, meter);
    if (!err && meter > r->highest)
        r->highest = meter;
    pthread_rwlock_unlock(&r->lock);
    return err;
}

enum err registry_add_radio(struct registry *r, struct span name, uint32_t meter)
{
    uint8_t room[16];
    enum err err;

    pthread_rwlock_wrlock(&r->lock);
    err = names_add(&r->radios, registry_radio_form(name, room), meter);
    pthread_rwlock_unlock(&r->lock);
    return err;
}

void registry_drop_radio(struct registry *r, struct span name, uint32_t meter)
{
    uint8_t room[16], *entry;
    struct span form = registry_radio_form(name, room);
    uint32_t at;

    pthread_rwlock_wrlock(&r->lock);
    entry = names_find(&r->radios, form, hash_of(form), &at);
    if (entry && entry_meter(entry) == meter)
        memset(entry, 0, sizeof meter);
    pthread_rwlock_unlock(&r->lock);
}

void registry_read_lock(struct registry *r)
{
    pthread_rwlock_rdlock(&r->lock);
}

void registry_read_unlock(struct registry *r)
{
    pthread_rwlock_unlock(&r->lock);
}

void registry_write_lock(struct registry *r)
{
    pthread_rwlock_wrlock(&r->lock);
}

void registry_write_unlock(struct registry *r)
{
    pthread_rwlock_unlock(&r->lock);
}

uint32_t registry_find_lkd(struct registry *r, struct span name)
{
    uint32_t meter = names_meter(&r->serials, name);
    uint8_t room[16];

    if (meter || r->radios.count == 0)
        return meter;
    return names_meter(&r->radios, registry_radio_form(name, room));
}

uint32_t registry_serial_lkd(struct registry *r, struct span serial)
{
    return names_meter(&r->serials, serial);
}

uint32_t registry_find(struct registry *r, struct span name)
{
    uint32_t meter;

    pthread_rwlock_rdlock(&r->lock);
    meter = registry_find_lkd(r, name);
    pthread_rwlock_unlock(&r->lock);
    return meter;
}

uint32_t registry_count(struct registry *r)
{
    uint32_t highest;

    pthread_rwlock_rdlock(&r->lock);
    highest = r->highest;
    pthread_rwlock_unlock(&r->lock);
    return highest;
}

size_t registry_bytes(struct registry *r)
{
    size_t bytes;

    pthread_rwlock_rdlock(&r->lock);
    bytes = ((size_t)r->serials.cap + r->radios.cap) * sizeof(struct slot) +
            ((size_t)r->serials.block_count + r->radios.block_count) * BLOCK_BYTES;
    pthread_rwlock_unlock(&r->lock);
    return bytes;
}

/* ---- from the ledger ---- */

struct load {
    struct registry *registry;
    unsigned serial_cell, radio_cell;
    enum err err;
};

static bool load_row(void *arg, const struct ledger_row *row)
{
    struct load *load = (struct load *)arg;
    struct span radio = row->cells[load->radio_cell];
    uint8_t room[16];

    load->err = names_add(&load->registry->serials, row->cells[load->serial_cell], row->id);
    if (!load->err && radio.len)
        load->err = names_add(&load->registry->radios, registry_radio_form(radio, room), row->id);
    if (!load->err && row->id > load->registry->highest)
        load->registry->highest = row->id;
    return !load->err;
}

enum err registry_load_from(struct registry *r, struct ledger *l, unsigned meter_list,
                            uint32_t from_id, unsigned serial_cell, unsigned radio_cell)
{
    struct load load = { .registry = r, .serial_cell = serial_cell, .radio_cell = radio_cell };
    struct txn t = ledger_read(l);
    enum err err = t.err, ended;

    pthread_rwlock_wrlock(&r->lock);
    if (!err)
        err = names_reserve(&r->serials, ledger_last_id(&t, meter_list));
    if (!err)
        err = ledger_each_by_id(&t, meter_list, from_id, load_row, &load);
    pthread_rwlock_unlock(&r->lock);
    ended = txn_end(&t);
    if (load.err)
        return load.err;
    return err ? err : ended;
}

enum err registry_load(struct registry *r, struct ledger *l, unsigned meter_list,
                       unsigned serial_cell, unsigned radio_cell)
{
    return registry_load_from(r, l, meter_list, 1, serial_cell, radio_cell);
}
