#include "server/gateway/forbidden.h"

#include "server/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOTES 8 /* an act: a broken maker's batch is known by a few of its meters */
#define NAME_MAX_BYTES 32
#define NOTES_OF_ONE 3 /* of one identity, whatever it names: the others' are to be found as well */
#define PAUSE_FIRST_S 1 /* between acts; doubled while there is no end of it */
#define PAUSE_MOST_S 600

struct note {
    uint8_t identity_len, named_len;
    char identity[NAME_MAX_BYTES], named[NAME_MAX_BYTES];
};

struct notes {
    unsigned count;
    uint64_t more; /* that were only counted */
    struct note at[NOTES];
};

struct forbidden {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct notes waiting;
    unsigned pause_s;
    bool stopping;
};

static uint8_t put_name(char out[NAME_MAX_BYTES], struct span name)
{
    size_t len = name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES;

    if (len)
        memcpy(out, name.at, len);
    return (uint8_t)len;
}

void forbidden_note(struct forbidden *f, struct span identity, struct span named)
{
    struct note note = { 0 };
    struct notes *w = &f->waiting;
    unsigned of_one = 0;
    bool known = false;

    note.identity_len = put_name(note.identity, identity);
    note.named_len = put_name(note.named, named);
    pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < w->count; i++) { /* a meter that asks again and again is one note */
        known = known || memcmp(&w->at[i], &note, sizeof note) == 0;
        of_one += w->at[i].identity_len == note.identity_len &&
                  memcmp(w->at[i].identity, note.identity, sizeof note.identity) == 0;
    }
    if (known || of_one == NOTES_OF_ONE || w->count == NOTES) {
        w->more++;
        metrics_add(METRIC_COAPS_COUNTED, 1);
    } else {
        w->at[w->count++] = note;
        metrics_add(METRIC_COAPS_AUDITED, 1);
    }
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

static void write_notes(struct forbidden *f, const struct notes *n)
{
    struct app *app = f->app;
    struct act act =
        act_begin(app->ledger, "coaps", clock_now_s(&app->clock), journal_end(app->journal));
    const struct span none = { 0 };
    char more[80];
    enum err err;

    for (unsigned i = 0; i < n->count; i++) {
        const struct note *note = &n->at[i];

        act_note(&act, "coaps.forbidden", span_of(note->identity, note->identity_len), none,
                 span_of(note->named, note->named_len),
                 span_text("the report names another meter than the key proves"));
    }
    if (n->more) {
        snprintf(more, sizeof more, "%" PRIu64 " more of that kind", n->more);
        act_note(&act, "coaps.forbidden", none, none, none, span_text(more));
    }
    if ((err = act_end(&act)))
        fprintf(stderr,
                "nilod: coaps: %" PRIu64
                " reports named another meter than their key proves, and the audit: the store %s\n",
                n->count + n->more, err_text(err));
}

/* Until the next act may be written, or the end.  Whoever goes on for days gets some rows an hour, or
 * the ledger, which forgets nothing, would grow by millions. */
static void pause_lkd(struct forbidden *f)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += f->pause_s;
    while (!f->stopping && pthread_cond_timedwait(&f->wake, &f->lock, &until) == 0)
        continue;
    if (!f->waiting.count)
        f->pause_s = PAUSE_FIRST_S;
    else if ((f->pause_s *= 2) > PAUSE_MOST_S)
        f->pause_s = PAUSE_MOST_S;
}

static void *write_run(void *arg)
{
    struct forbidden *f = (struct forbidden *)arg;

    pthread_setname_np(pthread_self(), "coaps-audit");
    pthread_mutex_lock(&f->lock);
    while (f->waiting.count || !f->stopping) {
        struct notes notes = f->waiting;

        if (notes.count == 0) {
            pthread_cond_wait(&f->wake, &f->lock);
            continue;
        }
        f->waiting = (struct notes){ 0 };
        pthread_mutex_unlock(&f->lock);
        write_notes(f, &notes);
        pthread_mutex_lock(&f->lock);
        pause_lkd(f);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

enum err forbidden_new(struct app *app, struct forbidden **out)
{
    struct forbidden *f = (struct forbidden *)calloc(1, sizeof *f);
    pthread_condattr_t monotonic;

    if (!f)
        return ERR_NO_MEMORY;
    f->app = app;
    f->pause_s = PAUSE_FIRST_S;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&f->thread, NULL, write_run, f)) {
        pthread_cond_destroy(&f->wake);
        pthread_mutex_destroy(&f->lock);
        free(f);
        return ERR_NO_MEMORY;
    }
    *out = f;
    return ERR_OK;
}

void forbidden_free(struct forbidden *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
