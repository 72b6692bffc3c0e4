/* Rankings that are kept, and the sieve that is held against them. */
#include "server/lives.h"
#include "server/metrics.h"
#include "server/prices.h"
#include "server/replacements_priv.h"
#include "server/scope.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define WARM_FOR_MS 600000 /* so long after somebody asked one is kept ready */
#define NICE 10            /* of who does that: who waits for a ranking may wait for this thread */

struct rankings {
    pthread_mutex_t lock;   /* of what follows and of every ranking's `holders`; held briefly */
    pthread_mutex_t making; /* one is made at a time: taken before the lock */
    struct ranking *newest; /* holds one place; NULL: none */
    uint64_t expired;       /* how often all were */
    struct app *app;        /* of the thread; NULL: there is none */
    pthread_t thread;
    pthread_cond_t wake;
    int64_t asked_ms; /* when somebody asked last, monotonic */
    bool stopping;
};

enum err rankings_open(struct rankings **out)
{
    struct rankings *all = (struct rankings *)calloc(1, sizeof *all);

    if (!all)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&all->lock, NULL);
    pthread_mutex_init(&all->making, NULL);
    pthread_cond_init(&all->wake, NULL);
    *out = all;
    return ERR_OK;
}

static void ranking_free(struct ranking *r)
{
    free(r->at);
    free(r);
}

static void let_go_lkd(struct ranking *r)
{
    if (r && --r->holders == 0)
        ranking_free(r);
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
    pthread_cond_destroy(&all->wake);
    pthread_mutex_destroy(&all->lock);
    pthread_mutex_destroy(&all->making);
    free(all);
}

void rankings_expire(struct rankings *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->expired++;
    let_go_lkd(all->newest);
    all->newest = NULL;
    pthread_mutex_unlock(&all->lock);
}

void ranking_release(struct ranking *r)
{
    struct rankings *all = r ? r->of : NULL;

    if (all) {
        pthread_mutex_lock(&all->lock);
        let_go_lkd(r);
        pthread_mutex_unlock(&all->lock);
    } else {
        let_go_lkd(r);
    }
}

/* ---- does one still hold? ---- */

/* What a ranking rests on, as it is now. */
static enum err stand_of(struct app *app, struct ranking *out)
{
    struct txn views, ledger;
    int64_t now_s;
    enum err err = lives_now(app, &now_s), ended;

    if (err)
        return err;
    views = views_read(app->views);
    ledger = ledger_read(app->ledger);
    *out = (struct ranking){ .today = (int32_t)zone_day_number(&app->zone, now_s),
                             .acts = ledger_end(&ledger),
                             .changes = views_changes(&views),
                             .made_ms = clock_monotonic_ms() };
    err = fleet_rules_now(app, &ledger, &out->rules);
    ended = txn_end(&ledger);
    err = err ? err : ended;
    ended = txn_end(&views);
    return err ? err : ended;
}

/* Tables are filled from nothing, so that equal ones have equal bytes. */
static bool same_rules(const struct ranking *a, const struct ranking *b)
{
    return a->today == b->today && memcmp(&a->rules, &b->rules, sizeof a->rules) == 0;
}

static bool holds(const struct ranking *kept, const struct ranking *now)
{
    return kept && same_rules(kept, now) && kept->acts == now->acts &&
           kept->changes == now->changes;
}

static bool is_young(const struct ranking *kept, const struct ranking *now)
{
    return kept && same_rules(kept, now) && kept->took_ms > RANKING_QUICK_MS &&
           now->made_ms - kept->made_ms < RANKING_AGE * kept->took_ms;
}

static struct ranking *hold_newest(struct rankings *all, const struct ranking *now)
{
    struct ranking *r;

    pthread_mutex_lock(&all->lock);
    all->asked_ms = now->made_ms;
    pthread_cond_signal(&all->wake);
    r = all->newest;
    if (holds(r, now) || is_young(r, now))
        r->holders++;
    else
        r = NULL;
    pthread_mutex_unlock(&all->lock);
    return r;
}

