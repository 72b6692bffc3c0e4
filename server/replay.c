#include "server/replay.h"

#include "server/judge_priv.h"
#include "server/registers.h"
#include "server/replay_keep.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define NICE 19
#define RENEW 64 /* meters between two renewals of the transactions */
#define EPISODES_MOST 256

struct replays {
    struct app *app;
    pthread_mutex_t lock;
    pthread_t thread;
    bool started; /* a thread is to be joined */
    atomic_bool stop, closing;
    uint32_t last_id;
    size_t count;
    struct replay at[REPLAYS_KEPT]; /* the oldest first */
};

static const char *const change_names[REPLAY_CHANGES] = { "came", "gone", "moved", "same" };

const char *replay_change_name(enum replay_change c)
{
    return change_names[c];
}

const char *replay_state_name(enum replay_state s)
{
    static const char *const names[REPLAY_STATES] = { "running", "done", "stopped", "failed",
                                                      "interrupted" };

    return names[s];
}

/* ---- comparing ---- */

static bool overlap(const struct replay_episode *a, const struct replay_episode *b)
{
    return a->fitting_from_s == b->fitting_from_s &&
           (!a->cleared_s || a->cleared_s >= b->onset_s) &&
           (!b->cleared_s || b->cleared_s >= a->onset_s);
}

static bool alike(const struct replay_episode *a, const struct replay_episode *b)
{
    return a->onset_s == b->onset_s && a->raised_s == b->raised_s && a->cleared_s == b->cleared_s;
}

void replay_compare(const struct replay_episode *now, size_t now_count,
                    const struct replay_episode *then, size_t then_count,
                    void (*each)(void *arg, enum replay_change c, int now_at, int then_at),
                    void *arg)
{
    bool taken[EPISODES_MOST] = { false };

    for (size_t i = 0; i < now_count; i++) {
        size_t n = 0;

        while (n < then_count && n < EPISODES_MOST && (taken[n] || !overlap(&now[i], &then[n])))
            n++;
        if (n < then_count && n < EPISODES_MOST) {
            taken[n] = true;
            each(arg, alike(&now[i], &then[n]) ? REPLAY_SAME : REPLAY_MOVED, (int)i, (int)n);
        } else {
            each(arg, REPLAY_GONE, (int)i, -1);
        }
    }
    for (size_t n = 0; n < then_count && n < EPISODES_MOST; n++)
        if (!taken[n])
            each(arg, REPLAY_CAME, -1, (int)n);
}

/* ---- one that runs ---- */

struct running {
    struct replays *all;
    struct app *app;
    struct replay *r; /* its place: only the running thread writes it, under the lock */
    struct replay_wish wish;
    uint32_t drop; /* what is kept of this one goes; 0: none */
    bool whole;    /* all meters were looked at */
    const struct detector *kind;
    struct judge_rehearsal *rehearsal;
    struct flag_records stands;
    /* the meter at hand */
    uint32_t meter;
    char zone[REPLAY_NAME], model[REPLAY_NAME];
    size_t now_count, then_count;
    struct replay_episode now[EPISODES_MOST], then[EPISODES_MOST];
    char ids[EPISODES_MOST][FLAG_ID_SIZE];
    uint32_t points[2][EPISODES_MOST];
};

static struct replay_group *group_named(struct replay_group **list, size_t *count, const char *name)
{
    struct replay_group *more;

    for (size_t i = *count; i-- > 0;)
        if (strcmp((*list)[i].name, name) == 0)
            return &(*list)[i];
    if (*count == REPLAY_GROUPS_MOST ||
        !(more = (struct replay_group *)realloc(*list, (*count + 1) * sizeof *more)))
        return NULL;
    *list = more;
    more[*count] = (struct replay_group){ 0 };
    snprintf(more[*count].name, REPLAY_NAME, "%s", name);
    return &more[(*count)++];
}

static void push_row(struct replay *r, const struct replay_row *row)
{
    if (r->row_count == REPLAY_ROWS_MOST) {
        r->more = true;
        return;
    }
    if ((r->row_count & (r->row_count - 1)) == 0) { /* a power of two: full */
        size_t cap = r->row_count ? 2 * r->row_count : 1;
        struct replay_row *more = (struct replay_row *)realloc(r->rows, cap * sizeof *more);

        if (!more) {
            r->more = true;
            return;
        }
        r->rows = more;
    }
    r->rows[r->row_count++] = *row;
}

