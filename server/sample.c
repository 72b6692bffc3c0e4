#include "server/sample.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct index_walk lot_meters(struct txn *t, struct span batch)
{
    struct key k;

    key_clear(&k);
    key_text(&k, batch);
    return ledger_index_walk(t, INDEX_BATCH, key_span(&k), span_of(NULL, 0));
}

/* ---- the lot ---- */

struct lot {
    struct drawn *at;
    size_t count, cap;
    EVP_MD_CTX *hash;
    struct span seed;
};

static enum err rank(struct lot *lot, struct drawn *d)
{
    unsigned len = 0;

    if (EVP_DigestInit_ex(lot->hash, EVP_sha256(), NULL) &&
        EVP_DigestUpdate(lot->hash, lot->seed.at, lot->seed.len) &&
        EVP_DigestUpdate(lot->hash, ":", 1) &&
        EVP_DigestUpdate(lot->hash, d->serial, strlen(d->serial)) &&
        EVP_DigestFinal_ex(lot->hash, d->rank, &len) && len == sizeof d->rank)
        return ERR_OK;
    return ERR_NO_MEMORY;
}

static enum err lot_add(struct lot *lot, const struct meter_life *life)
{
    struct drawn *d;

    if (lot->count == lot->cap) {
        size_t cap = lot->cap ? lot->cap * 2 : 256;
        struct drawn *more = (struct drawn *)realloc(lot->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        lot->at = more;
        lot->cap = cap;
    }
    d = &lot->at[lot->count++];
    d->meter = life->meter;
    snprintf(d->serial, sizeof d->serial, "%s", life->facts.serial);
    return rank(lot, d);
}

static enum err add_if_received(struct app *app, struct txn *t, uint32_t meter, struct lot *lot)
{
    struct meter_life life;
    struct life now;
    enum err err = life_load(app, t, meter, &life);

    if (!err) {
        life_fold(&life.rules, life.events, life.count, INT64_MAX, INT64_MAX, &now);
        if (now.state == LIFE_RECEIVED)
            err = lot_add(lot, &life);
    }
    life_done(&life);
    return err;
}

static enum err lot_load(struct app *app, struct txn *t, struct lot *lot)
{
    struct index_walk w = lot_meters(t, lot->seed);
    enum err err = lot->hash ? ERR_OK : ERR_NO_MEMORY;

    while (!err && index_next(&w))
        err = add_if_received(app, t, w.value, lot);
    index_done(&w);
    return err ? err : t->err;
}

static int by_rank(const void *a, const void *b)
{
    const struct drawn *x = (const struct drawn *)a, *y = (const struct drawn *)b;
    int order = memcmp(x->rank, y->rank, sizeof x->rank);

    return order ? order : strcmp(x->serial, y->serial);
}

static int by_serial(const void *a, const void *b)
{
    return strcmp(((const struct drawn *)a)->serial, ((const struct drawn *)b)->serial);
}

/* ---- the sample ---- */

static struct span or_else(struct span given, const char *usual)
{
    return given.len ? given : span_text(usual);
}

static enum err plan(const struct lot_terms *terms, struct lot_sample *out, struct refusal *r)
{
    struct sampling_table *table = (struct sampling_table *)malloc(sizeof *table);
    struct span level = or_else(terms->level, "II"), aql = or_else(terms->aql, "1.0");
    enum err err;

    if (!table)
        return ERR_NO_MEMORY;
    sampling_builtin(table);
    err = sampling_plan(table, out->lot, level, aql, terms->severity, &out->plan, r);
    if (!err) {
        snprintf(out->standard, sizeof out->standard, "%s", table->name);
        snprintf(out->level, sizeof out->level, "%.*s", (int)level.len, (const char *)level.at);
        snprintf(out->aql, sizeof out->aql, "%.*s", (int)aql.len, (const char *)aql.at);
    }
    free(table);
    return err;
}

enum err lot_sample(struct app *app, struct txn *t, const struct lot_terms *terms,
                    struct lot_sample *out, struct refusal *r)
{
    struct lot lot = { .hash = EVP_MD_CTX_new(), .seed = terms->batch };
    enum err err = lot_load(app, t, &lot);

