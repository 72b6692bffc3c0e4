/* Surveys that are kept, and given again. */
#include "server/survey_priv.h"

#include <pthread.h>
#include <stdlib.h>

#define DAY_S 86400
#define KEPT 16           /* surveys; the oldest that nobody holds makes room */
#define KEPT_QUIET_S 900  /* how long one is given again while nothing was written */
#define KEPT_LONG_MS 1000 /* one that took longer is given again whatever was written, … */
#define KEPT_TIMES 20     /* … for so many times as long as it took */

struct surveys {
    pthread_mutex_t lock;
    pthread_cond_t made;
    bool making; /* one at a time: they read all there is */
    struct survey *kept[KEPT];
};

enum err surveys_new(struct surveys **out)
{
    struct surveys *s = (struct surveys *)calloc(1, sizeof *s);

    if (!s)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->made, NULL);
    *out = s;
    return ERR_OK;
}

void surveys_free(struct surveys *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < KEPT; i++)
        survey_free(s->kept[i]);
    pthread_cond_destroy(&s->made);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool same_wish(const struct survey_wish *a, const struct survey_wish *b)
{
    return a->by == b->by && a->survival == b->survival && a->from_day == b->from_day &&
           a->to_day == b->to_day && strcmp(a->model, b->model) == 0 &&
           strcmp(a->supplier, b->supplier) == 0 && strcmp(a->org, b->org) == 0;
}

static bool still_good(struct app *app, const struct survey *v, uint64_t acts)
{
    int64_t age_s = clock_now_s(&app->clock) - v->until_s;
    int64_t age_ms = clock_monotonic_ms() - v->made_ms;

    if (v->took_ms > KEPT_LONG_MS && age_s < DAY_S && age_ms < KEPT_TIMES * v->took_ms)
        return true;
    return v->acts == acts && age_s >= 0 && age_s < KEPT_QUIET_S;
}

static struct survey *find_lkd(struct surveys *s, struct app *app, const struct survey_wish *wish,
                               uint64_t acts)
{
    for (size_t i = 0; i < KEPT; i++)
        if (s->kept[i] && same_wish(&s->kept[i]->wish, wish) && still_good(app, s->kept[i], acts))
            return s->kept[i];
    return NULL;
}

/* Into a free place, else that of the oldest that nobody holds; without one it is not kept. */
static void keep_lkd(struct surveys *s, struct survey *v)
{
    struct survey **place = NULL;

    for (size_t i = 0; i < KEPT && (!place || *place); i++) {
        struct survey **at = &s->kept[i];

        if (!*at || (!(*at)->holders && (!place || (*at)->made_ms < (*place)->made_ms)))
            place = at;
    }
    if (!place)
        return;
    survey_free(*place);
    *place = v;
}

/* The ledger's newest act. */
static enum err acts_now(struct app *app, uint64_t *out)
{
    struct txn t = ledger_read(app->ledger);

    *out = ledger_end(&t);
    return txn_end(&t);
}

enum err surveys_take(struct app *app, const struct survey_wish *wish, const struct survey **out)
{
    struct surveys *s = app->surveys;
    struct survey *v = NULL;
    uint64_t acts;
    int64_t began_ms;
    enum err err = acts_now(app, &acts);

    if (err)
        return err;
    pthread_mutex_lock(&s->lock);
    while (!(v = find_lkd(s, app, wish, acts)) && s->making)
        pthread_cond_wait(&s->made, &s->lock);
    s->making = s->making || !v;
    if (v)
        v->holders++;
    pthread_mutex_unlock(&s->lock);
    if (v) {
        *out = v;
        return ERR_OK;
    }
    began_ms = clock_monotonic_ms();
    err = survey_make(app, wish, &v);
    pthread_mutex_lock(&s->lock);
    s->making = false;
    if (!err) {
        v->made_ms = clock_monotonic_ms();
        v->took_ms = v->made_ms - began_ms;
        v->holders = 1;
        keep_lkd(s, v);
        *out = v;
    }
    pthread_cond_broadcast(&s->made);
    pthread_mutex_unlock(&s->lock);
    return err;
}

void survey_give_back(struct app *app, const struct survey *given)
{
    struct surveys *s = app->surveys;
    struct survey *v = (struct survey *)given;
    bool kept = false;

    if (!v)
        return;
    pthread_mutex_lock(&s->lock);
    v->holders--;
    for (size_t i = 0; i < KEPT; i++)
        kept = kept || s->kept[i] == v;
    kept = kept || v->holders;
    pthread_mutex_unlock(&s->lock);
    if (!kept)
        survey_free(v);
}
