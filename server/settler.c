/* One thread; everything it does is a step that may be cut off at any byte:
 *
 *   settle   tail generation → one archive pass, visible with its position in one commit
 *   judge    the meters that the pass touched, and those that others touched
 *   tidy     merge runs while there is nothing else to do
 *   drop     unlink journal segments that are settled, judged and older than the retention */
#include "server/settler.h"

#include "server/acts/quarantine.h"
#include "server/judge.h"
#include "server/metrics.h"
#include "server/readings.h"
#include "server/registers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define TIDY_STEP_BYTES (32u << 20) /* of output between two looks at what is waiting */
#define DOUBLES_MOST 4096           /* in the list of touched meters, before they are looked for */
#define VITALS_AT_ONCE 8192         /* meters whose last words are written in one transaction */
#define JUDGE_SLICE 4096            /* meters judged between two looks at whether to stop */
#define NICE 19 /* below the threads that answer, as far as locks shared with them let it */

/* Unsettled records that are settled without waiting for the interval: how many memory and a start
 * after a crash bear well. */
#define NUDGE_RECORDS 500000

struct news {
    struct judge_news *at;
    size_t count, cap;
};

struct settler {
    struct app *app;
    unsigned every_s;
    pthread_t thread;
    /* Lock order: `place`, then `lock`, then the tail's. */
    pthread_mutex_t place; /* who holds it may write to archive and views */
    pthread_mutex_t lock;  /* what stands below */
    pthread_cond_t wake, turned, lent;
    uint64_t wanted, lent_count; /* how often the place was asked for on loan, and taken */
    uint64_t asked, done;        /* settlings asked for, and finished */
    enum err last;               /* how the last one ended */
    bool started, stopping;
    bool release_due;    /* the settling thread's: frames may wait for meters that are registered */
    uint64_t acts_seen;  /* number of the newest act at the last look; the settling thread's own */
    struct news touched; /* by others, unsorted, doubles allowed */
    size_t distinct;     /* of them, when doubles were last taken out */
};

static enum err news_push(struct news *n, uint32_t meter, uint32_t first_s)
{
    if (n->count == n->cap) {
        size_t cap = n->cap ? n->cap * 2 : 1024;
        struct judge_news *at = (struct judge_news *)realloc(n->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        n->at = at;
        n->cap = cap;
    }
    n->at[n->count++] = (struct judge_news){ .meter = meter, .first_s = first_s };
    return ERR_OK;
}

static int news_order(const void *a, const void *b)
{
    const struct judge_news *x = (const struct judge_news *)a, *y = (const struct judge_news *)b;

    if (x->meter != y->meter)
        return x->meter < y->meter ? -1 : 1;
    return (x->first_s > y->first_s) - (x->first_s < y->first_s);
}

/* By meter, each once, with the earliest of its times. */
static void news_sort(struct news *n)
{
    size_t kept = 0;

    if (n->count) /* no array yet is no array to sort */
        qsort(n->at, n->count, sizeof *n->at, news_order);
    for (size_t i = 0; i < n->count; i++)
        if (kept == 0 || n->at[kept - 1].meter != n->at[i].meter)
            n->at[kept++] = n->at[i];
    n->count = kept;
}

/* ---- settling ---- */

/* One pass over the settling generation. */
struct pass {
    struct app *app;
    struct archive_pass *archive;
    struct journal_reader *reader;
    struct arena *scratch;
    struct txn ledger;
    struct rows rows[CHANNEL_COUNT]; /* of the meter at hand */
    uint64_t *positions;
    size_t position_cap;
    uint64_t newest;      /* position seen */
    unsigned since_renew; /* meters since the readers let go */
    struct news *touched;
    struct vitals_entry *vitals; /* not written yet */
    size_t vitals_count;
    bool release_due;  /* a frame came to wait for a meter that was registered meanwhile */
    uint64_t readings; /* settled */
};

static enum err pass_collect(void *arg, enum channel c, const struct row *rows, size_t count)
{
    struct rows *out = &((struct pass *)arg)->rows[c];
    enum err err = rows_reserve(out, count);

    if (err)
        return err;
    memcpy(out->at + out->count, rows, count * sizeof *rows);
    out->count += count;
    return ERR_OK;
}

/* The positions of a meter in the settling generation, into p->positions. */
static enum err pass_positions(struct pass *p, uint32_t meter, size_t *out_count)
{
    size_t count;

