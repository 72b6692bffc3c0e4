/* nilo cycle: billing cycles from opening to pulling what their closing froze. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

static struct path path_of_cycle(const struct args *a, const char *what)
{
    struct path path = path_of("/v1/cycles");

    path_part(&path, a->positional[0]);
    if (what)
        path_part(&path, what);
    return path;
}

int cmd_cycle_list(const struct args *a)
{
    struct path path = path_of("/v1/cycles");

    query_options(&path, a);
    return list_run(a, &path, "cycle state from to points estimated missing billed_m3 digest");
}

int cmd_cycle_open(const struct args *a)
{
    struct path path = path_of("/v1/cycles");
    json_t *body = json_pack("{s:s,s:s,s:s}", "cycle", a->positional[0], "from",
                             args_option(a, "from"), "to", args_option(a, "to"));
    json_t *routes = json_array();
    const char *file = args_option(a, "routes");
    bool fine = body && routes;

    for (unsigned i = 1; i < a->count && fine; i++)
        fine = !json_array_append_new(routes, json_string(a->positional[i]));
    if (!fine)
        say("ID, ROUTE, --from, --to: expected texts in UTF-8");
    if (fine && file)
        fine = body_serials(file, routes);
    if (fine && !json_object_set(body, "routes", routes)) {
        json_decref(routes);
        return post_run(a, &path, body);
    }
    json_decref(routes);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_cycle_status(const struct args *a)
{
    struct path path = path_of_cycle(a, NULL);

    return show_run(a, &path);
}

static int post_note(const struct args *a, const char *what)
{
    struct path path = path_of_cycle(a, what);
    json_t *body = json_object();

    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_cycle_review(const struct args *a)
{
    return post_note(a, "review");
}

int cmd_cycle_close(const struct args *a)
{
    return post_note(a, "close");
}

#define DETERMINANT_COLUMNS                                                                        \
    "point account start_index_l end_index_l consumption_l billed_m3 days quality method checks"

int cmd_cycle_preview(const struct args *a)
{
    struct path path = path_of_cycle(a, "preview");

    query_options(&path, a);
    return list_run(a, &path, DETERMINANT_COLUMNS " why");
}

#define REVIEW_COLUMNS                                                                             \
    "point account reasons consumption_l median_l days quality exchanged_at flags_open "           \
    "accepted_by"

int cmd_cycle_queue(const struct args *a)
{
    struct path path = path_of_cycle(a, "review");

    query_options(&path, a);
    return list_run(a, &path, REVIEW_COLUMNS);
}

int cmd_route_review(const struct args *a)
{
    return list_below(a, "/v1/routes", "review", REVIEW_COLUMNS);
}

int cmd_cycle_accept(const struct args *a)
{
    struct path path = path_of_cycle(a, "accept");
    json_t *body = json_object(), *points = a->count > 1 ? json_array() : NULL;
    bool fine = body && (points || a->count <= 1);

    for (unsigned i = 1; i < a->count && fine; i++)
        fine = !json_array_append_new(points, json_string(a->positional[i]));
    if (!fine)
        say("POINT: expected texts in UTF-8");
    if (fine && points)
        fine = !json_object_set(body, "points", points);
    json_decref(points);
    if (fine && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_cycle_pull(const struct args *a)
{
    struct path path = path_of_cycle(a, "determinants");

    query_options(&path, a);
    return list_run(a, &path, DETERMINANT_COLUMNS);
}

int cmd_cycle_settled(const struct args *a)
{
    struct path path = path_of_cycle(a, "settled");
    json_t *body = json_object();

    if (body && !args_option(a, "cursor"))
        json_object_set_new(body, "all", json_true());
    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_cycle_unsettled(const struct args *a)
{
    struct path path = path_of_cycle(a, "unsettled");

    query_options(&path, a);
    return list_run(a, &path, DETERMINANT_COLUMNS);
}

int cmd_adjustment_list(const struct args *a)
{
    struct path path = path_of("/v1/adjustments");

    query_options(&path, a);
    return list_run(a, &path,
                    "id cycle point delta_l delta_m3 reason at corrects value_l value_m3");
}
