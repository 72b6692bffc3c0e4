/* Real telegrams and what their owners know they say, from the folder of data beside the project: every field is held against what
 * explain tells and against the frame's values, or stands in the table of reasons. The list of the latter is printed. */
#include "proto/base/hex.h"
#include "proto/base/limits.h"
#include "proto/dialect.h"
#include "tests/check.h"
#include "tests/one_meter.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRIVAL_S 1795651200 /* 2026-11-26T00:00:00Z */

/* ---- which field of theirs is which record of ours ------------------------------------------ */

enum how {
    NUMBER,  /* the value */
    READING, /* the value, and it is among the frame's values */
    TARGET,  /* likewise where the telegram dates it; else it says that nothing does */
    DAY,     /* a date, to the minute or day that they give */
    ENDS,    /* the reading stands at the end of that day */
    NAME,    /* digits or text */
    HOURS,   /* a time in whatever unit */
    YEARS    /* days, which they show as years */
};

/* '#' in a name is a number, which added to `plus` is the '#' of the path. `meaning` must be part of what explain says of the record;
 * "" stands for a plain one. Of several lines the first whose record is in the telegram counts. */
static const struct wish {
    const char *device, *name, *path, *meaning;
    enum how how;
    int plus;
} wishes[] = {
    { "*", "total_m3", "volume", "", READING, 0 },
    { "*", "total_forward_m3", "volume.forward", "", READING, 0 },
    { "*", "total_backward_m3", "volume.backward", "", READING, 0 },
    { "*", "total_backwards_m3", "volume.backward", "", READING, 0 },
    { "*", "total_backward_flow_m3", "volume.backward", "", READING, 0 },
    { "*", "total_backwards_at_set_date_m3", "volume.backward.storage1", "", TARGET, 0 },
    { "*", "forward_at_set_date_m3", "volume.forward.storage1", "", TARGET, 0 },
    { "*", "backward_at_set_date_m3", "volume.backward.storage1", "", TARGET, 0 },
    { "*", "meter_datetime", "date", "", DAY, 0 },
    { "*", "device_datetime", "date", "", DAY, 0 },
    { "dme173", "target_m3", "volume.storage8", "", TARGET, 0 },
    { "dme173", "target_datetime", "date.storage8", "", DAY, 0 },
    { "dme173", "total_at_set_date_m3", "volume.storage1", "", TARGET, 0 },
    { "hydrus", "target_m3", "volume.storage3", "", TARGET, 0 },
    { "hydrus", "target_datetime", "date.storage3", "", DAY, 0 },
    { "hydrus", "total_at_date_m3", "volume.storage1", "", TARGET, 0 },
    { "hydrus", "at_date", "date.storage1", "", DAY, 0 },
    { "hydrus", "total_tariff#_m3", "volume.tariff#", "part of the register", NUMBER, 0 },
    { "hydrus", "total_tariff#_at_date_m3", "volume.storage1.tariff#", "part", NUMBER, 0 },
    { "topaseskr", "volume_year_period_m3", "volume.storage1", "", TARGET, 0 },
    { "topaseskr", "reverse_volume_year_period_m3", "volume.storage1.tariff1", "part", NUMBER, 0 },
    { "topaseskr", "meter_year_period_end_date", "date.storage1", "", DAY, 0 },
    { "topaseskr", "volume_month_period_m3", "volume.storage3", "", TARGET, 0 },
    { "topaseskr", "meter_month_period_end_datetime", "date.storage3", "", DAY, 0 },
    { "evo868", "consumption_at_history_#_m3", "volume.storage#", "", TARGET, 7 },
    { "evo868", "history_#_date", "volume.storage#", "", ENDS, 7 },
    { "evo868", "history_reference_date", "date.storage8", "", DAY, 0 },
    { "waterstarm", "consumption_at_history_#_m3", "volume.storage#", "", TARGET, 1 },
    { "werhlemodwm", "target_#_m3", "volume.storage#", "", TARGET, 0 },
    { "werhlemodwm", "target_#_date", "date.storage#", "", DAY, 0 },
    { "werhlemodwm", "next_target_date", "date.storage1", "in future", DAY, 0 },
    { "*", "consumption_at_set_date_#_m3", "volume.storage#", "", TARGET, 0 },
    { "*", "set_date_#", "date.storage#", "", DAY, 0 },
    { "*", "target_m3", "volume.storage1", "", TARGET, 0 },
    { "*", "target_date", "date.storage1", "", DAY, 0 },
    { "*", "set_date", "date.storage1", "", DAY, 0 },
    { "*", "set_datetime", "date.storage1", "", DAY, 0 },
    { "*", "consumption_at_set_date_m3", "volume.storage1", "", TARGET, 0 },
    { "*", "due_m3", "volume.storage1", "", TARGET, 0 },
    { "*", "due_date", "date.storage1", "", DAY, 0 },
    { "*", "error_date", "date", "during error", DAY, 0 },
    { "kamwater", "max_flow_m3h", "flow.storage2", "maximum", NUMBER, 0 },
    { "kamwater", "min_flow_m3h", "flow.storage2", "minimum", NUMBER, 0 },
    { "kamwater", "min_flow_temperature_c", "flow_temperature.storage2", "minimum", NUMBER, 0 },
    { "kamwater", "max_flow_temperature_c", "flow_temperature.storage2", "maximum", NUMBER, 0 },
    { "kamwater", "flow_temperature_c", "flow_temperature.storage1", "minimum", NUMBER, 0 },
    { "kamwater", "flow_temperature_c", "flow_temperature.storage2", "minimum", NUMBER, 0 },
    { "kamwater", "min_external_temperature_last_month_c", "external_temperature.storage1",
      "minimum", NUMBER, 0 },
    { "kamwater", "min_external_temperature_last_day_c", "external_temperature.storage2", "minimum",
      NUMBER, 0 },
    { "kamwater", "max_external_temperature_c", "external_temperature.storage1", "maximum", NUMBER,
      0 },
    { "*", "max_flow_since_datetime_m3h", "flow.storage3", "maximum", NUMBER, 0 },
    { "*", "max_flow_datetime", "date.storage3", "", DAY, 0 },
    { "iperl", "max_flow_m3h", "flow", "", NUMBER, 0 },
    { "*", "flow_m3h", "flow", "", NUMBER, 0 },
    { "*", "volume_flow_m3h", "flow", "", NUMBER, 0 },
    { "*", "current_flow_m3h", "flow", "", NUMBER, 0 },
    { "*", "flow_temperature_c", "flow_temperature", "", READING, 0 },
    { "*", "temperature_c", "flow_temperature", "", READING, 0 },
    { "*", "external_temperature_c", "external_temperature", "", NUMBER, 0 },
    { "*", "remaining_battery_life_y", "battery_remaining", "", YEARS, 0 },
    { "topaseskr", "battery_y", "battery_remaining", "", YEARS, 0 },
    { "q400", "battery_pct", "battery_remaining", "", NUMBER, 0 },
    { "waterstarm", "battery_v", "voltage", "", NUMBER, 0 },
    { "*", "access_counter", "access_number", "", NUMBER, 0 },
    { "*", "actuality_duration_s", "actuality_duration", "", NUMBER, 0 },
    { "*", "operating_time_h", "operating_time", "", HOURS, 0 },
    { "*", "on_time_h", "on_time", "", HOURS, 0 },
    { "q400", "error_free_time_h", "operating_time", "", HOURS, 0 },
    { "q400", "error_code_counter", "error_flags", "during error", NUMBER, 0 },
    { "*", "fabrication_no", "fabrication_number", "", NAME, 0 },
    { "*", "enhanced_id", "enhanced_identification", "", NAME, 0 },
    { "*", "customer", "customer", "", NAME, 0 },
    { "*", "software_version", "software_version", "", NAME, 0 },
    { "*", "meter_version", "model", "", NAME, 0 },
    { "*", "model_version", "model", "", NAME, 0 },
    { "*", "parameter_set", "parameter_set", "", NAME, 0 },
};

