/* nilo rule: the rules of validation, and other figures for them. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <stdlib.h>
#include <string.h>

int cmd_rule_list(const struct args *a)
{
    return list_at(a, "/v1/rules",
                   speaks_chinese()
                       ? "rule judges adjustable state version versions parameters text_zh"
                       : "rule judges adjustable state version versions parameters text_en");
}

int cmd_rule_show(const struct args *a)
{
    return show_at(a, "/v1/rules");
}

int cmd_meter_rules(const struct args *a)
{
    return list_below(a, "/v1/meters", "rules", "rule version state dismissed parameters");
}

int cmd_rule_versions(const struct args *a)
{
    return list_below(a, "/v1/rules", "versions",
                      "version state from use_class dn parameters at by note");
}

/* "factor=2.5" → {"factor":2.5}, with the digits that were typed. */
static bool add_figure(json_t *figures, const char *text)
{
    const char *is = strchr(text, '=');
    char name[40];
    json_t *value;

    if (!is || is == text || (size_t)(is - text) >= sizeof name) {
        say("%s: expected NAME=NUMBER, such as factor=2.5", text);
        return false;
    }
    memcpy(name, text, (size_t)(is - text));
    name[is - text] = 0;
    value = json_loads(is + 1, JSON_DECODE_ANY, NULL);
    if (!json_is_number(value)) {
        say("%s: expected a number behind =", text);
        json_decref(value);
        return false;
    }
    return !json_object_set_new(figures, name, value);
}

static json_t *figures_of(const struct args *a)
{
    json_t *figures = json_object();

    for (unsigned i = 1; figures && i < a->count; i++)
        if (!add_figure(figures, a->positional[i])) {
            json_decref(figures);
            return NULL;
        }
    return figures;
}

int cmd_rule_set(const struct args *a)
{
    struct path path = path_of("/v1/rules");
    json_t *body = json_object(), *figures = figures_of(a);

    path_part(&path, a->positional[0]);
    if (body && figures && !json_object_set(body, "parameters", figures) && body_options(body, a)) {
        json_decref(figures);
        return post_run(a, &path, body);
    }
    json_decref(figures);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_rule_replay(const struct args *a)
{
    struct path path = path_of("/v1/rules");
    json_t *body = json_object(), *figures = a->count > 1 ? figures_of(a) : NULL;
    bool fine = body && (figures || a->count <= 1) && body_options(body, a);

    path_part(&path, a->positional[0]);
    path_part(&path, "replay");
    if (fine && figures)
        fine = !json_object_set(body, "parameters", figures);
    json_decref(figures);
    if (fine)
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_replay_list(const struct args *a)
{
    struct path path = path_of("/v1/replays");

    return list_run(a, &path,
                    "id rule state from zone share meters meters_done came gone moved same "
                    "begun_at ended_at by");
}

int cmd_replay_show(const struct args *a)
{
    return show_at(a, "/v1/replays");
}

int cmd_replay_flags(const struct args *a)
{
    return list_below(a, "/v1/replays", "flags",
                      "change flag kind serial point onset onset_then raised raised_then ended_at "
                      "ended_at_then lost_lpd lost_lpd_then");
}

int cmd_replay_stop(const struct args *a)
{
    struct path path = path_of("/v1/replays");

    path_part(&path, a->positional[0]);
    path_part(&path, "stop");
    return post_run(a, &path, json_object());
}

int cmd_flag_precision(const struct args *a)
{
    struct path path = path_of("/v1/flag-precision");

    query_options(&path, a);
    return list_run(a, &path,
                    "rule by name confirmed dismissed refused precision low high target verdict "
                    "proposal replay");
}

/* "R1,R2" → ["R1","R2"]. */
static json_t *names_of(const char *text)
{
    json_t *names = json_array();

    while (names && *text) {
        size_t len = strcspn(text, ",");

        if (json_array_append_new(names, json_stringn(text, len))) {
            json_decref(names);
            return NULL;
        }
        text += len + (text[len] == ',');
    }
    return names;
}

int cmd_rule_trial(const struct args *a)
{
    struct path path = path_of("/v1/rules");
    const char *routes = args_option(a, "routes");
    json_t *body = json_object(), *figures = a->count > 1 ? figures_of(a) : NULL;
    bool fine = body && (figures || a->count <= 1) && body_options(body, a);

    path_part(&path, a->positional[0]);
    path_part(&path, "trial");
    if (fine && figures)
        fine = !json_object_set(body, "parameters", figures);
    if (fine && routes)
        fine = !json_object_set_new(body, "routes", names_of(routes));
    json_decref(figures);
    if (fine)
        return list_asked(a, &path, body, "point use_class dn from to now then summary");
    json_decref(body);
    return EXIT_USAGE;
}
