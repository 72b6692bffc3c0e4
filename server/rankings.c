/* Rankings that are kept: a base made whole, and what was touched since.
 *
 *   touches   … │ forgotten │ remembered: one id each …  │ the next
 *                           first                        first + count
 *
 * A ranking knows all touches before its number.  Whoever makes one notes the number first and reads the store after it, so that what it does not know is remembered; a touch that it saw
 * already is looked at once more. */
#include "server/field_list.h"
#include "server/judge_condition.h"
#include "server/lives.h"
#include "server/prices.h"
#include "server/replacements_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define NICE 10           /* of what nobody waits for */
#define OWN_MOST 16384u   /* touched meters before there is a new base */
#define TURNS 3           /* in which one is made for who waits */
#define NOBODY UINT64_MAX /* nothing need be remembered for it */

struct rankings {
    pthread_mutex_t lock;     /* of what follows and of all holders; held briefly, taken last */
    pthread_mutex_t making;   /* one base is made at a time for those who wait: taken first */
    pthread_mutex_t patching; /* newest is replaced by one at a time: taken second */
    struct ranking *newest;   /* holds one place; NULL: none */
    uint32_t *touched;        /* remembered */
    size_t touched_count, touched_cap;
    uint64_t touched_first;
    uint64_t wanted_from
        [2]; /* a base is being made that knows the touches before: for those who wait, by the thread; NOBODY */
    struct lives_move moved; /* that was touched last */
    struct app *app;         /* of the thread; NULL: there is none */
    pthread_t thread;
    pthread_cond_t wake;
    bool stopping;
};

enum { FOR_ALL, FOR_THREAD }; /* who makes a base */

enum err rankings_open(struct rankings **out)
{
    struct rankings *all = (struct rankings *)calloc(1, sizeof *all);

    if (!all)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&all->lock, NULL);
    pthread_mutex_init(&all->making, NULL);
    pthread_mutex_init(&all->patching, NULL);
    pthread_cond_init(&all->wake, NULL);
    all->moved.at_s = INT64_MIN;
    all->wanted_from[FOR_ALL] = all->wanted_from[FOR_THREAD] = NOBODY;
    *out = all;
    return ERR_OK;
}

static void base_let_go_lkd(struct ranking_base *b)
{
    if (b && --b->holders == 0) {
        free(b->all.at);
        free(b);
    }
}

static void let_go_lkd(struct ranking *r)
{
    if (!r || --r->holders)
        return;
    base_let_go_lkd(r->base);
    free(r->own.at);
    free(r->touched);
    free(r->marks);
    free(r);
}

void rankings_close(struct rankings *all)
{
    if (!all)
        return;
    if (all->app) {
        pthread_mutex_lock(&all->lock);
        all->stopping = true;
        pthread_cond_signal(&all->wake);
        pthread_mutex_unlock(&all->lock);
        pthread_join(all->thread, NULL);
    }
    let_go_lkd(all->newest);
    free(all->touched);
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->patching);
    pthread_mutex_destroy(&all->making);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

void ranking_release(struct ranking *r)
{
    struct rankings *all = r ? r->of : NULL;

    if (all)
        pthread_mutex_lock(&all->lock);
    let_go_lkd(r);
    if (all)
        pthread_mutex_unlock(&all->lock);
}

/* ---- touches ---- */

static uint64_t touches_lkd(const struct rankings *all)
{
    return all->touched_first + all->touched_count;
}

/* Forgets what everybody knows. */
static void forget_lkd(struct rankings *all)
{
    uint64_t first = all->newest ? all->newest->touches : touches_lkd(all);
    size_t known;

    for (unsigned i = 0; i < 2; i++)
        if (all->wanted_from[i] < first)
            first = all->wanted_from[i];
    if (first <= all->touched_first)
        return;
    known = (size_t)(first - all->touched_first);
    memmove(all->touched, all->touched + known,
            (all->touched_count - known) * sizeof *all->touched);
    all->touched_count -= known;
    all->touched_first = first;
}

/* More than can be remembered: no ranking can be made of one from before any more. */
static void lose_lkd(struct rankings *all, size_t count)
{
    all->touched_first += all->touched_count + count;
    all->touched_count = 0;
}