    while ((count = tail_settling_of(p->app->tail, meter, p->positions, p->position_cap)) >
           p->position_cap) {
        uint64_t *more = (uint64_t *)realloc(p->positions, count * 2 * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        p->positions = more;
        p->position_cap = count * 2;
    }
    for (size_t i = 0; i < count; i++)
        if (p->positions[i] > p->newest)
            p->newest = p->positions[i];
    *out_count = count;
    return ERR_OK;
}

static enum err pass_quarantine(struct pass *p)
{
    size_t count = 0;
    enum err err = pass_positions(p, 0, &count);

    for (size_t i = 0; i < count && !err; i++) {
        struct record record;
        struct frame frame = { 0 };
        const struct dialect *dialect;

        if ((err = journal_get(p->reader, p->positions[i], &record)))
            break;
        if (record.kind == RECORD_REJECT) {
            err =
                quarantine_put_reject(p->app->quarantine, p->positions[i], ERR_MALFORMED, &record);
            continue;
        }
        dialect = dialect_by_id(record.dialect);
        arena_clear(p->scratch);
        if (dialect && record.name.len == 0) {
            struct dialect_input in = { .bytes = record.bytes, .arrival_s = record.arrival_s };

            if (dialect->decode(&in, p->scratch, &frame, NULL) == ERR_OK)
                record.name = frame.serial;
        }
        if (record.name.len && registry_find(p->app->registry, record.name))
            p->release_due = true;
        err =
            quarantine_put(p->app->quarantine, p->positions[i], record.name, ERR_UNKNOWN, &record);
    }
    return err;
}

static enum err flush_vitals(struct pass *p)
{
    enum err err = archive_vitals_put(p->app->archive, p->vitals, p->vitals_count);

    p->vitals_count = 0;
    return err;
}

static enum err pass_vitals(struct pass *p, uint32_t meter, const struct vitals *vitals)
{
    enum err err = p->vitals_count == VITALS_AT_ONCE ? flush_vitals(p) : ERR_OK;

    if (!err)
        p->vitals[p->vitals_count++] = (struct vitals_entry){ .meter = meter, .vitals = *vitals };
    return err;
}

/* It counts like others that wait, though nobody could ask beforehand whether there is room. */
static enum err put_aside(struct pass *p, uint64_t position, struct span name, enum err why,
                          const struct record *record)
{
    struct quarantine *q = p->app->quarantine;
    enum err err = quarantine_recount(q, position, &record->peer, record->bytes.len);

    return err ? err : quarantine_put(q, position, name, why, record);
}

static enum err pass_meter(struct pass *p, uint32_t meter)
{
    struct meter_facts facts;
    struct vitals vitals;
    uint64_t before;
    size_t count;
    uint32_t first_s = UINT32_MAX;
    enum err err;

    for (int c = 0; c < CHANNEL_COUNT; c++)
        p->rows[c].count = 0;
    if ((err = meter_facts_by_id(&p->ledger, meter, &facts)) ||
        (err = pass_positions(p, meter, &count)) ||
        (err = archive_vitals(p->app->archive, meter, &vitals)))
        return err;
    before = vitals.position;
    for (size_t i = 0; i < count && !err; i++) {
        struct kept_record kept = { .position = p->positions[i] };

        if (!(err = journal_get(p->reader, kept.position, &kept.record)))
            err = readings_of_record(&kept, &facts, p->scratch, pass_collect, p, &vitals);
        /* What was taken once and does not read any more must not hold up all others: it waits. */
        if (err_class(err) == ERR_CLASS_PEER)
            err = put_aside(p, kept.position, span_text(facts.serial), err, &kept.record);
    }
    if (!err && vitals.position != before)
        err = pass_vitals(p, meter, &vitals);
    for (int c = 0; c < CHANNEL_COUNT && !err; c++) {
        struct rows *rows = &p->rows[c];

        if (rows->count == 0 || (err = rows_tidy(rows)))
            continue;
        if (rows->at[0].time_s < first_s)
            first_s = rows->at[0].time_s;
        err = archive_pass_put(p->archive, meter, (enum channel)c, facts.resolution_ml, rows->at,
                               rows->count);
        p->readings += rows->count;
    }
    return err ? err : news_push(p->touched, meter, first_s);
}

static enum err pass_run(struct pass *p)
{
    uint32_t meter = UINT32_MAX;
    enum err err = ERR_OK;

