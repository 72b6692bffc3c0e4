/* A batch, which is one value of the journal, in its final layout from the first record on. Numbers
 * are little-endian.
 *
 *   header  u32 format 1 · u32 count · u32 bytes · u32 salt · u32 base · u32 newest ·
 *           u32 records' checksum · u32 previous batch's checksum ·
 *           u32 checksum of the batch's number (u64) and all of this
 *   record  u32 checksum · varint length of what follows ·
 *           u8 kind | address << 2 | transport << 4 · u8 dialect · varint name's length ·
 *           zigzag arrival − base · varint meter · [varint import, if the kind is ROWS] ·
 *           [address of 4 or 16 bytes · u16 port] · [counted recipe, if the dialect is it] ·
 *           name · bytes
 *
 * address: 0 none, 1 of 4, 2 of 16 bytes.  A record's checksum begins with the salt and the
 * record's offset and goes over all behind it, so that one record can be read and trusted without
 * its batch. */
#include "storage/journal_priv.h"

#include "proto/base/crc.h"
#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "proto/dialect.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define HEAD_MOST 96  /* of a record, between length and name */
#define LENGTH_MOST 4 /* varint of a length below LIMIT_BATCH_BYTES */
#define CHECKSUM 4

_Static_assert(LIMIT_BATCH_BYTES < 1 << 7 * LENGTH_MOST,
               "a record's length is a varint of LENGTH_MOST bytes");

static atomic_uint salts;

/* A number that no batch near this one had; across starts it begins anywhere. */
static uint32_t salt_next(void)
{
    uint32_t salt = atomic_fetch_add(&salts, 0x9e3779b9u);

    if (salt == 0) {
        uint32_t start = 0;

        if (getrandom(&start, sizeof(start), 0) != (ssize_t)sizeof(start))
            start = (uint32_t)time(NULL);
        atomic_fetch_add(&salts, start);
        salt = start;
    }
    return salt;
}

enum err batch_new(struct batch **out)
{
    struct batch *b = calloc(1, sizeof(*b));

    if (!b || !(b->bytes = malloc(LIMIT_BATCH_BYTES))) {
        free(b);
        return ERR_NO_MEMORY;
    }
    batch_clear(b);
    *out = b;
    return ERR_OK;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    free(b->bytes);
    free(b);
}

void batch_clear(struct batch *b)
{
    b->len = BATCH_HEADER;
    b->header = (struct batch_header){ .salt = salt_next() };
}

uint32_t batch_count(const struct batch *b)
{
    return b->header.count;
}

size_t batch_bytes(const struct batch *b)
{
    return b->len;
}

static uint32_t record_crc(uint32_t salt, uint32_t offset, const uint8_t *at, size_t len)
{
    return crc32c(crc32c(salt, &offset, sizeof(offset)), at, len);
}

static void head_put(struct wr *w, const struct record *r, uint32_t base_s)
{
    unsigned address = r->peer.len == 4 ? 1 : r->peer.len == 16 ? 2 : 0;

    wr_u8(w, (uint8_t)(r->kind | address << 2 | (r->transport & 15u) << 4));
    wr_u8(w, r->dialect);
    wr_varint(w, r->name.len);
    wr_zigzag(w, (int64_t)r->arrival_s - base_s);
    wr_varint(w, r->meter);
    if (r->kind == RECORD_ROWS)
        wr_varint(w, r->import_id);
    if (address) {
        wr_bytes(w, span_of(r->peer.address, r->peer.len));
        wr_le16(w, r->peer.port);
    }
    if (r->kind != RECORD_ROWS && r->dialect == DIALECT_RECIPE)
        wr_counted(w, r->recipe);
}

enum err batch_add(struct batch *b, const struct record *record, uint32_t *out_offset)
{
    struct batch_header *h = &b->header;
    uint32_t base_s = h->count ? h->base_s : record->arrival_s, offset = (uint32_t)b->len, crc;
    uint8_t head[HEAD_MOST];
    struct wr hw = wr_of(head, sizeof(head)), w;
    size_t body;

    assert(record->kind >= RECORD_FRAME && record->kind <= RECORD_REJECT && record->transport < 16);
    head_put(&hw, record, base_s);
    assert(!hw.err);
    body = wr_len(&hw) + record->name.len + record->bytes.len;
    if (body > LIMIT_BATCH_BYTES - BATCH_HEADER - CHECKSUM - LENGTH_MOST)
        return ERR_TOO_LARGE;
    if (h->count == LIMIT_BATCH_RECORDS ||
        body > LIMIT_BATCH_BYTES - CHECKSUM - LENGTH_MOST - b->len)
        return ERR_FULL;
    w = wr_of(b->bytes + offset + CHECKSUM, LIMIT_BATCH_BYTES - offset - CHECKSUM);
    wr_varint(&w, body);
    wr_bytes(&w, wr_span(&hw));
    wr_bytes(&w, record->name);
    wr_bytes(&w, record->bytes);
    assert(!w.err);
    crc = record_crc(h->salt, offset, w.start, wr_len(&w));
    memcpy(b->bytes + offset, &crc, CHECKSUM);
    h->base_s = base_s;
    h->newest_s = record->arrival_s > h->newest_s ? record->arrival_s : h->newest_s;
    h->records_crc = crc32c(h->records_crc, &crc, CHECKSUM);
    h->count++;
    b->len += CHECKSUM + wr_len(&w);
    *out_offset = offset;
    return ERR_OK;
}

