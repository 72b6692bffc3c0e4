#include "server/gateway/dtls.h"

#include "server/clock.h"
#include "server/gateway/dtls_lost.h"
#include "server/gateway/dtls_shield.h"
#include "server/gateway/dtls_table.h"
#include "server/metrics.h"
#include "server/rate.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

/* At once, so that what comes after a flood is not far. */
#define READ_DATAGRAMS 256
/* The largest record with its head: what is too large is to be told so. */
#define DATAGRAM_MAX 16640
/* Records of one datagram; more is nobody's habit. */
#define RECORDS_MAX 8
#define SAID_DATAGRAMS 512
#define SAID_BYTES 96 /* of one, on average */
#define IDLE_MS 1000

#define QUEUE_DATAGRAMS 256 /* handshakes' datagrams that wait for their turn */
#define QUEUED_BYTES_MAX LIMIT_DATAGRAM
#define TURN_DATAGRAMS 16 /* of those: 1.3 ms of a turn */
#define TURN_REPEATS 16
#define TICK_US 250000

/* Handshakes under way: 56 KB each while they last, so 115 MB at the worst. One address may have a
 * quarter of them; past that its own oldest make room. */
#define SHAKES_MAX 2048
#define SHAKES_OF_ADDRESS (SHAKES_MAX / 4)
#define SHAKE_US 60000000
/* Records that OpenSSL would keep, with 17 KB each, until the handshake is over. */
#define EARLY_MAX 8

/* Which of its keys a meter has is found by trying; what was right last time is tried first.  What
 * fails is remembered with its address: else a stranger who calls itself as a meter does would turn
 * the meter's own attempts to the wrong key. */
#define ATTEMPTS 65536

#define ADDRESS_BITS 16
/* Of one address; contract §2: a carrier's NAT has thousands behind it. */
#define COOKIES_PER_S 20000

struct session {
    struct dtls_node node;
    struct dtls_keys keys;
    uint64_t id; /* never 0 */
    uint8_t identity_len;
    char identity[DTLS_IDENTITY_MAX];
};

struct shake {
    struct dtls_node node;
    struct dtls *dtls;
    struct dtls_shake *shake;
    struct route route;
    uint64_t hello; /* hash of its ClientHello's random */
    uint64_t began_us;
    bool changed; /* the client's keys are in use */
    bool done;
    uint64_t session; /* that came of it */
    uint32_t early;
    unsigned attempt;
};

struct queued {
    struct route route;
    struct peer peer;
    uint16_t len;
    uint8_t bytes[QUEUED_BYTES_MAX];
};

struct port {
    struct inbox *inbox;
    struct outbox said;
    struct dtls_shield shield;
    uint32_t hellos; /* without a cookie that holds, of this read */
    struct queued *queue;
    uint32_t first, count; /* of the queue */
};

struct dtls {
    struct dtls_options options;
    struct hash_key key;
    struct dtls_shaker *shaker;
    struct rate *cookies, *handshakes;
    struct dtls_table shakes;
    struct port ports[DTLS_LISTENERS_MAX];
    unsigned port_count;
    struct dtls_lost *lost;
    uint8_t right[ATTEMPTS];  /* by identity: the attempt that was */
    uint8_t failed[ATTEMPTS]; /* by address and identity: since then */
    uint64_t now_us, tick_us;
    uint8_t plain_room[DATAGRAM_MAX];

    /* Two locks make a turnstile: who waits comes next, so that the answering thread is not starved
     * by the reading one. They guard what follows. */
    pthread_mutex_t next, lock;
    struct dtls_crypt *crypt;
    struct dtls_table sessions;
    uint64_t last_id;
};

static void lock(struct dtls *d)
{
    pthread_mutex_lock(&d->next);
    pthread_mutex_lock(&d->lock);
    pthread_mutex_unlock(&d->next);
}

static void unlock(struct dtls *d)
{
    pthread_mutex_unlock(&d->lock);
}

