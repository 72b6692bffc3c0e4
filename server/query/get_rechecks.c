/* What came of re-reads (准确率, handbook §8): each of them, and how many agreed by reader, route or level.
 *
 * Whose read was read again: who signed the route's day, else who was its reader when the day began. */
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/routes.h"
#include "server/scope.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define RECHECKS_MOST 1000000 /* of one answer: a city's in a year */

/* ---- all of a span ---- */

struct spot {
    int32_t day;
    uint32_t route, point;
    uint8_t level;
};

struct found {
    struct spot *at;
    size_t count, cap;
    int32_t from, to; /* both inside */
    uint32_t route;   /* 0: any */
    int level;        /* -1: any */
    uint8_t taking;   /* the level at hand */
    enum err err;
};

static bool take(void *arg, const struct route_place *at, struct span bytes)
{
    struct found *f = (struct found *)arg;

    (void)bytes;
    if (at->day < f->from || at->day > f->to || (f->route && at->route != f->route))
        return true;
    if (f->count == RECHECKS_MOST) {
        f->err = ERR_LIMIT;
        return false;
    }
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 256;
        struct spot *more = (struct spot *)realloc(f->at, cap * sizeof *more);

        if (!more) {
            f->err = ERR_NO_MEMORY;
            return false;
        }
        f->at = more;
        f->cap = cap;
    }
    f->at[f->count++] = (struct spot){ at->day, at->route, at->point, f->taking };
    return true;
}

static int spot_order(const void *a, const void *b)
{
    const struct spot *x = (const struct spot *)a, *y = (const struct spot *)b;

    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->route != y->route)
        return x->route < y->route ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    return (x->point > y->point) - (x->point < y->point);
}

static enum err find(struct txn *t, struct found *f)
{
    enum err err = ERR_OK;

    for (int l = 0; l < RECHECK_LEVELS && !err; l++) {
        enum route_fact kind = route_recheck_kind((enum recheck_level)l);

        f->taking = (uint8_t)l;
        if (f->level >= 0 && f->level != l)
            continue;
        err = f->route ? ledger_route_facts(t, kind, f->route, -1, take, f)
                       : ledger_route_facts_all(t, kind, take, f);
        if (!err)
            err = f->err;
    }
    if (!err && f->count)
        qsort(f->at, f->count, sizeof *f->at, spot_order);
    return err;
}

static bool load(struct txn *t, const struct spot *p, struct route_recheck *out)
{
    struct route_place at = { p->route, p->point, p->day };
    struct span bytes;

    if (!ledger_route_fact(t, route_recheck_kind((enum recheck_level)p->level), &at, &bytes))
        return false;
    if (route_recheck_read(bytes, out)) {
        t->err = ERR_CORRUPT;
        return false;
    }
    return true;
}

/* The route's name (as now) and whose read it was; views into `t`. */
struct whose {
    struct span route, reader;
};

static bool whose_of(struct app *app, struct txn *t, const struct spot *p, struct whose *out)
{
    struct route_place at = { .route = p->route, .day = p->day };
    struct route_signed s;
    struct ledger_row now, then;
    struct span bytes;
    struct route_day day;

    if (!ledger_by_id(t, LIST_ROUTE, p->route, INT64_MAX, &now)) {
        t->err = t->err ? t->err : ERR_CORRUPT;
        return false;
    }
    out->route = ledger_cell(&now, CELL_ROUTE_route);
    out->reader = (struct span){ 0 };
    if (ledger_route_fact(t, ROUTE_SIGNED, &at, &bytes)) {
        if (route_signed_read(bytes, &s))
            t->err = ERR_CORRUPT;
        else
            out->reader = s.who;
        return !t->err;
    }
    day = route_day_of(app, &now, p->day);
    if (ledger_by_id(t, LIST_ROUTE, p->route, day.span.cut_s, &then))
        out->reader = ledger_cell(&then, CELL_ROUTE_reader);
    return !t->err;
}

/* ---- asking ---- */

