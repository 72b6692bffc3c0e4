/* Which points of a route's day are read again, and what came of it; which days were signed; since when who reads which route. */
#include "proto/base/hex.h"
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/routes_draw.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define DAY_S 86400
#define ROTATE_AFTER_DAYS 365 /* handbook §8: yearly */

/* ---- samples ---- */

static const char *const sample_columns[] = { "rank",       "seed",    "hash",      "point",
                                              "account",    "address", "serial",    "seq",
                                              "read_l",     "read_at", "recheck_l", "recheck_at",
                                              "recheck_by", "note",    "agrees",    NULL };

struct sampled {
    struct route_sheet sheet;
    struct route_draw draw;
    enum recheck_level level;
};

static void sampled_done(void *state)
{
    struct sampled *s = (struct sampled *)state;

    route_draw_done(&s->draw);
    route_sheet_done(&s->sheet);
    free(s);
}

/* What was read first is told when somebody has read again. */
static void put_recheck(struct listing *l, const struct sheet_row *row,
                        const struct route_recheck *f)
{
    struct sheet_read read;

    (void)sheet_read_of(row, &read);
    if (!f) {
        static const char *const later[] = { "read_l",     "read_at", "recheck_l", "recheck_at",
                                             "recheck_by", "note",    "agrees" };

        for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
            row_null(l, later[i]);
        return;
    }
    row_litres(l, "read_l", read.dial_ml);
    row_time(l, "read_at", read.at_s);
    row_litres(l, "recheck_l", f->index_ml);
    row_time(l, "recheck_at", f->at_s);
    row_text(l, "recheck_by", f->who);
    row_text(l, "note", f->note);
    row_bool(l, "agrees", f->agrees);
}

static void put_drawn(struct listing *l, const struct sampled *s, size_t i,
                      const struct route_recheck *f)
{
    const struct drawn_point *d = &s->draw.drawn[i];
    const struct sheet_row *row = &s->sheet.rows[d->row];
    char hex[2 * sizeof d->rank];
    struct wr w = wr_of(hex, sizeof hex);

    hex_write(&w, span_of(d->rank, sizeof d->rank));
    row_begin(l);
    row_int(l, "rank", (int64_t)i + 1);
    row_word(l, "seed", s->draw.seed);
    row_text(l, "hash", wr_span(&w));
    row_text(l, "point", sheet_span(&s->sheet, row->name));
    row_text(l, "account", sheet_span(&s->sheet, row->account));
    row_text(l, "address", sheet_span(&s->sheet, row->address));
    row_word(l, "serial", row->serial);
    if (row->seq >= 0)
        row_int(l, "seq", row->seq);
    else
        row_null(l, "seq");
    put_recheck(l, row, f);
    row_end(l, span_of(d->rank, sizeof d->rank));
}

