/* The commands in memory: a table of chains by meter, and what a frame meets there.  What happens is
 * put in a queue of events, which the courier writes (commands_courier.c). */
#include "server/commands_priv.h"

#include "proto/native.h"

#include <stdio.h>
#include <stdlib.h>

#define BUCKETS_LEAST 4096

/* ---- the table ---- */

size_t pending_bucket(const struct commands_memory *m, uint32_t meter)
{
    return (size_t)(uint32_t)(meter * 2654435761u) & (m->bucket_count - 1);
}

static struct pending **bucket_of(struct commands_memory *m, uint32_t meter)
{
    return &m->buckets[pending_bucket(m, meter)];
}

struct pending *pending_first_lkd(struct commands_memory *m, uint32_t meter)
{
    struct pending *p = *bucket_of(m, meter);

    while (p && p->meter != meter)
        p = p->next;
    return p;
}

struct pending *pending_next(struct pending *p)
{
    uint32_t meter = p->meter;

    do
        p = p->next;
    while (p && p->meter != meter);
    return p;
}

struct pending *pending_find_lkd(struct commands_memory *m, uint32_t meter, uint32_t id)
{
    struct pending *p = pending_first_lkd(m, meter);

    while (p && p->id != id)
        p = pending_next(p);
    return p;
}

static void count_lkd(struct commands_memory *m)
{
    atomic_store_explicit(&m->owner->live, (uint32_t)m->count, memory_order_relaxed);
}

