/* One commit at a time: all that is queued goes in one transaction, so the longer a sync takes the
 * more the next one carries.
 *
 * Lock order: none is held while journal, tail, quarantine or a `done` is called. */
#include "server/ingest.h"

#include "server/metrics.h"
#include "storage/formats.h"
#include "storage/rowset.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define TRANSACTION_INTAKES 64 /* so that one transaction ends while answers are still wanted */

struct ingest {
    struct ingest_parts parts;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    struct intake *first, *last;
    _Atomic bool stopping;
    bool untold; /* the commit thread's: something durable did not get into the tail */
};

/* ---- batches ---- */

enum err intake_new(struct intake **out)
{
    struct intake *k = (struct intake *)calloc(1, sizeof *k);
    enum err err;

    if (!k)
        return ERR_NO_MEMORY;
    k->entry_cap = k->share_cap = LIMIT_BATCH_RECORDS;
    k->entries = (struct tail_entry *)malloc(k->entry_cap * sizeof *k->entries);
    k->shares = (struct intake_share *)malloc(k->share_cap * sizeof *k->shares);
    err = k->entries && k->shares ? batch_new(&k->batch) : ERR_NO_MEMORY;
    if (err) {
        intake_free(k);
        return err;
    }
    *out = k;
    return ERR_OK;
}

void intake_free(struct intake *k)
{
    if (!k)
        return;
    batch_free(k->batch);
    free(k->entries);
    free(k->shares);
    free(k);
}

void intake_clear(struct intake *k)
{
    batch_clear(k->batch);
    k->entry_count = k->share_count = 0;
    k->next = NULL;
}

/* Until the commit gives the batch its number an entry's position is the byte in it alone. */
static enum err add_entry(struct intake *k, uint32_t meter, uint32_t offset)
{
    const struct tail_entry *last = k->entry_count ? &k->entries[k->entry_count - 1] : NULL;

    if (last && last->meter == meter && last->position == offset)
        return ERR_OK;
    assert(k->entries && k->entry_cap);
    if (k->entry_count == k->entry_cap) {
        uint32_t cap = k->entry_cap * 2;
        struct tail_entry *more =
            (struct tail_entry *)realloc(k->entries, cap * sizeof *k->entries);

        if (!more)
            return ERR_NO_MEMORY;
        k->entries = more;
        k->entry_cap = cap;
    }
    k->entries[k->entry_count++] = (struct tail_entry){ .meter = meter, .position = offset };
    return ERR_OK;
}

/* Meters of a rowset, before it is added: what does not read must not get into the journal. */
static enum err add_rows(struct intake *k, const struct record *record, uint32_t offset)
{
    struct rd r = rd_of(record->bytes);
    struct rows rows = { 0 };
    enum channel channel;
    uint32_t meter;
    enum err err;