    while (!err && (meter = tail_settling_next(p->app->tail, meter)) != UINT32_MAX) {
        err = meter == 0 ? pass_quarantine(p) : pass_meter(p, meter);
        if (++p->since_renew == 4096) {
            journal_reader_renew(p->reader);
            txn_renew(&p->ledger);
            p->since_renew = 0;
        }
    }
    /* Before the archive says that all this is settled. */
    return err ? err : quarantine_flush(p->app->quarantine);
}

/* Settles the generation that is being settled; whatever fails leaves it to be settled again. */
static enum err settle_generation(struct settler *s, struct news *touched)
{
    struct app *app = s->app;
    struct pass p = { .app = app, .touched = touched };
    enum err err, ended;

    p.ledger = ledger_read(app->ledger);
    p.vitals = (struct vitals_entry *)malloc(VITALS_AT_ONCE * sizeof *p.vitals);
    if (!p.vitals || !(p.scratch = readings_scratch()))
        err = ERR_NO_MEMORY;
    else if (!(err = journal_reader_open(app->journal, &p.reader)) &&
             !(err = archive_pass_begin(app->archive, 0, &p.archive)) && !(err = pass_run(&p)))
        err = flush_vitals(&p);
    journal_reader_close(p.reader);
    ended = txn_end(&p.ledger);
    if (!err)
        err = ended;
    if (err)
        archive_pass_abandon(p.archive);
    else
        err = archive_pass_end(p.archive, position_of((p.newest >> 24) + 1, 0));
    if (!err) {
        metrics_add(METRIC_SETTLE_PASSES, 1);
        metrics_add(METRIC_SETTLE_READINGS, p.readings);
    }
    for (int c = 0; c < CHANNEL_COUNT; c++)
        rows_done(&p.rows[c]);
    free(p.positions);
    free(p.vitals);
    s->release_due = s->release_due || p.release_due;
    return err;
}

static enum err settle_generations(struct settler *s, struct news *touched)
{
    struct tail *tail = s->app->tail;
    enum err err = ERR_OK;

    /* Twice: a generation that an earlier failure left behind, then the one that grew meanwhile. */
    while (!err && (tail_settling_next(tail, UINT32_MAX) != UINT32_MAX || tail_turn(tail))) {
        size_t before = touched->count;

        if (!(err = settle_generation(s, touched)))
            tail_drop(tail);
        else
            touched->count = before; /* they come again, with the generation */
    }
    return err;
}

/* What waits for a meter that is registered goes on: a registration releases what it finds, but a
 * kill may come between the two, and a frame that was judged before may be committed after. */
static enum err settle_late(struct settler *s, struct news *touched)
{
    enum err err;

