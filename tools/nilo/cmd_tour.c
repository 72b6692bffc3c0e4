/* nilo tour: day lists of crews, planned, looked at, and taken along as a workbook or a map. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORM_TYPE_GEOJSON "application/geo+json"
#define FORM_TYPE_XLSX "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

int cmd_tour_list(const struct args *a)
{
    struct path path = path_of("/v1/tours");

    query_options(&path, a);
    return list_run(a, &path, "tour date assignee stops left late unplaced metres minutes");
}

/* ---- planning ---- */

/* "inspect,read" as a list; an empty text is none. NULL: no memory. */
static json_t *words_of(const char *text)
{
    json_t *list = json_array();

    while (list && *text) {
        size_t len = strcspn(text, ",");

        if (len && json_array_append_new(list, json_stringn(text, len))) {
            json_decref(list);
            return NULL;
        }
        text += len + (text[len] == ',');
    }
    return list;
}

static bool set_words(json_t *body, const char *name, const char *text)
{
    json_t *words;

    if (!text)
        return true;
    words = words_of(text);
    return words && !json_object_set_new(body, name, words);
}

/* "114.3,30.6" */
static bool set_start(json_t *body, const char *text)
{
    char *end;
    double lon, lat;

    if (!text)
        return true;
    lon = strtod(text, &end);
    if (end == text || *end != ',') {
        say("--start %s: expected longitude and latitude as 114.3,30.6", text);
        return false;
    }
    text = end + 1;
    lat = strtod(text, &end);
    if (end == text || *end) {
        say("--start …%s: expected longitude and latitude as 114.3,30.6", text);
        return false;
    }
    return !json_object_set_new(body, "start", json_pack("{s:f, s:f}", "lon", lon, "lat", lat));
}

static bool set_count(json_t *body, const char *name, const char *option, const char *text)
{
    char *end;
    long n;

    if (!text)
        return true;
    n = strtol(text, &end, 10);
    if (end == text || *end) {
        say("--%s %s: expected a whole number", option, text);
        return false;
    }
    return !json_object_set_new(body, name, json_integer(n));
}

static bool set_text(json_t *body, const char *name, const char *text)
{
    return !text || !json_object_set_new(body, name, json_string(text));
}

int cmd_tour_plan(const struct args *a)
{
    struct path path = path_of("/v1/tours");
    json_t *body = json_object();

    if (body && set_text(body, "date", a->positional[0]) &&
        set_text(body, "crew", args_option(a, "crew")) &&
        set_text(body, "assignee", args_option(a, "assignee")) &&
        set_text(body, "zone", args_option(a, "zone")) &&
        set_text(body, "route", args_option(a, "route")) &&
        set_words(body, "kinds", args_option(a, "kinds")) &&
        set_words(body, "orders", args_option(a, "orders")) &&
        set_count(body, "max_stops", "max-stops", args_option(a, "max-stops")) &&
        set_count(body, "tours", "tours", args_option(a, "tours")) &&
        set_start(body, args_option(a, "start")) &&
        (!args_option(a, "again") || !json_object_set_new(body, "again", json_true())) &&
        (!args_option(a, "dry-run") || !json_object_set_new(body, "dry_run", json_true())))
        return post_run(a, &path, body);
    json_decref(body);
    return EXIT_USAGE;
}

/* ---- one list ---- */

static bool save(const struct args *a, const struct path *path, const char *type, const char *name)
{
    struct api *c;
    FILE *to;
    bool ok;

    if (!name)
        return true;
    if (!(c = api_open(a)))
        return false;
    to = strcmp(name, "-") == 0 ? stdout : fopen(name, "wb");
    if (!to) {
        say("%s: %s", name, strerror(errno));
        api_close(c);
        return false;
    }
    ok = api_file(c, path, type, to);
    if (to != stdout && fclose(to) && ok) {
        say("%s: %s", name, strerror(errno));
        ok = false;
    }
    if (!ok && to != stdout)
        remove(name); /* half a file is not to look like one */
    api_close(c);
    return ok;
}

static const char *stop_columns(void)
{
    return speaks_chinese()
               ? "stop order kind_zh state_zh priority due account address serial last_index_l "
                 "leg_m text_zh"
               : "stop order kind state priority due account address serial last_index_l leg_m "
                 "text_en";
}

int cmd_tour_show(const struct args *a)
{
    struct path path = path_of("/v1/tours");
    const char *xlsx = args_option(a, "xlsx"), *geojson = args_option(a, "geojson");

    path_part(&path, a->positional[0]);
    if (!xlsx && !geojson)
        return member_run(a, &path, "stops", stop_columns());
    return save(a, &path, FORM_TYPE_XLSX, xlsx) && save(a, &path, FORM_TYPE_GEOJSON, geojson)
               ? EXIT_DONE
               : EXIT_FAILED;
}
