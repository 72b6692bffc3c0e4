/* A block: one meter's rows of one month, in as few bytes as a page of code can bring them to.
 *
 *   u8      bits 0–2  period: 0 3 600 s, 1 900, 2 1 800, 3 300, 4 60, 5 7 200, 6 86 400,
 *                     7 a varint follows
 *           bits 3–4  time mode (block_time.c); 3: another scheme, whose number is byte 1
 *           bits 5–6  scale: 1, 2, 3: values are counted in 1, 10, 100 units of the meter;
 *                     0: in a stated divisor
 *           bit 7     a list of steps follows
 *   varint  [period s] · count of rows · first time − start of the month
 *   zigzag  first value: in the scale's units, or whole where the divisor is stated
 *   varint  [divisor of the steps]
 *   list    [varint count · count × (varint rows passed over · zigzag step / divisor)]
 *   bits    times, then values (block_time.c, block_value.c), most significant first,
 *           zeros up to the byte
 *   u32     CRC-32C, little-endian, over the decoded rows (16 bytes each, as struct row) and then
 *           over all bytes before it: it proves the decode, not only the bytes
 *
 * Scheme 1, rows with attributes, wraps a block:
 *
 *   u8 0x18 · u8 1 · varint attribute of most rows · varint count of exceptions
 *   exceptions × (varint 2 · rows passed over + (1 if a run)
 *                 [varint rows of the run − 2] · varint attribute)
 *   the block above, whose CRC runs over all of this too
 *
 * No rows: u8 0 · u8 0 · CRC. */
#include "storage/block.h"

#include "proto/base/crc.h"
#include "storage/block_priv.h"

_Static_assert(sizeof(struct row) == 16, "the checksum runs over rows as they lie in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "and they lie there in little-endian order");

#define SCHEME_ATTRIBUTES 1
#define CRC_BYTES 4

/* The worst of one row: two codes of a session and its phase (27 bytes), two codes of a value (14),
 * a place in the list (15), an exception's run (15). */
#define ROW_BYTES_MAX 72
#define HEAD_BYTES_MAX 80
#define ROW_SCRATCH (4 * sizeof(uint32_t) + sizeof(struct session))

static const uint32_t periods[7] = { 3600, 900, 1800, 300, 60, 7200, 86400 };

size_t block_bound(size_t count)
{
    return HEAD_BYTES_MAX + count * (ROW_BYTES_MAX + ROW_SCRATCH);
}

/* A hint that is no sensible unit is the finest. Both ways of a block must see the same. */
static uint64_t unit_of(int64_t hint)
{
    return hint >= 1 && hint <= UNIT_MAX ? (uint64_t)hint : 1;
}

static uint32_t checksum(const struct row *rows, size_t count, const uint8_t *bytes, size_t len)
{
    return crc32c(crc32c(0, rows, count * sizeof *rows), bytes, len);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool plain(const struct row *rows, size_t count)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < count; i++)
        seen |= rows[i].attr;
    return seen == 0;
}

/* The attribute that more than half of the rows have, if any has that many. */
static uint32_t usual_attr(const struct row *rows, size_t count)
{
    uint32_t usual = 0;
    size_t lead = 0;

    for (size_t i = 0; i < count; i++) {
        if (lead == 0)
            usual = rows[i].attr;
        lead += rows[i].attr == usual ? 1 : (size_t)-1;
    }
    return usual;
}

static size_t run_of_attr(const struct row *rows, size_t from, size_t count)
{
    size_t to = from + 1;

    while (to < count && rows[to].attr == rows[from].attr)
        to++;
    return to - from;
}

static void put_exceptions(struct wr *w, const struct row *rows, size_t count, uint32_t usual)
{
    size_t passed = 0;

    for (size_t i = 0, run; i < count; i += run) {
        run = run_of_attr(rows, i, count);
        if (rows[i].attr == usual) {
            passed = run;
            continue;
        }
        wr_varint(w, 2 * (uint64_t)passed + (run > 1));
        if (run > 1)
            wr_varint(w, run - 2);
        wr_varint(w, rows[i].attr);
        passed = 0;
    }
}

static void put_attributes(struct wr *w, const struct row *rows, size_t count)
{
    uint32_t usual = usual_attr(rows, count);
    size_t exceptions = 0;

    for (size_t i = 0; i < count; i += run_of_attr(rows, i, count))
        exceptions += rows[i].attr != usual;
    wr_u8(w, TIME_OTHER << 3);
    wr_u8(w, SCHEME_ATTRIBUTES);
    wr_varint(w, usual);
    wr_varint(w, exceptions);
    put_exceptions(w, rows, count, usual);
}

static unsigned period_code(uint32_t period_s)
{
    unsigned code = 0;

    while (code < 7 && periods[code] != period_s)
        code++;
    return code;
}