    if (!s->release_due)
        return ERR_OK;
    s->release_due = false;
    if (!(err = quarantine_release_known(s->app)))
        err = settle_generations(s, touched);
    if (err)
        s->release_due = true;
    return err;
}

/* ---- judging ---- */

static bool is_stopping(struct settler *s)
{
    bool stopping;

    pthread_mutex_lock(&s->lock);
    stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

/* In slices, so that an end need not wait for a city to be judged: what is left over, the next
 * start finds by the views' marks. */
static enum err judge_slices(struct settler *s, const struct news *touched)
{
    int64_t now_s = clock_now_s(&s->app->clock);
    enum err err = ERR_OK;

    for (size_t done = 0; done < touched->count && !err; done += JUDGE_SLICE) {
        size_t left = touched->count - done;

        err = is_stopping(s) ? ERR_STOPPING
                             : judge_pass_new(s->app, touched->at + done,
                                              left < JUDGE_SLICE ? left : JUDGE_SLICE, now_s);
    }
    return err;
}

static enum err touch_everyone(struct app *app, struct news *touched)
{
    uint32_t last = registry_count(app->registry);
    enum err err = ERR_OK;

    for (uint32_t meter = 1; meter <= last && !err; meter++)
        err = news_push(touched, meter, 0);
    return err;
}

static enum err judge_touched(struct settler *s, struct news *touched, uint64_t acts)
{
    struct app *app = s->app;
    struct txn t = views_read(app->views);
    bool outdated, idle = touched->count == 0 && views_acts(&t) == acts &&
                          views_folded(&t) == archive_settled(app->archive);
    enum err err = txn_end(&t);

    if (err || (err = judge_outdated(app, &outdated)) || (idle && !outdated))
        return err;
    if (outdated && (err = touch_everyone(app, touched)))
        return err;
    news_sort(touched);
    if ((err = judge_slices(s, touched)))
        return err;
    t = views_write(app->views);
    views_set_folded(&t, archive_settled(app->archive));
    views_set_acts(&t, acts);
    judge_mark(app, &t);
    return txn_end(&t);
}

static enum err drop_old(struct app *app)
{
    int64_t before_s = clock_now_s(&app->clock) - (int64_t)app->retention_days * 86400;
    struct txn t = views_read(app->views);
    uint64_t folded = views_folded(&t), expired;
    uint64_t settled = archive_settled(app->archive);
    unsigned dropped;
    enum err err = txn_end(&t);

    if (err || before_s <= 0)
        return err;
    if (before_s > UINT32_MAX)
        before_s = UINT32_MAX;
    if ((err = quarantine_expire(app->quarantine, (uint32_t)before_s, &expired)))
        return err;
    return journal_drop(app->journal, folded < settled ? folded : settled, (uint32_t)before_s,
                        &dropped);
}

/* Takes what others touched.  *acts is the number of the newest act that must have touched by now:
 * an act is committed a moment before it touches, so those that are new since the last look count
 * at the next one; until then a start after a crash touches for them once more. */
static enum err take_touched(struct settler *s, struct news *touched, uint64_t *acts)
{
    struct txn t = ledger_read(s->app->ledger);
    uint64_t newest = ledger_end(&t);
    enum err err = txn_end(&t);

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->touched.count && !err; i++)
        err = news_push(touched, s->touched.at[i].meter, 0);
    if (!err)
        s->touched.count = s->distinct = 0;
    pthread_mutex_unlock(&s->lock);
    *acts = s->acts_seen;
    s->acts_seen = newest;
    return err;
}

static void give_back(struct settler *s, const struct news *touched)
{
    for (size_t i = 0; i < touched->count; i++)
        settler_touch(s, touched->at[i].meter);
}

/* Everything that was accepted before the call, through every projection. Holds the place. */
static enum err settle_lkd(struct settler *s)
{
    struct app *app = s->app;
    struct news touched = { 0 };
    uint64_t acts;
    enum err err = settle_generations(s, &touched);

    if (!err)
        err = settle_late(s, &touched);
    if (!err)
        err = take_touched(s, &touched, &acts);
    if (!err)
        err = judge_touched(s, &touched, acts);
    if (err)
        give_back(s, &touched); /* also what was settled before something else failed */
    else
        err = drop_old(app);
    free(touched.at);
    return err;
}

/* The thread steps back for those who wait at this moment: a mutex alone would give it the place
 * again and again. */
static void place_take(struct settler *s)
{
    uint64_t wanted;

    pthread_mutex_lock(&s->lock);
    wanted = s->wanted;
    while (s->lent_count < wanted)
        pthread_cond_wait(&s->lent, &s->lock);
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->place);
}

/* Somebody asks, the interval is over, or much is waiting: that much does not make it due again
 * right after it failed. */
static bool is_due_lkd(struct settler *s, int64_t until_ms)
{
    return s->stopping || s->asked != s->done || clock_monotonic_ms() >= until_ms ||
           (!s->last && tail_count(s->app->tail) >= NUDGE_RECORDS);
}

/* Until there is nothing more to merge, or something else to do. */
static enum err tidy(struct settler *s, int64_t until_ms)
{
    bool more = true;
    enum err err = ERR_OK;

