/* nilo command: what meters are asked to do. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <stdlib.h>
#include <string.h>

static struct path path_of_meter(const struct args *a)
{
    struct path path = path_of("/v1/meters");

    path_part(&path, a->positional[0]);
    path_part(&path, "commands");
    return path;
}

/* The member that a command's value goes by; NULL: it has none. */
static const char *member_of(const char *what)
{
    static const struct {
        const char *what, *member;
    } members[] = { { "report_every", "report_every_s" },
                    { "report_offset", "report_offset_s" },
                    { "step", "step_s" },
                    { "base_index", "base_index_l" } };

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(what, members[i].what) == 0)
            return members[i].member;
    return NULL;
}

static bool is_whole(const char *text, long long *out)
{
    char *end;

    *out = strtoll(text, &end, 10);
    return end != text && *end == 0;
}

/* Puts VALUE into the body. False: said why. */
static bool put_value(json_t *body, const char *what, const char *value)
{
    const char *member = member_of(what);
    long long number;

    if (strcmp(what, "valve") == 0) {
        bool open = value && strcmp(value, "open") == 0;

        if (!open && (!value || strcmp(value, "close") != 0)) {
            say("command send METER valve: expected open or close");
            return false;
        }
        return json_object_set_new(body, "open", json_boolean(open)) == 0;
    }
    if (!member && !value)
        return true; /* the server says what it does not know */
    if (!member || !value || !is_whole(value, &number)) {
        say("command send METER %s: expected %s", what,
            member ? "a whole number after it" : "nothing after it");
        return false;
    }
    return json_object_set_new(body, member, json_integer(number)) == 0;
}

int cmd_command_send(const struct args *a)
{
    static const char *const options[] = { "from", "to", "expires" };
    const char *what = a->positional[1], *value = a->count > 2 ? a->positional[2] : NULL;
    struct path path = path_of_meter(a);
    json_t *body = json_pack("{s:s}", "what", what);

    if (!body || !put_value(body, what, value)) {
        json_decref(body);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (args_option(a, options[i]))
            json_object_set_new(body, options[i], json_string(args_option(a, options[i])));
    return post_run(a, &path, body);
}

int cmd_command_list(const struct args *a)
{
    struct path path = path_of_meter(a);

    query_options(&path, a);
    return list_run(
        a, &path,
        "id what open state requested_at requested_by two_persons approved_by sent_at ended_at "
        "attempts expires reason");
}

static int decide(const struct args *a, const char *word)
{
    struct path path = path_of_meter(a);

    path_part(&path, a->positional[1]);
    path_part(&path, word);
    return post_run(a, &path, NULL);
}

int cmd_command_approve(const struct args *a)
{
    return decide(a, "approve");
}

int cmd_command_cancel(const struct args *a)
{
    return decide(a, "cancel");
}
