/* Meters to replace, worst first: made whole, since a rank is a place among all. */
#include "proto/base/rd.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/replacements.h"

#include <stdlib.h>

#define PAGE 1000
#define MONTH_DAYS 30

static const char *const columns[] = {
    "rank",      "serial",      "point",      "address",  "lon",    "lat",           "route",
    "dn",        "reason",      "reason_zh",  "kinds",    "due_on", "loss_m3_month", "loss_low",
    "loss_high", "money_month", "confidence", "severity", "onset",  "flag",          NULL
};

struct ranked {
    struct replacement *at;
    size_t count;
};

static void ranked_done(void *state)
{
    struct ranked *r = (struct ranked *)state;

    free(r->at);
    free(r);
}

static struct span cell_named(enum list_kind kind, const struct ledger_row *row, const char *name)
{
    int column = list_column(list_of(kind), span_text(name));

    return column >= 0 && (unsigned)column < row->count ? row->cells[column] : (struct span){ 0 };
}

static void put_kinds(struct out *o, unsigned kinds)
{
    bool first = true;

    out_text(o, "[");
    for (size_t n = 0; detector_at(n); n++) {
        if (!(kinds & 1u << n))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(detector_at(n)->flag));
    }
    out_text(o, "]");
}

/* Millilitres a day as cubic metres a month. */
static void put_loss(struct listing *l, const char *name, int64_t mlpd)
{
    row_litres(l, name, mlpd * MONTH_DAYS / 1000);
}

static void put_place(struct listing *l, struct txn *t, uint32_t point)
{
    struct ledger_row row = { 0 };

    if (!point || !ledger_by_id(t, LIST_POINT, point, INT64_MAX, &row))
        row.count = 0;
    row_text(l, "point", row.count ? row.cells[0] : (struct span){ 0 });
    row_text(l, "address", cell_named(LIST_POINT, &row, "address"));
    row_number(l, "lon", cell_named(LIST_POINT, &row, "lon"));
    row_number(l, "lat", cell_named(LIST_POINT, &row, "lat"));
    row_text(l, "route", cell_named(LIST_POINT, &row, "route"));
}

static void put(struct listing *l, struct txn *t, uint32_t n, const struct replacement *r)
{
    uint8_t cursor[4];
    struct wr w = wr_of(cursor, sizeof cursor);
    struct ledger_row row = { 0 };

    wr_be32(&w, n + 1);
    if (!ledger_by_id(t, LIST_METER, r->meter, INT64_MAX, &row)) {
        listing_fail(l, t->err ? t->err : ERR_MISSING);
        return;
    }
    row_begin(l);
    row_int(l, "rank", n + 1);
    row_text(l, "serial", row.cells[0]);
    put_place(l, t, r->point);
    row_number(l, "dn", cell_named(LIST_METER, &row, "dn"));
    row_word(l, "reason", r->text_en);
    row_word(l, "reason_zh", r->text_zh);
    put_kinds(row_raw_begin(l, "kinds"), r->kinds);
    row_raw_end(l);
    row_null(l, "due_on");
    put_loss(l, "loss_m3_month", r->lost_mlpd);
    put_loss(l, "loss_low", r->lost_low_mlpd);
    put_loss(l, "loss_high", r->lost_high_mlpd);
    row_null(l, "money_month");
    row_litres(l, "confidence", 10 * (int64_t)r->confidence_pct);
    row_word(l, "severity", severity_name(r->severity));
    row_time(l, "onset", r->onset_s);
    row_word(l, "flag", r->flag_id);
    row_end(l, wr_span(&w));
}

static void fill(struct listing *l)
{
    struct ranked *r = (struct ranked *)l->state;
    struct txn t = ledger_read(l->app->ledger);
    struct rd rd = rd_of(span_of(l->cursor, l->cursor_len));
    uint32_t n = l->cursor_len ? rd_be32(&rd) : 0;

    for (; n < r->count && !listing_full(l); n++)
        put(l, &t, n, &r->at[n]);
    l->ended = n >= r->count;
    listing_fail(l, txn_end(&t));
}

void answer_replacements(struct request *q)
{
    struct replacement_filter filter = { .zone = ask_text(q, "zone"),
                                         .route = ask_text(q, "route") };
    struct txn t = ledger_read(q->app->ledger);
    bool known =
        named_is_known(q, &t, LIST_ZONE, "zone") && named_is_known(q, &t, LIST_ROUTE, "route");
    struct ranked *r;
    enum err err;

    txn_abort(&t);
    if (!known)
        return;
    if (!(r = (struct ranked *)calloc(1, sizeof *r))) {
        problem_of(q, ERR_NO_MEMORY, "", "no memory for the list");
        return;
    }
    if ((err = replacements_make(q->app, &filter, &r->at, &r->count))) {
        ranked_done(r);
        problem_of(q, err, "", "the list cannot be made: a part %s", err_text(err));
        return;
    }
    listing_new(q, columns, fill, r, ranked_done, PAGE);
}