/* What is not held against anything, and why. A '*' ends a name. */
static const struct reason {
    const char *device, *name, *why;
} reasons[] = {
    { "waterstarm", "history_#_date",
      "counted back from the meter's clock by the reader; nothing in the telegram dates these" },
    { "rfmtx1", "total_m3",
      "enciphered in the maker's way, which is not known; its months are read" },
    { "*", "status", "words for bits; explain shows them raw, as STS and error flags" },
    { "*", "current_status", "words for bits; explain shows them raw, as STS and error flags" },
    { "*", "error_flags", "words for bits; explain shows them raw" },
    { "*", "error_code", "words for bits; explain shows them raw" },
    { "kamwater", "time_*", "words for the maker's own status bits" },
    { "itron", "unknown*", "words for the maker's own records, which explain shows raw" },
};

/* Dates that their reader shows although the meter says it has none: by the bit "invalid", by day and month 0. */
static const struct {
    const char *device, *shown;
} invalid[] = {
    { "waterstarm", "2025-08-20 14:51" },
    { "werhlemodwm", "2000-00-00 03:43" },
};

/* ---- what decoders may ask ------------------------------------------------------------------ */

static struct {
    struct format_id id;
    uint8_t list[256];
    size_t len;
} formats[128];
static size_t format_count;
static uint8_t key[64];
static struct one_meter its;
static struct lore lore;

