/* The thread that sends. Of each hook one request is under way at most; all of them wait together in one poll.
 *
 *   turn:   hooks that changed are read again → each that is free and due looks for its next event, or for a dead letter that is wanted again, and begins its
 *           request → cursors that moved are written → wait → what ended is judged */
#include "server/hooks.h"

#include "server/hooks_post.h"
#include "server/lore.h"
#include "server/metrics.h"
#include "storage/journal.h"
#include "storage/secret.h"
#include "storage/store_key.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#define SENDER "hooks" /* in the audit */
#define NICE 10
#define LOOK_MS 200       /* between looks for new acts */
#define NONE_MS 60000     /* where nobody is to be told */
#define RECORDS_MOST 4096 /* looked at for one hook in one turn */
#define SAVE_MS 1000      /* between two writings of cursors while events go out … */
#define PASS_MS 10000     /* … and while nothing but others' records goes by */
#define NOT_YET_MS                                                                                 \
    60000 /* what an event is about shows within a settling; then it is told without */
#define SECRET_MAX 256

struct hook {
    uint32_t id, kinds;
    char name[HOOK_NAME_MAX + 1], url[HOOK_URL_MAX + 1], org[64];
    bool enabled, gone;
    uint8_t *secret;   /* secret_new */
    size_t secret_len; /* 0: it does not open */
    struct hook_cursor cursor;
    bool delivered, passed; /* since it was written */
    int64_t written_ms;
    int64_t failing_ms, next_ms, not_yet_ms;
    uint32_t failing_before_s; /* the streak's length when it was last read from the ledger */
    struct hook_event event;
    bool has_event, flying, aside; /* aside: the event is a dead letter's */
    bool again;                    /* there are dead letters to be tried again */
    struct hook_seen seen, shown;  /* shown: a copy for hooks_seen, under the lock */
};

struct hooks {
    struct app *app;
    hook_show *show;
    uint32_t give_up_s;
    struct post_box *box;
    pthread_t thread;
    bool started;
    _Atomic bool stopping, changed;
    pthread_mutex_t lock; /* the list, and what of each is shown */
    struct hook *at[HOOKS_MAX];
    size_t count;
    enum err said; /* the last failure that was logged */
};

/* ---- reading them ---- */

static void hook_free(struct hook *h)
{
    if (!h)
        return;
    secret_free(h->secret, SECRET_MAX);
    hook_event_done(&h->event);
    free(h);
}

static struct hook *by_id(struct hooks *all, uint32_t id)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->id == id)
            return all->at[i];
    return NULL;
}

static void open_secret(struct hooks *all, struct hook *h, struct span sealed)
{
    uint8_t place[HOOK_PLACE_SIZE], was[SECRET_MAX];
    size_t was_len = h->secret_len;

    hook_secret_place(h->id, place);
    memcpy(was, h->secret, sizeof was);
    h->secret_len = 0;
    if (all->app->store_key && store_key_unseal(all->app->store_key, span_of(place, sizeof place),
                                                sealed, h->secret, SECRET_MAX, &h->secret_len))
        h->secret_len = 0;
    if (h->secret_len != was_len || memcmp(was, h->secret, was_len) != 0)
        h->next_ms = 0; /* it may have failed for that */
    secret_wipe(was, sizeof was);
    if (h->secret_len)
        h->seen.last_why[0] = h->seen.last_status ? h->seen.last_why[0] : 0;
    else
        snprintf(h->seen.last_why, sizeof h->seen.last_why,
                 "its secret was sealed under another store key: give it again");
}

static struct hook *hook_new(struct hooks *all, struct txn *t, uint32_t id)
{
    struct hook *h = (struct hook *)calloc(1, sizeof *h);

    if (!h || !(h->secret = (uint8_t *)secret_new(SECRET_MAX))) {
        free(h);
        return NULL;
    }
    h->id = id;
    (void)ledger_hook_cursor(t, id, &h->cursor); /* none: from the first act, or t->err */
    h->failing_before_s = h->cursor.failing_for_s;
    h->failing_ms = clock_monotonic_ms();
    all->at[all->count++] = h;
    return h;
}

struct reading {
    struct hooks *all;
    struct txn *txn;
    enum err err;
};

static bool want_again(void *arg, const struct hook_dead *d)
{
    *(bool *)arg = d->again;
    return !d->again;
}