static uint32_t header_crc(uint64_t number, const uint8_t *header)
{
    return crc32c(crc32c(0, &number, sizeof(number)), header, BATCH_HEADER - CHECKSUM);
}

void batch_close_up(struct batch *b, uint64_t number, uint32_t previous, uint32_t newest_s)
{
    struct batch_header *h = &b->header;
    struct wr w = wr_of(b->bytes, BATCH_HEADER);

    h->bytes = (uint32_t)b->len;
    h->previous = previous;
    h->newest_s = newest_s > h->newest_s ? newest_s : h->newest_s;
    wr_le32(&w, BATCH_FORMAT);
    wr_le32(&w, h->count);
    wr_le32(&w, h->bytes);
    wr_le32(&w, h->salt);
    wr_le32(&w, h->base_s);
    wr_le32(&w, h->newest_s);
    wr_le32(&w, h->records_crc);
    wr_le32(&w, h->previous);
    h->crc = header_crc(number, b->bytes);
    wr_le32(&w, h->crc);
    assert(!w.err && wr_len(&w) == BATCH_HEADER);
}

enum err batch_header_read(uint64_t number, struct span value, struct batch_header *out)
{
    struct rd r = rd_of(value);
    struct batch_header h = { 0 };
    uint32_t format = rd_le32(&r);

    h.count = rd_le32(&r);
    h.bytes = rd_le32(&r);
    h.salt = rd_le32(&r);
    h.base_s = rd_le32(&r);
    h.newest_s = rd_le32(&r);
    h.records_crc = rd_le32(&r);
    h.previous = rd_le32(&r);
    h.crc = rd_le32(&r);
    if (r.err || h.crc != header_crc(number, value.at) || h.bytes != value.len)
        return ERR_CORRUPT;
    if (format != BATCH_FORMAT)
        return ERR_NEWER;
    *out = h;
    return ERR_OK;
}

static enum err body_read(struct span body, uint32_t base_s, struct record *out)
{
    static const uint8_t address_len[4] = { 0, 4, 16, 0 };
    struct rd r = rd_of(body);
    struct record v = { 0 };
    uint8_t first = rd_u8(&r);
    uint64_t name_len;

    v.kind = (enum record_kind)(first & 3);
    v.transport = first >> 4;
    v.dialect = rd_u8(&r);
    name_len = rd_varint(&r);
    v.arrival_s = (uint32_t)(base_s + rd_zigzag(&r));
    v.meter = (uint32_t)rd_varint(&r);
    if (v.kind == RECORD_ROWS)
        v.import_id = (uint32_t)rd_varint(&r);
    v.peer.len = address_len[first >> 2 & 3];
    if (v.peer.len) {
        struct span address = rd_bytes(&r, v.peer.len);

        if (!r.err)
            memcpy(v.peer.address, address.at, v.peer.len);
        v.peer.port = rd_le16(&r);
    }
    if (v.kind != RECORD_ROWS && v.dialect == DIALECT_RECIPE)
        v.recipe = rd_counted(&r);
    if (r.err || name_len > rd_left(&r) || v.kind < RECORD_FRAME)
        return ERR_CORRUPT;
    v.name = rd_bytes(&r, name_len);
    v.bytes = rd_bytes(&r, rd_left(&r));
    *out = v;
    return ERR_OK;
}

enum err batch_record(const struct batch_header *h, struct span value, uint32_t offset,
                      struct record *out_view, uint32_t *out_next, uint32_t *out_crc)
{
    struct rd r;
    uint32_t crc;
    uint64_t len;
    size_t end;
    enum err err;

    if (offset < BATCH_HEADER || offset >= value.len)
        return ERR_NOT_FOUND;
    r = rd_of(span_of(value.at + offset, value.len - offset));
    crc = rd_le32(&r);
    len = rd_varint(&r);
    if (r.err || len > rd_left(&r))
        return ERR_CORRUPT;
    end = rd_offset(&r) + len;
    if (crc != record_crc(h->salt, offset, r.start + CHECKSUM, end - CHECKSUM))
        return ERR_CORRUPT;
    if ((err = body_read(rd_bytes(&r, len), h->base_s, out_view)))
        return err;
    *out_next = offset + (uint32_t)end;
    if (out_crc)
        *out_crc = crc;
    return ERR_OK;
}
