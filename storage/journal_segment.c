/* One file of the journal: DIR/journal/NNNNNNNNNN.mdb, named by its first batch's number in
 * hexadecimal, so that the folder alone tells which file has which batch.
 *
 *   table batches   number (u64, big-endian) → the batch (batch.c)
 *   table facts     "sealed" → u64 last batch · u32 its checksum · u32 latest arrival,
 *                   once nothing comes any more
 *
 * The next segment is durable before this one is sealed, and this one is sealed before the next
 * one's first batch: a sealed segment without a next one means that a file is gone, and an unsealed
 * one before an empty one that we were interrupted. */
#include "storage/journal_priv.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"
#include "storage/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_DIGITS 10
#define MAP_BYTES                                                                                  \
    (UINT64_C(64) << 30) /* of the segment that grows; 128 TiB of addresses hold two thousand */

static const struct table tables[] = {
    [SEGMENT_BATCHES] = { "batches", TABLE_RAW },
    [SEGMENT_FACTS] = { "facts", 0 },
};

bool segment_path(const char *dir, uint64_t first, const char *ending, char out[SEGMENT_PATH_SIZE])
{
    return snprintf(out, SEGMENT_PATH_SIZE, "%s/%0*" PRIx64 "%s", dir, NAME_DIGITS, first, ending) <
           SEGMENT_PATH_SIZE;
}

bool segment_first(const char *name, uint64_t *out_first)
{
    size_t digits = strspn(name, "0123456789abcdef");

    if (digits != NAME_DIGITS || strcmp(name + digits, ".mdb") != 0)
        return false;
    *out_first = strtoull(name, NULL, 16);
    return *out_first > 0;
}

enum err segment_open(const char *dir, struct segment *s, unsigned db_flags, struct refusal *r)
{
    struct db_layout layout = { "journal", 1, tables, 2, MAP_BYTES, 0 };
    char path[SEGMENT_PATH_SIZE];
    struct stat file;
    enum err err;

    if (!segment_path(dir, s->first, ".mdb", path))
        return refuse(r, ERR_INVALID, 0, "", "%.100s…: the path is too long", dir);
    if (db_flags & DB_SEALED)
        layout.map_bytes = 1 << 20; /* and the file's size, if that is more */
    if ((err = db_open(path, &layout, db_flags, &s->db, r)))
        return err;
    s->db_writes = !(db_flags & DB_READ_ONLY);
    if (stat(path, &file) == 0)
        s->bytes = (uint64_t)file.st_size;
    return ERR_OK;
}

void segment_close(const char *dir, struct segment *s)
{
    char lock[SEGMENT_PATH_SIZE];

    if (!s->db)
        return;
    s->bytes = db_bytes(s->db);
    db_close(s->db);
    s->db = NULL;
    if (s->sealed && s->db_writes && segment_path(dir, s->first, ".mdb-lock", lock))
        unlink(lock); /* nobody writes it any more */
}

static enum err sealed_read(struct txn *t, struct segment *s)
{
    struct span value;
    struct rd r;

    if (!txn_get(t, SEGMENT_FACTS, span_text("sealed"), &value))
        return t->err;
    r = rd_of(value);
    s->last = rd_le64(&r);
    s->last_crc = rd_le32(&r);
    s->newest_s = rd_le32(&r);
    s->sealed = true;
    return r.err ? ERR_CORRUPT : ERR_OK;
}

static bool number_of(struct span key, uint64_t *out)
{
    struct rd r = rd_of(key);

    *out = rd_be64(&r);
    return key.len == 8;
}

/* The last batch's header. */
static enum err last_read(struct txn *t, struct segment *s, bool *out_empty)
{
    struct scan scan = scan_from(t, SEGMENT_BATCHES, (struct span){ 0 });
    struct batch_header h;
    uint64_t number = 0;
    enum err err = ERR_OK;

    *out_empty = !scan_back(&scan);
    if (!*out_empty) {
        err =
            number_of(scan.key, &number) ? batch_header_read(number, scan.value, &h) : ERR_CORRUPT;
        if (!err && s->sealed && (number != s->last || h.crc != s->last_crc))
            err = ERR_MISSING;
        if (!err) {
            s->last = number;
            s->last_crc = h.crc;
            s->newest_s = h.newest_s;
        }
    }
    scan_done(&scan);
    return t->err ? t->err : err;
}

enum err segment_examine(struct segment *s, bool *out_empty, struct refusal *r)
{
    struct txn t = txn_begin(s->db, TXN_READ);
    enum err err = t.err;

    if (!err)
        err = sealed_read(&t, s);
    if (!err)
        err = last_read(&t, s, out_empty);
    if (!err && !*out_empty &&
        (s->last < s->first || txn_count(&t, SEGMENT_BATCHES) != s->last - s->first + 1))
        err = ERR_MISSING;
    if (!err && *out_empty && s->sealed)
        err = ERR_MISSING;
    txn_abort(&t);
    return err ? refuse(r, err, 0, "", "%s: its batches: the list of them %s", db_path(s->db),
                        err_text(err))
               : ERR_OK;
}

enum err segment_seal(struct segment *s, uint64_t last, uint32_t last_crc, uint32_t newest_s)
{
    uint8_t value[16];
    struct wr w = wr_of(value, sizeof(value));
    struct txn t = txn_begin(s->db, TXN_WRITE);
    enum err err;

    wr_le64(&w, last);
    wr_le32(&w, last_crc);
    wr_le32(&w, newest_s);
    txn_put(&t, SEGMENT_FACTS, span_text("sealed"), wr_span(&w));
    if ((err = txn_end(&t)))
        return err;
    s->last = last;
    s->last_crc = last_crc;
    s->newest_s = newest_s;
    s->sealed = true;
    return ERR_OK;
}
