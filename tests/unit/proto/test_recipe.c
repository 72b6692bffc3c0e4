/* Recipes: every shipped one says what its samples state; every refusal of the reader names its place. */
#include "tests/check.h"

#include "proto/recipe.h"

#include <stdio.h>

static void every_shipped_recipe_says_what_its_samples_state(void **state)
{
    struct arena a;
    struct refusal r;
    struct span text;

    (void)state;
    assert_int_equal(arena_init(&a, 1 << 20), ERR_OK);
    for (size_t n = 0; (text = recipe_shipped(n)).len; n++) {
        struct recipe *recipe;

        if (recipe_new(text, &recipe, &r))
            fail_msg("%.60s: %s", (const char *)text.at, r.text);
        for (unsigned i = 0; i < recipe_about(recipe)->sample_count; i++) {
            arena_clear(&a);
            if (recipe_test(recipe, i, &a, NULL, &r))
                fail_msg("%.*s: %s", (int)recipe_about(recipe)->name.len,
                         (const char *)recipe_about(recipe)->name.at, r.text);
        }
        recipe_free(recipe);
    }
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_recipe_says_what_its_samples_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
