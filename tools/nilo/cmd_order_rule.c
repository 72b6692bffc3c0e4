/* nilo order make, rules: orders that a rule makes. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <stdlib.h>

int cmd_order_rules(const struct args *a)
{
    return list_at(a, "/v1/order-rules",
                   speaks_chinese() ? "rule find kind priority again_days auto text_zh"
                                    : "rule find kind priority again_days auto text_en");
}

int cmd_visit_list(const struct args *a)
{
    return list_at(a, "/v1/visits",
                   "point address phone route seq serial causes days last_read_at order");
}

static bool set(json_t *body, const char *name, const char *text)
{
    return !text || !json_object_set_new(body, name, json_string(text));
}

static bool set_limit(json_t *body, const char *text)
{
    char *end;
    long n;

    if (!text)
        return true;
    n = strtol(text, &end, 10);
    if (end == text || *end) {
        say("--limit %s: expected a whole number", text);
        return false;
    }
    return !json_object_set_new(body, "limit", json_integer(n));
}

int cmd_order_make(const struct args *a)
{
    struct path path = path_of("/v1/orders/by-rule");
    json_t *body = json_object();

    if (body && set(body, "rule", a->positional[0]) && set(body, "zone", args_option(a, "zone")) &&
        set(body, "route", args_option(a, "route")) && set_limit(body, args_option(a, "limit")) &&
        (!args_option(a, "dry-run") || !json_object_set_new(body, "dry_run", json_true())))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}
