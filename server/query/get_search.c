/* GET /v1/search: what is called so, or begins so.  By keys and indexes alone, so that a city of millions answers while somebody types: serials, points, accounts, orders, routes, zones,
 * crews and batches are found by how their names begin; an address, or the middle of a name, by nothing here. */
#include "server/points.h"
#include "server/query/answers.h"
#include "server/query/rows.h"
#include "server/scope.h"

#include <stdio.h>

#define QUERY_MOST 64
#define EACH_DEFAULT 8
#define EACH_MOST 50
#define LOOKS_MOST                                                                                 \
    200 /* of one kind, wanted or not: for callers of a unit to whom most of it does not belong */

static const enum list_kind kinds[] = { LIST_METER, LIST_POINT, LIST_ORDER, LIST_ROUTE,
                                        LIST_ZONE,  LIST_CREW,  LIST_BATCH };

struct search {
    struct request *q;
    struct txn txn;
    struct scope scope;
    int64_t each;
    char text[QUERY_MOST + 1],
        upper[QUERY_MOST + 1]; /* as typed; in capitals, or "" where that is the same */
    bool any;
    int64_t found; /* of the kind at hand */
    unsigned looks;
};

static bool begins(struct span name, const char *with)
{
    size_t len = strlen(with);

    return name.len >= len && memcmp(name.at, with, len) == 0;
}

/* ---- a row ---- */

static void put_place(struct out *o, const struct ledger_row *point)
{
    out_member_span(o, "point", ledger_cell(point, CELL_POINT_point));
    out_member_span(o, "account", ledger_cell(point, CELL_POINT_account));
    out_member_span(o, "address", ledger_cell(point, CELL_POINT_address));
    out_member_span(o, "route", ledger_cell(point, CELL_POINT_route));
}

/* Where a meter is, or which one is at a point. */
static void put_fitted(struct search *s, const struct ledger_row *row)
{
    struct out *o = &s->q->out;
    struct fitting f;
    struct ledger_row point;
    char serial[SERIAL_MAX + 1];
    int64_t now_s = clock_now_s(&s->q->app->clock);
    bool of_point = row->list == LIST_POINT;

    if (of_point)
        put_place(o, row);
    if (fitting_at(&s->txn, of_point, row->id, now_s, &f))
        return; /* it is nowhere */
    if (of_point && meter_serial(&s->txn, f.meter, serial))
        out_member_text(o, "serial", serial);
    else if (!of_point && ledger_by_id(&s->txn, LIST_POINT, f.point, INT64_MAX, &point))
        put_place(o, &point);
}

static void put_row(struct search *s, const char *kind, const char *plural,
                    const struct ledger_row *row, struct span name)
{
    struct out *o = &s->q->out;
    char where[32];

    out_text(o, s->any ? ",{" : "{");
    s->any = true;
    s->found++;
    out_member_text(o, "kind", kind);
    out_member_span(o, "name", name);
    snprintf(where, sizeof where, "/v1/%s/", plural);
    out_member_path(o, "path", where, ledger_cell(row, 0));
    if (row->list == LIST_METER || row->list == LIST_POINT)
        put_fitted(s, row);
    out_text(o, "}");
}

/* False: enough of this kind. */
static bool look(struct search *s, const char *kind, const char *plural,
                 const struct ledger_row *row, struct span name)
{
    if (s->found >= s->each || s->looks++ >= LOOKS_MOST)
        return false;
    if (scope_row(&s->scope, &s->txn, row))
        put_row(s, kind, plural, row, name);
    return true;
}

/* ---- lists and accounts ---- */

static void search_list(struct search *s, const struct list *list, const char *text)
{
    struct span name = span_text(text);
    struct ledger_walk w;
    struct ledger_row row;

    if (ledger_find(&s->txn, list->kind, name, INT64_MAX, &row) &&
        !look(s, list->column[0].name, list->plural, &row, ledger_cell(&row, 0)))
        return;
    w = ledger_walk(&s->txn, list->kind, name, INT64_MAX);
    while (ledger_walk_next(&w, &row) && begins(ledger_cell(&row, 0), text) &&
           look(s, list->column[0].name, list->plural, &row, ledger_cell(&row, 0)))
        ;
    ledger_walk_done(&w);
}

static void search_accounts(struct search *s, const char *text)
{
    char prefix[QUERY_MOST + 2] = "a";
    struct index_walk w;
    struct ledger_row row;

    memcpy(prefix + 1, text, strlen(text) + 1);
    w = ledger_index_walk(&s->txn, INDEX_POINTS, span_text(prefix), (struct span){ 0 });
    while (index_next(&w) && ledger_by_id(&s->txn, LIST_POINT, w.value, INT64_MAX, &row) &&
           look(s, "account", "points", &row, ledger_cell(&row, CELL_POINT_account)))
        ;
    index_done(&w);
}

static void search(struct search *s)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct list *list = list_of(kinds[i]);

        s->found = s->looks = 0;
        search_list(s, list, s->text);
        if (s->upper[0])
            search_list(s, list, s->upper);
    }
    s->found = s->looks = 0;
    search_accounts(s, s->text);
    if (s->upper[0])
        search_accounts(s, s->upper);
}

/* ---- asking ---- */

static void capitals(const char *text, char *out)
{
    size_t len = strlen(text);

    for (size_t i = 0; i <= len; i++)
        out[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i]);
    if (strcmp(text, out) == 0)
        out[0] = 0;
}

void answer_search(struct request *q)
{
    struct search s = { .q = q };
    struct out *o = &q->out;

    if (!ask_copy(q, "q", s.text, sizeof s.text) ||
        !ask_int(q, "limit", 1, EACH_MOST, EACH_DEFAULT, &s.each))
        return;
    if (!s.text[0]) {
        problem_of(q, ERR_INVALID, "q", "q: found nothing, expected how a name begins");
        return;
    }
    capitals(s.text, s.upper);
    s.scope = scope_of(q->caller.org);
    s.txn = ledger_read(q->app->ledger);
    q->status = 200;
    out_text(o, "{");
    out_member_text(o, "q", s.text);
    out_key(o, "rows");
    out_text(o, "[");
    search(&s);
    out_text(o, "]}\n");
    if (txn_end(&s.txn))
        problem_of(q, s.txn.err, "", "the register cannot be read: it %s", err_text(s.txn.err));
}
