/* What records are about: names taken apart, measures, units. */
#include "proto/senml_priv.h"

/* ---- names ---------------------------------------------------------------------------------- */

/* `with` in small letters; letters of either case count. */
static bool begins(struct span text, const char *with)
{
    for (size_t i = 0; with[i]; i++)
        if (i == text.len || (text.at[i] != (uint8_t)with[i] && (text.at[i] | 0x20) != with[i]))
            return false;
    return true;
}

static struct span from(struct span text, size_t at)
{
    return span_of(text.at + at, text.len - at);
}

static size_t find_colon(struct span text, size_t at)
{
    while (at < text.len && text.at[at] != ':')
        at++;
    return at;
}

static bool separates(uint8_t c)
{
    return c == ':' || c == '/';
}

/* Where the meter's own name ends: behind the number of an URN (RFC 9039: then : or _; LwM2M: /).
 * 0: it is no URN. */
static size_t urn_length(struct span name)
{
    size_t at;

    if (!begins(name, "urn:"))
        return 0;
    at = find_colon(name, 4) + 1;
    if (begins(name, "urn:dev:"))
        at = find_colon(name, at) + 1;
    while (at < name.len && !separates(name.at[at]) && name.at[at] != '_')
        at++;
    return at < name.len ? at : name.len;
}

/* The number that ends `text`, from behind the last '/'; −1: it does not end so.  `*out_begin` is where
 * the '/' stands, or 0. */
static int64_t last_number(struct span text, size_t *out_begin)
{
    size_t at = text.len;
    int64_t v;

    while (at > 0 && text.at[at - 1] >= '0' && text.at[at - 1] <= '9')
        at--;
    if ((at > 0 && text.at[at - 1] != '/') || text.len - at > 5 || text_int(from(text, at), &v))
        return -1;
    *out_begin = at ? at - 1 : 0;
    return v;
}

static bool object_is_known(int64_t object);

/* …/object/instance/resource, or with a resource's instance behind. */
static bool path_read(struct span rest, struct senml_name *out, size_t *out_begin)
{
    int64_t numbers[4]; /* from the end */
    size_t begins_at[4], left = rest.len;
    unsigned count = 0, object;

    if (!rest.len || rest.at[rest.len - 1] < '0' || rest.at[rest.len - 1] > '9')
        return false;
    while (count < 4 && left > 0) {
        numbers[count] = last_number(span_of(rest.at, left), &begins_at[count]);
        if (numbers[count] < 0)
            break;
        left = begins_at[count++];
    }
    if (count < 3)
        return false;
    object = count == 4 && !object_is_known(numbers[2]) ? 3 : 2;
    if (!object_is_known(numbers[object]))
        object = 2;
    out->is_path = true;
    out->object = numbers[object];
    out->instance = numbers[object - 1];
    out->resource = numbers[object - 2];
    *out_begin = begins_at[object];
    return true;
}

/* Without an URN: behind the last ':' or '/', or the whole. */
static size_t measure_begin(struct span name)
{
    size_t at = name.len;

    while (at > 0 && !separates(name.at[at - 1]))
        at--;
    return at;
}

static size_t without_separators(struct span name, size_t len)
{
    while (len && separates(name.at[len - 1]))
        len--;
    return len;
}

struct senml_name senml_name_read(struct span name)
{
    struct senml_name n = { .meter = name };
    size_t urn = urn_length(name), at = 0;

    if (path_read(from(name, urn), &n, &at))
        n.measure = from(name, urn + at);
    else if (urn)
        n.measure = from(name, urn + (urn < name.len));
    else
        n.measure = from(name, measure_begin(name));
    n.meter.len = urn;
    if (!urn)
        n.meter.len = without_separators(name, name.len - n.measure.len);
    else if (name.at[urn - 1] == ':')
        n.meter.len = 0; /* an URN without a number */
    return n;
}

struct frame_names senml_meter_names(struct span meter)
{
    struct frame_names names = { 0 };
    size_t at = measure_begin(meter);

    if (text_is_serial(meter))
        names.at[names.count++] = meter;
    if (at && text_is_serial(from(meter, at)))
        names.at[names.count++] = from(meter, at);
    return names;
}

/* ---- units ---------------------------------------------------------------------------------- */

const struct senml_unit *senml_unit_of(struct span name)
{
    /* RFC 8428 §12.1, RFC 8798 for hPa, mV; the others can mean but one thing. */
    static const struct senml_unit units[] = {
        { "m3", QUANTITY_VOLUME, 1000000 }, { "l", QUANTITY_VOLUME, 1000 },
        { "L", QUANTITY_VOLUME, 1000 },     { "ml", QUANTITY_VOLUME, 1 },
        { "mL", QUANTITY_VOLUME, 1 },       { "m3/s", QUANTITY_FLOW, 1000000 },
        { "l/s", QUANTITY_FLOW, 1000 },     { "L/s", QUANTITY_FLOW, 1000 },
        { "Pa", QUANTITY_PRESSURE, 1 },     { "hPa", QUANTITY_PRESSURE, 100 },
        { "kPa", QUANTITY_PRESSURE, 1000 }, { "Cel", QUANTITY_TEMPERATURE, 1000 },
        { "V", QUANTITY_VOLTAGE, 1000 },    { "mV", QUANTITY_VOLTAGE, 1 },
        { "dBm", QUANTITY_DB, 1000 },       { "dB", QUANTITY_DB, 1000 },
    };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (senml_says(name, units[i].name))
            return &units[i];
    return NULL;
}