/* Under the lock. */
static void note(void *arg, enum replay_change c, int now_at, int then_at)
{
    struct running *k = (struct running *)arg;
    struct replay *r = k->r;
    struct replay_group *zone = group_named(&r->zones, &r->zone_count, k->zone);
    struct replay_group *model = group_named(&r->models, &r->model_count, k->model);
    struct replay_row row = { .change = c, .meter = k->meter };

    r->count[c]++;
    if (zone)
        zone->count[c]++;
    if (model)
        model->count[c]++;
    r->more = r->more || !zone || !model;
    if (c == REPLAY_SAME)
        return;
    if (now_at >= 0) {
        row.now = k->now[now_at];
        row.point = k->points[0][now_at];
        memcpy(row.id, k->ids[now_at], sizeof row.id);
    }
    if (then_at >= 0) {
        row.then = k->then[then_at];
        row.point = k->points[1][then_at];
    }
    push_row(r, &row);
}

static bool is_counted(const struct running *k, const struct flag_record *f)
{
    return f->kind == k->kind && !f->withdrawn && f->verdict.raised_s >= k->wish.from_s;
}

static struct replay_episode episode_of(const struct flag_record *f)
{
    return (struct replay_episode){ .fitting_from_s = f->fitting_from_s,
                                    .onset_s = f->verdict.onset_s,
                                    .raised_s = f->verdict.raised_s,
                                    .cleared_s = f->ended ? f->verdict.cleared_s : 0,
                                    .lost_mlpd = f->verdict.lost_mlpd,
                                    .confidence_pct = f->verdict.confidence_pct };
}

static enum err look(struct running *k, uint32_t meter)
{
    const struct flag_records *would;
    enum err err = judge_stands(k->rehearsal, meter, &k->stands);

    k->meter = meter;
    k->now_count = k->then_count = 0;
    if (err || (err = judge_rehearse(k->rehearsal, meter, &would)))
        return err;
    for (size_t i = 0; i < k->stands.count && k->now_count < EPISODES_MOST; i++)
        if (is_counted(k, &k->stands.at[i])) {
            memcpy(k->ids[k->now_count], k->stands.at[i].id, FLAG_ID_SIZE);
            k->points[0][k->now_count] = k->stands.at[i].point;
            k->now[k->now_count++] = episode_of(&k->stands.at[i]);
        }
    for (size_t i = 0; i < would->count && k->then_count < EPISODES_MOST; i++)
        if (is_counted(k, &would->at[i])) {
            k->points[1][k->then_count] = would->at[i].point;
            k->then[k->then_count++] = episode_of(&would->at[i]);
        }
    return ERR_OK;
}

/* Zone and model of a meter where it is now. False: it is none of those asked for. */
static bool place_of(struct running *k, struct txn *t, uint32_t meter)
{
    struct ledger_row row;
    struct fitting fitting;

    k->zone[0] = k->model[0] = 0;
    if ((uint64_t)(meter * UINT32_C(2654435761)) * 1000 >> 32 >= k->wish.share_permille ||
        !ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row))
        return false;
    text_cut(k->model, REPLAY_NAME, ledger_cell(&row, CELL_METER_model));
    if (!fitting_at(t, false, meter, INT64_MAX - 1, &fitting) &&
        ledger_by_id(t, LIST_POINT, fitting.point, INT64_MAX, &row))
        text_cut(k->zone, REPLAY_NAME, ledger_cell(&row, CELL_POINT_zone));
    return !k->wish.zone[0] || strcmp(k->zone, k->wish.zone) == 0;
}

static bool is_stopped(const struct running *k)
{
    return atomic_load(&k->all->stop) || k->app->stopping;
}

static enum err look_at_all(struct running *k)
{
    struct txn t = ledger_read(k->app->ledger);
    uint32_t last = ledger_last_id(&t, LIST_METER);
    enum err err = txn_end(&t);

    for (uint32_t meter = 1; !err && !(k->whole = meter > last) && !is_stopped(k); meter++) {
        bool wanted;

        if (meter % RENEW == 0 && (err = judge_rehearsal_renew(k->rehearsal)))
            break;
        t = ledger_read(k->app->ledger);
        wanted = place_of(k, &t, meter);
        if ((err = txn_end(&t)))
            break;
        if (wanted)
            err = look(k, meter);
        pthread_mutex_lock(&k->all->lock);
        k->r->meters = last;
        if (err_class(err) == ERR_CLASS_STORE) { /* one meter's damage is not the others' */
            err = ERR_OK;
            k->r->damaged++;
        } else if (wanted && !err) {
            replay_compare(k->now, k->now_count, k->then, k->then_count, note, k);
        }
        k->r->meters_done = meter;
        pthread_mutex_unlock(&k->all->lock);
    }
    return err;
}

static enum replay_state state_after(const struct running *k, enum err err)
{
    if (err || k->whole)
        return err ? REPLAY_FAILED : REPLAY_DONE;
    return atomic_load(&k->all->closing) || k->app->stopping ? REPLAY_INTERRUPTED : REPLAY_STOPPED;
}

