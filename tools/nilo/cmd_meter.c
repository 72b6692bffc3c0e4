/* nilo meter event, events, exchange, history: what happens to meters. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERIALS_LINE 256
#define MEMBER_SIZE 32

/* The member that an option becomes: its name with _ for -, but for these. */
static void member_of(const char *option, char out[MEMBER_SIZE])
{
    static const struct {
        const char *option, *member;
    } others[] = { { "index", "index_l" },         { "old", "old_serial" },
                   { "old-index", "old_index_l" }, { "new", "new_serial" },
                   { "new-index", "new_index_l" }, { "dial", "dial_l" },
                   { "counted", "counted_l" } };
    const char *name = option;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(option, others[i].option) == 0)
            name = others[i].member;
    }
    snprintf(out, MEMBER_SIZE, "%s", name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : *c;
}

bool body_options(json_t *body, const struct args *a)
{
    for (unsigned i = 0; i < a->table->option_count; i++) {
        const struct command_option *o = &a->table->options[i];
        char member[MEMBER_SIZE];

        if (o->command != a->command->id || !a->value[i])
            continue;
        member_of(o->name, member);
        if (json_object_set_new(body, member,
                                o->argument ? json_string(a->value[i]) : json_true())) {
            say("--%s: expected a text in UTF-8", o->name);
            return false;
        }
    }
    return true;
}

static int post_body(const struct args *a, const struct path *path, json_t *body)
{
    if (body && body_options(body, a))
        return post_run(a, path, body);
    json_decref(body);
    return EXIT_USAGE;
}

static struct path path_of_meter(const struct args *a, const char *what)
{
    struct path path = path_of("/v1/meters");

    path_part(&path, a->positional[0]);
    path_part(&path, what);
    return path;
}

int cmd_meter_event(const struct args *a)
{
    struct path path = path_of_meter(a, "events");

    return post_body(a, &path, json_pack("{s:s}", "event", a->positional[1]));
}

int cmd_meter_exchange(const struct args *a)
{
    struct path path = path_of("/v1/exchanges");

    return post_body(a, &path, json_pack("{s:s}", "point", a->positional[0]));
}

int cmd_meter_history(const struct args *a)
{
    struct path path = path_of_meter(a, "history");

    query_options(&path, a);
    return list_run(a, &path,
                    "at event state point index_l document crew certificate reason note who");
}

int cmd_meter_offset(const struct args *a)
{
    struct path path = path_of_meter(a, "offset");

    return post_body(a, &path, json_object());
}

int cmd_meter_offsets(const struct args *a)
{
    return list_below(a, "/v1/meters", "offsets", "at dial_l counted_l told_by told_at note");
}

int cmd_meter_frames(const struct args *a)
{
    return list_below(a, "/v1/meters", "frames",
                      "arrived_at dialect transport peer len fault bytes");
}

/* A serial a line; blanks around it and empty lines are no harm. */
static bool read_serials(FILE *file, json_t *serials)
{
    char line[SERIALS_LINE];

    while (fgets(line, sizeof line, file)) {
        char *word = line + strspn(line, " \t\r\n");

        word[strcspn(word, " \t\r\n")] = 0;
        if (*word && json_array_append_new(serials, json_string(word))) {
            say("what stands in the file is no serial: it is not UTF-8");
            return false;
        }
    }
    return true;
}

bool body_serials(const char *name, json_t *serials)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    bool fine;

    if (!file) {
        say_of_file("%s: cannot be opened: %s", name, strerror(errno));
        return false;
    }
    fine = read_serials(file, serials);
    if (ferror(file)) {
        say_of_file("%s: cannot be read: %s", name, strerror(errno));
        fine = false;
    }
    if (file != stdin)
        fclose(file);
    return fine;
}

int cmd_meter_events(const struct args *a)
{
    struct path path = path_of("/v1/events");
    json_t *serials = json_array();
    json_t *body;

    if (!serials || !body_serials(a->positional[1], serials)) {
        json_decref(serials);
        return EXIT_FAILED;
    }
    body = json_pack("{s:s, s:o}", "event", a->positional[0], "serials", serials);
    return post_body(a, &path, body);
}
