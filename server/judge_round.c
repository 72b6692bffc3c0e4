#include "server/judge_round.h"

#include "server/spread.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define SLOTS 32       /* stretches that are judged ahead: longer than a commit takes */
#define RENEW_AFTER 16 /* stretches: then a desk lets go, so that pages can be written anew */

struct slot {
    bool judged;
    struct findings findings;
};

/* A desk, and how many stretches it has judged as of its transactions. */
struct place_at_desk {
    struct desk *desk;
    unsigned stretches;
};

struct judge_round {
    struct app *app;
    const struct judge_news *news;
    size_t count, stretches;
    int64_t now_s;
    struct place_at_desk own; /* the caller's */
    pthread_t threads[SPREAD_MOST];
    unsigned thread_count;
    pthread_mutex_t lock; /* what stands below */
    pthread_cond_t judged, room;
    size_t taken; /* stretches before it are judged, or being judged; */
    size_t given; /* those before it were handed out, */
    size_t done;  /* and those before it are not looked at any more: their slots are free */
    bool over;    /* nothing more is taken */
    size_t slot_count;
    struct slot *slots[SLOTS];
};

static struct slot *slot_of(struct judge_round *r, size_t stretch)
{
    return r->slots[stretch % r->slot_count];
}

static bool can_take_lkd(const struct judge_round *r)
{
    return !r->over && r->taken < r->stretches && r->taken < r->done + r->slot_count;
}

static enum err judge_stretch(struct judge_round *r, struct place_at_desk *p, size_t stretch,
                              struct findings *out)
{
    size_t at = stretch * STRETCH_METERS;
    size_t end = r->count - at > STRETCH_METERS ? at + STRETCH_METERS : r->count;
    enum err err = ERR_OK;

    findings_clear(out);
    if (!p->desk)
        err = desk_open(r->app, r->now_s, &p->desk);
    if (!err && p->stretches++ % RENEW_AFTER == 0)
        err = desk_begin(p->desk);
    for (; at < end && !err; at++) {
        assert(at == 0 || r->news[at].meter > r->news[at - 1].meter);
        err = desk_judge(p->desk, &r->news[at], out);
    }
    return err;
}

/* Takes the next stretch; lets go of the lock meanwhile. */
static void take_lkd(struct judge_round *r, struct place_at_desk *p)
{
    size_t stretch = r->taken++;
    struct slot *slot = slot_of(r, stretch);
    enum err err;

    pthread_mutex_unlock(&r->lock);
    err = judge_stretch(r, p, stretch, &slot->findings);
    pthread_mutex_lock(&r->lock);
    slot->findings.err = err;
    slot->judged = true;
    if (err) {
        r->over = true;
        pthread_cond_broadcast(&r->room);
    }
    pthread_cond_signal(&r->judged);
}

static void *work(void *arg)
{
    struct judge_round *r = (struct judge_round *)arg;
    struct place_at_desk p = { .desk = NULL };

    pthread_mutex_lock(&r->lock);
    while (!r->over && r->taken < r->stretches) {
        if (can_take_lkd(r))
            take_lkd(r, &p);
        else
            pthread_cond_wait(&r->room, &r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    desk_close(p.desk);
    return NULL;
}

static void start_threads(struct judge_round *r)
{
    size_t wanted = r->app->judges ? r->app->judges : spread_width();

    if (wanted > SPREAD_MOST)
        wanted = SPREAD_MOST;
    if (wanted > r->stretches)
        wanted = r->stretches;
    while (r->thread_count + 1 < wanted &&
           !pthread_create(&r->threads[r->thread_count], NULL, work, r))
        pthread_setname_np(r->threads[r->thread_count++], "judge");
}

enum err round_open(struct app *app, const struct judge_news *news, size_t count, int64_t now_s,
                    struct judge_round **out)
{
    struct judge_round *r = (struct judge_round *)calloc(1, sizeof *r);

    if (!r)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->judged, NULL);
    pthread_cond_init(&r->room, NULL);
    r->app = app;
    r->news = news;
    r->count = count;
    r->now_s = now_s;
    r->stretches = (count + STRETCH_METERS - 1) / STRETCH_METERS;
    while (r->slot_count < SLOTS && r->slot_count < r->stretches) {
        struct slot *slot = (struct slot *)calloc(1, sizeof *slot);

        if (!slot) {
            round_close(r);
            return ERR_NO_MEMORY;
        }
        r->slots[r->slot_count++] = slot;
    }
    start_threads(r);
    *out = r;
    return ERR_OK;
}

const struct findings *round_next(struct judge_round *r)
{
    struct slot *slot;

    pthread_mutex_lock(&r->lock);
    r->done = r->given;
    if (r->given == r->stretches) {
        pthread_mutex_unlock(&r->lock);
        return NULL;
    }
    pthread_cond_broadcast(&r->room);
    slot = slot_of(r, r->given++);
    while (!slot->judged) {
        if (can_take_lkd(r))
            take_lkd(r, &r->own);
        else
            pthread_cond_wait(&r->judged, &r->lock);
    }
    slot->judged = false;
    pthread_mutex_unlock(&r->lock);
    return &slot->findings;
}

void round_close(struct judge_round *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->over = true;
    pthread_cond_broadcast(&r->room);
    pthread_mutex_unlock(&r->lock);
    while (r->thread_count)
        pthread_join(r->threads[--r->thread_count], NULL);
    desk_close(r->own.desk);
    for (size_t i = 0; i < r->slot_count; i++) {
        findings_done(&r->slots[i]->findings);
        free(r->slots[i]);
    }
    pthread_cond_destroy(&r->room);
    pthread_cond_destroy(&r->judged);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
