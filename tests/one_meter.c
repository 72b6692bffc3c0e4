#include "tests/one_meter.h"

#include "tests/check.h"

static uint32_t meter(void *arg, struct span name)
{
    const struct one_meter *m = (const struct one_meter *)arg;

    return name.len && !m->unregistered ? ONE_METER : 0;
}

static unsigned keys(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                     struct span out[LORE_KEYS])
{
    const struct one_meter *m = (const struct one_meter *)arg;

    (void)at_s;
    if (meter != ONE_METER || kind != KEY_OMS)
        return 0;
    memcpy(out, m->keys, sizeof m->keys);
    return m->key_count;
}

static struct span profile(void *arg, uint32_t meter)
{
    const struct one_meter *m = (const struct one_meter *)arg;

    return meter == ONE_METER && m->profile ? span_text(m->profile) : span_of(NULL, 0);
}

static const struct recipe *recipe(void *arg, struct span name)
{
    const struct one_meter *m = (const struct one_meter *)arg;

    for (size_t i = 0; i < m->recipe_count; i++)
        if (span_equal(recipe_about(m->recipes[i])->name, name))
            return m->recipes[i];
    return NULL;
}

static const struct recipe *recipe_of(void *arg, const struct layout_id *of)
{
    const struct one_meter *m = (const struct one_meter *)arg;

    for (size_t i = 0; i < m->recipe_count; i++)
        if (recipe_matches(m->recipes[i], of))
            return m->recipes[i];
    return NULL;
}

struct lore one_meter_lore(struct one_meter *m)
{
    return (struct lore){ .arg = m,
                          .meter = meter,
                          .keys = keys,
                          .profile = profile,
                          .recipe = recipe,
                          .recipe_of = recipe_of };
}

void one_meter_shelve(struct one_meter *m)
{
    struct refusal r;
    struct span text;

    for (size_t n = 0; (text = recipe_shipped(n)).len; n++) {
        assert_true(n < sizeof m->recipes / sizeof *m->recipes);
        assert_ok(recipe_new(text, &m->recipes[n], &r));
        m->recipe_count++;
    }
}

void one_meter_done(struct one_meter *m)
{
    while (m->recipe_count)
        recipe_free(m->recipes[--m->recipe_count]);
}