static bool touched_room_lkd(struct rankings *all, size_t count)
{
    size_t cap = all->touched_cap ? all->touched_cap : 1024;
    uint32_t *more;

    while (cap < all->touched_count + count)
        cap *= 2;
    if (cap == all->touched_cap)
        return true;
    if (!(more = (uint32_t *)realloc(all->touched, cap * sizeof *more)))
        return false;
    all->touched = more;
    all->touched_cap = cap;
    return true;
}

void rankings_touch(struct rankings *all, const uint32_t *meters, size_t count)
{
    if (!all || !count)
        return;
    if (all->app)
        fields_kept_touch(all->app->fields_kept, meters, count);
    pthread_mutex_lock(&all->lock);
    if (!all->newest && all->wanted_from[FOR_ALL] == NOBODY &&
        all->wanted_from[FOR_THREAD] == NOBODY) {
        all->touched_first += count;
    } else if (all->touched_count + count > TOUCHED_MOST || !touched_room_lkd(all, count)) {
        lose_lkd(all, count);
        pthread_cond_signal(&all->wake);
    } else {
        memcpy(all->touched + all->touched_count, meters, count * sizeof *meters);
        all->touched_count += count;
        if (all->touched_count >= TOUCHED_MANY)
            pthread_cond_signal(&all->wake);
    }
    pthread_mutex_unlock(&all->lock);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static size_t sort_once(uint32_t *at, size_t count)
{
    size_t kept = 0;

    if (count)
        qsort(at, count, sizeof *at, by_id);
    for (size_t i = 0; i < count; i++)
        if (!kept || at[kept - 1] != at[i])
            at[kept++] = at[i];
    return kept;
}

struct meters {
    uint32_t *at; /* they rise */
    size_t count;
    uint64_t touches; /* that they are all of, from a ranking's on */
};

/* Those that a ranking does not know. NOT_FOUND: they are forgotten. */
static enum err unknown_to(struct rankings *all, uint64_t touches, struct meters *out)
{
    enum err err = ERR_OK;
    size_t from;

    *out = (struct meters){ .at = NULL };
    pthread_mutex_lock(&all->lock);
    out->touches = touches_lkd(all);
    if (touches < all->touched_first) {
        err = ERR_NOT_FOUND;
    } else if (touches < out->touches) {
        from = (size_t)(touches - all->touched_first);
        out->count = all->touched_count - from;
        if ((out->at = (uint32_t *)malloc(out->count * sizeof *out->at)))
            memcpy(out->at, all->touched + from, out->count * sizeof *out->at);
        else
            err = ERR_NO_MEMORY;
    }
    pthread_mutex_unlock(&all->lock);
    if (!err)
        out->count = sort_once(out->at, out->count);
    return err;
}

/* ---- what holds now ---- */

struct stand {
    int32_t today;
    struct fleet_rules rules;
};

static void touch_moved(void *arg, uint32_t meter)
{
    rankings_touch((struct rankings *)arg, &meter, 1);
}

/* Lives that the clock alone moved, in whatever act. */
static enum err look_for_moved(struct app *app)
{
    struct rankings *all = app->rankings;
    struct lives_move after;
    enum err err;

    if (!all)
        return ERR_OK;
    pthread_mutex_lock(&all->lock);
    after = all->moved;
    pthread_mutex_unlock(&all->lock);
    err = lives_moved_after(app, &after, touch_moved, all);
    pthread_mutex_lock(&all->lock);
    if (!err && after.at_s >= all->moved.at_s)
        all->moved = after;
    pthread_mutex_unlock(&all->lock);
    return err;
}

static enum err stand_of(struct app *app, struct stand *out)
{
    struct txn ledger;
    int64_t now_s;
    enum err err, ended;

    if ((err = lives_now(app, &now_s)) || (err = look_for_moved(app)))
        return err;
    ledger = ledger_read(app->ledger);
    out->today = (int32_t)zone_day_number(&app->zone, now_s);
    err = fleet_rules_now(app, &ledger, &out->rules);
    ended = txn_end(&ledger);
    return err ? err : ended;
}

/* Tables are filled from nothing, so that equal ones have equal bytes. */
static bool stands(const struct ranking *r, const struct stand *now)
{
    return r && r->today == now->today && memcmp(&r->rules, &now->rules, sizeof r->rules) == 0;
}

static struct ranking *hold_newest(struct rankings *all)
{
    struct ranking *r;

    pthread_mutex_lock(&all->lock);
    if ((r = all->newest))
        r->holders++;
    pthread_mutex_unlock(&all->lock);
    return r;
}

/* ---- making one ---- */

static bool is_among(const struct meters *m, uint32_t meter)
{
    return bsearch(&meter, m->at, m->count, sizeof *m->at, by_id) != NULL;
}

/* What is known of touched meters, with what `some` are now in its place. */
static enum err own_with(const struct ranking *r, const struct meters *some,
                         const struct ranks *now, struct ranks *out)
{
    size_t room = r->own.count + now->count, kept = 0;

    if (!room)
        return ERR_OK;
    if (!(out->at = (struct replacement *)malloc(room * sizeof *out->at)))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < r->own.count; i++)
        if (!is_among(some, r->own.at[i].meter))
            out->at[kept++] = r->own.at[i];
    if (now->count)
        memcpy(out->at + kept, now->at, now->count * sizeof *now->at);
    out->count = kept + now->count;
    return ranked_sort(out);
}

