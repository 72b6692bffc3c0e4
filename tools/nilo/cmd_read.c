/* nilo reading, consumption: what meters said, and what it comes to. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

int cmd_reading_list(const struct args *a)
{
    struct path path = path_of("/v1/meters");

    path_part(&path, a->positional[0]);
    path_part(&path, "readings");
    query_options(&path, a);
    return list_run(a, &path, "time channel index_l source quality suspect rule");
}

int cmd_account_consumption(const struct args *a)
{
    struct path path = path_of("/v1/accounts");

    path_part(&path, a->positional[0]);
    path_part(&path, "consumption");
    query_options(&path, a);
    if (args_option(a, "step"))
        return list_run(a, &path, "from to consumption_l billed_m3 quality method");
    return show_run(a, &path);
}

int cmd_consumption(const struct args *a)
{
    struct path path = path_of("/v1/points");

    path_part(&path, a->positional[0]);
    path_part(&path, "consumption");
    query_options(&path, a);
    if (args_option(a, "step"))
        return list_run(a, &path, "from to consumption_l billed_m3 quality method checks");
    return show_run(a, &path);
}
