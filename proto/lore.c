#include "proto/lore.h"

#include "proto/dialect.h"

const struct zone lore_china = { .name = "UTC+8",
                                 .first_offset_s = 8 * 3600,
                                 .rule = { .standard_s = 8 * 3600, .summer_s = 8 * 3600 } };

const struct zone *lore_zone(const struct dialect_input *in)
{
    return in->lore && in->lore->zone ? in->lore->zone : &lore_china;
}

/* Names of one frame stay where they are while it is decoded. */
static struct lore_memo memo_of(const struct dialect_input *in, const struct frame_names *names)
{
    return (struct lore_memo){ .asked = true,
                               .given = in->given.len ? in->given.at : NULL,
                               .first = names->count ? names->at[0].at : NULL,
                               .count = names->count };
}

static bool memo_is(const struct lore_memo *m, const struct lore_memo *of)
{
    return m->asked && m->given == of->given && m->first == of->first && m->count == of->count;
}

bool lore_remembers(const struct lore_memo *m, const struct frame_names *names, uint32_t *out_meter)
{
    const struct dialect_input nothing_given = { 0 };
    struct lore_memo of = memo_of(&nothing_given, names);

    if (!names->count || !memo_is(m, &of))
        return false;
    *out_meter = m->meter;
    return true;
}

static uint32_t ask_meter(const struct dialect_input *in, const struct frame_names *names)
{
    const struct lore *l = in->lore;
    uint32_t meter = in->given.len ? l->meter(l->arg, in->given) : 0;

    for (uint32_t i = 0; i < names->count && !meter; i++)
        meter = l->meter(l->arg, names->at[i]);
    return meter;
}

uint32_t lore_meter(const struct dialect_input *in, const struct frame_names *names)
{
    struct lore_memo asked = memo_of(in, names);

    if (!in->lore || !in->lore->meter)
        return 0;
    if (in->memo && memo_is(in->memo, &asked))
        return in->memo->meter;
    asked.meter = ask_meter(in, names);
    if (in->memo)
        *in->memo = asked;
    return asked.meter;
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

const struct recipe *lore_recipe_for(const struct dialect_input *in,
                                     const struct frame_names *names, const struct layout_id *of)
{
    struct span profile = lore_profile(in, lore_meter(in, names));
    const struct recipe *recipe = profile.len ? lore_recipe(in, profile) : NULL;

    return recipe ? recipe : lore_recipe_of(in, of);
}
