/* nilo sim: towns that never were, and fleets that speak for them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/zonefile.h"
#include "tools/nilo/api.h"
#include "tools/nilo/commands.h"
#include "tools/nilo/sheet.h"
#include "tools/sim/load.h"
#include "tools/sim/replay.h"

/* ---- replay ---- */

static json_t *summary_json(const struct replay_summary *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "rows",
                     (json_int_t)s->rows, "by_hand", (json_int_t)s->by_hand, "meters",
                     (json_int_t)s->meters, "days", (json_int_t)s->days, "reports",
                     (json_int_t)s->reports, "acked", (json_int_t)s->acked, "resent",
                     (json_int_t)s->resent, "refused", (json_int_t)s->refused, "unanswered",
                     (json_int_t)s->unanswered, "published", (json_int_t)s->published, "seconds",
                     (double)(int64_t)(s->seconds * 1000) / 1000);
}

static void print_summary(const struct replay_summary *s, enum format format)
{
    json_t *json = summary_json(s);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(4));

    if (text)
        sheet_object(json, text, format, stdout);
    free(text);
    json_decref(json);
}

static int replay(struct api *c, const struct history *h, const struct replay_options *o,
                  enum format format)
{
    struct replay_summary s;

    if (!replay_run(h, o, c, &s))
        return EXIT_FAILED;
    print_summary(&s, format);
    if (!s.refused && !s.unanswered)
        return EXIT_DONE;
    say("%llu reports were refused and %llu stayed unanswered; the first refusal: %s",
        (unsigned long long)s.refused, (unsigned long long)s.unanswered,
        *s.refusal ? s.refusal : "none");
    return EXIT_FAILED;
}

/* The zone that was asked for, else the server's own. */
static bool read_zone(const struct args *a, struct api *c, struct zone *out)
{
    const char *asked = args_option(a, "times-in");
    struct path path = path_of("/v1/clock");
    struct refusal r = { 0 };
    struct api_answer answer = { 0 };
    bool ok;

    if (!asked && api_ask(c, "GET", &path, NULL, &answer))
        asked = json_string_value(json_object_get(answer.json, "tz"));
    ok = asked && !zone_load(asked, out, &r);
    if (!ok && asked)
        say("--times-in: %s", r.text);
    api_answer_done(&answer);
    return ok;
}

static bool read_file(const struct args *a, const struct zone *zone, struct history *out)
{
    const char *name = a->positional[0];
    bool standard = !strcmp(name, "-"), ok;
    struct history_columns columns;
    FILE *file;

    if (!history_columns_read(args_option(a, "columns"), &columns))
        return false;
    file = standard ? stdin : fopen(name, "rb");
    if (!file) {
        say("%s cannot be read: %s", name, strerror(errno));
        return false;
    }
    ok = history_read(file, standard ? "standard input" : name, &columns, zone, out);
    if (!standard)
        fclose(file);
    return ok;
}

static bool read_cast(const struct args *a, struct cast **out)
{
    const char *meters = args_option(a, "meters"), *keys = args_option(a, "keys");

    if (meters)
        return (*out = cast_read(meters, keys)) != NULL;
    if (keys || args_option(a, "mqtt"))
        say("--keys and --mqtt say nothing without --meters");
    return !keys && !args_option(a, "mqtt");
}

static int replay_file(const struct args *a, struct replay_options *o, enum format format)
{
    static struct zone zone;
    struct api *c = api_open(a);
    struct history h;
    struct cast *cast = NULL;
    int code = EXIT_FAILED;

    o->zone = &zone;
    if (c && read_zone(a, c, &zone) && read_cast(a, &cast) && read_file(a, &zone, &h)) {
        o->cast = cast;
        code = replay(c, &h, o, format);
        history_done(&h);
    }
    cast_free(cast);
    api_close(c);
    return code;
}

static const char *or_else(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

int cmd_sim_replay(const struct args *a)
{
    struct replay_options o = { .coap = args_option(a, "coap"),
                                .enroll = args_option(a, "register") != NULL,
                                .mqtt = args_option(a, "mqtt"),
                                .dn = or_else(args_option(a, "dn"), "15"),
                                .q3 = or_else(args_option(a, "q3"), "2.5") };
    int64_t settle_every, window;
    enum format format;

    if (!format_read(a, &format) || !args_number(a, "settle-every", 0, 100000, 7, &settle_every) ||
        !args_number(a, "window", 1, 65536, 256, &window))
        return EXIT_USAGE;
    o.settle_every = (unsigned)settle_every;
    o.window = (unsigned)window;
    return replay_file(a, &o, format);
}

/* ---- load ---- */

static bool enroll_load(const struct args *a, uint32_t meters)
{
    struct api *c = api_open(a);
    FILE *f = tmpfile();
    bool ok = false;

    if (!f)
        say("no temporary file could be made: %m");
    if (c && f) {
        sim_load_meters(meters, f);
        ok = api_import(c, "meters", f);
    }
    if (f)
        fclose(f);
    api_close(c);
    return ok;
}

int cmd_sim_load(const struct args *a)
{
    struct sim_load_options o = { .coap = args_option(a, "coap"),
                                  .echo = args_option(a, "echo") != NULL };
    int64_t meters, reports, window, rate, seconds;

    if (!args_number(a, "meters", 1, SIM_LOAD_METERS_MAX, 100000, &meters) ||
        !args_number(a, "reports", 1, INT64_MAX, meters, &reports) ||
        !args_number(a, "window", 1, SIM_LOAD_WINDOW_MAX, 2000, &window) ||
        !args_number(a, "rate", 1, UINT32_MAX, 0, &rate) ||
        !args_number(a, "seconds", 1, 86400, 600, &seconds))
        return EXIT_USAGE;
    if (args_option(a, "at") && text_time(span_text(args_option(a, "at")), NULL, &o.at_s)) {
        say("--at: expected a time such as 2026-03-01T00:00:00Z, found '%s'", args_option(a, "at"));
        return EXIT_USAGE;
    }
    o.meters = (uint32_t)meters;
    o.reports = (uint64_t)reports;
    o.window = (uint32_t)window;
    o.rate = (uint32_t)rate;
    o.seconds = (uint32_t)seconds;
    if (args_option(a, "register") && !enroll_load(a, o.meters))
        return EXIT_FAILED;
    return sim_load(&o, stdout);
}
