/* A pass reads each meter's records once more with the decoder that took them, and puts their rows
 * into one archive pass; the position up to which it settled becomes visible with them.  What must be
 * on disk besides (who waits, what meters said of themselves) is written before that, so that a crash
 * leaves nothing but the generation to settle again. */
#include "server/settle_pass.h"

#include "proto/past.h"
#include "server/commands.h"
#include "server/detect/silent.h"
#include "server/hearing.h"
#include "server/lore.h"
#include "server/metrics.h"
#include "server/readings.h"
#include "server/registers.h"

#include <stdlib.h>

/* Meters whose last words wait in memory (80 bytes each) for the commit that makes their rows visible.
 * Those of a larger pass are written before: if it is then cut off, its frames are held against
 * themselves when they are settled again, and one heard twice since the pass before may count twice. */
#define VITALS_AT_ONCE (1u << 20)

/* ---- news ---- */

enum err news_push(struct news *n, uint32_t meter, uint32_t first_s)
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

enum err news_push_of(struct news *n, uint32_t meter, unsigned news)
{
    enum err err = news_push(n, meter, JUDGE_NO_READING);

    if (!err)
        n->at[n->count - 1].news = news;
    return err;
}

enum err news_push_due(struct news *n, uint32_t meter)
{
    return news_push_of(n, meter, NEWS_DATE);
}

static int news_order(const void *a, const void *b)
{
    const struct judge_news *x = (const struct judge_news *)a, *y = (const struct judge_news *)b;

    if (x->meter != y->meter)
        return x->meter < y->meter ? -1 : 1;
    return (x->first_s > y->first_s) - (x->first_s < y->first_s);
}

void news_sort(struct news *n)
{
    size_t kept = 0;

    if (n->count) /* no array yet is no array to sort */
        qsort(n->at, n->count, sizeof *n->at, news_order);
    for (size_t i = 0; i < n->count; i++)
        if (kept == 0 || n->at[kept - 1].meter != n->at[i].meter)
            n->at[kept++] = n->at[i];
        else
            n->at[kept - 1].news |= n->at[i].news;
    n->count = kept;
}

/* ---- what may go on ---- */

static void release_due_one(struct release_due *due, struct span name)
{
    for (unsigned i = 0; i < due->names; i++)
        if (span_equal(span_text(due->name[i]), name))
            return;
    if (due->names == RELEASE_NAMES_MOST || !name.len || name.len > RADIO_NAME_MAX) {
        due->all = true;
        return;
    }
    memcpy(due->name[due->names], name.at, name.len);
    due->name[due->names++][name.len] = 0;
}

void release_due_add(struct release_due *due, struct span names)
{
    struct span name;

    if (!names_next(&names, &name)) {
        due->all = true;
        return;
    }
    release_due_one(due, name); /* it stands under each */
}

/* ---- one pass ---- */

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
    size_t vitals_count, vitals_cap;
    uint8_t *pasts; /* the bytes that they bring, one after the other */
    size_t past_len, past_cap;
    struct hush *hushes; /* that were too long, likewise */
    size_t hush_count, hush_cap;
    struct release_due *due;
    uint64_t readings; /* settled */
};

static enum err pass_collect(void *arg, enum channel c, const struct row *rows, size_t count)
{
    return rows_append(&((struct pass *)arg)->rows[c], rows, count);
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
        struct judged judged;
        struct span names;
        enum err why;

        if ((err = journal_get(p->reader, p->positions[i], &record)))
            break;
        if (record.kind == RECORD_REJECT) {
            err =
                quarantine_put_reject(p->app->quarantine, p->positions[i], ERR_MALFORMED, &record);
            continue;
        }
        arena_clear(p->scratch);
        registry_read_lock(p->app->registry);
        why = record_judge_lkd(p->app->registry, &p->app->lore, &record, p->scratch, &judged, NULL);
        registry_read_unlock(p->app->registry);
        if (why == ERR_NO_MEMORY)
            return why;
        names = judged_names(&judged, p->scratch);
        if (!why && !judged.why)
            release_due_add(p->due, names);
        err = quarantine_put(p->app->quarantine, p->positions[i], names,
                             why          ? why
                             : judged.why ? judged.why
                                          : ERR_UNKNOWN,
                             &record);
    }
    return err;
}

static void point_at_pasts(struct pass *p)
{
    const uint8_t *at = p->pasts;

    for (size_t i = 0; i < p->vitals_count; i++)
        if (p->vitals[i].past.len) {
            p->vitals[i].past.at = at;
            at += p->vitals[i].past.len;
        }
}

static enum err flush_vitals(struct pass *p)
{
    enum err err;

    point_at_pasts(p);
    err = archive_vitals_put(p->app->archive, p->vitals, p->vitals_count, p->hushes, p->hush_count);
    p->vitals_count = p->hush_count = 0;
    p->past_len = 0;
    return err;
}

static enum err vitals_room(struct pass *p)
{
    size_t cap = p->vitals_cap ? p->vitals_cap * 2 : 1024;
    struct vitals_entry *more;

