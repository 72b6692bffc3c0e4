/* Bytes as a block (refused, or rows that a block holds), and bytes as rows (which must come back).
 *
 *   u8 form: bit 0 rows instead of a block, bits 1–3 the unit
 *   the block, or rows × (u8 attr · u8 width of the step · u32 step · i64 value) */
#include "proto/base/rd.h"
#include "storage/block.h"

#include <stdlib.h>

#define ROWS_MAX 4096
#define MONTH 1456790400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const int64_t units[8] = { 1000, 1, 10, 100, 10000, 1000000, 0, INT64_MAX };

static void expect_comes_back(const struct rows *rows, int64_t unit)
{
    size_t cap = block_bound(rows->count);
    uint8_t *bytes = malloc(cap);
    struct rows back = { 0 };

    if (!bytes)
        abort();

    size_t len = block_pack(rows->at, rows->count, MONTH, unit, bytes, cap);

    if (!len || block_unpack(span_of(bytes, len), MONTH, unit, rows->count, &back))
        abort();
    if (back.count != rows->count)
        abort();
    if (back.count && memcmp(back.at, rows->at, back.count * sizeof *back.at) != 0)
        abort();
    rows_done(&back);
    free(bytes);
}

static void read_rows(struct rd *r, struct rows *out)
{
    uint64_t time_s = MONTH;

    while (rd_left(r) >= 14 && out->count < ROWS_MAX) {
        struct row row = { .attr = rd_u8(r) };
        unsigned width = rd_u8(r) % 32;

        time_s += rd_le32(r) & ((UINT64_C(1) << width) - 1);
        if (time_s >= MONTH + (UINT64_C(1) << 31))
            return;
        row.time_s = (uint32_t)time_s;
        row.value = (int64_t)rd_le64(r);
        if (rows_push(out, row))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rd r = rd_of(span_of(data, len));
    uint8_t form = rd_u8(&r);
    int64_t unit = units[form >> 1 & 7];
    struct rows rows = { 0 };

    if (r.err)
        return 0;
    if (form & 1)
        read_rows(&r, &rows);
    else if (block_unpack(span_of(r.at, rd_left(&r)), MONTH, unit, ROWS_MAX, &rows) && rows.count)
        abort();
    expect_comes_back(&rows, unit);
    rows_done(&rows);
    return 0;
}