    memset(out, 0, sizeof *out);
    EVP_MD_CTX_free(lot.hash);
    out->drawn = lot.at;
    out->lot = lot.count;
    out->severity = terms->severity;
    if (err)
        return err;
    if ((err = plan(terms, out, r)))
        return err;
    if (!lot.count)
        return refuse(r, ERR_INVALID, 0, "batch", "batch: no meter of %.*s is received and waits",
                      (int)terms->batch.len, (const char *)terms->batch.at);
    qsort(out->drawn, lot.count, sizeof *out->drawn, by_rank);
    qsort(out->drawn, (size_t)out->plan.sample, sizeof *out->drawn, by_serial);
    return ERR_OK;
}

void lot_sample_done(struct lot_sample *s)
{
    free(s->drawn);
    s->drawn = NULL;
}

void lot_sample_put(struct out *o, const struct lot_sample *s, struct span batch)
{
    char letter[2] = { s->plan.letter, 0 };

    out_member_int(o, "lot", (int64_t)s->lot);
    out_member_text(o, "letter", letter);
    out_member_int(o, "sample", (int64_t)s->plan.sample);
    out_member_int(o, "accept", s->plan.accept);
    out_member_int(o, "reject", s->plan.reject);
    out_member_text(o, "level", s->level);
    out_member_text(o, "aql", s->aql);
    out_member_text(o, "severity", sampling_severity_name(s->severity));
    out_member_text(o, "standard", s->standard);
    out_member_span(o, "seed", batch);
}

/* ---- the lots before ---- */

struct past_lot {
    struct span at, paper; /* as its row has them */
    char batch[64];
    struct lot_result result;
};

struct lot_series {
    struct txn *t;
    const struct lot_terms *terms;
    struct sampling_table *table;
    char supplier[LIMIT_TEXT + 1], model[LIMIT_TEXT + 1];
    struct past_lot *at;
    size_t count, cap;
};

static void keep_cell(char out[LIMIT_TEXT + 1], const struct ledger_row *row, unsigned cell)
{
    struct span text = cell < row->count ? row->cells[cell] : span_of(NULL, 0);
    size_t len = text.len < LIMIT_TEXT ? text.len : LIMIT_TEXT;

    if (len)
        memcpy(out, text.at, len);
    out[len] = 0;
}

static bool same_series(struct lot_series *s, struct span batch)
{
    struct ledger_row row;

    if (span_equal(batch, s->terms->batch))
        return true;
    return (s->supplier[0] || s->model[0]) &&
           ledger_find(s->t, LIST_BATCH, batch, INT64_MAX, &row) &&
           span_equal(row.cells[CELL_BATCH_supplier], span_text(s->supplier)) &&
           span_equal(row.cells[CELL_BATCH_model], span_text(s->model));
}

/* Figures of our own (lot_sample_put); false: they are others, or of another AQL. */
static bool result_of(const struct lot_series *s, struct span facts, struct lot_result *out)
{
    json_t *f = json_loadb((const char *)facts.at, facts.len, 0, NULL);
    const char *aql = json_string_value(json_object_get(f, "aql"));
    const char *letter = json_string_value(json_object_get(f, "letter"));
    const char *severity = json_string_value(json_object_get(f, "severity"));
    const char *verdict = json_string_value(json_object_get(f, "verdict"));
    json_int_t failed = json_integer_value(json_object_get(f, "failed"));
    json_int_t accept = json_integer_value(json_object_get(f, "accept"));
    struct span asked = or_else(s->terms->aql, "1.0");
    enum sampling_severity used = SAMPLING_NORMAL;
    int64_t wanted, was;
    unsigned tighter;
    bool fine = aql && letter && severity && verdict && !text_decimal(asked, 3, &wanted) &&
                !text_decimal(span_text(aql), 3, &was) && wanted == was &&
                sampling_severity_read(span_text(severity), &used);

    if (fine)
        *out = (struct lot_result){
            .strictness = used == SAMPLING_TIGHTENED ? STRICT_TIGHTENED : STRICT_NORMAL,
            .accepted = strcmp(verdict, "accepted") == 0,
            .accept = (unsigned)accept,
            .accepted_tighter =
                sampling_tighter(s->table, letter[0], span_text(aql), used, &tighter) &&
                failed <= (json_int_t)tighter,
        };
    json_decref(f);
    return fine;
}

static enum err series_add(struct lot_series *s, const struct ledger_row *row, struct span key)
{
    struct past_lot lot = { .at = row->cells[CELL_PAPER_at], .paper = key };
    struct span batch = row->cells[CELL_PAPER_batch];

