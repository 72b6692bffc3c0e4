#include "server/query/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct work *first, **last;
    unsigned threads;
    bool stopping;
    pthread_t thread[];
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
    struct workers *w = (struct workers *)arg;
    struct work *job;

    pthread_mutex_lock(&w->lock);
    while ((job = take_lkd(w))) {
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum err workers_open(const char *name, unsigned threads, struct workers **out)
{
    struct workers *w = (struct workers *)calloc(1, sizeof *w + threads * sizeof w->thread[0]);

    if (!w)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->last = &w->first;
    for (; w->threads < threads; w->threads++) {
        if (pthread_create(&w->thread[w->threads], NULL, serve, w)) {
            workers_close(w);
            return ERR_NO_MEMORY;
        }
        pthread_setname_np(w->thread[w->threads], name);
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

void workers_close(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join(w->thread[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
