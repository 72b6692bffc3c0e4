/* Fittings: all in order of key, or those of one point or meter in order of from; and the life of a
 * meter as it follows from its rows and fittings. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const fitting_columns[] = { "point", "serial",      "from",   "start_index_l",
                                               "to",    "end_index_l", "reason", NULL };

struct wanted {
    int64_t as_of_s;
    bool of_point, of_meter;
    struct fittings fittings; /* of one point or meter */
    uint32_t other;           /* the meter, where both are named */
};

static void put_fitting(struct listing *l, struct span point, struct span serial,
                        const struct fitting *f, struct span reason, struct span cursor)
{
    row_begin(l);
    row_text(l, "point", point);
    row_text(l, "serial", serial);
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
    row_text(l, "reason", reason);
    row_end(l, cursor);
}

/* As it stood at an instant: an end that lies later was not there yet. */
static struct fitting as_of(const struct fitting *f, int64_t at_s)
{
    struct fitting then = *f;

    if (at_s != INT64_MAX && then.to_s > at_s) {
        then.to_s = FITTING_OPEN;
        then.has_end = false;
    }
    return then;
}

static struct span reason_of(struct txn *t, const char *point, const char *serial, int64_t from_s)
{
    uint8_t key[256];
    struct wr w = wr_of(key, sizeof key);
    struct ledger_row row;
    char from[TEXT_TIME_SIZE];

    text_put_time(from, from_s);
    wr_text(&w, point);
    wr_u8(&w, 0);
    wr_text(&w, serial);
    wr_u8(&w, 0);
    wr_text(&w, from);
    wr_u8(&w, 0);
    if (w.err || !ledger_find(t, LIST_FITTING, wr_span(&w), INT64_MAX, &row) || row.count < 7)
        return (struct span){ 0 };
    return row.cells[6];
}

/* One fitting of the few that were loaded; its number is the cursor. */
static void put_loaded(struct listing *l, struct txn *t, uint32_t n, const struct fitting *f)
{
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    char point[64], serial[SERIAL_MAX + 1];
    struct fitting then = as_of(f, ((struct wanted *)l->state)->as_of_s);

    wr_be32(&w, n + 1);
    if (!point_name(t, f->point, point) || !meter_serial(t, f->meter, serial)) {
        listing_fail(l, t->err ? t->err : ERR_MISSING);
        return;
    }
    put_fitting(l, span_text(point), span_text(serial), &then,
                reason_of(t, point, serial, f->from_s), wr_span(&w));
}

static void fill_loaded(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&r) : 0;

    for (; n < w->fittings.count && !listing_full(l) && !t.err; n++) {
        const struct fitting *f = &w->fittings.at[n];

        if (f->from_s <= w->as_of_s && (!w->other || f->meter == w->other))
            put_loaded(l, &t, n, f);
    }
    l->ended = n >= w->fittings.count;
    listing_fail(l, txn_end(&t));
}

/* Rows of the ledger in order of key. */
static void put_kept(struct listing *l, struct txn *t, const struct ledger_row *row,
                     struct span key)
{
    int64_t as_of_s = ((const struct wanted *)l->state)->as_of_s;
    struct fitting f = { .to_s = FITTING_OPEN };
    enum err err = row->count < 4 ? ERR_CORRUPT : ERR_OK; /* empty cells at the end are not kept */

    if (!err &&
        (text_time(row->cells[2], NULL, &f.from_s) || text_litres(row->cells[3], &f.start_ml) ||
         (row->cells[4].len && text_time(row->cells[4], NULL, &f.to_s)) ||
         (row->cells[5].len && text_litres(row->cells[5], &f.end_ml))))
        err = ERR_CORRUPT;
    (void)t;
    listing_fail(l, err);
    if (err)
        return;
    f.has_end = row->cells[5].len != 0;
    if (f.from_s > as_of_s) {
        listing_pass(l, key);
        return;
    }
    f = as_of(&f, as_of_s);
    put_fitting(l, row->cells[0], row->cells[1], &f, row->cells[6], key);
}

static void fill_kept(struct listing *l)
{
    rows_fill(l, LIST_FITTING, INT64_MAX, put_kept);
}

static void wanted_done(void *state)
{
    struct wanted *w = (struct wanted *)state;

    fittings_done(&w->fittings);
    free(w);
}

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
    uint32_t point = 0, meter = 0;
    enum err err = ERR_OK;

    if (!ask_time(q, "as_of", INT64_MAX, &w->as_of_s) ||
        !ask_id(q, t, LIST_POINT, "point", &w->of_point, &point) ||
        !ask_id(q, t, LIST_METER, "serial", &w->of_meter, &meter))
        return false;
    if (w->of_point || w->of_meter)
        err = fittings_load(t, w->of_point, w->of_point ? point : meter, &w->fittings);
    w->other = w->of_point ? meter : 0;
    if (err)
        problem_of(q, err, "", "the fittings cannot be read: one %s", err_text(err));
    return !err;
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
    w->fittings.at = w->fittings.few;
    t = ledger_read(q->app->ledger);
    fine = ask_wanted(q, &t, w);
    txn_abort(&t);
    if (fine)
        listing_new(q, fitting_columns, w->of_point || w->of_meter ? fill_loaded : fill_kept, w,
                    wanted_done, PAGE);
    else
        wanted_done(w);
}
