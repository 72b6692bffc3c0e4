/* What is looked at: of each touched meter the points of its fittings, and of each point the closed cycles that have it. A cycle has a point if there is a determinant; that is
 * asked of those cycles alone whose routes say so, as far as the point's row is older than their closing.
 *
 * A meter that sends every hour need not be looked at every time: where its last reading takes part, and all closed cycles of its point end before, readings that follow it as a
 * register can change nothing there. Of such a meter only what is new is read, until another cycle is closed, or an act or an earlier reading touches it. That is
 * 4 bytes a meter, in memory alone. */
#include "server/adjust.h"

#include "server/billing/agree.h"
#include "server/cycles.h"
#include "server/judge.h"
#include "server/registers.h"
#include "storage/journal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUTE_AGE_S                                                                                \
    3600 /* a row that is older than a closing by more was what the closing saw, whatever the clock did in between */
#define FOUND_MOST (1u << 20) /* adjustments that wait to be put in order: 150 MB */
#define ACT_MOST 4096         /* adjustments an act */
#define STOP_EVERY 256
#define PARTS_FEW 16
#define CALM_FOR_GOOD 1u

struct closed_cycle {
    uint32_t id;
    int64_t from_s, to_s, closed_s;
    uint64_t act;        /* the newest that closing knew */
    char *texts;         /* the routes' names, each ended by a zero */
    const char **routes; /* in order of name */
    size_t route_count;
};

struct found {
    size_t cycle;   /* in closed */
    int64_t from_s; /* its begin */
    char point[64];
    bool adjusts; /* false: the figure was seen to be otherwise, and nothing more */
    struct ledger_billed was;
    struct billed now, later;
    struct billed frozen;
    char reason[ADJUSTMENT_REASON_MAX];
};

struct adjuster {
    struct app *app;
    uint32_t closings;           /* of app->closings when the list was made; UINT32_MAX: never */
    struct closed_cycle *closed; /* in order of from, then id */
    size_t closed_count;
    uint32_t *
        calm_s; /* by meter: its last reading; 0: not known, CALM_FOR_GOOD: nothing that is closed can change */
    struct rows rows;
    size_t calm_count;
    struct point_use use;
    struct part *parts;
    size_t part_cap;
    struct found *found;
    size_t found_count, found_cap;
};

const char *adjust_text_en(const char *reason)
{
    return strcmp(reason, "fitting") == 0 ? "The meters at the point were others, or changed at "
                                            "other times, than was known when the cycle was closed."
           : strcmp(reason, "edit") == 0  ? "After the cycle was closed, what a dial stood at was "
                                            "edited, or an edit was taken "
                                            "back."
           : strcmp(reason, "estimate") == 0
               ? "The cycle was closed on an estimate, or without a figure; readings that came "
                 "later tell what was used."
           : strcmp(reason, "reading") == 0
               ? "Readings that came after the cycle was closed changed what was used in it."
               : NULL;
}

const char *adjust_text_zh(const char *reason)
{
    return strcmp(reason, "fitting") == 0 ? "该用水点的水表或换表时间与关账时所知不同。"
           : strcmp(reason, "edit") == 0 ? "关账后有人更正了示数，或撤销了更正。"
           : strcmp(reason, "estimate") == 0 ? "关账时为估算或缺数，后到的读数给出了实际用量。"
           : strcmp(reason, "reading") == 0 ? "关账后到达的读数改变了本期用量。"
                                            : NULL;
}

/* ---- closed cycles ---- */

static void closed_free(struct adjuster *a)
{
    for (size_t i = 0; i < a->closed_count; i++) {
        free(a->closed[i].texts);
        free(a->closed[i].routes);
    }
    free(a->closed);
    a->closed = NULL;
    a->closed_count = 0;
}

enum err adjuster_new(struct app *app, struct adjuster **out)
{
    struct adjuster *a = (struct adjuster *)calloc(1, sizeof *a);