static uint64_t now_s(const struct dtls *d)
{
    return d->now_us / 1000000;
}

/* ---- sessions ---- */

/* An id's upper bits are its listener. */
#define LISTENER_SHIFT 56

static void session_drop_lkd(struct dtls *d, struct session *s)
{
    dtls_table_take(&d->sessions, &s->node);
    OPENSSL_cleanse(&s->keys, sizeof s->keys);
    free(s);
    metrics_sub(METRIC_COAPS_SESSIONS, 1);
}

/* In place of the endpoint's earlier one, and if need be of the one not heard of for longest. */
static void session_put_lkd(struct dtls *d, struct session *s)
{
    struct session *before = (struct session *)dtls_table_find(&d->sessions, &s->node.place);

    if (before)
        session_drop_lkd(d, before);
    if (d->sessions.count >= d->options.sessions) {
        session_drop_lkd(d, (struct session *)d->sessions.oldest);
        metrics_add(METRIC_COAPS_EVICTED, 1);
    }
    s->id = s->node.place.listener << LISTENER_SHIFT | ++d->last_id;
    dtls_table_put(&d->sessions, &s->node);
    metrics_add(METRIC_COAPS_SESSIONS, 1);
}

size_t dtls_seal_reply(void *arg, const struct route *route, struct span plain, uint8_t *out)
{
    struct dtls *d = (struct dtls *)arg;
    struct peer peer;
    struct dtls_place place;
    struct session *s;
    size_t len = 0;

    route_peer(route, &peer);
    place = (struct dtls_place){ endpoint_of(&peer), route->session >> LISTENER_SHIFT };
    lock(d);
    s = (struct session *)dtls_table_find(&d->sessions, &place);
    if (s && s->id == route->session)
        len = dtls_seal(d->crypt, &s->keys, DTLS_DATA, plain, out);
    unlock(d);
    return len;
}

/* ---- what leaves ---- */

static void flush(struct port *p, const struct listener *l)
{
    uint32_t lost;

    if (p->said.count == 0)
        return;
    (void)outbox_send(&p->said, l->fd, &lost);
    metrics_add(METRIC_COAP_REPLIES_LOST, lost);
    outbox_clear(&p->said);
}

static struct port *port_of(struct shake *k)
{
    return &k->dtls->ports[k->node.place.listener];
}

/* Where there is no room it is lost, as datagrams may be, and said again. */
static void say(void *who, struct span datagram)
{
    struct shake *k = (struct shake *)who;

    (void)outbox_add_bytes(&port_of(k)->said, &k->route, datagram);
}

static void emit(struct inbox *plain, const struct datagram *d, const struct route *route,
                 struct session *s, struct span bytes)
{
    struct datagram out = { .peer = d->peer,
                            .bytes = bytes,
                            .identity = span_of(s->identity, s->identity_len) };
    struct route back = *route;

    back.session = s->id;
    if (!inbox_put(plain, &back, &out))
        metrics_add(METRIC_COAPS_DROPPED_QUEUE, 1);
}

/* ---- handshakes ---- */

static bool cookie_holds(void *who, struct span cookie)
{
    struct shake *k = (struct shake *)who;

    return dtls_cookie_holds(&k->dtls->key, &k->node.place.endpoint, now_s(k->dtls), cookie);
}

static uint8_t *right_at(struct dtls *d, struct span identity)
{
    const struct endpoint nobody = { { 0 } };

    return &d->right[hash_of(&d->key, &nobody, identity).a % ATTEMPTS];
}

static uint8_t *failed_at(const struct shake *k, struct span identity)
{
    const struct endpoint source = source_of(&k->node.place.endpoint);
    struct dtls *d = k->dtls;

    return &d->failed[hash_of(&d->key, &source, identity).a % ATTEMPTS];
}

