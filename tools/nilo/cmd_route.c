/* nilo route: day sheets of routes. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <string.h>

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
                    speaks_chinese()
                        ? "seq point address serial due remote_l manual_l difference_l use_l "
                          "state reason_zh"
                        : "seq point address serial due remote_l manual_l difference_l use_l "
                          "state reason_en");
}

/* `remarks`: POINT=TEXT each. */
static bool add_remarks(json_t *body, const struct args *a)
{
    json_t *remarks = json_array();
    bool fine = remarks != NULL;

    for (unsigned i = 1; i < a->count && fine; i++) {
        const char *text = strchr(a->positional[i], '=');
        size_t len = text ? (size_t)(text - a->positional[i]) : 0;

        fine = len &&
               !json_array_append_new(remarks, json_pack("{s:s%,s:s}", "point", a->positional[i],
                                                         len, "remark", text + 1));
        if (!fine)
            say("%s: expected POINT=REMARK", a->positional[i]);
    }
    if (fine && a->count > 1)
        fine = !json_object_set(body, "remarks", remarks);
    json_decref(remarks);
    return fine;
}

int cmd_route_sign(const struct args *a)
{
    struct path path = path_of_day(a, "sign");
    json_t *body = json_object();

    if (body && body_options(body, a) && add_remarks(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

static int post_point(const struct args *a, const char *what)
{
    struct path path = path_of_day(a, what);
    json_t *body = json_pack("{s:s}", "point", a->positional[1]);

    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_route_dispute(const struct args *a)
{
    return post_point(a, "dispute");
}

int cmd_route_resolve(const struct args *a)
{
    return post_point(a, "resolve");
}

int cmd_route_sample(const struct args *a)
{
    struct path path = path_of_day(a, "sample");

    query_options(&path, a);
    return list_run(a, &path, "rank seq point address serial recheck_l recheck_by agrees note");
}

int cmd_route_recheck(const struct args *a)
{
    return post_point(a, "recheck");
}

int cmd_route_rechecks(const struct args *a)
{
    return list_at(a, "/v1/routes/rechecks",
                   "date route level point reader read_l recheck_l recheck_by agrees note");
}

int cmd_route_accuracy(const struct args *a)
{
    return list_at(a, "/v1/routes/accuracy", "by name reread agreeing deviating accuracy_pct");
}

int cmd_route_rotation(const struct args *a)
{
    return list_at(a, "/v1/routes/rotation", "route org reader since days overdue proposal");
}

int cmd_route_signed(const struct args *a)
{
    return list_below(a, "/v1/routes", "signed",
                      "date signed_by signed_at points ok missing odd note");
}
