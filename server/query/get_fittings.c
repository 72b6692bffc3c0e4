/* Fittings as they follow from lives of meters: all in order of point, serial and from, or those of one point or meter in order
 * of from. */
#include "proto/base/rd.h"
#include "server/lives.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const fitting_columns[] = { "point", "serial",      "from",   "start_index_l",
                                               "to",    "end_index_l", "reason", NULL };

struct wanted {
    int64_t as_of_s, known_at_s;
    bool of_point, of_meter;
    uint32_t point, meter;
};

/* ---- what is shown ---- */

struct shown {
    struct fitting fitting;
    struct span reason; /* lies in a life below */
    char serial[SERIAL_MAX + 1];
};

struct pile {
    const struct wanted *wanted;
    struct shown *at;
    size_t count;
    struct meter_life *lives;
    size_t life_count;
};

static void pile_done(struct pile *p)
{
    for (size_t i = 0; i < p->life_count; i++)
        life_done(&p->lives[i]);
    free(p->lives);
    free(p->at);
}

/* What had happened by the instant that was asked for, and was known by then. */
static void forget_later(const struct wanted *w, struct meter_life *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++)
        if (l->events[i].at_s <= w->as_of_s && l->events[i].recorded_s <= w->known_at_s)
            l->events[kept++] = l->events[i];
    l->count = kept;
}

static enum err add_fittings(struct pile *p, const struct meter_life *l, uint32_t point)
{
    size_t cap = l->count ? l->count : 1, count; /* each begins with an event of its own */
    struct fitting *fittings = (struct fitting *)malloc(cap * sizeof *fittings);
    struct span *reasons = (struct span *)calloc(cap, sizeof *reasons);
    struct shown *more = (struct shown *)realloc(p->at, (p->count + cap) * sizeof *more);
    enum err err = fittings && reasons && more ? ERR_OK : ERR_NO_MEMORY;

    if (more)
        p->at = more;
    count = err ? 0 : life_fittings(l->events, l->count, l->meter, fittings, reasons, cap);
    if (count > cap)
        err = ERR_CORRUPT;
    for (size_t i = 0; i < count && !err; i++) {
        struct shown *s = &p->at[p->count];

        if (point && fittings[i].point != point)
            continue;
        *s = (struct shown){ .fitting = fittings[i], .reason = reasons[i] };
        memcpy(s->serial, l->facts.serial, sizeof s->serial);
        p->count++;
    }
    free(fittings);
    free(reasons);
    return err;
}

/* Those of one meter, at one point or (0) anywhere. */
static enum err add_meter(struct pile *p, struct app *app, struct txn *t, uint32_t meter,
                          uint32_t point)
{
    struct meter_life *more =
        (struct meter_life *)realloc(p->lives, (p->life_count + 1) * sizeof *more);
    enum err err;

    if (!more)
        return ERR_NO_MEMORY;
    p->lives = more;
    err = life_load(app, t, meter, &more[p->life_count]);
    p->life_count++;
    if (err)
        return err;
    forget_later(p->wanted, &more[p->life_count - 1]);
    return add_fittings(p, &more[p->life_count - 1], point);
}

static bool is_in_pile(const struct pile *p, uint32_t meter)
{
    for (size_t i = 0; i < p->life_count; i++)
        if (p->lives[i].meter == meter)
            return true;
    return false;
}

/* A meter that was ever at the point stands in its index, whatever was known of it when. */
static enum err add_point(struct pile *p, struct app *app, struct txn *t, uint32_t point)
{
    struct fittings all;
    enum err err = fittings_load(t, true, point, &all);

    for (size_t i = 0; i < all.count && !err; i++) {
        uint32_t meter = all.at[i].meter;

        if (!is_in_pile(p, meter) && (!p->wanted->of_meter || meter == p->wanted->meter))
            err = add_meter(p, app, t, meter, point);
    }
    fittings_done(&all);
    return err;
}

static int by_from(const void *a, const void *b)
{
    const struct shown *x = (const struct shown *)a, *y = (const struct shown *)b;

    if (x->fitting.from_s != y->fitting.from_s)
        return x->fitting.from_s < y->fitting.from_s ? -1 : 1;
    if (x->fitting.to_s != y->fitting.to_s)
        return x->fitting.to_s < y->fitting.to_s ? -1 : 1;
    return strcmp(x->serial, y->serial);
}

static int by_serial(const void *a, const void *b)
{
    int order = strcmp(((const struct shown *)a)->serial, ((const struct shown *)b)->serial);

    return order ? order : by_from(a, b);
}

static void put_fitting(struct listing *l, struct span point, const struct shown *s,
                        struct span cursor)
{
    const struct fitting *f = &s->fitting;

    row_begin(l);
    row_text(l, "point", point);
    row_text(l, "serial", span_text(s->serial));
    row_time(l, "from", f->from_s);
    row_litres(l, "start_index_l", f->start_ml);
    if (f->to_s == FITTING_OPEN)
        row_null(l, "to");
    else
        row_time(l, "to", f->to_s);
    if (f->has_end)
        row_litres(l, "end_index_l", f->end_ml);
    else
        row_null(l, "end_index_l");
    row_text(l, "reason", s->reason);
    row_end(l, cursor);
}