    while (more && !err) {
        place_take(s);
        err = archive_tidy(s->app->archive, clock_now_s(&s->app->clock), TIDY_STEP_BYTES, &more);
        pthread_mutex_unlock(&s->place);
        pthread_mutex_lock(&s->lock);
        more = more && !is_due_lkd(s, until_ms);
        pthread_mutex_unlock(&s->lock);
    }
    return err;
}

/* ---- the thread ---- */

/* Waits until there is work; false: stop. */
static bool wait_for_work(struct settler *s, int64_t until_ms, uint64_t *asked)
{
    bool stopping;

    pthread_mutex_lock(&s->lock);
    while (!is_due_lkd(s, until_ms)) {
        struct timespec look;

        clock_gettime(CLOCK_REALTIME, &look);
        look.tv_sec++;
        pthread_cond_timedwait(&s->wake, &s->lock, &look);
    }
    *asked = s->asked;
    stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return !stopping;
}

static void report(enum err err, const char *what)
{
    health_damage(err);
    if (err)
        fprintf(stderr, "nilod: %s failed: the store %s\n", what, err_text(err));
}

static void *settler_run(void *arg)
{
    struct settler *s = (struct settler *)arg;
    int64_t until_ms = 0; /* what an earlier process left over comes first */
    uint64_t asked;

    pthread_setname_np(pthread_self(), "settler");
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux a thread's own */
    while (wait_for_work(s, until_ms, &asked)) {
        enum err err;

        place_take(s);
        err = settle_lkd(s);
        pthread_mutex_unlock(&s->place);
        if (err != ERR_STOPPING)
            report(err, "settling");
        pthread_mutex_lock(&s->lock);
        s->done = asked;
        s->last = err;
        pthread_cond_broadcast(&s->turned);
        pthread_mutex_unlock(&s->lock);
        until_ms = clock_monotonic_ms() + (int64_t)s->every_s * 1000;
        if (!err)
            report(tidy(s, until_ms), "tidying");
    }
    return NULL;
}

enum err settler_open(struct app *app, unsigned every_s, struct settler **out)
{
    struct settler *s = (struct settler *)calloc(1, sizeof *s);
    struct txn t;
    enum err err;

    if (!s)
        return ERR_NO_MEMORY;
    s->app = app;
    s->every_s = every_s ? every_s : 1;
    t = views_read(app->views);
    s->acts_seen = views_acts(&t);
    if ((err = txn_end(&t))) {
        free(s);
        return err;
    }
    s->release_due = true; /* as the process before may have left it */
    pthread_mutex_init(&s->place, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    pthread_cond_init(&s->turned, NULL);
    pthread_cond_init(&s->lent, NULL);
    *out = s;
    return ERR_OK;
}

enum err settler_start(struct settler *s)
{
    s->started = pthread_create(&s->thread, NULL, settler_run, s) == 0;
    return s->started ? ERR_OK : ERR_NO_MEMORY;
}

void settler_close(struct settler *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->wake);
    pthread_cond_broadcast(&s->turned);
    pthread_mutex_unlock(&s->lock);
    if (s->started)
        pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->lent);
    pthread_cond_destroy(&s->turned);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->place);
    free(s->touched.at);
    free(s);
}

enum err settler_settle(struct settler *s)
{
    uint64_t mine;
    enum err err;

    pthread_mutex_lock(&s->lock);
    mine = ++s->asked;
    pthread_cond_signal(&s->wake);
    while (s->done < mine && !s->stopping)
        pthread_cond_wait(&s->turned, &s->lock);
    err = s->done < mine ? ERR_STOPPING : s->last;
    pthread_mutex_unlock(&s->lock);
    return err;
}

void settler_touch(struct settler *s, uint32_t meter)
{
    pthread_mutex_lock(&s->lock);
    if (s->touched.count >= 2 * s->distinct + DOUBLES_MOST) { /* as long as nobody can judge them */
        news_sort(&s->touched);
        s->distinct = s->touched.count;
    }
    /* Without memory for one number the store is judged anew at the next start. */
    if (news_push(&s->touched, meter, 0))
        fprintf(stderr, "nilod: no memory to remember that meter %u must be judged again\n", meter);
    pthread_mutex_unlock(&s->lock);
}

enum err settler_lend(struct settler *s, enum err (*work)(void *arg), void *arg)
{
    enum err err;

    pthread_mutex_lock(&s->lock);
    s->wanted++;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->place);
    pthread_mutex_lock(&s->lock);
    s->lent_count++;
    pthread_cond_signal(&s->lent);
    pthread_mutex_unlock(&s->lock);
    err = work(arg);
    pthread_mutex_unlock(&s->place);
    return err;
}
