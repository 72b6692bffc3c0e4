#include "server/gateway/udp.h"

#include "server/gateway/forbidden.h"
#include "server/metrics.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LISTENERS_MAX 16
#define ROUNDS 4 /* one is filled, one syncs, one is answered, one to spare */
#define ROUND_ANSWERS 2048
#define ENDS 16      /* rounds whose end is remembered: a repeat waits for one that is under way */
#define READS 8      /* of one listener before the others have their turn */
#define IDLE_MS 1000 /* between looks at idle uploads */
_Static_assert(ENDS >= 2 * ROUNDS, "the end that is waited for is still there");

/* A batch with the answers that hang on it. */
struct round {
    struct gateway *owner;
    struct intake *intake;
    struct outbox out;
    const struct listener *listener;
    uint32_t number;           /* set when it begins to be filled */
    uint32_t reports, waiting; /* reports in it, and of those the ones in quarantine */
    enum err end;
    struct command_ticket told[ROUND_ANSWERS]; /* what answers carry, and reports say of commands */
    uint32_t told_count;
    struct round *next;
};

/* How a round ended, before anybody hears its answers. */
struct ending {
    uint32_t number;
    bool kept;
};

struct gateway {
    struct app *app;
    struct gate *gate;
    struct inbox *inbox;
    struct dtls *dtls; /* coaps: what the listeners' datagrams come and go through */
    struct forbidden *forbidden;
    struct outbox now; /* answers that wait for nothing */
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    int wake; /* eventfd: stop */
    pthread_t thread;
    bool started;
    _Atomic bool stopping;

    struct round rounds[ROUNDS];
    struct round *filling; /* the reading thread's; NULL = none at hand */
    uint32_t next_number;
    enum err ends[ENDS]; /* by number; the commit thread's */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t returned;
    struct ending endings[ROUNDS]; /* that the gate does not know yet: one of a round at most */
    unsigned ending_count;
    struct round *free_rounds; /* over, and known to the gate */
    struct round *ended;       /* answered, newest first */
    struct round *unsent;      /* over but not answered, newest first */
    bool reading_ended;        /* nothing more will come */

    pthread_t sender;
    pthread_cond_t to_send;
    _Atomic unsigned committing; /* rounds; read without the lock */
    unsigned out_count;          /* rounds that are with the other two threads */
};

/* ---- the commit thread's part ---- */

static struct round *in_order(struct round *newest_first)
{
    struct round *ordered = NULL;

    while (newest_first) {
        struct round *next = newest_first->next;

        newest_first->next = ordered;
        ordered = newest_first;
        newest_first = next;
    }
    return ordered;
}

static void turn_away_failed(struct round *round)
{
    for (uint32_t i = 0; i < round->out.count; i++) {
        struct reply *reply = &round->out.replies[i];
        enum err end = reply->follows ? round->owner->ends[reply->follows % ENDS] : round->end;

        if (end) {
            outbox_turn_away(reply);
            metrics_add(METRIC_COAP_NO_ROOM, 1);
        }
    }
}

static void send_replies(struct outbox *out, const struct listener *l)
{
    uint32_t lost;

    if (out->count == 0)
        return;
    metrics_add(METRIC_COAP_REPLIES, outbox_send(out, l->fd, &lost));
    metrics_add(METRIC_COAP_REPLIES_LOST, lost);
    outbox_clear(out);
}

static void round_done(void *arg, struct intake *k, enum err err)
{
    struct round *round = (struct round *)arg;
    struct gateway *g = round->owner;

    (void)k;
    round->end = err;
    g->ends[round->number % ENDS] = err;
    turn_away_failed(round);
    if (!err) {
        metrics_add(METRIC_COAP_STORED, round->reports - round->waiting);
        metrics_add(METRIC_COAP_QUARANTINED, round->waiting);
    }
    g->committing--;
    pthread_mutex_lock(&g->lock);
    g->endings[g->ending_count++] = (struct ending){ round->number, !err };
    round->next = g->unsent;
    g->unsent = round;
    pthread_cond_signal(&g->to_send);
    pthread_mutex_unlock(&g->lock);
}

/* ---- the sending thread ---- */

