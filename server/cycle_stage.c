/* Closing makes determinants on all cores and stages them in order.
 *
 *   points by name → slices of SLICE → workers, each with its own read transaction of the same state → a ring of RING slices →
 *   the caller, in order: SHA-256 over the lines, rows into the ledger, STAGED slices a commit
 *
 * Points are taken by name, which is as they were registered in most utilities, as their meters
 * were: so the archive is read about in its order. Memory is the ring's, and 16 bytes and the name
 * of each point. */
#include "server/cycles.h"
#include "server/registers.h"
#include "storage/journal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLICE 512
#define RING 64   /* slices that are made and not taken: a worker that is ahead waits */
#define STAGED 32 /* slices a commit: some 16 000 rows, 3 MB */
#define WORKERS_MOST 16
#define NICE 10               /* below the threads that answer */
#define DETERMINANT_ROOM 2048 /* where the parts are few; more is asked for */

struct slot {
    bool ready;
    enum err err;
    struct out lines, bytes;
    struct cycle_sums sums; /* of the slice */
    size_t count;
    struct slot_row {
        uint32_t point; /* place in points */
        uint32_t at, len;
    } rows[SLICE];
};

struct stage {
    struct app *app;
    struct cycle_maker maker;
    struct cycle_points points;
    uint32_t cycle;
    size_t slices;
    pthread_mutex_t lock; /* of what stands below */
    pthread_cond_t made, taken;
    size_t next, done; /* slices given to workers, and taken by the caller */
    bool stop;
    struct slot *ring;
};

struct stager {
    struct stage *stage;
    struct txn txn;
    struct point_use use;
    pthread_t thread;
    bool started;
};

/* ---- a slice ---- */

static void encode(struct slot *s, const struct determinant *d, const struct cycle_line *line)
{
    size_t room = DETERMINANT_ROOM + d->account.len + CHECKS_TOLD_MOST + d->part_count * 128;
    char *at = out_room(&s->bytes, room);
    struct wr w = wr_of(at, at ? room : 0);

    determinant_write(&w, d, line->from_s, line->to_s);
    if (at && w.err)
        s->err = ERR_TOO_LARGE;
    s->bytes.len += at ? wr_len(&w) : 0;
}

static void make_one(struct stager *g, struct slot *s, uint32_t i)
{
    struct stage *stage = g->stage;
    const char *name = cycle_point_name(&stage->points, i);
    struct slot_row *row = &s->rows[s->count];
    struct determinant d;
    bool elsewhere;

    if ((s->err = cycle_make(&stage->maker, &g->txn, stage->points.at[i].id, span_text(name),
                             &g->use, &d, &elsewhere)))
        return;
    if (elsewhere) {
        s->sums.elsewhere++;
        return;
    }
    if (d.part_count > DETERMINANT_PARTS_MAX) {
        s->err = ERR_LIMIT;
        return;
    }
    *row = (struct slot_row){ .point = i, .at = (uint32_t)s->bytes.len };
    encode(s, &d, &stage->maker.line);
    row->len = (uint32_t)s->bytes.len - row->at;
    s->count++;
    out_text(&s->lines, "{");
    cycle_line_put(&s->lines, &stage->maker.line, span_text(name), &d);
    out_text(&s->lines, "}\n");
    cycle_sums_add(&s->sums, span_text(name), &d);
    s->sums.edits_waiting +=
        point_use_waiting(&g->use, stage->maker.line.from_s, stage->maker.line.to_s);
    if (!s->err)
        s->err = s->bytes.err ? s->bytes.err : s->lines.err;
}

static void make_slice(struct stager *g, struct slot *s, size_t slice)
{
    size_t begin = slice * SLICE, end = begin + SLICE;

    if (end > g->stage->points.count)
        end = g->stage->points.count;
    s->err = atomic_load(&g->stage->app->stopping) ? ERR_STOPPING : ERR_OK;
    s->count = 0;
    s->sums = (struct cycle_sums){ 0 };
    out_clear(&s->lines);
    out_clear(&s->bytes);
    for (size_t i = begin; i < end && !s->err; i++)
        make_one(g, s, (uint32_t)i);
}

