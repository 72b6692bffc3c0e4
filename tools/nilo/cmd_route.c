/* nilo route: day sheets of routes. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

static struct path path_of_day(const struct args *a, const char *what)
{
    struct path path = path_of("/v1/routes");

    path_part(&path, a->positional[0]);
    path_part(&path, "day");
    if (what)
        path_part(&path, what);
    return path;
}

int cmd_route_day(const struct args *a)
{
    struct path path = path_of_day(a, NULL);

    query_options(&path, a);
    return list_run(a, &path,
                    "seq point address serial due remote_l manual_l difference_l use_l state "
                    "reason reason_zh");
}
