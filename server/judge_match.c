/* Flags' ids and bytes: which episode is which flag. */
#include "server/judge_priv.h"

#include "proto/base/rd.h"
#include "proto/base/wr.h"

#include <stdio.h>
#include <stdlib.h>

#define FACTS_VERSION 1
#define BIT_ENDED 1
#define BIT_WITHDRAWN 2

enum err flag_records_push(struct flag_records *list, const struct flag_record *record)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 16;
        struct flag_record *at = (struct flag_record *)realloc(list->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        list->at = at;
        list->cap = cap;
    }
    list->at[list->count++] = *record;
    return ERR_OK;
}

enum err flag_records_append(struct flag_records *list, const struct flag_records *more)
{
    enum err err = ERR_OK;

    for (size_t i = 0; i < more->count && !err; i++)
        err = flag_records_push(list, &more->at[i]);
    return err;
}

void flag_records_done(struct flag_records *list)
{
    free(list->at);
    *list = (struct flag_records){ 0 };
}

void flag_id(char out[FLAG_ID_SIZE], uint32_t meter, const struct detector *kind, int64_t onset_s)
{
    snprintf(out, FLAG_ID_SIZE, "%08x-%s-%08x", (unsigned)meter, kind->flag, (unsigned)onset_s);
}

/* ---- bytes ---- */

static void encode_verdict(const struct verdict *v, bool ended, struct wr *w)
{
    wr_zigzag(w, v->onset_s);
    wr_zigzag(w, v->raised_s);
    wr_zigzag(w, ended ? v->cleared_s : 0);
    wr_u8(w, (uint8_t)v->severity);
    wr_u8(w, (uint8_t)v->confidence_pct);
    wr_zigzag(w, v->lost_mlpd);
    wr_zigzag(w, v->lost_low_mlpd);
    wr_zigzag(w, v->lost_high_mlpd);
    wr_u8(w, (uint8_t)v->evidence_count);
    for (unsigned i = 0; i < v->evidence_count; i++) {
        wr_counted(w, span_text(v->evidence[i].name));
        wr_u8(w, (uint8_t)v->evidence[i].form);
        wr_zigzag(w, v->evidence[i].value);
    }
}

enum err flag_encode(const struct flag_record *f, struct wr *w)
{
    wr_u8(w, FACTS_VERSION);
    wr_u8(w, (uint8_t)((f->ended ? BIT_ENDED : 0) | (f->withdrawn ? BIT_WITHDRAWN : 0)));
    wr_counted(w, span_text(f->kind->flag));
    wr_varint(w, f->meter);
    wr_varint(w, f->point);
    wr_zigzag(w, f->fitting_from_s);
    wr_zigzag(w, f->told_s);
    encode_verdict(&f->verdict, f->ended, w);
    return w->err;
}

static void decode_verdict(struct rd *r, struct verdict *v)
{
    v->onset_s = rd_zigzag(r);
    v->raised_s = rd_zigzag(r);
    v->cleared_s = rd_zigzag(r);
    v->severity = (enum severity)rd_u8(r);
    v->confidence_pct = rd_u8(r);
    v->lost_mlpd = rd_zigzag(r);
    v->lost_low_mlpd = rd_zigzag(r);
    v->lost_high_mlpd = rd_zigzag(r);
    v->evidence_count = rd_u8(r);
    if (v->evidence_count > EVIDENCE_MAX)
        rd_fail(r, ERR_CORRUPT);
    for (unsigned i = 0; i < v->evidence_count && !r->err; i++) {
        uint8_t form;

        v->evidence[i].name = evidence_name(rd_counted(r));
        form = rd_u8(r);
        v->evidence[i].form = form == EVIDENCE_METER ? EVIDENCE_METER
                              : form                 ? EVIDENCE_TIME
                                                     : EVIDENCE_NUMBER;
        v->evidence[i].value = rd_zigzag(r);
        if (!v->evidence[i].name)
            rd_fail(r, ERR_CORRUPT);
    }
}

enum err flag_decode(struct span id, struct span facts, struct flag_record *out)
{
    struct rd r = rd_of(facts);
    struct flag_record f = { 0 };
    uint8_t version = rd_u8(&r), bits = rd_u8(&r);

    f.kind = detector_named(rd_counted(&r));
    f.meter = (uint32_t)rd_varint(&r);
    f.point = (uint32_t)rd_varint(&r);
    f.fitting_from_s = rd_zigzag(&r);
    f.told_s = rd_zigzag(&r);
    f.ended = bits & BIT_ENDED;
    f.withdrawn = bits & BIT_WITHDRAWN;
    decode_verdict(&r, &f.verdict);
    f.verdict.open = !f.ended;
    if (r.err || rd_left(&r) || version != FACTS_VERSION || !f.kind || id.len >= sizeof f.id)
        return ERR_CORRUPT;
    memcpy(f.id, id.at, id.len);
    *out = f;
    return ERR_OK;
}

