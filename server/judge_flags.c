/* Flags and replacements as they are listed: what views say, with what people decided. */
#include "server/judge_priv.h"

#include "proto/base/wr.h"
#include "server/registers.h"

#include <stdlib.h>

#define PAGE 128          /* flags read under one pair of transactions */
#define ZONE_DEPTH_MAX 32 /* a tree of zones that is deeper is a ring */

static const char *const state_names[FLAG_STATES] = {
    [FLAG_OPEN] = "open",           [FLAG_CLEARED] = "cleared",     [FLAG_CONFIRMED] = "confirmed",
    [FLAG_DISMISSED] = "dismissed", [FLAG_WITHDRAWN] = "withdrawn",
};

const char *flag_state_name(enum flag_state s)
{
    return state_names[s];
}

enum err flag_state_read(struct span name, enum flag_state *out_state)
{
    for (unsigned i = 0; i < FLAG_STATES; i++)
        if (span_equal(name, span_text(state_names[i]))) {
            *out_state = (enum flag_state)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

const char *severity_name(enum severity s)
{
    return s <= SEVERITY_LOW      ? "low"
           : s == SEVERITY_MEDIUM ? "medium"
           : s == SEVERITY_HIGH   ? "high"
                                  : "urgent";
}

/* ---- one flag ---- */

static enum flag_state state_of(const struct flag_record *f, const struct flag_decision *d)
{
    if (d->state)
        return d->state == 1 ? FLAG_CONFIRMED : FLAG_DISMISSED;
    if (f->withdrawn)
        return FLAG_WITHDRAWN;
    return f->ended ? FLAG_CLEARED : FLAG_OPEN;
}

static void explain(struct app *app, struct flag *f)
{
    struct fitting fitting = { .meter = f->meter, .point = f->point, .from_s = f->fitting_from_s };
    struct judge_place place = { &f->meter_facts, &f->point_facts, &fitting, &app->zone,
                                 &app->holidays };
    struct wr en = wr_of(f->text_en, sizeof f->text_en - 1);
    struct wr zh = wr_of(f->text_zh, sizeof f->text_zh - 1);

    f->kind->explain(&f->verdict, &place, &en, &zh);
    *en.at = 0;
    *zh.at = 0;
}

static enum err fill(struct app *app, struct txn *ledger, const struct flag_record *r,
                     struct flag *out)
{
    enum err err;

    memset(out, 0, sizeof *out);
    memcpy(out->id, r->id, sizeof out->id);
    out->kind = r->kind;
    out->meter = r->meter;
    out->point = r->point;
    out->fitting_from_s = r->fitting_from_s;
    out->told_s = r->told_s;
    out->verdict = r->verdict;
    out->ended = r->ended;
    (void)ledger_flag_decision(ledger, span_text(r->id), &out->decision);
    if (ledger->err)
        return ledger->err;
    out->state = state_of(r, &out->decision);
    if ((err = meter_facts_by_id(ledger, r->meter, &out->meter_facts)) ||
        (err = point_facts_by_id(ledger, r->point, &out->point_facts)))
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    explain(app, out);
    return ERR_OK;
}

/* ---- many ---- */

static bool wanted(const struct flag_filter *q, const struct flag_record *r)
{
    return (!q->kind || q->kind == r->kind) && r->told_s >= q->since_s &&
           (!q->meter || q->meter == r->meter);
}

/* The next wanted records after *last, at most PAGE; *last becomes the id that was looked at last.
 */
static enum err read_page(struct app *app, const struct flag_filter *q, char last[FLAG_ID_SIZE],
                          struct flag_records *out, bool *out_more)
{
    struct txn t = views_read(app->views);
    char after[FLAG_ID_SIZE];
    struct scan s;
    enum err err = ERR_OK, ended;

    memcpy(after, last, sizeof after);
    out->count = 0;
    *out_more = false;
    s = views_flags(&t, span_text(after));
    while (!err && scan_next(&s)) {
        struct flag_record r;

        if (span_equal(s.key, span_text(after)))
            continue;
        if ((err = flag_decode(s.key, s.value, &r)) || (q->meter && r.meter > q->meter))
            break;
        memcpy(last, r.id, sizeof r.id);
        if (wanted(q, &r))
            err = flag_records_push(out, &r);
        if (out->count == PAGE) {
            *out_more = true;
            break;
        }
    }
    scan_done(&s);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* False in *go: the caller has seen enough. */
static enum err show_page(struct app *app, const struct flag_filter *q,
                          const struct flag_records *page,
                          bool (*each)(void *arg, const struct flag *f), void *arg, bool *go)
{
    struct txn t = ledger_read(app->ledger);
    struct flag *f = (struct flag *)malloc(sizeof *f);
    enum err err = f ? ERR_OK : ERR_NO_MEMORY, ended;

    for (size_t i = 0; i < page->count && !err && *go; i++) {
        err = fill(app, &t, &page->at[i], f);
        if (!err && (!q->states || (q->states & 1u << f->state)))
            *go = each(arg, f);
    }
    free(f);
    ended = txn_end(&t);
    return err ? err : ended;
}

/* Where a walk begins: after an id, or at a meter's first. */
static void begin_after(const struct flag_filter *q, char out[FLAG_ID_SIZE])
{
    struct wr w = wr_of(out, FLAG_ID_SIZE - 1);

    memset(out, 0, FLAG_ID_SIZE);
    if (q->after.len && q->after.len < FLAG_ID_SIZE)
        wr_bytes(&w, q->after);
    else if (q->meter)
        wr_format(&w, "%08x", (unsigned)q->meter);
}

enum err flags_each(struct app *app, const struct flag_filter *filter,
                    bool (*each)(void *arg, const struct flag *f), void *arg)
{
    struct flag_records page = { 0 };
    char last[FLAG_ID_SIZE];
    bool more = true, go = true;
    enum err err = ERR_OK;

    begin_after(filter, last);
    while (more && go && !err)
        if (!(err = read_page(app, filter, last, &page, &more)))
            err = show_page(app, filter, &page, each, arg, &go);
    flag_records_done(&page);
    return err;
}

enum err flag_of(struct app *app, struct span id, struct flag *out)
{
    struct txn views = views_read(app->views), ledger = ledger_read(app->ledger);
    struct flag_record record;
    struct span facts;
    enum err err, ended;

    if (!views_flag(&views, id, &facts))
        err = views.err ? views.err : ERR_NOT_FOUND;
    else if (!(err = flag_decode(id, facts, &record)))
        err = fill(app, &ledger, &record, out);
    ended = txn_end(&ledger);
    if (!err)
        err = ended;
    ended = txn_end(&views);
    return err ? err : ended;
}

/* ---- meters to replace ---- */

struct replacing {
    struct app *app;
    const struct replacement_filter *filter;
    struct txn ledger;
    struct replacement *at;
    size_t count, cap;
    struct replacement now; /* of the meter at hand, whose flags come one after the other */
    bool faulty;            /* one of its flags blames the meter itself */
    enum err err;
};

static bool in_zone(struct txn *t, struct span zone, struct span wanted_zone)
{
    char name[LIMIT_TEXT];

    for (int depth = 0; zone.len && depth < ZONE_DEPTH_MAX; depth++) {
        struct ledger_row row;

        if (span_equal(zone, wanted_zone))
            return true;
        if (zone.len > sizeof name)
            return false;
        memcpy(name, zone.at, zone.len);
        if (!ledger_find(t, LIST_ZONE, span_of(name, zone.len), INT64_MAX, &row))
            return false;
        zone = cells_of(&row).at[CELL_ZONE_parent];
    }
    return false;
}

static bool is_there(struct replacing *r, uint32_t point)
{
    const struct replacement_filter *q = r->filter;
    struct ledger_row row;
    struct cells cells;

    if (!q->zone.len && !q->route.len)
        return true;
    if (!ledger_by_id(&r->ledger, LIST_POINT, point, INT64_MAX, &row))
        return false;
    cells = cells_of(&row);
    return (!q->route.len || span_equal(q->route, cells.at[CELL_POINT_route])) &&
           (!q->zone.len || in_zone(&r->ledger, cells.at[CELL_POINT_zone], q->zone));
}

/* Whether the fitting that was judged is still the meter's. */
static bool still_fitted(struct replacing *r, const struct flag *f)
{
    struct fittings fittings;
    bool still = false;

    r->err = fittings_load(&r->ledger, false, f->meter, &fittings);
    for (size_t i = 0; i < fittings.count && !r->err; i++)
        if (fittings.at[i].from_s == f->fitting_from_s)
            still = fittings.at[i].to_s == FITTING_OPEN;
    fittings_done(&fittings);
    return still;
}

static void finish_meter(struct replacing *r)
{
    if (r->err || !r->faulty || !is_there(r, r->now.point))
        return;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct replacement *at = (struct replacement *)realloc(r->at, cap * sizeof *at);

        if (!at) {
            r->err = ERR_NO_MEMORY;
            return;
        }
        r->at = at;
        r->cap = cap;
    }
    r->at[r->count++] = r->now;
}

static void take_worst(struct replacement *now, const struct flag *f)
{
    now->point = f->point;
    now->lost_mlpd = f->verdict.lost_mlpd;
    now->lost_low_mlpd = f->verdict.lost_low_mlpd;
    now->lost_high_mlpd = f->verdict.lost_high_mlpd;
    now->confidence_pct = f->state == FLAG_CONFIRMED ? 100 : f->verdict.confidence_pct;
    now->severity = f->verdict.severity;
    memcpy(now->flag_id, f->id, sizeof now->flag_id);
    memcpy(now->text_en, f->text_en, sizeof now->text_en);
    memcpy(now->text_zh, f->text_zh, sizeof now->text_zh);
}

static bool take_flag(void *arg, const struct flag *f)
{
    struct replacing *r = (struct replacing *)arg;
    struct replacement *now = &r->now;
    unsigned bit = 0;

    if (f->meter != now->meter) {
        finish_meter(r);
        *now = (struct replacement){ .meter = f->meter, .point = f->point };
        r->faulty = false;
    }
    /* What was confirmed stays on the list until the meter is off: one that sticks and goes is
     * still to be changed. */
    if (!still_fitted(r, f))
        return !r->err;
    while (detector_at(bit) != f->kind)
        bit++;
    now->kinds |= 1u << bit;
    if (!now->onset_s || f->verdict.onset_s < now->onset_s)
        now->onset_s = f->verdict.onset_s;
    if (f->kind->replace && (!r->faulty || f->verdict.lost_mlpd > now->lost_mlpd)) {
        take_worst(now, f);
        r->faulty = true;
    }
    return !r->err;
}

static int replacement_order(const void *a, const void *b)
{
    const struct replacement *x = (const struct replacement *)a, *y = (const struct replacement *)b;
    int64_t p = x->lost_mlpd * x->confidence_pct, q = y->lost_mlpd * y->confidence_pct;

    if (p != q)
        return p > q ? -1 : 1;
    return (x->meter > y->meter) - (x->meter < y->meter);
}

enum err replacements_make(struct app *app, const struct replacement_filter *filter,
                           struct replacement **out, size_t *out_count)
{
    struct replacing r = { .app = app, .filter = filter };
    struct flag_filter q = { .states = 1u << FLAG_OPEN | 1u << FLAG_CONFIRMED };
    enum err err, ended;

    r.ledger = ledger_read(app->ledger);
    err = flags_each(app, &q, take_flag, &r);
    if (!err) {
        finish_meter(&r);
        err = r.err;
    }
    ended = txn_end(&r.ledger);
    if (!err)
        err = ended;
    if (err) {
        free(r.at);
        return err;
    }
    if (r.count)
        qsort(r.at, r.count, sizeof *r.at, replacement_order);
    *out = r.at;
    *out_count = r.count;
    return ERR_OK;
}
