#include "server/acts/register.h"

#include "server/acts/asset.h"
#include "server/acts/register_priv.h"
#include "server/acts/rowfile.h"
#include "server/lives.h"
#include "server/orders.h"
#include "server/points.h"
#include "server/registers.h"
#include "server/settler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *word_list(unsigned list)
{
    return list < LIST_COUNT ? list_of((enum list_kind)list)->plural : "row";
}

static const char *word_cell(unsigned list, unsigned cell)
{
    return list < LIST_COUNT && cell < COLUMNS_MAX
               ? list_of((enum list_kind)list)->column[cell].name
               : NULL;
}

const struct act_words register_words = { word_list, word_cell };

void registrar_init(struct registrar *g, struct app *app, struct act *act, bool bare)
{
    memset(g, 0, sizeof *g);
    g->app = app;
    g->act = act;
    g->bare = bare;
    act->words = &register_words;
}

void registrar_done(struct registrar *g)
{
    for (unsigned i = 0; i < LIST_COUNT; i++)
        json_decref(g->wanted[i]);
    json_decref(g->radios);
    free(g->touched);
}

bool row_refused(enum err err)
{
    return err == ERR_NOT_FOUND || err == ERR_INVALID || err == ERR_EXISTS || err == ERR_CONFLICT;
}

enum err row_refuse(struct import_refusal *why, enum err err, const struct column *c,
                    struct span found, const char *format, ...)
{
    char expected[sizeof why->expected];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    import_refusal_fill(why, 0, c ? c->name : "", found, expected);
    return err;
}

bool registrar_touch(struct registrar *g, uint32_t meter)
{
    if (g->touched_count == g->touched_cap) {
        size_t cap = g->touched_cap ? g->touched_cap * 2 : 256;
        uint32_t *more = (uint32_t *)realloc(g->touched, cap * sizeof *more);

        if (!more)
            return false;
        g->touched = more;
        g->touched_cap = cap;
    }
    g->touched[g->touched_count++] = meter;
    return true;
}

/* ---- what a row names ---- */

static bool may_be_bare(int list)
{
    return list == LIST_ZONE || list == LIST_ROUTE || list == LIST_ORG;
}

static enum err want(struct registrar *g, int list, struct span name)
{
    if (!g->wanted[list] && !(g->wanted[list] = json_object()))
        return ERR_NO_MEMORY;
    return json_object_setn_new(g->wanted[list], (const char *)name.at, name.len, json_true())
               ? ERR_NO_MEMORY
               : ERR_OK;
}

static const char *const singular[LIST_COUNT] = {
    [LIST_ORG] = "an org unit",     [LIST_ZONE] = "a zone",   [LIST_ROUTE] = "a route",
    [LIST_METER] = "a meter",       [LIST_POINT] = "a point", [LIST_FITTING] = "a fitting",
    [LIST_BOUNDARY] = "a boundary", [LIST_MODEL] = "a model",
};

enum err registrar_names_exist(struct registrar *g, const struct list *l, const struct cells *cells,
                               struct import_refusal *why)
{
    struct txn *t = &g->act->txn;
    struct ledger_row row;

    for (unsigned i = 0; i < l->columns; i++) {
        int list = cells->at[i].len ? list_reference(l, i) : -1;
        enum err err = ERR_OK;

        if (list < 0 || ledger_find(t, (unsigned)list, cells->at[i], INT64_MAX, &row))
            continue;
        if (t->err)
            return t->err;
        /* Its own parent is caught as a ring. */
        if (g->bare && may_be_bare(list))
            err = want(g, list, cells->at[i]);
        else if (!(list == (int)l->kind && span_equal(cells->at[i], cells->at[0])))
            err = row_refuse(why, ERR_NOT_FOUND, &l->column[i], cells->at[i],
                             "%s that is registered", singular[list]);
        if (err)
            return err;
    }
    return ERR_OK;
}

#define TREE_DEPTH_MAX 32 /* the deepest trees of zones known to us have five levels */

/* Zones, org units and points behind others are trees: a row may not become its own ancestor. */
static enum err tree_check(struct registrar *g, const struct list *l, const struct cells *cells,
                           struct import_refusal *why)
{
    struct txn *t = &g->act->txn;
    int parent = list_column(l, span_text(l->kind == LIST_POINT ? "behind" : "parent"));
    struct span at = parent < 0 ? span_of(NULL, 0) : cells->at[parent];
    struct ledger_row row;

    for (unsigned depth = 0; at.len; depth++) {
        if (span_equal(at, cells->at[0]) || depth == TREE_DEPTH_MAX)
            return row_refuse(why, ERR_CONFLICT, &l->column[parent], cells->at[parent],
                              depth == TREE_DEPTH_MAX ? "a tree of at most 32 levels"
                              : l->kind == LIST_POINT
                                  ? "a point that does not stand behind this one"
                                  : "a parent that does not stand below the row itself");
        if (!ledger_find(t, l->kind, at, INT64_MAX, &row))
            break;
        at = (unsigned)parent < row.count ? row.cells[parent] : span_of(NULL, 0);
    }
    return t->err;
}

