#include "server/query/live.h"

#include "server/hooks.h"
#include "server/judge.h"
#include "server/metrics.h"
#include "server/query/auth.h"
#include "server/scope.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SUBJECT_MAX 128
#define TEXT_MAX 640 /* of an event */
#define RECORDS_MOST                                                                               \
    20000            /* of the audit that one look goes through, and the rest of the act at hand */
#define TURN_MOST 64 /* events a listener is given before others have their turn */
#define BACK_MOST 1000 /* acts that the first look goes back, for who comes after a restart */

/* ---- what is told ---- */

enum owner {
    OWNER_METER,
    OWNER_POINT,
    OWNER_ROUTE,
    OWNER_ORDER,
    OWNER_FLAG,
    OWNER_WHOLE,
    OWNER_EVERY
};

static const struct told {
    const char *what, *event;
    enum owner owner;
    const char *path;
} tolds[] = {
#define LIVE(what_, event_, owner_, path_) { what_, #event_, OWNER_##owner_, path_ },
#include "server/query/live.def"
#undef LIVE
};
#define TOLDS (sizeof tolds / sizeof tolds[0])

struct event {
    struct hook_place at; /* of the last record that it tells of */
    int64_t at_s;
    const struct told *told;
    uint32_t count; /* more than one: subject and change are the first's */
    char subject[SUBJECT_MAX], change[40];
};

/* The kept events are numbered; number n stands at n % LIVE_KEPT. */
struct ring {
    struct event *at;
    uint64_t begin, end;
    struct hook_place lost; /* whoever knows nothing behind it has missed something */
    struct hook_place seen; /* all up to here was looked at */
};

struct live_listener {
    struct live *live;
    struct MHD_Connection *connection;
    struct span secret; /* the session's or token's */
    bool by_session;
    struct caller caller;
    struct hook_place last; /* Last-Event-ID; act 0: none */
    bool begun, ended;      /* ended: the text that waits is the last */
    uint64_t next;          /* event */
    int64_t beat_ms;
    struct out text; /* that waits */
    size_t taken;
    bool suspended;
    uint64_t arrivals; /* sample that it was told last */
};

struct live {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock; /* listeners, their texts and whether they are suspended */
    pthread_cond_t changed;
    bool started, stopping;
    struct live_listener *at[LIVE_MOST];
    size_t count;
    /* the thread's own */
    struct ring ring;
    uint64_t records, sample; /* sample: counts the samples that differ */
    int64_t sampled_ms;
    char rate[96];
};

/* ---- the audit's new records ---- */

static bool what_fits(struct span what, const char *wanted)
{
    size_t len = strlen(wanted);

    if (wanted[len - 1] == '.')
        return what.len > len && memcmp(what.at, wanted, len) == 0;
    return span_equal(what, span_of(wanted, len));
}

static const struct told *told_of(struct span what)
{
    for (size_t i = 0; i < TOLDS; i++)
        if (what_fits(what, tolds[i].what))
            return &tolds[i];
    return NULL;
}

static void copy(char *to, size_t size, struct span text)
{
    if (text.len && !text.at[text.len - 1])
        text.len--;
    text_cut(to, size, text);
}

/* "flag.decide" → "decide"; a word without a dot is itself. */
static struct span change_of(struct span what)
{
    for (size_t i = 0; i < what.len; i++)
        if (what.at[i] == '.')
            return span_of(what.at + i + 1, what.len - i - 1);
    return what;
}

static struct event *event_at(struct ring *r, uint64_t number)
{
    return &r->at[number % LIVE_KEPT];
}

static void push(struct ring *r, const struct event *e)
{
    if (r->end - r->begin == LIVE_KEPT) {
        r->lost = event_at(r, r->begin)->at;
        r->begin++;
    }
    *event_at(r, r->end++) = *e;
}

/* One act's records, kind by kind. */
struct look {
    struct live *live;
    unsigned visits;
    bool cut; /* there are more */
    uint64_t act;
    uint32_t counts[TOLDS];
    struct event many[TOLDS]; /* of what is counted beyond LIVE_ACT_MOST */
};

static void end_act(struct look *k)
{
    for (size_t i = 0; i < TOLDS; i++) {
        if (k->counts[i] > LIVE_ACT_MOST) {
            k->many[i].at = k->live->ring.seen; /* ids rise */
            push(&k->live->ring, &k->many[i]);
        }
        k->counts[i] = 0;
    }
}

