#include "proto/recipe.h"

enum err recipe_decode(const struct recipe *recipe, const struct dialect_input *in,
                       struct span bytes, struct gather *g, struct frame *f, struct refusal *why)
{
    (void)recipe;
    (void)in;
    (void)bytes;
    (void)g;
    (void)f;
    return refuse(why, ERR_UNSUPPORTED, 0, "", "not read yet");
}

static enum err recipe_dialect_decode(const struct dialect_input *in, struct arena *a,
                                      struct frame *out, struct refusal *r)
{
    (void)in;
    (void)a;
    (void)out;
    return refuse(r, ERR_UNSUPPORTED, 0, "", "not read yet");
}

const struct dialect dialect_recipe = {
    .name = "recipe",
    .id = DIALECT_RECIPE,
    .decode = recipe_dialect_decode,
};