/* ---- known rows ---- */

typedef bool may_change_rule(const struct list *l, unsigned column, struct span was);

/* The known cells that were not sent, beside those that were; copied, for the ledger's views end
 * with its next change. */
struct merged {
    struct cells cells;
    bool changed;
    uint8_t room[COLUMNS_MAX * (LIMIT_TEXT + 8)];
};

static enum err merge(const struct list *l, const struct ledger_row *known,
                      const struct cells *cells, may_change_rule *may_change, struct merged *out,
                      struct import_refusal *why)
{
    struct wr w = wr_of(out->room, sizeof out->room);

    for (unsigned i = 0; i < l->columns; i++) {
        struct span was = known->cells[i];

        if (cells->at[i].len == 0) {
            out->cells.at[i] = span_of(w.at, was.len);
            wr_bytes(&w, was);
            continue;
        }
        out->cells.at[i] = cells->at[i];
        if (span_equal(was, cells->at[i]))
            continue;
        out->changed = true;
        if (!may_change(l, i, was))
            return row_refuse(why, ERR_EXISTS, &l->column[i], cells->at[i],
                              "%.*s, as %.*s is registered", was.len ? (int)was.len : 7,
                              was.len ? (const char *)was.at : "nothing", (int)cells->at[0].len,
                              (const char *)cells->at[0].at);
    }
    return w.err;
}

static bool never(const struct list *l, unsigned column, struct span was)
{
    (void)l, (void)column, (void)was;
    return false;
}

static bool always(const struct list *l, unsigned column, struct span was)
{
    (void)l, (void)column, (void)was;
    return true;
}

/* Who has a modem or a seal is told by acts of their own, not by a row that is sent again. */
static bool if_no_holder(const struct list *l, unsigned column, struct span was)
{
    (void)was;
    return l->kind == LIST_MODEM ? column != CELL_MODEM_serial
                                 : column == CELL_SEAL_seal || column == CELL_SEAL_kind;
}

static bool row_put(struct registrar *g, const struct list *l, const struct cells *cells,
                    bool known, uint32_t *out_id)
{
    uint8_t bytes[512];
    struct wr key = wr_of(bytes, sizeof bytes);
    bool written = false;

    cells_key(l, cells, &key);
    act_put_row(g->act, l->kind, wr_span(&key), known ? g->act->now_s : LEDGER_ALWAYS, cells->at,
                l->columns, out_id, &written);
    return written;
}

/* ---- what hangs on a row ---- */

static uint32_t route_seq(struct span cell)
{
    int64_t seq;

    return cell.len && text_int(cell, &seq) == ERR_OK && seq >= 0 && seq < UINT32_MAX
               ? (uint32_t)seq
               : UINT32_MAX;
}

/* The indexes of routes and zones, and the meter at the point, which is judged by its use class. */
static enum err point_placed(struct registrar *g, uint32_t point, const struct cells *cells,
                             bool known)
{
    struct fittings fittings;
    enum err err;

    act_place_point(g->act, point, cells->at[CELL_POINT_point], cells->at[CELL_POINT_route],
                    route_seq(cells->at[CELL_POINT_route_seq]), cells->at[CELL_POINT_zone]);
    if (!known)
        point_indexed(g->act, point, NULL, cells);
    if (g->act->txn.err || !known)
        return g->act->txn.err;
    err = fittings_load(&g->act->txn, true, point, &fittings);
    for (size_t i = 0; i < fittings.count && !err; i++)
        err = registrar_touch(g, fittings.at[i].meter) ? ERR_OK : ERR_NO_MEMORY;
    fittings_done(&fittings);
    return err;
}

static enum err row_check(struct registrar *g, const struct list *l, const struct cells *cells,
                          uint32_t id, struct import_refusal *why)
{
    switch (l->kind) {
    case LIST_METER:
        return meter_check(g, cells, id, why);
    case LIST_BOUNDARY:
        return span_check(l, cells, CELL_BOUNDARY_from, CELL_BOUNDARY_to, why);
    case LIST_MODEM:
    case LIST_SEAL:
        return asset_check(g, l, cells, id, why);
    case LIST_ORDER:
        return order_row_check(&g->act->txn, cells, id != 0, why);
    case LIST_PRICE:
        return price_row_check(g->app, &g->act->txn, cells, why);
    default:
        return tree_check(g, l, cells, why);
    }
}

