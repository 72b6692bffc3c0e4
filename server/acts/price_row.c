/* What a row of the list of prices may say: one of what fleet_rules_price knows. */
#include "server/acts/register_priv.h"
#include "server/fleet/defaults.h"
#include "server/prices.h"

static const struct {
    const char *item, *of, *money;
} items[] = {
    { "water", "residential, commercial, industrial, public or hydrant", "an amount from 0" },
    { "change", "a DN from 1 to 5000, in mm, of 32 sizes at most", "an amount from 0" },
    { "edit", "m3 or percent", "cubic metres from 0, or whole percents from 0 to 1000" },
    { "wear", "a model or other, of 256 at most", "percents from 0 to 50" },
};

enum err price_row_check(struct app *app, struct txn *t, const struct cells *cells,
                         struct import_refusal *why)
{
    const struct list *l = list_of(LIST_PRICE);
    struct span item = cells->at[CELL_PRICE_item], of = cells->at[CELL_PRICE_of];
    struct span told = cells->at[CELL_PRICE_money];
    struct fleet_rules rules;
    int64_t money;
    enum err err = fleet_rules_now(app, t, &rules);

    if (err || (!text_decimal(told, 3, &money) && fleet_rules_price(&rules, item, of, money)))
        return err;
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        if (!span_equal(item, span_text(items[i].item)))
            continue;
        if (!fleet_rules_price(&rules, item, of, 0))
            return row_refuse(why, ERR_INVALID, &l->column[CELL_PRICE_of], of, "%s", items[i].of);
        return row_refuse(why, ERR_INVALID, &l->column[CELL_PRICE_money], told, "%s",
                          items[i].money);
    }
    return row_refuse(why, ERR_INVALID, &l->column[CELL_PRICE_item], item,
                      "water, change, edit or wear");
}
