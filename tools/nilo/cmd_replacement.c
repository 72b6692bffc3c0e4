/* nilo replacement: which meters to change first, and what so many changes bring. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"
#include "tools/nilo/sheet.h"

int cmd_replacement_list(const struct args *a)
{
    struct path path = path_of("/v1/replacements");

    query_options(&path, a);
    return list_run(a, &path,
                    speaks_chinese() /* the longest last */
                        ? "rank serial point dn route kinds due_on loss_m3_month money_month "
                          "benefit address reason_zh"
                        : "rank serial point dn route kinds due_on loss_m3_month money_month "
                          "benefit address reason");
}

/* A list within the answer, below a blank line. False: the output failed. */
static bool print_part(json_t *rows, const char *columns)
{
    struct sheet *sheet;
    json_t *row;
    size_t i;

    if (json_array_size(rows) == 0)
        return true;
    puts("");
    if (!(sheet = sheet_new(columns, stdout)))
        return false;
    json_array_foreach(rows, i, row) sheet_row(sheet, row);
    return sheet_free(sheet);
}

/* For people: the sums, then the curve and the zones as tables of their own. */
static bool print_budget(json_t *answer)
{
    json_t *curve = json_incref(json_object_get(answer, "curve"));
    json_t *zones = json_incref(json_object_get(answer, "zones"));
    bool fine;

    json_object_del(answer, "curve");
    json_object_del(answer, "zones");
    sheet_object(answer, NULL, FORMAT_TABLE, stdout);
    fine = print_part(curve, "changes money benefit last_benefit m3_month money_month "
                             "overdue_cleared due_met") &&
           print_part(zones, "zone changes money benefit m3_month money_month overdue_cleared "
                             "due_met");
    json_decref(curve);
    json_decref(zones);
    return fine;
}

int cmd_replacement_budget(const struct args *a)
{
    struct path path = path_of("/v1/replacements/budget");
    struct api_answer answer;
    enum format format;
    struct api *c;
    bool fine;

    query_options(&path, a);
    if (!format_read(a, &format))
        return EXIT_USAGE;
    if (!(c = api_open(a)))
        return EXIT_FAILED;
    fine = api_ask(c, "GET", &path, NULL, &answer);
    if (fine && format == FORMAT_TABLE)
        fine = print_budget(answer.json);
    else if (fine)
        sheet_object(answer.json, answer.text, format, stdout);
    if (fine)
        api_answer_done(&answer);
    api_close(c);
    return fine ? EXIT_DONE : EXIT_FAILED;
}
