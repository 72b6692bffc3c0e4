/* The courier: writes into the ledger what happened to commands, all that waits as one act; and what
 * is due by the clock: what has expired, and requests for history that come again.  Beside it the
 * settling thread, which finds in settled frames what a crash kept from being written. */
#include "server/commands_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COURIER "nilometer" /* in the audit */
#define LOOK_MS 1000        /* between looks at the clock */
#define PAUSE_MS 20         /* between two acts: what happens meanwhile goes together */

/* ---- what is due by the clock ---- */

static void expire_lkd(struct commands_memory *m, struct pending *p, int64_t now_s)
{
    const struct command_event e = {
        .meter = p->meter, .id = p->id, .kind = COMMAND_EVENT_EXPIRED, .at_s = (uint32_t)now_s
    };

    event_happen_lkd(m, p, &e);
}

static void due_in_bucket_lkd(struct commands_memory *m, size_t bucket, int64_t now_s)
{
    struct pending *next;

    for (struct pending *p = m->buckets[bucket]; p; p = next) {
        bool ended = command_ended((enum command_state)p->state);
        uint32_t at_s = ended ? p->retry_s : p->expires_s;

        next = p->next;
        if (now_s < at_s)
            m->next_due_s = at_s < m->next_due_s ? at_s : m->next_due_s;
        else if (!ended)
            expire_lkd(m, p, now_s);
        else if (bucket < m->again_bucket)
            m->again_bucket = bucket;
    }
}

void breathe_lkd(struct commands_memory *m)
{
    /* Let go alone would not do: the lock goes to who asks first, and that would be us. */
    const struct timespec moment = { .tv_nsec = 50000 };

    pthread_mutex_unlock(&m->lock);
    nanosleep(&moment, NULL);
    pthread_mutex_lock(&m->lock);
}

/* All of them are looked at only when the earliest is due. Where the table grows meanwhile, what was
 * not looked at lies further on still. */
static void due_lkd(struct commands_memory *m, int64_t now_s)
{
    if (now_s < m->next_due_s)
        return;
    m->next_due_s = UINT32_MAX;
    for (size_t i = 0; i < m->bucket_count; i++) {
        if (i && i % BUCKETS_AT_ONCE == 0)
            breathe_lkd(m);
        due_in_bucket_lkd(m, i, now_s);
    }
}

/* ---- writing ---- */

static void write_event(struct act *act, const struct command_event *e)
{
    struct command_row row;

    if (ledger_command(&act->txn, e->meter, e->id, &row) && command_apply(&row, e))
        act_command_put(act, &row, command_event_name(e->kind), command_lives(&row));
}

static enum err write_events(struct commands_memory *m, int64_t now_s)
{
    struct app *app = m->app;
    struct act act;

    if (m->writing.count == 0)
        return ERR_OK;
    act = act_begin(app->ledger, COURIER, now_s, journal_end(app->journal));
    for (size_t i = 0; i < m->writing.count && !act.txn.err; i++)
        write_event(&act, &m->writing.at[i]);
    return act_end(&act);
}

/* What could not be written stays, and is written with what comes. */
static void take_queue_lkd(struct commands_memory *m)
{
    struct event_list *w = &m->writing, *q = &m->queue;
    size_t count = w->count + q->count;

    if (w->count == 0) {
        struct event_list swap = *w;

        *w = *q;
        *q = swap;
        return;
    }
    if (w->cap < count) {
        struct command_event *more = (struct command_event *)realloc(w->at, count * sizeof *more);

        if (!more)
            return; /* the next turn tries again */
        w->at = more;
        w->cap = count;
    }
    if (q->count)
        memcpy(w->at + w->count, q->at, q->count * sizeof *q->at);
    w->count = count;
    q->count = 0;
}

static enum err write_lkd(struct commands_memory *m, int64_t now_s, bool *out_more)
{
    enum err err = review_turn(m, now_s, out_more);

    if (err)
        return err;
    pthread_mutex_lock(&m->lock);
    due_lkd(m, now_s);
    take_queue_lkd(m);
    pthread_mutex_unlock(&m->lock);
    if (!(err = write_events(m, now_s))) {
        pthread_mutex_lock(&m->lock);
        m->writing.count = 0;
        pthread_mutex_unlock(&m->lock);
    }
    return err;
}

