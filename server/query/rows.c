#include "server/query/rows.h"

#include <stdio.h>

struct fitted fitted_at(const struct fitting *fittings, size_t count, int64_t at_s)
{
    struct fitted f = { 0 };

    for (size_t i = 0; i < count && fittings[i].from_s <= at_s; i++) {
        f.known = true;
        f.fitting = fittings[i];
        f.open = at_s < fittings[i].to_s;
    }
    return f;
}

enum err state_at(struct txn *t, const struct ledger_row *meter, int64_t at_s, char out[32],
                  uint32_t *out_point)
{
    int column = list_column(list_of(LIST_METER), span_text("state"));
    struct span imported =
        column >= 0 && (unsigned)column < meter->count ? meter->cells[column] : (struct span){ 0 };
    struct fittings fittings;
    const char *state;
    enum err err = fittings_load(t, false, meter->id, &fittings);

    if (err)
        return err;
    state = meter_state(imported, fittings.at, fittings.count, at_s, out_point);
    snprintf(out, 32, "%s", state ? state : "");
    fittings_done(&fittings);
    return ERR_OK;
}

bool point_name(struct txn *t, uint32_t point, char out[64])
{
    struct ledger_row row;

    if (!ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row) || !row.count)
        return false;
    snprintf(out, 64, "%.*s", (int)(row.cells[0].len < 63 ? row.cells[0].len : 63),
             (const char *)row.cells[0].at);
    return true;
}

bool meter_serial(struct txn *t, uint32_t meter, char out[SERIAL_MAX + 1])
{
    struct ledger_row row;

    if (!ledger_by_id(t, LIST_METER, meter, INT64_MAX, &row) || !row.count)
        return false;
    snprintf(out, SERIAL_MAX + 1, "%.*s",
             (int)(row.cells[0].len < SERIAL_MAX ? row.cells[0].len : SERIAL_MAX),
             (const char *)row.cells[0].at);
    return true;
}

static bool is_number(enum column_type type)
{
    return type == COLUMN_INT || type == COLUMN_DECIMAL || type == COLUMN_LITRES;
}

static void put_cells(struct listing *l, const struct list *list, const struct ledger_row *row)
{
    for (unsigned i = 0; i < list->columns; i++) {
        const struct column *c = &list->column[i];
        struct span cell = i < row->count ? row->cells[i] : (struct span){ 0 };

        if (c->type == COLUMN_STATE)
            continue; /* what holds now stands at the row's end */
        if (is_number(c->type))
            row_number(l, c->name, cell);
        else
            row_text(l, c->name, cell);
    }
}

static void put_meter_place(struct listing *l, struct txn *t, const struct ledger_row *row,
                            int64_t at_s)
{
    char state[32], point[64];
    uint32_t at = 0;
    enum err err = state_at(t, row, at_s, state, &at);

    if (err) {
        listing_fail(l, err);
        return;
    }
    row_word(l, "state", state[0] ? state : NULL);
    row_word(l, "point", at && point_name(t, at, point) ? point : NULL);
}

static void put_point_meter(struct listing *l, struct txn *t, const struct ledger_row *row,
                            int64_t at_s)
{
    char serial[SERIAL_MAX + 1];
    struct fittings fittings;
    struct fitted f;
    enum err err = fittings_load(t, true, row->id, &fittings);

    if (err) {
        listing_fail(l, err);
        return;
    }
    f = fitted_at(fittings.at, fittings.count, at_s);
    fittings_done(&fittings);
    row_word(l, "serial", f.open && meter_serial(t, f.fitting.meter, serial) ? serial : NULL);
}

void row_of_register(struct listing *l, struct txn *t, const struct list *list,
                     const struct ledger_row *row, int64_t at_s, struct span cursor)
{
    row_begin(l);
    put_cells(l, list, row);
    if (list->kind == LIST_METER)
        put_meter_place(l, t, row, at_s);
    else if (list->kind == LIST_POINT)
        put_point_meter(l, t, row, at_s);
    row_end(l, cursor);
}

void rows_fill(struct listing *l, enum list_kind kind, int64_t as_of_s, rows_put *put)
{
    struct txn t = ledger_read(l->app->ledger);
    uint8_t after[CURSOR_MAX];
    struct ledger_walk walk;
    struct ledger_row row;
    bool more = true;

    memcpy(after, l->cursor, l->cursor_len);
    walk = ledger_walk(&t, kind, span_of(after, l->cursor_len), as_of_s);
    while (!t.err && (more = ledger_walk_next(&walk, &row)) && !listing_full(l))
        put(l, &t, &row, walk.key);
    ledger_walk_done(&walk);
    listing_fail(l, txn_end(&t));
    l->ended = !more && !l->err;
}

void row_alone_begin(struct listing *l, struct request *q)
{
    *l = (struct listing){ .q = q, .app = q->app, .form = FORM_JSON, .limit = 1 };
}

void row_alone_end(struct listing *l)
{
    struct request *q = l->q;

    if (l->out.err || l->err) {
        problem_of(q, l->err ? l->err : l->out.err, "", "the row cannot be shown: it %s",
                   err_text(l->err ? l->err : l->out.err));
    } else {
        out_text(&l->out, "\n");
        out_done(&q->out);
        q->out = l->out;
        l->out = (struct out){ 0 };
        q->status = 200;
    }
    out_done(&l->out);
    out_done(&l->raw);
}

bool row_named(struct request *q, struct txn *t, const struct list *list, int64_t as_of_s,
               struct ledger_row *out)
{
    struct span key = q->subject[0];

    if (ledger_find(t, list->kind, key, as_of_s, out))
        return true;
    if (t->err)
        problem_of(q, t->err, "", "the register cannot be read: it %s", err_text(t->err));
    else
        problem_of(q, ERR_NOT_FOUND, list->column[0].name, "%s %.*s: nobody registered it%s",
                   list->column[0].name, (int)(key.len < 80 ? key.len : 80), (const char *)key.at,
                   as_of_s == INT64_MAX ? "" : " by then");
    return false;
}

bool named_is_known(struct request *q, struct txn *t, enum list_kind kind, const char *name)
{
    struct span key = ask_text(q, name);
    struct ledger_row row;

    if (!key.len || ledger_find(t, kind, key, INT64_MAX, &row))
        return true;
    problem_of(q, t->err ? t->err : ERR_NOT_FOUND, name, "%s %.*s: nobody registered it", name,
               (int)(key.len < 80 ? key.len : 80), (const char *)key.at);
    return false;
}
