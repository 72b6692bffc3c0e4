/* nilo import: a file of the register or of readings, streamed to the server; every refused row is
 * told. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/nilo/columns.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

static const char *const lists[] = {
#define LIST(kind, plural) #plural,
#define COLUMN(kind, name, type, need)
#include "server/fleet/columns.def"
#undef LIST
#undef COLUMN
    "readings",
    "keys",
    "events",
};

static bool list_known(const char *name)
{
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (!strcmp(lists[i], name))
            return true;
    say("there is no list '%s' to import; see nilo help import", name);
    return false;
}

static long long count(const json_t *report, const char *name)
{
    return json_integer_value(json_object_get(report, name));
}

static const char *text(const json_t *row, const char *name)
{
    const char *value = json_string_value(json_object_get(row, name));

    return value ? value : "";
}

/* What a person looks through; a file takes all of them. */
#define TOLD_ON_A_TERMINAL 20

static void say_refusals(const char *file, const json_t *report)
{
    const json_t *refusals = json_object_get(report, "refusals"), *row;
    size_t most = isatty(STDERR_FILENO) ? TOLD_ON_A_TERMINAL : SIZE_MAX, i;

    json_array_foreach(refusals, i, row)
    {
        const char *column = text(row, "column"), *found = text(row, "found");

        if (i == most)
            break;
        if (!strncmp(column, found,
                     strlen(column))) /* a header's fault: what was found is the column */
            column = "";
        say_of_file("%s:%lld: %s%sexpected %s, found %s", file, count(row, "line"), column,
                    *column ? ": " : "", text(row, "expected"), found);
    }
    if ((long long)i < count(report, "refused"))
        say_of_file("%s: and %lld more%s", file, count(report, "refused") - (long long)i,
                    i == most ? "; 2> FILE keeps them all" : "");
}

static void say_warnings(const char *file, const json_t *report)
{
    const json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(report, "warnings"), i, warning)
        say_of_file("%s: %s", file,
                    json_is_string(warning) ? json_string_value(warning) : text(warning, "text"));
}

static void print_report(const struct args *a, enum format format, const char *list,
                         const struct api_answer *answer)
{
    const json_t *report = answer->json;

    if (format != FORMAT_TABLE) {
        sheet_object(answer->json, answer->text, format, stdout);
        return;
    }
    printf("%s: %lld rows; %lld written, %lld unchanged, %lld refused%s\n", list,
           count(report, "rows"), count(report, "written"), count(report, "unchanged"),
           count(report, "refused"),
           args_option(a, "dry-run") ? " (dry run: nothing is kept)" : "");
    if (count(report, "bare"))
        printf("%lld zones, routes, orgs or parents were created bare, for a row named them\n",
               count(report, "bare"));
}

/* ---- --report ---- */

static void put_csv(FILE *to, const char *cell)
{
    if (!strpbrk(cell, ",\"\r\n")) {
        fputs(cell, to);
        return;
    }
    putc('"', to);
    for (; *cell; cell++) {
        if (*cell == '"')
            putc('"', to);
        putc(*cell, to);
    }
    putc('"', to);
}

/* Every refused row that the server told, for whoever mends the file. False: said why. */
static bool write_report(const char *name, const json_t *report)
{
    FILE *to = fopen(name, "w");
    const json_t *row;
    bool failed;
    size_t i;

    if (!to) {
        say("%s cannot be written: %s", name, strerror(errno));
        return false;
    }
    fputs("line,column,found,expected\r\n", to);
    json_array_foreach(json_object_get(report, "refusals"), i, row)
    {
        fprintf(to, "%lld,", count(row, "line"));
        put_csv(to, text(row, "column"));
        putc(',', to);
        put_csv(to, text(row, "found"));
        putc(',', to);
        put_csv(to, text(row, "expected"));
        fputs("\r\n", to);
    }
    failed = ferror(to);
    failed |= fclose(to) != 0;
    if (failed)
        say("%s cannot be written: %s", name, strerror(errno));
    else if ((long long)i)
        say_of_file("%s: %lld refused rows", name, (long long)i);
    return !failed;
}

/* ---- a file ---- */

