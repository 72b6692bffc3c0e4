/* Readers of the journal: single records by position, and the walk that holds each batch against
 * its count and its predecessor. */
#include "storage/journal_priv.h"

#include "proto/base/crc.h"
#include "storage/key.h"

#include <stdlib.h>

#define SLOTS 4 /* segments at once: what is being settled spans a few */

struct slot {
    struct segment *segment; /* NULL: free */
    struct txn txn;
    uint64_t used;
};

struct journal_reader {
    struct journal *journal;
    struct slot slots[SLOTS];
    uint64_t turn;

    uint64_t batch; /* at hand; 0: none */
    struct span value;
    struct batch_header header;

    uint64_t walked;      /* the batch that the walk is in; 0: none */
    uint32_t walk_offset; /* next record */
    uint32_t walk_seen, walk_crc;
    uint64_t chain; /* the batch whose checksum is `chain_crc`; 0: none */
    uint32_t chain_crc;
};

enum err journal_reader_open(struct journal *j, struct journal_reader **out)
{
    struct journal_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return ERR_NO_MEMORY;
    r->journal = j;
    *out = r;
    return ERR_OK;
}

static void slot_empty(struct journal_reader *r, struct slot *slot)
{
    if (!slot->segment)
        return;
    txn_abort(&slot->txn);
    segment_release(r->journal, slot->segment);
    slot->segment = NULL;
    r->batch = 0; /* which may have been a view into it */
}

void journal_reader_renew(struct journal_reader *r)
{
    for (size_t i = 0; i < SLOTS; i++)
        slot_empty(r, &r->slots[i]);
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    journal_reader_renew(r);
    free(r);
}

static struct slot *slot_oldest(struct journal_reader *r)
{
    struct slot *oldest = &r->slots[0];

    for (size_t i = 1; i < SLOTS; i++) {
        if (r->slots[i].used < oldest->used)
            oldest = &r->slots[i];
    }
    slot_empty(r, oldest);
    return oldest;
}

/* A transaction on the segment that has the batch. */
static enum err slot_for(struct journal_reader *r, uint64_t batch, struct slot **out)
{
    struct segment *segment;
    enum err err = segment_acquire(r->journal, batch, &segment);
    struct slot *slot = NULL;

    if (err)
        return err;
    for (size_t i = 0; i < SLOTS; i++) {
        if (r->slots[i].segment == segment)
            slot = &r->slots[i];
    }
    if (slot) {
        segment_release(r->journal, segment); /* the slot holds it already */
    } else {
        slot = slot_oldest(r);
        slot->segment = segment;
        slot->txn = txn_begin(segment->db, TXN_READ);
    }
    slot->used = ++r->turn;
    *out = slot;
    return ERR_OK;
}

static enum err batch_look_up(struct journal_reader *r, uint64_t batch, struct span *out_value)
{
    struct slot *slot;
    struct key key;
    enum err err = slot_for(r, batch, &slot);

    if (err)
        return err;
    key_clear(&key);
    key_u64(&key, batch);
    if (txn_get(&slot->txn, SEGMENT_BATCHES, key_span(&key), out_value))
        return ERR_OK;
    if (!slot->txn.err || slot->txn.err == ERR_IO) { /* committed since the transaction began? */
        txn_renew(&slot->txn);
        r->batch = 0; /* its pages were let go of */
        if (txn_get(&slot->txn, SEGMENT_BATCHES, key_span(&key), out_value))
            return ERR_OK;
    }
    if ((err = slot->txn.err))
        slot_empty(r, slot); /* the next call begins anew */
    return err ? err : ERR_NOT_FOUND;
}

static enum err batch_load(struct journal_reader *r, uint64_t batch)
{
    struct batch_header header;
    struct span value;
    enum err err;

    if (r->batch == batch)
        return ERR_OK;
    if ((err = batch_look_up(r, batch, &value)) || (err = batch_header_read(batch, value, &header)))
        return err;
    r->batch = batch;
    r->value = value;
    r->header = header;
    return ERR_OK;
}

enum err journal_get(struct journal_reader *r, uint64_t position, struct record *out_view)
{
    uint64_t batch = position >> 24;
    uint32_t next;
    enum err err;

