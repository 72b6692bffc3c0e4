#include "server/readings.h"

#include "proto/base/crc.h"
#include "proto/base/limits.h"
#include "server/commands.h"
#include "server/lore.h"
#include "server/metrics.h"
#include "storage/rowset.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* ---- memory for decoding, one arena a thread, kept: a query must not map and unmap megabytes ----
 */

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void scratch_free(void *arg)
{
    arena_done((struct arena *)arg);
    free(arg);
}

static void scratch_make_key(void)
{
    if (pthread_key_create(&scratch_key, scratch_free))
        abort();
}

struct arena *readings_scratch(void)
{
    struct arena *a;

    pthread_once(&scratch_once, scratch_make_key);
    a = (struct arena *)pthread_getspecific(scratch_key);
    if (!a) {
        a = (struct arena *)calloc(1, sizeof *a);
        if (!a || arena_init(a, LIMIT_DECODE_ARENA) || pthread_setspecific(scratch_key, a)) {
            free(a);
            return NULL;
        }
    }
    arena_clear(a);
    return a;
}

/* ---- one record ---- */

static enum err frame_rows(const struct frame *f, int64_t arrival_s, const struct meter_facts *m,
                           struct arena *scratch, readings_each *each, void *arg)
{
    for (uint32_t s = 0; s < f->series_count; s++) {
        const struct series *series = &f->series[s];
        enum channel c =
            series->channel == CHANNEL_BILLED ? meter_billed_channel(m) : series->channel;
        struct row *rows = (struct row *)arena_alloc(scratch, series->count * sizeof *rows);
        enum err err;

        if (!rows)
            return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < series->count; i++) {
            const struct sample *sample = &series->samples[series->count - 1 - i];

            rows[i] = (struct row){
                .value = sample->value,
                .time_s = (uint32_t)sample->at_s,
                .attr = SOURCE_REMOTE | (f->retimed ? ATTR_RETIMED : 0) |
                        (sample->at_s > arrival_s + FUTURE_AFTER_S ? ATTR_FUTURE : 0),
            };
        }
        if ((err = each(arg, c, rows, series->count)))
            return err;
    }
    return ERR_OK;
}

