/* /openapi.json (OpenAPI 3.1), made from the tables that the server itself works by: route.def,
 * parameter.def, schema.def and server/fleet/columns.def.  So it cannot tell of a path that is not
 * there, nor forget one. */
#include "server/fleet/columns.h"
#include "server/query/answers.h"
#include "server/query/workbook.h"

#include <ctype.h>
#include <stdio.h>

enum shape {
    SHAPE_TEXT,
    SHAPE_INT,
    SHAPE_NUMBER,
    SHAPE_BOOL,
    SHAPE_TIME,
    SHAPE_DATE,
    SHAPE_ARRAY,
    SHAPE_OBJECT,
    SHAPE_ANY
};

static const char *const shapes[] = {
    "\"type\":\"string\"",
    "\"type\":\"integer\"",
    "\"type\":\"number\"",
    "\"type\":\"boolean\"",
    "\"type\":\"string\",\"format\":\"date-time\"",
    "\"type\":\"string\",\"format\":\"date\"",
    "\"type\":\"array\",\"items\":{}",
    "\"type\":\"object\"",
    "",
};

static const struct parameter_row {
    const char *name, *type, *format, *text;
} parameters[] = {
#define PARAMETER(name_, type_, format_, text_) { #name_, #type_, format_, text_ },
#include "server/query/parameter.def"
#undef PARAMETER
};

enum schema_id {
#define SCHEMA(name, text) SCHEMA_##name,
#define FIELD(schema, name, type, text)
#include "server/query/schema.def"
#undef SCHEMA
#undef FIELD
    SCHEMA_COUNT
};

static const struct {
    const char *name, *text;
} schemas[] = {
#define SCHEMA(name_, text_) { #name_, text_ },
#define FIELD(schema, name, type, text)
#include "server/query/schema.def"
#undef SCHEMA
#undef FIELD
};

static const struct {
    enum schema_id schema;
    const char *name;
    enum shape shape;
    const char *text;
} fields[] = {
#define SCHEMA(name, text)
#define FIELD(schema_, name_, type_, text_) { SCHEMA_##schema_, #name_, SHAPE_##type_, text_ },
#include "server/query/schema.def"
#undef SCHEMA
#undef FIELD
};

/* ---- schemas ---- */

static void put_field(struct out *o, const char *name, enum shape shape, const char *text)
{
    out_key(o, name);
    out_text(o, "{");
    out_text(o, shapes[shape]);
    if (text)
        out_member_text(o, "description", text);
    out_text(o, "}");
}

static void put_schema(struct out *o, enum schema_id id)
{
    out_key(o, schemas[id].name);
    out_text(o, "{\"type\":\"object\"");
    out_member_text(o, "description", schemas[id].text);
    out_key(o, "properties");
    out_text(o, "{");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].schema == id)
            put_field(o, fields[i].name, fields[i].shape, fields[i].text);
    }
    out_text(o, "}}");
}

static enum shape column_shape(enum column_type type)
{
    switch (type) {
    case COLUMN_INT:
        return SHAPE_INT;
    case COLUMN_DECIMAL:
    case COLUMN_LITRES:
        return SHAPE_NUMBER;
    case COLUMN_TIME:
        return SHAPE_TIME;
    case COLUMN_DATE:
        return SHAPE_DATE;
    default:
        return SHAPE_TEXT;
    }
}

/* "meters" → "Meter", "boundaries" → "Boundary", "batches" → "Batch". */
static void list_schema(const struct list *l, char out[32])
{
    size_t len = strlen(l->plural);

    snprintf(out, 32, "%s", l->plural);
    out[0] = (char)toupper((unsigned char)out[0]);
    if (len > 3 && strcmp(out + len - 3, "ies") == 0)
        snprintf(out + len - 3, 32 - len + 3, "y");
    else if (len > 4 && strcmp(out + len - 4, "ches") == 0)
        out[len - 2] = 0;
    else
        out[len - 1] = 0;
}

static void put_required(struct out *o, const struct list *l)
{
    bool first = true;

    out_key(o, "required");
    out_text(o, "[");
    for (unsigned i = 0; i < l->columns; i++) {
        if (l->column[i].need == NEED_MAY)
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(l->column[i].name));
    }
    out_text(o, "]");
}

