#include "server/sample.h"

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