/* In front of the meter's first with a higher id, else at the end of its bucket. */
static void link_lkd(struct commands_memory *m, struct pending *p)
{
    struct pending **at = bucket_of(m, p->meter);

    while (*at && !((*at)->meter == p->meter && (*at)->id > p->id))
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

/* Twice the buckets; without memory for them chains grow longer, that is all. */
static void grow_lkd(struct commands_memory *m)
{
    struct pending **old = m->buckets, *p;
    size_t count = m->bucket_count;
    struct pending **more = (struct pending **)calloc(count * 2, sizeof *more); /* NOLINT */

    if (!more)
        return;
    m->buckets = more;
    m->bucket_count = count * 2;
    m->review_bucket = m->again_bucket = 0; /* everything moves */
    for (size_t i = 0; i < count; i++) {
        while ((p = old[i])) {
            old[i] = p->next;
            link_lkd(m, p);
        }
    }
    free(old);
}

void pending_drop_lkd(struct commands_memory *m, struct pending *p)
{
    struct pending **at = bucket_of(m, p->meter);

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
    m->count--;
    count_lkd(m);
}

static struct pending *pending_new_lkd(struct commands_memory *m, const struct command_row *row)
{
    struct pending *p = (struct pending *)calloc(1, sizeof *p);

    if (!p) {
        fprintf(stderr, "nilod: no memory for command %u: it goes after the next start\n",
                (unsigned)row->id);
        return NULL;
    }
    p->meter = row->meter;
    p->id = row->id;
    if (m->count >= m->bucket_count)
        grow_lkd(m);
    link_lkd(m, p);
    m->count++;
    count_lkd(m);
    return p;
}

static void due_at_lkd(struct commands_memory *m, uint32_t at_s)
{
    if (at_s && at_s < m->next_due_s)
        m->next_due_s = at_s;
}

void pending_put_lkd(struct commands_memory *m, const struct command_row *row)
{
    struct pending *p = pending_find_lkd(m, row->meter, row->id);

    if (!command_lives(row)) {
        if (p)
            pending_drop_lkd(m, p);
        return;
    }
    if (!p && !(p = pending_new_lkd(m, row)))
        return;
    p->what = row->what;
    p->value = row->value;
    p->until = row->until;
    p->expires_s = row->expires_s;
    p->retry_s = row->retry_s;
    p->tries = row->tries;
    p->flags = row->flags;
    p->may_go = command_may_go(row);
    p->state = row->state;
    if (row->sent_s)
        p->sent_s = row->sent_s;
    if (row->attempts > p->attempts)
        p->attempts = row->attempts;
    due_at_lkd(m, command_ended((enum command_state)p->state) ? p->retry_s : p->expires_s);
}

void commands_put(struct commands *c, const struct command_row *row)
{
    struct commands_memory *m = c->memory;

    pthread_mutex_lock(&m->lock);
    pending_put_lkd(m, row);
    pthread_mutex_unlock(&m->lock);
}

static bool is_live(const struct pending *p)
{
    return !command_ended((enum command_state)p->state);
}

unsigned commands_of(struct commands *c, uint32_t meter)
{
    struct commands_memory *m = c->memory;
    unsigned count = 0;

    pthread_mutex_lock(&m->lock);
    for (struct pending *p = pending_first_lkd(m, meter); p; p = pending_next(p))
        count += is_live(p);
    pthread_mutex_unlock(&m->lock);
    return count;
}

/* ---- events ---- */

void event_push_lkd(struct commands_memory *m, const struct command_event *e)
{
    struct event_list *q = &m->queue;

    if (q->count == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 256;
        struct command_event *more = (struct command_event *)realloc(q->at, cap * sizeof *more);

        if (!more) {
            fprintf(stderr, "nilod: no memory to note what became of command %u\n",
                    (unsigned)e->id);
            return;
        }
        q->at = more;
        q->cap = cap;
    }
    q->at[q->count++] = *e;
    m->awake = true;
    pthread_cond_signal(&m->wake);
}

/* The command changes in memory as its row will in the ledger. */
void event_happen_lkd(struct commands_memory *m, struct pending *p, const struct command_event *e)
{
    /* What command_apply looks at. */
    struct command_row row = { .meter = p->meter,
                               .id = p->id,
                               .what = p->what,
                               .state = p->state,
                               .flags = p->flags,
                               .tries = p->tries,
                               .value = p->value,
                               .until = p->until,
                               .expires_s = p->expires_s,
                               .sent_s = p->sent_s,
                               .attempts = p->attempts,
                               .approved_by = { p->may_go ? '+' : 0 } };

    event_push_lkd(m, e);
    if (command_apply(&row, e))
        pending_put_lkd(m, &row);
}

/* ---- a frame meets its commands ---- */

static bool under_way(const struct pending *p)
{
    return p->state == COMMAND_SENT || p->state == COMMAND_DELIVERED;
}

static bool can_go(const struct pending *p, int64_t now_s)
{
    return is_live(p) && !p->ending && !p->review && p->may_go && now_s < p->expires_s;
}

static bool is_meant(const struct pending *p, const struct outcome *o)
{
    uint32_t mask = o->bits && o->bits < 32 ? (1u << o->bits) - 1 : UINT32_MAX;

    if (!is_live(p) || !p->may_go || p->ending || (p->id & mask) != (o->command & mask))
        return false;
    /* Few bits tell little: only what was sent can be meant by them. A whole number is as good as
     * the sending itself, which a crash may have forgotten. */
    return mask == UINT32_MAX || under_way(p);
}

static bool told_by_outcome_lkd(struct commands_memory *m, const struct commands_meeting *in,
                                struct command_ticket *t)
{
    const struct frame *f = in->frame;

    for (uint32_t i = 0; i < f->outcome_count; i++) {
        for (struct pending *p = pending_first_lkd(m, in->meter); p; p = pending_next(p)) {
            if (!is_meant(p, &f->outcomes[i]))
                continue;
            p->ending = true;
            t->ended = p->id;
            t->result = f->outcomes[i].result < 255 ? (uint8_t)f->outcomes[i].result : 255;
            return true;
        }
    }
    return false;
}

/* Handbook §4.3: what is off by no more is right. */
static bool clock_is_right(const struct frame *f, int64_t heard_s)
{
    int64_t off_s = f->sent_s - heard_s;

    return f->sent_s && !f->retimed && off_s >= -COMMAND_CLOCK_OFF_S &&
           off_s <= COMMAND_CLOCK_OFF_S;
}

/* Dialects whose meters answer a read with what was read, and nothing besides. */
static bool brings_history(const struct commands_meeting *in, const struct pending *p)
{
    const struct frame *f = in->frame;

    if (!in->dialect || !in->dialect->command || in->dialect->command == native_command)
        return false;
    for (uint32_t s = 0; s < f->series_count; s++)
        for (uint32_t i = 0; i < f->series[s].count; i++)
            if (f->series[s].samples[i].at_s >= p->value &&
                f->series[s].samples[i].at_s <= p->until)
                return true;
    return false;
}

/* What the frame's state shows to have been done. An open valve proves an opening only where it was
 * closed before: meters without a valve never say that it is. */
static bool is_proven(const struct commands_meeting *in, const struct pending *p)
{
    const struct frame *f = in->frame;
    bool closed = f->status & STATUS_VALVE_CLOSED, fault = f->status & STATUS_VALVE_FAULT;

    if (!under_way(p) || p->ending)
        return false;
    if (p->what == COMMAND_TIME)
        return clock_is_right(f, f->heard_s ? f->heard_s : in->now_s);
    if (p->what == COMMAND_HISTORY)
        return brings_history(in, p);
    if (p->what != COMMAND_VALVE || fault)
        return false;
    return p->value ? !closed && p->flags & COMMAND_WAS_CLOSED : closed;
}

static void hear_lkd(struct commands_memory *m, const struct commands_meeting *in,
                     struct command_ticket *t)
{
    /* Whether an authenticated frame is a replay, settling finds out; then it tells of the valve. */
    if (told_by_outcome_lkd(m, in, t) || in->frame->seq_rule == SEQ_RISES)
        return;
    for (struct pending *p = pending_first_lkd(m, in->meter); p; p = pending_next(p)) {
        if (is_proven(in, p)) {
            p->ending = true;
            t->ended = p->id;
            t->result = 0;
            return;
        }
    }
}

/* What is under way, else the first that may go. */
static struct pending *due_lkd(struct commands_memory *m, uint32_t meter, int64_t now_s)
{
    struct pending *due = NULL;

    for (struct pending *p = pending_first_lkd(m, meter); p; p = pending_next(p)) {
        if (!can_go(p, now_s))
            continue;
        if (under_way(p))
            return p;
        if (!due)
            due = p;
    }
    return due;
}

static enum err encode(const struct commands_memory *m, const struct commands_meeting *in,
                       const struct pending *p, struct wr *out)
{
    const struct meter_command command = { .id = p->id,
                                           .expires_s = p->expires_s,
                                           .what = (enum command_what)p->what,
                                           .value = p->what == COMMAND_TIME ? in->now_s : p->value,
                                           .until = p->until,
                                           .meter = frame_name(in->frame),
                                           .now_s = in->now_s,
                                           .zone = &m->app->zone };
    uint8_t bytes[COMMAND_BYTES];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum err err = in->dialect && in->dialect->command ? in->dialect->command(&command, &w)
                                                       : native_command(&command, &w);

    if (!err && !(err = w.err))
        wr_bytes(out, wr_span(&w));
    return err ? err : out->err;
}

static void fail_lkd(struct commands_memory *m, struct pending *p, enum command_event_kind why,
                     int64_t now_s)
{
    const struct command_event e = {
        .meter = p->meter, .id = p->id, .kind = why, .at_s = (uint32_t)now_s
    };

    event_happen_lkd(m, p, &e);
}

static void send_lkd(struct commands_memory *m, const struct commands_meeting *in, struct wr *out,
                     struct command_ticket *t)
{
    struct pending *p;

    while ((p = due_lkd(m, in->meter, in->now_s))) {
        if (in->once && under_way(p) && !p->lost)
            return;
        if (p->attempts >= COMMAND_ATTEMPTS) {
            fail_lkd(m, p, COMMAND_EVENT_UNHEARD, in->now_s);
            continue;
        }
        if (encode(m, in, p, out)) {
            fail_lkd(m, p, COMMAND_EVENT_UNSPEAKABLE, in->now_s);
            continue;
        }
        t->sent = p->id;
        t->expires_s = p->expires_s;
        t->was_closed = in->frame->status & STATUS_VALVE_CLOSED;
        return;
    }
}

void commands_meet(struct commands *c, const struct commands_meeting *in, struct wr *out,
                   struct command_ticket *ticket)
{
    struct commands_memory *m = c->memory;

    *ticket = (struct command_ticket){ .at_s = (uint32_t)in->now_s };
    pthread_mutex_lock(&m->lock);
    if (pending_first_lkd(m, in->meter)) {
        hear_lkd(m, in, ticket);
        if (!in->mute)
            send_lkd(m, in, out, ticket);
    }
    pthread_mutex_unlock(&m->lock);
    if (ticket->sent || ticket->ended)
        ticket->meter = in->meter;
}

/* ---- what came of it ---- */

static void ended_lkd(struct commands_memory *m, const struct command_ticket *t, bool kept)
{
    struct pending *p = pending_find_lkd(m, t->meter, t->ended);
    const struct command_event e = { .meter = t->meter,
                                     .id = t->ended,
                                     .kind = COMMAND_EVENT_OUTCOME,
                                     .at_s = t->at_s,
                                     .result = t->result };

    if (p)
        p->ending = false;
    if (kept && p)
        event_happen_lkd(m, p, &e);
    else if (kept) /* it expired meanwhile: the meter's word counts */
        event_push_lkd(m, &e);
}

static void sent_lkd(struct commands_memory *m, const struct command_ticket *t)
{
    struct pending *p = pending_find_lkd(m, t->meter, t->sent);
    struct command_event e = { .meter = t->meter,
                               .id = t->sent,
                               .kind = COMMAND_EVENT_SENT,
                               .at_s = t->at_s,
                               .was_closed = t->was_closed };

    if (!p || !is_live(p))
        return;
    e.attempts = p->attempts + 1;
    p->lost = false;
    event_happen_lkd(m, p, &e);
}

void commands_told(struct commands *c, const struct command_ticket *tickets, size_t count,
                   bool kept)
{
    struct commands_memory *m = c->memory;

    if (!count)
        return;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++) {
        if (tickets[i].ended)
            ended_lkd(m, &tickets[i], kept);
        if (tickets[i].sent && kept)
            sent_lkd(m, &tickets[i]);
    }
    pthread_mutex_unlock(&m->lock);
}

