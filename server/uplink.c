/* Judging is one caller's at a time: it takes tens of microseconds and shares one arena.  Waiting is not: one of the callers whose
 * records lie in the batch leads it to its commit, and the others wait for that; meanwhile the next batch fills. */
#include "server/uplink.h"

#include "proto/envelope.h"
#include "proto/native.h"
#include "proto/recipe.h"
#include "server/app.h"
#include "server/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define REJECTS_PER_S                                                                              \
    20 /* refused bytes that are kept: a flood of rubbish must not fill the journal */
#define COUNTERS 65536 /* meters whose frame counter is remembered: 768 KiB */
#define MISSED_MOST                                                                                \
    16384 /* a wider gap is no loss of frames but another counter (LoRaWAN 1.0.3, MAX_FCNT_GAP) */

struct waiter {
    uint64_t batch;
    bool over;
    enum err err;
    struct waiter *next;
};

struct counter {
    uint32_t meter, count, heard_s;
};

struct uplink {
    struct app *app;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended;
    struct intake *filling, *spare;
    uint64_t batch; /* number of the one that fills, from 1 */
    bool leading;   /* one is on its way to its commit */
    struct waiter *waiters;
    struct arena scratch;
    int64_t reject_s; /* the second, and how many were kept in it */
    unsigned rejects;
    struct counter *counters;
};

enum err uplink_open(struct app *app, struct uplink **out)
{
    struct uplink *u = (struct uplink *)calloc(1, sizeof *u);
    enum err err;

    if (!u)
        return ERR_NO_MEMORY;
    u->app = app;
    u->batch = 1;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->ended, NULL);
    u->counters = (struct counter *)calloc(COUNTERS, sizeof *u->counters);
    err = u->counters ? ERR_OK : ERR_NO_MEMORY;
    if (err || (err = intake_new(&u->filling)) || (err = intake_new(&u->spare)) ||
        (err = arena_init(&u->scratch, LIMIT_DECODE_ARENA))) {
        uplink_close(u);
        return err;
    }
    *out = u;
    return ERR_OK;
}