static void send_rounds(struct gateway *g, struct round *in_turn)
{
    while (in_turn) {
        struct round *round = in_turn;

        in_turn = round->next;
        if (round->told_count) /* before anybody hears of it, and may ask what became of it */
            commands_told(g->app->commands, round->told, round->told_count, round->end == ERR_OK);
        send_replies(&round->out, round->listener);
        pthread_mutex_lock(&g->lock);
        round->next = g->ended;
        g->ended = round;
        g->out_count--;
        pthread_cond_signal(&g->returned);
        pthread_mutex_unlock(&g->lock);
    }
}

static void *sender_run(void *arg)
{
    struct gateway *g = (struct gateway *)arg;

    pthread_setname_np(pthread_self(), g->dtls ? "coaps-send" : "gateway-send");
    pthread_mutex_lock(&g->lock);
    while (g->unsent || !g->reading_ended) {
        struct round *rounds = in_order(g->unsent);

        g->unsent = NULL;
        if (!rounds) {
            pthread_cond_wait(&g->to_send, &g->lock);
            continue;
        }
        pthread_mutex_unlock(&g->lock);
        send_rounds(g, rounds);
        pthread_mutex_lock(&g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- the reading thread ---- */

static void tell_gate_lkd(struct gateway *g)
{
    for (unsigned i = 0; i < g->ending_count; i++)
        gate_round_ended(g->gate, g->endings[i].number, g->endings[i].kept);
    g->ending_count = 0;
}

/* Whoever heard how his report ended, and repeats it, is judged by that end. */
static void tell_gate(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    tell_gate_lkd(g);
    pthread_mutex_unlock(&g->lock);
}

/* Makes rounds free that are over; the gate knows how they ended. */
static void collect_ended_lkd(struct gateway *g)
{
    struct round *round = in_order(g->ended);

    tell_gate_lkd(g);
    g->ended = NULL;
    while (round) {
        struct round *next = round->next;

        intake_clear(round->intake);
        round->next = g->free_rounds;
        g->free_rounds = round;
        round = next;
    }
}

/* A round to fill; waits for one where all are under way. */
static struct round *round_at_hand(struct gateway *g)
{
    struct round *round;

    if (g->filling)
        return g->filling;
    pthread_mutex_lock(&g->lock);
    for (collect_ended_lkd(g); !g->free_rounds; collect_ended_lkd(g))
        pthread_cond_wait(&g->returned, &g->lock);
    round = g->free_rounds;
    g->free_rounds = round->next;
    pthread_mutex_unlock(&g->lock);
    if (++g->next_number == 0)
        g->next_number = 1; /* 0 means "none" to those who wait for one */
    round->number = g->next_number;
    round->reports = round->waiting = round->told_count = 0;
    return g->filling = round;
}

static bool round_is_empty(const struct round *round)
{
    return round->out.count == 0 && batch_count(round->intake->batch) == 0;
}

/* No more may be added before it is handed over: whatever the next datagram holds, it must fit. */
static bool round_is_full(const struct round *round)
{
    return outbox_full(&round->out) || batch_count(round->intake->batch) >= LIMIT_BATCH_RECORDS ||
           batch_bytes(round->intake->batch) + (size_t)LIMIT_PAYLOAD_BLOCK * 2 > LIMIT_BATCH_BYTES;
}

static void submit(struct gateway *g)
{
    struct round *round = g->filling;

    if (!round || round_is_empty(round))
        return;
    g->filling = NULL;
    round->intake->done = round_done;
    round->intake->arg = round;
    pthread_mutex_lock(&g->lock);
    g->out_count++;
    pthread_mutex_unlock(&g->lock);
    g->committing++;
    ingest_submit(g->app->ingest, round->intake);
}

static void set_gate(struct gateway *g)
{
    struct gate_now now = { .clock_s = clock_now_s(&g->app->clock),
                            .monotonic_us = (uint64_t)clock_monotonic_us(),
                            .round = round_at_hand(g)->number,
                            .stopping = g->stopping };

    gate_set(g->gate, &now);
}

static void store(struct gateway *g, const struct route *route, struct gate_verdict *v)
{
    struct round *round = g->filling;
    enum err err = intake_add(round->intake, &v->record);

    /* round_is_full was asked, and a frame takes no memory that is not there. Were it left out, the
     * gate would still answer its repeats as if it had been kept. */
    assert(!err);
    (void)err;
    round->reports++;
    round->waiting += v->record.meter == 0;
    if (v->told.meter) /* no more of them than answers */
        round->told[round->told_count++] = v->told;
    outbox_add(&round->out, route, &v->answer, v->no_response, true, 0);
}

static void act(struct gateway *g, const struct route *route, const struct datagram *d,
                struct gate_verdict *v)
{
    if (v->named.len && g->forbidden)
        forbidden_note(g->forbidden, d->identity, v->named);
    switch (v->act) {
    case GATE_SILENCE:
        break;
    case GATE_ANSWER:
        outbox_add(&g->now, route, &v->answer, v->no_response, false, 0);
        if (v->keep_reject && intake_add(g->filling->intake, &v->record))
            metrics_add(METRIC_COAP_NO_ROOM, 1);
        break;
    case GATE_STORE:
        store(g, route, v);
        break;
    case GATE_FOLLOW:
        outbox_add(&g->filling->out, route, &v->answer, v->no_response, true, v->round);
        break;
    }
}

/* A datagram's turn: a round with room for whatever it holds. */
static void make_room(struct gateway *g, const struct listener *l)
{
    if (outbox_full(&g->now))
        send_replies(&g->now, l);
    if (!round_is_full(g->filling))
        return;
    registry_read_unlock(g->app->registry);
    submit(g);
    set_gate(g);
    g->filling->listener = l;
    registry_read_lock(g->app->registry);
}

static void handle(struct gateway *g, const struct listener *l, unsigned n)
{
    struct gate_hint hints[INBOX_DATAGRAMS];
    struct gate_verdict verdict;

    metrics_add(METRIC_COAP_BATCHES, 1);
    metrics_add(METRIC_COAP_DATAGRAMS, n);
    for (unsigned i = 0; i < n; i++)
        gate_prepare(g->gate, inbox_datagram(g->inbox, i), &hints[i]);
    tell_gate(g);
    set_gate(g);
    g->filling->listener = l;
    registry_read_lock(g->app->registry);
    for (unsigned i = 0; i < n; i++) {
        make_room(g, l);
        gate_handle(g->gate, inbox_datagram(g->inbox, i), &hints[i], &verdict);
        act(g, inbox_route(g->inbox, i), inbox_datagram(g->inbox, i), &verdict);
    }
    registry_read_unlock(g->app->registry);
    send_replies(&g->now, l);
}

static unsigned read_some(struct gateway *g, const struct listener *l)
{
    if (g->dtls)
        return dtls_read(g->dtls, (unsigned)(l - g->listeners), l, g->inbox);
    return inbox_read(g->inbox, l, INBOX_DATAGRAMS);
}

/* Reads one listener until there is nothing more, or no commit of ours is under way that what is
 * read would have to wait for. */
static bool serve(struct gateway *g, const struct listener *l)
{
    unsigned reads = 0;

    do {
        unsigned n = read_some(g, l);

        if (n == 0)
            break;
        handle(g, l, n);
    } while (++reads < READS && g->committing && !g->stopping);
    submit(g);
    return reads > 0;
}

static bool serve_all(struct gateway *g)
{
    bool any = false;

    for (size_t i = 0; i < g->listener_count; i++)
        any |= serve(g, &g->listeners[i]);
    return any;
}

static void wait_for_datagrams(struct gateway *g)
{
    struct pollfd p[LISTENERS_MAX + 1];
    int wait_ms = g->dtls ? dtls_wait_ms(g->dtls) : IDLE_MS;

    for (size_t i = 0; i < g->listener_count; i++)
        p[i] = (struct pollfd){ .fd = g->listeners[i].fd, .events = POLLIN };
    p[g->listener_count] = (struct pollfd){ .fd = g->wake, .events = POLLIN };
    if (poll(p, g->listener_count + 1, wait_ms) == 0 && wait_ms)
        set_gate(g); /* idle uploads are forgotten */
}

static void *reader_run(void *arg)
{
    struct gateway *g = (struct gateway *)arg;

    pthread_setname_np(pthread_self(), g->dtls ? "coaps" : "gateway");
    while (!g->stopping)
        if (!serve_all(g))
            wait_for_datagrams(g);
    serve_all(g);
    pthread_mutex_lock(&g->lock);
    while (g->out_count)
        pthread_cond_wait(&g->returned, &g->lock);
    g->reading_ended = true;
    pthread_cond_signal(&g->to_send);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* ---- opening and closing ---- */

static enum err rounds_make(struct gateway *g)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct round *round = &g->rounds[i];
        enum err err;

        round->owner = g;
        if ((err = intake_new(&round->intake)) ||
            (err = outbox_init(&round->out, ROUND_ANSWERS, 24)) ||
            (g->dtls && (err = outbox_seal_with(&round->out, dtls_seal_reply, g->dtls))))
            return err;
        round->next = g->free_rounds;
        g->free_rounds = round;
    }
    return ERR_OK;
}

static enum err listeners_open(struct gateway *g, const char *option, const char *const *addresses,
                               size_t count, struct refusal *r)
{
    if (count > LISTENERS_MAX)
        return refuse(r, ERR_INVALID, 0, option, "at most %d addresses", LISTENERS_MAX);
    for (size_t i = 0; i < count; i++) {
        enum err err = listener_open(&g->listeners[i], option, addresses[i], r);

        if (err)
            return err;
        g->listener_count++;
    }
    return ERR_OK;
}

static enum err threads_start(struct gateway *g)
{
    gate_carry(g->gate, g->app->commands);
    if (pthread_create(&g->sender, NULL, sender_run, g))
        return ERR_NO_MEMORY;
    g->started = pthread_create(&g->thread, NULL, reader_run, g) == 0;
    if (g->started)
        return ERR_OK;
    pthread_mutex_lock(&g->lock);
    g->reading_ended = true;
    pthread_cond_signal(&g->to_send);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->sender, NULL);
    return ERR_NO_MEMORY;
}

/* Before rounds are made: their answers are sealed by it. */
static enum err secure(struct gateway *g, const struct dtls_options *options)
{
    enum err err;

    if ((err = dtls_new(options, (unsigned)g->listener_count, &g->dtls)) ||
        (err = forbidden_new(g->app, &g->forbidden)))
        return err;
    return outbox_seal_with(&g->now, dtls_seal_reply, g->dtls);
}

static enum err parts_make(struct gateway *g, const struct gate_options *options,
                           const struct dtls_options *secured)
{
    enum err err;

    if ((err = gate_new(g->app->ingest, options, &g->gate)) ||
        (err = inbox_new(LIMIT_DATAGRAM, &g->inbox)) ||
        (err = outbox_init(&g->now, INBOX_DATAGRAMS, 64)) ||
        (secured && (err = secure(g, secured))) || (err = rounds_make(g)))
        return err;
    return threads_start(g);
}

enum err gateway_open_secure(struct app *app, const char *const *addresses, size_t count,
                             const struct gate_options *options, const struct dtls_options *secured,
                             struct gateway **out, struct refusal *r)
{
    struct gateway *g = (struct gateway *)calloc(1, sizeof *g);
    enum err err;

    if (!g)
        return refuse(r, ERR_NO_MEMORY, 0, "coap", "no memory for the gateway");
    g->app = app;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->returned, NULL);
    pthread_cond_init(&g->to_send, NULL);
    if ((g->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        err = refuse(r, ERR_IO, 0, "coap", "no file descriptor left");
    else if (!(err = listeners_open(g, secured ? "coaps" : "coap", addresses, count, r)) &&
             (err = parts_make(g, options, secured)))
        err = refuse(r, err, 0, "coap", "no memory for the gateway");
    if (err) {
        gateway_close(g);
        return err;
    }
    *out = g;
    return ERR_OK;
}

enum err gateway_open(struct app *app, const char *const *addresses, size_t count,
                      const struct gate_options *options, struct gateway **out, struct refusal *r)
{
    return gateway_open_secure(app, addresses, count, options, NULL, out, r);
}

void gateway_close(struct gateway *g)
{
    uint64_t one = 1;

    if (!g)
        return;
    g->stopping = true;
    if (g->started) {
        (void)!write(g->wake, &one, sizeof one);
        pthread_join(g->thread, NULL);
        pthread_join(g->sender, NULL);
    }
    for (size_t i = 0; i < g->listener_count; i++)
        listener_close(&g->listeners[i]);
    for (int i = 0; i < ROUNDS; i++) {
        intake_free(g->rounds[i].intake);
        outbox_done(&g->rounds[i].out);
    }
    outbox_done(&g->now);
    inbox_free(g->inbox);
    gate_free(g->gate);
    forbidden_free(g->forbidden);
    dtls_free(g->dtls);
    if (g->wake >= 0)
        close(g->wake);
    pthread_cond_destroy(&g->returned);
    pthread_cond_destroy(&g->to_send);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void gateway_address(const struct gateway *g, size_t n, char out[ADDRESS_TEXT])
{
    address_of_socket(g->listeners[n].fd, out);
}