static unsigned attempt_of(void *who, struct span identity)
{
    struct shake *k = (struct shake *)who;

    k->attempt = *right_at(k->dtls, identity) + *failed_at(k, identity);
    return k->attempt;
}

enum cause { CAUSE_REFUSED, CAUSE_TIMEOUT, CAUSE_EVICTED };

/* A wrong key shows only in that what it encrypts is not understood. */
static void count_failure(const struct shake *k, enum cause cause)
{
    static const enum metric metrics[] = { METRIC_COAPS_REFUSED, METRIC_COAPS_TIMEOUT,
                                           METRIC_COAPS_CROWDED };
    struct span identity;
    enum dtls_identity named = dtls_shake_identity(k->shake, &identity);

    if (k->changed && named == DTLS_UNKNOWN) {
        metrics_add(METRIC_COAPS_UNKNOWN_IDENTITY, 1);
    } else if (k->changed && named == DTLS_KNOWN) {
        metrics_add(METRIC_COAPS_WRONG_KEY, 1);
        ++*failed_at(k, identity);
    } else {
        metrics_add(metrics[cause], 1);
    }
}

static void shake_drop(struct dtls *d, struct shake *k, enum cause cause)
{
    if (!k->done)
        count_failure(k, cause);
    dtls_table_take(&d->shakes, &k->node);
    dtls_shake_free(k->shake);
    free(k);
    metrics_sub(METRIC_COAPS_SHAKES, 1);
}

static bool same_source(const struct dtls_node *n, const struct dtls_place *p)
{
    struct endpoint a = source_of(&n->place.endpoint), b = source_of(&p->endpoint);

    return memcmp(&a, &b, sizeof a) == 0;
}

/* The oldest make room: one's own where an address has more than its share. */
static void shake_make_room(struct dtls *d, const struct dtls_place *place)
{
    struct shake *own = NULL;
    uint32_t count = 0;

    if (d->shakes.count < SHAKES_OF_ADDRESS)
        return;
    for (struct dtls_node *n = d->shakes.newest; n; n = n->older)
        if (same_source(n, place)) {
            own = (struct shake *)n;
            count++;
        }
    if (count >= SHAKES_OF_ADDRESS)
        shake_drop(d, own, CAUSE_EVICTED);
    else if (d->shakes.count >= SHAKES_MAX)
        shake_drop(d, (struct shake *)d->shakes.oldest, CAUSE_EVICTED);
}

static struct shake *shake_begin(struct dtls *d, const struct dtls_place *place, uint64_t hello)
{
    struct shake *k;

    shake_make_room(d, place);
    k = (struct shake *)calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->node.place = *place;
    k->dtls = d;
    k->hello = hello;
    k->began_us = d->now_us;
    if (dtls_shake_new(d->shaker, k, &k->shake)) {
        free(k);
        return NULL;
    }
    dtls_table_put(&d->shakes, &k->node);
    metrics_add(METRIC_COAPS_SHAKES, 1);
    return k;
}

static bool shake_complete(struct dtls *d, struct shake *k)
{
    struct session *s = (struct session *)calloc(1, sizeof *s);
    struct span identity;
    bool made = false;

    if (!s)
        return false;
    s->node.place = k->node.place;
    lock(d);
    if (dtls_shake_identity(k->shake, &identity) == DTLS_KNOWN &&
        dtls_shake_keys(k->shake, d->crypt, &s->keys)) {
        memcpy(s->identity, identity.at, identity.len);
        s->identity_len = (uint8_t)identity.len;
        session_put_lkd(d, s);
        made = true;
    }
    unlock(d);
    if (made) {
        *right_at(d, identity) = (uint8_t)k->attempt;
        *failed_at(k, identity) = 0;
        k->session = s->id;
        metrics_add(METRIC_COAPS_COMPLETE, 1);
    } else {
        free(s);
    }
    k->done = made;
    return made;
}