static void take_told(struct look *k, const struct told *told, const struct audit_record *r)
{
    size_t kind = (size_t)(told - tolds);
    struct event e = {
        .at = { .act = r->number, .part = r->part }, .at_s = r->at_s, .told = told, .count = 1
    };

    copy(e.subject, sizeof e.subject, r->subject);
    copy(e.change, sizeof e.change, change_of(r->what));
    if (++k->counts[kind] <= LIVE_ACT_MOST) {
        push(&k->live->ring, &e);
        return;
    }
    e.count = k->counts[kind] - LIVE_ACT_MOST;
    k->many[kind] = e;
}

static bool look_at(void *arg, const struct audit_record *r)
{
    struct look *k = (struct look *)arg;
    const struct told *told;

    if (r->number != k->act) {
        if (k->visits >= RECORDS_MOST) {
            k->cut = true;
            return false;
        }
        end_act(k);
        k->act = r->number;
    }
    k->visits++;
    if ((told = told_of(r->what)))
        take_told(k, told, r);
    k->live->ring.seen = (struct hook_place){ .act = r->number, .part = r->part };
    return true;
}

/* False: the ledger cannot be read now; the next look tries again. */
static bool look(struct live *l, bool *out_more)
{
    struct look *k = (struct look *)calloc(1, sizeof *k);
    struct txn t = ledger_read(l->app->ledger);
    uint64_t end = t.err ? 0 : ledger_end(&t);
    bool fine = k && !t.err;

    *out_more = false;
    if (fine && end > l->ring.seen.act) {
        k->live = l;
        fine = !ledger_audit(&t, l->ring.seen.act + 1, look_at, k);
        end_act(k);
        *out_more = fine && k->cut;
    }
    if (txn_end(&t))
        fine = false;
    free(k);
    return fine;
}

/* Where nobody listened for long, or nobody has yet. */
static void catch_up(struct live *l)
{
    struct txn t = ledger_read(l->app->ledger);
    uint64_t end = t.err ? 0 : ledger_end(&t);
    bool more;

    if (end > l->ring.seen.act + BACK_MOST) {
        l->ring.begin = l->ring.end;
        l->ring.seen = l->ring.lost =
            (struct hook_place){ .act = end - BACK_MOST, .part = UINT32_MAX };
    }
    (void)!txn_end(&t);
    do
        (void)look(l, &more);
    while (more && !l->app->stopping);
}

/* ---- the counters ---- */

static void sample(struct live *l)
{
    int64_t now_ms = clock_monotonic_ms(), passed_ms = now_ms - l->sampled_ms;
    uint64_t records = metrics_get(METRIC_INGEST_RECORDS), more = records - l->records;
    char at[TEXT_TIME_SIZE];
    char rate[sizeof l->rate];

    if (l->sampled_ms && passed_ms < LIVE_LOOK_MS / 2)
        return;
    text_put_time(at, clock_now_s(&l->app->clock));
    snprintf(rate, sizeof rate, "\"records\":%llu,\"per_s\":%.1f", (unsigned long long)records,
             l->sampled_ms && passed_ms > 0 ? (double)more * 1000 / (double)passed_ms : 0.0);
    l->records = records;
    l->sampled_ms = now_ms;
    if (strcmp(rate, l->rate) == 0 && l->sample)
        return;
    memcpy(l->rate, rate, sizeof rate);
    l->sample++;
}

/* ---- what a listener is told ---- */

static bool flag_in(struct scope *s, struct txn *t, const char *id)
{
    char digits[9] = "", *end;
    struct ledger_row row;
    unsigned long meter;

    snprintf(digits, sizeof digits, "%.8s", id);
    meter = strtoul(digits, &end, 16);
    if (end != digits + 8)
        return false;
    if (!meter)
        return scope_point(s, t, flag_outage_point(t, span_text(id)));
    return ledger_by_id(t, LIST_METER, (uint32_t)meter, INT64_MAX, &row) && scope_meter(s, t, &row);
}

static bool named_in(struct scope *s, struct txn *t, enum list_kind list, const char *name)
{
    struct ledger_row row;

    return ledger_find(t, list, span_text(name), INT64_MAX, &row) && scope_row(s, t, &row);
}

/* Commands' subjects are numbers of meters. */
static bool command_meter(struct txn *t, const struct event *e, struct ledger_row *out)
{
    int64_t id;

    return !text_int(span_text(e->subject), &id) && id > 0 && id <= UINT32_MAX &&
           ledger_by_id(t, LIST_METER, (uint32_t)id, INT64_MAX, out);
}

static bool is_command(const struct event *e)
{
    return strcmp(e->told->event, "command") == 0;
}