void commands_delivered(struct commands *c, uint32_t meter, uint32_t id, int64_t now_s)
{
    struct commands_memory *m = c->memory;
    const struct command_event e = {
        .meter = meter, .id = id, .kind = COMMAND_EVENT_DELIVERED, .at_s = (uint32_t)now_s
    };
    struct pending *p;

    pthread_mutex_lock(&m->lock);
    if ((p = pending_find_lkd(m, meter, id)) && p->may_go)
        event_happen_lkd(m, p, &e);
    pthread_mutex_unlock(&m->lock);
}

void commands_lost(struct commands *c, uint32_t meter, uint32_t id)
{
    struct commands_memory *m = c->memory;
    struct pending *p;

    pthread_mutex_lock(&m->lock);
    if ((p = pending_find_lkd(m, meter, id)))
        p->lost = true;
    pthread_mutex_unlock(&m->lock);
}

void commands_overlay(struct commands *c, int64_t now_s, struct command_row *row)
{
    struct commands_memory *m = c->memory;
    const struct event_list *lists[] = { &m->writing, &m->queue };
    const struct command_event expired = { .kind = COMMAND_EVENT_EXPIRED, .at_s = (uint32_t)now_s };

    pthread_mutex_lock(&m->lock);
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (lists[l]->at[i].id == row->id)
                (void)command_apply(row, &lists[l]->at[i]);
    pthread_mutex_unlock(&m->lock);
    if (now_s >= row->expires_s)
        (void)command_apply(row, &expired);
}

