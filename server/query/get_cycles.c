/* Billing cycles: what stands in them now, and what their closing froze. Of a closed cycle every
 * page, in any size, by any client and at any time, has the same bytes. */
#include "proto/base/hex.h"
#include "server/cycles.h"
#include "server/query/answers.h"
#include "server/query/cycle_asked.h"
#include "server/query/rows.h"
#include "server/scope.h"
#include "storage/journal.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define COUNTED_MOST                                                                               \
    20000 /* points of an open cycle that are looked at for its figures: a second or two */
#define PREVIEW_SLICE 256 /* points between two transactions */

#define PULLED_AHEAD                                                                               \
    20000 /* a stream is written down as pulled in steps of so many points, before they leave */
#define POINT_SIZE 64

/* ---- the one that the path names ---- */

/* A unit sees a cycle that has one of its routes. */
static bool is_ours(struct app *app, const char *org, struct txn *t, struct span routes)
{
    struct scope scope = scope_of(org);
    struct span route;

    (void)app;
    if (!org[0])
        return true;
    while (cycle_route_next(&routes, &route))
        if (scope_named(&scope, t, LIST_ROUTE, route))
            return true;
    return false;
}

bool cycle_asked(struct request *q, struct txn *t, struct ledger_cycle *c)
{
    struct span name = q->subject[0];

    if (!ledger_cycle(t, name, c)) {
        if (t->err)
            problem_of(q, t->err, "", "the cycle cannot be read: the store %s", err_text(t->err));
        else
            problem_of(q, ERR_NOT_FOUND, "cycle", "cycle %.*s: nobody opened it",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
        return false;
    }
    if (is_ours(q->app, q->caller.org, t, c->routes))
        return true;
    problem_of(q, ERR_FORBIDDEN, "cycle",
               "cycle %s: none of its routes is of the org unit %s that the token is for", c->name,
               q->caller.org);
    return false;
}

/* ---- all of them ---- */

struct fill_cycles {
    struct listing *l;
    struct txn *txn;
    bool more;
};

static void put_row(struct listing *l, const struct ledger_cycle *c)
{
    char hex[2 * sizeof c->digest + 1] = "";
    struct wr w = wr_of(hex, sizeof hex);
    bool closed = c->state == CYCLE_CLOSED;

    if (closed)
        hex_write(&w, span_of(c->digest, sizeof c->digest));
    row_begin(l);
    row_word(l, "cycle", c->name);
    row_word(l, "state", cycle_state_name((enum cycle_state)c->state));
    row_time(l, "from", c->from_s);
    row_time(l, "to", c->to_s);
    row_time(l, "opened_at", c->opened.at_s);
    if (closed) {
        row_time(l, "closed_at", c->closed.at_s);
        row_int(l, "points", (int64_t)c->points);
        row_int(l, "estimated", (int64_t)c->by_quality[QUALITY_ESTIMATED]);
        row_int(l, "missing", (int64_t)c->by_quality[QUALITY_MISSING]);
        row_litres(l, "consumption_l", c->consumption_ml);
        row_int(l, "billed_m3", c->billed_m3);
        row_text(l, "digest", wr_span(&w));
    } else {
        static const char *const later[] = { "closed_at",     "points",    "estimated", "missing",
                                             "consumption_l", "billed_m3", "digest" };

        for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
            row_null(l, later[i]);
    }
    row_end(l, span_text(c->name));
}

static bool put_cycle(void *arg, const struct ledger_cycle *c)
{
    struct fill_cycles *f = (struct fill_cycles *)arg;

    if (listing_full(f->l)) {
        f->more = true;
        return false;
    }
    if (is_ours(f->l->app, f->l->q->caller.org, f->txn, c->routes))
        put_row(f->l, c);
    else
        listing_pass(f->l, span_text(c->name));
    return true;
}

static void fill_cycles(struct listing *l)
{
    struct txn t = ledger_read(l->app->ledger);
    struct fill_cycles f = { .l = l, .txn = &t };
    uint8_t after[CURSOR_MAX];
    enum err err;

    memcpy(after, l->cursor, l->cursor_len);
    err = ledger_cycles(&t, span_of(after, l->cursor_len), put_cycle, &f);
    listing_fail(l, err);
    listing_fail(l, txn_end(&t));
    l->ended = !f.more && !l->err;
}

static const char *const cycle_columns[] = { "cycle",     "state",         "from",      "to",
                                             "opened_at", "closed_at",     "points",    "estimated",
                                             "missing",   "consumption_l", "billed_m3", "digest",
                                             NULL };

void answer_cycles(struct request *q)
{
    listing_new(q, cycle_columns, fill_cycles, NULL, NULL, PAGE);
}

/* ---- determinants, frozen ones and those of now ---- */

struct determinants {
    struct cycle_line line;
    char name[CYCLE_NAME_MAX + 1];
    uint32_t id;
    int quality; /* enum quality; -1: any */
    bool bills;  /* what the caller pulls is kept in mind */
    char pulled_to[POINT_SIZE];
    struct part *parts;
    size_t part_cap;
    /* Of now: */
    struct cycle_maker maker;
    struct cycle_points points;
    struct point_use use;
};

static void determinants_done(void *state)
{
    struct determinants *d = (struct determinants *)state;

    point_use_done(&d->use);
    cycle_points_done(&d->points);
    cycle_maker_done(&d->maker);
    free(d->parts);
    free(d);
}

static const char *const determinant_columns[] = {
    "cycle",       "point",         "account",   "from",     "to",      "start_index_l",
    "end_index_l", "consumption_l", "billed_m3", "days",     "quality", "method",
    "checks",      "parts",         "why",       "revision", NULL
};

static void cell_litres(struct listing *l, const char *name, bool known, int64_t ml)
{
    if (known)
        row_litres(l, name, ml);
    else
        row_null(l, name);
}

static void put_csv(struct listing *l, const struct cycle_line *line, struct span point,
                    const struct determinant *d)
{
    row_word(l, "cycle", line->cycle);
    row_text(l, "point", point);
    row_text(l, "account", d->account);
    row_time(l, "from", line->from_s);
    row_time(l, "to", line->to_s);
    cell_litres(l, "start_index_l", d->start_known, d->start_ml);
    cell_litres(l, "end_index_l", d->end_known, d->end_ml);
    cell_litres(l, "consumption_l", d->billed.known, d->billed.consumption_ml);
    if (d->billed.known)
        row_int(l, "billed_m3", d->billed.m3);
    else
        row_null(l, "billed_m3");
    row_int(l, "days", line->days);
    row_word(l, "quality", quality_name(d->quality));
    row_word(l, "method", method_name(d->method));
    use_put_checks(row_raw_begin(l, "checks"), d->checks);
    row_raw_end(l);
    use_put_parts(row_raw_begin(l, "parts"), d->parts, d->part_count);
    row_raw_end(l);
    row_word(l, "why", missing_why_name(d->why));
    row_int(l, "revision", 1);
}

static void put_determinant(struct listing *l, const struct determinants *w, struct span point,
                            const struct determinant *d)
{
    row_begin(l);
    if (l->form == FORM_CSV) {
        put_csv(l, &w->line, point, d);
    } else {
        scoping_cell(l->scoping, "point", point);
        cycle_line_put(&l->out, &w->line, point, d);
    }
    row_end(l, point);
}

static bool wanted(const struct determinants *w, const struct determinant *d)
{
    return w->quality < 0 || d->quality == (enum quality)w->quality;
}

static enum err read_frozen(struct determinants *w, struct span bytes, struct determinant *out)
{
    enum err err =
        determinant_read(bytes, w->line.from_s, w->line.to_s, w->parts, w->part_cap, out);
    struct part *more;

    if (err != ERR_TOO_LARGE)
        return err;
    if (!(more = (struct part *)realloc(w->parts, out->part_count * sizeof *more)))
        return ERR_NO_MEMORY;
    w->parts = more;
    w->part_cap = out->part_count;
    return determinant_read(bytes, w->line.from_s, w->line.to_s, w->parts, w->part_cap, out);
}

/* ---- what was pulled ---- */

static void span_keep(char out[POINT_SIZE], struct span s)
{
    snprintf(out, POINT_SIZE, "%.*s", (int)s.len, s.len ? (const char *)s.at : "");
}

static bool is_behind(struct span point, const char *mark)
{
    char name[POINT_SIZE];

    span_keep(name, point);
    return strcmp(name, mark) > 0;
}

/* As far as this answer comes in one step. */
static enum err reaches_to(struct listing *l, const struct determinants *w, struct txn *t,
                           char out[POINT_SIZE])
{
    uint8_t after[CURSOR_MAX];
    uint64_t left = l->limit - l->rows;
    struct determinant_walk walk;

    memcpy(after, l->cursor, l->cursor_len);
    walk = ledger_determinants(t, w->id, span_of(after, l->cursor_len));
    out[0] = 0;
    for (uint64_t n = 0; n < left && n < PULLED_AHEAD && determinant_next(&walk); n++)
        span_keep(out, walk.point);
    determinant_done(&walk);
    return t->err;
}

/* Before the rows leave: what may have been pulled counts as pulled. Another may have come further by now. */
static enum err write_down(struct listing *l, struct determinants *w, const char *to)
{
    struct app *app = l->app;
    struct act act = act_begin(app->ledger, l->q->caller.who, clock_now_s(&app->clock),
                               journal_end(app->journal));
    struct ledger_receipt r;

    if (ledger_receipt_last(&act.txn, w->id, RECEIPT_PULLED, &r))
        span_keep(w->pulled_to, r.point);
    if (strcmp(w->pulled_to, to) < 0) {
        r = (struct ledger_receipt){ .point = span_text(to), .at_s = act.now_s };
        snprintf(r.who, sizeof r.who, "%s", l->q->caller.who);
        act_put_receipt(&act, w->id, RECEIPT_PULLED, &r);
        act_note(&act, "cycle.pulled", span_text(w->name), span_of(NULL, 0), r.point,
                 span_of(NULL, 0));
        span_keep(w->pulled_to, r.point);
    }
    return act_end(&act);
}

/* Nothing leaves behind the mark. */
static enum err note_pull(struct listing *l, struct determinants *w)
{
    struct txn t = ledger_read(l->app->ledger);
    struct ledger_receipt r;
    char to[POINT_SIZE] = "";
    enum err err = ERR_OK, ended;

    if (!w->pulled_to[0] && ledger_receipt_last(&t, w->id, RECEIPT_PULLED, &r))
        span_keep(w->pulled_to, r.point);
    if (!w->pulled_to[0] || !l->cursor_len ||
        is_behind(span_of(l->cursor, l->cursor_len), w->pulled_to) ||
        span_equal(span_of(l->cursor, l->cursor_len), span_text(w->pulled_to)))
        err = reaches_to(l, w, &t, to);
    ended = txn_end(&t);
    err = err ? err : ended;
    return err || strcmp(to, w->pulled_to) <= 0 ? err : write_down(l, w, to);
}

static void fill_frozen(struct listing *l)
{
    struct determinants *w = (struct determinants *)l->state;
    enum err noted = w->bills ? note_pull(l, w) : ERR_OK;
    struct txn t = ledger_read(l->app->ledger);
    struct determinant_walk walk;
    uint8_t after[CURSOR_MAX];
    bool more = true;

    listing_fail(l, noted);

    memcpy(after, l->cursor, l->cursor_len);
    walk = ledger_determinants(&t, w->id, span_of(after, l->cursor_len));
    while (!listing_full(l) && (more = determinant_next(&walk)) &&
           !(w->bills && is_behind(walk.point, w->pulled_to))) {
        struct determinant d;
        enum err err = read_frozen(w, walk.bytes, &d);

        if (err) {
            listing_fail(l, err);
            break;
        }
        if (wanted(w, &d))
            put_determinant(l, w, walk.point, &d);
        else
            listing_pass(l, walk.point);
    }
    determinant_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static bool ask_quality(struct request *q, int *out)
{
    struct span name = ask_text(q, "quality");

    *out = -1;
    if (!name.len)
        return true;
    for (int i = 0; i < CYCLE_QUALITIES; i++) {
        if (span_equal(name, span_text(quality_name((enum quality)i)))) {
            *out = i;
            return true;
        }
    }
    problem_of(q, ERR_INVALID, "quality",
               "quality: found %.*s, expected actual, edited, estimated or missing",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

static struct determinants *determinants_new(struct request *q, const struct ledger_cycle *c)
{
    struct determinants *w = (struct determinants *)calloc(1, sizeof *w);

    if (!w || !(w->parts = (struct part *)calloc(16, sizeof *w->parts))) {
        free(w);
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return NULL;
    }
    w->part_cap = 16;
    w->id = c->id;
    snprintf(w->name, sizeof w->name, "%s", c->name);
    w->line = cycle_line_of(q->app, c);
    w->line.cycle = w->name;
    return w;
}

/* Another form, or a part, is another answer. */
static bool is_known(struct request *q, const struct ledger_cycle *c, int quality)
{
    char tag[2 * sizeof c->digest + 16];
    struct wr w = wr_of(tag, sizeof tag);

    hex_write(&w, span_of(c->digest, sizeof c->digest));
    wr_format(&w, "-%d%s", (int)q->form, quality < 0 ? "" : quality_name((enum quality)quality));
    wr_u8(&w, 0);
    return !w.err && !q->caller.org[0] && answer_is_known(q, tag);
}

void answer_determinants(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct determinants *w = NULL;
    struct ledger_cycle c;
    int quality = -1;

    if (!cycle_asked(q, &t, &c) || !ask_quality(q, &quality)) {
        txn_abort(&t);
        return;
    }
    if (c.state != CYCLE_CLOSED)
        problem_of(q, ERR_CONFLICT, "cycle",
                   "cycle %s: it is %s, so nothing is frozen yet; …/preview shows what would be",
                   c.name, cycle_state_name((enum cycle_state)c.state));
    else if (!is_known(q, &c, quality) && (w = determinants_new(q, &c))) {
        w->quality = quality;
        w->bills = ROLES_BILLING >> q->caller.role & 1 && quality < 0 && !q->head;
    }
    txn_abort(&t);
    if (w)
        listing_new(q, determinant_columns, fill_frozen, w, determinants_done, PAGE);
}

/* ---- pulled and never settled ---- */

/* Settled by itself. */
static bool is_settled(struct txn *t, uint32_t cycle, struct span point)
{
    struct ledger_receipt r;

    return ledger_receipt_from(t, cycle, RECEIPT_POINT, point, &r) && span_equal(r.point, point);
}

static void fill_unsettled(struct listing *l)
{
    struct determinants *w = (struct determinants *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct ledger_receipt r;
    struct determinant_walk walk;
    char after[POINT_SIZE] = "", to[POINT_SIZE] = "";
    bool more = true;

    if (ledger_receipt_last(&t, w->id, RECEIPT_PULLED, &r))
        span_keep(to, r.point);
    if (ledger_receipt_last(&t, w->id, RECEIPT_SETTLED, &r))
        span_keep(after, r.point);
    if (l->cursor_len && l->cursor_len < POINT_SIZE &&
        is_behind(span_of(l->cursor, l->cursor_len), after))
        span_keep(after, span_of(l->cursor, l->cursor_len));
    walk = ledger_determinants(&t, w->id, span_text(after));
    while (!listing_full(l) && (more = determinant_next(&walk) && !is_behind(walk.point, to))) {
        struct determinant d;
        enum err err = read_frozen(w, walk.bytes, &d);

        if (err) {
            listing_fail(l, err);
            break;
        }
        if (is_settled(&t, w->id, walk.point))
            listing_pass(l, walk.point);
        else
            put_determinant(l, w, walk.point, &d);
    }
    determinant_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

void answer_unsettled(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct determinants *w = NULL;
    struct ledger_cycle c;

    if (cycle_asked(q, &t, &c))
        w = determinants_new(q, &c);
    txn_abort(&t);
    if (w)
        listing_new(q, determinant_columns, fill_unsettled, w, determinants_done, PAGE);
}

/* ---- as of now ---- */

size_t cycle_place_of(const struct listing *l, const struct cycle_points *p)
{
    char after[CURSOR_MAX + 1];
    size_t low = 0, high = p->count;

    if (!l->cursor_len)
        return 0;
    memcpy(after, l->cursor, l->cursor_len);
    after[l->cursor_len] = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(cycle_point_name(p, middle), after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void preview_one(struct listing *l, struct determinants *w, struct txn *t, size_t i)
{
    struct span name = span_text(cycle_point_name(&w->points, i));
    struct determinant d;
    bool elsewhere;
    enum err err = cycle_make(&w->maker, t, w->points.at[i].id, name, &w->use, &d, &elsewhere);

    if (err)
        listing_fail(l, err);
    else if (!elsewhere && wanted(w, &d))
        put_determinant(l, w, name, &d);
    else
        listing_pass(l, name);
}

static void fill_preview(struct listing *l)
{
    struct determinants *w = (struct determinants *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    size_t at = cycle_place_of(l, &w->points), end = at + PREVIEW_SLICE;

    for (; at < w->points.count && at < end && !listing_full(l); at++)
        preview_one(l, w, &t, at);
    listing_fail(l, txn_end(&t));
    l->ended = at == w->points.count && !l->err;
}

void answer_preview(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct determinants *w = NULL;
    struct ledger_cycle c;
    int quality;
    enum err err = ERR_OK;

    if (cycle_asked(q, &t, &c) && ask_quality(q, &quality) && (w = determinants_new(q, &c))) {
        w->quality = quality;
        err = cycle_maker_init(q->app, &t, &c, clock_now_s(&q->app->clock), &w->maker);
        w->maker.line = w->line;
        if (!err)
            err = cycle_points_load(&t, c.routes, &w->points);
    }
    txn_abort(&t);
    if (!w)
        return;
    if (!err) {
        listing_new(q, determinant_columns, fill_preview, w, determinants_done, PAGE);
        return;
    }
    determinants_done(w);
    problem_of(q, err, "", "the cycle cannot be looked at: the store %s", err_text(err));
}

/* ---- one cycle ---- */

static enum err sum_now(struct request *q, struct txn *t, const struct ledger_cycle *c,
                        struct cycle_sums *out, bool *out_counted)
{
    struct cycle_maker maker;
    struct cycle_points points = { 0 };
    struct point_use use = { 0 };
    enum err err = cycle_maker_init(q->app, t, c, clock_now_s(&q->app->clock), &maker);

    *out = (struct cycle_sums){ 0 };
    if (!err)
        err = cycle_points_load(t, c->routes, &points);
    *out_counted = points.count <= COUNTED_MOST;
    for (size_t i = 0; i < points.count && *out_counted && !err; i++) {
        struct span name = span_text(cycle_point_name(&points, i));
        struct determinant d;
        bool elsewhere;

        err = cycle_make(&maker, t, points.at[i].id, name, &use, &d, &elsewhere);
        if (!err && elsewhere)
            out->elsewhere++;
        if (!err && !elsewhere) {
            cycle_sums_add(out, name, &d);
            out->edits_waiting += point_use_waiting(&use, c->from_s, c->to_s);
        }
    }
    if (!*out_counted)
        out->points = points.count;
    point_use_done(&use);
    cycle_points_done(&points);
    cycle_maker_done(&maker);
    return err;
}

/* Of a cycle that is not closed: what closing it now would freeze. */
static enum err put_now(struct request *q, struct txn *t, const struct ledger_cycle *c)
{
    struct cycle_sums *sums = (struct cycle_sums *)malloc(sizeof *sums);
    bool counted;
    enum err err = sums ? sum_now(q, t, c, sums, &counted) : ERR_NO_MEMORY;

    if (!err && counted)
        cycle_put_sums(&q->out, sums);
    else if (!err)
        out_member_int(&q->out, "points", (int64_t)sums->points);
    free(sums);
    return err;
}

void answer_cycle(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_cycle c;
    enum err err = ERR_OK, ended;

    if (!cycle_asked(q, &t, &c)) {
        txn_abort(&t);
        return;
    }
    out_clear(&q->out);
    out_text(&q->out, "{");
    cycle_put(&q->out, &c, NULL);
    if (c.state != CYCLE_CLOSED)
        err = put_now(q, &t, &c);
    out_text(&q->out, "}\n");
    ended = txn_end(&t);
    q->status = 200;
    err = err ? err : ended ? ended : q->out.err;
    if (err)
        problem_of(q, err, "", "the cycle cannot be shown: the store %s", err_text(err));
}