static bool read_hook(void *arg, const struct ledger_hook *row)
{
    struct reading *r = (struct reading *)arg;
    struct hook *h = by_id(r->all, row->id);
    char url[HOOK_URL_MAX + 1];

    if (!h && (r->all->count == HOOKS_MAX || !(h = hook_new(r->all, r->txn, row->id)))) {
        r->err = r->all->count == HOOKS_MAX ? ERR_LIMIT : ERR_NO_MEMORY;
        return false;
    }
    text_cut(url, sizeof url, row->url);
    if (strcmp(url, h->url) != 0 || h->enabled != row->enabled)
        h->next_ms = 0; /* somebody did something about it */
    h->gone = false;
    if (!h->flying && (h->kinds != row->kinds || !span_equal(row->org, span_text(h->org)))) {
        hook_event_done(&h->event); /* it may be none of theirs now */
        h->has_event = h->aside = false;
    }
    h->kinds = row->kinds;
    h->enabled = row->enabled;
    memcpy(h->url, url, sizeof url);
    text_cut(h->name, sizeof h->name, row->name);
    text_cut(h->org, sizeof h->org, row->org);
    open_secret(r->all, h, row->sealed);
    return true;
}

static void drop_gone(struct hooks *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct hook *h = all->at[i];

        if (!h->gone) {
            all->at[kept++] = h;
            continue;
        }
        post_drop(all->box, h);
        hook_free(h);
    }
    all->count = kept;
}

/* After an error nobody is dropped, what is listened to stays, and the next turn tries again. */
static enum err reload(struct hooks *all)
{
    struct txn t = ledger_read(all->app->ledger);
    struct reading r = { .all = all, .txn = &t };
    uint32_t kinds = 0;
    enum err err, ended;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++)
        all->at[i]->gone = true;
    err = ledger_hooks(&t, read_hook, &r);
    err = err ? err : r.err;
    for (size_t i = 0; i < all->count && !err; i++) {
        struct hook *h = all->at[i];

        if (h->gone)
            continue;
        h->again = false;
        err = ledger_hook_deads(&t, h->id, (struct hook_place){ 0 }, want_again, &h->again);
        kinds |= h->enabled ? h->kinds : 0;
    }
    if (!err)
        drop_gone(all);
    pthread_mutex_unlock(&all->lock);
    ended = txn_end(&t);
    if (err || ended) {
        all->changed = true;
        return err ? err : ended;
    }
    metrics_set(METRIC_HOOKS, all->count);
    all->app->hook_kinds = kinds;
    if (kinds & 1u << HOOK_FLAG)
        all->app->flag_listeners |= FLAG_LISTENER_HOOK;
    else
        all->app->flag_listeners &= ~FLAG_LISTENER_HOOK;
    return ERR_OK;
}

/* ---- writing ---- */

static uint32_t failing_for_s(const struct hook *h)
{
    int64_t ms = clock_monotonic_ms() - h->failing_ms;

    return h->cursor.failing_since_s ? h->failing_before_s + (uint32_t)(ms / 1000) : 0;
}

static void put_cursor(struct act *act, struct hook *h)
{
    struct ledger_hook row;

    h->cursor.failing_for_s = failing_for_s(h);
    if (ledger_hook(&act->txn, span_text(h->name), &row) && row.id == h->id)
        act_put_hook_cursor(act, h->id, &h->cursor);
}

static struct act sender_act(struct hooks *all)
{
    return act_join(all->app->ledger, SENDER, clock_now_s(&all->app->clock),
                    journal_end(all->app->journal));
}

static void written(struct hook *h)
{
    h->delivered = h->passed = false;
    h->written_ms = clock_monotonic_ms();
}

static bool is_to_write(const struct hook *h, bool all_of_it)
{
    int64_t since_ms = clock_monotonic_ms() - h->written_ms;

    return (h->delivered && (all_of_it || since_ms >= SAVE_MS)) ||
           (h->passed && (all_of_it || since_ms >= PASS_MS));
}

static enum err write_cursors(struct hooks *all, bool all_of_it)
{
    struct act act;
    bool any = false;
    enum err err;

    for (size_t i = 0; i < all->count; i++)
        any = any || is_to_write(all->at[i], all_of_it);
    if (!any)
        return ERR_OK;
    act = sender_act(all);
    for (size_t i = 0; i < all->count && !act.txn.err; i++)
        if (all->at[i]->delivered || all->at[i]->passed)
            put_cursor(&act, all->at[i]);
    if ((err = act_end(&act)))
        return err;
    for (size_t i = 0; i < all->count; i++)
        written(all->at[i]);
    return ERR_OK;
}