static bool may_hear(struct scope *s, struct txn *t, const struct event *e)
{
    struct ledger_row row;

    if (!s->org[0] || e->told->owner == OWNER_EVERY)
        return true;
    if (e->count > 1)
        return e->told->owner != OWNER_WHOLE;
    switch (e->told->owner) {
    case OWNER_METER:
        return is_command(e) ? command_meter(t, e, &row) && scope_meter(s, t, &row)
                             : named_in(s, t, LIST_METER, e->subject);
    case OWNER_POINT:
        return named_in(s, t, LIST_POINT, e->subject);
    case OWNER_ROUTE:
        return named_in(s, t, LIST_ROUTE, e->subject);
    case OWNER_ORDER:
        return named_in(s, t, LIST_ORDER, e->subject);
    case OWNER_FLAG:
        return flag_in(s, t, e->subject);
    default:
        return false;
    }
}

/* A flag's id that begins with no meter is an outage's. */
static const char *event_name_of(const struct event *e)
{
    return e->told->owner == OWNER_FLAG && strncmp(e->subject, "00000000", 8) == 0 ? "outage"
                                                                                   : e->told->event;
}

static void put_event(struct out *o, struct txn *t, const struct event *e, bool whole)
{
    const char *subject = e->subject;
    struct ledger_row row;
    char serial[SERIAL_MAX + 1] = "", id[HOOK_ID_SIZE];

    if (is_command(e)) {
        if (command_meter(t, e, &row))
            copy(serial, sizeof serial, row.cells[CELL_METER_serial]);
        subject = serial;
    }
    hook_event_id(e->at, id);
    out_format(o, "id: %s\nevent: %s\ndata: {", id, event_name_of(e));
    out_member_time(o, "at", e->at_s);
    out_member_text(o, "change", e->change);
    if (e->count > 1 && whole)
        out_member_int(o, "count", e->count);
    if (e->count == 1 && e->told->path && subject[0])
        out_member_path(o, "path", e->told->path, span_text(subject));
    out_text(o, "}\n\n");
}

static void put_plain(struct live *l, struct out *o, const char *event, const char *id)
{
    if (id)
        out_format(o, "id: %s\n", id);
    out_format(o, "event: %s\ndata: {", event);
    out_member_time(o, "at", clock_now_s(&l->app->clock));
    out_text(o, "}\n\n");
}

static void put_rate(struct live *l, struct out *o)
{
    out_text(o, "event: arrivals\ndata: {");
    out_member_time(o, "at", clock_now_s(&l->app->clock));
    out_format(o, ",%s}\n\n", l->rate);
}

/* ---- a listener's turn ---- */

static bool is_behind(struct hook_place x, struct hook_place y)
{
    return x.act > y.act || (x.act == y.act && x.part > y.part);
}

