/* nilo model, batch, modem, seal, depot, crew, price, stock, paper, stocktake, delivery, sample: what lies in the store, and the
 * notes by which it moves. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Releases `body`; NULL: no memory. */
static int post(const struct args *a, const struct path *path, json_t *body)
{
    if (body && body_options(body, a))
        return post_run(a, path, body);
    json_decref(body);
    return EXIT_USAGE;
}

static int post_serials(const struct args *a, const char *where, json_t *body, const char *file)
{
    struct path path = path_of(where);
    json_t *serials = json_array();

    if (!body || !serials || json_object_set(body, "serials", serials) ||
        !body_serials(file, serials)) {
        json_decref(serials);
        json_decref(body);
        return EXIT_FAILED;
    }
    json_decref(serials);
    return post(a, &path, body);
}

/* ---- lists ---- */

int cmd_model_list(const struct args *a)
{
    return list_at(a, "/v1/models",
                   "model maker approval dn q3 r register dialect life_months price");
}

int cmd_model_show(const struct args *a)
{
    return show_at(a, "/v1/models");
}

int cmd_batch_list(const struct args *a)
{
    return list_at(a, "/v1/batches", "batch model supplier lot order_document ordered_on ordered");
}

int cmd_batch_show(const struct args *a)
{
    return show_at(a, "/v1/batches");
}

int cmd_modem_list(const struct args *a)
{
    return list_at(a, "/v1/modems", "modem imei deveui iccid model serial");
}

int cmd_modem_show(const struct args *a)
{
    return show_at(a, "/v1/modems");
}

#define STAYS "serial modem imei deveui from to"

int cmd_modem_history(const struct args *a)
{
    return list_below(a, "/v1/modems", "meters", STAYS);
}

int cmd_meter_modems(const struct args *a)
{
    return list_below(a, "/v1/meters", "modems", STAYS);
}

int cmd_depot_list(const struct args *a)
{
    return list_at(a, "/v1/depots", "depot org name address");
}

int cmd_crew_list(const struct args *a)
{
    return list_at(a, "/v1/crews", "crew org name phone");
}

int cmd_price_list(const struct args *a)
{
    return list_at(a, "/v1/prices", "item of money source");
}

int cmd_quality_list(const struct args *a)
{
    return list_at(a, "/v1/quality",
                   "name meters service_meter_years failures per_1000_my low high "
                   "median_age_at_failure_days by_kind under_registration");
}

#define STEPS "age_days at_risk failed censored survival low high median_age_days"

int cmd_quality_survival(const struct args *a)
{
    return list_below(a, "/v1/models", "survival", STEPS);
}

int cmd_quality_accuracy(const struct args *a)
{
    return list_below(
        a, "/v1/models", "accuracy",
        "years throughput_m3 missed_pct low high by_400_h_pct source exchanges exchanges_all");
}

int cmd_quality_supplier(const struct args *a)
{
    return list_below(a, "/v1/suppliers", "survival", STEPS);
}

int cmd_stock(const struct args *a)
{
    return list_at(a, "/v1/stock",
                   "holder_kind holder model dn q3 state meters earliest_due "
                   "under_a_year overdue");
}

int cmd_paper_list(const struct args *a)
{
    return list_at(a, "/v1/papers", "paper at batch depot crew meters note");
}

int cmd_paper_show(const struct args *a)
{
    return show_at(a, "/v1/papers");
}

int cmd_paper_meters(const struct args *a)
{
    return list_below(a, "/v1/papers", "meters", "serial what state crew depot point settled_by");
}

int cmd_sample_show(const struct args *a)
{
    struct path path = path_of("/v1/batches");

    path_part(&path, a->positional[0]);
    path_part(&path, "sample");
    query_options(&path, a);
    return show_run(a, &path);
}

int cmd_seal_list(const struct args *a)
{
    return list_at(a, "/v1/seals", "seal kind state crew serial point");
}

/* ---- acts ---- */

