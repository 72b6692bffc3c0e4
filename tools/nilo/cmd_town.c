/* nilo sim town: files of a town that never was, for import and replay. */
#include "server/zonefile.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/sheet.h"
#include "tools/sim/town.h"

#include <stdlib.h>

/* The midnight that begins the civil day, in the town's own zone. */
static bool first_day(const char *text, const struct zone *zone, int64_t *out_s)
{
    int64_t day;

    if (!text || (!text_date(span_text(text), &day) && !text_time(span_text(text), zone, out_s)))
        return true;
    say("--start: expected a day such as 2026-01-01, found '%s'", text);
    return false;
}

static void print_summary(const struct town_summary *s, enum format format)
{
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "meters", (json_int_t)s->meters, "readings",
                  (json_int_t)s->readings, "lost", (json_int_t)s->lost, "stuck",
                  (json_int_t)s->faults[TOWN_STUCK], "reversed",
                  (json_int_t)s->faults[TOWN_REVERSED], "leak", (json_int_t)s->faults[TOWN_LEAK]);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text)
        sheet_object(object, text, format, stdout);
    free(text);
    json_decref(object);
}

int cmd_sim_town(const struct args *a)
{
    static struct zone zone;
    const char *name = args_option(a, "zone");
    struct town_options o = { .zone = &zone };
    struct town_summary summary = { 0 };
    struct refusal r = { 0 };
    int64_t meters, days, seed;
    enum format format;

    if (!format_read(a, &format) || !args_number(a, "meters", 1, 10000000, 300, &meters) ||
        !args_number(a, "days", 1, 36500, 90, &days) ||
        !args_number(a, "seed", 0, INT64_MAX, 1, &seed))
        return EXIT_USAGE;
    if (zone_load(name ? name : "Asia/Shanghai", &zone, &r)) {
        say("--zone: %s", r.text);
        return EXIT_USAGE;
    }
    if (!first_day(args_option(a, "start"), &zone, &o.from_s))
        return EXIT_USAGE;
    o.meters = (uint32_t)meters;
    o.days = (uint32_t)days;
    o.seed = (uint64_t)seed;
    o.mixed = args_option(a, "mixed") != NULL;
    if (town_write(&o, a->positional[0], &summary, &r)) {
        say("the town could not be written: %s", r.text);
        return EXIT_FAILED;
    }
    print_summary(&summary, format);
    return EXIT_DONE;
}