/* The first event behind a place; *out_missed: there were others that are not kept. */
static uint64_t first_behind(const struct ring *r, struct hook_place place, bool *out_missed)
{
    uint64_t low = r->begin, high = r->end;

    *out_missed = is_behind(r->lost, place) || is_behind(place, r->seen);
    if (*out_missed)
        return r->end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (is_behind(r->at[middle % LIVE_KEPT].at, place))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void begin(struct live *l, struct live_listener *s)
{
    char id[HOOK_ID_SIZE];
    bool missed = false;

    s->begun = true;
    s->next = s->last.act ? first_behind(&l->ring, s->last, &missed) : l->ring.end;
    hook_event_id(s->last.act && !missed ? s->last : l->ring.seen, id);
    put_plain(l, &s->text, missed ? "missed" : "begin", l->ring.seen.act ? id : NULL);
}

static bool has_room(const struct live_listener *s)
{
    return s->text.len - s->taken <= LIVE_ROOM - TEXT_MAX;
}

/* Who has no room is told that it missed something once there is some: until then nothing is added, however often the ring passes. */
static void tell_events(struct live *l, struct live_listener *s, struct txn *t, struct scope *scope)
{
    if (s->next < l->ring.begin && has_room(s)) {
        char id[HOOK_ID_SIZE];

        s->next = l->ring.end;
        hook_event_id(l->ring.seen, id);
        put_plain(l, &s->text, "missed", id);
    }
    for (unsigned n = 0; n < TURN_MOST && s->next < l->ring.end && has_room(s); n++, s->next++) {
        const struct event *e = event_at(&l->ring, s->next);

        if (may_hear(scope, t, e))
            put_event(&s->text, t, e, !s->caller.org[0]);
    }
}

/* Under the lock. What was taken goes, so that the text does not grow for ever. */
static void compact(struct live_listener *s)
{
    if (!s->taken)
        return;
    s->text.len -= s->taken;
    memmove(s->text.at, s->text.at + s->taken, s->text.len);
    s->taken = 0;
}

/* Under the lock. */
static void tell(struct live *l, struct live_listener *s, struct txn *t)
{
    struct scope scope = scope_of(s->caller.org);
    int64_t now_ms = clock_monotonic_ms();
    size_t before;

    compact(s);
    before = s->text.len;
    if (!s->begun)
        begin(l, s);
    tell_events(l, s, t, &scope);
    if (s->arrivals != l->sample && s->text.len < LIVE_ROOM - TEXT_MAX) {
        s->arrivals = l->sample;
        put_rate(l, &s->text);
    }
    if (s->text.len == before && !before && now_ms - s->beat_ms >= LIVE_BEAT_MS)
        out_text(&s->text, ":\n\n");
    if (s->text.len > before)
        s->beat_ms = now_ms;
    if (s->text.err)
        s->ended = true;
}

static void end_listener(struct live_listener *s, const char *why)
{
    if (s->ended)
        return;
    compact(s);
    s->ended = true;
    out_text(&s->text, "event: end\ndata: {");
    out_member_text(&s->text, "why", why);
    out_text(&s->text, "}\n\n");
}

/* Who may still listen, as the ledger has it now; the one whose rights changed comes again. */
static bool is_still_in(struct live *l, const struct live_listener *s)
{
    struct caller now;
    enum err err = auth_again(l->app, s->secret, s->by_session, &now);

    if (err)
        return err != ERR_UNAUTHORIZED;
    return now.role == s->caller.role && strcmp(now.org, s->caller.org) == 0;
}

/* Who closed his page hangs up, and nobody reads from a connection that is suspended. */
static bool has_gone(const struct live_listener *s)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(s->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd p = { .fd = info ? info->connect_fd : -1, .events = POLLRDHUP };

    return info && poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* The listener of place `n` in the list has its turn; false: there is none. */
static bool serve(struct live *l, size_t n, bool *out_more)
{
    struct MHD_Connection *wake = NULL;
    struct live_listener *s;
    struct txn t;

    pthread_mutex_lock(&l->lock);
    if (n >= l->count) {
        pthread_mutex_unlock(&l->lock);
        return false;
    }
    s = l->at[n];
    if (s->suspended && has_gone(s)) {
        s->ended = true;
        out_clear(&s->text);
        s->taken = 0;
    }
    if (!s->ended && !is_still_in(l, s))
        end_listener(s, "signed out");
    if (!s->ended) {
        t = ledger_read(l->app->ledger);
        tell(l, s, &t);
        (void)!txn_end(&t);
        *out_more = *out_more || (s->next < l->ring.end && s->text.len < LIVE_ROOM / 2);
    }
    if (s->suspended && (s->ended || s->text.len > s->taken)) {
        s->suspended = false;
        wake = s->connection;
    }
    pthread_mutex_unlock(&l->lock);
    if (wake)
        MHD_resume_connection(wake); /* it cannot have gone: who is suspended does not go */
    return true;
}

/* ---- the thread ---- */

/* False: the end. */
static bool wait_for_turn(struct live *l, bool more)
{
    struct timespec until;
    bool idle, go;

    pthread_mutex_lock(&l->lock);
    idle = !l->count;
    if (idle)
        l->app->flag_listeners &= ~FLAG_LISTENER_LIVE;
    while (!l->count && !l->stopping)
        pthread_cond_wait(&l->changed, &l->lock);
    if (!idle && !more && !l->stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LIVE_LOOK_MS / 1000;
        (void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
    }
    go = !l->stopping;
    pthread_mutex_unlock(&l->lock);
    if (go && idle) {
        l->app->flag_listeners |= FLAG_LISTENER_LIVE;
        l->sampled_ms = 0;
        l->records = metrics_get(METRIC_INGEST_RECORDS);
        catch_up(l);
    }
    return go;
}

/* Any listener that is suspended, which it then is no more; NULL: none is. */
static struct MHD_Connection *suspended_one(struct live *l)
{
    struct MHD_Connection *one = NULL;

    pthread_mutex_lock(&l->lock);
    for (size_t n = 0; n < l->count && !one; n++)
        if (l->at[n]->suspended) {
            l->at[n]->suspended = false;
            one = l->at[n]->connection;
        }
    pthread_mutex_unlock(&l->lock);
    return one;
}

/* From here on nobody is suspended any more: libmicrohttpd does not end while one is. */
static void say_farewell(struct live *l)
{
    struct MHD_Connection *one;

    pthread_mutex_lock(&l->lock);
    for (size_t n = 0; n < l->count; n++)
        end_listener(l->at[n], "stopping");
    pthread_mutex_unlock(&l->lock);
    while ((one = suspended_one(l)))
        MHD_resume_connection(one);
}

static void *run(void *arg)
{
    struct live *l = (struct live *)arg;
    bool more = false;

    while (wait_for_turn(l, more)) {
        bool looked_on = false;

        more = false;
        sample(l);
        (void)look(l, &looked_on);
        for (size_t n = 0; serve(l, n, &more); n++)
            ;
        more = more || looked_on;
    }
    say_farewell(l);
    return NULL;
}

/* ---- from outside ---- */

enum err live_open(struct app *app, struct live **out)
{
    struct live *l = (struct live *)calloc(1, sizeof *l);
    pthread_condattr_t attr;

    if (!l || !(l->ring.at = (struct event *)calloc(LIVE_KEPT, sizeof *l->ring.at))) {
        free(l);
        return ERR_NO_MEMORY;
    }
    l->app = app;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&l->thread, NULL, run, l)) {
        live_close(l);
        return ERR_NO_MEMORY;
    }
    l->started = true;
    pthread_setname_np(l->thread, "live");
    *out = l;
    return ERR_OK;
}

void live_stop(struct live *l)
{
    if (!l || !l->started)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    l->started = false;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    live_stop(l);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->ring.at);
    free(l);
}

