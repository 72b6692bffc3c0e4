#include "tools/nilo/listing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/zonefile.h"
#include "tools/nilo/sheet.h"

#define FORM_TYPE_XLSX "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

void query_options(struct path *p, const struct args *a)
{
    for (unsigned i = 0; i < a->table->option_count; i++) {
        const struct command_option *o = &a->table->options[i];
        char name[32];

        if (o->command != a->command->id)
            continue;
        snprintf(name, sizeof name, "%s", o->name);
        for (char *at = name; *at; at++)
            if (*at == '-')
                *at = '_';
        path_query(p, name, a->value[i] && !o->argument ? "1" : a->value[i]);
    }
}

/* Tables show the civil time of the utility, where its server tells it and this machine knows it.
 * False: nobody answered, and why was said. */
static bool times_as_the_server(struct api *c)
{
    static struct zone zone;
    struct path path = path_of("/v1/clock");
    struct api_answer a;
    const char *name;

    if (!api_try(c, "GET", &path, NULL, &a))
        return false;
    name = json_string_value(json_object_get(a.json, "tz"));
    if (a.status < 400 && name && !zone_load(name, &zone, NULL))
        sheet_times_in(&zone);
    api_answer_done(&a);
    return true;
}

/* ---- lists ---- */

#define JSON_BEGIN "{\"rows\":["

struct printing {
    enum format format;
    const char *columns;
    struct sheet *sheet;
    uint64_t rows;
};

static bool print_row(void *arg, const char *text, json_t *row)
{
    struct printing *p = arg;

    if (p->sheet)
        return sheet_row(p->sheet, row);
    if (p->format == FORMAT_CSV) {
        csv_row(p->columns, row, stdout);
        return !ferror(stdout);
    }
    if (p->format == FORMAT_JSON)
        fputs(p->rows ? ",\n" : JSON_BEGIN, stdout);
    p->rows++;
    fputs(text, stdout);
    if (p->format == FORMAT_NDJSON)
        fputc('\n', stdout);
    return !ferror(stdout);
}

static int print_rows(struct api *c, const struct path *path, enum format format,
                      const char *columns)
{
    struct printing p = { .format = format, .columns = columns };
    uint64_t rows = 0;
    bool ok;

    if (format == FORMAT_TABLE && !(p.sheet = sheet_new(columns, stdout))) {
        say("no memory is left");
        return EXIT_FAILED;
    }
    if (format == FORMAT_CSV)
        csv_heading(columns, stdout);
    ok = api_rows(c, path, print_row, &p, &rows);
    if (ok && format == FORMAT_JSON)
        printf("%s],\"next\":null}\n", p.rows ? "" : JSON_BEGIN);
    if (ok && format == FORMAT_NDJSON)
        printf("{\"end\":true,\"rows\":%llu}\n", (unsigned long long)rows);
    if (ferror(stdout))
        say("standard output could not be written: %m");
    if (!ok)
        sheet_give_up(p.sheet);
    return sheet_free(p.sheet) && ok ? EXIT_DONE : EXIT_FAILED;
}

/* With a limit JSON is a page, whose cursor leads to the next one. */
static int print_page(struct api *c, const struct path *path)
{
    struct api_answer a;

    if (!api_ask(c, "GET", path, NULL, &a))
        return EXIT_FAILED;
    puts(a.text);
    api_answer_done(&a);
    return EXIT_DONE;
}

/* As the server makes it, all columns of it. */
static bool may_be_saved(const struct args *a)
{
    if (args_option(a, "show")) {
        say("--show: a workbook has all columns");
        return false;
    }
    if (isatty(STDOUT_FILENO)) {
        say("--format xlsx: expected a file or a pipe as standard output");
        return false;
    }
    return true;
}

static int print_list(struct api *c, const struct args *a, const struct path *path,
                      enum format format, const char *columns)
{
    const char *shown = args_option(a, "show");

    if (format == FORMAT_TABLE && !times_as_the_server(c))
        return EXIT_FAILED;
    if (format == FORMAT_CSV && !shown)
        return api_csv(c, path, stdout) ? EXIT_DONE : EXIT_FAILED;
    if (format == FORMAT_JSON && strstr(path->text, "limit="))
        return print_page(c, path);
    return print_rows(c, path, format, shown ? shown : columns);
}

