#include "server/outages.h"

#include "proto/base/wr.h"
#include "server/detect/silent.h"
#include "server/judge_priv.h"

#include <stdlib.h>

#define CELL_OF(v) ((uint32_t)(verdict_value((v), "cell") / 1000))

#define AGAIN_S                                                                                    \
    (90 *                                                                                          \
     86400) /* whose onset lies farther back than that before the newest's is not born any more */

/* ---- what is known of them ---- */

static int outage_order(const void *a, const void *b)
{
    const struct outage *x = (const struct outage *)a, *y = (const struct outage *)b;

    if (x->zone != y->zone)
        return x->zone < y->zone ? -1 : 1;
    if (x->cell != y->cell)
        return x->cell < y->cell ? -1 : 1;
    if (x->onset_s != y->onset_s)
        return x->onset_s < y->onset_s ? -1 : 1;
    return strcmp(x->id, y->id);
}

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

/* Those that were pushed take their places. */
static void settle_down(struct outages *o)
{
    if (o->count > o->held)
        qsort(o->at, o->count, sizeof *o->at, outage_order);
    o->held = o->count;
}

static enum err read_one(struct txn *ledger, const struct scan *s, struct outage *out)
{
    struct flag_record b;
    enum err err = flag_decode(s->key, s->value, &b);

    if (err)
        return err;
    *out = (struct outage){ .cell = CELL_OF(&b.verdict), .onset_s = b.verdict.onset_s };
    if ((out->zone = (uint32_t)(verdict_value(&b.verdict, "zone") / 1000)))
        out->cell = OUTAGE_NO_CELL;
    memcpy(out->id, b.id, sizeof out->id);
    if (!ledger_flag_ended(ledger, span_text(b.id), &out->cleared_s))
        out->cleared_s = 0;
    return ledger->err;
}

/* Of one that was read before its end may be new. */
static enum err take_one(struct outages *o, const struct outage *x)
{
    struct outage *known =
        o->held ? (struct outage *)bsearch(x, o->at, o->held, sizeof *x, outage_order) : NULL;

    if (!known)
        return push(o, x);
    known->cleared_s = x->cleared_s;
    return ERR_OK;
}

/* Where the next reading begins. */
static void note_from(struct outages *o)
{
    int64_t newest_s = 0, lasts_s = INT64_MAX;

    for (size_t i = 0; i < o->count; i++) {
        if (o->at[i].onset_s > newest_s)
            newest_s = o->at[i].onset_s;
        if (!o->at[i].cleared_s && o->at[i].onset_s < lasts_s)
            lasts_s = o->at[i].onset_s;
    }
    o->from_s = newest_s - AGAIN_S < lasts_s ? newest_s - AGAIN_S : lasts_s;
}

enum err outages_load(struct txn *ledger, struct outages *o)
{
    static const char prefix[] = "00000000-";
    char from[FLAG_ID_SIZE];
    struct scan s;
    enum err err = ERR_OK;