/* It stands in memory, too: what cannot be written is forgotten with the process, and no replay is worth ending it. */
static void keep(const struct running *k, const struct replay *r, bool whole)
{
    enum err err = replay_keep(k->app, r, whole, k->drop);

    if (err)
        fprintf(stderr, "nilod: replay %u is not kept over a restart: the store %s\n",
                (unsigned)r->id, err_text(err));
}

static void *run(void *arg)
{
    struct running *k = (struct running *)arg;
    struct replays *all = k->all;
    struct replay ended;
    enum err err;

    pthread_setname_np(pthread_self(), "replay");
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux a thread's own */
    keep(k, k->r, false);               /* nobody but this thread writes there */
    k->drop = 0;
    err = judge_rehearsal_open(k->app, &k->wish.line, clock_now_s(&k->app->clock), &k->rehearsal);
    if (!err)
        err = look_at_all(k);
    judge_rehearsal_close(k->rehearsal);
    ended = *k->r;
    ended.state = state_after(k, err);
    ended.why = err;
    ended.ended_s = clock_now_s(&k->app->clock);
    keep(k, &ended, true); /* whoever is told that it is done finds it after a restart */
    pthread_mutex_lock(&all->lock);
    *k->r = ended;
    pthread_mutex_unlock(&all->lock);
    flag_records_done(&k->stands);
    free(k);
    return NULL;
}

/* ---- all of them ---- */

enum err replays_open(struct app *app, struct replays **out)
{
    struct replays *all = (struct replays *)calloc(1, sizeof *all);
    enum err err;

    if (!all)
        return ERR_NO_MEMORY;
    all->app = app;
    atomic_init(&all->stop, false);
    atomic_init(&all->closing, false);
    pthread_mutex_init(&all->lock, NULL);
    if ((err = replays_kept(app, all->at, &all->count))) {
        replays_close(all);
        return err;
    }
    if (all->count)
        all->last_id = all->at[all->count - 1].id;
    *out = all;
    return ERR_OK;
}

void replays_close(struct replays *all)
{
    if (!all)
        return;
    atomic_store(&all->closing, true);
    atomic_store(&all->stop, true);
    if (all->started)
        pthread_join(all->thread, NULL);
    for (size_t i = 0; i < all->count; i++)
        replay_forget(&all->at[i]);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static struct replay *new_lkd(struct replays *all, const struct replay_wish *wish,
                              uint32_t *out_drop)
{
    if (all->count == REPLAYS_KEPT) {
        *out_drop = all->at[0].id;
        replay_forget(&all->at[0]);
        memmove(all->at, all->at + 1, (REPLAYS_KEPT - 1) * sizeof *all->at);
        all->count--;
    }
    all->at[all->count] = (struct replay){ .id = ++all->last_id,
                                           .state = REPLAY_RUNNING,
                                           .wish = *wish,
                                           .begun_s = clock_now_s(&all->app->clock) };
    return &all->at[all->count++];
}

enum err replay_start(struct replays *all, const struct replay_wish *wish, uint32_t *out_id)
{
    struct running *k = (struct running *)calloc(1, sizeof *k);
    enum err err = k ? ERR_OK : ERR_NO_MEMORY;

    if (err)
        return err;
    pthread_mutex_lock(&all->lock);
    if (all->count && all->at[all->count - 1].state == REPLAY_RUNNING) {
        *out_id = all->at[all->count - 1].id;
        err = ERR_CONFLICT;
    }
    if (!err && all->started) /* it has said that it is done, and takes the lock no more */
        pthread_join(all->thread, NULL);
    all->started = err && all->started;
    if (!err) {
        k->all = all;
        k->app = all->app;
        k->wish = *wish;
        k->kind = detector_named(span_text(listed_rule(wish->line.rule)->name));
        k->r = new_lkd(all, wish, &k->drop);
        *out_id = k->r->id;
        atomic_store(&all->stop, false);
        if (pthread_create(&all->thread, NULL, run, k)) {
            all->count--;
            err = ERR_NO_MEMORY;
        } else {
            all->started = true;
        }
    }
    pthread_mutex_unlock(&all->lock);
    if (err)
        free(k);
    return err;
}

bool replay_stop(struct replays *all, uint32_t id)
{
    bool runs;

    pthread_mutex_lock(&all->lock);
    runs = all->count && all->at[all->count - 1].id == id &&
           all->at[all->count - 1].state == REPLAY_RUNNING;
    if (runs)
        atomic_store(&all->stop, true);
    pthread_mutex_unlock(&all->lock);
    return runs;
}

void replays_each(struct replays *all, bool (*each)(void *arg, const struct replay *r), void *arg)
{
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count && each(arg, &all->at[i]); i++)
        continue;
    pthread_mutex_unlock(&all->lock);
}