    if (!same_series(s, batch) || !result_of(s, row->cells[CELL_PAPER_facts], &lot.result))
        return s->t->err;
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct past_lot *more = (struct past_lot *)realloc(s->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        s->at = more;
        s->cap = cap;
    }
    snprintf(lot.batch, sizeof lot.batch, "%.*s", (int)batch.len, (const char *)batch.at);
    s->at[s->count++] = lot;
    return ERR_OK;
}

#define SAMPLES "sample:" /* names of papers begin with their kind */

static enum err series_load(struct lot_series *s)
{
    struct ledger_walk w = ledger_walk(s->t, LIST_PAPER, span_text(SAMPLES), INT64_MAX);
    struct ledger_row row;
    enum err err = ERR_OK;

    while (!err && ledger_walk_next(&w, &row) && w.key.len > strlen(SAMPLES) &&
           memcmp(w.key.at, SAMPLES, strlen(SAMPLES)) == 0)
        err = row.count > CELL_PAPER_facts ? series_add(s, &row, w.key) : ERR_OK;
    ledger_walk_done(&w);
    return err ? err : s->t->err;
}

static int span_order(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.at, b.at, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Times have one form, whose order is theirs. */
static int in_time(const void *a, const void *b)
{
    const struct past_lot *x = (const struct past_lot *)a, *y = (const struct past_lot *)b;
    int order = span_order(x->at, y->at);

    return order ? order : span_order(x->paper, y->paper);
}

static bool is_submitted_again(const struct lot_series *s, size_t place)
{
    for (size_t i = place; i-- > 0;)
        if (strcmp(s->at[i].batch, s->at[place].batch) == 0)
            return !s->at[i].result.accepted;
    return false;
}

static enum err advise(struct lot_series *s, struct switching_advice *out)
{
    struct lot_result *lots = (struct lot_result *)malloc((s->count + 1) * sizeof *lots);
    size_t count = 0;

    if (!lots)
        return ERR_NO_MEMORY;
    if (s->count)
        qsort(s->at, s->count, sizeof *s->at, in_time);
    for (size_t i = 0; i < s->count; i++)
        if (!is_submitted_again(s, i))
            lots[count++] = s->at[i].result;
    switching_advise(lots, count, out);
    free(lots);
    return ERR_OK;
}

enum err lot_advice(struct txn *t, const struct lot_terms *terms, struct switching_advice *out)
{
    struct lot_series *s = (struct lot_series *)calloc(1, sizeof *s);
    struct ledger_row row;
    enum err err = ERR_NO_MEMORY;

    if (s && (s->table = (struct sampling_table *)malloc(sizeof *s->table))) {
        s->t = t;
        s->terms = terms;
        sampling_builtin(s->table);
        if (ledger_find(t, LIST_BATCH, terms->batch, INT64_MAX, &row)) {
            keep_cell(s->supplier, &row, CELL_BATCH_supplier);
            keep_cell(s->model, &row, CELL_BATCH_model);
        }
        err = series_load(s);
        if (!err)
            err = advise(s, out);
        free(s->at);
        free(s->table);
    }
    free(s);
    return err;
}