static void note_dead(struct act *act, const char *what, const struct hook *h,
                      const struct hook_dead *d)
{
    char told[128], id[HOOK_ID_SIZE];

    hook_event_id(d->at, id);
    snprintf(told, sizeof told, "{\"id\":\"%s\",\"kind\":\"%s\",\"attempts\":%u,\"status\":%u}", id,
             d->kind, (unsigned)d->attempts, (unsigned)d->status);
    act_note(act, what, span_text(h->name), span_of(NULL, 0), span_text(told), span_text(d->why));
}

/* It steps aside, and the cursor goes on behind it. */
static enum err bury(struct hooks *all, struct hook *h)
{
    struct act act = sender_act(all);
    struct hook_cursor cursor = h->cursor;
    struct hook_dead d = { .at = h->event.at,
                           .since_s = act.now_s,
                           .tried_s = act.now_s,
                           .attempts = h->event.attempts,
                           .status = (uint16_t)h->seen.last_status };
    struct ledger_hook row;
    enum err err;

    snprintf(d.kind, sizeof d.kind, "%s", hook_kind_name(h->event.kind));
    snprintf(d.why, sizeof d.why, "%s", h->seen.last_why);
    h->cursor.at = h->event.at;
    if (ledger_hook(&act.txn, span_text(h->name), &row) && row.id == h->id) {
        act_put_hook_dead(&act, h->id, &d);
        note_dead(&act, "hook.dead", h, &d);
        put_cursor(&act, h);
    }
    if ((err = act_end(&act))) {
        h->cursor = cursor;
        return err;
    }
    written(h);
    h->has_event = false;
    metrics_add(METRIC_HOOK_DEAD, 1);
    return ERR_OK;
}

/* What became of a dead letter that was to be tried again: "hook.dead" as before, or it is gone. */
static enum err judge_aside(struct hooks *all, struct hook *h, const char *what)
{
    struct act act = sender_act(all);
    bool gone = strcmp(what, "hook.dead") != 0;
    struct hook_dead d;
    enum err err;

    if (ledger_hook_dead(&act.txn, h->id, h->event.at, &d)) {
        d.again = false;
        d.tried_s = act.now_s;
        d.attempts++;
        d.status = (uint16_t)h->seen.last_status;
        snprintf(d.why, sizeof d.why, "%s", h->seen.last_why);
        if (gone)
            act_drop_hook_dead(&act, h->id, d.at);
        else
            act_put_hook_dead(&act, h->id, &d);
        note_dead(&act, what, h, &d);
    }
    if ((err = act_end(&act)))
        return err;
    h->has_event = h->aside = false;
    all->changed = true; /* others may wait for the same */
    return ERR_OK;
}

/* ---- sending ---- */

static struct hook_listener listener_of(const struct hook *h)
{
    return (struct hook_listener){ .kinds = h->kinds, .name = h->name, .org = h->org };
}

static bool first_again(void *arg, const struct hook_dead *d)
{
    struct hook_dead *out = (struct hook_dead *)arg;

    *out = *d;
    return !d->again;
}

static enum err find_again(struct hooks *all, struct hook *h)
{
    struct hook_listener who = listener_of(h);
    struct txn t = ledger_read(all->app->ledger);
    struct hook_dead d = { 0 };
    bool found = false;
    enum err err = ledger_hook_deads(&t, h->id, (struct hook_place){ 0 }, first_again, &d), ended;

    who.kinds = UINT32_MAX; /* it was wanted when it died */
    if (!err && d.again)
        err = hook_event_at(&t, &who, d.at, &h->event, &found);
    ended = txn_end(&t);
    h->has_event = h->aside = found;
    h->again = h->again && found;
    return err ? err : ended;
}

static enum err find_next(struct hooks *all, struct hook *h, bool *out_more)
{
    const struct hook_listener who = listener_of(h);
    struct txn t = ledger_read(all->app->ledger);
    struct hook_place at = h->cursor.at;
    enum err err = hook_event_next(&t, &who, &at, RECORDS_MOST, &h->event, &h->has_event, out_more),
             ended = txn_end(&t);

    if (err || ended)
        return err ? err : ended;
    if (at.act != h->cursor.at.act || at.part != h->cursor.at.part) {
        h->cursor.at = at;
        h->passed = true;
    }
    return ERR_OK;
}

/* Passes over an event that is none for this hook (any more). */
static enum err pass(struct hooks *all, struct hook *h)
{
    if (h->aside)
        return judge_aside(all, h, "hook.passed");
    h->cursor.at = h->event.at;
    h->passed = true;
    h->has_event = false;
    return ERR_OK;
}