static void put_list_schema(struct out *o, const struct list *l)
{
    char name[32];

    list_schema(l, name);
    out_key(o, name);
    out_text(o, "{\"type\":\"object\",\"properties\":{");
    for (unsigned i = 0; i < l->columns; i++)
        put_field(o, l->column[i].name, column_shape(l->column[i].type), NULL);
    if (l->kind == LIST_METER) {
        put_field(o, "point", SHAPE_TEXT, "Where it is fitted; null elsewhere");
        put_field(o, "crew", SHAPE_TEXT, "Who has it while it is issued");
        put_field(o, "regime", SHAPE_TEXT, "limited or periodic, by the table of verifications");
        put_field(o, "rule_years", SHAPE_NUMBER, "How long a verification holds by that table");
        put_field(o, "first_verified_on", SHAPE_TEXT, "The day of its first verification");
        put_field(o, "legal_due", SHAPE_TEXT,
                  "The last day in date; null where it never was verified");
        put_field(o, "due_basis", SHAPE_TEXT,
                  "What makes it so: rule, override, certificate or unknown");
        put_field(o, "days_left", SHAPE_NUMBER, "From today to that day");
        put_field(o, "in_date", SHAPE_BOOL, "Whether that day is not over");
        put_field(o, "warnings", SHAPE_ARRAY, "override-ignored, certificate-date-ignored");
        put_field(o, "condition_due", SHAPE_TEXT,
                  "When it is due by its condition; null where nothing speaks for a date");
        put_field(o, "condition_basis", SHAPE_TEXT, "throughput, alarm, lab or fault");
        put_field(o, "condition_text_en", SHAPE_TEXT, "What that date is from, English");
        put_field(o, "condition_text_zh", SHAPE_TEXT, "The same in Chinese");
        put_field(o, "due_on", SHAPE_TEXT, "The earlier of legal_due and condition_due");
        put_field(o, "last_reading_at", SHAPE_TIME, "Of the newest reading on the billed channel");
        put_field(o, "last_index_l", SHAPE_NUMBER, "Its value");
        put_field(o, "last_seen_at", SHAPE_TIME, "Arrival of the newest report");
        put_field(o, "clock_offset_s", SHAPE_NUMBER,
                  "The meter's clock less the server's, the median of its last seven reports");
        put_field(o, "battery_mv", SHAPE_NUMBER, "As last reported");
        put_field(o, "rsrp_dbm", SHAPE_NUMBER, "As last reported");
        put_field(o, "snr_db", SHAPE_NUMBER, "As last reported");
        put_field(o, "cell", SHAPE_NUMBER, "As last reported");
        put_field(o, "gateway", SHAPE_TEXT,
                  "That heard it best last: the last 31 bits of its EUI in hexadecimal, of another "
                  "name those of its CRC-32C");
    } else if (l->kind == LIST_POINT) {
        put_field(o, "serial", SHAPE_TEXT, "The meter that is fitted now, or null");
    }
    out_text(o, "}");
    put_required(o, l);
    out_text(o, "}");
}

static void put_schemas(struct out *o)
{
    out_key(o, "components");
    out_text(
        o,
        "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},\"schemas\":{");
    for (int n = 0; n < LIST_COUNT; n++)
        put_list_schema(o, list_of((enum list_kind)n));
    for (int n = 0; n < SCHEMA_COUNT; n++)
        put_schema(o, (enum schema_id)n);
    out_text(o, "}}");
}

/* ---- paths ---- */

static void put_parameter(struct out *o, const char *name, size_t len, bool in_path)
{
    const struct parameter_row *p = NULL;

    for (size_t i = 0; !in_path && i < sizeof parameters / sizeof parameters[0]; i++) {
        if (strlen(parameters[i].name) == len && memcmp(parameters[i].name, name, len) == 0)
            p = &parameters[i];
    }
    out_next(o);
    out_text(o, "{\"name\":");
    out_string(o, span_of(name, len));
    out_member_text(o, "in", in_path ? "path" : "query");
    if (in_path)
        out_member_bool(o, "required", true);
    if (p)
        out_member_text(o, "description", p->text);
    out_key(o, "schema");
    out_text(o, "{");
    out_member_text(o, "type", p ? p->type : "string");
    if (p && p->format)
        out_member_text(o, "format", p->format);
    out_text(o, "}}");
}

static void put_parameters(struct out *o, const struct route *r)
{
    const char *at = r->path;

    out_key(o, "parameters");
    out_text(o, "[");
    while ((at = strchr(at, '{'))) {
        size_t len = strcspn(++at, "}");

        put_parameter(o, at, len, true);
    }
    for (at = r->parameters; *at;) {
        size_t len = strcspn(at, ",");

        put_parameter(o, at, len, false);
        at += len + (at[len] == ',');
    }
    if (r->verb == VERB_POST && !r->asks) {
        out_next(o);
        out_text(o, "{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"The same "
                    "request with the same key is answered as before, and nothing happens\","
                    "\"schema\":{\"type\":\"string\",\"maxLength\":255}}");
    }
    out_text(o, "]");
}

