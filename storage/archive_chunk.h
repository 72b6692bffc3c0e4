/* A chunk: blocks of one run and month behind their directory, in the value of one row.  Of
 * archive*.c only.
 *
 *   varint  entries
 *   u8      1: another chunk follows; its first entry is at
 *              varint meter − this chunk's first meter · u8 channel · varint part
 *           0: the run ends here
 *   varint  bytes of the directory
 *   entries × ( varint meter − the one before (at first: − the key's)
 *               u8     bits 0–3 channel
 *                      bits 4–6 unit: 0 1 000, 1 1, 2 10, 3 100, 4 10 000, 5 100 000,
 *                               6 1 000 000, 7 a zigzag follows
 *               varint length )
 *   blocks, one after the other
 *
 * A meter's channel that fills more than one block has several entries, whose parts count from 0;
 * the key of the chunk's row names the first of its entries.  Each chunk names the first of the
 * next, so that whoever walks over a lost row notices. */
#ifndef NILO_STORAGE_ARCHIVE_CHUNK_H
#define NILO_STORAGE_ARCHIVE_CHUNK_H

#include "proto/base/rd.h"
#include "proto/base/wr.h"

/* Four pages of LMDB, less the header of the first (16) and the row's checksum (4): no part of a
 * page stays empty. */
#define CHUNK_MAX (4 * 4096 - 16 - 4)
#define CHUNK_HEAD_MAX 16
#define CHUNK_ENTRY_MAX 20
#define CHUNK_BLOCK_MAX (CHUNK_MAX - CHUNK_HEAD_MAX - CHUNK_ENTRY_MAX)
#define CHUNK_DIRECTORY_MAX 8192

/* Where in a run: the order of its entries. */
struct place {
    uint32_t meter;
    uint8_t channel;
    uint16_t part;
};

struct entry {
    struct place place;
    int64_t unit;
    struct span block; /* view */
};

static inline int place_compare(struct place a, struct place b)
{
    if (a.meter != b.meter)
        return a.meter < b.meter ? -1 : 1;
    if (a.channel != b.channel)
        return a.channel < b.channel ? -1 : 1;
    return (a.part > b.part) - (a.part < b.part);
}

static inline bool place_same_series(struct place a, struct place b)
{
    return a.meter == b.meter && a.channel == b.channel;
}

/* ---- writing: entries in order --------------------------------------------------------------- */

struct chunk_builder {
    struct place first, last;
    uint32_t count;
    size_t directory_len, blocks_len;
    uint8_t directory[CHUNK_DIRECTORY_MAX];
    uint8_t blocks[CHUNK_MAX];
};

/* false: no room; finish this chunk and begin another. An empty one takes any block of up to
 * CHUNK_BLOCK_MAX. */
bool chunk_add(struct chunk_builder *b, const struct entry *e);

/* Writes the chunk to `out`, which has room for CHUNK_MAX, and clears the builder. `next` NULL: the
 * run ends. */
size_t chunk_finish(struct chunk_builder *b, const struct place *next, uint8_t *out);

/* ---- reading --------------------------------------------------------------------------------- */

struct chunk {
    struct rd directory;
    struct span blocks; /* what is left of them */
    uint64_t left;      /* entries */
    struct place last;
    bool begun, more;
    struct place next; /* with `more` */
};

MUST_CHECK enum err chunk_open(struct chunk *c, struct place first,
                               struct span bytes); /* CORRUPT */

/* The next entry; NOT_FOUND at the end, CORRUPT. */
MUST_CHECK enum err chunk_next(struct chunk *c, struct entry *out);

#endif