static enum err send_event(struct hooks *all, struct hook *h)
{
    char kind[64], id[64], stamp[64], signature[128], number[24], sign[HOOK_SIGNATURE_SIZE];
    const char *headers[] = {
        "Content-Type: application/json; charset=utf-8", kind, id, stamp, signature, NULL
    };
    const struct span body = span_of(h->event.body.at, h->event.body.len);
    char text[HOOK_ID_SIZE];
    enum err err;

    snprintf(number, sizeof number, "%lld", (long long)clock_machine_s());
    hook_sign(span_of(h->secret, h->secret_len), number, body, sign);
    hook_event_id(h->event.at, text);
    snprintf(kind, sizeof kind, "Nilometer-Event: %s", hook_kind_name(h->event.kind));
    snprintf(id, sizeof id, "Nilometer-Id: %s", text);
    snprintf(stamp, sizeof stamp, "Nilometer-Timestamp: %s", number);
    snprintf(signature, sizeof signature, "Nilometer-Signature: %s", sign);
    if ((err = post_begin(all->box, h->url, headers, body, h)))
        return err;
    h->flying = true;
    return ERR_OK;
}

/* What an event is about may not show yet; that is no failure of the receiver. */
static enum err show_event(struct hooks *all, struct hook *h, bool *out_ready)
{
    const struct hook_listener who = listener_of(h);
    int64_t now_ms = clock_monotonic_ms();
    bool anyway = h->not_yet_ms && now_ms - h->not_yet_ms >= NOT_YET_MS;
    enum hook_shown shown;
    enum err err = hook_event_show(all->app, all->show, &who, anyway, &h->event, &shown);

    *out_ready = !err && shown == HOOK_SHOWN;
    if (!err && shown == HOOK_NOT_THEIRS)
        err = pass(all, h);
    if (err || shown != HOOK_NOT_YET)
        h->not_yet_ms = 0;
    else if (!h->not_yet_ms)
        h->not_yet_ms = now_ms;
    return err;
}

static int until(const struct hook *h, int64_t now_ms)
{
    return h->next_ms - now_ms < NONE_MS ? (int)(h->next_ms - now_ms) + 1 : NONE_MS;
}

/* One hook's part of a turn; *out_ms: when it wants the next one at the latest. */
static enum err serve(struct hooks *all, struct hook *h, int *out_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    bool more = false, ready = true, had;
    enum err err = ERR_OK;

    *out_ms = LOOK_MS;
    if (!h->enabled || h->flying || !h->secret_len)
        return ERR_OK;
    if (h->again && !h->aside && (err = find_again(all, h)))
        return err;
    if (!h->aside && h->next_ms > now_ms) {
        *out_ms = until(h, now_ms);
        return ERR_OK;
    }
    if (!h->has_event && (err = find_next(all, h, &more)))
        return err;
    had = h->has_event;
    if (had && !h->event.body.len)
        err = show_event(all, h, &ready);
    if (!err && h->has_event && ready)
        return send_event(all, h);
    if (!err && (more || (had && !h->has_event)))
        *out_ms = 0;
    return err;
}

/* ---- judging ---- */

static uint32_t chance(void)
{
    uint32_t random = 0;

    return getrandom(&random, sizeof random, 0) == sizeof random ? random : 0;
}

static void succeeded(struct hook *h)
{
    h->cursor.fails = 0;
    h->cursor.failing_since_s = 0;
    h->cursor.failing_for_s = h->failing_before_s = 0;
    h->next_ms = 0;
    metrics_add(METRIC_HOOK_DELIVERED, 1);
}

static enum err failed(struct hooks *all, struct hook *h)
{
    int64_t now_ms = clock_monotonic_ms(), delay_ms, left_ms;

    if (!h->cursor.failing_since_s) {
        h->cursor.failing_since_s = h->seen.last_at_s;
        h->failing_before_s = 0;
        h->failing_ms = now_ms;
    }
    h->cursor.fails++;
    h->event.attempts++;
    h->delivered = true; /* to be written soon */
    delay_ms = hook_delay_ms(h->cursor.fails, chance());
    left_ms = ((int64_t)all->give_up_s - failing_for_s(h)) * 1000;
    metrics_add(METRIC_HOOK_FAILED, 1);
    h->next_ms = now_ms + delay_ms;
    if (left_ms <= 0)
        return bury(all, h);
    if (left_ms < delay_ms)
        h->next_ms = now_ms + left_ms;
    return ERR_OK;
}

static void see(struct hooks *all, struct hook *h, const struct post_end *end)
{
    const char *why = end->status / 100 == 2   ? ""
                      : end->status / 100 == 3 ? "the answer is a redirect, which nobody follows"
                      : end->status            ? "the answer has that status"
                                               : end->why;

    h->seen.last_at_s = clock_now_s(&all->app->clock);
    h->seen.last_status = end->status;
    snprintf(h->seen.last_why, sizeof h->seen.last_why, "%s", why);
}

