/* Files that say they are recipes: refused with a place, or taken; and what was taken decodes its own samples and noise to an end. */
#include "proto/base/limits.h"
#include "proto/recipe.h"

#include <stdlib.h>

static void must(bool what)
{
    if (!what)
        abort();
}

static void check_decode(const struct recipe *recipe, struct arena *a, struct span bytes)
{
    struct dialect_input in = { .bytes = bytes, .arrival_s = 1790000000 };
    struct gather g = gather_of(a);
    struct frame f = { 0 };
    struct refusal r = { 0 };
    enum err err = recipe_decode(recipe, &in, bytes, &g, &f, &r);

    must(!err || err_of_frame(err));
    must(err || !gather_end(&g, &f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena arena;
    struct recipe *recipe = NULL;
    struct refusal r = { 0 };
    enum err err;

    if (!arena.base)
        must(!arena_init(&arena, LIMIT_DECODE_ARENA));
    err = recipe_new(span_of(data, size), &recipe, &r);
    must(err == r.err);
    if (err) {
        must(err == ERR_INVALID && r.text[0] && !recipe);
        return 0;
    }
    for (unsigned n = 0; n < recipe_about(recipe)->sample_count; n++) {
        arena_clear(&arena);
        err = recipe_test(recipe, n, &arena, NULL, &r);
        must(!err || (err == ERR_INVALID && r.text[0]));
    }
    arena_clear(&arena);
    check_decode(recipe, &arena, span_of(data, size < 256 ? size : 256));
    recipe_free(recipe);
    return 0;
}