static void put_head(struct wr *w, const struct time_plan *time, const struct value_plan *value,
                     const struct row *rows, size_t count, uint32_t month_start_s)
{
    unsigned period = period_code(time->period_s);

    wr_u8(w,
          (uint8_t)(period | time->mode << 3 | value->scale << 5 | (value->listed ? 0x80u : 0u)));
    if (period == 7)
        wr_varint(w, time->period_s);
    wr_varint(w, count);
    wr_varint(w, rows[0].time_s - month_start_s);
    wr_zigzag(w, value->scale ? rows[0].value / (int64_t)value->divisor : rows[0].value);
    if (!value->scale)
        wr_varint(w, value->divisor);
    if (value->listed)
        value_put_list(w, value, rows, count);
}

/* The plans' memory is the end of the caller's buffer, where no block reaches. */
static void lend_scratch(uint8_t *at, size_t count, struct time_plan *time,
                         struct value_plan *value)
{
    uint32_t *words = (uint32_t *)(void *)(at + (-(uintptr_t)at & 7));

    time->sessions = (struct session *)(void *)words;
    words += count * sizeof(struct session) / sizeof *words;
    time->scratch = words;
    value->steps = words + count;
    value->runs = words + 2 * count;
    value->gains = words + 3 * count;
}

static void put_rows(struct wr *w, const struct row *rows, size_t count, uint32_t month_start_s,
                     int64_t unit, uint8_t *scratch)
{
    struct time_plan time = { 0 };
    struct value_plan value = { 0 };

    lend_scratch(scratch, count, &time, &value);
    time_plan(&time, rows, count);
    value_plan(&value, rows, count, unit_of(unit));
    put_head(w, &time, &value, rows, count, month_start_s);

    struct bits_wr bits = { .at = w->at };

    time_put(&bits, &time);
    value_put(&bits, &value);
    w->at = bits_finish(&bits);
}