/* *out_more: there is more to look at, or to ask for. */
static enum err turn(struct commands_memory *m, bool ask, bool *out_more)
{
    bool asks = false;
    int64_t now_s;
    enum err err;

    *out_more = false;
    pthread_mutex_lock(&m->turn);
    /* Not before: who waited with an older hour would walk past what the last turn found due. */
    now_s = clock_now_s(&m->app->clock);
    err = write_lkd(m, now_s, out_more);
    if (!err && ask)
        err = gaps_turn(m, now_s, &asks);
    *out_more = *out_more || asks;
    pthread_mutex_unlock(&m->turn);
    return err;
}

enum err commands_flush(struct commands *c)
{
    bool more = true;
    enum err err = ERR_OK;

    while (more && !err)
        err = turn(c->memory, true, &more);
    return err;
}

/* ---- the thread ---- */

static void wait_ms(struct commands_memory *m, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec / 1000000 + ms) / 1000;
    until.tv_nsec = (until.tv_nsec / 1000000 + ms) % 1000 * 1000000;
    pthread_cond_timedwait(&m->wake, &m->lock, &until);
}

/* False: stop. */
static bool wait_for_work(struct commands_memory *m)
{
    bool go_on;

    pthread_mutex_lock(&m->lock);
    if (!m->awake && !m->stopping)
        wait_ms(m, LOOK_MS);
    if (m->awake && !m->stopping) {
        int64_t until_ms = clock_monotonic_ms() + PAUSE_MS, left;

        while (!m->stopping && (left = until_ms - clock_monotonic_ms()) > 0)
            wait_ms(m, left);
    }
    m->awake = false;
    go_on = !m->stopping;
    pthread_mutex_unlock(&m->lock);
    return go_on;
}

/* Between two acts others have their turn: settling, for one. */
static void go_on(struct commands_memory *m)
{
    pthread_mutex_lock(&m->lock);
    m->awake = true;
    pthread_mutex_unlock(&m->lock);
}

static void *courier_run(void *arg)
{
    struct commands_memory *m = (struct commands_memory *)arg;
    enum err last = ERR_OK;
    bool more;

    pthread_setname_np(pthread_self(), "courier");
    while (wait_for_work(m)) {
        enum err err = turn(m, true, &more);

        if (more)
            go_on(m);
        if (err && err != last) /* once, not each second */
            fprintf(stderr, "nilod: writing what became of commands failed: the store %s\n",
                    err_text(err));
        last = err;
    }
    return NULL;
}

enum err commands_start(struct commands *c)
{
    struct commands_memory *m = c->memory;

    m->started = pthread_create(&m->courier, NULL, courier_run, m) == 0;
    return m->started ? ERR_OK : ERR_NO_MEMORY;
}

void commands_close(struct commands *c)
{
    struct commands_memory *m;
    bool more;
    enum err err;

    if (!c)
        return;
    m = c->memory;
    if (m->started) {
        pthread_mutex_lock(&m->lock);
        m->stopping = true;
        pthread_cond_signal(&m->wake);
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->courier, NULL);
        if ((err = turn(m, false, &more)))
            fprintf(stderr, "nilod: what became of commands was not written: the store %s\n",
                    err_text(err));
    }
    commands_free(c);
}

/* ---- settled frames ---- */

static void fold_push(struct commands_memory *m, const struct folded *f)
{
    struct fold_list *l = &m->folds;

    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct folded *more = (struct folded *)realloc(l->at, cap * sizeof *more);

        if (!more) {
            fprintf(stderr, "nilod: no memory to note what a meter said of command %u\n",
                    (unsigned)f->command);
            return;
        }
        l->at = more;
        l->cap = cap;
    }
    l->at[l->count++] = *f;
}