static int modem_change(const struct args *a, json_t *modem)
{
    struct path path = path_of("/v1/meters");

    path_part(&path, a->positional[0]);
    path_part(&path, "modem");
    return post(a, &path, json_pack("{s:o}", "modem", modem));
}

int cmd_modem_fit(const struct args *a)
{
    return modem_change(a, json_string(a->positional[1]));
}

int cmd_modem_remove(const struct args *a)
{
    return modem_change(a, json_null());
}

static int seals(const struct args *a, const char *where)
{
    struct path path = path_of(where);

    return post(a, &path,
                json_pack("{s:s, s:s}", "from", a->positional[0], "to",
                          a->positional[a->count > 1 ? 1 : 0]));
}

int cmd_seal_add(const struct args *a)
{
    return seals(a, "/v1/seals");
}

int cmd_seal_issue(const struct args *a)
{
    return seals(a, "/v1/seals/issue");
}

int cmd_seal_return(const struct args *a)
{
    return seals(a, "/v1/seals/return");
}

int cmd_seal_break(const struct args *a)
{
    struct path path = path_of("/v1/seals/break");

    return post(a, &path, json_pack("{s:s}", "seal", a->positional[0]));
}

int cmd_batch_reject(const struct args *a)
{
    struct path path = path_of("/v1/batches");

    path_part(&path, a->positional[0]);
    path_part(&path, "reject");
    return post(a, &path, json_object());
}

int cmd_paper_write(const struct args *a)
{
    return post_serials(a, "/v1/papers", json_pack("{s:s}", "kind", a->positional[0]),
                        a->positional[1]);
}

int cmd_stocktake(const struct args *a)
{
    return post_serials(a, "/v1/stocktakes", json_object(), a->positional[0]);
}

int cmd_delivery(const struct args *a)
{
    return post_serials(a, "/v1/deliveries", json_pack("{s:s}", "batch", a->positional[0]),
                        a->positional[1]);
}

/* ---- results of a sample ---- */

#define RESULT_LINE 512

/* "SERIAL pass|fail [NOTE]"; an empty line is none. */
static bool result_read(char *line, json_t *results, unsigned number)
{
    char *serial = line + strspn(line, " \t\r\n");
    char *result = serial + strcspn(serial, " \t,\r\n");
    char *note;
    json_t *one;

    if (!*serial)
        return true;
    if (*result)
        *result++ = 0;
    result += strspn(result, " \t,");
    note = result + strcspn(result, " \t,\r\n");
    if (*note)
        *note++ = 0;
    note += strspn(note, " \t,");
    note[strcspn(note, "\r\n")] = 0;
    if (strcmp(result, "pass") != 0 && strcmp(result, "fail") != 0) {
        say("line %u: expected SERIAL pass or SERIAL fail, and a note", number);
        return false;
    }
    one = json_pack("{s:s, s:s, s:s}", "serial", serial, "result", result, "note", note);
    if (one && json_array_append_new(results, one) == 0)
        return true;
    say("line %u: is not UTF-8", number);
    return false;
}

static bool results_of(const char *name, json_t *results)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    char line[RESULT_LINE];
    unsigned number = 0;
    bool fine = true;

    if (!file) {
        say_of_file("%s: cannot be opened: %s", name, strerror(errno));
        return false;
    }
    while (fine && fgets(line, sizeof line, file))
        fine = result_read(line, results, ++number);
    if (ferror(file)) {
        say_of_file("%s: cannot be read: %s", name, strerror(errno));
        fine = false;
    }
    if (file != stdin)
        fclose(file);
    return fine;
}

int cmd_sample_result(const struct args *a)
{
    struct path path = path_of("/v1/batches");
    json_t *results = json_array();

    path_part(&path, a->positional[0]);
    path_part(&path, "sample");
    if (!results || !results_of(a->positional[1], results)) {
        json_decref(results);
        return EXIT_FAILED;
    }
    return post(a, &path, json_pack("{s:o}", "results", results));
}