static bool ask_level(struct request *q, int *out)
{
    struct span text = ask_text(q, "level");

    *out = -1;
    for (int l = 0; l < RECHECK_LEVELS && text.len; l++)
        if (span_equal(text, span_text(recheck_level_name((enum recheck_level)l))))
            *out = l;
    if (!text.len || *out >= 0)
        return true;
    problem_of(q, ERR_INVALID, "level", "level: found %.*s, expected team, branch or company",
               (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

/* The filters, and what they find. False: refused. */
static bool ask_found(struct request *q, struct txn *t, struct found *f)
{
    struct span route = ask_text(q, "route");
    struct ledger_row row;
    enum err err;

    f->to = INT32_MAX;
    if (!named_is_known(q, t, LIST_ROUTE, "route") || !ask_level(q, &f->level) ||
        !ask_days(q, false, &f->from, &f->to))
        return false;
    if (route.len && ledger_find(t, LIST_ROUTE, route, INT64_MAX, &row))
        f->route = row.id;
    if (!(err = find(t, f)))
        return true;
    if (err == ERR_LIMIT)
        problem_of(q, err, "from", "from: there are more than %d re-reads; ask for fewer days",
                   RECHECKS_MOST);
    else
        problem_of(q, err, "", "the re-reads cannot be read: the store %s", err_text(err));
    return false;
}

/* ---- one by one ---- */

static const char *const recheck_columns[] = { "route",      "date",       "level",   "point",
                                               "reader",     "read_l",     "read_at", "recheck_l",
                                               "recheck_at", "recheck_by", "note",    "agrees",
                                               NULL };

static void found_done(void *state)
{
    struct found *f = (struct found *)state;

    free(f->at);
    free(f);
}

/* What the day was signed with; of a day that nobody signed the sheet has it. */
static void put_signed_read(struct listing *l, struct txn *t, const struct spot *p)
{
    struct route_place at = { p->route, p->point, p->day };
    const struct sheet_read *read = NULL;
    struct route_line line;
    struct span bytes;

    if (ledger_route_fact(t, ROUTE_LINE, &at, &bytes)) {
        if (route_line_read(bytes, &line))
            listing_fail(l, ERR_CORRUPT);
        else
            read = line.manual.known ? &line.manual : line.remote.known ? &line.remote : NULL;
    }
    if (read) {
        row_litres(l, "read_l", read->dial_ml);
        row_time(l, "read_at", read->at_s);
    } else {
        row_null(l, "read_l");
        row_null(l, "read_at");
    }
}

static void put_recheck(struct listing *l, struct txn *t, const struct spot *p,
                        const struct route_recheck *r, struct span cursor)
{
    struct ledger_row point;
    struct whose w;
    char date[11];

    if (!whose_of(l->app, t, p, &w) || !ledger_by_id(t, LIST_POINT, p->point, INT64_MAX, &point)) {
        listing_fail(l, t->err ? t->err : ERR_CORRUPT);
        return;
    }
    text_put_date(date, p->day);
    row_begin(l);
    row_text(l, "route", w.route);
    row_word(l, "date", date);
    row_word(l, "level", recheck_level_name((enum recheck_level)p->level));
    row_text(l, "point", ledger_cell(&point, CELL_POINT_point));
    row_text(l, "reader", w.reader);
    put_signed_read(l, t, p);
    row_litres(l, "recheck_l", r->index_ml);
    row_time(l, "recheck_at", r->at_s);
    row_text(l, "recheck_by", r->who);
    row_text(l, "note", r->note);
    row_bool(l, "agrees", r->agrees);
    row_end(l, cursor);
}

#define CURSOR_BYTES 13
static struct span cursor_of(const struct spot *p, uint8_t room[CURSOR_BYTES])
{
    struct wr w = wr_of(room, CURSOR_BYTES);

    wr_be32(&w, (uint32_t)p->day);
    wr_be32(&w, p->route);
    wr_u8(&w, p->level);
    wr_be32(&w, p->point);
    return wr_span(&w);
}

static void fill_rechecks(struct listing *l)
{
    const struct found *f = (const struct found *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint8_t room[CURSOR_BYTES];
    size_t i = 0;

    while (i < f->count && l->cursor_len == CURSOR_BYTES &&
           memcmp(cursor_of(&f->at[i], room).at, l->cursor, CURSOR_BYTES) <= 0)
        i++;
    for (; i < f->count && !listing_full(l) && !l->err && !t.err; i++) {
        struct route_recheck r;

        if (load(&t, &f->at[i], &r))
            put_recheck(l, &t, &f->at[i], &r, cursor_of(&f->at[i], room));
    }
    listing_fail(l, txn_end(&t));
    l->ended = i == f->count && !l->err;
}

void answer_rechecks(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct found *f = (struct found *)calloc(1, sizeof *f);
    bool fine = f && ask_found(q, &t, f);

    txn_abort(&t);
    if (!f)
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    if (fine)
        listing_new(q, recheck_columns, fill_rechecks, f, found_done, PAGE);
    else if (f)
        found_done(f);
}

/* ---- how many agreed ---- */

static const char *const accuracy_columns[] = { "by",        "name",         "reread", "agreeing",
                                                "deviating", "accuracy_pct", NULL };

enum counted_by { BY_READER, BY_ROUTE, BY_LEVEL, BYS };
static const char *const bys[BYS] = { "reader", "route", "level" };

struct group {
    char *name; /* malloc'd */
    uint64_t reread, agreeing;
};

struct accuracy {
    enum counted_by by;
    size_t count, cap;
    struct group *at; /* by name */
};

static void accuracy_done(void *state)
{
    struct accuracy *a = (struct accuracy *)state;

    for (size_t i = 0; i < a->count; i++)
        free(a->at[i].name);
    free(a->at);
    free(a);
}

static int name_order(struct span a, const char *b)
{
    size_t len = strlen(b), least = a.len < len ? a.len : len;
    int order = least ? memcmp(a.at, b, least) : 0;

    return order ? order : (a.len > len) - (a.len < len);
}

/* The group of a name; NULL: no memory. */
static struct group *group_of(struct accuracy *a, struct span name)
{
    size_t low = 0, high = a->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = name_order(name, a->at[mid].name);

        if (order == 0)
            return &a->at[mid];
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (a->count == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct group *more = (struct group *)realloc(a->at, cap * sizeof *more);

        if (!more)
            return NULL;
        a->at = more;
        a->cap = cap;
    }
    memmove(&a->at[low + 1], &a->at[low], (a->count - low) * sizeof *a->at);
    a->at[low] = (struct group){ .name = text_copy(name) };
    if (!a->at[low].name) {
        memmove(&a->at[low], &a->at[low + 1], (a->count - low) * sizeof *a->at);
        return NULL;
    }
    a->count++;
    return &a->at[low];
}

static enum err count_one(struct app *app, struct txn *t, struct scope *scope, struct accuracy *a,
                          const struct spot *p)
{
    struct route_recheck r;
    struct group *g;
    struct whose w;

    if (!whose_of(app, t, p, &w) ||
        (scope->org[0] && !scope_named(scope, t, LIST_ROUTE, w.route)) || !load(t, p, &r))
        return t->err;
    g = group_of(a, a->by == BY_READER  ? w.reader
                    : a->by == BY_ROUTE ? w.route
                                        : span_text(recheck_level_name(r.level)));
    if (!g)
        return ERR_NO_MEMORY;
    g->reread++;
    g->agreeing += r.agrees;
    return ERR_OK;
}

static void put_group(struct listing *l, const struct accuracy *a, const struct group *g)
{
    uint64_t hundredths = (g->agreeing * 20000 + g->reread) / (2 * g->reread);
    char pct[32];

    snprintf(pct, sizeof pct, "%llu.%02u", (unsigned long long)(hundredths / 100),
             (unsigned)(hundredths % 100));
    row_begin(l);
    row_word(l, "by", bys[a->by]);
    row_word(l, "name", g->name[0] ? g->name : NULL);
    row_int(l, "reread", (int64_t)g->reread);
    row_int(l, "agreeing", (int64_t)g->agreeing);
    row_int(l, "deviating", (int64_t)(g->reread - g->agreeing));
    row_number(l, "accuracy_pct", span_text(pct));
    row_end(l, span_text(g->name));
}

static void fill_accuracy(struct listing *l)
{
    const struct accuracy *a = (const struct accuracy *)l->state;
    struct span after = span_of(l->cursor, l->cursor_len);
    uint8_t kept[CURSOR_MAX];
    size_t i = 0;

    memcpy(kept, l->cursor, l->cursor_len);
    after.at = kept;
    while (i < a->count && l->cursor_len && name_order(after, a->at[i].name) >= 0)
        i++;
    for (; i < a->count && !listing_full(l); i++)
        put_group(l, a, &a->at[i]);
    l->ended = i == a->count && !l->err;
}

static bool ask_by(struct request *q, enum counted_by *out)
{
    struct span text = ask_text(q, "by");

    *out = BY_READER;
    for (int b = 0; b < BYS; b++) {
        if (text.len && !span_equal(text, span_text(bys[b])))
            continue;
        *out = (enum counted_by)b;
        return true;
    }
    problem_of(q, ERR_INVALID, "by", "by: found %.*s, expected reader, route or level",
               (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    return false;
}

void answer_accuracy(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct accuracy *a = (struct accuracy *)calloc(1, sizeof *a);
    struct scope scope = scope_of(q->caller.org);
    struct found f = { 0 };
    enum err err = a ? ERR_OK : ERR_NO_MEMORY;
    bool fine = a && ask_by(q, &a->by) && ask_found(q, &t, &f);

    for (size_t i = 0; i < f.count && fine && !err; i++)
        err = count_one(q->app, &t, &scope, a, &f.at[i]);
    free(f.at);
    txn_abort(&t);
    if (err)
        problem_of(q, err, "", "the re-reads cannot be counted: the store %s", err_text(err));
    if (fine && !err)
        listing_new(q, accuracy_columns, fill_accuracy, a, accuracy_done, PAGE);
    else if (a)
        accuracy_done(a);
}
