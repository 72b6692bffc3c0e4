/* The base of annual tiers: what was settled for a point, an account, the points of a route within a civil year. */
#include "proto/base/rd.h"
#include "server/accounts.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"
#include "server/tiers.h"

#include <stdlib.h>

#define PAGE 1000
#define SLICE 64 /* points between two transactions */
#define CHAIN_TOLD                                                                                 \
    100 /* adjustments of one cycle that are told one by one, the oldest of the newest first */

/* ---- JSON ---- */

struct chain {
    size_t count;
    struct ledger_adjustment at[CHAIN_TOLD]; /* newest first */
};

static bool take_one(void *arg, const struct ledger_adjustment *a)
{
    struct chain *c = (struct chain *)arg;

    c->at[c->count++] = *a;
    return false;
}

static void chain_load(struct txn *t, uint64_t last, struct chain *out)
{
    out->count = 0;
    while (last && out->count < CHAIN_TOLD) {
        size_t before = out->count;

        if (ledger_adjustments(t, last - 1, take_one, out) || out->count == before)
            return;
        last = out->at[before].corrects;
    }
}

struct lines {
    struct out *o;
    struct txn *txn;
    struct app *app;
    struct chain *chain;
    bool any;
};

static void put_chain(struct lines *l, uint64_t last)
{
    struct out *o = l->o;

    chain_load(l->txn, last, l->chain);
    out_key(o, "adjustments");
    out_text(o, "[");
    for (size_t i = l->chain->count; i-- > 0;) {
        const struct ledger_adjustment *a = &l->chain->at[i];

        out_text(o, "{");
        out_member_int(o, "id", (int64_t)a->id);
        out_member_int(o, "delta_m3", a->delta_m3);
        out_member_litres(o, "delta_l", a->delta_ml);
        out_member_text(o, "reason", a->reason);
        out_member_time(o, "at", a->at_s);
        out_text(o, i ? "}," : "}");
    }
    out_text(o, "]");
}

static void put_line(void *arg, const struct tier_line *line)
{
    struct lines *l = (struct lines *)arg;
    struct out *o = l->o;
    char day[11];

    text_put_date(day, zone_day_number(&l->app->zone, line->cycle->to_s));
    out_text(o, l->any ? ",{" : "{");
    l->any = true;
    out_member_text(o, "cycle", line->cycle->name);
    out_member_time(o, "from", line->cycle->from_s);
    out_member_time(o, "to", line->cycle->to_s);
    out_member_text(o, "settled_on", day);
    if (line->frozen.billed.known) {
        out_member_int(o, "billed_m3", line->frozen.billed.m3);
        out_member_litres(o, "consumption_l", line->frozen.billed.consumption_ml);
    } else {
        out_member_null(o, "billed_m3");
        out_member_null(o, "consumption_l");
    }
    out_member_text(o, "quality", quality_name(line->frozen.quality));
    out_member_int(o, "adjusted_m3", line->adjusted.delta_m3);
    out_member_litres(o, "adjusted_l", line->adjusted.delta_ml);
    put_chain(l, line->adjusted.last);
    out_text(o, "}");
}

static void put_sums(struct out *o, const struct tier_sums *s)
{
    out_member_int(o, "m3", tier_m3(s));
    out_member_int(o, "billed_m3", s->billed_m3);
    out_member_int(o, "adjusted_m3", s->adjusted_m3);
    out_member_litres(o, "consumption_l", s->billed_ml + s->adjusted_ml);
    out_member_int(o, "cycles", s->cycles);
    out_member_int(o, "missing", s->missing);
}

static void put_open(struct out *o, const struct tier_open *open)
{
    if (!open->there) {
        out_member_null(o, "open_from");
        out_member_null(o, "open_to");
    } else {
        out_member_time(o, "open_from", open->from_s);
        out_member_time(o, "open_to", open->to_s);
    }
    if (!open->there || !open->known) {
        out_member_null(o, "open_m3");
        out_member_null(o, "open_l");
    } else {
        out_member_int(o, "open_m3", open->m3);
        out_member_litres(o, "open_l", open->consumption_ml);
    }
    out_member_text(o, "open_quality", open->there ? quality_name(open->quality) : NULL);
}

/* The members of a point, from "point" on. Adds to `all` (may be NULL). */
static enum err put_point(struct request *q, struct txn *t, const struct tier_year *y,
                          uint32_t point, struct span name, struct span account, struct out *o,
                          struct tier_sums *all)
{
    struct chain *chain = (struct chain *)malloc(sizeof *chain);
    struct out told = { 0 };
    struct lines l = { .o = &told, .txn = t, .app = q->app, .chain = chain };
    struct tier_sums sums = { 0 };
    struct point_use use = { 0 };
    struct tier_open open;
    enum err err = chain ? tier_point(y, t, name, account, put_line, &l, &sums) : ERR_NO_MEMORY;

