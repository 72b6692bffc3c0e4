/* nilo order: work for crews, made, given, begun, reported, cancelled and looked at. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <string.h>

int cmd_order_list(const struct args *a)
{
    return list_at(a, "/v1/orders",
                   speaks_chinese()
                       ? "order kind_zh state_zh priority point serial assignee due late result_zh "
                         "tour address reason"
                       : "order kind state priority point serial assignee due late result tour "
                         "address reason"); /* the longest last */
}

int cmd_order_show(const struct args *a)
{
    return show_at(a, "/v1/orders");
}

/* Releases `body`; NULL: no memory. */
static int post(const struct args *a, const struct path *path, json_t *body)
{
    if (body && body_options(body, a))
        return post_run(a, path, body);
    json_decref(body);
    return EXIT_USAGE;
}

static struct path path_of_order(const struct args *a, const char *what)
{
    struct path path = path_of("/v1/orders");

    path_part(&path, a->positional[0]);
    if (what)
        path_part(&path, what);
    return path;
}

int cmd_order_create(const struct args *a)
{
    struct path path = path_of("/v1/orders");

    return post(a, &path, json_pack("{s:s}", "kind", a->positional[0]));
}

int cmd_order_change(const struct args *a)
{
    struct path path = path_of_order(a, NULL);

    return post(a, &path, json_object());
}

int cmd_order_start(const struct args *a)
{
    struct path path = path_of_order(a, "start");

    return post(a, &path, json_object());
}

int cmd_order_cancel(const struct args *a)
{
    struct path path = path_of_order(a, "cancel");

    return post(a, &path, json_object());
}

/* ---- giving orders to somebody ---- */

static bool add_orders(const struct args *a, json_t *orders)
{
    const char *file = args_option(a, "file");

    for (unsigned i = 1; i < a->count; i++) {
        if (json_array_append_new(orders, json_string(a->positional[i]))) {
            say("%s: expected an order's name in UTF-8", a->positional[i]);
            return false;
        }
    }
    if (file && !body_serials(file, orders))
        return false;
    if (json_array_size(orders))
        return true;
    say("which orders? Name them, or a file of their names with --file");
    return false;
}

int cmd_order_assign(const struct args *a)
{
    struct path path = path_of("/v1/orders/assign");
    json_t *orders = json_array(), *body;

    if (!orders || !add_orders(a, orders)) {
        json_decref(orders);
        return EXIT_USAGE;
    }
    body = json_pack("{s:s, s:o}", "assignee", a->positional[0], "orders", orders);
    return body ? post_run(a, &path, body) : EXIT_USAGE;
}

/* ---- reports ---- */

/* Two options are one member of the body: found or not. */
static bool set_found(const struct args *a, json_t *body)
{
    bool found = args_option(a, "found") != NULL, nothing = args_option(a, "nothing-found") != NULL;

    json_object_del(body, "nothing_found");
    if (found && nothing) {
        say("--found and --nothing-found do not go together");
        return false;
    }
    return !(found || nothing) || !json_object_set_new(body, "found", json_boolean(found));
}

int cmd_order_done(const struct args *a)
{
    struct path path = path_of_order(a, "done");
    json_t *body = json_object();

    if (body && body_options(body, a) && set_found(a, body))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}
