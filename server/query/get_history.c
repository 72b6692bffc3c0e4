/* The life of a meter: how its row came and changed, and where it was fitted, by time. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE 1000
#define VERSIONS_MAX 4096 /* of one meter's row: more than anybody types */

static const char *const columns[] = { "event",       "at",     "state", "document",
                                       "note",        "point",  "crew",  "index_l",
                                       "certificate", "reason", NULL };

enum event {
    HAPPENED_REMOVE,
    HAPPENED_REGISTER,
    HAPPENED_CHANGE,
    HAPPENED_INSTALL
}; /* of one instant in this order */

static const char *const event_names[] = { "remove", "register", "change", "install" };

struct happening {
    enum event event;
    int64_t at_s;
    bool has_index;
    int64_t index_ml;
    uint32_t point;
    char state[32];
};

struct life {
    size_t count, cap;
    struct happening *at;
};

static void life_done(void *state)
{
    struct life *life = (struct life *)state;

    free(life->at);
    free(life);
}

static enum err add(struct life *life, struct happening h)
{
    if (life->count == life->cap) {
        size_t cap = life->cap ? 2 * life->cap : 16;
        struct happening *grown = (struct happening *)realloc(life->at, cap * sizeof *grown);

        if (!grown)
            return ERR_NO_MEMORY;
        life->at = grown;
        life->cap = cap;
    }
    life->at[life->count++] = h;
    return ERR_OK;
}

static enum err add_fittings(struct txn *t, uint32_t meter, struct life *life)
{
    struct fittings fittings;
    enum err err = fittings_load(t, false, meter, &fittings);

    for (size_t i = 0; i < fittings.count && !err; i++) {
        const struct fitting *f = &fittings.at[i];

        err = add(life, (struct happening){ .event = HAPPENED_INSTALL,
                                            .at_s = f->from_s,
                                            .has_index = true,
                                            .index_ml = f->start_ml,
                                            .point = f->point,
                                            .state = "running" });
        if (!err && f->to_s != FITTING_OPEN)
            err = add(life, (struct happening){ .event = HAPPENED_REMOVE,
                                                .at_s = f->to_s,
                                                .has_index = f->has_end,
                                                .index_ml = f->end_ml,
                                                .state = "removed" });
    }
    fittings_done(&fittings);
    return err;
}

/* The versions of the meter's row, newest first as the ledger finds them. */
static enum err add_versions(struct txn *t, uint32_t meter, struct life *life)
{
    int state = list_column(list_of(LIST_METER), span_text("state"));
    int64_t as_of_s = INT64_MAX;
    struct ledger_row row;
    enum err err = ERR_OK;

    for (unsigned n = 0; n < VERSIONS_MAX && !err; n++) {
        struct happening h = { .event = HAPPENED_REGISTER };

        if (!ledger_by_id(t, LIST_METER, meter, as_of_s, &row))
            break;
        if (n)
            life->at[life->count - 1].event = HAPPENED_CHANGE;
        h.at_s = row.since_s;
        if (state >= 0 && (unsigned)state < row.count)
            snprintf(h.state, sizeof h.state, "%.*s",
                     (int)(row.cells[state].len < 31 ? row.cells[state].len : 31),
                     (const char *)row.cells[state].at);
        err = add(life, h);
        if (row.since_s == INT64_MIN)
            break;
        as_of_s = row.since_s - 1;
    }
    return err ? err : t->err;
}

static int by_time(const void *a, const void *b)
{
    const struct happening *x = (const struct happening *)a, *y = (const struct happening *)b;

    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return (int)x->event - (int)y->event;
}

static void put(struct listing *l, struct txn *t, uint32_t n, const struct happening *h)
{
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    char point[64];

    wr_be32(&w, n + 1);
    row_begin(l);
    row_word(l, "event", event_names[h->event]);
    if (h->at_s == INT64_MIN)
        row_null(l, "at"); /* registered, and so it was from the beginning */
    else
        row_time(l, "at", h->at_s);
    row_word(l, "state", h->state[0] ? h->state : NULL);
    row_absent(l, "document");
    row_absent(l, "note");
    row_word(l, "point", h->point && point_name(t, h->point, point) ? point : NULL);
    row_absent(l, "crew");
    if (h->has_index)
        row_litres(l, "index_l", h->index_ml);
    else
        row_absent(l, "index_l");
    row_absent(l, "certificate");
    row_absent(l, "reason");
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    struct life *life = (struct life *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd r = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&r) : 0;

    for (; n < life->count && !listing_full(l); n++)
        put(l, &t, n, &life->at[n]);
    l->ended = n >= life->count;
    listing_fail(l, txn_end(&t));
}

/* A change of the row does not change the state that fittings give. */
static void carry_states(struct life *life)
{
    const char *fitted = NULL;

    for (size_t i = 0; i < life->count; i++) {
        struct happening *h = &life->at[i];

        if (h->event == HAPPENED_INSTALL || h->event == HAPPENED_REMOVE)
            fitted = h->state;
        else if (fitted)
            memmove(h->state, fitted, sizeof h->state);
    }
}

void answer_history(struct request *q)
{
    struct life *life = (struct life *)calloc(1, sizeof *life);
    struct txn t = ledger_read(q->app->ledger);
    struct ledger_row row;
    enum err err;

    if (!life || !row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row)) {
        if (!life)
            problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        free(life);
        txn_abort(&t);
        return;
    }
    err = add_versions(&t, row.id, life);
    if (!err)
        err = add_fittings(&t, row.id, life);
    txn_abort(&t);
    if (err) {
        life_done(life);
        problem_of(q, err, "", "the meter's life cannot be read: a record %s", err_text(err));
        return;
    }
    if (life->count)
        qsort(life->at, life->count, sizeof *life->at, by_time);
    carry_states(life);
    listing_new(q, columns, fill, life, life_done, PAGE);
}
