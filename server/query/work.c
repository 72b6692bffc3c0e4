#include "server/query/work.h"

#include "server/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct worker {
    struct workers *of;
    pthread_t thread;
    int64_t since_ms; /* when its job began; 0: it has none */
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct work *first, **last;
    unsigned threads;
    bool stopping;
    struct worker worker[];
};

static struct work *take_lkd(struct workers *w)
{
    struct work *job;

    while (!w->first && !w->stopping)
        pthread_cond_wait(&w->more, &w->lock);
    if (!(job = w->first))
        return NULL;
    if (!(w->first = job->next))
        w->last = &w->first;
    return job;
}

static void *serve(void *arg)
{
    struct worker *self = (struct worker *)arg;
    struct workers *w = self->of;
    struct work *job;

    pthread_mutex_lock(&w->lock);
    while ((job = take_lkd(w))) {
        self->since_ms = clock_monotonic_ms();
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
        self->since_ms = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum err workers_open(const char *name, unsigned threads, struct workers **out)
{
    struct workers *w = (struct workers *)calloc(1, sizeof *w + threads * sizeof w->worker[0]);

    if (!w)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->last = &w->first;
    for (; w->threads < threads; w->threads++) {
        struct worker *next = &w->worker[w->threads];

        next->of = w;
        if (pthread_create(&next->thread, NULL, serve, next)) {
            workers_close(w);
            return ERR_NO_MEMORY;
        }
        pthread_setname_np(next->thread, name);
    }
    *out = w;
    return ERR_OK;
}

void workers_submit(struct workers *w, struct work *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->last = job;
    w->last = &job->next;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

int64_t workers_oldest_ms(struct workers *w)
{
    int64_t now_ms = clock_monotonic_ms(), oldest_ms = 0;

    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->threads; i++) {
        int64_t since_ms = w->worker[i].since_ms;

        if (since_ms && now_ms - since_ms > oldest_ms)
            oldest_ms = now_ms - since_ms;
    }
    pthread_mutex_unlock(&w->lock);
    return oldest_ms;
}

void workers_close(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join(w->worker[i].thread, NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
