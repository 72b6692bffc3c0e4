/* Rows of a file of orders: what another store had of its orders, taken as it is.  A known order is changed by the acts on orders alone. */
#include "server/acts/order_priv.h"
#include "server/acts/register_priv.h"
#include "server/tours.h"

#include <stdio.h>

#define ORDER_NUMBER_MAX                                                                           \
    999999999 /* of a file: numbers given later go on behind its greatest, and there must be some */

static enum err refuse_cell(struct import_refusal *why, const struct cells *cells, unsigned place,
                            const char *expected)
{
    struct span found = cells->at[place].len ? cells->at[place] : span_text("nothing");

    return row_refuse(why, ERR_INVALID, &list_of(LIST_ORDER)->column[place], found, "%s", expected);
}

static enum err words_check(const struct cells *cells, struct import_refusal *why)
{
    struct span result = cells->at[CELL_ORDER_result];
    enum order_kind kind;
    enum order_state state;
    enum order_priority priority;
    enum order_result ended;
    char known[120];

    order_kinds_list(known, sizeof known);
    if (!order_kind_read(cells->at[CELL_ORDER_kind], &kind))
        return refuse_cell(why, cells, CELL_ORDER_kind, known);
    order_priorities_list(known, sizeof known);
    if (!order_priority_read(cells->at[CELL_ORDER_priority], &priority))
        return refuse_cell(why, cells, CELL_ORDER_priority, known);
    order_states_list((1u << ORDER_STATES) - 1, known, sizeof known);
    if (!order_state_read(cells->at[CELL_ORDER_state], &state))
        return refuse_cell(why, cells, CELL_ORDER_state, known);
    if (result.len && !order_result_read(result, &ended))
        return refuse_cell(why, cells, CELL_ORDER_result, "a result of a report, or nothing");
    if ((state == ORDER_OPEN) == (cells->at[CELL_ORDER_assignee].len != 0) && order_is_live(state))
        return refuse_cell(why, cells, CELL_ORDER_assignee,
                           "nobody's name while it is open, and somebody's from then on");
    return ERR_OK;
}

/* A point and a meter have one live order of a kind, whoever writes it. */
static enum err only_check(struct txn *t, const struct cells *cells, struct import_refusal *why)
{
    struct order other;
    enum order_kind kind;
    enum order_state state;

    if (!order_kind_read(cells->at[CELL_ORDER_kind], &kind) ||
        !order_state_read(cells->at[CELL_ORDER_state], &state) || !order_is_live(state) ||
        !order_live_at(t, kind, cells->at[CELL_ORDER_point], cells->at[CELL_ORDER_serial], &other))
        return t->err;
    return row_refuse(why, ERR_CONFLICT, &list_of(LIST_ORDER)->column[CELL_ORDER_kind],
                      cells->at[CELL_ORDER_kind], "another kind: the order %.*s to %s there is %s",
                      (int)other.name.len, (const char *)other.name.at, order_kind_name(kind),
                      order_state_name(other.state));
}

enum err order_row_check(struct txn *t, const struct cells *cells, bool known,
                         struct import_refusal *why)
{
    uint32_t number;
    int32_t day;
    enum err err;

    if (!order_number(cells->at[CELL_ORDER_order], &number) || number > ORDER_NUMBER_MAX)
        return refuse_cell(why, cells, CELL_ORDER_order,
                           "W and a number of 8 or 9 digits, such as W00000012");
    if (!cells->at[CELL_ORDER_point].len && !cells->at[CELL_ORDER_serial].len)
        return refuse_cell(why, cells, CELL_ORDER_point, "a point, or a serial beside it");
    if (!cells->at[CELL_ORDER_lon].len != !cells->at[CELL_ORDER_lat].len)
        return refuse_cell(why, cells, CELL_ORDER_lat, "both lon and lat, or none");
    if (cells->at[CELL_ORDER_tour].len && !tour_day(cells->at[CELL_ORDER_tour], &day))
        return refuse_cell(why, cells, CELL_ORDER_tour,
                           "the name of a day list such as T-2026-03-02-0001");
    err = words_check(cells, why);
    return err || known ? err : only_check(t, cells, why);
}
