/* One thread; everything it does is a step that may be cut off at any byte:
 *
 *   settle   tail generation → one archive pass, visible with its position in one commit
 *   judge    the meters that the pass touched, and those that others touched
 *   tidy     merge runs while there is nothing else to do
 *   houses   look at those whose week is over (server/houses.h), likewise
 *   drop     unlink journal segments that are settled, judged and older than the retention */
#include "server/settler.h"

#include "server/acts/order_rules.h"
#include "server/acts/quarantine.h"
#include "server/adjust.h"
#include "server/commands.h"
#include "server/drought.h"
#include "server/hearing.h"
#include "server/houses.h"
#include "server/lives.h"
#include "server/lulls.h"
#include "server/metrics.h"
#include "server/notices.h"
#include "server/peers.h"
#include "server/registers.h"
#include "server/replacements.h"
#include "server/settle_pass.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define TIDY_STEP_BYTES (32u << 20) /* of output between two looks at what is waiting */
#define DOUBLES_MOST 4096           /* in the list of touched meters, before they are looked for */
#define HOUSES_ASKED 256            /* windows of houses, where somebody waits for a settling */
#define HOUSES_STEP 4               /* between two looks at what is waiting */
#define NICE 19 /* below the threads that answer, as far as locks shared with them let it */

/* Unsettled records that are settled without waiting for the interval: how many memory and a start
 * after a crash bear well. */
#define NUDGE_RECORDS 500000

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
    struct release_due due; /* the settling thread's: frames may wait for what is there by now */
    int32_t
        due_seen; /* the civil day on which legal due dates were last looked at; NO_DAY: not yet */
    int32_t rules_day;         /* when rules made their orders last, NO_DAY: not yet; */
    uint64_t rules_changes;    /* and as of which state of the flags */
    struct adjuster *adjuster; /* the settling thread's own */
    uint64_t acts_seen; /* number of the newest act at the last look; the settling thread's own */
    struct house_round houses; /* likewise */
    struct news touched;       /* by others, unsorted, doubles allowed */
    size_t distinct;           /* of them, when doubles were last taken out */
};

/* ---- settling ---- */

static enum err settle_one(struct settler *s, struct news *touched)
{
    size_t before = touched->count;
    enum err err = settle_pass(s->app, touched, &s->due);

    if (!err)
        tail_drop(s->app->tail);
    else
        touched->count = before; /* they come again, with the generation */
    return err;
}

/* A generation that an earlier failure left behind, then the one that grew meanwhile; what comes
 * while that is settled has the next turn, or there would be no end of it under load. */
static enum err settle_generations(struct settler *s, struct news *touched)
{
    struct tail *tail = s->app->tail;
    enum err err = ERR_OK;

    if (tail_settling_next(tail, UINT32_MAX) != UINT32_MAX)
        err = settle_one(s, touched);
    if (!err && tail_turn(tail))
        err = settle_one(s, touched);
    return err;
}

#define LATE_ROUNDS                                                                                \
    8 /* a key lets a frame go, that teaches a format, that lets another go: more than that has no end */

static bool is_anything_due(const struct release_due *due)
{
    return due->all || due->formats || due->names;
}

static enum err let_go(struct app *app, const struct release_due *due)
{
    enum err err = ERR_OK;

    for (unsigned i = 0; i < due->names && !due->all && !err; i++)
        err = quarantine_release_name(app, span_text(due->name[i]));
    if (!err && (due->all || due->formats))
        err = quarantine_release_known(app, due->all ? ERR_OK : ERR_NO_FORMAT);
    if (!err && due->formats && !due->all) /* another list of a signature than the one tried */
        err = quarantine_release_known(app, ERR_DAMAGED);
    return err;
}

/* What waits for what is there now goes on: an act releases what it finds, but a kill may come between
 * the two, and a frame that was judged before may be committed after; and formats are learned in
 * passing. */
static enum err settle_late(struct settler *s, struct news *touched)
{
    enum err err = ERR_OK;

    for (int round = 0; round < LATE_ROUNDS && !err && is_anything_due(&s->due); round++) {
        struct release_due due = s->due;

        s->due = (struct release_due){ .all = false };
        if (!(err = let_go(s->app, &due)))
            err = settle_generations(s, touched);
        if (err)
            s->due.all = true;
    }
    return err;
}