/* ---- measures ------------------------------------------------------------------------------- */

struct path_meaning {
    const char *unit;
    struct senml_measure measure;
    uint16_t object, resource;
};

/* OMA's registry: 3424 water meter, 3427 pressure monitoring, 3411 battery (uCIFI). */
static const struct path_meaning paths[] = {
    { "m3", { WHAT_CHANNEL, CHANNEL_BILLED, QUANTITY_VOLUME }, 3424, 1 },
    { "", { WHAT_STATUS, STATUS_LEAK_BIT, QUANTITY_NONE }, 3424, 9 },          /* leak suspected */
    { "", { WHAT_STATUS, STATUS_LEAK_BIT, QUANTITY_NONE }, 3424, 10 },         /* leak detected */
    { "", { WHAT_STATUS, STATUS_BACKFLOW_BIT, QUANTITY_NONE }, 3424, 11 },     /* back flow */
    { "", { WHAT_STATUS, STATUS_SENSOR_FAULT_BIT, QUANTITY_NONE }, 3424, 12 }, /* blocked */
    { "", { WHAT_STATUS, STATUS_TAMPER_BIT, QUANTITY_NONE }, 3424, 13 },       /* fraud */
    { "", { WHAT_STAMP, 0, QUANTITY_NONE }, 3424, 5518 },
    { "", { WHAT_QUALITY, STATUS_SENSOR_FAULT_BIT, QUANTITY_NONE }, 3424, 6042 },
    { "Pa", { WHAT_CHANNEL, CHANNEL_PRESSURE, QUANTITY_PRESSURE }, 3427, 1 },
    { "", { WHAT_STATUS, STATUS_LEAK_BIT, QUANTITY_NONE }, 3427, 3 },
    { "V", { WHAT_BATTERY, 0, QUANTITY_VOLTAGE }, 3411, 3 },
    { "", { WHAT_STATUS, STATUS_BATTERY_LOW_BIT, QUANTITY_NONE }, 3411, 6 },
};

static bool object_is_known(int64_t object)
{
    return object == 3424 || object == 3427 || object == 3411;
}

static const struct path_meaning *path_of(const struct senml_name *n)
{
    for (size_t i = 0; n->is_path && i < sizeof paths / sizeof *paths; i++)
        if (paths[i].object == n->object && paths[i].resource == n->resource)
            return &paths[i];
    return NULL;
}

struct span senml_path_unit(const struct senml_name *n)
{
    const struct path_meaning *p = path_of(n);

    return p ? span_text(p->unit) : span_of(NULL, 0);
}

static const struct {
    const char *name;
    uint8_t len;
    struct senml_measure measure;
} measures[] = {
#define MEASURE(name, what, arg, quantity) { name, sizeof(name) - 1, { what, arg, quantity } },
#include "proto/senml_measure.def"
#undef MEASURE
};

#define PLAIN_MOST 24 /* longer than any measure's name */

/* Lower case, without what people put between words. */
static size_t plain(struct span text, char out[PLAIN_MOST])
{
    size_t len = 0;

    for (size_t i = 0; i < text.len && len < PLAIN_MOST; i++) {
        uint8_t c = text.at[i];

        if (c != '_' && c != '-' && c != '.' && c != ' ' && c != ':' && c != '/')
            out[len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    return len;
}

static struct senml_measure measure_named(struct span text)
{
    char name[PLAIN_MOST];
    size_t len = plain(text, name);

    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (measures[i].len == len && memcmp(measures[i].name, name, len) == 0)
            return measures[i].measure;
    return (struct senml_measure){ WHAT_UNKNOWN, 0, QUANTITY_NONE };
}

static struct senml_measure measure_by_unit(const struct senml_unit *unit)
{
    static const struct senml_measure by_quantity[] = {
        [QUANTITY_VOLUME] = { WHAT_CHANNEL, CHANNEL_BILLED, QUANTITY_VOLUME },
        [QUANTITY_PRESSURE] = { WHAT_CHANNEL, CHANNEL_PRESSURE, QUANTITY_PRESSURE },
        [QUANTITY_TEMPERATURE] = { WHAT_CHANNEL, CHANNEL_TEMPERATURE, QUANTITY_TEMPERATURE },
        [QUANTITY_VOLTAGE] = { WHAT_BATTERY, 0, QUANTITY_VOLTAGE },
        [QUANTITY_FLOW] = { WHAT_FLOW, CHANNEL_BILLED, QUANTITY_FLOW },
        [QUANTITY_DB] = { WHAT_UNKNOWN, 0, QUANTITY_NONE },
    };

    return unit ? by_quantity[unit->quantity] : by_quantity[QUANTITY_DB];
}

struct senml_measure senml_measure_of(const struct senml_name *n, const struct senml_unit *unit)
{
    const struct path_meaning *p = path_of(n);
    struct senml_measure m;
    size_t at = measure_begin(n->measure);

    if (p)
        return p->measure;
    if (!n->measure.len)
        return measure_by_unit(unit);
    m = measure_named(n->measure);
    return m.what || !at ? m : measure_named(from(n->measure, at));
}