    o->count = o->held;
    flag_id(from, 0, &detector_outage, o->from_s > 0 ? o->from_s : 0);
    s = ledger_flags_from(ledger, span_text(from));
    while (!err && scan_next(&s)) {
        struct outage x;

        if (s.key.len < sizeof prefix - 1 || memcmp(s.key.at, prefix, sizeof prefix - 1) != 0)
            break;
        if (!(err = read_one(ledger, &s, &x)))
            err = take_one(o, &x);
    }
    scan_done(&s);
    if (!err && !(err = ledger->err)) {
        settle_down(o);
        note_from(o);
    }
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
    o->count = o->held = 0;
    o->from_s = 0;
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

/* The first of a zone, or of a cell; count where there is none. */
static size_t first_of(const struct outages *o, uint32_t zone, uint32_t cell)
{
    size_t low = 0, high = o->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct outage *x = &o->at[middle];

        if (x->zone < zone || (x->zone == zone && x->cell < cell))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool outages_ever_dry(const struct outages *o, uint32_t zone)
{
    size_t at = zone ? first_of(o, zone, 0) : o->count;

    return at < o->count && o->at[at].zone == zone;
}

void outages_dry(const struct outages *o, uint32_t zone, struct pauses *out)
{
    for (size_t i = zone ? first_of(o, zone, 0) : o->count; i < o->count && o->at[i].zone == zone;
         i++)
        pauses_add(out, PAUSE_DRY, o->at[i].onset_s,
                   o->at[i].cleared_s ? o->at[i].cleared_s : INT64_MAX);
}

static const struct outage *newest_of(const struct outages *o, uint32_t cell, int64_t from_s,
                                      int64_t told_s)
{
    const struct outage *found = NULL;

    for (size_t i = first_of(o, 0, cell); i < o->count; i++) {
        const struct outage *x = &o->at[i];

        if (x->zone || x->cell != cell || x->onset_s >= told_s)
            break;
        if (!x->cleared_s || from_s < x->cleared_s)
            found = x;
    }
    return found;
}

const struct outage *outage_of(const struct outages *o, uint32_t cell, int64_t from_s,
                               int64_t told_s)
{
    const struct outage *all = newest_of(o, OUTAGE_ALL, from_s, told_s),
                        *own = cell ? newest_of(o, cell, from_s, told_s) : NULL;

    return !all || (own && own->onset_s > all->onset_s) ? own : all;
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
static enum err name(struct app *app, struct flag_record *f)
{
    struct txn t = ledger_read(app->ledger);
    int64_t second = f->verdict.onset_s;
    struct span facts;

    do
        flag_id(f->id, 0, f->kind, second++);
    while (ledger_flag_born(&t, span_text(f->id), &facts));
    return txn_end(&t);
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
    if ((err = name(app, &r)))
        return err;
    memcpy(new.id, r.id, sizeof new.id);
    if (!(err = push(o, &new)) && (err = tell(app, &r, now_s)))
        o->loaded = false; /* whether it stands in the ledger is asked there */
    settle_down(o);
    return err;
}

static enum err born(struct app *app, const char *id, struct flag_record *out)
{
    struct txn t = ledger_read(app->ledger);
    struct span facts;
    enum err err = ledger_flag_born(&t, span_text(id), &facts)
                       ? flag_decode(span_text(id), facts, out)
                       : ERR_CORRUPT, /* it is told of because it stands there */
        ended = txn_end(&t);

    return ended ? ended : err;
}

enum err outage_end(struct app *app, const char *id, int64_t cleared_s, int64_t now_s)
{
    struct flag_record f;
    struct outages *o;
    enum err err = know(app, &o);

    if (err || (err = born(app, id, &f)))
        return err;
    end_record(&f, cleared_s);
    err = tell(app, &f, now_s);
    for (size_t i = 0; i < o->count && !err; i++)
        if (strcmp(o->at[i].id, f.id) == 0)
            o->at[i].cleared_s = cleared_s;
    return err;
}

/* What views hold of it becomes what the ledger says. */
static enum err show(struct app *app, const struct outage *x)
{
    struct txn views = views_read(app->views);
    struct flag_record f, shown = { .ended = false };
    struct span kept;
    bool known = views_flag(&views, span_text(x->id), &kept);
    enum err err = known ? flag_decode(span_text(x->id), kept, &shown) : views.err;

    txn_abort(&views);
    if (err ||
        (known && shown.ended == (x->cleared_s != 0) && shown.verdict.cleared_s == x->cleared_s))
        return err;
    if ((err = born(app, x->id, &f)))
        return err;
    if (x->cleared_s)
        end_record(&f, x->cleared_s);
    return put(app, &f);
}

enum err outages_show(struct app *app)
{
    const struct outages *o;
    enum err err = outages_know(app, &o);

    for (size_t i = 0; i < (err ? 0 : o->count) && !err; i++)
        err = show(app, &o->at[i]);
    return err;
}