static enum err collect(struct scan s, uint32_t meter, struct flag_records *out)
{
    char prefix[16];
    enum err err = ERR_OK;

    snprintf(prefix, sizeof prefix, "%08x-", (unsigned)meter);
    while (!err && scan_next(&s)) {
        struct flag_record f;

        if (s.key.len < 9 || memcmp(s.key.at, prefix, 9) != 0)
            break;
        if (!(err = flag_decode(s.key, s.value, &f)))
            err = flag_records_push(out, &f);
    }
    scan_done(&s);
    return err ? err : s.txn->err;
}

enum err flags_kept(struct txn *views, uint32_t meter, struct flag_records *out)
{
    char from[16];

    snprintf(from, sizeof from, "%08x-", (unsigned)meter);
    return collect(views_flags(views, span_text(from)), meter, out);
}

enum err flags_born(struct txn *ledger, uint32_t meter, struct flag_records *out)
{
    return collect(ledger_flags_of(ledger, meter), meter, out);
}

/* ---- which episode is which flag ---- */

static int record_order(const void *a, const void *b)
{
    const struct flag_record *x = (const struct flag_record *)a, *y = (const struct flag_record *)b;
    int kind = strcmp(x->kind->flag, y->kind->flag);

    if (kind)
        return kind;
    if (x->verdict.onset_s != y->verdict.onset_s)
        return x->verdict.onset_s < y->verdict.onset_s ? -1 : 1;
    return (x->fitting_from_s > y->fitting_from_s) - (x->fitting_from_s < y->fitting_from_s);
}

static bool overlap(const struct flag_record *episode, const struct flag_record *birth)
{
    const struct verdict *e = &episode->verdict, *b = &birth->verdict;

    return (!episode->ended || b->onset_s <= e->cleared_s) && e->onset_s <= b->raised_s;
}

/* Of a fitting there is one date at most: however far that moves, it is the same flag. */
static bool same_date(const struct flag_record *episode, const struct flag_record *birth)
{
    return episode->kind == &detector_overdue && episode->fitting_from_s == birth->fitting_from_s;
}

static bool same_onset(const struct flag_record *episode, const struct flag_record *birth)
{
    return episode->verdict.onset_s == birth->verdict.onset_s;
}

/* Gives each episode that has no id yet the first birth left that fits. */
static void assign(struct flag_records *episodes, const struct flag_records *births, bool *taken,
                   bool (*fits)(const struct flag_record *episode, const struct flag_record *birth))
{
    for (size_t i = 0; i < episodes->count; i++) {
        struct flag_record *e = &episodes->at[i];

        for (size_t j = 0; j < births->count && !e->id[0]; j++) {
            const struct flag_record *b = &births->at[j];

            if (taken[j] || b->kind != e->kind || !fits(e, b))
                continue;
            taken[j] = true;
            memcpy(e->id, b->id, sizeof e->id);
            e->told_s = b->told_s;
        }
    }
}

static bool id_is_used(const struct flag_records *a, const char *id)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->at[i].id, id) == 0)
            return true;
    return false;
}

/* A flag that nobody was told of yet. */
static enum err bear(struct flag_records *episodes, size_t n, const struct flag_records *births,
                     int64_t now_s, struct flag_records *fresh)
{
    struct flag_record *e = &episodes->at[n];
    char id[FLAG_ID_SIZE];
    int64_t onset_s = e->verdict.onset_s;

    do
        flag_id(id, e->meter, e->kind, onset_s++);
    while (id_is_used(births, id) || id_is_used(episodes, id));
    memcpy(e->id, id, sizeof e->id);
    e->told_s = now_s;
    return flag_records_push(fresh, e);
}

enum err flags_match(struct flag_records *episodes, const struct flag_records *births,
                     int64_t now_s, struct flag_records *fresh)
{
    bool *taken = (bool *)calloc(births->count + 1, sizeof *taken);
    size_t count = episodes->count;
    enum err err = taken ? ERR_OK : ERR_NO_MEMORY;

    if (err)
        return err;
    if (count)
        qsort(episodes->at, count, sizeof *episodes->at, record_order);
    for (size_t i = 0; i < count; i++)
        episodes->at[i].id[0] = 0;
    assign(episodes, births, taken, same_date);
    assign(episodes, births, taken, same_onset);
    assign(episodes, births, taken, overlap);
    for (size_t i = 0; i < count && !err; i++)
        if (!episodes->at[i].id[0])
            err = bear(episodes, i, births, now_s, fresh);
    for (size_t j = 0; j < births->count && !err; j++) {
        struct flag_record b = births->at[j];

        b.withdrawn = true;
        if (!taken[j])
            err = flag_records_push(episodes, &b);
    }
    free(taken);
    return err;
}
