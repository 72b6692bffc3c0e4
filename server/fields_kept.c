/* The lists of field_list.h as they are kept: a base made whole, and beside it what touched meters are now. When these are many both become a new base.
 *
 *   touches   … │ forgotten │ remembered: one id each …  │ the next
 *                           first                        first + count
 *
 * Lists know all touches before their number: it is noted first, and the store read after it. */
#include "server/field_list.h"
#include "server/prices.h"

#include <pthread.h>
#include <stdlib.h>

#define TOUCHED_MOST 65536 /* beyond, all is looked at */
#define OWN_MOST 2048      /* touched meters before there is a new base */
#define NOBODY UINT64_MAX
#define TURNS 3

struct fields_kept {
    pthread_mutex_t making; /* one makes, or patches: taken first */
    pthread_mutex_t lock;   /* of what follows and of all holders; held briefly, taken last */
    struct field_lists *newest;
    uint32_t *touched;
    size_t touched_count;
    uint64_t touched_first;
    uint64_t wanted_from; /* of lists that are being made; NOBODY: none are */
};

enum err fields_kept_new(struct fields_kept **out)
{
    struct fields_kept *k = (struct fields_kept *)calloc(1, sizeof *k);

    if (!k || !(k->touched = (uint32_t *)malloc(TOUCHED_MOST * sizeof *k->touched))) {
        free(k);
        return ERR_NO_MEMORY;
    }
    pthread_mutex_init(&k->making, NULL);
    pthread_mutex_init(&k->lock, NULL);
    k->wanted_from = NOBODY;
    *out = k;
    return ERR_OK;
}

static void base_free(struct field_base *b)
{
    if (!b)
        return;
    field_list_done(&b->goes);
    field_list_done(&b->left_out);
    free(b);
}

/* Of a base that others hold it is one holder less: under the lock. */
static void lists_free_lkd(struct field_lists *l)
{
    if (!l)
        return;
    if (l->base && --l->base->holders == 0)
        base_free(l->base);
    field_list_done(&l->goes);
    field_list_done(&l->left_out);
    free(l->touched);
    free(l);
}

static void let_go_lkd(struct field_lists *l)
{
    if (l && --l->holders == 0)
        lists_free_lkd(l);
}

void fields_kept_free(struct fields_kept *k)
{
    if (!k)
        return;
    let_go_lkd(k->newest);
    pthread_mutex_destroy(&k->making);
    pthread_mutex_destroy(&k->lock);
    free(k->touched);
    free(k);
}

void field_lists_release(struct field_lists *l)
{
    struct fields_kept *k = l ? l->of : NULL;

    if (k)
        pthread_mutex_lock(&k->lock);
    let_go_lkd(l);
    if (k)
        pthread_mutex_unlock(&k->lock);
}

/* ---- touches ---- */

static uint64_t touches_lkd(const struct fields_kept *k)
{
    return k->touched_first + k->touched_count;
}