static enum err touched_with(const struct ranking *r, const struct meters *some,
                             struct ranking *out)
{
    size_t room = r->touched_count + some->count;

    out->marks = (uint8_t *)calloc(1, (1u << TOUCHED_BITS) / 8);
    out->touched = (uint32_t *)malloc((room ? room : 1) * sizeof *out->touched);
    if (!out->marks || !out->touched)
        return ERR_NO_MEMORY;
    if (r->touched_count)
        memcpy(out->touched, r->touched, r->touched_count * sizeof *r->touched);
    if (some->count)
        memcpy(out->touched + r->touched_count, some->at, some->count * sizeof *some->at);
    out->touched_count = sort_once(out->touched, room);
    ranking_mark(out);
    return ERR_OK;
}

/* The ranking with what `some` meters are now; nobody holds it yet. */
static enum err patched(struct app *app, struct ranking *r, const struct meters *some,
                        struct ranking **out)
{
    struct ranking *fresh = (struct ranking *)calloc(1, sizeof *fresh);
    struct ranks now = { 0 };
    enum err err;

    if (!fresh)
        return ERR_NO_MEMORY;
    fresh->today = r->today;
    fresh->rules = r->rules;
    fresh->of = r->of;
    fresh->touches = some->touches;
    fresh->holders = 1;
    err = some->count ? ranked_some(app, r->today, &r->rules, some->at, some->count, &now) : ERR_OK;
    if (!err && !(err = own_with(r, some, &now, &fresh->own)))
        err = touched_with(r, some, fresh);
    free(now.at);
    if (r->of)
        pthread_mutex_lock(&r->of->lock);
    if (err) {
        let_go_lkd(fresh);
    } else {
        fresh->base = r->base;
        fresh->base->holders++;
        *out = fresh;
    }
    if (r->of)
        pthread_mutex_unlock(&r->of->lock);
    return err;
}

/* A ranking of a base alone, which becomes its; nobody holds it yet. */
static enum err based(struct rankings *all, const struct stand *stand, struct ranks *ranked,
                      int32_t whole_day, uint64_t touches, struct ranking **out)
{
    struct ranking *r = (struct ranking *)calloc(1, sizeof *r);
    struct ranking_base *base = (struct ranking_base *)calloc(1, sizeof *base);
    struct meters none = { 0 };

    if (!r || !base || touched_with(&(struct ranking){ 0 }, &none, r)) {
        if (r) {
            free(r->touched);
            free(r->marks);
        }
        free(r);
        free(base);
        free(ranked->at);
        return ERR_NO_MEMORY;
    }
    *base = (struct ranking_base){ .all = *ranked, .holders = 1, .whole_day = whole_day };
    r->base = base;
    r->today = stand->today;
    r->rules = stand->rules;
    r->touches = touches;
    r->holders = 1;
    r->of = all;
    *out = r;
    return ERR_OK;
}