/* A valve that stands as it was told to: only in frames that came after the telling. */
static void fold_valve(struct commands_memory *m, uint32_t meter, const struct frame *f,
                       int64_t arrival_s)
{
    bool closed = f->status & STATUS_VALVE_CLOSED, fault = f->status & STATUS_VALVE_FAULT;
    struct folded said = { .meter = meter, .arrival_s = (uint32_t)arrival_s };

    pthread_mutex_lock(&m->lock);
    for (struct pending *p = pending_first_lkd(m, meter); p && !fault; p = pending_next(p)) {
        bool is_so = p->value ? !closed && p->flags & COMMAND_WAS_CLOSED : closed;

        if (p->what == COMMAND_VALVE && p->sent_s && p->sent_s < arrival_s && is_so &&
            !command_ended((enum command_state)p->state))
            said.command = p->id;
    }
    pthread_mutex_unlock(&m->lock);
    if (said.command)
        fold_push(m, &said);
}

/* A report has room for hundreds of outcomes, and anybody can send many such: of more than a meter can
 * have commands those at either end are kept in mind, for there the newest stand. */
static bool is_at_an_end(uint32_t i, uint32_t count)
{
    return i < COMMANDS_PER_METER || count - i <= COMMANDS_PER_METER;
}

static void fold_outcome(struct commands_memory *m, uint32_t meter, const struct outcome *o,
                         int64_t arrival_s)
{
    const struct folded said = { .meter = meter,
                                 .command = o->command,
                                 .arrival_s = (uint32_t)arrival_s,
                                 .bits = o->bits,
                                 .result = o->result < 255 ? (uint8_t)o->result : 255 };

    fold_push(m, &said);
}

void commands_fold(struct commands *c, uint32_t meter, const struct frame *f, int64_t arrival_s)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < f->outcome_count; i++)
        if (is_at_an_end(i, f->outcome_count))
            fold_outcome(c->memory, meter, &f->outcomes[i], arrival_s);
    if (commands_any(c))
        fold_valve(c->memory, meter, f, arrival_s);
}

/* Which command a number of few bits means: the newest that had been sent by then. */
struct meant {
    const struct folded *said;
    uint32_t mask;
    struct command_row row;
    bool found, known; /* known: it was written already */
};

static bool look_at(void *arg, const struct command_row *row)
{
    struct meant *w = (struct meant *)arg;
    const struct folded *s = w->said;

    if ((row->id & w->mask) != (s->command & w->mask) || !row->sent_s || row->sent_s > s->arrival_s)
        return true;
    if (row->flags & COMMAND_BY_METER) {
        w->known = w->known || row->ended_s == s->arrival_s;
        return true;
    }
    w->row = *row;
    w->found = true;
    return true;
}

static bool find_meant(struct txn *t, const struct folded *said, struct command_row *out)
{
    struct meant w = { .said = said };

    if (said->bits == 0 || said->bits >= 32)
        return ledger_command(t, said->meter, said->command, out);
    w.mask = (1u << said->bits) - 1;
    if (ledger_commands_of(t, said->meter, 0, look_at, &w) || !w.found || w.known)
        return false;
    *out = w.row;
    return true;
}

static void write_folded(struct commands_memory *m, struct act *act, const struct folded *said)
{
    const struct command_event e = { .kind = COMMAND_EVENT_OUTCOME,
                                     .at_s = said->arrival_s,
                                     .result = said->result };
    struct command_row row;

    if (!find_meant(&act->txn, said, &row) || !command_apply(&row, &e))
        return;
    act_command_put(act, &row, command_event_name(e.kind), command_lives(&row));
    if (act->txn.err)
        return;
    pthread_mutex_lock(&m->lock);
    pending_put_lkd(m, &row); /* were the act to fail, the meter's word is in the journal still */
    pthread_mutex_unlock(&m->lock);
}

enum err commands_fold_end(struct app *app)
{
    struct commands_memory *m = app->commands ? app->commands->memory : NULL;
    struct act act;
    bool more;
    enum err err;

    if (!m || m->folds.count == 0)
        return ERR_OK;
    if (!(err = turn(m, false, &more))) {
        act = act_begin(app->ledger, COURIER, clock_now_s(&app->clock), journal_end(app->journal));
        for (size_t i = 0; i < m->folds.count && !act.txn.err; i++)
            write_folded(m, &act, &m->folds.at[i]);
        err = act_end(&act);
    }
    m->folds.count = 0;
    return err;
}
