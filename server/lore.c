#include "server/lore.h"

#include "server/cookbook.h"
#include "storage/secret.h"

#include <errno.h>
#include <stdio.h>

/* ---- the answers ---- */

static uint32_t answer_meter(void *arg, struct span name)
{
    return registry_find_lkd(((struct app *)arg)->registry, name);
}

static unsigned answer_keys(void *arg, uint32_t meter, enum key_kind kind, int64_t at_s,
                            struct span out[LORE_KEYS])
{
    return keyring_find(((struct app *)arg)->keyring, meter, kind, at_s, out);
}

static bool answer_format(void *arg, const struct format_id *id, struct span *out_list_view)
{
    return formats_find(((struct app *)arg)->formats, id, out_list_view);
}

static struct span answer_profile(void *arg, uint32_t meter)
{
    return registry_profile_lkd(((struct app *)arg)->registry, meter);
}

static const struct recipe *answer_recipe(void *arg, struct span name)
{
    return cookbook_find(((struct app *)arg)->cookbook, name);
}

static const struct recipe *answer_recipe_of(void *arg, const struct layout_id *of)
{
    return cookbook_match(((struct app *)arg)->cookbook, of);
}

bool lore_psk(struct app *app, struct span identity, unsigned attempt, int64_t now_s,
              uint8_t out[64], size_t *len, uint32_t *meter)
{
    struct span keys[LORE_KEYS], key = { 0 };
    unsigned count = 0;
    bool found;

    registry_read_lock(app->registry);
    *meter = registry_find_lkd(app->registry, identity);
    if (*meter)
        count = keyring_find(app->keyring, *meter, KEY_PSK, now_s, keys);
    if (count)
        key = keys[attempt % count];
    found = key.len && key.len <= 64;
    if (found) {
        memcpy(out, key.at, key.len);
        *len = key.len;
    }
    registry_read_unlock(app->registry);
    return found;
}

/* ---- formats ---- */

void lore_learn(struct app *app, const struct frame *f)
{
    if (f->has_format)
        formats_learn(app->formats, &f->format, f->format_list);
}

enum err lore_keep(struct app *app, bool *out_any)
{
    struct act a;
    size_t count;
    enum err err;

    *out_any = formats_unkept(app->formats);
    if (!*out_any)
        return ERR_OK;
    a = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    count = formats_put_unkept(app->formats, &a);
    if (!(err = act_end(&a)))
        formats_kept(app->formats, count);
    return err;
}

/* ---- the store key ---- */

static enum err store_key_made(struct app *app, struct refusal *r)
{
    enum err err = store_key_make(app->store, &app->store_key, r);

    if (!err)
        fprintf(stderr,
                "nilod: made %s, under which the keys of meters are sealed; it lies beside what it "
                "seals: better keep it elsewhere, as a systemd credential (nilod.store-key) or in "
                "a file given with --store-key-file, and a copy of it in a safe place\n",
                store_key_path(app->store_key));
    return err;
}

enum err lore_store_key(struct app *app, const struct store_key **out, struct refusal *r)
{
    enum err err = app->store_key ? ERR_OK : store_key_made(app, r);

    if (!err)
        *out = app->store_key;
    return err;
}

static enum err store_key_open(struct app *app, const char *file, struct refusal *r)
{
    enum err err = store_key_find(app->store, file, &app->store_key, r);
    struct txn t;
    uint64_t keys;

    if (!err && store_key_is_open(app->store_key))
        fprintf(stderr, "%s: %s: anybody on this machine may read the store key; chmod 600\n",
                program_invocation_short_name, store_key_path(app->store_key)); /* nilo, too */
    if (err != ERR_NOT_FOUND)
        return err;
    t = ledger_read(app->ledger);
    keys = ledger_key_count(&t);
    if ((err = txn_end(&t)))
        return err;
    if (keys)
        return refuse(r, ERR_MISSING, 0, "",
                      "%.150s: the store key is missing under which %llu keys of meters are "
                      "sealed; give it with --store-key-file, or put it back as %.150s/store.key",
                      app->store, (unsigned long long)keys, app->store);
    return ERR_OK;
}

enum err lore_start(struct app *app)
{
    enum err err = app->store_key ? ERR_OK : store_key_made(app, NULL);

    /* A disk that is full holds nobody up who has no keys; the first that comes asks again. */
    return err == ERR_FULL || err == ERR_IO ? ERR_OK : err;
}

/* ---- opening and closing ---- */

enum err lore_open(struct app *app, const char *store_key_file, struct refusal *r)
{
    enum err err;

    app->lore = (struct lore){ .zone = &app->zone,
                               .arg = app,
                               .meter = answer_meter,
                               .keys = answer_keys,
                               .format = answer_format,
                               .recipe = answer_recipe,
                               .recipe_of = answer_recipe_of,
                               .profile = answer_profile };
    if ((err = cookbook_open(app->ledger, app->registry, &app->cookbook)) ||
        (err = keyring_new(&app->keyring)) || (err = formats_new(&app->formats)) ||
        (err = formats_load(app->formats, app->ledger)) ||
        (err = store_key_open(app, store_key_file, r)) || !app->store_key)
        return err;
    return keyring_load(app->keyring, app->ledger, app->store_key, r);
}

void lore_close(struct app *app)
{
    cookbook_close(app->cookbook);
    keyring_free(app->keyring);
    formats_free(app->formats);
    store_key_free(app->store_key);
    app->cookbook = NULL;
    app->keyring = NULL;
    app->formats = NULL;
    app->store_key = NULL;
}