    if (!err)
        err = tier_open(q->app, y, t, point, name, account, &use, &open);
    if (!err) {
        out_member_span(o, "point", name);
        out_member_span(o, "account", account);
        out_member_int(o, "year", y->year);
        put_sums(o, &sums);
        out_member_int(o, "others_m3", sums.others_m3);
        put_open(o, &open);
        out_key(o, "lines");
        out_text(o, "[");
        out_bytes(o, told.at, told.len);
        out_text(o, "]");
        err = told.err ? told.err : t->err;
    }
    if (!err && all) {
        all->cycles += sums.cycles;
        all->missing += sums.missing;
        all->billed_ml += sums.billed_ml;
        all->billed_m3 += sums.billed_m3;
        all->adjusted_ml += sums.adjusted_ml;
        all->adjusted_m3 += sums.adjusted_m3;
    }
    point_use_done(&use);
    out_done(&told);
    free(chain);
    return err;
}

/* ---- asking ---- */

static bool ask_year(struct request *q, int32_t *out)
{
    int64_t year = zone_civil(&q->app->zone, clock_now_s(&q->app->clock)).year;

    if (!ask_int(q, "year", TIER_YEAR_LEAST, TIER_YEAR_MOST, year, &year))
        return false;
    *out = (int32_t)year;
    return true;
}

static void failed(struct request *q, enum err err)
{
    problem_of(q, err, "", "what was settled cannot be read: the store %s", err_text(err));
}

void answer_point_tier(struct request *q)
{
    struct tier_year y = { 0 };
    struct ledger_row row;
    struct txn t;
    int32_t year;
    enum err err;

    if (!ask_year(q, &year))
        return;
    t = ledger_read(q->app->ledger);
    if (row_named(q, &t, list_of(LIST_POINT), INT64_MAX, &row)) {
        q->status = 200;
        out_text(&q->out, "{");
        err = tier_year_load(q->app, &t, year, &y);
        if (!err)
            err = put_point(q, &t, &y, row.id, q->subject[0],
                            CELL_POINT_account < row.count ? row.cells[CELL_POINT_account]
                                                           : span_of(NULL, 0),
                            &q->out, NULL);
        out_text(&q->out, "}");
        if (err)
            failed(q, err);
    }
    tier_year_done(&y);
    txn_abort(&t);
}

/* ---- an account ---- */

static bool are_ours(struct request *q, struct txn *t, const struct account_stays *stays)
{
    struct scope s = scope_of(q->caller.org);

    for (size_t i = 0; i < stays->count; i++) {
        if (scope_point(&s, t, stays->at[i].point))
            continue;
        if (!t->err)
            problem_of(q, ERR_FORBIDDEN, "account",
                       "the role %s of the org unit %s may not do this: point %s of the account "
                       "belongs to another unit, or to none",
                       role_name(q->caller.role), q->caller.org, stays->at[i].name);
        return false;
    }
    return true;
}

static enum err put_account(struct request *q, struct txn *t, const struct tier_year *y,
                            const struct account_stays *stays)
{
    struct out points = { 0 };
    struct tier_sums sums = { 0 };
    enum err err = ERR_OK;

    for (size_t i = 0; i < stays->count && !err; i++) {
        if (i && stays->at[i].point == stays->at[i - 1].point)
            continue; /* it came back */
        out_text(&points, points.len ? ",{" : "{");
        err = put_point(q, t, y, stays->at[i].point, span_text(stays->at[i].name), q->subject[0],
                        &points, &sums);
        out_text(&points, "}");
    }
    out_text(&q->out, "{");
    out_member_span(&q->out, "account", q->subject[0]);
    out_member_int(&q->out, "year", y->year);
    put_sums(&q->out, &sums);
    out_key(&q->out, "points");
    out_text(&q->out, "[");
    out_bytes(&q->out, points.at, points.len);
    out_text(&q->out, "]}");
    err = err ? err : points.err;
    out_done(&points);
    return err;
}

void answer_account_tier(struct request *q)
{
    struct account_stays stays = { 0 };
    struct tier_year y = { 0 };
    struct txn t;
    int32_t year;
    enum err err;

    if (!ask_year(q, &year))
        return;
    t = ledger_read(q->app->ledger);
    err = account_stays_load(&t, q->subject[0], &stays);
    if (err == ERR_LIMIT)
        problem_of(q, ERR_INVALID, "account",
                   "account: it has more than %d points, expected one that has fewer; ask point by "
                   "point",
                   ACCOUNT_POINTS_MOST);
    else if (!err && !stays.count)
        problem_of(
            q, ERR_NOT_FOUND, "account", "account %.*s: no point was ever registered under it",
            (int)(q->subject[0].len < 64 ? q->subject[0].len : 64), (const char *)q->subject[0].at);
    else if (!err && are_ours(q, &t, &stays)) {
        q->status = 200;
        if ((err = tier_year_load(q->app, &t, year, &y)) || (err = put_account(q, &t, &y, &stays)))
            failed(q, err);
    } else if (err || t.err) {
        failed(q, err ? err : t.err);
    }
    tier_year_done(&y);
    account_stays_done(&stays);
    txn_abort(&t);
}

