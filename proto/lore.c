#include "proto/lore.h"

#include "proto/dialect.h"

const struct zone *lore_zone(const struct dialect_input *in)
{
    static const struct zone china = { .name = "UTC+8",
                                       .first_offset_s = 8 * 3600,
                                       .rule = { .standard_s = 8 * 3600, .summer_s = 8 * 3600 } };

    return in->lore && in->lore->zone ? in->lore->zone : &china;
}

uint32_t lore_meter(const struct dialect_input *in, const struct frame_names *names)
{
    const struct lore *l = in->lore;
    uint32_t meter = 0;

    if (!l || !l->meter)
        return 0;
    if (in->given.len)
        meter = l->meter(l->arg, in->given);
    for (uint32_t i = 0; i < names->count && !meter; i++)
        meter = l->meter(l->arg, names->at[i]);
    return meter;
}

unsigned lore_keys(const struct dialect_input *in, uint32_t meter, enum key_kind kind,
                   struct span out[LORE_KEYS])
{
    const struct lore *l = in->lore;

    return l && l->keys ? l->keys(l->arg, meter, kind, in->arrival_s, out) : 0;
}

bool lore_format(const struct dialect_input *in, const struct format_id *id,
                 struct span *out_list_view)
{
    const struct lore *l = in->lore;

    return l && l->format && l->format(l->arg, id, out_list_view);
}

const struct recipe *lore_recipe(const struct dialect_input *in, struct span name)
{
    const struct lore *l = in->lore;

    return l && l->recipe ? l->recipe(l->arg, name) : NULL;
}

const struct recipe *lore_recipe_of(const struct dialect_input *in, const struct layout_id *of)
{
    const struct lore *l = in->lore;

    return l && l->recipe_of ? l->recipe_of(l->arg, of) : NULL;
}

struct span lore_profile(const struct dialect_input *in, uint32_t meter)
{
    const struct lore *l = in->lore;

    return l && l->profile && meter ? l->profile(l->arg, meter) : span_of(NULL, 0);
}