void fields_kept_touch(struct fields_kept *k, const uint32_t *meters, size_t count)
{
    if (!k || !count)
        return;
    pthread_mutex_lock(&k->lock);
    if ((!k->newest && k->wanted_from == NOBODY) || k->touched_count + count > TOUCHED_MOST) {
        k->touched_first += k->touched_count + count;
        k->touched_count = 0;
    } else {
        memcpy(k->touched + k->touched_count, meters, count * sizeof *meters);
        k->touched_count += count;
    }
    pthread_mutex_unlock(&k->lock);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

struct meters {
    uint32_t *at; /* they rise */
    size_t count;
    uint64_t touches; /* that they are all of */
};

/* Those that lists do not know. NOT_FOUND: they are forgotten. */
static enum err unknown_to(struct fields_kept *k, uint64_t touches, struct meters *out)
{
    size_t kept = 0;
    enum err err = ERR_OK;

    *out = (struct meters){ .at = NULL };
    pthread_mutex_lock(&k->lock);
    out->touches = touches_lkd(k);
    if (touches < k->touched_first) {
        err = ERR_NOT_FOUND;
    } else if (touches < out->touches) {
        size_t from = (size_t)(touches - k->touched_first);

        out->count = k->touched_count - from;
        if ((out->at = (uint32_t *)malloc(out->count * sizeof *out->at)))
            memcpy(out->at, k->touched + from, out->count * sizeof *out->at);
        else
            err = ERR_NO_MEMORY;
    }
    pthread_mutex_unlock(&k->lock);
    if (err || !out->count)
        return err;
    qsort(out->at, out->count, sizeof *out->at, by_id);
    for (size_t i = 0; i < out->count; i++)
        if (!kept || out->at[kept - 1] != out->at[i])
            out->at[kept++] = out->at[i];
    out->count = kept;
    return ERR_OK;
}

/* ---- in order ---- */

static bool is_touched(const struct field_lists *l, uint32_t meter)
{
    uint32_t bit = meter % FIELD_MARKS;

    return l->marks[bit / 8] >> bit % 8 & 1 &&
           bsearch(&meter, l->touched, l->touched_count, sizeof meter, by_id);
}

const struct field_row *field_next(const struct field_lists *l, bool left_out, struct field_walk *w)
{
    const struct field_list *base = left_out ? &l->base->left_out : &l->base->goes;
    const struct field_list *own = left_out ? &l->left_out : &l->goes;

    while (w->base < base->count && is_touched(l, base->at[w->base].meter))
        w->base++;
    if (w->own < own->count &&
        (w->base == base->count || field_order(&own->at[w->own], &base->at[w->base]) < 0))
        return &own->at[w->own++];
    return w->base < base->count ? &base->at[w->base++] : NULL;
}

/* ---- making ---- */

static enum err empty_lists(struct app *app, struct field_lists **out)
{
    struct field_lists *l = (struct field_lists *)calloc(1, sizeof *l);
    struct txn ledger;
    enum err err, ended;

    if (!l)
        return ERR_NO_MEMORY;
    l->holders = 1;
    l->today = (int32_t)zone_day_number(&app->zone, clock_now_s(&app->clock));
    ledger = ledger_read(app->ledger);
    err = fleet_rules_now(app, &ledger, &l->prices);
    ended = txn_end(&ledger);
    if (err || ended)
        free(l);
    else
        *out = l;
    return err ? err : ended;
}

/* Tables are filled from nothing, so that equal ones have equal bytes. */
static bool stands(const struct field_lists *l, const struct field_lists *now)
{
    return l && l->today == now->today && memcmp(&l->prices, &now->prices, sizeof l->prices) == 0;
}

/* Into *some, which has rows in order: those of `old` that are of other meters than `touched`. */
static enum err add_old(const struct field_list *old, const struct meters *touched,
                        struct field_list *some)
{
    size_t room = old->count + some->count;
    struct field_row *at;

    if (!old->count)
        return ERR_OK;
    if (!(at = (struct field_row *)realloc(some->at, room * sizeof *at)))
        return ERR_NO_MEMORY;
    some->at = at;
    some->cap = room;
    for (size_t i = 0; i < old->count; i++)
        if (!bsearch(&old->at[i].meter, touched->at, touched->count, sizeof *touched->at, by_id))
            at[some->count++] = old->at[i];
    qsort(at, some->count, sizeof *at, field_order);
    return ERR_OK;
}

/* All that were touched, those of `old` and these. */
static enum err touched_with(const struct field_lists *old, const struct meters *some,
                             struct field_lists *now)
{
    size_t room = old->touched_count + some->count, kept = 0;
    uint32_t *at = (uint32_t *)malloc(room * sizeof *at);

    if (!at)
        return ERR_NO_MEMORY;
    if (old->touched_count)
        memcpy(at, old->touched, old->touched_count * sizeof *at);
    memcpy(at + old->touched_count, some->at, some->count * sizeof *at);
    qsort(at, room, sizeof *at, by_id);
    for (size_t i = 0; i < room; i++)
        if (!kept || at[kept - 1] != at[i])
            at[kept++] = at[i];
    for (size_t i = 0; i < kept; i++)
        now->marks[at[i] % FIELD_MARKS / 8] |= (uint8_t)(1u << at[i] % 8);
    now->touched = at;
    now->touched_count = kept;
    return ERR_OK;
}

static enum err copied(const struct field_lists *l, bool left_out, struct field_list *out)
{
    const struct field_list *base = left_out ? &l->base->left_out : &l->base->goes;
    const struct field_list *own = left_out ? &l->left_out : &l->goes;
    size_t room = base->count + own->count;
    struct field_walk w = { 0 };
    const struct field_row *row;

    if (room && !(out->at = (struct field_row *)malloc(room * sizeof *out->at)))
        return ERR_NO_MEMORY;
    while ((row = field_next(l, left_out, &w)))
        out->at[out->count++] = *row;
    out->cap = room;
    out->more = base->more || own->more || out->count > FIELD_ROWS_MOST;
    if (out->count > FIELD_ROWS_MOST)
        out->count = FIELD_ROWS_MOST;
    return ERR_OK;
}

/* All of it in a base of its own. */
static enum err flatten(struct fields_kept *k, struct field_lists *l)
{
    struct field_base *b = (struct field_base *)calloc(1, sizeof *b);
    enum err err = b ? copied(l, false, &b->goes) : ERR_NO_MEMORY;

    if (!err)
        err = copied(l, true, &b->left_out);
    if (err) {
        base_free(b);
        return err;
    }
    b->holders = 1;
    pthread_mutex_lock(&k->lock);
    if (--l->base->holders == 0)
        base_free(l->base);
    pthread_mutex_unlock(&k->lock);
    l->base = b;
    field_list_done(&l->goes);
    field_list_done(&l->left_out);
    free(l->touched);
    l->touched = NULL;
    l->touched_count = 0;
    memset(l->marks, 0, sizeof l->marks);
    return ERR_OK;
}

/* `now` becomes the newest; the caller has one hold on it, and the keeper another. */
static void install(struct fields_kept *k, struct field_lists *now)
{
    uint64_t known;

    pthread_mutex_lock(&k->lock);
    let_go_lkd(k->newest);
    now->of = k;
    now->holders = 2;
    k->newest = now;
    k->wanted_from = NOBODY;
    if (now->touches > k->touched_first) {
        known = now->touches - k->touched_first;
        memmove(k->touched, k->touched + known, (k->touched_count - known) * sizeof *k->touched);
        k->touched_count -= known;
        k->touched_first = now->touches;
    }
    pthread_mutex_unlock(&k->lock);
}

static enum err patched(struct app *app, struct fields_kept *k, const struct field_lists *old,
                        const struct meters *unknown, struct field_lists *now)
{
    enum err err = field_rows_make(app, unknown->at, unknown->count, now->today, &now->prices,
                                   &now->goes, &now->left_out);

    if (err || (err = add_old(&old->goes, unknown, &now->goes)) ||
        (err = add_old(&old->left_out, unknown, &now->left_out)) ||
        (err = touched_with(old, unknown, now)))
        return err;
    pthread_mutex_lock(&k->lock);
    now->base = old->base;
    now->base->holders++;
    pthread_mutex_unlock(&k->lock);
    return now->touched_count > OWN_MOST ? flatten(k, now) : ERR_OK;
}

/* Into `now`, from the newest. NOT_FOUND: it is of another day or other prices, or of too long ago. *out_same not NULL: the newest is as good, and held. */
static enum err patch(struct app *app, struct fields_kept *k, struct field_lists *now,
                      struct field_lists **out_same)
{
    struct field_lists *old;
    struct meters unknown = { 0 };
    enum err err;

    *out_same = NULL;
    pthread_mutex_lock(&k->lock);
    if ((old = k->newest))
        old->holders++;
    pthread_mutex_unlock(&k->lock);
    err = stands(old, now) ? unknown_to(k, old->touches, &unknown) : ERR_NOT_FOUND;
    if (!err && unknown.touches == old->touches) {
        *out_same = old;
        return ERR_OK;
    }
    now->touches = unknown.touches;
    if (!err)
        err = patched(app, k, old, &unknown, now);
    free(unknown.at);
    field_lists_release(old);
    return err;
}

static enum err based(struct app *app, struct field_lists *now)
{
    struct field_base *b = (struct field_base *)calloc(1, sizeof *b);
    enum err err =
        b ? field_rows_make(app, NULL, 0, now->today, &now->prices, &b->goes, &b->left_out)
          : ERR_NO_MEMORY;

    if (err) {
        base_free(b);
        return err;
    }
    b->holders = 1;
    now->base = b;
    return ERR_OK;
}

static enum err make_whole(struct app *app, struct fields_kept *k, struct field_lists *now)
{
    enum err err;

    pthread_mutex_lock(&k->lock);
    now->touches = k->wanted_from = touches_lkd(k);
    pthread_mutex_unlock(&k->lock);
    if ((err = based(app, now))) {
        pthread_mutex_lock(&k->lock);
        k->wanted_from = NOBODY;
        pthread_mutex_unlock(&k->lock);
    }
    return err;
}

static enum err hold_kept(struct app *app, struct fields_kept *k, struct field_lists *now,
                          struct field_lists **out)
{
    struct field_lists *same = NULL;
    enum err err;

    pthread_mutex_lock(&k->making);
    if ((err = patch(app, k, now, &same)) == ERR_NOT_FOUND)
        err = make_whole(app, k, now);
    if (!err && !same)
        install(k, now);
    pthread_mutex_unlock(&k->making);
    if (err || same) {
        pthread_mutex_lock(&k->lock);
        lists_free_lkd(now);
        pthread_mutex_unlock(&k->lock);
    }
    if (!err)
        *out = same ? same : now;
    return err;
}

enum err field_lists_hold(struct app *app, struct field_lists **out)
{
    struct field_lists *now;
    enum err err = empty_lists(app, &now);

    if (err)
        return err;
    if (app->fields_kept)
        return hold_kept(app, app->fields_kept, now, out);
    if ((err = based(app, now)))
        lists_free_lkd(now); /* nobody else knows it */
    else
        *out = now;
    return err;
}

/* ---- against all ---- */

static bool alike(const struct field_row *a, const struct field_row *b)
{
    return memcmp(a->key, b->key, FIELD_KEY) == 0 && a->why == b->why && a->kinds == b->kinds &&
           a->zone == b->zone && a->route == b->route && a->confirmed == b->confirmed;
}

static uint32_t first_difference(const struct field_lists *a, const struct field_lists *b,
                                 bool left_out)
{
    struct field_walk at = { 0 }, bt = { 0 };
    const struct field_row *x, *y;

    do {
        x = field_next(a, left_out, &at);
        y = field_next(b, left_out, &bt);
    } while (x && y && alike(x, y));
    return x ? x->meter : y ? y->meter : 0;
}

/* Two looks, between which somebody may have changed something. */
static enum err compare(struct app *app, uint32_t *out_meter)
{
    struct field_lists *kept = NULL, *anew = NULL;
    enum err err = field_lists_hold(app, &kept);

    if (!err && !(err = empty_lists(app, &anew)) && !(err = based(app, anew)) &&
        !(*out_meter = first_difference(kept, anew, false)))
        *out_meter = first_difference(kept, anew, true);
    lists_free_lkd(anew); /* nobody else knows it */
    field_lists_release(kept);
    return err;
}

enum err fields_check(struct app *app, uint32_t *out_meter)
{
    enum err err = ERR_OK;

    *out_meter = 1;
    for (unsigned turn = 0; turn < TURNS && *out_meter && !err; turn++)
        err = compare(app, out_meter);
    return err;
}