/* What came together with the client's last words, and has been opened by OpenSSL. */
static void take_early(struct dtls *d, struct shake *k, const struct datagram *from,
                       struct inbox *plain)
{
    struct span bytes;

    while (dtls_shake_early(k->shake, d->plain_room, sizeof d->plain_room, &bytes)) {
        struct session *s;

        lock(d);
        s = (struct session *)dtls_table_find(&d->sessions, &k->node.place);
        if (s && s->id == k->session)
            emit(plain, from, &k->route, s, bytes);
        unlock(d);
    }
}

static void shake_hear(struct dtls *d, struct shake *k, const struct datagram *from,
                       struct inbox *plain)
{
    switch (dtls_shake_hear(k->shake, from->bytes)) {
    case DTLS_SHAKING:
        break;
    case DTLS_SHAKE_FAILED:
        shake_drop(d, k, CAUSE_REFUSED);
        break;
    case DTLS_SHAKEN:
        if (!k->done && !shake_complete(d, k)) {
            shake_drop(d, k, CAUSE_REFUSED);
            break;
        }
        take_early(d, k, from, plain);
        break;
    }
}

/* False: OpenSSL is not to have it, for it would keep more than it should. */
static bool shake_admits(struct shake *k, struct span datagram)
{
    struct dtls_record r;

    while (dtls_record_next(&datagram, &r)) {
        if (r.epoch && !k->done && ++k->early > EARLY_MAX)
            return false;
    }
    return true;
}

/* A datagram of the queue has its turn. */
static void shake_step(struct dtls *d, unsigned number, const struct queued *w, struct inbox *plain)
{
    struct datagram from = { .peer = w->peer, .bytes = span_of(w->bytes, w->len) };
    struct dtls_place place = { endpoint_of(&w->peer), number };
    struct shake *k = (struct shake *)dtls_table_find(&d->shakes, &place);
    struct span rest = from.bytes;
    struct dtls_record r;
    struct dtls_hello hello;

    if (dtls_record_next(&rest, &r) && dtls_hello_read(&r, &hello)) {
        uint64_t random = hash_of(&d->key, &place.endpoint, hello.random).a;

        if (k && k->hello != random) { /* the client has begun anew */
            shake_drop(d, k, CAUSE_TIMEOUT);
            k = NULL;
        }
        if (!k)
            k = shake_begin(d, &place, random);
    }
    if (!k || !shake_admits(k, from.bytes)) {
        metrics_add(METRIC_COAPS_DROPPED_GARBAGE, 1);
        return;
    }
    k->route = w->route;
    shake_hear(d, k, &from, plain);
}

static void enqueue(struct dtls *d, unsigned number, const struct route *route,
                    const struct datagram *from)
{
    struct port *p = &d->ports[number];
    struct queued *w = &p->queue[(p->first + p->count) % QUEUE_DATAGRAMS];

    if (p->count == QUEUE_DATAGRAMS || from->bytes.len > QUEUED_BYTES_MAX) {
        metrics_add(METRIC_COAPS_DROPPED_QUEUE, 1);
        return;
    }
    w->route = *route;
    w->peer = from->peer;
    w->len = (uint16_t)from->bytes.len;
    memcpy(w->bytes, from->bytes.at, from->bytes.len);
    p->count++;
}

/* What was perhaps lost is said again, and what takes too long is given up. */
static void tick(struct dtls *d)
{
    unsigned repeats = 0;

    dtls_lost_tick(d->lost, now_s(d));
    while (d->shakes.oldest && d->now_us - ((struct shake *)d->shakes.oldest)->began_us > SHAKE_US)
        shake_drop(d, (struct shake *)d->shakes.oldest, CAUSE_TIMEOUT);
    for (struct dtls_node *n = d->shakes.oldest; n && repeats < TURN_REPEATS; n = n->newer)
        repeats += dtls_shake_tick(((struct shake *)n)->shake);
    d->tick_us = d->now_us + (repeats < TURN_REPEATS ? TICK_US : 0);
}

