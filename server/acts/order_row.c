/* Rows of a file of orders: what another store had of its orders, taken as it is.  A known order is changed by the acts on orders alone. */
#include "server/acts/order_priv.h"
#include "server/acts/register_priv.h"
#include "server/tours.h"

#include <stdio.h>

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

enum err order_row_check(const struct cells *cells, struct import_refusal *why)
{
    uint32_t number;
    int32_t day;

    if (!order_number(cells->at[CELL_ORDER_order], &number))
        return refuse_cell(why, cells, CELL_ORDER_order,
                           "W and a number of at least 8 digits, such as W00000012");
    if (!cells->at[CELL_ORDER_point].len && !cells->at[CELL_ORDER_serial].len)
        return refuse_cell(why, cells, CELL_ORDER_point, "a point, or a serial beside it");
    if (!cells->at[CELL_ORDER_lon].len != !cells->at[CELL_ORDER_lat].len)
        return refuse_cell(why, cells, CELL_ORDER_lat, "both lon and lat, or none");
    if (cells->at[CELL_ORDER_tour].len && !tour_day(cells->at[CELL_ORDER_tour], &day))
        return refuse_cell(why, cells, CELL_ORDER_tour,
                           "the name of a day list such as T-2026-03-02-0001");
    return words_check(cells, why);
}
