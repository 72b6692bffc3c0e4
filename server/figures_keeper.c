/* Closing by rule: from a day of the next month on, the month before is closed if nobody did so.  A thread looks once a second; `nilo settle` does the same, so that what is due by the clock
 * is done when it returns. */
#include "server/figures.h"

#include "server/registers.h"
#include "server/settler.h"
#include "storage/journal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define AGAIN_S 60 /* after one that failed */

struct figures_keeper {
    struct app *app;
    int32_t day;                   /* of the month */
    pthread_mutex_t lock, closing; /* closing: one looks at a time; taken first */
    pthread_cond_t wake;
    pthread_t thread;
    bool started, stopping;
    uint32_t done; /* the newest month that was found closed */
};

/* The month that ought to be closed by now; false: none, or it is known to be. */
static bool is_due(const struct figures_keeper *k, struct figure_month *out)
{
    const struct zone *z = &k->app->zone;
    struct civil now = zone_civil(z, clock_now_s(&k->app->clock));

    if (now.day < k->day || now.year < FIGURE_YEAR_LEAST || now.year > FIGURE_YEAR_MOST)
        return false;
    if (now.month == 1)
        figure_month_of(z, now.year - 1, 12, out);
    else
        figure_month_of(z, now.year, now.month - 1, out);
    return figure_month_number(out) > k->done;
}

/* Closed already, or nothing was there that it could tell of. */
static enum err needs_none(struct app *app, const struct figure_month *m, bool *out)
{
    struct txn t = ledger_read(app->ledger);
    struct ledger_month row;

    *out = ledger_month(&t, figure_month_number(m), &row) || ledger_last_id(&t, LIST_POINT) == 0;
    return txn_end(&t);
}

static enum err close_month(struct app *app, const struct figure_month *m)
{
    struct figures *f = NULL;
    struct ledger_month row;
    struct act act;
    char name[FIGURE_MONTH_SIZE];
    enum err err = settler_settle(app->settler);

    if (err || (err = figures_make(app, m, &f)))
        return err;
    act = act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    if (!act.txn.err && !ledger_month(&act.txn, figure_month_number(m), &row)) {
        figure_month_put(m, name);
        figures_freeze(&act, f, &row);
        act_note(&act, "figures.close", span_text(name), span_of(NULL, 0), span_of(NULL, 0),
                 span_text("by rule"));
    }
    err = act_end(&act);
    figures_free(f);
    return err;
}

enum err figures_keep(struct figures_keeper *k)
{
    struct figure_month m;
    bool none = false;
    enum err err = ERR_OK;

    if (!k)
        return ERR_OK;
    pthread_mutex_lock(&k->closing);
    if (is_due(k, &m)) {
        err = needs_none(k->app, &m, &none);
        if (!err && !none)
            err = close_month(k->app, &m);
        if (!err)
            k->done = figure_month_number(&m);
    }
    pthread_mutex_unlock(&k->closing);
    return err;
}

static void *keep(void *arg)
{
    struct figures_keeper *k = (struct figures_keeper *)arg;
    struct timespec look;
    enum err err = ERR_OK;

    pthread_setname_np(pthread_self(), "figures");
    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        pthread_mutex_unlock(&k->lock);
        if ((err = figures_keep(k)) && err != ERR_STOPPING)
            fprintf(stderr, "nilod: the month before cannot be closed: the store %s\n",
                    err_text(err));
        pthread_mutex_lock(&k->lock);
        clock_gettime(CLOCK_REALTIME, &look);
        look.tv_sec += err ? AGAIN_S : 1;
        if (!k->stopping)
            pthread_cond_timedwait(&k->wake, &k->lock, &look);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

enum err figures_keeper_start(struct app *app, int32_t day, struct figures_keeper **out)
{
    struct figures_keeper *k = (struct figures_keeper *)calloc(1, sizeof *k);

    if (!k)
        return ERR_NO_MEMORY;
    k->app = app;
    k->day = day;
    pthread_mutex_init(&k->lock, NULL);
    pthread_mutex_init(&k->closing, NULL);
    pthread_cond_init(&k->wake, NULL);
    k->started = pthread_create(&k->thread, NULL, keep, k) == 0;
    *out = k;
    return k->started ? ERR_OK : ERR_NO_MEMORY;
}

void figures_keeper_close(struct figures_keeper *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    if (k->started)
        pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->closing);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
