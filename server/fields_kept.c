/* The lists of field_list.h as they are kept: made whole once, and from then on patched by who was touched.
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

static void lists_free(struct field_lists *l)
{
    if (!l)
        return;
    field_list_done(&l->goes);
    field_list_done(&l->left_out);
    free(l);
}

static void let_go_lkd(struct field_lists *l)
{
    if (l && --l->holders == 0)
        lists_free(l);
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
        lists_free(l);
    else
        *out = l;
    return err ? err : ended;
}

/* Tables are filled from nothing, so that equal ones have equal bytes. */
static bool stands(const struct field_lists *l, const struct field_lists *now)
{
    return l && l->today == now->today && memcmp(&l->prices, &now->prices, sizeof l->prices) == 0;
}

/* What `old` says of others than `touched`, and in its place what they are now: both in order, and so it is again. `some` is used up. */
static enum err merge(const struct field_list *old, const struct meters *touched,
                      struct field_list *some)
{
    size_t room = old->count + some->count, n = 0, s = 0;
    struct field_row *at = (struct field_row *)malloc((room ? room : 1) * sizeof *at);

    if (!at)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < old->count; i++) {
        const struct field_row *row = &old->at[i];

        if (bsearch(&row->meter, touched->at, touched->count, sizeof *touched->at, by_id))
            continue;
        while (s < some->count && field_order(&some->at[s], row) < 0)
            at[n++] = some->at[s++];
        at[n++] = *row;
    }
    while (s < some->count)
        at[n++] = some->at[s++];
    free(some->at);
    *some = (struct field_list){ .at = at,
                                 .count = n < FIELD_ROWS_MOST ? n : FIELD_ROWS_MOST,
                                 .cap = room ? room : 1,
                                 .more = old->more || some->more || n > FIELD_ROWS_MOST };
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

/* Into `now`, from the newest. NOT_FOUND: it is of another day or other prices, or of too long ago. *out NULL: the newest is as good, and held. */
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
    if (!err && !(err = field_lists_make(app, unknown.at, unknown.count, now)) &&
        !(err = merge(&old->goes, &unknown, &now->goes)))
        err = merge(&old->left_out, &unknown, &now->left_out);
    free(unknown.at);
    field_lists_release(old);
    return err;
}

static enum err make_whole(struct app *app, struct fields_kept *k, struct field_lists *now)
{
    enum err err;

    pthread_mutex_lock(&k->lock);
    now->touches = k->wanted_from = touches_lkd(k);
    pthread_mutex_unlock(&k->lock);
    if ((err = field_lists_make(app, NULL, 0, now))) {
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
    if ((err = patch(app, k, now, &same)) == ERR_NOT_FOUND) {
        field_list_done(&now->goes);
        field_list_done(&now->left_out);
        err = make_whole(app, k, now);
    }
    if (!err && !same)
        install(k, now);
    pthread_mutex_unlock(&k->making);
    if (err || same)
        lists_free(now);
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
    if ((err = field_lists_make(app, NULL, 0, now)))
        lists_free(now);
    else
        *out = now;
    return err;
}

/* ---- against all ---- */

static uint32_t first_difference(const struct field_list *a, const struct field_list *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (memcmp(a->at[i].key, b->at[i].key, FIELD_KEY) || a->at[i].why != b->at[i].why ||
            a->at[i].kinds != b->at[i].kinds || a->at[i].zone != b->at[i].zone ||
            a->at[i].route != b->at[i].route || a->at[i].confirmed != b->at[i].confirmed)
            return a->at[i].meter;
    return a->count > b->count   ? a->at[b->count].meter
           : b->count > a->count ? b->at[a->count].meter
                                 : 0;
}

/* Two looks, between which somebody may have changed something. */
static enum err compare(struct app *app, uint32_t *out_meter)
{
    struct field_lists *kept = NULL, *anew = NULL;
    enum err err = field_lists_hold(app, &kept);

    if (!err && !(err = empty_lists(app, &anew)) && !(err = field_lists_make(app, NULL, 0, anew)) &&
        !(*out_meter = first_difference(&kept->goes, &anew->goes)))
        *out_meter = first_difference(&kept->left_out, &anew->left_out);
    lists_free(anew);
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