/* Under the lock. */
static enum err find_room(struct live *l, const struct caller *who, struct refusal *r)
{
    size_t same = 0;

    for (size_t n = 0; n < l->count; n++)
        same += strcmp(l->at[n]->caller.who, who->who) == 0;
    if (l->stopping)
        return refuse(r, ERR_STOPPING, 0, "", "the server is stopping");
    if (same >= LIVE_PERSON_MOST)
        return refuse(r, ERR_LIMIT, 0, "", "%.60s listens %d times already: close a page", who->who,
                      LIVE_PERSON_MOST);
    if (l->count == LIVE_MOST)
        return refuse(r, ERR_LIMIT, 0, "", "%d pages listen already: try again later", LIVE_MOST);
    return ERR_OK;
}

enum err live_join(struct live *l, struct request *q, struct span last, struct live_listener **out,
                   struct refusal *r)
{
    struct live_listener *s = (struct live_listener *)calloc(1, sizeof *s);
    enum err err;

    if (!s)
        return refuse(r, ERR_NO_MEMORY, 0, "", "no memory to listen");
    s->live = l;
    s->connection = q->connection;
    s->secret = q->token;
    s->by_session = q->by_session;
    s->caller = q->caller;
    s->beat_ms = clock_monotonic_ms();
    if (!hook_event_place(last, &s->last))
        s->last = (struct hook_place){ 0 };
    pthread_mutex_lock(&l->lock);
    if (!(err = find_room(l, &q->caller, r))) {
        l->at[l->count++] = s;
        metrics_set(METRIC_LIVE, l->count);
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    if (err)
        free(s);
    else
        *out = s;
    return err;
}

/* Under the lock. 0: there is nothing; -1: nor will there be. */
static long take(struct live_listener *s, char *to, size_t max)
{
    size_t left = s->text.len - s->taken, len = left < max ? left : max;

    if (!len)
        return s->ended ? -1 : 0;
    memcpy(to, s->text.at + s->taken, len);
    s->taken += len;
    return (long)len;
}

/* The connection is suspended before anybody can see that it is: so nobody wakes it too early. */
long live_read(struct live_listener *s, char *to, size_t max)
{
    struct live *l = s->live;
    long len;

    pthread_mutex_lock(&l->lock);
    len = take(s, to, max);
    pthread_mutex_unlock(&l->lock);
    if (len)
        return len;
    MHD_suspend_connection(s->connection);
    pthread_mutex_lock(&l->lock);
    s->suspended = s->text.len == s->taken && !s->ended;
    len = s->suspended;
    pthread_mutex_unlock(&l->lock);
    if (!len)
        MHD_resume_connection(s->connection);
    return 0;
}

void live_leave(struct live_listener *s)
{
    struct live *l;

    if (!s)
        return;
    l = s->live;
    pthread_mutex_lock(&l->lock);
    for (size_t n = 0; n < l->count; n++)
        if (l->at[n] == s) {
            l->at[n] = l->at[--l->count];
            break;
        }
    metrics_set(METRIC_LIVE, l->count);
    pthread_mutex_unlock(&l->lock);
    out_done(&s->text);
    free(s);
}
