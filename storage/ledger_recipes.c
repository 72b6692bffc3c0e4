/* Recipes as they were given.
 *
 *   RECIPES   text name 00 · u32 version → zigzag added · counted who · the file's text
 *
 * All versions stay: of a name the newest counts, and what an older one read is known. */
#include "storage/ledger_priv.h"

#include <stdio.h>

static struct key recipe_key(struct span name, uint32_t version)
{
    struct key k;

    key_clear(&k);
    key_text(&k, name);
    key_u32(&k, version);
    return k;
}

static bool recipe_view(struct txn *t, struct span key, struct span value,
                        struct ledger_recipe *out)
{
    struct rd r = rd_of(value);
    struct ledger_recipe v = { 0 };

    if (key.len < 5 || key.at[key.len - 5] != 0) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    v.name = span_of(key.at, key.len - 5);
    v.version = ledger_be32(key.at + key.len - 4);
    v.added_s = rd_zigzag(&r);
    v.who = rd_counted(&r);
    v.text = rd_bytes(&r, rd_left(&r));
    if (r.err) {
        ledger_fail(t, ERR_CORRUPT);
        return false;
    }
    *out = v;
    return true;
}

bool ledger_recipe(struct txn *t, struct span name, uint32_t version, struct ledger_recipe *out)
{
    struct key k = recipe_key(name, version);
    struct span value;

    return !k.full && txn_get(t, LEDGER_RECIPES, key_span(&k), &value) &&
           recipe_view(t, key_span(&k), value, out);
}

enum err ledger_recipes(struct txn *t, bool (*each)(void *arg, const struct ledger_recipe *r),
                        void *arg)
{
    struct scan s = scan_from(t, LEDGER_RECIPES, span_of(NULL, 0));
    struct ledger_recipe r;

    while (scan_next(&s))
        if (!recipe_view(t, s.key, s.value, &r) || !each(arg, &r))
            break;
    scan_done(&s);
    return t->err;
}

void act_put_recipe(struct act *a, const struct ledger_recipe *recipe)
{
    struct key k = recipe_key(recipe->name, recipe->version);
    struct wr w = act_scratch(a);
    char after[64];

    if (k.full)
        ledger_fail(&a->txn, ERR_INVALID);
    wr_zigzag(&w, a->now_s);
    wr_counted(&w, span_text(a->who));
    wr_bytes(&w, recipe->text);
    if (w.err)
        ledger_fail(&a->txn, w.err);
    if (a->txn.err)
        return;
    act_changed(a);
    txn_put(&a->txn, LEDGER_RECIPES, key_span(&k), wr_span(&w));
    snprintf(after, sizeof after, "{\"version\":%u,\"bytes\":%zu}", (unsigned)recipe->version,
             recipe->text.len);
    act_note(a, "recipe.add", recipe->name, span_of(NULL, 0), span_text(after), span_of(NULL, 0));
}
