#include "server/prices.h"

#include "server/registers.h"

enum err fleet_rules_now(struct app *app, struct txn *t, struct fleet_rules *out)
{
    struct fleet_rules rules = app->fleet_rules;
    struct ledger_walk walk = ledger_walk(t, LIST_PRICE, (struct span){ 0 }, INT64_MAX);
    struct ledger_row row;

    while (ledger_walk_next(&walk, &row)) {
        struct cells cells = cells_of(&row);
        int64_t money;

        if (!text_decimal(cells.at[CELL_PRICE_money], 3, &money))
            (void)fleet_rules_price(&rules, cells.at[CELL_PRICE_item], cells.at[CELL_PRICE_of],
                                    money);
    }
    ledger_walk_done(&walk);
    if (!t->err)
        *out = rules;
    return t->err;
}
