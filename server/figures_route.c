/* The units of a route's days: whether its sheets were signed on time, what was drawn from them and read again, what was disputed. */
#include "server/figures_priv.h"

#include "server/routes_draw.h"

#include <stdlib.h>

struct route_units {
    struct figure_scope *scope;
    struct txn *txn;
    uint32_t route;
    int32_t day;
    figure_take *take;
    void *arg;
    /* the day's lines, where it is signed */
    struct route_sheet sheet;
    size_t cap;
    enum recheck_level recheck;
    enum err err;
};

static void unit(struct route_units *r, enum figure figure, unsigned without, bool counts,
                 uint32_t point, const char *what)
{
    struct figure_case u = {
        .figure = figure, .without = without, .counts = counts, .day = r->day
    };
    struct figure_told told = { .unit = &u, .route = r->route };
    struct ledger_row row;

    if (what)
        told.what = span_text(what);
    if (point && ledger_by_id(r->txn, LIST_POINT, point, INT64_MAX, &row)) {
        told.point = figure_cell(&row, CELL_POINT_point);
        told.account = figure_cell(&row, CELL_POINT_account);
    }
    r->take(r->arg, &told);
}

/* ---- signatures ---- */

static bool signed_at(struct route_units *r, int64_t *out_s)
{
    struct route_place at = { .route = r->route, .day = r->day };
    struct route_signed f;
    struct span bytes;

    if (!ledger_route_fact(r->txn, ROUTE_SIGNED, &at, &bytes))
        return false;
    if (route_signed_read(bytes, &f)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    *out_s = f.at_s;
    return true;
}

/* By the end of the next civil day. */
static void sheet_unit(struct route_units *r, unsigned d, bool is_signed, int64_t at_s,
                       bool has_points)
{
    const struct figure_scope *s = r->scope;
    int64_t end_s = zone_day_next(&s->app->zone, s->month.at_s[d + 1]);

    if (!(s->routes[r->route].due >> d & 1u))
        return;
    if (!has_points && !is_signed)
        unit(r, FIGURE_SHEETS_ON_TIME, WITHOUT_NO_POINTS, false, 0, NULL);
    else if (is_signed || end_s <= s->now_s)
        unit(r, FIGURE_SHEETS_ON_TIME, WITHOUT_NOTHING, is_signed && at_s < end_s, 0, NULL);
}

/* ---- lines ---- */

static bool line_take(void *arg, const struct route_place *at, struct span bytes)
{
    struct route_units *r = (struct route_units *)arg;
    struct route_sheet *sheet = &r->sheet;
    struct ledger_row point;
    struct sheet_row *row;

    if (sheet->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        struct sheet_row *rows =
            (struct sheet_row *)realloc(sheet->rows, cap * sizeof *sheet->rows);

        if (!rows) {
            r->err = ERR_NO_MEMORY;
            return false;
        }
        sheet->rows = rows;
        r->cap = cap;
    }
    row = &sheet->rows[sheet->count++];
    *row = (struct sheet_row){ .point = at->point, .is_signed = true };
    if (route_line_read(bytes, &row->line)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    row->meter = row->line.serial.len != 0; /* that there was one */
    if (ledger_by_id(r->txn, LIST_POINT, at->point, INT64_MAX, &point)) {
        struct span name = figure_cell(&point, CELL_POINT_point);

        row->name = (struct sheet_text){ (uint32_t)sheet->texts.len, (uint32_t)name.len };
        out_bytes(&sheet->texts, name.at, name.len);
    }
    r->err = sheet->texts.err;
    return !r->err;
}

static bool has_fact(struct route_units *r, enum route_fact kind, uint32_t point,
                     struct span *out_bytes)
{
    struct route_place at = { .route = r->route, .point = point, .day = r->day };

    return ledger_route_fact(r->txn, kind, &at, out_bytes);
}

/* ---- re-reads ---- */

static void drawn_units(struct route_units *r, enum recheck_level level)
{
    struct route_draw draw;
    struct span bytes;
    enum err err =
        route_draw(&r->sheet, span_text(figure_route_name(r->scope, r->route)), level, &draw);

    for (size_t i = 0; i < draw.count && !err; i++) {
        uint32_t point = r->sheet.rows[draw.drawn[i].row].point;

        unit(r, FIGURE_RECHECKS_DONE, WITHOUT_NOTHING,
             has_fact(r, route_recheck_kind(level), point, &bytes), point,
             recheck_level_name(level));
    }
    route_draw_done(&draw);
    if (err)
        r->err = err;
}

static bool recheck_take(void *arg, const struct route_place *at, struct span bytes)
{
    struct route_units *r = (struct route_units *)arg;
    struct route_recheck f;

    if (route_recheck_read(bytes, &f)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    unit(r, FIGURE_RECHECKS_RIGHT, WITHOUT_NOTHING, f.agrees, at->point,
         recheck_level_name(r->recheck));
    return true;
}

static void recheck_units(struct route_units *r)
{
    for (int l = 0; l < RECHECK_LEVELS && !r->err; l++) {
        enum err err;

        r->recheck = (enum recheck_level)l;
        err = ledger_route_facts(r->txn, route_recheck_kind(r->recheck), r->route, r->day,
                                 recheck_take, r);
        if (err)
            r->err = err;
    }
}

/* ---- disputes ---- */

static bool dispute_take(void *arg, const struct route_place *at, struct span bytes)
{
    struct route_units *r = (struct route_units *)arg;
    struct span line;

    (void)bytes;
    if (!has_fact(r, ROUTE_LINE, at->point, &line))
        unit(r, FIGURE_DISPUTES, WITHOUT_NOTHING, true, at->point, NULL);
    return true;
}

static void dispute_units(struct route_units *r)
{
    struct span bytes;
    enum err err;

    for (size_t i = 0; i < r->sheet.count && !r->err; i++)
        unit(r, FIGURE_DISPUTES, WITHOUT_NOTHING,
             has_fact(r, ROUTE_DISPUTE, r->sheet.rows[i].point, &bytes), r->sheet.rows[i].point,
             NULL);
    if (!r->err &&
        (err = ledger_route_facts(r->txn, ROUTE_DISPUTE, r->route, r->day, dispute_take, r)))
        r->err = err;
}

/* ---- a day ---- */

static void day_units(struct route_units *r, unsigned d, bool has_points)
{
    int64_t at_s = 0;
    bool is_signed = signed_at(r, &at_s);
    enum err err;

    sheet_unit(r, d, is_signed, at_s, has_points);
    r->sheet.day.day = r->day;
    r->sheet.count = 0;
    out_clear(&r->sheet.texts);
    if (is_signed && !r->err &&
        (err = ledger_route_facts(r->txn, ROUTE_LINE, r->route, r->day, line_take, r)))
        r->err = err;
    for (int l = 0; is_signed && l < RECHECK_LEVELS && !r->err; l++)
        drawn_units(r, (enum recheck_level)l);
    if (!r->err)
        recheck_units(r);
    if (!r->err)
        dispute_units(r);
}

static bool route_has_points(struct route_units *r)
{
    struct points_walk w =
        ledger_points_walk(r->txn, false, span_text(figure_route_name(r->scope, r->route)));
    bool any = points_next(&w);

    points_done(&w);
    return any;
}

enum err figures_of_route(struct figure_scope *s, struct txn *t, uint32_t route, figure_take *take,
                          void *arg)
{
    struct route_units r = { .scope = s, .txn = t, .route = route, .take = take, .arg = arg };
    bool has_points = route_has_points(&r);

    for (unsigned d = 0; d < s->month.days && !r.err && !t->err; d++) {
        r.day = s->month.first_day + (int32_t)d;
        if (s->month.at_s[d] <= s->now_s)
            day_units(&r, d, has_points);
    }
    free(r.sheet.rows);
    out_done(&r.sheet.texts);
    return r.err ? r.err : t->err;
}