    if (!a || !(a->parts = (struct part *)calloc(PARTS_FEW, sizeof *a->parts))) {
        free(a);
        return ERR_NO_MEMORY;
    }
    a->part_cap = PARTS_FEW;
    a->app = app;
    a->closings = UINT32_MAX;
    a->use.settled = true;
    *out = a;
    return ERR_OK;
}

void adjuster_free(struct adjuster *a)
{
    if (!a)
        return;
    closed_free(a);
    point_use_done(&a->use);
    rows_done(&a->rows);
    free(a->calm_s);
    free(a->parts);
    free(a->found);
    free(a);
}

static enum err routes_keep(struct closed_cycle *c, struct span routes)
{
    struct span rest = routes, route;
    size_t count = 0;

    while (cycle_route_next(&rest, &route))
        count++;
    c->texts = (char *)malloc(routes.len + 1);
    c->routes = (const char **)calloc(count + 1, sizeof *c->routes);
    if (!c->texts || !c->routes)
        return ERR_NO_MEMORY;
    if (routes.len)
        memcpy(c->texts, routes.at, routes.len);
    rest = span_of(c->texts, routes.len);
    while (cycle_route_next(&rest, &route))
        c->routes[c->route_count++] = (const char *)route.at;
    return ERR_OK;
}

struct closed_load {
    struct adjuster *adjuster;
    enum err err;
};

static bool keep_closed(void *arg, const struct ledger_cycle *c)
{
    struct closed_load *k = (struct closed_load *)arg;
    struct adjuster *a = k->adjuster;
    struct closed_cycle *more;

    if (c->state != CYCLE_CLOSED)
        return true;
    more = (struct closed_cycle *)realloc(a->closed, (a->closed_count + 1) * sizeof *more);
    if (!more) {
        k->err = ERR_NO_MEMORY;
        return false;
    }
    a->closed = more;
    more[a->closed_count] = (struct closed_cycle){
        .id = c->id,
        .from_s = c->from_s,
        .to_s = c->to_s,
        .closed_s = c->closed.at_s,
        .act = c->act,
    };
    k->err = routes_keep(&more[a->closed_count++], c->routes);
    return !k->err;
}

