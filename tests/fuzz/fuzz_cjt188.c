/* Any bytes as a CJ/T 188 frame; and, the same bytes with their length and checksum put right, so that what lies behind them is
 * reached. What is read keeps to what the dialect promises, with and without a listener. */
#include "proto/cjt188.h"
#include "proto/trace.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static struct arena arena;
static uint8_t text[1 << 17];

static void check_frame(const struct frame *f)
{
    must(f->names.count == 0 ||
         (f->names.count == 2 && f->names.at[0].len == 14 && f->names.at[1].len == 10));
    must(f->names.count == 0 || text_is_serial(frame_name(f)));
    must(f->series_count <= 3 && f->outcome_count <= 1);
    for (uint32_t i = 0; i < f->series_count; i++) {
        must(f->series[i].count == 1);
        must(f->series[i].samples[0].value >= 0 && f->series[i].samples[0].value <= 99999999000000);
    }
}

static void try_bytes(struct span bytes)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = 1790000000 };
    struct refusal r = { .err = ERR_OK };
    struct wr w = wr_of(text, sizeof text);
    struct frame f = { 0 }, g = { 0 };
    enum err err, again;

    arena_clear(&arena);
    err = dialect_cjt188.decode(&in, &arena, &f, &r);
    must(err == r.err && (!err || err_of_frame(err)) && r.offset <= bytes.len);
    if (!err || err_class(err) == ERR_CLASS_WAIT)
        check_frame(&f);
    again = dialect_explain(&dialect_cjt188, &in, bytes.len % 2, &arena, &w, NULL);
    must(again == err);
    if (!err) {
        again = dialect_cjt188.decode(&in, &arena, &g, NULL);
        must(!again && g.series_count == f.series_count && g.status == f.status &&
             g.sent_s == f.sent_s);
        err = frame_retime(&f, in.arrival_s, &r);
        must(!err || err == ERR_RANGE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t mended[11 + 255 + 2];
    size_t len = size > 11 ? size - 11 : 0;
    uint8_t *exact, sum = 0;

    if (!arena.base)
        must(!arena_init(&arena, 1 << 20));
    try_bytes(span_of(data, size));
    if (size < 11 || len > 255)
        return 0;
    memcpy(mended, data, size);
    mended[0] = 0x68;
    mended[10] = (uint8_t)len;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + mended[i]);
    mended[size] = sum;
    mended[size + 1] = 0x16;
    exact = malloc(size + 2);
    must(exact != NULL);
    memcpy(exact, mended, size + 2);
    try_bytes(span_of(exact, size + 2));
    free(exact);
    return 0;
}