void uplink_close(struct uplink *u)
{
    if (!u)
        return;
    arena_done(&u->scratch);
    intake_free(u->spare);
    intake_free(u->filling);
    free(u->counters);
    pthread_cond_destroy(&u->ended);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- the batch ---- */

/* Leads the batch that fills to its commit. The lock is let go meanwhile. */
static void lead_lkd(struct uplink *u)
{
    struct intake *k = u->filling;
    uint64_t batch = u->batch++;
    enum err err;

    u->leading = true;
    u->filling = u->spare;
    u->spare = NULL;
    pthread_mutex_unlock(&u->lock);
    err = ingest_submit_wait(u->app->ingest, k);
    pthread_mutex_lock(&u->lock);
    intake_clear(k);
    u->spare = k;
    u->leading = false;
    for (struct waiter *w = u->waiters; w; w = w->next)
        if (w->batch == batch) {
            w->over = true;
            w->err = err;
        }
    pthread_cond_broadcast(&u->ended);
}

static void unlink_lkd(struct uplink *u, const struct waiter *waiter)
{
    struct waiter **at = &u->waiters;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
}

/* Until the batch of that number, which fills now, is durable or failed. */
static enum err await_lkd(struct uplink *u, uint64_t batch)
{
    struct waiter w = { .batch = batch, .next = u->waiters };

    u->waiters = &w;
    while (!w.over)
        if (u->leading)
            pthread_cond_wait(&u->ended, &u->lock);
        else
            lead_lkd(u);
    unlink_lkd(u, &w);
    return w.err;
}

/* ---- one frame ---- */

struct taking {
    struct uplink *u;
    struct push *push;
    unsigned parts, refused;
    enum err room; /* why a part was not kept */
};

/* FULL where the batch is: the caller ends it first. */
static enum err add_lkd(struct taking *t, const struct record *record)
{
    enum err err = intake_add(t->u->filling, record);

    if (!err)
        t->push->batch = t->u->batch;
    return err;
}

static bool may_keep_lkd(struct uplink *u)
{
    int64_t now_s = clock_monotonic_ms() / 1000;

    if (now_s != u->reject_s)
        u->rejects = 0;
    u->reject_s = now_s;
    return u->rejects++ < REJECTS_PER_S;
}

static void refuse_lkd(struct taking *t, struct span bytes, const struct refusal *r)
{
    struct push *p = t->push;
    struct record record = {
        .kind = RECORD_REJECT,
        .dialect = p->dialect->id,
        .transport = p->transport,
        .arrival_s = (uint32_t)p->arrival_s,
        .name = text_is_serial(p->meter) ? p->meter : span_of(NULL, 0),
        .bytes = bytes,
    };

    metrics_refused(r->err);
    p->refusal = *r;
    t->refused++;
    if (bytes.len == 0 || !may_keep_lkd(t->u))
        return;
    (void)!add_lkd(t, &record); /* for people: nobody was promised it */
}

/* What the events of a LoRaWAN server are called agrees with what they are. */
static bool event_agrees(const struct push *p, const struct envelope *e)
{
    bool up = span_equal(p->event, span_text("up")), is_up = strcmp(e->event, "up") == 0;

    return !p->event.len || up == is_up || e->kind != ENVELOPE_PAYLOAD;
}

/* How many frames were lost on their way, and counters that began again. What was heard before the newest is old news, told again. */
static void count_frames_lkd(struct uplink *u, const struct judged *judged,
                             const struct envelope *e)
{
    struct counter *c = &u->counters[judged->record.meter % COUNTERS];
    uint32_t heard_s =
        judged->frame.heard_s ? (uint32_t)judged->frame.heard_s : judged->record.arrival_s;
    bool known = c->meter == judged->record.meter;

    if (!e->has_count || (known && heard_s < c->heard_s))
        return;
    if (known && e->count < c->count && heard_s > c->heard_s)
        metrics_add(METRIC_LORAWAN_RESTARTS, 1);
    else if (known && e->count > c->count && e->count - c->count <= MISSED_MOST)
        metrics_add(METRIC_LORAWAN_MISSED, e->count - c->count - 1);
    *c = (struct counter){ judged->record.meter, e->count, heard_s };
}

/* ---- commands ---- */

void downlink_name(const struct downlink *d, bool uuid, char out[DOWNLINK_NAME])
{
    uint32_t meter = d->ticket.meter, id = d->ticket.sent;

    if (uuid) /* version 8, the user's own (RFC 9562 §5.8) */
        snprintf(out, DOWNLINK_NAME, "6e696c6f-%04x-8%03x-8%03x-0000%08x", meter >> 16,
                 meter >> 4 & 0xfffu, meter & 0xfu, id);
    else
        snprintf(out, DOWNLINK_NAME, "nilo-%08x-%08x", meter, id);
}

bool downlink_named(struct span name, uint32_t *out_meter, uint32_t *out_command)
{
    char text[DOWNLINK_NAME], again[DOWNLINK_NAME];
    struct downlink d = { .len = 0 };
    unsigned a, b, c, id;
    bool uuid;

    if (name.len >= sizeof text)
        return false;
    memcpy(text, name.at, name.len);
    text[name.len] = 0;
    uuid = sscanf(text, "6e696c6f-%4x-8%3x-8%3x-0000%8x", &a, &b, &c, &id) == 4;
    if (uuid)
        d.ticket.meter = a << 16 | b << 4 | (c & 0xfu);
    else if (sscanf(text, "nilo-%8x-%8x", &d.ticket.meter, &id) != 2)
        return false;
    d.ticket.sent = id;
    downlink_name(&d, uuid, again);
    *out_meter = d.ticket.meter;
    *out_command = id;
    return strcmp(text, again) == 0;
}

/* The network tells what became of a downlink of ours: the meter has it, or it was discarded or not answered. */
static void hear_fate_lkd(struct uplink *u, const struct push *p, const struct envelope *e)
{
    static const char *const fates[] = { "ack", "nack", "failed", "log" };
    bool fate = false;
    uint32_t meter, id;

    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++)
        fate = fate || strcmp(e->event, fates[i]) == 0;
    if (!fate || !commands_any(u->app->commands) || !downlink_named(e->queue_item, &meter, &id) ||
        !meter || registry_find(u->app->registry, e->meter) != meter)
        return;
    if (strcmp(e->event, "ack") == 0 && e->acknowledged)
        commands_delivered(u->app->commands, meter, id, p->arrival_s);
    else
        commands_lost(u->app->commands, meter, id);
}