static void fill_sample(struct listing *l)
{
    const struct sampled *s = (const struct sampled *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct route_place at = { .route = s->sheet.day.route, .day = s->sheet.day.day };
    size_t i = 0;

    while (i < s->draw.count && l->cursor_len == sizeof s->draw.drawn->rank &&
           memcmp(s->draw.drawn[i].rank, l->cursor, sizeof s->draw.drawn->rank) <= 0)
        i++;
    for (; i < s->draw.count && !listing_full(l); i++) {
        struct route_recheck f;
        struct span bytes;
        bool known;

        at.point = s->sheet.rows[s->draw.drawn[i].row].point;
        known = ledger_route_fact(&t, route_recheck_kind(s->level), &at, &bytes);
        if (known)
            listing_fail(l, route_recheck_read(bytes, &f));
        put_drawn(l, s, i, known && !l->err ? &f : NULL);
    }
    listing_fail(l, txn_end(&t));
    l->ended = i == s->draw.count && !l->err;
}

static bool ask_level(struct request *q, enum recheck_level *out)
{
    struct span text = ask_text(q, "level");

    for (int l = 0; l < RECHECK_LEVELS; l++) {
        if (text.len && !span_equal(text, span_text(recheck_level_name((enum recheck_level)l))))
            continue;
        *out = (enum recheck_level)l;
        return true;
    }
    problem_of(q, ERR_INVALID, "level", "level: found %.*s, expected team, branch or company",
               (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

void answer_route_sample(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct sampled *s = (struct sampled *)calloc(1, sizeof *s);
    int64_t now_s = clock_now_s(&q->app->clock);
    struct ledger_row route;
    struct route_day day;
    bool fine = false;
    enum err err = s ? ERR_OK : ERR_NO_MEMORY;

    if (s && route_day_asked(q, &t, now_s, &route, &day) && ask_level(q, &s->level)) {
        if (!(err = route_sheet_load(q->app, &t, q->subject[0], &day, now_s, &s->sheet)))
            err = route_draw(&s->sheet, q->subject[0], s->level, &s->draw);
        fine = !err;
    }
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the sample cannot be drawn: the store %s", err_text(err));
    if (fine)
        listing_new(q, sample_columns, fill_sample, s, sampled_done, PAGE);
    else if (s)
        sampled_done(s);
}

/* ---- signed days ---- */

static const char *const signed_columns[] = { "date", "signed_by", "signed_at", "note",   "points",
                                              "ok",   "missing",   "odd",       "digest", NULL };

struct signed_days {
    uint32_t route;
    int32_t from, to; /* both inside */
};

struct fill_signed {
    struct listing *l;
    const struct signed_days *asked;
    int32_t after;
    bool more;
};

static void put_signed(struct listing *l, int32_t day, const struct route_signed *s)
{
    char date[11], hex[2 * sizeof s->digest];
    uint8_t cursor[4];
    struct wr w = wr_of(hex, sizeof hex), c = wr_of(cursor, sizeof cursor);

    wr_be32(&c, (uint32_t)day);
    hex_write(&w, span_of(s->digest, sizeof s->digest));
    text_put_date(date, day);
    row_begin(l);
    row_word(l, "date", date);
    row_text(l, "signed_by", s->who);
    row_time(l, "signed_at", s->at_s);
    row_text(l, "note", s->note);
    row_int(l, "points", (int64_t)s->points);
    for (int n = 0; n < SHEET_DISPUTED; n++)
        row_int(l, sheet_state_name((enum sheet_state)n), (int64_t)s->by_state[n]);
    row_text(l, "digest", wr_span(&w));
    row_end(l, wr_span(&c));
}

static bool take_signed(void *arg, const struct route_place *at, struct span bytes)
{
    struct fill_signed *f = (struct fill_signed *)arg;
    struct route_signed s;

    if (at->day <= f->after || at->day < f->asked->from)
        return true;
    if (at->day > f->asked->to)
        return false;
    if (listing_full(f->l)) {
        f->more = true;
        return false;
    }
    listing_fail(f->l, route_signed_read(bytes, &s));
    if (!f->l->err)
        put_signed(f->l, at->day, &s);
    return !f->l->err;
}

static void fill_signed(struct listing *l)
{
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    struct fill_signed f = { .l = l, .asked = (const struct signed_days *)l->state };
    struct txn t = ledger_read(l->app->ledger);

    f.after = l->cursor_len == 4 ? (int32_t)rd_be32(&r) : -1;
    listing_fail(l, ledger_route_facts(&t, ROUTE_SIGNED, f.asked->route, -1, take_signed, &f));
    listing_fail(l, txn_end(&t));
    l->ended = !f.more && !l->err;
}

void answer_route_signed(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct signed_days *s = (struct signed_days *)calloc(1, sizeof *s);
    struct ledger_row route;
    bool fine = false;

    if (!s) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    } else if (row_named(q, &t, list_of(LIST_ROUTE), INT64_MAX, &route)) {
        *s = (struct signed_days){ route.id, 0, INT32_MAX };
        fine = ask_days(q, false, &s->from, &s->to);
    }
    txn_abort(&t);
    if (fine)
        listing_new(q, signed_columns, fill_signed, s, free, PAGE);
    else
        free(s);
}

/* ---- rotation ---- */

static const char *const rotation_columns[] = { "route", "org",     "reader",   "since",
                                                "days",  "overdue", "proposal", NULL };

struct turn {
    char route[64], org[64];
    char *reader, *proposal; /* malloc'd; the proposal is another's reader */
    int64_t since_s;         /* INT64_MIN: not known */
};

struct rotation {
    size_t count, cap;
    struct turn *at;
    int64_t now_s;
};

static void rotation_done(void *state)
{
    struct rotation *r = (struct rotation *)state;

    for (size_t i = 0; i < r->count; i++)
        free(r->at[i].reader);
    free(r->at);
    free(r);
}

struct first_signed {
    const char *reader;
    int64_t at_s;
};

static bool look_signed(void *arg, const struct route_place *at, struct span bytes)
{
    struct first_signed *f = (struct first_signed *)arg;
    struct route_signed s;

    (void)at;
    if (route_signed_read(bytes, &s) || !span_equal(s.who, span_text(f->reader)))
        return true;
    f->at_s = s.at_s;
    return false;
}

/* Since the first version in a row that names the reader; where that is how the route was registered, since the first day that he signed. */
static enum err look_since(struct txn *t, const struct ledger_row *newest, struct turn *turn)
{
    struct ledger_row row = *newest;
    struct first_signed f = { turn->reader, INT64_MIN };
    uint32_t id = newest->id;
    int64_t since_s = row.since_s;

    while (since_s != LEDGER_ALWAYS && ledger_by_id(t, LIST_ROUTE, id, since_s - 1, &row) &&
           span_equal(ledger_cell(&row, CELL_ROUTE_reader), span_text(turn->reader)))
        since_s = row.since_s;
    turn->since_s = since_s;
    if (since_s != LEDGER_ALWAYS)
        return t->err;
    turn->since_s = INT64_MIN;
    if (ledger_route_facts(t, ROUTE_SIGNED, id, -1, look_signed, &f))
        return t->err;
    turn->since_s = f.at_s;
    return ERR_OK;
}

static enum err take_turn(struct txn *t, const struct ledger_row *row, struct rotation *r)
{
    struct span reader = ledger_cell(row, CELL_ROUTE_reader),
                route = ledger_cell(row, CELL_ROUTE_route);
    struct span org = ledger_cell(row, CELL_ROUTE_org);
    struct turn *turn;

    if (!reader.len)
        return ERR_OK;
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 256;
        struct turn *more = (struct turn *)realloc(r->at, cap * sizeof *more);

        if (!more)
            return ERR_NO_MEMORY;
        r->at = more;
        r->cap = cap;
    }
    turn = &r->at[r->count];
    *turn = (struct turn){ .reader = text_copy(reader) };
    if (!turn->reader)
        return ERR_NO_MEMORY;
    snprintf(turn->route, sizeof turn->route, "%.*s", (int)route.len, (const char *)route.at);
    snprintf(turn->org, sizeof turn->org, "%.*s", (int)org.len,
             org.len ? (const char *)org.at : "");
    r->count++;
    return look_since(t, row, turn);
}

static enum err load_turns(struct txn *t, struct rotation *r)
{
    struct ledger_walk w = ledger_walk(t, LIST_ROUTE, span_of(NULL, 0), INT64_MAX);
    struct ledger_row row;
    enum err err = ERR_OK;

    while (!err && ledger_walk_next(&w, &row))
        err = take_turn(t, &row, r);
    ledger_walk_done(&w);
    return err ? err : t->err;
}

/* Each route goes to the reader of the next one of its unit, in order of name, that somebody else reads: a circle, so that nobody is left without. */
static void propose(struct rotation *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct turn *turn = &r->at[i];

        for (size_t step = 1; step < r->count && !turn->proposal; step++) {
            const struct turn *other = &r->at[(i + step) % r->count];

            if (strcmp(other->org, turn->org) == 0 && strcmp(other->reader, turn->reader) != 0)
                turn->proposal = other->reader;
        }
    }
}

static void put_turn(struct listing *l, const struct rotation *r, const struct turn *turn)
{
    bool known = turn->since_s != INT64_MIN;
    int64_t days = known ? (r->now_s - turn->since_s) / DAY_S : 0;
    bool overdue = known && days >= ROTATE_AFTER_DAYS;

    row_begin(l);
    row_word(l, "route", turn->route);
    row_word(l, "org", turn->org[0] ? turn->org : NULL);
    row_word(l, "reader", turn->reader);
    if (known) {
        row_time(l, "since", turn->since_s);
        row_int(l, "days", days);
        row_bool(l, "overdue", overdue);
    } else {
        row_null(l, "since");
        row_null(l, "days");
        row_null(l, "overdue");
    }
    row_word(l, "proposal", overdue ? turn->proposal : NULL);
    row_end(l, span_text(turn->route));
}

static void fill_rotation(struct listing *l)
{
    const struct rotation *r = (const struct rotation *)l->state;
    char after[CURSOR_MAX + 1];
    size_t i = 0;

    memcpy(after, l->cursor, l->cursor_len);
    after[l->cursor_len] = 0;
    while (i < r->count && strcmp(r->at[i].route, after) <= 0)
        i++;
    for (; i < r->count && !listing_full(l); i++)
        put_turn(l, r, &r->at[i]);
    l->ended = i == r->count && !l->err;
}

void answer_rotation(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct rotation *r = (struct rotation *)calloc(1, sizeof *r);
    enum err err = r ? load_turns(&t, r) : ERR_NO_MEMORY;

    txn_abort(&t);
    if (err) {
        problem_of(q, err, "", "the routes cannot be read: the store %s", err_text(err));
        if (r)
            rotation_done(r);
        return;
    }
    r->now_s = clock_now_s(&q->app->clock);
    propose(r);
    listing_new(q, rotation_columns, fill_rotation, r, rotation_done, PAGE);
}