    if (p->vitals_count < p->vitals_cap)
        return ERR_OK;
    if (p->vitals_cap == VITALS_AT_ONCE)
        return flush_vitals(p);
    if (!(more = (struct vitals_entry *)realloc(p->vitals, cap * sizeof *more)))
        return ERR_NO_MEMORY;
    p->vitals = more;
    p->vitals_cap = cap;
    return ERR_OK;
}

/* Behind those of the entries before it; where all of them lie is known when they are written (point_at_pasts). */
static enum err past_bytes(struct pass *p, const struct past *past, size_t *out_len)
{
    struct wr w;

    if (p->past_cap - p->past_len < PAST_BYTES_MAX) {
        size_t cap = p->past_cap ? p->past_cap * 2 : 64 * PAST_BYTES_MAX;
        uint8_t *more = (uint8_t *)realloc(p->pasts, cap);

        if (!more)
            return ERR_NO_MEMORY;
        p->pasts = more;
        p->past_cap = cap;
    }
    w = wr_of(p->pasts + p->past_len, PAST_BYTES_MAX);
    past_encode(past, &w);
    *out_len = wr_len(&w);
    p->past_len += w.err ? 0 : wr_len(&w);
    return w.err;
}

/* `past`: NULL where it stays as it was. */
static enum err pass_vitals(struct pass *p, uint32_t meter, const struct vitals *vitals,
                            const struct past *past)
{
    struct vitals_entry entry = { .meter = meter, .vitals = *vitals };
    enum err err = vitals_room(p);

    if (!err && past)
        err = past_bytes(p, past, &entry.past.len);
    if (!err)
        p->vitals[p->vitals_count++] = entry;
    return err;
}

/* Whether it was silent until this report: then the pause is kept, for nothing else tells of it afterwards. */
static enum err note_hush(struct pass *p, uint32_t meter, const struct vitals *before,
                          const struct vitals *now, bool *out_silent)
{
    size_t cap = p->hush_cap ? p->hush_cap * 2 : 256;
    struct hush hush, *more;

    if (!silence_broken(before, now, &hush))
        return ERR_OK;
    if (p->hush_count == p->hush_cap) {
        if (!(more = (struct hush *)realloc(p->hushes, cap * sizeof *more)))
            return ERR_NO_MEMORY;
        p->hushes = more;
        p->hush_cap = cap;
    }
    hush.meter = meter;
    p->hushes[p->hush_count++] = hush;
    *out_silent = true;
    return ERR_OK;
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
    struct past past;
    struct past_change change = { 0 };
    uint64_t before;
    bool silent = false;
    size_t count;
    uint32_t first_s = UINT32_MAX;
    enum err err;

    for (int c = 0; c < CHANNEL_COUNT; c++)
        p->rows[c].count = 0;
    if ((err = meter_facts_by_id(&p->ledger, meter, &facts)) ||
        (err = pass_positions(p, meter, &count)) ||
        (err = archive_vitals(p->app->archive, meter, &vitals)) ||
        (err = archive_past(p->app->archive, meter, &past)))
        return err;
    before = vitals.position;
    for (size_t i = 0; i < count && !err; i++) {
        struct kept_record kept = { .position = p->positions[i], .settling = true };
        struct vitals was = vitals;

        if (!(err = journal_get(p->reader, kept.position, &kept.record)))
            err = readings_of_record(p->app, &kept, &facts, p->scratch, pass_collect, p, &vitals);
        if (!err)
            err = note_hush(p, meter, &was, &vitals, &silent);
        if (!err)
            past_take(&past, &was, &vitals, &change);
        /* What was taken once and does not read any more must not hold up all others: it waits. */
        if (err_of_frame(err))
            err = put_aside(p, kept.position, span_text(facts.serial), err, &kept.record);
    }
    if (!err && vitals.position != before)
        err = pass_vitals(p, meter, &vitals, change.any ? &past : NULL);
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
    if (!err && vitals.position != before)
        err = hearing_heard(p->app->hearing, meter, &vitals);
    if (change.shut)
        first_s = 0; /* no use is expected then: all of it is judged anew */
    if (!err && !(err = news_push(p->touched, meter, first_s)) && vitals.position != before)
        p->touched->at[p->touched->count - 1].news =
            NEWS_VITALS | (silent ? NEWS_SILENCE : 0) | (change.any ? NEWS_PAST : 0);
    return err;
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

enum err settle_pass(struct app *app, struct news *touched, struct release_due *due)
{
    struct pass p = { .app = app, .touched = touched, .due = due };
    bool formats = false;
    enum err err, ended;

    p.ledger = ledger_read(app->ledger);
    if (!(p.scratch = readings_scratch()))
        err = ERR_NO_MEMORY;
    else if (!(err = journal_reader_open(app->journal, &p.reader)) &&
             !(err = archive_pass_begin(app->archive, 0, &p.archive)) && !(err = pass_run(&p))) {
        point_at_pasts(&p);
        archive_pass_vitals(p.archive, p.vitals, p.vitals_count, p.hushes, p.hush_count);
    }
    journal_reader_close(p.reader);
    ended = txn_end(&p.ledger);
    if (!err)
        err = ended;
    if (!err)
        err = commands_fold_end(app);
    if (!err)
        err = lore_keep(app, &formats); /* before the frame that taught them may be dropped */
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
    free(p.hushes);
    free(p.pasts);
    due->formats = due->formats || formats;
    return err;
}
