/* GET /v1/field-list: what crews are sent for, the most expensive delay first (server/field_list.h). */
#include "server/field_list.h"
#include "server/orders.h"
#include "server/prices.h"
#include "server/query/answers.h"
#include "server/query/replacing.h"
#include "server/query/rows.h"

#include <stdlib.h>

#define PAGE 1000
#define LOOKS_MOST 512 /* rows between two slices */

static const char *const columns[] = {
    "rank",      "serial",     "point",        "address",  "lon",       "lat",         "zone",
    "route",     "dn",         "act",          "kind",     "kinds",     "flag",        "onset",
    "severity",  "confidence", "lost_lpd",     "lost_low", "lost_high", "money_month", "currency",
    "confirmed", "why",        "explained_by", "order",    "text_en",   "text_zh",     NULL,
};

struct listed_rows {
    int rule; /* enum detect_rule of the row's own flag; -1: any */
    bool left_out;
    uint32_t zone, route; /* 0: any */
    struct sieve unit;    /* whose rows the caller sees: others need not be looked at */
    struct field_lists *lists;
    struct field_walk walk;
    const struct field_row *next; /* NULL: the end */
    size_t rank;                  /* of the row before */
};

static void rows_free(void *state)
{
    struct listed_rows *w = (struct listed_rows *)state;

    field_lists_release(w->lists);
    sieve_done(&w->unit);
    free(w);
}

/* ---- a row ---- */

static void put_kinds(struct listing *l, uint32_t kinds)
{
    struct out *o = row_raw_begin(l, "kinds");
    bool first = true;

    out_text(o, "[");
    for (int r = 0; r < DETECT_RULES; r++) {
        if (!(kinds & 1u << r))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(detect_rule_name((enum detect_rule)r)));
    }
    out_text(o, "]");
    row_raw_end(l);
}

static const char *act_name(const struct field_row *r)
{
    switch (field_act(r->rule, r->confirmed)) {
    case FIELD_ACT_INSPECT:
        return order_kind_name(ORDER_INSPECT);
    case FIELD_ACT_REPLACE:
        return order_kind_name(ORDER_REPLACE);
    default:
        return NULL;
    }
}

/* The live order of the meter that a crew goes there for. */
static bool has_order(struct txn *t, const char *serial, struct span *out_name)
{
    struct order_walk w = orders_of(t, ORDERS_OF_METER, span_text(serial), true, span_of(NULL, 0));
    bool found = order_next(&w);

    if (found)
        *out_name = w.order.name;
    order_walk_done(&w);
    return found;
}

static void put(struct listing *l, struct txn *t, const struct listed_rows *w,
                const struct field_row *r, const struct flag *f)
{
    struct ledger_row point = { 0 };
    struct span order = { 0 };
    bool known = ledger_by_id(t, LIST_POINT, f->point, INT64_MAX, &point);

    row_begin(l);
    row_int(l, "rank", (int64_t)w->rank);
    row_word(l, "serial", f->meter_facts.serial);
    row_word(l, "point", f->point_facts.point[0] ? f->point_facts.point : NULL);
    row_text(l, "address", known ? ledger_cell(&point, CELL_POINT_address) : span_of(NULL, 0));
    row_number(l, "lon", known ? ledger_cell(&point, CELL_POINT_lon) : span_of(NULL, 0));
    row_number(l, "lat", known ? ledger_cell(&point, CELL_POINT_lat) : span_of(NULL, 0));
    row_text(l, "zone", known ? ledger_cell(&point, CELL_POINT_zone) : span_of(NULL, 0));
    row_text(l, "route", known ? ledger_cell(&point, CELL_POINT_route) : span_of(NULL, 0));
    row_int(l, "dn", f->meter_facts.dn_mm);
    row_word(l, "act", act_name(r));
    row_word(l, "kind", detect_rule_name(r->rule));
    put_kinds(l, r->kinds);
    row_word(l, "flag", r->id);
    row_time(l, "onset", f->verdict.onset_s);
    row_word(l, "severity", severity_name(f->verdict.severity));
    row_litres(l, "confidence", r->confirmed ? 1000 : 10 * (int64_t)f->verdict.confidence_pct);
    row_litres(l, "lost_lpd", f->verdict.lost_mlpd);
    row_litres(l, "lost_low", f->verdict.lost_low_mlpd);
    row_litres(l, "lost_high", f->verdict.lost_high_mlpd);
    row_litres(l, "money_month", r->money_month);
    row_word(l, "currency", w->lists->prices.currency);
    row_bool(l, "confirmed", r->confirmed);
    row_word(l, "why", field_why_name(r->why));
    row_word(l, "explained_by",
             r->explained_by < 0 ? NULL : detect_rule_name((enum detect_rule)r->explained_by));
    if (has_order(t, f->meter_facts.serial, &order))
        row_text(l, "order", order);
    else
        row_null(l, "order");
    row_word(l, "text_en", f->text_en);
    row_word(l, "text_zh", f->text_zh);
    row_end(l, span_of(r->key, FIELD_KEY));
}