/* All of a ranking as one list. */
static enum err flattened(const struct ranking *r, struct ranks *out)
{
    size_t most = ranking_most(r);
    struct ranking_walk w = { 0 };
    const struct replacement *one;

    *out = (struct ranks){ 0 };
    if (!(out->at = (struct replacement *)malloc((most ? most : 1) * sizeof *out->at)))
        return ERR_NO_MEMORY;
    while ((one = ranking_next(r, &w)))
        out->at[out->count++] = *one;
    return ERR_OK;
}

static bool same_conditions(const struct ranking *r, const struct stand *now)
{
    return condition_rules_hash(&r->rules) == condition_rules_hash(&now->rules);
}

/* The ranking as of another day or other prices. */
static enum err turned(struct app *app, struct ranking *r, const struct stand *now,
                       struct ranking **out)
{
    struct ranks all;
    struct ranking *base = NULL;
    struct meters more = { .touches = r->touches };
    enum err err = flattened(r, &all);

    if (!err && (err = ranked_turn(app, now->today, &now->rules, &all)))
        free(all.at);
    if (!err)
        err = based(r->of, now, &all, r->base->whole_day, r->touches, &base);
    if (!err)
        err = ranked_new(app, now->today, &now->rules, r->today + r->rules.horizon_days, &more.at,
                         &more.count);
    more.count = err ? 0 : sort_once(more.at, more.count);
    if (!err)
        err = patched(app, base, &more, out);
    ranking_release(base);
    free(more.at);
    return err;
}

static enum err whole(struct app *app, struct rankings *all, const struct stand *now,
                      uint64_t touches, struct ranking **out)
{
    struct ranks ranked = { 0 };
    enum err err = ranked_whole(app, now->today, &now->rules, &ranked);

    return err ? err : based(all, now, &ranked, now->today, touches, out);
}

/* ---- keeping it ---- */

/* Of the newest one what it does not know is looked at. Holds `patching`. NOT_FOUND: there is none of that day and those prices, or it is too old; then `*out` is as it was. */
static enum err patch_newest_lkd(struct app *app, const struct stand *now, struct ranking **out)
{
    struct rankings *all = app->rankings;
    struct ranking *r = hold_newest(all), *fresh = NULL;
    struct meters unknown = { 0 };
    enum err err = r && stands(r, now) ? unknown_to(all, r->touches, &unknown) : ERR_NOT_FOUND;

    if (!err && unknown.count && r->touched_count + unknown.count > TOUCHED_MOST)
        err = ERR_NOT_FOUND;
    if (!err && unknown.touches != r->touches && !(err = patched(app, r, &unknown, &fresh))) {
        pthread_mutex_lock(&all->lock);
        let_go_lkd(all->newest);
        all->newest = fresh;
        fresh->holders++;
        forget_lkd(all);
        pthread_mutex_unlock(&all->lock);
    }
    free(unknown.at);
    if (!err && !fresh) {
        *out = r;
        return ERR_OK;
    }
    ranking_release(r);
    if (!err)
        *out = fresh;
    return err;
}

static enum err patch_newest(struct app *app, const struct stand *now, struct ranking **out)
{
    enum err err;

    pthread_mutex_lock(&app->rankings->patching);
    err = patch_newest_lkd(app, now, out);
    pthread_mutex_unlock(&app->rankings->patching);
    return err;
}

/* From here on what is touched is remembered for a base that is made of all meters. */
static uint64_t wanted_begin(struct rankings *all, unsigned who)
{
    uint64_t touches;

    pthread_mutex_lock(&all->lock);
    all->wanted_from[who] = touches = touches_lkd(all);
    pthread_mutex_unlock(&all->lock);
    return touches;
}

/* The newest one, and what is touched after it is remembered for a base that is made of it. NULL: there is none, or what came after it is not remembered. */
static struct ranking *wanted_newest(struct rankings *all, unsigned who)
{
    struct ranking *r;

    pthread_mutex_lock(&all->lock);
    r = all->newest;
    if (r && r->touches < all->touched_first)
        r = NULL;
    if (r) {
        r->holders++;
        all->wanted_from[who] = r->touches;
    }
    pthread_mutex_unlock(&all->lock);
    return r;
}

