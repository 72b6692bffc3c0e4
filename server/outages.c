#include "server/outages.h"

#include "proto/base/wr.h"
#include "server/detect/silent.h"
#include "server/judge_priv.h"

#include <stdlib.h>

#define CELL_OF(v) ((uint32_t)(verdict_value((v), "cell") / 1000))

/* ---- what is known of them ---- */

static enum err push(struct outages *o, const struct outage *new)
{
    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 16;
        struct outage *at = (struct outage *)realloc(o->at, cap * sizeof *at);

        if (!at)
            return ERR_NO_MEMORY;
        o->at = at;
        o->cap = cap;
    }
    o->at[o->count++] = *new;
    return ERR_OK;
}

enum err outages_load(struct txn *ledger, struct outages *o)
{
    struct flag_records births = { 0 };
    enum err err = flags_born(ledger, 0, &births);

    for (size_t i = 0; i < births.count && !err; i++) {
        const struct flag_record *b = &births.at[i];
        struct outage new = { .cell = CELL_OF(&b->verdict), .onset_s = b->verdict.onset_s };

        if ((new.zone = (uint32_t)(verdict_value(&b->verdict, "zone") / 1000)))
            new.cell = OUTAGE_NO_CELL;
        memcpy(new.id, b->id, sizeof new.id);
        if (!ledger_flag_ended(ledger, span_text(b->id), &new.cleared_s))
            new.cleared_s = 0;
        err = ledger->err ? ledger->err : push(o, &new);
    }
    flag_records_done(&births);
    return err;
}

static enum err know(struct app *app, struct outages **out)
{
    struct outages *o = app->outages;
    struct txn t;
    enum err err, ended;

    if (!o)
        o = app->outages = (struct outages *)calloc(1, sizeof *o);
    *out = o;
    if (!o)
        return ERR_NO_MEMORY;
    if (o->loaded)
        return ERR_OK;
    o->count = 0;
    t = ledger_read(app->ledger);
    err = outages_load(&t, o);
    ended = txn_end(&t);
    o->loaded = !err && !ended;
    return err ? err : ended;
}

enum err outages_know(struct app *app, const struct outages **out)
{
    struct outages *o = NULL;
    enum err err = know(app, &o);

    *out = o;
    return err;
}

void outage_back(struct app *app, const char *id, int64_t back_s)
{
    struct outages *o = app->outages;

    for (size_t i = 0; o && i < o->count; i++)
        if (strcmp(o->at[i].id, id) == 0)
            o->at[i].back_s = back_s;
}

void outages_free(struct outages *o)
{
    if (o)
        free(o->at);
    free(o);
}

void outages_dry(const struct outages *o, uint32_t zone, struct pauses *out)
{
    for (size_t i = 0; zone && i < o->count; i++)
        if (o->at[i].zone == zone)
            pauses_add(out, PAUSE_DRY, o->at[i].onset_s,
                       o->at[i].cleared_s ? o->at[i].cleared_s : INT64_MAX);
}

const struct outage *outage_of(const struct outages *o, uint32_t cell, int64_t from_s,
                               int64_t told_s)
{
    const struct outage *found = NULL;

    for (size_t i = 0; i < o->count; i++) {
        const struct outage *x = &o->at[i];

        if (!x->zone && (x->cell == OUTAGE_ALL || (cell && x->cell == cell)) &&
            told_s > x->onset_s && (!x->cleared_s || from_s < x->cleared_s) &&
            (!found || x->onset_s > found->onset_s))
            found = x;
    }
    return found;
}

/* ---- as flags ---- */