size_t block_pack(const struct row *rows, size_t count, uint32_t month_start_s, int64_t unit,
                  uint8_t *out, size_t cap)
{
    if (cap < block_bound(count))
        return 0;

    size_t most = HEAD_BYTES_MAX - 8 + count * ROW_BYTES_MAX;
    struct wr w = wr_of(out, most);

    if (!plain(rows, count))
        put_attributes(&w, rows, count);
    if (count) {
        assert(rows[0].time_s >= month_start_s &&
               rows[count - 1].time_s - month_start_s < TIME_SPAN);
        put_rows(&w, rows, count, month_start_s, unit, out + most);
    } else {
        wr_le16(&w, 0);
    }
    wr_le32(&w, checksum(rows, count, out, wr_len(&w)));
    assert(!w.err && wr_len(&w) <= most);
    return wr_len(&w);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct head {
    enum time_mode mode;
    uint32_t period_s;
    bool listed;
    uint64_t divisor, count;
    struct row first;
    struct rd list;
};

static enum err get_head(struct rd *r, uint32_t month_start_s, uint64_t unit, size_t max_rows,
                         struct head *h)
{
    unsigned byte = rd_u8(r);
    unsigned scale = byte >> 5 & 3;
    uint64_t period_s = (byte & 7) < 7 ? periods[byte & 7] : rd_varint(r);

    h->mode = (enum time_mode)(byte >> 3 & 3);
    h->listed = byte >> 7;
    h->count = rd_varint(r);
    if (h->count == 0)
        return r->err ? r->err : byte ? ERR_CORRUPT : ERR_OK;

    uint64_t offset_s = rd_varint(r);
    uint64_t value = (uint64_t)rd_zigzag(r);

    h->divisor = scale ? value_divisor(scale, unit) : rd_varint(r);
    h->first.value = (int64_t)(scale ? value * h->divisor : value);
    h->first.time_s = (uint32_t)(month_start_s + offset_s);
    if (r->err)
        return r->err;
    if (h->count > max_rows)
        return ERR_TOO_LARGE;
    if (h->mode == TIME_OTHER || period_s >= TIME_SPAN || offset_s >= TIME_SPAN ||
        month_start_s + offset_s > UINT32_MAX)
        return ERR_CORRUPT;
    h->period_s = (uint32_t)period_s;
    h->list = *r;
    return !h->listed || value_get_list(r, h->divisor, NULL, h->count) ? ERR_OK : ERR_CORRUPT;
}

static uint64_t time_end(uint32_t month_start_s)
{
    uint64_t end_s = month_start_s + TIME_SPAN;

    return end_s <= UINT32_MAX ? end_s : UINT64_C(1) << 32;
}

/* The bits end in the last byte, and what is left of it is 0: no byte of a block is without
 * meaning. */
static bool bits_end(const struct bits_rd *bits, size_t bytes)
{
    unsigned rest = (unsigned)(bits->bit % 8);

    return (bits->bit + 7) / 8 == bytes && (!rest || (uint8_t)(bits->at[bytes - 1] << rest) == 0);
}

/* `r` stands after the head; `slack` bytes beyond its end may be looked at. */
static bool get_rows(struct rd *r, size_t slack, const struct head *h, uint32_t month_start_s,
                     struct row *rows)
{
    struct bits_rd bits = { .at = r->at, .len = rd_left(r) + slack };
    struct rd list = h->list;

    rows[0] = h->first;
    return time_get(&bits, h->mode, h->period_s, rows, h->count, time_end(month_start_s)) &&
           value_get(&bits, h->divisor, rows, h->count) && bits_end(&bits, rd_left(r)) &&
           (!h->listed || value_get_list(&list, h->divisor, rows, h->count));
}

/* The exceptions of scheme 1: read once to pass over them (`rows` NULL), once to set them. */
static bool get_exceptions(struct rd *r, struct row *rows, size_t count)
{
    uint64_t usual = rd_varint(r);
    uint64_t left = rd_varint(r);
    size_t at = 0;

    for (size_t i = 0; rows && i < count; i++)
        rows[i].attr = (uint32_t)usual;
    for (; left && !r->err; left--) {
        uint64_t passed = rd_varint(r);
        uint64_t run = passed & 1 ? rd_varint(r) + 2 : 1;
        uint64_t attr = rd_varint(r);

        if (attr > UINT32_MAX)
            return false;
        if (!rows)
            continue;
        if (passed / 2 > count - at || run > count - at - passed / 2)
            return false;
        at += passed / 2;
        for (size_t stop = at + run; at < stop; at++)
            rows[at].attr = (uint32_t)attr;
    }
    return !r->err && usual <= UINT32_MAX;
}

static bool is_wrapped(struct span block)
{
    return block.len >= 2 && block.at[0] == TIME_OTHER << 3 && block.at[1] == SCHEME_ATTRIBUTES;
}

static bool proven(struct span block, const struct row *rows, size_t count)
{
    struct rd end = rd_of(span_of(block.at + block.len - CRC_BYTES, CRC_BYTES));

    return rd_le32(&end) == checksum(rows, count, block.at, block.len - CRC_BYTES);
}

/* `r` stands behind the head afterwards; `exceptions` (zeroed) before those of a wrapped block. */
static enum err open_block(struct span block, uint32_t month_start_s, int64_t unit, size_t max_rows,
                           struct rd *r, struct rd *exceptions, struct head *h)
{
    if (block.len < 2 + CRC_BYTES)
        return ERR_TRUNCATED;
    *r = rd_of(span_of(block.at, block.len - CRC_BYTES));
    if (is_wrapped(block)) {
        r->at += 2;
        *exceptions = *r;
        if (!get_exceptions(r, NULL, 0))
            return r->err ? r->err : ERR_CORRUPT;
    }
    return get_head(r, month_start_s, unit_of(unit), max_rows, h);
}

static enum err unpack(struct span block, uint32_t month_start_s, int64_t unit, size_t max_rows,
                       struct rows *out)
{
    struct rd r, exceptions = { 0 };
    struct head h = { 0 };
    bool wrapped = is_wrapped(block);
    enum err err = open_block(block, month_start_s, unit, max_rows, &r, &exceptions, &h);

    if (err || (err = rows_reserve(out, h.count)))
        return err;

    struct row *rows = h.count ? out->at + out->count : NULL; /* of no rows `at` may be NULL */

    if (h.count ? !get_rows(&r, CRC_BYTES, &h, month_start_s, rows) : rd_left(&r) || wrapped)
        return ERR_CORRUPT;
    if (wrapped && !get_exceptions(&exceptions, rows, h.count))
        return ERR_CORRUPT;
    if (!proven(block, rows, h.count))
        return ERR_CORRUPT;
    out->count += h.count;
    return ERR_OK;
}

enum err block_unpack(struct span block, uint32_t month_start_s, int64_t unit, size_t max_rows,
                      struct rows *out)
{
    enum err err = unpack(block, month_start_s, unit, max_rows, out);

    return err == ERR_MALFORMED ? ERR_CORRUPT : err; /* a varint that no writer makes */
}

enum err block_last_s(struct span block, uint32_t month_start_s, int64_t unit, size_t max_rows,
                      uint32_t *out_last_s)
{
    struct rd r, exceptions = { 0 };
    struct head h = { 0 };
    enum err err = open_block(block, month_start_s, unit, max_rows, &r, &exceptions, &h);

    if (err)
        return err == ERR_MALFORMED ? ERR_CORRUPT : err;
    if (!h.count)
        return ERR_NOT_FOUND;

    struct bits_rd bits = { .at = r.at, .len = rd_left(&r) + CRC_BYTES };

    return time_get_last(&bits, h.mode, h.period_s, h.first.time_s, h.count,
                         time_end(month_start_s), out_last_s)
               ? ERR_OK
               : ERR_CORRUPT;
}

size_t block_count(struct span block)
{
    struct rd r = rd_of(block);

    if (is_wrapped(block)) {
        r.at += 2;
        if (!get_exceptions(&r, NULL, 0))
            return 0;
    }
    if ((rd_u8(&r) & 7) == 7)
        rd_varint(&r);

    uint64_t count = rd_varint(&r);

    return r.err ? 0 : count;
}