static void wanted_end(struct rankings *all, unsigned who)
{
    pthread_mutex_lock(&all->lock);
    all->wanted_from[who] = NOBODY;
    forget_lkd(all);
    pthread_mutex_unlock(&all->lock);
}

/* The one becomes the newest, unless it is of a day or prices of before the newest's; what was touched meanwhile, who asks looks at. */
static void install(struct app *app, struct ranking *r, bool must)
{
    struct rankings *all = app->rankings;
    struct ranking *old = NULL;

    pthread_mutex_lock(&all->patching);
    pthread_mutex_lock(&all->lock);
    if (must || (all->newest && all->newest->today == r->today &&
                 memcmp(&all->newest->rules, &r->rules, sizeof r->rules) == 0)) {
        old = all->newest;
        all->newest = r;
    } else {
        old = r;
    }
    let_go_lkd(old);
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_unlock(&all->patching);
}

/* For those who wait: of the newest one, if that can be, else of all meters. Holds `making`. */
static enum err make_lkd(struct app *app, const struct stand *now)
{
    struct rankings *all = app->rankings;
    struct ranking *old = wanted_newest(all, FOR_ALL), *r = NULL;
    enum err err;

    if (old && !stands(old, now) && same_conditions(old, now))
        err = turned(app, old, now, &r);
    else
        err = whole(app, all, now, wanted_begin(all, FOR_ALL), &r);
    if (!err)
        install(app, r, true);
    wanted_end(all, FOR_ALL);
    ranking_release(old);
    return err;
}

/* Those who come while one is made wait, and take it if it serves. Where more is touched while one is made than is remembered, again and again, one of a moment ago must do. */
static enum err hold_made(struct app *app, struct stand *now, struct ranking **out)
{
    struct rankings *all = app->rankings;
    enum err err = ERR_NOT_FOUND, made = ERR_OK;

    pthread_mutex_lock(&all->making);
    for (unsigned turn = 0; turn < TURNS && err == ERR_NOT_FOUND && !made; turn++) {
        err = stand_of(app, now);
        if (!err && (err = patch_newest(app, now, out)) == ERR_NOT_FOUND)
            made = make_lkd(app, now);
    }
    if (err == ERR_NOT_FOUND && !made && !(err = patch_newest(app, now, out)))
        made = ERR_OK;
    if (err == ERR_NOT_FOUND && !made && (*out = hold_newest(all)))
        err = ERR_OK;
    pthread_mutex_unlock(&all->making);
    return made ? made : err;
}

enum err ranking_hold(struct app *app, struct ranking **out)
{
    struct stand *now = (struct stand *)malloc(sizeof *now);
    enum err err = now ? stand_of(app, now) : ERR_NO_MEMORY;

    if (!err && !app->rankings)
        err = whole(app, NULL, now, 0, out);
    else if (!err && (err = patch_newest(app, now, out)) == ERR_NOT_FOUND)
        err = hold_made(app, now, out);
    free(now);
    return err;
}

/* ---- kept ready ---- */

/* All is put into one base. */
static void make_flat(struct app *app)
{
    struct rankings *all = app->rankings;
    struct ranking *r = wanted_newest(all, FOR_THREAD), *flat;
    struct ranks ranked;

    if (r && !flattened(r, &ranked)) {
        struct stand stand = { r->today, r->rules };

        if (!based(all, &stand, &ranked, r->base->whole_day, r->touches, &flat))
            install(app, flat, false);
    }
    wanted_end(all, FOR_THREAD);
    ranking_release(r);
}

/* Once a day everybody is looked at, so that nothing that was forgotten is forgotten for long. */
static void make_whole(struct app *app)
{
    struct rankings *all = app->rankings;
    struct stand *now = (struct stand *)malloc(sizeof *now);
    struct ranking *r;

    if (now && !stand_of(app, now) && !whole(app, all, now, wanted_begin(all, FOR_THREAD), &r))
        install(app, r, false);
    wanted_end(all, FOR_THREAD);
    free(now);
}

static void make_first(struct app *app)
{
    struct ranking *r = NULL;

    (void)!ranking_hold(app, &r); /* who asks is told what is wrong */
    ranking_release(r);
}

struct errand {
    struct app *app;
    void (*run)(struct app *app);
};