void dtls_work(struct dtls *d, unsigned number, uint64_t now_us, struct inbox *plain)
{
    struct port *p = &d->ports[number];

    d->now_us = now_us;
    for (int i = 0; i < TURN_DATAGRAMS && p->count; i++) {
        shake_step(d, number, &p->queue[p->first], plain);
        p->first = (p->first + 1) % QUEUE_DATAGRAMS;
        p->count--;
    }
    if (now_us >= d->tick_us)
        tick(d);
}

/* ---- datagrams as they arrive ---- */

static void refuse_garbage(void)
{
    metrics_add(METRIC_COAPS_DROPPED_GARBAGE, 1);
}

/* A ClientHello: an answer that costs no memory, or, with a cookie that holds, a place in the queue. */
static void take_hello(struct dtls *d, unsigned number, const struct route *route,
                       const struct datagram *from, const struct dtls_hello *hello)
{
    struct endpoint e = endpoint_of(&from->peer), source = source_of(&e);
    uint64_t address = hash_quick(&d->key, e.w[0], e.w[1]);
    uint8_t cookie[DTLS_COOKIE_BYTES], verify[DTLS_VERIFY_BYTES];

    if (dtls_cookie_holds(&d->key, &e, now_s(d), hello->cookie)) {
        if (rate_take(d->handshakes, hash_quick(&d->key, source.w[0], source.w[1]), d->now_us))
            metrics_add(METRIC_COAPS_DROPPED_RATE, 1);
        else
            enqueue(d, number, route, from);
        return;
    }
    d->ports[number].hellos++;
    if (rate_take(d->cookies, address, d->now_us)) {
        metrics_add(METRIC_COAPS_DROPPED_RATE, 1);
        return;
    }
    dtls_cookie_make(&d->key, &e, now_s(d), cookie);
    dtls_verify_write(hello, cookie, verify);
    if (outbox_add_bytes(&d->ports[number].said, route, span_of(verify, sizeof verify)))
        metrics_add(METRIC_COAPS_COOKIES, 1);
}

/* A hello's later fragments come right behind the first, which may still wait for its turn. */
static bool follows_queued(const struct port *p, const struct peer *peer)
{
    struct endpoint from = endpoint_of(peer);

    for (uint32_t i = 0; i < p->count; i++) {
        struct endpoint e = endpoint_of(&p->queue[(p->first + i) % QUEUE_DATAGRAMS].peer);

        if (memcmp(&e, &from, sizeof e) == 0)
            return true;
    }
    return false;
}

/* In the clear: of a handshake, or of nothing. */
static void take_clear(struct dtls *d, unsigned number, const struct route *route,
                       const struct datagram *from, struct shake *k)
{
    struct span rest = from->bytes;
    struct dtls_record r;
    struct dtls_hello hello;

    while (dtls_record_next(&rest, &r)) {
        if (r.epoch == 0 && r.type == DTLS_HANDSHAKE && !dtls_handshake_is_modest(&r)) {
            refuse_garbage();
            return;
        }
        if (k && r.epoch == 0 && r.type == DTLS_CHANGE)
            k->changed = true;
    }
    rest = from->bytes;
    if (dtls_record_next(&rest, &r) && dtls_hello_read(&r, &hello))
        take_hello(d, number, route, from, &hello);
    else if (k || (r.type == DTLS_HANDSHAKE && follows_queued(&d->ports[number], &from->peer)))
        enqueue(d, number, route, from);
    else
        refuse_garbage();
}

enum { ALERT_CLOSE = 0, ALERT_WARNING = 1, ALERT_FATAL = 2 };

/* False: the session is over. */
static bool hear_alert_lkd(struct dtls *d, unsigned number, const struct route *route,
                           struct session *s, struct span alert)
{
    static const uint8_t close_notify[] = { ALERT_WARNING, ALERT_CLOSE };
    uint8_t record[sizeof close_notify + DTLS_SEAL_BYTES];
    size_t len;