/* ---- a route ---- */

static const char *const columns[] = {
    "point",       "account",       "year",   "m3",           "billed_m3",
    "adjusted_m3", "consumption_l", "cycles", "missing",      "others_m3",
    "open_from",   "open_m3",       "open_l", "open_quality", NULL
};

struct of_route {
    struct tier_year year;
    struct point_use use;
    char route[64];
};

static void of_route_done(void *state)
{
    struct of_route *r = (struct of_route *)state;

    point_use_done(&r->use);
    tier_year_done(&r->year);
    free(r);
}

static void row_open(struct listing *l, const struct tier_open *open)
{
    if (open->there)
        row_time(l, "open_from", open->from_s);
    else
        row_null(l, "open_from");
    if (open->there && open->known) {
        row_int(l, "open_m3", open->m3);
        row_litres(l, "open_l", open->consumption_ml);
    } else {
        row_null(l, "open_m3");
        row_null(l, "open_l");
    }
    row_word(l, "open_quality", open->there ? quality_name(open->quality) : NULL);
}

static enum err put_row(struct listing *l, struct of_route *r, struct txn *t, uint32_t point,
                        struct span cursor)
{
    struct tier_sums s = { 0 };
    struct tier_open open;
    struct ledger_row row;
    struct span name, account;
    enum err err;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) || !row.count)
        return t->err ? t->err : ERR_CORRUPT;
    name = row.cells[CELL_POINT_point];
    account = CELL_POINT_account < row.count ? row.cells[CELL_POINT_account] : span_of(NULL, 0);
    if ((err = tier_point(&r->year, t, name, account, NULL, NULL, &s)) ||
        (err = tier_open(l->app, &r->year, t, point, name, account, &r->use, &open)))
        return err;
    row_begin(l);
    row_text(l, "point", name);
    row_text(l, "account", account);
    row_int(l, "year", r->year.year);
    row_int(l, "m3", tier_m3(&s));
    row_int(l, "billed_m3", s.billed_m3);
    row_int(l, "adjusted_m3", s.adjusted_m3);
    row_litres(l, "consumption_l", s.billed_ml + s.adjusted_ml);
    row_int(l, "cycles", s.cycles);
    row_int(l, "missing", s.missing);
    row_int(l, "others_m3", s.others_m3);
    row_open(l, &open);
    row_end(l, cursor);
    return ERR_OK;
}

/* The cursor is a place in the route's walk: whoever leaves or comes between two pages, the next goes on behind it. */
static void fill(struct listing *l)
{
    struct of_route *r = (struct of_route *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct points_walk w = ledger_points_walk(&t, false, span_text(r->route));
    uint8_t room[CURSOR_MAX];
    size_t len = l->cursor_len;
    unsigned n = 0;
    bool more;

    if (len) {
        memcpy(room, l->cursor, len);
        points_from(&w, span_of(room, len));
    }
    for (more = points_next(&w); more && n < SLICE && !listing_full(l) && !l->err;
         more = points_next(&w)) {
        if (len && span_equal(w.place, span_of(room, len)))
            continue;
        listing_fail(l, put_row(l, r, &t, w.point, w.place));
        n++;
    }
    points_done(&w);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

void answer_route_tier(struct request *q)
{
    struct of_route *r = (struct of_route *)calloc(1, sizeof *r);
    struct ledger_row row;
    struct txn t;
    int32_t year;
    bool fine;
    enum err err = ERR_OK;

    if (!r) {
        failed(q, ERR_NO_MEMORY);
        return;
    }
    t = ledger_read(q->app->ledger);
    fine = ask_year(q, &year) && row_named(q, &t, list_of(LIST_ROUTE), INT64_MAX, &row) &&
           q->subject[0].len < sizeof r->route;
    if (fine) {
        memcpy(r->route, q->subject[0].at, q->subject[0].len);
        err = tier_year_load(q->app, &t, year, &r->year);
    }
    txn_abort(&t);
    if (fine && !err) {
        listing_new(q, columns, fill, r, of_route_done, PAGE);
        return;
    }
    if (err)
        failed(q, err);
    of_route_done(r);
}