static enum err judge(struct hooks *all, const struct post_end *end)
{
    struct hook *h = (struct hook *)end->arg;
    bool delivered = end->status / 100 == 2;

    h->flying = false;
    see(all, h, end);
    if (delivered)
        succeeded(h);
    if (h->aside)
        return judge_aside(all, h, delivered ? "hook.revived" : "hook.dead");
    if (!delivered)
        return failed(all, h);
    h->cursor.at = h->event.at;
    h->delivered = true;
    h->has_event = false;
    return ERR_OK;
}

/* ---- the thread ---- */

/* Once, not each time. */
static void report(struct hooks *all, enum err err)
{
    if (err && err != all->said)
        fprintf(stderr, "nilod: events for webhooks wait: the store %s\n", err_text(err));
    all->said = err;
}

static void publish(struct hooks *all)
{
    size_t failing = 0;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->count; i++) {
        struct hook *h = all->at[i];

        h->shown = h->seen;
        h->shown.cursor = h->cursor;
        h->shown.cursor.failing_for_s = failing_for_s(h);
        failing += h->cursor.failing_since_s != 0;
    }
    pthread_mutex_unlock(&all->lock);
    metrics_set(METRIC_HOOKS_FAILING, failing);
}

/* Returns how long there is nothing to do, in ms. */
static int turn(struct hooks *all)
{
    bool flying = false, delivered = false;
    int wait_ms = NONE_MS, ms;
    enum err err = ERR_OK, one;

    if (all->changed) {
        all->changed = false;
        err = reload(all);
    }
    for (size_t i = 0; i < all->count; i++) {
        struct hook *h = all->at[i];

        one = serve(all, h, &ms);
        err = err ? err : one;
        if (h->enabled && ms < wait_ms)
            wait_ms = ms;
        flying = flying || h->flying;
        delivered = delivered || h->delivered;
    }
    one = write_cursors(all, delivered && !flying && wait_ms > 0);
    err = err ? err : one;
    report(all, err);
    publish(all);
    return err && wait_ms < LOOK_MS ? LOOK_MS : wait_ms;
}

static void *hooks_run(void *arg)
{
    struct hooks *all = (struct hooks *)arg;
    struct post_end end;

    pthread_setname_np(pthread_self(), "hooks");
    setpriority(PRIO_PROCESS, 0, NICE);
    while (!all->stopping) {
        int wait_ms = turn(all);
        bool any = false;

        while (post_next(all->box, &end)) {
            any = true;
            report(all, judge(all, &end));
        }
        if (!any && !all->stopping)
            post_wait(all->box, wait_ms);
    }
    report(all, write_cursors(all, true));
    return NULL;
}

void hooks_changed(struct app *app)
{
    if (!app->hooks)
        return;
    app->hooks->changed = true;
    post_wake(app->hooks->box);
}

bool hooks_seen(struct hooks *all, uint32_t id, struct hook_seen *out)
{
    const struct hook *h;

    if (!all)
        return false;
    pthread_mutex_lock(&all->lock);
    if ((h = by_id(all, id))) {
        *out = h->shown;
    }
    pthread_mutex_unlock(&all->lock);
    return h != NULL;
}

enum err hooks_open(struct app *app, struct hooks **out, struct refusal *r)
{
    struct hooks *all = (struct hooks *)calloc(1, sizeof *all);
    enum err err = all ? post_open(&all->box) : ERR_NO_MEMORY;

    if (err) {
        free(all);
        return err;
    }
    all->app = app;
    pthread_mutex_init(&all->lock, NULL);
    *out = all;
    if ((err = reload(all)))
        return refuse(r, err, 0, "", "%.200s/ledger.mdb: webhooks cannot be read: it %s",
                      app->store, err_text(err));
    return ERR_OK;
}

enum err hooks_start(struct hooks *all, hook_show *show, uint32_t give_up_s)
{
    all->show = show;
    all->give_up_s = give_up_s;
    all->started = pthread_create(&all->thread, NULL, hooks_run, all) == 0;
    return all->started ? ERR_OK : ERR_NO_MEMORY;
}

void hooks_close(struct hooks *all)
{
    if (!all)
        return;
    all->stopping = true;
    post_wake(all->box);
    if (all->started)
        pthread_join(all->thread, NULL);
    post_close(all->box);
    for (size_t i = 0; i < all->count; i++)
        hook_free(all->at[i]);
    pthread_mutex_destroy(&all->lock);
    free(all);
}