static void *work(void *arg)
{
    struct stager *g = (struct stager *)arg;
    struct stage *stage = g->stage;

    pthread_setname_np(pthread_self(), "cycle-close");
    setpriority(PRIO_PROCESS, 0, NICE); /* on Linux a thread's own */
    pthread_mutex_lock(&stage->lock);
    for (;;) {
        size_t slice;

        while (!stage->stop && stage->next < stage->slices && stage->next >= stage->done + RING)
            pthread_cond_wait(&stage->taken, &stage->lock);
        if (stage->stop || stage->next == stage->slices)
            break;
        slice = stage->next++;
        pthread_mutex_unlock(&stage->lock);
        make_slice(g, &stage->ring[slice % RING], slice);
        pthread_mutex_lock(&stage->lock);
        stage->ring[slice % RING].ready = true;
        pthread_cond_broadcast(&stage->made);
    }
    pthread_mutex_unlock(&stage->lock);
    return NULL;
}

/* ---- in order ---- */

static void sums_join(struct cycle_sums *all, const struct cycle_sums *s)
{
    all->points += s->points;
    all->elsewhere += s->elsewhere;
    all->edits_waiting += s->edits_waiting;
    for (int q = 0; q < CYCLE_QUALITIES; q++)
        all->by_quality[q] += s->by_quality[q];
    all->consumption_ml += s->consumption_ml;
    all->billed_m3 += s->billed_m3;
    for (size_t i = 0; i < s->missing_count && all->missing_count < CYCLE_MISSING_TOLD; i++)
        all->missing[all->missing_count++] = s->missing[i];
}

static struct slot *slot_wait(struct stage *stage, size_t slice)
{
    struct slot *s = &stage->ring[slice % RING];

    pthread_mutex_lock(&stage->lock);
    while (!s->ready)
        pthread_cond_wait(&stage->made, &stage->lock);
    pthread_mutex_unlock(&stage->lock);
    return s;
}

/* Their memory may be used again. */
static void slots_taken(struct stage *stage, size_t from, size_t to)
{
    pthread_mutex_lock(&stage->lock);
    for (size_t i = from; i < to; i++)
        stage->ring[i % RING].ready = false;
    stage->done = to;
    pthread_cond_broadcast(&stage->taken);
    pthread_mutex_unlock(&stage->lock);
}

static size_t rows_of(const struct stage *stage, const struct slot *s, struct determinant_row *out)
{
    for (size_t i = 0; i < s->count; i++)
        out[i] = (struct determinant_row){
            .point = span_text(cycle_point_name(&stage->points, s->rows[i].point)),
            .bytes = span_of(s->bytes.at + s->rows[i].at, s->rows[i].len)
        };
    return s->count;
}

static enum err take_all(struct stage *stage, EVP_MD_CTX *sha, struct determinant_row *rows,
                         struct cycle_sums *sums)
{
    enum err err = ERR_OK;

    for (size_t at = 0; at < stage->slices && !err;) {
        size_t end = at + STAGED < stage->slices ? at + STAGED : stage->slices, count = 0;

        for (size_t i = at; i < end && !err; i++) {
            struct slot *s = slot_wait(stage, i);

            if ((err = s->err))
                break;
            count += rows_of(stage, s, rows + count);
            if (!EVP_DigestUpdate(sha, s->lines.at, s->lines.len))
                err = ERR_NO_MEMORY;
            sums_join(sums, &s->sums);
        }
        if (!err)
            err = ledger_stage_determinants(stage->app->ledger, stage->cycle, rows, count);
        slots_taken(stage, at, end);
        at = end;
    }
    return err;
}

/* ---- all together ---- */