static enum err make(struct app *app, const struct ranking *now, struct ranking **out)
{
    struct ranking *r = (struct ranking *)malloc(sizeof *r);
    enum err err;

    if (!r)
        return ERR_NO_MEMORY;
    *r = *now;
    r->holders = 1;
    r->of = app->rankings;
    r->made_ms = clock_monotonic_ms();
    if ((err = ranking_make(app, r))) {
        ranking_free(r);
        return err;
    }
    r->took_ms = clock_monotonic_ms() - r->made_ms;
    *out = r;
    return ERR_OK;
}

/* Makes one for the caller and, unless all were expired meanwhile, for those who come. Holds the place of who makes. */
static enum err make_newest(struct app *app, const struct ranking *now, struct ranking **out)
{
    struct rankings *all = app->rankings;
    struct ranking *r = NULL;
    uint64_t expired;
    enum err err;

    pthread_mutex_lock(&all->lock);
    expired = all->expired;
    pthread_mutex_unlock(&all->lock);
    if ((err = make(app, now, &r)))
        return err;
    pthread_mutex_lock(&all->lock);
    if (expired == all->expired) {
        let_go_lkd(all->newest);
        all->newest = r;
        r->holders++;
    }
    pthread_mutex_unlock(&all->lock);
    *out = r;
    return ERR_OK;
}

/* Those who come while one is made wait, and take it if it still serves. */
static enum err make_kept(struct app *app, struct ranking *now, struct ranking **out)
{
    struct rankings *all = app->rankings;
    struct ranking *r = NULL;
    enum err err;

    pthread_mutex_lock(&all->making);
    if (!(err = stand_of(app, now)) && !(r = hold_newest(all, now)))
        err = make_newest(app, now, &r);
    pthread_mutex_unlock(&all->making);
    if (!err)
        *out = r;
    return err;
}

enum err ranking_hold(struct app *app, struct ranking **out)
{
    struct ranking *now = (struct ranking *)malloc(sizeof *now), *r = NULL;
    enum err err = now ? stand_of(app, now) : ERR_NO_MEMORY;

    if (!err && !app->rankings)
        err = make(app, now, &r);
    else if (!err && !(r = hold_newest(app->rankings, now)))
        err = make_kept(app, now, &r);
    free(now);
    if (!err)
        *out = r;
    return err;
}

/* ---- kept ready ---- */

/* One that is costly, in use, and half as old as it may become. */
static bool is_wanted_lkd(const struct rankings *all, int64_t now_ms)
{
    const struct ranking *r = all->newest;

    return r && r->took_ms > RANKING_QUICK_MS && now_ms - all->asked_ms < WARM_FOR_MS &&
           now_ms - r->made_ms >= RANKING_AGE / 2 * r->took_ms;
}

static enum err make_ahead(struct app *app)
{
    struct rankings *all = app->rankings;
    struct ranking *now = (struct ranking *)malloc(sizeof *now), *r = NULL;
    enum err err = ERR_NO_MEMORY;
    bool still;

    pthread_mutex_lock(&all->making);
    if (now && !(err = stand_of(app, now))) {
        pthread_mutex_lock(&all->lock);
        still = holds(all->newest, now);
        pthread_mutex_unlock(&all->lock);
        if (!still)
            err = make_newest(app, now, &r);
    }
    pthread_mutex_unlock(&all->making);
    free(now);
    ranking_release(r);
    return err;
}