static enum err put(struct app *app, const struct flag_record *f)
{
    uint8_t bytes[FLAG_FACTS_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    enum err err = flag_encode(f, &w);
    struct txn t;

    if (err)
        return err;
    t = views_write(app->views);
    views_put_flag(&t, span_text(f->id), wr_span(&w));
    return txn_end(&t);
}

static void end_record(struct flag_record *f, int64_t cleared_s)
{
    f->ended = true;
    f->verdict.open = false;
    f->verdict.cleared_s = cleared_s;
}

/* Of two that began in one second the later told has the next second in its id. */
static void name(const struct outages *o, struct flag_record *f)
{
    int64_t second = f->verdict.onset_s;
    bool used = true;

    while (used) {
        flag_id(f->id, 0, f->kind, second++);
        used = false;
        for (size_t i = 0; i < o->count && !used; i++)
            used = strcmp(o->at[i].id, f->id) == 0;
    }
}

/* What the ledger tells in a moment, views will show in another. */
static enum err tell(struct app *app, const struct flag_record *f, int64_t now_s)
{
    uint8_t bytes[FLAG_FACTS_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    struct act act;
    enum err err = ERR_OK;

    app->bearing = true;
    act = act_begin(app->ledger, "judge", now_s, app->journal ? journal_end(app->journal) : 0);
    if (f->ended)
        act_flag_ended(&act, span_text(f->id), f->verdict.cleared_s);
    else if ((err = flag_encode(f, &w)))
        act_abort(&act);
    else
        act_flag_born(&act, span_text(f->id), wr_span(&w));
    if (!err && !(err = act_end(&act)))
        err = put(app, f);
    app->bearing = false;
    return err;
}

enum err outage_begin(struct app *app, const struct outage_facts *f, int64_t now_s)
{
    struct flag_record r = { .kind = &detector_outage, .point = f->point, .told_s = now_s };
    const struct outage_seen seen = { .cell = f->cell,
                                      .zone = f->zone,
                                      .meters = f->meters,
                                      .late = f->silent,
                                      .onset_s = f->onset_s,
                                      .raised_s = f->raised_s };
    struct outage new = { .cell = f->zone ? OUTAGE_NO_CELL : f->cell,
                          .zone = f->zone,
                          .onset_s = f->onset_s };
    struct outages *o;
    enum err err = know(app, &o);

    if (err)
        return err;
    outage_judge(&seen, &r.verdict);
    name(o, &r);
    memcpy(new.id, r.id, sizeof new.id);
    if (!(err = push(o, &new)) && (err = tell(app, &r, now_s)))
        o->loaded = false; /* whether it stands in the ledger is asked there */
    return err;
}

static enum err all_born(struct app *app, struct flag_records *out)
{
    struct txn t = ledger_read(app->ledger);
    enum err err = flags_born(&t, 0, out), ended = txn_end(&t);

    return err ? err : ended;
}

enum err outage_end(struct app *app, const char *id, int64_t cleared_s, int64_t now_s)
{
    struct flag_records births = { 0 };
    struct outages *o;
    enum err err = know(app, &o);

    if (err)
        return err;
    err = all_born(app, &births);
    for (size_t i = 0; i < births.count && !err; i++) {
        struct flag_record *f = &births.at[i];

        if (strcmp(f->id, id) != 0)
            continue;
        end_record(f, cleared_s);
        err = tell(app, f, now_s);
    }
    for (size_t i = 0; i < o->count && !err; i++)
        if (strcmp(o->at[i].id, id) == 0)
            o->at[i].cleared_s = cleared_s;
    flag_records_done(&births);
    return err;
}

enum err outages_show(struct app *app)
{
    struct flag_records births = { 0 };
    const struct outages *o;
    enum err err = outages_know(app, &o);

    if (err)
        return err;
    err = all_born(app, &births);
    for (size_t i = 0; i < births.count && !err; i++) {
        struct flag_record *f = &births.at[i];
        struct txn views = views_read(app->views);
        struct span kept;
        bool known = views_flag(&views, span_text(f->id), &kept);
        struct flag_record shown = { .ended = false };

        err = known ? flag_decode(span_text(f->id), kept, &shown) : views.err;
        txn_abort(&views);
        for (size_t k = 0; k < o->count; k++)
            if (o->at[k].cleared_s && strcmp(o->at[k].id, f->id) == 0)
                end_record(f, o->at[k].cleared_s);
        if (!err &&
            (!known || shown.ended != f->ended || shown.verdict.cleared_s != f->verdict.cleared_s))
            err = put(app, f);
    }
    flag_records_done(&births);
    return err;
}
