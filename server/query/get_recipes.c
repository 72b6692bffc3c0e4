/* Recipes that are known: a list of them, and a file. */
#include "server/cookbook.h"

#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/listing.h"

#include <stdio.h>

#define PAGE 1000

static const char *const columns[] = { "name",    "version", "title",   "source", "carrier",
                                       "matches", "added",   "samples", NULL };

/* "KAM 1B 16 ci A2", as the file has it. */
static size_t put_match(const struct recipe_match *m, char *out, size_t cap)
{
    char version[3] = "*", type[3] = "*";

    if (m->version >= 0)
        snprintf(version, sizeof version, "%02X", (unsigned)m->version & 0xff);
    if (m->type >= 0)
        snprintf(type, sizeof type, "%02X", (unsigned)m->type & 0xff);
    return (size_t)snprintf(out, cap, "%c%c%c %s %s ci %02X", 64 + (m->maker >> 10 & 31),
                            64 + (m->maker >> 5 & 31), 64 + (m->maker & 31), version, type, m->ci);
}

/* What the recipe takes besides its own path: layouts of M-Bus, or LoRaWAN ports. */
static void put_matches(const struct recipe_about *about, char *out, size_t cap)
{
    size_t len = 0;

    out[0] = 0;
    for (unsigned i = 0; i < about->match_count && len + 24 < cap; i++) {
        if (i)
            len += (size_t)snprintf(out + len, cap - len, ", ");
        len += put_match(&about->match[i], out + len, cap - len);
    }
    for (unsigned i = 0; i < about->fport_count && len + 12 < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, i ? " %u" : "fport %u", about->fport[i]);
}

static void put_recipe(struct listing *l, const struct recipe *recipe, bool added)
{
    const struct recipe_about *about = recipe_about(recipe);
    char matches[RECIPE_MATCHES * 24];

    put_matches(about, matches, sizeof matches);
    row_begin(l);
    row_text(l, "name", about->name);
    row_int(l, "version", about->version);
    row_text(l, "title", about->title);
    row_text(l, "source", about->source);
    row_word(l, "carrier", recipe_carrier_name(about->carrier));
    row_text(l, "matches", span_text(matches));
    row_bool(l, "added", added);
    row_int(l, "samples", (int64_t)about->sample_count);
    row_end(l, about->name);
}

static bool is_behind(struct span name, struct span cursor)
{
    size_t len = name.len < cursor.len ? name.len : cursor.len;
    int order = len ? memcmp(name.at, cursor.at, len) : 0;

    return order > 0 || (order == 0 && name.len > cursor.len);
}

static void fill(struct listing *l)
{
    const struct recipe *recipe;
    size_t n = 0;
    bool added;

    registry_read_lock(l->app->registry);
    for (; (recipe = cookbook_at(l->app->cookbook, n, &added)) && !listing_full(l); n++)
        if (is_behind(recipe_about(recipe)->name, span_of(l->cursor, l->cursor_len)))
            put_recipe(l, recipe, added);
    l->ended = !recipe;
    registry_read_unlock(l->app->registry);
}

void answer_recipes(struct request *q)
{
    listing_new(q, columns, fill, NULL, NULL, PAGE);
}

void answer_recipe(struct request *q)
{
    const struct recipe *recipe;

    registry_read_lock(q->app->registry);
    if ((recipe = cookbook_find(q->app->cookbook, q->subject[0])))
        out_bytes(&q->out, recipe_about(recipe)->text.at, recipe_about(recipe)->text.len);
    registry_read_unlock(q->app->registry);
    if (!recipe) {
        problem_of(q, ERR_NOT_FOUND, "name", "%.*s: there is no recipe of that name",
                   (int)(q->subject[0].len < 40 ? q->subject[0].len : 40),
                   (const char *)q->subject[0].at);
        return;
    }
    q->status = 200;
    q->type = "text/plain; charset=utf-8";
}