/* ---- the walk ---- */

static bool is_wanted(const struct listed_rows *w, const struct field_row *r)
{
    return (w->rule < 0 || (int)r->rule == w->rule) && (!w->zone || r->zone == w->zone) &&
           (!w->route || r->route == w->route);
}

static bool is_seen(const struct listed_rows *w, const struct field_row *r)
{
    struct replacement place = { .zone = r->zone, .route = r->route };

    return sieve_lets(&w->unit, &place);
}

static void step(struct listed_rows *w)
{
    w->next = field_next(w->lists, w->left_out, &w->walk);
}

/* Whoever is at the cursor's place or before it was told. */
static void begin(struct listing *l, struct listed_rows *w)
{
    listing_fail(l, field_lists_hold(l->app, &w->lists));
    if (l->err)
        return;
    for (step(w);
         l->cursor_len == FIELD_KEY && w->next && memcmp(w->next->key, l->cursor, FIELD_KEY) <= 0;
         step(w))
        w->rank += is_wanted(w, w->next);
}

/* The next row that is told: false where there is none. */
static bool seek(struct listed_rows *w)
{
    while (w->next && !(is_wanted(w, w->next) && is_seen(w, w->next))) {
        w->rank += is_wanted(w, w->next);
        step(w);
    }
    return w->next != NULL;
}

static void fill(struct listing *l)
{
    struct listed_rows *w = (struct listed_rows *)l->state;
    struct flag *f = (struct flag *)malloc(sizeof *f);
    struct txn t;

    if (!f)
        listing_fail(l, ERR_NO_MEMORY);
    else if (l->cursor_len && l->cursor_len != FIELD_KEY)
        listing_fail(l, ERR_INVALID);
    else if (!w->lists)
        begin(l, w);
    if (l->err) {
        free(f);
        return;
    }
    t = ledger_read(l->app->ledger);
    for (unsigned n = 0; n < LOOKS_MOST && !listing_full(l) && !l->err && seek(w); n++) {
        enum err err = flag_of(l->app, span_text(w->next->id), f);

        w->rank++;
        if (!err)
            put(l, &t, w, w->next, f);
        else if (err != ERR_NOT_FOUND) /* judged anew meanwhile */
            listing_fail(l, err);
        step(w);
    }
    listing_fail(l, txn_end(&t));
    l->ended = !w->next && !l->err;
    free(f);
}

static bool ask_kind(struct request *q, struct listed_rows *w)
{
    struct span name = ask_text(q, "kind");

    w->rule = name.len ? detect_rule_named(name) : -1;
    if (!name.len || w->rule >= 0)
        return true;
    problem_of(q, ERR_INVALID, "kind",
               "kind: found %.*s, expected a kind of flag such as stuck or leak",
               (int)(name.len < 40 ? name.len : 40), (const char *)name.at);
    return false;
}

/* The row of a zone or route that was asked for; 0: none was. False: 404 stands. */
static bool ask_named(struct request *q, struct txn *t, enum list_kind kind, const char *name,
                      uint32_t *out)
{
    struct span asked = ask_text(q, name);
    struct ledger_row row;

    *out = 0;
    if (!named_is_known(q, t, kind, name))
        return false;
    if (asked.len && ledger_find(t, kind, asked, INT64_MAX, &row))
        *out = row.id;
    return true;
}

void answer_field_list(struct request *q)
{
    struct listed_rows *w = (struct listed_rows *)calloc(1, sizeof *w);
    struct replacement_filter unit = { .org = q->caller.org };
    struct txn t = ledger_read(q->app->ledger);
    bool fine = false;
    enum err err = w ? sieve_open(&t, &unit, &w->unit) : ERR_NO_MEMORY;

    if (err)
        problem_of(q, err, "", "the list cannot be made: the store %s", err_text(err));
    else
        fine = ask_kind(q, w) && ask_bool(q, "left_out", &w->left_out) &&
               ask_named(q, &t, LIST_ZONE, "zone", &w->zone) &&
               ask_named(q, &t, LIST_ROUTE, "route", &w->route);
    txn_abort(&t);
    if (fine)
        listing_new(q, columns, fill, w, rows_free, PAGE);
    else if (w)
        rows_free(w);
}
