/* nilo tier: what was settled within a civil year, the base of annual tiers. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

static int show(const struct args *a, const char *where)
{
    struct path path = path_of(where);

    path_part(&path, a->positional[0]);
    path_part(&path, "tier");
    query_options(&path, a);
    return show_run(a, &path);
}

int cmd_tier_point(const struct args *a)
{
    return show(a, "/v1/points");
}

int cmd_tier_account(const struct args *a)
{
    return show(a, "/v1/accounts");
}

int cmd_tier_route(const struct args *a)
{
    return list_below(a, "/v1/routes", "tier",
                      "point account m3 billed_m3 adjusted_m3 cycles missing others_m3 open_from "
                      "open_m3 open_quality");
}
