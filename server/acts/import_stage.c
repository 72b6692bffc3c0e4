/* Journal first, archive second, ledger last: the import's id stands on every record, and none of
 * them counts before the ledger says that the import is complete.  A crash before leaves staged
 * runs that the next start discards. */
#include "server/acts/import_stage.h"

#include "server/readings.h"
#include "server/registers.h"
#include "server/settler.h"
#include "storage/rowset.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_BYTES (512u << 10) /* of the journal at a time: a few milliseconds of its writer */
#define PIECE_ROWS 8192u         /* of one meter in one go, at most 172 KiB */
/* Of a slice: above it, looking each up would take longer than keeping what is there twice. */
#define COMPARE_GROUPS_MAX 200000u

#define FACT_TOUCHED 0x80000000u
#define FACT_NET 0x40000000u
#define FACT_UNIT 0x3fffffffu /* 0: not looked up yet */

struct stage {
    struct import *import;
    struct item *sorted; /* room to sort in */
    uint32_t *facts;     /* by meter id */
    uint32_t facts_count;
    struct txn ledger; /* open while a slice is worked on */
    bool compare;      /* the store has readings that a row might be again */
    struct rows rows, known;

    bool small;
    uint32_t id; /* of the import; 0 until there is something to write */
    struct intake *intake;
    uint8_t *chunk;
    struct wr w;
    struct archive_pass *pass;
    bool ordered; /* nothing received before the import is left in the tail */
    bool staged;

    struct item *items;
    size_t count;
};

enum err stage_new(struct import *i, struct stage **out)
{
    struct stage *s = (struct stage *)calloc(1, sizeof *s);
    enum err err;

    if (!s)
        return ERR_NO_MEMORY;
    s->import = i;
    s->facts_count = registry_count(i->app->registry) + 1;
    s->facts = (uint32_t *)calloc(s->facts_count, sizeof *s->facts);
    s->chunk = (uint8_t *)malloc(CHUNK_BYTES);
    err = s->facts && s->chunk ? intake_new(&s->intake) : ERR_NO_MEMORY;
    if (err) {
        stage_free(s);
        return err;
    }
    s->w = wr_of(s->chunk, CHUNK_BYTES);
    *out = s;
    return ERR_OK;
}

uint32_t stage_meters(const struct stage *s)
{
    return s->facts_count;
}

/* ---- on the settling thread's place ---- */

static enum err discard(void *arg)
{
    struct stage *s = (struct stage *)arg;

    return archive_discard(s->import->app->archive, s->id);
}

static enum err seal(void *arg)
{
    struct stage *s = (struct stage *)arg;

    return archive_seal(s->import->app->archive, s->id);
}

void stage_free(struct stage *s)
{
    if (!s)
        return;
    if (s->staged && settler_lend(s->import->app->settler, discard, s))
        fprintf(stderr, "nilod: what was staged of import %u is discarded at the next start\n",
                s->id);
    intake_free(s->intake);
    rows_done(&s->rows);
    rows_done(&s->known);
    free(s->chunk);
    free(s->facts);
    free(s->sorted);
    free(s);
}

/* ---- facts of meters ---- */

static enum err fact_of(struct stage *s, uint32_t meter, uint32_t *out)
{
    struct meter_facts m;
    enum err err;

    assert(meter < s->facts_count);
    if (!(s->facts[meter] & FACT_UNIT)) {
        if ((err = meter_facts_by_id(&s->ledger, meter, &m)))
            return err;
        s->facts[meter] |= (m.form == REGISTER_NET ? FACT_NET : 0) |
                           (uint32_t)(m.resolution_ml <= FACT_UNIT ? m.resolution_ml : FACT_UNIT);
    }
    *out = s->facts[meter];
    return ERR_OK;
}

/* Rows that named no channel count on the one that is billed. */
static enum err resolve(struct stage *s)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t fact;
        enum err err;

        if ((s->items[i].key & 15) != CHANNEL_BILLED)
            continue;
        if ((err = fact_of(s, s->items[i].key >> 4, &fact)))
            return err;
        s->items[i].key =
            (s->items[i].key & ~15u) | (uint32_t)(fact & FACT_NET ? CHANNEL_NET : CHANNEL_FORWARD);
    }
    return ERR_OK;
}

/* ---- sorting ---- */

static bool in_order(const struct stage *s)
{
    for (size_t i = 1; i < s->count; i++)
        if (s->items[i].key < s->items[i - 1].key)
            return false;
    return true;
}

#define RADIX_BITS 11
#define RADIX_SIZE (1u << RADIX_BITS)