static int import(const struct args *a, enum format format, struct api *c, const char *list,
                  const char *name, FILE *file)
{
    const char *report = args_option(a, "report");
    struct path path = path_of("/v1/import");
    struct api_answer answer;
    int code = EXIT_FAILED;

    path_part(&path, list);
    path_query(&path, "keep_going", args_option(a, "keep-going") ? "1" : NULL);
    path_query(&path, "dry_run", args_option(a, "dry-run") ? "1" : NULL);
    path_query(&path, "times_in", args_option(a, "times-in"));
    if (!api_upload(c, &path, file, &answer))
        return EXIT_FAILED;
    if (!report)
        say_refusals(name, answer.json);
    else if (!write_report(report, answer.json)) {
        api_answer_done(&answer);
        return EXIT_FAILED;
    }
    say_warnings(name, answer.json);
    if (answer.status < 400 && !json_is_integer(json_object_get(answer.json, "rows"))) {
        say("%s: what answered says nothing of rows, so it was no nilod; look at --server", name);
    } else if (answer.status < 400) {
        print_report(a, format, list, &answer);
        code = EXIT_DONE;
    } else if (count(answer.json, "refused") && !count(answer.json, "rows")) {
        say("%s: the header is refused, so nothing was read and nothing was written", name);
    } else if (count(answer.json, "refused")) {
        say("%s: %lld of %lld rows are refused, so nothing was written; mend them, or say "
            "--keep-going to leave them out",
            name, count(answer.json, "refused"), count(answer.json, "rows"));
    } else {
        api_say_refusal(c, "POST", &path, &answer);
    }
    api_answer_done(&answer);
    return code;
}

void import_explain_files(void)
{
    const struct file_column *at = file_columns, *end = at + sizeof file_columns / sizeof *at;
    char text[400];

    putchar('\n');
    args_print_beside("", 3, FILE_COLUMNS_TOLD);
    putchar('\n');
    while (at < end) {
        const char *list = (at++)->list;
        size_t len = 0;

        for (; at < end && !at->list; at++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s", len ? " " : "",
                                    at->name, at->must ? "*" : "");
        args_print_beside(list, 14, text);
    }
}

static int import_file(const struct args *a, enum format format, const char *list, const char *name)
{
    bool standard = !strcmp(name, "-");
    FILE *file = standard ? stdin : fopen(name, "rb");
    struct stat st;
    struct api *c;
    int code = EXIT_FAILED;

    if (file && !standard && !fstat(fileno(file), &st) && S_ISDIR(st.st_mode)) {
        fclose(file);
        file = NULL;
        errno = EISDIR;
    }
    if (!file) {
        say("%s cannot be read: %s", name, strerror(errno));
        return EXIT_FAILED;
    }
    c = api_open(a);
    if (c)
        code = import(a, format, c, list, standard ? "standard input" : name, file);
    api_close(c);
    if (!standard)
        fclose(file);
    return code;
}

/* ---- --all ---- */

/* The files of an export, one after the other: a list may name what those before it hold. */
static int import_all(const struct args *a, enum format format, const char *dir)
{
    int code = EXIT_DONE;

    if (args_option(a, "report")) {
        say("--report goes with one file: it would hold the refused rows of the last one alone");
        return EXIT_USAGE;
    }
    if (!export_is_whole(dir))
        return EXIT_FAILED;
    for (size_t i = 0; fleet_files[i] && code == EXIT_DONE; i++) {
        char name[1024];
        int len = snprintf(name, sizeof name, "%s/%s.csv", dir, fleet_files[i]);

        if (len >= (int)sizeof name) {
            say("%s is too long a name", dir);
            return EXIT_FAILED;
        }
        code = import_file(a, format, fleet_files[i], name);
    }
    return code;
}

int cmd_import(const struct args *a)
{
    const char *all = args_option(a, "all");
    enum format format;

    if (!format_read(a, &format))
        return EXIT_USAGE;
    if (a->count != (all ? 0 : 2)) {
        say("import takes LIST and FILE, or --all and a folder");
        return EXIT_USAGE;
    }
    if (all)
        return import_all(a, format, all);
    return list_known(a->positional[0]) ? import_file(a, format, a->positional[0], a->positional[1])
                                        : EXIT_USAGE;
}