    if (alert.len < 2 || (alert.at[0] != ALERT_FATAL && alert.at[1] != ALERT_CLOSE))
        return true;
    len = dtls_seal(d->crypt, &s->keys, DTLS_ALERT, span_of(close_notify, sizeof close_notify),
                    record);
    (void)outbox_add_bytes(&d->ports[number].said, route, span_of(record, len));
    session_drop_lkd(d, s);
    return false;
}

/* One record of a session; false: the session is over. */
static bool take_record_lkd(struct dtls *d, unsigned number, const struct route *route,
                            const struct datagram *from, struct session *s,
                            const struct dtls_record *r, struct inbox *plain)
{
    struct span said;

    if (r->fragment.len > sizeof d->plain_room ||
        !dtls_open(d->crypt, &s->keys, r, d->plain_room, &said)) {
        metrics_add(METRIC_COAPS_DROPPED_FORGED, 1);
        return true;
    }
    dtls_table_touch(&d->sessions, &s->node);
    if (r->type == DTLS_DATA) {
        emit(plain, from, route, s, said);
    } else if (r->type == DTLS_ALERT) {
        return hear_alert_lkd(d, number, route, s, said);
    }
    return true;
}

/* Once a session is spoken in, nobody asks for the end of its handshake again. */
static void confirm(struct dtls *d, const struct dtls_place *place)
{
    struct shake *k = (struct shake *)dtls_table_find(&d->shakes, place);

    if (k && k->done)
        shake_drop(d, k, CAUSE_TIMEOUT);
}

static void take_session(struct dtls *d, unsigned number, const struct route *route,
                         const struct datagram *from, struct session *s, struct inbox *plain)
{
    struct dtls_place place = s->node.place;
    struct span rest = from->bytes;
    struct dtls_record r;
    unsigned before = inbox_filled(plain);
    bool confirmed;

    lock(d);
    for (unsigned i = 0; i < RECORDS_MAX && dtls_record_next(&rest, &r); i++)
        if (r.epoch && !take_record_lkd(d, number, route, from, s, &r, plain))
            break;
    confirmed = inbox_filled(plain) > before;
    unlock(d);
    if (confirmed)
        confirm(d, &place);
}

void dtls_take(struct dtls *d, unsigned number, const struct route *route,
               const struct datagram *from, uint64_t now_us, struct inbox *plain)
{
    struct dtls_place place = { endpoint_of(&from->peer), number };
    struct shake *k = (struct shake *)dtls_table_find(&d->shakes, &place);
    struct session *s = (struct session *)dtls_table_find(&d->sessions, &place);
    struct span rest = from->bytes;
    struct dtls_record first;

    d->now_us = now_us;
    if (!dtls_record_next(&rest, &first))
        refuse_garbage();
    else if (first.epoch == 0)
        take_clear(d, number, route, from, k);
    else if (k && (k->done ? first.type == DTLS_HANDSHAKE : k->changed || !s))
        enqueue(d, number, route, from);
    else if (s)
        take_session(d, number, route, from, s, plain);
    else {
        metrics_add(METRIC_COAPS_UNKNOWN_SESSION, 1);
        dtls_lost_heard(d->lost, &place.endpoint, now_s(d));
    }
}

/* ---- sockets ---- */

unsigned dtls_read(struct dtls *d, unsigned number, const struct listener *l, struct inbox *plain)
{
    struct port *p = &d->ports[number];
    uint64_t now_us = (uint64_t)clock_monotonic_us();
    unsigned n = inbox_read(p->inbox, l, READ_DATAGRAMS);

    inbox_clear(plain);
    p->hellos = 0;
    for (unsigned i = 0; i < n; i++)
        dtls_take(d, number, inbox_route(p->inbox, i), inbox_datagram(p->inbox, i), now_us, plain);
    dtls_work(d, number, now_us, plain);
    flush(p, l);
    dtls_shield_read(&p->shield, l->fd, p->hellos, n == READ_DATAGRAMS, now_us);
    return inbox_filled(plain);
}