/* `body`: NULL where the path says all. */
static int run(const struct args *a, const struct path *path, const json_t *body,
               const char *columns)
{
    const char *asked = args_option(a, "format");
    bool saved = asked && !strcmp(asked, "xlsx");
    enum format format = FORMAT_NDJSON;
    struct api *c;
    int code = EXIT_FAILED;

    if (saved ? !may_be_saved(a) : !format_read(a, &format))
        return EXIT_USAGE;
    if (!(c = api_open(a)))
        return EXIT_FAILED;
    if (body && !api_question(c, body))
        say("no memory is left");
    else if (saved)
        code = api_file(c, path, FORM_TYPE_XLSX, stdout) ? EXIT_DONE : EXIT_FAILED;
    else
        code = print_list(c, a, path, format, columns);
    api_close(c);
    return code;
}

int list_run(const struct args *a, const struct path *path, const char *columns)
{
    return run(a, path, NULL, columns);
}

int list_asked(const struct args *a, const struct path *path, json_t *body, const char *columns)
{
    int code = run(a, path, body, columns);

    json_decref(body);
    return code;
}

/* ---- a list within an object ---- */

static bool print_element(enum format format, struct sheet *sheet, const char *columns, json_t *row)
{
    char *text;

    if (format == FORMAT_TABLE)
        return sheet_row(sheet, row);
    if (format == FORMAT_CSV) {
        csv_row(columns, row, stdout);
    } else if ((text = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY))) {
        puts(text);
        free(text);
    }
    return !ferror(stdout);
}

static int print_member(struct api *c, const struct path *path, const char *member,
                        enum format format, const char *columns)
{
    struct sheet *sheet = NULL;
    struct api_answer answer;
    json_t *rows;
    bool ok = true;

    if (!api_ask(c, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    rows = json_object_get(answer.json, member);
    if (format == FORMAT_JSON)
        puts(answer.text);
    if (format == FORMAT_TABLE)
        ok = (sheet = sheet_new(columns, stdout)) != NULL;
    if (format == FORMAT_CSV)
        csv_heading(columns, stdout);
    for (size_t i = 0; ok && format != FORMAT_JSON && i < json_array_size(rows); i++)
        ok = print_element(format, sheet, columns, json_array_get(rows, i));
    api_answer_done(&answer);
    if (!ok)
        say("standard output could not be written, or no memory is left");
    return sheet_free(sheet) && ok ? EXIT_DONE : EXIT_FAILED;
}

int member_run(const struct args *a, const struct path *path, const char *member,
               const char *columns)
{
    const char *shown = args_option(a, "show");
    enum format format;
    struct api *c;
    int code;

    if (!format_read(a, &format))
        return EXIT_USAGE;
    if (!(c = api_open(a)))
        return EXIT_FAILED;
    if (format == FORMAT_TABLE && !times_as_the_server(c))
        code = EXIT_FAILED;
    else
        code = print_member(c, path, member, format, shown ? shown : columns);
    api_close(c);
    return code;
}

/* ---- single objects ---- */

static int object_run(const struct args *a, const char *method, const struct path *path,
                      const json_t *body)
{
    struct api *c;
    struct api_answer answer;
    enum format format;
    int code = EXIT_FAILED;

    if (!format_read(a, &format))
        return EXIT_USAGE;
    c = api_open(a);
    if (!c)
        return EXIT_FAILED;
    if (format == FORMAT_TABLE && !times_as_the_server(c)) {
        api_close(c);
        return EXIT_FAILED;
    }
    if (api_ask(c, method, path, body, &answer)) {
        sheet_object(answer.json, answer.text, format, stdout);
        api_answer_done(&answer);
        code = EXIT_DONE;
    }
    api_close(c);
    return code;
}

int show_run(const struct args *a, const struct path *path)
{
    return object_run(a, "GET", path, NULL);
}

int post_run(const struct args *a, const struct path *path, json_t *body)
{
    int code = object_run(a, "POST", path, body);

    json_decref(body);
    return code;
}

/* ---- by path ---- */

int list_at(const struct args *a, const char *where, const char *columns)
{
    struct path path = path_of(where);

    query_options(&path, a);
    return list_run(a, &path, columns);
}

int show_at(const struct args *a, const char *where)
{
    struct path path = path_of(where);

    path_part(&path, a->positional[0]);
    query_options(&path, a);
    return show_run(a, &path);
}

int list_below(const struct args *a, const char *where, const char *what, const char *columns)
{
    struct path path = path_of(where);

    path_part(&path, a->positional[0]);
    path_part(&path, what);
    query_options(&path, a);
    return list_run(a, &path, columns);
}