static int by_begin(const void *x, const void *y)
{
    const struct closed_cycle *a = (const struct closed_cycle *)x,
                              *b = (const struct closed_cycle *)y;

    if (a->from_s != b->from_s)
        return a->from_s < b->from_s ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* Another cycle that is closed is news for every meter. */
static enum err closed_load(struct adjuster *a, struct txn *t)
{
    uint32_t closings = atomic_load(&a->app->closings);
    struct closed_load k = { .adjuster = a };
    enum err err;

    if (a->closings == closings)
        return ERR_OK;
    closed_free(a);
    if (a->calm_s)
        memset(a->calm_s, 0, a->calm_count * sizeof *a->calm_s);
    err = ledger_cycles(t, span_of(NULL, 0), keep_closed, &k);
    if (!err)
        err = k.err;
    if (!err && a->closed_count)
        qsort(a->closed, a->closed_count, sizeof *a->closed, by_begin);
    if (!err)
        a->closings = closings;
    return err;
}

static bool has_route(const struct closed_cycle *c, struct span route)
{
    size_t low = 0, high = route.len ? c->route_count
                                     : 0; /* of a point that stands on none: no name at all */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t len = strlen(c->routes[middle]);
        int order = memcmp(c->routes[middle], route.at, len < route.len ? len : route.len);

        if (!order)
            order = (len > route.len) - (len < route.len);
        if (!order)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* ---- calm meters ---- */

/* Whether what is new follows what was known: then it is known, too. */
static enum err follows_calmly(struct adjuster *a, struct txn *t, const struct judge_news *n,
                               bool *out)
{
    uint32_t *calm_s = &a->calm_s[n->meter];
    struct meter_facts m;
    struct meter_limits limits;
    struct rows *rows = &a->rows;
    enum err err;

    *out = false;
    rows->count = 0;
    if ((err = meter_facts_by_id(t, n->meter, &m)) ||
        (err = archive_read(a->app->archive, m.id, meter_billed_channel(&m), *calm_s, INT64_MAX,
                            rows)))
        return err;
    limits = meter_limits_of(&m);
    *out = rows->count && rows->at[0].time_s == *calm_s &&
           rows_calm(&limits, rows->at, 0, rows->count);
    if (*out)
        *calm_s = rows->at[rows->count - 1].time_s;
    return ERR_OK;
}

/* Whether the meter need not be looked at. */
static enum err is_calm(struct adjuster *a, struct txn *t, const struct judge_news *n, bool *out)
{
    *out = n->first_s == JUDGE_NO_READING; /* a date has passed, nothing else */
    if (*out || !n->first_s || n->meter >= a->calm_count || !a->calm_s[n->meter] ||
        n->first_s <= a->calm_s[n->meter])
        return ERR_OK;
    if (a->calm_s[n->meter] == CALM_FOR_GOOD) {
        *out = true;
        return ERR_OK;
    }
    return follows_calmly(a, t, n, out);
}

/* Without memory for it every meter is looked at every time. */
static void set_calm(struct adjuster *a, uint32_t meter, int64_t calm_s)
{
    if (meter >= a->calm_count) {
        size_t count = (size_t)meter + meter / 4 + 1024;
        uint32_t *more = (uint32_t *)realloc(a->calm_s, count * sizeof *more);

        if (!more)
            return;
        memset(more + a->calm_count, 0, (count - a->calm_count) * sizeof *more);
        a->calm_s = more;
        a->calm_count = count;
    }
    a->calm_s[meter] = calm_s < 0 || calm_s > UINT32_MAX ? 0 : (uint32_t)calm_s;
}

/* From when on readings change nothing that is closed, as far as they follow calmly, by the meter's last fitting; `end_s` is where the last closed cycle of its
 * point ends, and the point's use is loaded. 0: not known. What comes late for a fitting before may change what is closed, so calm for good is only who has none. */
static enum err calm_from(struct adjuster *a, const struct fittings *f, int64_t end_s,
                          int64_t *out_s)
{
    const struct fitting *last = &f->at[f->count - 1];
    int64_t firm_s;
    enum err err = ERR_OK;

    *out_s = 0;
    if (last->to_s != FITTING_OPEN)
        return ERR_OK; /* seldom heard of */
    if (last->from_s >= end_s) {
        *out_s = f->count == 1 ? CALM_FOR_GOOD : 0;
        return ERR_OK;
    }
    if (!(err = consumer_firm(a->use.consumer, last->meter, &firm_s)) && end_s <= firm_s)
        *out_s = firm_s;
    return err;
}

/* ---- one point in one cycle ---- */

static enum err read_frozen(struct adjuster *a, const struct closed_cycle *c, struct span bytes,
                            struct determinant *out)
{
    enum err err = determinant_read(bytes, c->from_s, c->to_s, a->parts, a->part_cap, out);
    struct part *more;

    if (err != ERR_TOO_LARGE)
        return err;
    if (!(more = (struct part *)realloc(a->parts, out->part_count * sizeof *more)))
        return ERR_NO_MEMORY;
    a->parts = more;
    a->part_cap = out->part_count;
    return determinant_read(bytes, c->from_s, c->to_s, a->parts, a->part_cap, out);
}

static bool same_meter(const struct part *a, const struct part *b)
{
    bool x = a->kind != PART_NO_METER, y = b->kind != PART_NO_METER;

    return x == y && (!x || strcmp(a->serial, b->serial) == 0);
}

/* Where the stretch under one meter, or none, ends. */
static size_t stretch_end(const struct part *parts, size_t count, size_t at)
{
    size_t end = at + 1;

    while (end < count && same_meter(&parts[at], &parts[end]))
        end++;
    return end;
}

static bool same_meters(const struct part *a, size_t a_count, const struct part *b, size_t b_count)
{
    size_t i = 0, k = 0;

    while (i < a_count && k < b_count) {
        size_t i_end = stretch_end(a, a_count, i), k_end = stretch_end(b, b_count, k);

        if (!same_meter(&a[i], &b[k]) || a[i_end - 1].to_s != b[k_end - 1].to_s)
            return false;
        i = i_end;
        k = k_end;
    }
    return i == a_count && k == b_count;
}

static bool keep_last(void *arg, const struct ledger_adjustment *a)
{
    *(struct ledger_adjustment *)arg = *a;
    return false;
}

/* Whether an edit of the point is newer than what was last said of the figure, and the figure rests on an edit, or did. */
static enum err is_by_edit(const struct adjuster *a, struct txn *t, const struct found *f,
                           const struct determinant *d, const struct consumption *c, bool *out)
{
    struct ledger_adjustment last = { .act = a->closed[f->cycle].act };
    enum err err = ERR_OK;

    if (a->use.edit_act && f->was.last)
        err = ledger_adjustments(t, f->was.last - 1, keep_last, &last);
    *out = a->use.edit_act > last.act &&
           (c->edited || d->quality == QUALITY_EDITED || strcmp(last.reason, "edit") == 0);
    return err;
}

static const char *reason_of(const struct determinant *d, const struct consumption *c, bool edit)
{
    if (!same_meters(d->parts, d->part_count, c->parts, c->part_count))
        return "fitting";
    return edit ? "edit" : d->quality <= QUALITY_EDITED ? "reading" : "estimate";
}

static enum err found_push(struct adjuster *a, const struct found *f)
{
    if (a->found_count == a->found_cap) {
        size_t cap = a->found_cap ? a->found_cap * 2 : 64;
        struct found *more = (struct found *)realloc(a->found, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        a->found = more;
        a->found_cap = cap;
    }
    a->found[a->found_count++] = *f;
    return ERR_OK;
}

/* What the bill comes to by now; a frozen null counts 0 (F2). */
static struct billed stands_at(const struct found *f)
{
    return (struct billed){ true, f->frozen.consumption_ml + f->was.delta_ml,
                            f->frozen.m3 + f->was.delta_m3 };
}

static enum err look_at_cycle(struct adjuster *a, struct txn *t, size_t cycle, struct span bytes,
                              const char *point, int64_t now_s)
{
    const struct closed_cycle *c = &a->closed[cycle];
    struct found f = { .cycle = cycle, .from_s = c->from_s };
    const struct consumption *use;
    struct determinant d;
    struct billed seen, stands;
    bool edit;
    enum err err;

    if ((err = read_frozen(a, c, bytes, &d)) ||
        (err = point_use_figures(a->app, &a->use, c->from_s, c->to_s, now_s, &use, &f.later)))
        return err;
    f.frozen = d.billed;
    f.now = billed_of(use);
    seen = d.later;
    if (ledger_billed(t, c->id, span_text(point), &f.was))
        seen = (struct billed){ f.was.known, f.was.seen_ml, f.was.seen_m3 };
    if (t->err || billed_equal(&seen, &f.later))
        return t->err; /* nothing came that changes it: neither time nor another quality do */
    if ((err = is_by_edit(a, t, &f, &d, use, &edit)))
        return err;
    stands = stands_at(&f);
    f.adjusts = f.now.known && !billed_equal(&f.now, &stands);
    snprintf(f.point, sizeof f.point, "%s", point);
    snprintf(f.reason, sizeof f.reason, "%s", reason_of(&d, use, edit));
    return found_push(a, &f);
}

/* ---- one point ---- */

/* Whether the cycle has the point, as far as its row can tell. */
static bool may_have(const struct closed_cycle *c, const struct ledger_row *point)
{
    struct span route =
        CELL_POINT_route < point->count ? point->cells[CELL_POINT_route] : span_of(NULL, 0);

    if (point->since_s != LEDGER_ALWAYS && point->since_s > c->closed_s - ROUTE_AGE_S)
        return true; /* it has changed since, or about then */
    return has_route(c, route);
}

/* The closed cycles that have the point: what they froze, into `out`; and the span from the first to the last. */
struct frozen {
    size_t cycle;
    struct span bytes; /* a view into the ledger */
};

static size_t frozen_of(struct adjuster *a, struct txn *t, const struct ledger_row *row,
                        struct frozen *out)
{
    size_t count = 0;

    for (size_t i = 0; i < a->closed_count && !t->err; i++)
        if (may_have(&a->closed[i], row) &&
            ledger_determinant(t, a->closed[i].id, row->cells[CELL_POINT_point], &out[count].bytes))
            out[count++].cycle = i;
    return count;
}

/* *out_end_s: where the last closed cycle of the point ends; INT64_MIN: there is none. */
static enum err look_at_point(struct adjuster *a, struct txn *t, uint32_t point,
                              struct frozen *frozen, int64_t now_s, int64_t *out_end_s)
{
    char name[64];
    struct ledger_row row;
    int64_t from_s = INT64_MAX, to_s = INT64_MIN;
    size_t count;
    enum err err = ERR_OK;

    *out_end_s = INT64_MIN;
    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) || !row.count)
        return t->err ? t->err : ERR_CORRUPT;
    snprintf(name, sizeof name, "%.*s", (int)row.cells[CELL_POINT_point].len,
             (const char *)row.cells[CELL_POINT_point].at);
    count = frozen_of(a, t, &row, frozen);
    for (size_t i = 0; i < count; i++) {
        const struct closed_cycle *c = &a->closed[frozen[i].cycle];

        from_s = c->from_s < from_s ? c->from_s : from_s;
        to_s = c->to_s > to_s ? c->to_s : to_s;
    }
    if (!count || t->err)
        return t->err;
    *out_end_s = to_s;
    err = point_use_load(a->app, t, point, from_s, to_s, STEP_NONE, now_s, &a->use);
    for (size_t i = 0; i < count && !err; i++)
        err = look_at_cycle(a, t, frozen[i].cycle, frozen[i].bytes, name, now_s);
    return err;
}

/* ---- one meter ---- */

/* A point is looked at with the last of its fittings; so that of the meter's last comes last, and its use is loaded when calm is asked. */
static bool comes_again(const struct fittings *f, size_t at)
{
    for (size_t i = at + 1; i < f->count; i++)
        if (f->at[i].point == f->at[at].point)
            return true;
    return false;
}

static enum err look_at_meter(struct adjuster *a, struct txn *t, uint32_t meter,
                              struct frozen *frozen, int64_t now_s)
{
    struct fittings f;
    int64_t end_s, calm_s = 0;
    enum err err = fittings_load(t, false, meter, &f);

    for (size_t i = 0; i < f.count && !err; i++) {
        if (comes_again(&f, i))
            continue;
        err = look_at_point(a, t, f.at[i].point, frozen, now_s, &end_s);
        if (!err && i + 1 == f.count)
            err = calm_from(a, &f, end_s, &calm_s);
    }
    if (!err)
        set_calm(a, meter, calm_s);
    fittings_done(&f);
    return err;
}

/* ---- what was found ---- */

/* As rules-bills A5 has them, across all cycles that begin at one instant. */
static int found_order(const void *x, const void *y)
{
    const struct found *a = (const struct found *)x, *b = (const struct found *)y;
    int order;

    if (a->from_s != b->from_s)
        return a->from_s < b->from_s ? -1 : 1;
    order = strcmp(a->point, b->point);
    return order ? order : (a->cycle > b->cycle) - (a->cycle < b->cycle);
}

static void put_found(struct adjuster *a, struct act *act, const struct found *f,
                      uint64_t newest_act)
{
    const struct closed_cycle *c = &a->closed[f->cycle];
    struct ledger_billed now = f->was;
    struct billed stands = stands_at(f);
    struct ledger_adjustment adj = {
        .cycle = c->id,
        .point = span_text(f->point),
        .delta_ml = f->now.consumption_ml - stands.consumption_ml,
        .delta_m3 = f->now.m3 - stands.m3,
        .value_ml = f->now.consumption_ml,
        .value_m3 = f->now.m3,
        .corrects = f->was.last,
        .at_s = act->now_s,
        .position = archive_settled(a->app->archive),
        .act = newest_act,
    };

    if (f->adjusts) {
        memcpy(adj.reason, f->reason, sizeof adj.reason);
        act_put_adjustment(act, &adj);
        now.delta_ml += adj.delta_ml;
        now.delta_m3 += adj.delta_m3;
        now.last = adj.id;
    }
    now.known = f->later.known;
    now.seen_ml = f->later.consumption_ml;
    now.seen_m3 = f->later.m3;
    act_put_billed(act, c->id, adj.point, &now);
}

static void note_seen(struct act *act, const struct adjuster *a, const struct found *f)
{
    char told[64];

    snprintf(told, sizeof told, "{\"cycle\":%u}", a->closed[f->cycle].id);
    act_note(act, "determinant.seen", span_text(f->point), span_of(NULL, 0), span_text(told),
             span_of(NULL, 0));
}

/* Both meters of an exchange lead to its point: what was found twice is put once. */
static enum err put_all(struct adjuster *a, int64_t now_s, uint64_t newest_act)
{
    enum err err = ERR_OK;
    size_t i = 0;

    if (a->found_count)
        qsort(a->found, a->found_count, sizeof *a->found, found_order);
    while (i < a->found_count && !err) {
        struct act act = act_begin(a->app->ledger, "settler", now_s, journal_end(a->app->journal));

        for (size_t n = 0; n < ACT_MOST && i < a->found_count && !act.txn.err; i++) {
            if (i && !found_order(&a->found[i - 1], &a->found[i]))
                continue;
            put_found(a, &act, &a->found[i], newest_act);
            if (!a->found[i].adjusts)
                note_seen(&act, a, &a->found[i]);
            n++;
        }
        err = act_end(&act);
    }
    a->found_count = 0;
    return err;
}

enum err adjust_pass(struct adjuster *a, const struct judge_news *news, size_t count, int64_t now_s)
{
    struct txn t = ledger_read(a->app->ledger);
    uint64_t newest_act = ledger_end(&t);
    struct frozen *frozen = NULL;
    enum err err = t.err, ended;

    a->found_count = 0;
    if (!err)
        err = closed_load(a, &t);
    if (!err && a->closed_count &&
        !(frozen = (struct frozen *)malloc(a->closed_count * sizeof *frozen)))
        err = ERR_NO_MEMORY;
    for (size_t i = 0; i < count && a->closed_count && !err; i++) {
        bool calm = false;

        if (i % STOP_EVERY == 0 && atomic_load(&a->app->stopping))
            err = ERR_STOPPING;
        else if (!(err = is_calm(a, &t, &news[i], &calm)) && !calm)
            err = look_at_meter(a, &t, news[i].meter, frozen, now_s);
        if (!err && a->found_count >= FOUND_MOST) {
            txn_renew(&t);
            err = put_all(a, now_s, newest_act);
        }
    }
    ended = txn_end(&t);
    free(frozen);
    if (!err)
        err = ended;
    return err ? err : put_all(a, now_s, newest_act);
}

enum err adjust_all(struct app *app)
{
    uint32_t last = registry_count(app->registry);
    struct judge_news news[STOP_EVERY];
    struct adjuster *a = NULL;
    enum err err = adjuster_new(app, &a);

    for (uint32_t next = 1; next <= last && !err;) {
        size_t n = 0;

        while (n < STOP_EVERY && next <= last)
            news[n++] = (struct judge_news){ .meter = next++ };
        err = adjust_pass(a, news, n, clock_now_s(&app->clock));
    }
    adjuster_free(a);
    return err;
}