static enum err row_written(struct registrar *g, const struct list *l, const struct cells *cells,
                            uint32_t id, bool known)
{
    enum err err = g->act->txn.err;

    if (err || (err = asset_written(g, l, cells, id, known)))
        return err;
    switch (l->kind) {
    case LIST_METER:
        return meter_written(g, cells, id, known);
    case LIST_POINT:
        return point_placed(g, id, cells, known);
    case LIST_ORDER:
        order_imported(g->act, id);
        return g->act->txn.err;
    default:
        return ERR_OK;
    }
}

/* Writes a row, and where it is a meter's moves the indexes of its life along. */
static bool put_and_index(struct registrar *g, const struct list *l, const struct cells *cells,
                          uint32_t known_id, uint32_t *out_id)
{
    struct meter_life before;
    bool written;

    if (l->kind != LIST_METER)
        return row_put(g, l, cells, known_id != 0, out_id);
    lives_catch_up(g->app, g->act);
    if (known_id) {
        enum err err = life_load(g->app, &g->act->txn, known_id, &before);

        if (err && !g->act->txn.err)
            g->act->txn.err = err;
    }
    written = row_put(g, l, cells, known_id != 0, out_id);
    if (written)
        life_indexed(g->app, g->act, known_id ? &before : NULL, *out_id);
    if (known_id)
        life_done(&before);
    return written;
}

static enum err point_moves(struct registrar *g, const struct cells *cells, uint32_t id)
{
    struct ledger_row was;

    if (!ledger_by_id(&g->act->txn, LIST_POINT, id, INT64_MAX, &was))
        return g->act->txn.err ? g->act->txn.err : ERR_MISSING;
    point_indexed(g->act, id, &was, cells);
    return g->act->txn.err;
}

/* `known_id` 0: the row is new. */
static enum err put_checked(struct registrar *g, const struct list *l, const struct cells *cells,
                            uint32_t known_id, enum put_outcome *out, struct import_refusal *why)
{
    uint32_t id = known_id;
    enum err err = row_check(g, l, cells, known_id, why);

    if (!err && known_id)
        err = l->kind == LIST_POINT ? point_moves(g, cells, known_id)
                                    : asset_leaves(g, l, cells, known_id);
    if (err)
        return err;
    if (!put_and_index(g, l, cells, known_id, &id)) {
        *out = PUT_SAME;
        return g->act->txn.err;
    }
    *out = known_id ? PUT_CHANGED : PUT_NEW;
    return row_written(g, l, cells, id, known_id != 0);
}

static enum err put_new(struct registrar *g, const struct list *l, const struct cells *cells,
                        enum put_outcome *out, struct import_refusal *why)
{
    uint8_t bytes[5 * (LIMIT_TEXT + 8)];
    struct wr room = wr_of(bytes, sizeof bytes);
    struct cells filled = *cells;
    enum err err = l->kind == LIST_METER ? meter_filled(g, &filled, &room, why) : ERR_OK;

    return err ? err : put_checked(g, l, &filled, 0, out, why);
}

static enum err put_by(struct registrar *g, const struct list *l, const struct cells *cells,
                       may_change_rule *may_change, enum put_outcome *out,
                       struct import_refusal *why)
{
    uint8_t bytes[512];
    struct wr key = wr_of(bytes, sizeof bytes);
    struct ledger_row known;
    struct merged merged;
    enum err err;

    cells_key(l, cells, &key);
    if (key.err)
        return key.err;
    if (!ledger_find(&g->act->txn, l->kind, wr_span(&key), INT64_MAX, &known))
        return g->act->txn.err ? g->act->txn.err : put_new(g, l, cells, out, why);
    merged.changed = false;
    if ((err = merge(l, &known, cells, may_change, &merged, why)))
        return err;
    if (!merged.changed) {
        *out = PUT_SAME;
        return ERR_OK;
    }
    return put_checked(g, l, &merged.cells, known.id, out, why);
}

static may_change_rule *may_change_of(enum list_kind kind)
{
    switch (kind) {
    case LIST_METER:
    case LIST_ORDER:
        return never;
    case LIST_MODEM:
    case LIST_SEAL:
        return if_no_holder;
    default:
        return always;
    }
}

enum err registrar_put(struct registrar *g, const struct list *l, const struct cells *cells,
                       enum put_outcome *out, struct import_refusal *why)
{
    enum err err;

    if (l->kind == LIST_FITTING)
        return fitting_put(g, cells, out, why);
    if ((err = registrar_names_exist(g, l, cells, why)))
        return err;
    return put_by(g, l, cells, may_change_of(l->kind), out, why);
}

enum err registrar_change_meter(struct registrar *g, const struct cells *cells,
                                enum put_outcome *out, struct import_refusal *why)
{
    return put_by(g, list_of(LIST_METER), cells, always, out, why);
}

enum err registrar_replace(struct registrar *g, const struct list *l, const struct cells *cells,
                           uint32_t id, enum put_outcome *out, struct import_refusal *why)
{
    return put_checked(g, l, cells, id, out, why);
}