static void put_reference(struct out *o, const char *schema)
{
    out_format(o, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

#define IMAGE_OF(type) "\"" type "\":{\"schema\":{\"type\":\"string\",\"format\":\"binary\"}}"
#define IMAGES IMAGE_OF("image/jpeg") "," IMAGE_OF("image/png") "," IMAGE_OF("image/webp")

static void put_body(struct out *o, const struct route *r)
{
    if (r->body == BODY_NONE)
        return;
    out_key(o, "requestBody");
    out_text(o, "{\"required\":true,\"content\":{");
    if (r->body == BODY_IMAGE) {
        out_text(o, IMAGES "}}");
        return;
    }
    if (r->body == BODY_FILE) {
        out_text(o, "\"text/csv\":{\"schema\":{\"type\":\"string\"}},\"application/x-ndjson\":{"
                    "\"schema\":{\"type\":\"string\"}}}}");
        return;
    }
    out_text(o, "\"application/json\":{\"schema\":");
    put_reference(o, r->body == BODY_PUSH ? "Anything" : r->body_schema);
    out_text(o, "}}}");
}

static void put_content(struct out *o, const struct route *r)
{
    out_text(o, "{");
    if (strcmp(r->schema, "Events") == 0) {
        out_text(o, "\"text/event-stream\":{\"schema\":");
        put_reference(o, r->schema);
        out_text(o, "}}");
        return;
    }
    if (strcmp(r->schema, "Image") == 0) {
        out_text(o, IMAGES "}");
        return;
    }
    if (!r->forms) {
        out_text(o, "\"text/plain\":{\"schema\":{\"type\":\"string\"}}}");
        return;
    }
    out_text(o, "\"application/json\":{\"schema\":");
    if (r->forms & FORM_CSV && strcmp(r->schema, "Consumption") != 0) {
        out_text(o, "{\"type\":\"object\",\"properties\":{\"rows\":{\"type\":\"array\",\"items\":");
        put_reference(o, r->schema);
        out_text(o, "},\"next\":{\"type\":[\"string\",\"null\"]}}}");
    } else {
        put_reference(o, r->schema);
    }
    out_text(o, "}");
    if (r->forms & FORM_CSV)
        out_text(o, ",\"application/x-ndjson\":{\"schema\":{\"type\":\"string\",\"description\":"
                    "\"One row a line; the last line is {\\\"end\\\":true,\\\"rows\\\":N}\"}},"
                    "\"text/csv\":{\"schema\":{\"type\":\"string\",\"description\":\"With the "
                    "trailer X-Rows\"}},\"" WORKBOOK_TYPE
                    "\":{\"schema\":{\"type\":\"string\",\"format\":\"binary\","
                    "\"description\":\"A sheet: volumes in m³, civil times; at most 1 048 575 "
                    "rows\"}}");
    if (r->forms & FORM_GEOJSON)
        out_text(
            o, ",\"application/geo+json\":{\"schema\":{\"type\":\"object\","
               "\"description\":\"A FeatureCollection (RFC 7946): a point a stop, and the way\"}},"
               "\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet\":{"
               "\"schema\":{\"type\":\"string\",\"format\":\"binary\",\"description\":"
               "\"To be printed and filled in\"}}");
    out_text(o, "}");
}

static void put_roles(struct out *o, const struct route *r)
{
    bool first = true;

    if (!r->scope) {
        out_key(o, "security");
        out_text(o, "[]");
        return;
    }
    out_key(o, "x-roles");
    out_text(o, "[");
    for (int role = ROLE_NONE + 1; role < ROLE_COUNT; role++) {
        if (!(r->scope & 1u << role))
            continue;
        if (!first)
            out_text(o, ",");
        first = false;
        out_string(o, span_text(role_name((enum role)role)));
    }
    out_text(o, "]");
}

static void put_route(struct out *o, const struct route *r)
{
    out_key(o, r->verb == VERB_POST ? "post" : "get");
    out_text(o, "{");
    out_member_text(o, "summary", r->summary);
    put_roles(o, r);
    put_parameters(o, r);
    put_body(o, r);
    out_key(o, "responses");
    out_text(o, "{\"2XX\":{\"description\":\"Done\",\"content\":");
    put_content(o, r);
    out_text(
        o, "},\"default\":{\"description\":\"Refused\",\"content\":{\"application/problem+json\":{"
           "\"schema\":");
    put_reference(o, "Problem");
    out_text(o, "}}}}}");
}

/* Each path once, with all its methods. */
static void put_paths(struct out *o)
{
    out_key(o, "paths");
    out_text(o, "{");
    for (size_t n = 0; route_at(n); n++) {
        const char *path = route_at(n)->path;
        size_t first = 0;

        while (strcmp(route_at(first)->path, path) != 0)
            first++;
        if (first < n)
            continue;
        out_key(o, path);
        out_text(o, "{");
        for (size_t m = n; route_at(m); m++) {
            if (strcmp(route_at(m)->path, path) == 0)
                put_route(o, route_at(m));
        }
        out_text(o, "}");
    }
    out_text(o, "}");
}

void answer_openapi(struct request *q)
{
    struct out *o = &q->out;

    q->status = 200;
    out_text(o,
             "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Nilometer\",\"version\":\"1\","
             "\"description\":"
             "\"Water meters: readings, consumption, flags and the register. Volumes are litres, "
             "times RFC 3339.\"},\"security\":[{\"token\":[]}]");
    put_paths(o);
    put_schemas(o);
    out_text(o, "}\n");
}