int dtls_wait_ms(const struct dtls *d)
{
    uint64_t now_us = (uint64_t)clock_monotonic_us();

    for (unsigned i = 0; i < d->port_count; i++)
        if (d->ports[i].count)
            return 0;
    if (d->shakes.count == 0)
        return IDLE_MS;
    return d->tick_us > now_us ? (int)((d->tick_us - now_us) / 1000 + 1) : 0;
}

struct outbox *dtls_said(struct dtls *d, unsigned number)
{
    return &d->ports[number].said;
}

/* ---- opening and closing ---- */

static enum err ports_open(struct dtls *d, unsigned count)
{
    for (; d->port_count < count; d->port_count++) {
        struct port *p = &d->ports[d->port_count];
        enum err err;

        dtls_shield_init(&p->shield);
        p->queue = (struct queued *)malloc(QUEUE_DATAGRAMS * sizeof *p->queue);
        if (!p->queue)
            return ERR_NO_MEMORY;
        if ((err = inbox_new(DATAGRAM_MAX, &p->inbox)) ||
            (err = outbox_init(&p->said, SAID_DATAGRAMS, SAID_BYTES)))
            return err;
    }
    return ERR_OK;
}

enum err dtls_new(const struct dtls_options *options, unsigned listeners, struct dtls **out)
{
    struct dtls *d = (struct dtls *)calloc(1, sizeof *d);
    const struct dtls_shaker_options shaker = { .psk = options->psk,
                                                .psk_arg = options->psk_arg,
                                                .say = say,
                                                .cookie = cookie_holds,
                                                .attempt = attempt_of };
    enum err err;

    if (!d)
        return ERR_NO_MEMORY;
    d->options = *options;
    pthread_mutex_init(&d->next, NULL);
    pthread_mutex_init(&d->lock, NULL);
    if ((err = hash_key_make(&d->key)) || (err = dtls_crypt_new(&d->crypt)) ||
        (err = dtls_shaker_new(&shaker, &d->shaker)) || (err = dtls_lost_new(&d->lost)) ||
        (err = rate_new(COOKIES_PER_S, COOKIES_PER_S, ADDRESS_BITS, &d->cookies)) ||
        (err = rate_new(options->handshake_rate, options->handshake_rate, ADDRESS_BITS,
                        &d->handshakes)) ||
        (err = dtls_table_init(&d->shakes, SHAKES_MAX)) ||
        (err = dtls_table_init(&d->sessions, d->options.sessions)) ||
        (err = ports_open(d, listeners))) {
        dtls_free(d);
        return err;
    }
    *out = d;
    return ERR_OK;
}

void dtls_forget(struct dtls *d)
{
    while (d->shakes.oldest)
        shake_drop(d, (struct shake *)d->shakes.oldest, CAUSE_EVICTED);
    lock(d);
    while (d->sessions.oldest)
        session_drop_lkd(d, (struct session *)d->sessions.oldest);
    unlock(d);
}

void dtls_free(struct dtls *d)
{
    if (!d)
        return;
    dtls_forget(d);
    for (unsigned i = 0; i < DTLS_LISTENERS_MAX; i++) {
        free(d->ports[i].queue);
        inbox_free(d->ports[i].inbox);
        outbox_done(&d->ports[i].said);
    }
    dtls_table_done(&d->sessions);
    dtls_table_done(&d->shakes);
    rate_free(d->handshakes);
    rate_free(d->cookies);
    dtls_lost_free(d->lost);
    dtls_shaker_free(d->shaker);
    dtls_crypt_free(d->crypt);
    pthread_mutex_destroy(&d->lock);
    pthread_mutex_destroy(&d->next);
    free(d);
}