static void *run_low(void *arg)
{
    const struct errand *e = (const struct errand *)arg;

    pthread_setname_np(pthread_self(), "rankings-low");
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux a thread's own */
    e->run(e->app);
    return NULL;
}

/* What takes long and nobody waits for. */
static void run_errand(struct app *app, void (*run)(struct app *app))
{
    struct errand e = { app, run };
    pthread_t thread;

    if (!pthread_create(&thread, NULL, run_low, &e))
        pthread_join(thread, NULL);
}

/* The list that crews get rests on the same. Who asks is told what is wrong. */
static void look_at_fields(struct app *app)
{
    struct field_lists *l = NULL;

    if (!field_lists_hold(app, &l))
        field_lists_release(l);
}

/* The first one is made at low priority; what was touched is looked at as if somebody asked, for who asks may wait for it. */
static void look_after(struct app *app)
{
    struct ranking *r = hold_newest(app->rankings);
    bool first = !r;

    ranking_release(r);
    if (first) {
        run_errand(app, make_first);
        run_errand(app, look_at_fields);
        return;
    }
    look_at_fields(app);
    if (ranking_hold(app, &r))
        return;
    if (r->touched_count > OWN_MOST)
        run_errand(app, make_flat);
    else if (r->base->whole_day != r->today)
        run_errand(app, make_whole);
    ranking_release(r);
}

/* A day has begun, something was touched, or there is none yet. */
static bool is_wanted_lkd(const struct rankings *all, int64_t *looked_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    bool many = all->touched_count >= TOUCHED_MANY;

    if (all->newest && !many && now_ms - *looked_ms < 1000)
        return false;
    *looked_ms = now_ms;
    return !all->newest || many || all->newest->touches != touches_lkd(all) ||
           all->newest->today !=
               (int32_t)zone_day_number(&all->app->zone, clock_now_s(&all->app->clock)) ||
           all->newest->base->whole_day != all->newest->today ||
           all->newest->touched_count > OWN_MOST;
}

static void *keep_ready(void *arg)
{
    struct rankings *all = (struct rankings *)arg;
    int64_t looked_ms = 0;

    pthread_setname_np(pthread_self(), "rankings");
    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct timespec look;

        if (is_wanted_lkd(all, &looked_ms)) {
            pthread_mutex_unlock(&all->lock);
            look_after(all->app);
            pthread_mutex_lock(&all->lock);
        }
        clock_gettime(CLOCK_REALTIME, &look);
        look.tv_sec++;
        if (!all->stopping)
            pthread_cond_timedwait(&all->wake, &all->lock, &look);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

enum err rankings_start(struct app *app)
{
    struct rankings *all = app->rankings;

    all->app = app;
    if (!pthread_create(&all->thread, NULL, keep_ready, all))
        return ERR_OK;
    all->app = NULL;
    return ERR_NO_MEMORY;
}

/* ---- against all ---- */

static uint32_t first_difference(const struct ranking *a, const struct ranking *b)
{
    struct ranking_walk at = { 0 }, bt = { 0 };
    const struct replacement *x, *y;

    do {
        x = ranking_next(a, &at);
        y = ranking_next(b, &bt);
    } while (x && y && memcmp(x, y, sizeof *x) == 0);
    return x ? x->meter : y ? y->meter : 0;
}

/* Two looks, between which somebody may have changed something. */
static enum err compare(struct app *app, struct stand *now, uint32_t *out_meter)
{
    struct ranking *kept = NULL, *anew = NULL;
    enum err err = ranking_hold(app, &kept);

    if (!err && !(err = stand_of(app, now)) && !(err = whole(app, NULL, now, 0, &anew)))
        *out_meter = first_difference(kept, anew);
    ranking_release(anew);
    ranking_release(kept);
    return err;
}

enum err rankings_check(struct app *app, uint32_t *out_meter)
{
    struct stand *now = (struct stand *)malloc(sizeof *now);
    enum err err = now ? ERR_OK : ERR_NO_MEMORY;

    *out_meter = 1;
    for (unsigned turn = 0; turn < TURNS && *out_meter && !err; turn++)
        err = compare(app, now, out_meter);
    free(now);
    return err;
}
