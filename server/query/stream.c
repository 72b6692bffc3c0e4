#include "server/query/stream.h"

#include "server/metrics.h"
#include "server/query/http.h"

#include <pthread.h>
#include <stdlib.h>

struct stream {
    struct work work; /* first: a job is its stream */
    const struct stream_host *host;
    void *arg;
    struct listing *
        listing; /* its slice is the filling thread's while there is one, and the listener's then */
    struct out wire;   /* the slice that goes out */
    size_t taken;      /* of it */
    bool over, cut;    /* what comes behind it */
    bool waited;       /* for the slice that comes next */
    int64_t window_ms; /* for slow readers: since when, and what was taken since */
    uint64_t window_bytes;

    pthread_mutex_t lock;
    bool filling, waiting, left;
};

/* ---- the thread that fills ---- */

static void fill(struct work *w)
{
    struct stream *s = (struct stream *)w;
    const struct stream_host *host = s->host;
    void *arg = s->arg;
    bool waiting, left;

    metrics_read_begin(clock_monotonic_ms());
    listing_more(s->listing);
    metrics_read_end();
    pthread_mutex_lock(&s->lock);
    s->filling = false;
    waiting = s->waiting;
    s->waiting = false;
    left = s->left;
    pthread_mutex_unlock(&s->lock); /* from here on all is the listener's, but what has been left */
    if (left)
        host->gone(arg);
    else if (waiting)
        host->wake(arg);
}

/* ---- the listener ---- */

struct stream *stream_new(struct listing *l, const struct stream_host *host, void *arg)
{
    struct stream *s = (struct stream *)calloc(1, sizeof *s);

    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    s->work.run = fill;
    s->host = host;
    s->arg = arg;
    s->listing = l;
    s->window_ms = clock_monotonic_ms();
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    out_done(&s->wire);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_filling(struct stream *s)
{
    bool is;

    pthread_mutex_lock(&s->lock);
    is = s->filling;
    pthread_mutex_unlock(&s->lock);
    return is;
}

/* Takes the slice that was filled, and has the next one filled in the place of the one that was taken. */
static void turn(struct stream *s)
{
    struct out spent = s->wire;

    s->wire = s->listing->out;
    s->listing->out = spent;
    s->taken = 0;
    s->cut = s->listing->err != ERR_OK;
    s->over = s->listing->closed;
    if (s->waited)
        s->window_ms = clock_monotonic_ms(); /* our time is not the reader's */
    s->waited = false;
    if (s->cut || s->over)
        return;
    s->filling = true; /* no other thread has it yet */
    if (!s->host->fill(s->arg, &s->work)) {
        s->filling = false;
        s->cut = true;
    }
}

static bool too_slow(struct stream *s)
{
    int64_t now_ms = clock_monotonic_ms();
    bool slow = false;

    if (now_ms - s->window_ms >= HTTP_SLOW_S * INT64_C(1000)) {
        slow = s->window_bytes < HTTP_SLOW_BYTES;
        s->window_ms = now_ms;
        s->window_bytes = 0;
    }
    return slow;
}

long stream_read(struct stream *s, char *to, size_t max)
{
    size_t len;

    while (s->taken == s->wire.len) {
        if (s->cut)
            return STREAM_CUT;
        if (s->over)
            return STREAM_END;
        if (is_filling(s))
            return STREAM_WAIT;
        turn(s);
    }
    if (too_slow(s))
        return STREAM_CUT;
    len = s->wire.len - s->taken < max ? s->wire.len - s->taken : max;
    memcpy(to, s->wire.at + s->taken, len);
    s->taken += len;
    s->window_bytes += len;
    return (long)len;
}

bool stream_wait(struct stream *s)
{
    bool waits;

    s->waited = true;
    pthread_mutex_lock(&s->lock);
    waits = s->waiting = s->filling;
    pthread_mutex_unlock(&s->lock);
    return waits;
}

void stream_leave(struct stream *s)
{
    bool filling;

    pthread_mutex_lock(&s->lock);
    filling = s->filling;
    s->left = true;
    pthread_mutex_unlock(&s->lock);
    if (!filling)
        s->host->gone(s->arg);
}
