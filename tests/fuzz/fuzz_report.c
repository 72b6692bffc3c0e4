/* Native reports: whatever the bytes, the decoder answers within its memory; what it takes is
 * within the contract's bounds and comes back the same after encoding; explain never says more than
 * its buffer holds. */
#include "proto/base/limits.h"
#include "proto/native.h"

#include <stdlib.h>
#include <string.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static bool evenly_spaced(const struct series *s)
{
    return s->count < 2 || s->samples[0].at_s > s->samples[1].at_s;
}

static void check_frame(const struct frame *f)
{
    must(f->names.count == 0 || text_is_serial(frame_name(f)));
    must(f->series_count <= LIMIT_SERIES && f->outcome_count <= LIMIT_OUTCOMES);
    for (uint32_t i = 0; i < f->series_count; i++) {
        must((unsigned)f->series[i].channel < CHANNEL_COUNT);
        must(f->series[i].count >= 1 && f->series[i].count <= LIMIT_BACK + 1);
        must(evenly_spaced(&f->series[i]));
        for (uint32_t k = 0; k < f->series[i].count; k++) {
            must(f->series[i].samples[k].value <= 9200000000000000000);
            must(f->series[i].samples[k].value >= -9200000000000000000);
        }
    }
}

static void check_again(const struct frame *f, struct arena *a, int64_t arrival_s)
{
    static uint8_t buffer[1 << 20];
    static int8_t scales[LIMIT_SERIES];
    struct wr w = wr_of(buffer, sizeof(buffer));
    struct dialect_input in;
    struct frame g;

    memset(scales, -3, sizeof(scales));
    /* INVALID: times or steps that the finest scale cannot say. */
    if (native_encode(f, scales, &w) || wr_len(&w) > LIMIT_PAYLOAD_BLOCK)
        return;
    in = (struct dialect_input){ .bytes = wr_span(&w), .arrival_s = arrival_s };
    must(!dialect_native.decode(&in, a, &g, NULL));
    must(g.series_count == f->series_count && g.seq == f->seq && g.status == f->status);
    must(span_equal(frame_name(&g), frame_name(f)));
    for (uint32_t i = 0; i < f->series_count; i++) {
        must(g.series[i].count == f->series[i].count);
        for (uint32_t k = 0; k < g.series[i].count; k++) {
            must(g.series[i].samples[k].value == f->series[i].samples[k].value);
            must(g.series[i].samples[k].at_s == f->series[i].samples[k].at_s);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t text[1 << 16];
    static struct arena first, second;
    struct dialect_input in = { .bytes = span_of(data, size), .arrival_s = 1790000000 };
    struct wr w = wr_of(text, sizeof(text));
    struct refusal r = { .err = ERR_OK };
    struct frame f;
    enum err err;

    if (!first.base)
        must(!arena_init(&first, LIMIT_DECODE_ARENA) && !arena_init(&second, LIMIT_DECODE_ARENA));
    arena_clear(&first);
    arena_clear(&second);
    err = dialect_native.decode(&in, &first, &f, &r);
    must(err == r.err && err != ERR_NO_MEMORY);
    if (!err) {
        check_frame(&f);
        check_again(&f, &second, in.arrival_s);
        err = frame_retime(&f, in.arrival_s, &r);
        must(!err || err == ERR_RANGE);
    }
    if (dialect_native.explain(&in, size % 2, &w, NULL) == ERR_OK)
        must(wr_len(&w) <= sizeof(text));
    return 0;
}