    while (!(err = rowset_next(&r, &meter, &channel, &rows)) &&
           !(err = add_entry(k, meter, offset)))
        continue;
    rows_done(&rows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err add_visible(struct intake *k, const struct record *record, uint32_t offset)
{
    if (record->kind != RECORD_ROWS)
        return add_entry(k, record->meter, offset);
    return record->import_id ? ERR_OK : add_rows(k, record, offset);
}

enum err intake_add(struct intake *k, const struct record *record)
{
    bool waits = record->kind == RECORD_FRAME && record->meter == 0;
    uint32_t before = k->entry_count, offset;
    enum err err;

    if (waits && k->share_count == k->share_cap)
        return ERR_FULL;
    /* Entries first: a record cannot be taken back out of the batch. */
    if ((err = add_visible(k, record, 0)) || (err = batch_add(k->batch, record, &offset))) {
        k->entry_count = before;
        return err;
    }
    for (uint32_t i = before; i < k->entry_count; i++)
        k->entries[i].position = offset;
    if (waits)
        k->shares[k->share_count++] =
            (struct intake_share){ .peer = record->peer, .bytes = (uint32_t)record->bytes.len };
    return ERR_OK;
}

/* ---- the commit thread ---- */

static void finish(struct ingest *g, struct intake *k, enum err err)
{
    if (err)
        for (uint32_t i = 0; i < k->share_count; i++)
            quarantine_refund(g->parts.quarantine, &k->shares[i].peer, k->shares[i].bytes);
    k->share_count = 0;
    k->done(k->arg, k, err);
}

/* Once the journal has it, it must become visible: nobody else would ever settle it. Memory comes
 * back, or the process ends and the next start finds it in the journal. Then nothing behind it may
 * be told either: settling goes up to the newest that the tail was told of. */
static void tell_tail(struct ingest *g, const struct intake *k)
{
    const struct timespec pause = { .tv_nsec = 20000000 };

    if (k->entry_count == 0)
        return;
    while (!g->untold && tail_add(g->parts.tail, k->entries, k->entry_count)) {
        g->untold = g->stopping;
        nanosleep(&pause, NULL);
    }
}

/* Settling has not kept up, or fails: the tail must not grow for ever. Asked once a transaction, so
 * it ends at most one transaction above. */
static bool tail_is_full(struct ingest *g, struct intake *const *intakes, size_t count)
{
    uint64_t most = g->parts.unsettled_most ? g->parts.unsettled_most : LIMIT_UNSETTLED;
    bool grows = false;

    for (size_t i = 0; i < count; i++)
        grows = grows || intakes[i]->entry_count;
    return grows && tail_count(g->parts.tail) >= most;
}

static enum err commit_some(struct ingest *g, struct intake *const *intakes, size_t count)
{
    struct batch *batches[TRANSACTION_INTAKES];
    uint64_t numbers[TRANSACTION_INTAKES];
    uint64_t records = 0;
    enum err err;

    for (size_t i = 0; i < count; i++) {
        batches[i] = intakes[i]->batch;
        records += batch_count(batches[i]);
    }
    if (records == 0)
        return ERR_OK; /* only repeats that wait for their turn */
    err = tail_is_full(g, intakes, count)
              ? ERR_FULL
              : journal_commit(g->parts.journal, batches, count, numbers);
    health_commit(err);
    metrics_add(err ? METRIC_INGEST_FAILURES : METRIC_INGEST_COMMITS, 1);
    if (err)
        return err;
    metrics_add(METRIC_INGEST_RECORDS, records);
    for (size_t i = 0; i < count; i++) {
        struct intake *k = intakes[i];

        for (uint32_t e = 0; e < k->entry_count; e++)
            k->entries[e].position = position_of(numbers[i], (uint32_t)k->entries[e].position);
        tell_tail(g, k);
    }
    return ERR_OK;
}

static struct intake *commit_front(struct ingest *g, struct intake *queue)
{
    struct intake *intakes[TRANSACTION_INTAKES];
    size_t count = 0;
    enum err err;

    while (queue && count < TRANSACTION_INTAKES) {
        intakes[count++] = queue;
        queue = queue->next;
    }
    err = commit_some(g, intakes, count);
    for (size_t i = 0; i < count; i++)
        finish(g, intakes[i], err);
    return queue;
}

static void *commit_run(void *arg)
{
    struct ingest *g = (struct ingest *)arg;

    pthread_setname_np(pthread_self(), "commit");
    pthread_mutex_lock(&g->lock);
    while (g->first || !g->stopping) {
        struct intake *queue = g->first;

        if (!queue) {
            pthread_cond_wait(&g->wake, &g->lock);
            continue;
        }
        g->first = g->last = NULL;
        pthread_mutex_unlock(&g->lock);
        while (queue)
            queue = commit_front(g, queue);
        pthread_mutex_lock(&g->lock);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

enum err ingest_open(const struct ingest_parts *parts, struct ingest **out)
{
    struct ingest *g = (struct ingest *)calloc(1, sizeof *g);

    if (!g)
        return ERR_NO_MEMORY;
    g->parts = *parts;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->wake, NULL);
    if (pthread_create(&g->thread, NULL, commit_run, g)) {
        free(g);
        return ERR_NO_MEMORY;
    }
    *out = g;
    return ERR_OK;
}

void ingest_close(struct ingest *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    g->stopping = true;
    pthread_cond_signal(&g->wake);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->wake);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void ingest_submit(struct ingest *g, struct intake *k)
{
    bool refused;

    k->next = NULL;
    pthread_mutex_lock(&g->lock);
    refused = g->stopping;
    if (!refused) {
        if (g->last)
            g->last->next = k;
        else
            g->first = k;
        g->last = k;
        pthread_cond_signal(&g->wake);
    }
    pthread_mutex_unlock(&g->lock);
    if (refused)
        finish(g, k, ERR_STOPPING);
}

/* ---- one who waits ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool finished;
    enum err err;
};

static void waiter_done(void *arg, struct intake *k, enum err err)
{
    struct waiter *w = (struct waiter *)arg;

    (void)k;
    pthread_mutex_lock(&w->lock);
    w->finished = true;
    w->err = err;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

enum err ingest_submit_wait(struct ingest *g, struct intake *k)
{
    struct waiter w = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

    k->done = waiter_done;
    k->arg = &w;
    ingest_submit(g, k);
    pthread_mutex_lock(&w.lock);
    while (!w.finished)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return w.err;
}

/* ---- what a frame comes to ---- */

static enum err refuse_names(struct refusal *r, struct span given, struct span payload)
{
    return refuse(r, ERR_NAMES_DIFFER, 0, "meter", "the payload names %.*s and ?m= names %.*s",
                  (int)payload.len, (const char *)payload.at, (int)given.len,
                  (const char *)given.at);
}

static uint32_t find_names_lkd(struct registry *registry, const struct frame_names *names)
{
    uint32_t meter = 0;

    for (uint32_t i = 0; i < names->count && !meter; i++)
        meter = registry_find_lkd(registry, names->at[i]);
    return meter;
}

static bool names_hold(const struct frame_names *names, struct span name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (span_equal(names->at[i], name))
            return true;
    return false;
}

/* Who says which meter it is. */
struct sayings {
    struct span given, also; /* struct arrival's name and also */
    bool proven;
    const struct frame_names *payload;
    const struct lore_memo *memo; /* what decoding found out already */
};

/* The meter that `given` (by transport) and the payload name; 0 = nobody registered it. A meter may
 * be called by its serial in one place and by its radio name in the other. */
static enum err resolve_lkd(struct registry *registry, const struct sayings *s, uint32_t *out_meter,
                            struct refusal *r)
{
    const struct frame_names *payload = s->payload;
    struct span given = s->given;
    uint32_t meter;

    if (given.len && !text_is_serial(given))
        return refuse(r, ERR_MALFORMED, 0, "m", "a meter's name is 1 to 32 of A-Z a-z 0-9 . _ : -");
    if (!given.len && !payload->count)
        return refuse(r, ERR_NO_METER, 0, "meter", "neither the payload nor ?m= names a meter");
    if (given.len)
        meter = registry_find_lkd(registry, given);
    else if (!lore_remembers(s->memo, payload, &meter))
        meter = find_names_lkd(registry, payload);
    if (given.len && payload->count && !names_hold(payload, given) &&
        (meter == 0 || find_names_lkd(registry, payload) != meter)) {
        if (!s->proven)
            return refuse_names(r, given, payload->at[0]);
        return refuse(r, ERR_FORBIDDEN, 0, "meter", "names another meter than the key proves");
    }
    if (s->also.len && !span_equal(s->also, given) &&
        (meter == 0 || registry_find_lkd(registry, s->also) != meter))
        return refuse(r, ERR_FORBIDDEN, 0, "m", "?m= names another meter than the key proves");
    *out_meter = meter;
    return ERR_OK;
}

bool ingest_knows_recipe_lkd(struct ingest *g, struct span name)
{
    const struct dialect_input in = { .lore = g->parts.lore };

    return text_is_serial(name) && lore_recipe(&in, name);
}

bool ingest_has_psk_lkd(struct ingest *g, uint32_t meter, int64_t now_s)
{
    const struct dialect_input in = { .lore = g->parts.lore, .arrival_s = now_s };
    struct span keys[LORE_KEYS];

    return lore_keys(&in, meter, KEY_PSK, keys) > 0;
}

static enum err decode_lkd(const struct lore *lore, const struct record *record,
                           struct arena *scratch, struct lore_memo *memo, struct frame *out,
                           struct refusal *r)
{
    const struct dialect *d = dialect_by_id(record->dialect);
    struct dialect_input in = { .bytes = record->bytes,
                                .arrival_s = record->arrival_s,
                                .given = record->name,
                                .recipe = record->recipe,
                                .lore = lore,
                                .memo = memo };
    enum err err;

    memset(out, 0, sizeof *out);
    if (!d)
        return ERR_CORRUPT;
    err = d->decode(&in, scratch, out, r);
    return err ? err : frame_retime(out, record->arrival_s, r);
}

enum err record_frame_lkd(const struct lore *lore, const struct record *record,
                          struct arena *scratch, struct frame *out, struct refusal *r)
{
    struct lore_memo memo = { 0 };

    return decode_lkd(lore, record, scratch, &memo, out, r);
}

/* What a meter lacks that nobody registered is the meter: what else is missing is asked when it is there. */
static enum err judge_lkd(struct registry *registry, const struct lore *lore,
                          const struct sayings *said, struct arena *scratch, struct judged *out,
                          struct refusal *r)
{
    struct lore_memo memo = { 0 };
    struct sayings s = *said;
    uint32_t meter = 0;
    enum err why = decode_lkd(lore, &out->record, scratch, &memo, &out->frame, r), err;

    if (why && err_class(why) != ERR_CLASS_WAIT)
        return why;
    s.payload = &out->frame.names;
    s.memo = &memo;
    if ((err = resolve_lkd(registry, &s, &meter, r)))
        return err;
    if (meter == 0)
        why = ERR_UNKNOWN;
    out->record.meter = why ? 0 : meter;
    out->why = why;
    return ERR_OK;
}

enum err record_judge_lkd(struct registry *registry, const struct lore *lore,
                          const struct record *record, struct arena *scratch, struct judged *out,
                          struct refusal *r)
{
    const struct sayings said = { .given = record->name,
                                  .proven = record->transport == TRANSPORT_COAPS };

    out->record = *record;
    return judge_lkd(registry, lore, &said, scratch, out, r);
}

/* Nobody can register a longer one, or one with a blank. */
static void put_name(struct wr *w, struct span name)
{
    if (!name.len || name.len > RADIO_NAME_MAX || memchr(name.at, ' ', name.len))
        return;
    if (wr_len(w))
        wr_u8(w, ' ');
    wr_bytes(w, name);
}

struct span judged_names(const struct judged *j, struct arena *a)
{
    const size_t most = (size_t)(1 + FRAME_NAMES) * (RADIO_NAME_MAX + 1);
    const struct frame_names *names = &j->frame.names;
    void *room = arena_alloc(a, most);
    struct wr w = wr_of(room, room ? most : 0);

    if (!room)
        return j->record.name.len || !names->count ? j->record.name : names->at[0];
    put_name(&w, j->record.name);
    for (uint32_t i = 0; i < names->count; i++)
        put_name(&w, names->at[i]);
    return wr_span(&w);
}

enum err ingest_judge_lkd(struct ingest *g, const struct arrival *a, struct arena *scratch,
                          struct judged *out, struct refusal *r)
{
    const struct sayings said = { .given = a->name, .also = a->also, .proven = a->proven };
    enum err err;

    out->record = (struct record){
        .kind = RECORD_FRAME,
        .dialect = a->dialect->id,
        .transport = a->transport,
        .arrival_s = (uint32_t)a->arrival_s,
        .peer = a->peer,
        .recipe = a->recipe,
        .name = a->name,
        .bytes = a->bytes,
    };
    if ((err = judge_lkd(g->parts.registry, g->parts.lore, &said, scratch, out, r)))
        return err;
    if (out->why)
        return quarantine_admit(g->parts.quarantine, &a->peer, a->bytes.len)
                   ? refuse(r, ERR_LIMIT, 0, "", "too many frames wait in quarantine already")
                   : ERR_OK;
    if (out->frame.has_format && g->parts.formats)
        formats_learn(g->parts.formats, &out->frame.format, out->frame.format_list);
    return ERR_OK;
}