/* What would read an answer: what reads the payload. */
static const struct dialect *inner_dialect_lkd(struct uplink *u, const struct push *p,
                                               uint32_t meter)
{
    const struct dialect_input in = { .lore = &u->app->lore };
    struct span profile = lore_profile(&in, meter);
    bool lorawan = p->dialect->id == 7 || p->dialect->id == 8;
    const struct dialect *d;

    if (!profile.len)
        return lorawan ? NULL : &dialect_native;
    d = dialect_by_name(profile);
    return d ? d : &dialect_recipe;
}

static void meet_commands_lkd(struct uplink *u, struct push *p, const struct judged *judged,
                              const struct envelope *e)
{
    struct downlink *d = &p->downlink;
    struct wr w = wr_of(d->bytes, sizeof d->bytes);
    struct commands_meeting m = {
        .meter = judged->record.meter, .frame = &judged->frame, .now_s = p->arrival_s, .once = true
    };

    if (!commands_any(u->app->commands) || !m.meter || d->ticket.meter)
        return;
    m.dialect = inner_dialect_lkd(u, p, m.meter);
    if (!m.dialect)
        return;
    d->port = e->port;
    /* A payload of the maker's own is answered in none of ours: the meter might take it for something. */
    m.mute = !p->can_answer || !d->port || m.dialect->id == DIALECT_RECIPE;
    commands_meet(u->app->commands, &m, &w, &d->ticket);
    d->len = w.err ? 0 : wr_len(&w);
}

void uplink_sent(struct uplink *u, const struct downlink *d, bool sent)
{
    struct command_ticket ticket = d->ticket;

    if (!sent) /* what the meter said holds all the same */
        ticket.sent = 0;
    if (ticket.meter)
        commands_told(u->app->commands, &ticket, 1, true);
}

/* ---- judging ---- */

static void better(struct taking *t, enum uplink_outcome outcome)
{
    if (t->parts++ == 0 || outcome < t->push->outcome)
        t->push->outcome = outcome;
}

static enum err judge_lkd(struct taking *t, struct span bytes, struct envelope *e,
                          struct judged *judged, struct refusal *r)
{
    struct push *p = t->push;
    struct arrival a = { .dialect = p->dialect,
                         .transport = p->transport,
                         .name = p->meter,
                         .arrival_s = p->arrival_s,
                         .bytes = bytes };
    enum err err;

    arena_clear(&t->u->scratch);
    if ((err = envelope_read(p->dialect, bytes, &t->u->scratch, e, r)))
        return err;
    if (!event_agrees(p, e))
        return refuse(r, ERR_MALFORMED, 0, "event", "expected an event %.*s, found %s",
                      (int)(p->event.len < 40 ? p->event.len : 40), (const char *)p->event.at,
                      e->event);
    if (e->kind == ENVELOPE_ASIDE)
        return ERR_OK;
    return ingest_judge_lkd(t->u->app->ingest, &a, &t->u->scratch, judged, r);
}

/* Kept as judged; what says nothing is not worth a place in the quarantine. */
static enum err keep_lkd(struct taking *t, const struct envelope *e, const struct judged *judged)
{
    const struct record *record = &judged->record;
    enum uplink_outcome outcome = record->meter ? UPLINK_STORED : UPLINK_QUARANTINED;
    enum err err;

    if (!record->meter && e->kind == ENVELOPE_HEARD) {
        quarantine_refund(t->u->app->quarantine, &record->peer, record->bytes.len);
        better(t, UPLINK_ASIDE);
        return ERR_OK;
    }
    if ((err = add_lkd(t, record))) {
        if (!record->meter)
            quarantine_refund(t->u->app->quarantine, &record->peer, record->bytes.len);
        return err;
    }
    if (record->meter) {
        count_frames_lkd(t->u, judged, e);
        meet_commands_lkd(t->u, t->push, judged, e);
    }
    better(t, outcome);
    return ERR_OK;
}

static enum err take_once_lkd(struct taking *t, struct span bytes)
{
    struct registry *registry = t->u->app->registry;
    struct judged judged = { .why = ERR_OK };
    struct envelope e = { .event = "" };
    struct refusal r = { 0 };
    enum err err;

