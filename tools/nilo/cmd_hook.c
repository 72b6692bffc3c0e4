/* nilo hook: who is told of what happens, and how that goes. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <stdio.h>
#include <string.h>

#define SECRET_MOST 256

int cmd_hook_list(const struct args *a)
{
    return list_at(a, "/v1/hooks",
                   "name url kinds enabled org backlog dead last_status last_why failing_since");
}

int cmd_hook_show(const struct args *a)
{
    return show_at(a, "/v1/hooks");
}

/* Words with commas between. */
static json_t *kinds_of(const char *text)
{
    json_t *list = json_array();

    while (list && *text) {
        size_t len = strcspn(text, ",");

        if (json_array_append_new(list, json_stringn(text, len))) {
            json_decref(list);
            return NULL;
        }
        text += len + (text[len] == ',');
    }
    return list;
}

/* The first line of a file: a command line is everybody's to read. False: said why. */
static bool secret_of(const char *file, json_t *body)
{
    char line[SECRET_MOST + 3] = "";
    bool standard = strcmp(file, "-") == 0;
    FILE *f = standard ? stdin : fopen(file, "re");
    bool fine = f && fgets(line, sizeof line, f);

    if (f && !standard)
        fclose(f);
    line[strcspn(line, "\r\n")] = 0;
    fine = fine && !json_object_set_new(body, "secret", json_string(line));
    explicit_bzero(line, sizeof line);
    if (!fine)
        say("%s: no secret can be read from it", file);
    return fine;
}

static bool put(json_t *body, const struct args *a, const char *name)
{
    const char *value = args_option(a, name);

    return !value || !json_object_set_new(body, name, json_string(value));
}

/* What both commands have; `body` is released where it is not sent. */
static int post_hook(const struct args *a, json_t *body)
{
    struct path path = path_of("/v1/hooks");
    const char *kinds = args_option(a, "kinds"), *file = args_option(a, "secret-file");
    bool fine = body && !json_object_set_new(body, "name", json_string(a->positional[0])) &&
                put(body, a, "url") && put(body, a, "org") &&
                (!kinds || !json_object_set_new(body, "kinds", kinds_of(kinds)));

    if (!fine)
        say("expected texts in UTF-8");
    if (fine && args_option(a, "pause"))
        fine = !json_object_set_new(body, "enabled", json_false());
    if (fine && (!file || secret_of(file, body)))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_hook_add(const struct args *a)
{
    json_t *body = json_object();

    if (body && !put(body, a, "since")) {
        json_decref(body);
        body = NULL;
    }
    return post_hook(a, body);
}

int cmd_hook_change(const struct args *a)
{
    json_t *body = json_object();

    if (body && args_option(a, "resume"))
        json_object_set_new(body, "enabled", json_true());
    return post_hook(a, body);
}

static struct path path_of_hook(const struct args *a)
{
    struct path path = path_of("/v1/hooks");

    path_part(&path, a->positional[0]);
    return path;
}

int cmd_hook_remove(const struct args *a)
{
    struct path path = path_of_hook(a);
    json_t *body = json_object();

    path_part(&path, "remove");
    if (body && body_options(body, a))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_hook_test(const struct args *a)
{
    struct path path = path_of_hook(a);

    path_part(&path, "test");
    return post_run(a, &path, NULL);
}

int cmd_hook_dead(const struct args *a)
{
    return list_below(a, "/v1/hooks", "dead",
                      "id kind since tried_at attempts last_status last_why again");
}

int cmd_hook_retry(const struct args *a)
{
    struct path path = path_of_hook(a);

    path_part(&path, "dead");
    path_part(&path, a->positional[1]);
    path_part(&path, "retry");
    return post_run(a, &path, NULL);
}
