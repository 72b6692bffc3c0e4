/* Figures of months: what they come to, what stands behind them, which months are closed. */
#include "proto/base/hex.h"
#include "server/figures.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define SLICE 256 /* things between two transactions of a list */
#define SHARE_SIZE 32

/* ---- asking ---- */

static bool ask_month(struct request *q, struct figure_month *out)
{
    struct span text = ask_text(q, "month");
    struct civil now;

    if (!text.len) {
        now = zone_civil(&q->app->zone, clock_now_s(&q->app->clock));
        figure_month_of(&q->app->zone, now.year, now.month, out);
        return true;
    }
    if (figure_month_read(text, &q->app->zone, out))
        return true;
    problem_of(q, ERR_INVALID, "month", "month: found %.*s, expected a month as 2026-03",
               (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

static bool ask_figure(struct request *q, const char *name, struct span text, int *out)
{
    enum figure f;

    *out = -1;
    if (!text.len)
        return true;
    if (figure_read(text, &f)) {
        *out = (int)f;
        return true;
    }
    problem_of(q, strcmp(name, "path") == 0 ? ERR_NOT_FOUND : ERR_INVALID, "figure",
               "figure: found %.*s, expected one of those that /v1/figures lists",
               (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

/* An org unit and a route that are named are there. */
static bool ask_bounds(struct request *q, char org[FIGURE_NAME], char route[FIGURE_NAME])
{
    struct txn t;
    bool known;

    if (!ask_copy(q, "org", org, FIGURE_NAME) || !ask_copy(q, "route", route, FIGURE_NAME))
        return false;
    t = ledger_read(q->app->ledger);
    known = named_is_known(q, &t, LIST_ORG, "org") && named_is_known(q, &t, LIST_ROUTE, "route");
    txn_abort(&t);
    return known;
}

/* ---- what they come to ---- */

static const char *const columns[] = { "month",       "level",     "org",       "route",
                                       "figure",      "text_en",   "text_zh",   "numerator",
                                       "denominator", "value",     "target",    "excluded",
                                       "final",       "frozen_at", "frozen_by", "later",
                                       NULL };

struct shown {
    struct app *app;
    char month[FIGURE_MONTH_SIZE];
    const struct figures *now; /* kept; NULL: not asked for */
    struct figures *closed;    /* as it was frozen; NULL: it is open */
    struct ledger_month row;
    char org[FIGURE_NAME], route[FIGURE_NAME], level[16];
    int figure; /* -1: all */
    bool later;
};

static void shown_done(void *state)
{
    struct shown *s = (struct shown *)state;

    figures_give_back(s->app, s->now);
    figures_free(s->closed);
    free(s);
}

/* "98.75"; empty where there is none. */
static struct span share_text(bool known, int64_t hundredths, char room[SHARE_SIZE])
{
    if (!known)
        return span_of(NULL, 0);
    snprintf(room, SHARE_SIZE, "%lld.%02lld", (long long)(hundredths / 100),
             (long long)(hundredths % 100));
    return span_text(room);
}

static void row_share(struct listing *l, const char *name, bool known, int64_t hundredths)
{
    char room[SHARE_SIZE];

    if (known)
        row_number(l, name, share_text(true, hundredths, room));
    else
        row_null(l, name);
}

static void put_excluded(struct out *o, enum figure f, const struct figure_counts *c)
{
    out_text(o, "{");
    for (unsigned r = 0; r < FIGURE_REASONS; r++)
        if (figure_row(f)->reasons >> r & 1u)
            out_member_int(o, figure_reason_name(r), (int64_t)c->without[r]);
    out_text(o, "}");
}

static void put_later(struct listing *l, enum figure f, const struct figure_counts *frozen,
                      const struct figure_counts *now)
{
    int64_t hundredths = 0;
    char room[SHARE_SIZE];
    struct out *o;
    struct span share;

    if (!now || memcmp(frozen, now, sizeof *now) == 0) {
        row_null(l, "later");
        return;
    }
    share = share_text(figure_share(now, &hundredths), hundredths, room);
    o = row_raw_begin(l, "later");
    out_text(o, "{");
    out_member_int(o, "numerator", (int64_t)now->numerator);
    out_member_int(o, "denominator", (int64_t)now->denominator);
    out_key(o, "value");
    if (share.len)
        out_bytes(o, share.at, share.len);
    else
        out_text(o, "null");
    out_key(o, "excluded");
    put_excluded(o, f, now);
    out_text(o, "}");
    row_raw_end(l);
}

static void put_place(struct listing *l, const struct shown *s, const struct figure_sum *sum)
{
    row_word(l, "month", s->month);
    row_word(l, "level", figure_level_name(sum));
    if (sum->kind == 'o')
        row_word(l, "org", sum->name);
    else
        row_word(l, "org", sum->org[0] ? sum->org : NULL);
    row_word(l, "route", sum->kind == 'r' ? sum->name : NULL);
}

static void put_figure(struct listing *l, const struct shown *s, const struct figure_sum *sum,
                       enum figure f, struct span cursor)
{
    const struct figure_row *row = figure_row(f);
    const struct figure_counts *c = &sum->group.of[f];
    const struct figure_sum *now =
        s->closed && s->now ? figures_find(s->now, sum->kind, span_text(sum->name)) : NULL;
    int64_t hundredths = 0;
    bool known = figure_share(c, &hundredths);

    row_begin(l);
    put_place(l, s, sum);
    row_word(l, "figure", row->name);
    row_word(l, "text_en", row->text_en);
    row_word(l, "text_zh", row->text_zh);
    row_int(l, "numerator", (int64_t)c->numerator);
    row_int(l, "denominator", (int64_t)c->denominator);
    row_share(l, "value", known, hundredths);
    row_share(l, "target", row->target >= 0, row->target);
    put_excluded(row_raw_begin(l, "excluded"), f, c);
    row_raw_end(l);
    row_bool(l, "final", s->closed != NULL);
    if (s->closed) {
        row_time(l, "frozen_at", s->row.closed_s);
        row_word(l, "frozen_by", s->row.who);
    } else {
        row_null(l, "frozen_at");
        row_null(l, "frozen_by");
    }
    put_later(l, f, c, now ? &now->group.of[f] : NULL);
    row_end(l, cursor);
}

static bool is_wanted(const struct shown *s, struct scope *below, struct txn *t,
                      const struct figure_sum *sum)
{
    const char *org = sum->kind == 'o' ? sum->name : sum->org;

    return (!s->level[0] || strcmp(s->level, figure_level_name(sum)) == 0) &&
           (!s->route[0] || (sum->kind == 'r' && strcmp(s->route, sum->name) == 0)) &&
           (!s->org[0] || (org[0] && scope_org(below, t, span_text(org))));
}

/* The first sum and figure behind the cursor: whatever is counted between two pages, the next begins behind it. */
static size_t place_of(struct listing *l, const struct figures *f, int *out_figure)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    char kind = (char)rd_u8(&r);
    int figure = rd_u8(&r);
    char name[FIGURE_NAME] = "";
    struct span text = rd_bytes(&r, rd_left(&r));
    size_t n = 0;

    *out_figure = 0;
    if (r.err || text.len >= FIGURE_NAME) {
        listing_fail(l, ERR_INVALID);
        return f->count;
    }
    if (text.len)
        memcpy(name, text.at, text.len);
    for (; n < f->count; n++) {
        int order =
            f->sums[n].kind != kind ? f->sums[n].kind - kind : strcmp(f->sums[n].name, name);

        if (order > 0)
            return n;
        if (order == 0 && figure + 1 < FIGURES) {
            *out_figure = figure + 1;
            return n;
        }
    }
    return n;
}

static void fill(struct listing *l)
{
    const struct shown *s = (const struct shown *)l->state;
    const struct figures *f = s->closed ? s->closed : s->now;
    struct txn t = ledger_read(l->app->ledger);
    struct scope below = scope_of(s->org);
    int figure = 0;
    size_t n = l->cursor_len ? place_of(l, f, &figure) : 0;

    for (; n < f->count && !listing_full(l); n++, figure = 0) {
        const struct figure_sum *sum = &f->sums[n];
        bool wanted = is_wanted(s, &below, &t, sum);

        for (; figure < FIGURES && !listing_full(l); figure++) {
            uint8_t cursor[2 + FIGURE_NAME];
            struct wr w = wr_of(cursor, sizeof cursor);

            wr_u8(&w, (uint8_t)sum->kind);
            wr_u8(&w, (uint8_t)figure);
            wr_text(&w, sum->name);
            if (wanted && (s->figure < 0 || s->figure == figure))
                put_figure(l, s, sum, (enum figure)figure, wr_span(&w));
            else
                listing_pass(l, wr_span(&w));
        }
        if (figure < FIGURES)
            break;
    }
    listing_fail(l, txn_end(&t));
    l->ended = n >= f->count && !l->err;
}

static bool ask_level(struct request *q, char out[16])
{
    static const char *const levels[] = { "all", "company", "branch", "team", "org", "route" };

    if (!ask_copy(q, "level", out, 16))
        return false;
    for (size_t i = 0; *out && i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(out, levels[i]) == 0)
            return true;
    if (!*out)
        return true;
    problem_of(q, ERR_INVALID, "level",
               "level: found %s, expected all, company, branch, team, org or route", out);
    return false;
}

static bool shown_load(struct request *q, struct shown *s)
{
    struct figure_month month;
    enum err err;

    s->later = true;
    if (!ask_month(q, &month) || !ask_figure(q, "figure", ask_text(q, "figure"), &s->figure) ||
        !ask_bounds(q, s->org, s->route) || !ask_level(q, s->level) ||
        (ask_text(q, "later").len && !ask_bool(q, "later", &s->later)))
        return false;
    figure_month_put(&month, s->month);
    err = figures_closed(q->app, &month, &s->row, &s->closed);
    if (err == ERR_NOT_FOUND || (!err && s->later))
        err = figures_take(q->app, &month, &s->now);
    if (err)
        problem_of(q, err, "", "the figures cannot be counted: the store %s", err_text(err));
    return !err;
}

void answer_figures(struct request *q)
{
    struct shown *s = (struct shown *)calloc(1, sizeof *s);

    if (!s) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    s->app = q->app;
    if (shown_load(q, s))
        listing_new(q, columns, fill, s, shown_done, PAGE);
    else
        shown_done(s);
}

/* ---- what a figure is ---- */

void answer_figure(struct request *q)
{
    struct out *o = &q->out;
    const struct figure_row *row;
    char room[SHARE_SIZE];
    bool first = true;
    int f;

    if (!ask_figure(q, "path", q->subject[0], &f) || f < 0)
        return;
    row = figure_row((enum figure)f);
    q->status = 200;
    out_text(o, "{");
    out_member_text(o, "figure", row->name);
    out_member_text(o, "text_en", row->text_en);
    out_member_text(o, "text_zh", row->text_zh);
    out_member_text(o, "numerator_en", row->numerator_en);
    out_member_text(o, "numerator_zh", row->numerator_zh);
    out_member_text(o, "denominator_en", row->denominator_en);
    out_member_text(o, "denominator_zh", row->denominator_zh);
    out_key(o, "excluded");
    out_text(o, "[");
    for (unsigned r = 0; r < FIGURE_REASONS; r++) {
        if (!(row->reasons >> r & 1u))
            continue;
        out_text(o, first ? "{" : ",{");
        first = false;
        out_member_text(o, "without", figure_reason_name(r));
        out_member_text(o, "text_en", figure_reason_en(r));
        out_member_text(o, "text_zh", figure_reason_zh(r));
        out_text(o, "}");
    }
    out_text(o, "]");
    out_member_text(o, "better", row->more_is_better ? "more" : "less");
    out_key(o, "target");
    if (row->target >= 0)
        out_text(o, (const char *)share_text(true, row->target, room).at);
    else
        out_text(o, "null");
    out_member_text(o, "source", row->basis);
    out_text(o, "}");
}

/* ---- what stands behind it ---- */

static const char *const unit_columns[] = { "month",   "figure",  "part",   "without", "date",
                                            "point",   "account", "serial", "route",   "org",
                                            "subject", "as_of",   NULL };

enum unit_part { UNIT_NUMERATOR, UNIT_DENOMINATOR, UNIT_EXCLUDED };

struct behind {
    char month[FIGURE_MONTH_SIZE];
    enum figure figure;
    enum unit_part part;
    unsigned without; /* a set of enum figure_reason */
    int64_t as_of_s;
    struct figure_scope *scope;
    /* of the fill at hand */
    struct listing *l;
    struct txn *txn;
    struct figure_place place;
    uint32_t skip, seen; /* units of the place that were told, and that came by */
};

static void behind_done(void *state)
{
    struct behind *b = (struct behind *)state;

    figure_scope_free(b->scope);
    free(b);
}

static struct span cursor_of(const struct behind *b, uint32_t told, uint8_t room[CURSOR_MAX])
{
    struct wr w = wr_of(room, CURSOR_MAX);

    wr_be32(&w, told);
    figure_place_write(&w, &b->place);
    return wr_span(&w);
}

/* Empty: null. */
static void row_cell(struct listing *l, const char *name, struct span text)
{
    if (text.len)
        row_text(l, name, text);
    else
        row_null(l, name);
}

static void put_unit(struct behind *b, const struct figure_told *told)
{
    const struct figure_case *u = told->unit;
    struct listing *l = b->l;
    char serial[SERIAL_MAX + 1] = "";
    uint8_t room[CURSOR_MAX];
    const char *route = figure_route_name(b->scope, told->route);
    const char *org = figure_route_org(b->scope, told->route);

    if (u->meter && !meter_serial(b->txn, u->meter, serial))
        serial[0] = 0;
    row_begin(l);
    row_word(l, "month", b->month);
    row_word(l, "figure", figure_row(u->figure)->name);
    row_word(l, "stands_in", u->without ? "excluded" : u->counts ? "numerator" : "denominator");
    row_word(l, "without",
             u->without ? figure_reason_name((unsigned)__builtin_ctz(u->without)) : NULL);
    row_day(l, "date", u->day);
    row_cell(l, "point", told->point);
    row_cell(l, "account", told->account);
    row_cell(l, "serial", span_text(serial));
    row_cell(l, "route", span_text(route));
    row_cell(l, "org", span_text(org));
    row_cell(l, "subject", told->what);
    row_time(l, "as_of", b->as_of_s);
    row_end(l, cursor_of(b, b->seen, room));
}

static void take_unit(void *arg, const struct figure_told *told)
{
    struct behind *b = (struct behind *)arg;
    const struct figure_case *u = told->unit;
    bool wanted =
        u->figure == b->figure && (b->part == UNIT_EXCLUDED    ? (u->without & b->without) != 0
                                   : b->part == UNIT_NUMERATOR ? !u->without && u->counts
                                                               : !u->without);

    if (!wanted)
        return;
    if (b->seen < b->skip) {
        b->seen++;
        return;
    }
    if (listing_full(b->l))
        return;
    b->seen++;
    put_unit(b, told);
}

static void one_place(struct behind *b)
{
    uint8_t room[CURSOR_MAX];
    uint32_t before = b->skip;
    enum err err;

    b->seen = 0;
    err = figure_place_units(b->scope, b->txn, &b->place, take_unit, b);
    if (err)
        listing_fail(b->l, err);
    else if (b->seen == before || !b->seen)
        listing_pass(b->l, cursor_of(b, b->seen, room));
}

static void fill_units(struct listing *l)
{
    struct behind *b = (struct behind *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    bool more = true;

    b->l = l;
    b->txn = &t;
    b->skip = l->cursor_len ? rd_be32(&r) : 0;
    b->place = (struct figure_place){ .source = figure_row(b->figure)->source };
    if (l->cursor_len &&
        (figure_place_read(&r, &b->place) || b->place.source != figure_row(b->figure)->source)) {
        listing_fail(l, ERR_INVALID);
        b->skip = 0;
    } else if (l->cursor_len) {
        one_place(b);
    }
    for (unsigned n = 0; n < SLICE && more && !listing_full(l); n++) {
        b->skip = 0;
        if ((more = figure_place_next(b->scope, &t, &b->place)))
            one_place(b);
    }
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

static bool ask_part(struct request *q, struct behind *b)
{
    static const char *const parts[] = { "numerator", "denominator", "excluded" };
    struct span text = ask_text(q, "part"), reason = ask_text(q, "without");
    unsigned place, reasons = figure_row(b->figure)->reasons;

    b->part = UNIT_DENOMINATOR;
    b->without = reasons;
    for (int p = 0; p < 3 && text.len; p++)
        if (span_equal(text, span_text(parts[p]))) {
            b->part = (enum unit_part)p;
            text.len = 0;
        }
    if (text.len) {
        problem_of(q, ERR_INVALID, "part",
                   "part: found %.*s, expected numerator, denominator or excluded",
                   (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
        return false;
    }
    if (!reason.len)
        return true;
    if (figure_reason_read(reason, &place) && reasons >> place & 1u) {
        b->part = UNIT_EXCLUDED;
        b->without = 1u << place;
        return true;
    }
    problem_of(q, ERR_INVALID, "without",
               "without: found %.*s, expected a reason of %s, such as /v1/figures/%s tells",
               (int)(reason.len < 40 ? reason.len : 40), (const char *)reason.at,
               figure_row(b->figure)->name, figure_row(b->figure)->name);
    return false;
}

static bool behind_load(struct request *q, struct behind *b)
{
    char org[FIGURE_NAME], route[FIGURE_NAME];
    struct figure_month month;
    enum err err;
    int f;

    if (!ask_figure(q, "path", q->subject[0], &f) || f < 0)
        return false;
    b->figure = (enum figure)f;
    if (!ask_month(q, &month) || !ask_part(q, b) || !ask_bounds(q, org, route))
        return false;
    figure_month_put(&month, b->month);
    b->as_of_s = clock_now_s(&q->app->clock);
    err = figure_scope_new(q->app, &month, org[0] ? org : q->caller.org, route, &b->scope);
    if (err)
        problem_of(q, err, "", "the list cannot be made: the store %s", err_text(err));
    return !err;
}

void answer_figure_list(struct request *q)
{
    struct behind *b = (struct behind *)calloc(1, sizeof *b);

    if (!b)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    else if (behind_load(q, b))
        listing_new(q, unit_columns, fill_units, b, behind_done, PAGE);
    else
        behind_done(b);
}

/* ---- closed months ---- */

static const char *const month_columns[] = { "month",  "frozen_at", "frozen_by",
                                             "groups", "digest",    NULL };

struct months {
    struct listing *l;
    bool more;
};

static bool take_month(void *arg, const struct ledger_month *m)
{
    struct months *k = (struct months *)arg;
    struct listing *l = k->l;
    char name[FIGURE_MONTH_SIZE], hex[2 * sizeof m->digest + 1];
    struct figure_month month = { .year = (int32_t)(m->month / 100),
                                  .month = (int32_t)(m->month % 100) };
    struct wr w = wr_of(hex, sizeof hex), cw;
    uint8_t cursor[4];

    if (listing_full(l)) {
        k->more = true;
        return false;
    }
    figure_month_put(&month, name);
    hex_write(&w, span_of(m->digest, sizeof m->digest));
    wr_u8(&w, 0);
    cw = wr_of(cursor, sizeof cursor);
    wr_be32(&cw, m->month);
    row_begin(l);
    row_word(l, "month", name);
    row_time(l, "frozen_at", m->closed_s);
    row_word(l, "frozen_by", m->who);
    row_int(l, "groups", (int64_t)m->groups);
    row_word(l, "digest", hex);
    row_end(l, wr_span(&cw));
    return !l->err;
}

static void fill_months(struct listing *l)
{
    struct months k = { .l = l };
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t after = l->cursor_len ? rd_be32(&r) : 0;

    listing_fail(l, r.err ? ERR_INVALID : ledger_months(&t, after, take_month, &k));
    listing_fail(l, txn_end(&t));
    l->ended = !k.more && !l->err;
}

void answer_figure_months(struct request *q)
{
    listing_new(q, month_columns, fill_months, NULL, NULL, PAGE);
}