/* Read transactions of one and the same state: nobody writes between the first and the last. */
static enum err open_txns(struct app *app, struct stager *workers, size_t count, struct txn *own,
                          uint64_t *out_act)
{
    struct act hold = act_begin(app->ledger, "nilod", 0, 0);
    enum err err = hold.txn.err;

    *own = ledger_read(app->ledger);
    for (size_t i = 0; i < count; i++) {
        workers[i].txn = ledger_read(app->ledger);
        err = err ? err : workers[i].txn.err;
    }
    act_abort(&hold);
    *out_act = ledger_end(own);
    return err ? err : own->err;
}

static void stop(struct stage *stage, struct stager *workers, size_t count)
{
    pthread_mutex_lock(&stage->lock);
    stage->stop = true;
    pthread_cond_broadcast(&stage->taken);
    pthread_mutex_unlock(&stage->lock);
    for (size_t i = 0; i < count; i++) {
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
        point_use_done(&workers[i].use);
        txn_abort(&workers[i].txn);
    }
}

static enum err run(struct stage *stage, struct stager *workers, size_t count,
                    struct ledger_cycle *c, struct cycle_sums *sums)
{
    struct determinant_row *rows =
        (struct determinant_row *)malloc((size_t)STAGED * SLICE * sizeof *rows);
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    unsigned started = 0;
    enum err err = ERR_OK;

    if (!rows || !sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < count && !err; i++) {
        workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
        started += workers[i].started;
    }
    if (!err && !started)
        err = ERR_NO_MEMORY;
    if (!err)
        err = take_all(stage, sha, rows, sums);
    if (!err && !EVP_DigestFinal_ex(sha, c->digest, NULL))
        err = ERR_NO_MEMORY;
    EVP_MD_CTX_free(sha);
    free(rows);
    return err;
}

static void ring_free(struct slot *ring)
{
    for (size_t i = 0; ring && i < RING; i++) {
        out_done(&ring[i].lines);
        out_done(&ring[i].bytes);
    }
    free(ring);
}

static size_t worker_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > WORKERS_MOST ? WORKERS_MOST : (size_t)cores;
}

enum err cycle_stage(struct app *app, struct ledger_cycle *c, int64_t now_s, struct cycle_sums *out)
{
    struct stage stage = { .app = app, .cycle = c->id };
    struct stager *workers = (struct stager *)calloc(WORKERS_MOST, sizeof *workers);
    size_t count = worker_count();
    struct txn own = { 0 };
    enum err err = workers ? ledger_drop_determinants(app->ledger, c->id) : ERR_NO_MEMORY;

    *out = (struct cycle_sums){ 0 };
    pthread_mutex_init(&stage.lock, NULL);
    pthread_cond_init(&stage.made, NULL);
    pthread_cond_init(&stage.taken, NULL);
    if (!err && !(stage.ring = (struct slot *)calloc(RING, sizeof *stage.ring)))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < WORKERS_MOST && workers; i++) {
        workers[i].stage = &stage;
        workers[i].use.settled = true;
    }
    c->position = archive_settled(app->archive);
    if (!err)
        err = open_txns(app, workers, count, &own, &c->act);
    if (!err && !(err = cycle_maker_init(app, &own, c, now_s, &stage.maker)))
        err = cycle_points_load(&own, c->routes, &stage.points);
    txn_abort(&own);
    stage.slices = (stage.points.count + SLICE - 1) / SLICE;
    if (!err)
        err = run(&stage, workers, count, c, out);
    if (workers)
        stop(&stage, workers, count);
    free(workers);
    ring_free(stage.ring);
    cycle_points_done(&stage.points);
    cycle_maker_done(&stage.maker);
    pthread_cond_destroy(&stage.taken);
    pthread_cond_destroy(&stage.made);
    pthread_mutex_destroy(&stage.lock);
    c->points = out->points;
    memcpy(c->by_quality, out->by_quality, sizeof c->by_quality);
    c->elsewhere = out->elsewhere;
    c->consumption_ml = out->consumption_ml;
    c->billed_m3 = out->billed_m3;
    if (err && ledger_drop_determinants(app->ledger, c->id))
        return err; /* the next start, or the next closing, drops them */
    return err;
}
