/* The thread of notices, and what it is told. */
#include "server/notices_priv.h"

#include "storage/journal.h"
#include "storage/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define SENDER "notices"
#define NICE 15
#define LOOK_S 1      /* between looks at the clock */
#define SLICE 256     /* meters looked at between two acts */
#define MARK_MS 60000 /* between two writings of how far all was looked at */

/* ---- what was touched ---- */

static bool grow_lkd(struct notices *n, uint32_t meter)
{
    uint32_t words = (meter / 64 | 0x3ff) + 1;
    uint64_t *more = (uint64_t *)realloc(n->touched, words * sizeof *more);

    if (!more)
        return false;
    memset(more + n->words, 0, (words - n->words) * sizeof *more);
    n->touched = more;
    n->words = words;
    return true;
}

static void touch_lkd(struct notices *n, uint32_t meter)
{
    uint64_t bit = UINT64_C(1) << meter % 64;
    uint32_t word = meter / 64;

    if (word >= n->words && !grow_lkd(n, meter)) {
        fprintf(stderr, "nilod: no memory to look for notices at meter %u\n", (unsigned)meter);
        return;
    }
    n->count += !(n->touched[word] & bit);
    n->touched[word] |= bit;
    if (word < n->first)
        n->first = word;
}

void notices_touch(struct app *app, uint32_t meter)
{
    struct notices *n = app->notices;

    if (!n || !meter)
        return;
    pthread_mutex_lock(&n->lock);
    touch_lkd(n, meter);
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
}

/* Takes some of them. */
static size_t take(struct notices *n, uint32_t out[SLICE])
{
    size_t count = 0;

    pthread_mutex_lock(&n->lock);
    for (uint32_t w = n->first; w < n->words && n->count && count < SLICE; w++) {
        n->first = w;
        while (n->touched[w] && count < SLICE) {
            unsigned bit = (unsigned)__builtin_ctzll(n->touched[w]);

            n->touched[w] &= n->touched[w] - 1;
            n->count--;
            out[count++] = w * 64 + bit;
        }
    }
    if (!n->count)
        n->first = n->words;
    pthread_mutex_unlock(&n->lock);
    return count;
}

static void give_back(struct notices *n, const uint32_t *meters, size_t count)
{
    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < count; i++)
        touch_lkd(n, meters[i]);
    pthread_mutex_unlock(&n->lock);
}

/* ---- a turn ---- */

static enum err look_at_some(struct notices *n, bool *out_more)
{
    int64_t now_s = clock_now_s(&n->app->clock);
    struct notice_plans plans = { 0 };
    uint32_t meters[SLICE];
    size_t count = take(n, meters);
    enum err err = ERR_OK, one;

    *out_more = count > 0;
    for (size_t i = 0; i < count && !err; i++) {
        one = notices_look(n, meters[i], now_s, &plans);
        if (err_class(one) != ERR_CLASS_STORE) /* one meter's damage is not the others' */
            err = one;
    }
    if (!err)
        err = notices_do(n, &plans, now_s);
    free(plans.at);
    if (err)
        give_back(n, meters, count);
    return err;
}

static enum err seen_now(struct notices *n, struct notice_mark *out)
{
    struct txn t = views_read(n->app->views);

    out->folded = views_folded(&t);
    out->changes = views_changes(&t);
    return txn_end(&t);
}

/* All that was touched before views stood so has been looked at. */
static enum err mark(struct notices *n, const struct notice_mark *m)
{
    struct notice_mark known = { 0 };
    struct act a;
    struct txn t = ledger_read(n->app->ledger);
    bool same =
        ledger_notice_mark(&t, &known) && known.folded == m->folded && known.changes == m->changes;
    enum err err = txn_end(&t);

    n->marked_ms = clock_monotonic_ms();
    if (err || same)
        return err;
    a = act_join(n->app->ledger, SENDER, clock_now_s(&n->app->clock), journal_end(n->app->journal));
    act_put_notice_mark(&a, m);
    return act_end(&a);
}

static enum err turn(struct notices *n, bool may_mark)
{
    struct notice_mark now;
    bool more = true;
    enum err err;

    pthread_mutex_lock(&n->turn);
    err = seen_now(n, &now);
    while (!err && more && !n->app->stopping)
        err = look_at_some(n, &more);
    for (bool due = true; !err && due && !n->app->stopping;)
        err = notices_tell(n, clock_now_s(&n->app->clock), &due);
    if (!err && !n->app->stopping && may_mark)
        err = mark(n, &now);
    pthread_mutex_unlock(&n->turn);
    return err;
}

enum err notices_flush(struct app *app)
{
    return app->notices ? turn(app->notices, false) : ERR_OK;
}

/* ---- the thread ---- */

static bool wait_for_work(struct notices *n)
{
    struct timespec until;
    bool go_on;

    pthread_mutex_lock(&n->lock);
    if (!n->count && !n->stopping) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
        pthread_cond_timedwait(&n->wake, &n->lock, &until);
    }
    go_on = !n->stopping;
    pthread_mutex_unlock(&n->lock);
    return go_on;
}

