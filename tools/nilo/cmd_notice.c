/* nilo notice: what customers were told, and what they want to be told. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHOICES_MAX 10000 /* in one request, all or none */

int cmd_notice_list(const struct args *a)
{
    return list_at(a, "/v1/notices",
                   speaks_chinese() ? "id kind part state why account point phone due text_zh"
                                    : "id kind part state why account point phone due text_en");
}

int cmd_notice_show(const struct args *a)
{
    return show_at(a, "/v1/notices");
}

int cmd_notice_choices(const struct args *a)
{
    return list_at(a, "/v1/notices/choices", "account notices since who");
}

static bool add(json_t *choices, const char *account, const char *notices)
{
    json_t *one = json_pack("{s:s,s:s}", "account", account, "notices", notices);

    return one && !json_array_append_new(choices, one);
}

/* A line each: ACCOUNT,WHAT with a header or without; WHAT may have commas itself. */
static bool add_file(json_t *choices, const char *name)
{
    bool standard = strcmp(name, "-") == 0, fine;
    FILE *f = standard ? stdin : fopen(name, "re");
    char line[1024];
    unsigned number = 0;

    if (!f) {
        say_of_file("%s: %s", name, strerror(errno));
        return false;
    }
    for (fine = true; fine && fgets(line, sizeof line, f);) {
        char *comma;

        number++;
        line[strcspn(line, "\r\n")] = 0;
        if (!line[0] || (number == 1 && strcmp(line, "account,notices") == 0))
            continue;
        comma = strchr(line, ',');
        fine = comma && json_array_size(choices) < CHOICES_MAX;
        if (fine) {
            char *what = comma + 1;
            size_t len = strlen(what);

            *comma = 0;
            if (len > 1 && *what == '"' && what[len - 1] == '"') {
                what[len - 1] = 0;
                what++;
            }
            fine = add(choices, line, what);
        }
        if (!fine)
            say_of_file("%s: line %u: expected ACCOUNT,WHAT, at most %d lines", name, number,
                        CHOICES_MAX);
    }
    if (!standard)
        fclose(f);
    return fine;
}

int cmd_notice_choose(const struct args *a)
{
    struct path path = path_of("/v1/notices/choices");
    json_t *choices = json_array(), *body;
    const char *file = args_option(a, "file");
    bool fine = choices && (a->count == 2 || (a->count == 0 && file));

    if (!fine)
        say("expected ACCOUNT and WHAT, or --file FILE");
    if (fine && a->count == 2)
        fine = add(choices, a->positional[0], a->positional[1]);
    if (fine && file)
        fine = add_file(choices, file);
    body = fine ? json_pack("{s:O}", "choices", choices) : NULL;
    json_decref(choices);
    return body ? post_run(a, &path, body) : EXIT_USAGE;
}