/* ---- beginning and end ---- */

static bool take_row(void *arg, const struct command_row *row)
{
    struct commands_memory *m = (struct commands_memory *)arg;

    struct pending *p;

    pending_put_lkd(m, row); /* nobody else is there yet */
    p = pending_find_lkd(m, row->meter, row->id);
    if (p && p->what == COMMAND_VALVE && !p->value) /* a look that the end may have come before */
        review_mark_lkd(m, p);
    return true;
}

static enum err load(struct commands_memory *m)
{
    struct txn t = ledger_read(m->app->ledger);
    enum err err = ledger_commands_live(&t, take_row, m), ended = txn_end(&t);

    return err ? err : ended;
}

enum err commands_open(struct app *app, bool ask_history, struct commands **out)
{
    struct commands *c = (struct commands *)calloc(1, sizeof *c);
    struct commands_memory *m = (struct commands_memory *)calloc(1, sizeof *m);
    enum err err = ERR_NO_MEMORY;

    if (!c || !m ||
        !(m->buckets = (struct pending **)calloc(BUCKETS_LEAST, sizeof *m->buckets))) { /* NOLINT */
        free(m);
        free(c);
        return err;
    }
    c->memory = m;
    m->owner = c;
    m->app = app;
    m->ask_history = ask_history;
    m->bucket_count = BUCKETS_LEAST;
    m->next_due_s = UINT32_MAX;
    pthread_mutex_init(&m->turn, NULL);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->wake, NULL);
    if ((err = load(m))) {
        commands_close(c);
        return err;
    }
    *out = c;
    return ERR_OK;
}

void commands_free(struct commands *c)
{
    struct commands_memory *m = c->memory;
    struct pending *p;

    for (size_t i = 0; i < m->bucket_count; i++) {
        while ((p = m->buckets[i])) {
            m->buckets[i] = p->next;
            free(p);
        }
    }
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->turn);
    free(m->buckets);
    free(m->gaps);
    free(m->queue.at);
    free(m->writing.at);
    free(m->folds.at);
    free(m);
    free(c);
}
