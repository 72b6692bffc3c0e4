/* nilo figure: figures of civil months, what stands behind them, closing. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_figure_list(const struct args *a)
{
    return list_at(a, "/v1/figures",
                   speaks_chinese()
                       ? "level org route figure text_zh numerator denominator value target "
                         "excluded final later"
                       : "level org route figure text_en numerator denominator value target "
                         "excluded final later");
}

int cmd_figure_show(const struct args *a)
{
    return show_at(a, "/v1/figures");
}

int cmd_figure_behind(const struct args *a)
{
    return list_below(a, "/v1/figures", "list",
                      "date stands_in without point account serial route org subject");
}

int cmd_figure_close(const struct args *a)
{
    struct path path = path_of("/v1/figures");
    json_t *body = json_object();

    path_part(&path, a->positional[0]);
    path_part(&path, "close");
    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_figure_months(const struct args *a)
{
    return list_at(a, "/v1/figure-months", "month frozen_at frozen_by groups digest");
}
