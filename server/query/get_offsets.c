/* GET /v1/meters/SERIAL/offsets: what was told of how far a meter's dial stands from what its transmitter counts, oldest first. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000

static const char *const columns[] = { "serial",  "at",      "dial_l", "counted_l",
                                       "told_by", "told_at", "note",   NULL };

struct wanted {
    uint32_t meter;
    char serial[SERIAL_MAX + 1];
    struct listing *l;
};

static bool take(void *arg, const struct ledger_dial *d)
{
    struct wanted *w = (struct wanted *)arg;
    struct listing *l = w->l;
    uint8_t cursor[4];
    struct wr at = wr_of(cursor, sizeof cursor);

    if (listing_full(l))
        return false;
    wr_be32(&at, d->at_s);
    row_begin(l);
    row_word(l, "serial", w->serial);
    row_time(l, "at", d->at_s);
    row_litres(l, "dial_l", d->dial_ml);
    if (d->has_counted)
        row_litres(l, "counted_l", d->counted_ml);
    else
        row_null(l, "counted_l");
    row_text(l, "told_by", d->who);
    row_time(l, "told_at", d->told_s);
    row_text(l, "note", d->note);
    row_end(l, wr_span(&at));
    return true;
}

static void fill(struct listing *l)
{
    struct wanted *w = (struct wanted *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    uint64_t after;

    w->l = l;
    if (listing_number(l, 4, &after) && after < UINT32_MAX)
        listing_fail(
            l, ledger_dials_of(&t, w->meter, l->cursor_len ? (uint32_t)after + 1 : 0, take, w));
    listing_fail(l, txn_end(&t));
    l->ended = !listing_full(l) && !l->err;
}

void answer_offsets(struct request *q)
{
    struct txn t = ledger_read(q->app->ledger);
    struct wanted *w = (struct wanted *)calloc(1, sizeof *w);
    struct ledger_row row;
    bool fine = false;

    if (!w) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
    } else if (row_named(q, &t, list_of(LIST_METER), INT64_MAX, &row) &&
               meter_serial(&t, row.id, w->serial)) {
        w->meter = row.id;
        fine = true;
    }
    txn_abort(&t);
    if (fine)
        listing_new(q, columns, fill, w, free, PAGE);
    else
        free(w);
}