static bool learned(void *arg, const struct format_id *id, struct span *out_list_view)
{
    (void)arg;
    for (size_t i = 0; i < format_count; i++) {
        const struct format_id *of = &formats[i].id;

        if (of->maker != id->maker || of->signature != id->signature ||
            of->version != id->version || of->type != id->type)
            continue;
        *out_list_view = span_of(formats[i].list, formats[i].len);
        return true;
    }
    return false;
}

static void learn(const struct frame *f)
{
    if (!f->has_format || format_count == sizeof formats / sizeof formats[0])
        return;
    assert_true(f->format_list.len <= sizeof formats[0].list);
    formats[format_count].id = f->format;
    formats[format_count].len = f->format_list.len;
    memcpy(formats[format_count++].list, f->format_list.at, f->format_list.len);
}

/* ---- a telegram ----------------------------------------------------------------------------- */

static struct telegram {
    const char *device;
    json_t *told, *rows; /* what explain says, and its rows */
    struct frame frame;
    enum err err;
    bool by_recipe; /* at least in part */
} now;

static struct arena arena;
static unsigned agreed, undated, passed_over, differ;

static const char *member(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

static bool is_of(const char *device)
{
    return strcmp(device, "*") == 0 || strcmp(device, now.device) == 0;
}

/* A pattern with '#' for a number, or '*' at its end. */
static bool matches(const char *pattern, const char *name, int *number)
{
    for (; *pattern && *pattern != '*'; pattern++) {
        char *end;

        if (*pattern != '#') {
            if (*pattern != *name++)
                return false;
            continue;
        }
        *number = (int)strtol(name, &end, 10);
        if (end == name)
            return false;
        name = end;
    }
    return *pattern == '*' || *name == 0;
}

static bool plain(const char *meaning)
{
    static const char *const not_plain[] = { "maximum", "minimum", "during error", "in future" };

    for (size_t i = 0; i < 4; i++)
        if (strstr(meaning, not_plain[i]))
            return false;
    return true;
}

static const json_t *row_of(const struct wish *w, int number)
{
    const char *hash = strchr(w->path, '#');
    char path[80];
    json_t *row;
    size_t i;

    if (hash)
        snprintf(path, sizeof path, "%.*s%d%s", (int)(hash - w->path), w->path, number + w->plus,
                 hash + 1);
    else
        snprintf(path, sizeof path, "%s", w->path);
    json_array_foreach(now.rows, i, row)
    {
        const char *meaning = member(row, "meaning");

        if (strcmp(member(row, "field"), path) == 0 &&
            (*w->meaning ? strstr(meaning, w->meaning) != NULL : plain(meaning)))
            return row;
    }
    return NULL;
}

static bool in_frame(double value)
{
    for (uint32_t s = 0; s < now.frame.series_count; s++)
        for (uint32_t i = 0; i < now.frame.series[s].count; i++)
            if (fabs((double)now.frame.series[s].samples[i].value - value) <= 0.5)
                return true;
    return false;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

static double hours(const json_t *row)
{
    static const char *const units[4] = { "s", "min", "h", "d" };
    static const double each[4] = { 1 / 3600.0, 1 / 60.0, 1, 24 };
    double value = strtod(member(row, "value"), NULL);

    for (size_t i = 0; i < 4; i++)
        if (strcmp(member(row, "unit"), units[i]) == 0)
            return value * each[i];
    return NAN;
}

static bool ends_with_day(const json_t *row, const char *day)
{
    char at[64];

    snprintf(at, sizeof at, "at %sT16:00:00Z", day); /* UTC+8 */
    return strstr(member(row, "is"), at) != NULL;
}

static bool shown_all_the_same(const char *date)
{
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
        if (strcmp(invalid[i].device, now.device) == 0 && strcmp(invalid[i].shown, date) == 0)
            return true;
    return false;
}

static bool holds(const struct wish *w, const json_t *row, const json_t *expected)
{
    const char *value = member(row, "value"), *is = member(row, "is");
    const char *text = json_string_value(expected);
    double number = json_number_value(expected), ours = strtod(value, NULL);
    double thousandths = strstr(w->path, "temperature") ? 1e3 : 1e6;

    switch (w->how) {
    case NUMBER:
        return *value && near(ours, number);
    case READING:
        return *value && near(ours, number) && *is && in_frame(number * thousandths);
    case TARGET:
        undated += !*is;
        return *value && near(ours, number) &&
               (*is ? in_frame(number * 1e6)
                    : strstr(member(row, "meaning"), "no reading") != NULL);
    case DAY:
        if (text && shown_all_the_same(text))
            return !*value && strstr(member(row, "meaning"), "the meter has no value");
        return text ? strcmp(value, text) == 0 : !*value;
    case ENDS:
        return text && ends_with_day(row, text);
    case NAME:
        return text && strcmp(value, text) == 0;
    case HOURS:
        return near(hours(row), number);
    case YEARS:
        return near(ours / 365.2425, number);
    }
    return false;
}

static bool wished(const char *name, const json_t *expected)
{
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        const struct wish *w = &wishes[i];
        const json_t *row;
        int number = 0;

        if (!is_of(w->device) || !matches(w->name, name, &number) || !(row = row_of(w, number)))
            continue;
        if (holds(w, row, expected)) {
            agreed++;
        } else {
            differ++;
            print_message("%s %s: expected %s, found %s\n", now.device, name,
                          json_dumps(expected, JSON_ENCODE_ANY), json_dumps(row, 0));
        }
        return true;
    }
    return false;
}

static const char *reason_of(const char *name)
{
    int number;

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (is_of(reasons[i].device) && matches(reasons[i].name, name, &number))
            return reasons[i].why;
    return NULL;
}

/* ---- what is said once ---------------------------------------------------------------------- */

static struct {
    char text[200];
    unsigned times;
} said[400];
static size_t said_count;

static void say(const char *name, const char *why)
{
    char text[200];
    size_t i;

    snprintf(text, sizeof text, "%s %s: %s", now.device, name, why);
    for (i = 0; i < said_count && strcmp(said[i].text, text) != 0; i++)
        ;
    if (i == said_count && said_count < sizeof said / sizeof said[0])
        memcpy(said[said_count++].text, text, sizeof text);
    if (i < said_count)
        said[i].times++;
    passed_over++;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool names_id(const char *id)
{
    char upper[32];
    size_t len = strlen(id);

    for (size_t i = 0; i <= len && i < sizeof upper; i++)
        upper[i] = (char)(id[i] >= 'a' && id[i] <= 'f' ? id[i] - 32 : id[i]);
    for (uint32_t i = 0; i < now.frame.names.count; i++)
        if (span_equal(now.frame.names.at[i], span_of(upper, len)))
            return true;
    return false;
}

static void put_local(char out[TEXT_TIME_SIZE], int64_t utc_s)
{
    text_put_time(out, utc_s + 28800);
    out[10] = ' ';
}

/* Whether a value stands at that minute, or at the beginning or end of that day. */
static bool stands_at(const char *local)
{
    size_t len = strlen(local);

    for (uint32_t s = 0; s < now.frame.series_count; s++)
        for (uint32_t i = 0; i < now.frame.series[s].count; i++) {
            char begins[TEXT_TIME_SIZE], ends[TEXT_TIME_SIZE];

            put_local(begins, now.frame.series[s].samples[i].at_s);
            put_local(ends, now.frame.series[s].samples[i].at_s - 1);
            if (strncmp(begins, local, len) == 0 || (len == 10 && strncmp(ends, local, len) == 0))
                return true;
        }
    return false;
}

static bool recipe_says(const char *name, const json_t *expected)
{
    const char *text = json_string_value(expected);
    char sent[TEXT_TIME_SIZE];
    size_t len = strlen(name);

    if (json_is_number(expected) && len > 3 && strcmp(name + len - 3, "_m3") == 0)
        return in_frame(json_number_value(expected) * 1e6);
    if (strcmp(name, "voltage_v") == 0)
        return near(now.frame.battery_mv, json_number_value(expected) * 1e3);
    if (strcmp(name, "meter_datetime") == 0 && text) {
        put_local(sent, now.frame.sent_s);
        return strncmp(sent, text, strlen(text)) == 0;
    }
    return text && strstr(name, "date") && stands_at(text);
}

/* Of a maker's own layout: the register must be among the values; what else the recipe says is counted. */
static void by_recipe(const char *name, const json_t *expected)
{
    if (recipe_says(name, expected)) {
        agreed++;
    } else if (strcmp(name, "total_m3") == 0) {
        differ++;
        print_message("%s total_m3: %s is not among the recipe's values\n", now.device,
                      json_dumps(expected, JSON_ENCODE_ANY));
    } else {
        say(name, "by recipe: not among its values");
    }
}

static void field(const char *name, const json_t *expected)
{
    const char *why;

    if (strcmp(name, "media") == 0 || strcmp(name, "meter") == 0)
        return;
    if (strcmp(name, "id") == 0) {
        if (names_id(json_string_value(expected)))
            agreed++;
        else
            say(name, "the link address is turned around, or another's");
        return;
    }
    if (wished(name, expected))
        return;
    if ((why = reason_of(name)))
        say(name, why);
    else if (now.by_recipe)
        by_recipe(name, expected);
    if (why || now.by_recipe)
        return;
    differ++;
    print_message("%s %s: nothing says it, and no reason is known\n", now.device, name);
}

static void explain(const struct dialect_input *in)
{
    static uint8_t text[1 << 20];
    struct wr w = wr_of(text, sizeof text - 1);
    struct refusal r;
    json_t *row;
    size_t i;

    arena_clear(&arena);
    (void)!dialect_explain(dialect_by_name(span_text("oms")), in, true, &arena, &w, &r);
    text[wr_len(&w)] = 0;
    now.told = json_loads((const char *)text, 0, NULL);
    assert_non_null(now.told);
    now.rows = json_object_get(now.told, "fields");
    now.by_recipe = false;
    json_array_foreach(now.rows, i, row) now.by_recipe |=
        strstr(member(row, "in"), "by recipe") != NULL;
}

static void one(const json_t *line)
{
    const json_t *expected = json_object_get(line, "expected");
    const char *hex_key = json_string_value(json_object_get(line, "key"));
    uint8_t bytes[512];
    struct dialect_input in = { .arrival_s = ARRIVAL_S, .lore = &lore };
    struct refusal r = { .err = ERR_OK };
    const char *name;
    size_t len = 0, key_len = 0;
    json_t *value;

    memset(&now, 0, sizeof now);
    now.device = json_string_value(json_object_get(line, "device"));
    its.key_count = hex_key != NULL;
    if (hex_key)
        assert_ok(hex_read(span_text(hex_key), key, sizeof key, &key_len));
    its.keys[0] = span_of(key, key_len);
    assert_ok(hex_read(span_text(json_string_value(json_object_get(line, "telegram"))), bytes,
                       sizeof bytes, &len));
    in.bytes = check_guarded(span_of(bytes, len));
    explain(&in);
    arena_clear(&arena);
    now.err = dialect_by_name(span_text("oms"))->decode(&in, &arena, &now.frame, &r);
    if (now.err) {
        say("telegram", r.text);
    } else {
        learn(&now.frame);
        json_object_foreach((json_t *)expected, name, value) field(name, value);
    }
    json_decref(now.told);
    check_unguard(in.bytes.at, in.bytes.len);
}

static void real_telegrams_say_what_their_owners_know(void **state)
{
    const char *shared = check_shared();
    char path[4096], *line = NULL;
    size_t cap = 0;
    unsigned count = 0, read = 0;
    FILE *f;

    (void)state;
    snprintf(path, sizeof path, "%s/data/frames/oms-water.ndjson", shared ? shared : "");
    f = shared ? fopen(path, "r") : NULL;
    if (!f) {
        print_message("the real telegrams are not here\n");
        skip();
    }
    lore = one_meter_lore(&its);
    lore.format = learned;
    one_meter_shelve(&its);
    assert_ok(arena_init(&arena, LIMIT_DECODE_ARENA));
    while (getline(&line, &cap, f) > 0) {
        json_t *whole = json_loads(line, 0, NULL);

        assert_non_null(whole);
        one(whole);
        json_decref(whole);
        count++;
        read += now.err == ERR_OK;
    }
    free(line);
    fclose(f);
    for (size_t i = 0; i < said_count; i++)
        print_message("%3u × %s\n", said[i].times, said[i].text);
    print_message("%u telegrams, %u read; fields: %u agree (%u of them undated, so no readings), "
                  "%u not held against anything, %u differ\n",
                  count, read, agreed, undated, passed_over, differ);
    assert_int_equal(differ, 0);
    assert_int_equal(count, 90);
    assert_int_equal(read,
                     89); /* a compact one was edited by hand: 35 L/h under the CRC of 0 L/h */
    assert_in_range(agreed, 600, 1000);
    arena_done(&arena);
    one_meter_done(&its);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_telegrams_say_what_their_owners_know),
    };

    return check_run(tests, argc, argv);
}
