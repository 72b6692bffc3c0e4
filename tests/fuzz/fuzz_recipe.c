/* Payloads against every recipe that the program ships: the first byte says which, the next how the carrier knows the clock.
 * Whatever the bytes, the answer comes within the arena, and nothing is said that a frame cannot bear. */
#include "proto/base/limits.h"
#include "proto/recipe.h"
#include "proto/trace.h"

#include <stdlib.h>

#define RECIPES_MOST 64

static void must(bool what)
{
    if (!what)
        abort();
}

static size_t read_all(struct recipe *out[RECIPES_MOST])
{
    struct span text;
    struct refusal r;
    size_t n = 0;

    for (; (text = recipe_shipped(n)).len; n++)
        must(n < RECIPES_MOST && !recipe_new(text, &out[n], &r));
    return n;
}

static void check_frame(const struct frame *f)
{
    must(f->names.count <= FRAME_NAMES);
    for (uint32_t i = 0; i < f->names.count; i++)
        must(text_is_serial(f->names.at[i]));
    for (uint32_t i = 0; i < f->series_count; i++) {
        must(f->series[i].count &&
             (f->series[i].channel < CHANNEL_COUNT || f->series[i].channel == CHANNEL_BILLED));
        for (uint32_t k = 1; k < f->series[i].count; k++)
            must(f->series[i].samples[k - 1].at_s >= f->series[i].samples[k].at_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct recipe *recipes[RECIPES_MOST];
    static uint8_t text[1 << 16];
    static struct arena arena;
    static size_t count;
    struct wr w = wr_of(text, sizeof text);
    struct trace trace = { .out = &w };
    struct dialect_input in = { .arrival_s = 1790000000 };
    struct refusal r = { 0 };
    struct frame f = { 0 };
    struct gather g;
    enum err err;

    if (!count) {
        must(!arena_init(&arena, LIMIT_DECODE_ARENA));
        count = read_all(recipes);
    }
    if (size < 2)
        return 0;
    in.bytes = span_of(data + 2, size - 2);
    trace.bytes = in.bytes;
    trace.json = data[1] & 1;
    in.trace = data[1] & 2 ? &trace : NULL;
    f.sent_s = data[1] & 4 ? 1789999000 : 0;
    arena_clear(&arena);
    g = gather_of(&arena);
    err = recipe_decode(recipes[data[0] % count], &in, in.bytes, &g, &f, &r);
    must(err == r.err && (!err || err_of_frame(err)));
    if (!err) {
        must(!gather_end(&g, &f));
        check_frame(&f);
    }
    return 0;
}
