/* A recipe joins the cookbook: its text goes to the ledger, frames that waited for it go on their way. */
#include "server/cookbook.h"

#include "server/acts/act.h"
#include "server/settler.h"

#define TEST_ARENA (1 << 20) /* values of one sample */

/* All samples, in order: the first difference refuses the file. */
static enum err samples_hold(const struct recipe *recipe, struct refusal *r)
{
    struct arena a;
    enum err err = arena_init(&a, TEST_ARENA);

    for (unsigned n = 0; n < recipe_about(recipe)->sample_count && !err; n++) {
        arena_clear(&a);
        err = recipe_test(recipe, n, &a, NULL, r);
    }
    arena_done(&a);
    return err;
}

/* A version is one text for ever. */
static enum err version_free(struct app *app, const struct recipe_about *about, bool *out_same,
                             struct refusal *r)
{
    const struct recipe_about *known;
    const struct recipe *recipe;
    enum err err = ERR_OK;

    registry_read_lock(app->registry);
    recipe = cookbook_find(app->cookbook, about->name);
    known = recipe ? recipe_about(recipe) : NULL;
    *out_same = known && known->version == about->version && span_equal(known->text, about->text);
    if (known && !*out_same && known->version >= about->version)
        err =
            refuse(r, ERR_CONFLICT, 0, "version",
                   "%.*s is known in version %u with another text: give this one a higher version",
                   (int)about->name.len, (const char *)about->name.at, known->version);
    registry_read_unlock(app->registry);
    return err;
}

static enum err other_text(const struct recipe_about *about, struct refusal *r)
{
    return refuse(r, ERR_CONFLICT, 0, "version",
                  "%.*s is known in version %u with another text: give this one a higher version",
                  (int)about->name.len, (const char *)about->name.at, about->version);
}

/* Another may have brought this version since version_free looked: within the act nobody can. */
static enum err recipe_keep(struct app *app, const struct caller *caller,
                            const struct recipe_about *about, struct refusal *r)
{
    struct act act =
        act_begin(app->ledger, caller->who, clock_now_s(&app->clock), journal_end(app->journal));
    const struct ledger_recipe row = { .name = about->name,
                                       .version = about->version,
                                       .text = about->text };
    struct ledger_recipe known;
    enum err err;

    if (ledger_recipe(&act.txn, about->name, about->version, &known)) {
        err = span_equal(known.text, about->text) ? ERR_OK : other_text(about, r);
        act_abort(&act);
        return err;
    }
    act_put_recipe(&act, &row);
    if ((err = act_end(&act)))
        refuse(r, err, 0, "", "nothing was changed: the store %s", err_text(err));
    return err;
}

static void tell(const struct recipe_about *about, struct recipe_added *out)
{
    memcpy(out->name, about->name.at, about->name.len);
    out->name[about->name.len] = 0;
    out->version = about->version;
    out->samples = about->sample_count;
}

enum err act_add_recipe(struct app *app, const struct caller *caller, struct span text,
                        struct recipe_added *out, struct refusal *r)
{
    struct recipe *recipe = NULL;
    bool same;
    enum err err;

    *out = (struct recipe_added){ 0 };
    if ((err = recipe_new(text, &recipe, r)) || (err = samples_hold(recipe, r)) ||
        (err = version_free(app, recipe_about(recipe), &same, r)))
        goto out;
    tell(recipe_about(recipe), out);
    if (same)
        goto out;
    if ((err = recipe_keep(app, caller, recipe_about(recipe), r)))
        goto out;
    out->added = true;
    /* What is due anyhow goes first, so that those counted below are the ones that waited for this. */
    (void)!settler_settle(app->settler);
    if ((err = cookbook_put(app->cookbook, recipe))) {
        refuse(r, err, 0, "", "the recipe is kept, but could not be taken up: restart nilod");
        goto out;
    }
    recipe = NULL;
    /* What it does not release now, the settling thread does. */
    (void)!quarantine_release(app, span_of(NULL, 0), &out->released);
out:
    recipe_free(recipe);
    return err;
}
