/* nilo quarantine, reject, stat, clock, token, settle: running a server. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_quarantine_list(const struct args *a)
{
    struct path path = path_of("/v1/quarantine");

    query_options(&path, a);
    return list_run(a, &path, "id arrived_at name why dialect peer len");
}

int cmd_quarantine_summary(const struct args *a)
{
    struct path path = path_of("/v1/quarantine/summary");

    return list_run(a, &path, "why dialect count oldest newest name");
}

int cmd_reject_list(const struct args *a)
{
    struct path path = path_of("/v1/rejects");

    query_options(&path, a);
    return list_run(a, &path, "id arrived_at name why dialect peer len bytes");
}

int cmd_quarantine_retry(const struct args *a)
{
    const char *name = args_option(a, "name");
    struct path path = path_of("/v1/quarantine/retry");

    return post_run(a, &path, name ? json_pack("{s:s}", "name", name) : json_object());
}

int cmd_stat(const struct args *a)
{
    struct path path = path_of("/v1/stat");

    return show_run(a, &path);
}

int cmd_clock_show(const struct args *a)
{
    struct path path = path_of("/v1/clock");

    return show_run(a, &path);
}

int cmd_clock_set(const struct args *a)
{
    struct path path = path_of("/v1/clock");

    return post_run(a, &path, json_pack("{s:s}", "now", a->positional[0]));
}

/* Alone, so that a script can take it; as JSON where that was asked for. */
int cmd_token_create(const struct args *a)
{
    struct path path = path_of("/v1/tokens");
    const char *format = args_option(a, "format"), *expires = args_option(a, "expires");
    enum format ignored;
    struct api *c;
    struct api_answer answer;
    json_t *body;
    int code = EXIT_FAILED;

    if (!format_read(a, &ignored))
        return EXIT_USAGE;
    c = api_open(a);
    if (!c)
        return EXIT_FAILED;
    body = json_pack("{s:s, s:s, s:s*, s:s*}", "role", args_option(a, "role"), "name",
                     args_option(a, "name"), "org", args_option(a, "org"), "expires", expires);
    if (api_ask(c, "POST", &path, body, &answer)) {
        const char *token = json_string_value(json_object_get(answer.json, "token"));

        if (format)
            sheet_object(answer.json, answer.text, ignored, stdout);
        else if (token)
            puts(token);
        else
            say("the server's answer holds no token");
        code = token ? EXIT_DONE : EXIT_FAILED;
        api_answer_done(&answer);
    }
    json_decref(body);
    api_close(c);
    return code;
}

int cmd_settle(const struct args *a)
{
    struct path path = path_of("/v1/settle");
    struct api *c = api_open(a);
    struct api_answer answer;
    bool ok;

    if (!c)
        return EXIT_FAILED;
    ok = api_ask(c, "POST", &path, NULL, &answer);
    if (ok)
        api_answer_done(&answer);
    api_close(c);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