static void *keep_ready(void *arg)
{
    struct rankings *all = (struct rankings *)arg;

    pthread_setname_np(pthread_self(), "rankings");
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux a thread's own */
    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct timespec look;

        if (is_wanted_lkd(all, clock_monotonic_ms())) {
            pthread_mutex_unlock(&all->lock);
            (void)make_ahead(all->app); /* who asks next is told what is wrong */
            pthread_mutex_lock(&all->lock);
        }
        clock_gettime(CLOCK_REALTIME, &look);
        look.tv_sec++;
        if (!all->stopping && all->newest && all->newest->took_ms > RANKING_QUICK_MS)
            pthread_cond_timedwait(&all->wake, &all->lock, &look);
        else if (!all->stopping)
            pthread_cond_wait(&all->wake, &all->lock);
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

/* ---- the sieve ---- */

#define ZONE_DEPTH_MAX 32 /* a tree of zones that is deeper is a ring */

static bool is_below(struct txn *t, struct ledger_row row, struct span wanted)
{
    for (int depth = 0; depth < ZONE_DEPTH_MAX; depth++) {
        struct cells cells = cells_of(&row);

        if (span_equal(cells.at[CELL_ZONE_zone], wanted))
            return true;
        if (!cells.at[CELL_ZONE_parent].len ||
            !ledger_find(t, LIST_ZONE, cells.at[CELL_ZONE_parent], INT64_MAX, &row))
            return false;
    }
    return false;
}

static enum err mark_zones(struct txn *t, struct sieve *s)
{
    struct ledger_row row;

    s->zone_count = ledger_last_id(t, LIST_ZONE) + 1;
    if (!(s->zones = (uint8_t *)calloc(s->zone_count, 1)))
        return ERR_NO_MEMORY;
    for (uint32_t id = 1; id < s->zone_count; id++)
        s->zones[id] =
            ledger_by_id(t, LIST_ZONE, id, INT64_MAX, &row) && is_below(t, row, s->filter.zone);
    return t->err;
}

/* A point belongs to the unit of its route (scope.h). */
static enum err mark_routes(struct txn *t, struct sieve *s)
{
    struct scope scope = scope_of(s->filter.org);
    struct ledger_row row;

    s->route_count = ledger_last_id(t, LIST_ROUTE) + 1;
    if (!(s->routes = (uint8_t *)calloc(s->route_count, 1)))
        return ERR_NO_MEMORY;
    for (uint32_t id = 1; id < s->route_count; id++)
        s->routes[id] =
            ledger_by_id(t, LIST_ROUTE, id, INT64_MAX, &row) && scope_row(&scope, t, &row);
    return t->err;
}

enum err sieve_open(struct txn *t, const struct replacement_filter *filter, struct sieve *out)
{
    struct sieve s = { .filter = *filter,
                       .model = model_number(filter->model),
                       .none = filter->nothing };
    struct ledger_row row;
    enum err err = ERR_OK;

    if (filter->route.len) {
        if (ledger_find(t, LIST_ROUTE, filter->route, INT64_MAX, &row))
            s.route = row.id;
        else
            s.none = true;
    }
    if (filter->zone.len)
        err = mark_zones(t, &s);
    if (!err && filter->org && filter->org[0])
        err = mark_routes(t, &s);
    if (!err)
        err = t->err;
    if (err)
        sieve_done(&s);
    else
        *out = s;
    return err;
}

static bool marked(const uint8_t *set, uint32_t count, uint32_t id)
{
    return !set || (id < count && set[id]);
}

static bool has_kind(const struct replacement *one, const struct detector *kind)
{
    unsigned n = 0;

    while (detector_at(n) != kind)
        n++;
    return one->kinds >> n & 1;
}

bool sieve_lets(const struct sieve *s, const struct replacement *one)
{
    const struct replacement_filter *f = &s->filter;

    return !s->none && (!f->dn || f->dn == one->dn_mm) && (!s->route || s->route == one->route) &&
           (!s->model || s->model == one->model) && marked(s->zones, s->zone_count, one->zone) &&
           marked(s->routes, s->route_count, one->route) &&
           (!f->has_least || one->benefit >= f->least_benefit) &&
           (!f->kind || has_kind(one, f->kind));
}

void sieve_done(struct sieve *s)
{
    free(s->zones);
    free(s->routes);
    s->zones = s->routes = NULL;
}