static void *notices_run(void *arg)
{
    struct notices *n = (struct notices *)arg;

    pthread_setname_np(pthread_self(), "notices");
    setpriority(PRIO_PROCESS, 0, NICE);
    while (wait_for_work(n)) {
        enum err err = turn(n, clock_monotonic_ms() - n->marked_ms >= MARK_MS);

        if (err && err != n->said) /* once, not each second */
            fprintf(stderr, "nilod: notices wait: the store %s\n", err_text(err));
        n->said = err;
        if (err)
            nanosleep(&(struct timespec){ .tv_sec = LOOK_S }, NULL);
    }
    return NULL;
}

/* ---- beginning and end ---- */

/* Switched on and off are acts: cases are told that are raised after the first. */
static enum err switched(struct app *app, bool on, int64_t *out_since_s)
{
    struct txn t = ledger_read(app->ledger);
    int64_t since_s = ledger_notices_since(&t), now_s = clock_now_s(&app->clock);
    enum err err = txn_end(&t);
    struct act a;

    *out_since_s = since_s;
    if (err || on == (since_s != 0))
        return err;
    a = act_begin(app->ledger, SENDER, now_s, journal_end(app->journal));
    act_put_notices_since(&a, on ? now_s : 0);
    act_note(&a, on ? "notices.on" : "notices.off", span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0), span_of(NULL, 0));
    *out_since_s = on ? now_s : 0;
    return act_end(&a);
}

static enum err rules_load(const char *path, struct notice_rules *out, struct refusal *r)
{
    static char bytes[NOTICE_RULES_BYTES + 1];
    struct refusal why = { 0 };
    FILE *f;
    size_t len;
    bool whole;
    enum err err;

    if (!path) {
        notice_rules_builtin(out);
        return ERR_OK;
    }
    if (!(f = fopen(path, "rbe")))
        return refuse(r, ERR_NOT_FOUND, 0, "notice-rules", "%.120s: cannot be read", path);
    len = fread(bytes, 1, sizeof bytes, f);
    whole = !ferror(f);
    fclose(f);
    if (!whole)
        return refuse(r, ERR_IO, 0, "notice-rules", "%.120s: cannot be read", path);
    if ((err = notice_rules_read(out, span_of(bytes, len), &why)))
        return refuse(r, ERR_INVALID, why.offset, "notice-rules", "%.60s: %s", path, why.text);
    return err;
}

/* What an earlier process left: unless it had looked at all that views show, everything. */
static enum err touch_left(struct notices *n)
{
    struct notice_mark now, known;
    struct txn t = ledger_read(n->app->ledger);
    bool has = ledger_notice_mark(&t, &known);
    enum err err = txn_end(&t);

    if (err || (err = seen_now(n, &now)))
        return err;
    if (has && now.folded == known.folded && now.changes == known.changes)
        return ERR_OK;
    for (uint32_t meter = 1; meter <= registry_count(n->app->registry); meter++)
        touch_lkd(n, meter);
    return ERR_OK;
}

static enum err dir_fits(const char *dir, struct refusal *r)
{
    struct stat s;

    if (!dir || (strlen(dir) < 512 && stat(dir, &s) == 0 && S_ISDIR(s.st_mode)))
        return ERR_OK;
    return refuse(r, ERR_INVALID, 0, "notice-dir", "--notice-dir: %.120s is no folder", dir);
}

static void notices_free(struct notices *n)
{
    point_use_done(&n->use);
    pthread_mutex_destroy(&n->turn);
    pthread_mutex_destroy(&n->lock);
    pthread_cond_destroy(&n->wake);
    free(n->touched);
    free(n->looked);
    free(n);
}

enum err notices_open(struct app *app, const struct notices_options *o, struct notices **out,
                      struct refusal *r)
{
    struct notices *n;
    struct notice_rules rules;
    int64_t since_s;
    enum err err;

    *out = NULL;
    if ((err = rules_load(o->rules, &rules, r)) || (err = dir_fits(o->dir, r)))
        return err;
    if ((err = switched(app, o->on, &since_s)))
        return refuse(r, err, 0, "", "%.200s/ledger.mdb: %s", app->store, err_text(err));
    if (!o->on)
        return ERR_OK;
    if (!(n = (struct notices *)calloc(1, sizeof *n)))
        return ERR_NO_MEMORY;
    n->app = app;
    n->rules = rules;
    n->since_s = since_s;
    snprintf(n->dir, sizeof n->dir, "%s", o->dir ? o->dir : "");
    pthread_mutex_init(&n->turn, NULL);
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->wake, NULL);
    if ((err = touch_left(n))) {
        notices_free(n);
        return err;
    }
    app->flag_listeners |= FLAG_LISTENER_NOTICES;
    *out = n;
    return ERR_OK;
}

enum err notices_start(struct notices *n)
{
    if (!n)
        return ERR_OK;
    n->started = pthread_create(&n->thread, NULL, notices_run, n) == 0;
    return n->started ? ERR_OK : ERR_NO_MEMORY;
}

void notices_close(struct notices *n)
{
    struct notice_mark now;
    bool all;

    if (!n)
        return;
    pthread_mutex_lock(&n->lock);
    n->stopping = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    if (n->started)
        pthread_join(n->thread, NULL);
    /* Nobody judges any more: what views show is what was touched. */
    all = !n->count && !n->said && !seen_now(n, &now);
    if (n->started && all && mark(n, &now))
        fprintf(stderr, "nilod: the next start looks for notices at all meters once more\n");
    notices_free(n);
}