/* ---- of one point or meter: the cursor is a fitting's number ---- */

static enum err put_numbered(struct listing *l, struct txn *t, const struct pile *p, uint32_t n)
{
    for (; n < p->count && !listing_full(l); n++) {
        uint8_t cursor[4];
        struct wr w = wr_of(cursor, sizeof cursor);
        char point[64];

        if (!point_name(t, p->at[n].fitting.point, point))
            return t->err ? t->err : ERR_MISSING;
        wr_be32(&w, n + 1);
        put_fitting(l, span_text(point), &p->at[n], wr_span(&w));
    }
    l->ended = n >= p->count;
    return ERR_OK;
}

static void fill_one(struct listing *l)
{
    const struct wanted *w = (const struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&r) : 0;
    struct pile p = { .wanted = w };
    enum err err =
        w->of_point ? add_point(&p, l->app, &t, w->point) : add_meter(&p, l->app, &t, w->meter, 0);

    if (!err && p.count)
        qsort(p.at, p.count, sizeof *p.at, by_from);
    if (!err)
        err = put_numbered(l, &t, &p, n);
    pile_done(&p);
    listing_fail(l, err);
    listing_fail(l, txn_end(&t));
}

/* ---- all: the cursor is a number of a fitting, and its point's name; number 0: behind the point ---- */

static struct wr cursor_write(uint8_t room[CURSOR_MAX], uint32_t n, struct span point)
{
    struct wr w = wr_of(room, CURSOR_MAX);

    wr_be32(&w, n);
    wr_bytes(&w, point);
    return w;
}

static enum err put_point(struct listing *l, struct txn *t, uint32_t id, struct span point,
                          uint32_t n)
{
    struct pile p = { .wanted = (const struct wanted *)l->state };
    enum err err = add_point(&p, l->app, t, id);
    uint8_t cursor[CURSOR_MAX];
    struct wr w;

    if (!err && p.count)
        qsort(p.at, p.count, sizeof *p.at, by_serial);
    for (; n < p.count && !err && !listing_full(l); n++) {
        w = cursor_write(cursor, n + 1 < p.count ? n + 1 : 0, point);
        put_fitting(l, point, &p.at[n], wr_span(&w));
    }
    if (!err && !p.count) {
        w = cursor_write(cursor, 0, point);
        listing_pass(l, wr_span(&w));
    }
    pile_done(&p);
    return err;
}

static void fill_all(struct listing *l)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct rd r = rd_of(span_of(after, l->cursor_len));
    struct span point = { 0 };
    struct ledger_walk walk;
    struct ledger_row row;
    uint32_t n = 0;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    if (l->cursor_len) {
        n = rd_be32(&r);
        point = rd_bytes(&r, rd_left(&r));
    }
    if (n && ledger_find(&t, LIST_POINT, point, INT64_MAX, &row))
        listing_fail(l, put_point(l, &t, row.id, point, n));
    walk = ledger_walk(&t, LIST_POINT, point, INT64_MAX);
    while (!t.err && !l->err && !listing_full(l) && (more = ledger_walk_next(&walk, &row)))
        listing_fail(l, put_point(l, &t, row.id, walk.key, 0));
    ledger_walk_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

/* ---- the request ---- */

/* The id of what a parameter names; false: refused. */
static bool ask_id(struct request *q, struct txn *t, enum list_kind kind, const char *name,
                   bool *out_named, uint32_t *out)
{
    struct span key = ask_text(q, name);
    struct ledger_row row;

    *out_named = key.len != 0;
    if (!key.len)
        return true;
    if (ledger_find(t, kind, key, INT64_MAX, &row)) {
        *out = row.id;
        return true;
    }
    problem_of(q, t->err ? t->err : ERR_NOT_FOUND, name, "%s %.*s: nobody registered it", name,
               (int)(key.len < 80 ? key.len : 80), (const char *)key.at);
    return false;
}

static bool ask_wanted(struct request *q, struct txn *t, struct wanted *w)
{
    return ask_time(q, "as_of", INT64_MAX, &w->as_of_s) &&
           ask_time(q, "known_at", INT64_MAX, &w->known_at_s) &&
           ask_id(q, t, LIST_POINT, "point", &w->of_point, &w->point) &&
           ask_id(q, t, LIST_METER, "serial", &w->of_meter, &w->meter);
}

void answer_fittings(struct request *q)
{
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);
    struct txn t;
    bool fine;

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    t = ledger_read(q->app->ledger);
    fine = ask_wanted(q, &t, w);
    txn_abort(&t);
    if (fine)
        listing_new(q, fitting_columns, w->of_point || w->of_meter ? fill_one : fill_all, w, free,
                    PAGE);
    else
        free(w);
}