    registry_read_lock(registry);
    err = judge_lkd(t, bytes, &e, &judged, &r);
    if (err == ERR_LIMIT && e.kind == ENVELOPE_HEARD) { /* it would not have stayed there */
        e.kind = ENVELOPE_ASIDE;
        err = ERR_OK;
    }
    if (!err && e.kind != ENVELOPE_ASIDE)
        err = keep_lkd(t, &e, &judged);
    registry_read_unlock(registry);
    if (err_class(err) == ERR_CLASS_PEER) {
        r.err = err;
        refuse_lkd(t, bytes, &r);
        better(t, UPLINK_REFUSED);
        return ERR_OK;
    }
    if (!err && e.kind == ENVELOPE_ASIDE)
        better(t, UPLINK_ASIDE);
    if (!err)
        hear_fate_lkd(t->u, t->push, &e);
    return err;
}

/* A part that could not be kept leaves the others their chance; a batch that is full ends the walk. */
static enum err take_part(void *arg, struct span bytes)
{
    struct taking *t = (struct taking *)arg;
    enum err err = take_once_lkd(t, bytes);

    if (err == ERR_FULL)
        return err;
    if (err && !t->room)
        t->room = err;
    return ERR_OK;
}

/* FULL: the batch must be ended first, and the push be taken anew. */
static enum err take_push_lkd(struct uplink *u, struct push *p)
{
    struct taking t = { .u = u, .push = p };
    enum err err;

    p->err = ERR_OK;
    p->outcome = UPLINK_ASIDE;
    p->batch = 0;
    p->downlink.ticket.meter = 0;
    p->downlink.len = 0;
    if (p->bytes.len > LIMIT_PAYLOAD_BLOCK) {
        p->err = refuse(&p->refusal, ERR_TOO_LARGE, 0, "", "expected at most %d bytes",
                        LIMIT_PAYLOAD_BLOCK);
        p->outcome = UPLINK_REFUSED;
        metrics_refused(p->err);
        return ERR_OK;
    }
    if ((err = envelope_split(p->dialect, p->bytes, take_part, &t)))
        return err;
    if (t.room)
        p->err = t.room;
    else if (t.parts && t.refused == t.parts)
        p->err = p->refusal.err;
    return ERR_OK;
}

/* Nothing came of the push: the command that it met meets the next one. */
static void give_back_command(struct uplink *u, struct push *p)
{
    if (p->downlink.ticket.meter)
        commands_told(u->app->commands, &p->downlink.ticket, 1, false);
    p->downlink.ticket.meter = 0;
    p->downlink.len = 0;
}

/* A commit that failed turns what was kept into what was not. */
static void end_push(struct uplink *u, struct push *p, enum err err)
{
    bool refused = p->err && err_class(p->err) == ERR_CLASS_PEER;
    enum metric first = p->transport == TRANSPORT_MQTT ? METRIC_MQTT_STORED : METRIC_PUSH_STORED;

    if (!refused && !p->err && p->batch)
        p->err = err;
    if (!refused && p->err)
        p->outcome = UPLINK_NO_ROOM;
    if (p->outcome == UPLINK_NO_ROOM)
        give_back_command(u, p);
    metrics_add(first + p->outcome, 1);
}

/* Ends the batch, if anything of theirs is in it or it is full, and with it the pushes. */
static void end_batch_lkd(struct uplink *u, struct push *pushes, size_t count, bool full)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < count; i++)
        full = full || pushes[i].batch;
    if (full)
        err = await_lkd(u, u->batch);
    for (size_t i = 0; i < count; i++)
        end_push(u, &pushes[i], err);
}

void uplink_take(struct uplink *u, struct push *pushes, size_t count)
{
    size_t ended = 0;

    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < count; i++) {
        if (take_push_lkd(u, &pushes[i]) != ERR_FULL)
            continue;
        give_back_command(u, &pushes[i]);
        end_batch_lkd(u, pushes + ended, i - ended, true);
        ended = i;
        if (take_push_lkd(u, &pushes[i]) == ERR_FULL)
            pushes[i].err = ERR_FULL;
    }
    end_batch_lkd(u, pushes + ended, count - ended, false);
    pthread_mutex_unlock(&u->lock);
}