static void radix_pass(const struct item *from, struct item *to, size_t count, unsigned shift)
{
    size_t place[RADIX_SIZE] = { 0 }, sum = 0;

    for (size_t i = 0; i < count; i++)
        place[from[i].key >> shift & (RADIX_SIZE - 1)]++;
    for (unsigned digit = 0; digit < RADIX_SIZE; digit++) {
        size_t here = place[digit];

        place[digit] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[place[from[i].key >> shift & (RADIX_SIZE - 1)]++] = from[i];
}

/* By meter and channel, those of one as they came: three stable passes over the key's 30 bits. */
static enum err sort(struct stage *s)
{
    struct item *from = s->items, *to;

    if (in_order(s))
        return ERR_OK;
    if (!s->sorted && !(s->sorted = (struct item *)malloc(STAGE_SLICE * sizeof *s->sorted)))
        return ERR_NO_MEMORY;
    to = s->sorted;
    for (unsigned shift = 0; shift < 33; shift += RADIX_BITS) {
        struct item *swap = from;

        radix_pass(from, to, s->count, shift);
        from = to;
        to = swap;
    }
    s->items = from; /* the third pass ends in `sorted` */
    return ERR_OK;
}

/* ---- what is known already ---- */

/* Would rows_tidy of the two leave the known one as it is? */
static bool adds_nothing(struct row known, struct row row)
{
    return known.time_s == row.time_s && known.value == row.value &&
           source_rank(known.attr) >= source_rank(row.attr) &&
           !(known.attr & ~row.attr & (ATTR_FUTURE | ATTR_RETIMED));
}

static enum err leave_known_out(struct stage *s, uint32_t key)
{
    struct meter_facts m;
    size_t kept = 0, at = 0;
    enum err err;

    if ((err = meter_facts_by_id(&s->ledger, key >> 4, &m)) ||
        (err = readings_load(s->import->app, &m, (enum channel)(key & 15), s->rows.at[0].time_s,
                             (int64_t)s->rows.at[s->rows.count - 1].time_s + 1, &s->known)))
        return err;
    for (size_t i = 0; i < s->rows.count; i++) {
        struct row row = s->rows.at[i];
        bool known = false;

        while (at < s->known.count && s->known.at[at].time_s < row.time_s)
            at++;
        for (size_t k = at; k < s->known.count && s->known.at[k].time_s == row.time_s; k++)
            known = known || adds_nothing(s->known.at[k], row);
        if (!known)
            s->rows.at[kept++] = row;
    }
    s->import->report->unchanged += s->rows.count - kept;
    s->rows.count = kept;
    return ERR_OK;
}

/* ---- to the journal ---- */

static struct record record_of(const struct stage *s, uint32_t meter)
{
    int64_t now_s = s->import->now_s;

    return (struct record){ .kind = RECORD_ROWS,
                            .transport = TRANSPORT_FILE,
                            .meter = meter,
                            .arrival_s = now_s < 0            ? 0
                                         : now_s > UINT32_MAX ? UINT32_MAX
                                                              : (uint32_t)now_s,
                            .import_id = s->id,
                            .bytes = wr_span(&s->w) };
}

static enum err chunk_send(struct stage *s)
{
    struct record record = record_of(s, 0);
    enum err err;

    if (s->w.err || wr_len(&s->w) == 0)
        return s->w.err;
    intake_clear(s->intake);
    if (!(err = intake_add(s->intake, &record)))
        err = ingest_submit_wait(s->import->app->ingest, s->intake);
    s->w = wr_of(s->chunk, CHUNK_BYTES);
    return err;
}

/* A whole file in one intake: a record for each meter and channel, so that a read of one decodes no
 * other. */
static enum err put_small(struct stage *s, uint32_t meter, enum channel c)
{
    struct record record;

    s->w = wr_of(s->chunk, CHUNK_BYTES);
    rowset_put(&s->w, meter, c, s->rows.at, s->rows.count);
    if (s->w.err)
        return s->w.err;
    record = record_of(s, meter);
    return intake_add(s->intake, &record);
}

static enum err put_journal(struct stage *s, uint32_t meter, enum channel c)
{
    for (size_t at = 0; at < s->rows.count; at += PIECE_ROWS) {
        size_t count = s->rows.count - at < PIECE_ROWS ? s->rows.count - at : PIECE_ROWS;
        enum err err;

        /* 21 bytes: the longest a row can get. */
        if (wr_len(&s->w) + count * 21 + 32 > CHUNK_BYTES && (err = chunk_send(s)))
            return err;
        rowset_put(&s->w, meter, c, s->rows.at + at, count);
    }
    return s->w.err;
}

/* ---- a group: the rows of one meter and channel ---- */

static enum err import_begin(struct stage *s)
{
    struct import *i = s->import;
    struct act act =
        act_begin(i->app->ledger, i->caller->who, i->now_s, journal_end(i->app->journal));

    act_import_begin(&act, &s->id);
    return act_end(&act);
}

static enum err put_staged(struct stage *s, uint32_t meter, enum channel c)
{
    uint32_t fact;
    enum err err;

    if (!s->id && (err = import_begin(s)))
        return err;
    if (!s->pass && (err = archive_pass_begin(s->import->app->archive, s->id, &s->pass)))
        return err;
    if ((err = fact_of(s, meter, &fact)) || (err = put_journal(s, meter, c)))
        return err;
    return archive_pass_put(s->pass, meter, c, fact & FACT_UNIT, s->rows.at, s->rows.count);
}

static enum err put_group(struct stage *s, const struct item *items, size_t count)
{
    uint32_t key = items[0].key, meter = key >> 4;
    enum err err;

    s->rows.count = 0;
    if ((err = rows_reserve(&s->rows, count)))
        return err;
    for (size_t i = 0; i < count; i++)
        s->rows.at[i] = (struct row){ items[i].value, items[i].time_s, items[i].attr };
    s->rows.count = count;
    if ((err = rows_tidy(&s->rows)))
        return err;
    s->import->report->unchanged += count - s->rows.count;
    if ((s->compare && (err = leave_known_out(s, key))) || s->rows.count == 0)
        return err;
    s->import->report->written += s->rows.count;
    s->facts[meter] |= FACT_TOUCHED;
    return s->small ? put_small(s, meter, (enum channel)(key & 15))
                    : put_staged(s, meter, (enum channel)(key & 15));
}

static enum err each_group(struct stage *s)
{
    enum err err = ERR_OK;

    for (size_t at = 0, end; at < s->count && !err; at = end) {
        for (end = at + 1; end < s->count && s->items[end].key == s->items[at].key;)
            end++;
        err = put_group(s, s->items + at, end - at);
    }
    return err;
}

static size_t group_count(const struct stage *s)
{
    size_t groups = s->count != 0;

    for (size_t i = 1; i < s->count; i++)
        groups += s->items[i].key != s->items[i - 1].key;
    return groups;
}

static enum err compare_worth(struct stage *s)
{
    struct archive_stat stat;
    enum err err = archive_stat(s->import->app->archive, &stat);

    if (err)
        return err;
    s->compare =
        (stat.rows || tail_count(s->import->app->tail)) && group_count(s) <= COMPARE_GROUPS_MAX;
    return ERR_OK;
}

static enum err work_slice(struct stage *s)
{
    enum err err, ended;

    s->ledger = ledger_read(s->import->app->ledger);
    if (!(err = s->ledger.err) && !(err = resolve(s)) && !(err = sort(s)) &&
        !(err = compare_worth(s)))
        err = each_group(s);
    ended = txn_end(&s->ledger);
    return err ? err : ended;
}

/* ---- a slice ---- */

static enum err stage_lent(void *arg)
{
    struct stage *s = (struct stage *)arg;
    enum err err = work_slice(s);

    if (!err)
        err = chunk_send(s);
    if (!err && s->pass) {
        err = archive_pass_stage(s->pass);
        s->staged = true; /* perhaps half of it, if there was an error */
    } else {
        archive_pass_abandon(s->pass);
    }
    s->pass = NULL;
    return err;
}

static enum err send_small(struct stage *s)
{
    enum err err;

    intake_clear(s->intake);
    if ((err = work_slice(s)) || batch_count(s->intake->batch) == 0)
        return err;
    return ingest_submit_wait(s->import->app->ingest, s->intake);
}

enum err stage_put(struct stage *s, struct item *items, size_t count, bool small)
{
    enum err err;

    if (count == 0)
        return ERR_OK;
    /* What was received before goes to the archive first, for its runs stand in the order of
     * arrival (rules-bills B6: "the value first received"). */
    if (!small && !s->ordered && (err = settler_settle(s->import->app->settler)))
        return err;
    s->ordered = true;
    s->items = items;
    s->count = count;
    s->small = small;
    return small ? send_small(s) : settler_lend(s->import->app->settler, stage_lent, s);
}

/* ---- the end ---- */

static enum err note(struct stage *s)
{
    const struct import_report *r = s->import->report;
    struct import *i = s->import;
    struct act act =
        act_begin(i->app->ledger, i->caller->who, i->now_s, journal_end(i->app->journal));
    char told[128];

    snprintf(told, sizeof told,
             "{\"rows\":%llu,\"written\":%llu,\"unchanged\":%llu,\"refused\":%llu}",
             (unsigned long long)r->rows, (unsigned long long)r->written,
             (unsigned long long)r->unchanged, (unsigned long long)r->refused);
    act_note(&act, "readings.import", span_of(NULL, 0), span_of(NULL, 0), span_text(told),
             span_of(NULL, 0));
    if (s->id)
        act_import_complete(&act, s->id, r->written);
    return act_end(&act);
}

enum err stage_complete(struct stage *s)
{
    struct app *app = s->import->app;
    enum err err;

    if (s->import->report->written == 0)
        return ERR_OK;
    if ((err = note(s)) || !s->id)
        return err;
    s->staged = false; /* complete: the next start would seal it */
    if ((err = settler_lend(app->settler, seal, s)))
        return err;
    for (uint32_t meter = 1; meter < s->facts_count; meter++)
        if (s->facts[meter] & FACT_TOUCHED)
            settler_touch(app->settler, meter);
    return ERR_OK;
}