static enum err rowset_rows(struct span bytes, const struct meter_facts *m, readings_each *each,
                            void *arg)
{
    struct rd r = rd_of(bytes);
    struct rows rows = { 0 };
    uint32_t meter;
    enum channel c;
    enum err err;

    while (!(err = rowset_next(&r, &meter, &c, &rows))) {
        if (meter != m->id)
            continue;
        if ((err =
                 each(arg, c == CHANNEL_BILLED ? meter_billed_channel(m) : c, rows.at, rows.count)))
            break;
    }
    rows_done(&rows);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* When the network heard it; one whose clock runs ahead of ours is not believed. */
static uint32_t heard_s(const struct frame *f, const struct record *record)
{
    return f->heard_s > 0 && f->heard_s <= (int64_t)record->arrival_s + FUTURE_AFTER_S
               ? (uint32_t)f->heard_s
               : record->arrival_s;
}

/* `key_since_s`: from when the meter has the key that holds: under another a counter begins anew. */
static enum fold frame_fold(struct frame *f, const struct kept_record *kept, int64_t key_since_s,
                            struct vitals *vitals)
{
    uint32_t at_s = heard_s(f, &kept->record);
    enum fold fold;

    if (f->seq_rule == SEQ_RISES && !f->digest)
        f->digest = (crc32c(0, kept->record.bytes.at, kept->record.bytes.len) & 0xffffff) | 1;
    if (key_since_s > vitals->arrival_s)
        vitals->renewed = false; /* in that key's time nothing was heard yet */
    fold = key_since_s > vitals->arrival_s && f->key_age != KEY_OUTDATED
               ? FOLD_COUNTS
               : vitals_fold(vitals, f, kept->position, at_s);
    if (fold == FOLD_COUNTS)
        vitals_take(vitals, f, kept->position, at_s);
    else if (kept->settling)
        metrics_add(fold == FOLD_REPEAT ? METRIC_FRAMES_REPEATED : METRIC_FRAMES_REPLAYED, 1);
    return fold;
}

/* Of commands only a report counts that the meter's key proves, where it has one for CoAP. */
static bool is_unproven_lkd(struct app *app, const struct record *record, uint32_t meter)
{
    struct span keys[LORE_KEYS];

    return record->transport == TRANSPORT_COAP &&
           keyring_find(app->keyring, meter, KEY_PSK, record->arrival_s, keys) > 0;
}

enum err readings_of_record(struct app *app, const struct kept_record *kept,
                            const struct meter_facts *m, struct arena *scratch, readings_each *each,
                            void *arg, struct vitals *vitals)
{
    const struct record *record = &kept->record;
    int64_t key_since_s = INT64_MIN;
    bool commanded = kept->settling;
    struct frame frame;
    enum fold fold;
    enum err err;

    if (record->kind == RECORD_ROWS)
        return rowset_rows(record->bytes, m, each, arg);
    if (record->kind != RECORD_FRAME)
        return ERR_CORRUPT;
    arena_clear(scratch);
    registry_read_lock(app->registry);
    err = record_frame_lkd(&app->lore, record, scratch, &frame, NULL);
    if (!err && frame.seq_rule == SEQ_RISES) {
        int64_t at_s = heard_s(&frame, record);

        key_since_s = keyring_since(app->keyring, m->id, KEY_OMS, at_s);
        frame.key_age = keyring_age(app->keyring, m->id, KEY_OMS, at_s, frame.key_mark);
    }
    if (!err && commanded && is_unproven_lkd(app, record, m->id))
        commanded = false;
    registry_read_unlock(app->registry);
    if (err)
        return err;
    lore_learn(app, &frame);
    if (vitals && (fold = frame_fold(&frame, kept, key_since_s, vitals)) != FOLD_COUNTS)
        return fold == FOLD_REPEAT ? ERR_OK : ERR_REPLAYED;
    if (commanded)
        commands_fold(app->commands, m->id, &frame, record->arrival_s);
    return frame_rows(&frame, heard_s(&frame, record), m, scratch, each, arg);
}

/* ---- settled and unsettled as one ---- */

struct pick {
    enum channel channel;
    int64_t from_s, to_s;
    struct rows *out;
};

static enum err pick_rows(void *arg, enum channel c, const struct row *rows, size_t count)
{
    struct pick *p = (struct pick *)arg;
    enum err err = ERR_OK;

    if (c != p->channel)
        return ERR_OK;
    for (size_t i = 0; i < count && !err; i++)
        if (rows[i].time_s >= p->from_s && rows[i].time_s < p->to_s)
            err = rows_push(p->out, rows[i]);
    return err;
}

static enum err pick_channel(void *arg, enum channel c, const struct row *rows, size_t count)
{
    (void)rows;
    (void)count;
    *(unsigned *)arg |= 1u << c;
    return ERR_OK;
}

static enum err pick_below_zero(void *arg, enum channel c, const struct row *rows, size_t count)
{
    bool *below = (bool *)arg;

    for (size_t i = 0; i < count && c == CHANNEL_FORWARD; i++)
        *below = *below || rows[i].value < 0;
    return ERR_OK;
}

/* What is done with the records of a meter. */
struct taker {
    readings_each *each;
    void *arg;
    struct vitals *vitals; /* or NULL: what they say of the meter, in the end */
};

/* A meter's unsettled end. */
struct stretch {
    struct archive_reader *reader; /* NULL: a read of its own */
    uint64_t settled;              /* below it all is the archive's */
    struct vitals vitals;          /* as settled */
    bool wants_vitals;             /* also of an empty stretch */
    uint64_t *positions, few[64];
    size_t count, cap;
};

/* What is settled is the archive's to tell, and was folded when it was settled. */
static enum err tail_rows(struct app *app, const struct meter_facts *m, const struct stretch *s,
                          const struct taker *taker)
{
    struct journal_reader *reader = NULL;
    struct arena *scratch = readings_scratch();
    struct vitals vitals = s->vitals;
    enum err err = scratch ? journal_reader_open(app->journal, &reader) : ERR_NO_MEMORY;

    for (size_t i = 0; i < s->count && !err; i++) {
        struct kept_record kept = { .position = s->positions[i] };

        if (kept.position < s->settled)
            continue;
        err = journal_get(reader, kept.position, &kept.record);
        if (err == ERR_NOT_FOUND)
            err = ERR_OK; /* settled and dropped since we asked the tail: the archive has it */
        else if (!err)
            err = readings_of_record(app, &kept, m, scratch, taker->each, taker->arg, &vitals);
        if (err_of_frame(err))
            err = ERR_OK; /* taken once, and not readable any more: settling puts it aside */
    }
    journal_reader_close(reader);
    if (!err && taker->vitals)
        *taker->vitals = vitals;
    return err;
}

static enum err stretch_positions(struct app *app, uint32_t meter, struct stretch *s)
{
    while ((s->count = tail_of(app->tail, meter, s->positions, s->cap)) > s->cap) {
        size_t cap = s->count + 64;

        if (s->positions != s->few)
            free(s->positions);
        s->positions = (uint64_t *)malloc(cap * sizeof *s->positions);
        s->cap = s->positions ? cap : 0;
        if (!s->positions)
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* The tail, and what settling made of all before it: a pass that becomes visible between the looks
 * sends us back to the first. Vitals are written in the commit that makes a pass visible, so ones
 * from beyond what is settled tell that it is just being seen. */
#define LOOKS 8

static enum err stretch_look(struct app *app, uint32_t meter, struct stretch *s)
{
    enum err err = ERR_OK;

    for (int look = 0; look < LOOKS && !err; look++) {
        s->settled = archive_settled(app->archive);
        if ((err = stretch_positions(app, meter, s)))
            break;
        if (s->count == 0 && !s->wants_vitals)
            break;
        err = s->reader ? archive_reader_vitals(s->reader, meter, &s->vitals)
                        : archive_vitals(app->archive, meter, &s->vitals);
        if ((s->vitals.position < s->settled || !s->vitals.position) &&
            archive_settled(app->archive) == s->settled)
            break;
        sched_yield();
    }
    return err;
}

/* What the tail holds of the meter, oldest first. */
static enum err tail_take(struct app *app, struct archive_reader *reader,
                          const struct meter_facts *m, const struct taker *taker)
{
    struct stretch s = { .reader = reader, .wants_vitals = taker->vitals != NULL };
    enum err err;

    s.positions = s.few;
    s.cap = sizeof s.few / sizeof s.few[0];
    err = stretch_look(app, m->id, &s);
    if (!err && s.count)
        err = tail_rows(app, m, &s, taker);
    else if (!err && taker->vitals)
        *taker->vitals = s.vitals;
    if (s.positions != s.few)
        free(s.positions);
    return err;
}

static enum err tail_pick(struct app *app, struct archive_reader *reader,
                          const struct meter_facts *m, readings_each *each, void *arg)
{
    const struct taker taker = { .each = each, .arg = arg };

    return tail_take(app, reader, m, &taker);
}

enum err readings_load(struct app *app, const struct meter_facts *m, enum channel c, int64_t from_s,
                       int64_t to_s, struct rows *out)
{
    return readings_load_by(app, NULL, m, c, from_s, to_s, out);
}

static enum err settled_rows(struct app *app, struct archive_reader *reader, uint32_t meter,
                             const struct pick *of, struct rows *out)
{
    return reader ? archive_reader_read(reader, meter, of->channel, of->from_s, of->to_s, out)
                  : archive_read(app->archive, meter, of->channel, of->from_s, of->to_s, out);
}

enum err readings_load_by(struct app *app, struct archive_reader *reader,
                          const struct meter_facts *m, enum channel c, int64_t from_s, int64_t to_s,
                          struct rows *out)
{
    struct rows fresh = { 0 };
    struct pick pick = { .channel = c, .from_s = from_s, .to_s = to_s, .out = &fresh };
    enum err err;

    out->count = 0;
    /* The tail first: what is settled between the two look-ups is then seen twice, which rows_tidy
     * mends, never not at all. */
    if (!(err = tail_pick(app, reader, m, pick_rows, &pick)) &&
        !(err = settled_rows(app, reader, m->id, &pick, out)) && fresh.count &&
        !(err = rows_append(out, fresh.at, fresh.count)))
        err = rows_tidy(out);
    rows_done(&fresh);
    return err;
}

enum err readings_channels(struct app *app, const struct meter_facts *m, unsigned *out_set)
{
    unsigned fresh = 0;
    enum err err;

    if ((err = tail_pick(app, NULL, m, pick_channel, &fresh)) ||
        (err = archive_channels(app->archive, m->id, out_set)))
        return err;
    *out_set |= fresh;
    return ERR_OK;
}

enum err readings_below_zero(struct app *app, const struct meter_facts *m, bool *out_below)
{
    bool fresh = false;
    enum err err;

    if ((err = tail_pick(app, NULL, m, pick_below_zero, &fresh)) ||
        (err = archive_below_zero(app->archive, m->id, out_below)))
        return err;
    *out_below = *out_below || fresh;
    return ERR_OK;
}

static enum err pass_by(void *arg, enum channel c, const struct row *rows, size_t count)
{
    (void)arg;
    (void)c;
    (void)rows;
    (void)count;
    return ERR_OK;
}

enum err readings_vitals(struct app *app, const struct meter_facts *m, struct vitals *out)
{
    return readings_vitals_by(app, NULL, m, out);
}

enum err readings_vitals_by(struct app *app, struct archive_reader *reader,
                            const struct meter_facts *m, struct vitals *out)
{
    struct vitals vitals;
    const struct taker taker = { .each = pass_by, .vitals = &vitals };
    enum err err = tail_take(app, reader, m, &taker);

    if (!err)
        *out = vitals;
    return err;
}
