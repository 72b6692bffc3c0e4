#include "storage/archive_chunk.h"

#include <assert.h>

#define UNIT_STATED 7

static const int64_t units[UNIT_STATED] = { 1000, 1, 10, 100, 10000, 100000, 1000000 };

static unsigned unit_code(int64_t unit)
{
    unsigned code = 0;

    while (code < UNIT_STATED && units[code] != unit)
        code++;
    return code;
}

/* ---- writing --------------------------------------------------------------------------------- */

bool chunk_add(struct chunk_builder *b, const struct entry *e)
{
    if (b->count == 0)
        b->first = b->last = e->place;
    assert(e->block.len <= CHUNK_BLOCK_MAX && e->place.channel < 16);
    assert(b->count == 0 || place_compare(b->last, e->place) < 0);

    uint8_t bytes[CHUNK_ENTRY_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    unsigned code = unit_code(e->unit);

    wr_varint(&w, e->place.meter - b->last.meter);
    wr_u8(&w, (uint8_t)(e->place.channel | code << 4));
    if (code == UNIT_STATED)
        wr_zigzag(&w, e->unit);
    wr_varint(&w, e->block.len);
    assert(!w.err);

    size_t directory_len = b->directory_len + wr_len(&w);

    if (directory_len > CHUNK_DIRECTORY_MAX ||
        CHUNK_HEAD_MAX + directory_len + b->blocks_len + e->block.len > CHUNK_MAX)
        return false;
    memcpy(b->directory + b->directory_len, bytes, wr_len(&w));
    memcpy(b->blocks + b->blocks_len, e->block.at, e->block.len);
    b->directory_len = directory_len;
    b->blocks_len += e->block.len;
    b->last = e->place;
    b->count++;
    return true;
}

size_t chunk_finish(struct chunk_builder *b, const struct place *next, uint8_t *out)
{
    struct wr w = wr_of(out, CHUNK_MAX);

    assert(b->count);
    wr_varint(&w, b->count);
    wr_u8(&w, next != NULL);
    if (next) {
        wr_varint(&w, next->meter - b->first.meter);
        wr_u8(&w, next->channel);
        wr_varint(&w, next->part);
    }
    wr_varint(&w, b->directory_len);
    wr_bytes(&w, span_of(b->directory, b->directory_len));
    wr_bytes(&w, span_of(b->blocks, b->blocks_len));
    assert(!w.err);
    b->count = 0;
    b->directory_len = b->blocks_len = 0;
    return wr_len(&w);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool get_next_place(struct rd *r, struct place first, struct place *out)
{
    uint64_t meter = first.meter + rd_varint(r);
    uint8_t channel = rd_u8(r);
    uint64_t part = rd_varint(r);

    *out = (struct place){ (uint32_t)meter, channel, (uint16_t)part };
    return !r->err && meter <= UINT32_MAX && channel < 16 && part <= UINT16_MAX;
}

enum err chunk_open(struct chunk *c, struct place first, struct span bytes)
{
    struct rd r = rd_of(bytes);
    uint64_t count = rd_varint(&r);
    uint8_t more = rd_u8(&r);

    *c = (struct chunk){ .left = count, .last = first, .more = more == 1 };
    if (r.err || count == 0 || count > bytes.len || more > 1 || bytes.len > CHUNK_MAX)
        return ERR_CORRUPT;
    if (c->more && !get_next_place(&r, first, &c->next))
        return ERR_CORRUPT;
    c->directory = rd_of(rd_counted(&r));
    c->blocks = span_of(r.at, rd_left(&r));
    return r.err ? ERR_CORRUPT : ERR_OK;
}

/* The place after `last`: a block more of the same series, or a later series' first. */
static bool follow(struct chunk *c, uint64_t step, uint8_t channel)
{
    struct place next = { (uint32_t)(c->last.meter + step), channel, 0 };

    if (!c->begun)
        next.part = c->last.part;
    else if (place_same_series(next, c->last))
        next.part = (uint16_t)(c->last.part + 1);

    int order = place_compare(c->last, next);

    if (c->last.meter + step > UINT32_MAX || (c->begun ? order >= 0 : order != 0))
        return false;
    c->last = next;
    c->begun = true;
    return true;
}

/* Mostly one byte: a read passes over hundreds of them. */
static inline uint64_t get_varint(struct rd *r)
{
    return r->at < r->end && *r->at < 0x80 ? *r->at++ : rd_varint(r);
}

enum err chunk_next(struct chunk *c, struct entry *out)
{
    if (c->left == 0)
        return ERR_NOT_FOUND;

    uint64_t step = get_varint(&c->directory);
    uint8_t byte = rd_u8(&c->directory);
    unsigned code = byte >> 4;
    int64_t unit = code < UNIT_STATED ? units[code] : rd_zigzag(&c->directory);
    uint64_t len = get_varint(&c->directory);

    if (c->directory.err || code > UNIT_STATED || len > c->blocks.len || step > UINT32_MAX ||
        !follow(c, step, byte & 15))
        return ERR_CORRUPT;
    *out = (struct entry){ c->last, unit, span_of(c->blocks.at, len) };
    c->blocks = span_of(c->blocks.at + len, c->blocks.len - len);
    c->left--;
    return ERR_OK;
}