    if (batch >= atomic_load(&r->journal->next))
        return ERR_NOT_FOUND;
    if ((err = batch_load(r, batch)) == ERR_NOT_FOUND && batch >= journal_begin(r->journal) >> 24)
        return ERR_MISSING;
    if (err)
        return err;
    return batch_record(&r->header, r->value, (uint32_t)(position & 0xffffff), out_view, &next,
                        NULL);
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* The batch must follow the one before it, where that is still there. */
static enum err chain_check(struct journal_reader *r, uint64_t batch, const struct batch_header *h)
{
    struct batch_header before;
    struct span value;
    enum err err;

    if (batch == 1)
        return h->previous == 0 ? ERR_OK : ERR_MISSING;
    if (r->chain != batch - 1) {
        if (batch <= journal_begin(r->journal) >> 24)
            return ERR_OK;
        err = batch_look_up(r, batch - 1, &value);
        if (err == ERR_NOT_FOUND) /* dropped just now? */
            return batch <= journal_begin(r->journal) >> 24 ? ERR_OK : ERR_MISSING;
        if (err || (err = batch_header_read(batch - 1, value, &before)))
            return err;
        r->chain = batch - 1;
        r->chain_crc = before.crc;
    }
    return h->previous == r->chain_crc ? ERR_OK : ERR_MISSING;
}

static void walk_restart(struct journal_reader *r, uint64_t batch)
{
    r->walked = batch;
    r->walk_offset = BATCH_HEADER;
    r->walk_seen = 0;
    r->walk_crc = 0;
}

/* Gets the walk into the batch, before the record at `offset`. NOT_FOUND: it was dropped. */
static enum err walk_enter(struct journal_reader *r, uint64_t batch, uint32_t offset)
{
    enum err err = batch_load(r, batch);

    if (err == ERR_NOT_FOUND)
        return batch < journal_begin(r->journal) >> 24 ? ERR_NOT_FOUND : ERR_MISSING;
    if (err)
        return err;
    if (r->walked == batch && r->walk_offset <= offset)
        return ERR_OK;
    if (r->walked != batch) {
        struct batch_header header = r->header;

        if ((err = chain_check(r, batch, &header)) || (err = batch_load(r, batch)))
            return err;
    }
    walk_restart(r, batch);
    return ERR_OK;
}

static enum err walk_step(struct journal_reader *r, struct record *out)
{
    uint32_t next, crc;
    enum err err = batch_record(&r->header, r->value, r->walk_offset, out, &next, &crc);

    if (err)
        return err;
    r->walk_offset = next;
    r->walk_seen++;
    r->walk_crc = crc32c(r->walk_crc, &crc, sizeof(crc));
    return ERR_OK;
}

/* At a batch's end: were these all its records? */
static enum err walk_leave(struct journal_reader *r)
{
    if (r->walk_seen != r->header.count || r->walk_crc != r->header.records_crc)
        return ERR_MISSING;
    r->chain = r->walked;
    r->chain_crc = r->header.crc;
    return ERR_OK;
}

enum err journal_next(struct journal_reader *r, uint64_t *position, uint64_t *out_at,
                      struct record *out_view)
{
    uint64_t at = *position, begin = journal_begin(r->journal), end = journal_end(r->journal);
    enum err err;

    if (at < begin)
        at = begin;
    while (at < end) {
        uint64_t batch = at >> 24;
        uint32_t offset = (uint32_t)(at & 0xffffff);

        if (offset < BATCH_HEADER)
            offset = BATCH_HEADER;
        if ((err = walk_enter(r, batch, offset)) == ERR_NOT_FOUND) {
            at = journal_begin(r->journal);
            continue;
        }
        while (!err && r->walk_offset < offset && r->walk_offset < r->value.len)
            err = walk_step(r, out_view);
        if (err)
            return err;
        if (r->walk_offset < r->value.len) {
            uint32_t found = r->walk_offset;

            if ((err = walk_step(r, out_view)))
                return err;
            *out_at = position_of(batch, found);
            *position = position_of(batch, r->walk_offset);
            return ERR_OK;
        }
        if ((err = walk_leave(r)))
            return err;
        at = position_of(batch + 1, 0);
    }
    return ERR_NOT_FOUND;
}