/* ---- judging ---- */

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
    struct txn t;
    bool outdated, idle;
    enum err err;

    t = views_read(app->views);
    idle = touched->count == 0 && views_acts(&t) == acts &&
           views_folded(&t) == archive_settled(app->archive);
    err = txn_end(&t);
    if (err || (err = judge_outdated(app, &outdated)) || (idle && !outdated))
        return err;
    if (outdated && (err = touch_everyone(app, touched)))
        return err;
    news_sort(touched);
    if ((err = adjust_pass(s->adjuster, touched->at, touched->count, clock_now_s(&app->clock))) ||
        (err = judge_pass_new(app, touched->at, touched->count, clock_now_s(&app->clock))))
        return err;
    t = views_write(app->views);
    views_set_folded(&t, archive_settled(app->archive));
    views_set_acts(&t, acts);
    judge_mark(app, &t);
    return txn_end(&t);
}

/* Houses that are due, some windows of them, and the meters of which that finds something else. */
static enum err judge_houses(struct settler *s, unsigned windows, uint64_t acts, bool *more)
{
    struct news found = { 0 };
    enum err err =
        houses_look(s->app, clock_now_s(&s->app->clock), windows, &s->houses, more, &found);

    if (!err && found.count)
        err = judge_touched(s, &found, acts);
    if (!err && s->houses.untold.count)
        err = houses_told(s->app, &s->houses);
    free(found.at);
    return err;
}

/* Whether a zone is without water follows from what was judged just now; of its meters nothing is to be expected then. */
static enum err judge_dry(struct settler *s, const struct news *judged, uint64_t acts)
{
    struct news dry = { 0 };
    enum err err =
        judged->count ? drought_look(s->app->drought, clock_now_s(&s->app->clock), &dry) : ERR_OK;

    if (!err && dry.count)
        err = judge_touched(s, &dry, acts);
    free(dry.at);
    return err;
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

/* Meters whose legal due date has passed since this was looked at; at a start all that are overdue. */
static enum err touch_overdue(struct settler *s, int32_t today, struct news *touched)
{
    struct txn t;
    struct due_walk w;
    enum err err = ERR_OK, ended;

    if (s->due_seen != NO_DAY && today <= s->due_seen)
        return ERR_OK;
    t = ledger_read(s->app->ledger);
    w = lives_due(&t, DUE_FITTED, s->due_seen == NO_DAY ? NO_DAY : s->due_seen, today - 1, false,
                  (struct span){ 0 });
    while (!err && due_next(&w))
        err = news_push_due(touched, w.meter);
    due_done(&w);
    ended = txn_end(&t);
    return err ? err : ended;
}

struct moving {
    struct news *touched;
    struct rankings *rankings;
};

static enum err push_moved(void *arg, uint32_t meter)
{
    struct moving *m = (struct moving *)arg;

    rankings_touch(m->rankings, &meter, 1);
    return news_push(m->touched, meter, 0);
}

/* Lives that are another since an instant came for which something was told before. */
static enum err touch_moved(struct settler *s, struct news *touched, int64_t *until_s)
{
    struct moving m = { touched, s->app->rankings };
    int64_t now_s;
    enum err err = lives_now(s->app, &now_s);

    return err ? err : lives_moved(s->app, push_moved, &m, until_s);
}

static void give_back(struct settler *s, const struct news *touched)
{
    for (size_t i = 0; i < touched->count; i++)
        settler_touch(s, touched->at[i].meter);
}

/* Orders that rules make of themselves: when a flag changed, and when a day began. */
static enum err make_orders(struct settler *s, int32_t today)
{
    struct txn t;
    uint64_t changes;
    enum err err;

    if (!order_rules_any_auto(s->app))
        return ERR_OK;
    t = views_read(s->app->views);
    changes = views_changes(&t);
    err = txn_end(&t);
    if (err || (s->rules_day == today && s->rules_changes == changes))
        return err;
    if (!(err = order_rules_auto(s->app, s->rules_day != today))) {
        s->rules_day = today;
        s->rules_changes = changes;
    }
    return err;
}

/* Everything that was accepted before the call, through every projection. Holds the place. What is to be asked of meters and
 * written of commands waits for the courier, unless somebody waits for it (`asked`): after an outage that are minutes. */
static enum err settle_lkd(struct settler *s, bool asked)
{
    struct news touched = { 0 };
    int32_t today = (int32_t)zone_day_number(&s->app->zone, clock_now_s(&s->app->clock));
    int64_t moved_s = INT64_MIN;
    uint64_t acts;
    bool more;
    enum err err = settle_generations(s, &touched);
    enum err late = err ? ERR_OK : settle_late(s, &touched); /* what waits holds up nobody else */

