#include "server/cookbook.h"

#include <stdio.h>
#include <stdlib.h>

struct page {
    struct recipe *recipe;
    bool added; /* by the ledger */
};

struct cookbook {
    struct registry *registry;
    struct page *pages; /* in order of names */
    size_t count, cap;
};

static int name_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The place of a name, or the one where it would stand. */
static size_t place_of(const struct cookbook *c, struct span name, bool *out_there)
{
    size_t low = 0, high = c->count;

    *out_there = false;
    while (low < high && !*out_there) {
        size_t middle = (low + high) / 2;
        int order = name_order(name, recipe_about(c->pages[middle].recipe)->name);

        if (order == 0)
            *out_there = true;
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return *out_there ? high : low;
}

static enum err room_for_one(struct cookbook *c)
{
    size_t cap = c->cap ? c->cap * 2 : 32;
    struct page *pages;

    if (c->count < c->cap)
        return ERR_OK;
    if (!(pages = (struct page *)realloc(c->pages, cap * sizeof *pages)))
        return ERR_NO_MEMORY;
    c->pages = pages;
    c->cap = cap;
    return ERR_OK;
}

/* *out_old: what is no longer known, for the caller to free once nobody can have it. */
static enum err put_lkd(struct cookbook *c, struct page page, struct recipe **out_old)
{
    const struct recipe_about *about = recipe_about(page.recipe);
    bool there;
    size_t at = place_of(c, about->name, &there);
    enum err err;

    *out_old = NULL;
    if (there && recipe_about(c->pages[at].recipe)->version > about->version) {
        *out_old = page.recipe;
        return ERR_OK;
    }
    if (there) {
        *out_old = c->pages[at].recipe;
        c->pages[at] = page;
        return ERR_OK;
    }
    if ((err = room_for_one(c)))
        return err;
    memmove(&c->pages[at + 1], &c->pages[at], (c->count - at) * sizeof *c->pages);
    c->pages[at] = page;
    c->count++;
    return ERR_OK;
}

/* ---- at the start ---- */

static enum err put_text(struct cookbook *c, struct span text, bool added, struct refusal *r)
{
    struct page page = { .added = added };
    struct recipe *old;
    enum err err = recipe_new(text, &page.recipe, r);

    if (err)
        return err;
    err = put_lkd(c, page, &old);
    recipe_free(err ? page.recipe : old);
    return err;
}

static enum err put_shipped(struct cookbook *c)
{
    struct span text;
    struct refusal r;

    for (size_t n = 0; (text = recipe_shipped(n)).len; n++) {
        enum err err = put_text(c, text, false, &r);

        if (err)
            return err;
    }
    return ERR_OK;
}

struct kept {
    struct cookbook *book;
    enum err err;
};

static bool put_kept(void *arg, const struct ledger_recipe *recipe)
{
    struct kept *k = (struct kept *)arg;
    struct refusal r;

    k->err = put_text(k->book, recipe->text, true, &r);
    if (k->err != ERR_INVALID)
        return !k->err;
    k->err = ERR_OK;
    fprintf(stderr, "recipe %.*s version %u is left out: %s\n", (int)recipe->name.len,
            (const char *)recipe->name.at, recipe->version, r.text);
    return true;
}

enum err cookbook_open(struct ledger *ledger, struct registry *registry, struct cookbook **out)
{
    struct cookbook *c = (struct cookbook *)calloc(1, sizeof *c);
    struct kept kept = { .book = c };
    struct txn t;
    enum err err, ended;

    if (!c)
        return ERR_NO_MEMORY;
    c->registry = registry;
    if (!(err = put_shipped(c))) {
        t = ledger_read(ledger);
        err = ledger_recipes(&t, put_kept, &kept);
        ended = txn_end(&t);
        err = err ? err : kept.err ? kept.err : ended;
    }
    if (err) {
        cookbook_close(c);
        return err;
    }
    *out = c;
    return ERR_OK;
}

void cookbook_close(struct cookbook *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        recipe_free(c->pages[i].recipe);
    free(c->pages);
    free(c);
}

/* ---- afterwards ---- */

const struct recipe *cookbook_find(const struct cookbook *c, struct span name)
{
    bool there;
    size_t at = place_of(c, name, &there);

    return there ? c->pages[at].recipe : NULL;
}

const struct recipe *cookbook_match(const struct cookbook *c, const struct layout_id *of)
{
    for (size_t i = 0; i < c->count; i++)
        if (recipe_matches(c->pages[i].recipe, of))
            return c->pages[i].recipe;
    return NULL;
}

const struct recipe *cookbook_at(const struct cookbook *c, size_t n, bool *out_added)
{
    if (n >= c->count)
        return NULL;
    *out_added = c->pages[n].added;
    return c->pages[n].recipe;
}

enum err cookbook_put(struct cookbook *c, struct recipe *recipe)
{
    struct page page = { recipe, true };
    struct recipe *old;
    enum err err;

    registry_write_lock(c->registry);
    err = put_lkd(c, page, &old);
    registry_write_unlock(c->registry);
    if (!err)
        recipe_free(old); /* nobody decodes with it: all who could held the read lock */
    return err;
}