    if (!err)
        err = take_touched(s, &touched, &acts);
    if (!err)
        err = touch_moved(s, &touched, &moved_s);
    if (!err)
        err = touch_overdue(s, today, &touched);
    if (!err)
        err = hearing_look(s->app->hearing, clock_now_s(&s->app->clock), asked, &touched);
    if (!err) /* before what is judged may know of it */
        err = fleet_peers_count(s->app->peers, clock_now_s(&s->app->clock));
    if (!err && !(err = houses_note(s->app, clock_now_s(&s->app->clock), &touched, &s->houses)) &&
        !(err = judge_touched(s, &touched, acts)) && !(err = judge_dry(s, &touched, acts)) &&
        !(err = asked ? judge_houses(s, HOUSES_ASKED, acts, &more) : ERR_OK)) {
        s->due_seen = today;
        err = lives_judged(s->app, moved_s);
    }
    if (!err)
        err = lulls_look(s->app->lulls, clock_now_s(&s->app->clock));
    if (!err)
        err = make_orders(s, today);
    if (!err && asked && s->app->commands)
        err = commands_flush(s->app->commands);
    if (!err && asked)
        err = notices_flush(s->app);
    if (err)
        give_back(s, &touched); /* also what was settled before something else failed */
    else
        err = drop_old(s->app);
    free(touched.at);
    return err ? err : late;
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

/* Houses that are due, until there are none, or something else to do. */
static enum err look_at_houses(struct settler *s, int64_t until_ms)
{
    bool more = true;
    enum err err = ERR_OK;

    while (more && !err) {
        struct txn t;
        uint64_t acts;

        place_take(s);
        t = views_read(s->app->views);
        acts = views_acts(&t);
        if (!(err = txn_end(&t)))
            err = judge_houses(s, HOUSES_STEP, acts, &more);
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
    if (err && err != ERR_STOPPING)
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
        err = settle_lkd(s, asked != s->done); /* `done` is this thread's to write */
        pthread_mutex_unlock(&s->place);
        report(err, "settling");
        pthread_mutex_lock(&s->lock);
        s->done = asked;
        s->last = err;
        pthread_cond_broadcast(&s->turned);
        pthread_mutex_unlock(&s->lock);
        until_ms = clock_monotonic_ms() + (int64_t)s->every_s * 1000;
        if (!err)
            report(tidy(s, until_ms), "tidying");
        if (!err)
            report(look_at_houses(s, until_ms), "looking at houses");
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
    s->due_seen = s->rules_day = NO_DAY;
    s->acts_seen = views_acts(&t);
    if ((err = txn_end(&t)) || (err = adjuster_new(app, &s->adjuster))) {
        free(s);
        return err;
    }
    s->due.all = true; /* as the process before may have left it */
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
    adjuster_free(s->adjuster);
    house_round_done(&s->houses);
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

/* All that came to one of its points after it. */
static enum err touch_behind(struct settler *s, struct txn *t, const struct fitting *f)
{
    struct fittings at = { .at = at.few };
    enum err err = fittings_load(t, true, f->point, &at);

    for (size_t i = 0; i < at.count && !err; i++)
        if (at.at[i].meter != f->meter && at.at[i].from_s > f->from_s)
            settler_touch(s, at.at[i].meter);
    fittings_done(&at);
    return err;
}

void settler_touch_behind(struct settler *s, uint32_t meter)
{
    struct txn t = ledger_read(s->app->ledger);
    struct fittings own = { .at = own.few };
    enum err err = fittings_load(&t, false, meter, &own), ended;

    settler_touch(s, meter);
    for (size_t i = 0; i < own.count && !err; i++)
        err = touch_behind(s, &t, &own.at[i]);
    fittings_done(&own);
    ended = txn_end(&t);
    if (err || ended)
        fprintf(stderr,
                "nilod: who was fitted behind meter %u is judged anew at the next start only: the "
                "store %s\n",
                meter, err_text(err ? err : ended));
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
